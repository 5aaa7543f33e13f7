//! Commands to devices, and what became of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use standpipe_rules::orders::{CommandRequest, DeviceCommand, Order, OrderRefused};
use standpipe_shared::Verb;
use standpipe_store::accounts::Right;
use standpipe_store::views::commands::{self as view, CommandOf};
use ulid::Ulid;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, JsonBody, canonical, signed};
use super::devices;
use super::list::List;
use super::params::Params;
use super::problem::{Fault, Problem, ProblemCode, Thing};
use super::schema::CommandRow;
use crate::api::who::Who;

/// One command, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Command)]
pub struct CommandItem {
    /// To which device.
    device: String,
    /// What was asked, and what came of it.
    #[serde(flatten)]
    #[schema(value_type = CommandRow)]
    command: DeviceCommand,
}

/// What a device shall do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CommandBody)]
pub struct Ask {
    /// `report_now`, `self_test`, `silence` or `restart`.
    #[schema(value_type = String)]
    command: Verb,
    /// For how long: `report_now` 1 to 3600, `silence` 1 to 900.
    seconds: Option<u32>,
    /// How long it waits for the device, 1 to 604800; usually three intervals, at least 5 min.
    expires_s: Option<u32>,
    /// Who asks.
    #[serde(default)]
    by: String,
}

/// What was asked of a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", tag = "devices",
    operation_id = "list_commands",
    params(("id" = String, Path), ("page" = Option<u32>, Query),
        ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<CommandItem>), (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<List<CommandItem>>, Problem> {
    let page = Params::read(&uri, &["page", "per_page"])?.page()?;
    devices::kind(&api, &who.area, &id).await?;
    Ok(Json(api.store.read(move |db| view::list(db, &id, page)).await?.into()))
}

/// One command.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands/{command}", tag = "devices",
    operation_id = "get_command",
    params(("id" = String, Path), ("command" = String, Path)),
    responses((status = 200, body = CommandItem), (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Path((device, id)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<CommandItem>, Problem> {
    Params::read(&uri, &[])?;
    devices::kind(&api, &who.area, &device).await?;
    find(&api, device, canonical(id)).await.map(Json)
}

/// Asks a device to do something. It is done when the device wakes next; `state` says how far
/// that is.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", tag = "devices",
    operation_id = "ask_command",
    params(("id" = String, Path)), request_body = Ask,
    responses((status = 202, body = CommandItem),
        (status = 400, description = "`errors` names each member, its limits and what to do",
            body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson),
        (status = 409, description = "too many wait for this device", body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn ask(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    JsonBody(body): JsonBody<Ask>,
) -> Result<(StatusCode, Json<CommandItem>), Problem> {
    Params::read(&uri, &[])?;
    // Whoever stands beside a device may ask it to speak; it starts again for its keeper.
    who.needs(if body.command == Verb::Restart { Right::Devices } else { Right::CheckHydrant })?;
    devices::kind(&api, &who.area, &id).await?;
    let asked = body.asked(&who)?;
    let order = Order::Command { device: id.as_str().into(), asked };
    let done = api.engine.order(order).await;
    let command = match done.map_err(|down| Problem::part_down(down.to_string()))? {
        Ok(command) => command.map_or_else(String::new, |id: Ulid| id.to_string()),
        Err(OrderRefused::UnknownDevice | OrderRefused::UnknownProfile) => {
            return Err(Problem::unknown(Thing::Device, &id));
        }
        // Only settings can be more than a device can run.
        Err(many @ (OrderRefused::TooMany { .. } | OrderRefused::CannotRun { .. })) => {
            return Err(Problem::too_many(many.to_string()));
        }
    };
    api.did(&who, body.command.as_str(), &id).await;
    Ok((StatusCode::ACCEPTED, Json(find(&api, id, command).await?)))
}

impl Ask {
    fn asked(&self, who: &Who) -> Result<CommandRequest, Problem> {
        let by = signed(&self.by, who)?;
        CommandRequest::new(self.command, self.seconds, self.expires_s, &by).map_err(|bad| {
            let fault = |wrong: &standpipe_rules::orders::BadCommand| Fault {
                field: wrong.field(),
                detail: wrong.to_string(),
            };
            let faults: Vec<Fault> = bad.iter().map(fault).collect();
            Problem::bad_members(ProblemCode::BadCommand, "Command out of range", &faults)
        })
    }
}

async fn find(api: &ApiState, device: String, id: String) -> Result<CommandItem, Problem> {
    let key = id.clone();
    let found = api.store.read(move |db| view::one(db, &device, &key)).await?;
    found.map(CommandItem::from).ok_or_else(|| Problem::unknown_command(&id))
}

impl From<CommandOf> for CommandItem {
    fn from(CommandOf { device, command }: CommandOf) -> Self {
        Self { device, command }
    }
}
