//! What happens to the town: an opening script, then chance for ever. Each happening has a
//! beginning and an end; what it does to water, smoke and radio is in `world.rs`, and how it is
//! told to people is in `story.rs`.

use crate::chance::Chance;
use crate::layout::{BRANCHES, Layout};
use crate::story::Story;
use crate::{Ms, Script};

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
pub enum Event {
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

impl Event {
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
pub enum Place {
    /// One device.
    Device(usize),
    /// A branch of a zone's main.
    Branch {
        /// The zone.
        zone: usize,
        /// The branch.
        branch: usize,
    },
    /// The devices of a station.
    Station(&'static str),
}

/// One thing that happens, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What.
    pub event: Event,
    /// To what.
    pub place: Place,
    /// Since when.
    pub from: Ms,
    /// Until when; it may fade for a while after that.
    pub until: Ms,
}

impl Happening {
    /// It begins at `from` and lasts as long as its kind does.
    pub const fn new(event: Event, place: Place, from: Ms) -> Self {
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
    pub fn new(chance: Chance, script: Script, start: Ms, layout: &Layout) -> Self {
        let mut scripted = match script {
            Script::Quiet => Vec::new(),
            Script::Eventful => opening(start, layout),
        };
        scripted.sort_by_key(|happening| core::cmp::Reverse(happening.from));
        let next_chance = (script == Script::Eventful).then_some(start + CHANCE_FROM_MS);
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
        let branch = Place::Branch { zone, branch: self.chance.below(BRANCHES) };
        let hydrants = &layout.zones.get(zone)?.hydrants;
        let hydrant = hydrants.get(self.chance.below(hydrants.len())).copied()?;
        let detector = layout.any_detector(self.chance.below(layout.sites.len()));
        let (hydrant, detector) = (Place::Device(hydrant), detector.map(Place::Device));
        let (event, place) = match self.chance.below(24) {
            0..=3 => (Event::Fire, detector?),
            4..=6 => (Event::Cooking, detector?),
            7..=9 => (Event::Opened, hydrant),
            10..=11 => (Event::Starved, hydrant),
            12..=13 => (Event::Burst, branch),
            14..=15 => (Event::ValveShut, branch),
            16..=17 => (Event::Knocked, hydrant),
            18 => (Event::WireBroken, hydrant),
            19 => (Event::Stuck, hydrant),
            20 => (Event::BatteryFails, detector?),
            21 => (Event::Dirty, detector?),
            22 => (Event::Tampered, hydrant),
            _ if self.chance.below(2) == 0 => (Event::Restarted, hydrant),
            _ => (Event::RadioOut, Place::Station(layout.zones.get(zone)?.owner)),
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
    fn overlap(&self, one: Place, two: Place) -> bool {
        let zone = |ix: usize| self.sites.get(ix).and_then(|site| site.zone);
        match (one, two) {
            (Place::Device(one), Place::Device(two)) => one == two,
            (Place::Branch { zone: one, .. }, Place::Branch { zone: two, .. }) => one == two,
            (Place::Device(site), Place::Branch { zone: of, .. })
            | (Place::Branch { zone: of, .. }, Place::Device(site)) => zone(site) == Some(of),
            (Place::Station(_), Place::Station(_)) => true,
            (Place::Station(_), _) | (_, Place::Station(_)) => false,
        }
    }
}

/// Something for everybody within five minutes of the start.
fn opening(start: Ms, layout: &Layout) -> Vec<Happening> {
    let hydrant = |zone: usize, at: usize| {
        layout.zones.get(zone)?.hydrants.get(at).copied().map(Place::Device)
    };
    let branch = |zone, branch| hydrant(zone, branch).map(|_| Place::Branch { zone, branch });
    let detector = |number| layout.any_detector(number).map(Place::Device);
    let flat = |building: usize, floor: usize| {
        layout.buildings.get(building)?.get(floor).copied().map(Place::Device)
    };
    [
        (6, Event::Fire, flat(0, 2).or_else(|| detector(0))),
        (12, Event::Opened, hydrant(2, 0)),
        (13, Event::Opened, hydrant(2, 4)),
        (20, Event::Starved, hydrant(3, 1)),
        (50, Event::Burst, branch(1, 0)),
        (75, Event::Cooking, flat(5, 1)),
        (95, Event::Knocked, hydrant(0, 6)),
        (120, Event::WireBroken, hydrant(2, 5)),
        (150, Event::BatteryFails, detector(17)),
        (165, Event::Cooking, detector(23)),
        (180, Event::ValveShut, branch(0, 1)),
        (200, Event::Stuck, hydrant(2, 6)),
        (215, Event::RadioOut, hydrant(3, 0).map(|_| Place::Station("huxiao"))),
    ]
    .into_iter()
    .filter_map(|(second, event, place)| Some((second, event, place?)))
    .map(|(second, event, place)| Happening::new(event, place, start + second * 1_000))
    .collect()
}
