//! A gateway from its queues to its history, without a broker: the real engine, store and pump.
//! Used by this crate's tests and by `tests/series.rs`.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use standpipe_engine::health::Health;
use standpipe_engine::{
    Delivery, Engine, EngineHandle, Outlets, SourceIx, Sources, bells, queues, run,
};
use standpipe_machine::clock::Clock;
use standpipe_rules::incidents::{IdSecret, Plan};
use standpipe_rules::wire::parse;
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_series::pump::{PumpSetup, start};
use standpipe_series::records::Records;
use standpipe_series::{HistoryQuery, Series};
use standpipe_shared::{Field, ROOT};
use standpipe_store::{Reader, Store, StorePlace};
use tokio_util::sync::CancellationToken;

/// A running gateway without a broker.
pub struct Rig {
    /// Takes what a lane would deliver.
    pub engine: EngineHandle,
    /// What the parts say of themselves.
    pub health: Arc<Health>,
    clock: Clock,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Rig {
    /// Starts it over the store in a folder, made if need be.
    pub fn start(folder: &Path, series: Arc<dyn Series>, records: Option<Records>) -> Self {
        Self::start_under(folder, (series, records), u64::MAX)
    }

    /// The same; at most so many bytes of the log may wait for history.
    pub fn start_under(
        folder: &Path,
        (series, records): (Arc<dyn Series>, Option<Records>),
        log_bytes: u64,
    ) -> Self {
        let path = folder.join("standpipe.db");
        let clock = Clock::new();
        let mut store = Store::open(&path).unwrap();
        let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        let sources = Sources::urgent_and_bulk();
        let engine = Engine::new(store, loaded, &sources, clock.now());
        let (handle, queues) = queues(&sources);
        let (bells, rings) = bells();
        let health = Arc::new(Health::of(&sources));
        let place = StorePlace::new(path.clone());
        let outlets = Outlets {
            clock: clock.clone(),
            bells,
            receipts: Vec::new(),
            health: Arc::clone(&health),
            place: place.clone(),
            ballast: None,
            marks: None,
        };
        let run = std::thread::spawn(move || run(engine, queues, outlets, || true));
        let stop = CancellationToken::new();
        let pump = start(PumpSetup {
            series,
            records,
            engine: handle.clone(),
            log: rings.log.clone(),
            log_bytes,
            clock: clock.clone(),
            health: Arc::clone(&health),
            place,
            stop: stop.clone(),
        })
        .unwrap();
        Self { engine: handle, health, clock, stop, threads: vec![pump, run] }
    }

    /// Ends it in order, as a stop does: the pump, then the engine.
    pub fn end(self) {
        let Self { engine, stop, threads, .. } = self;
        stop.cancel();
        drop(engine);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    /// A device says what it measures, now.
    pub fn says(&self, device: &str, seq: u32, kpa: u32) {
        let json = format!(r#"{{"boot":1,"seq":{seq},"pressure_kpa":{kpa}}}"#);
        self.hears(SourceIx::nth(1), &format!("a/{device}/telemetry"), &json);
    }

    /// A message comes, now.
    pub fn hears(&self, source: SourceIx, topic: &str, json: &str) {
        let parsed = parse(ROOT, format!("{ROOT}/{topic}").as_bytes(), json.as_bytes());
        let (topic, at) = ("".into(), self.clock.now());
        let mut delivery = Delivery { source, receipt: None, arrived: at.into(), topic, parsed };
        while let Err(_full) = self.engine.deliver(delivery.clone()) {
            std::thread::sleep(Duration::from_millis(5));
            delivery.arrived.at = self.clock.stamp();
        }
    }

    /// Waits until history has a block, and the store knows.
    pub async fn settled(&self, folder: &Path) {
        self.engine.flush().await.unwrap();
        let reader = Reader::open(&folder.join("standpipe.db")).unwrap();
        let newest = reader.newest_block().unwrap();
        for _ in 0..600 {
            if reader.series_block().unwrap() >= newest {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("history is at {:?} of {newest} after a minute", reader.series_block());
    }
}

/// How many readings of a device history has, of the last day.
pub async fn count(series: &dyn Series, device: &str, now: Ms) -> u64 {
    let (from, to) = (now - 24 * HOUR_MS, now + HOUR_MS);
    let (field, step_ms) = (Field::PressureKpa, HOUR_MS);
    let query = HistoryQuery { device: device.into(), field, from, to, step_ms };
    series.history(query, now).await.unwrap().iter().map(|point| point.count).sum()
}
