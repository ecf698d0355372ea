//! Histories of a correct database, valid under every model, and of one that errs once.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// A key's values with the transaction that wrote each.
type Table = BTreeMap<u64, Vec<(u64, usize)>>;

/// A transaction of a client: its steps, and what they saw once it happened.
struct Running {
    steps: Vec<(bool, u64, u64)>,
    begin: usize,
    answer: Option<String>,
}

struct Database {
    dialect: Dialect,
    table: Table,
    /// Where in the history each transaction ended.
    ends: Vec<Option<usize>>,
    /// Whether one read is still to miss the last write before it.
    err: bool,
}

impl Database {
    fn perform(&mut self, number: usize, running: &Running) -> String {
        let mut steps = Vec::new();
        for (write, key, value) in &running.steps {
            let row = self.table.entry(*key).or_default();
            if *write {
                row.push((*value, number));
                steps.push(format!("[:{} {key} {value}]", self.dialect.write()));
                continue;
            }
            let mut seen = row.clone();
            let once = running.steps.iter().filter(|(_, other, _)| other == key).count() == 1;
            let writer = row.last().map(|(_, writer)| *writer);
            let ended = writer.and_then(|writer| self.ends[writer]).is_some_and(|end| end < running.begin);
            if self.err && once && ended {
                self.err = false;
                seen.retain(|(_, by)| Some(*by) != writer);
            }
            let shown: Vec<_> = seen.iter().map(|(value, _)| value.to_string()).collect();
            let list = self.dialect.is_list();
            let told = match shown.last() {
                None => "nil".to_owned(),
                Some(_) if list => format!("[{}]", shown.join(" ")),
                Some(value) => value.clone(),
            };
            steps.push(format!("[:r {key} {told}]"));
        }
        format!("[{}]", steps.join(" "))
    }
}

/// A history, and whether the database erred in it.
fn simulated(dialect: Dialect, seed: u64, clients: usize, transactions: usize, err: bool) -> (Vec<String>, bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut database = Database { dialect, table: Table::new(), ends: vec![None; transactions], err: false };
    let mut busy: Vec<Option<(usize, Running)>> = (0..clients).map(|_| None).collect();
    let (mut lines, mut next, mut value) = (Vec::new(), 0, 0);
    while next < transactions || busy.iter().any(Option::is_some) {
        database.err = err && next > transactions / 3 && !lines.iter().any(|line| line == "erred");
        let client = rng.random_range(0..clients);
        match busy[client].take() {
            None if next < transactions => {
                let steps: Vec<_> = (0..rng.random_range(1..5))
                    .map(|_| {
                        value += 1;
                        (rng.random(), rng.random_range(0..4), value)
                    })
                    .collect();
                let text = steps.iter().map(|(write, key, value)| {
                    if *write { format!("[:{} {key} {value}]", dialect.write()) } else { format!("[:r {key} nil]") }
                });
                let text: Vec<_> = text.collect();
                busy[client] = Some((next, Running { steps, begin: lines.len(), answer: None }));
                lines.push(format!("{client} invoke txn [{}]", text.join(" ")));
                next += 1;
            }
            None => {}
            Some((number, running)) if running.answer.is_none() => {
                let before = database.err;
                let answer = database.perform(number, &running);
                if before && !database.err {
                    lines.push("erred".into());
                }
                busy[client] = Some((number, Running { answer: Some(answer), ..running }));
            }
            Some((number, running)) => {
                database.ends[number] = Some(lines.len());
                lines.push(format!("{client} ok txn {}", running.answer.unwrap_or_default()));
            }
        }
    }
    let erred = lines.iter().any(|line| line == "erred");
    lines.retain(|line| line != "erred");
    (lines, erred)
}

proptest! {
    #[test]
    fn a_correct_database_is_valid(seed in any::<u64>(), clients in 1_usize..6) {
        let (lines, _) = simulated(Dialect::Append, seed, clients, 60, false);
        prop_assert_eq!(appended(&lines, "strict-serializable").to_string(), "{:valid? true}");
        let (lines, _) = simulated(Dialect::Register, seed, clients, 60, false);
        let result = judged(check_register, &lines, "strict-serializable").expect("judged").to_edn();
        prop_assert_eq!(Verdict::of(&result), Verdict::True);
        prop_assert_eq!(result.get("gloomers").map(Verdict::of), Some(Verdict::True));
    }

    #[test]
    fn one_read_that_misses_the_last_write_is_found(seed in any::<u64>(), clients in 2_usize..6) {
        let (lines, erred) = simulated(Dialect::Append, seed, clients, 60, true);
        prop_assume!(erred);
        let result = appended(&lines, "strict-serializable");
        prop_assert_eq!(Verdict::of(&result), Verdict::False);
        prop_assert!(types(&result).iter().any(|name| name.starts_with('G')), "{}", result);
    }

    #[test]
    fn of_a_register_it_is_found_by_us(seed in any::<u64>(), clients in 2_usize..6) {
        let (lines, erred) = simulated(Dialect::Register, seed, clients, 60, true);
        prop_assume!(erred);
        let result = judged(check_register, &lines, "strict-serializable").expect("judged").to_edn();
        // Who overwrote what is not always known, so that neither checker is complete; but it never claims more.
        let extended = result.get("gloomers").map(Verdict::of);
        prop_assert!(Verdict::of(&result) == Verdict::True || extended == Some(Verdict::False), "{}", result);
    }
}

#[test]
fn two_thousand_transactions_take_no_time() {
    let (lines, _) = simulated(Dialect::Append, 7, 10, 2_000, false);
    assert_eq!(appended(&lines, "strict-serializable").to_string(), "{:valid? true}");
}
