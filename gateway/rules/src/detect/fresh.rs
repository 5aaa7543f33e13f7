//! When each measurement was made, and what follows from that: a device that is heard has not
//! measured.
//!
//! Here are the newest pressure and what it says on its own, the fault of a hydrant that speaks
//! without measuring, and the value that a temperature sensor shows before it has measured at
//! all. Whether a hydrant is trusted is decided in `trust.rs`.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Celsius, Condition, Field, Kind, Measurements};

use super::judge::{Judge, Sight, When, interval_ms, late_after, silent_after};
use super::memory::Memory;
use super::signals;
use super::track::Signal;
use crate::Ms;
use crate::changes::Logged;
use crate::fact::Reason;
use crate::registry::Profile;
use crate::shift::{maybe, moment};

/// What a DS18B20 answers between power-on and its first conversion, °C. Source: Maxim DS18B20
/// data sheet, "Temperature register: power-on reset value +85 °C".
const POWER_ON_C: f32 = 85.0;
/// How long such a value waits for the next temperature before it counts.
const POWER_ON_MS: Ms = 60_000;

/// What is remembered of the times of a device's measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fresh {
    /// Event time of the newest value of each measurement, in the order of [`Field::ALL`];
    /// 0: it was never measured.
    at: [Ms; Field::ALL.len()],
    /// The newest pressure that says something of the water; `None`: none does, or a fault or a
    /// gap lies behind the last one.
    pub water: Option<Water>,
    /// Arrival of the newest pressure, whatever it was worth, or of an alarm about the water.
    pub water_heard: Option<Ms>,
    /// Arrival of the first message since the device was last silent.
    pub speaks_since: Option<Ms>,
    /// `sensor_fault` is true, and one reason is that no pressure comes.
    pub unmeasured: bool,
    /// From when on it counts that the device was never heard, where that is not the first start
    /// of the gateway.
    pub supervised_since: Option<Ms>,
    power_on: PowerOn,
    /// Fingerprint of the newest reading whose number could not be read; 0: none came.
    lost_print: u32,
}

/// The newest pressure, and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Water {
    pub kpa: f32,
    /// Its event time.
    pub at: Ms,
    /// The pressure measured before it in the same run, kPa.
    before_kpa: Option<f32>,
}

/// What a pressure says of the water by itself, conditions aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaterSays {
    /// It is at or above the clear limit, or a second reading is at or above the minimum.
    Good,
    /// It is below the clear limit, and no second reading says which it is.
    One,
    /// It is below the minimum, as was the one before, but not for long enough.
    Low,
}

/// The first temperature after power-on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PowerOn {
    /// The boot of the newest temperature, where the device counts its boots.
    boot: Option<u32>,
    /// Event time and arrival of a value that may be none.
    held: Option<(Ms, Ms)>,
}

impl Default for Fresh {
    fn default() -> Self {
        Self::NONE
    }
}

impl Fresh {
    /// The gateway's clock was set by so much.
    pub(super) fn shift(&mut self, by: Ms) {
        let Self {
            at,
            water,
            water_heard,
            speaks_since,
            unmeasured: _,
            supervised_since,
            power_on,
            lost_print: _,
        } = self;
        at.iter_mut().for_each(|at| moment(at, by));
        if let Some(Water { kpa: _, at, before_kpa: _ }) = water {
            moment(at, by);
        }
        for at in [water_heard, speaks_since, supervised_since] {
            maybe(at, by);
        }
        let PowerOn { boot: _, held } = power_on;
        if let Some((measured, arrived)) = held {
            moment(measured, by);
            moment(arrived, by);
        }
    }
}

impl Fresh {
    /// Nothing was measured yet.
    pub const NONE: Self = Self {
        at: [0; Field::ALL.len()],
        water: None,
        water_heard: None,
        speaks_since: None,
        unmeasured: false,
        supervised_since: None,
        power_on: PowerOn { boot: None, held: None },
        lost_print: 0,
    };

    /// What can be said for a memory of 0.1.0, which kept one time for all measurements. Where
    /// the pressure had just changed, its own time is known from the watch over stuck values;
    /// else it is taken for as new as anything, which is at most two intervals too kind.
    pub(super) fn guessed(old: &Memory) -> Option<Box<Self>> {
        let newest = old.newest?;
        let mut fresh = Self { speaks_since: old.heard_at, ..Self::NONE };
        for field in Field::ALL.into_iter().filter(|field| old.latest.get(*field).is_some()) {
            fresh.note(field, newest);
        }
        if let Some(kpa) = old.latest.pressure_kpa {
            let at = if old.stuck.count == 1 { old.stuck.since } else { newest };
            fresh.note(Field::PressureKpa, at);
            fresh.water_heard = old.heard_at;
            fresh.see_water(kpa.get(), at);
        }
        Some(Box::new(fresh))
    }

    /// When the newest value of a measurement was measured.
    #[must_use]
    pub fn measured(&self, field: Field) -> Option<Ms> {
        self.at.get(field as usize).copied().filter(|at| *at != 0)
    }

    fn note(&mut self, field: Field, at: Ms) {
        if let Some(place) = self.at.get_mut(field as usize) {
            *place = at;
        }
    }

    /// A pressure, kPa, that says something of the water. The same moment measured again is no second
    /// reading.
    pub fn see_water(&mut self, kpa: f32, at: Ms) {
        let before_kpa = self.water.and_then(|last| match last.at < at {
            true => Some(last.kpa),
            false => last.before_kpa,
        });
        self.water = Some(Water { kpa, at, before_kpa });
    }
}

impl Water {
    /// What it says under the limits of this profile.
    #[must_use]
    pub fn says(&self, profile: &Profile) -> WaterSays {
        let minimum = profile.min_kpa.max(profile.no_water_kpa);
        let clear =
            (profile.min_kpa + profile.low_clear_margin_kpa).max(profile.no_water_clear_kpa);
        let second = self.before_kpa.is_some_and(|before| before < clear);
        if self.kpa >= clear || second && self.kpa >= minimum {
            WaterSays::Good
        } else if second {
            WaterSays::Low
        } else {
            WaterSays::One
        }
    }
}

impl Memory {
    /// The times of its measurements.
    #[must_use]
    pub fn fresh(&self) -> &Fresh {
        self.fresh.as_deref().unwrap_or(&Fresh::NONE)
    }

    /// The same, to be changed.
    pub fn fresh_mut(&mut self) -> &mut Fresh {
        self.fresh.get_or_insert_default()
    }

    /// When the device last measured what it is there for: a hydrant its pressure, a detector
    /// smoke, temperature or dirt.
    #[must_use]
    pub fn measured_at(&self, kind: Kind) -> Option<Ms> {
        let fields: &[Field] = match kind {
            Kind::Hydrant => &[Field::PressureKpa],
            Kind::Smoke => &[Field::SmokeDbM, Field::TempC, Field::DirtPct],
        };
        fields.iter().filter_map(|field| self.fresh().measured(*field)).max()
    }

    /// Whether a reading whose number could not be read may be one that came before: all that it
    /// measured is what is known anyway, and so is its time, if it says one. It is remembered.
    pub fn repeats(&mut self, values: &Measurements, logged: &Logged) -> bool {
        let before = std::mem::replace(&mut self.fresh_mut().lost_print, logged.print);
        let measured = |field| values.get(field).is_some();
        let known = |field| !measured(field) || values.get(field) == self.latest.get(field);
        let says_a_time = logged.clock_bad.is_some();
        let of_that_time =
            |field| measured(field) && self.fresh().measured(field) == Some(logged.ts);
        let same_time = before == logged.print || Field::ALL.into_iter().any(of_that_time);
        Field::ALL.into_iter().all(known) && (!says_a_time || same_time)
    }

    /// Takes in what was measured at `ts`.
    pub fn take_in(&mut self, values: &Measurements, ts: Ms) {
        for field in Field::ALL {
            if let Some(value) = values.get(field) {
                // A value that was read is finite.
                let _ = self.latest.set(field, value);
                self.fresh_mut().note(field, ts);
            }
        }
    }

    /// The measurements and their times, those that were ever made.
    pub fn latest_at(&self) -> impl Iterator<Item = (Field, Ms)> {
        let time = |field| Some((field, self.fresh().measured(field)?));
        Field::ALL.into_iter().filter(|field| self.latest.get(*field).is_some()).filter_map(time)
    }

    /// Why a condition is true, where it can be true in more than one way.
    #[must_use]
    pub fn reason(&self, condition: Condition) -> Option<Reason> {
        if condition == Condition::Offline && self.heard_at.is_none() {
            Some(Reason::Never)
        } else if condition == Condition::SensorFault && self.fresh().unmeasured {
            Some(Reason::NoMeasurement)
        } else {
            None
        }
    }
}

/// With what a reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameWith {
    /// Nothing: it is telemetry.
    Nothing,
    Alarm,
}

impl Judge<'_> {
    /// Each value of a reading, and when it was measured. Runs of pressure do not go on across a
    /// gap in them as long as a silence, whatever else was measured meanwhile.
    pub(super) fn remember(&mut self, values: &Measurements, when: When) {
        if values.pressure_kpa.is_some() {
            let silent = silent_after(self.device, self.profile, self.memory);
            let before = self.memory.fresh().measured(Field::PressureKpa);
            let hid = self.memory.clockwork.as_ref().is_some_and(|clock| clock.hid_some());
            if before.is_some_and(|before| when.ts - before >= silent && !hid) {
                self.forget_pressure();
            }
            self.memory.fresh_mut().water_heard = Some(when.at);
        }
        self.memory.take_in(values, when.ts);
    }

    /// What a reading that another one has overtaken still tells: the measurements that were made
    /// after the newest of their own kind.
    #[must_use]
    pub fn overtaken(&self, values: &Measurements, ts: Ms) -> Measurements {
        let mut newer = Measurements::default();
        for field in Field::ALL {
            let known = self.memory.fresh().measured(field).is_some_and(|at| at >= ts);
            if let Some(value) = values.get(field).filter(|_| !known) {
                // A value that was read is finite.
                let _ = newer.set(field, value);
            }
        }
        newer
    }

    /// An alarm: one about the water tells of it as a pressure does.
    pub(super) fn cried(&mut self, condition: Condition, at: Ms) {
        if matches!(
            condition,
            Condition::NoWater | Condition::LowPressure | Condition::HighPressure
        ) {
            self.memory.fresh_mut().water_heard = Some(at);
        }
    }

    /// A reading of equal content whose number cannot be read: it may be the same one, delivered
    /// again. It is as fresh as it says, and confirms nothing.
    pub(super) fn repeated(&mut self, values: &Measurements, when: When) {
        self.memory.newest = self.memory.newest.max(Some(when.ts));
        self.memory.take_in(values, when.ts);
        if values.pressure_kpa.is_some() {
            let fresh = self.memory.fresh_mut();
            fresh.water_heard = Some(when.at);
            if let Some(water) = &mut fresh.water {
                water.at = water.at.max(when.ts);
            }
        }
    }

    /// A pressure that no fault hides.
    pub(super) fn see_water(&mut self, kpa: f32, when: When) {
        self.memory.fresh_mut().see_water(kpa, when.ts);
    }

    /// The device is heard: if it was silent, it speaks since now.
    pub(super) fn speaks(&mut self, at: Ms) {
        if self.memory.heard_at.is_none() || self.memory.is_true(Condition::Offline) {
            self.memory.fresh_mut().speaks_since = Some(at);
        }
    }

    /// When a hydrant that speaks and measures no pressure counts as broken; `None`: it measures,
    /// is silent itself, is known to be broken so, or need not measure.
    pub(super) fn unmeasured_due(&self, sight: Sight) -> Option<Ms> {
        let heard = self.memory.heard_at.filter(|_| sight.up)?;
        let known = self.device.claimed || self.memory.latest.pressure_kpa.is_some();
        let measures = self.device.kind == Kind::Hydrant && known;
        let fresh = self.memory.fresh();
        if !measures || fresh.unmeasured || self.memory.is_true(Condition::Offline) {
            return None;
        }
        let from = fresh.water_heard.max(fresh.speaks_since)?;
        let interval = interval_ms(self.device, self.profile, self.memory);
        let silent = silent_after(self.device, self.profile, self.memory);
        // Who said nothing at all in the last of these intervals is silent, not broken.
        let speaks = heard - from >= silent - interval;
        let seen = sight.grace_from.map_or(Ms::MIN, |from| from + interval);
        speaks.then_some((from + silent).max(seen))
    }

    /// It speaks, and has not measured for too long. If another sensor's fault is known already,
    /// that one goes on until pressure comes.
    pub(super) fn unmeasured(&mut self, now: Ms, sight: Sight) {
        let Some(due) = self.unmeasured_due(sight).filter(|due| now >= *due) else { return };
        self.memory.fresh_mut().unmeasured = true;
        self.memory.pressure_hidden = true;
        self.forget_pressure();
        if self.memory.is_true(Condition::SensorFault) {
            self.memory.track_mut(Condition::SensorFault).forget_runs();
            return self.hydrant_changed();
        }
        let step = self.memory.track_mut(Condition::SensorFault).set(due, due);
        self.after(Condition::SensorFault, step, When { ts: due, at: due, late: false });
    }

    /// What of a reading counts now: all of it, but for a temperature that may be what a sensor
    /// shows before it has measured. That one waits for the next temperature, or for a minute.
    pub fn without_power_on(
        &mut self,
        mut values: Measurements,
        logged: &Logged,
        came_with: CameWith,
    ) -> Measurements {
        let temp = values.temp_c.filter(|temp| temp.plausible() && self.detects_heat());
        let Some(temp) = temp else { return values };
        let silent = silent_after(self.device, self.profile, self.memory);
        let fresh = self.memory.fresh();
        let before = fresh.measured(Field::TempC);
        let first = match logged.boot {
            Some(boot) => fresh.power_on.boot != Some(boot),
            None => before.is_none_or(|before| logged.ts - before >= silent),
        };
        let power_on = &mut self.memory.fresh_mut().power_on;
        power_on.boot = logged.boot;
        if first && temp.get() == POWER_ON_C && came_with == CameWith::Nothing {
            // One that starts again and again says so for a minute, not for ever.
            power_on.held.get_or_insert((logged.ts, logged.arrived));
            values.temp_c = None;
            return values;
        }
        let held = power_on.held.take();
        let hot = signals::heat(temp, self.profile) == Signal::Bad;
        if let Some((ts, _)) = held.filter(|_| hot) {
            self.memory.track_mut(Condition::Heat).bad_since(ts);
        }
        values
    }

    /// Whether a temperature can tell a fire: a hydrant in the sun is hot, so it must be a
    /// detector's, or that of a device nobody has claimed yet.
    pub(super) fn detects_heat(&self) -> bool {
        self.device.kind == Kind::Smoke || !self.device.claimed
    }

    /// When a temperature that was held back counts.
    pub(super) fn power_on_due(&self) -> Option<Ms> {
        self.memory.fresh().power_on.held.map(|(_, at)| at + POWER_ON_MS)
    }

    /// Nothing came that says otherwise: it is as hot as was said.
    pub(super) fn power_on_counts(&mut self, now: Ms) {
        let Some(due) = self.power_on_due().filter(|due| now >= *due) else { return };
        let Some((ts, at)) = self.memory.fresh_mut().power_on.held.take() else { return };
        let Ok(temp) = Celsius::new(POWER_ON_C) else { return };
        self.memory.latest.temp_c = Some(temp);
        self.memory.fresh_mut().note(Field::TempC, ts);
        let late = at - ts > late_after(self.device, self.profile, self.memory);
        let when = When { ts, at: due, late };
        self.signal(Condition::Heat, signals::heat(temp, self.profile), when);
    }
}
