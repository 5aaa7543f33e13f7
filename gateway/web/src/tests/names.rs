//! Devices are called as their makers called them: every address, page and file copes.

use std::time::Duration;

use serde_json::{Value, json};

use super::Served;

/// Ids as they are, and as they stand in an address.
const IDS: [(&str, &str); 8] = [
    ("00:15:8d:00:01", "00%3A15%3A8d%3A00%3A01"),
    ("厨房烟感", "%E5%8E%A8%E6%88%BF%E7%83%9F%E6%84%9F"),
    ("a b", "a%20b"),
    ("a%2Fb", "a%252Fb"),
    ("what?&x=1", "what%3F%26x%3D1"),
    ("\"quoted\"'s", "%22quoted%22%27s"),
    ("<script>x(1)<", "%3Cscript%3Ex%281%29%3C"),
    ("back\\slash,=;", "back%5Cslash%2C%3D%3B"),
];

fn row(kind: &str) -> Value {
    json!({"kind": kind, "name": "某设备", "station": "S1", "zone": "", "lat": 29.4, "lon": 106.5,
        "address": "某路 1 号"})
}

/// Asks until the engine has taken what was said.
async fn until(api: &Served, path: &str, good: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let found = api.get(path).await;
        if good(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path}: {}", api.get(path).await);
}

async fn text(api: &Served, path: &str) -> String {
    let answer = api.ask("GET", path).header("accept-language", "en").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_device_of_any_id_is_registered_read_and_asked() {
    let api = Served::alive().await;
    for (id, path) in IDS {
        let path = format!("/api/v1/devices/{path}");
        let (status, made) = api.send("PUT", &path, &row("hydrant")).await;
        assert_eq!((status, &made["id"]), (201, &json!(id)), "{made}");
        let topic = |channel: &str| format!("李家沱/{id}/{channel}");
        api.says(&topic("telemetry"), &json!({"seq": 1, "boot": 1, "pressure_kpa": 321.5}));
        let known = until(&api, &path, |device| device["latest"]["pressure_kpa"] == 321.5).await;
        assert_eq!((&known["id"], &known["area"]), (&json!(id), &json!("李家沱")));
        let settings = json!({"interval_s": 600});
        let (status, answer) = api.send("PUT", &format!("{path}/settings"), &settings).await;
        assert_eq!(status, 200, "{id}: {answer}");
        let asked = json!({"command": "report_now", "seconds": 60});
        let (status, answer) = api.send("POST", &format!("{path}/commands"), &asked).await;
        assert_eq!(status, 202, "{id}: {answer}");
        let history = api.get(&format!("{path}/history?field=pressure_kpa")).await;
        assert_eq!(history["device"], id);
        let csv = api.ask("GET", &format!("{path}/history.csv?field=pressure_kpa"));
        let csv = csv.send().await.unwrap();
        assert_eq!(csv.status().as_u16(), 200, "{id}");
        let name = csv.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.matches('"').count() == 2, "{name}");
    }
    let all = api.get("/api/v1/devices?kind=hydrant").await;
    for (id, _) in IDS {
        assert!(all["items"].as_array().unwrap().iter().any(|item| item["id"] == id), "{id}");
    }
    for bad in ["a%2Fb", "a%23b", "a%0Ab", "e%CC%81", "..%20%E2%80%AE"] {
        let (status, answer) =
            api.send("PUT", &format!("/api/v1/devices/{bad}"), &row("smoke")).await;
        assert_eq!(status, 400, "{bad}: {answer}");
    }
}

#[tokio::test]
async fn pages_link_to_a_device_of_any_id_and_show_it_as_text() {
    let api = Served::alive().await;
    for (id, path) in IDS {
        let (status, _) = api.send("PUT", &format!("/api/v1/devices/{path}"), &row("smoke")).await;
        assert_eq!(status, 201, "{id}");
        let alarm = json!({"condition": "smoke", "active": true});
        api.says(&format!("李家沱/{id}/alarm"), &alarm);
    }
    let fires =
        until(&api, "/api/v1/incidents?state=open", |list| list["total"] == IDS.len()).await;
    let list = text(&api, "/devices").await;
    let board = text(&api, "/").await;
    let labels = text(&api, "/labels").await;
    for page in [&list, &board, &labels] {
        assert!(!page.contains("<script>x(1)"), "{page}");
    }
    for (id, path) in IDS {
        assert!(list.contains(&format!("href=\"/devices/{path}\"")), "{id}: {list}");
        let page = text(&api, &format!("/devices/{path}")).await;
        assert!(page.contains(&format!("data-from=\"/devices/{path}/now\"")), "{page}");
        assert!(page.contains(&format!("/api/v1/devices/{path}/history")), "{page}");
        assert!(page.contains(&format!("/maintenance?device={path}")), "{page}");
        assert!(!page.contains("<script>x(1)"), "{page}");
        text(&api, &format!("/devices/{path}/now")).await;
        text(&api, &format!("/maintenance?device={path}")).await;
        let work = api.ask("GET", &format!("/devices/{path}/work.csv")).send().await.unwrap();
        assert_eq!(work.status().as_u16(), 200, "{id}");
        let name = work.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.ends_with(&format!("filename*=UTF-8''{path}-work.csv")), "{name}");
        let fires = fires["items"].as_array().unwrap();
        let fire = fires.iter().find(|fire| fire["device"]["id"] == id).expect("its fire");
        let incident = fire["id"].as_str().unwrap();
        let page = text(&api, &format!("/incidents/{incident}")).await;
        assert!(page.contains(&format!("href=\"/devices/{path}\"")), "{page}");
        assert!(!page.contains("<script>x(1)"), "{page}");
        let cap = text(&api, &format!("/api/v1/incidents/{incident}/cap")).await;
        assert!(!cap.contains("<script>") && !cap.contains(" & "), "{cap}");
        assert!(cap.ends_with("</alert>\n") || cap.ends_with("</alert>"), "{cap}");
    }
    text(&api, "/map").await;
    text(&api, "/map/points").await;
}
