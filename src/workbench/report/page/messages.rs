//! The messages of the page, all that the journal has, in columns that compress well: numbers as differences.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use super::MAX_VALUE_CHARS;
use crate::workbench::network::{Fate, Passage};
use crate::workbench::quote::cut;
use crate::workbench::test::Outcome;

/// Bodies are cut to the first of these numbers of characters at which all together have at most [`MAX_BODIES`] bytes.
const BODY_CHARS: [usize; 5] = [4_000, 1_000, 400, 160, 60];
const MAX_BODIES: usize = 16 << 20;

/// Messages in columns, in the order of sending.
#[derive(Serialize, Default)]
pub(super) struct Messages<'a> {
    /// How many there were; those that are missing here are missing in the journal.
    total: usize,
    names: Vec<&'a str>,
    types: Vec<String>,
    /// What may have become of a message; without one it was under way at the end.
    fates: Vec<&'static str>,
    /// Differences from the message before.
    id: Vec<i64>,
    sent_us: Vec<i64>,
    src: Vec<usize>,
    dest: Vec<usize>,
    kind: Vec<usize>,
    /// How long the message was under way, and its fate, by its place in `fates` from one.
    took_us: Vec<i64>,
    fate: Vec<usize>,
    /// The same of second copies, with the index of the message.
    again: Vec<(usize, i64, usize)>,
    /// Bodies that are cut: the index of the message, and the length in bytes.
    cut: Vec<(usize, usize)>,
}

impl<'a> Messages<'a> {
    /// The messages, and their bodies, a line each.
    pub(super) fn of(outcome: &'a Outcome) -> (Self, String) {
        let journal = &outcome.journal;
        let mut passages: Vec<&Passage> = journal.passages().iter().chain(journal.unheard()).collect();
        passages.sort_by_key(|passage| passage.sent);
        let mut messages = Self {
            total: outcome.counts.all.msg + journal.unheard().len(),
            fates: Fate::ALL.iter().map(|fate| fate.name()).collect(),
            ..Self::default()
        };
        let (mut names, mut types) = (Distinct::default(), Distinct::default());
        let (mut last_id, mut last_sent) = (0, 0);
        for (index, passage) in passages.iter().enumerate() {
            let (id, sent) = (passage.id.cast_signed(), journal.us(passage.sent));
            messages.id.push(id - last_id);
            messages.sent_us.push(sent - last_sent);
            (last_id, last_sent) = (id, sent);
            messages.src.push(names.place(&*passage.src));
            messages.dest.push(names.place(&*passage.dest));
            messages.kind.push(types.place(passage.kind().unwrap_or("?".into())));
            let copy = |number: usize| match passage.fates.get(number) {
                Some((at, fate)) => (journal.us(*at) - sent, 1 + place_of(*fate)),
                None => (0, 0),
            };
            let (took, fate) = copy(0);
            messages.took_us.push(took);
            messages.fate.push(fate);
            if passage.twice {
                let (took, fate) = copy(1);
                messages.again.push((index, took, fate));
            }
        }
        messages.names = names.all;
        messages.types = types.all.iter().map(|kind| cut(kind, MAX_VALUE_CHARS)).collect();
        let bodies = messages.bodies(&passages);
        (messages, bodies)
    }

    fn bodies(&mut self, passages: &[&Passage]) -> String {
        let most = most_chars(passages);
        let mut bodies = String::new();
        for (index, passage) in passages.iter().enumerate() {
            let (body, length) = passage.start_of_body(4 * most);
            let end = body.char_indices().nth(most).map(|(end, _)| end);
            self.cut.extend(end.map(|_| (index, length)));
            let body = &body[..end.unwrap_or(body.len())];
            // In JSON a line break is only space.
            bodies.push_str(&if body.contains('\n') { Cow::from(body.replace('\n', " ")) } else { Cow::from(body) });
            bodies.push('\n');
        }
        bodies
    }
}

/// To how many characters bodies are cut.
fn most_chars(passages: &[&Passage]) -> usize {
    let lengths: Vec<usize> = passages.iter().map(|passage| passage.start_of_body(0).1).collect();
    let fits = |most: &usize| lengths.iter().map(|length| length.min(most)).sum::<usize>() <= MAX_BODIES;
    BODY_CHARS.into_iter().find(fits).unwrap_or(BODY_CHARS[BODY_CHARS.len() - 1])
}

fn place_of(fate: Fate) -> usize {
    Fate::ALL.iter().position(|other| *other == fate).unwrap_or_default()
}

/// Values in the order in which they first occur.
struct Distinct<T> {
    all: Vec<T>,
    places: HashMap<T, usize>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Distinct<T> {
    fn place(&mut self, value: T) -> usize {
        *self.places.entry(value).or_insert_with_key(|value| {
            self.all.push(value.clone());
            self.all.len() - 1
        })
    }
}
