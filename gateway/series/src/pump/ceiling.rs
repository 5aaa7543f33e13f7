//! The ceiling of the log: history that is not taken must not fill the disk from which fires are paged.
//!
//! The oldest readings are given up, counted by device and hour in the ledger (`given_up`), and
//! administrators are told. What the memories of devices and the recognition of duplicates need of the log stays.

use std::collections::BTreeMap;
use std::time::Duration;

use standpipe_engine::Input;
use standpipe_engine::health::{DegradedPart, Trouble};
use standpipe_rules::changes::Logged;
use standpipe_rules::incidents::Text;
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_store::reader::LogBlock;
use standpipe_store::{GivenUp, Reader, StoreError};

use super::{ENOUGH, Pump};

/// While history takes nothing, the size of the log is looked at this often: that reads through all of it.
const WEIGH_EVERY: Duration = Duration::from_secs(20);
/// What is given up brings the log down to so many sixteenths of its ceiling.
const DOWN_TO: u64 = 15;
const MIB: u64 = 1024 * 1024;

impl Pump {
    /// Gives up the oldest readings when more of them wait than may.
    pub(super) async fn keep_to_ceiling(&mut self) -> Result<(), StoreError> {
        let now = self.setup.clock.instant();
        if self.weighed.is_some_and(|at| now.duration_since(at) < WEIGH_EVERY) {
            return Ok(());
        }
        self.weighed = Some(now);
        let (Some(cursor), Some(reader)) = (self.cursor, self.reader.take()) else { return Ok(()) };
        let bytes = reader.log_bytes_after(cursor);
        let given_up = match bytes {
            Ok(bytes) if bytes > self.setup.log_bytes => self.give_up_oldest(&reader, bytes).await,
            Ok(_) => Ok(()),
            Err(bad) => Err(bad),
        };
        self.reader = Some(reader);
        given_up
    }

    async fn give_up_oldest(&mut self, reader: &Reader, bytes: u64) -> Result<(), StoreError> {
        let mut too_much = bytes - self.setup.log_bytes / 16 * DOWN_TO;
        while too_much > 0 {
            let blocks = reader.log_after(self.cursor.unwrap_or(0), ENOUGH)?;
            let Some(last) = blocks.last().map(|block| block.block) else { break };
            let readings = self.tally(&blocks)?;
            let count = readings.iter().map(|row| u64::from(row.readings)).sum::<u64>();
            let input = Input::GiveUpLog { block: last, readings };
            if self.setup.engine.send(input).await.is_err() {
                break; // The engine has gone: the next start does it.
            }
            self.cursor = Some(last);
            self.given_up += count;
            self.meters.given_up.increment(count);
            too_much = too_much.saturating_sub(blocks.iter().map(LogBlock::bytes).sum());
        }
        let trouble = trouble(self.given_up, bytes / MIB, self.setup.clock.now());
        tracing::error!("{}", trouble.detail);
        self.setup.health.degraded.set(trouble);
        Ok(())
    }

    /// Whose readings are in blocks, and of which hours.
    fn tally(&self, blocks: &[LogBlock]) -> Result<Vec<GivenUp>, StoreError> {
        let mut tally = BTreeMap::new();
        for block in blocks {
            for Logged { device, arrived, boot, .. } in self.decode(block)? {
                let hour = arrived - arrived.rem_euclid(HOUR_MS);
                *tally.entry((device, hour, boot.unwrap_or(0))).or_insert(0) += 1;
            }
        }
        let row = |((device, hour, boot), readings)| GivenUp { device, hour, boot, readings };
        Ok(tally.into_iter().map(row).collect())
    }
}

fn trouble(count: u64, mib: u64, since: Ms) -> Trouble {
    let en = format!(
        "{count} readings are lost to history: {mib} MiB of them waited for it, more than `keep.log_mib` allows, \
         so that the disk does not fill up and fires can be stored. Fires are paged. See to history; \
         /api/v1/ledger counts what was given up of which device."
    );
    let zh = format!(
        "已放弃{count}条历史读数：待写入历史库的数据达{mib} MiB，超过 keep.log_mib 上限；为免磁盘写满、影响火警\
         存盘，最早的读数不再保留。火警照常通知。请检查历史库；各设备放弃的数量见 /api/v1/ledger。"
    );
    let detail = format!(
        "{count} readings are lost to history, which takes nothing: {mib} MiB waited for it, more than \
         keep.log_mib allows; see to history"
    );
    Trouble { part: DegradedPart::History, since, why: Text { en, zh }, detail }
}
