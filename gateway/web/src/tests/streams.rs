//! The stream: live, resumed, told what it missed, and alone with its slowness.

use std::time::Duration;

use reqwest::Response;
use serde_json::json;
use standpipe_engine::Input;
use standpipe_store::accounts::Role;

use super::console::Browser;
use super::{NOON, Served};

/// Reads from a stream until it has said `count` events; each as `id event data`.
async fn told(stream: &mut Response, count: usize) -> Vec<String> {
    let (mut events, mut text) = (Vec::new(), String::new());
    while events.len() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await;
        text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
        let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
        let rest = text.split_off(whole);
        let said = text.split_terminator("\n\n").filter(|event| event.contains("data: "));
        events.extend(said.map(|event| event.lines().map(value).collect::<Vec<_>>().join(" ")));
        text = rest;
    }
    events
}

fn value(line: &str) -> &str {
    line.split_once(": ").map_or(line, |(_, value)| value)
}

async fn open(api: &Served, last: Option<&str>) -> Response {
    let mut ask = api.ask("GET", "/api/v1/stream");
    if let Some(last) = last {
        ask = ask.header("last-event-id", last);
    }
    let stream = ask.send().await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    stream
}

#[tokio::test]
async fn a_new_client_hears_what_happens_from_now_on() {
    let api = Served::start(None).await;
    api.event("device", &json!({"before":1}));
    let mut stream = open(&api, None).await;
    let hello = stream.chunk().await.unwrap().unwrap();
    let hello = std::str::from_utf8(&hello).unwrap();
    assert_eq!(
        hello, "id: 1\nretry: 2000\n: standpipe\n\n",
        "where it is, before anything happened"
    );
    api.event("incident", &json!({"id":"X","rev":1}));
    assert_eq!(told(&mut stream, 1).await, [r#"2 incident {"id":"X","rev":1}"#]);
    api.event("page", &json!({"n":3}));
    api.event("presence", &json!({"n":4}));
    assert_eq!(told(&mut stream, 2).await, [r#"3 page {"n":3}"#, r#"4 presence {"n":4}"#]);
}

#[tokio::test]
async fn who_comes_back_gets_what_followed() {
    let api = Served::start(None).await;
    for n in 1..=600 {
        api.event("device", &json!({ "n": n }));
    }
    let mut stream = open(&api, Some("100")).await;
    let events = told(&mut stream, 500).await;
    assert_eq!(events.len(), 500, "more than one page of them");
    assert_eq!(events[0], r#"101 device {"n":101}"#);
    assert_eq!(events[499], r#"600 device {"n":600}"#);
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn who_was_away_too_long_is_told_and_gets_the_oldest_kept() {
    let api = Served::start(None).await;
    for n in 1..=10 {
        api.event("device", &json!({ "n": n }));
    }
    api.db.execute("DELETE FROM event WHERE id <= 8", ()).unwrap();
    for (story, last, first) in [
        ("the next is still there",     "8",  r#"9 device {"n":9}"#),
        ("one too old",                 "7",  r#"8 reset {"asked":7,"oldest":9}"#),
        ("from the very beginning",     "0",  r#"8 reset {"asked":0,"oldest":9}"#),
        ("of another store, it seems",  "11", r#"8 reset {"asked":11,"oldest":9}"#),
    ] {
        let mut stream = open(&api, Some(last)).await;
        assert_eq!(told(&mut stream, 2).await[0], first, "{story}");
    }
    api.db.execute("DELETE FROM event", ()).unwrap();
    let mut stream = open(&api, Some("7")).await;
    assert_eq!(told(&mut stream, 1).await, [r#"10 reset {"asked":7,"oldest":11}"#], "none is kept");
    let mut stream = open(&api, None).await;
    api.event("device", &json!({"n":11}));
    assert_eq!(told(&mut stream, 1).await, [r#"11 device {"n":11}"#], "and a new one needs none");
}

#[tokio::test]
async fn a_bad_last_event_id_is_refused() {
    let api = Served::start(None).await;
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        let ask = api.ask("GET", "/api/v1/stream").header("last-event-id", bad);
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{bad}");
        let said = answer.text().await.unwrap();
        assert!(said.contains(&format!("parameter `Last-Event-ID` is `{bad}`")), "{said}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_nobody() {
    let api = Served::start(None).await;
    let _deaf = open(&api, Some("0")).await;
    let mut live = open(&api, Some("0")).await;
    let long = "x".repeat(10_000);
    for n in 1..=1_000 {
        api.event("device", &json!({"n":n,"long":long}));
    }
    let events = told(&mut live, 1_000).await;
    assert!(events[999].starts_with("1000 device"));
    assert_eq!(api.get("/api/v1/devices").await["total"], 0);
}

#[tokio::test]
async fn one_client_too_many_is_refused_until_one_leaves() {
    let api = Served::start(None).await;
    let mut streams = Vec::new();
    for _ in 0..400 {
        streams.push(open(&api, None).await);
    }
    let refused = api.ask("GET", "/api/v1/stream").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.text().await.unwrap().contains("400 clients stream already"));
    assert_eq!(api.get("/api/v1/devices").await["total"], 0, "everything else is served");
    streams.pop();
    let again = async {
        while api.ask("GET", "/api/v1/stream").send().await.unwrap().status().as_u16() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.unwrap();
}

#[tokio::test]
async fn a_station_hears_of_its_own_pages_until_they_are_delivered() {
    let api = Served::alive_for(Some("s3cret")).await;
    let of_s1 = Browser::of(&api, "li", Role::Officer, Some("S1")).await;
    let of_s2 = Browser::of(&api, "wang", Role::Officer, Some("S2")).await;
    let ask = json!({"condition":"smoke","active":true,"smoke_db_m":0.31});
    let mut streams = [of_s1.get("/live?after=0").await, of_s2.get("/live?after=0").await];
    api.says("a/SM-1/alarm", &ask);
    let query = "SELECT page_id FROM page WHERE receiver = 'S1'";
    let wait = async {
        loop {
            if let Ok(id) = api.db.query_row(query, (), |row| row.get::<_, String>(0)) {
                return id;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap();
    let (page_id, why) = (page.parse().unwrap(), "refused".into());
    api.parts.engine.send(Input::Delivered { page_id }.at(NOON)).await.unwrap();
    api.parts.engine.send(Input::GaveUp { page_id, why }.at(NOON)).await.unwrap();
    let mut told = String::new();
    while !(told.contains("delivered_at") && told.contains("gave_up_at")) {
        let chunk = tokio::time::timeout(Duration::from_secs(5), streams[0].chunk()).await.unwrap();
        told.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    assert!(told.contains("\"smoke_db_m\":0.31}"), "as it was measured: {told}");
    let mut said = String::new();
    while !said.contains("beat") {
        let chunk = tokio::time::timeout(Duration::from_secs(9), streams[1].chunk()).await.unwrap();
        said.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    assert!(!said.contains("page_id") && !said.contains("SM-1"), "nothing of it: {said}");
}
