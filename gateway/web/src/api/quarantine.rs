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
use standpipe_store::views::quarantine::{self as view, QuarantineFilter, QuarantineRow};
use standpipe_store::views::{self, ListPage};
use utoipa::ToSchema;

use super::ApiState;
use super::list::List;
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// One message that was not understood.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotUnderstood)]
pub struct QuarantineItem {
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

impl From<QuarantineRow> for QuarantineItem {
    fn from(row: QuarantineRow) -> Self {
        let QuarantineRow { at, topic, reason, detail, payload, device } = row;
        let payload_base64 = STANDARD.encode(payload);
        Self { at, topic, reason, detail, device, payload_base64 }
    }
}

/// Newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "proof",
    operation_id = "list_quarantine",
    params(("reason" = Option<String>, Query, description = "only these"),
        ("device" = Option<String>, Query, description = "only of this device"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<QuarantineItem>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<QuarantineItem>>, Problem> {
    Ok(Json(read(&api, &who, &uri, None).await?.into()))
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
) -> Result<views::PageOf<QuarantineRow>, Problem> {
    who.needs(Right::Quarantine)?;
    if !may(who) {
        return Err(Problem::not_theirs("what was not understood"));
    }
    let params = Params::read(uri, &["reason", "device", "page", "per_page"])?;
    let asked = params.page()?;
    let page = ListPage { per_page: per_page.unwrap_or(asked.per_page), ..asked };
    let filter =
        QuarantineFilter { reason: params.text("reason")?, device: params.text("device")? };
    Ok(api.store.read(move |db| view::list(db, &filter, page)).await?)
}
