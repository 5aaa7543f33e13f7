//! What a device says of itself when it starts: its firmware, its model, why it started, what it
//! has lost. It decides nothing; it is kept for the people who look after the devices.
//!
//! Not here: whether the device is online, which settings it runs (`world`), how it is stored.

use serde::{Deserialize, Serialize};
use standpipe_shared::Kind;

use crate::Ms;
use crate::registry::{DeviceIx, Registry};
use crate::wire::{Arrived, Message};

/// The longest text that is kept of each member, characters: a version, a model, a reason.
pub const TEXT_AT_MOST: usize = 64;

/// A device's newest word about itself; what it did not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    pub device: DeviceIx,
    pub at: Ms,
    /// The broker had kept it, so nobody knows when it was said: it takes the place of an older
    /// start's, and of nothing else.
    pub retained: bool,
    /// Start count.
    pub boot: Option<u32>,
    /// Version of its firmware.
    pub firmware: Option<Box<str>>,
    pub model: Option<Box<str>>,
    /// Why it started: `power_on`, `watchdog`, …
    pub reset: Option<Box<str>>,
    /// How many messages it has lost, ever; a device that has lost none may leave it out.
    pub lost: Option<u32>,
    /// What is wrong with its storage: `fresh`, `corrupt`, `failed`, …; `None`: nothing.
    pub storage: Option<Box<str>>,
}

/// Whether a fire detector says that it is there: of all statuses the one that is not to wait for
/// those of others. What the broker had kept may say so, too; then it waits for nobody either.
#[must_use]
pub fn brings_detector_back(message: &Message, registry: &Registry) -> bool {
    let Message::Status { device, online: true, .. } = message else { return false };
    let known = registry.find(device).and_then(|ix| registry.device(ix));
    known.is_some_and(|known| known.kind == Kind::Smoke)
}

impl DeviceStatus {
    /// What is kept of a message. `None` for a Last Will, which was written when the connection
    /// began, for a status that says no more than `online`, and for any other message.
    #[must_use]
    pub fn of(ix: DeviceIx, message: &Message, arrived: Arrived) -> Option<Self> {
        let Message::Status { online: true, boot, firmware, model, reset, lost, storage, .. } =
            message
        else {
            return None;
        };
        let text = |field: &Option<Box<str>>| field.as_deref().and_then(short);
        let status = Self {
            device: ix,
            at: arrived.at,
            retained: arrived.retained,
            boot: *boot,
            firmware: text(firmware),
            model: text(model),
            reset: text(reset),
            lost: lost.filter(|count| *count > 0),
            storage: text(storage),
        };
        let says = status.boot.is_some()
            || status.lost.is_some()
            || [&status.firmware, &status.model, &status.reset, &status.storage]
                .into_iter()
                .any(Option::is_some);
        says.then_some(status)
    }
}

/// A text as it is kept and compared: cut. `None`: empty. It is plain since it was read (`wire`).
fn short(text: &str) -> Option<Box<str>> {
    let text: String = text.chars().take(TEXT_AT_MOST).collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use standpipe_shared::Kind;

    use super::{DeviceStatus, TEXT_AT_MOST, brings_detector_back};
    use crate::registry::{Device, DeviceIx, Registry};
    use crate::wire::{Arrived, parse};

    fn said(payload: &str) -> Option<DeviceStatus> {
        let parsed = parse("standpipe/v1", b"standpipe/v1/t1/HY-1/status", payload.as_bytes());
        let arrived = Arrived { at: 7, retained: true, ..Arrived::default() };
        DeviceStatus::of(DeviceIx(3), &parsed.message.expect("a message"), arrived)
    }

    #[test]
    fn a_birth_message_is_kept_whole() {
        let all = r#"{"online":true,"boot":3,"firmware":"1.4.0","model":"SP-H1","interval_s":60,
            "reset":"watchdog","rev":4,"lost":12,"storage":"corrupt"}"#;
        let status = DeviceStatus {
            device: DeviceIx(3),
            at: 7,
            retained: true,
            boot: Some(3),
            firmware: Some("1.4.0".into()),
            model: Some("SP-H1".into()),
            reset: Some("watchdog".into()),
            lost: Some(12),
            storage: Some("corrupt".into()),
        };
        assert_eq!(said(all), Some(status));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_says_nothing_of_the_device_is_not_kept() {
        for (story, payload, kept) in [
            ("a Last Will",              r#"{"online":false,"firmware":"1.4.0"}"#,     false),
            ("no more than online",      r#"{"online":true}"#,                         false),
            ("its interval alone",       r#"{"online":true,"interval_s":60,"rev":1}"#, false),
            ("nothing lost",             r#"{"online":true,"lost":0}"#,                false),
            ("an empty text",            r#"{"online":true,"model":"  "}"#,            false),
            ("its start count",          r#"{"online":true,"boot":0}"#,                true),
            ("its model",                r#"{"online":true,"model":"消火栓"}"#,         true),
            ("what it lost",             r#"{"online":true,"lost":1}"#,                true),
            ("a fault of its storage",   r#"{"online":true,"storage":"failed"}"#,      true),
        ] {
            assert_eq!(said(payload).is_some(), kept, "{story}");
        }
    }

    #[test]
    fn texts_are_cut_and_cannot_turn_what_stands_beside_them() {
        let long = "x".repeat(TEXT_AT_MOST + 1);
        let status = said(&format!(
            r#"{{"online":true,"firmware":"{long}","model":" a\u202e\nb\u0000 ","reset":"\u2067"}}"#
        ));
        let status = status.expect("kept");
        assert_eq!(status.firmware.map(|text| text.len()), Some(TEXT_AT_MOST));
        assert_eq!(status.model.as_deref(), Some("a b"), "a line break parts words");
        assert_eq!(status.reset, None);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn only_a_fire_detector_that_is_there_goes_first() {
        let mut registry = Registry::new([]);
        registry.put_device(Device::unclaimed("SD-1", "t1", Kind::Smoke));
        registry.put_device(Device::unclaimed("HY-1", "t1", Kind::Hydrant));
        for (topic, payload, first) in [
            ("SD-1/status", r#"{"online":true}"#,                      true),
            ("SD-1/status", r#"{"online":false}"#,                     false),
            ("HY-1/status", r#"{"online":true}"#,                      false),
            ("SD-2/status", r#"{"online":true}"#,                      false), // nobody knows what it is
            ("SD-1/alarm",  r#"{"condition":"smoke","active":true}"#,  false), // is urgent anyway
        ] {
            let topic = format!("standpipe/v1/t1/{topic}");
            let message = parse("standpipe/v1", topic.as_bytes(), payload.as_bytes()).message;
            let message = message.expect("a message");
            assert_eq!(brings_detector_back(&message, &registry), first, "{topic} {payload}");
        }
    }
}
