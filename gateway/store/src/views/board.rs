//! The board: open incidents, the loud ones that nobody has taken first; and the exercise that goes on.
//! What fills the screen is in [`super::loud`].

use rusqlite::{Connection, Row};
use standpipe_rules::incidents::WireIncident;

use super::{all, first, json, station_name};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Incidents on one board at most.
const ROWS: u32 = 200;

/// `incident.place` of fires and of critical incidents that nobody has taken,
pub(super) const FIRE: u8 = 0;
pub(super) const CRITICAL: u8 = 2;
/// and of those that somebody has.
pub(super) const FIRE_TAKEN: u8 = 1;
pub(super) const CRITICAL_TAKEN: u8 = 3;

/// Every place, in the order of the board: what is loud and nobody has taken stands above all that
/// somebody has, a main burst above a fire that is taken.
const ORDER: [u8; 8] = [FIRE, CRITICAL, FIRE_TAKEN, CRITICAL_TAKEN, 4, 5, 6, 7];

/// What is open: how many incidents in all, and the worst.
#[derive(Clone, Debug)]
pub struct OpenIncidents {
    /// All of them, also beyond `worst`.
    pub total: u32,
    /// The worst of them, in the board's order and of each kind the newest first, at most 200.
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
pub(super) fn columns() -> String {
    format!(
        "i.wire, {}, (SELECT {} FROM device d WHERE d.id = json_extract(i.wire, '$.device.id')
             AND NOT json_extract(d.json, '$.claimed'))",
        station_name("i.station"),
        station_name("json_extract(d.json, '$.area')")
    )
}

impl BoardRow {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, ReadError> {
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
    let mut worst = Vec::new();
    for place in ORDER {
        let left = ROWS.saturating_sub(u32::try_from(worst.len()).unwrap_or(ROWS));
        if left == 0 {
            break;
        }
        let sql = format!(
            "SELECT {} FROM incident i INDEXED BY incident_board
             WHERE i.place = {place} AND {} ORDER BY i.opened_at DESC, i.number DESC LIMIT ?2",
            columns(),
            area.incidents()
        );
        worst.extend(all(db, &sql, (area, left), BoardRow::read)?);
    }
    Ok(OpenIncidents { total, worst })
}

/// The newest exercise or test of a fire that goes on.
///
/// # Errors
/// [`ReadError`].
pub fn exercise(db: &Connection, area: &Area) -> Result<Option<BoardRow>, ReadError> {
    first(db, &exercise_sql(area), [area], BoardRow::read)
}

fn exercise_sql(area: &Area) -> String {
    format!(
        "SELECT {} FROM incident i INDEXED BY incident_exercise
         WHERE i.open = 1 AND i.class = 'fire' AND i.severity = 'notice' AND {}
         AND json_extract(i.wire, '$.exercise') ORDER BY i.opened_at DESC, i.number DESC LIMIT 1",
        columns(),
        area.incidents()
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::exercise_sql;
    use crate::accounts::Area;

    #[test]
    fn an_exercise_is_found_without_a_look_at_what_is_open() {
        for area in [Area::All, Area::of(["t1"])] {
            let plan = plan(&exercise_sql(&area), [&area]);
            assert!(plan.contains("INDEX incident_exercise"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "nor sorted: {plan}");
        }
    }
}
