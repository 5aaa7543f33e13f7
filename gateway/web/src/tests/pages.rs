//! Pages as people read them: what is not known, how long ago, in whose language, and what is
//! kept of what somebody typed.

use serde_json::json;
use standpipe_machine::clock::Clock;
use standpipe_rules::detect::Memory;
use standpipe_shared::{Condition, Field, Measurements};
use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{FIRE, NOON, Served, device, open_incident_wire};

/// A town with one fire, as `change` has it, and what its trail says.
async fn burning(change: impl FnOnce(&mut serde_json::Value)) -> Served {
    let api = Served::start(Some("s3cret")).await;
    api.town();
    let mut wire = open_incident_wire();
    change(&mut wire);
    let open = i32::from(wire["state"] != "closed");
    api.db.execute("DELETE FROM incident WHERE id <> ?1", [FIRE]).unwrap();
    let sql = "UPDATE incident SET wire = ?1, open = ?2, state = ?3 WHERE id = ?4";
    let state = wire["state"].as_str().unwrap().to_owned();
    api.db.execute(sql, (wire.to_string(), open, state, FIRE)).unwrap();
    api
}

async fn chinese(browser: &Browser<'_>, path: &str) -> (u16, String) {
    let answer = browser.get_in("zh", path).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The row of a device in the list.
fn row(list: &str, id: &str) -> String {
    let from = list.find(&format!("href=\"/devices/{id}\"")).unwrap();
    list[from..].split("</tr>").next().unwrap().to_owned()
}

#[tokio::test]
async fn of_what_is_not_heard_nobody_says_that_nothing_is_wrong() {
    let api = burning(|_| ()).await;
    api.memory(1, 0, 300.0); // H-2, just heard; SM-1 never was
    api.device(3, "H-3", "hydrant", "Old Rd", "Z1");
    api.memory(3, 0, 290.0);
    let long_ago = Clock::new().now() - 86_400_000;
    let body = standpipe_rules::detect::Memory { heard_at: Some(long_ago), ..Default::default() };
    let sql = "UPDATE memory SET heard_at = ?1, body = ?2 WHERE ix = 3";
    api.db.execute(sql, (long_ago, body.body())).unwrap();
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let (list, (_, zh)) = (admin.text("/devices").await, chinese(&admin, "/devices").await);
    for (id, en, other) in [
        ("H-1", "low pressure", "水压过低"),
        ("H-2", "✓ nothing wrong", "✓ 正常"),
        ("H-3", "? not known", "? 未知"),
        ("SM-1", "? not known", "? 未知"),
    ] {
        assert!(row(&list, id).contains(en), "{}", row(&list, id));
        assert!(row(&zh, id).contains(other), "{}", row(&zh, id));
        let page = admin.text(&format!("/devices/{id}")).await;
        assert_eq!(page.contains("✓ nothing wrong"), id == "H-2", "{id}");
        assert_eq!(row(&list, id).contains('✓'), id == "H-2", "{id}");
    }
    assert!(row(&list, "SM-1").contains("never") && row(&zh, "SM-1").contains("从未"));
    assert!(row(&list, "H-3").contains("1 d 0 h ago") && row(&zh, "H-3").contains("1 天 0 小时前"));
    assert!(admin.text("/devices/H-3").await.contains("not known now"), "its trust");
    assert!(admin.text("/devices/SM-1").await.contains("? not known"));
    let map = admin.text("/map/points").await;
    assert!(map.contains("\"SM-1\",\"SM-1 name\",29.4,106.5,1"), "silent on the map: {map}");
}

#[tokio::test]
async fn pages_say_why_a_hydrant_is_not_trusted_and_how_old_its_pressure_is() {
    let api = burning(|incident| {
        let mut near = incident["hydrants"][0].clone();
        (near["id"], near["measured_at"]) = (json!("H-2"), json!(Clock::new().now() - 60_000));
        incident["hydrants"] = json!([near]);
        (incident["reason"], incident["conditions"]) =
            (json!("since_unknown"), json!(["smoke", "heat"]));
        incident["value"] = json!({"smoke_db_m": 0.3, "temp_c": 61.0});
    });
    let api = api.await;
    let now = Clock::new().now();
    api.memory_at(1, 0, 300.0, now - 7_200_000); // H-2: heard just now
    let mut low = Memory { heard_at: Some(now), ..Memory::default() };
    let mut values = Measurements::default();
    values.set(Field::PressureKpa, 121.5).unwrap();
    low.take_in(&values, now);
    low.fresh_mut().see_water(121.5, now);
    low.track_mut(Condition::LowPressure).set(now, now);
    api.db.execute("UPDATE memory SET body = ?1 WHERE ix = 0", [low.body()]).unwrap();
    let mut detector = Memory { heard_at: Some(now), ..Memory::default() };
    let mut values = Measurements::default();
    values.set(Field::SmokeDbM, 0.42).unwrap();
    detector.take_in(&values, now - 180_000);
    let sql = "INSERT INTO memory VALUES (2, 0, 3, ?1, ?1, '{}', ?2)";
    api.db.execute(sql, (now, detector.body())).unwrap();

    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let (en, zh) = ("the newest pressure is too old", "水压数据已过时");
    let (list, (_, list_zh)) = (admin.text("/devices").await, chinese(&admin, "/devices").await);
    assert!(row(&list, "H-2").contains(en), "{}", row(&list, "H-2"));
    assert!(row(&list_zh, "H-2").contains(zh), "{}", row(&list_zh, "H-2"));
    assert!(row(&list, "H-2").contains("2 h 0 min ago"), "its pressure's age, not its message's");
    assert!(row(&list, "H-1").contains("low pressure"), "{}", row(&list, "H-1"));
    assert!(!row(&list, "H-1").contains("below the minimum"), "that is said already");
    assert!(admin.text("/devices/H-1").await.contains("below the minimum"));
    for path in ["/devices/H-2".to_owned(), format!("/incidents/{FIRE}")] {
        let (page, (_, page_zh)) = (admin.text(&path).await, chinese(&admin, &path).await);
        assert!(page.contains(en) && page.contains("2 h 0 min ago"), "{path} {page}");
        assert!(page_zh.contains(zh) && page_zh.contains("2 小时 0 分前"), "{path} {page_zh}");
    }
    let fire = format!("/incidents/{FIRE}");
    let (page, (_, page_zh)) = (admin.text(&fire).await, chinese(&admin, &fire).await);
    assert!(page.contains("0.42 dB/m (3 min 0 s ago)"), "as it is now: {page}");
    assert!(page.contains("61 °C<") || page.contains("61 °C "), "as it was told: {page}");
    assert!(page.contains("since when is not known") && page_zh.contains("起始时间不明"));
    let board = admin.text("/").await;
    assert!(board.contains("1 min 0 s ago"), "the first hydrant's pressure has its age: {board}");
}

#[tokio::test]
async fn a_fire_without_water_and_how_far_it_was_escalated_are_told_on_the_board() {
    let api = burning(|incident| {
        (incident["step"], incident["hydrants"][0]["trust"]) = (json!(3), json!("no_water"));
    });
    let api = api.await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let board = admin.text("/").await;
    assert!(board.contains("<p class=\"water wrong\">few</p>"), "{board}");
    assert!(board.contains("escalated to step 3"), "{board}");
    let (_, zh) = chinese(&admin, "/").await;
    assert!(
        zh.contains("已升级到第 3 级") && zh.contains("<p class=\"water wrong\">少</p>"),
        "{zh}"
    );
    let api = burning(|_| ()).await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    assert!(!admin.text("/").await.contains("water wrong"), "one has water");
}

#[tokio::test]
async fn an_unregistered_detector_is_called_one_and_where_it_speaks_from() {
    let api = burning(|incident| {
        incident["station"] = json!("");
        incident["hydrants"] = json!([]);
        incident["device"] =
            json!({"id":"UNK-1","kind":"smoke","name":"UNK-1","address":"","lat":null,"lon":null});
    });
    let api = api.await;
    api.device(9, "UNK-1", "smoke", "", "");
    let mut stray = device("UNK-1", "smoke", "", "");
    (stray["claimed"], stray["area"], stray["station"]) = (json!(false), json!("S2"), json!(""));
    api.db.execute("UPDATE device SET json = ?1 WHERE ix = 9", [stray.to_string()]).unwrap();
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let en = "unregistered device UNK-1 · speaks from area 河滨站 · no station of its own</p>";
    let zh = "未登记设备 UNK-1 · 消息来自区域 河滨站 · 无所属站点</p>";
    for path in ["/", "/takeover"] {
        let text = admin.text(path).await;
        assert!(text.contains(en) && text.contains("Its place is not known"), "{path}: {text}");
        let (_, text) = chinese(&admin, path).await;
        assert!(text.contains(zh) && text.contains("位置未知"), "{path}: {text}");
    }
    let page = admin.text(&format!("/incidents/{FIRE}")).await;
    for words in ["not registered", "speaks from area 河滨站", "every district station"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(admin.text("/devices/UNK-1").await.contains("speaks from area S2"));
}

#[tokio::test]
async fn a_closed_incident_takes_no_note_and_its_trail_is_dated_and_in_words() {
    let api = burning(|incident| {
        (incident["state"], incident["closed_at"]) = (json!("closed"), json!(NOON));
    });
    let api = api.await;
    for (at, hop, by, detail) in [
        (NOON - 86_400_000, "raised", "SM-1", "no_water"),
        (NOON - 86_400_000 + 727_000, "paged", "gateway", "step 1: station S2"),
        (NOON, "reopened", "gateway", "no longer muted"),
        (NOON, "closed", "gateway", "false_alarm"),
    ] {
        let line = [
            ("incident", json!(FIRE)),
            ("at", json!(at)),
            ("hop", json!(hop)),
            ("by", json!(by)),
            ("detail", json!(detail)),
        ];
        api.row("trail", &line);
    }
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let (_, page) = chinese(&admin, &format!("/incidents/{FIRE}")).await;
    assert!(!page.contains("note-form"), "{page}");
    for words in [
        "无水",
        "第 1 级 · 站点 河滨站",
        "静音已结束",
        "误报",
        "网关",
        "+12 分钟",
        "2025-11-24</li>",
        "2025-11-25</li>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let open = burning(|_| ()).await;
    let admin = Browser::of(&open, "root", Role::Admin, None).await;
    assert!(admin.text(&format!("/incidents/{FIRE}")).await.contains("note-form"));
}

#[tokio::test]
async fn what_is_refused_is_told_in_the_visitors_language() {
    let api = burning(|_| ()).await;
    let officer = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    for (path, status, en, zh) in [
        ("/devices/H-9", 404, "There is no device H-9.", "没有设备 H-9："),
        ("/incidents/x", 404, "There is no incident x.", "没有警情 x："),
        ("/accounts", 403, "Your role may not do that", "您的角色无权"),
        ("/devices?page=x", 400, "can't be understood", "无法理解"),
    ] {
        let answer = officer.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(en) && text.contains("<html lang=\"en\""), "{path}: {text}");
        let (again, text) = chinese(&officer, path).await;
        assert_eq!(again, status, "{path}");
        assert!(text.contains(zh) && text.contains("lang=\"zh-CN\""), "{path}: {text}");
        assert!(!text.contains("/api/v1"), "nobody reads an API: {text}");
    }
}

#[tokio::test]
async fn a_refused_account_form_keeps_what_was_typed_but_no_password() {
    let api = burning(|_| ()).await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    for (form, kept, why) in [
        ("do=add&name=root&password=correct+horse&role=crew&station=S2", "root", "“root”已存在"),
        ("do=add&name=a+b&password=correct+horse&role=crew&station=S2", "a b", "“a b”不能作为名称"),
        ("do=add&name=new&password=short&role=crew&station=S2", "new", "现为 5 个"),
    ] {
        let answer = admin.post("/accounts", &format!("{form}&csrf={}", admin.csrf)).await;
        assert_eq!(answer.status().as_u16(), 400, "{form}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(why), "{why}: {page}");
        let form = page.split("id=\"new-name\"").nth(1).unwrap().split("</form>").next().unwrap();
        assert!(form.contains(&format!("value=\"{kept}\"")), "{form}");
        assert!(form.contains("value=\"crew\" selected") && form.contains("value=\"S2\" selected"));
        assert!(!page.contains("correct horse") && !page.contains("short"), "{page}");
    }
    let days = "do=make_token&name=desk&role=officer&station=S1&days=999";
    let answer = admin.post("/accounts", &format!("{days}&csrf={}", admin.csrf)).await;
    assert_eq!(answer.status().as_u16(), 400);
    let page = answer.text().await.unwrap();
    assert!(page.contains("令牌有效期为") && page.contains("value=\"desk\""), "{page}");
    let wrong = admin.post("/login", "name=root&password=wrong").await;
    let page = wrong.text().await.unwrap();
    assert!(page.contains("value=\"root\"") && !page.contains("value=\"wrong\""), "{page}");
    let (_, audit) = chinese(&admin, "/audit").await;
    for words in ["登录失败", "连续 1 次", "title=\"sign_in_failed\""] {
        assert!(audit.contains(words), "{words}: {audit}");
    }
}
