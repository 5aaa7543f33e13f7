//! How an incident ends: by evidence, by itself, by a person.
//!
//! Water that is back is `verifying` until detection has seen it hold for long enough
//! ([`crate::Fact::Verified`]); silence or a fault meanwhile proves nothing and is found out.

use standpipe_shared::{Class, Severity};

use super::book::{Book, Cx};
use super::state::{Event, Outcome, State, step};
use super::{Incident, IncidentId};
use crate::changes::Hop;
use crate::fact::Subject;
use crate::registry::DeviceIx;
use crate::trail::TrailCode;

impl Book {
    /// The water of a hydrant, where nothing of it is true any more.
    fn quenched(&self, device: DeviceIx) -> Option<IncidentId> {
        let id = self.newest.get(&(Subject::Device(device), Class::Water))?;
        self.get(id.1).filter(|it| !it.is_active()).map(|it| it.id)
    }

    /// The evidence is complete.
    pub(super) fn verified(&mut self, cx: &mut Cx, device: DeviceIx) {
        if let Some(it) = self.quenched(device).and_then(|id| self.take(id)) {
            self.goes(cx, it, Event::Proven);
        }
    }

    /// The evidence broke off: somebody has to look.
    pub(super) fn unverified(&mut self, cx: &mut Cx, device: DeviceIx) {
        let verifying =
            |id: &IncidentId| self.get(*id).is_some_and(|it| it.state == State::Verifying);
        let id = self.quenched(device).filter(verifying);
        let Some(mut it) = id.and_then(|id| self.take(id)) else { return };
        it.severity = Severity::Warning;
        it.unverified = true;
        self.attach(cx, &mut it, None);
        cx.trail(it.id, Hop::Reopened, "gateway", TrailCode::Unverified);
        self.found(cx, &mut it, 0);
        self.publish(cx, it);
    }

    /// Moves an incident on, with what follows for others when it ends.
    pub(super) fn goes(&mut self, cx: &mut Cx, mut it: Incident, event: Event) {
        let id = it.id;
        it.unverified = false;
        it.settles_at = None;
        if let Some(state) = step(it.state, event) {
            it.state = state;
        }
        match it.state {
            State::Verifying if it.most_flaps().is_some() => {} // that it flaps says as much
            State::Verifying => cx.trail(id, Hop::Verifying, "gateway", TrailCode::Text),
            State::Closed => {
                let quiet = it.quiet().map(super::Quiet::outcome);
                let outcome = quiet.or(it.verdict).unwrap_or(Outcome::Recovered);
                (it.outcome, it.closed_at) = (Some(outcome), Some(cx.now));
                cx.trail(id, Hop::Closed, "gateway", TrailCode::Outcome { outcome });
                self.carry(cx, &it);
                self.forget(&it);
            }
            State::Open | State::Acknowledged | State::Resolved => {}
        }
        let closed = it.state == State::Closed;
        let (parent, fire) = (it.parent.filter(|_| closed), it.class == Class::Fire && closed);
        self.publish(cx, it);
        self.release(cx, id);
        if let Some(parent) = parent {
            self.proven_by_children(cx, parent);
        }
        if fire {
            self.fire_is_out(cx, id);
        }
    }
}
