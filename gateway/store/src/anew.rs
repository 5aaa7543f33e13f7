//! A store is written anew beside a writer whose files are its own no more, or make no sense: what can still
//! be read of them, and above that all that the gateway has in memory.
//!
//! The new file is made under another name, and is put into the place of the old one when it is whole, so
//! that a crash leaves one of both. What stood at that place is kept, as by a start that finds a store
//! malformed (`lost.rs`), and a note says so until a person has chosen.
//!
//! Not here: whether files are still a store's own (`own_files.rs`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use standpipe_rules::Ms;

use super::files::{ReadOnly, UNREADABLE, beside, read_only, set_aside};
use super::lost::{self, LostStore};
use super::{FileLoss, Lock, Store, StoreError};

/// What stands behind the name of a store that is being written.
const NEW: &str = "-new";

impl Store {
    /// Puts a new store in the place of this one, whose file is lost for that reason: with what can be read
    /// of this one, and all that the copy has. `stamp` goes into the name of what stood there. From now
    /// on this one is of no use.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was put there; the same call may be made again.
    pub fn anew(
        &mut self,
        copy: &Self,
        loss: &FileLoss,
        (stamp, now): (&str, Ms),
    ) -> Result<(Self, LostStore), StoreError> {
        let path = self.path.clone();
        let folder = |why| StoreError::Folder { path: path.clone(), why };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(folder)?;
        }
        let fresh = beside(&path, NEW);
        remove(&fresh).map_err(folder)?;
        let rows = {
            let mut store = Self::prepared(&fresh, None)?;
            let rows = self.salvage_into(&store.conn, loss);
            lost::keep_name(&store.conn, &path)?;
            store.take_back(copy)?;
            // In one file, which can be moved.
            store.conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
            rows
        };
        let kept = self.put_in_place(&fresh, stamp).map_err(folder)?;
        // The lock may have been removed with the rest.
        self._lock = None;
        let mut store = Self::prepared(&path, Some(Lock::take(&path)?))?;
        store.continues(copy);
        let FileLoss { how, why, .. } = loss.clone();
        let lost = LostStore { how, since: now, why, kept, rows };
        tracing::error!("{lost}");
        lost::note_down(&path, &lost);
        store.mark();
        Ok((store, lost))
    }

    /// What can be read of this store's rows; how many they are.
    fn salvage_into(&self, into: &Connection, loss: &FileLoss) -> u64 {
        if loss.is_read {
            return lost::recover_from(&self.conn, into);
        }
        // Without the log, of which this process believes what is true no more.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let uri = read_only(&self.path, ReadOnly::FileAlone);
        match lost::open_damaged(Path::new(&uri), flags) {
            Ok(old) => lost::recover_from(&old, into),
            Err(bad) => {
                tracing::error!("nothing can be read of {} ({bad})", self.path.display());
                0
            }
        }
    }

    /// Moves what stands at this store's place out of the way, and the new one there.
    fn put_in_place(&self, fresh: &Path, stamp: &str) -> io::Result<Option<PathBuf>> {
        let was_there = ["", "-wal"].iter().any(|tail| beside(&self.path, tail).exists());
        let aside = set_aside(&self.path, &format!("{UNREADABLE}{stamp}"))?;
        fs::rename(fresh, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(was_there.then_some(aside))
    }
}

/// Removes a database that an earlier attempt left.
fn remove(database: &Path) -> io::Result<()> {
    for tail in ["-wal", "-shm", ""] {
        match fs::remove_file(beside(database, tail)) {
            Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(bad),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}
