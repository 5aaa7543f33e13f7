//! What an incident is and where, in a line, in both languages: made of its codes.

use standpipe_shared::{Class, Condition};

use super::unreadable::TOPICS_MORE_MOST;
use super::wire::{Place, QuietCode, Text, UNVERIFIED, WireIncident};
use crate::Ms;
use crate::conditions::row;
use crate::fact::Reason;
use crate::trail::{Times, span};

/// A fire that is told of this late is marked, s: a page takes seconds.
const LATE_MARKED_S: u32 = 60;
/// Characters of a text that a title has room for.
const DETAIL_MOST: usize = 80;
/// Between the parts of a title.
const BETWEEN: &str = " · ";

/// The title of an incident: what is worst of it, where, and how many detectors say so.
pub(super) fn of(incident: &WireIncident) -> Text {
    let Text { mut en, mut zh } = headed(incident);
    let mut add = |part: Text| {
        if !part.en.is_empty() {
            en = format!("{en}{BETWEEN}{}", part.en);
            zh = format!("{zh}{BETWEEN}{}", part.zh);
        }
    };
    if let Some(place) = &incident.place {
        add(place.words());
    }
    if let Some(detail) = &incident.detail {
        add(both(shortened(detail, DETAIL_MOST)));
    }
    if incident.class == Class::Fire && incident.detectors > 1 {
        let detectors = incident.detectors;
        add(Text { en: format!("{detectors} detectors"), zh: format!("{detectors}个探测器") });
    }
    Text { en, zh }
}

impl WireIncident {
    /// What is worst of it: the beginning of its title. Of one that was written before there were
    /// codes, the title itself is all there is: its words never change any more.
    #[must_use]
    pub fn what(&self) -> Text {
        let first = |title: &String| {
            title.split_once(BETWEEN).map_or_else(|| title.clone(), |(what, _)| what.to_owned())
        };
        match self.place {
            Some(_) => headed(self),
            None => Text { en: first(&self.title.en), zh: first(&self.title.zh) },
        }
    }
}

fn headed(incident: &WireIncident) -> Text {
    let worst =
        incident.conditions.iter().rev().max_by_key(|condition| condition.severity()).copied();
    let (what_en, what_zh) = match (worst, &incident.place) {
        (Some(Condition::ClockFault), Some(Place::Gateway)) => {
            ("The gateway's clock was set", "网关时钟被调整")
        }
        (worst, _) => worst.map_or(("", ""), |worst| row(worst).title),
    };
    let (before_en, before_zh) = before(incident);
    let how = how(incident, worst);
    let (mut en, mut zh) =
        (format!("{before_en}{what_en}{}", how.en), format!("{before_zh}{what_zh}{}", how.zh));
    // What was said long ago, or what the device's clock makes of it.
    if incident.class == Class::Fire && incident.late_s >= LATE_MARKED_S {
        let (age_en, age_zh) = span(Ms::from(incident.late_s) * 1_000);
        en = format!("{en} (device's time {age_en} old)");
        zh = format!("{zh}（设备时间为{age_zh}前）");
    }
    Text { en, zh }
}

/// How it is true, where that has to be said: since nobody knows when, for a reason, again and
/// again, by an old report.
fn how(incident: &WireIncident, worst: Option<Condition>) -> Text {
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    let reason = worst.and_then(|worst| incident.reasons.get(&worst));
    if let Some((reason_en, reason_zh)) = reason.copied().map(why) {
        en.push(reason_en.to_owned());
        zh.push(reason_zh.to_owned());
    }
    if let Some(flaps) = incident.flapping.filter(|flaps| Some(flaps.condition) == worst) {
        let times = Times { times: flaps.times, within_s: flaps.within_s };
        en.push(times.words());
        zh.push(times.words_zh());
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
        Reason::NoHeartbeat => ("its own heartbeat does not come back", "自身心跳未返回"),
    }
}

/// What puts a title in its proper light.
fn before(incident: &WireIncident) -> (&'static str, &'static str) {
    match incident.quiet {
        Some(QuietCode::Test) => ("Test: ", "测试："),
        Some(QuietCode::Exercise) => ("Exercise: ", "演练："),
        Some(QuietCode::Maintenance) => ("Maintenance: ", "维护："),
        Some(QuietCode::Dispatch) => ("In use: ", "灭火用水："),
        None if incident.reason.as_deref() == Some(UNVERIFIED) => ("Not verified: ", "未核实："),
        None => ("", ""),
    }
}

impl Place {
    /// Where that is, in words; empty: it goes without saying.
    fn words(&self) -> Text {
        match self {
            Self::Building { name, floor } => {
                let (floor_en, floor_zh) = floor_words(floor);
                Text { en: format!("{name}{floor_en}"), zh: format!("{name}{floor_zh}") }
            }
            Self::Device { name } | Self::Area { name } => both(name.to_string()),
            Self::Zone { name } => Text { en: format!("zone {name}"), zh: format!("{name}分区") },
            Self::Gateway => Text::default(),
            Self::Topic { name, more } => topics(shortened(name, DETAIL_MOST), *more),
            Self::Receiver { name } => both(shortened(name, DETAIL_MOST)),
        }
    }

    /// Whether its name, or its floor's, ends with that: then it needs not be said beside it.
    #[must_use]
    pub fn ends_with(&self, part: &str) -> bool {
        match self {
            Self::Building { name, floor } if floor.is_empty() => name.ends_with(part),
            Self::Building { floor, .. } => floor.ends_with(part),
            Self::Device { name }
            | Self::Zone { name }
            | Self::Area { name }
            | Self::Topic { name, more: 0 }
            | Self::Receiver { name } => name.ends_with(part),
            Self::Gateway | Self::Topic { .. } => false,
        }
    }
}

/// A topic, and how many others share its incident.
fn topics(name: String, more: u32) -> Text {
    let all = more + 1;
    match more {
        0 => both(name),
        1 => Text { en: format!("{name} and 1 more topic"), zh: format!("{name}等2个主题") },
        TOPICS_MORE_MOST.. => Text {
            en: format!("{name} and at least {more} more topics"),
            zh: format!("{name}等至少{all}个主题"),
        },
        _ => Text {
            en: format!("{name} and {more} more topics"),
            zh: format!("{name}等{all}个主题"),
        },
    }
}

/// A floor as people say it, to stand behind its building: a bare number gets its word. The space
/// keeps the 2nd floor of `B1` from being read as the 12th of `B`.
fn floor_words(floor: &str) -> (String, String) {
    if floor.is_empty() {
        (String::new(), String::new())
    } else if floor.parse::<i32>().is_ok() {
        (format!(" {floor}F"), format!(" {floor}层"))
    } else {
        (format!(" {floor}"), format!(" {floor}"))
    }
}

/// So many characters of a text at most.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The same words in both languages.
fn both(words: String) -> Text {
    Text { en: words.clone(), zh: words }
}
