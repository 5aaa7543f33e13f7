//! Everything else that one device can have: open, knocked, freezing, battery, dirt, clock.

use standpipe_shared::Condition;

use super::Drill;
use crate::registry::DeviceIx;

#[test]
#[rustfmt::skip] // a table
fn conditions_of_upkeep() {
    for (story, script, found) in [
        ("open for ten seconds",   "00:00:00 flowing=1\n00:00:10 flowing=1",                  "00:00:10 D hydrant_open since 00:00:00"),
        ("a moment short",         "00:00:00 flowing=1\n00:00:09.999 flowing=1",              ""),
        ("a cap is off",           "00:00:00 cap_open=1\n00:00:10 cap_open=1 flowing=0",      "00:00:10 D hydrant_open since 00:00:00"),
        ("shut between",           "00:00:00 flowing=1\n00:00:05 flowing=0\n00:00:10 flowing=1", ""),
        ("a reading without either says nothing",
         "00:00:00 flowing=1\n00:00:05 temp_c=20\n00:00:10 flowing=1",                        "00:00:10 D hydrant_open since 00:00:00"),
        ("shut for a minute",      "00:00:00 flowing=1\n00:00:10 flowing=1\n00:01:00 flowing=0 cap_open=0\n00:02:00 flowing=0",
         "00:00:10 D hydrant_open since 00:00:00\n00:02:00 D hydrant_open ended 00:01:00"),
        ("not quite a minute",     "00:00:00 flowing=1\n00:00:10 flowing=1\n00:01:00 flowing=0\n00:01:59 flowing=0",
         "00:00:10 D hydrant_open since 00:00:00"),
        ("both were open and one is shut", "00:00:00 flowing=1 cap_open=1\n00:00:10 flowing=1 cap_open=1\n00:01:00 cap_open=0\n00:03:00 cap_open=0",
         "00:00:10 D hydrant_open since 00:00:00"),
        ("or the other",           "00:00:00 flowing=1 cap_open=1\n00:00:10 flowing=1 cap_open=1\n00:01:00 flowing=0\n00:03:00 flowing=0",
         "00:00:10 D hydrant_open since 00:00:00"),
        ("then the second too",    "00:00:00 flowing=1 cap_open=1\n00:00:10 flowing=1 cap_open=1\n00:01:00 cap_open=0\n00:04:00 flowing=0\n00:05:00 cap_open=0",
         "00:00:10 D hydrant_open since 00:00:00\n00:05:00 D hydrant_open ended 00:04:00"),
        ("a cap that was off is off until it says so", "00:00:00 cap_open=1\n00:00:10 flowing=0", "00:00:10 D hydrant_open since 00:00:00"),

        ("leaning",                "00:00:00 tilt_deg=30\n00:00:10 tilt_deg=30\n00:01:00 tilt_deg=15\n00:02:00 tilt_deg=14.9",
         "00:00:10 D knocked since 00:00:00\n00:02:00 D knocked ended 00:02:00"),
        ("to the other side",      "00:00:00 tilt_deg=-45\n00:00:10 tilt_deg=-30",            "00:00:10 D knocked since 00:00:00"),
        ("nearly leaning",         "00:00:00 tilt_deg=29.9\n00:00:10 tilt_deg=29.9",          ""),
        ("a bump",                 "00:00:00 tilt_deg=80\n00:00:09 tilt_deg=80",              ""),
        ("a wild angle is the sensor's fault", "00:00:00 tilt_deg=999\n00:00:10 tilt_deg=999", "00:00:00 D sensor_fault since 00:00:00"),

        ("cold for ten minutes",   "00:00:00 temp_c=2\n00:05:00 temp_c=1\n00:10:00 temp_c=2\n00:11:00 temp_c=3.9\n00:12:00 temp_c=4",
         "00:10:00 D freezing since 00:00:00\n00:12:00 D freezing ended 00:12:00"),
        ("not cold enough",        "00:00:00 temp_c=2.1\n00:04:00 temp_c=2.1\n00:08:00 temp_c=2.1\n00:12:00 temp_c=2.1", ""),
        ("not long enough",        "00:00:00 temp_c=0\n00:04:59 temp_c=0\n00:09:59 temp_c=0", ""),
        ("a wild cold is the sensor's fault", "00:00:00 temp_c=-99\n00:05:00 temp_c=-99\n00:10:00 temp_c=-99", "00:00:00 D sensor_fault since 00:00:00"),

        ("three low batteries",    "00:00:00 battery_mv=3299\n00:01:00 battery_mv=3299\n00:02:00 battery_mv=3299\n00:03:00 battery_mv=3399\n00:04:00 battery_mv=3400",
         "00:02:00 D battery_low since 00:00:00\n00:04:00 D battery_low ended 00:04:00"),
        ("at the limit",           "00:00:00 battery_mv=3300\n00:01:00 battery_mv=3300\n00:02:00 battery_mv=3300", ""),
        ("two are a cold morning", "00:00:00 battery_mv=3000\n00:01:00 battery_mv=3000\n00:02:00 battery_mv=3350\n00:03:00 battery_mv=3000", ""),

        ("dirty",                  "00:00:00 dirt_pct=80\n00:01:00 dirt_pct=60\n00:02:00 dirt_pct=59.9",
         "00:00:00 D contamination since 00:00:00\n00:02:00 D contamination ended 00:02:00"),
        ("nearly dirty",           "00:00:00 dirt_pct=79.9",                                  ""),
        ("wild dirt is the sensor's fault", "00:00:00 dirt_pct=900",                          "00:00:00 D sensor_fault since 00:00:00"),
        ("tamper is an alarm",     "00:00:00 alarm tamper on\n00:01:00 alarm tamper off",     "00:00:00 D tamper since 00:00:00\n00:01:00 D tamper ended 00:01:00"),

        ("five minutes ahead is right, and counts as now", "00:00:00 @00:05:00 temp_c=20",    ""),
        ("more is not",            "00:00:00 @00:05:00.001 temp_c=20",                        "00:00:00 D clock_fault since 00:00:00"),
        ("before 2020",            "00:00:00 @-2193+00:00:00 temp_c=20\n00:00:01 @-2192+00:00:00 temp_c=20", "00:00:00 D clock_fault since 00:00:00"),
        ("the first moment of 2020 is right", "00:00:00 @-2192+00:00:00 temp_c=20",            ""),
        ("three good ones end it", "00:00:00 @1+00:00:00 temp_c=20\n00:01:00 temp_c=20\n00:02:00 temp_c=20\n00:03:00 temp_c=20",
         "00:00:00 D clock_fault since 00:00:00\n00:03:00 D clock_fault ended 00:01:00"),
        ("a bad one between starts over", "00:00:00 @1+00:00:00 temp_c=20\n00:01:00 temp_c=20\n00:02:00 temp_c=20\n00:02:30 @1+00:00:00 temp_c=20\n00:03:00 temp_c=20\n00:04:00 temp_c=20",
         "00:00:00 D clock_fault since 00:00:00"),
        ("it ends when they were measured", "00:00:00 @1+00:00:00 temp_c=20\n00:01:00 @00:00:50 temp_c=20\n00:02:00 @00:01:50 temp_c=20\n00:03:00 @00:02:50 temp_c=20",
         "00:00:00 D clock_fault since 00:00:00\n00:03:00 D clock_fault ended 00:00:50"),
        ("in whatever order",      "00:10:00 @1+00:00:00 temp_c=20\n00:12:00 @00:11:40 temp_c=20\n00:12:10 @00:11:20 temp_c=20\n00:12:15 @00:11:30 temp_c=20",
         "00:10:00 D clock_fault since 00:10:00\n00:12:15 D clock_fault ended 00:11:20"),
        ("but not before it began", "00:10:00 @1+00:00:00 temp_c=20\n00:10:10 @00:01:00 temp_c=20\n00:10:20 @00:02:00 temp_c=20\n00:10:30 @00:03:00 temp_c=20",
         "00:10:00 D clock_fault since 00:10:00\n00:10:30 D clock_fault ended 00:10:00"),
        ("without a time nothing is said of a clock", "00:00:00 @1+00:00:00 temp_c=20\n00:01:00 @- temp_c=20\n00:02:00 @- temp_c=20\n00:03:00 @- temp_c=20",
         "00:00:00 D clock_fault since 00:00:00"),
        ("neither good nor bad",   "00:00:00 @1+00:00:00 temp_c=20\n00:01:00 temp_c=20\n00:02:00 temp_c=20\n00:02:30 @- temp_c=20\n00:03:00 temp_c=20",
         "00:00:00 D clock_fault since 00:00:00\n00:03:00 D clock_fault ended 00:01:00"),
    ] {
        let found: Vec<&str> = found.split('\n').filter(|line| !line.is_empty()).collect();
        Drill::hydrant().finds(story, script, &found);
    }
}

#[test]
fn a_detector_does_not_freeze() {
    Drill::detector().finds(
        "a house in winter",
        "00:00:00 temp_c=0\n00:05:00 temp_c=0\n00:09:00 temp_c=0\n00:10:00 temp_c=0",
        &[],
    );
}

#[test]
fn an_alarm_of_a_fault_hides_the_water() {
    let mut drill = Drill::hydrant();
    drill.finds(
        "the node says its sensor is broken",
        "00:00:00 alarm sensor_fault on\n00:00:30 pressure_kpa=0\n00:01:00 pressure_kpa=0\n00:02:00 alarm sensor_fault off\n00:02:10 pressure_kpa=0\n00:02:40 pressure_kpa=0",
        &[
            "00:00:00 D sensor_fault since 00:00:00",
            "00:02:00 D sensor_fault ended 00:02:00",
            "00:02:40 D no_water since 00:02:10",
            "00:02:40 D low_pressure since 00:02:10",
        ],
    );
}

#[test]
fn a_hydrant_shows_its_newest_pressure_and_when_it_was_measured() {
    let mut drill = Drill::hydrant();
    drill.run("00:00:10 @00:00:05 pressure_kpa=312\n00:00:20 @00:00:15 temp_c=12");
    let ix = drill.watch.registry.find("D").unwrap();
    let hydrant = drill.watch.hydrant(ix, drill.now).unwrap();
    assert_eq!(
        (hydrant.pressure_kpa, hydrant.measured_at),
        (Some(312.0), Some(super::at("00:00:05")))
    );
    let memory = drill.watch.memory(ix).unwrap();
    assert_eq!(memory.latest.temp_c.map(standpipe_shared::Celsius::get), Some(12.0));
    assert_eq!(memory.conditions(), 0);
    assert!(memory.tracks.is_empty(), "nothing to remember of a hydrant that is well");
    drill.run("00:00:30 pressure_kpa=0\n00:01:00 pressure_kpa=0");
    let memory = drill.watch.memory(ix).unwrap();
    let both = Condition::NoWater.bit() | Condition::LowPressure.bit();
    assert_eq!(memory.conditions(), both);
}

#[test]
fn what_is_over_is_forgotten() {
    let mut drill = Drill::hydrant();
    let tracks = |drill: &Drill| drill.watch.memory(DeviceIx(0)).unwrap().tracks.len();
    drill.run("00:00:00 temp_c=20 pressure_kpa=300");
    assert_eq!(tracks(&drill), 0, "nothing was ever wrong");
    drill.run("00:01:00 pressure_kpa=130");
    assert!(tracks(&drill) > 0, "one low reading");
    drill.run("00:02:00 pressure_kpa=300");
    assert_eq!(tracks(&drill), 0, "it was nothing");
}
