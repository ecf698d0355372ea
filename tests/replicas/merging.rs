//! Merging is commutative, associative and idempotent: what a replica holds follows from the set of messages alone.

use std::collections::BTreeMap;
use std::time::Duration;

use gossip_gloomers::engine::StateMachine;
use gossip_gloomers::engine::{Engine, EngineConfig};
use gossip_gloomers::gossip::Settings;
use gossip_gloomers::time::Time;

use crate::chance::{Chance, each_seed};
use crate::hearsay::Maker;
use crate::ledger::{Ledger, Name};
use crate::weather::{self, Weather};
use crate::wires::{EPOCH, Mail, feed, init};

/// Messages that were heard in some cluster, from others than `me`, each in the last incarnation of its sender: former
/// ones are refused once a later one is known.
fn messages(seed: u64, me: usize) -> (usize, Vec<Mail>) {
    let duration = Duration::from_secs(4);
    let mut cluster = weather::cluster(seed, Weather::STORM.any(&mut Chance::new(!seed)), duration);
    cluster.arrived = Some(Vec::new());
    cluster.pass(duration * 2);
    let mut all = cluster.arrived.take().expect("kept");
    let mut last = BTreeMap::new();
    for mail in &all {
        let incarnation: &mut u64 = last.entry(mail.from).or_default();
        *incarnation = mail.said.incarnation.max(*incarnation);
    }
    all.retain(|mail| mail.from != me && mail.said.incarnation == last[&mail.from]);
    (cluster.living().count(), all)
}

/// What a replica makes of messages that come in batches.
struct Merged {
    entries: BTreeMap<Name, Box<[u8]>>,
    vector: BTreeMap<Maker, u32>,
}

fn merge<'a>(me: usize, nodes: usize, batches: impl Iterator<Item = Vec<&'a Mail>>) -> Merged {
    let config = EngineConfig { incarnation: 2 * EPOCH, seed: 7, options: Settings::default() };
    let mut engine = Engine::<Ledger>::new(config);
    let mut now = Time::from_millis(1);
    let mut lines = init(me, nodes).into_bytes();
    feed(&mut engine, &mut lines, now);
    for batch in batches {
        now = now + Duration::from_millis(7);
        while engine.next_deadline().is_some_and(|due| due <= now) {
            engine.on_deadline(now);
        }
        for mail in batch {
            lines.extend_from_slice(&mail.line);
        }
        feed(&mut engine, &mut lines, now);
    }
    let ledger = engine.node().expect("initialised");
    let mut vector = ledger.vector();
    // What it hands on for the dead depends on when it heard what.
    vector.retain(|maker, _| (maker.0 as usize) < nodes);
    Merged { entries: ledger.entries().clone(), vector }
}

/// Everything again in any order, some of it several times, in batches of any size.
fn disorder<'a>(all: &'a [Mail], chance: &mut Chance) -> Vec<Vec<&'a Mail>> {
    let mut pile: Vec<&Mail> = all.iter().flat_map(|mail| vec![mail; 1 + chance.index(3)]).collect();
    chance.shuffle(&mut pile);
    let mut batches = Vec::new();
    while !pile.is_empty() {
        let size = (1 + chance.index(10)).min(pile.len());
        batches.push(pile.split_off(pile.len() - size));
    }
    batches
}

#[test]
fn messages_come_to_the_same_in_any_order_grouping_and_number() {
    each_seed("messages_come_to_the_same_in_any_order_grouping_and_number", 300, |seed| {
        let (nodes, all) = messages(seed, 0);
        let mut chance = Chance::new(seed);
        let plain = merge(0, nodes, all.iter().map(|mail| vec![mail]));
        let mut union = BTreeMap::new();
        for run in all.iter().flat_map(|mail| &mail.said.runs) {
            for (number, operation) in run.numbers().zip(&run.operations) {
                let (name, operation) = operation.unpack((run.maker.0, run.maker.1, number));
                union.insert(name, operation.to_string().into_bytes().into());
            }
        }
        assert_eq!(plain.entries, union, "a replica holds the union of what it hears");
        for _ in 0..3 {
            let other = merge(0, nodes, disorder(&all, &mut chance).into_iter());
            assert_eq!((other.entries, other.vector), (plain.entries.clone(), plain.vector.clone()));
        }
    });
}
