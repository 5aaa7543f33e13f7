//! What people announce: work on hydrants, walk tests, exercises. The list of them, the forms, and
//! the lines about them on other pages. Works without a script; what can be announced is decided
//! by the rules.

use std::collections::BTreeSet;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::DateTime;
use maud::{Markup, html};
use standpipe_rules::incidents::{Announced, Announcement, BadAnnouncement, Scope, mutable};
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_shared::Condition;
use standpipe_store::accounts::Right;
use standpipe_store::views::maintenance::{self as view_of, WorkBrief};

use super::layout;
use super::text::{Say, moment, say, words};
use super::view::{Form, Oops, View, device_path, ours};
use crate::api::body::text;
use crate::api::maintenance::{AnnouncementItem, NotMade, ended, items, made};
use crate::api::params::Params;
use crate::api::problem::Problem;

const TITLE: Say = say("Work and exercises", "维护与演练");
const NOW: Say = say("Announced", "已公告");
const NOTHING: Say = say("Nothing is announced.", "目前没有公告。");
const PLANNED: Say = say("planned", "计划中");
const UNTIL: Say = say("until", "至");
const WITHDRAW: Say = say("End it now", "立即结束");
const LOST: Say = say("Hydrants out of service", "停用消火栓");
const MUTES: Say = say("Not alarmed meanwhile", "期间不报警");
const ONE: Say = say("device", "台设备");
const MANY: Say = say("devices", "台设备");
const NEW_WORK: Say = say("Announce work", "公告维护作业");
const WORK_SAYS: Say = say(
    "Mutes what you tick, never a fire. What is still true when the time is over is paged.",
    "仅静音所勾选的情况，火警从不静音。到期仍未恢复的情况将立即报警。",
);
const NEW_WALK: Say = say("Announce a walk test", "公告巡检测试");
const WALK_SAYS: Say = say(
    "Detectors are set off one after the other. It holds only where you say, and ends by itself.",
    "逐个触发探测器。仅对所选范围有效，到时自动结束。",
);
const NEW_EXERCISE: Say = say("Begin an exercise", "开始演练");
const EXERCISE_SAYS: Say = say(
    "The gateway raises a fire of one detector, marked as an exercise on every screen. A real alarm of it counts at once.",
    "网关模拟一个探测器的火警，所有屏幕均标明“演练”。其真实报警立即生效。",
);
const WHERE: Say = say("For", "范围");
const ID: Say = say("Id of the device, zone or station", "设备编号、分区或站点编号");
const DEVICE: Say = say("one device", "一台设备");
const ZONE: Say = say("the hydrants of a zone", "一个分区的消火栓");
const STATION: Say = say("the devices of a station", "一个站点的设备");
const CAUSES: Say = say("What the work will cause", "作业会引起的情况");
const FROM: Say = say("From (empty: now)", "开始（留空为立即）");
const TO: Say = say("Until", "结束");
const NOTE: Say = say("Note", "备注");
const FOR_HOURS: Say = say("For", "时长");
const HOURS: Say = say("h", "小时");
const MINUTES: Say = say("Minutes (at most 60)", "分钟（最多 60）");
const DETECTOR: Say = say("Id of the detector", "探测器编号");
const ANNOUNCE: Say = say("Announce", "公告");
const BEGIN: Say = say("Begin", "开始");
const NO_TIME: Say = say("The time can't be read: choose it anew.", "时间无法识别，请重新选择。");
const TIMES: Say = say("Times are those of", "时间所在时区：");

/// Lines on the board and on a device's page, at most.
pub const LINES: usize = 12;

/// A kind of announcement in both languages.
pub const fn name(announced: Announced) -> Say {
    match announced {
        Announced::Maintenance => say("Work", "维护作业"),
        Announced::WalkTest => say("Walk test", "巡检测试"),
        Announced::Exercise => say("EXERCISE", "演练"),
    }
}

/// What is in a form's fields when it is shown.
#[derive(Default)]
struct FilledForm<'a> {
    /// The form that was refused.
    sent: Option<&'a Form>,
    /// The device whose page led here.
    device: Option<String>,
    /// The reasons, one a line.
    wrong: Vec<String>,
}

impl FilledForm<'_> {
    fn of(&self, form: &str, field: &str) -> &str {
        self.sent.filter(|sent| sent.get("do") == form).map_or("", |sent| sent.get(field))
    }

    /// The scope's name: as it was sent, or the device whose page led here.
    fn name(&self, form: &str) -> &str {
        match self.of(form, "name") {
            "" => self.device.as_deref().unwrap_or(""),
            sent => sent,
        }
    }
}

/// Announcements, and the forms for new ones.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let device = Params::read(&uri, &["device"])?.text("device")?;
    show(&view, &FilledForm { device, ..FilledForm::default() }).await
}

/// The announcements alone, as they are now.
pub async fn part(view: View) -> Result<Markup, Oops> {
    list(&view).await
}

async fn show(view: &View, filled: &FilledForm<'_>) -> Result<Response, Oops> {
    let known = known(view).await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        @for why in &filled.wrong { p.wrong role="alert" { (why) } }
        section aria-labelledby="announced" {
            h2 #announced { (view.say(NOW)) }
            div #works data-from="/maintenance/now" data-on="incident device" data-every="10" {
                (list(view).await?)
            }
        }
        @if view.who.may(Right::Announce) {
            datalist #known { @for (id, name) in &known { option value=(id) { (name) } } }
            p.note { (view.say(TIMES)) " " (view.api.town.zone.iana_name().unwrap_or("UTC")) }
            div.forms { (work_form(view, filled)) (walk_form(view, filled)) (exercise_form(view, filled)) }
        }
    };
    Ok(layout::page(view, view.say(TITLE), &content))
}

/// Stations, with their names, and zones: what can be named besides a device.
async fn known(view: &View) -> Result<Vec<(String, String)>, Oops> {
    let mut all = view.stations().await?;
    let area = view.who.area.clone();
    let zones = view.api.store.read(move |db| view_of::zones(db, &area)).await?;
    all.extend(zones.into_iter().map(|zone| (zone, String::new())));
    Ok(all)
}

async fn list(view: &View) -> Result<Markup, Oops> {
    let mut all = items(&view.api, &view.who.area).await?;
    all.retain(|item| !item.devices.is_empty());
    Ok(html! {
        @if all.is_empty() { p { (view.say(NOTHING)) } }
        ul.plainlist.works { @for item in &all { (row(view, item)) } }
    })
}

fn row(view: &View, item: &AnnouncementItem) -> Markup {
    let mutes: Vec<&str> =
        item.conditions.iter().map(|condition| view.say(words::condition(*condition))).collect();
    let theirs = item.stations.iter().all(|station| view.who.area.holds(station));
    html! {
        li.work #{ "w-" (item.id) } {
            p.what {
                span.tag.exercise { (view.say(name(item.what))) }
                strong { (scope(item.scope.as_ref())) }
                @if !item.active { span.tag { (view.say(PLANNED)) } }
                span { (view.moment(item.from)) " – " (view.moment(item.until)) }
            }
            p { (item.devices.len()) " " (view.say(if item.devices.len() == 1 { ONE } else { MANY })) " · " (item.by)
                @if !item.note.is_empty() { " · " (item.note) } }
            @if item.what == Announced::Maintenance { p.note { (view.say(MUTES)) ": " (mutes.join(" · ")) } }
            @if !item.lost_hydrants.is_empty() {
                p { (view.say(LOST)) ": "
                    @for id in item.lost_hydrants.iter().take(20) { a href=(device_path(id)) { (id) } " " }
                    @if item.lost_hydrants.len() > 20 { "+ " (item.lost_hydrants.len() - 20) } }
            }
            @if view.who.may(Right::Announce) && theirs {
                form.line method="post" action="/maintenance" {
                    (view.proof())
                    input type="hidden" name="id" value=(item.id);
                    button.bad name="do" value="withdraw" { (view.say(WITHDRAW)) }
                }
            }
        }
    }
}

fn scope(scope: Option<&Scope>) -> &str {
    scope.map_or("", |scope| scope.parts().1)
}

fn place(view: &View, filled: &FilledForm<'_>, form: &str) -> Markup {
    let chosen = filled.of(form, "scope");
    let id = format!("{form}-name");
    html! {
        label for={ (form) "-scope" } { (view.say(WHERE)) }
        select #{ (form) "-scope" } name="scope" {
            @for (kind, words) in [("device", DEVICE), ("zone", ZONE), ("station", STATION)] {
                option value=(kind) selected[chosen == kind] { (view.say(words)) }
            }
        }
        label for=(id) { (view.say(ID)) }
        input #(id) name="name" required maxlength="200" list="known" autocomplete="off"
            value=(filled.name(form));
    }
}

fn note(view: &View, filled: &FilledForm<'_>, form: &str) -> Markup {
    let id = format!("{form}-note");
    html! {
        label for=(id) { (view.say(NOTE)) }
        input #(id) name="note" maxlength="500" value=(filled.of(form, "note"));
    }
}

fn work_form(view: &View, filled: &FilledForm<'_>) -> Markup {
    let until = match filled.of("work", "until") {
        "" => moment(view.now + 2 * HOUR_MS, &view.api.town.zone, "%Y-%m-%dT%H:%M"),
        sent => sent.to_owned(),
    };
    let new = filled.sent.is_none_or(|sent| sent.get("do") != "work");
    let ticked = |cause: Condition| match new {
        true => matches!(cause, Condition::NoWater | Condition::LowPressure),
        false => filled.of("work", cause.as_str()) == "1",
    };
    html! {
        form.stack method="post" action="/maintenance" {
            h2 { (view.say(NEW_WORK)) }
            p.note { (view.say(WORK_SAYS)) }
            (view.proof())
            (place(view, filled, "work"))
            fieldset {
                legend { (view.say(CAUSES)) }
                @for cause in mutable() {
                    label.tick {
                        input type="checkbox" name=(cause.as_str()) value="1" checked[ticked(cause)];
                        (view.say(words::condition(cause)))
                    }
                }
            }
            label for="work-from" { (view.say(FROM)) }
            input #work-from name="from" type="datetime-local" value=(filled.of("work", "from"));
            label for="work-until" { (view.say(TO)) }
            input #work-until name="until" type="datetime-local" required value=(until);
            (note(view, filled, "work"))
            button name="do" value="work" { (view.say(ANNOUNCE)) }
        }
    }
}

fn walk_form(view: &View, filled: &FilledForm<'_>) -> Markup {
    html! {
        form.stack method="post" action="/maintenance" {
            h2 { (view.say(NEW_WALK)) }
            p.note { (view.say(WALK_SAYS)) }
            (view.proof())
            (place(view, filled, "walk_test"))
            label for="walk-hours" { (view.say(FOR_HOURS)) }
            select #walk-hours name="hours" {
                @for hours in ["1", "2", "4", "8"] {
                    option value=(hours) selected[filled.of("walk_test", "hours") == hours] {
                        (hours) " " (view.say(HOURS))
                    }
                }
            }
            (note(view, filled, "walk_test"))
            button name="do" value="walk_test" { (view.say(ANNOUNCE)) }
        }
    }
}

fn exercise_form(view: &View, filled: &FilledForm<'_>) -> Markup {
    let minutes = match filled.of("exercise", "minutes") {
        "" => "10",
        sent => sent,
    };
    html! {
        form.stack method="post" action="/maintenance" {
            h2 { (view.say(NEW_EXERCISE)) }
            p.note { (view.say(EXERCISE_SAYS)) }
            (view.proof())
            label for="exercise-name" { (view.say(DETECTOR)) }
            input #exercise-name name="name" required maxlength="200" autocomplete="off"
                value=(filled.name("exercise"));
            label for="exercise-minutes" { (view.say(MINUTES)) }
            input #exercise-minutes name="minutes" type="number" min="1" max="60" required
                value=(minutes);
            (note(view, filled, "exercise"))
            button name="do" value="exercise" { (view.say(BEGIN)) }
        }
    }
}

/// Takes any of the page's forms; the field `do` says which.
pub async fn change(view: View, sent: Form) -> Result<Response, Oops> {
    view.who.needs(Right::Announce)?;
    let back = match sent.get("back") {
        "" => "/maintenance",
        back => ours(back),
    };
    if sent.get("do") == "withdraw" {
        ended(&view.api, &view.who, sent.get("id")).await?;
        return Ok(Redirect::to(back).into_response());
    }
    let wrong = match announcement(&view, &sent)? {
        Err(words) => vec![view.say(words).to_owned()],
        Ok(announcement) => match made(&view.api, &view.who, announcement).await {
            Ok(_) => return Ok(Redirect::to(back).into_response()),
            Err(NotMade::Problem(problem)) if problem.status() != StatusCode::NOT_FOUND => {
                return Err(problem.into());
            }
            // Somebody else's is as unknown as nobody's.
            Err(NotMade::Problem(_)) => {
                let nobody = BadAnnouncement::Nobody { kind: "", name: sent.get("name").into() };
                vec![told(&view, &nobody)]
            }
            Err(NotMade::Bad(bad)) => bad.iter().map(|why| told(&view, why)).collect(),
        },
    };
    let filled = FilledForm { sent: Some(&sent), device: None, wrong };
    Ok((StatusCode::BAD_REQUEST, show(&view, &filled).await?).into_response())
}

/// What a form announces; or what is wrong with its times.
fn announcement(view: &View, sent: &Form) -> Result<Result<Announcement, Say>, Oops> {
    let (name, by): (Box<str>, _) = (sent.get("name").trim().into(), view.who.name.clone());
    let note = text("note", sent.get("note"))?;
    let scope = match (sent.get("do"), sent.get("scope")) {
        ("exercise", _) | (_, "device") => Scope::Device(name),
        (_, "zone") => Scope::Zone(name),
        (_, "station") => Scope::Station(name),
        _ => return Err(Problem::bad_request("no such scope: reload the page").into()),
    };
    let whole = |field: &str| sent.get(field).trim().parse::<u16>().map(Ms::from);
    let (what, conditions, times) = match sent.get("do") {
        "work" => {
            let ticked = mutable().filter(|cause| sent.get(cause.as_str()) == "1").collect();
            let from = match sent.get("from") {
                "" => Some(view.now),
                from => moment_of(view, from),
            };
            (Announced::Maintenance, ticked, from.zip(moment_of(view, sent.get("until"))))
        }
        "walk_test" => {
            let until = whole("hours").ok().map(|hours| view.now + hours * HOUR_MS);
            (Announced::WalkTest, BTreeSet::new(), Some(view.now).zip(until))
        }
        "exercise" => {
            let until = whole("minutes").ok().map(|minutes| view.now + minutes * 60_000);
            let smoke = BTreeSet::from([Condition::Smoke]);
            (Announced::Exercise, smoke, Some(view.now).zip(until))
        }
        _ => return Err(Problem::bad_request("no such form: reload the page").into()),
    };
    let Some((from, until)) = times else { return Ok(Err(NO_TIME)) };
    Ok(Ok(Announcement { what, scope, conditions, from, until, by, note }))
}

/// `2026-11-24T05:00` in the town's zone.
fn moment_of(view: &View, text: &str) -> Option<Ms> {
    let local: DateTime = text.parse().ok()?;
    let there = local.to_zoned(view.api.town.zone.clone()).ok()?;
    Some(there.timestamp().as_millisecond())
}

/// What is wrong, in the visitor's words.
fn told(view: &View, bad: &BadAnnouncement) -> String {
    let (words, value) = match bad {
        BadAnnouncement::Nobody { name, .. } => (
            say("Not known, or without a device:", "没有此编号，或其下没有设备："),
            name.to_string(),
        ),
        BadAnnouncement::Over { .. } => (
            say("It would be over already: set a later end.", "已经结束，请设更晚的结束时间。"),
            String::new(),
        ),
        BadAnnouncement::FarAhead { .. } => (
            say(
                "It begins over a year ahead: announce it later.",
                "开始时间在一年以后，请届时再公告。",
            ),
            String::new(),
        ),
        BadAnnouncement::Long { most, .. } => {
            (say("Too long. Hours at most:", "时间过长，最多小时数："), most.to_string())
        }
        BadAnnouncement::Nothing => {
            (say("Tick what the work will cause.", "请勾选作业会引起的情况。"), String::new())
        }
        BadAnnouncement::Fire(_)
        | BadAnnouncement::NotOfDevices(_)
        | BadAnnouncement::Conditions => {
            (say("That can't be muted.", "该情况不能静音。"), String::new())
        }
        BadAnnouncement::NoDrill => (
            say(
                "An exercise is of one smoke detector: name one.",
                "演练只针对一个烟感探测器，请填写其编号。",
            ),
            String::new(),
        ),
        BadAnnouncement::TooMany => (
            say("Too much is announced: end something before.", "公告过多，请先结束一些。"),
            String::new(),
        ),
        BadAnnouncement::Burns { device } => (
            say(
                "It has an open fire of its own: handle that first:",
                "该设备有未关闭的火警，请先处置：",
            ),
            device.to_string(),
        ),
    };
    format!("{} {value}", view.say(words))
}

/// What is announced and holds now, a line each, for other pages.
pub fn lines(view: &View, all: &[WorkBrief]) -> Markup {
    html! {
        @if !all.is_empty() {
            ul.plainlist.announced { @for WorkBrief { window, devices } in all {
                li {
                    span.tag.exercise { (view.say(name(window.what))) } " "
                    a href="/maintenance" { (scope(window.scope.as_ref())) } " · "
                    (devices) " " (view.say(if *devices == 1 { ONE } else { MANY })) " · "
                    (view.say(UNTIL)) " " (view.moment(window.until)) " · " (window.by)
                    @if !window.note.is_empty() { " · " (window.note) }
                }
            } }
        }
    }
}
