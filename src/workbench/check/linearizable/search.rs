//! Searches for an order of the calls, each between its invocation and its completion, that explains their results.
//!
//! Just-in-time linearization (Lowe, *Testing for linearizability*, 2017): walks through invocations and completions
//! with the set of all possible configurations, each of which is the value of the register and the set of open calls
//! that are linearized; a call needs to be linearized only at its completion. Complete, and exponential only in the
//! number of open calls. Three rules prune configurations: an open read is linearized as soon as its value is current;
//! of equal unacknowledged calls the earliest is linearized first; and a configuration that has linearized more
//! unacknowledged calls than an otherwise equal one is dropped. If there are still too many configurations, a search in
//! depth tries them one by one, which is fast if an order exists.

mod deep;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::{self, Display};

use thiserror::Error;

use super::calls::{Call, Calls, Effect};
use crate::workbench::check::Budget;

/// The maximum number of open calls on one key, the bits of a mask. Maelstrom retires a key after 20 processes.
pub(super) const MAX_OPEN: usize = 128;
/// The maximum number of configurations in memory: some 100 MB.
pub(super) const MAX_CONFIGS: usize = 1 << 20;
/// The maximum number of steps of the search of one key, in breadth and then again in depth, if no host sets a time
/// limit: some ten seconds. The search in breadth is always limited, since the one in depth often succeeds where it
/// does not.
pub(super) const MAX_STEPS: u64 = 8_000_000;
/// Steps between two checks of the deadline: a millisecond.
const STEPS_A_LOOK: u64 = 1 << 10;
/// The maximum number of steps for the configurations before a value without an origin; the verdict does not need them.
const MAX_STEPS_BEFORE: u64 = 200_000;

/// The limit that ended a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SearchLimit {
    /// The limit on open operations.
    #[error("more than {MAX_OPEN} operations on this key are open at once; too many to order")]
    Open,
    /// The limit on configurations.
    #[error("more than {MAX_CONFIGS} states are possible at once; too many to follow")]
    Configs,
    /// The limit on steps.
    #[error("no answer after {MAX_STEPS} steps of search")]
    Steps,
    /// The deadline of the host.
    #[error("no answer within the time limit (--check-timeout SECONDS)")]
    Time,
}

/// The progress of a search that gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaveUp {
    /// Why it gave up.
    pub bound: SearchLimit,
    /// The number of acknowledged operations, from the first on, for which an order is known.
    pub done: usize,
    /// The number of acknowledged operations.
    pub all: usize,
}

impl Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, done, all } = self;
        write!(f, "{bound}")?;
        if *done > 0 {
            write!(f, "; an order is known of the first {done} of {all} acknowledged operations")?;
        }
        Ok(())
    }
}

impl GaveUp {
    fn at(events: &[Event], at: usize, bound: SearchLimit) -> Self {
        let ends = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::End(_))).count();
        Self { bound, done: ends(&events[..at]), all: ends(events) }
    }

    /// The greater progress of two searches of the same calls.
    fn and(self, other: Self) -> Self {
        Self { done: self.done.max(other.done), ..other }
    }
}

/// The remaining limits of a search.
#[derive(Debug)]
struct Steps<'a> {
    left: u64,
    budget: &'a Budget,
}

impl Steps<'_> {
    fn spend(&mut self) -> Result<(), SearchLimit> {
        self.left = self.left.checked_sub(1).ok_or(SearchLimit::Steps)?;
        if self.left.is_multiple_of(STEPS_A_LOOK) && self.budget.is_over() { Err(SearchLimit::Time) } else { Ok(()) }
    }
}

/// A possible configuration, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) state: u32,
    pub(super) last: Option<usize>,
    /// Open calls that are not linearized.
    pub(super) pending: Vec<usize>,
}

/// A call that cannot be linearized before its completion.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) call: usize,
    /// The configurations possible just before; empty if a value has no origin and the search for them gave up.
    pub(super) frontier: Vec<Config>,
    /// Whether the call found a value that no call invoked by then could have set.
    pub(super) from_nowhere: bool,
}

/// The outcome of a search.
#[derive(Debug)]
pub(super) enum SearchOutcome {
    /// The final configurations.
    Linearizable(Vec<Config>),
    Violation(Violation),
    GaveUp(GaveUp),
}

/// The invocation or completion of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Begin(usize),
    End(usize),
}

impl Event {
    pub(super) const fn call(self) -> usize {
        match self {
            Self::Begin(call) | Self::End(call) => call,
        }
    }
}

/// Invocations and completions in the order of the history.
pub(super) fn events(calls: &[Call]) -> Vec<Event> {
    let mut events: Vec<(usize, Event)> = Vec::with_capacity(2 * calls.len());
    for (index, call) in calls.iter().enumerate() {
        events.push((call.invocation, Event::Begin(index)));
        events.extend(call.completion.map(|at| (at, Event::End(index))));
    }
    events.sort_unstable();
    events.into_iter().map(|(_, event)| event).collect()
}

/// The first completion of a call that found a value which no call invoked by then could have set.
fn from_nowhere(calls: &[Call], events: &[Event]) -> Option<usize> {
    let mut left = HashSet::from([0]);
    events.iter().position(|event| match (*event, calls[event.call()].effect) {
        (Event::Begin(_), Effect::Write(value)) => {
            left.insert(value);
            false
        }
        (Event::Begin(_), Effect::Cas(from, to)) => {
            // A call that sets the value that it found is not its origin.
            if from != to {
                left.insert(to);
            }
            false
        }
        (Event::End(_), Effect::Read(met) | Effect::Cas(met, _)) => !left.contains(&met),
        (Event::Begin(_), Effect::Read(_)) | (Event::End(_), Effect::Write(_)) => false,
    })
}

/// The value of the register, the mask of linearized open calls, and the call that was linearized last.
#[derive(Debug, Clone, Copy)]
struct State {
    value: u32,
    done: u128,
    last: Option<usize>,
}

/// A set of states without those that another dominates.
#[derive(Debug, Default)]
struct Frontier {
    states: Vec<State>,
    used: HashMap<(u32, u128), Vec<u128>>,
}

impl Frontier {
    /// Adds a state unless it is dominated. `indeterminate` is the mask of unacknowledged calls.
    fn insert(&mut self, state: State, indeterminate: u128) -> bool {
        let used = state.done & indeterminate;
        let rivals = self.used.entry((state.value, state.done & !indeterminate)).or_default();
        if rivals.iter().any(|rival| rival & used == *rival) {
            return false;
        }
        rivals.retain(|rival| used & rival != used);
        rivals.push(used);
        self.states.push(state);
        true
    }

    /// The states that are not dominated.
    fn into_states(mut self, indeterminate: u128) -> Vec<State> {
        let used = &self.used;
        self.states.retain(|state| {
            let rivals = used.get(&(state.value, state.done & !indeterminate));
            rivals.is_some_and(|rivals| rivals.contains(&(state.done & indeterminate)))
        });
        self.states
    }
}

/// The open calls, each in a slot, the index of its bit in the masks.
#[derive(Debug, Clone, Default)]
struct Open {
    slots: Vec<Option<usize>>,
    /// The slots of unacknowledged calls.
    indeterminate: u128,
}

/// A search for an order.
pub(super) struct Search<'a> {
    open: Open,
    steps: Steps<'a>,
}

impl<'a> Search<'a> {
    /// A search that gives up after [`MAX_STEPS`], or when the budget is spent.
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self::within(MAX_STEPS, budget)
    }

    /// A search that gives up after `steps`, or when the budget is spent.
    pub(super) fn within(left: u64, budget: &'a Budget) -> Self {
        Self { open: Open::default(), steps: Steps { left, budget } }
    }

    /// Searches for an order of all calls on a register that is initially nil.
    pub(super) fn run(mut self, calls: &Calls) -> SearchOutcome {
        let events = events(&calls.all);
        // Without this shortcut, the search would have to try all orders to exclude such a value.
        let Some(at) = from_nowhere(&calls.all, &events) else { return self.run_from_nil(&calls.all, &events) };
        self.steps.left = self.steps.left.min(MAX_STEPS_BEFORE);
        let frontier = match self.run_from_nil(&calls.all, &events[..at]) {
            SearchOutcome::Linearizable(frontier) => frontier,
            SearchOutcome::GaveUp(_) => Vec::new(),
            earlier @ SearchOutcome::Violation(_) => return earlier,
        };
        SearchOutcome::Violation(Violation { call: events[at].call(), frontier, from_nowhere: true })
    }

    fn run_from_nil(mut self, calls: &[Call], events: &[Event]) -> SearchOutcome {
        let start = State { value: 0, done: 0, last: None };
        let broad = match self.walk(calls, events, vec![start]) {
            SearchOutcome::GaveUp(broad) if matches!(broad.bound, SearchLimit::Configs | SearchLimit::Steps) => broad,
            found @ (SearchOutcome::Linearizable(_) | SearchOutcome::Violation(_) | SearchOutcome::GaveUp(_)) => {
                return found;
            }
        };
        match deep::search(calls, events, start, self.steps.budget) {
            SearchOutcome::GaveUp(deep) => SearchOutcome::GaveUp(broad.and(deep)),
            found @ (SearchOutcome::Linearizable(_) | SearchOutcome::Violation(_)) => found,
        }
    }

    /// Searches for an order of `events` on a register whose initial value may be any of `values`, where each of the
    /// calls `open` may be linearized already.
    pub(super) fn run_from_anywhere(
        mut self,
        calls: &[Call],
        events: &[Event],
        values: u32,
        open: &[usize],
    ) -> SearchOutcome {
        let mut masks = vec![0];
        for call in open {
            let Some(bit) = self.open.begin(calls, *call) else {
                return SearchOutcome::GaveUp(GaveUp::at(events, 0, SearchLimit::Open));
            };
            if calls[*call].completion.is_none() {
                continue;
            }
            if calls[*call].effect.is_read() {
                for mask in &mut masks {
                    *mask |= bit;
                }
            } else {
                masks.extend(masks.clone().into_iter().map(|mask| mask | bit));
            }
        }
        let start =
            (0..values).flat_map(|value| masks.iter().map(move |done| State { value, done: *done, last: None }));
        let start = start.collect();
        self.walk(calls, events, start)
    }

    fn walk(&mut self, calls: &[Call], events: &[Event], start: Vec<State>) -> SearchOutcome {
        let mut states = start;
        for (at, event) in events.iter().enumerate() {
            let gave_up = |bound| SearchOutcome::GaveUp(GaveUp::at(events, at, bound));
            match *event {
                Event::Begin(call) => {
                    let Some(bit) = self.open.begin(calls, call) else { return gave_up(SearchLimit::Open) };
                    if let Effect::Read(value) = calls[call].effect {
                        for state in states.iter_mut().filter(|state| state.value == value) {
                            state.done |= bit;
                            state.last = Some(call);
                        }
                    }
                }
                Event::End(call) => {
                    let slot = self.open.slot(call);
                    let bit = 1 << slot;
                    match self.end(calls, &states, bit) {
                        Ok(next) if next.is_empty() => {
                            let frontier = self.open.configs(&states);
                            return SearchOutcome::Violation(Violation { call, frontier, from_nowhere: false });
                        }
                        Ok(next) => states = next,
                        Err(bound) => return gave_up(bound),
                    }
                    self.open.slots[slot] = None;
                }
            }
        }
        SearchOutcome::Linearizable(self.open.configs(&states))
    }

    /// The states in which the call of `bit` is linearized, with as few others as possible.
    fn end(&mut self, calls: &[Call], states: &[State], bit: u128) -> Result<Vec<State>, SearchLimit> {
        let (mut explored, mut ended) = (Frontier::default(), Frontier::default());
        let mut queue = VecDeque::new();
        for state in states {
            if state.done & bit != 0 {
                ended.insert(State { done: state.done & !bit, ..*state }, self.open.indeterminate);
            } else if explored.insert(*state, self.open.indeterminate) {
                queue.push_back(*state);
            }
        }
        while let Some(state) = queue.pop_front() {
            for slot in 0..self.open.slots.len() {
                let Some(next) = self.open.step(calls, state, slot) else { continue };
                self.steps.spend()?;
                if next.done & bit != 0 {
                    ended.insert(State { done: next.done & !bit, ..next }, self.open.indeterminate);
                } else if explored.insert(next, self.open.indeterminate) {
                    queue.push_back(next);
                }
            }
            if explored.states.len() + ended.states.len() > MAX_CONFIGS {
                return Err(SearchLimit::Configs);
            }
        }
        Ok(ended.into_states(self.open.indeterminate))
    }
}

impl Open {
    fn begin(&mut self, calls: &[Call], call: usize) -> Option<u128> {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if slot == MAX_OPEN {
            return None;
        }
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(call);
        let bit = 1 << slot;
        if calls[call].completion.is_none() {
            self.indeterminate |= bit;
        } else {
            self.indeterminate &= !bit;
        }
        Some(bit)
    }
    fn slot(&self, call: usize) -> usize {
        self.slots.iter().position(|open| *open == Some(call)).expect("a call completes after its invocation")
    }

    /// The state after linearizing the call in a slot, and every read that this satisfies.
    fn step(&self, calls: &[Call], state: State, slot: usize) -> Option<State> {
        let call = self.slots[slot].filter(|_| state.done & (1 << slot) == 0)?;
        let effect = calls[call].effect;
        if effect.is_read() {
            return None;
        }
        let value = effect.apply(state.value)?;
        let is_indeterminate = self.indeterminate & (1 << slot) != 0;
        let mut next = State { value, done: state.done | (1 << slot), last: Some(call) };
        for (other_slot, other) in self.slots.iter().enumerate() {
            let Some(other) = other.filter(|_| next.done & (1 << other_slot) == 0) else { continue };
            if calls[other].effect == Effect::Read(value) {
                next.done |= 1 << other_slot;
                next.last = Some(other);
            }
            let twin = is_indeterminate && other < call && self.indeterminate & (1 << other_slot) != 0;
            if twin && calls[other].effect == effect {
                return None;
            }
        }
        let useless = is_indeterminate && value == state.value;
        (!useless).then_some(next)
    }

    fn configs(&self, states: &[State]) -> Vec<Config> {
        let config = |state: &State| {
            let open = self.slots.iter().enumerate().filter(|(slot, _)| state.done & (1 << slot) == 0);
            Config { state: state.value, last: state.last, pending: open.filter_map(|(_, call)| *call).collect() }
        };
        states.iter().map(config).collect()
    }
}
