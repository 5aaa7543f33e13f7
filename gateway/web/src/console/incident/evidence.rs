//! What speaks for an incident, what is not known of it, and its hydrants as they are now.

use std::collections::{BTreeSet, HashMap};

use maud::{Markup, html};
use rusqlite::{Connection, OptionalExtension};
use standpipe_rules::Ms;
use standpipe_rules::detect::{HydrantNow, Memory};
use standpipe_rules::incidents::{NearHydrant, WireIncident};
use standpipe_rules::registry::{Device, DeviceIx, Registry};
use standpipe_shared::{Class, Condition, Field, Kind};
use standpipe_store::readers::ReadError;

use super::super::device::SPEAKS_FROM;
use super::super::devices::UNCLAIMED;
use super::super::text::{Say, say, words};
use super::super::view::{Oops, View, device_path};
use super::or_dash;
use super::trail::Names;
use crate::api::maintenance::out_of_service;

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
const REPEATED: Say = say("Episode", "第几次");

/// What was looked up.
#[derive(Debug, Default)]
pub struct Known {
    device: Option<Device>,
    heard_at: Option<Ms>,
    /// What is remembered of it.
    memory: Option<Memory>,
    /// What stations are called.
    pub names: Names,
    /// Other detectors of the building that are in alarm: name and floor.
    others: Vec<(String, String)>,
    /// Closed fire incidents of the device, and how many of them were false alarms.
    record: (u32, u32),
    hydrants: HashMap<Box<str>, HydrantNow>,
}

impl Known {
    /// What a station is called; its id, where it has no row.
    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    /// A hydrant as it is now; as it was told, where nothing newer is known.
    pub fn hydrant(&self, it: &NearHydrant) -> HydrantNow {
        self.hydrants.get(&it.id).copied().unwrap_or(HydrantNow {
            pressure_kpa: it.pressure_kpa,
            measured_at: it.measured_at,
            trust: it.trust,
            reason: it.trust_reason,
        })
    }
}

/// Looks it up.
pub async fn read(view: &View, it: &WireIncident) -> Result<Known, Oops> {
    let (it, api, now) = (it.clone(), std::sync::Arc::clone(&view.api), view.now);
    Ok(view.api.store.read(move |db| find(db, &it, &api.profiles, now)).await?)
}

fn find(
    db: &Connection,
    it: &WireIncident,
    profiles: &Registry,
    now: Ms,
) -> Result<Known, ReadError> {
    let mut known = Known::default();
    let mut names = db.prepare_cached("SELECT id, json_extract(json, '$.name') FROM station")?;
    let rows = names.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    known.names = rows.collect::<Result<_, _>>()?;
    if let Some(device) = &it.device {
        let sql =
            "SELECT d.json, m.heard_at, m.body FROM device d LEFT JOIN memory m ON m.ix = d.ix
                   WHERE d.id = ?1";
        let row = db.prepare_cached(sql)?.query_row([&device.id], |row| {
            let body: Option<Vec<u8>> = row.get(2)?;
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<Ms>>(1)?, body))
        });
        if let Some((json, heard_at, body)) = row.optional()? {
            known.device = Some(serde_json::from_str(&json)?);
            known.heard_at = heard_at;
            known.memory = body.and_then(|body| Memory::from_body(&body).ok());
        }
        let sql =
            "SELECT count(*), coalesce(sum(json_extract(wire, '$.outcome') = 'false_alarm'), 0)
                   FROM incident WHERE open = 0 AND class = 'fire'
                   AND json_extract(wire, '$.device.id') = ?1";
        let mut record = db.prepare_cached(sql)?;
        known.record = record.query_row([&device.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    if let Some(device) = known.device.as_ref().filter(|it| !it.building.is_empty()) {
        let sql = "SELECT d.name, json_extract(d.json, '$.floor') FROM device d
                   JOIN memory m ON m.ix = d.ix
                   WHERE d.station = ?1 AND json_extract(d.json, '$.building') = ?2 AND d.id <> ?3
                   AND m.conditions & ?4 <> 0 ORDER BY d.id LIMIT 50";
        let alarm = Condition::Smoke.bit() | Condition::Heat.bit();
        let mut statement = db.prepare_cached(sql)?;
        let row = (&device.station, &device.building, &device.id, alarm);
        let rows = statement.query_map(row, |row| Ok((row.get(0)?, row.get(1)?)))?;
        known.others = rows.collect::<Result<_, _>>()?;
    }
    let out = if it.hydrants.is_empty() { BTreeSet::new() } else { out_of_service(db, now)? };
    for hydrant in &it.hydrants {
        if let Some(state) = hydrant_now(db, (&hydrant.id, &out), profiles, now)? {
            known.hydrants.insert(hydrant.id.clone(), state);
        }
    }
    Ok(known)
}

/// A hydrant as its memory has it.
fn hydrant_now(
    db: &Connection,
    (id, out): (&str, &BTreeSet<DeviceIx>),
    profiles: &Registry,
    now: Ms,
) -> Result<Option<HydrantNow>, ReadError> {
    let sql =
        "SELECT d.ix, d.json, m.body FROM device d JOIN memory m ON m.ix = d.ix WHERE d.id = ?1";
    let row = db.prepare_cached(sql)?.query_row([id], |row| {
        Ok((DeviceIx(row.get(0)?), row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
    });
    let Some((ix, json, body)) = row.optional()? else { return Ok(None) };
    let device: Device = serde_json::from_str(&json)?;
    let Ok(memory) = Memory::from_body(&body) else { return Ok(None) };
    let mut it = HydrantNow::of(&device, profiles.profile_of(&device), &memory, now);
    if out.contains(&ix) {
        it = it.out_of_service();
    }
    Ok(Some(it))
}

/// The list of them.
pub fn facts(view: &View, it: &WireIncident, known: &Known) -> Markup {
    let conditions: Vec<&str> =
        it.conditions.iter().map(|it| view.say(words::condition(*it))).collect();
    html! {
        section aria-labelledby="facts" {
            h2 #facts { (view.say(FACTS)) }
            dl.facts {
                @if let Some(device) = &it.device {
                    dt { (view.say(words::ADDRESS)) } dd { strong { (or_dash(&device.address)) } }
                    dt { (view.say(DEVICE)) }
                    dd { a href=(device_path(&device.id)) { (device.name) } " · " (device.id)
                        " · " (view.say(words::kind(device.kind))) }
                }
                @if let Some(device) = known.device.as_ref().filter(|it| !it.claimed) {
                    dt { (view.say(UNCLAIMED)) }
                    dd { strong { (view.say(SPEAKS_FROM)) " " (known.name(&device.area)) } }
                }
                @if let Some(device) = known.device.as_ref().filter(|it| !it.building.is_empty()) {
                    dt { (view.say(BUILDING)) } dd { (device.building) " " (device.floor) }
                }
                @if let Some(zone) = &it.zone { dt { (view.say(ZONE)) } dd { (zone) } }
                dt { (view.say(words::STATION)) } dd { (station(view, it, known)) }
                dt { (view.say(TRUE_NOW)) } dd {
                    (conditions.join(" · "))
                    @if let Some(why) = it.reason.as_deref().and_then(words::reason) {
                        " " span.age { (view.say(why)) }
                    }
                }
                @if let Some(value) = value(view, it, known) { dt { (view.say(MEASURED)) } dd { (value) } }
                @if it.late_s > 0 {
                    dt { (view.say(LATE)) } dd { (view.lang.long(i64::from(it.late_s) * 1_000)) }
                }
                @if it.episode > 1 { dt { (view.say(REPEATED)) } dd { (it.episode) } }
                @if it.class == Class::Fire { (corroboration(view, known)) }
            }
            (unknown(view, it, known))
        }
    }
}

/// What the station is called; of an incident that is no station's, whose it is.
fn station<'a>(view: &View, it: &'a WireIncident, known: &'a Known) -> &'a str {
    if it.station.is_empty() { view.say(DISTRICT) } else { known.name(&it.station) }
}

fn corroboration(view: &View, known: &Known) -> Markup {
    let (closed, false_ones) = known.record;
    html! {
        dt { (view.say(OTHERS)) }
        dd {
            @if known.others.is_empty() { (view.say(words::NONE)) }
            @for (name, floor) in &known.others { span.tag { (name) " " (floor) } " " }
        }
        dt { (view.say(RECORD)) }
        dd {
            @if closed == 0 { (view.say(FIRST)) }
            @else { (closed) " " (view.say(FIRES)) " " strong { (false_ones) } }
        }
    }
}

fn unknown(view: &View, it: &WireIncident, known: &Known) -> Markup {
    let mut list: Vec<String> = Vec::new();
    let fire = it.class == Class::Fire;
    if it.device.as_ref().is_some_and(|it| it.lat.is_none() || it.lon.is_none()) {
        list.push(view.say(NO_PLACE).to_owned());
    }
    let detector = known.device.as_ref().filter(|it| it.kind == Kind::Smoke);
    if detector.is_some_and(|it| it.building.is_empty() || it.floor.is_empty()) {
        list.push(view.say(NO_FLOOR).to_owned());
    }
    if fire && known.others.is_empty() {
        list.push(view.say(ALONE).to_owned());
    }
    let silent = known.heard_at.map(|at| view.now - at).filter(|ms| *ms > 3_600_000);
    list.extend(silent.map(|ms| format!("{} {}", view.say(SILENT), view.lang.long(ms))));
    html! {
        @if !list.is_empty() && it.closed_at.is_none() {
            h3 { (view.say(NOT_KNOWN)) }
            ul.unknown { @for line in list { li { (line) } } }
        }
    }
}

/// The measurements that matter with their units; of an incident that is open as they are now,
/// each with its age.
fn value(view: &View, it: &WireIncident, known: &Known) -> Option<String> {
    let now = known.memory.as_ref().filter(|_| it.closed_at.is_none());
    let shown = |field: Field| {
        let (then, unit) = (it.value.get(field)?, unit(field)?);
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
