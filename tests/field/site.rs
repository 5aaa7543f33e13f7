//! A gateway, its broker and a terminal that sees every station's topics; and how a table of
//! cases is held against what the gateway shows.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::station::Station;
use standpipe_tests::wall_clock::WallClock;
use standpipe_tests::{instant, town};
use tempfile::TempDir;

/// How long the gateway may take to show what it was told.
pub const SOON: Duration = Duration::from_secs(8);
/// Long enough for what should not happen to happen.
pub const QUIET: Duration = Duration::from_millis(1_500);
/// Nobody is told again because nobody answers: the tests count first sounds.
pub const NO_ESCALATION: &str = "[escalation.fire]\nstep2_s = 0\nstep3_s = 0\nrepeat_s = 0\n\
                                 [escalation.critical]\nstep2_s = 0\nstep3_s = 0\nrepeat_s = 0\n";

/// Townships t-1 to t-4 of one district; the devices are those of t-1 unless said otherwise.
pub struct FieldSite {
    pub gateway: Gateway,
    pub terminal: Station,
    pub broker: Broker,
    pub dir: TempDir,
}

impl FieldSite {
    /// Starts all of it and waits until every station is there.
    pub fn start(devices: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self::start_in(dir, Vec::new(), devices, &format!("{NO_ESCALATION}{more}"))
    }

    /// The same on a wall clock of its own, with escalation.
    pub fn start_on(clock: &WallClock, dir: TempDir, devices: &str, more: &str) -> Self {
        Self::start_in(dir, clock.environment(), devices, more)
    }

    fn start_in(
        dir: TempDir,
        environment: Vec<(&'static str, PathBuf)>,
        devices: &str,
        more: &str,
    ) -> Self {
        let broker = Broker::start(dir.path());
        let mqtt = format!("url = \"{}\"", broker.url());
        let files = (&*town::stations(4), devices);
        let gateway = Gateway::start_among(dir.path(), &mqtt, files, more, environment);
        gateway.wait_ready();
        gateway.is_in_rescue_if_it_is_to_be();
        let terminal = Station::connect(broker.port, "+");
        let site = Self { gateway, terminal, broker, dir };
        site.stations_are_present();
        site
    }

    fn stations_are_present(&self) {
        for station in ["district", "t-1", "t-2", "t-3", "t-4"] {
            self.terminal.present(station);
        }
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Publishes below the root.
    pub fn says(&self, topic: &str, body: impl Into<Vec<u8>>) {
        self.terminal.publish_raw(&format!("standpipe/v1/{topic}"), body.into());
    }

    /// Publishes below the root for the broker to keep.
    pub fn leaves(&self, topic: &str, body: impl Into<Vec<u8>>) {
        self.terminal.retain_raw(&format!("standpipe/v1/{topic}"), body.into());
    }

    /// Publishes a device's reading or alarm of t-1.
    pub fn device_says(&self, device: &str, channel: &str, body: &Value) {
        self.says(&format!("t-1/{device}/{channel}"), body.to_string());
    }

    /// Restarts the gateway after its broker has forgotten every session and every retained
    /// message, and kept only what `leave` publishes.
    pub fn loses_the_session(&mut self, leave: impl Fn(&Self)) {
        self.gateway.kill();
        self.broker.stop();
        std::fs::remove_file(self.dir.path().join("broker/mosquitto.db")).expect("its store");
        self.broker.start_again();
        // A new terminal: the old one would be connected again some time.
        self.terminal = Station::connect(self.broker.port, "+");
        self.stations_are_present();
        leave(self);
        std::thread::sleep(Duration::from_millis(300));
        self.gateway.start_again();
        self.gateway.wait_ready();
    }

    /// What is known of a device.
    pub fn device(&self, id: &str) -> Value {
        self.gateway.get(&format!("devices/{id}"))
    }

    /// Every incident of a device, the newest first.
    pub fn incidents(&self, device: &str) -> Vec<Value> {
        let mut all = self.gateway.list("incidents");
        all.retain(|incident| incident["device"]["id"] == device);
        all
    }

    /// An incident with its trail.
    pub fn incident(&self, id: &Value) -> Value {
        self.gateway.get(&format!("incidents/{}", id.as_str().unwrap_or_default()))
    }

    /// An administrator acts on an incident.
    pub fn acts(&self, id: &Value, action: &str) {
        let body = json!({"incident": id, "action": action, "by": "administrator", "note": ""});
        let path = format!("incidents/{}/actions", id.as_str().unwrap_or_default());
        let (status, answer) = self.gateway.post(&path, &body);
        assert_eq!(status, 200, "{action}: {answer}");
    }

    /// How many pages a station's terminal got about incidents that please `wanted`.
    pub fn pages(&self, station: &str, wanted: impl Fn(&Value) -> bool) -> usize {
        let mut ids: Vec<String> = Vec::new();
        for shown in self.terminal.seen() {
            let Some(page) = shown.body["page_id"].as_str() else { continue };
            if shown.station == station && wanted(&shown.body) {
                ids.push(page.to_owned());
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }

    /// A counter of `/metrics`, summed over its labels that contain `label`.
    pub fn counted(&self, name: &str, label: &str) -> u64 {
        let (_, text) = standpipe_tests::http::try_get(&self.gateway.at("/metrics"), "")
            .expect("the gateway's metrics");
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(label)
        };
        let number = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        text.lines().filter(of_name).filter_map(number).sum::<f64>() as u64
    }
}

/// `hydrants` named H-1… and `detectors` named S-1… of t-1. Each hydrant is a pressure zone and
/// each detector a building of its own, so that none speaks for another.
pub fn devices(hydrants: u32, detectors: u32, interval_s: u32) -> String {
    let mut text =
        "id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s\n".to_owned();
    for n in 1..=hydrants {
        let lon = 106.52 + f64::from(n) * 0.0005;
        let _ = writeln!(
            text,
            "H-{n},hydrant,Hydrant {n},t-1,z-{n},municipal,29.38,{lon},Road {n},,,{interval_s}"
        );
    }
    for n in 1..=detectors {
        let lon = 106.52 + f64::from(n) * 0.0005;
        let _ = writeln!(
            text,
            "S-{n},smoke,Detector {n},t-1,,smoke_home,29.3801,{lon},Road {n},House {n},1,{interval_s}"
        );
    }
    text
}

/// Asks until no row differs from what is right. At the end of `within` all that do are shown.
pub fn settles(within: Duration, mut differing: impl FnMut() -> Vec<String>) {
    let start = instant();
    loop {
        let rows = differing();
        if rows.is_empty() {
            return;
        }
        assert!(start.elapsed() < within, "{} rows differ:\n{}", rows.len(), rows.join("\n"));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether a list of names in an answer has this one.
pub fn has(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|item| item == name))
}

/// Whether any text within an answer contains this.
pub fn says(answer: &Value, text: &str) -> bool {
    match answer {
        Value::String(words) => words.contains(text),
        Value::Array(all) => all.iter().any(|part| says(part, text)),
        Value::Object(all) => all.values().any(|part| says(part, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What people are told of a device's alarms: severity and conditions of each incident that is a
/// fire or an alarm nobody can read. What its upkeep needs is left out.
pub fn told(incidents: &[Value], device: &str) -> String {
    let of_device = incidents.iter().filter(|incident| incident["device"]["id"] == device);
    let mut all: Vec<String> = of_device.filter_map(alarm_in_words).collect();
    all.sort_unstable();
    all.join(", ")
}

/// `fire smoke`, `critical unreadable_alarm`; `None` for any other incident.
pub fn alarm_in_words(incident: &Value) -> Option<String> {
    let unreadable = has(&incident["conditions"], "unreadable_alarm");
    let matters = incident["class"] == "fire" || unreadable;
    let names = incident["conditions"].as_array()?.iter().filter_map(Value::as_str);
    let conditions: Vec<&str> = names.collect();
    let exercise = if incident["exercise"] == true { "exercise " } else { "" };
    let severity = incident["severity"].as_str()?;
    matters.then(|| format!("{exercise}{severity} {}", conditions.join(" ")))
}
