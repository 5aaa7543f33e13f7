//! What a station is told of announced work: which of its hydrants cannot be counted on, and for
//! how long. Told when it is announced, so that nobody plans with them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use standpipe_shared::{Condition, Kind};

use super::mute::{Announced, Window};
use crate::Ms;
use crate::registry::Registry;

/// One announced work, as far as it concerns one station.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BulletinWork {
    pub id: Box<str>,
    /// From then …
    pub from: Ms,
    /// … until just before then.
    pub until: Ms,
    pub by: Box<str>,
    pub note: Box<str>,
    /// What it will cause.
    pub conditions: BTreeSet<Condition>,
    /// The hydrants that are lost meanwhile, by id.
    pub hydrants: Vec<LostHydrant>,
}

/// A hydrant that is out of service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostHydrant {
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// Where it is, in words.
    pub address: Box<str>,
}

/// What each station is told, soonest first; a station without a word is not named.
#[must_use]
pub fn bulletins(windows: &[Window], registry: &Registry) -> BTreeMap<Box<str>, Vec<BulletinWork>> {
    let mut told: BTreeMap<Box<str>, Vec<BulletinWork>> = BTreeMap::new();
    for window in windows.iter().filter(|window| window.what == Announced::Maintenance) {
        let mut lost: BTreeMap<&str, Vec<LostHydrant>> = BTreeMap::new();
        let devices = window.devices.iter().filter_map(|ix| registry.device(*ix));
        for device in
            devices.filter(|device| device.kind == Kind::Hydrant && !device.station.is_empty())
        {
            let (id, name, address) =
                (device.id.clone(), device.name.clone(), device.address.clone());
            lost.entry(&device.station).or_default().push(LostHydrant { id, name, address });
        }
        for (station, mut hydrants) in lost {
            hydrants.sort_by(|a, b| a.id.cmp(&b.id));
            let Window { id, from, until, by, note, conditions, .. } = window.clone();
            let work = BulletinWork { id, from, until, by, note, conditions, hydrants };
            told.entry(station.into()).or_default().push(work);
        }
    }
    for works in told.values_mut() {
        works.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
    }
    told
}
