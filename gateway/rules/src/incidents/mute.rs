//! What is true and yet not acted on: tests, exercises, maintenance, water drawn for a fire.
//!
//! It is recorded and listed all the same, as a `notice`; when its reason ends and it is still
//! true, it is acted on. Maintenance never mutes a fire, and a fire that a walk test or an
//! exercise explains is believed after ten minutes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Severity};

use super::announce::Scope;
use super::book::{Book, Cx};
use super::distance::Coordinates;
use super::incident::Quiet;
use super::state::IncidentEvent;
use super::{Incident, IncidentId, Member};
use crate::Ms;
use crate::changes::Hop;
use crate::fact::{Moments, Raised, Subject};
use crate::registry::{DeviceIx, Registry};
use crate::trail::TrailCode;

/// A fire is explained away for this long at most.
const FIRE_MUTED_MS: Ms = 600_000;
/// A hydrant this near to a fire, to work or to an exercise is opened for it, m.
const NEARBY_M: f64 = 500.0;

/// What is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announced {
    /// Work on the listed devices: mutes the listed conditions, never a fire. A hydrant opened
    /// nearby belongs to it.
    Maintenance,
    /// Detectors are set off one after the other.
    WalkTest,
    /// People practise; a hydrant opened nearby belongs to it.
    Exercise,
}

/// An announcement: some devices, for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub id: Box<str>,
    pub what: Announced,
    pub devices: BTreeSet<DeviceIx>,
    /// Maintenance: which conditions.
    pub conditions: BTreeSet<Condition>,
    /// From then …
    pub from: Ms,
    /// … until just before then.
    pub until: Ms,
    pub by: Box<str>,
    pub note: Box<str>,
    /// Whose devices were meant.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// Exercise: the alarm that the gateway makes of its one device; nothing else is explained.
    #[serde(default)]
    pub alarm: Option<Condition>,
}

impl Window {
    /// Whether it holds now.
    fn holds(&self, now: Ms) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// Whether it lists the device now.
    fn lists(&self, device: DeviceIx, now: Ms) -> bool {
        self.holds(now) && self.devices.contains(&device)
    }

    /// Why that condition of that device is not acted on, if it explains it.
    fn explains(&self, device: DeviceIx, condition: Condition, now: Ms) -> Option<Quiet> {
        let quiet = match self.what {
            Announced::Maintenance => {
                let fire = condition.class() == Class::Fire;
                (!fire && self.conditions.contains(&condition)).then_some(Quiet::Maintenance)
            }
            Announced::WalkTest => Some(Quiet::Test),
            Announced::Exercise => self.alarm.is_none().then_some(Quiet::Exercise),
        };
        quiet.filter(|_| self.lists(device, now))
    }

    /// Why a hydrant may be open there: people work or practise nearby. A walk test is for
    /// detectors.
    fn draws(&self, registry: &Registry, hydrant: DeviceIx, now: Ms) -> Option<Quiet> {
        let quiet = match self.what {
            Announced::Maintenance => Quiet::Maintenance,
            Announced::Exercise => Quiet::Exercise,
            Announced::WalkTest => return None,
        };
        let place = Coordinates::at(registry, hydrant);
        let near = |ix: &DeviceIx| {
            let metres = place.zip(Coordinates::at(registry, *ix)).map(|(a, b)| a.metres(b));
            *ix == hydrant || metres.is_some_and(|metres| metres <= NEARBY_M)
        };
        (self.holds(now) && self.devices.iter().any(near)).then_some(quiet)
    }
}

impl super::Meta {
    /// Why a condition is not acted on, until when, and by which announcement.
    pub(super) fn muting(
        &self,
        registry: &Registry,
        (of, condition): (&Subject, Condition),
        now: Ms,
    ) -> Option<(&Window, Quiet, Ms)> {
        let Subject::Device(device) = of else { return None };
        let latest = match condition.class() {
            Class::Fire => now + FIRE_MUTED_MS,
            Class::Water | Class::Upkeep | Class::Blind => Ms::MAX,
        };
        let open = condition == Condition::HydrantOpen;
        self.windows.iter().find_map(|window| {
            let nearby = || window.draws(registry, *device, now).filter(|_| open);
            let quiet = window.explains(*device, condition, now).or_else(nearby)?;
            Some((window, quiet, window.until.min(latest)))
        })
    }
}

impl Incident {
    /// What its device calls a test is explained by an announcement alone from now on: until that is
    /// over, and no longer than it would be explained without the test.
    pub(super) fn explained_until(&mut self, subject: &Subject, until: Option<Ms>) {
        let Some(until) = until else { return };
        let tested = |member: &&mut Member| {
            let quiet = member.quiet.is_some() && member.quiet_until.is_none();
            member.active() && member.subject == *subject && quiet
        };
        for member in self.members.iter_mut().filter(tested) {
            member.quiet_until = Some(until.min(member.since + FIRE_MUTED_MS));
        }
    }
}

impl Book {
    /// Announces something, in place of what was announced under that id.
    pub fn announce(&mut self, window: Window, out: &mut crate::Changes) {
        self.meta.windows.retain(|known| known.id != window.id);
        self.meta.windows.push(window);
        self.look_again();
        (out.book_meta, out.windows) = (true, true);
    }

    /// Ends an announcement; says whether there was one. What it muted and is still true is
    /// acted on at the next tick.
    pub fn withdraw(
        &mut self,
        registry: &Registry,
        id: &str,
        now: Ms,
        out: &mut crate::Changes,
    ) -> bool {
        let mut found = false;
        for window in self.meta.windows.iter_mut().filter(|window| &*window.id == id) {
            window.until = now;
            found = true;
        }
        let muted: Vec<_> = self
            .open()
            .filter(|incident| incident.muted_until().is_some())
            .map(|incident| incident.id)
            .collect();
        for id in muted {
            let Some(mut incident) = self.take(id) else { continue };
            for member in incident.members.iter_mut().filter(|member| member.quiet_until.is_some())
            {
                let of = (&member.subject, member.condition);
                if self.meta.muting(registry, of, now).is_none() {
                    member.quiet_until = Some(now);
                }
            }
            self.keep(incident, out);
        }
        out.book_meta |= found;
        out.windows |= found;
        found
    }

    /// What is announced, and not over at the last tick.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        self.meta.windows()
    }

    /// Forgets announcements that are over.
    pub(super) fn expire(&mut self, cx: &mut Cx) {
        let over: Vec<Window> =
            self.meta.windows.extract_if(.., |window| window.until <= cx.now).collect();
        if !over.is_empty() {
            self.look_again();
            (cx.out.book_meta, cx.out.windows) = (true, true);
        }
        for window in &over {
            self.exercise_over(cx, window);
        }
    }

    /// Why what was raised is not acted on, and until when.
    pub(super) fn quiet(&self, cx: &Cx, raised: &Raised) -> Option<(Quiet, Option<Ms>)> {
        let Subject::Device(device) = raised.subject else { return None };
        if raised.test {
            return Some((Quiet::Test, None));
        }
        let registry = cx.view.registry;
        let of = (&raised.subject, raised.condition);
        let window = self.meta.muting(registry, of, cx.now);
        window.map(|(_, quiet, until)| (quiet, Some(until))).or_else(|| {
            // Asked of nothing else: all fires are looked at for it.
            let open = raised.condition == Condition::HydrantOpen;
            let fire = open.then(|| self.fought(registry, device)).flatten()?;
            Some((Quiet::Dispatch(fire), None))
        })
    }

    /// A fire near that hydrant to which somebody was sent.
    fn fought(&self, registry: &Registry, hydrant: DeviceIx) -> Option<IncidentId> {
        let hydrant = Coordinates::at(registry, hydrant)?;
        let sent = self.fires.keys().filter_map(|(_, id)| self.get(*id));
        let mut sent = sent.filter(|incident| incident.dispatched);
        let fire = sent.find(|incident| {
            let place = incident.device().and_then(|ix| Coordinates::at(registry, ix));
            place.is_some_and(|place| place.metres(hydrant) <= NEARBY_M)
        });
        fire.map(|incident| incident.id)
    }

    /// Whether a hydrant is under maintenance.
    pub(super) fn out_of_service(&self, hydrant: DeviceIx, now: Ms) -> bool {
        let mut work =
            self.meta.windows.iter().filter(|window| window.what == Announced::Maintenance);
        work.any(|window| window.lists(hydrant, now))
    }

    /// Acts on the members of which `which` is true, if they were quiet.
    pub(super) fn unquiet(
        &mut self,
        cx: &mut Cx,
        incident: &mut Incident,
        which: impl Fn(&Member) -> bool,
        why: &TrailCode,
    ) {
        let before = incident.severity;
        for member in incident.members.iter_mut().filter(|member| member.active() && which(member))
        {
            (member.quiet, member.quiet_until) = (None, None);
        }
        incident.weigh();
        if incident.severity > before {
            cx.trail(incident.id, Hop::Reopened, "gateway", why.clone());
            self.found(cx, incident, 0);
        }
    }

    /// What was taken for a test is in earnest: where its building burns it belongs to that fire,
    /// as another detector, and is no incident of its own any more. Gives back what stands alone.
    pub(super) fn believed(&mut self, cx: &mut Cx, mut incident: Incident) -> Option<Incident> {
        let Some(fire) = self.corroborated(cx, &incident) else { return Some(incident) };
        let mut found = Vec::new();
        for member in incident.members.iter_mut().filter(|member| member.active()) {
            let (since, measured_at, received_at) = (member.since, member.since, cx.now);
            let moments = Moments { since, measured_at, received_at };
            found.push(Raised::new(member.subject.clone(), member.condition, moments));
            (member.cleared_at, member.quiet_until) = (Some(cx.now), None);
            member.left_at = Some(cx.now);
        }
        cx.trail(incident.id, Hop::Attached, "gateway", TrailCode::PartOf { incident: fire });
        self.goes(cx, incident, IncidentEvent::Ended);
        for raised in found {
            if let Some(fire) = self.take(fire) {
                self.join(cx, fire, &raised, None);
            }
        }
        None
    }

    /// The fire that burns in the building of a detector whose alarm was taken for a test.
    fn corroborated(&self, cx: &Cx, incident: &Incident) -> Option<IncidentId> {
        let mistaken = incident.class == Class::Fire && incident.severity == Severity::Notice;
        let key = (incident.station.clone(), incident.building.clone());
        let (_, fire) = *self.newest_in(&key).filter(|_| mistaken)?;
        self.burns(cx, fire).then_some(fire)
    }

    /// A fire is over: water still drawn for it has to be explained anew.
    pub(super) fn fire_is_out(&mut self, cx: &mut Cx, fire: IncidentId) {
        let drawn = |member: &Member| member.quiet == Some(Quiet::Dispatch(fire));
        let concerned = self.open().filter(|incident| incident.active().any(drawn));
        for id in concerned.map(|incident| incident.id).collect::<Vec<_>>() {
            if let Some(mut incident) = self.take(id) {
                self.unquiet(cx, &mut incident, drawn, &TrailCode::OpenAfterFire);
                self.publish(cx, incident);
            }
        }
    }
}
