//! The pump over the real engine, store and embedded history. Over a real InfluxDB, with
//! outages: `tests/series.rs`.

use std::sync::Arc;

use standpipe_engine::health::PartStatus;
use standpipe_machine::clock::Clock;
use standpipe_rules::HOUR_MS;
use standpipe_store::Reader;
use standpipe_store::accounts::Area;
use standpipe_store::views::ListPage;
use standpipe_store::views::ledger::{self, LedgerFilter};

use crate::embedded::EmbeddedHistory;

/// Less than 20,000 readings take in the log, bytes.
const CEILING: u64 = 100_000;

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
async fn what_waits_for_history_stays_under_its_ceiling_and_what_is_given_up_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let series = Arc::new(EmbeddedHistory::open(&path).unwrap());
    let lock = rusqlite::Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let rig = Rig::start_under(folder.path(), (Arc::clone(&series) as _, None), CEILING);
    for n in 0..20_000 {
        rig.says(&format!("H-{}", n % 7), 1 + n, 300);
    }
    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    let started = tokio::time::Instant::now();
    let told = loop {
        assert!(started.elapsed().as_secs() < 60, "{:?}", rig.health.series.status());
        if let Some(trouble) = rig.health.degraded.list().pop() {
            break trouble;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(told.detail.contains("readings are lost to history"), "{told:?}");
    while reader.log_bytes_after(reader.series_block().unwrap()).unwrap() > CEILING {
        assert!(started.elapsed().as_secs() < 60, "the log is still over its ceiling");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    lock.execute_batch("ROLLBACK").unwrap();
    rig.settled(folder.path()).await;
    let mut kept = 0;
    for n in 0..7 {
        kept += count(&*series, &format!("H-{n}"), Clock::new().now()).await;
    }
    let all = LedgerFilter { from: 0, to: Clock::new().now() + HOUR_MS, device: None };
    let page = ListPage { page: 1, per_page: 100 };
    let ledger = ledger::list(reader.connection(), &Area::All, &all, page).unwrap();
    let given_up = ledger.items.iter().map(|sum| sum.given_up).sum::<u64>();
    assert!(given_up > 0 && kept > 0, "{given_up} {kept}");
    assert_eq!(kept + given_up, 20_000, "each is in history or in the ledger");
    assert!(rig.health.degraded.list().is_empty(), "over when history takes readings again");
    rig.end();
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
