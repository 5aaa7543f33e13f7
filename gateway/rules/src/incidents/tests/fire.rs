//! Fires: paged until somebody answers, joined by building, closed by people alone.

use super::drill::{drill, drill_with, time};
use super::town::route;
use crate::changes::Hop;
use crate::incidents::{Plan, ReceiverRole};

#[test]
fn nobody_answers() {
    let drill = drill(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:00 -                => p2 #1 T2 T3
         02:03:00 -                => p3 #1 D
         02:08:00 -                => p3r1 #1 D T1 T2 T3
         02:13:00 -                => p3r2 #1 D T1 T2 T3
         02:13:30 T1 acknowledge #1 => #1 fire acknowledged e1
         02:43:29 -                =>
         02:43:30 -                => #1 fire open e2; p1 #1 T1
         02:44:30 -                => p2 #1 T2 T3",
    );
    let boards: Vec<&str> = drill.incident(1).boards.iter().map(|board| &**board).collect();
    assert_eq!(boards, ["D", "T1", "T2", "T3"]);
    assert_eq!(drill.wire(1).next_step_at, Some(time("02:46:30")));
    let trail = drill.trail_of(1);
    assert_eq!(trail[7], "02:08:00 superseded station D: step 3: station D");
    assert_eq!(trail[8], "02:08:00 paged gateway: step 3, repeat 1: station D");
    assert!(trail.contains(&"02:43:30 forgotten gateway: nothing was done for too long".into()));
}

#[test]
fn a_detector_that_clears_closes_nothing() {
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:30 clear SD-1 smoke  =>
         02:01:00 -                 => p2 #1 T2 T3
         02:02:00 T1 acknowledge #1 => #1 fire acknowledged e1
         02:05:00 T1 resolve #1     => #1 fire closed e1 fire",
    );
}

#[test]
fn resolved_while_it_still_shouts() {
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 false_alarm #1 => #1 fire resolved e1
         02:10:00 -                 =>
         02:10:00 clear SD-1 smoke  => #1 fire closed e1 false_alarm",
    );
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 resolve #1     => #1 fire resolved e1
         02:05:00 raise SD-1 smoke  => #1 fire open e2; p1 #1 T1
         02:05:30 clear SD-1 smoke  =>
         02:05:40 D false_alarm #1  => #1 fire closed e2 false_alarm",
    );
}

#[test]
fn a_further_detector_of_the_building_is_news() {
    let drill = drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 acknowledge #1 => #1 fire acknowledged e1
         02:00:20 raise SD-1 heat   =>
         02:00:30 raise SD-2 smoke  => #1 fire open e2; p1 #1 T1
         02:01:30 -                 => p2 #1 T2 T3
         02:01:40 T1 acknowledge #1 => #1 fire acknowledged e2
         02:02:00 clear SD-2 smoke  =>
         02:02:30 raise SD-2 smoke  =>
         02:03:00 raise SD-4 smoke  => #2 fire open e1; p1 #2 T1
         02:03:01 raise SD-5 smoke  => #3 fire open e1; p1 #3 T2",
    );
    assert_eq!(drill.incident(1).members.len(), 3);
    assert_eq!(drill.wire(1).title.en, "Smoke · Xinhua Building 12F · 2 detectors");
    assert_eq!(drill.wire(1).since, time("02:00:00"));
    assert_eq!(drill.wire(2).title.en, "Smoke · SD-4 corner");
}

#[test]
fn a_fire_after_a_fire_is_another() {
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 acknowledge #1 => #1 fire acknowledged e1
         02:00:20 clear SD-1 smoke  =>
         02:10:20 raise SD-1 smoke  => #2 fire open e1; p1 #2 T1
         02:10:30 T1 acknowledge #2 => #2 fire acknowledged e1
         02:10:40 raise SD-2 smoke  => #2 fire open e2; p1 #2 T1
         02:10:45 T1 resolve #2     => #2 fire resolved e2
         02:11:00 T1 resolve #1     => #1 fire closed e1 fire
         02:12:00 clear SD-1 smoke  =>
         02:12:01 clear SD-2 smoke  => #2 fire closed e2 fire",
    );
}

/// A fire is paged once, and not escalated.
fn calm() -> Plan {
    Plan { fire: crate::incidents::Steps::default(), ..Plan::default() }
}

#[test]
fn an_hour_without_anything_ends_a_fire() {
    drill_with(
        &calm(),
        "02:00:00 raise SD-1 smoke     => #1 fire open e1; p1 #1 T1
         02:59:59.999 raise SD-2 smoke => #1 fire open e2; p1 #1 T1
         03:59:59.998 raise SD-2 smoke =>
         04:59:59.997 raise SD-1 smoke =>
         05:59:59.997 raise SD-1 smoke => #2 fire open e1; p1 #2 T1
         06:00:00 clear SD-2 smoke     =>
         06:30:00 api comment #1 Li hm =>
         06:45:00 raise SD-3 smoke     => #2 fire open e2; p1 #2 T1
         06:50:00 T1 resolve #1        => #1 fire closed e2 fire",
    );
}

#[test]
fn what_a_closed_fire_hid_is_found_again() {
    drill_with(
        &calm(),
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:01 raise SD-2 smoke  => #1 fire open e2; p1 #1 T1
         03:30:00 raise SD-3 smoke  => #2 fire open e1; p1 #2 T1
         03:30:01 raise SD-2 heat   => #2 fire open e2; p1 #2 T1
         03:31:00 clear SD-3 smoke  =>
         03:31:00 clear SD-2 heat   =>
         03:32:00 T1 resolve #2     => #2 fire closed e2 fire
         03:33:00 api comment #1 Li =>
         03:34:00 raise SD-2 heat   =>
         03:35:00 raise SD-3 heat   => #1 fire open e3; p1 #1 T1",
    );
}

#[test]
fn a_closed_fire_gives_way_to_the_older_one_of_its_building_alone() {
    drill_with(
        &calm(),
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:30:00 raise SD-4 smoke  => #2 fire open e1; p1 #2 T1
         02:30:01 raise SD-5 smoke  => #3 fire open e1; p1 #3 T2
         03:30:10 raise SD-3 smoke  => #4 fire open e1; p1 #4 T1
         03:31:00 clear SD-3 smoke  =>
         03:31:01 api comment #1 Li =>
         03:31:02 api comment #2 Li =>
         03:31:03 api comment #3 Li =>
         03:32:00 T1 resolve #4     => #4 fire closed e1 fire
         03:33:00 raise SD-2 smoke  => #1 fire open e2; p1 #1 T1",
    );
}

#[test]
fn a_closed_fire_gives_way_to_the_older_one_of_its_detector() {
    drill_with(
        &calm(),
        "02:00:00 raise SD-4 smoke  => #1 fire open e1; p1 #1 T1
         03:30:00 raise SD-4 heat   => #2 fire open e1; p1 #2 T1
         03:31:00 clear SD-4 heat   =>
         03:31:01 api comment #1 Li =>
         03:32:00 T1 resolve #2     => #2 fire closed e1 fire
         03:33:00 raise SD-4 heat   =>",
    );
}

#[test]
fn an_unclaimed_detector_belongs_to_the_district() {
    let drill = drill(
        "02:00:00 raise SD-U smoke  => #1 fire open e1; p1 #1 D
         02:01:00 -                 =>
         02:03:00 -                 => p3 #1 D
         02:03:01 raise SD-X smoke  => #2 fire open e1; p1 #2 D",
    );
    assert_eq!(&*drill.wire(1).station, "");
    assert_eq!(&*drill.wire(2).station, "gone");
}

#[test]
fn chiefs_and_webhooks() {
    let webhooks = vec![
        route("t1", Some("T1"), ReceiverRole::Officer),
        route("t2", Some("T2"), ReceiverRole::Officer),
        route("all", None, ReceiverRole::Officer),
        route("chief1", Some("T1"), ReceiverRole::Chief),
        route("chief4", Some("T4"), ReceiverRole::Chief),
    ];
    drill_with(
        &Plan { webhooks, ..Plan::default() },
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @all @t1 T1
         02:01:00 -                => p2 #1 @chief1 @t2 T2 T3
         02:03:00 -                => p3 #1 D
         02:08:00 -                => p3r1 #1 @all @chief1 @t1 @t2 D T1 T2 T3",
    );
}

#[test]
fn late_news_of_a_fire() {
    let drill = drill("02:00:00 raise SD-4 smoke late=600 => #1 fire open e1; p1 #1 T1");
    assert_eq!((drill.wire(1).late_s, drill.wire(1).since), (600, time("01:50:00")));
    assert_eq!(
        drill.trail_of(1),
        [
            "01:50:00 measured SD-4: smoke",
            "02:00:00 received SD-4: smoke",
            "02:00:00 raised SD-4: smoke",
            "02:00:00 paged gateway: step 1: station T1",
        ]
    );
}

#[test]
fn even_a_fire_that_passed_is_paged() {
    drill(
        "02:00:00 passed SD-4 smoke => #1 fire open e1; p1 #1 T1
         02:01:00 -                 => p2 #1 T2 T3
         02:01:01 T1 resolve #1     => #1 fire closed e1 fire",
    );
}

#[test]
fn what_is_new_is_in_the_trail_and_what_is_not_changes_nothing() {
    let mut drill = drill(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 raise SD-2 smoke => #1 fire open e2; p1 #1 T1",
    );
    let reopened = drill.trail.iter().filter(|entry| entry.hop == Hop::Reopened).count();
    assert_eq!(reopened, 1, "the second detector");
    let rev = drill.incident(1).rev;
    drill.run("02:00:02 raise SD-1 smoke =>");
    assert_eq!(drill.incident(1).rev, rev, "stations need not see it anew");
}

#[test]
fn a_test_pages_nobody_until_it_is_real() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke test => #1 notice open e1
         02:00:30 raise SD-2 smoke test => #2 notice open e1
         02:01:00 raise SD-3 smoke      => #3 fire open e1; p1 #3 T1
         02:01:10 T1 acknowledge #3     => #3 fire acknowledged e1
         02:05:00 clear SD-2 smoke      => #2 notice closed e1 test
         02:10:00 real SD-4 smoke       => #1 fire open e2; p1 #1 T1
         02:10:30 T1 acknowledge #1     => #1 fire acknowledged e2
         02:11:00 clear SD-4 smoke      =>
         02:11:30 real SD-4 smoke       =>
         02:12:00 T1 resolve #1         => #1 fire closed e2 fire",
    );
    assert!(drill.wire(2).exercise);
    assert_eq!(drill.wire(2).title.zh, "测试：烟雾报警 · Xinhua Building 13层");
    assert!(!drill.wire(1).exercise);
}

#[test]
fn a_detector_under_test_that_sees_heat_is_on_fire() {
    drill(
        "02:00:00 raise SD-1 smoke test => #1 notice open e1
         02:00:10 raise SD-1 heat       => #1 fire open e2; p1 #1 T1
         02:00:20 raise SD-1 smoke test =>
         02:00:30 raise SD-2 smoke      => #1 fire open e3; p1 #1 T1
         02:00:40 T1 resolve #1         => #1 fire resolved e3
         02:00:41 raise SD-1 smoke test =>
         02:00:50 clear SD-1 heat       =>
         02:00:51 clear SD-2 smoke      =>
         02:00:52 clear SD-1 smoke      => #1 fire closed e3 fire",
    );
    drill(
        "02:00:00 raise SD-1 smoke test => #1 notice open e1
         02:00:10 raise SD-1 smoke      => #1 fire open e2; p1 #1 T1",
    );
}

#[test]
fn a_test_that_is_real_after_all_belongs_to_the_fire_of_its_building() {
    let drill = drill_with(
        &calm(),
        "02:00:00 raise SD-3 smoke      => #1 fire open e1; p1 #1 T1
         02:00:10 T1 acknowledge #1     => #1 fire acknowledged e1
         02:01:00 raise SD-1 smoke test => #2 notice open e1
         02:01:01 raise SD-5 smoke test => #3 notice open e1
         02:05:00 raise SD-1 smoke      => #1 fire open e2; #2 notice closed e1 test; p1 #1 T1
         02:11:01 real SD-5 smoke       => #3 fire open e2; p1 #3 T2
         03:00:00 raise SD-2 smoke test => #4 notice open e1
         03:05:01 real SD-2 smoke       => #4 fire open e2; p1 #4 T1
         03:06:00 clear SD-1 smoke      =>
         03:07:00 T1 resolve #1         => #1 fire resolved e2
         03:08:00 clear SD-3 smoke      => #1 fire closed e2 fire",
    );
    assert_eq!(
        drill.trail_of(1)[5..8],
        [
            "02:01:00 measured SD-1: smoke",
            "02:05:00 received SD-1: smoke",
            "02:05:00 raised SD-1: smoke",
        ]
    );
    let fire = drill.incident(1).id;
    assert_eq!(drill.trail_of(2)[3], format!("02:05:00 attached gateway: belongs to {fire}"));
}
