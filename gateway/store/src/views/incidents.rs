//! Incidents: listed as they lie in the store, one with all that happened to it, and what people
//! did about those of a device.

use rusqlite::{Connection, Row};
use serde_json::Value;
use serde_json::value::RawValue;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, State};
use standpipe_rules::trail::TrailCode;
use standpipe_shared::Severity;

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf, all, first, json_or_null};
use crate::accounts::{Area, INCIDENTS_OF};
use crate::readers::ReadError;

/// Lines of a trail read at most; the newest are left out beyond it.
const TRAIL_AT_MOST: u32 = 10_000;

/// SQL that is true of `incident i` that failed again after it was repaired, or seemed to be. Other
/// episodes are none: it got worse, work on it took longer, or silence broke the evidence.
pub(super) const RELAPSED: &str =
    "EXISTS (SELECT 1 FROM trail a JOIN trail b ON b.incident = a.incident
     WHERE a.incident = i.id AND a.hop = 'reopened' AND iif(a.code = '', a.detail, a.code) <> 'unverified'
         AND b.n < a.n AND b.hop IN ('resolved', 'false_alarm', 'verifying')
         AND NOT EXISTS (SELECT 1 FROM trail u WHERE u.incident = i.id AND u.hop = 'undone'
             AND u.n > b.n AND u.n < a.n))";

/// Which incidents are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Of one of these severities; empty: of any.
    pub severities: Vec<Severity>,
    /// Concerns this station.
    pub station: Option<String>,
    pub from: Option<Ms>,
    /// Opened before this moment.
    pub to: Option<Ms>,
}

impl IncidentFilter {
    fn within<'a>(&'a self, area: &'a Area) -> WhereClause<'a> {
        let mut wanted = WhereClause::within(area, area.incidents());
        if !self.states.is_empty() {
            if !self.states.contains(&State::Closed) {
                wanted.and_always("open = 1");
            }
            let names = self.states.iter().map(|state| state.as_str());
            wanted.and("state IN (SELECT value FROM json_each(?))", list_of(names));
        }
        if !self.severities.is_empty() {
            let names = self.severities.iter().map(|severity| severity.as_str());
            wanted.and("severity IN (SELECT value FROM json_each(?))", list_of(names));
        }
        wanted.and_some(INCIDENTS_OF, self.station.as_deref());
        wanted.and_some("opened_at >= ?", self.from);
        wanted.and_some("opened_at < ?", self.to);
        wanted
    }
}

/// A JSON list, for `json_each`.
fn list_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    Value::from_iter(names).to_string()
}

const NEWEST_FIRST: ListQuery<'_> = ListQuery {
    select: "wire",
    from: "incident i",
    joins: "",
    group: "",
    order: "ORDER BY opened_at DESC, number DESC",
};

/// Incidents of an area, newest first, each as the JSON that is published.
///
/// # Errors
/// [`ReadError`].
pub fn list(
    db: &Connection,
    area: &Area,
    filter: &IncidentFilter,
    page: ListPage,
) -> Result<PageOf<Box<RawValue>>, ReadError> {
    NEWEST_FIRST.page(db, &filter.within(area), page, |row| Ok(RawValue::from_string(row.get(0)?)?))
}

/// One incident with all that happened to it.
#[derive(Clone, Debug)]
pub struct IncidentRecord {
    /// The JSON that is published.
    pub wire: Box<RawValue>,
    /// Entries in the order in which they happened.
    pub trail: Vec<TrailRow>,
    pub children: Vec<IncidentId>,
}

/// An entry of an incident's trail, as people and programs read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRow {
    pub at: Ms,
    /// What happened: `measured`, `received`, `raised`, `paged` …
    pub hop: String,
    /// By whom: a person, a station, a device, `gateway`.
    pub by: String,
    /// In words or numbers; nothing reads them but people.
    pub detail: String,
    /// The same for programs; an entry that 0.1.0 wrote gets its code when it is read.
    pub code: TrailCode,
    /// Of what people do: the authenticated name of who did it, beside `by`, which they claim.
    pub actor: String,
}

/// One incident with its trail and its children; `None`: there is none that the area may see.
///
/// # Errors
/// [`ReadError`].
pub fn one(
    db: &Connection,
    area: &Area,
    id: IncidentId,
) -> Result<Option<IncidentRecord>, ReadError> {
    let id = id.to_string();
    let sql = format!(
        "SELECT i.wire, json_extract(i.inner, '$.children') FROM incident i
         WHERE {} AND i.id = ?2",
        area.incidents()
    );
    let found = first(db, &sql, (area, &id), |row| {
        let children: Option<Vec<IncidentId>> = json_or_null(row, 1)?;
        Ok((RawValue::from_string(row.get(0)?)?, children.unwrap_or_default()))
    })?;
    let Some((wire, children)) = found else { return Ok(None) };
    let sql = "SELECT at, hop, by, detail, actor, code, parts FROM trail WHERE incident = ?1
               ORDER BY n LIMIT ?2";
    let trail = all(db, sql, (&id, TRAIL_AT_MOST), trail_entry)?;
    Ok(Some(IncidentRecord { wire, trail, children }))
}

fn trail_entry(row: &Row<'_>) -> Result<TrailRow, ReadError> {
    let (hop, by, detail): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let (code, parts): (String, String) = (row.get(5)?, row.get(6)?);
    let code = TrailCode::stored((&code, &parts), &hop, &by, &detail);
    Ok(TrailRow { at: row.get(0)?, hop, by, detail, code, actor: row.get(4)? })
}

/// An act on an incident, by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsAct {
    pub at: Ms,
    /// The name that came with the act.
    pub by: String,
    pub incident: String,
    /// `acknowledged`, `dispatched`, `arrived`, `commented` or `resolved`.
    pub hop: String,
    pub detail: String,
}

/// What people did about a device's incidents, newest first, at most `most`.
///
/// # Errors
/// [`ReadError`].
pub fn acts_at(db: &Connection, device: &str, most: u32) -> Result<Vec<PersonsAct>, ReadError> {
    let sql = "SELECT t.at, t.by, t.incident, t.hop, t.detail FROM incident i
               JOIN trail t ON t.incident = i.id
               WHERE json_extract(i.wire, '$.device.id') = ?1 AND t.by <> 'gateway' AND t.hop IN
                   ('acknowledged', 'dispatched', 'arrived', 'commented', 'resolved',
                    'false_alarm', 'undone', 'reopened')
               ORDER BY t.at DESC LIMIT ?2";
    all(db, sql, (device, most), |row| {
        Ok(PersonsAct {
            at: row.get(0)?,
            by: row.get(1)?,
            incident: row.get(2)?,
            hop: row.get(3)?,
            detail: row.get(4)?,
        })
    })
}
