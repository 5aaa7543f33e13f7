//! Typed views: what the API, the console, the report, the command line and history read of the
//! store's tables. A function takes a connection, the [`Area`] of whoever asks and a typed filter,
//! and returns typed rows. No SQL, and no piece of it, leaves this crate.
//!
//! | file | reads |
//! |---|---|
//! | [`board`] | open incidents, worst first; the exercise that goes on |
//! | [`bundles`] | several pages that one message carried |
//! | [`commands`] | what was asked of a device |
//! | [`devices`] | the registry's devices with what is known of each now |
//! | [`events`] | what the stream sends |
//! | [`evidence`] | what speaks for an incident |
//! | [`fleet`] | what devices say of themselves, counted |
//! | [`history`] | what the series pump carries away |
//! | [`incidents`] | incidents, one with its trail, and what people did at a device |
//! | [`ledger`] | what each device should have sent, and did |
//! | [`loud`] | what fills the screen, who was told of it, who has taken it |
//! | [`maintenance`] | announced work, and the devices it takes out of service |
//! | [`map`] | what has a place |
//! | [`quarantine`] | what was not understood |
//! | [`registry`] | rows of devices and stations as they were imported |
//! | [`report`] | the rows behind a month's figures |
//! | [`routing`] | who takes part in a rehearsal |
//! | [`settings`] | settings that are wished, and how far they are |
//! | [`stations`] | stations, with who is there and how much they have to do |
//!
//! Not here: what the writer and the senders need (`load.rs`, `reader.rs`, `orders.rs` …), and what
//! rows mean (rules, web).

pub mod board;
pub mod bundles;
pub mod commands;
pub mod devices;
pub mod events;
pub mod evidence;
pub mod fleet;
pub mod history;
pub mod incidents;
pub mod ledger;
mod list;
pub mod loud;
pub mod maintenance;
pub mod map;
pub mod quarantine;
pub mod registry;
pub mod report;
pub mod routing;
pub mod settings;
pub mod stations;

use rusqlite::{Connection, Params, Row};
use serde::de::DeserializeOwned;

use crate::readers::ReadError;

pub use list::{ListPage, PageOf};

#[cfg(doc)]
use crate::accounts::Area;

/// SQL for what a station is called, where `id` is SQL for its id; the id itself, where the
/// station has no row.
fn station_name(id: &str) -> String {
    format!(
        "coalesce((SELECT json_extract(s.json, '$.name') FROM station s WHERE s.id = {id}), {id})"
    )
}

/// Reads a column that holds JSON.
fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T, ReadError> {
    Ok(serde_json::from_str(row.get_ref(at)?.as_str().unwrap_or_default())?)
}

/// The same of a column that may be null.
fn json_or_null<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<Option<T>, ReadError> {
    let text = row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    Ok(text.map(serde_json::from_str).transpose()?)
}

/// Every row of a query. One that can't be read is left out, and logged: it hides no other. The
/// statement is kept prepared.
fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(one) => found.push(one),
            Err(bad @ ReadError::Row(_)) => tracing::warn!("{bad}: it is left out of a list"),
            Err(bad) => return Err(bad),
        }
    }
    Ok(found)
}

/// The first row of a query, if there is one. The statement is kept prepared.
fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Option<T>, ReadError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use rusqlite::Params;

    use crate::{Reader, Store};

    /// How SQLite answers a question of an empty store.
    pub fn plan(sql: &str, params: impl Params) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(Store::open(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        reader.query(&sql, params, |row| row.get::<_, String>(3)).unwrap().join("; ")
    }
}
