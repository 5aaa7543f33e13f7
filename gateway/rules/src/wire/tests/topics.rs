//! Which lane takes what: nothing twice, nothing not at all.

use proptest::prelude::*;

use super::super::Parsed;
use super::super::decoder::{Decoder, Maker, Ours, Parameters, Raw, by_device};
use super::super::topics::{
    ACTION_LANE, ALARM_LANE, ALARM_LANE_BEFORE, READINGS_LANE, READINGS_LANE_BEFORE, STATUS_LANE,
    Side, side,
};
use super::{ROOT, below, told};
use crate::cases::cases;

/// Whether a filter of MQTT takes a topic.
fn takes(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(asked), Some(level)) if asked == level => {}
            (Some(_) | None, _) => return false,
        }
    }
}

#[test]
#[rustfmt::skip] // a table
fn each_topic_is_one_sides() {
    use Side::{ActionLane, AlarmLane, Gateway, Readings, StatusLane};
    for (topic, expected) in [
        ("a/d/telemetry", Readings), ("a/d/alarm", AlarmLane), ("a/d/status", StatusLane), ("stations/s/status", StatusLane), ("a/d/Status", Readings), ("a/d/reply", StatusLane), ("stations/s/reply", StatusLane),
        ("a/d/alarms", AlarmLane), ("a/d/Alarm", AlarmLane), ("a/d/alarm/", AlarmLane), ("a/d/aLARM", Readings), ("a/d/AlArM", Readings), ("x/y/event", Readings), ("a/d/TELEMETRY", Readings), ("a/d/telemetry/", Readings),
        ("a/d/Alarm/", Readings), ("a/d/alarm//", Readings), ("a/b/d/alarm", Readings), ("a/alarm", Readings), ("alarm", Readings),
        ("/d/alarm", AlarmLane), ("//alarm", AlarmLane), ("a/d/settings", Gateway), ("a/d/command", Gateway),
        ("gateway/clock", Gateway), ("gateway", Gateway), ("gateway/what/ever", Gateway), ("gateways/clock", Readings),
        ("stations/s/incidents/01J", Gateway), ("stations/s/maintenance", Gateway), ("stations/s/actions", ActionLane),
        ("stations/s/presence", ActionLane), ("a/d/actions", Readings), ("a/d/presence", Readings), ("stations/s/alarm", AlarmLane), ("stations/s/incidents", Readings),
        ("stations/s/incidents/01J/x", Readings), ("stations/s/actions/x", Readings), ("stations/s", Readings),
        ("a/d/settings/x", Readings), ("a/d/shout", Readings), ("", Readings), ("/", Readings),
    ] {
        assert_eq!(side(ROOT, format!("{ROOT}/{topic}").as_bytes()), expected, "{topic}");
    }
    for outside in ["standpipe/v1", "standpipe/v1x/a/d/alarm", "x", ""] {
        assert_eq!(side(ROOT, outside.as_bytes()), Readings, "{outside}");
    }
}

#[test]
fn no_lane_forgets_a_filter_that_it_asks_for() {
    let forgotten = READINGS_LANE.iter().any(|filter| READINGS_LANE_BEFORE.contains(filter));
    assert!(!forgotten, "{READINGS_LANE:?}");
    let forgotten = ALARM_LANE.iter().any(|filter| ALARM_LANE_BEFORE.contains(filter));
    assert!(!forgotten, "{ALARM_LANE:?}");
    let others = [STATUS_LANE, ACTION_LANE].concat();
    assert_eq!(ALARM_LANE_BEFORE.as_slice(), others, "what one forgets the others ask for");
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// What the broker sends to the alarm lane, to the status lane and to the action lane is exactly
    /// what the readings' lane passes over for them; `gateway/…` is nobody's there.
    #[test]
    fn the_readings_lane_leaves_to_the_others_what_they_get(
        levels in prop::collection::vec(prop::sample::select(vec![
            "a", "", "stations", "gateway", "selftest", "alarm", "alarms", "Alarm", "ALARM", "ALARMS",
            "Alarms", "aLARM", "status", "reply", "telemetry", "settings", "command", "actions",
            "presence", "incidents", "maintenance", "消",
        ]), 1..6),
    ) {
        let topic = levels.join("/");
        let taken = |filters: &[&str]| filters.iter().filter(|filter| takes(filter, &topic)).count();
        let [alarm, status, action] =
            [&ALARM_LANE[..], &STATUS_LANE, &ACTION_LANE].map(|filters| taken(filters) > 0);
        let lanes = [alarm, status, action].into_iter().filter(|takes| *takes).count();
        prop_assert!(lanes <= 1, "{} comes on {} lanes", topic, lanes);
        let heard = READINGS_LANE.iter().filter(|filter| takes(filter, &topic)).count();
        prop_assert_eq!(heard, 1, "every topic, and once");
        let side = side(ROOT, format!("{ROOT}/{topic}").as_bytes());
        if levels[0] == "gateway" {
            prop_assert_eq!(side, Side::Gateway);
        } else {
            prop_assert_eq!(side == Side::AlarmLane, alarm, "{}", topic);
            prop_assert_eq!(side == Side::StatusLane, status, "{}", topic);
            prop_assert_eq!(side == Side::ActionLane, action, "{}", topic);
        }
    }
}

#[test]
fn a_decoder_looks_up_what_is_known_of_a_device_and_ours_needs_none_of_it() {
    let table =
        |device: &str, name: &str| ((device, name) == ("P-1", "full_kpa")).then_some(2_500.0);
    let known = Parameters::of(&table);
    for (device, name, value) in
        [("P-1", "full_kpa", Some(2_500.0)), ("P-1", "zero_kpa", None), ("P-2", "full_kpa", None)]
    {
        assert_eq!(known.get(device, name), value, "{device} {name}");
        assert_eq!(Parameters::NONE.get(device, name), None);
    }
    let topic = format!("{ROOT}/a/d/telemetry");
    let raw = Raw { topic: topic.as_bytes(), payload: br#"{"temp_c":20}"# };
    let read = told(&Ours::below(ROOT).decode(raw, known));
    assert_eq!(read, told(&below("a/d/telemetry", r#"{"temp_c":20}"#)));
    assert!(read.starts_with("a/d measured:"), "{read}");
}

/// Another maker's payload: the temperature in a byte.
struct Celsius;

impl Decoder for Celsius {
    fn decode(&self, raw: Raw<'_>, parameters: Parameters<'_>) -> Parsed {
        let celsius = raw.payload.first().copied().unwrap_or_default();
        let payload = format!(r#"{{"temp_c":{celsius}}}"#);
        Ours::below(ROOT).decode(Raw { payload: payload.as_bytes(), ..raw }, parameters)
    }
}

#[test]
fn what_a_device_sends_is_read_by_the_decoder_of_its_row_and_by_ours_otherwise() {
    static CELSIUS: &[Maker] = &[Maker { name: "celsius", decoder: &Celsius }];
    let rows = |device: &str| match device {
        "C-1" => Some("celsius".into()),
        "L-1" => Some("of a later version".into()),
        _ => None,
    };
    let decoder = by_device(ROOT, CELSIUS, rows);
    let read = |device: &str, payload: &[u8]| {
        let topic = format!("{ROOT}/a/{device}/telemetry");
        told(&decoder.decode(Raw { topic: topic.as_bytes(), payload }, Parameters::NONE))
    };
    let (theirs, ours) = (b"\x14".as_slice(), br#"{"temp_c":20}"#.as_slice());
    for (device, payload) in [("C-1", theirs), ("H-1", ours), ("L-1", ours)] {
        let expected = told(&below(&format!("a/{device}/telemetry"), r#"{"temp_c":20}"#));
        assert_eq!(read(device, payload), expected, "{device}");
    }
    assert!(!read("H-1", theirs).contains("measured"), "it is nothing of ours");
    // A topic that names no device, or lies elsewhere, is ours to judge.
    for topic in [format!("{ROOT}/C-1"), "elsewhere/a/C-1/telemetry".to_owned()] {
        let raw = Raw { topic: topic.as_bytes(), payload: ours };
        let expected = told(&Ours::below(ROOT).decode(raw, Parameters::NONE));
        assert_eq!(told(&decoder.decode(raw, Parameters::NONE)), expected);
    }
}

#[test]
fn where_there_is_no_decoder_but_ours_no_device_is_looked_up() {
    let decoder = by_device(ROOT, &[], |device| panic!("{device} was looked up"));
    let topic = format!("{ROOT}/a/d/telemetry");
    let raw = Raw { topic: topic.as_bytes(), payload: br#"{"temp_c":20}"# };
    let read = told(&decoder.decode(raw, Parameters::NONE));
    assert!(read.starts_with("a/d measured:"), "{read}");
}
