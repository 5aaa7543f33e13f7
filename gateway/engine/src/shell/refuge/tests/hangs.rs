//! A disk that neither does what it is asked nor refuses it.

use standpipe_disk::{Disk, DiskFault};
use standpipe_rules::Ms;

use super::*;

/// A gateway on a disk that answers nothing from now on, and that many fires that it has taken nevertheless.
fn hanging(fires: u64) -> (FullDisk, Disk, Ms) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let mut gateway = FullDisk::working(folder);
    gateway.fires(0..1);
    gateway.turns();
    gateway.acknowledged(ALARM);
    gateway.answered();
    disk.fails(DiskFault::Hangs, 0..u64::MAX);
    let before = gateway.shell.outlets.clock.stamp().steady();
    gateway.fires(1..fires);
    gateway.turns();
    let took = gateway.shell.outlets.clock.stamp().steady() - before;
    (gateway, disk, took)
}

fn goes_back(gateway: &mut FullDisk) {
    for _ in 0..200 {
        gateway.tries_at_once();
        gateway.turns();
        if !gateway.place.is_in_memory() {
            return gateway.turns();
        }
        gateway.shell.outlets.clock.sleep(std::time::Duration::from_millis(20));
    }
    panic!("it works in memory still");
}

/// Rows that are there twice.
fn twice(gateway: &FullDisk) -> Vec<i64> {
    let reader = Reader::open(gateway.place.file()).unwrap();
    [
        "SELECT count(*) FROM (SELECT 1 FROM trail GROUP BY incident, at, hop, by, detail, code, parts
             HAVING count(*) > 1)",
        "SELECT count(*) FROM (SELECT 1 FROM page
             GROUP BY incident, episode, step, repeat, kind, receiver HAVING count(*) > 1)",
        "SELECT count(*) FROM event e JOIN event f ON e.json = f.json AND e.at = f.at AND e.id < f.id",
    ]
    .into_iter()
    .flat_map(|sql| reader.query(sql, (), |row| row.get(0)).unwrap())
    .collect()
}

#[test]
fn a_disk_that_does_not_answer_keeps_no_page() {
    let (mut gateway, disk, took) = hanging(40);
    assert!((2_900..8_000).contains(&took), "{took} ms");
    assert!(gateway.place.is_in_memory());
    let why = gateway.shell.outlets.health.degraded.of(DegradedPart::Rescue).unwrap();
    assert!(why.why.en.contains("the disk has not answered for 3 s"), "{}", why.why.en);
    let owed = gateway.owed();
    assert!(owed.len() >= 40, "{}", owed.len());
    assert_eq!((gateway.acknowledged(ALARM).len(), gateway.answered()), (0, 0));
    // It goes on in memory, and does not ask the disk for anything.
    gateway.fires(40..60);
    gateway.tries_at_once();
    gateway.turns();
    assert!(gateway.place.is_in_memory() && gateway.owed().len() >= 60);

    disk.heals();
    goes_back(&mut gateway);
    let stored = gateway.owed();
    assert!(owed.iter().all(|page| stored.contains(page)), "no page has a second id");
    assert_eq!((gateway.acknowledged(ALARM).len(), gateway.answered()), (59, 59));
    let fires = "SELECT count(*) FROM incident WHERE class = 'fire'";
    let reader = Reader::open(gateway.place.file()).unwrap();
    assert_eq!(reader.query(fires, (), |row| row.get::<_, i64>(0)).unwrap(), [60]);
    assert_eq!(twice(&gateway), [0, 0, 0], "the batch that hung is there once");
}

#[test]
fn a_disk_that_refuses_after_it_hung_has_what_memory_had() {
    let (mut gateway, disk, _) = hanging(40);
    disk.fails(DiskFault::Broken, 0..u64::MAX);
    gateway.shell.outlets.clock.sleep(std::time::Duration::from_millis(200));
    gateway.tries_at_once();
    gateway.turns();
    assert!(gateway.place.is_in_memory());
    disk.heals();
    goes_back(&mut gateway);
    let reader = Reader::open(gateway.place.file()).unwrap();
    let fires = "SELECT count(*) FROM incident WHERE class = 'fire'";
    assert_eq!(reader.query(fires, (), |row| row.get::<_, i64>(0)).unwrap(), [40]);
    assert_eq!(twice(&gateway), [0, 0, 0]);
}

#[test]
fn a_disk_that_does_not_answer_a_look_at_the_log_is_noticed_by_the_next_batch() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let mut gateway = FullDisk::working(folder);
    gateway.fires(0..20);
    gateway.turns();
    disk.fails(DiskFault::Hangs, 0..u64::MAX);
    assert!(matches!(gateway.shell.engine.checkpoint(), Err(StoreError::Hangs { .. })));
    gateway.fires(20..40);
    gateway.turns();
    assert!(gateway.place.is_in_memory() && gateway.owed().len() >= 40);
    disk.heals();
    goes_back(&mut gateway);
    assert!(gateway.owed().len() >= 40);
    assert_eq!(twice(&gateway), [0, 0, 0]);
}
