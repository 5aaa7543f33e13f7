//! An incident as a CAP 1.2 alert (OASIS, ITU-T X.1303): for other alarm centres' programs.
//!
//! Its scope is `Restricted`: it is for those who act, not for the public. Both languages are in
//! one alert, an `info` each. What is `Alert`, `Update` or `Cancel` follows from what the receiver
//! got before.

use std::fmt::Write as _;

use jiff::Timestamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{NearHydrant, Outcome, State, WireIncident};
use standpipe_shared::{Class, Condition, Severity};

use crate::language::{Lang, Language};
use crate::message::{Desk, headline, link, said, water};

/// Its type.
pub const TYPE: &str = "application/cap+xml";
/// A device is somewhere within this of its place, km.
const RADIUS_KM: f64 = 0.1;

/// One message about an incident.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its own id.
    pub id: &'a str,
    /// When it was owed.
    pub sent: Ms,
    /// What the receiver got about the incident before.
    pub earlier: &'a [Earlier],
}

/// A message that was sent before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Its id.
    pub id: String,
    /// When it was owed.
    pub sent: Ms,
}

/// The whole document.
#[must_use]
pub fn document(it: &WireIncident, message: &Message, desk: &Desk) -> String {
    let sender = sender(desk);
    let closed = it.state == State::Closed;
    let kind = match (message.earlier.is_empty(), closed) {
        (true, _) => "Alert",
        (false, true) => "Cancel",
        (false, false) => "Update",
    };
    let status = match it.outcome {
        Some(Outcome::Test) => "Test",
        _ if it.exercise => "Exercise",
        _ => "Actual",
    };
    let mut out = Xml(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    out.open("alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\"");
    out.text("identifier", message.id);
    out.text("sender", &sender);
    out.text("sent", &time(message.sent, desk));
    out.text("status", status);
    out.text("msgType", kind);
    out.text("scope", "Restricted");
    out.text("restriction", "Fire and rescue services");
    let earlier: Vec<String> = message
        .earlier
        .iter()
        .map(|it| format!("{sender},{},{}", it.id, time(it.sent, desk)))
        .collect();
    if !earlier.is_empty() {
        out.text("references", &earlier.join(" "));
    }
    out.text("incidents", &it.id.to_string());
    for language in [Language::Chinese, Language::English] {
        info(&mut out, it, language, desk);
    }
    out.close("alert");
    out.0
}

fn info(out: &mut Xml, it: &WireIncident, language: Language, desk: &Desk) {
    let words = |en: &'static str, zh: &'static str| match language {
        Language::Chinese => zh,
        Language::English => en,
    };
    let closed = it.state == State::Closed;
    out.open("info");
    out.text("language", words("en", "zh-CN"));
    out.text("category", if it.class == Class::Fire { "Fire" } else { "Infra" });
    out.text("event", Lang::usual(language).text(&it.what()));
    out.text("responseType", response(it, closed));
    let (urgency, severity) = weight(it.severity);
    out.text("urgency", if closed { "Past" } else { urgency });
    out.text("severity", severity);
    out.text("certainty", "Observed");
    out.text("onset", &time(it.since, desk));
    out.text("senderName", words("Standpipe", "消火栓监测 Standpipe"));
    out.text("headline", &headline(it, language));
    out.text("description", &description(it, language));
    out.text("instruction", instruction(it, closed, language));
    out.text("web", &link(it, desk));
    out.parameter("state", it.state.as_str());
    out.parameter("episode", &it.episode.to_string());
    for (n, hydrant) in it.hydrants.iter().enumerate() {
        out.parameter(&format!("hydrant-{}", n + 1), &near(hydrant));
    }
    area(out, it);
    out.close("info");
}

const fn response(it: &WireIncident, closed: bool) -> &'static str {
    match it.class {
        _ if closed => "AllClear",
        Class::Fire => "Execute",
        Class::Water | Class::Upkeep | Class::Blind => "Assess",
    }
}

/// How soon, and how bad. A detector is one room: nothing here is `Extreme`.
const fn weight(it: Severity) -> (&'static str, &'static str) {
    match it {
        Severity::Fire => ("Immediate", "Severe"),
        Severity::Critical => ("Immediate", "Moderate"),
        Severity::Warning => ("Expected", "Minor"),
        Severity::Notice => ("Future", "Minor"),
    }
}

fn description(it: &WireIncident, language: Language) -> String {
    let (title, note) = match language {
        Language::Chinese => (&it.title.zh, it.hydrants_note.as_ref().map(|it| &it.zh)),
        Language::English => (&it.title.en, it.hydrants_note.as_ref().map(|it| &it.en)),
    };
    let address = it.device.as_ref().map(|it| &*it.address).filter(|it| !it.is_empty());
    let said = said(it);
    let parts = [Some(title.as_str()), address, said.as_deref(), note.map(String::as_str)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn instruction(it: &WireIncident, closed: bool, language: Language) -> &'static str {
    let (en, zh) = match it.class {
        _ if closed => ("It is over: nothing to do.", "警情已结束，无需处置。"),
        _ if it.exercise => ("Exercise: no real emergency.", "演练：并非真实警情。"),
        Class::Fire => (
            "Acknowledge, send a crew, and use the hydrants named here.",
            "请立即接警并出动，使用所列消火栓取水。",
        ),
        Class::Water => {
            ("Do not count on this water; have it looked at.", "请勿依赖该水源，并派人检查。")
        }
        Class::Upkeep => ("Have the device looked at.", "请派人检查设备。"),
        Class::Blind if it.conditions.contains(&Condition::UnreadableAlarm) => (
            "It may be a fire: find out what the device reports.",
            "可能是火警，请立即核实该设备上报的内容。",
        ),
        Class::Blind => (
            "Alarms from there may not come: watch it by other means.",
            "该区域报警可能无法送达，请用其他方式值守。",
        ),
    };
    match language {
        Language::Chinese => zh,
        Language::English => en,
    }
}

fn near(it: &NearHydrant) -> String {
    let trust = serde_json::to_value(it.trust).unwrap_or_default();
    format!("{}, {}", water(it), trust.as_str().unwrap_or_default())
}

fn area(out: &mut Xml, it: &WireIncident) {
    let device = it.device.as_ref();
    let named = device.map(|it| if it.address.is_empty() { &*it.name } else { &*it.address });
    let named = named.or(it.zone.as_deref()).filter(|it| !it.is_empty());
    out.open("area");
    out.text("areaDesc", named.unwrap_or(if it.station.is_empty() { "—" } else { &it.station }));
    if let Some((lat, lon)) = device.and_then(|it| Some((it.lat?, it.lon?))) {
        out.text("circle", &format!("{lat},{lon} {RADIUS_KM}"));
    }
    let codes = [
        ("standpipe:station", Some(&*it.station).filter(|it| !it.is_empty())),
        ("standpipe:device", device.map(|it| &*it.id)),
        ("standpipe:zone", it.zone.as_deref()),
    ];
    for (name, value) in codes.into_iter().filter_map(|(name, it)| Some((name, it?))) {
        out.named("geocode", name, value);
    }
    out.close("area");
}

/// Who sends it: no spaces, no commas, none of XML's own characters.
fn sender(desk: &Desk) -> String {
    let url = url::Url::parse(&desk.url).ok();
    let host = url.as_ref().and_then(|it| it.host_str()).unwrap_or("localhost");
    format!("standpipe@{host}")
}

/// As CAP wants it: with seconds and an offset, never `Z`.
fn time(at: Ms, desk: &Desk) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(desk.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A text between tags or quotes; what XML 1.0 can't hold is left out.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, it| {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(it),
            '\u{FFFE}' | '\u{FFFF}' => {}
            it if it.is_control() => {}
            it => out.push(it),
        }
        out
    })
}

/// A document being written.
struct Xml(String);

impl Xml {
    fn open(&mut self, tag: &str) {
        let _ = writeln!(self.0, "<{tag}>"); // writing to a String does not fail
    }

    fn close(&mut self, tag: &str) {
        let _ = writeln!(self.0, "</{tag}>");
    }

    fn text(&mut self, tag: &str, text: &str) {
        let _ = writeln!(self.0, "<{tag}>{}</{tag}>", escaped(text));
    }

    fn named(&mut self, tag: &str, name: &str, value: &str) {
        self.open(tag);
        self.text("valueName", name);
        self.text("value", value);
        self.close(tag);
    }

    fn parameter(&mut self, name: &str, value: &str) {
        self.named("parameter", name, value);
    }
}
