//! The gateway is killed while nothing can be stored, and what it took is delivered again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

/// Messages that say no time which could be believed, each of another device, and one that does.
const SAID: [(&str, &str); 6] = [
    ("a/S-1/alarm", r#"{"condition":"smoke","active":true}"#),
    ("a/S-2/alarm", r#"{"boot":1,"seq":1,"condition":"smoke","active":true}"#),
    ("a/S-3/alarm", r#"{"boot":1,"seq":1,"ts":9000000000000,"condition":"smoke","active":true}"#),
    ("a/S-4/alarm", "FIRE {"),
    ("a/S-5/telemetry", r#"{"boot":1,"seq":1,"temp_c":95.0}"#),
    ("a/S-6/alarm", r#"{"boot":1,"seq":1,"ts":1767225600000,"condition":"smoke","active":true}"#),
];

fn all_say(disk: &mut FullDisk) -> BTreeSet<Ulid> {
    for ((what, json), n) in SAID.into_iter().zip(1..) {
        disk.says(ALARM, what, json, n);
        disk.turns();
    }
    disk.turns();
    disk.shell.outlets.clock.sleep(Duration::from_millis(30));
    let reader = Reader::open(&disk.place.path()).unwrap();
    let of = |urgency| reader.owed_boards((urgency, 0), 1_000).unwrap();
    let boards = (0..URGENCIES).flat_map(of);
    // What the gateway says of itself is another incident in each life.
    let of_devices =
        boards.filter(|board| (1..7).any(|n| board.wire.contains(&format!("\"S-{n}\""))));
    of_devices.flat_map(|board| board.pages).collect()
}

/// What a process that is killed leaves, and another one opens.
fn killed(disk: FullDisk) -> FullDisk {
    let FullDisk { shell, folder, .. } = disk;
    drop(shell);
    FullDisk::working(folder)
}

#[test]
fn what_says_no_time_is_the_same_page_in_every_life_until_it_is_stored() {
    let mut disk = FullDisk::new();
    disk.fires(100..130);
    disk.turns();
    assert!(disk.place.is_in_memory());
    let first = all_say(&mut disk);
    assert!(first.len() >= SAID.len(), "{}", first.len());

    let mut disk = killed(disk);
    disk.shell.engine.store().limit_pages(1).unwrap();
    disk.fires(130..160);
    disk.turns();
    assert!(disk.place.is_in_memory(), "full once more");
    let second = all_say(&mut disk);
    assert!(first.is_subset(&second), "{:?}", first.difference(&second));

    let mut disk = killed(disk);
    let third = all_say(&mut disk);
    assert!(!disk.place.is_in_memory(), "there is room");
    assert!(first.is_subset(&third), "{:?}", first.difference(&third));

    // It is stored: the same alarm is another one now, when the first is over.
    let disk = killed(disk);
    let marks = disk.shell.outlets.marks.as_ref().unwrap();
    assert!(marks.has_former(), "fires 100 to 160 did not come again");
    drop(disk);
}

#[test]
fn an_alarm_that_comes_again_in_the_same_life_is_taken_when_it_comes() {
    let mut disk = FullDisk::new();
    disk.fires(0..40);
    disk.turns();
    disk.turns();
    let open = |disk: &FullDisk| disk.shell.engine.world().book.open().count();
    let before = open(&disk);
    disk.fires(0..40);
    disk.turns();
    assert_eq!(open(&disk), before, "no second incident");
    disk.there_is_room();
    disk.turns();
    disk.turns();
    let disk = killed(disk);
    assert!(!disk.shell.outlets.marks.as_ref().unwrap().has_former(), "all of it is stored");
}
