//! What each check of a run found: whether it failed, why, and where to look.

use super::check::{self, Verdict, stats};
use super::edn::Value;
use super::markup::cut;
use super::network::Muted;

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

/// One finding for each check in the results, in their order; in a strict test, our own verdict, replicas that differ
/// and muted nodes are checks, too.
#[must_use]
pub fn findings(results: &Value, muted: &[Muted], strict: bool) -> Vec<Finding> {
    let parts = results.entries().unwrap_or_default().iter();
    let mut findings: Vec<_> = parts
        .filter(|(_, part)| part.get("valid?").is_some())
        .filter_map(|(key, part)| Some(finding(key.as_keyword()?, part)))
        .collect();
    if strict {
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
            let difference = ours("difference").map(|first| format!("the replicas differ, first: {}", brief(first)));
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

fn finding(check: &str, part: &Value) -> Finding {
    let verdict = Verdict::of(part);
    let mut why = Vec::new();
    if verdict != Verdict::True {
        match check {
            "stats" => why.extend(part.get("by-f").and_then(Value::entries).into_iter().flatten().filter_map(never)),
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

/// An operation that never succeeded.
fn never((f, counts): &(Value, Value)) -> Option<String> {
    let count = |key: &str| counts.get(key).and_then(Value::as_int).unwrap_or_default();
    let f = f.as_keyword().unwrap_or("?");
    let never = Verdict::of(counts) != Verdict::True && count("ok-count") == 0 && !stats::is_exempt(f);
    never.then(|| format!("not one of {} operations {f} succeeded", count("count")))
}

fn complaints(part: &Value) -> Vec<String> {
    if let Some(error) = part.get("error").and_then(Value::as_str) {
        return vec![error.to_owned()];
    }
    let mut complaints: Vec<_> = COMPLAINTS.iter().filter_map(|(key, what)| told(what, part.get(key)?)).collect();
    if part.get("stable-count").and_then(Value::as_int) == Some(0) {
        complaints.push("no value is stable: none was seen by the last reads".to_owned());
    }
    if let (Some(reads), Some(acceptable)) = (part.get("final-reads"), part.get("acceptable")) {
        complaints.push(format!("final reads {}, acceptable {}", brief(reads), brief(acceptable)));
    }
    complaints
}

/// A list, or the keys of a map, with how many there are.
fn told(what: &str, value: &Value) -> Option<String> {
    let items: Vec<String> = match (value.items(), value.entries()) {
        (Some(items), _) => items.take(TOLD).map(|item| brief(&item)).collect(),
        (_, Some(entries)) => entries.iter().take(TOLD).map(|(key, _)| brief(key)).collect(),
        (None, None) => return None,
    };
    let count = value.items().map(|items| items.len()).or(value.entries().map(<[_]>::len)).unwrap_or_default();
    let more = if count > items.len() { ", …" } else { "" };
    (count > 0).then(|| format!("{what} ({count}): {}{more}", cut(&items.join(", "), ALL_LETTERS)))
}

fn brief(value: &Value) -> String {
    cut(&value.to_string(), LETTERS)
}

#[cfg(test)]
mod tests {
    use super::super::edn::read;
    use super::super::network::BadLine;
    use super::*;

    fn of(results: &str) -> Vec<(String, Verdict, String)> {
        let findings = findings(&read(results).expect("valid EDN"), &[], false);
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
            ("{:workload {:valid? false, :bad-error-types (:unseen)}}", "anomalies (1): :unseen"),
            ("{:workload {:valid? false, :failures [3 5]}}", "keys that are not linearizable (2): 3, 5"),
            (
                "{:workload {:valid? false, :final-reads (63 61), :acceptable ([62 64])}}",
                "final reads (63 61), acceptable ([62 64])",
            ),
        ] {
            assert_eq!(why(results), expected, "{results}");
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
        let found = findings(&results, &muted, true);
        let checks: Vec<_> = found.iter().map(|finding| (&*finding.check, finding.verdict)).collect();
        let invalid = |check| (check, Verdict::False);
        assert_eq!(checks, [("workload", Verdict::True), invalid("gloomers"), invalid("converged"), invalid("muted")]);
        let expected = "what Maelstrom does not see: values given more than once (1): 7; \
                        values that nobody had added (1): 9";
        assert_eq!(found[1].why, expected);
        assert!(found[2].why.contains("first: {:key 3"), "{}", found[2].why);
        assert!(found[3].why.contains("n1") && found[3].why.contains("hello"), "{}", found[3].why);
        assert_eq!(found[3].look_at, ["node-logs/n1.log"]);
    }
}
