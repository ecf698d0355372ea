//! Finds values in the bodies of messages, in whatever protocol a program invents.
//!
//! A value is looked for as a number, a string or a key of an object at any depth. A small number is often something
//! else, so a path, such as `gossip.values[]`, counts only if it always holds a value that a client had
//! sent by then, and if it is not a count: numbers from zero or one without a gap that stop long before the values do,
//! while another path goes on. A value of a key, as of a log, counts only where its key is beside or above it.
//!
//! Where the workload or a service defines the message, its [`Roles`] say what each place holds: an offset is neither a
//! value nor a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;

use crate::workbench::edn::Value;
use crate::workbench::network::Passage;
use crate::workbench::services::Services;
use crate::workbench::workload::roles::{ENVELOPE, Role, Roles};

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
    /// Whether the protocol says that values stand here.
    is_defined: bool,
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
#[derive(Debug, Clone)]
pub struct ValuePaths {
    roles: Roles,
    paths: BTreeSet<String>,
}

impl ValuePaths {
    /// Finds them in the messages. `known` has each item with the time in nanoseconds at which a client sent it
    /// first.
    #[must_use]
    pub fn find<'a>(roles: Roles, passages: impl Iterator<Item = &'a Passage>, known: &HashMap<Item, u64>) -> Self {
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
                scalars.is_defined = scope.role == Some(Role::Values);
                scalars.strange += usize::from(!is_value);
                match text.parse() {
                    Ok(number) if scalars.is_plausible() => _ = scalars.distinct.insert(number),
                    Ok(_) => {}
                    Err(_) => scalars.others += 1,
                }
            };
            walk(&roles, passage, &mut note);
        }
        paths.retain(|_, scalars| scalars.is_plausible());
        let numbers = paths.values().filter_map(|scalars| scalars.distinct.last()).max().copied().unwrap_or_default();
        let stays_behind = |last: u64| last * SHARE.1 < numbers * SHARE.0;
        let is_count = |scalars: &Scalars| !scalars.is_defined && scalars.count().is_some_and(stays_behind);
        let paths = paths.into_iter().filter(|(_, scalars)| !is_count(scalars)).map(|(path, _)| path).collect();
        Self { roles, paths }
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
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
            walk(&self.roles, passage, &mut |path, text, scope| {
                let Some(numbers) = by_value.get(text).filter(|_| self.paths.contains(path)) else { return };
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

/// Adds every value of these requests to the items that are known, with the time at which it was sent first.
pub(super) fn learn<'a>(roles: &Roles, requests: impl Iterator<Item = &'a Passage>, known: &mut HashMap<Item, u64>) {
    let has_keys = known.keys().any(|item| item.key.is_some());
    for request in requests {
        let sent = request.sent.as_nanos();
        let mut note = |_: &str, text: &str, scope: &Scope<'_, '_>| {
            let keys: Vec<_> = if has_keys { scope.keys().map(Some).collect() } else { vec![None] };
            for key in keys {
                known.entry(Item { key, value: text.to_owned() }).or_insert(sent);
            }
        };
        walk(roles, request, &mut note);
    }
}

/// Whether a text may have the value in it. A string may be written with other escapes, or as a key.
fn mentions(body: &str, value: &str) -> bool {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.map_or_else(|| body.contains(value), |inner| body.contains(inner) || body.contains('\\'))
}

/// A container, the name of its member that leads to the value, and what is known of what it holds.
struct Around<'j> {
    container: &'j Json,
    entry: Option<&'j str>,
    role: Known<'j>,
}

/// What is known of a container.
#[derive(Clone, Copy)]
enum Known<'j> {
    /// It is the body of a message of this type.
    Body(Message<'j>),
    /// Its role, if it has one.
    Part(Option<Role>),
}

/// A type of message.
#[derive(Clone, Copy)]
struct Message<'j> {
    roles: &'j Roles,
    is_of_service: bool,
    kind: &'j str,
}

impl Known<'_> {
    fn of_names(self) -> Option<Role> {
        match self {
            Self::Body(_) => None,
            Self::Part(role) => role?.of_names(),
        }
    }

    fn of_member(self, name: &str) -> Option<Role> {
        match self {
            Self::Body(Message { roles, is_of_service, kind }) => roles.get(is_of_service, kind, name),
            Self::Part(role) => role?.of_members(),
        }
    }

    fn of_element(self, index: usize) -> Option<Role> {
        match self {
            Self::Body(_) => None,
            Self::Part(role) => role?.of_element(index),
        }
    }
}

/// The containers around a value, and the keys of objects that lead to it.
struct Scope<'j, 's> {
    containers: &'s [Around<'j>],
    own: Option<&'j Json>,
    /// Its own role.
    role: Option<Role>,
}

/// Whether a key may stand where this is known.
fn may_be_key(role: Option<Role>) -> bool {
    role.is_none_or(|role| role == Role::Key)
}

impl<'j> Scope<'j, '_> {
    fn has(&self, key: &str) -> bool {
        self.containers
            .iter()
            .any(|around| around.key() == Some(key) || around.beside(self.own).any(|scalar| is_text(scalar, key)))
    }

    fn keys(&self) -> impl Iterator<Item = String> + use<'j, '_> {
        self.containers.iter().flat_map(|around| {
            let text = |scalar: &Json| scalar.as_str().map_or(scalar.to_string(), str::to_owned);
            around.key().map(str::to_owned).into_iter().chain(around.beside(self.own).map(text))
        })
    }
}

impl<'j> Around<'j> {
    /// The name of the member that leads to the value, if it may be a key.
    fn key(&self) -> Option<&'j str> {
        self.entry.filter(|_| may_be_key(self.role.of_names()))
    }

    /// The scalars directly in the container, but for one, that may be keys.
    fn beside(&self, own: Option<&'j Json>) -> impl Iterator<Item = &'j Json> + use<'j> {
        let role = self.role;
        let elements = self.container.as_array().into_iter().flatten().enumerate();
        let elements = elements.map(move |(index, element)| (element, role.of_element(index)));
        let members = self.container.as_object().into_iter().flatten();
        let members = members.map(move |(name, member)| (member, role.of_member(name)));
        let all = elements.chain(members).filter(|(_, role)| may_be_key(*role)).map(|(value, _)| value);
        all.filter(move |value| {
            let is_own = own.is_some_and(|own| std::ptr::eq(own, *value));
            !is_own && (value.is_string() || value.is_number())
        })
    }
}

fn is_text(scalar: &Json, text: &str) -> bool {
    match scalar {
        Json::String(string) => string == text,
        Json::Number(number) => number.as_str() == text,
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => false,
    }
}

/// How many elements of an array within an array have paths of their own: those of a tuple.
const MAX_TUPLE: usize = 4;

/// Visits every number, string and key in the body of a message that may be a value: its path, its JSON text, and what
/// is around it.
fn walk(roles: &Roles, passage: &Passage, visit: &mut impl FnMut(&str, &str, &Scope<'_, '_>)) {
    let Ok(body) = serde_json::from_str::<Json>(&passage.body) else { return };
    let kind = body.get("type").and_then(Json::as_str).unwrap_or("?");
    let mut path = kind.to_owned();
    let Some(members) = body.as_object() else { return };
    let list = passage.array.as_ref();
    let is_of_service = [&passage.src, &passage.dest].iter().any(|name| Services::NAMES.contains(&&***name));
    let known = Known::Body(Message { roles, is_of_service, kind });
    for (key, member) in members.iter().filter(|(key, _)| !ENVELOPE.contains(&key.as_str())) {
        let length = path.len();
        path.push('.');
        path.push_str(key);
        let role = known.of_member(key);
        let mut containers = vec![Around { container: &body, entry: Some(key), role: known }];
        if let Some(array) = list.filter(|_| member.as_array().is_some_and(Vec::is_empty)) {
            path.push_str("[]");
            let role = role.and_then(|role| role.of_element(0));
            let scope = Scope { containers: &containers, own: None, role };
            let mut text = itoa::Buffer::new();
            for element in array.list().iter().filter(|_| scope.may_be_value()) {
                visit(&path, text.format(element), &scope);
            }
        } else {
            visit_value(member, role, &mut path, &mut containers, visit);
        }
        path.truncate(length);
    }
}

impl Scope<'_, '_> {
    fn may_be_value(&self) -> bool {
        self.role.is_none_or(|role| role == Role::Values)
    }
}

fn visit_value<'j>(
    value: &'j Json,
    role: Option<Role>,
    path: &mut String,
    containers: &mut Vec<Around<'j>>,
    visit: &mut impl FnMut(&str, &str, &Scope<'_, '_>),
) {
    let length = path.len();
    let known = Known::Part(role);
    match value {
        Json::Number(_) | Json::String(_) => {
            let scope = Scope { containers, own: Some(value), role };
            if scope.may_be_value() {
                visit(path, &value.to_string(), &scope);
            }
        }
        Json::Array(elements) => {
            let is_tuple = containers.last().is_some_and(|around| around.container.is_array());
            containers.push(Around { container: value, entry: None, role: known });
            for (index, element) in elements.iter().enumerate() {
                if is_tuple && index < MAX_TUPLE {
                    path.push_str(["[0]", "[1]", "[2]", "[3]"][index]);
                } else {
                    path.push_str("[]");
                }
                visit_value(element, known.of_element(index), path, containers, visit);
                path.truncate(length);
            }
            containers.pop();
        }
        Json::Object(members) => {
            for (key, member) in members {
                path.push_str("{}");
                containers.push(Around { container: value, entry: None, role: known });
                let text = if is_number(key) { key.clone() } else { Json::from(key.as_str()).to_string() };
                let scope = Scope { containers, own: None, role: known.of_names() };
                if scope.may_be_value() {
                    visit(path, &text, &scope);
                }
                containers.pop();
                // Keys of objects are data or names of members; as names they distinguish paths.
                path.truncate(length);
                path.push('.');
                path.push_str(if is_number(key) { "*" } else { key });
                containers.push(Around { container: value, entry: Some(key), role: known });
                visit_value(member, known.of_member(key), path, containers, visit);
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
    use crate::workbench::workload::WorkloadKind;

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
        let paths = ValuePaths::find(Roles::of(WorkloadKind::Kafka), passages.iter(), &known);
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

    #[test]
    fn what_the_workload_says_is_an_offset_or_the_number_of_a_message_is_neither_a_value_nor_a_key() {
        let bodies = [
            (5, r#"{"type":"send","key":"9","msg":1,"msg_id":2}"#),
            (5, r#"{"type":"send_ok","offset":2,"in_reply_to":9}"#),
            (6, r#"{"type":"poll","offsets":{"9":2},"msg_id":2}"#),
            (7, r#"{"type":"poll_ok","msgs":{"9":[[2,1]]}}"#),
            (7, r#"{"type":"commit_offsets","offsets":{"9":2}}"#),
            (8, r#"{"type":"send","key":"8","msg":2,"msg_id":9}"#),
            (8, r#"{"type":"error","code":2,"text":"9"}"#),
            (9, r#"{"type":"poll_ok","msgs":{"9":[[1,2]]}}"#),
            (9, r#"{"type":"copy","key":"9","msg":2}"#),
        ];
        let known: Vec<_> =
            [("9", "1"), ("9", "2"), ("8", "2")].map(|(key, value)| (item(Some(key), value), 1)).to_vec();
        assert_eq!(found(&bodies, &known, &item(Some("9"), "2")), [7, 8]);
        assert_eq!(found(&bodies, &known, &item(Some("9"), "1")), [0, 3]);
        assert_eq!(found(&bodies, &known, &item(Some("8"), "2")), [5]);
    }
}
