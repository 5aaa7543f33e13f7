//! Table `event`: what happened, for streams that follow it.

use rusqlite::Connection;

use crate::accounts::Area;
use crate::readers::ReadError;

/// The events that there still are: `oldest` 1 and `newest` 0 before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptEvents {
    /// The first that is kept; if none is, the one that comes next.
    pub oldest: i64,
    /// The last there ever was, kept or not.
    pub newest: i64,
}

/// An event as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Numbers only grow.
    pub id: i64,
    /// What it is about: `incident`, `device`, `page` or `presence`.
    pub kind: String,
    /// What happened, as a JSON object.
    pub json: String,
}

/// A stretch of events, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsAfter {
    /// Some of what followed is no longer kept, or there never was such an event: what is here
    /// begins with this one.
    pub lost_before: Option<i64>,
    /// What the asker may see of it.
    pub events: Vec<EventRow>,
    /// The last that was read, whether they may see it or not: where to go on.
    pub last: i64,
    /// Whether there may be more at once.
    pub full: bool,
}

/// Which events are kept.
///
/// # Errors
/// [`ReadError`].
pub fn kept(db: &Connection) -> Result<KeptEvents, ReadError> {
    // Each bound by itself is one step into the index; both at once would read the whole table.
    let sql = "SELECT coalesce((SELECT min(id) FROM event), seq + 1), \
               coalesce((SELECT max(id) FROM event), seq) FROM \
               (SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence WHERE name = 'event')";
    Ok(db
        .prepare_cached(sql)?
        .query_row([], |row| Ok(KeptEvents { oldest: row.get(0)?, newest: row.get(1)? }))?)
}

/// What followed the event `after`, reading `most` at most.
///
/// # Errors
/// [`ReadError`].
pub fn after(
    db: &Connection,
    area: &Area,
    after: i64,
    most: usize,
) -> Result<EventsAfter, ReadError> {
    let KeptEvents { oldest, newest } = kept(db)?;
    let lost = after > newest || after.saturating_add(1) < oldest;
    let mut last = if lost { oldest - 1 } else { after };
    let sql = format!(
        "SELECT id, kind, json, {} FROM event WHERE id > ?2 ORDER BY id LIMIT ?3",
        visible(area)
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((area, last, most))?;
    let (mut events, mut read) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        read += 1;
        last = row.get(0)?;
        if row.get(3)? {
            events.push(EventRow { id: last, kind: row.get(1)?, json: row.get(2)? });
        }
    }
    Ok(EventsAfter { lost_before: lost.then_some(oldest), events, last, full: read == most })
}

/// SQL for whether somebody of the area, `?1`, may see an event: of an incident, a page, a device,
/// a station.
fn visible(area: &Area) -> String {
    format!(
        "CASE WHEN ?1 IS NULL THEN 1
         WHEN kind IN ('incident', 'page') THEN EXISTS (SELECT 1 FROM incident i WHERE
             i.id = json_extract(json, iif(kind = 'page', '$.incident', '$.id'))
             AND {})
         WHEN kind = 'device' THEN EXISTS (SELECT 1 FROM device d
             WHERE d.id = json_extract(json, '$.id') AND {})
         ELSE json_extract(json, '$.station') IN (SELECT value FROM json_each(?1)) END",
        area.incidents(),
        area.devices()
    )
}
