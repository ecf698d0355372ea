//! Finds values in the bodies of messages, in whatever protocol a program invents.
//!
//! A value is looked for as a number, a string or a key of an object at any depth. A small number is often something
//! else, so a path, such as `gossip.values[]`, counts only if it always holds a value that a client had
//! sent by then, and if it is not a count: numbers from zero or one without a gap that stop long before the values do,
//! while another path goes on. A value of a key, as of a log, counts only where its key is beside or above it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;

use crate::workbench::edn::Value;
use crate::workbench::network::Passage;

/// A value to be followed, and the key that it belongs to, if there are keys. Both are JSON; of a key that is a string
/// only its text counts, since in JSON the keys of objects are strings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The text of its key.
    pub key: Option<String>,
    /// The text of a JSON number or string.
    pub value: String,
}

impl Item {
    /// A value without a key.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self { key: None, value: value.to_json() }
    }

    /// A value of a key.
    #[must_use]
    pub fn keyed(key: &Value, value: &Value) -> Self {
        Self { key: Some(key.as_str().map_or_else(|| key.to_json(), str::to_owned)), value: value.to_json() }
    }
}

/// Of the scalars at a path, one in this many may be something other than a value sent by then.
const TOLERANCE: usize = 100;
/// A count stops before this share of the values: three quarters.
const SHARE: (u64, u64) = (3, 4);

/// The scalars at one path of one type of message.
#[derive(Debug, Default)]
struct Scalars {
    strange: usize,
    seen: usize,
    distinct: BTreeSet<u64>,
    others: usize,
}

impl Scalars {
    fn is_plausible(&self) -> bool {
        self.strange * TOLERANCE <= self.seen
    }

    /// The last of the numbers from zero or one without a gap, if that is all there is.
    fn count(&self) -> Option<u64> {
        let (first, last) = (*self.distinct.first()?, *self.distinct.last()?);
        (self.others == 0 && first <= 1 && self.distinct.len() as u64 == last - first + 1).then_some(last)
    }
}

/// The paths that hold values: the type of a message and the path in its body, as `gossip.values[]`.
#[derive(Debug, Clone, Default)]
pub struct ValuePaths(BTreeSet<String>);

impl ValuePaths {
    /// Finds them in the messages. `known` has each item with the time in nanoseconds at which a client sent it
    /// first.
    #[must_use]
    pub fn find<'a>(passages: impl Iterator<Item = &'a Passage>, known: &HashMap<Item, u64>) -> Self {
        let has_keys = known.keys().any(|item| item.key.is_some());
        let mut paths: BTreeMap<String, Scalars> = BTreeMap::new();
        for passage in passages {
            let sent = passage.sent.as_nanos();
            let mut note = |path: &str, text: &str, scope: &Scope<'_, '_>| {
                let is_known = |item: Item| known.get(&item).is_some_and(|at| *at <= sent);
                let value = text.to_owned();
                let is_value = if has_keys {
                    scope.keys().any(|key| is_known(Item { key: Some(key), value: value.clone() }))
                } else {
                    is_known(Item { key: None, value })
                };
                if !paths.contains_key(path) {
                    paths.insert(path.to_owned(), Scalars::default());
                }
                let Some(scalars) = paths.get_mut(path) else { return };
                scalars.seen += 1;
                scalars.strange += usize::from(!is_value);
                match text.parse() {
                    Ok(number) if scalars.is_plausible() => _ = scalars.distinct.insert(number),
                    Ok(_) => {}
                    Err(_) => scalars.others += 1,
                }
            };
            walk(passage, &mut note);
        }
        paths.retain(|_, scalars| scalars.is_plausible());
        let numbers = paths.values().filter_map(|scalars| scalars.distinct.last()).max().copied().unwrap_or_default();
        let is_count = |scalars: &Scalars| scalars.count().is_some_and(|last| last * SHARE.1 < numbers * SHARE.0);
        Self(paths.into_iter().filter(|(_, scalars)| !is_count(scalars)).map(|(path, _)| path).collect())
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For each of the items the messages that carry it, by their indices in `passages`, in one pass over all.
    #[must_use]
    pub fn carriers<'a>(&self, passages: impl Iterator<Item = &'a Passage>, items: &[Item]) -> Vec<Vec<usize>> {
        let mut by_value: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, item) in items.iter().enumerate() {
            by_value.entry(&item.value).or_default().push(number);
        }
        let mut carriers = vec![Vec::new(); items.len()];
        for (index, passage) in passages.enumerate() {
            let is_candidate = passage.array.is_some() || by_value.keys().any(|text| mentions(&passage.body, text));
            if !is_candidate {
                continue;
            }
            walk(passage, &mut |path, text, scope| {
                let Some(numbers) = by_value.get(text).filter(|_| self.0.contains(path)) else { return };
                for number in numbers {
                    let is_in_scope = items[*number].key.as_ref().is_none_or(|key| scope.has(key));
                    if is_in_scope && carriers[*number].last() != Some(&index) {
                        carriers[*number].push(index);
                    }
                }
            });
        }
        carriers
    }
}

/// Adds every value of these requests to the items that are known, with the time at which it was sent first. Requests
/// that start a node again have no values.
pub(super) fn learn<'a>(requests: impl Iterator<Item = &'a Passage>, known: &mut HashMap<Item, u64>) {
    let has_keys = known.keys().any(|item| item.key.is_some());
    for request in requests {
        let sent = request.sent.as_nanos();
        let mut note = |path: &str, text: &str, scope: &Scope<'_, '_>| {
            if path.starts_with("init.") {
                return;
            }
            let keys: Vec<_> = if has_keys { scope.keys().map(Some).collect() } else { vec![None] };
            for key in keys {
                known.entry(Item { key, value: text.to_owned() }).or_insert(sent);
            }
        };
        walk(request, &mut note);
    }
}

/// Whether a text may have the value in it. A string may be written with other escapes, or as a key.
fn mentions(body: &str, value: &str) -> bool {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.map_or_else(|| body.contains(value), |inner| body.contains(inner) || body.contains('\\'))
}

/// The containers around a value, and the keys of objects that lead to it.
struct Scope<'j, 's> {
    containers: &'s [(&'j Json, Option<&'j str>)],
    own: Option<&'j Json>,
}

impl<'j> Scope<'j, '_> {
    fn has(&self, key: &str) -> bool {
        self.containers.iter().any(|(container, entry)| {
            *entry == Some(key) || beside(container, self.own).any(|scalar| is_text(scalar, key))
        })
    }

    fn keys(&self) -> impl Iterator<Item = String> + use<'j, '_> {
        self.containers.iter().flat_map(|(container, entry)| {
            let beside =
                beside(container, self.own).map(|scalar| scalar.as_str().map_or(scalar.to_string(), str::to_owned));
            entry.map(str::to_owned).into_iter().chain(beside)
        })
    }
}

/// The scalars directly in a container, but for one.
fn beside<'j>(container: &'j Json, own: Option<&'j Json>) -> impl Iterator<Item = &'j Json> {
    let (array, object) = (container.as_array(), container.as_object());
    let all = array.into_iter().flatten().chain(object.into_iter().flat_map(serde_json::Map::values));
    all.filter(move |value| {
        let is_own = own.is_some_and(|own| std::ptr::eq(own, *value));
        !is_own && (value.is_string() || value.is_number())
    })
}

fn is_text(scalar: &Json, text: &str) -> bool {
    match scalar {
        Json::String(string) => string == text,
        Json::Number(number) => number.as_str() == text,
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => false,
    }
}

/// Members of a body that never carry a value.
const ENVELOPE: [&str; 3] = ["type", "msg_id", "in_reply_to"];

/// How many elements of an array within an array have paths of their own: those of a tuple.
const MAX_TUPLE: usize = 4;

/// Visits every number, string and key in the body of a message: its path, its JSON text, and what is around it.
fn walk(passage: &Passage, visit: &mut impl FnMut(&str, &str, &Scope<'_, '_>)) {
    let Ok(body) = serde_json::from_str::<Json>(&passage.body) else { return };
    let mut path = body.get("type").and_then(Json::as_str).unwrap_or("?").to_owned();
    let Some(members) = body.as_object() else { return };
    let list = passage.array.as_ref();
    for (key, member) in members.iter().filter(|(key, _)| !ENVELOPE.contains(&key.as_str())) {
        let length = path.len();
        path.push('.');
        path.push_str(key);
        let mut containers = vec![(&body, Some(&**key))];
        if let Some(array) = list.filter(|_| member.as_array().is_some_and(Vec::is_empty)) {
            path.push_str("[]");
            let scope = Scope { containers: &containers, own: None };
            let mut text = itoa::Buffer::new();
            for element in array.list() {
                visit(&path, text.format(element), &scope);
            }
        } else {
            visit_value(member, &mut path, &mut containers, visit);
        }
        path.truncate(length);
    }
}

fn visit_value<'j>(
    value: &'j Json,
    path: &mut String,
    containers: &mut Vec<(&'j Json, Option<&'j str>)>,
    visit: &mut impl FnMut(&str, &str, &Scope<'_, '_>),
) {
    let length = path.len();
    match value {
        Json::Number(number) => visit(path, number.as_str(), &Scope { containers, own: Some(value) }),
        Json::String(_) => visit(path, &value.to_string(), &Scope { containers, own: Some(value) }),
        Json::Array(elements) => {
            let is_tuple = containers.last().is_some_and(|(container, _)| container.is_array());
            containers.push((value, None));
            for (index, element) in elements.iter().enumerate() {
                if is_tuple && index < MAX_TUPLE {
                    path.push_str(["[0]", "[1]", "[2]", "[3]"][index]);
                } else {
                    path.push_str("[]");
                }
                visit_value(element, path, containers, visit);
                path.truncate(length);
            }
            containers.pop();
        }
        Json::Object(members) => {
            for (key, member) in members {
                path.push_str("{}");
                containers.push((value, None));
                let text = if is_number(key) { key.clone() } else { Json::from(key.as_str()).to_string() };
                visit(path, &text, &Scope { containers, own: None });
                containers.pop();
                // Keys of objects are data or names of members; as names they distinguish paths.
                path.truncate(length);
                path.push('.');
                path.push_str(if is_number(key) { "*" } else { key });
                containers.push((value, Some(key)));
                visit_value(member, path, containers, visit);
                containers.pop();
                path.truncate(length);
            }
        }
        Json::Null | Json::Bool(_) => {}
    }
}

fn is_number(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn passages(bodies: &[(u64, &str)]) -> Vec<Passage> {
        let passage = |(id, (ms, body)): (u64, &(u64, &str))| Passage {
            id,
            src: "n0".into(),
            dest: "n1".into(),
            body: (*body).into(),
            array: None,
            sent: Time::from_millis(*ms),
            fates: std::iter::empty().collect(),
            twice: false,
        };
        (0..).zip(bodies).map(passage).collect()
    }

    fn item(key: Option<&str>, value: &str) -> Item {
        Item { key: key.map(str::to_owned), value: value.to_owned() }
    }

    fn found(bodies: &[(u64, &str)], known: &[(Item, u64)], wanted: &Item) -> Vec<usize> {
        let passages = passages(bodies);
        let known = known.iter().map(|(item, ms)| (item.clone(), ms * 1_000_000)).collect();
        let paths = ValuePaths::find(passages.iter(), &known);
        paths.carriers(passages.iter(), std::slice::from_ref(wanted)).swap_remove(0)
    }

    #[test]
    fn a_value_is_found_in_batches_objects_and_keys_of_any_type() {
        let bodies = [
            (5, r#"{"type":"one","value":4}"#),
            (6, r#"{"type":"batch","values":[1,4,7]}"#),
            (7, r#"{"type":"deep","state":{"a":{"seen":[[1,"x"],[4,"y"]]}}}"#),
            (8, r#"{"type":"map","seen":{"4":true,"1":true}}"#),
            (9, r#"{"type":"one","value":7}"#),
            (9, r#"{"type":"one","value":44}"#),
        ];
        let known: Vec<_> = ["1", "4", "7", "44"].map(|value| (item(None, value), 1)).to_vec();
        assert_eq!(found(&bodies, &known, &item(None, "4")), [0, 1, 2, 3]);
        assert_eq!(found(&bodies, &known, &item(None, "44")), [5]);
    }

    #[test]
    fn numbers_of_messages_and_numbers_that_come_before_the_value_are_not_the_value() {
        let bodies = [
            (1, r#"{"type":"gossip","msg_id":4,"from":4,"round":4,"values":[1]}"#),
            (9, r#"{"type":"gossip","msg_id":5,"from":4,"round":5,"values":[1,4]}"#),
        ];
        let known = [(item(None, "1"), 0), (item(None, "4"), 5)];
        assert_eq!(found(&bodies, &known, &item(None, "4")), [1]);
    }

    #[test]
    fn a_count_that_stays_behind_the_values_is_not_a_value() {
        let texts: Vec<String> = (0..40).map(|n| format!("{{\"type\":\"g\",\"seq\":{},\"v\":[{n}]}}", n / 4)).collect();
        let bodies: Vec<(u64, &str)> = texts.iter().map(|text| (50, &**text)).collect();
        let known: Vec<_> = (0..40).map(|n| (item(None, &n.to_string()), 1)).collect();
        assert_eq!(found(&bodies, &known, &item(None, "4")), [4]);
    }

    #[test]
    fn a_value_of_a_key_counts_only_beside_or_below_its_key() {
        let bodies = [
            (5, r#"{"type":"replicate","key":"9","msg":4}"#),
            (5, r#"{"type":"replicate","key":"8","msg":4}"#),
            (6, r#"{"type":"state","logs":{"9":[[107,4]],"8":[[105,3],[106,4]]}}"#),
            (7, r#"{"type":"txn","ops":[["append",9,4],["append",8,3]]}"#),
            (7, r#"{"type":"txn","ops":[["append",9,3],["append",8,4]]}"#),
        ];
        let known: Vec<_> =
            [("9", "3"), ("9", "4"), ("8", "3"), ("8", "4")].map(|(key, value)| (item(Some(key), value), 1)).to_vec();
        assert_eq!(found(&bodies, &known, &item(Some("9"), "4")), [0, 2, 3]);
        assert_eq!(found(&bodies, &known, &item(Some("8"), "4")), [1, 2, 4]);
    }
}
