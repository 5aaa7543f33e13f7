//! A township's month on two printed pages, with charts drawn as SVG; and the same as CSV.

use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use standpipe_shared::Condition;

use super::layout;
use super::text::{Lang, Say, moment, say, words};
use super::view::{Oops, View};
use crate::api::params::Params;
use crate::api::problem::{Problem, Thing};
use crate::report::{Figures, Month, MonthlyReport, ReportQuery, Spread, gather};

const TITLE: Say = say("Monthly report", "月度报告");
const ALL: Say = say("All stations", "全部站点");
const MONTH: Say = say("Month", "月份");
const SHOW: Say = say("Show", "查看");
const PRINT: Say = say("Print", "打印");
const NOT_OVER: Say = say("The month is not over: figures up to", "本月尚未结束，统计截至");
const THIS: Say = say("This month", "本月");
const LAST: Say = say("Last month", "上月");
const WATER: Say = say("Water", "水源");
const HYDRANTS: Say = say("Hydrants in service, of all", "在用消火栓（占全部）");
const DRY: Say = say("Without water at the end", "月末无水");
const REPAIRED: Say = say("Repaired and proved", "修复并验证");
const RECOVERED: Say = say("Recovered by themselves", "自行恢复");
const VERIFYING: Say = say("Being re-inspected", "复查中");
const RELAPSED: Say = say("Failed again", "复发");
const ALARMS: Say = say("Incidents", "警情");
const OPENED: Say = say("Opened", "新增");
const FIRES: Say = say("Fire", "火警");
const WATERS: Say = say("Water", "水压");
const UPKEEP: Say = say("Upkeep", "维护");
const BLIND: Say = say("Loss of sight", "失联");
const FALSE: Say = say("False alarms, of the fires", "误报（占火警）");
const OPEN: Say = say("Not closed", "未关闭");
const SPEED: Say = say("From the sensor to people", "响应时间");
const PAGED: Say = say("Reception to delivered page, median", "收到至送达，中位数");
const PAGED_WORST: Say = say("Reception to delivered page, worst", "收到至送达，最长");
const TAKEN: Say = say("Reception to acknowledgement, median", "收到至接警，中位数");
const TAKEN_WORST: Say = say("Reception to acknowledgement, worst", "收到至接警，最长");
const SIGHT: Say = say("Sight", "监测");
const UNMONITORED: Say = say("Devices not monitored, of all", "未监测设备（占全部）");
const BY_DAY: Say = say("Incidents by day", "每日警情");
const BY_KIND: Say = say("Incidents by kind", "按类型统计");
const LEFT_OUT: Say = say(
    "Tests, exercises and announced maintenance are left out. Times are those of fires and critical incidents, from when they were received or no longer muted. A hydrant is in service when it is heard, has no fault and is under no work: known of today only. – : not recorded then.",
    "测试、演练与计划维护不计入。响应时间仅统计火警与紧急警情，自收到或解除静默起计。在用消火栓指有通信、无故障且不在维护中的消火栓，仅统计当前状态。–：当时无记录。",
);
const NONE: Say = say("none", "无");

/// The month of a station, beside the month before.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let (report, month) = asked(&view, &uri).await?;
    let query = format!("month={month}&station={}", report.station.as_deref().unwrap_or(""));
    let stations = view.stations().await?;
    let content = html! {
        form.line.noprint method="get" action="/reports" {
            label for="month" { (view.say(MONTH)) }
            input #month name="month" type="month" value=(month) required;
            select name="station" aria-label=(view.say(words::STATION)) {
                option value="" { (view.say(ALL)) }
                @for (id, name) in &stations {
                    option value=(id) selected[report.station.as_ref() == Some(id)] { (name) }
                }
            }
            button type="submit" { (view.say(SHOW)) }
            button.quiet type="button" data-print { (view.say(PRINT)) }
            a.button href={ "/reports.csv?" (query) } { "CSV" }
            a.button href={ "/api/v1/reports/monthly?" (query) } { "JSON" }
        }
        (content(view.lang, &view.api.town.zone, &report))
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

/// The same figures as a file for a spreadsheet.
pub async fn csv(view: View, uri: Uri) -> Result<Response, Oops> {
    let (report, month) = asked(&view, &uri).await?;
    let name = format!("attachment; filename=\"standpipe-{month}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, report.csv()).into_response())
}

async fn asked(view: &View, uri: &Uri) -> Result<(MonthlyReport, Month), Oops> {
    let params = Params::read(uri, &["month", "station"])?;
    let zone = view.api.town.zone.clone();
    let month = match params.raw("month") {
        None => Month::of(view.now, &zone),
        Some(text) => Month::parse(text)
            .ok_or_else(|| Problem::bad_parameter("month", text, "a month such as 2026-11"))?,
    };
    let station = params.raw("station").map(str::to_owned);
    let asked = ReportQuery { seen: view.who.area.clone(), station: station.clone(), month, zone };
    let report = gather(&view.api.reports, asked, view.now).await?;
    let missing = || Problem::unknown(Thing::Station, station.as_deref().unwrap_or(""));
    Ok((report.ok_or_else(missing)?, month))
}

/// A whole document with its style in it, for `standpipe report --format html`.
pub fn document(lang: Lang, zone: &TimeZone, report: &MonthlyReport) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (lang.of_say(TITLE)) " " (report.month) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { main { (content(lang, zone, report)) } }
        }
    };
    markup.into_string()
}

fn content(lang: Lang, zone: &TimeZone, report: &MonthlyReport) -> Markup {
    let say = |words: Say| lang.of_say(words);
    let name = report.name.as_deref().unwrap_or(say(ALL));
    html! {
        article.report {
            h1 { (say(TITLE)) " " (report.month) " · " (name) }
            @if report.made_at < report.to {
                p.wrong { (say(NOT_OVER)) " " (moment(report.made_at, zone, "%Y-%m-%d %H:%M")) }
            }
            (table(lang, report))
            section.second {
                h2 { (say(BY_DAY)) }
                (by_day(lang, &report.days))
                h2 { (say(BY_KIND)) }
                (by_kind(lang, report))
            }
            p.note { (say(LEFT_OUT)) }
        }
    }
}

fn table(lang: Lang, report: &MonthlyReport) -> Markup {
    let say = |words: Say| lang.of_say(words);
    let row = |name: Say, figure: &dyn Fn(&Figures) -> String| {
        html! { tr { th scope="row" { (say(name)) } td { (figure(&report.this)) } td { (figure(&report.last)) } } }
    };
    let head = |name: Say| html! { tr.group { th colspan="3" scope="colgroup" { (say(name)) } } };
    let class = |name: &'static str| {
        move |month: &Figures| month.by_class.get(name).copied().unwrap_or(0).to_string()
    };
    let fires = |month: &Figures| month.by_class.get("fire").copied().unwrap_or(0);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(say(TITLE)) { table.figures {
            thead { tr { th {} th { (say(THIS)) } th { (say(LAST)) } } }
            tbody {
                (head(WATER))
                (row(HYDRANTS, &|month| share(month.in_service, month.hydrants)))
                (row(DRY, &|month| share(Some(month.dry), month.hydrants)))
                (row(REPAIRED, &|month| month.repaired.to_string()))
                (row(RECOVERED, &|month| month.recovered.to_string()))
                (row(VERIFYING, &|month| month.verifying.to_string()))
                (row(RELAPSED, &|month| month.relapsed.to_string()))
                (head(ALARMS))
                (row(OPENED, &|month| month.incidents.to_string()))
                (row(FIRES, &class("fire")))
                (row(WATERS, &class("water")))
                (row(UPKEEP, &class("upkeep")))
                (row(BLIND, &class("blind")))
                (row(FALSE, &|month| share(Some(month.false_alarms), Some(fires(month)))))
                (row(OPEN, &|month| month.open.to_string()))
                (head(SPEED))
                (row(PAGED, &|month| seconds(&month.paged, month.paged.median_ms)))
                (row(PAGED_WORST, &|month| seconds(&month.paged, month.paged.worst_ms)))
                (row(TAKEN, &|month| seconds(&month.acknowledged, month.acknowledged.median_ms)))
                (row(TAKEN_WORST, &|month| seconds(&month.acknowledged, month.acknowledged.worst_ms)))
                (head(SIGHT))
                (row(UNMONITORED, &|month| share(month.unmonitored, month.devices)))
            }
        } }
    }
}

/// `3 / 120 (2.5 %)`; what is not known is a dash.
fn share(part: Option<u32>, of: Option<u32>) -> String {
    let known =
        |count: Option<u32>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    let told = format!("{} / {}", known(part), known(of));
    match (part, of) {
        (Some(part), Some(of)) if of > 0 => {
            format!("{told} ({:.1} %)", f64::from(part) * 100.0 / f64::from(of))
        }
        _ => told,
    }
}

/// `0.4 s (12 / 13)`; in brackets, how many incidents had one.
fn seconds(of: &Spread, ms: Option<i64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a month in milliseconds fits")]
    let text = ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1_000.0));
    format!("{text} ({} / {})", of.count, of.of)
}

/// The chart of a month: a bar for each day.
fn by_day(lang: Lang, days: &[u32]) -> Markup {
    let most = days.iter().copied().max().unwrap_or(0).max(1);
    let wide = 20 * days.len();
    html! {
        svg.bars viewBox={ "0 0 " (wide + 40) " 150" } role="img" aria-label=(lang.of_say(BY_DAY)) {
            @for (n, count) in days.iter().enumerate() {
                @let high = count * 110 / most;
                @let x = 30 + n * 20;
                rect x=(x) y=(125 - high) width="14" height=(high) { title { (n + 1) ": " (count) } }
                @if n == 0 || (n + 1) % 5 == 0 { text x=(x + 7) y="142" { (n + 1) } }
                @if *count == most { text x=(x + 7) y=(120 - high) { (count) } }
            }
            line x1="28" y1="125.5" x2=(wide + 30) y2="125.5" {}
        }
    }
}

/// Two bars a kind: this month's and, lighter, last month's.
fn by_kind(lang: Lang, report: &MonthlyReport) -> Markup {
    let (this, last) = (&report.this.by_condition, &report.last.by_condition);
    let mut kinds: Vec<_> = Condition::ALL.into_iter().collect();
    let count = |of: &std::collections::BTreeMap<String, u32>, condition: Condition| {
        of.get(condition.as_str()).copied().unwrap_or(0)
    };
    kinds.retain(|condition| count(this, *condition) + count(last, *condition) > 0);
    let most = kinds
        .iter()
        .map(|condition| count(this, *condition).max(count(last, *condition)))
        .max()
        .unwrap_or(0)
        .max(1);
    html! {
        @if kinds.is_empty() { p { (lang.of_say(NONE)) } } @else {
            svg.bars.kinds viewBox={ "0 0 640 " (kinds.len() * 36) } role="img" aria-label=(lang.of_say(BY_KIND)) {
                @for (n, kind) in kinds.iter().enumerate() {
                    @let (now, before) = (count(this, *kind), count(last, *kind));
                    text x="150" y=(n * 36 + 19) { (lang.of_say(words::condition(*kind))) }
                    rect x="160" y=(n * 36 + 4) width=(now * 400 / most) height="13" {}
                    text.number x=(166 + now * 400 / most) y=(n * 36 + 15) { (now) }
                    rect.last x="160" y=(n * 36 + 19) width=(before * 400 / most) height="9" {}
                    text.number.small x=(166 + before * 400 / most) y=(n * 36 + 28) { (before) }
                }
            }
            p.note { "■ " (lang.of_say(THIS)) " · □ " (lang.of_say(LAST)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{seconds, share};
    use crate::report::Spread;

    #[test]
    fn a_share_comes_with_what_it_is_a_share_of() {
        assert_eq!(share(Some(3), Some(120)), "3 / 120 (2.5 %)");
        assert_eq!(share(Some(0), Some(0)), "0 / 0");
        assert_eq!(share(None, Some(120)), "– / 120");
        assert_eq!(share(Some(1), None), "1 / –");
        let spread = Spread::of(vec![400, 1_250], 3);
        assert_eq!(seconds(&spread, spread.worst_ms), "1.2 s (2 / 3)");
        assert_eq!(seconds(&Spread::default(), None), "– (0 / 0)");
    }
}
