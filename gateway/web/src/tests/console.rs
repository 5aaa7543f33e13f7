//! Accounts and pages as a browser meets them: signing in, proofs, roles, other people's stations.

use reqwest::{Client, Response, redirect::Policy};
use serde_json::json;
use standpipe_rules::incidents::WireIncident;
use standpipe_store::accounts::{Account, Role};

use super::{FIRE, NOON, Served, incident_wire, open_incident_wire};

const PASSWORD: &str = "correct horse";

/// Somebody's browser.
pub struct Browser<'a> {
    api: &'a Served,
    client: Client,
    cookie: String,
    pub csrf: String,
}

impl<'a> Browser<'a> {
    /// Signs in as an account that is made for it.
    pub async fn of(api: &'a Served, name: &str, role: Role, station: Option<&str>) -> Self {
        let accounts = &api.parts.accounts;
        let hash = accounts.hashed(PASSWORD.to_owned()).await.unwrap();
        let account = Account::new(name, role, station, NOON);
        accounts.with(move |book| book.add(&account, &hash)).await.unwrap();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let mut browser = Self { api, client, cookie: String::new(), csrf: String::new() };
        let form = format!("name={name}&password=correct+horse&next=%2F");
        let answer = browser.post("/login", &form).await;
        assert_eq!(answer.status().as_u16(), 303);
        assert_eq!(answer.headers()["location"], "/");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut browser.cookie);
        let page = browser.text("/").await;
        let from = page.find("data-csrf=\"").unwrap() + 11;
        page[from..from + 48].clone_into(&mut browser.csrf);
        browser
    }

    pub async fn get(&self, path: &str) -> Response {
        self.get_in("en", path).await
    }

    pub async fn get_in(&self, language: &str, path: &str) -> Response {
        let ask = self.client.get(format!("http://{}{path}", self.api.address));
        let ask = ask.header("cookie", &self.cookie).header("accept-language", language);
        ask.send().await.unwrap()
    }

    pub async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    pub async fn post(&self, path: &str, form: &str) -> Response {
        let ask = self.client.post(format!("http://{}{path}", self.api.address));
        let ask = ask.header("content-type", "application/x-www-form-urlencoded");
        ask.header("cookie", &self.cookie).body(form.to_owned()).send().await.unwrap()
    }

    /// The status of a `POST` of JSON.
    pub async fn does(&self, path: &str, body: &serde_json::Value) -> u16 {
        let ask = self.client.post(format!("http://{}{path}", self.api.address));
        let ask = ask.header("cookie", &self.cookie).header("x-standpipe-csrf", &self.csrf);
        let ask = ask.header("content-type", "application/json").body(body.to_string());
        ask.send().await.unwrap().status().as_u16()
    }

    pub async fn sends(&self, path: &str, form: &str) -> u16 {
        self.post(path, &format!("{form}&csrf={}", self.csrf)).await.status().as_u16()
    }
}

/// Every page of the console that an administrator can open in [`town`].
pub fn pages() -> Vec<String> {
    let lists = ["/", "/devices", "/map", "/maintenance", "/reports", "/digest", "/fleet"];
    let desk = ["/quarantine", "/accounts", "/audit", "/routing", "/password", "/labels"];
    let one = [format!("/incidents/{FIRE}"), "/devices/H-1".to_owned()];
    lists.into_iter().chain(desk).map(str::to_owned).chain(one).collect()
}

/// A town whose fire can be read as a page.
pub async fn town() -> Served {
    let api = Served::start(Some("s3cret")).await;
    api.town();
    for id in [FIRE, super::ZONE, super::CHILD] {
        let mut wire = open_incident_wire();
        wire["id"] = json!(id);
        serde_json::from_value::<WireIncident>(wire.clone()).expect("an incident");
        let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
        api.db.execute(sql, (wire.to_string(), id)).unwrap();
    }
    api
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let api = town().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let get = |path: &str| client.get(format!("http://{}{path}", api.address)).send();
    let answer = get(&format!("/incidents/{FIRE}?a=b")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 303);
    let to = answer.headers()["location"].to_str().unwrap();
    assert_eq!(to, format!("/login?next=/incidents/{FIRE}%3Fa%3Db"));
    let login = get(to).await.unwrap();
    for (name, value) in [("x-frame-options", "DENY"), ("cache-control", "no-store")] {
        assert_eq!(login.headers()[name], value);
    }
    let policy = login.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let page = login.text().await.unwrap();
    assert!(page.contains(&format!("value=\"/incidents/{FIRE}?a=b\"")), "{page}");
    let part = client.get(format!("http://{}/board", api.address)).header("x-live", "1");
    assert_eq!(part.send().await.unwrap().status().as_u16(), 401, "a script is told plainly");
}

#[tokio::test]
async fn a_wrong_password_and_another_sites_form_are_refused() {
    let api = town().await;
    let browser = Browser::of(&api, "li", Role::Officer, None).await;
    let wrong = browser.post("/login", "name=li&password=wrong").await;
    assert_eq!(wrong.status().as_u16(), 401);
    assert!(wrong.text().await.unwrap().contains("用户名或密码错误"));
    let login = format!("http://{}/login", api.address);
    let foreign = browser.client.post(login).header("origin", "http://evil.example");
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded");
    let foreign = foreign.body("name=li&password=correct+horse").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 403);
}

#[tokio::test]
async fn what_a_session_changes_must_prove_that_it_comes_from_our_page() {
    let api = town().await;
    let li = Browser::of(&api, "li", Role::Officer, None).await;
    let act = format!("/incidents/{FIRE}/act");
    for stolen in ["", "&csrf=", "&csrf=0123"] {
        let answer = li.post(&act, &format!("action=acknowledge{stolen}")).await;
        assert_eq!(answer.status().as_u16(), 403, "{stolen}");
    }
    let json = li.client.post(format!("http://{}/api/v1/incidents/{FIRE}/actions", api.address));
    let json = json.header("cookie", &li.cookie).header("content-type", "application/json");
    let answer = json.body(r#"{"action":"acknowledge"}"#).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403, "nor by the API");
    assert_eq!(li.status("/api/v1/devices").await, 200, "reading needs no proof");
    assert_eq!(li.post("/logout", "").await.status().as_u16(), 303);
    assert_eq!(li.status("/api/v1/devices").await, 401, "signed out");
}

#[tokio::test]
async fn another_stations_incident_is_not_found_until_it_is_paged_there() {
    let api = town().await;
    let of_s1 = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let of_s2 = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    let (page, json) = (format!("/incidents/{FIRE}"), format!("/api/v1/incidents/{FIRE}"));
    for path in [&page, &json, "/api/v1/devices/H-1", "/api/v1/devices/H-1/history"] {
        assert_eq!(of_s1.status(path).await, 200, "{path}");
        assert_eq!(of_s2.status(path).await, 404, "{path}");
    }
    let act = format!("{page}/act");
    assert_eq!(of_s2.sends(&act, "action=acknowledge").await, 404);
    for list in ["incidents", "devices"] {
        let text = of_s2.text(&format!("/api/v1/{list}")).await;
        assert!(text.contains("\"total\":0"), "{list}: {text}");
    }
    assert_eq!(of_s2.status("/devices/H-1").await, 404);
    for (page, mine) in [("/map/points", "H-1"), ("/devices", "H-1"), ("/labels", "H-1")] {
        assert!(of_s1.text(page).await.contains(mine), "{page}");
        assert!(!of_s2.text(page).await.contains(mine), "{page}");
    }
    assert!(!of_s2.text("/").await.contains(FIRE));
    assert!(of_s1.text("/").await.contains(FIRE));
    let page_row = [
        ("page_id", json!("P")),
        ("incident", json!(FIRE)),
        ("episode", json!(1)),
        ("step", json!(2)),
        ("repeat", json!(0)),
        ("kind", json!("station")),
        ("receiver", json!("S2")),
        ("at", json!(NOON)),
    ];
    api.row("page", &page_row);
    assert_eq!(of_s2.status(&page).await, 200, "they were paged about it");
    assert!(of_s2.text("/").await.contains(FIRE));
    assert!(of_s2.text("/takeover").await.contains("data-sound=\"fire\""));
}

#[tokio::test]
async fn whoever_sees_one_of_thousands_of_fires_is_not_told_of_ninety_nine() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let put = |n: i64| {
        let id = format!("{n:026}");
        api.incident(&id, NOON + n, "fire", "fire", "open");
        let mut wire = open_incident_wire();
        wire["id"] = json!(id);
        let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
        api.db.execute(sql, (wire.to_string(), &id)).unwrap();
    };
    (1..=5).for_each(put);
    let few = admin.text("/takeover").await;
    assert!(few.contains("6 fires") && !few.contains("more than"), "{few}");
    (6..=120).for_each(put);
    let many = admin.text("/takeover").await;
    assert!(many.contains("121 · Waiting for somebody"), "{many}");
    assert_eq!(many.matches("data-card").count(), 20, "the first 20, and a link to the rest");
    assert!(many.contains("<a href=\"/\" data-do=\"aside\">"), "{many}");
    let first = many.find("data-card=\"00000000000000000000000001\"").expect("the oldest");
    assert!(first < many.find("data-card=\"00000000000000000000000002\"").unwrap(), "stands first");
    // Which card is under the hand, whoever looks chooses.
    let chosen = admin.text("/takeover?hand=00000000000000000000000007").await;
    assert!(chosen.contains("data-hand=\"00000000000000000000000007\""), "{chosen}");
    (121..=250).for_each(put);
    assert!(admin.text("/takeover").await.contains("more than 199 · Waiting for somebody"));
}

#[tokio::test]
async fn the_stream_tells_a_station_of_its_own_only() {
    let api = town().await;
    let of_s2 = Browser::of(&api, "wang", Role::Viewer, Some("S2")).await;
    let first = api.event("incident", &json!({"id": FIRE}));
    api.event("device", &json!({"id": "H-1"}));
    api.event("presence", &json!({"station": "S1"}));
    api.event("presence", &json!({"station": "S2"}));
    let mut stream = of_s2.get(&format!("/live?after={}", first - 1)).await;
    let mut said = String::new();
    while !said.contains("\"S2\"") {
        said.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(!said.contains(FIRE) && !said.contains("H-1") && !said.contains("S1"), "{said}");
}

#[tokio::test]
async fn a_role_may_do_its_work_and_no_more() {
    let api = town().await;
    let viewer = Browser::of(&api, "viewer", Role::Viewer, None).await;
    let officer = Browser::of(&api, "officer", Role::Officer, None).await;
    let act = format!("/incidents/{FIRE}/act");
    assert_eq!(viewer.sends(&act, "action=acknowledge").await, 403);
    assert!(!viewer.text("/").await.contains("value=\"acknowledge\""), "nor is it offered");
    assert!(officer.text("/").await.contains("value=\"acknowledge\""));
    for path in ["/accounts", "/audit", "/routing"] {
        assert_eq!(officer.status(path).await, 403, "{path}");
    }
    for path in ["/quarantine", "/api/v1/quarantine"] {
        assert_eq!((officer.status(path).await, viewer.status(path).await), (200, 403), "{path}");
    }
    assert_eq!(officer.sends("/accounts", "do=add&name=x&role=admin").await, 403);
}

#[tokio::test]
async fn an_admin_makes_accounts_and_tokens_of_their_own_stations() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let form = "do=add&name=%E6%9D%8E%E9%9B%B7&password=correct+horse&role=crew&station=S1";
    assert_eq!(admin.sends("/accounts", form).await, 303);
    assert!(admin.text("/accounts").await.contains("李雷"));
    let made = "do=make_token&name=desk&role=officer&station=S1&days=1";
    let page = admin.post("/accounts", &format!("{made}&csrf={}", admin.csrf)).await;
    let page = page.text().await.unwrap();
    let token = &page[page.find("sp_").unwrap()..][..51];
    let ask =
        api.ask("GET", "/api/v1/incidents").header("authorization", format!("Bearer {token}"));
    assert_eq!(ask.send().await.unwrap().status().as_u16(), 200);
    assert!(!admin.text("/accounts").await.contains(token), "shown once");
    let local = Browser::of(&api, "local", Role::Admin, Some("S2")).await;
    assert!(!local.text("/accounts").await.contains("李雷"), "no account of theirs");
    assert_eq!(local.sends("/accounts", "do=remove&name=root").await, 404);
    for (station, status) in [("", 403), ("S1", 403), ("S2", 303)] {
        let form = format!("do=add&name=n&password=correct+horse&role=crew&station={station}");
        assert_eq!(local.sends("/accounts", &form).await, status, "{station}");
    }
    assert_eq!(local.status("/audit").await, 403);
    let audit = admin.text("/audit").await;
    for words in ["account_add", "account_make_token", "signed_in"] {
        assert!(audit.contains(words), "{words}");
    }
    assert_eq!(admin.sends("/accounts", "do=remove&name=root").await, 400, "the last one");
}

#[tokio::test]
async fn an_admin_sees_who_would_be_told_and_what_another_configuration_changes() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    assert!(admin.text("/routing").await.contains("name=\"config\""));
    assert!(admin.text("/routing").await.contains("Daily digest of notices: nobody"));
    let text = admin.text("/routing?device=SM-1&condition=smoke").await;
    assert!(text.contains("<td>0 s</td>") && text.contains("S1"), "{text}");
    let config = "[mqtt]%0Aurl%3D%22mqtt%3A%2F%2Fb%22%0A[escalation.fire]%0Astep3_s%3D240%0A\
                  [[webhook]]%0Aname%3D%22%3Cb%3Enew%22%0Aurl%3D%22http%3A%2F%2Fx%22%0A\
                  [[webhook]]%0Aname%3D%22desk%22%0Aurl%3D%22http%3A%2F%2Fx%22";
    let form = format!("device=SM-1&condition=smoke&config={config}&csrf={}", admin.csrf);
    let text = admin.post("/routing", &form).await.text().await.unwrap();
    assert!(text.contains("webhook desk: — → 0 秒"), "{text}");
    assert!(text.contains("not a name") && !text.contains("<b>"), "a fault, and no markup: {text}");
    assert_eq!(admin.status("/routing?device=nobody").await, 404);
    let local = Browser::of(&api, "local", Role::Admin, Some("S1")).await;
    assert_eq!(local.status("/routing").await, 403);
}

#[tokio::test]
async fn names_are_text_on_every_page() {
    let api = town().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut wire = incident_wire();
    wire["state"] = json!("open");
    wire.as_object_mut().unwrap().remove("closed_at");
    wire.as_object_mut().unwrap().remove("outcome");
    for at in [
        "/device/name",
        "/device/address",
        "/title/en",
        "/title/zh",
        "/station",
        "/hydrants/0/name",
        "/zone",
        "/hydrants_note/en",
    ] {
        *wire.pointer_mut(at).unwrap() = json!(evil);
    }
    wire.as_object_mut().unwrap().remove("parent");
    let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
    api.db.execute(sql, (wire.to_string(), FIRE)).unwrap();
    let trail = [
        ("incident", json!(FIRE)),
        ("at", json!(NOON)),
        ("hop", json!("commented")),
        ("by", json!(evil)),
        ("detail", json!(evil)),
    ];
    api.row("trail", &trail);
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    for path in ["/".to_owned(), "/takeover".into(), format!("/incidents/{FIRE}")] {
        let page = admin.text(&path).await;
        assert!(page.contains("&lt;script&gt;"), "{path} shows it");
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}");
    }
}

#[tokio::test]
async fn a_month_is_counted_with_last_month_beside_it_and_exercises_left_out() {
    let api = town().await;
    let put = |id: &str, at: i64, changes: serde_json::Value| {
        api.incident(id, at, "fire", "fire", "open");
        let mut wire = incident_wire();
        for gone in ["closed_at", "outcome", "parent"] {
            wire.as_object_mut().unwrap().remove(gone);
        }
        wire["id"] = json!(id);
        wire["opened_at"] = json!(at);
        for (key, value) in changes.as_object().unwrap() {
            wire[key] = value.clone();
        }
        let class = wire["class"].as_str().unwrap().to_owned();
        let sql =
            "UPDATE incident SET wire = ?1, class = ?2, open = ?3, closed_at = ?5 WHERE id = ?4";
        let open = i32::from(wire["state"] != "closed");
        let closed_at = wire["closed_at"].as_i64();
        api.db.execute(sql, (wire.to_string(), class, open, id, closed_at)).unwrap();
    };
    api.db.execute("DELETE FROM incident", ()).unwrap();
    // 2025-11-24 in UTC is 2025-11-25 in the town.
    let (this, last) = (NOON, NOON - 30 * 86_400_000);
    let id = |n: u8| format!("01KAV0000000000000000000{n:02}");
    put(&id(1), this, json!({"state":"closed","outcome":"false_alarm","closed_at":this + 9}));
    put(&id(2), this + 1, json!({"state":"acknowledged"}));
    put(&id(3), this + 2, json!({"exercise":true,"state":"open"}));
    put(
        &id(4),
        last,
        json!({"class":"water","severity":"critical","conditions":["no_water"],
        "state":"closed","outcome":"repaired","closed_at":last + 9,"episode":2,
        "device":{"id":"H-1","kind":"hydrant","name":"n","address":"a","lat":1.0,"lon":2.0}}),
    );
    put(
        &id(5),
        this + 3,
        json!({"class":"water","severity":"critical","conditions":["no_water"],
        "state":"open",
        "device":{"id":"H-2","kind":"hydrant","name":"n","address":"a","lat":1.0,"lon":2.0}}),
    );
    // Of what there was last month only what was written down is told.
    let installed = "UPDATE device SET json = json_set(json, '$.installed_on', \
                     iif(id = 'H-1', '2025-10-05', '2025-11-03'))";
    api.db.execute(installed, ()).unwrap();
    let hour = "INSERT INTO ledger VALUES (0, ?1, 1, 1, 1, 0, 0, 0, 0)";
    api.db.execute(hour, [this - this % 3_600_000]).unwrap();
    for (n, hop, at) in [
        (4, "verifying", 0),
        (4, "reopened", 1),
        (1, "received", 0),
        (1, "delivered", 400),
        (1, "acknowledged", 20_000),
        (2, "received", 1),
        (2, "delivered", 1_201),
        (2, "acknowledged", 60_001),
    ] {
        let row = [
            ("incident", json!(id(n))),
            ("at", json!(this + at)),
            ("hop", json!(hop)),
            ("by", json!("")),
            ("detail", json!("")),
        ];
        api.row("trail", &row);
    }
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let report = admin.text("/api/v1/reports/monthly?month=2025-11&station=S1").await;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let figures = &report["this"];
    for (name, expected) in [
        ("devices", json!(3)),
        ("hydrants", json!(2)),
        ("in_service", json!(null)),
        ("dry", json!(1)),
        ("incidents", json!(3)),
        ("false_alarms", json!(1)),
        ("unmonitored", json!(2)),
        ("open", json!(2)),
        ("by_class", json!({"fire":2,"water":1})),
        ("paged", json!({"count":2,"of":3,"median_ms":400,"worst_ms":1_200})),
        ("acknowledged", json!({"count":2,"of":3,"median_ms":20_000,"worst_ms":60_000})),
    ] {
        assert_eq!(figures[name], expected, "{name} in {report}");
    }
    let last = &report["last"];
    assert_eq!((&last["devices"], &last["hydrants"]), (&json!(1), &json!(1)), "there then");
    assert_eq!(last["unmonitored"], json!(null), "nobody knows any more");
    assert_eq!(report["last"]["repaired"], 1);
    assert_eq!(report["last"]["relapsed"], 1);
    assert_eq!(report["days"][24], 3, "the 25th in the town: {report}");
    let page = admin.text("/reports?month=2025-11&station=S1").await;
    for words in ["1 / 2 (50.0 %)", "0.4 s (2 / 3)", "60.0 s (2 / 3)", "<svg", "– / 2", "– / 1"]
    {
        assert!(page.contains(words), "{words}");
    }
    let csv = admin.text("/reports.csv?month=2025-11").await;
    assert!(csv.starts_with("figure,unit,2025-11,2025-10\ndevices,count,3,1\n"), "{csv}");
    assert!(csv.contains("acknowledged_worst,s,60,\n"), "{csv}");
    let now = admin.text("/api/v1/reports/monthly").await;
    assert!(now.contains("\"hydrants\":2,\"in_service\":1,"), "one of two is heard: {now}");
    let other = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    assert_eq!(other.status("/reports?month=2025-11&station=S1").await, 404);
    assert!(other.text("/api/v1/reports/monthly?month=2025-11").await.contains("\"incidents\":0"));
    assert_eq!(admin.status("/reports?month=2025-13").await, 400);
}
