//! The values of a history as JSON: of EDN what histories use.

use serde_json::{Map, Value};

/// Reads a value; keywords become strings, and maps have strings for keys.
pub(super) fn json(text: &str) -> Value {
    let mut rest = text;
    read(&mut rest).unwrap_or_else(|| panic!("not EDN: {text}"))
}

fn read<'a>(rest: &mut &'a str) -> Option<Value> {
    *rest = rest.trim_start_matches([' ', ',']);
    let text: &'a str = rest;
    if let Some(inner) = text.strip_prefix("#{").or_else(|| text.strip_prefix('[')) {
        let end = if text.starts_with('#') { '}' } else { ']' };
        return Some(Value::Array(all(inner, end, rest)));
    }
    if let Some(inner) = text.strip_prefix('{') {
        let parts = all(inner, '}', rest);
        let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let members: Map<_, _> = parts.chunks_exact(2).map(|pair| (name(&pair[0]), pair[1].clone())).collect();
        return Some(Value::Object(members));
    }
    if text.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = values.next()?.ok()?;
        *rest = &text[values.byte_offset()..];
        return Some(value);
    }
    let end = text.find([' ', ',', ']', '}']).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    *rest = after;
    match word {
        "" => None,
        "nil" => Some(Value::Null),
        word => Some(word.strip_prefix(':').map_or_else(|| serde_json::from_str(word).ok(), |name| Some(name.into()))?),
    }
}

fn all<'a>(inner: &'a str, end: char, rest: &mut &'a str) -> Vec<Value> {
    *rest = inner;
    let mut values = Vec::new();
    loop {
        *rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix(end) {
            *rest = after;
            return values;
        }
        values.push(read(rest).expect("a value"));
    }
}

#[test]
fn maps_lists_and_sets_are_read() {
    let text = r#"[[:poll {"9" [[0 1] [1 nil]]}] #{"n0" -2}, true]"#;
    assert_eq!(json(text).to_string(), r#"[["poll",{"9":[[0,1],[1,null]]}],["n0",-2],true]"#);
}
