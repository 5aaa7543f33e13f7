//! An alarm that cannot be read: somebody has to look, and nobody but a person ends it.
//!
//! It is an incident of its own device, never part of a fire. Each further one shows what it said;
//! how often that sounds is in [`super::damp`]. Of topics that name no device there can be any number:
//! beyond some they share one incident, the *pool*, which is named for the last one heard and says how
//! many there are. It sounds for a topic that is new in it, or that goes on for ten minutes.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;
use xxhash_rust::xxh3::xxh3_128;

use super::book::{Book, Cx};
use super::damp::{Again, FIRE_SOUND_MS, Flaps, Sound, UNREADABLE_SOUND_MS};
use super::{BookView, Incident, Said};
use crate::changes::Hop;
use crate::fact::{Moments, Raised, Subject};
use crate::trail::TrailCode;
use crate::wire::Arrived;
use crate::{Changes, HOUR_MS, Ms};

/// Incidents of topics without a device's name at one time; what comes beyond shares one.
const TOPICS_MOST: usize = 20;
/// Topics that a pool tells apart; beyond it the one that was silent longest is forgotten.
const POOLED_MOST: usize = 100;
/// As many others there are at least, when a pool names so many.
pub(super) const TOPICS_MORE_MOST: u32 = 99;
/// Sounds of a pool within an hour at one a minute; further ones come as seldom as a device's.
const POOL_SOUNDS_MOST: usize = 10;
/// Alarms that cannot be read and were told, and that the broker may have kept; beyond it the oldest
/// may be told again.
const RETAINED_MOST: usize = 1_000;

/// One that was told, and that the broker may have kept: then it comes again with every session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    subject: Subject,
    print: u128,
}

impl Book {
    /// An alarm came that cannot be read.
    pub fn unreadable(
        &mut self,
        view: &BookView,
        (subject, said): (Subject, Said),
        arrived: Arrived,
        out: &mut Changes,
    ) {
        let Arrived { at: now, retained, print } = arrived;
        let cx = &mut Cx { view, now, out };
        let is_news = self.is_news(cx, &subject, print);
        if retained && !is_news {
            return;
        }
        let place = self.narrowed(&subject);
        let condition = Condition::UnreadableAlarm;
        let sound = Sound { subject: &subject, condition, again: Again::Yes };
        let known = self.home.get(&(place.clone(), condition)).copied();
        if let Some(mut incident) = known.and_then(|id| self.take(id)) {
            incident.active_at = now;
            if incident.unreadable_edge(&subject, now) {
                let code = code(&incident, &subject, said.clone());
                cx.trail(incident.id, Hop::Raised, "gateway", code);
            }
            incident.said = Some(said);
            self.sound(cx, &mut incident, sound, 0);
            return self.publish(cx, incident);
        }
        let raised = Raised::new(place.clone(), condition, Moments::at(now));
        let mut incident = self.begin(cx, &raised);
        incident.detail = code(&incident, &subject, said.clone()).words().into();
        incident.said = Some(said);
        if incident.is_pool() {
            incident.edge(&subject, condition, now);
        }
        self.join(cx, incident, &raised, None);
    }

    /// What the broker kept for a device was taken back, or the device starts anew: what it has the
    /// broker keep from now on is news.
    pub fn unreadable_may_come_again(&mut self, subject: &Subject, out: &mut Changes) {
        let kept = &mut self.meta.kept;
        let before = kept.len();
        kept.retain(|alarm| alarm.subject != *subject);
        out.book_meta |= kept.len() < before;
    }

    /// Where it belongs: a topic has an incident of its own, unless there are too many already.
    fn narrowed(&self, subject: &Subject) -> Subject {
        let Subject::Topic(_) = subject else { return subject.clone() };
        let known = self.home.contains_key(&(subject.clone(), Condition::UnreadableAlarm));
        let many = !known && self.topics.len() >= TOPICS_MOST;
        if many { pool() } else { subject.clone() }
    }

    /// Whether it is another than the last of its device, and than all of its topic. It is
    /// remembered, a live one too: the broker may have kept it.
    fn is_news(&mut self, cx: &mut Cx, subject: &Subject, print: u128) -> bool {
        let (subject, print) = match subject {
            // There may be many: a fingerprint of each is enough.
            Subject::Topic(topic) => (pool(), print ^ xxh3_128(topic.as_bytes())),
            Subject::Device(_)
            | Subject::Zone(_)
            | Subject::Area(_)
            | Subject::Gateway
            | Subject::Receiver(_) => (subject.clone(), print),
        };
        let kept = &mut self.meta.kept;
        if kept.iter().any(|alarm| alarm.subject == subject && alarm.print == print) {
            return false;
        }
        kept.retain(|alarm| alarm.subject != subject || is_pool(&subject));
        kept.push(Kept { subject, print });
        let over = kept.len().saturating_sub(RETAINED_MOST);
        kept.drain(..over);
        cx.out.book_meta = true;
        true
    }
}

/// What topics share that have no incident of their own.
fn pool() -> Subject {
    Subject::Topic(Box::default())
}

/// Whether something stands for them.
pub(super) fn is_pool(subject: &Subject) -> bool {
    matches!(subject, Subject::Topic(topic) if topic.is_empty())
}

impl Incident {
    /// Whether topics that name no device share it.
    pub(super) fn is_pool(&self) -> bool {
        is_pool(&self.subject)
    }

    /// What a sound about that is counted for: of a pool, all of it.
    pub(super) fn sounds_as(&self, subject: &Subject) -> Subject {
        if self.is_pool() { self.subject.clone() } else { subject.clone() }
    }

    /// How many topics share it beside the one heard last.
    pub(super) fn topics_more(&self) -> u32 {
        u32::try_from(self.pooled().count().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The topics that a pool tells apart.
    fn pooled(&self) -> impl Iterator<Item = &Flaps> {
        let of_pool = self.is_pool();
        self.flaps.iter().filter(move |flaps| of_pool && !is_pool(&flaps.subject))
    }

    /// Counts one more; says whether it is recorded. A pool records each topic as if it were alone,
    /// until there are too many of them.
    fn unreadable_edge(&mut self, subject: &Subject, now: Ms) -> bool {
        let condition = Condition::UnreadableAlarm;
        if !self.is_pool() {
            return self.edge(subject, condition, now);
        }
        let is_full = self.pooled().count() >= POOLED_MOST;
        if is_full && !self.pooled().any(|flaps| flaps.subject == *subject) {
            let oldest = self.pooled().min_by_key(|flaps| flaps.last);
            if let Some(oldest) = oldest.map(|flaps| flaps.subject.clone()) {
                self.flaps.retain(|flaps| flaps.subject != oldest);
            }
        }
        let recorded = self.edge(subject, condition, now);
        let of_all = self.edge(&pool(), condition, now);
        if is_full { of_all } else { recorded }
    }

    /// Until when a pool makes no sound about one of its topics. What was told of is told again as
    /// seldom as of a device.
    pub(super) fn pool_hushed(&self, topic: &Subject, now: Ms) -> Option<Ms> {
        let told = self.pooled().any(|flaps| flaps.subject == *topic && flaps.told);
        let of_hour = self.sounded.iter().filter(|sounded| sounded.at > now - HOUR_MS);
        let often = of_hour.count() >= POOL_SOUNDS_MOST;
        let pause = if told || often { UNREADABLE_SOUND_MS } else { FIRE_SOUND_MS };
        let last = self.sounded.iter().map(|sounded| sounded.at).max();
        last.map(|at| at + pause).filter(|until| *until > now)
    }

    /// People know of all its topics.
    pub(super) fn pool_is_told(&mut self) {
        if self.is_pool() {
            self.flaps.iter_mut().for_each(|flaps| flaps.told = true);
        }
    }
}

/// What it said, for a line of the trail.
fn code(incident: &Incident, subject: &Subject, said: Said) -> TrailCode {
    let flaps = incident.flapping(subject, Condition::UnreadableAlarm);
    TrailCode::Unreadable { said, flapping: flaps.map(Flaps::of_late) }
}
