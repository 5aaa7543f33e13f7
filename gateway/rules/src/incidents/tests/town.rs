//! The town of the drills.

use standpipe_shared::Kind;

use crate::incidents::{ReceiverRole, Route};
use crate::registry::{Device, Level, Registry, Station};

/// A webhook for plans.
pub fn route(name: &str, station: Option<&str>, role: ReceiverRole) -> Route {
    let station = station.map(Into::into);
    Route { name: name.into(), station, role, ..Route::default() }
}

/// District D; townships T1 to T4 from west to east, 1 km apart; community C1 under T1.
/// Zone Z1 has HY-1 to HY-4 of T1 and HY-5 of T2. SD-1 to SD-3 are in one building of T1.
pub fn town() -> Registry {
    let mut town = Registry::new([]);
    for (id, level, parent, lon) in [
        ("D", Level::District, None, 106.5),
        ("T1", Level::Township, Some("D"), 106.50),
        ("T2", Level::Township, Some("D"), 106.51),
        ("T3", Level::Township, Some("D"), 106.52),
        ("T4", Level::Township, Some("D"), 106.53),
        ("C1", Level::Community, Some("T1"), 106.50),
    ] {
        let (id, name, parent) =
            (id.into(), format!("{id} station").into(), parent.map(Into::into));
        town.put_station(Station { id, name, level, parent, lat: 29.4, lon, phone: None });
    }
    for (id, station, zone, building, floor, metres) in [
        ("SD-1", "T1", "", "Xinhua Building", "12", 0.0),
        ("SD-2", "T1", "", "Xinhua Building", "13", 0.0),
        ("SD-3", "T1", "", "Xinhua Building", "B1", 0.0),
        ("SD-4", "T1", "", "", "", 2_000.0),
        ("SD-5", "T2", "", "Xinhua Building", "12", 4_000.0),
        ("SD-U", "", "", "", "", 0.0),
        ("SD-X", "gone", "", "", "", 9_000.0),
        ("HY-1", "T1", "Z1", "", "", 100.0),
        ("HY-2", "T1", "Z1", "", "", 200.0),
        ("HY-3", "T1", "Z1", "", "", 300.0),
        ("HY-4", "T1", "Z1", "", "", 499.0),
        ("HY-5", "T2", "Z1", "", "", 501.0),
        ("HY-6", "T2", "", "", "", 600.0),
    ] {
        town.put_device(Device {
            id: id.into(),
            kind: if id.starts_with('H') { Kind::Hydrant } else { Kind::Smoke },
            name: format!("{id} corner").into(),
            station: station.into(),
            zone: zone.into(),
            profile: "".into(),
            lat: (id != "SD-U").then_some(29.4 + metres / 111_195.1),
            lon: (id != "SD-U").then_some(106.5),
            address: "1 Road".into(),
            building: building.into(),
            floor: floor.into(),
            interval_s: None,
            installed_on: "".into(),
            decoder: "".into(),
            area: "".into(),
            claimed: id != "SD-U",
            retired_at: None,
            replaces: None,
        });
    }
    town
}
