//! A smoke detector from outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod rig;

use rig::{Rig, World};
use standpipe_firmware::{Fault, Hand, Heard, Radio, Seen, Sounder};
use standpipe_shared::{Condition, Field, Kind, Settings, Verb};

fn calm() -> World {
    World::smoke(0.0)
}

fn command(verb: Verb, seconds: Option<u32>) -> Heard {
    Heard::Command { id: "c-1".try_into().unwrap(), verb, seconds }
}

#[test]
fn smoke_is_shouted_by_its_second_sample_and_sounds_until_the_air_is_clear() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_001, &calm());
    rig.live(1_100, &World::smoke(0.2));
    let [(at, Condition::Smoke, true)] = rig.shouted()[..] else { panic!("{:?}", rig.shouted()) };
    assert!((1_005..=1_008).contains(&at), "5 s to the first sample, 2 s to the second: {at}");
    let alarm = rig.records.iter().find(|said| said.1.shout().is_some()).unwrap().1;
    assert!(alarm.values().get(Field::SmokeDbM).unwrap() > 0.19);
    let contacts = calm().contacts;
    let now = rig.step(&Seen { contacts, ..Seen::default() });
    assert_eq!((now.sounder, now.radio), (Sounder::Fire, Radio::Now));
    rig.live(1_200, &World::smoke(0.1));
    assert!(rig.node.shouts(Condition::Smoke), "half is not clear");
    rig.live(1_300, &calm());
    assert_eq!(
        rig.shouted().last().map(|shout| (shout.1, shout.2)),
        Some((Condition::Smoke, false))
    );
    assert_eq!(rig.step(&Seen { contacts, ..Seen::default() }).sounder, Sounder::Off);
}

#[test]
fn one_puff_is_no_fire() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &calm());
    rig.live(1_001, &World::smoke(0.5));
    rig.live(2_000, &calm());
    assert_eq!(rig.shouted(), []);
}

#[test]
fn heat_is_a_limit_or_a_rate_of_rise() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &calm());
    rig.live(1_100, &World { temp_c: Ok(58.0), ..calm() });
    assert!(rig.shouted().iter().any(|shout| shout.1 == Condition::Heat && shout.2));

    let rise = |c_per_min: f32| {
        let mut rig = Rig::new(Kind::Smoke);
        rig.live(600, &calm());
        for second in 1..=180_u16 {
            let temp_c = Ok(21.0 + c_per_min * f32::from(second) / 60.0);
            rig.live(600 + u64::from(second), &World { temp_c, ..calm() });
        }
        rig.shouted()
    };
    let fast = rise(12.0);
    assert!(matches!(fast[..], [(620..=650, Condition::Heat, true)]), "{fast:?}");
    assert_eq!(rise(8.0), [], "the sun on a roof");
}

/// Dust rises the clean-air level over months; it is followed and becomes contamination.
#[test]
fn dust_is_no_smoke_and_asks_for_a_service() {
    let mut rig = Rig::new(Kind::Smoke);
    let rare = Settings { rev: 1, sample_s: 30, ..*rig.node.settings() };
    assert!(rig.hear(Heard::Settings(rare)).status);
    let day = 86_400;
    for today in 0..130_u64 {
        let dust = 0.002 * today as f32;
        rig.live(rig.now.0 / 1_000 + day, &World::smoke(dust));
    }
    assert_eq!(
        rig.shouted().iter().map(|shout| (shout.1, shout.2)).collect::<Vec<_>>(),
        [(Condition::Contamination, true)]
    );
    let contacts = calm().contacts;
    assert_eq!(rig.step(&Seen { contacts, ..Seen::default() }).sounder, Sounder::Chirp);
    rig.node.serviced(0.0);
    rig.live(rig.now.0 / 1_000 + 60, &calm());
    assert_eq!(
        rig.shouted().last().map(|shout| (shout.1, shout.2)),
        Some((Condition::Contamination, false))
    );
}

/// EN 54-7's slow fires gain a quarter of the alarm level an hour; half of that must be seen too.
#[test]
fn a_smouldering_fire_is_not_taken_for_dust() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(86_400, &calm());
    let mut minutes = 0_u16;
    while !rig.node.shouts(Condition::Smoke) {
        minutes += 1;
        assert!(minutes < 24 * 60, "a day, and no alarm");
        let smoke = World::smoke(0.15 / 8.0 * f32::from(minutes) / 60.0);
        rig.live(86_400 + u64::from(minutes) * 60, &smoke);
    }
    assert!(minutes < 600, "{minutes} min; without compensation 480");
}

#[test]
fn hush_silences_the_room_and_not_the_gateway() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(100, &World::smoke(0.2));
    let hushed = rig.hear(command(Verb::Silence, Some(300)));
    assert_eq!((hushed.answers[0].ok, hushed.sounder), (true, Sounder::Off));
    assert!(rig.node.shouts(Condition::Smoke));
    rig.live(110, &World::smoke(0.5));
    let contacts = calm().contacts;
    let worse = rig.step(&Seen { contacts, ..Seen::default() });
    assert_eq!(worse.sounder, Sounder::Fire, "it got worse");
    assert_eq!(rig.hand(Hand::Press).sounder, Sounder::Off);
}

#[test]
fn a_test_by_hand_is_seen_as_a_test_and_ends() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(100, &calm());
    let held = rig.hand(Hand::Hold);
    assert!(held.self_test && held.sounder == Sounder::Test);
    let contacts = calm().contacts;
    rig.step(&Seen { self_test: Some(Ok(())), contacts, ..Seen::default() });
    let tests: Vec<_> = rig.records.iter().filter_map(|said| said.1.shout()).collect();
    assert_eq!(
        tests.iter().map(|shout| (shout.test, shout.active)).collect::<Vec<_>>(),
        [(true, true), (true, false)]
    );
    rig.live(110, &calm());
    assert!(!rig.node.shouts(Condition::Smoke));
}

#[test]
fn a_dead_chamber_is_a_fault_that_chirps_briefly_and_a_press_mutes_it() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(100, &calm());
    rig.live(200, &World { counts: Err(Fault::Silent), ..calm() });
    assert!(matches!(rig.shouted()[..], [(_, Condition::SensorFault, true)]));
    rig.live(300, &World { temp_c: Err(Fault::Garbled), ..calm() });
    assert!(rig.node.shouts(Condition::SensorFault), "a thermometer is a sensor too");
    let contacts = calm().contacts;
    let look = Seen { contacts, ..Seen::default() };
    let mut second = || {
        rig.now = rig.now.after_ms(1_000);
        Some(rig.step(&look)).filter(|actions| actions.sounder == Sounder::Chirp)
    };
    let chirps = (0..60).find_map(|_| second()).unwrap();
    assert_eq!(chirps.wake_at, rig.now.after_ms(100));
    rig.now = chirps.wake_at;
    let quiet = rig.step(&look);
    assert_eq!(quiet.sounder, Sounder::Off, "a chirp is no evacuation");
    assert!(quiet.wake_at > rig.now, "{quiet:?}");
    rig.hand(Hand::Press);
    assert_eq!(rig.step(&look).sounder, Sounder::Off);
    rig.live(1_000, &calm());
    assert!(!rig.node.shouts(Condition::SensorFault));
}

#[test]
fn battery_and_tamper_are_shouted() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &calm());
    let mut open = calm();
    open.contacts.case_open = Some(true);
    rig.live(1_010, &open);
    assert_eq!(rig.shouted(), [(1_001, Condition::Tamper, true)]);
    rig.live(9_000, &World { battery_mv: 2_699, ..calm() });
    assert!(rig.node.shouts(Condition::BatteryLow) && !rig.node.shouts(Condition::Tamper));
}
