//! Receipts: whom to tell that an alarm is on disk, and how it is named to them. A device keeps an
//! alarm until then, since a broker may lose what it has acknowledged.
//!
//! Every alarm that comes from a device is answered, whatever became of it: one that is known already,
//! a test, one that the broker had kept, and one that cannot be read. An empty message, which takes
//! back what the broker kept, is no alarm, and has no receipt.
//!
//! Not here: that nothing is answered before it is stored (the engine), and how it is sent (notify).

use sha2::{Digest as _, Sha256};
use standpipe_shared::{Alarm, ReceivedAlarm};

use super::{Message, Parsed};

/// A receipt, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmReceipt {
    /// As in the topic that the alarm came on.
    pub area: Box<str>,
    pub device: Box<str>,
    pub receipt: ReceivedAlarm,
}

/// By what an alarm is named.
enum NamedBy {
    Numbers { boot: u32, seq: u32 },
    Payload,
}

/// SHA-256 of a message's payload, where a receipt has to name it so.
#[must_use]
pub fn digest(parsed: &Parsed, payload: &[u8]) -> Option<[u8; 32]> {
    let wanted =
        parsed.messages().filter_map(alarm).any(|alarm| matches!(alarm.2, NamedBy::Payload));
    wanted.then(|| Sha256::digest(payload).into())
}

/// The receipts that a message calls for, once what follows from it is on disk. `digest` is what
/// [`digest`] made of its payload.
pub fn receipts(
    parsed: &Parsed,
    digest: Option<[u8; 32]>,
) -> impl Iterator<Item = AlarmReceipt> + '_ {
    parsed.messages().filter_map(alarm).filter_map(move |(area, device, named_by)| {
        let receipt = match named_by {
            NamedBy::Numbers { boot, seq } => ReceivedAlarm::Numbered { boot, seq },
            NamedBy::Payload => ReceivedAlarm::Payload(digest?),
        };
        Some(AlarmReceipt { area: area.into(), device: device.into(), receipt })
    })
}

/// Whose alarm a message is, and by what that device knows it; `None`: it is none, or nobody can say
/// whose.
fn alarm(message: &Message) -> Option<(&str, &str, NamedBy)> {
    match message {
        Message::Alarm { area, device, alarm } => Some((area, device, named_by(alarm))),
        Message::UnreadableAlarm { area, device: Some(device), .. } if !area.is_empty() => {
            Some((area, device, NamedBy::Payload))
        }
        Message::UnreadableAlarm { .. }
        | Message::Telemetry { .. }
        | Message::Status { .. }
        | Message::NotUnderstood { .. }
        | Message::Cleared { .. }
        | Message::Reply { .. }
        | Message::Action { .. }
        | Message::Presence { .. }
        | Message::Chain { .. } => None,
    }
}

fn named_by(alarm: &Alarm) -> NamedBy {
    let reading = &alarm.reading;
    match reading.boot.zip(reading.seq).filter(|_| !reading.numbers_lost) {
        Some((boot, seq)) => NamedBy::Numbers { boot, seq },
        None => NamedBy::Payload,
    }
}

#[cfg(test)]
mod tests {
    use super::{AlarmReceipt, digest, receipts};
    use crate::wire::parse;
    use standpipe_shared::ROOT;

    /// What is answered to a message of `a/d`, as it goes on the wire.
    fn answered(level: &str, payload: &str) -> Vec<String> {
        let topic = format!("{ROOT}/a/d/{level}");
        let parsed = parse(ROOT, topic.as_bytes(), payload.as_bytes());
        let digest = digest(&parsed, payload.as_bytes());
        receipts(&parsed, digest)
            .map(|AlarmReceipt { area, device, receipt }| {
                assert_eq!((&*area, &*device), ("a", "d"));
                serde_json::to_string(&receipt).unwrap()
            })
            .collect()
    }

    #[test]
    #[rustfmt::skip] // a table
    fn every_alarm_of_a_device_is_answered_by_what_the_device_knows_it_by() {
        let numbered = r#"{"boot":3,"seq":18}"#;
        let hash = |hex: &str| format!(r#"{{"sha256":"{hex}"}}"#);
        // `printf '…' | sha256sum`
        let bare = hash("24e2a4c0371384be74ebcc86d235f42b4f1fdceadb4b72123504f485228b6511");
        for (story, level, payload, wanted) in [
            ("an alarm",        "alarm", r#"{"boot":3,"seq":18,"condition":"smoke","active":true}"#, vec![numbered.to_owned()]),
            ("that ends one",   "alarm", r#"{"boot":3,"seq":18,"condition":"smoke","active":false}"#, vec![numbered.to_owned()]),
            ("a test",          "alarm", r#"{"boot":3,"seq":18,"condition":"smoke","active":true,"test":true}"#, vec![numbered.to_owned()]),
            ("mended",          "alarm", r#"{"boot":"3","seq":18.0,"condition":"smoke","active":1}"#, vec![numbered.to_owned()]),
            ("misspelt topic",  "ALARM/", r#"{"boot":3,"seq":18,"condition":"tamper","active":true}"#, vec![numbered.to_owned()]),
            ("a fire astray",   "telemetry", r#"{"boot":3,"seq":18,"condition":"smoke","active":true}"#, vec![numbered.to_owned()]),
            ("without numbers", "alarm", r#"{"condition":"smoke","active":true}"#, vec![bare]),
            ("unreadable",      "alarm", "FIRE!!", vec![hash("35641373d48903fe48e8892f1bb0fbe7b880c5301d1270f169110cdcf69cc0dd")]),
            ("a reading",       "telemetry", r#"{"boot":3,"seq":18,"pressure_kpa":300}"#, vec![]),
            ("taken back",      "alarm", "", vec![]),
        ] {
            assert_eq!(answered(level, payload), wanted, "{story}");
        }
        // One number alone names nothing, and neither do numbers that cannot be read.
        for payload in [r#"{"seq":18,"condition":"smoke","active":true}"#, r#"{"boot":-1,"seq":18,"condition":"smoke","active":true}"#] {
            let all = answered("alarm", payload);
            assert!(matches!(&all[..], [one] if one.starts_with(r#"{"sha256":""#)), "{all:?}");
        }
    }

    #[test]
    fn an_alarm_of_nobody_knows_whom_is_answered_to_nobody() {
        for topic in ["standpipe/v1/a/d/x/alarm", "standpipe/v1/alarm", "standpipe/v1/a/./alarm"] {
            let parsed = parse(ROOT, topic.as_bytes(), b"FIRE!!");
            let digest = digest(&parsed, b"FIRE!!");
            assert_eq!(receipts(&parsed, digest).count(), 0, "{topic}");
        }
    }
}
