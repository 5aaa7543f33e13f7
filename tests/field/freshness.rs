//! Heard is not measured: what can be trusted is as old as its measurement.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::{instant, now};

use super::site::{FieldSite, SOON, devices, has, settles};

/// An interval of 5 s, and the shortest times that an interval allows.
const QUICK: &str = "[profile.municipal]\noffline_min_s = 15\nlow_for_s = 6\n\
                     [profile.smoke_home]\noffline_min_s = 15\n";

/// Half a minute of a street: case 26, and what of cases 1, 10 and 37 goes on for longer.
#[test]
fn a_sensor_that_died_in_a_node_that_lives_is_not_trusted() {
    let site = FieldSite::start(&devices(4, 2, 5), QUICK);
    let start = now();
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 300}));
    settles(SOON, || {
        let found = site.device("H-1");
        (found["trust"] != "ok")
            .then(|| format!("one good reading is enough: {found}"))
            .into_iter()
            .collect()
    });
    let watch = instant();
    let mut trusted_until = Duration::ZERO;
    let mut round = 0;
    while watch.elapsed() < Duration::from_secs(20) {
        if watch.elapsed() >= Duration::from_secs(3) * round {
            round += 1;
            site.device_says("H-1", "telemetry", &json!({"battery_mv": 3500}));
            site.says("t-1/H-2/telemetry", r#"{"pressure_kpa":0,"battery_mv":3580.0}"#);
            site.says("t-1/S-2/telemetry", r#"{"smoke_db_m":0.5,"battery_mv":"2990"}"#);
            site.says(
                "t-1/H-3/telemetry",
                r#"{"time":"2026-11-29T18:45:00Z","object":{"pressure":0}}"#,
            );
            site.device_says("H-4", "telemetry", &json!({"pressure_kpa": 300 + round}));
        }
        if site.device("H-1")["trust"] == "ok" {
            trusted_until = watch.elapsed();
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    site.device_says("S-1", "alarm", &json!({"condition": "smoke", "active": true}));
    let is_fire =
        |incident: &Value| incident["class"] == "fire" && incident["device"]["id"] == "S-1";
    let fire = site.gateway.incident("a fire beside it", SOON, is_fire);
    let near =
        |id: &str| fire["hydrants"].as_array()?.iter().find(|hydrant| hydrant["id"] == id).cloned();

    let mut differing = Vec::new();
    let mut expect = |story: &str, right: bool, found: &Value| {
        if !right {
            differing.push(format!("{story}: {found}"));
        }
    };
    let (died, dry, foreign, well) =
        (site.device("H-1"), site.device("H-2"), site.device("H-3"), site.device("H-4"));
    let two_intervals = Duration::from_secs(10);
    expect(
        &format!("26 stale after two intervals, not {trusted_until:?}"),
        trusted_until < two_intervals + Duration::from_secs(2) && died["trust"] == "stale",
        &died,
    );
    let measured = died["measured_at"].as_i64().unwrap_or_default();
    expect("26 it was measured when it was", (measured - start).abs() < 2_000, &died);
    expect("26 it is heard all the same", died["heard_at"].as_i64() > Some(start + 15_000), &died);
    expect("26 not offline", !has(&died["conditions"], "offline"), &died);
    expect("26 measures nothing for 3 intervals", has(&died["conditions"], "sensor_fault"), &died);
    let reasons: Vec<Value> =
        site.incidents("H-1").iter().map(|incident| incident["reason"].clone()).collect();
    expect("26 and says so", reasons.contains(&json!("no_measurement")), &json!(reasons));
    expect(
        "26 a fire does not count on it",
        near("H-1").is_none_or(|hydrant| hydrant["trust"] == "stale"),
        &fire["hydrants"],
    );
    expect("10 a dry hydrant with a bad battery", has(&dry["conditions"], "no_water"), &dry);
    expect("10 its newest value", dry["latest"]["pressure_kpa"] == 0.0, &dry);
    expect(
        "10 smoke beside a battery in quotes",
        has(&site.device("S-2")["conditions"], "smoke"),
        &site.device("S-2"),
    );
    expect("1 a foreign envelope is not heard", foreign["heard_at"].is_null(), &foreign);
    expect("1 and is offline", has(&foreign["conditions"], "offline"), &foreign);
    expect("the control is trusted", well["trust"] == "ok", &well);
    let counted_on = near("H-4").is_some_and(|hydrant| hydrant["trust"] == "ok");
    expect("and a fire counts on it", counted_on, &fire["hydrants"]);
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// One reading over the minimum, and under the limit at which low pressure ends.
#[test]
fn one_reading_between_the_limits_is_unconfirmed_until_a_second_says() {
    let site = FieldSite::start(&devices(3, 0, 900), "");
    let trust_of = |device: &str| site.device(device)["trust"].clone();
    let becomes = |device: &str, right: &str| {
        settles(SOON, || {
            let found = trust_of(device);
            (found != right)
                .then(|| format!("{device}: {found}, not {right}"))
                .into_iter()
                .collect()
        });
    };
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 145}));
    becomes("H-1", "unconfirmed");
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 146}));
    becomes("H-1", "ok");
    site.device_says("H-2", "telemetry", &json!({"pressure_kpa": 150}));
    becomes("H-2", "ok");
    assert_eq!(trust_of("H-3"), "stale", "never heard");
}
