//! Whether a hydrant can be sent to. `out_of_service` is not decided here: it is a matter of
//! maintenance, which the incidents know.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Condition, Kilopascals};

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
    /// Not heard for two intervals, offline, or its sensor is broken: nobody knows.
    Stale,
    /// Pressure is under the minimum.
    Low,
    /// Somebody draws water from it.
    InUse,
    /// It has water.
    Ok,
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
}

/// Intervals after which a hydrant's last word is old.
const FRESH_INTERVALS: Ms = 2;

impl HydrantNow {
    /// What is known at `now`, maintenance aside.
    #[must_use]
    pub fn of(device: &Device, profile: &Profile, memory: &Memory, now: Ms) -> Self {
        let is = |condition| memory.is_true(condition);
        let fresh = FRESH_INTERVALS * interval_ms(device, profile, memory);
        let heard = memory.heard_at.is_some_and(|at| now - at <= fresh);
        let hidden = is(Condition::Offline) || is(Condition::SensorFault);
        let pressure_kpa = memory.latest.pressure_kpa.map(Kilopascals::get);
        let trust = if is(Condition::NoWater) {
            Trust::NoWater
        } else if hidden || !heard || pressure_kpa.is_none() {
            Trust::Stale
        } else if is(Condition::LowPressure) {
            Trust::Low
        } else if is(Condition::HydrantOpen) {
            Trust::InUse
        } else {
            Trust::Ok
        };
        Self { pressure_kpa, measured_at: memory.newest, trust }
    }
}
