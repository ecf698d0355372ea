//! A run as `JUnit` XML for continuous integration: a test case for each check.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::workbench::check::Verdict;
use crate::workbench::report::escape::Escaped;
use crate::workbench::report::violations::CheckOutcome;
use crate::workbench::test::TestConfig;

/// One run.
#[derive(Debug)]
pub struct Suite<'a> {
    /// Its workload and seed are named.
    pub config: &'a TestConfig,
    /// The duration of the history.
    pub seconds: f64,
    /// The outcomes of its checks.
    pub outcomes: &'a [CheckOutcome],
    /// Why the test broke off, if it did.
    pub broken: Option<&'a str>,
    /// Further lines for `<system-out>`.
    pub output: &'a [String],
}

impl Suite<'_> {
    /// Writes the file, if one is wanted, replacing any that exists; returns the error.
    pub fn write(&self, file: Option<&Path>) -> Option<String> {
        let error = fs::write(file?, self.text()).err()?;
        Some(format!("cannot write {}: {error}", file?.display()))
    }

    fn text(&self) -> String {
        let with = |verdict| self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
        let (tests, failures) = (self.outcomes.len() + usize::from(self.broken.is_some()), with(Verdict::False));
        let errors = with(Verdict::Unknown) + usize::from(self.broken.is_some());
        let (name, seconds) = (Escaped(self.config.workload.name()), self.seconds);
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\"");
        let mut cases = String::new();
        for outcome in self.outcomes {
            let element = match outcome.verdict {
                Verdict::True => None,
                Verdict::Unknown => Some("error"),
                Verdict::False => Some("failure"),
            };
            let text = format!("{}\nLook at {}.", outcome.why, outcome.look_at.join(", "));
            let element = element.map(|element| (element, &*outcome.why, &*text));
            case(&mut cases, &name, outcome.check.name(), element);
        }
        if let Some(why) = self.broken {
            case(&mut cases, &name, "run", Some(("error", why, why)));
        }
        if !self.output.is_empty() {
            let text = self.output.join("\n");
            writeln!(cases, "<system-out>{}</system-out>", Escaped(&text)).expect("a string takes everything");
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n\
             <testsuite name=\"gloomers.{name}\" {counts}>\n\
             <properties><property name=\"seed\" value=\"{}\"/></properties>\n{cases}</testsuite>\n</testsuites>\n",
            self.config.seed
        )
    }
}

fn case(cases: &mut String, class: &Escaped<'_>, check: &str, outcome: Option<(&str, &str, &str)>) {
    let check = Escaped(check);
    write!(cases, "<testcase classname=\"gloomers.{class}\" name=\"{check}\"").expect("a string takes everything");
    match outcome {
        None => cases.push_str("/>\n"),
        Some((element, message, text)) => {
            let (message, text) = (Escaped(message), Escaped(text));
            writeln!(cases, "><{element} message=\"{message}\">{text}</{element}></testcase>")
                .expect("a string takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::report::results::Check;
    use crate::workbench::workload::WorkloadKind;

    fn outcome(check: Check, verdict: Verdict, why: &str) -> CheckOutcome {
        CheckOutcome { check, verdict, why: why.into(), look_at: vec!["report.html".into()] }
    }

    #[test]
    fn each_check_is_a_test_case_with_the_reason_of_its_failure() {
        let outcomes = [
            outcome(Check::Stats, Verdict::True, ""),
            outcome(Check::Workload, Verdict::False, "lost: \"<a>\" & 'b'\u{1b}"),
            outcome(Check::Net, Verdict::Unknown, "no order"),
        ];
        let config = &TestConfig { workload: WorkloadKind::GSet, seed: 7, ..TestConfig::default() };
        let output = &["5 × <x>".to_owned()];
        let suite = Suite { config, seconds: 1.5, outcomes: &outcomes, broken: None, output };
        let expected = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites tests=\"3\" failures=\"1\" errors=\"1\" time=\"1.500\">
<testsuite name=\"gloomers.g-set\" tests=\"3\" failures=\"1\" errors=\"1\" time=\"1.500\">
<properties><property name=\"seed\" value=\"7\"/></properties>
<testcase classname=\"gloomers.g-set\" name=\"stats\"/>
<testcase classname=\"gloomers.g-set\" name=\"workload\">\
<failure message=\"lost: &quot;&lt;a&gt;&quot; &amp; &#39;b&#39;\u{fffd}\">\
lost: &quot;&lt;a&gt;&quot; &amp; &#39;b&#39;\u{fffd}&#10;Look at report.html.</failure></testcase>
<testcase classname=\"gloomers.g-set\" name=\"net\">\
<error message=\"no order\">no order&#10;Look at report.html.</error></testcase>
<system-out>5 × &lt;x&gt;</system-out>
</testsuite>
</testsuites>
";
        assert_eq!(suite.text(), expected);
    }

    #[test]
    fn a_run_without_a_verdict_is_an_error() {
        let config = &TestConfig::default();
        let text = Suite { config, seconds: 0.0, outcomes: &[], broken: Some("n1 crashed"), output: &[] }.text();
        assert!(text.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{text}");
        assert!(text.contains("name=\"run\"><error message=\"n1 crashed\">"), "{text}");
    }
}
