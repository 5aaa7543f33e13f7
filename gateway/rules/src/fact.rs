//! What detection tells the incidents: a condition began or ended.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use crate::Ms;
use crate::registry::DeviceIx;

/// Of what a condition is true.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Device(DeviceIx),
    /// A pressure zone, by name.
    Zone(Box<str>),
    /// The devices of a station, by the station's id.
    Area(Box<str>),
    Gateway,
    /// What was sent to a topic that names no device, by the topic, escaped; empty: to any of many.
    Topic(Box<str>),
    /// A receiver of pages, by its name in the configuration.
    Receiver(Box<str>),
}

impl Subject {
    /// The device, if it is one.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceIx> {
        match self {
            Self::Device(ix) => Some(*ix),
            Self::Zone(_) | Self::Area(_) | Self::Gateway | Self::Topic(_) | Self::Receiver(_) => {
                None
            }
        }
    }
}

/// Something began or ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A condition became true: told once, when it is to be acted on.
    Raised(Raised),
    /// A condition told as raised is no longer true. For a fire: its detector cleared, which
    /// closes nothing.
    Cleared {
        subject: Subject,
        condition: Condition,
        /// Event time of the first reading of the run that cleared it.
        at: Ms,
    },
    /// A condition began and ended within a backlog: recorded, never paged.
    Passed {
        /// As it would have been told.
        raised: Raised,
        /// Event time of its end.
        cleared_at: Ms,
    },
    /// A detector's `test:true` alarm has lasted 10 minutes: it is a real fire now.
    TestBecameReal { device: DeviceIx, condition: Condition },
    /// Pressure held above the clear limit for the whole of the covered time asked for.
    Verified {
        device: DeviceIx,
        /// Event time of the reading that completed it.
        at: Ms,
    },
    /// 24 h of silence or fault while verifying.
    Unverified {
        device: DeviceIx,
        /// When that was found.
        at: Ms,
    },
    /// Something that fire incidents show of a hydrant may have changed (its trust).
    Hydrant { device: DeviceIx },
}

/// How a condition began.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    pub subject: Subject,
    pub condition: Condition,
    /// Event time of the first offending reading.
    pub since: Ms,
    /// When the message that made it true was measured.
    pub measured_at: Ms,
    /// When that message arrived (arrival clock).
    pub received_at: Ms,
    /// Seconds between `measured_at` and `received_at` when it came late (backlog); of a fire, how old
    /// its device takes it to be, if that is more than one interval; else 0.
    pub late_s: u32,
    /// Somebody tests the detector.
    pub test: bool,
    /// Zone and area: the devices that make it true; they become its children.
    pub members: Vec<DeviceIx>,
    /// Why it is true, where a condition can be true in more than one way.
    pub reason: Option<Reason>,
}

/// The moments of a beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// Event time of the first offending reading.
    pub since: Ms,
    /// When the message that made it true was measured.
    pub measured_at: Ms,
    /// When that message arrived (arrival clock).
    pub received_at: Ms,
}

impl Moments {
    /// All of them at one moment.
    #[must_use]
    pub const fn at(now: Ms) -> Self {
        Self { since: now, measured_at: now, received_at: now }
    }
}

impl Raised {
    /// In time, in earnest, of nothing but its subject.
    #[must_use]
    pub const fn new(subject: Subject, condition: Condition, moments: Moments) -> Self {
        let Moments { since, measured_at, received_at } = moments;
        Self {
            subject,
            condition,
            since,
            measured_at,
            received_at,
            late_s: 0,
            test: false,
            members: Vec::new(),
            reason: None,
        }
    }
}

/// Why a condition is true, where it can be true in more than one way: a code, put into words by
/// whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// `offline`: not heard since it was registered, or since the gateway first ran.
    Never,
    /// `sensor_fault`: it is heard, and does not measure what a device of its kind must.
    NoMeasurement,
    /// A retained message says so: nobody knows since when.
    SinceUnknown,
    /// `gateway_blind`: there is a broker, and the gateway's own heartbeat does not come through.
    NoHeartbeat,
}

impl Reason {
    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::NoMeasurement => "no_measurement",
            Self::SinceUnknown => "since_unknown",
            Self::NoHeartbeat => "no_heartbeat",
        }
    }
}
