//! Topic and bytes → message, or why not. Nothing after this looks at bytes again.
//!
//! A payload is read strictly and in one pass. What fails then is worth a second look: everything
//! is salvaged member by member (`salvage`), because a fire with a misspelt temperature is still
//! a fire, and a pressure beside a misspelt battery still a pressure. An array of readings loses
//! only its bad elements (`telemetry`). An alarm that still cannot be read is told to people
//! (`alarm`), whatever its topic looks like ([`topics`]).
//!
//! Not here: what a message means (`world`), where rejected ones are kept (`standpipe_store`).

mod alarm;
mod chain;
pub mod decoder;
mod device;
mod exact;
mod pieces;
pub mod receipt;
mod rejected;
mod repair;
mod salvage;
mod shown;
mod station;
mod telemetry;
pub mod topics;
mod truth;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Alarm, BadTopic, Channel, Name, Reading, StationChannel, Topic};
use xxhash_rust::xxh3::Xxh3;

use crate::action::Action;
use crate::plain;
use alarm::Sender;
pub use rejected::{Parsed, Rejected, RejectedReason};
pub use shown::MAX_SHOWN;
use shown::shown;
use topics::Named;

/// The longest payload that is read, bytes.
pub const MAX_PAYLOAD: usize = 2 * 1024 * 1024;
/// The most readings one array may carry; the rest are rejected together.
pub const MAX_READINGS: usize = 20_000;
/// How much of a rejected payload is kept, bytes.
pub const MAX_HEAD: usize = 4 * 1024;
/// The most rejections one message reports one by one; the rest are counted in the last.
pub const MAX_REJECTED: usize = 64;
/// The longest text a device or person may send in one field, characters; longer ones are cut.
pub const MAX_TEXT: usize = 1_000;

/// How a message came, whatever it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// When, Unix ms.
    pub at: crate::Ms,
    /// The broker had kept it: it says what was so once, nobody knows when.
    pub retained: bool,
    /// Fingerprint of its topic's last level and its bytes: what is made of it gets the same ids
    /// however often it comes.
    pub print: u128,
}

impl From<crate::Ms> for Arrived {
    /// Live, at that moment.
    fn from(at: crate::Ms) -> Self {
        Self { at, ..Self::default() }
    }
}

/// The longest interval between readings a device may have, seconds: one day.
pub const MAX_INTERVAL_S: u32 = 86_400;

/// Which device a message is from, by its topic.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The installing township's code.
    pub area: &'a str,
    pub device: &'a str,
}

/// What somebody said to the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// A device measured.
    Telemetry {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
        /// In the order of the array; none for `[]`.
        #[serde(with = "exact::readings")]
        readings: Vec<Reading>,
    },
    /// A device shouts, or stops shouting.
    Alarm {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
        #[serde(with = "exact::ExactAlarm")]
        alarm: Alarm,
    },
    /// A device started, or its Last Will was published.
    Status {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
        /// False in the Last Will.
        online: bool,
        /// Start count.
        boot: Option<u32>,
        /// Version of its firmware.
        firmware: Option<Box<str>>,
        model: Option<Box<str>>,
        /// Seconds between its readings.
        interval_s: Option<u32>,
        /// Why it started.
        reset: Option<Box<str>>,
        /// The number of the settings it runs.
        rev: Option<u32>,
        /// How many messages it has lost, ever.
        lost: Option<u32>,
        /// What is wrong with its storage.
        storage: Option<Box<str>>,
    },
    /// A device sent an alarm that cannot be read.
    UnreadableAlarm {
        /// The installing township's code; empty: the topic has none that can be one.
        area: Box<str>,
        /// Who; `None`: the topic has no name that can be a device's.
        device: Option<Box<str>>,
        /// As it came, escaped.
        topic: Box<str>,
        /// The beginning of what it said, escaped.
        payload: Box<str>,
        /// Why it can't be read.
        why: RejectedReason,
    },
    /// A device sent something of which nothing was understood.
    NotUnderstood {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
    },
    /// The alarm that the broker kept for a device was taken back: an empty message.
    Cleared {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
    },
    /// A device answered a command.
    Reply {
        /// The installing township's code.
        area: Box<str>,
        device: Box<str>,
        /// The command's id.
        id: Box<str>,
        /// Whether it was done.
        ok: bool,
        /// Why not, or what came of it.
        detail: Box<str>,
    },
    /// A person at a station did something.
    Action { station: Box<str>, action: Action },
    /// The gateway's own heartbeat came through.
    Chain {
        /// When it was sent, Unix ms.
        sent: crate::Ms,
    },
    /// A station's terminal came or went.
    Presence {
        station: Box<str>,
        /// Whether it is open.
        online: bool,
    },
}

impl Message {
    /// The device that it is of; `None`: a station's, or an alarm of nobody knows whom.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Telemetry { device, .. }
            | Self::Alarm { device, .. }
            | Self::Status { device, .. }
            | Self::NotUnderstood { device, .. }
            | Self::Cleared { device, .. }
            | Self::Reply { device, .. } => Some(device),
            Self::UnreadableAlarm { device, .. } => device.as_deref(),
            Self::Action { .. } | Self::Presence { .. } | Self::Chain { .. } => None,
        }
    }

    /// The station that says it; `None`: a device does, or the gateway itself.
    #[must_use]
    pub fn station(&self) -> Option<&str> {
        match self {
            Self::Action { station, .. } | Self::Presence { station, .. } => Some(station),
            Self::Telemetry { .. }
            | Self::Alarm { .. }
            | Self::UnreadableAlarm { .. }
            | Self::Status { .. }
            | Self::NotUnderstood { .. }
            | Self::Cleared { .. }
            | Self::Reply { .. }
            | Self::Chain { .. } => None,
        }
    }
}

#[cfg(test)]
impl Message {
    /// A status of a device in "town" that says no more than whether it is online.
    pub(crate) fn bare_status(device: impl Into<Box<str>>, online: bool) -> Self {
        Self::Status {
            area: "town".into(),
            device: device.into(),
            online,
            boot: None,
            firmware: None,
            model: None,
            interval_s: None,
            reset: None,
            rev: None,
            lost: None,
            storage: None,
        }
    }
}

/// Reads one delivered message below `root`.
///
/// Never fails: what was not understood is in [`Parsed::rejected`], and what was understood of
/// the same message is in its `message`. An empty message takes back what the broker kept on
/// its topic: [`Message::Cleared`] where that was a device's alarm, else neither. Whether the
/// retain flag says so depends on the subscription, so it is not asked.
///
/// ```
/// use standpipe_rules::wire::{Message, RejectedReason, parse};
/// use standpipe_shared::{Field, ROOT};
///
/// // What can be read is, whatever stands beside it.
/// let topic = b"standpipe/v1/T03/HY-0042/telemetry";
/// let parsed = parse(ROOT, topic, br#"{"pressure_kpa":"312.5","temp_c":"warm"}"#);
/// let Some(Message::Telemetry { device, readings, .. }) = parsed.message else { panic!() };
/// assert_eq!(&*device, "HY-0042");
/// assert_eq!(readings[0].values.get(Field::PressureKpa), Some(312.5));
/// assert_eq!(readings[0].values.get(Field::TempC), None);
/// assert_eq!(parsed.rejected[0].reason, RejectedReason::WrongType);
///
/// // An alarm that can't be read is told to people.
/// let parsed = parse(ROOT, b"standpipe/v1/T03/SD-0007/alarm", b"FIRE!!");
/// assert!(matches!(parsed.message, Some(Message::UnreadableAlarm { .. })));
/// ```
#[must_use]
pub fn parse(root: &str, topic: &[u8], payload: &[u8]) -> Parsed {
    let named = topics::named(root, topic);
    if payload.is_empty() {
        return cleared(named);
    }
    let not_text = || {
        let detail = format!("topic `{}` is not UTF-8: check the device's settings", shown(topic));
        Rejected::new(RejectedReason::NotUtf8, detail, payload)
    };
    let named = match named {
        Named::Topic(named) => named,
        Named::Alarm { area, bad } => {
            let sender = Sender { area, device: None, topic };
            return alarm::unreadable(sender, payload, bad_topic(bad, &shown(topic), payload));
        }
        Named::Other { area, device, bad } => {
            let sender = Sender { area, device, topic };
            let why = || bad.map_or_else(not_text, |bad| bad_topic(bad, &shown(topic), payload));
            return alarm::on_no_topic(sender, payload, why);
        }
        Named::Bad(bad) => return Parsed::nothing(bad_topic(bad, &shown(topic), payload)),
        Named::NotText => return Parsed::nothing(not_text()),
    };
    if payload.len() > MAX_PAYLOAD {
        let detail = format!(
            "payload of {} bytes, at most {MAX_PAYLOAD} are read: send fewer readings at once",
            payload.len()
        );
        let too_long = Rejected::new(RejectedReason::TooLong, detail, payload);
        let Topic::Device { area, device, channel } = named else {
            return Parsed::nothing(too_long);
        };
        if channel == Channel::Alarm {
            let sender = Sender { area: Some(area), device: Some(device), topic };
            return alarm::unreadable(sender, payload, too_long);
        }
        return Parsed::nothing(too_long);
    }
    let direction = || Parsed::nothing(direction(&shown(topic), payload));
    match named {
        Topic::Device { area, device, channel } => match channel {
            Channel::Telemetry => telemetry::telemetry(area, device, payload),
            Channel::Alarm => alarm::alarm(area, device, topic, payload),
            Channel::Status => device::status(area, device, payload),
            Channel::Reply => device::reply(area, device, payload),
            Channel::Settings | Channel::Command | Channel::Receipt => direction(),
        },
        Topic::Station { station, channel: StationChannel::Actions } => {
            station::action(station, payload)
        }
        Topic::Station { station, channel: StationChannel::Presence } => {
            station::presence(station, payload)
        }
        Topic::Station { channel: StationChannel::Incident(_), .. } | Topic::Clock => direction(),
        Topic::Chain => chain::chain(payload),
    }
}

/// What follows when the retained message of a topic was taken back.
fn cleared(named: Named<'_>) -> Parsed {
    match named {
        Named::Topic(Topic::Device { area, device, channel: Channel::Alarm }) => {
            Parsed::message(Message::Cleared { area: owned(area), device: owned(device) })
        }
        Named::Topic(_)
        | Named::Alarm { .. }
        | Named::Other { .. }
        | Named::Bad(_)
        | Named::NotText => Parsed::default(),
    }
}

/// Fingerprint of a message: XXH3-128 of its topic's last level, without slashes behind it, and
/// its bytes.
#[must_use]
pub fn print(topic: &[u8], payload: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(topics::last_level(topic));
    hash.update(payload);
    hash.digest128()
}

fn bad_topic(bad: BadTopic, topic: &str, payload: &[u8]) -> Rejected {
    Rejected::new(RejectedReason::Topic, format!("{bad}; the topic is `{topic}`"), payload)
}

fn direction(topic: &str, payload: &[u8]) -> Rejected {
    let detail = format!(
        "`{topic}` is published by the gateway alone: take the right to write it from the sender"
    );
    Rejected::new(RejectedReason::Direction, detail, payload)
}

/// A name or text as it is kept.
fn owned(name: Name) -> Box<str> {
    Box::from(name.as_str())
}

/// A text that was sent, as it is kept: [`plain`], and at most [`MAX_TEXT`] characters of it.
fn shortened(text: &str) -> Box<str> {
    let text = plain(text);
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text.get(..end).unwrap_or_default().trim_end().into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests;
