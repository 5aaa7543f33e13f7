//! What holds for every message.

use proptest::collection::vec;
use proptest::prelude::*;
use standpipe_shared::{Alarm, Condition, Field, Measurements, Reading};

use super::super::topics::side;
use super::super::{Message, parse, print};
use super::{ROOT, below, cases};

prop_compose! {
    fn readings()(
        boot in proptest::option::of(any::<u32>()),
        seq in proptest::option::of(any::<u32>()),
        ts in proptest::option::of(any::<i64>()),
        values in vec(proptest::option::of(-1e6f32..1e6), Field::ALL.len()),
    ) -> Reading {
        let mut all = Measurements::default();
        for (field, value) in Field::ALL.into_iter().zip(values) {
            if let Some(value) = value {
                all.set(field, value).unwrap();
            }
        }
        Reading { boot, seq, ts, values: all, ..Reading::default() }
    }
}

prop_compose! {
    fn alarms()(
        reading in readings(),
        condition in prop::sample::select(Condition::ALL[..Condition::ClockFault as usize + 1].to_vec()),
        active in any::<bool>(),
        test in any::<bool>(),
    ) -> Alarm {
        Alarm { reading, condition, active, test }
    }
}

/// Elements that are no readings, whose quotes and brackets match.
fn bad() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "NaN",
        "3",
        "nul",
        "[]",
        "[{\"seq\":1}]",
        "\"a,]}\\\"\"",
        "{\"pressure_kpa\":NaN}",
        "{\"seq\":-1}",
        "{'seq':1}",
        "{\"x\":[1,{\"y\":\"}\\\\\"}],}",
        "{\"ts\":1.5}",
        "{]",
        "\\",
    ])
    .prop_map(str::to_owned)
}

/// Whether a reading says something: else the message is not understood.
fn says_something(reading: &Reading) -> bool {
    let Reading { boot, seq, values, .. } = reading;
    boot.is_some() || seq.is_some() || *values != Measurements::default()
}

/// Members of an alarm about a fire, whatever else is in them; never a readable end of it.
fn members_of_a_fire() -> impl Strategy<Value = Vec<String>> {
    let fire = prop::sample::select(vec![
        "\"condition\":\"smoke\"",
        "\"condition\":\"HEAT\"",
        "\"condition\" : \" Smoke \"",
    ]);
    let other = prop::sample::select(vec![
        "\"active\":true",
        "\"active\":\"ON\"",
        "\"active\":2",
        "\"active\":null",
        "\"active\":[]",
        "\"active\":NaN",
        "\"active\":\"报警\"",
        "\"active\":\"fal\"",
        "\"active\":false,\"active\":true",
        "\"active\":true,\"active\":0",
        "\"condition\":\"tamper\"",
        "\"test\":\"yes\"",
        "\"test\":0",
        "\"test\":true,\"test\":true",
        "\"boot\":-1",
        "\"seq\":\"9\"",
        "\"ts\":\"2025-11-24T16:00:00Z\"",
        "\"ts\":\"noon\"",
        "\"smoke_db_m\":\"0.3\"",
        "\"temp_c\":1e99",
        "\"x\":{\"active\":false}",
        "\"x\":NaN",
        "y",
        "",
        "'active':false",
        "\"消\":\"}\"",
    ]);
    (fire, vec(other.prop_map(str::to_owned), 0..8), any::<prop::sample::Index>()).prop_map(
        |(fire, mut members, at)| {
            let at = at.index(members.len() + 1);
            members.insert(at, fire.to_owned());
            members
        },
    )
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_fire_that_can_be_read_is_a_fire_or_told_to_people(
        members in members_of_a_fire(),
        before in prop::sample::select(vec!["", "\u{feff}", "[", "{}", "x ", "{\"x\":1}\n"]),
        after in prop::sample::select(vec!["}", "", "}]", "}}", "}\0\0", ",", "} {\"x\":1}", "\u{0}"]),
    ) {
        let payload = format!("{before}{{{}{after}", members.join(","));
        match below("a/d/alarm", &payload).message {
            Some(Message::Alarm { alarm, .. }) => {
                prop_assert!(alarm.active && !alarm.test, "{payload}");
                prop_assert!(matches!(alarm.condition, Condition::Smoke | Condition::Heat));
            }
            Some(Message::UnreadableAlarm { .. }) => {}
            other => prop_assert!(false, "{payload}: {other:?}"),
        }
    }

    #[test]
    fn nothing_on_an_alarm_topic_is_kept_from_people(
        levels in vec(prop::sample::select(vec!["a", "", "d d", "e\u{301}", "烟", "..", "alarm", "x"]), 0..5),
        last in prop::sample::select(vec!["alarm", "alarms", "Alarm", "ALARMS", "aLaRm/", "alarm//"]),
        payload in prop_oneof![
            vec(any::<u8>(), 1..60),
            "[ -~]{1,40}".prop_map(String::into_bytes),
            Just(br#"{"condition":"smoke","active":true}"#.to_vec()),
        ],
    ) {
        let topic = levels.into_iter().chain([last]).collect::<Vec<_>>().join("/");
        let message = below(&topic, &payload).message;
        prop_assert!(
            matches!(message, Some(Message::Alarm { .. } | Message::UnreadableAlarm { .. })),
            "{topic}: {message:?}"
        );
    }

    #[test]
    fn nothing_panics(topic in vec(any::<u8>(), 0..40), payload in vec(any::<u8>(), 0..200)) {
        let _ = (print(&topic, &payload), side(ROOT, &topic));
        let parsed = parse(ROOT, &topic, &payload);
        prop_assert!(
            payload.is_empty() || parsed.message.is_some() || !parsed.rejected.is_empty()
        );
    }

    #[test]
    fn no_text_panics_on_any_channel(
        channel in prop::sample::select(vec![
            "a/d/telemetry", "a/d/alarm", "a/d/status", "a/d/reply", "stations/s/actions",
            "stations/s/presence",
        ]),
        words in vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"condition\":", "\"smoke\"", "\"active\":",
            "true", "1", "\"ts\":", "\"online\":", "NaN", "1e999", "消", " ", "\u{0}",
        ]), 0..30),
    ) {
        let payload = words.concat();
        let parsed = below(channel, &payload);
        prop_assert!(
            payload.is_empty() || parsed.message.is_some() || !parsed.rejected.is_empty()
        );
    }

    #[test]
    fn a_reading_is_read_as_it_was_written(reading in readings()) {
        let parsed = below("a/d/telemetry", serde_json::to_vec(&reading).unwrap());
        let (area, device) = ("a".into(), "d".into());
        let want = if says_something(&reading) {
            Message::Telemetry { area, device, readings: vec![reading] }
        } else {
            Message::NotUnderstood { area, device }
        };
        prop_assert_eq!(parsed.message, Some(want));
        prop_assert_eq!(parsed.rejected.len(), 0);
    }

    #[test]
    fn an_alarm_is_read_as_it_was_written(alarm in alarms()) {
        let parsed = below("a/d/alarm", serde_json::to_vec(&alarm).unwrap());
        let want = Message::Alarm { area: "a".into(), device: "d".into(), alarm };
        prop_assert_eq!(parsed.message, Some(want));
        prop_assert_eq!(parsed.rejected.len(), 0);
    }

    #[test]
    fn one_bad_element_never_changes_its_neighbours(
        elements in vec(prop_oneof![readings().prop_map(Ok), bad().prop_map(Err)], 2..20),
    ) {
        let texts: Vec<String> = elements.iter().map(|element| match element {
            Ok(reading) => serde_json::to_string(reading).unwrap(),
            Err(bad) => bad.clone(),
        }).collect();
        let parsed = below("a/d/telemetry", format!("[{}]", texts.join(",")));
        let good: Vec<Reading> = elements.iter().filter_map(|element| element.clone().ok()).collect();
        prop_assert_eq!(parsed.rejected.len(), elements.len() - good.len());
        match parsed.message {
            Some(Message::Telemetry { readings, .. }) => prop_assert_eq!(readings, good),
            Some(Message::NotUnderstood { .. }) => prop_assert!(!good.iter().any(says_something)),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn one_bad_member_never_changes_an_alarm(
        alarm in alarms(),
        spoil in prop::sample::select(vec!["\"x\":NaN", "y", "\"smoke_db_m\":[]", "\"boot\":{}"]),
        at in 0_usize..20,
    ) {
        let text = serde_json::to_string(&alarm).unwrap();
        let inside = text.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
        let mut members: Vec<&str> = inside.split(',').collect();
        members.insert(at.min(members.len()), spoil);
        let parsed = below("a/d/alarm", format!("{{{}}}", members.join(",")));
        let mut alarm = alarm;
        let reading = &mut alarm.reading;
        reading.numbers_lost = spoil.contains("boot");
        // A good one beside it contradicts it.
        let twice = match spoil {
            "\"boot\":{}" => reading.boot.take().is_some(),
            "\"smoke_db_m\":[]" => reading.values.smoke_db_m.take().is_some(),
            _ => false,
        };
        let want = Message::Alarm { area: "a".into(), device: "d".into(), alarm };
        prop_assert_eq!(parsed.message, Some(want));
        prop_assert_eq!(parsed.rejected.len(), 1 + usize::from(twice));
    }
}
