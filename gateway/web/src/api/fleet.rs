//! The fleet: what the devices say of themselves, counted. Each number is that of a list of devices
//! with the parameter of the same name (`api/devices.rs`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_store::accounts::Area;
use standpipe_store::views::fleet::{FleetCounts, FleetValue, count};
use utoipa::ToSchema;

use super::ApiState;
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// What the devices say of themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fleet {
    /// How many there are.
    pub devices: u64,
    /// How many never said anything of themselves.
    pub none: u64,
    /// By version of their firmware.
    pub firmware: Vec<FleetGroupJson>,
    /// By model.
    pub model: Vec<FleetGroupJson>,
    /// By the reason of their last start.
    pub reset: Vec<FleetGroupJson>,
    /// Those with a fault of their storage, by fault.
    pub storage: Vec<FleetGroupJson>,
    /// Those that have lost messages.
    pub lost: FleetLostJson,
}

/// Devices that say the same; at most 100 values, those of the most devices.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FleetGroup)]
pub struct FleetGroupJson {
    /// What they say; null: nothing.
    pub value: Option<String>,
    /// How many they are.
    pub devices: u64,
}

/// Messages that were lost by the devices themselves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FleetLost)]
pub struct FleetLostJson {
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
    responses((status = 200, body = Fleet), (status = 400, body = super::problem::ProblemJson)))]
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
    Ok(read.await?.into())
}

impl From<FleetCounts> for Fleet {
    fn from(counts: FleetCounts) -> Self {
        let groups =
            |values: Vec<FleetValue>| values.into_iter().map(FleetGroupJson::from).collect();
        Self {
            devices: counts.devices,
            none: counts.none,
            firmware: groups(counts.firmware),
            model: groups(counts.model),
            reset: groups(counts.reset),
            storage: groups(counts.storage),
            lost: FleetLostJson { devices: counts.losing_devices, messages: counts.lost_messages },
        }
    }
}

impl From<FleetValue> for FleetGroupJson {
    fn from(FleetValue { value, devices }: FleetValue) -> Self {
        Self { value, devices }
    }
}
