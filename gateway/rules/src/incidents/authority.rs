//! Who may act on an incident: one command, one lock, whichever way it comes.
//!
//! A station may, that was told of the incident, and every station above it; a person may what
//! their role allows, where their station may. A station that nobody registered never may.
//! What somebody claims (`by`) decides nothing; the authenticated name stands beside it in the
//! trail.

use super::{ActionKind, Incident, Refused};
use crate::changes::Receiver;
use crate::registry::Registry;

/// No chain of command is longer; a ring of parents ends here too.
const LEVELS_MOST: usize = 8;

/// Who acts, as the gateway knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A station, by its topic: the broker lets nobody else write there.
    Station(Box<str>),
    /// Somebody with an account or a token.
    Account {
        /// Its name.
        name: Box<str>,
        /// What they are.
        role: AccountRole,
        /// Their station; `None`: all are theirs.
        station: Option<Box<str>>,
    },
}

/// What somebody with an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRole {
    /// Looks.
    Viewer,
    /// Goes there: takes an incident, arrives, writes.
    Crew,
    /// Answers for incidents: also sends people, and says how it ended.
    Officer,
    /// Keeps devices.
    DeviceManager,
    /// Everything.
    Admin,
}

impl AccountRole {
    /// Whether it may do that to an incident of its stations.
    #[must_use]
    #[rustfmt::skip] // a table should look like one
    pub const fn may(self, action: ActionKind) -> bool {
        use ActionKind::{Acknowledge, Arrive, Comment, Dispatch, FalseAlarm, Resolve, Shown};
        match (self, action) {
            (Self::Viewer, Shown)                                                      => true,
            (Self::Viewer, Acknowledge | Dispatch | Arrive | Comment | Resolve | FalseAlarm) => false,
            (Self::Crew, Shown | Acknowledge | Arrive | Comment)                       => true,
            (Self::Crew, Dispatch | Resolve | FalseAlarm)                              => false,
            (Self::DeviceManager, Shown | Comment)                                     => true,
            (Self::DeviceManager, Acknowledge | Dispatch | Arrive | Resolve | FalseAlarm) => false,
            (Self::Officer | Self::Admin,
             Shown | Acknowledge | Dispatch | Arrive | Comment | Resolve | FalseAlarm)  => true,
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

/// Whether somebody may do that to an incident, whatever it stands at.
///
/// # Errors
/// [`Refused::Unregistered`], [`Refused::NotTold`], [`Refused::NotAllowed`].
pub fn authorise(
    registry: &Registry,
    actor: &Actor,
    incident: &Incident,
    action: ActionKind,
) -> Result<(), Refused> {
    match actor {
        Actor::Account { role, .. } if !role.may(action) => return Err(Refused::NotAllowed),
        Actor::Station(_) | Actor::Account { .. } => {}
    }
    let Some(station) = actor.station() else { return Ok(()) };
    if registry.station(station).is_none() {
        return Err(Refused::Unregistered);
    }
    // Only a terminal that was told can have shown it: its station's board is the proof.
    let itself = matches!((actor, action), (Actor::Station(_), ActionKind::Shown));
    let mut told = incident.stations_told();
    let may = told.any(|told| told == station || !itself && is_above(registry, station, told));
    if may { Ok(()) } else { Err(Refused::NotTold) }
}

/// Whether a station is above another.
fn is_above(registry: &Registry, upper: &str, lower: &str) -> bool {
    let parent = |id: &&str| registry.station(id).and_then(|station| station.parent.as_deref());
    std::iter::successors(parent(&lower), parent).take(LEVELS_MOST).any(|id| id == upper)
}

impl Incident {
    /// The stations that were told of it: whose list shows it, who was paged, who answers for it.
    fn stations_told(&self) -> impl Iterator<Item = &str> {
        let paged = self.told.iter().filter_map(|receiver| match receiver {
            Receiver::Station(id) => Some(&**id),
            Receiver::Webhook(_) => None,
        });
        self.boards.iter().chain(&self.homes).map(|id| &**id).chain(paged)
    }
}
