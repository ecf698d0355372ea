//! `store/index.html`: the runs of a store, newest first, each with its verdict, its metrics and its report.
//!
//! A static page that works from a file. Each run writes its row to `index.json` in its own folder and then, holding a
//! lock, regenerates the page from the rows of all folders, so that no run is lost when two end at once.

use std::fmt::{self, Display, Write as _};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use serde::{Deserialize, Serialize};
use tz::UtcDateTime;

use crate::workbench::check::Verdict;
use crate::workbench::report::Run;
use crate::workbench::report::escape::Escaped;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::results::Results;

/// The maximum number of runs in the list; the newest are kept.
const MOST: usize = 500;

/// The file of a run's row, in the folder of the run.
pub(super) const ROW: &str = "index.json";

/// What the page shows of a run beside its name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// As on the report's page.
    verdict: String,
    seed: u64,
    /// The numbers of operations that succeeded, failed, and are indeterminate.
    operations: Option<[usize; 3]>,
    metrics: Metrics,
}

impl Row {
    pub(super) fn of(run: &Run<'_>) -> Self {
        let counts = |results: &Results| {
            let total = results.stats.total;
            [total.ok, total.fail, total.info]
        };
        Self {
            verdict: run.verdict.map_or("no verdict", Verdict::word).to_owned(),
            seed: run.config.seed,
            operations: run.results.map(counts),
            metrics: run.results.map(Metrics::of).unwrap_or_default(),
        }
    }
}

/// A run in the store.
struct Entry {
    workload: String,
    /// The name of its folder.
    name: String,
    start_ns: i128,
}

/// Regenerates the page atomically. `folder`, that of a run, holds the new file until it is renamed.
pub(super) fn update(root: &Path, folder: &Path) -> io::Result<()> {
    // On a file system without locks, the page may lack one of two runs that end at once, until the next run.
    let lock = File::open(root)?;
    retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive)).ok();
    let fresh = folder.join(".index.html");
    fs::write(&fresh, page(root)?)?;
    fs::rename(&fresh, root.join("index.html"))
}

fn page(root: &Path) -> io::Result<String> {
    let mut entries = Vec::new();
    for workload in folders(root)? {
        for name in folders(&root.join(&workload))? {
            if let Some(start_ns) = start_of(&name) {
                entries.push(Entry { workload: workload.clone(), name, start_ns });
            }
        }
    }
    entries.sort_unstable_by(|a, b| (b.start_ns, &a.workload, &a.name).cmp(&(a.start_ns, &b.workload, &b.name)));
    let mut page = HEAD.to_owned();
    if entries.len() > MOST {
        writeln!(page, "<p>The newest {MOST} of {} runs.</p>", entries.len()).expect("a string takes everything");
    }
    page.push_str(TABLE);
    for entry in entries.iter().take(MOST) {
        write_row(&mut page, root, entry).expect("a string takes everything");
    }
    page.push_str("</tbody></table></body></html>\n");
    Ok(page)
}

fn write_row(page: &mut String, root: &Path, Entry { workload, name, .. }: &Entry) -> fmt::Result {
    let folder = root.join(workload).join(name);
    let row = fs::read(folder.join(ROW)).ok().and_then(|text| serde_json::from_slice::<Row>(&text).ok());
    let link = format!("./{}/{}/", Encoded(workload), Encoded(name));
    let report = if folder.join("report.html").exists() { "report.html" } else { "" };
    let verdict = row.as_ref().map_or("not finished", |row| &row.verdict);
    write!(
        page,
        "<tr><td><a href=\"{link}{report}\">{}</a></td><td>{}</td><td class=\"{2}\">{2}</td>",
        Escaped(name),
        Escaped(workload),
        Escaped(verdict)
    )?;
    let counts = row.as_ref().and_then(|row| row.operations);
    let counts = counts.map_or([None; 3], |counts| counts.map(Some)).map(Cell);
    let Metrics { msgs_per_op, median_ms, max_ms } = row.as_ref().map(|row| row.metrics).unwrap_or_default();
    let seed = Cell(row.as_ref().map(|row| row.seed));
    let [ok, fail, info] = counts;
    let [messages, median, max] = [msgs_per_op, median_ms, max_ms].map(Cell);
    writeln!(page, "{ok}{fail}{info}{messages}{median}{max}{seed}<td><a href=\"{link}\">files</a></td></tr>")
}

/// A table cell with a number, empty if there is none.
struct Cell<T>(Option<T>);

impl<T: Display> Display for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(number) => write!(f, "<td class=\"figure\">{number}</td>"),
            None => f.write_str("<td></td>"),
        }
    }
}

/// A percent-encoded segment of a URL: all bytes are encoded but ASCII letters, digits, `-`, `.` and `_`.
struct Encoded<'a>(&'a str);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => f.write_char(char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

/// The start of the run in a folder, in nanoseconds since 1970; `None` if `store` does not name folders like that.
fn start_of(name: &str) -> Option<i128> {
    let number = |from: usize, count: usize| -> Option<u32> {
        let digits = name.get(from..from + count)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let part = |from| u8::try_from(number(from, 2)?).ok();
    let marks = [name.get(8..9)?, name.get(15..16)?, name.get(19..20)?];
    let east = match marks {
        ["T", ".", "+"] => 1,
        ["T", ".", "-"] => -1,
        _ => return None,
    };
    let (year, ms) = (i32::try_from(number(0, 4)?).ok()?, number(16, 3)?);
    let local = UtcDateTime::new(year, part(4)?, part(6)?, part(9)?, part(11)?, part(13)?, ms * 1_000_000).ok()?;
    let offset_s = east * (i128::from(part(20)?) * 3600 + i128::from(part(22)?) * 60);
    (name.len() == 24).then(|| local.total_nanoseconds() - offset_s * 1_000_000_000)
}

/// The names of the folders in a folder, without symbolic links.
fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // The store names its folders in UTF-8.
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

const HEAD: &str = "\
<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>gloomers: runs</title>\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
<link rel=\"icon\" href=\"data:,\"><style>\
:root{color-scheme:light dark;--paper:#f6f7f9;--ink:#1b2430;--soft:#5c6878;--line:#dfe3e9;--link:#2463c5;\
--good:#197a3e;--bad:#c02637;--doubt:#8f5f00}\
@media(prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e4e9f0;--soft:#98a4b3;--line:#303946;--link:#7fb0ff;\
--good:#58c983;--bad:#ff7b86;--doubt:#e3b341}}\
body{margin:0 auto;padding:1.5rem;max-width:80rem;background:var(--paper);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif}a{color:var(--link)}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid var(--line);\
font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:400}.figure{text-align:right}\
.valid{color:var(--good)}.invalid{color:var(--bad)}.unknown{color:var(--doubt)}</style></head><body><h1>Runs</h1>
";

const TABLE: &str = "\
<table><thead><tr><th scope=\"col\">run</th><th scope=\"col\">workload</th><th scope=\"col\">verdict</th>\
<th scope=\"col\" class=\"figure\">ok</th><th scope=\"col\" class=\"figure\">failed</th>\
<th scope=\"col\" class=\"figure\">indeterminate</th><th scope=\"col\" class=\"figure\">messages per operation</th>\
<th scope=\"col\" class=\"figure\">stable latency, median ms</th>\
<th scope=\"col\" class=\"figure\">maximum ms</th>\
<th scope=\"col\" class=\"figure\">seed</th><th></th></tr></thead><tbody>
";

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the folder of a run, with its row if it has a verdict.
    fn make(root: &Path, run: &str, verdict: Option<&str>) {
        let folder = root.join(run);
        fs::create_dir_all(&folder).expect("created");
        if let Some(verdict) = verdict {
            let metrics = Metrics { msgs_per_op: Some(1.25), median_ms: Some(7.0), max_ms: None };
            let row = Row { verdict: verdict.to_owned(), seed: u64::MAX, operations: Some([10, 2, 3]), metrics };
            fs::write(folder.join(ROW), serde_json::to_string(&row).expect("JSON")).expect("written");
            fs::write(folder.join("report.html"), "").expect("written");
        }
    }

    fn rows(page: &str) -> Vec<&str> {
        page.lines().filter(|line| line.starts_with("<tr>")).collect()
    }

    #[test]
    fn runs_are_listed_by_their_start_the_newest_first_each_with_its_verdict_and_metrics() {
        let root = tempfile::tempdir().expect("a folder");
        // In the afternoon in the west it is later than in the evening in the east.
        make(root.path(), "echo/20260101T170000.000-0500", Some("valid"));
        make(root.path(), "g-set/20260101T200000.000+0100", Some("invalid"));
        make(root.path(), "g-set/20260101T210000.000+0100", None);
        for none in ["<b>", "20260101T170000.000<0500", "20260101T170000.000-05000", "+0260101T170000.000-0500"] {
            make(root.path(), &format!("g-set/{none}"), Some("valid"));
        }
        let page = page(root.path()).expect("a page");
        let rows = rows(&page);
        assert_eq!(rows.len(), 3, "{page}");
        let echo = "<a href=\"./echo/20260101T170000.000-0500/report.html\">20260101T170000.000-0500</a>";
        assert!(rows[0].contains(echo) && rows[0].contains("<td class=\"valid\">valid</td>"), "{}", rows[0]);
        for figure in ["10", "2", "3", "1.25", "7", "18446744073709551615"] {
            assert!(rows[0].contains(&format!("<td class=\"figure\">{figure}</td>")), "{figure}: {}", rows[0]);
        }
        assert!(rows[1].contains("20260101T210000") && rows[1].contains("not finished"), "{}", rows[1]);
        assert!(rows[2].contains("20260101T200000") && rows[2].contains(">invalid<"), "{}", rows[2]);
    }

    #[test]
    fn the_name_of_a_folder_is_escaped_in_text_and_in_its_relative_link() {
        let root = tempfile::tempdir().expect("a folder");
        make(root.path(), "javascript:alert('\"<b> %é/20260101T170000.000+0000", Some("<i>"));
        let page = page(root.path()).expect("a page");
        let link =
            "<a href=\"./javascript%3Aalert%28%27%22%3Cb%3E%20%25%C3%A9/20260101T170000.000%2B0000/report.html\">";
        let name = "<td>javascript:alert(&#39;&quot;&lt;b&gt; %é</td><td class=\"&lt;i&gt;\">&lt;i&gt;</td>";
        assert!(page.contains(link) && page.contains(name), "{page}");
    }

    #[test]
    fn of_too_many_runs_only_the_newest_are_listed_and_the_page_states_so() {
        let root = tempfile::tempdir().expect("a folder");
        for ms in 0..=MOST {
            make(root.path(), &format!("echo/20260101T170000.{ms:03}+0000"), None);
        }
        let page = page(root.path()).expect("a page");
        assert_eq!(rows(&page).len(), MOST);
        assert!(page.contains("The newest 500 of 501 runs.") && !page.contains("170000.000"), "{page}");
    }
}
