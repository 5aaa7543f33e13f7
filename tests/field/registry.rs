//! A registry file that is bad at a restart: people are told, and the gateway runs on with what
//! it has.

use serde_json::Value;
use serde_json::json;

use super::site::{FieldSite, SOON, devices, says, settles, told};

/// Case 24: text in two encodings, a quote that nobody closes, an address that is too long. Blank rows (18)
/// and a list that is GBK throughout are read.
#[test]
fn a_bad_row_keeps_no_gateway_from_starting_that_has_a_registry() {
    let mut site = FieldSite::start(&devices(2, 4, 900), "");
    let file = site.gateway.dir.join("devices.csv");
    let good = std::fs::read(&file).expect("the registry");
    let long = "x".repeat(201);
    let long =
        format!("H-9,hydrant,Hydrant 9,t-1,z-9,municipal,29.38,106.53,{long},,,900\n").into_bytes();
    let mut mixed =
        "H-8,hydrant,正街,t-1,z-9,municipal,29.38,106.53,正街,,,900\n".as_bytes().to_vec();
    mixed.extend(
        b"H-9,hydrant,\xd5\xfd\xbd\xd6,t-1,z-9,municipal,29.38,106.53,\xd5\xfd\xbd\xd6,,,900\n",
    );
    let open = b"H-9,hydrant,\"Hydrant 9,t-1,z-9,municipal,29.38,106.53,Road,,,900\n";
    let rows: [(&str, &str, &[u8]); 3] = [
        ("24: a quote left open", "S-1", open),
        ("24: GBK below UTF-8", "S-2", &mixed),
        ("24: an address of 201 letters", "S-3", &long),
    ];
    for (story, device, row) in rows {
        site.gateway.kill();
        std::fs::write(&file, [good.as_slice(), row].concat()).expect("the registry");
        site.gateway.start_again();
        site.gateway.wait_ready();
        let ready = standpipe_tests::http::get(&site.gateway.at("/readyz"), "");
        let degraded = ready.1["degraded"].as_array().is_some_and(|parts| !parts.is_empty());
        assert!(ready.0 == 200 && degraded, "{story}: {ready:?}");
        let known = site.gateway.list("devices").len();
        assert_eq!(known, 6, "{story}: the devices it had");
        let is_fault = |incident: &Value| {
            says(&incident["conditions"], "registry_fault") && incident["state"] != "closed"
        };
        let fault = site.gateway.incident(story, SOON, is_fault);
        assert_eq!((&fault["class"], &fault["severity"]), (&json!("upkeep"), &json!("warning")));
        site.device_says(device, "alarm", &json!({"condition": "smoke", "active": true}));
        settles(SOON, || {
            let found = told(&site.gateway.list("incidents"), device);
            (found != "fire smoke")
                .then(|| format!("{story}: {device} burns: `{found}`"))
                .into_iter()
                .collect()
        });
    }
    site.gateway.kill();
    std::fs::write(&file, good).expect("the registry");
    site.gateway.start_again();
    site.gateway.wait_ready();
    let ready = standpipe_tests::http::get(&site.gateway.at("/readyz"), "");
    let degraded = ready.1["degraded"].as_array().is_some_and(|parts| !parts.is_empty());
    assert!(ready.0 == 200 && !degraded, "a good file again: {ready:?}");
}
