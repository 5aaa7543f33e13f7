//! Pages on their way out of a whole gateway: a real mosquitto, a real store, and webhooks that
//! take, refuse, hesitate or sleep.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use standpipe::run::{self, Running};
use standpipe_config::Config;
use standpipe_machine::Machine;
use standpipe_machine::clock::Clock;
use standpipe_tests::broker::Broker as Mosquitto;
use standpipe_tests::client::{Client, Heard};
use standpipe_tests::receiver::{Posted, WebhookEnd};
use standpipe_tests::{CLOSES, http, instant, wait_for};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(500);
const STATIONS: &str = "id,name,level,parent,lat,lon\nt-1,One,township,,29.40,106.50\n";
const DEVICES: &str = "id,kind,name,station,zone,profile,lat,lon,address\n\
                       SMK-1,smoke,Kitchen,t-1,z,smoke_home,29.41,106.51,House 1\n\
                       SMK-2,smoke,Hall,t-1,z,smoke_home,29.42,106.52,House 2\n\
                       SMK-3,smoke,Attic,t-1,z,smoke_home,29.43,106.53,House 3\n\
                       SMK-4,smoke,Shop,t-1,z,smoke_home,29.44,106.54,House 4\n";

/// A broker, a store, and a gateway between them.
struct Town {
    broker: Mosquitto,
    folder: TempDir,
    webhooks: String,
    gateway: Option<Running>,
}

impl Town {
    fn with(webhooks: &[(&str, &WebhookEnd)]) -> Self {
        Self::on("allow_anonymous true\npersistence true\n", webhooks)
    }

    fn on(keeps: &str, webhooks: &[(&str, &WebhookEnd)]) -> Self {
        let lines = webhooks.iter().map(|(name, end)| {
            format!("[[webhook]]\nname = '{name}'\nurl = '{}'\nsecret_file = 'key'\n", end.url)
        });
        Self::of(keeps, lines.collect())
    }

    fn of(keeps: &str, webhooks: String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("stations.csv", STATIONS), ("devices.csv", DEVICES), ("key", "k")] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let broker = Mosquitto::with(folder.path(), keeps);
        let mut town = Self { broker, folder, webhooks, gateway: None };
        town.start();
        town.wait_for_its_lanes();
        town.client("terminal").publish("standpipe/v1/stations/t-1/presence", r#"{"online":true}"#);
        town
    }

    fn start(&mut self) {
        let (port, webhooks) = (self.broker.port, &self.webhooks);
        let text = format!(
            "[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\n[http]\nlisten = '127.0.0.1:0'\n\
             [registry]\nstations = 'stations.csv'\ndevices = 'devices.csv'\n{webhooks}"
        );
        let file: &Path = &self.folder.path().join("standpipe.toml");
        let config = Config::parse(&text, file, None).unwrap_or_else(|bad| panic!("{bad}"));
        let running = run::start(config, Machine::new()).unwrap_or_else(|bad| panic!("{bad}"));
        self.gateway = Some(running);
    }

    /// Before its lanes have subscribed for the first time, the broker keeps no alarm for it.
    fn wait_for_its_lanes(&self) {
        let running = self.gateway.as_ref().expect("a gateway");
        let readyz = format!("http://{}/readyz", running.http());
        wait_for("the gateway to be ready", PATIENCE, || {
            http::try_get(&readyz, "").filter(|(status, _)| *status == 200)
        });
    }

    fn stop(&mut self) {
        assert!(self.gateway.take().expect("a gateway").stop(), "it ends in time");
    }

    fn client(&self, name: &str) -> Client {
        Client::connect(self.broker.port, name)
    }

    /// Somebody who sees everything that is sent to stations.
    fn onlooker(&self) -> Client {
        let client = self.client("onlooker");
        client.subscribe("standpipe/v1/stations/+/incidents/+");
        client
    }

    fn fire(&self, device: &str) {
        let topic = format!("standpipe/v1/banan/{device}/alarm");
        let alarm = r#"{"condition":"smoke","active":true,"smoke_db_m":0.3}"#;
        self.client(device).publish(&topic, alarm);
    }

    /// The detector is silent again, which closes nothing.
    fn clear(&self, device: &str) {
        let topic = format!("standpipe/v1/banan/{device}/alarm");
        self.client(device).publish(&topic, r#"{"condition":"smoke","active":false}"#);
    }

    fn act(&self, incident: &str, action: &str) {
        let text =
            format!(r#"{{"incident":"{incident}","action":"{action}","by":"Li","note":""}}"#);
        self.client("officer").publish("standpipe/v1/stations/t-1/actions", text);
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn page_of(heard: &Heard) -> String {
    json(&heard.payload)["page_id"].as_str().expect("a page").to_owned()
}

fn key_of(posted: &Posted) -> &str {
    &posted.headers["idempotency-key"]
}

fn taking() -> WebhookEnd {
    WebhookEnd::start(|_| "204 No Content".to_owned())
}

#[test]
fn a_fire_is_paged_to_the_station_and_to_a_signed_webhook() {
    let end = taking();
    let town = Town::with(&[("duty", &end)]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    let page = onlooker.hear();
    let shown = json(&page.payload);
    let id = shown["id"].as_str().expect("an id");
    assert_eq!(page.topic, format!("standpipe/v1/stations/t-1/incidents/{id}"));
    assert_eq!((&shown["class"], &shown["station"]), (&"fire".into(), &"t-1".into()));
    let posted = end.hear();
    let body = json(&posted.body);
    assert_eq!((&body["id"], posted.path.as_str()), (&shown["id"], "/hook"));
    assert_eq!(body["page_id"], key_of(&posted), "sent under its own id");
    assert_ne!(body["page_id"], shown["page_id"], "two receivers, two pages");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"k").expect("any key");
    mac.update(&posted.body);
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(posted.headers["x-standpipe-signature"], format!("sha256={hex}"));
    assert!(end.next(QUIET).is_none(), "once");
}

#[test]
fn a_closed_incident_is_shown_once_more_and_its_topic_emptied() {
    let town = Town::with(&[]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    let first = onlooker.hear();
    let id = json(&first.payload)["id"].as_str().expect("an id").to_owned();
    town.clear("SMK-1");
    town.act(&id, "false_alarm");
    let mut states = Vec::new();
    loop {
        let heard = onlooker.next(CLOSES).expect("a message");
        if heard.payload.is_empty() {
            break;
        }
        assert_eq!(page_of(&heard), page_of(&first), "news never sounds");
        states.push(json(&heard.payload)["state"].clone());
    }
    assert_eq!(states.last(), Some(&"closed".into()), "{states:?}");
    let late = town.client("late");
    late.subscribe("standpipe/v1/stations/#");
    assert_eq!(late.next(QUIET), None, "nothing is kept");
}

#[test]
fn a_broker_that_forgot_is_shown_what_is_open() {
    let mut town = Town::on("allow_anonymous true\n", &[]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    let page = page_of(&onlooker.hear());
    drop(onlooker);
    town.broker.kill();
    town.broker.start_again();
    let terminal = town.onlooker();
    assert_eq!(page_of(&terminal.hear()), page);
}

#[test]
fn a_page_made_while_the_stations_broker_is_away_is_sent_when_it_is_back() {
    let mut town = Town::with(&[]);
    town.broker.stop();
    town.stop();
    town.broker.start_again();
    town.fire("SMK-1"); // kept by the broker for the alarm lane
    let onlooker = town.onlooker();
    let started = instant();
    town.start();
    let page = page_of(&onlooker.hear());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    drop(onlooker);
    town.stop();
    town.start();
    let again = town.onlooker();
    assert_eq!(page_of(&again.hear()), page, "kept by the broker, and the same");
    assert!(eventually_quiet(&again).iter().all(|heard| page_of(heard) == page));
}

/// What still comes until nothing comes any more.
fn eventually_quiet(client: &Client) -> Vec<Heard> {
    std::iter::from_fn(|| client.next(QUIET)).collect()
}

#[test]
fn a_web_page_in_the_place_of_an_answer_is_no_receipt() {
    let end = WebhookEnd::saying(|n, _| match n {
        0 => ("200 OK\r\ncontent-type: text/html".to_owned(), "<html>Log in".to_owned()),
        1 => ("200 OK".to_owned(), "<!DOCTYPE html><title>Log in".to_owned()),
        _ => ("200 OK\r\ncontent-type: text/html".to_owned(), "ok".to_owned()),
    });
    let town = Town::with(&[("duty", &end)]);
    town.fire("SMK-1");
    let pages = [end.hear(), end.hear(), end.hear()];
    assert!(pages.iter().all(|page| key_of(page) == key_of(&pages[0])), "the same page again");
    assert!(end.next(Duration::from_secs(3)).is_none(), "until somebody has it");
}

#[test]
fn a_webhook_that_hesitates_gets_the_same_page_again() {
    let end = WebhookEnd::start(|n| {
        ["503 Busy", "429 Slow\r\nRetry-After: 1", "200 OK"][n.min(2)].to_owned()
    });
    let town = Town::with(&[("duty", &end)]);
    town.fire("SMK-1");
    let first = end.hear();
    let second = end.hear();
    let asked = instant();
    let third = end.hear();
    assert!(asked.elapsed() >= Duration::from_millis(900), "it asked for a second");
    assert_eq!((key_of(&first), key_of(&second)), (key_of(&third), key_of(&third)));
    assert!(end.next(QUIET).is_none(), "taken");
}

#[test]
fn a_webhook_that_refuses_a_fire_is_asked_again_until_somebody_acknowledges() {
    let end = WebhookEnd::start(|_| "404 Gone".to_owned());
    let town = Town::with(&[("duty", &end)]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    let first = end.hear();
    let key = key_of(&first).to_owned();
    assert_eq!(key_of(&end.hear()), key, "the same page again");
    let incident = json(&first.body)["id"].as_str().expect("an id").to_owned();
    town.act(&incident, "acknowledge");
    let store = rusqlite::Connection::open(town.folder.path().join("standpipe.db")).expect("it");
    let gave_up = wait_for("the page is given up", PATIENCE, || {
        let sql = "SELECT gave_up_at FROM page WHERE page_id = ?1 AND delivered_at IS NULL";
        store.query_row(sql, [&key], |row| row.get::<_, Option<i64>>(0)).expect("a page")
    });
    assert!(gave_up > 0);
    let fires = std::iter::from_fn(|| end.next(QUIET)).filter(|page| key_of(page) == key).count();
    assert_eq!(fires, 0, "not once more");
    assert!(!page_of(&onlooker.hear()).is_empty(), "the station has its own");
}

#[test]
fn a_page_that_is_refused_keeps_no_other_back() {
    let end = WebhookEnd::saying(|n, posted| {
        let poisoned = json(&posted.body)["device"]["id"] == "SMK-1";
        let status = match n {
            _ if !poisoned => "200 OK",
            0 => "503 Busy\r\nRetry-After: 40",
            _ => "500 Cannot",
        };
        (status.to_owned(), String::new())
    });
    let town = Town::with(&[("duty", &end)]);
    town.fire("SMK-1");
    let refused = end.hear();
    let started = instant();
    town.fire("SMK-2");
    assert_eq!(json(&end.hear().body)["device"]["id"], "SMK-2");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(key_of(&end.hear()), key_of(&refused));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn pages_that_are_refused_over_and_over_leave_the_pace_a_message_for_a_new_fire() {
    let refused = ["SMK-1", "SMK-2", "SMK-3"];
    let end = WebhookEnd::saying(move |_, posted| {
        let device = json(&posted.body)["device"]["id"].as_str().unwrap_or_default().to_owned();
        let status = if refused.contains(&&*device) { "500 Cannot" } else { "200 OK" };
        (status.to_owned(), String::new())
    });
    let robot = format!("[[webhook]]\nname = 'robot'\nurl = '{}'\npace = '4/min'\n", end.url);
    let town = Town::of("allow_anonymous true\npersistence true\n", robot);
    for device in refused {
        town.fire(device);
        assert_eq!(json(&end.hear().body)["device"]["id"], device);
    }
    assert!(end.next(Duration::from_secs(7)).is_none(), "the last message is left to what is new");
    let started = instant();
    town.fire("SMK-4");
    assert_eq!(json(&end.hear().body)["device"]["id"], "SMK-4");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// What becomes of the next incident of that condition on the stations' topics.
fn next_of(onlooker: &Client, condition: &str, state: &str) -> Value {
    wait_for(&format!("{condition} {state}"), Duration::from_secs(60), || {
        let heard = onlooker.next(QUIET)?;
        let incident = serde_json::from_slice::<Value>(&heard.payload).ok()?;
        let of = incident["conditions"].to_string().contains(condition);
        (of && incident["state"] == state).then_some(incident)
    })
}

#[test]
fn a_receiver_that_is_down_is_told_through_the_others_and_works_again() {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let ill = WebhookEnd::saying(move |_, _| {
        let status = if asked.load(Ordering::Relaxed) { "200 OK" } else { "500 Cannot" };
        (status.to_owned(), String::new())
    });
    let fine = taking();
    let town = Town::with(&[("ill", &ill), ("fine", &fine)]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    assert_eq!(json(&fine.hear().body)["class"], "fire");
    let down = json(&fine.hear().body);
    assert_eq!(down["conditions"].to_string(), r#"["receiver_down"]"#);
    assert_eq!((&down["detail"], &down["severity"]), (&"status 500".into(), &"warning".into()));
    assert!(down["title"]["en"].as_str().expect("a title").contains(" ill"), "{down}");
    well.store(true, Ordering::Relaxed);
    assert_eq!(next_of(&onlooker, "receiver_down", "closed")["outcome"], "recovered");
    let told = std::iter::from_fn(|| ill.next(QUIET)).map(|posted| json(&posted.body));
    let of_itself = told.filter(|incident| incident["class"] != "fire").count();
    assert_eq!(of_itself, 0, "it hears nothing of itself");
}

#[test]
fn a_sleeping_webhook_delays_no_other_and_holds_up_no_stop() {
    let asleep = WebhookEnd::start(|_| {
        std::thread::sleep(PATIENCE);
        "200 OK".to_owned()
    });
    let awake = taking();
    let mut town = Town::with(&[("asleep", &asleep), ("awake", &awake)]);
    let started = instant();
    for device in ["SMK-1", "SMK-2"] {
        town.fire(device);
        assert!(!awake.hear().body.is_empty());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    town.stop();
}

#[test]
fn a_page_to_a_webhook_survives_a_restart_under_the_same_key() {
    let end = WebhookEnd::start(|n| if n == 0 { "503 Busy" } else { "200 OK" }.to_owned());
    let mut town = Town::with(&[("duty", &end)]);
    town.fire("SMK-1");
    let before = end.hear();
    town.stop();
    town.start();
    let after = end.hear();
    assert_eq!(key_of(&before), key_of(&after));
    town.stop();
    town.start();
    assert!(end.next(QUIET).is_none(), "taken is taken");
}

#[test]
fn a_restart_gives_no_receiver_its_minute_again() {
    let (other, end) = (taking(), taking());
    let mut town = Town::with(&[("other", &other), ("duty", &end)]);
    restarted_with(&mut town, "pace = \"2/min\"\n");
    for detector in ["SMK-1", "SMK-2"] {
        town.fire(detector);
        assert_ne!(key_of(&other.hear()), key_of(&end.hear()));
    }
    restarted_with(&mut town, "");
    town.fire("SMK-3");
    assert_eq!(json(&other.hear().body)["device"]["id"], "SMK-3");
    std::thread::sleep(Duration::from_secs(2));
    assert!(end.next(QUIET).is_none(), "two a minute, however often the gateway starts");
    town.stop();
}

/// Fires are repeated every two seconds.
const REPEATED: &str = "[escalation.fire]\nstep2_s = 0\nstep3_s = 0\nrepeat_s = 2\n";

/// The same town with other settings.
fn restarted_with(town: &mut Town, settings: &str) {
    town.stop();
    town.webhooks.push_str(settings);
    town.start();
    town.wait_for_its_lanes();
}

#[test]
fn a_page_is_the_same_message_after_a_restart_whatever_became_of_its_incident() {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let end = WebhookEnd::saying(move |_, _| {
        let status = if asked.load(Ordering::Relaxed) { "200 OK" } else { "503 Busy" };
        (status.to_owned(), String::new())
    });
    let mut town = Town::with(&[("duty", &end)]);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    let before = end.hear();
    let incident = json(&before.body)["id"].as_str().expect("an id").to_owned();
    // Stopped at once, so that it has not given the page up: it starts with it.
    town.act(&incident, "acknowledge");
    wait_for("it is acknowledged", PATIENCE, || {
        let heard = onlooker.next(QUIET)?;
        (json(&heard.payload)["state"] == "acknowledged").then_some(())
    });
    town.stop();
    well.store(true, Ordering::Relaxed);
    town.start();
    let after = end.hear();
    assert_eq!(key_of(&before), key_of(&after));
    assert_eq!(String::from_utf8_lossy(&before.body), String::from_utf8_lossy(&after.body));
}

#[test]
fn a_newer_page_supersedes_one_that_is_refused() {
    let end = WebhookEnd::start(|n| if n < 4 { "500 Cannot" } else { "200 OK" }.to_owned());
    let mut town = Town::with(&[("duty", &end)]);
    restarted_with(&mut town, REPEATED);
    town.fire("SMK-1");
    let mut keys: Vec<String> = Vec::new();
    for _ in 0..6 {
        let key = key_of(&end.hear()).to_owned();
        let last = keys.last() == Some(&key);
        assert!(last || !keys.contains(&key), "{key} was superseded: {keys:?}");
        keys.push(key);
    }
    keys.dedup();
    let store = rusqlite::Connection::open(town.folder.path().join("standpipe.db")).expect("it");
    let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    let superseded = "SELECT count(*) FROM page WHERE receiver = 'duty' AND superseded_at NOT NULL";
    let told = "SELECT count(*) FROM trail WHERE hop = 'superseded' AND by = 'webhook duty'";
    assert!(count(superseded) >= 3, "{keys:?}");
    assert_eq!(count(superseded), count(told));
    let owed = "SELECT count(*) FROM page WHERE receiver = 'duty' AND delivered_at IS NULL
                AND gave_up_at IS NULL AND superseded_at IS NULL";
    assert!(count(owed) <= 1);
}

#[test]
fn a_page_that_nobody_has_seen_says_that_somebody_has_the_fire_in_hand() {
    let (go, wait) = std::sync::mpsc::channel();
    let end = WebhookEnd::start(move |n| {
        if n == 0 {
            wait.recv_timeout(PATIENCE).expect("a word");
        }
        if n == 0 { "500 Cannot" } else { "200 OK" }.to_owned()
    });
    let mut town = Town::with(&[("duty", &end)]);
    restarted_with(&mut town, REPEATED);
    let onlooker = town.onlooker();
    town.fire("SMK-1");
    // Its first page is on its way, its second waits behind it.
    let incident = wait_for("it is repeated", PATIENCE, || {
        let incident = json(&onlooker.next(QUIET)?.payload);
        (incident["step"] == 1 && incident["rev"].as_u64() > Some(1)).then_some(incident)
    });
    town.act(incident["id"].as_str().expect("an id"), "acknowledge");
    wait_for("it is acknowledged", PATIENCE, || {
        let heard = onlooker.next(QUIET)?;
        (json(&heard.payload)["state"] == "acknowledged").then_some(())
    });
    go.send(()).expect("it waits");
    let (first, second) = (end.hear(), end.hear());
    assert_ne!(key_of(&first), key_of(&second), "it is superseded");
    assert_eq!(json(&first.body)["state"], "open");
    assert_eq!(json(&second.body)["state"], "acknowledged");
    assert!(end.next(QUIET).is_none(), "taken");
}

#[test]
fn a_receipt_that_comes_while_the_gateway_stops_is_waited_for() {
    let (asks, asked) = std::sync::mpsc::channel();
    let end = WebhookEnd::start(move |_| {
        asks.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        "200 OK".to_owned()
    });
    let mut town = Town::with(&[("duty", &end)]);
    town.fire("SMK-1");
    asked.recv_timeout(PATIENCE).expect("a request");
    town.stop();
    assert!(end.next(PATIENCE).is_some());
    town.start();
    assert!(end.next(QUIET).is_none(), "taken is taken");
}

#[test]
fn everybody_hears_the_time() {
    let mut town = Town::with(&[]);
    let client = town.client("device");
    client.subscribe("standpipe/v1/gateway/clock");
    town.stop();
    town.start(); // the first minute begins with the connection
    let heard = client.hear();
    let (told, now) = (json(&heard.payload)["ts"].as_i64().expect("a time"), Clock::new().now());
    assert!((told - now).abs() < PATIENCE.as_millis() as i64, "{told} at {now}");
    assert!(!heard.retained);
}

#[test]
fn a_gateway_without_its_broker_stops_at_once() {
    let mut town = Town::with(&[]);
    town.broker.stop();
    std::thread::sleep(QUIET);
    let started = instant();
    town.stop();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}
