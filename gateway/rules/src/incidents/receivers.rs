//! Receivers that take no pages, and pages that nobody has confirmed.
//!
//! A receiver that refuses a page for 10 s is an incident, `receiver_down`, with its last answer: told to
//! everybody who hears of the gateway, but not to itself. It ends when the receiver takes a page again.
//!
//! A page that no receiver has confirmed within 10 s goes on to step 2 at once, and to administrators.
//! Confirmed it is by a webhook that took it, by a station whose terminal has shown it, and by a
//! station whose topic has it while its terminal is online: what the broker keeps for nobody is no
//! confirmation.

use standpipe_shared::Condition;

use serde::{Deserialize, Serialize};

use super::book::{Book, Cx};
use super::escalate::ms;
use super::title::shortened;
use super::{BookView, Incident, route};
use crate::changes::{Hop, Receiver};
use crate::fact::Subject;
use crate::trail::TrailCode;
use crate::{Changes, Ms, plain};

/// A page that a receiver has refused for so long makes it one that is down, ms.
const DOWN_AFTER_MS: Ms = 10_000;
/// How much of an answer is shown, characters.
const ANSWER_MOST: usize = 200;
/// Another answer of a receiver that is down is shown after this, ms.
const REWORD_AFTER_MS: Ms = 60_000;

/// What a sender says of its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverNews {
    /// It has not taken a page for a while, and what it answered last.
    Refuses {
        /// Since the first attempt, ms.
        for_ms: Ms,
        /// Its last answer, or why there was none, as the sender puts it.
        answer: Box<str>,
    },
    /// It does not take a page, and is not asked again.
    RefusesForGood {
        /// Its last answer, or why there was none, as the sender puts it.
        answer: Box<str>,
    },
    /// It takes what it is sent.
    Takes,
}

impl Book {
    /// A sender says how its receiver does. May be said as often as the sender likes.
    pub fn receiver(
        &mut self,
        view: &BookView,
        (name, news): (&str, &ReceiverNews),
        now: Ms,
        out: &mut Changes,
    ) {
        let key = (Subject::Receiver(name.into()), Condition::ReceiverDown);
        let known = self.home.get(&key).and_then(|id| self.get(*id));
        let answer = match news {
            ReceiverNews::Takes => None,
            ReceiverNews::Refuses { for_ms, .. } if known.is_none() && *for_ms < DOWN_AFTER_MS => {
                return;
            }
            ReceiverNews::Refuses { .. } | ReceiverNews::RefusesForGood { .. }
                if known.is_some_and(|incident| now - incident.updated_at < REWORD_AFTER_MS) =>
            {
                return;
            }
            ReceiverNews::Refuses { answer, .. } | ReceiverNews::RefusesForGood { answer } => {
                Some(shown(answer))
            }
        };
        self.stand(&mut Cx { view, now, out }, key, answer.as_deref());
    }

    /// Receivers that are configured no more are not down either.
    pub fn forget_receivers(&mut self, view: &BookView, now: Ms, out: &mut Changes) {
        let configured = |name: &str| self.plan.webhooks.iter().any(|route| &*route.name == name);
        let is_gone =
            |subject: &Subject| matches!(subject, Subject::Receiver(name) if !configured(name));
        let gone = self.home.keys().filter(|(subject, _)| is_gone(subject));
        let mut gone: Vec<_> = gone.cloned().collect();
        gone.sort();
        for key in gone {
            self.stand(&mut Cx { view, now, out }, key, None);
        }
    }

    /// From now on somebody has to confirm, if what is paged escalates.
    pub(super) fn wants_confirmation(&self, cx: &Cx, incident: &mut Incident) {
        let seconds = self.plan.confirm_s;
        let escalates = self.plan.steps(incident.severity).step2_s > 0;
        incident.confirm_by = (seconds > 0 && escalates).then(|| cx.now + ms(seconds));
    }

    /// The time to confirm is over.
    pub(super) fn confirmation_is_due(&mut self, cx: &mut Cx, mut incident: Incident) {
        incident.confirm_by = None;
        if self.is_confirmed(&incident) {
            // Nothing of it changed that a restart could not find out.
            return self.set(incident);
        }
        let code = TrailCode::Unconfirmed { within_s: self.plan.confirm_s };
        cx.trail(incident.id, Hop::Unconfirmed, "gateway", code);
        if incident.step < 2 {
            self.page(cx, &mut incident, 2);
        }
        let mut to = route::administrators(&self.plan, incident.severity);
        to.retain(|receiver| !incident.told.contains(receiver));
        if !to.is_empty() {
            self.send(cx, &mut incident, to);
        }
        self.publish(cx, incident);
    }

    /// Whether any of those who were paged has it.
    fn is_confirmed(&self, incident: &Incident) -> bool {
        let unconfirmed = self.unconfirmed.get(&incident.id).map_or(&[][..], Vec::as_slice);
        incident.told.iter().any(|receiver| match receiver {
            Receiver::Webhook(_) => !unconfirmed.contains(receiver),
            Receiver::Station(id) => {
                let online = self.presence.get(id).is_some_and(|terminal| terminal.online);
                incident.shown.contains(id) || online && !unconfirmed.contains(receiver)
            }
        })
    }
}

/// An answer as people are shown it: what somebody else's server says.
fn shown(answer: &str) -> String {
    shortened(&plain(answer), ANSWER_MOST)
}
