//! A map from keys to values, both as JSON text, and the execution of transactions on it.

use std::collections::BTreeMap;

use crate::wire::{Json, MAX_REPLY};

/// Upper bound on the text of a micro-operation besides its key and value, in bytes.
const OVERHEAD: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Write,
    Append,
}

/// A read or a write.
#[derive(Debug, Clone)]
pub(super) struct MicroOp {
    verb: Verb,
    key: Box<str>,
    value: Box<str>,
}

impl MicroOp {
    /// Its size in memory, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }

    /// Appends it as JSON, with this value.
    fn write(&self, value: &str, out: &mut Vec<u8>) {
        let name = match self.verb {
            Verb::Read => "r",
            Verb::Write => "w",
            Verb::Append => "append",
        };
        if !out.ends_with(b"[") {
            out.push(b',');
        }
        for part in ["[\"", name, "\",", &self.key, ",", value, "]"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Parses the micro-operations of a transaction or batch; `None` if it is malformed.
pub(super) fn micro_ops(txn: Json<'_>) -> Option<Vec<MicroOp>> {
    let micro_op = |op: Json<'_>| {
        let mut parts = op.items()?;
        let (f, key, value) = (parts.next()?, parts.next()?, parts.next()?);
        let verb = match f.as_str()? {
            "r" => Verb::Read,
            "w" => Verb::Write,
            "append" => Verb::Append,
            _ => return None,
        };
        parts.next().is_none().then(|| MicroOp { verb, key: text(key), value: text(value) })
    };
    txn.items()?.map(micro_op).collect()
}

fn text(value: Json<'_>) -> Box<str> {
    let mut text = Vec::new();
    value.write(&mut text);
    String::from_utf8_lossy(&text).into()
}

/// Appends the writes and appends among the micro-operations as elements of a JSON array, whose `[` is there already.
pub(super) fn write_changes(ops: &[MicroOp], out: &mut Vec<u8>) {
    for op in ops.iter().filter(|op| op.verb != Verb::Read) {
        op.write(&op.value, out);
    }
}

/// All values by the JSON text of their key, so that `1` differs from `"1"`.
#[derive(Debug, Default)]
pub(super) struct Database(BTreeMap<Box<str>, Box<str>>);

impl Database {
    /// Executes a transaction; returns its results as JSON, or `None` if they exceed [`MAX_REPLY`].
    pub(super) fn apply(&mut self, ops: &[MicroOp]) -> Option<Vec<u8>> {
        let mut out = vec![b'['];
        let mut fits = true;
        for op in ops {
            let value = match op.verb {
                Verb::Read => self.0.get(&op.key).map_or("null", |value| value),
                Verb::Write => {
                    self.0.insert(op.key.clone(), op.value.clone());
                    &op.value
                }
                Verb::Append => {
                    self.append(op);
                    &op.value
                }
            };
            fits &= out.len() + op.key.len() + value.len() < MAX_REPLY - OVERHEAD;
            if fits {
                op.write(value, &mut out);
            }
        }
        out.push(b']');
        fits.then_some(out)
    }

    fn append(&mut self, MicroOp { key, value, .. }: &MicroOp) {
        let list = match self.0.get(key).and_then(|list| list.strip_suffix(']')) {
            Some("[") | None => format!("[{value}]"),
            Some(open) => format!("{open},{value}]"),
        };
        self.0.insert(key.clone(), list.into());
    }
}
