//! Line protocol, written without an allocation a point.
//!
//! `hydrant,device=H-1,station=S-3,zone=north pressure_kpa=312.4,battery_mv=3580i 1764000000000`
//!
//! Measurement, tags and fields are those of deploy/FILES.md. Escaping follows the InfluxDB 2
//! reference "Line protocol": comma, equals sign and space in tags; quote and backslash in
//! strings; the ids of devices are tags as all others. What the format cannot say is refused here, not sent: control
//! characters anywhere (a line feed would begin another point), a number that is not finite.

use std::fmt::Write;

use influxdb2::api::write::TimestampPrecision;
use standpipe_rules::Ms;
use standpipe_shared::{Field, Measurements, Name, NotFinite};
use standpipe_store::views::history::DeviceTags;

use crate::number::{float, integer};
use crate::record::{Record, RecordKind, RecordValue};

/// Stands for a backslash in a tag: the full-width one. InfluxDB reads a backslash in a tag as
/// itself, or as the escape of what follows it, so that before a comma or at the end of a tag
/// nothing can be written that is read back as one.
const BACKSLASH: char = '\u{FF3C}';

/// Something line protocol cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// An id that is empty, or is not a name.
    #[error("the device's id is not a name: use 1 to 64 bytes without / + # and what is invisible")]
    BadId,
    #[error("a text holds a control character: remove it")]
    Control,
    #[error("a number is not finite: send a finite one, or leave the field out")]
    NotFinite,
    /// A point needs one field at least.
    #[error("a point without fields: leave it out")]
    Empty,
}

impl From<NotFinite> for Unwritable {
    fn from(_: NotFinite) -> Self {
        Self::NotFinite
    }
}

/// Writes the beginning of a device's line, up to and with the space before its fields. An empty station or zone is left out; so is one with a control
/// character, with a warning.
///
/// # Errors
/// [`Unwritable::BadId`].
pub fn head(out: &mut String, row: &DeviceTags<'_>) -> Result<(), Unwritable> {
    if Name::new(row.device).is_err() {
        return Err(Unwritable::BadId);
    }
    out.push_str(row.kind.as_str());
    tag(out, "device", row.device)?;
    for (key, value) in [("station", row.station), ("zone", row.zone)] {
        if let Err(bad) = tag(out, key, value) {
            tracing::warn!(device = row.device, key, "tag left out of history: {bad}");
        }
    }
    out.push(' ');
    Ok(())
}

/// A tag's value as InfluxDB has it once it was written: what a question must ask for.
#[must_use]
pub fn stored(value: &str) -> String {
    value.replace('\\', BACKSLASH.encode_utf8(&mut [0; 4]))
}

/// The device that a written line is about, as InfluxDB has it.
#[must_use]
pub fn device_of(line: &str) -> String {
    let (_, rest) = line.split_once(",device=").unwrap_or_default();
    let (mut id, mut escaped) = (String::new(), false);
    for letter in rest.chars() {
        match letter {
            '\\' if !escaped => escaped = true,
            ',' | ' ' if !escaped => break,
            _ => {
                id.push(letter);
                escaped = false;
            }
        }
    }
    id
}

/// Writes `,key=value`; nothing for an empty value, which line protocol does not know.
///
/// # Errors
/// [`Unwritable::Control`]; nothing was written then.
pub fn tag(out: &mut String, key: &str, value: &str) -> Result<(), Unwritable> {
    if value.chars().any(char::is_control) {
        return Err(Unwritable::Control);
    }
    if value.is_empty() {
        return Ok(());
    }
    out.push(',');
    out.push_str(key);
    out.push('=');
    for letter in value.chars() {
        match letter {
            ',' | '=' | ' ' => out.extend(['\\', letter]),
            '\\' => out.push(BACKSLASH),
            _ => out.push(letter),
        }
    }
    Ok(())
}

/// Writes one reading as a line. Of an error nothing stays written.
///
/// # Errors
/// [`Unwritable::Empty`] when nothing was measured.
pub fn point(
    out: &mut String,
    head: &str,
    values: &Measurements,
    ts: Ms,
) -> Result<(), Unwritable> {
    let start = out.len();
    out.push_str(head);
    let fields = out.len();
    if let Err(bad) = measured(out, values) {
        out.truncate(start);
        return Err(bad);
    }
    if out.pop() != Some(',') || out.len() <= fields {
        out.truncate(start);
        return Err(Unwritable::Empty);
    }
    out.push(' ');
    integer(out, ts);
    out.push('\n');
    Ok(())
}

/// Writes a record as a line, its time in the unit of [`precision`]. Of an error nothing stays
/// written.
///
/// # Errors
/// [`Unwritable`].
pub fn record(out: &mut String, record: &Record) -> Result<(), Unwritable> {
    let start = out.len();
    let done = tags_and_fields(out, record);
    if done.is_err() {
        out.truncate(start);
        return done;
    }
    out.push(' ');
    integer(out, time(record));
    out.push('\n');
    Ok(())
}

/// The unit of a record's time: several incidents of one station may change at one moment.
#[must_use]
pub const fn precision(kind: RecordKind) -> TimestampPrecision {
    match kind {
        RecordKind::Incident => TimestampPrecision::Nanoseconds,
        RecordKind::Ledger | RecordKind::Place | RecordKind::Selftest => {
            TimestampPrecision::Milliseconds
        }
    }
}

/// The time of a record in that unit.
fn time(record: &Record) -> i64 {
    match record.kind {
        RecordKind::Incident => record.at * 1_000_000 + i64::from(record.within_ms),
        RecordKind::Ledger | RecordKind::Place | RecordKind::Selftest => record.at,
    }
}

fn tags_and_fields(out: &mut String, record: &Record) -> Result<(), Unwritable> {
    out.push_str(record.kind.as_str());
    for (key, value) in &record.tags {
        tag(out, key, value)?;
    }
    let mut before = ' ';
    for (name, value) in &record.fields {
        out.push(before);
        before = ',';
        match value {
            RecordValue::Text(text) => text_field(out, name, text)?,
            RecordValue::Integer(count) => integer_field(out, name, *count),
            RecordValue::Number(measure) if !measure.is_finite() => {
                return Err(Unwritable::NotFinite);
            }
            RecordValue::Number(measure) => {
                key(out, name);
                // Writing to a String cannot fail.
                let _ = write!(out, "{measure}");
            }
        }
    }
    if record.fields.is_empty() { Err(Unwritable::Empty) } else { Ok(()) }
}

/// Writes every measurement there is, a comma after each.
fn measured(out: &mut String, values: &Measurements) -> Result<(), Unwritable> {
    let numbers = [
        (Field::PressureKpa, values.pressure_kpa.map(|kpa| kpa.get())),
        (Field::PressureMinKpa, values.pressure_min_kpa.map(|kpa| kpa.get())),
        (Field::PressureMaxKpa, values.pressure_max_kpa.map(|kpa| kpa.get())),
        (Field::LoopMa, values.loop_ma.map(|ma| ma.get())),
        (Field::TiltDeg, values.tilt_deg.map(|degrees| degrees.get())),
        (Field::SmokeDbM, values.smoke_db_m.map(|db_m| db_m.get())),
        (Field::DirtPct, values.dirt_pct.map(|percent| percent.get())),
        (Field::TempC, values.temp_c.map(|celsius| celsius.get())),
    ];
    for (field, value) in numbers {
        if let Some(value) = value {
            key(out, field.as_str());
            float(out, value)?;
            out.push(',');
        }
    }
    for (field, value) in [(Field::Flowing, values.flowing), (Field::CapOpen, values.cap_open)] {
        if let Some(value) = value {
            key(out, field.as_str());
            out.push_str(if value { "t," } else { "f," });
        }
    }
    for (field, value) in [(Field::BatteryMv, values.battery_mv), (Field::RssiDbm, values.rssi_dbm)]
    {
        if let Some(value) = value {
            key(out, field.as_str());
            integer(out, i64::from(value));
            out.push_str("i,");
        }
    }
    Ok(())
}

fn key(out: &mut String, name: &str) {
    out.push_str(name);
    out.push('=');
}

/// Writes `name="text"`, escaped.
///
/// # Errors
/// [`Unwritable::Control`]; nothing was written then.
pub fn text_field(out: &mut String, name: &str, text: &str) -> Result<(), Unwritable> {
    if text.chars().any(char::is_control) {
        return Err(Unwritable::Control);
    }
    key(out, name);
    out.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    Ok(())
}

/// Writes `name=123i`.
pub fn integer_field(out: &mut String, name: &str, value: i64) {
    key(out, name);
    integer(out, value);
    out.push('i');
}

#[cfg(test)]
mod tests {
    use super::{Unwritable, device_of, head, point, record, stored, tag, text_field};
    use crate::record::{Record, RecordKind};
    use proptest::prelude::*;
    use standpipe_rules::registry::DeviceIx;
    use standpipe_shared::{Field, Kind, Measurements};
    use standpipe_store::views::history::DeviceTags;

    fn values(pairs: &[(Field, f32)]) -> Measurements {
        let mut values = Measurements::default();
        for (field, value) in pairs {
            values.set(*field, *value).unwrap();
        }
        values
    }

    fn hydrant<'a>(device: &'a str, station: &'a str, zone: &'a str) -> DeviceTags<'a> {
        DeviceTags { ix: DeviceIx(0), kind: Kind::Hydrant, device, station, zone }
    }

    #[test]
    fn a_reading_is_one_line() {
        let mut out = String::new();
        head(&mut out, &hydrant("H-1", "S-3", "north")).unwrap();
        let head = std::mem::take(&mut out);
        let all = values(&[
            (Field::PressureKpa, 312.4),
            (Field::Flowing, 1.0),
            (Field::CapOpen, 0.0),
            (Field::TempC, -0.5),
            (Field::BatteryMv, 3_580.0),
            (Field::RssiDbm, -101.0),
        ]);
        point(&mut out, &head, &all, 1_764_000_000_000).unwrap();
        assert_eq!(
            out,
            "hydrant,device=H-1,station=S-3,zone=north pressure_kpa=312.4,temp_c=-0.5,\
             flowing=t,cap_open=f,battery_mv=3580i,rssi_dbm=-101i 1764000000000\n"
        );
        let nothing = point(&mut out, &head, &Measurements::default(), 1);
        assert_eq!(nothing, Err(Unwritable::Empty));
        assert!(out.ends_with("000\n"), "of a refused point nothing stays");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn tags_are_escaped_and_empty_ones_left_out() {
        for (story, row, expected) in [
            ("all",           hydrant("H", "S", "Z"),         Ok("hydrant,device=H,station=S,zone=Z ")),
            ("no zone",       hydrant("H", "S", ""),          Ok("hydrant,device=H,station=S ")),
            ("unclaimed",     hydrant("H", "", ""),           Ok("hydrant,device=H ")),
            ("escapes",       hydrant("H", "S", "a b,c=d"),   Ok("hydrant,device=H,station=S,zone=a\\ b\\,c\\=d ")),
            ("a backslash",   hydrant("H", "S", "a\\b\\"),   Ok("hydrant,device=H,station=S,zone=a＼b＼ ")),
            ("Chinese",       hydrant("H", "S", "高区"),       Ok("hydrant,device=H,station=S,zone=高区 ")),
            ("a line feed",   hydrant("H", "S", "a\nb x=1"),  Ok("hydrant,device=H,station=S ")),
            ("no id",         hydrant("", "S", "Z"),          Err(Unwritable::BadId)),
            ("no name",       hydrant("H#1", "S", "Z"),       Err(Unwritable::BadId)),
            ("a line feed in it", hydrant("H\n1", "S", "Z"), Err(Unwritable::BadId)),
            ("colons",        hydrant("00:15:8d:00:01", "S", ""), Ok("hydrant,device=00:15:8d:00:01,station=S ")),
            ("any script",    hydrant("厨房烟感", "S", ""),    Ok("hydrant,device=厨房烟感,station=S ")),
            ("any character", hydrant("a b,c=d", "S", ""),    Ok("hydrant,device=a\\ b\\,c\\=d,station=S ")),
            ("a backslash at its end", hydrant("a\\", "S", ""), Ok("hydrant,device=a＼,station=S ")),
            ("quotes",        hydrant("\"'<b>&?%2F", "", ""),  Ok("hydrant,device=\"'<b>&?%2F ")),
        ] {
            let mut out = String::new();
            let done = head(&mut out, &row).map(|()| out.as_str());
            assert_eq!(done, expected, "{story}");
            if let Ok(line) = done {
                assert_eq!(device_of(line), stored(row.device), "{story}");
            }
        }
    }

    #[test]
    fn of_a_record_all_is_written_or_nothing() {
        let record_of = |kind, fields| Record {
            kind,
            tags: vec![("station", "S 1".into()), ("zone", "".into())],
            fields,
            at: 1_764_000_000_000,
            within_ms: 41,
        };
        let said = || vec![("a", (-7).into()), ("b", 1.5.into()), ("c", "\"1\"".into())];
        let mut out = String::new();
        for kind in [RecordKind::Incident, RecordKind::Selftest] {
            record(&mut out, &record_of(kind, said())).unwrap();
        }
        let written = "incident,station=S\\ 1 a=-7i,b=1.5,c=\"\\\"1\\\"\" 1764000000000000041\n\
                       selftest,station=S\\ 1 a=-7i,b=1.5,c=\"\\\"1\\\"\" 1764000000000\n";
        assert_eq!(out, written);
        for (fields, bad) in [
            (vec![], Unwritable::Empty),
            (vec![("a", 1.into()), ("b", f64::NAN.into())], Unwritable::NotFinite),
            (vec![("a", 1.into()), ("c", "\u{7}".into())], Unwritable::Control),
        ] {
            assert_eq!(record(&mut out, &record_of(RecordKind::Ledger, fields)), Err(bad));
            assert_eq!(out, written, "nothing stays");
        }
    }

    #[test]
    fn strings_are_quoted() {
        let mut out = String::new();
        text_field(&mut out, "id", r#"say "no" \ "#).unwrap();
        assert_eq!(out, r#"id="say \"no\" \\ ""#);
        assert_eq!(text_field(&mut out, "id", "a\u{7}"), Err(Unwritable::Control));
    }

    proptest! {
        #[test]
        fn no_tag_ever_begins_another_line_or_field(value in ".*") {
            let mut out = String::new();
            if tag(&mut out, "zone", &value).is_ok() && !value.is_empty() {
                let text = out.strip_prefix(",zone=").unwrap();
                let mut escaped = false;
                for letter in text.chars() {
                    prop_assert!(!letter.is_control());
                    prop_assert!(escaped || !matches!(letter, ',' | '=' | ' '));
                    escaped = letter == '\\' && !escaped;
                }
                prop_assert!(!escaped, "the next comma would be escaped");
            }
        }
    }
}
