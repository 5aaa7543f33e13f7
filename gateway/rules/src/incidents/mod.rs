//! Incidents: what people handle, and who is told when. To come.

mod action;

pub use action::{Action, ActionKind};

/// An incident's id.
pub type IncidentId = ulid::Ulid;
