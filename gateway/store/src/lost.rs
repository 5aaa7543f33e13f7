//! A store that is gone, empty or malformed where one was: what can be read of it goes into a new one, the
//! old one is kept, and a note beside it says so until a person has chosen.
//!
//! Two files beside the store, which are part of no backup:
//!
//! | file | says |
//! |---|---|
//! | `standpipe.marker` | that there was a store, and the name of its gateway, under which the broker keeps messages |
//! | `standpipe.lost` | what became of the store; there until `restore`, or `run --new-store` |
//!
//! Not here: rows that can't be read in a store that is sound (`unread.rs`).

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use serde::{Deserialize, Serialize};
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;
use standpipe_rules::Ms;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::Kind;

use super::files::{UNREADABLE, is_damaged, set_aside};
use super::working;
use super::{Lock, Store, StoreError, rows};

/// A store up to this size is read through at every start, bytes: about a second on a slow disk.
const LOOKED_THROUGH: u64 = 256 * 1024 * 1024;
/// There was a store here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    /// [`Store::identity`]
    gateway: Box<str>,
}

/// How a store was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The file was not there.
    Gone,
    /// The file had no byte.
    Empty,
    /// SQLite could not read it, or not all of it.
    Malformed,
}

/// What a person wants of a store that was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Nothing was said: it is told at every start.
    #[default]
    Undecided,
    /// To go on with the new one.
    NewStore,
}

/// What became of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostStore {
    pub how: Loss,
    /// When that was found.
    pub since: Ms,
    /// As SQLite says it; empty where it said nothing.
    pub why: String,
    /// Where the old one is.
    pub kept: Option<PathBuf>,
    /// Rows that were copied from it.
    pub rows: u64,
}

impl fmt::Display for LostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            Loss::Gone => f.write_str("the store is gone")?,
            Loss::Empty => f.write_str("the store is empty")?,
            Loss::Malformed => write!(f, "the store is malformed ({})", self.why)?,
        }
        match &self.kept {
            Some(kept) => write!(
                f,
                ", it is kept as {}; {} rows of it are in a new one",
                kept.display(),
                self.rows
            ),
            None => f.write_str("; a new one was made"),
        }
    }
}

impl Store {
    /// As [`Self::open`]; where there was a store that can't be had any more, what can be read of it is
    /// in the new one. `stamp` goes into the name of the old one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open_or_recover(
        path: &Path,
        (stamp, now): (&str, Ms),
        choice: Choice,
    ) -> Result<(Self, Option<LostStore>), StoreError> {
        let lock = Lock::take(path)?;
        if choice == Choice::NewStore {
            let folder = |why| StoreError::Folder { path: path.to_owned(), why };
            accept(path).map_err(folder)?;
        }
        let loss = match fs::metadata(path) {
            Err(bad) if bad.kind() == io::ErrorKind::NotFound => {
                marker(path).map(|_| (Loss::Gone, String::new()))
            }
            Ok(file) if file.len() == 0 => marker(path).map(|_| (Loss::Empty, String::new())),
            Ok(file) => malformed(path, file.len())?.map(|why| (Loss::Malformed, why)),
            // Whoever opens it says what is wrong.
            Err(_) => None,
        };
        let Some((how, why)) = loss else {
            return Ok((Self::prepared(path, Some(lock))?, note(path)));
        };
        let kept = match how {
            Loss::Malformed => Some(
                set_aside(path, &format!("{UNREADABLE}{stamp}"))
                    .map_err(|why| StoreError::Folder { path: path.to_owned(), why })?,
            ),
            Loss::Gone | Loss::Empty => None,
        };
        let store = Self::prepared(path, Some(lock))?;
        let rows = kept.as_deref().map_or(0, |kept| recover(kept, &store.conn));
        let lost = LostStore { how, since: now, why, kept, rows };
        tracing::error!("{lost}");
        keep_name(&store.conn, path)?;
        if choice == Choice::NewStore {
            return Ok((store, None));
        }
        note_down(path, &lost);
        Ok((store, Some(lost)))
    }

    /// From now on there was a store here.
    pub fn mark(&self) {
        if self._lock.is_none() {
            // A copy in memory is beside nothing.
            return;
        }
        let Ok(Some(gateway)) = rows::meta_value(&self.conn, "gateway") else { return };
        let new = Marker { gateway: gateway.into() };
        if marker(&self.path).as_ref() == Some(&new) {
            return;
        }
        if let Err(why) = write_json(&beside(&self.path, MARKER), &new) {
            tracing::warn!("{why}: a store that is lost is taken for a first start");
        }
    }
}

/// Writes down what became of a store, so that it is told at every start.
pub(super) fn note_down(store: &Path, lost: &LostStore) {
    if let Err(why) = write_json(&beside(store, LOST), lost) {
        tracing::error!("{why}: after another start nobody is told of it");
    }
}

/// A person has chosen: what is in the store now is all there is.
///
/// # Errors
/// What the system says.
pub fn accept(store: &Path) -> io::Result<()> {
    match fs::remove_file(beside(store, LOST)) {
        Err(bad) if bad.kind() != io::ErrorKind::NotFound => Err(bad),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// The broker keeps messages for a gateway of the name that the marker beside a store says.
pub(crate) fn keep_name(conn: &Connection, store: &Path) -> rusqlite::Result<()> {
    if let Some(Marker { gateway }) = marker(store) {
        let sql = "INSERT INTO meta (key, value) VALUES ('gateway', ?1) ON CONFLICT DO NOTHING";
        conn.execute(sql, [gateway])?;
    }
    Ok(())
}

const MARKER: &str = "marker";
const LOST: &str = "lost";

fn beside(store: &Path, ends: &str) -> PathBuf {
    store.with_extension(ends)
}

fn marker(store: &Path) -> Option<Marker> {
    read_json(&beside(store, MARKER))
}

fn note(store: &Path) -> Option<LostStore> {
    read_json(&beside(store, LOST))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&small_file::read_text(path).ok()?).ok()
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value).map_err(io::Error::other)?;
    write(path, text.as_bytes(), ReadableBy::Owner)
}

/// What SQLite finds wrong with a store; `None`: nothing.
fn malformed(path: &Path, bytes: u64) -> Result<Option<String>, StoreError> {
    let look = || -> rusqlite::Result<Option<String>> {
        let conn = Connection::open(path)?;
        let deep = if bytes <= LOOKED_THROUGH {
            "PRAGMA quick_check(1)"
        } else {
            "SELECT 'ok' FROM sqlite_schema LIMIT 1"
        };
        let said: String = conn.query_row(deep, (), |row| row.get(0))?;
        Ok((said != "ok").then(|| said.replace('\n', " ")))
    };
    match look() {
        Ok(found) => Ok(found),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(bad) if is_damaged(&bad) => Ok(Some(bad.to_string())),
        Err(bad) => Err(bad.into()),
    }
}

/// Copies what can be read of a damaged store, table by table, from both ends of each; answers how many
/// rows that were. Never fails: what can't be read is not there.
fn recover(from: &Path, into: &Connection) -> u64 {
    // To write, which a write-ahead log wants of its readers; nothing is written.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open_damaged(from, flags).map_or(0, |old| recover_from(&old, into))
}

/// Opens a database of which not all makes sense. Its log is left as it is.
pub(super) fn open_damaged(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let old = Connection::open_with_flags(path, flags)?;
    old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Reads what can be read behind a damaged schema, or of a file that is too short.
    old.execute_batch("PRAGMA writable_schema = ON")?;
    Ok(old)
}

/// The same of a database that is open.
pub(super) fn recover_from(old: &Connection, into: &Connection) -> u64 {
    let mut all = 0;
    for table in working::tables() {
        let copied = into.execute_batch("BEGIN").and_then(|()| {
            let rows = copy(old, into, table);
            into.execute_batch("COMMIT").map(|()| rows)
        });
        match copied {
            Ok(rows) => all += rows,
            Err(bad) => tracing::error!("table {table} was not recovered: {bad}"),
        }
    }
    // Of what is closed, nothing is made anew: its row stays, and no list fails at it.
    let sql = "UPDATE incident SET wire = '{}' WHERE NOT json_valid(wire)";
    if let Err(bad) = into.execute(sql, ()) {
        tracing::error!("damaged incidents were not made readable: {bad}");
    }
    if let Err(bad) = keep_places(into) {
        tracing::error!("places of devices were not kept: {bad}");
    }
    all
}

/// A device's place in the list is its number everywhere: what is missing between others is kept free.
fn keep_places(conn: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT ix FROM device ORDER BY ix";
    let there: BTreeSet<u32> =
        conn.prepare(sql)?.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let end = there.last().copied().unwrap_or(0);
    for ix in (0..end).filter(|ix| !there.contains(ix)) {
        let lost = Device::unclaimed(&format!("lost-{ix}"), "", Kind::Smoke);
        rows::device(conn, DeviceIx(ix), &lost)?;
    }
    Ok(())
}

/// One table; columns that one of both stores does not have are left out.
fn copy(old: &Connection, new: &Connection, table: &str) -> u64 {
    let columns = |conn: &Connection| -> rusqlite::Result<Vec<(String, i64)>> {
        let mut all = conn.prepare(&format!("PRAGMA table_info({table})"))?;
        let rows = all.query_map((), |row| Ok((row.get(1)?, row.get(5)?)))?;
        rows.collect()
    };
    let (Ok(had), Ok(has)) = (columns(old), columns(new)) else { return 0 };
    let both: Vec<&(String, i64)> =
        has.iter().filter(|column| had.iter().any(|known| known.0 == column.0)).collect();
    let name = |column: &&(String, i64)| format!("\"{}\"", column.0);
    let names: Vec<String> = both.iter().map(name).collect();
    let mut key: Vec<_> = both.iter().filter(|column| column.1 > 0).collect();
    key.sort_by_key(|column| column.1);
    let key: Vec<String> = key.into_iter().map(name).collect();
    if names.is_empty() || key.is_empty() {
        return 0;
    }
    let (names, marks) = (names.join(", "), vec!["?"; names.len()].join(", "));
    let put = format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})");
    let mut copied = 0;
    for order in ["ASC", "DESC"] {
        let by: Vec<String> = key.iter().map(|column| format!("{column} {order}")).collect();
        let sql = format!("SELECT {names} FROM {table} ORDER BY {}", by.join(", "));
        let mut run = || -> rusqlite::Result<()> {
            let mut rows = old.prepare(&sql)?;
            let width = rows.column_count();
            let mut rows = rows.query(())?;
            let mut put = new.prepare(&put)?;
            while let Some(row) = rows.next()? {
                // As it is: a damaged text need not be UTF-8.
                let values: Vec<ToSqlOutput<'_>> = (0..width)
                    .map(|at| row.get_ref(at).map(ToSqlOutput::Borrowed))
                    .collect::<rusqlite::Result<_>>()?;
                copied += put.execute(params_from_iter(values)).unwrap_or(0) as u64;
            }
            Ok(())
        };
        match run() {
            Ok(()) => break,
            Err(bad) => tracing::warn!("table {table} is read in part only: {bad}"),
        }
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::{Choice, Loss, Store, accept, rows};
    use std::path::Path;

    fn open(path: &Path) -> (Store, Option<super::LostStore>) {
        Store::open_or_recover(path, ("1", 1_000), Choice::Undecided).unwrap()
    }

    fn meta(store: &Store, key: &str) -> Option<String> {
        rows::meta_value(&store.conn, key).unwrap()
    }

    #[test]
    fn one_that_was_there_is_missed_until_a_person_has_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let (mut store, lost) = open(&path);
        assert_eq!(lost, None, "a first start");
        let name = store.identity(7).unwrap();
        store.mark();
        drop(store);
        for how in [Loss::Gone, Loss::Empty] {
            for tail in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{tail}", path.display()));
            }
            if how == Loss::Empty {
                std::fs::write(&path, "").unwrap();
            }
            for _ in 0..2 {
                let (mut store, lost) = open(&path);
                assert_eq!(lost.map(|lost| lost.how), Some(how), "over any number of starts");
                assert_eq!(
                    store.identity(8).unwrap(),
                    name,
                    "what the broker keeps is for that name"
                );
            }
            accept(&path).unwrap();
            assert_eq!(open(&path).1, None);
        }
    }

    #[test]
    fn what_can_be_read_of_a_malformed_one_is_in_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let (store, _) = open(&path);
        for n in 0..4_000 {
            let sql = "INSERT INTO meta (key, value) VALUES (?1, ?1)";
            store.conn.execute(sql, [format!("key {n:05} {}", "x".repeat(100))]).unwrap();
        }
        store.conn.execute("INSERT INTO station (id, json) VALUES ('t1', '{}')", ()).unwrap();
        let pages: i64 = store.conn.query_row("PRAGMA page_count", (), |row| row.get(0)).unwrap();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() / pages as usize * (pages as usize - 20);
        bytes[at..at + 4_096].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let (store, lost) = open(&path);
        let lost = lost.unwrap();
        assert_eq!(lost.how, Loss::Malformed, "{lost}");
        assert_eq!(std::fs::read(lost.kept.unwrap()).unwrap(), bytes, "the old one is kept");
        assert!(lost.rows > 3_000, "{}", lost.rows);
        let sql = "SELECT count(*) FROM station WHERE id = 't1'";
        assert_eq!(store.conn.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap(), 1);
        assert!(meta(&store, &format!("key 00000 {}", "x".repeat(100))).is_some(), "one end");
        assert!(meta(&store, &format!("key 03999 {}", "x".repeat(100))).is_some(), "the other");
    }

    #[test]
    fn of_one_that_was_cut_short_the_beginning_is_in_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let (store, _) = open(&path);
        store.conn.execute("INSERT INTO station (id, json) VALUES ('t1', '{}')", ()).unwrap();
        for n in 0..4_000 {
            let sql = "INSERT INTO meta (key, value) VALUES (?1, ?1)";
            store.conn.execute(sql, [format!("key {n:05} {}", "x".repeat(100))]).unwrap();
        }
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let (store, lost) = open(&path);
        assert_eq!(lost.map(|lost| lost.how), Some(Loss::Malformed));
        assert_eq!(store.station_ids().unwrap().len(), 1);
    }

    #[test]
    fn garbage_gives_way_to_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        std::fs::write(&path, [0xa5; 8_192]).unwrap();
        let (store, lost) = open(&path);
        assert_eq!(lost.map(|lost| (lost.how, lost.rows)), Some((Loss::Malformed, 0)));
        assert_eq!(store.station_ids().unwrap().len(), 0);
    }
}
