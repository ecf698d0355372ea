//! `messages.svg`: a lane for each participant, time from top to bottom, an arrow for each message.
//!
//! Like Maelstrom's (protocol §7): events follow each other at equal distances, the traffic of `init` is left out,
//! and so is what comes after the first [`EVENTS`] events, with a notice.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::time::Time;
use crate::workbench::network::{Journal, Passage};
use crate::workbench::report::escape::{Escaped, cut};

/// As many sendings and arrivals are drawn.
const EVENTS: usize = 10_000;
/// As many characters of a body are shown when the pointer is on an arrow.
const BODY: usize = 200;
/// As many characters of its type stand beside it.
const KIND: usize = 40;

const LANE_PX: usize = 120;
const EVENT_PX: usize = 16;
const TOP_PX: usize = 40;

/// Something that happens to a message, by its place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Time,
    id: u64,
    arrives: bool,
    place: usize,
}

/// Writes the diagram.
pub(super) fn write(journal: &Journal, nodes: &[String], mut file: impl Write) -> io::Result<()> {
    let passages = journal.passages();
    let mut events: Vec<_> =
        passages.iter().enumerate().filter(|(_, passage)| !of_init(passage)).flat_map(both).collect();
    events.sort_unstable();
    let all = events.len();
    events.truncate(EVENTS);

    let mut lanes: HashMap<&str, usize> = nodes.iter().enumerate().map(|(lane, node)| (node.as_str(), lane)).collect();
    let mut names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    for event in &events {
        for end in [&passages[event.place].src, &passages[event.place].dest] {
            // All clients share a lane.
            let end = if end.starts_with('c') && !lanes.contains_key(&**end) { "clients" } else { end };
            lanes.entry(end).or_insert_with(|| {
                names.push(end);
                names.len() - 1
            });
        }
    }
    let lane = |name: &str| lanes.get(name).or_else(|| lanes.get("clients")).copied().unwrap_or_default();
    let x = |name: &str| lane(name) * LANE_PX + LANE_PX / 2;
    let y = |row: usize| TOP_PX + row * EVENT_PX;
    let (width, height) = (names.len() * LANE_PX, y(events.len()) + TOP_PX);
    writeln!(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">")?;
    file.write_all(STYLE.as_bytes())?;
    for (lane, name) in names.iter().enumerate() {
        let (x, name) = (lane * LANE_PX + LANE_PX / 2, Escaped(name));
        writeln!(
            file,
            "<text x=\"{x}\" y=\"18\">{name}</text><path class=\"lane\" d=\"M{x} 26V{}\"/>",
            height - TOP_PX
        )?;
    }
    let mut sent: HashMap<usize, usize> = HashMap::new();
    for (row, event) in events.iter().enumerate() {
        let passage = &passages[event.place];
        if !event.arrives {
            sent.insert(event.place, row);
            let lost = passage.arrived.is_empty();
            if lost {
                arrow(
                    &mut file,
                    passage,
                    [(x(&passage.src), y(row)), (x(&passage.dest), y(row + 1))],
                    " class=\"lost\"",
                )?;
            }
        } else if let Some(from) = sent.get(&event.place) {
            arrow(&mut file, passage, [(x(&passage.src), y(*from)), (x(&passage.dest), y(row))], "")?;
        }
    }
    if events.len() < all {
        writeln!(file, "<text x=\"{}\" y=\"{}\">Showing {EVENTS} of {all} events</text>", width / 2, height - 12)?;
    }
    writeln!(file, "</svg>")
}

const STYLE: &str = "\
<style>text{font:12px sans-serif;text-anchor:middle;fill:#222}.lane{stroke:#ccc}\
path{stroke:#000;fill:none;marker-end:url(#head)}.lane{marker-end:none}.lost{stroke:#c22;stroke-dasharray:4 3}\
g:hover path{stroke-width:3}</style>
<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>
<marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
<path d=\"M0 0 8 4 0 8z\" style=\"fill:#000;stroke:none;marker-end:none\"/></marker>
";

fn both((place, passage): (usize, &Passage)) -> impl Iterator<Item = Event> {
    let event = move |at, arrives| Event { at, id: passage.id, arrives, place };
    std::iter::once(event(passage.sent, false)).chain(passage.arrived.iter().map(move |at| event(*at, true)))
}

fn arrow(file: &mut impl Write, passage: &Passage, ends: [(usize, usize); 2], class: &str) -> io::Result<()> {
    let [(x1, y1), (x2, y2)] = ends;
    let (body, kind) = (cut(&passage.body, BODY), cut(&passage.kind().unwrap_or_default(), KIND));
    let (x, y) = (usize::midpoint(x1, x2), usize::midpoint(y1, y2) - 4);
    writeln!(
        file,
        "<g><title>{} → {} {}</title><path{class} d=\"M{x1} {y1}L{x2} {y2}\"/>\
         <text x=\"{x}\" y=\"{y}\">{}</text></g>",
        Escaped(&passage.src),
        Escaped(&passage.dest),
        Escaped(&body),
        Escaped(&kind)
    )
}

fn of_init(passage: &Passage) -> bool {
    matches!(passage.kind().as_deref(), Some("init" | "init_ok"))
}
