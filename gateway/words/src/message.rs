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

/// Characters of what cannot be read that a message has room for.
const SAID_MOST: usize = 200;

/// What every message is written with.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The town's time zone.
    pub zone: TimeZone,
    /// How people reach the console.
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

/// What it is called in English and Chinese.
const fn in_capitals(it: Severity) -> (&'static str, &'static str) {
    match it {
        Severity::Fire => ("FIRE", "火警"),
        Severity::Critical => ("CRITICAL", "严重"),
        Severity::Warning => ("WARNING", "警告"),
        Severity::Notice => ("NOTICE", "提示"),
    }
}

/// A message as every chat, letter and text message says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line of it, in one language.
    pub headline: String,
    /// All of it.
    pub lines: Vec<String>,
    /// Where one reads more.
    pub link: String,
    /// Whether it is to call everybody in a group.
    pub everybody: bool,
}

/// What is said of it.
#[must_use]
pub fn words(it: &WireIncident, desk: &Desk) -> Words {
    Words {
        headline: headline(it, desk.language),
        lines: lines(it, desk),
        link: link(it, desk),
        everybody: it.severity == Severity::Fire && !it.exercise,
    }
}

/// The first line in one language.
#[must_use]
pub fn headline(it: &WireIncident, language: Language) -> String {
    let (en, zh) = in_capitals(it.severity);
    match language {
        Language::Chinese => format!("【{zh}】{}", it.title.zh),
        Language::English => format!("{en}: {}", it.title.en),
    }
}

/// Where one reads all of it.
#[must_use]
pub fn link(it: &WireIncident, desk: &Desk) -> String {
    format!("{}/incidents/{}", desk.url, it.id)
}

/// What was said that cannot be read, and where, as far as there is room for it.
#[must_use]
pub fn said(it: &WireIncident) -> Option<String> {
    let payload = it.payload.as_deref()?;
    let cut: String = payload.chars().take(SAID_MOST).collect();
    let more = if cut.len() < payload.len() { "…" } else { "" };
    let topic: String = it.topic.as_deref().unwrap_or("?").chars().take(SAID_MOST).collect();
    Some(format!("{cut}{more} ({topic})"))
}

/// The whole message.
#[must_use]
pub fn lines(it: &WireIncident, desk: &Desk) -> Vec<String> {
    let mut lines = vec![headline(it, Language::Chinese), headline(it, Language::English)];
    let address = it.device.as_ref().map(|device| &*device.address).filter(|text| !text.is_empty());
    lines.extend(address.map(|text| format!("地址 address: {text}")));
    lines.push(format!("时间 since: {}", desk.moment(it.since)));
    if it.late_s > 0 {
        lines.push(format!("迟到 late: {} s", it.late_s));
    }
    if let Some(said) = said(it) {
        lines.push(format!("内容 said: {said}"));
    }
    if it.class == Class::Fire {
        let trusted = it.hydrants.iter().filter(|near| near.trust == Trust::Ok).take(HYDRANTS);
        lines.extend(trusted.map(|near| format!("水源 water: {}", water(near))));
        if let Some(note) = &it.hydrants_note {
            lines.push(format!("{} {}", note.zh, note.en));
        }
    }
    lines.push(link(it, desk));
    lines
}
/// A hydrant in a few words.
#[must_use]
pub fn water(it: &NearHydrant) -> String {
    let pressure = it.pressure_kpa.map(|kpa| format!(", {kpa:.0} kPa")).unwrap_or_default();
    let name = if it.name.is_empty() { &it.id } else { &it.name };
    format!("{name}, {} m, {}°{pressure}", it.distance_m, it.bearing_deg)
}
