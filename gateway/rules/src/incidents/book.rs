//! All open incidents: how they are found, kept, restored.
//!
//! What a fact does to them is in [`super::hear`], what a person does in [`super::act`], what
//! time does in [`super::escalate`]. A closed incident stays until [`Book::committed`].

mod shift;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Measurements, Severity};

use super::damp::Sounded;
use super::ids::{Cause, IdSecret, OpenedBy};
use super::mute::Window;
use super::nearest::{FireReach, Hydrants};
use super::unreadable::Kept;
use super::{Incident, IncidentId, Plan, Rank, State};
use crate::changes::{Bundle, Hop, Page, Presence, Receiver, TrailEntry};
use crate::compact::push_compact;
use crate::detect::HydrantNow;
use crate::fact::{Raised, Subject};
use crate::registry::{DeviceIx, Registry};
use crate::trail::TrailCode;
use crate::{Changes, Ms};

/// What the book may look at.
pub struct BookView<'a> {
    pub registry: &'a Registry,
    /// A hydrant as it is at that time.
    pub hydrant: &'a dyn Fn(DeviceIx, Ms) -> HydrantNow,
    /// What a device measured last.
    pub value: &'a dyn Fn(DeviceIx) -> Measurements,
}

/// What the book remembers besides incidents: kept whenever [`Changes::book_meta`] says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Incidents, pages and whatever else is counted so far.
    #[serde(alias = "ids")]
    numbers: u64,
    /// When each receiver was last reminded of water.
    pub(super) reminded: Vec<(Receiver, Ms)>,
    /// When the hydrants of all fires were last looked at.
    pub(super) looked_at: Ms,
    pub(super) windows: Vec<Window>,
    /// First-step sounds of the last hour about what is closed.
    #[serde(default)]
    pub(super) sounded: Vec<Sounded>,
    /// Alarms that cannot be read, that the broker keeps and that were told.
    #[serde(default)]
    pub(super) kept: Vec<Kept>,
}

impl Meta {
    /// Nothing but how far everything is counted.
    #[must_use]
    pub fn counted_to(numbers: u64) -> Self {
        Self { numbers, ..Self::default() }
    }

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
    /// The ids of those that are.
    pub closed: Vec<IncidentId>,
    /// Pages neither delivered nor given up.
    pub owed: Vec<Page>,
    /// Bundles of some of them.
    pub bundles: Vec<Bundle>,
    /// The newest of each station's terminal.
    pub presence: Vec<Presence>,
}

/// Every open incident, and who is there to handle it.
#[derive(Clone, Debug)]
pub struct Book {
    pub(super) plan: Plan,
    pub(super) secret: IdSecret,
    pub(super) meta: Meta,
    pub(super) incidents: HashMap<IncidentId, Box<Incident>>,
    /// All of them, oldest first.
    order: BTreeSet<Rank>,
    /// The message that is being dealt with.
    cause: Option<Cause>,
    /// When an earlier life of the gateway took that message.
    first_came: Option<Ms>,
    /// The lower half of each id of a closed incident, which is as good as all of it.
    past: HashSet<u64>,
    /// The newest of a device (zone, area) and class.
    pub(super) newest: HashMap<(Subject, Class), Rank>,
    /// Where a condition that is true belongs.
    pub(super) home: HashMap<(Subject, Condition), IncidentId>,
    /// Open incidents by each station that answers for them: what its terminal's coming and going
    /// can concern.
    pub(super) at_home: HashMap<Box<str>, BTreeSet<Rank>>,
    /// Open fires by what is in them: where the next newest is found when the newest closes, without a
    /// look at all that burns.
    fires_of: HashMap<Subject, Vec<Rank>>,
    /// The same of real ones by a station's building.
    fires_in: HashMap<(Box<str>, Box<str>), BTreeSet<Rank>>,
    /// Open fires, and which hydrants can change their lists; `None`: no list was made yet.
    pub(super) fires: BTreeMap<Rank, Option<FireReach>>,
    /// Fires whose hydrants have to be looked at again.
    pub(super) thirsty: BTreeSet<Rank>,
    pub(super) hydrants: Hydrants,
    /// Open incidents of topics that name no device.
    pub(super) topics: BTreeSet<Rank>,
    /// Closed since the last [`Self::committed`].
    closed: Vec<Rank>,
    pub(super) timers: BTreeSet<(Ms, Rank)>,
    pub(super) owed: HashMap<ulid::Ulid, Page>,
    /// Whom each open incident was paged to that have not confirmed it.
    pub(super) unconfirmed: HashMap<IncidentId, Vec<Receiver>>,
    /// The same by incident and receiver: one each, and more only in a store of before pages
    /// superseded each other.
    pub(super) owed_to: HashMap<(IncidentId, Receiver), Vec<ulid::Ulid>>,
    /// The bundle that carries a page.
    pub(super) bundle_of: HashMap<ulid::Ulid, ulid::Ulid>,
    /// What each bundle still owes.
    pub(super) bundles: HashMap<ulid::Ulid, BTreeSet<ulid::Ulid>>,
    pub(super) presence: BTreeMap<Box<str>, Presence>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(plan: Plan, secret: IdSecret) -> Self {
        Self {
            plan,
            secret,
            meta: Meta::default(),
            incidents: HashMap::new(),
            order: BTreeSet::new(),
            cause: None,
            first_came: None,
            past: HashSet::new(),
            newest: HashMap::new(),
            home: HashMap::new(),
            at_home: HashMap::new(),
            fires_of: HashMap::new(),
            fires_in: HashMap::new(),
            fires: BTreeMap::new(),
            thirsty: BTreeSet::new(),
            hydrants: Hydrants::default(),
            topics: BTreeSet::new(),
            closed: Vec::new(),
            timers: BTreeSet::new(),
            owed: HashMap::new(),
            unconfirmed: HashMap::new(),
            owed_to: HashMap::new(),
            bundle_of: HashMap::new(),
            bundles: HashMap::new(),
            presence: BTreeMap::new(),
        }
    }

    /// Takes back what was kept; for an empty book.
    pub fn restore(&mut self, saved: Saved) {
        self.meta = saved.meta;
        for page in saved.owed {
            self.not_confirmed(page.incident, &page.receiver);
            self.owes(page);
        }
        saved.bundles.into_iter().for_each(|bundle| self.bundled(bundle));
        self.past = saved.closed.into_iter().map(half).collect();
        self.presence = saved
            .presence
            .into_iter()
            .map(|presence| (presence.station.clone(), presence))
            .collect();
        for incident in saved.incidents {
            self.set(incident);
        }
    }

    /// What changed is on disk: forgets the incidents that are closed.
    pub fn committed(&mut self) {
        for rank in std::mem::take(&mut self.closed) {
            self.incidents.remove(&rank.1);
            self.order.remove(&rank);
        }
    }

    /// These are in the archive, and their ids may be given again. What is open stays known.
    pub fn archived(&mut self, ids: &[IncidentId]) {
        for id in ids {
            self.past.remove(&half(*id));
        }
    }

    /// One incident: an open one, or one closed since the last [`Self::committed`].
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id).map(Box::as_ref)
    }

    /// The open incident of which a condition is true.
    #[must_use]
    pub fn home_of(&self, subject: &Subject, condition: Condition) -> Option<IncidentId> {
        self.home.get(&(subject.clone(), condition)).copied()
    }

    /// Every open incident, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        let all = self.order.iter().filter_map(|(_, id)| self.get(*id));
        all.filter(|incident| incident.state != State::Closed)
    }

    /// Pages neither delivered nor given up, the one that was owed first first.
    #[must_use]
    pub fn owed_pages(&self) -> Vec<&Page> {
        let mut owed: Vec<_> = self.owed.values().collect();
        owed.sort_unstable_by_key(|page| page.number);
        owed
    }

    /// The newest of each station's terminal.
    pub fn terminals(&self) -> impl Iterator<Item = &Presence> {
        self.presence.values()
    }

    /// What is to be kept besides incidents.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What is decided from now on follows from that message; `None`: from the time, or a person.
    pub(crate) fn because(&mut self, cause: Option<Cause>) {
        self.cause = cause;
    }

    /// The message that is dealt with next came then to an earlier life, which could not store it: what it opens
    /// has the id that it had there.
    pub(crate) fn first_came(&mut self, at: Option<Ms>) {
        self.first_came = at;
    }

    /// A number of its own; later ones are greater.
    pub(super) fn next_number(&mut self, out: &mut Changes) -> u64 {
        self.meta.numbers += 1;
        out.book_meta = true;
        self.meta.numbers
    }

    /// The number and the id of an incident that opens with that.
    pub(super) fn opened(&mut self, cx: &mut Cx, raised: &Raised) -> Rank {
        let device = raised.subject.device().and_then(|ix| cx.view.registry.device(ix));
        let device = device.map(|device| &*device.id);
        let of = match &raised.subject {
            Subject::Device(_) => ("device", device.unwrap_or_default()),
            Subject::Zone(name) => ("zone", &**name),
            Subject::Area(station) => ("area", &**station),
            Subject::Gateway => ("gateway", ""),
            Subject::Topic(topic) => ("topic", &**topic),
            Subject::Receiver(name) => ("receiver", &**name),
        };
        let (condition, onset) = (raised.condition, raised.since);
        // A fire is told of in the step of its message. Everything else may be told of later, when
        // a backlog ends: then as now it goes by its onset.
        let at_once = condition.class() == Class::Fire || condition == Condition::UnreadableAlarm;
        let own = |cause: &&Cause| at_once && device == Some(&*cause.device);
        let (opened, came) = match self.cause.as_ref().filter(own) {
            Some(cause) => (OpenedBy::Message(cause, condition.class()), self.first_came),
            None => (OpenedBy::State { of, condition, onset }, None),
        };
        let came = came.unwrap_or(raised.received_at);
        let free =
            |id: &IncidentId| !self.incidents.contains_key(id) && !self.past.contains(&half(*id));
        let mut ids = (0..=u32::MAX).map(|again| self.secret.incident(&opened, came, again));
        let id = ids.find(free).unwrap_or_default();
        (self.next_number(cx.out), id)
    }

    /// A page with the number and the id that it has by itself.
    pub(super) fn numbered(&mut self, mut page: Page, out: &mut Changes) -> Page {
        page.page_id = self.secret.page(&page);
        page.number = self.next_number(out);
        page
    }

    /// The id and the number of a command or an announcement, `what`, that concerns `of`.
    pub(crate) fn new_id(
        &mut self,
        what_and_of: (&str, &str),
        now: Ms,
        out: &mut Changes,
    ) -> (ulid::Ulid, u64) {
        let number = self.next_number(out);
        (self.secret.request(what_and_of, number, now), number)
    }

    /// Takes an open incident out, to be changed and put back by [`Self::keep`].
    pub(super) fn take(&mut self, id: IncidentId) -> Option<Incident> {
        let incident = self.get(id).filter(|incident| incident.state != State::Closed)?;
        if let Some(at) = incident.timer {
            self.timers.remove(&(at, incident.rank()));
        }
        let incident = self.incidents.remove(&id)?;
        for home in &incident.homes {
            if let Some(ranks) = self.at_home.get_mut(home) {
                ranks.remove(&incident.rank());
            }
        }
        Some(*incident)
    }

    /// Puts an incident back that stations see anew.
    pub(super) fn publish(&mut self, cx: &mut Cx, mut incident: Incident) {
        incident.rev += 1;
        incident.updated_at = cx.now;
        incident.value = Self::measured(cx.view, &incident);
        self.keep(incident, cx.out);
    }

    /// Puts an incident back.
    pub(super) fn keep(&mut self, incident: Incident, out: &mut Changes) {
        out.incidents.push(incident.id);
        self.set(incident);
    }

    /// Puts an incident into its place, with its timer and everything it is found by.
    pub(super) fn set(&mut self, mut incident: Incident) {
        if incident.state != State::Resolved {
            incident.decided = None;
        }
        incident.next_step_at = self.due(&incident);
        let timers = [
            incident.next_step_at,
            incident.muted_until(),
            incident.held_until(),
            incident.settles_at,
            incident.undo_until(),
            incident.confirm_by(),
        ];
        incident.timer =
            timers.into_iter().flatten().min().filter(|_| incident.state != State::Closed);
        self.timers.extend(incident.timer.map(|at| (at, incident.rank())));
        self.order.insert(incident.rank());
        if incident.state != State::Closed {
            self.index(&incident);
        }
        self.incidents.insert(incident.id, Box::new(incident));
    }

    fn index(&mut self, incident: &Incident) {
        if let Subject::Topic(_) = incident.subject {
            self.topics.insert(incident.rank());
        }
        for home in &incident.homes {
            match self.at_home.get_mut(home) {
                Some(ranks) => _ = ranks.insert(incident.rank()),
                None => _ = self.at_home.insert(home.clone(), [incident.rank()].into()),
            }
        }
        for member in &incident.members {
            let key = (member.subject.clone(), incident.class);
            let newest = self.newest.entry(key).or_insert(incident.rank());
            *newest = incident.rank().max(*newest);
            if member.active() {
                self.home.insert((member.subject.clone(), member.condition), incident.id);
            }
        }
        if incident.class == Class::Fire {
            self.fires.entry(incident.rank()).or_default();
            for member in &incident.members {
                let of_it = self.fires_of.entry(member.subject.clone()).or_default();
                if !of_it.contains(&incident.rank()) {
                    push_compact(of_it, incident.rank());
                }
            }
            if incident.severity == Severity::Fire && !incident.building.is_empty() {
                let key = (incident.station.clone(), incident.building.clone());
                self.fires_in.entry(key).or_default().insert(incident.rank());
            }
        }
    }

    /// An incident is closed: it is found no more, and an older fire that it hid is found again.
    pub(super) fn forget(&mut self, incident: &Incident) {
        self.closed.push(incident.rank());
        self.past.insert(half(incident.id));
        self.unconfirmed.remove(&incident.id);
        self.fires.remove(&incident.rank());
        self.topics.remove(&incident.rank());
        for member in &incident.members {
            let fire = incident.class == Class::Fire;
            let older = fire.then(|| self.next_of(&member.subject, incident.rank())).flatten();
            point(&mut self.newest, (member.subject.clone(), incident.class), older);
        }
        if !incident.building.is_empty() {
            let building = (incident.station.clone(), incident.building.clone());
            self.no_more_in(&building, incident.rank());
        }
    }

    /// The newest open fire that is left of something, without that one.
    fn next_of(&mut self, subject: &Subject, closed: Rank) -> Option<Rank> {
        let left = self.fires_of.get_mut(subject)?;
        left.retain(|rank| *rank != closed);
        let newest = left.iter().max().copied();
        if newest.is_none() {
            self.fires_of.remove(subject);
        }
        newest
    }

    /// The newest real fire of a station's building.
    pub(super) fn newest_in(&self, building: &(Box<str>, Box<str>)) -> Option<&Rank> {
        self.fires_in.get(building)?.last()
    }

    /// A fire burns in a building no more.
    fn no_more_in(&mut self, building: &(Box<str>, Box<str>), closed: Rank) {
        if let Some(left) = self.fires_in.get_mut(building) {
            left.remove(&closed);
            if left.is_empty() {
                self.fires_in.remove(building);
            }
        }
    }
}

/// Makes an index point to an incident, or to none.
fn point<K: Eq + Hash>(index: &mut HashMap<K, Rank>, key: K, to: Option<Rank>) {
    match to {
        Some(rank) => index.insert(key, rank),
        None => index.remove(&key),
    };
}

/// What something happens in: what may be looked at, when it is, and what comes of it.
pub(super) struct Cx<'a> {
    pub(super) view: &'a BookView<'a>,
    pub(super) now: Ms,
    pub(super) out: &'a mut Changes,
}

impl Cx<'_> {
    /// Records a hop that happens now.
    pub(super) fn trail(&mut self, id: IncidentId, hop: Hop, by: &str, code: TrailCode) {
        self.trail_at(self.now, (id, hop), by, code);
    }

    /// Records a hop.
    pub(super) fn trail_at(
        &mut self,
        at: Ms,
        (incident, hop): (IncidentId, Hop),
        by: &str,
        code: TrailCode,
    ) {
        self.out.trail.push(TrailEntry::new(incident, (at, hop), by, code));
    }
}

/// The lower half of an id.
fn half(id: IncidentId) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    let half = id.0 as u64;
    half
}
