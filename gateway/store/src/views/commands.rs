//! Commands to a device, and what became of them.

use rusqlite::{Connection, Row};
use standpipe_rules::orders::DeviceCommand;

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf, json};
use crate::readers::ReadError;

/// A command, and whom it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandOf {
    /// The id of the device it is for.
    pub device: String,
    /// What was asked, and what came of it.
    pub command: DeviceCommand,
}

const NEWEST_FIRST: ListQuery<'_> = ListQuery {
    select: "d.id, c.json",
    from: "command c JOIN device d ON d.ix = c.ix",
    joins: "",
    group: "",
    order: "ORDER BY c.number DESC",
};

fn read(row: &Row<'_>) -> Result<CommandOf, ReadError> {
    Ok(CommandOf { command: json(row, 1)?, device: row.get(0)? })
}

/// What was asked of a device, newest first.
///
/// # Errors
/// [`ReadError`].
pub fn list(db: &Connection, device: &str, page: ListPage) -> Result<PageOf<CommandOf>, ReadError> {
    let mut wanted = WhereClause::default();
    wanted.and("d.id = ?", device);
    NEWEST_FIRST.page(db, &wanted, page, read)
}

/// One command to a device; `None`: there is none of that id.
///
/// # Errors
/// [`ReadError`].
pub fn one(db: &Connection, device: &str, id: &str) -> Result<Option<CommandOf>, ReadError> {
    let mut wanted = WhereClause::default();
    wanted.and("d.id = ?", device);
    wanted.and("c.id = ?", id);
    NEWEST_FIRST.one(db, &wanted, read)
}
