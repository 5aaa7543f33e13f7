//! One device: what it says now, its pressure over years or minutes, what happened to it, and,
//! for the crew beside it, a gauge that follows it. What people did at it is in `work`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_rules::Ms;
use standpipe_rules::detect::HydrantNow;
use standpipe_rules::incidents::State;
use standpipe_rules::registry::{Device, Profile};
use standpipe_shared::{Class, Field, Kind};
use standpipe_store::accounts::Right;
use standpipe_store::views::devices::{DeviceDetail, StatusNow, detail};
use standpipe_store::views::maintenance::{WorkBrief, briefs};

use super::assets::CHART;
use super::devices::{DeviceSight, RETIRED, UNCLAIMED, conditions};
use super::incident::{or_dash, trust_class};
use super::layout;
use super::maintenance::{LINES, lines};
use super::text::{Say, say, words};
use super::view::{Form, Oops, View, device_path, escaped};
use super::work::{self, WorkHistory};
use crate::api::body::Id;
use crate::api::problem::{Problem, Thing};

const NEWEST: Say = say("Newest reading", "最新读数");
const HEARD: Say = say("Heard", "最近通信");
const LIMITS: Say = say("Limits", "限值");
const PROFILE: Say = say("Profile", "配置");
/// The area of an unregistered device's topics.
pub const SPEAKS_FROM: Say = say("speaks from area", "消息来自区域");
const FIRMWARE: Say = say("Firmware", "固件版本");
const MODEL: Say = say("Model", "型号");
const START: Say = say("Last start", "最近启动");
const START_NUMBER: Say = say("no.", "第");
const START_UNIT: Say = say("", "次");
const LOST: Say = say("Messages lost", "丢失消息");
const STORAGE: Say = say("Storage", "存储器状态");
const INSTALLED: Say = say("Installed", "安装日期");
/// Whose history it continues.
const REPLACES: Say = say("Took the place of", "接替");
const PLACE: Say = say("Place", "坐标");
const CHART_OF: Say = say("Over time", "历史曲线");
const CHART_SAYS: Say = say(
    "Mean as a line, lowest to highest as a band, limits dashed, incidents as marks. Arrow keys move, + and − zoom.",
    "实线为平均值，色带为最低至最高，虚线为限值，标记为警情。方向键移动，+ 和 − 缩放。",
);
const CSV: Say = say("Download as CSV", "下载 CSV");
const EMPTY: Say = say("No reading in this time.", "此时段没有读数。");
const HISTORY_FAILS: Say = say("WorkHistory has no answer now.", "历史数据暂不可用。");
const EVENTS: Say = say("Incidents", "警情记录");
const INSPECTION: Say = say("Re-inspection", "复查状态");
const LIVE_MODE: Say = say("Follow it live", "实时跟踪");
const STOP: Say = say("Stop", "停止");
const LIVE_SAYS: Say = say(
    "Asks the device to report every second for 10 minutes, and shows it large.",
    "让设备每秒上报，持续 10 分钟，并放大显示。",
);
const ANNOUNCE: Say =
    say("Announce work, a walk test or an exercise here", "在此公告维护、巡检测试或演练");

/// A device with all that is known of it.
struct DeviceFacts {
    found: DeviceDetail,
    /// Pressure of a hydrant, smoke of a detector.
    value: Option<f32>,
    measured_at: Option<Ms>,
    /// Of a hydrant: whether it can be relied on.
    hydrant: Option<HydrantNow>,
    announced: Vec<WorkBrief>,
}

impl DeviceFacts {
    fn of(found: DeviceDetail, announced: Vec<WorkBrief>, view: &View) -> Self {
        let DeviceDetail { device, memory, .. } = &found;
        let profile = view.api.profiles.profile_of(device);
        let mut hydrant = (device.kind == Kind::Hydrant)
            .then(|| HydrantNow::of(device, profile, memory, view.now));
        if found.out_of_service {
            hydrant = hydrant.map(HydrantNow::out_of_service);
        }
        let shown = match device.kind {
            Kind::Hydrant => Field::PressureKpa,
            Kind::Smoke => Field::SmokeDbM,
        };
        let (value, measured_at) = (memory.latest.get(shown), memory.fresh().measured(shown));
        Self { found, value, measured_at, hydrant, announced }
    }
}

async fn read(view: &View, id: &str) -> Result<DeviceFacts, Oops> {
    let (area, key, now) = (view.who.area.clone(), id.to_owned(), view.now);
    let read = view.api.store.read(move |db| {
        let Some(found) = detail(db, &area, &key, now)? else { return Ok(None) };
        Ok(Some((found, briefs(db, &area, Some(&key), now, LINES)?)))
    });
    let (found, announced) = read.await?.ok_or_else(|| Problem::unknown(Thing::Device, id))?;
    Ok(DeviceFacts::of(found, announced, view))
}

/// A device that the visitor may see.
pub async fn page(view: View, Id(id): Id) -> Result<Response, Oops> {
    show(&view, &id, None).await
}

/// The page once more, for somebody whose flow test was refused, with what was typed.
pub async fn refused(view: &View, id: &str, sent: &Form, why: Say) -> Result<Response, Oops> {
    Ok((StatusCode::BAD_REQUEST, show(view, id, Some((sent, why))).await?).into_response())
}

/// A device of the visitor's own stations; of others it is as if it did not exist.
pub async fn registered(view: &View, id: &str) -> Result<Device, Oops> {
    let known = read(view, id).await?;
    if known.found.own {
        Ok(known.found.device)
    } else {
        Err(Problem::unknown(Thing::Device, id).into())
    }
}

async fn show(view: &View, id: &str, wrong: Option<(&Form, Say)>) -> Result<Response, Oops> {
    let known = read(view, id).await?;
    let device = &known.found.device;
    let done = WorkHistory::read(view, device).await?;
    let content = html! {
        article {
            h1 { (device.name) @if device.name != device.id { " " span.age { (device.id) } } }
            div #now data-from={ (device_path(&device.id)) "/now" } data-on="device incident" data-every="5" {
                (now(view, &known))
            }
            (chart(view, &known))
            @if known.found.own && device.kind == Kind::Hydrant {
                @if view.who.may(Right::CheckHydrant) { (live(view, device)) }
                (work::flow(view, device, &done, wrong))
            }
            (work::history(view, device, &done))
            @if known.found.own && view.who.may(Right::Announce) {
                p.noprint { a href={ "/maintenance?device=" (escaped(&device.id)) } { (view.say(ANNOUNCE)) } }
            }
        }
    };
    Ok(layout::page_with(view, &device.name, &[CHART], &content))
}

/// The part that changes, as it is now.
pub async fn part(view: View, Id(id): Id) -> Result<Markup, Oops> {
    Ok(now(&view, &read(&view, &id).await?))
}

fn now(view: &View, known: &DeviceFacts) -> Markup {
    let device = &known.found.device;
    let profile = view.api.profiles.profile_of(device);
    let sight = DeviceSight::of(known.found.heard_at, known.hydrant.map(|hydrant| hydrant.trust));
    html! {
        section.now {
            (lines(view, &known.announced))
            p.big #gauge data-value=[known.value] {
                @match (device.kind, known.value) {
                    (_, None) => { "–" }
                    (Kind::Hydrant, Some(kpa)) => { strong { (format!("{kpa:.0}")) } " kPa" }
                    (Kind::Smoke, Some(smoke)) => { strong { (format!("{smoke:.2}")) } " dB/m" }
                }
            }
            p {
                @if let Some(hydrant) = known.hydrant {
                    span class={ "hydrantnow " (trust_class(hydrant.trust)) } { span.tag { (view.say(words::trust(hydrant.trust))) } } " "
                    @if let Some(reason) = hydrant.reason { span.age { (view.say(words::trust_reason(reason))) } " " }
                }
                // The tag says it already where a hydrant is not known.
                @if known.found.conditions != 0 || sight == DeviceSight::Clear || known.hydrant.is_none() {
                    (conditions(view, known.found.conditions, sight))
                }
            }
            dl.facts {
                dt { (view.say(NEWEST)) }
                dd { @if let Some(at) = known.measured_at { (view.moment(at)) " · " (view.ago(at)) } @else { (view.say(words::NEVER)) } }
                dt { (view.say(HEARD)) }
                dd { @if let Some(at) = known.found.heard_at { (view.ago(at)) } @else { (view.say(words::NEVER)) } }
                dt { (view.say(words::ADDRESS)) }
                dd { strong { (or_dash(&device.address)) } " " (device.building) " " (device.floor) }
                @if device.claimed {
                    dt { (view.say(words::STATION)) } dd { (known.found.station) }
                } @else if let Some(at) = device.retired_at {
                    dt { (view.say(RETIRED)) } dd { (view.moment(at)) }
                } @else {
                    dt { (view.say(UNCLAIMED)) } dd { (view.say(SPEAKS_FROM)) " " (device.area) }
                }
                dt { (view.say(PROFILE)) } dd { (profile_name(view, &device.profile)) }
                @if device.kind == Kind::Hydrant {
                    dt { (view.say(LIMITS)) } dd { (profile.min_kpa) " – " (profile.max_kpa) " kPa" }
                }
                @if let (Some(lat), Some(lon)) = (device.lat, device.lon) {
                    dt { (view.say(PLACE)) } dd { (lat) ", " (lon) }
                }
                @if let Some(before) = &device.replaces {
                    dt { (view.say(REPLACES)) }
                    dd { a href=(device_path(&before.device)) { (before.device) } " · " (view.moment(before.until)) }
                }
                @if !device.installed_on.is_empty() {
                    dt { (view.say(INSTALLED)) } dd { (device.installed_on) }
                }
                @if let Some(status) = &known.found.status { (of_itself(view, status)) }
            }
        }
        (history(view, known))
    }
}

/// What it said of itself when it last started.
fn of_itself(view: &View, status: &StatusNow) -> Markup {
    let said = |code: &Option<String>, named: fn(&str) -> Option<Say>| {
        let code = code.clone()?;
        Some(named(&code).map_or(code, |words| view.say(words).to_owned()))
    };
    html! {
        @if let Some(firmware) = &status.firmware { dt { (view.say(FIRMWARE)) } dd { (firmware) } }
        @if let Some(model) = &status.model { dt { (view.say(MODEL)) } dd { (model) } }
        dt { (view.say(START)) }
        dd {
            (view.moment(status.at))
            @if let Some(why) = said(&status.reset, words::reset) { " · " (why) }
            @if let Some(boot) = status.boot {
                " · " (view.say(START_NUMBER)) " " (boot) " " (view.say(START_UNIT))
            }
        }
        @if let Some(lost) = status.lost { dt { (view.say(LOST)) } dd.wrong { (lost) } }
        @if let Some(storage) = said(&status.storage, words::storage) {
            dt { (view.say(STORAGE)) } dd.wrong { (storage) }
        }
    }
}

/// What a built-in profile is called; others by the name that somebody gave them.
fn profile_name<'a>(view: &View, name: &'a str) -> &'a str {
    match name {
        "municipal" => view.say(say("municipal", "市政消火栓")),
        "indoor" => view.say(say("indoor", "室内消火栓")),
        "indoor_highrise" => view.say(say("indoor, high-rise", "室内消火栓（高层）")),
        "indoor_supertall" => view.say(say("indoor, supertall", "室内消火栓（超高层）")),
        "smoke_home" => view.say(say("smoke, home", "家用烟感")),
        "smoke_site" => view.say(say("smoke, site", "场所烟感")),
        other => other,
    }
}

fn history(view: &View, known: &DeviceFacts) -> Markup {
    let water = known.found.incidents.iter().find(|incident| incident.class == Class::Water);
    html! {
        section {
            @if let Some(incident) = water.filter(|_| known.found.device.kind == Kind::Hydrant) {
                h2 { (view.say(INSPECTION)) }
                p { (view.say(inspection(incident.state, known.found.relapsed))) " · " (view.moment(incident.updated_at)) }
            }
            h2 { (view.say(EVENTS)) }
            @if known.found.incidents.is_empty() { p { (view.say(words::NONE)) } }
            ul.plainlist.events { @for incident in &known.found.incidents {
                li class=(incident.severity.as_str()) data-mark=(incident.opened_at) data-until=[incident.closed_at] {
                    (layout::sign(incident.severity))
                    (view.moment(incident.opened_at)) " "
                    a href={ "/incidents/" (incident.id) } { (view.lang.text(&incident.title)) } " "
                    span.tag {
                        (view.say(words::state(incident.state.as_str())))
                        @if let Some(outcome) = incident.outcome { ": " (view.say(words::outcome(outcome.as_str()))) }
                    }
                }
            } }
        }
    }
}

/// How far a repair is verified: reported, being verified, verified, or failed since.
const fn inspection(state: State, relapsed: bool) -> Say {
    match state {
        State::Open | State::Acknowledged if relapsed => {
            say("Relapsed: it failed again after the repair", "复发：修复后再次异常")
        }
        State::Open | State::Acknowledged => say("Not repaired", "未修复"),
        State::Resolved => say("Claimed repaired; the water is not back", "已报修复，水压未恢复"),
        State::Verifying => {
            say("Water is back; evidence is being collected", "水压已恢复，正在收集证据")
        }
        State::Closed => say("Proved and closed", "已验证并关闭"),
    }
}

fn chart(view: &View, known: &DeviceFacts) -> Markup {
    let (device, profile) =
        (&known.found.device, view.api.profiles.profile_of(&known.found.device));
    let (field, unit) = match device.kind {
        Kind::Hydrant => ("pressure_kpa", "kPa"),
        Kind::Smoke => ("smoke_db_m", "dB/m"),
    };
    let limits = limits(device.kind, profile);
    let from = format!("/api/v1{}/history", device_path(&device.id));
    const SPANS: [(&str, Say); 6] = [
        ("3600000", say("1 h", "1小时")),
        ("86400000", say("1 day", "1天")),
        ("604800000", say("1 week", "1周")),
        ("2592000000", say("30 days", "30天")),
        ("31536000000", say("1 year", "1年")),
        ("157680000000", say("5 years", "5年")),
    ];
    html! {
        section aria-labelledby="chart-title" {
            h2 #chart-title { (view.say(CHART_OF)) }
            div.spans role="group" aria-label=(view.say(CHART_OF)) {
                @for (ms, name) in SPANS {
                    button type="button" data-span=(ms) aria-pressed=(ms == "86400000") { (view.say(name)) }
                }
            }
            canvas #chart tabindex="0" role="img" aria-label=(view.say(CHART_SAYS))
                data-history=(from) data-field=(field) data-unit=(unit) data-limits=(limits)
                data-empty=(view.say(EMPTY)) data-fails=(view.say(HISTORY_FAILS)) {}
            p.note #chart-says aria-live="polite" {}
            p.note { (view.say(CHART_SAYS)) " "
                a #csv href={ (from) ".csv?field=" (field) } { (view.say(CSV)) } }
        }
    }
}

fn limits(kind: Kind, profile: &Profile) -> String {
    match kind {
        Kind::Hydrant => {
            format!("{} {} {}", profile.no_water_kpa, profile.min_kpa, profile.max_kpa)
        }
        Kind::Smoke => String::new(),
    }
}

fn live(view: &View, device: &Device) -> Markup {
    html! {
        section.noprint {
            h2 { (view.say(LIVE_MODE)) }
            p.note { (view.say(LIVE_SAYS)) }
            button #live type="button" data-device=(device.id) data-stop=(view.say(STOP))
                aria-pressed="false" { (view.say(LIVE_MODE)) }
        }
    }
}
