//! A hydrant node: what its pressure, its caps, its lean and its water's temperature mean.
//!
//! When it reports is in `report`, what follows from a condition in `node`.

use standpipe_shared::{Celsius, Degrees, Kilopascals, Measurements, Milliamps, Settings};

use crate::filter::{Extremes, Median};
use crate::watch::{Evidence, NodeCondition};
use crate::{Contacts, Fault, Pressure, Seen, Uptime};

/// `no_water` ends this far above its limit, kPa (20 → 50).
const WET_MARGIN_KPA: f32 = 30.0;
/// `low_pressure` ends this far above its limit, kPa.
const LOW_MARGIN_KPA: f32 = 10.0;
/// Leaning and upright, degrees.
const LEANS_DEG: f32 = 30.0;
const UPRIGHT_DEG: f32 = 15.0;
/// `freezing` and its end, °C.
const FREEZES_C: f32 = 2.0;
const THAWS_C: f32 = 4.0;
/// The same value so often …
const STUCK_SAMPLES: u32 = 30;
/// … and for so long is a stuck sensor, if it is one that tells small steps …
const STUCK_MS: u64 = 1_800_000;
const FINE_KPA: f32 = 0.5;
/// … and for so long one that does not: a calm main moves by less than it can tell.
const STUCK_COARSE_MS: u64 = 86_400_000;
/// … unless the pipe is nearly empty, which reads a constant 0.
const STUCK_FROM_KPA: f32 = 50.0;

/// For so long after a sensor had no value, `no_water` is not believed while its fault lasts.
const DOUBTFUL_MS: u64 = 300_000;

/// A value that does not move.
#[derive(Clone, Copy, Debug)]
struct Still {
    kpa: f32,
    samples: u32,
    since: Uptime,
    /// The smallest step that was ever seen: what this transmitter can tell.
    finest_kpa: f32,
}

impl Default for Still {
    fn default() -> Self {
        Self { kpa: 0.0, samples: 0, since: Uptime(0), finest_kpa: f32::INFINITY }
    }
}

impl Still {
    fn push(&mut self, kpa: f32, now: Uptime) {
        if self.samples > 0 && kpa.to_bits() == self.kpa.to_bits() {
            self.samples = self.samples.saturating_add(1);
            return;
        }
        if self.samples > 0 {
            self.finest_kpa = self.finest_kpa.min((kpa - self.kpa).abs());
        }
        (self.kpa, self.samples, self.since) = (kpa, 1, now);
    }

    fn stuck(&self, now: Uptime) -> bool {
        let after_ms = if self.finest_kpa < FINE_KPA { STUCK_MS } else { STUCK_COARSE_MS };
        self.samples >= STUCK_SAMPLES
            && now.since_ms(self.since) >= after_ms
            && self.kpa >= STUCK_FROM_KPA
    }
}

/// What a hydrant node remembers of its sensors.
#[derive(Clone, Debug, Default)]
pub struct Hydrant {
    /// The median; `None` after a fault.
    kpa: Option<f32>,
    median: Median,
    extremes: Extremes,
    still: Still,
    /// When it had no value last.
    failed: Option<Uptime>,
    loop_ma: Option<Milliamps>,
    contacts: Contacts,
    tilt: Option<Degrees>,
    /// With the same hysteresis as `knocked`, and without its dwell.
    leans: bool,
    temp: Option<Celsius>,
    /// What the pressure sensor said in this step: `None`: it was not asked.
    asked: Option<Result<(), Fault>>,
    fresh_tilt: bool,
    fresh_temp: bool,
}

impl Hydrant {
    /// Takes in what was seen.
    pub fn take(&mut self, seen: &Seen, now: Uptime) {
        self.contacts = seen.contacts;
        self.asked = None;
        if let Some(pressure) = seen.pressure {
            self.pressure(pressure, now);
        }
        self.fresh_tilt = seen.tilt.is_some();
        self.fresh_temp = seen.temp.is_some();
        if let Some(tilt) = seen.tilt {
            self.tilt = tilt.ok();
            let limit = if self.leans { UPRIGHT_DEG } else { LEANS_DEG };
            self.leans = tilt.map_or(self.leans, |tilt| tilt.get() >= limit);
        }
        if let Some(temp) = seen.temp {
            self.temp = temp.ok();
        }
    }

    fn pressure(&mut self, pressure: Pressure, now: Uptime) {
        self.loop_ma = pressure.loop_ma;
        let sound = pressure
            .kpa
            .and_then(|kpa| if kpa.plausible() { Ok(kpa.get()) } else { Err(Fault::OutOfRange) });
        self.asked = Some(sound.map(|_| ()));
        if let Ok(kpa) = sound {
            self.kpa = Some(self.median.push(kpa));
            self.extremes.push(kpa);
            self.still.push(kpa, now);
        } else {
            self.failed = Some(now);
            self.kpa = None;
            self.median.clear();
        }
    }

    /// What this step says of a condition. `active` answers which ones are shouted now.
    pub fn evidence(
        &self,
        condition: NodeCondition,
        settings: &Settings,
        active: impl Fn(NodeCondition) -> bool,
        now: Uptime,
    ) -> Evidence {
        match condition {
            NodeCondition::NoWater | NodeCondition::LowPressure => {
                if self.asked.is_none() {
                    return Evidence::Unasked;
                }
                // A broken wire is not an empty main. One that was stuck and moves is none any more.
                let failed = self.failed.is_some_and(|at| now.since_ms(at) < DOUBTFUL_MS);
                let doubtful = failed || self.still.stuck(now);
                let doubtful = doubtful && active(NodeCondition::SensorFault);
                let Some(kpa) = self.kpa.filter(|_| !doubtful) else {
                    return Evidence::Between;
                };
                let (limit, margin) = if condition == NodeCondition::NoWater {
                    (settings.no_water_kpa.get(), WET_MARGIN_KPA)
                } else {
                    (settings.low_kpa.get(), LOW_MARGIN_KPA)
                };
                Evidence::of(kpa < limit, kpa >= limit + margin)
            }
            NodeCondition::SensorFault => {
                let empty = active(NodeCondition::NoWater) || active(NodeCondition::LowPressure);
                match self.asked {
                    None => Evidence::Unasked,
                    Some(Err(_)) => Evidence::True,
                    Some(Ok(())) if !empty && self.still.stuck(now) => Evidence::True,
                    Some(Ok(())) => Evidence::False,
                }
            }
            NodeCondition::HydrantOpen => match (self.contacts.flowing, self.contacts.cap_open) {
                (None, None) => Evidence::Unasked,
                (flowing, cap) => {
                    Evidence::contact(Some(flowing == Some(true) || cap == Some(true)))
                }
            },
            NodeCondition::Knocked => match self.tilt.filter(|_| self.fresh_tilt) {
                None => Evidence::Unasked,
                Some(tilt) => Evidence::of(tilt.get() >= LEANS_DEG, tilt.get() < UPRIGHT_DEG),
            },
            NodeCondition::Freezing => match self.temp.filter(|_| self.fresh_temp) {
                None => Evidence::Unasked,
                Some(celsius) => Evidence::of(celsius.get() <= FREEZES_C, celsius.get() >= THAWS_C),
            },
            NodeCondition::Smoke
            | NodeCondition::Heat
            | NodeCondition::BatteryLow
            | NodeCondition::Contamination
            | NodeCondition::Tamper => Evidence::Unasked,
        }
    }

    /// The filtered pressure, kPa.
    #[must_use]
    pub const fn kpa(&self) -> Option<f32> {
        self.kpa
    }

    /// What must be reported at once when it changes: open, running, leaning.
    #[must_use]
    pub fn shape(&self) -> u8 {
        [self.contacts.flowing == Some(true), self.contacts.cap_open == Some(true), self.leans]
            .into_iter()
            .fold(0, |bits, low| bits << 1 | u8::from(low))
    }

    /// Why the pressure sensor had no value in this step.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.asked?.err()
    }

    /// Writes what it knows into a reading.
    pub fn measure(&self, values: &mut Measurements) {
        values.pressure_kpa = self.kpa.and_then(|kpa| Kilopascals::new(kpa).ok());
        if let Some((low, high)) = self.extremes.get().filter(|_| self.kpa.is_some()) {
            values.pressure_min_kpa = Kilopascals::new(low).ok();
            values.pressure_max_kpa = Kilopascals::new(high).ok();
        }
        values.loop_ma = self.loop_ma;
        values.flowing = self.contacts.flowing;
        values.cap_open = self.contacts.cap_open;
        values.tilt_deg = self.tilt;
        values.temp_c = self.temp;
    }

    /// A reading has gone: the extremes begin anew.
    pub const fn reported(&mut self) {
        self.extremes.clear();
    }
}
