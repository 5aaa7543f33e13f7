//! What stations say and waits for its turn: their people's actions, and whether a terminal is open.
//!
//! Stations take turns, so that one whose terminal repeats itself without end keeps no other
//! station's acknowledgement waiting. What one station says keeps its order. A station that sends
//! more than its people can ([`FLOOD`]) is told to the administrator; nothing of it is dropped.

use std::collections::{HashMap, VecDeque};

use standpipe_rules::Ms;
use standpipe_rules::incidents::{ActionKind, Text};
use standpipe_rules::wire::Message;

use crate::health::{Degraded, DegradedPart, Trouble};
use crate::inbox::Delivery;

/// So many actions of one station in a minute are no people's, what its terminal says by itself
/// (`shown`) apart. All 870 fires of a station in an earthquake, acknowledged, dispatched and marked as
/// arrived one by one, are fewer.
pub const FLOOD: u32 = 3_000;
const FLOOD_SPAN_MS: Ms = 60_000;
/// So long after the last flood it counts as over.
const CALM_MS: Ms = 10 * 60_000;

/// What waits; the engine's thread alone has it.
#[derive(Debug, Default)]
pub struct Actions {
    of_station: HashMap<Box<str>, VecDeque<Box<Delivery>>>,
    /// Whose turn is next: each station of which something waits, once.
    turns: VecDeque<Box<str>>,
    waiting: usize,
}

/// Whose turn it takes. What nobody can be said to have sent, which is for the quarantine, has one
/// turn of its own.
fn station(delivery: &Delivery) -> &str {
    delivery.station().unwrap_or_default()
}

impl Actions {
    /// How many wait.
    pub const fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// One more waits.
    pub fn put(&mut self, delivery: Box<Delivery>) {
        self.waiting += 1;
        if let Some(waiting) = self.of_station.get_mut(station(&delivery)) {
            waiting.push_back(delivery);
            return;
        }
        let station = Box::from(station(&delivery));
        self.turns.push_back(Box::clone(&station));
        self.of_station.insert(station, VecDeque::from([delivery]));
    }

    /// The oldest of the station whose turn it is.
    pub fn take(&mut self) -> Option<Box<Delivery>> {
        let station = self.turns.pop_front()?;
        let waiting = self.of_station.get_mut(&station)?;
        let delivery = waiting.pop_front();
        if waiting.is_empty() {
            self.of_station.remove(&station);
        } else {
            self.turns.push_back(station);
        }
        self.waiting -= usize::from(delivery.is_some());
        delivery
    }
}

/// How many actions each station has sent in the present minute, and who sent too many.
#[derive(Debug, Default)]
pub struct FloodWatch {
    since: Ms,
    sent: HashMap<Box<str>, u32>,
    flooded: Option<Ms>,
}

impl FloodWatch {
    /// An action is taken: the administrator is told of a station that has sent too many.
    pub fn took(&mut self, delivery: &Delivery, now: Ms, told: &Degraded) {
        if !(0..FLOOD_SPAN_MS).contains(&(now - self.since)) {
            self.since = now;
            self.sent.clear();
        }
        for message in delivery.parsed.messages() {
            let Message::Action { station, action } = message else { continue };
            if action.kind == ActionKind::Shown {
                continue;
            }
            let sent = self.sent.entry(station.clone()).or_default();
            *sent += 1;
            if *sent == FLOOD {
                self.flooded = Some(now);
                tell(station, now, told);
            }
        }
    }

    /// Whether a flood was told that is over.
    pub fn is_over(&mut self, now: Ms) -> bool {
        self.flooded.take_if(|last| !(0..CALM_MS).contains(&(now - *last))).is_some()
    }
}

fn tell(station: &str, now: Ms, told: &Degraded) {
    let en = format!(
        "station `{station}` sent {FLOOD} actions within a minute, more than people can: look at its \
         terminal and at who has its password; other stations keep their turns"
    );
    let zh = format!(
        "站点“{station}”一分钟内发来 {FLOOD} 条操作，人工操作不可能这么多：请检查该站终端，以及谁掌握其口令；其他站点的操作不受影响"
    );
    tracing::warn!("{en}");
    let detail =
        format!("station {station} sends more actions than people can: look at its terminal");
    told.set(Trouble { part: DegradedPart::Actions, since: now, why: Text { en, zh }, detail });
}

#[cfg(test)]
mod tests {
    use standpipe_rules::wire::parse;
    use standpipe_shared::ROOT;

    use super::{Actions, Degraded, Delivery, FLOOD, FloodWatch};
    use crate::health::DegradedPart;
    use crate::source::SourceIx;

    /// `A1`: what station A says first; `!`: nothing that can be read.
    fn says(what: &str, action: &str) -> Box<Delivery> {
        let station = what.get(..1).unwrap();
        let topic = format!("{ROOT}/stations/{station}/actions");
        let json = format!(r#"{{"incident":"01M8PJDRD79ZJZJC807KK8AN81","action":"{action}"}}"#);
        let json = if what.starts_with('!') { "{" } else { &json };
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        let (source, arrived, topic) = (SourceIx::nth(0), 1.into(), what.into());
        Box::new(Delivery { source, receipt: None, arrived, topic, parsed })
    }

    #[test]
    #[rustfmt::skip] // a table
    fn stations_take_turns_and_each_keeps_its_order() {
        for (story, said, taken) in [
            ("one station",                    "A1 A2 A3",             "A1 A2 A3"),
            ("a second one after a flood",     "A1 A2 A3 A4 B1 B2",    "A1 B1 A2 B2 A3 A4"),
            ("in order of arrival among them", "B1 A1 C1 A2 B2",       "B1 A1 C1 B2 A2"),
            ("what cannot be read",            "!1 !2 A1 !3 A2",       "!1 A1 !2 A2 !3"),
        ] {
            let mut actions = Actions::default();
            said.split(' ').for_each(|what| actions.put(says(what, "comment")));
            assert_eq!(actions.len(), said.split(' ').count());
            let all = std::iter::from_fn(|| actions.take());
            let names: Vec<_> = all.map(|delivery| delivery.topic.to_string()).collect();
            assert_eq!(names.join(" "), taken, "{story}");
            assert!(actions.is_empty() && actions.of_station.is_empty() && actions.turns.is_empty());
        }
    }

    #[test]
    fn a_station_that_sends_more_than_people_can_is_told_of_until_it_is_calm() {
        let (mut watch, degraded) = (FloodWatch::default(), Degraded::default());
        let (comment, shown) = (says("A1", "comment"), says("A1", "shown"));
        let told =
            || degraded.of(DegradedPart::Actions).map(|trouble| (trouble.since, trouble.why.en));
        // What its terminal says by itself does not count, nor what came in another minute.
        (0..2 * FLOOD).for_each(|_| watch.took(&shown, 1_000, &degraded));
        (1..FLOOD).for_each(|_| watch.took(&comment, 1_000, &degraded));
        (1..FLOOD).for_each(|_| watch.took(&comment, 61_000, &degraded));
        (1..FLOOD).for_each(|_| watch.took(&says("B1", "comment"), 61_000, &degraded));
        assert_eq!((told(), watch.is_over(61_000)), (None, false));
        watch.took(&comment, 120_999, &degraded);
        let (since, why) = told().unwrap();
        assert!(since == 120_999 && why.contains("station `A` sent 3000 actions"), "{why}");
        assert!(!watch.is_over(720_998));
        assert!(watch.is_over(720_999), "ten minutes later");
        assert!(!watch.is_over(720_999), "told once");
    }
}
