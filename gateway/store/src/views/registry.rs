//! Rows of devices and stations as they were imported, for whoever imports, copies or writes one.

use rusqlite::Connection;
use standpipe_rules::registry::{Device, Station};

use super::{first, json};
use crate::readers::ReadError;

/// A device's row; `None`: it is not registered.
///
/// # Errors
/// [`ReadError`].
pub fn device(db: &Connection, id: &str) -> Result<Option<Device>, ReadError> {
    first(db, "SELECT json FROM device WHERE id = ?1", [id], |row| json(row, 0))
}

/// A station's row; `None`: it is not registered.
///
/// # Errors
/// [`ReadError`].
pub fn station(db: &Connection, id: &str) -> Result<Option<Station>, ReadError> {
    first(db, "SELECT json FROM station WHERE id = ?1", [id], |row| json(row, 0))
}
