//! An exercise: an alarm of the gateway's own making, which goes the way of a real one — incident,
//! store, page, terminal, acknowledgement — and is marked all the way.
//!
//! Only the alarm that was made is explained by it. Whatever the detector itself says meanwhile
//! is in earnest, at once: no fire is ever missed for an exercise. It is listed as a `notice`,
//! pages the first step once, and ends by itself.

use super::announce::BadAnnouncement;
use super::book::{Book, Cx};
use super::mute::Window;
use super::{BookView, Incident, Quiet, route};
use crate::changes::Hop;
use crate::fact::{Moments, Raised, Subject};
use crate::trail::TrailCode;
use crate::{Changes, Ms};

impl Book {
    /// Begins one: the window's alarm is raised of its device.
    ///
    /// # Errors
    /// [`BadAnnouncement`] when that device has an open fire already: nothing changed.
    pub fn exercise(
        &mut self,
        view: &BookView,
        window: Window,
        now: Ms,
        out: &mut Changes,
    ) -> Result<(), BadAnnouncement> {
        let (Some(condition), Some(ix)) = (window.alarm, window.devices.first().copied()) else {
            return Err(BadAnnouncement::NoDrill);
        };
        let cx = &mut Cx { view, now, out };
        let raised = Raised::new(Subject::Device(ix), condition, Moments::at(now));
        let known = self.home.contains_key(&(raised.subject.clone(), condition));
        if known || self.joins(cx, &raised, true).is_some() {
            let device =
                view.registry.device(ix).map_or_else(Box::default, |device| device.id.clone());
            return Err(BadAnnouncement::Burns { device });
        }
        let incident = self.begin(cx, &raised);
        let id = incident.id;
        cx.trail(id, Hop::Commented, &window.by, TrailCode::Exercise { note: window.note.clone() });
        self.announce(window, cx.out);
        self.join(cx, incident, &raised, Some((Quiet::Exercise, None)));
        if let Some(mut incident) = self.take(id) {
            incident.step = 1;
            let first = route::receivers(&self.plan, view.registry, &incident, 1);
            self.send(cx, &mut incident, first);
            self.publish(cx, incident);
        }
        Ok(())
    }

    /// Its time is over: the alarm that was made ends, unless it was raised in earnest since.
    pub(super) fn exercise_over(&mut self, cx: &mut Cx, window: &Window) {
        let (Some(condition), Some(ix)) = (window.alarm, window.devices.first()) else { return };
        let key = (Subject::Device(*ix), condition);
        let made = |incident: &Incident| {
            let mut active = incident.active();
            active.any(|member| {
                member.condition == condition && member.quiet == Some(Quiet::Exercise)
            })
        };
        if self.home.get(&key).and_then(|id| self.get(*id)).is_some_and(made) {
            let now = cx.now;
            self.cleared(cx, key, now);
        }
    }
}
