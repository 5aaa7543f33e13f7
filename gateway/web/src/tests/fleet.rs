//! What devices say of themselves: kept, shown of each, counted over all, and listed.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_store::accounts::Role;

use super::Served;
use super::console::{Browser, town};

async fn until(api: &Served, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = String::new();
    let ask = async {
        loop {
            let answer = api.get(path).await;
            last = answer.to_string();
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(5), ask).await;
    found.unwrap_or_else(|_| panic!("{path} is not as wanted: {last}"))
}

#[tokio::test]
async fn a_status_is_kept_and_shown_of_its_device() {
    let api = Served::alive().await;
    assert_eq!(api.get("/api/v1/devices/H-1").await["status"], Value::Null);
    let birth = json!({"online":true,"boot":7,"firmware":"1.4.0","model":"SP-H1","reset":"watchdog",
        "lost":12,"storage":"corrupt","rev":1});
    api.says("a/H-1/status", &birth);
    let known = |device: &Value| device["status"]["boot"] == 7;
    let mut device = until(&api, "/api/v1/devices/H-1", known).await;
    let at = device["status"]["at"].take();
    assert!(at.as_i64() > Some(1_700_000_000_000), "{at}");
    let expected = json!({"at":null,"boot":7,"firmware":"1.4.0","model":"SP-H1","reset":"watchdog",
        "lost":12,"storage":"corrupt"});
    assert_eq!(device["status"], expected);
    let heard = device["heard_at"].clone();
    api.says("a/H-1/status", &json!({"online":false}));
    until(&api, "/api/v1/devices/H-1", |device| device["heard_at"] != heard).await;
    assert_eq!(api.get("/api/v1/devices/H-1").await["status"]["boot"], 7, "its will says nothing");
    api.says("a/H-1/status", &json!({"online":true,"boot":8,"firmware":"1.5.0"}));
    let device = until(&api, "/api/v1/devices/H-1", |device| device["status"]["boot"] == 8).await;
    let status = &device["status"];
    assert_eq!((&status["lost"], &status["storage"]), (&Value::Null, &Value::Null), "mended");
    let page = api.ask("GET", "/devices/H-1").header("accept-language", "zh");
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("固件版本") && page.contains("1.5.0"), "{page}");
}

/// A district with five devices, of which four said something.
async fn fleet() -> Served {
    let api = town().await;
    api.device(3, "H-3", "hydrant", "", "Z1");
    api.device(4, "H-4", "hydrant", "", "Z1");
    let sql =
        "UPDATE device SET station = 'S2', json = json_set(json, '$.station', 'S2') WHERE ix = 4";
    api.db.execute(sql, ()).unwrap();
    for (ix, firmware, model, reset, lost, storage) in [
        (0, Some("1.4.0"), Some("SP-H1"), Some("power_on"), None, None),
        (1, Some("1.4.0"), Some("SP-H1"), Some("watchdog"), Some(12), None),
        (2, Some("0.9 <β>&x"), None, Some("power_on"), None, Some("failed")),
        (4, None, Some("某型"), Some("odd one"), Some(3), Some("fresh")),
    ] {
        let sql = "INSERT INTO device_status (ix, at, boot, firmware, model, reset, lost, storage)
                   VALUES (?1, 1, 1, ?2, ?3, ?4, ?5, ?6)";
        api.db.execute(sql, (ix, firmware, model, reset, lost, storage)).unwrap();
    }
    api
}

fn ids(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}"));
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_fleet_is_counted_and_each_number_is_that_of_a_list() {
    let api = fleet().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let get =
        async |path: &str| -> Value { serde_json::from_str(&admin.text(path).await).unwrap() };
    let group = |value: Value, devices: u32| json!({"value": value, "devices": devices});
    let all = get("/api/v1/fleet").await;
    let expected = json!({
        "devices": 5, "none": 1,
        "firmware": [group(json!("1.4.0"), 2), group(Value::Null, 2), group(json!("0.9 <β>&x"), 1)],
        "model": [group(Value::Null, 2), group(json!("SP-H1"), 2), group(json!("某型"), 1)],
        "reset": [group(json!("power_on"), 2), group(Value::Null, 1), group(json!("odd one"), 1),
            group(json!("watchdog"), 1)],
        "storage": [group(json!("failed"), 1), group(json!("fresh"), 1)],
        "lost": {"devices": 2, "messages": 15},
    });
    let sorted = |mut fleet: Value| {
        for groups in ["firmware", "model", "reset", "storage"] {
            let list = fleet[groups].as_array_mut().unwrap();
            list.sort_by_key(|group| {
                (-group["devices"].as_i64().unwrap(), group["value"].to_string())
            });
        }
        fleet
    };
    assert_eq!(sorted(all), sorted(expected));
    for (query, expected) in [
        ("firmware=1.4.0", vec!["H-1", "H-2"]),
        ("firmware=0.9%20%3C%CE%B2%3E%26x", vec!["SM-1"]),
        ("model=%E6%9F%90%E5%9E%8B", vec!["H-4"]),
        ("reset=watchdog", vec!["H-2"]),
        ("storage=failed", vec!["SM-1"]),
        ("status=lost", vec!["H-2", "H-4"]),
        ("status=storage_fault", vec!["H-4", "SM-1"]),
        ("status=none", vec!["H-3"]),
        ("status=no_firmware", vec!["H-3", "H-4"]),
        ("status=no_model", vec!["H-3", "SM-1"]),
        ("status=no_reset", vec!["H-3"]),
        ("status=lost&firmware=1.4.0&kind=hydrant", vec!["H-2"]),
        ("firmware=2", vec![]),
    ] {
        let list = admin.text(&format!("/api/v1/devices?{query}")).await;
        assert_eq!(ids(&list), expected, "{query}");
        let page = admin.text(&format!("/devices?{query}")).await;
        for id in ["H-1", "H-2", "H-3", "H-4", "SM-1"] {
            let there = page.contains(&format!("href=\"/devices/{id}\""));
            assert_eq!(there, expected.contains(&id), "{query}: {id}");
        }
    }
    assert_eq!(admin.status("/api/v1/devices?status=odd").await, 400);
    assert_eq!(admin.status("/devices?status=odd").await, 400);
    let village = get("/api/v1/fleet?station=S2").await;
    assert_eq!((&village["devices"], &village["lost"]["messages"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn its_page_is_of_ones_own_stations_and_leads_to_the_lists() {
    let api = fleet().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let page = admin.text("/fleet").await;
    for part in [
        "href=\"/devices?firmware=1.4.0\"",
        "href=\"/devices?firmware=0.9%20%3C%CE%B2%3E%26x\"",
        "0.9 &lt;β&gt;&amp;x",
        "href=\"/devices?status=no_firmware\"",
        "href=\"/devices?status=lost\"",
        "Messages: 15",
        "power came",
        "odd one",
        "does not answer",
        "href=\"/devices?status=none\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let chinese = admin.get_in("zh", "/fleet").await.text().await.unwrap();
    assert!(chinese.contains("看门狗复位") && chinese.contains("未上报"), "{chinese}");
    assert!(admin.text("/devices").await.contains("href=\"/fleet\""), "linked");
    let village = Browser::of(&api, "wang", Role::Viewer, Some("S2")).await;
    let page = village.text("/fleet").await;
    assert!(page.contains("某型") && !page.contains("SP-H1"), "{page}");
    let next = village.text("/devices?model=x&q=a").await;
    assert!(next.contains("name=\"model\" value=\"x\""), "a search stays among them: {next}");
}
