//! An incident in a few lines, for people who read it on a telephone: in both languages, with its
//! address, its water and a link.
//!
//! Read leniently: whatever a message lacks is left out, and the alert still goes out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use standpipe_rules::Ms;
use standpipe_rules::detect::Trust;
use standpipe_rules::incidents::{IncidentId, NearHydrant, Text, WireDevice};
use standpipe_shared::{Class, Condition, Severity};

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

/// An incident as far as a message needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Incident {
    /// The same in all messages about it.
    pub id: IncidentId,
    /// Counts what can be seen of it.
    #[serde(default)]
    pub rev: u32,
    /// The station responsible.
    #[serde(default)]
    pub station: Box<str>,
    /// What kind of work it is.
    pub class: Class,
    /// The worst that is true of it.
    pub severity: Severity,
    /// Where it stands.
    #[serde(default)]
    pub state: Box<str>,
    /// Which time it was opened.
    #[serde(default)]
    pub episode: u32,
    /// What is true of it.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The device it is about; one that is not whole is none.
    #[serde(default, deserialize_with = "whole_or_none")]
    pub device: Option<WireDevice>,
    /// Where several detectors agree, or all are silent; `None`: it is about one device.
    #[serde(default)]
    pub zone: Option<Box<str>>,
    /// What and where, in a line.
    pub title: Text,
    /// When it was raised.
    #[serde(default)]
    pub opened_at: Ms,
    /// Since when it is true.
    #[serde(default)]
    pub since: Ms,
    /// When it last changed.
    #[serde(default)]
    pub updated_at: Ms,
    /// How late the news came, s.
    #[serde(default)]
    pub late_s: u32,
    /// Somebody exercises.
    #[serde(default)]
    pub exercise: bool,
    /// A fire's hydrants.
    #[serde(default)]
    pub hydrants: Vec<NearHydrant>,
    /// Said when too few can be trusted.
    #[serde(default)]
    pub hydrants_note: Option<Text>,
    /// How it ended.
    #[serde(default)]
    pub outcome: Option<Box<str>>,
    /// Where something was said that cannot be read, escaped.
    #[serde(default)]
    pub topic: Option<Box<str>>,
    /// What that was, escaped.
    #[serde(default)]
    pub payload: Option<Box<str>>,
}

fn whole_or_none<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<WireDevice>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}

/// What it is called in English and Chinese.
const fn severity(it: Severity) -> (&'static str, &'static str) {
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

impl Incident {
    /// What is said of it.
    #[must_use]
    pub fn words(&self, desk: &Desk) -> Words {
        Words {
            headline: self.headline(desk.language),
            lines: self.lines(desk),
            link: self.link(desk),
            everybody: self.severity == Severity::Fire && !self.exercise,
        }
    }

    /// The first line in one language.
    #[must_use]
    pub fn headline(&self, language: Language) -> String {
        let (en, zh) = severity(self.severity);
        match language {
            Language::Chinese => format!("【{zh}】{}", self.title.zh),
            Language::English => format!("{en}: {}", self.title.en),
        }
    }

    /// Where one reads all of it.
    #[must_use]
    pub fn link(&self, desk: &Desk) -> String {
        format!("{}/incidents/{}", desk.url, self.id)
    }

    /// What was said that cannot be read, and where, as far as there is room for it.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        let payload = self.payload.as_deref()?;
        let cut: String = payload.chars().take(SAID_MOST).collect();
        let more = if cut.len() < payload.len() { "…" } else { "" };
        let topic: String = self.topic.as_deref().unwrap_or("?").chars().take(SAID_MOST).collect();
        Some(format!("{cut}{more} ({topic})"))
    }

    /// The whole message.
    #[must_use]
    pub fn lines(&self, desk: &Desk) -> Vec<String> {
        let mut lines = vec![self.headline(Language::Chinese), self.headline(Language::English)];
        let address = self.device.as_ref().map(|it| &*it.address).filter(|it| !it.is_empty());
        lines.extend(address.map(|it| format!("地址 address: {it}")));
        lines.push(format!("时间 since: {}", desk.moment(self.since)));
        if self.late_s > 0 {
            lines.push(format!("迟到 late: {} s", self.late_s));
        }
        if let Some(said) = self.said() {
            lines.push(format!("内容 said: {said}"));
        }
        if self.class == Class::Fire {
            let trusted = self.hydrants.iter().filter(|it| it.trust == Trust::Ok).take(HYDRANTS);
            lines.extend(trusted.map(|it| format!("水源 water: {}", water(it))));
            if let Some(note) = &self.hydrants_note {
                lines.push(format!("{} {}", note.zh, note.en));
            }
        }
        lines.push(self.link(desk));
        lines
    }
}

/// A hydrant in a few words.
#[must_use]
pub fn water(it: &NearHydrant) -> String {
    let pressure = it.pressure_kpa.map(|kpa| format!(", {kpa:.0} kPa")).unwrap_or_default();
    let name = if it.name.is_empty() { &it.id } else { &it.name };
    format!("{name}, {} m, {}°{pressure}", it.distance_m, it.bearing_deg)
}
