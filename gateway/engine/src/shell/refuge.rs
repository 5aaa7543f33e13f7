//! The one switch between the store's file and memory.
//!
//! When a commit fails because of the disk, the ballast is given up first. If there is none, or it does not
//! help, the engine goes on in memory: the same rules, the same book, and the batch that failed is the first
//! one that is kept there. Every few seconds it looks whether the file takes everything back.
//!
//! Not here: who is acknowledged meanwhile (`rescue.rs`).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use metrics::counter;
use standpipe_machine::disk::DiskRoom;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_store::StoreError;

use super::{Bells, Outlets, Shell};
use crate::health::{DegradedPart, Trouble};

/// How often the way back is tried.
const BACK_EVERY: Duration = Duration::from_secs(3);
/// It is tried again after so many times as long as it took: nobody waits for it for long.
const BACK_SHARE: u32 = 20;
/// With less room than this, bytes, it is not tried.
const BACK_ROOM: u64 = 1024 * 1024;

/// How often the gateway took refuge in memory, and when it next tries to go back.
#[derive(Debug, Default)]
pub(super) struct Refuge {
    times: u32,
    back_at: Option<Instant>,
    /// How often in a row the way back was tried.
    tried: u32,
    /// The disk had not answered: nothing asks it for anything before it has.
    hangs: bool,
}

impl<F: Fn() -> bool> Shell<F> {
    /// A commit failed: whether it is to be tried again at once, with more room or in memory.
    pub(super) fn takes_refuge(&mut self, why: &StoreError, now: Ms) -> bool {
        if self.engine.is_in_memory() || !why.is_of_disk() {
            return false;
        }
        if why.is_full() && self.outlets.ballast.as_ref().is_some_and(|ballast| ballast.release()) {
            tracing::error!("{why}: the ballast beside the store is given up");
            counter!("standpipe_ballast_released_total").increment(1);
            return true;
        }
        self.refuge.times += 1;
        self.refuge.hangs = matches!(why, StoreError::Hangs { .. });
        let name = self.copy_name();
        if let Err(bad) = self.engine.to_memory_because(why, &name) {
            tracing::error!("the store can't be copied into memory: {bad}");
            return false;
        }
        let Outlets { clock, place, health, .. } = &self.outlets;
        self.refuge.back_at = Some(clock.instant() + BACK_EVERY);
        place.stands_in(self.engine.store().path());
        if self.refuge.hangs {
            health.hangs_once_more();
        }
        counter!("standpipe_rescues_total").increment(1);
        self.engine.meters.failing.set(1.0);
        tracing::error!(
            "nothing can be stored: fires are paged from memory, and stored when it goes again: {why}"
        );
        health.degraded.set(trouble(&place.file().display().to_string(), why, now));
        true
    }

    /// A gateway that could not open its file works in memory from its start.
    pub(super) fn begins_in_memory(&mut self) {
        if self.engine.is_in_memory() {
            self.refuge.back_at = Some(self.outlets.clock.instant() + BACK_EVERY);
            self.outlets.place.stands_in(self.engine.store().path());
            self.engine.meters.failing.set(1.0);
        }
    }

    /// A name that no other copy in this process has: a store has one gateway.
    fn copy_name(&self) -> String {
        copy_name(self.outlets.place.file(), self.refuge.times)
    }

    /// Looks, now and then, whether the file takes everything back.
    pub(super) fn tries_to_go_back(&mut self) {
        let now = self.outlets.clock.instant();
        if self.refuge.back_at.is_some_and(|at| at <= now) {
            let is_full = |file| DiskRoom::of(file).is_ok_and(|room| room.free < BACK_ROOM);
            if !self.refuge.hangs && is_full(self.outlets.place.file()) {
                self.refuge.back_at = Some(now + BACK_EVERY);
            } else {
                self.goes_back();
            }
        }
    }

    /// Between two batches: everything that is in memory alone is stored, or nothing is.
    pub(super) fn goes_back(&mut self) {
        if !self.engine.is_in_memory() || self.engine.is_held() {
            return;
        }
        let started = self.outlets.clock.instant();
        let done = self.engine.to_disk(self.outlets.clock.now());
        let took = started.elapsed();
        match done {
            Ok(receipts) => {
                (self.refuge.back_at, self.refuge.tried) = (None, 0);
                match self.engine.take_lost() {
                    None => self.outlets.place.is_back(),
                    Some(lost) => {
                        self.outlets.place.is_anew();
                        self.outlets.health.lost.send_replace(Some(lost));
                    }
                }
                self.outlets.health.degraded.clear(DegradedPart::Rescue);
                self.engine.meters.failing.set(0.0);
                self.give_back(receipts);
                // Retained topics say so, and history goes on.
                let Bells { stations, webhooks, .. } = &self.outlets.bells;
                stations.send_modify(|rings| *rings += 1);
                webhooks.send_modify(|rings| *rings += 1);
                tracing::warn!(took_ms = took.as_millis(), "all that was in memory is stored");
            }
            Err(why) => {
                // Said about once a minute: the way back is tried every few seconds.
                if self.refuge.tried.is_multiple_of(20) {
                    tracing::warn!(
                        "the store does not take back what is in memory: {why}; make more room, \
                         at least as much as the store is large"
                    );
                }
                self.refuge.tried += 1;
                let wait = BACK_EVERY.max(took * BACK_SHARE);
                self.refuge.back_at = Some(self.outlets.clock.instant() + wait);
            }
        }
    }
}

/// A name for the nth copy of a store, the same for no other store of this process.
#[must_use]
pub fn copy_name(file: &Path, nth: u32) -> String {
    let mut hash = DefaultHasher::new();
    file.hash(&mut hash);
    format!("standpipe-{:016x}-{nth}", hash.finish())
}

/// What people are told as long as nothing can be stored.
#[must_use]
pub fn trouble(file: &str, why: &StoreError, since: Ms) -> Trouble {
    let en = format!(
        "Nothing can be stored in {file} ({why}). Fires are paged and actions work, from memory: whatever \
         happens now is lost if the gateway stops before there is room. Make room on that disk, or see to \
         it; everything is stored then, by itself. Do not restart the gateway."
    );
    let zh = format!(
        "无法写入数据库 {file}（{why}）。火警照常通知，操作照常有效，但只保存在内存中：在恢复写入之前网关一旦停止，\
         期间的记录将丢失。请清理或检修该磁盘，恢复后自动补存，请勿重启网关。"
    );
    let detail =
        format!("nothing can be stored in {file} ({why}): make room on that disk; `df -h {file}`");
    Trouble { part: DegradedPart::Rescue, since, why: Text { en, zh }, detail }
}

#[cfg(test)]
mod tests;
