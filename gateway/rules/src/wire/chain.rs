//! The chain's heartbeat, as it comes back. Only the gateway may publish it, and it writes it strictly.

use serde::Deserialize;

use super::Message;
use super::rejected::Parsed;
use super::salvage::{Repaired, Salvaged, Words, never, object};
use crate::Ms;

const BEAT: Words = Words {
    what: "heartbeat",
    hint: "nobody but the gateway may publish it: take the right to write it from the sender",
    repaired: Repaired::Reported,
};

#[derive(Deserialize)]
struct Beat {
    ts: Ms,
}

/// A heartbeat came through.
pub(super) fn chain(payload: &[u8]) -> Parsed {
    let Salvaged { good, rejected, repaired } = object::<Beat>(payload, BEAT, never);
    let message = good.map(|beat| Message::Chain { sent: beat.ts });
    Parsed { message, rejected, repaired, ..Parsed::default() }
}
