//! What each device should have sent, and did: the proof that nothing was lost.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_rules::DAY_MS;
use standpipe_store::views::ledger::{self as view, LedgerFilter, LedgerSum};
use utoipa::ToSchema;

use super::ApiState;
use super::list::List;
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

/// One boot of one device, summed over the hours asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerLine)]
pub struct LedgerItem {
    device: String,
    /// Which start of the device.
    boot: u32,
    /// By how much its highest number grew.
    expected: u64,
    /// New messages.
    received: u64,
    /// Messages seen before.
    duplicate: u64,
    /// New messages that came late.
    late: u64,
    /// `expected − received`, at least 0.
    missing: u64,
    /// Numbers used again with other content.
    seq_reused: u64,
    /// Readings that were given up before history had them, so that the disk did not fill up.
    given_up: u64,
}

impl From<LedgerSum> for LedgerItem {
    fn from(sum: LedgerSum) -> Self {
        Self {
            device: sum.device,
            boot: sum.boot,
            expected: sum.expected,
            received: sum.received,
            duplicate: sum.duplicate,
            late: sum.late,
            missing: sum.missing,
            seq_reused: sum.seq_reused,
            given_up: sum.given_up,
        }
    }
}

/// Sums by device and boot, over the hours that `from` … `to` touches; the last day by default.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "proof",
    operation_id = "list_ledger",
    params(
        ("from" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; included"),
        ("to" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; excluded"),
        ("device" = Option<String>, Query, description = "one device"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<LedgerItem>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<LedgerItem>>, Problem> {
    let params = Params::read(&uri, &["from", "to", "device", "page", "per_page"])?;
    let span = params.span(api.clock.now(), DAY_MS)?;
    let page = params.page()?;
    let filter = LedgerFilter { from: span.from, to: span.to, device: params.text("device")? };
    api.engine.flush().await.map_err(|down| Problem::part_down(down.to_string()))?;
    let list = api.store.read(move |db| view::list(db, &who.area, &filter, page));
    Ok(Json(list.await?.into()))
}
