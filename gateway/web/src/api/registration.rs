//! A device's row as somebody wants it. It is good when a line of `devices.csv` that says the
//! same is good: the rules are the file's own, and all faults are told at once.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use standpipe_lists::{File, Import, write_devices};
use standpipe_rules::registry::{Device, Registry, Station};
use standpipe_shared::Kind;
use standpipe_store::readers::ReadError;
use standpipe_store::views::registry;
use utoipa::ToSchema;

use super::ApiState;
use super::problem::Problem;

/// What `GET` adds to a row; ignored when it comes back.
const NOT_OURS: [&str; 10] = [
    "area",
    "claimed",
    "conditions",
    "heard_at",
    "measured_at",
    "latest",
    "latest_at",
    "trust",
    "trust_reason",
    "status",
];

/// The columns of `devices.csv`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceBody)]
pub struct Registration {
    /// The same as in the path, if given.
    id: Option<String>,
    /// `hydrant` or `smoke`.
    #[schema(value_type = String)]
    kind: Kind,
    /// What people call it.
    name: String,
    /// The station responsible.
    station: String,
    /// The pressure zone.
    #[serde(default)]
    zone: String,
    /// The profile that judges it; empty: the usual one of its kind.
    #[serde(default)]
    profile: String,
    /// Degrees north, WGS-84; null: nobody knows where it is.
    lat: Option<f64>,
    /// Degrees east, likewise.
    lon: Option<f64>,
    /// Where it is, in words.
    #[serde(default)]
    address: String,
    /// Groups detectors of one building.
    #[serde(default)]
    building: String,
    /// The floor, as people write it.
    #[serde(default)]
    floor: String,
    /// Seconds between readings; null: the profile's.
    interval_s: Option<u32>,
    /// Date of installation.
    #[serde(default)]
    installed_on: String,
    /// By which decoder what it sends is read; empty: by ours.
    #[serde(default)]
    decoder: String,
}

/// The device this body makes of `id`, and the row that it had.
///
/// # Errors
/// 400 with every fault of the row.
pub async fn registered(
    api: &Arc<ApiState>,
    id: &str,
    mut body: Map<String, Value>,
) -> Result<(Device, Option<Device>), Problem> {
    for member in NOT_OURS {
        body.remove(member);
    }
    let row: Registration = serde_json::from_value(Value::Object(body)).map_err(|bad| {
        Problem::bad_request(format!("the row can't be read ({bad}): see /api/openapi.json"))
    })?;
    if row.id.as_deref().is_some_and(|given| given != id) {
        let detail = format!("id in the body is not `{id}` of the path: leave it out");
        return Err(Problem::bad_request(detail));
    }
    let (old, station) = known(api, id, &row.station).await?;
    let mut registry = api.profiles.clone();
    if let Some(station) = station {
        registry.put_station(station);
    }
    let mut device = checked(&row.device(id), &registry).map_err(Problem::bad_request)?;
    if let Some(old) = &old {
        device.area.clone_from(&old.area);
        device.replaces.clone_from(&old.replaces);
    }
    Ok((device, old))
}

/// The device as it is, and the station it shall belong to.
async fn known(
    api: &ApiState,
    device: &str,
    station: &str,
) -> Result<(Option<Device>, Option<Station>), ReadError> {
    let (device, station) = (device.to_owned(), station.to_owned());
    let rows = api
        .store
        .read(move |db| Ok((registry::device(db, &device)?, registry::station(db, &station)?)));
    rows.await
}

/// The device as its line in `devices.csv` says, or every fault of that line.
fn checked(device: &Device, known: &Registry) -> Result<Device, String> {
    let csv = write_devices([device]);
    let file = File { name: "the row", bytes: csv.as_bytes() };
    let mut read = Import::read(None, Some(file), known);
    // The file tells of an unknown station only when nothing else is wrong.
    let station = &*device.station;
    let told = read.bad.iter().any(|fault| &*fault.column == "station");
    let mut faults: Vec<String> = read
        .bad
        .iter()
        .map(|fault| format!("{} `{}` is {}", fault.column, fault.value, fault.text.en))
        .collect();
    if !told && known.station(station).is_none() {
        faults.push(format!("station `{station}` is not registered: see GET /api/v1/stations"));
    }
    match read.devices.pop() {
        // A file's fields are trimmed; the id is the one that was asked for.
        Some(read) if faults.is_empty() => Ok(Device { id: device.id.clone(), ..read }),
        Some(_) | None => Err(faults.join("; ")),
    }
}

impl Registration {
    fn device(self, id: &str) -> Device {
        Device {
            id: id.into(),
            kind: self.kind,
            name: self.name.into(),
            station: self.station.into(),
            zone: self.zone.into(),
            profile: self.profile.into(),
            lat: self.lat,
            lon: self.lon,
            address: self.address.into(),
            building: self.building.into(),
            floor: self.floor.into(),
            interval_s: self.interval_s,
            installed_on: self.installed_on.into(),
            decoder: self.decoder.into(),
            area: Arc::default(),
            claimed: true,
            retired_at: None,
            replaces: None,
        }
    }
}
