//! Where an incident stands, and every way it can go from there: one table.
//!
//! What an event does besides (pages, timers, the trail) is in `incidents::hear` and `incidents::act`.

use serde::{Deserialize, Serialize};

/// Made once, when it opens; every page, topic and line of the trail names it.
pub type IncidentId = ulid::Ulid;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// A person says it is done: it is still true, or can still be taken back.
    Resolved,
    /// Water is back; the evidence that it stays is being collected.
    Verifying,
    /// Over.
    Closed,
}

impl State {
    /// All states, in their order.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Acknowledged, Self::Resolved, Self::Verifying, Self::Closed];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Verifying => "verifying",
            Self::Closed => "closed",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It burned.
    Fire,
    /// A person repaired it.
    Repaired,
    /// It ended by itself.
    Recovered,
    /// A person says it was nothing.
    FalseAlarm,
    /// Somebody tested the detector.
    Test,
    /// It was an exercise.
    Exercise,
    /// It was announced maintenance.
    Maintenance,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Fire,
        Self::Repaired,
        Self::Recovered,
        Self::FalseAlarm,
        Self::Test,
        Self::Exercise,
        Self::Maintenance,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Repaired => "repaired",
            Self::Recovered => "recovered",
            Self::FalseAlarm => "false_alarm",
            Self::Test => "test",
            Self::Exercise => "exercise",
            Self::Maintenance => "maintenance",
        }
    }
}

/// What can happen to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentEvent {
    /// Something that must be looked at (again): a new detector, worse, a relapse, forgotten,
    /// left alone by its zone, not verified.
    Found,
    /// A person takes it.
    Taken,
    /// A person sends somebody, or is there.
    Worked,
    /// A person or a terminal adds to its trail.
    Noted,
    /// A person says it is done.
    Done,
    /// A person said it is done, and nobody took it back; the water is back, or nothing is known of it.
    Repaired,
    /// A person said it is done, and nobody took it back; nothing of it is true any more, and nothing is
    /// to be proved.
    Finished,
    /// Water is back by itself.
    Eased,
    /// Nothing of it is true any more, and a person has to close it: a fire, or upkeep that was
    /// more than a notice.
    Calmed,
    /// Nothing of it is true any more, and nothing is to be proved.
    Ended,
    /// The evidence is complete.
    Proven,
    /// A person takes back that it is over: it stands where it stood.
    Undone(State),
    /// A person says that it must be looked at anew.
    Reopened,
}

/// Every transition there is; `None`: not now, nothing changes. A new state or event does not
/// compile until its rows are written.
#[rustfmt::skip] // a table should look like one
#[must_use]
pub const fn step(state: State, event: IncidentEvent) -> Option<State> {
    use IncidentEvent::{
        Calmed, Done, Eased, Ended, Finished, Found, Noted, Proven, Reopened, Repaired, Taken, Undone, Worked,
    };
    use State::{Acknowledged, Closed, Open, Resolved, Verifying};
    match (state, event) {
        (Open,         Found)    => Some(Open),
        (Open,         Taken)    => Some(Acknowledged),
        (Open,         Worked)   => Some(Acknowledged),
        (Open,         Noted)    => Some(Open),
        (Open,         Done)     => Some(Resolved),
        (Open,         Repaired) => Some(Verifying),
        (Open,         Finished) => Some(Closed),
        (Open,         Eased)    => Some(Verifying),
        (Open,         Calmed)   => Some(Open), // it is closed by a person
        (Open,         Ended)    => Some(Closed),
        (Open,         Proven)   => Some(Closed), // evidence came after all
        (Open,         Undone(_)) => None,
        (Open,         Reopened) => None, // it is

        (Acknowledged, Found)    => Some(Open),
        (Acknowledged, Taken)    => None, // somebody else was first
        (Acknowledged, Worked)   => Some(Acknowledged),
        (Acknowledged, Noted)    => Some(Acknowledged),
        (Acknowledged, Done)     => Some(Resolved),
        (Acknowledged, Repaired) => Some(Verifying),
        (Acknowledged, Finished) => Some(Closed),
        (Acknowledged, Eased)    => Some(Verifying),
        (Acknowledged, Calmed)   => Some(Acknowledged),
        (Acknowledged, Ended)    => Some(Closed),
        (Acknowledged, Proven)   => Some(Closed),
        (Acknowledged, Undone(_)) => None,
        (Acknowledged, Reopened) => Some(Open), // whoever took it gives it back

        (Resolved,     Found)    => Some(Open),
        (Resolved,     Taken)    => None,
        (Resolved,     Worked)   => None,
        (Resolved,     Noted)    => Some(Resolved),
        (Resolved,     Done)     => None, // said before
        (Resolved,     Repaired) => Some(Verifying), // nobody took it back
        (Resolved,     Finished) => Some(Closed),
        (Resolved,     Eased)    => Some(Verifying),
        (Resolved,     Calmed)   => Some(Closed), // the person has spoken already
        (Resolved,     Ended)    => Some(Closed),
        (Resolved,     Proven)   => Some(Closed),
        (Resolved,     Undone(before)) => Some(before),
        (Resolved,     Reopened) => Some(Open),

        (Verifying,    Found)    => Some(Open),
        (Verifying,    Taken)    => None,
        (Verifying,    Worked)   => Some(Verifying), // a crew that arrives after the water
        (Verifying,    Noted)    => Some(Verifying),
        (Verifying,    Done)     => Some(Resolved), // until nobody can take it back any more
        (Verifying,    Repaired) => Some(Verifying),
        (Verifying,    Finished) => Some(Closed),
        (Verifying,    Eased)    => None, // it was clear
        (Verifying,    Calmed)   => None, // only water verifies
        (Verifying,    Ended)    => Some(Closed),
        (Verifying,    Proven)   => Some(Closed),
        (Verifying,    Undone(_)) => None,
        (Verifying,    Reopened) => Some(Open),

        (Closed,       Found)    => None, // a new incident
        (Closed,       Taken)    => None,
        (Closed,       Worked)   => None,
        (Closed,       Noted)    => None,
        (Closed,       Done)     => None,
        (Closed,       Repaired) => None,
        (Closed,       Finished) => None,
        (Closed,       Eased)    => None,
        (Closed,       Calmed)   => None,
        (Closed,       Ended)    => None,
        (Closed,       Proven)   => None,
        (Closed,       Undone(_)) => None,
        (Closed,       Reopened) => None,
    }
}
