//! Who is paged about an incident, step by step.
//!
//! | step | stations | webhooks |
//! |---|---|---|
//! | 1 | the incident's homes | their officers, and officers of no station; admins, of what is wrong with the gateway itself |
//! | 2 | the two nearest of each home's level | those stations' officers; the homes' chiefs |
//! | 3 | each home's parent, or itself | those stations' officers |
//!
//! A clock of the gateway that was set concerns nobody but its admins. Of a receiver that takes no pages
//! everybody else is told.
//!
//! When a step is due is in [`super::escalate`].

use std::collections::{BTreeMap, BTreeSet};

use standpipe_shared::{Condition, Severity};

use super::Incident;
use super::distance::Coordinates;
use super::plan::{Plan, ReceiverRole, Route};
use crate::changes::Receiver;
use crate::fact::{Raised, Subject};
use crate::registry::{Registry, Station};

/// How many stations help out at step 2.
const NEIGHBOURS: usize = 2;

/// The station that answers for what was raised: of a zone, the one with most of its hydrants.
/// Empty: every district station.
pub(super) fn station(registry: &Registry, raised: &Raised) -> Box<str> {
    match &raised.subject {
        Subject::Device(ix) => {
            registry.device(*ix).map_or_else(Box::default, |device| (&*device.station).into())
        }
        Subject::Area(station) => station.clone(),
        Subject::Zone(_) => {
            let mut shares = BTreeMap::<&str, usize>::new();
            for device in raised.members.iter().filter_map(|ix| registry.device(*ix)) {
                *shares.entry(&device.station).or_default() += 1;
            }
            let most = shares.into_iter().rev().max_by_key(|(_, share)| *share);
            most.map_or_else(Box::default, |(station, _)| station.into())
        }
        Subject::Gateway | Subject::Topic(_) | Subject::Receiver(_) => Box::default(),
    }
}

/// Whoever is told first. A zone may concern several stations.
pub(super) fn homes(registry: &Registry, raised: &Raised) -> Vec<Box<str>> {
    let mut homes = BTreeSet::from([station(registry, raised)]);
    if let Subject::Zone(_) = raised.subject {
        let members = raised.members.iter().filter_map(|ix| registry.device(*ix));
        homes.extend(members.map(|device| Box::from(&*device.station)));
    }
    answering(registry, homes)
}

/// Those of them that are registered. What no station answers for concerns all stations of the widest
/// level.
pub(super) fn answering(registry: &Registry, mut homes: BTreeSet<Box<str>>) -> Vec<Box<str>> {
    homes.retain(|home| registry.station(home).is_some());
    if homes.is_empty() {
        let widest = registry.stations().iter().map(|station| station.level).min();
        let all = registry.stations().iter().filter(|station| Some(station.level) == widest);
        homes = all.map(|station| station.id.clone()).collect();
    }
    homes.into_iter().collect()
}

/// Everyone to be paged at a step.
pub(super) fn receivers(
    plan: &Plan,
    registry: &Registry,
    incident: &Incident,
    step: u8,
) -> BTreeSet<Receiver> {
    let Incident { homes, severity, .. } = incident;
    let whom = whom(incident);
    let concern = Concern { homes, severity: *severity, whom };
    concerned(plan, registry, &concern, step)
}

/// Who keeps the gateway running, and wants to hear of what matters so much: told when no receiver
/// confirms a page, whatever it is about.
pub(super) fn administrators(plan: &Plan, severity: Severity) -> BTreeSet<Receiver> {
    let wanted = |route: &&Route| {
        let all = route.severities.is_empty();
        route.role == ReceiverRole::Admin && (all || route.severities.contains(&severity))
    };
    plan.webhooks.iter().filter(wanted).map(|route| Receiver::Webhook(route.name.clone())).collect()
}

/// Everyone who would be paged at a step about a device of this station.
#[must_use]
pub fn rehearse(
    plan: &Plan,
    registry: &Registry,
    station: &str,
    severity: Severity,
    step: u8,
) -> BTreeSet<Receiver> {
    let homes = &[Box::from(station)];
    concerned(plan, registry, &Concern { homes, severity, whom: Whom::Stations }, step)
}

/// What it depends on who is paged.
struct Concern<'a> {
    homes: &'a [Box<str>],
    severity: Severity,
    whom: Whom,
}

/// Whose business it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// Nobody else's but theirs.
    Stations,
    /// The stations', and that of whoever keeps the gateway running.
    Everybody,
    /// Only that of whoever keeps the gateway running.
    Admins,
}

/// Whose business an incident is.
fn whom(incident: &Incident) -> Whom {
    let clock = |condition: &Condition| *condition == Condition::ClockFault;
    match incident.subject {
        Subject::Gateway if incident.conditions().iter().all(clock) => Whom::Admins,
        Subject::Gateway | Subject::Receiver(_) => Whom::Everybody,
        Subject::Device(_) | Subject::Zone(_) | Subject::Area(_) | Subject::Topic(_) => {
            Whom::Stations
        }
    }
}

fn concerned(plan: &Plan, registry: &Registry, concern: &Concern, step: u8) -> BTreeSet<Receiver> {
    let homes: Vec<&Station> = concern.homes.iter().filter_map(|id| registry.station(id)).collect();
    let stations: BTreeSet<&str> = match step {
        _ if concern.whom == Whom::Admins => BTreeSet::new(),
        1 => homes.iter().map(|home| &*home.id).collect(),
        2 => homes.iter().flat_map(|home| neighbours(registry, concern.homes, home)).collect(),
        _ => homes.iter().map(|home| home.parent.as_deref().unwrap_or(&home.id)).collect(),
    };
    let told = |route: &&Route| {
        let wanted = route.severities.is_empty() || route.severities.contains(&concern.severity);
        let at_step = route.steps.is_empty() || route.steps.contains(&step);
        let concerned = match (route.role, route.station.as_deref()) {
            (ReceiverRole::Officer | ReceiverRole::Chief, _) if concern.whom == Whom::Admins => {
                false
            }
            (ReceiverRole::Officer, Some(station)) => stations.contains(station),
            (ReceiverRole::Officer, None) => step == 1 || !route.steps.is_empty(),
            (ReceiverRole::Chief, Some(station)) => {
                step == 2 && homes.iter().any(|home| &*home.id == station)
            }
            (ReceiverRole::Chief, None) => step == 2,
            (ReceiverRole::Admin, _) => step == 1 && concern.whom != Whom::Stations,
        };
        wanted && at_step && concerned
    };
    let webhooks =
        plan.webhooks.iter().filter(told).map(|route| Receiver::Webhook(route.name.clone()));
    stations.iter().map(|id| Receiver::Station((*id).into())).chain(webhooks).collect()
}

/// The nearest stations of a home's level that are not told already.
fn neighbours<'a>(registry: &'a Registry, homes: &[Box<str>], home: &Station) -> Vec<&'a str> {
    let from = Coordinates::station(home);
    let mut others: Vec<_> = registry
        .stations()
        .iter()
        .filter(|station| station.level == home.level && !homes.contains(&station.id))
        .map(|station| (from.metres(Coordinates::station(station)), &*station.id))
        .collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    others.into_iter().take(NEIGHBOURS).map(|(_, id)| id).collect()
}
