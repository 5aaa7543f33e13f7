//! Readings: each member is judged by itself, a body of which nothing is understood is no sign of
//! life, and an impossible value is no fire.

use serde_json::{Value, json};
use standpipe_tests::now;

use super::site::{FieldSite, QUIET, SOON, devices, has, settles};

/// Unix milliseconds as an ISO time of the zone of Chongqing.
fn iso_in_chongqing(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).expect("a moment");
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    moment.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Cases 7, 9, 10 and 37, each a good pressure with something bad beside it.
#[test]
#[rustfmt::skip] // a table
fn a_bad_member_is_repaired_or_left_out_and_the_rest_is_kept() {
    let site = FieldSite::start(&devices(30, 0, 900), "");
    let second = now() / 1_000 * 1_000;
    let zoned = format!(r#"{{"pressure_kpa":300,"ts":"{}"}}"#, iso_in_chongqing(second));
    let in_seconds = format!(r#"{{"pressure_kpa":300,"ts":{}}}"#, second / 1_000);
    let float_ms = format!(r#"{{"pressure_kpa":300,"ts":{}.5}}"#, now());
    let kept = json!({"pressure_kpa": 300.0});
    let rows: &[(&str, &str, &[u8], Value)] = &[
        // Repaired.
        ("H-1",  "10: a decimal string",        br#"{"pressure_kpa":"300.5"}"#,                     json!({"pressure_kpa": 300.5})),
        ("H-2",  "10: 3580.0",                  br#"{"pressure_kpa":300,"battery_mv":3580.0}"#,     json!({"pressure_kpa": 300.0, "battery_mv": 3580})),
        ("H-3",  "10: a whole number's string", br#"{"pressure_kpa":300,"battery_mv":"3580"}"#,     json!({"pressure_kpa": 300.0, "battery_mv": 3580})),
        ("H-4",  "0 and 1 of a bool",           br#"{"pressure_kpa":300,"flowing":0,"cap_open":0}"#, json!({"pressure_kpa": 300.0, "flowing": false, "cap_open": false})),
        ("H-5",  "37: BOM",                     b"\xef\xbb\xbf{\"pressure_kpa\":300}",              kept.clone()),
        ("H-6",  "37: trailing NUL",            b"{\"pressure_kpa\":300}\0",                        kept.clone()),
        ("H-7",  "an ISO time with its zone",   zoned.as_bytes(),                                   kept.clone()),
        // Left out.
        ("H-8",  "an ISO time without a zone",  br#"{"pressure_kpa":300,"ts":"2026-11-29T18:49:00"}"#, kept.clone()),
        ("H-9",  "7: NaN beside it",            br#"{"pressure_kpa":300,"temp_c":NaN}"#,            kept.clone()),
        ("H-10", "7: it is NaN",                br#"{"pressure_kpa":nan,"temp_c":12}"#,             json!({"temp_c": 12.0})),
        ("H-11", "null beside it",              br#"{"pressure_kpa":300,"temp_c":null}"#,           kept.clone()),
        ("H-12", "half a decibel",              br#"{"pressure_kpa":300,"rssi_dbm":-97.5}"#,        kept.clone()),
        ("H-13", "a number over its range",     br#"{"pressure_kpa":300,"boot":1,"seq":5000000000}"#, kept.clone()),
        ("H-14", "a bool that says nothing",    br#"{"pressure_kpa":300,"flowing":"perhaps"}"#,     kept.clone()),
        ("H-15", "37: GBK in another field",    b"{\"pressure_kpa\":300,\"addr\":\"\xd5\xfd\xbd\xd6\"}", kept.clone()),
        ("H-16", "37: truncated",               br#"{"pressure_kpa":300,"temp_c":1"#,               kept.clone()),
        ("H-17", "37: twice the same reading",  b"{\"pressure_kpa\":300}\n{\"pressure_kpa\":300}",  kept.clone()),
        ("H-18", "37: twice the same key",      br#"{"pressure_kpa":300,"pressure_kpa":300}"#,      kept.clone()),
        // Times that cannot be one: by arrival.
        ("H-19", "9: ts in seconds",            in_seconds.as_bytes(),                              kept.clone()),
        ("H-20", "ts with a fraction",          float_ms.as_bytes(),                                kept.clone()),
        ("H-21", "ts 0",                        br#"{"pressure_kpa":300,"ts":0}"#,                  kept.clone()),
        // A boot that cannot be one, and the contract's own.
        ("H-22", "boot -1",                     br#"{"pressure_kpa":300,"boot":-1,"seq":3.0}"#,     kept.clone()),
        ("H-23", "the contract's own",          br#"{"pressure_kpa":300}"#,                         kept.clone()),
    ];
    for (device, _, body, _) in rows {
        site.says(&format!("t-1/{device}/telemetry"), *body);
    }
    settles(SOON, || rows.iter().filter_map(|(device, story, _, right)| {
        let found = site.device(device);
        let trust = if right["pressure_kpa"].is_f64() { "ok" } else { "stale" };
        let differs = found["latest"] != *right || found["trust"] != trust || !found["heard_at"].is_i64();
        differs.then(|| format!("{device} {story}: {} trust {}, not {right} trust {trust}", found["latest"], found["trust"]))
    }).collect());
    assert_eq!(site.device("H-7")["measured_at"], second, "the time with a zone is its own");
    let quarantine = site.gateway.list("quarantine");
    for device in ["H-8", "H-9", "H-10", "H-12", "H-13", "H-14"] {
        let shown = quarantine.iter().any(|item| item["topic"] == format!("standpipe/v1/t-1/{device}/telemetry"));
        assert!(shown, "what {device} sent and nobody reads is shown: {quarantine:?}");
    }
    for device in ["H-19", "H-21"] {
        assert!(has(&site.device(device)["conditions"], "clock_fault"), "{device}: {}", site.device(device));
    }
}

/// A bridge that repeats one message: with numbers that nobody can read it may be any of them.
#[test]
fn a_reading_whose_number_cannot_be_read_confirms_none_of_equal_content() {
    let site = FieldSite::start(&devices(3, 0, 900), "[profile.municipal]\nlow_for_s = 1\n");
    for n in 0..3 {
        site.says("t-1/H-1/telemetry", r#"{"pressure_kpa":5.0,"boot":1,"seq":"first"}"#);
        site.says("t-1/H-2/telemetry", r#"{"pressure_kpa":5.0}"#);
        let other = format!(r#"{{"pressure_kpa":5.{n},"boot":1,"seq":"first"}}"#);
        site.says("t-1/H-3/telemetry", other);
        std::thread::sleep(QUIET);
    }
    settles(SOON, || {
        let of = |device: &str| has(&site.device(device)["conditions"], "no_water");
        let right = [("H-1", false), ("H-2", true), ("H-3", true)];
        right
            .into_iter()
            .filter(|(device, dry)| of(device) != *dry)
            .map(|(device, dry)| format!("{device}: {} dry is not {dry}", site.device(device)))
            .collect()
    });
    let repeated = site.device("H-1");
    assert_eq!(repeated["latest"]["pressure_kpa"], 5.0, "the pressure is kept: {repeated}");
}

/// Cases 1 to 5 and 8 to 11: whole bodies of other makers.
#[test]
#[rustfmt::skip] // a table
fn what_is_not_understood_is_no_sign_of_life_and_is_said() {
    let site = FieldSite::start(&devices(14, 3, 900), "");
    let rows: &[(&str, &str, &[u8])] = &[
        ("H-1",  "1: ChirpStack v4 of a Dragino PS-LB", br#"{"deduplicationId":"5c9f3f3e-0000-4000-8000-000000000001","time":"2026-11-29T18:45:00.123456+00:00","deviceInfo":{"deviceProfileName":"PS-LB","devEui":"a84041ffff000001"},"fCnt":1834,"data":"DPMBAQAAAAA=","object":{"Bat_V":3.315,"IDC_intput_mA":4.021,"VDC_intput_V":0.0}}"#),
        ("H-2",  "2: Milesight EM500-PP",               br#"{"applicationID":1,"devEUI":"24e124ffff000002","fCnt":84,"fPort":85,"gatewayTime":"2026-03-23T15:45:04+08:00","data":"A3sAAAF1ZA=="}"#),
        ("H-3",  "3: The Things Stack",                 br#"{"end_device_ids":{"device_id":"dev-eu868-01"},"uplink_message":{"f_port":2,"decoded_payload":{"pressure_bar":0.11,"battery_v":3.62}}}"#),
        ("S-1",  "4: Zigbee2MQTT's Aqara",              br#"{"battery":99,"linkquality":171,"smoke":true,"smoke_density":0,"test":false,"voltage":2993}"#),
        ("S-2",  "4: no more than that",                br#"{"smoke":true}"#),
        ("S-3",  "5: Shelly Plus Smoke",                br#"{"id":0,"alarm":true,"mute":false}"#),
        ("H-4",  "7: ESPHome's NaN alone",              br#"{"entity_type":"sensor","pressure_kpa":NaN}"#),
        ("H-5",  "8: OneNET",                           br#"{"msg":{"at":1606000000000,"type":1,"value":"{\"smoke\":1,\"battery\":86}"},"nonce":"abcdefgh"}"#),
        ("H-6",  "8: CTWing",                           br#"{"notifyType":"deviceDataChanged","service":{"serviceId":"Smoke","eventTime":"20261129T184500Z"}}"#),
        ("H-7",  "9: ThingsBoard",                      br#"{"ts":1648731311,"values":{"pressure":3.111,"temperature":3.222}}"#),
        ("H-8",  "9: an array of them",                 br#"[{"ts":1648731311000,"values":{"pressure_kpa":300}}]"#),
        ("H-9",  "1: a Dragino's own names",            br#"{"Bat_V":3.315,"IDC_intput_mA":4.021}"#),
        ("H-10", "an empty object",                     b"{}"),
        ("H-11", "11: Sparkplug B",                     b"\x08\x80\xd0\xdf\xb4\xab\x33\x12\x1c\x0a\x08Pressure"),
        ("H-12", "text",                                b"300"),
    ];
    site.device_says("H-14", "telemetry", &json!({"pressure_kpa": 300}));
    for (device, _, body) in rows {
        site.says(&format!("t-1/{device}/telemetry"), *body);
    }
    settles(SOON, || {
        let incidents = site.gateway.list("incidents");
        rows.iter().filter_map(|(device, story, _)| {
            let found = site.device(device);
            let mine: Vec<&Value> = incidents.iter().filter(|incident| incident["device"]["id"] == *device).collect();
            let listed = mine.len() == 1 && has(&mine[0]["conditions"], "not_understood")
                && mine[0]["severity"] == "notice" && mine[0]["class"] == "upkeep";
            let right = listed && has(&found["conditions"], "not_understood")
                && found["heard_at"].is_null() && found["trust"] != "ok" && found["latest"] == json!({});
            (!right).then(|| format!("{device} {story}: heard {} {} trust {} latest {}; {mine:?}",
                found["heard_at"], found["conditions"], found["trust"], found["latest"]))
        }).collect()
    });
    settles(SOON, || {
        let control = site.device("H-14");
        let right = control["heard_at"].is_i64() && control["trust"] == "ok";
        (!right).then(|| format!("the control: {control}")).into_iter().collect()
    });
    assert_eq!(site.pages("t-1", |_| true), 0, "it is for the digest");
    // Understood at last: nothing is left to say.
    site.device_says("H-1", "telemetry", &json!({"pressure_kpa": 300}));
    settles(SOON, || {
        let found = site.device("H-1");
        let right = !has(&found["conditions"], "not_understood") && found["heard_at"].is_i64();
        (!right).then(|| format!("H-1 understood: {found}")).into_iter().collect()
    });
}

/// Cases 27 and 28, and what is held back of 85.0 °C.
#[test]
#[rustfmt::skip] // a table
fn an_impossible_temperature_is_a_sensor_s_fault_and_no_fire() {
    let site = FieldSite::start(&devices(0, 10, 900), "");
    let rows: &[(&str, &str, &[&str], bool, bool)] = &[
        //                                                                     heat, sensor_fault
        ("S-1", "28: 32767",                        &[r#"{"temp_c":32767}"#],   false, true),
        ("S-2", "28: three times",                  &[r#"{"temp_c":32767}"#, r#"{"temp_c":32767}"#, r#"{"temp_c":32767}"#], false, true),
        ("S-3", "27: -127",                         &[r#"{"temp_c":-127}"#],    false, true),
        ("S-4", "28: 85.0 first, as a DS18B20",     &[r#"{"boot":1,"seq":1,"temp_c":85.0}"#], false, false),
        ("S-5", "28: then what is so",              &[r#"{"boot":1,"seq":1,"temp_c":85.0}"#, r#"{"boot":1,"seq":2,"temp_c":21.0}"#], false, false),
        ("S-6", "28: 85.0 and it stays",            &[r#"{"boot":1,"seq":1,"temp_c":85.0}"#, r#"{"boot":1,"seq":2,"temp_c":85.0}"#], true, false),
        ("S-7", "28: 85.0, not the first of a boot", &[r#"{"boot":1,"seq":1,"temp_c":21.0}"#, r#"{"boot":1,"seq":2,"temp_c":85.0}"#], true, false),
        ("S-8", "84.9 is heat at once",             &[r#"{"boot":1,"seq":1,"temp_c":84.9}"#], true, false),
        ("S-9", "60 is heat at once",               &[r#"{"temp_c":60}"#],      true, false),
    ];
    for (device, _, readings, ..) in rows {
        for reading in *readings {
            site.says(&format!("t-1/{device}/telemetry"), *reading);
        }
    }
    site.device_says("S-10", "alarm", &json!({"condition": "heat", "active": true, "temp_c": 85.0}));
    std::thread::sleep(QUIET);
    settles(SOON, || {
        let alarmed = site.device("S-10");
        let held_back = (!has(&alarmed["conditions"], "heat")).then(|| format!("S-10 an alarm is never held back: {alarmed}"));
        rows.iter().filter_map(|(device, story, _, heat, fault)| {
            let found = site.device(device);
            let fires = site.incidents(device).iter().filter(|incident| incident["class"] == "fire").count();
            let conditions = &found["conditions"];
            let right = has(conditions, "heat") == *heat && has(conditions, "sensor_fault") == *fault
                && fires == usize::from(*heat);
            (!right).then(|| format!("{device} {story}: {conditions}, {fires} fires"))
        }).chain(held_back).collect()
    });
}
