//! Announced work, walk tests and exercises, as the engine keeps them, and the devices they hold
//! for.

use std::collections::BTreeSet;

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Announced, Meta, Scope, Window};
use standpipe_rules::registry::DeviceIx;
use standpipe_shared::Kind;

use super::{all, first, json};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Zones named at most.
const ZONES: u32 = 500;

/// Everything that the engine keeps of announcements, in its order, of all stations.
///
/// # Errors
/// [`ReadError`].
pub fn kept(db: &Connection) -> Result<Vec<Window>, ReadError> {
    let sql = "SELECT value FROM meta WHERE key = 'book'";
    let book: Option<Meta> = first(db, sql, (), |row| json(row, 0))?;
    Ok(book.map_or_else(Vec::new, |book| book.windows().to_vec()))
}

/// What is announced and not over, soonest end first, of all stations.
fn windows(db: &Connection, now: Ms) -> Result<Vec<Window>, ReadError> {
    let mut windows = kept(db)?;
    windows.retain(|window| window.until > now);
    windows.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
    Ok(windows)
}

/// The devices that work takes out of service now.
///
/// # Errors
/// [`ReadError`].
pub fn out_of_service(db: &Connection, now: Ms) -> Result<BTreeSet<DeviceIx>, ReadError> {
    let work = |window: &Window| window.what == Announced::Maintenance && window.from <= now;
    Ok(windows(db, now)?.into_iter().filter(work).flat_map(|window| window.devices).collect())
}

/// An announcement, and the devices of an area for which it holds.
#[derive(Clone, Debug)]
pub struct AnnouncedWork {
    /// As the engine keeps it, with the devices of all stations.
    pub window: Window,
    /// Ids of the area's devices, in order.
    pub devices: Vec<String>,
    /// Of these, the hydrants that cannot be counted on meanwhile: those of maintenance.
    pub lost_hydrants: Vec<String>,
    /// The stations responsible for them, in order.
    pub stations: Vec<String>,
}

/// What is announced and not over, soonest end first; the devices are those of the area.
///
/// # Errors
/// [`ReadError`].
pub fn list(db: &Connection, area: &Area, now: Ms) -> Result<Vec<AnnouncedWork>, ReadError> {
    windows(db, now)?.into_iter().map(|window| work(db, area, window)).collect()
}

/// One of them; `None`: it is over, or there is none.
///
/// # Errors
/// [`ReadError`].
pub fn one(
    db: &Connection,
    area: &Area,
    id: &str,
    now: Ms,
) -> Result<Option<AnnouncedWork>, ReadError> {
    let found = windows(db, now)?.into_iter().find(|window| *window.id == *id);
    found.map(|window| work(db, area, window)).transpose()
}

fn work(db: &Connection, area: &Area, window: Window) -> Result<AnnouncedWork, ReadError> {
    let ixs = serde_json::to_string(&window.devices)?;
    let sql = format!(
        "SELECT id, kind, station FROM device d
         WHERE {} AND ix IN (SELECT value FROM json_each(?2)) ORDER BY id",
        area.devices()
    );
    let (mut lost_hydrants, mut stations) = (Vec::new(), BTreeSet::new());
    let devices = all(db, &sql, (area, ixs), |row| {
        let id: String = row.get(0)?;
        let hydrant = row.get_ref(1)?.as_str().unwrap_or_default() == Kind::Hydrant.as_str();
        if window.what == Announced::Maintenance && hydrant {
            lost_hydrants.push(id.clone());
        }
        stations.insert(row.get(2)?);
        Ok(id)
    })?;
    Ok(AnnouncedWork { window, devices, lost_hydrants, stations: stations.into_iter().collect() })
}

/// An announcement, as far as a list shows it.
#[derive(Clone, Debug)]
pub struct WorkBrief {
    /// As the engine keeps it, with the devices of all stations.
    pub window: Window,
    /// How many devices that were asked about it holds for.
    pub devices: u32,
}

/// What holds now for devices of an area, or for one of them; soonest end first, at most `most`.
///
/// # Errors
/// [`ReadError`].
pub fn briefs(
    db: &Connection,
    area: &Area,
    device: Option<&str>,
    now: Ms,
    most: usize,
) -> Result<Vec<WorkBrief>, ReadError> {
    let sql = format!(
        "SELECT count(*) FROM device d WHERE {} AND (?3 IS NULL OR d.id = ?3)
         AND d.ix IN (SELECT value FROM json_each(?2))",
        area.devices()
    );
    let mut count = db.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for window in windows(db, now)?.into_iter().filter(|window| window.from <= now) {
        let row = (area, serde_json::to_string(&window.devices)?, device);
        let devices: u32 = count.query_row(row, |row| row.get(0))?;
        if devices > 0 {
            found.push(WorkBrief { window, devices });
        }
        if found.len() == most {
            break;
        }
    }
    Ok(found)
}

/// Whether a scope reaches devices outside an area.
///
/// # Errors
/// [`ReadError`].
pub fn reaches_beyond(db: &Connection, area: &Area, scope: &Scope) -> Result<bool, ReadError> {
    let (column, name) = match scope {
        Scope::Device(id) => ("d.id", id),
        Scope::Zone(name) => ("d.zone", name),
        Scope::Station(id) => ("d.station", id),
    };
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM device d WHERE {column} = ?2 AND NOT ({}))",
        area.devices()
    );
    Ok(db.prepare_cached(&sql)?.query_row((area, name), |row| row.get(0))?)
}

/// The zones that devices of an area are in, by name.
///
/// # Errors
/// [`ReadError`].
pub fn zones(db: &Connection, area: &Area) -> Result<Vec<String>, ReadError> {
    let sql = format!(
        "SELECT DISTINCT d.zone FROM device d WHERE {} AND d.zone <> '' ORDER BY 1 LIMIT {ZONES}",
        area.devices()
    );
    all(db, &sql, [area], |row| Ok(row.get(0)?))
}
