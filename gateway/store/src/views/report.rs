//! The rows behind a month's figures: incidents and their trails, and the devices there are.

use std::collections::HashSet;

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::changes::Hop;
use standpipe_rules::incidents::{IncidentId, WireIncident};
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::selftest::SELFTEST;
use standpipe_shared::Condition;

use super::incidents::RELAPSED;
use super::maintenance::out_of_service;
use super::{all, json, stations};
use crate::accounts::{Area, area};
use crate::reader::ulid;
use crate::readers::ReadError;

/// The hops that show how long it took to page people, and how long to answer.
const HOPS: [Hop; 8] = [
    Hop::Received,
    Hop::Raised,
    Hop::Reopened,
    Hop::Paged,
    Hop::Delivered,
    Hop::Bundled,
    Hop::Acknowledged,
    Hop::Dispatched,
];

/// From a first moment until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthSpan {
    pub from: Ms,
    /// The first moment after the span.
    pub to: Ms,
}

/// What two months' figures are made of.
#[derive(Clone, Debug)]
pub struct ReportRows {
    /// What the station is called; `None`: it is about no single one.
    pub name: Option<String>,
    pub this: MonthRows,
    pub last: MonthRows,
    /// The devices of today, whatever the month.
    pub devices: Vec<WatchedDevice>,
}

/// What one month's figures are made of.
#[derive(Clone, Debug)]
pub struct MonthRows {
    /// Opened within it.
    pub incidents: Vec<WireIncident>,
    /// Those about water that failed again after they were repaired, or seemed to be.
    pub relapsed: HashSet<IncidentId>,
    /// What shows how fast people were paged and answered, in the order of the trail.
    pub hops: Vec<HopRow>,
    /// Devices that had no water at its end, or have none now.
    pub dry: u32,
    /// Devices that were offline at its end, as far as incidents show; `None`: it is not over.
    pub offline: Option<u32>,
}

/// An entry of a trail of which the time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopRow {
    pub incident: IncidentId,
    pub hop: Hop,
    pub at: Ms,
}

/// One device, with what is known of its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedDevice {
    pub hydrant: bool,
    /// The day it was installed on, as somebody wrote it.
    pub installed_on: Option<String>,
    /// The start of the first hour that is in the ledger.
    pub first_hour: Option<Ms>,
    /// What is true of it now, as [`Condition::bit`]s.
    pub conditions: u32,
    pub heard: bool,
    /// Whether announced work takes it out of service now.
    pub out_of_service: bool,
}

/// What the figures of a station and those below it are made of, within what somebody may see;
/// `None`: no such station for them.
///
/// # Errors
/// [`ReadError`].
pub fn read(
    db: &Connection,
    seen: &Area,
    station: Option<&str>,
    [this, last]: [MonthSpan; 2],
    now: Ms,
) -> Result<Option<ReportRows>, ReadError> {
    let (of, name) = match station {
        None => (seen.clone(), None),
        Some(id) if !seen.holds(id) => return Ok(None),
        Some(id) => {
            let Some(name) = stations::name(db, id)? else { return Ok(None) };
            (area(db, Some(id))?, Some(name))
        }
    };
    Ok(Some(ReportRows {
        name,
        this: month(db, &of, this, now)?,
        last: month(db, &of, last, now)?,
        devices: devices(db, &of, now)?,
    }))
}

fn month(db: &Connection, of: &Area, span: MonthSpan, now: Ms) -> Result<MonthRows, ReadError> {
    let over = span.to <= now;
    Ok(MonthRows {
        incidents: incidents(db, of, span)?,
        relapsed: relapsed(db, of, span)?,
        hops: hops(db, of, span)?,
        dry: standing(db, of, span.to, Condition::NoWater)?,
        offline: over.then(|| standing(db, of, span.to, Condition::Offline)).transpose()?,
    })
}

fn incidents(db: &Connection, of: &Area, span: MonthSpan) -> Result<Vec<WireIncident>, ReadError> {
    let sql = format!(
        "SELECT i.wire FROM incident i WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3",
        of.own_incidents()
    );
    all(db, &sql, (of, span.from, span.to), |row| json(row, 0))
}

fn relapsed(db: &Connection, of: &Area, span: MonthSpan) -> Result<HashSet<IncidentId>, ReadError> {
    let sql = format!(
        "SELECT i.id FROM incident i
         WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3 AND i.class = 'water' AND {RELAPSED}",
        of.own_incidents()
    );
    let ids = all(db, &sql, (of, span.from, span.to), |row| Ok(ulid(row, 0)?))?;
    Ok(ids.into_iter().collect())
}

fn hops(db: &Connection, of: &Area, span: MonthSpan) -> Result<Vec<HopRow>, ReadError> {
    let names = HOPS.map(|hop| format!("'{}'", hop.as_str())).join(", ");
    let sql = format!(
        "SELECT t.incident, t.hop, t.at FROM incident i JOIN trail t ON t.incident = i.id
         WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3 AND t.hop IN ({names}) ORDER BY t.n",
        of.own_incidents()
    );
    let rows = all(db, &sql, (of, span.from, span.to), |row| {
        let name = row.get_ref(1)?.as_str().unwrap_or_default();
        let hop = HOPS.into_iter().find(|hop| hop.as_str() == name);
        let (incident, at) = (ulid(row, 0)?, row.get(2)?);
        Ok(hop.map(|hop| HopRow { incident, hop, at }))
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// Devices of which something was true at a moment, as far as incidents show.
fn standing(db: &Connection, of: &Area, at: Ms, what: Condition) -> Result<u32, ReadError> {
    let sql = format!(
        "SELECT count(DISTINCT json_extract(i.wire, '$.device.id')) FROM incident i
         WHERE {} AND i.opened_at < ?2 AND coalesce(i.closed_at, ?2) >= ?2
             AND json_extract(i.wire, '$.device.id') NOT LIKE '{SELFTEST}-%'
             AND i.state NOT IN ('verifying') AND EXISTS (
                 SELECT 1 FROM json_each(i.wire, '$.conditions') c WHERE c.value = ?3)",
        of.own_incidents()
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row((of, at, what.as_str()), |row| row.get(0))?)
}

fn devices(db: &Connection, of: &Area, now: Ms) -> Result<Vec<WatchedDevice>, ReadError> {
    let lost = out_of_service(db, now)?;
    // What only the self-test uses watches over nobody.
    let sql = format!(
        "SELECT d.ix, d.kind = 'hydrant', json_extract(d.json, '$.installed_on'),
             (SELECT min(hour) FROM ledger l WHERE l.ix = d.ix), coalesce(m.conditions, 0),
             m.heard_at IS NOT NULL
         FROM device d LEFT JOIN memory m ON m.ix = d.ix
         WHERE {} AND d.id NOT LIKE '{SELFTEST}-%'",
        of.devices()
    );
    all(db, &sql, [of], |row| {
        Ok(WatchedDevice {
            out_of_service: lost.contains(&DeviceIx(row.get(0)?)),
            hydrant: row.get(1)?,
            installed_on: row.get(2)?,
            first_hour: row.get(3)?,
            conditions: row.get(4)?,
            heard: row.get(5)?,
        })
    })
}
