//! A working copy of the store in memory: what the writer needs in order to go on while the file
//! takes nothing, and how it is given back.
//!
//! The copy holds what the next batches can change or look at: the registry, memories, open
//! incidents with their trail and pages, what is owed, orders. It is a store like any other: the
//! same writer commits to it, and readers of this process open it by its path. What the file has
//! beside that stays there: the log that history has not read yet, events, the quarantine, the
//! ledger, and what is over. Numbers go on where the file's end.
//!
//! [`Store::take_back`] writes all of it into the file in one transaction; then the file has the
//! rows that it would have had. Not here: when that happens (`standpipe_engine`).

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::expired::{self, Archived};
use super::settled::forget_what_is_over;
use super::{Store, StoreError, rows};

/// What the memory's database is called beside the file's.
const COPY: &str = "working";
/// Incidents that were closed so short a while ago are in the copy, ms: senders may still report
/// what they sent of them.
const RECENT_MS: i64 = 24 * 3_600_000;

/// How a table is copied, and given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TablePart {
    /// All of it; what is missing in the copy was deleted.
    Whole,
    /// Some rows, none of which is ever deleted.
    Some(&'static str),
    /// None: what the copy counts is added, column by column.
    Counts,
    /// None: what the copy has comes behind what the file has, under the copy's numbers. What has such a number
    /// in the file is the same row, of a commit that was thought lost.
    Appended,
    /// The same, under numbers that the file gives: the copy does not know how far those are.
    Renumbered,
}

/// Every table there is; what pages need comes first. The conditions of [`TablePart::Some`] name the file's
/// database, `main`.
const TABLES: [(&str, TablePart); 21] = [
    ("meta", TablePart::Whole),
    ("station", TablePart::Whole),
    ("device", TablePart::Whole),
    ("incident", TablePart::Some("id IN (SELECT id FROM temp.recent)")),
    (
        "page",
        TablePart::Some(
            "incident IN (SELECT id FROM temp.recent)
             OR delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL",
        ),
    ),
    ("message", TablePart::Whole),
    ("bundle", TablePart::Some("true")),
    ("board", TablePart::Whole),
    ("memory", TablePart::Whole),
    ("log", TablePart::Appended),
    ("wish", TablePart::Whole),
    ("settings", TablePart::Whole),
    ("command", TablePart::Whole),
    ("bulletin", TablePart::Whole),
    ("digest", TablePart::Whole),
    ("trail", TablePart::Some("incident IN (SELECT id FROM temp.recent)")),
    ("device_status", TablePart::Whole),
    ("ledger", TablePart::Counts),
    ("rejected", TablePart::Counts),
    ("quarantine", TablePart::Appended),
    ("event", TablePart::Appended),
];

/// What a message to a webhook says that is owed by the copy: it is the same at every attempt, also at one
/// after the file has taken it.
pub(crate) const NOT_STORED: &str = "
    CREATE TEMP TRIGGER message_made AFTER INSERT ON main.message BEGIN
        UPDATE message SET wire = json_set(wire, '$.stored', json('false')) WHERE n = new.n;
    END;
    CREATE TEMP TRIGGER message_reworded AFTER UPDATE OF fixed ON main.message BEGIN
        UPDATE message SET wire = json_set(wire, '$.stored', json('false')) WHERE n = new.n;
    END;
    CREATE TEMP TRIGGER bundle_made AFTER INSERT ON main.bundle BEGIN
        UPDATE bundle SET wire = json_set(wire, '$.stored', json('false')) WHERE id = new.id;
    END;";

/// Where a database in memory is, for all connections of this process.
pub(crate) fn memory(name: &str) -> String {
    format!("file:/{name}?vfs=memdb")
}

/// Takes out of a whole copy what the file adds to instead of replacing it, so that it is a working copy.
pub(crate) fn forget_appended(conn: &Connection) -> Result<(), StoreError> {
    for (table, part) in TABLES {
        match part {
            TablePart::Whole | TablePart::Some(_) => {}
            TablePart::Counts | TablePart::Appended | TablePart::Renumbered => {
                conn.execute_batch(&format!("DELETE FROM {table}"))?;
            }
        }
    }
    Ok(conn.execute_batch(NOT_STORED)?)
}

/// The names of all tables, in their order.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().map(|(table, _)| table)
}

impl Store {
    /// A working copy under a name that no other in this process has. This store is to rest until
    /// it takes the copy back: whoever writes to it meanwhile is undone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn working_copy(&self, name: &str) -> Result<Self, StoreError> {
        let path = memory(name);
        let mut copy = Self::prepared(Path::new(&path), None)?;
        let attached = Attached::to(&self.conn, &path)?;
        // One moment of the file, though nobody else writes.
        let read = self.conn.unchecked_transaction()?;
        self.conn.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.recent;
             CREATE TEMP TABLE recent AS SELECT id FROM main.incident WHERE open = 1 OR
                 updated_at > (SELECT max(updated_at) FROM main.incident) - {RECENT_MS};"
        ))?;
        for (table, part) in TABLES {
            if let Some(condition) = part.copied() {
                let columns = columns(&self.conn, table)?.all;
                self.conn.execute_batch(&format!(
                    "INSERT OR REPLACE INTO {COPY}.{table} ({columns})
                         SELECT {columns} FROM main.{table} WHERE {condition}"
                ))?;
            }
        }
        self.conn.execute_batch(&format!(
            "DELETE FROM {COPY}.sqlite_sequence;
             INSERT INTO {COPY}.sqlite_sequence SELECT * FROM main.sqlite_sequence;
             DROP TABLE temp.recent;"
        ))?;
        read.commit()?;
        drop(attached);
        copy.conn.execute_batch(NOT_STORED)?;
        copy.continues(self);
        copy.archived = Some(Archived::default());
        Ok(copy)
    }

    /// Writes into the file what happened to its working copy, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]: the file is as it was; the same call may be made again.
    pub fn take_back(&mut self, copy: &Self) -> Result<(), StoreError> {
        self.is_in_its_files()?;
        let path = copy.path.to_string_lossy();
        let attached = Attached::to(&self.conn, &path)?;
        let write =
            rusqlite::Transaction::new_unchecked(attached.conn, TransactionBehavior::Immediate)?;
        for (table, part) in TABLES {
            let columns = columns(&write, table)?;
            let part = if copy.remembered.is_some() { part.of_remembered(table) } else { part };
            for sql in part.given_back(table, &columns) {
                write.execute_batch(&sql)?;
            }
        }
        if let Some(settled) = &copy.remembered {
            settled.write(&write)?;
            forget_what_is_over(&write, COPY)?;
        }
        if let Some(archived) = &copy.archived {
            expired::delete(&write, archived)?;
        }
        // No number is given twice, though its row was archived before the file had it.
        write.execute_batch(&format!(
            "UPDATE main.sqlite_sequence SET seq = c.seq FROM {COPY}.sqlite_sequence c
                 WHERE c.name = main.sqlite_sequence.name AND c.seq > main.sqlite_sequence.seq;
             INSERT INTO main.sqlite_sequence SELECT name, seq FROM {COPY}.sqlite_sequence c
                 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence m WHERE m.name = c.name);"
        ))?;
        rows::event_cut(&write, copy.newest.event)?;
        rows::cut(&write, copy.newest.cut)?;
        rows::quarantine_trim(&write)?;
        write.commit()?;
        drop(attached);
        self.is_still_in_its_files()?;
        self.continues(copy);
        Ok(())
    }

    /// Goes on where another store of the same rows is.
    pub(crate) fn continues(&mut self, other: &Self) {
        self.newest = other.newest;
        if other.remembered.is_some() {
            self.kept.follow(&other.kept);
        } else {
            self.kept = other.kept.clone();
        }
        self.conditions.clone_from(&other.conditions);
    }
}

/// The copy beside the file, for one connection.
struct Attached<'a> {
    conn: &'a Connection,
}

impl<'a> Attached<'a> {
    fn to(conn: &'a Connection, path: &str) -> Result<Self, StoreError> {
        conn.execute(&format!("ATTACH ?1 AS {COPY}"), [path])?;
        Ok(Self { conn })
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        if let Err(why) = self.conn.execute_batch(&format!("DETACH {COPY}")) {
            tracing::error!("the working copy is not let go ({why})");
        }
    }
}

/// The columns of a table, as SQL lists them.
struct TableColumns {
    all: String,
    key: Vec<String>,
    others: Vec<String>,
}

fn columns(conn: &Connection, table: &str) -> Result<TableColumns, StoreError> {
    let sql = "SELECT name, pk > 0 FROM pragma_table_info(?1, 'main') ORDER BY cid";
    let mut find = conn.prepare_cached(sql)?;
    let named: Vec<(String, bool)> =
        find.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let all: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
    let all = all.join(", ");
    let (key, others): (Vec<_>, Vec<_>) = named.into_iter().partition(|(_, key)| *key);
    let names = |columns: Vec<(String, bool)>| columns.into_iter().map(|(name, _)| name).collect();
    Ok(TableColumns { all, key: names(key), others: names(others) })
}

impl TablePart {
    /// Which rows of the file are copied; `None`: none.
    const fn copied(self) -> Option<&'static str> {
        match self {
            Self::Whole => Some("true"),
            Self::Some(condition) => Some(condition),
            Self::Counts | Self::Appended | Self::Renumbered => None,
        }
    }

    /// How the file takes a table of a copy that was made of what the gateway remembered: that lacks rows
    /// which the file has.
    fn of_remembered(self, table: &str) -> Self {
        match (self, table) {
            (_, "trail" | "quarantine") => Self::Renumbered,
            (Self::Whole | Self::Some(_), _) => Self::Some("true"),
            (Self::Counts | Self::Appended | Self::Renumbered, _) => self,
        }
    }

    /// How the file takes the copy's rows.
    fn given_back(self, table: &str, columns: &TableColumns) -> Vec<String> {
        let TableColumns { all, key, others } = columns;
        let insert =
            format!("INSERT INTO main.{table} ({all}) SELECT {all} FROM {COPY}.{table} WHERE true");
        let each = |column: &dyn Fn(&str) -> String, between: &str| {
            others.iter().map(|name| column(name)).collect::<Vec<_>>().join(between)
        };
        let conflict = format!("{insert} ON CONFLICT ({}) DO UPDATE SET", key.join(", "));
        let replaced = || {
            let set = each(&|name| format!("{name} = excluded.{name}"), ", ");
            let differs = each(&|name| format!("{table}.{name} IS NOT excluded.{name}"), " OR ");
            format!("{conflict} {set} WHERE {differs}")
        };
        match self {
            Self::Whole => {
                let same: Vec<_> =
                    key.iter().map(|name| format!("copied.{name} = {table}.{name}")).collect();
                let gone = format!(
                    "DELETE FROM main.{table} WHERE NOT EXISTS
                         (SELECT 1 FROM {COPY}.{table} AS copied WHERE {})",
                    same.join(" AND ")
                );
                vec![gone, replaced()]
            }
            Self::Some(_) => vec![replaced()],
            Self::Counts => {
                let add = each(&|name| format!("{name} = {name} + excluded.{name}"), ", ");
                vec![format!("{conflict} {add}")]
            }
            Self::Appended => vec![format!("{insert} ON CONFLICT DO NOTHING")],
            Self::Renumbered => {
                let all = others.join(", ");
                let from = format!("SELECT {all} FROM {COPY}.{table} ORDER BY {}", key.join(", "));
                vec![format!("INSERT INTO main.{table} ({all}) {from}")]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::TABLES;

    #[test]
    fn no_table_is_forgotten() {
        let mut conn = Connection::open_in_memory().unwrap();
        crate::migrations::migrate(&mut conn).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let mut find = conn.prepare(sql).unwrap();
        let all = find.query_map((), |row| row.get(0)).unwrap();
        let all: BTreeSet<String> = all.collect::<Result<_, _>>().unwrap();
        let known: BTreeSet<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(known, all);
    }
}
