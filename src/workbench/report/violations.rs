//! What each check of a run found: whether it failed, why, and where to look.

use crate::workbench::check::{self, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::network::{Muted, Unread};
use crate::workbench::report::escape::cut;
use crate::workbench::report::summary::Facts;
use crate::workbench::test::OperationErrors;

/// As many values of a list are told, so many characters of each, and so many of all.
const TOLD: usize = 8;
const LETTERS: usize = 60;
const ALL_LETTERS: usize = 160;

/// What the result of a workload's checker holds when it is not content, and what that means.
const COMPLAINTS: [(&str, &str); 9] = [
    ("lost", "values lost, acknowledged but missing in later reads"),
    ("duplicated", "values given more than once"),
    ("invented", "values that nobody had added"),
    ("failed", "values whose adds failed, and which were read all the same"),
    ("missing", "values that a final read missed"),
    ("errors", "wrong answers"),
    ("bad-error-types", "anomalies"),
    ("anomaly-types", "anomalies"),
    ("failures", "keys that are not linearizable"),
];

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name, as in the results.
    pub check: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is not valid.
    pub why: String,
    /// Files that show more, in the folder of the run.
    pub look_at: Vec<String>,
}

/// One finding for each check in the results, in their order; in a strict test, our own verdict, replicas that differ,
/// muted nodes and output that nobody read are checks, too.
#[must_use]
pub fn findings(results: &Value, facts: &Facts) -> Vec<Finding> {
    let Facts { muted, unread, errors, outdated, strict, .. } = facts;
    let parts = results.entries().unwrap_or_default().iter();
    let mut findings: Vec<_> = parts
        .filter(|(_, part)| part.get("valid?").is_some())
        .filter_map(|(key, part)| Some(finding(key.as_keyword()?, part, errors)))
        .collect();
    // Reads of the past explain a workload that is not valid; one that is can bear them.
    for finding in findings.iter_mut().filter(|finding| finding.check == "workload" && !finding.why.is_empty()) {
        finding.why.extend(outdated.iter().map(|outdated| format!("; {outdated}")));
    }
    if *strict {
        if let Some(verdict) = check::ours(results) {
            let why = match verdict {
                Verdict::True => String::new(),
                Verdict::Unknown | Verdict::False => unseen(results),
            };
            let look_at = vec!["results.edn".to_owned(), "report.html".to_owned()];
            findings.push(Finding { check: "gloomers".to_owned(), verdict, why, look_at });
        }
        let ours = |key| results.get("gloomers").and_then(|ours| ours.get(key));
        if let Some(Value::Bool(equal)) = ours("converged") {
            let difference =
                ours("difference").map(|first| format!("the replicas differ, first: {}", difference(first)));
            let look_at = vec!["results.edn".to_owned(), "node-logs".to_owned()];
            let (verdict, why) = (Verdict::from(*equal), difference.unwrap_or_default());
            findings.push(Finding { check: "converged".to_owned(), verdict, why, look_at });
        }
        let why: Vec<_> = muted.iter().map(Muted::in_words).collect();
        findings.push(Finding {
            check: "muted".to_owned(),
            verdict: Verdict::from(muted.is_empty()),
            why: why.join("\n"),
            look_at: muted.iter().map(|muted| format!("node-logs/{}.log", muted.node)).collect(),
        });
        let why: Vec<_> = unread.iter().map(Unread::in_words).collect();
        findings.push(Finding {
            check: "unread".to_owned(),
            verdict: Verdict::from(unread.is_empty()),
            why: why.join("\n"),
            look_at: Vec::new(),
        });
    }
    findings
}

/// What our own verdict on the workload complains of.
fn unseen(results: &Value) -> String {
    let ours = results.get("workload").and_then(|workload| workload.get("gloomers"));
    let complaints = ours.map(complaints).unwrap_or_default();
    let colon = if complaints.is_empty() { "" } else { ": " };
    format!("what Maelstrom does not see{colon}{}", complaints.join("; "))
}

fn finding(check: &str, part: &Value, errors: &OperationErrors) -> Finding {
    let verdict = Verdict::of(part);
    let mut why = Vec::new();
    if verdict != Verdict::True {
        match check {
            "stats" => {
                let by_f = part.get("by-f").and_then(Value::entries).into_iter().flatten();
                why.extend(by_f.filter_map(|counts| never(counts, errors)));
            }
            "availability" => {
                let share = part.get("ok-fraction").and_then(Value::as_float).unwrap_or_default() * 100.0;
                why.push(format!("{share:.1} % of the operations succeeded, less than was demanded"));
            }
            _ => why.extend(complaints(part)),
        }
    }
    let look_at: &[&str] = match check {
        "stats" | "availability" | "exceptions" => &["history.txt", "report.html", "node-logs"],
        _ => &["report.html", "history.txt", "results.edn"],
    };
    let look_at = look_at.iter().map(|file| (*file).to_owned()).collect();
    Finding { check: check.to_owned(), verdict, why: why.join("; "), look_at }
}

/// An operation that never succeeded, and why not.
fn never((f, counts): &(Value, Value), errors: &OperationErrors) -> Option<String> {
    let count = |key: &str| counts.get(key).and_then(Value::as_int).unwrap_or_default();
    let f = f.as_keyword().unwrap_or("?");
    let never = Verdict::of(counts) != Verdict::True
        && count("ok-count") == 0
        && !matches!(f, "crash" | "debug-topic-partitions");
    let reasons: Vec<_> = errors.iter().filter(|error| error.f == f).map(ToString::to_string).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    never.then(|| format!("not one of {} operations {f} succeeded{colon}{}", count("count"), reasons.join("; ")))
}

fn complaints(part: &Value) -> Vec<String> {
    if let Some(error) = part.get("error").and_then(Value::as_str) {
        return vec![error.to_owned()];
    }
    let ours = part.get("gloomers").and_then(|ours| ours.get("in-words")).or_else(|| part.get("in-words"));
    let first = |anomaly: &str| ours?.get(anomaly)?.items()?.next()?.items()?.next()?.as_str().map(str::to_owned);
    let mut complaints = Vec::new();
    for (key, what) in COMPLAINTS {
        let Some(value) = part.get(key) else { continue };
        match key {
            // The final reads are told below, as people read them.
            "errors" if part.get("final-reads").is_some() => {}
            "errors" if first(key).is_some() => {
                let count = value.items().map(|items| items.len()).unwrap_or_default();
                complaints.extend(first(key).map(|sentence| format!("{what} ({count}), the first: {sentence}")));
            }
            "bad-error-types" | "anomaly-types" => {
                let names = value.items().into_iter().flatten();
                let names: Vec<_> = names.filter_map(|name| name.as_keyword().map(str::to_owned)).collect();
                complaints.extend(names.iter().map(|name| anomaly(part, name, first(name))));
            }
            "failures" => {
                let drawn = part.get("gloomers").and_then(|ours| ours.get("windows")?.entries()?.first());
                let first = drawn.and_then(|(_, lines)| Some(lines.items()?.next()?.as_str()?.to_owned()));
                let first = first.map(|first| format!("; {first}")).unwrap_or_default();
                complaints.extend(told(what, value, None).map(|told| format!("{told}{first}")));
            }
            _ => complaints.extend(told(what, value, part.get(&format!("{key}-count")))),
        }
    }
    if part.get("stable-count").and_then(Value::as_int) == Some(0) {
        complaints.push("no value is stable: none was seen by the last reads".to_owned());
    }
    if let (Some(reads), Some(acceptable)) = (part.get("final-reads"), part.get("acceptable")) {
        complaints.push(format!("final reads are {}, but should be {}", distinct(reads), ranges(acceptable)));
    }
    complaints
}

/// An anomaly: how many cases there are, and the first of them in words.
fn anomaly(part: &Value, name: &str, first: Option<String>) -> String {
    let listed =
        || part.get("anomalies")?.get(name)?.items().map(|cases| i64::try_from(cases.len()).unwrap_or(i64::MAX));
    let count = part.get(name).and_then(kafka_count).or_else(listed);
    let count = count.map(|count| format!("{count} × ")).unwrap_or_default();
    match first {
        // The checker of transactions counts by itself.
        Some(words) if words.contains(&format!("× {name}: ")) => words,
        Some(words) if words.starts_with(name) => format!("{count}{words}"),
        Some(words) => format!("{count}{name}: {words}"),
        None => format!("{count}{name}"),
    }
}

fn kafka_count(shown: &Value) -> Option<i64> {
    let unseen = shown.get("unseen").and_then(Value::entries);
    let messages = unseen.map(|keys| keys.iter().filter_map(|(_, count)| count.as_int()).sum());
    messages.or_else(|| shown.get("count")?.as_int())
}

/// The values of a list, each once.
fn distinct(values: &Value) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for value in values.items().into_iter().flatten().map(|value| brief(&value)) {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    cut(&distinct.join(", "), ALL_LETTERS)
}

/// Intervals as people write them: `62 to 64`.
fn ranges(intervals: &Value) -> String {
    let range = |interval: &Value| {
        let ends: Vec<String> = interval.items().into_iter().flatten().map(|end| end.to_string()).collect();
        match &ends[..] {
            [low, high] if low != high => format!("{low} to {high}"),
            _ => ends.first().cloned().unwrap_or_default(),
        }
    };
    let ranges: Vec<_> = intervals.items().into_iter().flatten().map(|interval| range(&interval)).collect();
    cut(&ranges.join(" or "), ALL_LETTERS)
}

/// Where two replicas differ, or which one did not answer.
#[must_use]
pub fn difference(first: &Value) -> String {
    let entries = first.entries().unwrap_or_default();
    let key = first.get("key").filter(|key| !key.is_nil()).map(|key| format!("key {key}: ")).unwrap_or_default();
    if let Some(error) = first.get("error") {
        let node = first.get("node").and_then(Value::as_str).unwrap_or("somebody");
        let error = error.as_str().map_or_else(|| brief(error), str::to_owned);
        return format!("{key}{node} did not answer ({error})");
    }
    let alone = entries.iter().filter_map(|(node, values)| {
        let values: Vec<_> = values.items()?.map(|value| brief(&value)).collect();
        let values = if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
        Some(format!("{} alone has {}", node.as_str()?, cut(&values, ALL_LETTERS)))
    });
    format!("{key}{}", alone.collect::<Vec<_>>().join(", "))
}

/// A list, or the keys of a map, with how many there are; of a shortened list, `counted` is the true number.
fn told(what: &str, value: &Value, counted: Option<&Value>) -> Option<String> {
    let items: Vec<String> = match (value.items(), value.entries()) {
        (Some(items), _) => items.take(TOLD).map(|item| brief(&item)).collect(),
        (_, Some(entries)) => entries.iter().take(TOLD).map(|(key, _)| brief(key)).collect(),
        (None, None) => return None,
    };
    let count = value.items().map(|items| items.len()).or(value.entries().map(<[_]>::len)).unwrap_or_default();
    let counted = counted.and_then(Value::as_int).and_then(|counted| usize::try_from(counted).ok());
    let count = counted.unwrap_or(count);
    let more = if count > items.len() { ", …" } else { "" };
    (count > 0).then(|| format!("{what} ({count}): {}{more}", cut(&items.join(", "), ALL_LETTERS)))
}

fn brief(value: &Value) -> String {
    cut(&value.to_string(), LETTERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::workbench::edn::read;
    use crate::workbench::network::BadLine;
    use crate::workbench::test::Outdated;

    fn of(results: &str) -> Vec<(String, Verdict, String)> {
        let findings = findings(&read(results).expect("valid EDN"), &Facts::default());
        findings.into_iter().map(|finding| (finding.check, finding.verdict, finding.why)).collect()
    }

    fn why(results: &str) -> String {
        of(results).into_iter().find(|(_, verdict, _)| *verdict != Verdict::True).expect("a failure").2
    }

    #[test]
    fn every_check_has_a_finding_and_a_valid_one_no_reason() {
        let results =
            "{:stats {:valid? true, :by-f {}}, :net {:all {}, :valid? true}, :gloomers {:seed 1}, :valid? true}";
        let found = of(results);
        let valid = |check: &str| (check.to_owned(), Verdict::True, String::new());
        assert_eq!(found, [valid("stats"), valid("net")]);
    }

    #[test]
    fn a_failure_says_why() {
        for (results, expected) in [
            (
                "{:stats {:valid? false, :by-f {:read {:valid? true, :count 5, :ok-count 5},
                                                :crash {:valid? false, :count 3, :ok-count 0},
                                                :cas {:valid? false, :count 7, :ok-count 0}}}}",
                "not one of 7 operations cas succeeded",
            ),
            (
                "{:availability {:valid? false, :ok-fraction 0.925}}",
                "92.5 % of the operations succeeded, less than was demanded",
            ),
            ("{:workload {:valid? :unknown, :error \"no order\"}}", "no order"),
            (
                "{:workload {:valid? false, :stable-count 3, :lost (1 2 3 4 5 6 7 8 9), :duplicated {}}}",
                "values lost, acknowledged but missing in later reads (9): 1, 2, 3, 4, 5, 6, 7, 8, …",
            ),
            (
                "{:workload {:valid? :unknown, :stable-count 0, :lost ()}}",
                "no value is stable: none was seen by the last reads",
            ),
            ("{:workload {:valid? false, :duplicated {\"a\" 2}}}", "values given more than once (1): \"a\""),
            ("{:workload {:valid? false, :bad-error-types (:unseen)}}", "unseen"),
            (
                "{:workload {:valid? false, :bad-error-types (:duplicate), :duplicate {:count 40, :errs ()},
                             :gloomers {:in-words {:duplicate [[\"duplicate: key 9: 5 is at offsets 1 and 4\"]]}}}}",
                "40 × duplicate: key 9: 5 is at offsets 1 and 4",
            ),
            (
                "{:workload {:valid? false, :duplicated-count 63, :duplicated {1 3, 2 3}}}",
                "values given more than once (63): 1, 2, …",
            ),
            ("{:workload {:valid? false, :failures [3 5]}}", "keys that are not linearizable (2): 3, 5"),
            (
                "{:workload {:valid? false, :failures [3], :gloomers {:windows {3 [\"key 3: no\" \"├┤\"]}}}}",
                "keys that are not linearizable (1): 3; key 3: no",
            ),
            (
                "{:workload {:valid? false, :final-reads (63 61), :acceptable ([62 64])}}",
                "final reads are 63, 61, but should be 62 to 64",
            ),
        ] {
            assert_eq!(why(results), expected, "{results}");
        }
    }

    #[test]
    fn a_stale_last_read_explains_a_workload_that_is_not_valid_and_no_other() {
        let outdated = vec![Outdated { node: "n1".into(), state: Duration::ZERO, read: Duration::from_secs(31) }];
        let facts = Facts { outdated, ..Facts::default() };
        for (part, stale) in
            [("{:valid? false, :final-reads (5), :acceptable ([9 9])}", true), ("{:valid? true}", false)]
        {
            let results = read(&format!("{{:workload {part}, :valid? true}}")).expect("valid EDN");
            let why = &findings(&results, &facts)[0].why;
            assert_eq!(why.contains("; n1 read seq-kv's state of 0.0 s at 31.0 s"), stale, "{why}");
        }
    }

    #[test]
    fn a_strict_test_has_more_checks() {
        let results = read(
            "{:workload {:valid? true, :gloomers {:valid? false, :duplicated {7 2}, :invented (9)}},
              :gloomers {:converged false, :difference {:key 3, \"n0\" [1], \"n1\" []}}, :valid? true}",
        )
        .expect("valid EDN");
        let line = "hello".into();
        let muted = [Muted { node: "n1".into(), line, reason: BadLine::NotAnObject, late_reply: false }];
        let muted = muted.to_vec();
        let unread = vec![Unread { node: "n2".into(), lines: 3, first: "{}".into() }];
        let found = findings(&results, &Facts { muted, unread, strict: true, ..Facts::default() });
        let checks: Vec<_> = found.iter().map(|finding| (&*finding.check, finding.verdict)).collect();
        let invalid = |check| (check, Verdict::False);
        let ours = ["gloomers", "converged", "muted", "unread"].map(invalid);
        assert_eq!(checks, [&[("workload", Verdict::True)][..], &ours].concat());
        let expected = "what Maelstrom does not see: values given more than once (1): 7; \
                        values that nobody had added (1): 9";
        assert_eq!(found[1].why, expected);
        assert!(found[2].why.contains("first: key 3: n0 alone has 1, n1 alone has nothing"), "{}", found[2].why);
        assert!(found[3].why.contains("n1") && found[3].why.contains("hello"), "{}", found[3].why);
        assert_eq!(found[3].look_at, ["node-logs/n1.log"]);
    }
}
