//! Where a month's figures come from: incidents and their trails as the store keeps them.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, Outcome, State};
use standpipe_rules::selftest;
use standpipe_shared::{Class, Severity};
use standpipe_store::accounts::Area;
use standpipe_store::readers::{ReadError, Readers};
use standpipe_store::views::report::{
    self as rows, MonthRows, MonthSpan, ReportIncident, ReportRows, WatchedDevice,
};

use super::story::PagingTimes;
use super::watched::watched;
use super::{Figures, Month, MonthlyReport, Spread};

/// Whose month is asked for, and by whom.
pub struct ReportQuery {
    /// What the asker may see.
    pub seen: Area,
    /// A station, with those below it; `None`: all that may be seen.
    pub station: Option<String>,
    pub month: Month,
    /// The zone in which its days begin.
    pub zone: TimeZone,
}

/// The month of a station and those below it, within what somebody may see; `None`: no such
/// station for them.
///
/// # Errors
/// [`ReadError`].
pub async fn gather(
    store: &Readers,
    asked: ReportQuery,
    now: Ms,
) -> Result<Option<MonthlyReport>, ReadError> {
    let ReportQuery { seen, station, month, zone } = asked;
    let (from, to) = (month.start(&zone), month.after().start(&zone));
    let spans = [MonthSpan { from, to }, MonthSpan { from: month.before().start(&zone), to: from }];
    let of = station.clone();
    let read = store.read(move |db| rows::read(db, &seen, of.as_deref(), spans, now));
    let Some(ReportRows { name, this, last, devices }) = read.await? else { return Ok(None) };
    let opened = this
        .incidents
        .iter()
        .filter(|incident| counts(incident))
        .map(|incident| incident.opened_at);
    Ok(Some(MonthlyReport {
        month: month.to_string(),
        station,
        name,
        from,
        to,
        made_at: now,
        this: figures(&this, &devices, to, &zone, now),
        last: figures(&last, &devices, from, &zone, now),
        days: by_day(opened, month, &zone),
    }))
}

/// How many of these moments are on each day of the month.
fn by_day(moments: impl Iterator<Item = Ms>, month: Month, zone: &TimeZone) -> Vec<u32> {
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
fn counts(incident: &ReportIncident) -> bool {
    let real = incident.device.as_ref().is_none_or(|device| !selftest::is_detector(&device.id));
    let quiet = [Outcome::Test, Outcome::Exercise, Outcome::Maintenance];
    real && !incident.exercise && incident.outcome.is_none_or(|outcome| !quiet.contains(&outcome))
}

/// What is counted of a month that ends at `end`.
fn figures(
    rows: &MonthRows,
    devices: &[WatchedDevice],
    end: Ms,
    zone: &TimeZone,
    now: Ms,
) -> Figures {
    let mut figures = Figures::default();
    let known = watched(devices, end, zone, now);
    (figures.devices, figures.hydrants, figures.in_service) =
        (known.devices, known.hydrants, known.in_service);
    figures.dry = rows.dry;
    let offline = known.offline.or(rows.offline);
    figures.unmonitored = known.never.zip(offline).map(|(never, offline)| never + offline);
    for incident in rows.incidents.iter().filter(|incident| counts(incident)) {
        figures.incidents += 1;
        *figures.by_class.entry(incident.class.as_str().to_owned()).or_default() += 1;
        let worst = incident.conditions.iter().max_by_key(|condition| condition.severity());
        if let Some(worst) = worst {
            *figures.by_condition.entry(worst.as_str().to_owned()).or_default() += 1;
        }
        figures.open += u32::from(incident.state != State::Closed);
        figures.false_alarms += u32::from(
            incident.class == Class::Fire && incident.outcome == Some(Outcome::FalseAlarm),
        );
        if incident.class == Class::Water {
            figures.repaired += u32::from(incident.outcome == Some(Outcome::Repaired));
            figures.recovered += u32::from(incident.outcome == Some(Outcome::Recovered));
            figures.verifying += u32::from(incident.state == State::Verifying);
            figures.relapsed += u32::from(incident.relapsed);
        }
    }
    (figures.paged, figures.acknowledged) = times(rows);
    figures
}

/// How long it took until somebody was paged, and until somebody acknowledged.
fn times(rows: &MonthRows) -> (Spread, Spread) {
    let mut stories: HashMap<IncidentId, PagingTimes> = HashMap::new();
    for row in &rows.hops {
        stories.entry(row.incident).or_default().hop(row.hop.as_str(), row.at);
    }
    let urgent =
        |incident: &&ReportIncident| counts(incident) && incident.severity >= Severity::Critical;
    let (mut paged, mut taken, mut of) = (Vec::new(), Vec::new(), 0);
    for incident in
        rows.incidents.iter().filter(urgent).filter(|incident| incident.parent.is_none())
    {
        of += 1;
        let story = stories.get(&incident.id).copied().unwrap_or_default();
        paged.extend(story.paged_ms(incident.opened_at));
        taken.extend(story.taken_ms(incident.opened_at));
    }
    (Spread::of(paged, of), Spread::of(taken, of))
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
            let found = month.day(ms(moment), &zone).map(|day| day + 1);
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
            let days = by_day(hours, month, &zone);
            for (day, hours) in (1..).zip(&days) {
                let expected = short_or_long.filter(|(other, _)| *other == day).map_or(24, |(_, hours)| hours);
                assert_eq!(*hours, expected, "{name} {month}, day {day}");
            }
            assert_eq!(days.len(), month.days());
        }
    }
}
