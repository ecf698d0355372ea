//! The journal of a run as a file, `messages.jsonl.zst`: Zstandard over a line of JSON for each message.
//!
//! The first line has the configuration, then come the nodes that were muted, then the messages in the order of
//! sending. Times are nanoseconds of the run, of which `zero_ns` is that from which the history counts. A long list in
//! a body is replaced by `[]`; of the list only the new elements are stored, since lists of one sender often grow.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead as _, Read, Write};
use std::rc::Rc;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::time::Time;
use crate::workbench::edn::Ints;
use crate::workbench::explain::evidence::{Setting, StoredSetting};
use crate::workbench::network::{Array, Fate, Journal, Mute, Passage};
use crate::workbench::workload::WorkloadKind;

/// The name of the file in the folder of a run.
pub const NAME: &str = "messages.jsonl.zst";

/// The maximum number of elements of lists that are written; later lists are left out.
const MAX_ELEMENTS: usize = 4_000_000;

#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    setting: StoredSetting,
    zero_ns: u64,
    /// The clients that perform operations, each with its thread.
    threads: Vec<(usize, usize)>,
    /// From when on messages are missing: of clients, and between servers.
    missing_from_ns: [Option<u64>; 2],
    muted: Vec<StoredMute>,
}

#[derive(Serialize, Deserialize)]
struct StoredMute {
    at_ns: u64,
    node: String,
    line: String,
    reason: String,
    unknown: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredMessage<'a> {
    id: u64,
    #[serde(borrow)]
    src: Cow<'a, str>,
    #[serde(borrow)]
    dest: Cow<'a, str>,
    sent: u64,
    #[serde(borrow)]
    fates: Vec<(u64, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "is_false")]
    twice: bool,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<StoredList>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A long list: the first `keep` elements of the sender's last list, and `new` ones.
#[derive(Serialize, Deserialize)]
struct StoredList {
    at: usize,
    length: usize,
    keep: usize,
    new: Vec<i64>,
}

/// Writes the journal.
///
/// # Errors
/// Whatever `to` reports.
pub fn write(setting: &Setting, journal: &Journal, mut to: impl Write) -> io::Result<()> {
    let muted = journal.mutes().iter().map(|mute| StoredMute {
        at_ns: mute.at.as_nanos(),
        node: mute.node.to_string(),
        line: mute.line.clone(),
        reason: mute.reason.clone(),
        unknown: mute.unknown.clone(),
    });
    let Setting { workload, nodes, concurrency, models } = setting.clone();
    let head = Head {
        setting: StoredSetting { workload: workload.name().to_owned(), nodes, concurrency, models },
        zero_ns: journal.zero_ns(),
        threads: journal.threads().to_vec(),
        missing_from_ns: journal.ends().map(|end| end.map(Time::as_nanos)),
        muted: muted.collect(),
    };
    let mut buffer = serde_json::to_vec(&head)?;
    buffer.push(b'\n');
    let passages = journal.passages().iter().chain(journal.unheard());
    let lines = Lines { passages, lists: HashMap::new(), elements_left: MAX_ELEMENTS, buffer, read: 0 };
    to.write_all(&compress_to_vec(lines, CompressionLevel::Fastest))
}

/// The text of the file, written as it is read.
struct Lines<'a, I> {
    passages: I,
    lists: HashMap<&'a str, &'a Ints>,
    elements_left: usize,
    buffer: Vec<u8>,
    read: usize,
}

impl<'a, I: Iterator<Item = &'a Passage>> Read for Lines<'a, I> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
            if let Some(passage) = self.passages.next() {
                let stored = self.stored(passage)?;
                serde_json::to_writer(&mut self.buffer, &stored)?;
                self.buffer.push(b'\n');
            }
        }
        let count = into.len().min(self.buffer.len() - self.read);
        into[..count].copy_from_slice(&self.buffer[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

impl<'a, I> Lines<'a, I> {
    fn stored(&mut self, passage: &'a Passage) -> io::Result<StoredMessage<'a>> {
        let list = passage.array.as_deref().and_then(|array| {
            let before = self.lists.get(&*passage.src).filter(|before| array.list().starts_with(before));
            let keep = before.map_or(0, |before| before.len());
            self.elements_left = self.elements_left.checked_sub(array.list().len() - keep)?;
            self.lists.insert(&passage.src, array.list());
            let ((at, length), new) = (array.place(), array.list().iter_from(keep).collect());
            Some(StoredList { at, length, keep, new })
        });
        let fates = passage.fates.iter().map(|(at, fate)| (at.as_nanos(), fate.name().into())).collect();
        Ok(StoredMessage {
            id: passage.id,
            src: (&*passage.src).into(),
            dest: (&*passage.dest).into(),
            sent: passage.sent.as_nanos(),
            fates,
            twice: passage.twice,
            body: serde_json::from_str(&passage.body)?,
            list,
        })
    }
}

/// Reads a file that [`write`] wrote.
///
/// # Errors
/// When it cannot be read or is no such file.
pub fn read(from: impl Read) -> io::Result<(Setting, Journal)> {
    let mut lines = io::BufReader::new(StreamingDecoder::new(from).map_err(io::Error::other)?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let head: Head = serde_json::from_str(&line)?;
    let StoredSetting { workload, nodes, concurrency, models } = head.setting;
    let workload = WorkloadKind::named(&workload).map_err(io::Error::other)?;
    let (mut passages, mut ignored) = (Vec::new(), Vec::new());
    let mut lists: HashMap<Rc<str>, Ints> = HashMap::new();
    let mut names: HashMap<String, Rc<str>> = HashMap::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        let StoredMessage { id, src, dest, sent, fates, twice, body, list } = serde_json::from_str(&line)?;
        let [src, dest] = [src, dest]
            .map(|name| Rc::clone(names.entry(name.clone().into_owned()).or_insert_with(|| name.into_owned().into())));
        let array = list.map(|StoredList { at, length, keep, new }| {
            let list = lists.entry(Rc::clone(&src)).or_default();
            *list = list.with(keep, &new);
            Box::new(Array::restored(at, length, list.clone()))
        });
        let fate = |(at, name): (u64, Cow<'_, str>)| {
            let fate = Fate::ALL.into_iter().find(|fate| fate.name() == name);
            fate.map(|fate| (Time::from_nanos(at), fate)).ok_or_else(|| io::Error::other(format!("no fate is {name}")))
        };
        let fates: smallvec::SmallVec<_> = fates.into_iter().map(fate).collect::<io::Result<_>>()?;
        let is_ignored = fates.iter().any(|(_, fate)| *fate == Fate::Ignored);
        let (body, sent) = (body.get().into(), Time::from_nanos(sent));
        let passage = Passage { id, src, dest, body, array, sent, fates, twice };
        if is_ignored { &mut ignored } else { &mut passages }.push(passage);
    }
    let mute = |StoredMute { at_ns, node, line, reason, unknown }| {
        let (at, node) = (Time::from_nanos(at_ns), String::into(node));
        Mute { at, node, line, reason, unknown }
    };
    let mutes = head.muted.into_iter().map(mute).collect();
    let ends = head.missing_from_ns.map(|end| end.map(Time::from_nanos));
    let journal = Journal::stored(Time::from_nanos(head.zero_ns), passages, ignored, mutes, head.threads, ends);
    Ok((Setting { workload, nodes, concurrency, models }, journal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let passage = |id: u64, body: &str, array: Option<Array>, fates: &[(u64, Fate)]| Passage {
            id,
            src: "n0".into(),
            dest: "n1".into(),
            body: body.into(),
            array: array.map(Box::new),
            sent: Time::from_millis(id),
            fates: fates.iter().map(|(at, fate)| (Time::from_millis(*at), *fate)).collect(),
            twice: fates.len() > 1,
        };
        let array = |count: i64| Some(Array::restored(7, 100, (0..count).collect()));
        let passages = vec![
            passage(0, r#"{"é":"\n", "n":1.50}"#, None, &[(5, Fate::Delivered), (6, Fate::Refused)]),
            passage(1, r#"{"list":[]}"#, array(40), &[(5, Fate::Lost)]),
            passage(2, r#"{"list":[]}"#, array(60), &[]),
            passage(3, r#"{"list":[]}"#, array(50), &[(9, Fate::Discarded)]),
        ];
        let unheard = vec![passage(4, "{}", None, &[(4, Fate::Ignored)])];
        let (reason, unknown) = ("bad".to_owned(), Some("c4".to_owned()));
        let mutes = vec![Mute { at: Time::from_millis(3), node: "n0".into(), line: "oops".into(), reason, unknown }];
        let ends = [None, Some(Time::from_millis(9))];
        let journal = Journal::stored(Time::from_millis(2), passages, unheard, mutes, vec![(3, 0)], ends);
        let workload = WorkloadKind::Broadcast;
        let (nodes, models) = (vec!["n0".into(), "n1".into()], vec!["serializable".into()]);
        let setting = Setting { workload, nodes, concurrency: 4, models };
        let mut file = Vec::new();
        write(&setting, &journal, &mut file).expect("memory");
        let (same_setting, same) = read(&*file).expect("what was written");
        assert_eq!(same_setting, setting);
        assert_eq!(format!("{same:?}"), format!("{journal:?}"));
        assert!(read(&file[..file.len() / 2]).is_err());
    }
}
