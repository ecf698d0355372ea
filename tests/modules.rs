//! The dependency graph of the modules, from the sources, must have no cycles.
//!
//! `cargo test --test modules -- --nocapture graph` prints it in topological order, one module per line. Modules are
//! those of `src` and of `src/workbench`; test code is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The one permitted cycle: a node's handlers receive an outbox, and an outbox is generic over its node.
const CONTRACT: [&str; 2] = ["node", "outbox"];

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The code of a file without comments and tests, and the modules that are tests.
fn code(text: &str) -> (String, Vec<&str>) {
    let (mut code, mut tests) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(") && line.contains("test") {
            let item = lines.next().unwrap_or_default();
            if let Some((_, name)) = item.strip_suffix(';').and_then(|item| item.split_once("mod ")) {
                tests.push(name);
            } else if item.ends_with('{') {
                lines.by_ref().find(|line| *line == "}");
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    (code, tests)
}

/// The module in which a path after `crate::` starts.
fn module_of(path: &str) -> Option<String> {
    let mut names = path.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty());
    let first = names.next()?;
    if first == "workbench" && path.starts_with("workbench::") {
        return names.next().map(|second| format!("workbench::{second}"));
    }
    first.starts_with(char::is_lowercase).then(|| first.to_owned())
}

/// Adds the code of a module and its submodules: the module as the graph names it, the file, its code.
fn collect(module: &str, file: &Path, sources: &mut Vec<(String, PathBuf, String)>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (code, tests) = code(&text);
    sources.push((module.to_owned(), file.to_owned(), code));
    let Ok(entries) = file.with_extension("").read_dir() else { return };
    for path in entries.map(|entry| entry.expect("readable").path()) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8");
        if path.extension().is_some_and(|extension| extension == "rs") && !tests.contains(&name) {
            collect(module, &path, sources);
        }
    }
}

/// The code of all modules, without tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut sources = Vec::new();
    for (folder, prefix) in [("src", ""), ("src/workbench", "workbench::")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("readable").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8");
            let is_module = path.extension().is_some_and(|extension| extension == "rs");
            if is_module && !["lib", "main", "workbench"].contains(&name) {
                collect(&format!("{prefix}{name}"), &path, &mut sources);
            }
        }
    }
    sources
}

fn graph() -> Graph {
    let mut graph = Graph::new();
    for (module, _, code) in sources() {
        let paths = code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]);
        let dependencies = paths.filter_map(module_of).filter(|used| *used != module);
        graph.entry(module.clone()).or_default().extend(dependencies);
    }
    let modules: BTreeSet<_> = graph.keys().cloned().collect();
    for dependencies in graph.values_mut() {
        dependencies.retain(|used| modules.contains(used));
    }
    graph
}

#[test]
#[expect(clippy::print_stdout, reason = "it is to be read")]
fn the_module_graph_has_no_cycle() {
    let mut graph = graph();
    for (half, other) in [(0, 1), (1, 0)] {
        graph.get_mut(CONTRACT[half]).expect("it exists").remove(CONTRACT[other]);
    }
    let mut done = BTreeSet::new();
    while !graph.is_empty() {
        let ready =
            graph.iter().find(|(_, dependencies)| dependencies.is_subset(&done)).map(|(module, _)| module.clone());
        let Some(module) = ready else {
            let stuck: Vec<_> = graph
                .iter()
                .map(|(module, dependencies)| format!("{module} -> {:?}", &(dependencies - &done)))
                .collect();
            panic!("these modules form a cycle:\n{}", stuck.join("\n"));
        };
        let dependencies = graph.remove(&module).unwrap_or_default();
        println!("{module:<22} {}", dependencies.into_iter().collect::<Vec<_>>().join(" "));
        done.insert(module);
    }
}

/// Otherwise a new workload would need changes in other modules than its own, its checker and the list of descriptors.
#[test]
fn only_descriptors_tell_workloads_apart() {
    // The default of `--workload`, and the workload of challenge 3d.
    const NAMED: [(&str, &str); 2] = [("test/config.rs", "LinKv"), ("report/challenges.rs", "Broadcast")];
    for (module, file, code) in sources() {
        let variants = code.match_indices("WorkloadKind::").map(|(at, found)| &code[at + found.len()..]);
        for rest in variants.filter(|_| module != "workbench::workload") {
            let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            let is_variant = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
            let is_named = NAMED.iter().any(|(place, named)| file.ends_with(place) && name == *named);
            assert!(!is_variant || is_named, "{} names {name}", file.display());
        }
    }
}

#[test]
fn code_is_distinguished_from_tests() {
    let text = "use crate::a::B;\n// crate::c\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n\
                use crate::workbench::e::F;\n#[cfg(test)]\nmod f;\n";
    let (code, tests) = code(text);
    assert_eq!(code, "use crate::a::B;\nuse crate::workbench::e::F;\n");
    assert_eq!(tests, ["f"]);
    assert_eq!(module_of("workbench::e::F;"), Some("workbench::e".to_owned()));
    assert_eq!((module_of("a::B;"), module_of("Macro!")), (Some("a".to_owned()), None));
}
