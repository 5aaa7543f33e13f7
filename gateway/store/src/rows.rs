//! One table, one function: how each row is written. All statements are kept prepared.

use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::{Deserialize, Serialize};
use serde_json::json;
use standpipe_rules::Ms;
use standpipe_rules::changes::{Page, Presence, Receiver, TrailEntry};
use standpipe_rules::incidents::{Incident, State};
use standpipe_rules::registry::{Device, DeviceIx, Station};
use standpipe_rules::status::DeviceStatus;
use standpipe_rules::world::{Summary, World};
use standpipe_shared::{Measurements, Severity};
use ulid::Ulid;

use super::{StoreError, boards};

/// The newest rejected messages that are kept.
pub const QUARANTINE_ROWS: i64 = 20_000;
/// How much of a rejected payload is kept, bytes.
pub const QUARANTINE_BYTES: usize = 4_096;
/// Messages that were not understood are counted over so long at a time.
pub const REJECTED_SLOT_MS: Ms = 15 * 60_000;
/// How long those counts are kept.
const REJECTED_MS: Ms = 90 * 86_400_000;
/// The newest events that are kept.
pub const EVENT_ROWS: i64 = 10_000;

/// A message, or a part of one, that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    pub at: Ms,
    pub topic: Box<str>,
    /// The registered device it came from; empty: none is known.
    pub device: Box<str>,
    /// For counting: the code of the reason.
    pub reason: Box<str>,
    /// For people: what is wrong, with the value.
    pub detail: String,
    /// As much of it as is kept.
    pub payload: Vec<u8>,
}

pub(super) fn put(conn: &Connection, sql: &str, params: impl Params) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

pub(super) fn json_of(what: &str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|bad| unreadable(what, &bad))
}

/// Reads the first column, which holds JSON; `what` names it in the error.
pub(super) fn json_column<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    what: &str,
) -> Result<T, StoreError> {
    parsed(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?, what)
}

/// Reads a text of JSON; `what` names it in the error.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|bad| StoreError::Unreadable {
        what: format!("{what} {}", text.chars().take(60).collect::<String>()),
        why: bad.to_string(),
    })
}

fn unreadable(what: &str, bad: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: what.to_owned(), why: bad.to_string() }
}

/// A limit as SQLite wants it.
pub fn rows_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// One value of `meta`.
pub fn meta_value(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut find = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(find.query_row([key], |row| row.get(0)).optional()?)
}

/// Writes one row of `meta`.
pub fn meta(conn: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    put(conn, sql, (key, value))
}

/// Writes one row of `meta`, a value as JSON.
pub fn meta_json(
    conn: &Connection,
    key: &str,
    value: &impl serde::Serialize,
) -> Result<(), StoreError> {
    meta(conn, key, &json_of(key, value)?)
}

/// `station`; its terminal stays as it was.
pub fn station(conn: &Connection, station: &Station) -> Result<(), StoreError> {
    let sql = "INSERT INTO station (id, json) VALUES (?1, ?2)
               ON CONFLICT (id) DO UPDATE SET json = excluded.json WHERE json <> excluded.json";
    put(conn, sql, (&station.id, json_of("station", station)?))
}

/// Writes into `station` whether its terminal is there.
pub fn presence(conn: &Connection, presence: &Presence) -> Result<(), StoreError> {
    let sql = "UPDATE station SET online = ?2, presence_at = ?3 WHERE id = ?1";
    put(conn, sql, (&presence.station, presence.online, presence.at))
}

/// Whether a device is there already, with another kind, station or zone than this: then what
/// history is told of it changes.
pub fn retagged(conn: &Connection, ix: DeviceIx, device: &Device) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM device WHERE ix = ?1
                   AND (kind <> ?2 OR station <> ?3 OR zone <> ?4))";
    let said = (ix.0, device.kind.as_str(), &device.station, &device.zone);
    Ok(conn.prepare_cached(sql)?.query_row(said, |row| row.get(0))?)
}

/// Writes the registry's row of a device.
pub fn device(conn: &Connection, ix: DeviceIx, device: &Device) -> Result<(), StoreError> {
    let sql = "INSERT INTO device (ix, id, kind, station, zone, name, claimed, json)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (ix) DO UPDATE SET kind = excluded.kind, station = excluded.station,
                   zone = excluded.zone, name = excluded.name, claimed = excluded.claimed,
                   json = excluded.json
               WHERE json <> excluded.json";
    let json = json_of("device", device)?;
    let kind = device.kind.as_str();
    put(
        conn,
        sql,
        (ix.0, &device.id, kind, &device.station, &device.zone, &device.name, device.claimed, json),
    )
}

/// `memory`; `upto`: the last log block it has seen.
pub fn memory(
    conn: &Connection,
    world: &World,
    ix: DeviceIx,
    upto: i64,
) -> Result<Summary, StoreError> {
    let sql = "INSERT INTO memory (ix, upto, conditions, heard_at, measured_at, latest, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (ix) DO UPDATE SET upto = excluded.upto,
                   conditions = excluded.conditions, heard_at = excluded.heard_at,
                   measured_at = excluded.measured_at, latest = excluded.latest,
                   body = excluded.body";
    let summary = world.summary(ix);
    let latest = json_of("measurements", &summary.latest)?;
    let body = world.memory_body(ix);
    put(
        conn,
        sql,
        (ix.0, upto, summary.conditions, summary.heard_at, summary.measured_at, latest, body),
    )?;
    Ok(summary)
}

/// `meta.tags_rev`: grows whenever a device is another's than before ([`retagged`]).
pub fn tags_changed(conn: &Connection) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES ('tags_rev', 1)
               ON CONFLICT (key) DO UPDATE SET value = value + 1";
    put(conn, sql, ())
}

/// Appends a block to `log`.
pub fn log(
    conn: &Connection,
    block: i64,
    at: Ms,
    readings: usize,
    body: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO log (block, at, readings, body) VALUES (?1, ?2, ?3, ?4)";
    put(conn, sql, (block, at, readings, body))
}

/// `log`: drops what nobody needs any more.
pub fn cut(conn: &Connection, upto: i64) -> Result<(), StoreError> {
    put(conn, "DELETE FROM log WHERE block <= ?1", [upto])
}

/// `incident`; gives back its `wire` form.
pub fn incident(
    conn: &Connection,
    world: &World,
    incident: &Incident,
) -> Result<String, StoreError> {
    let sql = "INSERT INTO incident (id, open, class, severity, state, station, opened_at,
                   updated_at, closed_at, rev, wire, inner, number, place)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
               ON CONFLICT (id) DO UPDATE SET open = excluded.open, severity = excluded.severity,
                   state = excluded.state, station = excluded.station,
                   opened_at = excluded.opened_at, updated_at = excluded.updated_at,
                   closed_at = excluded.closed_at,
                   rev = excluded.rev, wire = excluded.wire, inner = excluded.inner,
                   place = excluded.place";
    let wire = json_of("incident", &incident.wire(world.registry()))?;
    let inner = json_of("incident", incident)?;
    conn.prepare_cached(sql)?.execute(rusqlite::params![
        incident.id.to_string(),
        incident.state != State::Closed,
        incident.class.as_str(),
        incident.severity.as_str(),
        incident.state.as_str(),
        incident.station,
        incident.opened_at,
        incident.updated_at,
        incident.closed_at,
        incident.rev,
        wire,
        inner,
        incident.number.cast_signed(),
        place(incident),
    ])?;
    Ok(wire)
}

/// The place of an incident on the console's board: worst first, and of that what nobody has taken.
/// `None`: it is closed, or another one stands for it.
fn place(incident: &Incident) -> Option<u8> {
    let severity = match incident.severity {
        Severity::Fire => 0,
        Severity::Critical => 2,
        Severity::Warning => 4,
        Severity::Notice => 6,
    };
    let shown = incident.state != State::Closed && incident.parent.is_none();
    shown.then_some(severity + u8::from(incident.state != State::Open))
}

/// Appends an entry to `trail`.
pub fn trail(conn: &Connection, entry: &TrailEntry) -> Result<(), StoreError> {
    let sql = "INSERT INTO trail (incident, at, hop, by, detail, actor, code, parts)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (id, hop) = (entry.incident.to_string(), entry.hop.as_str());
    let (code, parts) = entry.code.columns().map_err(|bad| unreadable("trail", &bad))?;
    put(conn, sql, (id, entry.at, hop, &entry.by, &entry.detail, &entry.actor, code, parts))
}

/// `page`, and what it says to a webhook. The row of its incident comes first. Gives back whether it is
/// new.
pub fn page(conn: &Connection, page: &Page) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO page (page_id, incident, episode, step, repeat, kind,
                   receiver, at, number, urgency, station)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                   coalesce((SELECT station FROM incident WHERE id = ?2), ''))";
    let (kind, to) = receiver(&page.receiver);
    let (page_id, incident) = (page.page_id.to_string(), page.incident.to_string());
    let (number, urgency) = (page.number.cast_signed(), page.urgency.place());
    let new = conn.prepare_cached(sql)?.execute(rusqlite::params![
        page_id,
        incident,
        page.episode,
        page.step,
        page.repeat,
        kind,
        to,
        page.at,
        number,
        urgency
    ])? > 0;
    match page.receiver {
        Receiver::Webhook(_) if new => {
            let sql = "INSERT OR REPLACE INTO message (n, wire)
                       SELECT ?1, wire FROM incident WHERE id = ?2";
            put(conn, sql, (number, &incident))?;
        }
        Receiver::Station(_) | Receiver::Webhook(_) => {}
    }
    Ok(new)
}

/// `message`: its page has left the queue.
pub fn said(conn: &Connection, number: i64) -> Result<(), StoreError> {
    put(conn, "DELETE FROM message WHERE n = ?1", [number])
}

/// `message`: no receiver has seen the page, and it says what is true now; once, and for good.
pub fn reword(conn: &Connection, page_id: Ulid) -> Result<(), StoreError> {
    let sql = "INSERT INTO message (n, fixed, wire)
               SELECT p.number, 1, i.wire FROM page p JOIN incident i ON i.id = p.incident
               WHERE p.page_id = ?1 AND p.delivered_at IS NULL AND p.gave_up_at IS NULL
                   AND p.superseded_at IS NULL
               ON CONFLICT (n) DO UPDATE SET fixed = 1, wire = excluded.wire WHERE fixed = 0";
    put(conn, sql, [page_id.to_string()])
}

/// `page`: a newer one supersedes it. Its message may have arrived all the same.
pub fn superseded(conn: &Connection, page: &Page, at: Ms) -> Result<(), StoreError> {
    let sql = "UPDATE page SET superseded_at = ?2 WHERE page_id = ?1 AND delivered_at IS NULL";
    put(conn, sql, (page.page_id.to_string(), at))?;
    said(conn, page.number.cast_signed())
}

/// A page's receiver as it stands in the table.
pub fn receiver(receiver: &Receiver) -> (&'static str, &str) {
    match receiver {
        Receiver::Station(station) => ("station", station),
        Receiver::Webhook(name) => ("webhook", name),
    }
}

/// Whether an id is that of a page which was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is, and it is owed no more.
    Page,
    /// It is not.
    No,
}

/// `page`: its receiver has it.
pub fn delivered(conn: &Connection, page_id: Ulid, at: Ms) -> Result<Known, StoreError> {
    let sql = "UPDATE page SET delivered_at = ?2 WHERE page_id = ?1 AND delivered_at IS NULL
               RETURNING number, kind, receiver, incident";
    settled(conn, sql, page_id, at)
}

/// `page`: it was tried for too long.
pub fn gave_up(conn: &Connection, page_id: Ulid, at: Ms) -> Result<Known, StoreError> {
    let sql = "UPDATE page SET gave_up_at = ?2 WHERE page_id = ?1 AND delivered_at IS NULL
               RETURNING number, kind, receiver, incident";
    settled(conn, sql, page_id, at)
}

/// A page is owed no more: neither is what it says, nor, perhaps, the board that shows it.
fn settled(conn: &Connection, sql: &str, page_id: Ulid, at: Ms) -> Result<Known, StoreError> {
    let mut update = conn.prepare_cached(sql)?;
    let row = update
        .query_row((page_id.to_string(), at), |row| {
            let (kind, to, incident) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok::<(i64, Box<str>, Box<str>, Box<str>), _>((row.get(0)?, kind, to, incident))
        })
        .optional()?;
    let Some((number, kind, to, incident)) = row else { return Ok(Known::No) };
    if &*kind == "station" {
        boards::settled(conn, &to, &incident)?;
    } else {
        said(conn, number)?;
    }
    Ok(Known::Page)
}

/// `page`: what it is about, so that whoever may see that hears of it.
pub fn page_incident(conn: &Connection, page_id: Ulid) -> Result<Option<String>, StoreError> {
    let mut find = conn.prepare_cached("SELECT incident FROM page WHERE page_id = ?1")?;
    Ok(find.query_row([page_id.to_string()], |row| row.get(0)).optional()?)
}

/// `page`, `digest`: the clock was set by so much, and what is owed is owed for no longer by it.
pub fn owed_since(conn: &Connection, by: Ms) -> Result<(), StoreError> {
    let sql = "UPDATE page SET at = at + ?1 WHERE delivered_at IS NULL AND gave_up_at IS NULL
                   AND superseded_at IS NULL";
    put(conn, sql, [by])?;
    let sql = "UPDATE bundle SET at = at + ?1 WHERE delivered_at IS NULL AND gave_up_at IS NULL
                   AND superseded_at IS NULL";
    put(conn, sql, [by])?;
    let sql = "UPDATE digest SET at = at + ?1 WHERE delivered_at IS NULL AND gave_up_at IS NULL";
    put(conn, sql, [by])
}

/// `incident`, `trail`: the clock was set by so much, to `now`. The trail of what is open moves, as the
/// incident does. What is closed is history, and only what would lie in the future moves: it was
/// written while the clock was ahead.
pub fn shown_since(conn: &Connection, by: Ms, now: Ms) -> Result<(), StoreError> {
    let open = "SELECT id FROM incident WHERE open = 1";
    put(conn, &format!("UPDATE trail SET at = at + ?1 WHERE incident IN ({open})"), [by])?;
    if by >= 0 {
        return Ok(());
    }
    let closed = "SELECT id FROM incident WHERE open = 0 AND updated_at > ?2";
    let sql = format!("UPDATE trail SET at = at + ?1 WHERE at > ?2 AND incident IN ({closed})");
    put(conn, &sql, (by, now))?;
    let moved = |column: &str| format!("{column} + iif({column} > ?2, ?1, 0)");
    let [opened, updated, closed] = ["opened_at", "updated_at", "closed_at"].map(moved);
    let sql = format!(
        "UPDATE incident SET opened_at = {opened}, updated_at = {updated}, closed_at = {closed},
             wire = json_set(wire, '$.opened_at', {opened}, '$.updated_at', {updated},
                             '$.closed_at', {closed})
         WHERE open = 0 AND updated_at > ?2"
    );
    put(conn, &sql, (by, now))
}

/// Adds a message to `quarantine`, its payload cut to a limit.
pub fn quarantine(conn: &Connection, message: &Quarantined) -> Result<(), StoreError> {
    let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload, device)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let head = message.payload.get(..QUARANTINE_BYTES).unwrap_or(&message.payload);
    put(
        conn,
        sql,
        (message.at, &message.topic, &message.reason, &message.detail, head, &message.device),
    )
}

/// Cuts `quarantine` off: the newest messages stay.
pub fn quarantine_cut(conn: &Connection) -> Result<(), StoreError> {
    put(conn, "DELETE FROM quarantine WHERE n <= ?1", [conn.last_insert_rowid() - QUARANTINE_ROWS])
}

/// The same, whoever wrote last.
pub fn quarantine_trim(conn: &Connection) -> Result<(), StoreError> {
    let sql = "DELETE FROM quarantine WHERE n <= (SELECT max(n) FROM quarantine) - ?1";
    put(conn, sql, [QUARANTINE_ROWS])
}

/// `rejected`: so many messages more were not understood, for that reason first.
pub fn rejected(conn: &Connection, now: Ms, reason: &str, messages: u32) -> Result<(), StoreError> {
    let sql = "INSERT INTO rejected (slot, reason, messages) VALUES (?1, ?2, ?3)
               ON CONFLICT (slot, reason) DO UPDATE SET messages = messages + excluded.messages";
    put(conn, sql, (now - now.rem_euclid(REJECTED_SLOT_MS), reason, messages))?;
    put(conn, "DELETE FROM rejected WHERE slot < ?1", [now - REJECTED_MS])
}

/// `rejected`: takes out what [`rejected`] added at that time.
pub fn rejected_less(
    conn: &Connection,
    at: Ms,
    reason: &str,
    messages: u32,
) -> Result<(), StoreError> {
    let sql = "UPDATE rejected SET messages = messages - ?3 WHERE slot = ?1 AND reason = ?2";
    put(conn, sql, (at - at.rem_euclid(REJECTED_SLOT_MS), reason, messages))
}

/// `device_status`: the newest word. What the broker had kept may be older than what is known: it
/// counts where nothing is known, or when the device has started anew since.
pub fn status(conn: &Connection, status: &DeviceStatus) -> Result<(), StoreError> {
    let sql = "INSERT INTO device_status (ix, at, boot, firmware, model, reset, lost, storage)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (ix) DO UPDATE SET at = excluded.at, boot = excluded.boot,
                   firmware = excluded.firmware, model = excluded.model, reset = excluded.reset,
                   lost = excluded.lost, storage = excluded.storage
               WHERE NOT ?9 OR excluded.boot > device_status.boot";
    let DeviceStatus { device, at, retained, boot, firmware, model, reset, lost, storage } = status;
    put(conn, sql, (device.0, at, boot, firmware, model, reset, lost, storage, retained))
}

/// Appends to `event`; gives back the event's number.
pub fn event(conn: &Connection, at: Ms, kind: &str, json: &str) -> Result<i64, StoreError> {
    put(conn, "INSERT INTO event (at, kind, json) VALUES (?1, ?2, ?3)", (at, kind, json))?;
    Ok(conn.last_insert_rowid())
}

/// Cuts `event` off: the newest events stay.
pub fn event_cut(conn: &Connection, newest: i64) -> Result<(), StoreError> {
    put(conn, "DELETE FROM event WHERE id <= ?1", [newest - EVENT_ROWS])
}

/// A page as an event, JSON.
pub fn page_event(page: &Page) -> String {
    let (kind, receiver) = receiver(&page.receiver);
    json!({
        "page_id": page.page_id, "incident": page.incident, "episode": page.episode, "step": page.step,
        "repeat": page.repeat, "kind": kind, "receiver": receiver, "at": page.at,
    })
    .to_string()
}

/// What the event of a device says. A struct, because a number that goes through
/// [`serde_json::Value`] comes out with digits that nobody measured.
#[derive(Serialize)]
struct DeviceEvent<'a> {
    id: &'a str,
    conditions: Vec<&'static str>,
    heard_at: Option<Ms>,
    measured_at: Option<Ms>,
    latest: &'a Measurements,
}

/// The event of a device whose conditions changed.
pub fn device_event(id: &str, summary: &Summary) -> Result<String, StoreError> {
    let conditions: Vec<&str> = standpipe_shared::Condition::ALL
        .into_iter()
        .filter(|condition| summary.conditions & condition.bit() != 0)
        .map(standpipe_shared::Condition::as_str)
        .collect();
    let (heard_at, measured_at, latest) = (summary.heard_at, summary.measured_at, &summary.latest);
    json_of("event", &DeviceEvent { id, conditions, heard_at, measured_at, latest })
}

#[cfg(test)]
mod tests {
    use standpipe_rules::registry::DeviceIx;
    use standpipe_rules::status::DeviceStatus;

    use super::{REJECTED_MS, rejected, status};

    #[test]
    #[rustfmt::skip] // a table
    fn a_status_that_the_broker_kept_takes_no_newer_ones_place() {
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrations::migrate(&mut conn).unwrap();
        for (story, retained, boot, firmware, shown) in [
            ("nothing is known",            true,  Some(3), "1.0", "1.0"),
            ("the same start, retained",    true,  Some(3), "0.9", "1.0"),
            ("an older start, retained",    true,  Some(2), "0.8", "1.0"),
            ("no start named, retained",    true,  None,    "0.7", "1.0"),
            ("a later start, retained",     true,  Some(4), "1.1", "1.1"),
            ("live, whatever it counts",    false, Some(1), "2.0", "2.0"),
            ("live, and counts nothing",    false, None,    "2.1", "2.1"),
        ] {
            let word = DeviceStatus {
                device: DeviceIx(0), at: 1, retained, boot, firmware: Some(firmware.into()),
                model: None, reset: None, lost: None, storage: None,
            };
            status(&conn, &word).unwrap();
            let sql = "SELECT firmware FROM device_status";
            let kept: String = conn.query_row(sql, (), |row| row.get(0)).unwrap();
            assert_eq!(kept, shown, "{story}");
        }
    }

    #[test]
    fn what_was_not_understood_is_counted_by_quarters_of_an_hour_for_90_days() {
        const QUARTER: i64 = 15 * 60_000;
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrations::migrate(&mut conn).unwrap();
        for (at, messages) in [(0, 1), (QUARTER - 1, 2), (QUARTER, 4), (REJECTED_MS + 1, 8)] {
            rejected(&conn, at, "topic", messages).unwrap();
        }
        let mut rows = conn.prepare("SELECT slot, messages FROM rejected ORDER BY slot").unwrap();
        let rows = rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(i64, u32)> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [(QUARTER, 4), (REJECTED_MS, 8)], "the first quarter is over");
    }
}
