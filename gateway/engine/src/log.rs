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
use std::sync::Arc;

use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use standpipe_store::{Committed, Extras, Store, StoreError, WriterFacts};

use crate::disk::{BatchToKeep, DiskAnswer, DiskTask, DiskThread};
use crate::entry::Batch;

/// With nothing to keep it is looked this often whether the store's files are still its own, ms.
const LOOK_EVERY: Ms = 1_000;

/// How many batches with consequences a log has taken since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// What follows from a batch.
#[derive(Clone, Copy, Debug)]
pub struct Consequences<'a> {
    /// The world after it.
    pub world: &'a Arc<World>,
    /// What it changed.
    pub changes: &'a Arc<Changes>,
    /// What else is to be written.
    pub extras: &'a Arc<Extras>,
}

impl Consequences<'_> {
    fn task(self, kept_at: Ms) -> DiskTask {
        let Self { world, changes, extras } = self;
        let (world, changes, extras) = (Arc::clone(world), Arc::clone(changes), Arc::clone(extras));
        DiskTask::Commit(BatchToKeep { world, changes, extras, kept_at })
    }

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

    /// What its writer knows without reading.
    fn facts(&self) -> WriterFacts {
        self.store().facts()
    }

    /// Moves what is left of SQLite's write-ahead log, between two batches.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost by it.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.store_mut().checkpoint()
    }

    /// After [`StoreError::Hangs`]: whether the disk has answered by now.
    fn answer(&mut self) -> DiskAnswer {
        DiskAnswer::Unchanged
    }

    /// The batches whose entries it keeps, in order.
    fn batches(&self) -> &[Batch] {
        &[]
    }
}

/// Today's log: one SQLite transaction a batch, on a thread of its own.
#[derive(Debug)]
pub struct EmbeddedLog {
    disk: DiskThread,
    position: Position,
    looked_at: Ms,
}

impl EmbeddedLog {
    /// Over this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { disk: DiskThread::new(store), position: Position::default(), looked_at: 0 }
    }
}

impl Log for EmbeddedLog {
    fn append(
        &mut self,
        batch: &mut Batch,
        follows: &Consequences<'_>,
    ) -> Result<Appended, StoreError> {
        let nothing = follows.is_empty();
        let since = batch.kept_at - self.looked_at;
        if !nothing || !(0..LOOK_EVERY).contains(&since) {
            self.looked_at = batch.kept_at;
            let task = if nothing { DiskTask::Look } else { follows.task(batch.kept_at) };
            if let Some(committed) = self.disk.does(task)? {
                self.position.0 += 1;
                return Ok(Appended { position: self.position, committed });
            }
        }
        Ok(Appended { position: self.position, committed: nothing_new(self.store()) })
    }

    fn store(&self) -> &Store {
        self.disk.store()
    }

    fn store_mut(&mut self) -> &mut Store {
        self.disk.store_mut()
    }

    fn facts(&self) -> WriterFacts {
        self.disk.facts()
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.disk.does(DiskTask::Checkpoint).map(drop)
    }

    fn answer(&mut self) -> DiskAnswer {
        self.disk.answer()
    }
}

fn nothing_new(store: &Store) -> Committed {
    Committed { block: store.newest_block(), ..Committed::default() }
}

/// Writes what follows into a store; where nothing does, the log is as far as it was.
pub(crate) fn keep(
    store: &mut Store,
    position: &mut Position,
    batch: &Batch,
    follows: &Consequences<'_>,
) -> Result<Appended, StoreError> {
    let committed = if follows.is_empty() {
        nothing_new(store)
    } else {
        let Consequences { world, changes, extras } = follows;
        let committed = store.commit(batch.kept_at, world, changes, extras)?;
        position.0 += 1;
        committed
    };
    Ok(Appended { position: *position, committed })
}
