//! What fills the screen: open fires and critical incidents that a station was paged about, the oldest
//! first; who was told of one, and who has taken one. Asked by every open page whenever anything
//! happens, so nothing here may depend on how much is open.

use rusqlite::{Connection, Row};
use standpipe_rules::Ms;

use super::board::{BoardRow, CRITICAL, CRITICAL_TAKEN, FIRE, FIRE_TAKEN, columns};
use super::{all, first};
use crate::accounts::Area;
use crate::readers::ReadError;
use crate::rows::rows_of;

/// Incidents of one screen at most; the others are counted.
pub const SHOWN: usize = 20;
/// They are counted up to here.
pub const COUNTED: usize = 200;
/// Receivers of one incident at most.
const TOLD: usize = 60;

/// What is loud and waits for somebody, and what somebody has taken.
#[derive(Clone, Debug, Default)]
pub struct LoudIncidents {
    /// Fires, then critical incidents; of each the oldest first, at most [`SHOWN`].
    pub open: Vec<BoardRow>,
    /// How many there are in all; [`COUNTED`]: perhaps more.
    pub total: usize,
    /// Those that are taken, the newest first, at most [`SHOWN`], with who took each last.
    pub taken: Vec<(BoardRow, TakenBy)>,
}

/// Who took an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBy {
    /// What they call themselves.
    pub by: String,
    /// Who that is: an account, or a station by its topic.
    pub actor: String,
    /// When.
    pub at: Ms,
}

/// A receiver that was told of an incident, and whether it has confirmed that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRow {
    /// `station` or `webhook`.
    pub kind: String,
    /// A station's id, a webhook's name.
    pub receiver: String,
    /// At which step first.
    pub step: u8,
    /// When its newest page was made.
    pub at: Ms,
    /// When it confirmed one.
    pub delivered_at: Option<Ms>,
    /// Its newest page was given up.
    pub gave_up: bool,
}

/// The loud incidents of an area that a station was paged about in their present episode; without a
/// station, all.
///
/// # Errors
/// [`ReadError`].
pub fn loud(
    db: &Connection,
    area: &Area,
    station: Option<&str>,
) -> Result<LoudIncidents, ReadError> {
    let mut found = LoudIncidents::default();
    for place in [FIRE, CRITICAL] {
        let most = rows_of(SHOWN - found.open.len());
        found.open.extend(all(db, &open_sql(area, place), (area, station, most), BoardRow::read)?);
    }
    found.total = found.open.len();
    if found.total == SHOWN {
        let sql = count_sql(area);
        found.total = db.prepare_cached(&sql)?.query_row((area, station), |row| row.get(0))?;
    }
    for place in [FIRE_TAKEN, CRITICAL_TAKEN] {
        let most = rows_of(SHOWN - found.taken.len());
        for row in all(db, &taken_sql(area, place), (area, station, most), BoardRow::read)? {
            let by = taken_by(db, &row.incident.id.to_string())?.unwrap_or_default();
            found.taken.push((row, by));
        }
    }
    Ok(found)
}

/// Those rows of `incident i` that a station, `?2`, was paged about in their present episode.
const PAGED: &str = "(?2 IS NULL OR EXISTS (SELECT 1 FROM page p WHERE p.incident = i.id
     AND p.episode = json_extract(i.wire, '$.episode')
     AND p.kind = 'station' AND p.receiver = ?2))";

/// At most `?3` of them.
fn open_sql(area: &Area, place: u8) -> String {
    format!(
        "SELECT {} FROM incident i INDEXED BY incident_board
         WHERE i.place = {place} AND {} AND {PAGED}
         ORDER BY i.opened_at, i.number LIMIT ?3",
        columns(),
        area.incidents()
    )
}

fn count_sql(area: &Area) -> String {
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM incident i INDEXED BY incident_board
             WHERE i.place IN ({FIRE}, {CRITICAL}) AND {} AND {PAGED} LIMIT {COUNTED})",
        area.incidents()
    )
}

/// At most `?3` of them.
fn taken_sql(area: &Area, place: u8) -> String {
    format!(
        "SELECT {} FROM incident i INDEXED BY incident_board
         WHERE i.place = {place} AND i.state = 'acknowledged' AND {} AND {PAGED}
         ORDER BY i.opened_at DESC, i.number DESC LIMIT ?3",
        columns(),
        area.incidents()
    )
}

/// Who took it last.
fn taken_by(db: &Connection, id: &str) -> Result<Option<TakenBy>, ReadError> {
    let sql = "SELECT by, actor, at FROM trail WHERE incident = ?1 AND hop = 'acknowledged'
               ORDER BY n DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok(TakenBy { by: row.get(0)?, actor: row.get(1)?, at: row.get(2)? });
    first(db, sql, [id], read)
}

/// Who was told of an incident in that episode, in the order in which they were.
///
/// # Errors
/// [`ReadError`].
pub fn told(db: &Connection, id: &str, episode: u32) -> Result<Vec<ToldRow>, ReadError> {
    let sql = format!(
        "SELECT kind, receiver, min(step), max(at), max(delivered_at),
                max(CASE WHEN gave_up_at IS NULL THEN 0 ELSE at END) = max(at)
         FROM page WHERE incident = ?1 AND episode = ?2
         GROUP BY kind, receiver ORDER BY min(at), min(step), kind, receiver LIMIT {TOLD}"
    );
    all(db, &sql, (id, episode), |row| {
        Ok(ToldRow {
            kind: row.get(0)?,
            receiver: row.get(1)?,
            step: row.get(2)?,
            at: row.get(3)?,
            delivered_at: row.get(4)?,
            gave_up: row.get(5)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::{CRITICAL, FIRE, count_sql, open_sql, taken_sql};
    use crate::accounts::Area;

    /// It was `incident_open` once, which is everything that is open: 280 ms with 10,000 of it.
    #[test]
    fn what_is_loud_is_read_from_the_boards_index_and_sorted_by_it() {
        for area in [Area::All, Area::of(["t1"])] {
            for plan in [
                plan(&open_sql(&area, FIRE), (&area, "t1", 20)),
                plan(&taken_sql(&area, CRITICAL), (&area, "t1", 20)),
                plan(&count_sql(&area), (&area, "t1")),
            ] {
                assert!(plan.contains("INDEX incident_board (place=?)"), "{plan}");
                assert!(!plan.contains("SCAN i") && !plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }
}
