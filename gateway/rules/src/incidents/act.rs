//! What people do about incidents.
//!
//! A person's word that something is over holds at once, and can be taken back for
//! [`super::Plan::undo_s`]: until then it is `resolved`, whatever is true of it, and nothing is closed.
//! What happens meanwhile is recorded and waits; a new detector or a relapse opens it again, as ever.

use standpipe_shared::Class;

use super::book::{Book, Cx};
use super::escalate::ms;
use super::incident::Decided;
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
        let refused = Refused::NotNow { state: incident.state };
        let event = event(incident, action.kind).ok_or(refused)?;
        let state = step(incident.state, event).ok_or(refused)?;
        if action.kind.ends() && !action.seen.is_empty() {
            let version = incident.version(view.registry);
            (version == action.seen).then_some(()).ok_or(Refused::Changed)?;
        }
        let incident = self.take(action.incident).ok_or(refused)?;
        self.done(cx, incident, (actor, action), (event, state));
        Ok(())
    }

    /// What follows from an act that is taken.
    fn done(
        &mut self,
        cx: &mut Cx,
        mut incident: Incident,
        (actor, action): (&Actor, &Action),
        (event, state): (IncidentEvent, State),
    ) {
        let by = if action.by.is_empty() { actor.name() } else { &action.by };
        let first = action.kind != ActionKind::Shown || incident.shown.insert(place(actor));
        let mut record = |hop, detail: &str| {
            let entry = TrailEntry::text(incident.id, (cx.now, hop), by, detail);
            cx.out.trail.push(TrailEntry { actor: actor.name().into(), ..entry });
        };
        if event == IncidentEvent::Worked && incident.state == State::Open {
            record(Hop::Acknowledged, ""); // who sends somebody has taken it
        }
        if first {
            record(hop(action.kind), &action.note);
        }
        if action.kind == ActionKind::Shown {
            return self.keep(incident, cx.out);
        }
        incident.active_at = cx.now;
        if matches!(event, IncidentEvent::Taken | IncidentEvent::Worked) {
            incident.held.clear(); // whoever has taken it knows that it flaps
            incident.pool_is_told();
        }
        match action.kind {
            ActionKind::Resolve | ActionKind::FalseAlarm => {
                incident.decided = Some(Decided {
                    until: cx.now + ms(self.plan.undo_s),
                    before: incident.state,
                    verdict: incident.verdict,
                    active: incident.is_active(),
                    settles_at: incident.settles_at.take(),
                    proven: false,
                });
            }
            ActionKind::Undo => return self.undo(cx, incident, state),
            ActionKind::Reopen => {
                self.found(cx, &mut incident, 0);
                return self.publish(cx, incident);
            }
            ActionKind::Shown
            | ActionKind::Acknowledge
            | ActionKind::Dispatch
            | ActionKind::Arrive
            | ActionKind::Comment => {}
        }
        self.work(&mut incident, action.kind, cx.now);
        incident.state = state;
        if incident.undo_until().is_some_and(|until| until <= cx.now) {
            self.decision_stands(cx, incident);
        } else {
            self.publish(cx, incident);
        }
    }

    /// It stands where it stood before a person said that it is over. What happened meanwhile counts
    /// now, and so does the time that passed: steps that came due are paged at once.
    fn undo(&mut self, cx: &mut Cx, mut incident: Incident, before: State) {
        let Some(decided) = incident.decided.take() else { return self.keep(incident, cx.out) };
        incident.state = before;
        (incident.verdict, incident.settles_at) = (decided.verdict, decided.settles_at);
        if decided.proven {
            return self.goes(cx, incident, IncidentEvent::Proven);
        }
        let over = decided.active && !incident.is_active();
        let last = incident.members.iter().max_by_key(|member| member.cleared_at);
        let last = last.filter(|_| over).map(|member| {
            (member.subject.clone(), member.condition, member.cleared_at.unwrap_or(cx.now))
        });
        match last {
            Some((subject, condition, at)) => self.ceased(cx, incident, (&subject, condition), at),
            None => self.publish(cx, incident),
        }
    }

    /// A person said that it is over, and nobody took it back.
    pub(super) fn decision_stands(&mut self, cx: &mut Cx, mut incident: Incident) {
        let proven = incident.decided.take().is_some_and(|decided| decided.proven);
        let repaired = incident.verdict == Some(Outcome::Repaired);
        if incident.ends_by_person() {
            self.end_all(cx, &mut incident);
            self.goes(cx, incident, IncidentEvent::Finished);
        } else if incident.is_active() {
            self.publish(cx, incident); // it closes when it ends
        } else if proven {
            self.goes(cx, incident, IncidentEvent::Proven);
        } else if incident.class == Class::Water && repaired {
            self.goes(cx, incident, IncidentEvent::Repaired);
        } else {
            self.goes(cx, incident, IncidentEvent::Finished);
        }
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
            ActionKind::Undo | ActionKind::Reopen => return,
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

/// What an act means for an incident as it is; `None`: nothing, there is nothing to take back.
fn event(incident: &Incident, kind: ActionKind) -> Option<IncidentEvent> {
    Some(match kind {
        ActionKind::Shown | ActionKind::Comment => IncidentEvent::Noted,
        ActionKind::Acknowledge => IncidentEvent::Taken,
        ActionKind::Dispatch | ActionKind::Arrive => IncidentEvent::Worked,
        ActionKind::Resolve | ActionKind::FalseAlarm => IncidentEvent::Done,
        ActionKind::Undo => IncidentEvent::Undone(incident.decided?.before),
        ActionKind::Reopen => IncidentEvent::Reopened,
    })
}

/// An act's line in the trail.
const fn hop(kind: ActionKind) -> Hop {
    match kind {
        ActionKind::Shown => Hop::Shown,
        ActionKind::Acknowledge => Hop::Acknowledged,
        ActionKind::Dispatch => Hop::Dispatched,
        ActionKind::Arrive => Hop::Arrived,
        ActionKind::Comment => Hop::Commented,
        ActionKind::Resolve => Hop::Resolved,
        ActionKind::FalseAlarm => Hop::FalseAlarm,
        ActionKind::Undo => Hop::Undone,
        ActionKind::Reopen => Hop::Reopened,
    }
}
