//! Whatever arrives, a node goes on: it never panics, never stops, and never prints a line that would mute it.
//!
//! Every test ends with a good request and its answer.

mod host;
mod protocol;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, UniqueIds};
use host::{Host, init, line};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use protocol::{Participants, Spoken, answers, messages};
use serde_json::Value;

/// Lines that no node can make sense of, and some that it can but should not like.
fn corpus() -> Vec<Vec<u8>> {
    let text = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut corpus = text(&[
        "",
        " ",
        "\r",
        "\t\t",
        "\0",
        "\u{feff}{}",
        "nonsense",
        "tru",
        "nul",
        "'",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        "{{",
        "]]",
        "null",
        "true",
        "0",
        "-",
        "-0",
        "1e",
        "1e999",
        "\"text\"",
        "[]",
        "{}",
        "[{}]",
        "{}{}",
        "{} x",
        "{,}",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"src\":\"c1\"",
        "{\"src\":\"c1\",\"dest\":\"n0\"}",
        "{\"dest\":\"n0\",\"body\":{}}",
        "{\"src\":\"c1\",\"body\":{}}",
        "{\"src\":7,\"dest\":\"n0\",\"body\":{}}",
        "{\"src\":\"c1\",\"dest\":[],\"body\":{}}",
        "{\"src\":null,\"dest\":null,\"body\":null}",
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":\"text\"}",
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":[1,2]}",
        "{\"src\":\"c1\",\"dest\":\"n0\",\"body\":null}",
        "{\"src\":\"c1\",\"src\":4,\"dest\":\"n0\",\"body\":{\"type\":\"read\",\"msg_id\":1}}",
    ]);
    for body in [
        "{}",
        r#"{"type":null,"msg_id":1}"#,
        r#"{"type":{},"msg_id":1}"#,
        r#"{"type":"","msg_id":1}"#,
        r#"{"type":"\u0000\ud83d\ude00\n","msg_id":1}"#,
        r#"{"type":"echo","msg_id":"1","echo":1}"#,
        r#"{"type":"echo","msg_id":1}"#,
        r#"{"type":"generate","msg_id":9223372036854775807}"#,
        r#"{"type":"broadcast","msg_id":-9223372036854775808}"#,
        r#"{"type":"broadcast","msg_id":1e3,"message":1}"#,
        r#"{"type":"read","msg_id":18446744073709551615}"#,
        r#"{"type":"read","msg_id":1,"in_reply_to":1}"#,
        r#"{"type":"read","in_reply_to":"1","msg_id":1}"#,
        r#"{"type":"init","msg_id":1}"#,
        r#"{"type":"init","node_id":"n2","node_ids":["n2"],"msg_id":1}"#,
        r#"{"type":"error","msg_id":1}"#,
        r#"{"type":"error","code":"x","text":[],"in_reply_to":7}"#,
        r#"{"type":"topology","topology":7,"msg_id":1}"#,
        r#"{"type":"echo","msg_id":1,"echo":123456789012345678901234567890}"#,
        r#"{"type":"echo","msg_id":1,"echo":-9223372036854775809}"#,
        r#"{"type":"echo","msg_id":1,"echo":1e400}"#,
        r#"{"type":"echo","msg_id":1,"echo":"\ud800"}"#,
        r#"{"type":"echo","msg_id":1,"echo":"\udc00\ud800 x"}"#,
        r#"{"type":"echo","msg_id":1,"echo":"\u12"}"#,
        r#"{"type":"echo","msg_id":1,"echo":"\x"}"#,
        r#"{"type":"broadcast","msg_id":1,"message":"\u2028\r\u007f"}"#,
        "{\"type\":\"echo\",\"msg_id\":1,\"echo\":\"\u{1}\r\t\"}",
        r#"{"type":"broadcast","msg_id":2,"message":{"a":1,"a":2}}"#,
        r#"{"type":"broadcast","msg_id":3,"message":-0.0}"#,
        r#"{"type":"broadcast","msg_id":4,"message":5e-324}"#,
        r#"{"type":"broadcast","msg_id":5,"message":1.7976931348623157e308}"#,
        r#"{"type":"gossip","msg_id":1}"#,
        r#"{"type":"gossip","at":0,"age":0}"#,
        r#"{"type":"gossip","at":5,"age":9}"#,
        r#"{"type":"gossip","at":18446744073709551615,"age":0,"msg_id":1}"#,
    ] {
        for src in ["c1", "n1", "n2", "n0", "lin-kv"] {
            corpus.push(line(src, "n0", body).into_bytes());
        }
    }
    for id in [
        "c".repeat(31),
        "c".repeat(4000),
        "c\\n\\n".repeat(6),
        "c\\\"".into(),
        "c\\u0000".into(),
        "\\ud83d\\ude00".into(),
    ] {
        corpus.push(line(&id, "n0", r#"{"type":"read","msg_id":1}"#).into_bytes());
    }
    for depth in [100, 127, 128, 129, 5000, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        corpus.push(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":{nested}}}"#)).into_bytes());
        corpus.push(line("c1", "n0", &format!(r#"{{"type":"broadcast","msg_id":1,"message":{nested}}}"#)).into_bytes());
        corpus.push("{\"a\":".repeat(depth).into_bytes());
    }
    for broken in [b"\xff\xfe".as_slice(), b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"a\0b"] {
        for (before, after) in
            [("{\"type\":\"echo\",\"msg_id\":1,\"echo\":\"", "\"}"), ("{\"type\":\"", "\",\"msg_id\":1}")]
        {
            let body = [before.as_bytes(), broken, after.as_bytes()].concat();
            corpus.push([b"{\"src\":\"c1\",\"dest\":\"n0\",\"body\":", body.as_slice(), b"}"].concat());
        }
        corpus.push(
            [b"{\"src\":\"c".as_slice(), broken, b"\",\"dest\":\"n0\",\"body\":{\"type\":\"read\",\"msg_id\":1}}"]
                .concat(),
        );
        corpus.push(broken.to_vec());
    }
    let whole = line("c1", "n0", r#"{"type":"broadcast","msg_id":1,"message":{"k":[1,"\u00e9\n",2.5e3]}}"#);
    corpus.extend((0..whole.len()).map(|end| whole.as_bytes()[..end].to_vec()));
    corpus.extend((1..whole.len()).map(|start| whole.as_bytes()[start..].to_vec()));
    corpus
}

/// Nothing but `n0` speaks, and only to those who are there.
fn assert_addressed(said: &[Spoken]) {
    let mut participants = Participants::new(["n0", "n1", "n2"]);
    for message in said {
        // Clients are whoever asked.
        if message.integer("in_reply_to").is_some() {
            participants.add(&message.dest);
        }
    }
    participants.assert_know("n0", said);
}

/// A node, and a request that it must answer whatever came before.
struct Victim<N: Node> {
    host: Host<N>,
    good: &'static str,
    asked: i64,
}

impl<N: Node> Victim<N>
where
    N::Options: Default,
{
    fn new(good: &'static str) -> Self {
        Self { host: Host::started(), good, asked: 0 }
    }

    fn endure(&mut self, lines: &[u8]) -> Vec<Spoken> {
        let mut said = self.host.tell_bytes(lines);
        said.extend(self.host.pass(Duration::from_millis(3)));
        assert_addressed(&said);
        said
    }

    /// # Panics
    /// The node is no longer itself.
    fn assert_well(&mut self) {
        self.asked += 1;
        let body = format!(r#"{{"msg_id":{},{}}}"#, self.asked, self.good);
        let request: Value = serde_json::from_str(&body).expect("a good request");
        let said = self.host.tell(&line("c99", "n0", &body));
        assert!(said.len() == 1 && said[0].dest == "c99" && answers(&request, &said[0]), "{said:?}");
    }
}

/// A victim of each kind.
fn victims() -> (Victim<Echo>, Victim<UniqueIds>, Victim<Broadcast>) {
    (
        Victim::new(r#""type":"echo","echo":{"a":[1,"b"]}"#),
        Victim::new(r#""type":"generate""#),
        Victim::new(r#""type":"read""#),
    )
}

/// Every node endures all of it, and is well after each part.
fn endure(parts: &[Vec<u8>]) {
    let (mut echo, mut ids, mut broadcast) = victims();
    for part in parts {
        echo.endure(part);
        echo.assert_well();
        ids.endure(part);
        ids.assert_well();
        broadcast.endure(part);
        broadcast.assert_well();
    }
    broadcast.host.pass(Duration::from_secs(60));
    broadcast.assert_well();
}

#[test]
fn a_node_endures_every_bad_line_it_could_be_told() {
    endure(&corpus());
}

#[test]
fn a_node_endures_bad_lines_with_either_line_ending() {
    let ended: Vec<_> = corpus().into_iter().map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
    endure(&ended);
    endure(&[ended.concat()]);
}

#[test]
fn a_node_endures_bad_lines_before_init() {
    for bad in corpus() {
        let mut host = Host::<Broadcast>::new();
        let said = host.tell_bytes(&bad);
        assert!(said.iter().all(|reply| ["init_ok", "error"].contains(&reply.kind())), "{said:?}");
        host.tell(&init("c0", "n0", &["n0", "n1", "n2"]));
        let said = host.tell(&line("c99", "n0", r#"{"type":"read","msg_id":1}"#));
        assert_eq!((said.len(), said[0].kind()), (1, "read_ok"));
    }
}

#[test]
fn giant_strings_come_back_whole() {
    let (mut echo, _, mut broadcast) = victims();
    for filler in ["x", "\\n", "\u{e9}", "\\u00e9"] {
        let giant = filler.repeat(10_000_000 / filler.len());
        let said =
            echo.endure(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":"{giant}"}}"#)).as_bytes());
        let meant: String = serde_json::from_str(&format!("\"{giant}\"")).expect("a string");
        assert_eq!(said[0].body["echo"].as_str().map(str::len), Some(meant.len()));
        assert!(said[0].body["echo"] == *meant);
        echo.assert_well();
        broadcast.endure(line("c1", "n0", &format!(r#"{{"type":"{giant}","msg_id":1}}"#)).as_bytes());
        broadcast.endure(line(&giant, "n0", r#"{"type":"read","msg_id":1}"#).as_bytes());
        broadcast.assert_well();
    }
}

#[test]
fn values_come_back_as_they_were() {
    let (mut echo, ..) = victims();
    for value in [
        "-0.0",
        "5e-324",
        "1.7976931348623157e308",
        "-9223372036854775808",
        "18446744073709551615",
        r#""\u0000\u001f\"\\/""#,
    ] {
        let said = echo.endure(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":{value}}}"#)).as_bytes());
        let number = |value: &Value| value.to_string().parse::<f64>().ok();
        let meant: Value = serde_json::from_str(value).expect("a value");
        let echoed = &said[0].body["echo"];
        assert!(
            *echoed == meant || number(echoed).is_some_and(|echoed| Some(echoed) == number(&meant)),
            "{value}: {echoed}"
        );
    }
}

/// JSON of any kind, as text.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (0..5_u64).prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z]{0,3}", inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

/// Times as they could be, or not at all.
fn number() -> impl Strategy<Value = String> {
    let edges = [0, 1, 2, 3, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
    prop_oneof![
        3 => prop::sample::select(edges.to_vec()).prop_map(|number| number.to_string()),
        3 => (0..3_000_000_u64).prop_map(|age| (1_763_838_000_000_000 + age).to_string()),
        3 => (0..20_u64).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => json(),
    ]
}

/// What a replica could say if it had lost its mind.
fn gossip() -> impl Strategy<Value = String> {
    let numbers = || prop::collection::vec(number(), 0..8).prop_map(|items| format!("[{}]", items.join(",")));
    let runs =
        prop::collection::vec(prop_oneof![numbers(), json()], 0..4).prop_map(|runs| format!("[{}]", runs.join(",")));
    let named = |name: &'static str, value: BoxedStrategy<String>| prop_oneof![4 => value.prop_map(move |value| format!(",\"{name}\":{value}")), 1 => Just(String::new())];
    (
        // Mostly one life, so that messages are heard.
        prop_oneof![3 => (0..9_000_000_u64).prop_map(|age| format!(",\"at\":{},\"age\":{age}", 1_763_838_000_000_500 + age)),
                    1 => (number(), number()).prop_map(|(at, age)| format!(",\"at\":{at},\"age\":{age}"))],
        named("follows", number().boxed()),
        named("echo", prop_oneof![(number(), number()).prop_map(|(stamp, hold)| format!("[{stamp},{hold}]")), json()].boxed()),
        named("next", number().boxed()),
        named("have", prop_oneof![4 => numbers(), 1 => json()].boxed()),
        named("ops", prop_oneof![4 => runs, 1 => json()].boxed()),
        prop::option::of(Just(",\"full\":true")),
        prop::option::of(Just(",\"answer\":true")),
    )
        .prop_map(|(life, follows, echo, next, have, ops, full, answer)| {
            let flags = format!("{}{}", full.unwrap_or_default(), answer.unwrap_or_default());
            format!("{{\"type\":\"gossip\"{life}{follows}{echo}{next}{have}{ops}{flags}}}")
        })
}

/// A message whose body has the keys that nodes know, with anything under them.
fn request() -> impl Strategy<Value = String> {
    let kinds = ["init", "echo", "generate", "broadcast", "read", "topology", "gossip", "error", "read_ok", "?"];
    let keys = ["msg_id", "in_reply_to", "echo", "message", "topology", "node_id", "node_ids", "code", "text", "type"];
    (prop::sample::select(kinds.to_vec()), prop::collection::vec((prop::sample::select(keys.to_vec()), json()), 0..5))
        .prop_map(|(kind, fields)| {
            let fields: String = fields.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
            format!("{{\"type\":\"{kind}\"{fields}}}")
        })
}

fn source() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["n0", "n1", "n1", "n2", "n2", "c7", "lin-kv", "n9"])
}

fn survive(lines: &[u8]) -> TestCaseResult {
    endure(&[lines.to_vec()]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_node_endures_any_bytes(lines in prop::collection::vec(any::<u8>(), 0..2000)) {
        survive(&lines)?;
    }

    #[test]
    fn a_node_endures_any_json(lines in prop::collection::vec(json(), 0..20)) {
        survive(lines.join("\n").as_bytes())?;
    }

    #[test]
    fn a_node_endures_any_request(lines in prop::collection::vec((source(), request()), 0..20)) {
        let lines: String = lines.iter().map(|(src, body)| line(src, "n0", body)).collect();
        survive(lines.as_bytes())?;
    }

    #[test]
    fn a_node_endures_a_message_with_bytes_changed(
        body in prop_oneof![request(), gossip()], changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut line = line("n1", "n0", &body).into_bytes();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        survive(&line)?;
    }

    #[test]
    fn a_replica_endures_nonsense_in_every_field(
        heard in prop::collection::vec((source(), gossip(), 0..700_u64, any::<bool>()), 1..40),
    ) {
        let mut node = Victim::<Broadcast>::new(r#""type":"read""#);
        for (number, (src, body, pause_ms, tells)) in heard.into_iter().enumerate() {
            node.endure(line(src, "n0", &body).as_bytes());
            if tells {
                node.endure(line("c3", "n0", &format!(r#"{{"type":"broadcast","message":{number},"msg_id":1}}"#)).as_bytes());
            }
            let said = node.host.pass(Duration::from_millis(pause_ms));
            assert_addressed(&said);
        }
        node.assert_well();
        node.host.pass(Duration::from_secs(20));
        node.assert_well();
    }
}

/// What a real node prints when it is told all of this at once, and how it ends.
fn output(program: &str, input: &[u8]) -> Vec<Spoken> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the node reads to the end"));
        child.wait_with_output().expect("a child")
    });
    assert!(output.status.success(), "{}", output.status);
    let said = messages(&output.stdout);
    assert_addressed(&said);
    said
}

#[test]
fn real_nodes_endure_the_whole_corpus_in_one_burst() {
    let garbage: Vec<u8> = corpus().into_iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    let start = init("c0", "n0", &["n0", "n1", "n2"]);
    for (program, body) in [
        (env!("CARGO_BIN_EXE_echo"), r#"{"type":"echo","msg_id":1,"echo":"still here"}"#),
        (env!("CARGO_BIN_EXE_unique-ids"), r#"{"type":"generate","msg_id":1}"#),
        (env!("CARGO_BIN_EXE_broadcast"), r#"{"type":"read","msg_id":1}"#),
    ] {
        // The last line has no end.
        let good = line("c99", "n0", body);
        let said = output(
            program,
            &[start.as_bytes(), &garbage, &start.as_bytes(), &garbage, good.trim_end().as_bytes()].concat(),
        );
        let request: Value = serde_json::from_str(body).expect("a good request");
        let answered: Vec<_> = said.iter().filter(|message| message.dest == "c99").collect();
        assert!(answered.len() == 1 && answers(&request, answered[0]), "{answered:?}");
    }
}

#[test]
fn a_real_node_endures_giant_lines_and_carriage_returns() {
    let giant = format!(r#"{{"type":"echo","msg_id":1,"echo":"{}"}}"#, "é".repeat(5_000_000));
    let text = init("c0", "n0", &["n0"])
        + &line("c1", "n0", &giant)
        + &"x".repeat(10_000_000)
        + "\n"
        + &line("c1", "n0", &giant);
    let text = text.replace('\n', "\r\n") + &line("c2", "n0", r#"{"type":"echo","msg_id":2,"echo":2}"#);
    let said = output(env!("CARGO_BIN_EXE_echo"), text.as_bytes());
    let sizes: Vec<_> =
        said.iter().map(|reply| reply.body.get("echo").map_or(0, |echo| echo.to_string().len())).collect();
    assert_eq!(sizes, [0, 10_000_002, 10_000_002, 1]);
}

#[test]
fn the_reader_of_these_tests_refuses_what_maelstrom_refuses() {
    for bad in [
        "",
        "x",
        "[]",
        "7",
        "{}",
        r#"{"src":"n0","body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":7,"body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":"c1","body":7}"#,
        r#"{"src":"n0","dest":"c1","extra":1,"body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x","type":"y"}}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x"}} {}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x","in_reply_to":1.0}}"#,
        "{\"src\":\"n0\",\"dest\":\"c1\",\"body\":{\"type\":\"\t\"}}",
    ] {
        assert!(protocol::message(bad).is_err(), "{bad}");
    }
    let good = protocol::message(r#"{"src":"n0","dest":"c1","body":{"type":"x","in_reply_to":1}}"#);
    assert_eq!(good.map(|message| message.integer("in_reply_to")), Ok(Some(1)));
}
