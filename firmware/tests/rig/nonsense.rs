//! Chance, and whatever a device could see: sensible or not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use standpipe_firmware::{Contacts, Fault, Hand, Heard, Link, Pressure, Seen, Smoke};
use standpipe_shared::{Celsius, Degrees, Kilopascals, Settings, SplitMix64, Verb};

pub struct Chance(pub SplitMix64);

impl Chance {
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    pub fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
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
            let kpa = |number| Kilopascals::new(number).unwrap();
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
            let id = format!("01J{}", chance.below(50)).as_str().try_into().unwrap();
            Heard::Command { id, verb: verbs[chance.below(4) as usize], seconds }
        }
    }
}

/// Anything at all; pressure is somewhere near `mood`, kPa.
pub fn seen(chance: &mut Chance, mood: f32) -> Seen {
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
