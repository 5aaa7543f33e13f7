//! Incidents: what people handle, and who is told when. To come.

mod action;

pub use action::{Action, ActionKind};

/// An incident's id.
pub type IncidentId = ulid::Ulid;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// Somebody says it is done.
    Resolved,
    /// Evidence is being collected that it is.
    Verifying,
    /// It is over.
    Closed,
}

/// Why an action was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such incident.
    Unknown,
    /// Not in this state.
    NotNow {
        /// The state.
        state: State,
    },
}
