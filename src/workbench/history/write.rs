//! Prints operations as lines of `history.edn` and of `history.txt`.

use std::io::{self, Write};

use super::{History, Op, OpKind, Process};
use crate::workbench::edn::Value;

/// A file of a run's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `history.edn`
    Edn,
    /// `history.txt`: process, type, f, value and, if there is one, error, with tabs between.
    Txt,
}

impl OpKind {
    /// The name of the kind, as in `:invoke`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

impl Process {
    /// The process as a value: its number, or `:nemesis`.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Client(number) => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Nemesis => Value::keyword("nemesis"),
        }
    }
}

impl Op {
    /// The entries before the value.
    fn head(&self) -> [(&'static str, Value); 5] {
        [
            ("index", Value::Int(i64::try_from(self.index).unwrap_or(i64::MAX))),
            ("time", Value::Int(self.time)),
            ("type", Value::keyword(self.kind.name())),
            ("process", self.process.to_value()),
            ("f", Value::Keyword(self.f.clone())),
        ]
    }

    /// The operation as it appears in results: `#jepsen.history.Op{...}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut entries: Vec<_> = self.head().into_iter().map(|(key, value)| (Value::keyword(key), value)).collect();
        entries.push((Value::keyword("value"), self.value.clone()));
        entries.extend_from_slice(&self.extra);
        entries.extend(self.error.clone().map(|error| (Value::keyword("error"), error)));
        Value::Tagged("jepsen.history.Op".into(), Box::new(Value::Map(entries)))
    }

    /// Appends the line of a file before and after the value.
    pub(super) fn write_around_value(&self, format: Format, out: &mut String, after: &mut String) {
        match format {
            Format::Edn => self.edn_around_value(out, after),
            Format::Txt => self.txt_around_value(out, after),
        }
        after.push('\n');
    }

    fn edn_around_value(&self, out: &mut String, after: &mut String) {
        out.push('{');
        for (key, value) in self.head() {
            out.push(':');
            out.push_str(key);
            out.push(' ');
            value.write(out);
            out.push_str(", ");
        }
        out.push_str(":value ");
        for (key, value) in &self.extra {
            after.push_str(", ");
            key.write(after);
            after.push(' ');
            value.write(after);
        }
        if let Some(error) = &self.error {
            after.push_str(", :error ");
            error.write(after);
        }
        after.push('}');
    }

    fn txt_around_value(&self, out: &mut String, after: &mut String) {
        let [_, _, kind, process, f] = self.head();
        for (_, value) in [process, kind, f] {
            value.write(out);
            out.push('\t');
        }
        if let Some(error) = &self.error {
            after.push('\t');
            if let Some(text) = error.as_str() { after.push_str(text) } else { error.write(after) }
        }
    }
}

impl History {
    /// Writes a line of EDN for each operation, as `history.edn` has them.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_edn(&self, to: impl Write) -> io::Result<()> {
        self.write(Format::Edn, to)
    }

    /// Writes a line for each operation.
    pub(crate) fn write(&self, format: Format, mut to: impl Write) -> io::Result<()> {
        let (mut line, mut after) = (String::new(), String::new());
        for op in self.ops() {
            line.clear();
            after.clear();
            op.write_around_value(format, &mut line, &mut after);
            op.value.write(&mut line);
            line.push_str(&after);
            to.write_all(line.as_bytes())?;
        }
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
{:index 0, :time 60710410, :type :info, :process :nemesis, :f :start-partition, :value :one}
{:index 1, :time 60710500, :type :invoke, :process 2, :f :read, :value nil, :final? true}
{:index 2, :time 60710600, :type :ok, :process 2, :f :read, :value [0 1], :final? true}
{:index 3, :time 60710700, :type :info, :process 3, :f :add, :value 5, :exception {:via [{:type a.B}]}, :error \"late\"}
{:index 4, :time 60710800, :type :fail, :process 4, :f :read, :value nil, :error [:crash \"why\"]}
";

    #[test]
    fn a_history_is_written_as_it_was_read_and_for_people_with_tabs() {
        let written = |format| {
            let history: History = LINES.parse().expect("a history");
            let mut bytes = Vec::new();
            history.write(format, &mut bytes).expect("memory takes everything");
            String::from_utf8(bytes).expect("text")
        };
        assert_eq!(written(Format::Edn), LINES);
        let expected = "\
:nemesis\t:info\t:start-partition\t:one
2\t:invoke\t:read\tnil
2\t:ok\t:read\t[0 1]
3\t:info\t:add\t5\tlate
4\t:fail\t:read\tnil\t[:crash \"why\"]
";
        assert_eq!(written(Format::Txt), expected);
    }

    #[test]
    fn an_operation_in_a_result_equals_its_line() {
        let history: History = LINES.parse().expect("a history");
        let printed: Vec<_> = history.ops().iter().map(|op| format!("{}\n", op.to_value())).collect();
        assert_eq!(printed.concat().replace("#jepsen.history.Op", ""), LINES);
    }
}
