//! The thread that writes the store's file. The engine waits for it, and not for ever: a disk may take a
//! commit and neither do it nor refuse it, and nothing wakes a thread that waits for such a disk. Then the
//! engine goes on without the store, which the thread keeps, with the batch that it was given, until the
//! disk has answered.
//!
//! A commit that takes long since there is much to write is no such disk: it is waited for as long as it
//! gets on ([`Store::progress`]).
//!
//! Not here: that the engine goes on in memory then (`shell/refuge.rs`).

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use standpipe_machine::threads;
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use standpipe_store::{Committed, Extras, Progress, Store, StoreError, WriterFacts};

/// A disk that does nothing for so long does not answer, s. A page is to go out within a second, so that
/// whatever waits is late already; consumer SSDs and eMMC pause for up to two seconds to clean up.
pub const PATIENCE_S: u64 = 3;
/// How often it is looked whether it has got on.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks that find nothing, before it is given up.
const LOOKS: u64 = PATIENCE_S * 4;

/// What is done with the store.
#[derive(Debug)]
pub(crate) enum DiskTask {
    /// Keeps what follows from a batch.
    Commit(BatchToKeep),
    /// Looks whether its files are still its own.
    Look,
    /// Moves what is left of the write-ahead log.
    Checkpoint,
}

/// What follows from a batch, for another thread.
#[derive(Debug)]
pub(crate) struct BatchToKeep {
    pub world: Arc<World>,
    pub changes: Arc<Changes>,
    pub extras: Arc<Extras>,
    pub kept_at: Ms,
}

/// A task on its way, and back with what became of it.
type Job = (Store, DiskTask);
type JobDone = (Store, DiskTask, Result<Option<Committed>, StoreError>);

/// What became of the last task of a disk that had not answered.
#[derive(Debug)]
pub enum DiskAnswer {
    /// It has not answered yet.
    NotYet,
    /// The store is as it was.
    Unchanged,
    /// The store has kept this batch.
    Kept(KeptLate),
}

/// A batch that was kept after nobody waited any more.
#[derive(Debug)]
pub struct KeptLate {
    pub changes: Arc<Changes>,
    pub extras: Arc<Extras>,
    pub kept_at: Ms,
}

/// A store, and the thread that writes its file.
#[derive(Debug)]
pub(crate) struct DiskThread {
    /// While the thread has the store, one that has nothing in it.
    store: Store,
    stand_in: Option<Store>,
    is_away: bool,
    facts: WriterFacts,
    progress: Progress,
    to: Sender<Job>,
    from: Receiver<JobDone>,
}

impl DiskThread {
    /// The thread begins to wait for work.
    pub fn new(store: Store) -> Self {
        let (to, jobs) = bounded::<Job>(1);
        let (done, from) = bounded(1);
        let works = move || {
            for (mut store, task) in jobs {
                let outcome = task.done_with(&mut store);
                if done.send((store, task, outcome)).is_err() {
                    return;
                }
            }
        };
        if let Err(why) = threads::start("store", works) {
            tracing::error!("no thread for the store ({why}): a disk that hangs stops the engine");
        }
        let (facts, progress) = (store.facts(), store.progress());
        Self { store, stand_in: None, is_away: false, facts, progress, to, from }
    }

    /// The store. While a disk does not answer it is an empty one.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The same, between two tasks.
    pub const fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// What the writer knew after its last commit.
    pub const fn facts(&self) -> WriterFacts {
        self.facts
    }

    /// Has the thread do that.
    ///
    /// # Errors
    /// [`StoreError`]; of [`StoreError::Hangs`] nobody knows whether it is done.
    pub fn does(&mut self, task: DiskTask) -> Result<Option<Committed>, StoreError> {
        if self.is_away {
            return Err(StoreError::Hangs { after_s: PATIENCE_S });
        }
        let stand_in = match self.stand_in.take() {
            Some(stand_in) => stand_in,
            None => Store::stand_in(self.store.path())?,
        };
        let store = std::mem::replace(&mut self.store, stand_in);
        if let Err(refused) = self.to.send((store, task)) {
            // There is no thread.
            let (mut store, task) = refused.into_inner();
            let outcome = task.done_with(&mut store);
            return self.is_back((store, outcome));
        }
        self.is_away = true;
        match self.waits() {
            Some((store, task, outcome)) => {
                // The engine may change its world again.
                drop(task);
                self.is_back((store, outcome))
            }
            None => Err(StoreError::Hangs { after_s: PATIENCE_S }),
        }
    }

    /// Waits as long as it gets on.
    fn waits(&self) -> Option<JobDone> {
        let (mut before, mut looks) = (self.progress.steps(), 0);
        while looks < LOOKS {
            match self.from.recv_timeout(LOOK_EVERY) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let steps = self.progress.steps();
            looks = if steps == before { looks + 1 } else { 0 };
            before = steps;
        }
        None
    }

    fn is_back<T>(&mut self, (store, outcome): (Store, T)) -> T {
        self.stand_in = Some(std::mem::replace(&mut self.store, store));
        (self.is_away, self.facts) = (false, self.store.facts());
        outcome
    }

    /// Whether the disk has answered by now, and what; each answer is given once.
    pub fn answer(&mut self) -> DiskAnswer {
        if !self.is_away {
            return DiskAnswer::Unchanged;
        }
        let Ok((store, task, outcome)) = self.from.try_recv() else { return DiskAnswer::NotYet };
        match (self.is_back((store, outcome)), task) {
            (Ok(_), DiskTask::Commit(BatchToKeep { changes, extras, kept_at, .. })) => {
                DiskAnswer::Kept(KeptLate { changes, extras, kept_at })
            }
            (Ok(_), DiskTask::Look | DiskTask::Checkpoint) => DiskAnswer::Unchanged,
            (Err(why), _) => {
                tracing::warn!("the disk has answered: {why}");
                DiskAnswer::Unchanged
            }
        }
    }
}

impl DiskTask {
    fn done_with(&self, store: &mut Store) -> Result<Option<Committed>, StoreError> {
        match self {
            Self::Commit(BatchToKeep { world, changes, extras, kept_at }) => {
                store.commit(*kept_at, world, changes, extras).map(Some)
            }
            Self::Look => store.is_in_its_files().map(|()| None),
            Self::Checkpoint => store.checkpoint().map(|()| None),
        }
    }
}
