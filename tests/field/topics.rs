//! One message to each kind of topic under the root: each counts once, whichever session takes it.

use std::time::Duration;

use standpipe_tests::instant;

use super::site::{FieldSite, QUIET, SOON, devices, settles, told};

/// Counters that grow by one message to each topic.
const COUNTERS: [(&str, &str); 5] = [
    ("standpipe_readings_total", ""),
    ("standpipe_alarms_total", ""),
    ("standpipe_refused_actions_total", ""),
    ("standpipe_rejected_total", "reason=\"topic\""),
    ("standpipe_messages_total", ""),
];

#[test]
#[rustfmt::skip] // a table
fn one_message_to_each_topic_counts_once() {
    let site = FieldSite::start(&devices(1, 8, 900), "");
    std::thread::sleep(QUIET);
    let smoke = r#"{"condition":"smoke","active":true}"#;
    let nobody = r#"{"incident":"01ARZ3NDEKTSV4RRFFQ69G5FAV","action":"acknowledge","by":"x","note":""}"#;
    let rows: &[(&str, &str, [u64; 5])] = &[
        //                                                        readings, alarms, refused, nobody's topic, all
        ("t-1/H-1/telemetry",                r#"{"pressure_kpa":300}"#,    [1, 0, 0, 0, 1]),
        ("t-1/S-1/alarm",                    smoke,                        [0, 1, 0, 0, 1]),
        ("t-1/S-1/status",                   r#"{"online":true}"#,         [0, 0, 0, 0, 1]),
        ("t-1/S-1/reply",                    r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","ok":true,"detail":""}"#, [0, 0, 0, 0, 1]),
        ("stations/t-1/actions",             nobody,                       [0, 0, 1, 0, 1]),
        ("stations/t-1/presence",            r#"{"online":true}"#,         [0, 0, 0, 0, 1]),
        // An alarm's topic that is nearly right.
        ("t-1/S-2/Alarms/",                  smoke,                        [0, 1, 0, 0, 1]),
        ("t-1/S-4/AlArM",                    smoke,                        [0, 1, 0, 0, 1]),
        ("t-1/S-5/ALARM/",                   smoke,                        [0, 1, 0, 0, 1]),
        ("t-1/S-6/alarm//",                  smoke,                        [0, 1, 0, 0, 1]),
        // A level too few, or too deep: nobody can say whose it is, and people are told.
        ("t-1/house/S-7/alarm",              smoke,                        [0, 0, 0, 1, 1]),
        ("t-1/town/house/S-7/alarm",         smoke,                        [0, 0, 0, 1, 1]),
        ("S-7/alarm",                        smoke,                        [0, 0, 0, 1, 1]),
        ("alarm",                            smoke,                        [0, 0, 0, 1, 1]),
        // Taken back at the broker.
        ("t-1/S-8/alarm",                    "",                           [0, 0, 0, 0, 1]),
        ("t-1/S-8/AlArM",                    "",                           [0, 0, 0, 0, 1]),
        ("t-1/S-8/telemetry",                "",                           [0, 0, 0, 0, 1]),
        ("x/y/event",                        "",                           [0, 0, 0, 0, 1]),
        // Nobody's.
        ("x/y/event",                        r#"{"alarm":true}"#,          [0, 0, 0, 1, 1]),
        ("one",                              "{}",                         [0, 0, 0, 1, 1]),
        ("one/two",                          "{}",                         [0, 0, 0, 1, 1]),
        ("stations/t-1/incidents",           "{}",                         [0, 0, 0, 1, 1]),
        ("t-1/S-3/status/smoke:0",           r#"{"alarm":true}"#,          [0, 0, 0, 1, 1]),
        ("t-1/S-3/telemetry/deeper",         "{}",                         [0, 0, 0, 1, 1]),
        // The gateway's own: dropped unread.
        ("t-1/S-3/settings",                 "{}",                         [0, 0, 0, 0, 0]),
        ("t-1/S-3/command",                  "{}",                         [0, 0, 0, 0, 0]),
        ("stations/t-1/incidents/01ARZ3NDEKTSV4RRFFQ69G5FAV", "{}",        [0, 0, 0, 0, 0]),
        ("gateway/clock",                    r#"{"ts":1764000000000}"#,    [0, 0, 0, 0, 0]),
    ];
    let read = || COUNTERS.map(|(name, label)| site.counted(name, label));
    let mut differing = Vec::new();
    for (topic, body, right) in rows {
        let before = read();
        site.says(topic, *body);
        let grown = || -> Vec<u64> { read().iter().zip(before).map(|(after, before)| after - before).collect() };
        // Counted late is counted; what counts twice, or should not at all, shows a moment later.
        let asked = instant();
        while grown() != right && asked.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(250));
        let grown = grown();
        if grown != right {
            differing.push(format!("{topic}: {grown:?}, not {right:?}"));
        }
    }
    assert!(differing.is_empty(), "readings, alarms, refused, nobody's, all:\n{}", differing.join("\n"));
    settles(SOON, || {
        let incidents = site.gateway.list("incidents");
        ["S-1", "S-2", "S-4", "S-5", "S-6"].into_iter().filter(|device| told(&incidents, device) != "fire smoke").map(String::from).collect()
    });
    let quarantine = site.gateway.list("quarantine");
    for topic in ["t-1/S-3/status/smoke:0", "t-1/S-3/telemetry/deeper", "x/y/event", "one", "one/two"] {
        let kept = quarantine.iter().filter(|item| item["topic"] == format!("standpipe/v1/{topic}")).count();
        assert_eq!(kept, 1, "{topic} is kept once: {quarantine:?}");
    }
}
