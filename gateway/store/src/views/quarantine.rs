//! The newest messages that were not understood.

use rusqlite::Connection;
use standpipe_rules::Ms;

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf, all};
use crate::readers::ReadError;

/// Which messages are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    pub reason: Option<String>,
    pub device: Option<String>,
}

/// A message that was not understood, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    pub at: Ms,
    pub topic: String,
    /// Why it was turned away: a name that is counted.
    pub reason: String,
    /// `reason` for people, with the value.
    pub detail: String,
    /// The first bytes of its bad part.
    pub payload: Vec<u8>,
    /// The registered device it came from; empty: none is known.
    pub device: String,
}

const NEWEST_FIRST: ListQuery<'_> = ListQuery {
    select: "q.at, q.topic, q.reason, q.detail, q.payload, q.device",
    from: "quarantine q",
    joins: "",
    group: "",
    order: "ORDER BY q.n DESC",
};

/// Messages that were not understood, newest first. They are of no area: a topic says where a
/// message came from, and not whose it is.
///
/// # Errors
/// [`ReadError`].
pub fn list(
    db: &Connection,
    filter: &QuarantineFilter,
    page: ListPage,
) -> Result<PageOf<QuarantineRow>, ReadError> {
    let mut wanted = WhereClause::default();
    wanted.and_some("q.reason = ?", filter.reason.as_deref());
    wanted.and_some("q.device = ?", filter.device.as_deref());
    NEWEST_FIRST.page(db, &wanted, page, |row| {
        Ok(QuarantineRow {
            at: row.get(0)?,
            topic: row.get(1)?,
            reason: row.get(2)?,
            detail: row.get(3)?,
            payload: row.get(4)?,
            device: row.get(5)?,
        })
    })
}

/// The reasons there are, and how many messages of each: most first.
///
/// # Errors
/// [`ReadError`].
pub fn reasons(db: &Connection) -> Result<Vec<(String, u32)>, ReadError> {
    let sql = "SELECT reason, count(*) FROM quarantine GROUP BY 1 ORDER BY 2 DESC, 1";
    all(db, sql, (), |row| Ok((row.get(0)?, row.get(1)?)))
}
