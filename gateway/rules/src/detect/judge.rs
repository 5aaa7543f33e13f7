//! A reading, an alarm, a silence → facts about one device.
//!
//! Everything moves on event time, except silence, which is judged on arrival. A message that is
//! older on arrival than a live one can be belongs to a *backlog*: what it raises is held back
//! until the backlog ends, so that nobody is called for what is long over. Fire is never held.

use standpipe_shared::{Condition, Kind, Measurements, Severity};

use super::memory::{Evidence, Memory, Warmth};
use super::signals::{self, dwell};
use super::supervise::Supervised;
use super::track::{Signal, Step};
use super::trust::{HydrantNow, Trust};
use crate::Ms;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::{Device, DeviceIx, Profile};

/// A message without a known interval is late when older than this.
const LATE_MS: Ms = 60_000;
/// A backlog is over when nothing late came for this long …
const BACKLOG_QUIET_MS: Ms = 60_000;
/// … or when it has lasted this long: a device whose clock is slow sends nothing but late
/// messages, and its alarms must not wait for ever.
const BACKLOG_MAX_MS: Ms = 300_000;
/// A test alarm that lasts longer is a real fire.
const TEST_MS: Ms = 600_000;
/// Silence or fault for this long while verifying: not verified.
const UNVERIFIED_MS: Ms = 86_400_000;
/// Readings further apart say nothing about the rate of rise.
const RISE_WINDOW_MS: Ms = 60_000;
/// A rise smaller than this is noise, however fast it looks.
const RISE_FLOOR_C: f32 = 2.0;
/// From 6.3 to 16.3 are ten degrees, though not in `f32`.
const RISE_ROUNDING_C: f32 = 0.001;

/// What the gateway itself could see; silence is judged only while it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The broker session is up.
    pub up: bool,
    /// Silence counts from one interval after this; `None`: at once.
    pub grace_from: Option<Ms>,
    /// The gateway was blind until then: a Last Will counts from one interval after this.
    pub blind_until: Option<Ms>,
    /// From when on it counts that a device was never heard; `None`: it does not.
    pub supervised: Option<Supervised>,
}

impl Sight {
    /// Nothing was ever hidden; for recorded readings.
    pub const CLEAR: Self =
        Self { up: true, grace_from: None, blind_until: None, supervised: None };
}

/// When something was measured and when it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Event time, not after `at`.
    pub ts: Ms,
    /// When it arrived, by the gateway's clock.
    pub at: Ms,
    /// Older than a live message can be.
    pub late: bool,
}

/// What an alarm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cry {
    pub condition: Condition,
    /// It is so, or no longer.
    pub active: bool,
    /// Somebody tests the detector.
    pub test: bool,
}

/// One device before its judge.
pub struct Judge<'a> {
    pub ix: DeviceIx,
    pub device: &'a Device,
    pub profile: &'a Profile,
    /// Covered time asked for by `verifying`.
    pub verify_ms: Ms,
    /// What is remembered of it.
    pub memory: &'a mut Memory,
    pub facts: &'a mut Vec<Fact>,
}

/// The interval of a device: what it said, else the registry's, else the profile's.
#[must_use]
pub fn interval_ms(device: &Device, profile: &Profile, memory: &Memory) -> Ms {
    let seconds = memory.interval_s.or(device.interval_s).unwrap_or(profile.interval_s);
    Ms::from(seconds) * 1_000
}

/// How old a live message of this device can be: one interval, or 60 s where none is known.
#[must_use]
pub fn late_after(device: &Device, profile: &Profile, memory: &Memory) -> Ms {
    let known = device.claimed || memory.interval_s.is_some();
    if known { interval_ms(device, profile, memory) } else { LATE_MS }
}

/// How long a device may be silent before it is missed.
#[must_use]
pub fn silent_after(device: &Device, profile: &Profile, memory: &Memory) -> Ms {
    let least = Ms::from(profile.offline_min_s) * 1_000;
    let interval = interval_ms(device, profile, memory);
    (interval * Ms::from(profile.offline_intervals)).max(least)
}

impl Judge<'_> {
    /// Anything was heard of the device: it is not offline.
    pub fn heard(&mut self, at: Ms) {
        self.speaks(at);
        self.understood(at);
        self.memory.heard_at = self.memory.heard_at.max(Some(at));
        self.memory.gone = false;
        self.memory.known_alarms = None;
        if self.memory.track(Condition::Offline).is_some() {
            let step = self.memory.track_mut(Condition::Offline).end(at);
            self.after(Condition::Offline, step, When { ts: at, at, late: false });
        }
    }

    /// Nobody's any more: nothing that was true of it is, but for a fire, which people end.
    pub fn retire(&mut self, at: Ms) {
        for condition in Condition::ALL {
            let ends = condition.severity() != Severity::Fire;
            if ends && self.memory.track(condition).is_some() {
                let step = self.memory.track_mut(condition).end(at);
                self.after(condition, step, When { ts: at, at, late: false });
            }
        }
    }

    /// Its Last Will came.
    pub fn gone(&mut self, at: Ms, sight: Sight) {
        self.memory.heard_at = self.memory.heard_at.max(Some(at));
        self.memory.gone = true;
        self.silence(at, sight);
    }

    /// Whether the sender's clock was wrong; `None`: the message has no time, and says nothing of
    /// a clock.
    pub fn clock(&mut self, bad: Option<bool>, when: When) {
        let Some(bad) = bad else { return };
        let signal = if bad { Signal::Bad } else { Signal::Good };
        // What comes late was measured long ago; a fault does not end before it began.
        let began = self.memory.track(Condition::ClockFault).map_or(Ms::MIN, |track| track.since);
        self.signal(Condition::ClockFault, signal, When { ts: when.ts.max(began), ..when });
    }

    /// An alarm. Not called for duplicates.
    pub fn alarm(&mut self, cry: Cry, when: When) {
        let Cry { condition, active, test } = cry;
        self.cried(condition, when.at);
        let track = self.memory.track_mut(condition);
        let was_test = track.test_since.is_some();
        let step = track.alarm(active, when.ts);
        match step {
            Step::Rose => track.test_since = test.then_some(when.at),
            Step::Fell(_) => track.test_since = None,
            Step::Same => {}
        }
        if condition == Condition::SensorFault && active {
            self.memory.pressure_hidden = true;
        }
        let still = step == Step::Same && active && condition.severity() == Severity::Fire;
        if still {
            // It shouts again: the fire's last activity, and a test that turns real.
            let track = self.memory.track_mut(condition);
            if !test {
                track.test_since = None;
            }
            let test = was_test && test;
            self.raise(condition, when.at, when.late, test);
        } else {
            self.after(condition, step, when);
        }
    }

    /// A reading of which no value is older than the newest one of its kind, with the alarm that it
    /// came with. Not called for duplicates.
    pub fn reading(&mut self, values: &Measurements, cry: Option<Cry>, when: When) {
        self.memory.newest = self.memory.newest.max(Some(when.ts));
        // Only a pressure can show that trust changed by itself; conditions tell of it themselves.
        let trusted = values.pressure_kpa.and_then(|_| self.trust_at(when.at));
        self.remember(values, when);
        self.fire(values, cry, when);
        self.pressure(values, when);
        self.upkeep(values, when);
        if values.pressure_kpa.is_some() && self.trust_at(when.at) != trusted {
            self.hydrant_changed();
        }
    }

    /// Any new message, after all that it says was judged: a late one belongs to a backlog, a
    /// young one ends it. `before`: the event time of the newest reading until then.
    ///
    /// What was stored catches up: its event time runs faster than its arrival, by so much its
    /// time begins later. A slow clock never does, however its messages are bundled.
    pub fn backlog(&mut self, when: When, before: Option<Ms>) {
        if when.late {
            let (first, last) = self.memory.backlog.unwrap_or((when.at, when.at));
            let newer = self.memory.newest.zip(before).map_or(0, |(now, before)| now - before);
            let first = (first + newer - (when.at - last)).min(when.at);
            self.memory.backlog = Some((first, when.at));
        } else if self.memory.backlog.is_some() {
            self.release(when.at);
        }
    }

    /// What a test alarm measured of the condition that it tests is part of the test, and says
    /// nothing of it.
    fn fire(&mut self, values: &Measurements, cry: Option<Cry>, when: When) {
        let tested = cry.filter(|cry| cry.active && cry.test).map(|cry| cry.condition);
        let smoke = signals::smoke(values, self.profile);
        if let Some(signal) = smoke.filter(|_| tested != Some(Condition::Smoke)) {
            self.signal(Condition::Smoke, signal, when);
        }
        // A temperature that can't be is a fault of the sensor, and neither a fire nor its end.
        let temp = values.temp_c.filter(|temp| temp.plausible() && self.detects_heat());
        if let Some(temp) = temp {
            let rising = self.rising(temp.get(), when.ts);
            let signal = if rising { Signal::Bad } else { signals::heat(temp, self.profile) };
            if tested != Some(Condition::Heat) {
                self.signal(Condition::Heat, signal, when);
            }
        }
    }

    fn rising(&mut self, temp: f32, ts: Ms) -> bool {
        let known = self.memory.warmth;
        let [anchor, last] = [0, 1].map(|n| Option::zip(known.at.get(n), known.temp_c.get(n)));
        let near =
            |sample: &(&Ms, &f32)| ts > *sample.0 && ts.saturating_sub(*sample.0) <= RISE_WINDOW_MS;
        let limit = self.profile.heat_rise_c_per_min;
        let fast = |sample: (&Ms, &f32)| {
            let minutes = (ts - sample.0) as f32 / 60_000.0;
            temp - sample.1 >= (limit * minutes).max(RISE_FLOOR_C) - RISE_ROUNDING_C
        };
        let rising = [anchor, last].into_iter().flatten().filter(near).any(fast);
        let from = anchor.filter(near).or(last.filter(near)).unwrap_or((&ts, &temp));
        self.memory.warmth = Warmth { at: [*from.0, ts], temp_c: [*from.1, temp] };
        rising
    }

    fn pressure(&mut self, values: &Measurements, when: When) {
        let broken = signals::pressure_broken(values, self.profile);
        self.fault(values, broken, when);
        let Some(kpa) = values.pressure_kpa.filter(|_| !broken && !self.memory.pressure_hidden)
        else {
            return;
        };
        // The worst first: what joins an incident that is worse already pages nobody again.
        let (profile, kpa_is) = (self.profile, kpa);
        self.signal(Condition::NoWater, signals::no_water(kpa_is, profile), when);
        self.signal(Condition::LowPressure, signals::low_pressure(kpa_is, profile), when);
        self.signal(Condition::HighPressure, signals::high_pressure(kpa_is, profile), when);
        self.see_water(kpa.get(), when);
        self.evidence(kpa.get(), when);
    }

    fn fault(&mut self, values: &Measurements, broken: bool, when: When) {
        let stuck = values.pressure_kpa.is_some_and(|kpa| self.stuck(kpa.get(), when.ts));
        let hides = broken || stuck;
        let signal = if hides || signals::other_broken(values) {
            Signal::Bad
        } else if self.memory.pressure_hidden
            && values.pressure_kpa.is_none()
            && (values.loop_ma.is_none() || self.memory.fresh().unmeasured)
        {
            return; // says nothing about the sensor that is broken
        } else if *values == Measurements::default() {
            return;
        } else {
            Signal::Good
        };
        if hides {
            self.memory.pressure_hidden = true;
            self.forget_pressure();
        }
        if stuck {
            let since = self.memory.stuck.since;
            self.memory.track_mut(Condition::SensorFault).bad_since(since);
        }
        self.signal(Condition::SensorFault, signal, when);
    }

    /// Whether the pressure has been the same for too many readings and too long. Also counts.
    fn stuck(&mut self, kpa: f32, ts: Ms) -> bool {
        let empty =
            self.memory.is_true(Condition::NoWater) || self.memory.is_true(Condition::LowPressure);
        let stuck = &mut self.memory.stuck;
        if stuck.count == 0 || stuck.kpa.to_bits() != kpa.to_bits() {
            (stuck.kpa, stuck.count, stuck.since) = (kpa, 0, ts);
        }
        stuck.count = stuck.count.saturating_add(1);
        let long = ts - stuck.since >= Ms::from(self.profile.stuck_for_s) * 1_000;
        let often = stuck.count >= self.profile.stuck_readings;
        long && often && kpa >= self.profile.stuck_above_kpa && !empty
    }

    /// Runs of pressure do not go on across a fault, or a gap in event time as long as a silence.
    pub(super) fn forget_pressure(&mut self) {
        if let Some(fresh) = &mut self.memory.fresh {
            fresh.water = None;
        }
        for track in &mut self.memory.tracks {
            if matches!(
                track.condition,
                Condition::NoWater | Condition::LowPressure | Condition::HighPressure
            ) {
                track.forget_runs();
            }
        }
        if let Some(evidence) = &mut self.memory.evidence {
            evidence.last_good = None;
        }
    }

    fn evidence(&mut self, kpa: f32, when: When) {
        let good = kpa >= self.profile.min_kpa + self.profile.low_clear_margin_kpa
            && kpa <= self.profile.max_kpa - self.profile.high_clear_margin_kpa;
        let gap = 2 * interval_ms(self.device, self.profile, self.memory);
        let Some(evidence) = &mut self.memory.evidence else { return };
        evidence.alive_at = when.at;
        if let Some(last) = evidence.last_good.filter(|last| good && when.ts - last <= gap) {
            evidence.covered_ms += when.ts - last;
        }
        evidence.last_good = good.then_some(when.ts);
        if evidence.covered_ms >= self.verify_ms {
            self.memory.evidence = None;
            self.facts.push(Fact::Verified { device: self.ix, at: when.ts });
        }
    }

    fn upkeep(&mut self, values: &Measurements, when: When) {
        let (latest, kind) = (&self.memory.latest, self.device.kind);
        for (condition, signal) in signals::upkeep(values, latest, kind, self.profile) {
            if let Some(signal) = signal {
                self.signal(condition, signal, when);
            }
        }
    }

    pub(super) fn signal(&mut self, condition: Condition, signal: Signal, when: When) {
        let nothing_known = self.memory.track(condition).is_none();
        if nothing_known && signal != Signal::Bad {
            return;
        }
        let dwell = dwell(condition, self.profile);
        let track = self.memory.track_mut(condition);
        let step = track.reading(signal, dwell, when.ts);
        let (idle, believed) = (track.is_idle(), track.outgrows_test());
        self.after(condition, step, when);
        if believed {
            self.raise(condition, when.at, when.late, false);
        }
        if idle {
            self.memory.tracks.retain(|track| track.condition != condition);
        }
    }

    /// Tells, or holds back, what a step did.
    pub(super) fn after(&mut self, condition: Condition, step: Step, when: When) {
        match step {
            Step::Same => {}
            Step::Rose => {
                self.memory.track_mut(condition).received_at = when.at;
                if condition.severity() == Severity::Fire || !when.late {
                    let test = self.memory.track_mut(condition).test_since.is_some();
                    self.raise(condition, when.at, when.late, test);
                }
            }
            Step::Fell(at) => self.fell(condition, at),
        }
    }

    fn raise(&mut self, condition: Condition, now: Ms, late: bool, test: bool) {
        let subject = Subject::Device(self.ix);
        let track = self.memory.track_mut(condition);
        track.told = true;
        let (measured_at, received_at) = (track.measured_at, track.received_at);
        let late_s = if late { (now - measured_at) / 1_000 } else { 0 };
        let late_s = u32::try_from(late_s).unwrap_or(0);
        let since = track.since;
        let reason = self.memory.reason(condition);
        self.facts.push(Fact::Raised(Raised {
            subject,
            condition,
            since,
            measured_at,
            received_at,
            late_s,
            test,
            members: Vec::new(),
            reason,
        }));
        self.hydrant_changed();
    }

    fn fell(&mut self, condition: Condition, at: Ms) {
        let subject = Subject::Device(self.ix);
        let reason = self.memory.reason(condition);
        let track = self.memory.track_mut(condition);
        if track.told {
            track.told = false;
            self.facts.push(Fact::Cleared { subject, condition, at });
        } else {
            let raised = Raised {
                subject,
                condition,
                since: track.since,
                measured_at: track.measured_at,
                received_at: track.received_at,
                late_s: u32::try_from((track.received_at - track.measured_at) / 1_000).unwrap_or(0),
                test: false,
                members: Vec::new(),
                reason,
            };
            self.facts.push(Fact::Passed { raised, cleared_at: at });
        }
        if condition == Condition::SensorFault {
            self.memory.pressure_hidden = false;
            self.memory.fresh_mut().unmeasured = false;
            self.forget_pressure();
        }
        self.hydrant_changed();
    }

    /// Of a hydrant only: a detector has no water.
    fn trust_at(&self, now: Ms) -> Option<Trust> {
        let hydrant = self.device.kind == Kind::Hydrant;
        hydrant.then(|| HydrantNow::of(self.device, self.profile, self.memory, now).trust)
    }

    pub(super) fn hydrant_changed(&mut self) {
        let change = Fact::Hydrant { device: self.ix };
        if self.device.kind == Kind::Hydrant && self.facts.last() != Some(&change) {
            self.facts.push(change);
        }
    }

    /// The backlog is over: what is still true is told now.
    fn release(&mut self, now: Ms) {
        self.memory.backlog = None;
        let mut held: Vec<Condition> = self
            .memory
            .tracks
            .iter()
            .filter(|track| track.is_true() && !track.told)
            .map(|track| track.condition)
            .collect();
        held.sort_by_key(|condition| std::cmp::Reverse(condition.severity()));
        for condition in held {
            self.raise(condition, now, true, false);
        }
    }

    /// Time passed up to `now`: every deadline is applied at the moment it was due, so that it makes
    /// no difference when somebody looks.
    pub fn advance(&mut self, now: Ms, sight: Sight) {
        let mut last = None;
        while let Some(due) = self.wake(sight).filter(|due| *due <= now && last != Some(*due)) {
            self.tick(due, sight);
            last = Some(due);
        }
    }

    /// The same before a message that arrived at `at` is judged. Nobody is silent who is heard at
    /// that very moment; any other deadline of that moment comes first.
    pub fn advance_to_message(&mut self, at: Ms, sight: Sight) {
        self.advance(at - 1, sight);
        self.deadlines(at);
    }

    /// It is `now`, and nothing was due before.
    fn tick(&mut self, now: Ms, sight: Sight) {
        self.silence(now, sight);
        self.unmeasured(now, sight);
        self.deadlines(now);
    }

    /// All deadlines but those of silence.
    fn deadlines(&mut self, now: Ms) {
        self.power_on_counts(now);
        if self.backlog_ends().is_some_and(|due| now >= due) {
            self.release(now);
        }
        let device = self.ix;
        for track in &mut self.memory.tracks {
            if track.test_since.is_some_and(|since| now >= since + TEST_MS) {
                track.test_since = None;
                let condition = track.condition;
                self.facts.push(Fact::TestBecameReal { device, condition });
            }
        }
        if self
            .memory
            .evidence
            .as_ref()
            .is_some_and(|evidence| now >= evidence.alive_at + UNVERIFIED_MS)
        {
            self.memory.evidence = None;
            self.facts.push(Fact::Unverified { device, at: now });
        }
    }

    fn silence(&mut self, now: Ms, sight: Sight) {
        let Some(due) = self.offline_due(sight).filter(|due| now >= *due) else { return };
        let step = self.memory.track_mut(Condition::Offline).set(due, due);
        self.after(Condition::Offline, step, When { ts: due, at: due, late: false });
    }

    /// When the device will count as offline if nothing is heard; `None`: it does already, or the
    /// gateway cannot see.
    fn offline_due(&self, sight: Sight) -> Option<Ms> {
        if self.memory.heard_at.is_none() {
            return self.never_due(sight);
        }
        let heard = self.memory.heard_at.filter(|_| sight.up)?;
        if self.memory.is_true(Condition::Offline) || self.device.retired_at.is_some() {
            return None;
        }
        let interval = interval_ms(self.device, self.profile, self.memory);
        let after = |from: Option<Ms>| from.map_or(Ms::MIN, |from| from + interval);
        Some(if self.memory.gone {
            heard.max(after(sight.blind_until))
        } else {
            let silent = silent_after(self.device, self.profile, self.memory);
            (heard + silent).max(after(sight.grace_from))
        })
    }

    fn backlog_ends(&self) -> Option<Ms> {
        let (first, last) = self.memory.backlog?;
        Some((last + BACKLOG_QUIET_MS).min(first + BACKLOG_MAX_MS))
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn wake(&self, sight: Sight) -> Option<Ms> {
        let tests = self.memory.tracks.iter().filter_map(|track| track.test_since);
        [
            self.offline_due(sight),
            self.unmeasured_due(sight),
            self.power_on_due(),
            self.backlog_ends(),
            tests.min().map(|since| since + TEST_MS),
            self.memory.evidence.as_ref().map(|evidence| evidence.alive_at + UNVERIFIED_MS),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Evidence is asked for, or no longer.
    pub fn verify(&mut self, wanted: bool, now: Ms) {
        let fresh = Evidence { covered_ms: 0, last_good: None, alive_at: now };
        self.memory.evidence = wanted.then(|| Box::new(fresh));
    }
}
