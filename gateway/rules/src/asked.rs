//! What people may ask of devices, and why not; one command, from a wish to its answer.

mod command;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Kilopascals, Kind, Settings, SettingsFault, Verb};

use crate::Ms;
use crate::registry::Profile;

pub use command::{CommandState, DeviceCommand};

/// For how long a command may be waited for, seconds: at most a week.
pub const EXPIRES_S: RangeInclusive<u32> = 1..=604_800;
/// Seconds between samples, where nobody says: shared/README.md.
const SAMPLE_S: u32 = 5;
/// A change that is reported at once, where nobody says, kPa: shared/README.md.
const DELTA_KPA: f32 = 15.0;

/// Of what settings are wished.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// One device, by its id.
    Device(Box<str>),
    /// All devices of a profile that have none of their own.
    Profile(Box<str>),
}

/// Settings a device can run, not numbered yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wish(Settings);

impl Wish {
    /// These, whatever their number.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(settings: Settings) -> Result<Self, Vec<SettingsFault>> {
        let faults: Vec<_> = settings.faults().collect();
        if faults.is_empty() { Ok(Self(Settings { rev: 0, ..settings })) } else { Err(faults) }
    }

    /// What follows from the numbers that judge a device, as far as nobody says otherwise. It
    /// may be outside the limits of a device: [`Self::new`] says so.
    #[must_use]
    pub fn from_profile(profile: &Profile) -> Settings {
        let kpa = |number| Kilopascals::new(number).unwrap_or(Kilopascals::ZERO);
        Settings {
            rev: 0,
            interval_s: profile.interval_s,
            sample_s: SAMPLE_S.min(profile.interval_s),
            low_kpa: kpa(profile.min_kpa),
            no_water_kpa: kpa(profile.no_water_kpa),
            delta_kpa: kpa(DELTA_KPA),
        }
    }

    /// What keeps a device of this kind from running them, if anything does.
    #[must_use]
    pub fn refused_by(&self, kind: Kind) -> Option<OrderRefused> {
        match self.0.fault_for(kind)? {
            SettingsFault::Seconds { field, value, least, most } => {
                Some(OrderRefused::CannotRun { field, value, least, most, kind })
            }
            // No kind has limits of its own for these.
            SettingsFault::Pressure { .. }
            | SettingsFault::SampleOverInterval { .. }
            | SettingsFault::NoWaterOverLow { .. } => None,
        }
    }

    /// As a device is told.
    #[must_use]
    pub const fn numbered(self, rev: u32) -> Settings {
        Settings { rev, ..self.0 }
    }
}

/// A wish, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wished {
    pub wish: Wish,
    pub by: Box<str>,
    pub at: Ms,
}

/// A command as somebody asks for it. Only [`CommandRequest::new`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    pub(super) verb: Verb,
    pub(super) seconds: Option<u32>,
    pub(super) expires_ms: Option<Ms>,
    pub(super) by: Box<str>,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// `seconds` outside its limits.
    #[error("seconds is {value}: set {} to {} for {}", .most.start(), .most.end(), .verb.as_str())]
    Seconds { value: u32, most: RangeInclusive<u32>, verb: Verb },
    /// `seconds` of a command that is over when it is done.
    #[error("seconds is {value}: leave it out for {}", .verb.as_str())]
    NoSpan { value: u32, verb: Verb },
    /// `expires_s` outside its limits.
    #[error("expires_s is {value}: set {} to {}", EXPIRES_S.start(), EXPIRES_S.end())]
    Expires { value: u32 },
}

impl BadCommand {
    /// The member to change.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Seconds { .. } | Self::NoSpan { .. } => "seconds",
            Self::Expires { .. } => "expires_s",
        }
    }
}

impl CommandRequest {
    /// A command, for so many seconds, waited for so long. Without `expires_s` it waits as long
    /// as silence is borne with: three intervals of the device, and at least its profile's least.
    ///
    /// # Errors
    /// [`BadCommand`], each fault there is.
    pub fn new(
        verb: Verb,
        seconds: Option<u32>,
        expires_s: Option<u32>,
        by: &str,
    ) -> Result<Self, Vec<BadCommand>> {
        let mut bad = Vec::new();
        match (seconds, verb.seconds()) {
            (Some(value), Some(most)) if !most.contains(&value) => {
                bad.push(BadCommand::Seconds { value, most, verb });
            }
            (Some(value), None) => bad.push(BadCommand::NoSpan { value, verb }),
            (Some(_), Some(_)) | (None, _) => {}
        }
        let wrong = expires_s.filter(|seconds| !EXPIRES_S.contains(seconds));
        bad.extend(wrong.map(|value| BadCommand::Expires { value }));
        let expires_ms = expires_s.map(|seconds| Ms::from(seconds) * 1_000);
        if bad.is_empty() {
            Ok(Self { verb, seconds, expires_ms, by: by.into() })
        } else {
            Err(bad)
        }
    }

    /// The same, waited for so long where nobody said how long.
    pub(crate) fn within(self, usual: Ms) -> Self {
        Self { expires_ms: self.expires_ms.or(Some(usual)), ..self }
    }
}

/// What somebody orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Settings of a device or a profile; `None`: no longer any.
    Settings {
        of: Of,
        wish: Option<Wish>,
        by: Box<str>,
    },
    Command {
        device: Box<str>,
        asked: CommandRequest,
    },
}

/// Why an order is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    #[error("no such device: look at the list again")]
    UnknownDevice,
    #[error("no such profile: look at the configuration")]
    UnknownProfile,
    /// Settings that some device they are for cannot run, and why.
    #[error("{field} is {value} s: set {least} to {most} s for a {} device", .kind.as_str())]
    CannotRun { field: &'static str, value: u32, least: u32, most: u32, kind: Kind },
    /// Too many commands wait for this device.
    #[error("{most} commands wait for this device: let it answer, or let them expire")]
    TooMany { most: usize },
}
