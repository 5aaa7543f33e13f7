//! The real firmware on an emulated board, from its sensors' wires to the station's terminal: a
//! real broker, the real gateway, and everything that goes wrong in between.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_firmware::identity::Identity;
use standpipe_shared::Kind;
use standpipe_tests::board_town::{BoardTown, DWELL, H1, SOON, body, confirming, numbers};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::modbus::Manner;
use standpipe_tests::modem::{Air, Temper};
use standpipe_tests::{instant, wait_for};

/// What is wanted of an alarm, from the sample that confirms it to the broker, ms …
const WANTED_MS: i64 = 500;
/// … and what this test insists on: others share the machine.
const ALARM_MS: i64 = 1_000;

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

/// A hydrant as it is shipped: on a battery, over TLS, by its name and password.
const BATTERY: Identity<'_> = Identity {
    port: 0,
    tls: true,
    user: "t-1/H-1",
    password: "secret",
    mains: false,
    keep_alive_s: 60,
    retry_s: 20,
    watchdog_s: 20,
    ..H1
};
/// How long its modem may be awake for one call, with what comes late, what is said twice, and the seconds
/// for which it listens.
const AWAKE_OF_A_CALL: Duration = Duration::from_secs(25);

/// The configuration of the street, over a modem that sleeps, is late, talks unasked, loses its SIM
/// and its network.
#[test]
fn a_battery_over_tls_lives_with_a_rough_modem() {
    let mut town = BoardTown::begin(&BATTERY);
    town.modem.temper(Temper::Rough);
    let wish = json!({"interval_s": 30, "sample_s": 5, "low_kpa": 140, "no_water_kpa": 20.5,
        "delta_kpa": 15});
    assert_eq!(town.gateway.put("devices/H-1/settings", &wish).0, 200);

    eprintln!("step: power on");
    town.board.on();
    let patient = Duration::from_secs(60);
    town.hear("the settings", 0, patient, "status", &|status| status["rev"] == 1);
    let secure = town.modem.commands();
    assert!(secure.iter().any(|said| said.contains("QSSLCFG=\"cacert\"")), "{secure:?}");
    assert!(secure.iter().any(|said| said == "AT+QSSLOPEN=1,0,0,\"broker.example\",8884,2"));

    eprintln!("step: from one reading to the next");
    let from = town.said.len();
    town.hear("a reading", from, patient, "telemetry", &|_| true);
    let (awake, dials, began) = (town.modem.awake(), town.modem.dials().0, instant());
    let from = town.said.len();
    town.hear("the next one", from, patient, "telemetry", &|_| true);
    let (awake, calls) = (town.modem.awake() - awake, town.modem.dials().0 - dials);
    let of_s = began.elapsed().as_secs_f32();
    println!("{calls} call, the modem awake for {:.1} s of {of_s:.1}", awake.as_secs_f32());
    assert_eq!(calls, 1);
    assert!(awake <= AWAKE_OF_A_CALL && awake.as_secs_f32() < of_s - 3.0, "{awake:?} of {of_s} s");

    eprintln!("step: the SIM falls out, and the main runs dry");
    let (from, said) = (town.said.len(), town.modem.commands().len());
    town.modem.air(Air::NoSim);
    town.transmitter.pressure(5.0);
    wait_for("a dial without a SIM", DWELL, || {
        let meanwhile = town.modem.commands().split_off(said);
        meanwhile.iter().any(|said| said == "AT+CPIN?").then_some(())
    });
    std::thread::sleep(Duration::from_secs(5));
    let meanwhile = town.modem.commands().split_off(said);
    assert!(!meanwhile.iter().any(|said| said == "AT+CEREG?"), "it searches: {meanwhile:?}");
    town.modem.air(Air::Clear);
    let wanted = |alarm: &Value| alarm["condition"] == "no_water" && alarm["active"] == true;
    town.hear("no_water", from, Duration::from_secs(90), "alarm", &wanted);
    let status =
        town.hear("why", from, SOON, "status", &|status| status["dial_fault"] == "no_sim").1;
    assert_eq!(status["imei"], "864475040000001", "{status}");
    assert_eq!((&status["rsrp_dbm"], &status["snr_db"]), (&json!(-93), &json!(19)), "{status}");
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
