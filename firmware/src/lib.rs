//! The device: what a hydrant node or a smoke detector does, on any board and on the host.
//!
//! ```text
//! sensors ─▶ filter ─▶ hydrant | smoke ─▶ node: step(seen, now) ─▶ actions ─▶ outbox ─▶ uplink
//! ```
//!
//! | module | decides (no clock, no I/O) |
//! |---|---|
//! | [`node`] | the whole device: [`Seen`] in, [`Actions`] out |
//! | [`hydrant`], [`smoke`] | what their sensors' values mean |
//! | [`filter`], [`watch`] | median and extremes; dwell and hysteresis of one condition |
//! | [`rhythm`] | when to measure and when to report |
//! | `orders`, [`sounder`] | commands, settings, button; what is heard in the room |
//! | [`press`] | whether the button was pressed or held |
//! | [`start`], [`memory`] | how a boot begins; what survives it |
//! | [`power`] | how long a battery lasts, and what rare samples cost |
//! | [`record`] | one unsent message, compact in flash, JSON on the wire |
//! | [`clock`] | Unix time from the gateway's clock; the time of readings older than that |
//! | [`heard`] | what the gateway said: bytes → settings, command, clock, or why not |
//! | [`identity`] | who the device is and whom it talks to: its page of storage |
//! | [`pulse`] | whether every task makes progress, so that the watchdog is fed |
//! | [`json`] | as much of it as numbers need, in a tenth of the flash |
//! | [`settings`] | those it starts with, and why it refuses others |
//!
//! | module | talks to the world |
//! |---|---|
//! | [`sensors`] | one chip, one file |
//! | [`life`] | the node's task: senses, lets the node decide, does what it says |
//! | [`eeprom`] | an I2C EEPROM as the flash that the outbox wants |
//! | [`outbox`] | unsent messages in flash: alarms first, losses counted |
//! | [`uplink`] | the MQTT session over any byte stream |
//!
//! Boards (`board-…`) own pins, interrupts and the executor; they fill [`Seen`] and do
//! [`Actions`]. Nothing here allocates, and nothing depends on one executor.
#![no_std]
#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

pub mod actions;
mod buffer;
pub mod clock;
pub mod eeprom;
pub mod filter;
pub mod heard;
pub mod hydrant;
pub mod identity;
pub mod json;
pub mod life;
pub mod memory;
pub mod node;
mod orders;
pub mod outbox;
pub mod power;
pub mod press;
pub mod pulse;
pub mod record;
pub mod rhythm;
pub mod seen;
pub mod sensors;
pub mod settings;
pub mod smoke;
pub mod sounder;
pub mod start;
pub mod uplink;
mod uptime;
pub mod watch;

pub use actions::{Actions, CommandAnswer, Detail, Radio, Sounder, Wanted};
pub use heard::Heard;
pub use memory::Memory;
pub use node::Node;
pub use record::{Class, Moment, Record, RecordId, Shout};
pub use seen::{Contacts, Fault, Hand, Link, Pressure, Seen, Smoke};
pub use start::{Reset, ResetFlags, Start};
pub use uptime::Uptime;
