//! Rows that can't be read: the rest of the store is loaded without them, and what stood in them is kept
//! in the table `unreadable`, which is made when it is first needed.
//!
//! Of a device's row the columns beside its JSON are enough to keep it at its station; what it was worth
//! besides, an import brings back. Not here: a file that SQLite itself can't read.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Deserialize;
use serde::de::IgnoredAny;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::{Incident, IncidentId, Meta, ShownBefore};
use standpipe_rules::registry::{Device, DeviceIx, Registry, Station};
use standpipe_rules::world::World;
use standpipe_shared::Kind;

use super::rows::{self, json_column};
use super::{Store, StoreError};

/// Stations that are registered.
pub type StationIds = BTreeSet<Box<str>>;

/// What is kept of a row at most, bytes.
const KEPT_BYTES: usize = 1024 * 1024;

/// A row that was skipped at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// Of which table.
    pub table: &'static str,
    /// Which row.
    pub key: Box<str>,
    /// What is wrong with it.
    pub why: Box<str>,
    /// What follows from that, in words.
    pub follows: &'static str,
}

impl fmt::Display for SkippedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, why, follows } = self;
        write!(f, "{table} `{key}` can't be read ({why}): {follows}")
    }
}

/// A device's row.
const BY_COLUMNS: &str = "it is kept at its station, without its place and profile";
/// An incident's row that could be made again.
const BY_WIRE: &str = "it goes on from what stations were shown of it";
/// An incident's row that could not.
const LOST: &str = "nobody is reminded of it, and its device pages anew when it speaks";
/// Any other row.
const SKIPPED: &str = "the rest is loaded without it";

/// Whether the secret that ids are made with is the one of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownIds {
    /// It is, or there was none before.
    Same,
    /// Ids so far were made with another one.
    Others,
}

impl Store {
    /// Whether the row of that key was skipped since this store was opened.
    #[must_use]
    pub fn has_skipped(&self, table: &str, key: &str) -> bool {
        self.skipped.borrow().iter().any(|row| row.table == table && *row.key == *key)
    }

    /// The stations that are registered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn station_ids(&self) -> Result<StationIds, StoreError> {
        let mut ids = StationIds::new();
        self.each("SELECT id FROM station", |row| {
            ids.insert(row.get(0)?);
            Ok(())
        })?;
        Ok(ids)
    }

    /// Notes the secret that ids are made with, and says whether it is the one of before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn know_ids(
        &self,
        secret: &standpipe_rules::incidents::IdSecret,
    ) -> Result<KnownIds, StoreError> {
        let mark = secret.mark();
        let mut known = Vec::new();
        self.each("SELECT value FROM meta WHERE key IN ('ids', 'ids_before')", |row| {
            known.push(row.get::<_, String>(0)?);
            Ok(())
        })?;
        if known.contains(&mark) {
            return Ok(KnownIds::Same);
        }
        let before = "INSERT OR REPLACE INTO meta (key, value)
                      SELECT 'ids_before', value FROM meta WHERE key = 'ids'";
        let had = self.conn.execute(before, ())? > 0;
        rows::meta(&self.conn, "ids", &mark)?;
        Ok(if had { KnownIds::Others } else { KnownIds::Same })
    }

    /// As [`Self::each`], for rows without which the rest can be loaded: one that can't be read is
    /// skipped and kept aside. Its first column is what is kept; the last is its key.
    pub(super) fn each_readable(
        &self,
        table: &'static str,
        sql: &str,
        mut row: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each(sql, |found| match row(found) {
            Err(bad) if is_of_row(&bad) => self.skip((table, SKIPPED), found, &bad),
            outcome => outcome,
        })
    }

    /// Every open incident. One that can't be read is made again from what stations were shown of it,
    /// where that can be read. What they were shown is emptied where it says nothing, or every list
    /// could fail at it; `anew`: it is to be written anew.
    pub(super) fn open_incidents(
        &self,
        registry: &Registry,
        anew: &mut Vec<IncidentId>,
    ) -> Result<Vec<Incident>, StoreError> {
        let (mut incidents, mut again, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        let sql = "SELECT inner, number, wire, id FROM incident WHERE open = 1 ORDER BY number";
        self.each(sql, |row| {
            let number = row.get::<_, i64>(1)?.cast_unsigned();
            if !is_shown(row.get_ref(2)?) {
                damaged.push(text(row.get_ref(3)?));
            }
            let bad = match json_column::<Incident>(row, "incident") {
                Ok(mut incident) => {
                    incident.number = number;
                    incidents.push(incident);
                    return Ok(());
                }
                Err(bad) => bad,
            };
            let made = self.shown_before(row, number).ok().flatten();
            let made = made.and_then(|shown| Incident::recovered(shown, registry));
            let follows = if made.is_some() { BY_WIRE } else { LOST };
            again.extend(made.clone());
            incidents.extend(made);
            self.skip(("incident", follows), row, &bad)
        })?;
        for id in damaged {
            rows::put(&self.conn, "UPDATE incident SET wire = '{}' WHERE id = ?1", [&id])?;
            anew.extend(
                incidents.iter().map(|found| found.id).filter(|found| found.to_string() == id),
            );
        }
        for incident in again {
            let inner = rows::json_of("incident", &incident)?;
            let sql = "UPDATE incident SET inner = ?2 WHERE id = ?1";
            rows::put(&self.conn, sql, (incident.id.to_string(), inner))?;
        }
        Ok(incidents)
    }

    /// The devices of incidents that are lost, as far as their rows still name one.
    pub(super) fn devices_of_lost(&self, world: &World) -> Result<BTreeSet<DeviceIx>, StoreError> {
        let mut lost = BTreeSet::new();
        for row in self.skipped.borrow().iter().filter(|row| row.follows == LOST) {
            let sql = "SELECT json_extract(wire, '$.device.id') FROM incident WHERE id = ?1";
            let named =
                self.conn.query_row(sql, [&row.key], |row| row.get::<_, Option<Box<str>>>(0));
            lost.extend(named.ok().flatten().and_then(|id| world.registry().find(&id)));
        }
        Ok(lost)
    }

    /// What stations were shown of an incident, and who was told.
    fn shown_before(&self, row: &Row<'_>, number: u64) -> Result<Option<ShownBefore>, StoreError> {
        let id: Box<str> = row.get(3)?;
        let wire = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let Ok(wire) = serde_json::from_str(wire) else { return Ok(None) };
        let mut boards = BTreeSet::new();
        let mut all = self.conn.prepare_cached("SELECT station FROM board WHERE incident = ?1")?;
        for station in all.query_map([&id], |row| row.get(0))? {
            boards.insert(station?);
        }
        let mut told = BTreeSet::new();
        let sql = "SELECT DISTINCT kind, receiver FROM page WHERE incident = ?1";
        let mut all = self.conn.prepare_cached(sql)?;
        let receiver = |row: &Row<'_>| Ok((row.get::<_, Box<str>>(0)?, row.get(1)?));
        for found in all.query_map([&id], receiver)? {
            let (kind, name) = found?;
            told.insert(if &*kind == "webhook" {
                Receiver::Webhook(name)
            } else {
                Receiver::Station(name)
            });
        }
        Ok(Some(ShownBefore { wire, number, boards, told }))
    }

    fn skip(
        &self,
        (table, follows): (&'static str, &'static str),
        row: &Row<'_>,
        bad: &StoreError,
    ) -> Result<(), StoreError> {
        let (why, last) = (reason(bad), row.as_ref().column_count() - 1);
        let key = text(row.get_ref(last)?);
        let body: Vec<u8> = match row.get_ref(0)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                bytes.iter().take(KEPT_BYTES).copied().collect()
            }
            other @ (ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_)) => {
                text(other).into_bytes()
            }
        };
        self.conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS unreadable (
                 \"table\" TEXT NOT NULL, key TEXT NOT NULL, why TEXT NOT NULL, body BLOB NOT NULL,
                 PRIMARY KEY (\"table\", key)
             ) WITHOUT ROWID",
        )?;
        let sql =
            "INSERT OR REPLACE INTO unreadable (\"table\", key, why, body) VALUES (?1, ?2, ?3, ?4)";
        rows::put(&self.conn, sql, (table, &key, &why, body))?;
        let skipped = SkippedRow { table, key: key.into(), why: why.into(), follows };
        self.skipped.borrow_mut().push(skipped);
        Ok(())
    }

    /// Replaces rows of the registry that can't be read: a device by what the columns beside say of it, a
    /// station by nothing.
    pub(super) fn mend_registry(&self) -> Result<(), StoreError> {
        let (mut devices, mut stations) = (Vec::new(), Vec::new());
        let sql = "SELECT json, ix, kind, station, zone, name, claimed, id FROM device";
        self.each(sql, |row| {
            if let Err(bad) = json_column::<Device>(row, "device") {
                devices.push(recovered(row)?);
                self.skip(("device", BY_COLUMNS), row, &bad)?;
            }
            Ok(())
        })?;
        self.each_readable("station", "SELECT json, id FROM station", |row| {
            json_column::<Station>(row, "station").map(drop).inspect_err(|_| {
                stations.extend(row.get::<_, Box<str>>(1));
            })
        })?;
        for (ix, device) in devices {
            rows::device(&self.conn, DeviceIx(ix), &device)?;
        }
        for station in stations {
            rows::put(&self.conn, "DELETE FROM station WHERE id = ?1", [station])?;
        }
        Ok(())
    }

    /// What the book remembers, where its row can't be read: it goes on counting behind everything that
    /// is stored.
    pub(super) fn counted_anew(&self) -> Result<Meta, StoreError> {
        let sql = "SELECT max(COALESCE((SELECT MAX(number) FROM incident), 0),
                              COALESCE((SELECT MAX(number) FROM page), 0),
                              COALESCE((SELECT MAX(number) FROM command), 0))";
        let last: i64 = self.conn.query_row(sql, (), |row| row.get(0))?;
        Ok(Meta::counted_to(last.cast_unsigned()))
    }
}

/// A device by the columns beside its JSON, and its place.
fn recovered(row: &Row<'_>) -> rusqlite::Result<(u32, Device)> {
    let kind = row.get::<_, String>(2)?;
    let kind = [Kind::Hydrant, Kind::Smoke].into_iter().find(|of| of.as_str() == kind);
    let kind = kind.unwrap_or(Kind::Smoke);
    let id: Box<str> = row.get(7)?;
    let device = Device {
        zone: row.get(4)?,
        name: row.get(5)?,
        claimed: row.get(6)?,
        station: row.get(3)?,
        ..Device::unclaimed(&id, "", kind)
    };
    Ok((row.get(1)?, device))
}

/// Whether only this row is at fault, and not the file.
pub(super) fn is_of_row(bad: &StoreError) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
    };
    match bad {
        StoreError::Unreadable { .. } => true,
        StoreError::Sqlite(bad) => matches!(
            bad,
            FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | Utf8Error(..)
        ),
        StoreError::InUse(_)
        | StoreError::Folder { .. }
        | StoreError::TooNew { .. }
        | StoreError::Full(_)
        | StoreError::NotOurs { .. }
        | StoreError::Hangs { .. } => false,
    }
}

fn reason(bad: &StoreError) -> String {
    match bad {
        StoreError::Unreadable { why, .. } => why.clone(),
        StoreError::Sqlite(bad) => bad.to_string(),
        StoreError::InUse(_)
        | StoreError::Folder { .. }
        | StoreError::TooNew { .. }
        | StoreError::Full(_)
        | StoreError::NotOurs { .. }
        | StoreError::Hangs { .. } => bad.to_string(),
    }
}

/// Whether a column holds what stations were shown of an incident, as far as a quick look says.
fn is_shown(value: ValueRef<'_>) -> bool {
    #[derive(Deserialize)]
    struct Shown {
        #[serde(rename = "id")]
        _id: IgnoredAny,
    }
    value.as_str().is_ok_and(|text| serde_json::from_str::<Shown>(text).is_ok())
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}
