//! What a bundle says: one message that carries several pages to one receiver. At its top level it is
//! the worst member's incident as ever, so that a receiver that knows nothing of bundles still reads a
//! fire; behind that stand its members, and how many they are by station.
//!
//! All of it is bounded: a receiver of programs is sent bundles that fit ([`MEMBERS_LISTED`]), and of a
//! larger one the message says how many it leaves out. The whole list is at the bundle's own address.
//!
//! Not here: which pages are bundled (`pace`), and how a bundle is put into words
//! (`standpipe_words::bundle`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use standpipe_shared::Severity;
use ulid::Ulid;

use super::wire::{Text, with_members};
use super::{IncidentId, WireIncident};

/// Members that a bundle lists by id: about 110 bytes each. Those of a larger one are counted.
pub const MEMBERS_LISTED: usize = 1_000;
/// Members that a bundle names, the worst of them.
pub const NAMED: usize = 10;
/// Stations that a bundle counts by name: more than a district has. The others are summed up.
const STATIONS_COUNTED: usize = 200;

/// A page that a bundle carries, as much of it as the bundle says.
#[derive(Clone, Debug, PartialEq)]
pub struct BundledPage {
    /// The incident that it is about.
    pub incident: IncidentId,
    pub page_id: Ulid,
    /// The device's id; `None`: it is about a zone, an area or the gateway.
    pub device: Option<Box<str>>,
    /// The station responsible, and what people call it; empty: every district station is.
    pub station: (Box<str>, Box<str>),
    /// How bad it is.
    pub severity: Severity,
    /// What and where, in a line.
    pub title: Text,
}

/// What stands behind the worst member's incident in the message of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireBundle {
    /// That it is one.
    #[serde(default)]
    pub bundle: bool,
    /// How many pages it carries.
    #[serde(default)]
    pub count: usize,
    /// How many of them are fires.
    #[serde(default)]
    pub fires: usize,
    /// How many of them by station, those with most fires first.
    #[serde(default)]
    pub stations: Vec<CountedStation>,
    /// How many stations there are beyond those.
    #[serde(default)]
    pub stations_left_out: usize,
    /// The worst of its members, in words, at most [`NAMED`].
    #[serde(default)]
    pub worst: Vec<NamedMember>,
    /// Its members, at most [`MEMBERS_LISTED`], the worst first.
    #[serde(default)]
    pub members: Vec<ListedMember>,
    /// How many members there are beyond those.
    #[serde(default)]
    pub members_left_out: usize,
}

/// How many members a station has in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedStation {
    /// Its id; empty: every district station is responsible.
    pub station: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    pub count: usize,
    /// How many of them are fires.
    pub fires: usize,
}

/// One of the worst members of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedMember {
    /// The incident that it is about.
    pub incident: IncidentId,
    /// The station responsible.
    pub station: Box<str>,
    /// What and where, in a line.
    pub title: Text,
}

/// One member of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMember {
    /// The incident that it is about.
    pub incident: IncidentId,
    /// The page that it is: known again by this, alone or in another bundle.
    pub page_id: Ulid,
    /// The device's id; `null` of a zone, an area or the gateway.
    pub device: Option<Box<str>>,
}

impl WireBundle {
    /// What is said of these pages; the worst stand first.
    #[must_use]
    pub fn of(pages: &[BundledPage]) -> Self {
        let (stations, stations_left_out) = counted(pages);
        let worst = pages.iter().take(NAMED).map(|page| NamedMember {
            incident: page.incident,
            station: page.station.0.clone(),
            title: page.title.clone(),
        });
        let members = pages.iter().take(MEMBERS_LISTED).map(|page| ListedMember {
            incident: page.incident,
            page_id: page.page_id,
            device: page.device.clone(),
        });
        Self {
            bundle: true,
            count: pages.len(),
            fires: pages.iter().filter(|page| page.severity == Severity::Fire).count(),
            stations,
            stations_left_out,
            worst: worst.collect(),
            members: members.collect(),
            members_left_out: pages.len().saturating_sub(MEMBERS_LISTED),
        }
    }

    /// The whole message: the worst member's incident, JSON, as it was written, with the bundle's id in
    /// its `page_id`, and all this behind it.
    #[must_use]
    pub fn message(&self, worst: &str, id: Ulid) -> String {
        let said: [(&'static str, Option<Box<RawValue>>); 8] = [
            ("bundle", to_raw_value(&self.bundle).ok()),
            ("count", to_raw_value(&self.count).ok()),
            ("fires", to_raw_value(&self.fires).ok()),
            ("stations", to_raw_value(&self.stations).ok()),
            ("stations_left_out", to_raw_value(&self.stations_left_out).ok()),
            ("worst", to_raw_value(&self.worst).ok()),
            ("members", to_raw_value(&self.members).ok()),
            ("members_left_out", to_raw_value(&self.members_left_out).ok()),
        ];
        let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
        with_members(worst, id, said.collect())
    }

    /// Reads a message that [`Self::message`] wrote: its worst incident, and what it carries.
    ///
    /// # Errors
    /// As of [`WireIncident::read`]; what can't be read of the bundle itself is left out.
    pub fn read(text: &str) -> Result<(WireIncident, Self), serde_json::Error> {
        Ok((WireIncident::read(text)?, serde_json::from_str(text).unwrap_or_default()))
    }

    /// How many stations it is about.
    #[must_use]
    pub const fn station_count(&self) -> usize {
        self.stations.len() + self.stations_left_out
    }
}

/// Those with most fires first, then those with most of anything, and how many are left out.
fn counted(pages: &[BundledPage]) -> (Vec<CountedStation>, usize) {
    let mut by_station: BTreeMap<&str, CountedStation> = BTreeMap::new();
    for page in pages {
        let (station, name) = &page.station;
        let counted = by_station.entry(station).or_insert_with(|| CountedStation {
            station: station.clone(),
            name: name.clone(),
            count: 0,
            fires: 0,
        });
        counted.count += 1;
        counted.fires += usize::from(page.severity == Severity::Fire);
    }
    let mut stations: Vec<_> = by_station.into_values().collect();
    stations.sort_by_key(|station| (usize::MAX - station.fires, usize::MAX - station.count));
    let left_out = stations.len().saturating_sub(STATIONS_COUNTED);
    stations.truncate(STATIONS_COUNTED);
    (stations, left_out)
}

#[cfg(test)]
mod tests {
    use standpipe_shared::Severity;
    use ulid::Ulid;

    use super::{BundledPage, MEMBERS_LISTED, NAMED, WireBundle};
    use crate::incidents::{Text, with_page};

    fn page(n: u64, station: &str, severity: Severity) -> BundledPage {
        BundledPage {
            incident: Ulid::from_parts(n, 0),
            page_id: Ulid::from_parts(n, 1),
            device: (n > 0).then(|| format!("SD-{n}").into()),
            station: (station.into(), format!("{station} town").into()),
            severity,
            title: Text { en: format!("Smoke · {n}"), zh: format!("烟雾报警 · {n}") },
        }
    }

    const WORST: &str = r#"{"id":"00000000010000000000000000","class":"fire","severity":"fire","title":{"en":"Smoke","zh":"烟雾"},"device":{"id":"SD-1"},"page_id":null,"later":1.50}"#;

    #[test]
    fn its_top_level_is_the_worst_incident_and_its_members_stand_behind_it() {
        let pages = [
            page(1, "T1", Severity::Fire),
            page(2, "T2", Severity::Fire),
            page(3, "T2", Severity::Fire),
            page(0, "T1", Severity::Critical),
        ];
        let id = Ulid::from_parts(9, 9);
        let message = WireBundle::of(&pages).message(WORST, id);
        let plain = with_page(WORST, id);
        let behind = message.strip_prefix(plain.strip_suffix('}').unwrap()).unwrap();
        insta::assert_snapshot!(behind, @r#","bundle":true,"count":4,"fires":3,"stations":[{"station":"T2","name":"T2 town","count":2,"fires":2},{"station":"T1","name":"T1 town","count":2,"fires":1}],"stations_left_out":0,"worst":[{"incident":"00000000010000000000000000","station":"T1","title":{"en":"Smoke · 1","zh":"烟雾报警 · 1"}},{"incident":"00000000020000000000000000","station":"T2","title":{"en":"Smoke · 2","zh":"烟雾报警 · 2"}},{"incident":"00000000030000000000000000","station":"T2","title":{"en":"Smoke · 3","zh":"烟雾报警 · 3"}},{"incident":"00000000000000000000000000","station":"T1","title":{"en":"Smoke · 0","zh":"烟雾报警 · 0"}}],"members":[{"incident":"00000000010000000000000000","page_id":"00000000010000000000000001","device":"SD-1"},{"incident":"00000000020000000000000000","page_id":"00000000020000000000000001","device":"SD-2"},{"incident":"00000000030000000000000000","page_id":"00000000030000000000000001","device":"SD-3"},{"incident":"00000000000000000000000000","page_id":"00000000000000000000000001","device":null}],"members_left_out":0}"#);
    }

    #[test]
    fn the_largest_bundle_has_an_end_and_says_what_it_leaves_out() {
        let station = |n: u64| format!("T{:03}", n % 230);
        let pages: Vec<_> = (0..20_000).map(|n| page(n, &station(n), Severity::Fire)).collect();
        let bundle = WireBundle::of(&pages);
        assert_eq!((bundle.count, bundle.fires), (20_000, 20_000));
        assert_eq!(bundle.members.len(), MEMBERS_LISTED);
        assert_eq!(bundle.members_left_out, 20_000 - MEMBERS_LISTED);
        assert_eq!((bundle.stations.len(), bundle.stations_left_out), (200, 30));
        assert_eq!((bundle.worst.len(), bundle.station_count()), (NAMED, 230));
        let message = bundle.message(WORST, Ulid::from_parts(9, 9));
        assert!(message.len() < 160_000, "{} bytes", message.len());
        let (worst, read) = WireBundle::read(&message).unwrap();
        assert_eq!((read, worst.page_id), (bundle, Some(Ulid::from_parts(9, 9))));
    }

    #[test]
    fn a_bundle_that_cannot_be_read_is_an_incident_still() {
        let (worst, bundle) = WireBundle::read(&WORST.replace("\"later\"", "\"count\"")).unwrap();
        assert_eq!((&*worst.title.en, bundle.count), ("Smoke", 0));
    }
}
