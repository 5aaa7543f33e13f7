//! Water: relapses page, evidence closes, a zone stands for its hydrants.

use super::drill::{drill, drill_with, time};
use crate::incidents::{Plan, Steps};
use standpipe_shared::Condition;

#[test]
fn water_comes_back_and_holds() {
    drill(
        "02:00:00 raise HY-6 low_pressure => #1 warning open e1; p1 #1 T2
         02:30:00 clear HY-6 low_pressure => #1 warning verifying e1
         02:31:00 T2 arrive #1            =>
         02:32:00 T2 acknowledge #1       => refused: verifying
         1d02:30:00 verified HY-6         => #1 warning closed e1 recovered
         1d02:31:00 verified HY-6         =>
         1d02:32:00 unverified HY-6       =>",
    );
    drill(
        "02:00:00 raise HY-6 low_pressure => #1 warning open e1; p1 #1 T2
         02:10:00 verified HY-6           =>
         02:10:00 unverified HY-6         =>
         02:20:00 T2 resolve #1           => #1 warning resolved e1
         02:20:01 verified HY-6           =>
         02:30:00 clear HY-6 low_pressure => #1 warning verifying e1
         1d02:30:00 verified HY-6         => #1 warning closed e1 repaired",
    );
    drill(
        "02:00:00 raise HY-6 low_pressure => #1 warning open e1; p1 #1 T2
         02:30:00 clear HY-6 low_pressure => #1 warning verifying e1
         02:31:00 T2 resolve #1           =>
         1d02:30:00 verified HY-6         => #1 warning closed e1 repaired",
    );
}

#[test]
fn a_false_alarm_needs_no_evidence() {
    drill(
        "02:00:00 raise HY-6 low_pressure => #1 warning open e1; p1 #1 T2
         02:20:00 T2 false_alarm #1       => #1 warning resolved e1
         02:30:00 clear HY-6 low_pressure => #1 warning closed e1 false_alarm
         03:00:00 raise HY-6 low_pressure => #2 warning open e1; p1 #2 T2
         03:30:00 clear HY-6 low_pressure => #2 warning verifying e1
         03:30:01 T2 false_alarm #2       => #2 warning closed e1 false_alarm",
    );
}

#[test]
fn worse_is_news_and_better_is_not() {
    let drill = drill(
        "02:00:00 raise HY-6 low_pressure => #1 warning open e1; p1 #1 T2
         02:00:10 T2 acknowledge #1       => #1 warning acknowledged e1
         02:00:20 raise HY-6 no_water     => #1 critical open e2; p1 #1 T2
         02:01:20 -                       => p2 #1 T1 T3
         02:02:00 clear HY-6 no_water     => #1 warning open e2
         02:30:00 raise HY-6 no_water late=60 => #1 critical open e3; p1 #1 T2
         02:30:10 T2 acknowledge #1       => #1 critical acknowledged e3
         02:30:20 raise HY-6 hydrant_open =>
         02:40:00 clear HY-6 no_water     => #1 warning acknowledged e3
         02:40:00 clear HY-6 low_pressure =>
         02:41:00 clear HY-6 hydrant_open => #1 warning verifying e3
         02:50:00 raise HY-6 high_pressure => #1 notice open e4",
    );
    assert_eq!(drill.wire(1).conditions, [Condition::HighPressure]);
    assert_eq!(drill.wire(1).since, time("02:50:00"));
    assert_eq!((drill.incident(1).opened_at, drill.wire(1).late_s), (time("02:00:00"), 0));
}

#[test]
fn critical_water_is_forgotten_and_repeated() {
    drill(
        "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 T2
         02:01:00 -                   => p2 #1 T1 T3
         02:03:00 -                   => p3 #1 D
         02:18:00 -                   => p3r1 #1 D T1 T2 T3
         02:20:00 T2 acknowledge #1   => #1 critical acknowledged e1
         02:50:00 -                   => #1 critical open e2; p1 #1 T2
         02:50:01 T2 resolve #1       => #1 critical resolved e2
         23:00:00 -                   =>",
    );
}

#[test]
fn a_zone_is_answered_for_by_the_station_with_most_of_it() {
    let drill = drill(
        "02:00:00 raise zone:Z1 zone_low_pressure members=HY-1,HY-5,HY-6 => #1 critical open e1; p1 #1 T1 T2",
    );
    assert_eq!(&*drill.wire(1).station, "T2");
}

#[test]
fn a_receiver_that_was_just_reminded_is_not_reminded_of_another() {
    let patient = Steps { repeat_s: 900, ..Steps::default() };
    drill_with(
        &Plan { critical: patient, ..Plan::default() },
        "02:00:00 raise HY-1 no_water => #1 critical open e1; p1 #1 T1
         02:00:10 raise HY-2 no_water => #2 critical open e1; p1 #2 T1
         02:15:00 -                   => p1r1 #1 T1
         02:15:10 -                   =>",
    );
}

#[test]
fn reminders_of_critical_water_are_bundled() {
    drill(
        "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 T2
         02:01:00 -                   => p2 #1 T1 T3
         02:03:00 -                   => p3 #1 D
         02:10:00 raise HY-4 no_water => #2 critical open e1; p1 #2 T1
         02:11:00 -                   => p2 #2 T2 T3
         02:13:00 -                   => p3 #2 D
         02:18:00 -                   => p3r1 #1 D T1 T2 T3
         02:28:00 -                   =>
         02:30:00 T2 acknowledge #1   => #1 critical acknowledged e1
         02:33:00 -                   =>
         02:43:00 -                   => p3r2 #2 D T1 T2 T3
         02:44:00 T2 acknowledge #2   => #2 critical acknowledged e1",
    );
    drill(
        "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 T2
         02:00:01 raise HY-4 no_water => #2 critical open e1; p1 #2 T1
         02:01:00 -                   => p2 #1 T1 T3
         02:01:01 -                   => p2 #2 T2 T3
         02:03:00 -                   => p3 #1 D
         02:03:01 -                   => p3 #2 D
         02:18:00 -                   => p3r1 #1 D T1 T2 T3
         02:33:00 -                   => p3r2 #1 D T1 T2 T3
         02:33:01 -                   =>",
    );
}

#[test]
fn a_day_of_silence_proves_nothing() {
    let drill = drill(
        "02:00:00 raise HY-6 no_water   => #1 critical open e1; p1 #1 T2
         02:00:30 T2 acknowledge #1     => #1 critical acknowledged e1
         02:20:00 clear HY-6 no_water   => #1 critical verifying e1
         1d03:00:00 unverified HY-6     => #1 warning open e2; p1 #1 T2
         1d03:00:01 unverified HY-6     =>
         1d03:01:00 T2 acknowledge #1   => #1 warning acknowledged e2
         1d05:00:00 -                   =>",
    );
    let wire = drill.wire(1);
    assert_eq!(wire.reason.as_deref(), Some("unverified"));
    assert_eq!(wire.title.en, "Not verified: No water · HY-6 corner");
    assert_eq!(wire.title.zh, "未核实：无水 · HY-6 corner");
    assert!(drill.trail_of(1).contains(&"1d03:00:00 reopened gateway: unverified".to_owned()));
    let ways = [
        ("1d03:02:00 T2 resolve #1     => #1 warning verifying e2
          1d04:00:00 verified HY-6     => #1 warning closed e2 repaired"),
        ("1d03:02:00 verified HY-6     => #1 warning closed e2 recovered"),
        ("1d03:02:00 raise HY-6 low_pressure => #1 warning open e3; p1 #1 T2"),
    ];
    for way in ways {
        let start = "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 T2
                     02:00:30 T2 acknowledge #1   => #1 critical acknowledged e1
                     02:20:00 clear HY-6 no_water => #1 critical verifying e1
                     1d03:00:00 unverified HY-6   => #1 warning open e2; p1 #1 T2\n";
        let drill = super::drill::drill(&format!("{start}{way}"));
        assert_eq!(drill.wire(1).reason, None, "{way}");
    }
}

#[test]
fn a_zone_pages_once() {
    let drill = drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:05 raise HY-2 hydrant_open => #2 warning open e1; p1 #2 T1
         02:00:10 raise HY-2 low_pressure =>
         02:00:20 raise HY-5 no_water     => #3 critical open e1; p1 #3 T2
         02:00:30 raise zone:Z1 zone_low_pressure members=HY-1,HY-2,HY-5,HY-6 => #1 warning open e1 in #4; #3 critical open e1 in #4; #4 critical open e1; p1 #4 T1 T2
         02:00:40 raise HY-3 low_pressure => #5 warning open e1 in #4
         02:00:50 raise HY-3 no_water     => #5 critical open e2 in #4
         02:01:00 raise HY-6 low_pressure => #6 warning open e1; p1 #6 T2
         02:01:10 T2 acknowledge #3       => #3 critical acknowledged e1 in #4
         02:01:30 -                       => p2 #4 T3 T4
         02:01:40 T1 acknowledge #4       => #4 critical acknowledged e1
         02:05:00 clear HY-1 low_pressure => #1 warning verifying e1 in #4
         02:06:00 raise HY-1 low_pressure => #1 warning open e2 in #4
         02:07:00 clear HY-1 low_pressure => #1 warning verifying e2 in #4
         02:10:00 clear zone:Z1 zone_low_pressure => #3 critical open e2; #4 critical verifying e1; #5 critical open e3; p1 #3 T2; p1 #5 T1
         02:10:30 T2 acknowledge #3       => #3 critical acknowledged e2
         02:10:30 T1 acknowledge #5       => #5 critical acknowledged e3
         02:11:00 raise HY-1 low_pressure => #1 warning open e3; #4 critical closed e1 recovered; p1 #1 T1",
    );
    assert_eq!(&*drill.wire(4).station, "T1");
    assert_eq!(drill.wire(4).zone.as_deref(), Some("Z1"));
    assert_eq!(drill.wire(4).title.en, "Low pressure in many hydrants · zone Z1");
    assert_eq!(drill.wire(1).zone.as_deref(), Some("Z1"));
    assert_eq!(drill.wire(6).zone, None);
}

#[test]
fn what_a_zone_says_in_the_same_transaction_is_not_said_by_its_hydrants() {
    let many = drill(
        "02:00:00 raise HY-1 low_pressure + raise HY-1 no_water + raise HY-2 low_pressure + raise HY-5 no_water + raise zone:Z1 zone_low_pressure members=HY-1,HY-2,HY-5 => #1 critical open e2 in #4; #2 warning open e1 in #4; #3 critical open e1 in #4; #4 critical open e1; p1 #4 T1 T2
         02:01:00 -                       => p2 #4 T3 T4
         02:01:40 T1 acknowledge #4       => #4 critical acknowledged e1
         02:10:00 clear zone:Z1 zone_low_pressure => #1 critical open e3; #2 warning open e2; #3 critical open e2; #4 critical closed e1 recovered; p1 #1 T1; p1 #2 T1; p1 #3 T2",
    );
    let paged = many.trail.iter().filter(|entry| entry.hop == crate::changes::Hop::Paged).count();
    assert_eq!(paged, many.pages.len(), "and the trail says no more than what was sent");
    let one_by_one = drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:05:00 raise HY-2 low_pressure => #2 warning open e1; p1 #2 T1
         02:09:00 raise SD-4 smoke + raise HY-5 low_pressure + raise zone:Z1 zone_low_pressure members=HY-1,HY-2,HY-5 => #1 warning open e1 in #5; #2 warning open e1 in #5; #3 fire open e1; #4 warning open e1 in #5; #5 critical open e1; p1 #3 T1; p1 #5 T1 T2
         02:09:10 T1 acknowledge #3       => #3 fire acknowledged e1
         02:09:11 T1 acknowledge #5       => #5 critical acknowledged e1",
    );
    assert_eq!([1, 2, 4, 5].map(|n| one_by_one.incident(n).step), [1, 1, 0, 1]);
    assert_eq!(one_by_one.book.owed.len(), one_by_one.pages.len(), "nothing else is waited for");
}

#[test]
fn nobody_at_the_station_and_still_it_is_the_zone_that_pages() {
    drill(
        "02:00:00 offline T1              =>
         02:10:00 raise HY-1 low_pressure + raise HY-2 low_pressure + raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #1 warning open e1 in #3; #2 warning open e1 in #3; #3 critical open e1; p1 #3 T1; p2 #3 T2 T3",
    );
}

#[test]
fn what_a_zone_does_not_say_its_hydrants_say_themselves() {
    drill(
        "02:00:00 raise HY-1 hydrant_open + raise HY-1 low_pressure + clear HY-1 hydrant_open + raise HY-2 low_pressure + raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #1 warning open e1 in #3; #2 warning open e1 in #3; #3 critical open e1; p1 #1 T1; p1 #3 T1",
    );
}

#[test]
fn what_was_paged_before_its_zone_stays_paged() {
    let chased = Steps { step2_s: 60, repeat_s: 60, ..Steps::default() };
    let drill = drill_with(
        &Plan { warning: chased, ..Plan::default() },
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:01:00 -                       => p2 #1 T2 T3
         02:02:00 tick + raise zone:Z1 zone_low_pressure members=HY-1 => #1 warning open e1 in #2; #2 critical open e1; p2r1 #1 T1 T2 T3; p1 #2 T1",
    );
    assert_eq!((drill.incident(1).step, drill.incident(1).told.len()), (2, 3));
}
