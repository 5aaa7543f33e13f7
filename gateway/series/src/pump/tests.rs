//! The pump over the real engine, store and embedded history. Over a real InfluxDB, with
//! outages: `tests/series.rs`.

use std::sync::Arc;

use standpipe_engine::health::PartStatus;
use standpipe_machine::clock::Clock;
use standpipe_store::Reader;

use crate::embedded::EmbeddedHistory;

#[path = "../rig.rs"]
mod rig;
use rig::{Rig, count};

#[tokio::test]
async fn every_reading_is_in_history_once_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    for run in 0..3_u32 {
        let path = folder.path().join("history.db");
        let series = Arc::new(EmbeddedHistory::open(&path).unwrap());
        let rig = Rig::start(folder.path(), Arc::clone(&series) as _, None);
        for n in 0..2_000 {
            rig.says(&format!("H-{}", n % 7), 1 + run * 2_000 + n, 300);
        }
        if run == 1 {
            rig.end(); // at once: what is not in history is still in the log
            continue;
        }
        rig.settled(folder.path()).await;
        let mut all = 0;
        for n in 0..7 {
            all += count(&*series, &format!("H-{n}"), clock.now()).await;
        }
        assert_eq!(all, u64::from(run + 1) * 2_000, "run {run}");
        assert_eq!(rig.health.series.status(), PartStatus::Fine);
        rig.end();
    }
    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    assert_eq!(reader.series_block().unwrap(), reader.newest_block().unwrap());
}

#[tokio::test]
async fn history_that_takes_nothing_is_said_and_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (lock, series) = {
        let series = Arc::new(EmbeddedHistory::open(&path).unwrap());
        let lock = rusqlite::Connection::open(&path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap(); // as a backup program would
        (lock, series)
    };
    let rig = Rig::start(folder.path(), Arc::clone(&series) as _, None);
    for n in 0..100 {
        rig.says("H-1", 1 + n, 300);
    }
    let started = tokio::time::Instant::now();
    while !matches!(rig.health.series.status(), PartStatus::Failing { .. }) {
        assert!(started.elapsed().as_secs() < 30, "{:?}", rig.health.series.status());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let PartStatus::Failing { why, .. } = rig.health.series.status() else { panic!("it is") };
    assert_eq!(&*why, "history.db: database is locked: check its disk");
    lock.execute_batch("ROLLBACK").unwrap();
    rig.settled(folder.path()).await;
    assert_eq!(count(&*series, "H-1", Clock::new().now()).await, 100);
    assert_eq!(rig.health.series.status(), PartStatus::Fine);
    rig.end();
}
