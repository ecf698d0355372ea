//! How a program is started as a node, and what becomes of that which it writes; in real and in virtual time.

pub(super) mod executable;
pub(super) mod log;
pub(super) mod output;

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use executable::spawn_prepared;
use executable::{RunBy, spawn};
use log::Log;

pub use executable::executable;

/// How to start a node.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The executable, as returned by [`executable`]. It runs in the temporary directory.
    pub program: PathBuf,
    /// Its arguments, the same for every node.
    pub arguments: Vec<String>,
    /// An existing folder for `<node>.log`, the stderr of each node; `None` to keep only its last lines.
    pub logs: Option<PathBuf>,
    /// Whether to copy that to our own stderr.
    pub log_stderr: bool,
    /// A folder for what nodes store: each is started with `--data-dir` and a folder of its own in it, the same after
    /// each restart; `None` if they are to store nothing.
    pub data: Option<PathBuf>,
}

impl Launch {
    /// Starts a node with its three pipes, in a process group of its own, so that what the node starts ends with it.
    pub(in crate::workbench::cluster) fn spawn(&self, name: &str) -> io::Result<(process::Child, RunBy)> {
        spawn(&self.program, |command| self.prepare(name, command))
    }

    /// As [`spawn`](Self::spawn), with a preparation that runs in the new process.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(in crate::workbench::cluster) fn spawn_prepared(
        &self,
        name: &str,
        prepare: impl Fn(&mut Command),
    ) -> io::Result<(process::Child, RunBy)> {
        spawn_prepared(&self.program, |command| {
            self.prepare(name, command);
            prepare(command);
        })
    }

    fn prepare(&self, name: &str, command: &mut Command) {
        command
            .args(&self.arguments)
            .args(self.data.iter().flat_map(|data| ["--data-dir".into(), data.join(file_name(name)).into_os_string()]))
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
    }

    /// Opens the log of a node.
    pub(in crate::workbench::cluster) fn log(&self, name: &str) -> Log {
        let file = |logs: &PathBuf| Log::open(&logs.join(format!("{}.log", file_name(name))));
        self.logs.as_ref().map_or_else(Log::discard, file)
    }
}

/// A node's id as the name of a file.
fn file_name(node: &str) -> String {
    node.replace('/', "_")
}
