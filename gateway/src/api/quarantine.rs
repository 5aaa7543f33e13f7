//! The newest messages that were not understood.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

use super::ApiState;
use super::list::{List, Source, Where};
use super::params::Params;
use super::problem::Problem;
use crate::accounts::{Right, Who};

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
    /// The first 4 KiB of the bad part.
    payload_base64: String,
}

const ITEMS: Source = Source {
    select: "at, topic, reason, detail, payload",
    from: "quarantine",
    joins: "",
    group: "",
    order: "ORDER BY n DESC",
};

/// Newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "proof",
    operation_id = "list_quarantine",
    params(("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Item>>, Problem> {
    who.needs(Right::Accounts)?;
    // What was not understood may be of anybody: a topic says where it came from, not whose it is.
    if !who.area.holds("") {
        return Err(Problem::not_theirs("what was not understood"));
    }
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    let list = api.store.read(move |db| {
        ITEMS.page(db, &Where::default(), page, |row| {
            Ok(Item {
                at: row.get(0)?,
                topic: row.get(1)?,
                reason: row.get(2)?,
                detail: row.get(3)?,
                payload_base64: STANDARD.encode(row.get_ref(4)?.as_blob().unwrap_or_default()),
            })
        })
    });
    Ok(Json(list.await?))
}
