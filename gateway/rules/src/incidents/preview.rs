//! Who would be told when: a rehearsal of one condition, by the real book, on a clock of its own.
//!
//! Nothing here knows how incidents escalate: an empty [`Book`] is given the plan, the stations
//! that are there and what is announced; the condition is raised, nobody does anything, and what
//! it owes is written down. Between two rehearsals [`differences`] says who hears what otherwise.

use std::collections::{BTreeMap, BTreeSet};

use standpipe_shared::{Class, Condition, Kind, Measurements, Severity};

use super::{Action, ActionKind, Actor, Book, BookView, IdSecret, IncidentId, Plan, Quiet, Window};
use crate::changes::Receiver;
use crate::conditions::{TrueOf, row};
use crate::detect::HydrantNow;
use crate::fact::{Fact, Moments, Raised, Subject};
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, Ms};

/// A rehearsal ends after so many wakes: the steps, the repetitions, what a window mutes.
const WAKES: usize = 32;
/// Ids of a rehearsal are seen by nobody.
const REHEARSED: IdSecret = IdSecret::new([0; 32]);
/// Repetitions after which it is known how often they come.
const REPEATS: usize = 2;

/// What a rehearsal goes by.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Who is told when, as configured.
    pub plan: &'a Plan,
    pub registry: &'a Registry,
    pub windows: &'a [Window],
    /// Stations whose terminal is away; all others' are there.
    pub away: &'a BTreeSet<Box<str>>,
    pub now: Ms,
}

/// What would follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The station that would answer for it; empty: every district station.
    pub station: Box<str>,
    /// How much it matters.
    pub severity: Severity,
    /// Why it would not be acted on at first.
    pub muted: Option<Muted>,
    /// Every page until the first repetition, in order.
    pub told: Vec<PlannedPage>,
    /// From one repetition to the next, s.
    pub every_s: Option<i64>,
    /// Acknowledged and nothing done: told again after this, s.
    pub forgotten_s: Option<i64>,
}

/// One page that would be owed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedPage {
    /// From its raising, s.
    pub after_s: i64,
    pub step: u8,
    /// Whether it is that step again.
    pub again: bool,
    pub receiver: Receiver,
}

/// What would mute it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Muted {
    /// The announcement's name.
    pub window: Box<str>,
    /// What it makes of the condition.
    pub why: Quiet,
    /// When it is acted on after all, if it is still true.
    pub until: Ms,
    pub by: Box<str>,
}

/// A receiver that hears something else by another configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub receiver: Receiver,
    /// By the old one; `None`: nothing.
    pub before: Option<Hears>,
    /// By the new one; `None`: nothing.
    pub after: Option<Hears>,
}

/// When one receiver hears of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hears {
    /// From its raising, s, until the first repetition.
    pub at_s: Vec<i64>,
    /// From one repetition to the next, s.
    pub every_s: Option<i64>,
    /// Told at once, and again when nothing is done for so long, s.
    pub forgotten_s: Option<i64>,
}

/// The conditions that can be true of a device, of its zone, of its station or of the gateway.
pub fn conditions_of(registry: &Registry, device: DeviceIx) -> impl Iterator<Item = Condition> {
    let device = registry.device(device);
    let hydrant = device.is_some_and(|device| device.kind == Kind::Hydrant);
    let zoned = device.is_some_and(|device| !device.zone.is_empty());
    Condition::ALL.into_iter().filter(move |condition| match row(*condition).of {
        TrueOf::Hydrant => hydrant,
        TrueOf::Detector => !hydrant,
        TrueOf::Zone => hydrant && zoned,
        TrueOf::Device | TrueOf::Area | TrueOf::Gateway => true,
        // It concerns no device, and who is told depends on which receiver it is.
        TrueOf::Receiver => false,
    })
}

/// Rehearses one condition of one device, of its zone or its station.
#[must_use]
pub fn preview(scene: &Scene, device: DeviceIx, condition: Condition) -> Preview {
    let raised = raised(scene, device, condition);
    let mut run = PreviewRun::begin(scene, &raised);
    let muted = run.muted(&raised);
    let station =
        run.book.open().map(|incident| incident.station.clone()).next().unwrap_or_default();
    run.go_on(|run| run.repeats.len() >= REPEATS);
    let every_s = match run.repeats[..] {
        [first, second, ..] => Some((second - first) / 1_000),
        [] | [_] => None,
    };
    let forgotten_s = forgotten(scene, &raised);
    let told =
        run.told.into_iter().filter(|(repeat, _)| *repeat < 2).map(|(_, told)| told).collect();
    Preview { station, severity: condition.severity(), muted, told, every_s, forgotten_s }
}

/// Who hears something else after than before.
#[must_use]
pub fn differences(before: &Preview, after: &Preview) -> Vec<Difference> {
    let (mut old, mut new) = (hears(before), hears(after));
    let all: BTreeSet<Receiver> = old.keys().chain(new.keys()).cloned().collect();
    let changed = all.into_iter().map(|receiver| {
        let (before, after) = (old.remove(&receiver), new.remove(&receiver));
        Difference { receiver, before, after }
    });
    changed.filter(|change| change.before != change.after).collect()
}

fn hears(preview: &Preview) -> BTreeMap<Receiver, Hears> {
    let mut all = BTreeMap::<Receiver, Hears>::new();
    for told in &preview.told {
        let hears = all.entry(told.receiver.clone()).or_default();
        hears.at_s.push(told.after_s);
        if told.again {
            hears.every_s = preview.every_s;
        }
        if told.step == 1 {
            hears.forgotten_s = preview.forgotten_s;
        }
    }
    all
}

/// How long after an acknowledgement it is told again, s.
fn forgotten(scene: &Scene, raised: &Raised) -> Option<i64> {
    let mut run = PreviewRun::begin(scene, raised);
    run.go_on(|run| !run.told.is_empty());
    let (id, taken_at) = (run.book.open().next()?.id, run.now);
    run.told.clear();
    run.take(id);
    run.go_on(|run| !run.told.is_empty());
    (!run.told.is_empty()).then(|| (run.now - taken_at) / 1_000)
}

fn raised(scene: &Scene, device: DeviceIx, condition: Condition) -> Raised {
    let Scene { registry, now, .. } = *scene;
    let (zone, station) = registry.device(device).map_or_else(Default::default, |device| {
        (Box::from(&*device.zone), Box::from(&*device.station))
    });
    let zoned = condition == Condition::ZoneLowPressure;
    let members = if zoned { registry.zone(&zone).to_vec() } else { Vec::new() };
    let subject = match (condition, condition.class()) {
        (Condition::GatewayBlind | Condition::RegistryFault | Condition::Degraded, _) => {
            Subject::Gateway
        }
        (Condition::UnreadableAlarm, _) => Subject::Device(device),
        (_, Class::Blind) => Subject::Area(station),
        (_, Class::Water) if zoned => Subject::Zone(zone),
        (_, Class::Fire | Class::Water | Class::Upkeep) => Subject::Device(device),
    };
    let (since, measured_at, received_at) = (now, now, now);
    Raised {
        members,
        ..Raised::new(subject, condition, Moments { since, measured_at, received_at })
    }
}

/// A book of its own in which one thing happens, and its clock.
struct PreviewRun<'a> {
    scene: &'a Scene<'a>,
    book: Book,
    now: Ms,
    /// Pages so far, each with the number of its repetition.
    told: Vec<(u32, PlannedPage)>,
    /// When each repetition came.
    repeats: Vec<Ms>,
}

impl<'a> PreviewRun<'a> {
    fn begin(scene: &'a Scene<'a>, raised: &Raised) -> Self {
        // Somebody confirms each page.
        let plan = Plan { confirm_s: 0, ..scene.plan.clone() };
        let (mut book, mut out) = (Book::new(plan, REHEARSED), Changes::default());
        for station in
            scene.registry.stations().iter().filter(|station| !scene.away.contains(&station.id))
        {
            book.presence((&station.id, true), scene.now, &mut out);
        }
        for window in scene.windows {
            book.announce(window.clone(), &mut out);
        }
        let (told, repeats) = (Vec::new(), Vec::new());
        let mut run = Self { scene, book, now: scene.now, told, repeats };
        run.happens(|book, view, now, out| {
            book.hear(view, Fact::Raised(raised.clone()), now, out);
            book.tick(view, now, out);
        });
        run
    }

    /// Lets time pass until `enough`, or until nothing is due any more.
    fn go_on(&mut self, enough: impl Fn(&Self) -> bool) {
        for _ in 0..WAKES {
            let Some(due) = self.book.next_page().filter(|_| !enough(self)) else { return };
            self.now = self.now.max(due);
            self.happens(|book, view, now, out| book.tick(view, now, out));
        }
    }

    /// Somebody takes it.
    fn take(&mut self, incident: IncidentId) {
        let kind = ActionKind::Acknowledge;
        let action =
            Action { incident, kind, by: "preview".into(), note: Box::default(), seen: "".into() };
        self.happens(|book, view, now, out| {
            // Only what is open can be taken: nothing else stands in this book.
            let _ = book.act(view, (&Actor::admin("preview"), &action), now, out);
        });
    }

    fn happens(&mut self, what: impl FnOnce(&mut Book, &BookView, Ms, &mut Changes)) {
        let (hydrant, value) = (|_, _| HydrantNow::UNKNOWN, |_| Measurements::default());
        let view = BookView { registry: self.scene.registry, hydrant: &hydrant, value: &value };
        let mut out = Changes::default();
        what(&mut self.book, &view, self.now, &mut out);
        let after_s = (self.now - self.scene.now) / 1_000;
        if out.pages.iter().any(|page| page.repeat > 0) {
            self.repeats.push(self.now);
        }
        self.told.extend(out.pages.into_iter().map(|page| {
            let (step, again) = (page.step, page.repeat > 0);
            (page.repeat, PlannedPage { after_s, step, again, receiver: page.receiver })
        }));
    }

    fn muted(&self, raised: &Raised) -> Option<Muted> {
        let incident = self.book.open().next()?;
        let why = incident.quiet()?;
        let (window, _, until) = self.book.meta().muting(
            self.scene.registry,
            (&raised.subject, raised.condition),
            self.now,
        )?;
        Some(Muted { window: window.id.clone(), why, until, by: window.by.clone() })
    }
}
