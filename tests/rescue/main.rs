//! A disk that takes nothing, under the real gateway: it pages from memory, says so everywhere, and stores
//! all of it when there is room. The disk is a real one, small and full.

mod site;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use standpipe_tests::{http, instant, wait_for};

use site::{FullDiskTown, SOON};

#[test]
fn fires_on_a_full_disk_are_paged_and_stored_when_there_is_room() {
    let town = FullDiskTown::begin(24, 400);
    town.fires(1..21);
    town.are_shown(1..21, SOON);
    assert_eq!(town.ready()["degraded"], json!([]));
    assert!(town.ballast().exists(), "laid when the gateway started");

    town.disk.fill();
    wait_for("the ballast to be given up", SOON, || {
        town.fires(1..2);
        (!town.ballast().exists()).then_some(())
    });
    town.disk.fill();
    let started = instant();
    town.fires(21..221);
    town.are_shown(21..221, Duration::from_secs(30));
    println!("200 fires on a full disk were paged after {:?}", started.elapsed());
    wait_for("rescue", SOON, || {
        town.fires(221..222);
        town.ready()["degraded"].to_string().contains("\"rescue\"").then_some(())
    });
    town.says_everywhere_that_nothing_can_be_stored();
    let incident = town.open_incident("S-100");
    town.acknowledges(&incident);
    town.is_paged_as_not_stored(223);

    town.disk.make_room();
    town.runs_as_ever();
    town.every_page_is_stored();
    town.no_page_has_two_ids();
    let state = town.gateway.get(&format!("incidents/{incident}"))["state"].clone();
    assert_eq!(state, "acknowledged", "what people did is stored, too");
    wait_for("topics that say that they are stored", SOON, || {
        let newest = town.newest_on_topics();
        newest.values().all(|shown| shown.get("stored").is_none()).then_some(())
    });
    wait_for("a new ballast", SOON, || town.ballast().exists().then_some(()));

    // It was all written to the file: a start finds it there.
    let mut town = town;
    town.gateway.kill();
    town.gateway.start_again();
    town.gateway.wait_ready();
    assert_eq!(town.gateway.get(&format!("incidents/{incident}"))["state"], "acknowledged");
    town.no_page_has_two_ids();
    let fires = town.count("SELECT count(*) FROM incident WHERE class = 'fire'");
    assert_eq!(fires, 222, "each once: 1 to 221, and 223");
}

#[test]
fn five_thousand_alarms_on_a_full_disk_are_paged_within_half_a_minute() {
    let town = FullDiskTown::begin(64, 5_000);
    std::fs::remove_file(town.ballast()).unwrap();
    town.disk.fill();
    let started = instant();
    town.fires(1..5_001);
    town.are_shown(1..5_001, Duration::from_secs(30));
    println!("5,000 alarms on a full disk were paged after {:?}", started.elapsed());
    assert!(town.ready()["degraded"].to_string().contains("\"rescue\""));
    town.disk.make_room();
    town.runs_as_ever();
    town.no_page_has_two_ids();
    let fires = town.count("SELECT count(*) FROM incident WHERE class = 'fire'");
    assert_eq!(fires, 5_000, "each once");
}

#[test]
fn what_was_not_stored_comes_again_from_the_broker_after_a_kill() {
    let mut town = FullDiskTown::begin(24, 60);
    std::fs::remove_file(town.ballast()).unwrap();
    town.disk.fill();
    town.fires(1..41);
    town.are_shown(1..41, SOON);
    let before = town.pages_of_fires();
    for n in 0..100 {
        town.reads("H-1", n);
    }
    town.gateway.kill();
    town.disk.make_room();
    town.gateway.start_again();
    town.gateway.wait_ready();
    // No terminal is there, and the receiver of pages refuses: nobody has confirmed any of them.
    wait_for("all fires", SOON, || {
        let fires = town.count("SELECT count(*) FROM incident WHERE class = 'fire'");
        (fires == 40).then_some(())
    });
    let after = town.pages_of_fires();
    let first = |pages: &BTreeSet<String>| pages.iter().next().cloned();
    for (incident, pages) in &before {
        let known = after.get(incident).and_then(first);
        assert!(known.is_some(), "{incident} {pages:?}: the same incident, by its id");
    }
    wait_for("all readings", SOON, || {
        let (_, metrics) = http::try_get(&town.gateway.at("/metrics"), "")?;
        metrics.lines().any(|line| line == "standpipe_readings_total 100").then_some(())
    });
}

#[test]
fn a_gateway_that_starts_on_a_full_disk_pages_and_stores_when_there_is_room() {
    let mut town = FullDiskTown::begin(24, 60);
    town.fires(1..6);
    town.are_shown(1..6, SOON);
    let incident = town.open_incident("S-1");
    std::fs::remove_file(town.ballast()).unwrap();
    town.disk.fill();
    town.gateway.kill();
    town.starts_in_rescue();
    town.fires(6..30);
    town.are_shown(6..30, SOON);
    town.acknowledges(&incident);
    town.disk.make_room();
    town.runs_as_ever();
    town.every_page_is_stored();
    town.no_page_has_two_ids();
    let state = "SELECT count(*) FROM incident WHERE state = 'acknowledged' AND class = 'fire'";
    assert_eq!(town.count(state), 1);
    assert_eq!(town.count("SELECT count(*) FROM incident WHERE class = 'fire'"), 29);
}

#[test]
fn a_gateway_that_may_only_read_its_store_pages_and_stores_when_it_may_write() {
    let mut town = FullDiskTown::begin(24, 60);
    town.fires(1..6);
    town.are_shown(1..6, SOON);
    town.gateway.kill();
    town.disk.remount("ro");
    town.starts_in_rescue();
    let incident = town.open_incident("S-1");
    town.fires(6..30);
    town.are_shown(6..30, SOON);
    town.acknowledges(&incident);
    // And once more: what was not confirmed comes again.
    town.gateway.kill();
    town.starts_in_rescue();
    wait_for("the fires of before", SOON, || {
        let fires = town.gateway.list("incidents?severity=fire&state=open,acknowledged");
        (fires.len() == 29).then_some(())
    });
    town.disk.remount("rw");
    town.runs_as_ever();
    town.no_page_has_two_ids();
    assert_eq!(town.count("SELECT count(*) FROM incident WHERE class = 'fire'"), 29);
}

#[test]
fn a_gateway_that_can_read_nothing_of_its_store_pages_by_the_files_of_its_registry() {
    let mut town = FullDiskTown::begin(24, 60);
    town.gateway.kill();
    let file = town.disk.path.join("standpipe.db");
    std::fs::rename(&file, town.disk.path.join("away.db")).unwrap();
    std::fs::create_dir(&file).unwrap();
    town.starts_in_rescue();
    town.fires(1..6);
    town.are_shown(1..6, SOON);
    let place = town.gateway.get("devices/S-1")["station"].clone();
    assert_eq!(place, "t-1", "as the file says");
}

#[test]
fn five_thousand_alarms_over_three_restarts_on_a_full_disk_are_each_one_fire() {
    let mut town = FullDiskTown::begin(64, 5_000);
    std::fs::remove_file(town.ballast()).unwrap();
    town.disk.fill();
    let started = instant();
    town.shouts(1..5_001);
    town.are_shown(1..5_001, Duration::from_secs(30));
    println!("5,000 alarms on a full disk were paged after {:?}", started.elapsed());
    for nth in 1..=3 {
        town.gateway.kill();
        town.forgets_what_it_saw();
        town.starts_in_rescue();
        // No device has a receipt: each says it again.
        let started = instant();
        town.shouts(1..5_001);
        town.are_shown(1..5_001, Duration::from_secs(30));
        println!("after restart {nth} they were paged after {:?}", started.elapsed());
    }
    town.disk.make_room();
    town.runs_as_ever();
    town.no_page_has_two_ids();
    town.nothing_was_shown_under_two_ids();
    assert_eq!(
        town.count("SELECT count(*) FROM incident WHERE class = 'fire'"),
        5_000,
        "each once"
    );
}

/// What is done to the store's files, which are named by their path.
type Harm = (&'static str, fn(&std::path::Path));

#[test]
fn a_store_that_is_harmed_under_the_running_gateway_costs_no_fire() {
    let harms: [Harm; 3] = [
        ("the log is emptied", |disk| {
            std::fs::File::create(disk.join("standpipe.db-wal")).unwrap();
        }),
        ("the store is removed", |disk| {
            for name in ["standpipe.db", "standpipe.db-wal", "standpipe.db-shm"] {
                std::fs::remove_file(disk.join(name)).unwrap();
            }
        }),
        ("the log is removed", |disk| std::fs::remove_file(disk.join("standpipe.db-wal")).unwrap()),
    ];
    for (story, harm) in harms {
        let mut town = FullDiskTown::begin(64, 400);
        town.fires(1..21);
        town.are_shown(1..21, SOON);
        harm(&town.disk.path);
        let started = instant();
        town.shouts(21..121);
        town.are_shown(21..121, SOON);
        println!("{story}: 100 fires were paged after {:?}", started.elapsed());
        wait_for("a new store", Duration::from_secs(60), || {
            let degraded = town.ready()["degraded"].to_string();
            (degraded.contains("store_lost") && !degraded.contains("rescue")).then_some(())
        });
        town.fires(121..131);
        town.are_shown(121..131, SOON);
        town.gateway.kill();
        town.gateway.start_again();
        town.gateway.wait_ready();
        assert!(
            town.ready()["degraded"].to_string().contains("store_lost"),
            "{story}: told until a choice"
        );
        town.no_page_has_two_ids();
        town.nothing_was_shown_under_two_ids();
        let fires = town.count("SELECT count(*) FROM incident WHERE class = 'fire'");
        assert_eq!(fires, 130, "{story}: each once, and none is gone");
        let kept = std::fs::read_dir(&town.disk.path).unwrap().filter_map(Result::ok);
        let kept = kept.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let was_kept = kept.into_iter().any(|name| name.starts_with("standpipe.db.unreadable-"));
        assert_eq!(was_kept, story != "the store is removed", "{story}");
    }
}
