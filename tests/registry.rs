//! A registry file that went bad between two starts: the real gateway starts with what it has
//! stored, pages a fire, and tells people until one of them has dealt with it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::{Gateway, TOKEN};
use standpipe_tests::station::Station;
use standpipe_tests::{CLOSES, http, now, town, wait_for};

const SOON: Duration = Duration::from_secs(20);
/// Faults of the largest bad file here.
const MANY: usize = 3_000;

/// A township whose gateway has taken in its registry once.
struct RegistryTown {
    gateway: Gateway,
    terminal: Station,
    /// What stood in the file while it was good.
    devices: String,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl RegistryTown {
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let files = (town::stations(2), town::devices(2, 12, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        let terminal = Station::connect(broker.port, "+");
        terminal.present("t-1");
        Self { gateway, terminal, devices: files.1, _broker: broker, _dir: dir }
    }

    fn file(&self) -> PathBuf {
        self.gateway.dir.join("devices.csv")
    }

    /// The power fails, and comes back.
    fn restart(&mut self) {
        self.gateway.kill();
        self.gateway.start_again();
        self.gateway.wait_ready();
    }

    fn restart_with(&mut self, bytes: &[u8]) {
        std::fs::write(self.file(), bytes).unwrap();
        self.restart();
    }

    fn ready(&self) -> Value {
        let (status, ready) = http::get(&self.gateway.at("/readyz"), "");
        assert_eq!(status, 200, "{ready}");
        ready
    }

    fn wait_ready_and(&self, degraded: &Value) {
        wait_for("what is degraded", SOON, || {
            (self.ready()["degraded"] == *degraded).then_some(())
        });
    }

    fn page(&self, path: &str, language: &str) -> String {
        let bearer = format!("Bearer {TOKEN}");
        let answer = http::try_get_in(&self.gateway.at(path), &bearer, language);
        let (status, text) = answer.expect("an answer");
        assert_eq!(status, 200, "{path}");
        text
    }

    fn incidents(&self) -> Vec<Value> {
        let mut all = self.gateway.list("incidents?state=open,acknowledged,resolved,closed");
        all.retain(|incident| incident["conditions"].to_string().contains("registry_fault"));
        all
    }

    fn pages_a_fire_of(&self, detector: &str) {
        let alarm = json!({"condition": "smoke", "active": true, "ts": now()});
        self.terminal.publish(&format!("standpipe/v1/t-1/{detector}/alarm"), false, &alarm);
        self.terminal.wait(&format!("the fire at {detector}"), SOON, |shown| {
            let device = &shown.body["device"]["id"];
            shown.station == "t-1" && *device == detector && shown.body["page_id"].is_string()
        });
    }

    fn metric(&self) -> String {
        let (_, metrics) = http::try_get(&self.gateway.at("/metrics"), "").unwrap();
        let line =
            metrics.lines().find(|line| line.starts_with("standpipe_degraded{part=\"registry\"}"));
        line.unwrap_or_else(|| panic!("{metrics}")).to_owned()
    }
}

fn with_row(devices: &str, row: &[u8]) -> Vec<u8> {
    [devices.as_bytes(), row, b"\n"].concat()
}

#[test]
fn a_gateway_with_a_registry_starts_whatever_its_files_say_and_tells_until_they_are_mended() {
    let mut town = RegistryTown::begin();
    assert_eq!((town.ready()["degraded"].clone(), town.incidents().len()), (json!([]), 0));
    assert!(town.metric().ends_with(" 0"));
    let devices = town.devices.clone();
    let long = format!("S-99,smoke,n,t-1,,smoke_home,29.4,106.5,{},,,", "路".repeat(201));
    let known = town.gateway.get("devices?per_page=1")["total"].clone();
    let mut detectors = (1..).map(|n| format!("S-{n}"));
    for (story, bytes, fault) in [
        (
            "a quote left open",
            with_row(&devices, b"S-99,smoke,\"n,t-1,,smoke_home,29.4,106.5,a,,,"),
            "is not closed",
        ),
        (
            "GBK below UTF-8",
            with_row(
                &format!("{devices}S-98,smoke,烟感,t-1,,smoke_home,29.4,106.5,a,,,\n"),
                b"S-99,smoke,\xc3\xfb,t-1,,smoke_home,29.4,106.5,a,,,",
            ),
            "UTF-8",
        ),
        ("an address of 201 letters", with_row(&devices, long.as_bytes()), "at most 200"),
    ] {
        town.restart_with(&bytes);
        let ready = town.ready();
        assert_eq!(ready["degraded"], json!(["registry"]), "{story}");
        assert!(ready["warnings"].to_string().contains(fault), "{story}: {ready}");
        assert!(town.metric().ends_with(" 1"), "{story}");
        town.pages_a_fire_of(&detectors.next().unwrap());
        for path in ["/", "/devices", "/devices/H-1", "/map", "/reports", "/quarantine", "/fleet"] {
            let (en, zh) = (town.page(path, "en"), town.page(path, "zh"));
            assert!(en.contains("Registry not read in") && en.contains(fault), "{story} {path}");
            assert!(zh.contains("台账未导入") && zh.contains("火警照常通知"), "{story} {path}");
        }
        wait_for("the incident", SOON, || (town.incidents().len() == 1).then_some(()));
        assert_eq!(town.incidents()[0]["state"], "open", "{story}");
        assert_eq!(town.gateway.get("devices?per_page=1")["total"], known, "nothing is taken");
        let config = town.gateway.dir.join("standpipe.toml").display().to_string();
        let (code, _, bad) = town.gateway.command(&["check", "--config", &config]);
        assert!(code == Some(2) && bad.contains(fault), "{story}: {code:?} {bad}");
    }
    std::fs::remove_file(town.file()).unwrap();
    town.restart();
    assert!(town.ready()["warnings"].to_string().contains("cannot be read"), "missing");
    town.pages_a_fire_of(&detectors.next().unwrap());

    let before = town.gateway.printed().lines().count();
    let bad_rows: String =
        (0..MANY).map(|n| format!("X-{n},pump,n,t-1,,,29.4,106.5,a,,,\n")).collect();
    town.restart_with(&with_row(&devices, bad_rows.as_bytes()));
    let printed = town.gateway.printed();
    assert!(printed.contains("the same 2997 times more"), "{printed}");
    assert!(printed.lines().count() < before + 40, "not a line a fault");
    assert_eq!(town.incidents().len(), 1, "one for all of it");

    let good = with_row(&devices, b"S-98,smoke,n,t-1,,smoke_home,29.4,106.5,a,,,");
    town.restart_with(&good);
    town.wait_ready_and(&json!([]));
    wait_for("its end", SOON, || (town.incidents()[0]["state"] == "closed").then_some(()));
    assert!(!town.page("/", "zh").contains("台账未导入") && town.metric().ends_with(" 0"));
    assert_eq!(town.gateway.ask("devices/S-98").0, 404, "the store is the master");
    let file = town.file().display().to_string();
    let (code, out, bad) = town.gateway.command(&["import", &file]);
    assert!(code == Some(1) && out == "device S-98: new\n", "{code:?} {out} {bad}");
    let (code, _, bad) = town.gateway.command(&["import", &file, "--yes"]);
    assert_eq!(code, Some(0), "{bad}");
    assert_eq!(town.gateway.ask("devices/S-98").0, 200, "a person has taken it in");
}

/// What the audit log has, newest first, as its page says it in English.
fn audited(town: &RegistryTown) -> String {
    town.page("/audit", "en")
}

#[test]
fn a_township_changes_while_it_runs_and_a_restart_with_the_old_file_changes_nothing() {
    let mut town = RegistryTown::begin();
    let folder = town.gateway.dir.clone();
    let write = |name: &str, text: &[u8]| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let second = Station::connect(town._broker.port, "t-2");
    second.present("t-2");
    let pages = |detector: &str, station: &str| {
        let alarm = json!({"condition": "smoke", "active": true, "ts": now()});
        second.publish(&format!("standpipe/v1/{station}/{detector}/alarm"), false, &alarm);
        town.terminal.wait(&format!("{detector} at {station}"), SOON, |shown| {
            shown.station == station
                && shown.body["device"]["id"] == detector
                && shown.body["page_id"].is_string()
        });
    };

    // A new detector, in the list of an office; and one that moves to the other township.
    let list = "巴南区台账\n编号;类型;名称;所属消防站;纬度;经度;地址\n\
                S-20;烟感;感烟 20;t-2;29,3801;106,5405;新市街 20 号\n";
    let new = write("new.csv", list.as_bytes());
    let (code, out, bad) = town.gateway.command(&["import", &new, "--yes"]);
    assert_eq!((code, &*out), (Some(0), "device S-20: new\n"), "{bad}");
    let device = town.gateway.get("devices/S-20");
    assert_eq!((&device["station"], &device["lat"]), (&json!("t-2"), &json!(29.3801)));
    let moved = "id,kind,station\nS-2,smoke,t-2\n";
    let moved = write("moved.csv", moved.as_bytes());
    let (code, out, _) = town.gateway.command(&["import", &moved]);
    assert_eq!((code, &*out), (Some(1), "device S-2: changed: station `t-1` → `t-2`\n"));
    assert_eq!(town.gateway.get("devices/S-2")["station"], "t-1", "nobody said yes");
    assert_eq!(town.gateway.command(&["import", &moved, "--yes"]).0, Some(0));
    let after = town.gateway.get("devices/S-2");
    assert_eq!(
        (&after["station"], &after["address"]),
        (&json!("t-2"), &json!("Road 2")),
        "only that"
    );
    pages("S-20", "t-2");
    pages("S-2", "t-2");

    // One is replaced, one retired.
    let (status, by) = town.gateway.post("devices/S-3/replace", &json!({"by": "N-3"}));
    assert_eq!((status, &by["replaces"]["device"]), (200, &json!("S-3")), "{by}");
    pages("N-3", "t-1");
    let (status, gone) = town.gateway.delete("devices/S-4");
    assert_eq!((status, &gone["claimed"]), (200, &json!(false)), "{gone}");
    assert_eq!(town.gateway.delete("devices/S-4").0, 404, "once");
    let alarm = json!({"condition": "smoke", "active": true, "ts": now()});
    town.terminal.publish("standpipe/v1/t-1/S-4/alarm", false, &alarm);
    town.terminal.wait("a stranger's fire", SOON, |shown| {
        shown.station == "district" && shown.body["device"]["id"] == "S-4"
    });
    let audit = audited(&town);
    for said in ["S-2: station `t-1` → `t-2`", "S-20", "S-4: ", "N-3: id `S-3` → `N-3`"] {
        assert!(audit.contains(said), "{said}: {audit}");
    }

    // The old file is still in `[registry]`.
    let differs = |town: &RegistryTown| town.ready()["warnings"].to_string();
    assert!(!differs(&town).contains("registry_files"));
    town.restart();
    let said = differs(&town);
    assert!(said.contains("registry_files") && said.contains("1 changed device"), "{said}");
    assert_eq!(town.ready()["degraded"], json!([]), "and nothing is wrong");
    assert_eq!(town.gateway.get("devices/S-2")["station"], "t-2");
    assert_eq!(town.gateway.get("devices/S-20")["station"], "t-2");
    assert_eq!(town.gateway.get("devices/S-4")["claimed"], false);
    assert_eq!(town.gateway.get("devices/N-3")["replaces"]["device"], "S-3");
    assert!(town.gateway.printed().contains("nothing of them was taken"));
    assert!(town.page("/devices", "zh").contains("未作任何更改"));
}

#[test]
fn one_command_adds_devices_with_their_keys_and_another_takes_both_away() {
    let town = RegistryTown::begin();
    let folder = town.gateway.dir.clone();
    let at = |name: &str| folder.join(name).display().to_string();
    let (keys, broker) = (at("keys"), at("broker"));
    std::fs::create_dir(&broker).unwrap();
    let (code, _, bad) = town.gateway.command(&["provision", "--out", &keys]);
    assert_eq!(code, Some(0), "of the running gateway's registry: {bad}");
    assert!(folder.join("keys/devices/t-1/S-1.pem").is_file());
    let list = "id,kind,station,lat,lon\nS-20,smoke,t-2,29.3801,106.5405\n";
    std::fs::write(folder.join("new.csv"), list).unwrap();
    let touch = format!("touch {}", at("restarted"));
    let where_to = ["--out", &keys, "--broker-files", &broker, "--then", &touch];
    let run = |words: &[&str]| town.gateway.command(&[words, &where_to[..]].concat());
    let (code, _, bad) = run(&["add-devices", &at("new.csv")]);
    assert_eq!(code, Some(0), "{bad}");
    assert!(folder.join("keys/devices/t-2/S-20.pem").is_file(), "keys");
    let rules = || std::fs::read_to_string(folder.join("broker/acl")).unwrap();
    assert!(folder.join("restarted").is_file() && rules().contains("standpipe"), "the broker");
    assert_eq!(town.gateway.get("devices/S-20")["station"], "t-2", "the registry");
    let revoked = || std::fs::read(folder.join("broker/crl.pem")).unwrap();
    let before = revoked();
    let (code, _, bad) = run(&["retire", "S-20"]);
    assert_eq!(code, Some(0), "{bad}");
    assert_eq!(town.gateway.get("devices/S-20")["claimed"], false);
    assert_ne!(revoked(), before, "its certificate is on the broker's list");
    let (code, _, bad) = run(&["replace", "S-1", "N-1"]);
    assert_eq!(code, Some(0), "{bad}");
    assert!(folder.join("keys/devices/t-1/N-1.pem").is_file());
    let (code, _, bad) = run(&["retire", "nobody"]);
    assert!(code == Some(1) && bad.contains("nobody"), "{bad}");
}

#[test]
fn a_person_may_close_it_until_the_next_start_finds_the_file_bad_again() {
    let mut town = RegistryTown::begin();
    let bad = b"GB\xb1\xed";
    town.restart_with(bad);
    wait_for("the incident", SOON, || (town.incidents().len() == 1).then_some(()));
    let id = town.incidents()[0]["id"].as_str().unwrap().to_owned();
    let close = json!({"action": "resolve", "by": "王芳", "note": "下周修正"});
    let (status, answer) = town.gateway.post(&format!("incidents/{id}/actions"), &close);
    assert_eq!((status, &answer["state"]), (200, &json!("resolved")), "{answer}");
    wait_for("its end", CLOSES, || (town.incidents()[0]["state"] == "closed").then_some(()));
    town.wait_ready_and(&json!([]));
    assert!(!town.page("/", "zh").contains("台账未导入"));
    town.restart_with(bad);
    town.wait_ready_and(&json!(["registry"]));
    wait_for("another incident", SOON, || (town.incidents().len() == 2).then_some(()));
    town.pages_a_fire_of("S-1");
}
