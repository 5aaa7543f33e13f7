//! Who is paged at which step, and who is absent.

use standpipe_shared::Severity;

use super::drill::{drill, drill_with};
use super::town::{route, town};
use crate::changes::Receiver;
use crate::incidents::{Plan, ReceiverRole, Route, Steps, rehearse};

#[test]
fn an_absent_station_is_passed_over() {
    drill(
        "02:00:00 offline T1       =>
         02:01:29.999 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:30 -                => p2 #1 T2 T3
         02:01:31 raise SD-4 smoke => #2 fire open e1; p1 #2 T1; p2 #2 T2 T3
         02:03:29.999 online T1    =>
         02:04:29.999 -            => p3 #1 D
         02:04:31 -                => p3 #2 D",
    );
}

#[test]
fn a_terminal_that_comes_back_in_time_stops_the_shortcut() {
    drill(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 offline T1       =>
         02:00:02 offline T1       =>
         02:01:00 -                => p2 #1 T2 T3",
    );
    let slow = Plan { fire: Steps { step2_s: 600, ..Steps::default() }, ..Plan::default() };
    drill_with(
        &slow,
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:00 offline T1       =>
         02:02:00 online T1        =>
         02:04:00 offline T1       =>
         02:05:30 -                => p2 #1 T2 T3
         04:00:00 -                =>",
    );
}

#[test]
fn who_would_be_paged_can_be_asked() {
    let plan = Plan { webhooks: Vec::new(), ..Plan::default() };
    let of = |step| rehearse(&plan, &town(), "T1", Severity::Fire, step);
    let stations = |ids: &[&str]| ids.iter().map(|id| Receiver::Station((*id).into())).collect();
    assert_eq!(of(1), stations(&["T1"]));
    assert_eq!(of(2), stations(&["T2", "T3"]));
    assert_eq!(of(3), stations(&["D"]));
}

#[test]
fn nobody_there_at_step_2_either_and_the_third_comes_at_its_time() {
    drill(
        "02:00:00 offline T1       =>
         02:00:00 offline T2       =>
         02:00:00 offline T3       =>
         02:00:00 offline D        =>
         02:02:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1; p2 #1 T2 T3
         02:04:59.999 -            =>
         02:05:00 -                => p3 #1 D
         02:10:00 -                => p3r1 #1 D T1 T2 T3
         02:10:10 T3 acknowledge #1 => #1 fire acknowledged e1
         02:40:10 -                => #1 fire open e2; p1 #1 T1; p2 #1 T2 T3
         02:43:10 -                => p3 #1 D",
    );
    drill(
        "02:00:00 offline T1       =>
         02:00:00 offline T2       =>
         02:00:00 offline T3       =>
         02:01:29.999 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:30 -                => p2 #1 T2 T3
         02:04:29.999 -            => p3 #1 D",
    );
}

#[test]
fn whoever_is_of_both_steps_is_paged_once() {
    let webhooks = vec![
        Route { steps: vec![1, 2], ..route("duty", None, ReceiverRole::Officer) },
        route("chief", Some("T1"), ReceiverRole::Chief),
    ];
    drill_with(
        &Plan { webhooks, ..Plan::default() },
        "02:00:00 offline T1       =>
         02:02:00 raise SD-1 smoke => #1 fire open e1; p1 #1 @duty T1; p2 #1 @chief T2 T3
         02:05:00 -                => p3 #1 D
         02:10:00 -                => p3r1 #1 @chief @duty D T1 T2 T3",
    );
}

#[test]
fn a_warning_to_an_absent_station_is_not_lost_but_not_chased() {
    drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:10 offline T1               =>
         02:01:39.999 raise HY-3 low_pressure => #2 warning open e1; p1 #2 T1
         02:01:40 raise HY-2 low_pressure => #3 warning open e1; p1 #3 T1; p2 #3 T2 T3
         03:00:00 offline T2              =>
         03:00:00 offline T3              =>
         03:10:00 raise HY-4 low_pressure => #4 warning open e1; p1 #4 T1; p2 #4 T2 T3
         09:00:00 raise HY-6 sensor_fault => #5 notice open e1",
    );
}

#[test]
fn an_absent_district_has_nobody_beside_it_and_is_paged_again() {
    drill(
        "02:00:00 offline D         =>
         02:02:00 raise SD-U tamper => #1 warning open e1; p1 #1 D
         02:02:00 raise SD-U smoke  => #2 fire open e1; p1 #2 D
         02:05:00 -                 => p3 #2 D
         02:08:00 online D          =>
         02:10:00 -                 => p3r1 #2 D",
    );
}

#[test]
fn a_community_has_no_neighbour_and_calls_its_township() {
    let mut drill = drill("01:00:00 - =>");
    let mut device = drill.registry.devices()[0].clone();
    device.id = "SD-C".into();
    device.station = "C1".into();
    device.building = "".into();
    drill.registry.put_device(device);
    drill.run(
        "02:00:00 raise SD-C smoke => #1 fire open e1; p1 #1 C1
         02:01:00 -                =>
         02:03:00 -                => p3 #1 T1
         02:08:00 -                => p3r1 #1 C1 T1",
    );
}

#[test]
fn webhooks_by_severity_and_step() {
    let only = |name, severities: &[Severity], steps: &[u8]| Route {
        severities: severities.to_vec(),
        steps: steps.to_vec(),
        ..route(name, None, ReceiverRole::Officer)
    };
    let webhooks = vec![
        only("fire", &[Severity::Fire], &[]),
        only("low", &[Severity::Warning, Severity::Critical], &[]),
        only("third", &[], &[3]),
        only("first", &[], &[1, 2]),
        Route { steps: vec![2, 3], ..route("t1late", Some("T1"), ReceiverRole::Officer) },
        Route { steps: vec![1], ..route("d1", Some("D"), ReceiverRole::Officer) },
        Route { steps: vec![1], ..route("chief", None, ReceiverRole::Chief) },
        route("chiefs", None, ReceiverRole::Chief),
        route("admin", None, ReceiverRole::Admin),
    ];
    drill_with(
        &Plan { webhooks, ..Plan::default() },
        "02:00:00 raise SD-1 smoke        => #1 fire open e1; p1 #1 @fire @first T1
         02:01:00 -                       => p2 #1 @chiefs @first T2 T3
         02:03:00 -                       => p3 #1 @third D
         02:04:00 T1 acknowledge #1       => #1 fire acknowledged e1
         02:05:00 raise HY-6 low_pressure => #2 warning open e1; p1 #2 @first @low T2",
    );
}

#[test]
fn the_gateway_is_blind() {
    let webhooks = vec![
        route("admin", None, ReceiverRole::Admin),
        route("admin1", Some("T1"), ReceiverRole::Admin),
        route("d", Some("D"), ReceiverRole::Officer),
        route("chief", Some("D"), ReceiverRole::Chief),
    ];
    let drill = drill_with(
        &Plan { webhooks, ..Plan::default() },
        "02:00:00 raise gateway gateway_blind => #1 critical open e1; p1 #1 @admin @admin1 @d D
         02:01:00 -                           => p2 #1 @chief
         02:03:00 -                           => p3 #1 @d D
         02:18:00 -                           => p3r1 #1 @admin @admin1 @chief @d D
         02:33:00 -                           => p3r2 #1 @admin @admin1 @chief @d D
         02:34:00 clear gateway gateway_blind =>
         02:35:00 -                => #1 critical closed e1 recovered",
    );
    let wire = drill.wire(1);
    assert_eq!((wire.device, wire.zone, &*wire.station), (None, None, ""));
    assert_eq!(wire.title.en, "The gateway hears no device");
}

#[test]
fn steps_of_zero_never_come() {
    let times = |step2_s, step3_s, repeat_s| Plan {
        fire: Steps { step2_s, step3_s, repeat_s, forgotten_s: 0 },
        ..Plan::default()
    };
    drill_with(
        &times(0, 100, 0),
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:01:40 -                 => p3 #1 D
         09:00:00 T1 acknowledge #1 => #1 fire acknowledged e1
         23:00:00 -                 =>",
    );
    drill_with(
        &times(0, 0, 60),
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:00 -                => p1r1 #1 T1
         02:02:00 -                => p1r2 #1 T1",
    );
    drill_with(
        &times(100, 0, 60),
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:01:40 -                => p2 #1 T2 T3
         02:02:40 -                => p2r1 #1 T1 T2 T3",
    );
}

#[test]
fn what_is_wrong_with_the_gateway_is_told_to_its_admins() {
    let webhooks = vec![
        route("admin", None, ReceiverRole::Admin),
        route("officer", None, ReceiverRole::Officer),
        route("chief", None, ReceiverRole::Chief),
    ];
    let plan = Plan { webhooks, ..Plan::default() };
    let drill = drill_with(
        &plan,
        "02:00:00 gateway registry_fault devices.csv line 3 => #1 warning open e1; p1 #1 @admin @officer D
         02:00:10 gateway clock_fault 1 h forward  => #2 warning open e1; p1 #2 @admin
         02:00:20 gateway registry_fault devices.csv line 4 =>
         02:00:30 gateway clock_fault              =>
         02:00:40 gateway clock_fault 1 h back     => #2 warning open e2; p1 #2 @admin
         02:01:00 api resolve #2 admin             => #2 warning closed e2 repaired
         02:01:10 gateway clock_fault 2 h back     => #3 warning open e1; p1 #3 @admin
         02:02:00 D acknowledge #1                 => #1 warning acknowledged e1
         03:00:00 gateway registry_fault           => #1 warning closed e1 recovered
         04:00:00 offline D                        =>
         05:00:00 gateway clock_fault              =>
         05:00:10 gateway clock_fault 3 h back     => #3 warning open e2; p1 #3 @admin",
    );
    assert_eq!(drill.wire(1).title.en, "The registry file cannot be read · devices.csv line 4");
    assert_eq!(drill.wire(3).title.zh, "网关时钟被调整 · 3 h back");
    let trail = drill.trail_of(1);
    assert_eq!(trail[2], "02:00:00 raised gateway: registry_fault: devices.csv line 3");
    assert!(trail.contains(&"02:00:20 commented gateway: devices.csv line 4".into()), "{trail:?}");
}

#[test]
fn a_person_closes_what_is_wrong_with_the_gateway_while_it_still_is() {
    drill(
        "02:00:00 gateway registry_fault bad  => #1 warning open e1; p1 #1 D
         02:00:10 D resolve #1                => #1 warning closed e1 repaired
         02:00:20 gateway registry_fault      =>
         02:00:30 gateway registry_fault bad  => #2 warning open e1; p1 #2 D",
    );
}
