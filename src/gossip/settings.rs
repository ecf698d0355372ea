//! The command line of the nodes that use the replicated log.

use crate::node::Options;
use crate::time::Duration;
use crate::wire::Quote;

/// The largest value of `--max-staleness`, and the longest period that a replica accepts from a hub.
pub const MAX_STALENESS: Duration = Duration::from_secs(3600);

/// The trade-off between staleness and the number of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// `--max-staleness`: upper bound on the time until an operation reaches every node, in a cluster without faults,
    /// once the latency is measured. Below two hops and 50 ms, operations are sent to all nodes directly. If absent,
    /// the period of the rounds is derived from the latency.
    pub max_staleness: Option<Duration>,
}

impl Options for Settings {
    fn parse(arguments: &mut dyn Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self::default();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if name != "--max-staleness" {
                return Err(format!("unknown argument {}: this node knows --max-staleness DURATION", Quote::of(&name)));
            }
            let value = value.or_else(|| arguments.next()).ok_or("--max-staleness needs a duration, such as 500ms")?;
            settings.max_staleness = Some(duration(&value)?);
        }
        Ok(settings)
    }
}

/// Reads `1700ms`, `1.7s` or `0`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1e-3)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else {
        (text, if text == "0" { 1.0 } else { f64::NAN })
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * unit;
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("{} is not a duration: write 500ms, 1.7s or 0", Quote::of(text)))?;
    if duration > MAX_STALENESS {
        return Err(format!("{} is longer than the maximum, one hour", Quote::of(text)));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Settings, String> {
        Settings::parse(&mut arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn staleness_is_read_in_either_form_and_unit() {
        let expected = Ok(Settings { max_staleness: Some(Duration::from_millis(1700)) });
        assert_eq!(parse(&["--max-staleness", "1700ms"]), expected);
        assert_eq!(parse(&["--max-staleness=1.7s"]), expected);
        assert_eq!(parse(&["--max-staleness", "0"]), Ok(Settings { max_staleness: Some(Duration::ZERO) }));
        assert_eq!(parse(&[]), Ok(Settings::default()));
    }

    #[test]
    fn bad_arguments_are_rejected() {
        for arguments in [
            &["--max-staleness"][..],
            &["--max-staleness", "5"],
            &["--max-staleness", "-1s"],
            &["--max-staleness", "2e9s"],
            &["--fast"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
