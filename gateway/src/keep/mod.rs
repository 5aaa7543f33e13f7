//! Copies of everything that must not be lost: made while the gateway runs, and put back.
//!
//! A backup is a folder `standpipe-20261123T200000Z` of `standpipe.db`, `history.db` where history is
//! embedded, the registry as `stations.csv` and `devices.csv` (to read, and for other programs), and
//! the configuration with the files it names: so it holds secrets, and only its owner may read it.
//! History in InfluxDB is not in it (`influx backup`), nor is what the broker keeps. How many
//! backups are kept is up to the command (`cli/backup.rs`).

pub mod config;

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use standpipe_rules::Ms;
use standpipe_rules::registry::files::{write_devices, write_stations};
use standpipe_rules::registry::{Device, Station};

use crate::ids;
use crate::private_file::{Readers, write};
use crate::selftest;
use crate::store::{Lock, Reader, StoreError};

/// The store's name in a backup.
pub const STORE: &str = "standpipe.db";
/// The embedded history's.
pub const HISTORY: &str = "history.db";
/// The folder of the configuration and the files it names.
pub const CONFIG: &str = "config";

/// Why nothing was copied, or put back.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file or folder.
    #[error("{0}: check the folder, its owner, and the room on the disk")]
    File(#[from] std::io::Error),
    /// SQLite.
    #[error("{path} can't be copied ({bad}): check the disk")]
    Copy {
        /// Which database.
        path: PathBuf,
        /// What SQLite said.
        bad: rusqlite::Error,
    },
    /// Reading the registry.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing to copy.
    #[error("no store at {0}: check `store.path`")]
    NoStore(PathBuf),
    /// A copy that is damaged.
    #[error("{path} is damaged ({why}): take an older backup")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
}

/// What a backup is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The configuration.
    pub config: &'a Path,
    /// The store.
    pub store: &'a Path,
    /// The embedded history, which need not be there.
    pub history: &'a Path,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its folder.
    pub folder: PathBuf,
    /// Stations and devices in it.
    pub registry: (usize, usize),
    /// Files that the configuration names and that are not in it.
    pub missing: Vec<PathBuf>,
}

/// Copies everything into a new folder below `out`. A gateway on the store goes on meanwhile: what
/// it has acknowledged before this began is in the copy.
///
/// # Errors
/// [`KeepError`]; a folder that was begun ends in `.part`.
pub fn back_up(parts: &Parts<'_>, out: &Path, now: Ms) -> Result<Kept, KeepError> {
    let Parts { config, store, history } = *parts;
    if !store.is_file() {
        return Err(KeepError::NoStore(store.to_owned()));
    }
    let folder = out.join(format!("standpipe-{}", stamp(now)));
    let part = folder.with_extension("part");
    let copy = part.join(STORE);
    // The first file makes the folder and fixes who may read what follows.
    write(&copy, b"", Readers::Owner)?;
    own(&part)?;
    copy_database(store, &copy)?;
    if history.is_file() {
        write(&part.join(HISTORY), b"", Readers::Owner)?;
        copy_database(history, &part.join(HISTORY))?;
    }
    check(&copy)?;
    let reader = Reader::open(&copy)?;
    let stations: Vec<Station> = rows(&reader, "SELECT json FROM station ORDER BY id")?;
    let devices: Vec<Device> = rows(&reader, "SELECT json FROM device ORDER BY ix")?;
    let ours = |it: &&Device| it.claimed && !selftest::is_detector(&it.id);
    let claimed: Vec<&Device> = devices.iter().filter(ours).collect();
    write(&part.join("stations.csv"), write_stations(&stations).as_bytes(), Readers::Owner)?;
    let csv = write_devices(claimed.iter().copied());
    write(&part.join("devices.csv"), csv.as_bytes(), Readers::Owner)?;
    let missing = config::keep(config, &part)?;
    // Where the configuration's folder can't be written, it lies beside the store.
    let beside_store = store.with_file_name(ids::NAME);
    if let Ok(secret) = std::fs::read(&beside_store)
        && !part.join(CONFIG).join(ids::NAME).exists()
    {
        write(&part.join(ids::NAME), &secret, Readers::Owner)?;
    }
    std::fs::rename(&part, &folder)?;
    File::open(out)?.sync_all()?;
    Ok(Kept { folder, registry: (stations.len(), claimed.len()), missing })
}

/// Puts the databases of a backup in the place of those that are there, however damaged, which stay
/// beside them with `-before-…` in their names.
///
/// # Errors
/// [`KeepError`]; the backup was examined before anything was touched, and a store that is in use
/// is not.
pub fn restore(from: &Path, store: &Path, history: &Path, now: Ms) -> Result<(), KeepError> {
    let _lock = Lock::take(store)?;
    let mut todo = vec![(from.join(STORE), store)];
    if from.join(HISTORY).is_file() {
        todo.push((from.join(HISTORY), history));
    }
    for (copy, _) in &todo {
        if !copy.is_file() {
            return Err(KeepError::NoStore(copy.clone()));
        }
        check(copy)?;
    }
    for (copy, place) in todo {
        let fresh = beside(place, "-restoring");
        write(&fresh, b"", Readers::Owner)?;
        copy_database(&copy, &fresh)?;
        // The old one goes with its write-ahead log, which would be played into the new one.
        for tail in ["-wal", "-shm", ""] {
            let kept = format!("-before-{}{tail}", stamp(now));
            match std::fs::rename(beside(place, tail), beside(place, &kept)) {
                Err(bad) if bad.kind() != std::io::ErrorKind::NotFound => return Err(bad.into()),
                Err(_) | Ok(()) => {}
            }
        }
        std::fs::rename(&fresh, place)?;
        let folder = place.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Puts the secret of the ids back where it lay, if there is none: `config` is the configuration.
///
/// # Errors
/// [`KeepError::File`].
pub fn restore_secret(from: &Path, config: &Path, store: &Path) -> Result<(), KeepError> {
    for (kept, place) in [
        (from.join(CONFIG).join(ids::NAME), config.with_file_name(ids::NAME)),
        (from.join(ids::NAME), store.with_file_name(ids::NAME)),
    ] {
        if let Ok(secret) = std::fs::read(kept)
            && !place.exists()
        {
            write(&place, &secret, Readers::Owner)?;
        }
    }
    Ok(())
}

/// A moment in a file's name; such names sort by time.
fn stamp(now: Ms) -> String {
    let at = Timestamp::from_millisecond(now).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Copies a database as it is at one moment, in one go: a copy in pieces would begin anew with every
/// commit of the gateway and never end. In WAL mode nobody waits for it.
fn copy_database(from: &Path, to: &Path) -> Result<(), KeepError> {
    let told = |bad| KeepError::Copy { path: from.to_owned(), bad };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(told)?;
    let mut target = Connection::open(to).map_err(told)?;
    target.pragma_update(None, "synchronous", "FULL").map_err(told)?;
    let copied = {
        let backup = Backup::new(&source, &mut target).map_err(told)?;
        let mut step = backup.step(-1).map_err(told)?;
        while matches!(step, StepResult::Busy | StepResult::Locked) {
            std::thread::sleep(std::time::Duration::from_millis(50));
            step = backup.step(-1).map_err(told)?;
        }
        step
    };
    if copied != StepResult::Done {
        return Err(told(rusqlite::Error::ExecuteReturnedResults));
    }
    // A copy is one file: without a write-ahead log it can be moved.
    target
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
        .map_err(told)?;
    target.close().map_err(|(_, bad)| told(bad))
}

fn check(path: &Path) -> Result<(), KeepError> {
    let damaged = |why| KeepError::Damaged { path: path.to_owned(), why };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let said = Connection::open_with_flags(path, flags)
        .and_then(|it| it.query_row("PRAGMA quick_check", (), |row| row.get::<_, String>(0)));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(damaged(said)),
        Err(bad) => Err(damaged(bad.to_string())),
    }
}

fn rows<T: serde::de::DeserializeOwned>(reader: &Reader, sql: &str) -> Result<Vec<T>, KeepError> {
    let rows: Vec<String> = reader.query(sql, (), |row| row.get(0))?;
    let read = |row: &String| {
        serde_json::from_str(row).map_err(|bad| {
            let (what, why) = ("the registry".to_owned(), bad.to_string());
            KeepError::Store(StoreError::Unreadable { what, why })
        })
    };
    rows.iter().map(read).collect()
}

/// Nobody else may even list it.
fn own(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

fn beside(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::{KeepError, Parts, back_up, restore};
    use crate::store::{Store, StoreError};

    #[test]
    fn what_is_damaged_is_replaced_and_does_not_replace() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (store, history) = (at("standpipe.db"), at("history.db"));
        let config = at("standpipe.toml");
        std::fs::write(&config, "[mqtt]\nurl = \"mqtt://b\"\n").unwrap();
        let parts = Parts { config: &config, store: &store, history: &history };
        let none = back_up(&parts, &at("out"), 0);
        assert!(matches!(none, Err(KeepError::NoStore(_))), "{none:?}");
        drop(Store::open(&store).unwrap());
        let kept = back_up(&parts, &at("out"), 1_764_000_000_000).unwrap();
        assert_eq!(kept.folder, at("out/standpipe-20251124T160000Z"));
        assert_eq!((kept.registry, kept.missing), ((0, 0), vec![]));
        let (secret, other) = (config.with_file_name("ids.secret"), at("elsewhere/standpipe.toml"));
        std::fs::write(&secret, "s").unwrap();
        let again = back_up(&parts, &at("out"), 1_764_000_002_000).unwrap();
        super::restore_secret(&again.folder, &other, &store).unwrap();
        assert_eq!(std::fs::read_to_string(at("elsewhere/ids.secret")).unwrap(), "s");
        std::fs::write(&secret, "mine").unwrap();
        super::restore_secret(&again.folder, &config, &store).unwrap();
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "mine", "what is there stays");
        let held = Store::open(&store).unwrap();
        let taken = restore(&kept.folder, &store, &history, 0);
        assert!(matches!(taken, Err(KeepError::Store(StoreError::InUse(_)))), "{taken:?}");
        drop(held);
        std::fs::write(&store, "no database at all").unwrap();
        restore(&kept.folder, &store, &history, 1_764_000_001_000).unwrap();
        drop(Store::open(&store).unwrap());
        let before = std::fs::read(at("standpipe.db-before-20251124T160001Z")).unwrap();
        assert_eq!(before, b"no database at all");

        let before = std::fs::read(&store).unwrap();
        let mut bytes = std::fs::read(kept.folder.join("standpipe.db")).unwrap();
        bytes[..4096].fill(7);
        std::fs::write(kept.folder.join("standpipe.db"), bytes).unwrap();
        let damaged = restore(&kept.folder, &store, &history, 0);
        assert!(matches!(damaged, Err(KeepError::Damaged { .. })), "{damaged:?}");
        assert_eq!(std::fs::read(&store).unwrap(), before);
    }
}
