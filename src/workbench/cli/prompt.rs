//! The prompt of `gloomers test --interactive`, and what `--until` shows.

use std::collections::VecDeque;
use std::io::{BufRead, Write};

use crate::workbench::scenario::{ACTIONS, Action, Scenario, ScenarioStep, duration, in_words, not_a_duration};
use crate::workbench::test::{Moment, Resume, TestConfig};

/// The most messages that are listed.
const MAX_MESSAGES: usize = 20;
/// The longest line of a state or a message in a list, in characters.
const MAX_WIDTH: usize = 160;

const COMMANDS: &str = "\
nodes             the state of each node, a line each
state A           all of it, for one node
messages          the messages under way
step              go on until something happens
run 100ms         go on for so long
continue          go on to the end
quit              end the test here
and what can be done to it:
";

/// Asks how a stopped test goes on, and keeps what it is told to do.
#[derive(Debug)]
pub(super) struct Prompt {
    nodes: Vec<String>,
    asks: bool,
    /// The last messages since the last stop, and how many there were before them.
    messages: VecDeque<String>,
    missed: usize,
    /// The scenario of the test, and what was done at the prompt.
    scenario: Scenario,
}

impl Prompt {
    /// A prompt for these nodes; one that does not ask shows everything once and ends the test.
    pub(super) fn new(config: &TestConfig, asks: bool) -> Self {
        let TestConfig { nodes, scenario, .. } = config.clone();
        Self { nodes, asks, messages: VecDeque::new(), missed: 0, scenario }
    }

    /// The scenario of the test, and what was done at the prompt.
    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// A message was sent or received.
    pub(super) fn on_message(&mut self, message: &str) {
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
            self.missed += 1;
        }
        self.messages.push_back(short(message));
    }

    /// Shows where the test is, and reads lines until one lets it go on; the end of input ends it.
    pub(super) fn ask(&mut self, moment: &Moment, input: &mut dyn BufRead, page: &mut dyn Write) -> Resume {
        if !self.asks {
            writeln!(page, "at {}", in_words(moment.at)).ok();
            self.show_nodes(moment, page);
            show_messages(moment, page);
            return Resume::End;
        }
        if self.missed > 0 {
            writeln!(page, "... {} messages before these", std::mem::take(&mut self.missed)).ok();
        }
        for line in self.messages.drain(..) {
            writeln!(page, "{line}").ok();
        }
        loop {
            write!(page, "{}> ", in_words(moment.at)).ok();
            page.flush().ok();
            let mut line = String::new();
            if !input.read_line(&mut line).is_ok_and(|read| read > 0) {
                writeln!(page).ok();
                return Resume::End;
            }
            if let Some(resume) = self.command(line.trim(), moment, page) {
                return resume;
            }
        }
    }

    /// Carries out a line, if it shows something; else says how the test goes on.
    fn command(&mut self, line: &str, moment: &Moment, page: &mut dyn Write) -> Option<Resume> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("", _) => None,
            ("help", _) => {
                writeln!(page, "{COMMANDS}{ACTIONS}").ok();
                None
            }
            ("nodes", _) => {
                self.show_nodes(moment, page);
                None
            }
            ("state", name) => {
                match self.nodes.iter().position(|node| node == name) {
                    Some(node) => writeln!(page, "{}", moment.states[node]).ok(),
                    None => writeln!(page, "there is no node {name:?}; there are {}", self.nodes.join(", ")).ok(),
                };
                None
            }
            ("messages", _) => {
                show_messages(moment, page);
                None
            }
            ("step", "") => Some(Resume::Step),
            ("run", time) => {
                let until = duration(time).map(|time| moment.at.saturating_add(time));
                if until.is_none() {
                    writeln!(page, "{}", not_a_duration(time)).ok();
                }
                until.map(|until| Resume::Until(Some(until)))
            }
            ("continue", "") => Some(Resume::Until(None)),
            ("quit", "") => Some(Resume::End),
            _ => match Action::parse(line, &self.nodes) {
                Ok(action) => {
                    let step = ScenarioStep { at: moment.at, text: line.to_owned(), action };
                    self.scenario.add(step.clone());
                    Some(Resume::Do(step))
                }
                Err(why) => {
                    writeln!(page, "{why}\nhelp shows all commands").ok();
                    None
                }
            },
        }
    }

    fn show_nodes(&self, moment: &Moment, page: &mut dyn Write) {
        for (name, state) in self.nodes.iter().zip(&moment.states) {
            let line = state.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(page, "{name}  {}", short(&line)).ok();
        }
    }
}

fn show_messages(moment: &Moment, page: &mut dyn Write) {
    for (due, message) in moment.under_way.iter().take(MAX_MESSAGES) {
        let left = due.saturating_sub(moment.at);
        writeln!(page, "in {:>9}  {}", format!("{:.1} ms", left.as_secs_f64() * 1e3), short(message)).ok();
    }
    match moment.under_way.len() {
        0 => writeln!(page, "no message is under way").ok(),
        count if count > MAX_MESSAGES => writeln!(page, "and {} more", count - MAX_MESSAGES).ok(),
        _ => None,
    };
}

/// The beginning of a long line.
fn short(line: &str) -> String {
    if line.chars().count() <= MAX_WIDTH {
        return line.to_owned();
    }
    line.chars().take(MAX_WIDTH - 3).chain("...".chars()).collect()
}
