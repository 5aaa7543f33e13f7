//! What is true of a device, a zone, an area: the conditions of `shared/README.md`, judged on
//! event time.
//!
//! | file | decides |
//! |---|---|
//! | [`memory`] | what is remembered of one device, and its stored form |
//! | [`admit`] | duplicate or new, late or young, which millisecond it gets; the ledger |
//! | [`time`] | whether a message is live, from a backlog, or of a wrong clock |
//! | [`track`] | dwell and hysteresis of one condition |
//! | [`signals`] | what one reading says of each condition |
//! | [`fresh`] | when each measurement was made; a device that speaks and does not measure |
//! | [`supervise`] | devices that were never heard, or never understood |
//! | [`judge`] | a reading, an alarm, a silence → facts; hold and release of a backlog |
//! | `retained` | what the broker had kept: old, and nobody knows how old |
//! | `trust` | whether a hydrant can be sent to |
//! | [`watch`] | all devices: whom a message is about, everybody's deadlines |
//! | [`zone`] | many hydrants low together; many devices silent together |
//!
//! Not here: what people are told of it (`incidents`).

pub mod admit;
pub mod fresh;
pub mod judge;
pub mod memory;
mod retained;
pub mod signals;
pub mod supervise;
pub mod time;
pub mod track;
mod trust;
pub mod watch;
pub mod zone;

#[cfg(test)]
mod drills;

pub use memory::{BadMemory, Memory};
pub use trust::{HydrantNow, Trust, TrustReason};
pub use watch::Watch;
