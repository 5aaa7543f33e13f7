//! An incident in a few lines, for people who read it on a telephone: in both languages, with its
//! address, its water and a link.
//!
//! Whatever an incident lacks is left out ([`WireIncident::read`]), and the alert still goes out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use standpipe_rules::Ms;
use standpipe_rules::detect::Trust;
use standpipe_rules::incidents::{NearHydrant, WireIncident};
use standpipe_shared::{Class, Severity};

use crate::language::Language;

/// Hydrants named in a message: more do not fit.
const HYDRANTS: usize = 3;

/// Characters of an unreadable payload that a message has room for.
const SAID_MOST: usize = 200;

/// The gateway works in memory.
const NOT_STORED: &str = "未存盘 not stored: 网关磁盘无法写入 the gateway's disk takes nothing";

/// What every message is written with, whatever its receiver.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The town's time zone.
    pub zone: TimeZone,
    /// Address of the console, without a slash at its end.
    pub url: Box<str>,
    /// Of a message that is in one language only.
    pub language: Language,
}

impl Desk {
    /// A moment in the town's time.
    #[must_use]
    pub fn moment(&self, at: Ms) -> String {
        let at = Timestamp::from_millisecond(at).unwrap_or_default();
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// A severity as the first word of a headline: English, Chinese.
pub(crate) const fn in_capitals(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Fire => ("FIRE", "火警"),
        Severity::Critical => ("CRITICAL", "严重"),
        Severity::Warning => ("WARNING", "警告"),
        Severity::Notice => ("NOTICE", "提示"),
    }
}

/// A message as every chat, letter and text message says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageText {
    /// One line of it, in one language.
    pub headline: String,
    /// All of it.
    pub lines: Vec<String>,
    /// The page of the console about it.
    pub link: String,
    /// Whether it is to call everybody in a group.
    pub everybody: bool,
}

/// An incident as chats, letters and text messages say it.
#[must_use]
pub fn words(incident: &WireIncident, desk: &Desk) -> MessageText {
    MessageText {
        headline: headline(incident, desk.language),
        lines: lines(incident, desk),
        link: link(incident, desk),
        everybody: incident.severity == Severity::Fire && !incident.exercise,
    }
}

/// The first line in one language.
#[must_use]
pub fn headline(incident: &WireIncident, language: Language) -> String {
    let (en, zh) = in_capitals(incident.severity);
    match language {
        Language::Chinese => format!("【{zh}】{}", incident.title.zh),
        Language::English => format!("{en}: {}", incident.title.en),
    }
}

/// The page of the console with the whole incident.
#[must_use]
pub fn link(incident: &WireIncident, desk: &Desk) -> String {
    format!("{}/incidents/{}", desk.url, incident.id)
}

/// The payload that could not be read, and its topic, as far as there is room for them.
#[must_use]
pub fn said(incident: &WireIncident) -> Option<String> {
    let payload = incident.payload.as_deref()?;
    let cut: String = payload.chars().take(SAID_MOST).collect();
    let more = if cut.len() < payload.len() { "…" } else { "" };
    let topic: String = incident.topic.as_deref().unwrap_or("?").chars().take(SAID_MOST).collect();
    Some(format!("{cut}{more} ({topic})"))
}

/// All lines, those for both languages in one.
#[must_use]
pub fn lines(incident: &WireIncident, desk: &Desk) -> Vec<String> {
    let mut lines =
        vec![headline(incident, Language::Chinese), headline(incident, Language::English)];
    let address =
        incident.device.as_ref().map(|device| &*device.address).filter(|text| !text.is_empty());
    lines.extend(address.map(|text| format!("地址 address: {text}")));
    lines.push(format!("时间 since: {}", desk.moment(incident.since)));
    if incident.late_s > 0 {
        lines.push(format!("迟到 late: {} s", incident.late_s));
    }
    if incident.stored == Some(false) {
        lines.push(NOT_STORED.to_owned());
    }
    if let Some(said) = said(incident) {
        lines.push(format!("内容 said: {said}"));
    }
    if incident.class == Class::Fire {
        let trusted =
            incident.hydrants.iter().filter(|near| near.trust == Trust::Ok).take(HYDRANTS);
        lines.extend(trusted.map(|near| format!("水源 water: {}", water(near))));
        if let Some(note) = &incident.hydrants_note {
            lines.push(format!("{} {}", note.zh, note.en));
        }
    }
    lines.push(link(incident, desk));
    lines
}

/// A hydrant as a crew looks for it: name, distance, direction, pressure.
#[must_use]
pub fn water(hydrant: &NearHydrant) -> String {
    let pressure = hydrant.pressure_kpa.map(|kpa| format!(", {kpa:.0} kPa")).unwrap_or_default();
    let name = if hydrant.name.is_empty() { &hydrant.id } else { &hydrant.name };
    format!("{name}, {} m, {}°{pressure}", hydrant.distance_m, hydrant.bearing_deg)
}
