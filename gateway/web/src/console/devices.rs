//! Devices: found by words, by what is true of them, by station; sorted; page by page. And the
//! sheet of labels whose squares open a device's page on a phone.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use qrcode::QrCode;
use qrcode::render::svg;
use standpipe_rules::Ms;
use standpipe_rules::detect::{HydrantNow, Trust, TrustReason};
use standpipe_rules::registry::Device;
use standpipe_shared::{Condition, Field, Kind};
use standpipe_store::views::devices::{
    self as rows, ConditionFilter, DeviceFilter, DeviceLine, DeviceOrder,
};
use standpipe_store::views::{ListPage, PageOf};

use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View, device_path, escaped};
use crate::api::devices::{STATUS_PARAMS, said, set_of, status_filters};
use crate::api::params::Params;

const TITLE: Say = say("Devices", "设备");
const SEARCH: Say = say("Search id, name, address", "搜索编号、名称、地址");
const KIND: Say = say("Kind", "类型");
const CONDITION: Say = say("True now", "当前情况");
const ANY: Say = say("any", "不限");
const ANYTHING: Say = say("anything wrong", "任何异常");
const SORT: Say = say("Sort by", "排序");
const FIND: Say = say("Find", "查找");
const LABELS: Say = say("Labels to print", "打印标签");
const LABEL: Say = say("Scan to see pressure and history", "扫码查看水压与记录");
const HEARD: Say = say("Heard", "最近通信");
const VALUE: Say = say("Newest", "最新值");
const FOUND: Say = say("found", "台");
/// A button to the next page of a list.
pub const NEXT: Say = say("Next", "下一页");
/// A button to the page before it.
pub const BEFORE: Say = say("Previous", "上一页");
const FLEET: Say = say("Fleet", "设备概况");
const EVERYTHING: Say = say("show all", "显示全部");
const FINE: Say = say("nothing wrong", "正常");
const NOT_KNOWN: Say = say("not known", "未知");
/// Heard before anybody registered it.
pub const UNCLAIMED: Say = say("not registered", "未登记");
/// A person said that it is nobody's any more.
pub const RETIRED: Say = say("retired", "已停用");

/// Devices on a page.
const PER_PAGE: u32 = 50;
/// Labels on a sheet's page.
const LABELS_PER_PAGE: u32 = 24;

/// Whether what is true of a device now can be said at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSight {
    /// It speaks.
    Clear,
    /// It was never heard, or too long ago: that nothing is wrong is not known.
    None,
}

impl DeviceSight {
    /// Of a hydrant by its trust, of anything else by whether it was ever heard: once it is
    /// silent for too long it is `offline`, and that is said.
    pub fn of(heard_at: Option<Ms>, hydrant: Option<Trust>) -> Self {
        match (heard_at, hydrant) {
            (None, _) | (_, Some(Trust::Stale)) => Self::None,
            (Some(_), _) => Self::Clear,
        }
    }
}

/// The question that a list of devices answers.
struct DevicesQuery {
    q: Option<String>,
    kind: Option<Kind>,
    condition: Option<ConditionFilter>,
    order: DeviceOrder,
    /// What the devices said of themselves, by the parameters of the API, where it is asked for.
    said: Vec<(&'static str, String)>,
    page: u32,
}

const SORTS: [(&str, DeviceOrder, Say); 4] = [
    ("id", DeviceOrder::Id, say("id", "编号")),
    ("name", DeviceOrder::Name, words::NAME),
    ("heard", DeviceOrder::Heard, say("longest silent", "最久未通信")),
    ("pressure", DeviceOrder::Pressure, say("lowest pressure", "水压最低")),
];

fn asked(uri: &Uri) -> Result<DevicesQuery, Oops> {
    let accepted = ["q", "kind", "condition", "sort", "page"];
    let params = Params::read(uri, &[&accepted[..], &STATUS_PARAMS].concat())?;
    let kinds = [Kind::Hydrant, Kind::Smoke].map(|kind| (kind.as_str(), kind));
    let mut conditions = vec![("any", ConditionFilter::Any)];
    conditions.extend(
        Condition::ALL.map(|condition| (condition.as_str(), ConditionFilter::One(condition))),
    );
    Ok(DevicesQuery {
        q: params.text("q")?,
        kind: params.one_of("kind", &kinds)?,
        condition: params.one_of("condition", &conditions)?,
        order: params
            .one_of("sort", &SORTS.map(|(name, order, _)| (name, order)))?
            .unwrap_or_default(),
        said: said(&params)?,
        page: params.page()?.page,
    })
}

async fn find(
    view: &View,
    asked: &DevicesQuery,
    per_page: u32,
) -> Result<PageOf<DeviceLine>, Oops> {
    let filter = DeviceFilter {
        station: None,
        kind: asked.kind,
        condition: asked.condition,
        text: asked.q.clone(),
        status: status_filters(&asked.said),
    };
    let (order, page) = (asked.order, ListPage { page: asked.page, per_page });
    let area = view.who.area.clone();
    Ok(view.api.store.read(move |db| rows::lines(db, &area, &filter, order, page)).await?)
}

/// The list, with its filters.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let asked = asked(&uri)?;
    let found = rows(&view, &uri).await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        @if let Some((_, differs)) = view.api.health.registry_files.get() {
            p.work role="status" { (view.lang.text(&differs)) }
        }
        (filters(&view, &asked))
        p { strong { (found.total) } " " (view.say(FOUND)) " · "
            a href={ "/labels?" (query(&asked, asked.page)) } { (view.say(LABELS)) } " · "
            a href="/fleet" { (view.say(FLEET)) } }
        @if !asked.said.is_empty() { p {
            @for (name, value) in &asked.said { span.tag { (name) ": " (value) } " " }
            a href="/devices" { (view.say(EVERYTHING)) }
        } }
        div #devices data-from={ "/devices/rows?" (query(&asked, asked.page)) } data-on="device" data-every="5" {
            (table(&view, &found))
        }
        nav.pages {
            @if found.page > 1 {
                a.button rel="prev" href={ "/devices?" (query(&asked, asked.page - 1)) } { (view.say(BEFORE)) }
            }
            span { (found.page) " / " (found.pages) }
            @if u64::from(found.page) < found.pages {
                a.button rel="next" href={ "/devices?" (query(&asked, asked.page + 1)) } { (view.say(NEXT)) }
            }
        }
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

/// The rows alone, as they are now.
pub async fn part(view: View, uri: Uri) -> Result<Markup, Oops> {
    Ok(table(&view, &rows(&view, &uri).await?))
}

async fn rows(view: &View, uri: &Uri) -> Result<PageOf<DeviceLine>, Oops> {
    find(view, &asked(uri)?, PER_PAGE).await
}

/// The address of the same question on another page.
fn query(asked: &DevicesQuery, page: u32) -> String {
    let condition = asked.condition.map_or("", |condition| match condition {
        ConditionFilter::Any => "any",
        ConditionFilter::One(condition) => condition.as_str(),
    });
    let mut query = format!(
        "q={}&kind={}&condition={condition}&sort={}",
        escaped(asked.q.as_deref().unwrap_or("")),
        asked.kind.map_or("", Kind::as_str),
        SORTS.iter().find(|(_, order, _)| *order == asked.order).map_or("id", |(name, ..)| name)
    );
    for (name, value) in &asked.said {
        query += &format!("&{name}={}", escaped(value));
    }
    format!("{query}&page={page}")
}

fn filters(view: &View, asked: &DevicesQuery) -> Markup {
    html! {
        form.line method="get" action="/devices" role="search" {
            input type="search" name="q" value=[asked.q.as_deref()] maxlength="200"
                aria-label=(view.say(SEARCH)) placeholder=(view.say(SEARCH));
            select name="kind" aria-label=(view.say(KIND)) {
                option value="" { (view.say(KIND)) ": " (view.say(ANY)) }
                @for kind in [Kind::Hydrant, Kind::Smoke] {
                    option value=(kind.as_str()) selected[asked.kind == Some(kind)] { (view.say(words::kind(kind))) }
                }
            }
            select name="condition" aria-label=(view.say(CONDITION)) {
                option value="" { (view.say(CONDITION)) ": " (view.say(ANY)) }
                option value="any" selected[asked.condition == Some(ConditionFilter::Any)] { (view.say(ANYTHING)) }
                @for condition in Condition::ALL {
                    option value=(condition.as_str()) selected[asked.condition == Some(ConditionFilter::One(condition))] {
                        (view.say(words::condition(condition)))
                    }
                }
            }
            select name="sort" aria-label=(view.say(SORT)) {
                @for (name, order, text) in SORTS {
                    option value=(name) selected[asked.order == order] { (view.say(SORT)) ": " (view.say(text)) }
                }
            }
            @for (name, value) in &asked.said { input type="hidden" name=(name) value=(value); }
            button type="submit" { (view.say(FIND)) }
        }
    }
}

fn table(view: &View, found: &PageOf<DeviceLine>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table {
                thead { tr {
                    th { (view.say(words::NAME)) } th { (view.say(CONDITION)) }
                    th { (view.say(VALUE)) } th { (view.say(HEARD)) }
                    th.wide { (view.say(words::ADDRESS)) } th.wide { (view.say(words::STATION)) }
                } }
                tbody { @for line in &found.items { (row(view, line)) } }
            }
        }
    }
}

fn row(view: &View, line: &DeviceLine) -> Markup {
    let device = &line.device;
    let profile = view.api.profiles.profile_of(device);
    let memory = line.memory.as_ref().filter(|_| device.kind == Kind::Hydrant);
    let hydrant = memory.map(|memory| HydrantNow::of(device, profile, memory, view.now));
    let sight = DeviceSight::of(line.heard_at, hydrant.map(|hydrant| hydrant.trust));
    let reason = hydrant.and_then(|hydrant| hydrant.reason);
    let shown = if line.pressure_kpa.is_some() { Field::PressureKpa } else { Field::SmokeDbM };
    let measured = line.memory.as_ref().and_then(|memory| memory.fresh().measured(shown));
    html! {
        tr {
            th scope="row" { a href=(device_path(&device.id)) { (device.name) } " "
                @if device.name != device.id { span.age { (device.id) } } }
            td { (conditions(view, line.conditions, sight)) @if device.retired_at.is_some() { span.tag { (view.say(RETIRED)) } } @else if !device.claimed { span.tag { (view.say(UNCLAIMED)) } }
                @if let Some(reason) = reason.filter(|reason| adds(*reason)) {
                    " " span.age { (view.say(words::trust_reason(reason))) }
                }
            }
            td.nowrap {
                @match (line.pressure_kpa, line.smoke_db_m) {
                    (Some(kpa), _) => { (format!("{kpa:.0}")) " kPa" }
                    (None, Some(smoke)) => { (format!("{smoke:.2}")) " dB/m" }
                    (None, None) => { "–" }
                }
                @if let Some(at) = measured { " " span.age { (view.ago(at)) } }
            }
            td { @if let Some(at) = line.heard_at { (view.ago(at)) } @else { (view.say(words::NEVER)) } }
            td.wide { (device.address) }
            td.wide { (line.station) }
        }
    }
}

/// Whether a reason says more than the conditions beside it.
const fn adds(reason: TrustReason) -> bool {
    match reason {
        TrustReason::NoMeasurement
        | TrustReason::NeverMeasured
        | TrustReason::TooOld
        | TrustReason::OneLowReading
        | TrustReason::LowReadings
        | TrustReason::Maintenance => true,
        TrustReason::NoWater
        | TrustReason::Offline
        | TrustReason::SensorFault
        | TrustReason::LowPressure
        | TrustReason::HydrantOpen => false,
    }
}

/// What is true of a device, each with its sign; or that nothing is; or that nobody knows.
pub fn conditions(view: &View, set: u32, sight: DeviceSight) -> Markup {
    let mut all = set_of(set);
    all.sort_by_key(|condition| std::cmp::Reverse(condition.severity()));
    html! {
        @if all.is_empty() {
            @match sight {
                DeviceSight::Clear => { span.fine { "✓ " (view.say(FINE)) } }
                DeviceSight::None => { span.blind { "? " (view.say(NOT_KNOWN)) } }
            }
        }
        @for condition in all {
            span class={ "cond " (condition.severity().as_str()) } {
                (layout::sign(condition.severity())) (view.say(words::condition(condition)))
            } " "
        }
    }
}

/// A sheet of labels, to be printed and put on the devices.
pub async fn labels(view: View, uri: Uri) -> Result<Response, Oops> {
    let asked = asked(&uri)?;
    let found = find(&view, &asked, LABELS_PER_PAGE).await?;
    let next = super::view::with_page(&view.here, asked.page + 1);
    let content = html! {
        p.noprint {
            button type="button" data-print { (view.say(LABELS)) } " "
            span { (found.page) " / " (found.pages) } " "
            @if u64::from(found.page) < found.pages { a.button href=(next) { (view.say(NEXT)) } }
        }
        ol.labels { @for line in &found.items { (label(&view, &line.device)) } }
    };
    Ok(layout::page(&view, view.say(LABELS), &content))
}

fn label(view: &View, device: &Device) -> Markup {
    let url = format!("{}{}", view.api.town.url, device_path(&device.id));
    html! {
        li.label {
            (PreEscaped(square(&url)))
            div {
                strong { (device.name) }
                span { (device.id) }
                span { (device.address) }
                small { (view.say(LABEL)) }
            }
        }
    }
}

/// A QR code as SVG; nothing for an address too long for one.
fn square(url: &str) -> String {
    let Ok(code) = QrCode::new(url) else { return String::new() };
    let picture = code.render::<svg::Color<'_>>().min_dimensions(120, 120).quiet_zone(true).build();
    picture.split_once("?>").map_or(String::new(), |(_, svg)| svg.to_owned())
}

#[cfg(test)]
mod tests {
    use super::square;

    #[test]
    fn a_label_is_a_picture_and_nothing_else() {
        let picture = square("http://desk.example:8080/devices/H-0002");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>"), "{picture}");
        assert!(!picture.contains("<script"));
        assert_eq!(square(&"x".repeat(5_000)), "", "no code holds that");
    }
}
