//! What a broker kept is old: it is news only where nothing newer is known, and never twice.

use serde_json::{Value, json};

use standpipe_tests::CLOSES;

use super::site::{FieldSite, QUIET, SOON, devices, has, says, settles};

const SMOKE: &str = r#"{"condition":"smoke","active":true}"#;

fn fires(site: &FieldSite, device: &str) -> Vec<Value> {
    let mut all = site.incidents(device);
    all.retain(|incident| incident["class"] == "fire");
    all
}

/// Case 29: a device whose alarms are retained, and a person who has dealt with one.
#[test]
fn a_retained_alarm_that_a_person_dealt_with_pages_nobody_again() {
    let mut site = FieldSite::start(&devices(0, 2, 900), "");
    site.leaves("t-1/S-1/alarm", SMOKE);
    let is_fire = |incident: &Value| incident["class"] == "fire";
    let before = site.gateway.incident("the fire", SOON, is_fire);
    site.acts(&before["id"], "false_alarm");
    for _ in 0..2 {
        // It was live when it was first heard. Its broker has kept it all the same.
        site.loses_the_session(|site| site.leaves("t-1/S-1/alarm", SMOKE));
        std::thread::sleep(QUIET);
        nothing_new(&site, &before);
    }
}

/// Case 29: as above, and the detector was calm before the person closed it.
#[test]
fn a_retained_alarm_whose_fire_was_closed_pages_nobody_again() {
    let mut site = FieldSite::start(&devices(0, 2, 900), "");
    site.leaves("t-1/S-1/alarm", SMOKE);
    let is_fire = |incident: &Value| incident["class"] == "fire";
    let before = site.gateway.incident("the fire", SOON, is_fire);
    site.says("t-1/S-1/alarm", r#"{"condition":"smoke","active":false}"#);
    site.acts(&before["id"], "false_alarm");
    settles(CLOSES, || {
        let state = site.incident(&before["id"])["state"].clone();
        (state != "closed").then(|| format!("closed by a person: {state}")).into_iter().collect()
    });
    site.loses_the_session(|site| site.leaves("t-1/S-1/alarm", SMOKE));
    std::thread::sleep(QUIET);
    nothing_new(&site, &before);
    // Live, the same words are a new fire.
    site.says("t-1/S-1/alarm", SMOKE);
    settles(SOON, || {
        let found = fires(&site, "S-1").len();
        (found != 2).then(|| format!("a live alarm: {found} fires")).into_iter().collect()
    });
}

/// One fire, one episode, and nobody sounds.
fn nothing_new(site: &FieldSite, before: &Value) {
    let found = fires(site, "S-1");
    assert_eq!(found.len(), 1, "29: no new fire of what is old: {found:?}");
    assert_eq!(found[0]["episode"], before["episode"], "29: nor a new episode: {found:?}");
    assert_ne!(found[0]["state"], "open", "29: {found:?}");
    let pages = site.pages("t-1", |body| body["state"] == "open");
    assert_eq!(pages, 0, "29: a terminal that just came is shown nothing to run for");
}

/// Case 29, the other way round: better an old fire than none.
#[test]
fn a_retained_fire_that_nobody_knows_pages_once_as_since_unknown() {
    let mut site = FieldSite::start(&devices(0, 3, 900), "");
    let keeps = |site: &FieldSite| site.leaves("t-1/S-1/alarm", SMOKE);
    site.loses_the_session(keeps);
    let is_fire =
        |incident: &Value| incident["class"] == "fire" && incident["device"]["id"] == "S-1";
    let first = site.gateway.incident("the fire", SOON, is_fire);
    assert_eq!(first["reason"], "since_unknown", "{first}");
    let page = |site: &FieldSite| site.pages("t-1", |body| body["device"]["id"] == "S-1");
    settles(SOON, || {
        let pages = page(&site);
        (pages != 1).then(|| format!("{pages} pages of it")).into_iter().collect()
    });
    site.loses_the_session(keeps);
    std::thread::sleep(QUIET);
    assert_eq!(fires(&site, "S-1").len(), 1, "once, however often the session is lost");
    let id = first["id"].clone();
    let episode = site.incident(&id)["episode"].clone();
    assert_eq!(episode, 1, "and one episode");
    site.acts(&id, "false_alarm");
    site.loses_the_session(keeps);
    std::thread::sleep(QUIET);
    let open = fires(&site, "S-1").into_iter().filter(|fire| fire["state"] == "open").count();
    assert_eq!((fires(&site, "S-1").len(), open), (1, 0), "and not after a person closed it");
}

/// Case 30: six detectors that are alive, and the wills of yesterday.
#[test]
fn a_retained_will_is_older_than_what_was_heard() {
    let mut site = FieldSite::start(&devices(0, 7, 900), "");
    let all: Vec<String> = (1..=6).map(|n| format!("S-{n}")).collect();
    for device in &all {
        site.device_says(device, "telemetry", &json!({"temp_c": 20}));
    }
    settles(SOON, || {
        all.iter().filter(|device| site.device(device)["heard_at"].is_null()).cloned().collect()
    });
    site.loses_the_session(|site| {
        for device in &all {
            site.leaves(&format!("t-1/{device}/status"), r#"{"online":false}"#);
        }
    });
    std::thread::sleep(QUIET);
    let offline: Vec<&String> =
        all.iter().filter(|device| has(&site.device(device)["conditions"], "offline")).collect();
    assert!(offline.is_empty(), "30: offline: {offline:?}");
    let blind: Vec<Value> = site
        .gateway
        .list("incidents")
        .into_iter()
        .filter(|incident| says(&incident["conditions"], "blind_area"))
        .collect();
    assert!(blind.is_empty(), "30: {blind:?}");
    // A live one is believed.
    site.says("t-1/S-1/status", r#"{"online":false}"#);
    settles(SOON, || {
        let found = site.device("S-1");
        let offline = has(&found["conditions"], "offline");
        (!offline).then(|| format!("a live will: {found}")).into_iter().collect()
    });
}

/// Case 31: readings of a device that keeps them (Tasmota's `SensorRetain`).
#[test]
fn a_retained_reading_makes_nothing_trusted_and_counts_once() {
    let mut site = FieldSite::start(
        &devices(3, 0, 900),
        "[profile.municipal]\nlow_for_s = 1\nhigh_for_s = 1\n",
    );
    let keeps = |site: &FieldSite| {
        site.leaves("t-1/H-1/telemetry", r#"{"pressure_kpa":300}"#);
        site.leaves("t-1/H-2/telemetry", r#"{"pressure_kpa":0}"#);
    };
    for _ in 0..3 {
        site.loses_the_session(keeps);
        std::thread::sleep(QUIET);
    }
    let (silent, dry) = (site.device("H-1"), site.device("H-2"));
    assert_ne!(silent["trust"], "ok", "31: a device that is silent for ever: {silent}");
    assert!(!has(&dry["conditions"], "no_water"), "31: one old 0, three times: {dry}");
    let water: Vec<Value> =
        site.incidents("H-2").into_iter().filter(|incident| incident["class"] == "water").collect();
    assert!(water.is_empty(), "31: {water:?}");
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 301}));
    settles(SOON, || {
        let found = site.device("H-1");
        (found["trust"] != "ok").then(|| format!("a live one: {found}")).into_iter().collect()
    });
}

/// Fires that were kept on topics of which no filter of the alarm lane knows.
#[test]
fn a_retained_fire_on_a_misspelt_topic_pages_as_since_unknown() {
    let mut site = FieldSite::start(&devices(0, 5, 900), "");
    let odd = ["t-1/S-1/AlArM", "t-1/S-2/ALARM/", "t-1/S-3/alarm//"];
    let keeps = |site: &FieldSite| odd.iter().for_each(|topic| site.leaves(topic, SMOKE));
    site.loses_the_session(|site| {
        keeps(site);
        site.leaves("t-1/house/S-4/alarm", SMOKE);
    });
    settles(SOON, || {
        let mut missing = Vec::new();
        for device in ["S-1", "S-2", "S-3"] {
            let reasons: Vec<Value> =
                fires(&site, device).iter().map(|fire| fire["reason"].clone()).collect();
            if reasons != ["since_unknown"] {
                missing.push(format!("{device}: {reasons:?}"));
            }
            let pages = site.pages("t-1", |body| body["device"]["id"] == device);
            if pages != 1 {
                missing.push(format!("{device}: {pages} pages"));
            }
        }
        let all = site.gateway.list("incidents");
        let deep =
            all.iter().filter(|incident| says(&incident["conditions"], "unreadable_alarm")).count();
        if deep != 1 {
            missing.push(format!("a level too deep: {deep} incidents"));
        }
        missing
    });
    // Once, however often the session is lost; and what is taken back is no news.
    let before = site.gateway.list("incidents").len();
    site.loses_the_session(keeps);
    odd.iter().for_each(|topic| site.leaves(topic, ""));
    std::thread::sleep(QUIET);
    let quarantine = site.gateway.list("quarantine");
    let empty = quarantine.iter().filter(|entry| entry["payload_base64"] == "").count();
    assert_eq!((site.gateway.list("incidents").len(), empty), (before, 0), "{quarantine:?}");
}
