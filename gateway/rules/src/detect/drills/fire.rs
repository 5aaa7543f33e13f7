//! `smoke` and `heat`: by readings, by alarm, in a test, late.

use standpipe_shared::{Alarm, Condition, Field, Kind, Measurements, Reading};

use super::{Drill, at, device, in_town};

#[test]
fn smoke_is_two_readings_and_an_alarm_is_one() {
    for (story, script, expected) in [
        (
            "two readings at the limit",
            "00:00:00 smoke_db_m=0.15\n00:00:05 smoke_db_m=0.15",
            &["00:00:05 D smoke since 00:00:00"][..],
        ),
        ("one reading", "00:00:00 smoke_db_m=3", &[]),
        ("under the limit", "00:00:00 smoke_db_m=0.149\n00:00:05 smoke_db_m=0.149", &[]),
        (
            "a clear one between starts over",
            "00:00:00 smoke_db_m=0.2\n00:00:05 smoke_db_m=0.1\n00:00:10 smoke_db_m=0.2",
            &[],
        ),
        (
            "an alarm does not wait",
            "00:00:00 alarm smoke on smoke_db_m=0.2",
            &["00:00:00 D smoke since 00:00:00"],
        ),
        (
            "absurdly much smoke is smoke",
            "00:00:00 smoke_db_m=99\n00:00:05 smoke_db_m=99",
            &["00:00:00 D sensor_fault since 00:00:00", "00:00:05 D smoke since 00:00:00"],
        ),
    ] {
        Drill::detector().finds(story, script, expected);
    }
}

#[test]
fn a_detector_clears_after_a_minute_below() {
    let mut drill = Drill::detector();
    drill.run("00:00:00 smoke_db_m=0.2\n00:00:05 smoke_db_m=0.2");
    drill.finds(
        "a wavering reading is one fire",
        "00:00:30 smoke_db_m=0.1\n00:01:29 smoke_db_m=0.1\n00:01:29.500 smoke_db_m=0.3\n00:02:00 smoke_db_m=0.1\n00:02:59 smoke_db_m=0.1",
        &[],
    );
    drill.finds("a minute", "00:03:00 smoke_db_m=0.1", &["00:03:00 D smoke ended 00:02:00"]);
}

#[test]
fn an_alarm_ends_only_what_an_alarm_raised() {
    let mut drill = Drill::detector();
    drill.finds(
        "by alarm",
        "00:00:00 alarm smoke on\n00:00:10 alarm smoke off",
        &["00:00:00 D smoke since 00:00:00", "00:00:10 D smoke ended 00:00:10"],
    );
    drill.finds(
        "by both: true while either says so",
        "00:01:00 smoke_db_m=0.2\n00:01:05 smoke_db_m=0.2\n00:01:10 alarm smoke on\n00:01:20 alarm smoke off\n00:02:00 smoke_db_m=0\n00:03:00 smoke_db_m=0",
        &[
            "00:01:05 D smoke since 00:01:00",
            "00:01:10 D smoke since 00:01:00",
            "00:03:00 D smoke ended 00:02:00",
        ],
    );
    drill.finds(
        "by alarm first: good readings do not end it",
        "00:10:00 alarm smoke on\n00:10:05 smoke_db_m=0.2\n00:10:10 smoke_db_m=0.2\n00:11:00 smoke_db_m=0\n00:13:00 smoke_db_m=0\n00:20:00 alarm smoke off",
        &["00:10:00 D smoke since 00:10:00", "00:20:00 D smoke ended 00:20:00"],
    );
    Drill::hydrant().finds(
        "an alarm of low water beside readings",
        "00:00:00 alarm no_water on pressure_kpa=300\n00:00:30 pressure_kpa=300\n00:02:00 pressure_kpa=300\n00:03:00 alarm no_water off\n00:03:05 alarm no_water off",
        &["00:00:00 D no_water since 00:00:00", "00:03:00 D no_water ended 00:03:00"],
    );
}

#[test]
fn a_fire_that_shouts_again_is_told_again() {
    Drill::detector().finds(
        "each alarm is activity",
        "00:00:00 alarm smoke on\n00:00:30 alarm smoke on\n00:10:00 alarm smoke on",
        &[
            "00:00:00 D smoke since 00:00:00",
            "00:00:30 D smoke since 00:00:00",
            "00:10:00 D smoke since 00:00:00",
        ],
    );
    Drill::hydrant().finds(
        "other conditions are told once",
        "00:00:00 alarm tamper on\n00:00:30 alarm tamper on\n00:00:40 alarm tamper off",
        &["00:00:00 D tamper since 00:00:00", "00:00:40 D tamper ended 00:00:40"],
    );
}

#[test]
fn an_active_fire_acts_whatever_its_time() {
    Drill::detector().finds(
        "an hour late",
        "00:00:00 smoke_db_m=0\n02:00:00 smoke_db_m=0\n02:00:10 @01:00:10 alarm smoke on",
        &["02:00:10 D smoke since 01:00:10 late 3600 s"],
    );
    Drill::detector().finds(
        "older than the news that it ended",
        "00:00:10 alarm smoke off\n00:00:20 @00:00:05 alarm smoke on\n00:00:30 @00:00:08 alarm smoke off\n00:00:40 alarm smoke off",
        &["00:00:20 D smoke since 00:00:05", "00:00:40 D smoke ended 00:00:40"],
    );
    Drill::hydrant().finds(
        "another condition's old news moves nothing",
        "00:00:10 alarm tamper off\n00:00:20 @00:00:05 alarm tamper on\n00:00:30 @00:00:10 alarm tamper on",
        &["00:00:30 D tamper since 00:00:10"],
    );
    Drill::detector().finds(
        "a clock of 1970, and one of tomorrow",
        "00:00:10 @-20000+00:00:00 alarm smoke on\n00:00:20 alarm smoke off\n00:00:30 @1+00:00:00 alarm heat on",
        &[
            "00:00:10 D clock_fault since 00:00:10",
            "00:00:10 D smoke since 00:00:10",
            "00:00:20 D smoke ended 00:00:20",
            "00:00:30 D heat since 00:00:30",
        ],
    );
}

#[test]
fn a_test_is_a_test_for_ten_minutes() {
    Drill::detector().finds(
        "longer: a real fire",
        "00:00:00 alarm smoke test\n00:05:00 alarm smoke test\n00:09:59.999\n00:10:00\n00:30:00 alarm smoke off",
        &[
            "00:00:00 D smoke since 00:00:00 test",
            "00:05:00 D smoke since 00:00:00 test",
            "00:10:00 D smoke is no test",
            "00:30:00 D smoke ended 00:30:00",
        ],
    );
    Drill::new([super::device("D", Kind::Smoke, "smoke_home", 60)]).finds(
        "nor is it real because another deadline has come",
        "00:00:00 alarm smoke test\n00:09:00",
        &["00:00:00 D smoke since 00:00:00 test", "00:05:00 D offline since 00:05:00"],
    );
    Drill::detector().finds(
        "ended in time",
        "00:00:00 alarm smoke test\n00:04:00 alarm smoke off\n00:08:00 alarm smoke off\n00:12:00 alarm smoke off",
        &["00:00:00 D smoke since 00:00:00 test", "00:04:00 D smoke ended 00:04:00"],
    );
    Drill::detector().finds(
        "a real alarm within a test is real at once, and a test after it is no test",
        "00:00:00 alarm smoke test\n00:01:00 alarm smoke on\n00:02:00 alarm smoke test\n00:04:00 smoke_db_m=1\n00:08:00 smoke_db_m=1\n00:12:00 smoke_db_m=1",
        &[
            "00:00:00 D smoke since 00:00:00 test",
            "00:01:00 D smoke since 00:00:00",
            "00:02:00 D smoke since 00:00:00",
        ],
    );
}

#[test]
fn a_test_explains_its_alarm_and_not_what_is_measured_beside_it() {
    Drill::detector().finds(
        "readings say smoke during a test: it burns, now and not in ten minutes",
        "00:00:00 alarm smoke test\n00:00:20 smoke_db_m=0.15\n00:00:35 smoke_db_m=0.15\n00:01:00 smoke_db_m=0.3\n00:10:00",
        &["00:00:00 D smoke since 00:00:00 test", "00:00:35 D smoke since 00:00:00"],
    );
    Drill::detector().finds(
        "so it is when the first of them came before the test",
        "00:00:00 smoke_db_m=0.2\n00:00:10 alarm smoke test\n00:00:20 smoke_db_m=0.2\n00:10:10",
        &["00:00:10 D smoke since 00:00:10 test", "00:00:20 D smoke since 00:00:10"],
    );
    Drill::detector().finds(
        "one reading is none yet",
        "00:00:00 alarm smoke test\n00:00:20 smoke_db_m=0.2\n00:00:35 smoke_db_m=0\n00:01:00 alarm smoke off",
        &["00:00:00 D smoke since 00:00:00 test", "00:01:00 D smoke ended 00:01:00"],
    );
    Drill::detector().finds(
        "a test of smoke explains no heat",
        "00:00:00 alarm smoke test\n00:00:10 alarm smoke test temp_c=60\n00:00:20 alarm smoke off",
        &[
            "00:00:00 D smoke since 00:00:00 test",
            "00:00:10 D smoke since 00:00:00 test",
            "00:00:10 D heat since 00:00:10",
            "00:00:20 D smoke ended 00:00:20",
        ],
    );
    Drill::detector().finds(
        "what the test alarm itself measured belongs to the test, while that may last",
        "00:00:00 alarm smoke test smoke_db_m=0.3\n00:00:15 alarm smoke test smoke_db_m=0.3\n00:00:30 alarm smoke test smoke_db_m=0.3\n00:10:00",
        &[
            "00:00:00 D smoke since 00:00:00 test",
            "00:00:15 D smoke since 00:00:00 test",
            "00:00:30 D smoke since 00:00:00 test",
            "00:10:00 D smoke is no test",
        ],
    );
    Drill::detector().finds(
        "and so does its heat",
        "00:00:00 alarm heat test temp_c=70\n00:00:15 alarm heat test temp_c=70\n00:00:30 temp_c=70",
        &[
            "00:00:00 D heat since 00:00:00 test",
            "00:00:15 D heat since 00:00:00 test",
            "00:00:30 D heat since 00:00:00",
        ],
    );
}

#[test]
#[rustfmt::skip] // a table
fn heat_is_a_temperature_or_a_fast_rise() {
    for (story, script, found) in [
        ("at the limit",                    "00:00:00 temp_c=57",                                     "00:00:00 D heat since 00:00:00"),
        ("under it",                        "00:00:00 temp_c=56.9",                                   ""),
        ("ten degrees in a minute",         "00:00:00 temp_c=20\n00:01:00 temp_c=30",                 "00:01:00 D heat since 00:01:00"),
        ("a little slower",                 "00:00:00 temp_c=20\n00:01:00 temp_c=29.9",               ""),
        ("more than a minute apart",        "00:00:00 temp_c=20\n00:01:00.001 temp_c=35",             ""),
        ("in fifteen seconds",              "00:00:00 temp_c=20\n00:00:15 temp_c=22.5",               "00:00:15 D heat since 00:00:15"),
        ("noise is no rise, however fast",  "00:00:00 temp_c=20\n00:00:01 temp_c=21.9",               ""),
        ("two degrees are",                 "00:00:00 temp_c=20\n00:00:12 temp_c=22",                 "00:00:12 D heat since 00:00:12"),
        ("slow readings, each by itself too slow: ten over the minute",
         "00:00:00 temp_c=20\n00:00:20 temp_c=23\n00:00:40 temp_c=26\n00:01:00 temp_c=30",            "00:01:00 D heat since 00:01:00"),
        ("quick readings with small steps, together a rise",
         "00:00:00 temp_c=20\n00:00:03 temp_c=20.7\n00:00:06 temp_c=21.4\n00:00:09 temp_c=22.1",      "00:00:09 D heat since 00:00:09"),
        ("the last reading counts when the first is too old",
         "00:00:00 temp_c=20\n00:00:45 temp_c=20\n00:01:30 temp_c=27.5",                              "00:01:30 D heat since 00:01:30"),
        ("and is then where the rise is measured from",
         "00:00:00 temp_c=20\n00:00:50 temp_c=20\n00:01:20 temp_c=22\n00:01:45 temp_c=29.2",          "00:01:45 D heat since 00:01:45"),
        ("ten in decimals, a little less in binary", "00:00:00 temp_c=6.3\n00:01:00 temp_c=16.3",    "00:01:00 D heat since 00:01:00"),
        ("five likewise",                   "00:00:00 temp_c=11.3\n00:00:30 temp_c=16.3",             "00:00:30 D heat since 00:00:30"),
        ("and two",                         "00:00:00 temp_c=14.3\n00:00:12 temp_c=16.3",             "00:00:12 D heat since 00:00:12"),
        ("a hundredth less",                "00:00:00 temp_c=6.3\n00:01:00 temp_c=16.29",             ""),
        ("two at one moment say nothing",   "00:00:00 temp_c=20\n00:00:00 temp_c=40",                 ""),
        ("cooling is no rise",              "00:00:00 temp_c=50\n00:00:30 temp_c=20",                 ""),
    ] {
        let found: Vec<&str> = found.split('\n').filter(|line| !line.is_empty()).collect();
        Drill::detector().finds(story, script, &found);
    }
}

#[test]
fn heat_ends_after_a_minute_below() {
    let mut drill = Drill::detector();
    drill.run("00:00:00 temp_c=60");
    drill.finds("not yet", "00:01:00 temp_c=56\n00:01:59 temp_c=56", &[]);
    drill.finds("now", "00:02:00 temp_c=56", &["00:02:00 D heat ended 00:01:00"]);
}

#[test]
fn a_hydrant_in_the_sun_is_no_fire_but_a_stranger_may_be() {
    Drill::hydrant().finds("registered as a hydrant", "00:00:00 temp_c=70", &[]);
    Drill::hydrant().finds(
        "its alarm is one",
        "00:00:00 alarm heat on temp_c=70",
        &["00:00:00 D heat since 00:00:00"],
    );
    Drill::new([]).finds(
        "registered by nobody",
        "00:00:00 X: temp_c=70",
        &["00:00:00 X heat since 00:00:00"],
    );
}

#[test]
fn a_stranger_is_registered_as_what_it_seems() {
    for (said, kind) in [
        ("00:00:00 X: pressure_kpa=300", Kind::Hydrant),
        ("00:00:00 X: smoke_db_m=0", Kind::Smoke),
        ("00:00:00 X: dirt_pct=3", Kind::Smoke),
        ("00:00:00 X: alarm heat on", Kind::Smoke),
        ("00:00:00 X: alarm smoke on", Kind::Smoke),
        ("00:00:00 X: alarm tamper on", Kind::Hydrant),
    ] {
        let mut drill = Drill::new([device("D", Kind::Smoke, "smoke_home", 60)]);
        drill.run(said);
        let ix = drill.watch.registry.find("X").unwrap();
        let stranger = drill.watch.registry.device(ix).unwrap();
        assert_eq!((stranger.kind, stranger.claimed), (kind, false), "{said}");
        assert_eq!(&*stranger.area, "town");
        assert_eq!(drill.out.registered, [ix], "{said}");
        drill.run(said);
        assert_eq!(drill.out.registered, [ix], "once");
    }
}

#[test]
fn a_stranger_is_a_detector_from_the_moment_it_speaks_as_one() {
    for (said, kind) in [
        ("00:00:10 X: alarm smoke on", Kind::Smoke),
        ("00:00:10 X: alarm heat off", Kind::Smoke),
        ("00:00:10 X: smoke_db_m=0", Kind::Smoke),
        ("00:00:10 X: dirt_pct=3", Kind::Smoke),
        ("00:00:10 X: alarm tamper on", Kind::Hydrant),
        ("00:00:10 X: pressure_kpa=300", Kind::Hydrant),
    ] {
        let mut drill = Drill::new([]);
        drill.run("00:00:00 X: born 60");
        let ix = drill.watch.registry.find("X").unwrap();
        assert_eq!(drill.watch.registry.device(ix).unwrap().kind, Kind::Hydrant, "it seems");
        drill.run(said);
        let stranger = drill.watch.registry.device(ix).unwrap();
        let profile = crate::registry::Profile::default_name(kind);
        assert_eq!((stranger.kind, &*stranger.profile), (kind, profile), "{said}");
        assert!(!stranger.claimed && &*stranger.area == "town");
        let kept = if kind == Kind::Smoke { vec![ix, ix] } else { vec![ix] };
        assert_eq!(drill.out.registered, kept, "{said}: kept when it changed");
        drill.run(
            "00:00:20 X: pressure_kpa=300\n00:00:30 X: smoke_db_m=0\n00:00:40 X: pressure_kpa=300",
        );
        let stranger = drill.watch.registry.device(ix).unwrap();
        assert_eq!(stranger.kind, Kind::Smoke, "and stays one");
        assert_eq!(drill.out.registered, [ix, ix]);
    }
    let mut claimed = Drill::hydrant();
    claimed.run("00:00:00 alarm smoke on smoke_db_m=1");
    let ix = claimed.watch.registry.find("D").unwrap();
    assert_eq!(claimed.watch.registry.device(ix).unwrap().kind, Kind::Hydrant, "as registered");
    assert!(claimed.out.registered.is_empty());
}

#[test]
fn what_an_alarm_measured_goes_on_after_it_unless_it_was_a_test() {
    for (story, script, found) in [
        (
            "the alarm is over, and it is as hot as it was",
            "00:00:00 alarm heat on temp_c=70\n00:00:10 alarm heat off\n00:00:20 temp_c=20\n00:01:20 temp_c=20",
            &["00:00:00 D heat since 00:00:00", "00:01:20 D heat ended 00:00:20"][..],
        ),
        (
            "of the two that confirm smoke, one came with the alarm",
            "00:00:00 alarm smoke on smoke_db_m=0.3\n00:00:10 smoke_db_m=0.3\n00:00:20 alarm smoke off",
            &["00:00:00 D smoke since 00:00:00"],
        ),
        (
            "a test is over, and so is what it measured",
            "00:00:00 alarm heat test temp_c=70\n00:00:10 alarm heat off",
            &["00:00:00 D heat since 00:00:00 test", "00:00:10 D heat ended 00:00:10"],
        ),
    ] {
        Drill::detector().finds(story, script, found);
    }
    let mut drill = Drill::detector();
    drill.run("00:00:00 alarm heat test");
    let mut values = Measurements::default();
    values.set(Field::TempC, 70.0).unwrap();
    let reading = Reading { values, ..Reading::default() };
    let over = Alarm { reading, condition: Condition::Heat, active: false, test: true };
    drill.watch.alarm(in_town("D"), &over, at("00:00:10").into(), &mut drill.out);
    drill.finds(
        "the end of a test that is hot is a fire",
        "00:00:10",
        &["00:00:10 D heat ended 00:00:10", "00:00:10 D heat since 00:00:10"],
    );
}
