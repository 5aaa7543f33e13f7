//! Keeps readings, and notes which hours they belong to.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use standpipe_rules::changes::Logged;
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_shared::Field;

use crate::question::raw_since;
use crate::{ReadingBatch, RefusedPoint, Written};

/// Readings after which the writer lets others have its processor, some 0.5 ms of work. A batch takes
/// a tenth of a second, and whoever carries alarms, the broker among them, is not to wait for it.
const BEFORE_OTHERS: usize = 64;
/// In place of an hour: none is noted.
const NEVER: Ms = -1;

/// The writing side of the file.
pub(super) struct RawWriter {
    pub(super) conn: Connection,
    /// By `DeviceIx`: the device's `n`, and the newest hour noted as stale.
    known: Vec<Option<WrittenDevice>>,
}

#[derive(Clone, Copy)]
struct WrittenDevice {
    n: i64,
    noted: Ms,
}

impl RawWriter {
    pub(super) fn new(conn: Connection) -> Self {
        conn.set_prepared_statement_cache_capacity(32);
        Self { conn, known: Vec::new() }
    }

    /// Keeps a batch in one transaction. What was kept before is written over by the same.
    pub(super) fn write(&mut self, batch: &ReadingBatch, now: Ms) -> rusqlite::Result<Written> {
        let mut order: Vec<&Logged> = batch.readings.iter().collect();
        // Neighbours in the file are written together.
        order.sort_unstable_by_key(|reading| (reading.device, reading.series_ts));
        let change = self.conn.transaction()?;
        let done = keep(&change, &mut self.known, &order, batch, now).and_then(|written| {
            change.commit()?;
            Ok(written)
        });
        if done.is_err() {
            self.known.clear(); // what was noted was rolled back with the rest
        }
        done
    }

    /// Forgets which hours are noted as stale: they were rolled up meanwhile.
    pub(super) fn forget_hours(&mut self) {
        self.known.iter_mut().flatten().for_each(|place| place.noted = NEVER);
    }
}

fn keep(
    change: &Transaction<'_>,
    known: &mut Vec<Option<WrittenDevice>>,
    readings: &[&Logged],
    batch: &ReadingBatch,
    now: Ms,
) -> rusqlite::Result<Written> {
    let mut written = Written::default();
    let mut insert = change.prepare_cached(
        "INSERT OR REPLACE INTO raw VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
    )?;
    let mut note = change.prepare_cached("INSERT OR IGNORE INTO stale VALUES (?1, ?2)")?;
    let oldest = raw_since(now);
    for (n, reading) in readings.iter().enumerate() {
        if n % BEFORE_OTHERS == BEFORE_OTHERS - 1 {
            std::thread::yield_now();
        }
        let (values, ts) = (&reading.values, reading.series_ts);
        if Field::ALL.iter().all(|field| values.get(*field).is_none()) {
            written.empty += 1;
            continue;
        }
        if ts < oldest {
            written.expired += 1;
            continue;
        }
        let Some(id) = batch.tags.id(reading.device) else {
            written.refused.push(stranger(reading));
            continue;
        };
        let device = place(change, known, reading.device.at(), id)?;
        insert.execute(params![
            device.n,
            ts,
            values.pressure_kpa.map(|kpa| kpa.get()),
            values.pressure_min_kpa.map(|kpa| kpa.get()),
            values.pressure_max_kpa.map(|kpa| kpa.get()),
            values.loop_ma.map(|ma| ma.get()),
            values.flowing,
            values.cap_open,
            values.tilt_deg.map(|degrees| degrees.get()),
            values.smoke_db_m.map(|db_m| db_m.get()),
            values.dirt_pct.map(|percent| percent.get()),
            values.temp_c.map(|celsius| celsius.get()),
            values.battery_mv,
            values.rssi_dbm,
        ])?;
        let hour = ts - ts % HOUR_MS;
        if device.noted != hour {
            note.execute(params![hour, device.n])?;
            device.noted = hour;
        }
        written.kept += 1;
    }
    Ok(written)
}

/// The device's row, made when it is new.
fn place<'a>(
    change: &Transaction<'_>,
    known: &'a mut Vec<Option<WrittenDevice>>,
    at: usize,
    id: &str,
) -> rusqlite::Result<&'a mut WrittenDevice> {
    if known.len() <= at {
        known.resize(at + 1, None);
    }
    let Some(slot) = known.get_mut(at) else { return Err(rusqlite::Error::InvalidQuery) };
    if slot.is_none() {
        *slot = Some(WrittenDevice { n: number(change, id)?, noted: NEVER });
    }
    slot.as_mut().ok_or(rusqlite::Error::InvalidQuery)
}

fn number(change: &Transaction<'_>, id: &str) -> rusqlite::Result<i64> {
    let mut find = change.prepare_cached("SELECT n FROM device WHERE id = ?1")?;
    if let Some(n) = find.query_row([id], |row| row.get(0)).optional()? {
        return Ok(n);
    }
    change.prepare_cached("INSERT INTO device (id) VALUES (?1)")?.insert([id])
}

/// A reading of a device nobody registered: the engine registers first, so this is a fault.
fn stranger(reading: &Logged) -> RefusedPoint {
    RefusedPoint {
        device: "".into(),
        why: format!("device number {} is not registered: report this fault", reading.device.0)
            .into(),
        point: format!("{reading:?}").into(),
    }
}
