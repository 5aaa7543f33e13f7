//! The real firmware on an emulated board, from its sensors' wires to the station's terminal: a
//! real broker, the real gateway, and everything that goes wrong in between.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_firmware::identity::Identity;
use standpipe_shared::{Kind, ROOT};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::{Client, Heard};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::modbus::{Manner, Transmitter};
use standpipe_tests::modem::{Air, Modem};
use standpipe_tests::qemu::{Board, Ports};
use standpipe_tests::station::Station;
use standpipe_tests::{now, town, wait_for};

const SOON: Duration = Duration::from_secs(20);
/// The node waits 30 s before it believes that there is no water.
const DWELL: Duration = Duration::from_secs(50);
/// How long an empty pipe must be seen until it is believed, ms.
const DWELL_MS: i64 = 30_000;
/// A sample so near to the end of that time may confirm or not: two clocks measure it, ms.
const EDGE_MS: i64 = 100;
/// What is wanted of an alarm, from the sample that confirms it to the broker, ms …
const WANTED_MS: i64 = 500;
/// … and what this test insists on: others share the machine.
const ALARM_MS: i64 = 1_000;

/// A hydrant of township t-1 that reports often and retries soon.
const H1: Identity<'_> = Identity {
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
    hang_s: 0,
};

/// One device in a town, and the town's broker and gateway.
struct BoardTown {
    modem: Modem,
    transmitter: Transmitter,
    board: Board,
    ears: Client,
    /// What the device said, with the moment it came.
    said: Vec<(i64, Heard)>,
    /// When the hour was told last.
    told: i64,
    terminal: Station,
    gateway: Gateway,
    broker: Broker,
    device: String,
    dir: tempfile::TempDir,
}

impl BoardTown {
    /// Everything runs but the board, which is off.
    fn begin(identity: &Identity<'_>) -> Self {
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
    fn listen(&mut self) {
        if now() - self.told >= 1_000 {
            self.told = now();
            self.ears.publish("standpipe/v1/gateway/clock", json!({"ts": self.told}).to_string());
        }
        while let Some(heard) = self.ears.next(Duration::ZERO) {
            self.said.push((now(), heard));
        }
    }

    /// Waits for something said on a channel after the first `from` things, that pleases `wanted`.
    fn hear(
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
    fn born(&mut self, from: usize) -> Value {
        self.hear("a birth", from, SOON, "status", &|status| status["online"] == true).1
    }

    /// Every reading so far, in the order of arrival.
    fn readings(&mut self) -> Vec<Value> {
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
    fn set(&mut self) {
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
    fn no_water(&mut self, from: usize) -> i64 {
        let wanted = |alarm: &Value| alarm["condition"] == "no_water" && alarm["active"] == true;
        let (at, _) = self.hear("no_water", from, DWELL, "alarm", &wanted);
        let confirming = confirming(&self.transmitter.answered(), at);
        at - confirming.expect("a sample that confirms it")
    }

    /// The numbers of all readings that have arrived, when none has come for a second.
    fn delivered(&mut self) -> BTreeSet<(u64, u64)> {
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
    fn answers_of(&self, kpa: f32, times: usize) {
        wait_for(&format!("{times} answers of {kpa} kPa"), SOON, || {
            let answers = self.transmitter.answered();
            (answers.iter().rev().take_while(|answer| (answer.1 - kpa).abs() < 0.1).count()
                >= times)
                .then_some(())
        });
    }

    fn is_offline(&self) -> bool {
        let device = self.gateway.get(&format!("devices/{}", self.device));
        device["conditions"].to_string().contains("offline")
    }

    /// Waits for a page of the device's own station about a condition.
    fn page(&self, condition: &str) -> Value {
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
fn confirming(answers: &[(i64, f32)], alarm: i64) -> Option<i64> {
    let low = answers.iter().rev().take_while(|(_, kpa)| *kpa < 20.0).count();
    let low: Vec<i64> = answers[answers.len() - low..].iter().map(|answer| answer.0).collect();
    let due = low.get(1)? + DWELL_MS;
    let mut after = low.iter().copied().filter(|at| *at >= due - EDGE_MS);
    let first = after.next()?;
    let next = after.next().filter(|next| first < due + EDGE_MS && *next <= alarm);
    Some(next.unwrap_or(first))
}

#[test]
#[rustfmt::skip] // a table
fn the_confirming_sample_is_the_first_after_the_dwell_whenever_the_alarm_comes() {
    let every = |ms: i64| (0..60).map(|n| (n * ms, if n < 3 { 300.0 } else { 5.0 })).collect::<Vec<_>>();
    for (every_ms, alarm, wanted) in [
        (1_050, 35_000, Some(34_650)), // low from 3,150, believed from 4,200, due at 34,200
        (1_050, 40_000, Some(34_650)), // a late alarm is late
        (1_000, 34_100, Some(34_000)), // on the edge: it came before the next one
        (1_000, 35_100, Some(35_000)), // on the edge: the next one was asked for
        (1_000, 60_000, Some(35_000)), // and no later one counts
    ] {
        assert_eq!(confirming(&every(every_ms), alarm), wanted, "{every_ms} {alarm}");
    }
    assert_eq!(confirming(&every(1_000)[..20], 19_000), None);
}

fn names(value: &Value, condition: &str) -> bool {
    value == condition || value["condition"] == condition || value["name"] == condition
}

fn body(heard: &Heard) -> Value {
    serde_json::from_slice(&heard.payload).unwrap_or(Value::Null)
}

/// (boot, seq) of readings.
fn numbers(readings: &[Value]) -> Vec<(u64, u64)> {
    let number = |reading: &Value, name: &str| reading[name].as_u64().unwrap_or(0);
    readings.iter().map(|reading| (number(reading, "boot"), number(reading, "seq"))).collect()
}

#[test]
fn a_hydrant_s_night() {
    let mut town = BoardTown::begin(&H1);
    town.board.on();

    eprintln!("step: power on");
    let birth = town.born(0);
    assert_eq!(
        (&birth["reset"], &birth["model"]),
        (&json!("power_on"), &json!("SP-H1")),
        "{birth}"
    );
    let boot = birth["boot"].as_u64().expect("a boot");
    let (_, first) = town.hear("a reading", 0, SOON, "telemetry", &|reading| reading["seq"] == 1);
    assert_eq!(first["pressure_kpa"].as_f64(), Some(300.0), "{first}");

    eprintln!("step: new settings");
    town.set();
    let from = town.said.len();
    for _ in 0..2 {
        let fresh = town.said.len().max(from);
        town.hear("a reading every 5 s", fresh, SOON, "telemetry", &|_| true);
    }
    // Before it knows the hour, what it measured long ago waits and what is fresh does not.
    town.hear("a dated reading", from, SOON, "telemetry", &|reading| reading["ts"].is_i64());

    eprintln!("step: the main runs dry");
    let from = town.said.len();
    town.transmitter.pressure(5.0);
    let late_ms = town.no_water(from);
    println!(
        "no_water at the broker {late_ms} ms after the sample that confirms it \
         ({WANTED_MS} ms are wanted)"
    );
    assert!((0..ALARM_MS).contains(&late_ms), "{late_ms} ms");
    let page = town.page("no_water");
    assert_eq!(page["severity"], "critical", "{page}");
    town.transmitter.pressure(300.0);

    eprintln!("step: a minute without a carrier");
    town.modem.air(Air::NoCarrier);
    std::thread::sleep(Duration::from_secs(60));
    town.listen();
    let before = town.readings().len();
    town.modem.air(Air::Clear);
    wait_for("what was measured meanwhile", SOON, || {
        (town.readings().len() >= before + 10).then_some(())
    });

    eprintln!("step: the power goes while readings wait");
    let over = |alarm: &Value| alarm["condition"] == "low_pressure" && alarm["active"] == false;
    town.hear("that the main is well again", from, DWELL, "alarm", &over);
    town.modem.air(Air::NoCarrier);
    // Every change is a reading of its own at once, so that the last one before the cut is known.
    let mut last = 300.0;
    for kpa in [330.0, 360.0, 390.0] {
        last = kpa;
        town.transmitter.pressure(kpa);
        town.answers_of(kpa, 5);
    }
    town.board.off();
    let from = town.said.len();
    let before = town.delivered();

    eprintln!("step: power again");
    town.transmitter.pressure(300.0);
    town.modem.air(Air::Clear);
    town.board.on();
    let birth = town.born(from);
    assert_eq!(birth["boot"], json!(boot + 1), "{birth}");
    assert_eq!((&birth["reset"], &birth["rev"]), (&json!("power_on"), &json!(1)), "{birth}");
    let waited = wait_for("the last reading before the power went", SOON, || {
        let readings = town.readings();
        let is_last = |reading: &Value| {
            reading["boot"] == json!(boot)
                && reading["pressure_kpa"].as_f64() == Some(f64::from(last))
        };
        readings.iter().any(is_last).then_some(readings)
    });
    let queued: Vec<_> = numbers(&waited)
        .into_iter()
        .filter(|number| number.0 == boot && !before.contains(number))
        .collect();
    println!("{} readings of boot {boot} waited in the EEPROM: {queued:?}", queued.len());
    assert!(queued.len() >= 3, "one for each change: {queued:?}");
    let follow = queued.iter().zip(queued.iter().skip(1)).all(|(a, b)| a.1 + 1 == b.1);
    assert!(follow, "with their numbers, none left out: {queued:?}");
    let of_the_new = |body: &Value| {
        let all = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        all.iter().any(|reading| reading["boot"] == json!(boot + 1))
    };
    town.hear("a reading of the new boot", from, SOON, "telemetry", &of_the_new);

    eprintln!("step: the power goes while it is connected, and the Last Will tells");
    wait_for("online at the gateway", SOON, || (!town.is_offline()).then_some(()));
    let fresh = town.said.len();
    town.hear("a reading, so that the link is up", fresh, SOON, "telemetry", &|_| true);
    town.board.off();
    town.listen();
    let from = town.said.len();
    let gone = |status: &Value| status["online"] == false;
    town.hear("the Last Will of this cut", from, SOON, "status", &gone);
    wait_for("offline at the gateway", SOON, || town.is_offline().then_some(()));
    town.board.on();
    assert_eq!(town.born(from)["boot"], json!(boot + 2));

    eprintln!("step: nothing is missing");
    let mut seen = numbers(&town.readings());
    // What the broker had when the power went, and the device did not know, comes again.
    let mut told = BTreeSet::new();
    seen.retain(|number| told.insert(*number));
    assert!(seen.is_sorted(), "in order: {seen:?}");
    wait_for("a ledger without a gap", SOON, || {
        let [expected, received, _, _, missing] = town.gateway.ledger();
        println!("ledger: {expected} expected, {received} received, {missing} missing");
        (expected > 0 && missing == 0 && received >= seen.len() as i64).then_some(())
    });
}

#[test]
fn a_detector_gets_hot() {
    let mut town = BoardTown::begin(&Identity { device: "S-1", kind: Kind::Smoke, ..H1 });
    town.board.on();
    town.board.temperature(25.0);
    let birth = town.born(0);
    assert_eq!(birth["model"], "SP-S1", "{birth}");
    town.set();
    town.hear("25 °C", 0, SOON, "telemetry", &|reading| reading["temp_c"].as_f64() == Some(25.0));
    town.board.temperature(70.0);
    let heat = |alarm: &Value| alarm["condition"] == "heat" && alarm["active"] == true;
    let (_, alarm) = town.hear("heat", 0, SOON, "alarm", &heat);
    assert_eq!(alarm["temp_c"].as_f64(), Some(70.0), "{alarm}");
    let page = town.page("heat");
    assert_eq!((&page["class"], &page["severity"]), (&json!("fire"), &json!("fire")), "{page}");
}

/// The broker acknowledges an alarm, and is killed before it has saved anything while the gateway is
/// away: nobody has the alarm but the device.
#[test]
fn an_alarm_that_the_broker_forgot_comes_again_and_is_paged() {
    let mut town = BoardTown::begin(&Identity { device: "S-1", kind: Kind::Smoke, ..H1 });
    town.board.on();
    town.board.temperature(25.0);
    town.born(0);
    town.set();
    town.hear("25 °C", 0, SOON, "telemetry", &|reading| reading["temp_c"].as_f64() == Some(25.0));

    eprintln!("step: a fire while the gateway is away");
    town.gateway.kill();
    town.board.temperature(70.0);
    let heat = |alarm: &Value| alarm["condition"] == "heat" && alarm["active"] == true;
    let (_, alarm) = town.hear("heat", 0, SOON, "alarm", &heat);
    // It is over, so that no reading can tell of it.
    town.board.temperature(25.0);
    let over = |alarm: &Value| alarm["condition"] == "heat" && alarm["active"] == false;
    let from = town.said.len();
    let (_, end) = town.hear("that it is over", from, DWELL, "alarm", &over);

    eprintln!("step: the broker forgets it");
    town.broker.kill();
    town.broker.start_again();
    town.ears = Client::connect(town.broker.port, "ears");
    town.ears.subscribe("standpipe/v1/t-1/+/+");
    let from = town.said.len();
    town.gateway.start_again();
    let (_, again) = town.hear("the same alarm again", from, DWELL, "alarm", &heat);
    assert_eq!(again, alarm, "as it was sent before");
    let page = town.page("heat");
    assert_eq!(page["severity"], "fire", "{page}");

    eprintln!("step: both have their receipts, and are silent");
    for alarm in [&alarm, &end] {
        let numbers = json!({"boot": alarm["boot"], "seq": alarm["seq"]});
        town.hear("its receipt", from, SOON, "receipt", &|receipt| *receipt == numbers);
    }
    let from = town.said.len();
    std::thread::sleep(SOON);
    town.listen();
    let repeated: Vec<_> = town.said.iter().skip(from).map(|said| &said.1).collect();
    assert!(repeated.iter().all(|said| !said.topic.ends_with("/alarm")), "{repeated:?}");
}

#[test]
fn a_task_that_hangs_is_bitten_and_the_birth_says_so() {
    let mut town = BoardTown::begin(&Identity { hang_s: 2, ..H1 });
    town.board.on();
    let birth = town.born(0);
    assert_eq!(birth["reset"], "power_on", "{birth}");
    let bitten = |status: &Value| status["reset"] == "watchdog";
    let (_, again) = town.hear("a birth after the bite", 0, DWELL, "status", &bitten);
    assert_eq!(again["boot"].as_u64(), birth["boot"].as_u64().map(|boot| boot + 1), "{again}");
    let boot = again["boot"].clone();
    town.hear("a reading after it", 0, SOON, "telemetry", &|reading| reading["boot"] == boot);
}

#[test]
fn bad_wires_stop_nothing() {
    let mut town = BoardTown::begin(&H1);
    town.board.on();
    let boot = town.born(0)["boot"].clone();
    town.set();
    town.hear("a reading", 0, SOON, "telemetry", &|reading| {
        reading["pressure_kpa"].as_f64() == Some(300.0)
    });

    eprintln!("step: a self-test, which also says how deep the stack has been");
    let command = json!({"id": "test-1", "command": "self_test"});
    town.terminal.publish("standpipe/v1/t-1/H-1/command", false, &command);
    let (_, reply) = town.hear("a reply", 0, SOON, "reply", &|reply| reply["id"] == "test-1");
    assert_eq!(reply["ok"], true, "{reply}");
    let (used, noted) = (stack_used(&town.board.log()), stack_noted());
    println!("stack: {used} B used at most, {noted} B noted in size.txt");
    assert!((1..=noted).contains(&used), "size.txt promises that {noted} B are enough: {used} B");

    eprintln!("step: the transmitter answers badly, or not at all");
    for manner in [Manner::BadSum, Manner::Cut, Manner::Failed, Manner::Silent] {
        let (from, asked) = (town.said.len(), town.transmitter.asked());
        town.transmitter.manner(manner);
        let blind = |reading: &Value| reading["seq"].is_u64() && reading["pressure_kpa"].is_null();
        town.hear(&format!("{manner:?}"), from, SOON, "telemetry", &blind);
        assert!(town.transmitter.asked() > asked + 1, "{manner:?}: it asks on");
    }
    let fault = |alarm: &Value| alarm["condition"] == "sensor_fault" && alarm["active"] == true;
    town.hear("sensor_fault", 0, SOON, "alarm", &fault);
    town.transmitter.manner(Manner::Good);
    let from = town.said.len();
    town.hear("pressure", from, SOON, "telemetry", &|reading| {
        reading["pressure_kpa"].as_f64() == Some(300.0)
    });

    eprintln!("step: the modem hands over bytes that nobody sent");
    town.modem.corrupt_every(5);
    let settings = "standpipe/v1/t-1/H-1/settings";
    for _ in 0..8 {
        town.terminal.publish(settings, false, &json!({"rev": 9, "interval_s": 1}));
        std::thread::sleep(Duration::from_secs(1));
    }
    town.modem.corrupt_every(0);
    let from = town.said.len();
    town.hear("a reading all the same", from, DWELL, "telemetry", &|_| true);

    eprintln!("step: a broker that refuses it");
    let strict = Broker::with(&town.dir.path().join("strict"), "allow_anonymous false\n");
    let dials = town.modem.dials().1;
    town.modem.lead_to(strict.port);
    town.modem.air(Air::NoCarrier);
    std::thread::sleep(Duration::from_secs(1));
    town.modem.air(Air::Clear);
    wait_for("three attempts", DWELL, || (town.modem.dials().1 >= dials + 3).then_some(()));
    town.modem.lead_to(town.broker.port);
    let from = town.said.len();
    town.hear("a reading when it is let in", from, DWELL, "telemetry", &|_| true);
    let births = town.said.iter().filter(|(_, message)| message.topic.ends_with("/status"));
    assert!(
        births
            .map(|(_, message)| body(message))
            .all(|status| status["online"] == false || status["boot"] == boot)
    );
    wait_for("a ledger without a gap", SOON, || {
        let [expected, _, _, _, missing] = town.gateway.ledger();
        (expected > 0 && missing == 0).then_some(())
    });
}

#[test]
fn a_corrupt_eeprom_is_started_over_and_an_unknown_name_is_not_guessed() {
    let mut town = BoardTown::begin(&H1);
    town.board.on();
    let birth = town.born(0);
    assert_eq!(birth["storage"], "fresh", "{birth}");
    town.board.off();
    let noise: Vec<u8> =
        (0..0x7c00_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    town.board.scribble(0, &noise);
    let from = town.said.len();
    town.board.on();
    let birth = town.born(from);
    assert_eq!(birth["storage"], "corrupt", "{birth}");
    let boot = birth["boot"].clone();
    town.hear("a reading", from, SOON, "telemetry", &|reading| reading["boot"] == boot);

    town.board.off();
    town.board.scribble(0x7c00 + 20, b"?");
    let (log, dials) = (town.board.log().len(), town.modem.dials());
    town.board.on();
    town.board.logs(log, "identity page has a wrong checksum: write it again", SOON);
    assert_eq!(town.modem.dials(), dials, "it calls nobody");
}

/// The deepest the stack has been, bytes, as the device logged it in a self-test.
fn stack_used(log: &str) -> usize {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("stack ")).expect("a line");
    line.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
}

/// What the board's notes allow it.
fn stack_noted() -> usize {
    let notes = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware/board-lm3s6965/size.txt");
    let notes = std::fs::read_to_string(notes).expect("size.txt");
    let line = notes.lines().find_map(|line| line.strip_prefix("stack ")).expect("a line");
    line.trim().parse().expect("a number")
}
