//! The simulated duty officers: one at every station terminal but one. They answer through the
//! stations' topics, as real ones do, so presence, acknowledgement and escalation are all used.
//! Pure: what a station heard goes in, actions with their times come out.
//!
//! Some incidents nobody answers at once, so that the next step can be seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, State};
use standpipe_shared::{Class, Condition, Severity};

use super::words::HeardIncident;

/// The station whose terminal is switched off: its pages go to step 2 at once.
pub const ABSENT: &str = "longde";
/// Of so many incidents that go on to a next step, one is left to it; never the first that people
/// see.
const MISSED_OF: u32 = 6;
/// Actions that wait for their time.
const PLANNED: usize = 1_024;
/// Pages remembered as answered.
const ANSWERED: usize = 10_000;
/// A terminal shows a page after this.
const SHOWN_MS: Ms = 300;
/// A fire is over for the crew after this; it burns for two minutes.
const FIRE_OVER_MS: Ms = 170_000;
/// A burnt dinner is known for one after this.
const NOTHING_MS: Ms = 90_000;
/// A hydrant is mended after this.
const MENDED_MS: Ms = 260_000;

/// One action, ready to be published on the station's topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deed {
    pub at: Ms,
    /// The station whose terminal does it.
    pub station: Box<str>,
    /// The action, as JSON.
    pub payload: String,
}

/// All officers.
#[derive(Debug, Default)]
pub struct Officers {
    planned: BinaryHeap<Reverse<Deed>>,
    /// What each crew will say in the end, as things stand now.
    ends: BTreeMap<IncidentId, Deed>,
    answered: HashSet<(IncidentId, u32, OfficerAnswer)>,
    /// Incidents that a terminal of their own was paged about, ever.
    paged: u32,
    /// Of each that is remembered, whether its own station misses it.
    missed: HashMap<IncidentId, bool>,
}

/// What is done once an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum OfficerAnswer {
    Shown(ulid::Ulid),
    Taken,
}

impl Officers {
    /// Plans what the officer of that station does about it.
    pub fn hear(&mut self, heard: &HeardIncident) {
        let incident = &heard.incident;
        // Where nobody sits, whoever took it brings it to an end.
        let minds = incident.station == heard.station || *incident.station == *ABSENT;
        if minds {
            self.ends.remove(&incident.id);
        }
        if *heard.station == *ABSENT || incident.state == State::Closed {
            return;
        }
        if self.answered.len() > ANSWERED {
            self.answered.clear();
            self.missed.clear();
        }
        if let Some(page) = incident.page_id.filter(|_| incident.state == State::Open) {
            if self.answered.insert((incident.id, incident.episode, OfficerAnswer::Shown(page))) {
                self.plan(heard, SHOWN_MS, "shown", "");
            }
            self.answer(heard);
        }
        if minds && incident.state == State::Acknowledged && self.ends.len() < PLANNED {
            self.ends.extend(end(heard).map(|deed| (incident.id, deed)));
        }
    }

    /// Takes it, unless this is one that its own station misses.
    fn answer(&mut self, heard: &HeardIncident) {
        let incident = &heard.incident;
        let own = incident.station == heard.station;
        let chased = incident.severity > Severity::Warning; // of the others nobody else is told
        let quick = Ms::try_from(u128::from(incident.id) % 5_000).unwrap_or(0);
        let takes = if own {
            !chased || !self.misses(incident.id) || incident.episode > 1
        } else {
            incident.step >= 2
        };
        if !takes || !self.answered.insert((incident.id, incident.episode, OfficerAnswer::Taken)) {
            return;
        }
        let after = 3_000 + quick + if incident.severity == Severity::Fire { 0 } else { 4_000 };
        self.plan(heard, after, "acknowledge", "收到 on it");
        if incident.class == Class::Fire {
            self.plan(heard, after + 8_000, "dispatch", "一车六人出动 engine 1 with six");
            self.plan(heard, after + 30_000, "arrive", "已到场 on the scene");
        }
    }

    /// Whether its own station misses the first episode of this one.
    fn misses(&mut self, id: IncidentId) -> bool {
        *self.missed.entry(id).or_insert_with(|| {
            self.paged = self.paged.wrapping_add(1);
            self.paged.is_multiple_of(MISSED_OF)
        })
    }

    fn plan(&mut self, heard: &HeardIncident, after: Ms, action: &str, note: &str) {
        if self.planned.len() >= PLANNED {
            return; // officers can be overwhelmed too
        }
        self.planned.push(Reverse(deed(heard, after, action, note)));
    }

    /// What is to be done by now, soonest first.
    pub fn due(&mut self, now: Ms) -> Vec<Deed> {
        let mut due = Vec::new();
        while self.planned.peek().is_some_and(|deed| deed.0.at <= now) {
            due.extend(self.planned.pop().map(|deed| deed.0));
        }
        self.ends.retain(|_, deed| {
            let later = deed.at > now;
            if !later {
                due.push(deed.clone());
            }
            later
        });
        due.sort();
        due
    }
}

/// What the crew says when it has had its time: as it looks now, which may change until then.
fn end(heard: &HeardIncident) -> Option<Deed> {
    let incident = &heard.incident;
    let left = |lasts: Ms| (incident.opened_at + lasts - heard.at).max(1_000);
    match incident.class {
        // Who looks into the kitchen sees whether it burns.
        Class::Fire if incident.conditions.contains(&Condition::Heat) => {
            Some(deed(heard, left(FIRE_OVER_MS), "resolve", "明火扑灭 extinguished"))
        }
        Class::Fire => Some(deed(heard, left(NOTHING_MS), "false_alarm", "油烟 burnt dinner")),
        // Water proves itself: it is verified without a word.
        Class::Water => None,
        Class::Upkeep | Class::Blind => {
            Some(deed(heard, left(MENDED_MS), "resolve", "已修复 mended"))
        }
    }
}

fn deed(heard: &HeardIncident, after: Ms, action: &str, note: &str) -> Deed {
    let payload = serde_json::json!({
        "incident": heard.incident.id,
        "action": action,
        "by": format!("{} 值班员 duty officer", heard.station),
        "note": note,
    });
    Deed { at: heard.at + after, station: heard.station.clone(), payload: payload.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{ABSENT, MISSED_OF, Officers};
    use crate::words::HeardIncident;
    use serde_json::{Value, json};
    use ulid::Ulid;

    fn heard(id: u128, station: &str, at: i64, more: &Value) -> HeardIncident {
        let mut incident = json!({
            "id": Ulid(id), "rev": 1, "station": "yudong", "class": "fire", "severity": "fire",
            "state": "open", "episode": 1, "conditions": ["smoke"], "device": null, "zone": null,
            "title": {"en": "", "zh": ""}, "opened_at": 0, "since": 0, "updated_at": 0,
            "late_s": 0, "exercise": false, "value": {}, "hydrants": [], "step": 1,
            "next_step_at": null, "page_id": null,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            incident[key] = value.clone();
        }
        HeardIncident {
            station: station.into(),
            incident: serde_json::from_value(incident).unwrap(),
            at,
        }
    }

    /// Everything planned: second, station and action.
    fn plan(officers: &mut Officers) -> Vec<String> {
        let due = officers.due(i64::MAX);
        let told = due.iter().map(|planned| {
            let deed: Value = serde_json::from_str(&planned.payload).unwrap();
            format!(
                "{:.1} {} {}",
                planned.at as f64 / 1e3,
                planned.station,
                deed["action"].as_str().unwrap()
            )
        });
        told.collect()
    }

    const TAKEN: u128 = 7;
    /// The sixth.
    const MISSED: u128 = 6 * 5_000;

    #[test]
    fn a_page_is_shown_and_taken_once() {
        let mut officers = Officers::default();
        let page = json!({"page_id": Ulid(9)});
        officers.hear(&heard(TAKEN, "yudong", 0, &page));
        officers.hear(&heard(TAKEN, "yudong", 100, &page));
        let wanted = [
            "0.3 yudong shown",
            "3.0 yudong acknowledge",
            "11.0 yudong dispatch",
            "33.0 yudong arrive",
        ];
        assert_eq!(plan(&mut officers), wanted);
    }

    #[test]
    fn one_of_six_is_missed_by_its_own_station_and_taken_by_a_neighbour_at_step_2() {
        let mut officers = Officers::default();
        let page = json!({"page_id": Ulid(9)});
        let paged = |officers: &mut Officers, id: u128| {
            officers.hear(&heard(id * 5_000, "yudong", 0, &page));
            officers.hear(&heard(id * 5_000, "yudong", 0, &page));
            plan(officers)
        };
        for id in 1..u128::from(MISSED_OF) {
            assert!(
                paged(&mut officers, id).contains(&"3.0 yudong acknowledge".to_owned()),
                "{id}"
            );
        }
        assert_eq!(paged(&mut officers, 6), ["0.3 yudong shown"]);
        officers.hear(&heard(MISSED, "huaxi", 60_000, &json!({"page_id": Ulid(10), "step": 2})));
        let wanted = [
            "60.3 huaxi shown",
            "63.0 huaxi acknowledge",
            "71.0 huaxi dispatch",
            "93.0 huaxi arrive",
        ];
        assert_eq!(plan(&mut officers), wanted);
        officers.hear(&heard(MISSED, ABSENT, 60_000, &json!({"page_id": Ulid(11), "step": 2})));
        assert!(plan(&mut officers).is_empty(), "nobody sits there");
    }

    #[test]
    fn a_warning_is_never_missed() {
        let mut officers = Officers::default();
        let page = json!({"page_id": Ulid(9), "class": "upkeep", "severity": "warning"});
        for id in 1..=u128::from(MISSED_OF) {
            officers.hear(&heard(id * 5_000, "yudong", 0, &page));
            assert_eq!(plan(&mut officers), ["0.3 yudong shown", "7.0 yudong acknowledge"], "{id}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn the_crew_says_what_it_found() {
        for (story, more, wanted) in [
            ("it burns",   json!({"conditions": ["smoke", "heat"]}),    vec!["170.0 yudong resolve"]),
            ("it smokes",  json!({}),                                   vec!["90.0 yudong false_alarm"]),
            ("water",      json!({"class": "water", "severity": "critical"}), vec![]),
            ("knocked",    json!({"class": "upkeep", "severity": "warning"}), vec!["260.0 yudong resolve"]),
        ] {
            let mut officers = Officers::default();
            let mut taken = heard(TAKEN, "yudong", 20_000, &more);
            taken.incident.state = standpipe_rules::incidents::State::Acknowledged;
            officers.hear(&heard(TAKEN, "yudong", 10_000, &json!({"state": "acknowledged"})));
            officers.hear(&taken);
            officers.hear(&taken);
            assert_eq!(plan(&mut officers), wanted, "{story}");
        }
    }
}
