//! Zones and areas: one incident stands for many.
//!
//! A child whose parent is true does not page, and what was to be told of it in the transaction in
//! which it became one is not sent: the parent says it. When the parent ends, a child that is still
//! true is let go and pages itself. A zone that ended is verified by its children: it closes when
//! the last of them has.

use std::collections::BTreeSet;

use standpipe_shared::{Class, Condition};

use super::book::{Book, Cx};
use super::damp::{Again, Sound};
use super::state::{IncidentEvent, State};
use super::{Incident, IncidentId};
use crate::changes::{Hop, Page};
use crate::fact::{Reason, Subject};
use crate::registry::DeviceIx;
use crate::trail::TrailCode;

impl Book {
    /// Settles whether something bigger stands for an incident of which something is true.
    /// Says whether it did and no longer does.
    pub(super) fn covered(&mut self, cx: &mut Cx, incident: &mut Incident) -> bool {
        let cover = self.cover(cx, incident);
        let left = incident.parent.is_some() && cover.is_none();
        if cover.is_some() {
            self.take_back(cx, incident);
        }
        self.attach(cx, incident, cover);
        left
    }

    /// Takes back the pages of an episode that began in this transaction, when they were about
    /// nothing but what its zone or area stands for: nobody has got them yet. What was paged
    /// before stays as it is.
    fn take_back(&mut self, cx: &mut Cx, incident: &mut Incident) {
        let (_, covers) = covers(incident.class);
        let other = incident.members.iter().any(|member| !covers.contains(&member.condition));
        let first = |page: &Page| {
            let at = (page.episode, page.step, page.repeat);
            page.incident == incident.id && at == (incident.episode, 1, 0)
        };
        if other || !cx.out.pages.iter().any(first) {
            return;
        }
        let mut taken = BTreeSet::new();
        for page in cx.out.pages.extract_if(.., |page| page.incident == incident.id) {
            self.owes_no_more(page.page_id);
            taken.insert(page.page_id);
        }
        // What they stood for is owed again.
        for (page, _) in cx.out.superseded.extract_if(.., |(page, _)| page.incident == incident.id)
        {
            if !taken.contains(&page.page_id) {
                self.owes(page);
            }
        }
        let of_pages = |hop| matches!(hop, Hop::Paged | Hop::Superseded);
        cx.out.trail.retain(|line| line.incident != incident.id || !of_pages(line.hop));
        incident.told.clear();
        incident.sounded.retain(|sounded| sounded.at != cx.now);
        (incident.step, incident.repeat) = (0, 0);
    }

    /// Makes an incident the child of another, or of none.
    pub(super) fn attach(&mut self, cx: &mut Cx, incident: &mut Incident, to: Option<IncidentId>) {
        if incident.parent == to {
            return;
        }
        let from = std::mem::replace(&mut incident.parent, to);
        let part_of = |incident| TrailCode::PartOf { incident };
        let code = to.map_or(TrailCode::StandsAlone, part_of);
        cx.trail(incident.id, Hop::Attached, "gateway", code);
        if let Some(mut parent) = from.and_then(|id| self.take(id)) {
            let id = parent.id;
            parent.children.retain(|child| *child != incident.id);
            self.publish(cx, parent);
            self.proven_by_children(cx, id);
        }
        if let Some(mut parent) = to.and_then(|id| self.take(id)) {
            parent.children.push(incident.id);
            self.publish(cx, parent);
        }
    }

    /// The zone's or area's incident that stands for all that is true of this one.
    fn cover(&self, cx: &Cx, incident: &Incident) -> Option<IncidentId> {
        let device = cx.view.registry.device(incident.device()?)?;
        let subject = match incident.class {
            Class::Water => Subject::Zone((&*device.zone).into()),
            Class::Upkeep => Subject::Area((&*device.station).into()),
            Class::Fire | Class::Blind => return None,
        };
        let (class, covers) = covers(incident.class);
        let parent = self.newest.get(&(subject, class)).and_then(|rank| self.get(rank.1))?;
        // A device that was never heard did not fall silent with the others.
        let all = incident.active().all(|member| {
            covers.contains(&member.condition) && member.reason != Some(Reason::Never)
        });
        (all && parent.is_active()).then_some(parent.id)
    }

    /// Attaches what the members of a zone or an area have open.
    pub(super) fn gather(&mut self, cx: &mut Cx, parent: Condition, members: &[DeviceIx]) {
        let class = if parent == Condition::BlindArea { Class::Upkeep } else { Class::Water };
        for member in members {
            let child = self.newest.get(&(Subject::Device(*member), class)).map(|rank| rank.1);
            let Some(mut child) = child.and_then(|id| self.take(id)) else { continue };
            if child.is_active() {
                self.covered(cx, &mut child);
            }
            self.publish(cx, child);
        }
    }

    /// When an incident is over, lets go of its children that are still true: they page
    /// themselves.
    pub(super) fn release(&mut self, cx: &mut Cx, parent: IncidentId) {
        let children =
            self.get(parent).map(|incident| incident.children.clone()).unwrap_or_default();
        for id in children {
            let active = self.get(id).is_some_and(Incident::is_active);
            let Some(mut child) = active.then(|| self.take(id)).flatten() else { continue };
            self.attach(cx, &mut child, None);
            cx.trail(id, Hop::Reopened, "gateway", TrailCode::OutlastsParent);
            let worst = child.active().max_by_key(|member| member.severity());
            if let Some((subject, condition)) =
                worst.map(|member| (member.subject.clone(), member.condition))
            {
                let sound = Sound { subject: &subject, condition, again: Again::No };
                self.sound(cx, &mut child, sound, 0);
            }
            self.publish(cx, child);
        }
        self.proven_by_children(cx, parent);
    }

    /// Closes a zone that ended once none of its children is open.
    pub(super) fn proven_by_children(&mut self, cx: &mut Cx, parent: IncidentId) {
        let open =
            |id: &IncidentId| self.get(*id).is_some_and(|incident| incident.state != State::Closed);
        let zone = self.get(parent).filter(|incident| {
            incident.device().is_none()
                && incident.state == State::Verifying
                && !incident.children.iter().any(open)
        });
        if let Some(incident) = zone.map(|incident| incident.id).and_then(|id| self.take(id)) {
            self.goes(cx, incident, IncidentEvent::Proven);
        }
    }
}

/// The class of what stands for many of a class, and the conditions it stands for.
const fn covers(class: Class) -> (Class, &'static [Condition]) {
    match class {
        Class::Water => (Class::Water, &[Condition::NoWater, Condition::LowPressure]),
        Class::Upkeep => (Class::Blind, &[Condition::Offline]),
        Class::Fire | Class::Blind => (class, &[]),
    }
}
