//! What was not understood, and why, in words that say what to do.

use super::{MAX_HEAD, MAX_REJECTED, Message};
use crate::plain;
use serde::{Deserialize, Serialize};
use standpipe_shared::NotFinite;

/// What one delivery came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parsed {
    /// What was understood.
    pub message: Option<Message>,
    /// What else was understood of the same bytes, in the order in which it was so; ours says one
    /// thing at a time.
    pub more: Vec<Message>,
    /// What was not, at most [`MAX_REJECTED`] entries.
    pub rejected: Vec<Rejected>,
    /// Members that were understood although they are not written as they should be, and of which
    /// nobody is told.
    pub repaired: u32,
}

/// One part of a message that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why, for counting.
    pub reason: RejectedReason,
    /// Why, for people, and what to do.
    pub detail: String,
    /// The first [`MAX_HEAD`] bytes of the bad part.
    pub payload: Vec<u8>,
    /// How many bad parts this stands for: 1, or all the rest in the last of a long list.
    pub count: u32,
}

/// Why something was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectedReason {
    /// A topic outside the contract.
    Topic,
    /// A topic that the gateway alone publishes.
    Direction,
    /// Bytes that are not text.
    NotUtf8,
    /// Text that is not JSON.
    NotJson,
    /// JSON of another type or range than the contract's.
    WrongType,
    /// A number that is too large to be one.
    NotFinite,
    /// A field that must be there is not.
    MissingField,
    /// More bytes than are read.
    TooLong,
    /// More readings than are read.
    TooMany,
}

impl RejectedReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Topic,
        Self::Direction,
        Self::NotUtf8,
        Self::NotJson,
        Self::WrongType,
        Self::NotFinite,
        Self::MissingField,
        Self::TooLong,
        Self::TooMany,
    ];

    /// The name in metrics and in the quarantine.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Direction => "direction",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::WrongType => "wrong_type",
            Self::NotFinite => "not_finite",
            Self::MissingField => "missing_field",
            Self::TooLong => "too_long",
            Self::TooMany => "too_many",
        }
    }
}

impl Rejected {
    /// One bad part; only its head is kept.
    #[must_use]
    pub fn new(reason: RejectedReason, detail: String, part: &[u8]) -> Self {
        let head = part.get(..MAX_HEAD).unwrap_or(part);
        // What reads JSON quotes the sender.
        Self { reason, detail: plain(&detail), payload: head.to_vec(), count: 1 }
    }

    /// A part that serde did not take. `what` names it in the singular, `hint` says what to do.
    pub(super) fn json(bad: &serde_json::Error, what: &str, hint: &str, part: &[u8]) -> Self {
        let reason =
            if std::str::from_utf8(part).is_err() { RejectedReason::NotUtf8 } else { reason(bad) };
        Self::new(reason, format!("{what} not understood ({bad}): {hint}"), part)
    }
}

/// serde_json tells kinds of error apart only by category and text; a test pins its texts. Ours
/// passes through it as a text, too.
pub(super) fn reason(bad: &serde_json::Error) -> RejectedReason {
    let text = bad.to_string();
    let not_finite = text.starts_with(&NotFinite.to_string());
    if not_finite || text.starts_with("number out of range") {
        RejectedReason::NotFinite
    } else if text.starts_with("missing field") {
        RejectedReason::MissingField
    } else if bad.is_data() {
        RejectedReason::WrongType
    } else {
        RejectedReason::NotJson
    }
}

impl Parsed {
    /// All that was understood, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.message.iter().chain(&self.more)
    }

    /// Understood, all of it.
    pub(super) fn message(message: Message) -> Self {
        Self { message: Some(message), ..Self::default() }
    }

    /// Not understood at all.
    pub(super) fn nothing(rejected: Rejected) -> Self {
        Self { rejected: vec![rejected], ..Self::default() }
    }
}

/// Adds to a list that stays short.
pub(super) fn push(list: &mut Vec<Rejected>, rejected: Rejected) {
    if list.len() < MAX_REJECTED {
        list.push(rejected);
    } else if let Some(last) = list.last_mut() {
        last.count = last.count.saturating_add(rejected.count);
    }
}
