//! What each station's topic shows of announced work: written when it changes, read by its sender.

use rusqlite::Connection;
use serde_json::{Value, json};
use standpipe_rules::world::World;

use super::rows::put;
use super::{Reader, StoreError};

/// What a station's topic shows of announced work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulletin {
    pub station: Box<str>,
    /// The revision to show; named again in `Input::BulletinSent`.
    pub rev: u32,
    /// JSON; empty: the topic is to be emptied.
    pub json: Box<str>,
}

/// Writes `bulletin` as it is now; where the text changed, the topic is to be updated.
pub(super) fn bulletins(conn: &Connection, world: &World) -> Result<(), StoreError> {
    let told = world.bulletins();
    let sql = "INSERT INTO bulletin (station, rev, json) VALUES (?1, 1, ?2)
               ON CONFLICT (station) DO UPDATE SET rev = rev + 1, json = excluded.json
               WHERE json <> excluded.json";
    for (station, works) in &told {
        put(conn, sql, (station, json!({ "works": works }).to_string()))?;
    }
    let named = Value::from_iter(told.keys().map(|station| &**station)).to_string();
    let sql = "UPDATE bulletin SET rev = rev + 1, json = ''
               WHERE json <> '' AND station NOT IN (SELECT value FROM json_each(?1))";
    put(conn, sql, [named])
}

/// `bulletin`: what a station's topic shows now.
pub(super) fn bulletin_sent(conn: &Connection, station: &str, rev: u32) -> Result<(), StoreError> {
    let sql = "UPDATE bulletin SET sent_rev = MAX(sent_rev, ?2) WHERE station = ?1";
    put(conn, sql, (station, rev))
}

impl Reader {
    /// Stations' topics that do not show what they should.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_bulletins(&self) -> Result<Vec<Bulletin>, StoreError> {
        self.bulletins("SELECT station, rev, json FROM bulletin WHERE sent_rev < rev")
    }

    /// What stations' topics show, for a broker that has forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn kept_bulletins(&self) -> Result<Vec<Bulletin>, StoreError> {
        self.bulletins("SELECT station, rev, json FROM bulletin WHERE json <> ''")
    }

    fn bulletins(&self, sql: &str) -> Result<Vec<Bulletin>, StoreError> {
        self.rows(sql, (), |row| {
            Ok(Bulletin { station: row.get(0)?, rev: row.get(1)?, json: row.get(2)? })
        })
    }
}
