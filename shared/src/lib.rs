//! What a device and the gateway must agree on: units, names, topics, messages, conditions.
//!
//! Here is the wire language of `standpipe/v1` and nothing else: no clock, no I/O, no allocation.
//! What follows from a message is decided in `standpipe-rules` (gateway) and
//! `standpipe-firmware` (device).
#![no_std]
#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

mod chance;
mod command;
mod condition;
mod name;
mod reading;
mod receipt;
mod settings;
mod status;
mod topic;
mod units;

pub use chance::SplitMix64;
pub use command::{Command, Reply, Verb};
pub use condition::{Class, Condition, Kind, Severity, UnknownCondition};
#[cfg(feature = "unicode")]
pub use name::is_hidden;
pub use name::{BadName, Name};
pub use reading::{Alarm, Field, Measurements, Reading, Shape};
pub use receipt::ReceivedAlarm;
pub use settings::{Settings, SettingsFault};
pub use status::Status;
pub use topic::{BadTopic, Channel, ROOT, StationChannel, Topic};
pub use units::{Celsius, DecibelsPerMetre, Degrees, Kilopascals, Milliamps, NotFinite, Percent};
