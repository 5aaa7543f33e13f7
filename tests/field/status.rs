//! Statuses: wills in other makers' words, and a retained message that somebody clears.

use serde_json::{Value, json};

use super::site::{FieldSite, QUIET, SOON, devices, has, settles};

/// Case 6: Tasmota's and others' wills.
#[test]
#[rustfmt::skip] // a table
fn a_will_in_other_words_is_understood() {
    let site = FieldSite::start(&devices(0, 9, 900), "");
    let rows = [
        ("S-1", r#"{"online":false}"#,   true),
        ("S-2", "Offline",               true),
        ("S-3", "offline",               true),
        ("S-4", r#"{"online":0}"#,       true),
        ("S-5", r#"{"online":"false"}"#, true),
        ("S-6", "Online",                false),
        ("S-7", r#"{"online":1}"#,       false),
        ("S-8", r#"{"online":"true"}"#,  false),
    ];
    for (device, _, offline) in rows {
        site.device_says(device, "telemetry", &json!({"temp_c": 20}));
        // Whoever says that it is there was gone before.
        if !offline {
            site.says(&format!("t-1/{device}/status"), r#"{"online":false}"#);
        }
    }
    settles(SOON, || rows.iter().filter(|(device, ..)| site.device(device)["heard_at"].is_null()).map(|row| row.0.to_owned()).collect());
    std::thread::sleep(QUIET);
    for (device, will, _) in rows {
        site.says(&format!("t-1/{device}/status"), will);
    }
    settles(SOON, || rows.iter().filter_map(|(device, will, offline)| {
        let found = has(&site.device(device)["conditions"], "offline");
        (found != *offline).then(|| format!("6 {device} {will}: offline is {found}"))
    }).collect());
}

/// Case 39: nothing is said by clearing what a broker keeps.
#[test]
fn an_emptied_topic_is_neither_an_alarm_nor_malformed() {
    let site = FieldSite::start(&devices(1, 2, 900), "");
    let channels = ["S-1/alarm", "S-1/status", "H-1/telemetry", "NEW-1/alarm"];
    for channel in channels {
        site.leaves(&format!("t-1/{channel}"), "");
    }
    site.device_says("S-2", "alarm", &json!({"condition": "smoke", "active": true}));
    let is_fire = |incident: &Value| incident["device"]["id"] == "S-2";
    let _fire = site.gateway.incident("the fire behind them", SOON, is_fire);
    std::thread::sleep(QUIET);
    let about = |device: &str| site.incidents(device).len();
    let found = ["S-1", "H-1", "NEW-1"].map(about);
    assert_eq!(found, [0, 0, 0], "39: {:?}", site.gateway.list("incidents"));
    let quarantine = site.gateway.list("quarantine");
    assert!(quarantine.is_empty(), "39: nothing is malformed: {quarantine:?}");
    assert_eq!(
        site.counted("standpipe_rejected_total", ""),
        0,
        "39: and nothing is counted as such"
    );
}
