//! The MQTT 5 session of a device, over any byte stream that a modem opens.
//!
//! ```text
//! node's task                      uplink's task: Uplink::run()
//! actions ─▶ Post ─▶ desk ─▶ retry  when to dial                 (decides)
//!                            talk   what to say next, when to go (decides)
//!                            session one connection              (rust-mqtt)
//! seen    ◀─ Post ◀─ heard ◀─────────┘   ▲ bytes ▼
//!                            modem  dial, hang up, sleep
//! ```
//!
//! - A message leaves the outbox when the broker has acknowledged it, never before; so every
//!   message arrives at least once, and the gateway knows a repeat by boot and number.
//! - Alarms, answers and the status go one way, readings another: an alarm never waits for the
//!   acknowledgement of readings.
//! - The session outlives the connection (no clean start): a command that was sent while the
//!   modem slept comes at the next connection.
//! - What the broker sends is bounded by [`MAX_PACKET`], which CONNECT announces; more, or
//!   anything that is not MQTT, ends the connection, never the device.
//!
//! What is said is made by `node`; where it waits is [`crate::outbox`].

mod at;
pub mod bg95;
mod mailbox;
mod modem;
mod post;
mod retry;
mod run;
mod session;
mod talk;
mod words;

pub use modem::{
    AtModem, DENIED_S, DialFault, Modem, ModemFacts, NETWORK_S, NoPin, REGISTER_S, Recovery, Script,
};
pub use post::Post;
pub use retry::{Away, ClockHeard, Ended, Retry};
pub use run::Uplink;
pub use talk::{
    ClockPatience, Habits, SessionState, Stay, Talk, Turn, UplinkBacklog, UplinkEvent,
    UplinkMessage,
};

use standpipe_shared::Name;

/// No packet of the broker is longer, bytes; CONNECT says so, and the broker keeps longer ones
/// to itself. A command is about 100, settings about 150, a topic at most 150.
pub const MAX_PACKET: usize = 512;
/// The longest topic: root, area and device of 48 each, and what stands between them.
pub const TOPIC_MAX: usize = 160;

/// Who this device is to the broker.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The root of all topics; [`standpipe_shared::ROOT`] unless the gateway says otherwise.
    /// At most 48 bytes.
    pub root: &'a str,
    /// The code of the township that installed it.
    pub area: Name<'a>,
    /// The device; also its client identifier.
    pub device: Name<'a>,
    /// For the broker's password file.
    pub user: Option<&'a str>,
    /// For the broker's password file.
    pub password: Option<&'a [u8]>,
}
