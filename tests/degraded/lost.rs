//! A store that is gone, empty or malformed where one was.

use serde_json::{Value, json};
use standpipe_tests::gateway::TOKEN;
use standpipe_tests::wait_for;

use super::site::{DegradedTown, RESTORE, SOON, files_of, garble, remove};

/// What a gateway with a lost store says, and that it pages.
fn is_lost(town: &DegradedTown, fault: &str, detector: &str) {
    town.pages_a_fire_of(detector);
    let ready = town.ready();
    let parts = ready["degraded"].as_array().expect("a list").clone();
    assert!(parts.contains(&json!("store_lost")), "{ready}");
    let warnings = ready["warnings"].to_string();
    for words in [fault, RESTORE, "standpipe run --new-store"] {
        assert!(warnings.contains(words), "{words}: {ready}");
    }
    assert!(town.page("/", "zh").contains("data-part=\"store_lost\""));
}

#[test]
fn a_store_that_is_lost_is_told_over_any_number_of_starts_until_a_person_has_chosen() {
    type Loss = (&'static str, &'static str, fn(&DegradedTown));
    let losses: [Loss; 3] = [
        ("gone", "the store is gone", |town| remove(town, "store.db")),
        ("empty", "the store is empty", |town| std::fs::write(town.file("store.db"), "").unwrap()),
        ("garbage", "the store is malformed", |town| garble(town, "store.db")),
    ];
    for (story, fault, loses) in losses {
        println!("{story}");
        let mut town = DegradedTown::begin();
        town.start();
        town.pages_a_fire_of("S-12");
        let config = town.file("standpipe.toml").display().to_string();
        let out = town.file("backups").display().to_string();
        let backup = ["backup", "--config", &config, "--out", &out];
        assert_eq!(town.gateway.command(&backup).0, Some(0), "{story}");
        let backup = files_of(&town.file("backups"), "standpipe-").remove(0).display().to_string();
        town.gateway.kill();
        for tail in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(town.file(&format!("store.db{tail}")));
        }
        loses(&town);
        // A row that nobody can read keeps the others from nobody.
        let devices = std::fs::read(town.file("devices.csv")).unwrap();
        std::fs::write(town.file("devices.csv"), [&devices, &b"BAD,row\n"[..]].concat()).unwrap();
        town.start();
        is_lost(&town, fault, "S-1");
        town.gateway.kill();
        std::fs::write(town.file("devices.csv"), &devices).unwrap();
        town.start();
        is_lost(&town, fault, "S-2");
        town.gateway.kill();
        let restore = ["restore", "--from", &backup, "--config", &config];
        assert_eq!(town.gateway.command(&restore).0, Some(0), "{story}");
        town.start();
        wait_for("all is well", SOON, || (town.ready()["degraded"] == json!([])).then_some(()));
        let fire = |incident: &Value| incident["device"]["id"] == "S-12";
        town.gateway.incident("the fire of before", SOON, fire);
        town.pages_a_fire_of("S-3");
    }
}

#[test]
fn a_new_store_is_gone_on_with_when_a_person_says_so() {
    let mut town = DegradedTown::begin();
    town.start();
    town.gateway.kill();
    remove(&town, "store.db");
    town.start();
    is_lost(&town, "the store is gone", "S-1");
    town.gateway.kill();
    let mut accepting = std::process::Command::new(standpipe_tests::gateway::program())
        .args(["run", "--new-store", "--config", "standpipe.toml"])
        .current_dir(&town.gateway.dir)
        .env("STANDPIPE_ADMIN_TOKEN", TOKEN)
        .spawn()
        .unwrap();
    town.gateway.wait_ready();
    let degraded = town.ready()["degraded"].clone();
    accepting.kill().unwrap();
    accepting.wait().unwrap();
    assert_eq!(degraded, json!([]));
    town.start();
    assert_eq!(town.ready()["degraded"], json!([]));
}
