//! Checks whether a file can be executed, with advice if it cannot.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::workbench::cluster::Status;

/// What executes a file without a `#!` line.
pub(in crate::workbench::cluster) const SHELL: &str = "/bin/sh";
/// How much of a script's first line Linux reads, in bytes.
const FIRST_LINE: u64 = 256;

/// The absolute path, without symbolic links, of a file that appears to be executable; or what is wrong with it and
/// what to do, to follow the file's name.
pub fn executable(path: &Path) -> Result<PathBuf, String> {
    let file = path.canonicalize().map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT) if path.is_symlink() => "it is a link to a file that does not exist".to_owned(),
        Some(Errno::NOENT) => "no such file; a path begins at the folder in which gloomers is started".to_owned(),
        Some(Errno::ACCESS) => "you may not look into one of the folders on the way to it".to_owned(),
        _ => error.to_string(),
    })?;
    if file.is_dir() {
        return Err("it is a folder; name the executable in it".into());
    }
    if !file.is_file() {
        return Err("it is not a file, but a device, pipe or socket; name an executable".into());
    }
    if access(&file, Access::EXEC_OK).is_err() {
        return Err(format!(
            "it is not executable; run chmod +x {}, or, where its file system forbids execution, copy it elsewhere",
            path.display()
        ));
    }
    // Where it may be executed but not read, the system will find out.
    let first = beginning(&file).unwrap_or_default();
    if first.starts_with("\u{feff}#!".as_bytes()) {
        return Err("it begins with a byte order mark (U+FEFF), not with #!; save it as UTF-8 without one".into());
    }
    match first.strip_prefix(b"#!") {
        Some(line) => interpreter(line).map(|()| file),
        None => Ok(file),
    }
}

/// What reads a program's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::workbench::cluster) enum RunBy {
    /// The system: a binary, or a script whose first line names its interpreter.
    System,
    /// [`SHELL`], as the file has no such line.
    Shell,
}

impl RunBy {
    /// The state of a process that ended with this status.
    pub(in crate::workbench::cluster) fn dead(self, status: ExitStatus) -> Status {
        Status::Dead(match self {
            Self::System => status.to_string(),
            Self::Shell => format!("{status}; it has no #! line, so {SHELL} ran it"),
        })
    }
}

impl RunBy {
    /// What reads the file if the system knows no formats but its own.
    ///
    /// # Errors
    /// It is a program for another system or processor.
    pub(in crate::workbench::cluster) fn of(program: &Path) -> io::Result<Self> {
        // Where it may be executed but not read, the system will find out.
        let Ok(first) = beginning(program) else { return Ok(Self::System) };
        match first.as_slice() {
            [b'#', b'!', ..] => Ok(Self::System),
            [0x7f, b'E', b'L', b'F', header @ ..] if header.get(14..16) == Some(&MACHINE.to_le_bytes()) => {
                Ok(Self::System)
            }
            // The tracer has a sentence of its own for a program of 32 bits.
            [0x7f, b'E', b'L', b'F', 1, header @ ..] if header.get(13..15) == Some(&MACHINE_32.to_le_bytes()) => {
                Ok(Self::System)
            }
            binary if binary.contains(&0) => Err(foreign()),
            _ => Ok(Self::Shell),
        }
    }

    /// The command that starts a program.
    pub(super) fn command(self, program: &Path) -> Command {
        match self {
            Self::System => Command::new(program),
            Self::Shell => {
                let mut shell = Command::new(SHELL);
                shell.arg(program);
                shell
            }
        }
    }
}

/// The processor of this system in an executable file, and that of its programs of 32 bits.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
const MACHINE_32: u16 = if cfg!(target_arch = "aarch64") { 40 } else { 3 };

fn foreign() -> io::Error {
    io::Error::other("it is a program for another system or processor; build it for this one")
}

/// Starts a program; one that is in no format that the system knows is taken for a shell script, as Java does it.
pub(super) fn spawn(program: &Path, prepare: impl Fn(&mut Command)) -> io::Result<(Child, RunBy)> {
    let start = |by: RunBy| {
        let mut command = by.command(program);
        prepare(&mut command);
        command.spawn().map(|child| (child, by))
    };
    start(RunBy::System).or_else(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOEXEC) if beginning(program).is_ok_and(|bytes| bytes.contains(&0)) => Err(foreign()),
        Some(Errno::NOEXEC) => start(RunBy::Shell),
        _ => Err(explained(error, program)),
    })
}

/// As [`spawn`], for a command whose preparation runs in the new process: then the C library, not the system, is asked
/// to start it, and takes everything that the system refuses for a shell script.
pub(super) fn spawn_prepared(program: &Path, prepare: impl Fn(&mut Command)) -> io::Result<(Child, RunBy)> {
    let by = RunBy::of(program)?;
    let mut command = by.command(program);
    prepare(&mut command);
    command.spawn().map(|child| (child, by)).map_err(|error| explained(error, program))
}

/// The error of a start, with what to do about it.
fn explained(error: io::Error, program: &Path) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) if program.exists() => io::Error::other(
            "the file is there, but not what it needs to start (its loader or C library); link it statically, or build \
             it for this system",
        ),
        Some(Errno::MFILE | Errno::NFILE) => {
            io::Error::other("too many files are open, three for each node; raise the limit with ulimit -n")
        }
        _ => error,
    }
}

/// The first bytes of a file.
fn beginning(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FIRST_LINE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks that the interpreter in the first line of a script exists, also if `env` is to find it.
fn interpreter(line: &[u8]) -> Result<(), String> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(blank).filter(|word| !word.is_empty()).map(OsStr::from_bytes);
    let program = words.next().ok_or("its first line, #!, names no program")?;
    // A relative path begins where nodes run.
    let found = std::env::temp_dir().join(program);
    if access(&found, Access::EXEC_OK).is_err() || found.is_dir() {
        let what = if found.is_file() { "may not be executed" } else { "does not exist" };
        return Err(wanted(program, what));
    }
    let (first, more) = (words.next(), words.next());
    match first {
        Some(name) if found.file_name() == Some(OsStr::new("env")) && more.is_none() && is_name(name) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let there = std::env::split_paths(&path).any(|folder| access(folder.join(name), Access::EXEC_OK).is_ok());
            if there { Ok(()) } else { Err(wanted(name, "is not on the PATH")) }
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether `env` looks for it along the `PATH`: it is not an option, a setting or a path.
fn is_name(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b"-") && !name.as_bytes().iter().any(|byte| matches!(byte, b'=' | b'/'))
}

fn wanted(program: &OsStr, what: &str) -> String {
    let name = program.display().to_string();
    let (name, remedy) = match name.strip_suffix('\r') {
        Some(name) => (name, "the line ends with a carriage return, as on Windows: save the file with plain line ends"),
        None => (name.as_str(), "install it, or change the line"),
    };
    format!("its first line asks for {name}, which {what}; {remedy}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn file(&self, text: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join("node");
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
            path
        }
    }

    /// Another test that starts a process at this moment holds the file we have just written open for an instant.
    fn spawned(path: &Path) -> io::Result<(Child, RunBy)> {
        loop {
            match spawn(path, |_| {}) {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
                spawned => return spawned,
            }
        }
    }

    fn error_of(path: &Path) -> String {
        executable(path).expect_err("it cannot be executed")
    }

    #[test]
    fn what_can_be_executed_is_named_by_its_absolute_path_without_links() {
        let folder = Folder::new();
        for text in ["#!/bin/sh\n", "#! /usr/bin/env sh\n", "#!/usr/bin/env -S sh -e\n", "echo no first line\n", ""] {
            let path = folder.file(text, 0o755);
            assert_eq!(executable(&path), Ok(path.canonicalize().expect("it exists")), "{text}");
        }
        let link = folder.0.path().join("link");
        symlink("node", &link).expect("a link");
        assert_eq!(executable(&link), Ok(folder.0.path().join("node").canonicalize().expect("it exists")));
    }

    #[test]
    fn what_is_no_executable_file_is_told_with_what_to_do() {
        let folder = Folder::new();
        assert!(error_of(folder.0.path()).contains("it is a folder; name the executable in it"));
        assert!(error_of(&folder.0.path().join("none")).starts_with("no such file; "));
        assert!(error_of("/dev/null".as_ref()).contains("device"));
        let path = folder.file("#!/bin/sh\n", 0o644);
        assert!(error_of(&path).contains(&format!("run chmod +x {}", path.display())));
        let link = folder.0.path().join("link");
        symlink("nowhere", &link).expect("a link");
        assert!(error_of(&link).contains("link to a file that does not exist"));
    }

    #[test]
    fn a_first_line_that_asks_for_what_is_not_there_is_told() {
        let folder = Folder::new();
        for (line, wanted) in [
            ("#!/usr/bin/pythn3", "asks for /usr/bin/pythn3, which does not exist; install it, or change the line"),
            ("#!/usr/bin/env no-such-thing", "asks for no-such-thing, which is not on the PATH; install it"),
            ("#!/bin/sh\r", "asks for /bin/sh, which does not exist; the line ends with a carriage return"),
            ("#!/usr/bin/env sh\r", "asks for sh, which is not on the PATH; the line ends with a carriage return"),
            ("#!/etc/passwd", "asks for /etc/passwd, which may not be executed"),
            ("#!", "names no program"),
            ("\u{feff}#!/bin/sh", "begins with a byte order mark"),
        ] {
            let why = error_of(&folder.file(&format!("{line}\nexit\n"), 0o755));
            assert!(why.contains(wanted), "{line:?}: {why}");
        }
    }

    #[test]
    fn a_file_without_a_first_line_that_says_how_is_run_by_the_shell() {
        let folder = Folder::new();
        let path = folder.file("exit 7\n", 0o755);
        let (mut child, by) = spawned(&path).expect("the shell runs it");
        assert_eq!((child.wait().expect("it ends").code(), by), (Some(7), RunBy::Shell));
        let path = folder.file("\u{7f}ELF\0\0\0", 0o755);
        let why = spawned(&path).expect_err("no shell script").to_string();
        assert!(why.contains("for another system or processor"), "{why}");
    }

    #[test]
    fn programs_for_other_systems_and_processors_are_known_by_their_first_bytes() {
        let folder = Folder::new();
        let by = |bytes: &[u8]| {
            let path = folder.0.path().join("node");
            std::fs::write(&path, bytes).expect("written");
            RunBy::of(&path).map_err(|error| error.to_string())
        };
        let elf = |class: u8, machine: u16| {
            let mut bytes = [b"\x7fELF".as_slice(), &[class, 1, 1], &[0; 9], &[2, 0]].concat();
            bytes.extend(machine.to_le_bytes());
            bytes
        };
        for native in [elf(2, MACHINE), elf(1, MACHINE_32), b"#!/bin/sh\n\0".to_vec()] {
            assert_eq!(by(&native), Ok(RunBy::System), "{native:?}");
        }
        assert_eq!(by(b"exit 7\n"), Ok(RunBy::Shell));
        assert_eq!(by(b""), Ok(RunBy::Shell));
        let (windows, mac) = (b"MZ\x90\0\x03".to_vec(), b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec());
        for foreign in [elf(2, 243), elf(2, 21), windows, mac] {
            assert!(by(&foreign).is_err_and(|why| why.contains("another system or processor")), "{foreign:?}");
        }
    }

    #[test]
    fn a_program_whose_loader_is_missing_is_not_said_to_be_missing_itself() {
        let folder = Folder::new();
        let path = folder.file("#!/nonexistent/loader\n", 0o755);
        let why = spawned(&path).expect_err("no loader").to_string();
        assert!(why.contains("the file is there"), "{why}");
    }
}
