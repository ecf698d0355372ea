//! The public interface: `public_items.txt` beside this file lists every public item, so that each change of the
//! interface shows in its commit.
//!
//! The list is derived from the formatted sources: modules from `src/lib.rs` on, their re-exports, and of each item its
//! head, public fields, variants and methods. `GOLDEN=write cargo test --test public_items` updates it.

#![cfg(feature = "workbench")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The keywords before the name of an item.
const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];

/// A top-level item: its head on one line, and the lines of its body without comments and attributes.
struct Item {
    head: String,
    body: Vec<String>,
}

impl Item {
    /// The kind and the name, unless it has none.
    fn name(&self) -> Option<(&str, &str)> {
        let mut words = self.head.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let kind = words.by_ref().find(|word| KINDS.contains(word) && !self.head.starts_with("impl"));
        // `const fn` is a function, not a constant.
        let kind =
            if kind == Some("const") && self.head.contains(" fn ") { words.find(|word| *word == "fn") } else { kind };
        Some((kind?, words.next()?))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Joins the lines of a head into one.
fn head(first: &str, lines: &mut dyn Iterator<Item = &str>) -> String {
    let mut head = first.trim().to_owned();
    // Arguments may be on lines of their own, each of which ends with a comma.
    let is_complete = |head: &str| {
        let is_whole = head.matches('(').count() == head.matches(')').count();
        let is_export = head.starts_with("pub use ");
        if is_export { head.ends_with(';') } else { is_whole && head.ends_with(['{', ';', '}', ',']) }
    };
    while !is_complete(&head) {
        let Some(line) = lines.next() else { break };
        head = format!("{head} {}", line.trim());
    }
    head.replace("( ", "(").replace(", )", ")")
}

/// A head without `pub`, its last punctuation, and the value of a constant.
fn shown(head: &str) -> &str {
    let head = head.trim_start_matches("pub ").trim_end_matches("{}").trim_end_matches(['{', ';', ',', ' ']);
    let has_value = ["const ", "static ", "type "].iter().any(|kind| head.starts_with(kind)) && !head.contains("fn ");
    if has_value { head.split(" = ").next().unwrap_or_default() } else { head }
}

/// The items of a file, except tests.
fn items(text: &str) -> Vec<Item> {
    let (mut items, mut lines, mut is_test) = (Vec::new(), text.lines(), false);
    while let Some(line) = lines.next() {
        is_test |= line.starts_with("#[cfg(") && line.contains("test");
        if line.is_empty() || line.starts_with([' ', '/', '#', '}', ')']) {
            continue;
        }
        let head = head(line, &mut lines);
        let mut body = Vec::new();
        if head.ends_with('{') && !head.contains('}') {
            body.extend(lines.by_ref().take_while(|line| !line.starts_with('}')).map(str::to_owned));
        }
        if !std::mem::take(&mut is_test) {
            items.push(Item { head: head.trim_end_matches(['{', ';', ' ']).to_owned(), body });
        }
    }
    items
}

/// The members of a body: all, as for an enum or a trait, or only those that are public.
fn members(body: &[String], all: bool) -> Vec<String> {
    let mut members = Vec::new();
    let mut lines = body.iter().map(String::as_str);
    while let Some(line) = lines.next() {
        let own = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '/', '#', '}', ')']));
        let Some(own) = own.filter(|own| all || own.starts_with("pub ")) else { continue };
        let head = head(own, &mut lines);
        members.push(shown(&head).to_owned());
    }
    members
}

/// The interface of the crate, one item per line.
#[derive(Default)]
struct Interface {
    lines: BTreeSet<String>,
}

impl Interface {
    /// Adds a public module.
    fn module(&mut self, path: &str, file: &Path) {
        let parsed = items(&read(file));
        for item in &parsed {
            if let Some(name) = item.head.strip_prefix("pub mod ") {
                let below = file.with_extension("").join(format!("{name}.rs"));
                let below = if path.is_empty() { file.with_file_name(format!("{name}.rs")) } else { below };
                let nested = format!("{path}::{name}");
                if below.exists() {
                    self.module(&nested, &below);
                } else {
                    for line in item.body.iter().filter_map(|line| line.trim().strip_prefix("pub use ")) {
                        self.export(&nested, file, line.trim_end_matches(';'));
                    }
                }
            } else if let Some(exported) = item.head.strip_prefix("pub use ") {
                self.export(path, file, exported);
            } else if item.head.starts_with("pub ") {
                self.item(path, None, item, file);
            }
        }
    }

    /// Adds the re-exports of a module: `a::b::{C, D as E}`.
    fn export(&mut self, path: &str, file: &Path, exported: &str) {
        if exported.starts_with("std::") {
            let name = exported.rsplit("::").next().unwrap_or_default();
            self.lines.insert(format!("{path}::{name}: use {exported}"));
            return;
        }
        let (from, names) = exported.rsplit_once("::").expect("a path");
        for name in names.trim_matches(['{', '}', ' ']).split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let (name, renamed) = name.split_once(" as ").unwrap_or((name, name));
            let (item, origin) = find(from, name, file).unwrap_or_else(|| panic!("{exported}: there is no {name}"));
            self.item(path, Some(renamed), &item, &origin);
        }
    }

    /// Adds an item with its members and its methods, which are in its file or in submodules.
    fn item(&mut self, path: &str, renamed: Option<&str>, item: &Item, file: &Path) {
        let Some((kind, name)) = item.name() else { return };
        let full = format!("{path}::{}", renamed.unwrap_or(name));
        self.lines.insert(format!("{full}: {}", shown(&item.head)));
        for member in members(&item.body, matches!(kind, "enum" | "trait")) {
            self.lines.insert(format!("{full}: {member}"));
        }
        if !matches!(kind, "struct" | "enum") {
            return;
        }
        for part in files(file).iter().flat_map(|file| items(&read(file))) {
            let Some(of) = part.head.strip_prefix("impl") else { continue };
            let of = of.split(" where ").next().unwrap_or_default();
            let (is_trait, of) = of.split_once(" for ").map_or((false, of), |(_, of)| (true, of));
            let of = if of.starts_with('<') { of.split_once("> ").map_or(of, |(_, of)| of) } else { of };
            if of.trim().split(['<', ' ']).next() != Some(name) {
                continue;
            }
            if is_trait {
                self.lines.insert(format!("{full}: {}", shown(&part.head)));
            }
            for member in members(&part.body, false) {
                self.lines.insert(format!("{full}: {member}"));
            }
        }
    }
}

/// The file of a module and those of its submodules.
fn files(file: &Path) -> Vec<PathBuf> {
    let mut files = vec![file.to_owned()];
    let folder = file.with_extension("");
    let mut below: Vec<_> =
        folder.read_dir().into_iter().flatten().map(|entry| entry.expect("readable").path()).collect();
    below.sort();
    for path in below.into_iter().filter(|path| path.is_file() && !path.ends_with("tests.rs")) {
        files.extend(self::files(&path));
    }
    files
}

/// Resolves a path from a file, and finds a name there: the item and its file.
fn find(from: &str, name: &str, file: &Path) -> Option<(Item, PathBuf)> {
    let (mut base, mut names) = (file.with_extension(""), from);
    if let Some(rest) = from.strip_prefix("crate::") {
        (base, names) = (Path::new(ROOT).join("src"), rest);
    } else if file.ends_with("src/lib.rs") {
        base = Path::new(ROOT).join("src");
    }
    for name in names.trim_start_matches("self::").split("::") {
        base = base.join(name);
    }
    let target = base.with_extension("rs");
    let mut exports = Vec::new();
    for item in items(&read(&target)) {
        if item.name().is_some_and(|(_, found)| found == name) && item.head.starts_with("pub ") {
            return Some((item, target));
        }
        exports.extend(item.head.strip_prefix("pub use ").map(str::to_owned));
    }
    exports.iter().find_map(|exported| {
        let (from, names) = exported.rsplit_once("::")?;
        let mut names = names.trim_matches(['{', '}', ' ']).split(',').map(str::trim);
        names.any(|exported| exported == name).then(|| find(from, name, &target))?
    })
}

#[test]
fn the_public_items_match_the_list() {
    let mut interface = Interface::default();
    interface.module("", &Path::new(ROOT).join("src/lib.rs"));
    // Macros are exported from the root of the crate.
    for file in files(&Path::new(ROOT).join("src.rs")).iter().skip(1) {
        let text = read(file);
        let macros = text.split("#[macro_export]\nmacro_rules! ").skip(1).filter_map(|rest| rest.split(' ').next());
        interface.lines.extend(macros.map(|name| format!("{name}!: macro")));
    }
    let mut found = String::new();
    for line in &interface.lines {
        writeln!(found, "{}", line.trim_start_matches("::")).expect("writing to a String cannot fail");
    }
    let list = Path::new(ROOT).join("tests/public_items.txt");
    if std::env::var_os("GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(&list, found).expect("writable");
        return;
    }
    let (expected, found) = (read(&list), found.lines().collect::<BTreeSet<_>>());
    let expected: BTreeSet<_> = expected.lines().collect();
    let gone = expected.difference(&found).map(|line| format!("- {line}"));
    let new = found.difference(&expected).map(|line| format!("+ {line}"));
    let changes: Vec<_> = gone.chain(new).collect();
    assert!(changes.is_empty(), "the interface has changed; GOLDEN=write keeps this:\n{}", changes.join("\n"));
}
