//! A device's row as somebody wants it: checked whole, all faults told at once.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde_json::{Map, Value};
use standpipe_rules::registry::{Device, Profile};
use standpipe_shared::{Kind, Name};
use utoipa::ToSchema;

use super::ApiState;
use super::problem::Problem;

/// The longest text of a row, characters.
const TEXT_AT_MOST: usize = 200;
/// The longest interval, seconds: a day.
const INTERVAL_AT_MOST_S: u32 = 86_400;
/// What `GET` adds to a row; ignored when it comes back.
const NOT_OURS: [&str; 7] =
    ["area", "claimed", "conditions", "heard_at", "measured_at", "latest", "trust"];

/// The columns of `devices.csv`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
    /// Degrees north.
    lat: f64,
    /// Degrees east.
    lon: f64,
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
}

/// The device this body makes of `id`, and whether it is new.
///
/// # Errors
/// 400 with every fault of the row.
pub async fn registered(
    api: &Arc<ApiState>,
    id: &str,
    mut body: Map<String, Value>,
) -> Result<(Device, bool), Problem> {
    for member in NOT_OURS {
        body.remove(member);
    }
    let row: Registration = serde_json::from_value(Value::Object(body)).map_err(|bad| {
        Problem::bad_request(format!("the row can't be read ({bad}): see /api/openapi.json"))
    })?;
    let (device, station) = (id.to_owned(), row.station.clone());
    let known = api.store.read(move |db| {
        let old = db.query_row("SELECT json FROM device WHERE id = ?1", [device], |it| {
            it.get::<_, String>(0)
        });
        let station = db.query_row("SELECT 1 FROM station WHERE id = ?1", [station], |_| Ok(()));
        let old = old.optional()?.map(|it| serde_json::from_str::<Device>(&it)).transpose()?;
        Ok((old, station.optional()?.is_some()))
    });
    let (old, station_known) = known.await?;
    let mut faults = row.faults(id);
    if !station_known {
        faults
            .push(format!("station `{}` is not registered: see GET /api/v1/stations", row.station));
    }
    if !row.profile.is_empty() && api.profiles.profile(&row.profile).is_none() {
        faults.push(format!("profile `{}` is not configured: name one that is", row.profile));
    }
    if faults.is_empty() {
        let area = old.as_ref().map(|it| it.area.clone()).unwrap_or_default();
        Ok((row.device(id, area), old.is_none()))
    } else {
        Err(Problem::bad_request(faults.join("; ")))
    }
}

impl Registration {
    /// What can be seen to be wrong in the row itself.
    fn faults(&self, id: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if let Err(bad) = Name::new(id) {
            faults.push(format!("id is {bad}"));
        }
        if self.id.as_deref().is_some_and(|it| it != id) {
            faults.push(format!("id in the body is not `{id}` of the path: leave it out"));
        }
        for (key, value, most) in [("lat", self.lat, 90.0), ("lon", self.lon, 180.0)] {
            if !(-most..=most).contains(&value) {
                faults.push(format!("{key} is {value}: use degrees from -{most} to {most}"));
            }
        }
        for (key, text) in [
            ("name", &self.name),
            ("zone", &self.zone),
            ("address", &self.address),
            ("building", &self.building),
            ("floor", &self.floor),
            ("installed_on", &self.installed_on),
        ] {
            let length = text.chars().count();
            if length > TEXT_AT_MOST {
                faults.push(format!("{key} has {length} characters: use {TEXT_AT_MOST} at most"));
            }
            if text.chars().any(char::is_control) {
                faults.push(format!("{key} has a control character: take it out"));
            }
        }
        if let Some(seconds) = self.interval_s.filter(|it| !(1..=INTERVAL_AT_MOST_S).contains(it)) {
            faults.push(format!("interval_s is {seconds}: use 1 to {INTERVAL_AT_MOST_S}"));
        }
        faults
    }

    fn device(self, id: &str, area: Box<str>) -> Device {
        let usual = Profile::default_name(self.kind);
        Device {
            id: id.into(),
            kind: self.kind,
            name: self.name.into(),
            station: self.station.into(),
            zone: self.zone.into(),
            profile: if self.profile.is_empty() { usual.into() } else { self.profile.into() },
            lat: Some(self.lat),
            lon: Some(self.lon),
            address: self.address.into(),
            building: self.building.into(),
            floor: self.floor.into(),
            interval_s: self.interval_s,
            installed_on: self.installed_on.into(),
            area,
            claimed: true,
        }
    }
}
