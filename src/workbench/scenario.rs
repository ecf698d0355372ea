//! Scenarios: what is done to a test at which time, as a file or as lines typed at the prompt.
//!
//! A file is TOML, a table for each step, in any order:
//!
//! ```toml
//! [[step]]
//! at = "1.2s"
//! do = "cut n0 n3 | n1 n2 n4"
//! ```

use serde::Deserialize;

use crate::time::Duration;
use crate::workbench::cluster::Skew;
use crate::workbench::edn::Value;
use crate::workbench::json;
use crate::workbench::nemesis::{Effect, Fault, Grudges, NemesisAction, Turn};

/// What can be done, a line each, for error messages and the help of the prompt.
pub const ACTIONS: &str = "\
cut A B | C       nodes on different sides do not hear each other; a node that is not named hears all
cut A > B C       messages from A to B and C are dropped, but not those back
heal              the network is whole again
kill A B          these nodes are killed
start             all killed nodes are started again
pause A B         these nodes are stopped
resume            all paused nodes go on
slow A 200ms      this node handles input and timers so much later (virtual time)
end-slow          no node is slow
skew A 1.05       this node's clock runs at this rate (virtual time)
end-skew          all clocks run at their true rate
send A {\"type\": ...}   a client of its own sends this request, and the reply is shown";

/// The greatest deviation of a clock's rate that a scenario may ask for.
const MAX_PPM: f64 = 500_000.0;

/// Something done to a test.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A fault begins or ends.
    Fault(NemesisAction),
    /// A client sends a request that is not in the history.
    Send {
        /// The node's index.
        node: usize,
        /// The text of a JSON object.
        body: String,
    },
}

/// An action and when it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioStep {
    /// In the time of the history.
    pub at: Duration,
    /// As it was written.
    pub text: String,
    /// What it means.
    pub action: Action,
}

/// The steps of a test, by time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenario(Vec<ScenarioStep>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    step: Vec<FileStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    at: String,
    #[serde(rename = "do")]
    action: String,
}

impl Scenario {
    /// Reads the text of a file, for a test with these nodes.
    ///
    /// # Errors
    /// What is wrong, with the step that is.
    pub fn parse(text: &str, nodes: &[String]) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let step = |(number, FileStep { at, action: text }): (usize, FileStep)| {
            let described = |why| format!("step {number}: {why}");
            let at = duration(&at).ok_or_else(|| described(not_a_duration(&at)))?;
            let action = Action::parse(&text, nodes).map_err(described)?;
            Ok(ScenarioStep { at, text, action })
        };
        let mut steps = (1..).zip(file.step).map(step).collect::<Result<Vec<_>, String>>()?;
        steps.sort_by_key(|step| step.at);
        Ok(Self(steps))
    }

    /// The text of a file that [`Scenario::parse`] reads.
    pub fn to_toml(&self) -> String {
        let step = |step: &ScenarioStep| {
            let text = match step.text.as_str() {
                // Within single quotes, nothing is escaped.
                text if text.contains('"') && !text.contains(|letter: char| letter == '\'' || letter.is_control()) => {
                    format!("'{text}'")
                }
                // A JSON string is also one of TOML, but for a character that no JSON writer leaves as it is.
                text => serde_json::Value::from(text).to_string(),
            };
            format!("[[step]]\nat = \"{}\"\ndo = {text}\n", in_words(step.at))
        };
        self.0.iter().map(step).collect::<Vec<_>>().join("\n")
    }

    /// The steps, by time.
    pub fn steps(&self) -> &[ScenarioStep] {
        &self.0
    }

    /// Adds a step after all others that are due by then.
    pub fn add(&mut self, step: ScenarioStep) {
        let place = self.0.partition_point(|other| other.at <= step.at);
        self.0.insert(place, step);
    }
}

impl Action {
    /// Reads a line, for a test with these nodes: see [`ACTIONS`].
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(line: &str, nodes: &[String]) -> Result<Self, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let some = || match named(rest, nodes) {
            Ok(named) if named.is_empty() => {
                Err(format!("{word} needs the names of nodes, such as {word} {}", nodes[0]))
            }
            named => named,
        };
        let begins = |fault, effect| NemesisAction { turn: Turn::Begins(fault), wanted: Value::Nil, effect };
        let ends = |fault: Fault| {
            if rest.is_empty() {
                Ok(fault.end())
            } else {
                Err(format!("{word} stands alone: it ends the fault everywhere"))
            }
        };
        let fault = match word {
            "cut" => {
                let (fault, grudges) = cut(rest, nodes)?;
                begins(fault, Effect::Cut(grudges))
            }
            "kill" => begins(Fault::Kill, Effect::Kill(some()?)),
            "pause" => begins(Fault::Pause, Effect::Pause(some()?)),
            "slow" => {
                let (node, lag) = node_and(rest, nodes, "slow", "200ms")?;
                begins(Fault::Slow, Effect::Slow(vec![(node, duration(lag).ok_or_else(|| not_a_duration(lag))?)]))
            }
            "skew" => {
                let (node, rate) = node_and(rest, nodes, "skew", "1.05")?;
                let skew = Skew { faster_ppm: deviation(rate)?, ahead: Duration::ZERO };
                begins(Fault::Skew, Effect::Skew(vec![(node, skew)]))
            }
            "heal" => ends(Fault::Partition)?,
            "start" => ends(Fault::Kill)?,
            "resume" => ends(Fault::Pause)?,
            "end-slow" => ends(Fault::Slow)?,
            "end-skew" => ends(Fault::Skew)?,
            "send" => {
                let (node, body) = node_and(rest, nodes, "send", "{\"type\": \"read\"}")?;
                return Ok(Self::Send { node, body: request(body)? });
            }
            _ => return Err(format!("unknown command {word:?}; what can be done:\n{ACTIONS}")),
        };
        Ok(Self::Fault(fault))
    }

    /// The fault that it begins or ends.
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Self::Fault(action) => Some(action.turn.fault()),
            Self::Send { .. } => None,
        }
    }
}

/// The indices of nodes, each once, in ascending order.
fn named(names: &str, nodes: &[String]) -> Result<Vec<usize>, String> {
    let index = |name: &str| {
        let place = nodes.iter().position(|node| node == name);
        place.ok_or_else(|| format!("there is no node {name:?}; there are {}", nodes.join(", ")))
    };
    let mut indices = names.split_whitespace().map(index).collect::<Result<Vec<_>, _>>()?;
    indices.sort_unstable();
    indices.dedup();
    Ok(indices)
}

/// A node, and the text after it.
fn node_and<'a>(rest: &'a str, nodes: &[String], word: &str, example: &str) -> Result<(usize, &'a str), String> {
    let usage = || format!("{word} needs a node and what it is told, such as {word} {} {example}", nodes[0]);
    let (name, what) = rest.split_once(char::is_whitespace).ok_or_else(usage)?;
    Ok((*named(name, nodes)?.first().ok_or_else(usage)?, what.trim()))
}

/// Who refuses whom: `n0 n3 | n1`, or one-way `n0 > n1 n2`.
fn cut(sides: &str, nodes: &[String]) -> Result<(Fault, Grudges), String> {
    let mut grudges: Grudges = vec![Vec::new(); nodes.len()];
    let (fault, mark) = if sides.contains('>') { (Fault::OneWay, '>') } else { (Fault::Partition, '|') };
    let groups = sides.split(mark).map(|side| named(side, nodes)).collect::<Result<Vec<_>, _>>()?;
    let is_right = groups.len() == 2 || fault == Fault::Partition && groups.len() > 2;
    if !is_right || groups.iter().any(Vec::is_empty) {
        return Err("cut needs nodes on both sides, such as cut n0 n3 | n1, or cut n0 > n1 for one direction".into());
    }
    if let Some(both) = (0..nodes.len()).find(|node| groups.iter().filter(|group| group.contains(node)).count() > 1) {
        return Err(format!("{} is on two sides of the cut", nodes[both]));
    }
    for (place, group) in groups.iter().enumerate() {
        let is_refused = |other: usize| if fault == Fault::OneWay { other < place } else { other != place };
        let others = groups.iter().enumerate().filter(|(other, _)| is_refused(*other));
        let refused: Vec<usize> = others.flat_map(|(_, other)| other.iter().copied()).collect();
        for &node in group {
            grudges[node].clone_from(&refused);
        }
    }
    Ok((fault, grudges))
}

/// The deviation of a rate in millionths.
#[expect(clippy::cast_possible_truncation, reason = "within half a million")]
fn deviation(rate: &str) -> Result<i32, String> {
    let ppm = rate.parse::<f64>().map_or(f64::NAN, |rate| (rate - 1.0) * 1e6);
    if ppm.abs() <= MAX_PPM { Ok(ppm.round() as i32) } else { Err(format!("{rate:?} is not a rate from 0.5 to 1.5")) }
}

/// A request as a client can send it.
fn request(body: &str) -> Result<String, String> {
    let (members, rest) =
        json::members_and_rest(body).map_err(|error| format!("{body} is not a JSON object: {error}"))?;
    if !rest.trim().is_empty() {
        return Err(format!("after the request there is more: {}", rest.trim()));
    }
    if !members.iter().any(|(key, _)| key == "type") {
        return Err(format!("{body} has no \"type\", by which a node knows what is asked"));
    }
    if members.iter().any(|(key, _)| key == "msg_id") {
        return Err("leave out \"msg_id\": the client that sends it counts its requests".into());
    }
    Ok(body[..body.len() - rest.len()].to_owned())
}

/// Reads `1.62s`, `100ms`, `250us` or a number of seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("", 1.0)];
    let (number, unit) = units.iter().find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?, size)))?;
    let number = number.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// The error for a text that [`duration`] does not read.
pub fn not_a_duration(text: &str) -> String {
    match text {
        "" => "a time is missing, such as 1.62s, 100ms or 250us".to_owned(),
        _ => format!("{text:?} is not a time: write 1.62s, 100ms or 250us"),
    }
}

/// A time as [`duration`] reads it, to the nanosecond.
pub fn in_words(at: Duration) -> String {
    let digits = format!("{}.{:09}", at.as_secs(), at.subsec_nanos());
    format!("{}s", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
