//! Whether a writer gets on, for whoever waits for it on another thread: SQLite counts the steps of its
//! programs, and does none while it waits for the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::{Store, StoreError};

/// Counted once in so many instructions of SQLite's machine: some 20 µs.
const INSTRUCTIONS: i32 = 1_000;

/// Grows while a writer has work that the disk does not hold up. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// That of a connection.
    pub(super) fn of(conn: &Connection) -> Self {
        let progress = Self::default();
        let counted = Arc::clone(&progress.0);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            // It is to go on.
            false
        };
        conn.progress_handler(INSTRUCTIONS, Some(count));
        progress
    }

    /// How far it is: another number than before, if it got on.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Store {
    /// Whether this writer gets on.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A store that has nothing in it, and stands in the place of one that is away: nothing is written to it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stand_in(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::over(Connection::open_in_memory()?, path))
    }
}
