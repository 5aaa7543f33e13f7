//! A fire from the detector to the station's terminal and to its end, over a real broker.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::{Gateway, in_rescue};
use standpipe_tests::station::{ShownIncident, Station};
use standpipe_tests::{CLOSES, now, town};

const SOON: Duration = Duration::from_secs(5);

struct FireNight {
    broker: Broker,
    gateway: Gateway,
    terminal: Station,
    _dir: tempfile::TempDir,
}

impl FireNight {
    fn begin(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let files = (town::stations(4), town::devices(20, 20, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), more);
        let terminal = Station::connect(broker.port, "+");
        Self { broker, gateway, terminal, _dir: dir }
    }

    fn present(&self) {
        for station in ["district", "t-1", "t-2", "t-3", "t-4"] {
            self.terminal.present(station);
        }
        std::thread::sleep(Duration::from_millis(300));
    }

    fn says(&self, device: &str, channel: &str, mut body: Value) {
        if channel != "status" {
            body["ts"] = json!(now());
        }
        self.terminal.publish(&format!("standpipe/v1/t-1/{device}/{channel}"), false, &body);
    }

    fn hydrants(&self, kpa: f64) {
        for n in 1..=20 {
            self.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": kpa + f64::from(n)}));
        }
    }

    fn page(&self, what: &str, station: &str) -> ShownIncident {
        // What the gateway has to say of itself is no drill.
        self.terminal.wait(what, SOON, |shown| {
            shown.station == station
                && shown.body["page_id"].is_string()
                && shown.body["class"] != "upkeep"
        })
    }
}

#[test]
fn a_fire_is_paged_with_its_water_and_closed_by_a_person() {
    let night = FireNight::begin("");
    night.present();
    night.hydrants(300.0);
    std::thread::sleep(Duration::from_millis(500));
    night.says("S-5", "alarm", json!({"condition": "smoke", "active": true, "boot": 1, "seq": 1}));
    let page = night.page("the fire's page", "t-1");
    let (id, body) = (page.incident.clone(), page.body);
    assert_eq!(body["id"], json!(id));
    assert_eq!(
        (&body["class"], &body["severity"], &body["state"]),
        (&json!("fire"), &json!("fire"), &json!("open"))
    );
    assert_eq!(body["device"]["id"], json!("S-5"));
    assert!(body["title"]["en"].as_str().is_some_and(|title| title.contains("Smoke")), "{body}");
    assert!(body["title"]["zh"].as_str().is_some_and(|title| title.contains('烟')), "{body}");
    let near: Vec<&str> = body["hydrants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hydrant| hydrant["id"].as_str().unwrap())
        .collect();
    assert_eq!(near, ["H-5", "H-4", "H-6"], "{body}");
    assert!(body["hydrants"].as_array().unwrap().iter().all(|hydrant| hydrant["trust"] == "ok"));
    assert!(body["hydrants"][0]["distance_m"].as_f64().unwrap() < 20.0, "{body}");

    for _ in 0..2 {
        night.says(
            "H-5",
            "alarm",
            json!({"condition": "no_water", "active": true, "pressure_kpa": 0}),
        );
    }
    let update = night.terminal.wait("H-5 marked dry", SOON, |shown| {
        shown.incident == id
            && shown.body["hydrants"].as_array().is_some_and(|all| {
                all.iter().any(|hydrant| hydrant["id"] == "H-5" && hydrant["trust"] == "no_water")
            })
    });
    assert_eq!(update.body["page_id"], body["page_id"], "an update never sounds anew");
    let good = |hydrant: &Value| hydrant["trust"] == "ok";
    assert_eq!(
        update.body["hydrants"].as_array().unwrap().iter().filter(|hydrant| good(hydrant)).count(),
        3
    );

    night.terminal.act("t-1", &id, "acknowledge");
    night.terminal.wait("acknowledged", SOON, |shown| {
        shown.incident == id && shown.body["state"] == "acknowledged"
    });
    let (status, refused) = night.gateway.post(
        &format!("incidents/{id}/actions"),
        &json!({"incident": id, "action": "acknowledge", "by": "second officer"}),
    );
    assert_eq!((status, &refused["state"]), (409, &json!("acknowledged")), "{refused}");

    night.says("S-5", "alarm", json!({"condition": "smoke", "active": false, "boot": 1, "seq": 2}));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(night.gateway.get(&format!("incidents/{id}"))["state"], "acknowledged");
    night.terminal.act("t-1", &id, "resolve");
    night
        .terminal
        .wait("the emptied topic", CLOSES, |shown| shown.incident == id && shown.body.is_null());
    let closed = night.gateway.get(&format!("incidents/{id}"));
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("fire")));
    let hops: Vec<&str> = closed["trail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["hop"].as_str().unwrap())
        .collect();
    for hop in ["measured", "received", "raised", "paged", "delivered", "acknowledged", "closed"] {
        assert!(hops.contains(&hop), "{hop} in {hops:?}");
    }
    let late = Station::connect(night.broker.port, "+");
    std::thread::sleep(Duration::from_millis(300));
    assert!(late.seen().iter().all(|shown| shown.incident != id), "nothing of it is retained");
}

#[test]
fn nobody_answers_and_it_goes_up() {
    let night = FireNight::begin("[escalation.fire]\nstep2_s = 2\nstep3_s = 4\nrepeat_s = 30");
    night.present();
    night.says("S-1", "alarm", json!({"condition": "heat", "active": true}));
    let first = night.page("step 1", "t-1");
    let second = night.page("step 2", "t-2");
    let third = night.page("step 3", "district");
    let after = |shown: &ShownIncident| (shown.at - first.at) as f64 / 1_000.0;
    assert!((1.5..4.0).contains(&after(&second)), "{} s", after(&second));
    assert!((3.5..6.0).contains(&after(&third)), "{} s", after(&third));
    let paged: Vec<String> = night.terminal.pages().into_iter().map(|page| page.2).collect();
    assert_eq!(
        paged.iter().filter(|station| *station == "t-4").count(),
        0,
        "only the two nearest: {paged:?}"
    );
}

#[test]
fn an_absent_station_does_not_wait() {
    let night = FireNight::begin("");
    night.terminal.present("t-2");
    std::thread::sleep(Duration::from_millis(300));
    night.says("S-1", "alarm", json!({"condition": "smoke", "active": true}));
    let first = night.page("its own page all the same", "t-1");
    let second = night.page("step 2 at once", "t-2");
    assert!(second.at - first.at < 1_500, "{} ms", second.at - first.at);
}

#[test]
fn a_stranger_s_fire_goes_to_the_district() {
    let night = FireNight::begin("");
    night.says("NEW-1", "alarm", json!({"condition": "smoke", "active": true, "temp_c": "hot"}));
    let page = night.page("the district's page", "district");
    assert_eq!(page.body["device"]["id"], "NEW-1");
    let device = night.gateway.get("devices/NEW-1");
    assert_eq!(device["claimed"], json!(false), "{device}");
    let quarantine = night.gateway.list("quarantine");
    assert_eq!(quarantine.len(), 1, "the temperature that is none: {quarantine:?}");
}

#[test]
fn low_water_is_paged_once_and_cleared_after_a_restart() {
    let mut night = FireNight::begin("");
    night.present();
    let start = now() - 300_000;
    let says = |night: &FireNight, offset: i64, kpa: f64| {
        let body = json!({"ts": start + offset, "pressure_kpa": kpa});
        night.terminal.publish("standpipe/v1/t-1/H-3/telemetry", false, &body);
    };
    says(&night, 60_000, 5.0);
    says(&night, 91_000, 5.0);
    let page = night.page("the page", "t-1");
    assert_eq!(page.body["severity"], "critical");
    assert_eq!(page.body["conditions"].as_array().map(Vec::len), Some(2), "{}", page.body);
    night.gateway.kill();
    night.gateway.start_again();
    night.gateway.wait_ready();
    says(&night, 100_000, 5.0);
    says(&night, 105_000, 300.0);
    says(&night, 165_000, 301.0);
    let id = page.incident;
    night.gateway.incident("verifying", SOON, |incident| {
        incident["id"] == json!(id) && incident["state"] == "verifying"
    });
    let mut paged = night.terminal.pages();
    paged.retain(|(_, incident, _)| *incident == id);
    if in_rescue() {
        // The kill forgot which terminals are there: others are told, too, and its station still once.
        paged.retain(|(_, _, station)| station == "t-1");
    }
    assert_eq!(paged.len(), 1, "{paged:?}");
}
