//! Messages as they come, and exactly what is made of them.

mod alarms;
mod others;
mod properties;
mod readings;
mod salvaged;
mod topics;
mod unreadable;

use super::{MAX_PAYLOAD, MAX_REJECTED, Message, Parsed, Rejected, RejectedReason, parse};

const ROOT: &str = "standpipe/v1";

/// A message below the root.
fn below(topic: &str, payload: impl AsRef<[u8]>) -> Parsed {
    parse(ROOT, format!("{ROOT}/{topic}").as_bytes(), payload.as_ref())
}

/// All of it in words.
fn told(parsed: &Parsed) -> String {
    let mut text = match &parsed.message {
        Some(Message::Telemetry { area, device, readings }) => {
            let mut text = format!("{area}/{device} measured:");
            for reading in readings {
                text += &format!(" {}", serde_json::to_string(reading).unwrap());
                if reading.unknown > 0 {
                    text += &format!(" (+{} unknown)", reading.unknown);
                }
                if reading.numbers_lost {
                    text += " (numbers lost)";
                }
            }
            text + "\n"
        }
        Some(Message::Alarm { area, device, alarm }) => {
            let unknown = alarm.reading.unknown;
            let json = serde_json::to_string(alarm).unwrap();
            let lost = if alarm.reading.numbers_lost { " (numbers lost)" } else { "" };
            format!("{area}/{device} shouts: {json} (+{unknown} unknown){lost}\n")
        }
        Some(Message::UnreadableAlarm { area, device, topic, payload, why }) => {
            let device = device.as_deref().unwrap_or("?");
            let why = why.as_str();
            format!("{area}/{device} sent an unreadable alarm on `{topic}` ({why}): {payload}\n")
        }
        Some(Message::NotUnderstood { area, device }) => {
            format!("{area}/{device} is not understood\n")
        }
        Some(other) => format!("{other:?}\n"),
        None => String::new(),
    };
    if parsed.repaired > 0 {
        text += &format!("repaired ×{}\n", parsed.repaired);
    }
    for Rejected { reason, detail, payload, count } in &parsed.rejected {
        let payload = String::from_utf8_lossy(payload);
        text += &format!("{} ×{count} `{payload}`: {detail}\n", reason.as_str());
    }
    text
}

/// The reasons alone.
fn reasons(parsed: &Parsed) -> Vec<RejectedReason> {
    parsed.rejected.iter().map(|rejected| rejected.reason).collect()
}

#[test]
fn a_topic_outside_the_contract_is_told() {
    let topics: [&[u8]; 6] = [
        b"standpipe/v2/a/d/telemetry",
        b"standpipe/v1/a/d#d/telemetry",
        b"standpipe/v1/a/d/shout",
        b"standpipe/v1/\xff/d/telemetry",
        b"",
        "standpipe/v1/区/\u{202e}d/telemetry".as_bytes(),
    ];
    let all: String = topics.iter().map(|topic| told(&parse(ROOT, topic, b"{}"))).collect();
    insta::assert_snapshot!(all, @r#"
topic ×1 `{}`: topic outside the root: set the same `mqtt.root` on both sides; the topic is `standpipe/v2/a/d/telemetry`
topic ×1 `{}`: topic with a level that is not a name: leave out / + # and invisible characters; the topic is `standpipe/v1/a/d#d/telemetry`
topic ×1 `{}`: topic is not <root>/<area>/<device>/telemetry|alarm|status|reply; the topic is `standpipe/v1/a/d/shout`
not_utf8 ×1 `{}`: topic `standpipe/v1/\xff/d/telemetry` is not UTF-8: check the device's settings
topic ×1 `{}`: topic outside the root: set the same `mqtt.root` on both sides; the topic is ``
topic ×1 `{}`: topic with a level that is not a name: leave out / + # and invisible characters; the topic is `standpipe/v1/区/\u{202e}d/telemetry`
"#);
}

#[test]
fn what_the_gateway_publishes_is_not_for_it() {
    let topics = ["a/d/settings", "a/d/command", "stations/s/incidents/01J", "gateway/clock"];
    let all: String = topics.iter().map(|topic| told(&below(topic, "{}"))).collect();
    insta::assert_snapshot!(all, @r#"
direction ×1 `{}`: `standpipe/v1/a/d/settings` is published by the gateway alone: take the right to write it from the sender
direction ×1 `{}`: `standpipe/v1/a/d/command` is published by the gateway alone: take the right to write it from the sender
direction ×1 `{}`: `standpipe/v1/stations/s/incidents/01J` is published by the gateway alone: take the right to write it from the sender
direction ×1 `{}`: `standpipe/v1/gateway/clock` is published by the gateway alone: take the right to write it from the sender
"#);
}

#[test]
fn a_payload_is_read_up_to_its_limit() {
    let mut payload = br#"{"seq":1}"#.to_vec();
    payload.resize(MAX_PAYLOAD, b' ');
    assert_eq!(told(&below("a/d/telemetry", &payload)), "a/d measured: {\"seq\":1}\n");
    payload.push(b' ');
    let parsed = below("a/d/telemetry", &payload);
    assert_eq!(parsed.message, None);
    let [only] = &parsed.rejected[..] else { panic!("{parsed:?}") };
    assert_eq!(
        (only.reason, &*only.detail, &only.payload[..], only.count),
        (
            RejectedReason::TooLong,
            "payload of 2097153 bytes, at most 2097152 are read: send fewer readings at once",
            &payload[..4_096],
            1
        )
    );
    let garbage = below("a/d/alarm", vec![0xa5; 1 << 20]);
    assert_eq!(reasons(&garbage), [RejectedReason::NotUtf8]);
    assert_eq!(garbage.rejected[0].payload, [0xa5; 4_096]);
}

#[test]
fn a_long_list_of_faults_stays_short_and_counts_on() {
    let mut payload = vec!["3"; MAX_REJECTED + 10];
    payload.push("{\"seq\":1}");
    let parsed = below("a/d/telemetry", format!("[{}]", payload.join(",")));
    let Some(Message::Telemetry { readings, .. }) = &parsed.message else { panic!("{parsed:?}") };
    assert_eq!((readings.len(), parsed.rejected.len()), (1, MAX_REJECTED));
    let counts: Vec<u32> = parsed.rejected.iter().map(|rejected| rejected.count).collect();
    assert_eq!((&counts[..63], counts[63]), (&[1; 63][..], 11));
}

#[test]
fn deep_nesting_costs_nothing() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"x\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
        assert_eq!(told(&below("a/d/telemetry", &deep)), "a/d is not understood\n");
        let several = format!("[{deep},{{\"seq\":1}}]");
        let several = told(&below("a/d/telemetry", several));
        assert_eq!(several, "a/d measured: {} (+1 unknown) {\"seq\":1}\n");
        let alarm = below("a/d/alarm", format!("{{\"active\":NaN,{}", &deep[1..]));
        assert!(matches!(alarm.message, Some(Message::UnreadableAlarm { .. })));
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let mut names: Vec<&str> = RejectedReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "topic direction not_utf8 not_json wrong_type not_finite missing_field too_long too_many"
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RejectedReason::ALL.len());
}
