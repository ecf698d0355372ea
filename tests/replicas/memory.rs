//! What all have acknowledged keeps nothing but its place in the log: bytes are counted, not believed.

#![expect(unsafe_code, reason = "a global allocator has no safe form")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use gossip_gloomers::engine::StateMachine;
use gossip_gloomers::engine::{Engine, EngineConfig};
use gossip_gloomers::gossip::log::{Log, Origin};
use gossip_gloomers::gossip::{Settings, View};
use gossip_gloomers::time::Time;

use crate::hearsay::{self, Said};
use crate::ledger::Ledger;
use crate::wires::{EPOCH, append, feed, init};

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn count(more: usize, less: usize) {
        // A thread that is ending has nothing left to count with, and nobody who asks.
        HELD.try_with(|held| held.set(held.get().wrapping_add(more).wrapping_sub(less))).ok();
    }
}

// SAFETY: everything is the system allocator's doing; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that go with a value.
fn size_of<T>(value: T) -> usize {
    let before = HELD.get();
    drop(value);
    // What came from other threads and was freed here may have made both less than nothing.
    before.wrapping_sub(HELD.get())
}

/// Makes nothing of the operations.
#[derive(Debug, Default)]
struct Nothing;

impl View for Nothing {
    fn apply(&mut self, _: Origin, _: u32, _: &[u8]) {}
}

/// A log of its own with the same operations.
fn copy(log: &Log) -> Log {
    let mut copy = Log::default();
    for slot in 0..log.origins() {
        let same = copy.slot(log.origin(slot));
        for number in 1..=log.reach(slot) {
            let payload = log.payload(slot, number).expect("within reach");
            copy.insert(same, number, |text| text.extend_from_slice(payload));
        }
    }
    copy
}

const NODES: usize = 4;

/// Replicas between which messages take no time, after so many operations, and long enough for all acknowledgements.
fn replicas(operations: i64, max_staleness: Option<Duration>) -> Vec<Engine<Ledger<Nothing>>> {
    let config = || EngineConfig { incarnation: EPOCH, seed: 7, options: Settings { max_staleness } };
    let mut engines: Vec<_> = (0..NODES).map(|_| Engine::new(config())).collect();
    let mut now = Time::from_millis(1);
    let mut mail: Vec<(usize, Vec<u8>)> = (0..NODES).map(|node| (node, init(node, NODES).into_bytes())).collect();
    for step in 0..operations + 20_000 {
        if (1000..1000 + operations).contains(&step) {
            let node = usize::try_from(step).expect("positive") % NODES;
            mail.push((node, append(node, step).into_bytes()));
        }
        while let Some((to, mut line)) = mail.pop() {
            feed(&mut engines[to], &mut line, now);
        }
        for engine in &mut engines {
            engine.on_deadline(now);
            for line in std::mem::take(engine.output()).split_inclusive(|byte| *byte == b'\n') {
                if let Said::ToReplica(said) = hearsay::read(&line[..line.len() - 1]) {
                    mail.push((said.to, line.to_vec()));
                }
            }
        }
        now = now + Duration::from_millis(1);
    }
    engines
}

/// What replicas hold besides their logs, at most.
fn besides(operations: i64, max_staleness: Option<Duration>) -> usize {
    let besides = |engine: Engine<Ledger<Nothing>>| {
        let log = engine.node().expect("initialised").gossip.log();
        let held: u32 = (0..log.origins()).map(|slot| log.reach(slot)).sum();
        assert_eq!(i64::from(held), operations);
        let log = size_of(copy(log));
        size_of(engine) - log
    };
    replicas(operations, max_staleness).into_iter().map(besides).max().expect("some")
}

#[test]
fn the_counter_counts() {
    assert_eq!(size_of(std::hint::black_box(vec![7_u8; 1000])), 1000);
    assert_eq!(size_of(7), 0);
}

#[test]
fn what_is_acknowledged_is_held_in_the_log_and_nowhere_else() {
    for max_staleness in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
        // The least of them are enough for the largest batch, whose memory is used again.
        let (few, many) = (besides(5000, max_staleness), besides(20_000, max_staleness));
        // Longer numbers make longer lines; whoever kept even a byte of each operation would exceed this.
        assert!(many < few + 10_000, "{few} bytes besides the log with 5,000 operations, {many} with 20,000");
    }
}
