//! Checks that generated ids are unique (protocol §13.2).

use super::interner::Interner;
use super::{CheckError, CheckReport, Verdict, Violation};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// The maximum number of duplicated ids in the results.
const MAX_LISTED: usize = 48;

/// The generated ids.
#[derive(Debug, Clone, PartialEq)]
pub struct UniqueIdsReport {
    /// The number of requests.
    pub attempted: usize,
    /// The number of acknowledged requests.
    pub acknowledged: usize,
    /// The number of duplicated ids.
    pub duplicated_count: usize,
    /// The most frequent of those with their counts, sorted by id.
    pub duplicated: Vec<(Value, usize)>,
    /// The least and the greatest id.
    pub range: Option<(Value, Value)>,
}

/// Checks ids: invalid if two acknowledged requests got the same one.
///
/// # Errors
/// If ids cannot be compared, such as strings with numbers, so that their range is undefined.
pub fn check(history: &History) -> Result<UniqueIdsReport, CheckError> {
    let requests = || history.client_ops().filter(|(_, op)| op.f == "generate");
    let attempted = requests().filter(|(_, op)| op.kind == OpKind::Invoke).count();
    let ids: Vec<&Value> = requests().filter(|(_, op)| op.kind == OpKind::Ok).map(|(_, op)| &op.value).collect();
    let duplicated = duplicates(&ids);
    Ok(UniqueIdsReport {
        attempted,
        acknowledged: ids.len(),
        duplicated_count: duplicated.len(),
        duplicated: most_frequent(&duplicated)?,
        range: range(&ids)?,
    })
}

/// The duplicated ids with their counts, in the order of their first occurrence.
fn duplicates(ids: &[&Value]) -> Vec<(Value, usize)> {
    let (mut distinct, mut counts) = (Interner::default(), Vec::new());
    for id in ids {
        let id = distinct.intern(id);
        counts.resize(counts.len().max(id + 1), 0);
        counts[id] += 1;
    }
    let counted = distinct.values().iter().zip(counts);
    counted.filter(|(_, count)| *count > 1).map(|(id, count)| (id.clone(), count)).collect()
}

/// The most frequent of the duplicated ids with their counts, sorted by id.
fn most_frequent(duplicated: &[(Value, usize)]) -> Result<Vec<(Value, usize)>, CheckError> {
    let mut distinct = Interner::default();
    for (id, _) in duplicated {
        distinct.intern(id);
    }
    let count_of = |id: &Value| distinct.of(id).map_or(0, |place| duplicated[place].1);
    let mut ids = Value::sorted(distinct.values().to_vec())?;
    ids.reverse();
    ids.sort_by_key(|id| std::cmp::Reverse(count_of(id)));
    ids.truncate(MAX_LISTED);
    let ids = Value::sorted(ids)?;
    Ok(ids.into_iter().map(|id| (id.clone(), count_of(&id))).collect())
}

/// The least and the greatest id.
fn range(ids: &[&Value]) -> Result<Option<(Value, Value)>, CheckError> {
    let Some((first, rest)) = ids.split_first() else { return Ok(None) };
    let (mut least, mut greatest) = (*first, *first);
    for id in rest {
        if id.compare(least)?.is_lt() {
            least = id;
        } else if id.compare(greatest)?.is_gt() {
            greatest = id;
        }
    }
    Ok(Some((least.clone(), greatest.clone())))
}

impl CheckReport for UniqueIdsReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.duplicated_count == 0)
    }

    fn to_edn(&self) -> Value {
        let (least, greatest) = self.range.clone().unwrap_or_default();
        let duplicated = self.duplicated.iter().map(|(id, count)| (id.clone(), Value::count(*count)));
        Value::record([
            ("valid?", self.verdict().to_value()),
            ("attempted-count", Value::count(self.attempted)),
            ("acknowledged-count", Value::count(self.acknowledged)),
            ("duplicated-count", Value::count(self.duplicated_count)),
            ("duplicated", Value::Map(duplicated.collect())),
            ("range", [least, greatest].into_iter().collect()),
        ])
    }

    fn violations(&self) -> Vec<Violation> {
        let ids = self.duplicated.iter().map(|(id, _)| id);
        Violation::listed("duplicated", "values given more than once", self.duplicated_count, ids).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    fn answered(ids: &[&str]) -> Result<Value, CheckError> {
        let lines: Vec<_> = ids.iter().map(|id| format!("0 ok generate {id}")).collect();
        check(&run(&lines)).map(|report| report.to_edn())
    }

    #[test]
    fn distinct_ids_are_valid_and_their_range_is_shown() {
        let result = answered(&["\"n0-2\"", "\"n1-0\"", "\"n0-10\""]).expect("comparable");
        let expected = "{:valid? true, :attempted-count 3, :acknowledged-count 3, :duplicated-count 0, \
                        :duplicated {}, :range [\"n0-10\" \"n1-0\"]}";
        assert_eq!(result.to_string(), expected);
    }

    #[test]
    fn an_id_given_twice_is_invalid() {
        let result = answered(&["7", "3", "7", "3", "7"]).expect("comparable");
        assert_eq!(Verdict::of(&result), Verdict::False);
        assert_eq!(result.get("duplicated").map(ToString::to_string).as_deref(), Some("{3 2, 7 3}"));
    }

    #[test]
    fn only_acknowledged_requests_have_an_id() {
        let result = check(&run(&["0 info generate nil", "1 invoke generate nil"]));
        let expected = "{:valid? true, :attempted-count 2, :acknowledged-count 0, :duplicated-count 0, \
                        :duplicated {}, :range [nil nil]}";
        assert_eq!(result.expect("comparable").to_edn().to_string(), expected);
    }

    #[test]
    fn of_many_duplicates_the_rarest_are_not_listed() {
        let often: Vec<_> = (0..60).flat_map(|id| vec![id.to_string(); 2 + usize::from(id >= 30)]).collect();
        let result = answered(&often.iter().map(String::as_str).collect::<Vec<_>>()).expect("comparable");
        assert_eq!(result.get("duplicated-count").and_then(Value::as_int), Some(60));
        let listed = result.get("duplicated").and_then(Value::entries).expect("a map");
        assert_eq!(listed.len(), MAX_LISTED);
        assert_eq!(listed[0], (Value::Int(12), Value::Int(2)));
        assert_eq!(listed[18], (Value::Int(30), Value::Int(3)));
    }

    #[test]
    fn ids_without_an_order_cannot_be_judged() {
        for ids in [["1", "\"a\""], ["{\"a\" 1}", "{\"a\" 2}"]] {
            assert!(answered(&ids).is_err(), "{ids:?}");
        }
    }
}
