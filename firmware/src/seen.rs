//! What a device has seen since it was last asked to decide: the input of [`crate::node`].
//!
//! The board fills it: it runs the drivers that [`crate::Wanted`] asked for, reads the contacts,
//! and passes on one message of the gateway at a time.

use standpipe_shared::{Celsius, Degrees, Kilopascals, Milliamps};

use crate::Heard;

/// Why a sensor has no value. What the node does about it does not depend on which chip it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not answer: no acknowledgement on the bus, or silence until the time-out.
    Silent,
    /// It answers garbage: a wrong checksum, length, address or identity.
    Garbled,
    /// It says itself that it cannot measure: a Modbus exception, an error flag.
    Refused,
    /// A 4–20 mA loop below 3.6 mA: a broken wire (NAMUR NE 43).
    WireBroken,
    /// A 4–20 mA loop above 21 mA: a short circuit, or a broken transmitter (NAMUR NE 43).
    OverCurrent,
    /// Outside what a working sensor can report.
    OutOfRange,
    /// A chamber sees less light than clean air scatters: its emitter is dead or dying.
    Dark,
}

/// What the pressure sensor says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// Gauge pressure; or why there is none.
    pub kpa: Result<Kilopascals, Fault>,
    /// The raw signal of a 4–20 mA loop, also when it is outside the limits.
    pub loop_ma: Option<Milliamps>,
}

/// What the photoelectric chamber says, raw: counts of the analog front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoke {
    /// Scattered light of the blue (or only) emitter, ambient light removed.
    pub blue: u32,
    /// The same of the infrared emitter, when there is one.
    pub infrared: Option<u32>,
}

/// Contacts and switches; `None`: this device has none such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Water is in the barrel.
    pub flowing: Option<bool>,
    /// A cap is off.
    pub cap_open: Option<bool>,
    /// The case is open, or a detector is off its base.
    pub case_open: Option<bool>,
}

/// What somebody at the device does with its button, or with a magnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// A short press: hush while there is an alarm, otherwise report now.
    Press,
    /// A long press: self-test of a detector; live mode of a hydrant for the crew.
    Hold,
}

/// What the uplink is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// The modem sleeps.
    #[default]
    Asleep,
    /// It connects, or waits for the next retry.
    Connecting,
    /// The broker answers.
    Online,
}

/// Everything a step decides on. [`Seen::default`]: nothing was asked and nothing happened.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `None`: not asked for.
    pub pressure: Option<Pressure>,
    /// `None`: not asked for.
    pub temp: Option<Result<Celsius, Fault>>,
    /// From vertical, 0 to 180. `None`: not asked for.
    pub tilt: Option<Result<Degrees, Fault>>,
    /// `None`: not asked for.
    pub smoke: Option<Result<Smoke, Fault>>,
    /// In mV. `None`: not asked for.
    pub battery_mv: Option<Result<i32, Fault>>,
    /// As they are now; always filled.
    pub contacts: Contacts,
    /// Signal strength, dBm, when the modem has said it.
    pub rssi_dbm: Option<i32>,
    /// What somebody at the device did.
    pub hand: Option<Hand>,
    /// What the uplink is doing.
    pub link: Link,
    /// One message of the gateway.
    pub heard: Option<Heard>,
    /// What the self-test found that [`crate::Actions::self_test`] asked for.
    pub self_test: Option<Result<(), Fault>>,
}
