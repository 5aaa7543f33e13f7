//! Topics: what each of the gateway's sessions listens to, whose a message is, and which
//! topics mean an alarm, or readings, although they are not written as the contract has it.
//!
//! The alarm lane asks for the topics of the contract and for the usual misspellings of `alarm`.
//! The status lane asks for statuses, of which a broken network brings tens of thousands at once,
//! and for replies, of which new settings for all devices bring as many. The action lane asks for what
//! stations say, which no fire must wait behind.
//! The readings' lane asks for everything below the root, so that nothing is lost to a spelling;
//! what another lane gets too, and what the gateway published itself, it passes over unread. No
//! filter of MQTT can say "any depth, ending in alarm, in any case": those come on the readings'
//! lane, and are handed on as urgent.
//!
//! Of what the gateway publishes itself it takes one thing, on the alarm lane: the chain's
//! heartbeat, which goes the way of an alarm.
//!
//! As the gateway hears its own commands, a broker always finds a subscriber for them and never
//! says that nobody listens. Whether a device has a command is known by its answer alone, see
//! `orders`.

use standpipe_shared::{BadTopic, Channel, Name, Topic};

/// What the alarm lane listens to, below the root. [`side`] is held to it by a test.
pub const ALARM_LANE: [&str; 9] = [
    "+/+/alarm",
    "+/+/alarms",
    "+/+/Alarm",
    "+/+/Alarms",
    "+/+/ALARM",
    "+/+/ALARMS",
    "+/+/alarm/",
    "+/+/alarms/",
    "gateway/chain",
];

/// What it listened to before, 0.1.0 among it, and the status lane or the action lane does now. A
/// session that lasts must forget it, but not before that lane has it.
pub const ALARM_LANE_BEFORE: [&str; 4] =
    ["+/+/status", "+/+/reply", "stations/+/actions", "stations/+/presence"];

/// What the status lane listens to, below the root: Last Wills, devices that are back, and what they
/// answer to settings and commands.
pub const STATUS_LANE: [&str; 2] = ["+/+/status", "+/+/reply"];

/// What the action lane listens to, below the root: what people at the stations do, and whether their
/// terminals are open. A terminal confirms pages only while it is open, so that the two keep their order.
pub const ACTION_LANE: [&str; 2] = ["stations/+/actions", "stations/+/presence"];

/// What the readings' lane listens to, below the root.
pub const READINGS_LANE: [&str; 1] = ["#"];

/// What it listened to before: the first of them in 0.1.0, all of them in builds between the
/// releases. A session that lasts must forget them: some brokers send one copy of a message for
/// each filter that takes it.
pub const READINGS_LANE_BEFORE: [&str; 11] = [
    "+/+/telemetry",
    "+/+/alarm",
    "+/+/alarms",
    "+/+/Alarm",
    "+/+/Alarms",
    "+/+/ALARM",
    "+/+/ALARMS",
    "stations/+/+",
    "+",
    "+/+",
    "+/+/+/+/#",
];

/// Whose a message is that came on a topic below the root, as the readings' lane sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The alarm lane gets it as well.
    AlarmLane,
    /// The status lane gets it as well.
    StatusLane,
    /// The action lane gets it as well.
    ActionLane,
    /// The gateway published it.
    Gateway,
    /// The readings' lane must take it: readings, and whatever is nobody's.
    Readings,
}

/// Whose a topic is. Looks at nothing but its levels, so that what is passed over costs nothing.
#[must_use]
pub fn side(root: &str, topic: &[u8]) -> Side {
    let Some(below) = below(root, topic) else { return Side::Readings };
    let mut levels = below.split(|byte| *byte == b'/');
    let first = levels.next().unwrap_or_default();
    let rest = [levels.next(), levels.next(), levels.next(), levels.next()];
    match (first, rest) {
        (b"gateway", _)
        | (b"stations", [Some(_), Some(b"maintenance"), None, _])
        | (b"stations", [Some(_), Some(b"incidents"), Some(_), None])
        | (_, [Some(_), Some(b"settings" | b"command"), None, _]) => Side::Gateway,
        (b"stations", [Some(_), Some(b"actions" | b"presence"), None, _]) => Side::ActionLane,
        (_, [Some(_), Some(b"alarm" | b"alarms"), Some(b""), None]) => Side::AlarmLane,
        (_, [Some(_), Some(b"status" | b"reply"), None, _]) => Side::StatusLane,
        (_, [Some(_), Some(last), None, _]) if has_alarm_filter(last) => Side::AlarmLane,
        _ => Side::Readings,
    }
}

fn has_alarm_filter(level: &[u8]) -> bool {
    matches!(level, b"alarm" | b"alarms" | b"Alarm" | b"Alarms" | b"ALARM" | b"ALARMS")
}

/// What a topic names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// What the contract has, however `alarm` or `telemetry` was written.
    Topic(Topic<'a>),
    /// An alarm, and who sends it cannot be said.
    Alarm {
        /// The first level, where it can be an area.
        area: Option<Name<'a>>,
        bad: BadTopic,
    },
    /// Nothing, below the root and none of our own: only a fire is heard on it.
    Other {
        /// The first level, where it can be an area.
        area: Option<Name<'a>>,
        /// The second of three levels, where it can be a device.
        device: Option<Name<'a>>,
        /// What is wrong; `None`: it is no text.
        bad: Option<BadTopic>,
    },
    /// Nothing, and nobody's.
    Bad(BadTopic),
    /// Nothing that is text.
    NotText,
}

/// Reads a topic: strictly, then by its last level alone.
pub(super) fn named<'a>(root: &str, topic: &'a [u8]) -> Named<'a> {
    let text = std::str::from_utf8(topic);
    let bad = match text.map(|text| Topic::parse(root, text)) {
        Ok(Ok(topic)) => return Named::Topic(topic),
        Ok(Err(bad)) => Some(bad),
        Err(_) => None,
    };
    let nothing = bad.map_or(Named::NotText, Named::Bad);
    let Some(below) = below(root, topic).filter(|below| !is_ours(below)) else { return nothing };
    let levels: Vec<&[u8]> = without_end(below).split(|byte| *byte == b'/').collect();
    let name = |level: &'a [u8]| Name::new(std::str::from_utf8(level).ok()?).ok();
    let (area, device) = match levels.as_slice() {
        [area, device, _] => (name(area), name(device)),
        [area, _, ..] => (name(area), None),
        [_] | [] => (None, None),
    };
    match (channel(levels.last().copied().unwrap_or_default()), area, device) {
        (Some(channel), Some(area), Some(device)) => {
            Named::Topic(Topic::Device { area, device, channel })
        }
        (Some(Channel::Alarm), area, _) => {
            Named::Alarm { area, bad: bad.unwrap_or(BadTopic::Shape) }
        }
        (_, area, device) => Named::Other { area, device, bad },
    }
}

/// What a last level means that is written in another case or in the plural. Only of these two would
/// a fire be lost.
fn channel(level: &[u8]) -> Option<Channel> {
    let is = |name: &str| level.eq_ignore_ascii_case(name.as_bytes());
    if is("alarm") || is("alarms") {
        Some(Channel::Alarm)
    } else if is("telemetry") {
        Some(Channel::Telemetry)
    } else {
        None
    }
}

/// Whether a topic below the root is one of our own, by its first level.
fn is_ours(below: &[u8]) -> bool {
    let first = below.split(|byte| *byte == b'/').next();
    matches!(first, Some(b"stations" | b"gateway" | b"selftest"))
}

/// Without the slashes at its end.
fn without_end(below: &[u8]) -> &[u8] {
    let end = below.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    below.get(..end).unwrap_or_default()
}

fn below<'a>(root: &str, topic: &'a [u8]) -> Option<&'a [u8]> {
    topic.strip_prefix(root.as_bytes())?.strip_prefix(b"/")
}

/// Who speaks on a topic below the root: its second level, wherever the rest leads.
pub(super) fn device<'a>(root: &str, topic: &'a [u8]) -> Option<&'a str> {
    let level = below(root, topic)?.split(|byte| *byte == b'/').nth(1)?;
    std::str::from_utf8(level).ok()
}

/// The last level of a topic that is not empty.
pub(super) fn last_level(topic: &[u8]) -> &[u8] {
    without_end(topic).rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
