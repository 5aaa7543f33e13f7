//! What detection found, and what follows for the incidents.
//!
//! One open incident a device and class; detectors of one building share one. Nothing is
//! swallowed: a new detector, anything worse and every relapse is a new episode.

use standpipe_shared::{Class, Condition, Measurements, Severity};

use super::book::{Book, Cx};
use super::damp::{Again, Flaps, Sound, is_over_when_mended};
use super::incident::{Incident, Member, Quiet};
use super::state::{IncidentEvent, Outcome, State};
use super::{BookView, IncidentId, Rank, route};
use crate::changes::Hop;
use crate::compact::push_compact;
use crate::conditions::row;
use crate::fact::{Fact, Raised, Subject};
use crate::trail::TrailCode;
use crate::{Changes, Ms};

/// A fire to which nothing happened for this long is another one when something does.
const FIRE_IDLE_MS: Ms = 3_600_000;

impl Book {
    /// Takes in what detection found.
    pub fn hear(&mut self, view: &BookView, fact: Fact, now: Ms, out: &mut Changes) {
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
            Fact::Hydrant { device } => self.hydrant_news(cx, device),
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
        let incident = joins.and_then(|id| self.take(id));
        let incident = incident.unwrap_or_else(|| self.begin(cx, raised));
        self.join(cx, incident, raised, quiet);
        self.gather(cx, raised.condition, &raised.members);
    }

    /// Whether an incident still is the place of what is found now: a fire that is out, or to
    /// which nothing happened for an hour, is not.
    pub(super) fn burns(&self, cx: &Cx, id: IncidentId) -> bool {
        self.get(id).is_some_and(|incident| {
            let recent = incident.is_active() && cx.now - incident.active_at < FIRE_IDLE_MS;
            recent || incident.class != Class::Fire
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
        let Some(mut incident) = self.take(id) else { return };
        let (subject, quiet) = of;
        let episode = incident.episode;
        incident.active_at = cx.now;
        if let Some((_, until)) = quiet {
            incident.explained_until(subject, until);
        } else {
            match self.believed(cx, incident) {
                Some(alone) => incident = alone,
                None => return,
            }
            self.unquiet(cx, &mut incident, |member| member.subject == *subject, &why);
            if incident.state == State::Resolved {
                cx.trail(id, Hop::Reopened, "gateway", why);
                self.found(cx, &mut incident, 0);
            }
        }
        if incident.episode > episode {
            self.publish(cx, incident);
        } else {
            self.keep(incident, cx.out);
        }
    }

    /// The incident that this belongs to, if there is one.
    pub(super) fn joins(&self, cx: &Cx, raised: &Raised, quiet: bool) -> Option<IncidentId> {
        let class = raised.condition.class();
        if raised.subject == Subject::Gateway && class == Class::Upkeep {
            return self.of_gateway(raised.condition);
        }
        let relapse = |rank: &&Rank| {
            !quiet
                && self
                    .get(rank.1)
                    .is_some_and(|incident| incident.relapses(&raised.subject, cx.now))
        };
        let fits = |rank: &&Rank| self.burns(cx, rank.1);
        let newest = self.newest.get(&(raised.subject.clone(), class));
        let own = newest.filter(fits).or_else(|| newest.filter(relapse));
        let building = || {
            let key = self.building(cx, raised).filter(|_| class == Class::Fire && !quiet)?;
            self.newest_in(&key).filter(fits)
        };
        own.or_else(building).map(|rank| rank.1)
    }

    /// The station and building of a detector that has one.
    fn building(&self, cx: &Cx, raised: &Raised) -> Option<(Box<str>, Box<str>)> {
        let Subject::Device(ix) = raised.subject else { return None };
        let device = cx.view.registry.device(ix).filter(|device| !device.building.is_empty())?;
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
            building: self.building(cx, raised).map_or_else(Box::default, |(_, building)| building),
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
            decided: None,
            confirm_by: None,
            timer: None,
        }
    }

    /// Adds what was raised to an incident.
    pub(super) fn join(
        &mut self,
        cx: &mut Cx,
        mut incident: Incident,
        raised: &Raised,
        quiet: Option<(Quiet, Option<Ms>)>,
    ) {
        let (before, was_active) = (incident.severity, incident.is_active());
        let known = incident.members.iter().any(|member| member.subject == raised.subject);
        if !was_active {
            if incident.class == Class::Water {
                incident.members.clear(); // how it was before is in the trail
            }
            incident.unverified = false;
        }
        incident.members.retain(|member| {
            member.subject != raised.subject || member.condition != raised.condition
        });
        push_compact(
            &mut incident.members,
            Member {
                quiet: quiet.map(|(why, _)| why),
                quiet_until: quiet.and_then(|(_, until)| until),
                ..Member::raised(cx.view.registry, raised)
            },
        );
        incident.weigh();
        (incident.active_at, incident.settles_at) = (cx.now, None);
        incident.homes = route::homes(cx.view.registry, raised);
        let recorded = incident.edge(&raised.subject, raised.condition, cx.now);
        let flaps = incident.flapping(&raised.subject, raised.condition).map(Flaps::code);
        let flaps_now = flaps.is_some();
        match flaps {
            Some(code) if recorded => cx.trail(incident.id, Hop::Raised, "gateway", code),
            Some(_) => {}
            None => self.arrived(cx, (incident.id, &incident.detail), raised),
        }
        let alone = self.covered(cx, &mut incident);
        let stranger = incident.class == Class::Fire && !known;
        let worse = incident.severity > before;
        let matters = worse || incident.state == State::Resolved || stranger;
        if !was_active || alone || quiet.is_none() && matters {
            if incident.episode > 0 && !flaps_now {
                cx.trail(incident.id, Hop::Reopened, "gateway", of(raised.condition));
            }
            let again = if was_active || !known { Again::No } else { Again::Yes };
            let sound = Sound { subject: &raised.subject, condition: raised.condition, again };
            // A fire that is news is never held back.
            if incident.class == Class::Fire && (stranger || worse) {
                self.sound_now(cx, &mut incident, sound, raised.late_s);
            } else {
                self.sound(cx, &mut incident, sound, raised.late_s);
            }
        }
        if incident.class == Class::Fire {
            self.thirsty.insert(incident.rank());
        }
        self.publish(cx, incident);
    }

    /// The first hops: measured, received, raised.
    fn arrived(&self, cx: &mut Cx, (id, detail): (IncidentId, &str), raised: &Raised) {
        let by = match &raised.subject {
            Subject::Device(ix) => cx.view.registry.device(*ix).map_or("", |device| &device.id),
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
        let Some(mut incident) = self.home.remove(&key).and_then(|id| self.take(id)) else {
            return;
        };
        if let Some(member) = incident.member(&key.0, key.1) {
            (member.cleared_at, member.quiet_until) = (Some(at), None);
            member.left_at = Some(cx.now);
        }
        incident.active_at = cx.now;
        if incident.flapping(&key.0, key.1).is_none() {
            cx.trail(incident.id, Hop::Cleared, "gateway", of(key.1));
        }
        if incident.is_active() {
            incident.weigh();
            self.publish(cx, incident);
            return;
        }
        if incident.decided.is_some() {
            return self.publish(cx, incident); // whoever spoke may take it back
        }
        self.ceased(cx, incident, (&key.0, key.1), at);
    }

    /// Nothing of it is true any more: what was so last is what ended then.
    pub(super) fn ceased(
        &mut self,
        cx: &mut Cx,
        mut incident: Incident,
        (subject, condition): (&Subject, Condition),
        at: Ms,
    ) {
        let event = match incident.class {
            _ if incident.quiet().is_some() || incident.verdict == Some(Outcome::FalseAlarm) => {
                IncidentEvent::Ended
            }
            Class::Fire => IncidentEvent::Calmed,
            Class::Water => IncidentEvent::Eased,
            Class::Upkeep if is_over_when_mended(condition) => IncidentEvent::Ended,
            Class::Upkeep if incident.wants_answer() => {
                self.attach(cx, &mut incident, None); // nothing stands for what is over
                IncidentEvent::Calmed
            }
            Class::Upkeep | Class::Blind => IncidentEvent::Ended,
        };
        if event == IncidentEvent::Ended && incident.state != State::Resolved {
            self.calms_down(cx, incident, (subject, condition), at);
        } else {
            self.goes(cx, incident, event);
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
        if let Some(mut incident) = open.and_then(|id| self.take(id)) {
            if incident.edge(&raised.subject, raised.condition, cx.now) {
                self.arrived(cx, (incident.id, ""), raised);
                cx.trail(incident.id, Hop::Cleared, "gateway", of(raised.condition));
            }
            return self.keep(incident, cx.out);
        }
        let mut incident = self.begin(cx, raised);
        push_compact(
            &mut incident.members,
            Member { cleared_at: Some(cleared_at), ..Member::raised(cx.view.registry, raised) },
        );
        (incident.severity, incident.episode, incident.late_s) =
            (raised.condition.severity(), 1, raised.late_s);
        self.arrived(cx, (incident.id, ""), raised);
        cx.trail(incident.id, Hop::Cleared, "gateway", of(raised.condition));
        self.goes(cx, incident, IncidentEvent::Ended);
    }

    /// What was measured last by the device an incident is about, as far as it matters.
    pub(super) fn measured(view: &BookView, incident: &Incident) -> Measurements {
        let mut shown = Measurements::default();
        let Some(ix) = incident.device() else { return shown };
        let latest = (view.value)(ix);
        for field in incident.conditions().into_iter().flat_map(|condition| row(condition).shown) {
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
