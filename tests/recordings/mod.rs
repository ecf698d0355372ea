//! Recorded runs of nodes under the real Maelstrom, one in each folder beside this file; README.md describes them.

#![allow(dead_code, reason = "each test uses a part")]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// A recorded run: a folder.
pub(crate) struct Run {
    folder: PathBuf,
    command: String,
}

impl Run {
    /// The name of its folder.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().expect("a folder has a name").to_string_lossy().into_owned()
    }

    /// Whether Maelstrom found it invalid, as its name states.
    pub(crate) fn is_invalid(&self) -> bool {
        self.name().ends_with("-invalid")
    }

    /// The value of an option of its command.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let mut words = self.command.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()
    }

    pub(crate) fn workload(&self) -> &str {
        self.option("-w").expect("every recorded command names its workload")
    }

    /// The text of a file, by its name without `.gz`.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.folder.join(format!("{name}.gz"));
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = String::new();
        let read = GzDecoder::new(file).read_to_string(&mut text);
        read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text
    }

    /// The nodes that have a transcript, sorted.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let names = self.folder.read_dir().expect("a folder").map(|file| file.expect("readable").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        let mut nodes: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".in.jsonl.gz")?.to_owned())).collect();
        nodes.sort();
        nodes
    }
}

/// All recorded runs, sorted by name.
pub(crate) fn runs() -> Vec<Run> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings"));
    let entries = root.read_dir().expect("the recordings are part of the repository");
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let read = |folder: &Path| std::fs::read_to_string(folder.join("command.txt")).expect("every run has its command");
    folders.into_iter().map(|folder| Run { command: read(&folder), folder }).collect()
}
