//! What the gateway says to a device: payload → message, or why not.
//!
//! Which topic a payload came from is the uplink's business; what follows from the message is
//! decided in `node`.

use core::fmt::Write as _;

use heapless::String;
use standpipe_shared::{Channel, Kilopascals, Settings, Verb};

use crate::RecordId;
use crate::json::{self, BadJson, Members};
use crate::outbox::Receipts;

/// The longest id of a command, bytes. Ids are ULIDs of 26, or `settings-` and a number.
pub const ID: usize = 48;

/// The id of a command.
pub type Id = String<ID>;

/// One message of the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// New settings; whether they are sound is not decided yet.
    Settings(Settings),
    /// Something to do once.
    Command {
        /// Repeated in the reply.
        id: Id,
        verb: Verb,
        /// How long it lasts, seconds.
        seconds: Option<u32>,
    },
    /// The gateway's time, Unix milliseconds.
    Clock(i64),
    /// An alarm of ours is on the gateway's disk.
    Receipt(RecordId),
}

/// Why a payload was not understood. It is counted and dropped; the gateway keeps the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not the JSON of this channel, or more than that.
    Json,
    /// A command that this firmware does not know.
    Verb,
    /// The id of a command is empty or longer than [`ID`]: a reply could not name it.
    Id,
    /// No device listens to this channel.
    Channel,
}

impl Malformed {
    /// What the gateway is answered.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Json => "cannot be read: send what the contract says",
            Self::Verb => "unknown command: this firmware is older than it",
            Self::Id => "id is empty or too long: send 1 to 48 bytes",
            Self::Channel => "no device listens to this",
        }
    }
}

/// The id under which what could not be understood is answered, if it has one: that of a command, or
/// `settings-` and the number.
#[must_use]
pub fn id_of(channel: Channel, payload: &[u8]) -> Option<Id> {
    let mut found = None;
    let mut members = Members::of(payload).ok()?;
    // As far as it can be read: what is wrong may come behind it.
    while let Ok(Some((name, value))) = members.member() {
        match (channel, name) {
            (Channel::Command, b"id") => found = json::text(value).ok().map(Id::try_from),
            (Channel::Settings, b"rev") => {
                let mut id = Id::new();
                let rev: u32 = json::whole(value).ok()?;
                // Ten digits at most fit.
                let _ = write!(id, "{}{rev}", Settings::REPLY);
                found = Some(Ok(id));
            }
            _ => {}
        }
    }
    found?.ok().filter(|id| !id.is_empty())
}

impl From<BadJson> for Malformed {
    fn from(_: BadJson) -> Self {
        Self::Json
    }
}

impl Heard {
    /// Reads `{area}/{device}/settings`, `…/command` or `…/receipt`.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong.
    pub fn from_device_topic(channel: Channel, payload: &[u8]) -> Result<Self, Malformed> {
        match channel {
            Channel::Settings => settings(payload).map(Self::Settings),
            Channel::Command => command(payload),
            Channel::Receipt => receipt(payload),
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
        let mut ts = None;
        let mut members = Members::of(payload)?;
        while let Some((name, value)) = members.member()? {
            if name == b"ts" {
                ts = Some(json::whole(value)?);
            }
        }
        ts.map(Self::Clock).ok_or(Malformed::Json)
    }
}

fn settings(payload: &[u8]) -> Result<Settings, Malformed> {
    let (mut rev, mut interval_s, mut sample_s) = (None, None, None);
    let (mut low_kpa, mut no_water_kpa, mut delta_kpa) = (None, None, None);
    let mut members = Members::of(payload)?;
    while let Some((name, value)) = members.member()? {
        match name {
            b"rev" => rev = Some(json::whole(value)?),
            b"interval_s" => interval_s = Some(json::whole(value)?),
            b"sample_s" => sample_s = Some(json::whole(value)?),
            b"low_kpa" => low_kpa = Some(kpa(value)?),
            b"no_water_kpa" => no_water_kpa = Some(kpa(value)?),
            b"delta_kpa" => delta_kpa = Some(kpa(value)?),
            _ => {}
        }
    }
    let all = || {
        Some(Settings {
            rev: rev?,
            interval_s: interval_s?,
            sample_s: sample_s?,
            low_kpa: low_kpa?,
            no_water_kpa: no_water_kpa?,
            delta_kpa: delta_kpa?,
        })
    };
    all().ok_or(Malformed::Json)
}

/// What settings say of the gateway itself: whether it answers alarms. `None`: they cannot be read.
#[must_use]
pub fn receipts(settings: &[u8]) -> Option<Receipts> {
    let mut receipts = Receipts::None;
    let mut members = Members::of(settings).ok()?;
    while let Some((name, value)) = members.member().ok()? {
        if name == b"receipts" && value == b"true" {
            receipts = Receipts::Promised;
        }
    }
    Some(receipts)
}

/// By its numbers: ours are all numbered, and readable.
fn receipt(payload: &[u8]) -> Result<Heard, Malformed> {
    let (mut boot, mut seq) = (None, None);
    let mut members = Members::of(payload)?;
    while let Some((name, value)) = members.member()? {
        match name {
            b"boot" => boot = Some(json::whole(value)?),
            b"seq" => seq = Some(json::whole(value)?),
            _ => {}
        }
    }
    let (boot, seq) = boot.zip(seq).ok_or(Malformed::Json)?;
    Ok(Heard::Receipt(RecordId { boot, seq }))
}

fn kpa(value: &[u8]) -> Result<Kilopascals, Malformed> {
    Kilopascals::new(json::decimal(value)?).map_err(|_| Malformed::Json)
}

fn command(payload: &[u8]) -> Result<Heard, Malformed> {
    let (mut id, mut verb, mut seconds) = (None, None, None);
    let mut members = Members::of(payload)?;
    while let Some((name, value)) = members.member()? {
        match (name, value) {
            (b"id", _) => id = Some(json::text(value)?),
            (b"command", _) => verb = Some(self::verb(json::text(value)?)?),
            (b"seconds", b"null") => {}
            (b"seconds", _) => seconds = Some(json::whole(value)?),
            _ => {}
        }
    }
    let (id, verb) = id.zip(verb).ok_or(Malformed::Json)?;
    let id = Id::try_from(id).ok().filter(|id| !id.is_empty()).ok_or(Malformed::Id)?;
    Ok(Heard::Command { id, verb, seconds })
}

fn verb(name: &str) -> Result<Verb, Malformed> {
    Verb::ALL.into_iter().find(|verb| verb.as_str() == name).ok_or(Malformed::Verb)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Heard, Id, Malformed};
    use crate::RecordId;
    use crate::outbox::Receipts;
    use proptest::prelude::{any, proptest};
    use standpipe_shared::{Channel, Command, Kilopascals, Settings, Verb};
    use std::format;

    #[test]
    fn settings_commands_and_the_clock_are_understood() {
        let json = br#"{"rev":4,"interval_s":900,"sample_s":5,"low_kpa":140,"no_water_kpa":20.5,"delta_kpa":15,"new":{"a":[1,"x"]}}"#;
        let Ok(Heard::Settings(settings)) = Heard::from_device_topic(Channel::Settings, json)
        else {
            panic!("settings")
        };
        let Settings { rev, interval_s, sample_s, no_water_kpa, .. } = settings;
        assert_eq!((rev, interval_s, sample_s), (4, 900, 5));
        assert_eq!(no_water_kpa.get(), 20.5);
        assert_eq!(Ok(settings.low_kpa), Kilopascals::new(140.0));
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
    fn settings_promise_receipts_only_by_saying_so() {
        for (json, promised) in [
            (&br#"{"rev":4,"interval_s":900,"receipts":true}"#[..], Some(Receipts::Promised)),
            (br#"{"rev":4,"receipts":false}"#,                      Some(Receipts::None)),
            (br#"{"rev":4,"receipts":"true"}"#,                     Some(Receipts::None)),
            (br#"{"rev":4}"#,                                       Some(Receipts::None)),
            (br#"{"rev":4,"receipts":true"#,                        None),
            (b"",                                                   None),
        ] {
            assert_eq!(super::receipts(json), promised, "{}", std::string::String::from_utf8_lossy(json));
        }
        let receipt = |json: &[u8]| Heard::from_device_topic(Channel::Receipt, json);
        let ours = Heard::Receipt(RecordId { boot: 3, seq: 18 });
        assert_eq!(receipt(br#"{"boot":3,"seq":18,"more":[1]}"#), Ok(ours));
        for other in [&br#"{"sha256":"00"}"#[..], br#"{"boot":3}"#, br#"{"boot":-3,"seq":18}"#] {
            assert_eq!(receipt(other), Err(Malformed::Json));
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_not_understood_says_why() {
        let long = format!(r#"{{"id":"{}","command":"restart"}}"#, "x".repeat(49));
        for (channel, json, why) in [
            (Channel::Command,   &b""[..],                                   Malformed::Json),
            (Channel::Command,   br#"{"id":"a","command":"explode"}"#,       Malformed::Verb),
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

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_not_understood_is_answered_under_its_id() {
        for (channel, json, id) in [
            (Channel::Command,  &br#"{"id":"01J","command":"explode"}"#[..],       Some("01J")),
            (Channel::Command,  br#"{"command":"explode","id":"01J"}"#,            Some("01J")),
            (Channel::Command,  br#"{"id":"01J","command":"silence","seconds":-"#, Some("01J")),
            (Channel::Command,  br#"{"id":"","command":"explode"}"#,               None),
            (Channel::Command,  br#"{"command":"explode"}"#,                       None),
            (Channel::Command,  b"explode",                                        None),
            (Channel::Settings, br#"{"rev":7,"interval_s":"often"}"#,              Some("settings-7")),
            (Channel::Settings, br#"{"rev":-7}"#,                                  None),
            (Channel::Receipt,  br#"{"id":"01J"}"#,                                None),
        ] {
            let found = super::id_of(channel, json);
            assert_eq!(found.as_deref(), id, "{}", std::string::String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn every_command_of_the_contract_is_known() {
        for command in Verb::ALL {
            let sent = Command { id: "1", command, seconds: None };
            let json = serde_json::to_vec(&sent).unwrap();
            let heard = Heard::from_device_topic(Channel::Command, &json);
            assert!(matches!(heard, Ok(Heard::Command { verb, .. }) if verb == command));
        }
        let null = br#"{"id":"1","command":"restart","seconds":null}"#;
        assert!(Heard::from_device_topic(Channel::Command, null).is_ok());
    }

    proptest! {
        #[test]
        fn what_the_gateway_writes_is_what_is_heard(
            whole in any::<[u32; 3]>(),
            tenths in proptest::array::uniform3(-9_999..99_999_i32),
        ) {
            let [rev, interval_s, sample_s] = whole;
            let kpa = |tenths: i32| Kilopascals::new(tenths as f32 / 10.0).unwrap();
            let [low_kpa, no_water_kpa, delta_kpa] = tenths.map(kpa);
            let wished = Settings { rev, interval_s, sample_s, low_kpa, no_water_kpa, delta_kpa };
            let json = serde_json::to_vec(&wished).unwrap();
            let heard = Heard::from_device_topic(Channel::Settings, &json);
            assert_eq!(heard, Ok(Heard::Settings(wished)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Heard::from_device_topic(Channel::Settings, &bytes);
            let _ = Heard::from_device_topic(Channel::Command, &bytes);
            let _ = Heard::from_clock(&bytes);
            let _ = super::id_of(Channel::Settings, &bytes);
            let _ = super::id_of(Channel::Command, &bytes);
        }
    }
}
