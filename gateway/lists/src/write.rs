//! Registry → the files of the contract, with all columns.

use std::borrow::Cow;

use standpipe_rules::registry::{Device, Station};

use crate::{devices as device_file, stations as station_file};

/// A column of ours, and what stands in it.
pub(crate) type CsvField<'a> = (&'static str, Cow<'a, str>);

/// `stations.csv`
#[must_use]
pub fn stations<'a>(stations: impl IntoIterator<Item = &'a Station>) -> String {
    let mut lines = CsvText::new(station_file::COLUMNS.iter().map(|column| column.ours));
    for station in stations {
        lines.line(station_fields(station).iter().map(|(_, text)| &**text));
    }
    lines.text
}

/// `devices.csv`; without the column of decoders where all devices have ours.
#[must_use]
pub fn devices<'a>(devices: impl IntoIterator<Item = &'a Device>) -> String {
    let devices: Vec<&Device> = devices.into_iter().collect();
    let decoders = devices.iter().any(|device| !device.decoder.is_empty());
    let wanted = |column: &str| decoders || column != device_file::DECODER;
    let columns = device_file::COLUMNS.iter().map(|column| column.ours);
    let mut lines = CsvText::new(columns.filter(|column| wanted(column)));
    for device in devices {
        let fields = device_fields(device);
        let fields = fields.iter().filter(|(column, _)| wanted(column));
        lines.line(fields.map(|(_, text)| &**text));
    }
    lines.text
}

/// A station's row.
pub(crate) fn station_fields(station: &Station) -> Vec<CsvField<'_>> {
    let Station { id, name, level, parent, lat, lon, phone } = station;
    let text =
        |text: &'_ Option<Box<str>>| Cow::Owned(text.as_deref().unwrap_or_default().to_owned());
    vec![
        ("id", (**id).into()),
        ("name", (**name).into()),
        ("level", station_file::level_name(*level).into()),
        ("parent", text(parent)),
        ("lat", lat.to_string().into()),
        ("lon", lon.to_string().into()),
        ("phone", text(phone)),
    ]
}

/// A device's row.
pub(crate) fn device_fields(device: &Device) -> Vec<CsvField<'_>> {
    let number = |degrees: Option<f64>| {
        Cow::Owned(degrees.map(|degrees| degrees.to_string()).unwrap_or_default())
    };
    let interval = device.interval_s.map(|seconds| seconds.to_string()).unwrap_or_default();
    vec![
        ("id", (*device.id).into()),
        ("kind", device.kind.as_str().into()),
        ("name", (*device.name).into()),
        ("station", (*device.station).into()),
        ("zone", (*device.zone).into()),
        ("profile", (*device.profile).into()),
        ("lat", number(device.lat)),
        ("lon", number(device.lon)),
        ("address", (*device.address).into()),
        ("building", (*device.building).into()),
        ("floor", (*device.floor).into()),
        ("interval_s", interval.into()),
        ("installed_on", (*device.installed_on).into()),
        (device_file::DECODER, (*device.decoder).into()),
    ]
}

/// Lines of CSV (RFC 4180, with LF).
struct CsvText {
    text: String,
}

impl CsvText {
    fn new(columns: impl Iterator<Item = &'static str>) -> Self {
        let mut lines = Self { text: String::new() };
        lines.line(columns);
        lines
    }

    fn line<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        for (at, field) in fields.enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            if field.contains([',', '"', '\n', '\r']) {
                self.text.push('"');
                self.text.push_str(&field.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(field);
            }
        }
        self.text.push('\n');
    }
}
