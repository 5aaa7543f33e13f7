//! Devices: the registry's row, and what is known of each now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::value::RawValue;
use standpipe_rules::Ms;
use standpipe_rules::detect::{HydrantNow, Memory, Trust, TrustReason};
use standpipe_rules::registry::{Device, Registry};
use standpipe_shared::{Condition, Field, Kind};
use standpipe_store::accounts::{Area, Right};
use standpipe_store::views::devices::{
    self as view, ConditionFilter, DeviceFilter, DeviceNow, Reach, StatusFilter, StatusIs,
    StatusNow, StatusText,
};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, JsonBody};
use super::list::List;
use super::params::Params;
use super::problem::{Problem, Thing};
use super::registration::{Registration, registered};
use super::registry::changed_code;
use super::schema::{DeviceRow, Latest};
use crate::api::who::Who;

/// One device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub struct DeviceItem {
    /// The columns of `devices.csv`, and `area` and `claimed`.
    #[serde(flatten)]
    #[schema(value_type = DeviceRow)]
    row: Device,
    /// What is true of it now.
    #[schema(value_type = Vec<String>)]
    conditions: Vec<&'static str>,
    /// When anything was last heard of it.
    heard_at: Option<Ms>,
    /// When a hydrant last measured its pressure, and a detector smoke, temperature or dirt.
    measured_at: Option<Ms>,
    /// The newest value of each measurement.
    #[schema(value_type = Latest)]
    latest: Box<RawValue>,
    /// When each of these was measured.
    #[schema(value_type = BTreeMap<String, i64>)]
    latest_at: BTreeMap<&'static str, Ms>,
    /// Hydrants: `out_of_service`, `no_water`, `stale`, `low`, `unconfirmed`, `suspect`, `in_use` or
    /// `ok`.
    #[schema(value_type = Option<String>)]
    trust: Option<Trust>,
    /// Hydrants: why it is not `ok`: `maintenance`, `no_water`, `offline`, `sensor_fault`,
    /// `no_measurement`, `never_measured`, `too_old`, `low_pressure`, `one_low_reading`,
    /// `low_readings` or `hydrant_open`.
    #[schema(value_type = Option<String>)]
    trust_reason: Option<TrustReason>,
    /// What it said of itself when it last started; null: nothing.
    status: Option<StatusJson>,
}

/// What a device said of itself when it last started; null: not said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceStatus)]
pub struct StatusJson {
    /// When it arrived.
    pub at: Ms,
    /// Start count.
    pub boot: Option<u32>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// Its model, as it says.
    pub model: Option<String>,
    /// Why it started: `power_on`, `watchdog`, …
    pub reset: Option<String>,
    /// How many messages it has lost, ever.
    pub lost: Option<u32>,
    /// What is wrong with its storage: `fresh`, `corrupt`, `failed`, …; null: nothing.
    pub storage: Option<String>,
}

impl From<StatusNow> for StatusJson {
    fn from(status: StatusNow) -> Self {
        let StatusNow { at, boot, firmware, model, reset, lost, storage } = status;
        Self { at, boot, firmware, model, reset, lost, storage }
    }
}

/// Parameters that choose devices by what they said of themselves, of lists of devices.
pub const STATUS_PARAMS: [&str; 5] = ["firmware", "model", "reset", "storage", "status"];

/// What `status` may be.
const STATUSES: [(&str, StatusIs); 6] = [
    ("lost", StatusIs::Lost),
    ("storage_fault", StatusIs::StorageFault),
    ("none", StatusIs::Missing),
    ("no_firmware", StatusIs::WithoutFirmware),
    ("no_model", StatusIs::WithoutModel),
    ("no_reset", StatusIs::WithoutReset),
];

/// Those of [`STATUS_PARAMS`] that somebody gave, with their values.
///
/// # Errors
/// 400 for a text that is too long, or a `status` that is none.
pub fn said(params: &Params) -> Result<Vec<(&'static str, String)>, Problem> {
    params.one_of("status", &STATUSES)?;
    let mut said = Vec::new();
    for name in STATUS_PARAMS {
        said.extend(params.text(name)?.map(|value| (name, value)));
    }
    Ok(said)
}

/// Only devices that said so of themselves.
pub fn status_filters(said: &[(&'static str, String)]) -> Vec<StatusFilter> {
    let filter = |(name, value): &(&str, String)| {
        let text = match *name {
            "firmware" => StatusText::Firmware,
            "model" => StatusText::Model,
            "reset" => StatusText::Reset,
            "storage" => StatusText::Storage,
            _ => {
                let found = STATUSES.iter().find(|(status, _)| status == value);
                return found.map(|(_, status)| StatusFilter::Is(*status));
            }
        };
        Some(StatusFilter::Says(text, value.clone()))
    };
    said.iter().filter_map(filter).collect()
}

/// The registry with what is known now, by id.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices",
    operation_id = "list_devices",
    params(
        ("station" = Option<String>, Query, description = "of this station; a district's also unclaimed"),
        ("kind" = Option<String>, Query, description = "hydrant or smoke"),
        ("condition" = Option<String>, Query, description = "true now"),
        ("q" = Option<String>, Query, description = "in id, name or address"),
        ("firmware" = Option<String>, Query, description = "that said so when they last started"),
        ("model" = Option<String>, Query, description = "likewise"),
        ("reset" = Option<String>, Query, description = "likewise"),
        ("storage" = Option<String>, Query, description = "likewise"),
        ("status" = Option<String>, Query, description = "lost: messages; storage_fault; none: never said anything of itself; no_firmware, no_model, no_reset: did not say it"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<DeviceItem>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<DeviceItem>>, Problem> {
    let accepted = ["station", "kind", "condition", "q", "page", "per_page"];
    let params = Params::read(&uri, &[&accepted[..], &STATUS_PARAMS].concat())?;
    let kinds = [Kind::Hydrant, Kind::Smoke].map(|kind| (kind.as_str(), kind));
    let conditions = Condition::ALL.map(|condition| (condition.as_str(), condition));
    let filter = DeviceFilter {
        station: params.text("station")?,
        kind: params.one_of("kind", &kinds)?,
        condition: params.one_of("condition", &conditions)?.map(ConditionFilter::One),
        text: params.text("q")?,
        status: status_filters(&said(&params)?),
    };
    let (page, area, now) = (params.page()?, who.area.clone(), api.clock.now());
    let list = api.store.read(move |db| view::list(db, &area, &filter, page, now)).await?;
    Ok(Json(list.map(|device| DeviceItem::of(device, &api.profiles, now)).into()))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    operation_id = "get_device",
    params(("id" = String, Path)),
    responses((status = 200, body = DeviceItem), (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<DeviceItem>, Problem> {
    Params::read(&uri, &[])?;
    find(&api, &who.area, Reach::InSight, &id).await.map(Json)
}

/// Registers a device, or changes its row. What `GET` adds to the row is ignored here.
#[utoipa::path(put, path = "/api/v1/devices/{id}", tag = "devices",
    operation_id = "put_device",
    params(("id" = String, Path)), request_body = Registration,
    responses((status = 200, description = "changed", body = DeviceItem),
        (status = 201, description = "registered", body = DeviceItem),
        (status = 400, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn put(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    JsonBody(body): JsonBody<serde_json::Map<String, serde_json::Value>>,
) -> Result<(StatusCode, Json<DeviceItem>), Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    let (device, before) = registered(&api, &id, body).await?;
    let new = before.is_none();
    if !new {
        find(&api, &who.area, Reach::Own, &id).await?;
    }
    if !who.area.holds(&device.station) {
        return Err(Problem::unknown(Thing::Station, &device.station));
    }
    let done = changed_code(before.as_ref(), &device);
    api.engine.put_device(device).await.map_err(|down| Problem::part_down(down.to_string()))?;
    api.did_as(&who, "device_put", done).await;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(find(&api, &who.area, Reach::Own, &id).await?)))
}

/// What a registered device is.
///
/// # Errors
/// 404 when it is not registered, or is somebody else's.
pub async fn kind(api: &ApiState, area: &Area, id: &str) -> Result<Kind, Problem> {
    kind_among(api, area, Reach::Own, id).await
}

/// The same of a device that may be looked at.
///
/// # Errors
/// 404 when it is not registered, or is no business of theirs.
pub async fn seen_kind(api: &ApiState, area: &Area, id: &str) -> Result<Kind, Problem> {
    kind_among(api, area, Reach::InSight, id).await
}

async fn kind_among(api: &ApiState, area: &Area, reach: Reach, id: &str) -> Result<Kind, Problem> {
    let (key, area) = (id.to_owned(), area.clone());
    let kind = api.store.read(move |db| view::kind(db, &area, reach, &key)).await?;
    kind.ok_or_else(|| Problem::unknown(Thing::Device, id))
}

/// The device, with what is known of it now.
///
/// # Errors
/// 404 when it is not registered, or is somebody else's.
pub async fn find(
    api: &ApiState,
    area: &Area,
    reach: Reach,
    id: &str,
) -> Result<DeviceItem, Problem> {
    let (key, area, now) = (id.to_owned(), area.clone(), api.clock.now());
    let found = api.store.read(move |db| view::one(db, &area, reach, &key, now)).await?;
    let device = found.ok_or_else(|| Problem::unknown(Thing::Device, id))?;
    Ok(DeviceItem::of(device, &api.profiles, now))
}

impl DeviceItem {
    fn of(found: DeviceNow, profiles: &Registry, now: Ms) -> Self {
        let DeviceNow { device, memory, .. } = found;
        let mut hydrant = memory
            .as_ref()
            .filter(|_| device.kind == Kind::Hydrant)
            .map(|memory| HydrantNow::of(&device, profiles.profile_of(&device), memory, now));
        if device.kind == Kind::Hydrant && found.out_of_service {
            hydrant = Some(hydrant.unwrap_or(HydrantNow::UNKNOWN).out_of_service());
        }
        let times = memory.iter().flat_map(Memory::latest_at);
        Self {
            conditions: names(found.conditions),
            heard_at: found.heard_at,
            measured_at: memory.as_ref().and_then(|memory| memory.measured_at(device.kind)),
            latest: found.latest,
            latest_at: times.map(|(field, at): (Field, Ms)| (field.as_str(), at)).collect(),
            trust: hydrant.map(|hydrant| hydrant.trust),
            trust_reason: hydrant.and_then(|hydrant| hydrant.reason),
            status: found.status.map(StatusJson::from),
            row: device,
        }
    }
}

/// The conditions of a set.
pub fn set_of(set: u32) -> Vec<Condition> {
    Condition::ALL.into_iter().filter(|condition| set & condition.bit() != 0).collect()
}

/// The names of a set of conditions.
fn names(set: u32) -> Vec<&'static str> {
    set_of(set).into_iter().map(Condition::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::names;
    use standpipe_shared::Condition;

    #[test]
    fn a_set_of_conditions_has_names_in_the_order_of_the_contract() {
        assert_eq!(names(0), [""; 0]);
        let set = Condition::Offline.bit() | Condition::NoWater.bit();
        assert_eq!(names(set), ["no_water", "offline"]);
    }
}
