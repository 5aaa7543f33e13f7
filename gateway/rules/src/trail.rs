//! What a line of an incident's trail says: a code with its parts. Its English words are made here,
//! from them; nothing reads the words again. Lines of before there were codes are in [`before`].

mod before;
mod entry;
mod span;

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;
use ulid::Ulid;

use crate::state::{IncidentId, Outcome};
pub use entry::{Hop, Receiver, TrailEntry};
pub(crate) use span::span;
pub use span::{Unit, rounded};

use crate::{Ms, coded};

/// What a line says beside its hop, as programs read it: `code`, and `parts` where it has some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "parts", rename_all = "snake_case")]
pub enum TrailCode {
    /// Nothing but its text: what a person wrote, or how a fault of the gateway is put now.
    #[default]
    Text,
    /// A condition began, came again or ended, as the hop says.
    Condition {
        /// The one that did.
        condition: Condition,
    },
    /// A condition that comes and goes.
    Flapping {
        /// The one that does.
        condition: Condition,
        times: u32,
        /// Within how long, s.
        within_s: u32,
    },
    /// A condition, and what somebody else says of it.
    Fault {
        /// The one that is true.
        condition: Condition,
        /// In the words of whoever found it.
        detail: Box<str>,
    },
    /// One more alarm that cannot be read.
    Unreadable {
        /// What was said, and where.
        #[serde(flatten)]
        said: Said,
        /// How often of late, if it flaps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flapping: Option<Times>,
    },
    /// A page that was made, delivered or given up, as its hop says.
    Page {
        /// The step of escalation.
        step: u8,
        /// How often that step was repeated.
        #[serde(default)]
        repeat: u32,
        to: Receiver,
        /// Why it was given up, in the words of whoever tried; else empty.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        why: Box<str>,
    },
    /// A page that a bundle carried, delivered or given up with it, as its hop says.
    Bundled {
        /// The step of escalation.
        step: u8,
        /// How often that step was repeated.
        #[serde(default)]
        repeat: u32,
        to: Receiver,
        bundle: Ulid,
        /// Why it was given up, in the words of whoever tried; else empty.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        why: Box<str>,
    },
    Outcome {
        /// As it is said on the wire.
        outcome: Outcome,
    },
    /// It belongs to another incident.
    PartOf {
        /// The one that stands for it.
        incident: IncidentId,
    },
    /// It belongs to no other incident any more.
    StandsAlone,
    /// People practise: nothing burns.
    Exercise {
        /// What whoever announced it wrote.
        note: Box<str>,
    },
    /// Nothing was done for too long.
    Forgotten,
    /// No receiver has confirmed a page in time.
    Unconfirmed {
        /// Within how long, s.
        within_s: u32,
    },
    /// Nobody could see that the water stayed.
    Unverified,
    /// Its mute ended, and it is still true.
    NoLongerMuted,
    /// What was true already was raised again, in earnest.
    RaisedAgain,
    /// A test lasts too long to be one.
    TestGoesOn,
    /// The fire for which a hydrant was opened is over, and it is still open.
    OpenAfterFire,
    /// What stood for it is over, and it is still true.
    OutlastsParent,
}

/// What was said that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// As it came, escaped.
    pub topic: Box<str>,
    /// The beginning of what, escaped.
    pub payload: Box<str>,
    /// Why it can't be read: a code.
    pub why: Box<str>,
}

/// How often something was raised of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub times: u32,
    /// Within how long, s.
    pub within_s: u32,
}

impl Times {
    /// `17 times in 5 min`.
    #[must_use]
    pub fn words(self) -> String {
        format!("{} times in {}", self.times, span(Ms::from(self.within_s) * 1_000).0)
    }

    /// The same in Chinese.
    #[must_use]
    pub(crate) fn words_zh(self) -> String {
        format!("{}内{}次", span(Ms::from(self.within_s) * 1_000).1, self.times)
    }
}

impl TrailCode {
    /// As a store keeps it: its name, and its parts as a JSON object; empty where it has none.
    ///
    /// # Errors
    /// [`serde_json::Error`]: none of today's codes.
    pub fn columns(&self) -> Result<(String, String), serde_json::Error> {
        coded::columns(self)
    }

    /// The same back. A line without a code is of before there were codes ([`Self::before`]); one
    /// whose code nobody knows here is a text.
    #[must_use]
    pub fn stored((code, parts): (&str, &str), hop: &str, by: &str, detail: &str) -> Self {
        if code.is_empty() {
            return Hop::named(hop).map_or(Self::Text, |hop| Self::before(hop, by, detail));
        }
        coded::of_columns(code, parts)
    }

    /// Its words for `detail`; empty of [`Self::Text`], whose words are its own.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Text => String::new(),
            Self::Condition { condition } => condition.as_str().to_owned(),
            Self::Flapping { condition, times, within_s } => {
                let times = Times { times: *times, within_s: *within_s };
                format!("{}: {}", condition.as_str(), times.words())
            }
            Self::Fault { condition, detail } => format!("{}: {detail}", condition.as_str()),
            Self::Unreadable { said: Said { topic, payload, why }, flapping } => {
                let times = flapping.map(|times| format!(" ({})", times.words()));
                format!("{why}: {payload}{}, on {topic}", times.unwrap_or_default())
            }
            Self::Page { step, repeat, to, why } => page(*step, *repeat, to, why),
            Self::Bundled { step, repeat, to, bundle, why } => {
                format!("{}, in bundle {bundle}", page(*step, *repeat, to, why))
            }
            Self::Outcome { outcome } => outcome.as_str().to_owned(),
            Self::PartOf { incident } => format!("belongs to {incident}"),
            Self::StandsAlone => "stands alone".to_owned(),
            Self::Exercise { note } => format!("exercise: {note}"),
            Self::Forgotten => "nothing was done for too long".to_owned(),
            Self::Unconfirmed { within_s } => format!("within {within_s} s"),
            Self::Unverified => "unverified".to_owned(),
            Self::NoLongerMuted => "no longer muted".to_owned(),
            Self::RaisedAgain => "raised again".to_owned(),
            Self::TestGoesOn => "the test does not end".to_owned(),
            Self::OpenAfterFire => "still open after the fire".to_owned(),
            Self::OutlastsParent => "still true after what stood for it".to_owned(),
        }
    }
}

/// `step 2, repeat 1: station T1: HTTP 404`.
fn page(step: u8, repeat: u32, to: &Receiver, why: &str) -> String {
    let repeat = if repeat > 0 { format!(", repeat {repeat}") } else { String::new() };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("step {step}{repeat}: {}{why}", receiver(to))
}

/// A receiver in words, as `by` names it.
#[must_use]
pub fn receiver(to: &Receiver) -> String {
    match to {
        Receiver::Station(id) => format!("station {id}"),
        Receiver::Webhook(name) => format!("webhook {name}"),
    }
}

#[cfg(test)]
mod tests;
