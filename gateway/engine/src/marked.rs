//! Messages whose ids go by their arrival, since they claim no time that anybody can believe. Such a message is
//! another one when it is delivered again to another life of the gateway, which knows nothing of the first: it
//! would be paged a second time, under a second id. So what such a message opened, while nothing can be stored,
//! is marked beside the store ([`Marks`]), and a later life makes its ids of its first arrival.
//!
//! It still gets a second id where the mark could not be made: on a disk that is read-only, broken or does not
//! answer, and beside a store in whose folder there never was room for it.
//!
//! Not here: the file of the marks (`standpipe_machine::marks`).
//!
//! [`Marks`]: standpipe_machine::marks::Marks

use standpipe_rules::Ms;
use standpipe_rules::incidents::is_believable;
use standpipe_rules::wire::{self, Message};

use crate::Delivery;

/// The mark of a message that arrived then; `None`: it says when it was sent.
pub(crate) fn mark(delivery: &Delivery, arrived: Ms) -> Option<u128> {
    let claims = |ts| is_believable(ts, arrived);
    let by_arrival = |message: &Message| match message {
        Message::Alarm { alarm, .. } => !claims(alarm.reading.ts),
        Message::Telemetry { readings, .. } => readings.iter().any(|reading| !claims(reading.ts)),
        Message::UnreadableAlarm { .. } => true,
        Message::Status { .. }
        | Message::NotUnderstood { .. }
        | Message::Cleared { .. }
        | Message::Reply { .. }
        | Message::Action { .. }
        | Message::Presence { .. }
        | Message::Chain { .. } => false,
    };
    let first = delivery.parsed.messages().find(|message| by_arrival(message))?;
    let topic = match first {
        Message::UnreadableAlarm { topic, .. } => Some(&**topic),
        Message::Alarm { .. }
        | Message::Telemetry { .. }
        | Message::Status { .. }
        | Message::NotUnderstood { .. }
        | Message::Cleared { .. }
        | Message::Reply { .. }
        | Message::Action { .. }
        | Message::Presence { .. }
        | Message::Chain { .. } => None,
    };
    let sender = topic.or_else(|| first.device()).unwrap_or_default();
    let said = [sender.as_bytes(), &delivery.arrived.print.to_le_bytes()].concat();
    Some(wire::print(b"mark", &said))
}
