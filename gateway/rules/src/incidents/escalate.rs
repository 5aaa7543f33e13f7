//! What time does: the next step, the repetition, the forgotten, the absent.
//!
//! Nothing here is remembered but what is in the incident: when it is due follows from it, from
//! the plan and from who is present. Who is paged is in [`super::route`].

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use super::book::{Book, Cx};
use super::plan::Steps;
use super::state::{IncidentEvent, State, step};
use super::{Incident, IncidentId, route};
use crate::Ms;
use crate::changes::{Company, Hop, Page, Presence, Receiver, TrailEntry, Urgency};
use crate::compact::push_compact;
use crate::fact::Subject;
use crate::trail::{TrailCode, receiver};
use standpipe_shared::{Class, Severity};

/// A fire's hydrants are looked at this often, whatever is heard of them: a hydrant gets stale,
/// and is heard again, without a fact.
const LOOK_EVERY_MS: Ms = 60_000;

/// Incidents looked at in one tick at most, and fires whose hydrants are: what else is due waits for
/// the next one, which comes at once. So a new alarm waits for this many, however many are due.
const SLICE: usize = 64;

/// Seconds as milliseconds.
pub(super) fn ms(seconds: u32) -> Ms {
    Ms::from(seconds) * 1_000
}

impl Book {
    /// Time passed. Not all that is due may be done with after it: [`Self::next_wake`] says so.
    pub fn tick(&mut self, view: &super::BookView, now: Ms, out: &mut crate::Changes) {
        let cx = &mut Cx { view, now, out };
        self.expire(cx);
        for _ in 0..SLICE {
            let due = self.timers.first().copied().filter(|(at, _)| *at <= now);
            let Some((_, (_, id))) = due else { break };
            self.wake(cx, id);
        }
        if !self.fires.is_empty() && now >= self.meta.looked_at + LOOK_EVERY_MS {
            self.meta.looked_at = now;
            cx.out.book_meta = true;
            self.look_again();
        }
        // The newest fire first: a crew is on its way to it.
        for _ in 0..SLICE {
            let Some(fire) = self.thirsty.pop_last() else { break };
            self.look_for_water(cx, fire);
        }
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        let timer = self.next_page();
        let window = self.meta.windows.iter().map(|incident| incident.until).min();
        let thirsty = self.thirsty.first().map(|_| Ms::MIN);
        let look = self.fires.first_key_value().map(|_| self.meta.looked_at + LOOK_EVERY_MS);
        [timer, window, thirsty, look].into_iter().flatten().min()
    }

    /// When the next incident is due to be looked at: told again, or no longer muted.
    pub(super) fn next_page(&self) -> Option<Ms> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A station's terminal came or went.
    pub fn presence(&mut self, (station, online): (&str, bool), now: Ms, out: &mut crate::Changes) {
        if self.presence.get(station).is_some_and(|presence| presence.online == online) {
            return;
        }
        let presence = Presence { station: station.into(), online, at: now };
        self.presence.insert(station.into(), presence.clone());
        out.presence.push(presence);
        let its_own = self.at_home.get(station).into_iter().flatten();
        let its_own = its_own.filter_map(|(_, id)| self.get(*id));
        let concerned = its_own.filter(|incident| self.due(incident) != incident.next_step_at);
        for id in concerned.map(|incident| incident.id).collect::<Vec<_>>() {
            if let Some(incident) = self.take(id) {
                self.keep(incident, out);
            }
        }
    }

    /// When somebody has to be told again about an incident, and how far that goes.
    pub(super) fn due(&self, incident: &Incident) -> Option<Ms> {
        let steps = self.plan.steps(incident.severity);
        match incident.state {
            State::Open => self.next_step(incident, steps).map(|(at, _)| at),
            State::Acknowledged if incident.class == Class::Upkeep && !incident.is_active() => None,
            State::Acknowledged => (steps.forgotten_s > 0).then_some(incident.work_until),
            State::Resolved | State::Verifying | State::Closed => None,
        }
        .filter(|_| incident.parent.is_none() && incident.settles_at.is_none())
        .filter(|_| incident.step > 0 || incident.held.is_empty())
    }

    /// The next step of an open incident, and when; the same step again: a repetition.
    fn next_step(&self, incident: &Incident, steps: Steps) -> Option<(Ms, u8)> {
        let after = |seconds, from| (seconds > 0).then(|| from + ms(seconds));
        let second = after(steps.step2_s, incident.episode_at)
            .map(|at| (at.min(self.gone_at(&incident.homes).unwrap_or(at)), 2));
        let third = after(steps.step3_s, incident.episode_at).map(|at| (at, 3));
        let again = after(steps.repeat_s, incident.step_at).map(|at| (at, incident.step));
        let ahead = [second, third].into_iter().flatten().find(|(_, step)| *step > incident.step);
        ahead.or(again)
    }

    /// Since when a station is absent: its terminal is not online, and was not for a while.
    fn gone(&self, station: &str) -> Option<Ms> {
        match self.presence.get(station) {
            Some(presence) if presence.online => None,
            Some(presence) => Some(presence.at + ms(self.plan.absent_s)),
            None => Some(Ms::MIN),
        }
    }

    /// Since when all of them are absent.
    fn gone_at(&self, homes: &[Box<str>]) -> Option<Ms> {
        homes.iter().try_fold(Ms::MIN, |latest, home| self.gone(home).map(|at| at.max(latest)))
    }

    /// What is due about one incident.
    fn wake(&mut self, cx: &mut Cx, id: IncidentId) {
        let Some(mut incident) = self.take(id) else { return };
        if incident.undo_until().is_some_and(|at| at <= cx.now) {
            return self.decision_stands(cx, incident);
        } else if incident.confirm_by().is_some_and(|at| at <= cx.now) {
            return self.confirmation_is_due(cx, incident);
        } else if incident.muted_until().is_some_and(|at| at <= cx.now) {
            match self.believed(cx, incident) {
                Some(alone) => incident = alone,
                None => return,
            }
            let now = cx.now;
            let over = |member: &super::Member| member.quiet_until.is_some_and(|at| at <= now);
            self.unquiet(cx, &mut incident, over, &TrailCode::NoLongerMuted);
        } else if incident.settles_at.is_some_and(|at| at <= cx.now) {
            return self.settled(cx, incident);
        } else if incident.held_until().is_some_and(|at| at <= cx.now) {
            self.held_is_over(cx, &mut incident);
        } else if incident.state == State::Acknowledged {
            cx.trail(id, Hop::Forgotten, "gateway", TrailCode::Forgotten);
            self.found(cx, &mut incident, 0);
        } else if let Some((_, step)) =
            self.next_step(&incident, self.plan.steps(incident.severity))
        {
            if step > incident.step {
                self.page(cx, &mut incident, step);
            } else {
                self.repeat(cx, &mut incident);
            }
        }
        self.publish(cx, incident);
    }

    /// It must be looked at (again): a new episode, from step 1.
    pub(super) fn found(&mut self, cx: &mut Cx, incident: &mut Incident, late_s: u32) {
        if let Some(state) = step(incident.state, IncidentEvent::Found) {
            incident.state = state;
        }
        incident.episode += 1;
        incident.episode_at = cx.now;
        incident.late_s = late_s;
        (incident.step, incident.repeat, incident.work_until) = (0, 0, 0);
        incident.confirm_by = None;
        (incident.verdict, incident.decided, incident.settles_at) = (None, None, None);
        incident.told.clear();
        incident.held.clear();
        incident.boards.extend(incident.homes.iter().cloned());
        if incident.severity > Severity::Notice && incident.parent.is_none() {
            self.page(cx, incident, 1);
        }
    }

    /// Pages a step; the first goes on to the second at once while the homes are absent, and no
    /// further. Whoever is paged in one moment is paged once.
    pub(super) fn page(&mut self, cx: &mut Cx, incident: &mut Incident, step: u8) {
        incident.step = step;
        if step == 1 {
            self.wants_confirmation(cx, incident);
        }
        let first = route::receivers(&self.plan, cx.view.registry, incident, step);
        self.send(cx, incident, first.clone());
        let absent = self.gone_at(&incident.homes).is_some_and(|at| at <= cx.now);
        if step == 1 && absent {
            incident.step = 2;
            let mut second = route::receivers(&self.plan, cx.view.registry, incident, 2);
            second.retain(|receiver| !first.contains(receiver));
            self.send(cx, incident, second);
        }
    }

    /// Pages everyone told so far again. Of all the water that is due, one receiver is reminded
    /// once in a while: that page stands for the others.
    fn repeat(&mut self, cx: &mut Cx, incident: &mut Incident) {
        incident.repeat += 1;
        let mut to = incident.told.clone();
        if incident.class == Class::Water {
            let since = cx.now - ms(self.plan.steps(incident.severity).repeat_s);
            self.meta.reminded.retain(|(_, at)| *at > since);
            to.retain(|receiver| {
                self.meta.reminded.iter().all(|(reminded, _)| reminded != receiver)
            });
            self.meta.reminded.extend(to.iter().map(|receiver| (receiver.clone(), cx.now)));
            cx.out.book_meta = true;
        }
        self.send(cx, incident, to);
    }

    /// Owes each of them a page, which supersedes whatever they are still owed about it.
    pub(super) fn send(&mut self, cx: &mut Cx, incident: &mut Incident, to: BTreeSet<Receiver>) {
        incident.step_at = cx.now;
        let first = !to.is_empty() && *incident.paged_at.get_or_insert(cx.now) == cx.now;
        let is_new_fire = first && incident.severity == Severity::Fire;
        let urgency = if is_new_fire { Urgency::NewFire } else { Urgency::of(incident.severity) };
        for receiver in to {
            if is_itself(incident, &receiver) {
                continue;
            }
            self.supersede(cx, incident.id, &receiver);
            let page = Page {
                page_id: ulid::Ulid::nil(),
                number: 0,
                incident: incident.id,
                episode: incident.episode,
                step: incident.step,
                repeat: incident.repeat,
                receiver: receiver.clone(),
                at: cx.now,
                urgency,
                company: Company::Any,
            };
            let page = self.numbered(page, cx.out);
            cx.trail(incident.id, Hop::Paged, "gateway", page_code(&page, ""));
            if let Receiver::Station(station) = &receiver {
                incident.boards.insert(station.clone());
                incident.shown.remove(station);
            }
            self.not_confirmed(incident.id, &receiver);
            incident.told.insert(receiver);
            self.owes(page.clone());
            cx.out.pages.push(page);
        }
    }

    /// What a receiver is still owed about an incident is owed no more: a newer page supersedes it.
    fn supersede(&mut self, cx: &mut Cx, incident: IncidentId, to: &Receiver) {
        let older = self.owed_to.remove(&(incident, to.clone())).unwrap_or_default();
        for id in older {
            let Some(page) = self.owed.remove(&id) else { continue };
            self.leaves_its_bundle(page.page_id, cx.now, cx.out);
            cx.trail(incident, Hop::Superseded, &receiver(to), page_code(&page, ""));
            cx.out.superseded.push((page, cx.now));
        }
    }

    /// A receiver was paged about an incident, and has not confirmed it yet.
    pub(super) fn not_confirmed(&mut self, incident: IncidentId, receiver: &Receiver) {
        let waiting = self.unconfirmed.entry(incident).or_default();
        if !waiting.contains(receiver) {
            waiting.push(receiver.clone());
        }
    }

    /// A receiver confirmed a page about an incident.
    pub(super) fn confirmed(&mut self, incident: IncidentId, receiver: &Receiver) {
        if let Some(waiting) = self.unconfirmed.get_mut(&incident) {
            waiting.retain(|other| other != receiver);
        }
    }

    /// A page is owed.
    pub(super) fn owes(&mut self, page: Page) {
        let to = (page.incident, page.receiver.clone());
        push_compact(self.owed_to.entry(to).or_default(), page.page_id);
        self.owed.insert(page.page_id, page);
    }

    /// A page is owed no more: which that was, if it was.
    pub(super) fn owes_no_more(&mut self, page_id: ulid::Ulid) -> Option<Page> {
        let page = self.owed.remove(&page_id)?;
        if let Entry::Occupied(mut owed) =
            self.owed_to.entry((page.incident, page.receiver.clone()))
        {
            owed.get_mut().retain(|id| *id != page_id);
            if owed.get().is_empty() {
                owed.remove();
            }
        }
        Some(page)
    }

    /// A page was confirmed, or a bundle with all of its pages.
    pub fn delivered(&mut self, page_id: ulid::Ulid, at: Ms, out: &mut crate::Changes) {
        if self.settle_bundle((page_id, Hop::Bundled), "", at, out).is_some() {
            return;
        }
        if let Some(page) = self.owed.get(&page_id) {
            let (incident, receiver) = (page.incident, page.receiver.clone());
            self.confirmed(incident, &receiver);
        }
        self.settle_page((page_id, Hop::Delivered), "", at, out);
    }

    /// A page was given up, or a bundle with all of its pages.
    pub fn gave_up(&mut self, page_id: ulid::Ulid, why: &str, at: Ms, out: &mut crate::Changes) {
        if self.settle_bundle((page_id, Hop::GivenUp), why, at, out).is_some() {
            return;
        }
        self.settle_page((page_id, Hop::GivenUp), why, at, out);
    }

    fn settle_page(
        &mut self,
        (page_id, hop): (ulid::Ulid, Hop),
        why: &str,
        at: Ms,
        out: &mut crate::Changes,
    ) {
        if let Some(page) = self.owes_no_more(page_id) {
            self.leaves_its_bundle(page_id, at, out);
            let (by, code) = (receiver(&page.receiver), page_code(&page, why));
            out.trail.push(TrailEntry::new(page.incident, (at, hop), &by, code));
        }
    }
}

/// Whether a page would tell a receiver that it takes no pages.
fn is_itself(incident: &Incident, receiver: &Receiver) -> bool {
    match (&incident.subject, receiver) {
        (Subject::Receiver(down), Receiver::Webhook(name)) => down == name,
        _ => false,
    }
}

/// A page, for the trail; `why` it was given up.
fn page_code(page: &Page, why: &str) -> TrailCode {
    let (step, repeat, to) = (page.step, page.repeat, page.receiver.clone());
    TrailCode::Page { step, repeat, to, why: why.into() }
}
