//! A user's own programs for the challenges: found in a folder by their names, or listed in a file.
//!
//! A program may be named after one challenge (`3d`, `5c-far`), after all of a number (`3`), or after a workload
//! (`broadcast`), of which the most specific counts, as in the tutorial also with `maelstrom-` before it, and in a
//! folder with any extension.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::workbench::cli::options::{Options, did_you_mean};
use crate::workbench::report::challenges::{ALL, Challenge};
use crate::workbench::workload::WorkloadKind;

/// The program for a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// Its file, or its name along the `PATH`.
    pub(super) bin: PathBuf,
    pub(super) arguments: Vec<String>,
}

/// The programs by their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Programs(BTreeMap<String, Program>);

impl Programs {
    /// The programs in a folder.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, String> {
        let unreadable = |error| format!("{} cannot be read: {error}", folder.display());
        let entries = folder.read_dir().map_err(unreadable)?;
        let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut files: Vec<_> = paths.map_err(unreadable)?.into_iter().filter(|path| path.is_file()).collect();
        // Of several of a name, the first that can be executed: `broadcast` before `broadcast.d` and `broadcast.py`.
        files.sort_by_key(|path| (access(path, Access::EXEC_OK).is_err(), path.clone()));
        let mut programs = BTreeMap::new();
        for bin in files {
            if let Some(name) = bin.file_stem().and_then(|stem| known(stem.to_str()?)) {
                programs.entry(name).or_insert(Program { bin, arguments: Vec::new() });
            }
        }
        if programs.is_empty() {
            let names = all_names().join(", ");
            return Err(format!("{} has no program for any challenge; the names are {names}", folder.display()));
        }
        Ok(Self(programs))
    }

    /// The programs of a file with a line for each: `NAME = COMMAND LINE`. A word that is the path of a file, beginning
    /// at the folder of this file, stands for that file.
    pub(super) fn listed(file: &Path) -> Result<Self, String> {
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut programs = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| format!("{}, line {}: {why}", file.display(), index + 1);
            let (name, command) =
                line.split_once('=').ok_or_else(|| wrong("there is no \"=\" between a name and a command".into()))?;
            let name = name.trim().trim_matches('"');
            let known = known(name).ok_or_else(|| {
                let names = all_names();
                let hint = did_you_mean(name, &names);
                wrong(format!("\"{name}\" is not a challenge; the names are {}{hint}", names.join(", ")))
            })?;
            let mut words = words(command.trim()).map_err(wrong)?.into_iter().map(|word| located(word, folder));
            let bin = words.next().ok_or_else(|| wrong("there is no command".into()))?;
            let program = Program { bin: on_path(bin.into()), arguments: words.collect() };
            if programs.insert(known, program).is_some() {
                return Err(wrong(format!("there are two commands for {name}")));
            }
        }
        if programs.is_empty() { Err(format!("{} lists no program", file.display())) } else { Ok(Self(programs)) }
    }

    /// The program for a challenge, if there is one.
    pub(super) fn of(&self, challenge: &Challenge) -> Option<&Program> {
        names(challenge).iter().find_map(|name| self.0.get(name))
    }
}

/// The workload of a challenge.
fn workload(challenge: &Challenge) -> &'static str {
    let words = challenge.options.split_whitespace();
    let named = Options::parse(words.map(Into::into)).map(|options| options.config.workload);
    named.map_or("", WorkloadKind::name)
}

/// What a program for a challenge may be called, the most specific name first.
fn names(challenge: &Challenge) -> Vec<String> {
    let own = challenge.name.replace(", ", "-").replace(' ', "-");
    let mut names = vec![own.clone()];
    let workload = workload(challenge);
    let base = challenge.name.split(',').next().unwrap_or_default();
    for general in [base, base.trim_end_matches(char::is_alphabetic)] {
        let is_of = |other: &&Challenge| other.name.starts_with(general) && self::workload(other) == workload;
        // The first of a number says which workload it has.
        if ALL.iter().find(|other| other.name.starts_with(general)).is_some_and(|first| is_of(&first)) {
            names.push(general.to_owned());
        }
    }
    names.push(workload.to_owned());
    names.extend(short(workload).map(str::to_owned));
    names.dedup();
    names
}

/// What the tutorial calls the program for a workload, if something else.
fn short(workload: &str) -> Option<&'static str> {
    match workload {
        "g-counter" => Some("counter"),
        "txn-rw-register" => Some("txn"),
        _ => None,
    }
}

/// All names, those of workloads last.
fn all_names() -> Vec<&'static str> {
    let own = ALL.iter().map(|challenge| challenge.name).filter(|name| !name.contains(','));
    let mut workloads: Vec<_> = ALL.iter().map(workload).collect();
    workloads.dedup();
    own.chain(workloads).collect()
}

/// A name without what may precede it, if it is the name of a program.
fn known(name: &str) -> Option<String> {
    let name = name.strip_prefix("maelstrom-").unwrap_or(name);
    ALL.iter().any(|challenge| names(challenge).iter().any(|other| other == name)).then(|| name.to_owned())
}

/// The words of a command line; quotes keep blanks in a word.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None, None);
    for letter in line.chars() {
        match quote {
            Some(end) if letter == end => quote = None,
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                word.get_or_insert_with(String::new);
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_with(String::new).push(letter),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote does not end".to_owned()) } else { Ok(words) }
}

/// The absolute path of a file of that name in the folder, or the word itself.
fn located(word: String, folder: &Path) -> String {
    let path = folder.join(&word);
    let file = path.canonicalize().ok().filter(|file| file.is_file());
    file.and_then(|file| file.to_str().map(str::to_owned)).unwrap_or(word)
}

/// The file of a program that is named without its folder.
fn on_path(bin: PathBuf) -> PathBuf {
    if bin.components().count() > 1 {
        return bin;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(&bin));
    files.find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok()).unwrap_or(bin)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(files: &[(&str, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, mode) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).expect("it is ours");
        }
        folder
    }

    fn challenge(name: &str) -> &'static Challenge {
        ALL.iter().find(|challenge| challenge.name == name).expect("there is one")
    }

    #[test]
    fn a_program_is_found_by_its_most_specific_name() {
        let files = ["3d", "3.py", "maelstrom-broadcast", "counter", "kafka", "kafka.d", "README.md"];
        let folder = folder(&files.map(|name| (name, if name == "kafka.d" { 0o644 } else { 0o755 })));
        let programs = Programs::in_folder(folder.path()).expect("there are some");
        let found = |name: &str| {
            let program = programs.of(challenge(name))?;
            program.bin.file_name()?.to_str().map(str::to_owned)
        };
        let expected = [
            ("1", None),
            ("3a", Some("3.py")),
            ("3d", Some("3d")),
            ("4", Some("counter")),
            ("4, both ways", None),
            ("5c, far", Some("kafka")),
            ("6a", None),
        ];
        for (name, file) in expected {
            assert_eq!(found(name).as_deref(), file, "{name}");
        }
    }

    #[test]
    fn a_folder_without_programs_is_told_which_names_it_could_have() {
        let folder = folder(&[("main.go", 0o644)]);
        let why = Programs::in_folder(folder.path()).expect_err("there is none");
        assert!(why.contains("1, 2, 3a, ") && why.contains(", unique-ids, broadcast, "), "{why}");
        assert!(Programs::in_folder("/nonexistent".as_ref()).is_err());
    }

    #[test]
    fn a_list_has_commands_with_arguments_and_files_beside_it() {
        let folder = folder(&[("node.py", 0o644), ("my node", 0o755)]);
        let list = folder.path().join("programs");
        let text = "# mine\n\nbroadcast = sh node.py --fast\n\"3d\" = \"my node\" --name 'a b'\n";
        std::fs::write(&list, text).expect("written");
        let programs = Programs::listed(&list).expect("good");
        let here = folder.path().canonicalize().expect("it exists");
        let path = |name: &str| here.join(name).to_str().expect("text").to_owned();
        let broadcast = programs.of(challenge("3a")).expect("there is one");
        assert!(broadcast.bin.is_absolute() && broadcast.bin.ends_with("sh"), "{broadcast:?}");
        assert_eq!(broadcast.arguments, [path("node.py"), "--fast".to_owned()]);
        let other = programs.of(challenge("3d")).expect("there is one");
        assert_eq!(
            (&other.bin, &*other.arguments),
            (&here.join("my node"), &["--name".to_owned(), "a b".to_owned()][..])
        );
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("programs");
        for (text, why) in [
            ("echo = a\necho b", "line 2: there is no \"=\""),
            ("broadcst = a", "line 1: \"broadcst\" is not a challenge"),
            ("broadcst = a", "did you mean \"broadcast\"?"),
            ("echo =", "line 1: there is no command"),
            ("echo = \"a", "line 1: a quote does not end"),
            ("echo = a\nmaelstrom-echo = b", "line 2: there are two commands"),
            ("", "lists no program"),
        ] {
            std::fs::write(&list, text).expect("written");
            let message = Programs::listed(&list).expect_err(text);
            assert!(message.contains(why), "{message}");
        }
    }
}
