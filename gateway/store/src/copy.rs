//! Copies of databases while they are in use, and whether a copy is sound.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

/// The pause before SQLite retries a page that somebody else holds.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Why a database was not copied, or can't be trusted, as SQLite says it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CopyError(#[from] rusqlite::Error);

/// Copies a database as it is at one moment, in one go: a copy in pieces would restart with every
/// commit of the gateway and never end. In WAL mode nobody waits for it.
///
/// # Errors
/// [`CopyError`].
pub fn copy(from: &Path, to: &Path) -> Result<(), CopyError> {
    let source = read_only(from)?;
    let mut target = Connection::open(to)?;
    target.pragma_update(None, "synchronous", "FULL")?;
    let copied = {
        let backup = Backup::new(&source, &mut target)?;
        let mut step = backup.step(-1)?;
        while matches!(step, StepResult::Busy | StepResult::Locked) {
            std::thread::sleep(BUSY_PAUSE);
            step = backup.step(-1)?;
        }
        step
    };
    if copied != StepResult::Done {
        return Err(rusqlite::Error::ExecuteReturnedResults.into());
    }
    // A copy is one file: without a write-ahead log it can be moved.
    let delete = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    target.pragma_update_and_check(None, "journal_mode", "DELETE", delete)?;
    target.close().map_err(|(_, bad)| CopyError(bad))
}

/// Reads a database through; `Some`: what is damaged in it.
///
/// # Errors
/// [`CopyError`] when that can't even be read.
pub fn damage(path: &Path) -> Result<Option<String>, CopyError> {
    let said: String = read_only(path)?.query_row("PRAGMA quick_check", (), |row| row.get(0))?;
    Ok((said != "ok").then_some(said))
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}
