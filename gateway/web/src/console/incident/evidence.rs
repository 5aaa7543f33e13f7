//! What speaks for an incident, what is not known of it, and its hydrants as they are now.

use std::collections::HashMap;

use maud::{Markup, html};
use standpipe_rules::HOUR_MS;
use standpipe_rules::detect::{HydrantNow, Trust};
use standpipe_rules::incidents::{NearHydrant, WireIncident, way};
use standpipe_shared::{Class, Field, Kind};
use standpipe_store::views::evidence::{HydrantRow, IncidentEvidence, NEAR_M, of_incident};

use super::super::device::SPEAKS_FROM;
use super::super::devices::UNCLAIMED;
use super::super::text::{Say, say, words};
use super::super::view::{Oops, View, device_path};
use super::or_dash;

const FACTS: Say = say("What is known", "已知情况");
const DEVICE: Say = say("Device", "设备");
const BUILDING: Say = say("Building, floor", "建筑、楼层");
const ZONE: Say = say("Zone", "分区");
const TRUE_NOW: Say = say("True of it", "情况");
const LATE: Say = say("News came late by", "消息延迟");
const MEASURED: Say = say("Measured", "测量值");
const OTHERS: Say = say("Other detectors of the building in alarm", "同一建筑其他报警的探测器");
const RECORD: Say = say("This device's record", "该设备历史");
const FIRES: Say = say("closed alarms, of which false:", "次已关闭的报警，其中误报：");
const FIRST: Say = say("its first alarm", "首次报警");
const DISTRICT: Say = say("every district station", "各区级站点");
const NOT_KNOWN: Say = say("Not known", "未知情况");
const NO_PLACE: Say = say("where it is: the device has no coordinates", "位置：设备没有坐标");
const NO_FLOOR: Say = say("which building and floor", "所在建筑与楼层");
const SILENT: Say = say("how it is now: the device has not been heard for", "当前状况：设备已失联");
const ALONE: Say =
    say("whether it is real: no second detector says so", "是否属实：没有第二个探测器报警");
const DETECTORS: Say = say("{} detectors", "{} 个探测器报警");
const FLOORS: Say = say("floor", "楼层");
const REPEATED: Say = say("Episode", "第几次");

/// What was looked up, and what it says of the hydrants.
pub struct KnownFacts {
    /// As the store has it.
    pub found: IncidentEvidence,
    hydrants: HashMap<Box<str>, HydrantNow>,
    /// A fire's water, the nearest first.
    pub water: Vec<NearHydrant>,
}

impl KnownFacts {
    /// What a station is called; its id, where it has no row.
    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.found.names.get(id).map_or(id, String::as_str)
    }

    /// A hydrant as it is now; as it was told, where nothing newer is known.
    pub fn hydrant(&self, hydrant: &NearHydrant) -> HydrantNow {
        self.hydrants.get(&hydrant.id).copied().unwrap_or(HydrantNow {
            pressure_kpa: hydrant.pressure_kpa,
            measured_at: hydrant.measured_at,
            trust: hydrant.trust,
            reason: hydrant.trust_reason,
        })
    }
}

/// Reads what the page says beyond the incident itself.
pub async fn read(view: &View, incident: &WireIncident) -> Result<KnownFacts, Oops> {
    let (of, now) = (incident.clone(), view.now);
    let found = view.api.store.read(move |db| of_incident(db, &of, now)).await?;
    Ok(judged(view, incident, found))
}

/// What was read, with its hydrants judged as they are now.
pub fn judged(view: &View, incident: &WireIncident, found: IncidentEvidence) -> KnownFacts {
    let mut hydrants = HashMap::new();
    for row in &found.hydrants {
        let hydrant = match &row.memory {
            Some(memory) => {
                let profile = view.api.profiles.profile_of(&row.device);
                HydrantNow::of(&row.device, profile, memory, view.now)
            }
            None => HydrantNow::UNKNOWN,
        };
        let hydrant = if row.out_of_service { hydrant.out_of_service() } else { hydrant };
        hydrants.insert(row.device.id.clone(), hydrant);
    }
    let water = water(view, incident, &found);
    KnownFacts { found, hydrants, water }
}

/// A fire's water, the nearest first: every outdoor hydrant within [`NEAR_M`], trusted or not, and
/// those that the incident names however far they are. Programs keep the incident's own list.
fn water(view: &View, incident: &WireIncident, found: &IncidentEvidence) -> Vec<NearHydrant> {
    let mut all = incident.hydrants.clone();
    let fire = incident.device.as_ref().and_then(|device| Some((device.lat?, device.lon?)));
    for HydrantRow { device, .. } in &found.hydrants {
        let (Some(fire), Some(lat), Some(lon)) = (fire, device.lat, device.lon) else { continue };
        let (distance_m, bearing_deg) = way(fire, (lat, lon));
        let near = f64::from(distance_m) <= NEAR_M && view.api.profiles.profile_of(device).outdoor;
        if near && !all.iter().any(|known| known.id == device.id) {
            all.push(NearHydrant {
                id: device.id.clone(),
                name: device.name.clone(),
                distance_m,
                bearing_deg,
                pressure_kpa: None,
                measured_at: None,
                trust: Trust::Unconfirmed,
                trust_reason: None,
            });
        }
    }
    all.sort_by(|one, other| (one.distance_m, &one.id).cmp(&(other.distance_m, &other.id)));
    all
}

/// Floors and detectors in a line; empty where neither is known.
pub fn burns(view: &View, incident: &WireIncident) -> String {
    let mut parts = Vec::new();
    if !incident.floors.is_empty() {
        parts.push(format!("{} {}", view.say(FLOORS), incident.floors.join(", ")));
    }
    if incident.detectors > 1 {
        parts.push(view.say(DETECTORS).replace("{}", &incident.detectors.to_string()));
    }
    parts.join(" · ")
}

/// The facts as a list of terms and values.
pub fn facts(view: &View, incident: &WireIncident, known: &KnownFacts) -> Markup {
    let conditions: Vec<&str> = incident
        .conditions
        .iter()
        .map(|condition| view.say(words::condition(*condition)))
        .collect();
    html! {
        section aria-labelledby="facts" {
            h2 #facts { (view.say(FACTS)) }
            dl.facts {
                @if let Some(device) = &incident.device {
                    dt { (view.say(words::ADDRESS)) } dd { strong { (or_dash(&device.address)) } }
                    dt { (view.say(DEVICE)) }
                    dd { a href=(device_path(&device.id)) { (device.name) } " · " (device.id)
                        " · " (view.say(words::kind(device.kind))) }
                }
                @if let Some(device) = known.found.device.as_ref().filter(|device| !device.claimed) {
                    dt { (view.say(UNCLAIMED)) }
                    dd { strong { (view.say(SPEAKS_FROM)) " " (known.name(&device.area)) } }
                }
                @if let Some(device) = known.found.device.as_ref().filter(|device| !device.building.is_empty()) {
                    dt { (view.say(BUILDING)) } dd { (device.building) " " (device.floor) }
                }
                @if let Some(zone) = &incident.zone { dt { (view.say(ZONE)) } dd { (zone) } }
                dt { (view.say(words::STATION)) } dd { (station(view, incident, known)) }
                dt { (view.say(TRUE_NOW)) } dd {
                    (conditions.join(" · "))
                    @if let Some(why) = incident.reason.as_deref().and_then(words::reason) {
                        " " span.age { (view.say(why)) }
                    }
                }
                @if let Some(value) = value(view, incident, known) { dt { (view.say(MEASURED)) } dd { (value) } }
                @if incident.late_s > 0 {
                    dt { (view.say(LATE)) } dd { (view.lang.long(i64::from(incident.late_s) * 1_000)) }
                }
                @if incident.episode > 1 { dt { (view.say(REPEATED)) } dd { (incident.episode) } }
                @if incident.class == Class::Fire { (corroboration(view, known)) }
            }
            (unknown(view, incident, known))
        }
    }
}

/// What the station is called; of an incident that is no station's, whose it is.
fn station<'a>(view: &View, incident: &'a WireIncident, known: &'a KnownFacts) -> &'a str {
    if incident.station.is_empty() { view.say(DISTRICT) } else { known.name(&incident.station) }
}

fn corroboration(view: &View, known: &KnownFacts) -> Markup {
    let (closed, false_ones) = (known.found.closed_fires, known.found.false_alarms);
    html! {
        dt { (view.say(OTHERS)) }
        dd {
            @if known.found.others.is_empty() { (view.say(words::NONE)) }
            @for (name, floor) in &known.found.others { span.tag { (name) " " (floor) } " " }
        }
        dt { (view.say(RECORD)) }
        dd {
            @if closed == 0 { (view.say(FIRST)) }
            @else { (closed) " " (view.say(FIRES)) " " strong { (false_ones) } }
        }
    }
}

fn unknown(view: &View, incident: &WireIncident, known: &KnownFacts) -> Markup {
    let mut list: Vec<String> = Vec::new();
    let fire = incident.class == Class::Fire;
    if incident.device.as_ref().is_some_and(|device| device.lat.is_none() || device.lon.is_none()) {
        list.push(view.say(NO_PLACE).to_owned());
    }
    let detector = known.found.device.as_ref().filter(|device| device.kind == Kind::Smoke);
    if detector.is_some_and(|device| device.building.is_empty() || device.floor.is_empty()) {
        list.push(view.say(NO_FLOOR).to_owned());
    }
    if fire && known.found.others.is_empty() {
        list.push(view.say(ALONE).to_owned());
    }
    let silent = known.found.heard_at.map(|at| view.now - at).filter(|ms| *ms > HOUR_MS);
    list.extend(silent.map(|ms| format!("{} {}", view.say(SILENT), view.lang.long(ms))));
    html! {
        @if !list.is_empty() && incident.closed_at.is_none() {
            h3 { (view.say(NOT_KNOWN)) }
            ul.unknown { @for line in list { li { (line) } } }
        }
    }
}

/// The measurements that matter with their units; of an incident that is open as they are now,
/// each with its age.
fn value(view: &View, incident: &WireIncident, known: &KnownFacts) -> Option<String> {
    let now = known.found.memory.as_ref().filter(|_| incident.closed_at.is_none());
    let shown = |field: Field| {
        let (then, unit) = (incident.value.get(field)?, unit(field)?);
        let value = now.and_then(|memory| memory.latest.get(field)).unwrap_or(then);
        let number = format!("{} {unit}", (f64::from(value) * 100.0).round() / 100.0);
        Some(match now.and_then(|memory| memory.fresh().measured(field)) {
            Some(at) => format!("{number} ({})", view.lang.ago(view.now - at)),
            None => number,
        })
    };
    let all: Vec<String> = Field::ALL.into_iter().filter_map(shown).collect();
    (!all.is_empty()).then(|| all.join(" · "))
}

const fn unit(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::PressureKpa => "kPa",
        Field::SmokeDbM => "dB/m",
        Field::TempC => "°C",
        Field::DirtPct => "%",
        Field::TiltDeg => "°",
        Field::BatteryMv => "mV",
        Field::PressureMinKpa
        | Field::PressureMaxKpa
        | Field::LoopMa
        | Field::Flowing
        | Field::CapOpen
        | Field::RssiDbm => return None,
    })
}
