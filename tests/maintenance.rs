//! Work, walk tests and exercises as a person announces them: over a real mosquitto, with the
//! gateway's own binary, also when it dies meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::station::Station;
use standpipe_tests::{now, town};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);
const HOUR_MS: i64 = 3_600_000;

/// Two hydrants and two detectors of township t-1, and its terminal.
struct MaintenanceSite {
    terminal: Station,
    gateway: Gateway,
    broker: Broker,
    _dir: TempDir,
}

impl MaintenanceSite {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(dir.path());
        let files = (town::stations(1), town::devices(2, 2, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        let terminal = Station::connect(broker.port, "t-1");
        terminal.present("t-1");
        Self { terminal, gateway, broker, _dir: dir }
    }

    fn alarm(&self, device: &str, condition: &str) {
        let topic = format!("standpipe/v1/t-1/{device}/alarm");
        self.terminal.publish(&topic, false, &json!({"condition": condition, "active": true}));
    }

    fn announces(&self, body: &Value) -> Value {
        let (status, answer) = self.gateway.post("maintenance", body);
        assert_eq!(status, 201, "{answer}");
        answer
    }

    fn restarts(&mut self) {
        self.gateway.kill();
        self.gateway.start_again();
        self.gateway.wait_ready();
    }

    fn of(&self, device: &str, severity: &str) -> Value {
        self.gateway.incident(&format!("{device} as {severity}"), SOON, |incident| {
            incident["device"]["id"] == device && incident["severity"] == severity
        })
    }

    /// The pages the terminal got about a device.
    fn pages(&self, device: &str) -> usize {
        let mut pages: Vec<String> = Vec::new();
        for shown in self.terminal.seen() {
            if shown.body["device"]["id"] == device {
                pages.extend(shown.body["page_id"].as_str().map(str::to_owned));
            }
        }
        pages.sort();
        pages.dedup();
        pages.len()
    }
}

#[test]
fn a_planned_shut_off_mutes_its_hydrant_until_it_is_overrun() {
    let mut site = MaintenanceSite::start();
    let until = now() + 8_000;
    let announced = site.announces(&json!({"what": "maintenance", "device": "H-1", "until": until,
        "conditions": ["no_water", "low_pressure"], "by": "Li", "note": "new valve"}));
    assert_eq!(announced["lost_hydrants"], json!(["H-1"]), "{announced}");
    assert_eq!((&announced["stations"], &announced["active"]), (&json!(["t-1"]), &json!(true)));
    site.restarts();
    let list = site.gateway.list("maintenance?station=t-1");
    assert_eq!(list, std::slice::from_ref(&announced), "kept over a kill");
    assert!(site.gateway.list("maintenance?device=H-2").is_empty());

    site.alarm("H-1", "no_water");
    let quiet = site.of("H-1", "notice");
    assert_eq!(
        quiet["title"]["en"].as_str().map(|title| title.starts_with("Maintenance: ")),
        Some(true)
    );
    site.alarm("H-2", "no_water");
    site.of("H-2", "critical");
    assert_eq!(site.pages("H-1"), 0, "nobody is called for what was announced");
    let loud = site.of("H-1", "critical");
    assert!(now() >= until && loud["episode"] == 2, "the work is not done in time: {loud}");
    site.terminal.wait("a page about H-1", SOON, |shown| {
        shown.body["device"]["id"] == "H-1" && shown.body["page_id"].is_string()
    });
    assert!(site.gateway.list("maintenance").is_empty());
}

#[test]
fn work_that_is_done_early_is_withdrawn() {
    let site = MaintenanceSite::start();
    let until = now() + HOUR_MS;
    let announced = site.announces(&json!({"what": "maintenance", "zone": "z-0", "until": until,
        "conditions": ["no_water"]}));
    assert_eq!(announced["devices"], json!(["H-1", "H-2"]), "{announced}");
    site.alarm("H-2", "no_water");
    site.of("H-2", "notice");
    let path = format!("maintenance/{}", announced["id"].as_str().expect("an id"));
    let (status, was) = site.gateway.delete(&path);
    assert_eq!((status, &was["id"]), (200, &announced["id"]), "{was}");
    site.of("H-2", "critical");
    let (status, problem) = site.gateway.delete(&path);
    assert_eq!((status, &problem["type"]), (404, &json!("urn:standpipe:problem:unknown")));
}

#[test]
fn a_station_is_told_which_hydrants_it_loses_and_when_they_are_back() {
    let mut site = MaintenanceSite::start();
    let onlooker = Client::connect(site.broker.port, "onlooker");
    onlooker.subscribe("standpipe/v1/stations/+/maintenance");
    let until = now() + HOUR_MS;
    let announced = site.announces(&json!({"what": "maintenance", "device": "H-2", "until": until,
        "conditions": ["no_water"], "by": "Li", "note": "new valve"}));
    let heard = onlooker.hear();
    assert_eq!(heard.topic, "standpipe/v1/stations/t-1/maintenance");
    let told: Value = serde_json::from_slice(&heard.payload).expect("JSON");
    let wanted = json!({"works": [{"id": announced["id"], "from": announced["from"], "until": until,
        "by": "Li", "note": "new valve", "conditions": ["no_water"],
        "hydrants": [{"id": "H-2", "name": "Hydrant 2", "address": "Road 2"}]}]});
    assert_eq!(told, wanted);

    site.broker.stop();
    let path = format!("maintenance/{}", announced["id"].as_str().expect("an id"));
    assert_eq!(site.gateway.delete(&path).0, 200);
    site.gateway.kill();
    site.broker.start_again();
    let late = Client::connect(site.broker.port, "late");
    late.subscribe("standpipe/v1/stations/t-1/maintenance");
    assert!(late.hear().retained, "the broker keeps it");
    site.gateway.start_again();
    site.gateway.wait_ready();
    assert_eq!(late.hear().payload, b"", "what was withdrawn before a power cut is taken away");
}

#[test]
fn a_walk_test_is_limited_to_where_it_is_announced() {
    let site = MaintenanceSite::start();
    let until = now() + HOUR_MS;
    site.announces(&json!({"what": "walk_test", "device": "S-1", "until": until, "by": "Li"}));
    site.alarm("S-1", "smoke");
    let tested = site.of("S-1", "notice");
    assert_eq!(tested["exercise"], true);
    site.alarm("S-2", "smoke");
    let fire = site.of("S-2", "fire");
    assert_eq!(fire["exercise"], false);
    site.terminal.wait("a page about S-2", SOON, |shown| {
        shown.body["device"]["id"] == "S-2" && shown.body["page_id"].is_string()
    });
    assert_eq!(site.pages("S-1"), 0);
}

#[test]
fn an_exercise_is_paged_marked_and_over_and_no_real_fire_is_missed_for_it() {
    let mut site = MaintenanceSite::start();
    let ask = json!({"device": "S-1", "minutes": 10, "by": "Li", "note": "night shift"});
    let (status, exercise) = site.gateway.post("exercises", &ask);
    assert_eq!((status, &exercise["what"]), (201, &json!("exercise")), "{exercise}");
    let page = site.terminal.wait("its page", SOON, |shown| shown.body["page_id"].is_string());
    assert_eq!((&page.body["exercise"], &page.body["class"]), (&json!(true), &json!("fire")));
    let title = page.body["title"]["zh"].as_str().unwrap_or_default().to_owned();
    assert!(title.starts_with("演练："), "{title}");
    site.terminal.act("t-1", &page.incident, "acknowledge");
    site.gateway.incident("it to be taken", SOON, |incident| incident["state"] == "acknowledged");
    site.restarts();
    let (status, problem) = site.gateway.post("exercises", &ask);
    assert_eq!(status, 400, "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("`S-1` has an open fire"), "{detail}");
    let path = format!("maintenance/{}", exercise["id"].as_str().expect("an id"));
    assert_eq!(site.gateway.delete(&path).0, 200);
    let closed = site.gateway.incident("its end", SOON, |incident| incident["state"] == "closed");
    assert_eq!((&closed["outcome"], &closed["exercise"]), (&json!("exercise"), &json!(true)));

    let (status, _) = site.gateway.post("exercises", &json!({"device": "S-2"}));
    assert_eq!(status, 201);
    site.of("S-2", "notice");
    site.alarm("S-2", "smoke");
    let fire = site.of("S-2", "fire");
    assert_eq!((&fire["exercise"], &fire["episode"]), (&json!(false), &json!(2)), "{fire}");
}

#[test]
fn what_cannot_be_announced_is_refused_in_words() {
    let site = MaintenanceSite::start();
    let until = now() + HOUR_MS;
    for (path, body, words) in [
        (
            "maintenance",
            json!({"what": "maintenance", "device": "S-1", "until": until,
            "conditions": ["smoke"]}),
            "a fire is never muted",
        ),
        (
            "maintenance",
            json!({"what": "walk_test", "station": "t-9", "until": until}),
            "station `t-9` is not known",
        ),
        ("maintenance", json!({"what": "walk_test", "until": until}), "name exactly one of them"),
        ("maintenance", json!({"what": "walk_test", "device": "S-1", "until": 5}), "over"),
        ("maintenance", json!({"what": "party", "device": "S-1", "until": until}), "`party`"),
        ("exercises", json!({"device": "H-1"}), "one fire of one detector"),
        ("exercises", json!({"device": "S-1", "minutes": 61}), "set 1 h at most"),
        ("exercises", json!({"device": "S-1", "minutes": 0}), "until is"),
    ] {
        let (status, problem) = site.gateway.post(path, &body);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(words), "{body}: {status} {problem}");
    }
    assert!(site.gateway.list("maintenance").is_empty());
}
