//! What was not understood, and who looks after it.

use serde_json::{Value, json};
use standpipe_store::accounts::Role;

use super::NOON;
use super::console::{Browser, town};

#[tokio::test]
async fn its_page_says_in_words_what_came_and_of_whom() {
    let api = town().await;
    for (n, topic, reason, payload, device) in [
        (1, "standpipe/v1/a/H-1/telemetry", "not_json", &b"<b>{\"kpa\":\xc3\xfb\0"[..], "H-1"),
        (2, "standpipe/v1/a/x\u{202e}y/telemetry", "topic", "水压=3".as_bytes(), ""),
        (3, "H-2", "history", &[b'x'; 4_096][..], "H-2"),
        (4, "t", "from_the_future", b"", ""),
    ] {
        let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload, device)
                   VALUES (?1, ?2, ?3, 'not understood: send it', ?4, ?5)";
        api.db.execute(sql, (NOON + n, topic, reason, payload, device)).unwrap();
    }
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let page = admin.text("/quarantine").await;
    for part in [
        "<strong>not JSON</strong>",
        "&lt;b&gt;{&quot;kpa&quot;:\\xc3\\xfb\\u{0}",
        "href=\"/devices/H-1\"",
        "standpipe/v1/a/x\\u{202e}y/telemetry",
        "水压=3",
        "refused by the history",
        "<strong>from_the_future</strong>",
        "none registered",
        "<details>",
        "<option value=\"topic\">topic of nobody (1)</option>",
        "not understood: send it",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let only = admin.text("/quarantine?reason=topic").await;
    assert!(only.contains("水压=3") && !only.contains("<strong>not JSON</strong>"), "{only}");
    let only = admin.text("/quarantine?device=H-1").await;
    assert!(!only.contains("水压=3") && only.contains("<strong>not JSON</strong>"), "{only}");
    let chinese = admin.get_in("zh", "/quarantine").await.text().await.unwrap();
    for part in ["无法识别的消息", "<strong>不是 JSON</strong>", "未登记", "主题不符合约定 (1)"]
    {
        assert!(chinese.contains(part), "{part}: {chinese}");
    }
    let list: Value =
        serde_json::from_str(&admin.text("/api/v1/quarantine?device=H-1").await).unwrap();
    assert_eq!((&list["total"], &list["items"][0]["device"]), (&json!(1), &json!("H-1")));
    api.db.execute("DELETE FROM quarantine", ()).unwrap();
    assert!(admin.text("/quarantine").await.contains("Everything was understood."));
}

#[tokio::test]
async fn those_who_look_after_devices_of_all_stations_see_it() {
    let api = town().await;
    for (n, (role, station, sees)) in [
        (Role::Admin, None, true),
        (Role::Admin, Some("S1"), true),
        (Role::DeviceManager, Some("S1"), true),
        (Role::Officer, Some("S1"), true),
        (Role::Crew, Some("S1"), false),
        (Role::Viewer, None, false),
        (Role::Admin, Some("S2"), false),
        (Role::DeviceManager, Some("S2"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let who = Browser::of(&api, &format!("n{n}"), role, station).await;
        let status = if sees { 200 } else { 403 };
        for path in ["/quarantine", "/api/v1/quarantine"] {
            assert_eq!(who.status(path).await, status, "{path} {role:?} {station:?}");
        }
        let offered = who.text("/").await.contains("href=\"/quarantine\"");
        assert_eq!(offered, sees, "{role:?} {station:?}");
    }
}
