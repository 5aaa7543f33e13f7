//! When to dial, while there is no connection. No clock, no I/O.
//!
//! Waits double, and every device draws its own: when a broker comes back after an hour, a town
//! of 10,000 devices is spread over half a minute and more, not over one second.

use standpipe_shared::SplitMix64;

use super::{Habits, Stay, UplinkBacklog};
use crate::{Radio, Uptime};

/// The first wait, while readings wait.
const REPORT_MS: u64 = 30_000;
/// The first and the longest wait, while an alarm does. EN 54-21 and GB 26875.1 want it at the
/// centre within 10 s.
const ALARM_MS: u64 = 5_000;
const ALARM_MOST_MS: u64 = 60_000;
/// The first connection after a start is spread over this: mains come back to a whole town.
const START_MS: u64 = 3_000;
/// A broker that refuses is asked as rarely as after so many failures.
const REFUSED: u32 = 3;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was said, and goodbye too.
    Left,
    /// The modem found no network, or nobody answered.
    NotReached,
    /// The broker does not want this device, or not now. Its reason code (MQTT 5, §2.4).
    Refused(u8),
    /// It was up, and broke: nothing arrives, or what arrives makes no sense.
    Broken,
}

/// What to do while away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// Nothing until then, or until something changes; `None`: until something changes.
    Rest(Option<Uptime>),
    /// Connect now.
    Dial,
}

/// When it was last tried, and how often in vain.
#[derive(Clone, Debug)]
pub struct Retry {
    failures: u32,
    tried: Uptime,
    /// This device's share of the spread, 0 to 65,535; a new one for every failure.
    share: u16,
    chance: SplitMix64,
    /// Staying connected is a reason to dial, also when nothing waits: a command may.
    stay: Stay,
    most_ms: u64,
    started: bool,
}

impl Retry {
    /// A device that has just started. `seed` differs from device to device.
    #[must_use]
    pub fn new(seed: u64, habits: &Habits) -> Self {
        let (stay, most_ms) = (habits.stay, habits.retry_ms);
        let (failures, tried, started) = (0, Uptime(0), false);
        let mut retry =
            Self { failures, tried, share: 0, chance: SplitMix64(seed), stay, most_ms, started };
        retry.draw();
        retry
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&self, desk: &UplinkBacklog, now: Uptime) -> Away {
        let urgent = desk.alarm || desk.radio == Radio::Now;
        let wanted = urgent || desk.any() || desk.radio == Radio::Report;
        if !wanted && self.stay == Stay::Briefly {
            return Away::Rest(None);
        }
        let wait_ms = if urgent {
            self.wait_ms(ALARM_MS, self.most_ms.min(ALARM_MOST_MS))
        } else {
            self.wait_ms(REPORT_MS, self.most_ms)
        };
        let due = self.tried.after_ms(wait_ms);
        let due = if urgent && self.failures == 0 { Uptime(0) } else { due };
        if due <= now { Away::Dial } else { Away::Rest(Some(due)) }
    }

    /// A connection, or the attempt at one, ended at `now`.
    pub fn ended(&mut self, how: Ended, now: Uptime) {
        self.started = true;
        self.tried = now;
        self.failures = match how {
            Ended::Left => 0,
            Ended::NotReached | Ended::Broken => self.failures.saturating_add(1),
            Ended::Refused(_) => self.failures.saturating_add(1).max(REFUSED),
        };
        self.draw();
    }

    /// It is up and acknowledges: the next failure is the first.
    pub const fn works(&mut self) {
        self.failures = 0;
    }

    /// How often it has failed since it last worked.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    fn wait_ms(&self, first_ms: u64, most_ms: u64) -> u64 {
        let share = u64::from(self.share);
        let Some(doublings) = self.failures.checked_sub(1) else {
            // Nothing is wrong: go, but after a start not all of a town at once.
            return if self.started { 0 } else { START_MS.min(most_ms) * share / 0xFFFF };
        };
        let whole = first_ms.saturating_mul(1 << doublings.min(20)).min(most_ms);
        // After the first failure all of the wait is drawn: everybody lost the broker together.
        // Later half of it is.
        let (fixed, drawn) = if doublings == 0 { (0, whole) } else { (whole / 2, whole / 2) };
        fixed + drawn * share / 0xFFFF
    }

    fn draw(&mut self) {
        // Any spread will do, as long as it differs between devices.
        self.share = (self.chance.bits() >> 48) as u16;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Away, Ended, Retry};
    use crate::uplink::{Habits, UplinkBacklog};
    use crate::{Radio, Uptime};
    use std::vec::Vec;

    const IDLE: UplinkBacklog = UplinkBacklog {
        radio: Radio::Sleep,
        alarm: false,
        readings: false,
        answer: false,
        status: false,
        repeat_at: None,
    };
    const REPORT: UplinkBacklog = UplinkBacklog { readings: true, ..IDLE };
    const ALARM: UplinkBacklog = UplinkBacklog { alarm: true, ..IDLE };

    /// Milliseconds until it dials, when it failed that often and last at 0.
    fn wait_ms(retry: &Retry, desk: &UplinkBacklog) -> u64 {
        match retry.next(desk, Uptime(0)) {
            Away::Dial => 0,
            Away::Rest(Some(due)) => due.0,
            Away::Rest(None) => u64::MAX,
        }
    }

    #[test]
    fn it_rests_while_nothing_waits_and_dials_when_something_does() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        retry.ended(Ended::Left, Uptime(0));
        assert_eq!(retry.next(&IDLE, Uptime(5)), Away::Rest(None));
        assert_eq!(retry.next(&REPORT, Uptime(5)), Away::Dial);
        assert_eq!(
            retry.next(&UplinkBacklog { radio: Radio::Report, ..IDLE }, Uptime(5)),
            Away::Dial
        );
        assert_eq!(retry.next(&ALARM, Uptime(5)), Away::Dial);
        let awaits = UplinkBacklog { repeat_at: Some(Uptime(0)), ..IDLE };
        assert_eq!(retry.next(&awaits, Uptime(5)), Away::Rest(None), "the next call will do");
    }

    #[test]
    fn on_mains_it_comes_back_though_nothing_waits_and_on_a_battery_it_sleeps() {
        for (habits, waits) in
            [(Habits::ALWAYS, 0..=30_000), (Habits::BRIEFLY, u64::MAX..=u64::MAX)]
        {
            let mut retry = Retry::new(7, &habits);
            retry.ended(Ended::Broken, Uptime(0));
            let ms = wait_ms(&retry, &IDLE);
            assert!(waits.contains(&ms), "{habits:?}: {ms} ms");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn waits_double_up_to_the_most_and_an_alarm_waits_less() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        for (failure, report, alarm) in [
            (1,       0..=30_000,        0..=5_000),
            (2,  30_000..=60_000,    5_000..=10_000),
            (3,  60_000..=120_000,  10_000..=20_000),
            (4, 120_000..=240_000,  20_000..=40_000),
            (5, 240_000..=480_000,  30_000..=60_000),
            (6, 450_000..=900_000,  30_000..=60_000),
            (7, 450_000..=900_000,  30_000..=60_000),
        ] {
            retry.ended(Ended::NotReached, Uptime(0));
            let (long, short) = (wait_ms(&retry, &REPORT), wait_ms(&retry, &ALARM));
            assert!(report.contains(&long), "failure {failure}: {long} ms");
            assert!(alarm.contains(&short), "failure {failure}: {short} ms");
        }
        for _ in 0..1_000 {
            retry.ended(Ended::Broken, Uptime(0));
            assert!(wait_ms(&retry, &REPORT) <= 900_000 && wait_ms(&retry, &ALARM) <= 60_000);
        }
        retry.works();
        retry.ended(Ended::Broken, Uptime(0));
        assert!(wait_ms(&retry, &REPORT) <= 30_000, "it starts over");
    }

    #[test]
    fn a_refusal_is_not_asked_again_at_once_and_an_alarm_still_comes_through() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        retry.ended(Ended::Refused(0x87), Uptime(0));
        assert!(wait_ms(&retry, &REPORT) >= 60_000);
        assert!(wait_ms(&retry, &ALARM) <= 20_000);
    }

    #[test]
    fn a_town_does_not_come_back_in_one_second() {
        for (what, tell) in [("started", None), ("lost the broker", Some(Ended::Broken))] {
            let mut waits: Vec<_> = (0..10_000)
                .map(|seed| {
                    let mut retry = Retry::new(seed, &Habits::BRIEFLY);
                    if let Some(how) = tell {
                        retry.ended(how, Uptime(0));
                    }
                    wait_ms(&retry, &REPORT)
                })
                .collect();
            waits.sort_unstable();
            let within = |at: &u64| waits.partition_point(|wait| *wait < at + 1_000);
            let fullest = waits.iter().zip(0..).map(|(at, before)| within(at) - before).max();
            let most = if tell.is_some() { 450 } else { 3_700 };
            assert!(fullest <= Some(most), "{what}: {fullest:?} of 10,000 in one second");
        }
    }
}
