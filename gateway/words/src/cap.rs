//! An incident as a CAP 1.2 alert (OASIS, ITU-T X.1303): for other alarm centres' programs.
//!
//! Its scope is `Restricted`: it is for those who act, not for the public. Both languages are in
//! one alert, an `info` each. What is `Alert`, `Update` or `Cancel` follows from what the receiver
//! got before.

use std::fmt::Write as _;

use jiff::Timestamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{NearHydrant, Outcome, State, WireBundle, WireIncident};
use standpipe_shared::{Class, Condition, Severity};

use crate::bundle;
use crate::language::{Lang, Language};
use crate::message::{Desk, headline, link, said, water};

/// Content type, of what is served and of what is sent.
pub const TYPE: &str = "application/cap+xml";
/// A device is somewhere within this of its place, km.
const RADIUS_KM: f64 = 0.1;

/// What one alert is about its incident, beside the incident itself.
#[derive(Clone, Copy, Debug)]
pub struct CapMessage<'a> {
    /// Of this alert alone: `identifier`.
    pub id: &'a str,
    /// When its page was queued.
    pub sent: Ms,
    /// What the receiver got about the incident before.
    pub earlier: &'a [Earlier],
}

/// An alert that the receiver got before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The `identifier` that it had.
    pub id: String,
    /// When its page was queued: a reference must say the same moment as the alert did.
    pub sent: Ms,
}

/// The alert as XML.
#[must_use]
pub fn document(incident: &WireIncident, message: &CapMessage, desk: &Desk) -> String {
    alert(incident, None, message, desk)
}

/// The alert of the worst member of a bundle. The others stand beside it under `incidents`, as far as
/// the bundle lists them, and their stations are areas of their own.
///
/// It refers to no alert before it, and none refers to it: a `Cancel` or an `Update` of one member would
/// end what it says of all the others.
#[must_use]
pub fn bundle_document(
    worst: &WireIncident,
    bundle: &WireBundle,
    message: &CapMessage,
    desk: &Desk,
) -> String {
    alert(worst, Some(bundle), &CapMessage { earlier: &[], ..*message }, desk)
}

fn alert(
    incident: &WireIncident,
    bundle: Option<&WireBundle>,
    message: &CapMessage,
    desk: &Desk,
) -> String {
    let sender = sender(desk);
    let closed = incident.state == State::Closed;
    let kind = match (message.earlier.is_empty(), closed) {
        (true, _) => "Alert",
        (false, true) => "Cancel",
        (false, false) => "Update",
    };
    let status = match incident.outcome {
        Some(Outcome::Test) => "Test",
        _ if incident.exercise => "Exercise",
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
        .map(|earlier| format!("{sender},{},{}", earlier.id, time(earlier.sent, desk)))
        .collect();
    if !earlier.is_empty() {
        out.text("references", &earlier.join(" "));
    }
    let members = bundle.iter().flat_map(|bundle| &bundle.members).map(|member| member.incident);
    let others = members.filter(|other| *other != incident.id);
    let incidents: Vec<_> =
        std::iter::once(incident.id).chain(others).map(|id| id.to_string()).collect();
    out.text("incidents", &incidents.join(" "));
    for language in [Language::Chinese, Language::English] {
        info(&mut out, (incident, bundle), language, desk);
    }
    out.close("alert");
    out.0
}

fn info(
    out: &mut Xml,
    (incident, bundle): (&WireIncident, Option<&WireBundle>),
    language: Language,
    desk: &Desk,
) {
    let words = |en: &'static str, zh: &'static str| match language {
        Language::Chinese => zh,
        Language::English => en,
    };
    let closed = incident.state == State::Closed;
    out.open("info");
    out.text("language", words("en", "zh-CN"));
    out.text("category", if incident.class == Class::Fire { "Fire" } else { "Infra" });
    out.text("event", Lang::usual(language).text(&incident.what()));
    out.text("responseType", response(incident, closed));
    let (urgency, severity) = weight(incident.severity);
    out.text("urgency", if closed { "Past" } else { urgency });
    out.text("severity", severity);
    out.text("certainty", "Observed");
    out.text("onset", &time(incident.since, desk));
    out.text("senderName", words("Standpipe", "消火栓监测 Standpipe"));
    match bundle {
        None => {
            out.text("headline", &headline(incident, language));
            out.text("description", &description(incident, language));
        }
        Some(bundle) => {
            out.text("headline", &bundle::headline(incident, bundle, language));
            let all = std::iter::once(description(incident, language));
            let others = bundle::names(bundle, language).into_iter().skip(1).map(str::to_owned);
            out.text("description", &all.chain(others).collect::<Vec<_>>().join("\n"));
        }
    }
    out.text("instruction", instruction(incident, closed, language));
    out.text("web", &bundle.map_or_else(|| link(incident, desk), |_| bundle::link(incident, desk)));
    out.parameter("state", incident.state.as_str());
    out.parameter("episode", &incident.episode.to_string());
    for (n, hydrant) in incident.hydrants.iter().enumerate() {
        out.parameter(&format!("hydrant-{}", n + 1), &near(hydrant));
    }
    if let Some(bundle) = bundle {
        counts(out, bundle);
    }
    area(out, incident);
    let stations = bundle.iter().flat_map(|bundle| &bundle.stations);
    for station in stations.filter(|other| other.station != incident.station) {
        out.open("area");
        let named = [&*station.name, &*station.station].into_iter().find(|name| !name.is_empty());
        out.text("areaDesc", named.unwrap_or("—"));
        if !station.station.is_empty() {
            out.named("geocode", "standpipe:station", &station.station);
        }
        out.close("area");
    }
    out.close("info");
}

/// How many there are, and at which stations.
fn counts(out: &mut Xml, bundle: &WireBundle) {
    out.parameter("count", &bundle.count.to_string());
    out.parameter("fires", &bundle.fires.to_string());
    out.parameter("members-left-out", &bundle.members_left_out.to_string());
    for (n, station) in bundle.stations.iter().enumerate() {
        let text = format!("{} {}: {}", station.station, station.name, station.count);
        out.parameter(&format!("station-{}", n + 1), text.trim());
    }
}

const fn response(incident: &WireIncident, closed: bool) -> &'static str {
    match incident.class {
        _ if closed => "AllClear",
        Class::Fire => "Execute",
        Class::Water | Class::Upkeep | Class::Blind => "Assess",
    }
}

/// How soon, and how bad. A detector is one room: nothing here is `Extreme`.
const fn weight(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Fire => ("Immediate", "Severe"),
        Severity::Critical => ("Immediate", "Moderate"),
        Severity::Warning => ("Expected", "Minor"),
        Severity::Notice => ("Future", "Minor"),
    }
}

fn description(incident: &WireIncident, language: Language) -> String {
    let (title, note) = match language {
        Language::Chinese => {
            (&incident.title.zh, incident.hydrants_note.as_ref().map(|note| &note.zh))
        }
        Language::English => {
            (&incident.title.en, incident.hydrants_note.as_ref().map(|note| &note.en))
        }
    };
    let address = incident
        .device
        .as_ref()
        .map(|device| &*device.address)
        .filter(|address| !address.is_empty());
    let said = said(incident);
    let parts = [Some(title.as_str()), address, said.as_deref(), note.map(String::as_str)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn instruction(incident: &WireIncident, closed: bool, language: Language) -> &'static str {
    let (en, zh) = match incident.class {
        _ if closed => ("It is over: nothing to do.", "警情已结束，无需处置。"),
        _ if incident.exercise => ("Exercise: no real emergency.", "演练：并非真实警情。"),
        Class::Fire => (
            "Acknowledge, send a crew, and use the hydrants named here.",
            "请立即接警并出动，使用所列消火栓取水。",
        ),
        Class::Water => {
            ("Do not count on this water; have it looked at.", "请勿依赖该水源，并派人检查。")
        }
        Class::Upkeep => ("Have the device looked at.", "请派人检查设备。"),
        Class::Blind if incident.conditions.contains(&Condition::UnreadableAlarm) => (
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

fn near(hydrant: &NearHydrant) -> String {
    let trust = serde_json::to_value(hydrant.trust).unwrap_or_default();
    format!("{}, {}", water(hydrant), trust.as_str().unwrap_or_default())
}

fn area(out: &mut Xml, incident: &WireIncident) {
    let device = incident.device.as_ref();
    let named = device
        .map(|device| if device.address.is_empty() { &*device.name } else { &*device.address });
    let named = named.or(incident.zone.as_deref()).filter(|name| !name.is_empty());
    out.open("area");
    out.text(
        "areaDesc",
        named.unwrap_or(if incident.station.is_empty() { "—" } else { &incident.station }),
    );
    if let Some((lat, lon)) = device.and_then(|device| Some((device.lat?, device.lon?))) {
        out.text("circle", &format!("{lat},{lon} {RADIUS_KM}"));
    }
    let codes = [
        ("standpipe:station", Some(&*incident.station).filter(|station| !station.is_empty())),
        ("standpipe:device", device.map(|device| &*device.id)),
        ("standpipe:zone", incident.zone.as_deref()),
    ];
    for (name, value) in codes.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        out.named("geocode", name, value);
    }
    out.close("area");
}

/// Who sends it: no spaces, no commas, none of XML's own characters.
fn sender(desk: &Desk) -> String {
    let url = url::Url::parse(&desk.url).ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or("localhost");
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
    text.chars().fold(String::new(), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(letter),
            '\u{FFFE}' | '\u{FFFF}' => {}
            _ if letter.is_control() => {}
            _ => out.push(letter),
        }
        out
    })
}

/// A document being written.
///
/// By hand: what a library such as `quick-xml` would take over are these few lines, for names
/// are constants here. Texts would still be ours: it lets through what XML 1.0 can't hold
/// ([`escaped`] leaves it out), and text messages need them escaped without a document.
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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;
    use standpipe_rules::incidents::{BundledPage, Text, WireBundle, WireIncident};
    use standpipe_shared::Severity;
    use ulid::Ulid;

    use super::{CapMessage, Earlier, bundle_document};
    use crate::language::Language;
    use crate::message::Desk;

    #[test]
    fn a_bundle_is_the_alert_of_its_worst_member_and_names_the_others_as_incidents() {
        let page = |n: u64| BundledPage {
            incident: Ulid::from_parts(n, 0),
            page_id: Ulid::from_parts(n, 1),
            device: None,
            station: (format!("T{}", n % 2).into(), format!("<Town> {}", n % 2).into()),
            severity: Severity::Fire,
            title: Text { en: format!("Smoke {n}"), zh: format!("烟雾 {n}") },
        };
        let pages: Vec<_> = (1..=20_000).map(page).collect();
        let worst = json!({"id": Ulid::from_parts(1, 0), "class": "fire", "severity": "fire",
            "title": {"en": "Smoke 1", "zh": "烟雾 1"}, "station": "T1",
            "page_id": Ulid::from_parts(9, 9)});
        let worst = WireIncident::read(&worst.to_string()).unwrap();
        let earlier = [Earlier { id: "before".to_owned(), sent: 0 }];
        let message = CapMessage { id: "B", sent: 1_764_000_000_000, earlier: &earlier };
        let desk = Desk {
            zone: TimeZone::UTC,
            url: "https://town.example".into(),
            language: Language::English,
        };
        let alert = bundle_document(&worst, &WireBundle::of(&pages), &message, &desk);
        assert!(alert.len() < 40_000, "{} bytes", alert.len());
        let between = |from: &str, to: &str| {
            alert.split_once(from).and_then(|(_, rest)| rest.split_once(to)).unwrap().0
        };
        let incidents: Vec<_> = between("<incidents>", "</incidents>").split(' ').collect();
        assert_eq!(incidents.len(), 500, "as many as it lists, itself among them");
        assert_eq!(incidents[0], Ulid::from_parts(1, 0).to_string());
        let second = Ulid::from_parts(2, 0).to_string();
        assert_eq!(incidents.iter().filter(|id| **id == second).count(), 1);
        assert!(!alert.contains("<references>"), "it would end what those say of others");
        assert_eq!(between("<msgType>", "<"), "Alert");
        let headline = "【火警】合并通知：涉及2个站，警情20000起，其中火警20000起";
        assert_eq!(between("<headline>", "<"), headline);
        for wanted in [
            "<valueName>count</valueName>\n<value>20000</value>",
            "<valueName>members-left-out</valueName>\n<value>19500</value>",
            "<valueName>station-2</valueName>\n<value>T1 &lt;Town&gt; 1: 10000</value>",
            "<areaDesc>&lt;Town&gt; 0</areaDesc>",
            "<description>Smoke 1\nSmoke 2\nSmoke 3\n",
            "<web>https://town.example/bundles/00000000090000000000000009</web>",
        ] {
            assert!(alert.contains(wanted), "{wanted}: {}", &alert[14_000..]);
        }
    }
}
