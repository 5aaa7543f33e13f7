//! One runner for the layouts of all databases (the store, accounts, embedded history): numbered
//! files, each applied once, in order; `user_version` says how many a file has had.
//!
//! The steps are done by `rusqlite_migration`, which counts in `user_version` exactly as the
//! runners did that were here before it: a database of 0.1.0 goes on where it was. It applies all
//! missing steps in one transaction, so that a step that fails (a full disk) leaves the file as it
//! was. Here is only what it does not report: which layout it found that is too new.

use rusqlite::Connection;
use rusqlite::types::Type;
use rusqlite_migration::{Error, M, Migrations};

/// Why a database was not brought to the newest layout.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("layout {found} is newer than {newest}, the newest known here")]
    TooNew {
        /// The layout that the database has.
        found: i64,
        /// The newest layout that this version knows.
        newest: i64,
    },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Brings a database to the newest layout; `files` are all steps there ever were, oldest first.
/// Files that were released never change.
///
/// # Errors
/// [`MigrateError`]: the database is as it was.
pub fn migrate(conn: &mut Connection, files: &[&str]) -> Result<(), MigrateError> {
    let (found, newest) = (version(conn)?, i64::try_from(files.len()).unwrap_or(i64::MAX));
    if found > newest {
        return Err(MigrateError::TooNew { found, newest });
    }
    let steps: Vec<M<'_>> = files.iter().map(|sql| M::up(sql)).collect();
    Ok(Migrations::from_slice(&steps).to_latest(conn).map_err(refused)?)
}

/// The layout of a database: 0 for an empty file.
///
/// # Errors
/// What SQLite says.
pub fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", (), |row| row.get(0))
}

/// What SQLite said. All else that can be wrong is that `user_version` holds no number of steps.
fn refused(error: Error) -> rusqlite::Error {
    if let Error::RusqliteError { err, .. } = error {
        return err;
    }
    rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{MigrateError, migrate, version};

    const FIRST: &str = "CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1);";
    const SECOND: &str = "UPDATE a SET n = n + 1;";

    fn number(conn: &Connection) -> i64 {
        conn.query_row("SELECT n FROM a", (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_step_is_done_once_and_a_database_that_had_some_goes_on() {
        let mut conn = Connection::open_in_memory().unwrap();
        // As the runner of 0.1.0 left it.
        conn.execute_batch(FIRST).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        for _ in 0..2 {
            migrate(&mut conn, &[FIRST, SECOND]).unwrap();
            assert_eq!((version(&conn).unwrap(), number(&conn)), (2, 2));
        }
        let refused = migrate(&mut conn, &[FIRST]);
        assert!(
            matches!(refused, Err(MigrateError::TooNew { found: 2, newest: 1 })),
            "{refused:?}"
        );
        assert_eq!((version(&conn).unwrap(), number(&conn)), (2, 2), "left alone");
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &[FIRST]).unwrap();
        let bad = migrate(&mut conn, &[FIRST, SECOND, "INSERT INTO nowhere VALUES (1);"]);
        assert!(matches!(bad, Err(MigrateError::Sqlite(_))), "{bad:?}");
        assert_eq!((version(&conn).unwrap(), number(&conn)), (1, 1));
        migrate(&mut conn, &[FIRST, SECOND]).unwrap();
        assert_eq!((version(&conn).unwrap(), number(&conn)), (2, 2));
    }

    #[test]
    fn a_layout_that_is_no_number_of_steps_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", -1).unwrap();
        let bad = migrate(&mut conn, &[FIRST]);
        assert!(matches!(bad, Err(MigrateError::Sqlite(_))), "{bad:?}");
    }
}
