//! Why an operation did not succeed, in words: what a client received instead of a valid reply.

use std::fmt::{self, Display, Write as _};
use std::rc::Rc;

use super::named;
use crate::time::Duration;
use crate::workbench::edn::Value;
use crate::workbench::quote::quote;

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// No reply in time.
    TimeoutHints(TimeoutHints),
    /// The reply violates its schema.
    Malformed {
        /// What is wrong with it, in a sentence.
        fault: String,
        /// Its body, shortened and escaped.
        body: String,
    },
    /// The node answered with an error.
    Error {
        /// Its code, if that is an integer.
        code: Option<i64>,
        /// Its text.
        text: Value,
    },
}

/// A time-out, and hints at its cause.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeoutHints {
    /// How long the client waited.
    pub timeout: Duration,
    /// A message that may have been meant as the reply.
    pub stray: Option<Box<StrayMessage>>,
    /// What the node had written after its last line end.
    pub unfinished: Option<Unfinished>,
}

/// Output without a line end, which is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// How much of it was read.
    pub bytes: usize,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// Its beginning, fit to be quoted.
    pub text: String,
}

/// A message that arrived while a client waited and did not answer its request.
#[derive(Debug, Clone, PartialEq)]
pub struct StrayMessage {
    /// The sender, as the message names it.
    pub src: Rc<str>,
    /// Its destination.
    pub dest: Rc<str>,
    /// The client that waited.
    pub client: Rc<str>,
    /// Its type, shortened and escaped.
    pub kind: Option<String>,
    /// Its body, shortened and escaped.
    pub body: String,
    /// Why it is not the reply.
    pub mismatch: Mismatch,
}

/// Why a message does not answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It has no `in_reply_to`.
    Missing,
    /// Its `in_reply_to` is not an integer.
    NotAnInteger {
        /// What it is, as the message has it.
        given: String,
        /// The `msg_id` of the request.
        wanted: u64,
    },
    /// Its `in_reply_to` is another integer.
    Other {
        /// What it is, as the message has it.
        given: String,
        /// The `msg_id` of the request.
        wanted: u64,
    },
    /// It has the right `in_reply_to`, but another destination.
    Elsewhere,
}

impl Mismatch {
    /// Whether the message answers an earlier request of the same client, which timed out.
    pub(super) fn is_late(&self) -> bool {
        let Self::Other { given, wanted } = self else { return false };
        given.parse::<u64>().is_ok_and(|given| (1..*wanted).contains(&given))
    }

    /// A name that is the same for all mismatches of one kind.
    const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "in_reply_to missing",
            Self::NotAnInteger { .. } => "in_reply_to not an integer",
            Self::Other { .. } => "in_reply_to of another request",
            Self::Elsewhere => "another dest",
        }
    }

    /// The actual and the expected `in_reply_to`.
    fn in_reply_to(&self) -> String {
        match self {
            Self::Missing => "missing".to_owned(),
            Self::NotAnInteger { given, wanted } => format!("{given} ({}), not the integer {wanted}", type_name(given)),
            Self::Other { given, wanted } => {
                let late = if self.is_late() { ", the msg_id of an earlier request" } else { "" };
                format!("{given}{late}, not {wanted}")
            }
            Self::Elsewhere => "right".to_owned(),
        }
    }
}

/// The JSON type of a text.
fn type_name(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') | None => "null",
        Some(_) => "a float",
    }
}

impl Display for StrayMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { src, dest, client, kind, body, mismatch } = self;
        let kind = kind.as_deref().unwrap_or("a message without a type");
        match mismatch {
            Mismatch::Elsewhere if src == client => {
                write!(f, "{dest} had sent {kind} with src {src} and dest {dest} (swapped?): {body}")
            }
            Mismatch::Elsewhere => write!(f, "{src} had sent {kind} to {dest} instead of {client}: {body}"),
            Mismatch::Missing | Mismatch::NotAnInteger { .. } | Mismatch::Other { .. } => {
                let in_reply_to = mismatch.in_reply_to();
                write!(f, "{src} had sent {kind} to {dest} with in_reply_to {in_reply_to}: {body}")
            }
        }
    }
}

impl Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, is_whole, text } = self;
        let more = if *is_whole { "" } else { "more than " };
        write!(f, "it had written {more}{bytes} bytes without a line end; is stdout flushed? {text}")
    }
}

impl Display for TimeoutHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no reply within {} s", self.timeout.as_secs_f64())?;
        if let Some(stray) = &self.stray {
            write!(f, "; {stray}")?;
        }
        if let Some(unfinished) = &self.unfinished {
            write!(f, "; {unfinished}")?;
        }
        Ok(())
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeoutHints(silence) => silence.fmt(f),
            Self::Malformed { fault, body } => write!(f, "{fault}: {body}"),
            Self::Error { code, text } => {
                f.write_str(&code_in_words(*code))?;
                match text.as_str() {
                    Some(text) => write!(f, ": {}", quote(text)),
                    None if text.is_nil() => Ok(()),
                    None => write!(f, ": {}", quote(&text.to_json())),
                }
            }
        }
    }
}

impl Reason {
    /// A key that is the same for all reasons of one kind.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::TimeoutHints(TimeoutHints { stray: Some(stray), .. }) => {
                format!("no reply, {}", stray.mismatch.name())
            }
            Self::TimeoutHints(TimeoutHints { unfinished: Some(_), .. }) => "no reply, no line end".to_owned(),
            Self::TimeoutHints(_) => "no reply".to_owned(),
            Self::Malformed { fault, .. } => fault.clone(),
            Self::Error { code, .. } => code_in_words(*code),
        }
    }

    /// Whether a correct node may answer like this: a compare-and-set with another value, a missing key, a transaction
    /// that conflicts with another.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        matches!(self, Self::Error { code: Some(20 | 21 | 22 | 30), .. })
    }

    /// The same for a request that every node must answer, as a predicate that follows the node's name.
    #[must_use]
    pub fn of_request(&self, asked: &str) -> String {
        match self {
            Self::TimeoutHints(TimeoutHints { timeout, stray, unfinished }) => {
                let mut words = format!("did not answer {asked} within {} s", timeout.as_secs_f64());
                if let Some(StrayMessage { src, dest, client, body, mismatch, .. }) = stray.as_deref() {
                    let why = match mismatch {
                        Mismatch::Elsewhere => {
                            format!("its src is {src} and its dest {dest}, which should be {client}")
                        }
                        Mismatch::Missing | Mismatch::NotAnInteger { .. } | Mismatch::Other { .. } => {
                            format!("in_reply_to is {}", mismatch.in_reply_to())
                        }
                    };
                    write!(words, "; it sent {body} instead: {why}").expect("a string takes everything");
                }
                if let Some(unfinished) = unfinished {
                    write!(words, "; {unfinished}").expect("a string takes everything");
                }
                words
            }
            Self::Malformed { .. } => format!("answered {asked}, but {self}"),
            Self::Error { .. } => format!("answered {asked} with {self}"),
        }
    }
}

/// `error 13 (crash)`
fn code_in_words(code: Option<i64>) -> String {
    match (code, code.and_then(named)) {
        (Some(code), Some((_, name, _))) => format!("error {code} ({name})"),
        (Some(code), None) => format!("error {code}, a code of its own"),
        (None, _) => "an error whose code is not an integer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray(mismatch: Mismatch) -> Reason {
        let stray = StrayMessage {
            src: "n0".into(),
            dest: "c2".into(),
            client: "c2".into(),
            kind: Some("echo_ok".into()),
            body: "{}".into(),
            mismatch,
        };
        Reason::TimeoutHints(TimeoutHints {
            timeout: Duration::from_secs(5),
            stray: Some(Box::new(stray)),
            unfinished: None,
        })
    }

    #[test]
    fn every_wrong_in_reply_to_is_named() {
        let wanted = 3;
        for (mismatch, words) in [
            (Mismatch::Missing, "missing"),
            (Mismatch::NotAnInteger { given: "\"3\"".into(), wanted }, "\"3\" (a string), not the integer 3"),
            (Mismatch::NotAnInteger { given: "3.0".into(), wanted }, "3.0 (a float), not the integer 3"),
            (Mismatch::NotAnInteger { given: "null".into(), wanted }, "null (null), not the integer 3"),
            (Mismatch::Other { given: "0".into(), wanted }, "0, not 3"),
            (Mismatch::Other { given: "7".into(), wanted }, "7, not 3"),
            (Mismatch::Other { given: "2".into(), wanted }, "2, the msg_id of an earlier request, not 3"),
        ] {
            let reason = stray(mismatch);
            assert_eq!(
                reason.to_string(),
                format!("no reply within 5 s; n0 had sent echo_ok to c2 with in_reply_to {words}: {{}}")
            );
            let of_init = format!("did not answer init within 5 s; it sent {{}} instead: in_reply_to is {words}");
            assert_eq!(reason.of_request("init"), of_init);
        }
    }

    #[test]
    fn errors_have_their_codes_name_and_their_text() {
        let error = |code, text| Reason::Error { code, text };
        for (reason, words) in [
            (error(Some(13), "no disk".into()), "error 13 (crash): no disk"),
            (error(Some(1000), Value::Nil), "error 1000, a code of its own"),
            (error(None, Value::ints(vec![1])), "an error whose code is not an integer: [1]"),
        ] {
            assert_eq!(reason.to_string(), words);
            assert_eq!(reason.of_request("topology"), format!("answered topology with {words}"));
        }
    }

    #[test]
    fn a_node_that_swaps_src_and_dest_or_never_ends_its_line_is_told_so() {
        let Reason::TimeoutHints(silence) = stray(Mismatch::Elsewhere) else { panic!("a silence") };
        let stray =
            silence.stray.clone().map(|stray| Box::new(StrayMessage { src: "c2".into(), dest: "n0".into(), ..*stray }));
        let swapped = Reason::TimeoutHints(TimeoutHints { stray, ..silence.clone() });
        assert!(swapped.to_string().contains("n0 had sent echo_ok with src c2 and dest n0 (swapped?): {}"));
        let unfinished = Some(Unfinished { bytes: 75, is_whole: true, text: "{\"src\"".into() });
        let open = Reason::TimeoutHints(TimeoutHints { stray: None, unfinished, ..silence });
        let words =
            "did not answer init within 5 s; it had written 75 bytes without a line end; is stdout flushed? {\"src\"";
        assert_eq!(open.of_request("init"), words);
    }
}
