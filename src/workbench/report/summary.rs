//! What a person wants to know about a run, before the whole map of results.

use std::fmt::Write;
use std::path::PathBuf;

use crate::workbench::check::Verdict;
use crate::workbench::edn::Value;
use crate::workbench::network::{Muted, Unread};
use crate::workbench::report::challenges::Challenge;
use crate::workbench::report::metrics::{Metrics, stable_latencies};
use crate::workbench::report::violations::{Finding, difference, findings};
use crate::workbench::test::{OperationErrors, Outdated, Throughput};

/// What the results do not tell about a run.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its workload, as in `-w`.
    pub workload: String,
    /// How many nodes it had.
    pub node_count: usize,
    /// The mean latency between nodes.
    pub latency_ms: u64,
    /// Operations a second.
    pub rate: f64,
    /// What the main phase did; nothing, if only its history is known.
    pub throughput: Option<Throughput>,
    /// What people must know of results that end before the test did.
    pub cut_short: Option<String>,
    /// Nodes whose output was ignored from some line on.
    pub muted: Vec<Muted>,
    /// What else people have to know, a line each.
    pub remarks: Vec<String>,
    /// Nodes that printed more after a message, which nobody read.
    pub unread: Vec<Unread>,
    /// Why operations did not end well.
    pub errors: OperationErrors,
    /// Nodes that last read an old state of seq-kv.
    pub outdated: Vec<Outdated>,
    /// Whether such a node makes the test a failure.
    pub strict: bool,
    /// Where its files are.
    pub folder: PathBuf,
    /// What is missing there, and why.
    pub missing: Vec<String>,
}

/// A longer list in the results is abridged on the page, to so many values.
const MAX_LISTED: usize = 16;
const LISTED: usize = 8;

/// Where the values of the summary begin.
const LABEL_WIDTH: usize = 16;

/// A few aligned lines, each with its newline; in colours if asked.
#[must_use]
pub fn summary(results: &Value, facts: &Facts, colours: bool) -> String {
    let mut page = Page { text: String::new(), colours };
    if let Some(cut_short) = &facts.cut_short {
        let alarm = page.paint(Colour::Alarm, "!!! CUT SHORT");
        writeln!(page.text, "{alarm}: {cut_short}\n").expect("a string takes everything");
    }
    for muted in &facts.muted {
        page.muted(muted);
    }
    let mut blamed = findings(results, facts);
    blamed.retain(|finding| finding.verdict != Verdict::True);
    let ours = |finding: &Finding| matches!(&*finding.check, "converged" | "gloomers" | "muted" | "unread");
    let (strict, blamed): (Vec<_>, Vec<_>) = blamed.into_iter().partition(ours);
    page.verdict(results, &blamed);
    for finding in &strict {
        let failed = page.paint(Colour::Red, "failed");
        let why = match &*finding.check {
            "muted" => "a node was muted",
            "unread" => "a node printed more after a message",
            _ => &finding.why,
        };
        page.line("--strict", &format!("{failed}: {why}"));
    }
    if let Some(throughput) = &facts.throughput {
        page.main_phase(throughput);
    }
    page.operations(results);
    for error in facts.errors.iter() {
        page.line("", &error.to_string());
    }
    for unread in &facts.unread {
        page.line("unread output", &unread.in_words());
    }
    let figures = Metrics::of(results);
    page.latency(results);
    if let Some(msgs_per_op) = figures.msgs_per_op {
        page.line("server messages", &format!("{msgs_per_op} per operation"));
    }
    if facts.is_efficiency_run() {
        for challenge in Challenge::efficiency() {
            page.challenge(challenge, &figures);
        }
    }
    page.convergence(results);
    page.delivery_error(results);
    for remark in &facts.remarks {
        page.line("note", remark);
    }
    page.line("results", &facts.folder.display().to_string());
    for why in &facts.missing {
        let why = page.paint(Colour::Red, why);
        page.line("missing", &why);
    }
    let mut look_at: Vec<String> = Vec::new();
    for file in blamed.into_iter().chain(strict).flat_map(|finding| finding.look_at) {
        if !look_at.contains(&file) {
            look_at.push(file);
        }
    }
    // A history that is judged where it lies may lie alone.
    if facts.node_count > 0 && !look_at.is_empty() {
        page.line("look at", &look_at.join(", "));
    }
    page.text
}

/// The last line of a run, on which scripts rely (protocol §14.4).
#[must_use]
pub const fn closing_line(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::True => "Everything looks good! ヽ(‘ー`)ノ",
        Verdict::Unknown => "Errors occurred during analysis, but no anomalies found. ಠ~ಠ",
        Verdict::False => "Analysis invalid! (ﾉಥ益ಥ）ﾉ ┻━┻",
    }
}

impl Facts {
    /// Whether it ran under the conditions of challenges 3d and 3e.
    #[must_use]
    pub fn is_efficiency_run(&self) -> bool {
        let at_rate = (self.rate - 100.0).abs() < f64::EPSILON;
        self.workload == "broadcast" && self.node_count == 25 && self.latency_ms == 100 && at_rate
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Green,
    Yellow,
    Red,
    Alarm,
}

struct Page {
    text: String,
    colours: bool,
}

impl Page {
    fn line(&mut self, label: &str, value: &str) {
        writeln!(self.text, "{label:<LABEL_WIDTH$}{value}").expect("a string takes everything");
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Alarm => "1;97;41",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn muted(&mut self, muted: &Muted) {
        let alarm = self.paint(Colour::Alarm, &format!("!!! NODE {} WAS MUTED", muted.node));
        self.text.push_str(&alarm);
        writeln!(
            self.text,
            ": it printed {}:\n    {}\nNothing that it printed afterwards was read.\n",
            muted.reason, muted.line
        )
        .expect("a string takes everything");
    }

    fn verdict(&mut self, results: &Value, blamed: &[Finding]) {
        let verdict = Verdict::of(results);
        let colour = match verdict {
            Verdict::True => Colour::Green,
            Verdict::Unknown => Colour::Yellow,
            Verdict::False => Colour::Red,
        };
        let mut text = self.paint(colour, verdict.word());
        if !blamed.is_empty() {
            let checks: Vec<_> = blamed.iter().map(|finding| &*finding.check).collect();
            text = format!("{text}, because of {}", checks.join(", "));
        }
        self.line("verdict", &text);
        for Finding { check, why, .. } in blamed.iter().filter(|finding| !finding.why.is_empty()) {
            self.line("", &format!("{check}: {why}"));
        }
    }

    fn main_phase(&mut self, throughput: &Throughput) {
        let mut text = throughput.in_words();
        if let Some(why) = throughput.shortfall() {
            let alarm = self.paint(Colour::Alarm, "!!! SHORTER THAN ASKED FOR");
            text = format!("{text} {alarm}: {why}");
        }
        self.line("main phase", &text);
    }

    fn operations(&mut self, results: &Value) {
        let Some(stats) = results.get("stats") else { return };
        let count = |key: &str| stats.get(key).and_then(Value::as_int).unwrap_or_default();
        let text = format!("{} ok, {} fail, {} info", count("ok-count"), count("fail-count"), count("info-count"));
        self.line("operations", &text);
    }

    fn latency(&mut self, results: &Value) {
        let latencies = stable_latencies(results).and_then(Value::entries).unwrap_or_default();
        let shown = latencies.iter().filter(|(quantile, _)| *quantile != Value::Int(0));
        let shown: Vec<_> = shown.map(|(quantile, ms)| format!("{quantile}: {ms}")).collect();
        if !shown.is_empty() {
            self.line("stable latency", &format!("{} ms", shown.join(", ")));
        }
    }

    /// Whether all nodes answered alike when all was over.
    fn convergence(&mut self, results: &Value) {
        let ours = |key| results.get("gloomers").and_then(|ours| ours.get(key));
        let text = match (ours("converged"), ours("difference")) {
            (Some(Value::Bool(true)), _) => "equal".to_owned(),
            (_, Some(first)) => format!("{}, first: {}", self.paint(Colour::Red, "different"), difference(first)),
            _ => return,
        };
        self.line("replicas", &text);
    }

    /// How late the workbench was: the machine's doing, not the nodes'.
    fn delivery_error(&mut self, results: &Value) {
        let error = results.get("gloomers").and_then(|ours| ours.get("delivery-error"));
        let ms = |key: &str| error.and_then(|error| error.get(key)?.as_float());
        if let (Some(mean), Some(p99), Some(max)) = (ms("mean"), ms("p99"), ms("max"))
            && max > 0.0
        {
            self.line("delivery error", &format!("{mean} ms mean, {p99} ms p99, {max} ms max"));
        }
    }

    fn challenge(&mut self, challenge: &Challenge, figures: &Metrics) {
        let parts = figures.against(&challenge.limits).map(|(measured, limit, unit)| match measured {
            Some(measured) if measured < limit => format!("{measured} < {limit}{unit}"),
            Some(measured) => self.paint(Colour::Red, &format!("{measured} ≥ {limit}{unit}")),
            None => self.paint(Colour::Red, &format!("? < {limit}{unit}")),
        });
        let parts: Vec<_> = parts.collect();
        let met = figures.meet(&challenge.limits);
        let outcome = if met { self.paint(Colour::Green, "met") } else { self.paint(Colour::Red, "not met") };
        self.line(&format!("challenge {}", challenge.name), &format!("{outcome}: {}", parts.join(", ")));
    }
}

/// The results for the page: of a long list of plain values only the beginning. The file has them all.
#[must_use]
pub fn abridged(results: &Value) -> Value {
    if let Value::Map(entries) = results {
        return Value::Map(entries.iter().map(|(key, value)| (key.clone(), abridged(value))).collect());
    }
    if let Value::List(values) = results
        && values.len() > MAX_LISTED
    {
        let left_out = format!("...and-{}-more", values.len() - LISTED);
        let shown = values.iter().take(LISTED).cloned();
        return Value::List(shown.chain([Value::Symbol(left_out.into())]).collect());
    }
    results.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::workbench::edn::read;
    use crate::workbench::network::BadLine;
    use crate::workbench::quote::quote;

    fn results() -> Value {
        read(
            "{:stats {:valid? true, :count 1981, :ok-count 1979, :fail-count 0, :info-count 2},
              :net {:servers {:msg-count 2254, :msgs-per-op 1.138}, :valid? true},
              :workload {:valid? true, :stable-latencies {0 0, 0.5 232, 0.95 429, 0.99 447, 1 459}},
              :valid? true}",
        )
        .expect("valid EDN")
    }

    fn facts() -> Facts {
        Facts {
            workload: "broadcast".into(),
            node_count: 25,
            latency_ms: 100,
            rate: 100.0,
            folder: "store/here".into(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_run_of_challenge_3d_is_held_against_its_limits() {
        let expected = "\
verdict         valid
operations      1979 ok, 0 fail, 2 info
stable latency  0.5: 232, 0.95: 429, 0.99: 447, 1: 459 ms
server messages 1.138 per operation
challenge 3d    met: 1.138 < 30 msgs/op, 232 < 400 ms median, 459 < 600 ms max
challenge 3e    met: 1.138 < 20 msgs/op, 232 < 1000 ms median, 459 < 2000 ms max
results         store/here
";
        assert_eq!(summary(&results(), &facts(), false), expected);
    }

    #[test]
    fn a_main_phase_that_did_too_little_says_so_loudly() {
        let phase = |begun| {
            let limit = Duration::from_secs(20);
            let throughput = Throughput { asked: 2000.0, begun, lasted: limit, limit, ..Throughput::default() };
            let facts = Facts { throughput: Some(throughput), ..facts() };
            let text = summary(&results(), &facts, false);
            text.lines().find(|line| line.starts_with("main phase")).expect("a line").to_owned()
        };
        assert_eq!(phase(1969), "main phase      1969 of about 2000 operations in 20.0 s");
        let short = phase(12);
        assert!(short.starts_with("main phase      12 of about 2000 operations in 20.0 s !!! SHORTER"), "{short}");
    }

    #[test]
    fn a_limit_that_is_reached_is_not_met() {
        let slow = results().to_string().replace("459", "600");
        let text = summary(&read(&slow).expect("valid EDN"), &facts(), false);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("challenge")).collect();
        assert_eq!(lines[0], "challenge 3d    not met: 1.138 < 30 msgs/op, 232 < 400 ms median, 600 ≥ 600 ms max");
        assert!(lines[1].contains(" met:") && !lines[1].contains("not met"), "{}", lines[1]);
    }

    #[test]
    fn other_conditions_are_no_challenge() {
        for facts in [
            Facts { node_count: 5, ..facts() },
            Facts { rate: 10.0, ..facts() },
            Facts { latency_ms: 0, ..facts() },
            Facts { workload: "g-set".into(), ..facts() },
        ] {
            assert!(!summary(&results(), &facts, false).contains("challenge"), "{facts:?}");
        }
    }

    #[test]
    fn a_muted_node_is_announced_first_with_the_line_that_muted_it() {
        let line = quote("hello\x1b \"x\"");
        let muted = Muted { node: "n1".into(), line, reason: BadLine::Empty, late_reply: false };
        let text = summary(&results(), &Facts { muted: vec![muted], ..facts() }, false);
        let expected = concat!(
            "!!! NODE n1 WAS MUTED: it printed an empty line on stdout; ",
            "write exactly one line end after each message:\n    hello\\u{1b} \"x\"\n"
        );
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn a_verdict_names_the_parts_to_blame_and_why() {
        let text = "{:stats {:valid? false}, :workload {:valid? :unknown, :error \"no order\"}, :valid? false}";
        let text = summary(&read(text).expect("valid EDN"), &facts(), false);
        assert!(text.starts_with("verdict         invalid, because of stats, workload\n"), "{text}");
        assert!(text.contains("                workload: no order\n"), "{text}");
        assert!(text.ends_with("\nlook at         history.txt, report.html, node-logs, results.edn\n"), "{text}");
    }

    #[test]
    fn a_long_list_is_abridged_for_the_page() {
        let list = |count: i64| Value::record([("lost", Value::List((0..count).map(Value::Int).collect()))]);
        assert_eq!(abridged(&list(16)), list(16));
        assert_eq!(abridged(&list(17)).to_string(), "{:lost (0 1 2 3 4 5 6 7 ...and-9-more)}");
    }

    #[test]
    fn colours_appear_only_if_asked() {
        assert!(!summary(&results(), &facts(), false).contains('\x1b'));
        assert!(summary(&results(), &facts(), true).contains("\x1b[32mvalid\x1b[0m"));
    }

    #[test]
    fn scripts_find_the_line_they_look_for() {
        assert!(closing_line(Verdict::True).starts_with("Everything looks good!"));
        assert!(closing_line(Verdict::False).starts_with("Analysis invalid!"));
    }
}
