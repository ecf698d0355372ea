//! Prints values: on one line as Clojure's `pr` does, or over many as in `results.edn`.
//!
//! The layout of many lines is Oppen's: a collection stays on one line if it fits into what is left of
//! [`RIGHT_MARGIN`], else each of its elements begins a line, aligned with the first.

use std::fmt::{self, Write};

use super::Value;

/// The last column of a pretty line. Closing brackets and commas of outer collections may overhang it, as
/// they do in the files of Jepsen.
const RIGHT_MARGIN: usize = 70;

impl Value {
    /// Appends the value on one line.
    pub(crate) fn write(&self, out: &mut String) {
        self.write_to(out).expect("a string takes everything");
    }

    fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Nil => out.write_str("nil"),
            Self::Bool(truth) => out.write_str(if *truth { "true" } else { "false" }),
            // Long reads make this the inner loop of writing a history.
            Self::Int(number) => out.write_str(itoa::Buffer::new().format(*number)),
            Self::Big(digits) => write!(out, "{digits}N"),
            Self::Float(number) => write_float(*number, out),
            Self::Str(text) => write_string(text, out),
            Self::Keyword(name) => write!(out, ":{name}"),
            Self::Symbol(name) => out.write_str(name),
            Self::List(_) | Self::Vector(_) | Self::Set(_) | Self::Ints(_) => {
                let (open, close) = self.brackets().unwrap_or_default();
                out.write_str(open)?;
                for (i, value) in self.items().into_iter().flatten().enumerate() {
                    if i > 0 {
                        out.write_char(' ')?;
                    }
                    value.write_to(out)?;
                }
                out.write_str(close)
            }
            Self::Map(entries) => {
                out.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.write_str(", ")?;
                    }
                    key.write_to(out)?;
                    out.write_char(' ')?;
                    value.write_to(out)?;
                }
                out.write_char('}')
            }
            Self::Tagged(tag, value) => {
                out.write_str(&head(tag, value))?;
                value.write_to(out)
            }
        }
    }

    /// The brackets around a collection that is not a map.
    fn brackets(&self) -> Option<(&'static str, &'static str)> {
        if let Self::List(_) = self {
            return Some(("(", ")"));
        }
        if let Self::Set(_) = self {
            return Some(("#{", "}"));
        }
        matches!(self, Self::Vector(_) | Self::Ints(_)).then_some(("[", "]"))
    }
}

/// One line, as Clojure's `pr` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// A tag, with a space unless the bracket of the value after it delimits it.
fn head(tag: &str, value: &Value) -> String {
    let is_bracketed = matches!(value, Value::List(_) | Value::Vector(_) | Value::Ints(_) | Value::Map(_));
    format!("#{tag}{}", if is_bracketed { "" } else { " " })
}

/// As Java prints a double: plain between a thousandth and ten million, else `d.dEn`.
fn write_float(number: f64, out: &mut impl Write) -> fmt::Result {
    if number.is_nan() {
        out.write_str("##NaN")
    } else if number.is_infinite() {
        out.write_str(if number > 0.0 { "##Inf" } else { "##-Inf" })
    } else if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        write!(out, "{number:?}")
    } else {
        let scientific = format!("{number:E}");
        let (digits, exponent) = scientific.split_once('E').expect("scientific notation has an exponent");
        let point = if digits.contains('.') { "" } else { ".0" };
        write!(out, "{digits}{point}E{exponent}")
    }
}

fn write_string(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\t' => out.write_str("\\t")?,
            '\r' => out.write_str("\\r")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            _ => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// The value over as many lines as it needs, without a newline at the end.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut printer = PrettyPrinter::default();
    printer.put(value);
    printer.text
}

/// Text so far, and how wide its last line is.
#[derive(Default)]
struct PrettyPrinter {
    text: String,
    column: usize,
}

impl PrettyPrinter {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn new_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn put(&mut self, value: &Value) {
        if fits(value, RIGHT_MARGIN.saturating_sub(self.column)) {
            self.push(&value.to_string());
        } else if let Value::Map(entries) = value {
            self.push("{");
            let indent = self.column;
            for (i, (key, value)) in entries.iter().enumerate() {
                if i > 0 {
                    self.push(",");
                    self.new_line(indent);
                }
                self.put(key);
                self.push(" ");
                self.put(value);
            }
            self.push("}");
        } else if let Some((open, close)) = value.brackets() {
            self.push(open);
            let indent = self.column;
            for (i, value) in value.items().into_iter().flatten().enumerate() {
                if i > 0 {
                    self.new_line(indent);
                }
                self.put(&value);
            }
            self.push(close);
        } else if let Value::Tagged(tag, value) = value {
            self.push(&head(tag, value));
            self.put(value);
        } else {
            self.push(&value.to_string());
        }
    }
}

/// Whether a value takes at most `width` columns on one line; gives up as soon as it does not.
fn fits(value: &Value, width: usize) -> bool {
    value.write_to(&mut ColumnsLeft(width)).is_ok()
}

/// The columns that are left; writing more is an error.
struct ColumnsLeft(usize);

impl Write for ColumnsLeft {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.chars().count()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read;
    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            "-?[1-9][0-9]{19,30}".prop_map(|digits| Value::Big(digits.into())),
            proptest::num::f64::NORMAL.prop_map(Value::Float),
            any::<String>().prop_map(Value::str),
            "[a-z][a-z0-9*+!?_./-]{0,8}".prop_map(|name| Value::Keyword(name.into())),
            "[a-z][a-z0-9]{0,4}\\.[A-Z][a-z$]{0,8}".prop_map(|name| Value::Symbol(name.into())),
            prop::collection::vec(any::<i64>(), 0..5).prop_map(Value::ints),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let values = prop::collection::vec(inner.clone(), 0..6);
            prop_oneof![
                values.clone().prop_map(Value::List),
                values.clone().prop_map(Value::from_iter),
                values.prop_map(Value::Set),
                prop::collection::vec((inner.clone(), inner.clone()), 0..6).prop_map(Value::Map),
                ("[a-z][a-z.]{0,8}", inner).prop_map(|(tag, value)| Value::Tagged(tag.into(), Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_value()) {
            prop_assert_eq!(read(&value.to_string()), Ok(value.clone()));
            prop_assert_eq!(read(&pretty(&value)), Ok(value));
        }

        #[test]
        fn the_width_of_a_line_is_known_before_it_is_printed(value in any_value()) {
            let width = value.to_string().chars().count();
            prop_assert!(fits(&value, width));
            prop_assert!(!fits(&value, width - 1));
        }
    }

    #[test]
    fn floats_look_like_those_of_java() {
        for (number, text) in [
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.983, "0.983"),
            (0.001, "0.001"),
            (0.000_1, "1.0E-4"),
            (1.25e-7, "1.25E-7"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (f64::NEG_INFINITY, "##-Inf"),
        ] {
            assert_eq!(Value::Float(number).to_string(), text);
        }
    }

    #[test]
    fn integers_of_every_size_are_printed() {
        for number in [0, 7, 10, -1, i64::MAX, i64::MIN] {
            assert_eq!(Value::Int(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn a_map_that_does_not_fit_has_one_entry_a_line() {
        let text = "{:stable-latencies {0 0, 0.5 232, 0.95 429, 0.99 447, 1 459},\n :lost ()}";
        assert_eq!(pretty(&read(text).expect("valid")), text);
    }
}
