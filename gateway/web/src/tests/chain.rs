//! The chain's heartbeat on every page and in the stream, and places and readers that pages and
//! programs have apart.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use standpipe_machine::clock::Clock;
use standpipe_store::accounts::Role;
use tokio::time::{sleep, timeout};

use super::console::{Browser, pages, town};
use super::{FIRE, Served};

const STILL: &str = "ALARMS MAY NOT COME THROUGH";

/// Whether the banner is to be seen; `None`: the page has none.
fn banner(page: &str) -> Option<bool> {
    let place = page.find(" id=\"chain\"")?;
    let tag = page[..place].rfind('<').map(|begin| &page[begin..])?;
    let (tag, _) = tag.split_once('>')?;
    assert!(tag.contains("class=\"banner bad\"") && tag.contains("data-limit=\"15000\""), "{tag}");
    Some(!tag.contains("hidden"))
}

#[tokio::test]
async fn every_page_has_its_age_and_says_over_everything_when_it_is_too_old() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    assert_eq!(banner(&admin.text("/").await), None, "nobody sends any");
    let now = || Clock::new().now();
    for (ago, shown, words) in [(3_000, false, "3 s ago"), (20_000, true, "20 s ago")] {
        for page in &pages() {
            api.parts.health.chain.begin(now() - ago);
            let text = admin.text(page).await;
            assert_eq!(banner(&text), Some(shown), "{page} {ago}");
            assert!(text.contains(STILL) && text.contains(words), "{page}: {text}");
        }
    }
    let text = admin.get_in("zh", "/").await.text().await.unwrap();
    assert!(text.contains("警情可能无法送达") && text.contains("20 秒前"), "{text}");
    let warnings = api.get("/readyz").await["warnings"].clone();
    assert!(
        warnings.as_array().unwrap().iter().any(|warning| warning["part"] == "chain"),
        "{warnings}"
    );
}

#[tokio::test]
async fn a_heartbeat_that_is_on_disk_is_heard_in_the_stream() {
    let api = Served::alive().await;
    api.parts.health.chain.begin(Clock::new().now() - 60_000);
    let mut stream = api.ask("GET", "/api/v1/stream").send().await.unwrap();
    let sent = Clock::new().now();
    api.says("gateway/chain", &json!({"ts": sent}));
    let mut said = String::new();
    while !said.contains("event: chain") || !said.ends_with("\n\n") {
        let chunk = timeout(Duration::from_secs(5), stream.chunk()).await;
        said.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
    }
    let data = said.split_once("event: chain\ndata: ").unwrap().1;
    let data: Value = serde_json::from_str(data.lines().next().unwrap()).unwrap();
    assert_eq!(data["ts"], sent, "{said}");
    assert!(data["age_ms"].as_i64().unwrap() < 5_000, "{said}");
    assert_eq!(api.parts.health.chain.age(sent), Some(0));
    let kept: String = api
        .db
        .query_row("SELECT value FROM meta WHERE key = 'heartbeat'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, sent.to_string(), "it has been on the disk");
}

#[tokio::test]
async fn a_page_hears_the_age_every_few_seconds_though_nothing_comes_through() {
    let api = town().await;
    let viewer = Browser::of(&api, "wang", Role::Viewer, Some("S2")).await;
    api.parts.health.chain.begin(Clock::new().now() - 20_000);
    let mut stream = viewer.get("/live").await;
    let mut ages = Vec::new();
    while ages.len() < 2 {
        let chunk = timeout(Duration::from_secs(9), stream.chunk()).await;
        let chunk = chunk.expect("every 4 s").unwrap().unwrap();
        let text = std::str::from_utf8(&chunk).unwrap().to_owned();
        if let Some((_, data)) = text.split_once("event: beat\ndata: ") {
            let data: Value = serde_json::from_str(data.lines().next().unwrap()).unwrap();
            ages.push(data["chain_age_ms"].as_i64().unwrap());
        }
    }
    assert!(ages[0] >= 24_000 && ages[1] >= 28_000, "{ages:?}");
}

/// While no engine runs, whoever wants something done waits for as long as a request may take.
#[tokio::test]
async fn programs_fill_no_place_of_a_page_and_pages_none_of_a_program() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    let soon = Duration::from_secs(5);
    let mut waiting = tokio::task::JoinSet::new();
    let act = json!({"action": "comment", "by": "x", "note": "x"});
    for _ in 0..80 {
        let path = format!("/api/v1/incidents/{FIRE}/actions");
        let ask = api.ask("POST", &path).bearer_auth("s3cret");
        waiting.spawn(ask.json(&act).send());
    }
    sleep(Duration::from_millis(500)).await;
    timeout(soon, admin.text("/")).await.expect("a page, though programs have filled their places");
    let mine = api.ask("GET", "/api/v1/devices").bearer_auth("s3cret").send();
    assert!(timeout(Duration::from_secs(1), mine).await.is_err(), "they have filled them");
    waiting.abort_all();
    while waiting.join_next().await.is_some() {}

    let (path, form) =
        (format!("/incidents/{FIRE}/act"), format!("action=comment&note=x&csrf={}", admin.csrf));
    let mut waiting: FuturesUnordered<_> = (0..40).map(|_| admin.post(&path, &form)).collect();
    tokio::select! {
        answer = waiting.next() => panic!("{answer:?}: no engine runs"),
        () = sleep(Duration::from_millis(500)) => {}
    }
    let devices = api.ask("GET", "/api/v1/devices").bearer_auth("s3cret").send();
    tokio::select! {
        answer = waiting.next() => panic!("{answer:?}: no engine runs"),
        devices = timeout(soon, devices) => {
            let devices = devices.expect("a program, though pages are full").unwrap();
            assert_eq!(devices.status().as_u16(), 200);
        }
    }
    tokio::select! {
        answer = waiting.next() => panic!("{answer:?}: no engine runs"),
        page = timeout(Duration::from_secs(1), admin.text("/devices")) => {
            assert!(page.is_err(), "pages have filled theirs: {page:?}");
        }
    }
    let late = timeout(Duration::from_secs(15), waiting.next()).await.expect("an end").unwrap();
    assert_eq!(late.status().as_u16(), 503);
    assert_eq!(late.headers()["retry-after"], "2");
    let text = late.text().await.unwrap();
    assert!(text.contains("暂时无法使用"), "in words: {text}");
}
