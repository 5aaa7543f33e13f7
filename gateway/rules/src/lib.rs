//! The part of the gateway that decides. No clock, no I/O, no async: `now` is an argument, and
//! what follows from an event is returned as [`Changes`], which the shell commits in one
//! transaction before it acknowledges anything.
//!
//! ```text
//! bytes ─ wire ─▶ Message ─▶ World ─▶ detect (one device, zone, area) ─▶ Fact ─▶ incidents ─▶ Changes
//! ```
//!
//! | module | decides |
//! |---|---|
//! | [`wire`] | topic and bytes → message, or why not |
//! | [`registry`] | stations, devices, profiles; their files |
//! | [`detect`] | what is true of a device, a zone, an area |
//! | [`incidents`] | what people handle, and who is told when |
//! | [`state`] | where an incident stands, and every way it can go: one table |
//! | [`action`] | what people do to an incident, and who they are |
//! | [`orders`] | settings and commands: what is asked of devices, and how far that has got |
//! | [`pace`] | what a receiver is sent now, one by one or in bundles |
//! | [`asked`] | what people may ask of devices; one command |
//! | [`chain`] | when the chain's heartbeat is too old |
//! | [`lease`] | which of several gateways on copies of one store pages |
//! | [`world`] | the order of all that: one `step` |
//! | [`status`] | what of a device's own word about itself is kept |
//! | [`conditions`] | of what each condition can be true, who may find it, its words: a row each |
//! | [`coded`] | a code with its parts, as a store keeps it |
//! | [`trail`] | what a line of an incident's trail says, as a code and in words |
//! | [`digest`] | which notices are told of once a day |
//! | [`shift`] | what happens to what is remembered when the gateway's clock is set |
//! | [`plain`](plain()) | how a text that somebody sent may stand beside others |
//! | [`flow`] | what a hydrant can give, from a flow test |
//! | [`backtest`] | the same rules over recorded readings |
//!
//! Not here: where changes are kept (`standpipe_store`), how pages travel (`standpipe_notify`).

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod action;
pub mod asked;
pub mod backtest;
#[cfg(test)]
mod cases;
pub mod chain;
pub mod changes;
pub mod coded;
mod compact;
pub mod conditions;
pub mod detect;
pub mod digest;
pub mod fact;
pub mod flow;
pub mod incidents;
pub mod lease;
pub mod orders;
pub mod pace;
mod plain;
pub mod registry;
pub mod selftest;
pub mod shift;
pub mod state;
pub mod status;
pub mod trail;
pub mod wire;
pub mod world;

pub use changes::Changes;
pub use fact::Fact;
pub use plain::plain;
pub use world::World;

/// Unix milliseconds, UTC; or a span of milliseconds where the name says so.
pub type Ms = i64;
/// 60 seconds, ms.
pub const MINUTE_MS: Ms = 60_000;
/// 60 minutes, ms.
pub const HOUR_MS: Ms = 60 * MINUTE_MS;
/// A day of 24 hours, ms; a day of the calendar may have 23 or 25.
pub const DAY_MS: Ms = 24 * HOUR_MS;
