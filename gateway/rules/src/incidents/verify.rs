//! How an incident ends: by evidence, by itself, by a person.
//!
//! Water that is back is `verifying` until detection has seen it hold for long enough
//! ([`crate::Fact::Verified`]); silence or a fault meanwhile proves nothing and is found out.

use standpipe_shared::{Class, Severity};

use super::book::{Book, Cx};
use super::state::{IncidentEvent, Outcome, State, step};
use super::{Incident, IncidentId};
use crate::changes::Hop;
use crate::fact::Subject;
use crate::registry::DeviceIx;
use crate::trail::TrailCode;

impl Book {
    /// The water of a hydrant, where nothing of it is true any more.
    fn quenched(&self, device: DeviceIx) -> Option<IncidentId> {
        let id = self.newest.get(&(Subject::Device(device), Class::Water))?;
        self.get(id.1).filter(|incident| !incident.is_active()).map(|incident| incident.id)
    }

    /// The evidence is complete.
    pub(super) fn verified(&mut self, cx: &mut Cx, device: DeviceIx) {
        let Some(mut incident) = self.quenched(device).and_then(|id| self.take(id)) else { return };
        if let Some(decided) = &mut incident.decided {
            decided.proven = true; // whoever spoke may take it back
            return self.keep(incident, cx.out);
        }
        self.goes(cx, incident, IncidentEvent::Proven);
    }

    /// The evidence broke off: somebody has to look.
    pub(super) fn unverified(&mut self, cx: &mut Cx, device: DeviceIx) {
        let verifying = |id: &IncidentId| self.get(*id).is_some_and(Incident::verifies);
        let id = self.quenched(device).filter(verifying);
        let Some(mut incident) = id.and_then(|id| self.take(id)) else { return };
        incident.severity = Severity::Warning;
        incident.unverified = true;
        self.attach(cx, &mut incident, None);
        cx.trail(incident.id, Hop::Reopened, "gateway", TrailCode::Unverified);
        self.found(cx, &mut incident, 0);
        self.publish(cx, incident);
    }

    /// Moves an incident on, with what follows for others when it ends.
    pub(super) fn goes(&mut self, cx: &mut Cx, mut incident: Incident, event: IncidentEvent) {
        let id = incident.id;
        incident.unverified = false;
        incident.settles_at = None;
        if let Some(state) = step(incident.state, event) {
            incident.state = state;
        }
        match incident.state {
            State::Verifying if incident.most_flaps().is_some() => {} // that it flaps says as much
            State::Verifying => cx.trail(id, Hop::Verifying, "gateway", TrailCode::Text),
            State::Closed => {
                let quiet = incident.quiet().map(super::Quiet::outcome);
                let outcome = quiet.or(incident.verdict).unwrap_or(Outcome::Recovered);
                (incident.outcome, incident.closed_at) = (Some(outcome), Some(cx.now));
                cx.trail(id, Hop::Closed, "gateway", TrailCode::Outcome { outcome });
                self.carry(cx, &incident);
                self.forget(&incident);
            }
            State::Open | State::Acknowledged | State::Resolved => {}
        }
        let closed = incident.state == State::Closed;
        let (parent, fire) =
            (incident.parent.filter(|_| closed), incident.class == Class::Fire && closed);
        self.publish(cx, incident);
        self.release(cx, id);
        if let Some(parent) = parent {
            self.proven_by_children(cx, parent);
        }
        if fire {
            self.fire_is_out(cx, id);
        }
    }
}
