//! Settings: what devices shall run, by their own or by their profile's, and how far that is.

use rusqlite::Connection;
use standpipe_rules::orders::{DeviceSettings, Wished};
use standpipe_rules::registry::Device;

use super::{all, first, json, json_or_null};
use crate::accounts::Area;
use crate::readers::ReadError;

/// What the store knows of a device's settings.
#[derive(Clone, Debug)]
pub struct SettingsOf {
    pub device: Device,
    /// What is wished of the device itself.
    pub own: Option<Wished>,
    /// The wish for its whole profile.
    pub profile: Option<Wished>,
    /// What was sent to it, and its answer; `None`: nothing yet.
    pub known: Option<DeviceSettings>,
}

/// Devices of a profile, by where their settings stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsCounts {
    /// Devices with a wish of their own.
    pub own: u64,
    /// Devices that were never sent any.
    pub none: u64,
    /// Settings were or will be sent, and the device does not confirm yet that it runs them.
    pub pending: u64,
    pub applied: u64,
    pub refused: u64,
}

/// A device's settings; `None`: the area has no such device.
///
/// # Errors
/// [`ReadError`].
pub fn of_device(db: &Connection, area: &Area, id: &str) -> Result<Option<SettingsOf>, ReadError> {
    let sql = format!(
        "SELECT d.json, s.json FROM device d LEFT JOIN settings s ON s.ix = d.ix
         WHERE {} AND d.id = ?2",
        area.devices()
    );
    let found = first(db, &sql, (area, id), |row| {
        Ok((json::<Device>(row, 0)?, json_or_null::<DeviceSettings>(row, 1)?))
    })?;
    let Some((device, known)) = found else { return Ok(None) };
    let own = wished(db, "device", &device.id)?;
    let profile = wished(db, "profile", &device.profile)?;
    Ok(Some(SettingsOf { device, own, profile, known }))
}

/// What is wished of a profile, and where its devices of an area stand.
///
/// # Errors
/// [`ReadError`].
pub fn of_profile(
    db: &Connection,
    area: &Area,
    name: &str,
) -> Result<(Option<Wished>, SettingsCounts), ReadError> {
    let wished = wished(db, "profile", name)?;
    let counts = counts(db, area, name, wished.as_ref())?;
    Ok((wished, counts))
}

fn wished(db: &Connection, kind: &str, name: &str) -> Result<Option<Wished>, ReadError> {
    let sql = "SELECT json FROM wish WHERE kind = ?1 AND name = ?2";
    first(db, sql, (kind, name), |row| json(row, 0))
}

fn counts(
    db: &Connection,
    area: &Area,
    name: &str,
    wished: Option<&Wished>,
) -> Result<SettingsCounts, ReadError> {
    let wish = wished.map(|wished| serde_json::to_string(&wished.wish)).transpose()?;
    let sql = format!(
        "SELECT CASE WHEN w.name IS NOT NULL THEN 'own'
                WHEN ?3 IS NOT NULL AND s.wish IS NOT ?3 THEN 'pending'
                ELSE coalesce(s.state, 'none') END AS stand, count(*)
         FROM device d LEFT JOIN settings s ON s.ix = d.ix
         LEFT JOIN wish w ON w.kind = 'device' AND w.name = d.id
         WHERE {} AND json_extract(d.json, '$.profile') = ?2 GROUP BY stand",
        area.devices()
    );
    let mut counts = SettingsCounts::default();
    all(db, &sql, (area, name, wish), |row| {
        let place = match row.get_ref(0)?.as_str().unwrap_or_default() {
            "own" => &mut counts.own,
            "pending" => &mut counts.pending,
            "applied" => &mut counts.applied,
            "refused" => &mut counts.refused,
            _ => &mut counts.none,
        };
        *place = row.get(1)?;
        Ok(())
    })?;
    Ok(counts)
}
