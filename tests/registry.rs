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
    let columns = devices.lines().next().unwrap().matches(',').count();
    let blank = ",".repeat(columns);
    let known = town.gateway.get("devices?per_page=1")["total"].clone();
    let mut detectors = (1..).map(|n| format!("S-{n}"));
    for (story, bytes, fault) in [
        ("a blank row of Excel's", with_row(&devices, blank.as_bytes()), "an empty row"),
        (
            "GBK",
            with_row(&devices, b"S-99,smoke,\xc3\xfb,t-1,,smoke_home,29.4,106.5,a,,,"),
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
    town.restart_with(&with_row(&devices, format!("{blank}\n").repeat(MANY).as_bytes()));
    let printed = town.gateway.printed();
    assert!(printed.contains("2995 more faults"), "{printed}");
    assert!(printed.lines().count() < before + 40, "not a line a fault");
    assert_eq!(town.incidents().len(), 1, "one for all of it");

    let good = with_row(&devices, b"S-98,smoke,n,t-1,,smoke_home,29.4,106.5,a,,,");
    town.restart_with(&good);
    town.wait_ready_and(&json!([]));
    wait_for("its end", SOON, || (town.incidents()[0]["state"] == "closed").then_some(()));
    assert!(!town.page("/", "zh").contains("台账未导入") && town.metric().ends_with(" 0"));
    assert_eq!(town.gateway.ask("devices/S-98").0, 200, "the file is taken in again");
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
