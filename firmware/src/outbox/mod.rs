//! Unsent messages, in flash or EEPROM, from the moment they are made until the broker has them.
//!
//! ```text
//! range     holds                             when full
//! keep      boot counter, losses, settings    the newest value of each is copied on
//! alarms    alarms                            further alarms go to `readings`
//! readings  readings, then further alarms     the oldest readings make room
//! ```
//!
//! - Once the gateway has promised receipts, an alarm stays until its own has come, and is repeated
//!   until then ([`Awaiting`]). It holds up nothing: it makes room for whatever the broker does not
//!   have yet. Nothing is written for it: after a restart it is an alarm that was never sent.
//! - Alarms leave first, and none is given up while a reading is kept. While alarms wait in
//!   `readings`, no reading is taken in: so alarms stay in order, behind the readings there.
//! - What [`Put::Kept`] confirmed survives a power cut at any byte. What is removed may come back
//!   after a cut, and is sent twice; the gateway knows it by boot and number.
//! - What is lost is counted, and the count is kept. A cut may count one too many, never too few.
//! - No error leaves this module. A chip that does not answer is replaced by a few places in
//!   memory; what makes no sense is erased; both are told by [`Outbox::storage`].
//!
//! What a record is: [`crate::record`]. When it is sent: `uplink`.

mod awaiting;
mod keep;
mod lane;
mod losses;
mod receipts;
mod spare;

use core::ops::Range;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;

use crate::{Class, Record, RecordId};
pub use awaiting::{AWAITED, Awaiting, Dated};
use keep::Keep;
pub use keep::{KeptKey, VALUE_MAX};
use lane::{AfterVisit, FlashTrouble, Lane};
pub use spare::PLACES;
use spare::Spare;

/// Which bytes of a chip are for what. Every range begins and ends at an erase page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// At least two pages.
    pub keep: Range<u32>,
    /// At least two pages, at most 32.
    pub alarms: Range<u32>,
    /// At least two pages, at most 32.
    pub readings: Range<u32>,
}

impl Layout {
    /// 32 KiB in pages of 1 KiB, such as an AT24C256 or an MB85RC256V. The last KiB is left to
    /// whoever installs the device.
    pub const KIB_32: Self =
        Self { keep: 0..0x0800, alarms: 0x0800..0x1400, readings: 0x1400..0x7C00 };
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It survives a power cut.
    Kept,
    /// It is in memory only: the chip does not answer.
    InMemory,
    /// There is no room: a reading, while alarms fill everything. It is counted.
    Lost,
}

/// How many messages wait for the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingRecords {
    pub alarms: u32,
    pub readings: u32,
}

/// How many messages were lost since the storage was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostRecords {
    /// Alarms: only ever when everything was full of newer ones.
    pub alarms: u32,
    pub readings: u32,
}

impl LostRecords {
    /// Alarms and readings together.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.alarms.saturating_add(self.readings)
    }
}

/// Whether the gateway says of each alarm that it has it on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipts {
    Promised,
    /// It said that it does not, or nothing of it: the broker's word is enough.
    None,
}

/// The state of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// What it held was taken over.
    Kept,
    /// It was empty: a new device, or a new chip.
    Fresh,
    /// Some of what it held made no sense and was erased, or nothing of it was ours.
    Corrupt,
    /// It does not answer, or did not at some time in this boot.
    Failed,
}

impl Storage {
    /// What the birth status says of it; nothing when all is well.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Kept => None,
            Self::Fresh => Some("fresh"),
            Self::Corrupt => Some("corrupt"),
            Self::Failed => Some("failed"),
        }
    }
}

#[derive(Clone, Copy)]
enum OutboxLane {
    Alarms,
    Readings,
}

/// The messages that wait, and what else outlives a restart.
pub struct Outbox<F> {
    flash: F,
    keep: Keep,
    alarms: Lane,
    readings: Lane,
    spare: Spare,
    /// Records in the lane of alarms.
    alarms_waiting: u32,
    /// Alarms that found room only in the lane of readings.
    overflow: u32,
    /// Records in the lane of readings.
    readings_waiting: u32,
    lost: LostRecords,
    storage: Storage,
    receipts: Receipts,
    /// Starts since the broker last acknowledged something, this one among them.
    starts: u8,
    /// Of the first alarms in their lane.
    awaiting: Awaiting,
}

impl<F: MultiwriteNorFlash> Outbox<F> {
    /// Takes over what the chip holds, and counts this boot: the second answer, never 0.
    /// `random` is where the count starts if none is kept; it should differ from device to
    /// device and from time to time.
    pub async fn open(flash: F, layout: Layout, random: u32) -> (Self, u32) {
        let mut outbox = Self {
            flash,
            keep: Keep::new(layout.keep),
            alarms: Lane::new(layout.alarms),
            readings: Lane::new(layout.readings),
            spare: Spare::default(),
            alarms_waiting: 0,
            overflow: 0,
            readings_waiting: 0,
            lost: LostRecords::default(),
            storage: Storage::Kept,
            receipts: Receipts::None,
            starts: 1,
            awaiting: Awaiting::default(),
        };
        let last = outbox.last_boot().await;
        // First, since what is dropped from here on is added to it.
        let mut eight = [0; 8];
        if outbox.kept(KeptKey::Lost, &mut eight).await == Some(8) {
            let [a, b, c, d, e, f, g, h] = eight;
            outbox.lost.alarms = u32::from_le_bytes([a, b, c, d]);
            outbox.lost.readings = u32::from_le_bytes([e, f, g, h]);
        }
        outbox.count_waiting().await;
        let mut promised = [0];
        if outbox.kept(KeptKey::Receipts, &mut promised).await == Some(1) && promised == [1] {
            outbox.receipts = Receipts::Promised;
        }
        let mut starts = [0];
        if outbox.kept(KeptKey::Starts, &mut starts).await == Some(1) {
            let [before] = starts;
            outbox.starts = before.saturating_add(1);
        }
        outbox.keep(KeptKey::Starts, &[outbox.starts]).await;
        // Three bytes in a record, and hardly a number that was used before.
        let boot = last.map_or(0x4000 + random % 0x10_0000, |last| last.wrapping_add(1).max(1));
        outbox.keep(KeptKey::Boot, &boot.to_le_bytes()).await;
        (outbox, boot)
    }

    /// The count that is kept. Without one this chip is new, or not ours: then it is emptied.
    async fn last_boot(&mut self) -> Option<u32> {
        let mut four = [0; 4];
        if self.kept(KeptKey::Boot, &mut four).await == Some(4) {
            return Some(u32::from_le_bytes(four));
        }
        if self.storage == Storage::Failed {
            return None;
        }
        let blank = self.is_blank().await;
        if self.note(blank) == Ok(true) {
            self.storage = Storage::Fresh;
            return None;
        }
        let erased = self.keep.erase(&mut self.flash).await;
        if self.note(erased).is_ok() {
            // The count is written last: after a power cut before that, all of this is repeated.
            let _ = self.start_clean(OutboxLane::Alarms).await;
            let _ = self.start_clean(OutboxLane::Readings).await;
        }
        None
    }

    async fn is_blank(&mut self) -> Result<bool, FlashTrouble> {
        for range in [self.keep.range(), self.alarms.range(), self.readings.range()] {
            let mut some = [0; 64];
            for at in range.step_by(some.len()) {
                self.flash.read(at, &mut some).await.map_err(|_| FlashTrouble::Failed)?;
                if some.iter().any(|byte| *byte != 0xFF) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn count_waiting(&mut self) {
        for which in [OutboxLane::Alarms, OutboxLane::Readings] {
            let (lane, flash) = self.lane(which);
            let sound = lane.is_sound(flash).await;
            if self.note(sound) == Ok(false) {
                self.count_lane(which).await;
                // The state of the chip is noted.
                let _ = self.start_clean(which).await;
            }
        }
        for which in [OutboxLane::Alarms, OutboxLane::Readings] {
            self.count_lane(which).await;
        }
    }

    /// How many records can be read in a lane.
    async fn count_lane(&mut self, which: OutboxLane) {
        let (mut alarms, mut readings) = (0, 0);
        self.records(which, &mut |record| {
            match record.class() {
                Class::Alarm => alarms += 1,
                Class::Reading => readings += 1,
            }
            AfterVisit::Next
        })
        .await;
        match which {
            OutboxLane::Alarms => self.alarms_waiting = alarms,
            OutboxLane::Readings => (self.overflow, self.readings_waiting) = (alarms, readings),
        }
    }

    /// Takes a message in.
    pub async fn put(&mut self, record: &Record) -> Put {
        let mut bytes = [0; Record::MAX];
        let len = record.encode(&mut bytes).unwrap_or(0);
        let item = bytes.get(..len).unwrap_or_default();
        let stored = match record.class() {
            Class::Alarm => self.put_alarm(item).await,
            Class::Reading if self.overflow > 0 => {
                self.count(LostRecords { alarms: 0, readings: 1 }).await;
                return Put::Lost;
            }
            Class::Reading => self.put_reading(item).await,
        };
        if record.class() == Class::Reading {
            self.awaiting.reading();
        }
        if stored.is_ok() {
            return Put::Kept;
        }
        let lost = self.spare.push(record);
        self.count(lost).await;
        let itself = lost.readings > 0 && self.spare.iter().all(|spare| spare != *record);
        if itself { Put::Lost } else { Put::InMemory }
    }

    async fn put_alarm(&mut self, item: &[u8]) -> Result<(), FlashTrouble> {
        while self.overflow == 0 {
            let pushed = self.push(OutboxLane::Alarms, item).await;
            if pushed != Err(FlashTrouble::Full) {
                self.alarms_waiting += u32::from(pushed.is_ok());
                return pushed;
            }
            // The broker has those that await their receipts, and nobody has this one.
            if self.awaiting.is_empty() {
                break;
            }
            self.let_go_oldest().await;
        }
        self.push_for_certain(item).await?;
        self.overflow += 1;
        Ok(())
    }

    async fn put_reading(&mut self, item: &[u8]) -> Result<(), FlashTrouble> {
        self.push_for_certain(item).await?;
        self.readings_waiting += 1;
        Ok(())
    }

    /// Appends to the readings, whatever must be given up for it.
    async fn push_for_certain(&mut self, item: &[u8]) -> Result<(), FlashTrouble> {
        loop {
            let pushed = self.push(OutboxLane::Readings, item).await;
            if pushed != Err(FlashTrouble::Full) {
                return pushed;
            }
            if self.overflow == 0 && self.readings_waiting == 0 {
                // Full of nothing.
                self.start_clean(OutboxLane::Readings).await?;
                continue;
            }
            self.give_up_oldest().await?;
        }
    }

    /// Gives up the oldest message of the readings' lane; readings stand before alarms there.
    async fn give_up_oldest(&mut self) -> Result<(), FlashTrouble> {
        if self.readings_waiting > 0 {
            self.count(LostRecords { alarms: 0, readings: 1 }).await;
            self.readings_waiting -= 1;
        } else {
            self.count(LostRecords { alarms: 1, readings: 0 }).await;
            self.overflow = self.overflow.saturating_sub(1);
        }
        self.visit(OutboxLane::Readings, &mut |_| AfterVisit::RemoveAndStop).await
    }

    /// Shows what waits of one class, oldest first, until `wanted` says that was the last. It
    /// stays until [`Self::sent`]. Alarms first: ask for them before you ask for readings. Alarms
    /// that await their receipts are not shown.
    pub async fn first(&mut self, class: Class, mut wanted: impl FnMut(&Record) -> bool) {
        let mut more = true;
        let mut awaited = self.awaiting.len();
        let mut shown = 0;
        let mut show = |record: &Record| {
            if more && record.class() == class {
                shown += 1;
                more = wanted(record);
            }
            if more { AfterVisit::Next } else { AfterVisit::Stop }
        };
        match class {
            Class::Alarm => {
                if self.alarms_waiting > 0 {
                    self.records(OutboxLane::Alarms, &mut |record| {
                        if awaited > 0 {
                            awaited -= 1;
                            return AfterVisit::Next;
                        }
                        show(record)
                    })
                    .await;
                }
                if self.overflow > 0 {
                    self.records(OutboxLane::Readings, &mut show).await;
                }
            }
            Class::Reading => {
                if self.readings_waiting > 0 {
                    self.records(OutboxLane::Readings, &mut show).await;
                }
            }
        }
        for record in self.spare.iter() {
            show(&record);
        }
        if more {
            self.miss(class, shown).await;
        }
    }

    /// The broker has that message: it need not be kept any longer. One that was given up
    /// meanwhile is not found, and nothing happens.
    pub async fn sent(&mut self, class: Class, id: RecordId) {
        if self.spare.remove(id) {
            return;
        }
        match class {
            Class::Alarm => {
                if self.alarms_waiting > 0 && self.remove(OutboxLane::Alarms, class, id).await {
                    self.alarms_waiting -= 1;
                } else if self.overflow > 0 && self.remove(OutboxLane::Readings, class, id).await {
                    self.overflow -= 1;
                }
            }
            Class::Reading => {
                if self.readings_waiting > 0 && self.remove(OutboxLane::Readings, class, id).await {
                    self.readings_waiting -= 1;
                }
            }
        }
    }

    async fn remove(&mut self, which: OutboxLane, class: Class, id: RecordId) -> bool {
        let mut removed = false;
        self.records(which, &mut |record| {
            removed = record.class() == class && record.id() == id;
            if removed { AfterVisit::RemoveAndStop } else { AfterVisit::Next }
        })
        .await;
        removed
    }

    /// How many messages wait for the broker; alarms that await their receipts do not.
    #[must_use]
    pub fn waiting(&self) -> WaitingRecords {
        let mut waiting = WaitingRecords {
            alarms: self.alarms_waiting + self.overflow,
            readings: self.readings_waiting,
        };
        for record in self.spare.iter() {
            match record.class() {
                Class::Alarm => waiting.alarms += 1,
                Class::Reading => waiting.readings += 1,
            }
        }
        let awaited = u32::try_from(self.awaiting.len()).unwrap_or(u32::MAX);
        waiting.alarms = waiting.alarms.saturating_sub(awaited);
        waiting
    }

    /// How many messages were lost since the storage was new.
    #[must_use]
    pub const fn lost(&self) -> LostRecords {
        self.lost
    }

    /// How often the device has started since it last had word from the broker, this start among
    /// them.
    #[must_use]
    pub const fn starts(&self) -> u8 {
        self.starts
    }

    /// The broker has acknowledged something: the next start is the first again.
    pub async fn spoke(&mut self) {
        if core::mem::take(&mut self.starts) > 0 {
            self.keep(KeptKey::Starts, &[0]).await;
        }
    }

    /// The state of the chip.
    #[must_use]
    pub const fn storage(&self) -> Storage {
        self.storage
    }

    /// Keeps a small value over restarts, at most [`VALUE_MAX`] bytes. Whether it is kept.
    pub async fn keep(&mut self, key: KeptKey, value: &[u8]) -> bool {
        let mut kept = self.keep.put(&mut self.flash, key, value).await;
        if matches!(kept, Err(FlashTrouble::Corrupt | FlashTrouble::Full))
            && value.len() <= VALUE_MAX
        {
            self.storage = Storage::Corrupt;
            kept = self.keep.erase(&mut self.flash).await;
            if kept.is_ok() {
                kept = self.keep.put(&mut self.flash, key, value).await;
            }
        }
        self.note(kept).is_ok()
    }

    /// Reads a value that was kept into `into` and says how long it is.
    pub async fn kept(&mut self, key: KeptKey, into: &mut [u8]) -> Option<usize> {
        let mut kept = self.keep.get(&mut self.flash, key, into).await;
        if matches!(kept, Err(FlashTrouble::Corrupt | FlashTrouble::Full)) {
            self.storage = Storage::Corrupt;
            kept = self.keep.erase(&mut self.flash).await.map(|()| None);
        }
        self.note(kept).ok().flatten()
    }

    fn lane(&mut self, which: OutboxLane) -> (&mut Lane, &mut F) {
        match which {
            OutboxLane::Alarms => (&mut self.alarms, &mut self.flash),
            OutboxLane::Readings => (&mut self.readings, &mut self.flash),
        }
    }

    /// Remembers that the chip did not answer.
    fn note<T>(&mut self, result: Result<T, FlashTrouble>) -> Result<T, FlashTrouble> {
        if matches!(result, Err(FlashTrouble::Failed)) {
            self.storage = Storage::Failed;
        }
        result
    }

    async fn push(&mut self, which: OutboxLane, item: &[u8]) -> Result<(), FlashTrouble> {
        let (lane, flash) = self.lane(which);
        let mut pushed = lane.push(flash, item).await;
        if pushed == Err(FlashTrouble::Corrupt) {
            self.start_clean(which).await?;
            let (lane, flash) = self.lane(which);
            pushed = lane.push(flash, item).await;
        }
        self.note(pushed)
    }

    async fn visit(
        &mut self,
        which: OutboxLane,
        visitor: &mut dyn FnMut(&[u8]) -> AfterVisit,
    ) -> Result<(), FlashTrouble> {
        let (lane, flash) = self.lane(which);
        match lane.visit(flash, visitor).await {
            Err(FlashTrouble::Corrupt | FlashTrouble::Full) => self.start_clean(which).await,
            visited => self.note(visited),
        }
    }

    /// Shows the records of a lane. What is no record is removed and counted; a chip that does
    /// not answer has none.
    async fn records(&mut self, which: OutboxLane, visitor: &mut dyn FnMut(&Record) -> AfterVisit) {
        let mut garbled = 0;
        let visited = self
            .visit(which, &mut |item| {
                Record::decode(item).map_or_else(
                    |_| {
                        garbled += 1;
                        AfterVisit::Remove
                    },
                    |record| visitor(&record),
                )
            })
            .await;
        // The state of the chip is noted already.
        let _ = visited;
        match which {
            OutboxLane::Alarms => {
                self.alarms_waiting = self.alarms_waiting.saturating_sub(garbled);
                self.count(LostRecords { alarms: garbled, readings: 0 }).await;
            }
            OutboxLane::Readings => {
                self.readings_waiting = self.readings_waiting.saturating_sub(garbled);
                self.count(LostRecords { alarms: 0, readings: garbled }).await;
            }
        }
    }
}
