//! The notices of a day, as a program and a person ask for them.

use serde_json::{Value, json};
use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{NOON, Served, incident_wire};

/// 2025-11-25, eight in the morning in Shanghai: eight hours after `NOON`.
const EIGHT: i64 = NOON + 8 * 3_600_000;
const HOUR: i64 = 3_600_000;

/// A notice of the village or the district.
fn notice(api: &Served, n: u32, station: &str, opened_at: i64, closed_at: Option<i64>) -> String {
    let id = format!("01KAV0000000000000000{n:05}");
    let mut wire = incident_wire();
    let state = if closed_at.is_some() { "closed" } else { "open" };
    for (key, value) in [
        ("id", json!(id)),
        ("class", json!("upkeep")),
        ("severity", json!("notice")),
        ("state", json!(state)),
        ("station", json!(station)),
        ("conditions", json!(["battery_low"])),
        ("title", json!({"en": format!("Battery low {n}"), "zh": format!("电量不足 {n}")})),
        ("opened_at", json!(opened_at)),
        ("since", json!(opened_at)),
        ("closed_at", json!(closed_at)),
        ("outcome", json!(closed_at.map(|_| "recovered"))),
        ("parent", Value::Null),
    ] {
        wire[key] = value;
    }
    wire["device"]["id"] = json!(format!("H-{n}"));
    api.incident(&id, opened_at, "upkeep", "notice", state);
    let sql = "UPDATE incident SET wire = ?2, station = ?3, closed_at = ?4 WHERE id = ?1";
    api.db.execute(sql, (&id, wire.to_string(), station, closed_at)).unwrap();
    id
}

/// A village and its district, with what was open, what ended, and what is too old.
async fn town() -> Served {
    let api = Served::start(Some("s3cret")).await;
    api.town();
    api.db.execute("DELETE FROM incident", ()).unwrap();
    notice(&api, 1, "S1", EIGHT - 40 * HOUR, None);
    notice(&api, 2, "S2", EIGHT - 3 * HOUR, None);
    notice(&api, 3, "S2", EIGHT - 40 * HOUR, Some(EIGHT - 5 * HOUR));
    notice(&api, 4, "S2", EIGHT - 40 * HOUR, Some(EIGHT - 25 * HOUR));
    notice(&api, 5, "S2", EIGHT + HOUR, None);
    api
}

fn devices(digest: &Value) -> Vec<&str> {
    digest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["device"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_day_is_told_to_a_station_and_those_above_it() {
    let api = town().await;
    let admin = Browser::of(&api, "li", Role::Admin, None).await;
    let get = async |query: &str| -> Value {
        serde_json::from_str(&admin.text(&format!("/api/v1/digest?{query}")).await).unwrap()
    };
    let digest = get("day=2025-11-25").await;
    assert_eq!((&digest["from"], &digest["to"]), (&json!(EIGHT - 24 * HOUR), &json!(EIGHT)));
    assert_eq!(devices(&digest), ["H-2", "H-1", "H-3"]);
    assert_eq!(
        (&digest["open"], &digest["new"], &digest["closed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let counts = json!([{"condition": "battery_low", "open": 2, "new": 1, "closed": 1}]);
    assert_eq!(digest["counts"], counts);
    assert_eq!(digest["items"][0]["title"], json!({"en": "Battery low 2", "zh": "电量不足 2"}));
    assert_eq!(devices(&get("day=2025-11-25&station=S1").await), ["H-2", "H-1", "H-3"]);
    assert_eq!(devices(&get("day=2025-11-25&station=S2").await), ["H-2", "H-3"]);
    assert_eq!(devices(&get("day=2025-11-26&station=S2").await), ["H-5", "H-2"]);
    assert_eq!(devices(&get("day=2025-11-24&station=S2").await), ["H-3", "H-4"], "as it was then");
    let today = get("").await;
    assert_eq!(devices(&today), ["H-1", "H-2", "H-5"], "whatever was not closed since");
    for (query, status) in
        [("day=2025-11-31", 400), ("day=2999-01-01", 400), ("station=S9", 404), ("x=1", 400)]
    {
        assert_eq!(admin.status(&format!("/api/v1/digest?{query}")).await, status, "{query}");
        assert_eq!(admin.status(&format!("/digest?{query}")).await, status, "{query}");
    }
}

#[tokio::test]
async fn its_page_is_of_ones_own_stations_and_needs_no_script() {
    let api = town().await;
    let village = Browser::of(&api, "wang", Role::Viewer, Some("S2")).await;
    let page = village.text("/digest?day=2025-11-25").await;
    for part in [
        "Notices of the day 2025-11-25",
        "2025-11-24 08:00 until 2025-11-25 08:00",
        "<strong>1 open</strong>",
        "href=\"/incidents/01KAV000000000000000000002\"",
        "Battery low 2",
        "href=\"/devices/H-2\"",
        "河滨站",
        "closed 11-25 03:00",
        "href=\"/digest?day=2025-11-24&amp;station=\"",
        "href=\"/digest?day=2025-11-26&amp;station=\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("H-1") && !page.contains("H-4"), "others', and what is long over");
    assert_eq!(village.status("/digest?day=2025-11-25&station=S1").await, 404, "not theirs");
    assert_eq!(village.status("/api/v1/digest?day=2025-11-25&station=S1").await, 404);
    let json: Value =
        serde_json::from_str(&village.text("/api/v1/digest?day=2025-11-25").await).unwrap();
    assert_eq!(devices(&json), ["H-2", "H-3"]);
    assert!(village.text("/digest?day=2020-06-01").await.contains("No notices."));
    let now = village.text("/digest").await;
    assert!(now.contains("Battery low 5"), "{now}");
    let chinese = api.ask("GET", "/digest?day=2025-11-25").header("accept-language", "zh");
    let chinese = chinese.bearer_auth("s3cret").send().await.unwrap().text().await.unwrap();
    for part in ["每日提示 2025-11-25 · 全部站点", "<strong>2 未关闭</strong>", "电量不足 2"]
    {
        assert!(chinese.contains(part), "{part} in {chinese}");
    }
    assert!(village.text("/").await.contains("href=\"/digest\""), "linked from the board");
}

/// Messages that were not understood in the quarter of an hour that begins then.
fn rejected(api: &Served, slot: i64, reason: &str, messages: u32) {
    let sql = "INSERT INTO rejected (slot, reason, messages) VALUES (?1, ?2, ?3)";
    api.db.execute(sql, (slot, reason, messages)).unwrap();
}

#[tokio::test]
async fn what_could_not_be_read_since_yesterday_is_told_to_districts() {
    const SLOT: i64 = 15 * 60_000;
    let api = town().await;
    for (slot, reason, messages) in [
        (EIGHT - 24 * HOUR - SLOT, "too_long", 1_000), // ended as the day began: told the day before
        (EIGHT - 24 * HOUR, "not_json", 3),
        (EIGHT - 2 * HOUR, "wrong_type", 4),
        (EIGHT - SLOT, "not_json", 5), // ends with the day
        (EIGHT, "topic", 2_000),
    ] {
        rejected(&api, slot, reason, messages);
    }
    for (at, device) in [
        (EIGHT - HOUR, "H-1"),
        (EIGHT - 1, "H-1"),
        (EIGHT - 2, "H-2"),
        (EIGHT - 3, ""),
        (EIGHT, "SM-1"),
    ] {
        let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload, device)
                   VALUES (?1, 't', 'not_json', 'd', x'00', ?2)";
        api.db.execute(sql, (at, device)).unwrap();
    }
    let admin = Browser::of(&api, "li", Role::Admin, None).await;
    let get = async |query: &str| -> Value {
        serde_json::from_str(&admin.text(&format!("/api/v1/digest?{query}")).await).unwrap()
    };
    let told = json!({"messages": 12, "devices": 2, "reasons": [
        {"reason": "not_json", "messages": 8}, {"reason": "wrong_type", "messages": 4}]});
    assert_eq!(get("day=2025-11-25").await["unread"], told);
    assert_eq!(get("day=2025-11-25&station=S1").await["unread"], told, "the district's");
    assert_eq!(get("day=2025-11-25&station=S2").await["unread"], Value::Null, "not the village's");
    assert_eq!(get("day=2025-11-24").await["unread"]["messages"], 1_000);
    assert_eq!(get("day=2025-11-26").await["unread"]["messages"], 2_000);
    let page = admin.text("/digest?day=2025-11-25").await;
    let words = "12 messages of 2 registered devices were not understood: \
                 not JSON 8 · wrong type or range 4";
    assert!(page.contains(words) && page.contains("href=\"/quarantine\""), "{page}");
    let chinese = admin.get_in("zh", "/digest?day=2025-11-25").await.text().await.unwrap();
    let words = "无法识别的消息 12 条，来自 2 台已登记设备：不是 JSON 8 · 类型或范围不对 4";
    assert!(chinese.contains(words), "{chinese}");
}

#[tokio::test]
async fn the_document_says_what_a_digest_is() {
    let api = town().await;
    let document = api.get("/api/openapi.json").await;
    assert!(document["paths"]["/api/v1/digest"]["get"].is_object());
    let admin = Browser::of(&api, "li", Role::Admin, None).await;
    let text = admin.text("/api/v1/digest?day=2025-11-25&station=S1").await;
    let digest: Value = serde_json::from_str(&text).unwrap();
    let keys = |object: &Value| {
        let mut keys: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let schema = |name: &str| &document["components"]["schemas"][name]["properties"];
    assert_eq!(keys(schema("Digest")), keys(&digest));
    assert_eq!(keys(schema("DigestCount")), keys(&digest["counts"][0]));
    assert_eq!(keys(schema("DigestLine")), keys(&digest["items"][0]));
    rejected(&api, EIGHT - HOUR, "not_json", 3);
    let digest: Value =
        serde_json::from_str(&admin.text("/api/v1/digest?day=2025-11-25").await).unwrap();
    assert_eq!(keys(schema("DigestUnread")), keys(&digest["unread"]));
    assert_eq!(keys(schema("DigestReason")), keys(&digest["unread"]["reasons"][0]));
}
