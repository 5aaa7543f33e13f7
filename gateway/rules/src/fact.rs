//! What detection tells the incidents: a condition began or ended.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use crate::Ms;
use crate::registry::DeviceIx;

/// Of what a condition is true.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One device.
    Device(DeviceIx),
    /// A pressure zone, by name.
    Zone(Box<str>),
    /// The devices of a station, by the station's id.
    Area(Box<str>),
    /// The gateway itself.
    Gateway,
}

/// Something began or ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A condition became true: told once, when it is to be acted on.
    Raised(Raised),
    /// A condition told as raised is no longer true. For a fire: its detector cleared, which
    /// closes nothing.
    Cleared {
        /// Of what.
        subject: Subject,
        /// Which.
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
    TestBecameReal {
        /// The detector.
        device: DeviceIx,
        /// Which.
        condition: Condition,
    },
    /// Pressure held above the clear limit for the whole of the covered time asked for.
    Verified {
        /// The hydrant.
        device: DeviceIx,
        /// Event time of the reading that completed it.
        at: Ms,
    },
    /// 24 h of silence or fault while verifying.
    Unverified {
        /// The hydrant.
        device: DeviceIx,
        /// When that was found.
        at: Ms,
    },
    /// Something that fire incidents show of a hydrant may have changed (its trust).
    Hydrant {
        /// The hydrant.
        device: DeviceIx,
    },
}

/// How a condition began.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// Of what.
    pub subject: Subject,
    /// Which.
    pub condition: Condition,
    /// Event time of the first offending reading.
    pub since: Ms,
    /// When the message that made it true was measured.
    pub measured_at: Ms,
    /// When that message arrived (arrival clock).
    pub received_at: Ms,
    /// Seconds between `measured_at` and `received_at` when it came late (backlog); else 0.
    pub late_s: u32,
    /// Somebody tests the detector.
    pub test: bool,
    /// Zone and area: the devices that make it true; they become its children.
    pub members: Vec<DeviceIx>,
}
