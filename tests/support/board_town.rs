//! One device in a town: the real image on an emulated board, its modem and its transmitter, a real
//! broker and the real gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_firmware::identity::Identity;
use standpipe_shared::{Kind, ROOT};

use crate::broker::Broker;
use crate::client::{Client, Heard};
use crate::gateway::Gateway;
use crate::modbus::Transmitter;
use crate::modem::Modem;
use crate::qemu::{Board, Ports};
use crate::station::Station;
use crate::{now, town, wait_for};

pub const SOON: Duration = Duration::from_secs(20);
/// The node waits 30 s before it believes that there is no water.
pub const DWELL: Duration = Duration::from_secs(50);
/// How long an empty pipe must be seen until it is believed, ms.
pub const DWELL_MS: i64 = 30_000;
/// A sample so near to the end of that time may confirm or not: two clocks measure it, ms.
pub const EDGE_MS: i64 = 100;
/// A hydrant of township t-1 that reports often and retries soon.
pub const H1: Identity<'_> = Identity {
    root: ROOT,
    area: "t-1",
    device: "H-1",
    kind: Kind::Hydrant,
    host: "broker.example",
    port: 1883,
    tls: false,
    apn: "",
    user: "",
    password: "",
    mains: true,
    keep_alive_s: 4,
    retry_s: 2,
    watchdog_s: 4,
    chamber_clean: 0,
    chamber_per_db_m: 0,
    hang_s: 0,
};

/// One device in a town, and the town's broker and gateway.
#[expect(missing_debug_implementations, reason = "what it holds has none")]
pub struct BoardTown {
    pub modem: Modem,
    pub transmitter: Transmitter,
    pub board: Board,
    pub ears: Client,
    /// What the device said, with the moment it came.
    pub said: Vec<(i64, Heard)>,
    /// When the hour was told last.
    pub told: i64,
    pub terminal: Station,
    pub gateway: Gateway,
    pub broker: Broker,
    pub device: String,
    pub dir: tempfile::TempDir,
}

impl BoardTown {
    /// Everything runs but the board, which is off.
    pub fn begin(identity: &Identity<'_>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let files = (town::stations(2), town::devices(3, 3, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        let terminal = Station::connect(broker.port, "+");
        let ears = Client::connect(broker.port, "ears");
        ears.subscribe("standpipe/v1/t-1/+/+");
        let (modem, transmitter) = (Modem::start(broker.port), Transmitter::start(300.0));
        let board =
            Board::new(dir.path(), identity, Ports { modem: modem.port, field: transmitter.port });
        let device = identity.device.to_owned();
        let (said, told) = (Vec::new(), 0);
        Self { modem, transmitter, board, ears, said, told, terminal, gateway, broker, device, dir }
    }

    /// Takes in what was said meanwhile, and tells the hour: as the gateway does, but each second,
    /// so that no test waits a minute because its device was not listening yet.
    pub fn listen(&mut self) {
        if now() - self.told >= 1_000 {
            self.told = now();
            self.ears.publish("standpipe/v1/gateway/clock", json!({"ts": self.told}).to_string());
        }
        while let Some(heard) = self.ears.next(Duration::ZERO) {
            self.said.push((now(), heard));
        }
    }

    /// Waits for something said on a channel after the first `from` things, that pleases `wanted`.
    pub fn hear(
        &mut self,
        what: &str,
        from: usize,
        within: Duration,
        channel: &str,
        wanted: &dyn Fn(&Value) -> bool,
    ) -> (i64, Value) {
        let topic = format!("standpipe/v1/t-1/{}/{channel}", self.device);
        wait_for(what, within, || {
            self.listen();
            let fresh = self.said.iter().skip(from).filter(|said| said.1.topic == topic);
            fresh.map(|(at, message)| (*at, body(message))).find(|(_, value)| wanted(value))
        })
    }

    /// The next birth after the first `from` things said.
    pub fn born(&mut self, from: usize) -> Value {
        self.hear("a birth", from, SOON, "status", &|status| status["online"] == true).1
    }

    /// Every reading so far, in the order of arrival.
    pub fn readings(&mut self) -> Vec<Value> {
        self.listen();
        let told = self.said.iter().filter(|(_, message)| message.topic.ends_with("/telemetry"));
        told.flat_map(|(_, message)| match body(message) {
            Value::Array(all) => all,
            one => vec![one],
        })
        .collect()
    }

    /// Has the gateway tell it to report every 5 s and to sample every second; waits until the
    /// device says that it does, and the gateway shows that.
    pub fn set(&mut self) {
        let wish = json!({"interval_s": 5, "sample_s": 1, "low_kpa": 140, "no_water_kpa": 20.5,
            "delta_kpa": 15});
        let path = format!("devices/{}/settings", self.device);
        let (status, shown) = self.gateway.put(&path, &wish);
        assert_eq!(status, 200, "{shown}");
        let applied = |settings: &Value| settings["rev"] == 1 && settings["interval_s"] == 5;
        self.hear("the settings", 0, SOON, "status", &applied);
        wait_for("applied, at the gateway", SOON, || {
            (self.gateway.get(&path)["state"] == "applied").then_some(())
        });
    }

    /// Waits until `no_water` is at the broker, and says how long after the sample that confirms
    /// it.
    pub fn no_water(&mut self, from: usize) -> i64 {
        let wanted = |alarm: &Value| alarm["condition"] == "no_water" && alarm["active"] == true;
        let (at, _) = self.hear("no_water", from, DWELL, "alarm", &wanted);
        let confirming = confirming(&self.transmitter.answered(), at);
        at - confirming.expect("a sample that confirms it")
    }

    /// The numbers of all readings that have arrived, when none has come for a second.
    pub fn delivered(&mut self) -> BTreeSet<(u64, u64)> {
        let mut count = 0;
        loop {
            let readings = numbers(&self.readings());
            if readings.len() == count {
                return readings.into_iter().collect();
            }
            count = readings.len();
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Waits until the transmitter has said `kpa` so often.
    pub fn answers_of(&self, kpa: f32, times: usize) {
        wait_for(&format!("{times} answers of {kpa} kPa"), SOON, || {
            let answers = self.transmitter.answered();
            (answers.iter().rev().take_while(|answer| (answer.1 - kpa).abs() < 0.1).count()
                >= times)
                .then_some(())
        });
    }

    pub fn is_offline(&self) -> bool {
        let device = self.gateway.get(&format!("devices/{}", self.device));
        device["conditions"].to_string().contains("offline")
    }

    /// Waits for a page of the device's own station about a condition.
    pub fn page(&self, condition: &str) -> Value {
        let about = |body: &Value| {
            body.as_array().is_some_and(|all| all.iter().any(|entry| names(entry, condition)))
        };
        let shown = self.terminal.wait(&format!("a page: {condition}"), SOON, |shown| {
            shown.station == "t-1"
                && shown.body["page_id"].is_string()
                && shown.body["device"]["id"] == json!(self.device)
                && about(&shown.body["conditions"])
        });
        shown.body
    }
}

/// When the transmitter gave the answer that confirms an empty pipe, Unix ms. The node takes the
/// median of three, so the second answer of nearly nothing is the first that it believes; the first
/// one 30 s later confirms it. `alarm` decides only about a sample on the very edge of the 30 s.
pub fn confirming(answers: &[(i64, f32)], alarm: i64) -> Option<i64> {
    let low = answers.iter().rev().take_while(|(_, kpa)| *kpa < 20.0).count();
    let low: Vec<i64> = answers[answers.len() - low..].iter().map(|answer| answer.0).collect();
    let due = low.get(1)? + DWELL_MS;
    let mut after = low.iter().copied().filter(|at| *at >= due - EDGE_MS);
    let first = after.next()?;
    let next = after.next().filter(|next| first < due + EDGE_MS && *next <= alarm);
    Some(next.unwrap_or(first))
}

pub fn names(value: &Value, condition: &str) -> bool {
    value == condition || value["condition"] == condition || value["name"] == condition
}

pub fn body(heard: &Heard) -> Value {
    serde_json::from_slice(&heard.payload).unwrap_or(Value::Null)
}

/// (boot, seq) of readings.
pub fn numbers(readings: &[Value]) -> Vec<(u64, u64)> {
    let number = |reading: &Value, name: &str| reading[name].as_u64().unwrap_or(0);
    readings.iter().map(|reading| (number(reading, "boot"), number(reading, "seq"))).collect()
}
