//! What history costs a reading: `cargo bench -p standpipe --bench series`.
//!
//! Prints nanoseconds a reading, best of several rounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use standpipe_rules::changes::Logged;
use standpipe_rules::registry::DeviceIx;
use standpipe_series::embedded::EmbeddedHistory;
use standpipe_series::influx::heads::Heads;
use standpipe_series::influx::line;
use standpipe_series::{ReadingBatch, Series, Tags};
use standpipe_shared::{Field, Kind, Measurements};
use standpipe_store::block;
use standpipe_store::views::history::DeviceTags;

const READINGS: usize = 5_000;
const DEVICES: u32 = 1_000;
const ROUNDS: usize = 40;

fn main() {
    let readings = readings(0);
    let ids: Vec<String> = (0..DEVICES).map(|n| format!("HYD-{n:06}")).collect();
    let tags = Arc::new(Tags::new(ids.iter().zip(0..).map(|(device, n)| DeviceTags {
        ix: DeviceIx(n),
        kind: Kind::Hydrant,
        device,
        station: "township-07",
        zone: "main-05",
    })));

    let mut body = Vec::new();
    measure("log block: encode", || {
        body.clear();
        block::encode(&readings, &mut body);
    });
    measure("log block: decode", || drop(black_box(block::decode(&body).unwrap())));
    let (mut text, mut heads) = (String::new(), Heads::default());
    measure("line protocol", || {
        text.clear();
        heads.follow(&tags);
        for reading in &readings {
            line::point(
                &mut text,
                heads.get(reading.device).unwrap(),
                &reading.values,
                reading.series_ts,
            )
            .unwrap();
        }
    });
    let mut packed = 0;
    measure("gzip level 1", || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
        encoder.write_all(text.as_bytes()).unwrap();
        packed = encoder.finish().unwrap().len();
    });
    println!("{:>24} {:>8.1} bytes, packed {:.1}", "a line", per(text.len()), per(packed));
    embedded(&tags);
}

fn embedded(tags: &Arc<Tags>) {
    let folder = tempfile::tempdir().unwrap();
    let series = EmbeddedHistory::open(&folder.path().join("history.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut round = 0;
    measure("embedded write", || {
        round += 1;
        let batch = ReadingBatch { readings: readings(round), tags: Arc::clone(tags) };
        runtime.block_on(series.write(Arc::new(batch), NOW)).unwrap();
    });
}

const NOW: i64 = 1_764_000_000_000;

fn readings(round: i64) -> Vec<Logged> {
    (0..READINGS as i64)
        .map(|n| {
            let mut values = Measurements::default();
            let wave = (n * 37 % 400) as f32;
            for (field, value) in [
                (Field::PressureKpa, 250.0 + wave / 10.0),
                (Field::TempC, 14.0 + wave / 100.0),
                (Field::BatteryMv, 3_580.0),
                (Field::RssiDbm, -91.0),
                (Field::Flowing, 0.0),
            ] {
                values.set(field, value).unwrap();
            }
            let ts = NOW + round * 5_000 + n;
            Logged {
                device: DeviceIx(u32::try_from(n).unwrap() * 7 % DEVICES),
                arrived: ts,
                ts,
                series_ts: ts,
                boot: Some(3),
                seq: Some(n as u32),
                print: n as u32,
                clock_bad: Some(false),
                claimed: None,
                values,
            }
        })
        .collect()
}

fn measure(name: &str, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        work();
        best = best.min(started.elapsed().as_nanos() as f64);
    }
    println!("{name:>24} {:>8.0} ns a reading", best / READINGS as f64);
}

fn per(bytes: usize) -> f64 {
    bytes as f64 / READINGS as f64
}
