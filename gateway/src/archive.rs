//! Takes what is older, or more, than it is kept for (`[keep]`) out of the databases: first into the
//! archive, a folder of JSON lines beside the store, then it is deleted.
//!
//! It works in small portions with pauses between them, so that no alarm waits for more than one
//! portion's commit. Killed between writing and deleting, it writes a row once more: a line may be in
//! the archive twice, and none is missing. While the machine's clock is in doubt, or the store takes
//! nothing, it waits: a clock that is years ahead would empty the databases.
//!
//! Which rows are too old is said by the store (`standpipe_store::expired`), which deletes them too.

mod files;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use files::{ArchiveFolder, ArchiveKind};
use metrics::counter;
use standpipe_config::KeepConfig;
use standpipe_engine::health::{Health, PartStatus};
use standpipe_engine::{EngineHandle, Unavailable};
use standpipe_machine::clock::Clock;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_store::accounts::{AccountBook, AccountError, Accounts};
use standpipe_store::expired::{Archived, Expired, KeptMessages};
use standpipe_store::{Reader, StoreError, StorePlace};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// After a start nothing is in a hurry.
const FIRST: Duration = Duration::from_secs(10);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Between two portions, so that other commits come first.
const PAUSE: Duration = Duration::from_millis(100);
/// Rows of one portion.
const PORTION: usize = 32;
/// Incidents of one look: with more of them it takes several.
const INCIDENTS: usize = 32_768;
/// Messages that were not understood, of one look: a flood of them is dropped, not archived.
const MESSAGES: usize = 2_048;

/// Everything that the archive is made with.
pub struct ArchiveSetup {
    pub place: StorePlace,
    pub keep: KeepConfig,
    pub accounts: Accounts,
    pub engine: EngineHandle,
    pub clock: Clock,
    pub health: Arc<Health>,
    pub stop: CancellationToken,
}

/// Why a look was not finished.
#[derive(Debug, thiserror::Error)]
enum ArchiveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Accounts(#[from] AccountError),
    #[error("the archive can't be written ({0}): make room there, or set keep.archive_mib = 0")]
    Folder(#[from] io::Error),
    #[error("the engine has no time for it")]
    Engine(#[from] Unavailable),
}

/// Starts it on a thread of its own. It ends after `stop`, at once.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(setup: ArchiveSetup) -> io::Result<JoinHandle<()>> {
    let folder = ArchiveFolder::beside(setup.place.file(), setup.keep.archive_mib);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = setup.stop.clone();
    let archive = Archive { setup, folder };
    threads::start("archive", move || {
        runtime.block_on(stop.run_until_cancelled(archive.run()));
    })
}

struct Archive {
    setup: ArchiveSetup,
    folder: ArchiveFolder,
}

impl Archive {
    async fn run(self) {
        let mut wait = FIRST;
        loop {
            sleep(wait).await;
            wait = EVERY;
            let failing = matches!(self.setup.health.store.status(), PartStatus::Failing { .. });
            let rests = failing || self.setup.place.is_in_memory();
            if rests || self.setup.clock.is_doubted() {
                continue;
            }
            match self.look(self.setup.clock.now()).await {
                Ok(()) => {}
                // Somebody needs the engine more: at the next look.
                Err(ArchiveError::Engine(_)) => {}
                Err(bad) => tracing::warn!("{bad}; nothing is deleted"),
            }
        }
    }

    /// Everything that is too old now.
    async fn look(&self, now: Ms) -> Result<(), ArchiveError> {
        let (keep, reader) = (&self.setup.keep, Reader::open(self.setup.place.file())?);
        let closed_before = KeepConfig::before(now, keep.incidents_days);
        let since = KeepConfig::before(now, keep.quarantine_days);
        let messages = KeptMessages { since, most: keep.quarantine_messages };
        for _ in 0..INCIDENTS / PORTION {
            let expired = reader.expired_incidents(closed_before, PORTION)?;
            let incidents = expired.iter().map(|expired| expired.row).collect();
            let archived = Archived { incidents, ..Archived::default() };
            if !self.archive(ArchiveKind::Incidents, &expired, archived).await? {
                break;
            }
        }
        for _ in 0..MESSAGES / PORTION {
            let expired = reader.expired_messages(messages, PORTION)?;
            let quarantine = expired.iter().map(|expired| expired.row).collect();
            let archived = Archived { quarantine, ..Archived::default() };
            if !self.archive(ArchiveKind::Quarantine, &expired, archived).await? {
                break;
            }
        }
        self.audit(KeepConfig::before(now, keep.audit_days)).await?;
        for name in self.folder.trim()? {
            let folder = self.folder.path().display();
            tracing::warn!("{folder} holds keep.archive_mib: its oldest file {name} is deleted");
        }
        Ok(())
    }

    /// One portion; whether there was anything.
    async fn archive<T>(
        &self,
        kind: ArchiveKind,
        expired: &[Expired<T>],
        archived: Archived,
    ) -> Result<bool, ArchiveError> {
        // What memory deletes is there still in the file, which is read here.
        if expired.is_empty() || self.setup.place.is_in_memory() {
            return Ok(false);
        }
        self.written(kind, expired)?;
        self.setup.engine.archived(archived).await?;
        sleep(PAUSE).await;
        Ok(true)
    }

    fn written<T>(&self, kind: ArchiveKind, expired: &[Expired<T>]) -> io::Result<()> {
        self.folder.append(kind, expired)?;
        counter!("standpipe_archived_total", "kind" => kind.name()).increment(expired.len() as u64);
        Ok(())
    }

    async fn audit(&self, since: Ms) -> Result<(), ArchiveError> {
        loop {
            let read = move |book: &mut _| AccountBook::expired_audit(book, since, PORTION);
            let expired = self.setup.accounts.with(read).await?;
            if expired.is_empty() {
                return Ok(());
            }
            self.written(ArchiveKind::Audit, &expired)?;
            let lines = expired.iter().map(|expired| expired.row).collect();
            self.setup.accounts.with(move |book| book.audit_archived(lines)).await?;
            sleep(PAUSE).await;
        }
    }
}
