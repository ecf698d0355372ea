//! All contenders in turns, and one table: `cargo bench --bench race [-- ROUNDS]`.
//!
//! A round gives each contender a tenth of a second of messages as fast as they go, then two thousand messages of which
//! each waits for the answer to the one before, and then a fresh start; so whatever else the machine does is shared.
//! Every answer is checked. Instructions and allocations are valgrind's, system calls strace's; what is not installed
//! leaves dashes. Last, ours answers ten million messages in one incarnation.

#[path = "../suite/contender.rs"]
mod contender;
mod counted;

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use contender::{BATCH, Contender, NUMBERS, Running, batch, check_one, contenders, echo};

const ROUNDS: usize = 30;
const PUMPED: Duration = Duration::from_millis(100);
const ASKED: usize = 2_000;
const LIFE: u64 = 10_000_000;

/// A contender and what it has done.
struct Racer {
    contender: Contender,
    node: Running,
    /// Messages a second, by round.
    rates: Vec<f64>,
    /// Nanoseconds of each round trip.
    trips: Vec<u64>,
    /// From start to `init_ok`, by round.
    starts: Vec<Duration>,
}

impl Racer {
    fn new(contender: Contender) -> Self {
        let node = contender.start();
        Self { contender, node, rates: Vec::new(), trips: Vec::new(), starts: Vec::new() }
    }

    /// As fast as it goes.
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

    /// One at a time.
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    fn ask(&mut self) {
        for number in NUMBERS.take(ASKED) {
            let message = echo(number);
            let before = Instant::now();
            let answer = self.node.ask(message.as_bytes());
            let trip = before.elapsed();
            check_one(answer, number);
            self.trips.push(u64::try_from(trip.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn start_anew(&mut self) {
        let fresh = self.contender.start();
        self.starts.push(fresh.start);
        fresh.end();
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
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
            racer.start_anew();
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
    println!("\nours: {size} KB of program, {} KiB of memory after {LIFE} messages", memory_of_a_life(ours, &batch));
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

/// The most memory that it ever had, in KiB.
fn memory_of_a_life(contender: &Contender, batch: &str) -> String {
    let mut node = contender.start();
    let mut answers = Vec::new();
    for _ in 0..LIFE / BATCH {
        answers.clear();
        node.pump(batch.as_bytes(), 1, &mut answers);
    }
    contender.check(&answers);
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap_or_default();
    let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    high.and_then(|rest| rest.split_whitespace().next()).unwrap_or("-").to_owned()
}
