//! What detection found, and what follows for the incidents.
//!
//! One open incident a device and class; detectors of one building share one. Nothing is
//! swallowed: a new detector, anything worse and every relapse is a new episode.

use standpipe_shared::{Class, Condition, Measurements, Severity};

use super::book::{Book, Cx};
use super::damp::{About, Again, Flaps, is_over_when_mended};
use super::distance::Place;
use super::incident::{Incident, Member, Quiet};
use super::state::{Event, Outcome, State};
use super::{IncidentId, Rank, View, route};
use crate::changes::Hop;
use crate::compact::push_compact;
use crate::conditions::row;
use crate::detect::Trust;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::DeviceIx;
use crate::trail::TrailCode;
use crate::{Changes, Ms};

/// A fire to which nothing happened for this long is another one when something does.
const FIRE_IDLE_MS: Ms = 3_600_000;

impl Book {
    /// Takes in what detection found.
    pub fn hear(&mut self, view: &View, fact: Fact, now: Ms, out: &mut Changes) {
        let cx = &mut Cx { view, now, out };
        match fact {
            Fact::Raised(raised) => self.raised(cx, &raised),
            Fact::Cleared { subject, condition, at } => self.cleared(cx, (subject, condition), at),
            Fact::Passed { raised, cleared_at } => self.passed(cx, &raised, cleared_at),
            Fact::TestBecameReal { device, condition } => {
                let key = (Subject::Device(device), condition);
                if let Some(id) = self.home.get(&key).copied() {
                    self.again(cx, id, (&key.0, None), TrailCode::TestGoesOn);
                }
            }
            Fact::Verified { device, .. } => self.verified(cx, device),
            Fact::Unverified { device, .. } => self.unverified(cx, device),
            Fact::Hydrant { device } => self.hydrant(cx, device),
        }
    }

    fn raised(&mut self, cx: &mut Cx, raised: &Raised) {
        let quiet = self.quiet(cx, raised);
        let joins = self.joins(cx, raised, quiet.is_some());
        let key = (raised.subject.clone(), raised.condition);
        if let Some(id) = self.home.get(&key).copied() {
            if self.burns(cx, id) {
                return self.again(cx, id, (&key.0, quiet), TrailCode::RaisedAgain);
            }
            self.cleared(cx, key, raised.since); // what was is another fire
        }
        let it = joins.and_then(|id| self.take(id));
        let it = it.unwrap_or_else(|| self.begin(cx, raised));
        self.join(cx, it, raised, quiet);
        self.gather(cx, raised.condition, &raised.members);
    }

    /// Whether an incident still is the place of what is found now: a fire that is out, or to
    /// which nothing happened for an hour, is not.
    pub(super) fn burns(&self, cx: &Cx, id: IncidentId) -> bool {
        self.get(id).is_some_and(|it| {
            let recent = it.is_active() && cx.now - it.active_at < FIRE_IDLE_MS;
            recent || it.class != Class::Fire
        })
    }

    /// What is true already is told again: in earnest, it is no test and not done with.
    fn again(
        &mut self,
        cx: &mut Cx,
        id: IncidentId,
        of: (&Subject, Option<(Quiet, Option<Ms>)>),
        why: TrailCode,
    ) {
        let Some(mut it) = self.take(id) else { return };
        let (subject, quiet) = of;
        let episode = it.episode;
        it.active_at = cx.now;
        if let Some((_, until)) = quiet {
            it.explained_until(subject, until);
        } else {
            match self.believed(cx, it) {
                Some(alone) => it = alone,
                None => return,
            }
            self.unquiet(cx, &mut it, |it| it.subject == *subject, &why);
            if it.state == State::Resolved {
                cx.trail(id, Hop::Reopened, "gateway", why);
                self.found(cx, &mut it, 0);
            }
        }
        if it.episode > episode {
            self.publish(cx, it);
        } else {
            self.keep(it, cx.out);
        }
    }

    /// The incident that this belongs to, if there is one.
    pub(super) fn joins(&self, cx: &Cx, raised: &Raised, quiet: bool) -> Option<IncidentId> {
        let class = raised.condition.class();
        if raised.subject == Subject::Gateway && class == Class::Upkeep {
            return self.of_gateway(raised.condition);
        }
        let relapse = |rank: &&Rank| {
            !quiet && self.get(rank.1).is_some_and(|it| it.relapses(&raised.subject, cx.now))
        };
        let fits = |rank: &&Rank| self.burns(cx, rank.1);
        let newest = self.newest.get(&(raised.subject.clone(), class));
        let own = newest.filter(fits).or_else(|| newest.filter(relapse));
        let building = || {
            let key = self.building(cx, raised).filter(|_| class == Class::Fire && !quiet)?;
            self.buildings.get(&key).filter(fits)
        };
        own.or_else(building).map(|rank| rank.1)
    }

    /// The station and building of a detector that has one.
    fn building(&self, cx: &Cx, raised: &Raised) -> Option<(Box<str>, Box<str>)> {
        let Subject::Device(ix) = raised.subject else { return None };
        let device = cx.view.registry.device(ix).filter(|it| !it.building.is_empty())?;
        Some(((&*device.station).into(), device.building.clone()))
    }

    /// A new incident of which nothing is true yet.
    pub(super) fn begin(&mut self, cx: &mut Cx, raised: &Raised) -> Incident {
        let (number, id) = self.opened(cx, raised);
        Incident {
            id,
            number,
            rev: 0,
            class: raised.condition.class(),
            subject: raised.subject.clone(),
            station: route::station(cx.view.registry, raised),
            state: State::Open,
            severity: Severity::Notice,
            episode: 0,
            opened_at: cx.now,
            since: raised.since,
            updated_at: cx.now,
            closed_at: None,
            late_s: 0,
            outcome: None,
            parent: None,
            children: Vec::new(),
            step: 0,
            next_step_at: None,
            value: Measurements::default(),
            hydrants: Vec::new(),
            detail: Box::default(),
            said: None,
            flaps: Vec::new(),
            members: Vec::new(),
            boards: Default::default(),
            homes: Vec::new(),
            building: self.building(cx, raised).map_or_else(Box::default, |(_, it)| it),
            repeat: 0,
            episode_at: cx.now,
            step_at: cx.now,
            paged_at: None,
            work_until: 0,
            active_at: cx.now,
            dispatched: false,
            unverified: false,
            verdict: None,
            told: Default::default(),
            shown: Default::default(),
            sounded: self.carried(raised),
            held: Vec::new(),
            settles_at: None,
            confirm_by: None,
            timer: None,
        }
    }

    /// Adds what was raised to an incident.
    pub(super) fn join(
        &mut self,
        cx: &mut Cx,
        mut it: Incident,
        raised: &Raised,
        quiet: Option<(Quiet, Option<Ms>)>,
    ) {
        let (before, was_active) = (it.severity, it.is_active());
        let known = it.members.iter().any(|it| it.subject == raised.subject);
        if !was_active {
            if it.class == Class::Water {
                it.members.clear(); // how it was before is in the trail
            }
            it.unverified = false;
        }
        it.members.retain(|it| it.subject != raised.subject || it.condition != raised.condition);
        push_compact(
            &mut it.members,
            Member {
                subject: raised.subject.clone(),
                condition: raised.condition,
                since: raised.since,
                cleared_at: None,
                quiet: quiet.map(|(why, _)| why),
                quiet_until: quiet.and_then(|(_, until)| until),
                reason: raised.reason,
                weight: Member::weight(cx.view.registry, &raised.subject, raised.condition),
                left_at: None,
            },
        );
        it.weigh();
        (it.active_at, it.settles_at) = (cx.now, None);
        it.homes = route::homes(cx.view.registry, raised);
        let recorded = it.edge(&raised.subject, raised.condition, cx.now);
        let flaps = it.flapping(&raised.subject, raised.condition).map(Flaps::code);
        let flaps_now = flaps.is_some();
        match flaps {
            Some(code) if recorded => cx.trail(it.id, Hop::Raised, "gateway", code),
            Some(_) => {}
            None => self.arrived(cx, (it.id, &it.detail), raised),
        }
        let alone = self.covered(cx, &mut it);
        let stranger = it.class == Class::Fire && !known;
        let worse = it.severity > before;
        let matters = worse || it.state == State::Resolved || stranger;
        if !was_active || alone || quiet.is_none() && matters {
            if it.episode > 0 && !flaps_now {
                cx.trail(it.id, Hop::Reopened, "gateway", of(raised.condition));
            }
            let again = if was_active || !known { Again::No } else { Again::Yes };
            let about = About { subject: &raised.subject, condition: raised.condition, again };
            // A fire that is news is never held back.
            if it.class == Class::Fire && (stranger || worse) {
                self.sound_now(cx, &mut it, about, raised.late_s);
            } else {
                self.sound(cx, &mut it, about, raised.late_s);
            }
        }
        if it.class == Class::Fire {
            self.thirsty.insert(it.rank());
        }
        self.publish(cx, it);
    }

    /// The first hops: measured, received, raised.
    fn arrived(&self, cx: &mut Cx, (id, detail): (IncidentId, &str), raised: &Raised) {
        let by = match &raised.subject {
            Subject::Device(ix) => cx.view.registry.device(*ix).map_or("", |it| &it.id),
            Subject::Zone(name) | Subject::Area(name) => name,
            Subject::Gateway | Subject::Topic(_) | Subject::Receiver(_) => "gateway",
        };
        let condition = raised.condition;
        cx.trail_at(raised.measured_at, (id, Hop::Measured), by, of(condition));
        cx.trail_at(raised.received_at, (id, Hop::Received), by, of(condition));
        let code = match detail {
            "" => of(condition),
            detail => TrailCode::Fault { condition, detail: detail.into() },
        };
        cx.trail(id, Hop::Raised, by, code);
    }

    pub(super) fn cleared(&mut self, cx: &mut Cx, key: (Subject, Condition), at: Ms) {
        let Some(mut it) = self.home.remove(&key).and_then(|id| self.take(id)) else { return };
        if let Some(member) = it.member(&key.0, key.1) {
            (member.cleared_at, member.quiet_until) = (Some(at), None);
            member.left_at = Some(cx.now);
        }
        it.active_at = cx.now;
        if it.flapping(&key.0, key.1).is_none() {
            cx.trail(it.id, Hop::Cleared, "gateway", of(key.1));
        }
        if it.is_active() {
            it.weigh();
            self.publish(cx, it);
            return;
        }
        let event = match it.class {
            _ if it.quiet().is_some() || it.verdict == Some(Outcome::FalseAlarm) => Event::Ended,
            Class::Fire => Event::Calmed,
            Class::Water => Event::Eased,
            Class::Upkeep if is_over_when_mended(key.1) => Event::Ended,
            Class::Upkeep if it.wants_answer() => {
                self.attach(cx, &mut it, None); // nothing stands for what is over
                Event::Calmed
            }
            Class::Upkeep | Class::Blind => Event::Ended,
        };
        if event == Event::Ended && it.state != State::Resolved {
            self.calms_down(cx, it, (&key.0, key.1), at);
        } else {
            self.goes(cx, it, event);
        }
    }

    /// Over before it was heard of: recorded, never paged. A fire is never over.
    fn passed(&mut self, cx: &mut Cx, raised: &Raised, cleared_at: Ms) {
        let class = raised.condition.class();
        if class == Class::Fire {
            self.raised(cx, raised);
            return self.cleared(cx, (raised.subject.clone(), raised.condition), cleared_at);
        }
        let open = self.newest.get(&(raised.subject.clone(), class)).map(|rank| rank.1);
        if let Some(mut it) = open.and_then(|id| self.take(id)) {
            if it.edge(&raised.subject, raised.condition, cx.now) {
                self.arrived(cx, (it.id, ""), raised);
                cx.trail(it.id, Hop::Cleared, "gateway", of(raised.condition));
            }
            return self.keep(it, cx.out);
        }
        let mut it = self.begin(cx, raised);
        push_compact(
            &mut it.members,
            Member {
                subject: raised.subject.clone(),
                condition: raised.condition,
                since: raised.since,
                cleared_at: Some(cleared_at),
                quiet: None,
                quiet_until: None,
                reason: raised.reason,
                weight: Member::weight(cx.view.registry, &raised.subject, raised.condition),
                left_at: None,
            },
        );
        (it.severity, it.episode, it.late_s) = (raised.condition.severity(), 1, raised.late_s);
        self.arrived(cx, (it.id, ""), raised);
        cx.trail(it.id, Hop::Cleared, "gateway", of(raised.condition));
        self.goes(cx, it, Event::Ended);
    }

    /// A fire's list may have to change.
    fn hydrant(&mut self, cx: &Cx, hydrant: DeviceIx) {
        let Some(device) = cx.view.registry.device(hydrant) else { return };
        let Some(place) = Place::of(device) else { return };
        for fire in self.fires.iter().filter_map(|(_, id)| self.incidents.get(id)) {
            let trusted = fire.hydrants.iter().filter(|it| it.trust == Trust::Ok);
            let reach = trusted.clone().map(|it| it.distance_m).max().unwrap_or_default();
            let few = trusted.count() < super::wire::HYDRANTS_WANTED;
            let from = fire.device().and_then(|ix| Place::at(cx.view.registry, ix));
            let near = from.is_some_and(|it| it.metres(place) <= f64::from(reach) + 1.0);
            if few || near {
                self.thirsty.insert(fire.rank());
            }
        }
    }

    /// Makes a fire's list anew.
    pub(super) fn look_for_water(&mut self, cx: &mut Cx, fire: IncidentId) {
        let Some(it) = self.get(fire) else { return };
        let place = it.device().and_then(|ix| Place::at(cx.view.registry, ix));
        let Some(place) = place else { return };
        let mut hydrants = std::mem::take(&mut self.hydrants);
        let found = hydrants.near(cx.view, place, |ix| self.out_of_service(ix, cx.now), cx.now);
        self.hydrants = hydrants;
        let changed = self.get(fire).is_some_and(|it| it.hydrants != found);
        if let Some(mut it) = changed.then(|| self.take(fire)).flatten() {
            it.hydrants = found;
            self.publish(cx, it);
        }
    }

    /// What was measured last by the device an incident is about, as far as it matters.
    pub(super) fn measured(view: &View, it: &Incident) -> Measurements {
        let mut shown = Measurements::default();
        let Some(ix) = it.device() else { return shown };
        let latest = (view.value)(ix);
        for field in it.conditions().into_iter().flat_map(|condition| row(condition).shown) {
            if let Some(value) = latest.get(*field) {
                let set = shown.set(*field, value);
                debug_assert!(set.is_ok(), "it was finite before");
            }
        }
        shown
    }
}

/// A condition, for the trail.
const fn of(condition: Condition) -> TrailCode {
    TrailCode::Condition { condition }
}
