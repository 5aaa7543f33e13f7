//! What is saved of messages that are not written as they should be, and what is said of the rest.

use super::super::{Message, parse};
use super::{ROOT, below, told};

/// The members around a good pressure, and what becomes of the reading.
#[test]
#[rustfmt::skip] // a table
fn one_bad_member_does_not_cost_a_reading() {
    for (payload, expected, repaired, rejected) in [
        // repaired
        (r#"{"pressure_kpa":0,"battery_mv":3580.0}"#,      r#"{"pressure_kpa":0.0,"battery_mv":3580}"#, 1, 0),
        (r#"{"pressure_kpa":"300.5"}"#,                    r#"{"pressure_kpa":300.5}"#, 1, 0),
        (r#"{"pressure_kpa":"300.5","battery_mv":"3580"}"#, r#"{"pressure_kpa":300.5,"battery_mv":3580}"#, 2, 0),
        (r#"{"pressure_kpa":300,"flowing":1,"cap_open":"false"}"#, r#"{"pressure_kpa":300.0,"flowing":true,"cap_open":false}"#, 2, 0),
        (r#"{"pressure_kpa":300,"ts":"2025-11-25T00:00:00+08:00"}"#, r#"{"ts":1764000000000,"pressure_kpa":300.0}"#, 1, 0),
        (r#"{"pressure_kpa":300,"ts":1764000000000.25}"#,  r#"{"ts":1764000000000,"pressure_kpa":300.0}"#, 1, 0),
        (r#"{"boot":"3","seq":17.0,"pressure_kpa":300}"#,  r#"{"boot":3,"seq":17,"pressure_kpa":300.0}"#, 2, 0),
        ("\u{feff}{\"pressure_kpa\":300}",                 r#"{"pressure_kpa":300.0}"#, 1, 0),
        ("{\"pressure_kpa\":300}\0",                       r#"{"pressure_kpa":300.0}"#, 1, 0),
        ("\u{feff}{\"pressure_kpa\":\"300\"}\r\n\0\0",     r#"{"pressure_kpa":300.0}"#, 2, 0),
        ("\u{feff}[{\"pressure_kpa\":300}]\0",             r#"{"pressure_kpa":300.0}"#, 1, 0),
        ("[{\"pressure_kpa\":300}]\0",                     r#"{"pressure_kpa":300.0}"#, 0, 0),
        // null is not there
        (r#"{"pressure_kpa":300,"temp_c":null,"rssi_dbm":"-71"}"#, r#"{"pressure_kpa":300.0,"rssi_dbm":-71}"#, 1, 0),
        // left out
        (r#"{"pressure_kpa":300,"temp_c":NaN}"#,           r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"temp_c":-Infinity,"tilt_deg":nan}"#, r#"{"pressure_kpa":300.0}"#, 0, 2),
        (r#"{"pressure_kpa":300,"temp_c":"14,2"}"#,        r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"temp_c":"14 °C"}"#,       r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"temp_c":1e39}"#,          r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"battery_mv":3580.5}"#,    r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"battery_mv":99999999999}"#, r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"flowing":"maybe"}"#,      r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"temp_c":{"value":14}}"#,  r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"ts":"2025-11-25T00:00:00"}"#, r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"ts":"gestern","x":1}"#,   r#"{"pressure_kpa":300.0} (+1 unknown)"#, 0, 1),
        (r#"{"pressure_kpa":300,"x":NaN}"#,                r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{'pressure_kpa':300,"temp_c":14}"#,            r#"{"temp_c":14.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,}"#,                       r#"{"pressure_kpa":300.0}"#, 0, 1),
        // the numbers of the message
        (r#"{"boot":3,"seq":-1,"pressure_kpa":300}"#,      r#"{"boot":3,"pressure_kpa":300.0} (numbers lost)"#, 0, 1),
        (r#"{"boot":"x","seq":17,"pressure_kpa":300}"#,    r#"{"seq":17,"pressure_kpa":300.0} (numbers lost)"#, 0, 1),
        (r#"{"boot":3,"seq":17.5,"pressure_kpa":300}"#,    r#"{"boot":3,"pressure_kpa":300.0} (numbers lost)"#, 0, 1),
        (r#"{"boot":null,"seq":17,"pressure_kpa":"300"}"#, r#"{"seq":17,"pressure_kpa":300.0}"#, 1, 0),
        // torn
        (r#"{"pressure_kpa":300,"battery_mv":35"#,         r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":300,"temp"#,                   r#"{"pressure_kpa":300.0}"#, 0, 1),
        (r#"{"pressure_kpa":"300","flowing":true"#,        r#"{"pressure_kpa":300.0,"flowing":true}"#, 1, 1),
        (r#"{"pressure_kpa":300,"boot":3,"seq":1"#,        r#"{"boot":3,"pressure_kpa":300.0} (numbers lost)"#, 0, 1),
        // several
        ("{\"seq\":1}{\"seq\":2}",                         r#"{"seq":1} {"seq":2}"#, 0, 0),
        ("{\"seq\":1}\r\n{\"seq\":2}\n",                   r#"{"seq":1} {"seq":2}"#, 0, 0),
        ("{\"seq\":1}, {\"seq\":\"2\"}",                   r#"{"seq":1} {"seq":2}"#, 1, 0),
        ("{\"seq\":1} x",                                  r#"{"seq":1}"#, 0, 1),
        ("{\"seq\":1}}",                                   r#"{"seq":1}"#, 0, 1),
        ("[{\"seq\":1},{\"seq\":2,\"pressure_kpa\":30",    r#"{"seq":1} {"seq":2}"#, 0, 1),
    ] {
        let parsed = below("a/d/telemetry", payload);
        let text = told(&parsed);
        assert_eq!(text.lines().next(), Some(&*format!("a/d measured: {expected}")), "{payload}");
        assert_eq!((parsed.repaired, parsed.rejected.len()), (repaired, rejected), "{payload}: {text}");
    }
}

#[test]
fn an_element_of_an_array_is_saved_as_well() {
    let parsed = below("a/d/telemetry", r#"[{"seq":1,"temp_c":NaN},{"seq":"2"},{"seq":3}]"#);
    insta::assert_snapshot!(told(&parsed), @r#"
a/d measured: {"seq":1} {"seq":2} {"seq":3}
repaired ×1
not_json ×1 `"temp_c":NaN`: member of reading of an array not understood (expected value at line 1 column 11): send one reading as an object, or an array of them
"#);
}

/// `online` in the words of other makers; `None`: nobody can say.
#[test]
#[rustfmt::skip] // a table
fn a_will_is_understood_in_many_words() {
    for (payload, expected) in [
        (r#"{"online":0}"#, Some(false)), (r#"{"online":1}"#, Some(true)), (r#"{"online":"Offline"}"#, Some(false)),
        ("Offline", Some(false)), ("offline", Some(false)), ("\"offline\"", Some(false)), ("false", Some(false)),
        ("0", Some(false)), ("OFF", Some(false)), ("离线", Some(false)), ("offline\0", Some(false)),
        ("Online", Some(true)), ("\"online\"", Some(true)), ("ON", Some(true)), ("true", Some(true)), ("1", Some(true)),
        ("\u{feff}online\r\n", Some(true)),
        ("hello", None), ("[true]", None), ("2", None), ("null", None), (r#"{"online":"perhaps"}"#, None),
        (r#"{"boot":3}"#, None), (" ", None), ("{", None),
    ] {
        let parsed = below("a/d/status", payload);
        let online = match parsed.message {
            Some(Message::Status { online, .. }) => Some(online),
            Some(Message::NotUnderstood { .. }) => None,
            other => panic!("{payload}: {other:?}"),
        };
        assert_eq!(online, expected, "{payload}");
        assert_eq!(parsed.rejected.len(), usize::from(expected.is_none()), "{payload}");
    }
}

#[test]
fn a_status_says_what_was_lost_and_what_is_wrong_with_the_storage() {
    let payload = r#"{"online":true,"lost":12,"storage":"corrupt","interval_s":"900"}"#;
    let parsed = below("a/d/status", payload);
    let Some(Message::Status { lost, storage, interval_s, .. }) = parsed.message else { panic!() };
    assert_eq!((lost, storage.as_deref(), interval_s), (Some(12), Some("corrupt"), Some(900)));
}

#[test]
fn names_in_any_script_are_heard() {
    for device in ["00:15:8d:00:01", "厨房烟感", "a b", "a%2Fb", "?&\"'<script>", "..."] {
        for area in ["李家沱", "t 1"] {
            let topic = format!("{ROOT}/{area}/{device}/telemetry");
            let parsed = parse(ROOT, topic.as_bytes(), br#"{"seq":1}"#);
            let Some(Message::Telemetry { area: from, device: who, .. }) = parsed.message else {
                panic!("{topic}: {parsed:?}");
            };
            assert_eq!((&*from, &*who), (area, device));
        }
    }
}
