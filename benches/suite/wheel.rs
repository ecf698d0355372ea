//! The timer wheel against a binary heap: arming, expiring, and both while many other timers wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use gossip_gloomers::time::Time;
use gossip_gloomers::wheel::Wheel;

/// Timers that fire in one iteration.
const FIRED: u32 = 1024;

/// A queue of timers; those with equal deadlines must leave in the order of arming.
trait Timers: Default {
    fn arm(&mut self, at: u64, timer: u32);
    fn next(&self) -> Option<u64>;
    fn pop(&mut self, now: u64) -> Option<u32>;
}

impl Timers for Wheel<u32> {
    fn arm(&mut self, at: u64, timer: u32) {
        Wheel::arm(self, Time::from_nanos(at), timer);
    }

    fn next(&self) -> Option<u64> {
        self.deadline().map(Time::as_nanos)
    }

    fn pop(&mut self, now: u64) -> Option<u32> {
        Wheel::pop(self, Time::from_nanos(now)).map(|(_, timer)| timer)
    }
}

#[derive(Default)]
struct Heap {
    entries: BinaryHeap<Reverse<(u64, u64, u32)>>,
    armed: u64,
}

impl Timers for Heap {
    fn arm(&mut self, at: u64, timer: u32) {
        self.armed += 1;
        self.entries.push(Reverse((at, self.armed, timer)));
    }

    fn next(&self) -> Option<u64> {
        self.entries.peek().map(|Reverse((at, ..))| *at)
    }

    fn pop(&mut self, now: u64) -> Option<u32> {
        self.next().filter(|at| *at <= now)?;
        self.entries.pop().map(|Reverse((.., timer))| timer)
    }
}

/// Timers that are armed again as soon as they fire.
#[derive(Default)]
struct Load<T> {
    timers: T,
    random: u64,
    now: u64,
}

impl<T: Timers> Load<T> {
    fn new(waiting: u32) -> Self {
        let mut load = Self { timers: T::default(), random: 7, now: 0 };
        for timer in 0..waiting {
            load.arm(timer);
        }
        load
    }

    /// Arms a timer 1 to 1,049 ms from now, in whole microseconds, like those of nodes.
    fn arm(&mut self, timer: u32) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.timers.arm(self.now + 1_000_000 + (self.random >> 44) * 1000, timer);
    }

    /// Fires timers in order; returns a hash of the order.
    fn run(&mut self) -> u64 {
        let (mut fired, mut hash) = (0, 0_u64);
        while fired < FIRED {
            self.now = self.timers.next().expect("every timer is armed again");
            while let Some(timer) = self.timers.pop(self.now) {
                hash = hash.wrapping_mul(31).wrapping_add(timer.into());
                self.arm(timer);
                fired += 1;
            }
        }
        hash
    }
}

impl<T: Timers> Load<T> {
    /// Fires all timers; returns a hash of the order.
    fn drain(&mut self) -> u64 {
        let mut hash = 0_u64;
        while let Some(at) = self.timers.next() {
            while let Some(timer) = self.timers.pop(at) {
                hash = hash.wrapping_mul(31).wrapping_add(timer.into());
            }
        }
        hash
    }
}

fn arm<T: Timers>(group: &mut BenchmarkGroup<'_, WallTime>, contender: &str) {
    group.bench_function(contender, |bencher| bencher.iter(|| Load::<T>::new(FIRED)));
}

fn expire<T: Timers>(group: &mut BenchmarkGroup<'_, WallTime>, contender: &str) {
    group.bench_function(contender, |bencher| {
        bencher.iter_batched_ref(|| Load::<T>::new(FIRED), Load::drain, BatchSize::SmallInput);
    });
}

pub(crate) fn bench(criterion: &mut Criterion) {
    assert_eq!(Load::<Wheel<u32>>::new(FIRED).drain(), Load::<Heap>::new(FIRED).drain());
    let mut group = criterion.benchmark_group(format!("wheel/arm/{FIRED}"));
    group.throughput(Throughput::Elements(FIRED.into()));
    arm::<Wheel<u32>>(&mut group, "ours");
    arm::<Heap>(&mut group, "binary_heap");
    group.finish();
    let mut group = criterion.benchmark_group(format!("wheel/expire/{FIRED}"));
    group.throughput(Throughput::Elements(FIRED.into()));
    expire::<Wheel<u32>>(&mut group, "ours");
    expire::<Heap>(&mut group, "binary_heap");
    group.finish();
    for waiting in [32, 1024, 32_768] {
        let (mut wheel, mut heap) = (Load::<Wheel<u32>>::new(waiting), Load::<Heap>::new(waiting));
        for _ in 0..10 {
            assert_eq!(wheel.run(), heap.run());
        }
        let mut group = criterion.benchmark_group(format!("wheel/churn/{waiting}"));
        group.throughput(Throughput::Elements(FIRED.into()));
        group.bench_function("ours", |bencher| bencher.iter(|| wheel.run()));
        group.bench_function("binary_heap", |bencher| bencher.iter(|| heap.run()));
        group.finish();
    }
}
