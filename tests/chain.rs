//! The chain's heartbeat over a real broker and a real disk: it beats, and each link that breaks shows.

use std::path::Path;
use std::time::Duration;

use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::night::Night;
use standpipe_tests::{http, town, wait_for};

/// What a heartbeat that stands still may take to show: 15 s, and some of a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// The age that the gateway says, seconds.
fn age(gateway: &Gateway) -> f64 {
    let (_, text) = http::try_get(&gateway.at("/metrics"), "").expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix("standpipe_chain_age_seconds "));
    line.expect("a gauge").parse().expect("a number")
}

/// How many incidents of the gateway itself are open, and their codes.
fn blind(gateway: &Gateway) -> Vec<String> {
    let list = gateway.get("incidents?state=open");
    let all = list["items"].as_array().expect("a list");
    let blind =
        all.iter().filter(|incident| incident["conditions"].to_string().contains("gateway_blind"));
    blind
        .map(|incident| format!("{} {}", incident["class"].as_str().unwrap(), incident["reason"]))
        .collect()
}

fn start(dir: &Path, broker: &Broker) -> Gateway {
    let files = (town::stations(1), town::devices(2, 2, 60));
    let gateway = Gateway::start(dir, &broker.url(), (&files.0, &files.1), "");
    wait_for("a heartbeat", SOON, || (age(&gateway) < 5.0).then_some(()));
    gateway
}

fn warnings(gateway: &Gateway) -> String {
    http::get(&gateway.at("/readyz"), "").1["warnings"].to_string()
}

/// These mostly wait, for more than a minute each, so they wait side by side.
#[test]
fn the_chain_is_watched() {
    std::thread::scope(|scope| {
        let checks: [(&str, fn()); 3] = [
            (
                "a broker that hangs",
                a_broker_that_hangs_is_one_incident_from_the_heartbeat_to_the_session,
            ),
            (
                "a broker that refuses it",
                a_broker_that_refuses_the_heartbeat_wakes_nobody_and_says_so,
            ),
            ("an open page", a_page_that_is_open_says_that_alarms_may_not_come_through),
        ];
        let running = checks.map(|(name, check)| (name, scope.spawn(check)));
        let failed =
            running.into_iter().filter_map(|(name, check)| check.join().err().map(|_| name));
        assert_eq!(failed.collect::<Vec<_>>(), Vec::<&str>::new());
    });
}

fn a_broker_that_hangs_is_one_incident_from_the_heartbeat_to_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let gateway = start(dir.path(), &broker);
    std::thread::sleep(Duration::from_secs(12));
    assert!(age(&gateway) < 8.0, "it goes on: {}", age(&gateway));
    assert!(!warnings(&gateway).contains("chain"));
    broker.signal("STOP");
    let found =
        wait_for("the incident", SOON, || Some(blind(&gateway)).filter(|found| !found.is_empty()));
    assert_eq!(found, ["blind \"no_heartbeat\""]);
    assert!(age(&gateway) > 15.0 && warnings(&gateway).contains("\"chain\""));
    // The session is found dead as well, and counts as blindness 30 s later: still one.
    std::thread::sleep(Duration::from_secs(60));
    assert_eq!(blind(&gateway).len(), 1);
    broker.signal("CONT");
    wait_for("a heartbeat again", SOON, || (age(&gateway) < 5.0).then_some(()));
    // It is closed when it has been over for a minute.
    wait_for("the incident to end", 3 * SOON, || blind(&gateway).is_empty().then_some(()));
}

/// Access rules of before: nothing is paged for what the broker never let pass, and pages say it.
fn a_broker_that_refuses_the_heartbeat_wakes_nobody_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let acl = dir.path().join("acl");
    std::fs::write(&acl, "topic read #\ntopic write standpipe/v1/stations/#\n").unwrap();
    let lines = format!("allow_anonymous true\nacl_file {}\n", acl.display());
    let broker = Broker::with(dir.path(), &lines);
    let files = (town::stations(1), town::devices(2, 2, 60));
    let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    wait_for("it to be said", SOON, || warnings(&gateway).contains("\"chain\"").then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(blind(&gateway), Vec::<String>::new());
}

/// A page that was open before says so by itself: while it is told how old the heartbeat is, and
/// when it is told nothing any more.
fn a_page_that_is_open_says_that_alarms_may_not_come_through() {
    let night = Night::begin();
    let browser = &night.browser;
    wait_for("a heartbeat", SOON, || (age(&night.gateway) < 5.0).then_some(()));
    browser.go(&night.gateway.at("/"));
    let footer = browser.wait_text("footer", "Heartbeat: ", SOON);
    assert!(footer.contains(" s ago"), "{footer}");
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(browser.sees("#chain"), None, "it is told of each new one");
    night.broker.signal("STOP");
    let said = browser.wait_text("#chain", "ALARMS MAY NOT COME THROUGH", SOON);
    assert!(said.contains(" s ago"), "{said}");
    assert_eq!(browser.sees("#lost"), None, "the gateway is there");
    picture(&night, "chain-en.png");
    browser.go(&night.gateway.at("/language?to=zh&back=/devices"));
    browser.wait_text("#chain", "警情可能无法送达", SOON);
    picture(&night, "chain-zh.png");
    night.broker.signal("CONT");
    browser.wait_gone("#chain", SOON);
    // Nobody tells it anything: it counts on.
    night.gateway.signal("STOP");
    browser.wait("#lost", SOON);
    browser.wait("#chain", SOON);
    night.gateway.signal("CONT");
    browser.wait_gone("#chain", SOON);
}

/// Keeps a picture where `PICTURES` names a folder.
fn picture(night: &Night, name: &str) {
    if let Some(folder) = std::env::var_os("PICTURES") {
        night.browser.picture(&Path::new(&folder).join(name));
    }
}
