//! What is announced and what can't be; an exercise from its alarm to its end.

use std::collections::BTreeSet;

use standpipe_shared::Condition;
use ulid::Ulid;

use super::drill::{DAY, SECRET, drill};
use super::town::town;
use crate::incidents::{
    Announced, Announcement, BadAnnouncement, Book, Plan, Scope, Window, bulletins,
};
use crate::{Changes, HOUR_MS};

fn announcement(what: Announced, scope: Scope, conditions: &[Condition]) -> Announcement {
    Announcement {
        what,
        scope,
        conditions: conditions.iter().copied().collect(),
        from: DAY,
        until: DAY + HOUR_MS,
        by: "Li".into(),
        note: "new valve".into(),
    }
}

fn zone() -> Scope {
    Scope::Zone("Z1".into())
}

fn device(id: &str) -> Scope {
    Scope::Device(id.into())
}

fn window(announcement: Announcement) -> Result<Window, Vec<String>> {
    let told = |bad: Vec<BadAnnouncement>| {
        let text = |fault: &BadAnnouncement| format!("{}: {fault}", fault.field());
        bad.iter().map(text).collect()
    };
    announcement.window(Ulid::nil(), &town(), DAY).map_err(told)
}

#[test]
fn it_holds_for_the_devices_that_belong_there() {
    let dry = [Condition::NoWater];
    for (scope, ids) in [
        (zone(), &["HY-1", "HY-2", "HY-3", "HY-4", "HY-5"][..]),
        (device("HY-6"), &["HY-6"]),
        (Scope::Station("T2".into()), &["SD-5", "HY-5", "HY-6"]),
    ] {
        let work = window(announcement(Announced::Maintenance, scope, &dry)).unwrap();
        let town = town();
        let wanted: BTreeSet<_> = ids.iter().map(|id| town.find(id).unwrap()).collect();
        assert_eq!((work.devices, work.conditions), (wanted, dry.into()));
    }
    let test = window(announcement(Announced::WalkTest, Scope::Station("T1".into()), &[]));
    assert_eq!(test.unwrap().devices.len(), 8, "only those of the station itself");
}

#[test]
fn each_station_is_told_of_its_own_lost_hydrants() {
    let dry = [Condition::NoWater];
    let later = Announcement {
        from: DAY + HOUR_MS,
        until: DAY + 2 * HOUR_MS,
        ..announcement(Announced::Maintenance, device("HY-5"), &dry)
    };
    let windows = [
        window(later).unwrap(),
        window(announcement(Announced::Maintenance, zone(), &dry)).unwrap(),
        window(announcement(Announced::WalkTest, Scope::Station("T1".into()), &[])).unwrap(),
        window(announcement(Announced::Maintenance, device("SD-1"), &[Condition::Tamper])).unwrap(),
    ];
    let told = bulletins(&windows, &town());
    let works =
        told.iter().flat_map(|(station, works)| works.iter().map(move |work| (station, work)));
    let seen: Vec<String> = works
        .map(|(station, work)| {
            let ids: Vec<&str> = work.hydrants.iter().map(|hydrant| &*hydrant.id).collect();
            format!("{station} in {} h: {}", (work.from - DAY) / HOUR_MS, ids.join(" "))
        })
        .collect();
    let wanted = ["T1 in 0 h: HY-1 HY-2 HY-3 HY-4", "T2 in 0 h: HY-5", "T2 in 1 h: HY-5"];
    assert_eq!(seen, wanted);
}

#[test]
#[rustfmt::skip] // a table
fn what_cannot_be_announced_says_why() {
    use Condition::{BlindArea, Heat, NoWater, Smoke, ZoneLowPressure};
    let work = |conditions: &[Condition]| announcement(Announced::Maintenance, zone(), conditions);
    let walk = |conditions: &[Condition]| announcement(Announced::WalkTest, zone(), conditions);
    let drill = |scope, conditions: &[Condition]| announcement(Announced::Exercise, scope, conditions);
    let one = "device: an exercise is one fire of one detector: name a smoke device, and smoke or heat";
    for (announcement, wanted) in [
        (work(&[]), &["conditions: conditions is empty: name what the work will cause, such as no_water"][..]),
        (work(&[NoWater, Smoke]), &["conditions: conditions names smoke: leave it out, a fire is never muted"]),
        (work(&[BlindArea, ZoneLowPressure]), &[
            "conditions: conditions names zone_low_pressure: leave it out, it is not one of a device",
            "conditions: conditions names blind_area: leave it out, it is not one of a device"]),
        (walk(&[Smoke]), &["conditions: conditions is given: leave it out, a walk test is for everything its devices say"]),
        (Announcement { scope: Scope::Zone("Z9".into()), ..work(&[NoWater]) },
            &["zone: zone `Z9` is not known, or has no device: look at the list of them"]),
        (Announcement { until: DAY, ..work(&[NoWater]) },
            &["until: until is 1763942400000, and it would be over: set a later time, in Unix ms"]),
        (Announcement { from: DAY - 2 * HOUR_MS, until: DAY - HOUR_MS, ..work(&[NoWater]) },
            &["until: until is 1763938800000, and it would be over: set a later time, in Unix ms"]),
        (Announcement { until: DAY + 721 * HOUR_MS, ..work(&[NoWater]) },
            &["until: until is 721 h after from: set 720 h at most"]),
        (Announcement { until: DAY + 9 * HOUR_MS, ..walk(&[]) },
            &["until: until is 9 h after from: set 8 h at most"]),
        (Announcement { from: DAY + 8_761 * HOUR_MS, until: DAY + 8_762 * HOUR_MS, ..work(&[NoWater]) },
            &["from: from is 1795482000000, over a year ahead: announce it later"]),
        (drill(zone(), &[Smoke]),             &[one]),
        (drill(device("HY-1"), &[Smoke]),     &[one]),
        (drill(device("SD-1"), &[NoWater]),   &[one]),
        (drill(device("SD-1"), &[Smoke, Heat]), &[one]),
    ] {
        assert_eq!(window(announcement.clone()).map(|_| ()), Err(wanted.iter().map(ToString::to_string).collect()), "{announcement:?}");
    }
    assert!(window(Announcement { until: DAY + 720 * HOUR_MS, ..work(&[NoWater]) }).is_ok());
    let year = DAY + 8_760 * HOUR_MS;
    assert!(window(Announcement { from: year, until: year + HOUR_MS, ..work(&[NoWater]) }).is_ok());
    assert!(window(drill(device("SD-1"), &[Heat])).is_ok());
}

#[test]
fn an_exercise_goes_the_way_of_an_alarm_and_ends_by_itself() {
    let drill = drill(
        "02:00:00 exercise SD-1 smoke 02:10:00 => #1 notice open e1; p1 #1 T1
         02:00:20 T1 acknowledge #1            => #1 notice acknowledged e1
         02:05:00 raise SD-3 smoke             => #2 fire open e1; p1 #2 T1
         02:05:10 T1 acknowledge #2            => #2 fire acknowledged e1
         02:09:59.999 -                        =>
         02:10:00 -                            => #1 notice closed e1 exercise",
    );
    let wire = drill.wire(1);
    assert!(wire.exercise && !drill.wire(2).exercise, "and another detector's fire is none");
    assert_eq!(wire.title.en, "Exercise: Smoke · Xinhua Building 12F");
    assert_eq!(wire.closed_at.zip(Some(wire.opened_at)).map(|(to, from)| to - from), Some(600_000));
    assert!(drill.book.windows().is_empty());
}

#[test]
fn what_the_detector_says_itself_is_in_earnest_at_once() {
    let same = drill(
        "02:00:00 exercise SD-4 smoke 02:10:00 => #1 notice open e1; p1 #1 T1
         02:01:00 raise SD-4 smoke             => #1 fire open e2; p1 #1 T1
         02:01:10 T1 acknowledge #1            => #1 fire acknowledged e2
         02:10:00 -                            =>
         02:11:00 T1 resolve #1                => #1 fire resolved e2
         02:12:00 clear SD-4 smoke             => #1 fire closed e2 fire",
    );
    assert!(!same.wire(1).exercise);
    drill(
        "02:00:00 exercise SD-4 smoke 02:10:00 => #1 notice open e1; p1 #1 T1
         02:01:00 raise SD-4 heat              => #1 fire open e2; p1 #1 T1
         02:01:10 T1 acknowledge #1            => #1 fire acknowledged e2
         02:10:00 -                            =>
         02:11:00 clear SD-4 heat              =>
         02:12:00 T1 resolve #1                => #1 fire closed e2 fire",
    );
    drill(
        "02:00:00 exercise SD-1 smoke 02:10:00 => #1 notice open e1; p1 #1 T1
         02:01:00 raise SD-3 smoke             => #2 fire open e1; p1 #2 T1
         02:01:30 raise SD-1 smoke             => #1 notice closed e1 exercise; #2 fire open e2; p1 #2 T1
         02:01:40 T1 acknowledge #2            => #2 fire acknowledged e2
         02:10:00 -                            =>",
    );
}

#[test]
fn where_it_burns_there_is_no_exercise() {
    let mut drill = drill("02:00:00 raise SD-4 heat => #1 fire open e1; p1 #1 T1");
    for condition in [Condition::Heat, Condition::Smoke] {
        let exercise =
            window(announcement(Announced::Exercise, device("SD-4"), &[condition])).unwrap();
        let mut out = Changes::default();
        let mut book = std::mem::replace(&mut drill.book, Book::new(Plan::default(), SECRET));
        let refused =
            drill.look(|view| book.exercise(view, exercise, DAY + 2 * HOUR_MS + 1, &mut out));
        drill.book = book;
        assert_eq!(refused, Err(BadAnnouncement::Burns { device: "SD-4".into() }), "{condition:?}");
        assert!(!out.windows && out.incidents.is_empty(), "{out:?}");
    }
}
