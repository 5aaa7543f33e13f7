//! The stories every history must live up to, and what only this one does.

use std::sync::Arc;

use standpipe_machine::clock::Clock;
use standpipe_rules::changes::Logged;
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_shared::{Field, Kind, Measurements};
use standpipe_store::views::history::DeviceTags;
use tempfile::TempDir;

use super::{EmbeddedHistory, MIGRATIONS, OpenError, connect, open};
use crate::{HOURLY_DAYS, HistoryQuery, RAW_DAYS, ReadingBatch, Series, Tags};

#[path = "../stories.rs"]
mod stories;

struct Subject(EmbeddedHistory, TempDir);

impl Subject {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let series = EmbeddedHistory::open(&folder.path().join("history.db")).unwrap();
        Self(series, folder)
    }

    fn count(&self, table: &str) -> i64 {
        let conn = connect(&self.1.path().join("history.db")).unwrap();
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }
}

impl stories::HistoryStage for Subject {
    fn series(&self) -> &dyn Series {
        &self.0
    }

    async fn roll_up(&self, now: Ms) {
        while self.0.upkeep(now).await.unwrap() {}
    }
}

#[tokio::test]
async fn it_does_what_every_history_must() {
    stories::all(&Subject::new(), Clock::new().now()).await;
}

/// Two devices, one reading of each at every given moment.
fn pair(times: impl IntoIterator<Item = Ms>) -> Arc<ReadingBatch> {
    let mut values = Measurements::default();
    values.set(Field::TempC, 21.5).unwrap();
    let row = |ix, device| DeviceTags { ix, kind: Kind::Smoke, device, station: "S", zone: "" };
    let tags = Tags::new([row(DeviceIx(0), "D-0"), row(DeviceIx(1), "D-1")]);
    let readings = times.into_iter().flat_map(|ts| {
        [0, 1].map(|ix| Logged {
            device: DeviceIx(ix),
            arrived: ts,
            ts,
            series_ts: ts,
            boot: None,
            seq: None,
            print: 0,
            clock_bad: Some(false),
            claimed: None,
            values,
        })
    });
    Arc::new(ReadingBatch { readings: readings.collect(), tags: Arc::new(tags) })
}

const NOW: Ms = 1_764_000_000_000;

#[tokio::test]
async fn raw_readings_go_after_ninety_days_and_hours_after_five_years() {
    let subject = Subject::new();
    let days = RAW_DAYS - 1;
    let times = (0..days * 24).map(|n| NOW - days * DAY_MS + n * HOUR_MS);
    subject.0.write(pair(times), NOW).await.unwrap();
    let rows = 2 * 24 * days;
    stories::HistoryStage::roll_up(&subject, NOW + 2 * HOUR_MS).await;
    assert_eq!(
        (subject.count("raw"), subject.count("hourly"), subject.count("stale")),
        (rows, rows, 0)
    );

    stories::HistoryStage::roll_up(&subject, NOW + DAY_MS + HOUR_MS).await;
    assert_eq!(
        (subject.count("raw"), subject.count("hourly")),
        (rows - 2, rows),
        "an hour of each went"
    );
    let later = NOW + (RAW_DAYS + 1) * DAY_MS;
    stories::HistoryStage::roll_up(&subject, later).await;
    assert_eq!((subject.count("raw"), subject.count("hourly")), (0, rows));
    let query = HistoryQuery {
        device: "D-1".into(),
        field: Field::TempC,
        from: 0,
        to: later,
        step_ms: 366 * DAY_MS,
    };
    let points = subject.0.history(query, later).await.unwrap();
    assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 24 * days as u64);
    assert!(points.iter().all(|point| (point.min, point.mean, point.max) == (21.5, 21.5, 21.5)));

    stories::HistoryStage::roll_up(&subject, NOW + (HOURLY_DAYS + 1) * DAY_MS).await;
    assert_eq!(subject.count("hourly"), 0);
}

#[tokio::test]
async fn upkeep_goes_in_steps_between_which_batches_are_written() {
    let subject = Subject::new();
    subject.0.write(pair((0..500).map(|n| NOW + n * HOUR_MS)), NOW).await.unwrap();
    let later = NOW + 501 * HOUR_MS;
    let mut steps = 0;
    while subject.0.upkeep(later).await.unwrap() {
        steps += 1;
        subject.0.write(pair([later - steps]), later).await.unwrap();
    }
    assert!(steps >= 10, "1,000 hours in {steps} steps");
    assert_eq!(subject.count("hourly"), 1_000);
    assert_eq!(subject.count("raw"), 1_000 + 2 * steps);
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let conn = open(&path).unwrap();
    conn.pragma_update(None, "max_page_count", 40).unwrap();
    let subject = Subject(EmbeddedHistory::start(conn, connect(&path).unwrap()).unwrap(), folder);
    let small = pair([NOW]);
    subject.0.write(Arc::clone(&small), NOW).await.unwrap();
    let large = pair((0..5_000).map(|n| NOW + 10 + n));
    let full = subject.0.write(Arc::clone(&large), NOW).await.unwrap_err();
    assert_eq!(full.to_string(), "history.db: database or disk is full: check its disk");
    assert_eq!(subject.count("raw"), 2, "nothing of the large batch");

    let roomy = Subject(EmbeddedHistory::open(&path).unwrap(), subject.1);
    roomy.0.write(large, NOW).await.unwrap();
    assert_eq!(roomy.count("raw"), 10_002);
}

#[test]
fn a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let newer = MIGRATIONS.len() as i64 + 1;
    open(&path).unwrap().pragma_update(None, "user_version", newer).unwrap();
    assert!(matches!(open(&path), Err(OpenError::TooNew { found, .. }) if found == newer));
}

#[tokio::test]
async fn what_is_in_the_file_is_there_after_a_restart() {
    let subject = Subject::new();
    subject.0.write(pair([NOW, NOW + 1]), NOW).await.unwrap();
    let Subject(series, folder) = subject;
    drop(series);
    let reopened =
        Subject(EmbeddedHistory::open(&folder.path().join("history.db")).unwrap(), folder);
    reopened.0.write(pair([NOW + 1, NOW + 2]), NOW).await.unwrap();
    assert_eq!((reopened.count("raw"), reopened.count("device")), (6, 2));
}
