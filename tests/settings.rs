//! What is asked of devices, from a person's wish to what a device runs: over a real mosquitto,
//! with the gateway's own binary, which may die at any moment.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::{Client, Heard};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::{instant, now, town, wait_for};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(500);
const H1: &str = "standpipe/v1/north/H-1";

/// A broker and a gateway.
struct SettingsSite {
    broker: Broker,
    gateway: Gateway,
    _dir: TempDir,
}

impl SettingsSite {
    fn start(hydrants: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(dir.path());
        let files = (town::stations(1), town::devices(hydrants, 0, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        Self { broker, gateway, _dir: dir }
    }

    /// A client that hears what is published on these topics.
    fn hears(&self, name: &str, filter: &str) -> Client {
        let client = Client::connect(self.broker.port, name);
        client.subscribe(filter);
        client
    }

    /// H-1 says that it runs that number.
    fn birth(&self, rev: u32) {
        let status = json!({"online": true, "boot": 1, "interval_s": 900, "rev": rev});
        let client = Client::connect(self.broker.port, "node");
        client.publish(&format!("{H1}/status"), status.to_string());
    }

    fn settings(&self) -> Value {
        self.gateway.get("devices/H-1/settings")
    }

    fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, PATIENCE, || Some(self.settings()).filter(&wanted))
    }

    fn pending_at_the_device(&self) -> Value {
        self.wait("the broker to have it", |shown| shown["waits_for"] == "device")
    }

    /// Stops everything, as a power cut between the commit and the publish would.
    fn dies_before_it_is_published(&mut self, what: impl FnOnce(&Gateway)) {
        self.broker.stop();
        what(&self.gateway);
        self.gateway.kill();
        self.broker.start_again();
        self.gateway.start_again();
        self.gateway.wait_ready();
    }
}

fn json_of(heard: &Heard) -> Value {
    serde_json::from_slice(&heard.payload).expect("JSON")
}

#[test]
fn settings_are_kept_for_a_device_until_it_runs_them() {
    let site = SettingsSite::start(1);
    let nothing = site.settings();
    assert_eq!((&nothing["state"], &nothing["wanted"]), (&json!("none"), &Value::Null));
    let wish = json!({"interval_s": 300, "low_kpa": 150.5, "by": "Li"});
    let (status, put) = site.gateway.put("devices/H-1/settings", &wish);
    let wanted = json!({"interval_s": 300, "sample_s": 5, "low_kpa": 150.5, "no_water_kpa": 20.0,
        "delta_kpa": 15.0});
    assert_eq!((status, &put["wanted"], &put["by"]), (200, &wanted, &json!("Li")), "{put}");
    assert_eq!((&put["state"], &put["waits_for"]), (&json!("pending"), &json!("first_message")));
    let early = site.hears("early", "standpipe/v1/+/+/settings");
    assert_eq!(early.next(QUIET), None, "nobody knows where it is");

    site.birth(0);
    let heard = json_of(&early.hear());
    let told = json!({"rev": 1, "interval_s": 300, "sample_s": 5, "low_kpa": 150.5,
        "no_water_kpa": 20.0, "delta_kpa": 15.0, "receipts": true});
    assert_eq!(heard, told);
    let shown = site.pending_at_the_device();
    assert_eq!((&shown["state"], &shown["rev"]), (&json!("pending"), &json!(1)), "{shown}");
    let woken = site.hears("woken", &format!("{H1}/settings"));
    let kept = woken.hear();
    assert!(kept.retained && json_of(&kept) == told, "{kept:?}");

    site.birth(1);
    let shown = site.wait("the device to run it", |shown| shown["state"] == "applied");
    assert_eq!((&shown["reported_rev"], &shown["waits_for"]), (&json!(1), &Value::Null));
    assert!(shown["answered_at"].as_i64() >= shown["sent_at"].as_i64(), "{shown}");

    let (_, put) = site.gateway.put("devices/H-1/settings", &json!({"interval_s": 5}));
    assert_eq!((&put["rev"], &put["state"]), (&json!(2), &json!("pending")), "{put}");
    let no = json!({"id": "settings-2", "ok": false, "detail": "interval_s: not on this battery"});
    let node = Client::connect(site.broker.port, "node");
    node.publish(&format!("{H1}/reply"), no.to_string());
    let shown = site.wait("the refusal", |shown| shown["state"] == "refused");
    assert_eq!((&shown["detail"], &shown["reported_rev"]), (&no["detail"], &json!(1)), "{shown}");

    let (status, left) = site.gateway.delete("devices/H-1/settings");
    assert_eq!((status, &left["source"], &left["wanted"]), (200, &Value::Null, &Value::Null));
}

#[test]
fn what_was_wished_before_a_power_cut_is_told_after_it() {
    let mut site = SettingsSite::start(1);
    site.birth(0);
    site.wait("its area", |device| device["area"] == "north");
    let node = Client::with_session(site.broker.port, "sleeper");
    node.subscribe(&format!("{H1}/settings"));
    node.subscribe(&format!("{H1}/command"));
    drop(node);
    site.dies_before_it_is_published(|gateway| {
        let (status, put) = gateway.put("devices/H-1/settings", &json!({"interval_s": 60}));
        assert_eq!((status, &put["waits_for"]), (200, &json!("broker")), "{put}");
        let (status, ask) = gateway.post("devices/H-1/commands", &json!({"command": "self_test"}));
        assert_eq!((status, &ask["state"]), (202, &json!("queued")), "{ask}");
    });
    let node = Client::with_session(site.broker.port, "sleeper");
    let heard = [json_of(&node.hear()), json_of(&node.hear())];
    assert!(
        heard.iter().any(|message| message["interval_s"] == 60 && message["rev"] == 1),
        "{heard:?}"
    );
    assert!(heard.iter().any(|message| message["command"] == "self_test"), "{heard:?}");
    site.pending_at_the_device();
}

#[test]
fn a_broker_that_forgot_is_told_again_what_no_device_runs_yet() {
    let mut site = SettingsSite::start(1);
    site.birth(0);
    let (status, _) = site.gateway.put("devices/H-1/settings", &json!({"interval_s": 60}));
    assert_eq!(status, 200);
    site.pending_at_the_device();
    site.broker.kill();
    site.broker.start_again();
    let late = site.hears("late", &format!("{H1}/settings"));
    assert_eq!(json_of(&late.hear())["rev"], 1);
}

#[test]
fn a_device_that_moves_finds_its_settings_where_it_is() {
    let site = SettingsSite::start(1);
    site.birth(0);
    let (status, _) = site.gateway.put("devices/H-1/settings", &json!({"interval_s": 60}));
    assert_eq!(status, 200);
    site.pending_at_the_device();
    let onlooker = site.hears("onlooker", "standpipe/v1/+/H-1/settings");
    assert_eq!(onlooker.hear().topic, format!("{H1}/settings"));
    let node = Client::connect(site.broker.port, "node");
    node.publish("standpipe/v1/south/H-1/status", json!({"online": true, "rev": 0}).to_string());
    let left = onlooker.hear();
    assert_eq!((left.topic, left.payload.len()), (format!("{H1}/settings"), 0), "taken away");
    let there = onlooker.hear();
    assert_eq!(there.topic, "standpipe/v1/south/H-1/settings");
    assert_eq!(json_of(&there)["rev"], 1);
}

#[test]
fn a_profile_is_told_a_few_at_a_time() {
    const HYDRANTS: usize = 40;
    let site = SettingsSite::start(HYDRANTS);
    let node = Client::connect(site.broker.port, "nodes");
    let status = json!({"online": true, "rev": 0}).to_string();
    node.publish_all(
        (1..=HYDRANTS)
            .map(|n| (format!("standpipe/v1/north/H-{n}/status"), status.clone().into_bytes())),
    );
    site.wait("H-1 to be known", |device| device["area"] == "north");
    let (status, _) = site.gateway.put("devices/H-2/settings", &json!({"interval_s": 60}));
    assert_eq!(status, 200);
    let onlooker = site.hears("onlooker", "standpipe/v1/north/+/settings");
    assert_eq!(onlooker.hear().topic, "standpipe/v1/north/H-2/settings");
    let path = "profiles/municipal/settings";
    let (status, put) = site.gateway.put(path, &json!({"interval_s": 1_800}));
    assert_eq!((status, &put["wanted"]["interval_s"]), (200, &json!(1_800)), "{put}");
    let started = instant();
    let mut told: Vec<String> = (1..HYDRANTS)
        .map(|_| {
            let heard = onlooker.hear();
            assert_eq!(json_of(&heard)["interval_s"], 1_800, "{heard:?}");
            heard.topic
        })
        .collect();
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2), "39 devices at 16 a second: {took:?}");
    told.sort();
    told.dedup();
    assert_eq!(told.len(), HYDRANTS - 1, "each once");
    assert_eq!(onlooker.next(QUIET), None, "and H-2 has its own");
    let counts = json!({"own": 1, "none": 0, "pending": 39, "applied": 0, "refused": 0});
    wait_for("the counts", PATIENCE, || {
        (site.gateway.get(path)["devices"] == counts).then_some(())
    });
    let shown = site.settings();
    assert_eq!((&shown["source"], &shown["rev"]), (&json!("profile"), &json!(1)), "{shown}");
}

/// The one command of a device, once it is in that state.
fn command(site: &SettingsSite, state: &str) -> Value {
    wait_for(&format!("a command that is {state}"), PATIENCE, || {
        let list = site.gateway.list("devices/H-1/commands");
        list.into_iter().next().filter(|command| command["state"] == state)
    })
}

#[test]
fn a_command_reaches_the_device_and_its_answer_comes_back() {
    let site = SettingsSite::start(1);
    let ask = json!({"command": "silence", "seconds": 600, "by": "Li"});
    let (status, asked) = site.gateway.post("devices/H-1/commands", &ask);
    assert_eq!((status, &asked["state"]), (202, &json!("queued")), "{asked}");
    assert_eq!((&asked["device"], &asked["by"]), (&json!("H-1"), &json!("Li")));
    let wait_ms = asked["expires_at"].as_i64().zip(asked["created_at"].as_i64());
    assert_eq!(wait_ms.map(|(to, from)| to - from), Some(2_700_000), "three intervals");
    let node = site.hears("device", &format!("{H1}/command"));
    site.birth(0);
    let heard = node.hear();
    let told = json!({"id": asked["id"], "command": "silence", "seconds": 600});
    assert_eq!((json_of(&heard), heard.retained), (told, false));
    command(&site, "sent");
    let reply = json!({"id": asked["id"], "ok": true, "detail": "quiet"});
    node.publish(&format!("{H1}/reply"), reply.to_string());
    let done = command(&site, "answered");
    assert_eq!(done["detail"], "quiet");
    let path = format!("devices/H-1/commands/{}", asked["id"].as_str().expect("an id"));
    assert_eq!(site.gateway.get(&path), done);
    assert_eq!(node.next(QUIET), None, "once");
}

/// The broker takes a command whether or not anybody hears it, and does not say which.
#[test]
fn a_command_nobody_heard_is_sent_again_when_the_device_is_heard_and_then_expires() {
    let site = SettingsSite::start(1);
    site.birth(0);
    let (status, first) =
        site.gateway.post("devices/H-1/commands", &json!({"command": "report_now"}));
    assert_eq!(status, 202, "{first}");
    let sent = command(&site, "sent");
    let node = site.hears("device", &format!("{H1}/command"));
    assert_eq!(node.next(Duration::from_secs(6)), None, "time alone sends nothing again");
    let reading = json!({"pressure_kpa": 300}).to_string();
    let speaks = || node.publish(&format!("{H1}/telemetry"), reading.clone());
    for wait_s in [4, 8] {
        let heard = instant();
        speaks();
        assert_eq!(json_of(&node.hear())["id"], first["id"]);
        let took = heard.elapsed().as_secs_f32();
        assert!((wait_s as f32 - 0.5..wait_s as f32 + 3.0).contains(&took), "{took} s");
    }
    let again = wait_for("it is counted", PATIENCE, || {
        Some(command(&site, "sent")).filter(|command| command["resends"] == 2)
    });
    assert_eq!(again["sent_at"], sent["sent_at"], "the first time");
    speaks();
    let reply = json!({"id": first["id"], "ok": true});
    node.publish(&format!("{H1}/reply"), reply.to_string());
    command(&site, "answered");
    drop(node);

    let (status, second) =
        site.gateway.post("devices/H-1/commands", &json!({"command": "restart", "expires_s": 1}));
    assert_eq!(status, 202, "{second}");
    let asked = now();
    let expired = command(&site, "expired");
    assert_eq!(expired["id"], second["id"]);
    assert!(now() - asked < 10_000, "in time");
    let node = site.hears("device", &format!("{H1}/command"));
    site.birth(0);
    assert_eq!(node.next(Duration::from_secs(6)), None, "and it is not sent any more");
    let reply = json!({"id": second["id"], "ok": false, "detail": "too old"});
    node.publish(&format!("{H1}/reply"), reply.to_string());
    assert_eq!(command(&site, "refused")["detail"], "too old", "an answer counts when it comes");
}

/// A device that sleeps has a session of its own, in which the broker keeps the command.
#[test]
fn a_device_that_wakes_and_answers_gets_its_command_once() {
    let site = SettingsSite::start(1);
    site.birth(0);
    let node = Client::with_session(site.broker.port, "sleeper");
    node.subscribe(&format!("{H1}/command"));
    drop(node);
    let (status, asked) =
        site.gateway.post("devices/H-1/commands", &json!({"command": "report_now"}));
    assert_eq!(status, 202, "{asked}");
    command(&site, "sent");
    let node = Client::with_session(site.broker.port, "sleeper");
    node.publish(&format!("{H1}/telemetry"), json!({"pressure_kpa": 300}).to_string());
    assert_eq!(json_of(&node.hear())["id"], asked["id"]);
    std::thread::sleep(Duration::from_secs(2)); // it takes its time
    let reply = json!({"id": asked["id"], "ok": true});
    node.publish(&format!("{H1}/reply"), reply.to_string());
    let done = command(&site, "answered");
    assert_eq!(done["resends"], 0);
    assert_eq!(node.next(Duration::from_secs(6)), None, "no duplicate");
}

/// What was sent before a power cut, and nobody heard.
#[test]
fn a_restarted_gateway_sends_again_what_its_device_never_answered() {
    let mut site = SettingsSite::start(1);
    site.birth(0);
    let (status, asked) =
        site.gateway.post("devices/H-1/commands", &json!({"command": "self_test"}));
    assert_eq!(status, 202, "{asked}");
    let (status, asked) =
        site.gateway.post("devices/H-1/commands", &json!({"command": "report_now"}));
    assert_eq!(status, 202, "{asked}");
    command(&site, "sent");
    site.gateway.kill();
    site.gateway.start_again();
    site.gateway.wait_ready();
    let node = site.hears("device", &format!("{H1}/command"));
    assert_eq!(node.next(Duration::from_secs(5)), None, "its device was not heard");
    site.birth(0);
    let heard = node.hear();
    assert_eq!(json_of(&heard)["id"], asked["id"], "a self-test takes its time");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let site = SettingsSite::start(1);
    let wish = json!({"interval_s": 4, "sample_s": -1, "low_kpa": 700.0, "no_water_kpa": 600.0});
    let (status, problem) = site.gateway.put("devices/H-1/settings", &wish);
    assert_eq!((status, &problem["type"]), (400, &json!("urn:standpipe:problem:bad-settings")));
    let faults: Vec<&str> =
        problem["errors"].as_array().expect("a list").iter().map(text_of).collect();
    assert_eq!(
        faults,
        [
            "sample_s is -1: set 1 to 600 s",
            "interval_s is 4 s: set 5 to 86400 s",
            "no_water_kpa is 600 kPa: set 1 to 500 kPa",
        ],
        "{problem}"
    );
    assert_eq!(problem["errors"][0]["field"], "sample_s");
    assert_eq!(site.settings()["state"], "none", "nothing changed");
    for (path, body) in [
        ("devices/H-9/settings", json!({"interval_s": 60})),
        ("profiles/alpine/settings", json!({"interval_s": 60})),
    ] {
        let (status, problem) = site.gateway.put(path, &body);
        assert_eq!((status, &problem["type"]), (404, &json!("urn:standpipe:problem:unknown")));
    }
    let ask = |device: &str, body: Value| {
        let (status, answer) = site.gateway.post(&format!("devices/{device}/commands"), &body);
        (status, answer["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask("H-9", json!({"command": "restart"})).0, 404);
    assert_eq!(
        ask("H-1", json!({"command": "restart", "seconds": 3, "expires_s": 0})),
        (400, "seconds is 3: leave it out for restart; expires_s is 0: set 1 to 604800".into())
    );
    let (status, text) = ask("H-1", json!({"command": "dance"}));
    assert!(status == 400 && text.contains("`dance`") && text.contains("self_test"), "{text}");
    for _ in 0..16 {
        assert_eq!(ask("H-1", json!({"command": "report_now"})).0, 202);
    }
    let (status, text) = ask("H-1", json!({"command": "report_now"}));
    assert_eq!((status, text.contains("16 commands wait")), (409, true), "{text}");
}

fn text_of(fault: &Value) -> &str {
    fault["detail"].as_str().unwrap_or_default()
}

#[test]
fn an_operator_does_all_that_from_a_terminal() {
    let site = SettingsSite::start(1);
    let node = site.hears("device", &format!("{H1}/command"));
    site.birth(0);
    let (code, said, complaint) =
        site.gateway.command(&["settings", "--device", "H-1", "--interval-s", "60"]);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(said.contains("wanted: delta_kpa 15.0, interval_s 60, low_kpa 140.0, "), "{said}");
    assert!(said.contains("state: pending\n"), "{said}");
    let (code, said, _) = site.gateway.command(&["settings", "--profile", "municipal"]);
    assert!(code == Some(0) && said.contains("devices: applied 0, none 0, own 1,"), "{said}");
    let (code, _, complaint) =
        site.gateway.command(&["settings", "--device", "H-1", "--interval-s", "1"]);
    let words = "sample_s is 5 s and interval_s 1 s";
    assert!(code == Some(1) && complaint.contains(words), "{complaint}");

    let answering = std::thread::spawn(move || {
        let id = json_of(&node.hear())["id"].clone();
        let reply = json!({"id": id, "ok": true, "detail": "all well"});
        node.publish(&format!("{H1}/reply"), reply.to_string());
    });
    let words = ["command", "self-test", "--device", "H-1", "--wait", "15"];
    let (code, said, complaint) = site.gateway.command(&words);
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("state: answered\n") && said.contains("detail: all well\n"), "{said}");
    answering.join().expect("the node");

    let (code, _, complaint) = site.gateway.command(&["command", "restart", "--device", "H-9"]);
    assert!(code == Some(1) && complaint.contains("no device `H-9`"), "{complaint}");
    let nowhere = ["settings", "--device", "H-1", "--url", "http://127.0.0.1:1"];
    let (code, _, complaint) = site.gateway.command(&nowhere);
    assert!(code == Some(1) && complaint.contains("no gateway answers at"), "{complaint}");
}
