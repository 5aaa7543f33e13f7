//! What is wrong with the gateway itself: a registry file that cannot be read, a clock that was
//! set. Each is an incident of its own, told to administrators, and closed by a person.

use standpipe_shared::{Class, Condition};

use super::book::{Book, Cx};
use super::{BookView, Incident, IncidentId};
use crate::changes::{Hop, TrailEntry};
use crate::fact::{Moments, Raised, Subject};
use crate::{Changes, Ms};

impl Book {
    /// Something is wrong with the gateway itself, and in which words; `None`: no longer.
    pub fn gateway(
        &mut self,
        view: &BookView,
        (condition, detail): (Condition, Option<&str>),
        now: Ms,
        out: &mut Changes,
    ) {
        self.stand(&mut Cx { view, now, out }, (Subject::Gateway, condition), detail);
    }

    /// A condition of the gateway, or of what it sends pages with, stands in these words, or is over.
    pub(super) fn stand(&mut self, cx: &mut Cx, key: (Subject, Condition), detail: Option<&str>) {
        let known = self.home.get(&key).copied();
        match (detail, known) {
            (Some(detail), Some(id)) => self.reworded(cx, id, detail),
            (Some(detail), None) => {
                let raised = Raised::new(key.0, key.1, Moments::at(cx.now));
                let waiting = self.joins(cx, &raised, false).and_then(|id| self.take(id));
                let mut incident = waiting.unwrap_or_else(|| self.begin(cx, &raised));
                incident.detail = detail.into();
                self.join(cx, incident, &raised, None);
            }
            (None, Some(_)) => self.cleared(cx, key, cx.now),
            (None, None) => {}
        }
    }

    /// What is true already is put into other words: recorded and shown, and nobody is paged.
    fn reworded(&mut self, cx: &mut Cx, id: IncidentId, detail: &str) {
        let changed = self.get(id).is_some_and(|incident| &*incident.detail != detail);
        if let Some(mut incident) = changed.then(|| self.take(id)).flatten() {
            incident.detail = detail.into();
            let entry = TrailEntry::text(id, (cx.now, Hop::Commented), "gateway", detail);
            cx.out.trail.push(entry);
            self.publish(cx, incident);
        }
    }

    /// The gateway's open incident of that condition.
    pub(super) fn of_gateway(&self, condition: Condition) -> Option<IncidentId> {
        let of = |incident: &&Incident| {
            let same = incident.members.iter().any(|member| member.condition == condition);
            incident.subject == Subject::Gateway && same
        };
        self.open().find(of).map(|incident| incident.id)
    }
}

impl Incident {
    /// Whether nothing but a person says that it is over: what is true of it has no end that
    /// anybody could measure, or was told so that a person deals with it.
    pub(super) fn ends_by_person(&self) -> bool {
        let upkeep = self.class == Class::Upkeep && self.is_of_gateway();
        upkeep || self.members.iter().any(|member| member.condition == Condition::UnreadableAlarm)
    }
}
