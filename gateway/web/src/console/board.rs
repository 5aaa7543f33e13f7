//! The board: what is open, the loud ones that nobody has taken first; and that somebody is there to see
//! it. What fills every page is in [`super::screen`].

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use standpipe_rules::incidents::{ActionKind, State};
use standpipe_shared::Severity;
use standpipe_store::views::board::{self as view_of, BoardRow};
use standpipe_store::views::maintenance::briefs;

use super::device::SPEAKS_FROM;
use super::incident::{act_form, can_undo, first_hydrant, water_note};
use super::layout;
use super::maintenance::{LINES, lines};
use super::text::{Say, say, words};
use super::view::{Form, Oops, View};

const TITLE: Say = say("Board", "值班台");
const OPEN: Say = say("open", "件未关闭");
const QUIET: Say = say("Nothing is open.", "目前没有警情。");
const MORE: Say = say("more, of lesser severity, are not shown", "件较轻的未显示");
const EXERCISE: Say = say("EXERCISE", "演练");
const LATE: Say = say("late", "延迟");
const STEP: Say = say("escalated to step {}", "已升级到第 {} 级");
const UNREGISTERED: Say = say("unregistered device", "未登记设备");
const NO_STATION_OF_ITS_OWN: Say = say("no station of its own", "无所属站点");
const WALL: Say = say("For a wall", "大屏显示");
const NOTICES: Say = say("Notices of the day", "每日提示");
const NO_STATION: Say = say(
    "You stand for no station: having this page open is nobody's presence.",
    "您的账户不属于任何站点：打开本页不代表有人值守。",
);

/// The page that a station keeps open.
pub async fn page(view: View) -> Result<Response, Oops> {
    let rows = rows(&view).await?;
    let content = html! {
        h1.sr { (view.say(TITLE)) }
        @if view.who.station.is_none() { p.note { (view.say(NO_STATION)) } }
        div #board data-from="/board" data-on="incident" { (rows) }
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

/// The rows alone, as they are now: `live.js` exchanges them.
pub async fn part(view: View) -> Result<Markup, Oops> {
    rows(&view).await
}

/// A page is open: its station is there.
pub async fn here(view: View, _sent: Form) -> StatusCode {
    if let Some(station) = &view.who.station {
        view.api.watch.here(station, view.api.clock.stamp().steady());
    }
    StatusCode::NO_CONTENT
}

async fn rows(view: &View) -> Result<Markup, Oops> {
    let (area, now) = (view.who.area.clone(), view.now);
    let read = view
        .api
        .store
        .read(move |db| Ok((view_of::open(db, &area)?, briefs(db, &area, None, now, LINES)?)));
    let (open, announced) = read.await?;
    let left = open.total.saturating_sub(u32::try_from(open.worst.len()).unwrap_or(u32::MAX));
    Ok(html! {
        @if open.total == 0 {
            p.quiet-board { (view.say(QUIET)) }
        } @else {
            p.count { strong { (open.total) } " " (view.say(OPEN)) }
        }
        p.note {
            a href="/digest" { (view.say(NOTICES)) } " · " a href="/wall" { (view.say(WALL)) }
        }
        (lines(view, &announced))
        ol.board {
            @for found in &open.worst { (row(view, found)) }
        }
        @if left > 0 { p { "+ " (left) " " (view.say(MORE)) } }
    })
}

/// Where it is: address, device and station; of an unregistered device that it is one, and from
/// where it speaks.
pub fn place<'a>(view: &View, row: &'a BoardRow) -> Vec<Cow<'a, str>> {
    let BoardRow { incident, station, stray } = row;
    let device = incident.device.as_ref();
    if let (Some(device), Some(area)) = (device, stray) {
        return vec![
            format!("{} {}", view.say(UNREGISTERED), device.id).into(),
            format!("{} {area}", view.say(SPEAKS_FROM)).into(),
            view.say(NO_STATION_OF_ITS_OWN).into(),
        ];
    }
    let (address, id) = device.map_or(("", ""), |device| (&*device.address, &*device.id));
    let parts = [address, id, station.as_str()].into_iter();
    parts.filter(|part| !part.is_empty()).map(Cow::Borrowed).collect()
}

fn row(view: &View, found: &BoardRow) -> Markup {
    let incident = &found.incident;
    let class = format!("incident {} {}", incident.severity.as_str(), incident.state.as_str());
    html! {
        li class=(class) #{ "i-" (incident.id) } {
            div.what {
                (layout::sign(incident.severity))
                span.sev { (view.say(words::severity(incident.severity))) }
                @if incident.exercise { span.tag.exercise { (view.say(EXERCISE)) } }
                span.tag { (view.say(words::state(incident.state.as_str()))) }
                @if incident.late_s > 0 {
                    span.tag { (view.say(LATE)) " " (view.lang.long(i64::from(incident.late_s) * 1_000)) }
                }
                (view.ago(incident.since))
            }
            a.title href={ "/incidents/" (incident.id) } { (view.lang.text(&incident.title)) }
            @let place = place(view, found);
            @if !place.is_empty() { p.where { (place.join(" · ")) } }
            @if incident.step > 1 && incident.state == State::Open {
                p.where { strong { (view.say(STEP).replace("{}", &incident.step.to_string())) } }
            }
            @match first_hydrant(view, incident) {
                Some(line) => { p.water { (line) } }
                None => { @if let Some(note) = water_note(view, incident) { p.water.wrong { (note) } } }
            }
            @if incident.state == State::Open && incident.severity > Severity::Notice {
                div.acts { (act_form(view, incident, ActionKind::Acknowledge)) }
            }
            @if can_undo(view, incident) {
                div.acts { (act_form(view, incident, ActionKind::Undo)) }
            }
        }
    }
}
