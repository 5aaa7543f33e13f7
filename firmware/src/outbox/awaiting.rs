//! Alarms that the broker has and the gateway has not confirmed yet: when each is repeated, and when
//! it is let go of all the same. In memory only; where the alarm itself is, the outbox knows.
//!
//! A broker may lose what it has acknowledged: it saves its queue now and then, and one that is killed
//! in between forgets the rest. The gateway's receipt says that an alarm is on its disk.

use heapless::Vec;

use crate::{RecordId, Uptime};

/// Alarms that may await their receipts at one time. For one more the oldest is let go of, which
/// the broker has.
pub const AWAITED: usize = 32;
/// The first repetition comes this long after the broker's acknowledgement; then twice as long …
const FIRST_MS: u64 = 5_000;
/// … up to this, which is also the least time between two that come with readings.
const MOST_MS: u64 = 60_000;
/// After this an alarm is repeated with readings only.
const EAGER_MS: u64 = 600_000;
/// After this it is let go of.
const GIVEN_UP_MS: u64 = 86_400_000;

/// Whether an alarm was sent with its time. It is repeated as it was sent: with other content it
/// would be another alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    Yes,
    /// The hour was not known yet.
    No,
}

/// An alarm that awaits its receipt.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    id: RecordId,
    dated: Dated,
    /// When the broker acknowledged it first, and last.
    first: Uptime,
    last: Uptime,
    repeated: u8,
    /// A reading was made since it was sent last.
    reading: bool,
}

impl Awaited {
    /// When it is repeated; `None`: with the next reading.
    fn due(&self) -> Option<Uptime> {
        let wait_ms = (FIRST_MS << self.repeated.min(8)).min(MOST_MS);
        let due = self.last.after_ms(wait_ms);
        (due < self.first.after_ms(EAGER_MS) || self.reading).then_some(due)
    }
}

/// All of them, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Awaiting(Vec<Awaited, AWAITED>);

impl Awaiting {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which ones.
    #[must_use]
    pub fn ids(&self) -> Vec<RecordId, AWAITED> {
        self.0.iter().map(|awaited| awaited.id).collect()
    }

    /// Whether that one is among them.
    #[must_use]
    pub fn has(&self, id: RecordId) -> bool {
        self.0.iter().any(|awaited| awaited.id == id)
    }

    /// The one that has waited longest and pleases `wanted`.
    #[must_use]
    pub fn oldest(&self, wanted: impl Fn(RecordId) -> bool) -> Option<RecordId> {
        self.0.iter().map(|awaited| awaited.id).find(|id| wanted(*id))
    }

    /// Whether there is no place for another one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The broker has it, for the first time or again. There is a place.
    pub fn acknowledged(&mut self, id: RecordId, dated: Dated, now: Uptime) {
        if let Some(awaited) = self.0.iter_mut().find(|awaited| awaited.id == id) {
            awaited.last = now;
            awaited.repeated = awaited.repeated.saturating_add(1);
            awaited.reading = false;
            return;
        }
        let (repeated, reading) = (0, false);
        let _ = self.0.push(Awaited { id, dated, first: now, last: now, repeated, reading });
    }

    /// A reading was made, with which old ones are repeated.
    pub fn reading(&mut self) {
        self.0.iter_mut().for_each(|awaited| awaited.reading = true);
    }

    /// When the next one is to be repeated, as far as that is known.
    #[must_use]
    pub fn due(&self) -> Option<Uptime> {
        self.0.iter().filter_map(Awaited::due).min()
    }

    /// The one to repeat at `now`, and how it was sent.
    #[must_use]
    pub fn to_repeat(&self, now: Uptime) -> Option<(RecordId, Dated)> {
        let due = self.0.iter().filter(|awaited| awaited.due().is_some_and(|due| due <= now));
        due.min_by_key(|awaited| awaited.due()).map(|awaited| (awaited.id, awaited.dated))
    }

    /// One that has waited for too long.
    #[must_use]
    pub fn given_up(&self, now: Uptime) -> Option<RecordId> {
        let over = |awaited: &&Awaited| now.since_ms(awaited.first) >= GIVEN_UP_MS;
        self.0.iter().find(over).map(|awaited| awaited.id)
    }

    /// It is not kept any longer.
    pub fn forget(&mut self, id: RecordId) {
        self.0.retain(|awaited| awaited.id != id);
    }

    /// Of those that are not kept any longer nothing is awaited.
    pub fn retain(&mut self, kept: impl Fn(RecordId) -> bool) {
        self.0.retain(|awaited| kept(awaited.id));
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Awaiting, Dated, GIVEN_UP_MS};
    use crate::{RecordId, Uptime};
    use std::vec::Vec;

    const A: RecordId = RecordId { boot: 1, seq: 1 };

    /// The seconds at which an alarm is repeated that the broker had at 0, with a reading every
    /// `every_s`.
    fn repeated(until_s: u64, every_s: u64) -> Vec<u64> {
        let mut awaiting = Awaiting::default();
        awaiting.acknowledged(A, Dated::No, Uptime(0));
        let mut seconds = Vec::new();
        for second in 1..=until_s {
            if second % every_s == 0 {
                awaiting.reading();
            }
            let now = Uptime(second * 1_000);
            if awaiting.given_up(now).is_some() {
                awaiting.forget(A);
            }
            if let Some((id, dated)) = awaiting.to_repeat(now) {
                assert_eq!((id, dated), (A, Dated::No), "as it was sent");
                assert!(awaiting.due().is_some_and(|due| due <= now));
                awaiting.acknowledged(id, dated, now);
                seconds.push(second);
            }
        }
        seconds
    }

    #[test]
    fn five_seconds_doubling_to_a_minute_for_ten_minutes_then_with_each_reading_for_a_day() {
        let eager = [5, 15, 35, 75, 135, 195, 255, 315, 375, 435, 495, 555];
        assert_eq!(repeated(899, 900), eager);
        let day = repeated(100_000, 900);
        assert_eq!(day[..12], eager);
        let readings: Vec<u64> = (1..96).map(|n| n * 900).collect();
        assert_eq!(day[12..], readings, "with each reading, and none after 24 h");
        // Whoever reports each second repeats no more than once a minute.
        assert!(repeated(3_600, 1).windows(2).skip(4).all(|pair| pair[1] - pair[0] == 60));
    }

    #[test]
    fn the_day_begins_with_the_first_acknowledgement() {
        let mut awaiting = Awaiting::default();
        awaiting.acknowledged(A, Dated::Yes, Uptime(7_000));
        awaiting.acknowledged(A, Dated::Yes, Uptime(50_000_000));
        assert_eq!(awaiting.given_up(Uptime(7_000 + GIVEN_UP_MS - 1)), None);
        assert_eq!(awaiting.given_up(Uptime(7_000 + GIVEN_UP_MS)), Some(A));
    }
}
