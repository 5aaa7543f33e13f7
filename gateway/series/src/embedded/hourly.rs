//! Upkeep: hours are rolled up once they are over, and once more after late readings; what is
//! too old is cut off. Always in small steps, between which a batch can be written.

use rusqlite::{Connection, Transaction, params};
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_shared::Field;

use super::raw::RawWriter;
use crate::HOURLY_DAYS;
use crate::question::raw_since;

/// An hour is rolled up this long after its end; later readings cause another roll-up.
const SETTLE_MS: Ms = 5 * 60 * 1_000;
/// Hours of one device that are rolled up in one step.
const ROLL_UPS_A_STEP: usize = 100;
/// Devices of which old points are cut off in one step.
const CUTS_A_STEP: i64 = 20;
/// Of one device at most this much is cut off in one step.
const CUT_SPAN_MS: Ms = DAY_MS;

/// How far upkeep has come.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// The device whose old points were cut off last, in this round.
    cut: i64,
    /// Raw points before this are gone: the round for it is done.
    raw_done: Ms,
}

impl Upkeep {
    /// One step; true when more waits. Roll-ups come first, so that nothing raw is cut off
    /// before its hour is known.
    pub(super) fn step(&mut self, raw: &mut RawWriter, now: Ms) -> rusqlite::Result<bool> {
        let rolled = roll_up(&mut raw.conn, now)?;
        if rolled > 0 {
            raw.forget_hours();
            return Ok(true);
        }
        let before = raw_since(now);
        if before <= self.raw_done {
            return Ok(false);
        }
        match cut(&mut raw.conn, self.cut, before, now)? {
            CutStep::Same => {}
            CutStep::Next(device) => self.cut = device,
            CutStep::Done => *self = Self { cut: 0, raw_done: before },
        }
        Ok(before > self.raw_done)
    }
}

/// Rolls up hours that are over; how many.
fn roll_up(conn: &mut Connection, now: Ms) -> rusqlite::Result<usize> {
    let change = conn.transaction()?;
    let over = now - HOUR_MS - SETTLE_MS;
    let due: Vec<(Ms, i64)> = change
        .prepare_cached("SELECT hour, device FROM stale WHERE hour <= ?1 ORDER BY hour LIMIT ?2")?
        .query_map(params![over, ROLL_UPS_A_STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (hour, device) in &due {
        one_hour(&change, *device, *hour)?;
        change
            .prepare_cached("DELETE FROM stale WHERE hour = ?1 AND device = ?2")?
            .execute(params![hour, device])?;
    }
    change.commit()?;
    Ok(due.len())
}

/// Recomputes one hour of one device from its raw readings.
fn one_hour(change: &Transaction<'_>, device: i64, hour: Ms) -> rusqlite::Result<()> {
    let columns: Vec<String> = Field::ALL
        .iter()
        .map(|field| field.as_str())
        .map(|name| format!("min({name}), avg({name}), max({name}), count({name})"))
        .collect();
    let sql = format!(
        "SELECT {} FROM raw WHERE device = ?1 AND ts >= ?2 AND ts < ?3",
        columns.join(", ")
    );
    let mut put =
        change.prepare_cached("INSERT OR REPLACE INTO hourly VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
    change.prepare_cached(&sql)?.query_row(params![device, hour, hour + HOUR_MS], |row| {
        for field in 0..Field::ALL.len() {
            let at = field * 4;
            let count: i64 = row.get(at + 3)?;
            if count > 0 {
                let (min, mean, max): (f64, f64, f64) =
                    (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
                put.execute(params![device, field, hour, min, mean, max, count])?;
            }
        }
        Ok(())
    })
}

/// What a step of cutting came to.
enum CutStep {
    /// One device has more.
    Same,
    /// Devices up to this one are done.
    Next(i64),
    /// All are done.
    Done,
}

/// Cuts off what is too old, of the next few devices.
fn cut(conn: &mut Connection, after: i64, before: Ms, now: Ms) -> rusqlite::Result<CutStep> {
    let change = conn.transaction()?;
    let devices: Vec<i64> = change
        .prepare_cached("SELECT n FROM device WHERE n > ?1 ORDER BY n LIMIT ?2")?
        .query_map([after, CUTS_A_STEP], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut done = None;
    for device in &devices {
        let first: Option<Ms> = change
            .prepare_cached("SELECT min(ts) FROM raw WHERE device = ?1")?
            .query_row([device], |row| row.get(0))?;
        let until = before.min(first.unwrap_or(before).saturating_add(CUT_SPAN_MS));
        change
            .prepare_cached("DELETE FROM raw WHERE device = ?1 AND ts < ?2")?
            .execute([*device, until])?;
        if until < before {
            break;
        }
        cut_hourly(&change, *device, now - HOURLY_DAYS * DAY_MS)?;
        done = Some(*device);
    }
    change.commit()?;
    Ok(match done {
        _ if devices.is_empty() => CutStep::Done,
        None => CutStep::Same,
        Some(device) => CutStep::Next(device),
    })
}

fn cut_hourly(change: &Transaction<'_>, device: i64, before: Ms) -> rusqlite::Result<()> {
    let mut delete = change
        .prepare_cached("DELETE FROM hourly WHERE device = ?1 AND field = ?2 AND hour < ?3")?;
    for field in 0..Field::ALL.len() {
        delete.execute(params![device, field, before])?;
    }
    Ok(())
}
