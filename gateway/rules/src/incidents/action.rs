//! What a person at a station does to an incident, and why it may be refused.

use serde::{Deserialize, Serialize};

use super::{IncidentId, State};

/// One action, as it came from a station's topic or from the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// On what.
    pub incident: IncidentId,
    /// What.
    #[serde(rename = "action")]
    pub kind: ActionKind,
    /// Who, in their own words.
    #[serde(default)]
    pub by: Box<str>,
    /// What they wrote.
    #[serde(default)]
    pub note: Box<str>,
}

/// The actions of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A terminal showed it.
    Shown,
    /// Somebody takes it.
    Acknowledge,
    /// Somebody was sent.
    Dispatch,
    /// Somebody is there.
    Arrive,
    /// Somebody writes something.
    Comment,
    /// It is done.
    Resolve,
    /// There was nothing.
    FalseAlarm,
}

/// Why an act has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A station that nobody registered.
    #[error("the station is not registered: nobody may act for it")]
    Unregistered,
    /// Neither their station nor one below it was told of the incident.
    #[error("the station was not told of the incident: ask one that was, or the one above it")]
    NotTold,
    /// Their role may not do that.
    #[error("the role may not do that: ask an officer")]
    NotAllowed,
    /// No open incident of that id.
    #[error("no such open incident: look at the list again")]
    Unknown,
    /// Not while it stands there.
    #[error("the incident is {}: look at it again", state.as_str())]
    NotNow {
        /// Where it stands.
        state: State,
    },
}
