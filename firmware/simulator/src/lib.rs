//! A town of simulated devices: hydrants on mains, detectors in high-rises and homes, and what
//! happens to them. Seeded and repeatable: the same seed and the same times give the same bytes.
//!
//! ```text
//! places ─▶ layout ─┐
//! happenings ───────┴─▶ world (what is felt) ─▶ node (what is said) ─▶ Outgoing ─▶ publish
//! ```
//!
//! What a device makes of what it feels is decided by the firmware itself: `standpipe-firmware`,
//! the same library that runs on a board.
//!
//! Everything but [`publish`] is pure: no clock, no I/O, `now` is an argument. Real time is kept
//! (`ts` is the moment of the sample); only the day, with its thirsty hours, can be shorter.
//! Settings and commands of the gateway reach the devices through [`Town::hear`].

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

mod chance;
mod happenings;
mod layout;
mod node;
mod places;
pub mod publish;
mod story;
mod town;
mod world;

pub use layout::RegistryCsv;
pub use story::{Story, StoryLine};
pub use town::{Town, TownMessage, TownPlan, TownScript};

/// Unix milliseconds, UTC; or a span of milliseconds where the name says so.
pub type Ms = i64;
