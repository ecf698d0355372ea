//! What is in the store, and in a folder of it, as pages.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use jiff::fmt::strtime;

use super::path::encoded;
use crate::workbench::check::Verdict;
use crate::workbench::edn;
use crate::workbench::markup::Escaped;
use crate::workbench::store::FOLDER_FORMAT;

/// As many runs are listed, the newest first.
const MOST: usize = 500;

/// A run in the store.
struct Run {
    workload: String,
    name: String,
    start: Timestamp,
}

/// The page that lists the runs of a store.
pub(super) fn runs(root: &Path) -> io::Result<String> {
    let mut runs = Vec::new();
    for workload in folders(root)? {
        for name in folders(&root.join(&workload))? {
            let start = strtime::parse(FOLDER_FORMAT, &name).and_then(|time| time.to_timestamp());
            if let Ok(start) = start {
                runs.push(Run { workload: workload.clone(), name, start });
            }
        }
    }
    runs.sort_unstable_by(|a, b| (b.start, &b.name, &a.workload).cmp(&(a.start, &a.name, &b.workload)));
    let mut page = head("store");
    if runs.is_empty() {
        page.push_str("<p>No runs yet: <code>gloomers test -w echo</code> makes one.</p>");
    }
    if runs.len() > MOST {
        writeln!(page, "<p>The newest {MOST} of {} runs.</p>", runs.len()).expect("a string takes everything");
    }
    page.push_str("<table><thead><tr><th>run</th><th>workload</th><th>verdict</th><th></th></tr></thead><tbody>\n");
    for Run { workload, name, .. } in runs.iter().take(MOST) {
        let folder = root.join(workload).join(name);
        let link = format!("{}/{}/", encoded(workload), encoded(name));
        let report = if folder.join("report.html").exists() { "report.html" } else { "" };
        writeln!(
            page,
            "<tr><td><a href=\"{0}{report}\">{1}</a></td><td>{2}</td>{3}<td><a href=\"{0}\">files</a></td></tr>",
            Escaped(&link),
            Escaped(name),
            Escaped(workload),
            verdict(&folder)
        )
        .expect("a string takes everything");
    }
    page.push_str("</tbody></table></body></html>\n");
    Ok(page)
}

/// The page that lists what a folder holds.
pub(super) fn files(folder: &Path, name: &str) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), facts.is_file().then_some(facts.len())));
    }
    entries.sort_unstable();
    let mut page = head(name);
    page.push_str("<p><a href=\"/\">all runs</a></p><table><tbody>\n");
    for (name, size) in entries {
        let slash = if size.is_some() { "" } else { "/" };
        let size = size.map_or(String::new(), |bytes| format!("{bytes} bytes"));
        let (link, name) = (encoded(&name), Escaped(&name));
        writeln!(
            page,
            "<tr><td><a href=\"./{}{slash}\">{name}{slash}</a></td><td class=\"size\">{size}</td></tr>",
            Escaped(&link)
        )
        .expect("a string takes everything");
    }
    page.push_str("</tbody></table></body></html>\n");
    Ok(page)
}

/// The names of the folders in a folder, not of links to folders; none, if it does not exist.
fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// The cell for the verdict of the run in a folder.
fn verdict(folder: &Path) -> String {
    let results = fs::read_to_string(folder.join("results.edn")).ok().and_then(|text| edn::read(&text).ok());
    let word = match &results {
        Some(results) => Verdict::of(results).word(),
        None if folder.join("history.edn").exists() => "no verdict",
        None => "not finished",
    };
    format!("<td class=\"{word}\">{word}</td>")
}

fn head(title: &str) -> String {
    let title = Escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body><h1>{title}</h1>\n"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#f6f7f9;--ink:#1b2430;--soft:#5c6878;--line:#dfe3e9;--link:#2463c5;\
--good:#197a3e;--bad:#c02637;--doubt:#8f5f00}\
@media(prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e4e9f0;--soft:#98a4b3;--line:#303946;--link:#7fb0ff;\
--good:#58c983;--bad:#ff7b86;--doubt:#e3b341}}\
body{margin:0 auto;padding:1.5rem;max-width:60rem;background:var(--paper);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif}a{color:var(--link)}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid var(--line);\
font-variant-numeric:tabular-nums}th,.size{color:var(--soft);font-weight:400}\
.valid{color:var(--good)}.invalid{color:var(--bad)}.unknown{color:var(--doubt)}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_listed_by_their_start_the_newest_first_each_with_its_verdict() {
        let root = tempfile::tempdir().expect("a folder");
        let make = |run: &str, results: Option<&str>| {
            let folder = root.path().join(run);
            fs::create_dir_all(&folder).expect("created");
            if let Some(results) = results {
                fs::write(folder.join("results.edn"), results).expect("written");
                fs::write(folder.join("report.html"), "").expect("written");
            }
        };
        // In the afternoon in the west it is later than in the evening in the east.
        make("echo/20260101T170000.000-0500", Some("{:valid? true}"));
        make("g-set/20260101T200000.000+0100", Some("{:valid? false}"));
        make("g-set/20260101T210000.000+0100", None);
        make("g-set/<b>", None);
        let page = runs(root.path()).expect("a page");
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with("<tr>")).collect();
        assert_eq!(lines.len(), 3, "{page}");
        let echo = "<a href=\"echo/20260101T170000.000-0500/report.html\">20260101T170000.000-0500</a>";
        assert!(lines[0].contains(echo) && lines[0].contains("<td class=\"valid\">valid</td>"), "{}", lines[0]);
        assert!(lines[1].contains("20260101T210000") && lines[1].contains("not finished"), "{}", lines[1]);
        assert!(lines[2].contains("20260101T200000") && lines[2].contains(">invalid<"), "{}", lines[2]);
    }

    #[test]
    fn a_store_that_does_not_exist_has_no_runs() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(runs(&root.path().join("store")).expect("a page").contains("No runs yet"));
    }

    #[test]
    fn a_file_may_have_any_name() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("<b> &?.log"), "abc").expect("written");
        let page = files(root.path(), "a").expect("a page");
        let row = "<a href=\"./%3Cb%3E%20&amp;%3F.log\">&lt;b&gt; &amp;?.log</a></td><td class=\"size\">3 bytes</td>";
        assert!(page.contains(row), "{page}");
    }
}
