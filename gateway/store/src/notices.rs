//! The notices of a day: what its digest is made of. What is in one is decided in
//! `standpipe_rules::digest`.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension};
use standpipe_rules::Ms;
use standpipe_rules::digest::{Digest, DigestScope, ReasonCount, Unread};
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::selftest;
use standpipe_words::day::Day;

use crate::REJECTED_SLOT_MS;
use crate::accounts::{Area, area};
use crate::readers::ReadError;

/// Notices that one digest counts at most; beyond it, the newest.
const NOTICES: u32 = 20_000;

/// The digest of a station and those below it, within what somebody may see; `None`: no such
/// station for them. `span`: the time that it covers.
///
/// # Errors
/// [`ReadError`].
pub fn gather(
    db: &Connection,
    seen: &Area,
    station: Option<&str>,
    day: Day,
    span: Range<Ms>,
) -> Result<Option<Digest>, ReadError> {
    let of = match station {
        None => seen.clone(),
        Some(id) if !seen.holds(id) => return Ok(None),
        Some(id) => {
            let sql = "SELECT 1 FROM station WHERE id = ?1";
            let known: Option<i64> = db.query_row(sql, [id], |row| row.get(0)).optional()?;
            if known.is_none() {
                return Ok(None);
            }
            area(db, Some(id))?
        }
    };
    let sql = notices(&of);
    let mut statement = db.prepare_cached(&sql)?;
    let Range { start: from, end: to } = span;
    let mut rows = statement.query((&of, from, to))?;
    let mut notices: Vec<WireIncident> = Vec::new();
    while let Some(row) = rows.next()? {
        let notice: WireIncident =
            serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?;
        if notice.device.as_ref().is_none_or(|device| !selftest::is_detector(&device.id)) {
            notices.push(notice);
        }
    }
    let (day, station) = (day.to_string().into(), station.map(Box::from));
    let mut digest = Digest::of(DigestScope { day, station, from, to }, notices);
    // What was not understood may be of anybody: it is the business of districts.
    if of.holds("") {
        digest.unread = unread(db, from..to)?;
    }
    Ok(Some(digest))
}

/// What was not understood within that time. A quarter of an hour belongs to the time in which it
/// ends, so that each is counted once.
fn unread(db: &Connection, span: Range<Ms>) -> Result<Option<Unread>, ReadError> {
    let Range { start: from, end: to } = span;
    let sql = "SELECT reason, sum(messages) FROM rejected WHERE slot > ?1 AND slot <= ?2
               GROUP BY reason ORDER BY 2 DESC, 1";
    let mut statement = db.prepare_cached(sql)?;
    let slots = (from - REJECTED_SLOT_MS, to - REJECTED_SLOT_MS);
    let rows = statement
        .query_map(slots, |row| Ok(ReasonCount { reason: row.get(0)?, messages: row.get(1)? }))?;
    let reasons = rows.collect::<Result<Vec<_>, _>>()?;
    let messages = reasons.iter().map(|of| of.messages).sum();
    if messages == 0 {
        return Ok(None);
    }
    let sql = "SELECT count(DISTINCT device) FROM quarantine
               WHERE at >= ?1 AND at < ?2 AND device <> ''";
    let devices = db.prepare_cached(sql)?.query_row((from, to), |row| row.get(0))?;
    Ok(Some(Unread { messages, devices, reasons }))
}

/// Notices of `?1` that were opened before `?3`, and are open or ended at or after `?2`. Each half
/// has an index of its own; left alone, SQLite would walk through all that was ever opened.
fn notices(of: &Area) -> String {
    format!(
        "SELECT i.wire, i.opened_at FROM incident i INDEXED BY incident_loud
         WHERE i.open = 1 AND i.severity = 'notice' AND i.opened_at < ?3 AND {area}
         UNION ALL
         SELECT i.wire, i.opened_at FROM incident i INDEXED BY incident_notice_closed
         WHERE i.severity = 'notice' AND i.open = 0 AND i.closed_at >= ?2
             AND i.opened_at < ?3 AND {area}
         ORDER BY 2 DESC LIMIT {NOTICES}",
        area = of.own_incidents()
    )
}

#[cfg(test)]
mod tests {
    use super::notices;
    use crate::accounts::Area;
    use crate::{Reader, Store};

    #[test]
    fn years_of_incidents_are_not_read_for_one_day() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        drop(Store::open(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        for area in [Area::All, Area::of(["t1"])] {
            let sql = format!("EXPLAIN QUERY PLAN {}", notices(&area));
            let plan = reader.query(&sql, (&area, 1, 2), |row| row.get::<_, String>(3)).unwrap();
            let plan = plan.join("; ");
            for search in ["incident_loud (severity=?)", "incident_notice_closed (closed_at>?)"] {
                assert!(plan.contains(search), "{search}: {plan}");
            }
        }
    }
}
