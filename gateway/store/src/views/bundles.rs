//! A bundle: several pages that one message carried, with the incidents that they are about.

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, WireIncident};

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf, all, first, json, station_name};
use crate::accounts::Area;
use crate::reader::ulid;
use crate::readers::ReadError;

/// What became of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRecord {
    /// The webhook that it is for.
    pub receiver: String,
    /// When it was made.
    pub at: Ms,
    /// When its receiver took it.
    pub delivered_at: Option<Ms>,
    /// When it was given up.
    pub gave_up_at: Option<Ms>,
    /// Since when newer pages stand for all of its members.
    pub superseded_at: Option<Ms>,
    /// How many of its incidents nobody has taken in hand.
    pub open: u32,
}

/// A page of a bundle.
#[derive(Clone, Debug)]
pub struct BundledMember {
    pub page_id: String,
    /// The incident as it is now.
    pub incident: WireIncident,
    /// What its station is called (its id, where it has no row).
    pub station: String,
}

/// A bundle of which the area may see a member; `None`: there is none.
///
/// # Errors
/// [`ReadError`].
pub fn one(db: &Connection, area: &Area, id: &str) -> Result<Option<BundleRecord>, ReadError> {
    let sql = format!(
        "SELECT b.receiver, b.at, b.delivered_at, b.gave_up_at, b.superseded_at,
             count(*) FILTER (WHERE i.state = 'open'), count(*)
         FROM bundle b JOIN page m ON m.bundle = b.id JOIN incident i ON i.id = m.incident
         WHERE b.id = ?2 AND {}",
        area.incidents()
    );
    let found = first(db, &sql, (area, id), |row| {
        // Of nothing, too, there is a row.
        if row.get::<_, u32>(6)? == 0 {
            return Ok(None);
        }
        Ok(Some(BundleRecord {
            receiver: row.get(0)?,
            at: row.get(1)?,
            delivered_at: row.get(2)?,
            gave_up_at: row.get(3)?,
            superseded_at: row.get(4)?,
            open: row.get(5)?,
        }))
    })?;
    Ok(found.flatten())
}

/// What it carries, of an area: those that nobody has taken in hand first, then as it named them.
///
/// # Errors
/// [`ReadError`].
pub fn members(
    db: &Connection,
    area: &Area,
    id: &str,
    page: ListPage,
) -> Result<PageOf<BundledMember>, ReadError> {
    let mut wanted = WhereClause::within(area, area.incidents());
    wanted.and("m.bundle = ?", id);
    let select = format!("m.page_id, i.wire, {}", station_name("i.station"));
    let source = ListQuery {
        select: &select,
        from: "page m JOIN incident i ON i.id = m.incident",
        joins: "",
        group: "",
        order: "ORDER BY i.state <> 'open', m.urgency, m.number",
    };
    source.page(db, &wanted, page, |row| {
        Ok(BundledMember { page_id: row.get(0)?, incident: json(row, 1)?, station: row.get(2)? })
    })
}

/// The incidents of a bundle that nobody has taken in hand, of an area.
///
/// # Errors
/// [`ReadError`].
pub fn open(db: &Connection, area: &Area, id: &str) -> Result<Vec<IncidentId>, ReadError> {
    let sql = format!(
        "SELECT i.id FROM page m JOIN incident i ON i.id = m.incident
         WHERE {} AND m.bundle = ?2 AND i.state = 'open' ORDER BY m.urgency, m.number",
        area.incidents()
    );
    all(db, &sql, (area, id), |row| Ok(ulid(row, 0)?))
}
