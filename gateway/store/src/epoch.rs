//! Which history of the store it is: a restored backup begins another one, and ranks above copies that
//! were not restored. And on which machine the store was last.
//!
//! Not here: what follows for gateways on copies of one store (`standpipe_rules::lease`).

use std::path::Path;

use rusqlite::Connection;
use standpipe_rules::Ms;

use crate::{Store, StoreError, rows};

const EPOCH: &str = "epoch";
const MACHINE: &str = "machine";

fn epoch(conn: &Connection) -> Result<i64, StoreError> {
    // One that can't be read is that of a store that was never restored: in doubt another pages, too.
    Ok(rows::meta_value(conn, EPOCH)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Begins another history of the store in this file, which nobody uses. It ranks above what it was
/// copied from, and above everything that was restored before `now`. On which machine it was is
/// forgotten: whoever restores it may well do so on another.
///
/// # Errors
/// [`StoreError`].
pub fn begin(path: &Path, now: Ms) -> Result<(), StoreError> {
    let conn = Connection::open(path)?;
    let next = now.max(epoch(&conn)?.saturating_add(1));
    conn.execute("DELETE FROM meta WHERE key = ?1", [MACHINE])?;
    rows::meta(&conn, EPOCH, &next.to_string())
}

impl Store {
    /// Which history it is: 0 until it was restored for the first time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn epoch(&self) -> Result<i64, StoreError> {
        epoch(&self.conn)
    }

    /// It is on this machine from now on; whether it was on another one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_on(&mut self, machine: &str) -> Result<bool, StoreError> {
        let before = rows::meta_value(&self.conn, MACHINE)?;
        if before.as_deref() != Some(machine) {
            rows::meta(&self.conn, MACHINE, machine)?;
        }
        Ok(before.is_some_and(|before| before != machine))
    }
}

#[cfg(test)]
mod tests {
    use super::begin;
    use crate::Store;

    #[test]
    fn a_restore_begins_another_history_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let epoch = || Store::open(&path).unwrap().epoch().unwrap();
        assert_eq!(epoch(), 0);
        for (now, expected) in [(1_000, 1_000), (2_000, 2_000), (1_500, 2_001)] {
            begin(&path, now).unwrap();
            assert_eq!(epoch(), expected);
        }
    }

    #[test]
    fn another_machine_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let on = |machine: &str| Store::open(&path).unwrap().is_on(machine).unwrap();
        let noticed = ["a", "a", "b", "b", "a"].map(on);
        assert_eq!(noticed, [false, false, true, false, true]);
        begin(&path, 1).unwrap();
        assert!(!on("c"), "it was restored there");
    }
}
