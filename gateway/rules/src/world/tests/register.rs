//! Devices are retired and replaced while the gateway runs.

use super::*;
use crate::registry::{NotReplaced, Predecessor};

/// `H` has no water, and `S` is silent for long.
fn dry() -> (World, Changes) {
    let (mut world, mut out) = world();
    for at in [0, 60_000, 120_000] {
        world.step(&pressure(T0 + at, 0.0), T0 + at, &mut out);
        world.tick(T0 + at, &mut out);
    }
    assert!(world.summary(H).conditions & Condition::NoWater.bit() != 0);
    out.clear();
    (world, out)
}

#[test]
fn what_was_true_of_a_retired_device_ends_and_its_silence_is_nobodys_business() {
    let (mut world, mut out) = dry();
    assert!(world.retire("H", T0 + 130_000, &mut out));
    assert_eq!(world.summary(H).conditions, 0);
    let device = world.registry().device(H).unwrap();
    assert_eq!((device.claimed, device.retired_at), (false, Some(T0 + 130_000)));
    assert_eq!((&*device.station, device.lat, &*device.name), ("", None, "H"), "its name stays");
    assert!(world.registry().of_station("T").iter().all(|ix| *ix != H));
    assert!(out.registered.contains(&H) && out.save.contains(&H), "it is stored");
    world.tick(T0 + 3_600_000, &mut out);
    let offline = |world: &World| {
        world.book.open().any(|incident| {
            incident.subject == Subject::Device(H)
                && incident.conditions().contains(&Condition::Offline)
        })
    };
    assert!(!offline(&world), "it may be silent for ever");
    let states: Vec<State> = world
        .book
        .open()
        .filter(|incident| incident.subject == Subject::Device(H))
        .map(|incident| incident.state)
        .collect();
    assert_eq!(states, [State::Verifying], "a person closes it: nothing will prove its water");
    assert!(!world.retire("H", T0 + 140_000, &mut out), "once");
    assert!(!world.retire("nobody", T0, &mut out));
}

#[test]
fn an_alarm_of_a_retired_device_pages_the_district_as_a_strangers() {
    let (mut world, mut out) = world();
    assert!(world.retire("S", T0 + 1, &mut out));
    out.clear();
    world.step(&alarm("S", Condition::Smoke, true), T0 + 5_000, &mut out);
    world.tick(T0 + 5_000, &mut out);
    let [page] = &out.pages[..] else { panic!("{:?}", out.pages) };
    assert_eq!(page.receiver, Receiver::Station("D".into()));
}

#[test]
fn a_fire_of_a_device_that_is_retired_stays_until_people_end_it() {
    let (mut world, mut out) = world();
    world.step(&alarm("S", Condition::Smoke, true), T0 + 5, &mut out);
    world.tick(T0 + 5, &mut out);
    assert!(world.retire("S", T0 + 1_000, &mut out));
    world.tick(T0 + 1_000, &mut out);
    let [fire] = &world.book.open().collect::<Vec<_>>()[..] else { panic!("no fire any more") };
    assert_eq!(fire.state, State::Open);
}

#[test]
fn another_node_at_the_same_hydrant_gets_its_row_and_says_whose_place_it_took() {
    let (mut world, mut out) = world();
    assert_eq!(world.replace("X", "N", T0, &mut out), Err(NotReplaced::Unknown));
    assert_eq!(world.replace("H", "S", T0, &mut out), Err(NotReplaced::Taken));
    // It was heard before anybody put it there.
    world.step(&telemetry("N", reading(T0, 300.0)), T0, &mut out);
    let heard = world.registry().find("N").unwrap();
    let before = world.registry().device(H).unwrap().clone();
    assert_eq!(world.replace("H", "N", T0 + 9, &mut out), Ok(heard));
    let after = world.registry().device(heard).unwrap();
    let replaces = Some(Predecessor { device: "H".into(), until: T0 + 9 });
    assert_eq!(*after, Device { id: "N".into(), replaces, ..before });
    assert_eq!(world.registry().device(H).unwrap().retired_at, Some(T0 + 9));
    assert_eq!(world.registry().of_station("T").len(), 2, "S and N");
}

#[test]
fn a_station_comes_and_moves_while_it_runs() {
    let (mut world, mut out) = world();
    let village = town::station("V", crate::registry::Level::Village, Some("T"));
    world.put_station(village, &mut out);
    assert_eq!(out.stations, ["V".into()]);
    let moved = Device { station: "V".into(), ..device("S", Kind::Smoke) };
    world.put_device(moved, &mut out);
    out.clear();
    connect(&mut world, &["V"], T0, &mut out);
    world.step(&alarm("S", Condition::Smoke, true), T0 + 5, &mut out);
    world.tick(T0 + 5, &mut out);
    assert_eq!(out.pages[0].receiver, Receiver::Station("V".into()), "the new station is paged");
}
