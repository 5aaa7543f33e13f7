//! Topic and bytes → message, or why not. Nothing after this looks at bytes again.
//!
//! A payload is read strictly and in one pass. Two things are worth a second look when that
//! fails: an array of readings loses only its bad elements ([`telemetry`]), and an alarm, a
//! status or an action is salvaged member by member ([`salvage`]), because a fire with a
//! misspelt temperature is still a fire.
//!
//! Not here: what a message means (`world`), where rejected ones are kept (`standpipe::store`).

mod alarm;
mod device;
mod pieces;
mod rejected;
mod salvage;
mod station;
mod telemetry;

use standpipe_shared::{Alarm, BadTopic, Channel, Name, Reading, StationChannel, Topic};

use crate::incidents::Action;
pub use rejected::{Parsed, Reason, Rejected};

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

/// The longest interval between readings a device may have, seconds: one day.
pub const MAX_INTERVAL_S: u32 = 86_400;

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

/// What somebody said to the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A device measured.
    Telemetry {
        /// The installing township's code.
        area: Box<str>,
        /// Who.
        device: Box<str>,
        /// In the order of the array; none for `[]`.
        readings: Vec<Reading>,
    },
    /// A device shouts, or stops shouting.
    Alarm {
        /// The installing township's code.
        area: Box<str>,
        /// Who.
        device: Box<str>,
        /// What.
        alarm: Alarm,
    },
    /// A device started, or its Last Will was published.
    Status {
        /// The installing township's code.
        area: Box<str>,
        /// Who.
        device: Box<str>,
        /// False in the Last Will.
        online: bool,
        /// Start count.
        boot: Option<u32>,
        /// Version of its firmware.
        firmware: Option<Box<str>>,
        /// Its model.
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
        /// The topic, escaped.
        topic: Box<str>,
        /// The beginning of what it said, escaped.
        payload: Box<str>,
        /// Why it can't be read.
        why: Reason,
    },
    /// A device sent something of which nothing was understood.
    NotUnderstood {
        /// The installing township's code.
        area: Box<str>,
        /// Who.
        device: Box<str>,
    },
    /// A device answered a command.
    Reply {
        /// The installing township's code.
        area: Box<str>,
        /// Who.
        device: Box<str>,
        /// The command's id.
        id: Box<str>,
        /// Whether it was done.
        ok: bool,
        /// Why not, or what came of it.
        detail: Box<str>,
    },
    /// A person at a station did something.
    Action {
        /// Where.
        station: Box<str>,
        /// What.
        action: Action,
    },
    /// A station's terminal came or went.
    Presence {
        /// Where.
        station: Box<str>,
        /// Whether it is open.
        online: bool,
    },
}

/// Reads one delivered message below `root`.
///
/// Never fails: what was not understood is in [`Parsed::rejected`], and what was understood of
/// the same message is in [`Parsed::message`]. An emptied retained status or presence is neither.
#[must_use]
pub fn parse(root: &str, topic: &[u8], payload: &[u8]) -> Parsed {
    let Ok(text) = std::str::from_utf8(topic) else {
        let lossy = String::from_utf8_lossy(topic);
        let detail = format!("topic `{lossy}` is not UTF-8: check the device's settings");
        return Parsed::nothing(Rejected::new(Reason::NotUtf8, detail, payload));
    };
    let topic = match Topic::parse(root, text) {
        Ok(topic) => topic,
        Err(bad) => return Parsed::nothing(bad_topic(bad, text, payload)),
    };
    if payload.len() > MAX_PAYLOAD {
        let detail = format!(
            "payload of {} bytes, at most {MAX_PAYLOAD} are read: send fewer readings at once",
            payload.len()
        );
        return Parsed::nothing(Rejected::new(Reason::TooLong, detail, payload));
    }
    match topic {
        Topic::Device { area, device, channel } => of_device(area, device, channel, payload)
            .unwrap_or_else(|| Parsed::nothing(direction(text, payload))),
        Topic::Station { station, channel: StationChannel::Actions } => {
            station::action(station, payload)
        }
        Topic::Station { station, channel: StationChannel::Presence } => {
            station::presence(station, payload)
        }
        Topic::Station { channel: StationChannel::Incident(_), .. } | Topic::Clock => {
            Parsed::nothing(direction(text, payload))
        }
    }
}

/// `None` for what only the gateway sends.
fn of_device(area: Name, device: Name, channel: Channel, payload: &[u8]) -> Option<Parsed> {
    match channel {
        Channel::Telemetry => Some(telemetry::telemetry(area, device, payload)),
        Channel::Alarm => Some(alarm::alarm(area, device, payload)),
        Channel::Status => Some(device::status(area, device, payload)),
        Channel::Reply => Some(device::reply(area, device, payload)),
        Channel::Settings | Channel::Command => None,
    }
}

fn bad_topic(bad: BadTopic, topic: &str, payload: &[u8]) -> Rejected {
    Rejected::new(Reason::Topic, format!("{bad}; the topic is `{topic}`"), payload)
}

fn direction(topic: &str, payload: &[u8]) -> Rejected {
    let detail = format!(
        "`{topic}` is published by the gateway alone: take the right to write it from the sender"
    );
    Rejected::new(Reason::Direction, detail, payload)
}

/// A name or text as it is kept.
fn owned(name: Name) -> Box<str> {
    Box::from(name.as_str())
}

/// At most [`MAX_TEXT`] characters of it.
fn shortened(text: Box<str>) -> Box<str> {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => Box::from(text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
