//! The newest messages that were not understood.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use standpipe_rules::Ms;
use standpipe_store::accounts::Right;
use utoipa::ToSchema;

use super::ApiState;
use super::list::{List, Source, Where};
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// One message that was not understood.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotUnderstood)]
pub struct Item {
    /// When it arrived.
    at: Ms,
    topic: String,
    /// A name that is counted.
    reason: String,
    /// What is wrong, and what to do.
    detail: String,
    /// The registered device it came from; empty: none is known.
    device: String,
    /// The first 4 KiB of the bad part.
    payload_base64: String,
}

/// One such message as it lies in the store.
pub struct Found {
    /// When it arrived.
    pub at: Ms,
    /// Where.
    pub topic: String,
    /// Why, for counting.
    pub reason: String,
    /// Why, for people.
    pub detail: String,
    /// Its first bytes.
    pub payload: Vec<u8>,
    /// The registered device it came from; empty: none is known.
    pub device: String,
}

impl From<Found> for Item {
    fn from(found: Found) -> Self {
        let Found { at, topic, reason, detail, payload, device } = found;
        let payload_base64 = STANDARD.encode(payload);
        Self { at, topic, reason, detail, device, payload_base64 }
    }
}

const ITEMS: Source = Source {
    select: "q.at, q.topic, q.reason, q.detail, q.payload, q.device",
    from: "quarantine q",
    joins: "",
    group: "",
    order: "ORDER BY q.n DESC",
};

/// Newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "proof",
    operation_id = "list_quarantine",
    params(("reason" = Option<String>, Query, description = "only these"),
        ("device" = Option<String>, Query, description = "only of this device"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Item>>, Problem> {
    let found = read(&api, &who, &uri, None).await?;
    let List { items, page, pages, total } = found;
    let items = items.into_iter().map(Item::from).collect();
    Ok(Json(List { items, page, pages, total }))
}

/// Whether somebody may look: what was not understood may be of anybody, since a topic says where
/// it came from and not whose it is. So it is the business of districts, and of whoever is of no
/// station.
#[must_use]
pub fn may(who: &Who) -> bool {
    who.may(Right::Quarantine) && who.area.holds("")
}

/// A page of it, as `reason`, `device`, `page` and `per_page` ask.
///
/// # Errors
/// 403 for whoever may not look; 400 for other parameters.
pub async fn read(
    api: &ApiState,
    who: &Who,
    uri: &Uri,
    per_page: Option<u32>,
) -> Result<List<Found>, Problem> {
    who.needs(Right::Quarantine)?;
    if !may(who) {
        return Err(Problem::not_theirs("what was not understood"));
    }
    let params = Params::read(uri, &["reason", "device", "page", "per_page"])?;
    let mut page = params.page()?;
    page.per_page = per_page.unwrap_or(page.per_page);
    let mut wanted = Where::default();
    wanted.and_some("q.reason = ?", params.text("reason")?);
    wanted.and_some("q.device = ?", params.text("device")?);
    let list = api.store.read(move |db| {
        ITEMS.page(db, &wanted, page, |row| {
            Ok(Found {
                at: row.get(0)?,
                topic: row.get(1)?,
                reason: row.get(2)?,
                detail: row.get(3)?,
                payload: row.get(4)?,
                device: row.get(5)?,
            })
        })
    });
    Ok(list.await?)
}
