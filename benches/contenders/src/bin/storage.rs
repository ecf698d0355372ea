//! The write-ahead log beside embedded stores: commits of one record, commits of a hundred, and recovery of a million.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/contenders/Cargo.toml --target-dir target/contenders --bin storage
//! ```
//!
//! Each commit is on the disk when it returns. The folder is `TMPDIR`, which should be on a disk.

use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{KeyspaceCreateOptions, PersistMode};
use gossip_gloomers::storage::{Batch, Storage};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

/// As long as an operation of a log.
const RECORD: [u8; 100] = [b'x'; 100];
const SMALL_COMMITS: u64 = 2_000;
const LARGE_COMMITS: u64 = 10_000;
const PER_COMMIT: u64 = 100;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A store of numbered records.
trait Store: Sized {
    const NAME: &'static str;
    fn open(folder: &Path) -> Outcome<Self>;
    /// Stores as many more records, the first with this number.
    fn commit(&mut self, first: u64, count: u64) -> Outcome<()>;
    /// Reads all records of a folder; returns their number and total length.
    fn recover(folder: &Path) -> Outcome<(u64, usize)>;
}

struct Ours(Storage);

impl Store for Ours {
    const NAME: &'static str = "gossip_gloomers::storage";

    fn open(folder: &Path) -> Outcome<Self> {
        Ok(Self(Storage::open(folder)?.0))
    }

    fn commit(&mut self, _: u64, count: u64) -> Outcome<()> {
        let mut batch = Batch::default();
        (0..count).for_each(|_| batch.push(&RECORD));
        Ok(self.0.commit(&mut batch)?)
    }

    fn recover(folder: &Path) -> Outcome<(u64, usize)> {
        let (_, stored) = Storage::open(folder)?;
        Ok(stored.records().fold((0, 0), |(count, bytes), record| (count + 1, bytes + record.len())))
    }
}

struct Redb(redb::Database);

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

impl Store for Redb {
    const NAME: &'static str = "redb";

    fn open(folder: &Path) -> Outcome<Self> {
        Ok(Self(redb::Database::create(folder.join("redb"))?))
    }

    fn commit(&mut self, first: u64, count: u64) -> Outcome<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for number in first..first + count {
                table.insert(number, RECORD.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn recover(folder: &Path) -> Outcome<(u64, usize)> {
        let database = redb::Database::open(folder.join("redb"))?;
        let transaction = database.begin_read()?;
        let (mut count, mut bytes) = (0, 0);
        for record in transaction.open_table(TABLE)?.iter()? {
            count += 1;
            bytes += record?.1.value().len();
        }
        Ok((count, bytes))
    }
}

struct Fjall(fjall::Database, fjall::Keyspace);

impl Store for Fjall {
    const NAME: &'static str = "fjall";

    fn open(folder: &Path) -> Outcome<Self> {
        let database = fjall::Database::builder(folder).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Self(database, records))
    }

    fn commit(&mut self, first: u64, count: u64) -> Outcome<()> {
        let mut batch = self.0.batch();
        for number in first..first + count {
            batch.insert(&self.1, number.to_be_bytes(), RECORD.as_slice());
        }
        batch.commit()?;
        Ok(self.0.persist(PersistMode::SyncData)?)
    }

    fn recover(folder: &Path) -> Outcome<(u64, usize)> {
        let Self(_database, records) = Self::open(folder)?;
        let (mut count, mut bytes) = (0, 0);
        for record in records.iter() {
            count += 1;
            bytes += record.value()?.len();
        }
        Ok((count, bytes))
    }
}

fn measure<S: Store>() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    let timed = |work: &mut dyn FnMut() -> Outcome<()>| -> Outcome<Duration> {
        let begun = Instant::now();
        work()?;
        Ok(begun.elapsed())
    };
    let mut store = S::open(folder.path())?;
    let small = timed(&mut || (0..SMALL_COMMITS).try_for_each(|number| store.commit(number, 1)))?;
    let large = timed(&mut || {
        (0..LARGE_COMMITS).try_for_each(|number| store.commit(SMALL_COMMITS + number * PER_COMMIT, PER_COMMIT))
    })?;
    drop(store);
    let mut found = (0, 0);
    let recovery = timed(&mut || {
        found = S::recover(folder.path())?;
        Ok(())
    })?;
    let expected = SMALL_COMMITS + LARGE_COMMITS * PER_COMMIT;
    assert_eq!(found, (expected, usize::try_from(expected)? * RECORD.len()));
    println!(
        "| {} | {:.0} | {:.0} | {:.2} |",
        S::NAME,
        small.as_secs_f64() * 1e6 / f64::from(u32::try_from(SMALL_COMMITS)?),
        large.as_secs_f64() * 1e6 / f64::from(u32::try_from(LARGE_COMMITS)?),
        recovery.as_secs_f64(),
    );
    Ok(())
}

fn main() -> Outcome<()> {
    println!("| store | one record, us | {PER_COMMIT} records, us | recovery of a million, s |\n|---|--:|--:|--:|");
    measure::<Ours>()?;
    measure::<Redb>()?;
    measure::<Fjall>()
}
