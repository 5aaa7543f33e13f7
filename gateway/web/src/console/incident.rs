//! One incident: what, where, since when; the water near it; what speaks for it and what is not
//! known; every hop with the seconds between; and what can be done.
//!
//! Every button is bound to its incident and to what was shown with it (`seen`, the incident's
//! `version`). What ends an incident is asked once ([`ask`]), in words that say what it is now; the
//! answer is bound to those, and asked again when they changed meanwhile. Afterwards it can be taken
//! back for half a minute ([`undo_note`]).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use standpipe_rules::detect::Trust;
use standpipe_rules::incidents::{Action, ActionKind, NearHydrant, WireIncident};
use standpipe_shared::Class;
use standpipe_store::accounts::Right;

use super::layout;
use super::text::{Say, say, words};
use super::view::{Form, LIVE, Oops, View, device_path, ours};
use crate::api::ApiState;
use crate::api::body::{Id, text};
use crate::api::incidents::{done, named, whole};
use crate::api::problem::{Problem, ProblemCode};

pub mod evidence;
mod trail;

use trail::TrailLine;

const WHAT_TO_DO: Say = say("What to do", "处置");
const WATER: Say = say("Nearest water", "最近的水源");
const NOTE: Say = say("Note", "备注");
const PRINT: Say = say("Print", "打印");
const SAID: Say = say("What it said:", "上报内容：");
const TOPIC: Say = say("On the topic:", "主题：");
const OUTCOME: Say = say("Outcome", "结果");
const MEASURED: Say = say("measured", "测于");
const CHILDREN: Say = say("It stands for", "包含");
const PARENT: Say = say("Part of", "属于");
const FASTER: Say = say("Somebody was faster:", "已有人处理：");
const OVER: Say = say("It is over:", "警情已结束：");
const BY: Say = say("by", "操作人");
const EXERCISE: Say = say("EXERCISE", "演练");
const ADD_NOTE: Say = say("Add the note", "添加备注");
const NO_PLACE: Say =
    say("Its place is not known: no hydrant can be named", "位置未知，无法给出最近的消火栓");
const SURE_FALSE: Say = say("Was it a false alarm?", "确认为误报？");
const SURE_OVER: Say = say("Is it over?", "确认处置完毕？");
const CHANGED: Say = say(
    "It changed since you looked, and nothing was done. This is how it is now:",
    "您查看后警情已有变化，本次操作未执行。目前情况：",
);
const CAN_UNDO: Say = say("You can take it back for 30 seconds.", "确认后 30 秒内可以撤销。");
const NO: Say = say("No", "否");
const GO_ON: Say = say("Go on", "继续");

/// An incident with its trail, as the API gives them.
struct IncidentPage {
    incident: WireIncident,
    trail: Vec<TrailLine>,
    children: Vec<String>,
}

async fn read(view: &View, id: &str) -> Result<IncidentPage, Oops> {
    let mut map = whole(&view.api, &view.who, named(id)?).await?;
    let bad = |bad: serde_json::Error| {
        Problem::part_down(format!("the store has a row that can't be read ({bad}): see the log"))
    };
    let trail = map.remove("trail").unwrap_or_default();
    let children = map.remove("children").unwrap_or_default();
    Ok(IncidentPage {
        incident: serde_json::from_value(map.into()).map_err(bad)?,
        trail: serde_json::from_value(trail).map_err(bad)?,
        children: serde_json::from_value(children).map_err(bad)?,
    })
}

/// One incident: what is known, what can be done, every hop.
pub async fn page(view: View, Id(id): Id) -> Result<Response, Oops> {
    let whole = read(&view, &id).await?;
    let title = view.lang.text(&whole.incident.title).to_owned();
    let now = now(&view, &whole).await?;
    let note = html! {
        form.stack.noprint #note-form method="post" action={ "/incidents/" (whole.incident.id) "/act" } data-live {
            (view.proof())
            label for="note" { (view.say(NOTE)) }
            textarea #note name="note" maxlength="1000" rows="2" {}
            button name="action" value="comment" { (view.say(ADD_NOTE)) }
        }
    };
    let content = html! {
        article {
            div #now data-from={ "/incidents/" (whole.incident.id) "/now" } data-on="incident device" data-every="10" {
                (now)
            }
            @if whole.incident.closed_at.is_none() && view.who.may(Right::Act(ActionKind::Comment)) {
                (note)
            }
            button.noprint type="button" data-print { (view.say(PRINT)) } " "
            a.noprint href={ "/incidents/" (whole.incident.id) "/cap" } { "CAP 1.2" }
        }
    };
    Ok(layout::page(&view, &title, &content))
}

/// What changes of it, as it is now.
pub async fn part(view: View, Id(id): Id) -> Result<Markup, Oops> {
    let whole = read(&view, &id).await?;
    now(&view, &whole).await
}

async fn now(view: &View, whole: &IncidentPage) -> Result<Markup, Oops> {
    let incident = &whole.incident;
    let known = evidence::read(view, incident).await?;
    let class = format!("head {} {}", incident.severity.as_str(), incident.state.as_str());
    Ok(html! {
        header class=(class) {
            p.what {
                (layout::sign(incident.severity))
                span.sev { (view.say(words::severity(incident.severity))) }
                @if incident.exercise { span.tag.exercise { (view.say(EXERCISE)) } }
                span.tag { (view.say(words::state(incident.state.as_str()))) }
                @if let Some(outcome) = incident.outcome {
                    span.tag { (view.say(OUTCOME)) ": " (view.say(words::outcome(outcome.as_str()))) }
                }
            }
            h1 { (view.lang.text(&incident.title)) }
            p.since {
                (view.say(words::SINCE)) " " (view.moment(incident.since))
                @if incident.closed_at.is_none() { " · " (view.ago(incident.since)) }
            }
            @if let Some(payload) = &incident.payload {
                p.said { (view.say(SAID)) " " code { (payload) } }
                @if let Some(topic) = &incident.topic { p.said { (view.say(TOPIC)) " " code { (topic) } } }
            }
            @if let Some(detail) = &incident.detail { p.said { (detail) } }
        }
        (acts(view, incident))
        @if incident.closed_at.is_none() {
            div.known { (super::told::told(view, &known.found)) }
        }
        (evidence::facts(view, incident, &known))
        @if incident.class == Class::Fire { (water(view, incident, &known)) }
        (family(view, whole))
        (trail::trail(view, &whole.trail, &known.found.names))
    })
}

fn acts(view: &View, incident: &WireIncident) -> Markup {
    let open = incident.closed_at.is_none();
    html! {
        @if open {
            section.acts.noprint aria-label=(view.say(WHAT_TO_DO)) {
                @for kind in offered(view, incident) { (act_form(view, incident, kind)) }
            }
        }
    }
}

/// What makes sense now; whether it is taken is decided by the rules.
pub fn offered(view: &View, incident: &WireIncident) -> Vec<ActionKind> {
    use standpipe_rules::incidents::State::{Acknowledged, Closed, Open, Resolved, Verifying};
    match incident.state {
        Open => vec![
            ActionKind::Acknowledge,
            ActionKind::Dispatch,
            ActionKind::Arrive,
            ActionKind::Resolve,
            ActionKind::FalseAlarm,
        ],
        Acknowledged => vec![
            ActionKind::Dispatch,
            ActionKind::Arrive,
            ActionKind::Resolve,
            ActionKind::FalseAlarm,
            ActionKind::Reopen,
        ],
        Resolved if can_undo(view, incident) => vec![ActionKind::Undo],
        Resolved | Verifying => vec![ActionKind::Reopen],
        Closed => Vec::new(),
    }
}

/// Whether somebody's word that it is over can still be taken back.
pub fn can_undo(view: &View, incident: &WireIncident) -> bool {
    incident.undo_until.is_some_and(|until| until > view.now)
}

/// One thing that can be done, as a form of one button; nothing for who may not.
pub fn act_form(view: &View, incident: &WireIncident, kind: ActionKind) -> Markup {
    if !view.who.may(Right::Act(kind)) {
        return html! {};
    }
    let (name, words, key) = act_words(kind);
    html! {
        form method="post" action={ "/incidents/" (incident.id) "/act" } data-live data-k=(name) {
            (view.proof())
            input type="hidden" name="back" value=(back(view));
            input type="hidden" name="seen" value=(incident.version);
            button class={ "act " (name) } name="action" value=(name) data-key=[key]
                aria-keyshortcuts=[key] {
                (view.say(words)) @if let Some(key) = key { " " kbd aria-hidden="true" { (key) } }
            }
        }
    }
}

/// The page on which a part is shown: what is fetched alone is no page to go back to.
fn back(view: &View) -> &str {
    let page = view.here.trim_end_matches("/now");
    if page.starts_with("/takeover") || page == "/board" { "/" } else { page }
}

/// Its name on the wire, its words, and its key: only where one incident alone is before somebody,
/// under the hand or on its own page, does a key do it.
const fn act_words(kind: ActionKind) -> (&'static str, Say, Option<&'static str>) {
    match kind {
        ActionKind::Shown => ("shown", say("Shown", "已显示"), None),
        ActionKind::Acknowledge => ("acknowledge", say("Acknowledge", "接警"), Some("A")),
        ActionKind::Dispatch => ("dispatch", say("Dispatch", "派出"), Some("D")),
        ActionKind::Arrive => ("arrive", say("Arrived", "到场"), Some("R")),
        ActionKind::Comment => ("comment", NOTE, None),
        ActionKind::Resolve => ("resolve", say("Resolved", "处置完毕"), Some("E")),
        ActionKind::FalseAlarm => ("false_alarm", say("False alarm", "误报"), Some("F")),
        ActionKind::Undo => ("undo", say("Take it back", "撤销"), None),
        ActionKind::Reopen => ("reopen", say("Open again", "重新打开"), None),
    }
}

/// Takes an action on an incident.
pub async fn act(
    State(_): State<Arc<ApiState>>,
    view: View,
    Id(id): Id,
    request: Request,
) -> Result<Response, Oops> {
    let live = request.headers().contains_key(LIVE);
    let sent = <Form as axum::extract::FromRequest<_>>::from_request(request, &view.api).await?;
    let kind = serde_json::from_value(sent.get("action").into()).map_err(|_| {
        Problem::bad_parameter("action", sent.get("action"), "a button of the page")
    })?;
    let note = text("note", sent.get("note"))?;
    let seen = text("seen", sent.get("seen"))?;
    if ActionKind::ends(kind) && sent.get("sure").is_empty() {
        return ask(&view, &id, (kind, &sent)).await;
    }
    let action = Action { incident: named(&id)?, kind, by: view.who.name.clone(), note, seen };
    match done(&view.api, &view.who, action).await {
        Ok(_) if live && ActionKind::ends(kind) => undo_note(&view, &id, kind).await,
        Ok(_) if live => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(_) => Ok(Redirect::to(ours(sent.get("back"))).into_response()),
        Err(problem) if problem.code() == ProblemCode::Changed => {
            ask(&view, &id, (kind, &sent)).await
        }
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            let view = View { here: format!("/incidents/{id}"), ..view };
            Ok((StatusCode::CONFLICT, faster(&view, &id).await?).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Asks whether that is how it ended, and says what it is now: 428, or 409 where that is not what was
/// on the screen. The answer is bound to what is said here.
async fn ask(view: &View, id: &str, (kind, sent): (ActionKind, &Form)) -> Result<Response, Oops> {
    let IncidentPage { incident, .. } = read(view, id).await?;
    let seen = sent.get("seen");
    let changed = !seen.is_empty() && *seen != *incident.version;
    let (name, words, _) = act_words(kind);
    let facts = [
        view.say(words::severity(incident.severity)).to_owned(),
        view.say(words::state(incident.state.as_str())).to_owned(),
        evidence::burns(view, &incident),
    ];
    let question = if kind == ActionKind::FalseAlarm { SURE_FALSE } else { SURE_OVER };
    let content = html! {
        div.ask {
            h1 { (view.say(question)) }
            @if changed { p.wrong role="alert" { (view.say(CHANGED)) } }
            p { strong { (view.lang.text(&incident.title)) } }
            p.where { (facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" · ")) }
            p.note { (view.say(CAN_UNDO)) }
            form.line method="post" action={ "/incidents/" (incident.id) "/act" } data-live {
                (view.proof())
                input type="hidden" name="back" value=(ours(sent.get("back")));
                input type="hidden" name="seen" value=(incident.version);
                input type="hidden" name="note" value=(sent.get("note"));
                input type="hidden" name="sure" value="1";
                a.button href={ "/incidents/" (incident.id) } autofocus { (view.say(NO)) }
                button class={ "act " (name) } name="action" value=(name) { (view.say(words)) }
            }
        }
    };
    let status = if changed { StatusCode::CONFLICT } else { StatusCode::PRECONDITION_REQUIRED };
    let page = layout::page(view, view.lang.text(&incident.title), &content);
    Ok((status, page).into_response())
}

/// What a screen shows for half a minute after somebody said that it is over.
async fn undo_note(view: &View, id: &str, kind: ActionKind) -> Result<Response, Oops> {
    let IncidentPage { incident, .. } = read(view, id).await?;
    let (_, words, _) = act_words(kind);
    let note = html! {
        p { strong { (view.say(words)) } ": " (view.lang.text(&incident.title)) }
        @if can_undo(view, &incident) { (act_form(view, &incident, ActionKind::Undo)) }
    };
    Ok(note.into_response())
}

/// Shows a visitor who came second how things stand, and who was first.
async fn faster(view: &View, id: &str) -> Result<Response, Oops> {
    let whole = read(view, id).await?;
    let last = whole.trail.iter().rev().find(|entry| {
        let hop = entry.hop.as_str();
        matches!(hop, "acknowledged" | "dispatched" | "arrived" | "resolved" | "false_alarm")
    });
    let said = if whole.incident.closed_at.is_some() { OVER } else { FASTER };
    let content = html! {
        div.notice role="alert" {
            p { (view.say(said)) " " (view.say(words::state(whole.incident.state.as_str()))) }
            @if let Some(last) = last {
                p { (view.say(words::hop(&last.hop))) " " (view.say(BY)) " " strong { (last.by) }
                    " · " (view.since(last.at)) }
            }
            p { a.button href={ "/incidents/" (id) } { (view.say(GO_ON)) } }
        }
    };
    Ok(layout::page(view, view.lang.text(&whole.incident.title), &content))
}

fn water(view: &View, incident: &WireIncident, known: &evidence::KnownFacts) -> Markup {
    html! {
        section aria-labelledby="water" {
            h2 #water { (view.say(WATER)) }
            @if let Some(note) = water_note(view, incident) { p.wrong { (note) } }
            (hydrants(view, known))
        }
    }
}

/// A fire's water, the nearest first; what can't be trusted is marked, and says why.
pub fn hydrants(view: &View, known: &evidence::KnownFacts) -> Markup {
    html! { ol.hydrants { @for hydrant in &known.water { (hydrant_row(view, hydrant, known)) } } }
}

fn hydrant_row(view: &View, hydrant: &NearHydrant, known: &evidence::KnownFacts) -> Markup {
    let now = known.hydrant(hydrant);
    html! {
        li class={ "hydrant " (trust_class(now.trust)) } {
            span.bearing { (bearing(view, hydrant.bearing_deg)) }
            span.far { strong { (hydrant.distance_m) } " m" }
            a href=(device_path(&hydrant.id)) { (hydrant.name) }
            span.kpa {
                @match now.pressure_kpa {
                    Some(kpa) => { strong { (format!("{kpa:.0}")) } " kPa" }
                    None => { "–" }
                }
            }
            span.tag { (view.say(words::trust(now.trust))) }
            @if let Some(reason) = now.reason { " " span.age { (view.say(words::trust_reason(reason))) } " " }
            @if let Some(at) = now.measured_at {
                span.age { (view.say(MEASURED)) " " (view.ago(at)) }
            }
        }
    }
}

/// The CSS class of a trust.
pub const fn trust_class(trust: Trust) -> &'static str {
    match trust {
        Trust::Ok => "ok",
        Trust::Low => "low",
        Trust::NoWater => "dry",
        Trust::InUse => "used",
        Trust::Stale => "stale",
        Trust::Unconfirmed => "unconfirmed",
        Trust::Suspect => "suspect",
        Trust::OutOfService => "out",
    }
}

/// What is said when fewer hydrants than wanted can be trusted; that nobody knows where to look,
/// where the fire has no place.
pub fn water_note<'a>(view: &View, incident: &'a WireIncident) -> Option<&'a str> {
    let note = incident.hydrants_note.as_ref()?;
    let nowhere =
        incident.device.as_ref().is_some_and(|device| device.lat.is_none() || device.lon.is_none());
    Some(if nowhere { view.say(NO_PLACE) } else { view.lang.text(note) })
}

/// The nearest hydrant that can be trusted, in a line; of a fire only.
pub fn first_hydrant(view: &View, incident: &WireIncident) -> Option<Markup> {
    let hydrant = incident.hydrants.iter().find(|hydrant| hydrant.trust == Trust::Ok)?;
    let kpa = hydrant.pressure_kpa.map_or_else(|| "–".to_owned(), |kpa| format!("{kpa:.0}"));
    Some(html! {
        (view.say(WATER)) ": " (hydrant.name) " · " (hydrant.distance_m) " m "
        (bearing(view, hydrant.bearing_deg)) " · " (kpa) " kPa"
        @if let Some(at) = hydrant.measured_at { " · " (view.ago(at)) }
    })
}

/// Eight points of the compass, and an arrow.
pub fn bearing(view: &View, degrees: u16) -> Markup {
    const POINTS: [Say; 8] = [
        say("N", "北"),
        say("NE", "东北"),
        say("E", "东"),
        say("SE", "东南"),
        say("S", "南"),
        say("SW", "西南"),
        say("W", "西"),
        say("NW", "西北"),
    ];
    const ARROWS: [&str; 8] = ["↑", "↗", "→", "↘", "↓", "↙", "←", "↖"];
    let at = usize::from((degrees % 360 * 2 + 45) / 90 % 8);
    let (arrow, point) = (ARROWS.get(at).unwrap_or(&""), POINTS.get(at).copied());
    html! { span.dir { (arrow) " " @if let Some(point) = point { (view.say(point)) } } }
}

fn family(view: &View, whole: &IncidentPage) -> Markup {
    html! {
        @if let Some(parent) = whole.incident.parent {
            p { (view.say(PARENT)) ": " a href={ "/incidents/" (parent) } { (parent) } }
        }
        @if !whole.children.is_empty() {
            h2 { (view.say(CHILDREN)) " " (whole.children.len()) }
            ul { @for id in whole.children.iter().take(200) {
                li { a href={ "/incidents/" (id) } { (id) } }
            } }
        }
    }
}

/// A text, or a dash where there is none.
pub fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}
