//! The rows behind a month's figures: incidents and their trails, and the devices there are.

use std::collections::HashSet;

use rusqlite::{Connection, Row};
use serde::Deserialize;
use standpipe_rules::Ms;
use standpipe_rules::changes::Hop;
use standpipe_rules::incidents::{IncidentId, Outcome, State};
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::selftest::{SELFTEST, is_detector};
use standpipe_shared::{Class, Condition, Severity};

use Left::{EndedLater, StillOpen};

use super::incidents::RELAPSED;
use super::maintenance::out_of_service;
use super::{all, json, stations};
use crate::accounts::{Area, area};
use crate::readers::ReadError;

/// The hops that show how long it took to page people, and how long to answer. Of those with a number
/// only the first of that number counts.
const HOPS: [(Hop, Option<usize>); 8] = [
    (Hop::Received, None),
    (Hop::Raised, None),
    (Hop::Reopened, None),
    (Hop::Paged, Some(0)),
    (Hop::Delivered, Some(1)),
    (Hop::Bundled, Some(1)),
    (Hop::Acknowledged, Some(2)),
    (Hop::Dispatched, Some(2)),
];

/// From a first moment until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthSpan {
    pub from: Ms,
    /// The first moment after the span.
    pub to: Ms,
}

/// What two months' figures are made of.
#[derive(Clone, Debug)]
pub struct ReportRows {
    /// What the station is called; `None`: it is about no single one.
    pub name: Option<String>,
    pub this: MonthRows,
    pub last: MonthRows,
    /// The devices of today, whatever the month.
    pub devices: Vec<WatchedDevice>,
}

/// What one month's figures are made of.
#[derive(Clone, Debug)]
pub struct MonthRows {
    /// Opened within it.
    pub incidents: Vec<ReportIncident>,
    /// What shows how fast people were paged about an urgent one, and answered; of each incident in the
    /// order of its trail.
    pub hops: Vec<HopRow>,
    /// Devices that had no water at its end, or have none now.
    pub dry: u32,
    /// Devices that were offline at its end, as far as incidents show; `None`: it is not over.
    pub offline: Option<u32>,
}

/// What a report needs of an incident; the rest of it is skipped unread.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReportIncident {
    pub id: IncidentId,
    pub class: Class,
    pub severity: Severity,
    #[serde(default = "open")]
    pub state: State,
    #[serde(default)]
    pub conditions: Vec<Condition>,
    pub device: Option<ReportDevice>,
    #[serde(default)]
    pub opened_at: Ms,
    #[serde(default)]
    pub exercise: bool,
    #[serde(default)]
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub parent: Option<IncidentId>,
    #[serde(skip)]
    pub closed_at: Option<Ms>,
    /// It is about water, and failed again after it was repaired, or seemed to be.
    #[serde(skip)]
    pub relapsed: bool,
}

/// The device of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReportDevice {
    pub id: Box<str>,
}

const fn open() -> State {
    State::Open
}

impl ReportIncident {
    /// The device of which this was true at a moment. What only the self-test uses is none.
    fn stood(&self, what: Condition, at: Ms) -> Option<&str> {
        let stood = self.opened_at < at
            && self.closed_at.is_none_or(|closed| closed >= at)
            && self.state != State::Verifying
            && self.conditions.contains(&what);
        let id = &*self.device.as_ref().filter(|_| stood)?.id;
        (!is_detector(id)).then_some(id)
    }
}

/// An entry of a trail of which the time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopRow {
    pub incident: IncidentId,
    pub hop: Hop,
    pub at: Ms,
}

/// One device, with what is known of its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedDevice {
    pub hydrant: bool,
    /// The day it was installed on, as somebody wrote it.
    pub installed_on: Option<String>,
    /// The start of the first hour that is in the ledger.
    pub first_hour: Option<Ms>,
    /// What is true of it now, as [`Condition::bit`]s.
    pub conditions: u32,
    pub heard: bool,
    /// Whether announced work takes it out of service now.
    pub out_of_service: bool,
}

/// What the figures of a station and those below it are made of, within what somebody may see;
/// `None`: no such station for them.
///
/// # Errors
/// [`ReadError`].
pub fn read(
    db: &Connection,
    seen: &Area,
    station: Option<&str>,
    [this, last]: [MonthSpan; 2],
    now: Ms,
) -> Result<Option<ReportRows>, ReadError> {
    let (of, name) = match station {
        None => (seen.clone(), None),
        Some(id) if !seen.holds(id) => return Ok(None),
        Some(id) => {
            let Some(name) = stations::name(db, id)? else { return Ok(None) };
            (area(db, Some(id))?, Some(name))
        }
    };
    Ok(Some(ReportRows {
        name,
        this: month(db, &of, this, now)?,
        last: month(db, &of, last, now)?,
        devices: devices(db, &of, now)?,
    }))
}

fn month(db: &Connection, of: &Area, span: MonthSpan, now: Ms) -> Result<MonthRows, ReadError> {
    let over = span.to <= now;
    let incidents = incidents(db, of, span)?;
    let older = older(db, of, span, now)?;
    let standing = |what| {
        let devices = incidents.iter().chain(&older).filter_map(|one| one.stood(what, span.to));
        u32::try_from(devices.collect::<HashSet<_>>().len()).unwrap_or(u32::MAX)
    };
    let (dry, offline) = (standing(Condition::NoWater), standing(Condition::Offline));
    let hops = hops(db, &incidents)?;
    Ok(MonthRows { dry, offline: over.then_some(offline), hops, incidents })
}

/// In one pass over the month's rows, however many are open: each is read once.
fn incidents(
    db: &Connection,
    of: &Area,
    span: MonthSpan,
) -> Result<Vec<ReportIncident>, ReadError> {
    all(db, &incidents_sql(of), (of, span.from, span.to), incident)
}

fn incidents_sql(of: &Area) -> String {
    format!(
        "SELECT i.wire, i.closed_at, i.class = 'water' AND {RELAPSED} FROM incident i
         WHERE {} AND i.opened_at >= ?2 AND i.opened_at < ?3",
        of.own_incidents()
    )
}

/// Those that are older than the month, and may have stood at its end.
fn older(
    db: &Connection,
    of: &Area,
    span: MonthSpan,
    now: Ms,
) -> Result<Vec<ReportIncident>, ReadError> {
    // What is to end after now has not ended: only what is open can stand then.
    let left = if span.to > now { StillOpen } else { EndedLater };
    all(db, &older_sql(of, left), (of, span.from, span.to), incident)
}

/// Which older incidents can have stood at the end of a month.
#[derive(Clone, Copy)]
enum Left {
    StillOpen,
    EndedLater,
}

fn older_sql(of: &Area, left: Left) -> String {
    let (index, left) = match left {
        StillOpen => ("incident_open", "i.open = 1"),
        EndedLater => ("incident_opened", "(i.closed_at IS NULL OR i.closed_at >= ?3)"),
    };
    format!(
        "SELECT i.wire, i.closed_at, 0 FROM incident i INDEXED BY {index}
         WHERE {} AND i.opened_at < ?2 AND ?3 IS NOT NULL AND {left}
             AND i.class IN ('{}', '{}') AND i.state <> 'verifying'",
        of.own_incidents(),
        Condition::NoWater.class().as_str(),
        Condition::Offline.class().as_str()
    )
}

fn incident(row: &Row<'_>) -> Result<ReportIncident, ReadError> {
    let (closed_at, relapsed) = (row.get(1)?, row.get(2)?);
    Ok(ReportIncident { closed_at, relapsed, ..json(row, 0)? })
}

fn hops_sql() -> String {
    let names = HOPS.map(|(hop, _)| format!("'{}'", hop.as_str())).join(", ");
    format!("SELECT hop, at FROM trail WHERE incident = ?1 AND hop IN ({names}) ORDER BY n")
}

/// Of each urgent incident that no other stands for, as far as its trail says something new.
fn hops(db: &Connection, incidents: &[ReportIncident]) -> Result<Vec<HopRow>, ReadError> {
    let mut statement = db.prepare_cached(&hops_sql())?;
    let urgent = |incident: &&ReportIncident| {
        incident.severity >= Severity::Critical && incident.parent.is_none()
    };
    let mut found = Vec::new();
    for &ReportIncident { id, .. } in incidents.iter().filter(urgent) {
        let mut rows = statement.query([id.to_string()])?;
        let mut seen = [false; 3];
        while seen != [true; 3]
            && let Some(row) = rows.next()?
        {
            let name = row.get_ref(0)?.as_str().unwrap_or_default();
            let known = HOPS.into_iter().find(|(hop, _)| hop.as_str() == name);
            let Some((hop, number)) = known else { continue };
            let first = number.and_then(|number| seen.get_mut(number));
            if first.is_none_or(|seen| !std::mem::replace(seen, true)) {
                found.push(HopRow { incident: id, hop, at: row.get(1)? });
            }
        }
    }
    Ok(found)
}

fn devices(db: &Connection, of: &Area, now: Ms) -> Result<Vec<WatchedDevice>, ReadError> {
    let lost = out_of_service(db, now)?;
    // What only the self-test uses watches over nobody.
    let sql = format!(
        "SELECT d.ix, d.kind = 'hydrant', json_extract(d.json, '$.installed_on'),
             (SELECT min(hour) FROM ledger l WHERE l.ix = d.ix), coalesce(m.conditions, 0),
             m.heard_at IS NOT NULL
         FROM device d LEFT JOIN memory m ON m.ix = d.ix
         WHERE {} AND d.id NOT LIKE '{SELFTEST}-%'",
        of.devices()
    );
    all(db, &sql, [of], |row| {
        Ok(WatchedDevice {
            out_of_service: lost.contains(&DeviceIx(row.get(0)?)),
            hydrant: row.get(1)?,
            installed_on: row.get(2)?,
            first_hour: row.get(3)?,
            conditions: row.get(4)?,
            heard: row.get(5)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::Left::{EndedLater, StillOpen};
    use super::{Area, ReportIncident, hops, hops_sql, incidents_sql, older_sql};
    use crate::Store;

    fn store() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        drop(Store::open(&path).unwrap());
        let db = Connection::open(path).unwrap();
        (folder, db)
    }

    /// With 20,000 incidents open in the month and hundreds of thousands of hops.
    #[test]
    fn a_month_is_read_by_indexes_each_row_once_and_nothing_is_sorted() {
        let (_folder, db) = store();
        let plan = |sql: &str| {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = statement.parameter_count();
            let rows = statement
                .query_map(rusqlite::params_from_iter(vec![None::<i64>; count]), |row| {
                    row.get::<_, String>(3)
                });
            rows.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        let area = Area::of(["t-1"]);
        for (sql, by) in [
            (
                incidents_sql(&area),
                "SEARCH i USING INDEX incident_opened (opened_at>? AND opened_at<?)",
            ),
            (
                older_sql(&area, StillOpen),
                "SEARCH i USING INDEX incident_open (open=? AND opened_at<?)",
            ),
            (older_sql(&area, EndedLater), "SEARCH i USING INDEX incident_opened (opened_at<?)"),
            (hops_sql(), "SEARCH trail USING INDEX trail_incident (incident=?)"),
        ] {
            let plan = plan(&sql);
            assert!(plan.starts_with(by) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }

    #[test]
    fn of_a_trail_is_read_what_says_something_new() {
        let (_folder, db) = store();
        let said = "received 1, raised 2, paged 3, paged 4, bundled 5, delivered 6, reopened 7, \
                    dispatched 8, acknowledged 9, reopened 10";
        let incident = |severity: &str, parent: &str| {
            let id = "01KAW5Q4T0000000000000000A";
            let json = format!(
                r#"{{"id":"{id}","class":"fire","severity":"{severity}","parent":{parent},"title":"skipped"}}"#
            );
            serde_json::from_str::<ReportIncident>(&json).unwrap()
        };
        for hop in said.split(", ") {
            let (hop, at) = hop.split_once(' ').unwrap();
            let row = (incident("fire", "null").id.to_string(), at, hop);
            let sql =
                "INSERT INTO trail (incident, at, hop, by, detail) VALUES (?1, ?2, ?3, '', '')";
            db.execute(sql, row).unwrap();
        }
        let read =
            |incident| hops(&db, &[incident]).unwrap().into_iter().map(|hop| hop.at).collect();
        let all: Vec<i64> = read(incident("fire", "null"));
        assert_eq!(all, [1, 2, 3, 5, 7, 8], "the first of a kind, until a person has it in hand");
        let none: [Vec<i64>; 2] = [
            read(incident("warning", "null")),
            read(incident("fire", r#""01KAW5Q4T0000000000000000B""#)),
        ];
        assert!(none.iter().all(Vec::is_empty), "its times count for nothing: {none:?}");
    }
}
