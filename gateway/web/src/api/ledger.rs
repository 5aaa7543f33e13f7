//! What each device should have sent, and did: the proof that nothing was lost.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

use super::ApiState;
use super::list::{List, Source, Where};
use super::params::Params;
use super::problem::Problem;
use crate::api::who::Who;

const HOUR_MS: Ms = 3_600_000;
const DAY_MS: Ms = 24 * HOUR_MS;

/// One boot of one device, summed over the hours asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerLine)]
pub struct Item {
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
}

const ITEMS: Source = Source {
    select: "d.id, l.boot, sum(l.expected), sum(l.received), sum(l.duplicate), sum(l.late), \
             max(0, sum(l.expected) - sum(l.received)), sum(l.seq_reused)",
    // From the device to its hours, so that hours that are not asked for are not read.
    from: "device d CROSS JOIN ledger l ON l.ix = d.ix",
    joins: "",
    group: "GROUP BY d.ix, l.boot",
    order: "ORDER BY d.ix, l.boot",
};

/// Sums by device and boot, over the hours that `from` … `to` touches; the last day by default.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "proof",
    operation_id = "list_ledger",
    params(
        ("from" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; included"),
        ("to" = Option<String>, Query, description = "Unix ms, RFC 3339 or a date; excluded"),
        ("device" = Option<String>, Query, description = "one device"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<Item>), (status = 400, body = super::problem::Body)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Item>>, Problem> {
    let params = Params::read(&uri, &["from", "to", "device", "page", "per_page"])?;
    let span = params.span(api.clock.now(), DAY_MS)?;
    let page = params.page()?;
    let mut wanted = Where::within(&who.area, who.area.devices());
    wanted.and("l.hour > ?", span.from.saturating_sub(HOUR_MS));
    wanted.and("l.hour < ?", span.to);
    wanted.and_some("d.id = ?", params.text("device")?);
    api.engine.flush().await.map_err(|down| Problem::part_down(down.to_string()))?;
    let list = api.store.read(move |db| {
        ITEMS.page(db, &wanted, page, |row| {
            Ok(Item {
                device: row.get(0)?,
                boot: row.get(1)?,
                expected: row.get(2)?,
                received: row.get(3)?,
                duplicate: row.get(4)?,
                late: row.get(5)?,
                missing: row.get(6)?,
                seq_reused: row.get(7)?,
            })
        })
    });
    Ok(Json(list.await?))
}
