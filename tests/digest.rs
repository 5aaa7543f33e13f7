//! The daily digest, by the real gateway to stand-ins of its receivers. Its day is moved in the
//! store while the gateway is down: it comes up on a day whose digest was missed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::Sha256;
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::receiver::{Posted, WebhookEnd};
use standpipe_tests::station::Station;
use standpipe_tests::{now, town, wait_for};

const SECRET: &str = "SEC-of-the-desk";
const SOON: Duration = Duration::from_secs(20);
/// Longer than the longest pause between two retries of a digest.
const QUIET: Duration = Duration::from_secs(8);
const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

fn section(name: &str, format: &str, url: &str, more: &str) -> String {
    format!("[[webhook]]\nname = '{name}'\nformat = '{format}'\nurl = '{url}'\n{more}\n")
}

/// The newest day that was made, once there is one.
fn told(store: &Path) -> Option<Value> {
    let db = rusqlite::Connection::open(store).unwrap();
    let sql = "SELECT value FROM meta WHERE key = 'digest'";
    let text: String = db.query_row(sql, (), |row| row.get(0)).ok()?;
    serde_json::from_str(&text).ok()
}

/// As if the newest one had been made the day before.
fn move_a_day(store: &Path) {
    let db = rusqlite::Connection::open(store).unwrap();
    let mut digest = told(store).unwrap();
    let day: jiff::civil::Date = digest["day"].as_str().unwrap().parse().unwrap();
    digest["day"] = json!(day.yesterday().unwrap().to_string());
    digest["to"] = json!(digest["to"].as_i64().unwrap() - 86_400_000);
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'digest'", [digest.to_string()]).unwrap();
}

fn queued(store: &Path) -> i64 {
    let db = rusqlite::Connection::open(store).unwrap();
    let sql = "SELECT count(*) FROM digest WHERE delivered_at IS NULL AND gave_up_at IS NULL";
    db.query_row(sql, (), |row| row.get(0)).unwrap()
}

fn signed(posted: &Posted) -> bool {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&posted.body);
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    posted.headers["x-standpipe-signature"] == format!("sha256={hex}")
}

fn is_digest(posted: &Posted) -> bool {
    posted.headers.get("idempotency-key").is_some_and(|key| key.starts_with("digest-"))
}

/// A gateway with a notice of station `t-1`, which has made its first digest; and the notice.
fn with_a_notice(dir: &Path, broker: &Broker, config: &str) -> (Gateway, Value) {
    let files = (town::stations(2), town::devices(24, 6, 900));
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let gateway = Gateway::start(dir, &url, (&files.0, &files.1), config);
    let terminal = Station::connect(broker.port, "+");
    terminal.publish("standpipe/v1/t-1/H-1/status", true, &json!({"online": false}));
    let notice = gateway.incident("a notice", SOON, |incident| incident["severity"] == "notice");
    assert_eq!(notice["station"], "t-1", "{notice}");
    wait_for("the first day", SOON, || told(&dir.join("gateway/store.db")));
    (gateway, notice)
}

#[test]
fn a_missed_digest_comes_once_and_no_page_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let (folder, store) = (dir.path().join("gateway"), dir.path().join("gateway/store.db"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("secret"), SECRET).unwrap();
    // Digests it does not take; pages it does.
    let desk = WebhookEnd::saying(|n, posted| {
        let busy = is_digest(posted) && n < 3;
        (if busy { "503 Busy" } else { "200 OK" }.to_owned(), String::new())
    });
    let chat = WebhookEnd::saying(|_, _| ("200 OK".to_owned(), OK.to_owned()));
    let phone = WebhookEnd::start(|_| "204 No Content".to_owned());
    let [other, all, cap] = [(); 3].map(|()| WebhookEnd::start(|_| "200 OK".to_owned()));
    let config = [
        section(
            "desk",
            "json",
            &desk.url,
            "secret_file = 'secret'\nseverities = ['fire', 'notice']",
        ),
        section("chat", "wecom", &chat.url, "station = 'district'\nseverities = ['notice']"),
        section(
            "phone",
            "sms",
            &phone.url,
            "severities = ['notice']\nto = ['1']\nstation = 't-1'\nbody = '{\"m\": \"{text}\"}'",
        ),
        section("other", "json", &other.url, "station = 't-2'\nseverities = ['notice']"),
        section("all", "json", &all.url, ""),
        section("cap", "cap", &cap.url, "severities = ['notice']"),
        "[digest]\nat = '00:00'".to_owned(),
    ];
    let (mut gateway, notice) = with_a_notice(dir.path(), &broker, &config.concat());
    let terminal = Station::connect(broker.port, "+");
    assert_eq!(queued(&store), 0, "the day a gateway first knows digests is over");

    gateway.kill();
    move_a_day(&store);
    gateway.start_again();
    gateway.wait_ready();

    let first = desk.hear();
    let key = first.headers["idempotency-key"].clone();
    assert!(is_digest(&first) && key.ends_with("-desk") && signed(&first), "{first:?}");
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert!(body["url"].as_str().unwrap().contains("/digest?day="), "{body}");
    let item = &body["digest"]["items"][0];
    assert_eq!((&item["id"], &item["device"]), (&notice["id"], &json!("H-1")), "{body}");
    assert_eq!(body["digest"]["counts"][0]["condition"], "offline");
    // While it is refused, a fire is not.
    let alarm = json!({"condition": "smoke", "active": true, "ts": now()});
    terminal.publish("standpipe/v1/t-1/S-3/alarm", false, &alarm);
    let mut again = Vec::new();
    let page = loop {
        let posted = desk.hear();
        if !is_digest(&posted) {
            break posted;
        }
        again.push(posted);
    };
    let page: Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(page["severity"], "fire", "{page}");
    wait_for("every digest to be taken", Duration::from_secs(60), || {
        while let Some(posted) = desk.next(Duration::from_millis(1)) {
            again.push(posted);
        }
        (queued(&store) == 0).then_some(())
    });
    again.retain(is_digest);
    assert!(!again.is_empty(), "it is tried again");
    for posted in again {
        assert_eq!(
            (&posted.headers["idempotency-key"], &posted.body),
            (&key, &first.body),
            "the same"
        );
    }

    let text: Value = serde_json::from_slice(&chat.hear().body).unwrap();
    let text = text["text"]["content"].as_str().unwrap().to_owned();
    for part in
        ["【每日提示】", "district：未关闭 1，新增 1，已关闭 0", "离线 1", "H-1", "/digest?day="]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text: Value = serde_json::from_slice(&phone.hear().body).unwrap();
    let text = text["m"].as_str().unwrap();
    assert!(text.starts_with("【每日提示】") && !text.contains('\n'), "{text}");

    gateway.kill();
    gateway.start_again();
    gateway.wait_ready();
    let other = other.next(QUIET);
    assert!(other.is_none(), "nothing is at t-2: {other:?}");
    for (name, end) in [("chat", &chat), ("phone", &phone)] {
        let more = end.next(Duration::from_millis(1));
        assert!(more.is_none(), "{name} again: {more:?}");
    }
    for (name, end) in [("desk, again", &desk), ("all", &all), ("cap", &cap)] {
        while let Some(posted) = end.next(Duration::from_millis(1)) {
            assert!(!is_digest(&posted), "{name}: {posted:?}");
        }
    }
    let day = body["digest"]["day"].as_str().unwrap();
    let asked = gateway.get(&format!("digest?day={day}&station=t-1"));
    assert_eq!(asked["day"], day);
}

/// Stopped while a digest is on its way: what is answered soon came once, what is not comes again.
#[test]
fn a_digest_that_is_on_its_way_when_the_gateway_stops_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let store = dir.path().join("gateway/store.db");
    let slow = |pause: u64| {
        let (tell, came) = std::sync::mpsc::channel();
        let end = WebhookEnd::saying(move |n, posted| {
            tell.send(is_digest(posted)).unwrap();
            std::thread::sleep(Duration::from_millis(if n == 0 { pause } else { 0 }));
            ("200 OK".to_owned(), String::new())
        });
        (end, came)
    };
    let ((prompt, prompt_came), (late, late_came)) = (slow(150), slow(3_000));
    let config = [
        section("prompt", "json", &prompt.url, "severities = ['notice']"),
        section("late", "json", &late.url, "severities = ['notice']"),
        "[digest]\nat = '00:00'".to_owned(),
    ];
    let (mut gateway, _) = with_a_notice(dir.path(), &broker, &config.concat());
    gateway.kill();
    move_a_day(&store);
    gateway.start_again();

    for came in [&prompt_came, &late_came] {
        assert_eq!(came.recv_timeout(SOON), Ok(true), "a digest, not yet answered");
    }
    gateway.signal("TERM");
    wait_for("the gateway to stop", SOON, || gateway.ended());
    assert_eq!(queued(&store), 1, "the prompt answer was heard, the late one was not");
    gateway.start_again();
    let (other, again) = (late.hear(), late.hear());
    assert_eq!(again.headers["idempotency-key"], other.headers["idempotency-key"]);
    wait_for("every digest to be taken", SOON, || (queued(&store) == 0).then_some(()));
    let (_once, twice) = (prompt.hear(), prompt.next(Duration::from_millis(1)));
    assert!(twice.is_none(), "{twice:?}");
}
