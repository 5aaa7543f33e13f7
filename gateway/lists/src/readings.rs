//! Columns and values of recorded readings as spreadsheets and databases export them.
//!
//! Not here: rows of them, one by one and in order (`standpipe::cli::readings`).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use standpipe_shared::Field;

use crate::values::{LoneComma, is_nothing, narrow, number, trimmed};

/// What a column of readings is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReadingColumn {
    /// When it arrived.
    Arrive,
    /// When the device says that it measured.
    Ts,
    Device,
    Boot,
    Seq,
    /// A measurement, and by what its numbers are multiplied to be in our unit.
    Value(Field, f64),
}

impl ReadingColumn {
    /// The column of that name; `None`: it means nothing here, or its unit is not known.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = narrow(trimmed(name)).to_lowercase();
        let exact = Field::ALL.into_iter().find(|field| field.as_str() == name);
        if let Some(field) = exact {
            return Some(Self::Value(field, 1.0));
        }
        let (base, unit) = name.split_once(['(', '[', '/']).unwrap_or((&name, ""));
        let base = base.trim().replace([' ', '-'], "_");
        let unit = unit.trim_end_matches([')', ']']).trim();
        match base.as_str() {
            "arrive_ms" | "arrived" | "arrived_at" | "received_at" | "time" | "_time"
            | "timestamp" | "datetime" | "date_time" | "时间" | "采集时间" | "上报时间"
            | "接收时间" => Some(Self::Arrive),
            "ts" => Some(Self::Ts),
            "device" | "device_id" | "设备" | "设备编号" | "编号" => Some(Self::Device),
            "boot" => Some(Self::Boot),
            "seq" => Some(Self::Seq),
            base => measured(base, unit),
        }
    }
}

fn measured(base: &str, unit: &str) -> Option<ReadingColumn> {
    if let Some(field) = Field::ALL.into_iter().find(|field| field.as_str() == base) {
        // Its name has a unit already: another one beside it must be the same.
        let own = base.rsplit('_').next().unwrap_or_default();
        return (unit.is_empty() || unit == own || unit == "℃" || unit == "°c" || unit == "%")
            .then_some(ReadingColumn::Value(field, 1.0));
    }
    let (field, factor) = match (base, unit) {
        ("pressure" | "压力" | "水压" | "管网压力", unit) => {
            let factor = match unit {
                "kpa" | "千帕" => 1.0,
                "mpa" | "兆帕" => 1_000.0,
                "bar" => 100.0,
                "psi" => 6.894_757_293_168,
                "pa" => 0.001,
                _ => return None,
            };
            (Field::PressureKpa, factor)
        }
        ("temperature" | "temp" | "温度", "" | "c" | "°c" | "℃" | "摄氏度") => {
            (Field::TempC, 1.0)
        }
        ("battery" | "电池" | "电池电压", "mv" | "毫伏") => (Field::BatteryMv, 1.0),
        ("battery" | "电池" | "电池电压", "v" | "伏") => (Field::BatteryMv, 1_000.0),
        ("rssi" | "信号强度", "" | "dbm") => (Field::RssiDbm, 1.0),
        _ => return None,
    };
    Some(ReadingColumn::Value(field, factor))
}

/// A time as exports write it, Unix ms: milliseconds with or without a point, or ISO 8601. One without an
/// offset is of that zone.
#[must_use]
pub fn moment(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Some(ms) = whole(text) {
        return Some(ms);
    }
    let text = trimmed(text);
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let text = text.replace('/', "-").replace('T', " ");
    let (date, time) = text.split_once(' ').unwrap_or((&text, "00:00"));
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let time = if time.split(':').next().is_some_and(|hour| hour.len() == 1) {
        format!("0{time}")
    } else {
        time.to_owned()
    };
    let iso = format!("{year:0>4}-{month:0>2}-{day:0>2}T{time}");
    let civil: DateTime = iso.parse().ok()?;
    Some(zone.to_ambiguous_timestamp(civil).compatible().ok()?.as_millisecond())
}

/// A whole number, with or without a point behind it.
#[must_use]
pub fn whole(text: &str) -> Option<i64> {
    let text = trimmed(text);
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    rest.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok()).flatten()
}

/// A finite number; thousands may be set apart where its decimals are, too.
#[must_use]
pub fn decimal(text: &str) -> Option<f64> {
    let both = text.contains(',') && text.contains('.');
    // `1,300` alone may be 1.3 or 1300.
    let clear = !text.contains(',')
        || both
        || text.split(',').next_back().is_some_and(|rest| rest.len() != 3);
    number(text, LoneComma::Decimal).filter(|_| clear)
}

/// Whether a field says that there is no value: empty, `NULL`, `NaN`.
#[must_use]
pub fn is_missing(text: &str) -> bool {
    is_nothing(trimmed(text))
}

#[cfg(test)]
mod tests {
    use super::{ReadingColumn, decimal, is_missing, moment, whole};
    use jiff::tz::TimeZone;
    use standpipe_shared::Field;

    #[test]
    #[rustfmt::skip] // a table
    fn a_column_is_what_its_name_and_its_unit_say() {
        use ReadingColumn::{Arrive, Device, Value};
        for (name, expected) in [
            ("arrive_ms",          Some(Arrive)),
            ("_time",              Some(Arrive)),
            ("采集时间",            Some(Arrive)),
            ("Device ID",          Some(Device)),
            ("pressure_kpa",       Some(Value(Field::PressureKpa, 1.0))),
            ("pressure_kpa (kPa)", Some(Value(Field::PressureKpa, 1.0))),
            ("pressure_kpa (MPa)", None),
            ("Pressure (MPa)",     Some(Value(Field::PressureKpa, 1_000.0))),
            ("压力（兆帕）",         Some(Value(Field::PressureKpa, 1_000.0))),
            ("水压/MPa",            Some(Value(Field::PressureKpa, 1_000.0))),
            ("pressure",           None),
            ("temp_c (°C)",        Some(Value(Field::TempC, 1.0))),
            ("电池电压(V)",          Some(Value(Field::BatteryMv, 1_000.0))),
            ("colour",             None),
        ] {
            assert_eq!(ReadingColumn::named(name), expected, "{name}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_time_is_read_as_databases_and_spreadsheets_write_it() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        for (text, expected) in [
            ("1764000000000",             Some(1_764_000_000_000)),
            ("1764000000000.0",           Some(1_764_000_000_000)),
            ("2025-11-24T16:00:00Z",      Some(1_764_000_000_000)),
            ("2025-11-25T00:00:00+08:00", Some(1_764_000_000_000)),
            ("2025-11-25 00:00:00",       Some(1_764_000_000_000)),
            ("2025/11/25 0:00",           Some(1_764_000_000_000)),
            ("2025-11-25",                Some(1_764_000_000_000)),
            ("2025-11-24T16:00:00.250Z",  Some(1_764_000_000_250)),
            ("1764000000000.5",           None),
            ("soon",                      None),
            ("25.11.2025",                None),
        ] {
            assert_eq!(moment(text, &zone), expected, "{text}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_number_is_read_where_it_can_be_only_one() {
        for (text, expected) in [
            ("300", Some(300.0)), ("1,300.5", Some(1300.5)), ("1.300,5", Some(1300.5)), ("0,3", Some(0.3)),
            ("1,300", None), ("NaN", None), ("1e39", Some(1e39)), ("low", None),
        ] {
            assert_eq!(decimal(text), expected, "{text}");
        }
        assert_eq!((whole("3500.0"), whole("3500.5"), whole("x")), (Some(3_500), None, None));
        assert!(["", "NULL", "nan", "NaN", " - "].into_iter().all(is_missing) && !is_missing("0"));
    }
}
