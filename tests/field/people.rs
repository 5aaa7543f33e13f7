//! People: who may act on an incident by topic, and who was told of one in earnest.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::receiver::WebhookEnd;

use super::site::{FieldSite, QUIET, SOON, devices, settles};

fn acts_by_topic(site: &FieldSite, station: &str, incident: &Value, action: &str) {
    let body = json!({"incident": incident, "action": action, "by": "chief of t-1", "note": "all is well"});
    site.says(&format!("stations/{station}/actions"), body.to_string());
}

fn fire_of(site: &FieldSite, device: &str) -> Value {
    site.device_says(device, "alarm", &json!({"condition": "smoke", "active": true}));
    site.gateway.incident("the fire", SOON, |incident| incident["device"]["id"] == device)["id"]
        .clone()
}

/// One topic is as good as another to whoever may publish; the rules know who was told.
#[test]
#[rustfmt::skip] // a table
fn only_a_station_that_was_told_or_one_above_it_acts_on_an_incident() {
    let site = FieldSite::start(&devices(0, 12, 900), "");
    let rows = [
        ("S-1",  "t-3",      "acknowledge", "open",         "a station that was never told"),
        ("S-2",  "t-3",      "false_alarm", "open",         "nor closes it"),
        ("S-3",  "t-3",      "dispatch",    "open",         "nor sends somebody"),
        ("S-4",  "nobody",   "acknowledge", "open",         "a station that is not registered"),
        ("S-5",  "nobody",   "false_alarm", "open",         "nor closes it"),
        ("S-6",  "T-1",      "false_alarm", "open",         "a name that differs by its case"),
        ("S-7",  "t-1",      "acknowledge", "acknowledged", "the station that was told"),
        ("S-8",  "district", "acknowledge", "acknowledged", "the one above it"),
    ];
    let fires = rows.map(|(device, ..)| fire_of(&site, device));
    for ((_, station, action, ..), fire) in rows.iter().zip(&fires) {
        acts_by_topic(&site, station, fire, action);
    }
    std::thread::sleep(QUIET);
    settles(SOON, || rows.iter().zip(&fires).filter_map(|((device, station, action, state, story), fire)| {
        let found = site.incident(fire);
        (found["state"] != *state).then(|| format!("{device} {story}: {action} by {station} makes it {}", found["state"]))
    }).collect());
    for (fire, (device, station, ..)) in fires.iter().zip(&rows[..6]) {
        let trail = site.incident(fire)["trail"].clone();
        let acted = trail.as_array().is_some_and(|all| all.iter().any(|hop| {
            matches!(hop["hop"].as_str(), Some("acknowledged" | "resolved" | "false_alarm" | "dispatched"))
        }));
        assert!(!acted, "{device}: nothing that {station} did: {trail}");
    }
    // A fire goes up, and who is told then may act.
    acts_by_topic(&site, "t-1", &fires[0], "false_alarm");
    settles(SOON, || {
        let found = site.incident(&fires[0])["state"].clone();
        (found == "open").then(|| format!("t-1 was told: {found}")).into_iter().collect()
    });
}

/// Case 49: a hotel's portal answers 200 to everything.
#[test]
fn a_page_of_a_portal_is_no_delivery() {
    const PORTAL: &str = "<!DOCTYPE html><html><body>Sign in to the network</body></html>";
    let html = |_: usize| {
        ("200 OK\r\ncontent-type: text/html; charset=utf-8".to_owned(), PORTAL.to_owned())
    };
    let end = WebhookEnd::saying(move |n, _| match n {
        0 | 1 => html(n),
        _ => ("204 No Content".to_owned(), String::new()),
    });
    let good = [
        ("nothing", "200 OK", ""),
        ("json", "200 OK\r\ncontent-type: application/json", "{\"ok\":true}"),
        ("text", "200 OK\r\ncontent-type: text/plain", "ok"),
        ("created", "201 Created", ""),
        ("bare", "200 OK\r\ncontent-type: text/html", "ok"),
    ];
    let others = good.map(|(_, status, body)| {
        WebhookEnd::saying(move |_, _| (status.to_owned(), body.to_owned()))
    });
    let mut webhooks = format!("[[webhook]]\nname = 'portal'\nurl = '{}'\n", end.url);
    for ((name, ..), other) in good.iter().zip(&others) {
        webhooks += &format!("[[webhook]]\nname = '{name}'\nurl = '{}'\n", other.url);
    }
    let site = FieldSite::start(&devices(0, 1, 900), &webhooks);
    let fire = fire_of(&site, "S-1");
    let (first, again) = (end.hear(), end.hear());
    assert_eq!(first.body, again.body, "49: it is sent again");
    assert!(end.next(Duration::from_secs(20)).is_some(), "49: and again");
    let delivered = |to: &str| {
        let trail = site.incident(&fire)["trail"].clone();
        let by = format!("webhook {to}");
        trail
            .as_array()
            .into_iter()
            .flatten()
            .filter(|hop| hop["hop"] == "delivered" && hop["by"] == by)
            .count()
    };
    settles(SOON, || {
        let all = ["portal", "nothing", "json", "text", "created", "bare"];
        all.into_iter()
            .filter(|to| delivered(to) != 1)
            .map(|to| format!("49 {to}: {} deliveries", delivered(to)))
            .collect()
    });
}
