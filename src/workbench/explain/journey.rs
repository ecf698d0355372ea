//! The journey of one value: who had it when, which messages carried it, and where the trail ends.

use std::collections::BTreeMap;

use crate::time::Time;
use crate::workbench::explain::bodies::Item;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::{Cut, Stop};
use crate::workbench::explain::words::{counted, duration, list, of_all, seconds, times};
use crate::workbench::explain::{Claim, Explanation, Step, acknowledged};
use crate::workbench::history::{Op, OpKind};
use crate::workbench::network::{Fate, Passage};

/// The maximum number of steps about nodes that had the value, and about messages that carried it.
const MAX_HOLDERS: usize = 4;
const MAX_GROUPS: usize = 4;

/// The journey of a value.
#[derive(Debug)]
pub(super) struct Journey<'a> {
    /// The messages between servers that carry it, in the order of sending.
    pub(super) carriers: Vec<&'a Passage>,
    /// Since when each server has had it, and the message that brought it first.
    pub(super) holders: BTreeMap<&'a str, (Time, &'a Passage)>,
    /// Messages whose sender had not been given it by any message that shows it.
    pub(super) unexplained: Vec<&'a Passage>,
}

/// A value, the operations that bring it to the nodes, and its journey.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// The invocations that bring it, each with its completion.
    pub(super) adds: Vec<(&'a Op, Option<&'a Op>)>,
    pub(super) journey: Journey<'a>,
    /// Whether any message between servers shows values.
    pub(super) is_shown: bool,
}

impl<'a> Subject<'a> {
    /// The journeys of some values, each with the operations that bring it. `items` gives the items that an operation
    /// sends.
    pub(super) fn of(
        evidence: &Evidence<'a>,
        items: impl Fn(&Op) -> Vec<Item>,
        wanted: &[Item],
        adds: &[Vec<(&'a Op, Option<&'a Op>)>],
    ) -> Vec<Self> {
        let paths = evidence.paths(items);
        let carriers = evidence.carriers(paths, wanted);
        let of = |(adds, carriers): (&Vec<(&'a Op, Option<&'a Op>)>, Vec<&'a Passage>)| {
            let requests = adds.iter().flat_map(|(add, end)| evidence.exchange(add, *end).requests);
            let journey = Journey::follow(&requests.collect::<Vec<_>>(), carriers);
            Self { adds: adds.clone(), journey, is_shown: !paths.is_empty() }
        };
        adds.iter().zip(carriers).map(of).collect()
    }

    /// The first acknowledgement.
    pub(super) fn acknowledgement(&self) -> Option<&'a Op> {
        self.adds.iter().find_map(|(_, end)| end.filter(|end| end.kind == OpKind::Ok))
    }

    /// How it reached every node.
    pub(super) fn travelled(&self, evidence: &Evidence<'_>, name: &str) -> Explanation {
        let mut steps = Vec::new();
        let begun = self.adds.first().map_or(0, |(add, _)| add.time / 1_000);
        if let Some((add, _)) = self.adds.first() {
            let node = evidence.node_of(add);
            let sentence = format!("A client sent {name} to {node} at {} (operation {}).", seconds(begun), add.index);
            steps.push(Step::operation(add, node, sentence));
        }
        steps.extend(self.journey.hops(evidence, begun, "it"));
        steps.extend(self.journey.hidden_ways(evidence));
        if !self.is_shown && evidence.server_messages().next().is_some() {
            steps.push(Step::remark("No message between nodes shows the values in its body."));
        }
        if let Some(end) = self.adds.first().and_then(|(_, end)| *end) {
            let took = duration(end.time / 1_000 - begun);
            let mut step = acknowledged(evidence.node_of(end), end, name);
            step.sentence = format!("{} That took {took}.", step.sentence);
            steps.push(step);
        }
        let (title, value) = (format!("How {name} travelled"), Some(name.to_owned()));
        Explanation { anomaly: "journey", title, key: None, value, steps, hints: Vec::new() }
    }
}

/// Messages from one server to another that came to the same end.
#[derive(Debug)]
struct Group<'a> {
    src: &'a str,
    dest: &'a str,
    fate: Option<Fate>,
    cut: Option<&'a Cut>,
    passages: Vec<&'a Passage>,
}

impl<'a> Journey<'a> {
    /// Follows a value from the requests of clients that brought it through the messages that carry it.
    pub(super) fn follow(requests: &[&'a Passage], carriers: Vec<&'a Passage>) -> Self {
        let mut holders: BTreeMap<&str, (Time, &Passage)> = BTreeMap::new();
        // At one instant, what arrives is there before anything is sent.
        let arrivals = requests.iter().chain(&carriers);
        let arrivals = arrivals.flat_map(|passage| passage.arrivals().map(|at| (at, false, *passage)));
        let mut events: Vec<_> =
            arrivals.chain(carriers.iter().map(|passage| (passage.sent, true, *passage))).collect();
        events.sort_by_key(|(at, is_sending, passage)| (*at, *is_sending, passage.id));
        let mut unexplained = Vec::new();
        for (at, is_sending, passage) in events {
            if !is_sending {
                holders.entry(&*passage.dest).or_insert((at, passage));
            } else if !holders.contains_key(&*passage.src) {
                unexplained.push(passage);
            }
        }
        Self { carriers, holders, unexplained }
    }

    /// Since when a server has had it.
    pub(super) fn had(&self, node: &str) -> Option<(Time, &'a Passage)> {
        self.holders.get(node).copied()
    }

    /// The messages that did not bring it, in groups, to `dest` alone if it is given, else to any server without it.
    fn failures(&self, evidence: &'a Evidence<'_>, dest: Option<&str>, until: i64) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let is_wanted = |passage: &&&Passage| match dest {
            Some(dest) => &*passage.dest == dest,
            None => !self.holders.contains_key(&*passage.dest),
        };
        let sent = self.carriers.iter().filter(is_wanted);
        for passage in sent.filter(|passage| evidence.us(passage.sent) <= until && passage.arrivals().next().is_none())
        {
            let end = passage.fates.first();
            let fate = end.map(|(_, fate)| *fate);
            let cut = end.filter(|(_, fate)| *fate == Fate::Refused);
            let cut = cut.and_then(|(at, _)| evidence.faults.cut_at(&passage.src, &passage.dest, evidence.us(*at)));
            let same = groups.iter_mut().find(|group| {
                group.src == &*passage.src && group.dest == &*passage.dest && group.fate == fate && group.cut == cut
            });
            match same {
                Some(group) => group.passages.push(passage),
                None => {
                    groups.push(Group { src: &passage.src, dest: &passage.dest, fate, cut, passages: vec![passage] });
                }
            }
        }
        groups
    }

    /// Why a node did not have the value at a time.
    pub(super) fn why_without(&self, evidence: &'a Evidence<'_>, node: &str, what: &str, until: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut failures = self.failures(evidence, Some(node), until);
        let is_direct = !failures.is_empty();
        if !is_direct {
            steps.extend(self.holder_steps(evidence, what));
            failures = self.failures(evidence, None, until);
        }
        let left_out = failures.len().saturating_sub(MAX_GROUPS);
        steps.extend(failures.iter().take(MAX_GROUPS).map(|group| group.step(evidence, what)));
        if left_out > 0 {
            steps.push(Step::remark(format!(
                "{} that failed are not shown.",
                counted(left_out, "further group of messages")
            )));
        }
        let last = failures
            .iter()
            .filter(|_| is_direct)
            .filter_map(|group| group.passages.last())
            .max_by_key(|passage| (passage.sent, passage.id));
        let is_later = |passage: &&&Passage| last.is_none_or(|last| (passage.sent, passage.id) > (last.sent, last.id));
        let later = self.carriers.iter().filter(|passage| &*passage.dest == node).find(is_later);
        steps.push(if let Some(later) = later {
            too_late(evidence, later)
        } else if let Some(last) = last {
            not_sent_again(evidence, node, last, &failures)
        } else {
            let holders = self.holders.keys().filter(|name| evidence.setting.nodes.iter().any(|node| node == *name));
            let holders: Vec<_> = holders.collect();
            let verb = if holders.len() == 1 { "alone had it" } else { "had it" };
            let sentence = format!("Nobody ever sent it to {node}; {} {verb}.", list(holders));
            Step::of(Claim::NotSent, sentence).on(node).at(0)
        });
        steps
    }

    /// Since when the servers have had it, but for the one that a client gave it to.
    pub(super) fn holder_steps(&self, evidence: &Evidence<'_>, what: &str) -> Vec<Step> {
        let mut holders: Vec<_> = self.holders.iter().map(|(name, (at, passage))| (*at, *name, *passage)).collect();
        holders.retain(|(_, _, passage)| !evidence.is_client(&passage.src));
        holders.sort_by_key(|(at, name, _)| (*at, *name));
        let all = holders.len();
        let mut steps: Vec<_> = holders
            .into_iter()
            .take(MAX_HOLDERS)
            .map(|(at, name, passage)| {
                let at = evidence.us(at);
                let (id, from) = (passage.id, &passage.src);
                let sentence = format!("{name} had {what} from {} on, from {from} (message {id}).", seconds(at));
                Step::of(Claim::Had, sentence).at(at).on(name).with([id])
            })
            .collect();
        if all > MAX_HOLDERS {
            steps.push(Step::remark(format!("{} had it later.", counted(all - MAX_HOLDERS, "further node"))));
        }
        steps
    }

    /// That the value came to a sender on a way that no message shows.
    pub(super) fn hidden_ways(&self, evidence: &Evidence<'_>) -> Option<Step> {
        let first = self.unexplained.first()?;
        let (sent, id) = (evidence.us(first.sent), first.id);
        let sentence = format!(
            "{} sent it at {} (message {id}), though no message that shows the value had brought it there.",
            first.src,
            seconds(sent)
        );
        Some(Step::remark(sentence).at(sent).on(&first.src).with([id]))
    }

    /// Each hop, in the order of arrival: who had it when, from whom, and how long that took.
    pub(super) fn hops(&self, evidence: &Evidence<'_>, begun_us: i64, what: &str) -> Vec<Step> {
        let mut hops: Vec<_> = self.holders.iter().map(|(name, (at, passage))| (*at, *name, *passage)).collect();
        hops.sort_by_key(|(at, name, _)| (*at, *name));
        let mut groups: Vec<(i64, &Passage, Vec<&str>, Vec<u64>)> = Vec::new();
        for (at, name, passage) in hops {
            let at = evidence.us(at);
            match groups.last_mut().filter(|(last, first, ..)| *last == at && first.src == passage.src) {
                Some((_, _, names, ids)) => {
                    names.push(name);
                    ids.push(passage.id);
                }
                None => groups.push((at, passage, vec![name], vec![passage.id])),
            }
        }
        let step = |(at, passage, names, ids): (i64, &Passage, Vec<&str>, Vec<u64>)| {
            let (sent, src) = (evidence.us(passage.sent), &passage.src);
            let since = self.holders.get(&**src).map(|(since, _)| evidence.us(*since));
            let held =
                since.map_or(String::new(), |since| format!(", which had held it for {},", duration(sent - since)));
            let kind = passage.kind().unwrap_or_else(|| "a message".to_owned());
            let (id, count) = (list(&ids), if ids.len() == 1 { "message" } else { "messages" });
            let (node, after, took) = (list(&names), duration(at - begun_us), duration(at - sent));
            let sentence = format!(
                "{node} had {what} from {} on, {after} after its beginning: {src}{held} sent {kind} ({count} {id}), \
                 which took {took}.",
                seconds(at)
            );
            let node = if let [only] = names[..] { Some(only.to_owned()) } else { None };
            Step { node, ..Step::of(Claim::Had, sentence).at(at).with(ids) }
        };
        groups.into_iter().map(step).collect()
    }

    /// How a node that had the value came to lack it.
    pub(super) fn why_forgotten(&self, evidence: &Evidence<'_>, node: &str, what: &str, until: i64) -> Vec<Step> {
        let Some((at, passage)) = self.had(node) else { return Vec::new() };
        let (since, id) = (evidence.us(at), passage.id);
        let from = if evidence.is_client(&passage.src) { "a client" } else { &*passage.src };
        let sentence = format!("{node} was given {what} at {} by {from} (message {id}).", seconds(since));
        let mut steps = vec![Step::of(Claim::Had, sentence).at(since).on(node).with([id])];
        let deaths: Vec<_> =
            evidence.faults.outages_of(node, since, until).filter(|outage| outage.stop == Stop::Killed).collect();
        for outage in &deaths {
            let sentence = format!("{}; a killed node keeps nothing in memory.", outage.in_words());
            steps.push(Step::of(Claim::Outage, sentence).at(outage.from_us).on(node));
        }
        let revived = deaths.last().map(|outage| outage.to_us.unwrap_or(until));
        let again = revived.and_then(|revived| {
            self.carriers
                .iter()
                .rfind(|passage| &*passage.dest == node && passage.arrivals().any(|at| evidence.us(at) > revived))
        });
        match (revived, again) {
            (None, _) => {
                steps.push(Step::remark(format!("{node} was not killed after that: it had the value and lost it.")));
            }
            (Some(revived), None) => {
                let sentence = format!("After that nobody sent it to {node} again, or no such message arrived.");
                steps.push(Step::of(Claim::NotSent, sentence).at(revived).on(node));
            }
            (Some(_), Some(passage)) => {
                let at = passage.arrivals().last().map_or(since, |at| evidence.us(at));
                let sentence = format!("{node} was given it again at {} (message {}).", seconds(at), passage.id);
                steps.push(Step::of(Claim::Had, sentence).at(at).on(node).with([passage.id]));
            }
        }
        steps
    }
}

/// A message brought it, but after the time in question.
fn too_late(evidence: &Evidence<'_>, passage: &Passage) -> Step {
    let Passage { id, src, dest, .. } = passage;
    let sent = evidence.us(passage.sent);
    let arrival = passage.arrivals().next().map(|at| format!("and it arrived only at {}", seconds(evidence.us(at))));
    let end = arrival.unwrap_or_else(|| "too late for this".to_owned());
    let sentence = format!("{src} sent it to {dest} at {} (message {id}), {end}.", seconds(sent));
    let fate = passage.fates.first().map(|(_, fate)| *fate);
    Step::of(Claim::Sent { to: dest.to_string(), fate }, sentence).at(sent).on(src).with([*id])
}

fn not_sent_again(evidence: &Evidence<'_>, node: &str, last: &Passage, failures: &[Group<'_>]) -> Step {
    let sent = evidence.us(last.sent);
    let cut = failures.iter().rfind(|group| group.passages.iter().any(|passage| passage.id == last.id));
    let healed = cut.and_then(|group| group.cut).and_then(|cut| cut.to_us);
    let sentence = match healed {
        Some(_) => format!("Nobody sent it to {node} again after the heal."),
        None => format!("Nobody sent it to {node} again."),
    };
    Step::of(Claim::NotSent, sentence).at(healed.unwrap_or(sent)).on(node)
}

impl Group<'_> {
    fn step(&self, evidence: &Evidence<'_>, what: &str) -> Step {
        let Self { src, dest, fate, cut, passages } = self;
        let count = passages.len();
        let sent: Vec<_> = passages.iter().map(|passage| seconds(evidence.us(passage.sent))).collect();
        let ids = passages.iter().map(|passage| passage.id);
        let end = match (fate, cut) {
            (Some(Fate::Refused), Some(cut)) => format!("dropped by {}", cut.in_words()),
            (Some(Fate::Refused), None) => "dropped by a partition".to_owned(),
            (Some(Fate::Lost), _) => "lost at random".to_owned(),
            (Some(Fate::Discarded), _) => {
                let at = passages.first().and_then(|passage| passage.fates.first()).map(|(at, _)| evidence.us(*at));
                let outage = at.and_then(|at| evidence.faults.outages_of(dest, at, at).next());
                let outage = outage.map_or(String::new(), |outage| format!(": {}", outage.in_words()));
                format!("thrown away with the queue of a dead node{outage}")
            }
            (Some(Fate::Ignored), _) => format!("not heard, because {src} was muted"),
            (Some(Fate::Delivered) | None, _) => {
                let end = evidence.end_us();
                let outage = evidence.faults.outages_of(dest, end, end).next();
                let outage = outage.map_or(String::new(), |outage| format!(": {}", outage.in_words()));
                format!("still under way at the end{outage}")
            }
        };
        let id = if count == 1 { "message" } else { "messages" };
        let sentence = format!(
            "{src} sent {what} to {dest} {} ({}; {id} {}); {} {end}.",
            times(count),
            list(sent),
            list(ids.clone()),
            of_all(count)
        );
        let first = passages.first().map_or(0, |passage| evidence.us(passage.sent));
        Step::of(Claim::Sent { to: (*dest).to_owned(), fate: *fate }, sentence).at(first).on(src).with(ids)
    }
}
