//! The town of this folder's tests: the district's station `D`, the township's `T` below it, and
//! devices of `T` that measure once a minute, all in one place.

use standpipe_shared::{Alarm, Condition, Field, Kind, Reading};

use super::World;
use crate::incidents::{IdSecret, Plan};
use crate::registry::{Device, Level, Registry, Station};
use crate::wire::Message;
use crate::{Changes, Ms};

/// When its stories begin: 2026-01-01, 00:00 UTC.
pub const T0: Ms = 1_767_225_600_000;

/// The two stations, and these devices in this order.
pub fn registry(devices: impl IntoIterator<Item = Device>) -> Registry {
    let mut registry = Registry::new([]);
    registry.put_station(station("D", Level::District, None));
    registry.put_station(station("T", Level::Township, Some("D")));
    for device in devices {
        registry.put_device(device);
    }
    registry
}

/// Called by its id, at a place of no matter.
pub fn station(id: &str, level: Level, parent: Option<&str>) -> Station {
    let (id, name, parent) = (id.into(), id.into(), parent.map(Box::from));
    Station { id, name, level, parent, lat: 29.4, lon: 106.5, phone: None }
}

/// A device of `T`, judged by the profile that is usual for its kind.
pub fn device(id: &str, kind: Kind) -> Device {
    let station = "T".into();
    let (lat, lon) = (Some(29.4), Some(106.5));
    let known = Device::unclaimed(id, "town", kind);
    Device { claimed: true, station, lat, lon, interval_s: Some(60), ..known }
}

/// Its gateway, which has met nobody yet.
pub fn world(registry: Registry, plan: Plan) -> World {
    World::new(registry, plan, IdSecret::new([1; 32]))
}

/// The broker is there, and so are the terminals of these stations.
pub fn connect(world: &mut World, stations: &[&str], now: Ms, out: &mut Changes) {
    world.session(true, now, out);
    for station in stations {
        world.step(&presence(station), now, out);
    }
}

/// A station's terminal came.
pub fn presence(station: &str) -> Message {
    Message::Presence { station: station.into(), online: true }
}

/// A pressure with a time and without numbers.
pub fn reading(ts: Ms, kpa: f32) -> Reading {
    let mut reading = Reading { ts: Some(ts), ..Reading::default() };
    reading.values.set(Field::PressureKpa, kpa).unwrap();
    reading
}

/// A device says that.
pub fn telemetry(device: &str, reading: Reading) -> Message {
    Message::Telemetry { area: "town".into(), device: device.into(), readings: vec![reading] }
}

/// A device shouts, or stops shouting.
pub fn alarm(device: &str, reading: Reading, (condition, active): (Condition, bool)) -> Message {
    let alarm = Alarm { reading, condition, active, test: false };
    Message::Alarm { area: "town".into(), device: device.into(), alarm }
}
