//! Rows of devices and stations as they were imported, for whoever imports, copies or writes one.

use rusqlite::Connection;
use serde::de::DeserializeOwned;
use standpipe_rules::registry::{Device, Predecessor, Registry, Station};

use super::{first, json};
use crate::readers::ReadError;
use crate::{Reader, StoreError};

/// Devices in one place after another that are looked for.
const PREDECESSORS: usize = 16;

/// A device's row; `None`: it is not registered.
///
/// # Errors
/// [`ReadError`].
pub fn device(db: &Connection, id: &str) -> Result<Option<Device>, ReadError> {
    first(db, "SELECT json FROM device WHERE id = ?1", [id], |row| json(row, 0))
}

/// Whose place a device took, and whose that one had taken, newest first.
///
/// # Errors
/// [`ReadError`].
pub fn predecessors(db: &Connection, id: &str) -> Result<Vec<Predecessor>, ReadError> {
    let mut chain: Vec<Predecessor> = Vec::new();
    let mut next = Some(Box::from(id));
    while let Some(id) = next.filter(|_| chain.len() < PREDECESSORS) {
        let before: Option<Predecessor> = device(db, &id)?.and_then(|device| device.replaces);
        next = before.as_ref().map(|before| before.device.clone());
        chain.extend(before);
    }
    Ok(chain)
}

/// A station's row; `None`: it is not registered.
///
/// # Errors
/// [`ReadError`].
pub fn station(db: &Connection, id: &str) -> Result<Option<Station>, ReadError> {
    first(db, "SELECT json FROM station WHERE id = ?1", [id], |row| json(row, 0))
}

/// Everything that can be read of the registry, beside these profiles.
///
/// # Errors
/// [`ReadError`].
pub fn all(db: &Connection, mut profiles: Registry) -> Result<Registry, ReadError> {
    let mut stations = db.prepare("SELECT json FROM station ORDER BY id")?;
    let rows = stations.query_map([], |row| row.get::<_, String>(0))?;
    for text in rows {
        if let Ok(station) = serde_json::from_str(&text?) {
            profiles.put_station(station);
        }
    }
    let mut devices = db.prepare("SELECT json FROM device ORDER BY ix")?;
    let rows = devices.query_map([], |row| row.get::<_, String>(0))?;
    for text in rows {
        if let Ok(device) = serde_json::from_str(&text?) {
            profiles.put_device(device);
        }
    }
    Ok(profiles)
}

impl Reader {
    /// All stations, by id. What is to become of a row that can't be read is the caller's to say.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stations(&self) -> Result<Vec<Result<Station, StoreError>>, StoreError> {
        self.registered("SELECT json FROM station ORDER BY id")
    }

    /// All devices, in the order of their places. What is to become of a row that can't be read is
    /// the caller's to say.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn devices(&self) -> Result<Vec<Result<Device, StoreError>>, StoreError> {
        self.registered("SELECT json FROM device ORDER BY ix")
    }

    fn registered<T: DeserializeOwned>(
        &self,
        sql: &str,
    ) -> Result<Vec<Result<T, StoreError>>, StoreError> {
        self.rows(sql, (), |row| {
            let text = row.get_ref(0)?.as_str()?;
            Ok(serde_json::from_str(text).map_err(|bad| StoreError::Unreadable {
                what: "the registry".to_owned(),
                why: bad.to_string(),
            }))
        })
    }
}
