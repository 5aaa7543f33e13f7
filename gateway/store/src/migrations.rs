//! The store's layouts; `migrate.rs` brings a file to the newest.

use rusqlite::Connection;

use super::StoreError;
use super::migrate::{self, MigrateError};

/// Every migration there is; the first is number 1. Files that were released never change.
const ALL: [&str; 12] = [
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_orders.sql"),
    include_str!("migrations/0003_bulletins.sql"),
    include_str!("migrations/0004_incident_indexes.sql"),
    include_str!("migrations/0005_digests.sql"),
    include_str!("migrations/0006_numbers.sql"),
    include_str!("migrations/0007_status.sql"),
    include_str!("migrations/0008_codes.sql"),
    include_str!("migrations/0009_queues.sql"),
    include_str!("migrations/0010_bundles.sql"),
    include_str!("migrations/0011_first_fires.sql"),
    include_str!("migrations/0012_parts.sql"),
];

/// The layout that this version writes.
pub const NEWEST: i64 = ALL.len() as i64;

/// Brings a store to the newest layout.
///
/// # Errors
/// [`StoreError::TooNew`] for a store of a newer version; [`StoreError::Sqlite`].
pub fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    migrate::migrate(conn, &ALL).map_err(|error| match error {
        MigrateError::TooNew { found, newest: _ } => StoreError::TooNew { found },
        MigrateError::Sqlite(bad) => bad.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::{NEWEST, migrate};
    use crate::StoreError;
    use crate::migrate::version;
    use rusqlite::Connection;

    #[test]
    fn an_empty_file_is_brought_up_once_and_a_newer_one_is_left_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(version(&conn).unwrap(), 0);
        migrate(&mut conn).unwrap();
        migrate(&mut conn).unwrap();
        assert_eq!(version(&conn).unwrap(), NEWEST);
        conn.execute("INSERT INTO meta VALUES ('a', 'b')", ()).unwrap();

        conn.pragma_update(None, "user_version", NEWEST + 1).unwrap();
        let refused = migrate(&mut conn);
        assert!(matches!(refused, Err(StoreError::TooNew { found }) if found == NEWEST + 1));
    }
}
