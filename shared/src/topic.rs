//! MQTT topics: text ↔ who speaks and about what. `{root}` is configurable, [`ROOT`] by default.

use core::fmt;

use crate::{BadName, Name};

/// The default root of all topics.
pub const ROOT: &str = "standpipe/v1";

/// What a device and the gateway say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// device → gateway: a reading or an array of them.
    Telemetry,
    /// device → gateway: an alarm.
    Alarm,
    /// device → gateway, retained: a status; also the Last Will.
    Status,
    /// gateway → device, retained: settings.
    Settings,
    /// gateway → device: a command.
    Command,
    /// device → gateway: the answer to a command.
    Reply,
    /// gateway → device: an alarm of its is on the gateway's disk.
    Receipt,
}

/// What a station and the gateway say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StationChannel<'a> {
    /// gateway → station, retained until closed: one incident.
    Incident(&'a str),
    /// station → gateway: an action on an incident.
    Actions,
    /// station terminal → gateway, retained.
    Presence,
}

/// A topic below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic<'a> {
    /// `{root}/{area}/{device}/{channel}`; no area is called `stations` or `gateway`.
    Device {
        /// The code of the township that installed it.
        area: Name<'a>,
        device: Name<'a>,
        /// The topic's last level.
        channel: Channel,
    },
    /// `{root}/stations/{station}/…`
    Station { station: Name<'a>, channel: StationChannel<'a> },
    /// `{root}/gateway/clock`
    Clock,
    /// `{root}/gateway/chain`
    Chain,
}

/// Why a topic was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTopic {
    /// It does not start with the root.
    Root,
    /// A level is not a name.
    Name(BadName),
    /// Too few or too many levels, or an unknown last level.
    Shape,
}

impl fmt::Display for BadTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "topic outside the root: set the same `mqtt.root` on both sides",
            Self::Name(bad) => {
                f.write_str("topic with a level that is ")?;
                return bad.fmt(f);
            }
            Self::Shape => "topic is not <root>/<area>/<device>/telemetry|alarm|status|reply",
        })
    }
}

impl core::error::Error for BadTopic {}

impl From<BadName> for BadTopic {
    fn from(bad: BadName) -> Self {
        Self::Name(bad)
    }
}

impl Channel {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::Telemetry,
        Self::Alarm,
        Self::Status,
        Self::Settings,
        Self::Command,
        Self::Reply,
        Self::Receipt,
    ];

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Alarm => "alarm",
            Self::Status => "status",
            Self::Settings => "settings",
            Self::Command => "command",
            Self::Reply => "reply",
            Self::Receipt => "receipt",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

impl<'a> Topic<'a> {
    /// Reads a topic below `root`.
    ///
    /// # Errors
    /// [`BadTopic`] says which part was not understood.
    ///
    /// ```
    /// use standpipe_shared::{BadTopic, Channel, ROOT, Topic};
    ///
    /// let topic = Topic::parse(ROOT, "standpipe/v1/T03/HY-0042/telemetry")?;
    /// let Topic::Device { area, device, channel } = topic else { panic!("{topic:?}") };
    /// assert_eq!((area.as_str(), device.as_str()), ("T03", "HY-0042"));
    /// assert_eq!(channel, Channel::Telemetry);
    ///
    /// let mut text = String::new();
    /// topic.write(ROOT, &mut text)?;
    /// assert_eq!(text, "standpipe/v1/T03/HY-0042/telemetry");
    ///
    /// assert_eq!(Topic::parse(ROOT, "standpipe/v1/T03/HY-0042/mood"), Err(BadTopic::Shape));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(root: &str, topic: &'a str) -> Result<Self, BadTopic> {
        let below = topic
            .strip_prefix(root)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(BadTopic::Root)?;
        let mut levels = below.split('/');
        let (Some(first), Some(second)) = (levels.next(), levels.next()) else {
            return Err(BadTopic::Shape);
        };
        let (third, fourth) = (levels.next(), levels.next());
        if levels.next().is_some() {
            return Err(BadTopic::Shape);
        }
        match (first, second, third, fourth) {
            ("gateway", "clock", None, None) => Ok(Self::Clock),
            ("gateway", "chain", None, None) => Ok(Self::Chain),
            ("gateway", ..) => Err(BadTopic::Shape),
            ("stations", station, Some(third), fourth) => {
                let station = Name::plain(station)?;
                let channel = match (third, fourth) {
                    ("actions", None) => StationChannel::Actions,
                    ("presence", None) => StationChannel::Presence,
                    ("incidents", Some(id)) => StationChannel::Incident(Name::plain(id)?.as_str()),
                    _ => return Err(BadTopic::Shape),
                };
                Ok(Self::Station { station, channel })
            }
            (area, device, Some(channel), None) => {
                let channel = Channel::parse(channel).ok_or(BadTopic::Shape)?;
                Ok(Self::Device { area: Name::new(area)?, device: Name::new(device)?, channel })
            }
            _ => Err(BadTopic::Shape),
        }
    }

    /// Writes the topic below `root`.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn write(&self, root: &str, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Clock => write!(out, "{root}/gateway/clock"),
            Self::Chain => write!(out, "{root}/gateway/chain"),
            Self::Device { area, device, channel } => {
                write!(out, "{root}/{}/{}/{}", area.as_str(), device.as_str(), channel.as_str())
            }
            Self::Station { station, channel } => {
                write!(out, "{root}/stations/{}/", station.as_str())?;
                match channel {
                    StationChannel::Incident(id) => write!(out, "incidents/{id}"),
                    StationChannel::Actions => out.write_str("actions"),
                    StationChannel::Presence => out.write_str("presence"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{BadTopic, Channel, ROOT, StationChannel, Topic};
    use crate::{BadName, Name};
    use std::string::String;

    const UNICODE: bool = cfg!(feature = "unicode");
    const NO_LEVEL: BadName = if UNICODE { BadName::Length } else { BadName::NotPlain };
    const NO_NAME: BadName = if UNICODE { BadName::Character } else { BadName::NotPlain };

    #[test]
    fn what_is_written_is_read_back() {
        let name = |text| Name::new(text).unwrap_or_else(|bad| panic!("{bad}"));
        let devices = Channel::ALL.map(|channel| Topic::Device {
            area: name("banan"),
            device: name("HYD-1"),
            channel,
        });
        let stations =
            [StationChannel::Incident("01J"), StationChannel::Actions, StationChannel::Presence]
                .map(|channel| Topic::Station { station: name("t-1"), channel });
        for topic in devices.into_iter().chain(stations).chain([Topic::Clock, Topic::Chain]) {
            let mut text = String::new();
            assert!(topic.write(ROOT, &mut text).is_ok());
            assert_eq!(Topic::parse(ROOT, &text), Ok(topic), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_wrong_topic_says_what_is_wrong() {
        for (text, why) in [
            ("standpipe/v2/a/d/alarm",                BadTopic::Root),
            ("standpipe/v1",                          BadTopic::Root),
            ("standpipe/v1x/a/d/alarm",               BadTopic::Root),
            ("standpipe/v1/",                         BadTopic::Shape),
            ("standpipe/v1/a/d",                      BadTopic::Shape),
            ("standpipe/v1/a/d/shout",                BadTopic::Shape),
            ("standpipe/v1/a/d/alarm/x",              BadTopic::Shape),
            ("standpipe/v1/a/d/alarm/x/y",            BadTopic::Shape),
            ("standpipe/v1//d/alarm",                 BadTopic::Name(NO_LEVEL)),
            ("standpipe/v1/a/d#d/alarm",              BadTopic::Name(NO_NAME)),
            ("standpipe/v1/stations/s",               BadTopic::Shape),
            ("standpipe/v1/stations/s/incidents",     BadTopic::Shape),
            ("standpipe/v1/stations/s/actions/x",     BadTopic::Shape),
            ("standpipe/v1/stations/s s/actions",     BadTopic::Name(BadName::NotPlain)),
            ("standpipe/v1/stations/消/actions",      BadTopic::Name(BadName::NotPlain)),
            ("standpipe/v1/stations/s/incidents/a b", BadTopic::Name(BadName::NotPlain)),
            ("standpipe/v1/gateway/clock/x",          BadTopic::Shape),
            ("standpipe/v1/gateway/chain/x",          BadTopic::Shape),
            ("standpipe/v1/gateway/d/alarm",          BadTopic::Shape),
        ] {
            assert_eq!(Topic::parse(ROOT, text), Err(why), "{text}");
        }
    }
}
