//! The notices of a day.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use jiff::civil::Time;
use standpipe_rules::Ms;
use standpipe_rules::digest::Digest;
use standpipe_store::notices::gather;
use standpipe_words::day::{Day, Hour};

use super::ApiState;
use super::params::Params;
use super::problem::{Problem, Thing};
use crate::api::who::Who;

/// The notices that were open at a day's hour (`[digest] at`), and those that ended since the day
/// before; today's and all stations' by default. A day whose hour has not come: so far.
#[utoipa::path(get, path = "/api/v1/digest", tag = "reports",
    operation_id = "get_digest",
    params(("day" = Option<String>, Query, description = "such as 2026-11-28, in the town"),
        ("station" = Option<String>, Query, description = "this station and those below it")),
    responses((status = 200, body = super::schema::DigestJson),
        (status = 400, body = super::problem::ProblemJson), (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<Digest>, Problem> {
    asked(&api, &who, &uri).await.map(|asked| Json(asked.digest))
}

/// What somebody asks for.
pub struct DigestRequest {
    pub day: Day,
    /// Whether the day's hour has come.
    pub over: bool,
    /// The notices.
    pub digest: Digest,
}

/// The digest that `day` and `station` ask for.
///
/// # Errors
/// 400 for what is no day, or one that has not begun; 404 for a station that is none of theirs.
pub async fn asked(api: &ApiState, who: &Who, uri: &Uri) -> Result<DigestRequest, Problem> {
    let params = Params::read(uri, &["day", "station"])?;
    let (hour, now) = (hour(api), api.clock.now());
    let day = match params.raw("day") {
        None => hour.today(now),
        Some(text) => Day::parse(text).ok_or_else(|| not_a_day(text))?,
    };
    let (from, to) = hour.span(day, now).ok_or_else(|| not_a_day(&day.to_string()))?;
    let (station, area) = (params.text("station")?, who.area.clone());
    let told = station.clone();
    let read = api.store.read(move |db| gather(db, &area, told.as_deref(), day, from..to)).await?;
    let missing = || Problem::unknown(Thing::Station, station.as_deref().unwrap_or_default());
    Ok(DigestRequest { day, over: over(&hour, day, now), digest: read.ok_or_else(missing)? })
}

fn not_a_day(text: &str) -> Problem {
    Problem::bad_parameter("day", text, "a day that has begun, such as 2026-11-28")
}

fn over(hour: &Hour, day: Day, now: Ms) -> bool {
    hour.on(day) <= now
}

/// The hour at which days end; where no digest is sent, the usual one.
fn hour(api: &ApiState) -> Hour {
    let at =
        api.config.digest.at.or(standpipe_config::DigestConfig::default().at).unwrap_or(Time::MIN);
    Hour { at, zone: api.town.zone.clone() }
}
