//! Edges are recorded, sounds are not repeated.
//!
//! A condition that comes back before it was clear for its clear time belongs to the incident it
//! left: that stays open so long. Whoever is told first hears of one condition of one device three
//! times an hour at most; a sound that is held back comes when the hour ends, if it is still true
//! then. Escalation goes on meanwhile. A fire is never held back for longer than a minute, and never
//! for what another detector does.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition};

use super::book::{Book, Cx};
use super::state::{IncidentEvent, State, step};
use super::unreadable::is_pool;
use super::{Incident, Member, Quiet};
use crate::changes::Hop;
use crate::compact::push_compact;
use crate::detect::signals;
use crate::fact::{Raised, Subject};
use crate::registry::Registry;
use crate::trail::{Times, TrailCode};
use crate::{HOUR_MS, Ms};

/// First-step sounds of one condition of one device within an hour.
const SOUNDS_MOST: usize = 3;
/// How long a condition must be clear before its incident may end, where detection has no time of
/// its own for it.
const CLEAR_MS: Ms = 60_000;
/// A fire detector that comes back within this time of its clear says the same fire.
const SAME_FIRE_MS: Ms = 600_000;
/// One fire detector that flaps sounds again after this time at the soonest.
pub(super) const FIRE_SOUND_MS: Ms = 60_000;
/// One device whose alarms cannot be read sounds again after this time at the soonest.
pub(super) const UNREADABLE_SOUND_MS: Ms = 600_000;
/// Edges of one condition that are recorded one by one; of the others, one in so many.
const EDGES_MOST: u32 = 3;

/// A page of the first step that was sent, remembered so that the next can be held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sounded {
    pub subject: Subject,
    /// About which condition of it.
    pub condition: Condition,
    pub at: Ms,
}

/// A sound that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub subject: Subject,
    /// About which condition of it.
    pub condition: Condition,
    /// When it is made after all, if that is true then.
    pub until: Ms,
}

/// How often a condition was raised of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaps {
    pub subject: Subject,
    pub condition: Condition,
    /// How often, the first time included; an hour without starts anew.
    pub times: u32,
    /// When the first time was.
    pub first: Ms,
    /// When the last time was.
    pub last: Ms,
    /// Of a topic that shares an incident with others: a sound, or whoever took it, has told of it.
    #[serde(default)]
    pub told: bool,
}

impl Flaps {
    /// Whether it is more than what is told and recorded one by one.
    #[must_use]
    pub const fn flaps(&self) -> bool {
        self.times > EDGES_MOST
    }

    /// Whether this edge is recorded: the first ones, then fewer and fewer.
    fn is_recorded(&self) -> bool {
        let mut mark = self.times;
        while mark >= 10 && mark.is_multiple_of(10) {
            mark /= 10;
        }
        !self.flaps() || self.times >= 10 && matches!(mark, 1 | 2 | 5)
    }

    /// How often, and within how long.
    #[must_use]
    pub fn of_late(&self) -> Times {
        let within_s = u32::try_from((self.last - self.first) / 1_000).unwrap_or(u32::MAX);
        Times { times: self.times, within_s }
    }

    /// The same for the trail.
    #[must_use]
    pub fn code(&self) -> TrailCode {
        let Times { times, within_s } = self.of_late();
        TrailCode::Flapping { condition: self.condition, times, within_s }
    }
}

/// What is sounded: a condition of something, and whether it was told before.
#[derive(Clone, Copy)]
pub(super) struct Sound<'a> {
    pub subject: &'a Subject,
    pub condition: Condition,
    /// It was true before, and was told: escalation goes on where it was.
    pub again: Again,
}

/// Whether something was told before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    No,
    Yes,
}

/// Whether nobody has to wait, or to say so, when it is over: what was mended is mended, a page
/// that was taken is taken.
pub(super) const fn is_over_when_mended(condition: Condition) -> bool {
    matches!(condition, Condition::RegistryFault | Condition::ReceiverDown | Condition::Degraded)
}

/// How long a condition must be clear before its incident may end.
pub(super) fn clear_ms(registry: &Registry, subject: &Subject, condition: Condition) -> Ms {
    if is_over_when_mended(condition) {
        return 0;
    }
    let device = subject.device().and_then(|ix| registry.device(ix));
    let dwell = device.map(|device| signals::dwell(condition, registry.profile_of(device)).good_ms);
    dwell.filter(|ms| *ms > 0).unwrap_or(CLEAR_MS)
}

impl Incident {
    /// Counts an edge; says whether it is recorded.
    pub(super) fn edge(&mut self, subject: &Subject, condition: Condition, now: Ms) -> bool {
        let same = |flaps: &&mut Flaps| flaps.subject == *subject && flaps.condition == condition;
        if let Some(flaps) = self.flaps.iter_mut().find(same) {
            if now - flaps.last < HOUR_MS {
                (flaps.times, flaps.last) = (flaps.times.saturating_add(1), now);
            } else {
                (flaps.times, flaps.first, flaps.last) = (1, now, now);
            }
            return flaps.is_recorded();
        }
        let (times, first, last) = (1, now, now);
        let subject = subject.clone();
        push_compact(
            &mut self.flaps,
            Flaps { subject, condition, times, first, last, told: false },
        );
        true
    }

    /// How often that was raised of late, if it flaps.
    pub(super) fn flapping(&self, subject: &Subject, condition: Condition) -> Option<&Flaps> {
        let same = |flaps: &&Flaps| flaps.subject == *subject && flaps.condition == condition;
        self.flaps.iter().find(same).filter(|flaps| flaps.flaps())
    }

    /// What flaps most; topics that share an incident are different things.
    pub(super) fn most_flaps(&self) -> Option<&Flaps> {
        let one = |flaps: &&Flaps| flaps.flaps() && !is_pool(&flaps.subject);
        self.flaps.iter().filter(one).max_by_key(|flaps| flaps.times)
    }

    /// Until when a sound of that is held back; `None`: it may be made.
    fn hushed(&self, sound: Sound, now: Ms) -> Option<Ms> {
        let own = |sounded: &&Sounded| sounded.subject == *sound.subject;
        let latest = |pause| {
            let last = self.sounded.iter().filter(own).map(|sounded| sounded.at).max();
            last.map(|at| at + pause).filter(|until| *until > now)
        };
        match (self.class, sound.condition) {
            (Class::Fire, _) => latest(FIRE_SOUND_MS),
            (_, Condition::UnreadableAlarm) if self.is_pool() => {
                self.pool_hushed(sound.subject, now)
            }
            (_, Condition::UnreadableAlarm) => latest(UNREADABLE_SOUND_MS),
            (Class::Water | Class::Upkeep | Class::Blind, condition) => {
                let same = |sounded: &&Sounded| own(sounded) && sounded.condition == condition;
                let of_hour = |sounded: &&Sounded| sounded.at > now - HOUR_MS;
                let mut at = self.sounded.iter().rev().filter(same).filter(of_hour);
                at.nth(SOUNDS_MOST - 1).map(|sounded| sounded.at + HOUR_MS)
            }
        }
    }

    /// The soonest sound that is held back.
    pub(super) fn held_until(&self) -> Option<Ms> {
        self.held.iter().map(|held| held.until).min()
    }

    /// Whether a fire that burns no more ([`Book::burns`]) may still be that of a detector that
    /// cleared, and comes back now.
    pub(super) fn relapses(&self, subject: &Subject, now: Ms) -> bool {
        let recent = |member: &Member| {
            let left = member.left_at.is_some_and(|at| now - at < SAME_FIRE_MS);
            member.subject == *subject && member.quiet.is_none() && left
        };
        self.members.iter().any(recent)
    }

    /// Whether an end by itself waits: something that comes back before long belongs to it. What
    /// people made, or have spoken about, does not wait.
    fn lingers(&self) -> bool {
        let made = matches!(self.quiet(), Some(Quiet::Test | Quiet::Exercise));
        !made && self.verdict.is_none() && self.class != Class::Fire
    }
}

impl Book {
    /// It must be looked at (again): a new episode and its page, or, if there were too many of them
    /// of late, what holds them back.
    pub(super) fn sound(
        &mut self,
        cx: &mut Cx,
        incident: &mut Incident,
        sound: Sound,
        late_s: u32,
    ) {
        let Some(until) = incident.hushed(sound, cx.now) else {
            return self.sound_now(cx, incident, sound, late_s);
        };
        let answered = incident.state == State::Acknowledged;
        let taken = answered && incident.class != Class::Fire;
        if let Some(state) = step(incident.state, IncidentEvent::Found).filter(|_| !taken) {
            incident.state = state;
        }
        if answered && !taken {
            incident.episode_at = cx.now; // whoever took it has as long as at first
        }
        if incident.episode == 0 {
            (incident.episode, incident.episode_at) = (1, cx.now);
            incident.boards.extend(incident.homes.iter().cloned());
        }
        let (subject, condition) = (incident.sounds_as(sound.subject), sound.condition);
        let same = |held: &mut Held| held.subject == subject && held.condition == condition;
        // One sound is for all topics of a pool: the soonest.
        let until = incident.held.extract_if(.., same).map(|held| held.until).fold(until, Ms::min);
        incident.held.push(Held { subject, condition, until });
    }

    /// The same, whatever there was of late. Where nobody has answered what was told before,
    /// escalation goes on from there: who flaps must not keep it from the next step.
    pub(super) fn sound_now(
        &mut self,
        cx: &mut Cx,
        incident: &mut Incident,
        sound: Sound,
        late_s: u32,
    ) {
        let unanswered =
            incident.state == State::Open && sound.again == Again::Yes && incident.step > 0;
        let before = unanswered.then_some((
            incident.step,
            incident.repeat,
            incident.episode_at,
            incident.step_at,
        ));
        let told = incident.told.clone();
        self.found(cx, incident, late_s);
        if let Some((step, repeat, episode_at, step_at)) = before.filter(|_| incident.step > 0) {
            incident.step = incident.step.max(step);
            (incident.repeat, incident.episode_at, incident.step_at) =
                (repeat, episode_at, step_at);
            incident.told.extend(told);
        }
        incident.sounded.retain(|sounded| sounded.at > cx.now - HOUR_MS);
        let (subject, condition, at) = (incident.sounds_as(sound.subject), sound.condition, cx.now);
        push_compact(&mut incident.sounded, Sounded { subject, condition, at });
        incident.pool_is_told();
    }

    /// A sound that was held back is due: made if what it is about is still true and nobody has
    /// spoken; else how often it was true is recorded.
    pub(super) fn held_is_over(&mut self, cx: &mut Cx, incident: &mut Incident) {
        let now = cx.now;
        let over: Vec<Held> = incident.held.extract_if(.., |held| held.until <= now).collect();
        let mut due = None;
        for held in over {
            let of = (&held.subject, held.condition);
            let flaps = incident.flapping(of.0, of.1).map(Flaps::code);
            let code = flaps.unwrap_or(TrailCode::Condition { condition: of.1 });
            let member = incident.member(of.0, of.1).map(|member| (member.active(), member.quiet));
            match member {
                Some((true, None)) if incident.state != State::Resolved => {
                    cx.trail(incident.id, Hop::Reopened, "gateway", code);
                    due = Some(held);
                }
                Some((true, _)) => {}
                Some((false, _)) | None => cx.trail(incident.id, Hop::Cleared, "gateway", code),
            }
        }
        if let Some(Held { subject, condition, .. }) = due {
            let sound = Sound { subject: &subject, condition, again: Again::Yes };
            self.sound_now(cx, incident, sound, 0);
        }
    }

    /// Nothing of it is true any more: it waits until that has held for as long as it must, or ends.
    pub(super) fn calms_down(
        &mut self,
        cx: &mut Cx,
        mut incident: Incident,
        (subject, condition): (&Subject, Condition),
        at: Ms,
    ) {
        let until = at.saturating_add(clear_ms(cx.view.registry, subject, condition));
        if until > cx.now && incident.lingers() {
            incident.settles_at = Some(until);
            self.publish(cx, incident);
        } else {
            self.goes(cx, incident, IncidentEvent::Ended);
        }
    }

    /// It was clear for long enough.
    pub(super) fn settled(&mut self, cx: &mut Cx, mut incident: Incident) {
        incident.settles_at = None;
        if incident.is_active() {
            return self.publish(cx, incident);
        }
        for flaps in incident.flaps.iter().filter(|flaps| flaps.flaps()) {
            cx.trail(incident.id, Hop::Cleared, "gateway", flaps.code());
        }
        self.goes(cx, incident, IncidentEvent::Ended);
    }

    /// What was sounded of a closed incident of late counts on: closing it is no way to hear more.
    pub(super) fn carry(&mut self, cx: &mut Cx, incident: &Incident) {
        let counts = match incident.class {
            Class::Water | Class::Upkeep => true,
            Class::Fire => false,
            Class::Blind => !incident.ends_by_person(),
        };
        if counts && incident.severity > standpipe_shared::Severity::Notice {
            // Those it was opened with are among its own.
            self.meta.sounded.retain(|sounded| {
                let own = sounded.subject == incident.subject
                    && sounded.condition.class() == incident.class;
                !own && sounded.at > cx.now - HOUR_MS
            });
            self.meta.sounded.extend(incident.sounded.iter().cloned());
            let over = self.meta.sounded.len().saturating_sub(SOUNDED_MOST);
            self.meta.sounded.drain(..over);
            cx.out.book_meta = true;
        }
    }

    /// What was sounded before about the subject of a new incident: of it, the last hour counts
    /// ([`Incident::hushed`]).
    pub(super) fn carried(&self, raised: &Raised) -> Vec<Sounded> {
        let of = |sounded: &&Sounded| sounded.subject == raised.subject;
        let class = |sounded: &&Sounded| sounded.condition.class() == raised.condition.class();
        self.meta.sounded.iter().filter(of).filter(class).cloned().collect()
    }
}

/// Sounds of closed incidents that are remembered for their hour; of more, the newest.
const SOUNDED_MOST: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::Flaps;
    use crate::fact::Subject;
    use standpipe_shared::Condition;

    #[test]
    fn edges_are_recorded_one_by_one_then_fewer_and_fewer() {
        let recorded = |times| {
            let (subject, condition) = (Subject::Gateway, Condition::Tamper);
            let (first, last, told) = (0, 0, false);
            Flaps { subject, condition, times, first, last, told }.is_recorded()
        };
        let marks: Vec<u32> = (1..=10_000).filter(|times| recorded(*times)).collect();
        assert_eq!(marks, [1, 2, 3, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]);
    }
}
