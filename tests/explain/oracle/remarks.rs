//! Remarks: their facts are in the sentence alone, so the sentence is taken apart and counted again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bodies::Wanted;
use super::{Op, Oracle};

/// Nobody else's steps but those of the same explanation.
pub(super) struct Context<'a> {
    pub(super) wanted: Option<&'a Wanted>,
    pub(super) steps: &'a [Value],
    /// The place of the remark among them.
    pub(super) place: usize,
}

/// The parts of a sentence between the fixed parts of a pattern: each is as short as possible, but for the last.
fn parts<'s, const N: usize>(sentence: &'s str, pattern: &str) -> Option<[&'s str; N]> {
    let mut fixed: Vec<&str> = pattern.split("{}").collect();
    let end = fixed.pop()?;
    let mut fixed = fixed.into_iter();
    let mut rest = sentence.strip_prefix(fixed.next()?)?.strip_suffix(end)?;
    let mut parts = Vec::new();
    for next in fixed {
        let (part, after) = rest.split_once(next)?;
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts.try_into().ok()
}

fn number(words: &str) -> i64 {
    words.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no number: {words}"))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// `1.31 s`
fn seconds(us: i64) -> String {
    let hundredths = (us + 5_000) / 10_000;
    format!("{}.{:02} s", hundredths / 100, hundredths % 100)
}

impl Oracle {
    /// Panics if what a remark says is wrong; false if it says nothing that the files could show.
    pub(super) fn remark_holds(&self, step: &Value, context: &Context<'_>) -> bool {
        let sentence = step["sentence"].as_str().expect("a sentence");
        let found = self.journey_remark(step, sentence, context)
            || self.log_remark(sentence, context)
            || self.counter_remark(sentence)
            || self.service_remark(step, sentence)
            || self.request_remark(step, sentence, context)
            || self.transaction_remark(sentence, context);
        // The rule for lines, groups that are left out, and what the checker says, which has oracles of its own.
        let is_comment = sentence.starts_with("Every line on stdout must be one message")
            || sentence.ends_with("that failed are not shown.")
            || sentence.starts_with("Then can't ")
            || self.workload.starts_with("txn") && context.is_at_beginning();
        assert!(found || is_comment, "an unknown remark: {sentence}");
        found
    }

    fn journey_remark(&self, step: &Value, sentence: &str, context: &Context<'_>) -> bool {
        let id = |text: &str| self.message(&parsed(text));
        if let Some([src, _, number]) = parts(
            sentence,
            "{} sent it at {} (message {}), though no message that shows the value had brought it there.",
        ) {
            let (message, wanted) = (id(number), context.wanted.expect("a value"));
            assert!(message["src"] == *src && self.carries(message, wanted), "{sentence}: {message}");
            assert_eq!(Some(self.us(&message["sent"])), step["time_us"].as_i64(), "{sentence}");
            let sent = self.us(&message["sent"]);
            let brought = self.messages.iter().filter(|other| other["dest"] == *src && self.carries(other, wanted));
            let mut before = brought.filter(|other| self.deliveries(other).any(|at| at <= sent));
            assert!(before.next().is_none(), "{sentence}: {:?}", before.next());
        } else if sentence.starts_with("No message between nodes shows the ") {
            if let Some(wanted) = context.wanted {
                let shown = self.between_servers().find(|message| self.carries(message, wanted));
                assert!(shown.is_none(), "{sentence}: {shown:?}");
            }
        } else if let Some([node]) = parts(sentence, "{} was not killed after that: it had the value and lost it.") {
            let (from, until) = (context.last_time("had"), context.next_time("lacks"));
            let named = format!("\"{node}\" :killed");
            let kill = self.ops.iter().find(|op| op.value.contains(&named) && (from..=until).contains(&op.us));
            assert!(kill.is_none(), "{sentence}");
        } else if let Some([_, node, sent, arrived, dropped]) =
            parts(sentence, "From {} on, {} was sent {}: {} arrived, {} were dropped by partitions.")
        {
            let (from, until) = (context.first_time("operation"), context.next_time("lacks"));
            let later = self
                .between_servers()
                .filter(|message| message["dest"] == *node && (from..=until).contains(&self.us(&message["sent"])));
            let later: Vec<_> = later.collect();
            let with = |fate: &str| {
                let has = |message: &&&Value| fates(message).any(|(_, other)| other == fate);
                i64::try_from(later.iter().filter(has).count()).expect("small")
            };
            let counted = [i64::try_from(later.len()).expect("small"), with("delivered"), with("refused")];
            assert_eq!([number(sent), number(arrived), number(dropped)], counted, "{sentence}");
        } else if let Some([node, senders]) = parts(sentence, "{} was given it by {}.") {
            let wanted = context.wanted.expect("a value");
            let messages: Vec<_> = step["messages"].as_array().into_iter().flatten().collect();
            assert!(!messages.is_empty(), "{sentence}");
            for number in messages {
                let message = self.message(number);
                assert!(message["dest"] == *node && self.carries(message, wanted), "{sentence}: {message}");
                assert!(self.deliveries(message).next().is_some(), "{sentence}: {message}");
            }
            let first = self.message(&step["messages"][0]);
            let first = format!("{} (message {})", first["src"].as_str().expect("a name"), first["id"]);
            assert!(senders.starts_with(&first), "{sentence}: {first}");
        } else if let Some([count]) = parts(sentence, "{} had it later.") {
            let wanted = context.wanted.expect("a value");
            let mut first: BTreeMap<&str, (i64, bool)> = BTreeMap::new();
            for message in self.messages.iter().filter(|message| self.carries(message, wanted)) {
                let (dest, is_server) = (message["dest"].as_str().expect("a name"), self.is_server(&message["src"]));
                for at in self.deliveries(message).filter(|_| self.is_server(&message["dest"])) {
                    let entry = first.entry(dest).or_insert((at, is_server));
                    *entry = (*entry).min((at, is_server));
                }
            }
            let told = context.steps[..context.place].iter().filter(|step| step["claim"] == "had").count();
            let from_servers = first.values().filter(|(_, is_server)| *is_server).count();
            assert_eq!(usize::try_from(number(count)).expect("small") + told, from_servers, "{sentence}");
        } else if sentence == "Every read that began after it was acknowledged has it." {
            let wanted = context.wanted.expect("a value");
            let mut known = context.steps.iter().filter(|step| step["claim"] == "operation" && step["kind"] == "ok");
            let known = known.next_back().map_or(i64::MAX, |step| step["time_us"].as_i64().expect("a time"));
            for (begin, end) in self.pairs().filter(|(_, end)| end.f == "read" && end.kind == "ok") {
                let has = end.json().as_array().is_some_and(|values| values.contains(&wanted.value));
                assert!(begin.us <= known || has, "{sentence}: operation {}", end.index);
            }
        } else {
            return false;
        }
        true
    }

    /// What the polls of an operation brought.
    fn polled(op: &Op) -> Vec<(String, Value)> {
        let value = op.json();
        let steps = value.as_array().into_iter().flatten().filter(|step| step[0] == "poll");
        let logs = steps.flat_map(|step| step[1].as_object().into_iter().flatten());
        let pairs = logs.flat_map(|(key, pairs)| pairs.as_array().into_iter().flatten().map(move |pair| (key, pair)));
        pairs.map(|(key, pair)| (key.clone(), pair[1].clone())).collect()
    }

    fn log_remark(&self, sentence: &str, context: &Context<'_>) -> bool {
        let polls = || self.ops.iter().filter(|op| op.kind == "ok" && ["poll", "txn"].contains(&&*op.f));
        let brought = || polls().map(Self::polled).filter(|brought| !brought.is_empty());
        let message = if let Some([message]) = parts(sentence, "No poll brought {}.") {
            message
        } else if let Some([count, message]) = parts(sentence, "None of the {} that brought something brought {}.") {
            assert_eq!(usize::try_from(number(count)), Ok(brought().count()), "{sentence}");
            message
        } else {
            return false;
        };
        let key = context.wanted.and_then(|wanted| wanted.key.clone());
        let is_it = |(log, other): &(String, Value)| {
            key.as_ref().is_none_or(|key| key == log) && other.to_string().trim_matches('"') == message
        };
        assert!(!brought().any(|all| all.iter().any(is_it)) || context.is_of_one_offset(), "{sentence}");
        true
    }

    fn counter_remark(&self, sentence: &str) -> bool {
        let adds = || self.ops.iter().filter(|op| op.f == "add" && op.process.is_some());
        if let Some([shares, sum]) = parts(sentence, "Acknowledged were {}, in all {}.") {
            let mut by_node: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
            for add in adds().filter(|op| op.kind == "ok") {
                let entry = by_node.entry(self.node_of(add)).or_default();
                *entry = (entry.0 + 1, entry.1 + add.value.parse::<i64>().expect("a number"));
            }
            let all: i64 = by_node.values().map(|(_, sum)| sum).sum();
            assert_eq!(all.to_string(), sum, "{sentence}");
            let plural = |count: usize| if count == 1 { "" } else { "s" };
            for (node, (count, sum)) in by_node.iter().take(5) {
                let share = format!("{sum} by {count} add{} on {node}", plural(*count));
                assert!(shares.contains(&share), "{sentence}: {share}");
            }
        } else if let Some([count]) = parts(sentence, "{} of unknown outcome may count or not.") {
            let of_kind = |kind: &str| adds().filter(|op| op.kind == kind).count();
            let unsure = of_kind("invoke") - of_kind("ok") - of_kind("fail");
            assert_eq!(usize::try_from(number(count)), Ok(unsure), "{sentence}");
        } else if sentence == "No node sent a message to another node or to a service." {
            assert!(self.between_servers().next().is_none(), "{sentence}");
        } else {
            return false;
        }
        true
    }

    fn request_remark(&self, step: &Value, sentence: &str, context: &Context<'_>) -> bool {
        if let Some([node]) = parts(sentence, "{} never answered it.") {
            let asked = context.steps[..context.place]
                .iter()
                .rfind(|step| step["claim"] == "sent" && step["to"] == *node && step.get("node").is_none());
            let request = self.message(&asked.expect("a request")["messages"][0]);
            let is_answer = |message: &&Value| {
                message["src"] == *node
                    && message["dest"] == request["src"]
                    && message["body"]["in_reply_to"] == request["body"]["msg_id"]
            };
            assert!(!self.messages.iter().any(|message| is_answer(&message)), "{sentence}");
        } else if let Some([node, _]) = parts(sentence, "Nothing that {} printed after {} was read: it was muted.") {
            let at = step["time_us"].as_i64().expect("a time");
            let mut own = self.messages.iter().filter(|message| message["src"] == *node);
            let heard = own
                .find(|message| self.us(&message["sent"]) > at && !fates(message).any(|(_, fate)| fate == "ignored"));
            assert!(heard.is_none() && self.muted.iter().any(|mute| mute["node"] == *node), "{sentence}: {heard:?}");
        } else if let Some([count, kind, dest, at]) =
            parts(sentence, "Nobody heard the {} that it printed afterwards, the first of them {} to {} at {}.")
        {
            let node = step["node"].as_str().expect("a node");
            let own = self.messages.iter().filter(|message| message["src"] == *node);
            let unheard: Vec<_> = own.filter(|message| fates(message).any(|(_, fate)| fate == "ignored")).collect();
            assert_eq!(usize::try_from(number(count)), Ok(unheard.len()), "{sentence}");
            let first = unheard.first().expect("one");
            assert!(first["body"]["type"] == *kind && first["dest"] == *dest, "{sentence}: {first}");
            assert_eq!(seconds(self.us(&first["sent"])), at, "{sentence}");
        } else if let Some([node, count, _]) = parts(sentence, "{} sent {} to other nodes and services by {}.") {
            let listed = context.steps[..context.place].iter().rev();
            let listed = listed.take_while(|step| step["claim"] == "sent" && step["node"] == *node).count();
            let own = self.between_servers().filter(|message| message["src"] == *node).count();
            assert!(listed + usize::try_from(number(count)).expect("small") <= own, "{sentence}");
        } else if let Some(mute) = self.muted.iter().find(|mute| {
            let [node, reason, line] = ["node", "reason", "line"].map(|name| mute[name].as_str().expect("text"));
            sentence == format!("{node} printed {reason}: {line}")
        }) {
            assert_eq!(Some(self.us(&mute["at_ns"])), step["time_us"].as_i64(), "{sentence}");
        } else {
            return false;
        }
        true
    }

    fn transaction_remark(&self, sentence: &str, context: &Context<'_>) -> bool {
        let quoted = sentence.split("'s transaction ").skip(1);
        let mut count = 0;
        for quoted in quoted {
            let (index, after) = quoted.split_once(' ').expect("an index");
            let op = self.ops.iter().find(|op| op.index.to_string() == index).expect("an operation");
            let own = op.json().to_string();
            let is_whole = after.starts_with(&own);
            let is_cut = after.find('…').is_some_and(|end| own.starts_with(&after[..end]));
            assert!(is_whole || is_cut, "{sentence}: {own}");
            count += 1;
        }
        if let Some([a, b, edge]) = parts(sentence, "{} comes before {}: {}") {
            let [first, second] = [a, b].map(|name| self.named(name, context));
            if let Some([_, ended, _, began]) = parts(edge, "{} ended at {}, before {} began at {}.") {
                let (begin, _) = self.pairs().find(|(_, end)| end.index == second.index).expect("its beginning");
                assert_eq!([seconds(first.us), seconds(begin.us)], [ended, began], "{sentence}");
                assert!(first.us <= begin.us && first.index < begin.index, "{sentence}");
            } else if edge.starts_with("One client did ") {
                assert!(first.process == second.process && first.index < second.index, "{sentence}");
            } else {
                // Each micro-operation that is quoted is one of its transaction.
                for (op, other) in edge.split(", and ").zip([first, second]) {
                    let Some((_, step)) = op.split_once(" with [") else { continue };
                    let step = format!("[{}", step.trim_end_matches('.'));
                    let own = other.json();
                    let is_own = |own: &Value| {
                        let own = own.to_string();
                        own == step || step.split_once('…').is_some_and(|(start, _)| own.starts_with(start))
                    };
                    assert!(own.as_array().expect("a list").iter().any(is_own), "{sentence}: {own}");
                }
            }
            count += 1;
        }
        count > 0
    }

    /// The transaction that an earlier step calls by this name.
    fn named(&self, name: &str, context: &Context<'_>) -> &Op {
        let start = format!("{name} ended on ");
        let is_it = |step: &&Value| step["sentence"].as_str().is_some_and(|sentence| sentence.starts_with(&start));
        self.op(context.steps.iter().find(is_it).unwrap_or_else(|| panic!("no {name}")))
    }

    /// What nodes wrote to services and read from them.
    fn service_remark(&self, step: &Value, sentence: &str) -> bool {
        let id = |number: &str| self.message(&parsed(number));
        let body = |number: &str, kind: &str, values: &[(&str, &str)]| {
            let message = id(number);
            assert_eq!(message["body"]["type"], kind, "{sentence}: {message}");
            for (name, value) in values {
                assert_eq!(message["body"][*name], parsed(value), "{sentence}: {message}");
            }
        };
        // A write or the end of a compare-and-set.
        let written = |number: &str, node: &str, value: &str| {
            let message = id(number);
            let member = if message["body"]["type"] == "cas" { "to" } else { "value" };
            assert!(message["src"] == *node && message["body"][member] == parsed(value), "{sentence}: {message}");
        };
        let arrived = |number: &str| {
            let message = id(number);
            self.deliveries(message).next().unwrap_or_else(|| panic!("{sentence}: {message} did not arrive"))
        };
        if let Some([node, value, key, service, _, write, over, other, _, before, _, seen, _, read]) = parts(
            sentence,
            "{} wrote {} to {} of {} at {} (message {}) over {}, which {} had written at {} (message {}): {} had \
             read {} at {} (message {}).",
        ) {
            body(write, "write", &[("key", key), ("value", value)]);
            written(before, other, over);
            body(read, "read_ok", &[("value", seen)]);
            assert!(id(write)["src"] == *node && id(write)["dest"] == *service, "{sentence}");
            assert!(id(read)["dest"] == *node && id(read)["src"] == *service, "{sentence}");
            assert!(arrived(before) <= arrived(write) && seen != over && other != node, "{sentence}");
            // The read may be older than the write before, or seq-kv may have answered from the past.
            assert!(arrived(read) <= self.us(&id(write)["sent"]), "{sentence}");
        } else if let Some([service, node, from, to, key, _, swap, other, over, _]) =
            parts(sentence, "{} let {} replace {} by {} in {} at {} (message {}), though {} had made it {} at {}.")
        {
            body(swap, "cas", &[("key", key), ("from", from), ("to", to)]);
            assert!(id(swap)["src"] == *node && id(swap)["dest"] == *service && over != from, "{sentence}");
            written(&step["messages"][0].to_string(), other, over);
        } else if let Some([service, node, key, _, value, reply, _, _]) =
            parts(sentence, "{} answered {}'s read of {} at {} with {} (message {}), which {} had replaced {} before.")
        {
            body(reply, "read_ok", &[("value", value)]);
            body(&step["messages"][0].to_string(), "read", &[("key", key)]);
            assert!(id(reply)["src"] == *service && id(reply)["dest"] == *node, "{sentence}");
        } else if let Some([node, service, value, key, init, write, _, over, other, _, before]) = parts(
            sentence,
            "{} sent {} a write of {} to {} when it was initialized (messages {} and {}); it took effect at {}, over \
             {}, which {} had written at {} (message {}).",
        ) {
            body(init, "init", &[]);
            body(write, "write", &[("key", key), ("value", value)]);
            written(before, other, over);
            assert!(id(write)["src"] == *node && id(write)["dest"] == *service, "{sentence}");
            assert!(arrived(before) <= arrived(write) && id(init)["dest"] == *node, "{sentence}");
        } else {
            return false;
        }
        true
    }
}

/// What became of a message, and when.
pub(super) fn fates(message: &Value) -> impl Iterator<Item = (&Value, &str)> {
    let fates = message["fates"].as_array().expect("fates").iter();
    fates.map(|fate| (&fate[0], fate[1].as_str().expect("a name")))
}

impl Context<'_> {
    fn time(step: &Value) -> i64 {
        step["time_us"].as_i64().expect("a time")
    }

    fn first_time(&self, claim: &str) -> i64 {
        self.steps.iter().find(|step| step["claim"] == *claim).map_or(0, Self::time)
    }

    fn last_time(&self, claim: &str) -> i64 {
        self.steps[..self.place].iter().rfind(|step| step["claim"] == *claim).map_or(0, Self::time)
    }

    fn next_time(&self, claim: &str) -> i64 {
        self.steps[self.place..].iter().find(|step| step["claim"] == *claim).map_or(i64::MAX, Self::time)
    }

    /// Whether the polls are those that brought something at one offset.
    fn is_of_one_offset(&self) -> bool {
        self.wanted.is_none_or(|wanted| wanted.value.is_null())
    }

    /// Whether nothing but remarks came before.
    fn is_at_beginning(&self) -> bool {
        self.steps[..self.place].iter().all(|step| step["claim"] == "remark")
    }
}
