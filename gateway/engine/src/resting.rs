//! The engine's log rests while another one works in memory, and what is given back to it.
//!
//! Not here: when that happens (`shell/refuge.rs`), and what is acknowledged meanwhile (`rescue.rs`).

use std::path::PathBuf;

use standpipe_machine::clock::in_file_names;
use standpipe_rules::Ms;
use standpipe_store::lost::LostStore;
use standpipe_store::{FileLoss, FirstBatch, Store, StoreError, UnloggedReadings};

use crate::disk::{DiskAnswer, KeptLate, PATIENCE_S};
use crate::log::{EmbeddedLog, Log};
use crate::source::Receipt;
use crate::working::{KeepEntries, WorkingLog};
use crate::{Engine, Input, by_source};

/// What a gateway that works in memory gives everything back to.
#[derive(Debug)]
pub(crate) enum Resting {
    /// The log that it has open.
    Log(Box<dyn Log>),
    /// The log that it has open, in files that are its own no more, or make no sense.
    Lost(Box<dyn Log>, FileLoss),
    /// A file that it could not open to write; all that is in it is in memory.
    File(PathBuf),
    /// A file of which nothing could be read, so that nothing fits it.
    Nothing,
}

impl Engine {
    /// The disk takes nothing: works on in memory, where what waits for its commit is kept as well.
    /// `name`: no other working copy in this process has it. Nothing happens where it does already.
    ///
    /// # Errors
    /// [`StoreError`]: the file can't even be read.
    pub fn to_memory(&mut self, name: &str, entries: KeepEntries) -> Result<(), StoreError> {
        if self.resting.is_none() {
            let working = WorkingLog::copy_of(self.log.store(), name, entries)?;
            let disk = std::mem::replace(&mut self.log, Box::new(working));
            self.resting = Some(Resting::Log(disk));
        }
        Ok(())
    }

    /// The same because of that: what waits for its commit is copied as the store has it, or, where that
    /// can't be read, as it is remembered. `name`: no other working copy in this process has it.
    ///
    /// # Errors
    /// [`StoreError`]: there is not even memory.
    pub fn to_memory_because(&mut self, why: &StoreError, name: &str) -> Result<(), StoreError> {
        if self.resting.is_some() {
            return Ok(());
        }
        let copied = match why.lets_read() {
            true => WorkingLog::copy_of(self.log.store(), name, KeepEntries::No)
                .inspect_err(|bad| tracing::error!("the store can't be read either: {bad}"))
                .ok(),
            false => None,
        };
        let working = match copied {
            Some(working) => working,
            None => WorkingLog::of(self.remembered(&format!("{name}-remembered"))?),
        };
        let disk = std::mem::replace(&mut self.log, Box::new(working));
        self.resting = Some(match why.loss() {
            Some(loss) => Resting::Lost(disk, loss),
            None => Resting::Log(disk),
        });
        Ok(())
    }

    fn remembered(&self, name: &str) -> Result<Store, StoreError> {
        let unlogged = match self.state.changes.readings.is_empty() {
            true => UnloggedReadings::None,
            false => UnloggedReadings::Some,
        };
        Store::remembered(name, &self.state.world, self.log.facts(), unlogged)
    }

    /// Writes into the file what happened in memory, in one transaction, and goes on there. Between
    /// two batches or not. Nothing happens where it works there already. What may be acknowledged by it
    /// is given back, by the sources' places.
    ///
    /// # Errors
    /// [`StoreError`]: the file is as it was, and the work goes on in memory.
    pub fn to_disk(&mut self, now: Ms) -> Result<Vec<Vec<Receipt>>, StoreError> {
        let taken = match &mut self.resting {
            None => return Ok(Vec::new()),
            Some(Resting::Log(disk)) => {
                match disk.answer() {
                    DiskAnswer::NotYet => return Err(StoreError::Hangs { after_s: PATIENCE_S }),
                    DiskAnswer::Unchanged => {}
                    DiskAnswer::Kept(kept) => {
                        let KeptLate { changes, extras, kept_at } = &kept;
                        let batch = FirstBatch { changes, extras, kept_at: *kept_at };
                        self.log.store_mut().forget_first_batch(&batch)?;
                    }
                }
                disk.store_mut().take_back(self.log.store())
            }
            Some(Resting::Lost(disk, loss)) => {
                let at = (&*in_file_names(now), now);
                disk.store_mut().anew(self.log.store(), loss, at).map(|(store, lost)| {
                    self.lost = Some(lost);
                    *disk = Box::new(EmbeddedLog::new(store));
                })
            }
            Some(Resting::File(file)) => {
                let mut store = Store::open(file)?;
                store.take_back(self.log.store())?;
                self.resting = Some(Resting::Log(Box::new(EmbeddedLog::new(store))));
                Ok(())
            }
            Some(Resting::Nothing) => {
                let what = "the file that was there at the start".into();
                let why = "the gateway began without it".into();
                return Err(StoreError::Unreadable { what, why });
            }
        };
        if let Err(why) = taken {
            self.is_lost_by_now(&why);
            return Err(why);
        }
        if let Some(Resting::Log(disk) | Resting::Lost(disk, _)) = self.resting.take() {
            self.log = disk;
        }
        let (owed, stopped) = self.held_receipts.all();
        if let Some(source) = stopped.filter(|_| !self.is_held()) {
            self.happens(Input::Source { source, up: true }, now);
        }
        Ok(by_source(owed))
    }

    /// The file may be lost while it rests.
    fn is_lost_by_now(&mut self, why: &StoreError) {
        self.resting = match (self.resting.take(), why.loss()) {
            (Some(Resting::Log(disk)), Some(loss)) => Some(Resting::Lost(disk, loss)),
            (resting, _) => resting,
        };
    }

    /// What became of the store's file, once: [`Self::to_disk`] put a new one in its place.
    pub const fn take_lost(&mut self) -> Option<LostStore> {
        self.lost.take()
    }

    /// Whether it works in memory, since the file takes nothing.
    #[must_use]
    pub const fn is_in_memory(&self) -> bool {
        self.resting.is_some()
    }

    /// The store on disk, while another one works in its place.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> &Store {
        let Some(Resting::Log(disk) | Resting::Lost(disk, _)) = &self.resting else {
            panic!("it works on disk")
        };
        disk.store()
    }
}
