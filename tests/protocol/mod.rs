//! A strict parser of what nodes print: one envelope per line without unknown keys, addressed to an existing
//! participant (protocol §1.4, §1.7), and for clients one reply of the exact schema per request (protocol §2.6).

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The services that Maelstrom always runs.
pub(crate) const SERVICES: [&str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];

/// A parsed message of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentMessage {
    pub(crate) src: String,
    pub(crate) dest: String,
    pub(crate) body: BTreeMap<String, Value>,
}

impl SentMessage {
    pub(crate) fn kind(&self) -> &str {
        self.body.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        self.body.get(key)?.as_i64()
    }

    pub(crate) fn code(&self) -> Option<i64> {
        (self.kind() == "error").then(|| self.integer("code"))?
    }
}

/// An object without repeated keys.
struct Object<T>(BTreeMap<String, T>);

impl<'a, T: Deserialize<'a>> Deserialize<'a> for Object<T> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<T>(std::marker::PhantomData<T>);
        impl<'a, T: Deserialize<'a>> Visitor<'a> for Keys<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Object<T>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if entries.insert(key.clone(), value).is_some() {
                        return Err(de::Error::custom(format_args!("the key {key:?} appears twice")));
                    }
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Keys(std::marker::PhantomData))
    }
}

/// Parses one line, without its newline.
pub(crate) fn message(line: &str) -> Result<SentMessage, String> {
    let Object(mut envelope) = serde_json::from_str::<Object<&RawValue>>(line).map_err(|why| why.to_string())?;
    let mut take = |key: &str| envelope.remove(key).ok_or_else(|| format!("no {key}"));
    let id = |value: &RawValue| serde_json::from_str::<String>(value.get()).map_err(|why| format!("an id: {why}"));
    let (src, dest) = (id(take("src")?)?, id(take("dest")?)?);
    let Object(body) = serde_json::from_str(take("body")?.get()).map_err(|why| format!("body: {why}"))?;
    if let Some(key) = envelope.keys().next() {
        return Err(format!("{key:?} does not belong into an envelope"));
    }
    for key in ["msg_id", "in_reply_to"] {
        if body.get(key).is_some_and(|number: &Value| number.as_i64().is_none()) {
            return Err(format!("{key} is not an integer"));
        }
    }
    if !body.get("type").is_some_and(Value::is_string) {
        return Err("the body has no type".into());
    }
    Ok(SentMessage { src, dest, body })
}

/// Parses the output of a node.
///
/// # Panics
/// Maelstrom would not accept a line.
pub(crate) fn messages(output: &[u8]) -> Vec<SentMessage> {
    let text = std::str::from_utf8(output).expect("output is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
    assert!(!text.contains('\r'), "a carriage return also ends a line");
    let read = |line| message(line).unwrap_or_else(|why| panic!("{why}: {:.400}", format!("{line:?}")));
    text.split_terminator('\n').map(read).collect()
}

/// The participants of the network.
#[derive(Debug, Default)]
pub(crate) struct Participants(BTreeSet<String>);

impl Participants {
    pub(crate) fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self(ids.into_iter().chain(SERVICES).map(str::to_owned).collect())
    }

    pub(crate) fn add(&mut self, id: &str) {
        self.0.insert(id.to_owned());
    }

    /// # Panics
    /// A message has another source than `me`, or an unknown destination.
    pub(crate) fn assert_know(&self, me: &str, messages: &[SentMessage]) {
        for message in messages {
            assert_eq!(message.src, me, "{message:?}");
            assert!(self.0.contains(&message.dest), "unknown destination {:?}: {message:?}", message.dest);
        }
    }
}

/// Whether `reply` answers `request`, with the right type and fields and no others.
pub(crate) fn answers(request: &Value, reply: &SentMessage) -> bool {
    let field = |key: &str| reply.body.get(key);
    let is_list = |key: &str| field(key).is_some_and(Value::is_array);
    let is_object = |key: &str| field(key).is_some_and(Value::is_object);
    // A `read` of broadcast returns `messages`, of other workloads a `value`.
    let read: &[&str] = if field("value").is_some() { &["value"] } else { &["messages"] };
    let (keys, fits): (&[&str], bool) = match request["type"].as_str().unwrap_or_default() {
        "init" => (&[], reply.kind() == "init_ok"),
        "echo" => (&["echo"], reply.kind() == "echo_ok" && field("echo") == Some(&request["echo"])),
        "generate" => (&["id"], reply.kind() == "generate_ok" && field("id").is_some_and(Value::is_string)),
        "topology" => (&[], reply.kind() == "topology_ok"),
        "broadcast" => (&[], reply.kind() == "broadcast_ok"),
        "add" => (&[], reply.kind() == "add_ok"),
        "read" if reply.code() == Some(20) => (&["code", "text"], true),
        "read" => (read, reply.kind() == "read_ok" && (read == ["value"] || is_list("messages"))),
        "write" => (&[], reply.kind() == "write_ok"),
        "cas" if [Some(20), Some(22)].contains(&reply.code()) => (&["code", "text"], true),
        "cas" => (&[], reply.kind() == "cas_ok"),
        "send" => (&["offset"], reply.kind() == "send_ok" && reply.integer("offset").is_some()),
        "poll" => (&["msgs"], reply.kind() == "poll_ok" && is_object("msgs")),
        "commit_offsets" => (&[], reply.kind() == "commit_offsets_ok"),
        "list_committed_offsets" => (&["offsets"], reply.kind() == "list_committed_offsets_ok" && is_object("offsets")),
        "txn" => (&["txn"], reply.kind() == "txn_ok" && is_list("txn")),
        _ => (&["code", "text"], reply.code() == Some(10)),
    };
    let is_known = |key: &String| keys.contains(&key.as_str()) || ["type", "in_reply_to", "msg_id"].contains(&&**key);
    fits && reply.body.keys().all(is_known) && reply.integer("in_reply_to") == request["msg_id"].as_i64()
}

/// Starts a node's program, with pipes as stdin and stdout.
///
/// # Panics
/// The program cannot be started.
pub(crate) fn spawn(program: &str) -> Child {
    Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs")
}

/// The output of a node's program for all of this input.
///
/// # Panics
/// The node does not read to the end, or fails.
pub(crate) fn output_of(program: &str, input: &[u8]) -> Vec<u8> {
    let mut child = spawn(program);
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the node reads to the end"));
        child.wait_with_output().expect("a child")
    });
    assert!(output.status.success(), "{}", output.status);
    output.stdout
}
