//! What people do to an incident, who they are, and why it may be refused. Whether it is, is decided
//! in `incidents::act` and `incidents::authority`.

use serde::{Deserialize, Serialize};

use crate::state::{IncidentId, State};

/// One action, as it came from a station's topic or from the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub incident: IncidentId,
    #[serde(rename = "action")]
    pub kind: ActionKind,
    /// Who, in their own words.
    #[serde(default)]
    pub by: Box<str>,
    #[serde(default)]
    pub note: Box<str>,
    /// The `version` of the incident that was on the screen; empty: it is done whatever was shown.
    #[serde(default)]
    pub seen: Box<str>,
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
    /// The word that it is over is taken back, while it can be.
    Undo,
    /// It is not over, or whoever took it can't go: it is to be looked at anew.
    Reopen,
}

impl ActionKind {
    /// Whether it says how an incident ended: done only of what was shown.
    #[must_use]
    pub const fn ends(self) -> bool {
        match self {
            Self::Resolve | Self::FalseAlarm => true,
            Self::Shown
            | Self::Acknowledge
            | Self::Dispatch
            | Self::Arrive
            | Self::Comment
            | Self::Undo
            | Self::Reopen => false,
        }
    }
}

/// Who acts, as the gateway knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A station, by its topic: the broker lets nobody else write there.
    Station(Box<str>),
    /// Somebody with an account or a token.
    Account {
        name: Box<str>,
        role: AccountRole,
        /// Their station; `None`: all are theirs.
        station: Option<Box<str>>,
    },
}

/// What somebody with an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// May look, and change nothing.
    Viewer,
    /// Goes there: takes an incident, arrives, writes.
    Crew,
    /// Answers for incidents: also sends people, and says how it ended.
    Officer,
    /// Keeps the registry; of incidents, may only write notes.
    DeviceManager,
    /// May do everything.
    Admin,
}

impl AccountRole {
    /// Whether it may do that to an incident of its stations.
    #[must_use]
    #[rustfmt::skip] // a table should look like one
    pub const fn may(self, action: ActionKind) -> bool {
        use ActionKind::{Acknowledge, Arrive, Comment, Dispatch, FalseAlarm, Reopen, Resolve, Shown, Undo};
        match (self, action) {
            (Self::Viewer, Shown)                                                      => true,
            (Self::Viewer, Acknowledge | Dispatch | Arrive | Comment)                  => false,
            (Self::Viewer | Self::Crew | Self::DeviceManager,
             Resolve | FalseAlarm | Undo | Reopen)                                     => false,
            (Self::Crew, Shown | Acknowledge | Arrive | Comment)                       => true,
            (Self::Crew, Dispatch)                                                     => false,
            (Self::DeviceManager, Shown | Comment)                                     => true,
            (Self::DeviceManager, Acknowledge | Dispatch | Arrive)                     => false,
            (Self::Officer | Self::Admin,
             Shown | Acknowledge | Dispatch | Arrive | Comment
                 | Resolve | FalseAlarm | Undo | Reopen)                               => true,
        }
    }
}

impl Actor {
    /// The administrator, who acts for no station.
    #[must_use]
    pub fn admin(name: &str) -> Self {
        Self::Account { name: name.into(), role: AccountRole::Admin, station: None }
    }

    /// The authenticated name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Station(id) => id,
            Self::Account { name, .. } => name,
        }
    }

    /// For which station they act; `None`: for all of them.
    #[must_use]
    pub fn station(&self) -> Option<&str> {
        match self {
            Self::Station(id) => Some(id),
            Self::Account { station, .. } => station.as_deref(),
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Station(id) => write!(f, "station {id}"),
            Self::Account { name, station: None, .. } => write!(f, "account {name}"),
            Self::Account { name, station: Some(station), .. } => {
                write!(f, "account {name} of {station}")
            }
        }
    }
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
    NotNow { state: State },
    /// What was on the screen is not how it is: state, severity, conditions, detectors or floors.
    #[error("the incident changed since it was shown: look at it again")]
    Changed,
}
