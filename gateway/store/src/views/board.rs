//! The board: open incidents, worst first; what sounds; and the exercise that goes on.

use std::cmp::Reverse;

use rusqlite::{Connection, Row};
use standpipe_rules::incidents::{State, WireIncident};

use super::{all, first, json, station_name};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Incidents on one board at most.
const ROWS: u32 = 200;

/// Alarms that one answer holds at most.
pub const ALARMS: usize = 100;

/// `incident.place` of fires and of critical incidents that nobody has taken.
const FIRE: u8 = 0;
const CRITICAL: u8 = 2;

/// What is open: how many incidents in all, and the worst.
#[derive(Clone, Debug)]
pub struct OpenIncidents {
    /// All of them, also beyond `worst`.
    pub total: u32,
    /// The worst of them, worst first, at most 200.
    pub worst: Vec<BoardRow>,
}

/// An incident, and where it is in words.
#[derive(Clone, Debug)]
pub struct BoardRow {
    pub incident: WireIncident,
    /// What its station is called (its id, where it has no row); empty of a device that nobody
    /// registered.
    pub station: String,
    /// Of a device that nobody registered: the area that it speaks from, by name, where a station
    /// is called like it.
    pub stray: Option<String>,
}

/// The columns of [`BoardRow::read`], of `incident i`.
fn columns() -> String {
    format!(
        "i.wire, {}, (SELECT {} FROM device d WHERE d.id = json_extract(i.wire, '$.device.id')
             AND NOT json_extract(d.json, '$.claimed'))",
        station_name("i.station"),
        station_name("json_extract(d.json, '$.area')")
    )
}

impl BoardRow {
    fn read(row: &Row<'_>) -> Result<Self, ReadError> {
        Ok(Self { incident: json(row, 0)?, station: row.get(1)?, stray: row.get(2)? })
    }
}

/// What is open and concerns an area. Children stand behind their zone's incident.
///
/// # Errors
/// [`ReadError`].
pub fn open(db: &Connection, area: &Area) -> Result<OpenIncidents, ReadError> {
    // From an index alone, so that the incidents themselves are read for the rows shown only.
    let of = format!("FROM incident i WHERE i.place IS NOT NULL AND {}", area.incidents());
    let total = format!("SELECT count(*) {of}");
    let total = db.prepare_cached(&total)?.query_row([area], |row| row.get(0))?;
    let sql = format!(
        "SELECT {} FROM incident i WHERE i.id IN (SELECT i.id {of}
             ORDER BY i.place, i.opened_at DESC, i.number DESC LIMIT {ROWS})",
        columns()
    );
    let mut worst = all(db, &sql, [area], BoardRow::read)?;
    worst.sort_by_key(|BoardRow { incident, .. }| {
        let later = incident.state != State::Open;
        (Reverse(incident.severity), later, Reverse(incident.opened_at), incident.id)
    });
    Ok(OpenIncidents { total, worst })
}

/// The newest exercise or test of a fire that goes on.
///
/// # Errors
/// [`ReadError`].
pub fn exercise(db: &Connection, area: &Area) -> Result<Option<BoardRow>, ReadError> {
    let sql = format!(
        "SELECT {} FROM incident i INDEXED BY incident_loud
         WHERE i.open = 1 AND i.class = 'fire' AND i.severity = 'notice' AND {}
         AND json_extract(i.wire, '$.exercise') ORDER BY i.opened_at DESC, i.number DESC LIMIT 1",
        columns(),
        area.incidents()
    );
    first(db, &sql, [area], BoardRow::read)
}

/// Open fires and critical incidents that a station was paged about in their present episode, fires
/// first, the newest first; without a station, all.
///
/// # Errors
/// [`ReadError`].
pub fn alarms(
    db: &Connection,
    area: &Area,
    station: Option<&str>,
) -> Result<Vec<BoardRow>, ReadError> {
    let sql = format!(
        "SELECT {} FROM incident i
         WHERE i.place IN ({FIRE}, {CRITICAL}) AND {}
         AND (?2 IS NULL OR EXISTS (SELECT 1 FROM page p WHERE p.incident = i.id
             AND p.kind = 'station' AND p.receiver = ?2
             AND p.episode = json_extract(i.wire, '$.episode')))
         AND NOT json_extract(i.wire, '$.exercise')
         ORDER BY i.place, i.opened_at DESC, i.number DESC LIMIT {ALARMS}",
        columns(),
        area.incidents()
    );
    all(db, &sql, (area, station), BoardRow::read)
}
