//! Devices that were never heard, and those of whose messages nothing is understood.

use standpipe_shared::Kind;

use super::{Drill, T0, at, clock, device};
use crate::detect::Watch;
use crate::registry::{Device, DeviceIx, Registry};
use crate::{Changes, Fact, Ms};

const D: DeviceIx = DeviceIx(0);

fn detector(id: &str, interval_s: u32) -> Device {
    device(id, Kind::Smoke, "smoke_home", interval_s)
}

#[test]
fn a_device_that_is_never_heard_is_offline_after_three_intervals() {
    Drill::new([detector("D", 60)]).finds(
        "at least five minutes from the gateway's first start, until it is heard",
        "00:10:00\n00:11:00 temp_c=20\n00:12:00",
        &["00:05:00 D offline since 00:05:00 (never)", "00:11:00 D offline ended 00:11:00"],
    );
    Drill::new([detector("D", 900)]).finds(
        "three of its intervals",
        "01:00:00",
        &["00:45:00 D offline since 00:45:00 (never)"],
    );
    Drill::new([detector("D", 60)]).finds(
        "a word in time",
        "00:04:59 battery_mv=3000\n00:09:00",
        &[],
    );
    Drill::new([detector("D", 60)]).finds(
        "garbage is no word",
        "00:01:00 garbage\n00:04:00 garbage\n00:06:00 garbage\n00:07:00 temp_c=20",
        &[
            "00:01:00 D not_understood since 00:01:00",
            "00:05:00 D offline since 00:05:00 (never)",
            "00:07:00 D not_understood ended 00:07:00",
            "00:07:00 D offline ended 00:07:00",
        ],
    );
}

#[test]
fn a_device_that_was_heard_once_is_silent_in_the_usual_way() {
    Drill::new([detector("D", 60)]).finds(
        "garbage afterwards is no sign of life",
        "00:00:00 temp_c=20\n00:02:00 garbage\n00:04:00 garbage\n00:06:00 garbage\n00:08:00 born 60",
        &[
            "00:02:00 D not_understood since 00:02:00",
            "00:05:00 D offline since 00:05:00",
            "00:08:00 D not_understood ended 00:08:00",
            "00:08:00 D offline ended 00:08:00",
        ],
    );
}

#[test]
fn a_device_that_is_registered_later_counts_from_then() {
    let mut drill = Drill::new([]);
    drill.run("00:10:00");
    drill.watch.put_device(detector("N", 60));
    drill.finds(
        "five minutes",
        "00:10:00\n00:30:00",
        &["00:15:00 N offline since 00:15:00 (never)"],
    );

    let mut drill = Drill::new([detector("D", 60)]);
    drill.run("00:04:00");
    drill.watch.put_device(Device { name: "kitchen".into(), ..detector("D", 60) });
    drill.finds(
        "not anew when its row changes",
        "00:04:00\n00:10:00",
        &["00:05:00 D offline since 00:05:00 (never)"],
    );

    let mut drill = Drill::new([]);
    drill.run("00:10:00 X: garbage");
    drill.watch.put_device(detector("X", 60));
    drill.finds(
        "a stranger that was never understood, from when somebody registered it",
        "00:20:00\n00:30:00",
        &["00:25:00 X offline since 00:25:00 (never)"],
    );
    let mut drill = Drill::new([]);
    drill.finds(
        "a stranger that nobody registered is missed by nobody",
        "00:10:00 X: garbage\n03:00:00",
        &["00:10:00 X not_understood since 00:10:00"],
    );
}

#[test]
fn a_stranger_that_was_known_before_the_gateway_counted_is_missed_by_nobody() {
    let mut drill = Drill::new([Device::unclaimed("X", "town", Kind::Smoke)]);
    drill.finds("nobody registered it", "03:00:00", &[]);
}

/// The same gateway after a restart, with these devices beside those it knew.
fn restarted(before: &Drill, more: impl IntoIterator<Item = Device>) -> Drill {
    let mut registry = before.watch.registry.clone();
    for device in more {
        registry.put_device(device);
    }
    let mut after = Drill::new([]);
    after.watch = Watch::new(registry, 1);
    for ix in 0..before.watch.registry.devices().len() {
        let ix = DeviceIx(u32::try_from(ix).unwrap());
        let body = before.watch.memory(ix).unwrap().body();
        after.watch.restore(ix, crate::detect::Memory::from_body(&body).unwrap());
    }
    let wholes = serde_json::to_string(before.watch.wholes()).unwrap();
    after.watch.restore_wholes(serde_json::from_str(&wholes).unwrap());
    (after.now, after.out) = (before.now, Changes::default());
    after
}

#[test]
fn a_restart_does_not_begin_anew() {
    let mut before = Drill::new([detector("D", 900)]);
    before.run("00:20:00");
    let mut after = restarted(&before, [detector("N", 900)]);
    after.finds(
        "what was imported while the gateway did not run counts from its start",
        "00:25:00 up\n02:00:00",
        &["00:45:00 D offline since 00:45:00 (never)", "01:10:00 N offline since 01:10:00 (never)"],
    );
    let mut before = restarted(&before, [detector("N", 900)]);
    before.run("00:25:00 up\n00:30:00");
    let mut after = restarted(&before, []);
    after.finds(
        "and from no later one",
        "00:40:00 up\n02:00:00",
        &["00:55:00 D offline since 00:55:00 (never)", "01:10:00 N offline since 01:10:00 (never)"],
    );
    assert!(!after.out.watch_meta, "the first start is kept once");
    let mut again = restarted(&after, []);
    again.finds("known already", "03:00:00 up\n09:00:00", &[]);
}

#[test]
fn a_gateway_that_never_had_a_session_misses_nobody() {
    let mut registry = Registry::new([]);
    registry.put_device(detector("D", 60));
    let mut watch = Watch::new(registry, 1);
    watch.tick(T0 + 86_400_000, &mut Changes::default());
    assert!(watch.facts().is_empty());
    let mut records = Watch::over_records(watch.registry.clone(), 1);
    records.tick(T0 + 86_400_000, &mut Changes::default());
    assert!(records.facts().is_empty(), "nor do recorded readings");
}

#[test]
fn a_town_that_is_not_mounted_yet_is_found_little_by_little() {
    const TOWN: u32 = 100_000;
    let devices = (0..TOWN).map(|n| detector(&format!("D-{n}"), 60));
    let mut drill = Drill::new(devices);
    assert!(drill.out.save.is_empty(), "nothing to be stored of each of them");
    let mut found = Vec::new();
    while let Some(due) = drill.watch.next_wake().filter(|due| *due <= at("01:00:00")) {
        drill.watch.tick(due, &mut drill.out);
        let raised =
            drill.watch.facts().iter().filter(|fact| matches!(fact, Fact::Raised(_))).count();
        found.push((due, raised));
    }
    assert_eq!(found.iter().map(|(_, count)| count).sum::<usize>(), TOWN as usize);
    assert!(found.iter().all(|(_, count)| *count <= 250), "never many at once");
    let (first, last): (Ms, Ms) = (found[0].0, found[found.len() - 1].0);
    assert_eq!((clock(first), clock(last)), ("00:05:00".into(), "00:11:39".into()));
}

#[test]
fn a_device_that_was_never_heard_is_on_neither_side_of_a_blind_area() {
    let silent = |heard: u8| {
        let ids: Vec<String> = (0..20).map(|n| format!("{}", char::from(b'A' + n))).collect();
        let mut drill = Drill::new(ids.iter().map(|id| detector(id, 60)));
        let mut script = String::new();
        for id in ids.iter().take(heard.into()) {
            script += &format!("00:01:00 {id}: temp_c=20\n");
        }
        let found = drill.run(&(script + "01:00:00"));
        let area = found.iter().find(|line| line.contains("blind_area")).cloned();
        (found.iter().filter(|line| line.contains("(never)")).count(), area)
    };
    let (never, area) = silent(6);
    assert_eq!(never, 14);
    assert_eq!(area.unwrap(), "00:06:30 area T-1 blind_area since 00:06:00 of A B C D E F");
    assert_eq!(silent(4), (16, None), "the sixteen are not silent together");
    assert_eq!(silent(0), (20, None));
}

#[test]
fn a_stranger_is_registered_by_garbage_and_what_is_found_is_kept() {
    let mut drill = Drill::new([]);
    drill.run("00:10:00 X: garbage");
    let x = drill.watch.registry.find("X").unwrap();
    assert_eq!((&*drill.out.registered, &*drill.out.save), (&[x][..], &[x][..]));
    assert_eq!(drill.watch.memory(x).unwrap().heard_at, None);
    drill.out.clear();
    drill.run("00:10:01 X: garbage");
    assert!(drill.out.is_empty(), "nothing new");
    let memory = drill.watch.memory(D).unwrap();
    assert_eq!(&crate::detect::Memory::from_body(&memory.body()).unwrap(), memory);
}
