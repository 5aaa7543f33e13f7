//! Zones and areas, further: what they hold, and when they let go.

use super::drill::drill;
use crate::incidents::IncidentId;

#[test]
fn a_zone_closes_with_the_last_of_its_children() {
    let drill = drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:10 raise HY-2 low_pressure => #2 warning open e1; p1 #2 T1
         02:00:30 raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #1 warning open e1 in #3; #2 warning open e1 in #3; #3 critical open e1; p1 #3 T1
         02:00:40 T1 resolve #3           => #3 critical resolved e1
         02:02:00 clear HY-1 low_pressure => #1 warning verifying e1 in #3
         02:02:00 clear HY-2 low_pressure => #2 warning verifying e1 in #3
         02:07:00 clear zone:Z1 zone_low_pressure => #3 critical verifying e1
         1d02:00:00 verified HY-1         => #1 warning closed e1 in #3 recovered
         1d02:03:00 verified HY-2         => #2 warning closed e1 in #3 recovered; #3 critical closed e1 repaired
         1d03:00:00 raise zone:Z1 zone_low_pressure => #4 critical open e1; p1 #4 D
         1d03:00:30 clear zone:Z1 zone_low_pressure => #4 critical closed e1 recovered",
    );
    let children: Vec<IncidentId> = [1, 2].map(|n| drill.incident(n).id).into();
    assert_eq!(drill.incident(3).children, children);
}

#[test]
fn a_zone_that_falls_again_takes_its_children_back() {
    drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:10 raise HY-2 low_pressure => #2 warning open e1; p1 #2 T1
         02:00:30 raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #1 warning open e1 in #3; #2 warning open e1 in #3; #3 critical open e1; p1 #3 T1
         02:00:31 T1 acknowledge #3       => #3 critical acknowledged e1
         02:02:00 clear HY-1 low_pressure => #1 warning verifying e1 in #3
         02:07:00 clear zone:Z1 zone_low_pressure => #2 warning open e2; #3 critical verifying e1; p1 #2 T1
         02:08:00 raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #2 warning open e2 in #3; #3 critical open e2; p1 #3 T1
         02:08:10 T1 acknowledge #3       => #3 critical acknowledged e2
         02:09:00 raise HY-1 low_pressure => #1 warning open e2 in #3
         02:09:10 raise HY-1 hydrant_open => #1 warning open e3; p1 #1 T1
         02:09:20 clear HY-1 low_pressure =>
         02:09:30 clear HY-1 hydrant_open => #1 warning verifying e3
         02:10:00 clear HY-2 low_pressure => #2 warning verifying e2 in #3
         02:15:00 clear zone:Z1 zone_low_pressure => #3 critical verifying e2
         1d02:16:00 unverified HY-2       => #2 warning open e3; #3 critical closed e2 recovered; p1 #2 T1",
    );
}

#[test]
fn a_false_zone_lets_its_children_go() {
    drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:30 raise zone:Z1 zone_low_pressure members=HY-1 => #1 warning open e1 in #2; #2 critical open e1; p1 #2 T1
         02:00:31 T1 acknowledge #1       => #1 warning acknowledged e1 in #2
         02:00:40 T1 false_alarm #2       => #2 critical resolved e1
         02:07:00 clear zone:Z1 zone_low_pressure => #1 warning open e2; #2 critical closed e1 false_alarm; p1 #1 T1",
    );
}

#[test]
fn most_of_a_station_falls_silent() {
    let drill = drill(
        "02:00:00 raise HY-1 offline     => #1 notice open e1
         02:00:01 raise HY-2 offline     => #2 notice open e1
         02:00:02 raise HY-3 knocked     => #3 warning open e1; p1 #3 T1
         02:00:03 raise HY-3 offline     =>
         02:00:10 raise HY-6 offline     => #4 notice open e1
         02:00:11 raise HY-4 low_pressure => #5 warning open e1; p1 #5 T1
         02:01:00 raise area:T1 blind_area members=HY-1,HY-2,HY-3,HY-4 => #1 notice open e1 in #6; #2 notice open e1 in #6; #6 critical open e1; p1 #6 T1
         02:01:30 raise HY-4 offline     => #7 notice open e1 in #6
         02:02:00 -                      => p2 #6 T2 T3
         02:02:30 clear HY-1 offline     =>
         02:03:00 clear area:T1 blind_area =>
         02:03:30 -                      => #1 notice closed e1 in #6 recovered
         02:04:00 -                      => #2 notice open e2; #6 critical closed e1 recovered; #7 notice open e2
         02:04:30 clear HY-2 offline     =>
         02:05:30 -                      => #2 notice closed e2 recovered",
    );
    assert_eq!(drill.wire(6).title.zh, "大量设备失联 · T1 station");
    assert_eq!(&*drill.wire(6).station, "T1");
    assert_eq!(drill.wire(6).device, None);
}

#[test]
fn what_waits_for_a_person_is_nobodys_child() {
    drill(
        "02:00:00 raise HY-3 tamper      => #1 warning open e1; p1 #1 T1
         02:00:01 raise area:T1 blind_area members=HY-1 => #2 critical open e1; p1 #2 T1
         02:00:02 T1 acknowledge #2      => #2 critical acknowledged e1
         02:00:10 clear HY-3 tamper      =>
         02:00:20 raise HY-3 offline     => #1 notice open e2 in #2
         02:00:30 clear HY-3 offline     => #1 notice open e2
         02:01:00 clear area:T1 blind_area =>
         02:02:00 -                      => #2 critical closed e1 recovered
         02:02:00 T1 resolve #1          => #1 notice closed e2 repaired",
    );
}
