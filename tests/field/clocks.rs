//! Clocks: a device's is a claim, and the gateway's own may be set at any moment.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::wall_clock::{Kernel, WallClock};
use standpipe_tests::{instant, now, wait_for};

use super::site::{FieldSite, NO_ESCALATION, QUIET, SOON, devices, has, settles};

const HOUR_S: i64 = 3_600;
const HOUR_MS: i64 = HOUR_S * 1_000;
/// 2023-06-01.
const YEARS_AGO: i64 = 1_685_577_600_000;
/// An interval of 5 s, and a hydrant is dry after 6 s.
const QUICK: &str = "[profile.municipal]\noffline_min_s = 60\nlow_for_s = 6\n";

/// Case 25: 300 kPa now, then 0 kPa by a clock that fell back.
#[test]
fn a_clock_that_fell_back_hides_no_dry_hydrant() {
    const INTERVAL: Duration = Duration::from_secs(5);
    let site = FieldSite::start(&devices(6, 0, 5), QUICK);
    let started = now();
    // How far a device's clock is behind with its n-th reading.
    let behind = |device: &str, n: usize| match device {
        "H-1" | "H-2" => 8 * HOUR_MS,
        "H-3" | "H-4" => started - YEARS_AGO,
        "H-5" => [3, 5, 1, 6, 2, 4, 7][n % 7] * HOUR_MS, // another hour each time
        _ => 0,
    };
    let all = ["H-1", "H-2", "H-3", "H-4", "H-5", "H-6"];
    let says = |device: &str, seq: i64, kpa: f64, behind: i64| {
        let mut reading = json!({"pressure_kpa": kpa, "ts": now() - behind});
        if matches!(device, "H-2" | "H-4") {
            // H-4's clock fell back because it started anew.
            reading["boot"] = json!(if device == "H-4" && seq > 1 { 6 } else { 5 });
            reading["seq"] = json!(seq);
        }
        site.device_says(device, "telemetry", &reading);
    };
    for device in all {
        says(device, 1, 300.0, 0);
    }
    settles(SOON, || {
        all.into_iter()
            .filter(|device| site.device(device)["trust"] != "ok")
            .map(String::from)
            .collect()
    });
    let watch = instant();
    let mut dry_after: [Option<Duration>; 6] = [None; 6];
    let mut hidden = [Duration::ZERO; 6];
    let mut sent = 0;
    while watch.elapsed() < Duration::from_secs(18) {
        if watch.elapsed() >= Duration::from_secs(3) * sent {
            sent += 1;
            for device in all {
                says(device, i64::from(sent) + 1, 0.0, behind(device, sent as usize - 1));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        for (n, device) in all.into_iter().enumerate() {
            let found = site.device(device);
            if found["latest"]["pressure_kpa"] != 0.0 {
                hidden[n] = watch.elapsed();
            }
            if has(&found["conditions"], "no_water") {
                dry_after[n].get_or_insert(watch.elapsed());
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let usual = dry_after[5].expect("the control runs dry");
    let mut differing = Vec::new();
    for (n, device) in all.into_iter().enumerate() {
        let found = site.device(device);
        let paged = site.pages("t-1", |body| {
            body["device"]["id"] == device && has(&body["conditions"], "no_water")
        });
        let in_time = dry_after[n].is_some_and(|after| after <= usual + 2 * INTERVAL) && paged == 1;
        let shown = hidden[n] <= 2 * INTERVAL && found["latest"]["pressure_kpa"] == 0.0;
        let said = has(&found["conditions"], "clock_fault") == (device != "H-6");
        if !(in_time && shown && said) {
            differing.push(format!(
                "25 {device}: 300 kPa were shown for {:?}, dry after {:?} (usually {usual:?}), {paged} pages; {}",
                hidden[n], dry_after[n], found["conditions"]
            ));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// A fire is paged whatever its device's clock says, and its title says that it does.
#[test]
fn a_fire_with_an_old_time_is_paged_at_once_and_marked() {
    let site = FieldSite::start(&devices(0, 2, 900), "");
    let title = |device: &str, ts: i64| {
        let smoke = json!({"condition": "smoke", "active": true, "ts": ts});
        site.device_says(device, "alarm", &smoke);
        let paged = site.terminal.wait("the page", SOON, |shown| {
            shown.body["device"]["id"] == device && shown.body["page_id"].is_string()
        });
        paged.body["title"]["en"].as_str().unwrap_or_default().replace(device, "")
    };
    let (right, old) = (title("S-1", now()), title("S-2", now() - 8 * HOUR_MS));
    let words = |text: &str| {
        text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()).count()
    };
    assert!(words(&old) > words(&right), "marked: `{old}` beside `{right}`");
}

/// Cases 41 and 42: the machine's clock is set, by NTP or by a person, while the gateway runs.
#[test]
fn a_step_of_the_gateway_s_own_clock_is_nobody_s_silence() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = WallClock::off_by(dir.path(), -HOUR_S, Kernel::Unsynchronised);
    let config = format!("{NO_ESCALATION}{QUICK}");
    let site = FieldSite::start_on(&clock, dir, &devices(2, 7, 60), &config);
    let all: Vec<String> = (1..=7).map(|n| format!("S-{n}")).collect();
    for device in &all {
        site.device_says(device, "telemetry", &json!({"temp_c": 20}));
    }
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 300}));
    settles(SOON, || {
        all.iter().filter(|device| site.device(device)["heard_at"].is_null()).cloned().collect()
    });
    for (story, seconds) in [("1 h forward", 0), ("1 h too far", HOUR_S), ("right again", 0)] {
        clock.set(seconds, Kernel::Synchronised);
        std::thread::sleep(Duration::from_millis(2_500));
        let offline: Vec<&String> = all
            .iter()
            .filter(|device| has(&site.device(device)["conditions"], "offline"))
            .collect();
        assert!(offline.is_empty(), "41 {story}: offline: {offline:?}");
        let blind: Vec<Value> = site
            .gateway
            .list("incidents")
            .into_iter()
            .filter(|incident| incident["class"] == "blind")
            .collect();
        let blind: Vec<&Value> =
            blind.iter().filter(|incident| !has(&incident["conditions"], "clock_fault")).collect();
        assert!(blind.is_empty(), "41 {story}: {blind:?}");
    }
    let is_step = |incident: &Value| {
        incident["device"].is_null() && has(&incident["conditions"], "clock_fault")
    };
    let _step = site.gateway.incident("41: the step is the gateway's own fault", SOON, is_step);

    // Its clock is right: right devices are, and water is seen.
    let watch = instant();
    wait_for("41: a hydrant that runs dry after all that", Duration::from_secs(20), || {
        site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 0, "ts": now()}));
        std::thread::sleep(Duration::from_secs(2));
        has(&site.device("H-1")["conditions"], "no_water").then_some(())
    });
    assert!(watch.elapsed() < Duration::from_secs(16), "{:?}", watch.elapsed());
    let found = site.device("H-1");
    assert!(!has(&found["conditions"], "clock_fault"), "41: a right device: {found}");
}

/// Case 43: a Raspberry Pi without a clock of its own comes up in the past while a house burns.
#[test]
fn a_fire_goes_on_in_its_own_time_after_a_restart_in_the_past() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = WallClock::off_by(dir.path(), 0, Kernel::Unsynchronised);
    let escalation = "[escalation.fire]\nstep2_s = 4\nstep3_s = 8\nrepeat_s = 300\n";
    let mut site =
        FieldSite::start_on(&clock, dir, &devices(2, 3, 900), &format!("{escalation}{QUICK}"));
    site.device_says("S-1", "alarm", &json!({"condition": "smoke", "active": true}));
    let is_fire = |incident: &Value| incident["class"] == "fire";
    let _fire = site.gateway.incident("the fire", SOON, is_fire);
    let watch = instant();
    std::thread::sleep(Duration::from_secs(2));
    site.gateway.kill();
    clock.set(-2 * HOUR_S, Kernel::Unsynchronised);
    site.gateway.start_again();
    site.gateway.wait_ready();
    wait_for("43: the district's page of step 3", Duration::from_secs(20), || {
        (site.pages("district", |body| body["class"] == "fire") > 0).then_some(())
    });
    assert!(watch.elapsed() < Duration::from_secs(20), "43: after {:?}", watch.elapsed());

    // Devices that are right.
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 300, "ts": now()}));
    settles(SOON, || {
        let found = site.device("H-1");
        let right = found["latest"]["pressure_kpa"] == 300.0
            && found["trust"] == "ok"
            && !has(&found["conditions"], "clock_fault");
        (!right).then(|| format!("43 a right device: {found}")).into_iter().collect()
    });
    std::thread::sleep(QUIET);
    site.device_says("S-2", "alarm", &json!({"condition": "smoke", "active": true, "ts": now()}));
    let is_second = |incident: &Value| incident["device"]["id"] == "S-2";
    let _second = site.gateway.incident("43: a second fire", SOON, is_second);
}
