//! Another spelling of a member that says the same: a number in quotes, `3580.0` where a whole
//! number belongs, 0 and 1 for a truth, a time as ISO 8601 writes it. What could mean two things
//! is not repaired: a decimal comma, a unit behind the number, a time without its zone.

use jiff::Timestamp;
use standpipe_shared::{Condition, Field, Shape};

use super::truth::{online, truth, word};

/// Of a reading: key and value → value.
pub(super) fn reading(key: &str, value: &[u8]) -> Option<String> {
    match key {
        "boot" | "seq" => whole::<u32>(value),
        "ts" => time(value),
        _ => measurement(Field::ALL.into_iter().find(|field| field.as_str() == key)?, value),
    }
}

/// A member of an alarm, or of the reading within it.
pub(super) fn alarm(key: &str, value: &[u8]) -> Option<String> {
    match key {
        "condition" => {
            let name = word(value)?.replace([' ', '-'], "_");
            let condition: Condition = name.parse().ok()?;
            Some(format!("\"{}\"", condition.as_str()))
        }
        "active" => truth(value).map(|active| active.to_string()),
        // Whatever is not plainly a test is in earnest.
        "test" => Some(matches!(value, b"true" | b"1" | b"\"true\"").to_string()),
        _ => reading(key, value),
    }
}

/// A member of a status or a presence.
pub(super) fn status(key: &str, value: &[u8]) -> Option<String> {
    match key {
        "online" => online(value).map(|online| online.to_string()),
        "boot" | "interval_s" | "rev" | "lost" => whole::<u32>(value),
        _ => None,
    }
}

/// `ok`, in whatever spelling; nothing else of a reply is repaired.
pub(super) fn reply(key: &str, value: &[u8]) -> Option<String> {
    if key == "ok" { truth(value).map(|ok| ok.to_string()) } else { None }
}

fn measurement(field: Field, value: &[u8]) -> Option<String> {
    match field.shape() {
        Shape::Flag => match &*word(value)? {
            "true" | "1" | "1.0" => Some("true".to_owned()),
            "false" | "0" | "0.0" => Some("false".to_owned()),
            _ => None,
        },
        Shape::Whole => whole::<i32>(value),
        Shape::Decimal => {
            let number: f32 = word(value)?.parse().ok()?;
            number.is_finite().then(|| number.to_string())
        }
    }
}

/// `17`, `"17"`, `17.0` and `1.7e1` are 17; 17.5 is not.
fn whole<T: TryFrom<i64> + ToString>(value: &[u8]) -> Option<String> {
    let number = number(&word(value)?).filter(|(_, exact)| *exact)?.0;
    T::try_from(number).ok().map(|number| number.to_string())
}

/// Unix milliseconds, which lose what is smaller, or a moment that names its zone.
fn time(value: &[u8]) -> Option<String> {
    let text = word(value)?;
    let number = number(&text).map(|(number, _)| number);
    let moment = || text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    number.or_else(moment).map(|ms| ms.to_string())
}

/// A number without what follows its point, and whether nothing did.
#[expect(clippy::cast_possible_truncation, reason = "within the exact range of f64")]
fn number(text: &str) -> Option<(i64, bool)> {
    /// Whole numbers are exact up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = || {
        let number = text.parse::<f64>().ok().filter(|number| number.abs() <= EXACT)?;
        Some((number as i64, number.fract() == 0.0))
    };
    text.parse().ok().map(|number| (number, true)).or_else(float)
}

#[cfg(test)]
mod tests {
    use super::{alarm, reading, reply, status};

    #[test]
    #[rustfmt::skip] // a table
    fn what_says_the_same_is_repaired_and_nothing_else() {
        for (key, value, expected) in [
            ("pressure_kpa", "\"300.5\"",     Some("300.5")),
            ("pressure_kpa", "\" 300.5 \"",   Some("300.5")),
            ("pressure_kpa", "+300.5",        Some("300.5")),
            ("pressure_kpa", "\"-0.5\"",      Some("-0.5")),
            ("pressure_kpa", "\"300,5\"",     None),
            ("pressure_kpa", "\"300 kPa\"",   None),
            ("pressure_kpa", "\"\"",          None),
            ("pressure_kpa", "\"NaN\"",       None),
            ("pressure_kpa", "NaN",           None),
            ("pressure_kpa", "-Infinity",     None),
            ("pressure_kpa", "1e39",          None),
            ("pressure_kpa", "true",          None),
            ("pressure_kpa", "[300.5]",       None),
            ("battery_mv",   "3580.0",        Some("3580")),
            ("battery_mv",   "\"3580\"",      Some("3580")),
            ("battery_mv",   "3580.5",        None),
            ("battery_mv",   "3e9",           None),
            ("rssi_dbm",     "-7.1e1",        Some("-71")),
            ("flowing",      "1",             Some("true")),
            ("flowing",      "0.0",           Some("false")),
            ("cap_open",     "\"TRUE\"",      Some("true")),
            ("cap_open",     "\"open\"",      None),
            ("flowing",      "2",             None),
            ("boot",         "\"3\"",         Some("3")),
            ("seq",          "17.0",          Some("17")),
            ("seq",          "17.5",          None),
            ("seq",          "4294967296.0",  None),
            ("seq",          "-1",            None),
            ("ts",           "1764000000500.7", Some("1764000000500")),
            ("ts",           "\"2025-11-24T16:00:00Z\"",          Some("1764000000000")),
            ("ts",           "\"2025-11-25T00:00:00.250+08:00\"", Some("1764000000250")),
            ("ts",           "\"2025-11-25 00:00:00+08:00\"",     Some("1764000000000")),
            ("ts",           "\"2025-11-24T16:00:00\"",           None),
            ("ts",           "\"2025-11-24\"",                    None),
            ("colour",       "\"7\"",         None),
        ] {
            assert_eq!(reading(key, value.as_bytes()).as_deref(), expected, "{key}: {value}");
        }
        for (key, value, expected) in [
            ("condition", "\" Smoke\"",   Some("\"smoke\"")),
            ("condition", "\"NO-WATER\"", Some("\"no_water\"")),
            ("condition", "\"fog\"",      None),
            ("active",    "\"报警\"",     Some("true")),
            ("active",    "\"恢复\"",     Some("false")),
            ("active",    "\"maybe\"",    None),
            ("test",      "1",            Some("true")),
            ("test",      "\"true\"",     Some("true")),
            ("test",      "\"yes\"",      Some("false")),
            ("test",      "\"1\"",        Some("false")),
            ("test",      "1.0",          Some("false")),
            ("test",      "\"on\"",       Some("false")),
            ("temp_c",    "\"57.5\"",     Some("57.5")),
        ] {
            assert_eq!(alarm(key, value.as_bytes()).as_deref(), expected, "{key}: {value}");
        }
        assert_eq!(status("online", b"\"Offline\"").as_deref(), Some("false"));
        assert_eq!(status("interval_s", b"900.0").as_deref(), Some("900"));
        assert_eq!(status("model", b"7"), None);
        assert_eq!(reply("ok", b"1").as_deref(), Some("true"));
        assert_eq!(reply("id", b"1"), None);
    }
}
