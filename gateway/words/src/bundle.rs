//! A bundle in lines: how many incidents, how many of them at which station, the ten worst by name,
//! and where the rest is. Its first line is in both languages, as an incident's is, but in a text
//! message; what follows needs none, or is in the configured one, because a chat has little room.

use standpipe_rules::incidents::{WireBundle, WireIncident};
use standpipe_shared::Severity;

use crate::digest::Room;
use crate::language::{Lang, Language};
use crate::message::{Desk, MessageText, in_capitals};

/// Characters of a text message: services take 500 with their own signature.
const TEXT_MESSAGE: usize = 450;
/// Between stations.
const BETWEEN: &str = " · ";

/// The whole message. It always has its first line and the link; the stations' counts and the names
/// are as many as fit.
#[must_use]
pub fn words(worst: &WireIncident, bundle: &WireBundle, desk: &Desk, room: Room) -> MessageText {
    let link = link(worst, desk);
    let mut left = Left::of(room);
    let languages: &[Language] = match room {
        // It is paid for by its length.
        Room::Line => &[desk.language],
        Room::Bytes(_) => &[Language::Chinese, Language::English],
    };
    let mut lines: Vec<_> =
        languages.iter().map(|language| headline(worst, bundle, *language)).collect();
    lines.iter().for_each(|line| left.take(line));
    left.take(&link);
    left.take(&all(bundle.count, desk.language));
    lines.extend(by_station(bundle, desk.language, &mut left));
    let named = names(bundle, desk.language).into_iter().map(|title| format!("- {title}"));
    let named: Vec<String> = named.take_while(|line| left.fits(line)).collect();
    let not_all = bundle.count > named.len();
    lines.extend(named);
    lines.extend(not_all.then(|| all(bundle.count, desk.language)));
    lines.push(link.clone());
    MessageText {
        headline: headline(worst, bundle, desk.language),
        lines,
        link,
        everybody: worst.severity == Severity::Fire && !worst.exercise,
    }
}

/// `【火警】合并通知：警情870起，其中火警860起，涉及2个站`.
#[must_use]
pub fn headline(worst: &WireIncident, bundle: &WireBundle, language: Language) -> String {
    let (en, zh) = in_capitals(worst.severity);
    let WireBundle { count, fires, .. } = bundle;
    let one = match &*bundle.stations {
        [station] if !station.station.is_empty() => {
            Some(if station.name.is_empty() { &station.station } else { &station.name })
        }
        _ => None,
    };
    let stations = bundle.station_count();
    match language {
        Language::Chinese => {
            let of =
                one.map_or_else(|| format!("涉及{stations}个站"), |name| format!("{name}辖区"));
            let exercise = if worst.exercise { "演练，" } else { "" };
            let fires = match fires {
                0 => String::new(),
                fires => format!("，其中火警{fires}起"),
            };
            format!("【{zh}】合并通知：{exercise}{of}，警情{count}起{fires}")
        }
        Language::English => {
            let of =
                one.map_or_else(|| format!("at {stations} stations"), |name| format!("at {name}"));
            let exercise = if worst.exercise { "exercise, " } else { "" };
            let fires = match fires {
                0 => String::new(),
                1 => ", 1 of them a fire".to_owned(),
                fires => format!(", {fires} of them fires"),
            };
            format!("{en}: {exercise}{count} incidents {of}{fires}")
        }
    }
}

/// The worst of its members, in a line each.
#[must_use]
pub fn names(bundle: &WireBundle, language: Language) -> Vec<&str> {
    bundle.worst.iter().map(|one| Lang::usual(language).text(&one.title)).collect()
}

/// Where one reads all of it.
#[must_use]
pub fn link(worst: &WireIncident, desk: &Desk) -> String {
    match worst.page_id {
        Some(id) => format!("{}/bundles/{id}", desk.url),
        None => format!("{}/incidents", desk.url),
    }
}

/// `各站 by station: 白云 870 · 红旗 12`, as many as fit; nothing of one station, which the first line
/// names.
fn by_station(bundle: &WireBundle, language: Language, left: &mut Left) -> Option<String> {
    if bundle.station_count() < 2 {
        return None;
    }
    let unclaimed = Lang::usual(language).of_say(crate::say("no station", "无归属站"));
    let mut line = String::from("各站 by station: ");
    left.take(&line);
    left.take(&further(bundle.station_count(), bundle.count, language));
    let (mut counted, mut incidents) = (0, 0);
    for station in &bundle.stations {
        let names = [&*station.name, &*station.station, unclaimed];
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let text = format!("{name} {}", station.count);
        if !left.fits(&format!("{text}{BETWEEN}")) {
            break;
        }
        if counted > 0 {
            line += BETWEEN;
        }
        line += &text;
        counted += 1;
        incidents += station.count;
    }
    if counted == 0 {
        return None;
    }
    let stations = bundle.station_count() - counted;
    if stations > 0 {
        line += &further(stations, bundle.count.saturating_sub(incidents), language);
    }
    Some(line)
}

fn further(stations: usize, incidents: usize, language: Language) -> String {
    match language {
        Language::Chinese => format!("，其余{stations}个站共{incidents}起"),
        Language::English => format!(", and {incidents} at {stations} more stations"),
    }
}

fn all(incidents: usize, language: Language) -> String {
    match language {
        Language::Chinese => format!("全部{incidents}起见："),
        Language::English => format!("all {incidents} of them:"),
    }
}

/// How much of the receiver's room is left.
enum Left {
    Bytes(usize),
    Characters(usize),
}

impl Left {
    const fn of(room: Room) -> Self {
        match room {
            Room::Line => Self::Characters(TEXT_MESSAGE),
            Room::Bytes(most) => Self::Bytes(most),
        }
    }

    /// A line, with what ends it.
    fn take(&mut self, line: &str) {
        match self {
            Self::Bytes(left) => *left = left.saturating_sub(line.len() + 1),
            Self::Characters(left) => *left = left.saturating_sub(line.chars().count() + 1),
        }
    }

    /// Takes a line, if there is room for it.
    fn fits(&mut self, line: &str) -> bool {
        let fits = match self {
            Self::Bytes(left) => line.len() < *left,
            Self::Characters(left) => line.chars().count() < *left,
        };
        if fits {
            self.take(line);
        }
        fits
    }
}

#[cfg(test)]
mod tests;
