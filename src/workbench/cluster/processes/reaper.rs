//! A helper process that outlives the workbench and kills its nodes, even if the workbench is killed.
//!
//! It reads from a pipe which process groups start and end. When the workbench ends, even by SIGKILL, the pipe closes
//! and the reaper kills the remaining groups. It is a shell in a group of its own, so that neither Ctrl-C nor a signal
//! to all processes of this program's name reaches it. Two things escape: a node between its start and its
//! announcement, and processes that have left their node's group. Without a shell there is no reaper.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::Pid;

use crate::workbench::cluster::program::executable::SHELL;

/// A line is `+ GROUP` or `- GROUP`; a group is known by the id of its first process.
const SCRIPT: &str = r#"
groups=' '
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do
  kill -s KILL -- "-$group"
done
"#;

pub(super) struct Reaper {
    process: Child,
    /// When this closes, the groups that the reaper knows are killed.
    changes: Option<ChildStdin>,
}

impl Reaper {
    pub(super) fn start() -> io::Result<Self> {
        let mut process = Command::new(SHELL)
            .args(["-c", SCRIPT])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let changes = process.stdin.take();
        Ok(Self { process, changes })
    }

    /// Adds a group, to be killed when this process ends.
    pub(super) fn watch(&mut self, group: Pid) {
        self.tell('+', group);
    }

    /// Removes a group, whose number may be reused from now on.
    pub(super) fn forget(&mut self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&mut self, change: char, group: Pid) {
        if let Some(changes) = &mut self.changes {
            // One write, so that no partial line is left. It fails if the reaper has been killed.
            changes.write_all(format!("{change} {}\n", group.as_raw_nonzero()).as_bytes()).ok();
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new(SHELL).args(["-c", "sleep 60"]).process_group(0).spawn().expect("a shell")
    }

    #[test]
    fn the_groups_that_are_left_when_the_pipe_closes_are_killed_and_no_other() {
        let mut reaper = Reaper::start().expect("a shell");
        let mut nodes = [(); 4].map(|()| sleeper());
        for node in &nodes {
            reaper.watch(Pid::from_child(node));
        }
        reaper.forget(Pid::from_child(&nodes[2]));
        reaper.changes = None;
        for node in [0, 1, 3] {
            let status = nodes[node].wait().expect("a child");
            assert!(!status.success(), "{status}");
        }
        reaper.process.wait().expect("a child");
        assert!(nodes[2].try_wait().expect("a child").is_none(), "it was forgotten");
        rustix::process::kill_process_group(Pid::from_child(&nodes[2]), rustix::process::Signal::KILL).expect("ours");
        nodes[2].wait().expect("a child");
    }
}
