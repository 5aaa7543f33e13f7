//! Status, reply, action and presence.

use standpipe_shared::is_hidden;

use super::super::{MAX_TEXT, Message, Parsed};
use super::{below, told};
use crate::incidents::{Action, ActionKind};
use crate::wire::MAX_INTERVAL_S;

fn all(topic: &str, payloads: &[&str]) -> String {
    payloads.iter().map(|payload| told(&below(topic, payload))).collect()
}

#[test]
fn status() {
    let payloads = [
        r#"{"online":true,"boot":3,"firmware":"0.1.0","model":"SP-H1","interval_s":900,"reset":"power_on","rev":4}"#,
        r#"{"online":false}"#,
        r#"{"online":true,"model":"\u6d88 \"1\"","boot":null,"colour":"red"}"#,
        r#"{"online":true,"boot":-1,"firmware":7,"interval_s":60}"#,
        r#"{"online":"true"}"#,
        r#"{"boot":3}"#,
        "[true]",
        "online",
        " ",
        r#"{"online":false"#,
    ];
    insta::assert_snapshot!(all("banan/HYD-1/status", &payloads), @r#"
Status { area: "banan", device: "HYD-1", online: true, boot: Some(3), firmware: Some("0.1.0"), model: Some("SP-H1"), interval_s: Some(900), reset: Some("power_on"), rev: Some(4), lost: None, storage: None }
Status { area: "banan", device: "HYD-1", online: false, boot: None, firmware: None, model: None, interval_s: None, reset: None, rev: None, lost: None, storage: None }
Status { area: "banan", device: "HYD-1", online: true, boot: None, firmware: None, model: Some("消 \"1\""), interval_s: None, reset: None, rev: None, lost: None, storage: None }
Status { area: "banan", device: "HYD-1", online: true, boot: None, firmware: None, model: None, interval_s: Some(60), reset: None, rev: None, lost: None, storage: None }
wrong_type ×1 `"boot":-1`: member of status not understood (invalid value: integer `-1`, expected u32 at line 1 column 10): send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
wrong_type ×1 `"firmware":7`: member of status not understood (invalid type: integer `7`, expected a string at line 1 column 13): send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
Status { area: "banan", device: "HYD-1", online: true, boot: None, firmware: None, model: None, interval_s: None, reset: None, rev: None, lost: None, storage: None }
repaired ×1
banan/HYD-1 is not understood
missing_field ×1 `{"boot":3}`: status not understood (missing field `online` at line 1 column 10): send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
banan/HYD-1 is not understood
wrong_type ×1 `[true]`: status is not a JSON object: send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
Status { area: "banan", device: "HYD-1", online: true, boot: None, firmware: None, model: None, interval_s: None, reset: None, rev: None, lost: None, storage: None }
repaired ×1
banan/HYD-1 is not understood
not_json ×1 ` `: status not understood (EOF while parsing a value at line 1 column 1): send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
Status { area: "banan", device: "HYD-1", online: false, boot: None, firmware: None, model: None, interval_s: None, reset: None, rev: None, lost: None, storage: None }
not_json ×1 `{"online":false`: status not understood (EOF while parsing an object at line 1 column 15): send an object with online and, if known, boot, firmware, model, interval_s, reset, rev, lost, storage
"#);
}

#[test]
fn no_text_leaves_its_line_or_turns_what_stands_beside_it() {
    // As JSON escapes them: a line break, a zero, right-to-left override, an isolate, no width.
    let dirty = r"\r\nchief\u0000of\u202e T\u2066\u200b20\t ";
    let all = [
        (
            "stations/s/actions",
            format!(
                r#"{{"incident":"01KAW5Q4T0000000000000000A","action":"comment","by":"{dirty}","note":"{dirty}"}}"#
            ),
        ),
        ("a/d/reply", format!(r#"{{"id":"{dirty}","ok":false,"detail":"{dirty}"}}"#)),
        (
            "a/d/status",
            format!(
                r#"{{"online":true,"firmware":"{dirty}","model":"{dirty}","reset":"{dirty}","storage":"{dirty}"}}"#
            ),
        ),
        // What reads JSON quotes it, and so does what is told of a topic and of an alarm.
        ("a/d/alarm", format!(r#"{{"condition":"{dirty}","active":true}}"#)),
        ("a/d/telemetry", format!(r#"{{"pressure_kpa":"{dirty}"}}"#)),
        ("a/d/\u{202e}\n", "{}".to_owned()),
        (
            "stations/s/actions",
            format!(r#"{{"incident":"01KAW5Q4T0000000000000000A","action":"{dirty}"}}"#),
        ),
    ];
    for (at, (topic, payload)) in all.into_iter().enumerate() {
        let parsed = below(topic, payload);
        let texts: Vec<Box<str>> = match &parsed.message {
            Some(Message::Action { action, .. }) => vec![action.by.clone(), action.note.clone()],
            Some(Message::Reply { id, detail, .. }) => vec![id.clone(), detail.clone()],
            Some(Message::Status { firmware, model, reset, storage, .. }) => {
                [firmware, model, reset, storage].into_iter().flatten().cloned().collect()
            }
            Some(Message::UnreadableAlarm { topic, payload, .. }) => {
                let texts = [topic, payload];
                assert!(!texts.iter().any(|text| text.contains(is_hidden)), "{parsed:?}");
                Vec::new()
            }
            _ => Vec::new(),
        };
        let count = [2, 2, 4, 0, 0, 0, 0][at];
        assert_eq!(texts, vec![Box::from("chief of T20"); count], "{topic}");
        for told in &parsed.rejected {
            assert!(!told.detail.contains(is_hidden), "{topic}: {told:?}");
        }
        assert_eq!(parsed.rejected.is_empty(), count > 0, "{topic}: {parsed:?}");
    }
}

#[test]
fn an_interval_has_limits() {
    for (sent, taken) in
        [(0, false), (1, true), (MAX_INTERVAL_S, true), (MAX_INTERVAL_S + 1, false)]
    {
        let payload = format!("{{\"online\":true,\"interval_s\":{sent}}}");
        let parsed = below("a/d/status", &payload);
        let Some(Message::Status { interval_s, online: true, .. }) = parsed.message else {
            panic!("{parsed:?}")
        };
        assert_eq!(interval_s, taken.then_some(sent));
        if taken {
            assert_eq!(parsed.rejected, []);
        } else {
            let rejected = told(&Parsed { rejected: parsed.rejected, ..Parsed::default() });
            let want =
                format!("wrong_type ×1 `{payload}`: interval_s {sent} ignored: send 1 to 86400\n");
            assert_eq!(rejected, want);
        }
    }
}

#[test]
fn reply() {
    let payloads = [
        r#"{"id":"c-1","ok":true,"detail":"done"}"#,
        r#"{"id":"c-1","ok":false}"#,
        r#"{"id":"c-1","ok":false,"detail":null}"#,
        r#"{"id":"c-1","ok":true,"detail":7}"#,
        r#"{"id":7,"ok":true}"#,
        r#"{"id":"c-1"}"#,
    ];
    insta::assert_snapshot!(all("banan/HYD-1/reply", &payloads), @r#"
Reply { area: "banan", device: "HYD-1", id: "c-1", ok: true, detail: "done" }
Reply { area: "banan", device: "HYD-1", id: "c-1", ok: false, detail: "" }
Reply { area: "banan", device: "HYD-1", id: "c-1", ok: false, detail: "" }
Reply { area: "banan", device: "HYD-1", id: "c-1", ok: true, detail: "" }
wrong_type ×1 `"detail":7`: member of reply not understood (invalid type: integer `7`, expected a string at line 1 column 11): send an object with id, ok and, if needed, detail
banan/HYD-1 is not understood
wrong_type ×1 `{"id":7,"ok":true}`: reply not understood (invalid type: integer `7`, expected a string at line 1 column 7): send an object with id, ok and, if needed, detail
banan/HYD-1 is not understood
missing_field ×1 `{"id":"c-1"}`: reply not understood (missing field `ok` at line 1 column 12): send an object with id, ok and, if needed, detail
"#);
}

#[test]
fn action() {
    let payloads = [
        r#"{"incident":"01KAW5Q4T0000000000000000A","action":"acknowledge","by":"李 Wei","note":"on our way"}"#,
        r#"{"incident":"01KAW5Q4T0000000000000000A","action":"shown"}"#,
        r#"{"incident":"01KAW5Q4T0000000000000000A","action":"false_alarm","by":null,"note":7,"seen":"0f"}"#,
        r#"{"incident":"7","action":"shown"}"#,
        r#"{"incident":"01KAW5Q4T0000000000000000A","action":"dance"}"#,
        r#"{"action":"shown"}"#,
    ];
    insta::assert_snapshot!(all("stations/t-1/actions", &payloads), @r#"
Action { station: "t-1", action: Action { incident: Ulid(2132580930700807729303292171440357386), kind: Acknowledge, by: "李 Wei", note: "on our way", seen: "" } }
Action { station: "t-1", action: Action { incident: Ulid(2132580930700807729303292171440357386), kind: Shown, by: "", note: "", seen: "" } }
Action { station: "t-1", action: Action { incident: Ulid(2132580930700807729303292171440357386), kind: FalseAlarm, by: "", note: "", seen: "0f" } }
wrong_type ×1 `"note":7`: member of action not understood (invalid type: integer `7`, expected a string at line 1 column 9): send an object with incident, action and, if known, by, note, seen
wrong_type ×1 `{"incident":"7","action":"shown"}`: action not understood (invalid length at line 1 column 15): send an object with incident, action and, if known, by, note, seen
wrong_type ×1 `{"incident":"01KAW5Q4T0000000000000000A","action":"dance"}`: action not understood (unknown variant `dance`, expected one of `shown`, `acknowledge`, `dispatch`, `arrive`, `comment`, `resolve`, `false_alarm`, `undo`, `reopen` at line 1 column 57): send an object with incident, action and, if known, by, note, seen
missing_field ×1 `{"action":"shown"}`: action not understood (missing field `incident` at line 1 column 18): send an object with incident, action and, if known, by, note, seen
"#);
}

#[test]
fn presence() {
    let payloads = [r#"{"online":true}"#, r#"{"online":false,"since":3}"#, r#"{"online":1}"#, "{}"];
    insta::assert_snapshot!(all("stations/t-1/presence", &payloads), @r#"
Presence { station: "t-1", online: true }
Presence { station: "t-1", online: false }
Presence { station: "t-1", online: true }
repaired ×1
missing_field ×1 `{}`: presence not understood (missing field `online` at line 1 column 2): send an object with online
"#);
}

#[test]
fn long_texts_are_cut_at_a_character() {
    for (sent, kept) in [(MAX_TEXT, MAX_TEXT), (MAX_TEXT + 1, MAX_TEXT)] {
        let text = "长".repeat(sent);
        let payload = format!(
            "{{\"incident\":\"01KAW5Q4T0000000000000000A\",\"action\":\"comment\",\"by\":\"{text}\",\"note\":\"{text}\"}}"
        );
        let parsed = below("stations/s/actions", payload);
        let kept = "长".repeat(kept);
        let want = Action {
            incident: "01KAW5Q4T0000000000000000A".parse().unwrap(),
            kind: ActionKind::Comment,
            by: kept.as_str().into(),
            note: kept.as_str().into(),
            seen: "".into(),
        };
        assert_eq!(parsed.message, Some(Message::Action { station: "s".into(), action: want }));
        assert_eq!(parsed.rejected, []);
    }
}

/// As over HTTP: a ULID is the same in either case.
#[test]
fn an_action_names_its_incident_in_either_case() {
    let id = "01KAW5Q4T0000000000000000A";
    for incident in [id.to_owned(), id.to_lowercase()] {
        let payload = format!(r#"{{"incident":"{incident}","action":"arrive"}}"#);
        let Some(Message::Action { action, .. }) = below("stations/s/actions", payload).message
        else {
            panic!("{incident}")
        };
        assert_eq!(action.incident.to_string(), id);
    }
}

#[test]
fn members_of_one_name_are_one_or_none() {
    let status = |payload: &str| below("a/d/status", payload).message;
    let Some(Message::Status { online: true, boot: None, lost: Some(3), .. }) =
        status(r#"{"online":true,"online":1,"boot":1,"boot":2,"lost":3,"lost":3}"#)
    else {
        panic!()
    };
    let not_understood = status(r#"{"online":true,"online":false}"#);
    assert!(matches!(not_understood, Some(Message::NotUnderstood { .. })));
    let action = |rest: &str| {
        let incident = ulid::Ulid(7);
        let payload = format!(r#"{{"incident":"{incident}","incident":"{incident}",{rest}}}"#);
        below("stations/T03/actions", payload).message
    };
    assert!(matches!(action(r#""action":"arrive","by":"a""#), Some(Message::Action { .. })));
    assert_eq!(action(r#""action":"arrive","action":"false_alarm","by":"a""#), None);
}

#[test]
fn a_heartbeat_says_when_it_was_sent_and_a_bad_one_is_told() {
    let beat = below("gateway/chain", r#"{"ts":1764000000000}"#);
    assert_eq!(beat.message, Some(Message::Chain { sent: 1_764_000_000_000 }));
    assert_eq!((beat.rejected.len(), beat.repaired), (0, 0));
    let bad = below("gateway/chain", r#"{"ts":"soon"}"#);
    assert_eq!((bad.message, bad.rejected.len()), (None, 1));
}
