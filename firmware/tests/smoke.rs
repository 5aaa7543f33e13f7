//! A smoke detector from outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod rig;

use rig::{Rig, World};
use standpipe_firmware::smoke::Chamber;
use standpipe_firmware::{Fault, Hand, Heard, Memory, Node, Radio, Seen, Sounder, Start};
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
    // As rarely as a detector may.
    let rare = Settings { rev: 1, sample_s: 10, ..*rig.node.settings() };
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
    rig.live(50, &calm());
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

/// A photoelectric chamber in clean air scatters some light: with less the emitter is dead, and
/// whatever burns is not seen.
#[test]
fn a_dead_emitter_is_a_fault_within_100_s_and_so_is_one_that_has_lost_half_its_light() {
    for (counts, faulty) in [(0, true), (300, true), (749, true), (751, false), (1_200, false)] {
        for sample_s in [1, 5, 10] {
            let mut rig = Rig::new(Kind::Smoke);
            let settings = Settings { rev: 1, sample_s, ..*rig.node.settings() };
            assert!(rig.hear(Heard::Settings(settings)).status);
            rig.live(10_000, &calm());
            rig.live(10_100, &World { counts: Ok(counts), ..calm() });
            assert_eq!(rig.node.shouts(Condition::SensorFault), faulty, "{counts}, {sample_s} s");
            assert!(!rig.node.shouts(Condition::Smoke));
        }
    }
}

/// Light that fades over months is followed as dust is, until it is a fault: it never blinds.
#[test]
fn a_fading_emitter_is_told_before_it_blinds() {
    let mut rig = Rig::new(Kind::Smoke);
    for day in 1..=40_u64 {
        let counts = 1_500 - 30 * u32::try_from(day).unwrap();
        rig.live(day * 86_400, &World { counts: Ok(counts), ..calm() });
    }
    assert!(rig.node.shouts(Condition::SensorFault), "{:?}", rig.shouted());
}

/// What a device remembers of its dust can be lost: with a dead storage chip at each start.
#[test]
fn dust_is_no_smoke_although_nothing_is_remembered_of_it() {
    for dust in [-0.05, 0.0, 0.16, 0.29] {
        let mut rig = Rig::new(Kind::Smoke);
        rig.live(86_400, &World::smoke(dust));
        assert!(rig.shouted().iter().all(|shout| shout.1 == Condition::Contamination), "{dust}");
        let known = rig.node.memory().drift_db_m.unwrap();
        assert!((known - dust).abs() < 0.01, "{dust}: {known}");
        rig.live(86_500, &World::smoke(dust + 0.2));
        assert!(rig.node.shouts(Condition::Smoke), "{dust}");
    }
}

#[test]
fn a_fire_in_its_first_minute_is_shouted_although_nothing_is_known_of_the_air() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(20, &World::smoke(0.1));
    rig.live(60, &World::smoke(0.27));
    assert!(rig.node.shouts(Condition::Smoke), "it rises");
    let mut thick = Rig::new(Kind::Smoke);
    thick.live(20, &World::smoke(0.5));
    assert!(thick.node.shouts(Condition::Smoke), "so much is never dust");
    // It is not settled while it burns, and the air after the fire is the clean one.
    thick.live(7_200, &World::smoke(0.5));
    assert!(thick.node.shouts(Condition::Smoke) && thick.node.memory().drift_db_m.is_none());
    thick.live(9_000, &calm());
    assert!(!thick.node.shouts(Condition::Smoke));
    assert!(thick.node.memory().drift_db_m.is_some_and(|drift| drift.abs() < 0.01));
}

/// A memory of another format is no memory; one of this format with settings that a detector must not
/// run keeps its dust.
#[test]
fn settings_of_an_older_firmware_that_a_detector_must_not_run_are_dropped_and_its_dust_is_not() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &World::smoke(0.2));
    let mut memory = rig.node.memory();
    memory.settings.sample_s = 600;
    memory.settings.rev = 9;
    let memory = Memory::from_bytes(&memory.to_bytes()).unwrap();
    let mut again = Rig::start(Kind::Smoke, Some(memory));
    assert_eq!((again.node.settings().sample_s, again.node.settings().rev), (5, 0));
    again.live(1_000, &World::smoke(0.2));
    assert_eq!(again.shouted(), []);
}

#[test]
fn a_chamber_that_nobody_has_measured_says_so_and_alarms_early() {
    let start = |chamber| {
        let start = Start { chamber, ..Start::default() };
        Node::start(Kind::Smoke, None, start)
    };
    let typical = start(Chamber::TYPICAL);
    assert_eq!(typical.status().uncalibrated, Some(true));
    assert_eq!(start(Chamber::measured(1_500.0, 8_000.0)).status().uncalibrated, None);
    const { assert!(Chamber::TYPICAL.per_db_m < 8_000.0) };
    let hydrant = Node::start(Kind::Hydrant, None, Start::default());
    assert_eq!(hydrant.status().uncalibrated, None);
}

/// A test by hand of a chamber that does not follow its emitter is heard and told, and stays a fault
/// though every sample looks well, until a test is passed.
#[test]
fn a_failed_test_is_a_fault_until_a_test_is_passed() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &calm());
    let contacts = calm().contacts;
    let test = |rig: &mut Rig, found| {
        assert_eq!(rig.hand(Hand::Hold).sounder, Sounder::Test);
        rig.now = rig.now.after_ms(400);
        rig.step(&Seen { self_test: Some(found), contacts, ..Seen::default() })
    };
    let failed = test(&mut rig, Err(Fault::Dark));
    assert_eq!(failed.sounder, Sounder::Chirp);
    let shouts: Vec<_> = failed.records.iter().filter_map(|record| record.shout()).collect();
    assert!(shouts.iter().any(|shout| shout.condition == Condition::SensorFault && shout.active));
    assert!(shouts.iter().any(|shout| shout.condition == Condition::Smoke && shout.test));
    rig.live(3_000, &calm());
    assert!(rig.node.shouts(Condition::SensorFault), "no sample clears it");
    let passed = test(&mut rig, Ok(()));
    assert_eq!(passed.sounder, Sounder::Test);
    rig.live(4_000, &calm());
    assert!(!rig.node.shouts(Condition::SensorFault));
}

#[test]
fn settings_that_a_detector_cannot_run_are_refused_with_the_reason() {
    let mut rig = Rig::new(Kind::Smoke);
    for (sample_s, why) in [(10, ""), (11, "sample_s is 11 s: set 1 to 10 s")] {
        let settings = Settings { rev: sample_s, sample_s, ..*rig.node.settings() };
        let answers = rig.hear(Heard::Settings(settings)).answers;
        assert_eq!((answers[0].ok, &*answers[0].detail.words()), (why.is_empty(), why));
    }
    let mut hydrant = Rig::new(Kind::Hydrant);
    let settings = Settings { rev: 1, sample_s: 600, ..*hydrant.node.settings() };
    assert!(hydrant.hear(Heard::Settings(settings)).answers[0].ok);
}
