//! Prints values: on one line as Clojure's `pr` does, or over many as in `results.edn`.
//!
//! The layout of many lines is Oppen's: a collection stays on one line if it fits into what is left of
//! [`RIGHT_MARGIN`], else each of its elements begins a line, aligned with the first.

use std::fmt;

use super::Value;

/// The last column of a pretty line. Closing brackets and commas of outer collections may overhang it, as
/// they do in the files of Jepsen.
const RIGHT_MARGIN: usize = 70;

impl Value {
    /// Appends the value on one line.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("nil"),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Int(number) => write_int(*number, out),
            Self::Big(digits) => {
                out.push_str(digits);
                out.push('N');
            }
            Self::Float(number) => write_float(*number, out),
            Self::Str(text) => write_string(text, out),
            Self::Keyword(name) => {
                out.push(':');
                out.push_str(name);
            }
            Self::Symbol(name) => out.push_str(name),
            Self::List(values) => write_sequence("(", values, ")", out),
            Self::Vector(values) => write_sequence("[", values, "]", out),
            Self::Set(values) => write_sequence("#{", values, "}", out),
            Self::Ints(ints) => {
                out.push('[');
                for (i, int) in ints.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    write_int(int, out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    key.write(out);
                    out.push(' ');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Tagged(tag, value) => {
                write_tag(tag, value, out);
                value.write(out);
            }
        }
    }

    /// Whether its first character delimits a tag before it.
    const fn is_bracketed(&self) -> bool {
        matches!(self, Self::List(_) | Self::Vector(_) | Self::Ints(_) | Self::Map(_))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List(values) | Self::Vector(values) | Self::Set(values) => values.is_empty(),
            Self::Ints(ints) => ints.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Big(_)
            | Self::Float(_)
            | Self::Str(_)
            | Self::Keyword(_)
            | Self::Symbol(_)
            | Self::Tagged(..) => false,
        }
    }
}

/// One line, as Clojure's `pr` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        self.write(&mut line);
        f.write_str(&line)
    }
}

fn write_sequence(open: &str, values: &[Value], close: &str, out: &mut String) {
    out.push_str(open);
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        value.write(out);
    }
    out.push_str(close);
}

fn write_tag(tag: &str, value: &Value, out: &mut String) {
    out.push('#');
    out.push_str(tag);
    if !value.is_bracketed() {
        out.push(' ');
    }
}

/// Long reads make this the inner loop of writing a history.
fn write_int(number: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// As Java prints a double: plain between a thousandth and ten million, else `d.dEn`.
fn write_float(number: f64, out: &mut String) {
    if number.is_nan() {
        out.push_str("##NaN");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "##Inf" } else { "##-Inf" });
    } else if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        let plain = format!("{number:?}");
        out.push_str(&plain);
    } else {
        let scientific = format!("{number:E}");
        let (digits, exponent) = scientific.split_once('E').expect("scientific notation has an exponent");
        out.push_str(digits);
        if !digits.contains('.') {
            out.push_str(".0");
        }
        out.push('E');
        out.push_str(exponent);
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// The value over as many lines as it needs, without a newline at the end.
pub fn pretty(value: &Value) -> String {
    let mut page = Page::default();
    page.put(value);
    page.text
}

/// Text so far, and how wide its last line is.
#[derive(Default)]
struct Page {
    text: String,
    column: usize,
}

impl Page {
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
        if value.is_empty() || fits(value, RIGHT_MARGIN.saturating_sub(self.column)) {
            self.push(&value.to_string());
            return;
        }
        match value {
            Value::List(values) => self.put_all("(", values, ")"),
            Value::Vector(values) => self.put_all("[", values, "]"),
            Value::Set(values) => self.put_all("#{", values, "}"),
            Value::Ints(ints) => self.put_all("[", &ints.iter().map(Value::Int).collect::<Vec<_>>(), "]"),
            Value::Map(entries) => {
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
            }
            Value::Tagged(tag, value) => {
                let mut head = String::new();
                write_tag(tag, value, &mut head);
                self.push(&head);
                self.put(value);
            }
            Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Big(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Keyword(_)
            | Value::Symbol(_) => self.push(&value.to_string()),
        }
    }

    fn put_all(&mut self, open: &str, values: &[Value], close: &str) {
        self.push(open);
        let indent = self.column;
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.new_line(indent);
            }
            self.put(value);
        }
        self.push(close);
    }
}

/// Whether a value takes at most `width` columns on one line; gives up as soon as it does not.
fn fits(value: &Value, width: usize) -> bool {
    room_after(value, width).is_some()
}

/// What is left of `width` columns after a value on one line.
fn room_after(value: &Value, width: usize) -> Option<usize> {
    if let Value::List(values) | Value::Vector(values) | Value::Set(values) = value {
        let brackets = if matches!(value, Value::Set(_)) { 3 } else { 2 };
        let spaces = values.len().saturating_sub(1);
        let room = width.checked_sub(brackets + spaces)?;
        return values.iter().try_fold(room, |room, value| room_after(value, room));
    }
    if let Value::Map(entries) = value {
        // Braces, then a space in each entry and a comma and a space between two.
        let room = (width + 2).checked_sub(2 + 3 * entries.len().max(1) - usize::from(entries.is_empty()))?;
        return entries
            .iter()
            .try_fold(room, |room, (key, value)| room_after(key, room).and_then(|room| room_after(value, room)));
    }
    if matches!(value, Value::Ints(ints) if ints.len() > width) {
        return None;
    }
    let mut line = String::new();
    value.write(&mut line);
    width.checked_sub(line.chars().count())
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
