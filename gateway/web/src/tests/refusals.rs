//! What is refused, and whether the answer says why and what to do.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{FIRE, Served};

async fn problem(answer: reqwest::Response) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let status = answer.status().as_u16();
    let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(problem["status"], Value::from(status));
    problem
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn every_refusal_says_what_is_wrong_with_the_value_and_what_to_do() {
    let api = Served::start(None).await;
    api.town();
    let device = r#"{"kind":"hydrant","name":"","station":"S9","lat":91,"lon":1e9,"profile":"x","interval_s":0,"zone":"a\u0007b"}"#;
    let long = format!(r#"{{"action":"comment","note":"{}"}}"#, "x".repeat(1_001));
    let act = format!("/api/v1/incidents/{FIRE}/actions");
    let act = act.as_str();
    for (method, path, body, status, name, words) in [
        ("GET",    "/api/v1/nothing", "", 404, "no-path", "no path `/api/v1/nothing`: see /api/openapi.json"),
        ("GET",    "/api/v2", "", 404, "no-path", "see /api/openapi.json"),
        ("GET",    "/wp-login.php", "", 404, "no-path", "no path `/wp-login.php`"),
        ("DELETE", "/api/v1/stations/S1", "", 405, "no-method", "`DELETE` is not done on"),
        ("POST",   "/api/v1/ledger", "{}", 405, "no-method", "`Allow` header"),
        ("GET",    act, "", 405, "no-method", "`GET` is not done on"),
        ("GET",    "/api/v1/devices/H-9", "", 404, "unknown", "no device `H-9`: see GET /api/v1/devices"),
        ("GET",    "/api/v1/devices/a%2Fb", "", 404, "unknown", "no device `a/b`"),
        ("GET",    "/api/v1/devices/%FF", "", 400, "bad-request", "UTF-8"),
        ("GET",    "/api/v1/stations/S9", "", 404, "unknown", "no station `S9`"),
        ("GET",    "/api/v1/incidents/7", "", 404, "unknown", "no incident `7`"),
        ("GET",    "/api/v1/incidents/01KAV00000000000000000000X", "", 404, "unknown", "no incident"),
        ("GET",    "/api/v1/devices?page=0", "", 400, "bad-parameter", "parameter `page` is `0`: use a whole number from 1"),
        ("GET",    "/api/v1/devices?kind=dog", "", 400, "bad-parameter", "parameter `kind` is `dog`: use one of hydrant, smoke"),
        ("GET",    "/api/v1/devices?condition=fog", "", 400, "bad-parameter", "one of smoke, heat, no_water"),
        ("GET",    "/api/v1/devices?colour=red", "", 400, "bad-parameter", "only station, kind, condition, q, page, per_page"),
        ("GET",    "/api/v1/devices/H-1?page=1", "", 400, "bad-parameter", "takes no parameters"),
        ("GET",    "/api/v1/incidents?state=shut", "", 400, "bad-parameter", "one of open, acknowledged, resolved, verifying, closed"),
        ("GET",    "/api/v1/incidents?severity=bad", "", 400, "bad-parameter", "one of notice, warning, critical, fire"),
        ("GET",    "/api/v1/incidents?from=9&to=9", "", 400, "bad-parameter", "a time before `to`"),
        ("GET",    "/api/v1/ledger?from=soon", "", 400, "bad-parameter", "parameter `from` is `soon`: use Unix milliseconds"),
        ("GET",    "/api/v1/devices/H-9/history", "", 404, "unknown", "no device `H-9`"),
        ("GET",    "/api/v1/devices/H-1/history?field=colour", "", 400, "bad-parameter", "one of pressure_kpa"),
        ("GET",    "/api/v1/devices/H-1/history?step=fast", "", 400, "bad-parameter", "such as 30s, 15m, 1h, 1d"),
        ("GET",    "/api/v1/devices/H-1/history?step=9999d", "", 400, "bad-request", "use 0 for raw points"),
        ("POST",   act, r#"{"action":"dance"}"#, 400, "bad-request", "unknown variant `dance`, expected one of `shown`"),
        ("POST",   act, "{", 400, "bad-request", "the body can't be read"),
        ("POST",   act, r#"{"action":"resolve","colour":1}"#, 400, "bad-request", "unknown field `colour`"),
        ("POST",   act, r#"{"action":"resolve","incident":"7"}"#, 400, "bad-request", "leave it out"),
        ("POST",   act, long.as_str(), 400, "bad-request", "note has 1001 characters: use 1000 at most"),
        ("POST",   "/api/v1/incidents/x/actions", r#"{"action":"resolve"}"#, 404, "unknown", "no incident `x`"),
        ("PUT",    "/api/v1/devices/H-1", r#"{"kind":"dog"}"#, 400, "bad-request", "unknown variant `dog`"),
        ("PUT",    "/api/v1/devices/H-1", "[]", 400, "bad-request", "the body can't be read"),
        ("PUT",    "/api/v1/devices/a%23b", device, 400, "bad-request", "id `a#b` is not an id: leave out / + #"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "lat `91` is not degrees: write a number from -90 to 90"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "lon `1000000000` is not degrees"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "station `S9` is not registered"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "profile `x` is no such profile"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "interval_s `0` is not an interval: write 1 to 86400"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "name `` is empty: write a text"),
        ("PUT",    "/api/v1/devices/H-1", device, 400, "bad-request", "a control character: take it out"),
        ("PUT",    "/api/v1/devices/H-1", r#"{"kind":"hydrant","name":"n","station":"S9","lat":1,"lon":1}"#, 400, "bad-request", "station `S9` is no such good station"),
        ("PUT",    "/api/v1/devices/H-1", r#"{"id":"H-2","kind":"hydrant","name":"n","station":"S1","lat":1,"lon":1}"#, 400, "bad-request", "leave it out"),
        ("DELETE", "/api/v1/devices/H-9", "", 404, "unknown", "no device `H-9`"),
        ("POST",   "/api/v1/devices/H-9/replace", r#"{"by":"N-1"}"#, 404, "unknown", "no device `H-9`"),
        ("POST",   "/api/v1/devices/H-1/replace", r#"{"by":"a/b"}"#, 400, "bad-request", "by `a/b` is not an id"),
        ("POST",   "/api/v1/registry/import", "{}", 400, "bad-request", "no list: send `stations`, `devices` or both"),
        ("POST",   "/api/v1/registry/import", r#"{"devices":{"name":"d.csv","base64":"?"}}"#, 400, "bad-request", "d.csv is not base64"),
        ("POST",   "/api/v1/registry/import", r#"{"devices":{"name":"d","base64":""},"datum":"mars"}"#, 400, "bad-request", "datum = `mars`: write wgs84, gcj02, bd09"),
        ("POST",   "/api/v1/registry/import", r#"{"devices":{"name":"d","base64":""},"columns":"colour=x"}"#, 400, "bad-request", "`colour=x` names no column"),
    ] {
        let mut ask = api.ask(method, path);
        if !body.is_empty() {
            ask = ask.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let problem = problem(answer).await;
        assert_eq!(problem["type"], format!("urn:standpipe:problem:{name}"), "{method} {path}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{method} {path}: {words} in {detail}");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let api = Served::start(None).await;
    let answer = api.ask("POST", "/api/v1/devices/H-1").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405);
    assert_eq!(answer.headers()["allow"], "GET,HEAD,PUT,DELETE");
}

#[tokio::test]
async fn bodies_are_json_and_small() {
    let api = Served::start(None).await;
    let path = format!("/api/v1/incidents/{FIRE}/actions");
    let form = api.ask("POST", &path).header("content-type", "text/plain");
    let answer = form.body(r#"{"action":"resolve"}"#).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 415, "what a form of a web page could send");
    let large = api.ask("POST", &path).header("content-type", "application/json; charset=utf-8");
    let answer = large.body(" ".repeat(64 * 1024 + 1)).send().await.unwrap();
    let problem = problem(answer).await;
    assert_eq!(problem["status"], 413);
    assert_eq!(problem["detail"], "the body is larger than 65536 bytes: send less");
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn with_a_token_only_the_token_opens() {
    let api = Served::start(Some("s3cret")).await;
    for (header, status) in [
        (None, 401), (Some("Bearer wrong"), 401), (Some("s3cret"), 401), (Some("Basic s3cret"), 401),
        (Some("Bearer "), 401), (Some("Bearer s3cret2"), 401),
        (Some("Bearer s3cret"), 200), (Some("bearer  s3cret"), 200),
    ] {
        let mut ask = api.ask("GET", "/api/v1/devices");
        if let Some(header) = header {
            ask = ask.header("authorization", header);
        }
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{header:?}");
        if status == 401 {
            assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"standpipe\"");
            assert!(problem(answer).await["detail"].as_str().unwrap().contains("sign in at /login"));
        }
    }
    for (path, status) in [
        ("/", 200), ("/healthz", 200), ("/metrics", 200), ("/api/openapi.json", 200), ("/readyz", 503),
        ("/api/v1/stream", 401), ("/api/v1/incidents/x", 401), ("/api/v1/ledger", 401),
    ] {
        let answer = api.ask("GET", path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_a_foreign_name_for_this_machine_is_refused() {
    let api = Served::start(None).await;
    for (host, status) in [("evil.example", 403), ("localhost:99", 200), ("[::1]", 200)] {
        let answer = api.ask("GET", "/api/v1/devices").header("host", host).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{host}");
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = super::serve(listener, api.another(), api.stop.clone()).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!("a demonstration without accounts listens on 0.0.0.0:{port}: listen on 127.0.0.1")
    );
}

#[tokio::test]
async fn an_engine_that_is_gone_is_said() {
    let mut api = Served::start(None).await;
    api.town();
    api.queues = None;
    let action = api.ask("POST", &format!("/api/v1/incidents/{FIRE}/actions"));
    let action = action.header("content-type", "application/json").body(r#"{"action":"resolve"}"#);
    for ask in [api.ask("GET", "/api/v1/ledger"), action] {
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
        let detail = problem(answer).await["detail"].clone();
        assert_eq!(detail, "the gateway is stopping: try again when it is back");
    }
    assert_eq!(api.get("/api/v1/devices").await["total"], 3, "reading needs no engine");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_said_within_ten_seconds() {
    let api = Served::start(None).await;
    let answer = api.ask("GET", "/api/v1/ledger").send();
    let answer = tokio::time::timeout(Duration::from_secs(13), answer).await.unwrap();
    let problem = problem(answer.unwrap()).await;
    assert_eq!(problem["status"], 503);
    assert!(problem["detail"].as_str().unwrap().contains("may still be done"), "{problem}");
}

#[tokio::test]
async fn it_stops_within_two_seconds_whoever_still_hangs_on() {
    let mut api = Served::start(None).await;
    let mut half = TcpStream::connect(api.address).await.unwrap();
    half.write_all(b"GET /api/v1/devices HTTP/1.1\r\nHost: loc").await.unwrap();
    let _idle = TcpStream::connect(api.address).await.unwrap();
    let mut stream = api.ask("GET", "/api/v1/stream").send().await.unwrap();
    let hello = stream.chunk().await.unwrap().unwrap();
    assert!(hello.starts_with(b"id: 0"), "{hello:?}");
    api.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(2), api.serving.join_next()).await;
    ended.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(stream.chunk().await.ok().flatten(), None, "a stream ends whole");
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
}
