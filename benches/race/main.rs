//! All contenders in turn, in one table: `cargo bench --bench race [-- ROUNDS]`.
//!
//! In each round, each contender handles a tenth of a second of messages at full speed, then two thousand round trips,
//! and then a restart, so that other load of the machine affects all alike. Every reply is checked. Instructions and
//! allocations are counted by valgrind, system calls by strace; without these the table has dashes. At last, ours
//! handles ten million messages in one process.

#[path = "../suite/contender.rs"]
mod contender;
mod counted;

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use contender::{BATCH, Contender, NUMBERS, Running, batch, check_one, contenders, echo};

const ROUNDS: usize = 30;
const PUMPED: Duration = Duration::from_millis(100);
const ROUND_TRIPS: usize = 2_000;
const LONG_RUN: u64 = 10_000_000;

/// A contender and its measurements.
struct Racer {
    contender: Contender,
    node: Running,
    /// Messages per second, by round.
    rates: Vec<f64>,
    /// The duration of each round trip, in nanoseconds.
    trips: Vec<u64>,
    /// The time from start to `init_ok`, by round.
    starts: Vec<Duration>,
}

impl Racer {
    fn new(contender: Contender) -> Self {
        let node = contender.start();
        Self { contender, node, rates: Vec::new(), trips: Vec::new(), starts: Vec::new() }
    }

    /// Measures messages at full speed.
    #[expect(clippy::cast_precision_loss, reason = "messages of a tenth of a second")]
    fn pump(&mut self, batch: &[u8]) {
        let (mut batches, mut spent) = (0, Duration::ZERO);
        let mut answers = Vec::with_capacity(batch.len() * 2);
        while spent < PUMPED {
            answers.clear();
            spent += self.node.pump(batch, 1, &mut answers);
            batches += 1;
        }
        self.contender.check(&answers);
        self.rates.push((batches * BATCH) as f64 / spent.as_secs_f64());
    }

    /// Measures round trips.
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    fn ask(&mut self) {
        for number in NUMBERS.take(ROUND_TRIPS) {
            let message = echo(number);
            let before = Instant::now();
            let answer = self.node.ask(message.as_bytes());
            let trip = before.elapsed();
            check_one(answer, number);
            self.trips.push(u64::try_from(trip.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn restart(&mut self) {
        let fresh = self.contender.start();
        self.starts.push(fresh.start);
        fresh.end();
    }
}

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let usual = if words.iter().any(|word| word == "--test") { 1 } else { ROUNDS };
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(usual);
    let batch = batch();
    let mut racers: Vec<_> = contenders().into_iter().map(Racer::new).collect();
    for _ in 0..rounds {
        for racer in &mut racers {
            racer.pump(batch.as_bytes());
            racer.ask();
            racer.restart();
        }
    }
    println!(
        "| node | messages/s | ping-pong p50 / p99 µs | instructions | allocations | syscalls, full speed | \
         syscalls, round trip | start ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for racer in &mut racers {
        let (contender, name) = (&racer.contender, racer.contender.name);
        let (rate, start) = (quantile(&mut racer.rates, 0.5), quantile(&mut racer.starts, 0.5));
        let (middle, high) = (quantile(&mut racer.trips, 0.5), quantile(&mut racer.trips, 0.99));
        println!(
            "| {name} | {rate:.0} | {} / {} | {} | {} | {} | {} | {:.1} |",
            micros(middle),
            micros(high),
            shown(counted::instructions(contender), 0),
            shown(counted::allocations(contender), 1),
            shown(counted::syscalls(contender), 3),
            shown(counted::syscalls_of_a_trip(contender), 1),
            start.as_secs_f64() * 1000.0,
        );
    }
    let ours = &racers[0].contender;
    let size = fs::metadata(&ours.program).expect("it runs").len() / 1000;
    println!("\nours: {size} KB of program, {} KiB of memory after {LONG_RUN} messages", peak_memory(ours, &batch));
    ExitCode::SUCCESS
}

fn quantile<T: PartialOrd + Copy>(values: &mut [T], at: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("durations and rates have an order"));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = (values.len() as f64 * at) as usize;
    values[index.min(values.len() - 1)]
}

fn micros(ns: u64) -> String {
    format!("{}.{}", ns / 1000, ns % 1000 / 100)
}

fn shown(count: Option<f64>, digits: usize) -> String {
    count.map_or_else(|| "-".to_owned(), |count| format!("{count:.digits$}"))
}

/// The peak memory of a long run, in KiB.
fn peak_memory(contender: &Contender, batch: &str) -> String {
    let mut node = contender.start();
    let mut answers = Vec::new();
    for _ in 0..LONG_RUN / BATCH {
        answers.clear();
        node.pump(batch.as_bytes(), 1, &mut answers);
    }
    contender.check(&answers);
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap_or_default();
    let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    high.and_then(|rest| rest.split_whitespace().next()).unwrap_or("-").to_owned()
}
