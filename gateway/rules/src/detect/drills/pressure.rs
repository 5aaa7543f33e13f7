//! `no_water`, `low_pressure`, `high_pressure`, evidence, and what hides the pressure.

use standpipe_shared::Kind;

use super::{Drill, device, every, in_town};
use crate::fact::Fact;
use crate::registry::{DeviceIx, Profile, Registry};

#[test]
fn low_pressure_without_a_time_still_needs_two_readings() {
    let hasty = Profile { low_for_s: 0, ..Profile::default_of(Kind::Hydrant).clone() };
    let mut drill = Drill::hydrant();
    drill.watch.registry = Registry::new([(Box::from("hasty"), hasty)]);
    drill.watch.put_device(device("D", Kind::Hydrant, "hasty", 60));
    drill.finds("one", "00:00:10 pressure_kpa=100", &[]);
    let found = ["00:00:11 D low_pressure since 00:00:10"];
    drill.finds("two", "00:00:11 pressure_kpa=100", &found);
}

#[test]
fn low_pressure_needs_two_readings_and_thirty_seconds() {
    for (story, script, expected) in [
        (
            "two readings thirty seconds apart",
            "00:00:10 pressure_kpa=139.9\n00:00:40 pressure_kpa=139.9",
            &["00:00:40 D low_pressure since 00:00:10"][..],
        ),
        ("a moment short", "00:00:10 pressure_kpa=130\n00:00:39.999 pressure_kpa=130", &[]),
        ("one reading, however low", "00:00:10 pressure_kpa=100", &[]),
        (
            "at the limit is not under it",
            "00:00:10 pressure_kpa=140\n00:00:40 pressure_kpa=140",
            &[],
        ),
        (
            "a good one between starts over",
            "00:00:10 pressure_kpa=130\n00:00:20 pressure_kpa=145\n00:00:40 pressure_kpa=130",
            &[],
        ),
        (
            "so does one above the clear limit",
            "00:00:10 pressure_kpa=130\n00:00:20 pressure_kpa=300\n00:00:40 pressure_kpa=130\n00:01:10 pressure_kpa=130",
            &["00:01:10 D low_pressure since 00:00:40"],
        ),
        (
            "more low ones add nothing",
            "00:00:10 pressure_kpa=130\n00:00:40 pressure_kpa=130\n00:01:10 pressure_kpa=130\n00:01:40 pressure_kpa=130",
            &["00:00:40 D low_pressure since 00:00:10"],
        ),
    ] {
        Drill::hydrant().finds(story, script, expected);
    }
}

#[test]
fn low_pressure_ends_ten_above_for_a_minute() {
    let low = "00:00:00 pressure_kpa=130\n00:00:30 pressure_kpa=130\n";
    for (story, script, expected) in [
        (
            "held for a minute",
            "00:01:00 pressure_kpa=150\n00:02:00 pressure_kpa=150",
            &["00:02:00 D low_pressure ended 00:01:00"][..],
        ),
        ("a moment short", "00:01:00 pressure_kpa=150\n00:01:59.999 pressure_kpa=150", &[]),
        ("under the clear limit", "00:01:00 pressure_kpa=149.9\n00:02:00 pressure_kpa=149.9", &[]),
        (
            "broken by one between",
            "00:01:00 pressure_kpa=150\n00:01:30 pressure_kpa=145\n00:02:00 pressure_kpa=150\n00:03:00 pressure_kpa=150",
            &["00:03:00 D low_pressure ended 00:02:00"],
        ),
        (
            "broken by a low one",
            "00:01:00 pressure_kpa=150\n00:01:30 pressure_kpa=120\n00:02:00 pressure_kpa=150\n00:03:00 pressure_kpa=150",
            &["00:03:00 D low_pressure ended 00:02:00"],
        ),
        (
            "and can begin again",
            "00:01:00 pressure_kpa=150\n00:02:00 pressure_kpa=150\n00:03:00 pressure_kpa=130\n00:03:30 pressure_kpa=130",
            &["00:02:00 D low_pressure ended 00:01:00", "00:03:30 D low_pressure since 00:03:00"],
        ),
    ] {
        let mut drill = Drill::hydrant();
        drill.finds("it begins", low, &["00:00:30 D low_pressure since 00:00:00"]);
        drill.finds(story, script, expected);
    }
}

#[test]
fn no_water_comes_first_and_low_pressure_goes_on_beneath() {
    Drill::hydrant().finds(
        "the worst is told first",
        "00:00:00 pressure_kpa=19.9\n00:00:30 pressure_kpa=0\n00:01:00 pressure_kpa=50\n00:02:00 pressure_kpa=50\n00:03:00 pressure_kpa=150\n00:04:00 pressure_kpa=150",
        &[
            "00:00:30 D no_water since 00:00:00",
            "00:00:30 D low_pressure since 00:00:00",
            "00:02:00 D no_water ended 00:01:00",
            "00:04:00 D low_pressure ended 00:03:00",
        ],
    );
    Drill::hydrant().finds(
        "twenty is not under",
        "00:00:00 pressure_kpa=20\n00:00:30 pressure_kpa=20",
        &["00:00:30 D low_pressure since 00:00:00"],
    );
    let mut drill = Drill::hydrant();
    drill.run("00:00:00 pressure_kpa=5\n00:00:30 pressure_kpa=5");
    drill.finds(
        "under fifty it stays",
        "00:01:00 pressure_kpa=49.9\n00:03:00 pressure_kpa=49.9",
        &[],
    );
}

#[test]
fn high_pressure_lasts_a_minute_and_ends_fifty_below() {
    for (story, script, expected) in [
        (
            "a minute over",
            "00:00:00 pressure_kpa=1000.1\n00:01:00 pressure_kpa=1000.1\n00:02:00 pressure_kpa=950",
            &["00:01:00 D high_pressure since 00:00:00", "00:02:00 D high_pressure ended 00:02:00"]
                [..],
        ),
        ("a moment short", "00:00:00 pressure_kpa=1100\n00:00:59.999 pressure_kpa=1100", &[]),
        ("at the limit", "00:00:00 pressure_kpa=1000\n00:01:00 pressure_kpa=1000", &[]),
        (
            "water hammer is one extreme sample",
            "00:00:00 pressure_kpa=2400\n00:00:15 pressure_kpa=300\n00:01:15 pressure_kpa=2400",
            &[],
        ),
        (
            "between the limits it stays",
            "00:00:00 pressure_kpa=1100\n00:01:00 pressure_kpa=1100\n00:02:00 pressure_kpa=950.1",
            &["00:01:00 D high_pressure since 00:00:00"],
        ),
    ] {
        Drill::hydrant().finds(story, script, expected);
    }
}

#[test]
fn a_broken_wire_is_not_an_empty_main() {
    let mut drill = Drill::hydrant();
    drill.finds(
        "the loop is broken: nothing is said of the water",
        "00:00:00 pressure_kpa=0 loop_ma=3.5\n00:00:30 pressure_kpa=0 loop_ma=3.5\n00:01:00 pressure_kpa=0 loop_ma=3.5",
        &["00:00:00 D sensor_fault since 00:00:00"],
    );
    drill.finds(
        "good for five minutes",
        "00:02:00 pressure_kpa=0 loop_ma=4\n00:04:00 pressure_kpa=5 loop_ma=4\n00:06:59.999 pressure_kpa=5 loop_ma=4",
        &[],
    );
    drill.finds(
        "then it ends, and the water is judged anew",
        "00:07:00 pressure_kpa=5 loop_ma=4\n00:07:30 pressure_kpa=5 loop_ma=4",
        &[
            "00:07:00 D sensor_fault ended 00:02:00",
            "00:07:30 D no_water since 00:07:00",
            "00:07:30 D low_pressure since 00:07:00",
        ],
    );
}

#[test]
fn what_is_open_stays_open_under_a_fault() {
    let mut drill = Drill::hydrant();
    drill.run("00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100\n00:01:00 pressure_kpa=160");
    drill.finds(
        "the run that would clear it does not go on across a fault",
        "00:01:30 pressure_kpa=300 loop_ma=22\n00:02:00 pressure_kpa=300 loop_ma=12\n00:03:00 pressure_kpa=300 loop_ma=12",
        &["00:01:30 D sensor_fault since 00:01:30"],
    );
    drill.finds(
        "after it, a whole run is wanted",
        "00:07:00 pressure_kpa=300 loop_ma=12\n00:07:59 pressure_kpa=300 loop_ma=12\n00:08:00 pressure_kpa=301 loop_ma=12",
        &["00:07:00 D sensor_fault ended 00:02:00", "00:08:00 D low_pressure ended 00:07:00"],
    );
    let mut drill = Drill::hydrant();
    drill.finds(
        "a run of low ones does not go on across it either",
        "00:00:00 pressure_kpa=100\n00:00:20 pressure_kpa=9999\n00:06:00 pressure_kpa=100\n00:11:00 pressure_kpa=100\n00:11:20 pressure_kpa=100\n00:11:30 pressure_kpa=100",
        &[
            "00:00:20 D sensor_fault since 00:00:20",
            "00:11:00 D sensor_fault ended 00:06:00",
            "00:11:30 D low_pressure since 00:11:00",
        ],
    );
}

#[test]
#[rustfmt::skip] // a table
fn limits_of_the_loop_and_of_every_sensor() {
    for (values, fault) in [
        ("pressure_kpa=300 loop_ma=3.6", false), ("pressure_kpa=300 loop_ma=3.59", true),
        ("pressure_kpa=300 loop_ma=21", false),  ("pressure_kpa=300 loop_ma=21.01", true),
        ("pressure_kpa=2500", false), ("pressure_kpa=2500.5", true),
        ("pressure_kpa=-100", false), ("pressure_kpa=-100.5", true),
        ("pressure_kpa=300 temp_c=-61", true), ("pressure_kpa=300 temp_c=301", true),
        ("pressure_kpa=300 tilt_deg=181", true), ("pressure_kpa=300 smoke_db_m=-2", true),
        ("pressure_kpa=300 dirt_pct=-6", true), ("battery_mv=3600", false),
    ] {
        let found = Drill::hydrant().run(&format!("00:00:00 {values}"));
        assert_eq!(found == ["00:00:00 D sensor_fault since 00:00:00"], fault, "{values}: {found:?}");
    }
}

#[test]
fn another_sensor_s_fault_does_not_hide_the_water() {
    Drill::hydrant().finds(
        "a wild temperature beside a falling pressure",
        "00:00:00 pressure_kpa=5 temp_c=-99\n00:00:30 pressure_kpa=5 temp_c=-99",
        &[
            "00:00:00 D sensor_fault since 00:00:00",
            "00:00:30 D no_water since 00:00:00",
            "00:00:30 D low_pressure since 00:00:00",
        ],
    );
    Drill::hydrant().finds(
        "a good temperature says nothing about a broken pressure",
        "00:00:00 pressure_kpa=9999\n00:01:00 temp_c=20\n00:06:00 temp_c=20\n00:07:00 pressure_kpa=300\n00:12:00 pressure_kpa=300",
        &["00:00:00 D sensor_fault since 00:00:00", "00:12:00 D sensor_fault ended 00:07:00"],
    );
    Drill::hydrant().finds(
        "a node that sends its loop alone",
        "00:00:00 loop_ma=12\n00:01:00 loop_ma=3\n00:02:00 loop_ma=12\n00:04:30 loop_ma=12\n00:06:59 temp_c=20\n00:07:00 loop_ma=12",
        &["00:01:00 D sensor_fault since 00:01:00", "00:07:00 D sensor_fault ended 00:02:00"],
    );
    Drill::hydrant().finds(
        "an empty reading says nothing of a fault",
        "00:00:00 pressure_kpa=300 temp_c=-99\n00:01:00 @-\n00:02:00 pressure_kpa=300\n00:06:59 pressure_kpa=300\n00:07:00 pressure_kpa=300",
        &["00:00:00 D sensor_fault since 00:00:00", "00:07:00 D sensor_fault ended 00:02:00"],
    );
}

#[test]
fn the_same_value_thirty_times_and_thirty_minutes() {
    let mut drill = Drill::watched();
    drill.finds(
        "every minute: thirty minutes are longer than thirty readings",
        &every(60, "00:00:00", "00:29:00", "pressure_kpa=300"),
        &[],
    );
    drill.finds(
        "then it is stuck, since its first reading",
        "00:30:00 pressure_kpa=300",
        &["00:30:00 D sensor_fault since 00:00:00"],
    );
    drill.finds(
        "it moves for five minutes",
        "00:31:00 pressure_kpa=301\n00:32:00 pressure_kpa=302\n00:36:00 pressure_kpa=301",
        &["00:36:00 D sensor_fault ended 00:31:00"],
    );
    let weak = || Drill::new([device("D", Kind::Hydrant, "weak", 60)]);
    let mut drill = weak();
    drill.finds(
        "every two minutes: thirty readings are longer than thirty minutes",
        &every(120, "00:00:00", "00:56:00", "pressure_kpa=50"),
        &[],
    );
    drill.finds(
        "fifty counts",
        "00:58:00 pressure_kpa=50",
        &["00:58:00 D sensor_fault since 00:00:00"],
    );
}

#[test]
fn an_empty_pipe_reads_a_constant_and_is_not_stuck() {
    let low = Drill::watched().run(&every(60, "00:00:00", "02:00:00", "pressure_kpa=49.9"));
    assert_eq!(low, ["00:01:00 D low_pressure since 00:00:00"]);
    let low = Drill::watched().run(&every(60, "00:00:00", "02:00:00", "pressure_kpa=100"));
    assert_eq!(low, ["00:01:00 D low_pressure since 00:00:00"]);
    let mut drill = Drill::watched();
    let script = "00:00:00 alarm no_water on\n".to_owned()
        + &every(60, "00:01:00", "02:00:00", "pressure_kpa=300");
    assert_eq!(drill.run(&script), ["00:00:00 D no_water since 00:00:00"]);
    let mut drill = Drill::watched();
    let script = every(60, "00:00:00", "00:20:00", "pressure_kpa=300")
        + "00:20:30 pressure_kpa=299.9\n"
        + &every(60, "00:21:00", "00:50:00", "pressure_kpa=300");
    assert!(drill.run(&script).is_empty(), "one other value starts over");
    drill.finds(
        "from there",
        "00:51:00 pressure_kpa=300",
        &["00:51:00 D sensor_fault since 00:21:00"],
    );
}

#[test]
fn evidence_is_covered_time_above_the_clear_limit() {
    let asked = |script: &str| {
        let mut drill = Drill::hydrant();
        drill.run("00:00:00 pressure_kpa=300");
        let ix = drill.watch.registry.find("D").unwrap();
        drill.watch.verify(ix, true, drill.now, &mut drill.out);
        drill.run(script)
    };
    assert_eq!(
        asked(&every(120, "00:01:00", "01:01:00", "pressure_kpa=150")),
        ["01:01:00 D verified 01:01:00"],
        "an hour with gaps of two intervals"
    );
    let upto = every(60, "00:01:00", "01:00:00", "pressure_kpa=150");
    assert!(asked(&upto).is_empty(), "59 minutes");
    let gap = every(60, "00:01:00", "00:31:00", "pressure_kpa=150")
        + &every(60, "00:33:00.001", "01:02:00.001", "pressure_kpa=150");
    assert!(asked(&gap).is_empty(), "a gap longer than two intervals is not covered");
    let gap = gap + "01:03:00.001 pressure_kpa=150";
    assert_eq!(asked(&gap), ["01:03:00.001 D verified 01:03:00.001"], "the rest counts on");
    let dip = every(60, "00:01:00", "00:31:00", "pressure_kpa=150")
        + "00:32:00 pressure_kpa=149\n"
        + &every(60, "00:33:00", "01:02:00", "pressure_kpa=150");
    assert!(asked(&dip).is_empty(), "what lies beside a low reading is not covered");
    let dip = dip + "01:03:00 pressure_kpa=150";
    assert_eq!(asked(&dip), ["01:03:00 D verified 01:03:00"]);
    let high = every(60, "00:01:00", "01:30:00", "pressure_kpa=951");
    assert!(asked(&high).is_empty(), "too high is no evidence");
    let limit = every(60, "00:01:00", "01:01:00", "pressure_kpa=950");
    assert_eq!(asked(&limit), ["01:01:00 D verified 01:01:00"]);
}

#[test]
fn evidence_breaks_across_a_fault_and_ends_when_nobody_wants_it() {
    let mut drill = Drill::hydrant();
    drill.run("00:00:00 pressure_kpa=300");
    let ix = drill.watch.registry.find("D").unwrap();
    drill.watch.verify(ix, true, drill.now, &mut drill.out);
    drill.out = crate::Changes::default();
    drill.watch.verify(ix, true, drill.now, &mut drill.out);
    assert!(drill.out.save.is_empty(), "asked for already");
    let script = every(60, "00:01:00", "00:31:00", "pressure_kpa=150")
        + "00:31:30 pressure_kpa=9999\n00:32:00 temp_c=20\n"
        + &every(60, "00:32:00", "00:37:00", "pressure_kpa=150")
        + &every(60, "00:38:00", "01:06:00", "pressure_kpa=151");
    assert_eq!(
        drill.run(&script),
        ["00:31:30 D sensor_fault since 00:31:30", "00:37:00 D sensor_fault ended 00:32:00",]
    );
    drill.finds(
        "30 minutes before, 30 after the fault had ended",
        "01:07:00 pressure_kpa=151",
        &["01:07:00 D verified 01:07:00"],
    );
    drill.watch.verify(ix, true, drill.now, &mut drill.out);
    drill.watch.verify(ix, false, drill.now, &mut drill.out);
    let script = every(60, "01:08:00", "03:00:00", "pressure_kpa=152 temp_c=9");
    assert!(drill.run(&script).iter().all(|line| !line.contains("verified")));
}

#[test]
fn a_day_of_silence_or_fault_verifies_nothing() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300");
    let ix = drill.watch.registry.find("D").unwrap();
    drill.watch.verify(ix, true, drill.now, &mut drill.out);
    drill.finds(
        "silence",
        "00:30:00 pressure_kpa=145\n1+00:30:00",
        &[
            "00:05:00 D offline since 00:05:00",
            "00:30:00 D offline ended 00:30:00",
            "00:35:00 D offline since 00:35:00",
            "1+00:30:00 D unverified 1+00:30:00",
        ],
    );
    drill.finds("said once", "3+00:00:00", &[]);
}

#[test]
fn what_changes_of_a_hydrant_is_told_to_those_who_rely_on_it() {
    let changes = |drill: &mut Drill, values: &str| {
        let values = super::values(values.split_whitespace());
        for n in 0..3 {
            let ts = super::T0 + n * 60_000;
            let reading = standpipe_shared::Reading { ts: Some(ts), values, ..Default::default() };
            drill.watch.reading(in_town("D"), &reading, ts, &mut drill.out);
        }
        let facts: Vec<Fact> = drill.watch.facts();
        facts.iter().filter(|fact| **fact == Fact::Hydrant { device: DeviceIx(0) }).count()
    };
    assert!(changes(&mut Drill::hydrant(), "pressure_kpa=0") > 0);
    assert_eq!(changes(&mut Drill::detector(), "smoke_db_m=1"), 0, "no hydrant");
}
