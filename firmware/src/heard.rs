//! What the gateway says to a device: payload → message, or why not.
//!
//! Which topic a payload came from is the uplink's business; what follows from the message is
//! decided in `node`.

use heapless::String;
use serde::Deserialize;
use standpipe_shared::{Channel, Command, Settings, Verb};

/// The longest id of a command, bytes. Ids are ULIDs of 26, or `settings-` and a number.
pub const ID: usize = 48;

/// The id of a command.
pub type Id = String<ID>;

/// One message of the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// New settings; whether they are sound is not decided yet.
    Settings(Settings),
    /// A command.
    Command {
        /// Named again in the reply.
        id: Id,
        /// What to do.
        verb: Verb,
        /// For how long, seconds.
        seconds: Option<u32>,
    },
    /// Unix milliseconds.
    Clock(i64),
}

/// Why a payload was not understood. It is counted and dropped; the gateway keeps the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not the JSON of this channel, or more than that.
    Json,
    /// The id of a command is empty or longer than [`ID`]: a reply could not name it.
    Id,
    /// No device listens to this channel.
    Channel,
}

#[derive(Deserialize)]
struct ClockMessage {
    ts: i64,
}

impl Heard {
    /// Reads `{area}/{device}/settings` or `…/command`.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong.
    pub fn from_device_topic(channel: Channel, payload: &[u8]) -> Result<Self, Malformed> {
        match channel {
            Channel::Settings => Ok(Self::Settings(whole(payload)?)),
            Channel::Command => {
                let it: Command<'_> = whole(payload)?;
                let id = Id::try_from(it.id).map_err(|_| Malformed::Id)?;
                if id.is_empty() {
                    return Err(Malformed::Id);
                }
                Ok(Self::Command { id, verb: it.command, seconds: it.seconds })
            }
            Channel::Telemetry | Channel::Alarm | Channel::Status | Channel::Reply => {
                Err(Malformed::Channel)
            }
        }
    }

    /// Reads `gateway/clock`.
    ///
    /// # Errors
    /// [`Malformed::Json`]
    pub fn from_clock(payload: &[u8]) -> Result<Self, Malformed> {
        Ok(Self::Clock(whole::<ClockMessage>(payload)?.ts))
    }
}

/// The whole payload is this message, and nothing but white space follows.
fn whole<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Malformed> {
    let (message, read) = serde_json_core::from_slice(payload).map_err(|_| Malformed::Json)?;
    let rest = payload.get(read..).unwrap_or_default();
    if rest.iter().all(u8::is_ascii_whitespace) { Ok(message) } else { Err(Malformed::Json) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Heard, Id, Malformed};
    use proptest::prelude::{any, proptest};
    use standpipe_shared::{Channel, Kilopascals, Settings, Verb};
    use std::format;

    #[test]
    fn settings_commands_and_the_clock_are_understood() {
        let json = br#"{"rev":4,"interval_s":900,"sample_s":5,"low_kpa":140,"no_water_kpa":20.5,"delta_kpa":15,"new":{"a":[1,"x"]}}"#;
        let Ok(Heard::Settings(it)) = Heard::from_device_topic(Channel::Settings, json) else {
            panic!("settings")
        };
        let Settings { rev, interval_s, sample_s, no_water_kpa, .. } = it;
        assert_eq!((rev, interval_s, sample_s), (4, 900, 5));
        assert_eq!(no_water_kpa.get(), 20.5);
        assert_eq!(Ok(it.low_kpa), Kilopascals::new(140.0));
        let json = br#"{"id":"01J","command":"silence","seconds":600} "#;
        let id = Id::try_from("01J").unwrap_or_default();
        let silence = Heard::Command { id: id.clone(), verb: Verb::Silence, seconds: Some(600) };
        assert_eq!(Heard::from_device_topic(Channel::Command, json), Ok(silence));
        let json = br#"{"id":"01J","command":"report_now"}"#;
        let report = Heard::Command { id, verb: Verb::ReportNow, seconds: None };
        assert_eq!(Heard::from_device_topic(Channel::Command, json), Ok(report));
        assert_eq!(
            Heard::from_clock(br#"{"ts":1764000000000}"#),
            Ok(Heard::Clock(1_764_000_000_000))
        );
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_not_understood_says_why() {
        let long = format!(r#"{{"id":"{}","command":"restart"}}"#, "x".repeat(49));
        for (channel, json, why) in [
            (Channel::Command,   &b""[..],                                   Malformed::Json),
            (Channel::Command,   br#"{"id":"a","command":"explode"}"#,       Malformed::Json),
            (Channel::Command,   br#"{"id":"","command":"restart"}"#,        Malformed::Id),
            (Channel::Command,   long.as_bytes(),                            Malformed::Id),
            (Channel::Command,   br#"{"id":"a","command":"restart"}}"#,      Malformed::Json),
            (Channel::Command,   br#"{"id":"a","command":"silence","seconds":-1}"#, Malformed::Json),
            (Channel::Settings,  br#"{"rev":1}"#,                            Malformed::Json),
            (Channel::Telemetry, br#"{}"#,                                   Malformed::Channel),
        ] {
            let heard = Heard::from_device_topic(channel, json);
            assert_eq!(heard, Err(why), "{}", std::string::String::from_utf8_lossy(json));
        }
        assert_eq!(Heard::from_clock(br#"{"ts":"now"}"#), Err(Malformed::Json));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Heard::from_device_topic(Channel::Settings, &bytes);
            let _ = Heard::from_device_topic(Channel::Command, &bytes);
            let _ = Heard::from_clock(&bytes);
        }
    }
}
