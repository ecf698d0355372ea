//! Rules of this repository that the compiler and clippy cannot check.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const LONGEST_FILE: usize = 600;
const LONGEST_LINE: usize = 120;

/// Modules that must not use descriptors, clocks or threads.
const PURE: [&str; 7] =
    ["src/nodes", "src/gossip", "src/wire", "src/engine.rs", "src/outbox.rs", "src/node.rs", "src/wheel"];

/// Names of modules that are too general.
const TOO_GENERAL: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "types", "manager", "misc", "shared", "context"];

/// A source file, by its path below the root.
struct Source {
    path: String,
    text: String,
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every Rust file below the folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&Path::new(ROOT).join(folder), &mut paths);
    }
    assert!(!paths.is_empty());
    paths.sort();
    let source = |path: PathBuf| Source {
        text: read(&path),
        path: path.strip_prefix(ROOT).expect("below the root").to_string_lossy().replace('\\', "/"),
    };
    paths.into_iter().map(source).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all offences.
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

fn everything() -> Vec<Source> {
    sources(&["src", "tests", "benches", "examples"])
}

#[test]
fn every_file_begins_with_its_purpose() {
    let offences = everything().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none(&offences.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn no_file_is_too_long_and_no_line_too_wide() {
    let mut offences = Vec::new();
    for Source { path, text } in everything() {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            offences.push(format!("{path}: {lines} lines"));
        }
        let wide = text.lines().enumerate().filter(|(_, line)| line.chars().count() > LONGEST_LINE);
        offences.extend(wide.map(|(number, _)| format!("{path}:{}: too wide", number + 1)));
    }
    assert_none(&offences);
}

#[test]
fn state_machines_know_no_descriptors_clocks_or_threads() {
    let mut offences = Vec::new();
    for Source { path, text } in sources(&["src"]) {
        if !PURE.iter().any(|pure| path.starts_with(pure)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            // Writing to memory is not I/O.
            let line = line.replace("use std::io::Write as _;", "");
            for word in ["std::io", "std::fs", "std::net", "std::thread", "mio::", "Instant", "SystemTime", "rustix"] {
                if line.contains(word) {
                    offences.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn module_names_are_specific() {
    let mut offences = Vec::new();
    for Source { path, .. } in everything() {
        let is_too_general = path.split('/').any(|part| TOO_GENERAL.contains(&part.trim_end_matches(".rs")));
        let hidden = path.starts_with("src/") && path.ends_with("/mod.rs");
        if is_too_general || hidden {
            offences.push(path);
        }
    }
    assert_none(&offences);
}

#[test]
fn there_are_no_todos() {
    let mut offences = Vec::new();
    let later = ["TO", "FIX", "XX"].iter().zip(["DO", "ME", "X"]).map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>();
    for Source { path, text } in everything() {
        for (number, line) in text.lines().enumerate() {
            if later.iter().any(|word| line.contains(word)) {
                offences.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_readme_and_the_front_page_show_the_actual_echo_node() {
    let file = read(&Path::new(ROOT).join("src/nodes/echo.rs"));
    let code =
        file.lines().skip_while(|line| line.starts_with("//!") || line.is_empty()).collect::<Vec<_>>().join("\n");
    // Outside of this crate, `crate` is its name.
    let code = code.replace("use crate::", "use gossip_gloomers::");
    let readme = read(&Path::new(ROOT).join("README.md"));
    assert!(readme.contains(&format!("```rust\n{code}\n```\n")), "README.md must show:\n{code}");
    let front_page = read(&Path::new(ROOT).join("src/lib.rs"));
    let front_page = front_page.lines().map(|line| line.trim_start_matches("//!").trim_start_matches(' '));
    let front_page = front_page.collect::<Vec<_>>().join("\n");
    let flat = code.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    assert!(front_page.contains(&flat), "src/lib.rs must show:\n{code}");
}

/// The sections that a text cites as `protocol §8.3`, also as `protocol §1.3 to §1.5` or `protocol §2.4, §10`, and
/// across the line breaks of a comment.
fn cited(text: &str) -> Vec<String> {
    let flat = text.split(['\n', ' ', '/', '!', '`', '(', ')']).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let mut sections = Vec::new();
    let mut continues = false;
    for word in flat {
        if let (true, Some(section)) = (continues, word.strip_prefix('§')) {
            let is_digit = |character: char| character.is_ascii_digit() || character == '.';
            let section = section.split(|character| !is_digit(character)).next().unwrap_or_default();
            sections.push(section.trim_matches('.').to_owned());
        } else {
            continues = word.eq_ignore_ascii_case("protocol") || continues && matches!(word, "and" | "to" | "or");
        }
    }
    sections
}

#[test]
fn every_section_that_is_cited_is_in_the_protocol() {
    let page = read(&Path::new(ROOT).join("docs/protocol.md"));
    let headings = page.lines().filter(|line| line.starts_with("## ") || line.starts_with("### "));
    let headings = headings.filter_map(|line| line.split(' ').nth(1)).map(|number| number.trim_end_matches('.'));
    let headings = headings.collect::<Vec<_>>();
    let mut count = 0;
    let mut offences = Vec::new();
    for Source { path, text } in everything() {
        for section in cited(&text) {
            count += 1;
            if path != "tests/tidy.rs" && !headings.contains(&section.as_str()) {
                offences.push(format!("{path}: docs/protocol.md has no §{section}"));
            }
        }
    }
    assert!(count > 50, "only {count} citations were recognized");
    assert_none(&offences);
}
