//! What the outbox has lost: counted once, and kept over restarts.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;

use super::lane::FlashTrouble;
use super::{KeptKey, LostRecords, Outbox, OutboxLane, Storage};
use crate::Class;

impl<F: MultiwriteNorFlash> Outbox<F> {
    /// All that waits of a class was shown, and that was so many: what the chip has let rot waits
    /// no longer, and is lost. While the chip does not answer, nobody knows.
    pub(super) async fn miss(&mut self, class: Class, shown: u32) {
        let waiting = self.waiting();
        let counted = match class {
            Class::Alarm => waiting.alarms,
            Class::Reading => waiting.readings,
        };
        let missing = counted.saturating_sub(shown);
        if missing == 0 || self.storage == Storage::Failed {
            return;
        }
        self.storage = Storage::Corrupt;
        match class {
            Class::Alarm => {
                let of_overflow = missing.min(self.overflow);
                self.overflow -= of_overflow;
                self.alarms_waiting = self.alarms_waiting.saturating_sub(missing - of_overflow);
                self.count(LostRecords { alarms: missing, readings: 0 }).await;
            }
            Class::Reading => {
                self.readings_waiting = self.readings_waiting.saturating_sub(missing);
                self.count(LostRecords { alarms: 0, readings: missing }).await;
            }
        }
    }

    pub(super) async fn count(&mut self, lost: LostRecords) {
        if lost == LostRecords::default() {
            return;
        }
        self.lost.alarms = self.lost.alarms.saturating_add(lost.alarms);
        self.lost.readings = self.lost.readings.saturating_add(lost.readings);
        let [a, b, c, d] = self.lost.alarms.to_le_bytes();
        let [e, f, g, h] = self.lost.readings.to_le_bytes();
        self.keep(KeptKey::Lost, &[a, b, c, d, e, f, g, h]).await;
    }

    /// Empties a lane that makes no sense.
    pub(super) async fn start_clean(&mut self, which: OutboxLane) -> Result<(), FlashTrouble> {
        self.storage = Storage::Corrupt;
        // What was known to wait here; what awaited its receipt the broker has.
        let dropped = match which {
            OutboxLane::Alarms => {
                let awaited = u32::try_from(self.awaiting.len()).unwrap_or(u32::MAX);
                self.awaiting.clear();
                let alarms = core::mem::take(&mut self.alarms_waiting).saturating_sub(awaited);
                LostRecords { alarms, readings: 0 }
            }
            OutboxLane::Readings => LostRecords {
                alarms: core::mem::take(&mut self.overflow),
                readings: core::mem::take(&mut self.readings_waiting),
            },
        };
        self.count(dropped).await;
        let (lane, flash) = self.lane(which);
        let erased = lane.erase(flash).await;
        self.note(erased)
    }
}
