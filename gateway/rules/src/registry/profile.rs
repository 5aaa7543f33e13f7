//! The numbers that judge a device. Every one can be changed in `[profile.NAME]`.
//!
//! A profile in the configuration starts from `base` (a built-in one) and changes what it names.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use standpipe_shared::Kind;

/// Limits, dwell times and margins. Units are in the names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Whether a hydrant of this profile can feed a fire engine: `indoor*` can't.
    pub outdoor: bool,
    /// Seconds between readings, where neither registry nor device says.
    pub interval_s: u32,

    /// `low_pressure` under this. Municipal: 0.14 MPa at rest, GB 50974-2014 §7.2.8.
    pub min_kpa: f32,
    /// `high_pressure` over this.
    pub max_kpa: f32,
    /// `low_pressure` and `no_water`: for this long, and at least two readings.
    pub low_for_s: u32,
    /// `low_pressure` ends this far above `min_kpa` …
    pub low_clear_margin_kpa: f32,
    /// … held for this long; also `no_water`'s.
    pub low_clear_for_s: u32,
    /// `no_water` under this.
    pub no_water_kpa: f32,
    /// `no_water` ends at this.
    pub no_water_clear_kpa: f32,
    /// `high_pressure` for this long.
    pub high_for_s: u32,
    /// `high_pressure` ends this far below `max_kpa`.
    pub high_clear_margin_kpa: f32,

    /// `hydrant_open` for this long.
    pub open_for_s: u32,
    /// `hydrant_open` ends when shut for this long.
    pub open_clear_for_s: u32,
    /// `knocked` at this angle. Published designs: 30° and 45°.
    pub tilt_deg: f32,
    /// `knocked` ends under this angle.
    pub tilt_clear_deg: f32,
    /// `knocked` for this long.
    pub tilt_for_s: u32,
    /// `freezing` at or under this.
    pub freezing_c: f32,
    /// `freezing` ends at this.
    pub freezing_clear_c: f32,
    /// `freezing` for this long.
    pub freezing_for_s: u32,

    /// `sensor_fault` under this loop current. NAMUR NE 43.
    pub loop_min_ma: f32,
    /// `sensor_fault` over this loop current. NAMUR NE 43.
    pub loop_max_ma: f32,
    /// `sensor_fault` when pressure does not move for this many readings …
    pub stuck_readings: u32,
    /// … and this long …
    pub stuck_for_s: u32,
    /// … but never below this: an empty pipe reads a constant 0.
    pub stuck_above_kpa: f32,
    /// `sensor_fault` ends when good for this long.
    pub fault_clear_for_s: u32,
    /// `battery_low` under this …
    pub battery_mv: i32,
    /// … for this many readings.
    pub battery_readings: u8,
    /// `battery_low` ends this far above.
    pub battery_clear_margin_mv: i32,

    /// `smoke` at this obscuration …
    pub smoke_db_m: f32,
    /// … for this many readings.
    pub smoke_readings: u8,
    /// `heat` at this temperature.
    pub heat_c: f32,
    /// `heat` at this rate of rise between readings at most 60 s apart.
    pub heat_rise_c_per_min: f32,
    /// `contamination` at this.
    pub dirt_pct: f32,
    /// `contamination` ends under this.
    pub dirt_clear_pct: f32,

    /// `offline` after this many intervals of silence …
    pub offline_intervals: u32,
    /// … and at least this long.
    pub offline_min_s: u32,
}

impl Profile {
    const BASE: Self = Self {
        outdoor: true,
        interval_s: 900,
        min_kpa: 140.0,
        max_kpa: 1_000.0,
        low_for_s: 30,
        low_clear_margin_kpa: 10.0,
        low_clear_for_s: 60,
        no_water_kpa: 20.0,
        no_water_clear_kpa: 50.0,
        high_for_s: 60,
        high_clear_margin_kpa: 50.0,
        open_for_s: 10,
        open_clear_for_s: 60,
        tilt_deg: 30.0,
        tilt_clear_deg: 15.0,
        tilt_for_s: 10,
        freezing_c: 2.0,
        freezing_clear_c: 4.0,
        freezing_for_s: 600,
        loop_min_ma: 3.6,
        loop_max_ma: 21.0,
        stuck_readings: 30,
        stuck_for_s: 1_800,
        stuck_above_kpa: 50.0,
        fault_clear_for_s: 300,
        battery_mv: 3_300,
        battery_readings: 3,
        battery_clear_margin_mv: 100,
        smoke_db_m: 0.15,
        smoke_readings: 2,
        heat_c: 57.0,
        heat_rise_c_per_min: 10.0,
        dirt_pct: 80.0,
        dirt_clear_pct: 60.0,
        offline_intervals: 3,
        offline_min_s: 300,
    };

    /// What judges a device whose profile is unknown: `municipal` or `smoke_home`.
    #[must_use]
    pub fn default_of(kind: Kind) -> &'static Self {
        static MUNICIPAL: Profile = Profile::BASE;
        static SMOKE: Profile = Profile { battery_mv: 2_700, ..Profile::BASE };
        match kind {
            Kind::Hydrant => &MUNICIPAL,
            Kind::Smoke => &SMOKE,
        }
    }

    /// The profile's name for a kind whose registry row names none.
    #[must_use]
    pub const fn default_name(kind: Kind) -> &'static str {
        match kind {
            Kind::Hydrant => "municipal",
            Kind::Smoke => "smoke_home",
        }
    }
}

/// The profiles of the contract by name.
#[must_use]
pub fn built_in() -> HashMap<Box<str>, Profile> {
    static ALL: LazyLock<HashMap<Box<str>, Profile>> = LazyLock::new(|| {
        let indoor = |min_kpa| Profile { outdoor: false, min_kpa, ..Profile::BASE };
        let smoke = Profile::default_of(Kind::Smoke).clone();
        [
            ("municipal", Profile::BASE),
            // GB 50974-2014 §5.2.2: at rest, at the worst indoor point.
            ("indoor", indoor(70.0)),
            ("indoor_highrise", indoor(100.0)),
            ("indoor_supertall", indoor(150.0)),
            ("smoke_home", smoke.clone()),
            ("smoke_site", smoke),
        ]
        .into_iter()
        .map(|(name, profile)| (Box::from(name), profile))
        .collect()
    });
    ALL.clone()
}

#[cfg(test)]
mod tests {
    use super::{Profile, built_in};

    #[test]
    fn the_contract_s_profiles_differ_where_it_says_so() {
        let all = built_in();
        let seen = |name: &str| {
            all.get(name).map(|profile| (profile.outdoor, profile.min_kpa, profile.battery_mv))
        };
        let base = Profile::BASE;
        for (name, wanted) in [
            ("municipal", (true, 140.0, 3_300)),
            ("indoor", (false, 70.0, 3_300)),
            ("indoor_highrise", (false, 100.0, 3_300)),
            ("indoor_supertall", (false, 150.0, 3_300)),
            ("smoke_home", (base.outdoor, base.min_kpa, 2_700)),
            ("smoke_site", (base.outdoor, base.min_kpa, 2_700)),
        ] {
            assert_eq!(seen(name), Some(wanted), "{name}");
        }
        assert_eq!(all.len(), 6);
    }
}
