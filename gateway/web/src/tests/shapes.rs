//! Every answer as the contract writes it.

use serde_json::{Value, json};
use standpipe_rules::fact::Reason;
use standpipe_rules::incidents::{Place, QuietCode, WireIncident};
use standpipe_shared::Condition;

use super::{CHILD, FIRE, NOON, Served, ZONE, all_fine, device};

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn devices_are_the_registry_and_what_is_known_now() {
    let api = Served::start(None).await;
    assert_eq!(
        api.get("/api/v1/devices").await,
        json!({"items":[],"page":1,"pages":1,"total":0}),
        "an empty list has one page"
    );
    api.town();
    let list = api.get("/api/v1/devices?per_page=2").await;
    assert_eq!((&list["page"], &list["pages"], &list["total"]), (&json!(1), &json!(2), &json!(3)));
    let mut wanted = device("H-1", "hydrant", "School Rd 100%", "Z1");
    let first = &list["items"][0];
    wanted["conditions"] = json!(["low_pressure"]);
    wanted["latest"] = json!({"pressure_kpa": 121.5});
    wanted["trust"] = json!("unconfirmed");
    wanted["trust_reason"] = json!("one_low_reading");
    wanted["status"] = Value::Null;
    wanted["heard_at"] = first["heard_at"].clone();
    wanted["measured_at"] = first["heard_at"].clone();
    wanted["latest_at"] = json!({"pressure_kpa": first["heard_at"]});
    assert_eq!(*first, wanted);
    let second = &list["items"][1];
    let said = ["latest", "latest_at", "trust", "trust_reason"].map(|key| &second[key]);
    assert_eq!(
        said,
        [&json!({}), &json!({}), &json!("stale"), &json!("never_measured")],
        "never heard"
    );
    assert_eq!(api.get("/api/v1/devices/H-1").await, wanted);
    let detector = api.get("/api/v1/devices/SM-1").await;
    assert_eq!((&detector["trust"], &detector["trust_reason"]), (&Value::Null, &Value::Null));

    api.memory_at(1, 0, 300.0, NOON);
    let heard = api.get("/api/v1/devices/H-2").await;
    let said = ["measured_at", "latest_at", "trust", "trust_reason"].map(|key| &heard[key]);
    let times = json!({"pressure_kpa": NOON});
    assert_eq!(
        said,
        [&json!(NOON), &times, &json!("stale"), &json!("too_old")],
        "heard just now, and measured long ago"
    );
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn devices_are_found_by_what_is_asked() {
    let api = Served::start(None).await;
    api.town();
    for (query, found) in [
        ("kind=smoke",                       &["SM-1"][..]),
        ("station=S1",                       &["H-1", "H-2", "SM-1"]),
        ("station=S2",                       &[]),
        ("condition=low_pressure",           &["H-1"]),
        ("condition=no_water",               &[]),
        ("q=100%25",                         &["H-1"]),
        ("q=school",                         &["H-1"]),
        ("q=%E6%A1%A5",                      &["H-2"]),
        ("q=name&kind=hydrant&per_page=1",   &["H-1"]),
        ("q=name&kind=hydrant&per_page=1&page=2", &["H-2"]),
        ("page=9",                           &[]),
        ("q=_-1",                            &[]),
    ] {
        let list = api.get(&format!("/api/v1/devices?{query}")).await;
        assert_eq!(ids(&list), found, "{query}");
    }
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn incidents_are_found_by_what_is_asked_newest_first() {
    let api = Served::start(None).await;
    api.town();
    for (query, found) in [
        ("",                                    &[FIRE, ZONE, CHILD][..]),
        ("state=open",                          &[FIRE]),
        ("state=open,acknowledged",             &[FIRE, ZONE]),
        ("state=closed",                        &[CHILD]),
        ("severity=warning,critical",           &[ZONE, CHILD]),
        ("station=S1&severity=fire",            &[FIRE]),
        ("station=S2",                          &[]),
        ("from=1764000001000",                  &[FIRE, ZONE]),
        ("to=1764000001000",                    &[CHILD]),
        ("from=2025-11-24T16:00:01Z&to=2025-11-24T16:00:02Z", &[ZONE]),
        ("from=2025-11-25",                     &[]),
        ("per_page=1&page=2",                   &[ZONE]),
    ] {
        let list = api.get(&format!("/api/v1/incidents?{query}")).await;
        assert_eq!(ids(&list), found, "{query}");
    }
}

#[tokio::test]
async fn one_incident_comes_with_its_trail_and_children() {
    let api = Served::start(None).await;
    api.town();
    for (at, hop, by) in [(NOON, "raised", "gateway"), (NOON + 5, "acknowledged", "Li")] {
        api.row(
            "trail",
            &[
                ("incident", json!(ZONE)),
                ("at", json!(at)),
                ("hop", json!(hop)),
                ("by", json!(by)),
                ("detail", json!("")),
            ],
        );
    }
    let whole = api.get(&format!("/api/v1/incidents/{}", ZONE.to_lowercase())).await;
    assert_eq!(
        whole,
        json!({"id":ZONE,"rev":2,"station":"S1","class":"water","severity":"critical",
            "state":"acknowledged","opened_at":NOON + 1_000,"page_id":null,
            "trail":[{"at":NOON,"hop":"raised","by":"gateway","detail":""},
                {"at":NOON + 5,"hop":"acknowledged","by":"Li","detail":""}],
            "children":[CHILD]})
    );
    let alone = api.get(&format!("/api/v1/incidents/{FIRE}")).await;
    assert_eq!((&alone["trail"], &alone["children"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn stations_and_what_they_have_to_do() {
    let api = Served::start(None).await;
    api.town();
    let mut first = super::station();
    first["online"] = json!(false);
    first["presence_at"] = Value::Null;
    first["devices"] = json!(3);
    first["open_incidents"] = json!(2);
    let list = api.get("/api/v1/stations").await;
    assert_eq!(list["items"][0], first);
    let second = &list["items"][1];
    assert_eq!((&second["online"], &second["presence_at"]), (&json!(true), &json!(NOON - 5_000)));
    assert_eq!(api.get("/api/v1/stations/S1").await, first);
}

#[tokio::test]
async fn quarantine_shows_the_newest_first() {
    let api = Served::start(None).await;
    for n in [1_i64, 2] {
        let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload) \
                   VALUES (?1, 'standpipe/v1/a/b/telemetry', 'not_json', 'not JSON: send it', ?2)";
        api.db.execute(sql, (NOON + n, [0xff_u8, 0x00, u8::try_from(n).unwrap()])).unwrap();
    }
    assert_eq!(
        api.get("/api/v1/quarantine?per_page=1").await,
        json!({"items":[{"at":NOON + 2,"topic":"standpipe/v1/a/b/telemetry","reason":"not_json",
            "detail":"not JSON: send it","device":"","payload_base64":"/wAC"}],"page":1,"pages":2,"total":2})
    );
}

#[tokio::test]
async fn history_by_steps_raw_and_as_csv() {
    let api = Served::start(None).await;
    api.town();
    let start = api.measured().await;
    let path = "/api/v1/devices/H-1/history";
    let span = format!("from={start}&to={}", start + 3_600_000);
    assert_eq!(
        api.get(&format!("{path}?{span}&step=2m")).await,
        json!({"device":"H-1","field":"pressure_kpa","step_ms":120_000,
            "points":[[start, 300.0, 305.0, 310.0, 2],[start + 120_000, 320.0, 320.0, 320.0, 1]]})
    );
    let raw = api.get(&format!("{path}?{span}&step=0&field=pressure_kpa")).await;
    assert_eq!(raw["points"][1], json!([start + 60_000, 310.0, 310.0, 310.0, 1]));
    assert_eq!(api.get(&format!("{path}?{span}")).await["step_ms"], json!(15_000));
    assert_eq!(api.get(&format!("{path}?{span}&field=temp_c")).await["points"], json!([]));
    let csv = api.ask("GET", &format!("{path}.csv?{span}&step=2m")).send().await.unwrap();
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        csv.text().await.unwrap(),
        format!(
            "ts,min,mean,max,count\n{start},300,305,310,2\n{},320,320,320,1\n",
            start + 120_000
        )
    );
}

/// Another node at the same hydrant continues its history, and says whose it was.
#[tokio::test]
async fn a_device_that_took_another_ones_place_continues_its_history() {
    let api = Served::start(None).await;
    api.town();
    let start = api.measured().await;
    let until = start + 60_000;
    let mut row = super::device("N-1", "hydrant", "", "Z1");
    row["replaces"] = json!({"device": "H-1", "until": until});
    api.row(
        "device",
        &[
            ("ix", json!(77)),
            ("id", json!("N-1")),
            ("kind", json!("hydrant")),
            ("station", json!("S1")),
            ("zone", json!("Z1")),
            ("name", row["name"].clone()),
            ("claimed", json!(1)),
            ("json", row.to_string().into()),
        ],
    );
    let span = format!("from={start}&to={}&step=0", start + 3_600_000);
    assert_eq!(
        api.get(&format!("/api/v1/devices/N-1/history?{span}")).await,
        json!({"device":"N-1","field":"pressure_kpa","step_ms":0,
            "points":[[start, 300.0, 300.0, 300.0, 1]],
            "continues":[{"device":"H-1","until":until}]}),
        "what H-1 measured until then, and not what it measured afterwards"
    );
    assert_eq!(api.get("/api/v1/devices/N-1").await["replaces"]["device"], "H-1");
    let page = api.ask("GET", "/devices/N-1").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("接替") && page.contains("/devices/H-1"), "{page}");
}

#[tokio::test]
async fn the_document_names_every_path_and_the_incident_as_it_is_written() {
    let api = Served::start(None).await;
    let document = api.get("/api/openapi.json").await;
    assert_eq!(document["openapi"], json!("3.1.0"));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/devices",
        "/api/v1/devices/{id}",
        "/api/v1/devices/{id}/history",
        "/api/v1/devices/{id}/history.csv",
        "/api/v1/devices/{id}/settings",
        "/api/v1/devices/{id}/commands",
        "/api/v1/devices/{id}/commands/{command}",
        "/api/v1/profiles/{name}/settings",
        "/api/v1/incidents",
        "/api/v1/incidents/{id}",
        "/api/v1/incidents/{id}/actions",
        "/api/v1/maintenance",
        "/api/v1/maintenance/{id}",
        "/api/v1/exercises",
        "/api/v1/stations",
        "/api/v1/stations/{id}",
        "/api/v1/ledger",
        "/api/v1/quarantine",
        "/api/v1/stream",
    ] {
        assert!(paths.iter().any(|known| *known == path), "{path} in {paths:?}");
    }
    assert_eq!(document["security"], json!([{"bearer":[]},{"session":[]}]));
    assert_eq!(document["paths"]["/readyz"]["get"]["security"], json!([{}]), "asked without");
    // What the rules write is what the document says.
    let written = serde_json::to_value(full()).unwrap();
    let schema = &document["components"]["schemas"]["Incident"]["properties"];
    let keys = |object: &Value| {
        let mut keys: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(schema), keys(&written));
    let hydrant = &document["components"]["schemas"]["Hydrant"]["properties"];
    assert_eq!(keys(hydrant), keys(&written["hydrants"][0]));
    let device = &document["components"]["schemas"]["IncidentDevice"]["properties"];
    assert_eq!(keys(device), keys(&written["device"]));
    let place = &document["components"]["schemas"]["IncidentPlace"]["properties"];
    assert_eq!(keys(place), keys(&written["place"]));
}

/// An incident with everything there is: a new member does not compile until it is named here, and
/// then not pass until the document has it.
#[rustfmt::skip] // a list
fn full() -> WireIncident {
    let mut text = super::incident_wire();
    text["hydrants"][0]["trust_reason"] = json!("too_old");
    let mut full: WireIncident = serde_json::from_value(text).unwrap();
    full.place = Some(Place::Building { name: "School".into(), floor: "3".into() });
    full.quiet = Some(QuietCode::Exercise);
    full.reasons = [(Condition::Smoke, Reason::SinceUnknown)].into();
    full.detectors = 2;
    full.floors = vec!["3".into()];
    full.undo_until = Some(NOON);
    full.version = "8d68ba1bc5bd039a".into();
    full.stored = Some(false);
    let WireIncident {
        id: _, rev: _, station: _, class: _, severity: _, state: _, episode: _, conditions: _, device: _, zone: _,
        title: _, opened_at: _, since: _, updated_at: _, late_s: _, exercise: _, value: _, hydrants: _,
        hydrants_note: _, step: _, next_step_at: _, page_id: _, parent: _, reason: _, detail: _, topic: _,
        payload: _, flapping: _, closed_at: _, outcome: _, place: _, quiet: _, reasons: _, detectors: _,
        floors: _, undo_until: _, version: _, stored: _,
    } = &full;
    full
}

#[tokio::test]
async fn alive_ready_and_counted() {
    let api = Served::start(None).await;
    let alive = api.ask("GET", "/healthz").send().await.unwrap();
    assert_eq!((alive.status().as_u16(), alive.text().await.unwrap()), (200, "ok\n".to_owned()));
    let health = &api.parts.health;
    all_fine(health);
    assert_eq!(
        api.get("/readyz").await,
        json!({"ready":true,"reasons":[],"warnings":[],"degraded":[]})
    );
    api.parts.health.store.failing(NOON, "the disc is full: make room");
    api.parts.health.series.failing(NOON, "influxdb is away: start it");
    let not = api.ask("GET", "/readyz").send().await.unwrap();
    assert_eq!(not.status().as_u16(), 503);
    assert_eq!(not.headers()["retry-after"], "2");
    let said: Value = serde_json::from_str(&not.text().await.unwrap()).unwrap();
    assert_eq!(
        said,
        json!({"ready":false,
            "reasons":[{"part":"store","since":NOON,"why":"the disc is full: make room"}],
            "warnings":[{"part":"series","since":NOON,"why":"influxdb is away: start it"}],
            "degraded":[]})
    );
    let metrics = api.ask("GET", "/metrics").send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let page = api.ask("GET", "/").header("accept-language", "en").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Not a certified fire alarm system"));
}
