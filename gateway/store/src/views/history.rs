//! What the series pump carries away, beside the log of readings (`reader.rs`): whose the readings
//! are, where devices are, every change of state of an incident, and the hours of the ledger.

use rusqlite::Row;
use standpipe_rules::Ms;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::Kind;

use super::devices::kind_of;
use crate::{Reader, StoreError};

/// Whose readings are: what history finds them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceTags<'a> {
    /// The device's place in the registry.
    pub ix: DeviceIx,
    pub kind: Kind,
    pub device: &'a str,
    /// Empty where it belongs to none.
    pub station: &'a str,
    /// Empty where it belongs to none.
    pub zone: &'a str,
}

impl<'a> DeviceTags<'a> {
    /// Of a device as the registry has it.
    #[must_use]
    pub fn of(ix: DeviceIx, device: &'a Device) -> Self {
        let Device { kind, id, station, zone, .. } = device;
        Self { ix, kind: *kind, device: id, station, zone }
    }
}

/// One entry of a trail, with its incident as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailChange {
    /// Counts all entries ever written; it only grows.
    pub n: i64,
    pub at: Ms,
    pub hop: String,
    /// When the episode of that moment began.
    pub since: Ms,
    pub id: String,
    pub station: String,
    /// As of now, not of that moment.
    pub severity: String,
    /// The incident as JSON.
    pub wire: String,
}

/// One hour of one device in the ledger, its boots summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerHour<'a> {
    pub device: &'a str,
    /// Empty where it belongs to none.
    pub station: &'a str,
    /// Empty where it belongs to none.
    pub zone: &'a str,
    pub hour: Ms,
    /// `expected`, `received`, `duplicate`, `late`, `seq_reused`.
    pub counts: [i64; 5],
}

/// Which hours of which devices are read: the bounds are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerHours {
    pub from: Ms,
    pub to: Ms,
    /// The place of the first device.
    pub first: i64,
    /// The place of the last device, included.
    pub last: i64,
}

impl Reader {
    /// The tags of every device from a place on, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn device_tags(
        &self,
        first: usize,
        mut each: impl FnMut(DeviceTags<'_>),
    ) -> Result<(), StoreError> {
        let sql = "SELECT ix, kind, id, station, zone FROM device WHERE ix >= ?1 ORDER BY ix";
        self.rows(sql, [first], |row| {
            each(DeviceTags {
                ix: DeviceIx(row.get(0)?),
                kind: kind_of(text(row, 1)?),
                device: text(row, 2)?,
                station: text(row, 3)?,
                zone: text(row, 4)?,
            });
            Ok(())
        })?;
        Ok(())
    }

    /// Devices from a place on, in order, at most `most`, each with its place; `None`: its row
    /// can't be read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn devices_from(
        &self,
        first: i64,
        most: i64,
    ) -> Result<Vec<(i64, Option<Device>)>, StoreError> {
        let sql = "SELECT ix, json FROM device WHERE ix >= ?1 ORDER BY ix LIMIT ?2";
        self.rows(sql, [first, most], |row| {
            Ok((row.get(0)?, serde_json::from_str(text(row, 1)?).ok()))
        })
    }

    /// The place of the last device; `None`: there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last_device(&self) -> Result<Option<i64>, StoreError> {
        let most = self.rows("SELECT max(ix) FROM device", (), |row| row.get(0))?;
        Ok(most.into_iter().next().flatten())
    }

    /// Entries of trails after one of that number, in order, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn trail_after(&self, n: i64, most: i64) -> Result<Vec<TrailChange>, StoreError> {
        let sql = "SELECT t.n, t.at, t.hop, i.id, i.station, i.severity, i.wire,
                       coalesce((SELECT max(r.at) FROM trail r WHERE r.incident = t.incident
                                 AND r.n < t.n AND r.hop = 'reopened'), i.opened_at)
                   FROM trail t JOIN incident i ON i.id = t.incident
                   WHERE t.n > ?1 ORDER BY t.n LIMIT ?2";
        self.rows(sql, [n, most], |row| {
            Ok(TrailChange {
                n: row.get(0)?,
                at: row.get(1)?,
                hop: row.get(2)?,
                id: row.get(3)?,
                station: row.get(4)?,
                severity: row.get(5)?,
                wire: row.get(6)?,
                since: row.get(7)?,
            })
        })
    }

    /// Hours of the ledger, device by device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ledger_hours(
        &self,
        wanted: LedgerHours,
        mut each: impl FnMut(LedgerHour<'_>),
    ) -> Result<(), StoreError> {
        let LedgerHours { from, to, first, last } = wanted;
        let sql = "SELECT d.id, d.station, d.zone, l.hour, sum(l.expected), sum(l.received),
                       sum(l.duplicate), sum(l.late), sum(l.seq_reused)
                   FROM device d JOIN ledger l ON l.ix = d.ix AND l.hour >= ?1 AND l.hour <= ?2
                   WHERE d.ix >= ?3 AND d.ix <= ?4 GROUP BY d.ix, l.hour";
        self.rows(sql, [from, to, first, last], |row| {
            let mut counts = [0; 5];
            for (at, count) in counts.iter_mut().enumerate() {
                *count = row.get(at + 4)?;
            }
            each(LedgerHour {
                device: text(row, 0)?,
                station: text(row, 1)?,
                zone: text(row, 2)?,
                hour: row.get(3)?,
                counts,
            });
            Ok(())
        })?;
        Ok(())
    }
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a str> {
    row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)
}
