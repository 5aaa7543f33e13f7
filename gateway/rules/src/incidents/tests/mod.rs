//! Drills: what is found and done at which time, and everything that must follow, line by line.
//!
//! The language is in [`drill`] and [`commands`], the place in [`town`]; every drill runs twice, the second time with a restart before
//! every line.

mod announce;
mod authority;
mod blind;
mod bundles;
mod commands;
mod confirm;
mod damp;
pub mod drill;
mod fire;
mod hour;
mod ids;
mod kept;
mod many;
mod people;
mod preview;
pub mod property;
mod queue;
mod quiet;
mod receivers;
mod recovered;
mod town;
mod undo;
mod water;
mod water_for_fire;
mod wire;
