//! A disk that is full or breaks, at every step of a commit: nothing is lost, and nothing is there twice.
//! And one that is the same twice: a seed's life writes the same bytes.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use standpipe_disk::{Disk, DiskFault};
use standpipe_shared::SplitMix64;

use super::lives::{Deed, Life, any_deed};
use super::*;
use crate::crash_tests::{Event, Sent, Town};

/// What a batch brings: readings, a fire, a hydrant that stands open, one that is back.
fn messages() -> Vec<Sent> {
    let mut all = Vec::new();
    for n in 0..4 {
        let json = format!(r#"{{"boot":1,"seq":{},"ts":{T0},"pressure_kpa":{n}00.0}}"#, n + 1);
        all.push(Sent::at(T0 + 100, &format!("a/H-{n}/telemetry"), &json));
    }
    let smoke = r#"{"boot":1,"seq":9,"condition":"smoke","active":true}"#;
    all.push(Sent::at(T0 + 200, "a/S-1/alarm", smoke));
    let tamper = r#"{"boot":1,"seq":7,"condition":"tamper","active":true}"#;
    all.push(Sent::at(T0 + 300, "a/H-2/alarm", tamper));
    all.push(Sent::at(T0 + 400, "a/H-3/status", r#"{"online":true}"#));
    all
}

const NOW: Ms = T0 + 500;
const LATER: Ms = T0 + 10_000;

fn told() -> (Town, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let mut town = Town::of(folder);
    messages().iter().for_each(|sent| town.says(sent));
    (town, disk)
}

/// How many steps the commit of [`messages`] takes, and what is kept then.
fn steady() -> (u64, Vec<String>) {
    let (mut town, disk) = told();
    let before = disk.steps();
    town.commit(NOW);
    (disk.steps() - before, town.kept(LATER))
}

#[test]
fn a_commit_that_fails_at_any_step_is_made_once_by_the_next_attempt() {
    let (steps, expected) = steady();
    assert!(steps > 20, "frames, and a sync: {steps}");
    for (fault, step) in [DiskFault::Broken, DiskFault::Full]
        .into_iter()
        .flat_map(|fault| (0..steps).map(move |step| (fault, step)))
    {
        let (mut town, disk) = told();
        disk.fails(fault, step..step + 1);
        let failed = town.attempts(NOW);
        let is_full = matches!(failed, Err(StoreError::Full(_)));
        match fault {
            DiskFault::Broken => assert!(failed.is_err() && !is_full, "step {step}: {failed:?}"),
            DiskFault::Full => assert!(failed.is_ok() || is_full, "step {step}: {failed:?}"),
            DiskFault::Hangs => unreachable!("not asked for"),
        }
        assert!(town.attempts(NOW).is_ok(), "{fault:?} at step {step}: it was once");
        town.forgets_what_it_sent();
        assert_eq!(town.kept(LATER), expected, "{fault:?} at step {step}");
    }
}

#[test]
fn a_disk_that_dies_at_any_step_leaves_a_store_that_goes_on_after_a_crash() {
    let (mut town, disk) = told();
    town.commit(NOW);
    town.reconnects(NOW);
    let expected = town.kept(LATER);
    let (steps, _) = steady();
    drop(disk);
    for step in 0..steps {
        let (mut town, disk) = told();
        disk.fails(DiskFault::Broken, step..u64::MAX);
        assert!(town.attempts(NOW).is_err(), "step {step}");
        assert!(town.attempts(NOW).is_err(), "step {step}: it is dead");
        town.crash(NOW);
        assert_eq!(town.kept(LATER), expected, "step {step}");
    }
}

/// In which folder a child of the test below leaves what it wrote.
const CHILD: &str = "STANDPIPE_SAME_BYTES";

/// Plays a random life of that seed, in which the disk fails now and then, and copies what it wrote.
fn live(seed: u8, into: &Path) {
    standpipe_disk::random_from(seed.into());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let deeds = prop::collection::vec(any_deed(), 300).new_tree(&mut runner).unwrap().current();
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let (mut life, mut chance, mut failed) = (Life::of(folder), SplitMix64(seed.into()), 0);
    for deed in &deeds {
        let fails = matches!(deed, Deed::Event(Event::Commit)) && chance.bits() % 3 == 0;
        if fails {
            let step = chance.bits() % 12;
            disk.fails(DiskFault::Broken, step..step + 1);
            life.engine.tick(life.now);
            if life.engine.commit(life.now).is_err() {
                failed += 1;
                life.engine.commit(life.now).unwrap();
            }
            disk.heals();
        }
        life.does(deed);
    }
    life.commits();
    assert!(failed > 3, "it failed {failed} times");
    for name in ["standpipe.db", "standpipe.db-wal"] {
        std::fs::copy(life.path().with_file_name(name), into.join(name)).unwrap();
    }
}

/// Each life is a process of its own: SQLite draws its random numbers once a process.
#[test]
fn the_same_seed_writes_the_same_bytes() {
    if let Some(into) = std::env::var_os(CHILD) {
        let into = PathBuf::from(into);
        return live(std::fs::read(into.join("seed")).unwrap()[0], &into);
    }
    let written = [1, 1, 2].map(|seed: u8| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seed"), [seed]).unwrap();
        let name = "tests::disk::the_same_seed_writes_the_same_bytes";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--test-threads=1"])
            .env(CHILD, folder.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        ["standpipe.db", "standpipe.db-wal"]
            .map(|name| std::fs::read(folder.path().join(name)).unwrap())
    });
    assert!(written[0][1].len() > 100_000, "{} bytes", written[0][1].len());
    assert!(written[0] == written[1], "the same life twice");
    assert!(written[0] != written[2], "another life");
}
