//! The log of a gateway whose disk takes nothing: the same transactions, in memory, and the entries
//! beside them.
//!
//! It works on a working copy of the store ([`Store::working_copy`]), which senders, API and console
//! of this process read like the file. Numbers and ids go on where the file's end. There are two
//! ways back to a file, for two cases:
//!
//! - The file is there and takes rows again: it takes back the copy's ([`crate::Engine::to_disk`]).
//! - It is another one (restored from a backup, or new): the kept batches are played to it
//!   ([`crate::Engine::play`]). What is in it decides what follows; ids follow from their causes.
//!
//! Not here: when a gateway takes refuge, what it acknowledges meanwhile, and how its readers are
//! pointed at the copy.

use standpipe_store::{Store, StoreError};

use crate::entry::Batch;
use crate::log::{Appended, Consequences, Log, Position, keep};

/// Whether the batches' entries are kept beside what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepEntries {
    /// For another file than the one that was copied.
    Yes,
    /// The file that was copied takes what follows; entries would only fill the memory.
    No,
}

/// Batches in memory.
#[derive(Debug)]
pub struct WorkingLog {
    copy: Store,
    position: Position,
    entries: KeepEntries,
    batches: Vec<Batch>,
}

impl WorkingLog {
    /// Over a copy that was made and loaded before ([`Store::rescued`]).
    #[must_use]
    pub fn of(copy: Store) -> Self {
        let (position, batches) = (Position::default(), Vec::new());
        Self { copy, position, entries: KeepEntries::No, batches }
    }

    /// Goes on where `disk` is. `name`: no other working copy in this process has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_of(disk: &Store, name: &str, entries: KeepEntries) -> Result<Self, StoreError> {
        let copy = disk.working_copy(name)?;
        Ok(Self { copy, position: Position::default(), entries, batches: Vec::new() })
    }
}

impl Log for WorkingLog {
    fn append(
        &mut self,
        batch: &mut Batch,
        follows: &Consequences<'_>,
    ) -> Result<Appended, StoreError> {
        let appended = keep(&mut self.copy, &mut self.position, batch, follows)?;
        match self.entries {
            // Time that passes is an entry, too, though nothing follows from it yet.
            KeepEntries::Yes => self.batches.push(std::mem::take(batch)),
            KeepEntries::No => {}
        }
        Ok(appended)
    }

    fn store(&self) -> &Store {
        &self.copy
    }

    fn store_mut(&mut self) -> &mut Store {
        &mut self.copy
    }

    fn batches(&self) -> &[Batch] {
        &self.batches
    }
}
