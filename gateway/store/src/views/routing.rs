//! What a rehearsal needs of the store: who would be notified of something at one device.

use rusqlite::Connection;
use standpipe_rules::incidents::Window;
use standpipe_rules::registry::{Device, DeviceIx, Station};

use super::{all, first, json, maintenance};
use crate::readers::ReadError;

/// Everything that the rehearsal of one device depends on.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The device first, then the other hydrants of its zone.
    pub devices: Vec<Device>,
    /// Its place in the store, by which windows name it.
    pub ix: DeviceIx,
    /// All stations, by id, and whether each one's terminal is open.
    pub stations: Vec<(Station, bool)>,
    /// The announced work that the device is part of.
    pub windows: Vec<Window>,
}

/// Who takes part, of all stations; `None`: there is no such device.
///
/// # Errors
/// [`ReadError`].
pub fn cast(db: &Connection, device: &str) -> Result<Option<Cast>, ReadError> {
    let sql = "SELECT json, ix FROM device WHERE id = ?1";
    let found =
        first(db, sql, [device], |row| Ok((json::<Device>(row, 0)?, DeviceIx(row.get(1)?))))?;
    let Some((own, ix)) = found else { return Ok(None) };
    let sql = "SELECT json FROM device WHERE kind = 'hydrant' AND zone = ?1 AND zone <> ''
               AND id <> ?2";
    let others = all(db, sql, (&own.zone, device), |row| json(row, 0))?;
    let mut devices = vec![own];
    devices.extend::<Vec<Device>>(others);
    let sql = "SELECT json, online FROM station ORDER BY id";
    let stations = all(db, sql, (), |row| Ok((json(row, 0)?, row.get(1)?)))?;
    let mut windows = maintenance::kept(db)?;
    windows.retain(|window| window.devices.contains(&ix));
    Ok(Some(Cast { devices, ix, stations, windows }))
}
