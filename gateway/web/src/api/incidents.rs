//! Incidents: listed as they lie in the store, one with all that happened to it, and what
//! people do to it. Whether something can be done now is decided by the engine.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use standpipe_rules::incidents::{
    Action, ActionKind, IncidentId, Refused, State as Stage, WireIncident,
};
use standpipe_rules::trail::TrailCode;
use standpipe_rules::{Ms, coded};
use standpipe_shared::Severity;
use standpipe_store::accounts::Right;
use standpipe_store::readers::ReadError;
use standpipe_store::views::incidents::{self as view, IncidentFilter, IncidentRecord, TrailRow};
use standpipe_words::cap::{self, Earlier};
use standpipe_words::message::Desk;
use ulid::Ulid;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{self, Id, JsonBody};
use super::list::List;
use super::params::Params;
use super::problem::{Problem, Thing};
use super::schema::{IncidentJson, WholeIncident};
use crate::api::who::Who;

/// One line of a trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hop)]
pub struct HopJson {
    /// When.
    at: Ms,
    /// What: `measured`, `received`, `raised`, `paged`, `delivered`, `shown`, `acknowledged` …
    hop: String,
    /// By whom: a person, a station, a device, `gateway`.
    by: String,
    /// In words or numbers, for people.
    detail: String,
    /// The same for programs: `condition`, `flapping`, `page`, `outcome`, `part_of` …; left out
    /// where `detail` is all there is, such as what somebody wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What belongs to the code: `condition`, `step`, `to` …; left out where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    parts: Option<Value>,
    /// Of what people do: the authenticated name of who did it, beside `by`, which they claim.
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
}

impl HopJson {
    fn of(entry: TrailRow) -> serde_json::Result<Self> {
        let TrailRow { at, hop, by, detail, code, actor } = entry;
        let (name, parts) = coded::named(&code)?;
        let code = Some(name).filter(|_| code != TrailCode::Text);
        Ok(Self { at, hop, by, detail, code, parts, actor })
    }
}

/// What somebody does.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ActionBody)]
pub struct Act {
    /// The same as in the path, if given.
    incident: Option<String>,
    /// `shown`, `acknowledge`, `dispatch`, `arrive`, `comment`, `resolve`, `false_alarm`, `undo` or `reopen`.
    #[schema(value_type = String)]
    action: ActionKind,
    /// Who; whoever is signed in when missing.
    #[serde(default)]
    by: String,
    /// What they write.
    #[serde(default)]
    note: String,
    /// The incident's `version` that was on their screen. With it, `resolve` and `false_alarm` are
    /// refused (409, `changed`) when state, severity, conditions, detectors or floors changed since.
    #[serde(default)]
    seen: String,
}

/// Newest first. Not closed: `state=open,acknowledged,resolved,verifying`.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents",
    operation_id = "list_incidents",
    params(
        ("state" = Option<String>, Query, description = "one or more, separated by commas"),
        ("station" = Option<String>, Query, description = "incidents that concern this station"),
        ("severity" = Option<String>, Query, description = "one or more, separated by commas"),
        ("from" = Option<String>, Query, description = "opened at or after: Unix ms, RFC 3339 or a date"),
        ("to" = Option<String>, Query, description = "opened before: Unix ms, RFC 3339 or a date"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<IncidentJson>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<Box<RawValue>>>, Problem> {
    let accepted = ["state", "station", "severity", "from", "to", "page", "per_page"];
    let params = Params::read(&uri, &accepted)?;
    let filter = filter(&params)?;
    let page = params.page()?;
    let list = api.store.read(move |db| view::list(db, &who.area, &filter, page));
    Ok(Json(list.await?.into()))
}

fn filter(params: &Params) -> Result<IncidentFilter, Problem> {
    let states = params.some_of("state", &Stage::ALL.map(|stage| (stage.as_str(), stage)))?;
    let severities =
        params.some_of("severity", &Severity::ALL.map(|severity| (severity.as_str(), severity)))?;
    let station = params.text("station")?;
    let (from, to) = (params.time("from")?, params.time("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        let accepted = format!("a time before `to`, which is {to}");
        return Err(Problem::bad_parameter("from", &from.to_string(), &accepted));
    }
    Ok(IncidentFilter { states, severities, station, from, to })
}

/// One incident with its trail and its children.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents",
    operation_id = "get_incident",
    params(("id" = String, Path)),
    responses((status = 200, body = WholeIncident), (status = 404, body = super::problem::ProblemJson)))]
pub async fn one(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<Map<String, Value>>, Problem> {
    Params::read(&uri, &[])?;
    whole(&api, &who, named(&id)?).await.map(Json)
}

/// One incident as a CAP 1.2 alert. Its messages are numbered by revision; all but the first are
/// updates of the first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/cap", tag = "incidents",
    operation_id = "get_incident_cap",
    params(("id" = String, Path)),
    responses((status = 200, description = "CAP 1.2, XML", content_type = "application/cap+xml"),
        (status = 404, body = super::problem::ProblemJson)))]
pub async fn cap(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let whole = whole(&api, &who, named(&id)?).await?;
    let incident = WireIncident::of(whole).map_err(ReadError::Row)?;
    let (number, sent) = (format!("{}.{}", incident.id, incident.rev), incident.updated_at);
    let first = Earlier { id: format!("{}.1", incident.id), sent: incident.opened_at };
    let earlier: &[Earlier] = if incident.rev > 1 { &[first] } else { &[] };
    let message = cap::CapMessage { id: &number, sent, earlier };
    let town = &api.town;
    let desk = Desk { zone: town.zone.clone(), url: town.url.clone(), language: town.language };
    let document = cap::document(&incident, &message, &desk);
    Ok(([(header::CONTENT_TYPE, cap::TYPE)], document).into_response())
}

/// Somebody does something; answers the whole incident as it is then.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/actions", tag = "incidents",
    operation_id = "act_on_incident",
    params(("id" = String, Path)), request_body = Act,
    responses((status = 200, body = WholeIncident), (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson),
        (status = 409, description = "not now, or not what was seen; `incident` is in the problem",
            body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn act(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
    JsonBody(body): JsonBody<Act>,
) -> Result<Json<Map<String, Value>>, Problem> {
    Params::read(&uri, &[])?;
    let incident = named(&id)?;
    let action = body.action(incident, &who)?;
    done(&api, &who, action).await.map(Json)
}

/// Does it, if they may; the whole incident as it is then.
///
/// # Errors
/// 403, 404, 409 with the incident, 503.
pub async fn done(
    api: &ApiState,
    who: &Who,
    action: Action,
) -> Result<Map<String, Value>, Problem> {
    let (incident, kind) = (action.incident, action.kind);
    // The rules' own table, asked before the engine is troubled; they ask it again.
    if let Err(problem) = who.needs(Right::Act(kind)) {
        metrics::counter!("standpipe_refused_actions_total").increment(1);
        let (actor, by) = (who.actor(), &action.by);
        tracing::warn!(%actor, ?by, %incident, ?kind, "an action was refused: {}", Refused::NotAllowed);
        return Err(problem);
    }
    whole(api, who, incident).await?;
    let name = serde_json::to_value(kind).unwrap_or_default();
    let name = name.as_str().unwrap_or_default();
    let done = api.engine.act(who.actor(), action).await;
    match done.map_err(|down| Problem::part_down(down.to_string()))? {
        Ok(()) => {
            if kind != ActionKind::Shown {
                api.did(who, name, &incident.to_string()).await;
            }
            whole(api, who, incident).await
        }
        Err(Refused::Changed) => {
            let incident = whole(api, who, incident).await?;
            Err(Problem::changed(name, Value::Object(incident)))
        }
        Err(Refused::NotAllowed | Refused::NotTold | Refused::Unregistered) => {
            Err(Problem::not_allowed(who.role.as_str()))
        }
        // The book holds open incidents only; a closed one is in the store alone.
        Err(Refused::Unknown | Refused::NotNow { .. }) => {
            let incident = whole(api, who, incident).await?;
            Err(Problem::not_now(name, Value::Object(incident)))
        }
    }
}

impl Act {
    fn action(self, incident: IncidentId, who: &Who) -> Result<Action, Problem> {
        if self.incident.is_some_and(|named| !named.eq_ignore_ascii_case(&incident.to_string())) {
            let detail =
                format!("incident in the body is not `{incident}` of the path: leave it out");
            return Err(Problem::bad_request(detail));
        }
        let note = body::text("note", &self.note)?;
        let by = body::signed(&self.by, who)?;
        let seen = body::text("seen", &self.seen)?;
        Ok(Action { incident, kind: self.action, by, note, seen })
    }
}

/// An id that is none can't be known.
///
/// # Errors
/// 404.
pub fn named(id: &str) -> Result<IncidentId, Problem> {
    Ulid::from_string(id).map_err(|_| Problem::unknown(Thing::Incident, id))
}

/// One incident with its trail and its children.
///
/// # Errors
/// 404 when there is none, or it is no business of theirs.
pub async fn whole(
    api: &ApiState,
    who: &Who,
    id: IncidentId,
) -> Result<Map<String, Value>, Problem> {
    let area = who.area.clone();
    let found = api.store.read(move |db| view::one(db, &area, id)).await?;
    let record = found.ok_or_else(|| Problem::unknown(Thing::Incident, &id.to_string()))?;
    Ok(with_trail(record).map_err(ReadError::Row)?)
}

fn with_trail(record: IncidentRecord) -> serde_json::Result<Map<String, Value>> {
    let IncidentRecord { wire, trail, children } = record;
    let mut incident: Map<String, Value> = serde_json::from_str(wire.get())?;
    let trail = trail.into_iter().map(HopJson::of).collect::<serde_json::Result<Vec<HopJson>>>()?;
    incident.insert("trail".to_owned(), serde_json::to_value(trail)?);
    incident.insert("children".to_owned(), serde_json::to_value(children)?);
    Ok(incident)
}
