//! Which notices are told, how often each is counted, and what is left out.

use serde_json::json;
use standpipe_shared::Condition;

use super::{Digest, DigestScope, LINES, Line};
use crate::Ms;
use crate::incidents::WireIncident;

/// The day before ended here …
const FROM: Ms = 1_000;
/// … and this one here.
const TO: Ms = 2_000;

/// A notice of one device; `more` changes what it says.
fn notice(n: u32, opened_at: Ms, closed_at: Option<Ms>, more: &serde_json::Value) -> WireIncident {
    let state = if closed_at.is_some() { "closed" } else { "open" };
    let mut wire = json!({
        "id": format!("01KAV0000000000000000{n:05}"), "rev": 1, "station": "t1",
        "class": "upkeep", "severity": "notice", "state": state, "episode": 1,
        "conditions": ["battery_low"],
        "device": {"id": format!("H-{n}"), "kind": "hydrant", "name": "", "address": "Road 1",
            "lat": null, "lon": null},
        "zone": null, "title": {"en": "Battery low", "zh": "电量不足"}, "opened_at": opened_at,
        "since": opened_at - 5, "updated_at": 1, "late_s": 0, "exercise": false, "value": {},
        "hydrants": [], "step": 0, "next_step_at": null, "page_id": null, "closed_at": closed_at,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        wire[key] = value.clone();
    }
    serde_json::from_value(wire).unwrap()
}

fn digest(incidents: impl IntoIterator<Item = WireIncident>) -> Digest {
    let station = Some("t1".into());
    Digest::of(DigestScope { day: "2026-11-28".into(), station, from: FROM, to: TO }, incidents)
}

#[test]
#[rustfmt::skip] // a table
fn what_is_open_and_what_ended_since_the_last_time() {
    let none = json!({});
    // Open, new, closed.
    for (story, opened_at, closed_at, more, expected) in [
        ("open for long",               10, None,          &none, (1, 0, 0)),
        ("opened since",              1500, None,          &none, (1, 1, 0)),
        ("opened at the last moment", 1999, None,          &none, (1, 1, 0)),
        ("opened as the last was told", FROM, None,        &none, (1, 1, 0)),
        ("opened just before that",    999, None,          &none, (1, 0, 0)),
        ("opened too late",             TO, None,          &none, (0, 0, 0)),
        ("ended since",                 10, Some(1500),    &none, (0, 0, 1)),
        ("came and went",             1200, Some(1500),    &none, (0, 1, 1)),
        ("ended as the last was told",  10, Some(FROM),    &none, (0, 0, 1)),
        ("ended before",                10, Some(999),     &none, (0, 0, 0)),
        ("ends later: open by then",    10, Some(TO),      &none, (1, 0, 0)),
        ("ended at the last moment",    10, Some(TO - 1),  &none, (0, 0, 1)),
        ("a warning was paged",         10, None, &json!({"severity": "warning"}), (0, 0, 0)),
        ("an exercise",                 10, None, &json!({"exercise": true}), (0, 0, 0)),
        ("told with its area",          10, None, &json!({"parent": "01KAV000000000000000000000"}), (0, 0, 0)),
        ("a test",                      10, Some(1500), &json!({"outcome": "test"}), (0, 0, 0)),
        ("practised",                   10, Some(1500), &json!({"outcome": "exercise"}), (0, 0, 0)),
        ("announced work",              10, Some(1500), &json!({"outcome": "maintenance"}), (0, 0, 0)),
        ("repaired",                    10, Some(1500), &json!({"outcome": "repaired"}), (0, 0, 1)),
        ("recovered",                   10, Some(1500), &json!({"outcome": "recovered"}), (0, 0, 1)),
        ("nothing",                     10, Some(1500), &json!({"outcome": "false_alarm"}), (0, 0, 1)),
        ("nothing is known of it",      10, None, &json!({"conditions": []}), (1, 0, 0)),
    ] {
        let daily = digest([notice(1, opened_at, closed_at, more)]);
        assert_eq!((daily.open, daily.new, daily.closed), expected, "{story}");
        assert_eq!(daily.is_empty(), expected == (0, 0, 0), "{story}");
        assert_eq!(daily.items.len(), usize::from(!daily.is_empty()), "{story}");
        let ended = daily.items.iter().any(|item| item.closed_at.is_some());
        assert_eq!(ended, expected.2 > 0, "{story}");
    }
    assert!(digest([]).is_empty());
}

#[test]
fn what_one_incident_says_is_in_its_line() {
    let conditions = json!({"conditions": ["battery_low", "offline"]});
    let daily = digest([notice(7, 1500, None, &conditions)]);
    let line = &daily.items[0];
    assert_eq!((&*line.device, &*line.address, &*line.station), ("H-7", "Road 1", "t1"));
    assert_eq!((line.since, line.opened_at, line.closed_at), (1495, 1500, None));
    assert_eq!(line.condition, Some(Condition::BatteryLow), "as in its title: the first of equals");
    assert_eq!((&*line.title.en, &*line.title.zh), ("Battery low", "电量不足"));
    let muted = json!({"conditions": ["battery_low", "no_water"], "device": null});
    let daily = digest([notice(7, 1500, None, &muted)]);
    assert_eq!(daily.items[0].condition, Some(Condition::NoWater), "the worst");
    assert_eq!((&*daily.items[0].device, &*daily.items[0].address), ("", ""), "of a zone");
}

#[test]
fn counts_come_most_first_and_lines_in_their_order() {
    let of = |condition: &str| json!({ "conditions": [condition] });
    let daily = digest([
        notice(1, 10, Some(1500), &of("offline")),
        notice(2, 10, None, &of("battery_low")),
        notice(3, 9, None, &of("offline")),
        notice(4, 8, None, &of("offline")),
        notice(5, 1500, None, &of("contamination")),
        notice(6, 1600, Some(1700), &of("clock_fault")),
        notice(7, 8, None, &of("offline")),
        notice(8, 10, None, &json!({"conditions": []})),
        notice(9, 20, Some(1500), &of("clock_fault")),
    ]);
    let counts: Vec<_> = daily
        .counts
        .iter()
        .map(|count| (count.condition.as_str(), count.open, count.new, count.closed))
        .collect();
    let expected = [
        ("offline", 3, 0, 1),
        ("battery_low", 1, 0, 0),
        ("contamination", 1, 1, 0),
        ("clock_fault", 0, 1, 2),
    ];
    assert_eq!(counts, expected);
    assert_eq!((daily.open, daily.new, daily.closed, daily.more), (6, 2, 3, 0));
    let order: Vec<&str> = daily.items.iter().map(|item| &*item.device).collect();
    let expected = ["H-5", "H-4", "H-7", "H-3", "H-2", "H-8", "H-6", "H-1", "H-9"];
    assert_eq!(order, expected, "new, then as counted, the longest true first; what ended last");
}

#[test]
fn fifty_are_named_and_all_are_counted() {
    let of = |n: u32| digest((0..n).map(|n| notice(n, 10, None, &json!({}))));
    for (n, more) in [(49, 0), (50, 0), (51, 1), (60, 10)] {
        let daily = of(n);
        assert_eq!((daily.open, daily.more, daily.counts[0].open), (n, more, n));
        assert_eq!(daily.items.len(), LINES.min(n as usize), "{n}");
    }
    let daily = of(51);
    assert_eq!(
        (&*daily.day, daily.station.as_deref(), daily.from, daily.to),
        ("2026-11-28", Some("t1"), FROM, TO)
    );
    let json = serde_json::to_string(&daily).unwrap();
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), daily, "as it is kept");
}

#[test]
fn a_line_does_not_say_twice_where_it_is() {
    let placed = json!({"place": {"kind": "device", "name": "H-1"}});
    let with = digest([notice(1, 10, None, &placed)]).items.remove(0);
    let without = Line { place: None, ..with.clone() };
    for (line, part, title, expected) in [
        (&with, "H-1", "Battery low", true),
        (&with, "Road 1", "Battery low · Road 1", false),
        (&without, "Road 1", "Battery low · Road 1", true),
        (&without, "H-1", "Battery low · Road 1", false),
    ] {
        assert_eq!(line.is_placed_by(part, title), expected, "{part} in {:?}, {title}", line.place);
    }
}
