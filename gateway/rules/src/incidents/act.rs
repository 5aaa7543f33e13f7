//! What people do about incidents.

use standpipe_shared::Class;

use super::book::{Book, Cx};
use super::escalate::ms;
use super::state::{Event, Outcome, State, step};
use super::{Action, ActionKind, Incident, Refused, View};
use crate::changes::Hop;
use crate::{Changes, Ms};

impl Book {
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
        let cx = &mut Cx { view, now, out };
        let it = self.get(action.incident).ok_or(Refused::Unknown)?;
        let event = event(it, action.kind);
        let refused = Refused::NotNow { state: it.state };
        let state = step(it.state, event).ok_or(refused)?;
        let mut it = self.take(action.incident).ok_or(refused)?;
        let station = station.unwrap_or_default();
        let by = if action.by.is_empty() { station } else { &action.by };
        let first = action.kind != ActionKind::Shown || it.shown.insert(place(station, by).into());
        if event == Event::Worked && it.state == State::Open {
            cx.trail(it.id, Hop::Acknowledged, by, ""); // who sends somebody has taken it
        }
        if first {
            cx.trail(it.id, hop(action.kind), by, &action.note);
        }
        if action.kind == ActionKind::Shown {
            self.keep(it, cx.out);
            return Ok(());
        }
        it.active_at = now;
        self.work(&mut it, action.kind, now);
        if event == Event::Finished {
            self.end_all(cx, &mut it);
        }
        if matches!(event, Event::Finished | Event::Repaired) {
            self.goes(cx, it, event);
        } else {
            it.state = state;
            self.publish(cx, it);
        }
        Ok(())
    }

    /// A person has closed it: nothing of it is true any more, whatever was.
    fn end_all(&mut self, cx: &Cx, it: &mut Incident) {
        for member in it.members.iter_mut().filter(|member| member.active()) {
            (member.cleared_at, member.quiet_until) = (Some(cx.now), None);
            self.home.remove(&(member.subject.clone(), member.condition));
        }
    }

    /// What an act leaves behind besides its state and its line in the trail.
    fn work(&self, it: &mut Incident, kind: ActionKind, now: Ms) {
        let peace = match kind {
            ActionKind::Dispatch | ActionKind::Arrive => {
                it.dispatched = true;
                self.plan.worked_s
            }
            ActionKind::Resolve => {
                let fire = it.class == Class::Fire;
                it.verdict = Some(if fire { Outcome::Fire } else { Outcome::Repaired });
                return;
            }
            ActionKind::FalseAlarm => {
                it.verdict = Some(Outcome::FalseAlarm);
                return;
            }
            ActionKind::Acknowledge | ActionKind::Comment | ActionKind::Shown => {
                self.plan.steps(it.severity).forgotten_s
            }
        };
        it.work_until = it.work_until.max(now + ms(peace));
    }
}

/// Where it was shown: a station's terminal, or whoever asked the API.
fn place<'a>(station: &'a str, by: &'a str) -> &'a str {
    if station.is_empty() { by } else { station }
}

/// What an act means for an incident as it is.
fn event(it: &Incident, kind: ActionKind) -> Event {
    match kind {
        ActionKind::Shown | ActionKind::Comment => Event::Noted,
        ActionKind::Acknowledge => Event::Taken,
        ActionKind::Dispatch | ActionKind::Arrive => Event::Worked,
        ActionKind::Resolve | ActionKind::FalseAlarm if it.ends_by_person() => Event::Finished,
        ActionKind::Resolve | ActionKind::FalseAlarm if it.is_active() => Event::Done,
        ActionKind::Resolve if it.class == Class::Water => Event::Repaired,
        ActionKind::Resolve | ActionKind::FalseAlarm => Event::Finished,
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
