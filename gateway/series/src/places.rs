//! Where every device is, for maps and tables over history: the records `place`.
//!
//! A record a device and day (UTC), written again every hour, so that what is registered today is on
//! the map today. Tags `device`, `station`, `zone`, and two that readings do not have: `kind`, and
//! `township`, the township above its station. Fields `name`, `address`, `lat`, `lon`, and what it
//! is judged by: `min_kpa`, `max_kpa`, `interval_s`. What only the self-test uses is nowhere.

use standpipe_rules::registry::{Device, Registry};
use standpipe_rules::selftest;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_shared::Kind;
use standpipe_store::{Reader, StoreError};

use super::{Record, RecordKind};

/// Devices written at once.
const DEVICES: i64 = 500;

/// Makes them, a few at a time.
#[derive(Debug)]
pub(super) struct Places {
    /// The profiles, and the stations as they were at the beginning of the pass.
    registry: Registry,
    /// The hour whose pass is done, or begun.
    hour: Option<Ms>,
    /// Within a pass: the next device.
    device: Option<i64>,
}

/// Records of the next few devices, and where the pass goes on.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) records: Vec<Record>,
    /// For [`Places::kept`].
    pub(super) next: Option<i64>,
}

impl Places {
    /// With the profiles by which devices are judged.
    pub(super) const fn new(registry: Registry) -> Self {
        Self { registry, hour: None, device: None }
    }

    /// The next few, if it is time for them; the same until [`Self::kept`] hears of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn next(&mut self, reader: &Reader, now: Ms) -> Result<Pass, StoreError> {
        let hour = now.div_euclid(HOUR_MS);
        if self.device.is_none() && self.hour != Some(hour) {
            // A row that can't be read is left out: it holds up no other.
            for station in reader.stations()?.into_iter().flatten() {
                self.registry.put_station(station);
            }
            (self.hour, self.device) = (Some(hour), Some(0));
        }
        let Some(first) = self.device else { return Ok(Pass::default()) };
        let rows = reader.devices_from(first, DEVICES)?;
        let devices = rows.iter().filter_map(|(_, device)| device.as_ref());
        let devices = devices.filter(|device| !selftest::is_detector(&device.id));
        let records = devices.map(|device| self.record(device, now)).collect();
        Ok(Pass { records, next: rows.last().map(|(ix, _)| ix + 1) })
    }

    /// The records of a pass are in the history; `next` is where the one after it begins.
    pub(super) const fn kept(&mut self, next: Option<i64>) {
        self.device = next;
    }

    fn record(&self, device: &Device, now: Ms) -> Record {
        let profile = self.registry.profile_of(device);
        let township = self.registry.township(&device.station);
        let tags = vec![
            ("device", device.id.clone()),
            ("station", (&*device.station).into()),
            ("zone", (&*device.zone).into()),
            ("kind", device.kind.as_str().into()),
            ("township", township.into()),
        ];
        let mut fields =
            vec![("name", (&*device.name).into()), ("address", (&*device.address).into())];
        let place = [("lat", device.lat), ("lon", device.lon)];
        let limits = [("min_kpa", profile.min_kpa), ("max_kpa", profile.max_kpa)];
        let limits = limits.map(|(name, kpa)| (name, Some(f64::from(kpa))));
        let limits = limits.into_iter().filter(|_| device.kind == Kind::Hydrant);
        for (name, number) in place.into_iter().chain(limits) {
            if let Some(number) = number.filter(|number| number.is_finite()) {
                fields.push((name, number.into()));
            }
        }
        let interval = device.interval_s.unwrap_or(profile.interval_s);
        fields.push(("interval_s", i64::from(interval).into()));
        let at = now.div_euclid(DAY_MS) * DAY_MS;
        Record { kind: RecordKind::Place, tags, fields, at, within_ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::influx::line;
    use standpipe_rules::registry::{Device, Level, Registry, Station};
    use standpipe_shared::Kind;

    #[test]
    fn a_place_is_a_record_a_day() {
        let station = |id: &str, level, parent: Option<&str>| Station {
            id: id.into(),
            name: id.into(),
            level,
            parent: parent.map(Box::from),
            lat: 29.0,
            lon: 106.0,
            phone: None,
        };
        let mut places = Places::new(Registry::new([]));
        for station in [
            station("d", Level::District, None),
            station("t1", Level::Township, Some("d")),
            station("c1", Level::Community, Some("t1")),
            station("v1", Level::Village, Some("c1")),
        ] {
            places.registry.put_station(station);
        }
        let mut device = Device::unclaimed("H-1", "t1", Kind::Hydrant);
        (device.station, device.lat, device.lon) = ("v1".into(), Some(29.5), Some(106.25));
        device.name = "滨江路 \"1\"".into();
        let mut out = String::new();
        line::record(&mut out, &places.record(&device, 1_764_000_000_000)).unwrap();
        assert_eq!(
            out,
            "place,device=H-1,station=v1,kind=hydrant,township=t1 name=\"滨江路 \\\"1\\\"\",\
             address=\"\",lat=29.5,lon=106.25,min_kpa=140,max_kpa=1000,interval_s=900i \
             1763942400000\n"
        );
        // What is not known is left out.
        let unclaimed = Device::unclaimed("D-1", "t1", Kind::Smoke);
        let mut out = String::new();
        line::record(&mut out, &places.record(&unclaimed, 1_764_000_000_000)).unwrap();
        assert_eq!(
            out,
            "place,device=D-1,kind=smoke name=\"D-1\",address=\"\",interval_s=900i 1763942400000\n"
        );
    }
}
