//! The wheel compared with a sorted set, over millions of random steps.

use super::Wheel;
use crate::time::{Duration, Time};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A wheel checked against a sorted set.
#[derive(Default)]
struct CheckedWheel {
    wheel: Wheel<u64>,
    sorted: BTreeSet<(Time, u64)>,
    count: u64,
    now: Time,
}

impl CheckedWheel {
    fn arm(&mut self, at: Time) {
        self.wheel.arm(at, self.count);
        self.sorted.insert((at, self.count));
        self.count += 1;
        self.check();
    }

    /// Pops at most `most` entries at `now`; returns their number.
    fn pop(&mut self, now: Time, most: usize) -> usize {
        self.now = now;
        for popped in 0..most {
            let next = self.sorted.iter().next().copied().filter(|&(at, _)| at <= now);
            assert_eq!(self.wheel.pop(now), next);
            let Some(next) = next else { return popped };
            self.sorted.remove(&next);
            self.check();
        }
        most
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.sorted.len());
        assert_eq!(self.wheel.is_empty(), self.sorted.is_empty());
        assert_eq!(self.wheel.deadline(), self.sorted.iter().next().map(|&(at, _)| at));
    }
}

/// `SplitMix64` (Steele, Lea and Flood 2014): a stream long enough for schedules too long to shrink.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number of at most `bits` bits, of which small ones are as likely as large ones.
    fn of_any_size(&mut self, bits: u64) -> u64 {
        let size = self.below(bits + 1);
        if size == 0 { 0 } else { self.next() >> (64 - size) }
    }
}

/// A schedule of `steps` steps whose delays have up to `delay_bits` bits and whose jumps have up to `jump_bits`.
fn long_schedule(seed: u64, steps: u32, delay_bits: u64, jump_bits: u64, past_in: u64) {
    let mut random = Random(seed);
    let mut checked = CheckedWheel::default();
    for _ in 0..steps {
        if random.below(2) == 0 {
            let delay = Duration::from_nanos(random.of_any_size(delay_bits));
            let at = if random.below(past_in) == 0 { checked.now - delay } else { checked.now + delay };
            checked.arm(at);
        } else {
            let jump = Duration::from_nanos(random.of_any_size(jump_bits));
            let most = usize::try_from(random.below(4)).expect("a small number");
            checked.pop(checked.now + jump, most);
        }
    }
    checked.pop(Time::from_nanos(u64::MAX), usize::MAX);
    assert!(checked.wheel.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Arm(u64),
    Pop(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let instant = || prop_oneof![0..70_u64, 4_000..4_200_u64, any::<u64>(), (u64::MAX - 70)..=u64::MAX];
    prop_oneof![instant().prop_map(Step::Arm), (instant(), 0..5_usize).prop_map(|(now, most)| Step::Pop(now, most))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn millions_of_random_steps_leave_in_sorted_order(
        seed: u64, delay_bits in 1..50_u64, jump_bits in 1..50_u64, past_in in 2..1000_u64,
    ) {
        long_schedule(seed, 50_000, delay_bits, jump_bits, past_in);
    }
}

proptest! {
    #[test]
    fn entries_leave_in_sorted_order_even_if_time_goes_back(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut checked = CheckedWheel::default();
        for step in steps {
            match step {
                Step::Arm(at) => checked.arm(Time::from_nanos(at)),
                Step::Pop(now, most) => {
                    checked.pop(Time::from_nanos(now), most);
                }
            }
        }
        checked.pop(Time::from_nanos(u64::MAX), usize::MAX);
        prop_assert!(checked.wheel.is_empty());
    }
}

#[test]
fn equal_deadlines_leave_in_the_order_they_were_armed_at_whatever_distance() {
    let mut checked = CheckedWheel::default();
    let at = Time::from_millis(5_000);
    for now in [0, 1, 4_000, 4_900, 4_999, 5_000] {
        checked.arm(Time::from_millis(now));
        checked.arm(at);
        checked.pop(Time::from_millis(now), 1);
    }
    assert_eq!(checked.pop(at, usize::MAX), 6);
}

#[test]
fn entries_years_away_wait_and_then_leave_after_one_jump() {
    let mut checked = CheckedWheel::default();
    let year = Duration::from_secs(365 * 24 * 3600);
    for years in [500, 3, 1, 40] {
        checked.arm(Time::ZERO + year * years);
    }
    checked.arm(Time::from_nanos(u64::MAX));
    assert_eq!(checked.pop(Time::ZERO + year * 2, usize::MAX), 1);
    assert_eq!(checked.pop(Time::ZERO + year * 499, usize::MAX), 2);
    assert_eq!(checked.pop(Time::from_nanos(u64::MAX), usize::MAX), 2);
}

#[test]
fn memory_is_reused() {
    let mut wheel = Wheel::with_capacity(8);
    let capacity = wheel.entries.capacity();
    for round in 0..1_000 {
        for ms in 0..8 {
            wheel.arm(Time::from_millis(round * 10 + ms), ms);
        }
        while wheel.pop(Time::from_millis(round * 10 + 7)).is_some() {}
    }
    assert_eq!(wheel.entries.capacity(), capacity);
}
