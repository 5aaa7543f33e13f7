//! Pages that nobody confirms, and receivers that take none.

use standpipe_shared::Severity;

use super::drill::{Drill, drill_with, unconfirmed};
use super::town::route;
use crate::incidents::{Plan, ReceiverRole, Route};

fn plan() -> Plan {
    let webhooks =
        vec![route("duty", None, ReceiverRole::Officer), route("admin", None, ReceiverRole::Admin)];
    Plan { webhooks, ..Plan::default() }
}

/// Pages in their order: `delivered 1` is the first: T1's.
#[test]
fn what_nobody_confirms_goes_to_step_2_and_to_the_administrator_after_ten_seconds() {
    let drill = unconfirmed(
        &plan(),
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @duty T1
         02:00:09.999 -            =>
         02:00:10 -                => p2 #1 @admin T2 T3
         02:03:00 -                => p3 #1 D
         02:08:00 -                => p3r1 #1 @admin @duty D T1 T2 T3",
    );
    assert!(
        drill.trail_of(1).contains(&"02:00:10 unconfirmed gateway: within 10 s".to_owned()),
        "{:?}",
        drill.trail_of(1)
    );
}

#[test]
fn one_webhook_that_took_it_is_enough() {
    unconfirmed(
        &plan(),
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @duty T1
         02:00:09 delivered 2      =>
         02:01:00 -                => p2 #1 T2 T3",
    );
}

#[test]
fn of_the_others_only_administrators_whom_it_matters_to_are_told_that_nobody_confirms() {
    let webhooks = vec![
        route("admin", None, ReceiverRole::Admin),
        Route { severities: vec![Severity::Critical], ..route("water", None, ReceiverRole::Admin) },
        route("far", Some("T4"), ReceiverRole::Officer),
        route("chief", Some("T4"), ReceiverRole::Chief),
    ];
    unconfirmed(
        &Plan { webhooks, ..Plan::default() },
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:10 -                => p2 #1 @admin T2 T3",
    );
}

#[test]
fn given_up_is_not_confirmed() {
    Drill::unconfirmed(plan()).run(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @duty T1
         02:00:01 gave_up 2 gone   =>
         02:00:10 -                => p2 #1 @admin T2 T3",
    );
}

#[test]
fn a_topic_confirms_only_with_a_terminal_that_is_online_or_has_shown_it() {
    let stations = Plan { webhooks: Vec::new(), ..Plan::default() };
    // The broker has it, and the terminal is there.
    unconfirmed(
        &stations,
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1      =>
         02:01:00 -                => p2 #1 T2 T3",
    );
    // The broker has it, and keeps it for nobody.
    unconfirmed(
        &stations,
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1      =>
         02:00:05 offline T1       =>
         02:00:10 -                => p2 #1 T2 T3",
    );
    // It has shown it before it went.
    unconfirmed(
        &stations,
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1      =>
         02:00:02 T1 shown #1      =>
         02:00:05 offline T1       =>
         02:01:00 -                => p2 #1 T2 T3",
    );
    // One above it, or somebody who says that they are it, has shown it.
    unconfirmed(
        &stations,
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1      =>
         02:00:02 D shown #1       =>
         02:00:03 api shown #1 T1  =>
         02:00:05 offline T1       =>
         02:00:10 -                => p2 #1 T2 T3",
    );
    // It came back in time.
    unconfirmed(
        &stations,
        "01:59:50 offline T1       =>
         02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1      =>
         02:00:09 online T1        =>
         02:01:00 -                => p2 #1 T2 T3",
    );
}

#[test]
fn who_has_taken_it_needs_no_confirmation_and_each_episode_has_its_own() {
    unconfirmed(
        &plan(),
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 @duty T1
         02:00:05 T1 acknowledge #1 => #1 fire acknowledged e1
         02:10:00 raise SD-2 smoke  => #1 fire open e2; p1 #1 @duty T1
         02:10:10 -                 => p2 #1 @admin T2 T3",
    );
}

#[test]
fn what_does_not_escalate_needs_no_confirmation() {
    unconfirmed(
        &plan(),
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 @duty T1
         02:30:00 -                       =>",
    );
}

#[test]
fn a_station_that_is_away_is_passed_over_at_once_and_the_administrator_hears_after_ten_seconds() {
    unconfirmed(
        &plan(),
        "02:00:00 offline T1       =>
         02:02:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @duty T1; p2 #1 T2 T3
         02:02:10 -                => p2 #1 @admin",
    );
}

fn receivers() -> Plan {
    let station = Some("T1");
    let webhooks = vec![
        route("duty", None, ReceiverRole::Officer),
        route("own", station, ReceiverRole::Officer),
        route("admin", None, ReceiverRole::Admin),
        Route { station: None, ..route("chief", None, ReceiverRole::Chief) },
    ];
    Plan { webhooks, ..Plan::default() }
}

#[test]
fn a_receiver_that_refuses_for_ten_seconds_is_told_to_the_others_until_it_works() {
    let drill = drill_with(
        &receivers(),
        "02:00:00 refuses duty 02:00:00 status 500   =>
         02:00:09.999 refuses duty 02:00:00 status 500 =>
         02:00:10 refuses duty 02:00:00 status\u{202e} 500 => #1 warning open e1; p1 #1 @admin D
         02:00:15 refuses duty 02:00:00 status 500     =>
         02:00:20 refuses own 02:00:05 status 404     => #2 warning open e1; p1 #2 @admin @duty D
         02:01:09.999 refuses duty 02:00:00 no route   =>
         02:01:10 refuses duty 02:00:00 timed out     =>
         02:02:00 takes duty                          => #1 warning closed e1 recovered
         02:02:00 takes duty                          =>
         02:03:00 refuses own 02:00:05 status 404     =>
         03:00:00 -                                   =>",
    );
    let wire = drill.wire(2);
    assert_eq!(&*wire.title.en, "Receiver takes no pages · own · status 404");
    assert_eq!(wire.detail.as_deref(), Some("status 404"));
    let words: Vec<_> =
        drill.trail_of(1).into_iter().filter(|line| line.contains("raised")).collect();
    assert_eq!(words, ["02:00:10 raised gateway: receiver_down: status 500"]);
    let reworded: Vec<_> =
        drill.trail_of(1).into_iter().filter(|line| line.contains("commented")).collect();
    assert_eq!(reworded, ["02:01:10 commented gateway: timed out"], "once a minute at most");
}

#[test]
fn an_answer_is_cut_and_one_that_is_down_again_is_another_incident() {
    let mut drill = Drill::new(receivers());
    let long = "x".repeat(201);
    drill.run(&format!(
        "02:00:10 refuses duty 02:00:00 {long} => #1 warning open e1; p1 #1 @admin D
         02:00:20 takes duty                   => #1 warning closed e1 recovered
         02:00:40 refuses duty 02:00:30 a      => #2 warning open e1; p1 #2 @admin D"
    ));
    let detail = drill.wire(1).detail.expect("an answer");
    assert_eq!(detail.chars().count(), 201);
    assert!(detail.ends_with("x…"), "{detail}");
}

#[test]
fn a_receiver_that_is_configured_no_more_is_not_down() {
    let mut drill = Drill::new(receivers());
    drill.run("02:00:10 refuses gone 02:00:00 a => #1 warning open e1; p1 #1 @admin @duty D");
    drill.run("02:00:10 refuses duty 02:00:00 a => #2 warning open e1; p1 #2 @admin D");
    drill.run("02:00:20 start => #1 warning closed e1 recovered");
}

#[test]
fn a_page_that_is_refused_for_good_is_told_at_once() {
    let mut drill = Drill::new(receivers());
    drill.run("02:00:00 refuses_for_good duty 404 => #1 warning open e1; p1 #1 @admin D");
}
