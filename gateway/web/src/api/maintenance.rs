//! What people announce: work on hydrants, walk tests, exercises.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use standpipe_rules::incidents::{Announced, Announcement, BadAnnouncement, Scope};
use standpipe_rules::{MINUTE_MS, Ms};
use standpipe_shared::Condition;
use standpipe_store::accounts::{Area, Job, Right, Work};
use standpipe_store::readers::ReadError;
use standpipe_store::views::maintenance::{self as view, AnnouncedWork};
use ulid::Ulid;
use utoipa::ToSchema;

use super::ApiState;
use super::body::{Id, JsonBody, MomentBody, canonical, signed, text};
use super::list::List;
use super::params::Params;
use super::problem::{Fault, Problem, ProblemCode, Thing};
use super::schema::ScopeOf;
use crate::api::who::Who;

/// How long an exercise lasts when nobody says, minutes.
const EXERCISE_MIN: u32 = 10;

/// One announcement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Announcement)]
pub struct AnnouncementItem {
    /// Its ULID.
    pub id: Box<str>,
    /// `maintenance`, `walk_test` or `exercise`.
    #[schema(value_type = String)]
    pub what: Announced,
    /// `{"device":…}`, `{"zone":…}` or `{"station":…}`: whose devices were meant.
    #[schema(value_type = Option<ScopeOf>)]
    pub scope: Option<Scope>,
    /// Maintenance: what is muted. Exercise: what was raised.
    #[schema(value_type = Vec<String>)]
    pub conditions: BTreeSet<Condition>,
    /// From then …
    pub from: Ms,
    /// … until just before then.
    pub until: Ms,
    /// Whether it holds now.
    pub active: bool,
    /// Who says so.
    pub by: Box<str>,
    /// Why.
    pub note: Box<str>,
    /// The devices for which it holds; only those whose station the asker answers for.
    pub devices: Vec<String>,
    /// Of these, the hydrants that cannot be counted on meanwhile: those of maintenance.
    pub lost_hydrants: Vec<String>,
    /// The stations responsible for them.
    pub stations: Vec<String>,
}

/// Work, or a walk test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnnouncementBody)]
pub struct Announce {
    /// `maintenance` or `walk_test`.
    what: What,
    /// One of `device`, `zone`, `station`.
    device: Option<String>,
    /// The hydrants of a pressure zone.
    zone: Option<String>,
    /// The devices a station itself is responsible for.
    station: Option<String>,
    /// Maintenance: what the work will cause. Never a fire.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    conditions: BTreeSet<Condition>,
    /// Now, when left out.
    from: Option<MomentBody>,
    /// Maintenance at most 30 days, a walk test at most 8 hours after `from`.
    until: MomentBody,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

/// What may be announced without an alarm of its own.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AnnouncementKind)]
pub enum What {
    /// Mutes the listed conditions, never a fire.
    Maintenance,
    /// Detectors are set off one after the other.
    WalkTest,
}

/// An exercise with one detector, to begin now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExerciseBody)]
pub struct Exercise {
    /// The detector that is to have found a fire.
    device: String,
    /// `smoke` (when left out) or `heat`.
    #[schema(value_type = Option<String>)]
    condition: Option<Condition>,
    /// For how long, at most 60; 10 when left out.
    minutes: Option<u32>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

/// What holds or is planned, soonest end first.
#[utoipa::path(get, path = "/api/v1/maintenance", tag = "maintenance",
    operation_id = "list_maintenance",
    params(("station" = Option<String>, Query, description = "with devices of this station"),
        ("device" = Option<String>, Query, description = "with this device"),
        ("page" = Option<u32>, Query), ("per_page" = Option<u32>, Query)),
    responses((status = 200, body = List<AnnouncementItem>), (status = 400, body = super::problem::ProblemJson)))]
pub async fn list(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<List<AnnouncementItem>>, Problem> {
    let params = Params::read(&uri, &["station", "device", "page", "per_page"])?;
    let (station, device, page) = (params.text("station")?, params.text("device")?, params.page()?);
    let wanted = |item: &AnnouncementItem| {
        station.as_ref().is_none_or(|id| item.stations.contains(id))
            && device.as_ref().is_none_or(|id| item.devices.contains(id))
            && !item.devices.is_empty()
    };
    let all: Vec<AnnouncementItem> =
        items(&api, &who.area).await?.into_iter().filter(wanted).collect();
    let (total, per_page) = (all.len(), page.per_page as usize);
    let skip = (page.page as usize - 1).saturating_mul(per_page);
    let items = all.into_iter().skip(skip).take(per_page).collect();
    let pages = total.div_ceil(per_page).max(1) as u64;
    Ok(Json(List { items, page: page.page, pages, total: total as u64 }))
}

/// Announces work or a walk test. It holds for the devices that belong there now.
#[utoipa::path(post, path = "/api/v1/maintenance", tag = "maintenance",
    operation_id = "announce_maintenance", request_body = Announce,
    responses((status = 201, body = AnnouncementItem),
        (status = 400, description = "`errors` names each member and what to do",
            body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn announce(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
    JsonBody(body): JsonBody<Announce>,
) -> Result<(StatusCode, Json<AnnouncementItem>), Problem> {
    Params::read(&uri, &[])?;
    let announcement = body.announcement(&who, api.clock.now())?;
    Ok((StatusCode::CREATED, Json(made(&api, &who, announcement).await?)))
}

/// Has an alarm raised of a detector, marked as an exercise, and paged to its station. It ends by
/// itself; a real alarm of the same detector counts at once.
#[utoipa::path(post, path = "/api/v1/exercises", tag = "maintenance",
    operation_id = "make_exercise", request_body = Exercise,
    responses((status = 201, body = AnnouncementItem),
        (status = 400, description = "`errors` names each member and what to do",
            body = super::problem::ProblemJson),
        (status = 503, body = super::problem::ProblemJson)))]
pub async fn exercise(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
    JsonBody(body): JsonBody<Exercise>,
) -> Result<(StatusCode, Json<AnnouncementItem>), Problem> {
    Params::read(&uri, &[])?;
    let announcement = body.announcement(&who, api.clock.now())?;
    Ok((StatusCode::CREATED, Json(made(&api, &who, announcement).await?)))
}

/// Ends an announcement now. What it muted and is still true is acted on; an exercise is over.
#[utoipa::path(delete, path = "/api/v1/maintenance/{id}", tag = "maintenance",
    operation_id = "withdraw_announcement",
    params(("id" = String, Path)),
    responses((status = 200, description = "as it was", body = AnnouncementItem),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn withdraw(
    State(api): State<Arc<ApiState>>,
    who: Who,
    Id(id): Id,
    uri: Uri,
) -> Result<Json<AnnouncementItem>, Problem> {
    Params::read(&uri, &[])?;
    ended(&api, &who, &id).await.map(Json)
}

/// The same, with the id as a parameter.
#[utoipa::path(delete, path = "/api/v1/maintenance", tag = "maintenance",
    operation_id = "withdraw_announcement_by_parameter",
    params(("id" = String, Query)),
    responses((status = 200, description = "as it was", body = AnnouncementItem),
        (status = 400, body = super::problem::ProblemJson),
        (status = 404, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn withdraw_named(
    State(api): State<Arc<ApiState>>,
    who: Who,
    uri: Uri,
) -> Result<Json<AnnouncementItem>, Problem> {
    let id = Params::read(&uri, &["id"])?.text("id")?;
    let id = id.ok_or_else(|| Problem::bad_parameter("id", "", "the id of an announcement"))?;
    ended(&api, &who, &id).await.map(Json)
}

/// Ends one, if they may; as it was.
///
/// # Errors
/// 403, 404, 503.
pub async fn ended(api: &ApiState, who: &Who, id: &str) -> Result<AnnouncementItem, Problem> {
    who.needs(Right::Announce)?;
    let id = &*canonical(id.to_owned());
    let was = one(api, &Area::All, id).await?;
    let theirs =
        |item: &AnnouncementItem| item.stations.iter().all(|station| who.area.holds(station));
    let Some(was) = was.filter(theirs) else { return Err(Problem::unknown_announcement(id)) };
    let done = api.engine.withdraw(id.into()).await;
    let there = done.map_err(|down| Problem::part_down(down.to_string()))?;
    if !there {
        return Err(Problem::unknown_announcement(id));
    }
    api.did(who, "withdraw", id).await;
    if let Some(scope) = &was.scope {
        let end = Job::Withdrawn { announced: was.what };
        worked(api, (scope, &who.name), end).await;
    }
    Ok(was)
}

/// Announces it, if they may; as it is then.
///
/// # Errors
/// [`NotMade`].
pub async fn made(
    api: &ApiState,
    who: &Who,
    announcement: Announcement,
) -> Result<AnnouncementItem, NotMade> {
    who.needs(Right::Announce)?;
    within(api, who, announcement.scope.clone()).await?;
    let exercise = announcement.what == Announced::Exercise;
    let (scope, by) = (announcement.scope.clone(), announcement.by.clone());
    let job = Job::Announced {
        announced: announcement.what,
        from: announcement.from,
        until: announcement.until,
        note: announcement.note.clone(),
    };
    let done = api.engine.announce(announcement).await;
    let id = done.map_err(|down| Problem::part_down(down.to_string()))?;
    let id: Ulid = id.map_err(NotMade::Bad)?;
    let id = id.to_string();
    api.did(who, if exercise { "exercise" } else { "announce" }, &id).await;
    worked(api, (&scope, &by), job).await;
    // It may be over by now.
    Ok(one(api, &who.area, &id).await?.ok_or_else(|| Problem::unknown_announcement(&id))?)
}

/// Why nothing was announced.
pub enum NotMade {
    /// They may not, or a part does not work.
    Problem(Problem),
    /// It can't be.
    Bad(Vec<BadAnnouncement>),
}

impl From<Problem> for NotMade {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ReadError> for NotMade {
    fn from(error: ReadError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<NotMade> for Problem {
    fn from(why: NotMade) -> Self {
        match why {
            NotMade::Problem(problem) => problem,
            NotMade::Bad(bad) => refused(&bad),
        }
    }
}

/// Writes it down for the devices it concerns. It was done: that it can't be written down undoes
/// nothing.
async fn worked(api: &ApiState, (scope, by): (&Scope, &str), job: Job) {
    let work = Work::new(scope, api.clock.now(), by, job);
    if let Err(bad) = api.accounts.with(move |book| book.worked(&work)).await {
        tracing::error!("an announcement is in no work history: {bad}");
    }
}

/// Nobody announces anything for devices of others.
async fn within(api: &ApiState, who: &Who, scope: Scope) -> Result<(), Problem> {
    let (area, of) = (who.area.clone(), scope.clone());
    let foreign = api.store.read(move |db| view::reaches_beyond(db, &area, &of));
    let kind = match &scope {
        Scope::Device(_) => Thing::Device,
        Scope::Zone(_) => Thing::Zone,
        Scope::Station(_) => Thing::Station,
    };
    let (_, name) = scope.parts();
    if foreign.await? { Err(Problem::unknown(kind, name)) } else { Ok(()) }
}

fn refused(bad: &[BadAnnouncement]) -> Problem {
    let fault = |wrong: &BadAnnouncement| Fault { field: wrong.field(), detail: wrong.to_string() };
    let faults: Vec<Fault> = bad.iter().map(fault).collect();
    Problem::bad_members(ProblemCode::BadAnnouncement, "Announcement not possible", &faults)
}

impl Announce {
    fn announcement(self, who: &Who, now: Ms) -> Result<Announcement, Problem> {
        let scope = match (self.device, self.zone, self.station) {
            (Some(id), None, None) => Scope::Device(id.into()),
            (None, Some(name), None) => Scope::Zone(name.into()),
            (None, None, Some(id)) => Scope::Station(id.into()),
            _ => {
                let detail = "device, zone and station: name exactly one of them";
                return Err(Problem::bad_request(detail));
            }
        };
        let note = text("note", &self.note)?;
        Ok(Announcement {
            what: match self.what {
                What::Maintenance => Announced::Maintenance,
                What::WalkTest => Announced::WalkTest,
            },
            scope,
            conditions: self.conditions,
            from: self.from.map_or(Ok(now), |from| from.ms("from"))?,
            until: self.until.ms("until")?,
            by: signed(&self.by, who)?,
            note,
        })
    }
}

impl Exercise {
    fn announcement(self, who: &Who, now: Ms) -> Result<Announcement, Problem> {
        let note = text("note", &self.note)?;
        let minutes = self.minutes.unwrap_or(EXERCISE_MIN);
        Ok(Announcement {
            what: Announced::Exercise,
            scope: Scope::Device(self.device.into()),
            conditions: BTreeSet::from([self.condition.unwrap_or(Condition::Smoke)]),
            from: now,
            until: now + Ms::from(minutes) * MINUTE_MS,
            by: signed(&self.by, who)?,
            note,
        })
    }
}

/// One of them.
async fn one(api: &ApiState, area: &Area, id: &str) -> Result<Option<AnnouncementItem>, ReadError> {
    let (now, area, id) = (api.clock.now(), area.clone(), id.to_owned());
    let found = api.store.read(move |db| view::one(db, &area, &id, now)).await?;
    Ok(found.map(|work| AnnouncementItem::of(work, now)))
}

/// Everything that is announced and not over, soonest end first.
///
/// # Errors
/// [`ReadError`].
pub async fn items(api: &ApiState, area: &Area) -> Result<Vec<AnnouncementItem>, ReadError> {
    let (now, area) = (api.clock.now(), area.clone());
    let found = api.store.read(move |db| view::list(db, &area, now)).await?;
    Ok(found.into_iter().map(|work| AnnouncementItem::of(work, now)).collect())
}

impl AnnouncementItem {
    fn of(work: AnnouncedWork, now: Ms) -> Self {
        let AnnouncedWork { window, devices, lost_hydrants, stations } = work;
        Self {
            id: window.id,
            what: window.what,
            scope: window.scope,
            conditions: window.conditions,
            from: window.from,
            until: window.until,
            active: window.from <= now,
            by: window.by,
            note: window.note,
            devices,
            lost_hydrants,
            stations,
        }
    }
}
