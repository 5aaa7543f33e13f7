//! What one reading says of each condition, and how long it must go on.
//!
//! Pure functions of a reading and a profile. The stuck value, the rate of rise and the order of
//! conditions need memory: `judge`.

use standpipe_shared::{Celsius, Condition, Kilopascals, Kind, Measurements};

use super::track::{Dwell, Signal};
use crate::Ms;
use crate::registry::Profile;

/// How long a fire detector's reading must be good before the detector counts as clear.
/// The contract gives no number; one minute keeps a wavering reading from making two fires.
const FIRE_CLEAR_MS: Ms = 60_000;

fn ms(seconds: u32) -> Ms {
    Ms::from(seconds) * 1_000
}

/// How long `condition` must be bad to be true, and good to end.
#[must_use]
pub fn dwell(condition: Condition, profile: &Profile) -> Dwell {
    let at_once = Dwell { bad_readings: 1, bad_ms: 0, good_ms: 0, good_readings: 1 };
    match condition {
        Condition::Smoke => {
            Dwell { bad_readings: profile.smoke_readings, good_ms: FIRE_CLEAR_MS, ..at_once }
        }
        Condition::Heat => Dwell { good_ms: FIRE_CLEAR_MS, ..at_once },
        Condition::NoWater | Condition::LowPressure => Dwell {
            bad_readings: 2,
            bad_ms: ms(profile.low_for_s),
            good_ms: ms(profile.low_clear_for_s),
            ..at_once
        },
        Condition::HighPressure => Dwell { bad_ms: ms(profile.high_for_s), ..at_once },
        Condition::HydrantOpen => Dwell {
            bad_ms: ms(profile.open_for_s),
            good_ms: ms(profile.open_clear_for_s),
            ..at_once
        },
        Condition::Knocked => Dwell { bad_ms: ms(profile.tilt_for_s), ..at_once },
        Condition::Freezing => Dwell { bad_ms: ms(profile.freezing_for_s), ..at_once },
        Condition::SensorFault => Dwell { good_ms: ms(profile.fault_clear_for_s), ..at_once },
        Condition::BatteryLow => Dwell { bad_readings: profile.battery_readings, ..at_once },
        Condition::ClockFault => Dwell { good_readings: 3, ..at_once },
        Condition::Contamination
        | Condition::Offline
        | Condition::Tamper
        | Condition::ZoneLowPressure
        | Condition::BlindArea
        | Condition::GatewayBlind
        | Condition::UnreadableAlarm
        | Condition::NotUnderstood
        | Condition::RegistryFault
        | Condition::ReceiverDown => at_once,
    }
}

/// What a reading says of the conditions that need no memory of their own, in the order in which
/// they are judged. `latest` is what was measured last of everything, this reading included.
#[must_use]
pub fn upkeep(
    values: &Measurements,
    latest: &Measurements,
    kind: Kind,
    profile: &Profile,
) -> [(Condition, Option<Signal>); 5] {
    let hydrant = kind == Kind::Hydrant;
    [
        (Condition::HydrantOpen, hydrant_open(values, latest)),
        (Condition::Knocked, knocked(values, profile)),
        (Condition::Freezing, freezing(values, profile).filter(|_| hydrant)),
        (Condition::BatteryLow, battery_low(values, profile)),
        (Condition::Contamination, contamination(values, profile)),
    ]
}

/// Bad under `bad`, good from `good` on.
fn low(value: f32, bad: f32, good: f32) -> Signal {
    if value < bad {
        Signal::Bad
    } else if value >= good {
        Signal::Good
    } else {
        Signal::Between
    }
}

/// Bad from `bad` on, good under `good`.
fn high(value: f32, bad: f32, good: f32) -> Signal {
    if value >= bad {
        Signal::Bad
    } else if value < good {
        Signal::Good
    } else {
        Signal::Between
    }
}

/// Bad below the profile's `no_water_kpa`, good from its `no_water_clear_kpa` on.
#[must_use]
pub fn no_water(kpa: Kilopascals, profile: &Profile) -> Signal {
    low(kpa.get(), profile.no_water_kpa, profile.no_water_clear_kpa)
}

/// Bad below the profile's `min_kpa`, good by its `low_clear_margin_kpa` above that.
#[must_use]
pub fn low_pressure(kpa: Kilopascals, profile: &Profile) -> Signal {
    low(kpa.get(), profile.min_kpa, profile.min_kpa + profile.low_clear_margin_kpa)
}

/// `high_pressure`: bad over the maximum, good at the maximum less the margin.
#[must_use]
pub fn high_pressure(kpa: Kilopascals, profile: &Profile) -> Signal {
    if kpa.get() > profile.max_kpa {
        Signal::Bad
    } else if kpa.get() <= profile.max_kpa - profile.high_clear_margin_kpa {
        Signal::Good
    } else {
        Signal::Between
    }
}

/// `hydrant_open`: `None` when neither sensor spoke. One that is missing from the reading is as it
/// was when it last spoke: `latest`, which knows this reading too.
fn hydrant_open(values: &Measurements, latest: &Measurements) -> Option<Signal> {
    values.flowing.or(values.cap_open)?;
    let open = latest.flowing == Some(true) || latest.cap_open == Some(true);
    Some(if open { Signal::Bad } else { Signal::Good })
}

/// `knocked`: the angle counts in either direction.
fn knocked(values: &Measurements, profile: &Profile) -> Option<Signal> {
    let tilt = values.tilt_deg.filter(|tilt| tilt.plausible())?;
    Some(high(tilt.get().abs(), profile.tilt_deg, profile.tilt_clear_deg))
}

/// `freezing`: bad at or under the limit.
fn freezing(values: &Measurements, profile: &Profile) -> Option<Signal> {
    let temp = values.temp_c.filter(|temp| temp.plausible())?.get();
    Some(if temp <= profile.freezing_c {
        Signal::Bad
    } else if temp >= profile.freezing_clear_c {
        Signal::Good
    } else {
        Signal::Between
    })
}

/// Bad below the profile's `battery_mv`; `None`: it did not say how its battery is.
fn battery_low(values: &Measurements, profile: &Profile) -> Option<Signal> {
    let mv = values.battery_mv?;
    Some(if mv < profile.battery_mv {
        Signal::Bad
    } else if mv >= profile.battery_mv.saturating_add(profile.battery_clear_margin_mv) {
        Signal::Good
    } else {
        Signal::Between
    })
}

/// Bad from the profile's `dirt_pct` on; `None`: it did not say, or nothing that can be.
fn contamination(values: &Measurements, profile: &Profile) -> Option<Signal> {
    let dirt = values.dirt_pct.filter(|dirt| dirt.plausible())?;
    Some(high(dirt.get(), profile.dirt_pct, profile.dirt_clear_pct))
}

/// `smoke`: an absurdly high value is still smoke, since an alarm is never dropped.
#[must_use]
pub fn smoke(values: &Measurements, profile: &Profile) -> Option<Signal> {
    Some(high(values.smoke_db_m?.get(), profile.smoke_db_m, profile.smoke_db_m))
}

/// `heat` by its value alone; the rate of rise needs memory.
#[must_use]
pub fn heat(temp: Celsius, profile: &Profile) -> Signal {
    high(temp.get(), profile.heat_c, profile.heat_c)
}

/// Whether the reading's pressure, or the loop it came by, cannot be so.
#[must_use]
pub fn pressure_broken(values: &Measurements, profile: &Profile) -> bool {
    let wire = |ma: f32| ma < profile.loop_min_ma || ma > profile.loop_max_ma;
    values.loop_ma.is_some_and(|ma| wire(ma.get()))
        || values.pressure_kpa.is_some_and(|kpa| !kpa.plausible())
}

/// Whether another sensor than that of pressure cannot be so.
#[must_use]
pub fn other_broken(values: &Measurements) -> bool {
    values.temp_c.is_some_and(|temp| !temp.plausible())
        || values.tilt_deg.is_some_and(|tilt| !tilt.plausible())
        || values.smoke_db_m.is_some_and(|smoke| !smoke.plausible())
        || values.dirt_pct.is_some_and(|dirt| !dirt.plausible())
}
