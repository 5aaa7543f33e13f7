//! What must not be lost, in SQLite: one writer, many readers.
//!
//! | file | does |
//! |---|---|
//! | [`migrate`] | brings any database to its newest layout |
//! | `migrations.rs` | the layouts of the store |
//! | [`block`] | readings ↔ one row of `log` |
//! | [`boards`] | what stations' topics should show, and their queue |
//! | [`bulletins`] | what stations' topics show of announced work: written, read |
//! | [`copy`] | a database as it is at one moment, for backups |
//! | `dump.rs` | all that a store holds, for tests that compare |
//! | [`digests`] | the daily digests of notices and their queue: written, read |
//! | `commit.rs` | everything that follows from a batch, in one transaction |
//! | `rows.rs` | one table, one function |
//! | `load.rs` | the world as it was |
//! | [`lost`] | a store that is gone or malformed where one was |
//! | `unread.rs` | rows that can't be read: skipped, and kept aside |
//! | [`epoch`] | which history of the store it is, and on which machine it was last |
//! | [`files`] | every file that must not be lost, and where it is |
//! | [`orders`] | settings and commands for devices: written, loaded, read |
//! | [`place`] | where the store is read: its file, or a copy that stands in for it |
//! | `progress.rs` | whether a writer gets on, for whoever waits for it |
//! | [`reader`] | what senders and history read |
//! | [`readers`] | a few connections for the API's questions, each on a thread that may wait |
//! | `own_files.rs` | whether the files of an open store are still its own |
//! | `rescued.rs` | a copy in memory of a file that can't be opened to be written |
//! | `settled.rs` | what became of what only the file has, while a copy worked |
//! | [`notices`] | the notices of a day |
//! | `working.rs` | a working copy in memory, for a file that takes nothing |
//! | [`views`] | typed rows for the API, the console, the report, history and the command line |
//! | `remembered.rs` | a working copy of what the gateway remembers, for a file that can't be read |
//! | `anew.rs` | a store is written anew, where its files are its own no more |
//! | [`accounts`] | who may come in, and what they did: a database of its own |
//!
//! Not here: when to commit, and what to do when that fails (`standpipe_engine`); history
//! (`standpipe_series`).

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod accounts;
mod anew;
pub mod block;
pub mod boards;
pub mod bulletins;
pub mod bundles;
mod commit;
pub mod copy;
pub mod digests;
#[cfg(any(test, feature = "testing"))]
mod dump;
pub mod epoch;
pub mod expired;
pub mod files;
mod ledger;
mod load;
pub mod lost;
pub mod migrate;
mod migrations;
pub mod notices;
pub mod orders;
mod own_files;
pub mod place;
mod progress;
pub mod reader;
pub mod readers;
mod remembered;
mod rescued;
mod rows;
mod settled;
mod unread;
pub mod views;
mod working;

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};
use standpipe_machine::small_file;

pub use commit::{Committed, Extras, move_log};
pub use ledger::{GivenUp, LEDGER_MS};
pub use load::Loaded;
pub use own_files::FileFate;
pub use place::StorePlace;
pub use progress::Progress;
pub use reader::Reader;
pub use remembered::{FirstBatch, UnloggedReadings, WriterFacts};
pub use rescued::CopiedFile;
pub use rows::{EVENT_ROWS, QUARANTINE_BYTES, QUARANTINE_ROWS, Quarantined, REJECTED_SLOT_MS};
pub use unread::{KnownIds, SkippedRow, StationIds};

/// Page cache of the writer, KiB.
const WRITER_CACHE_KIB: i64 = 2 * 1024;
/// Page cache of a reader, KiB.
const READER_CACHE_KIB: i64 = 1024;
/// The write-ahead log is cut back to this when it starts over, bytes.
const WAL_KEPT: i64 = 16 * 1024 * 1024;
/// SQLite's own checkpoint, inside a commit: only if the engine had no time for its own, pages.
const WAL_LATEST_CHECKPOINT: i64 = 8_000;
/// How long a statement waits for another connection's lock, ms.
const BUSY_MS: i64 = 5_000;

/// Why the store does not open, load or take what is written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("store `{0}` is in use by another standpipe: stop that one first")]
    InUse(PathBuf),
    /// The lock beside it, or its folder, can't be made.
    #[error("store `{path}` can't be opened ({why}): check the folder and its owner")]
    Folder { path: PathBuf, why: std::io::Error },
    #[error(
        "store has layout {found}, this version knows {}: use the newer standpipe",
        migrations::NEWEST
    )]
    TooNew { found: i64 },
    #[error("the disk is full ({0}): make room, it goes on by itself")]
    Full(#[source] rusqlite::Error),
    #[error("store: {0}: check the disk and the file's owner; it is tried again")]
    Sqlite(#[source] rusqlite::Error),
    /// A file of an open store is not what it was.
    #[error("`{path}` {fate} under the running gateway: leave the files beside the store alone")]
    NotOurs { path: PathBuf, fate: FileFate },
    /// The disk has not answered, and has not refused.
    #[error("the disk has not answered for {after_s} s: see to it (`dmesg`, `smartctl`)")]
    Hangs { after_s: u64 },
    #[error("store: {what} can't be read ({why}): restore the store's backup")]
    Unreadable { what: String, why: String },
}

impl StoreError {
    /// Whether the disk, or the file on it, is at fault: then a copy in memory can stand in for it. Not
    /// so of what would fail there as well, or passes by itself.
    #[must_use]
    pub fn is_of_disk(&self) -> bool {
        match self {
            Self::Full(_) | Self::NotOurs { .. } | Self::Hangs { .. } => true,
            Self::Sqlite(bad) => files::is_of_disk(bad),
            Self::InUse(_)
            | Self::Folder { .. }
            | Self::TooNew { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    /// Whether the store can't be opened because of its disk, or of who owns it.
    #[must_use]
    pub fn is_of_place(&self) -> bool {
        matches!(self, Self::Folder { .. }) || self.is_of_disk()
    }

    /// How the file itself is lost, or what is in it: then nothing is written to it any more. `None`: it is
    /// not.
    #[must_use]
    pub fn loss(&self) -> Option<FileLoss> {
        let (how, is_read) = match self {
            // The files that are open have everything, whatever their names lead to.
            Self::NotOurs { fate: FileFate::Removed, .. } => (lost::Loss::Gone, true),
            Self::NotOurs { fate: FileFate::Replaced, .. } => (lost::Loss::Malformed, true),
            Self::NotOurs { fate: FileFate::Cut, .. } => (lost::Loss::Malformed, false),
            Self::Sqlite(bad) if files::is_of_content(bad) => (lost::Loss::Malformed, false),
            Self::Sqlite(_)
            | Self::InUse(_)
            | Self::Folder { .. }
            | Self::TooNew { .. }
            | Self::Full(_)
            | Self::Hangs { .. }
            | Self::Unreadable { .. } => return None,
        };
        Some(FileLoss { how, is_read, why: self.to_string() })
    }

    /// Whether SQLite reads what is true: not where it may read nonsense, or never answer.
    #[must_use]
    pub fn lets_read(&self) -> bool {
        !matches!(self, Self::Hangs { .. }) && self.loss().is_none_or(|loss| loss.is_read)
    }

    /// Whether there is no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

/// How a store lost its file while it was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLoss {
    how: lost::Loss,
    /// Whether what SQLite reads of it is true.
    is_read: bool,
    why: String,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            Self::Full(error)
        } else {
            Self::Sqlite(error)
        }
    }
}

/// The writer. There is one a file, which a lock beside the file sees to.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    path: PathBuf,
    newest: commit::Newest,
    kept: load::KeptBlocks,
    /// By device: the conditions of its last event.
    conditions: Vec<u32>,
    /// A block on its way to the log.
    body: Vec<u8>,
    /// About how many pages the write-ahead log holds.
    unmoved_pages: usize,
    /// Of a working copy: what it deleted since, as it is in the archive.
    archived: Option<expired::Archived>,
    /// Of a working copy that was made of what was remembered, and lacks what only the file has: what became
    /// of that since.
    remembered: Option<settled::SettledInFile>,
    progress: Progress,
    /// Of a store in a file: whether that is still its own.
    own_files: Option<own_files::OwnFiles>,
    /// What was skipped since it was opened.
    skipped: RefCell<Vec<SkippedRow>>,
    /// Held as long as the store is open; a store in memory has none.
    _lock: Option<Lock>,
}

/// Keeps every other standpipe off a store, whatever is in it; the system lets go of it when the
/// process dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Store {
    /// Opens the store, made if need be, and brings it to the newest layout.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepared(path, Some(Lock::take(path)?))
    }

    fn prepared(path: &Path, lock: Option<Lock>) -> Result<Self, StoreError> {
        let mut conn = Connection::open(path)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "mmap_size", 0)?;
        conn.pragma_update(None, "busy_timeout", BUSY_MS)?;
        conn.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_LATEST_CHECKPOINT)?;
        conn.set_prepared_statement_cache_capacity(64);
        migrations::migrate(&mut conn)?;
        let progress = Progress::of(&conn);
        let own_files = lock.as_ref().map(|_| own_files::OwnFiles::of(path));
        let mut store = Self { progress, own_files, _lock: lock, ..Self::over(conn, path) };
        store.is_in_its_files()?;
        Ok(store)
    }

    /// A store of which nothing was read yet, and of whose files nobody knows.
    fn over(conn: Connection, path: &Path) -> Self {
        Self {
            conn,
            path: path.to_owned(),
            newest: commit::Newest::default(),
            kept: load::KeptBlocks::default(),
            conditions: Vec::new(),
            body: Vec::new(),
            unmoved_pages: 0,
            archived: None,
            remembered: None,
            progress: Progress::default(),
            own_files: None,
            skipped: RefCell::default(),
            _lock: None,
        }
    }

    /// Looks whether its files are still its own; a store in memory has none.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`]: what is written there is lost.
    pub fn is_in_its_files(&mut self) -> Result<(), StoreError> {
        self.own_files.as_mut().map_or(Ok(()), own_files::OwnFiles::look)
    }

    /// The same after a commit, which may have cut the log back.
    fn is_still_in_its_files(&mut self) -> Result<(), StoreError> {
        self.own_files.as_mut().map_or(Ok(()), own_files::OwnFiles::look_after_commit)
    }

    /// The newest log block.
    #[must_use]
    pub const fn newest_block(&self) -> i64 {
        self.newest.block
    }

    /// Up to which log block history has everything.
    #[must_use]
    pub const fn series_block(&self) -> i64 {
        self.newest.series
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(any(test, feature = "testing"))]
impl Store {
    /// Makes the disk as small as so many pages: what needs more is refused as it is by a full one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn limit_pages(&self, pages: i64) -> Result<(), StoreError> {
        let sql = format!("PRAGMA max_page_count = {pages}");
        Ok(self.conn.query_row(&sql, (), |_| Ok(()))?)
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is being started by another thread has a
    /// copy of it for a moment, and would keep the store locked that long.
    fn drop(&mut self) {
        if let Err(why) = self.file.unlock() {
            tracing::debug!(%why, "the lock of the store could not be given back");
        }
    }
}

impl Lock {
    /// Takes it; it is a file beside the store.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or [`StoreError::Folder`].
    pub fn take(store: &Path) -> Result<Self, StoreError> {
        let folder = |why| StoreError::Folder { path: store.to_owned(), why };
        if let Some(parent) = store.parent() {
            std::fs::create_dir_all(parent).map_err(folder)?;
        }
        let mut beside = store.as_os_str().to_owned();
        beside.push(".lock");
        let beside = PathBuf::from(beside);
        // Opening a pipe waits for who reads it.
        for path in [store, &beside] {
            small_file::regular_or_missing(path)
                .map_err(|why| StoreError::Folder { path: path.to_owned(), why })?;
        }
        // On a disk that can't be written, one that is there locks as well.
        let file = File::create(&beside).or_else(|why| File::open(&beside).map_err(|_| why));
        let file = file.map_err(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(store.to_owned())),
            Err(std::fs::TryLockError::Error(why)) => Err(folder(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child of another thread has every file of ours until it runs its own program.
    #[test]
    fn a_lock_is_given_back_though_a_child_still_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let lock = Lock::take(&path).unwrap();
        let childs = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(&path), Err(StoreError::InUse(_))));
        drop(lock);
        Lock::take(&path).unwrap();
        drop(childs);
    }
}
