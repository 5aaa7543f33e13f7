//! What an incident is and where, in a line, in both languages.

use std::collections::BTreeSet;

use standpipe_shared::{Class, Condition, Kind};

use super::damp::span;
use super::{Incident, Member, Quiet, Text};
use crate::Ms;
use crate::fact::{Reason, Subject};
use crate::registry::{Device, Registry};

/// A fire that is told of this late is marked, s: a page takes seconds.
const LATE_MARKED_S: u32 = 60;
/// Characters of a text that a title has room for.
const DETAIL_MOST: usize = 80;

/// The title of an incident: what is worst of it, where, and how many detectors say so.
pub(super) fn of(incident: &Incident, registry: &Registry) -> Text {
    let worst = incident.conditions().into_iter().rev().max_by_key(|it| it.severity());
    let (what_en, what_zh) = match (worst, &incident.subject) {
        (Some(Condition::ClockFault), Subject::Gateway) => {
            ("The gateway's clock was set", "网关时钟被调整")
        }
        (worst, _) => worst.map_or(("", ""), what),
    };
    let (before_en, before_zh) = before(incident);
    let place = place(incident, registry);
    let how = how(incident, worst);
    let (mut en, mut zh) =
        (format!("{before_en}{what_en}{}", how.en), format!("{before_zh}{what_zh}{}", how.zh));
    // What was said long ago, or what the device's clock makes of it.
    if incident.class == Class::Fire && incident.late_s >= LATE_MARKED_S {
        let (age_en, age_zh) = span(Ms::from(incident.late_s) * 1_000);
        en = format!("{en} (device's time {age_en} old)");
        zh = format!("{zh}（设备时间为{age_zh}前）");
    }
    if !place.en.is_empty() {
        en = format!("{en} · {}", place.en);
        zh = format!("{zh} · {}", place.zh);
    }
    if incident.subject == Subject::Gateway && !incident.detail.is_empty() {
        let detail = shortened(&incident.detail);
        en = format!("{en} · {detail}");
        zh = format!("{zh} · {detail}");
    }
    let detectors = incident.active().map(|it| &it.subject).collect::<BTreeSet<_>>().len();
    if incident.class == Class::Fire && detectors > 1 {
        en = format!("{en} · {detectors} detectors");
        zh = format!("{zh} · {detectors}个探测器");
    }
    Text { en, zh }
}

/// How it is true, where that has to be said: since nobody knows when, for a reason, again and
/// again, by an old report.
fn how(incident: &Incident, worst: Option<Condition>) -> Text {
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    let of_worst = |member: &&Member| Some(member.condition) == worst;
    let reason = incident.active().filter(of_worst).find_map(|member| member.reason);
    if let Some((reason_en, reason_zh)) = reason.map(why) {
        en.push(reason_en.to_owned());
        zh.push(reason_zh.to_owned());
    }
    let flaps = incident.most_flaps().filter(|flaps| Some(flaps.condition) == worst);
    if let Some(flaps) = flaps {
        en.push(flaps.words());
        zh.push(flaps.words_zh());
    }
    let en = en.iter().map(|words| format!(", {words}")).collect();
    let zh = if zh.is_empty() { String::new() } else { format!("（{}）", zh.join("，")) };
    Text { en, zh }
}

/// A reason in words.
const fn why(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Never => ("never heard", "从未上线"),
        Reason::NoMeasurement => ("no measurement", "无测量数据"),
        Reason::SinceUnknown => ("since unknown", "起始时间不明"),
    }
}

/// What puts a title in its proper light.
fn before(incident: &Incident) -> (&'static str, &'static str) {
    match incident.quiet() {
        Some(Quiet::Test) => ("Test: ", "测试："),
        Some(Quiet::Exercise) => ("Exercise: ", "演练："),
        Some(Quiet::Maintenance) => ("Maintenance: ", "维护："),
        Some(Quiet::Dispatch(_)) => ("In use: ", "灭火用水："),
        None if incident.unverified => ("Not verified: ", "未核实："),
        None => ("", ""),
    }
}

/// A condition in words.
const fn what(condition: Condition) -> (&'static str, &'static str) {
    match condition {
        Condition::Smoke => ("Smoke", "烟雾报警"),
        Condition::Heat => ("Heat", "高温报警"),
        Condition::NoWater => ("No water", "无水"),
        Condition::LowPressure => ("Low pressure", "水压过低"),
        Condition::HighPressure => ("High pressure", "水压过高"),
        Condition::HydrantOpen => ("Hydrant open", "消火栓开启"),
        Condition::Knocked => ("Knocked over", "被撞倾斜"),
        Condition::Freezing => ("May freeze", "有冻结危险"),
        Condition::SensorFault => ("Sensor fault", "传感器故障"),
        Condition::BatteryLow => ("Battery low", "电量不足"),
        Condition::Contamination => ("Detector dirty", "探测器积尘"),
        Condition::Offline => ("Offline", "离线"),
        Condition::Tamper => ("Tampered with", "被拆动"),
        Condition::ClockFault => ("Clock wrong", "时钟错误"),
        Condition::ZoneLowPressure => ("Low pressure in many hydrants", "多处消火栓水压过低"),
        Condition::BlindArea => ("Many devices silent", "大量设备失联"),
        Condition::GatewayBlind => ("The gateway hears no device", "网关收不到任何设备"),
        Condition::UnreadableAlarm => ("Alarm that cannot be read", "收到无法识别的报警"),
        Condition::NotUnderstood => ("Messages not understood", "上报内容无法识别"),
        Condition::RegistryFault => ("The registry file cannot be read", "台账文件无法读取"),
        Condition::ReceiverDown => ("Receiver takes no pages", "接警端无法接收通知"),
    }
}

/// Where it is, in words.
fn place(incident: &Incident, registry: &Registry) -> Text {
    match &incident.subject {
        Subject::Device(ix) => {
            registry.device(*ix).map_or_else(|| both(String::new()), device_place)
        }
        Subject::Zone(zone) => Text { en: format!("zone {zone}"), zh: format!("{zone}分区") },
        Subject::Area(id) => {
            both(registry.station(id).map_or_else(|| id.to_string(), |it| it.name.to_string()))
        }
        Subject::Gateway => both(String::new()),
        Subject::Topic(topic) => both(shortened(topic)),
        Subject::Receiver(name) => both(shortened(name)),
    }
}

/// A detector's building and floor; else the device's name, its address or its id.
fn device_place(device: &Device) -> Text {
    if device.kind == Kind::Smoke && !device.building.is_empty() {
        let building = &device.building;
        let (floor_en, floor_zh) = floor(&device.floor);
        return Text { en: format!("{building}{floor_en}"), zh: format!("{building}{floor_zh}") };
    }
    let named = [&device.name, &device.address].into_iter().find(|it| !it.is_empty());
    both(named.unwrap_or(&device.id).to_string())
}

/// A floor as people say it, to stand behind its building: a bare number gets its word. The space
/// keeps the 2nd floor of `B1` from being read as the 12th of `B`.
fn floor(floor: &str) -> (String, String) {
    if floor.is_empty() {
        (String::new(), String::new())
    } else if floor.parse::<i32>().is_ok() {
        (format!(" {floor}F"), format!(" {floor}层"))
    } else {
        (format!(" {floor}"), format!(" {floor}"))
    }
}

/// As much of a text as a title has room for.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL_MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The same words in both languages.
fn both(words: String) -> Text {
    Text { en: words.clone(), zh: words }
}
