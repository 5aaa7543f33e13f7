//! What is older than it is kept for leaves the databases of a running gateway, and is in the archive.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::{now, wait_for};

const STATIONS: &str = "id,name,level,parent,lat,lon\n\
    d,支队,district,,29.38,106.54\n\
    t-1,鱼洞站,township,d,29.38,106.55\n";
const DEVICES: &str = "id,kind,name,station,zone,profile,lat,lon,address,building\n\
    D-1,smoke,感烟 1,t-1,,smoke_home,29.381,106.561,新市街 3 号,A\n\
    D-2,smoke,感烟 2,t-1,,smoke_home,29.382,106.562,新市街 5 号,B\n";
const SOON: Duration = Duration::from_secs(30);
const SIX_YEARS: i64 = 6 * 366 * 86_400_000;

fn fire(client: &Client, device: &str, active: bool) {
    let body = json!({"condition": "smoke", "active": active, "ts": now()}).to_string();
    client.publish(&format!("standpipe/v1/t-1/{device}/alarm"), body);
}

fn fire_of(gateway: &Gateway, device: &str) -> String {
    let fire = gateway.incident(device, SOON, |incident| incident["device"]["id"] == device);
    fire["id"].as_str().unwrap().to_owned()
}

/// The lines of all files of that kind.
fn archived(folder: &Path, kind: &str) -> Vec<Value> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(kind));
    let text: String = files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_over_for_years_is_in_the_archive_and_in_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let mut gateway = Gateway::start(dir.path(), &url, (STATIONS, DEVICES), "");
    let client = Client::connect(broker.port, "field");
    fire(&client, "D-1", true);
    let old = fire_of(&gateway, "D-1");
    client.publish("standpipe/v1/t-1/D-1/telemetry", "{not json");
    fire(&client, "D-1", false);
    let action = json!({"action": "false_alarm", "by": "Li"});
    let (status, answer) = gateway.post(&format!("incidents/{old}/actions"), &action);
    assert_eq!(status, 200, "{answer}");
    wait_for("the end of the fire", SOON * 6, || {
        (gateway.get(&format!("incidents/{old}"))["state"] == "closed").then_some(())
    });
    fire(&client, "D-2", true);
    let open = fire_of(&gateway, "D-2");
    wait_for("the message that was not understood", SOON, || {
        (!gateway.list("quarantine").is_empty()).then_some(())
    });

    // Six years pass, which nothing here waits for.
    gateway.kill();
    let store = Connection::open(dir.path().join("gateway/store.db")).unwrap();
    let ago = [SIX_YEARS];
    store.execute("UPDATE incident SET opened_at = opened_at - ?1, closed_at = closed_at - ?1 WHERE open = 0", ago).unwrap();
    store.execute("UPDATE quarantine SET at = at - ?1", ago).unwrap();
    drop(store);
    let accounts = Connection::open(dir.path().join("gateway/accounts.db")).unwrap();
    let refused = accounts.execute("DELETE FROM audit", ()).unwrap_err().to_string();
    assert!(refused.contains("append-only"), "{refused}");
    accounts
        .execute(
            "INSERT INTO audit (at, who, what, detail) VALUES (?1, 'Li', 'signed_in', '')",
            [now() - SIX_YEARS],
        )
        .unwrap();
    let lines = |accounts: &Connection| -> i64 {
        accounts
            .query_row("SELECT COUNT(*) FROM audit WHERE at > ?1", [now() - SIX_YEARS / 2], |row| {
                row.get(0)
            })
            .unwrap()
    };
    // Before it in the log, and younger: the clock was set back between them.
    let young = lines(&accounts);
    assert!(young > 0);
    gateway.start_again();

    let folder = dir.path().join("gateway/archive");
    let incidents = wait_for("the archive", SOON, || {
        let lines = archived(&folder, "incidents");
        (!lines.is_empty() && !archived(&folder, "audit").is_empty()).then_some(lines)
    });
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0]["incident"]["id"], *old);
    let by: Vec<_> =
        incidents[0]["trail"].as_array().unwrap().iter().map(|entry| &entry["by"]).collect();
    assert!(by.iter().any(|by| by.as_str().unwrap().contains("Li")), "{by:?}");
    wait_for("the incident to be gone", SOON, || {
        (gateway.ask(&format!("incidents/{old}")).0 == 404).then_some(())
    });
    assert_eq!(archived(&folder, "quarantine").len(), 1);
    wait_for("the message to be gone", SOON, || {
        gateway.list("quarantine").is_empty().then_some(())
    });
    let audit = archived(&folder, "audit");
    assert_eq!((audit.len(), &audit[0]["who"]), (1, &json!("Li")), "{audit:?}");
    assert_eq!(lines(&accounts), young, "what is younger stays");
    assert_eq!(gateway.get(&format!("incidents/{open}"))["state"], "open");

    // The detector of the fire that nobody knows any more.
    fire(&client, "D-1", true);
    assert_ne!(fire_of(&gateway, "D-1"), old);
}
