//! What people announce: work on hydrants, a walk test, an exercise; and what can't be.
//!
//! An announcement names a device, a zone or a station; it holds for the devices that belonged
//! there when it was made. Each kind ends by itself. What it does while it holds is in
//! [`super::mute`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Kind};

use super::mute::{Announced, Window};
use crate::registry::{DeviceIx, Registry};
use crate::{DAY_MS, HOUR_MS, Ms};

/// Announcements at one time; beyond it nobody knows any more what is watched.
pub const WINDOWS_MOST: usize = 1_000;
/// The longest work, ms.
const WORK_MOST: Ms = 30 * DAY_MS;
/// The longest walk test, ms: people go round once, and a forgotten one must not last the night.
const WALK_MOST: Ms = 8 * HOUR_MS;
/// The longest exercise, ms.
const EXERCISE_MOST: Ms = HOUR_MS;
/// An announcement may be made this long ahead, ms.
const AHEAD_MOST: Ms = 365 * DAY_MS;

/// Whose devices are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Device(Box<str>),
    /// The hydrants of a pressure zone.
    Zone(Box<str>),
    /// Those a station itself is responsible for.
    Station(Box<str>),
}

/// What somebody announces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub what: Announced,
    pub scope: Scope,
    /// Maintenance: what it mutes. Exercise: what is raised; one of a fire.
    pub conditions: BTreeSet<Condition>,
    /// From then …
    pub from: Ms,
    /// … until just before then.
    pub until: Ms,
    pub by: Box<str>,
    pub note: Box<str>,
}

/// What is wrong with an announcement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnnouncement {
    /// Nobody is of that name.
    #[error("{kind} `{name}` is not known, or has no device: look at the list of them")]
    Nobody {
        /// `device`, `zone` or `station`.
        kind: &'static str,
        name: Box<str>,
    },
    /// It ends before it begins, or is over.
    #[error("until is {until}, and it would be over: set a later time, in Unix ms")]
    Over { until: Ms },
    /// It begins too far ahead.
    #[error("from is {from}, over a year ahead: announce it later")]
    FarAhead { from: Ms },
    /// It would last too long.
    #[error("until is {hours} h after from: set {most} h at most")]
    Long {
        hours: Ms,
        /// How long it may last, hours.
        most: Ms,
    },
    /// Maintenance of nothing.
    #[error("conditions is empty: name what the work will cause, such as no_water")]
    Nothing,
    /// Maintenance would mute a fire.
    #[error("conditions names {}: leave it out, a fire is never muted", .0.as_str())]
    Fire(Condition),
    /// Nothing of a device can be muted.
    #[error("conditions names {}: leave it out, it is not one of a device", .0.as_str())]
    NotOfDevices(Condition),
    /// A walk test names conditions.
    #[error("conditions is given: leave it out, a walk test is for everything its devices say")]
    Conditions,
    /// An exercise of something else than one fire of one detector.
    #[error("an exercise is one fire of one detector: name a smoke device, and smoke or heat")]
    NoDrill,
    #[error("{WINDOWS_MOST} announcements hold or are planned: end some before")]
    TooMany,
    /// The detector has a fire of its own.
    #[error("device `{device}` has an open fire: handle that first, or take another")]
    Burns { device: Box<str> },
}

impl BadAnnouncement {
    /// The member to change.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Nobody { kind, .. } => kind,
            Self::Over { .. } | Self::Long { .. } => "until",
            Self::FarAhead { .. } => "from",
            Self::Nothing | Self::Fire(_) | Self::NotOfDevices(_) | Self::Conditions => {
                "conditions"
            }
            Self::NoDrill | Self::Burns { .. } => "device",
            Self::TooMany => "what",
        }
    }
}

impl Scope {
    /// What it is, and its name.
    #[must_use]
    pub const fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Device(id) => ("device", id),
            Self::Zone(name) => ("zone", name),
            Self::Station(id) => ("station", id),
        }
    }

    /// Its devices as of now.
    #[must_use]
    pub fn devices(&self, registry: &Registry) -> BTreeSet<DeviceIx> {
        match self {
            Self::Device(id) => registry.find(id).into_iter().collect(),
            Self::Zone(name) => registry.zone(name).iter().copied().collect(),
            Self::Station(id) => registry.of_station(id).iter().copied().collect(),
        }
    }
}

impl Announcement {
    /// The window it opens, under that name.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn window(
        self,
        id: ulid::Ulid,
        registry: &Registry,
        now: Ms,
    ) -> Result<Window, Vec<BadAnnouncement>> {
        let devices = self.scope.devices(registry);
        let mut bad = self.untimely(now);
        if devices.is_empty() {
            let (kind, name) = self.scope.parts();
            bad.push(BadAnnouncement::Nobody { kind, name: name.into() });
        }
        bad.extend(self.unmutable());
        let alarm = match (self.what, devices.first(), self.conditions.first()) {
            (Announced::Exercise, Some(ix), Some(condition)) => {
                let detector =
                    registry.device(*ix).is_some_and(|device| device.kind == Kind::Smoke);
                let one = devices.len() == 1 && self.conditions.len() == 1;
                let fire = condition.class() == Class::Fire;
                (detector && one && fire).then_some(*condition)
            }
            _ => None,
        };
        if self.what == Announced::Exercise && alarm.is_none() {
            bad.push(BadAnnouncement::NoDrill);
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        let Self { what, scope, conditions, from, until, by, note } = self;
        let (id, scope) = (id.to_string().into(), Some(scope));
        Ok(Window { id, what, devices, conditions, from, until, by, note, scope, alarm })
    }

    fn untimely(&self, now: Ms) -> Vec<BadAnnouncement> {
        let most = match self.what {
            Announced::Maintenance => WORK_MOST,
            Announced::WalkTest => WALK_MOST,
            Announced::Exercise => EXERCISE_MOST,
        };
        let mut bad = Vec::new();
        if self.until <= self.from.max(now) {
            bad.push(BadAnnouncement::Over { until: self.until });
        } else if self.until - self.from > most {
            let hours = (self.until - self.from).div_euclid(HOUR_MS);
            bad.push(BadAnnouncement::Long { hours, most: most / HOUR_MS });
        }
        if self.from > now.saturating_add(AHEAD_MOST) {
            bad.push(BadAnnouncement::FarAhead { from: self.from });
        }
        bad
    }

    fn unmutable(&self) -> Vec<BadAnnouncement> {
        match self.what {
            Announced::Maintenance if self.conditions.is_empty() => vec![BadAnnouncement::Nothing],
            Announced::Maintenance => {
                self.conditions.iter().filter_map(|condition| never_muted(*condition)).collect()
            }
            Announced::WalkTest if self.conditions.is_empty() => Vec::new(),
            Announced::WalkTest => vec![BadAnnouncement::Conditions],
            Announced::Exercise => Vec::new(),
        }
    }
}

/// The conditions that work can mute.
pub fn mutable() -> impl Iterator<Item = Condition> {
    Condition::ALL.into_iter().filter(|condition| never_muted(*condition).is_none())
}

/// Why no work mutes a condition; `None`: it may.
fn never_muted(condition: Condition) -> Option<BadAnnouncement> {
    match condition.class() {
        Class::Fire => Some(BadAnnouncement::Fire(condition)),
        Class::Blind => Some(BadAnnouncement::NotOfDevices(condition)),
        Class::Water | Class::Upkeep => (condition == Condition::ZoneLowPressure)
            .then_some(BadAnnouncement::NotOfDevices(condition)),
    }
}
