//! A corpus of invalid lines.

use crate::host::line;

/// Invalid lines, and some unusual valid ones.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = SCRAPS.iter().map(|line| line.as_bytes().to_vec()).collect();
    for (body, src) in BODIES.iter().flat_map(|body| ["c1", "n1", "n2", "n0", "lin-kv"].map(|src| (body, src))) {
        corpus.push(line(src, "n0", body).into_bytes());
    }
    corpus.extend(odd_ids());
    corpus.extend(deep());
    corpus.extend(broken_text());
    corpus.extend(torn());
    corpus
}

const SCRAPS: &[&str] = &[
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
];

const BODIES: &[&str] = &[
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
];

/// Ids that need escapes, or are too long.
fn odd_ids() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
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
    corpus
}

/// Values nested up to the bound, and beyond it.
fn deep() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for depth in [100, 127, 128, 129, 5000, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        corpus.push(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":{nested}}}"#)).into_bytes());
        corpus.push(line("c1", "n0", &format!(r#"{{"type":"broadcast","msg_id":1,"message":{nested}}}"#)).into_bytes());
        corpus.push("{\"a\":".repeat(depth).into_bytes());
    }
    corpus
}

/// Bytes that are not UTF-8, or not allowed in JSON, in every place for text.
fn broken_text() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
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
    corpus
}

/// Every prefix and suffix of a valid line.
fn torn() -> Vec<Vec<u8>> {
    let whole = line("c1", "n0", r#"{"type":"broadcast","msg_id":1,"message":{"k":[1,"\u00e9\n",2.5e3]}}"#);
    let whole = whole.as_bytes();
    let ends = (0..whole.len()).map(|end| whole[..end].to_vec());
    ends.chain((1..whole.len()).map(|start| whole[start..].to_vec())).collect()
}
