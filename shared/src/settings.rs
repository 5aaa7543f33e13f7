//! What the gateway asks of a device for good: how it measures and reports, and within which
//! limits. The gateway refuses what is outside them, and so does the device: these are the same.

use core::fmt;
use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{Kilopascals, Kind};

/// How a node measures and reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Grows with every change.
    pub rev: u32,
    /// Seconds between readings.
    pub interval_s: u32,
    /// Seconds between samples.
    pub sample_s: u32,
    /// Limit of `low_pressure`.
    pub low_kpa: Kilopascals,
    /// Limit of `no_water`.
    pub no_water_kpa: Kilopascals,
    /// A change of pressure that is reported at once.
    pub delta_kpa: Kilopascals,
}

/// One thing that is wrong with settings. Its text names the member, its value and what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SettingsFault {
    /// Seconds outside their limits.
    Seconds { field: &'static str, value: u32, least: u32, most: u32 },
    /// A pressure outside its limits.
    Pressure {
        field: &'static str,
        /// In kPa.
        value: f32,
        /// In kPa.
        least: f32,
        /// In kPa.
        most: f32,
    },
    /// It would sample less often than it reports.
    SampleOverInterval { sample_s: u32, interval_s: u32 },
    /// An empty main would be no low one.
    NoWaterOverLow { no_water_kpa: f32, low_kpa: f32 },
}

impl Settings {
    /// What begins the id of the reply to settings; their `rev` follows, as in `settings-4`. A
    /// device need send it only when it refuses them: that it runs them, its status says.
    pub const REPLY: &'static str = "settings-";
    /// Seconds between readings: at most a day, at least what a demonstration needs.
    pub const INTERVAL_S: RangeInclusive<u32> = 5..=86_400;
    /// Seconds between samples; never more than between readings.
    pub const SAMPLE_S: RangeInclusive<u32> = 1..=600;
    /// The same of a smoke detector: EN 14604 and GB 20517 want smoke told within seconds.
    pub const SMOKE_SAMPLE_S: RangeInclusive<u32> = 1..=10;
    /// The limit of `low_pressure`, kPa.
    pub const LOW_KPA: RangeInclusive<f32> = 1.0..=2_000.0;
    /// The limit of `no_water`, kPa; always below that of `low_pressure`.
    pub const NO_WATER_KPA: RangeInclusive<f32> = 1.0..=500.0;
    /// The change that is reported at once, kPa; less would report the sensor's noise.
    pub const DELTA_KPA: RangeInclusive<f32> = 2.0..=1_000.0;

    /// Everything that is wrong with them, in the order of the members; nothing: they may be run.
    ///
    /// ```
    /// use standpipe_shared::Settings;
    ///
    /// let json = r#"{"rev":4,"interval_s":4,"sample_s":2,
    ///                "low_kpa":140.0,"no_water_kpa":140.0,"delta_kpa":20.0}"#;
    /// let settings: Settings = serde_json::from_str(json)?;
    /// let faults: Vec<String> = settings.faults().map(|fault| fault.to_string()).collect();
    /// assert_eq!(faults[0], "interval_s is 4 s: set 5 to 86400 s");
    /// assert_eq!(settings.faults().map(|fault| fault.field()).nth(1), Some("no_water_kpa"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn faults(&self) -> impl Iterator<Item = SettingsFault> + use<> {
        let seconds = |field, value, limits: RangeInclusive<u32>| {
            let (least, most) = (*limits.start(), *limits.end());
            let fault = SettingsFault::Seconds { field, value, least, most };
            (!limits.contains(&value)).then_some(fault)
        };
        let pressure = |field, value: Kilopascals, limits: RangeInclusive<f32>| {
            let (value, least, most) = (value.get(), *limits.start(), *limits.end());
            let fault = SettingsFault::Pressure { field, value, least, most };
            (!limits.contains(&value)).then_some(fault)
        };
        let (sample_s, interval_s) = (self.sample_s, self.interval_s);
        let (no_water_kpa, low_kpa) = (self.no_water_kpa.get(), self.low_kpa.get());
        [
            seconds("interval_s", interval_s, Self::INTERVAL_S),
            seconds("sample_s", sample_s, Self::SAMPLE_S),
            pressure("low_kpa", self.low_kpa, Self::LOW_KPA),
            pressure("no_water_kpa", self.no_water_kpa, Self::NO_WATER_KPA),
            pressure("delta_kpa", self.delta_kpa, Self::DELTA_KPA),
            (sample_s > interval_s)
                .then_some(SettingsFault::SampleOverInterval { sample_s, interval_s }),
            (no_water_kpa >= low_kpa)
                .then_some(SettingsFault::NoWaterOverLow { no_water_kpa, low_kpa }),
        ]
        .into_iter()
        .flatten()
    }
}

impl Settings {
    /// What is wrong with them for a device of this kind, besides [`Self::faults`]: what it cannot
    /// run without failing at what it is for.
    #[must_use]
    pub fn fault_for(&self, kind: Kind) -> Option<SettingsFault> {
        let limits = match kind {
            Kind::Smoke => Self::SMOKE_SAMPLE_S,
            Kind::Hydrant => Self::SAMPLE_S,
        };
        let (least, most, value) = (*limits.start(), *limits.end(), self.sample_s);
        let fault = SettingsFault::Seconds { field: "sample_s", value, least, most };
        (!limits.contains(&value)).then_some(fault)
    }
}

impl SettingsFault {
    /// The member to change.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Seconds { field, .. } | Self::Pressure { field, .. } => field,
            Self::SampleOverInterval { .. } => "sample_s",
            Self::NoWaterOverLow { .. } => "no_water_kpa",
        }
    }
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds { field, value, least, most } => {
                write!(f, "{field} is {value} s: set {least} to {most} s")
            }
            Self::Pressure { field, value, least, most } => {
                write!(f, "{field} is {value} kPa: set {least} to {most} kPa")
            }
            Self::SampleOverInterval { sample_s, interval_s } => write!(
                f,
                "sample_s is {sample_s} s and interval_s {interval_s} s: set sample_s to \
                 interval_s or less"
            ),
            Self::NoWaterOverLow { no_water_kpa, low_kpa } => write!(
                f,
                "no_water_kpa is {no_water_kpa} kPa and low_kpa {low_kpa} kPa: set no_water_kpa \
                 below low_kpa"
            ),
        }
    }
}

impl core::error::Error for SettingsFault {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Settings;
    use crate::{Kilopascals, Kind};
    use std::string::{String, ToString as _};
    use std::vec::Vec;

    fn settings([interval_s, sample_s]: [u32; 2], kpa: [f32; 3]) -> Settings {
        let [low_kpa, no_water_kpa, delta_kpa] =
            kpa.map(|kpa| Kilopascals::new(kpa).unwrap_or_else(|bad| panic!("{bad}")));
        Settings { rev: 4, interval_s, sample_s, low_kpa, no_water_kpa, delta_kpa }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn each_member_has_its_limits_and_its_words() {
        for (seconds, kpa, wanted) in [
            ([900, 5],        [140.0, 20.0, 15.0],       &[][..]),
            ([5, 1],          [1.5, 1.0, 2.0],           &[]),
            ([86_400, 600],   [2_000.0, 500.0, 1_000.0], &[]),
            ([4, 0],          [140.0, 20.0, 15.0],
                &["interval_s is 4 s: set 5 to 86400 s", "sample_s is 0 s: set 1 to 600 s"]),
            ([86_401, 601],   [2_001.0, 501.0, 1_001.0], &[
                "interval_s is 86401 s: set 5 to 86400 s", "sample_s is 601 s: set 1 to 600 s",
                "low_kpa is 2001 kPa: set 1 to 2000 kPa",
                "no_water_kpa is 501 kPa: set 1 to 500 kPa",
                "delta_kpa is 1001 kPa: set 2 to 1000 kPa"]),
            ([900, 5],        [0.75, 0.5, 1.5], &[
                "low_kpa is 0.75 kPa: set 1 to 2000 kPa",
                "no_water_kpa is 0.5 kPa: set 1 to 500 kPa",
                "delta_kpa is 1.5 kPa: set 2 to 1000 kPa"]),
            ([5, 6],          [140.0, 20.0, 15.0],
                &["sample_s is 6 s and interval_s 5 s: set sample_s to interval_s or less"]),
            ([900, 5],        [20.0, 20.0, 15.0],
                &["no_water_kpa is 20 kPa and low_kpa 20 kPa: set no_water_kpa below low_kpa"]),
        ] {
            let faults = settings(seconds, kpa).faults();
            let told: Vec<String> = faults.inspect(|fault| assert!(fault.to_string().starts_with(fault.field())))
                .map(|fault| fault.to_string()).collect();
            assert_eq!(told, wanted);
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_smoke_detector_looks_at_its_chamber_every_ten_seconds_at_least() {
        for (kind, sample_s, refused) in [
            (Kind::Smoke, 10, None), (Kind::Smoke, 11, Some("sample_s is 11 s: set 1 to 10 s")),
            (Kind::Hydrant, 11, None), (Kind::Hydrant, 600, None),
        ] {
            let fault = settings([900, sample_s], [140.0, 20.0, 15.0]).fault_for(kind);
            assert_eq!(fault.map(|fault| fault.to_string()).as_deref(), refused, "{kind:?}");
        }
    }

    #[test]
    fn they_are_written_as_in_the_contract() {
        let text = serde_json::to_string(&settings([900, 5], [140.0, 20.0, 15.0]));
        let wanted = r#"{"rev":4,"interval_s":900,"sample_s":5,"low_kpa":140.0,"no_water_kpa":20.0,"delta_kpa":15.0}"#;
        assert_eq!(text.unwrap_or_default(), wanted);
    }
}
