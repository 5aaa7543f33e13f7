//! The store's files are changed under the running gateway.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use standpipe_rules::incidents::{IdSecret, Plan};
use standpipe_store::lost::{Choice, Loss};
use standpipe_store::{Reader, Store};

use super::*;

fn tail(store: &Path, tail: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(tail);
    name.into()
}

fn cut(path: PathBuf) {
    File::options().write(true).open(path).unwrap().set_len(0).unwrap();
}

fn replace(path: PathBuf) {
    fs::copy(&path, path.with_extension("other")).unwrap();
    fs::rename(path.with_extension("other"), path).unwrap();
}

/// What is done to a store, what it is called, and whether what SQLite has open is whole.
type Harm = (&'static str, fn(&Path), Loss);

const HARMS: [Harm; 7] = [
    ("the log is removed", |store| fs::remove_file(tail(store, "-wal")).unwrap(), Loss::Gone),
    ("the log is cut", |store| cut(tail(store, "-wal")), Loss::Malformed),
    ("the file is removed", |store| fs::remove_file(store).unwrap(), Loss::Gone),
    ("the file is replaced", |store| replace(store.to_owned()), Loss::Malformed),
    ("the file is cut", |store| cut(store.to_owned()), Loss::Malformed),
    ("the index is removed", |store| fs::remove_file(tail(store, "-shm")).unwrap(), Loss::Gone),
    (
        "the folder is removed",
        |store| fs::remove_dir_all(store.parent().unwrap()).unwrap(),
        Loss::Gone,
    ),
];

/// A store, by what is in it.
fn count(path: &Path, sql: &str) -> i64 {
    Reader::open(path).unwrap().query(sql, (), |row| row.get(0)).unwrap()[0]
}

#[test]
fn nothing_is_told_as_kept_that_is_in_no_file_of_the_gateway() {
    for (story, harm, how) in HARMS {
        let mut disk = FullDisk::working(tempfile::tempdir().unwrap());
        let path = disk.place.file().to_owned();
        disk.fires(0..20);
        disk.turns();
        assert_eq!((disk.acknowledged(ALARM).len(), disk.answered()), (20, 20), "{story}");
        let (before, station) = (disk.owed(), "SELECT count(*) FROM station");
        assert!(before.len() >= 20, "{story}");

        let reader = Reader::at(&disk.place).unwrap();
        harm(&path);
        disk.fires(20..40);
        disk.turns();
        assert!(disk.place.is_in_memory() && disk.degraded(), "{story}");
        assert_eq!(
            (disk.acknowledged(ALARM).len(), disk.answered()),
            (0, 0),
            "{story}: not stored"
        );
        let owed = disk.owed();
        assert!(owed.len() >= before.len() + 20, "{story}: {} {}", owed.len(), before.len());
        assert!(before.iter().all(|page| owed.contains(page)), "{story}: the same pages");

        disk.tries_at_once();
        disk.turns();
        disk.turns();
        assert!(!disk.place.is_in_memory() && !disk.degraded(), "{story}");
        assert!(!reader.is_at(&disk.place), "{story}: who reads opens the new one");
        let lost = disk.shell.outlets.health.lost.send_replace(None).expect(story);
        assert_eq!(lost.how, how, "{story}: {lost}");
        assert_eq!(
            (disk.acknowledged(ALARM).len(), disk.answered()),
            (20, 20),
            "{story}: now it is"
        );
        let stored = disk.owed();
        assert!(owed.iter().all(|page| stored.contains(page)), "{story}: no page has a second id");
        let fires = "SELECT count(*) FROM incident WHERE class = 'fire'";
        assert_eq!((count(&path, fires), count(&path, station)), (40, 2), "{story}");

        disk.fires(40..41);
        disk.turns();
        assert_eq!(disk.answered(), 1, "{story}: as ever");
        // The next start finds all of it, and tells what became of the one before.
        let FullDisk { shell, folder, .. } = disk;
        drop(shell);
        let opened = Store::open_or_recover(&path, ("1", 1), Choice::Undecided);
        let (mut store, told) = opened.unwrap();
        assert_eq!(told.map(|lost| lost.how), Some(how), "{story}");
        let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        let open =
            loaded.world.book.open().filter(|open| open.class == standpipe_shared::Class::Fire);
        assert_eq!((open.count(), loaded.skipped.len()), (41, 0), "{story}");
        drop(folder);
    }
}

#[test]
fn a_file_that_is_removed_while_the_disk_is_full_is_written_anew() {
    let mut disk = FullDisk::new();
    let path = disk.place.file().to_owned();
    disk.fires(0..40);
    disk.turns();
    fs::remove_file(tail(&path, "-wal")).unwrap();
    disk.there_is_room();
    disk.turns();
    assert!(disk.place.is_in_memory(), "that file takes nothing that stays");
    assert_eq!(disk.answered(), 0);
    disk.tries_at_once();
    disk.turns();
    disk.turns();
    assert!(!disk.place.is_in_memory());
    assert_eq!(disk.answered(), 40);
    assert_eq!(count(&path, "SELECT count(*) FROM incident WHERE class = 'fire'"), 40);
}

#[test]
fn what_was_closed_in_a_log_that_is_lost_does_not_burn_again() {
    let mut disk = FullDisk::working(tempfile::tempdir().unwrap());
    let path = disk.place.file().to_owned();
    disk.fires(0..3);
    disk.turns();
    // The file itself has them now.
    disk.shell.engine.checkpoint().unwrap();
    let fire =
        |open: &&standpipe_rules::incidents::Incident| open.class == standpipe_shared::Class::Fire;
    let incident = disk.shell.engine.world().book.open().find(fire).unwrap().id;
    let act = |disk: &FullDisk, kind| {
        let (by, note) = ("Li".into(), "a pan".into());
        let action =
            standpipe_rules::incidents::Action { incident, kind, by, note, seen: "".into() };
        let actor = standpipe_rules::incidents::Actor::admin("admin").into();
        disk.handle.try_send(Input::Act { actor, action }).unwrap();
    };
    act(&disk, standpipe_rules::incidents::ActionKind::Acknowledge);
    act(&disk, standpipe_rules::incidents::ActionKind::Resolve);
    disk.turns();
    disk.says(ALARM, "a/S-0/alarm", r#"{"condition":"smoke","active":false}"#, 700);
    disk.turns();
    // Nobody took it back.
    let later = disk.shell.outlets.clock.now() + 31_000;
    disk.shell.engine.tick(later);
    disk.handle.try_send(Input::KeepAll).unwrap();
    disk.turns();
    let open = "SELECT count(*) FROM incident WHERE open = 1 AND class = 'fire'";
    assert_eq!(count(&path, open), 2);
    cut(tail(&path, "-wal"));
    disk.fires(3..4);
    disk.turns();
    disk.tries_at_once();
    disk.turns();
    disk.turns();
    assert!(!disk.place.is_in_memory());
    assert_eq!(count(&path, open), 3);
}
