//! What time does: the next step, the repetition, the forgotten, the absent.
//!
//! Nothing here is remembered but what is in the incident: when it is due follows from it, from
//! the plan and from who is present. Who is paged is in [`super::route`].

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use super::book::{Book, Cx};
use super::plan::Steps;
use super::state::{Event, State, step};
use super::{Incident, IncidentId, route};
use crate::Ms;
use crate::changes::{Hop, Page, Presence, Receiver, TrailEntry, Urgency};
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
    pub fn tick(&mut self, view: &super::View, now: Ms, out: &mut crate::Changes) {
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
        let window = self.meta.windows.iter().map(|it| it.until).min();
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
        if self.presence.get(station).is_some_and(|it| it.online == online) {
            return;
        }
        let presence = Presence { station: station.into(), online, at: now };
        self.presence.insert(station.into(), presence.clone());
        out.presence.push(presence);
        let concerned = self.open().filter(|it| self.due(it) != it.next_step_at);
        for id in concerned.map(|it| it.id).collect::<Vec<_>>() {
            if let Some(it) = self.take(id) {
                self.keep(it, out);
            }
        }
    }

    /// When somebody has to be told again about an incident, and how far that goes.
    pub(super) fn due(&self, it: &Incident) -> Option<Ms> {
        let steps = self.plan.steps(it.severity);
        match it.state {
            State::Open => self.next_step(it, steps).map(|(at, _)| at),
            State::Acknowledged if it.class == Class::Upkeep && !it.is_active() => None,
            State::Acknowledged => (steps.forgotten_s > 0).then_some(it.work_until),
            State::Resolved | State::Verifying | State::Closed => None,
        }
        .filter(|_| it.parent.is_none() && it.settles_at.is_none())
        .filter(|_| it.step > 0 || it.held.is_empty())
    }

    /// The next step of an open incident, and when; the same step again: a repetition.
    fn next_step(&self, it: &Incident, steps: Steps) -> Option<(Ms, u8)> {
        let after = |seconds, from| (seconds > 0).then(|| from + ms(seconds));
        let second = after(steps.step2_s, it.episode_at)
            .map(|at| (at.min(self.gone_at(&it.homes).unwrap_or(at)), 2));
        let third = after(steps.step3_s, it.episode_at).map(|at| (at, 3));
        let again = after(steps.repeat_s, it.step_at).map(|at| (at, it.step));
        let ahead = [second, third].into_iter().flatten().find(|(_, step)| *step > it.step);
        ahead.or(again)
    }

    /// Since when a station is absent: its terminal is not online, and was not for a while.
    fn gone(&self, station: &str) -> Option<Ms> {
        match self.presence.get(station) {
            Some(it) if it.online => None,
            Some(it) => Some(it.at + ms(self.plan.absent_s)),
            None => Some(Ms::MIN),
        }
    }

    /// Since when all of them are absent.
    fn gone_at(&self, homes: &[Box<str>]) -> Option<Ms> {
        homes.iter().try_fold(Ms::MIN, |latest, home| self.gone(home).map(|at| at.max(latest)))
    }

    /// What is due about one incident.
    fn wake(&mut self, cx: &mut Cx, id: IncidentId) {
        let Some(mut it) = self.take(id) else { return };
        if it.confirm_by().is_some_and(|at| at <= cx.now) {
            return self.confirmation_is_due(cx, it);
        } else if it.muted_until().is_some_and(|at| at <= cx.now) {
            match self.believed(cx, it) {
                Some(alone) => it = alone,
                None => return,
            }
            let now = cx.now;
            let over = |it: &super::Member| it.quiet_until.is_some_and(|at| at <= now);
            self.unquiet(cx, &mut it, over, &TrailCode::NoLongerMuted);
        } else if it.settles_at.is_some_and(|at| at <= cx.now) {
            return self.settled(cx, it);
        } else if it.held_until().is_some_and(|at| at <= cx.now) {
            self.held_is_over(cx, &mut it);
        } else if it.state == State::Acknowledged {
            cx.trail(id, Hop::Forgotten, "gateway", TrailCode::Forgotten);
            self.found(cx, &mut it, 0);
        } else if let Some((_, step)) = self.next_step(&it, self.plan.steps(it.severity)) {
            if step > it.step {
                self.page(cx, &mut it, step);
            } else {
                self.repeat(cx, &mut it);
            }
        }
        self.publish(cx, it);
    }

    /// It must be looked at (again): a new episode, from step 1.
    pub(super) fn found(&mut self, cx: &mut Cx, it: &mut Incident, late_s: u32) {
        if let Some(state) = step(it.state, Event::Found) {
            it.state = state;
        }
        it.episode += 1;
        it.episode_at = cx.now;
        it.late_s = late_s;
        (it.step, it.repeat, it.work_until) = (0, 0, 0);
        it.confirm_by = None;
        it.verdict = None;
        it.told.clear();
        it.held.clear();
        it.boards.extend(it.homes.iter().cloned());
        if it.severity > Severity::Notice && it.parent.is_none() {
            self.page(cx, it, 1);
        }
    }

    /// Pages a step; the first goes on to the second at once while the homes are absent, and no
    /// further. Whoever is paged in one moment is paged once.
    pub(super) fn page(&mut self, cx: &mut Cx, it: &mut Incident, step: u8) {
        it.step = step;
        if step == 1 {
            self.wants_confirmation(cx, it);
        }
        let first = route::receivers(&self.plan, cx.view.registry, it, step);
        self.send(cx, it, first.clone());
        let absent = self.gone_at(&it.homes).is_some_and(|at| at <= cx.now);
        if step == 1 && absent {
            it.step = 2;
            let mut second = route::receivers(&self.plan, cx.view.registry, it, 2);
            second.retain(|receiver| !first.contains(receiver));
            self.send(cx, it, second);
        }
    }

    /// Pages everyone told so far again. Of all the water that is due, one receiver is reminded
    /// once in a while: that page stands for the others.
    fn repeat(&mut self, cx: &mut Cx, it: &mut Incident) {
        it.repeat += 1;
        let mut to = it.told.clone();
        if it.class == Class::Water {
            let since = cx.now - ms(self.plan.steps(it.severity).repeat_s);
            self.meta.reminded.retain(|(_, at)| *at > since);
            to.retain(|receiver| self.meta.reminded.iter().all(|(it, _)| it != receiver));
            self.meta.reminded.extend(to.iter().map(|it| (it.clone(), cx.now)));
            cx.out.book_meta = true;
        }
        self.send(cx, it, to);
    }

    /// Owes each of them a page, which supersedes whatever they are still owed about it.
    pub(super) fn send(&mut self, cx: &mut Cx, it: &mut Incident, to: BTreeSet<Receiver>) {
        it.step_at = cx.now;
        let first = !to.is_empty() && *it.paged_at.get_or_insert(cx.now) == cx.now;
        let is_new_fire = first && it.severity == Severity::Fire;
        let urgency = if is_new_fire { Urgency::NewFire } else { Urgency::of(it.severity) };
        for receiver in to {
            if is_itself(it, &receiver) {
                continue;
            }
            self.supersede(cx, it.id, &receiver);
            let page = Page {
                page_id: ulid::Ulid::nil(),
                number: 0,
                incident: it.id,
                episode: it.episode,
                step: it.step,
                repeat: it.repeat,
                receiver: receiver.clone(),
                at: cx.now,
                urgency,
            };
            let page = self.numbered(page, cx.out);
            cx.trail(it.id, Hop::Paged, "gateway", page_code(&page, ""));
            if let Receiver::Station(station) = &receiver {
                it.boards.insert(station.clone());
                it.shown.remove(station);
            }
            self.unconfirmed.entry(it.id).or_default().insert(receiver.clone());
            it.told.insert(receiver);
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

    /// A page is owed.
    pub(super) fn owes(&mut self, page: Page) {
        let to = (page.incident, page.receiver.clone());
        self.owed_to.entry(to).or_default().push(page.page_id);
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
        if let Some(page) = self.owed.get(&page_id)
            && let Some(waiting) = self.unconfirmed.get_mut(&page.incident)
        {
            waiting.remove(&page.receiver);
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
