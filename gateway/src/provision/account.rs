//! The name under which a client signs in to the broker.
//!
//! For most it is the name itself: `area/device`. It must not be where a device's id has a letter
//! that the broker's files give a meaning (mosquitto splits its passwords at the first `:`), or
//! one that a modem cannot enter, or where the name is longer than a certificate's common name may
//! be. Such a device signs in as `d-` and 16 letters made of its name, always the same; the rules
//! of the broker, which usually read the topics off the client's name, then name its topics.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use standpipe_shared::Name;

/// What an account that is not the name itself begins with.
const PREFIX: &str = "d-";
/// RFC 4648, in small letters.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Letters of an account, 5 bits each: two of a million devices share one once in two trillion
/// towns.
const LETTERS: usize = 16;

/// What a device may do below its own name: as the broker's rules have it for all others, which a
/// test compares.
pub(super) const MAY: [(&str, &str); 31] = [
    ("write", "telemetry"),
    ("write", "alarm"),
    ("write", "status"),
    ("write", "reply"),
    ("write", "alarms"),
    ("write", "Alarm"),
    ("write", "Alarms"),
    ("write", "ALARM"),
    ("write", "ALARMS"),
    ("write", "alarm/"),
    ("write", "alarms/"),
    ("write", "Alarm/"),
    ("write", "Alarms/"),
    ("write", "ALARM/"),
    ("write", "ALARMS/"),
    ("write", "alarm//"),
    ("write", "alarms//"),
    ("write", "Alarm//"),
    ("write", "Alarms//"),
    ("write", "ALARM//"),
    ("write", "ALARMS//"),
    ("write", "+/alarm"),
    ("write", "+/alarms"),
    ("write", "Telemetry"),
    ("write", "TELEMETRY"),
    ("write", "telemetry/"),
    ("write", "Telemetry/"),
    ("write", "TELEMETRY/"),
    ("read", "settings"),
    ("read", "command"),
    ("read", "receipt"),
];

/// What a client called `name` signs in as.
#[must_use]
pub fn account(name: &str) -> Cow<'_, str> {
    if name.split('/').all(|level| Name::plain(level).is_ok()) {
        return Cow::Borrowed(name);
    }
    let hash = Sha256::digest(name.as_bytes());
    let (mut bits, mut have) = (0_u32, 0);
    let mut text = String::from(PREFIX);
    for byte in hash {
        (bits, have) = (bits << 8 | u32::from(byte), have + 8);
        while have >= 5 && text.len() < PREFIX.len() + LETTERS {
            have -= 5;
            let five = (bits >> have & 31) as usize;
            text.push(BASE32.get(five).copied().unwrap_or(b'a') as char);
        }
    }
    Cow::Owned(text)
}

/// The broker's rules for those of these devices that sign in under another name.
pub(super) fn rules<'a>(root: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut rules = String::new();
    for name in names {
        let Cow::Owned(account) = account(name) else { continue };
        // A String takes all that is written to it.
        let _ = write!(rules, "\n# {name}\nuser {account}\n");
        for (may, channel) in MAY {
            let _ = writeln!(rules, "topic {may} {root}/{name}/{channel}");
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::super::rules::USUAL;
    use super::{MAY, account, rules};
    use standpipe_rules::wire::Message;
    use standpipe_shared::ROOT;

    #[test]
    fn an_account_is_the_name_where_the_broker_can_have_it() {
        for name in ["t1/H1", "stations/t1", "gateway"] {
            assert_eq!(account(name), name);
        }
        // sha256sum | base32, first 16 letters.
        for (name, expected) in [
            ("t1/00:15:8d:00:01", "d-fjc24g626pb4dkxx"),
            ("t1/厨房烟感", "d-jc4aveuagddtypgj"),
            ("t1/a b", "d-doeufvgewkbuesko"),
        ] {
            assert_eq!(account(name), expected, "{name}");
        }
        assert_eq!(account(&format!("t1/{}", "x".repeat(49))).len(), 18);
        assert_ne!(account("t1/a:b"), account("t2/a:b"), "whose keys they are, they say");
    }

    /// What the broker lets through for nothing would be lost.
    #[test]
    fn what_a_device_may_write_the_gateway_reads() {
        let fire = br#"{"condition":"smoke","active":true}"#;
        for (_, channel) in MAY.into_iter().filter(|(may, _)| *may == "write") {
            let topic = format!("standpipe/v1/t1/H1/{}", channel.replace('+', "x"));
            let read = standpipe_rules::wire::parse(ROOT, topic.as_bytes(), fire).message;
            let told =
                matches!(read, Some(Message::Alarm { .. } | Message::UnreadableAlarm { .. }));
            assert!(told, "{channel}: {read:?}");
        }
        for written in ["alarm", "Alarm", "ALARM", "alarms", "Alarms", "ALARMS"] {
            for end in ["", "/", "//"] {
                let channel = format!("{written}{end}");
                assert!(MAY.contains(&("write", &*channel)), "{channel}");
            }
        }
    }

    #[test]
    fn they_may_do_what_every_device_may() {
        let of_all = USUAL.lines().filter_map(|line| {
            let (may, channel) = line.strip_prefix("pattern ")?.split_once(" standpipe/v1/%u/")?;
            Some((may, channel))
        });
        // Stations are named by the same patterns.
        let stations = ["incidents/+", "maintenance", "actions", "presence"];
        let of_devices: Vec<_> =
            of_all.filter(|(_, account)| !stations.contains(account)).collect();
        let [mut these, mut those] = [MAY.to_vec(), of_devices];
        these.sort_unstable();
        those.sort_unstable();
        assert_eq!(these, those);
    }

    #[test]
    fn rules_are_for_those_whose_account_is_not_their_name() {
        let all = rules("r/v1", ["t1/H1", "t1/a b"].into_iter());
        assert!(!all.contains("H1"));
        let lines: Vec<&str> = all.lines().filter(|line| line.contains("/a b/")).collect();
        assert_eq!(lines.len(), MAY.len(), "{all}");
        assert!(all.contains("\ntopic write r/v1/t1/a b/alarm\n"), "{all}");
        assert!(all.contains("\ntopic read r/v1/t1/a b/settings\n"), "{all}");
    }
}
