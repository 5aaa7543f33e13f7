//! One incident: what is true of it, since when, and how far it has got.
//!
//! How it looks to a station is in [`super::wire`]; how it changes, in [`super::hear`] and
//! [`super::act`].

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use standpipe_shared::{Class, Condition, Kind, Measurements, Severity};

use super::damp::{Flaps, Held, Sounded};
use super::wire::NearHydrant;
use super::{IncidentId, Outcome, State};
use crate::Ms;
use crate::changes::Receiver;
use crate::fact::{Raised, Reason, Subject};
use crate::registry::{DeviceIx, Registry};
use crate::trail::Said;

/// Why something true is not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// The detector says that it is being tested, or a walk test lists it.
    Test,
    /// An exercise lists the device, or the hydrant is opened near one.
    Exercise,
    /// Maintenance lists the device and the condition, or the hydrant is opened near it.
    Maintenance,
    /// The water is wanted: this fire is near, and somebody has been sent to it.
    Dispatch(IncidentId),
}

impl Quiet {
    /// How an incident ends that was never anything else.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Test => Outcome::Test,
            Self::Exercise => Outcome::Exercise,
            Self::Maintenance => Outcome::Maintenance,
            Self::Dispatch(_) => Outcome::Fire,
        }
    }
}

/// One condition of one device (zone, area) within an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub subject: Subject,
    pub condition: Condition,
    /// Event time of the first offending reading.
    pub since: Ms,
    /// Event time of its end; `None`: it is true.
    pub cleared_at: Option<Ms>,
    /// Why it is not acted on.
    pub quiet: Option<Quiet>,
    /// When it is acted on after all.
    pub quiet_until: Option<Ms>,
    /// Why it is true, where a condition can be true in more than one way.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// How much it matters, where that depends on of what it is true.
    #[serde(default)]
    pub weight: Option<Severity>,
    /// When the gateway heard of its end.
    #[serde(default)]
    pub left_at: Option<Ms>,
}

impl Member {
    /// A condition that is true since then, and acted on.
    pub(super) fn new(
        registry: &Registry,
        subject: &Subject,
        condition: Condition,
        since: Ms,
    ) -> Self {
        let weight = Self::weight(registry, subject, condition);
        let (subject, cleared_at, left_at) = (subject.clone(), None, None);
        let (quiet, quiet_until, reason) = (None, None, None);
        Self { subject, condition, since, cleared_at, quiet, quiet_until, reason, weight, left_at }
    }

    /// What was raised.
    pub(super) fn raised(registry: &Registry, raised: &Raised) -> Self {
        let known = Self::new(registry, &raised.subject, raised.condition, raised.since);
        Self { reason: raised.reason, ..known }
    }

    /// Whether it is true.
    #[must_use]
    pub const fn active(&self) -> bool {
        self.cleared_at.is_none()
    }

    /// How much it matters: a quiet one is only listed.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.quiet {
            Some(_) => Severity::Notice,
            None => match self.weight {
                Some(severity) => severity,
                None => self.condition.severity(),
            },
        }
    }

    /// How much a condition matters of that subject, where it is not as much as of others.
    pub(super) fn weight(
        registry: &Registry,
        subject: &Subject,
        condition: Condition,
    ) -> Option<Severity> {
        match (condition, subject) {
            (Condition::ClockFault, Subject::Gateway) => Some(Severity::Warning),
            (Condition::UnreadableAlarm, Subject::Device(ix)) => {
                let device = registry.device(*ix);
                let hydrant =
                    device.is_some_and(|device| device.claimed && device.kind == Kind::Hydrant);
                hydrant.then_some(Severity::Warning)
            }
            _ => None,
        }
    }
}

/// A person's word that it is over, as long as it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Until when that is.
    pub until: Ms,
    /// Where it stood before.
    pub before: State,
    /// What was said of it before.
    pub verdict: Option<Outcome>,
    /// Whether anything of it was true then.
    pub active: bool,
    /// When it would have ended by itself.
    pub settles_at: Option<Ms>,
    /// The evidence that it is good again came meanwhile.
    pub proven: bool,
}

/// One incident. Serialised whole, it is what the store keeps as `inner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    /// Counts the incidents of this gateway: of two, the lower was opened first.
    #[serde(default)]
    pub number: u64,
    /// Counts what stations can see of it.
    pub rev: u32,
    /// What kind of work it is.
    pub class: Class,
    /// What it is about: of a building on fire, the first detector.
    pub subject: Subject,
    /// The station responsible; empty: every district station is.
    pub station: Box<str>,
    pub state: State,
    /// The worst that is true of it, or was last.
    pub severity: Severity,
    /// Counts how often it had to be looked at anew.
    pub episode: u32,
    /// When it was first raised, arrival clock.
    pub opened_at: Ms,
    /// Event time since when it is true.
    pub since: Ms,
    /// When `rev` last grew.
    pub updated_at: Ms,
    pub closed_at: Option<Ms>,
    /// How late the news of this episode came, s.
    pub late_s: u32,
    pub outcome: Option<Outcome>,
    /// The zone's or area's incident that stands for it.
    pub parent: Option<IncidentId>,
    /// The incidents it stands for, or stood for when it closed.
    pub children: Vec<IncidentId>,
    /// How far this episode was escalated; 0: nobody was paged.
    pub step: u8,
    /// When the next page is due if nobody does anything.
    pub next_step_at: Option<Ms>,
    /// What was measured last, as far as it matters.
    #[serde(deserialize_with = "measurements")]
    pub value: Measurements,
    /// A fire's hydrants.
    pub hydrants: Vec<NearHydrant>,
    /// What it is about, in words; empty where the conditions say it.
    #[serde(default)]
    pub detail: Box<str>,
    /// What was said last that cannot be read.
    #[serde(default)]
    pub said: Option<Said>,
    /// How often its conditions were raised of late.
    #[serde(default)]
    pub flaps: Vec<Flaps>,
    /// What is, or was, true of it.
    pub members: Vec<Member>,
    /// Stations whose list shows it.
    pub boards: BTreeSet<Box<str>>,
    /// Whoever is first told.
    pub(super) homes: Vec<Box<str>>,
    /// The building whose detectors join it; empty: none.
    pub(super) building: Box<str>,
    /// How often the last step was repeated.
    pub(super) repeat: u32,
    /// When this episode began.
    pub(super) episode_at: Ms,
    /// When the last page was owed.
    pub(super) step_at: Ms,
    /// When the first page of all was owed.
    #[serde(default)]
    pub(super) paged_at: Option<Ms>,
    /// Until when whoever took it is left in peace.
    pub(super) work_until: Ms,
    /// When something last happened to a fire.
    pub(super) active_at: Ms,
    /// Somebody was sent, or is there.
    pub(super) dispatched: bool,
    /// Silence or fault broke the evidence.
    pub(super) unverified: bool,
    /// What a person said of it.
    pub(super) verdict: Option<Outcome>,
    /// Everyone paged in this episode.
    pub(super) told: BTreeSet<Receiver>,
    /// Stations that showed their newest page.
    pub(super) shown: BTreeSet<Box<str>>,
    /// The first-step sounds of the last hour, in order.
    #[serde(default)]
    pub(super) sounded: Vec<Sounded>,
    /// Sounds that are held back.
    #[serde(default)]
    pub(super) held: Vec<Held>,
    /// When it ends by itself if nothing of it comes back.
    #[serde(default)]
    pub(super) settles_at: Option<Ms>,
    /// A person said that it is over, and may still take it back.
    #[serde(default)]
    pub(super) decided: Option<Decided>,
    /// Until when a receiver of this episode must have confirmed its page.
    #[serde(default)]
    pub(super) confirm_by: Option<Ms>,
    /// Its entry among the book's timers.
    #[serde(skip)]
    pub(super) timer: Option<Ms>,
}

/// The place of an incident among the others.
pub type Rank = (u64, IncidentId);

/// Measurements read back as a reading without a number.
pub(super) fn measurements<'de, D: Deserializer<'de>>(from: D) -> Result<Measurements, D::Error> {
    standpipe_shared::Reading::deserialize(from).map(|reading| reading.values)
}

impl Incident {
    /// The members that are true.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.active())
    }

    /// Whether anything of it is true.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active().next().is_some()
    }

    /// The device it is about.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceIx> {
        self.subject.device()
    }

    /// The conditions that are true of it or, when none is, that were; each once, in the order
    /// of the contract.
    #[must_use]
    pub fn conditions(&self) -> Vec<Condition> {
        let any = self.is_active();
        let shown = self.members.iter().filter(|member| !any || member.active());
        let set = shown.fold(0, |set, member| set | member.condition.bit());
        Condition::ALL.into_iter().filter(|condition| set & condition.bit() != 0).collect()
    }

    /// Why nothing of it was ever acted on: only if that is so of all of it.
    #[must_use]
    pub fn quiet(&self) -> Option<Quiet> {
        let all = self.members.iter().all(|member| member.quiet.is_some());
        self.members.first().filter(|_| all).and_then(|member| member.quiet)
    }

    /// Whether it was more than a notice, so that upkeep waits for a person when nothing of it is
    /// true any more: who opened a case for a second is found out by nobody else.
    #[must_use]
    pub fn wants_answer(&self) -> bool {
        self.members.iter().any(|member| member.severity() > Severity::Notice)
    }

    /// Its place among the others: oldest first. Those of before there were numbers have none; they
    /// come first, by their ids, which were counted.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        (self.number, self.id)
    }

    /// When it is looked at whether anybody has confirmed a page: while nobody has taken it.
    pub(super) fn confirm_by(&self) -> Option<Ms> {
        self.confirm_by.filter(|_| self.state == State::Open)
    }

    /// Until when a person's word that it is over can be taken back.
    #[must_use]
    pub fn undo_until(&self) -> Option<Ms> {
        self.decided.map(|decided| decided.until)
    }

    /// Whether evidence is collected that its water stays: also while a person's word that it is over
    /// can be taken back.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.decided.map_or(self.state, |decided| decided.before) == State::Verifying
    }

    /// Whether it is about the gateway, or what it sends its pages with: it says so in words.
    pub(super) const fn is_of_gateway(&self) -> bool {
        matches!(self.subject, Subject::Gateway | Subject::Receiver(_))
    }

    /// When a muted member is acted on after all.
    pub(super) fn muted_until(&self) -> Option<Ms> {
        self.members.iter().filter_map(|member| member.quiet_until).min()
    }

    /// The member of that subject and condition.
    pub(super) fn member(&mut self, subject: &Subject, of: Condition) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.subject == *subject && member.condition == of)
    }

    /// Takes severity and `since` from what is true; when nothing is, they stay. A fire never
    /// gets less.
    pub(super) fn weigh(&mut self) {
        let fire = self.class == Class::Fire;
        let counted = |member: &&Member| fire || member.active();
        if let Some(worst) = self.members.iter().filter(counted).map(Member::severity).max() {
            self.severity = worst;
        }
        if let Some(first) = self.active().map(|member| member.since).min() {
            self.since = first;
        }
    }
}
