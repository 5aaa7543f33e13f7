//! What is wrong with the gateway itself: a registry file that cannot be read, a clock that was
//! set. Each is an incident of its own, told to administrators, and closed by a person.

use standpipe_shared::{Class, Condition};

use super::book::{Book, Cx};
use super::{Incident, IncidentId, View};
use crate::changes::{Hop, TrailEntry};
use crate::fact::{Moments, Raised, Subject};
use crate::trail::TrailCode;
use crate::{Changes, Ms};

impl Book {
    /// Something is wrong with the gateway itself, and in which words; `None`: no longer.
    pub fn gateway(
        &mut self,
        view: &View,
        (condition, detail): (Condition, Option<&str>),
        now: Ms,
        out: &mut Changes,
    ) {
        let cx = &mut Cx { view, now, out };
        let key = (Subject::Gateway, condition);
        let known = self.home.get(&key).copied();
        match (detail, known) {
            (Some(detail), Some(id)) => self.reworded(cx, id, detail),
            (Some(detail), None) => {
                let raised = Raised::new(Subject::Gateway, condition, Moments::at(now));
                let waiting = self.joins(cx, &raised, false).and_then(|id| self.take(id));
                let mut it = waiting.unwrap_or_else(|| self.begin(cx, &raised));
                it.detail = detail.into();
                self.join(cx, it, &raised, None);
            }
            (None, Some(_)) => self.cleared(cx, key, now),
            (None, None) => {}
        }
    }

    /// What is true already is put into other words: recorded and shown, and nobody is paged.
    fn reworded(&mut self, cx: &mut Cx, id: IncidentId, detail: &str) {
        let changed = self.get(id).is_some_and(|it| &*it.detail != detail);
        if let Some(mut it) = changed.then(|| self.take(id)).flatten() {
            it.detail = detail.into();
            let (by, detail, code) = ("gateway".into(), detail.into(), TrailCode::Text);
            let (incident, at, hop, actor) = (id, cx.now, Hop::Commented, Box::default());
            cx.out.trail.push(TrailEntry { incident, at, hop, by, detail, code, actor });
            self.publish(cx, it);
        }
    }

    /// The gateway's open incident of that condition.
    pub(super) fn of_gateway(&self, condition: Condition) -> Option<IncidentId> {
        let of = |it: &&Incident| {
            let same = it.members.iter().any(|member| member.condition == condition);
            it.subject == Subject::Gateway && same
        };
        self.open().find(of).map(|it| it.id)
    }
}

impl Incident {
    /// Whether nothing but a person says that it is over: what is true of it has no end that
    /// anybody could measure, or was told so that a person deals with it.
    pub(super) fn ends_by_person(&self) -> bool {
        let upkeep = self.class == Class::Upkeep && self.subject == Subject::Gateway;
        upkeep || self.members.iter().any(|it| it.condition == Condition::UnreadableAlarm)
    }
}
