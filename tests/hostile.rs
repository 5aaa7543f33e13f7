//! Bad input: it is counted, kept for people to see, and stops nothing.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::station::Station;
use standpipe_tests::{now, town, wait_for};

#[test]
fn an_alarm_behind_everything_bad_is_paged() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(2), town::devices(3, 3, 60));
    let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let terminal = Station::connect(broker.port, "+");
    terminal.present("t-1");
    let says = |topic: &str, body: Vec<u8>| {
        terminal.publish_raw(&format!("standpipe/v1/{topic}"), body);
    };
    let text = |text: &str| text.as_bytes().to_vec();
    for lane in ["telemetry", "alarm", "status", "reply"] {
        let topic = format!("t-1/H-1/{lane}");
        for body in [
            text("{"),
            text("nonsense"),
            text("[[[[[[[["),
            text("{\"pressure_kpa\":NaN}"),
            text("{\"pressure_kpa\":1e999}"),
            text("{\"boot\":-1}"),
            text("{\"ts\":\"yesterday\"}"),
            text("{\"condition\":\"fog\",\"active\":true}"),
            vec![0xff, 0xfe, 0x80],
            vec![b'x'; 1 << 20],
            vec![b'['; 100_000],
        ] {
            says(&topic, body);
        }
    }
    says("t-1/no such device/telemetry", text("{}"));
    says("t-1/H-1/telemetry/deeper", text("{}"));
    says("stations/t-1/actions", text("{\"incident\":\"x\",\"action\":\"explode\"}"));
    says(
        "stations/t-1/actions",
        text("{\"incident\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"action\":\"resolve\"}"),
    );
    let many: Vec<Value> = (0..10_000)
        .map(|n| json!({"boot": 1, "seq": n + 1, "pressure_kpa": 300 + n % 7}))
        .collect();
    says("t-1/H-2/telemetry", json!(many).to_string().into_bytes());
    let mixed = "[{\"boot\":1,\"seq\":1,\"pressure_kpa\":300},{\"boot\":\"x\"},{\"boot\":1,\"seq\":2,\"pressure_kpa\":301}]";
    says("t-1/H-3/telemetry", text(mixed));
    says(
        "t-1/S-1/alarm",
        text(&format!(
            "{{\"ts\":{},\"condition\":\"smoke\",\"active\":true}}",
            now() + 900_000_000
        )),
    );
    terminal.wait("the fire behind it all", Duration::from_secs(10), |shown| {
        shown.station == "t-1" && shown.body["class"] == "fire" && shown.body["page_id"].is_string()
    });
    wait_for("the readings", Duration::from_secs(20), || {
        let rows = gateway.list("ledger");
        let received = |id: &str| {
            rows.iter().find(|row| row["device"] == id).and_then(|row| row["received"].as_i64())
        };
        (received("H-2") == Some(10_000) && received("H-3") == Some(2)).then_some(())
    });
    let quarantine = gateway.list("quarantine");
    assert!(quarantine.len() >= 40, "{} in quarantine", quarantine.len());
    for entry in &quarantine {
        assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{entry}");
        assert!(
            entry["payload_base64"].as_str().is_some_and(|payload| payload.len() <= 6_000),
            "{entry}"
        );
    }
    let (status, metrics) = standpipe_tests::http::try_get(&gateway.at("/metrics"), "").unwrap();
    assert_eq!(status, 200);
    assert!(metrics.contains("standpipe_"), "{metrics}");
    let device = gateway.get("devices/S-1");
    assert!(device["conditions"].as_array().unwrap().contains(&json!("clock_fault")), "{device}");
}

#[test]
fn a_gateway_without_a_broker_says_so_and_serves_what_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let files = (town::stations(2), town::devices(3, 3, 60));
    let nobody = format!("mqtt://127.0.0.1:{}", standpipe_tests::process::free_port());
    let more = format!(
        "[influx]\nurl = \"http://127.0.0.1:{}\"\norg = \"none\"\ntoken_file = \"token\"\nbucket = \"none\"",
        standpipe_tests::process::free_port()
    );
    std::fs::create_dir_all(dir.path().join("gateway")).unwrap();
    std::fs::write(dir.path().join("gateway/token"), "secret").unwrap();
    let gateway = Gateway::start_unready(dir.path(), &nobody, (&files.0, &files.1), &more);
    wait_for("its page", Duration::from_secs(20), || {
        standpipe_tests::http::try_get(&gateway.at("/healthz"), "").filter(|answer| answer.0 == 200)
    });
    assert_eq!(gateway.list("devices").len(), 6);
    let (status, ready) = standpipe_tests::http::get(&gateway.at("/readyz"), "");
    assert_eq!(status, 503, "{ready}");
    assert!(ready.to_string().contains("broker"), "{ready}");
    wait_for("a plain word about it", Duration::from_secs(10), || {
        gateway.printed().contains("127.0.0.1").then_some(())
    });
}
