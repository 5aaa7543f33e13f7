//! Every file that a gateway makes and that must not be lost. Whoever opens a database asks here
//! where it is; a backup takes what is here, and `restore` puts it back. A test runs a gateway and
//! finds no file beside these.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A database in the folder of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Readings, where history is embedded.
    History,
    /// Accounts, tokens, the audit log, and what people did at devices, flow tests among it.
    Accounts,
    /// Everything else.
    Store,
}

impl Database {
    /// All; the store last, so that a `restore` that was cut short has not replaced it.
    pub const ALL: [Self; 3] = [Self::History, Self::Accounts, Self::Store];

    /// What it is called in a backup; also where it is, but the store's own place is configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::History => "history.db",
            Self::Accounts => "accounts.db",
            Self::Store => "standpipe.db",
        }
    }

    /// Where it is, beside a store at that place.
    #[must_use]
    pub fn place(self, store: &Path) -> PathBuf {
        match self {
            Self::History | Self::Accounts => store.with_file_name(self.name()),
            Self::Store => store.to_owned(),
        }
    }
}

/// Whether a database itself is at fault by what SQLite says of it: not its disk, its owner, or who else
/// has it open. Then another one can take its place.
#[must_use]
pub fn is_damaged(bad: &rusqlite::Error) -> bool {
    match bad.sqlite_error_code() {
        // Its layout is not what it says it is.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
            true
        }
        Some(_) => false,
    }
}

/// Whether a database's disk, or its file there, is at fault by what SQLite says: then a copy in memory can
/// stand in for it. Not so of what would fail there as well, or passes by itself.
#[must_use]
pub fn is_of_disk(bad: &rusqlite::Error) -> bool {
    matches!(
        bad.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

/// Whether what is in a database makes no sense by what SQLite says.
pub(crate) fn is_of_content(bad: &rusqlite::Error) -> bool {
    let code = bad.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A database of a file that is only read, for a connection that understands URIs.
pub(crate) fn read_only(file: &Path, how: ReadOnly) -> String {
    let escaped = |letter| match letter {
        '%' => "%25".to_owned(),
        '?' => "%3f".to_owned(),
        '#' => "%23".to_owned(),
        letter => String::from(letter),
    };
    let plain: String = file.to_string_lossy().chars().map(escaped).collect();
    let how = match how {
        ReadOnly::WithLog => "mode=ro",
        ReadOnly::FileAlone => "mode=ro&immutable=1",
    };
    format!("file:{plain}?vfs=unix&{how}")
}

/// A write-ahead log wants files beside it. Where they can't be made, what is in the file itself can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadOnly {
    WithLog,
    FileAlone,
}

/// What stands behind the name of a database that can't be read, before the moment when it was moved out
/// of the way.
pub const UNREADABLE: &str = ".unreadable-";

/// A path with that behind its name.
#[must_use]
pub fn beside(path: &Path, behind: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(behind);
    name.into()
}

/// Moves a database out of the way, to its own name and that behind it. Its write-ahead log goes with
/// it, or it would be played into the next one.
///
/// # Errors
/// What the system says. What is not there is no error.
pub fn set_aside(place: &Path, behind: &str) -> io::Result<PathBuf> {
    let aside = beside(place, behind);
    for tail in ["-wal", "-shm", ""] {
        match std::fs::rename(beside(place, tail), beside(&aside, tail)) {
            Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(bad),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(aside)
}

/// Files that a gateway makes for itself and that no key names: beside the configuration, or beside the
/// store where that folder can't be written.
///
/// `ids.secret`: what ids of incidents are made with. With another one, an alarm that is delivered once
/// more after a restore is another incident.
pub const MADE: [&str; 1] = ["ids.secret"];
