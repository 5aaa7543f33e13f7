//! The daily digest: which notices are told of, how they are counted, in which order.
//!
//! A notice pages nobody; once a day whoever wants it is told of those that are open and those
//! that ended since the last time. Not here: when that is, who is told, and in which words (the
//! gateway's `digest`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use standpipe_shared::{Condition, Severity};

use crate::Ms;
use crate::incidents::{IncidentId, Outcome, Place, Text, WireIncident};

/// Incidents named in a digest at most; the rest are counted.
pub const LINES: usize = 50;

/// What a digest is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestScope {
    /// Its day in the town, such as `2026-11-28`.
    pub day: Box<str>,
    /// The station it is for, with all below it; `None`: all stations.
    pub station: Option<Box<str>>,
    /// What ended before this was told the last time.
    pub from: Ms,
    /// What was opened at or after this is told the next time.
    pub to: Ms,
}

/// The notices of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its day in the town, such as `2026-11-28`.
    pub day: Box<str>,
    /// The station it is for, with all below it; `null`: all stations.
    pub station: Option<Box<str>>,
    pub from: Ms,
    /// The first moment that is no longer of that time.
    pub to: Ms,
    /// How many were open at the end.
    pub open: u32,
    /// How many were opened within that time, whether or not they ended.
    pub new: u32,
    /// How many ended within that time.
    pub closed: u32,
    /// The same by what is worst of each, most first.
    pub counts: Vec<Count>,
    /// Those that are named, at most [`LINES`].
    pub items: Vec<Line>,
    /// How many are not named.
    pub more: u32,
    /// Messages that could not be read; `null`: none, or it is not the business of these stations.
    #[serde(default)]
    pub unread: Option<Unread>,
}

/// Messages within the time of a digest of which something was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub messages: u64,
    /// Of how many registered devices, among those that the quarantine still keeps.
    pub devices: u32,
    /// The same by the first reason of each, most first.
    pub reasons: Vec<ReasonCount>,
}

/// Messages that were not understood for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    pub reason: Box<str>,
    pub messages: u64,
}

/// Incidents of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub condition: Condition,
    /// How many were open at the end.
    pub open: u32,
    /// How many were opened within the time.
    pub new: u32,
    /// How many ended within the time.
    pub closed: u32,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: IncidentId,
    /// What is worst of it; `null`: nothing is known of it.
    pub condition: Option<Condition>,
    /// What and where, in a line.
    pub title: Text,
    /// The station responsible; empty: every district station is.
    pub station: Box<str>,
    /// The device's id; empty of a zone, an area or the gateway.
    pub device: Box<str>,
    /// Where that is, in words.
    pub address: Box<str>,
    /// Event time since when it is true.
    pub since: Ms,
    /// When it was opened.
    pub opened_at: Ms,
    /// When it ended; `null`: it was open at the end.
    pub closed_at: Option<Ms>,
    /// Where it is; left out where it was written before there were codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Line {
    /// Whether its title says that already: it often ends with the device's id or its address. Of
    /// what was written before there were codes, its `title`, in whichever language, is all there
    /// is.
    #[must_use]
    pub fn is_placed_by(&self, part: &str, title: &str) -> bool {
        match &self.place {
            Some(place) => place.ends_with(part),
            None => title.ends_with(part),
        }
    }
}

impl Digest {
    /// What of these incidents is told.
    #[must_use]
    pub fn of(subject: DigestScope, incidents: impl IntoIterator<Item = WireIncident>) -> Self {
        let told = incidents.into_iter().filter(|incident| subject.tells_of(incident));
        let mut items: Vec<Line> = told.map(|incident| line(incident, subject.to)).collect();
        let (mut all, mut counts) = ((0, 0, 0), BTreeMap::new());
        for item in &items {
            let one = subject.counts(item);
            add(&mut all, one);
            if let Some(condition) = item.condition {
                add(counts.entry(condition).or_default(), one);
            }
        }
        let mut counts: Vec<Count> = counts
            .into_iter()
            .map(|(condition, (open, new, closed))| Count { condition, open, new, closed })
            .collect();
        counts.sort_by_key(|count| (Reverse((count.open, count.closed)), count.condition));
        // What is open, and of that what is new; then one condition after the other as they are
        // counted, the longest true first.
        items.sort_by_key(|item| {
            let rank = counts.iter().position(|of| Some(of.condition) == item.condition);
            let old = !subject.is_new(item);
            (item.closed_at.is_some(), old, rank.unwrap_or(usize::MAX), item.since, item.id)
        });
        let more = u32::try_from(items.len().saturating_sub(LINES)).unwrap_or(u32::MAX);
        items.truncate(LINES);
        let DigestScope { day, station, from, to } = subject;
        let (open, new, closed) = all;
        Self { day, station, from, to, open, new, closed, counts, items, more, unread: None }
    }

    /// Nobody is told of nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open == 0 && self.closed == 0 && self.unread.is_none()
    }
}

/// Open, new, closed.
type Three = (u32, u32, u32);

const fn add(to: &mut Three, more: Three) {
    to.0 += more.0;
    to.1 += more.1;
    to.2 += more.2;
}

impl DigestScope {
    /// Notices that were open at the end, or ended since the last time. Tests, exercises and what
    /// announced work explained are nobody's business; what belongs to a zone's or an area's
    /// incident was told with that.
    fn tells_of(&self, incident: &WireIncident) -> bool {
        let explained = match incident.outcome {
            Some(Outcome::Test | Outcome::Exercise | Outcome::Maintenance) => true,
            Some(Outcome::Fire | Outcome::Repaired | Outcome::Recovered | Outcome::FalseAlarm)
            | None => false,
        };
        incident.severity == Severity::Notice
            && !incident.exercise
            && incident.parent.is_none()
            && !explained
            && incident.opened_at < self.to
            && incident.closed_at.is_none_or(|at| at >= self.from)
    }

    fn counts(&self, item: &Line) -> Three {
        let closed = u32::from(item.closed_at.is_some());
        (1 - closed, u32::from(self.is_new(item)), closed)
    }

    const fn is_new(&self, item: &Line) -> bool {
        item.opened_at >= self.from
    }
}

/// An incident as it stood before `to`: an end after that is the next digest's to tell.
fn line(incident: WireIncident, to: Ms) -> Line {
    let condition =
        incident.conditions.iter().rev().max_by_key(|condition| condition.severity()).copied();
    let (device, address) =
        incident.device.map(|device| (device.id, device.address)).unwrap_or_default();
    Line {
        id: incident.id,
        condition,
        title: incident.title,
        station: incident.station,
        device,
        address,
        since: incident.since,
        opened_at: incident.opened_at,
        closed_at: incident.closed_at.filter(|at| *at < to),
        place: incident.place,
    }
}

#[cfg(test)]
mod tests;
