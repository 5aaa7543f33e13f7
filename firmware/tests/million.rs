//! A million steps of nonsense: whatever is seen, in whatever order, some things always hold.
//! Seeded: a failure names its seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use standpipe_firmware::{
    Class, Contacts, Fault, Hand, Heard, Link, Memory, Moment, Node, Pressure, Record, Seen, Smoke,
    Start, Uptime,
};
use standpipe_shared::{Celsius, Condition, Degrees, Kilopascals, Kind, Settings, Verb};

const STEPS: u32 = 1_000_000;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.below(10_000) as f32 / 10_000.0)
    }
}

fn fault(chance: &mut Chance) -> Fault {
    let faults = [
        Fault::Silent,
        Fault::Garbled,
        Fault::Refused,
        Fault::WireBroken,
        Fault::OverCurrent,
        Fault::OutOfRange,
    ];
    faults[chance.below(6) as usize]
}

fn either<T>(chance: &mut Chance, value: T) -> Option<Result<T, Fault>> {
    match chance.below(8) {
        0 => None,
        1 => Some(Err(fault(chance))),
        _ => Some(Ok(value)),
    }
}

fn heard(chance: &mut Chance) -> Heard {
    match chance.below(3) {
        0 => Heard::Clock(match chance.below(4) {
            0 => chance.bits().cast_signed(),
            _ => 1_764_000_000_000 + chance.below(100_000_000).cast_signed(),
        }),
        1 => {
            let kpa = |it| Kilopascals::new(it).unwrap();
            Heard::Settings(Settings {
                rev: chance.below(20) as u32,
                interval_s: chance.below(2_000) as u32,
                sample_s: chance.below(20) as u32,
                low_kpa: kpa(chance.between(-10.0, 400.0)),
                no_water_kpa: kpa(chance.between(-10.0, 200.0)),
                delta_kpa: kpa(chance.between(0.0, 50.0)),
            })
        }
        _ => {
            let verbs = [Verb::ReportNow, Verb::SelfTest, Verb::Silence, Verb::Restart];
            let seconds = (!chance.one_in(3)).then(|| chance.below(10_000) as u32);
            let id = "01J0".try_into().unwrap();
            Heard::Command { id, verb: verbs[chance.below(4) as usize], seconds }
        }
    }
}

fn seen(chance: &mut Chance, mood: f32) -> Seen {
    let kpa = Kilopascals::new(chance.between(mood - 30.0, mood + 30.0)).unwrap();
    let contact = |chance: &mut Chance| (!chance.one_in(9)).then(|| chance.one_in(4));
    Seen {
        pressure: either(chance, kpa).map(|kpa| Pressure { kpa, loop_ma: None }),
        temp: {
            let temp = Celsius::new(chance.between(-20.0, 80.0)).unwrap();
            either(chance, temp)
        },
        tilt: {
            let tilt = Degrees::new(chance.between(0.0, 90.0)).unwrap();
            either(chance, tilt)
        },
        smoke: {
            let blue = chance.below(6_000) as u32;
            either(chance, Smoke { blue, infrared: None })
        },
        battery_mv: {
            let mv = chance.below(4_000) as i32;
            either(chance, mv)
        },
        contacts: Contacts {
            flowing: contact(chance),
            cap_open: contact(chance),
            case_open: contact(chance),
        },
        rssi_dbm: chance.one_in(5).then_some(-90),
        hand: chance.one_in(50).then(|| if chance.one_in(2) { Hand::Press } else { Hand::Hold }),
        link: [Link::Asleep, Link::Connecting, Link::Online][chance.below(3) as usize],
        heard: chance.one_in(20).then(|| heard(chance)),
        self_test: chance.one_in(30).then(|| Err(fault(chance))),
    }
}

/// What the gateway believes of a device, from its alarms alone.
#[derive(Default)]
struct Gateway {
    raised: u32,
    last: Option<(u32, u32)>,
}

impl Gateway {
    fn take(&mut self, record: &Record, boot: u32, seed: u64) {
        let (was_boot, was_seq) = self.last.unwrap_or((boot, 0));
        assert_eq!(record.boot(), boot, "seed {seed}");
        let next = if was_boot == boot { was_seq + 1 } else { 1 };
        assert_eq!(record.seq(), next, "seed {seed}: seq repeats or has a gap");
        self.last = Some((boot, record.seq()));
        let mut bytes = [0; Record::MAX];
        let len = record.encode(&mut bytes).unwrap();
        assert_eq!(Record::decode(&bytes[..len]), Ok(*record), "seed {seed}");
        assert!(record.json(Some(i64::MAX), &mut [0; Record::JSON_MAX]).is_ok(), "seed {seed}");
        if let Some(shout) = record.shout().filter(|it| !it.test) {
            assert_eq!(record.class(), Class::Alarm);
            let bit = shout.condition.bit();
            assert_eq!(self.raised & bit == 0, shout.active, "seed {seed}: {shout:?} said twice");
            self.raised ^= bit;
        }
    }
}

fn live(kind: Kind, seed: u64) {
    let mut chance = Chance(seed);
    let start = |boot| Start { boot, ..Start::default() };
    let mut node = Node::start(kind, None, start(1));
    let (mut gateway, mut now, mut mood) = (Gateway::default(), Uptime(0), 300.0);
    let (mut boots, mut kept) = (1, node.memory().to_bytes().to_vec());
    for _ in 0..STEPS / 2 {
        let seen = seen(&mut chance, mood);
        let out = node.step(&seen, now);
        let boot = node.status().boot.unwrap();
        out.records.iter().for_each(|it| gateway.take(it, boot, seed));
        let shouted = Condition::ALL.iter().filter(|it| node.shouts(**it));
        let shouted = shouted.fold(0, |bits, it| bits | it.bit());
        assert_eq!(shouted, gateway.raised, "seed {seed}: what is true and not said");
        assert!(out.wake_at >= now && out.wake_at.since_ms(now) <= 600_000, "seed {seed}");
        assert!(standpipe_firmware::settings::check(node.settings()).is_ok(), "seed {seed}");
        if out.persist {
            kept = node.memory().to_bytes().to_vec();
        }
        assert_eq!(Memory::from_bytes(&kept), Some(node.memory()), "seed {seed}: not kept");
        if let Moment::Unix(ms) = node.clock().clone().moment(now) {
            assert!((1_735_000_000_000..=4_200_000_000_000).contains(&ms), "seed {seed}: {ms}");
        }
        if out.restart || chance.one_in(5_000) {
            boots += 1;
            node = Node::start(kind, Memory::from_bytes(&kept), start(boots));
            assert_eq!(node.status().boot, Some(boots), "seed {seed}");
            now = Uptime(0);
        } else {
            let early = chance.below(out.wake_at.since_ms(now) + 2);
            now = if chance.one_in(3) { now.after_ms(early) } else { out.wake_at };
        }
        if chance.one_in(200) {
            mood = [300.0, 150.0, 60.0, 0.0][chance.below(4) as usize];
        }
    }
    assert!(boots > 50, "seed {seed}: it restarted {boots} times");
}

#[test]
fn half_a_million_steps_of_a_hydrant() {
    live(Kind::Hydrant, 1);
}

#[test]
fn half_a_million_steps_of_a_detector() {
    live(Kind::Smoke, 2);
}
