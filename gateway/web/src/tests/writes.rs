//! What changes something, asked of an engine that runs.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_machine::clock::Clock;

use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{FIRE, Served, device};

/// The first incident there is, once there is one.
async fn first(api: &Served) -> Value {
    let wait = async {
        loop {
            let list = api.get("/api/v1/incidents").await;
            if list["total"] != 0 {
                return list["items"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap()
}

fn hops(incident: &Value) -> Vec<&str> {
    incident["trail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["hop"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_fire_is_taken_and_closed_by_a_person() {
    let api = Served::alive().await;
    let mut stream = api.ask("GET", "/api/v1/stream").header("last-event-id", "0");
    stream = stream.timeout(Duration::from_secs(30));
    let mut stream = stream.send().await.unwrap();
    api.says("a/SM-1/alarm", &json!({"boot":1,"seq":1,"condition":"smoke","active":true}));
    let fire = first(&api).await;
    assert_eq!((&fire["class"], &fire["state"]), (&json!("fire"), &json!("open")));
    let path = format!("/api/v1/incidents/{}", fire["id"].as_str().unwrap());
    let actions = format!("{path}/actions");

    let take = json!({"action":"acknowledge","by":"Li Wei","note":"two engines"});
    let (status, taken) = api.send("POST", &actions, &take).await;
    assert_eq!((status, &taken["state"]), (200, &json!("acknowledged")));
    let hop =
        taken["trail"].as_array().unwrap().iter().find(|entry| entry["hop"] == "acknowledged");
    let hop = hop.unwrap();
    assert_eq!(hop["by"], "Li Wei");
    assert!(hop["detail"].as_str().unwrap().contains("two engines"), "{hop}");
    assert!(hops(&taken).starts_with(&["measured", "received", "raised"]), "{taken}");
    assert_eq!(taken["children"], json!([]));

    let (status, problem) = api.send("POST", &actions, &take).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:standpipe:problem:not-now")));
    assert_eq!(
        problem["detail"],
        "`acknowledge` can't be done while the incident is `acknowledged`: reload it"
    );
    assert_eq!(problem["incident"]["id"], fire["id"], "it comes with the refusal");
    assert_eq!(problem["incident"]["state"], "acknowledged");
    assert_eq!((&problem["id"], &problem["state"]), (&fire["id"], &json!("acknowledged")));
    assert!(problem["incident"]["trail"].is_array());

    let (status, comment) = api.send("POST", &actions, &json!({"action":"comment"})).await;
    assert_eq!(status, 200);
    let last = comment["trail"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["hop"], &last["by"]), (&json!("commented"), &json!("admin")));

    let dirty = "line one\r\nline two\u{202e}\u{0} end ";
    let said = json!({"action":"comment","by":format!("T20 {dirty}"),"note":dirty});
    let (status, comment) = api.send("POST", &actions, &said).await;
    assert_eq!(status, 200);
    let last = comment["trail"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["by"], json!("T20 line one line two end"));
    assert!(last.to_string().contains("\"line one line two end\""), "{last}");

    // Said of what was on the screen, or not at all.
    let stale = json!({"action":"false_alarm","seen":fire["version"]});
    let (status, problem) = api.send("POST", &actions, &stale).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:standpipe:problem:changed")));
    let now = &problem["incident"]["version"];
    assert!(now.is_string() && *now != fire["version"], "{problem}");
    let said = json!({"action":"false_alarm","seen":now});
    let (status, resolved) = api.send("POST", &actions, &said).await;
    assert_eq!((status, &resolved["state"]), (200, &json!("resolved")), "{resolved}");
    assert_eq!(api.get(&path).await, resolved, "what was answered is what lies in the store");
    let left = resolved["undo_until"].as_i64().unwrap() - resolved["updated_at"].as_i64().unwrap();
    assert_eq!(left, 30_000);

    let mut told = String::new();
    while !told.contains("\"resolved\"") {
        let chunk = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap();
        told.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    for name in ["event: incident", "event: device", "event: page"] {
        assert!(told.contains(name), "{name} in {told}");
    }

    // Taken back it is where it was; once more, and nobody takes it back.
    let (status, undone) = api.send("POST", &actions, &json!({"action":"undo"})).await;
    assert_eq!((status, &undone["state"]), (200, &json!("acknowledged")), "{undone}");
    assert!(undone["undo_until"].is_null(), "{undone}");
    assert_eq!(api.send("POST", &actions, &json!({"action":"undo"})).await.0, 409);
    let (status, again) = api.send("POST", &actions, &json!({"action":"reopen"})).await;
    assert_eq!((status, &again["state"], &again["episode"]), (200, &json!("open"), &json!(2)));
    let (status, _) = api.send("POST", &actions, &json!({"action":"false_alarm"})).await;
    assert_eq!(status, 200, "without a word of what was seen it is done");
    api.says("a/SM-1/alarm", &json!({"boot":1,"seq":2,"condition":"smoke","active":false}));
    let closed = async {
        while api.get(&path).await["state"] != "closed" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), closed).await.expect("it closes after 30 s");
    let (status, problem) = api.send("POST", &actions, &json!({"action":"resolve"})).await;
    assert_eq!((status, &problem["incident"]["state"]), (409, &json!("closed")));
    let hops = hops(&problem["incident"]);
    let last = &hops[hops.len() - 7..];
    assert!(last.contains(&"false_alarm") && last.ends_with(&["closed"]), "{hops:?}");
}

#[tokio::test]
async fn a_fire_among_the_readings_is_one_and_its_measurements_count() {
    let api = Served::alive().await;
    let said = json!({"boot":1,"seq":1,"temp_c":61.5,"condition":"heat","active":true});
    api.says("a/SM-1/telemetry", &said);
    let fire = first(&api).await;
    assert_eq!((&fire["class"], &fire["state"]), (&json!("fire"), &json!("open")));
    let device = api.get("/api/v1/devices/SM-1").await;
    assert_eq!(device["latest"]["temp_c"], json!(61.5), "{device}");
    let told = api.get("/api/v1/quarantine?reason=topic&device=SM-1").await;
    assert_eq!(told["total"], json!(1), "{told}");
}

/// A village's fire: the village was told, the district above it was not, and the village is not above
/// the district.
#[tokio::test]
async fn a_station_that_was_told_and_one_above_it_may_act_and_show_and_no_other_may() {
    let api = Served::alive_for(Some("s3cret")).await;
    let admin = |method: &str, path: &str, body: &Value| {
        let ask = api.ask(method, path).header("content-type", "application/json");
        ask.bearer_auth("s3cret").body(body.to_string()).send()
    };
    let mut detector = device("SM-2", "smoke", "Loft", "");
    detector["station"] = json!("S2");
    let put = admin("PUT", "/api/v1/devices/SM-2", &detector).await.unwrap();
    assert_eq!(put.status().as_u16(), 201);
    for station in ["S1", "S2"] {
        api.says(&format!("stations/{station}/presence"), &json!({"online":true}));
    }
    let mut paths = Vec::new();
    for (device, station) in [("SM-2", "S2"), ("SM-1", "S1")] {
        api.says(&format!("a/{device}/alarm"), &json!({"condition":"smoke","active":true}));
        let fire = loop {
            let list = api.get_as_admin("/api/v1/incidents").await;
            let items = list["items"].as_array().unwrap();
            if let Some(fire) = items.iter().find(|fire| fire["station"] == station) {
                break fire["id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        paths.push(format!("/api/v1/incidents/{fire}/actions"));
    }
    let above = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let below = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    let village = 0;
    for (who, fire, expected) in [
        (&above, village, [200, 200, 200]),
        (&below, village, [200, 409, 200]),
        (&above, 1, [200, 200, 200]),
        (&below, 1, [404, 404, 404]),
    ] {
        let mut answers = Vec::new();
        for action in ["shown", "acknowledge", "comment"] {
            answers.push(who.does(&paths[fire], &json!({"action":action,"note":"n"})).await);
        }
        assert_eq!(answers, expected, "{}", paths[fire]);
    }
}

#[tokio::test]
async fn an_unknown_incident_can_not_be_acted_on() {
    let api = Served::alive().await;
    let path = format!("/api/v1/incidents/{FIRE}/actions");
    let (status, problem) = api.send("POST", &path, &json!({"action":"resolve"})).await;
    assert_eq!((status, &problem["type"]), (404, &json!("urn:standpipe:problem:unknown")));
}

#[tokio::test]
async fn a_device_is_registered_changed_and_claimed() {
    let api = Served::alive().await;
    let path = "/api/v1/devices/H-2";
    let row = json!({"kind":"hydrant","name":"新","station":"S2","lat":29.4,"lon":106.5});
    let (status, new) = api.send("PUT", path, &row).await;
    assert_eq!(status, 201, "{new}");
    let wanted = json!({"id":"H-2","kind":"hydrant","name":"新","station":"S2","zone":"",
        "profile":"municipal","lat":29.4,"lon":106.5,"address":"","building":"","floor":"",
        "interval_s":null,"installed_on":"","area":"","claimed":true,"conditions":[],
        "heard_at":null,"measured_at":null,"latest":{},"latest_at":{},
        "trust":"stale","trust_reason":"never_measured","status":null});
    assert_eq!(new, wanted);

    let mut changed = api.get(path).await;
    changed["address"] = json!("School Rd 4");
    changed["interval_s"] = json!(300);
    let (status, answer) = api.send("PUT", path, &changed).await;
    assert_eq!((status, &answer), (200, &changed), "what GET gives, PUT takes");

    // Heard before it was registered: it keeps the area it spoke from.
    api.says("north/SM-9/alarm", &json!({"condition":"tamper","active":true}));
    first(&api).await;
    let stranger = api.get("/api/v1/devices/SM-9").await;
    assert_eq!((&stranger["claimed"], &stranger["station"]), (&json!(false), &json!("")));
    let (status, claimed) =
        api.send("PUT", "/api/v1/devices/SM-9", &device("SM-9", "smoke", "Loft", "")).await;
    assert_eq!((status, &claimed["claimed"]), (200, &json!(true)));
    assert_eq!((&claimed["area"], &claimed["station"]), (&json!("north"), &json!("S1")));
    assert_eq!(claimed["conditions"], json!(["tamper"]), "and what is known of it");
}

#[tokio::test]
async fn work_takes_times_as_people_write_them_and_takes_its_hydrant_out_of_service() {
    let api = Served::alive().await;
    let reading = json!({"boot":1,"seq":1,"ts":Clock::new().now(),"pressure_kpa":300.0});
    api.says("a/H-1/telemetry", &reading);
    let path = "/api/v1/maintenance";
    let hydrant = "/api/v1/devices/H-1";
    let in_service =
        async || api.get("/api/v1/reports/monthly").await["this"]["in_service"].clone();
    api.get("/api/v1/ledger").await; // what is said is in the store then
    let wait = async {
        while api.get(hydrant).await["trust"] != "ok" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    assert_eq!(in_service().await, 1);
    let until = Clock::new().now() / 1_000 * 1_000 + 3_600_000;
    let text = jiff::Timestamp::from_millisecond(until).unwrap().to_string();
    let work = json!({"what":"maintenance","device":"H-1","conditions":["no_water"],"until":text});
    for bad in [json!("soon"), json!(1.5), json!(null)] {
        let mut work = work.clone();
        work["until"] = bad.clone();
        let (status, problem) = api.send("POST", path, &work).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            status == 400 && detail.contains("Unix milliseconds or a time such as"),
            "{detail}"
        );
    }
    let (status, made) = api.send("POST", path, &work).await;
    assert_eq!((status, &made["until"]), (201, &json!(until)), "{made}");
    assert_eq!(api.get(hydrant).await["trust"], "out_of_service");
    assert_eq!(api.get("/api/v1/devices").await["items"][0]["trust"], "out_of_service");
    assert_eq!(in_service().await, 0);

    let id = made["id"].as_str().unwrap();
    let (status, none) = api.send("DELETE", path, &json!({})).await;
    assert_eq!((status, &none["type"]), (400, &json!("urn:standpipe:problem:bad-parameter")));
    let (status, was) = api.send("DELETE", &format!("{path}?id={id}"), &json!({})).await;
    assert_eq!((status, &was["id"]), (200, &json!(id)));
    assert_eq!(api.get(path).await["total"], 0);
    assert_eq!(api.get(hydrant).await["trust"], "ok");
}

#[tokio::test]
async fn the_ledger_counts_what_was_sent_a_moment_ago() {
    let api = Served::alive().await;
    let now = Clock::new().now();
    for (boot, seq, ts, kpa) in [
        (3, 1, now - 3_000, 300.0),
        (3, 2, now - 2_000, 301.0),
        (3, 2, now - 2_000, 301.0),
        (3, 5, now - 1_000, 302.0),
        (4, 1, now, 303.0),
    ] {
        let reading = json!({"boot":boot,"seq":seq,"ts":ts,"pressure_kpa":kpa});
        api.says("a/H-1/telemetry", &reading);
    }
    let list = api.get("/api/v1/ledger").await;
    assert_eq!(
        list,
        json!({"items":[
            {"device":"H-1","boot":3,"expected":5,"received":3,"duplicate":1,"late":0,
                "missing":2,"seq_reused":0,"given_up":0},
            {"device":"H-1","boot":4,"expected":1,"received":1,"duplicate":0,"late":0,
                "missing":0,"seq_reused":0,"given_up":0}],
            "page":1,"pages":1,"total":2})
    );
    assert_eq!(api.get("/api/v1/ledger?device=SM-1").await["total"], 0);
    let before = now - now % 3_600_000 - 7_200_000;
    let query = format!("/api/v1/ledger?from={before}&to={}", before + 3_600_000);
    assert_eq!(api.get(&query).await["total"], 0, "not in the hour before last");
}
