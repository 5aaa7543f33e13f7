//! Whether a hydrant can be sent to. `out_of_service` is not decided here: it is a matter of
//! maintenance, which the incidents know.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Condition, Field, Kilopascals};

use super::fresh::WaterSays;
use super::judge::interval_ms;
use super::memory::Memory;
use crate::Ms;
use crate::registry::{Device, Profile};

/// What can be said of a hydrant's water, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Under maintenance.
    OutOfService,
    /// The pipe is empty.
    NoWater,
    /// No pressure for two intervals, offline, or its sensor is broken: nobody knows.
    Stale,
    /// Pressure is under the minimum.
    Low,
    /// One reading is below the clear limit, and no second one has said yet which it is.
    Unconfirmed,
    /// What it measures is doubted.
    Suspect,
    /// Somebody draws water from it.
    InUse,
    /// It has water.
    Ok,
}

/// Why a hydrant is trusted no further: a code, put into words by whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustReason {
    /// Work on it is announced.
    Maintenance,
    /// `no_water` is true.
    NoWater,
    /// `offline` is true.
    Offline,
    /// `sensor_fault` is true.
    SensorFault,
    /// `sensor_fault` is true: it speaks, and no pressure comes.
    NoMeasurement,
    /// No pressure was ever measured.
    NeverMeasured,
    /// The newest pressure is older than two intervals.
    TooOld,
    /// `low_pressure` is true.
    LowPressure,
    /// One reading is below the clear limit.
    OneLowReading,
    /// More than one reading is below the limit, and not yet for as long as `low_pressure` needs.
    LowReadings,
    /// Water flows, or a cap is off.
    HydrantOpen,
}

/// A hydrant as a fire engine's crew wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HydrantNow {
    /// The newest pressure, kPa.
    pub pressure_kpa: Option<f32>,
    /// Its event time.
    pub measured_at: Option<Ms>,
    /// What can be said of it.
    pub trust: Trust,
    /// Why it is not `ok`.
    pub reason: Option<TrustReason>,
}

impl HydrantNow {
    /// Nothing is known of it.
    pub const UNKNOWN: Self = Self {
        pressure_kpa: None,
        measured_at: None,
        trust: Trust::Stale,
        reason: Some(TrustReason::NeverMeasured),
    };

    /// The same hydrant while work on it is announced.
    #[must_use]
    pub const fn out_of_service(self) -> Self {
        Self { trust: Trust::OutOfService, reason: Some(TrustReason::Maintenance), ..self }
    }
}

/// Intervals after which a pressure is old.
const FRESH_INTERVALS: Ms = 2;

impl HydrantNow {
    /// What is known at `now`, maintenance aside.
    #[must_use]
    pub fn of(device: &Device, profile: &Profile, memory: &Memory, now: Ms) -> Self {
        let is = |condition| memory.is_true(condition);
        let fresh = FRESH_INTERVALS * interval_ms(device, profile, memory);
        let water = memory.fresh().water.filter(|water| now - water.at <= fresh);
        let says = water.map(|water| water.says(profile));
        let pressure_kpa = memory.latest.pressure_kpa.map(Kilopascals::get);
        let (trust, reason) = if is(Condition::NoWater) {
            (Trust::NoWater, Some(TrustReason::NoWater))
        } else if is(Condition::Offline) {
            (Trust::Stale, Some(TrustReason::Offline))
        } else if is(Condition::SensorFault) && memory.fresh().unmeasured {
            (Trust::Stale, Some(TrustReason::NoMeasurement))
        } else if is(Condition::SensorFault) {
            (Trust::Stale, Some(TrustReason::SensorFault))
        } else if pressure_kpa.is_none() {
            (Trust::Stale, Some(TrustReason::NeverMeasured))
        } else if says.is_none() {
            (Trust::Stale, Some(TrustReason::TooOld))
        } else if is(Condition::LowPressure) {
            (Trust::Low, Some(TrustReason::LowPressure))
        } else if says == Some(WaterSays::One) {
            (Trust::Unconfirmed, Some(TrustReason::OneLowReading))
        } else if says == Some(WaterSays::Low) {
            (Trust::Unconfirmed, Some(TrustReason::LowReadings))
        } else if is(Condition::HydrantOpen) {
            (Trust::InUse, Some(TrustReason::HydrantOpen))
        } else {
            (Trust::Ok, None)
        };
        let measured_at = memory.fresh().measured(Field::PressureKpa);
        Self { pressure_kpa, measured_at, trust, reason }
    }
}
