//! Stations, devices and profiles: who is where, and which numbers judge whom.
//!
//! The numbers are in [`profile`]. Not here: reading lists (`standpipe_lists`).

pub mod profile;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use standpipe_shared::Kind;
use xxhash_rust::xxh3::xxh3_64;

pub use crate::wire::MAX_INTERVAL_S;
pub use profile::Profile;

use crate::Ms;

/// The place of a device in the registry; never reused, never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceIx(pub u32);

impl DeviceIx {
    /// As an index.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Where a station stands in the order of command, widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The detachment of the whole district.
    District,
    /// A township's fire station.
    Township,
    /// A community's micro-station.
    Community,
    /// A village's team.
    Village,
}

/// How many levels there are: no chain of command is longer.
const LEVELS: usize = 4;
/// First levels of topics that are ours: no station has such an id, for its devices' area would be it.
pub const RESERVED_AREAS: [&str; 3] = ["stations", "gateway", crate::selftest::SELFTEST];

/// One that acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Station {
    /// Its id, a name.
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    pub level: Level,
    /// The station above it.
    pub parent: Option<Box<str>>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    pub phone: Option<Box<str>>,
}

/// One that measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its id, a name.
    pub id: Box<str>,
    pub kind: Kind,
    /// What people call it.
    pub name: Box<str>,
    /// The station responsible; empty while unclaimed: then every district station is.
    pub station: Arc<str>,
    /// The pressure zone; empty: none.
    pub zone: Arc<str>,
    /// The profile that judges it.
    pub profile: Arc<str>,
    /// Degrees north; unknown while unclaimed.
    pub lat: Option<f64>,
    /// Degrees east; unknown while unclaimed.
    pub lon: Option<f64>,
    /// Where it is, in words.
    pub address: Box<str>,
    /// Groups detectors of one building; empty groups nothing.
    pub building: Box<str>,
    /// The floor, as people write it.
    pub floor: Box<str>,
    /// Seconds between readings; `None`: the profile's.
    pub interval_s: Option<u32>,
    /// Date of installation, as given.
    pub installed_on: Box<str>,
    /// By which decoder what it sends is read; empty: by ours.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub decoder: Box<str>,
    /// The area it last spoke from; settings and commands go there.
    pub area: Arc<str>,
    /// False: heard before it was registered, or retired.
    pub claimed: bool,
    /// When a person retired it: it is nobody's any more, and what it says is a stranger's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Ms>,
    /// The device whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Predecessor>,
}

/// A device that another one took the place of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its id: what was measured here before is stored under it.
    pub device: Box<str>,
    pub until: Ms,
}

impl Device {
    /// One that was heard before anybody registered it.
    #[must_use]
    pub fn unclaimed(id: &str, area: &str, kind: Kind) -> Self {
        Self {
            id: id.into(),
            kind,
            name: id.into(),
            station: Arc::default(),
            zone: Arc::default(),
            profile: Profile::default_name(kind).into(),
            lat: None,
            lon: None,
            address: Box::default(),
            building: Box::default(),
            floor: Box::default(),
            interval_s: None,
            installed_on: Box::default(),
            decoder: Box::default(),
            area: area.into(),
            claimed: false,
            retired_at: None,
            replaces: None,
        }
    }

    /// The same, as nobody's any more. What people call it and where it hung stays, for whoever asks.
    #[must_use]
    pub fn retired(self, now: Ms) -> Self {
        let (id, area) = (self.id.clone(), self.area.clone());
        let Self { kind, name, address, installed_on, decoder, replaces, .. } = self;
        let stranger = Self::unclaimed(&id, &area, kind);
        let retired_at = Some(now);
        Self { name, address, installed_on, decoder, replaces, retired_at, ..stranger }
    }

    /// What puts it on the map of hydrants: its place and what it is good for.
    fn spot(&self) -> Option<(Kind, &str, f64, f64)> {
        Some((self.kind, &self.profile, self.lat?, self.lon?))
    }

    /// The zone it is listed in, if in any, and the station.
    fn lists(&self) -> (Option<&str>, &str) {
        let zoned = self.kind == Kind::Hydrant && !self.zone.is_empty();
        (zoned.then_some(&*self.zone), &self.station)
    }
}

/// Why no device takes another one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplaced {
    /// Nobody registered the old one.
    #[error("no such device: see GET /api/v1/devices")]
    Unknown,
    /// The new one is registered somewhere.
    #[error("registered already: retire it first, or name another one")]
    Taken,
}

/// Everything registered. Devices are added and changed, never removed.
///
/// ```
/// use standpipe_rules::registry::{Device, Registry};
/// use standpipe_shared::Kind;
///
/// let mut registry = Registry::new([]);
/// let hydrant = Device::unclaimed("HY-0042", "T03", Kind::Hydrant);
/// let ix = registry.put_device(Device { claimed: true, ..hydrant });
/// assert_eq!(registry.find("HY-0042"), Some(ix));
/// let (device, profile) = registry.judged(ix).expect("it was put there");
/// assert_eq!((&*device.profile, profile.min_kpa), ("municipal", 140.0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    stations: Vec<Station>,
    station_at: HashMap<Box<str>, usize>,
    devices: Vec<Device>,
    /// By id, which stands in `devices`.
    device_at: HashTable<DeviceIx>,
    /// Stations, zones, profiles and areas of devices: each is kept once, however many share it.
    names: HashSet<Arc<str>>,
    profiles: Vec<Profile>,
    profile_at: HashMap<Box<str>, usize>,
    /// The place of each device's profile; `None`: the default of its kind judges it.
    judged_by: Vec<Option<u32>>,
    zones: HashMap<Box<str>, Vec<DeviceIx>>,
    of_station: HashMap<Box<str>, Vec<DeviceIx>>,
    revision: u64,
}

impl Registry {
    /// An empty registry with these profiles; the built-in ones are always there.
    #[must_use]
    pub fn new(profiles: impl IntoIterator<Item = (Box<str>, Profile)>) -> Self {
        let mut all = profile::built_in();
        all.extend(profiles);
        let (names, profiles): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let profile_at = names.into_iter().zip(0..).collect();
        Self { profiles, profile_at, ..Self::default() }
    }

    /// Makes room for so many devices, so that their table need not grow step by step.
    pub fn reserve(&mut self, devices: usize) {
        let more = devices.saturating_sub(self.devices.len());
        self.devices.reserve_exact(more);
        self.judged_by.reserve_exact(more);
    }

    /// Counts the changes of the map: devices that came, moved or changed what they are good for.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// All stations.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// All devices; a [`DeviceIx`] is an index here.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// One station by id.
    #[must_use]
    pub fn station(&self, id: &str) -> Option<&Station> {
        self.station_at.get(id).and_then(|at| self.stations.get(*at))
    }

    /// The place of a device by its id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<DeviceIx> {
        let is = |ix: &DeviceIx| self.device(*ix).is_some_and(|device| &*device.id == id);
        self.device_at.find(xxh3_64(id.as_bytes()), is).copied()
    }

    /// One device by its place.
    #[must_use]
    pub fn device(&self, ix: DeviceIx) -> Option<&Device> {
        self.devices.get(ix.at())
    }

    /// The profile of that name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profile_at.get(name).and_then(|at| self.profiles.get(*at))
    }

    /// The numbers that judge a device: its profile's, or the default of its kind.
    #[must_use]
    pub fn profile_of(&self, device: &Device) -> &Profile {
        self.profile(&device.profile).unwrap_or_else(|| Profile::default_of(device.kind))
    }

    /// One device by its place, and the numbers that judge it: what [`Self::profile_of`] would
    /// find by name, for every message.
    #[must_use]
    pub fn judged(&self, ix: DeviceIx) -> Option<(&Device, &Profile)> {
        let (device, profile) = (self.devices.get(ix.at())?, self.judged_by.get(ix.at())?);
        let named = profile.and_then(|at| self.profiles.get(at as usize));
        Some((device, named.unwrap_or_else(|| Profile::default_of(device.kind))))
    }

    /// The hydrants of a zone.
    #[must_use]
    pub fn zone(&self, zone: &str) -> &[DeviceIx] {
        self.zones.get(zone).map_or(&[], Vec::as_slice)
    }

    /// The township above a station, itself included; where there is none, as far up as it goes.
    #[must_use]
    pub fn township<'a>(&'a self, station: &'a str) -> &'a str {
        let mut at = station;
        for _ in 0..LEVELS {
            let Some(station) = self.station(at) else { break };
            match (&station.parent, station.level) {
                (_, Level::District | Level::Township) | (None, _) => break,
                (Some(parent), Level::Community | Level::Village) => at = parent,
            }
        }
        at
    }

    /// The devices a station is responsible for.
    #[must_use]
    pub fn of_station(&self, station: &str) -> &[DeviceIx] {
        self.of_station.get(station).map_or(&[], Vec::as_slice)
    }

    /// Adds a station, or replaces the one of that id.
    pub fn put_station(&mut self, station: Station) {
        if let Some(at) = self.station_at.get(&station.id) {
            if let Some(old) = self.stations.get_mut(*at) {
                *old = station;
            }
        } else {
            self.station_at.insert(station.id.clone(), self.stations.len());
            self.stations.push(station);
        }
    }

    /// Adds a device, or replaces the one of that id; says where it is. Quick however many there
    /// are, unless the device moves to another zone or station.
    ///
    /// # Panics
    /// Never: four billion devices do not fit in memory.
    #[expect(clippy::cast_possible_truncation, reason = "devices and profiles do not reach 2^32")]
    pub fn put_device(&mut self, mut device: Device) -> DeviceIx {
        let Device { station, zone, profile, area, .. } = &mut device;
        for name in [station, zone, profile, area] {
            *name = self.name(name);
        }
        let ix = self.find(&device.id).unwrap_or(DeviceIx(self.devices.len() as u32));
        let old = self.devices.get(ix.at());
        if old.and_then(Device::spot) != device.spot() {
            self.revision += 1;
        }
        let listed = old.map(Device::lists) == Some(device.lists());
        if !listed && let Some((zone, station)) = old.map(Device::lists) {
            for (index, key) in [(&mut self.zones, zone), (&mut self.of_station, Some(station))] {
                if let Some(list) = key.and_then(|key| index.get_mut(key)) {
                    list.retain(|listed| *listed != ix);
                }
            }
        }
        if !listed {
            let (zone, station) = device.lists();
            if let Some(zone) = zone {
                self.zones.entry(zone.into()).or_default().push(ix);
            }
            self.of_station.entry(station.into()).or_default().push(ix);
        }
        let judge = self.profile_at.get(&*device.profile).map(|at| *at as u32);
        if let (Some(old), Some(judged_by)) =
            (self.devices.get_mut(ix.at()), self.judged_by.get_mut(ix.at()))
        {
            (*old, *judged_by) = (device, judge);
        } else {
            let hash = xxh3_64(device.id.as_bytes());
            self.devices.push(device);
            self.judged_by.push(judge);
            let Self { device_at, devices, .. } = self;
            let again = |ix: &DeviceIx| {
                devices.get(ix.at()).map_or(0, |device| xxh3_64(device.id.as_bytes()))
            };
            device_at.insert_unique(hash, ix, again);
        }
        ix
    }

    /// A device speaks from this area; false: as it did before, or there is no such device.
    pub fn speaks_from(&mut self, ix: DeviceIx, area: &str) -> bool {
        if self.device(ix).is_none_or(|device| &*device.area == area) {
            return false;
        }
        let area = self.name(area);
        if let Some(device) = self.devices.get_mut(ix.at()) {
            device.area = area;
        }
        true
    }

    /// The one that is kept of equal names.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(kept) = self.names.get(name) {
            return Arc::clone(kept);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod put_tests {
    use super::*;

    fn device(station: &str, zone: &str) -> Device {
        let known = Device::unclaimed("H-1", "t-1", Kind::Hydrant);
        Device {
            station: station.into(),
            zone: zone.into(),
            lat: Some(29.4),
            lon: Some(106.5),
            ..known
        }
    }

    #[test]
    fn a_device_is_listed_where_it_belongs_and_nowhere_else() {
        let mut registry = Registry::new([]);
        for (station, zone) in
            [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("b", ""), ("a", "x")]
        {
            let ix = registry.put_device(device(station, zone));
            for name in ["a", "b"] {
                let listed: &[DeviceIx] = if name == station { &[ix] } else { &[] };
                assert_eq!(registry.of_station(name), listed, "{station}/{zone}: station {name}");
            }
            for name in ["x", "y", ""] {
                let listed: &[DeviceIx] =
                    if name == zone && !name.is_empty() { &[ix] } else { &[] };
                assert_eq!(registry.zone(name), listed, "{station}/{zone}: zone {name}");
            }
        }
        let detector = Device { kind: Kind::Smoke, ..device("a", "x") };
        registry.put_device(detector);
        assert!(registry.zone("x").is_empty(), "only hydrants make a zone");
    }

    #[test]
    fn the_numbers_that_judge_a_device_are_those_of_its_row() {
        let usual = Profile::default_of(Kind::Smoke);
        let hasty = Profile { interval_s: 5, ..usual.clone() };
        let deaf = Profile { smoke_db_m: 9.0, ..usual.clone() };
        let mut registry = Registry::new([("hasty".into(), hasty), ("smoke_home".into(), deaf)]);
        for (kind, profile) in [
            (Kind::Hydrant, "municipal"),
            (Kind::Hydrant, "hasty"),
            (Kind::Smoke, "smoke_home"),
            (Kind::Hydrant, "nowhere"),
            (Kind::Smoke, "nowhere"),
            (Kind::Smoke, "hasty"),
        ] {
            let row = Device { kind, profile: profile.into(), ..device("a", "x") };
            let ix = registry.put_device(row.clone());
            let default = Profile::default_of(kind);
            let named = registry.profile(profile).unwrap_or(default);
            assert_eq!(registry.judged(ix), Some((&row, named)), "{profile}");
            assert_eq!(registry.profile_of(&row), named, "{profile}");
        }
        assert_eq!(registry.judged(DeviceIx(1)), None);
    }

    #[test]
    fn a_community_is_in_the_township_above_it() {
        let mut registry = Registry::new([]);
        for (id, level, parent) in [
            ("d", Level::District, None),
            ("t", Level::Township, Some("d")),
            ("c", Level::Community, Some("t")),
            ("v", Level::Village, Some("c")),
            ("alone", Level::Village, None),
            ("lost", Level::Village, Some("nowhere")),
        ] {
            let (name, parent) = (id.into(), parent.map(Box::from));
            let (lat, lon, phone) = (0.0, 0.0, None);
            registry.put_station(Station { id: id.into(), name, level, parent, lat, lon, phone });
        }
        let places = ["d", "t", "c", "v", "alone", "lost", "nobody"];
        let above = places.map(|place| registry.township(place));
        assert_eq!(above, ["d", "t", "t", "t", "alone", "nowhere", "nobody"]);
    }

    #[test]
    fn the_map_changes_when_a_device_comes_moves_or_changes_its_use_and_not_when_it_speaks() {
        let mut registry = Registry::new([]);
        let at_first = device("a", "x");
        let mut changes = |device: &Device| {
            let before = registry.revision();
            registry.put_device(device.clone());
            registry.revision() != before
        };
        assert!(changes(&at_first), "it came");
        assert!(!changes(&at_first), "the same again");
        assert!(
            !changes(&Device { area: "t-2".into(), ..at_first.clone() }),
            "it spoke from there"
        );
        assert!(!changes(&device("b", "y")), "somebody else's now");
        assert!(changes(&Device { lat: Some(29.5), ..at_first.clone() }), "it moved");
        assert!(changes(&Device { lat: None, ..at_first.clone() }), "nobody knows where it is");
        assert!(changes(&at_first), "found");
        assert!(changes(&Device { profile: "indoor".into(), ..at_first.clone() }), "indoors");
        assert!(changes(&Device { kind: Kind::Smoke, ..at_first.clone() }), "a detector");
        assert!(!changes(&Device::unclaimed("H-2", "t-1", Kind::Hydrant)), "nobody knows where");
    }
}
