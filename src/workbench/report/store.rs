//! The files of a run, laid out as Maelstrom does (protocol §14.1).
//!
//! `store/<workload>/<start>/` holds the files of a run. `store/current` points at the run that began last,
//! `store/latest` and `store/<workload>/latest` at the one that finished last. Write errors are collected for the
//! report and do not end the test.

mod index;

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tz::{DateTime, TimeZone};

use super::{Run, page};
use crate::workbench::edn::{self, Value};
use crate::workbench::explain;
use crate::workbench::history::{Format, History};
use index::Row;

/// The folder of all runs, in the current directory.
pub const ROOT: &str = "store";

/// A history whose lists hold more elements in all is written compressed: as text it would take more than about 100 MB,
/// twice.
const MOST_LISTED: usize = 20_000_000;

/// The extension of compressed files.
pub const COMPRESSED: &str = ".zst";

/// How many later names to try when runs began in the same millisecond.
const MAX_COLLISIONS: u32 = 100;

/// The folder of one run.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    workload: String,
    folder: PathBuf,
    missing: Missing,
}

/// The errors of the store.
#[derive(Debug)]
enum Missing {
    /// The folder could not be created.
    Everything(String),
    These(Vec<String>),
}

/// A file or folder of the store could not be written.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}; is the disk full, or the directory not yours?", path.display())]
pub struct RunFolderError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl RunFolder {
    /// Creates the folder of a run that begins now, with its `node-logs`, and points `current` at it.
    pub fn create(root: &Path, workload: &str) -> Self {
        Self::create_at(root, workload, &now())
    }

    fn create_at(root: &Path, workload: &str, start: &DateTime) -> Self {
        let runs = root.join(workload);
        let (folder, missing) = match make(&runs, start) {
            Ok(folder) => (folder, Missing::These(Vec::new())),
            Err(error) => (runs.join(folder_name(start)), Missing::Everything(format!("no file of this run: {error}"))),
        };
        let mut store = Self { root: root.to_owned(), workload: workload.to_owned(), folder, missing };
        let logs = store.node_logs();
        store.attempt(|_| fs::create_dir(&logs).map_err(because("create", &logs)));
        store.point("current");
        store
    }

    /// The files of this run that could not be written, and why.
    pub fn missing(&self) -> &[String] {
        match &self.missing {
            Missing::Everything(why) => std::slice::from_ref(why),
            Missing::These(missing) => missing,
        }
    }

    /// Adds another error.
    pub fn miss(&mut self, why: String) {
        match &mut self.missing {
            Missing::These(missing) => missing.push(why),
            Missing::Everything(_) => {}
        }
    }

    fn attempt(&mut self, act: impl FnOnce(&Self) -> Result<(), RunFolderError>) {
        if let Missing::These(_) = self.missing
            && let Err(error) = act(self)
        {
            self.miss(error.to_string());
        }
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The link to the run that finished last.
    #[must_use]
    pub fn latest(&self) -> PathBuf {
        self.root.join("latest")
    }

    /// A file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder for what the nodes write to stderr.
    pub fn node_logs(&self) -> PathBuf {
        self.path("node-logs")
    }

    /// Writes `history.edn` and `history.txt`, compressed if they would be very long, and points both `latest` links at
    /// this run. Returns a note for the summary if they are compressed.
    pub fn write_history(&mut self, history: &History) -> Option<String> {
        let listed = history.listed();
        let is_long = listed > MOST_LISTED;
        for (name, format) in [("history.edn", Format::Edn), ("history.txt", Format::Txt)] {
            if is_long {
                self.write(&format!("{name}{COMPRESSED}"), |file| history.write_compressed(format, file));
            } else {
                self.write(name, |file| history.write(format, file));
            }
        }
        self.point("latest");
        self.point(&format!("{}/latest", self.workload));
        is_long.then(|| {
            format!(
                "the reads of the history list {listed} elements, so it is compressed: zstdcat prints \
                 history.edn{COMPRESSED} and history.txt{COMPRESSED}, and gloomers check reads the former as it is"
            )
        })
    }

    /// Writes `results.edn` and, for scripts, `results.json`.
    pub fn write_results(&mut self, results: &Value) {
        self.write("results.edn", |file| writeln!(file, "{}", edn::pretty(results)));
        self.write("results.json", |file| {
            serde_json::to_writer_pretty(&mut *file, results)?;
            writeln!(file)
        });
    }

    /// Writes a file of the run; a partial file is removed.
    pub fn write(&mut self, name: &str, contents: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        self.attempt(|store| {
            let path = store.path(name);
            let write = || {
                let mut file = BufWriter::new(File::create(&path)?);
                contents(&mut file)?;
                file.flush()
            };
            write().map_err(|error| {
                // A partial file could be mistaken for a complete one, and takes space that other files need.
                fs::remove_file(&path).ok();
                because("write", &path)(error)
            })
        });
    }

    /// The files for people in the folder, of which some may be missing.
    fn files(&self, nodes: &[String]) -> Vec<String> {
        let histories = ["history.txt", "history.edn"].into_iter();
        let histories = histories.flat_map(|name| [name.to_owned(), format!("{name}{COMPRESSED}")]);
        let others = ["results.edn", "results.json", explain::file::NAME].into_iter().map(str::to_owned);
        let logs = nodes.iter().map(|node| format!("node-logs/{node}.log"));
        histories.chain(others).chain(logs).filter(|name| self.path(name).is_file()).collect()
    }

    /// Writes the page of the run, and its row in the list of all runs.
    pub fn write_page(&mut self, run: &Run<'_>) {
        let files = self.files(&run.config.nodes);
        self.write("report.html", |file| page::write(run, &files, file));
        self.write(index::ROW, |file| Ok(serde_json::to_writer(file, &Row::of(run))?));
        self.attempt(|store| {
            index::update(&store.root, &store.folder).map_err(because("write", &store.root.join("index.html")))
        });
    }

    /// Points a symbolic link at this run, atomically.
    fn point(&mut self, name: &str) {
        self.attempt(|store| {
            let link = store.root.join(name);
            let start = store.folder.file_name().unwrap_or_default();
            let target = if name.contains('/') { start.into() } else { Path::new(&store.workload).join(start) };
            let fresh = store.folder.join(".link");
            symlink(&target, &fresh).map_err(because("create", &fresh))?;
            fs::rename(&fresh, &link).map_err(because("replace", &link))
        });
    }
}

/// A new folder for a run that begins now, below the folder of its workload.
fn make(runs: &Path, start: &DateTime) -> Result<PathBuf, RunFolderError> {
    fs::create_dir_all(runs).map_err(because("create", runs))?;
    let mut folder = runs.join(folder_name(start));
    let mut made = fs::create_dir(&folder);
    for later_ms in 1..=MAX_COLLISIONS {
        if !made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
        let later_ns = start.total_nanoseconds() + i128::from(later_ms) * 1_000_000;
        let later = DateTime::from_total_nanoseconds_and_local(later_ns, *start.local_time_type());
        folder = runs.join(folder_name(&later.unwrap_or(*start)));
        made = fs::create_dir(&folder);
    }
    made.map_err(because("create", &folder))?;
    Ok(folder)
}

fn because(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunFolderError {
    let path = path.to_owned();
    move |source| RunFolderError { action, path, source }
}

/// The time where the user is; UTC, where the system does not know.
fn now() -> DateTime {
    let local = env::var("TZ").map_or_else(|_| TimeZone::local(), |zone| TimeZone::from_posix_tz(&zone));
    let zone = local.unwrap_or_else(|_| TimeZone::utc());
    DateTime::now(zone.as_ref()).expect("the clock is at a time that has a year")
}

/// The name of a run's folder: its start in local time, with the offset from UTC.
fn folder_name(start: &DateTime) -> String {
    let (date, ms) = (
        (start.year() * 100 + i32::from(start.month())) * 100 + i32::from(start.month_day()),
        start.nanoseconds() / 1_000_000,
    );
    let offset_min = start.local_time_type().ut_offset() / 60;
    let offset = offset_min / 60 * 100 + offset_min % 60;
    let (hour, minute, second) = (start.hour(), start.minute(), start.second());
    format!("{date:08}T{hour:02}{minute:02}{second:02}.{ms:03}{offset:+05}")
}

#[cfg(test)]
mod tests {
    use tz::LocalTimeType;

    use super::*;

    fn start_at(offset_s: i32) -> DateTime {
        let zone = LocalTimeType::with_ut_offset(offset_s).expect("an offset");
        DateTime::new(2025, 11, 22, 19, 6, 5, 42_000_000, zone).expect("a time")
    }

    fn start() -> DateTime {
        start_at(3600)
    }

    #[test]
    fn a_folder_is_named_by_the_local_start_of_its_run() {
        assert_eq!(folder_name(&start()), "20251122T190605.042+0100");
        assert_eq!(folder_name(&start_at(-12_600)), "20251122T190605.042-0330");
        assert_eq!(folder_name(&start_at(0)), "20251122T190605.042+0000");
    }

    #[test]
    fn current_is_the_run_that_began_last_and_latest_the_one_that_finished_last() {
        let root = tempfile::tempdir().expect("a folder");
        let mut first = RunFolder::create_at(root.path(), "echo", &start());
        first.write_history(&History::default());
        let mut second = RunFolder::create_at(root.path(), "g-set", &start());
        let leads_to = |link: &str| root.path().join(link).canonicalize().expect("a link that leads somewhere");
        let folder = |store: &RunFolder| store.folder().canonicalize().expect("a folder");
        assert_eq!(leads_to("current"), folder(&second));
        assert_eq!(leads_to("latest"), folder(&first));
        assert_eq!(leads_to("echo/latest"), folder(&first));
        second.write_history(&History::default());
        assert_eq!(leads_to("latest"), folder(&second));
        assert_eq!(leads_to("echo/latest"), folder(&first));
    }

    #[test]
    fn two_runs_that_begin_together_have_two_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let stores = [(); 2].map(|()| RunFolder::create_at(root.path(), "echo", &start()));
        assert_ne!(stores[0].folder(), stores[1].folder());
    }

    #[test]
    fn history_and_results_are_written_as_edn_text_and_json() {
        let root = tempfile::tempdir().expect("a folder");
        let mut store = RunFolder::create(root.path(), "echo");
        let line = "{:index 0, :time 5, :type :invoke, :process 0, :f :echo, :value \"a\"}\n";
        store.write_history(&line.parse().expect("a history"));
        store.write_results(&Value::record([("valid?", true.into())]));
        assert!(store.missing().is_empty(), "{:?}", store.missing());
        let read = |name| fs::read_to_string(store.path(name)).expect("a file");
        assert_eq!(read("history.edn"), line);
        assert_eq!(read("history.txt"), "0\t:invoke\t:echo\t\"a\"\n");
        assert_eq!(read("results.edn"), "{:valid? true}\n");
        assert_eq!(read("results.json"), "{\n  \"valid\": true\n}\n");
        assert!(store.node_logs().is_dir());
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_one_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut store = RunFolder::create(file.path(), "echo");
        store.write_history(&History::default());
        let [why] = store.missing() else { panic!("{:?}", store.missing()) };
        assert!(why.starts_with("no file of this run: cannot create "), "{why}");
        assert!(why.contains(&file.path().join("echo").display().to_string()), "{why}");
    }

    #[test]
    fn a_partial_file_is_removed_and_named() {
        let root = tempfile::tempdir().expect("a folder");
        let mut store = RunFolder::create(root.path(), "echo");
        store.write("half", |file| {
            file.write_all(b"half").and_then(|()| file.flush())?;
            Err(io::ErrorKind::StorageFull.into())
        });
        store.write("whole", |file| file.write_all(b"whole"));
        assert!(!store.path("half").exists() && store.path("whole").exists());
        let [why] = store.missing() else { panic!("{:?}", store.missing()) };
        assert!(why.starts_with(&format!("cannot write {}: ", store.path("half").display())), "{why}");
    }
}
