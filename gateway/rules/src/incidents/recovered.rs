//! An incident whose inner row can't be read, made again from what stations were shown of it: it stays
//! open, can be acknowledged, and is escalated from where it was. What nobody was shown is lost: why a
//! condition was muted, how often it flapped, what a person said of it.

use std::collections::BTreeSet;

use standpipe_shared::{Class, Condition};

use super::incident::{Incident, Member};
use super::route;
use super::wire::WireIncident;
use crate::changes::Receiver;
use crate::fact::Subject;
use crate::registry::Registry;

/// What the store has of an incident besides its inner row.
#[derive(Clone, Debug)]
pub struct ShownBefore {
    /// What stations were shown last.
    pub wire: WireIncident,
    /// Its place among all incidents.
    pub number: u64,
    /// Stations whose list shows it.
    pub boards: BTreeSet<Box<str>>,
    /// Everyone paged in its episode.
    pub told: BTreeSet<Receiver>,
}

impl Incident {
    /// The incident as far as it was shown; `None`: it can't be said what it is about.
    #[must_use]
    pub fn recovered(shown: ShownBefore, registry: &Registry) -> Option<Self> {
        let ShownBefore { wire, number, boards, told } = shown;
        let subject = subject(&wire, registry)?;
        let member =
            |condition: &Condition| Member::new(registry, &subject, *condition, wire.since);
        let members = wire.conditions.iter().map(member).collect();
        Some(Self {
            id: wire.id,
            number,
            rev: wire.rev,
            class: wire.class,
            homes: route::answering(registry, [wire.station.clone()].into()),
            station: wire.station,
            state: wire.state,
            severity: wire.severity,
            episode: wire.episode,
            opened_at: wire.opened_at,
            since: wire.since,
            updated_at: wire.updated_at,
            closed_at: None,
            late_s: wire.late_s,
            outcome: None,
            parent: wire.parent,
            children: Vec::new(),
            step: wire.step,
            next_step_at: wire.next_step_at,
            value: wire.value,
            hydrants: wire.hydrants,
            detail: wire.detail.unwrap_or_default(),
            said: None,
            flaps: Vec::new(),
            members,
            boards,
            building: Box::default(),
            repeat: 0,
            episode_at: wire.opened_at,
            step_at: wire.updated_at,
            paged_at: Some(wire.opened_at),
            work_until: 0,
            active_at: wire.updated_at,
            dispatched: false,
            unverified: false,
            verdict: None,
            told,
            shown: BTreeSet::new(),
            sounded: Vec::new(),
            held: Vec::new(),
            settles_at: None,
            decided: None,
            confirm_by: None,
            timer: None,
            subject,
        })
    }
}

fn subject(wire: &WireIncident, registry: &Registry) -> Option<Subject> {
    const OF_GATEWAY: [Condition; 4] = [
        Condition::GatewayBlind,
        Condition::RegistryFault,
        Condition::Degraded,
        Condition::ClockFault,
    ];
    if let Some(device) = &wire.device {
        return registry.find(&device.id).map(Subject::Device);
    }
    if wire.conditions.iter().any(|condition| OF_GATEWAY.contains(condition)) {
        return Some(Subject::Gateway);
    }
    match (&wire.zone, wire.class) {
        (Some(zone), _) => Some(Subject::Zone(zone.clone())),
        (None, Class::Blind) if !wire.station.is_empty() => {
            Some(Subject::Area(wire.station.clone()))
        }
        (None, Class::Fire | Class::Water | Class::Upkeep | Class::Blind) => None,
    }
}
