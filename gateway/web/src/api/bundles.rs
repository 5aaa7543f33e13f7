//! Bundles: several pages that one message carried to a receiver. All of them are listed here, however
//! many the message named, and all of them can be acknowledged at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Action, ActionKind};
use standpipe_store::accounts::Right;
use standpipe_store::views::bundles::{self as view, BundleRecord, BundledMember};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{self, JsonBody, UlidId};
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// Incidents that are acknowledged side by side: what the engine takes between two alarms.
const AT_ONCE: usize = 256;

/// A bundle, with a page of what it carries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bundle)]
pub struct BundleJson {
    /// Its id: `page_id` of the message, and its `Idempotency-Key`.
    page_id: String,
    /// The webhook that it is for.
    receiver: String,
    /// When it was made.
    at: Ms,
    /// When its receiver took it.
    delivered_at: Option<Ms>,
    /// When it was given up.
    gave_up_at: Option<Ms>,
    /// Since when newer pages stand for all of its members.
    superseded_at: Option<Ms>,
    /// How many of its incidents nobody has acknowledged.
    open: u32,
    /// What it carries; those that nobody has acknowledged first.
    items: Vec<BundleMemberJson>,
    /// Which page, from 1.
    page: u32,
    /// How many pages there are, at least 1.
    pages: u64,
    /// How many it carries, as far as you may see them.
    total: u64,
}

/// A page that a bundle carries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BundledPage)]
pub struct BundleMemberJson {
    /// The incident that it is about.
    incident: String,
    /// Its own id.
    page_id: String,
    /// The device's id.
    device: Option<String>,
    /// The station responsible; empty: every district station is.
    station: String,
    /// Where the incident stands now.
    state: &'static str,
    /// How bad it is now.
    severity: &'static str,
}

impl From<BundledMember> for BundleMemberJson {
    fn from(member: BundledMember) -> Self {
        let BundledMember { page_id, incident, station: _ } = member;
        Self {
            incident: incident.id.to_string(),
            page_id,
            device: incident.device.map(|device| device.id.into()),
            station: incident.station.into(),
            state: incident.state.as_str(),
            severity: incident.severity.as_str(),
        }
    }
}

/// What somebody does about all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BundleActionBody)]
pub struct Act {
    /// `acknowledge`; everything else is done to each incident by itself.
    #[schema(value_type = String)]
    action: ActionKind,
    /// Who; whoever is signed in when missing.
    #[serde(default)]
    by: String,
    /// What they write.
    #[serde(default)]
    note: String,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BundleAction)]
pub struct BundleActionJson {
    /// Incidents that were acknowledged now.
    done: usize,
    /// Incidents of which you may not, or that somebody else took at that moment.
    refused: usize,
}

/// What a bundle carries, all of it.
#[utoipa::path(get, path = "/api/v1/bundles/{id}", tag = "incidents",
    operation_id = "get_bundle",
    params(("id" = String, Path, description = "`page_id` of its message"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = BundleJson), (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    UlidId(id): UlidId,
    uri: Uri,
) -> Result<Json<BundleJson>, Problem> {
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    let record = record(&api, &who, &id).await?;
    let (area, of) = (who.area.clone(), id.clone());
    let list = api.store.read(move |db| view::members(db, &area, &of, page)).await?;
    let BundleRecord { receiver, at, delivered_at, gave_up_at, superseded_at, open } = record;
    Ok(Json(BundleJson {
        page_id: id,
        receiver,
        at,
        delivered_at,
        gave_up_at,
        superseded_at,
        open,
        items: list.items.into_iter().map(BundleMemberJson::from).collect(),
        page: list.page,
        pages: list.pages,
        total: list.total,
    }))
}

/// The bundle of that id.
///
/// # Errors
/// 404 when there is none, or nothing of it is any business of theirs.
pub async fn record(api: &ApiState, who: &Who, id: &str) -> Result<BundleRecord, Problem> {
    let (area, of) = (who.area.clone(), id.to_owned());
    let found = api.store.read(move |db| view::one(db, &area, &of)).await?;
    found.ok_or_else(|| Problem::unknown_bundle(id))
}

/// Acknowledges everything of a bundle that nobody has acknowledged yet.
#[utoipa::path(post, path = "/api/v1/bundles/{id}/actions", tag = "incidents",
    operation_id = "act_on_bundle",
    params(("id" = String, Path)), request_body = Act,
    responses((status = 200, body = BundleActionJson), (status = 400, body = super::problem::ProblemJson),
        (status = 403, body = super::problem::ProblemJson), (status = 404, body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn act(
    State(api): State<Arc<ApiState>>,
    who: Who,
    UlidId(id): UlidId,
    uri: Uri,
    JsonBody(body): JsonBody<Act>,
) -> Result<Json<BundleActionJson>, Problem> {
    Params::read(&uri, &[])?;
    if body.action != ActionKind::Acknowledge {
        let detail =
            "only `acknowledge` can be done to all of a bundle: act on each incident by itself";
        return Err(Problem::bad_request(detail));
    }
    let (by, note) = (body::signed(&body.by, &who)?, body::text("note", &body.note)?);
    acknowledge(&api, &who, &id, (by, note)).await.map(Json)
}

/// Acknowledges what nobody has acknowledged of it yet.
///
/// # Errors
/// 403, 404, 503.
pub async fn acknowledge(
    api: &ApiState,
    who: &Who,
    id: &str,
    (by, note): (Box<str>, Box<str>),
) -> Result<BundleActionJson, Problem> {
    let kind = ActionKind::Acknowledge;
    who.needs(Right::Act(kind))?;
    record(api, who, id).await?;
    let (area, of) = (who.area.clone(), id.to_owned());
    let open = api.store.read(move |db| view::open(db, &area, &of)).await?;
    let mut came = BundleActionJson { done: 0, refused: 0 };
    for some in open.chunks(AT_ONCE) {
        let each = some.iter().map(|incident| {
            let action = Action {
                incident: *incident,
                kind,
                by: by.clone(),
                note: note.clone(),
                seen: "".into(),
            };
            api.engine.act(who.actor(), action)
        });
        for one in join_all(each).await {
            match one.map_err(|down| Problem::part_down(down.to_string()))? {
                Ok(()) => came.done += 1,
                Err(_) => came.refused += 1,
            }
        }
    }
    if came.done > 0 {
        api.did(who, "acknowledge", &format!("bundle {id}")).await;
    }
    Ok(came)
}
