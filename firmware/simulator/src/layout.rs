//! Where everything stands: zones of mains with their hydrants, high-rises and homes with their
//! detectors. Laid out once from the seed; nothing moves afterwards.
//!
//! What the water and the fires do is in `world.rs`; the files of the registry are written here.

use std::fmt::Write as _;
use std::sync::Arc;

use standpipe_shared::Kind;

use crate::TownPlan;
use crate::chance::Chance;
use crate::places::{BUILDINGS, BilingualName, OWNERS, STATIONS, STREETS, station, township};

/// Of 100 devices, this many are hydrants.
const HYDRANTS_PER_100: usize = 45;
/// Hydrants a zone, about.
const ZONE_HYDRANTS: usize = 15;
/// The town has at least this many zones, so that one burst is not the whole town.
const ZONES_MIN: usize = 4;
/// Branches of a zone's main; a valve stands at the head of each.
pub const BRANCHES: usize = 3;
/// Of every so many hydrants, one is an indoor one with a roof tank of its own.
const INDOOR_EVERY: usize = 12;
/// Detectors in a high-rise, one a floor.
const FLOORS: usize = 6;
/// Of every so many detectors behind the high-rises, … homes have one detector each.
const HIGHRISE_PER_100: usize = 60;
/// Metres between neighbouring hydrants of a branch.
const SPACING_M: f32 = 95.0;
/// Metres of one degree of latitude.
const DEGREE_M: f64 = 111_200.0;

/// One device and its place.
#[derive(Clone, Debug)]
pub struct DeviceSite {
    pub id: Arc<str>,
    pub kind: Kind,
    /// The installing township: the area in its topics.
    pub area: Arc<str>,
    /// The id of the station responsible.
    pub station: &'static str,
    /// Which zone feeds it; `None` for detectors and for hydrants with a tank of their own.
    pub zone: Option<usize>,
    /// Which branch of the zone's main.
    pub branch: usize,
    /// How far along the main, 0 (at the source) to 1.
    pub along: f32,
    /// Pressure when nobody draws water, kPa.
    pub still_kpa: f32,
    /// The profile that judges it.
    pub profile: &'static str,
    pub lat: f64,
    pub lon: f64,
    /// The place in two languages, without the floor.
    pub place: (String, String),
    /// The building that groups detectors; empty: none.
    pub building: String,
    /// The floor; 0: none.
    pub floor: usize,
    /// The detector of the floor below, whose smoke rises here.
    pub below: Option<usize>,
}

impl DeviceSite {
    /// Chinese and English in one line, as in `devices.csv`.
    pub fn name(&self) -> String {
        let (zh, en) = &self.place;
        if self.floor == 0 { format!("{zh} {en}") } else { format!("{zh} {en} {}F", self.floor) }
    }

    /// The place in Chinese.
    pub fn zh(&self) -> String {
        let floor = if self.floor == 0 { String::new() } else { format!(" {} 楼", self.floor) };
        format!("{}{floor}", self.place.0)
    }

    /// The place in English.
    pub fn en(&self) -> String {
        let floor = if self.floor == 0 { String::new() } else { format!(" {}F", self.floor) };
        format!("{}{floor}", self.place.1)
    }
}

/// One zone of the mains.
#[derive(Clone, Debug)]
pub struct Zone {
    /// As in the registry.
    pub name: String,
    /// Places in the layout's `sites`.
    pub hydrants: Vec<usize>,
    /// The id of its station.
    pub owner: &'static str,
    lat: f64,
    lon: f64,
    source_kpa: f32,
}

/// The town's registry as the gateway reads it: the text of `stations.csv` and of `devices.csv`.
#[derive(Debug)]
pub struct RegistryCsv {
    /// `id,name,level,parent,lat,lon`, a row a station.
    pub stations: String,
    /// A row a device, hydrants first.
    pub devices: String,
}

/// Everything that stands in the town.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Hydrants first.
    pub sites: Vec<DeviceSite>,
    pub zones: Vec<Zone>,
    /// Devices by high-rise, lowest floor first.
    pub buildings: Vec<Vec<usize>>,
}

impl Layout {
    /// Draws the town of this seed.
    pub fn new(seed: u64, plan: &TownPlan) -> Self {
        let mut chance = Chance::new(seed);
        // One device is a detector: without one nothing burns.
        let hydrants =
            (plan.devices * HYDRANTS_PER_100).div_ceil(100).min(plan.devices.saturating_sub(1));
        let zones = (hydrants / ZONE_HYDRANTS).max(ZONES_MIN);
        let mut layout = Self {
            sites: Vec::with_capacity(plan.devices),
            zones: (0..zones).map(|at| zone(at, &mut chance)).collect(),
            buildings: Vec::new(),
        };
        for at in 0..hydrants {
            layout.add_hydrant(at, &mut chance);
        }
        let detectors = plan.devices - hydrants;
        let highrises = detectors * HIGHRISE_PER_100 / 100 / FLOORS;
        for at in 0..highrises {
            layout.add_highrise(at, &mut chance);
        }
        while layout.sites.len() < plan.devices {
            layout.add_home(&mut chance);
        }
        layout
    }

    fn add_hydrant(&mut self, at: usize, chance: &mut Chance) {
        let ix = self.sites.len();
        let (zone_ix, within) = (at % self.zones.len(), at / self.zones.len());
        let Some(zone) = self.zones.get_mut(zone_ix) else { return };
        let indoor = within % INDOOR_EVERY == INDOOR_EVERY - 1;
        let branch = within % BRANCHES;
        let steps = count(within / BRANCHES + 1);
        let (metres, turn) = (steps * SPACING_M, count(branch) * 2.1 + count(zone_ix) * 0.7);
        let north = metres * libm::cosf(turn) + chance.between(-25.0, 25.0);
        let east = metres * libm::sinf(turn) + chance.between(-25.0, 25.0);
        let uphill_m = chance.between(-7.0, 7.0);
        let (lat, lon) = moved(zone.lat, zone.lon, north, east);
        let (place, profile, fed, still_kpa) = if indoor {
            let name = building(at / INDOOR_EVERY);
            let place = (format!("{}屋顶", name.0), format!("{} Roof", name.1));
            (place, "indoor_highrise", None, chance.between(170.0, 240.0))
        } else {
            let street = STREETS.get((zone_ix * BRANCHES + branch) % STREETS.len());
            let (zh, en) = street.map_or(("", ""), |street| (street.zh, street.en));
            let number = (within / BRANCHES + 1) * 12 + zone_ix / STREETS.len();
            let place = (format!("{zh} {number} 号"), format!("{en} {number}"));
            zone.hydrants.push(ix);
            (place, "municipal", Some(zone_ix), zone.source_kpa - 9.81 * uphill_m)
        };
        self.sites.push(DeviceSite {
            id: format!("H-{:04}", at + 1).into(),
            kind: Kind::Hydrant,
            area: township(zone.owner).into(),
            station: zone.owner,
            zone: fed,
            branch,
            along: (steps / 12.0).min(1.0),
            still_kpa,
            profile,
            lat,
            lon,
            place,
            building: String::new(),
            floor: 0,
            below: None,
        });
    }

    fn add_highrise(&mut self, at: usize, chance: &mut Chance) {
        let name = building(at);
        let Some((lat, lon, owner)) = self.near_zone(at, 120.0, chance) else { return };
        let mut floors = Vec::with_capacity(FLOORS);
        for floor in 0..FLOORS {
            let below = floors.last().copied();
            floors.push(self.sites.len());
            let mut site = self.detector((lat, lon), owner, name.clone());
            site.building = format!("{} {}", name.0, name.1);
            site.floor = 8 + floor * 2;
            site.below = below;
            self.sites.push(site);
        }
        self.buildings.push(floors);
    }

    fn add_home(&mut self, chance: &mut Chance) {
        let at = chance.below(self.zones.len());
        let Some((lat, lon, owner)) = self.near_zone(at, 450.0, chance) else { return };
        let street = STREETS.get(chance.below(STREETS.len()));
        let (zh, en) = street.map_or(("", ""), |street| (street.zh, street.en));
        let number = 1 + chance.below(180);
        let room = 101 + chance.below(6) * 100 + chance.below(4);
        let place = (format!("{zh} {number}-{room}"), format!("{en} {number}-{room}"));
        let site = self.detector((lat, lon), owner, place);
        self.sites.push(site);
    }

    fn detector(&self, at: (f64, f64), owner: &'static str, place: (String, String)) -> DeviceSite {
        let hydrants = self.sites.partition_point(|site| site.kind == Kind::Hydrant);
        DeviceSite {
            id: format!("S-{:04}", self.sites.len() - hydrants + 1).into(),
            kind: Kind::Smoke,
            area: township(owner).into(),
            station: owner,
            zone: None,
            branch: 0,
            along: 0.0,
            still_kpa: 0.0,
            profile: "smoke_home",
            lat: at.0,
            lon: at.1,
            place,
            building: String::new(),
            floor: 0,
            below: None,
        }
    }

    /// A point within `radius_m` of a zone's middle, and the station there.
    fn near_zone(
        &self,
        at: usize,
        radius_m: f32,
        chance: &mut Chance,
    ) -> Option<(f64, f64, &'static str)> {
        let zone = self.zones.get(at % self.zones.len())?;
        let north = chance.between(-radius_m, radius_m);
        let east = chance.between(-radius_m, radius_m);
        let (lat, lon) = moved(zone.lat, zone.lon, north, east);
        Some((lat, lon, zone.owner))
    }

    /// `stations.csv` and `devices.csv` as `deploy/FILES.md` describes them.
    pub fn registry(&self, interval_s: u32) -> RegistryCsv {
        let mut stations = String::from("id,name,level,parent,lat,lon\n");
        for station in STATIONS {
            let BilingualName { zh, en } = station.name;
            let row = (station.id, zh, en, station.level, station.parent, station.lat, station.lon);
            let (id, zh, en, level, parent, lat, lon) = row;
            let _ = writeln!(stations, "{id},{zh} {en},{level},{parent},{lat:.5},{lon:.5}");
        }
        let mut devices = String::from(
            "id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s\n",
        );
        for site in &self.sites {
            let zone = site.zone.and_then(|at| self.zones.get(at)).map_or("", |zone| &zone.name);
            let floor = if site.floor == 0 { String::new() } else { site.floor.to_string() };
            let _ = writeln!(
                devices,
                "{},{},{},{},{zone},{},{:.6},{:.6},{},{},{floor},{interval_s}",
                site.id,
                site.kind.as_str(),
                site.name(),
                site.station,
                site.profile,
                site.lat,
                site.lon,
                site.en(),
                site.building,
            );
        }
        RegistryCsv { stations, devices }
    }
}

fn zone(at: usize, chance: &mut Chance) -> Zone {
    let owner = OWNERS.get(at % OWNERS.len()).copied().unwrap_or("yudong");
    let (lat, lon) = station(owner).map_or((29.4, 106.54), |station| (station.lat, station.lon));
    let round = at / OWNERS.len();
    // Zones after the first twelve stand around the station on a widening spiral.
    let (far, turn) = (700.0 * count(round).sqrt(), count(round) * 2.4);
    let (lat, lon) = moved(lat, lon, far * libm::cosf(turn), far * libm::sinf(turn));
    Zone {
        name: format!("{owner}-{}", round + 1),
        hydrants: Vec::new(),
        lat,
        lon,
        owner,
        source_kpa: chance.between(330.0, 430.0),
    }
}

fn building(at: usize) -> (String, String) {
    let name = BUILDINGS.get(at % BUILDINGS.len());
    let (zh, en) = name.map_or(("", ""), |name| (name.zh, name.en));
    match at / BUILDINGS.len() {
        0 => (zh.to_owned(), en.to_owned()),
        round => (format!("{zh} {} 座", round + 1), format!("{en} {}", round + 1)),
    }
}

/// A small whole number as a factor.
#[expect(clippy::cast_precision_loss, reason = "counts of things in a town are small")]
const fn count(things: usize) -> f32 {
    things as f32
}

fn moved(lat: f64, lon: f64, north_m: f32, east_m: f32) -> (f64, f64) {
    let shrink = libm::cos(lat.to_radians());
    (lat + f64::from(north_m) / DEGREE_M, lon + f64::from(east_m) / (DEGREE_M * shrink))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Layout, RegistryCsv};
    use crate::TownPlan;
    use std::collections::HashSet;

    #[test]
    fn a_town_has_as_many_devices_as_asked_for_and_no_id_twice() {
        for devices in [1, 3, 40, 200, 3_000] {
            let layout = Layout::new(3, &TownPlan { devices, ..TownPlan::default() });
            assert_eq!(layout.sites.len(), devices);
            let ids: HashSet<_> = layout.sites.iter().map(|site| &site.id).collect();
            assert_eq!(ids.len(), devices);
        }
    }

    #[test]
    fn the_smallest_town_has_something_that_can_burn() {
        for devices in 1..=5 {
            let layout = Layout::new(1, &TownPlan { devices, ..TownPlan::default() });
            let detectors = layout.sites.iter().filter(|site| site.kind == Kind::Smoke).count();
            assert!(detectors > 0, "{devices}");
            assert_eq!(detectors == devices, devices == 1, "and hydrants beside it");
        }
        assert!(Layout::new(1, &TownPlan { devices: 0, ..TownPlan::default() }).sites.is_empty());
    }

    #[test]
    fn the_registry_has_the_columns_of_the_contract_and_a_row_each() {
        let layout = Layout::new(1, &TownPlan::default());
        let RegistryCsv { stations, devices } = layout.registry(10);
        assert_eq!(stations.lines().count(), 20);
        assert_eq!(devices.lines().count(), 201);
        for (file, columns) in [(stations, 6), (devices, 12)] {
            assert!(file.lines().all(|row| row.split(',').count() == columns), "{file}");
        }
    }

    #[test]
    fn the_first_fire_has_a_high_rise_with_water_near_it() {
        let layout = Layout::new(1, &TownPlan::default());
        let top = layout.buildings.first().and_then(|floors| floors.last()).copied().unwrap_or(0);
        let fire = layout.sites.get(top).map(|site| (site.en(), site.lat, site.lon));
        let Some((name, lat, lon)) = fire else { panic!("no building") };
        assert_eq!(name, "Xinhua Building 18F");
        let near = layout.sites.iter().filter(|site| site.zone.is_some()).filter(|site| {
            let (north, east) = ((site.lat - lat) * 111_200.0, (site.lon - lon) * 96_900.0);
            libm::hypot(north, east) < 500.0
        });
        assert!(near.count() >= 3);
    }
}
