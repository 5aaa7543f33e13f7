//! What is measured and what is only heard: trust, `no_measurement`, and the value of a sensor
//! that has not measured yet.

use proptest::prelude::*;
use standpipe_shared::{Condition, Field, Kind, Measurements, Reading};

use super::{Drill, at, cases, device, every, in_town};
use crate::Ms;
use crate::detect::fresh::Fresh;
use crate::detect::{HydrantNow, Memory, Trust, TrustReason};
use crate::fact::Fact;
use crate::registry::{Device, DeviceIx};

const D: DeviceIx = DeviceIx(0);

/// A hydrant of a minute's interval: its minimum is 140 kPa, its clear limit 150 kPa.
fn hydrant() -> Drill {
    Drill::new([device("D", Kind::Hydrant, "municipal", 60)])
}

#[test]
#[rustfmt::skip] // a table
fn trust_is_the_first_that_holds() {
    use Trust::{InUse, Low, NoWater, Ok, Stale, Unconfirmed};
    use TrustReason as Why;
    for (story, script, clock, trust, why) in [
        ("fresh",              "00:00:00 pressure_kpa=300",                                            "00:02:00",     Ok,          None),
        ("at the clear limit", "00:00:00 pressure_kpa=150",                                            "00:00:00",     Ok,          None),
        ("two intervals old",  "00:00:00 pressure_kpa=300",                                            "00:02:00.001", Stale,       Some(Why::TooOld)),
        ("heard, not measured","00:00:00 pressure_kpa=300\n00:01:00 battery_mv=3600\n00:02:00 battery_mv=3600\n00:02:30 born 60", "00:02:31", Stale, Some(Why::TooOld)),
        ("measured when, not heard when", "00:00:30 pressure_kpa=299\n00:03:00 @00:00:59 pressure_kpa=300", "00:03:00", Stale,      Some(Why::TooOld)),
        ("low",                "00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100",                 "00:00:30",     Low,         Some(Why::LowPressure)),
        ("one low",            "00:00:00 pressure_kpa=100",                                            "00:00:30",     Unconfirmed, Some(Why::OneLowReading)),
        ("one dry",            "00:00:00 pressure_kpa=300\n00:01:00 pressure_kpa=0",                   "00:01:00",     Unconfirmed, Some(Why::OneLowReading)),
        ("one between",        "00:00:00 pressure_kpa=300\n00:01:00 pressure_kpa=149.9",               "00:01:00",     Unconfirmed, Some(Why::OneLowReading)),
        ("the second is good", "00:00:00 pressure_kpa=100\n00:01:00 pressure_kpa=150",                 "00:01:00",     Ok,          None),
        ("the one before is at the clear limit", "00:00:00 pressure_kpa=150\n00:01:00 pressure_kpa=145", "00:01:00", Unconfirmed, Some(Why::OneLowReading)),
        ("at the minimum",     "00:00:00 pressure_kpa=145\n00:01:00 pressure_kpa=140",                 "00:01:00",     Ok,          None),
        ("after a low one",    "00:00:00 pressure_kpa=100\n00:00:20 pressure_kpa=140",                 "00:00:20",     Ok,          None),
        ("the second is low",  "00:00:00 pressure_kpa=145\n00:01:00 pressure_kpa=139.9",               "00:01:00",     Unconfirmed, Some(Why::LowReadings)),
        ("low, but not long",  "00:00:00 pressure_kpa=100\n00:00:20 pressure_kpa=100",                 "00:00:20",     Unconfirmed, Some(Why::LowReadings)),
        ("a good one between", "00:00:00 pressure_kpa=145\n00:01:00 pressure_kpa=200\n00:02:00 pressure_kpa=145", "00:02:00", Unconfirmed, Some(Why::OneLowReading)),
        ("the same moment twice", "00:00:00 pressure_kpa=145\n00:00:01 @00:00:00 pressure_kpa=145",    "00:00:01",     Unconfirmed, Some(Why::OneLowReading)),
        ("a silence between",  "00:00:00 pressure_kpa=145\n00:05:00 pressure_kpa=145",                 "00:05:00",     Unconfirmed, Some(Why::OneLowReading)),
        ("low goes on above the minimum", "00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100\n00:01:00 pressure_kpa=145\n00:01:30 pressure_kpa=145", "00:01:30", Low, Some(Why::LowPressure)),
        ("and above the clear limit, for a while", "00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100\n00:01:00 pressure_kpa=150", "00:01:00", Low, Some(Why::LowPressure)),
        ("empty and unheard",  "00:00:00 pressure_kpa=0\n00:00:30 pressure_kpa=0",                     "00:40:00",     NoWater,     Some(Why::NoWater)),
        ("low and unheard",    "00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100",                 "00:03:00",     Stale,       Some(Why::TooOld)),
        ("a fault",            "00:00:00 pressure_kpa=300\n00:00:30 pressure_kpa=9999",                "00:00:30",     Stale,       Some(Why::SensorFault)),
        ("offline",            "00:00:00 pressure_kpa=300\n00:00:30 gone",                             "00:00:30",     Stale,       Some(Why::Offline)),
        ("open",               "00:00:00 pressure_kpa=300 flowing=1\n00:00:30 pressure_kpa=300 flowing=1", "00:00:30", InUse,       Some(Why::HydrantOpen)),
        ("open and one low",   "00:00:00 pressure_kpa=300 flowing=1\n00:00:30 pressure_kpa=90 flowing=1", "00:00:30",  Unconfirmed, Some(Why::OneLowReading)),
        ("open and low",       "00:00:00 pressure_kpa=90 flowing=1\n00:00:30 pressure_kpa=90 flowing=1", "00:00:30",   Low,         Some(Why::LowPressure)),
        ("a fault that an alarm told of ends: what it hid counts for nothing", "00:00:00 alarm sensor_fault on\n00:00:20 pressure_kpa=300\n00:00:30 alarm sensor_fault off", "00:00:30", Stale, Some(Why::TooOld)),
        ("speaks, and does not measure", "00:00:00 pressure_kpa=300\n00:02:00 battery_mv=3600\n00:04:00 battery_mv=3600", "00:05:00", Stale, Some(Why::NoMeasurement)),
        ("never measured",     "00:00:00 battery_mv=3600",                                             "00:00:00",     Stale,       Some(Why::NeverMeasured)),
        ("never heard",        "",                                                                     "00:00:00",     Stale,       Some(Why::NeverMeasured)),
    ] {
        let mut drill = hydrant();
        drill.run(&format!("{script}\n{clock}"));
        let now: HydrantNow = drill.watch.hydrant(D, at(clock)).unwrap();
        assert_eq!((now.trust, now.reason), (trust, why), "{story}");
    }
}

#[test]
fn what_dries_up_at_the_clear_limit_of_no_water_is_not_trusted_either() {
    let mut drill = Drill::new([device("D", Kind::Hydrant, "weak", 60)]);
    drill.run("00:00:00 pressure_kpa=49");
    let trust = |drill: &Drill| drill.watch.hydrant(D, drill.now).unwrap().trust;
    assert_eq!(trust(&drill), Trust::Unconfirmed, "its minimum is 40, but no_water ends at 50");
    drill.run("00:01:00 pressure_kpa=49");
    assert_eq!(trust(&drill), Trust::Ok);
}

#[test]
fn the_time_of_a_pressure_is_its_own() {
    let mut drill = hydrant();
    drill.run("00:00:10 @00:00:05 pressure_kpa=300 battery_mv=3600");
    drill.run("00:01:10 @00:01:05 battery_mv=3590 temp_c=12");
    let now = drill.watch.hydrant(D, drill.now).unwrap();
    assert_eq!((now.pressure_kpa, now.measured_at), (Some(300.0), Some(at("00:00:05"))));
    let memory = drill.watch.memory(D).unwrap();
    let times: Vec<_> = memory.latest_at().collect();
    let (first, second) = (at("00:00:05"), at("00:01:05"));
    assert_eq!(
        times,
        [(Field::PressureKpa, first), (Field::TempC, second), (Field::BatteryMv, second)]
    );
    assert_eq!(memory.measured_at(Kind::Hydrant), Some(first));
    let mut drill = Drill::detector();
    drill.run("00:00:10 smoke_db_m=0\n00:00:20 temp_c=20\n00:00:30 battery_mv=3000");
    let memory = drill.watch.memory(D).unwrap();
    assert_eq!(memory.measured_at(Kind::Smoke), Some(at("00:00:20")));
}

#[test]
fn a_fire_s_hydrants_are_looked_at_again_when_trust_changes() {
    let mut drill = hydrant();
    let mut changes = |script: &str| {
        let line = script.split_once(' ').unwrap();
        drill.now = at(line.0);
        drill.say(line.1);
        let facts = drill.watch.facts();
        facts.iter().filter(|fact| matches!(fact, Fact::Hydrant { .. })).count()
    };
    for (script, expected) in [
        ("00:00:00 pressure_kpa=300", 1),
        ("00:01:00 pressure_kpa=301", 0),
        ("00:02:00 pressure_kpa=0", 1),
        ("00:02:10 pressure_kpa=300", 1),
        ("00:02:20 battery_mv=3600", 0),
    ] {
        assert_eq!(changes(script), expected, "{script}");
    }
}

#[test]
fn a_hydrant_that_speaks_and_does_not_measure_is_broken() {
    let batteries = |from: &str, to: &str| every(60, from, to, "battery_mv=3600");
    hydrant().finds(
        "three intervals, and at least five minutes, after its last pressure",
        &("00:00:00 pressure_kpa=300\n".to_owned() + &batteries("00:00:20", "00:20:20")),
        &["00:05:00 D sensor_fault since 00:05:00 (no_measurement)"],
    );
    let mut slow = Drill::new([device("D", Kind::Hydrant, "municipal", 900)]);
    slow.finds(
        "three of its own intervals",
        &("00:00:00 pressure_kpa=300\n".to_owned()
            + &every(901, "00:15:01", "01:30:00", "battery_mv=3600")),
        &["00:45:00 D sensor_fault since 00:45:00 (no_measurement)"],
    );
    hydrant().finds(
        "one that never measured, from its first word",
        &batteries("00:01:00", "00:07:00"),
        &["00:06:00 D sensor_fault since 00:06:00 (no_measurement)"],
    );
    hydrant().finds(
        "one that is silent is offline",
        "00:00:00 pressure_kpa=300\n00:01:00 battery_mv=3600\n00:20:00",
        &["00:06:00 D offline since 00:06:00"],
    );
    let back = "00:00:00 pressure_kpa=300\n00:30:00 battery_mv=3600\n".to_owned()
        + &batteries("00:31:00", "00:36:00");
    hydrant().finds(
        "after a silence, from its first word",
        &back,
        &[
            "00:05:00 D offline since 00:05:00",
            "00:30:00 D offline ended 00:30:00",
            "00:35:00 D sensor_fault since 00:35:00 (no_measurement)",
        ],
    );
    hydrant().finds(
        "what a blind gateway did not hear is nobody's fault",
        &("00:00:00 pressure_kpa=300\n00:01:00 down\n00:10:00 up\n".to_owned()
            + "00:10:10 battery_mv=3600\n00:10:50 pressure_kpa=300\n00:12:00"),
        &[
            "00:01:30 gateway gateway_blind since 00:01:00",
            "00:10:00 gateway gateway_blind ended 00:10:00",
        ],
    );
    hydrant().finds(
        "an alarm about its water is a measurement",
        &("00:00:00 pressure_kpa=300\n".to_owned()
            + &every(60, "00:01:00", "00:10:00", "alarm no_water off battery_mv=3600")),
        &[],
    );
}

#[test]
fn no_measurement_freezes_the_water_and_ends_with_good_pressure() {
    let mut drill = hydrant();
    drill.run("00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100");
    drill.finds(
        "it stays low, and one dry reading afterwards says nothing yet",
        &(every(60, "00:01:00", "00:06:00", "battery_mv=3600")
            + "00:06:30 pressure_kpa=0\n00:07:30 pressure_kpa=0"),
        &["00:05:30 D sensor_fault since 00:05:30 (no_measurement)"],
    );
    drill.finds(
        "five minutes of pressure, whatever it is; the loop alone proves nothing",
        &(every(60, "00:08:00", "00:12:00", "loop_ma=12")
            + &every(60, "00:12:10", "00:13:10", "pressure_kpa=0")),
        &["00:12:10 D sensor_fault ended 00:06:30", "00:13:10 D no_water since 00:12:10"],
    );
    hydrant().finds(
        "beside another fault nothing new is told, and it goes on until pressure comes",
        &("00:00:00 pressure_kpa=300 temp_c=-99\n".to_owned()
            + &every(60, "00:01:00", "00:20:00", "temp_c=20")
            + &every(60, "00:20:10", "00:25:10", "pressure_kpa=300")),
        &["00:00:00 D sensor_fault since 00:00:00", "00:25:10 D sensor_fault ended 00:20:10"],
    );
}

#[test]
fn who_need_not_measure_pressure_is_not_asked_to() {
    let words = |id: &str| every(60, "00:00:00", "01:00:00", &format!("{id}battery_mv=3600"));
    let mut detector = Drill::new([device("D", Kind::Smoke, "smoke_home", 60)]);
    detector.finds("a smoke detector", &words(""), &[]);
    let mut strangers = Drill::new([]);
    strangers.finds("a stranger that never measured any", &words("X: "), &[]);
    let script = "00:00:00 X: pressure_kpa=300\n".to_owned()
        + &every(600, "00:10:00", "01:00:00", "X: battery_mv=3600");
    Drill::new([]).finds(
        "a stranger that did",
        &script,
        &["00:45:00 X sensor_fault since 00:45:00 (no_measurement)"],
    );
}

#[test]
fn runs_of_pressure_do_not_go_on_while_only_other_things_are_measured() {
    let mut drill = Drill::watched();
    let script = "00:00:00 pressure_kpa=100\n".to_owned()
        + &every(60, "00:01:00", "00:03:00", "battery_mv=3600")
        + "00:05:00 pressure_kpa=100\n00:05:10 pressure_kpa=100";
    drill.finds("two low ones lie before and after a gap", &script, &[]);
}

#[test]
fn a_measurement_that_another_one_overtook_is_the_newest_of_its_kind() {
    let mut drill = Drill::watched();
    drill.finds(
        "dry twice, each behind the battery's message",
        "00:00:00 pressure_kpa=300\n00:01:01 battery_mv=3600\n00:01:02 @00:01:00 pressure_kpa=0\n00:02:01 battery_mv=3600\n00:02:02 @00:02:00 pressure_kpa=0 battery_mv=1000",
        &["00:02:02 D no_water since 00:01:00", "00:02:02 D low_pressure since 00:01:00"],
    );
    assert_eq!(drill.out.counts.out_of_order, 2);
    let battery = drill.watch.memory(D).unwrap().latest.battery_mv;
    assert_eq!(battery, Some(3600), "the newest of its own kind");
}

#[test]
fn a_zone_counts_the_hydrants_whose_pressure_is_known() {
    let devices: Vec<Device> = (b'A'..=b'K')
        .map(|id| Device {
            zone: "main".into(),
            ..device(&char::from(id).to_string(), Kind::Hydrant, "patient", 60)
        })
        .collect();
    let all = |clock: &str, who: &str, what: &str| {
        who.chars().map(|id| format!("{clock} {id}: {what}\n")).collect::<String>()
    };
    let zones = |eleventh: &str| {
        let mut drill = Drill::new(devices.clone());
        let script = all("00:00:00", "ABCDEFGHIJK", "pressure_kpa=300")
            + &all("00:03:30", "K", eleventh)
            + &all("00:03:30", "DEFGHIJ", "pressure_kpa=300")
            + &all("00:03:30", "ABC", "pressure_kpa=100")
            + &all("00:04:00", "ABC", "pressure_kpa=100");
        let mut found = drill.run(&script);
        found.retain(|line| line.contains("zone"));
        found
    };
    let three_of_ten = ["00:04:00 zone main zone_low_pressure since 00:03:30 of A B C"];
    assert_eq!(zones("battery_mv=3600"), three_of_ten, "one says nothing of its water");
    assert_eq!(zones("pressure_kpa=9999"), three_of_ten, "one has a broken sensor");
    assert_eq!(zones("pressure_kpa=300"), [""; 0], "three of eleven");
}

#[test]
#[rustfmt::skip] // a table
fn a_temperature_that_cannot_be_is_no_fire() {
    for (value, fire) in [
        ("57", true), ("300", true), ("300.5", false), ("32767", false), ("85000", false),
        ("-127", false), ("6553.5", false),
    ] {
        let mut drill = Drill::detector();
        let found = drill.run(&format!("00:00:00 temp_c=20\n00:10:00 temp_c={value}"));
        let what = if fire { "heat" } else { "sensor_fault" };
        assert_eq!(found, [format!("00:10:00 D {what} since 00:10:00")], "{value}");
    }
    Drill::detector().finds(
        "nor is the way back from it a rise, or the end of a fire",
        "00:00:00 temp_c=60\n00:00:30 temp_c=-127\n00:00:40 temp_c=20\n00:00:50 temp_c=-127\n00:01:39 temp_c=-127\n00:01:40 temp_c=20",
        &[
            "00:00:00 D heat since 00:00:00",
            "00:00:30 D sensor_fault since 00:00:30",
            "00:01:40 D heat ended 00:00:40",
        ],
    );
}

#[test]
fn what_a_sensor_says_before_it_has_measured_waits_for_its_next_word() {
    for (story, script, expected) in [
        (
            "the first of a boot, then what it measures",
            "00:00:00 #1/1 temp_c=85\n00:00:30 #1/2 temp_c=21\n00:05:00",
            &[][..],
        ),
        (
            "nothing else for a minute: it is as hot as that",
            "00:00:00 #1/1 temp_c=85\n00:00:59.999\n00:02:00",
            &["00:01:00 D heat since 00:00:00"],
        ),
        (
            "the next one is hot as well",
            "00:00:00 #1/1 temp_c=85\n00:00:10 #1/2 temp_c=85",
            &["00:00:10 D heat since 00:00:00"],
        ),
        (
            "one that cannot be is no next one",
            "00:00:00 #1/1 temp_c=85\n00:00:10 #1/2 temp_c=-127\n00:01:00",
            &["00:00:10 D sensor_fault since 00:00:10", "00:01:00 D heat since 00:00:00"],
        ),
        (
            "later in a boot it is a fire at once",
            "00:00:00 #1/1 temp_c=21\n00:10:00 #1/2 temp_c=85",
            &["00:10:00 D heat since 00:10:00"],
        ),
        (
            "any other temperature is, even as the first",
            "00:00:00 #1/1 temp_c=84.9",
            &["00:00:00 D heat since 00:00:00"],
        ),
        (
            "the first of the next boot is held back again",
            "00:00:00 #1/1 temp_c=21\n00:00:10 #2/1 temp_c=85\n00:00:20 #2/2 temp_c=21\n00:05:00",
            &[],
        ),
        (
            "one that starts again and again is held back for a minute in all",
            "00:00:00 #1/1 temp_c=85\n00:00:20 #2/1 temp_c=85\n00:00:40 #3/1 temp_c=85\n00:01:05",
            &["00:01:00 D heat since 00:00:00"],
        ),
        (
            "without numbers: the first ever",
            "00:00:00 temp_c=85\n00:00:30 temp_c=21\n00:10:00 temp_c=85",
            &["00:10:00 D heat since 00:10:00"],
        ),
        (
            "and the first after a silence",
            "00:00:00 temp_c=21\n1+00:00:00 temp_c=85\n1+00:00:30 temp_c=21\n1+00:02:00",
            &["1+00:00:00 D offline since 1+00:00:00", "1+00:00:00 D offline ended 1+00:00:00"],
        ),
        (
            "an alarm is never held back",
            "00:00:00 #1/1 alarm heat on temp_c=85",
            &["00:00:00 D heat since 00:00:00"],
        ),
        (
            "nor what comes with one",
            "00:00:00 #1/1 alarm smoke on temp_c=85",
            &["00:00:00 D smoke since 00:00:00", "00:00:00 D heat since 00:00:00"],
        ),
        (
            "a rise is not counted from it",
            "00:00:00 #1/1 temp_c=21\n00:00:10 #2/1 temp_c=85\n00:00:20 #2/2 temp_c=22",
            &[],
        ),
    ] {
        Drill::detector().finds(story, script, expected);
    }
    for (measured, late) in [("00:09:00", ""), ("00:08:59.999", " late 120 s")] {
        let found = format!("00:11:00 D heat since {measured}{late}");
        let script = format!("00:10:00 @{measured} #1/1 temp_c=85\n00:12:00");
        Drill::detector().finds("it says how late it came", &script, &[&*found]);
    }
    let mut drill = Drill::detector();
    drill.run("00:00:00 #1/1 temp_c=85 smoke_db_m=0");
    let shown = |drill: &Drill| drill.watch.memory(D).unwrap().latest.get(Field::TempC);
    assert_eq!(shown(&drill), None, "nobody has measured that yet");
    drill.run("00:01:00");
    assert_eq!(shown(&drill), Some(85.0));
}

#[test]
fn a_memory_of_0_1_0_knows_one_time_for_all() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:01:00 pressure_kpa=301\n00:02:00 battery_mv=3600");
    let mut old = drill.watch.memory(D).unwrap().clone();
    let guessed = |old: &Memory| {
        let fresh = Fresh::guessed(old);
        Memory { fresh, ..old.clone() }.measured_at(Kind::Hydrant)
    };
    assert_eq!(guessed(&old), Some(at("00:01:00")), "the pressure had just changed");
    old.stuck.count = 2;
    assert_eq!(guessed(&old), Some(at("00:02:00")), "else no older than anything");
    old.latest.pressure_kpa = None;
    assert_eq!(guessed(&old), None);
}

/// As 0.1.0 stored a memory: without what came later.
fn body_of_0_1_0(memory: &Memory) -> Vec<u8> {
    let mut door = postcard::to_extend(&memory.door, vec![1]).unwrap();
    door.truncate(door.len() - 2); // which number leapt: none
    let latest = Field::ALL.map(|field| memory.latest.get(field));
    let known = (&memory.tracks, memory.heard_at, memory.newest, latest, memory.interval_s);
    let watched = (
        memory.stuck,
        memory.warmth,
        memory.gone,
        memory.pressure_hidden,
        memory.backlog,
        &memory.evidence,
    );
    postcard::to_extend(&(known, watched), door).unwrap()
}

#[test]
fn a_memory_of_0_1_0_is_read() {
    let mut drill = Drill::watched();
    drill.run(
        "00:00:00 born 30\n00:01:00 #2/7 pressure_kpa=100 temp_c=7\n00:01:30 #2/8 pressure_kpa=101",
    );
    let memory = drill.watch.memory(D).unwrap();
    assert!(memory.is_true(Condition::LowPressure) && memory.interval_s == Some(30));
    let old = Memory { fresh: Fresh::guessed(memory), ..memory.clone() };
    assert_eq!(Memory::from_body(&body_of_0_1_0(memory)).unwrap(), old);
    assert_eq!(old.measured_at(Kind::Hydrant), Some(at("00:01:30")));
}

#[test]
fn what_was_overtaken_is_older_than_what_overtook_it() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 @- #1/1 pressure_kpa=300\n00:01:00 @- #1/3 pressure_kpa=301\n00:01:01 @- #1/2 battery_mv=3600");
    let measured = |field| drill.watch.memory(D).unwrap().fresh().measured(field);
    assert_eq!(measured(Field::PressureKpa), Some(at("00:01:00")));
    assert_eq!(measured(Field::BatteryMv), Some(at("00:01:00") - 1));
}

/// One thing that a hydrant does, after so many milliseconds.
#[derive(Clone, Debug)]
enum Does {
    /// It measures, so many milliseconds ago.
    Measures(f32, Ms),
    /// It says something else than its pressure.
    Speaks,
    /// It starts, or its Last Will comes.
    Starts(bool),
    /// It shouts, or stops shouting.
    Alarms(Condition, bool),
    /// The gateway's session.
    Session(bool),
}

fn does() -> impl Strategy<Value = (Ms, Does)> {
    let kpa = prop_oneof![Just(0f32), Just(145.0), Just(300.0), 0f32..400.0, Just(9_999.0)];
    let late = prop_oneof![4 => Just(0), 1 => 0i64..400_000];
    let conditions = [Condition::LowPressure, Condition::NoWater, Condition::SensorFault];
    let what = prop_oneof![
        6 => (kpa, late).prop_map(|(kpa, late)| Does::Measures(kpa, late)),
        6 => Just(Does::Speaks),
        1 => any::<bool>().prop_map(Does::Starts),
        1 => (prop::sample::select(conditions.to_vec()), any::<bool>())
            .prop_map(|(condition, active)| Does::Alarms(condition, active)),
        1 => any::<bool>().prop_map(Does::Session),
    ];
    (prop_oneof![3 => 0i64..90_000, 1 => 0i64..700_000], what)
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Whatever the sequence of partial messages: who is trusted has measured a pressure at or
    /// above its minimum within the last two intervals, and none since that is below it, nor one
    /// below the clear limit that stands alone.
    #[test]
    fn trust_is_measured(story in prop::collection::vec(does(), 1..60), after in 0i64..200_000) {
        let (minimum, clear, fresh) = (140.0, 150.0, 120_000);
        let mut drill = hydrant();
        let mut measured: Vec<(Ms, f32)> = Vec::new();
        for (wait, does) in story {
            drill.wait(drill.now + wait);
            let now = drill.now;
            match does {
                Does::Measures(kpa, late) => {
                    let mut values = Measurements::default();
                    values.set(Field::PressureKpa, kpa).unwrap();
                    let reading = Reading { ts: Some(now - late), values, ..Reading::default() };
                    drill.watch.reading(in_town("D"), &reading, now, &mut drill.out);
                    // Its event time, which is its arrival where its clock is found wrong.
                    measured.push((drill.out.readings.last().unwrap().ts, kpa));
                }
                Does::Speaks => drill.say("battery_mv=3600"),
                Does::Starts(online) => drill.say(if online { "born 60" } else { "gone" }),
                Does::Alarms(condition, active) => drill.say(&format!(
                    "alarm {} {}", condition.as_str(), if active { "on" } else { "off" }
                )),
                Does::Session(up) => drill.say(if up { "up" } else { "down" }),
            }
            drill.watch.tick(now, &mut drill.out);
            drill.watch.facts();
            for moment in [now, now + after] {
                let hydrant = drill.watch.hydrant(D, moment).unwrap();
                if hydrant.trust != Trust::Ok {
                    continue;
                }
                let newest = measured.iter().map(|(ts, _)| *ts).max().unwrap();
                let of_newest = || measured.iter().filter(|(ts, _)| *ts == newest);
                prop_assert!(moment - newest <= fresh, "{} ms old", moment - newest);
                prop_assert_eq!(hydrant.measured_at, Some(newest));
                prop_assert!(of_newest().any(|(_, kpa)| (minimum..=2_500.0).contains(kpa)));
                let second = || measured.iter().any(|(ts, kpa)| *ts < newest && *kpa < clear);
                prop_assert!(of_newest().any(|(_, kpa)| *kpa >= clear) || second());
            }
        }
    }
}
