//! A township whose store is on a small disk of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::{Gateway, TOKEN};
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::small_disk::SmallDisk;
use standpipe_tests::station::Station;
use standpipe_tests::{http, now, town, wait_for};

pub const SOON: Duration = Duration::from_secs(30);

pub struct FullDiskTown {
    pub gateway: Gateway,
    /// Listens to every station's topics, and is none.
    watcher: Station,
    devices: Client,
    /// Takes no page.
    pub duty: WebhookEnd,
    pub admin: WebhookEnd,
    pub disk: SmallDisk,
    began: i64,
    seen_before: usize,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl FullDiskTown {
    /// So many detectors; the store's disk has so many MiB.
    pub fn begin(mib: u32, detectors: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let duty = WebhookEnd::start(|_| "503 Service Unavailable".into());
        let admin = WebhookEnd::start(|_| "200 OK".into());
        let more = format!(
            "[[webhook]]\nname = \"duty\"\nurl = \"{}\"\nseverities = [\"fire\"]\n\
             [[webhook]]\nname = \"admin\"\nurl = \"{}\"\nrole = \"admin\"\nseverities = [\"warning\"]\n",
            duty.url, admin.url
        );
        let files = (town::stations(2), town::devices(2, detectors, 900));
        let disk = SmallDisk::mount(&dir.path().join("gateway/disk"), mib);
        let mut gateway =
            Gateway::start_unready(dir.path(), &broker.url(), (&files.0, &files.1), &more);
        gateway.kill();
        let config = gateway.dir.join("standpipe.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("\"store.db\"", "\"disk/standpipe.db\"")).unwrap();
        gateway.start_again();
        gateway.wait_ready();
        let watcher = Station::connect(broker.port, "+");
        let devices = Client::connect(broker.port, "devices");
        let town = Self {
            gateway,
            watcher,
            devices,
            duty,
            admin,
            disk,
            began: now(),
            seen_before: 0,
            _broker: broker,
            _dir: dir,
        };
        wait_for("the ballast", SOON, || town.ballast().exists().then_some(()));
        town
    }

    pub fn ballast(&self) -> PathBuf {
        self.disk.path.join("standpipe.ballast")
    }

    pub fn fires(&self, numbers: Range<u32>) {
        let all: Vec<_> = numbers.collect();
        for some in all.chunks(500) {
            self.devices.publish_all(some.iter().map(|n| {
                let alarm =
                    json!({"condition": "smoke", "active": true, "ts": now(), "boot": 1, "seq": n});
                (format!("standpipe/v1/t-1/S-{n}/alarm"), alarm.to_string().into_bytes())
            }));
        }
    }

    /// The same as a device that keeps its alarm: it says each time what it said the first time. What it says
    /// has no time where the number is odd.
    pub fn shouts(&self, numbers: Range<u32>) {
        let all: Vec<_> = numbers.collect();
        for some in all.chunks(500) {
            self.devices.publish_all(some.iter().map(|n| {
                let mut alarm = json!({"condition": "smoke", "active": true, "boot": 1, "seq": n});
                if n % 2 == 0 {
                    alarm["ts"] = json!(self.began);
                }
                (format!("standpipe/v1/t-1/S-{n}/alarm"), alarm.to_string().into_bytes())
            }));
        }
    }

    pub fn reads(&self, hydrant: &str, seq: u32) {
        let reading = json!({"boot": 1, "seq": seq, "ts": now(), "pressure_kpa": 300.0});
        let topic = format!("standpipe/v1/t-1/{hydrant}/telemetry");
        self.devices.publish(&topic, reading.to_string());
    }

    /// What was shown until now counts no more for [`Self::are_shown`].
    pub fn forgets_what_it_saw(&mut self) {
        self.seen_before = self.watcher.seen().len();
    }

    /// A page of each is on a station's topic.
    pub fn are_shown(&self, numbers: Range<u32>, within: Duration) {
        let wanted: BTreeSet<String> = numbers.map(|n| format!("S-{n}")).collect();
        wait_for("a page of each fire", within, || {
            let seen = self.watcher.seen();
            let paged = seen
                .iter()
                .skip(self.seen_before)
                .filter(|shown| shown.body["page_id"].is_string());
            let devices: BTreeSet<&str> =
                paged.filter_map(|shown| shown.body["device"]["id"].as_str()).collect();
            wanted.iter().all(|id| devices.contains(id.as_str())).then_some(())
        });
    }

    /// The ids that each fire was paged under, as topics said.
    pub fn pages_of_fires(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for shown in self.watcher.seen() {
            if let (Some(page), "fire") =
                (shown.body["page_id"].as_str(), shown.body["class"].as_str().unwrap_or(""))
            {
                all.entry(shown.incident).or_default().insert(page.to_owned());
            }
        }
        all
    }

    /// What each topic says now, those that are empty apart.
    pub fn newest_on_topics(&self) -> BTreeMap<(String, String), Value> {
        let mut all = BTreeMap::new();
        for shown in self.watcher.seen() {
            all.insert((shown.station, shown.incident), shown.body);
        }
        all
    }

    pub fn ready(&self) -> Value {
        let (status, ready) = http::get(&self.gateway.at("/readyz"), "");
        assert_eq!(status, 200, "fires are paged: {ready}");
        ready
    }

    /// Starts on a disk that takes nothing.
    pub fn starts_in_rescue(&mut self) {
        self.gateway.start_again();
        self.gateway.wait_ready();
        let degraded = self.ready()["degraded"].to_string();
        assert!(degraded.contains("\"rescue\""), "{degraded}");
    }

    /// Without a restart.
    pub fn runs_as_ever(&self) {
        wait_for("normal running", Duration::from_secs(60), || {
            (!self.ready()["degraded"].to_string().contains("rescue")).then_some(())
        });
    }

    pub fn open_incident(&self, device: &str) -> String {
        let incident = self.gateway.incident("the fire", SOON, |incident| {
            incident["device"]["id"] == device && incident["class"] == "fire"
        });
        incident["id"].as_str().unwrap().to_owned()
    }

    pub fn acknowledges(&self, incident: &str) {
        let act = json!({"action": "acknowledge", "by": "王芳"});
        let (status, answer) = self.gateway.post(&format!("incidents/{incident}/actions"), &act);
        assert_eq!((status, &answer["state"]), (200, &json!("acknowledged")), "{answer}");
    }

    /// `/readyz`, every page in both languages, the metric, the log, and an incident that administrators
    /// are paged about.
    pub fn says_everywhere_that_nothing_can_be_stored(&self) {
        let warnings = self.ready()["warnings"].to_string();
        assert!(warnings.contains("Nothing can be stored"), "{warnings}");
        for path in ["/", "/devices/S-1", "/map", "/reports", "/quarantine"] {
            for (language, words) in [("en", "NOTHING CAN BE STORED"), ("zh", "无法存盘")] {
                let bearer = format!("Bearer {TOKEN}");
                let (status, page) =
                    http::try_get_in(&self.gateway.at(path), &bearer, language).expect("an answer");
                assert!(
                    status == 200 && page.contains(words),
                    "{path} {language}: {status} {page}"
                );
            }
        }
        let (_, metrics) = http::try_get(&self.gateway.at("/metrics"), "").unwrap();
        for line in ["standpipe_degraded{part=\"rescue\"} 1", "standpipe_store_failing 1"] {
            assert!(metrics.lines().any(|said| said == line), "{line}: {metrics}");
        }
        assert!(
            self.gateway.printed().contains("nothing can be stored: fires are paged from memory")
        );
        let incident = self.gateway.incident("its incident", SOON, |incident| {
            incident["conditions"] == json!(["degraded"])
                && incident["detail"].to_string().contains("nothing can be stored")
        });
        let page = wait_for("administrators are told", SOON, || {
            let page: Value = serde_json::from_slice(&self.admin.hear().body).unwrap();
            (page["conditions"] == json!(["degraded"])).then_some(page)
        });
        assert_eq!(page["id"], incident["id"]);
    }

    /// A fire whose page says, on a topic and to a receiver, that it is not stored.
    pub fn is_paged_as_not_stored(&self, n: u32) {
        self.fires(n..n + 1);
        let device = format!("S-{n}");
        let shown = self.watcher.wait("its page", SOON, |shown| {
            shown.body["device"]["id"] == device && shown.body["page_id"].is_string()
        });
        assert_eq!(shown.body["stored"], json!(false));
        wait_for("the same to a receiver", SOON, || {
            let page: Value = serde_json::from_slice(&self.duty.hear().body).unwrap();
            (page["stored"] == json!(false)).then_some(())
        });
    }

    pub fn count(&self, sql: &str) -> i64 {
        let file = self.disk.path.join("standpipe.db");
        let store = rusqlite::Connection::open(file).unwrap();
        store.query_row(sql, (), |row| row.get(0)).unwrap()
    }

    /// Every page that a topic showed is in the store's file, under its id.
    pub fn every_page_is_stored(&self) {
        let file = self.disk.path.join("standpipe.db");
        let store = rusqlite::Connection::open(file).unwrap();
        let mut find = store.prepare("SELECT page_id FROM page").unwrap();
        let stored = find.query_map((), |row| row.get::<_, String>(0)).unwrap();
        let stored: BTreeSet<String> = stored.collect::<Result<_, _>>().unwrap();
        let shown = self.pages_of_fires();
        let missing: Vec<_> = shown.values().flatten().filter(|id| !stored.contains(*id)).collect();
        assert!(missing.is_empty(), "{} of {}: {missing:?}", missing.len(), stored.len());
    }

    /// What topics showed, from the first life of the gateway to the last: each fire by one id, and each of its
    /// pages by one.
    pub fn nothing_was_shown_under_two_ids(&self) {
        let (mut fires, mut pages) = (BTreeMap::new(), BTreeMap::new());
        for shown in self.watcher.seen() {
            let (Some(device), Some(page)) =
                (shown.body["device"]["id"].as_str(), shown.body["page_id"].as_str())
            else {
                continue;
            };
            let ids: &mut BTreeSet<String> = fires.entry(device.to_owned()).or_default();
            ids.insert(shown.incident.clone());
            let which = (device.to_owned(), shown.station, shown.body["step"].to_string());
            let ids: &mut BTreeSet<String> = pages.entry(which).or_default();
            ids.insert(page.to_owned());
        }
        let fires: Vec<_> = fires.iter().filter(|(_, ids)| ids.len() > 1).collect();
        assert!(fires.is_empty(), "{} fires: {:?}", fires.len(), fires[0]);
        let pages: Vec<_> = pages.iter().filter(|(_, ids)| ids.len() > 1).collect();
        assert!(pages.is_empty(), "{} pages: {:?}", pages.len(), pages[0]);
    }

    pub fn no_page_has_two_ids(&self) {
        let twice = self.count(
            "SELECT count(*) FROM (SELECT 1 FROM page
                 GROUP BY incident, episode, step, repeat, kind, receiver HAVING count(*) > 1)",
        );
        assert_eq!(twice, 0);
        let two = "SELECT count(*) FROM (SELECT 1 FROM incident WHERE class = 'fire'
                       GROUP BY json_extract(wire, '$.device.id') HAVING count(*) > 1)";
        assert_eq!(self.count(two), 0, "no fire is two incidents");
    }
}
