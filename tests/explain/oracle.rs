//! Checks each claim of an explanation against the stored history and the stored messages, in the plainest way: it
//! reads the files by itself, and knows by itself where values stand in bodies.

mod bodies;
mod edn;
mod remarks;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;

use ruzstd::decoding::StreamingDecoder;
use serde_json::Value;

use crate::run::Run;
use bodies::Wanted;
use remarks::{Context, fates};

/// A line of the history.
struct Op {
    index: u64,
    us: i64,
    kind: String,
    process: Option<u64>,
    f: String,
    value: String,
}

impl Op {
    fn json(&self) -> Value {
        edn::json(&self.value)
    }
}

/// The files of one run.
pub(crate) struct Oracle {
    workload: String,
    nodes: Vec<String>,
    muted: Vec<Value>,
    concurrency: u64,
    zero_ns: i64,
    messages: Vec<Value>,
    ops: Vec<Op>,
}

/// What follows `:key` on a line of EDN, up to the next key.
fn field(line: &str, key: &str) -> String {
    let start = line.find(&format!(":{key} ")).unwrap_or_else(|| panic!("no :{key} in {line}")) + key.len() + 2;
    let keys = ["index", "time", "type", "process", "f", "value", "error", "final?", "exception"];
    let ends = keys.iter().filter_map(|next| line[start..].find(&format!(", :{next} ")));
    let end = ends.min().unwrap_or(line.len() - start - 1);
    line[start..start + end].to_owned()
}

impl Oracle {
    pub(crate) fn of(run: &Run) -> Self {
        let file = File::open(run.file("messages.jsonl.zst")).expect("messages");
        let mut text = String::new();
        StreamingDecoder::new(file).expect("a frame").read_to_string(&mut text).expect("UTF-8");
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let head = lines.next().expect("a head");
        let mut lists: HashMap<String, Vec<Value>> = HashMap::new();
        let mut messages: Vec<Value> = lines.collect();
        for message in messages.iter_mut().filter(|message| message["list"].is_object()) {
            let src = message["src"].as_str().expect("a name").to_owned();
            let keep = usize::try_from(message["list"]["keep"].as_u64().unwrap_or(0)).expect("small");
            let list = lists.entry(src).or_default();
            list.truncate(keep);
            list.extend(message["list"]["new"].as_array().expect("a list").iter().cloned());
            message["body"]["list"] = Value::Array(list.clone());
        }
        let history = fs::read_to_string(run.file("history.edn")).expect("a history");
        let op = |line: &str| Op {
            index: field(line, "index").parse().expect("an index"),
            us: field(line, "time").parse::<i64>().expect("a time") / 1_000,
            kind: field(line, "type").trim_start_matches(':').to_owned(),
            process: field(line, "process").parse().ok(),
            f: field(line, "f").trim_start_matches(':').to_owned(),
            value: field(line, "value"),
        };
        Self {
            workload: head["workload"].as_str().expect("a name").to_owned(),
            muted: head["muted"].as_array().expect("a list").clone(),
            nodes: serde_json::from_value(head["nodes"].clone()).expect("nodes"),
            concurrency: head["concurrency"].as_u64().expect("a number"),
            zero_ns: head["zero_ns"].as_i64().expect("a number"),
            messages,
            ops: history.lines().map(op).collect(),
        }
    }

    fn us(&self, ns: &Value) -> i64 {
        (ns.as_i64().expect("a time") - self.zero_ns).div_euclid(1_000)
    }

    fn op(&self, step: &Value) -> &Op {
        let index = step["op"].as_u64().unwrap_or_else(|| panic!("no operation: {step}"));
        self.ops.iter().find(|op| op.index == index).unwrap_or_else(|| panic!("no such operation: {step}"))
    }

    fn node_of(&self, op: &Op) -> &str {
        let thread = usize::try_from(op.process.expect("a client") % self.concurrency).expect("small");
        &self.nodes[thread % self.nodes.len()]
    }

    fn message(&self, id: &Value) -> &Value {
        self.messages.iter().find(|message| message["id"] == *id).unwrap_or_else(|| panic!("no message {id}"))
    }

    fn deliveries(&self, message: &Value) -> impl Iterator<Item = i64> {
        fates(message).filter(|(_, fate)| *fate == "delivered").map(|(at, _)| self.us(at))
    }

    fn carries(&self, message: &Value, wanted: &Wanted) -> bool {
        bodies::carries(&self.workload, message, wanted)
    }

    /// Whether a name is that of a node or a service.
    fn is_server(&self, name: &Value) -> bool {
        let name = name.as_str().expect("a name");
        self.nodes.iter().any(|node| node == name) || !name.starts_with('c')
    }

    fn between_servers(&self) -> impl Iterator<Item = &Value> {
        self.messages.iter().filter(|message| self.is_server(&message["src"]) && self.is_server(&message["dest"]))
    }

    /// The operations of clients that ended, each with its beginning.
    fn pairs(&self) -> impl Iterator<Item = (&Op, &Op)> {
        let ended = self.ops.iter().enumerate().filter(|(_, op)| op.process.is_some() && op.kind != "invoke");
        ended.filter_map(|(place, end)| {
            let begin = self.ops[..place].iter().rfind(|op| op.process == end.process && op.kind == "invoke")?;
            Some((begin, end))
        })
    }

    /// Checks every step of an explanation; returns how many claims were checked.
    pub(crate) fn check(&self, explanation: &Value) -> usize {
        let value = explanation["value"].as_str().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        let key = explanation["key"].as_str().map(str::to_owned);
        let wanted = value.map(|value| Wanted { key, value });
        let steps = explanation["steps"].as_array().expect("steps");
        let context = |place| Context { wanted: wanted.as_ref(), steps, place };
        (0..steps.len()).filter(|place| self.holds(&steps[*place], &context(*place))).count()
    }

    /// Panics if the claim of a step is wrong; false if it claims nothing.
    fn holds(&self, step: &Value, context: &Context<'_>) -> bool {
        let at = step["time_us"].as_i64();
        let node = step["node"].as_str();
        let wanted = context.wanted;
        let carries = |message: &Value| wanted.is_none_or(|wanted| self.carries(message, wanted));
        let messages = || step["messages"].as_array().into_iter().flatten().map(|id| self.message(id));
        match step["claim"].as_str().expect("a claim") {
            "operation" => {
                let op = self.op(step);
                assert_eq!((Some(op.us), Some(self.node_of(op))), (at, node), "{step}");
                assert_eq!(op.kind, step["kind"].as_str().expect("a kind"), "{step}");
            }
            "has" | "lacks" => {
                let op = self.op(step);
                assert_eq!((Some(op.us), Some(self.node_of(op)), &*op.f), (at, node, "read"), "{step}");
                let value = wanted.expect("a value").value.to_string();
                let elements = op.value.trim_matches(['[', ']']).split(' ').any(|element| element == value);
                assert_eq!(elements, step["claim"] == "has", "{step}: {}", op.value);
            }
            "sent" => {
                let first = messages().map(|message| self.us(&message["sent"])).min();
                assert!(first.is_some(), "{step}");
                for message in messages() {
                    let ends = (message["dest"].as_str(), message["src"].as_str());
                    assert_eq!(ends.0, step["to"].as_str(), "{step}");
                    assert!(node.is_none() || ends.1 == node, "{step}");
                    assert!(carries(message), "{step}: {message}");
                    let fates = message["fates"].as_array().expect("fates");
                    match step["fate"].as_str().expect("a fate") {
                        "under-way" => assert!(fates.is_empty(), "{step}: {message}"),
                        fate => {
                            assert_eq!(fates[0][1], fate, "{step}: {message}");
                            if fate == "refused" {
                                self.assert_cut(message, self.us(&fates[0][0]));
                            }
                        }
                    }
                }
            }
            "had" => {
                for message in messages() {
                    assert!(node.is_none_or(|node| message["dest"] == *node) && carries(message), "{step}: {message}");
                    assert!(self.deliveries(message).any(|delivered| Some(delivered) == at), "{step}: {message}");
                }
            }
            "not-sent" => {
                let node = node.expect("a node");
                let later = self.between_servers().filter(|message| message["dest"] == *node);
                for message in later.filter(|message| carries(message)) {
                    assert!(Some(self.us(&message["sent"])) <= at, "{step}: {message}");
                    assert!(self.deliveries(message).all(|delivered| Some(delivered) <= at), "{step}: {message}");
                }
            }
            "outage" => {
                let (node, at) = (node.expect("a node"), at.expect("a time"));
                let named = format!("\"{node}\" :");
                let is_it = |op: &&Op| op.us == at && ["kill", "pause"].contains(&&*op.f) && op.value.contains(&named);
                assert!(self.ops.iter().any(|op| is_it(&op)), "{step}");
            }
            "remark" => return self.remark_holds(step, context),
            other => panic!("an unknown claim {other}"),
        }
        true
    }

    /// A partition that makes the receiver of a message refuse its sender was under way.
    fn assert_cut(&self, message: &Value, us: i64) {
        let (src, dest) = (message["src"].as_str().expect("a name"), message["dest"].as_str().expect("a name"));
        let mut nemesis = self.ops.iter().filter(|op| op.process.is_none() && op.us <= us);
        let mut begun = nemesis.clone().filter(|op| op.f.starts_with("start-") && op.value.starts_with("[:isolated"));
        let begun = begun.next_back().unwrap_or_else(|| panic!("no partition before {message}"));
        let refused = begun.value.split(&format!("\"{dest}\" #{{")).nth(1).and_then(|rest| rest.split('}').next());
        assert!(refused.is_some_and(|refused| refused.contains(&format!("\"{src}\""))), "{message}: {}", begun.value);
        let healed = nemesis.find(|op| op.value == ":network-healed" && op.index > begun.index);
        assert!(healed.is_none_or(|op| op.us == us), "{message}: healed before");
    }
}
