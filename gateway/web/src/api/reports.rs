//! A month in figures.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use super::ApiState;
use super::params::Params;
use super::problem::{Problem, Thing};
use crate::api::who::Who;
use crate::report::{Month, MonthlyReport, ReportQuery, gather};

/// A station's month and those below it, last month beside it; this month and everything by
/// default.
#[utoipa::path(get, path = "/api/v1/reports/monthly", tag = "reports",
    operation_id = "get_monthly_report",
    params(("month" = Option<String>, Query, description = "such as 2026-11"),
        ("station" = Option<String>, Query, description = "this station and those below it")),
    responses((status = 200, body = MonthlyReport), (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson)))]
pub async fn monthly(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<MonthlyReport>, Problem> {
    let params = Params::read(&uri, &["month", "station"])?;
    let (zone, now) = (api.town.zone.clone(), api.clock.now());
    let month = match params.raw("month") {
        None => Month::of(now, &zone),
        Some(text) => Month::parse(text)
            .ok_or_else(|| Problem::bad_parameter("month", text, "a month such as 2026-11"))?,
    };
    let station = params.text("station")?;
    let asked = ReportQuery { seen: who.area, station: station.clone(), month, zone };
    let report = gather(&api.reports, asked, now).await?;
    let missing = || Problem::unknown(Thing::Station, station.as_deref().unwrap_or_default());
    report.map(Json).ok_or_else(missing)
}
