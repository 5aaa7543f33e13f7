//! Who may act on an incident: one command, one lock, whichever way it comes.
//!
//! A station may, that was told of the incident, and every station above it; a person may what
//! their role allows, where their station may. A station that nobody registered never may. That holds
//! for all actions: a station that shows an incident of a station below it says nothing for that one.
//! What somebody claims (`by`) decides nothing; the authenticated name stands beside it in the
//! trail.

use super::Incident;
use crate::action::{ActionKind, Actor, Refused};
use crate::changes::Receiver;
use crate::registry::Registry;

/// No chain of command is longer; a ring of parents ends here too.
const LEVELS_MOST: usize = 8;

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
    let mut told = incident.stations_told();
    let may = told.any(|told| told == station || is_above(registry, station, told));
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
