//! Incidents: what people handle, and who is told when.
//!
//! A [`crate::Fact`] comes in, or a person's [`Action`], or time passes; what follows goes out
//! as [`crate::Changes`]. The [`Book`] owns every open incident and nothing else does.
//!
//! | file | idea |
//! |---|---|
//! | [`state`] | every way an incident can go: one table |
//! | [`incident`] | one incident and what is true of it |
//! | [`book`] | all open incidents, how they are found, kept and restored |
//!
//! Not here: what makes a condition true (`detect`), how a page travels (`standpipe::notify`).

mod action;
mod book;
mod incident;
mod plan;
mod state;
mod title;
mod wire;

pub use action::{Action, ActionKind, Refused};
pub use book::{Book, Meta, Saved, View};
pub use incident::{Incident, Member, Quiet};
pub use plan::{Plan, Role, Route, Steps};
pub use state::{Event, Outcome, State, step};
pub use wire::{NearHydrant, Text, WireDevice, WireIncident};

/// An incident's id.
pub type IncidentId = ulid::Ulid;
