//! A bundle: all of what one message told of, listed and acknowledged at once.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_machine::clock::Clock;
use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{NOON, Served};

pub const BUNDLE: &str = "01KAZ2M8M0BN3D1E5F7G9H2J4K";

/// A town with two fires, of which one message told the receiver `duty`.
async fn town() -> Served {
    let api = Served::alive_for(Some("s3cret")).await;
    for device in ["SM-1", "SM-2"] {
        let alarm = json!({"condition":"smoke","active":true});
        api.says(&format!("S1/{device}/alarm"), &alarm);
    }
    let fires = async {
        loop {
            let list = api.get_as_admin("/api/v1/incidents?severity=fire").await;
            if list["total"] == 2 {
                return list;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let list = tokio::time::timeout(Duration::from_secs(5), fires).await.expect("two fires");
    let fires =
        list["items"].as_array().unwrap().iter().map(|incident| incident["id"].as_str().unwrap());
    carries(&api, &fires.collect::<Vec<_>>());
    api
}

/// One message told the receiver `duty` of these incidents.
pub fn carries(api: &Served, incidents: &[&str]) {
    api.row(
        "bundle",
        &[
            ("id", json!(BUNDLE)),
            ("receiver", json!("duty")),
            ("at", json!(NOON)),
            ("urgency", json!(0)),
            ("number", json!(1)),
            ("wire", json!("{}")),
        ],
    );
    for (incident, n) in incidents.iter().zip(1..) {
        api.row(
            "page",
            &[
                ("page_id", json!(format!("01KAZ2M8M0W8Y2N6P4Q3R5S70{n}"))),
                ("incident", json!(incident)),
                ("episode", json!(1)),
                ("step", json!(1)),
                ("repeat", json!(0)),
                ("kind", json!("webhook")),
                ("receiver", json!("duty")),
                ("at", json!(NOON)),
                ("urgency", json!(0)),
                ("number", json!(900 + n)),
                ("bundle", json!(BUNDLE)),
            ],
        );
    }
}

async fn acts(api: &Served, id: &str, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/bundles/{id}/actions");
    let ask = api.ask("POST", &path).bearer_auth("s3cret");
    let ask = ask.header("content-type", "application/json").body(body.to_string());
    let answer = ask.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn all_of_a_bundle_is_listed_and_acknowledged_at_once() {
    let api = town().await;
    let path = format!("/api/v1/bundles/{BUNDLE}");
    let bundle = api.get_as_admin(&path).await;
    assert_eq!((&bundle["page_id"], &bundle["receiver"]), (&json!(BUNDLE), &json!("duty")));
    assert_eq!((&bundle["total"], &bundle["open"]), (&json!(2), &json!(2)));
    assert_eq!(bundle["delivered_at"], Value::Null);
    let devices: Vec<&str> = bundle["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["device"].as_str().unwrap())
        .collect();
    assert_eq!(devices, ["SM-2", "SM-1"], "as it named them");
    assert_eq!(bundle["items"][0]["page_id"], "01KAZ2M8M0W8Y2N6P4Q3R5S701");

    let (status, refused) = acts(&api, BUNDLE, &json!({"action": "false_alarm"})).await;
    assert_eq!(status, 400);
    assert!(refused["detail"].as_str().unwrap().contains("each incident by itself"), "{refused}");

    // One of them is taken by itself; the rest follows with the bundle.
    let one = bundle["items"][1]["incident"].as_str().unwrap();
    let own = format!("/api/v1/incidents/{one}/actions");
    let ask = api.ask("POST", &own).bearer_auth("s3cret");
    let body = json!({"action":"acknowledge","by":"Wang"}).to_string();
    let ask = ask.header("content-type", "application/json").body(body);
    assert_eq!(ask.send().await.unwrap().status().as_u16(), 200);
    let all = json!({"action": "acknowledge", "by": "Li", "note": "all crews out"});
    assert_eq!(acts(&api, BUNDLE, &all).await, (200, json!({"done": 1, "refused": 0})));
    assert_eq!(acts(&api, BUNDLE, &all).await, (200, json!({"done": 0, "refused": 0})));
    let after = api.get_as_admin(&path).await;
    assert_eq!(after["open"], 0);
    assert!(after["items"].as_array().unwrap().iter().all(|item| item["state"] == "acknowledged"));
    let other =
        after["items"].as_array().unwrap().iter().find(|item| item["incident"] != one).unwrap();
    let incident = other["incident"].as_str().unwrap();
    let whole = api.get_as_admin(&format!("/api/v1/incidents/{incident}")).await;
    let took =
        whole["trail"].as_array().unwrap().iter().find(|entry| entry["hop"] == "acknowledged");
    assert_eq!(took.unwrap()["by"], "Li");

    let nobody = "01KAZ2M8M0BN3D1E5F7G9H2J4M";
    assert_eq!(acts(&api, nobody, &all).await.0, 404);
}

/// A ULID is the same in either case (its specification, "Canonical String Representation"): people who
/// type one write small letters. What is answered has the letters that we write.
#[tokio::test]
async fn an_id_is_the_same_in_small_letters() {
    let api = town().await;
    let sends = async |method: &str, path: &str, body: Value| {
        let ask = api.ask(method, path).bearer_auth("s3cret");
        let ask = ask.header("content-type", "application/json").body(body.to_string());
        let answer = ask.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let small = BUNDLE.to_lowercase();
    let bundle = api.get_as_admin(&format!("/api/v1/bundles/{small}")).await;
    assert_eq!((&bundle["page_id"], &bundle["total"]), (&json!(BUNDLE), &json!(2)));
    let id = bundle["items"][0]["incident"].as_str().unwrap();
    let incident = format!("/api/v1/incidents/{}", id.to_lowercase());
    assert_eq!(api.get_as_admin(&incident).await["id"], id);
    let dispatch = json!({"action": "dispatch", "incident": id.to_lowercase()});
    let (status, acted) = sends("POST", &format!("{incident}/actions"), dispatch).await;
    assert_eq!((status, &acted["id"]), (200, &json!(id)), "{acted}");
    let all = json!({"action": "acknowledge"});
    assert_eq!(acts(&api, &small, &all).await, (200, json!({"done": 1, "refused": 0})));
    assert_eq!(acts(&api, "no-id-at-all", &all).await.0, 404);

    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    for path in [format!("/bundles/{small}"), format!("/incidents/{}", id.to_lowercase())] {
        let page = admin.text(&path).await;
        assert!(page.contains(id), "{page}");
    }
    let audit = admin.text("/audit").await;
    assert!(audit.contains(BUNDLE) && !audit.contains(&small), "{audit}");

    let until = Clock::new().now() + 3_600_000;
    let work =
        json!({"what": "maintenance", "device": "SM-1", "conditions": ["tamper"], "until": until});
    let (status, made) = sends("POST", "/api/v1/maintenance", work).await;
    assert_eq!(status, 201, "{made}");
    let work = made["id"].as_str().unwrap();
    let path = format!("/api/v1/maintenance/{}", work.to_lowercase());
    let (status, ended) = sends("DELETE", &path, json!({})).await;
    assert_eq!((status, &ended["id"]), (200, &made["id"]), "{ended}");
    let commands = "/api/v1/devices/SM-1/commands";
    let (status, asked) = sends("POST", commands, json!({"command": "self_test"})).await;
    assert_eq!(status, 202, "{asked}");
    let command = asked["id"].as_str().unwrap();
    let found = api.get_as_admin(&format!("{commands}/{}", command.to_lowercase())).await;
    assert_eq!(found["id"], command);
}

#[tokio::test]
async fn its_page_has_one_button_for_all_and_shows_it_to_who_may() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let viewer = Browser::of(&api, "wang", Role::Viewer, None).await;
    let stranger = Browser::of(&api, "zhao", Role::Officer, Some("S2")).await;
    let path = format!("/bundles/{BUNDLE}");
    let page = admin.text(&path).await;
    assert!(page.contains("Acknowledge all") && page.contains("SM-1 name"), "{page}");
    assert!(page.contains("sent to duty") && page.contains("not delivered yet"), "{page}");
    let chinese = admin.get_in("zh", &path).await.text().await.unwrap();
    assert!(chinese.contains("合并通知") && chinese.contains("全部接警"), "{chinese}");
    let looks = viewer.text(&path).await;
    assert!(looks.contains("SM-1 name") && !looks.contains("Acknowledge all"), "{looks}");
    assert_eq!(viewer.sends(&path, "x=1").await, 403);
    assert_eq!(stranger.status(&path).await, 404, "of another station");
    assert_eq!(admin.sends(&path, "x=1").await, 303);
    let page = admin.text(&path).await;
    assert!(!page.contains("Acknowledge all") && page.contains("Acknowledged"), "{page}");
    assert_eq!(admin.post(&path, "x=1").await.status().as_u16(), 403, "without a proof");
}
