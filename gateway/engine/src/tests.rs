//! The engine over a real store: nothing is let go before it is kept, and a crash changes nothing.

mod actions;
mod answers;
mod archived;
mod clock;
mod disk;
mod entries;
mod gathering;
mod lives;
mod queue;
mod reports;
mod source;
mod statuses;
mod working;

use std::path::{Path, PathBuf};
use std::time::Duration;

use standpipe_machine::clock::{Clock, Moment, Stamp};
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Action, ActionKind, Actor, IdSecret, Plan, Refused};
use standpipe_rules::registry::{Device, DeviceIx, Level, Station};
use standpipe_rules::wire::{Rejected, RejectedReason, parse};
use standpipe_shared::{Kind, ROOT};
use standpipe_store::{Reader, Store};
use tempfile::TempDir;
use ulid::Ulid;

use super::*;
use crate::health::{Health, PartStatus};
use crate::source::receipts;

pub(super) const T0: Ms = 1_764_000_000_000;
/// The places in [`Sources::urgent_and_bulk`].
pub(crate) const ALARM: SourceIx = SourceIx::nth(0);
pub(crate) const TELEMETRY: SourceIx = SourceIx::nth(1);

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) engine: Engine,
}

fn station(id: &str, level: Level, parent: Option<&str>) -> Station {
    Station {
        id: id.into(),
        name: id.into(),
        level,
        parent: parent.map(Into::into),
        lat: 29.4,
        lon: 106.5,
        phone: None,
    }
}

fn device(n: u32) -> Device {
    Device {
        id: format!("H-{n}").into(),
        kind: Kind::Hydrant,
        name: format!("Hydrant {n}").into(),
        station: "town".into(),
        zone: "north".into(),
        profile: "municipal".into(),
        lat: Some(29.4),
        lon: Some(106.5),
        address: "".into(),
        building: "".into(),
        floor: "".into(),
        interval_s: Some(900),
        installed_on: "".into(),
        decoder: "".into(),
        area: "a".into(),
        claimed: true,
        retired_at: None,
        replaces: None,
    }
}

fn open(path: &Path, now: Ms) -> Engine {
    let mut store = Store::open(path).unwrap();
    let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    Engine::new(store, loaded, &Sources::urgent_and_bulk(), now)
}

impl Bench {
    /// Two stations and so many hydrants; both lanes are up.
    pub(crate) fn new(devices: u32) -> Self {
        Self::of(tempfile::tempdir().unwrap(), devices)
    }

    /// The same, in that folder.
    pub(super) fn of(folder: TempDir, devices: u32) -> Self {
        let path = folder.path().join("standpipe.db");
        let mut store = Store::open(&path).unwrap();
        let stations = [
            station("district", Level::District, None),
            station("town", Level::Township, Some("district")),
        ];
        store.import(&stations, &(0..devices).map(device).collect::<Vec<_>>()).unwrap();
        drop(store);
        let mut engine = open(&path, T0);
        for source in [ALARM, TELEMETRY] {
            engine.take(Input::Source { source, up: true }.at(T0), T0);
        }
        engine.commit(T0).unwrap();
        Self { folder, engine }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("standpipe.db")
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.path()).unwrap()
    }

    /// What a machine that loses power now leaves on the disk, started again.
    pub(super) fn crashed(&self, now: Ms) -> Self {
        let (folder, store) = self.copied();
        drop(store);
        let engine = open(&folder.path().join("standpipe.db"), now);
        Self { folder, engine }
    }

    /// The same, by the clock as it tells then.
    pub(super) fn restarted(&self, now: &Moment) -> Self {
        let mut store = self.copied();
        let mut loaded = store.1.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        came_back(&mut loaded, now);
        let sources = Sources::urgent_and_bulk();
        Self { folder: store.0, engine: Engine::new(store.1, loaded, &sources, now.wall) }
    }

    fn copied(&self) -> (TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["standpipe.db", "standpipe.db-wal"] {
            let from = self.folder.path().join(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
        let store = Store::open(&folder.path().join("standpipe.db")).unwrap();
        (folder, store)
    }

    pub(super) fn says(&mut self, what: &str, json: &str, at: Ms, pkid: u16) {
        let source = if what.ends_with("/telemetry") { TELEMETRY } else { ALARM };
        let topic = format!("{ROOT}/{what}");
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        let topic = topic.into();
        let arrived = Stamp::after(at, self.engine.set).into();
        let receipt = (pkid > 0).then(|| Receipt::new(pkid.into()));
        let delivery = Delivery { source, receipt, arrived, topic, parsed };
        self.engine.take(delivery, at);
    }

    fn reads(&mut self, n: u32, seq: u32, kpa: f32, at: Ms) {
        let json = format!(r#"{{"boot":1,"seq":{seq},"ts":{at},"pressure_kpa":{kpa}}}"#);
        self.says(&format!("a/H-{n}/telemetry"), &json, at, seq as u16);
    }

    pub(super) fn commit(&mut self, now: Ms) -> Done {
        self.engine.tick(now);
        self.engine.commit(now).unwrap()
    }

    fn count(&self, sql: &str) -> i64 {
        self.reader().query(sql, (), |row| row.get(0)).unwrap()[0]
    }

    pub(super) fn remembered(&self) -> Vec<Vec<u8>> {
        let world = self.engine.world();
        let count = u32::try_from(world.registry().devices().len()).unwrap();
        (0..count).map(|ix| world.memory_body(DeviceIx(ix))).collect()
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_kept() {
    let mut bench = Bench::new(3);
    bench.reads(0, 1, 300.0, T0 + 10);
    bench.reads(1, 2, 300.0, T0 + 11);
    bench.says("a/H-2/alarm", r#"{"condition":"tamper","active":true}"#, T0 + 12, 9);
    assert_eq!(bench.count("SELECT COUNT(*) FROM log"), 0);
    let done = bench.commit(T0 + 20);
    assert_eq!(done.receipts, [vec![Receipt::new(9)], vec![Receipt::new(1), Receipt::new(2)]]);
    assert_eq!(
        bench.count("SELECT SUM(readings) FROM log"),
        bench.engine.store().newest_block() * 3
    );
}

#[test]
fn power_fails_between_any_two_batches_and_nothing_is_different() {
    let mut bench = Bench::new(5);
    let mut at = T0;
    for round in 1..=40u32 {
        for n in 0..5 {
            at += 700;
            // The third hydrant runs dry after a while. (How many duplicates came is the one
            // thing that the log does not repeat.)
            let kpa = if n == 2 && round > 10 { 0.0 } else { 250.0 + round as f32 };
            bench.reads(n, round, kpa, at);
        }
        bench.commit(at);
        if round % 7 != 0 {
            continue;
        }
        let again = bench.crashed(at);
        assert_eq!(again.remembered(), bench.remembered(), "round {round}");
        let ids = |bench: &Bench| {
            let mut ids: Vec<_> = bench.engine.world().book.open().cloned().collect();
            ids.sort_by_key(|incident| incident.id);
            ids
        };
        assert_eq!(ids(&again), ids(&bench), "round {round}");
    }
    assert!(bench.count("SELECT COUNT(*) FROM memory") == 5);
}

#[test]
fn a_message_delivered_again_after_a_crash_is_a_duplicate() {
    let mut bench = Bench::new(2);
    for seq in 1..=100 {
        bench.reads(0, seq, 300.0, T0 + Ms::from(seq) * 1_000);
    }
    bench.commit(T0 + 100_000);
    let mut again = bench.crashed(T0 + 110_000);
    for seq in 1..=100 {
        let ts = T0 + Ms::from(seq) * 1_000;
        let json = format!(r#"{{"boot":1,"seq":{seq},"ts":{ts},"pressure_kpa":300}}"#);
        again.says("a/H-0/telemetry", &json, T0 + 111_000, seq);
    }
    let done = again.commit(T0 + 112_000);
    assert_eq!(done.receipts[1].len(), 100);
    assert_eq!(again.count("SELECT SUM(readings) FROM log"), 100);
}

#[test]
fn memories_are_kept_within_seconds_and_the_log_is_cut_behind_history() {
    let mut bench = Bench::new(2);
    let per_batch = 1_000u32;
    let batches = 80;
    let mut at = T0;
    for batch in 0..batches {
        for n in 1..=per_batch {
            at += 10;
            bench.reads(0, batch * per_batch + n, 300.0, at);
        }
        let block = bench.engine.store().newest_block();
        bench.engine.take(Input::SeriesAt { block }, at);
        bench.commit(at);
    }
    let upto = bench.count("SELECT upto FROM memory WHERE ix = 0");
    assert!(upto > i64::from(batches) - 4, "kept every 2 s: {upto}");
    let kept = bench.count("SELECT SUM(readings) FROM log");
    assert!((32_768..34_900).contains(&kept), "what redeliveries need: {kept}");

    at += DIRTY_FOR_MS;
    bench.engine.take(Input::SeriesAt { block: 1 }, at);
    bench.commit(at);
    assert_eq!(bench.engine.store().series_block(), i64::from(batches) - 1, "never back");
    assert_eq!(bench.count("SELECT upto FROM memory WHERE ix = 0"), i64::from(batches));
    let mut store = Store::open(&bench.crashed(at).path());
    assert!(store.is_err(), "one writer a store");
    drop(bench.engine);
    store = Store::open(&bench.folder.path().join("standpipe.db"));
    let loaded = store.unwrap().load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    assert_eq!(loaded.replayed, 0);
}

#[test]
fn a_full_disk_holds_everything_back_until_there_is_room() {
    let mut bench = Bench::new(50);
    let limit = |bench: &Bench, pages: i64| bench.engine.store().limit_pages(pages).unwrap();
    bench.commit(T0 + 1_000);
    limit(&bench, 1);
    let mut now = T0 + 5_000;
    // There may be a little room left in the file: fill it.
    let failed = loop {
        for n in 0..50 {
            bench.reads(n, ((now - T0) / 1_000) as u32, 300.0, now);
        }
        bench.engine.tick(now);
        match bench.engine.commit(now) {
            Ok(_) => now += 1_000,
            Err(why) => break why,
        }
    };
    assert!(matches!(failed, StoreError::Full(_)), "{failed}");
    assert!(bench.engine.is_held());
    let (blocks, readings) = (bench.engine.store().newest_block(), bench.engine.taken());
    assert_eq!(readings, 50);

    for wait in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        assert_eq!(bench.engine.next_wake(now), now + wait, "twice as long each time, up to 5 s");
        now += wait;
        assert!(bench.engine.commit(now).is_err());
    }
    assert_eq!(bench.engine.store().newest_block(), blocks, "nothing was kept");

    limit(&bench, 1_000_000);
    let done = bench.engine.commit(now).unwrap();
    assert_eq!(done.receipts[1].len(), 50, "acknowledged once");
    assert_eq!(bench.engine.store().newest_block(), blocks + 1, "kept once");
    assert!(!bench.engine.is_held());
    let again = bench.engine.commit(now).unwrap();
    assert!(again.receipts.is_empty());
    assert!(again.position > done.position, "memories that were dirty");
    let nothing = bench.engine.commit(now).unwrap();
    assert_eq!(nothing.position, again.position, "nothing to keep, nothing appended");
    assert_eq!(bench.engine.store().newest_block(), blocks + 1);
    assert_eq!(bench.crashed(now).remembered(), bench.remembered());
}

#[test]
fn bad_messages_are_kept_in_bounds_and_acknowledged() {
    let mut bench = Bench::new(1);
    for batch in 0..320 {
        for n in 0..100u16 {
            bench.says("a/H-0/telemetry", "{not json", T0 + batch, 100 + n);
        }
        let done = bench.commit(T0 + batch);
        assert_eq!(done.receipts[1].len(), 100);
    }
    let rows = bench.count("SELECT COUNT(*) FROM quarantine");
    assert_eq!(rows, standpipe_store::QUARANTINE_ROWS);
    assert_eq!(bench.count("SELECT COUNT(*) FROM quarantine WHERE device <> 'H-0'"), 0);
    let all = bench.count("SELECT SUM(messages) FROM rejected WHERE reason = 'not_json'");
    assert_eq!(all, 320 * 100, "all are counted");
    let payload = vec![b'x'; 100_000];
    let rejected =
        Rejected { reason: RejectedReason::NotJson, detail: "x".into(), payload, count: 1 };
    let parsed = standpipe_rules::wire::Parsed { rejected: vec![rejected], ..Default::default() };
    let topic = "t".into();
    let delivery = Delivery { source: ALARM, receipt: None, arrived: T0.into(), topic, parsed };
    bench.engine.take(delivery, T0);
    assert!(bench.commit(T0 + 100).receipts.is_empty(), "QoS 0 wants no acknowledgement");
    assert_eq!(bench.count("SELECT MAX(LENGTH(payload)) FROM quarantine"), 4_096);
}

#[test]
fn an_ask_is_answered_when_it_is_kept() {
    let mut bench = Bench::new(1);
    let (reply, mut answer) = oneshot::channel();
    let action = Action {
        incident: ulid::Ulid::from_parts(1, 1),
        kind: ActionKind::Acknowledge,
        by: "Li".into(),
        note: "".into(),
        seen: "".into(),
    };
    bench.engine.take(Input::Act { actor: Actor::admin("admin").into(), action }.asked(reply), T0);
    let (reply, mut place) = oneshot::channel();
    let device = Box::new(device(9));
    bench.engine.take(Input::PutDevice(device).asked(reply), T0);
    assert!(answer.try_recv().is_err() && place.try_recv().is_err());
    bench.commit(T0);
    assert_eq!(answer.try_recv(), Ok(EntryOutcome::Acted(Err(Refused::Unknown))));
    assert_eq!(place.try_recv(), Ok(EntryOutcome::Placed(DeviceIx(1))));
    assert_eq!(bench.count("SELECT ix FROM device WHERE id = 'H-9'"), 1);
}

#[test]
fn the_thread_drains_its_queues_and_keeps_everything_before_it_ends() {
    let Bench { folder, engine } = Bench::new(3);
    let sources = Sources::urgent_and_bulk();
    let (handle, queues) = queues(&sources);
    let (bells, rings) = bells();
    let ((alarm, mut alarm_in), (telemetry, mut telemetry_in)) = (receipts(), receipts());
    let health = std::sync::Arc::new(Health::of(&sources));
    let clock = Clock::new();
    let outlets = Outlets {
        clock: clock.clone(),
        bells,
        receipts: vec![alarm, telemetry],
        health: health.clone(),
        place: engine.store().path().to_owned().into(),
        ballast: None,
        marks: None,
    };
    let thread = std::thread::spawn(move || run(engine, queues, outlets, || true));
    let (started, at) = (clock.instant(), clock.now());
    for n in 1..=5_000u32 {
        let topic = format!("{ROOT}/a/H-{}/telemetry", n % 3);
        let json = format!(r#"{{"boot":1,"seq":{n},"pressure_kpa":300}}"#);
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        let (source, receipt, topic) = (TELEMETRY, Some(Receipt::new(n.into())), "".into());
        let delivery = Delivery { source, receipt, arrived: at.into(), topic, parsed };
        handle.deliver(delivery).unwrap();
    }
    let parsed = parse(
        ROOT,
        format!("{ROOT}/a/H-1/alarm").as_bytes(),
        br#"{"condition":"tamper","active":true}"#,
    );
    let (source, receipt, topic) = (ALARM, Some(Receipt::new(77)), "".into());
    handle.deliver(Delivery { source, receipt, arrived: at.into(), topic, parsed }).unwrap();
    drop(handle);
    thread.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));

    assert_eq!(alarm_in.try_recv(), Ok(vec![Receipt::new(77)]));
    let mut acked = Vec::new();
    while let Ok(receipts) = telemetry_in.try_recv() {
        acked.extend(receipts.into_iter().map(Receipt::token));
    }
    assert_eq!(acked, (1..=5_000).collect::<Vec<_>>());
    assert_eq!(health.store.status(), PartStatus::Fine);
    assert!(*rings.log.borrow() > 0);
    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    let count = |sql: &str| reader.query(sql, (), |row| row.get::<_, i64>(0)).unwrap()[0];
    let ledger = count("SELECT SUM(received) FROM ledger");
    assert_eq!(ledger, 5_000);
    assert_eq!(count("SELECT MIN(upto) FROM memory"), *rings.log.borrow());
}

#[test]
fn a_place_in_a_queue_is_small_since_all_of_them_are_reserved() {
    assert!(size_of::<Inbox>() <= 16, "{} bytes: box what is large", size_of::<Inbox>());
}

#[test]
fn a_queue_that_is_full_says_so_at_once() {
    let (handle, queues) = queues(&Sources::urgent_and_bulk());
    let big = |len| {
        let payload = vec![0; len];
        let rejected =
            Rejected { reason: RejectedReason::NotJson, detail: "".into(), payload, count: 1 };
        let parsed =
            standpipe_rules::wire::Parsed { rejected: vec![rejected], ..Default::default() };
        Delivery {
            source: TELEMETRY,
            receipt: Some(Receipt::new(1)),
            arrived: T0.into(),
            topic: "".into(),
            parsed,
        }
    };
    handle.deliver(big(2 * STAGED_BYTES)).unwrap();
    assert_eq!(handle.deliver(big(1)), Err(Unavailable::Busy), "memory is bounded");
    let Ok(Inbox::Delivery(first)) = queues.bulk.try_recv() else { panic!("it was sent") };
    queues.staged.less(&first);
    for _ in 0..BULK_QUEUE {
        handle.deliver(big(1)).unwrap();
    }
    assert_eq!(handle.deliver(big(1)), Err(Unavailable::Busy));
    let alarm = Delivery { source: ALARM, ..big(1) };
    assert_eq!(handle.deliver(alarm), Ok(()), "an alarm has a queue of its own");
    assert_eq!(
        handle.waiting(),
        QueueLengths { urgent: 1, statuses: 0, actions: 0, bulk: BULK_QUEUE }
    );
    drop(queues);
    assert_eq!(handle.deliver(big(1)), Err(Unavailable::Stopped));
}

#[test]
fn alarms_of_the_telemetry_lane_overtake_readings_and_leave_the_alarm_lane_its_room() {
    let (handle, queues) = queues(&Sources::urgent_and_bulk());
    let says = |topic: &str, source| {
        let full = format!("{ROOT}/{topic}");
        let parsed = parse(ROOT, full.as_bytes(), b"ON");
        let receipt = Some(Receipt::new(1));
        Delivery { source, receipt, arrived: T0.into(), topic: "".into(), parsed }
    };
    handle.deliver(says("a/H-1/telemetry", TELEMETRY)).unwrap();
    handle.deliver(says("a/b/c/alarm", TELEMETRY)).unwrap();
    assert_eq!(handle.waiting(), QueueLengths { urgent: 1, statuses: 0, actions: 0, bulk: 1 });
    for _ in 0..URGENT_QUEUE {
        handle.deliver(says("a/b/c/alarm", TELEMETRY)).unwrap();
    }
    let QueueLengths { urgent, bulk, .. } = handle.waiting();
    assert_eq!((urgent, bulk), (URGENT_QUEUE / 4, URGENT_QUEUE * 3 / 4 + 2), "none is lost");
    assert_eq!(handle.deliver(says("a/SD-1/alarm", ALARM)), Ok(()));
    drop(queues);
}
