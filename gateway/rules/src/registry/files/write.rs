//! Registry → the files of the contract, with all columns.

use super::super::{Device, Station};
use super::{devices as device_file, stations as station_file};

/// `stations.csv`
#[must_use]
pub fn stations<'a>(stations: impl IntoIterator<Item = &'a Station>) -> String {
    let columns = station_file::COLUMNS;
    let mut lines = CsvText::new(columns.must.iter().chain(columns.may));
    for station in stations {
        let level = station_file::level_name(station.level);
        let parent = station.parent.as_deref().unwrap_or_default();
        let phone = station.phone.as_deref().unwrap_or_default();
        let (lat, lon) = (station.lat.to_string(), station.lon.to_string());
        lines.line(&[&station.id, &station.name, level, parent, &lat, &lon, phone]);
    }
    lines.text
}

/// `devices.csv`; without the column of decoders where all devices have ours.
#[must_use]
pub fn devices<'a>(devices: impl IntoIterator<Item = &'a Device>) -> String {
    let devices: Vec<&Device> = devices.into_iter().collect();
    let decoders = devices.iter().any(|device| !device.decoder.is_empty());
    let columns = device_file::COLUMNS;
    let columns = columns.must.iter().chain(columns.may);
    let mut lines =
        CsvText::new(columns.filter(|column| decoders || **column != device_file::DECODER));
    for device in devices {
        let number =
            |degrees: Option<f64>| degrees.map(|degrees| degrees.to_string()).unwrap_or_default();
        let (lat, lon) = (number(device.lat), number(device.lon));
        let interval = device.interval_s.map(|seconds| seconds.to_string()).unwrap_or_default();
        let mut fields: Vec<&str> = vec![
            &device.id,
            device.kind.as_str(),
            &device.name,
            &device.station,
            &device.zone,
            &device.profile,
            &lat,
            &lon,
            &device.address,
            &device.building,
            &device.floor,
            &interval,
            &device.installed_on,
        ];
        fields.extend(decoders.then_some(&*device.decoder));
        lines.line(&fields);
    }
    lines.text
}

/// Lines of CSV (RFC 4180, with LF).
struct CsvText {
    text: String,
}

impl CsvText {
    fn new<'a>(columns: impl Iterator<Item = &'a &'a str>) -> Self {
        let mut lines = Self { text: String::new() };
        let columns: Vec<&str> = columns.copied().collect();
        lines.line(&columns);
        lines
    }

    fn line(&mut self, fields: &[&str]) {
        for (at, field) in fields.iter().enumerate() {
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
