//! Questions to InfluxDB, in Flux.
//!
//! Everything is folded by InfluxDB per series; a device that moved to another station has
//! several, which are put together here. Each question runs in a task of its own, because the
//! client panics at answers that are cut short.

use std::collections::BTreeMap;

use fallible_iterator::FallibleIterator;
use influxdb2::models::Query;
use influxdb2::{Client, RequestError};
use jiff::Timestamp;
use standpipe_rules::{DAY_MS, Ms};
use standpipe_shared::{Name, Shape};
use tokio::task::JoinSet;

use super::line::stored;
use crate::fold::Fold;
use crate::question::{MOST_POINTS, TimeSpan};
use crate::{HistoryError, HistoryPoint, HistoryQuery, beginning};

/// Hourly points are asked for in pieces of this length, so that an answer stays small.
const HOURLY_PIECE_MS: Ms = 366 * DAY_MS;

/// What is known of one moment or step, of all series so far.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    min: f64,
    max: f64,
    sum: f64,
    count: f64,
}

impl Sum {
    const NONE: Self = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, count: 0.0 };

    fn of_hour(min: f64, mean: f64, max: f64, count: f64) -> Self {
        Self { min, max, sum: mean * count, count }
    }

    fn add(&mut self, other: Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "InfluxDB counted it"
    )]
    fn point(self, ts: Ms) -> HistoryPoint {
        let mean = (self.sum / self.count).clamp(self.min, self.max.max(self.min));
        HistoryPoint { ts, min: self.min, mean, max: self.max, count: self.count as u64 }
    }
}

/// Answers a question: the hourly part, then the raw part.
pub(super) async fn answer(
    client: Client,
    bucket: Box<str>,
    query: HistoryQuery,
    now: Ms,
) -> Result<Vec<HistoryPoint>, HistoryError> {
    let plan = query.plan(now)?;
    if Name::new(&query.device).is_err() {
        return Ok(Vec::new()); // no device is called so
    }
    let mut fold = Fold::new(plan.hourly_step_ms());
    for piece in pieces(plan.hourly) {
        let flux = hourly(&bucket, &query, piece);
        put(&mut fold, ask(client.clone(), flux).await?, &query)?;
    }
    fold.set_step(plan.step_ms);
    if let Some(span) = plan.raw {
        let flux = if plan.step_ms == 0 {
            every_point(&bucket, &query, span)
        } else {
            steps(&bucket, &query, span, plan.step_ms)
        };
        put(&mut fold, ask(client, flux).await?, &query)?;
    }
    Ok(fold.finish())
}

fn put(fold: &mut Fold, sums: BTreeMap<Ms, Sum>, query: &HistoryQuery) -> Result<(), HistoryError> {
    for (ts, sum) in sums {
        if sum.count > 0.0 {
            fold.add(sum.point(ts)).map_err(|full| full.of(query))?;
        }
    }
    Ok(())
}

/// A long span in pieces.
fn pieces(span: Option<TimeSpan>) -> impl Iterator<Item = TimeSpan> {
    let (from, to) = span.map_or((0, 0), |span| (span.from, span.to));
    let mut next = from;
    std::iter::from_fn(move || {
        let from = next;
        next = to.min(from + HOURLY_PIECE_MS);
        (from < next).then_some(TimeSpan { from, to: next })
    })
}

/// Rows are `t` (ns) and `v`: one moment each.
fn every_point(bucket: &str, query: &HistoryQuery, span: TimeSpan) -> String {
    let most = MOST_POINTS + 1;
    format!(
        "{}\n  |> map(fn: (r) => ({{t: int(v: r._time), v: float(v: r._value)}}))\n  \
         |> group()\n  |> limit(n: {most})",
        data(bucket, query, query.field.as_str(), span)
    )
}

/// Rows are `t` (ns), `v`, and in `result` which fold of the step it is. A sum in place of the
/// mean: series can be put together by it.
fn steps(bucket: &str, query: &HistoryQuery, span: TimeSpan, step_ms: Ms) -> String {
    let mut flux = format!("data = {}", data(bucket, query, query.field.as_str(), span));
    if query.field.shape() == Shape::Flag {
        flux.push_str("\n  |> toFloat()");
    }
    for fold in ["min", "max", "sum", "count"] {
        flux.push_str(&format!(
            "\ndata\n  |> aggregateWindow(every: {step_ms}ms, fn: {fold}, createEmpty: false, \
             timeSrc: \"_start\")\n  \
             |> map(fn: (r) => ({{t: int(v: r._time), v: float(v: r._value)}}))\n  \
             |> limit(n: {most})\n  |> yield(name: \"{fold}\")",
            most = MOST_POINTS + 1
        ));
    }
    flux
}

/// Rows are `t` (ns), `min`, `mean`, `max` and `count`: one hour of one series each.
fn hourly(bucket: &str, query: &HistoryQuery, span: TimeSpan) -> String {
    let field = query.field.as_str();
    let names = ["min", "mean", "max", "count"]
        .map(|fold| format!("r._field == \"{field}_{fold}\""))
        .join(" or ");
    format!(
        "{}\n  |> filter(fn: (r) => {names})\n  |> group(columns: [\"_field\"], mode: \"except\")\n  \
         |> pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\")\n  \
         |> map(fn: (r) => ({{t: int(v: r._time), min: r.{field}_min, mean: r.{field}_mean, \
         max: r.{field}_max, count: r.{field}_count}}))\n  |> group()",
        range(&format!("{bucket}_1h"), query, span)
    )
}

fn data(bucket: &str, query: &HistoryQuery, field: &str, span: TimeSpan) -> String {
    format!("{}\n  |> filter(fn: (r) => r._field == \"{field}\")", range(bucket, query, span))
}

/// Everything of one device within a span.
fn range(bucket: &str, query: &HistoryQuery, span: TimeSpan) -> String {
    let (bucket, device) = (escaped(bucket), escaped(&stored(&query.device)));
    format!(
        "from(bucket: \"{bucket}\")\n  |> range(start: {}, stop: {})\n  \
         |> filter(fn: (r) => r.device == \"{device}\")",
        time(span.from),
        time(span.to)
    )
}

/// A text between the quotes of a string of Flux: nothing in it ends the string, or is reckoned.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${")
}

fn time(at: Ms) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or_default()
}

/// Asks, and reads the rows.
async fn ask(client: Client, flux: String) -> Result<BTreeMap<Ms, Sum>, HistoryError> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        let rows = client.query_raw_iter(Some(Query::new(flux))).await?;
        read(&rows)
    });
    match task.join_next().await {
        Some(Ok(answer)) => answer.map_err(|bad| unavailable(&bad)),
        Some(Err(_)) | None => {
            Err(HistoryError::Unavailable("InfluxDB's answer was cut short: try again".into()))
        }
    }
}

fn read(rows: &influxdb2::api::query::QueryTableIter) -> Result<BTreeMap<Ms, Sum>, RequestError> {
    const NS_A_MS: i64 = 1_000_000;
    let mut sums = BTreeMap::new();
    let mut rows = rows.result();
    while let Some(row) = rows.next()? {
        let number = |key| row.values.get(key).and_then(|value| value.f64());
        let Some(ts) = row.values.get("t").and_then(|value| value.i64()) else { continue };
        let sum: &mut Sum = sums.entry(ts / NS_A_MS).or_insert(Sum::NONE);
        if let (Some(min), Some(mean), Some(max), Some(count)) =
            (number("min"), number("mean"), number("max"), number("count"))
        {
            sum.add(Sum::of_hour(min, mean, max, count));
            continue;
        }
        let Some(v) = number("v") else { continue };
        match row.values.get("result").and_then(|value| value.string()).as_deref() {
            Some("min") => sum.min = sum.min.min(v),
            Some("max") => sum.max = sum.max.max(v),
            Some("sum") => sum.sum += v,
            Some("count") => sum.count += v,
            _ => sum.add(Sum { min: v, max: v, sum: v, count: 1.0 }),
        }
    }
    Ok(sums)
}

fn unavailable(bad: &RequestError) -> HistoryError {
    let what = bad.to_string();
    let what = beginning(&what, 300);
    HistoryError::Unavailable(format!("InfluxDB: {what}: check `influx` in the settings").into())
}
