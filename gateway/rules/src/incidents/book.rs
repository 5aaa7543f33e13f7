//! All open incidents: how they are found, kept, restored.
//!
//! What a fact does to them is in [`super::hear`], what a person does in [`super::act`], what
//! time does in [`super::escalate`]. A closed incident stays until [`Book::committed`].

mod shift;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Measurements, Severity};

use super::mute::Window;
use super::nearest::Hydrants;
use super::{Incident, IncidentId, Plan, State};
use crate::changes::{Hop, Page, Presence, Receiver, TrailEntry};
use crate::detect::HydrantNow;
use crate::fact::Subject;
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, Ms};

/// Bits of an id that can't be guessed from the one before; above them ids are counted.
const NOISE_BITS: u32 = 40;

/// What the book may look at.
pub struct View<'a> {
    /// Who is where.
    pub registry: &'a Registry,
    /// A hydrant as it is at that time.
    pub hydrant: &'a dyn Fn(DeviceIx, Ms) -> HydrantNow,
    /// What a device measured last.
    pub value: &'a dyn Fn(DeviceIx) -> Measurements,
}

/// What the book remembers besides incidents: kept whenever [`Changes::book_meta`] says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Ids handed out so far.
    ids: u64,
    /// When each receiver was last reminded of water.
    pub(super) reminded: Vec<(Receiver, Ms)>,
    /// When the hydrants of all fires were last looked at.
    pub(super) looked_at: Ms,
    /// What is announced.
    pub(super) windows: Vec<Window>,
}

impl Meta {
    /// What is announced, and was not over at the last tick.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }
}

/// Everything a restart brings back.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// As [`Book::meta`] gave it.
    pub meta: Meta,
    /// Every incident that is not closed.
    pub incidents: Vec<Incident>,
    /// Pages neither delivered nor given up.
    pub owed: Vec<Page>,
    /// The newest of each station's terminal.
    pub presence: Vec<Presence>,
}

/// Every open incident, and who is there to handle it.
#[derive(Debug)]
pub struct Book {
    pub(super) plan: Plan,
    seed: u64,
    pub(super) meta: Meta,
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    /// The newest of a device (zone, area) and class.
    pub(super) newest: HashMap<(Subject, Class), IncidentId>,
    /// Where a condition that is true belongs.
    pub(super) home: HashMap<(Subject, Condition), IncidentId>,
    /// The newest fire of a station's building.
    pub(super) buildings: HashMap<(Box<str>, Box<str>), IncidentId>,
    pub(super) fires: BTreeSet<IncidentId>,
    /// Fires whose hydrants have to be looked at again.
    pub(super) thirsty: BTreeSet<IncidentId>,
    pub(super) hydrants: Hydrants,
    /// Closed since the last [`Self::committed`].
    closed: Vec<IncidentId>,
    pub(super) timers: BTreeSet<(Ms, IncidentId)>,
    pub(super) owed: HashMap<ulid::Ulid, Page>,
    pub(super) presence: BTreeMap<Box<str>, Presence>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(plan: Plan, seed: u64) -> Self {
        Self {
            plan,
            seed,
            meta: Meta::default(),
            incidents: BTreeMap::new(),
            newest: HashMap::new(),
            home: HashMap::new(),
            buildings: HashMap::new(),
            fires: BTreeSet::new(),
            thirsty: BTreeSet::new(),
            hydrants: Hydrants::default(),
            closed: Vec::new(),
            timers: BTreeSet::new(),
            owed: HashMap::new(),
            presence: BTreeMap::new(),
        }
    }

    /// Takes back what was kept; for an empty book.
    pub fn restore(&mut self, saved: Saved) {
        self.meta = saved.meta;
        self.owed = saved.owed.into_iter().map(|it| (it.page_id, it)).collect();
        self.presence = saved.presence.into_iter().map(|it| (it.station.clone(), it)).collect();
        for it in saved.incidents {
            self.set(it);
        }
    }

    /// What changed is on disk: forgets the incidents that are closed.
    pub fn committed(&mut self) {
        for id in std::mem::take(&mut self.closed) {
            self.incidents.remove(&id);
        }
    }

    /// One incident: an open one, or one closed since the last [`Self::committed`].
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// Every open incident, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|it| it.state != State::Closed)
    }

    /// What is to be kept besides incidents.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// An id of its own; later ones are greater.
    pub(super) fn next_id(&mut self, cx: &mut Cx) -> ulid::Ulid {
        self.new_id(cx.now, cx.out)
    }

    /// An id that no incident, page or command has; later ones are greater.
    pub(crate) fn new_id(&mut self, now: Ms, out: &mut Changes) -> ulid::Ulid {
        self.meta.ids += 1;
        out.book_meta = true;
        let noise = splitmix64(self.seed.wrapping_add(self.meta.ids)) >> (64 - NOISE_BITS);
        let random = u128::from(self.meta.ids) << NOISE_BITS | u128::from(noise);
        // Later ones are greater though the clock was set back.
        let newest = self.incidents.keys().next_back().map_or(0, ulid::Ulid::timestamp_ms);
        ulid::Ulid::from_parts(now.unsigned_abs().max(newest), random)
    }

    /// Takes an open incident out, to be changed and put back by [`Self::keep`].
    pub(super) fn take(&mut self, id: IncidentId) -> Option<Incident> {
        let it = self.get(id).filter(|it| it.state != State::Closed)?;
        if let Some(at) = it.timer {
            self.timers.remove(&(at, id));
        }
        self.incidents.remove(&id)
    }

    /// Puts an incident back that stations see anew.
    pub(super) fn publish(&mut self, cx: &mut Cx, mut it: Incident) {
        it.rev += 1;
        it.updated_at = cx.now;
        it.value = Self::measured(cx.view, &it);
        self.keep(it, cx.out);
    }

    /// Puts an incident back.
    pub(super) fn keep(&mut self, it: Incident, out: &mut Changes) {
        out.incidents.push(it.id);
        self.set(it);
    }

    /// Puts an incident into its place, with its timer and everything it is found by.
    fn set(&mut self, mut it: Incident) {
        it.next_step_at = self.due(&it);
        it.timer = [it.next_step_at, it.muted_until()].into_iter().flatten().min();
        self.timers.extend(it.timer.map(|at| (at, it.id)));
        if it.state != State::Closed {
            self.index(&it);
        }
        self.incidents.insert(it.id, it);
    }

    fn index(&mut self, it: &Incident) {
        for member in &it.members {
            let newest = self.newest.entry((member.subject.clone(), it.class)).or_insert(it.id);
            *newest = it.id.max(*newest);
            if member.active() {
                self.home.insert((member.subject.clone(), member.condition), it.id);
            }
        }
        if it.class == Class::Fire {
            self.fires.insert(it.id);
            if it.severity == Severity::Fire && !it.building.is_empty() {
                let key = (it.station.clone(), it.building.clone());
                let newest = self.buildings.entry(key).or_insert(it.id);
                *newest = it.id.max(*newest);
            }
        }
    }

    /// An incident is closed: it is found no more, and an older fire that it hid is found again.
    pub(super) fn forget(&mut self, it: &Incident) {
        self.closed.push(it.id);
        self.fires.remove(&it.id);
        for member in &it.members {
            let same = |other: &Incident| other.members.iter().any(|m| m.subject == member.subject);
            let older = self.fire(|other| it.class == Class::Fire && same(other));
            point(&mut self.newest, (member.subject.clone(), it.class), older);
        }
        if !it.building.is_empty() {
            let same = |other: &Incident| {
                let real = other.severity == Severity::Fire;
                real && other.station == it.station && other.building == it.building
            };
            let older = self.fire(same);
            point(&mut self.buildings, (it.station.clone(), it.building.clone()), older);
        }
    }

    /// The newest open fire of which that is true.
    fn fire(&self, which: impl Fn(&Incident) -> bool) -> Option<IncidentId> {
        let mut fires = self.fires.iter().rev().filter_map(|id| self.get(*id));
        fires.find(|it| which(it)).map(|it| it.id)
    }
}

/// Makes an index point to an incident, or to none.
fn point<K: Eq + Hash>(index: &mut HashMap<K, IncidentId>, key: K, to: Option<IncidentId>) {
    match to {
        Some(id) => index.insert(key, id),
        None => index.remove(&key),
    };
}

/// What something happens in: what may be looked at, when it is, and what comes of it.
pub(super) struct Cx<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) now: Ms,
    pub(super) out: &'a mut Changes,
}

impl Cx<'_> {
    /// Records a hop that happens now.
    pub(super) fn trail(&mut self, id: IncidentId, hop: Hop, by: &str, detail: &str) {
        self.trail_at(self.now, (id, hop), by, detail);
    }

    /// Records a hop.
    pub(super) fn trail_at(&mut self, at: Ms, of: (IncidentId, Hop), by: &str, detail: &str) {
        let (incident, hop) = of;
        let (by, detail) = (by.into(), detail.into());
        self.out.trail.push(TrailEntry { incident, at, hop, by, detail });
    }
}

/// Steele, Lea and Flood's finaliser: a number that looks like no other.
const fn splitmix64(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Book, splitmix64};
    use crate::incidents::Plan;
    use crate::incidents::tests::drill::{DAY, Drill};

    /// The first numbers of the reference implementation from seed 0.
    #[test]
    fn noise_is_that_of_splitmix64() {
        let numbers = [1, 2, 3].map(splitmix64);
        assert_eq!(numbers, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn ids_are_counted_above_their_noise() {
        let mut drill = Drill::new(Plan::default());
        drill.book = Book::new(Plan::default(), 0);
        drill.happens(&["raise", "HY-6", "offline"], DAY);
        drill.happens(&["raise", "HY-5", "offline"], DAY);
        for (number, noise) in [(1, 0xe2_20a8_397b), (2, 0x6e_789e_6aa1)] {
            let id = drill.incident(number).id;
            assert_eq!(id.timestamp_ms(), DAY.unsigned_abs());
            assert_eq!(id.random(), (number as u128) << 40 | noise);
        }
    }
}
