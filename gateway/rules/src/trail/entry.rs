//! One line of an incident's trail: when, what, by whom.

use serde::{Deserialize, Serialize};

use super::TrailCode;
use crate::Ms;
use crate::state::IncidentId;

/// One line of an incident's trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailEntry {
    pub incident: IncidentId,
    pub at: Ms,
    pub hop: Hop,
    /// By whom: a person, a station, a device, `gateway`.
    pub by: Box<str>,
    /// In words or numbers; nothing reads them but people.
    pub detail: Box<str>,
    /// The same for programs.
    #[serde(default)]
    pub code: TrailCode,
    /// Of what people do: the authenticated name of who did it, beside `by`, which they claim.
    #[serde(default)]
    pub actor: Box<str>,
}

impl TrailEntry {
    /// What the gateway has to say, in the words of its code.
    #[must_use]
    pub fn new(incident: IncidentId, (at, hop): (Ms, Hop), by: &str, code: TrailCode) -> Self {
        let (by, detail) = (by.into(), code.words().into());
        Self { incident, at, hop, by, detail, code, actor: Box::default() }
    }

    /// A line whose words are all there is.
    #[must_use]
    pub fn text(incident: IncidentId, (at, hop): (Ms, Hop), by: &str, detail: &str) -> Self {
        Self { detail: detail.into(), ..Self::new(incident, (at, hop), by, TrailCode::Text) }
    }
}

/// The hops of an incident from the sensor to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The device measured it.
    Measured,
    /// The gateway received it.
    Received,
    /// A condition was raised.
    Raised,
    /// A condition ended.
    Cleared,
    /// A page was committed.
    Paged,
    /// The broker or webhook confirmed a page.
    Delivered,
    /// A webhook confirmed a bundle, and with it this page.
    Bundled,
    /// A page was given up.
    GivenUp,
    /// A newer page about the same incident is owed to the same receiver instead.
    Superseded,
    /// No receiver has confirmed a page in time.
    Unconfirmed,
    /// A terminal showed it.
    Shown,
    /// A person took it.
    Acknowledged,
    /// Somebody was sent.
    Dispatched,
    /// Somebody arrived.
    Arrived,
    /// A person wrote something.
    Commented,
    /// A person says it is done.
    Resolved,
    /// A person says there was nothing.
    FalseAlarm,
    /// A person took back that it is over.
    Undone,
    /// Evidence is being collected.
    Verifying,
    /// It was opened again: a new episode.
    Reopened,
    /// Nothing was done for too long.
    Forgotten,
    /// It joined, or left, a zone's or area's incident.
    Attached,
    /// It is over.
    Closed,
}

impl Hop {
    /// All of them, in the order in which they usually come.
    pub const ALL: [Self; 23] = [
        Self::Measured,
        Self::Received,
        Self::Raised,
        Self::Cleared,
        Self::Paged,
        Self::Delivered,
        Self::Bundled,
        Self::GivenUp,
        Self::Superseded,
        Self::Unconfirmed,
        Self::Shown,
        Self::Acknowledged,
        Self::Dispatched,
        Self::Arrived,
        Self::Commented,
        Self::Resolved,
        Self::FalseAlarm,
        Self::Undone,
        Self::Verifying,
        Self::Reopened,
        Self::Forgotten,
        Self::Attached,
        Self::Closed,
    ];

    /// The hop of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hop| hop.as_str() == name)
    }

    /// The name in the trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Received => "received",
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Paged => "paged",
            Self::Delivered => "delivered",
            Self::Bundled => "bundled",
            Self::GivenUp => "given_up",
            Self::Superseded => "superseded",
            Self::Unconfirmed => "unconfirmed",
            Self::Shown => "shown",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::Arrived => "arrived",
            Self::Commented => "commented",
            Self::Resolved => "resolved",
            Self::FalseAlarm => "false_alarm",
            Self::Undone => "undone",
            Self::Verifying => "verifying",
            Self::Reopened => "reopened",
            Self::Forgotten => "forgotten",
            Self::Attached => "attached",
            Self::Closed => "closed",
        }
    }
}

/// To whom a page goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    /// A station's topic.
    Station(Box<str>),
    /// A webhook, by its name in the configuration.
    Webhook(Box<str>),
}

#[cfg(test)]
mod tests {
    use super::Hop;

    #[test]
    fn a_hop_is_named_as_it_is_written() {
        for hop in Hop::ALL {
            assert_eq!(serde_json::to_string(&hop).unwrap(), format!("\"{}\"", hop.as_str()));
        }
    }
}
