//! Readings and alarms: what a device says of the world.
//!
//! Unknown fields are skipped and counted in `unknown`, so that a newer device can speak to an
//! older gateway and somebody notices. Any measurement may be missing or `null`.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize as Derive, Serialize};

use crate::{Celsius, Condition, DecibelsPerMetre, Degrees, Kilopascals, Milliamps, Percent};

/// What was measured at one moment. Anything may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measurements {
    /// Gauge pressure at the hydrant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure_kpa: Option<Kilopascals>,
    /// Lowest pressure since the last reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure_min_kpa: Option<Kilopascals>,
    /// Highest pressure since the last reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure_max_kpa: Option<Kilopascals>,
    /// Raw 4–20 mA signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_ma: Option<Milliamps>,
    /// Water is in the barrel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flowing: Option<bool>,
    /// A cap is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_open: Option<bool>,
    /// From vertical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tilt_deg: Option<Degrees>,
    /// Obscuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoke_db_m: Option<DecibelsPerMetre>,
    /// Contamination of the chamber.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirt_pct: Option<Percent>,
    /// Temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_c: Option<Celsius>,
    /// Battery, mV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_mv: Option<i32>,
    /// Signal strength, dBm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rssi_dbm: Option<i32>,
}

/// One measurement's name: the same in JSON, in `readings.csv` and in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Derive, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    PressureKpa,
    PressureMinKpa,
    PressureMaxKpa,
    LoopMa,
    Flowing,
    CapOpen,
    TiltDeg,
    SmokeDbM,
    DirtPct,
    TempC,
    BatteryMv,
    RssiDbm,
}

/// How a measurement is written, whoever writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number with a point: `312.5`.
    Decimal,
    /// A whole number: `3580`.
    Whole,
    /// True or false.
    Flag,
}

impl Field {
    /// All measurements, in the order of the contract.
    pub const ALL: [Self; 12] = [
        Self::PressureKpa,
        Self::PressureMinKpa,
        Self::PressureMaxKpa,
        Self::LoopMa,
        Self::Flowing,
        Self::CapOpen,
        Self::TiltDeg,
        Self::SmokeDbM,
        Self::DirtPct,
        Self::TempC,
        Self::BatteryMv,
        Self::RssiDbm,
    ];

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PressureKpa => "pressure_kpa",
            Self::PressureMinKpa => "pressure_min_kpa",
            Self::PressureMaxKpa => "pressure_max_kpa",
            Self::LoopMa => "loop_ma",
            Self::Flowing => "flowing",
            Self::CapOpen => "cap_open",
            Self::TiltDeg => "tilt_deg",
            Self::SmokeDbM => "smoke_db_m",
            Self::DirtPct => "dirt_pct",
            Self::TempC => "temp_c",
            Self::BatteryMv => "battery_mv",
            Self::RssiDbm => "rssi_dbm",
        }
    }

    /// How its values are written.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Flowing | Self::CapOpen => Shape::Flag,
            Self::BatteryMv | Self::RssiDbm => Shape::Whole,
            Self::PressureKpa
            | Self::PressureMinKpa
            | Self::PressureMaxKpa
            | Self::LoopMa
            | Self::TiltDeg
            | Self::SmokeDbM
            | Self::DirtPct
            | Self::TempC => Shape::Decimal,
        }
    }
}

impl Measurements {
    /// One measurement as a number; a flag is 0 or 1.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "millivolts and dBm are small")]
    pub fn get(&self, field: Field) -> Option<f32> {
        match field {
            Field::PressureKpa => self.pressure_kpa.map(Kilopascals::get),
            Field::PressureMinKpa => self.pressure_min_kpa.map(Kilopascals::get),
            Field::PressureMaxKpa => self.pressure_max_kpa.map(Kilopascals::get),
            Field::LoopMa => self.loop_ma.map(Milliamps::get),
            Field::Flowing => self.flowing.map(|flowing| f32::from(u8::from(flowing))),
            Field::CapOpen => self.cap_open.map(|open| f32::from(u8::from(open))),
            Field::TiltDeg => self.tilt_deg.map(Degrees::get),
            Field::SmokeDbM => self.smoke_db_m.map(DecibelsPerMetre::get),
            Field::DirtPct => self.dirt_pct.map(Percent::get),
            Field::TempC => self.temp_c.map(Celsius::get),
            Field::BatteryMv => self.battery_mv.map(|millivolts| millivolts as f32),
            Field::RssiDbm => self.rssi_dbm.map(|dbm| dbm as f32),
        }
    }

    /// Sets one measurement from a number; a flag is set by anything but 0.
    ///
    /// # Errors
    /// [`crate::NotFinite`] for an infinity or NaN.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is meant")]
    pub fn set(&mut self, field: Field, value: f32) -> Result<(), crate::NotFinite> {
        if !value.is_finite() {
            return Err(crate::NotFinite);
        }
        match field {
            Field::PressureKpa => self.pressure_kpa = Some(Kilopascals::new(value)?),
            Field::PressureMinKpa => self.pressure_min_kpa = Some(Kilopascals::new(value)?),
            Field::PressureMaxKpa => self.pressure_max_kpa = Some(Kilopascals::new(value)?),
            Field::LoopMa => self.loop_ma = Some(Milliamps::new(value)?),
            Field::Flowing => self.flowing = Some(value != 0.0),
            Field::CapOpen => self.cap_open = Some(value != 0.0),
            Field::TiltDeg => self.tilt_deg = Some(Degrees::new(value)?),
            Field::SmokeDbM => self.smoke_db_m = Some(DecibelsPerMetre::new(value)?),
            Field::DirtPct => self.dirt_pct = Some(Percent::new(value)?),
            Field::TempC => self.temp_c = Some(Celsius::new(value)?),
            Field::BatteryMv => self.battery_mv = Some(value as i32),
            Field::RssiDbm => self.rssi_dbm = Some(value as i32),
        }
        Ok(())
    }
}

/// What a device measured at one moment.
///
/// ```
/// use standpipe_shared::{Field, Reading};
///
/// let json = r#"{"boot":3,"seq":17,"ts":1767225600000,"pressure_kpa":312.5,"mood":"good"}"#;
/// let reading: Reading = serde_json::from_str(json)?;
/// assert_eq!((reading.boot, reading.seq), (Some(3), Some(17)));
/// assert_eq!(reading.values.get(Field::PressureKpa), Some(312.5));
/// assert_eq!(reading.values.get(Field::TempC), None);
/// assert_eq!(reading.unknown, 1, "a newer device may say more");
///
/// let said = serde_json::to_string(&reading)?;
/// assert_eq!(said, r#"{"boot":3,"seq":17,"ts":1767225600000,"pressure_kpa":312.5}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Start count of the device; optional together with `seq`.
    pub boot: Option<u32>,
    /// Counts readings and alarms together within a boot, from 1.
    pub seq: Option<u32>,
    /// Unix milliseconds, UTC, when measured; missing: the moment it arrived.
    pub ts: Option<i64>,
    /// What was measured.
    pub values: Measurements,
    /// How many fields were not understood. Not on the wire.
    pub unknown: u16,
    /// `boot` or `seq` was there and could not be read: nobody can say whether this is the same
    /// message once more. Not on the wire.
    pub numbers_lost: bool,
}

/// A device shouts, or stops shouting.
///
/// Read strictly here, as a device reads; the gateway also reads what is nearly one
/// (`standpipe_rules::wire`).
///
/// ```
/// use standpipe_shared::{Alarm, Condition, Field};
///
/// let json = r#"{"condition":"smoke","active":true,"smoke_db_m":0.25}"#;
/// let alarm: Alarm = serde_json::from_str(json)?;
/// assert_eq!((alarm.condition, alarm.active, alarm.test), (Condition::Smoke, true, false));
/// assert_eq!(alarm.reading.values.get(Field::SmokeDbM), Some(0.25));
///
/// assert!(serde_json::from_str::<Alarm>(r#"{"condition":"smoke"}"#).is_err(), "no `active`");
/// assert!(serde_json::from_str::<Alarm>(r#"{"condition":"fog","active":true}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// The reading that came with it.
    pub reading: Reading,
    /// What is true, or no longer true.
    pub condition: Condition,
    /// Whether it is true.
    pub active: bool,
    /// Somebody tests the detector.
    pub test: bool,
}

// Written by hand: serde's `flatten` needs an allocator, which a device has not.

impl Reading {
    fn write<S: SerializeStruct>(&self, to: &mut S) -> Result<(), S::Error> {
        write_some(to, "boot", self.boot)?;
        write_some(to, "seq", self.seq)?;
        write_some(to, "ts", self.ts)?;
        let values = &self.values;
        write_some(to, "pressure_kpa", values.pressure_kpa)?;
        write_some(to, "pressure_min_kpa", values.pressure_min_kpa)?;
        write_some(to, "pressure_max_kpa", values.pressure_max_kpa)?;
        write_some(to, "loop_ma", values.loop_ma)?;
        write_some(to, "flowing", values.flowing)?;
        write_some(to, "cap_open", values.cap_open)?;
        write_some(to, "tilt_deg", values.tilt_deg)?;
        write_some(to, "smoke_db_m", values.smoke_db_m)?;
        write_some(to, "dirt_pct", values.dirt_pct)?;
        write_some(to, "temp_c", values.temp_c)?;
        write_some(to, "battery_mv", values.battery_mv)?;
        write_some(to, "rssi_dbm", values.rssi_dbm)
    }

    /// How many fields [`Self::write`] writes.
    fn fields(&self) -> usize {
        let numbers = [self.boot.is_some(), self.seq.is_some(), self.ts.is_some()];
        numbers.into_iter().filter(|is_some| *is_some).count()
            + Field::ALL.into_iter().filter(|field| self.values.get(*field).is_some()).count()
    }
}

fn write_some<S: SerializeStruct>(
    to: &mut S,
    key: &'static str,
    value: Option<impl Serialize>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => to.serialize_field(key, &value),
        None => to.skip_field(key),
    }
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut to = serializer.serialize_struct("Reading", self.fields())?;
        self.write(&mut to)?;
        to.end()
    }
}

impl Serialize for Alarm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut to = serializer.serialize_struct("Alarm", self.reading.fields() + 3)?;
        self.reading.write(&mut to)?;
        to.serialize_field("condition", &self.condition)?;
        to.serialize_field("active", &self.active)?;
        to.serialize_field("test", &self.test)?;
        to.end()
    }
}

/// Every key of a reading or an alarm.
#[derive(Clone, Copy, PartialEq, Derive)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Boot,
    Seq,
    Ts,
    PressureKpa,
    PressureMinKpa,
    PressureMaxKpa,
    LoopMa,
    Flowing,
    CapOpen,
    TiltDeg,
    SmokeDbM,
    DirtPct,
    TempC,
    BatteryMv,
    RssiDbm,
    Condition,
    Active,
    Test,
    #[serde(other)]
    Unknown,
}

/// The one visitor behind both messages.
#[derive(Default)]
struct Report {
    reading: Reading,
    condition: Option<Condition>,
    active: Option<bool>,
    test: Option<bool>,
    /// Fields of an alarm seen; in a reading they are unknown.
    alarm_fields: u16,
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReportVisitor;

        impl<'de> Visitor<'de> for ReportVisitor {
            type Value = Report;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the fields of a reading")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Report, A::Error> {
                let mut report = Report::default();
                let mut seen = 0_u32;
                while let Some(key) = map.next_key::<Key>()? {
                    // Nobody can say which of two is meant; the last is no better than the first.
                    if key != Key::Unknown && seen & (1 << key as u32) != 0 {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                    seen |= 1 << key as u32;
                    let values = &mut report.reading.values;
                    match key {
                        Key::Boot => report.reading.boot = map.next_value()?,
                        Key::Seq => report.reading.seq = map.next_value()?,
                        Key::Ts => report.reading.ts = map.next_value()?,
                        Key::PressureKpa => values.pressure_kpa = map.next_value()?,
                        Key::PressureMinKpa => values.pressure_min_kpa = map.next_value()?,
                        Key::PressureMaxKpa => values.pressure_max_kpa = map.next_value()?,
                        Key::LoopMa => values.loop_ma = map.next_value()?,
                        Key::Flowing => values.flowing = map.next_value()?,
                        Key::CapOpen => values.cap_open = map.next_value()?,
                        Key::TiltDeg => values.tilt_deg = map.next_value()?,
                        Key::SmokeDbM => values.smoke_db_m = map.next_value()?,
                        Key::DirtPct => values.dirt_pct = map.next_value()?,
                        Key::TempC => values.temp_c = map.next_value()?,
                        Key::BatteryMv => values.battery_mv = map.next_value()?,
                        Key::RssiDbm => values.rssi_dbm = map.next_value()?,
                        Key::Condition => {
                            report.condition = map.next_value()?;
                            report.alarm_fields += 1;
                        }
                        Key::Active => {
                            report.active = map.next_value()?;
                            report.alarm_fields += 1;
                        }
                        Key::Test => {
                            report.test = map.next_value()?;
                            report.alarm_fields += 1;
                        }
                        Key::Unknown => {
                            let IgnoredAny = map.next_value()?;
                            report.reading.unknown = report.reading.unknown.saturating_add(1);
                        }
                    }
                }
                Ok(report)
            }
        }

        deserializer.deserialize_map(ReportVisitor)
    }
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let report = Report::deserialize(deserializer)?;
        let unknown = report.reading.unknown.saturating_add(report.alarm_fields);
        Ok(Self { unknown, ..report.reading })
    }
}

impl<'de> Deserialize<'de> for Alarm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let report = Report::deserialize(deserializer)?;
        Ok(Self {
            reading: report.reading,
            condition: report.condition.ok_or_else(|| D::Error::missing_field("condition"))?,
            active: report.active.ok_or_else(|| D::Error::missing_field("active"))?,
            test: report.test.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Alarm, Field, Measurements, Reading, Shape};
    use crate::{Condition, Kilopascals};
    use std::string::ToString;

    #[test]
    fn a_reading_of_the_contract() {
        let json = r#"{"boot":3,"seq":17,"ts":1764000000000,"pressure_kpa":312.4,"temp_c":14.2,"battery_mv":3580}"#;
        let reading: Reading = serde_json::from_str(json).unwrap_or_default();
        assert_eq!((reading.boot, reading.seq), (Some(3), Some(17)));
        assert_eq!(reading.ts, Some(1_764_000_000_000));
        assert_eq!(reading.values.pressure_kpa.map(Kilopascals::get), Some(312.4));
        assert_eq!(reading.values.battery_mv, Some(3580));
        assert_eq!(reading.unknown, 0);
        assert_eq!(serde_json::to_string(&reading).unwrap_or_default(), json);
    }

    #[test]
    fn an_alarm_is_written_as_it_is_read() {
        let json = r#"{"boot":3,"seq":18,"ts":1764000000500,"smoke_db_m":0.31,"condition":"smoke","active":true,"test":false}"#;
        let alarm: Alarm = serde_json::from_str(json).unwrap_or_else(|bad| panic!("{bad}"));
        assert_eq!(serde_json::to_string(&alarm).unwrap_or_default(), json);
    }

    #[test]
    fn unknown_fields_are_skipped_and_counted_and_null_is_missing() {
        let json =
            r#"{"pressure_kpa":null,"colour":"red","deep":{"a":[1,2]},"active":true,"seq":9}"#;
        let reading: Reading = serde_json::from_str(json).unwrap_or_default();
        assert_eq!(reading.unknown, 3, "colour, deep, and active, which is an alarm's");
        assert_eq!(reading.seq, Some(9));
        assert_eq!(reading.values, Measurements::default());
    }

    #[test]
    fn a_member_that_is_there_twice_is_not_read_unless_it_is_unknown() {
        for json in [
            r#"{"seq":9,"seq":9}"#,
            r#"{"temp_c":9,"temp_c":null}"#,
            r#"{"temp_c":9,"t\u0065mp_c":9}"#,
            r#"{"temp_c":9,"active":true,"active":true}"#,
        ] {
            assert!(serde_json::from_str::<Reading>(json).is_err(), "{json}");
        }
        for field in Field::ALL {
            let value = if field.shape() == Shape::Flag { "true" } else { "7" };
            let json = std::format!("{{\"{0}\":{value},\"{0}\":{value}}}", field.as_str());
            assert!(serde_json::from_str::<Reading>(&json).is_err(), "{json}");
        }
        for twice in [r#""condition":"smoke""#, r#""active":true"#, r#""test":false"#] {
            let json = std::format!(r#"{{"condition":"smoke","active":true,"test":true,{twice}}}"#);
            assert!(serde_json::from_str::<Alarm>(&json).is_err(), "{json}");
        }
        let reading: Reading = serde_json::from_str(r#"{"x":1,"x":2}"#).unwrap_or_default();
        assert_eq!(reading.unknown, 2);
    }

    #[test]
    fn an_alarm_needs_its_condition_and_whether_it_is_true() {
        let good: Result<Alarm, _> =
            serde_json::from_str(r#"{"condition":"smoke","active":true,"smoke_db_m":0.31}"#);
        let alarm = good.unwrap_or_else(|bad| panic!("{bad}"));
        assert_eq!(alarm.condition, Condition::Smoke);
        assert!(alarm.active && !alarm.test);
        assert_eq!(alarm.reading.unknown, 0);
        for (json, why) in [
            (r#"{"active":true}"#, "missing field `condition`"),
            (r#"{"condition":"smoke"}"#, "missing field `active`"),
            (r#"{"condition":"fog","active":true}"#, "unknown variant `fog`"),
        ] {
            let bad = serde_json::from_str::<Alarm>(json).map_err(|bad| bad.to_string());
            assert!(bad.as_ref().is_err_and(|bad| bad.contains(why)), "{json}: {bad:?}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn numbers_are_finite_and_of_their_type() {
        for json in [
            r#"{"pressure_kpa":1e39}"#, r#"{"pressure_kpa":1e999}"#, r#"{"pressure_kpa":"12"}"#,
            r#"{"pressure_kpa":NaN}"#, r#"{"flowing":1}"#, r#"{"boot":-1}"#, r#"{"ts":1.5}"#,
            r#"{"battery_mv":99999999999}"#, "[]", "3", "null", r#""x""#, "{",
        ] {
            assert!(serde_json::from_str::<Reading>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn every_field_is_read_under_its_own_name_and_set_as_it_is_got() {
        for field in Field::ALL {
            let flag = matches!(field, Field::Flowing | Field::CapOpen);
            let value = if flag { "true" } else { "7" };
            let json = std::format!("{{\"{}\":{value}}}", field.as_str());
            let reading: Reading = serde_json::from_str(&json).unwrap_or_default();
            assert_eq!(reading.values.get(field), Some(if flag { 1.0 } else { 7.0 }), "{json}");
            assert_eq!(Field::ALL.iter().filter_map(|field| reading.values.get(*field)).count(), 1);
            let mut values = Measurements::default();
            assert!(values.set(field, 7.0).is_ok());
            assert_eq!(values, reading.values);
            assert!(values.set(field, f32::NAN).is_err());
            assert_eq!(values, reading.values);
            assert_eq!(
                serde_json::to_string(&field).unwrap_or_default(),
                std::format!("\"{}\"", field.as_str())
            );
        }
    }
}
