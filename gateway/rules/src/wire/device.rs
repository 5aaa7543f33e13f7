//! What else a device says: its status and its answers. A fire among them is heard as the alarm it is.

use serde::Deserialize;
use standpipe_shared::Name;

use super::MAX_INTERVAL_S;
use super::rejected::{Parsed, Rejected, RejectedReason, push};
use super::salvage::{Repaired, Salvaged, Words, object, unwrapped};
use super::{Message, Origin, alarm, owned, repair, shortened, truth};

const STATUS: Words = Words {
    what: "status",
    hint: "send an object with online and, if known, boot, firmware, model, interval_s, reset, \
           rev, lost, storage",
    repaired: Repaired::Counted,
};
const REPLY: Words = Words {
    what: "reply",
    hint: "send an object with id, ok and, if needed, detail",
    repaired: Repaired::Counted,
};

#[derive(Default, Deserialize)]
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

/// A birth message or Last Will, as an object or as a bare word (`Offline`, `0`).
pub(super) fn status(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let Salvaged { good, mut rejected, mut repaired } =
        object::<Status>(payload, STATUS, repair::status);
    let text = unwrapped(payload);
    let bare = Some(text).filter(|text| !text.starts_with(b"{")).and_then(truth::online);
    let status = good.or_else(|| {
        let online = bare?;
        (rejected, repaired) = (Vec::new(), 1);
        Some(Status { online, ..Status::default() })
    });
    let (area, device) = (owned(area), owned(device));
    if let Some(fire) = alarm::astray_and_true(Origin { area: &area, device: &device }, payload) {
        return fire;
    }
    let message = match status {
        None => Message::NotUnderstood { area, device },
        Some(status) => {
            let interval_s =
                status.interval_s.filter(|seconds| (1..=MAX_INTERVAL_S).contains(seconds));
            if interval_s != status.interval_s {
                push(&mut rejected, bad_interval(status.interval_s.unwrap_or_default(), payload));
            }
            Message::Status {
                area,
                device,
                online: status.online,
                boot: status.boot,
                firmware: status.firmware.as_deref().map(shortened),
                model: status.model.as_deref().map(shortened),
                interval_s,
                reset: status.reset.as_deref().map(shortened),
                rev: status.rev,
                lost: status.lost,
                storage: status.storage.as_deref().map(shortened),
            }
        }
    };
    Parsed { rejected, repaired, ..Parsed::message(message) }
}

fn bad_interval(seconds: u32, payload: &[u8]) -> Rejected {
    let detail = format!("interval_s {seconds} ignored: send 1 to {MAX_INTERVAL_S}");
    Rejected::new(RejectedReason::WrongType, detail, payload)
}

/// The answer to a command.
pub(super) fn reply(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let Salvaged { good, rejected, repaired } = object::<Reply>(payload, REPLY, repair::reply);
    let (area, device) = (owned(area), owned(device));
    if let Some(fire) = alarm::astray_and_true(Origin { area: &area, device: &device }, payload) {
        return fire;
    }
    let message = match good {
        None => Message::NotUnderstood { area, device },
        Some(reply) => Message::Reply {
            area,
            device,
            id: shortened(&reply.id),
            ok: reply.ok,
            detail: shortened(&reply.detail.unwrap_or_default()),
        },
    };
    Parsed { rejected, repaired, ..Parsed::message(message) }
}
