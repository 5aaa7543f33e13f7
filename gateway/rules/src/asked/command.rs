//! One command, from a person's wish to a device's answer.

use serde::{Deserialize, Serialize};
use standpipe_shared::Verb;
use ulid::Ulid;

use super::CommandRequest;
use crate::Ms;
use crate::registry::DeviceIx;

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// On disk; the broker does not have it yet.
    Queued,
    /// The broker has it, and the device gets it when it wakes, if it has a session there. Whether
    /// it has is not known: see `resend`.
    Sent,
    /// The device did it.
    Answered,
    /// The device did not do it.
    Refused,
    /// Nobody answered in time. An answer that comes late counts all the same.
    Expired,
}

/// What can happen to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommandEvent {
    Sent,
    Done,
    NotDone,
    TimeUp,
}

/// Every way a command can go.
#[rustfmt::skip] // a table should look like one
const fn step(state: CommandState, event: CommandEvent) -> CommandState {
    use CommandState::{Answered, Expired, Queued, Refused, Sent};
    match (state, event) {
        (Queued,   CommandEvent::Sent)    => Sent,
        (Queued,   CommandEvent::Done)    => Answered, // the answer was faster than the broker's receipt
        (Queued,   CommandEvent::NotDone) => Refused,
        (Queued,   CommandEvent::TimeUp)  => Expired,
        (Sent,     CommandEvent::Sent)    => Sent,
        (Sent,     CommandEvent::Done)    => Answered,
        (Sent,     CommandEvent::NotDone) => Refused,
        (Sent,     CommandEvent::TimeUp)  => Expired,
        (Expired,  CommandEvent::Sent)    => Expired,
        (Expired,  CommandEvent::Done)    => Answered, // late, and true
        (Expired,  CommandEvent::NotDone) => Refused,
        (Expired,  CommandEvent::TimeUp)  => Expired,
        (Answered, CommandEvent::Sent | CommandEvent::Done | CommandEvent::NotDone | CommandEvent::TimeUp) => Answered,
        (Refused,  CommandEvent::Sent | CommandEvent::Done | CommandEvent::NotDone | CommandEvent::TimeUp) => Refused,
    }
}

impl CommandState {
    /// Its name in the store and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// What a device was asked to do, and how far that has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceCommand {
    /// Its own id; the device's answer names it.
    pub id: Ulid,
    /// Counts the commands of this gateway: of two, the lower was asked for first.
    #[serde(skip)]
    pub number: u64,
    #[serde(skip, default = "nobody")]
    pub device: DeviceIx,
    pub command: Verb,
    /// For how long it is to be done.
    pub seconds: Option<u32>,
    pub by: Box<str>,
    pub state: CommandState,
    /// What the device answered.
    pub detail: Box<str>,
    /// When it was asked for.
    pub created_at: Ms,
    /// When the broker forgets it.
    pub expires_at: Ms,
    /// When the broker had it.
    pub sent_at: Option<Ms>,
    /// When the device answered.
    pub answered_at: Option<Ms>,
    /// How often it was sent again, because the device was heard and did not answer.
    #[serde(default)]
    pub resends: u32,
    /// The broker is to be given it again. The store keeps this as the state of its row.
    #[serde(skip)]
    pub resend_owed: bool,
    /// The device was heard: when it is sent again unless it is answered before.
    #[serde(skip)]
    pub resend_at: Option<Ms>,
}

/// The store keeps the device beside it.
const fn nobody() -> DeviceIx {
    DeviceIx(u32::MAX)
}

impl DeviceCommand {
    /// One that was just asked for; `asked` says how long it is waited for.
    pub(crate) fn queued(
        (id, number): (Ulid, u64),
        device: DeviceIx,
        asked: CommandRequest,
        now: Ms,
    ) -> Self {
        Self {
            id,
            number,
            device,
            command: asked.verb,
            seconds: asked.seconds,
            by: asked.by,
            state: CommandState::Queued,
            detail: Box::default(),
            created_at: now,
            expires_at: now.saturating_add(asked.expires_ms.unwrap_or_default()),
            sent_at: None,
            answered_at: None,
            resends: 0,
            resend_owed: false,
            resend_at: None,
        }
    }

    /// Whether it is still waited for.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, CommandState::Queued | CommandState::Sent)
    }

    /// The broker is to be given it, for the first time or again.
    #[must_use]
    pub const fn is_owed(&self) -> bool {
        match self.state {
            CommandState::Queued => true,
            CommandState::Sent => self.resend_owed,
            CommandState::Answered | CommandState::Refused | CommandState::Expired => false,
        }
    }

    /// The broker has it; `resends` is which sending that was.
    pub(crate) fn sent(&mut self, resends: u32, at: Ms) {
        self.state = step(self.state, CommandEvent::Sent);
        self.sent_at = self.sent_at.or(Some(at));
        self.resend_owed &= resends != self.resends;
    }

    pub(crate) fn answered(&mut self, ok: bool, detail: &str, at: Ms) {
        self.state = step(self.state, if ok { CommandEvent::Done } else { CommandEvent::NotDone });
        (self.detail, self.answered_at) = (detail.into(), Some(at));
    }

    pub(crate) fn expired(&mut self) {
        self.state = step(self.state, CommandEvent::TimeUp);
        (self.resend_owed, self.resend_at) = (false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::CommandState;

    #[test]
    fn a_state_is_named_as_it_is_written() {
        use CommandState::{Answered, Expired, Queued, Refused, Sent};
        for state in [Queued, Sent, Answered, Refused, Expired] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
