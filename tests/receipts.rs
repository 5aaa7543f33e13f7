//! An alarm has an owner at every moment: the gateway answers each one that is on its disk, and a
//! device that keeps its alarm until then loses none, whatever is killed.
//!
//! `KILLS=100 cargo test -p standpipe-tests --release --test receipts -- kills --nocapture` is the long form.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use standpipe_shared::SplitMix64;
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::station::Station;
use standpipe_tests::{instant, now, town, wait_for};

const SOON: Duration = Duration::from_secs(10);
/// Kills when nobody says how many: each kind once, and one more.
const KILLS: u64 = 6;
/// Fires of one kill.
const FIRES: u64 = 3;

/// The next receipt that a device hears, as it stands on the wire.
fn receipt(device: &Client) -> Value {
    let heard = device.hear();
    assert!(heard.topic.ends_with("/receipt") && !heard.retained, "{heard:?}");
    serde_json::from_slice(&heard.payload).expect("JSON")
}

fn hash(payload: &str) -> Value {
    let digest = Sha256::digest(payload.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"sha256": digits})
}

#[test]
fn every_alarm_is_answered_by_what_its_device_knows_it_by_and_again_when_it_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let device = Client::connect(broker.port, "S-1");
    device.subscribe("standpipe/v1/t-1/S-1/receipt");
    // The broker had it before there was a gateway.
    let kept = r#"{"boot":3,"seq":1,"condition":"tamper","active":true}"#;
    device.publish_retained("standpipe/v1/t-1/S-1/alarm", kept);
    let files = (town::stations(2), town::devices(1, 3, 900));
    let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    assert_eq!(receipt(&device), json!({"boot": 3, "seq": 1}), "retained");
    device.publish_retained("standpipe/v1/t-1/S-1/alarm", "");

    let numbered = |seq| json!({"boot": 3, "seq": seq});
    for (story, level, payload, wanted) in [
        ("a fire", "alarm", r#"{"boot":3,"seq":2,"condition":"smoke","active":true}"#, numbered(2)),
        (
            "the same",
            "alarm",
            r#"{"boot":3,"seq":2,"condition":"smoke","active":true}"#,
            numbered(2),
        ),
        (
            "its end",
            "alarm",
            r#"{"boot":3,"seq":3,"condition":"smoke","active":false}"#,
            numbered(3),
        ),
        (
            "a test",
            "ALARMS",
            r#"{"boot":3,"seq":4,"condition":"smoke","active":true,"test":true}"#,
            numbered(4),
        ),
        (
            "a deep topic",
            "alarm//",
            r#"{"boot":3,"seq":5,"condition":"tamper","active":true}"#,
            numbered(5),
        ),
        (
            "no numbers",
            "alarm",
            r#"{"condition":"tamper","active":true}"#,
            hash(r#"{"condition":"tamper","active":true}"#),
        ),
        ("unreadable", "alarm", "FIRE!!", hash("FIRE!!")),
        ("unreadable again", "alarm", "FIRE!!", hash("FIRE!!")),
    ] {
        device.publish(&format!("standpipe/v1/t-1/S-1/{level}"), payload);
        assert_eq!(receipt(&device), wanted, "{story}");
    }
    device.publish("standpipe/v1/t-1/S-1/telemetry", r#"{"boot":3,"seq":6,"temp_c":20.5}"#);
    assert_eq!(device.next(Duration::from_secs(1)), None, "a reading has none");
    wait_for("the counters", SOON, || {
        let metrics = standpipe_tests::http::try_get(&gateway.at("/metrics"), "")?.1;
        metrics.contains("standpipe_receipts_total").then_some(())
    });

    // Settings promise it.
    device.subscribe("standpipe/v1/t-1/S-1/settings");
    let wish = json!({"interval_s": 60, "sample_s": 1, "low_kpa": 140, "no_water_kpa": 20.5, "delta_kpa": 15});
    assert_eq!(gateway.put("devices/S-1/settings", &wish).0, 200);
    let settings: Value = serde_json::from_slice(&device.hear().payload).expect("JSON");
    assert_eq!((&settings["rev"], &settings["receipts"]), (&json!(1), &json!(true)), "{settings}");
}

/// An alarm until its receipt.
struct Kept {
    payload: String,
    /// When the broker had it last, and how often.
    last: Instant,
    times: u32,
}

/// Detectors that keep an alarm until its receipt, all on one connection.
struct Detectors {
    port: u16,
    line: Client,
    kept: BTreeMap<u64, Kept>,
    answered: u64,
    repeated: u64,
}

impl Detectors {
    fn connect(port: u16) -> Self {
        Self { port, line: Self::line(port), kept: BTreeMap::new(), answered: 0, repeated: 0 }
    }

    fn line(port: u16) -> Client {
        let line = Client::connect(port, "detectors");
        line.subscribe("standpipe/v1/+/+/receipt");
        line
    }

    /// The broker has a fire of this detector.
    fn cries(&mut self, n: u64) {
        let payload =
            format!(r#"{{"boot":1,"seq":1,"ts":{},"condition":"smoke","active":true}}"#, now());
        self.line.publish(&topic(n), payload.clone());
        self.kept.insert(n, Kept { payload, last: instant(), times: 1 });
    }

    /// The broker has forgotten everybody.
    fn comes_back(&mut self) {
        self.line = Self::line(self.port);
    }

    /// Hears receipts and repeats what is due, for so long.
    fn live(&mut self, for_long: Duration) {
        let start = instant();
        while start.elapsed() < for_long {
            if let Some(heard) = self.line.next(Duration::from_millis(20)) {
                let n = heard.topic.split('/').nth(3).and_then(|id| id.strip_prefix("S-"));
                let n = n.and_then(|n| n.parse().ok()).expect("a detector");
                assert_eq!(heard.text(), r#"{"boot":1,"seq":1}"#);
                self.answered += u64::from(self.kept.remove(&n).is_some());
            }
            let due = |kept: &Kept| (5_u64 << (kept.times - 1).min(8)).min(60);
            for (n, kept) in &mut self.kept {
                if kept.last.elapsed() >= Duration::from_secs(due(kept)) {
                    self.line.publish(&topic(*n), kept.payload.clone());
                    (kept.last, kept.times) = (instant(), kept.times + 1);
                    self.repeated += 1;
                }
            }
        }
    }
}

fn topic(n: u64) -> String {
    format!("standpipe/v1/t-1/S-{n}/alarm")
}

/// What is killed, and in which order.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Both,
    /// The fires come while the gateway is away, and the broker has saved none of them.
    GatewayThenBroker,
    BrokerThenGateway,
    Broker,
    Gateway,
}

const KINDS: [Kill; 5] =
    [Kill::GatewayThenBroker, Kill::Both, Kill::BrokerThenGateway, Kill::Broker, Kill::Gateway];

/// Gateway and broker are killed in every order, the broker always before it has saved anything: each
/// fire is paged, once.
#[test]
fn kills_of_gateway_and_broker_lose_no_alarm_and_page_none_twice() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(dir.path());
    let files = (town::stations(3), town::devices(0, (kills * FIRES) as usize, 900));
    // No page is repeated because time passes.
    let more = "[escalation.fire]\nrepeat_s = 100000\nforgotten_s = 100000\n";
    let mut gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), more);
    let stations = Station::connect(broker.port, "+");
    let mut detectors = Detectors::connect(broker.port);
    let mut chance = SplitMix64(14);
    let mut lit = 0;
    for kill in 0..kills {
        let kind = KINDS[(kill % KINDS.len() as u64) as usize];
        detectors.live(Duration::from_millis(chance.bits() % 3_000));
        if matches!(kind, Kill::GatewayThenBroker) {
            gateway.kill();
        }
        for _ in 0..FIRES {
            lit += 1;
            detectors.cries(lit);
        }
        match kind {
            Kill::Both => {
                gateway.kill();
                broker.kill();
            }
            Kill::GatewayThenBroker | Kill::Broker => broker.kill(),
            Kill::BrokerThenGateway => {
                broker.kill();
                std::thread::sleep(Duration::from_millis(chance.bits() % 300));
                gateway.kill();
            }
            Kill::Gateway => {
                std::thread::sleep(Duration::from_millis(chance.bits() % 20));
                gateway.kill();
            }
        }
        if !matches!(kind, Kill::Gateway) {
            broker.start_again();
            detectors.comes_back();
        }
        if !matches!(kind, Kill::Broker) {
            gateway.start_again();
        }
    }
    gateway.wait_ready();
    let start = instant();
    while !detectors.kept.is_empty() && start.elapsed() < Duration::from_secs(180) {
        detectors.live(Duration::from_millis(200));
    }
    let unanswered: Vec<_> = detectors.kept.keys().collect();
    let fires = || gateway.get("incidents?per_page=1")["total"].as_u64();
    println!(
        "{kills} kills, {lit} fires: {} answered, {} repetitions, {} incidents",
        detectors.answered,
        detectors.repeated,
        fires().unwrap_or(0)
    );
    assert!(unanswered.is_empty(), "no receipt: {unanswered:?}");

    let mut pages: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    wait_for("every fire's page", SOON, || {
        pages.clear();
        for (page, incident, station) in stations.pages() {
            pages.entry((station, incident)).or_default().push(page);
        }
        let own = pages.keys().filter(|(station, _)| station == "t-1").count() as u64;
        (own >= lit).then_some(())
    });
    let own = pages.keys().filter(|(station, _)| station == "t-1").count() as u64;
    assert_eq!(own, lit, "a fire each");
    let twice: Vec<_> = pages.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(twice.is_empty(), "paged twice: {twice:?}");
}
