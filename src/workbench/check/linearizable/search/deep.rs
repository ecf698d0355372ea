//! The search in depth: one configuration at a time, with memoization (Wing & Gong 1993, Lowe 2017).

use std::collections::HashSet;

use super::{Event, GaveUp, MAX_CONFIGS, MAX_STEPS, Open, SearchLimit, SearchOutcome, State, Steps, Violation};
use crate::workbench::check::Budget;
use crate::workbench::check::linearizable::calls::{Call, Effect};

/// The open calls at a completion, in the order in which to try them.
struct OpenCalls {
    open: Open,
    bit: u128,
    order: Vec<usize>,
}

/// The state of the search at an event.
enum SearchEvent {
    Begin { read: Option<u32>, call: usize, bit: u128 },
    End(Box<OpenCalls>),
}

/// A configuration before a completion, and the number of calls that have been tried.
struct Branch {
    at: usize,
    state: State,
    tried: usize,
}

/// Searches for an order from a state on.
pub(super) fn search(calls: &[Call], events: &[Event], start: State, budget: &Budget) -> SearchOutcome {
    let gave_up = |at, bound| SearchOutcome::GaveUp(GaveUp::at(events, at, bound));
    let Some((search_events, last_open)) = search_events(calls, events) else { return gave_up(0, SearchLimit::Open) };
    let mut seen: HashSet<(usize, u32, u128)> = HashSet::new();
    let mut steps = Steps { left: budget.steps(MAX_STEPS), budget };
    let mut stuck: (usize, Vec<State>) = (0, Vec::new());
    let mut branches = Vec::new();
    let mut next = Some((0, start));
    loop {
        if let Some((from, state)) = next.take() {
            let (at, state) = advance(&search_events, from, state);
            let Some(SearchEvent::End(ending)) = search_events.get(at) else {
                return SearchOutcome::Linearizable(last_open.configs(&[state]));
            };
            if seen.insert((at, state.value, state.done)) {
                if at > stuck.0 {
                    stuck = (at, Vec::new());
                }
                if at == stuck.0 {
                    stuck.1.push(State { done: state.done & !ending.bit, ..state });
                }
                if seen.len() > MAX_CONFIGS {
                    return gave_up(stuck.0, SearchLimit::Configs);
                }
                branches.push(Branch { at, state, tried: 0 });
            }
        }
        let Some(branch) = branches.last_mut() else { break };
        let SearchEvent::End(ending) = &search_events[branch.at] else { break };
        let Some(slot) = ending.order.get(branch.tried) else {
            branches.pop();
            continue;
        };
        branch.tried += 1;
        if let Err(bound) = steps.spend() {
            return gave_up(stuck.0, bound);
        }
        next = ending.open.step(calls, branch.state, *slot).map(|state| (branch.at, state));
    }
    let (at, states) = stuck;
    let (SearchEvent::End(ending), Event::End(call)) = (&search_events[at], events[at]) else {
        return gave_up(at, SearchLimit::Steps);
    };
    SearchOutcome::Violation(Violation { call, frontier: ending.open.configs(&states), from_nowhere: false })
}

/// Advances to the next completion of a call that is not linearized, or past the last event.
fn advance(search_events: &[SearchEvent], mut at: usize, mut state: State) -> (usize, State) {
    while let Some(moment) = search_events.get(at) {
        match moment {
            SearchEvent::Begin { read, call, bit } => {
                if *read == Some(state.value) {
                    state.done |= bit;
                    state.last = Some(*call);
                }
            }
            SearchEvent::End(ending) if state.done & ending.bit != 0 => state.done &= !ending.bit,
            SearchEvent::End(_) => break,
        }
        at += 1;
    }
    (at, state)
}

/// The state of the search at each event, and the calls that are open after all of them.
fn search_events(calls: &[Call], events: &[Event]) -> Option<(Vec<SearchEvent>, Open)> {
    let mut open = Open::default();
    let mut search_events = Vec::with_capacity(events.len());
    for event in events {
        match *event {
            Event::Begin(call) => {
                let bit = open.begin(calls, call)?;
                let read = if let Effect::Read(value) = calls[call].effect { Some(value) } else { None };
                search_events.push(SearchEvent::Begin { read, call, bit });
            }
            Event::End(call) => {
                let slot = open.slot(call);
                let mut order: Vec<usize> = (0..open.slots.len()).filter(|slot| open.slots[*slot].is_some()).collect();
                // First the call itself, then by completion, and last the unacknowledged ones.
                let urgency = |slot: &usize| open.slots[*slot].and_then(|call| calls[call].completion);
                order.sort_by_key(|other| (*other != slot, urgency(other).is_none(), urgency(other)));
                search_events.push(SearchEvent::End(Box::new(OpenCalls { open: open.clone(), bit: 1 << slot, order })));
                open.slots[slot] = None;
            }
        }
    }
    Some((search_events, open))
}
