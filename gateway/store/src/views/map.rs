//! What has a place on the map.

use rusqlite::Connection;
use standpipe_shared::Kind;

use super::all;
use super::devices::kind_of;
use crate::accounts::Area;
use crate::readers::ReadError;

/// Devices drawn at most.
const AT_MOST: u32 = 200_000;

/// A point of the map: a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DevicePlace {
    pub kind: Kind,
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// What is true of it, as bits of conditions; `None`: it was never heard.
    pub conditions: Option<u32>,
}

/// A point of the map: a station.
#[derive(Clone, Debug, PartialEq)]
pub struct StationPlace {
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    pub online: bool,
}

/// The devices of an area that have a place.
///
/// # Errors
/// [`ReadError`].
pub fn devices(db: &Connection, area: &Area) -> Result<Vec<DevicePlace>, ReadError> {
    let sql = format!(
        "SELECT d.kind, d.id, d.name, json_extract(d.json, '$.lat'), json_extract(d.json, '$.lon'),
             iif(m.heard_at IS NULL AND m.conditions = 0, NULL, m.conditions) FROM device d LEFT JOIN memory m ON m.ix = d.ix
         WHERE {} AND json_extract(d.json, '$.lat') IS NOT NULL
             AND json_extract(d.json, '$.lon') IS NOT NULL LIMIT {AT_MOST}",
        area.devices()
    );
    all(db, &sql, [area], |row| {
        Ok(DevicePlace {
            kind: kind_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?),
            id: row.get(1)?,
            name: row.get(2)?,
            lat: row.get(3)?,
            lon: row.get(4)?,
            conditions: row.get(5)?,
        })
    })
}

/// The stations of an area.
///
/// # Errors
/// [`ReadError`].
pub fn stations(db: &Connection, area: &Area) -> Result<Vec<StationPlace>, ReadError> {
    let sql = format!(
        "SELECT s.id, json_extract(s.json, '$.name'), json_extract(s.json, '$.lat'),
             json_extract(s.json, '$.lon'), s.online FROM station s WHERE {}",
        area.stations()
    );
    all(db, &sql, [area], |row| {
        Ok(StationPlace {
            id: row.get(0)?,
            name: row.get(1)?,
            lat: row.get(2)?,
            lon: row.get(3)?,
            online: row.get(4)?,
        })
    })
}
