//! A user's own programs in the table of the challenges.

use std::path::Path;
use std::process::Command;

use super::program;

/// Runs `gloomers challenges` in a folder; returns its exit status and output.
fn challenges(folder: &Path, options: &[&str]) -> (i32, String) {
    let mut gloomers = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = gloomers.arg("challenges").args(options).current_dir(folder).output().expect("gloomers runs");
    (output.status.code().expect("it ends by itself"), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{table}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn programs_of_a_folder_are_run_for_the_challenges_that_they_are_named_after() {
    let Some((folder, source)) = program("node_asyncio.py") else { return };
    std::fs::create_dir(folder.path().join("bin")).expect("a folder");
    std::fs::copy(source, folder.path().join("bin/maelstrom-echo.py")).expect("copied");
    let (status, table) = challenges(folder.path(), &["--bin-dir", "bin"]);
    assert_eq!(status, 0, "{table}");
    let command = "-w echo --node-count 1 --time-limit 10 --bin bin/maelstrom-echo.py --virtual-time";
    assert_eq!(row(&table, "1"), ["1", "valid", "every request answered", "52 of 52 ok", command]);
    assert_eq!(row(&table, "3a")[1], "no program");
    assert!(table.ends_with("\n1 of 19 met, 18 without a program\n"), "{table}");
    assert!(folder.path().join("store/echo/latest/results.edn").exists(), "its files are kept");
}

#[test]
fn programs_of_a_list_are_run_with_their_arguments_and_one_that_ends_does_not_end_the_others() {
    let Some((folder, source)) = program("node_asyncio.py") else { return };
    std::fs::copy(source, folder.path().join("node.py")).expect("copied");
    std::fs::write(folder.path().join("mine"), "1 = python3 node.py\nunique-ids = sh -c 'exit 3'\n").expect("written");
    let (status, table) = challenges(folder.path(), &["--manifest", "mine"]);
    assert_eq!(status, 255, "{table}");
    assert_eq!((row(&table, "1")[1], row(&table, "2")[1]), ("valid", "not run"), "{table}");
    assert!(table.contains("(exit status: 3) before it answered init"), "{table}");
    let (status, told) = challenges(folder.path(), &["--bin-dir", "."]);
    assert!(status == 254 && told.contains("has no program for any challenge"), "{told}");
}
