//! Looks after the disk that the store is on: tells administrators when it fills up, keeps a ballast on it,
//! and gives accounts back to their file when that takes them again.
//!
//! Not here: what happens when nothing can be written any more (`engine/src/shell/refuge.rs`).

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::gauge;
use standpipe_config::KeepConfig;
use standpipe_engine::health::{Degraded, DegradedPart, Health, Trouble};
use standpipe_machine::clock::Clock;
use standpipe_machine::disk::{Ballast, DiskRoom};
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_store::StorePlace;
use standpipe_store::accounts::Accounts;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Used so far, percent, administrators are told, and again at the next one.
const LEVELS: [u64; 3] = [80, 90, 95];
/// Used so much less than a level, percent, it is over.
const BACK: u64 = 2;
/// What is told anew is first over for so long: else it is only worded anew, and nobody is paged.
const BETWEEN: Duration = Duration::from_secs(2);

const MIB: u64 = 1024 * 1024;
/// The default is never less: on a disk that is full at the start, history would be given up at once.
const LEAST_LOG: u64 = 16 * MIB;

/// What the watch is made with.
#[derive(Clone)]
pub struct DiskWatch {
    pub place: StorePlace,
    pub ballast: Ballast,
    pub accounts: Accounts,
    pub health: Arc<Health>,
    pub clock: Clock,
    pub stop: CancellationToken,
}

impl DiskWatch {
    /// Starts it on a thread of its own: a disk may let one wait. It ends after `stop`.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = self.stop.clone();
        threads::start("disk", move || {
            runtime.block_on(stop.run_until_cancelled(self.run()));
        })
    }

    async fn run(self) -> Infallible {
        let mut told = 0;
        loop {
            match DiskRoom::of(self.place.file()) {
                Ok(room) => told = self.look(room, told).await,
                Err(bad) => tracing::warn!("the store's disk can't be looked at ({bad})"),
            }
            if let Err(bad) = self.accounts.to_disk().await {
                tracing::debug!("accounts are kept in memory: {bad}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// `told`: the level that administrators know of; 0: none. Returns the one that they know of now.
    async fn look(&self, room: DiskRoom, told: u64) -> u64 {
        gauge!("standpipe_disk_free_bytes").set(room.free as f64);
        gauge!("standpipe_disk_used_percent").set(room.used_percent() as f64);
        let level = level(room.used_percent(), told);
        let degraded = &self.health.degraded;
        if level != told {
            degraded.clear(DegradedPart::Disk);
            if level > told && told > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            if level > 0 {
                self.tell(degraded, room, level);
            }
        }
        let has_room = level < 95 && !self.place.is_in_memory();
        if has_room && !self.ballast.is_there() {
            match self.ballast.lay() {
                Ok(_) => {}
                Err(bad) => tracing::warn!("no ballast beside the store: {bad}"),
            }
        }
        gauge!("standpipe_ballast").set(f64::from(u8::from(self.ballast.is_there())));
        level
    }

    fn tell(&self, degraded: &Degraded, room: DiskRoom, level: u64) {
        let trouble =
            trouble((&self.place.file().display().to_string(), room), level, self.clock.now());
        tracing::warn!("{}", trouble.detail);
        degraded.set(trouble);
    }
}

/// How many bytes of readings may wait in the store for history: by default a third of what is free, the
/// store itself counted as free, so that a restart does not lower it.
pub fn log_bytes(keep: &KeepConfig, store: &Path) -> u64 {
    if let Some(mib) = keep.log_mib {
        return u64::from(mib) * MIB;
    }
    DiskRoom::without(store).map_or(u64::MAX, |room| (room.free / 3).max(LEAST_LOG))
}

/// The level that a disk is at, having been at `told` before.
fn level(used: u64, told: u64) -> u64 {
    let stays = |level: &u64| used >= *level || *level == told && used + BACK >= *level;
    LEVELS.into_iter().rfind(stays).unwrap_or(0)
}

fn trouble((file, room): (&str, DiskRoom), level: u64, since: Ms) -> Trouble {
    let mib = room.free / MIB;
    let en = format!(
        "The disk of {file} is {level} % full: {mib} MiB are left. When it is full, nothing can be stored, and \
         fires are paged from memory alone. Make room: `df -h {file}`; see also whether history is delivered."
    );
    let zh = format!(
        "{file} 所在磁盘已用 {level}%，剩余 {mib} MiB。写满后无法存盘，火警只能从内存通知。请清理磁盘\
         （`df -h {file}`），并检查历史数据是否正常写出。"
    );
    let detail = format!(
        "the disk of {file} is {level} % full, {mib} MiB are left: make room; `df -h {file}`"
    );
    Trouble { part: DegradedPart::Disk, since, why: Text { en, zh }, detail }
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn administrators_are_told_at_80_90_and_95_percent_once_each() {
        let mut told = 0;
        let says = |used: u64| {
            told = level(used, told);
            told
        };
        let used = [10, 79, 80, 81, 79, 78, 77, 80, 90, 89, 96, 94, 92, 91, 100, 0];
        let levels = [0, 0, 80, 80, 80, 80, 0, 80, 90, 90, 95, 95, 90, 90, 95, 0];
        assert_eq!(used.map(says), levels);
    }
}
