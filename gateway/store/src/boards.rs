//! What the stations' topics should show, and the queue of those that do not.
//!
//! A topic that owes something has a place: an urgency, and within that a number. Numbers only grow,
//! so that the sender takes from the queue by reading on. A topic that it has taken is in its hands
//! until it says what it sent; what is still owed then, since something happened meanwhile, is put
//! at the end of the queue again ([`sent`]).

use rusqlite::{Connection, Params};
use standpipe_rules::changes::{Page, Urgency};
use standpipe_rules::incidents::{Incident, IncidentId, State};

use super::StoreError;

/// Urgencies of the queue: see [`place`]; then news without a page, then what is over.
pub const URGENCIES: u8 = 9;
/// A new fire of a station that is owed no other: it does not wait behind the fires of a station that
/// has thousands.
const FIRST_FIRE: u8 = 0;
/// A new fire, at the station that is responsible for it.
const NEW_FIRE: u8 = 1;
/// The urgency of news without a page: behind all that pages.
const NEWS: u8 = 7;
/// The urgency of a topic whose incident is over.
const OVER: u8 = 8;

/// The place of a page in this queue: new fires at the station that is responsible, then new fires
/// that other stations are told of too, then the other urgencies of pages.
const fn place(page: &Page) -> u8 {
    match (page.urgency, page.step) {
        (Urgency::NewFire, 1) => NEW_FIRE,
        (urgency, _) => urgency.place() + 2,
    }
}

/// The numbers of the queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// The highest that was given.
    pub last: i64,
}

impl Numbers {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }
}

/// An incident is new or has changed: all its topics should show it so. One that is owed keeps its place.
pub(crate) fn news(
    conn: &Connection,
    numbers: &mut Numbers,
    incident: &Incident,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO board (station, incident, rev, owed, urgency, number)
               VALUES (?1, ?2, ?3, 1, ?4, ?5)
               ON CONFLICT (station, incident) DO UPDATE SET rev = excluded.rev, owed = 1,
                   urgency = CASE owed WHEN 1 THEN urgency ELSE excluded.urgency END,
                   number = CASE owed WHEN 1 THEN number ELSE excluded.number END
               WHERE rev <> excluded.rev";
    let urgency = if incident.state == State::Closed { OVER } else { NEWS };
    let id = incident.id.to_string();
    for station in &incident.boards {
        put(conn, sql, (station, &id, incident.rev, urgency, numbers.next()))?;
    }
    Ok(())
}

/// A station is paged.
pub(crate) fn paged(
    conn: &Connection,
    numbers: &mut Numbers,
    (station, page): (&str, &Page),
) -> Result<(), StoreError> {
    let sql = "INSERT INTO board (station, incident, rev, page_id, owed, urgency, number)
               VALUES (?1, ?2, 1, ?3, 1, ?4, ?5)
               ON CONFLICT (station, incident) DO UPDATE SET page_id = excluded.page_id,
                   owed = 1, urgency = excluded.urgency, number = excluded.number";
    let (incident, page_id) = (page.incident.to_string(), page.page_id.to_string());
    let urgency = match place(page) {
        NEW_FIRE if !owes_a_new_fire(conn, station)? => FIRST_FIRE,
        place => place,
    };
    put(conn, sql, (station, &incident, &page_id, urgency, numbers.next()))
}

/// Whether a station's topics owe a new fire of its own: the index `board_new_fires` has only these.
fn owes_a_new_fire(conn: &Connection, station: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM board INDEXED BY board_new_fires
                              WHERE station = ?1 AND owed = 1 AND urgency <= 1)";
    Ok(conn.prepare_cached(sql)?.query_row([station], |row| row.get(0))?)
}

/// What a topic shows now; 0: nothing new, the broker refused it. A closed incident that is shown is
/// done with. Gives back whether something is owed still.
pub(crate) fn sent(
    conn: &Connection,
    numbers: &mut Numbers,
    (station, incident, rev): (&str, IncidentId, u32),
) -> Result<bool, StoreError> {
    let id = incident.to_string();
    let sql = "UPDATE board SET sent_rev = MAX(sent_rev, ?3) WHERE station = ?1 AND incident = ?2";
    put(conn, sql, (station, &id, rev))?;
    let sql = "DELETE FROM board WHERE station = ?1 AND incident = ?2 AND sent_rev >= rev
               AND NOT EXISTS (SELECT 1 FROM incident WHERE id = ?2 AND open = 1)";
    put(conn, sql, (station, &id))?;
    settled(conn, station, &id)?;
    let sql = "UPDATE board SET number = ?3 WHERE station = ?1 AND incident = ?2 AND owed = 1";
    let mut again = conn.prepare_cached(sql)?;
    Ok(again.execute((station, &id, numbers.next()))? > 0)
}

/// A topic leaves the queue when it shows what it should and no page of its station is owed. Those are
/// looked for by their incident (`+`), not among all that the station is owed.
pub(crate) fn settled(conn: &Connection, station: &str, incident: &str) -> Result<(), StoreError> {
    let sql = "UPDATE board SET owed = 0 WHERE station = ?1 AND incident = ?2 AND sent_rev >= rev
               AND NOT EXISTS (SELECT 1 FROM page WHERE incident = ?2 AND +kind = 'station'
                   AND +receiver = ?1 AND delivered_at IS NULL AND gave_up_at IS NULL
                   AND superseded_at IS NULL)";
    put(conn, sql, (station, incident))
}

fn put(conn: &Connection, sql: &str, params: impl Params) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute(params)?;
    Ok(())
}
