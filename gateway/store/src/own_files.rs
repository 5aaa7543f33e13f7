//! Whether the files of an open store are still the ones that its paths name, and not cut short.
//!
//! SQLite looks at none of that. In a file that was removed, replaced or cut it works on and says that all is
//! well, and what it wrote there is gone at the next start. So the writer looks, before a commit and after
//! it, before anybody is told that something is kept: device, inode and size of each file, and the head of
//! the write-ahead log. Sizes are lower limits: none of them ever shrinks by itself, but for the log, which
//! SQLite cuts back to [`WAL_KEPT`] when it starts over.
//!
//! What is not noticed: bytes in the middle of a file that somebody writes over. SQLite finds a page that
//! makes no sense when it reads it.
//!
//! The database and its shared memory are never opened here: the system would let go of SQLite's locks when
//! they are closed. Not here: what follows (`anew.rs`).

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{StoreError, WAL_KEPT};

/// The first bytes of a write-ahead log, but for the last bit. Source: SQLite's file format, 4.1.
const WAL_MAGIC: u32 = 0x377f_0682;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFate {
    /// Nothing has its name any more.
    Removed,
    /// Something else has its name.
    Replaced,
    /// It is shorter than it was, or its head is gone.
    Cut,
}

impl fmt::Display for FileFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "was removed",
            Self::Replaced => "was replaced",
            Self::Cut => "was cut short",
        })
    }
}

/// The files of an open store.
#[derive(Debug)]
pub(super) struct OwnFiles {
    database: OwnFile,
    log: OwnFile,
    memory: OwnFile,
    /// The write-ahead log, to look at its head.
    head: Option<File>,
}

/// One of them, as it was last seen.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    /// Device and inode; `None`: it was not there yet.
    is: Option<(u64, u64)>,
    bytes: u64,
}

impl OwnFile {
    fn of(store: &Path, tail: &str) -> Self {
        Self { path: super::files::beside(store, tail), is: None, bytes: 0 }
    }

    /// Looks at it; `least`: it may have been cut back to so many bytes.
    fn look(&mut self, least: u64) -> Result<(), StoreError> {
        let found = match fs::metadata(&self.path) {
            Ok(found) => found,
            Err(bad) if bad.kind() == std::io::ErrorKind::NotFound => {
                return self.is.map_or(Ok(()), |_| Err(self.fate(FileFate::Removed)));
            }
            // A folder that can't be looked into says nothing about the file; a commit finds out.
            Err(bad) => {
                tracing::warn!("{} can't be looked at ({bad})", self.path.display());
                return Ok(());
            }
        };
        let is = (found.dev(), found.ino());
        if self.is.is_some_and(|before| before != is) {
            return Err(self.fate(FileFate::Replaced));
        }
        if found.len() < self.bytes.min(least) {
            return Err(self.fate(FileFate::Cut));
        }
        (self.is, self.bytes) = (Some(is), found.len());
        Ok(())
    }

    fn fate(&self, fate: FileFate) -> StoreError {
        StoreError::NotOurs { path: self.path.clone(), fate }
    }
}

impl OwnFiles {
    /// Those of a store that was just opened at this path.
    pub fn of(store: &Path) -> Self {
        // SQLite names the others beside the file that a link leads to.
        let store = store.canonicalize().unwrap_or_else(|_| store.to_owned());
        let [database, log, memory] = ["", "-wal", "-shm"].map(|tail| OwnFile::of(&store, tail));
        Self { database, log, memory, head: None }
    }

    /// Between two commits.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`].
    pub fn look(&mut self) -> Result<(), StoreError> {
        self.look_at_all(u64::MAX)
    }

    /// `least`: the log may have been cut back to so many bytes.
    fn look_at_all(&mut self, least: u64) -> Result<(), StoreError> {
        self.database.look(u64::MAX)?;
        self.memory.look(u64::MAX)?;
        self.log.look(least)
    }

    /// After a commit, which has its log begin with a head, and may have cut that back.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`].
    pub fn look_after_commit(&mut self) -> Result<(), StoreError> {
        self.look_at_all(WAL_KEPT.unsigned_abs())?;
        if self.head.is_none() {
            self.head = File::open(&self.log.path).ok();
        }
        let mut magic = [0; 4];
        let Some(head) = self.head.as_ref().filter(|_| self.log.bytes > 0) else { return Ok(()) };
        match head.read_exact_at(&mut magic, 0) {
            Ok(()) if u32::from_be_bytes(magic) & !1 != WAL_MAGIC => {
                Err(self.log.fate(FileFate::Cut))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use super::FileFate;
    use crate::{Store, StoreError};

    /// What a store of which something was done to a file says before its next commit.
    fn fate(harm: impl Fn(&Path)) -> Option<(String, FileFate)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let mut store = Store::open(&path).unwrap();
        store.conn.execute("INSERT INTO meta VALUES ('a', 'b')", ()).unwrap();
        store.is_in_its_files().unwrap();
        harm(&path);
        match store.is_in_its_files() {
            Ok(()) => None,
            Err(StoreError::NotOurs { path, fate }) => {
                Some((path.file_name().unwrap().to_string_lossy().into_owned(), fate))
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn cut(path: &Path, bytes: u64) {
        File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
    }

    #[test]
    fn whatever_is_done_to_a_file_of_an_open_store_is_noticed() {
        let tail = |path: &Path, tail| crate::files::beside(path, tail);
        assert_eq!(fate(|_| {}), None);
        for name in ["standpipe.db", "standpipe.db-wal", "standpipe.db-shm"] {
            let of = |path: &Path| path.with_file_name(name);
            let removed = fate(|path| fs::remove_file(of(path)).unwrap());
            assert_eq!(removed, Some((name.into(), FileFate::Removed)));
            let replaced = fate(|path| {
                let fresh = path.with_file_name("fresh");
                fs::copy(of(path), &fresh).unwrap();
                fs::rename(fresh, of(path)).unwrap();
            });
            assert_eq!(replaced, Some((name.into(), FileFate::Replaced)));
        }
        for (name, bytes) in [("-wal", 0), ("-wal", 4_000), ("", 0), ("", 100)] {
            let cut = fate(|path| cut(&tail(path, name), bytes));
            let name = format!("standpipe.db{name}");
            assert_eq!(cut, Some((name, FileFate::Cut)), "to {bytes}");
        }
    }

    #[test]
    fn a_log_that_starts_over_and_other_readers_are_no_news() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let mut store = Store::open(&path).unwrap();
        for n in 0..200 {
            let text = "x".repeat(150_000);
            let sql = "INSERT OR REPLACE INTO meta VALUES ('big', ?1)";
            store.conn.execute(sql, [format!("{n}{text}")]).unwrap();
            store.own_files.as_mut().unwrap().look_after_commit().unwrap();
            if n % 64 == 63 {
                store.checkpoint().unwrap();
                drop(crate::Reader::open(&path).unwrap());
                crate::copy::copy(&path, &folder.path().join("copy.db")).unwrap();
            }
            store.is_in_its_files().unwrap();
        }
    }

    #[test]
    fn a_log_whose_head_is_gone_is_noticed_after_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let mut store = Store::open(&path).unwrap();
        let own = |store: &mut Store| store.own_files.as_mut().unwrap().look_after_commit();
        store.conn.execute("INSERT INTO meta VALUES ('a', 'b')", ()).unwrap();
        own(&mut store).unwrap();
        // Cut within a commit: SQLite writes behind the hole, and it is as long as before.
        cut(&crate::files::beside(&path, "-wal"), 0);
        store.conn.execute("INSERT INTO meta VALUES ('c', 'd')", ()).unwrap();
        let said = own(&mut store);
        assert!(matches!(said, Err(StoreError::NotOurs { fate: FileFate::Cut, .. })), "{said:?}");
    }
}
