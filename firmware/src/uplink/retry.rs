//! When to dial, while there is no connection. No clock, no I/O.
//!
//! Waits double, and every device draws its own: when a broker comes back after an hour, a town
//! of 10,000 devices is spread over half a minute and more, not over one second.
//!
//! Only progress begins anew: a call that moved nothing of what waited has failed, however far it
//! came. On a battery what fails is paid from an allowance ([`Allowance`]), so that no outage, of
//! whatever kind and however long, takes more of the cell than is written here.

use standpipe_shared::SplitMix64;

use super::{Habits, Recovery, Stay, UplinkBacklog};
use crate::power::{CALL_MA, SEARCH_MA};
use crate::{Radio, Uptime};

/// The first wait, while readings wait.
const REPORT_MS: u64 = 30_000;
/// The first and the longest wait, while an alarm does. EN 54-21 and GB 26875.1 want it at the
/// centre within 10 s.
const ALARM_MS: u64 = 5_000;
const ALARM_MOST_MS: u64 = 60_000;
/// On a battery an alarm that has waited for so long is dialled for every quarter of an hour …
const EAGER_MS: u64 = 600_000;
const STEP_MS: u64 = 900_000;
/// … and after this every hour, if the allowance allows.
const STEPS_MS: u64 = 3 * 3_600_000;
const RARE_MS: u64 = 3_600_000;
/// The first connection after a start is spread over this: mains come back to a whole town.
const START_MS: u64 = 3_000;
/// A broker that refuses is asked as rarely as after so many failures.
const REFUSED: u32 = 3;
/// After so many failures in a row the modem's radio is switched off and on …
const RADIO_EVERY: u32 = 3;
/// … and after so many it is started anew.
const RESTART_EVERY: u32 = 6;
/// So many starts in a row without a word to the broker may be chance; after the next one the
/// device waits before it dials, since its dialling may be what makes the supply sag …
const RESETS: u8 = 2;
/// … this long, then twice as long, up to an hour.
const RESET_PAUSE_MS: u64 = 60_000;
const RESET_PAUSE_MOST_MS: u64 = 3_600_000;
/// A clock that was listened for in vain is listened for again after this, then after twice as
/// long, up to half a day.
const CLOCK_MS: u64 = 1_800_000;
const CLOCK_MOST_MS: u64 = 43_200_000;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was said that could be, and goodbye too.
    Left,
    /// The modem searched for a network in vain: the most expensive way to fail.
    NoNetwork,
    /// Nobody answered, or the modem has no SIM, or does not answer.
    NotReached,
    /// The broker does not want this device, or not now. Its reason code (MQTT 5, §2.4).
    Refused(u8),
    /// It was up, and broke: nothing arrives, or what arrives makes no sense.
    Broken,
}

impl Ended {
    /// What the modem takes during such an attempt, µA.
    const fn takes_ua(self) -> u64 {
        match self {
            Self::NoNetwork => SEARCH_MA * 1_000,
            Self::Left | Self::NotReached | Self::Refused(_) | Self::Broken => CALL_MA * 1_000,
        }
    }
}

/// What to do while away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// Nothing until then, or until something changes; `None`: until something changes.
    Rest(Option<Uptime>),
    /// Connect now.
    Dial,
}

/// What a battery gives for calls that fail, in µA·ms. It is earned hour by hour; readings leave a
/// reserve to alarms.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u64,
    /// Until then it is earned.
    earned: Uptime,
    /// What the last failure took: what the next one is expected to take.
    last: u64,
}

/// A milliampere-hour, µA·ms.
const MAH: u64 = 3_600_000_000;

impl Allowance {
    /// What there is to begin with, and at most.
    const FULL: u64 = 34 * MAH;
    /// What is earned in a day.
    const A_DAY: u64 = 22 * MAH;
    /// What readings do not touch.
    const RESERVE: u64 = 12 * MAH;
    const DAY_MS: u64 = 86_400_000;

    fn earn(&mut self, now: Uptime) {
        let passed = now.since_ms(self.earned).min(30 * Self::DAY_MS);
        self.left = (self.left + passed * (Self::A_DAY / Self::DAY_MS)).min(Self::FULL);
        self.earned = self.earned.max(now);
    }

    fn spend(&mut self, ua_ms: u64, now: Uptime) {
        self.earn(now);
        self.last = ua_ms;
        self.left = self.left.saturating_sub(ua_ms);
    }

    /// When another such failure can be paid, with so much left in reserve.
    fn due(&self, reserve: u64) -> Uptime {
        let short = (self.last + reserve).saturating_sub(self.left);
        self.earned.after_ms(short.div_ceil(Self::A_DAY / Self::DAY_MS))
    }
}

/// When it was last tried, and how often in vain.
#[derive(Clone, Debug)]
pub struct Retry {
    failures: u32,
    tried: Uptime,
    /// When it dialled; `None`: it does not.
    dialled: Option<Uptime>,
    /// Something of what waited has been moved since then.
    moved: bool,
    /// Since when an alarm, or a crew, waits for a connection.
    urgent_since: Option<Uptime>,
    allowance: Allowance,
    /// What all calls together have taken, µA·ms.
    spent: u64,
    /// Nothing is dialled for before.
    paused: Uptime,
    /// How often the clock was listened for in vain, and when it is again.
    clock: (u32, Uptime),
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
        let mut retry = Self {
            failures: 0,
            tried: Uptime(0),
            dialled: None,
            moved: false,
            urgent_since: None,
            allowance: Allowance { left: Allowance::FULL, earned: Uptime(0), last: 0 },
            spent: 0,
            paused: Uptime(0),
            clock: (0, Uptime(0)),
            share: 0,
            chance: SplitMix64(seed),
            stay: habits.stay,
            most_ms: habits.retry_ms,
            started: false,
        };
        retry.draw();
        retry
    }

    /// A device that has started so often without a word to the broker, this start among them: it
    /// gives its supply time to recover before it dials.
    #[must_use]
    pub fn after_resets(mut self, starts: u8) -> Self {
        if let Some(doublings) = starts.saturating_sub(RESETS).checked_sub(1) {
            let pause_ms = RESET_PAUSE_MS << u32::from(doublings).min(20);
            self.paused = Uptime(pause_ms.min(RESET_PAUSE_MOST_MS));
        }
        self
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&mut self, desk: &UplinkBacklog, now: Uptime) -> Away {
        let urgent = desk.alarm || desk.radio == Radio::Now;
        self.urgent_since = urgent.then(|| self.urgent_since.unwrap_or(now));
        let for_clock = desk.radio == Radio::Report && self.clock_is_due(now);
        if !(urgent || desk.any() || for_clock) && self.stay == Stay::Briefly {
            return Away::Rest(None);
        }
        let due = self.due(now).max(self.paused);
        if due <= now { Away::Dial } else { Away::Rest(Some(due)) }
    }

    fn due(&self, now: Uptime) -> Uptime {
        let urgent_ms = self.urgent_since.map(|since| now.since_ms(since));
        if urgent_ms.is_some() && self.failures == 0 {
            return Uptime(0);
        }
        let wait_ms = match (urgent_ms, self.stay) {
            (Some(_), Stay::Always) | (Some(0..EAGER_MS), Stay::Briefly) => {
                self.wait_ms(ALARM_MS, self.most_ms.min(ALARM_MOST_MS))
            }
            (Some(EAGER_MS..STEPS_MS), Stay::Briefly) => self.most_of(STEP_MS.min(self.most_ms)),
            (Some(STEPS_MS..), Stay::Briefly) => self.most_of(RARE_MS),
            (None, _) => self.wait_ms(REPORT_MS, self.most_ms),
        };
        let due = self.tried.after_ms(wait_ms);
        if self.stay == Stay::Always || self.failures == 0 {
            return due;
        }
        let reserve = if urgent_ms.is_some() { 0 } else { Allowance::RESERVE };
        due.max(self.allowance.due(reserve))
    }

    /// It dials at `now`.
    pub const fn dialling(&mut self, now: Uptime) {
        self.dialled = Some(now);
        self.moved = false;
    }

    /// What the modem needs before it dials again.
    #[must_use]
    pub const fn recovery(&self) -> Option<Recovery> {
        match self.failures {
            0 => None,
            failures if failures.is_multiple_of(RESTART_EVERY) => Some(Recovery::Restart),
            failures if failures.is_multiple_of(RADIO_EVERY) => Some(Recovery::Radio),
            _ => None,
        }
    }

    /// A connection, or the attempt at one, ended at `now`.
    pub fn ended(&mut self, how: Ended, now: Uptime) {
        self.started = true;
        self.tried = now;
        let on_ms = now.since_ms(self.dialled.take().unwrap_or(now));
        let took = on_ms.saturating_mul(how.takes_ua());
        self.spent = self.spent.saturating_add(took);
        if core::mem::take(&mut self.moved) {
            // What broke after that is the first failure.
            self.failures = u32::from(how != Ended::Left);
        } else {
            self.failures = self.failures.saturating_add(1);
            self.allowance.spend(took, now);
        }
        if matches!(how, Ended::Refused(_)) {
            self.failures = self.failures.max(REFUSED);
        }
        self.draw();
    }

    /// The broker has something of what waited, or the clock was heard that was wanted.
    pub const fn progressed(&mut self) {
        self.moved = true;
        self.failures = 0;
    }

    /// Whether to stay connected for the gateway's clock at `now`: one that never comes is not
    /// waited for in every call.
    #[must_use]
    pub fn clock_is_due(&self, now: Uptime) -> bool {
        self.stay == Stay::Always || self.clock.1 <= now
    }

    /// The clock was listened for.
    pub fn listened_for_clock(&mut self, heard: ClockHeard, now: Uptime) {
        self.clock = match heard {
            ClockHeard::Yes => (0, now),
            ClockHeard::No => {
                let wait_ms = (CLOCK_MS << self.clock.0.min(20)).min(CLOCK_MOST_MS);
                (self.clock.0.saturating_add(1), now.after_ms(wait_ms))
            }
        };
    }

    /// What the modem has taken for all calls so far, mAh, as it reckons.
    #[must_use]
    pub fn spent_mah(&self) -> u32 {
        u32::try_from(self.spent / MAH).unwrap_or(u32::MAX)
    }

    /// How often it has failed since it last progressed.
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

    /// A step of which every device draws the last quarter.
    fn most_of(&self, step_ms: u64) -> u64 {
        step_ms / 4 * 3 + step_ms / 4 * u64::from(self.share) / 0xFFFF
    }

    fn draw(&mut self) {
        // Any spread will do, as long as it differs between devices.
        self.share = (self.chance.bits() >> 48) as u16;
    }
}

/// What came of listening for the gateway's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockHeard {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Away, ClockHeard, Ended, Retry};
    use crate::uplink::{Habits, Recovery, UplinkBacklog};
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
    fn wait_ms(retry: &mut Retry, desk: &UplinkBacklog) -> u64 {
        match retry.next(desk, Uptime(0)) {
            Away::Dial => 0,
            Away::Rest(Some(due)) => due.0,
            Away::Rest(None) => u64::MAX,
        }
    }

    #[test]
    fn it_rests_while_nothing_waits_and_dials_when_something_does() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        retry.progressed();
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
            let ms = wait_ms(&mut retry, &IDLE);
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
            let (long, short) = (wait_ms(&mut retry, &REPORT), wait_ms(&mut retry, &ALARM));
            assert!(report.contains(&long), "failure {failure}: {long} ms");
            assert!(alarm.contains(&short), "failure {failure}: {short} ms");
        }
        for _ in 0..1_000 {
            retry.ended(Ended::Broken, Uptime(0));
            assert!(wait_ms(&mut retry, &REPORT) <= 900_000 && wait_ms(&mut retry, &ALARM) <= 60_000);
        }
        retry.progressed();
        retry.ended(Ended::Broken, Uptime(0));
        assert!(wait_ms(&mut retry, &REPORT) <= 30_000, "it starts over");
    }

    #[test]
    fn a_refusal_is_not_asked_again_at_once_and_an_alarm_still_comes_through() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        retry.ended(Ended::Refused(0x87), Uptime(0));
        assert!(wait_ms(&mut retry, &REPORT) >= 60_000);
        assert!(wait_ms(&mut retry, &ALARM) <= 20_000);
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
                    wait_ms(&mut retry, &REPORT)
                })
                .collect();
            waits.sort_unstable();
            let within = |at: &u64| waits.partition_point(|wait| *wait < at + 1_000);
            let fullest = waits.iter().zip(0..).map(|(at, before)| within(at) - before).max();
            let most = if tell.is_some() { 450 } else { 3_700 };
            assert!(fullest <= Some(most), "{what}: {fullest:?} of 10,000 in one second");
        }
    }

    /// Its attempts at a network that is not there: when each began, until `until_s`.
    fn searches(retry: &mut Retry, desk: &UplinkBacklog, from_s: u64, until_s: u64) -> Vec<u64> {
        let (mut now, mut began) = (Uptime(from_s * 1_000), Vec::new());
        while now < Uptime(until_s * 1_000) {
            match retry.next(desk, now) {
                Away::Dial => {
                    began.push(now.0 / 1_000);
                    retry.dialling(now);
                    now = now.after_s(124);
                    retry.ended(Ended::NoNetwork, now);
                }
                Away::Rest(due) => now = due.unwrap(),
            }
        }
        began
    }

    #[test]
    fn an_alarm_on_a_battery_is_dialled_for_eagerly_then_in_steps_then_as_the_cell_allows() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        let began = searches(&mut retry, &ALARM, 0, 86_400);
        let gaps: Vec<u64> = began.windows(2).map(|pair| pair[1] - pair[0] - 124).collect();
        let in_phase = |from: u64, to: u64| {
            let pairs = began.iter().skip(1).zip(&gaps);
            pairs.filter(move |(at, _)| (from..to).contains(*at)).map(|(_, gap)| *gap)
        };
        assert!(in_phase(0, 600).all(|gap| gap <= 60), "{gaps:?}");
        assert!(in_phase(1_700, 10_800).all(|gap| (675..=900).contains(&gap)), "{gaps:?}");
        assert!(in_phase(15_000, 86_400).all(|gap| gap >= 2_700), "{gaps:?}");
        let a_day_mah = |count: usize| count as u64 * 124 * 60 / 3_600;
        assert!(a_day_mah(began.len()) <= 56, "{}", began.len());
        let later = searches(&mut retry, &ALARM, 86_400, 11 * 86_400);
        assert!(a_day_mah(later.len()) <= 10 * 23, "{}", later.len());
    }

    #[test]
    fn readings_leave_an_alarm_its_reserve() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        searches(&mut retry, &REPORT, 0, 5 * 86_400);
        let alarm = searches(&mut retry, &ALARM, 5 * 86_400, 5 * 86_400 + 1_800);
        assert!(alarm.len() >= 5, "{alarm:?}");
    }

    #[test]
    fn on_mains_an_outage_costs_nothing_and_an_alarm_is_dialled_for_each_minute() {
        let mut retry = Retry::new(7, &Habits::ALWAYS);
        let began = searches(&mut retry, &ALARM, 0, 86_400);
        assert!(began.len() > 86_400 / (124 + 60), "{}", began.len());
    }

    #[test]
    fn the_modem_is_reset_by_steps_and_not_after_progress() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        let mut steps = Vec::new();
        for _ in 0..12 {
            retry.ended(Ended::NoNetwork, Uptime(0));
            steps.push(retry.recovery());
        }
        let (radio, restart) = (Some(Recovery::Radio), Some(Recovery::Restart));
        let six = [None, None, radio, None, None, restart];
        assert_eq!(steps, [six, six].concat());
        retry.progressed();
        assert_eq!(retry.recovery(), None);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn repeated_resets_are_followed_by_a_pause_also_for_an_alarm() {
        for (starts, pause_s) in [(0, 0), (1, 0), (2, 0), (3, 60), (4, 120), (6, 480), (9, 3_600), (255, 3_600)] {
            let mut retry = Retry::new(7, &Habits::BRIEFLY).after_resets(starts);
            assert_eq!(wait_ms(&mut retry, &ALARM), pause_s * 1_000, "{starts}");
        }
    }

    #[test]
    fn a_clock_that_never_comes_is_listened_for_ever_more_rarely() {
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        let (mut listened, mut at) = (0, 0);
        while at < 30 * 86_400 {
            if retry.clock_is_due(Uptime(at * 1_000)) {
                listened += 1;
                retry.listened_for_clock(ClockHeard::No, Uptime(at * 1_000));
            }
            at += 900;
        }
        assert!((60..=70).contains(&listened), "{listened}");
        retry.listened_for_clock(ClockHeard::Yes, Uptime(at * 1_000));
        assert!(retry.clock_is_due(Uptime(at * 1_000)));
        let report = UplinkBacklog { radio: Radio::Report, ..IDLE };
        retry.progressed();
        retry.ended(Ended::Left, Uptime(at * 1_000));
        retry.listened_for_clock(ClockHeard::No, Uptime(at * 1_000));
        assert_eq!(retry.next(&report, Uptime(at * 1_000)), Away::Rest(None), "not at once");
    }
}
