//! `offline`, Last Will, the gateway's own blindness; late messages and backlogs.

use standpipe_shared::Kind;

use super::{Drill, device, every};

#[test]
fn silence_is_three_intervals_and_at_least_five_minutes() {
    Drill::watched().finds(
        "one minute: five minutes",
        "00:00:00 temp_c=20\n00:10:00 temp_c=20",
        &["00:05:00 D offline since 00:05:00", "00:10:00 D offline ended 00:10:00"],
    );
    let slow = || Drill::new([device("D", Kind::Hydrant, "municipal", 900)]);
    slow().finds(
        "a quarter of an hour: three quarters",
        "00:00:00 temp_c=20\n02:00:00",
        &["00:45:00 D offline since 00:45:00"],
    );
    slow().finds(
        "a device knows its own interval best",
        "00:00:00 born 120\n00:01:00 born 0x\n02:00:00",
        &["00:07:00 D offline since 00:07:00"],
    );
    let mut unheard = Drill::new([device("D", Kind::Hydrant, "municipal", 60)]);
    unheard.finds(
        "never heard is silent since the gateway first listened",
        "09:00:00",
        &["00:05:00 D offline since 00:05:00 (never)"],
    );
    let mut default = Drill::new([crate::registry::Device {
        interval_s: None,
        ..device("D", Kind::Hydrant, "municipal", 0)
    }]);
    default.finds(
        "the profile's interval where nobody says",
        "00:00:00 temp_c=20\n02:00:00",
        &["00:45:00 D offline since 00:45:00"],
    );
}

#[test]
fn a_last_will_is_offline_at_once() {
    Drill::watched().finds(
        "it went, it came",
        "00:01:00 temp_c=20\n00:02:00 gone\n00:03:00 gone\n00:20:00\n00:30:00 born 60",
        &["00:02:00 D offline since 00:02:00", "00:30:00 D offline ended 00:30:00"],
    );
}

#[test]
fn silence_leaves_what_is_open_as_it_is() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100\n00:01:00 pressure_kpa=200");
    drill.finds(
        "runs do not go on across it",
        "00:30:00 pressure_kpa=200\n00:30:59 pressure_kpa=200\n00:31:00 pressure_kpa=200",
        &[
            "00:06:00 D offline since 00:06:00",
            "00:30:00 D offline ended 00:30:00",
            "00:31:00 D low_pressure ended 00:30:00",
        ],
    );
    Drill::watched().finds(
        "nor does a run of low ones",
        "00:00:00 pressure_kpa=100\n00:30:00 pressure_kpa=100\n00:30:30 pressure_kpa=100",
        &[
            "00:05:00 D offline since 00:05:00",
            "00:30:00 D offline ended 00:30:00",
            "00:30:30 D low_pressure since 00:30:00",
        ],
    );
}

#[test]
fn what_was_stored_meanwhile_goes_on_where_it_began() {
    let gap = ["00:05:00 D offline since 00:05:00", "00:06:40 D offline ended 00:06:40"];
    let found = [gap[0], gap[1], "00:06:42 D low_pressure since 00:00:00 late 342 s"];
    Drill::watched().finds(
        "a run of low ones",
        "00:00:00 pressure_kpa=100\n00:06:40 @00:01:00 pressure_kpa=100\n00:06:41 @00:02:00 pressure_kpa=100\n00:06:42 pressure_kpa=101",
        &found,
    );
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=100\n00:00:30 pressure_kpa=100\n00:01:00 pressure_kpa=200");
    drill.finds(
        "and one that clears",
        "00:07:00 @00:02:00 pressure_kpa=200",
        &[
            "00:06:00 D offline since 00:06:00",
            "00:07:00 D offline ended 00:07:00",
            "00:07:00 D low_pressure ended 00:01:00",
        ],
    );
    Drill::watched().finds(
        "also after a Last Will that was no long silence",
        "00:00:00 pressure_kpa=100\n00:01:00 gone\n00:02:00 pressure_kpa=100",
        &[
            "00:01:00 D offline since 00:01:00",
            "00:02:00 D offline ended 00:02:00",
            "00:02:00 D low_pressure since 00:00:00",
        ],
    );
    Drill::watched().finds(
        "a moment less than a silence",
        "00:00:00 pressure_kpa=100\n00:04:59.999 pressure_kpa=100",
        &["00:04:59.999 D low_pressure since 00:00:00"],
    );
    Drill::watched().finds(
        "a silence, though not everything was silent",
        "00:00:00 pressure_kpa=100\n00:03:00 born 60\n00:05:00 pressure_kpa=100\n00:05:30 pressure_kpa=100",
        &["00:05:30 D low_pressure since 00:05:00"],
    );
}

#[test]
fn a_gateway_that_cannot_see_says_so_and_blames_nobody() {
    let mut drill = Drill::watched();
    drill.finds(
        "its session is down for thirty seconds",
        "00:00:00 temp_c=20\n00:01:00 down\n00:01:10 down\n00:01:29.999",
        &[],
    );
    drill.finds(
        "it is blind; no device goes offline",
        "00:30:00",
        &["00:01:30 gateway gateway_blind since 00:01:00"],
    );
    drill.finds(
        "up again: one interval of grace",
        "00:40:00 up\n00:40:59.999",
        &["00:40:00 gateway gateway_blind ended 00:40:00"],
    );
    drill.finds("then silence counts", "00:42:00", &["00:41:00 D offline since 00:41:00"]);
    let mut drill = Drill::watched();
    drill.finds(
        "a will that came with the blindness counts after the same grace",
        "00:00:00 temp_c=20\n00:01:00 down\n00:02:00 up\n00:02:10 gone\n00:02:59.999",
        &[
            "00:01:30 gateway gateway_blind since 00:01:00",
            "00:02:00 gateway gateway_blind ended 00:02:00",
        ],
    );
    drill.finds(
        "unless it is heard",
        "00:03:00\n00:04:00 temp_c=20",
        &["00:03:00 D offline since 00:03:00", "00:04:00 D offline ended 00:04:00"],
    );
    let mut drill = Drill::watched();
    drill.finds(
        "a short break is no blindness: deadlines hold",
        "00:00:00 temp_c=20\n00:04:50 down\n00:05:05\n00:05:10 up\n00:05:20 down\n00:05:30 up",
        &["00:05:10 D offline since 00:05:00"],
    );
}

#[test]
fn a_restart_gives_one_interval_of_grace() {
    let mut before = Drill::watched();
    before.run("00:00:00 temp_c=20");
    let ix = before.watch.registry.find("D").unwrap();
    let body = before.watch.memory(ix).unwrap().body();
    let mut after = Drill::watched();
    after.watch = super::Watch::new(before.watch.registry.clone(), 1);
    after.watch.restore(ix, super::super::Memory::from_body(&body).unwrap());
    after.finds("nothing is judged before the session is up", "02:00:00", &[]);
    after.finds(
        "then silence counts from one interval later",
        "02:00:10 up\n02:01:09\n02:02:00",
        &["02:01:10 D offline since 02:01:10"],
    );
}

#[test]
fn what_a_backlog_brings_waits_for_its_end() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:05:00");
    let dry = "00:30:00 @00:10:00 pressure_kpa=0\n00:30:01 @00:11:00 pressure_kpa=0\n";
    let late = dry.to_owned() + "00:30:02 @00:12:00 pressure_kpa=0";
    drill.finds("it comes in: held back", &late, &["00:30:00 D offline ended 00:30:00"]);
    drill.finds(
        "a young reading ends it: still true",
        "00:30:03 @00:29:03 pressure_kpa=0",
        &[
            "00:30:03 D no_water since 00:10:00 late 1143 s",
            "00:30:03 D low_pressure since 00:10:00 late 1143 s",
        ],
    );
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:05:00");
    let over = dry.to_owned()
        + "00:30:02 @00:12:00 pressure_kpa=300\n00:30:03 @00:13:00 pressure_kpa=300\n00:30:04 pressure_kpa=300";
    drill.finds(
        "over before it was known: recorded",
        &over,
        &[
            "00:30:00 D offline ended 00:30:00",
            "00:30:03 D no_water since 00:10:00 late 1141 s passed 00:12:00",
            "00:30:03 D low_pressure since 00:10:00 late 1141 s passed 00:12:00",
        ],
    );
}

#[test]
fn one_interval_is_not_late() {
    Drill::watched().finds(
        "exactly one",
        "00:02:00 @00:01:00 pressure_kpa=0\n00:02:30 @00:01:30 pressure_kpa=0",
        &["00:02:30 D no_water since 00:01:00", "00:02:30 D low_pressure since 00:01:00"],
    );
    let mut drill = Drill::watched();
    drill.finds(
        "a moment more",
        "00:02:00 @00:00:30 pressure_kpa=0\n00:02:05 @00:01:04.999 pressure_kpa=0",
        &[],
    );
    Drill::new([]).finds(
        "of a stranger: sixty seconds",
        "00:02:00 X: @00:01:00 pressure_kpa=0\n00:02:30 X: @00:01:30 pressure_kpa=0",
        &["00:02:30 X no_water since 00:01:00", "00:02:30 X low_pressure since 00:01:00"],
    );
    Drill::new([]).finds(
        "of a stranger that told its interval: that",
        "00:00:01 X: born 600\n00:12:00 X: @00:02:00 pressure_kpa=0\n00:12:30 X: @00:02:30 pressure_kpa=0",
        &["00:12:30 X no_water since 00:02:00", "00:12:30 X low_pressure since 00:02:00"],
    );
    let mut out = Drill::new([]);
    out.finds(
        "of one that did not, more",
        "00:12:00 X: @00:10:30 pressure_kpa=0\n00:12:05 X: @00:11:04.999 pressure_kpa=0\n00:13:00",
        &[],
    );
}

#[test]
fn a_stranger_falls_silent_like_anybody() {
    Drill::new([]).finds(
        "three of its intervals of 15 minutes",
        "00:00:00 X: pressure_kpa=300\n00:46:00",
        &["00:45:00 X offline since 00:45:00"],
    );
}

#[test]
fn what_a_deadline_moved_is_kept() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:04:00 pressure_kpa=301");
    drill.out.clear();
    drill.run("00:05:00");
    assert!(!drill.out.dirty.is_empty() && drill.out.save.is_empty(), "nothing came of it");
    drill.finds("silent", "00:09:00", &["00:09:00 D offline since 00:09:00"]);
    assert!(!drill.out.save.is_empty());
}

/// What is found of a device that is first heard half an hour after the gateway began.
const NEVER_UNTIL_HALF_PAST: [&str; 2] =
    ["00:05:00 D offline since 00:05:00 (never)", "00:30:00 D offline ended 00:30:00"];

#[test]
fn a_backlog_ends_by_itself() {
    let mut drill = Drill::watched();
    drill.finds(
        "a minute after its last message",
        "00:30:00 @00:10:00 pressure_kpa=0\n00:30:30 @00:11:00 pressure_kpa=0\n00:31:29.999",
        &NEVER_UNTIL_HALF_PAST,
    );
    drill.finds(
        "worst first, though it was not found first",
        "00:31:30",
        &[
            "00:31:30 D no_water since 00:10:00 late 1230 s",
            "00:31:30 D low_pressure since 00:10:00 late 1230 s",
        ],
    );
    let mut slow_clock = Drill::watched();
    let mut script = String::new();
    for n in 0..12 {
        script += &format!(
            "{} @{} pressure_kpa=0\n",
            super::clock(super::T0 + 1_800_000 + n * 30_000),
            super::clock(super::T0 + n * 30_000)
        );
    }
    slow_clock.finds(
        "a slow clock is none: its times run as its arrivals do",
        &script,
        &[
            NEVER_UNTIL_HALF_PAST[0],
            NEVER_UNTIL_HALF_PAST[1],
            "00:30:30 D clock_fault since 00:30:30",
            "00:31:00 D no_water since 00:30:30",
            "00:31:00 D low_pressure since 00:30:30",
        ],
    );
}

/// A clock that is half an hour slow: `bundle` readings, one every `every_s`, are sent together.
///
/// What is found after it was first heard.
fn slow_clock(every_s: i64, bundle: i64) -> Vec<String> {
    let mut script = String::new();
    for n in 0..(600 / every_s) {
        let sent = (n / bundle + 1) * bundle * every_s;
        let (at, ts) = (super::T0 + 1_800_000 + sent * 1_000, super::T0 + n * every_s * 1_000);
        script += &format!("{} @{} pressure_kpa=0\n", super::clock(at), super::clock(ts));
    }
    Drill::watched().run(&script).split_off(NEVER_UNTIL_HALF_PAST.len())
}

#[test]
fn a_slow_clock_does_not_catch_up_however_it_sends() {
    for (every_s, bundle, known, dry) in [
        (15, 1, "00:30:30", "00:31:00 D {} since 00:30:30"),
        (10, 5, "00:31:40", "00:31:40 D {} since 00:00:00 late 1870 s"), // its first five, held
        (5, 2, "00:30:20", "00:30:50 D {} since 00:30:20"),
    ] {
        let low = ["no_water", "low_pressure"].map(|condition| dry.replace("{}", condition));
        let expected =
            [vec![format!("{known} D clock_fault since {known}")], low.to_vec()].concat();
        assert_eq!(slow_clock(every_s, bundle), expected, "{bundle} of {every_s} s");
    }
}

#[test]
fn a_long_backlog_is_over_when_it_has_caught_up() {
    let stored = |low: std::ops::Range<i64>| {
        let mut drill = Drill::new([device("D", Kind::Hydrant, "municipal", 900)]);
        drill.run("00:00:00 pressure_kpa=300\n00:45:00");
        let mut script = String::new();
        for n in 1..672 {
            let kpa = if low.contains(&n) { 100 } else { 300 + n % 7 };
            let at = super::clock(super::T0 + 7 * 86_400_000 + n * 2_000);
            script +=
                &format!("{at} @{} pressure_kpa={kpa}\n", super::clock(super::T0 + n * 900_000));
        }
        drill.run(&(script + "8+00:00:00"))
    };
    assert_eq!(
        stored(140..160)[..2],
        [
            "7+00:00:02 D offline ended 7+00:00:02",
            "7+00:05:22 D low_pressure since 1+11:00:00 late 478182 s passed 1+16:00:00",
        ],
        "a week, one reading every two seconds: what was over after five minutes"
    );
    assert_eq!(
        stored(140..672)[..2],
        [
            "7+00:00:02 D offline ended 7+00:00:02",
            "7+00:23:22 D low_pressure since 1+11:00:00 late 479302 s",
        ],
        "still true a minute after its end"
    );
}

#[test]
fn a_backlog_lasts_five_minutes_from_where_it_stopped_to_catch_up() {
    let told = |seconds: &[(i64, i64)]| {
        let mut drill = Drill::new([device("D", Kind::Hydrant, "municipal", 600)]);
        drill.run("00:00:00 pressure_kpa=300\n00:05:00");
        let mut script = String::new();
        for (at, ts) in seconds {
            let [at, ts] = [at, ts].map(|second| super::clock(super::T0 + second * 1_000));
            script += &format!("{at} @{ts} alarm tamper on\n");
        }
        drill.run(&script).into_iter().filter(|line| line.contains("tamper")).collect::<Vec<_>>()
    };
    let at_pace = |from: i64, step: i64| (0..=12).map(move |n| (9_000 + n * 50, from + n * step));
    let same: Vec<_> = at_pace(600, 50).collect();
    let slow = ["02:30:50 D tamper since 00:10:00 late 8450 s"];
    assert_eq!(told(&same), slow, "as fast as time: a slow clock");
    let half: Vec<_> = at_pace(600, 75).collect();
    assert_eq!(told(&half), ["02:39:10 D tamper since 00:10:00 late 8950 s"], "half as fast again");
    let twice: Vec<_> = at_pace(600, 100).collect();
    assert_eq!(told(&twice), [""; 0], "twice as fast: not in these ten minutes");
    let old: Vec<_> = at_pace(600, 0).collect();
    let still = ["02:31:40 D tamper since 00:10:00 late 8500 s"];
    assert_eq!(told(&old), still, "not at all: one that stands still");
}

#[test]
fn worst_first_when_a_backlog_ends() {
    Drill::watched().finds(
        "the lower was found first",
        "00:30:00 @00:10:00 pressure_kpa=100\n00:30:01 @00:10:30 pressure_kpa=100\n00:30:02 @00:11:00 pressure_kpa=0\n00:30:03 @00:12:00 pressure_kpa=0\n00:30:04 pressure_kpa=0",
        &[
            NEVER_UNTIL_HALF_PAST[0],
            NEVER_UNTIL_HALF_PAST[1],
            "00:30:04 D no_water since 00:11:00 late 1084 s",
            "00:30:04 D low_pressure since 00:10:00 late 1174 s",
        ],
    );
}

#[test]
fn a_late_alarm_waits_too_unless_it_is_fire() {
    Drill::watched().finds(
        "raised and ended in the backlog",
        "00:30:00 @00:10:00 alarm tamper on\n00:30:01 @00:11:00 alarm tamper off\n00:30:02 temp_c=20",
        &[
            NEVER_UNTIL_HALF_PAST[0],
            NEVER_UNTIL_HALF_PAST[1],
            "00:30:01 D tamper since 00:10:00 late 1200 s passed 00:11:00",
        ],
    );
    Drill::watched().finds(
        "still so",
        "00:30:00 @00:10:00 alarm tamper on\n00:30:02 temp_c=20",
        &[
            NEVER_UNTIL_HALF_PAST[0],
            NEVER_UNTIL_HALF_PAST[1],
            "00:30:02 D tamper since 00:10:00 late 1202 s",
        ],
    );
    Drill::watched().finds(
        "late, and older than the newest reading: told when nothing late comes any more",
        "00:04:00 temp_c=20\n00:04:10 @00:01:00 alarm tamper on\n00:05:09\n00:05:10",
        &["00:05:10 D tamper since 00:01:00 late 250 s"],
    );
    Drill::watched().finds(
        "or at the next young message",
        "00:04:00 temp_c=20\n00:04:10 @00:01:00 alarm tamper on\n00:04:20 @00:03:50 temp_c=20",
        &["00:04:20 D tamper since 00:01:00 late 200 s"],
    );
    Drill::detector().finds(
        "fire by readings is told at once",
        "00:30:00 @00:10:00 smoke_db_m=1\n00:30:01 @00:11:00 smoke_db_m=1",
        &["00:30:01 D smoke since 00:10:00 late 1141 s"],
    );
}

#[test]
fn a_reading_older_than_the_newest_moves_nothing() {
    let mut drill = Drill::watched();
    drill.finds(
        "two old ones among good ones",
        "00:01:00 pressure_kpa=300\n00:01:10 @00:00:30 pressure_kpa=0\n00:01:35 @00:00:59.999 pressure_kpa=0\n00:01:55 pressure_kpa=300\n00:02:55 pressure_kpa=301",
        &[],
    );
    assert_eq!(drill.out.counts.out_of_order, 2);
    assert_eq!(drill.out.readings.len(), 5, "they are kept all the same");
    Drill::watched().finds(
        "one as old counts",
        "00:01:00 pressure_kpa=0\n00:01:30 pressure_kpa=0\n00:01:31 @00:01:30 pressure_kpa=0",
        &["00:01:30 D no_water since 00:01:00", "00:01:30 D low_pressure since 00:01:00"],
    );
}

#[test]
fn nothing_is_due_when_nothing_is_heard() {
    let mut drill = Drill::new([]);
    assert_eq!(drill.watch.next_wake(), None);
    drill.run(&every(60, "00:00:00", "00:10:00", "temp_c=20"));
    assert!(drill.watch.next_wake().is_some());
}
