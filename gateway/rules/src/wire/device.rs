//! What else a device says: its status and its answers.

use serde::Deserialize;
use standpipe_shared::Name;

use super::rejected::{Parsed, Reason, Rejected, push};
use super::salvage::{Words, never, object};
use super::{MAX_INTERVAL_S, Message, owned, shortened};

const STATUS: Words = Words {
    what: "status",
    hint: "send an object with online and, if known, boot, firmware, model, interval_s, reset, rev",
};
const REPLY: Words =
    Words { what: "reply", hint: "send an object with id, ok and, if needed, detail" };

#[derive(Deserialize)]
struct Status {
    online: bool,
    boot: Option<u32>,
    firmware: Option<Box<str>>,
    model: Option<Box<str>>,
    interval_s: Option<u32>,
    reset: Option<Box<str>>,
    rev: Option<u32>,
    lost: Option<u32>,
    storage: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Reply {
    id: Box<str>,
    ok: bool,
    detail: Option<Box<str>>,
}

/// A birth message or Last Will; nothing at all for an emptied retained one.
pub(super) fn status(area: Name, device: Name, payload: &[u8]) -> Parsed {
    if payload.is_empty() {
        return Parsed::default();
    }
    let (status, mut rejected) = object::<Status>(payload, STATUS, never);
    let message = status.map(|it| {
        let interval_s = it.interval_s.filter(|it| (1..=MAX_INTERVAL_S).contains(it));
        if interval_s != it.interval_s {
            push(&mut rejected, bad_interval(it.interval_s.unwrap_or_default(), payload));
        }
        Message::Status {
            area: owned(area),
            device: owned(device),
            online: it.online,
            boot: it.boot,
            firmware: it.firmware.map(shortened),
            model: it.model.map(shortened),
            interval_s,
            reset: it.reset.map(shortened),
            rev: it.rev,
            lost: it.lost,
            storage: it.storage.map(shortened),
        }
    });
    Parsed { message, rejected }
}

fn bad_interval(seconds: u32, payload: &[u8]) -> Rejected {
    let detail = format!("interval_s {seconds} ignored: send 1 to {MAX_INTERVAL_S}");
    Rejected::new(Reason::WrongType, detail, payload)
}

/// The answer to a command.
pub(super) fn reply(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let (reply, rejected) = object::<Reply>(payload, REPLY, never);
    let message = reply.map(|it| Message::Reply {
        area: owned(area),
        device: owned(device),
        id: shortened(it.id),
        ok: it.ok,
        detail: shortened(it.detail.unwrap_or_default()),
    });
    Parsed { message, rejected }
}
