//! A warm node allocates nothing: counted, not believed.
//!
//! The counts are the calling thread's own, so tests may run side by side.

#![expect(unsafe_code, reason = "a global allocator has no safe form")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use gossip_gloomers::engine::{Birth, Engine, SETTLE};
use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, UniqueIds};
use gossip_gloomers::shell::{Machine, PADDING};
use gossip_gloomers::time::Time;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn count() {
        // A thread that is ending has nothing left to count with, and nobody who asks.
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
    }
}

// SAFETY: everything is the system allocator's doing; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

/// A node in a cluster of three, and the buffer that a host would have.
struct Warm<N: Node> {
    engine: Engine<N>,
    buffer: Vec<u8>,
    now: Time,
    /// Bytes said so far.
    said: usize,
}

impl<N: Node> Warm<N>
where
    N::Options: Default,
{
    fn new() -> Self {
        let birth = Birth { incarnation: 1_763_838_000_000_000, seed: 7, options: N::Options::default() };
        let mut warm =
            Self { engine: Engine::new(birth), buffer: Vec::with_capacity(1 << 20), now: Time::ZERO, said: 0 };
        let body = r#"{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0","n1","n2"]}"#;
        warm.feed(&format!(r#"{{"id":0,"src":"c0","dest":"n0","body":{body}}}"#));
        warm.pass(SETTLE * 2);
        warm
    }

    fn feed(&mut self, line: &str) {
        self.buffer.clear();
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        let len = self.buffer.len();
        self.buffer.extend_from_slice(&[0; PADDING]);
        self.engine.feed(&mut self.buffer, len, self.now);
        self.take();
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        while self.engine.deadline().is_some_and(|due| due <= self.now) {
            self.engine.expire(self.now);
        }
        self.take();
    }

    fn take(&mut self) {
        self.said += self.engine.output().len();
        self.engine.output().clear();
    }

    /// Allocations of 10,000 requests after a few, with time going by.
    fn cost_of(&mut self, bodies: &[&str]) -> u64 {
        let mut line = String::with_capacity(1 << 12);
        let mut request = |warm: &mut Self, number: usize| {
            line.clear();
            let (client, body) = (number % 50, bodies[number % bodies.len()]);
            write!(line, r#"{{"id":{number},"src":"c{client}","dest":"n0","body":{{{body},"msg_id":{number}}}}}"#)
                .expect("a String takes everything");
            let before = warm.said;
            warm.feed(&line);
            assert!(warm.said > before, "every request is answered");
        };
        for number in 0..1000 {
            request(self, number);
        }
        allocations(|| {
            for number in 1000..11_000 {
                request(self, number);
            }
        })
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn ten_thousand_echoes_allocate_nothing() {
    let mut node = Warm::<Echo>::new();
    let bodies = [
        r#""type":"echo","echo":"Please echo 17""#,
        r#""type":"echo","echo":{"a":[1,-2.5e3,true,null,"\u00e9\n\"\\"],"b":{"c":"d"}}"#,
        r#""type":"echo","echo":[[],{},[[[18446744073709551615]]]]"#,
    ];
    assert_eq!(node.cost_of(&bodies), 0);
}

#[test]
fn ten_thousand_ids_allocate_nothing() {
    assert_eq!(Warm::<UniqueIds>::new().cost_of(&[r#""type":"generate""#]), 0);
}

#[test]
fn ten_thousand_reads_and_known_values_allocate_nothing() {
    let mut node = Warm::<Broadcast>::new();
    for value in 0..1000 {
        node.feed(&format!(
            r#"{{"src":"c1","dest":"n0","body":{{"type":"broadcast","message":{value},"msg_id":{value}}}}}"#
        ));
    }
    let bodies = [
        r#""type":"read""#,
        r#""type":"broadcast","message":7"#,
        r#""type":"broadcast","message":999"#,
        r#""type":"topology","topology":{"n0":["n1","n2"],"n1":["n0"],"n2":["n0"]}"#,
    ];
    assert_eq!(node.cost_of(&bodies), 0);
}

/// Hears operations of `n1`, from number `first`, as its message of that number.
fn gossip(node: &mut Warm<Broadcast>, line: &mut String, number: u64, first: u64, ops: std::fmt::Arguments<'_>) {
    let age = 1_000_000 + number * 1000;
    let at = 1_763_838_000_000_500 + age;
    line.clear();
    line.push_str(r#"{"src":"n1","dest":"n0","body":{"type":"gossip""#);
    write!(line, r#","at":{at},"age":{age},"follows":0,"have":[0,-500,0],"ops":[[1,0,{first},{ops}]]}}}}"#)
        .expect("a String takes everything");
    node.feed(line);
    node.pass(Duration::from_millis(1));
}

#[test]
fn merging_known_operations_allocates_nothing() {
    let mut node = Warm::<Broadcast>::new();
    let mut line = String::with_capacity(1 << 12);
    let mut hear = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            gossip(&mut node, &mut line, number, 1, format_args!(r#"10,11,"twelve",{{"x":13}}"#));
        }
    };
    // Long enough to doubt the peers that never answer, and to have asked all of them.
    hear(0..8000);
    assert_eq!(allocations(|| hear(8000..18_000)), 0);
}

#[test]
fn merging_new_operations_allocates_only_what_holds_them() {
    let mut node = Warm::<Broadcast>::new();
    let mut line = String::with_capacity(1 << 12);
    let mut hear = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            gossip(&mut node, &mut line, number, number + 1, format_args!("{}", 5000 + number));
        }
    };
    hear(0..1000);
    let cost = allocations(|| hear(1000..9000));
    // The key of each value in the set, and a few doublings of tables.
    assert!((8000..8100).contains(&cost), "{cost}");
}
