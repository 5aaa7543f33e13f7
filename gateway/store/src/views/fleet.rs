//! The fleet: what the devices say of themselves, counted.

use rusqlite::Connection;

use super::all;
use crate::accounts::{Area, DEVICES_OF};
use crate::readers::ReadError;

/// Values counted of each kind at most: those of the most devices.
const VALUES: u32 = 100;

/// What the devices of an area say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetCounts {
    pub devices: u64,
    /// How many never said anything of themselves.
    pub none: u64,
    pub firmware: Vec<FleetValue>,
    pub model: Vec<FleetValue>,
    /// By the reason of their last start.
    pub reset: Vec<FleetValue>,
    /// Those with a fault of their storage, by fault.
    pub storage: Vec<FleetValue>,
    /// Devices that say that they have lost messages.
    pub losing_devices: u64,
    /// How many messages were lost, by what each device said last.
    pub lost_messages: u64,
}

/// Devices that say the same of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetValue {
    /// `None`: they say nothing.
    pub value: Option<String>,
    pub devices: u64,
}

/// The fleet of an area, or of one station in it; a district's also what belongs to nobody.
///
/// # Errors
/// [`ReadError`].
pub fn count(
    db: &Connection,
    area: &Area,
    station: Option<&str>,
) -> Result<FleetCounts, ReadError> {
    let of = match station {
        None => "?2 IS NULL",
        Some(_) => &DEVICES_OF.replacen('?', "?2", 1),
    };
    let from = format!(
        "FROM device d LEFT JOIN device_status f ON f.ix = d.ix WHERE {} AND {of}",
        area.devices()
    );
    let groups = |column: &str, only: &str| -> Result<Vec<FleetValue>, ReadError> {
        let sql = format!(
            "SELECT f.{column}, count(*) {from} {only} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {VALUES}"
        );
        all(db, &sql, (area, station), |row| {
            Ok(FleetValue { value: row.get(0)?, devices: row.get(1)? })
        })
    };
    let sql =
        format!("SELECT count(*), count(*) - count(f.ix), total(f.lost > 0), total(f.lost) {from}");
    let whole = |number: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = number as u64;
        count
    };
    let counts = db.prepare_cached(&sql)?.query_row((area, station), |row| {
        Ok((row.get(0)?, row.get(1)?, whole(row.get(2)?), whole(row.get(3)?)))
    })?;
    let (devices, none, losing_devices, lost_messages) = counts;
    Ok(FleetCounts {
        devices,
        none,
        firmware: groups("firmware", "")?,
        model: groups("model", "")?,
        reset: groups("reset", "")?,
        storage: groups("storage", "AND f.storage IS NOT NULL")?,
        losing_devices,
        lost_messages,
    })
}
