//! What a device measured over time: from the series, by steps.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use standpipe_rules::registry::Predecessor;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_series::{HistoryError, HistoryPoint, HistoryQuery};
use standpipe_shared::{Field, Kind};
use standpipe_store::views::registry;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, attachment};
use super::devices;
use super::params::Params;
use super::problem::Problem;
use super::schema::PredecessorRow;
use crate::api::who::Who;

/// The step is chosen to give about so many points, when nobody says.
const POINTS_AIMED_AT: Ms = 500;
/// Steps that people like to read, ms.
#[rustfmt::skip]
const PLEASANT_STEPS: [Ms; 12] = [
    1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000,
    3_600_000, 10_800_000, 21_600_000, 43_200_000, DAY_MS,
];

/// One field of one device over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    device: String,
    field: &'static str,
    /// Length of a step; 0: every raw point.
    step_ms: Ms,
    /// `[ts, min, mean, max, count]`, oldest first; steps without a reading are left out.
    #[schema(value_type = Vec<Vec<f64>>)]
    points: Vec<HistoryPoint>,
    /// The devices that it took the place of, newest first: until then the points are theirs. Absent: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<PredecessorRow>)]
    continues: Vec<Predecessor>,
}

/// One field over time; the last day by default.
#[utoipa::path(get, path = "/api/v1/devices/{id}/history", tag = "devices",
    operation_id = "get_history",
    params(("id" = String, Path),
        ("from" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; included"),
        ("to" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; excluded"),
        ("step" = Option<String>, Query, description = "ms, or such as 30s, 15m, 1h, 1d; 0: raw"),
        ("field" = Option<String>, Query, description = "a measurement of a reading")),
    responses((status = 200, body = History), (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn json(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<History>, Problem> {
    ask(&api, &who, (id, &uri)).await.map(Json)
}

/// The same as CSV: `ts,min,mean,max,count`.
#[utoipa::path(get, path = "/api/v1/devices/{id}/history.csv", tag = "devices",
    operation_id = "get_history_csv",
    params(("id" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("step" = Option<String>, Query), ("field" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 400, body = super::problem::ProblemJson), (status = 404, body = super::problem::ProblemJson)))]
pub async fn csv(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Response, Problem> {
    let history = ask(&api, &who, (id, &uri)).await?;
    let mut text = String::from("ts,min,mean,max,count\n");
    for HistoryPoint { ts, min, mean, max, count } in &history.points {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{ts},{min},{mean},{max},{count}");
    }
    let name = attachment(&format!("{}-{}.csv", history.device, history.field));
    let kind = "text/csv; charset=utf-8".to_owned();
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, text).into_response())
}

async fn ask(api: &ApiState, who: &Who, (id, uri): (String, &Uri)) -> Result<History, Problem> {
    let params = Params::read(uri, &["from", "to", "step", "field"])?;
    let now = api.clock.now();
    let span = params.span(now, DAY_MS)?;
    let step = params.raw("step").map(step).transpose()?;
    let named = params.one_of("field", &Field::ALL.map(|field| (field.as_str(), field)))?;
    let kind = devices::seen_kind(api, &who.area, &id).await?;
    let field = named.unwrap_or(default_field(kind));
    let step_ms = step.unwrap_or_else(|| pleasant_step(span.to - span.from));
    let key = id.clone();
    let continues = api.store.read(move |db| registry::predecessors(db, &key)).await?;
    let query = |device: &str, from: Ms, to: Ms| {
        let device = device.into();
        HistoryQuery { device, field, from, to, step_ms }
    };
    let step_ms = query(&id, span.from, span.to).plan(now).map_err(refused)?.step_ms;
    let (mut points, mut device, mut to) = (Vec::new(), id.as_str(), span.to);
    // From the newest device back to the one that was there when the span begins.
    for before in continues.iter().map(Some).chain([None]) {
        let from = before.map_or(span.from, |before| before.until.clamp(span.from, to));
        let older = api.history.history(query(device, from, to), now).await.map_err(refused)?;
        points = joined(older, points);
        let Some(before) = before else { break };
        (device, to) = (&before.device, from);
    }
    Ok(History { device: id, field: field.as_str(), step_ms, points, continues })
}

/// The points of one device before those of the one that took its place; the step within which that
/// happened is both's.
fn joined(mut older: Vec<HistoryPoint>, newer: Vec<HistoryPoint>) -> Vec<HistoryPoint> {
    let mut newer = newer.into_iter().peekable();
    if let (Some(last), Some(first)) = (older.last_mut(), newer.peek())
        && last.ts == first.ts
    {
        #[expect(clippy::cast_precision_loss, reason = "points of one step")]
        let (a, b) = (last.count as f64, first.count as f64);
        last.mean = (last.mean * a + first.mean * b) / (a + b).max(1.0);
        last.min = last.min.min(first.min);
        last.max = last.max.max(first.max);
        last.count += first.count;
        newer.next();
    }
    older.extend(newer);
    older
}

fn refused(error: HistoryError) -> Problem {
    match error {
        HistoryError::Unavailable(_) => Problem::part_down(error.to_string()),
        HistoryError::Backwards { .. }
        | HistoryError::BadStep(_)
        | HistoryError::TooMany { .. } => Problem::bad_request(error.to_string()),
    }
}

const fn default_field(kind: Kind) -> Field {
    match kind {
        Kind::Hydrant => Field::PressureKpa,
        Kind::Smoke => Field::SmokeDbM,
    }
}

fn pleasant_step(span: Ms) -> Ms {
    let least = span / POINTS_AIMED_AT;
    PLEASANT_STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(|| {
        let days = least.saturating_add(DAY_MS - 1) / DAY_MS;
        days.saturating_mul(DAY_MS).min(standpipe_series::question::LONGEST_STEP_MS)
    })
}

/// `90000`, `90s`, `15m`, `1h`, `7d`.
fn step(text: &str) -> Result<Ms, Problem> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(HOUR_MS),
        "d" => Some(DAY_MS),
        _ => None,
    };
    let number = digits.parse::<Ms>().ok().filter(|number| *number >= 0);
    number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit)).ok_or_else(|| {
        let accepted = "milliseconds, or such as 30s, 15m, 1h, 1d; 0 for every raw point";
        Problem::bad_parameter("step", text, accepted)
    })
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, HistoryPoint, joined, pleasant_step, step};

    #[test]
    fn the_step_in_which_a_device_was_replaced_is_both_devices() {
        let point = |ts, mean, count| HistoryPoint { ts, min: mean, mean, max: mean, count };
        let older = vec![point(0, 300.0, 2), point(60, 300.0, 1)];
        let newer = vec![point(60, 100.0, 3), point(120, 100.0, 1)];
        let both = HistoryPoint { ts: 60, min: 100.0, mean: 150.0, max: 300.0, count: 4 };
        let all = [point(0, 300.0, 2), both, point(120, 100.0, 1)];
        assert_eq!(joined(older.clone(), newer), all);
        assert_eq!(joined(older.clone(), Vec::new()), older);
        assert_eq!(joined(Vec::new(), older.clone()), older);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn steps_as_people_write_them() {
        for (text, ms) in [
            ("0", Some(0)), ("90000", Some(90_000)), ("500ms", Some(500)), ("30s", Some(30_000)),
            ("15m", Some(900_000)), ("1h", Some(3_600_000)), ("7d", Some(7 * DAY_MS)),
            ("-1", None), ("1w", None), ("m", None), ("1.5h", None), ("h1", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(step(text).ok(), ms, "{text}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_day_is_shown_by_five_minutes_and_a_year_by_the_day() {
        for (span, ms) in [
            (1, 1_000), (500_000, 1_000), (500_001, 1_000), (501_000 * 1_000, 1_800_000),
            (3_600_000, 15_000), (DAY_MS, 300_000), (7 * DAY_MS, 1_800_000),
            (365 * DAY_MS, DAY_MS), (5 * 365 * DAY_MS, 4 * DAY_MS),
        ] {
            assert_eq!(pleasant_step(span), ms, "{span}");
        }
    }
}
