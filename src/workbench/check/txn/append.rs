//! Transactions on lists (protocol §13.8): a read reveals the order of all earlier appends.

mod anomalies;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::case::Reason;
use super::graph::{Edges, Graph, PROCESS, REALTIME, RW, WR, WW};
use super::transactions::{Action, Step, Transactions, writes};
use super::{CheckError, MAX_EDGES, bounded};
use crate::workbench::history::OpKind;

pub(super) use anomalies::find;

/// The order of preference among the labels of an edge.
const PREFERENCE: [u8; 5] = [WW, WR, RW, PROCESS, REALTIME];

/// The order of appends to each key, and their readers and writers.
pub(super) struct Append<'a> {
    transactions: &'a Transactions,
    /// The distinct lists read of each key, shorter ones first.
    lists: BTreeMap<u32, Vec<&'a [u32]>>,
    /// The elements of each key in the order of the longest list.
    order: BTreeMap<u32, Vec<u32>>,
    place: HashMap<(u32, u32), usize>,
    /// The transaction that appended an element, or may have.
    writers: HashMap<(u32, u32), u32>,
    /// The transactions that read a list that ends with an element, or an empty one.
    readers: HashMap<(u32, Option<u32>), Vec<u32>>,
}

impl<'a> Append<'a> {
    pub(super) fn new(transactions: &'a Transactions) -> Self {
        let mut lists: BTreeMap<u32, BTreeSet<(usize, &'a [u32])>> = BTreeMap::new();
        let mut lone: BTreeMap<u32, Option<&'a u32>> = BTreeMap::new();
        let mut new = Self {
            transactions,
            lists: BTreeMap::new(),
            order: BTreeMap::new(),
            place: HashMap::new(),
            writers: HashMap::new(),
            readers: HashMap::new(),
        };
        for (number, transaction) in transactions.possible() {
            for step in &transaction.steps {
                match &step.action {
                    Action::Write(value) => {
                        new.writers.insert((step.key, *value), number);
                        lone.entry(step.key).and_modify(|lone| *lone = None).or_insert(Some(value));
                    }
                    Action::Read(seen) => {
                        let list = seen.as_deref().unwrap_or_default();
                        if !list.is_empty() {
                            lists.entry(step.key).or_default().insert((list.len(), list));
                        }
                        // An unacknowledged read did not read the initial state.
                        if transaction.kind == OpKind::Ok || seen.is_some() {
                            new.readers.entry((step.key, list.last().copied())).or_default().push(number);
                        }
                    }
                }
            }
        }
        for (key, value) in lone {
            if let Some(value) = value
                && !lists.contains_key(&key)
            {
                lists.entry(key).or_default().insert((1, std::slice::from_ref(value)));
            }
        }
        for (key, lists) in lists {
            let lists: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
            let mut order = Vec::new();
            for element in lists.last().copied().unwrap_or_default() {
                if let std::collections::hash_map::Entry::Vacant(place) = new.place.entry((key, *element)) {
                    place.insert(order.len());
                    order.push(*element);
                }
            }
            new.order.insert(key, order);
            new.lists.insert(key, lists);
        }
        new
    }

    /// The element before an append, or none if there is none: an append that nobody saw comes after all that were.
    fn previous(&self, key: u32, element: u32) -> Option<u32> {
        let order = self.order.get(&key)?;
        let place = self.place.get(&(key, element)).copied().unwrap_or(order.len());
        order.get(place.checked_sub(1)?).copied()
    }

    /// An element of a list that was read, by key, which no end of a transaction says it appended; or one that was the
    /// only one of its key, and was asked for but not answered. Elle takes every element of the longest list of a key
    /// for one of those, and gives up where it is not.
    pub(super) fn unwritten(&self) -> Option<(u32, u32)> {
        let written: HashSet<(u32, u32)> = self.transactions.writes().map(|(key, value, _)| (key, value)).collect();
        let mut attempts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (key, value) in self.transactions.attempts().into_iter().flat_map(|(_, steps)| writes(steps)) {
            attempts.entry(key).or_default().push(value);
        }
        let read = self.order.iter().flat_map(|(key, order)| order.iter().map(|element| (*key, *element)));
        let lone = attempts.iter().filter(|(key, elements)| elements.len() == 1 && !self.order.contains_key(key));
        let lone = lone.map(|(key, elements)| (*key, elements[0]));
        read.chain(lone).find(|element| !written.contains(element))
    }

    /// The dependencies of a transaction: the earlier one, the label, the place of the step that depends, and the
    /// versions before and after, of which the first is what the earlier one wrote or read.
    fn dependencies(&self, number: u32) -> impl Iterator<Item = (u32, u8, usize, [Option<u32>; 2])> {
        let steps = self.transactions.of(number).steps.iter().enumerate();
        let found = steps.flat_map(|(place, Step { key, action })| {
            let (known, next, label) = match action {
                Action::Write(element) => (self.previous(*key, *element), Some(*element), WW),
                Action::Read(seen) => (seen.as_ref().and_then(|list| list.last()).copied(), None, WR),
            };
            let writer = known.and_then(|known| self.writers.get(&(*key, known)));
            let readers = next.and_then(|_| self.readers.get(&(*key, known))).into_iter().flatten();
            let labeled = writer.map(|writer| (*writer, label)).into_iter().chain(readers.map(|reader| (*reader, RW)));
            labeled.map(move |(from, label)| (from, label, place, [known, next]))
        });
        found.filter(move |(from, ..)| *from != number)
    }

    /// The graph of these edges and those that reads and appends make.
    pub(super) fn graph(&self, mut edges: Edges) -> Result<Graph, CheckError> {
        for (number, _) in self.transactions.possible() {
            edges.extend(self.dependencies(number).map(|(from, label, ..)| (from, number, label)));
            if edges.len() > 2 * MAX_EDGES {
                break;
            }
        }
        bounded(self.transactions.all.len(), edges, &PREFERENCE)
    }
    pub(super) fn why(&self, from: u32, to: u32, label: u8) -> Option<Reason> {
        let is_it = |(earlier, kind, ..): &(u32, u8, usize, [Option<u32>; 2])| (*earlier, *kind) == (from, label);
        let (.., place, [known, next]) = self.dependencies(to).find(is_it)?;
        let key = self.transactions.of(to).steps[place].key;
        let is_evidence = |step: &Step| {
            step.key == key
                && match &step.action {
                    Action::Write(element) => label != RW && Some(*element) == known,
                    Action::Read(seen) => label == RW && seen.as_ref().and_then(|list| list.last()).copied() == known,
                }
        };
        let evidence = self.transactions.of(from).steps.iter().position(is_evidence);
        Some(Reason::new(self.transactions, key, [known, next], [evidence, Some(place)]))
    }
}
