//! A working copy of what the gateway remembers, for a file that can't be read any more, or does not answer:
//! its registry, its devices, every open incident, the pages that are owed, what is asked of devices.
//!
//! What only the file has is not in it: the trails of incidents, bundles, digests, what devices said of
//! themselves, the names in `meta`. So the file, or a new one with what can be read of it, takes such a copy
//! back by adding to it ([`working`](super::working)). Pages that were in a bundle are owed singly; every
//! page has the id that it had.
//!
//! Not here: a copy of a file that can be read (`working.rs`, `rescued.rs`).

use std::path::Path;

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::changes::Receiver;
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::world::World;

use super::boards::Numbers;
use super::commit::{Extras, Newest};
use super::expired::Archived;
use super::settled::SettledInFile;
use super::{Store, StoreError, boards, bulletins, ledger, orders, rows, working};

/// What the writer of a store knows without reading it: true as of its last commit.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriterFacts {
    newest: Newest,
}

impl Store {
    /// What this writer knows without reading.
    #[must_use]
    pub const fn facts(&self) -> WriterFacts {
        WriterFacts { newest: self.newest }
    }

    /// A working copy of that world, under a name that no other in this process has; it goes on where that
    /// writer was. `unlogged`: the world has seen readings that no block has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remembered(
        name: &str,
        world: &World,
        WriterFacts { newest }: WriterFacts,
        unlogged: UnloggedReadings,
    ) -> Result<Self, StoreError> {
        let mut copy = Self::prepared(Path::new(&working::memory(name)), None)?;
        let mut boards = newest.boards;
        let write = copy.conn.transaction()?;
        registry(&write, world)?;
        let upto = newest.block + i64::from(unlogged == UnloggedReadings::Some);
        let mut conditions = vec![0; world.registry().devices().len()];
        for (ix, told) in (0..).map(DeviceIx).zip(&mut conditions) {
            *told = rows::memory(&write, world, ix, upto)?.conditions;
        }
        incidents(&write, world, &mut boards)?;
        asked(&write, world)?;
        rows::meta_json(&write, "watch", world.wholes())?;
        rows::meta_json(&write, "book", world.book.meta())?;
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?1)";
        write.execute(sql, [newest.event])?;
        write.commit()?;
        copy.conn.execute_batch(working::NOT_STORED)?;
        copy.newest = Newest { boards, ..newest };
        copy.conditions = conditions;
        copy.archived = Some(Archived::default());
        copy.remembered = Some(SettledInFile::default());
        Ok(copy)
    }

    /// The first batch that a remembered copy took is in the file as well, since the disk took it in the end:
    /// what is added to the file, and not put in a place of its own, goes out of the copy.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget_first_batch(&mut self, batch: &FirstBatch<'_>) -> Result<(), StoreError> {
        let FirstBatch { changes, extras, kept_at } = batch;
        let write = self.conn.transaction()?;
        let first = |table: &str, rows: usize| {
            rows::put(&write, &format!("DELETE FROM {table} WHERE n <= ?1"), [rows::rows_of(rows)])
        };
        first("trail", changes.trail.len())?;
        first("quarantine", extras.quarantine.len())?;
        for row in &changes.ledger {
            ledger::take_out(&write, row)?;
        }
        for (reason, messages) in &extras.rejected {
            rows::rejected_less(&write, *kept_at, reason, *messages)?;
        }
        Ok(write.commit()?)
    }
}

/// Whether the world has seen readings that are in no block of the log yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnloggedReadings {
    /// It has: they will be the next block.
    Some,
    /// It has not.
    None,
}

/// The batch that a copy began with.
#[derive(Clone, Copy, Debug)]
pub struct FirstBatch<'a> {
    pub changes: &'a standpipe_rules::Changes,
    pub extras: &'a Extras,
    /// When the copy took it.
    pub kept_at: Ms,
}

/// Stations, whether their terminals are there, and devices.
fn registry(write: &Connection, world: &World) -> Result<(), StoreError> {
    for station in world.registry().stations() {
        rows::station(write, station)?;
    }
    for presence in world.book.terminals() {
        rows::presence(write, presence)?;
    }
    for (ix, device) in (0..).map(DeviceIx).zip(world.registry().devices()) {
        rows::device(write, ix, device)?;
    }
    Ok(())
}

/// Open incidents, what topics show of them, and what is owed about them.
fn incidents(write: &Connection, world: &World, numbers: &mut Numbers) -> Result<(), StoreError> {
    for incident in world.book.open() {
        rows::incident(write, world, incident)?;
        boards::news(write, numbers, incident)?;
    }
    for page in world.book.owed_pages() {
        // What is owed about a closed one stays owed in the file.
        if world.book.get(page.incident).is_none() {
            continue;
        }
        rows::page(write, page)?;
        if let Receiver::Station(station) = &page.receiver {
            boards::paged(write, numbers, (station, page))?;
        }
    }
    Ok(())
}

/// Settings, commands, and announced work.
fn asked(write: &Connection, world: &World) -> Result<(), StoreError> {
    let asked = world.orders();
    for (of, wished) in asked.wishes() {
        orders::wish(write, of, Some(wished))?;
    }
    for (ix, settings) in asked.all_settings() {
        orders::settings(write, ix, settings)?;
    }
    for command in asked.commands() {
        orders::command(write, command)?;
    }
    bulletins::bulletins(write, world)
}
