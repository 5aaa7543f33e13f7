//! Flapping: every edge is recorded, the sound is not repeated, and nobody waits behind it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::receiver::{Posted, WebhookEnd};
use standpipe_tests::{CLOSES, instant};

use super::site::{FieldSite, QUIET, SOON, devices, has, says, settles};

/// First-step sounds of one condition of one device to one receiver in an hour.
const MOST: usize = 3;
const FLAPS: usize = 50;
const PAUSE: Duration = Duration::from_millis(40);

fn webhook(end: &WebhookEnd) -> String {
    format!("[[webhook]]\nname = 'duty'\nurl = '{}'\n", end.url)
}

fn body_of(posted: &Posted) -> Value {
    serde_json::from_slice(&posted.body).expect("JSON")
}

/// What a webhook was sent until it was quiet for a while, each page once.
fn pages_until_quiet(end: &WebhookEnd) -> Vec<Value> {
    let mut known = BTreeSet::new();
    let mut pages = Vec::new();
    while let Some(posted) = end.next(QUIET) {
        let page = body_of(&posted);
        if known.insert(page["page_id"].to_string()) {
            pages.push(page);
        }
    }
    pages
}

/// Case 52: 50 times on and off in 4 s, and it ends on.
#[test]
fn one_condition_of_one_device_sounds_three_times_an_hour_at_most() {
    let end = WebhookEnd::start(|_| "204 No Content".to_owned());
    let site = FieldSite::start(&devices(4, 6, 900), &webhook(&end));
    let flapping =
        [("S-1", "tamper"), ("H-1", "hydrant_open"), ("H-2", "no_water"), ("H-3", "knocked")];
    for _ in 0..FLAPS {
        for active in [true, false] {
            for (device, condition) in flapping {
                site.device_says(
                    device,
                    "alarm",
                    &json!({"condition": condition, "active": active}),
                );
            }
            std::thread::sleep(PAUSE);
        }
    }
    for (device, condition) in flapping {
        site.device_says(device, "alarm", &json!({"condition": condition, "active": true}));
    }
    // A critical condition and a fire behind all that.
    let watch = instant();
    site.device_says("HX-1", "alarm", &json!({"condition": "no_water", "active": true}));
    site.device_says("S-4", "alarm", &json!({"condition": "smoke", "active": true}));
    settles(SOON, || {
        let fire = site.pages("t-1", |body| body["device"]["id"] == "S-4");
        let dry = site.pages("district", |body| body["device"]["id"] == "HX-1");
        ((fire, dry) != (1, 1))
            .then(|| format!("52: {fire} pages of the fire, {dry} of the critical"))
            .into_iter()
            .collect()
    });
    assert!(watch.elapsed() < Duration::from_secs(3), "52: neither waits: {:?}", watch.elapsed());

    let posted = pages_until_quiet(&end);
    let mut differing = Vec::new();
    for (device, condition) in flapping {
        let of_device = |body: &Value| body["device"]["id"] == device;
        let (terminal, robot) =
            (site.pages("t-1", of_device), posted.iter().filter(|body| of_device(body)).count());
        for (receiver, pages) in [("terminal", terminal), ("webhook", robot)] {
            if !(1..=MOST).contains(&pages) {
                differing.push(format!("52 {condition}: {pages} pages to the {receiver}"));
            }
        }
        let found = site.device(device);
        if !has(&found["conditions"], condition) {
            differing.push(format!("52 {condition}: the last state is lost: {found}"));
        }
        let incidents = site.incidents(device);
        if incidents.len() != 1 || incidents[0]["state"] == "closed" {
            differing.push(format!("52 {condition}: not one incident, open: {incidents:?}"));
        } else if !says(&site.incident(&incidents[0]["id"]), " times in ") {
            differing.push(format!("52 {condition}: nobody says that it flaps: {}", incidents[0]));
        }
    }
    for device in ["HX-1", "S-4"] {
        if posted.iter().filter(|body| body["device"]["id"] == device).count() != 1 {
            differing.push(format!("52 {device}: not one page to the webhook"));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// Case 32: a device at the edge of its network.
#[test]
fn a_hundred_wills_of_one_device_are_one_incident() {
    let site = FieldSite::start(&devices(0, 2, 900), "");
    site.device_says("S-1", "telemetry", &json!({"temp_c": 20}));
    settles(SOON, || {
        site.device("S-1")["heard_at"].is_null().then(|| "heard".to_owned()).into_iter().collect()
    });
    for _ in 0..100 {
        for online in [false, true] {
            site.device_says("S-1", "status", &json!({"online": online}));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    site.device_says("S-1", "status", &json!({"online": false}));
    site.device_says("S-2", "alarm", &json!({"condition": "smoke", "active": true}));
    let is_fire = |incident: &Value| incident["device"]["id"] == "S-2";
    let _fire = site.gateway.incident("the fire behind them", SOON, is_fire);
    std::thread::sleep(QUIET);
    let found = site.incidents("S-1");
    assert_eq!(found.len(), 1, "32: {} incidents", found.len());
    assert!(has(&site.device("S-1")["conditions"], "offline"), "32: the last state");
    assert_eq!(site.pages("t-1", |body| body["device"]["id"] == "S-1"), 0, "32: a notice");
}

/// Case 52's sibling: 50 fires of one loose wire, which may burn all the same.
#[test]
fn one_flapping_detector_is_one_fire_until_a_person_closes_it() {
    let site = FieldSite::start(&devices(0, 4, 900), "");
    let smoke = |device: &str, active: bool| {
        site.device_says(device, "alarm", &json!({"condition": "smoke", "active": active}));
    };
    for _ in 0..FLAPS {
        smoke("S-1", true);
        std::thread::sleep(PAUSE);
        smoke("S-1", false);
        std::thread::sleep(PAUSE);
    }
    smoke("S-1", true);
    smoke("S-2", true);
    let is_other = |incident: &Value| incident["device"]["id"] == "S-2";
    let _other = site.gateway.incident("another detector is never damped", SOON, is_other);
    std::thread::sleep(QUIET);
    let fires = site.incidents("S-1");
    assert_eq!(fires.len(), 1, "52: {} fires", fires.len());
    let (fire, episode) = (&fires[0], fires[0]["episode"].as_i64().unwrap_or_default());
    assert!((1..=2).contains(&episode), "52: one episode a minute at most: {fire}");
    assert_eq!(fire["state"], "open", "52: never less than open: {fire}");
    assert!(has(&site.device("S-1")["conditions"], "smoke"), "52: the last state");
    let pages = site.pages("t-1", |body| body["id"] == fire["id"]);
    assert_eq!(i64::try_from(pages).unwrap_or_default(), episode, "52: one page an episode");
    let other = site.pages("t-1", |body| body["device"]["id"] == "S-2");
    assert_eq!(other, 1, "52: paged at once");

    smoke("S-1", false);
    site.acts(&fire["id"], "false_alarm");
    settles(CLOSES, || {
        let closed = site.incident(&fire["id"]);
        (closed["state"] != "closed").then(|| format!("{closed}")).into_iter().collect()
    });
    smoke("S-1", true);
    settles(SOON, || {
        let now = site.incidents("S-1");
        let new = site.pages("t-1", |body| body["device"]["id"] == "S-1") - pages;
        let right = (now.len(), new) == (2, 1);
        (!right)
            .then(|| format!("52: after a person closed it: {} fires, {new} new pages", now.len()))
            .into_iter()
            .collect()
    });
}
