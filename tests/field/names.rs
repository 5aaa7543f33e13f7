//! Names that real devices have, and topics that are nearly right.

use serde_json::Value;

use super::site::{FieldSite, SOON, alarm_in_words, devices, says, settles, told};

const SMOKE: &str = r#"{"condition":"smoke","active":true}"#;

/// Case 38: the same right alarm under each name.
#[test]
fn any_name_that_can_be_written_is_a_device() {
    let site = FieldSite::start(&devices(0, 6, 900), "");
    let long = "A".repeat(49);
    let longest = "烟".repeat(21);
    let rows = [
        ("t-1/00:15:8d:00:01/alarm", "00:15:8d:00:01"),
        ("t-1/厨房烟感/alarm", "厨房烟感"),
        ("t-1/smoke 1/alarm", "smoke 1"),
        ("t-1/café-№1/alarm", "café-№1"),
        (&format!("t-1/{long}/alarm"), &*long),
        (&format!("t-1/{longest}/alarm"), &*longest),
        // A registered device in an area that has no ASCII letters, or none that anybody knows.
        ("李家沱/S-1/alarm", "S-1"),
        ("area 51/S-2/alarm", "S-2"),
        // The last level that is not empty is an alarm's.
        ("t-1/S-3/alarms", "S-3"),
        ("t-1/S-4/Alarm", "S-4"),
        ("t-1/S-5/alarm/", "S-5"),
        ("t-1/NEW-6/ALARMS/", "NEW-6"),
    ];
    for (topic, _) in &rows {
        site.says(topic, SMOKE);
    }
    settles(SOON, || {
        let incidents = site.gateway.list("incidents");
        let wrong = |(topic, device): &(&str, &str)| {
            let found = told(&incidents, device);
            (found != "fire smoke").then(|| format!("38 {topic}: `{found}`"))
        };
        rows.iter().filter_map(wrong).collect()
    });
    for (topic, device) in &rows {
        let found = site.device(device);
        assert_eq!(found["id"], *device, "{topic}: {found}");
        assert!(found["heard_at"].is_i64(), "{topic}: {found}");
        let (status, history) =
            site.gateway.ask(&format!("devices/{device}/history?field=battery_mv"));
        assert_ne!(status, 404, "{topic}: {history}");
    }
    let page = |device: &str| {
        site.pages("district", |body| body["device"]["id"] == device)
            + site.pages("t-1", |body| body["device"]["id"] == device)
    };
    let silent: Vec<&str> =
        rows.iter().map(|(_, device)| *device).filter(|device| page(device) == 0).collect();
    assert!(silent.is_empty(), "each is paged: not {silent:?}");
}

/// Case 38: what cannot be a device's name is told to the district all the same.
#[test]
fn an_alarm_under_a_name_that_cannot_be_one_is_the_district_s() {
    let site = FieldSite::start(&devices(0, 1, 900), "");
    let long = format!("{}end", "B".repeat(70));
    // "e" and a combining accent: not NFC.
    let decomposed = "cafe\u{301}-7";
    let rows = [
        ("too long", format!("t-1/{long}/alarm"), "BBBB"),
        ("not NFC", format!("t-1/{decomposed}/alarm"), "-7"),
        ("a level too deep", "t-1/below/SMX8/alarm".into(), "SMX8"),
        ("a level too few", "SMX3/alarm".into(), "SMX3"),
        ("no name", "t-9//alarm".into(), "t-9"),
        ("a name of folders", "t-8/../alarm".into(), "t-8"),
    ];
    for (_, topic, _) in &rows {
        site.says(topic, SMOKE);
    }
    settles(SOON, || {
        let incidents = site.gateway.list("incidents");
        let wrong = |(story, topic, shown): &(&str, String, &str)| {
            let all: Vec<&Value> =
                incidents.iter().filter(|incident| says(incident, shown)).collect();
            let words: Vec<String> =
                all.iter().filter_map(|incident| alarm_in_words(incident)).collect();
            let paged = site.pages("district", |body| says(body, shown));
            let right = words == ["critical unreadable_alarm"] && paged == 1;
            (!right)
                .then(|| format!("38 {story}, {topic}: {words:?}, {paged} pages to the district"))
        };
        rows.iter().filter_map(wrong).collect()
    });
}
