//! A hydrant node from outside: a world goes in, readings and alarms come out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod rig;

use rig::{Rig, World};
use standpipe_firmware::{
    Fault, Hand, Heard, Link, Node, Radio, Reset, Seen, Start, Uptime, Wanted,
};
use standpipe_shared::{Condition, Field, Kilopascals, Kind, Settings, Verb};

const CALM: fn() -> World = World::calm;

fn settings(rev: u32) -> Settings {
    Settings { rev, ..*Rig::new(Kind::Hydrant).node.settings() }
}

fn command(id: &str, verb: Verb, seconds: Option<u32>) -> Heard {
    Heard::Command { id: id.try_into().unwrap(), verb, seconds }
}

#[test]
fn a_calm_day_is_a_reading_every_quarter_of_an_hour() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(86_400, &CALM());
    assert_eq!(rig.readings(0).len(), 96);
    assert_eq!(rig.shouted(), []);
    let (_, last) = rig.records.last().unwrap();
    for field in [Field::PressureKpa, Field::TempC, Field::TiltDeg, Field::BatteryMv] {
        assert!(last.values().get(field).is_some(), "{field:?}");
    }
    assert_eq!(last.values().flowing, Some(false));
    assert!(rig.samples >= 17_280, "every 5 s: {}", rig.samples);
}

/// 300 → 5 kPa at second 1,000: two limits, the dwell of 30 s, one sample for the median.
#[test]
fn an_empty_pipe_is_shouted_with_its_dwell_and_ends_with_hysteresis() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(1_000, &CALM());
    rig.live(1_200, &World::kpa(5.0));
    rig.live(1_300, &World::kpa(49.0));
    assert_eq!(
        rig.shouted(),
        [(1_035, Condition::NoWater, true), (1_035, Condition::LowPressure, true)]
    );
    let readings = rig.readings(1_000);
    assert_eq!(readings.first(), Some(&1_005), "at once, after the median: {readings:?}");
    let apart: Vec<u64> = readings.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart.iter().take(8).all(|apart| *apart <= 15), "then every 15 s: {readings:?}");
    rig.live(1_400, &World::kpa(60.0));
    assert_eq!(rig.shouted().last(), Some(&(1_365, Condition::NoWater, false)));
    rig.live(1_600, &World::kpa(300.0));
    assert_eq!(rig.shouted().last(), Some(&(1_465, Condition::LowPressure, false)));
}

#[test]
fn water_hammer_is_told_and_is_no_alarm() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(1_000, &CALM());
    rig.live(1_005, &World::kpa(0.0));
    rig.live(1_010, &World::kpa(1_900.0));
    rig.live(2_000, &CALM());
    assert_eq!(rig.shouted(), []);
    let told = rig
        .records
        .iter()
        .filter(|said| said.0 > 1_010)
        .map(|said| *said.1.values())
        .next()
        .unwrap();
    assert_eq!(told.pressure_min_kpa.map(Kilopascals::get), Some(0.0));
    assert_eq!(told.pressure_max_kpa.map(Kilopascals::get), Some(1_900.0));
    assert_eq!(told.pressure_kpa.map(Kilopascals::get), Some(300.0));
}

#[test]
fn a_broken_wire_is_a_fault_and_no_empty_main() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(1_000, &CALM());
    for fault in [Fault::WireBroken, Fault::Silent, Fault::Garbled, Fault::Refused] {
        let at = rig.now.0 / 1_000;
        rig.live(at + 100, &World { kpa: Err(fault), ..CALM() });
        assert_eq!(rig.shouted().last(), Some(&(at + 10, Condition::SensorFault, true)));
        assert!(rig.records.last().unwrap().1.values().pressure_kpa.is_none());
        rig.live(at + 1_000, &CALM());
        assert_eq!(rig.shouted().last(), Some(&(at + 400, Condition::SensorFault, false)));
    }
    assert!(rig.shouted().iter().all(|shout| shout.1 == Condition::SensorFault));
    let wild = World::kpa(3_000.0);
    rig.live(6_000, &wild);
    assert!(rig.node.shouts(Condition::SensorFault), "outside what a sensor can report");
}

/// What was open before the fault stays open and is not cleared by it.
#[test]
fn a_fault_freezes_what_pressure_said() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(100, &World::kpa(5.0));
    assert!(rig.node.shouts(Condition::NoWater));
    rig.live(200, &World { kpa: Err(Fault::Silent), ..CALM() });
    rig.live(450, &World::kpa(300.0));
    assert!(rig.node.shouts(Condition::SensorFault) && rig.node.shouts(Condition::NoWater));
    rig.live(700, &World::kpa(300.0));
    assert!(!rig.node.shouts(Condition::SensorFault) && !rig.node.shouts(Condition::NoWater));
}

#[test]
fn a_sensor_that_says_the_same_for_ever_is_stuck_unless_the_pipe_is_empty() {
    let stuck = World { noise_kpa: 0.0, ..CALM() };
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(500, &CALM());
    rig.live(2_290, &stuck);
    assert_eq!(rig.shouted(), []);
    rig.live(2_330, &stuck);
    assert_eq!(rig.shouted().first().map(|shout| shout.1), Some(Condition::SensorFault));
    rig.live(3_000, &CALM());
    assert!(!rig.node.shouts(Condition::SensorFault));
    let mut empty = Rig::new(Kind::Hydrant);
    empty.live(10_000, &World { noise_kpa: 0.0, ..World::kpa(0.0) });
    assert!(!empty.node.shouts(Condition::SensorFault));
}

/// A sensor that was taken for stuck and then falls to nothing was never stuck: the main is empty, and
/// that is shouted as fast as ever.
#[test]
fn a_sensor_that_was_taken_for_stuck_and_moves_is_believed_at_once() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(500, &CALM());
    rig.live(3_000, &World { noise_kpa: 0.0, ..CALM() });
    assert!(rig.node.shouts(Condition::SensorFault));
    rig.live(3_100, &World { noise_kpa: 0.0, ..World::kpa(0.0) });
    let empty = rig.shouted().into_iter().find(|shout| shout.1 == Condition::NoWater);
    let (at, ..) = empty.unwrap();
    assert!(at <= 3_045, "{at}: it was 5½ minutes later");
}

/// A sensor that does not answer, and then says nothing, is not believed while its fault lasts.
#[test]
fn a_wire_that_breaks_and_comes_back_is_no_empty_main_before_its_fault_is_over() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(500, &CALM());
    rig.live(600, &World { kpa: Err(Fault::Silent), ..CALM() });
    rig.live(850, &World::kpa(0.0));
    assert!(!rig.node.shouts(Condition::NoWater) && rig.node.shouts(Condition::SensorFault));
    rig.live(1_200, &World::kpa(0.0));
    assert!(rig.node.shouts(Condition::NoWater));
}

/// One that tells whole kilopascals, or tens of them, says the same all night in a calm main.
#[test]
fn a_coarse_transmitter_is_not_stuck() {
    for step_kpa in [1.0, 10.0] {
        let mut rig = Rig::new(Kind::Hydrant);
        rig.live(500, &World { noise_kpa: step_kpa, ..CALM() });
        rig.live(500 + 20 * 3_600, &World { noise_kpa: 0.0, ..CALM() });
        assert_eq!(rig.shouted(), [], "{step_kpa}");
        rig.live(500 + 30 * 3_600, &World { noise_kpa: 0.0, ..CALM() });
        assert!(rig.node.shouts(Condition::SensorFault), "a day and more is too long");
    }
}

#[test]
fn settings_of_the_same_number_with_other_content_are_a_conflict_and_told_once() {
    let mut rig = Rig::new(Kind::Hydrant);
    let settings = Settings { rev: 4, sample_s: 7, ..*rig.node.settings() };
    assert!(rig.hear(Heard::Settings(settings)).answers[0].ok);
    assert_eq!(rig.hear(Heard::Settings(settings)).answers.len(), 0, "retained");
    let other = Settings { sample_s: 8, ..settings };
    let told = rig.hear(Heard::Settings(other)).answers;
    assert_eq!((told[0].ok, &*told[0].id), (false, "settings-4"));
    assert!(told[0].detail.words().contains("other settings"), "{}", told[0].detail.words());
    assert_eq!(rig.hear(Heard::Settings(other)).answers.len(), 0, "it comes with every connection");
    assert_eq!(rig.node.settings().sample_s, 7);
}

/// A cell near its end holds its voltage at rest, and not while the modem works.
#[test]
fn the_battery_is_judged_by_what_it_gives_under_the_modem_s_load() {
    let mut rig = Rig::new(Kind::Hydrant);
    let contacts = CALM().contacts;
    for call in 1..=4_u64 {
        rig.live(call * 900, &CALM());
        let (link, battery_mv) = (Link::Online, Some(Ok(3_250)));
        rig.step(&Seen { battery_mv, link, contacts, ..Seen::default() });
    }
    assert!(rig.node.shouts(Condition::BatteryLow), "{:?}", rig.shouted());
}

#[test]
#[rustfmt::skip] // a table
fn caps_lean_frost_battery_and_case() {
    let contacts = CALM().contacts;
    for (condition, bad, raised, cleared) in [
        (Condition::HydrantOpen, World { contacts: standpipe_firmware::Contacts { cap_open: Some(true), ..contacts }, ..CALM() }, 10..=10, 60..=60),
        (Condition::HydrantOpen, World { contacts: standpipe_firmware::Contacts { flowing: Some(true), ..contacts }, ..CALM() }, 10..=10, 60..=60),
        (Condition::Tamper,      World { contacts: standpipe_firmware::Contacts { case_open: Some(true), ..contacts }, ..CALM() }, 1..=1, 1..=1),
        (Condition::Knocked,     World { tilt_deg: Ok(31.0), ..CALM() },     10..=15, 0..=10),
        (Condition::Freezing,    World { temp_c: Ok(1.9), ..CALM() },        600..=720, 60..=180),
        (Condition::BatteryLow,  World { battery_mv: 3_299, ..CALM() },      1_800..=2_700, 1_800..=2_700),
    ] {
        let mut rig = Rig::new(Kind::Hydrant);
        rig.live(901, &CALM());
        rig.live(5_000, &bad);
        rig.live(10_000, &CALM());
        let mine: Vec<_> = rig.shouted().into_iter().filter(|shout| shout.1 == condition).collect();
        let [(up, _, true), (down, _, false)] = mine[..] else { panic!("{condition:?} {mine:?}") };
        assert!(raised.contains(&(up - 901)), "{condition:?} raised after {}", up - 901);
        assert!(cleared.contains(&(down - 5_000)), "{condition:?} cleared after {}", down - 5_000);
    }
}

#[test]
fn settings_take_effect_and_wrong_ones_change_nothing() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(100, &CALM());
    let done = rig.hear(Heard::Settings(Settings { interval_s: 60, ..settings(4) }));
    assert!(done.status && done.persist);
    assert_eq!((done.answers[0].id.as_str(), done.answers[0].ok), ("settings-4", true));
    assert_eq!((rig.node.status().rev, rig.node.status().interval_s), (Some(4), Some(60)));
    rig.live(400, &CALM());
    assert_eq!(rig.readings(100), [160, 220, 280, 340]);
    let again = rig.hear(Heard::Settings(Settings { interval_s: 60, ..settings(4) }));
    assert!(!again.status && again.answers.is_empty(), "retained: it comes again and again");
    let bad = Settings { interval_s: 1, ..settings(5) };
    let refused = rig.hear(Heard::Settings(bad));
    assert!(!refused.status && !refused.persist);
    assert_eq!((refused.answers[0].id.as_str(), refused.answers[0].ok), ("settings-5", false));
    assert!(refused.answers[0].detail.words().contains("interval_s"));
    assert_eq!(rig.node.settings().rev, 4);
    assert!(rig.hear(Heard::Settings(bad)).answers.is_empty(), "refused once");
    let low = Settings { low_kpa: Kilopascals::new(400.0).unwrap(), ..settings(6) };
    assert!(rig.hear(Heard::Settings(low)).status);
    rig.live(500, &CALM());
    assert!(rig.node.shouts(Condition::LowPressure), "300 kPa is low now");
}

#[test]
fn commands_are_done_and_answered() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(101, &CALM());
    let asked = rig.hear(command("c-1", Verb::ReportNow, None));
    assert!(asked.answers[0].ok && asked.wake_at == rig.now);
    assert!(asked.wanted.has(Wanted::PRESSURE.and(Wanted::TEMP).and(Wanted::BATTERY)));
    rig.live(130, &CALM());
    assert_eq!(rig.readings(100), [101]);
    let watched = rig.hear(command("c-2", Verb::ReportNow, Some(20)));
    assert_eq!(watched.radio, Radio::Now);
    rig.live(200, &CALM());
    assert_eq!(rig.readings(120), Vec::from_iter(130..=150), "every second, while it is watched");
    let silence = rig.hear(command("c-3", Verb::Silence, Some(60)));
    assert!(!silence.answers[0].ok, "{silence:?}");
    let restart = rig.hear(command("c-4", Verb::Restart, None));
    assert!(restart.restart && restart.answers[0].ok);
}

/// The gateway sends a command again that was not answered, and the broker what it has no
/// acknowledgement of.
#[test]
fn a_command_that_comes_twice_is_answered_twice_and_carried_out_once() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(101, &CALM());
    let answered = |actions: &standpipe_firmware::Actions, id: &str| {
        let [answer] = &actions.answers[..] else { panic!("{actions:?}") };
        assert_eq!((answer.id.as_str(), answer.ok), (id, true));
    };
    answered(&rig.hear(command("c-1", Verb::ReportNow, None)), "c-1");
    rig.live(300, &CALM());
    answered(&rig.hear(command("c-1", Verb::ReportNow, None)), "c-1");
    rig.live(400, &CALM());
    assert_eq!(rig.readings(100), [101], "one reading");

    assert!(rig.hear(command("c-2", Verb::SelfTest, None)).self_test);
    let running = rig.hear(command("c-2", Verb::SelfTest, None));
    assert!(!running.self_test && running.answers.is_empty(), "it answers when it is done");
    let fault = Seen { self_test: Some(Err(Fault::WireBroken)), ..Seen::default() };
    let found = rig.step(&fault).answers;
    let again = rig.hear(command("c-2", Verb::SelfTest, None));
    assert_eq!((again.self_test, &again.answers), (false, &found), "what it found then");

    let restart = rig.hear(command("c-3", Verb::Restart, None));
    assert!(restart.restart);
    answered(&restart, "c-3");
    let again = rig.hear(command("c-3", Verb::Restart, None));
    assert!(!again.restart, "it is underway");
    answered(&again, "c-3");

    // The one before it is remembered, too; what was refused was not carried out.
    let again = rig.hear(command("c-2", Verb::SelfTest, None));
    assert_eq!((again.self_test, &again.answers), (false, &found));
    for _ in 0..2 {
        assert!(!rig.hear(command("c-4", Verb::Silence, None)).answers[0].ok);
    }
    answered(&rig.hear(command("c-4", Verb::ReportNow, None)), "c-4");
}

#[test]
fn a_self_test_answers_what_it_found_or_that_nothing_came() {
    let mut rig = Rig::new(Kind::Hydrant);
    let started = rig.hear(command("t-1", Verb::SelfTest, None));
    assert!(started.self_test && started.answers.is_empty());
    let second = rig.hear(command("t-2", Verb::SelfTest, None));
    assert!(!second.self_test && !second.answers[0].ok);
    let found = Seen { self_test: Some(Err(Fault::WireBroken)), ..Seen::default() };
    let done = rig.step(&found);
    assert!(!done.answers[0].ok && done.answers[0].detail.words().contains("3.6 mA"));
    assert!(rig.hear(command("t-3", Verb::SelfTest, None)).self_test);
    rig.now = Uptime(30_000);
    let late = rig.step(&Seen::default());
    assert!(!late.answers[0].ok && late.answers[0].detail.words().contains("does not answer"));
}

#[test]
fn a_crew_at_the_hydrant_gets_live_readings() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(100, &CALM());
    assert_eq!(rig.hand(Hand::Hold).radio, Radio::Now);
    rig.live(1_400, &CALM());
    let live = rig.readings(100);
    assert_eq!(live.iter().filter(|at| **at <= 400).count(), 301, "every second for 5 min");
    assert_eq!(live.last(), Some(&1_300), "then every interval again: {live:?}");
    rig.hand(Hand::Press);
    rig.live(1_402, &CALM());
    assert_eq!(rig.readings(1_400), [1_400]);
}

#[test]
fn a_restart_remembers_what_it_shouted() {
    let mut rig = Rig::new(Kind::Hydrant);
    assert_eq!(rig.node.status().boot, Some(7));
    rig.live(100, &World::kpa(5.0));
    let kept = rig.node.memory();
    let mut rig = Rig::start(Kind::Hydrant, Some(kept));
    assert!(rig.node.shouts(Condition::NoWater));
    rig.live(100, &CALM());
    let ended = [(60, Condition::NoWater, false), (60, Condition::LowPressure, false)];
    assert_eq!(rig.shouted(), ended, "the gateway hears that it is over");
    let start = Start { reset: Reset::Watchdog, ..Start::default() };
    let hung = Node::start(Kind::Hydrant, None, start);
    assert_eq!(hung.status().reset, Some("watchdog"));
}

/// Rare samples cost detection time: what they cost is the interval itself.
#[test]
fn a_low_power_node_hurries_once_something_is_in_doubt() {
    let mut rig = Rig::new(Kind::Hydrant);
    let slow = Settings { sample_s: 60, ..settings(1) };
    assert!(rig.hear(Heard::Settings(slow)).status);
    rig.live(1_001, &CALM());
    rig.live(1_300, &World::kpa(5.0));
    let (at, condition, active) = rig.shouted()[0];
    assert_eq!((condition, active), (Condition::NoWater, true));
    assert!(at - 1_001 <= 60 + 60 + 30 + 5, "{at}");
}

/// A reed contact that rattles for a minute makes a report every 2 s at most, and no alarm.
#[test]
fn a_contact_that_rattles_does_not_flood_the_outbox() {
    let mut rig = Rig::new(Kind::Hydrant);
    rig.live(100, &CALM());
    for turn in 0..6_000 {
        let mut contacts = CALM().contacts;
        contacts.cap_open = Some(turn % 2 == 0);
        rig.step(&Seen { contacts, ..Seen::default() });
        rig.now = rig.now.after_ms(10);
    }
    assert!(rig.readings(100).len() <= 31, "{:?}", rig.readings(100));
    assert_eq!(rig.shouted(), []);
}
