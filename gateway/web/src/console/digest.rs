//! The notices of a day, as its digest tells them: what is open, what ended, by condition and one
//! by one. It stands still, so that it can be printed and passed on.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};
use standpipe_rules::digest::{Digest, Line};
use standpipe_shared::Severity;

use super::layout;
use super::text::{Say, moment, say, words};
use super::view::{Oops, View, device_path, escaped};
use crate::api::digest::{DigestRequest, asked};
use crate::api::quarantine;

const TITLE: Say = say("Notices of the day", "每日提示");
const ALL: Say = say("All stations", "全部站点");
const DAY: Say = say("Day", "日期");
const SHOW: Say = say("Show", "查看");
const PRINT: Say = say("Print", "打印");
const EARLIER: Say = say("Day before", "前一天");
const LATER: Say = say("Day after", "后一天");
const SO_FAR: Say = say("The day is not over: so far", "当日尚未截止，统计至");
const UNTIL: Say = say("until", "至");
const OPEN: Say = say("open", "未关闭");
const NEW: Say = say("new", "新增");
const CLOSED: Say = say("closed", "已关闭");
const QUIET: Say = say("No notices.", "没有提示。");
const MORE: Say = say("more", "条未列出");
const CONDITION: Say = say("Condition", "情况");
const DEVICE: Say = say("Device", "设备");
const WHAT: Say = say("What", "事项");
const SINCE: Say = say("Since", "起始");
const STATE: Say = say("State", "状态");

/// The digest of a day, also of one that is not over.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let asked = asked(&view.api, &view.who, &uri).await?;
    let stations = view.stations().await?;
    let content = html! {
        (form(&view, &asked, &stations))
        (content(&view, &asked, &stations))
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

fn form(
    view: &View,
    DigestRequest { day, over, digest }: &DigestRequest,
    stations: &[(String, String)],
) -> Markup {
    let station = digest.station.as_deref();
    let of = format!("&station={}", escaped(station.unwrap_or_default()));
    html! {
        form.line.noprint method="get" action="/digest" {
            label for="day" { (view.say(DAY)) }
            input #day name="day" type="date" value=(day) required;
            select name="station" aria-label=(view.say(words::STATION)) {
                option value="" { (view.say(ALL)) }
                @for (id, name) in stations {
                    option value=(id) selected[station == Some(id)] { (name) }
                }
            }
            button type="submit" { (view.say(SHOW)) }
            button.quiet type="button" data-print { (view.say(PRINT)) }
            a.button href={ "/digest?day=" (day.before()) (of) } { (view.say(EARLIER)) }
            @if *over { a.button href={ "/digest?day=" (day.after()) (of) } { (view.say(LATER)) } }
            a.button href={ "/api/v1/digest?day=" (day) (of) } { "JSON" }
        }
    }
}

fn content(view: &View, asked: &DigestRequest, stations: &[(String, String)]) -> Markup {
    let (digest, zone) = (&asked.digest, &view.api.town.zone);
    let name =
        |id: &str| stations.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone());
    let of = digest
        .station
        .as_deref()
        .map_or_else(|| view.say(ALL).to_owned(), |id| name(id).unwrap_or_else(|| id.to_owned()));
    let when = |at| moment(at, zone, "%Y-%m-%d %H:%M");
    html! {
        article.report {
            h1 { (view.say(TITLE)) " " (digest.day) " · " (of) }
            p {
                (when(digest.from)) " " (view.say(UNTIL)) " " (when(digest.to)) " · "
                strong { (digest.open) " " (view.say(OPEN)) } " · "
                (digest.new) " " (view.say(NEW)) " · " (digest.closed) " " (view.say(CLOSED))
            }
            @if !asked.over { p.note { (view.say(SO_FAR)) " " (when(digest.to)) } }
            @if let Some(unread) = &digest.unread { p {
                (standpipe_words::digest::unread(unread, view.lang.language()))
                @if quarantine::may(&view.who) {
                    " · " a.noprint href="/quarantine" { (view.say(SHOW)) }
                }
            } }
            @if digest.open == 0 && digest.closed == 0 { p { (view.say(QUIET)) } } @else {
                (counts(view, digest))
                (lines(view, digest, &name))
            }
        }
    }
}

fn counts(view: &View, digest: &Digest) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(CONDITION)) { table.figures {
            thead { tr {
                th { (view.say(CONDITION)) }
                @for head in [OPEN, NEW, CLOSED] { th { (view.say(head)) } }
            } }
            tbody { @for of in &digest.counts { tr {
                th scope="row" { (view.say(words::condition(of.condition))) }
                td { (of.open) } td { (of.new) } td { (of.closed) }
            } } }
        } }
    }
}

fn lines(view: &View, digest: &Digest, name: &impl Fn(&str) -> Option<String>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(WHAT)) { table {
            thead { tr {
                @for head in [WHAT, DEVICE, words::ADDRESS, words::STATION, SINCE, STATE] {
                    th { (view.say(head)) }
                }
            } }
            tbody { @for line in &digest.items { (row(view, line, name)) } }
        } }
        @if digest.more > 0 { p { "+ " (digest.more) " " (view.say(MORE)) } }
    }
}

fn row(view: &View, line: &Line, name: &impl Fn(&str) -> Option<String>) -> Markup {
    let when = |at| moment(at, &view.api.town.zone, "%m-%d %H:%M");
    html! { tr {
        td {
            (layout::sign(Severity::Notice)) " "
            a href={ "/incidents/" (line.id) } { (view.lang.text(&line.title)) }
        }
        td { @if !line.device.is_empty() { a href=(device_path(&line.device)) { (line.device) } } }
        td { (line.address) }
        td { (name(&line.station).unwrap_or_else(|| line.station.to_string())) }
        td { (when(line.since)) }
        td {
            @match line.closed_at {
                None => (view.say(OPEN)),
                Some(at) => { (view.say(CLOSED)) " " (when(at)) }
            }
        }
    } }
}
