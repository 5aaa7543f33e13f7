//! The fleet: what the devices say of themselves, counted. Each number is that of a list of devices
//! with the parameter of the same name (`api/devices.rs`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use rusqlite::Connection;
use serde::Serialize;
use standpipe_store::accounts::{Area, DEVICES_OF};
use standpipe_store::readers::ReadError;
use utoipa::ToSchema;

use super::ApiState;
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// Values that are told of each kind at most: those of the most devices.
const VALUES: u32 = 100;

/// What the devices say of themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fleet {
    /// How many there are.
    pub devices: u64,
    /// How many never said anything of themselves.
    pub none: u64,
    /// By version of their firmware.
    pub firmware: Vec<Group>,
    /// By model.
    pub model: Vec<Group>,
    /// By the reason of their last start.
    pub reset: Vec<Group>,
    /// Those with a fault of their storage, by fault.
    pub storage: Vec<Group>,
    /// Those that have lost messages.
    pub lost: Lost,
}

/// Devices that say the same; at most 100 values, those of the most devices.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FleetGroup)]
pub struct Group {
    /// What they say; null: nothing.
    pub value: Option<String>,
    /// How many they are.
    pub devices: u64,
}

/// Messages that were lost by the devices themselves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FleetLost)]
pub struct Lost {
    /// How many devices have lost some.
    pub devices: u64,
    /// How many messages, by what each said last.
    pub messages: u64,
}

/// Versions, models, reasons of the last start, lost messages and faults of the storage, each with
/// the number of devices that say so: `GET devices` lists them by the parameter of that name.
#[utoipa::path(get, path = "/api/v1/fleet", tag = "devices",
    operation_id = "get_fleet",
    params(("station" = Option<String>, Query, description = "of this station; a district's also unclaimed")),
    responses((status = 200, body = Fleet), (status = 400, body = super::problem::Body)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<Fleet>, Problem> {
    let station = Params::read(&uri, &["station"])?.text("station")?;
    read(&api, who.area, station).await.map(Json)
}

/// The fleet of an area, or of one station in it.
///
/// # Errors
/// What the store says.
pub async fn read(api: &ApiState, area: Area, station: Option<String>) -> Result<Fleet, Problem> {
    let read = api.store.read(move |db| count(db, &area, station.as_deref()));
    Ok(read.await?)
}

fn count(db: &Connection, area: &Area, station: Option<&str>) -> Result<Fleet, ReadError> {
    let of = match station {
        None => "?2 IS NULL",
        Some(_) => &DEVICES_OF.replacen('?', "?2", 1),
    };
    let from = format!(
        "FROM device d LEFT JOIN device_status f ON f.ix = d.ix WHERE {} AND {of}",
        area.devices()
    );
    let groups = |column: &str, all: &str| -> Result<Vec<Group>, ReadError> {
        let sql = format!(
            "SELECT f.{column}, count(*) {from} {all} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {VALUES}"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map((area, station), |row| {
            Ok(Group { value: row.get(0)?, devices: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let sql =
        format!("SELECT count(*), count(*) - count(f.ix), total(f.lost > 0), total(f.lost) {from}");
    let whole = |number: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = number as u64;
        count
    };
    let counts = db.prepare_cached(&sql)?.query_row((area, station), |row| {
        Ok((row.get(0)?, row.get(1)?, whole(row.get(2)?), whole(row.get(3)?)))
    })?;
    let (devices, none, losers, messages) = counts;
    Ok(Fleet {
        devices,
        none,
        firmware: groups("firmware", "")?,
        model: groups("model", "")?,
        reset: groups("reset", "")?,
        storage: groups("storage", "AND f.storage IS NOT NULL")?,
        lost: Lost { devices: losers, messages },
    })
}
