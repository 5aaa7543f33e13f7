//! What the gateway spends on a message, part by part: `cargo bench -p standpipe`.
//!
//! Each line is the median of five runs. `cpu` is what the thread spent on a processor (Linux;
//! elsewhere the wall clock), `wall` includes waiting for the disk. Not here: broker, network and
//! pages end to end (`tests/bench`).
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, clippy::indexing_slicing)]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use standpipe_engine::{Delivery, Engine, Input, Receipt, SourceIx, Sources};
use standpipe_rules::changes::{Logged, Urgency};
use standpipe_rules::incidents::{IdSecret, Plan, ReceiverRole, Route};
use standpipe_rules::registry::{Device, DeviceIx, Level, Registry, Station};
use standpipe_rules::wire::parse;
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use standpipe_series::batch::Tags;
use standpipe_series::influx::heads::Heads;
use standpipe_series::influx::line;
use standpipe_shared::{Kind, ROOT};
use standpipe_store::boards::URGENCIES;
use standpipe_store::views::history::DeviceTags;
use standpipe_store::{Reader, Store, block};

const RUNS: usize = 5;
const DEVICES: usize = 1_000;
const MESSAGES: usize = 100_000;
/// Alarms of one measurement among those that are open.
const ALARMS: usize = 500;
const T0: Ms = 1_764_000_000_000;

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{:<44} {:>12} {:>12}", "median of five", "cpu", "wall");
    // `cargo bench --bench gateway -- storms`: that alone.
    if std::env::args().any(|argument| argument == "storms") {
        return storms();
    }
    parsing();
    detection();
    blocks();
    lines();
    for batch in [1, 20, 100, 1_000, 2_000] {
        commits(batch);
    }
    storms();
    loading();
}

/// Processor time of this thread.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// Runs it five times; `it` gives back what is not to be measured beside its result. Gives back the
/// processor time of one.
fn measure<T>(
    what: &str,
    count: usize,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(&mut T),
) -> Duration {
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let mut state = prepare();
            let (before, started) = (cpu(), Instant::now());
            run(&mut state);
            let wall = started.elapsed();
            let spent = before.and_then(|before| Some(cpu()? - before));
            (spent.unwrap_or(wall), wall)
        })
        .collect();
    runs.sort();
    let cpu = runs[RUNS / 2].0;
    runs.sort_by_key(|took| took.1);
    let wall = runs[RUNS / 2].1;
    let each = |took: Duration| {
        let ns = took.as_nanos() as f64 / count as f64;
        if ns < 10_000.0 { format!("{ns:.0} ns") } else { format!("{:.1} µs", ns / 1_000.0) }
    };
    println!("{what:<44} {:>12} {:>12}", each(cpu), each(wall));
    cpu / u32::try_from(count).unwrap_or(u32::MAX)
}

fn device(n: usize) -> Device {
    Device {
        id: format!("HYD-{n:05}").into(),
        kind: Kind::Hydrant,
        name: format!("Hydrant {n}").into(),
        station: format!("t-{}", n % 20).into(),
        zone: format!("main-{:02}", n % 40).into(),
        profile: "municipal".into(),
        lat: Some(29.4 + n as f64 * 1e-5),
        lon: Some(106.5),
        address: "Longzhouwan".into(),
        building: "".into(),
        floor: "".into(),
        interval_s: Some(60),
        installed_on: "2026-01-01".into(),
        decoder: "".into(),
        area: "banan".into(),
        claimed: true,
        retired_at: None,
        replaces: None,
    }
}

fn stations() -> Vec<Station> {
    let station = |id: String, level, parent: Option<&str>| Station {
        name: id.as_str().into(),
        id: id.into(),
        level,
        parent: parent.map(Into::into),
        lat: 29.4,
        lon: 106.5,
        phone: None,
    };
    let mut all = vec![station("d".to_owned(), Level::District, None)];
    all.extend((0..20).map(|n| station(format!("t-{n}"), Level::Township, Some("d"))));
    all
}

fn registry(devices: usize) -> Registry {
    let mut registry = Registry::new([]);
    stations().into_iter().for_each(|station| registry.put_station(station));
    for n in 0..devices {
        registry.put_device(device(n));
    }
    registry
}

/// Topic, payload and moment of one message: every device once in 10 s, all well.
fn message(n: usize) -> (String, String, Ms) {
    let (which, round) = (n % DEVICES, n / DEVICES);
    let at = T0 + (round * 10_000 + which * 10) as Ms;
    let kpa = 300.0 + ((n * 7_919) % 200) as f64 / 10.0;
    let mut json = String::new();
    write!(
        json,
        r#"{{"boot":3,"seq":{},"ts":{at},"pressure_kpa":{kpa:.1},"temp_c":14.2,"battery_mv":3580,"rssi_dbm":-71}}"#,
        round + 1
    )
    .unwrap();
    (format!("{ROOT}/banan/HYD-{which:05}/telemetry"), json, at)
}

fn messages() -> Vec<(String, String, Ms)> {
    (0..MESSAGES).map(message).collect()
}

fn deliveries() -> Vec<Delivery> {
    let deliver = |(topic, json, at): (String, String, Ms)| {
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        assert!(parsed.message.is_some() && parsed.rejected.is_empty());
        Delivery {
            source: SourceIx::nth(1),
            receipt: Some(Receipt::new(1)),
            arrived: at.into(),
            topic: "".into(),
            parsed,
        }
    };
    messages().into_iter().map(deliver).collect()
}

fn parsing() {
    let messages = messages();
    measure(
        "parse, a message of 110 B",
        MESSAGES,
        || (),
        |()| {
            for (topic, json, _) in &messages {
                black_box(parse(ROOT, topic.as_bytes(), json.as_bytes()));
            }
        },
    );
}

fn world() -> (World, Changes) {
    let mut world = World::new(registry(DEVICES), Plan::default(), IdSecret::new([1; 32]));
    let mut changes = Changes::default();
    world.session(true, T0, &mut changes);
    (world, changes)
}

fn detection() {
    let deliveries = deliveries();
    measure("detect, a reading", MESSAGES, world, |(world, changes)| {
        for (n, delivery) in deliveries.iter().enumerate() {
            if let Some(message) = &delivery.parsed.message {
                world.step(message, delivery.arrived.at.told(), changes);
            }
            if n % 100 == 99 {
                world.tick(delivery.arrived.at.told(), changes);
                changes.clear();
            }
        }
    });
}

/// The readings as they are logged.
fn logged() -> Vec<Logged> {
    let (mut world, mut changes) = world();
    for delivery in deliveries() {
        world.step(
            delivery.parsed.message.as_ref().unwrap(),
            delivery.arrived.at.told(),
            &mut changes,
        );
    }
    assert_eq!(changes.readings.len(), MESSAGES);
    changes.readings
}

fn blocks() {
    let readings = logged();
    let mut body = Vec::new();
    block::encode(&readings, &mut body);
    let size = body.len() as f64 / MESSAGES as f64;
    measure(&format!("log block, write a reading ({size:.1} B)"), MESSAGES, Vec::new, |body| {
        readings.chunks(200).for_each(|some| block::encode(some, body));
    });
    measure(
        "log block, read a reading",
        MESSAGES,
        || (),
        |()| {
            black_box(block::decode(&body).unwrap());
        },
    );
}

fn lines() {
    let readings = logged();
    let registry = registry(DEVICES);
    let rows =
        (0..).zip(registry.devices()).map(|(ix, device)| DeviceTags::of(DeviceIx(ix), device));
    let tags = Tags::new(rows);
    let mut heads = Heads::default();
    measure("line protocol, a point", MESSAGES, String::new, |out| {
        heads.follow(&tags);
        for reading in &readings {
            line::point(
                out,
                heads.get(reading.device).unwrap(),
                &reading.values,
                reading.series_ts,
            )
            .unwrap();
        }
    });
}

fn open(path: &Path, devices: usize) -> Engine {
    let mut store = Store::open(path).unwrap();
    let rows: Vec<_> = (0..devices).map(device).collect();
    store.import(&stations(), &rows).unwrap();
    let loaded = store.load(Plan::default(), [], IdSecret::new([1; 32])).unwrap();
    let sources = Sources::urgent_and_bulk();
    let mut engine = Engine::new(store, loaded, &sources, T0);
    for source in [0, 1].map(SourceIx::nth) {
        engine.take(Input::Source { source, up: true }.at(T0), T0);
    }
    engine.tick(T0);
    engine.commit(T0).unwrap();
    engine
}

/// Step, keep and acknowledge, in batches of so many; history is told to be close behind.
fn commits(batch: usize) {
    let count = MESSAGES.min(batch * 1_000);
    let prepare = || {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(&folder.path().join("standpipe.db"), DEVICES);
        let mut deliveries = deliveries();
        deliveries.truncate(count);
        (folder, engine, deliveries)
    };
    measure(
        &format!("step and commit, a reading of a batch of {batch}"),
        count,
        prepare,
        |(_, engine, deliveries)| {
            let mut rest = std::mem::take(deliveries).into_iter();
            loop {
                let mut now = None;
                for delivery in rest.by_ref().take(batch) {
                    now = Some(delivery.arrived.at.told());
                    engine.take(delivery, T0);
                }
                let Some(now) = now else { break };
                let block = engine.store().newest_block();
                engine.take(Input::SeriesAt { block }, now);
                engine.tick(now);
                black_box(engine.commit(now).unwrap());
                if engine.log_has_grown() {
                    engine.checkpoint().unwrap();
                }
            }
        },
    );
}

/// A detector that stands alone.
fn detector(n: usize) -> Device {
    let (id, kind) = (format!("SD-{n:05}").into(), Kind::Smoke);
    let (building, profile) = ("".into(), "smoke_home".into());
    Device { id, kind, building, profile, lat: Some(29.4 + n as f64 * 1e-6), ..device(n) }
}

/// An engine, and what reads for its senders.
struct Storm {
    _folder: tempfile::TempDir,
    engine: Engine,
    reader: Reader,
    now: Ms,
    next: usize,
}

impl Storm {
    fn new(open: usize, receivers: Receivers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        let mut store = Store::open(&path).unwrap();
        let devices: Vec<_> = (0..open + ALARMS).map(detector).collect();
        store.import(&stations(), &devices).unwrap();
        let (name, station, role) = ("duty".into(), None, ReceiverRole::Officer);
        let route = Route { name, station, role, severities: Vec::new(), steps: Vec::new() };
        let plan = Plan { webhooks: vec![route], ..Plan::default() };
        let loaded = store.load(plan, [], IdSecret::new([1; 32])).unwrap();
        let mut engine = Engine::new(store, loaded, &Sources::urgent_and_bulk(), T0);
        for source in [0, 1].map(SourceIx::nth) {
            engine.take(Input::Source { source, up: true }.at(T0), T0);
        }
        let reader = Reader::open(&path).unwrap();
        let mut storm = Self { _folder: folder, engine, reader, now: T0, next: 0 };
        while storm.next < open {
            (0..100.min(open - storm.next)).for_each(|_| storm.alarm());
            storm.keep();
            while receivers == Receivers::There && storm.send(64) > 0 {}
        }
        storm
    }

    fn alarm(&mut self) {
        let topic = format!("{ROOT}/banan/SD-{:05}/alarm", self.next);
        let json = br#"{"condition":"smoke","active":true,"boot":1,"seq":1}"#;
        let parsed = parse(ROOT, topic.as_bytes(), json);
        self.next += 1;
        // As in an earthquake, 20,000 come within 10 s: their ids begin with different moments.
        self.now += Ms::from(self.next.is_multiple_of(3));
        let (source, receipt) = (SourceIx::nth(0), Some(Receipt::new(1)));
        let (arrived, topic) = (self.now.into(), "".into());
        let delivery = Delivery { source, receipt, arrived, topic, parsed };
        self.engine.take(delivery, self.now);
    }

    fn keep(&mut self) {
        self.engine.tick(self.now);
        black_box(self.engine.commit(self.now).unwrap());
        if self.engine.log_has_grown() {
            self.engine.checkpoint().unwrap();
        }
    }

    /// Sends so much of the heads of the queues; how much that was.
    fn send(&mut self, most: usize) -> usize {
        let at = self.now;
        let boards = (0..URGENCIES).map(|urgency| self.reader.owed_boards((urgency, 0), most));
        let boards: Vec<_> = boards.flat_map(Result::unwrap).collect();
        let pages =
            Urgency::ALL.map(|urgency| self.reader.owed_to_webhook("duty", (urgency, 0), most));
        let pages: Vec<_> = pages.into_iter().flat_map(Result::unwrap).collect();
        let sent = boards.len() + pages.len();
        for page in pages {
            let page_id = page.page_id;
            black_box(self.reader.message(page_id).unwrap());
            self.engine.take(Input::Delivered { page_id }.at(at), self.now);
        }
        for board in boards {
            for page_id in board.pages {
                self.engine.take(Input::Delivered { page_id }.at(at), self.now);
            }
            let (station, incident, rev) = (board.station, board.incident, board.rev);
            self.engine.take(Input::BoardSent { station, incident, rev }, self.now);
        }
        self.keep();
        sent
    }
}

/// Whether receivers have taken what they were owed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Receivers {
    There,
    Away,
}

/// What an alarm costs may not depend on how many are open, nor on how many are owed: 1.2 times as much
/// at most.
fn storms() {
    for (receivers, what) in [(Receivers::There, "open"), (Receivers::Away, "owed")] {
        let few = storm(10, (receivers, what));
        for open in [1_000, 20_000] {
            let ratio = storm(open, (receivers, what)).as_secs_f64() / few.as_secs_f64();
            println!("{:<44} {ratio:>12.2}", format!("  times that of 10, {open} {what}"));
        }
    }
}

/// One alarm after the other while so many others are open: each until all its receivers have it or,
/// while they were away, as many of the longest owed pages.
fn storm(open: usize, (receivers, what): (Receivers, &str)) -> Duration {
    let what = format!("alarm to last receipt, {open} {what}");
    measure(
        &what,
        ALARMS,
        || Storm::new(open, receivers),
        |storm| {
            for _ in 0..ALARMS {
                storm.alarm();
                storm.keep();
                match receivers {
                    Receivers::There => while storm.send(64) > 0 {},
                    Receivers::Away => _ = storm.send(1),
                }
            }
        },
    )
}

/// 100,000 devices whose memories were kept, and 20,000 readings that no memory has seen.
fn loading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("standpipe.db");
    let devices = 100_000;
    let mut engine = open(&path, devices);
    let read = |engine: &mut Engine, n: usize, seq: u32, at: Ms| {
        let topic = format!("{ROOT}/banan/HYD-{n:05}/telemetry");
        let json = format!(r#"{{"boot":3,"seq":{seq},"ts":{at},"pressure_kpa":312.4,"temp_c":9}}"#);
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        let topic = "".into();
        let delivery = Delivery {
            source: SourceIx::nth(1),
            receipt: Some(Receipt::new(1)),
            arrived: at.into(),
            topic,
            parsed,
        };
        engine.take(delivery, at);
        if n % 2_000 == 1_999 {
            engine.commit(at).unwrap();
        }
    };
    (0..devices).for_each(|n| read(&mut engine, n, 1, T0));
    engine.keep_all();
    engine.commit(T0).unwrap();
    (0..20_000).for_each(|n| read(&mut engine, n, 2, T0 + 60_000));
    drop(engine);
    measure(
        "load, a device of 100,000",
        devices,
        || (),
        |()| {
            let mut store = Store::open(&path).unwrap();
            let loaded =
                black_box(store.load(Plan::default(), [], IdSecret::new([1; 32])).unwrap());
            assert_eq!(loaded.replayed, 20_000);
        },
    );
}
