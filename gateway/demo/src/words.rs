//! What happens, in plain words: one line an event, Chinese and English. Pure: what a station's
//! topic said goes in, lines come out.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use standpipe_rules::Ms;
use standpipe_rules::detect::Trust;
use standpipe_rules::incidents::{IncidentId, NearHydrant, State, WireIncident};
use standpipe_shared::Severity;
use standpipe_simulator::StoryLine;
use ulid::Ulid;

/// An incident as it arrived on a station's topic.
#[derive(Clone, Debug)]
pub struct HeardIncident {
    /// The station on whose topic it arrived.
    pub station: Box<str>,
    pub incident: WireIncident,
    /// When it arrived.
    pub at: Ms,
}

/// Whether lines are coloured: on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    On,
    Off,
}

/// Incidents remembered; the oldest closed ones are forgotten beyond this.
const KNOWN: usize = 2_000;
/// Hydrants named for a fire.
const HYDRANTS: usize = 3;

/// Tells what stations hear, each thing once.
#[derive(Debug)]
pub struct Teller {
    names: HashMap<Box<str>, Box<str>>,
    known: HashMap<IncidentId, IncidentSoFar>,
    page: LineStyle,
    pub summary: DemoSummary,
}

/// What was told of one incident.
#[derive(Debug, Default)]
struct IncidentSoFar {
    state: Option<State>,
    told_at: Ms,
    pages: Vec<Ulid>,
    /// It is a part of its zone's or area's incident and never paged: that one tells for all.
    quiet: bool,
}

/// Counts for the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemoSummary {
    pub incidents: u32,
    /// Fires among them.
    pub fires: u32,
    /// Those that arrived at stations.
    pub pages: u32,
    /// Incidents somebody acknowledged.
    pub acknowledged: u32,
    pub closed: u32,
}

impl Teller {
    /// Knows stations by their names; tells times in `zone`.
    pub fn new(names: HashMap<Box<str>, Box<str>>, zone: TimeZone, colour: Colour) -> Self {
        let page = LineStyle { zone, colour };
        Self { names, known: HashMap::new(), page, summary: DemoSummary::default() }
    }

    /// The lines for what a station heard; none when it was told before.
    pub fn incident(&mut self, heard: &HeardIncident) -> Vec<String> {
        let incident = &heard.incident;
        self.forget();
        let known = self.known.entry(incident.id).or_default();
        let first = known.state.is_none();
        let before = known.state.replace(incident.state);
        known.told_at = heard.at;
        let page = incident.page_id.filter(|page| !known.pages.contains(page));
        known.pages.extend(page);
        if first {
            self.summary.incidents += 1;
            self.summary.fires += u32::from(incident.severity == Severity::Fire);
        }
        if page.is_some() {
            self.summary.pages += 1;
            return self.paged(heard, first);
        }
        known.quiet = known.pages.is_empty() && (known.quiet || incident.parent.is_some());
        if known.quiet {
            return Vec::new();
        }
        if first && incident.state == State::Open {
            let note = "→ listed 已列入清单";
            return vec![self.page.line(
                heard.at,
                incident.severity,
                &format!("{} {note}", title(incident)),
            )];
        }
        if before == Some(incident.state) {
            return Vec::new();
        }
        self.moved(heard)
    }

    fn paged(&self, heard: &HeardIncident, first: bool) -> Vec<String> {
        let incident = &heard.incident;
        let name = self.names.get(&heard.station).unwrap_or(&heard.station);
        let why = match (first, incident.step) {
            (true, 0 | 1) => after(heard.at - incident.since),
            (_, 0 | 1) => "again 再次".to_owned(),
            (_, step) => format!("step 第 {step} 级"),
        };
        let text = format!("{} → paged 已通知 {name} ({why})", title(incident));
        let mut lines = vec![self.page.line(heard.at, incident.severity, &text)];
        let near: Vec<_> =
            incident.hydrants.iter().take(HYDRANTS).map(|near| hydrant(near, heard.at)).collect();
        if !near.is_empty() && (first || incident.step <= 1) {
            lines.push(format!("{:24}nearest water 最近水源: {}", "", near.join(" · ")));
        }
        lines
    }

    fn moved(&mut self, heard: &HeardIncident) -> Vec<String> {
        let incident = &heard.incident;
        let word = match incident.state {
            State::Open => "open again 重新打开",
            State::Acknowledged => {
                self.summary.acknowledged += 1;
                "acknowledged 已接警"
            }
            State::Resolved => "resolved 已处置",
            State::Verifying => "water is back, verifying 水压恢复，验证中",
            State::Closed => {
                self.summary.closed += 1;
                "closed 已结案"
            }
        };
        let outcome = incident.outcome.and_then(|outcome| serde_json::to_value(outcome).ok());
        let outcome = outcome.as_ref().and_then(|text| text.as_str());
        let outcome =
            outcome.map_or_else(String::new, |outcome| format!(" ({})", outcome.replace('_', " ")));
        let after = after(heard.at - incident.opened_at);
        let text = format!("{} · {word}{outcome}, {after}", title(incident));
        vec![self.page.line(heard.at, incident.severity, &text)]
    }

    fn forget(&mut self) {
        if self.known.len() >= KNOWN {
            let closed = self.known.iter().filter(|(_, told)| told.state == Some(State::Closed));
            let oldest = closed.min_by_key(|(_, told)| told.told_at).map(|(id, _)| *id);
            self.known.retain(|id, _| Some(*id) != oldest);
        }
    }
}

/// How lines look.
#[derive(Clone, Debug)]
pub struct LineStyle {
    /// Of the clock that lines show.
    pub zone: TimeZone,
    pub colour: Colour,
}

impl LineStyle {
    /// What happened to the world: the cause, before any device has said a word.
    pub fn world(&self, told: &StoryLine) -> String {
        let text = format!("{}  {}", told.zh, told.en);
        self.painted(&format!("{}  (town 现场) {text}", self.time(told.at)), "2")
    }

    fn line(&self, at: Ms, severity: Severity, text: &str) -> String {
        let (word, paint) = match severity {
            Severity::Fire => ("FIRE 火警", "1;31"),
            Severity::Critical => ("CRIT 严重", "1;35"),
            Severity::Warning => ("WARN 警告", "33"),
            Severity::Notice => ("note 提示", "36"),
        };
        format!("{}  {}  {text}", self.time(at), self.painted(word, paint))
    }

    fn painted(&self, text: &str, paint: &str) -> String {
        match self.colour {
            Colour::On => format!("\u{1b}[{paint}m{text}\u{1b}[0m"),
            Colour::Off => text.to_owned(),
        }
    }

    fn time(&self, at: Ms) -> String {
        let at = Timestamp::from_millisecond(at).unwrap_or_default();
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }
}

/// What in Chinese, then what and where in English: places carry both names already.
fn title(incident: &WireIncident) -> String {
    let what = incident.what().zh;
    let id =
        incident.device.as_ref().map_or_else(String::new, |device| format!(" [{}]", device.id));
    format!("{what} {}{id}", incident.title.en)
}

fn hydrant(hydrant: &NearHydrant, now: Ms) -> String {
    let kpa =
        hydrant.pressure_kpa.map_or_else(|| "? kPa".to_owned(), |kpa| format!("{kpa:.0} kPa"));
    let trust = match hydrant.trust {
        Trust::Ok => "",
        Trust::Low => " low 水压低",
        Trust::NoWater => " no water 无水",
        Trust::InUse => " in use 使用中",
        Trust::Stale => " stale 数据过时",
        Trust::Unconfirmed => " not confirmed 待确认",
        Trust::Suspect => " doubtful 存疑",
        Trust::OutOfService => " out of service 停用",
    };
    let age =
        hydrant.measured_at.map_or_else(String::new, |at| format!(" {} ago", after(now - at)));
    format!("{} {} m {kpa}{age}{trust}", hydrant.id, hydrant.distance_m)
}

/// A span in milliseconds, or in seconds with one decimal; never negative.
fn after(ms: Ms) -> String {
    match ms.max(0) {
        short @ 0..1_000 => format!("{short} ms"),
        long => format!("{}.{} s", long / 1_000, long / 100 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, DemoSummary, HeardIncident, Teller};
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    const PAGE: &str = "01JDF2VQ0000000000000000P1";

    fn heard(at: i64, state: &str, more: &Value) -> HeardIncident {
        let mut incident = json!({
            "id": "01JDF2VQ00000000000000000A", "rev": 1, "station": "yudong", "class": "fire",
            "severity": "fire", "state": state, "episode": 1, "conditions": ["smoke"],
            "device": {"id": "S-0003", "kind": "smoke", "name": "新华大厦 Xinhua Building 12F",
                       "address": "", "lat": 29.4, "lon": 106.5},
            "zone": null, "opened_at": 1000, "since": 600, "updated_at": 1000, "late_s": 0,
            "title": {"en": "Smoke · 新华大厦 Xinhua Building 12F",
                      "zh": "烟雾报警 · 新华大厦 Xinhua Building 12层"},
            "exercise": false, "value": {"smoke_db_m": 0.31}, "step": 1, "next_step_at": 61000,
            "hydrants": [
                {"id": "H-0042", "name": "", "distance_m": 120, "bearing_deg": 80,
                 "pressure_kpa": 312.4, "measured_at": 900, "trust": "ok"},
                {"id": "H-0007", "name": "", "distance_m": 90, "bearing_deg": 10,
                 "pressure_kpa": 4.0, "measured_at": 900, "trust": "no_water"}],
            "page_id": null,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            incident[key] = value.clone();
        }
        let incident = serde_json::from_value(incident).unwrap();
        HeardIncident { station: "yudong".into(), incident, at }
    }

    #[test]
    fn a_fire_is_told_from_its_page_to_its_end_and_nothing_twice() {
        let names = [("yudong".into(), "鱼洞 Yudong".into())].into();
        let mut teller = Teller::new(names, TimeZone::UTC, Colour::Off);
        let mut lines = Vec::new();
        for heard in [
            heard(1_000, "open", &json!({"page_id": PAGE})),
            heard(2_000, "open", &json!({"page_id": PAGE, "rev": 2})),
            heard(9_500, "acknowledged", &json!({"page_id": PAGE, "rev": 3})),
            heard(9_600, "acknowledged", &json!({"page_id": PAGE, "rev": 4})),
            heard(61_000, "closed", &json!({"rev": 5, "outcome": "false_alarm"})),
        ] {
            lines.extend(teller.incident(&heard));
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        00:00:01  FIRE 火警  烟雾报警 Smoke · 新华大厦 Xinhua Building 12F [S-0003] → paged 已通知 鱼洞 Yudong (400 ms)
                                nearest water 最近水源: H-0042 120 m 312 kPa 100 ms ago · H-0007 90 m 4 kPa 100 ms ago no water 无水
        00:00:09  FIRE 火警  烟雾报警 Smoke · 新华大厦 Xinhua Building 12F [S-0003] · acknowledged 已接警, 8.5 s
        00:01:01  FIRE 火警  烟雾报警 Smoke · 新华大厦 Xinhua Building 12F [S-0003] · closed 已结案 (false alarm), 60.0 s
        ");
        let summary = DemoSummary { incidents: 1, fires: 1, pages: 1, acknowledged: 1, closed: 1 };
        assert_eq!(teller.summary, summary);
    }
}
