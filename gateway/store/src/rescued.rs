//! A store of which the file can't be opened to be written: all that can be read of it is copied into memory,
//! and that copy works until the file takes it back.
//!
//! Not here: a copy of a store that is open (`working.rs`), a file that is damaged (`lost.rs`).

use std::path::Path;

use rusqlite::Connection;
use standpipe_machine::small_file;

use super::files::{ReadOnly, read_only};
use super::{Store, StoreError, lost, migrations, working};

/// How much of a file is in its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiedFile {
    /// All of it: it can take the copy back.
    Whole,
    /// Nothing could be read: what happens in the copy does not fit it.
    Nothing,
}

impl Store {
    /// A copy in memory of the store in this file, under a name that no other in this process has. Load it,
    /// then [`Self::stands_alone`].
    ///
    /// # Errors
    /// [`StoreError`]: not even an empty one can be made, or the file is of a newer version.
    pub fn rescued(file: &Path, name: &str) -> Result<(Self, CopiedFile), StoreError> {
        let path = working::memory(name);
        match Self::read_into(file, &path) {
            Ok(store) => return Ok((store, CopiedFile::Whole)),
            Err(newer @ StoreError::TooNew { .. }) => return Err(newer),
            Err(why) => tracing::error!("nothing can be read of {}: {why}", file.display()),
        }
        // The first one may have something in it.
        let path = working::memory(&format!("{name}-empty"));
        let store = Self::prepared(Path::new(&path), None)?;
        lost::keep_name(&store.conn, file)?;
        Ok((store, CopiedFile::Nothing))
    }

    fn read_into(file: &Path, path: &str) -> Result<Self, StoreError> {
        // SQLite waits for whoever writes to a pipe.
        small_file::regular_or_missing(file)
            .map_err(|why| StoreError::Folder { path: file.to_owned(), why })?;
        let copy = Self::prepared(Path::new(path), None)?;
        attach(&copy.conn, file)?;
        let found = copy.conn.query_row("PRAGMA file.user_version", (), |row| row.get(0))?;
        if found > migrations::NEWEST {
            return Err(StoreError::TooNew { found });
        }
        let read = copy.conn.unchecked_transaction()?;
        for table in working::tables().chain(["sqlite_sequence"]) {
            let columns = common_columns(&read, table)?;
            let clear = format!("DELETE FROM main.{table}");
            let fill =
                format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM file.{table}");
            read.execute_batch(&clear)?;
            if !columns.is_empty() {
                read.execute_batch(&fill)?;
            }
        }
        read.commit()?;
        copy.conn.execute_batch("DETACH file")?;
        Ok(copy)
    }

    /// What the file has and the copy adds to is taken out of the copy, once it was loaded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stands_alone(&mut self) -> Result<(), StoreError> {
        working::forget_appended(&self.conn)
    }
}

/// Makes the file readable beside the copy.
fn attach(copy: &Connection, file: &Path) -> Result<(), StoreError> {
    let open = |how| -> Result<(), rusqlite::Error> {
        copy.execute("ATTACH ?1 AS file", [read_only(file, how)])?;
        let look = copy.query_row("SELECT count(*) FROM file.sqlite_schema", (), |_| Ok(()));
        look.inspect_err(|_| drop(copy.execute_batch("DETACH file")))
    };
    let opened = open(ReadOnly::WithLog).or_else(|why| {
        tracing::warn!(
            "the store's write-ahead log can't be read ({why}): the file is read without it"
        );
        open(ReadOnly::FileAlone)
    });
    Ok(opened?)
}

/// The columns of a table that both have: an older layout lacks some.
fn common_columns(conn: &Connection, table: &str) -> Result<String, StoreError> {
    let sql = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'main')
               WHERE name IN (SELECT name FROM pragma_table_info(?1, 'file'))";
    let names: Option<String> = conn.query_row(sql, [table], |row| row.get(0))?;
    Ok(names.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CopiedFile, Store};

    fn stations(store: &Store) -> i64 {
        let sql = "SELECT count(*) FROM station";
        store.conn.query_row(sql, (), |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_can_be_read_of_a_file_is_in_its_copy_and_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe ?#%.db");
        let store = Store::open(&path).unwrap();
        store.conn.execute("INSERT INTO station (id, json) VALUES ('t1', '{}')", ()).unwrap();
        store.conn.execute("INSERT INTO event (at, kind, json) VALUES (1, 'k', '{}')", ()).unwrap();
        drop(store);
        let (mut copy, how) = Store::rescued(&path, "rescued-1").unwrap();
        assert_eq!((how, stations(&copy)), (CopiedFile::Whole, 1));
        copy.stands_alone().unwrap();
        copy.conn.execute("INSERT INTO station (id, json) VALUES ('t2', '{}')", ()).unwrap();
        copy.conn.execute("INSERT INTO event (at, kind, json) VALUES (2, 'k', '{}')", ()).unwrap();
        let mut store = Store::open(&path).unwrap();
        store.take_back(&copy).unwrap();
        assert_eq!(stations(&store), 2);
        let sql = "SELECT count(*) FROM event";
        assert_eq!(store.conn.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap(), 2);
    }

    #[test]
    fn of_a_file_that_is_not_there_or_unreadable_there_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let garbage = folder.path().join("garbage.db");
        std::fs::write(&garbage, [0xa5; 8_192]).unwrap();
        for (n, file) in [&garbage, Path::new("/nowhere/x.db")].into_iter().enumerate() {
            let (copy, how) = Store::rescued(file, &format!("rescued-none-{n}")).unwrap();
            assert_eq!((how, stations(&copy)), (CopiedFile::Nothing, 0));
        }
    }
}
