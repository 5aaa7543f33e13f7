//! An alarm that cannot be read: somebody has to look, and nobody but a person ends it.
//!
//! It is an incident of its own device, never part of a fire. Each further one shows what it said;
//! how often that sounds is in [`super::damp`].

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use super::book::{Book, Cx};
use super::damp::{About, Again, Flaps};
use super::{Incident, View};
use crate::Changes;
use crate::changes::Hop;
use crate::fact::{Moments, Raised, Subject};
use crate::trail::TrailCode;
use crate::wire::Arrived;

/// Incidents of topics without a device's name at one time; what comes beyond shares one.
const TOPICS_MOST: usize = 20;
/// Kept alarms that cannot be read and were told; beyond it the oldest may be told again.
const RETAINED_MOST: usize = 1_000;

/// What was said that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Where, escaped.
    pub topic: Box<str>,
    /// The beginning of what, escaped.
    pub payload: Box<str>,
    /// Why it can't be read: a code.
    pub why: Box<str>,
}

/// One that the broker kept and that was told: it comes again with every session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    subject: Subject,
    print: u128,
}

impl Book {
    /// An alarm came that cannot be read.
    pub fn unreadable(
        &mut self,
        view: &View,
        (subject, said): (Subject, Said),
        arrived: Arrived,
        out: &mut Changes,
    ) {
        let Arrived { at: now, retained, print } = arrived;
        let cx = &mut Cx { view, now, out };
        let subject = self.narrowed(subject);
        if retained && !self.is_news(cx, &subject, print) {
            return;
        }
        let condition = Condition::UnreadableAlarm;
        let about = About { subject: &subject, condition, again: Again::Yes };
        let known = self.home.get(&(subject.clone(), condition)).copied();
        if let Some(mut it) = known.and_then(|id| self.take(id)) {
            it.active_at = now;
            if it.edge(&subject, condition, now) {
                let code = code(&it, said.clone());
                cx.trail(it.id, Hop::Raised, "gateway", code);
            }
            it.said = Some(said);
            self.sound(cx, &mut it, about, 0);
            return self.publish(cx, it);
        }
        let raised = Raised::new(subject.clone(), condition, Moments::at(now));
        let mut it = self.begin(cx, &raised);
        it.detail = code(&it, said.clone()).words().into();
        it.said = Some(said);
        self.join(cx, it, &raised, None);
    }

    /// A topic of its own, unless there are too many already.
    fn narrowed(&self, subject: Subject) -> Subject {
        let Subject::Topic(_) = &subject else { return subject };
        let known = self.home.contains_key(&(subject.clone(), Condition::UnreadableAlarm));
        let many = !known && self.topics.len() >= TOPICS_MOST;
        if many { Subject::Topic(Box::default()) } else { subject }
    }

    /// Whether a kept alarm is another than the last of its device; it is remembered.
    fn is_news(&mut self, cx: &mut Cx, subject: &Subject, print: u128) -> bool {
        let kept = &mut self.meta.kept;
        if kept.iter().any(|it| it.subject == *subject && it.print == print) {
            return false;
        }
        kept.retain(|it| it.subject != *subject);
        kept.push(Kept { subject: subject.clone(), print });
        let over = kept.len().saturating_sub(RETAINED_MOST);
        kept.drain(..over);
        cx.out.book_meta = true;
        true
    }
}

/// What it said, for a line of the trail.
fn code(it: &Incident, said: Said) -> TrailCode {
    let flaps = it.flapping(&it.subject, Condition::UnreadableAlarm);
    TrailCode::Unreadable { said, flapping: flaps.map(Flaps::of_late) }
}
