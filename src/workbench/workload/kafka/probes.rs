//! What a replica is asked of its logs when all is over.

use super::{is_log, is_offsets};
use crate::workbench::edn::Value;
use crate::workbench::workload::client::Request;
use crate::workbench::workload::convergence_probe::{ConvergenceProbe, items};
use crate::workbench::workload::field;

/// All messages of the log of a key, with their offsets: page by page, until one is empty.
#[derive(Debug)]
pub(super) struct Log(pub(super) Box<str>);

/// How far the log of a key has been read.
#[derive(Debug)]
pub(super) struct Committed(pub(super) Box<str>);

impl ConvergenceProbe for Log {
    fn key(&self) -> Value {
        Value::Str(self.0.clone())
    }

    fn request(&self, received: &[Value]) -> Request {
        let next = received.iter().filter_map(|pair| pair.items()?.next()?.as_int()).max();
        let next = next.map_or(0, |offset| offset.saturating_add(1));
        let body = format!("{{\"type\":\"poll\",\"offsets\":{{{}:{next}}}}}", quoted(&self.0));
        Request::new(body, "poll_ok", &[("msgs", is_log)])
    }

    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        let page = items(&under(&field(reply, "msgs"), &self.0));
        let more = !page.is_empty();
        received.extend(page);
        more
    }
}

impl ConvergenceProbe for Committed {
    fn key(&self) -> Value {
        Value::Str(self.0.clone())
    }

    fn request(&self, _: &[Value]) -> Request {
        let body = format!("{{\"type\":\"list_committed_offsets\",\"keys\":[{}]}}", quoted(&self.0));
        Request::new(body, "list_committed_offsets_ok", &[("offsets", is_offsets)])
    }

    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        received.push(under(&field(reply, "offsets"), &self.0));
        false
    }
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

/// What a map has under a key, or nil.
fn under(map: &Value, key: &str) -> Value {
    let entries = map.entries().unwrap_or_default().iter();
    entries.filter(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value.clone()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::json;

    fn reply(name: &str, text: &str) -> Vec<(Box<str>, Value)> {
        vec![(name.into(), json::value(text).expect("JSON"))]
    }

    #[test]
    fn a_log_is_read_to_its_end() {
        let log = Log("5".into());
        let mut received = Vec::new();
        assert_eq!(log.request(&received).body, r#"{"type":"poll","offsets":{"5":0}}"#);
        assert!(log.receive(reply("msgs", r#"{"5":[[0,7],[3,8]]}"#), &mut received));
        assert_eq!(log.request(&received).body, r#"{"type":"poll","offsets":{"5":4}}"#);
        assert!(!log.receive(reply("msgs", r#"{"5":[]}"#), &mut received));
        assert_eq!(received, [Value::ints(vec![0, 7]), Value::ints(vec![3, 8])]);
    }

    #[test]
    fn an_offset_is_a_single_value() {
        let mut received = Vec::new();
        assert!(!Committed("5".into()).receive(reply("offsets", r#"{"5":8}"#), &mut received));
        assert_eq!(received, [Value::Int(8)]);
    }
}
