//! Silence: of devices that never spoke, and of a network that was cut for three seconds.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::{instant, wait_for};

use super::site::{FieldSite, QUIET, SOON, devices, has, says, settles};

/// The grace of `blind_area`.
const GRACE: Duration = Duration::from_secs(30);

/// Twenty detectors of t-1 that speak every quarter of an hour; twelve of t-2 that should speak
/// every 5 s and never do, so that all of t-2 but two is silent.
fn two_townships() -> String {
    let mut text = devices(0, 20, 900);
    for n in 1..=12 {
        let (lat, lon) = (29.37, 106.54 + f64::from(n) * 0.0005);
        let _ = writeln!(
            text,
            "N-{n},smoke,Never {n},t-2,,smoke_home,{lat},{lon},Lane {n},Lane house {n},1,5"
        );
    }
    for n in 1..=2 {
        let _ = writeln!(
            text,
            "A-{n},smoke,Alive {n},t-2,,smoke_home,29.36,106.55,Alley {n},Alley house {n},1,900"
        );
    }
    text
}

/// Cases 32 and 40.
#[test]
fn a_short_cut_blinds_nobody_and_who_never_spoke_is_listed() {
    let site = FieldSite::start(&two_townships(), "[profile.smoke_home]\noffline_min_s = 15\n");
    let started = instant();
    let t1: Vec<String> = (1..=20).map(|n| format!("S-{n}")).collect();
    let all_say = |body: &Value, channel: &str| {
        for device in &t1 {
            site.device_says(device, channel, body);
        }
    };
    let how_many_offline =
        || t1.iter().filter(|device| has(&site.device(device)["conditions"], "offline")).count();
    let becomes = |right: usize| {
        settles(SOON, || {
            let found = how_many_offline();
            (found != right)
                .then(|| format!("{found} of 20 offline, not {right}"))
                .into_iter()
                .collect()
        });
    };
    all_say(&json!({"temp_c": 20}), "telemetry");
    for device in ["A-1", "A-2"] {
        site.says(&format!("t-2/{device}/telemetry"), r#"{"temp_c":20}"#);
    }
    becomes(0);
    // A will that overtook its device's reading would be undone by it.
    wait_for("every device to be heard", SOON, || {
        t1.iter().all(|device| !site.device(device)["heard_at"].is_null()).then_some(())
    });
    let blind_pages = || site.pages("t-1", |body| says(&body["conditions"], "blind_area"));

    // The cut: every will, and 3 s later every device is back.
    all_say(&json!({"online": false}), "status");
    becomes(20);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(blind_pages(), 0, "32: nobody is paged for a blip");
    all_say(&json!({"online": true}), "status");
    becomes(0);
    std::thread::sleep(QUIET);
    assert_eq!(blind_pages(), 0, "32: nor after it");

    // One that lasts.
    all_say(&json!({"online": false}), "status");
    let cut = instant();

    never_spoke_is_listed(&site, started);
    wait_for("the page of a cut that lasts", Duration::from_secs(45), || {
        (blind_pages() > 0).then_some(())
    });
    assert!(cut.elapsed() > GRACE - Duration::from_secs(3), "not after {:?}", cut.elapsed());
    let all = site.gateway.list("incidents");
    let of_t2 = |incident: &&Value| {
        incident["station"] == "t-2" && has(&incident["conditions"], "blind_area")
    };
    let blind: Vec<&Value> = all.iter().filter(of_t2).collect();
    assert!(blind.is_empty(), "40: who never spoke was never seen: {blind:?}");
}

/// Case 40: 3 intervals of 5 s after the start.
fn never_spoke_is_listed(site: &FieldSite, started: std::time::Instant) {
    settles(Duration::from_secs(30).saturating_sub(started.elapsed()).max(SOON), || {
        let all = site.gateway.list("incidents");
        (1..=12)
            .map(|n| format!("N-{n}"))
            .filter_map(|device| {
                let found = site.device(&device);
                let mine: Vec<&Value> =
                    all.iter().filter(|incident| incident["device"]["id"] == device).collect();
                let listed = mine.len() == 1
                    && has(&mine[0]["conditions"], "offline")
                    && mine[0]["reason"] == "never"
                    && mine[0]["severity"] == "notice";
                let right =
                    listed && has(&found["conditions"], "offline") && found["heard_at"].is_null();
                (!right).then(|| format!("40 {device}: {} {mine:?}", found["conditions"]))
            })
            .collect()
    });
    let (status, listed) = site.gateway.ask("devices?condition=offline&station=t-2");
    assert_eq!((status, &listed["total"]), (200, &json!(12)), "40: {listed}");
    let paged = site.pages("t-2", |_| true);
    assert_eq!(paged, 0, "40: it is paged to nobody");
}
