//! Where batches are kept. State changes by appending a [`Batch`], and by nothing else.
//!
//! The engine applies each entry as it comes, since people's questions and the next entry go by
//! it, and appends the batch with all that follows from it. Until the log has taken it, nothing is
//! acknowledged, answered or rung for. So a log may keep either or both:
//!
//! | log | keeps | for |
//! |---|---|---|
//! | [`EmbeddedLog`] | what follows, in one SQLite transaction; the entries go | every day |
//! | [`crate::working::WorkingLog`] | what follows, in memory, and the entries | a disk that takes nothing |
//!
//! One that spreads batches over several machines would keep the entries and have each machine
//! apply them. Not here: when a batch is sealed and what happens when it is refused (`lib.rs`).

use std::fmt::Debug;

use standpipe_rules::Changes;
use standpipe_rules::world::World;
use standpipe_store::{Committed, Extras, Store, StoreError};

use crate::entry::Batch;

/// How many batches with consequences a log has taken since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// What follows from a batch.
#[derive(Clone, Copy, Debug)]
pub struct Consequences<'a> {
    /// The world after it.
    pub world: &'a World,
    /// What it changed.
    pub changes: &'a Changes,
    /// What else is to be written.
    pub extras: &'a Extras,
}

impl Consequences<'_> {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.extras.is_empty()
    }
}

/// What a log has taken.
#[derive(Debug)]
pub struct Appended {
    pub position: Position,
    pub committed: Committed,
}

/// Keeps batches, in order.
pub trait Log: Debug + Send {
    /// Keeps a batch with everything that follows from it, whole or not at all. A log that keeps
    /// entries may take them out of the batch once it has succeeded.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was kept; the same call may be made again.
    fn append(
        &mut self,
        batch: &mut Batch,
        follows: &Consequences<'_>,
    ) -> Result<Appended, StoreError>;

    /// What the batches came to, where everybody reads it.
    fn store(&self) -> &Store;

    /// The same, to look after it between two batches.
    fn store_mut(&mut self) -> &mut Store;

    /// The batches whose entries it keeps, in order.
    fn batches(&self) -> &[Batch] {
        &[]
    }
}

/// Today's log: one SQLite transaction a batch.
#[derive(Debug)]
pub struct EmbeddedLog {
    store: Store,
    position: Position,
}

impl EmbeddedLog {
    /// Over this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, position: Position::default() }
    }
}

impl Log for EmbeddedLog {
    fn append(
        &mut self,
        batch: &mut Batch,
        follows: &Consequences<'_>,
    ) -> Result<Appended, StoreError> {
        keep(&mut self.store, &mut self.position, batch, follows)
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }
}

/// Writes what follows into a store; where nothing does, the log is as far as it was.
pub(crate) fn keep(
    store: &mut Store,
    position: &mut Position,
    batch: &Batch,
    follows: &Consequences<'_>,
) -> Result<Appended, StoreError> {
    let committed = if follows.is_empty() {
        Committed { block: store.newest_block(), ..Committed::default() }
    } else {
        let Consequences { world, changes, extras } = follows;
        let committed = store.commit(batch.kept_at, world, changes, extras)?;
        position.0 += 1;
        committed
    };
    Ok(Appended { position: *position, committed })
}
