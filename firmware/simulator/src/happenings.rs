//! What happens to the town: an opening script, then chance for ever. Each happening has a
//! beginning and an end; what it does to water, smoke and radio is in `world.rs`, and how it is
//! told to people is in `story.rs`.

use crate::chance::Chance;
use crate::layout::{BRANCHES, Layout};
use crate::story::Story;
use crate::{Ms, TownScript};

use standpipe_shared::Kind;

/// No more than this at once, however long the town runs.
const MOST_AT_ONCE: usize = 12;
/// The first happening that is not in the script comes this long after the start.
const CHANCE_FROM_MS: Ms = 330_000;
/// Milliseconds between chance happenings: from …
const PAUSE_MIN_MS: f32 = 25_000.0;
/// … to.
const PAUSE_MAX_MS: f32 = 80_000.0;

/// One kind of thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TownEvent {
    /// A kitchen burns; smoke reaches the floor above later.
    Fire,
    /// Somebody burns the dinner: smoke for half a minute.
    Cooking,
    /// A zone's main breaks near the head of a branch.
    Burst,
    /// Somebody shut a branch's valve and forgot it.
    ValveShut,
    /// A hydrant runs.
    Opened,
    /// A hydrant's own valve is half shut: little pressure.
    Starved,
    /// A lorry backed into a hydrant.
    Knocked,
    /// The wire of the pressure sensor is broken.
    WireBroken,
    /// The pressure sensor says the same for ever.
    Stuck,
    /// A battery goes down.
    BatteryFails,
    /// A detector's chamber is full of dust.
    Dirty,
    /// Somebody opens a device.
    Tampered,
    /// A device starts again.
    Restarted,
    /// The radio mast of a station's devices is without power.
    RadioOut,
}

impl TownEvent {
    /// How long it lasts, and what shows afterwards (smoke thins, the main fills), seconds.
    const fn lasts_and_fades_s(self) -> (Ms, Ms) {
        match self {
            Self::Fire => (120, 90),
            Self::Cooking => (25, 30),
            Self::Burst => (240, 90),
            Self::ValveShut => (180, 30),
            Self::Opened => (90, 0),
            Self::Starved | Self::WireBroken => (150, 0),
            Self::Knocked => (200, 0),
            Self::Stuck => (2_400, 0),
            Self::BatteryFails => (600, 0),
            Self::Dirty => (240, 0),
            Self::Tampered => (40, 0),
            Self::Restarted => (8, 0),
            Self::RadioOut => (100, 0),
        }
    }
}

/// To what it happens; numbers are places in [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HappeningPlace {
    Device(usize),
    /// A branch of a zone's main.
    Branch {
        zone: usize,
        branch: usize,
    },
    /// The devices of a station.
    Station(&'static str),
}

/// One thing that happens, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    pub event: TownEvent,
    pub place: HappeningPlace,
    pub from: Ms,
    /// Until when; it may fade for a while after that.
    pub until: Ms,
}

impl Happening {
    /// It begins at `from` and lasts as long as its kind does.
    pub const fn new(event: TownEvent, place: HappeningPlace, from: Ms) -> Self {
        Self { event, place, from, until: from + event.lasts_and_fades_s().0 * 1_000 }
    }

    const fn gone(&self) -> Ms {
        self.until + self.event.lasts_and_fades_s().1 * 1_000
    }
}

/// All that happens now, and what will.
#[derive(Clone, Debug)]
pub struct Happenings {
    active: Vec<Happening>,
    fading: Vec<Happening>,
    script: Vec<Happening>,
    chance: Chance,
    next_chance: Option<Ms>,
}

impl Happenings {
    /// The script's happenings, and chance after them.
    pub fn new(chance: Chance, script: TownScript, start: Ms, layout: &Layout) -> Self {
        let mut scripted = match script {
            TownScript::Quiet => Vec::new(),
            TownScript::Eventful => opening(start, layout),
        };
        scripted.sort_by_key(|happening| core::cmp::Reverse(happening.from));
        let next_chance = (script == TownScript::Eventful).then_some(start + CHANCE_FROM_MS);
        let (active, fading) = (Vec::new(), Vec::new());
        Self { active, fading, script: scripted, chance, next_chance }
    }

    /// What happens now or still fades.
    pub fn now(&self) -> impl Iterator<Item = &Happening> {
        self.active.iter().chain(&self.fading)
    }

    /// Lets the town live until `at`; how often this is called changes nothing.
    pub fn advance(&mut self, at: Ms, layout: &Layout, story: &mut Story) {
        while let Some(when) = self.next_change().filter(|change| *change <= at) {
            self.finish(when, layout, story);
            if let Some(begun) = self.script.pop_if(|next| next.from <= when) {
                self.begin(begun, layout, story);
            }
            if self.next_chance.is_some_and(|chance| chance <= when) {
                #[expect(clippy::cast_possible_truncation, reason = "under two minutes")]
                let pause = self.chance.between(PAUSE_MIN_MS, PAUSE_MAX_MS) as Ms;
                self.next_chance = Some(when + pause);
                if let Some(begun) = self.something(when, layout) {
                    self.begin(begun, layout, story);
                }
            }
        }
    }

    fn begin(&mut self, happening: Happening, layout: &Layout, story: &mut Story) {
        if self.active.len() < MOST_AT_ONCE {
            story.began(&happening, layout);
            self.active.push(happening);
        }
    }

    fn next_change(&self) -> Option<Ms> {
        let ends = self.active.iter().map(|happening| happening.until);
        let gone = self.fading.iter().map(Happening::gone);
        let script = self.script.last().map(|happening| happening.from);
        ends.chain(gone).chain(script).chain(self.next_chance).min()
    }

    fn finish(&mut self, when: Ms, layout: &Layout, story: &mut Story) {
        for ended in self.active.extract_if(.., |happening| happening.until <= when) {
            story.ended(&ended, layout);
            self.fading.push(ended);
        }
        self.fading.retain(|faded| faded.gone() > when);
    }

    /// Something of chance to somewhere where nothing happens yet.
    fn something(&mut self, from: Ms, layout: &Layout) -> Option<Happening> {
        let zone = self.chance.below(layout.zones.len());
        let branch = HappeningPlace::Branch { zone, branch: self.chance.below(BRANCHES) };
        let hydrants = &layout.zones.get(zone)?.hydrants;
        let hydrant = hydrants.get(self.chance.below(hydrants.len())).copied()?;
        let detector = layout.any_detector(self.chance.below(layout.sites.len()));
        let (hydrant, detector) =
            (HappeningPlace::Device(hydrant), detector.map(HappeningPlace::Device));
        let (event, place) = match self.chance.below(24) {
            0..=3 => (TownEvent::Fire, detector?),
            4..=6 => (TownEvent::Cooking, detector?),
            7..=9 => (TownEvent::Opened, hydrant),
            10..=11 => (TownEvent::Starved, hydrant),
            12..=13 => (TownEvent::Burst, branch),
            14..=15 => (TownEvent::ValveShut, branch),
            16..=17 => (TownEvent::Knocked, hydrant),
            18 => (TownEvent::WireBroken, hydrant),
            19 => (TownEvent::Stuck, hydrant),
            20 => (TownEvent::BatteryFails, detector?),
            21 => (TownEvent::Dirty, detector?),
            22 => (TownEvent::Tampered, hydrant),
            _ if self.chance.below(2) == 0 => (TownEvent::Restarted, hydrant),
            _ => (TownEvent::RadioOut, HappeningPlace::Station(layout.zones.get(zone)?.owner)),
        };
        let busy = self.now().any(|other| layout.overlap(other.place, place));
        (!busy).then(|| Happening::new(event, place, from))
    }
}

impl Layout {
    /// One of the detectors, by any number.
    fn any_detector(&self, number: usize) -> Option<usize> {
        let first = self.sites.iter().position(|site| site.kind == Kind::Smoke)?;
        Some(first + number % (self.sites.len() - first))
    }

    /// Whether two happenings there would be hard to tell apart.
    fn overlap(&self, one: HappeningPlace, two: HappeningPlace) -> bool {
        let zone = |ix: usize| self.sites.get(ix).and_then(|site| site.zone);
        match (one, two) {
            (HappeningPlace::Device(one), HappeningPlace::Device(two)) => one == two,
            (
                HappeningPlace::Branch { zone: one, .. },
                HappeningPlace::Branch { zone: two, .. },
            ) => one == two,
            (HappeningPlace::Device(site), HappeningPlace::Branch { zone: of, .. })
            | (HappeningPlace::Branch { zone: of, .. }, HappeningPlace::Device(site)) => {
                zone(site) == Some(of)
            }
            (HappeningPlace::Station(_), HappeningPlace::Station(_)) => true,
            (HappeningPlace::Station(_), _) | (_, HappeningPlace::Station(_)) => false,
        }
    }
}

/// Something for everybody within five minutes of the start.
fn opening(start: Ms, layout: &Layout) -> Vec<Happening> {
    let hydrant = |zone: usize, at: usize| {
        layout.zones.get(zone)?.hydrants.get(at).copied().map(HappeningPlace::Device)
    };
    let branch =
        |zone, branch| hydrant(zone, branch).map(|_| HappeningPlace::Branch { zone, branch });
    let detector = |number| layout.any_detector(number).map(HappeningPlace::Device);
    let flat = |building: usize, floor: usize| {
        layout.buildings.get(building)?.get(floor).copied().map(HappeningPlace::Device)
    };
    [
        (6, TownEvent::Fire, flat(0, 2).or_else(|| detector(0))),
        (12, TownEvent::Opened, hydrant(2, 0)),
        (13, TownEvent::Opened, hydrant(2, 4)),
        (20, TownEvent::Starved, hydrant(3, 1)),
        (50, TownEvent::Burst, branch(1, 0)),
        (75, TownEvent::Cooking, flat(5, 1)),
        (95, TownEvent::Knocked, hydrant(0, 6)),
        (120, TownEvent::WireBroken, hydrant(2, 5)),
        (150, TownEvent::BatteryFails, detector(17)),
        (165, TownEvent::Cooking, detector(23)),
        (180, TownEvent::ValveShut, branch(0, 1)),
        (200, TownEvent::Stuck, hydrant(2, 6)),
        (215, TownEvent::RadioOut, hydrant(3, 0).map(|_| HappeningPlace::Station("huxiao"))),
    ]
    .into_iter()
    .filter_map(|(second, event, place)| Some((second, event, place?)))
    .map(|(second, event, place)| Happening::new(event, place, start + second * 1_000))
    .collect()
}
