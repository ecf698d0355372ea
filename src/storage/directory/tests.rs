//! What was committed is there after any end of the process, and nothing that was not.

use proptest::prelude::*;

use super::*;

fn records(stored: &Stored) -> Vec<Vec<u8>> {
    stored.records().map(<[u8]>::to_vec).collect()
}

fn commit(storage: &mut Storage, records: &[&[u8]]) {
    let mut batch = Batch::default();
    for record in records {
        batch.push(record);
    }
    storage.commit(&mut batch).expect("stored");
    assert!(batch.is_empty());
}

fn opened(directory: &Path) -> (Storage, Stored) {
    Storage::open(directory).expect("a good directory")
}

/// The files with this extension, in order.
fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = all.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect();
    files.sort();
    files
}

#[test]
fn records_and_snapshots_come_back_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a/b");
    let (mut storage, stored) = opened(&path);
    assert!(stored.is_empty());
    commit(&mut storage, &[b"one", b""]);
    commit(&mut storage, &[b"three"]);
    drop(storage);
    let (mut storage, stored) = opened(&path);
    assert_eq!((stored.snapshot.clone(), records(&stored)), (None, vec![b"one".to_vec(), vec![], b"three".to_vec()]));
    let mut batch = Batch::default();
    batch.push(b"part of the state");
    batch.replace(b"the state".to_vec());
    batch.push(b"four");
    storage.commit(&mut batch).expect("stored");
    commit(&mut storage, &[b"five"]);
    drop(storage);
    let (_storage, stored) = opened(&path);
    assert_eq!(stored.snapshot.as_deref(), Some(&b"the state"[..]));
    assert_eq!(records(&stored), [b"four".to_vec(), b"five".to_vec()]);
    assert_eq!((files(&path, "log").len(), files(&path, "snapshot").len()), (1, 1), "what is replaced is removed");
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, _) = opened(folder.path());
    let why = Storage::open(folder.path()).expect_err("in use").to_string();
    assert!(why.contains("another process uses "), "{why}");
    drop(first);
    opened(folder.path());
}

#[test]
fn damage_is_named_with_file_and_offset() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut storage, _) = opened(folder.path());
    commit(&mut storage, &[b"first"]);
    commit(&mut storage, &[b"second"]);
    drop(storage);
    let log = files(folder.path(), "log").remove(0);
    let file = OpenOptions::new().write(true).open(&log).expect("the file was just written");
    let first_record = LOG_START as u64 + 24;
    file.write_at(b"F", first_record).expect("written");
    let why = Storage::open(folder.path()).expect_err("damaged").to_string();
    assert!(why.contains(&format!("{} is damaged at byte 16: ", log.display())) && why.contains("restore"), "{why}");
    file.write_at(b"f", first_record).expect("written");
    opened(folder.path());
    file.write_at(b"?", 0).expect("written");
    let why = Storage::open(folder.path()).expect_err("damaged").to_string();
    assert!(why.contains("damaged at byte 0: it does not begin as a log"), "{why}");
}

#[test]
fn a_damaged_snapshot_and_a_missing_segment_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut storage, _) = opened(folder.path());
    let mut batch = Batch::default();
    batch.replace(b"state".to_vec());
    storage.commit(&mut batch).expect("stored");
    commit(&mut storage, &[b"more"]);
    storage.begin_segment().expect("a second segment");
    commit(&mut storage, &[b"most"]);
    drop(storage);
    let [first, second] = files(folder.path(), "log").try_into().expect("two segments");
    let away = second.with_extension("away");
    fs::rename(&first, &away).expect("renamed");
    let why = Storage::open(folder.path()).expect_err("a gap").to_string();
    assert!(why.contains("has no batch 1: a file is missing"), "{why}");
    fs::rename(&away, &first).expect("renamed");
    let snapshot = files(folder.path(), "snapshot").remove(0);
    let file = OpenOptions::new().write(true).open(&snapshot).expect("the file was just written");
    file.write_at(b"S", SNAPSHOT_START as u64).expect("written");
    let why = Storage::open(folder.path()).expect_err("damaged").to_string();
    assert!(why.contains(&format!("{} is damaged at byte 12: its checksum", snapshot.display())), "{why}");
}

#[test]
fn a_torn_batch_in_an_older_segment_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut storage, _) = opened(folder.path());
    commit(&mut storage, &[b"first"]);
    storage.begin_segment().expect("a second segment");
    commit(&mut storage, &[b"second"]);
    drop(storage);
    let first = files(folder.path(), "log").remove(0);
    let (last_byte, file) =
        (LOG_START as u64 + 28, OpenOptions::new().write(true).open(&first).expect("the file was just written"));
    file.write_at(b"?", last_byte).expect("written");
    let why = Storage::open(folder.path()).expect_err("damaged").to_string();
    assert!(why.contains("damaged at byte 16: a batch is not as it was written, and other files follow"), "{why}");
}

/// What a process does between two ends.
#[derive(Debug, Clone)]
enum Step {
    Commit(u8),
    Snapshot,
    NewSegment,
    /// The process ends while it writes another batch, of which this share of 256 is on the disk.
    TornBatch(u8),
    /// The process ends while it writes a snapshot, which has no name yet.
    TornSnapshot,
    /// The process ends while it creates a segment, of which these bytes are there.
    TornSegment(u8),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(Step::Commit),
        1 => Just(Step::Snapshot),
        1 => Just(Step::NewSegment),
        1 => any::<u8>().prop_map(Step::TornBatch),
        1 => Just(Step::TornSnapshot),
        1 => (0..16_u8).prop_map(Step::TornSegment),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The model is the list of all committed numbers; a snapshot holds the list so far.
    #[test]
    fn everything_committed_and_nothing_else_survives_any_end(steps in steps()) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut storage, _) = opened(folder.path());
        let mut model = Vec::new();
        for step in steps {
            match step {
                Step::Commit(number) => {
                    commit(&mut storage, &[&[number]]);
                    model.push(number);
                }
                Step::Snapshot => {
                    let mut batch = Batch::default();
                    batch.replace(model.clone());
                    storage.commit(&mut batch).expect("stored");
                }
                Step::NewSegment => storage.begin_segment().expect("a segment"),
                Step::TornBatch(share) => {
                    let mut torn = format::header(storage.segment.salt, storage.next, &[1, 0, 0, 0, 9]).to_vec();
                    torn.extend([1, 0, 0, 0, 9]);
                    torn.truncate(torn.len() * usize::from(share) / 256);
                    storage.segment.file.write_all_at(&torn, storage.segment.length).expect("written");
                }
                Step::TornSnapshot => {
                    let path = file_name(folder.path(), storage.next, "unfinished");
                    fs::write(path, b"GGsnap").expect("written");
                }
                Step::TornSegment(length) => {
                    let path = file_name(folder.path(), storage.next, "log");
                    if path != storage.segment.path {
                        fs::write(path, &format::log_header(7)[..usize::from(length)]).expect("written");
                    }
                }
                Step::Restart => {}
            }
            if matches!(step, Step::TornBatch(_) | Step::TornSnapshot | Step::TornSegment(_) | Step::Restart) {
                drop(storage);
                let stored;
                (storage, stored) = opened(folder.path());
                let mut found = stored.snapshot.clone().unwrap_or_default();
                found.extend(stored.records().flatten());
                prop_assert_eq!(&found, &model);
                prop_assert!(files(folder.path(), "unfinished").is_empty());
            }
        }
    }
}
