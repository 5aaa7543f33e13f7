//! Readings and alarms as they are, for the log of entries: what a device may leave out, misspell
//! or add is no matter here, and what is not on the wire is kept, too.
//!
//! Not here: how they are written on the wire (`standpipe_shared::reading`).

use serde::{Deserialize, Serialize};
use standpipe_shared::{
    Alarm, Celsius, Condition, DecibelsPerMetre, Degrees, Kilopascals, Measurements, Milliamps,
    Percent, Reading,
};

#[derive(Serialize, Deserialize)]
#[serde(remote = "Measurements")]
struct ExactMeasurements {
    pressure_kpa: Option<Kilopascals>,
    pressure_min_kpa: Option<Kilopascals>,
    pressure_max_kpa: Option<Kilopascals>,
    loop_ma: Option<Milliamps>,
    flowing: Option<bool>,
    cap_open: Option<bool>,
    tilt_deg: Option<Degrees>,
    smoke_db_m: Option<DecibelsPerMetre>,
    dirt_pct: Option<Percent>,
    temp_c: Option<Celsius>,
    battery_mv: Option<i32>,
    rssi_dbm: Option<i32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Reading")]
pub(super) struct ExactReading {
    boot: Option<u32>,
    seq: Option<u32>,
    ts: Option<i64>,
    #[serde(with = "ExactMeasurements")]
    values: Measurements,
    unknown: u16,
    numbers_lost: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Alarm")]
pub(super) struct ExactAlarm {
    #[serde(with = "ExactReading")]
    reading: Reading,
    condition: Condition,
    active: bool,
    test: bool,
}

/// A list of readings.
pub(super) mod readings {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use standpipe_shared::Reading;

    use super::ExactReading;

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "ExactReading")] Reading);

    /// In their order, each with what is not on the wire.
    pub fn serialize<S: Serializer>(
        readings: &[Reading],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(readings.iter().map(|reading| One(*reading)))
    }

    /// # Errors
    /// One of them is no reading.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Reading>, D::Error> {
        let readings: Vec<One> = Vec::deserialize(deserializer)?;
        Ok(readings.into_iter().map(|One(reading)| reading).collect())
    }
}
