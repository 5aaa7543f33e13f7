//! Devices: found by words, by what is true of them, by station; sorted; page by page. And the
//! sheet of labels whose squares open a device's page on a phone.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use qrcode::QrCode;
use qrcode::render::svg;
use rusqlite::{Connection, Row};
use standpipe_rules::Ms;
use standpipe_rules::detect::{HydrantNow, Memory, Trust, TrustReason};
use standpipe_rules::registry::Device;
use standpipe_shared::{Condition, Field, Kind};
use standpipe_store::accounts::Area;
use standpipe_store::readers::ReadError;

use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View, device_path, escaped};
use crate::api::devices::{LIKE, STATUS_PARAMS, containing, of_status, said, set_of};
use crate::api::list::{List, Source, Where};
use crate::api::params::{Page, Params};

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
const NEXT: Say = say("Next", "下一页");
const BEFORE: Say = say("Previous", "上一页");
const FLEET: Say = say("Fleet", "设备概况");
const EVERYTHING: Say = say("show all", "显示全部");
const FINE: Say = say("nothing wrong", "正常");
const NOT_KNOWN: Say = say("not known", "未知");
/// Heard before anybody registered it.
pub const UNCLAIMED: Say = say("not registered", "未登记");

/// Devices on a page.
const PER_PAGE: u32 = 50;
/// Labels on a sheet's page.
const LABELS_PER_PAGE: u32 = 24;

/// One line of the list.
struct Line {
    device: Device,
    conditions: u32,
    heard_at: Option<Ms>,
    pressure_kpa: Option<f64>,
    smoke_db_m: Option<f64>,
    memory: Option<Memory>,
    station: String,
}

/// Whether what is true of a device now can be said at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It speaks.
    Clear,
    /// It was never heard, or too long ago: that nothing is wrong is not known.
    None,
}

impl Sight {
    /// Of a hydrant by its trust, of anything else by whether it was ever heard: once it is
    /// silent for too long it is `offline`, and that is said.
    pub fn of(heard_at: Option<Ms>, hydrant: Option<Trust>) -> Self {
        match (heard_at, hydrant) {
            (None, _) | (_, Some(Trust::Stale)) => Self::None,
            (Some(_), _) => Self::Clear,
        }
    }
}

const BY_ID: Source = source("ORDER BY d.id");
const BY_NAME: Source = source("ORDER BY d.name, d.id");
const BY_HEARD: Source = source("ORDER BY m.heard_at, d.id");
const BY_PRESSURE: Source = source(
    "ORDER BY json_extract(m.latest, '$.pressure_kpa') IS NULL, \
            json_extract(m.latest, '$.pressure_kpa'), d.id",
);

const fn source(order: &'static str) -> Source {
    Source {
        select: "d.json, coalesce(m.conditions, 0), m.heard_at, \
                 json_extract(m.latest, '$.pressure_kpa'), json_extract(m.latest, '$.smoke_db_m'), \
                 m.body, coalesce((SELECT json_extract(s.json, '$.name') FROM station s \
                     WHERE s.id = d.station), d.station)",
        from: "device d LEFT JOIN memory m ON m.ix = d.ix",
        joins: "",
        group: "",
        order,
    }
}

fn line(row: &Row<'_>) -> Result<Line, ReadError> {
    Ok(Line {
        device: serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?,
        conditions: row.get(1)?,
        heard_at: row.get(2)?,
        pressure_kpa: row.get(3)?,
        smoke_db_m: row.get(4)?,
        memory: row.get::<_, Option<Vec<u8>>>(5)?.and_then(|it| Memory::from_body(&it).ok()),
        station: row.get(6)?,
    })
}

/// What is asked for.
struct Asked {
    q: Option<String>,
    kind: Option<Kind>,
    condition: Option<Wanted>,
    sort: &'static str,
    /// What the devices said of themselves, by the parameters of the API, where it is asked for.
    said: Vec<(&'static str, String)>,
    page: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    One(Condition),
}

const SORTS: [(&str, Say); 4] = [
    ("id", say("id", "编号")),
    ("name", words::NAME),
    ("heard", say("longest silent", "最久未通信")),
    ("pressure", say("lowest pressure", "水压最低")),
];

fn asked(uri: &Uri) -> Result<Asked, Oops> {
    let accepted = ["q", "kind", "condition", "sort", "page"];
    let params = Params::read(uri, &[&accepted[..], &STATUS_PARAMS].concat())?;
    let kinds = [Kind::Hydrant, Kind::Smoke].map(|it| (it.as_str(), it));
    let mut conditions = vec![("any", Wanted::Anything)];
    conditions.extend(Condition::ALL.map(|it| (it.as_str(), Wanted::One(it))));
    Ok(Asked {
        q: params.text("q")?,
        kind: params.one_of("kind", &kinds)?,
        condition: params.one_of("condition", &conditions)?,
        sort: params.one_of("sort", &SORTS.map(|it| (it.0, it.0)))?.unwrap_or("id"),
        said: said(&params)?,
        page: params.page()?.page,
    })
}

fn find(
    db: &Connection,
    area: &Area,
    asked: &Asked,
    per_page: u32,
) -> Result<List<Line>, ReadError> {
    let mut wanted = Where::within(area, area.devices());
    wanted.and_some("d.kind = ?", asked.kind.map(Kind::as_str));
    match asked.condition {
        None => {}
        Some(Wanted::Anything) => wanted.and_always("m.conditions <> 0"),
        Some(Wanted::One(it)) => wanted.and("m.conditions & ? <> 0", it.bit()),
    }
    wanted.and_some(LIKE, asked.q.as_deref().map(containing));
    of_status(&asked.said, &mut wanted);
    let source = match asked.sort {
        "name" => BY_NAME,
        "heard" => BY_HEARD,
        "pressure" => BY_PRESSURE,
        _ => BY_ID,
    };
    source.page(db, &wanted, Page { page: asked.page, per_page }, line)
}

/// The list.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let asked = asked(&uri)?;
    let found = rows(&view, &uri).await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
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

/// Its rows, as they are now.
pub async fn part(view: View, uri: Uri) -> Result<Markup, Oops> {
    Ok(table(&view, &rows(&view, &uri).await?))
}

async fn rows(view: &View, uri: &Uri) -> Result<List<Line>, Oops> {
    let (asked, area) = (asked(uri)?, view.who.area.clone());
    Ok(view.api.store.read(move |db| find(db, &area, &asked, PER_PAGE)).await?)
}

/// The same question on another page.
fn query(asked: &Asked, page: u32) -> String {
    let condition = asked.condition.map_or("", |it| match it {
        Wanted::Anything => "any",
        Wanted::One(it) => it.as_str(),
    });
    let mut query = format!(
        "q={}&kind={}&condition={condition}&sort={}",
        escaped(asked.q.as_deref().unwrap_or("")),
        asked.kind.map_or("", Kind::as_str),
        asked.sort
    );
    for (name, value) in &asked.said {
        query += &format!("&{name}={}", escaped(value));
    }
    format!("{query}&page={page}")
}

fn filters(view: &View, asked: &Asked) -> Markup {
    html! {
        form.line method="get" action="/devices" role="search" {
            input type="search" name="q" value=[asked.q.as_deref()] maxlength="200"
                aria-label=(view.say(SEARCH)) placeholder=(view.say(SEARCH));
            select name="kind" aria-label=(view.say(KIND)) {
                option value="" { (view.say(KIND)) ": " (view.say(ANY)) }
                @for it in [Kind::Hydrant, Kind::Smoke] {
                    option value=(it.as_str()) selected[asked.kind == Some(it)] { (view.say(words::kind(it))) }
                }
            }
            select name="condition" aria-label=(view.say(CONDITION)) {
                option value="" { (view.say(CONDITION)) ": " (view.say(ANY)) }
                option value="any" selected[asked.condition == Some(Wanted::Anything)] { (view.say(ANYTHING)) }
                @for it in Condition::ALL {
                    option value=(it.as_str()) selected[asked.condition == Some(Wanted::One(it))] {
                        (view.say(words::condition(it)))
                    }
                }
            }
            select name="sort" aria-label=(view.say(SORT)) {
                @for (name, text) in SORTS {
                    option value=(name) selected[asked.sort == name] { (view.say(SORT)) ": " (view.say(text)) }
                }
            }
            @for (name, value) in &asked.said { input type="hidden" name=(name) value=(value); }
            button type="submit" { (view.say(FIND)) }
        }
    }
}

fn table(view: &View, found: &List<Line>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table {
                thead { tr {
                    th { (view.say(words::NAME)) } th { (view.say(CONDITION)) }
                    th { (view.say(VALUE)) } th { (view.say(HEARD)) }
                    th.wide { (view.say(words::ADDRESS)) } th.wide { (view.say(words::STATION)) }
                } }
                tbody { @for it in &found.items { (row(view, it)) } }
            }
        }
    }
}

fn row(view: &View, it: &Line) -> Markup {
    let device = &it.device;
    let profile = view.api.profiles.profile_of(device);
    let memory = it.memory.as_ref().filter(|_| device.kind == Kind::Hydrant);
    let hydrant = memory.map(|memory| HydrantNow::of(device, profile, memory, view.now));
    let sight = Sight::of(it.heard_at, hydrant.map(|hydrant| hydrant.trust));
    let reason = hydrant.and_then(|hydrant| hydrant.reason);
    let shown = if it.pressure_kpa.is_some() { Field::PressureKpa } else { Field::SmokeDbM };
    let measured = it.memory.as_ref().and_then(|memory| memory.fresh().measured(shown));
    html! {
        tr {
            th scope="row" { a href=(device_path(&device.id)) { (device.name) } " "
                @if device.name != device.id { span.age { (device.id) } } }
            td { (conditions(view, it.conditions, sight)) @if !device.claimed { span.tag { (view.say(UNCLAIMED)) } }
                @if let Some(reason) = reason.filter(|reason| adds(*reason)) {
                    " " span.age { (view.say(words::trust_reason(reason))) }
                }
            }
            td.nowrap {
                @match (it.pressure_kpa, it.smoke_db_m) {
                    (Some(kpa), _) => { (format!("{kpa:.0}")) " kPa" }
                    (None, Some(smoke)) => { (format!("{smoke:.2}")) " dB/m" }
                    (None, None) => { "–" }
                }
                @if let Some(at) = measured { " " span.age { (view.ago(at)) } }
            }
            td { @if let Some(at) = it.heard_at { (view.ago(at)) } @else { (view.say(words::NEVER)) } }
            td.wide { (device.address) }
            td.wide { (it.station) }
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
pub fn conditions(view: &View, set: u32, sight: Sight) -> Markup {
    let mut all = set_of(set);
    all.sort_by_key(|it| std::cmp::Reverse(it.severity()));
    html! {
        @if all.is_empty() {
            @match sight {
                Sight::Clear => { span.fine { "✓ " (view.say(FINE)) } }
                Sight::None => { span.blind { "? " (view.say(NOT_KNOWN)) } }
            }
        }
        @for it in all {
            span class={ "cond " (it.severity().as_str()) } {
                (layout::sign(it.severity())) (view.say(words::condition(it)))
            } " "
        }
    }
}

/// A sheet of labels, to be printed and put on the devices.
pub async fn labels(view: View, uri: Uri) -> Result<Response, Oops> {
    let (asked, area) = (asked(&uri)?, view.who.area.clone());
    let page = asked.page;
    let found = view.api.store.read(move |db| find(db, &area, &asked, LABELS_PER_PAGE)).await?;
    let next = super::view::with_page(&view.here, page + 1);
    let content = html! {
        p.noprint {
            button type="button" data-print { (view.say(LABELS)) } " "
            span { (found.page) " / " (found.pages) } " "
            @if u64::from(found.page) < found.pages { a.button href=(next) { (view.say(NEXT)) } }
        }
        ol.labels { @for it in &found.items { (label(&view, &it.device)) } }
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
