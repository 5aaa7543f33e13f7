//! Stations: who acts, whether their terminal is open, and how much they have to do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use rusqlite::Row;
use serde::Serialize;
use standpipe_rules::Ms;
use standpipe_rules::registry::Station;
use standpipe_store::readers::ReadError;
use utoipa::ToSchema;

use super::ApiState;
use super::body::Id;
use super::list::{List, Source, Where};
use super::params::{Page, Params};
use super::problem::{Problem, Thing};
use super::schema::StationRow;
use crate::api::who::Who;

/// One station.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Station)]
pub struct Item {
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

const ITEMS: Source = Source {
    select: "s.json, s.online, s.presence_at, \
             (SELECT count(*) FROM device d WHERE d.station = s.id), coalesce(i.open, 0)",
    from: "station s",
    joins: "LEFT JOIN (SELECT station, count(*) AS open FROM incident WHERE open = 1 \
            GROUP BY station) i ON i.station = s.id",
    group: "",
    order: "ORDER BY s.id",
};

fn item(row: &Row<'_>) -> Result<Item, ReadError> {
    Ok(Item {
        row: serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?,
        online: row.get(1)?,
        presence_at: row.get(2)?,
        devices: row.get(3)?,
        open_incidents: row.get(4)?,
    })
}

/// All stations, by id.
#[utoipa::path(get, path = "/api/v1/stations", tag = "registry",
    operation_id = "list_stations",
    params(("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Item>>, Problem> {
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    let wanted = Where::within(&who.area, who.area.stations());
    let list = api.store.read(move |db| ITEMS.page(db, &wanted, page, item));
    Ok(Json(list.await?))
}

/// One station.
#[utoipa::path(get, path = "/api/v1/stations/{id}", tag = "registry",
    operation_id = "get_station",
    params(("id" = String, Path)),
    responses((status = 200, body = Item), (status = 404, body = super::problem::Body)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<Item>, Problem> {
    Params::read(&uri, &[])?;
    let mut wanted = Where::within(&who.area, who.area.stations());
    wanted.and("s.id = ?", id.clone());
    let first = Page { page: 1, per_page: 1 };
    let found = api.store.read(move |db| ITEMS.page(db, &wanted, first, item)).await?;
    found.items.into_iter().next().map(Json).ok_or_else(|| Problem::unknown(Thing::Station, &id))
}
