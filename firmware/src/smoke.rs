//! A smoke detector: counts of its chamber → obscuration, dirt, and whether it burns.
//!
//! The chamber's clean-air level rises with dust over months. It is followed slowly, so that dirt
//! is no smoke; and never faster than [`DRIFT_DB_M_PER_H`], so that a smouldering fire is no
//! dirt. How far it has risen is the contamination.
//!
//! A detector that does not know how dusty its chamber is (its memory was lost, or nobody has
//! calibrated it) takes the clearest air of its first ten minutes for clean, and alarms on what
//! rises above it: dust does not come in ten minutes, and a fire does.

use heapless::Deque;
use standpipe_shared::{Celsius, DecibelsPerMetre, Measurements, Percent};

use crate::watch::{Evidence, NodeCondition};
use crate::{Fault, Seen, Smoke, Uptime};

/// `smoke` and its end, dB/m.
const SMOKE_DB_M: f32 = 0.15;
const CLEAR_DB_M: f32 = 0.075;
/// `heat` and its end, °C.
const HOT_C: f32 = 57.0;
const COOL_C: f32 = 47.0;
/// A rise of 10 °C/min, seen over at least 20 s and at most 60 s, and 5 °C at least: less is a
/// sensor's noise, or the sun.
const RISE_C_PER_S: f32 = 10.0 / 60.0;
const RISE_C: f32 = 5.0;
const RISE_MS: core::ops::RangeInclusive<u64> = 20_000..=60_000;
/// Temperatures are remembered so far apart.
const RISE_EVERY_MS: u64 = 7_500;
/// `contamination` and its end, %.
const DIRTY_PCT: f32 = 80.0;
const CLEAN_PCT: f32 = 60.0;
/// The clean-air level follows with this time constant, hours …
const DRIFT_H: f32 = 24.0;
/// … and at most this fast: a fortieth of the alarm level an hour. Fires that EN 54-7 calls
/// slow grow ten times faster [from memory].
pub const DRIFT_DB_M_PER_H: f32 = SMOKE_DB_M / 40.0;
/// So much of the chamber's range can be compensated; then it is 100 % dirty.
const DIRT_DB_M: f32 = 0.3;
/// Less light than this share of what clean air scatters, when new, is no clean air: the emitter,
/// the photodiode or the light between them is gone. Of a chamber that was not measured clean air
/// may scatter much less than of its type.
const DARK: f32 = 0.5;
const DARK_TYPICAL: f32 = 0.2;
/// So long the clearest air is looked for, when it is not known how dusty the chamber is.
const SETTLES_MS: u64 = 600_000;
/// Between two movements of the clean-air level.
const DRIFT_EVERY_MS: u64 = 600_000;
const MS_PER_H: f32 = 3_600_000.0;

/// What was measured of one chamber when it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chamber {
    /// Counts in clean air, new.
    pub clean: f32,
    /// Counts of 1 dB/m above that.
    pub per_db_m: f32,
    pub calibration: Calibration,
}

/// Whether the numbers of a chamber are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// Measured in clean air and in a smoke box, and written when the detector was made.
    Measured,
    /// Those of its type. They are taken on the safe side, and its clean air is what it finds.
    Typical,
}

impl Chamber {
    /// The blue channel of an ADPD188BI with its standard chamber, roughly (unverified): 1,500
    /// counts in clean air, and 8,000 more for 1 dB/m. A third less is reckoned with, so that a
    /// chamber that was never measured alarms early rather than late.
    pub const TYPICAL: Self =
        Self { clean: 1_500.0, per_db_m: 5_300.0, calibration: Calibration::Typical };

    /// One that was measured: counts in clean air, and of 1 dB/m above it.
    #[must_use]
    pub const fn measured(clean: f32, per_db_m: f32) -> Self {
        Self { clean, per_db_m, calibration: Calibration::Measured }
    }
}

/// Whether the clean-air level is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CleanAir {
    Known,
    /// Nothing was measured yet.
    Unseen,
    /// The clearest air is looked for at least until then.
    Settling(Uptime),
}

/// What a detector remembers of its sensors.
#[derive(Clone, Debug)]
pub struct Detector {
    chamber: Chamber,
    /// How far the clean-air level has risen since it was new, dB/m; while it is looked for, the
    /// clearest air so far.
    drift_db_m: f32,
    clean_air: CleanAir,
    /// Above clean air; `None` after a fault.
    smoke_db_m: Option<f32>,
    /// Sum and count of quiet samples since the last movement of the clean-air level.
    quiet: (f32, u16),
    drifted: Uptime,
    temp: Option<Celsius>,
    temps: Deque<(Uptime, f32), 8>,
    rising: bool,
    /// What was asked in this step and went wrong; `None`: not asked.
    asked_smoke: Option<Result<(), Fault>>,
    asked_temp: Option<Result<(), Fault>>,
}

impl Detector {
    /// A detector whose clean-air level had risen by `drift_db_m` when it was last kept; `None`:
    /// that is not known.
    #[must_use]
    pub const fn new(chamber: Chamber, drift_db_m: Option<f32>) -> Self {
        let (drift_db_m, clean_air) = match drift_db_m {
            Some(drift_db_m) => (drift_db_m, CleanAir::Known),
            None => (0.0, CleanAir::Unseen),
        };
        Self {
            chamber,
            drift_db_m,
            clean_air,
            smoke_db_m: None,
            quiet: (0.0, 0),
            drifted: Uptime(0),
            temp: None,
            temps: Deque::new(),
            rising: false,
            asked_smoke: None,
            asked_temp: None,
        }
    }

    /// Whether the numbers of its chamber are its own.
    #[must_use]
    pub const fn calibration(&self) -> Calibration {
        self.chamber.calibration
    }

    /// What must be known again after a restart: how far the clean-air level has risen, dB/m;
    /// `None` while that is being found out.
    #[must_use]
    pub const fn known_drift_db_m(&self) -> Option<f32> {
        match self.clean_air {
            CleanAir::Known => Some(self.drift_db_m),
            CleanAir::Unseen | CleanAir::Settling(_) => None,
        }
    }

    /// How far the clean-air level has risen, dB/m: kept over restarts.
    #[must_use]
    pub const fn drift_db_m(&self) -> f32 {
        self.drift_db_m
    }

    /// Takes in what was seen; true when the clean-air level has moved.
    pub fn take(&mut self, seen: &Seen, now: Uptime) -> bool {
        let smoke = seen.smoke.map(|answer| answer.and_then(|chamber| self.lit(chamber)));
        self.asked_smoke = smoke.map(|answer| answer.map(|_| ()));
        self.asked_temp = seen.temp.map(|answer| answer.map(|_| ()));
        if let Some(temp) = seen.temp {
            self.temp = temp.ok();
            self.rising = temp.is_ok_and(|celsius| self.rises(celsius.get(), now));
        }
        let Some(smoke) = smoke else { return false };
        if let Ok(chamber) = smoke {
            self.settle(chamber.blue, now);
        }
        self.smoke_db_m = smoke.ok().map(|chamber| self.above_clean(chamber.blue));
        self.clean_air == CleanAir::Known && self.drift(now)
    }

    /// A sample with the light in it that clean air scatters at least.
    #[expect(clippy::cast_precision_loss, reason = "counts of a 16-bit converter, summed")]
    fn lit(&self, chamber: Smoke) -> Result<Smoke, Fault> {
        let share = match self.chamber.calibration {
            Calibration::Measured => DARK,
            Calibration::Typical => DARK_TYPICAL,
        };
        if (chamber.blue as f32) < self.chamber.clean * share {
            Err(Fault::Dark)
        } else {
            Ok(chamber)
        }
    }

    /// Takes the clearest air for clean, while it is not known how dusty the chamber is. More than
    /// dust can be is smoke.
    fn settle(&mut self, counts: u32, now: Uptime) {
        let clearest = self.drift_db_m;
        self.drift_db_m = 0.0;
        let above = self.above_clean(counts);
        let (least, until) = match self.clean_air {
            CleanAir::Known => {
                self.drift_db_m = clearest;
                return;
            }
            CleanAir::Unseen => (above, now.after_ms(SETTLES_MS)),
            CleanAir::Settling(until) => (above.min(clearest), until),
        };
        self.drift_db_m = least.clamp(-DIRT_DB_M, DIRT_DB_M);
        // While it smells of smoke, this is no time to decide what clean air is.
        let settled = now >= until && self.above_clean(counts) < CLEAR_DB_M;
        self.clean_air = if settled { CleanAir::Known } else { CleanAir::Settling(until) };
        if settled {
            self.drifted = now;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a 16-bit converter, summed")]
    fn above_clean(&self, counts: u32) -> f32 {
        (counts as f32 - self.chamber.clean) / self.chamber.per_db_m.max(1.0) - self.drift_db_m
    }

    /// Whether it gets hot fast.
    fn rises(&mut self, temp: f32, now: Uptime) -> bool {
        while self.temps.front().is_some_and(|oldest| now.since_ms(oldest.0) > *RISE_MS.end()) {
            self.temps.pop_front();
        }
        let rises = self.temps.iter().any(|(at, then)| {
            let (over, rise) = (now.since_ms(*at), temp - then);
            #[expect(clippy::cast_precision_loss, reason = "at most 60,000")]
            let fast = rise >= RISE_C_PER_S * over as f32 / 1_000.0;
            over >= *RISE_MS.start() && rise >= RISE_C && fast
        });
        if self.temps.back().is_none_or(|newest| now.since_ms(newest.0) >= RISE_EVERY_MS) {
            if self.temps.is_full() {
                self.temps.pop_front();
            }
            // Room was just made.
            let _ = self.temps.push_back((now, temp));
        }
        rises
    }

    /// Lets the clean-air level follow what is clearly no smoke.
    fn drift(&mut self, now: Uptime) -> bool {
        let Some(smoke) = self.smoke_db_m.filter(|smoke| *smoke < CLEAR_DB_M) else {
            // Something is in the air: what was gathered may be its beginning.
            self.quiet = (0.0, 0);
            self.drifted = now;
            return false;
        };
        self.quiet = (self.quiet.0 + smoke, self.quiet.1.saturating_add(1));
        let passed = now.since_ms(self.drifted);
        if passed < DRIFT_EVERY_MS {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "an hour or so of milliseconds")]
        let hours = (passed as f32 / MS_PER_H).min(1.0);
        let mean = self.quiet.0 / f32::from(self.quiet.1.max(1));
        let most = DRIFT_DB_M_PER_H * hours;
        let step = (mean * hours / DRIFT_H).clamp(-most, most);
        self.drift_db_m = (self.drift_db_m + step).clamp(-DIRT_DB_M, DIRT_DB_M);
        self.quiet = (0.0, 0);
        self.drifted = now;
        true
    }

    /// Contamination of the chamber, %.
    #[must_use]
    pub fn dirt_pct(&self) -> f32 {
        (self.drift_db_m / DIRT_DB_M * 100.0).max(0.0)
    }

    /// The clean-air level after a service, dB/m above new; 0 after cleaning.
    pub const fn serviced(&mut self, drift_db_m: f32) {
        self.drift_db_m = drift_db_m;
        self.clean_air = CleanAir::Known;
        self.quiet = (0.0, 0);
    }

    /// Obscuration above clean air, dB/m.
    #[must_use]
    pub const fn smoke_db_m(&self) -> Option<f32> {
        self.smoke_db_m
    }

    /// What this step says of a condition.
    #[must_use]
    pub fn evidence(&self, condition: NodeCondition) -> Evidence {
        match condition {
            NodeCondition::Smoke => match (self.asked_smoke, self.smoke_db_m) {
                (None, _) => Evidence::Unasked,
                (Some(_), None) => Evidence::Between,
                (Some(_), Some(smoke)) => Evidence::of(smoke >= SMOKE_DB_M, smoke < CLEAR_DB_M),
            },
            NodeCondition::Heat => match (self.asked_temp, self.temp.map(Celsius::get)) {
                (None, _) => Evidence::Unasked,
                (Some(_), None) => Evidence::Between,
                (Some(_), Some(celsius)) => {
                    Evidence::of(celsius >= HOT_C || self.rising, celsius < COOL_C && !self.rising)
                }
            },
            NodeCondition::Contamination => match self.asked_smoke {
                Some(Ok(())) => {
                    Evidence::of(self.dirt_pct() >= DIRTY_PCT, self.dirt_pct() < CLEAN_PCT)
                }
                Some(Err(_)) | None => Evidence::Unasked,
            },
            NodeCondition::SensorFault => match (self.asked_smoke, self.asked_temp) {
                (Some(Err(_)), _) | (_, Some(Err(_))) => Evidence::True,
                (Some(Ok(())), _) => Evidence::False,
                (None, _) => Evidence::Unasked,
            },
            NodeCondition::NoWater
            | NodeCondition::LowPressure
            | NodeCondition::HydrantOpen
            | NodeCondition::Knocked
            | NodeCondition::Freezing
            | NodeCondition::BatteryLow
            | NodeCondition::Tamper => Evidence::Unasked,
        }
    }

    /// Why a sensor had no value in this step.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let of = |asked: Option<Result<(), Fault>>| asked.and_then(Result::err);
        of(self.asked_smoke).or(of(self.asked_temp))
    }

    /// Writes what it knows into a reading.
    pub fn measure(&self, values: &mut Measurements) {
        values.smoke_db_m =
            self.smoke_db_m.and_then(|smoke| DecibelsPerMetre::new(smoke.max(0.0)).ok());
        values.dirt_pct = Percent::new(self.dirt_pct()).ok();
        values.temp_c = self.temp;
    }
}
