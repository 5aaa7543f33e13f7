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
use standpipe_rules::wire::{self, Message, Parsed};

/// The mark of a message that arrived then; `None`: it says when it was sent. `print`: its fingerprint.
pub(crate) fn mark(parsed: &Parsed, print: u128, arrived: Ms) -> Option<u128> {
    let sender = parsed.messages().find_map(|message| sent_at_no_time(message, arrived))?;
    let said = [sender.as_bytes(), &print.to_le_bytes()].concat();
    Some(wire::print(b"mark", &said))
}

/// Who sent a message that goes by its arrival.
fn sent_at_no_time(message: &Message, arrived: Ms) -> Option<&str> {
    let is_unclaimed = |ts| !is_believable(ts, arrived);
    match message {
        Message::Alarm { device, alarm, .. } => is_unclaimed(alarm.reading.ts).then_some(&**device),
        Message::Telemetry { device, readings, .. } => {
            readings.iter().any(|reading| is_unclaimed(reading.ts)).then_some(&**device)
        }
        Message::UnreadableAlarm { topic, .. } => Some(topic),
        Message::Status { .. }
        | Message::NotUnderstood { .. }
        | Message::Cleared { .. }
        | Message::Reply { .. }
        | Message::Action { .. }
        | Message::Presence { .. }
        | Message::Chain { .. } => None,
    }
}
