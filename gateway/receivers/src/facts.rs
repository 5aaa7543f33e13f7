//! What is said of a format once and for all, and what each of them has to be able to do.

use standpipe_rules::MINUTE_MS;
use standpipe_rules::incidents::MEMBERS_LISTED;
use standpipe_rules::pace::Pace;

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::keys::{OwnKey, OwnKeys};

/// Programs: as many as can be sent side by side to one that answers in 50 ms, and more. A bundle tells
/// them of each member.
const PROGRAMS: Pace =
    Pace { messages: 200, within_ms: 1_000, singly: 64, members: MEMBERS_LISTED };
/// What people read: robots of chats, letters. Source: DingTalk and WeCom take 20 a minute of a robot.
pub const PEOPLE: Pace =
    Pace { messages: 20, within_ms: MINUTE_MS, singly: 16, members: usize::MAX };
/// Text messages: what services take of one sender, and what a telephone shows.
pub const TEXTS: Pace = Pace { messages: 1, within_ms: 1_000, singly: 16, members: usize::MAX };

/// One format of receivers. What implements it holds what the format's own keys say.
pub trait ReceiverFormat: Sized {
    /// What holds for every receiver of this format.
    const FACTS: FormatFacts;

    /// Parses and checks its own keys. Faults are noted in `own`; with one, what is returned is not
    /// used to send.
    fn parse(own: &mut OwnKeys<'_>) -> Option<Self>;

    /// Renders the message, sends it once, and judges the answer. An `Err` is an answer, too: one that
    /// was clear before this format had anything to judge.
    fn send(&self, attempt: &Attempt<'_>) -> impl Future<Output = Result<Answer, Answer>> + Send;
}

/// What holds for every receiver of one format.
#[derive(Clone, Copy, Debug)]
pub struct FormatFacts {
    /// As in `format = "…"`.
    pub name: &'static str,
    /// What a receiver of this format is called where receivers are listed.
    pub listed_as: &'static str,
    /// Which addresses it is sent to.
    pub carrier: Carrier,
    /// The keys that are its own, in the order in which they are documented.
    pub keys: &'static [OwnKey],
    /// Whether it takes daily digests.
    pub digests: DigestSupport,
    /// Whether it refers to what the receiver got about the incident before.
    pub earlier: EarlierMessages,
    /// How much the receiver takes, where its section does not say it.
    pub pace: Pace,
    /// What is sent: for `deploy/SETTINGS.md`, a sentence behind its name.
    pub says: &'static str,
    /// What `secret_file` is for: for `deploy/SETTINGS.md`; empty where it is for nothing.
    pub secret_says: &'static str,
}

impl FormatFacts {
    /// The usual: sent by HTTP, without keys of its own, digests and all, at the pace of programs.
    #[must_use]
    pub const fn over_http(name: &'static str, says: &'static str) -> Self {
        Self {
            name,
            listed_as: name,
            carrier: Carrier::Http,
            keys: &[],
            digests: DigestSupport::Taken,
            earlier: EarlierMessages::NotReferredTo,
            pace: PROGRAMS,
            says,
            secret_says: "",
        }
    }
}

/// Which addresses a format is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A request to `http://…` or `https://…`.
    Http,
    /// A mail by `smtp://…` or `smtps://…`.
    Smtp,
}

impl Carrier {
    /// That of an address.
    #[must_use]
    pub fn of(address: &str) -> Self {
        if address.starts_with("smtp") { Self::Smtp } else { Self::Http }
    }
}

/// Whether a format takes the daily digest of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestSupport {
    /// It does, where the receiver asks for it.
    Taken,
    /// It has no way to say one.
    Refused,
}

/// Whether a message refers to those about the same incident that the receiver took before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierMessages {
    /// They are looked up for every message.
    ReferredTo,
    /// They are left out, which spares a query.
    NotReferredTo,
}
