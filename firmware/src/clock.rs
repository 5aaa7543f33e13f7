//! Which hour it is, from what the gateway says once a minute, and which hour it was.
//!
//! A reading made before this boot knew the hour carries its uptime; its time follows as soon as
//! the start of that boot is known. The starts of the last boots are kept over restarts
//! ([`Clock::starts`]), so that what waited through a power cut gets its time back too.
//!
//! The device's own oscillator (20 ppm is 2 s a day) carries the hour from one message to the
//! next; [`Clock::wanted`] says when it should be asked again.

use heapless::Vec;

use crate::{Class, Moment, Record, Uptime};

/// How many boots' starts are kept.
pub const BOOTS: usize = 8;
/// 2025-01-01: an earlier hour is no hour. The gateway refuses what is before 2020.
pub const EARLIEST_MS: i64 = 1_735_689_600_000;
/// 2100-01-01: neither is a later one.
pub const LATEST_MS: i64 = 4_102_444_800_000;
/// A message that comes later than this behind the hour is the network's delay until others say the
/// same: what is on its way can only be late, so the least delayed message is right.
const JITTER_MS: u64 = 500;
/// A message that moves the hour by more is believed when others agree with it …
const JUMP_MS: u64 = 300_000;
/// … so many in a row, itself included …
const AGREEING: u8 = 3;
/// … to within this.
const AGREE_MS: u64 = 10_000;
/// A reading no older than this may be sent without `ts`: the moment it arrives is its time.
const FRESH_MS: u64 = 10_000;
/// The hour is asked for again after this: 20 ppm make 2 s of it.
const STALE_MS: u64 = 86_400_000;

/// When a boot began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootStart {
    pub boot: u32,
    /// Unix milliseconds at uptime 0.
    pub unix_ms: i64,
}

/// What became of one message of the gateway's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The hour is known from now on: keep [`Clock::starts`].
    Learned,
    /// It agrees with what was known, or corrects it by little.
    Agreed,
    /// It moves the hour by more than five minutes and stands alone as yet.
    Doubted,
    /// Before [`EARLIEST_MS`] or after [`LATEST_MS`].
    Absurd,
}

/// With which `ts` a record is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// At this Unix millisecond.
    At(i64),
    /// None: it is so young, or so urgent, that the moment it arrives is its time.
    Arrival,
    /// Not yet: it would be dated to the moment it arrives, which is wrong. The clock comes
    /// within a minute of being online.
    Wait,
}

/// The hour in this boot, and the starts of earlier ones.
#[derive(Clone, Debug)]
pub struct Clock {
    boot: u32,
    starts: Vec<BootStart, BOOTS>,
    /// Unix milliseconds at uptime 0, as of the last message.
    offset_ms: Option<i64>,
    heard: Uptime,
    /// Another offset, and how many messages in a row gave it.
    doubt: Option<(i64, u8)>,
    /// How far the least delayed of the messages in a row that came late is behind the hour, ms,
    /// and how many they are.
    late: Option<(u32, u8)>,
    last_ms: i64,
}

impl Clock {
    /// The clock of `boot`; `starts` is what earlier boots have kept.
    #[must_use]
    pub fn new(boot: u32, starts: &[BootStart]) -> Self {
        let newest = starts.get(starts.len().saturating_sub(BOOTS)..).unwrap_or_default();
        let known = Vec::from_slice(newest).unwrap_or_default();
        Self {
            boot,
            starts: known,
            offset_ms: None,
            heard: Uptime(0),
            doubt: None,
            late: None,
            last_ms: i64::MIN,
        }
    }

    /// The starts of boots that are known, oldest first: kept over restarts.
    #[must_use]
    pub fn starts(&self) -> &[BootStart] {
        &self.starts
    }

    /// A message of `gateway/clock` came at `now`.
    pub fn hear(&mut self, unix_ms: i64, now: Uptime) -> Verdict {
        if !(EARLIEST_MS..=LATEST_MS).contains(&unix_ms) {
            return Verdict::Absurd;
        }
        let offset = unix_ms - now.signed_ms();
        let Some(known) = self.offset_ms else {
            self.set(offset, now);
            self.remember();
            return Verdict::Learned;
        };
        let moved = known.abs_diff(offset);
        if moved > JUMP_MS {
            return self.doubt(offset, now);
        }
        self.doubt = None;
        if offset >= known {
            (self.offset_ms, self.late) = (Some(offset), None);
        } else if moved > JITTER_MS {
            // Less than a jump.
            self.fall_behind(u32::try_from(moved).unwrap_or(u32::MAX), now);
        } else {
            self.late = None;
        }
        self.heard = now;
        Verdict::Agreed
    }

    /// A message came late: all of three in a row were, or nothing was heard for a day, in which the
    /// oscillator may have run ahead.
    fn fall_behind(&mut self, behind_ms: u32, now: Uptime) {
        let (best, count) = self.late.unwrap_or((behind_ms, 0));
        let (best, count) = (best.min(behind_ms), count.saturating_add(1));
        let believed = count >= AGREEING || now.since_ms(self.heard) >= STALE_MS;
        self.late = (!believed).then_some((best, count));
        if believed {
            self.offset_ms = self.offset_ms.map(|known| known - i64::from(best));
        }
    }

    fn doubt(&mut self, offset: i64, now: Uptime) -> Verdict {
        let agreeing = match self.doubt {
            Some((other, count)) if other.abs_diff(offset) <= AGREE_MS => count.saturating_add(1),
            Some(_) | None => 1,
        };
        self.doubt = Some((offset, agreeing));
        if agreeing < AGREEING {
            return Verdict::Doubted;
        }
        self.set(offset, now);
        // What was measured under the wrong hour carries it; from here on the right one counts.
        self.last_ms = i64::MIN;
        self.remember();
        Verdict::Learned
    }

    fn set(&mut self, offset: i64, now: Uptime) {
        self.offset_ms = Some(offset);
        self.heard = now;
        self.doubt = None;
    }

    /// Writes down the start of this boot. It stays as it was learned: a record that is sent
    /// twice must have the same time twice.
    fn remember(&mut self) {
        let Some(unix_ms) = self.offset_ms else { return };
        self.starts.retain(|start| start.boot != self.boot);
        if self.starts.is_full() {
            self.starts.remove(0);
        }
        // Room was just made.
        let _ = self.starts.push(BootStart { boot: self.boot, unix_ms });
    }

    /// The moment of something measured now. Never goes back by a small correction.
    pub fn moment(&mut self, now: Uptime) -> Moment {
        match self.offset_ms {
            None => Moment::Uptime(now),
            Some(offset) => {
                self.last_ms = self.last_ms.max(offset + now.signed_ms());
                Moment::Unix(self.last_ms)
            }
        }
    }

    /// Unix milliseconds, when they are known.
    #[must_use]
    pub fn unix_ms(&self, now: Uptime) -> Option<i64> {
        Some(self.offset_ms? + now.signed_ms())
    }

    /// Whether to stay online until the gateway's clock is heard.
    #[must_use]
    pub fn wanted(&self, now: Uptime) -> bool {
        self.offset_ms.is_none() || self.doubt.is_some() || now.since_ms(self.heard) >= STALE_MS
    }

    /// With which time `record` is sent at `now`. An alarm never waits.
    ///
    /// The start of a boot that never heard the clock is not known; its records get the latest
    /// moment they can have been made at: the start of the next boot that did.
    #[must_use]
    pub fn stamp(&self, record: &Record, now: Uptime) -> Stamp {
        let up = match record.moment() {
            Moment::Unix(ms) => return Stamp::At(ms),
            Moment::Uptime(up) => up,
        };
        if let Some(start) = self.starts.iter().find(|start| start.boot == record.boot()) {
            return Stamp::At(start.unix_ms + up.signed_ms());
        }
        let this_boot = record.boot() == self.boot;
        let fresh = this_boot && now.since_ms(up) <= FRESH_MS;
        let after = self
            .starts
            .iter()
            .filter(|start| start.boot > record.boot())
            .map(|start| start.unix_ms);
        match after.min() {
            Some(latest) if !this_boot => Stamp::At(latest),
            _ if fresh || record.class() == Class::Alarm => Stamp::Arrival,
            // A boot whose number is not below any known one: storage was lost in between.
            _ if !this_boot && self.offset_ms.is_some() => Stamp::At(self.start_ms()),
            _ => Stamp::Wait,
        }
    }

    fn start_ms(&self) -> i64 {
        self.offset_ms.unwrap_or(EARLIEST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::{BOOTS, BootStart, Clock, EARLIEST_MS, LATEST_MS, Stamp, Verdict};
    use crate::{Moment, Record, RecordId, Shout, Uptime};
    use standpipe_shared::{Condition, Measurements};

    const T: i64 = 1_764_000_000_000;

    fn reading(boot: u32, moment: Moment) -> Record {
        Record::new(RecordId { boot, seq: 1 }, moment, &Measurements::default(), None)
    }

    fn alarm(boot: u32, moment: Moment) -> Record {
        let shout = Shout { condition: Condition::NoWater, active: true, test: false };
        Record::new(RecordId { boot, seq: 1 }, moment, &Measurements::default(), Some(shout))
    }

    #[test]
    fn readings_older_than_the_clock_get_their_time_when_it_is_heard() {
        let mut clock = Clock::new(3, &[]);
        let early = clock.moment(Uptime(1_000));
        assert_eq!(early, Moment::Uptime(Uptime(1_000)));
        let at = |clock: &Clock, now| clock.stamp(&reading(3, early), Uptime(now));
        assert_eq!(at(&clock, 5_000), Stamp::Arrival, "so young that its arrival is its time");
        assert_eq!(at(&clock, 60_000), Stamp::Wait);
        assert_eq!(clock.stamp(&alarm(3, early), Uptime(60_000)), Stamp::Arrival, "never waits");
        assert!(clock.wanted(Uptime(60_000)));
        assert_eq!(clock.hear(T, Uptime(60_000)), Verdict::Learned);
        assert_eq!(at(&clock, 61_000), Stamp::At(T - 59_000));
        assert_eq!(clock.moment(Uptime(61_000)), Moment::Unix(T + 1_000));
        assert!(!clock.wanted(Uptime(61_000)));
        assert!(clock.wanted(Uptime(60_000 + 86_400_000)));
    }

    #[test]
    fn the_time_of_an_earlier_boot_is_kept_or_bounded_by_the_next_known_start() {
        let mut first = Clock::new(1, &[]);
        assert_eq!(first.hear(T, Uptime(10_000)), Verdict::Learned);
        let second = Clock::new(2, first.starts());
        let up = Moment::Uptime(Uptime(4_000));
        assert_eq!(second.stamp(&reading(1, up), Uptime(1)), Stamp::At(T - 6_000));
        let mut third = Clock::new(3, second.starts());
        assert_eq!(third.stamp(&reading(2, up), Uptime(1)), Stamp::Wait, "never knew the hour");
        assert_eq!(third.stamp(&alarm(2, up), Uptime(1)), Stamp::Arrival);
        assert_eq!(third.hear(T + 100_000, Uptime(20_000)), Verdict::Learned);
        let bound = Stamp::At(T + 80_000);
        assert_eq!(third.stamp(&reading(2, up), Uptime(30_000)), bound);
        assert_eq!(third.stamp(&alarm(2, up), Uptime(30_000)), bound);
        assert_eq!(third.stamp(&reading(9_000, up), Uptime(30_000)), bound, "storage was lost");
    }

    #[test]
    fn an_absurd_hour_is_refused_and_a_jump_wants_three_witnesses() {
        let mut clock = Clock::new(1, &[]);
        for bad in [0, -1, EARLIEST_MS - 1, LATEST_MS + 1, i64::MIN, i64::MAX] {
            assert_eq!(clock.hear(bad, Uptime(0)), Verdict::Absurd);
        }
        assert_eq!(clock.hear(T, Uptime(0)), Verdict::Learned);
        let day = 86_400_000;
        assert_eq!(clock.hear(T + day, Uptime(1_000)), Verdict::Doubted);
        assert_eq!(clock.hear(T + 60_000, Uptime(60_000)), Verdict::Agreed, "it stood alone");
        assert_eq!(clock.moment(Uptime(61_000)), Moment::Unix(T + 61_000));
        for at in [120_000, 180_000] {
            assert_eq!(clock.hear(T - day + at, Uptime(at as u64)), Verdict::Doubted);
        }
        assert_eq!(clock.hear(T - day + 240_000, Uptime(240_000)), Verdict::Learned);
        assert_eq!(clock.moment(Uptime(240_000)), Moment::Unix(T - day + 240_000));
        assert_eq!(clock.starts(), [BootStart { boot: 1, unix_ms: T - day }]);
    }

    #[test]
    fn the_least_delayed_message_counts_and_time_never_turns_back() {
        let mut clock = Clock::new(1, &[]);
        assert_eq!(clock.hear(T, Uptime(0)), Verdict::Learned);
        assert_eq!(clock.moment(Uptime(10_000)), Moment::Unix(T + 10_000));
        assert_eq!(clock.hear(T + 10_100, Uptime(10_000)), Verdict::Agreed);
        assert_eq!(clock.moment(Uptime(10_001)), Moment::Unix(T + 10_101), "less delayed");
        for at in [20_000, 80_000] {
            assert_eq!(clock.hear(T + at - 4_000, Uptime(at as u64)), Verdict::Agreed);
        }
        assert_eq!(clock.hear(T + 90_100, Uptime(90_000)), Verdict::Agreed);
        assert_eq!(clock.moment(Uptime(90_000)), Moment::Unix(T + 90_100), "two were late");
        for (at, late) in [(100_000, 4_000), (160_000, 3_000), (220_000, 5_000)] {
            assert_eq!(clock.hear(T + at - late, Uptime(at as u64)), Verdict::Agreed);
        }
        assert_eq!(clock.moment(Uptime(91_000)), Moment::Unix(T + 90_100), "never back");
        assert_eq!(clock.moment(Uptime(230_000)), Moment::Unix(T + 227_000), "the best of three");
        assert_eq!(clock.hear(T + 90_000_000, Uptime(90_002_000 + 3_000)), Verdict::Agreed);
        assert_eq!(clock.moment(Uptime(90_006_000)), Moment::Unix(T + 90_001_000), "after a day");
        assert_eq!(clock.starts(), [BootStart { boot: 1, unix_ms: T }]);
    }

    #[test]
    fn the_starts_of_the_newest_boots_are_kept() {
        let mut starts = heapless::Vec::<BootStart, BOOTS>::new();
        for boot in 1..=20 {
            let mut clock = Clock::new(boot, &starts);
            assert_eq!(clock.hear(T + i64::from(boot), Uptime(0)), Verdict::Learned);
            starts = heapless::Vec::from_slice(clock.starts()).unwrap_or_default();
        }
        assert_eq!(starts.len(), BOOTS);
        assert!(starts.iter().map(|start| start.boot).eq(13..=20));
    }
}
