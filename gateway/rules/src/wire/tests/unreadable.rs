//! Whatever comes on an alarm topic reaches people: as an alarm, or as one that can't be read.

use super::super::{MAX_PAYLOAD, MAX_SHOWN, Message, RejectedReason, parse, print};
use super::{ROOT, below, reasons, told};

fn alarm(payload: impl AsRef<[u8]>) -> String {
    told(&below("banan/SMK-1/alarm", payload))
}

/// What `active` may be beside a fire, and what is made of it.
#[test]
#[rustfmt::skip] // a table
fn a_fire_is_a_fire_unless_it_plainly_is_over() {
    for (active, expected) in [
        ("true", true), ("1", true), ("1.0", true), ("\"ON\"", true), ("\"on\"", true), ("\"alarm\"", true),
        ("\"报警\"", true), ("\"\\u62a5\\u8b66\"", true), ("\"Yes\"", true), ("ON", true),
        ("2", true), ("null", true), ("\"\"", true), ("\"perhaps\"", true), ("[]", true), ("{\"value\":false}", true), ("NaN", true),
        ("false", false), ("0", false), ("0.0", false), ("\"off\"", false), ("\"OFF\"", false), ("\"clear\"", false),
        ("\"normal\"", false), ("\"正常\"", false), ("\"恢复\"", false), ("\"inactive\"", false),
    ] {
        for condition in ["smoke", "heat", "\"Smoke\""] {
            let condition = condition.trim_matches('"');
            let payload = format!(r#"{{"condition":"{condition}","active":{active}}}"#);
            let parsed = below("a/d/alarm", &payload);
            let Some(Message::Alarm { alarm, .. }) = parsed.message else { panic!("{payload}: {parsed:?}") };
            assert_eq!((alarm.active, alarm.test), (expected, false), "{payload}");
        }
    }
    for payload in [r#"{"condition":"smoke"}"#, r#"{"condition":"heat","temp_c":61}"#, r#"{"condition":"smoke","active":"ye"#] {
        let parsed = below("a/d/alarm", payload);
        let Some(Message::Alarm { alarm, .. }) = &parsed.message else { panic!("{payload}: {parsed:?}") };
        assert!(alarm.active && !alarm.test, "{payload}");
        assert_eq!(parsed.rejected.len(), 1, "it is told all the same: {payload}");
    }
}

#[test]
#[rustfmt::skip] // a table
fn nothing_but_a_plain_yes_makes_a_fire_a_test() {
    for (test, expected) in [
        ("true", true), ("1", true), ("\"true\"", true),
        ("\"yes\"", false), ("\"1\"", false), ("\"on\"", false), ("1.0", false), ("2", false), ("\"True\"", false), ("[true]", false),
        ("false", false), ("0", false), ("null", false), ("\"\"", false),
        ("true,\"test\":\"yes\"", false),
    ] {
        let payload = format!(r#"{{"condition":"smoke","active":true,"test":{test}}}"#);
        let parsed = below("a/d/alarm", &payload);
        let Some(Message::Alarm { alarm, .. }) = parsed.message else { panic!("{payload}: {parsed:?}") };
        assert_eq!((alarm.active, alarm.test), (true, expected), "{payload}");
    }
}

#[test]
#[rustfmt::skip] // a table
fn a_fire_on_the_topic_of_readings_is_a_fire() {
    for (story, payload, expected) in [
        ("as it should be",          r#"{"condition":"smoke","active":true}"#,                      Some((true, false, None))),
        ("with numbers",             r#"{"boot":1,"seq":2,"condition":"smoke","active":true}"#,     Some((true, false, None))),
        ("over",                     r#"{"condition":"smoke","active":false}"#,                     Some((false, false, None))),
        ("a test",                   r#"{"condition":"smoke","active":true,"test":true}"#,          Some((true, true, None))),
        ("in other words",           r#"{"condition":"Smoke","active":"ON"}"#,                      Some((true, false, None))),
        ("nobody knows",             r#"{"condition":"heat"}"#,                                     Some((true, false, None))),
        ("torn",                     r#"{"condition":"smoke","active":tr"#,                         Some((true, false, None))),
        ("behind a BOM",             "\u{feff}{\"condition\":\"smoke\",\"active\":1}\0",             Some((true, false, None))),
        ("and a reading",            r#"{"temp_c":61.5,"condition":"heat","active":true}"#,         Some((true, false, Some(61.5)))),
        ("and a bad reading",        r#"{"temp_c":"61.5","x":NaN,"condition":"heat","active":1}"#,  Some((true, false, Some(61.5)))),
        ("over, and a reading",      r#"{"temp_c":20,"condition":"heat","active":false}"#,          Some((false, false, Some(20.0)))),
        ("in an array",              r#"[{"condition":"smoke","active":true}]"#,                    Some((true, false, None))),
        ("beside a reading",         r#"[{"temp_c":20},{"condition":"smoke","active":true}]"#,      Some((true, false, None))),
        ("the worst of two",         r#"[{"condition":"smoke","active":false},{"condition":"heat","active":true,"temp_c":70}]"#, Some((true, false, Some(70.0)))),
        ("line by line",             "{\"temp_c\":20}\n{\"condition\":\"smoke\"}",                    Some((true, false, None))),
        ("over, beside a reading",   r#"[{"temp_c":20},{"condition":"smoke","active":false}]"#,     None),
        ("no fire",                  r#"{"condition":"tamper","active":true}"#,                     None),
        ("no condition",             r#"{"condition":"fog","active":true}"#,                        None),
        ("a reading's state",        r#"{"temp_c":20,"condition":"normal"}"#,                       None),
        ("within another member",    r#"{"data":{"condition":"smoke","active":true}}"#,             None),
        ("another member",           r#"{"smoke":true}"#,                                           None),
        ("a reading",                r#"{"temp_c":20}"#,                                            None),
    ] {
        let parsed = below("a/d/telemetry", payload);
        let wrong = parsed.rejected.iter().filter(|rejected| rejected.reason == RejectedReason::Topic).count();
        let found = match &parsed.message {
            Some(Message::Alarm { area, device, alarm }) => {
                assert_eq!((&**area, &**device, wrong), ("a", "d", 1), "{story}: the topic is told once");
                assert_eq!(parsed.rejected[0].reason, RejectedReason::Topic, "{story}: and counted");
                Some((alarm.active, alarm.test, alarm.reading.values.temp_c.map(|temp| temp.get())))
            }
            _ => { assert_eq!(wrong, 0, "{story}"); None }
        };
        assert_eq!(found, expected, "{story}: {parsed:?}");
    }
}

/// What stands on such a topic, and whether it is read.
#[test]
fn a_fire_is_one_on_whatever_topic_it_comes() {
    let fire = r#"{"condition":"smoke","active":true,"temp_c":61}"#;
    for topic in [
        "a/d/telemetry",
        "a/d/Telemetry",
        "a/d/TELEMETRY",
        "a/d/telemetry/",
        "a/d/teleMETRY//",
        "a/d/status",
        "a/d/Status",
        "a/d/status/",
        "a/d/reply",
        "a/d/event",
        "a/d/alarming",
    ] {
        let parsed = below(topic, fire);
        let Some(Message::Alarm { area, device, alarm }) = &parsed.message else {
            panic!("{topic}: {parsed:?}")
        };
        assert_eq!((&**area, &**device, alarm.active), ("a", "d", true), "{topic}");
        assert_eq!(alarm.reading.values.temp_c.map(|temp| temp.get()), Some(61.0), "{topic}");
        assert_eq!(reasons(&parsed), [RejectedReason::Topic], "{topic}: it is told");
    }
    for topic in ["a/d/alarm/x", "a/b/d/telemetry", "a/telemetry", "telemetry", "a/e\u{301}/x"] {
        let parsed = below(topic, fire);
        let told = matches!(&parsed.message, Some(Message::UnreadableAlarm { device: None, .. }));
        assert!(told, "{topic}: {parsed:?}");
        assert_eq!(reasons(&parsed), [RejectedReason::Topic], "{topic}: it is told");
    }
    let bytes = parse(ROOT, b"standpipe/v1/a/\xff/x", fire.as_bytes());
    assert!(matches!(bytes.message, Some(Message::UnreadableAlarm { .. })));
    let escaped = r#"{"c\u006fndition":"smoke","active":true}"#;
    assert!(matches!(below("a/d/status", escaped).message, Some(Message::Alarm { .. })));
    // Nothing else becomes an alarm there.
    for payload in [
        r#"{"condition":"tamper","active":true}"#,
        r#"{"condition":"smoky","active":true}"#,
        r#"{"smoke":true}"#,
        "ON",
    ] {
        for topic in ["a/d/event", "a/b/d/telemetry", "x"] {
            let parsed = below(topic, payload);
            assert_eq!(
                (&parsed.message, reasons(&parsed)),
                (&None, vec![RejectedReason::Topic]),
                "{topic}"
            );
        }
    }
    let over = r#"{"condition":"smoke","active":false}"#;
    assert!(matches!(below("a/d/event", over).message, Some(Message::Alarm { .. })));
    assert_eq!(below("a/b/d/event", over).message, None);
    let padded = |length: usize| format!("{fire}{}", " ".repeat(length - fire.len()));
    assert!(matches!(below("a/d/event", padded(MAX_PAYLOAD)).message, Some(Message::Alarm { .. })));
    assert_eq!(below("a/d/event", padded(MAX_PAYLOAD + 1)).message, None);
}

#[test]
fn a_fire_takes_the_place_of_a_status_or_an_answer_and_its_end_does_not() {
    for (topic, members) in
        [("a/d/status", r#""online":true"#), ("a/d/reply", r#""id":"x","ok":true"#)]
    {
        let with = |active| {
            below(topic, format!(r#"{{{members},"condition":"smoke","active":{active}}}"#))
        };
        assert!(matches!(with("true").message, Some(Message::Alarm { .. })), "{topic}");
        assert!(matches!(with("\"x\"").message, Some(Message::Alarm { .. })), "{topic}");
        let over = with("false").message;
        let understood = matches!(over, Some(Message::Status { .. } | Message::Reply { .. }));
        assert!(understood, "{topic}: {over:?}");
    }
}

#[test]
fn readings_are_read_however_their_topic_is_written() {
    let reading = r#"{"seq":1,"pressure_kpa":300}"#;
    for topic in ["a/d/Telemetry", "a/d/TELEMETRY", "a/d/telemetry/", "a/d/teLemetry//"] {
        assert_eq!(below(topic, reading), below("a/d/telemetry", reading), "{topic}");
        assert_eq!(below(topic, ""), super::Parsed::default(), "{topic}");
    }
    for topic in ["a/d/telemetries", "a/b/d/telemetry", "a/telemetry", "a/d/telemetry/x"] {
        let parsed = below(topic, reading);
        assert_eq!(
            (&parsed.message, reasons(&parsed)),
            (&None, vec![RejectedReason::Topic]),
            "{topic}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_to_people() {
    let payloads: [&[u8]; 22] = [
        b"ON",
        b"1",
        b" ",
        b"{}",
        b"[]",
        br#"{"smoke":true}"#,
        br#"{"active":true}"#,
        br#"{"condition":"fog","active":true}"#,
        br#"{"condition":"blind_area","active":true}"#,
        br#"{"condition":"unreadable_alarm","active":1}"#,
        br#"{"condition":"tamper"}"#,
        br#"{"condition":"tamper","active":"perhaps"}"#,
        br#"{"condition":"no_water","active":2}"#,
        br#"{"Condition":"smoke","active":true}"#,
        br#"{"alarm":{"condition":"smoke","active":true"#,
        br#"{'condition':'smoke','active':True}"#,
        b"\xff\xfe{\0\"\0c\0",
        b"\x40\x40\x01\x00\x23\x23",
        "火警".as_bytes(),
        "\u{202e}no{\u{0}\r\n".as_bytes(),
        b"smoke alarm on",
        b"{",
    ];
    let mut all = String::new();
    for payload in payloads {
        let told = alarm(payload);
        all += told.lines().next().unwrap();
        all += "\n";
        assert!(told.lines().count() > 1, "it stands in the quarantine as well: {told}");
    }
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): ON
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): 1
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json):  
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): []
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {"smoke":true}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {"active":true}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"fog","active":true}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"blind_area","active":true}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"unreadable_alarm","active":1}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {"condition":"tamper"}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"tamper","active":"perhaps"}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"no_water","active":2}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {"Condition":"smoke","active":true}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): {"alarm":{"condition":"smoke","active":true
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): {'condition':'smoke','active':True}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_utf8): \xff\xfe{\u{0}"\u{0}c\u{0}
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): @@\u{1}\u{0}##
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): 火警
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): \u{202e}no{\u{0}\r\n
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): smoke alarm on
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): {
"#);
}

#[test]
fn its_payload_is_shown_up_to_a_limit() {
    for long in [vec![b'x'; 100_000], vec![0; MAX_PAYLOAD + 1]] {
        let parsed = below("a/d/alarm", &long);
        let Some(Message::UnreadableAlarm { payload, why, .. }) = parsed.message else { panic!() };
        assert!(payload.chars().count() <= MAX_SHOWN + 1 && payload.ends_with('…'));
        assert_eq!(why == RejectedReason::TooLong, long.len() > MAX_PAYLOAD);
    }
}

/// Topics that mean an alarm: the device they name, or none.
#[test]
#[rustfmt::skip] // a table
fn an_alarm_topic_is_known_by_its_last_level() {
    let fire = br#"{"condition":"smoke","active":true}"#;
    let long = format!("{}/d/alarm", "a".repeat(65));
    for (topic, area, device) in [
        ("a/d/alarm",       "a", Some("d")), ("a/d/alarms",   "a", Some("d")), ("a/d/Alarm",   "a", Some("d")),
        ("a/d/ALARMS",      "a", Some("d")), ("a/d/aLaRm",    "a", Some("d")), ("a/d/alarm/",  "a", Some("d")),
        ("a/d/Alarms///",   "a", Some("d")), ("李家沱/厨房烟感/alarm", "李家沱", Some("厨房烟感")),
        ("a/00:15:8d:00:01/alarm", "a", Some("00:15:8d:00:01")),
        ("alarm",           "",  None),      ("alarms/",      "",  None),      ("a/alarm",     "a", None),
        ("a/b/d/alarm",     "a", None),      ("a/b/c/d/e/Alarm", "a", None),   ("a//alarm",    "a", None),
        ("/d/alarm",        "",  None),      ("//alarm",      "",  None),      ("///alarm///", "",  None),
        ("a/e\u{301}/alarm", "a", None),     ("a/\u{202e}d/alarm", "a", None), ("a/../alarm",  "a", None),
        (&*long,            "",  None),      ("a/d/alarm/alarm", "a", None),   ("alarm/alarm/alarm", "alarm", Some("alarm")),
    ] {
        let parsed = below(topic, fire);
        let told = reasons(&parsed);
        match parsed.message {
            Some(Message::Alarm { area: from, device: who, .. }) => {
                assert_eq!((&*from, Some(&*who)), (area, device), "{topic}");
                assert_eq!(told, [], "{topic}");
            }
            Some(Message::UnreadableAlarm { area: from, device: who, topic: shown, payload, why }) => {
                assert_eq!((&*from, who.as_deref()), (area, None), "{topic}");
                assert_eq!(device, None, "{topic}");
                assert_eq!((why, payload.as_bytes()), (RejectedReason::Topic, &fire[..]), "{topic}");
                let hidden = topic.replace('\u{202e}', "\\u{202e}");
                assert_eq!(&*shown, format!("{ROOT}/{hidden}"));
                assert_eq!(told, [RejectedReason::Topic], "{topic}");
            }
            other => panic!("{topic}: {other:?}"),
        }
    }
    let parsed = parse(ROOT, b"standpipe/v1/a/\xff/alarm", fire);
    let Some(Message::UnreadableAlarm { device: None, topic, .. }) = parsed.message else { panic!() };
    assert_eq!(&*topic, "standpipe/v1/a/\\xff/alarm");
}

#[test]
fn our_own_topics_are_nobodys_alarm() {
    for topic in [
        "stations/t-1/alarm",
        "stations/alarm",
        "gateway/alarm",
        "gateway/d/Alarm",
        "selftest/d/x/alarm",
        "selftest/d/Telemetry",
        "stations/t-1/telemetry/",
    ] {
        let parsed = below(topic, r#"{"condition":"smoke","active":true}"#);
        assert_eq!(
            (&parsed.message, reasons(&parsed)),
            (&None, vec![RejectedReason::Topic]),
            "{topic}"
        );
    }
    assert!(parse(ROOT, b"elsewhere/a/d/alarm", b"ON").message.is_none());
    assert!(below("selftest/d/alarm", r#"{"condition":"smoke","active":true}"#).message.is_some());
}

#[test]
fn of_several_alarms_in_one_message_the_worst_is_taken() {
    let all: String = [
        r#"{"condition":"tamper","active":true}{"condition":"smoke","active":true}"#,
        r#"{"condition":"smoke","active":false}
           {"condition":"heat","active":"ON"}"#,
        r#"[{"condition":"smoke","active":true,"seq":1},{"condition":"smoke","active":true,"seq":2}]"#,
        r#"{"x":1}{"condition":"smoke","active":true}"#,
        r#"{"condition":"blind_area","active":true}{"condition":"smoke","active":true}"#,
    ]
    .iter()
    .map(alarm)
    .collect();
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
too_many ×1 `{"condition":"tamper","active":true}{"condition":"smoke","active":true}`: 1 more alarms in one message, left out: send each by itself
banan/SMK-1 shouts: {"condition":"heat","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"active":"ON"`: member of alarm not understood (invalid type: string "ON", expected a boolean at line 1 column 14): send an object with condition, active and, if measured, the fields of a reading
too_many ×1 `{"condition":"smoke","active":false}
           {"condition":"heat","active":"ON"}`: 1 more alarms in one message, left out: send each by itself
banan/SMK-1 shouts: {"seq":1,"condition":"smoke","active":true,"test":false} (+0 unknown)
too_many ×1 `[{"condition":"smoke","active":true,"seq":1},{"condition":"smoke","active":true,"seq":2}]`: 1 more alarms in one message, left out: send each by itself
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
missing_field ×1 `{"x":1}{"condition":"smoke","active":true}`: alarm not understood (missing field `condition`): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `{"condition":"blind_area","active":true}{"condition":"smoke","active":true}`: alarm not understood (trailing characters at line 1 column 41): send an object with condition, active and, if measured, the fields of a reading
"#);
}

#[test]
fn an_empty_message_takes_back_what_was_kept_and_says_nothing_else() {
    for alarm in ["a/d/alarm", "a/d/Alarms/", "a/d/AlArM"] {
        let want = Message::Cleared { area: "a".into(), device: "d".into() };
        let parsed = below(alarm, "");
        assert_eq!((parsed.message, parsed.rejected.len()), (Some(want), 0), "{alarm}");
    }
    for other in [
        "a/d/status",
        "a/d/telemetry",
        "a/d/reply",
        "a/b/c/alarm",
        "a/d/x",
        "x",
        "a/d/command",
        "stations/s/presence",
        "stations/s/actions",
        "stations/s/what",
        "gateway/clock",
    ] {
        assert_eq!(below(other, ""), super::Parsed::default(), "{other}");
    }
}

#[test]
fn the_same_message_has_the_same_print_and_no_other_has_it() {
    let one = print(b"r/a/d/alarm", b"{}");
    assert_eq!(one, xxhash_rust::xxh3::xxh3_128(b"alarm{}"));
    assert_eq!(one, print(b"r/a/d/alarm/", b"{}"));
    assert_ne!(one, print(b"r/a/d/alarm", b"{ }"));
    assert_ne!(one, print(b"r/a/d/status", b"{}"));
}

/// Several alarms in one message: a test hides nothing that is in earnest, and what can't be read
/// is told unless something as loud is told instead.
#[test]
fn of_several_alarms_the_one_that_matters_is_told() {
    let smoke = r#"{"condition":"smoke","active":true}"#;
    let test = r#"{"condition":"smoke","active":true,"test":true}"#;
    let (tamper, dry) =
        (r#"{"condition":"tamper","active":true}"#, r#"{"condition":"no_water","active":true}"#);
    let (gas, calm) =
        (r#"{"condition":"gas","active":true}"#, r#"{"condition":"smoke","active":false}"#);
    let many = vec![tamper; 200].join(",");
    for (payload, expected) in [
        (format!("[{test},{smoke}]"), Some(("smoke", false))),
        (format!("{test}\n{}", smoke.replace("smoke", "heat")), Some(("heat", false))),
        (format!("[{test},{tamper}]"), Some(("tamper", false))),
        (format!("[{many},{smoke}]"), Some(("smoke", false))),
        (format!("[{smoke},{gas}]"), Some(("smoke", false))),
        (format!("[{dry},{gas}]"), Some(("no_water", false))),
        (format!("[{tamper},{gas}]"), None),
        (format!("[{calm},{gas}]"), None),
        (format!("[{test},{gas}]"), None),
        (format!(r#"[{tamper},{{"smoke":true}}]"#), None),
        (test.to_owned(), Some(("smoke", true))),
    ] {
        let parsed = parse(ROOT, b"standpipe/v1/t/D/alarm", payload.as_bytes());
        let told = match parsed.message {
            Some(Message::Alarm { alarm, .. }) => Some((alarm.condition.as_str(), alarm.test)),
            Some(Message::UnreadableAlarm { .. }) => None,
            other => panic!("{payload}: {other:?}"),
        };
        assert_eq!(told, expected, "{payload}");
    }
}

#[test]
fn what_stands_beside_a_fire_on_the_topic_of_readings_is_counted() {
    let fire = r#"{"condition":"smoke","active":true}"#;
    for (payload, left_out) in [
        (fire.to_owned(), None),
        (format!("[{fire}]"), None),
        (format!(r#"[{{"temp_c":20}},{fire}]"#), Some("1 more objects")),
        (format!("{fire}\n{fire}\n{{}}"), Some("2 more objects")),
    ] {
        let parsed = below("a/d/telemetry", &payload);
        let told = told(&parsed);
        assert_eq!(
            reasons(&parsed).contains(&RejectedReason::TooMany),
            left_out.is_some(),
            "{told}"
        );
        assert!(left_out.is_none_or(|left_out| told.contains(left_out)), "{told}");
    }
}
