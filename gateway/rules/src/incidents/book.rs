//! All open incidents: how they are found, kept, restored.
//!
//! What a fact does to them is in [`super::hear`], what a person does in [`super::act`], what
//! time does in [`super::escalate`]. A closed incident stays until [`Book::committed`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Measurements};

use super::{Action, Incident, IncidentId, Plan, Refused, State};
use crate::changes::{Page, Presence, Receiver};
use crate::detect::HydrantNow;
use crate::fact::Subject;
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, Fact, Ms};

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
    /// When each receiver was last reminded of critical water.
    reminded: Vec<(Receiver, Ms)>,
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
    pub(super) incidents: HashMap<IncidentId, Incident>,
    /// The newest of a device (zone, area) and class.
    pub(super) newest: HashMap<(Subject, Class), IncidentId>,
    /// Where a condition that is true belongs.
    pub(super) home: HashMap<(Subject, Condition), IncidentId>,
    /// The newest fire of a station's building.
    pub(super) buildings: HashMap<(Box<str>, Box<str>), IncidentId>,
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
            incidents: HashMap::new(),
            newest: HashMap::new(),
            home: HashMap::new(),
            buildings: HashMap::new(),
            timers: BTreeSet::new(),
            owed: HashMap::new(),
            presence: BTreeMap::new(),
        }
    }

    /// Takes back what was kept; for an empty book.
    pub fn restore(&mut self, view: &View, saved: Saved) {
        let _ = (view, saved);
    }

    /// Takes in what detection found.
    pub fn hear(&mut self, view: &View, fact: Fact, now: Ms, out: &mut Changes) {
        let _ = (view, fact, now, out);
    }

    /// Does what a person or a terminal asks; `station`: whose topic it came by.
    ///
    /// # Errors
    /// [`Refused`]: nothing changed.
    pub fn act(
        &mut self,
        view: &View,
        (station, action): (Option<&str>, &Action),
        now: Ms,
        out: &mut Changes,
    ) -> Result<(), Refused> {
        let _ = (view, station, now, out);
        self.get(action.incident).map_or(Err(Refused::Unknown), |_| Ok(()))
    }

    /// A station's terminal came or went.
    pub fn presence(
        &mut self,
        view: &View,
        (station, online): (&str, bool),
        now: Ms,
        out: &mut Changes,
    ) {
        let _ = (view, station, online, now, out);
    }

    /// A page was confirmed.
    pub fn delivered(&mut self, page_id: ulid::Ulid, at: Ms, out: &mut Changes) {
        let _ = (page_id, at, out);
    }

    /// A page was given up.
    pub fn gave_up(&mut self, page_id: ulid::Ulid, why: &str, at: Ms, out: &mut Changes) {
        let _ = (page_id, why, at, out);
    }

    /// Time passed.
    pub fn tick(&mut self, view: &View, now: Ms, out: &mut Changes) {
        let _ = (view, now, out);
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What changed is on disk: forgets the incidents that are closed.
    pub fn committed(&mut self) {
        self.incidents.retain(|_, it| it.state != State::Closed);
    }

    /// One incident: an open one, or one closed since the last [`Self::committed`].
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// Every open incident, in no order.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|it| it.state != State::Closed)
    }

    /// What is to be kept besides incidents.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What the incidents go by.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// An id of its own, in order of `now`.
    pub(super) fn next_id(&mut self, now: Ms) -> ulid::Ulid {
        self.meta.ids += 1;
        let [high, low] = [2 * self.meta.ids, 2 * self.meta.ids + 1]
            .map(|n| u128::from(splitmix64(self.seed.wrapping_add(n))));
        ulid::Ulid::from_parts(now.unsigned_abs(), high << 64 | low)
    }
}

/// Steele, Lea and Flood's finaliser: a number that looks like no other.
const fn splitmix64(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
