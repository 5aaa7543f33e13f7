//! Settings: what devices shall run, by their own or by their profile's, and how far that is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_rules::Ms;
use standpipe_rules::orders::{
    Of, Order, OrderRefused, SettingsSource, SettingsState, ShownSettings, WaitsFor, Wish, Wished,
};
use standpipe_rules::registry::Device;
use standpipe_store::accounts::{Area, Right};
use standpipe_store::views::settings::{self as view, SettingsCounts, SettingsOf};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, JsonBody};
use super::params::Params;
use super::problem::{Fault, Problem, ProblemCode, Thing};
use super::wish::WishBody;
use crate::api::who::Who;

/// How a device measures and reports.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsValues)]
pub struct Values {
    /// Seconds between readings.
    interval_s: u32,
    /// Seconds between samples.
    sample_s: u32,
    /// Limit of `low_pressure`, kPa.
    low_kpa: f32,
    /// Limit of `no_water`, kPa.
    no_water_kpa: f32,
    /// A change of pressure that is reported at once, kPa.
    delta_kpa: f32,
}

/// A device's settings, and how far they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceSettings)]
pub struct OfDevice {
    device: String,
    /// `device` or `profile`: whose wish it follows; null: nobody wishes any, and what it was
    /// told stays.
    #[schema(value_type = Option<String>)]
    source: Option<SettingsSource>,
    /// What it shall run; null: nobody wishes any.
    wanted: Option<Values>,
    /// The number it was told them under; null: it was not told any yet.
    rev: Option<u32>,
    /// `none`, `pending`, `applied` or `refused`.
    #[schema(value_type = String)]
    state: SettingsState,
    /// While pending: `first_message`, `turn`, `broker` or `device`.
    #[schema(value_type = Option<String>)]
    waits_for: Option<WaitsFor>,
    /// Why the device refused.
    detail: Box<str>,
    /// Where it is; empty: it never spoke.
    area: Box<str>,
    /// Who wishes that.
    by: Option<Box<str>>,
    /// Since when.
    changed_at: Option<Ms>,
    /// When the broker had it.
    sent_at: Option<Ms>,
    /// When the device applied or refused it.
    answered_at: Option<Ms>,
    /// The number of those the device says it runs.
    reported_rev: Option<u32>,
    /// When it said that first.
    reported_at: Option<Ms>,
}

/// A profile's settings, and how far its devices are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileSettings)]
pub struct OfProfile {
    profile: String,
    /// What its devices shall run that have none of their own; null: nobody wishes any.
    wanted: Option<Values>,
    /// Who wishes that.
    by: Option<Box<str>>,
    /// Since when.
    changed_at: Option<Ms>,
    /// Its devices, counted by where their settings stand.
    devices: SettingsCountsJson,
}

/// Devices of a profile, by where their settings stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsCounts)]
pub struct SettingsCountsJson {
    /// Those with settings of their own.
    own: u64,
    /// Those that were not told any.
    none: u64,
    /// Those that were or will be told, and don't say yet that they run them.
    pending: u64,
    /// Those that run them.
    applied: u64,
    /// Those that refused them.
    refused: u64,
}

/// A device's settings.
#[utoipa::path(get, path = "/api/v1/devices/{id}/settings", tag = "devices",
    operation_id = "get_device_settings",
    params(("id" = String, Path)),
    responses((status = 200, body = OfDevice), (status = 404, body = super::problem::ProblemJson)))]
pub async fn of_device(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<OfDevice>, Problem> {
    Params::read(&uri, &[])?;
    Ok(Json(found(&api, &who.area, id).await?.into()))
}

/// Wishes settings of a device's own, in place of its profile's.
#[utoipa::path(put, path = "/api/v1/devices/{id}/settings", tag = "devices",
    operation_id = "put_device_settings",
    params(("id" = String, Path)), request_body = WishBody,
    responses((status = 200, body = OfDevice),
        (status = 400, description = "`errors` names each member, its limits and what to do",
            body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn put_device(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    JsonBody(body): JsonBody<WishBody>,
) -> Result<Json<OfDevice>, Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    let known = found(&api, &who.area, id.clone()).await?;
    let base = known.profile.map_or_else(
        || Wish::from_profile(api.profiles.profile_of(&known.device)),
        |wished| wished.wish.numbered(0),
    );
    let (wish, by) = body.over(base, &who)?;
    order(&api, &who, Of::Device(id.as_str().into()), Some((wish, by))).await?;
    Ok(Json(found(&api, &who.area, id).await?.into()))
}

/// A device follows its profile again.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/settings", tag = "devices",
    operation_id = "delete_device_settings",
    params(("id" = String, Path)),
    responses((status = 200, body = OfDevice), (status = 404, body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn drop_device(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<OfDevice>, Problem> {
    Params::read(&uri, &[])?;
    who.needs(Right::Devices)?;
    found(&api, &who.area, id.clone()).await?;
    order(&api, &who, Of::Device(id.as_str().into()), None).await?;
    Ok(Json(found(&api, &who.area, id).await?.into()))
}

/// The settings of a profile, for its devices that have none of their own.
#[utoipa::path(get, path = "/api/v1/profiles/{name}/settings", tag = "devices",
    operation_id = "get_profile_settings",
    params(("name" = String, Path)),
    responses((status = 200, body = OfProfile), (status = 404, body = super::problem::ProblemJson)))]
pub async fn of_profile(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(name): Id,
    uri: Uri,
) -> Result<Json<OfProfile>, Problem> {
    Params::read(&uri, &[])?;
    profile(&api, &who.area, name).await.map(Json)
}

/// Wishes settings of a profile. Its devices are told at a bounded rate: 16 a second.
#[utoipa::path(put, path = "/api/v1/profiles/{name}/settings", tag = "devices",
    operation_id = "put_profile_settings",
    params(("name" = String, Path)), request_body = WishBody,
    responses((status = 200, body = OfProfile),
        (status = 400, description = "`errors` names each member, its limits and what to do",
            body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn put_profile(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(name): Id,
    uri: Uri,
    JsonBody(body): JsonBody<WishBody>,
) -> Result<Json<OfProfile>, Problem> {
    Params::read(&uri, &[])?;
    everywhere(&who)?;
    let numbers = api.profiles.profile(&name).ok_or_else(|| Problem::unknown_profile(&name))?;
    let (wish, by) = body.over(Wish::from_profile(numbers), &who)?;
    order(&api, &who, Of::Profile(name.as_str().into()), Some((wish, by))).await?;
    profile(&api, &who.area, name).await.map(Json)
}

/// No settings of this profile any more. What its devices run stays.
#[utoipa::path(delete, path = "/api/v1/profiles/{name}/settings", tag = "devices",
    operation_id = "delete_profile_settings",
    params(("name" = String, Path)),
    responses((status = 200, body = OfProfile), (status = 404, body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn drop_profile(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(name): Id,
    uri: Uri,
) -> Result<Json<OfProfile>, Problem> {
    Params::read(&uri, &[])?;
    everywhere(&who)?;
    order(&api, &who, Of::Profile(name.as_str().into()), None).await?;
    profile(&api, &who.area, name).await.map(Json)
}

/// A profile is everybody's: whoever answers for a part of the stations may not change it.
fn everywhere(who: &Who) -> Result<(), Problem> {
    who.needs(Right::Devices)?;
    if who.area == Area::All { Ok(()) } else { Err(Problem::not_allowed(who.role.as_str())) }
}

async fn order(
    api: &ApiState,
    who: &Who,
    of: Of,
    wish: Option<(Wish, Box<str>)>,
) -> Result<(), Problem> {
    let what = if wish.is_some() { "settings_put" } else { "settings_drop" };
    let (wish, by) = wish.unzip();
    let by = by.unwrap_or_default();
    let done = api.engine.order(Order::Settings { of: of.clone(), wish, by }).await;
    let done = done.map_err(|down| Problem::part_down(down.to_string()))?;
    let (Of::Device(name) | Of::Profile(name)) = &of;
    let Err(refused) = done else {
        api.did(who, what, name).await;
        return Ok(());
    };
    Err(match refused {
        OrderRefused::UnknownDevice => Problem::unknown(Thing::Device, name),
        OrderRefused::UnknownProfile => Problem::unknown_profile(name),
        OrderRefused::TooMany { .. } => Problem::too_many(refused.to_string()),
        OrderRefused::CannotRun { field, .. } => {
            let fault = Fault { field, detail: refused.to_string() };
            Problem::bad_members(ProblemCode::BadSettings, "Settings out of range", &[fault])
        }
    })
}

/// What the store knows of a device's settings.
struct Found {
    device: Device,
    profile: Option<Wished>,
    shown: ShownSettings,
}

async fn found(api: &ApiState, area: &Area, id: String) -> Result<Found, Problem> {
    let (key, area) = (id.clone(), area.clone());
    let found = api.store.read(move |db| view::of_device(db, &area, &key)).await?;
    let found = found.ok_or_else(|| Problem::unknown(Thing::Device, &id))?;
    let SettingsOf { device, own, profile, known } = found;
    let shown = ShownSettings::of(own.as_ref(), profile.as_ref(), known.as_ref(), &device);
    Ok(Found { device, profile, shown })
}

async fn profile(api: &ApiState, area: &Area, name: String) -> Result<OfProfile, Problem> {
    let area = area.clone();
    if api.profiles.profile(&name).is_none() {
        return Err(Problem::unknown_profile(&name));
    }
    let key = name.clone();
    let read = api.store.read(move |db| view::of_profile(db, &area, &key));
    let (wished, counts) = read.await?;
    let wanted = wished.as_ref().map(|wished| wished.wish.into());
    let (by, changed_at) = wished.map(|wished| (wished.by, wished.at)).unzip();
    Ok(OfProfile { profile: name, wanted, by, changed_at, devices: counts.into() })
}

impl From<SettingsCounts> for SettingsCountsJson {
    fn from(counts: SettingsCounts) -> Self {
        let SettingsCounts { own, none, pending, applied, refused } = counts;
        Self { own, none, pending, applied, refused }
    }
}

impl From<Wish> for Values {
    fn from(wish: Wish) -> Self {
        let numbered = wish.numbered(0);
        Self {
            interval_s: numbered.interval_s,
            sample_s: numbered.sample_s,
            low_kpa: numbered.low_kpa.get(),
            no_water_kpa: numbered.no_water_kpa.get(),
            delta_kpa: numbered.delta_kpa.get(),
        }
    }
}

impl From<Found> for OfDevice {
    fn from(found: Found) -> Self {
        let ShownSettings { source, wished, state, waits_for, known } = found.shown;
        let wanted = wished.as_ref().map(|wished| wished.wish.into());
        let (by, changed_at) = wished.map(|wished| (wished.by, wished.at)).unzip();
        let told = known.told.as_ref();
        Self {
            device: found.device.id.into(),
            source,
            wanted,
            rev: told.map(|told| told.rev),
            state,
            waits_for,
            detail: told.map(|told| told.detail.clone()).unwrap_or_default(),
            area: (&*found.device.area).into(),
            by,
            changed_at,
            sent_at: told.and_then(|told| told.sent_at),
            answered_at: told.and_then(|told| told.answered_at),
            reported_rev: known.reported_rev,
            reported_at: known.reported_at,
        }
    }
}
