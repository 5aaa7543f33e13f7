//! The registry while the gateway runs: lists are read and compared, and taken when a person says so;
//! devices are retired and replaced. Whoever did what stands in the audit log, with before and after.
//!
//! Not here: one device's row (`devices::put`), and what a list may look like (`standpipe_lists`).

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use standpipe_config::Language;
use standpipe_engine::entry::RegistryRows;
use standpipe_lists::{
    ChangedField, File, Import, ListOptions, Listed, RegistryDifference, RowDifference, difference,
    told,
};
use standpipe_machine::limits::{REGISTER_AT_ONCE, REGISTRY_FILE};
use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, NotReplaced, Registry};
use standpipe_store::accounts::{Area, AuditCode, Right};
use standpipe_store::views::devices::Reach;
use standpipe_store::views::registry as view;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, JsonBody};
use super::devices::DeviceItem;
use super::params::Params;
use super::problem::{Problem, Thing};
use crate::api::who::Who;

/// Both files of [`REGISTRY_FILE`] in base64, and what is said about them.
pub const IMPORT_BODY: usize = (REGISTRY_FILE as usize) * 2 / 3 * 4 + 64 * 1024;
/// Rows of an import that have a line each in the audit log; the rest are counted in one.
const AUDITED: usize = 500;

/// A list as somebody has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListFile {
    /// What the file is called, for reports.
    name: String,
    /// Its bytes: CSV of any kind, Excel, GeoJSON or OpenStreetMap.
    base64: String,
}

/// Lists, what is said about them, and what is to be done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportBody)]
pub struct ImportRequest {
    stations: Option<ListFile>,
    devices: Option<ListFile>,
    /// Our columns and theirs, `id=编号,lat=Y`; the usual names need no word.
    #[serde(default)]
    columns: String,
    /// What stands in a column wherever the list has nothing, `kind=hydrant,station=T01`.
    #[serde(default)]
    fill: String,
    /// `wgs84`, `gcj02` or `bd09`; empty: as the columns' names say, or WGS-84.
    #[serde(default)]
    datum: String,
    /// The zone of UTM in which places are metres, `48N`; empty: they are degrees.
    #[serde(default)]
    utm: String,
    /// Takes the list; without it nothing changes, and the difference is shown.
    #[serde(default)]
    apply: bool,
    /// Takes the good rows although others are bad.
    #[serde(default)]
    skip_bad: bool,
}

/// The same lines in both languages.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = LinesInBoth)]
pub struct BothLines {
    en: Vec<String>,
    zh: Vec<String>,
}

impl BothLines {
    fn of<'a>(texts: impl IntoIterator<Item = &'a Text>) -> Self {
        let (en, zh) = texts.into_iter().map(|text| (text.en.clone(), text.zh.clone())).unzip();
        Self { en, zh }
    }

    fn lines(in_language: impl Fn(Language) -> String) -> Self {
        let of = |language| in_language(language).lines().map(str::to_owned).collect();
        Self { en: of(Language::English), zh: of(Language::Chinese) }
    }
}

/// What a list says, and what taking it would change, or has changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportAnswer)]
pub struct ImportJson {
    /// Whether the registry is now as the list says.
    applied: bool,
    /// Whether there is anything to take.
    changes: bool,
    /// In one sentence: how many are new, changed, missing from the list.
    summary: BothLines,
    /// Row by row, of each sort the first few.
    difference: BothLines,
    /// What is wrong, with its place; of many rows with one cause the first few.
    faults: BothLines,
    /// What is likely wrong with the list as a whole: look before it is taken.
    doubts: BothLines,
    /// What was left out, and how the list was taken.
    notes: BothLines,
}

/// Another node's id.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplaceBody)]
pub struct ReplaceRequest {
    /// The device that takes the place.
    by: String,
}

/// Reads lists and shows what they would change; with `apply` the registry takes them. What is not in a
/// list stays.
#[utoipa::path(post, path = "/api/v1/registry/import", tag = "registry",
    operation_id = "import_registry", request_body = ImportRequest,
    responses((status = 200, body = ImportJson), (status = 400, body = super::problem::ProblemJson),
        (status = 403, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn import(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
    JsonBody(body): JsonBody<ImportRequest>,
) -> Result<Json<ImportJson>, Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    let (apply, skip_bad) = (body.apply, body.skip_bad);
    let files = RequestedLists::of(body)?;
    let profiles = api.profiles.clone();
    let (import, difference) =
        api.store.read(move |db| Ok(files.compare(view::all(db, profiles)?))).await?;
    whose(&who.area, &import)?;
    let nothing = import.stations.is_empty() && import.devices.is_empty();
    let good = import.bad.is_empty() || (skip_bad && !nothing);
    let applied = apply && good;
    let answer = ImportJson {
        applied,
        changes: !difference.is_empty(),
        summary: BothLines::of([&difference.summary()]),
        difference: BothLines::lines(|language| difference.lines(language)),
        faults: BothLines::lines(|language| told(&import.bad, language).join("\n")),
        doubts: BothLines::of(&import.doubts),
        notes: BothLines::of(import.notes.iter().chain(&import.datum)),
    };
    if applied && !difference.is_empty() {
        take(&api, &who, import, &difference).await?;
    }
    Ok(Json(answer))
}

/// What was asked to be read.
struct RequestedLists {
    stations: Option<(String, Vec<u8>)>,
    devices: Option<(String, Vec<u8>)>,
    options: ListOptions,
}

impl RequestedLists {
    fn of(body: ImportRequest) -> Result<Self, Problem> {
        let bytes = |file: Option<ListFile>| {
            file.map(|ListFile { name, base64 }| {
                let bytes = BASE64_STANDARD.decode(base64.trim());
                let bytes = bytes.map_err(|bad| {
                    Problem::bad_request(format!("{name} is not base64 ({bad}): encode its bytes"))
                })?;
                Ok::<_, Problem>((name, bytes))
            })
            .transpose()
        };
        let (stations, devices) = (bytes(body.stations)?, bytes(body.devices)?);
        if stations.is_none() && devices.is_none() {
            return Err(Problem::bad_request("no list: send `stations`, `devices` or both"));
        }
        let pairs = |text: &str| {
            ListOptions::pairs(text).map_err(|bad| Problem::bad_request(bad.to_string()))
        };
        let said = |name: &str, text: &str, accepted: &str| {
            Problem::bad_request(format!("{name} = `{text}`: write {accepted}, or nothing"))
        };
        let datum = Some(body.datum.as_str()).filter(|datum| !datum.is_empty());
        let datum = datum.map(str::parse).transpose();
        let utm =
            Some(body.utm.as_str()).filter(|zone| !zone.is_empty()).map(str::parse).transpose();
        let options = ListOptions {
            columns: pairs(&body.columns)?,
            fill: pairs(&body.fill)?,
            datum: datum.map_err(|()| said("datum", &body.datum, "wgs84, gcj02, bd09"))?,
            utm: utm.map_err(|()| said("utm", &body.utm, "a zone such as 48N"))?,
        };
        Ok(Self { stations, devices, options })
    }

    fn compare(&self, known: Registry) -> (Import, RegistryDifference) {
        let file = |file: &'_ Option<(String, Vec<u8>)>| {
            file.as_ref().map(|(name, bytes)| (name.clone(), bytes.clone()))
        };
        let (stations, devices) = (file(&self.stations), file(&self.devices));
        let import = Import::read_as(
            stations.as_ref().map(|(name, bytes)| File { name, bytes }),
            devices.as_ref().map(|(name, bytes)| File { name, bytes }),
            &known,
            &self.options,
        );
        let listed = Listed { stations: stations.is_some(), devices: devices.is_some() };
        let difference = RegistryDifference::of(&import, &known, listed);
        (import, difference)
    }
}

/// Whether somebody of that area may take all of it: stations are the whole district's.
fn whose(area: &Area, import: &Import) -> Result<(), Problem> {
    if let (Some(station), false) = (import.stations.first(), *area == Area::All) {
        return Err(Problem::not_theirs(&format!("station `{}`", station.id)));
    }
    match import.devices.iter().find(|device| !area.holds(&device.station)) {
        Some(device) => Err(Problem::unknown(Thing::Station, &device.station)),
        None => Ok(()),
    }
}

/// The registry becomes what the list says, some rows at a time: alarms pass between them.
async fn take(
    api: &ApiState,
    who: &Who,
    import: Import,
    difference: &RegistryDifference,
) -> Result<(), Problem> {
    let down = |down: standpipe_engine::Unavailable| Problem::part_down(down.to_string());
    let Import { stations, mut devices, .. } = import;
    let rows = RegistryRows { stations, devices: Vec::new() };
    api.engine.register(rows).await.map_err(down)?;
    let RowDifference { new, changed, again, .. } = &difference.devices;
    let changed = changed.iter().map(|row| &row.id);
    let differ: HashSet<&str> = new.iter().chain(again).chain(changed).map(|id| &**id).collect();
    devices.retain(|device| differ.contains(&*device.id));
    while !devices.is_empty() {
        let rest = devices.split_off(devices.len().min(REGISTER_AT_ONCE));
        let rows = RegistryRows { stations: Vec::new(), devices };
        api.engine.register(rows).await.map_err(down)?;
        devices = rest;
    }
    api.health.registry_files.clear();
    audit(api, who, difference).await;
    Ok(())
}

async fn audit(api: &ApiState, who: &Who, difference: &RegistryDifference) {
    api.did(who, "registry_import", &difference.summary().en).await;
    let RegistryDifference { stations, devices } = difference;
    for (what, rows) in [("station_put", stations), ("device_put", devices)] {
        for row in rows.changed.iter().take(AUDITED) {
            api.did_as(who, what, row_code(&row.id, &row.fields)).await;
        }
        for id in rows.new.iter().chain(&rows.again).take(AUDITED) {
            api.did_as(who, what, row_code(id, &[])).await;
        }
    }
}

/// A row and what changed in it, as the audit log has it.
#[must_use]
pub fn row_code(id: &str, fields: &[ChangedField]) -> AuditCode {
    let changes: Vec<String> = fields
        .iter()
        .map(|ChangedField { column, before, after }| format!("{column} `{before}` → `{after}`"))
        .collect();
    AuditCode::Row { id: id.into(), changes: changes.join(", ").into() }
}

/// What a row changes, as the audit log has it.
#[must_use]
pub fn changed_code(before: Option<&Device>, after: &Device) -> AuditCode {
    row_code(&after.id, &difference::of_device(before, after))
}

/// Retires a device: it is nobody's any more. Its history and its incidents stay; what it says from now on
/// is a stranger's, and an alarm of it pages as one. Its keys are revoked by `standpipe retire`.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices",
    operation_id = "retire_device",
    params(("id" = String, Path)),
    responses((status = 200, description = "retired", body = DeviceItem),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn retire(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<DeviceItem>, Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    let before = registered(&api, &who, &id).await?;
    let done = api.engine.retire(&id).await;
    if !done.map_err(|down| Problem::part_down(down.to_string()))? {
        return Err(Problem::unknown(Thing::Device, &id));
    }
    let after = before.clone().retired(0);
    api.did_as(&who, "device_retired", changed_code(Some(&before), &after)).await;
    let found = super::devices::find(&api, &Area::All, Reach::Own, &id).await?;
    Ok(Json(found))
}

/// Another node takes the place of a device, and continues its history; the old one is retired.
#[utoipa::path(post, path = "/api/v1/devices/{id}/replace", tag = "devices",
    operation_id = "replace_device",
    params(("id" = String, Path)), request_body = ReplaceRequest,
    responses((status = 200, description = "the new one", body = DeviceItem),
        (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn replace(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    JsonBody(ReplaceRequest { by }): JsonBody<ReplaceRequest>,
) -> Result<Json<DeviceItem>, Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    if let Err(bad) = standpipe_shared::Name::new(&by) {
        return Err(Problem::bad_request(format!("by `{by}` is not an id: {}", bad.remedy())));
    }
    registered(&api, &who, &id).await?;
    let done = api.engine.replace(&id, &by).await;
    match done.map_err(|down| Problem::part_down(down.to_string()))? {
        Ok(_) => {}
        Err(NotReplaced::Unknown) => return Err(Problem::unknown(Thing::Device, &id)),
        Err(NotReplaced::Taken) => {
            return Err(Problem::bad_request(format!("by `{by}` is {}", NotReplaced::Taken)));
        }
    }
    let (column, before, after) = ("id", id.as_str().into(), by.as_str().into());
    let fields = [ChangedField { column, before, after }];
    api.did_as(&who, "device_replaced", row_code(&by, &fields)).await;
    Ok(Json(super::devices::find(&api, &who.area, Reach::Own, &by).await?))
}

/// A device that somebody registered, and that is theirs.
async fn registered(api: &ApiState, who: &Who, id: &str) -> Result<Device, Problem> {
    let key = id.to_owned();
    let device = api.store.read(move |db| view::device(db, &key)).await?;
    let own = |device: &Device| device.claimed && who.area.holds(&device.station);
    device.filter(own).ok_or_else(|| Problem::unknown(Thing::Device, id))
}
