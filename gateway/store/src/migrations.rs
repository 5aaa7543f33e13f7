//! The store's layouts; `migrate.rs` brings a file to the newest.

use rusqlite::Connection;

use super::StoreError;
use super::migrate::{self, MigrateError};

/// Every migration there is; the first is number 1. Files that were released never change.
const ALL: [&str; 15] = [
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
    include_str!("migrations/0013_receipts.sql"),
    include_str!("migrations/0014_given_up.sql"),
    include_str!("migrations/0015_fire_screen.sql"),
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
    use super::{ALL, NEWEST, migrate};
    use crate::StoreError;
    use crate::migrate::version;
    use rusqlite::Connection;

    /// Devices are told once more, under the same number, what they run: now with the promise of receipts.
    #[test]
    fn settings_of_before_receipts_are_owed_to_the_broker_once_more() {
        let mut conn = Connection::open_in_memory().unwrap();
        crate::migrate::migrate(&mut conn, &ALL[..11]).unwrap();
        let told = |area: &str| {
            format!(
                r#"{{"told":{{"wish":{{"rev":0}},"rev":4,"at":1,"area":"{area}","left_area":"","sent_at":2,"state":"applied"}},"reported_rev":4,"reported_at":3}}"#
            )
        };
        let rows =
            [told("a"), told(""), r#"{"told":null,"reported_rev":7,"reported_at":1}"#.into()];
        for (ix, json) in rows.iter().enumerate() {
            let row = (ix as i64, "applied", json);
            conn.execute("INSERT INTO settings VALUES (?1, 0, ?2, NULL, ?3)", row).unwrap();
        }
        migrate(&mut conn).unwrap();
        let mut all = conn.prepare("SELECT owed, state, json FROM settings ORDER BY ix").unwrap();
        let all = all.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let all: Vec<(i64, String, String)> = all.map(Result::unwrap).collect();
        let sent_again = rows[0].replace(r#""sent_at":2"#, r#""sent_at":null"#);
        let wanted = [(1, &sent_again), (0, &rows[1]), (0, &rows[2])];
        let wanted = wanted.map(|(owed, json)| (owed, "applied".to_owned(), json.clone()));
        assert_eq!(all, wanted, "only what stands somewhere, and nothing else of it changes");
    }

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
