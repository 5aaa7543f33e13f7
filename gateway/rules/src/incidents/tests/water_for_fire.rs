//! The hydrants of a fire.

use super::drill::{Drill, drill};
use crate::detect::Trust;
use crate::incidents::WireIncident;

/// `name distance trust`: where to drive, nearest first, then where not to.
fn listed(wire: &WireIncident) -> Vec<String> {
    let trust = |trust: Trust| serde_json::to_string(&trust).expect("a name").replace('"', "");
    let line = |hydrant: &crate::incidents::NearHydrant| {
        format!("{} {} {}", hydrant.id, hydrant.distance_m, trust(hydrant.trust))
    };
    wire.hydrants.iter().map(line).collect()
}

fn note(wire: &WireIncident) -> Option<&str> {
    wire.hydrants_note.as_ref().map(|note| note.en.as_str())
}

#[test]
fn the_three_nearest() {
    let drill = drill("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1");
    let wire = drill.wire(1);
    assert_eq!(listed(&wire), ["HY-1 100 ok", "HY-2 200 ok", "HY-3 300 ok"]);
    assert_eq!(note(&wire), None);
    let first = &wire.hydrants[0];
    assert_eq!((first.bearing_deg, first.pressure_kpa), (0, Some(300.0)));
    assert_eq!(&*first.name, "HY-1 corner");
}

#[test]
fn in_every_direction() {
    let drill = drill("02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1");
    let hydrants = drill.wire(1).hydrants;
    assert_eq!(listed(&drill.wire(1)), ["HY-6 1400 ok", "HY-5 1499 ok", "HY-4 1501 ok"]);
    assert_eq!(
        hydrants.iter().map(|hydrant| hydrant.bearing_deg).collect::<Vec<_>>(),
        [180, 180, 180]
    );
}

#[test]
fn what_goes_dry_is_marked_and_replaced() {
    let mut drill = drill(
        "01:00:00 trust HY-1 no_water 3   =>
         02:00:00 raise SD-1 smoke        => #1 fire open e1; p1 #1 T1",
    );
    let ways = ["HY-2 200 ok", "HY-3 300 ok", "HY-4 499 ok", "HY-1 100 no_water"];
    assert_eq!(listed(&drill.wire(1)), ways);
    let rev = drill.incident(1).rev;
    drill.run("02:00:10 trust HY-6 stale - => ");
    assert_eq!(drill.incident(1).rev, rev, "it is not on the list");
    drill.run("02:00:20 trust HY-4 in_use 200 => ");
    let ways =
        ["HY-2 200 ok", "HY-3 300 ok", "HY-5 501 ok", "HY-1 100 no_water", "HY-4 499 in_use"];
    assert_eq!(listed(&drill.wire(1)), ways);
    assert_eq!(drill.incident(1).rev, rev + 1);
    assert_eq!(drill.wire(1).hydrants[4].pressure_kpa, Some(200.0));
    drill.run(
        "02:00:30 trust HY-2 low 90   =>
         02:00:31 trust HY-3 stale -  =>",
    );
    let ways = ["HY-5 501 ok", "HY-1 100 no_water", "HY-2 200 low", "HY-3 300 stale"];
    assert_eq!(listed(&drill.wire(1)), ways, "three that can't be trusted, and no more");
    assert_eq!(note(&drill.wire(1)), Some("Only 1 hydrant can be trusted"));
    drill.run("02:00:40 trust HY-6 ok 280 => ");
    assert_eq!(note(&drill.wire(1)), Some("Only 2 hydrants can be trusted"));
    drill.run(
        "02:00:50 trust HY-6 stale 280 =>
         02:00:50 trust HY-5 stale 280 =>",
    );
    assert_eq!(note(&drill.wire(1)), Some("No hydrant nearby can be trusted"));
    drill.run("02:01:00 - => p2 #1 T2 T3");
    drill.run("02:01:10 trust HY-1 ok 250 => ");
    assert_eq!(listed(&drill.wire(1))[0], "HY-1 100 ok");
    drill.run(
        "02:01:20 trust HY-2 ok 250 =>
         02:01:20 trust HY-3 ok 250 =>",
    );
    let rev = drill.incident(1).rev;
    drill.run("02:01:30 trust HY-2 ok 250 =>");
    assert_eq!(drill.incident(1).rev, rev + 1, "its age has changed");
}

#[test]
fn what_no_fact_tells_is_seen_within_a_minute() {
    let mut drill = drill(
        "01:00:00 -                => 
         02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1
         02:00:30 T1 acknowledge #1 => #1 fire acknowledged e1",
    );
    let ix = drill.registry.find("HY-6").expect("a hydrant");
    drill.trust.insert(ix, crate::detect::HydrantNow::UNKNOWN);
    drill.run("02:00:59.999 - => ");
    assert_eq!(listed(&drill.wire(1))[0], "HY-6 1400 ok");
    drill.run("02:01:00 - => ");
    assert_eq!(listed(&drill.wire(1))[3], "HY-6 1400 stale");
    drill.trust.clear();
    drill.run("02:02:00.001 - => ");
    assert_eq!(listed(&drill.wire(1))[0], "HY-6 1400 ok");
    assert_eq!(drill.book.next_wake(), Some(super::drill::time("02:03:00")));
    drill.run(
        "02:02:10 T1 resolve #1    => #1 fire resolved e1
         02:02:10 clear SD-4 smoke => #1 fire closed e1 fire",
    );
    assert_eq!(drill.book.next_wake(), None);
}

#[test]
fn as_near_as_the_farthest_counts() {
    let mut drill = drill("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1");
    let rev = drill.incident(1).rev;
    drill.run("02:00:10 trust HY-3 low 90 => ");
    assert_eq!(drill.incident(1).rev, rev + 1);
    drill.run("02:00:20 trust HY-4 low 90 => ");
    assert_eq!(drill.incident(1).rev, rev + 2);
    assert_eq!(listed(&drill.wire(1)).len(), 5);
}

#[test]
fn so_does_one_whose_metres_were_rounded_down() {
    let mut drill = drill("01:00:00 - =>");
    let ix = drill.registry.find("HY-3").unwrap();
    let mut moved = drill.registry.device(ix).unwrap().clone();
    moved.lat = Some(29.4 + 300.4 / 111_195.1);
    drill.registry.put_device(moved);
    drill.run("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1");
    let rev = drill.incident(1).rev;
    drill.run("02:00:10 trust HY-3 low 90 => ");
    assert_eq!(drill.incident(1).rev, rev + 1);
}

#[test]
fn under_maintenance_is_out_of_service() {
    let mut drill = drill(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:10 announce w maintenance 02:00:10 02:00:40 HY-1 low_pressure =>
         02:00:11 announce e exercise 02:00:10 02:00:50 HY-2 low_pressure =>",
    );
    let ways = ["HY-2 200 ok", "HY-3 300 ok", "HY-4 499 ok", "HY-1 100 out_of_service"];
    assert_eq!(listed(&drill.wire(1)), ways);
    drill.run("02:00:40 - => ");
    assert_eq!(listed(&drill.wire(1)), ["HY-1 100 ok", "HY-2 200 ok", "HY-3 300 ok"]);
}

#[test]
fn only_outdoor_hydrants_where_they_are_now() {
    let mut drill = Drill::new(crate::incidents::Plan::default());
    let hydrant = |drill: &Drill, id| {
        let ix = drill.registry.find(id).expect("a hydrant");
        drill.registry.device(ix).expect("a hydrant").clone()
    };
    let mut indoors = hydrant(&drill, "HY-1");
    indoors.profile = "indoor".into();
    drill.registry.put_device(indoors);
    let mut lost = hydrant(&drill, "HY-3");
    lost.lat = None;
    drill.registry.put_device(lost);
    drill.run("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1");
    assert_eq!(listed(&drill.wire(1)), ["HY-2 200 ok", "HY-4 499 ok", "HY-5 501 ok"]);
    drill.run("02:00:01 trust HY-3 ok 300 => ");
    let mut moved = hydrant(&drill, "HY-6");
    moved.lat = Some(29.4);
    moved.lon = Some(106.5 - 0.001);
    drill.registry.put_device(moved);
    drill.run("02:00:10 trust HY-6 ok 300 => ");
    assert_eq!(listed(&drill.wire(1)), ["HY-6 97 ok", "HY-2 200 ok", "HY-4 499 ok"]);
    assert_eq!(drill.wire(1).hydrants[0].bearing_deg, 270);
}

#[test]
fn a_fire_nobody_knows_the_place_of() {
    let mut drill = drill("02:00:00 raise SD-U smoke => #1 fire open e1; p1 #1 D");
    assert_eq!(listed(&drill.wire(1)), [""; 0]);
    assert_eq!(note(&drill.wire(1)), Some("No hydrant nearby can be trusted"));
    drill.run(
        "02:00:10 trust HY-6 ok 300         =>
         02:00:20 raise HY-1 low_pressure   => #2 warning open e1; p1 #2 T1
         02:00:30 D resolve #1              => #1 fire resolved e1
         02:00:31 trust HY-6 stale 300      =>
         02:00:31 clear SD-U smoke          => #1 fire closed e1 fire",
    );
    assert_eq!(drill.wire(2).hydrants_note, None);
}
