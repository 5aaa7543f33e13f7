//! A board made of a script: asks the sensors that the node wants, when it wants them, and writes
//! down what it is told to do.
#![allow(dead_code, reason = "every drill uses a part of it")]

pub mod nonsense;

use standpipe_firmware::power::Meter;
use standpipe_firmware::smoke::Chamber;
use standpipe_firmware::{
    Actions, Contacts, Fault, Hand, Heard, Memory, Node, Pressure, Record, Seen, Smoke, Start,
    Uptime, Wanted,
};
use standpipe_shared::{Celsius, Condition, Degrees, Kilopascals, Kind};

/// The chamber: counts in clean air, and of 1 dB/m above it.
pub const CLEAN: f32 = 1_500.0;
pub const PER_DB_M: f32 = 8_000.0;

/// What there is to be felt.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub kpa: Result<f32, Fault>,
    /// A sensor's least digit, which tells a calm main from a stuck sensor, kPa.
    pub noise_kpa: f32,
    pub temp_c: Result<f32, Fault>,
    pub tilt_deg: Result<f32, Fault>,
    pub counts: Result<u32, Fault>,
    pub battery_mv: i32,
    pub contacts: Contacts,
}

impl World {
    pub fn calm() -> Self {
        let contacts =
            Contacts { flowing: Some(false), cap_open: Some(false), case_open: Some(false) };
        Self {
            kpa: Ok(300.0),
            noise_kpa: 0.04,
            temp_c: Ok(15.0),
            tilt_deg: Ok(1.0),
            counts: Ok(1_500),
            battery_mv: 3_600,
            contacts,
        }
    }

    pub fn kpa(kpa: f32) -> Self {
        Self { kpa: Ok(kpa), ..Self::calm() }
    }

    /// A chamber at this obscuration above new.
    pub fn smoke(db_m: f32) -> Self {
        Self {
            counts: Ok((CLEAN + PER_DB_M * db_m) as u32),
            temp_c: Ok(21.0),
            battery_mv: 3_000,
            ..Self::calm()
        }
    }
}

/// A node, its board and its diary.
pub struct Rig {
    pub node: Node,
    pub now: Uptime,
    next: Actions,
    asked: bool,
    pub records: Vec<(u64, Record)>,
    pub samples: u64,
    pub meter: Meter,
}

impl Rig {
    pub fn new(kind: Kind) -> Self {
        Self::start(kind, None)
    }

    pub fn start(kind: Kind, memory: Option<Memory>) -> Self {
        let chamber = Chamber::measured(CLEAN, PER_DB_M);
        let node = Node::start(kind, memory, Start { boot: 7, chamber, ..Start::default() });
        let mut rig = Self {
            node,
            now: Uptime(0),
            next: Actions::default(),
            asked: true,
            records: Vec::new(),
            samples: 0,
            meter: Meter::default(),
        };
        rig.step(&Seen { contacts: World::calm().contacts, ..Seen::default() });
        rig
    }

    /// One step, now.
    pub fn step(&mut self, seen: &Seen) -> Actions {
        let actions = self.node.step(seen, self.now);
        self.meter.count(seen, &actions, self.now);
        self.records.extend(actions.records.iter().map(|record| (self.now.0 / 1_000, *record)));
        assert!(actions.wake_at >= self.now, "{actions:?}");
        self.next = actions.clone();
        self.asked = false;
        actions
    }

    /// Lets it live until `second`, in this world.
    pub fn live(&mut self, second: u64, world: &World) {
        let end = Uptime(second * 1_000);
        self.step(&Seen { contacts: world.contacts, ..Seen::default() });
        while self.next.wake_at < end {
            self.now = self.next.wake_at;
            let odd = (self.samples % 2) as f32;
            let kpa = world.kpa.map(|still| still + odd * world.noise_kpa);
            let seen = ask(self.next.wanted, &World { kpa, ..*world });
            self.samples += u64::from(seen.pressure.is_some() || seen.smoke.is_some());
            self.step(&seen);
        }
        self.now = end;
    }

    pub fn hear(&mut self, heard: Heard) -> Actions {
        self.step(&Seen { heard: Some(heard), contacts: World::calm().contacts, ..Seen::default() })
    }

    pub fn hand(&mut self, hand: Hand) -> Actions {
        self.step(&Seen { hand: Some(hand), contacts: World::calm().contacts, ..Seen::default() })
    }

    /// What was shouted: second, name, begin or end.
    pub fn shouted(&self) -> Vec<(u64, Condition, bool)> {
        let shouts = self.records.iter().filter_map(|(at, record)| Some((*at, record.shout()?)));
        shouts.map(|(at, shout)| (at, shout.condition, shout.active)).collect()
    }

    /// Seconds of the readings since `second`.
    pub fn readings(&self, second: u64) -> Vec<u64> {
        let readings =
            self.records.iter().filter(|(at, record)| record.shout().is_none() && *at >= second);
        readings.map(|reading| reading.0).collect()
    }
}

/// What the drivers answer.
pub fn ask(wanted: Wanted, world: &World) -> Seen {
    let kpa = world.kpa.and_then(|number| Kilopascals::new(number).map_err(|_| Fault::Garbled));
    let temp = world.temp_c.and_then(|number| Celsius::new(number).map_err(|_| Fault::Garbled));
    let tilt = world.tilt_deg.and_then(|number| Degrees::new(number).map_err(|_| Fault::Garbled));
    let smoke = world.counts.map(|blue| Smoke { blue, infrared: None });
    Seen {
        pressure: wanted.has(Wanted::PRESSURE).then_some(Pressure { kpa, loop_ma: None }),
        temp: wanted.has(Wanted::TEMP).then_some(temp),
        tilt: wanted.has(Wanted::TILT).then_some(tilt),
        smoke: wanted.has(Wanted::SMOKE).then_some(smoke),
        battery_mv: wanted.has(Wanted::BATTERY).then_some(Ok(world.battery_mv)),
        contacts: world.contacts,
        ..Seen::default()
    }
}
