//! Stations: who acts, whether their terminal is open, and how much they have to do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_rules::Ms;
use standpipe_rules::registry::Station;
use standpipe_store::views::stations::{self as view, StationNow};
use utoipa::ToSchema;

use super::ApiState;
use super::body::Id;
use super::list::List;
use super::params::Params;
use super::problem::{Problem, Thing};
use super::schema::StationRow;
use crate::api::who::Who;

/// One station.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Station)]
pub struct StationItem {
    /// `id`, `name`, `level`, `parent`, `lat`, `lon`, `phone` as in `stations.csv`.
    #[serde(flatten)]
    #[schema(value_type = StationRow)]
    row: Station,
    /// Whether its terminal is open.
    online: bool,
    /// When that was last heard; null: never.
    presence_at: Option<Ms>,
    /// Devices it is responsible for.
    devices: u64,
    /// Incidents of it that are not closed.
    open_incidents: u64,
}

impl From<StationNow> for StationItem {
    fn from(station: StationNow) -> Self {
        let StationNow { station: row, online, presence_at, devices, open_incidents } = station;
        Self { row, online, presence_at, devices, open_incidents }
    }
}

/// All stations, by id.
#[utoipa::path(get, path = "/api/v1/stations", tag = "registry",
    operation_id = "list_stations",
    params(("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<StationItem>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<StationItem>>, Problem> {
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    let list = api.store.read(move |db| view::list(db, &who.area, page));
    Ok(Json(list.await?.into()))
}

/// One station.
#[utoipa::path(get, path = "/api/v1/stations/{id}", tag = "registry",
    operation_id = "get_station",
    params(("id" = String, Path)),
    responses((status = 200, body = StationItem), (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<StationItem>, Problem> {
    Params::read(&uri, &[])?;
    let key = id.clone();
    let found = api.store.read(move |db| view::one(db, &who.area, &key)).await?;
    found.map(|station| Json(station.into())).ok_or_else(|| Problem::unknown(Thing::Station, &id))
}
