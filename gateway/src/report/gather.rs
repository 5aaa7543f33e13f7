//! Where a month's figures come from: incidents and their trails as the store keeps them.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Outcome, State, WireIncident};
use standpipe_shared::{Class, Condition, Severity};

use super::story::{HOPS, Story};
use super::watched::watched;
use super::{Figures, Month, Report, Spread};
use crate::accounts::{Area, area};
use crate::api::readers::ReadError;
use crate::provision::SELFTEST;
use crate::selftest;

const DAY_MS: Ms = 86_400_000;

/// SQL that is true of `incident i` that failed again after it was repaired, or seemed to be. Other
/// episodes are none: it got worse, work on it took longer, or silence broke the evidence.
pub const RELAPSED: &str = "EXISTS (SELECT 1 FROM trail a JOIN trail b ON b.incident = a.incident
     WHERE a.incident = i.id AND a.hop = 'reopened' AND a.detail <> 'unverified'
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
    let mut days = vec![0; month.days()];
    for it in this.iter().filter(|it| counts(it)) {
        let day = usize::try_from((it.opened_at - from) / DAY_MS).unwrap_or(0);
        if let Some(count) = days.get_mut(day) {
            *count += 1;
        }
    }
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
        days,
    }))
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
