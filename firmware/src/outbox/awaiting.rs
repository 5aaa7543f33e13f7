//! Alarms that the broker has and the gateway has not confirmed yet: when each is repeated, and when
//! it is let go of all the same. In memory only; where the alarm itself is, the outbox knows.
//!
//! A broker may lose what it has acknowledged: it saves its queue now and then, and one that is killed
//! in between forgets the rest. The gateway's receipt says that an alarm is on its disk.

use heapless::Vec;

use crate::Uptime;

/// Alarms that may await their receipts at one time. For one more the oldest is let go of, which
/// the broker has.
pub const AWAITED: usize = 10;
/// The first repetition comes this long after the broker's acknowledgement; then twice as long …
const FIRST_S: u32 = 5;
/// … up to this, which is also the least time between two that come with readings.
const MOST_S: u32 = 60;
/// After this an alarm is repeated with readings only.
const EAGER_S: u32 = 600;
/// After this it is let go of.
const GIVEN_UP_S: u32 = 86_400;

/// Whether an alarm was sent with its time. It is repeated as it was sent: with other content it
/// would be another alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    Yes,
    /// The hour was not known yet.
    No,
}

/// When an alarm that awaits its receipt is repeated; which one it is, its place says. Eight bytes,
/// since the smallest board has no room to spare.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    /// When the broker acknowledged it first, seconds.
    first: u32,
    /// How long after that it did so last, in units of two seconds: a day fits.
    last: u16,
    repeated: u8,
    /// `IS_DATED`, `HAS_READING`.
    flags: u8,
}

/// It was sent with its time.
const IS_DATED: u8 = 1;
/// A reading was made since it was sent last.
const HAS_READING: u8 = 2;

/// Whole seconds: a restart comes sooner than they run out, after 136 years.
fn seconds(now: Uptime) -> u32 {
    u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX)
}

impl Awaited {
    /// When it is repeated, seconds; `None`: with the next reading.
    fn due(&self) -> Option<u32> {
        let wait = (FIRST_S << self.repeated.min(8)).min(MOST_S);
        let after = 2 * u32::from(self.last) + wait;
        let due = after < EAGER_S || self.flags & HAS_READING != 0;
        due.then(|| self.first.saturating_add(after))
    }
}

/// All of them, the oldest first: as they stand in their queue, before all that were not sent yet.
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

    /// Whether there is no place for another one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The broker has one more. There is a place.
    pub fn add(&mut self, dated: Dated, now: Uptime) {
        let flags = if dated == Dated::Yes { IS_DATED } else { 0 };
        let _ = self.0.push(Awaited { first: seconds(now), last: 0, repeated: 0, flags });
    }

    /// The broker has that one again.
    pub fn repeated(&mut self, place: usize, now: Uptime) {
        if let Some(awaited) = self.0.get_mut(place) {
            let after = seconds(now).saturating_sub(awaited.first);
            awaited.last = u16::try_from(after.div_ceil(2)).unwrap_or(u16::MAX);
            awaited.repeated = awaited.repeated.saturating_add(1);
            awaited.flags &= !HAS_READING;
        }
    }

    /// A reading was made, with which old ones are repeated.
    pub fn reading(&mut self) {
        self.0.iter_mut().for_each(|awaited| awaited.flags |= HAS_READING);
    }

    /// When the next one is to be repeated, as far as that is known.
    #[must_use]
    pub fn due(&self) -> Option<Uptime> {
        let due = self.0.iter().filter_map(Awaited::due).min();
        due.map(|seconds| Uptime(u64::from(seconds) * 1_000))
    }

    /// The place of the one to repeat at `now`, and how it was sent.
    #[must_use]
    pub fn to_repeat(&self, now: Uptime) -> Option<(usize, Dated)> {
        let dues = self.0.iter().enumerate().filter_map(|(place, awaited)| {
            let dated = if awaited.flags & IS_DATED == 0 { Dated::No } else { Dated::Yes };
            awaited.due().filter(|due| *due <= seconds(now)).map(|due| (due, place, dated))
        });
        dues.min_by_key(|(due, ..)| *due).map(|(_, place, dated)| (place, dated))
    }

    /// Whether the oldest has waited for too long.
    #[must_use]
    pub fn oldest_is_given_up(&self, now: Uptime) -> bool {
        let over = |awaited: &Awaited| seconds(now).saturating_sub(awaited.first) >= GIVEN_UP_S;
        self.0.first().is_some_and(over)
    }

    /// That one is not kept any longer.
    pub fn forget(&mut self, place: usize) {
        if place < self.0.len() {
            self.0.remove(place);
        }
    }

    /// None is kept any longer.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Awaiting, Dated};
    use crate::Uptime;
    use std::vec::Vec;

    /// The seconds at which an alarm is repeated that the broker had at 0, with a reading every
    /// `every_s`.
    fn repeated(until_s: u64, every_s: u64) -> Vec<u64> {
        let mut awaiting = Awaiting::default();
        awaiting.add(Dated::No, Uptime(0));
        let mut seconds = Vec::new();
        for second in 1..=until_s {
            if second % every_s == 0 {
                awaiting.reading();
            }
            let now = Uptime(second * 1_000);
            if awaiting.oldest_is_given_up(now) {
                awaiting.forget(0);
            }
            if let Some((place, dated)) = awaiting.to_repeat(now) {
                assert_eq!((place, dated), (0, Dated::No), "as it was sent");
                assert!(awaiting.due().is_some_and(|due| due <= now));
                awaiting.repeated(place, now);
                seconds.push(second);
            }
        }
        seconds
    }

    #[test]
    fn five_seconds_doubling_to_a_minute_for_ten_minutes_then_with_each_reading_for_a_day() {
        // Each is counted from the next even second.
        let eager = [5, 16, 36, 76, 136, 196, 256, 316, 376, 436, 496, 556];
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
        awaiting.add(Dated::Yes, Uptime(7_000));
        awaiting.repeated(0, Uptime(50_000_000));
        assert!(!awaiting.oldest_is_given_up(Uptime(7_000 + 86_400_000 - 1)));
        assert!(awaiting.oldest_is_given_up(Uptime(7_000 + 86_400_000)));
    }
}
