//! Settings and commands, asked of an engine that runs; what the broker does is told to it here.

use std::time::Duration;

use serde_json::json;

use super::Served;

#[tokio::test]
async fn a_wish_is_told_on_the_stream_and_lies_in_the_store() {
    let api = Served::alive().await;
    let mut stream = api.ask("GET", "/api/v1/stream").header("last-event-id", "0");
    stream = stream.timeout(Duration::from_secs(30));
    let mut stream = stream.send().await.unwrap();
    let path = "/api/v1/devices/H-1/settings";
    let (status, put) = api.send("PUT", path, &json!({"interval_s": 60, "by": "Li Wei"})).await;
    assert_eq!((status, &put["state"], &put["by"]), (200, &json!("pending"), &json!("Li Wei")));
    assert_eq!(api.get(path).await, put, "what was answered is what lies in the store");
    api.says("A1/H-1/status", &json!({"online": true, "rev": 1}));
    let (status, ask) =
        api.send("POST", "/api/v1/devices/H-1/commands", &json!({"command": "restart"})).await;
    assert_eq!((status, &ask["by"]), (202, &json!("admin")), "{ask}");

    let mut told = String::new();
    while !told.contains("\"command\":{") {
        let chunk = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap();
        told.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    for words in ["\"state\":\"pending\"", "\"state\":\"applied\"", "\"id\":\"H-1\""] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert_eq!(api.get(path).await["state"], "applied");
    let list = api.get("/api/v1/devices/H-1/commands").await;
    assert_eq!((&list["total"], &list["items"][0]), (&json!(1), &ask));
    assert_eq!(api.get("/api/v1/devices/SM-1/commands").await["total"], 0);
}

#[tokio::test]
async fn the_profiles_settings_are_the_base_of_a_devices_own() {
    let api = Served::alive().await;
    let profile = "/api/v1/profiles/municipal/settings";
    let (status, put) =
        api.send("PUT", profile, &json!({"interval_s": 1200, "low_kpa": 200})).await;
    assert_eq!((status, &put["wanted"]["low_kpa"]), (200, &json!(200.0)), "{put}");
    let own = "/api/v1/devices/H-1/settings";
    let (_, put) = api.send("PUT", own, &json!({"sample_s": 60})).await;
    let wanted = json!({"interval_s": 1200, "sample_s": 60, "low_kpa": 200.0,
        "no_water_kpa": 20.0, "delta_kpa": 15.0});
    assert_eq!((&put["wanted"], &put["source"]), (&wanted, &json!("device")));
    let counts = json!({"own": 1, "none": 0, "pending": 0, "applied": 0, "refused": 0});
    assert_eq!(api.get(profile).await["devices"], counts);
    let gone = api.ask("DELETE", own).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 200);
    let shown = api.get(own).await;
    assert_eq!((&shown["source"], &shown["wanted"]["sample_s"]), (&json!("profile"), &json!(5)));
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn what_cannot_be_asked_is_a_problem() {
    let api = Served::alive().await;
    for (method, path, body, status, words) in [
        ("PUT",  "devices/H-9/settings",        json!({"interval_s": 60}), 404, "no device `H-9`"),
        ("PUT",  "profiles/alpine/settings",    json!({"interval_s": 60}), 404, "no profile `alpine`"),
        ("GET",  "profiles/alpine/settings",    json!({}),                 404, "no profile `alpine`"),
        ("GET",  "devices/H-9/settings",        json!({}),                 404, "no device `H-9`"),
        ("GET",  "devices/H-9/commands",        json!({}),                 404, "no device `H-9`"),
        ("GET",  "devices/H-1/commands/1",      json!({}),                 404, "no command `1`"),
        ("DELETE", "devices/H-9/settings",      json!({}),                 404, "no device `H-9`"),
        ("PUT",  "devices/H-1/settings",        json!({"interval": 60}),   400, "unknown field `interval`"),
        ("PUT",  "devices/H-1/settings",        json!({"interval_s": 2.5}), 400, "interval_s is 2.5: set 5 to 86400 s"),
        ("PUT",  "devices/H-1/settings",        json!({"delta_kpa": 1e300}), 400, "delta_kpa is 340282350"),
        ("PUT",  "devices/SM-1/settings",       json!({"sample_s": 11}),   400, "sample_s is 11 s: set 1 to 10 s for a smoke device"),
        ("POST", "devices/H-1/commands",        json!({"command": "silence", "seconds": 901}), 400, "seconds is 901: set 1 to 900 for silence"),
        ("POST", "devices/H-1/commands",        json!({"command": "silence", "by": "x".repeat(1_001)}), 400, "by has 1001 characters"),
    ] {
        let (code, problem) = api.send(method, &format!("/api/v1/{path}"), &body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(code == status && detail.contains(words), "{method} {path}: {code} {problem}");
    }
}
