//! What a station says: its people's actions, and whether its terminal is open.

use serde::Deserialize;
use standpipe_shared::Name;

use crate::action::{Action, ActionKind};
use crate::state::IncidentId;

use super::rejected::Parsed;
use super::salvage::{Repaired, Salvaged, Words, never, object};
use super::{Message, owned, repair, shortened};

const ACTION: Words = Words {
    what: "action",
    hint: "send an object with incident, action and, if known, by, note, seen",
    repaired: Repaired::Reported,
};
const PRESENCE: Words =
    Words { what: "presence", hint: "send an object with online", repaired: Repaired::Counted };

#[derive(Deserialize)]
struct Act {
    incident: IncidentId,
    action: ActionKind,
    by: Option<Box<str>>,
    note: Option<Box<str>>,
    seen: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Presence {
    online: bool,
}

/// Somebody at the station did something.
pub(super) fn action(station: Name, payload: &[u8]) -> Parsed {
    let Salvaged { good, rejected, repaired } = object::<Act>(payload, ACTION, never);
    let message = good.map(|act| Message::Action {
        station: owned(station),
        action: Action {
            incident: act.incident,
            kind: act.action,
            by: shortened(&act.by.unwrap_or_default()),
            note: shortened(&act.note.unwrap_or_default()),
            seen: shortened(&act.seen.unwrap_or_default()),
        },
    });
    Parsed { message, rejected, repaired, ..Parsed::default() }
}

/// The terminal came or went.
pub(super) fn presence(station: Name, payload: &[u8]) -> Parsed {
    let Salvaged { good, rejected, repaired } =
        object::<Presence>(payload, PRESENCE, repair::status);
    let message =
        good.map(|presence| Message::Presence { station: owned(station), online: presence.online });
    Parsed { message, rejected, repaired, ..Parsed::default() }
}
