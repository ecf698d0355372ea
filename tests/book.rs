//! The documentation: every page is in the table of contents, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The pages of the repository: those at its root, of the book, and beside benches and recordings.
fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "flamegraphs", "packaging", "tests/recordings"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(Path::new(ROOT).join(folder)).into_iter().flatten());
    let pages: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    pages.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The text without blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The targets of its links.
fn links(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors that a Markdown renderer gives its headings.
fn anchors(prose: &str) -> BTreeSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        // Of a link, the text counts.
        let parts = heading.split("](").enumerate();
        let text: String =
            parts.map(|(n, part)| if n == 0 { part } else { part.split_once(')').map_or("", |p| p.1) }).collect();
        let kept = text.to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        let prose = prose(&fs::read_to_string(&page).expect("a page"));
        for link in links(&prose).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            let is_there = target.exists() && {
                let text = fs::read_to_string(&target).unwrap_or_default();
                heading.is_empty() || anchors(&self::prose(&text)).contains(heading)
            };
            if !is_there {
                broken.push(format!("{}: {link}", page.strip_prefix(ROOT).unwrap_or(&page).display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_of_the_book_is_in_its_contents() {
    let contents = fs::read_to_string(Path::new(ROOT).join("docs/SUMMARY.md")).expect("a table of contents");
    let listed: BTreeSet<_> = links(&contents).map(str::to_owned).collect();
    let pages = pages().into_iter().filter(|page| page.parent().is_some_and(|folder| folder.ends_with("docs")));
    let names = pages.filter_map(|page| Some(page.file_name()?.to_str()?.to_owned()));
    assert_eq!(listed, names.filter(|name| name != "SUMMARY.md").collect());
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("a README").lines().count();
    assert!(lines < 150, "{lines} lines: what is more belongs into the book");
}
