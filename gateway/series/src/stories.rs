//! What every history must do, told once: of the embedded one in this crate's tests, of a real
//! InfluxDB in `tests/series.rs`. Each story has devices of its own, so that one bucket serves.

use std::ops::Range;
use std::sync::Arc;

use standpipe_rules::changes::Logged;
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_series::{
    HistoryError, HistoryPoint, HistoryQuery, RAW_DAYS, ReadingBatch, Series, Tags, Written,
};
use standpipe_shared::{Field, Kind, Measurements};
use standpipe_store::views::history::DeviceTags;

/// A history, and the means to have its hours rolled up.
pub trait HistoryStage {
    /// The history.
    fn series(&self) -> &dyn Series;
    /// Has everything rolled up that was over at `now`.
    fn roll_up(&self, now: Ms) -> impl Future<Output = ()>;
}

/// Tells all stories. `now` is the wall clock: InfluxDB refuses what is older than its
/// retention, by its own clock.
pub async fn all(subject: &impl HistoryStage, now: Ms) {
    let hour = now - now % HOUR_MS;
    a_batch_written_again_changes_nothing(subject, hour).await;
    a_step_has_its_extremes_mean_and_count(subject, hour).await;
    raw_points_come_as_written(subject, hour).await;
    what_was_never_measured_is_empty(subject, hour).await;
    a_wrong_question_is_told_so(subject, hour).await;
    a_device_that_moved_has_one_history(subject, hour).await;
    any_zone_name_will_do(subject, hour).await;
    what_cannot_be_kept_is_counted(subject, hour).await;
    old_times_are_answered_by_the_hour(subject, hour).await;
    late_readings_change_their_hour(subject, hour).await;
    a_large_batch_is_kept_whole(subject, hour).await;
}

async fn a_batch_written_again_changes_nothing(subject: &impl HistoryStage, hour: Ms) {
    let readings = (0..100).map(|n| kpa(hour - 50_000 + n * 100, 300.0 + n as f32)).collect();
    let batch = batch("again", "S-1", "north", readings);
    for _ in 0..3 {
        let written = subject.series().write(Arc::clone(&batch), hour).await.unwrap();
        assert_eq!(written, Written { kept: 100, ..Written::default() });
    }
    let points = ask(subject, query("again", hour - DAY_MS..hour, HOUR_MS), hour).await;
    assert_eq!(counts(&points), [(hour - HOUR_MS, 100)]);
}

async fn a_step_has_its_extremes_mean_and_count(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - HOUR_MS;
    let readings = vec![
        kpa(at, 300.0),
        kpa(at + 10_000, 310.0),
        kpa(at + 59_999, 320.5),
        kpa(at + 180_000, -4.25), // two empty minutes lie between
    ];
    write(subject, "steps", readings, hour).await;
    let points = ask(subject, query("steps", at..hour, 60_000), hour).await;
    assert_eq!(
        points,
        [point(at, 300.0, 930.5 / 3.0, 320.5, 3), point(at + 180_000, -4.25, -4.25, -4.25, 1)]
    );
    // Steps begin at multiples of their length, also when the question begins within one.
    let points = ask(subject, query("steps", at + 5_000..at + 60_000, 60_000), hour).await;
    assert_eq!(points, [point(at, 310.0, 315.25, 320.5, 2)]);
}

async fn raw_points_come_as_written(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - HOUR_MS;
    let mut whole = kpa(at, 312.4);
    let values = &mut whole.values;
    for (field, value) in [
        (Field::Flowing, 1.0),
        (Field::CapOpen, 0.0),
        (Field::TempC, -1.05),
        (Field::BatteryMv, 3_580.0),
        (Field::RssiDbm, -101.0),
    ] {
        values.set(field, value).unwrap();
    }
    write(subject, "raw", vec![whole, kpa(at + 1, 312.5), kpa(at + 2, 312.6)], hour).await;
    for (field, value) in [
        (Field::PressureKpa, 312.4),
        (Field::Flowing, 1.0),
        (Field::CapOpen, 0.0),
        (Field::TempC, -1.05),
        (Field::BatteryMv, 3_580.0),
        (Field::RssiDbm, -101.0),
    ] {
        let points =
            ask(subject, HistoryQuery { field, ..query("raw", at..at + 1, 0) }, hour).await;
        assert_eq!(points, [point(at, value, value, value, 1)], "{field:?}");
        let steps =
            ask(subject, HistoryQuery { field, ..query("raw", at..at + 1, 1_000) }, hour).await;
        assert_eq!(steps, points, "{field:?}");
    }
    let points = ask(subject, query("raw", at..at + 2, 0), hour).await;
    assert_eq!(counts(&points), [(at, 1), (at + 1, 1)], "the end is not included");
}

async fn what_was_never_measured_is_empty(subject: &impl HistoryStage, hour: Ms) {
    write(subject, "sparse", vec![kpa(hour - HOUR_MS, 1.0)], hour).await;
    for (story, device, field, (from, to, step_ms)) in [
        ("another device", "nobody", Field::PressureKpa, (hour - DAY_MS, hour, 0)),
        ("another field", "sparse", Field::DirtPct, (hour - DAY_MS, hour, 0)),
        ("another time", "sparse", Field::PressureKpa, (hour - DAY_MS, hour - 2 * HOUR_MS, 60_000)),
        ("no time", "sparse", Field::PressureKpa, (hour - HOUR_MS, hour - HOUR_MS, 0)),
        ("the future", "sparse", Field::PressureKpa, (hour, hour + DAY_MS, 0)),
        ("long ago", "sparse", Field::PressureKpa, (0, hour - 200 * DAY_MS, DAY_MS)),
        ("absurd", "sparse", Field::PressureKpa, (i64::MIN, -1, 0)),
        ("absurd too", "sparse", Field::PressureKpa, (i64::MAX - 1, i64::MAX, 0)),
        ("no name", "x\" or true //", Field::PressureKpa, (hour - DAY_MS, hour, 0)),
    ] {
        let asked = HistoryQuery { field, ..query(device, from..to, step_ms) };
        assert_eq!(ask(subject, asked, hour).await, [], "{story}");
    }
}

async fn a_wrong_question_is_told_so(subject: &impl HistoryStage, hour: Ms) {
    let readings = (0..20_001).map(|n| kpa(hour - HOUR_MS + n, 1.0)).collect();
    write(subject, "many", readings, hour).await;
    let refused = |asked| subject.series().history(asked, hour);
    let backwards = refused(query("many", hour..hour - 1, 0)).await;
    assert_eq!(backwards, Err(HistoryError::Backwards { from: hour, to: hour - 1 }));
    assert_eq!(refused(query("many", 0..1, -1)).await, Err(HistoryError::BadStep(-1)));
    let too_many = refused(query("many", hour - HOUR_MS..hour, 0)).await;
    assert!(matches!(too_many, Err(HistoryError::TooMany { .. })), "{too_many:?}");
    let points =
        ask(subject, query("many", hour - HOUR_MS..hour - HOUR_MS + 20_000, 0), hour).await;
    assert_eq!(points.len(), 20_000, "just as many as an answer may have");
}

async fn a_device_that_moved_has_one_history(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - HOUR_MS;
    for (n, station, zone) in [(0, "S-1", "north"), (1, "S-2", "south"), (2, "", "")] {
        let batch = batch("moved", station, zone, vec![kpa(at + n, 100.0 * (n + 1) as f32)]);
        subject.series().write(batch, hour).await.unwrap();
    }
    let points = ask(subject, query("moved", at..hour, HOUR_MS), hour).await;
    assert_eq!(points, [point(at, 100.0, 200.0, 300.0, 3)]);
    let raw = ask(subject, query("moved", at..hour, 0), hour).await;
    assert_eq!(counts(&raw), [(at, 1), (at + 1, 1), (at + 2, 1)]);
}

async fn any_zone_name_will_do(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - HOUR_MS;
    let zones = ["高区 1", "a,b=c d", r"back\slash", r"at the end\", "\"quoted\"", "a\tb\nc x=1"];
    for (n, zone) in zones.into_iter().enumerate() {
        let readings = vec![kpa(at + n as Ms, 5.0)];
        let written = subject.series().write(batch("zones", "S-1", zone, readings), hour).await;
        assert_eq!(written, Ok(Written { kept: 1, ..Written::default() }), "{zone}");
    }
    let points = ask(subject, query("zones", at..hour, HOUR_MS), hour).await;
    assert_eq!(counts(&points), [(at, zones.len() as u64)]);
}

async fn what_cannot_be_kept_is_counted(subject: &impl HistoryStage, hour: Ms) {
    let nothing = Logged { values: Measurements::default(), ..kpa(hour - 2, 0.0) };
    let old = kpa(hour - (RAW_DAYS + 10) * DAY_MS, 7.0);
    let written = subject
        .series()
        .write(batch("counted", "S-1", "", vec![kpa(hour - 3, 1.0), nothing, old]), hour)
        .await
        .unwrap();
    assert_eq!(written, Written { kept: 1, empty: 1, expired: 1, refused: Vec::new() });
}

async fn old_times_are_answered_by_the_hour(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - 2 * HOUR_MS;
    let readings = vec![kpa(at, 1.0), kpa(at + 1, 2.0), kpa(at + 2, 6.0), kpa(at + HOUR_MS, 8.0)];
    write(subject, "hourly", readings, hour).await;
    subject.roll_up(hour + HOUR_MS).await;
    let later = hour + 200 * DAY_MS;
    let span = (at - DAY_MS, hour + DAY_MS);
    for step in [0, 1, HOUR_MS] {
        let points = ask(subject, query("hourly", span.0..span.1, step), later).await;
        assert_eq!(points, [point(at, 1.0, 3.0, 6.0, 3), point(at + HOUR_MS, 8.0, 8.0, 8.0, 1)]);
    }
    let step = 1_000 * HOUR_MS;
    let mean = ask(subject, query("hourly", span.0..span.1, step), later).await;
    let start = at - at % step;
    if start == at + HOUR_MS - (at + HOUR_MS) % step {
        assert_eq!(mean, [point(start, 1.0, 17.0 / 4.0, 8.0, 4)], "weighted by the count");
    }
}

async fn late_readings_change_their_hour(subject: &impl HistoryStage, hour: Ms) {
    let at = hour - 2 * HOUR_MS;
    let later = hour + 200 * DAY_MS;
    write(subject, "late", vec![kpa(at, 4.0)], hour).await;
    subject.roll_up(hour + HOUR_MS).await;
    subject.roll_up(hour + HOUR_MS).await;
    assert_eq!(
        ask(subject, query("late", at..at + HOUR_MS, HOUR_MS), later).await,
        [point(at, 4.0, 4.0, 4.0, 1)]
    );
    write(subject, "late", vec![kpa(at + 5, 6.0)], hour).await;
    subject.roll_up(hour + HOUR_MS).await;
    assert_eq!(
        ask(subject, query("late", at..at + HOUR_MS, HOUR_MS), later).await,
        [point(at, 4.0, 5.0, 6.0, 2)]
    );
}

async fn a_large_batch_is_kept_whole(subject: &impl HistoryStage, hour: Ms) {
    let readings: Vec<Logged> = (0..12_000).map(|n| kpa(hour - HOUR_MS + n * 300, 1.0)).collect();
    write(subject, "large", readings, hour).await;
    let points = ask(subject, query("large", hour - HOUR_MS..hour, HOUR_MS), hour).await;
    assert_eq!(counts(&points), [(hour - HOUR_MS, 12_000)]);
}

fn kpa(ts: Ms, value: f32) -> Logged {
    let mut values = Measurements::default();
    values.set(Field::PressureKpa, value).unwrap();
    Logged {
        device: DeviceIx(0),
        arrived: ts,
        ts,
        series_ts: ts,
        boot: None,
        seq: None,
        print: 0,
        clock_bad: Some(false),
        claimed: None,
        values,
    }
}

/// A batch of one device. Each has a place of its own, as in a registry.
fn batch(device: &str, station: &str, zone: &str, mut readings: Vec<Logged>) -> Arc<ReadingBatch> {
    let place = device.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 50_021);
    let ix = DeviceIx(place);
    readings.iter_mut().for_each(|reading| reading.device = ix);
    let row = DeviceTags { ix, kind: Kind::Hydrant, device, station, zone };
    Arc::new(ReadingBatch { readings, tags: Arc::new(Tags::new([row])) })
}

async fn write(subject: &impl HistoryStage, device: &str, readings: Vec<Logged>, now: Ms) {
    let kept = readings.len() as u64;
    let written = subject.series().write(batch(device, "S-1", "north", readings), now).await;
    assert_eq!(written, Ok(Written { kept, ..Written::default() }));
}

/// Asks for the pressure; a step of 0 keeps every point apart.
fn query(device: &str, span: Range<Ms>, step_ms: Ms) -> HistoryQuery {
    let Range { start: from, end: to } = span;
    HistoryQuery { device: device.into(), field: Field::PressureKpa, from, to, step_ms }
}

async fn ask(subject: &impl HistoryStage, query: HistoryQuery, now: Ms) -> Vec<HistoryPoint> {
    subject.series().history(query, now).await.unwrap()
}

fn point(ts: Ms, min: f64, mean: f64, max: f64, count: u64) -> HistoryPoint {
    HistoryPoint { ts, min, mean, max, count }
}

fn counts(points: &[HistoryPoint]) -> Vec<(Ms, u64)> {
    points.iter().map(|point| (point.ts, point.count)).collect()
}
