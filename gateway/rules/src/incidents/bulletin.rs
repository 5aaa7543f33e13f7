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
pub struct Work {
    /// The announcement.
    pub id: Box<str>,
    /// From then …
    pub from: Ms,
    /// … until just before then.
    pub until: Ms,
    /// Who says so.
    pub by: Box<str>,
    /// Why.
    pub note: Box<str>,
    /// What it will cause.
    pub conditions: BTreeSet<Condition>,
    /// The hydrants that are lost meanwhile, by id.
    pub hydrants: Vec<Lost>,
}

/// A hydrant that is out of service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lost {
    /// Its id.
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// Where it is, in words.
    pub address: Box<str>,
}

/// What each station is told, soonest first; a station without a word is not named.
#[must_use]
pub fn bulletins(windows: &[Window], registry: &Registry) -> BTreeMap<Box<str>, Vec<Work>> {
    let mut told: BTreeMap<Box<str>, Vec<Work>> = BTreeMap::new();
    for window in windows.iter().filter(|it| it.what == Announced::Maintenance) {
        let mut lost: BTreeMap<&str, Vec<Lost>> = BTreeMap::new();
        let devices = window.devices.iter().filter_map(|ix| registry.device(*ix));
        for it in devices.filter(|it| it.kind == Kind::Hydrant && !it.station.is_empty()) {
            let (id, name, address) = (it.id.clone(), it.name.clone(), it.address.clone());
            lost.entry(&it.station).or_default().push(Lost { id, name, address });
        }
        for (station, mut hydrants) in lost {
            hydrants.sort_by(|a, b| a.id.cmp(&b.id));
            let Window { id, from, until, by, note, conditions, .. } = window.clone();
            let work = Work { id, from, until, by, note, conditions, hydrants };
            told.entry(station.into()).or_default().push(work);
        }
    }
    for works in told.values_mut() {
        works.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
    }
    told
}
