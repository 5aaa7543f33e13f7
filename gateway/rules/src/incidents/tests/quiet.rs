//! Muting: recorded, listed, never paged, and never a fire for long.

use super::drill::{drill, time};

#[test]
fn maintenance_mutes_what_it_lists() {
    let drill = drill(
        "01:00:00 announce w maintenance 02:00:00 03:00:00 HY-1,HY-2 low_pressure,no_water,smoke =>
         01:59:59.999 raise HY-2 no_water => #1 critical open e1; p1 #1 T1
         02:00:00 T1 resolve #1           => #1 critical resolved e1
         02:00:00 raise HY-1 low_pressure => #2 notice open e1
         02:10:00 raise HY-1 no_water     =>
         02:11:00 raise HY-1 knocked      => #3 warning open e1; p1 #3 T1
         02:11:30 raise HY-1 high_pressure =>
         02:12:00 clear HY-1 high_pressure =>
         02:13:00 raise HY-3 low_pressure => #4 warning open e1; p1 #4 T1
         02:14:00 clear HY-1 low_pressure =>
         02:15:00 clear HY-1 no_water     => #2 notice verifying e1
         02:16:00 raise HY-1 no_water     => #2 notice open e2
         02:20:00 clear HY-1 no_water     =>
         02:21:00 -                       => #2 notice closed e2 maintenance
         02:59:59.999 raise HY-1 no_water => #5 notice open e1
         03:00:00 -                       => #5 critical open e2; p1 #5 T1
         03:00:01 raise HY-1 low_pressure =>
         03:00:02 T1 resolve #5           => #5 critical resolved e2",
    );
    assert_eq!(drill.wire(2).title.en, "Maintenance: No water · HY-1 corner");
    assert!(!drill.wire(2).exercise);
    assert!(drill.book.windows().is_empty());
}

#[test]
fn maintenance_that_ends_early() {
    drill(
        "02:00:00 announce a maintenance 02:00:00 04:00:00 HY-1,HY-2 low_pressure =>
         02:00:00 announce b maintenance 02:00:00 03:00:00 HY-2 low_pressure =>
         02:01:00 raise HY-1 low_pressure  => #1 notice open e1
         02:01:01 raise HY-2 low_pressure  => #2 notice open e1
         02:02:00 withdraw a               => #1 warning open e2; p1 #1 T1
         02:03:00 raise HY-1 no_water      => #1 critical open e3; p1 #1 T1
         02:03:10 T1 acknowledge #1        => #1 critical acknowledged e3
         02:04:00 announce b maintenance 02:00:00 02:05:00 HY-3 no_water =>
         02:04:10 raise HY-3 low_pressure  => #3 warning open e1; p1 #3 T1
         02:04:11 raise HY-3 no_water      =>
         02:05:00 -                        => #3 critical open e2; p1 #3 T1",
    );
}

#[test]
fn what_two_announcements_mute_comes_back_one_by_one() {
    let mut drill = drill(
        "02:00:00 announce a maintenance 02:00:00 02:05:00 HY-1 low_pressure =>
         02:00:00 announce b maintenance 02:00:00 03:00:00 HY-1 no_water =>
         02:01:00 raise HY-1 low_pressure => #1 notice open e1
         02:02:00 raise HY-1 no_water     =>",
    );
    assert_eq!(drill.book.windows().len(), 2);
    drill.run(
        "02:05:00 -                => #1 warning open e2; p1 #1 T1
         03:00:00 -                => #1 critical open e3; p1 #1 T1",
    );
    assert!(drill.book.windows().is_empty());
}

#[test]
fn maintenance_never_mutes_a_fire() {
    drill(
        "02:00:00 announce w maintenance 02:00:00 03:00:00 SD-1 smoke,heat,tamper =>
         02:01:00 raise SD-1 tamper => #1 notice open e1
         02:01:01 raise SD-1 smoke  => #2 fire open e1; p1 #2 T1
         02:01:10 clear SD-1 tamper =>
         02:02:01 -                 => p2 #2 T2 T3
         02:02:10 -                 => #1 notice closed e1 maintenance",
    );
}

#[test]
fn a_walk_test_is_believed_after_ten_minutes() {
    let walk = drill(
        "02:00:00 announce w walk_test 02:00:00 03:00:00 SD-1,SD-2 smoke =>
         02:01:00 raise SD-1 smoke  => #1 notice open e1
         02:01:30 raise SD-2 smoke  => #2 notice open e1
         02:01:40 raise SD-3 smoke  => #3 fire open e1; p1 #3 T1
         02:01:50 T1 acknowledge #3 => #3 fire acknowledged e1
         02:02:00 clear SD-2 smoke  => #2 notice closed e1 test
         02:10:59.999 -             =>
         02:11:00 -                 => #1 notice closed e1 test; #3 fire open e2; p1 #3 T1
         02:11:10 T1 acknowledge #3 => #3 fire acknowledged e2
         02:11:20 raise SD-2 smoke  => #4 notice open e1
         02:11:25 raise SD-2 heat   =>
         02:11:30 withdraw w        => #3 fire open e3; #4 notice closed e1 test; p1 #3 T1
         02:11:40 T1 resolve #3     => #3 fire resolved e3
         02:12:00 clear SD-1 smoke  =>
         02:12:01 clear SD-2 smoke  =>
         02:12:02 clear SD-2 heat   =>
         02:12:03 clear SD-3 smoke  => #3 fire closed e3 fire",
    );
    drill(
        "02:00:00 announce w walk_test 02:00:00 03:00:00 SD-1 smoke =>
         02:01:00 raise SD-1 smoke  => #1 notice open e1
         02:11:00 -                 => #1 fire open e2; p1 #1 T1",
    );
    drill(
        "02:00:00 announce w maintenance 02:00:00 02:02:00 SD-2 tamper =>
         02:01:00 raise SD-2 tamper => #1 notice open e1
         02:01:30 raise SD-3 smoke  => #2 fire open e1; p1 #2 T1
         02:01:40 T1 acknowledge #2 => #2 fire acknowledged e1
         02:02:00 -                 => #1 warning open e2; p1 #1 T1",
    );
    assert!(walk.wire(2).exercise);
}

#[test]
fn smoke_that_is_measured_in_a_test_is_quiet_only_as_long_as_a_walk_test_is_announced() {
    drill(
        "02:01:00 raise SD-1 smoke test => #1 notice open e1
         02:01:35 raise SD-1 smoke => #1 fire open e2; p1 #1 T1",
    );
    drill(
        "02:00:00 announce w walk_test 02:00:00 03:00:00 SD-1 smoke =>
         02:01:00 raise SD-1 smoke test => #1 notice open e1
         02:05:00 raise SD-1 smoke =>
         02:10:59.999 -            =>
         02:11:00 -                => #1 fire open e2; p1 #1 T1",
    );
    drill(
        "02:00:00 announce w walk_test 02:00:00 02:06:00 SD-1 smoke =>
         02:01:00 raise SD-1 smoke test => #1 notice open e1
         02:05:00 raise SD-1 smoke =>
         02:05:10 raise SD-1 smoke test =>
         02:06:00 -                => #1 fire open e2; p1 #1 T1",
    );
}

#[test]
fn a_walk_test_takes_nothing_back_of_a_fire_and_limits_what_is_still_true_alone() {
    let mut earnest = drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 acknowledge #1 => #1 fire acknowledged e1
         02:00:20 announce w walk_test 02:00:00 02:05:00 SD-1 smoke =>
         02:00:30 raise SD-1 smoke  =>",
    );
    let rev = earnest.incident(1).rev;
    earnest.run("02:20:00 - =>");
    let fire = earnest.incident(1);
    assert_eq!((fire.rev, fire.members[0].quiet_until), (rev, None), "it is acted on already");
    drill(
        "02:01:00 raise SD-1 smoke test => #1 notice open e1
         02:02:00 raise SD-1 heat test  =>
         02:03:00 clear SD-1 smoke      =>
         02:04:00 announce w walk_test 02:04:00 03:00:00 SD-1 smoke =>
         02:05:00 raise SD-1 heat       =>
         02:11:59.999 -                 =>
         02:12:00 -                     => #1 fire open e2; p1 #1 T1",
    );
}

#[test]
fn an_exercise_concerns_only_whom_it_lists() {
    let drill = drill(
        "02:00:00 announce w exercise 02:00:00 02:05:00 SD-4,HY-6 smoke =>
         02:01:00 raise SD-4 smoke        => #1 notice open e1
         02:01:10 raise HY-6 hydrant_open => #2 notice open e1
         02:01:20 raise SD-1 smoke        => #3 fire open e1; p1 #3 T1
         02:01:30 T1 acknowledge #3       => #3 fire acknowledged e1
         02:02:00 clear HY-6 hydrant_open => #2 notice closed e1 exercise
         02:05:00 -                       => #1 fire open e2; p1 #1 T1",
    );
    assert!(drill.wire(2).exercise);
    assert_eq!(drill.wire(2).title.en, "Exercise: Hydrant open · HY-6 corner");
    assert_eq!(drill.wire(2).title.zh, "演练：消火栓开启 · HY-6 corner");
}

#[test]
fn water_drawn_for_a_fire_is_expected() {
    let drill = drill(
        "02:00:00 raise SD-1 smoke        => #1 fire open e1; p1 #1 T1
         02:00:10 raise HY-1 hydrant_open => #2 warning open e1; p1 #2 T1
         02:00:20 T1 dispatch #1          => #1 fire acknowledged e1
         02:01:00 raise HY-2 hydrant_open => #3 notice open e1
         02:01:01 raise HY-4 hydrant_open => #4 notice open e1
         02:01:02 raise HY-5 hydrant_open => #5 warning open e1; p1 #5 T2
         02:01:03 raise HY-3 low_pressure => #6 warning open e1; p1 #6 T1
         02:01:04 raise HY-4 no_water     => #4 critical open e2; p1 #4 T1
         02:01:05 T1 acknowledge #4       => #4 critical acknowledged e2
         02:05:00 clear HY-4 no_water     => #4 notice acknowledged e2
         02:06:00 clear HY-4 hydrant_open => #4 notice verifying e2
         02:07:00 raise HY-4 hydrant_open => #4 notice open e3
         02:08:00 clear HY-4 hydrant_open =>
         02:09:00 clear SD-1 smoke        => #4 notice closed e3 fire
         02:10:00 T1 resolve #1           => #1 fire closed e1 fire; #3 warning open e2; p1 #3 T1
         02:11:00 raise HY-1 no_water     => #2 critical open e2; p1 #2 T1",
    );
    assert_eq!(drill.wire(4).title.en, "In use: Hydrant open · HY-4 corner");
    assert_eq!(drill.wire(4).outcome.map(|outcome| outcome.as_str()), Some("fire"));
    assert_eq!(drill.wire(4).closed_at, Some(time("02:09:00")));
}

#[test]
fn a_crew_on_its_way_opens_hydrants_near_its_fire_only() {
    drill(
        "02:00:00 raise SD-U smoke        => #1 fire open e1; p1 #1 D
         02:00:01 raise SD-4 smoke        => #2 fire open e1; p1 #2 T1
         02:00:02 api arrive #1 Li        => #1 fire acknowledged e1
         02:00:03 api acknowledge #2 Li   => #2 fire acknowledged e1
         02:00:04 raise HY-1 hydrant_open => #3 warning open e1; p1 #3 T1",
    );
}

#[test]
fn a_hydrant_opened_near_work_belongs_to_it() {
    let drill = drill(
        "02:00:00 announce w maintenance 02:00:00 02:30:00 HY-6,SD-U no_water =>
         02:01:00 raise HY-6 hydrant_open => #1 notice open e1
         02:01:01 raise HY-2 hydrant_open => #2 notice open e1
         02:01:02 raise HY-4 low_pressure => #3 warning open e1; p1 #3 T1
         02:01:03 raise SD-U hydrant_open => #4 notice open e1
         02:01:04 raise SD-X hydrant_open => #5 warning open e1; p1 #5 D
         02:05:00 clear HY-6 hydrant_open =>
         02:06:00 clear SD-U hydrant_open => #1 notice closed e1 maintenance
         02:07:00 -                       => #4 notice closed e1 maintenance
         02:29:59.999 -                   =>
         02:30:00 -                       => #2 warning open e2; p1 #2 T1
         02:30:01 raise HY-6 hydrant_open => #6 warning open e1; p1 #6 T2",
    );
    assert_eq!(drill.wire(1).title.en, "Maintenance: Hydrant open · HY-6 corner");
}

#[test]
fn so_does_one_near_an_exercise() {
    let drill = drill(
        "02:00:00 exercise SD-1 smoke 02:10:00 => #1 notice open e1; p1 #1 T1
         02:00:20 T1 acknowledge #1       => #1 notice acknowledged e1
         02:01:00 raise HY-4 hydrant_open => #2 notice open e1
         02:01:01 raise HY-5 hydrant_open => #3 warning open e1; p1 #3 T2
         02:01:02 raise HY-1 low_pressure => #4 warning open e1; p1 #4 T1
         02:01:03 raise HY-3 hydrant_open => #5 notice open e1
         02:02:00 clear HY-3 hydrant_open => #5 notice closed e1 exercise
         02:10:00 -                       => #1 notice closed e1 exercise; #2 warning open e2; p1 #2 T1",
    );
    assert!(drill.wire(2).title.en.starts_with("Hydrant open"), "it is in earnest now");
    assert!(drill.wire(5).exercise);
}

#[test]
fn a_walk_test_and_work_of_another_time_open_no_hydrant() {
    drill(
        "02:00:00 announce t walk_test 02:00:00 03:00:00 SD-1 smoke =>
         02:00:00 announce w maintenance 02:00:00 03:00:00 HY-2 no_water =>
         02:00:00 announce l maintenance 04:00:00 05:00:00 HY-2 no_water =>
         02:01:00 raise HY-1 hydrant_open => #1 notice open e1
         02:02:00 withdraw t              =>
         02:02:01 announce t walk_test 02:00:00 03:00:00 SD-1 smoke =>
         02:03:00 withdraw w              => #1 warning open e2; p1 #1 T1
         02:04:00 raise HY-3 hydrant_open => #2 warning open e1; p1 #2 T1",
    );
}
