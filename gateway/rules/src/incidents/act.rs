//! What people do about incidents.

use standpipe_shared::Class;

use super::book::{Book, Cx};
use super::escalate::ms;
use super::state::{IncidentEvent, Outcome, State, step};
use super::{Action, ActionKind, Actor, BookView, Incident, Refused, authorise};
use crate::changes::{Hop, TrailEntry};
use crate::{Changes, Ms};

impl Book {
    /// Does what a person or a terminal asks, if they may.
    ///
    /// # Errors
    /// [`Refused`]: nothing changed.
    pub fn act(
        &mut self,
        view: &BookView,
        (actor, action): (&Actor, &Action),
        now: Ms,
        out: &mut Changes,
    ) -> Result<(), Refused> {
        let cx = &mut Cx { view, now, out };
        let incident = self.get(action.incident).ok_or(Refused::Unknown)?;
        authorise(view.registry, actor, incident, action.kind)?;
        let event = event(incident, action.kind);
        let refused = Refused::NotNow { state: incident.state };
        let state = step(incident.state, event).ok_or(refused)?;
        let mut incident = self.take(action.incident).ok_or(refused)?;
        let by = if action.by.is_empty() { actor.name() } else { &action.by };
        let first = action.kind != ActionKind::Shown || incident.shown.insert(place(actor));
        let mut record = |hop, detail: &str| {
            let entry = TrailEntry::text(incident.id, (now, hop), by, detail);
            cx.out.trail.push(TrailEntry { actor: actor.name().into(), ..entry });
        };
        if event == IncidentEvent::Worked && incident.state == State::Open {
            record(Hop::Acknowledged, ""); // who sends somebody has taken it
        }
        if first {
            record(hop(action.kind), &action.note);
        }
        if action.kind == ActionKind::Shown {
            self.keep(incident, cx.out);
            return Ok(());
        }
        incident.active_at = now;
        if matches!(event, IncidentEvent::Taken | IncidentEvent::Worked) {
            incident.held.clear(); // whoever has taken it knows that it flaps
            incident.pool_is_told();
        }
        self.work(&mut incident, action.kind, now);
        if event == IncidentEvent::Finished {
            self.end_all(cx, &mut incident);
        }
        if matches!(event, IncidentEvent::Finished | IncidentEvent::Repaired) {
            self.goes(cx, incident, event);
        } else {
            incident.state = state;
            self.publish(cx, incident);
        }
        Ok(())
    }

    /// A person has closed it: nothing of it is true any more, whatever was.
    fn end_all(&mut self, cx: &Cx, incident: &mut Incident) {
        for member in incident.members.iter_mut().filter(|member| member.active()) {
            (member.cleared_at, member.quiet_until) = (Some(cx.now), None);
            self.home.remove(&(member.subject.clone(), member.condition));
        }
    }

    /// What an act leaves behind besides its state and its line in the trail.
    fn work(&self, incident: &mut Incident, kind: ActionKind, now: Ms) {
        let peace = match kind {
            ActionKind::Dispatch | ActionKind::Arrive => {
                incident.dispatched = true;
                self.plan.worked_s
            }
            ActionKind::Resolve => {
                let fire = incident.class == Class::Fire;
                incident.verdict = Some(if fire { Outcome::Fire } else { Outcome::Repaired });
                return;
            }
            ActionKind::FalseAlarm => {
                incident.verdict = Some(Outcome::FalseAlarm);
                return;
            }
            ActionKind::Acknowledge | ActionKind::Comment | ActionKind::Shown => {
                self.plan.steps(incident.severity).forgotten_s
            }
        };
        incident.work_until = incident.work_until.max(now + ms(peace));
    }
}

/// Where an actor shows an incident: what somebody claims is no place. No station's id has a space.
fn place(actor: &Actor) -> Box<str> {
    match actor.station() {
        Some(station) => station.into(),
        None => format!("account {}", actor.name()).into(),
    }
}

/// What an act means for an incident as it is.
fn event(incident: &Incident, kind: ActionKind) -> IncidentEvent {
    match kind {
        ActionKind::Shown | ActionKind::Comment => IncidentEvent::Noted,
        ActionKind::Acknowledge => IncidentEvent::Taken,
        ActionKind::Dispatch | ActionKind::Arrive => IncidentEvent::Worked,
        ActionKind::Resolve | ActionKind::FalseAlarm if incident.ends_by_person() => {
            IncidentEvent::Finished
        }
        ActionKind::Resolve | ActionKind::FalseAlarm if incident.is_active() => IncidentEvent::Done,
        ActionKind::Resolve if incident.class == Class::Water => IncidentEvent::Repaired,
        ActionKind::Resolve | ActionKind::FalseAlarm => IncidentEvent::Finished,
    }
}

/// An act's line in the trail.
const fn hop(kind: ActionKind) -> Hop {
    match kind {
        ActionKind::Shown => Hop::Shown,
        ActionKind::Acknowledge => Hop::Acknowledged,
        ActionKind::Dispatch => Hop::Dispatched,
        ActionKind::Arrive => Hop::Arrived,
        ActionKind::Comment => Hop::Commented,
        ActionKind::Resolve | ActionKind::FalseAlarm => Hop::Resolved,
    }
}
