//! Devices: the registry's row, and what is known of each now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;
use serde_json::value::RawValue;
use standpipe_rules::Ms;
use standpipe_rules::detect::{HydrantNow, Memory, Trust, TrustReason};
use standpipe_rules::registry::{Device, DeviceIx, Registry};
use standpipe_shared::{Condition, Field, Kind};
use standpipe_store::accounts::{Area, DEVICES_OF, Right};
use standpipe_store::readers::ReadError;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Body, Id};
use super::list::{List, Source, Where};
use super::maintenance::out_of_service;
use super::params::{Page, Params};
use super::problem::{Problem, Thing};
use super::registration::{Registration, registered};
use super::schema::{DeviceRow, Latest};
use crate::api::who::Who;

/// One device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub struct Item {
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
    status: Option<Status>,
}

/// What a device said of itself when it last started; null: not said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceStatus)]
pub struct Status {
    /// When it arrived.
    pub at: Ms,
    /// Start count.
    pub boot: Option<u32>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Why it started: `power_on`, `watchdog`, …
    pub reset: Option<String>,
    /// How many messages it has lost, ever.
    pub lost: Option<u32>,
    /// What is wrong with its storage: `fresh`, `corrupt`, `failed`, …; null: nothing.
    pub storage: Option<String>,
}

impl Status {
    /// Its columns, of `device_status f`.
    pub const COLUMNS: &str = "f.at, f.boot, f.firmware, f.model, f.reset, f.lost, f.storage";

    /// From [`Self::COLUMNS`], of which the first is column `first`; `None`: there is no row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(at) = row.get(first)? else { return Ok(None) };
        Ok(Some(Self {
            at,
            boot: row.get(first + 1)?,
            firmware: row.get(first + 2)?,
            model: row.get(first + 3)?,
            reset: row.get(first + 4)?,
            lost: row.get(first + 5)?,
            storage: row.get(first + 6)?,
        }))
    }
}

/// Parameters that choose devices by what they said of themselves, of lists of devices.
pub const STATUS_PARAMS: [&str; 5] = ["firmware", "model", "reset", "storage", "status"];

/// What `status` may be, and which rows of `device d` that are.
const STATUSES: [(&str, &str); 6] = [
    ("lost", "d.ix IN (SELECT ix FROM device_status WHERE lost > 0)"),
    ("storage_fault", "d.ix IN (SELECT ix FROM device_status WHERE storage IS NOT NULL)"),
    ("none", "d.ix NOT IN (SELECT ix FROM device_status)"),
    ("no_firmware", "d.ix NOT IN (SELECT ix FROM device_status WHERE firmware IS NOT NULL)"),
    ("no_model", "d.ix NOT IN (SELECT ix FROM device_status WHERE model IS NOT NULL)"),
    ("no_reset", "d.ix NOT IN (SELECT ix FROM device_status WHERE reset IS NOT NULL)"),
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
pub fn of_status(said: &[(&'static str, String)], wanted: &mut Where) {
    for (name, value) in said {
        let rows = match *name {
            "firmware" => "d.ix IN (SELECT ix FROM device_status WHERE firmware = ?)",
            "model" => "d.ix IN (SELECT ix FROM device_status WHERE model = ?)",
            "reset" => "d.ix IN (SELECT ix FROM device_status WHERE reset = ?)",
            "storage" => "d.ix IN (SELECT ix FROM device_status WHERE storage = ?)",
            _ => {
                let found = STATUSES.iter().find(|(status, _)| status == value);
                found.into_iter().for_each(|(_, rows)| wanted.and_always(rows));
                continue;
            }
        };
        wanted.and(rows, value.clone());
    }
}

const ITEMS: Source = Source {
    select: "d.json, m.conditions, m.heard_at, m.latest, m.body, d.ix, \
             f.at, f.boot, f.firmware, f.model, f.reset, f.lost, f.storage",
    from: "device d",
    joins: "LEFT JOIN memory m ON m.ix = d.ix LEFT JOIN device_status f ON f.ix = d.ix",
    group: "",
    order: "ORDER BY d.id",
};

/// Devices whose id, name or address contains a text, as [`containing`] puts it.
pub const LIKE: &str =
    "d.id || ' ' || d.name || ' ' || json_extract(d.json, '$.address') LIKE ? ESCAPE '\\'";

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
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Item>>, Problem> {
    let accepted = ["station", "kind", "condition", "q", "page", "per_page"];
    let params = Params::read(&uri, &[&accepted[..], &STATUS_PARAMS].concat())?;
    let kinds = [Kind::Hydrant, Kind::Smoke].map(|it| (it.as_str(), it));
    let conditions = Condition::ALL.map(|it| (it.as_str(), it));
    let mut wanted = Where::within(&who.area, who.area.devices());
    wanted.and_some(DEVICES_OF, params.text("station")?);
    wanted.and_some("d.kind = ?", params.one_of("kind", &kinds)?.map(Kind::as_str));
    let condition = params.one_of("condition", &conditions)?;
    wanted.and_some(
        "d.ix IN (SELECT ix FROM memory WHERE conditions & ? <> 0)",
        condition.map(Condition::bit),
    );
    wanted.and_some(LIKE, params.text("q")?.map(|it| containing(&it)));
    of_status(&said(&params)?, &mut wanted);
    let page = params.page()?;
    Ok(Json(read(&api, wanted, page).await?))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    operation_id = "get_device",
    params(("id" = String, Path)),
    responses((status = 200, body = Item), (status = 404, body = super::problem::Body)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<Item>, Problem> {
    Params::read(&uri, &[])?;
    let sight = Where::within(&who.area, who.area.devices_in_sight());
    find(&api, sight, &id).await.map(Json)
}

/// Registers a device, or changes its row. What `GET` adds to the row is ignored here.
#[utoipa::path(put, path = "/api/v1/devices/{id}", tag = "devices",
    operation_id = "put_device",
    params(("id" = String, Path)), request_body = Registration,
    responses((status = 200, description = "changed", body = Item),
        (status = 201, description = "registered", body = Item),
        (status = 400, body = super::problem::Body), (status = 503, body = super::problem::Body)))]
pub async fn put(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    Body(body): Body<serde_json::Map<String, serde_json::Value>>,
) -> Result<(StatusCode, Json<Item>), Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    let (device, new) = registered(&api, &id, body).await?;
    let theirs = || Where::within(&who.area, who.area.devices());
    if !new {
        find(&api, theirs(), &id).await?;
    }
    if !who.area.holds(&device.station) {
        return Err(Problem::unknown(Thing::Station, &device.station));
    }
    api.engine.put_device(device).await.map_err(|down| Problem::part_down(down.to_string()))?;
    api.did(&who, "device_put", &id).await;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(find(&api, theirs(), &id).await?)))
}

/// What a registered device is.
///
/// # Errors
/// 404 when it is not registered, or is somebody else's.
pub async fn kind(api: &ApiState, area: &Area, id: &str) -> Result<Kind, Problem> {
    kind_among(api, (area, area.devices()), id).await
}

/// The same of a device that may be looked at.
///
/// # Errors
/// 404 when it is not registered, or is no business of theirs.
pub async fn seen_kind(api: &ApiState, area: &Area, id: &str) -> Result<Kind, Problem> {
    kind_among(api, (area, area.devices_in_sight()), id).await
}

async fn kind_among(
    api: &ApiState,
    (area, rows): (&Area, &'static str),
    id: &str,
) -> Result<Kind, Problem> {
    let (key, area) = (id.to_owned(), area.clone());
    let kind = api.store.read(move |db| {
        let sql = format!("SELECT kind FROM device d WHERE {rows} AND id = ?2");
        let mut find = db.prepare_cached(&sql)?;
        Ok(find.query_row((area, key), |row| row.get::<_, String>(0)).optional()?)
    });
    match kind.await?.as_deref() {
        Some("smoke") => Ok(Kind::Smoke),
        Some(_) => Ok(Kind::Hydrant),
        None => Err(Problem::unknown(Thing::Device, id)),
    }
}

async fn find(api: &Arc<ApiState>, mut wanted: Where, id: &str) -> Result<Item, Problem> {
    wanted.and("d.id = ?", id.to_owned());
    let found = read(api, wanted, Page { page: 1, per_page: 1 }).await?;
    found.items.into_iter().next().ok_or_else(|| Problem::unknown(Thing::Device, id))
}

async fn read(api: &Arc<ApiState>, wanted: Where, page: Page) -> Result<List<Item>, ReadError> {
    let now = api.clock.now();
    let of = Arc::clone(api);
    let query = move |db: &_| {
        let lost = out_of_service(db, now)?;
        ITEMS.page(db, &wanted, page, |row| item(row, (&of.profiles, &lost), now))
    };
    api.store.read(query).await
}

fn item(
    row: &Row<'_>,
    (profiles, lost): (&Registry, &BTreeSet<DeviceIx>),
    now: Ms,
) -> Result<Item, ReadError> {
    let device: Device = serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?;
    let set: u32 = row.get::<_, Option<u32>>(1)?.unwrap_or(0);
    let latest: Option<String> = row.get(3)?;
    // `None` when the memory can't be read, which the engine says at its start.
    let body = row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let memory = match body {
        Some(body) => Memory::from_body(body).ok(),
        None => Some(Memory::default()),
    };
    let mut hydrant = memory
        .as_ref()
        .filter(|_| device.kind == Kind::Hydrant)
        .map(|memory| HydrantNow::of(&device, profiles.profile_of(&device), memory, now));
    if device.kind == Kind::Hydrant && lost.contains(&DeviceIx(row.get(5)?)) {
        hydrant = Some(hydrant.unwrap_or(HydrantNow::UNKNOWN).out_of_service());
    }
    let times = memory.iter().flat_map(Memory::latest_at);
    Ok(Item {
        conditions: names(set),
        heard_at: row.get(2)?,
        measured_at: memory.as_ref().and_then(|memory| memory.measured_at(device.kind)),
        latest: RawValue::from_string(latest.unwrap_or_else(|| "{}".to_owned()))?,
        latest_at: times.map(|(field, at): (Field, Ms)| (field.as_str(), at)).collect(),
        trust: hydrant.map(|hydrant| hydrant.trust),
        trust_reason: hydrant.and_then(|hydrant| hydrant.reason),
        status: Status::read(row, 6)?,
        row: device,
    })
}

/// The conditions of a set.
pub fn set_of(set: u32) -> Vec<Condition> {
    Condition::ALL.into_iter().filter(|it| set & it.bit() != 0).collect()
}

/// The names of a set of conditions.
fn names(set: u32) -> Vec<&'static str> {
    set_of(set).into_iter().map(Condition::as_str).collect()
}

/// A `LIKE` pattern for a text that contains this one.
pub fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::{containing, names};
    use standpipe_shared::Condition;

    #[test]
    fn a_set_of_conditions_has_names_in_the_order_of_the_contract() {
        assert_eq!(names(0), [""; 0]);
        let set = Condition::Offline.bit() | Condition::NoWater.bit();
        assert_eq!(names(set), ["no_water", "offline"]);
    }

    #[test]
    fn a_search_means_what_it_says() {
        assert_eq!(containing("50%_a\\"), "%50\\%\\_a\\\\%");
    }
}
