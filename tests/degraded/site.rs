//! A township whose gateway has run once, and ways to break what it can do without.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::{Gateway, TOKEN};
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::station::Station;
use standpipe_tests::{http, instant, now, town};

pub const SOON: Duration = Duration::from_secs(20);
/// What a fire takes to its receiver, whatever else is wrong.
pub const AT_ONCE: Duration = Duration::from_secs(5);
pub const MAP: &str = r#"{"type":"LineString","coordinates":[[106.5,29.3],[106.6,29.4]]}"#;

/// A township whose gateway has run once, with everything that can be missing.
pub struct DegradedTown {
    pub gateway: Gateway,
    pub terminal: Station,
    /// Whoever keeps the gateway running.
    pub admin: WebhookEnd,
    pub duty: WebhookEnd,
    /// A receiver with a secret.
    pub second: WebhookEnd,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl DegradedTown {
    pub fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let [admin, duty, second] = [(); 3].map(|()| WebhookEnd::start(|_| "200 OK".into()));
        let folder = dir.path().join("gateway");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("secret"), "s3cret").unwrap();
        std::fs::write(folder.join("map.json"), MAP).unwrap();
        let hook = |name: &str, end: &WebhookEnd, more: &str| {
            format!("[[webhook]]\nname = \"{name}\"\nurl = \"{}\"\n{more}\n", end.url)
        };
        let more = hook("admin", &admin, "role = \"admin\"")
            + &hook("duty", &duty, "severities = [\"fire\"]")
            + &hook("second", &second, "severities = [\"fire\"]\nsecret_file = \"secret\"");
        let files = (town::stations(2), town::devices(2, 12, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), &more);
        let terminal = Station::connect(broker.port, "+");
        terminal.present("t-1");
        let mut town = Self { gateway, terminal, admin, duty, second, _broker: broker, _dir: dir };
        town.put("[http]\n", "[http]\nmap_file = \"map.json\"\n");
        town.gateway.kill();
        town
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.gateway.dir.join(name)
    }

    /// Changes the configuration.
    pub fn put(&mut self, old: &str, new: &str) {
        let file = self.file("standpipe.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(old), "{text}");
        std::fs::write(file, text.replacen(old, new, 1)).unwrap();
    }

    pub fn sql(&self, sql: &str) {
        let store = rusqlite::Connection::open(self.file("store.db")).unwrap();
        assert!(store.execute(sql, ()).unwrap() > 0, "{sql}");
    }

    pub fn start(&mut self) {
        self.gateway.start_again();
        self.gateway.wait_ready();
    }

    pub fn ready(&self) -> Value {
        let (status, ready) = http::get(&self.gateway.at("/readyz"), "");
        assert_eq!(status, 200, "{ready}");
        ready
    }

    pub fn alarm(&self, detector: &str) {
        let alarm = json!({"condition": "smoke", "active": true, "ts": now()});
        self.terminal.publish(&format!("standpipe/v1/t-1/{detector}/alarm"), false, &alarm);
    }

    /// A fire that must reach the station's terminal and its receiver.
    pub fn pages_a_fire_of(&self, detector: &str) {
        self.alarm(detector);
        self.terminal.wait(&format!("the fire at {detector}"), AT_ONCE, |shown| {
            let device = &shown.body["device"]["id"];
            shown.station == "t-1" && *device == detector && shown.body["page_id"].is_string()
        });
        is_paged(&self.duty, detector, AT_ONCE);
    }

    pub fn page(&self, path: &str, language: &str) -> String {
        let bearer = format!("Bearer {TOKEN}");
        let answer = http::try_get_in(&self.gateway.at(path), &bearer, language);
        let (status, text) = answer.expect("an answer");
        assert_eq!(status, 200, "{path}");
        // As it is read, and not as it is written.
        text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    }

    pub fn metric(&self, part: &str) -> String {
        let (_, metrics) = http::try_get(&self.gateway.at("/metrics"), "").unwrap();
        let name = format!("standpipe_degraded{{part=\"{part}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{part}: {metrics}")).to_owned()
    }

    /// The fire at a detector is there, and a person can take it.
    pub fn is_acknowledged(&self, detector: &str) {
        let fire =
            |incident: &Value| incident["device"]["id"] == detector && incident["class"] == "fire";
        let id = self.gateway.incident("the fire", SOON, fire)["id"].clone();
        let act = json!({"action": "acknowledge", "by": "王芳"});
        let path = format!("incidents/{}/actions", id.as_str().unwrap());
        let (status, answer) = self.gateway.post(&path, &act);
        assert_eq!((status, &answer["state"]), (200, &json!("acknowledged")), "{answer}");
    }

    pub fn check(&self) -> (Option<i32>, String) {
        let config = self.file("standpipe.toml").display().to_string();
        let (code, _, bad) = self.gateway.command(&["check", "--config", &config]);
        (code, bad)
    }
}

/// Waits until a receiver is sent the page of a fire.
pub fn is_paged(end: &WebhookEnd, detector: &str, within: Duration) {
    let until = instant() + within;
    loop {
        let left = until.saturating_duration_since(instant());
        let posted = end.next(left).unwrap_or_else(|| panic!("no page of {detector}"));
        let page: Value = serde_json::from_slice(&posted.body).unwrap();
        if page["device"]["id"] == detector {
            return;
        }
    }
}

pub const GARBAGE: [u8; 8_192] = [0xa5; 8_192];

pub fn garble(town: &DegradedTown, name: &str) {
    for tail in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(town.file(&format!("{name}{tail}")));
    }
    std::fs::write(town.file(name), GARBAGE).unwrap();
}

pub fn remove(town: &DegradedTown, name: &str) {
    std::fs::remove_file(town.file(name)).unwrap();
}

pub fn files_of(folder: &Path, begins: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begins))
        .collect();
    found.sort();
    found
}

pub const CHECK: &str = "standpipe check --config standpipe.toml";
pub const RESTORE: &str = "standpipe restore --from BACKUP --config standpipe.toml";
