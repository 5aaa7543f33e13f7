//! Stations: who acts, whether their terminal is open, and how much they have to do.

use rusqlite::{Connection, Row};
use standpipe_rules::Ms;
use standpipe_rules::registry::Station;

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf, all, first, json};
use crate::accounts::Area;
use crate::readers::ReadError;

/// A station, and whether somebody sits there.
#[derive(Clone, Debug)]
pub struct StationNow {
    pub station: Station,
    /// Whether its terminal is connected.
    pub online: bool,
    /// When that was last heard; null: never.
    pub presence_at: Option<Ms>,
    /// How many devices it is responsible for.
    pub devices: u64,
    /// How many of its incidents are not closed.
    pub open_incidents: u64,
}

const NOW: ListQuery<'_> = ListQuery {
    select: "s.json, s.online, s.presence_at, \
             (SELECT count(*) FROM device d WHERE d.station = s.id), coalesce(i.open, 0)",
    from: "station s",
    joins: "LEFT JOIN (SELECT station, count(*) AS open FROM incident WHERE open = 1 \
            GROUP BY station) i ON i.station = s.id",
    group: "",
    order: "ORDER BY s.id",
};

fn read(row: &Row<'_>) -> Result<StationNow, ReadError> {
    Ok(StationNow {
        station: json(row, 0)?,
        online: row.get(1)?,
        presence_at: row.get(2)?,
        devices: row.get(3)?,
        open_incidents: row.get(4)?,
    })
}

/// Stations of an area, by id.
///
/// # Errors
/// [`ReadError`].
pub fn list(db: &Connection, area: &Area, page: ListPage) -> Result<PageOf<StationNow>, ReadError> {
    NOW.page(db, &WhereClause::within(area, area.stations()), page, read)
}

/// One station of an area; `None`: there is none.
///
/// # Errors
/// [`ReadError`].
pub fn one(db: &Connection, area: &Area, id: &str) -> Result<Option<StationNow>, ReadError> {
    let mut wanted = WhereClause::within(area, area.stations());
    wanted.and("s.id = ?", id);
    NOW.one(db, &wanted, read)
}

/// Ids and names of the stations of an area, by id.
///
/// # Errors
/// [`ReadError`].
pub fn names(db: &Connection, area: &Area) -> Result<Vec<(String, String)>, ReadError> {
    let sql = format!(
        "SELECT s.id, json_extract(s.json, '$.name') FROM station s WHERE {} ORDER BY s.id",
        area.stations()
    );
    all(db, &sql, [area], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// What a station is called; `None`: it is not registered.
///
/// # Errors
/// [`ReadError`].
pub fn name(db: &Connection, id: &str) -> Result<Option<String>, ReadError> {
    let sql = "SELECT json_extract(json, '$.name') FROM station WHERE id = ?1";
    first(db, sql, [id], |row| Ok(row.get(0)?))
}

/// Whether a station is registered.
///
/// # Errors
/// [`ReadError`].
pub fn is_registered(db: &Connection, id: &str) -> Result<bool, ReadError> {
    let found = first(db, "SELECT 1 FROM station WHERE id = ?1", [id], |_| Ok(()))?;
    Ok(found.is_some())
}
