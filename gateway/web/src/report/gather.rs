//! Where a month's figures come from: incidents and their trails as the store keeps them.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Outcome, State, WireIncident};
use standpipe_rules::selftest::{self, SELFTEST};
use standpipe_shared::{Class, Condition, Severity};
use standpipe_store::accounts::{Area, area};
use standpipe_store::readers::ReadError;

use super::story::{HOPS, Story};
use super::watched::watched;
use super::{Figures, Month, Report, Spread};

/// SQL that is true of `incident i` that failed again after it was repaired, or seemed to be. Other
/// episodes are none: it got worse, work on it took longer, or silence broke the evidence.
pub const RELAPSED: &str = "EXISTS (SELECT 1 FROM trail a JOIN trail b ON b.incident = a.incident
     WHERE a.incident = i.id AND a.hop = 'reopened' AND iif(a.code = '', a.detail, a.code) <> 'unverified'
         AND b.n < a.n AND b.hop IN ('resolved', 'verifying'))";

/// The month of a station and those below it, within what somebody may see; `None`: no such
/// station for them.
///
/// # Errors
/// [`ReadError`].
pub fn gather(
    db: &Connection,
    (seen, station): (&Area, Option<&str>),
    (month, zone): (Month, &TimeZone),
    now: Ms,
) -> Result<Option<Report>, ReadError> {
    let (of, name) = match station {
        None => (seen.clone(), None),
        Some(id) if !seen.holds(id) => return Ok(None),
        Some(id) => {
            let sql = "SELECT json_extract(json, '$.name') FROM station WHERE id = ?1";
            let name: Option<String> = db.query_row(sql, [id], |row| row.get(0)).optional()?;
            if name.is_none() {
                return Ok(None);
            }
            (area(db, Some(id))?, name)
        }
    };
    let (from, to) = (month.start(zone), month.after().start(zone));
    let this = wires(db, &of, (from, to))?;
    let opened = this.iter().filter(|it| counts(it)).map(|it| it.opened_at);
    Ok(Some(Report {
        month: month.to_string(),
        station: station.map(str::to_owned),
        name,
        from,
        to,
        made_at: now,
        this: figures(db, &of, ((from, to), zone, now), &this)?,
        last: {
            let before = (month.before().start(zone), from);
            figures(db, &of, (before, zone, now), &wires(db, &of, before)?)?
        },
        days: by_day(opened, (month, zone)),
    }))
}

/// How many of these moments are on each day of the month.
fn by_day(moments: impl Iterator<Item = Ms>, (month, zone): (Month, &TimeZone)) -> Vec<u32> {
    let mut days = vec![0; month.days()];
    for day in moments.filter_map(|at| month.day(at, zone)) {
        if let Some(count) = days.get_mut(day) {
            *count += 1;
        }
    }
    days
}

/// Tests, exercises and announced work are no incidents to a report, nor is what becomes of what
/// only the self-test uses.
fn counts(it: &WireIncident) -> bool {
    let real = it.device.as_ref().is_none_or(|it| !selftest::is_detector(&it.id));
    let quiet = [Outcome::Test, Outcome::Exercise, Outcome::Maintenance];
    real && !it.exercise && it.outcome.is_none_or(|outcome| !quiet.contains(&outcome))
}

fn wires(db: &Connection, of: &Area, (from, to): (Ms, Ms)) -> Result<Vec<WireIncident>, ReadError> {
    let sql = format!(
        "SELECT i.wire FROM incident i WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3",
        of.own_incidents()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((of, from, to))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?);
    }
    Ok(all)
}

fn figures(
    db: &Connection,
    of: &Area,
    (span, zone, now): ((Ms, Ms), &TimeZone, Ms),
    all: &[WireIncident],
) -> Result<Figures, ReadError> {
    let mut it = Figures::default();
    let (end, again) = (span.1, relapsed(db, of, span)?);
    let known = watched(db, of, (end, zone), now)?;
    (it.devices, it.hydrants, it.in_service) = (known.devices, known.hydrants, known.in_service);
    it.dry = standing(db, of, end, Condition::NoWater)?;
    let offline = known.offline.map_or_else(|| standing(db, of, end, Condition::Offline), Ok)?;
    it.unmonitored = known.never.map(|never| never + offline);
    for incident in all.iter().filter(|it| counts(it)) {
        it.incidents += 1;
        *it.by_class.entry(incident.class.as_str().to_owned()).or_default() += 1;
        let worst = incident.conditions.iter().max_by_key(|it| it.severity());
        if let Some(worst) = worst {
            *it.by_condition.entry(worst.as_str().to_owned()).or_default() += 1;
        }
        it.open += u32::from(incident.state != State::Closed);
        it.false_alarms += u32::from(
            incident.class == Class::Fire && incident.outcome == Some(Outcome::FalseAlarm),
        );
        if incident.class == Class::Water {
            it.repaired += u32::from(incident.outcome == Some(Outcome::Repaired));
            it.recovered += u32::from(incident.outcome == Some(Outcome::Recovered));
            it.verifying += u32::from(incident.state == State::Verifying);
            it.relapsed += u32::from(again.contains(&incident.id.to_string()));
        }
    }
    (it.paged, it.acknowledged) = times(db, of, span, all)?;
    Ok(it)
}

/// Devices of which something was true at a moment, as far as incidents tell.
fn standing(db: &Connection, of: &Area, at: Ms, what: Condition) -> Result<u32, ReadError> {
    let sql = format!(
        "SELECT count(DISTINCT json_extract(i.wire, '$.device.id')) FROM incident i
         WHERE {} AND i.opened_at < ?2 AND coalesce(i.closed_at, ?2) >= ?2
             AND json_extract(i.wire, '$.device.id') NOT LIKE '{SELFTEST}-%'
             AND i.state NOT IN ('verifying') AND EXISTS (
                 SELECT 1 FROM json_each(i.wire, '$.conditions') c WHERE c.value = ?3)",
        of.own_incidents()
    );
    let mut statement = db.prepare_cached(&sql)?;
    Ok(statement.query_row((of, at, what.as_str()), |row| row.get(0))?)
}

/// How long it took to tell somebody, and until somebody took it.
fn times(
    db: &Connection,
    of: &Area,
    (from, to): (Ms, Ms),
    all: &[WireIncident],
) -> Result<(Spread, Spread), ReadError> {
    let sql = format!(
        "SELECT t.incident, t.hop, t.at FROM incident i JOIN trail t ON t.incident = i.id
         WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3 AND t.hop IN ({HOPS}) ORDER BY t.n",
        of.own_incidents()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((of, from, to))?;
    let mut stories: HashMap<String, Story> = HashMap::new();
    while let Some(row) = rows.next()? {
        let hop: String = row.get(1)?;
        stories.entry(row.get(0)?).or_default().hop(&hop, row.get(2)?);
    }
    let urgent = |it: &&WireIncident| counts(it) && it.severity >= Severity::Critical;
    let (mut paged, mut taken, mut of) = (Vec::new(), Vec::new(), 0);
    for incident in all.iter().filter(urgent).filter(|it| it.parent.is_none()) {
        of += 1;
        let story = stories.get(&incident.id.to_string()).copied().unwrap_or_default();
        paged.extend(story.paged_ms(incident.opened_at));
        taken.extend(story.taken_ms(incident.opened_at));
    }
    Ok((Spread::of(paged, of), Spread::of(taken, of)))
}

/// The incidents of a month that failed again.
fn relapsed(
    db: &Connection,
    of: &Area,
    (from, to): (Ms, Ms),
) -> Result<HashSet<String>, ReadError> {
    let sql = format!(
        "SELECT i.id FROM incident i
         WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3 AND i.class = 'water' AND {RELAPSED}",
        of.own_incidents()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let ids = statement.query_map((of, from, to), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::{Month, by_day};
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// Moments on both sides of midnight, on days that the zone's clocks make shorter or longer.
    #[test]
    #[rustfmt::skip] // a table
    fn a_day_is_the_towns_day() {
        for (story, name, month, moment, day) in [
            ("before the clocks change",       "Europe/Berlin",     "2026-03", "2026-03-28T22:59:59Z", Some(28)),
            ("a day of 23 hours begins",       "Europe/Berlin",     "2026-03", "2026-03-28T23:00:00Z", Some(29)),
            ("and ends",                       "Europe/Berlin",     "2026-03", "2026-03-29T21:59:59Z", Some(29)),
            ("the day after, in summer time",  "Europe/Berlin",     "2026-03", "2026-03-29T22:00:00Z", Some(30)),
            ("the first moment in winter",     "Europe/Berlin",     "2026-03", "2026-02-28T23:00:00Z", Some(1)),
            ("the last moment in summer",      "Europe/Berlin",     "2026-03", "2026-03-31T21:59:59Z", Some(31)),
            ("which is the next month's",      "Europe/Berlin",     "2026-03", "2026-03-31T22:00:00Z", None),
            ("a day of 25 hours begins",       "Europe/Berlin",     "2026-10", "2026-10-24T22:00:00Z", Some(25)),
            ("and ends",                       "Europe/Berlin",     "2026-10", "2026-10-25T22:59:59Z", Some(25)),
            ("the day after, in winter time",  "Europe/Berlin",     "2026-10", "2026-10-25T23:00:00Z", Some(26)),
            ("the last moment in winter",      "Europe/Berlin",     "2026-10", "2026-10-31T22:59:59Z", Some(31)),
            ("clocks that never change",       "Asia/Shanghai",     "2026-03", "2026-03-28T15:59:59Z", Some(28)),
            ("and midnight",                   "Asia/Shanghai",     "2026-03", "2026-03-28T16:00:00Z", Some(29)),
            ("half past seven",                "Asia/Kathmandu",    "2026-03", "2026-03-28T18:14:59Z", Some(28)),
            ("and midnight",                   "Asia/Kathmandu",    "2026-03", "2026-03-28T18:15:00Z", Some(29)),
            ("a midnight that is skipped",     "America/Sao_Paulo", "2018-11", "2018-11-04T02:59:59Z", Some(3)),
            ("begins at one",                  "America/Sao_Paulo", "2018-11", "2018-11-04T03:00:00Z", Some(4)),
            ("the same today",                 "America/Santiago",  "2026-09", "2026-09-06T04:00:00Z", Some(6)),
            ("23 o'clock that comes twice",    "America/Santiago",  "2026-04", "2026-04-05T03:59:59Z", Some(4)),
            ("is of one day",                  "America/Santiago",  "2026-04", "2026-04-05T04:00:00Z", Some(5)),
            ("a midnight that comes twice",    "Atlantic/Azores",   "2026-10", "2026-10-25T00:00:00Z", Some(25)),
            ("is of one day, too",             "Atlantic/Azores",   "2026-10", "2026-10-25T01:30:00Z", Some(25)),
        ] {
            let zone = zone(name);
            let month = Month::of(ms(&format!("{month}-15T12:00:00Z")), &zone);
            let found = month.day(ms(moment), &zone).map(|it| it + 1);
            assert_eq!(found, day, "{story}: {moment} in {name}");
            let within = (month.start(&zone)..month.after().start(&zone)).contains(&ms(moment));
            assert_eq!(within, day.is_some(), "{story}: {moment} in {name}");
        }
    }

    /// Every moment of a month is on one of its days, and a day has as many hours as the zone says.
    #[test]
    #[rustfmt::skip] // a table
    fn a_month_has_all_its_hours() {
        for (name, month, short_or_long) in [
            ("Europe/Berlin",     "2026-03", Some((29, 23))),
            ("Europe/Berlin",     "2026-10", Some((25, 25))),
            ("Asia/Shanghai",     "2026-10", None),
            ("America/Sao_Paulo", "2018-11", Some((4, 23))),
            ("America/Sao_Paulo", "2018-02", Some((17, 25))),
            ("Atlantic/Azores",   "2026-10", Some((25, 25))),
        ] {
            let zone = zone(name);
            let month = Month::of(ms(&format!("{month}-15T12:00:00Z")), &zone);
            let hours = (month.start(&zone)..month.after().start(&zone)).step_by(3_600_000);
            let days = by_day(hours, (month, &zone));
            for (day, hours) in (1..).zip(&days) {
                let expected = short_or_long.filter(|(it, _)| *it == day).map_or(24, |(_, it)| it);
                assert_eq!(*hours, expected, "{name} {month}, day {day}");
            }
            assert_eq!(days.len(), month.days());
        }
    }
}
