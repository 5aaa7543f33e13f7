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

#[cfg(test)]
mod tests {
    use standpipe_shared::Reading;

    use crate::wire::{Message, Parsed, parse};

    fn there_and_back(parsed: &Parsed) -> Parsed {
        serde_json::from_str(&serde_json::to_string(parsed).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_on_the_wire_is_kept_too() {
        for (topic, payload) in [
            (
                "telemetry",
                r#"[{"boot":1,"seq":"x","pressure_kpa":0.1,"new":1},{"ts":1,"temp_c":-0.3}]"#,
            ),
            ("telemetry", r#"{"pressure_kpa":1e9,"battery_mv":2147483647,"flowing":true}"#),
            ("alarm", r#"{"condition":"smoke","active":true,"test":true,"x":1,"smoke_db_m":0.15}"#),
            ("alarm", "FIRE!!"),
            ("status", r#"{"online":true,"boot":3,"firmware":"1.2"}"#),
            ("reply", r#"{"id":"01","ok":true}"#),
        ] {
            let topic = format!("standpipe/v1/a/H-1/{topic}");
            let parsed = parse("standpipe/v1", topic.as_bytes(), payload.as_bytes());
            assert_eq!(there_and_back(&parsed), parsed, "{topic} {payload}");
        }
        let reading = Reading { unknown: 2, numbers_lost: true, ..Reading::default() };
        let (area, device, readings) = ("a".into(), "H-1".into(), vec![reading]);
        let message = Some(Message::Telemetry { area, device, readings });
        let parsed = Parsed { message, ..Parsed::default() };
        assert_eq!(there_and_back(&parsed), parsed);
    }
}
