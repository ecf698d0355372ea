//! All contenders in turn, in one table: `cargo bench --bench race [-- ROUNDS]`.
//!
//! In each round, each contender handles a tenth of a second of messages at full speed, then two thousand round trips,
//! and then a restart, so that other load on the machine affects all alike. Every reply is checked. Instructions and
//! allocations are counted by valgrind, system calls by strace; without these the table has dashes. Finally, our node
//! handles ten million messages in one process.

#[path = "../suite/contender.rs"]
mod contender;
mod counted;

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use contender::{BATCH, Contender, NUMBERS, Running, batch, check_one, contenders, echo};

const ROUNDS: usize = 30;
const FULL_SPEED_FOR: Duration = Duration::from_millis(100);
const ROUND_TRIPS: usize = 2_000;
const LONG_RUN: u64 = 10_000_000;

/// A contender and its measurements.
struct Racer {
    contender: Contender,
    node: Running,
    /// Messages per second, by round.
    rates: Vec<f64>,
    /// The duration of each round trip, in nanoseconds.
    round_trips: Vec<u64>,
    /// The time from start to `init_ok`, by round.
    starts: Vec<Duration>,
}

impl Racer {
    fn new(contender: Contender) -> Self {
        let node = contender.start();
        Self { contender, node, rates: Vec::new(), round_trips: Vec::new(), starts: Vec::new() }
    }

    /// Measures messages per second at full speed.
    #[expect(clippy::cast_precision_loss, reason = "messages of a tenth of a second")]
    fn measure_throughput(&mut self, batch: &[u8]) {
        let (mut batches, mut elapsed) = (0, Duration::ZERO);
        let mut replies = Vec::with_capacity(batch.len() * 2);
        while elapsed < FULL_SPEED_FOR {
            replies.clear();
            elapsed += self.node.exchange(batch, 1, &mut replies);
            batches += 1;
        }
        self.contender.check(&replies);
        self.rates.push((batches * BATCH) as f64 / elapsed.as_secs_f64());
    }

    /// Measures round trips.
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    fn measure_round_trips(&mut self) {
        for number in NUMBERS.take(ROUND_TRIPS) {
            let message = echo(number);
            let before = Instant::now();
            let reply = self.node.request(message.as_bytes());
            let trip = before.elapsed();
            check_one(reply, number);
            self.round_trips.push(u64::try_from(trip.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn measure_start(&mut self) {
        let node = self.contender.start();
        self.starts.push(node.start);
        node.end();
    }
}

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let default = if arguments.iter().any(|argument| argument == "--test") { 1 } else { ROUNDS };
    let rounds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(default);
    let batch = batch();
    let mut racers: Vec<_> = contenders().into_iter().map(Racer::new).collect();
    for _ in 0..rounds {
        for racer in &mut racers {
            racer.measure_throughput(batch.as_bytes());
            racer.measure_round_trips();
            racer.measure_start();
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
        let (p50, p99) = (quantile(&mut racer.round_trips, 0.5), quantile(&mut racer.round_trips, 0.99));
        println!(
            "| {name} | {rate:.0} | {} / {} | {} | {} | {} | {} | {:.1} |",
            micros(p50),
            micros(p99),
            or_dash(counted::instructions(contender), 0),
            or_dash(counted::allocations(contender), 1),
            or_dash(counted::syscalls(contender), 3),
            or_dash(counted::syscalls_per_round_trip(contender), 1),
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

fn or_dash(count: Option<f64>, digits: usize) -> String {
    count.map_or_else(|| "-".to_owned(), |count| format!("{count:.digits$}"))
}

/// The peak memory of a long run, in KiB.
fn peak_memory(contender: &Contender, batch: &str) -> String {
    let mut node = contender.start();
    let mut replies = Vec::new();
    for _ in 0..LONG_RUN / BATCH {
        replies.clear();
        node.exchange(batch.as_bytes(), 1, &mut replies);
    }
    contender.check(&replies);
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|rest| rest.split_whitespace().next()).unwrap_or("-").to_owned()
}
