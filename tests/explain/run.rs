//! Runs programs that are broken on purpose, in virtual time, and reads how `gloomers` explains what came of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/programs");

/// A run in a folder of its own.
pub(crate) struct Run {
    folder: tempfile::TempDir,
    pub(crate) status: i32,
    pub(crate) printed: String,
}

/// Why the tests cannot run here: no Python, or no permission to trace.
static HINDRANCE: LazyLock<Option<String>> = LazyLock::new(|| {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        return Some("python3 is not installed".to_owned());
    }
    let run = Run::of("broadcast_once.py", "-w broadcast --node-count 1 --time-limit 1", 1);
    let is_forbidden = run.status == 255 && run.printed.contains("does not let one process control another");
    is_forbidden.then(|| "the system forbids tracing".to_owned())
});

/// Whether programs can be run; a line says so if they cannot.
pub(crate) fn is_possible() -> bool {
    if let Some(why) = &*HINDRANCE {
        eprintln!("skipped: {why}");
    }
    HINDRANCE.is_none()
}

impl Run {
    /// Runs a program of the folder; the options follow `gloomers test`.
    pub(crate) fn of(program: &str, options: &str, seed: u64) -> Self {
        Self::with(program, &format!("{options} --virtual-time"), seed)
    }

    /// The same in real time, unless the options say otherwise.
    pub(crate) fn with(program: &str, options: &str, seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let output = Command::new(env!("CARGO_BIN_EXE_gloomers"))
            .current_dir(folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["test", "--quiet", "--seed", &seed.to_string(), "--bin"])
            .arg(Path::new(SOURCES).join(program))
            .args(options.split_whitespace())
            .output()
            .expect("gloomers runs");
        let status = output.status.code().expect("it ends by itself");
        Self { folder, status, printed: String::from_utf8_lossy(&output.stdout).into_owned() }
    }

    /// What `gloomers explain` prints of it.
    pub(crate) fn explained(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_gloomers"))
            .current_dir(self.folder.path())
            .arg("explain")
            .args(arguments)
            .output()
            .expect("gloomers runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        text
    }

    /// The explanations as JSON.
    pub(crate) fn explanations(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.explained(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A file of the run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("store/latest").join(name)
    }
}

/// The sentences of an explanation.
pub(crate) fn sentences(explanation: &Value) -> Vec<&str> {
    let steps = explanation["steps"].as_array().expect("steps");
    steps.iter().map(|step| step["sentence"].as_str().expect("a sentence")).collect()
}

/// The names of its hints.
pub(crate) fn hints(explanation: &Value) -> Vec<&str> {
    let hints = explanation["hints"].as_array().expect("hints");
    hints.iter().map(|hint| hint["pattern"].as_str().expect("a name")).collect()
}
