//! The town as a whole: whose turn it is, and what it says.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use standpipe_firmware::Heard;
use standpipe_firmware::outbox::Receipts;
use standpipe_shared::{Channel, Name, Topic};

use crate::Ms;
use crate::chance::Chance;
use crate::happenings::Happenings;
use crate::layout::{Layout, RegistryCsv};
use crate::node::{DeviceMessage, MeasuringHabits, SimulatedDevice};
use crate::places::STATIONS;
use crate::story::Story;
use crate::world::World;

/// What happens to a town.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TownScript {
    /// Nothing: demand and noise only.
    Quiet,
    /// An opening of five minutes with something for everybody, then chance for ever.
    Eventful,
}

/// How a town is made. The defaults are those of a demonstration.
#[derive(Clone, Debug, PartialEq)]
pub struct TownPlan {
    /// Devices, about half of them hydrants.
    pub devices: usize,
    /// The town's time when it begins.
    pub start: Ms,
    /// Seconds between two readings of a device.
    pub interval_s: u32,
    /// Seconds between two samples of a device.
    pub sample_s: u32,
    /// Real seconds that a day with its thirsty hours lasts; 86,400: as long as ours.
    pub day_s: u32,
    /// Every device's start count at its first start.
    pub first_boot: u32,
    pub script: TownScript,
}

impl Default for TownPlan {
    fn default() -> Self {
        Self {
            devices: 200,
            start: 0,
            interval_s: 10,
            sample_s: 2,
            day_s: 1_200,
            first_boot: 1,
            script: TownScript::Eventful,
        }
    }
}

impl TownPlan {
    /// Which part of its day it is at `at`, 0 to 1; a town begins at eight in the morning.
    #[expect(clippy::cast_precision_loss, reason = "a remainder within a day")]
    pub(crate) fn day_share(&self, at: Ms) -> f32 {
        let day = (i64::from(self.day_s) * 1_000).max(1);
        let into = (at - self.start + day / 3).rem_euclid(day);
        into as f32 / day as f32
    }
}

/// One message of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TownMessage {
    pub device: Arc<str>,
    /// As in its topic.
    pub area: Arc<str>,
    /// The last level of its topic.
    pub channel: Channel,
    /// As JSON.
    pub payload: Vec<u8>,
    pub retain: bool,
}

impl TownMessage {
    /// The whole topic below `root`; `None` when a name is none, which no town has.
    #[must_use]
    pub fn topic(&self, root: &str) -> Option<String> {
        let (area, device) = (Name::new(&self.area).ok()?, Name::new(&self.device).ok()?);
        let mut text = String::with_capacity(root.len() + 64);
        Topic::Device { area, device, channel: self.channel }.write(root, &mut text).ok()?;
        Some(text)
    }
}

/// A town of devices. It moves only when it is stepped.
#[derive(Clone, Debug)]
pub struct Town {
    seed: u64,
    plan: TownPlan,
    layout: Layout,
    devices: Vec<SimulatedDevice>,
    /// When each device is stepped next.
    next: Vec<Ms>,
    /// The same in order; entries that `next` does not confirm are old.
    wakes: BinaryHeap<Reverse<(Ms, usize)>>,
    /// Where each device stands in the layout.
    places: HashMap<Arc<str>, usize>,
    happenings: Happenings,
    story: Story,
}

impl Town {
    /// Draws the town of this seed.
    #[must_use]
    pub fn new(seed: u64, plan: TownPlan) -> Self {
        let mut chance = Chance::new(seed);
        let layout = Layout::new(chance.bits(), &plan);
        let mut habits = MeasuringHabits::new(plan.interval_s.max(1), plan.sample_s.max(1));
        habits.first_boot = plan.first_boot;
        let mut devices = Vec::with_capacity(layout.sites.len());
        let mut next = Vec::with_capacity(layout.sites.len());
        for site in &layout.sites {
            let mut part = |seconds: u32| chance.bits() % (u64::from(seconds) * 1_000);
            habits.phase_ms = part(habits.settings.interval_s);
            devices.push(SimulatedDevice::new(site.kind, &habits));
            next.push(plan.start + part(habits.settings.sample_s).cast_signed());
        }
        let wakes = next.iter().enumerate().map(|(ix, at)| Reverse((*at, ix))).collect();
        let sites = layout.sites.iter().enumerate();
        let places = sites.map(|(ix, site)| (Arc::clone(&site.id), ix)).collect();
        let happenings =
            Happenings::new(Chance::new(chance.bits()), plan.script, plan.start, &layout);
        let story = Story::default();
        Self { seed, plan, layout, devices, next, wakes, places, happenings, story }
    }

    /// Lets the town live until `now` and says what its devices sent, in order. How often it is
    /// called changes nothing; a message's `ts` is the moment of its sample.
    pub fn step(&mut self, now: Ms) -> impl Iterator<Item = TownMessage> + use<> {
        let mut out = Vec::new();
        let mut said = Vec::new();
        while let Some(Reverse((at, ix))) =
            self.wakes.peek().copied().filter(|wake| wake.0.0 <= now)
        {
            self.wakes.pop();
            if self.next.get(ix) != Some(&at) {
                continue; // it was woken earlier since
            }
            self.happenings.advance(at, &self.layout, &mut self.story);
            let Some(next) = self.live(ix, at, &mut said) else { continue };
            self.wake(ix, next);
            let Some(site) = self.layout.sites.get(ix) else { continue };
            out.extend(said.drain(..).map(|DeviceMessage { channel, payload, retain }| {
                TownMessage {
                    device: Arc::clone(&site.id),
                    area: Arc::clone(&site.area),
                    channel,
                    payload,
                    retain,
                }
            }));
        }
        self.happenings.advance(now, &self.layout, &mut self.story);
        out.into_iter()
    }

    /// One device lives until `at`; answers when it is to be stepped again.
    fn live(&mut self, ix: usize, at: Ms, said: &mut Vec<DeviceMessage>) -> Option<Ms> {
        let world = World { seed: self.seed, plan: &self.plan, layout: &self.layout };
        let felt = world.feel(ix, at, self.happenings.now())?;
        Some(self.devices.get_mut(ix)?.step(&felt, at, said))
    }

    fn wake(&mut self, ix: usize, at: Ms) {
        if let Some(next) = self.next.get_mut(ix) {
            *next = at;
            self.wakes.push(Reverse((at, ix)));
        }
    }

    /// The gateway says something to a device, which understands it with the next step after
    /// `now`. Devices of other towns are none of ours.
    pub fn hear(&mut self, device: &str, heard: Heard, now: Ms) {
        let Some(&ix) = self.places.get(device) else { return };
        if let Some(device) = self.devices.get_mut(ix) {
            device.hear(heard);
        }
        if self.next.get(ix).is_some_and(|next| *next > now) {
            self.wake(ix, now);
        }
    }

    /// The settings of a device say whether the gateway answers its alarms.
    pub fn promise(&mut self, device: &str, receipts: Receipts) {
        if let Some(device) = self.places.get(device).and_then(|ix| self.devices.get_mut(*ix)) {
            device.promise(receipts);
        }
    }

    /// `stations.csv` and `devices.csv` as `deploy/FILES.md` describes them.
    #[must_use]
    pub fn registry(&self) -> RegistryCsv {
        self.layout.registry(self.plan.interval_s)
    }

    /// The stations: id and name, the detachment first.
    pub fn stations(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        STATIONS
            .iter()
            .map(|station| (station.id, format!("{} {}", station.name.zh, station.name.en)))
    }

    /// What happened to the world.
    #[must_use]
    pub const fn story(&self) -> &Story {
        &self.story
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Write as _;

    use standpipe_shared::{Alarm, Channel, Condition, Reading, Status};

    use super::{RegistryCsv, Town, TownMessage, TownPlan, TownScript};
    use crate::Ms;

    const START: Ms = 1_764_000_000_000;

    fn plan(devices: usize) -> TownPlan {
        TownPlan { devices, start: START, ..TownPlan::default() }
    }

    /// Lives `seconds`, stepped every `every_ms`.
    fn lived(town: &mut Town, seconds: Ms, every_ms: Ms) -> Vec<TownMessage> {
        let steps = seconds * 1_000 / every_ms;
        (0..=steps).flat_map(|step| town.step(START + step * every_ms)).collect()
    }

    fn bytes(messages: &[TownMessage]) -> String {
        messages.iter().fold(String::new(), |mut text, message| {
            let payload = String::from_utf8_lossy(&message.payload);
            let _ = writeln!(text, "{} {payload}", message.topic("r").unwrap_or_default());
            text
        })
    }

    #[test]
    fn the_same_seed_and_the_same_times_give_the_same_bytes() {
        let run = |seed, every| bytes(&lived(&mut Town::new(seed, plan(120)), 900, every));
        let once = run(5, 1_000);
        assert!(once.lines().count() > 10_000);
        assert_eq!(once, run(5, 1_000));
        assert_eq!(once, run(5, 100), "how often it is stepped changes nothing");
        assert_ne!(once, run(6, 1_000));
    }

    #[test]
    fn seq_counts_readings_and_alarms_together_and_starts_over_with_every_boot() {
        let mut numbers: HashMap<String, BTreeMap<u32, Vec<u32>>> = HashMap::new();
        for message in lived(&mut Town::new(2, plan(200)), 3_600, 1_000) {
            let reading = match message.channel {
                Channel::Telemetry => serde_json::from_slice::<Reading>(&message.payload),
                Channel::Alarm => {
                    serde_json::from_slice::<Alarm>(&message.payload).map(|alarm| alarm.reading)
                }
                Channel::Status => continue,
                Channel::Settings | Channel::Command | Channel::Receipt | Channel::Reply => {
                    panic!("{message:?}")
                }
            };
            let reading = reading.unwrap_or_else(|bad| panic!("{bad}: {message:?}"));
            assert_eq!(reading.unknown, 0);
            let boots = numbers.entry(message.device.to_string()).or_default();
            boots.entry(reading.boot.unwrap_or(0)).or_default().push(reading.seq.unwrap_or(0));
        }
        assert_eq!(numbers.len(), 200);
        for (device, boots) in &mut numbers {
            let counted: Vec<u32> = (1..).take(boots.len()).collect();
            assert!(boots.keys().eq(&counted), "{device}: {:?}", boots.keys());
            for seqs in boots.values_mut() {
                // After an outage alarms leave before readings.
                seqs.sort_unstable();
                assert!(seqs.iter().copied().eq((1..).take(seqs.len())), "{device}: {seqs:?}");
            }
        }
        assert!(
            numbers.values().any(|boots| boots.len() > 1),
            "chance restarts a device in an hour"
        );
    }

    #[test]
    fn the_opening_shows_the_first_alarm_within_15_seconds_and_something_for_everybody() {
        let mut town = Town::new(1, plan(200));
        let said = lived(&mut town, 330, 500);
        let alarms: Vec<(Alarm, &str)> = said
            .iter()
            .filter(|message| message.channel == Channel::Alarm)
            .filter_map(|message| {
                Some((serde_json::from_slice(&message.payload).ok()?, &*message.device))
            })
            .collect();
        let first = alarms
            .first()
            .map(|(alarm, _)| (alarm.condition, alarm.reading.ts.unwrap_or(0) - START));
        let Some((Condition::Smoke, after)) = first else { panic!("{first:?}") };
        assert!((6_000..=15_000).contains(&after), "{after}");
        for (condition, at_least) in
            [(Condition::Smoke, 3), (Condition::Heat, 1), (Condition::NoWater, 4)]
        {
            let found = alarms
                .iter()
                .filter(|(alarm, _)| alarm.condition == condition && alarm.active)
                .count();
            assert!(found >= at_least, "{condition:?}: {found}");
        }
        let told: Vec<_> = town.story().lines().filter_map(|line| line.expect).collect();
        for condition in [
            Condition::Smoke,
            Condition::HydrantOpen,
            Condition::LowPressure,
            Condition::ZoneLowPressure,
            Condition::Knocked,
            Condition::SensorFault,
            Condition::BatteryLow,
            Condition::NoWater,
            Condition::Offline,
        ] {
            assert!(told.contains(&condition), "{condition:?}");
        }
    }

    #[test]
    fn a_burst_makes_most_of_a_zone_low_and_a_quiet_town_is_never_low() {
        let low = |plan: TownPlan| {
            let mut town = Town::new(1, plan);
            let RegistryCsv { devices, .. } = town.registry();
            let zone: HashMap<&str, &str> = devices
                .lines()
                .filter_map(|row| Some((row.split(',').next()?, row.split(',').nth(4)?)))
                .collect();
            let mut low = HashMap::<_, Vec<_>>::new();
            for message in lived(&mut town, 120, 1_000) {
                let reading =
                    serde_json::from_slice::<Reading>(&message.payload).unwrap_or_default();
                let kpa = reading.values.pressure_kpa.map_or(999.0, |kpa| kpa.get());
                if message.channel == Channel::Telemetry && kpa < 140.0 {
                    let zone = zone.get(&*message.device).copied().unwrap_or("").to_owned();
                    low.entry(zone).or_default().push(message.device);
                }
            }
            low.into_iter()
                .map(|(zone, mut low)| {
                    low.sort();
                    low.dedup();
                    (zone, low.len())
                })
                .collect::<HashMap<_, _>>()
        };
        let burst = low(plan(200)).get("mawangping-1").copied().unwrap_or(0);
        assert!(burst >= 12, "{burst}");
        assert_eq!(
            low(TownPlan { script: TownScript::Quiet, day_s: 120, ..plan(400) }),
            HashMap::new()
        );
    }

    #[test]
    fn while_the_radio_is_out_the_will_speaks_and_afterwards_the_backlog_comes_in_order() {
        let mut town = Town::new(1, plan(200));
        let mut arrived: HashMap<String, Vec<(Ms, TownMessage)>> = HashMap::new();
        for second in 0..330 {
            let now = START + second * 1_000;
            for message in town.step(now) {
                arrived.entry(message.device.to_string()).or_default().push((now, message));
            }
        }
        let out = town.story().lines().find(|line| line.expect == Some(Condition::Offline));
        let Some(out) = out else { panic!("no outage told") };
        assert!(out.devices.len() >= 5, "{out:?}");
        for device in &out.devices {
            let said = arrived.get(&**device).map_or(&[][..], Vec::as_slice);
            let after: Vec<_> = said.iter().filter(|(at, _)| *at > out.at + 3_000).collect();
            let status = |message: &TownMessage| {
                let status = serde_json::from_slice::<Status<'_>>(&message.payload).ok()?;
                (message.channel == Channel::Status && message.retain).then_some(status.online)
            };
            let [(will_at, will), (back_at, birth), rest @ ..] = after.as_slice() else {
                panic!("{device}: {after:?}")
            };
            assert_eq!((status(will), status(birth)), (Some(false), Some(true)));
            assert!((30_000..=36_000).contains(&(will_at - out.at)), "{}", will_at - out.at);
            assert!((100_000..=104_000).contains(&(back_at - out.at)));
            let ts: Vec<Ms> = rest
                .iter()
                .filter(|(_, message)| message.channel == Channel::Telemetry)
                .filter_map(|(_, message)| {
                    serde_json::from_slice::<Reading>(&message.payload).ok()?.ts
                })
                .collect();
            assert!(ts.is_sorted() && ts.first().is_some_and(|first| *first < *will_at), "{ts:?}");
        }
    }
}
