//! Two gateways on copies of one store, on a real broker: one pages, the other stands back and takes
//! over; in doubt both page, and say so.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::station::Station;
use standpipe_tests::{http, instant, now, town, wait_for};

const SOON: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(2);
/// As old as a lease gets before it is nobody's, and what a start takes.
const TAKES_OVER: Duration = Duration::from_secs(20);

/// A gateway, and whom it pages.
struct Site {
    gateway: Gateway,
    duty: WebhookEnd,
}

impl Site {
    /// Starts in a folder whose `gateway` may hold a store already.
    fn start(dir: &Path, broker: &Broker) -> Self {
        let duty = WebhookEnd::start(|_| "200 OK".to_owned());
        let files = (town::stations(4), town::devices(2, 60, 900));
        let more = format!("[[webhook]]\nname = \"duty\"\nurl = \"{}\"\n", duty.url);
        let gateway = Gateway::start_unready(dir, &broker.url(), (&files.0, &files.1), &more);
        Self { gateway, duty }
    }

    fn says(&self, words: &str) {
        wait_for(words, TAKES_OVER, || self.gateway.printed().contains(words).then_some(()));
    }

    /// The fires that it paged until it is quiet: how often each, and whether each page was in doubt.
    fn paged(&self, within: Duration) -> BTreeMap<String, (usize, bool)> {
        let mut fires = BTreeMap::new();
        while let Some(posted) = self.duty.next(within) {
            let page: Value = serde_json::from_slice(&posted.body).expect("JSON");
            if page["class"] != "fire" {
                continue;
            }
            let device = page["device"]["id"].as_str().expect("a device").to_owned();
            let fire: &mut (usize, bool) = fires.entry(device).or_default();
            *fire = (fire.0 + 1, page["twin_suspected"] == true);
        }
        fires
    }
}

fn fires(device: &Client, numbers: std::ops::RangeInclusive<u32>) {
    device.publish_all(numbers.map(|n| {
        let body = json!({
            "condition": "smoke", "active": true, "boot": 1, "seq": n, "ts": now(),
        });
        (format!("standpipe/v1/t-1/S-{n}/alarm"), body.to_string().into())
    }));
}

/// Everything that a folder holds but its sockets and logs.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

/// A gateway, and another folder with a copy of its store as it is when it has stopped.
fn copied(broker: &Broker, dirs: [&Path; 2]) -> Site {
    let mut site = Site::start(dirs[0], broker);
    site.gateway.wait_ready();
    site.gateway.signal("TERM");
    wait_for("it stops", SOON, || site.gateway.ended());
    copy(&site.gateway.dir, &dirs[1].join("gateway"));
    site.gateway.start_again();
    site.gateway.wait_ready();
    site
}

#[test]
fn of_two_on_copies_of_one_store_one_pages_and_the_other_takes_over() {
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let broker = Broker::start(folders[0].path());
    let mut one = copied(&broker, [folders[1].path(), folders[2].path()]);
    let device = Client::connect(broker.port, "device");
    let two = Site::start(folders[2].path(), &broker);
    two.says("this one stands back");
    fires(&device, 1..=40);
    let paged = one.paged(QUIET);
    assert_eq!(paged.len(), 40, "one pages the whole town: {:?}", paged.keys());
    assert!(paged.values().all(|fire| *fire == (1, false)), "once, without doubt: {paged:?}");
    assert!(two.paged(Duration::ZERO).is_empty(), "and the other nothing");
    let (_, ready) = http::get(&one.gateway.at("/readyz"), "");
    assert!(ready["degraded"].to_string().contains("twin"), "people know: {ready}");
    one.gateway.incident("an incident about it", SOON, |incident| {
        incident["detail"].to_string().contains("a second gateway on a copy of this store")
    });

    one.gateway.kill();
    let at = instant();
    fires(&device, 41..=41);
    wait_for("the other pages", TAKES_OVER, || {
        two.paged(Duration::from_millis(100)).contains_key("S-41").then_some(())
    });
    assert!(at.elapsed() < Duration::from_secs(16), "{:?}", at.elapsed());
    one.gateway.start_again();
    one.says("this one stands back");
    fires(&device, 42..=50);
    let paged = two.paged(QUIET);
    assert_eq!(paged.keys().filter(|name| *name > &"S-41".to_owned()).count(), 9, "{paged:?}");
    assert!(one.paged(Duration::ZERO).is_empty(), "who comes back does not take it again");
}

#[test]
fn a_restored_store_pages_and_what_it_was_copied_from_stands_back() {
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let broker = Broker::start(folders[0].path());
    let one = copied(&broker, [folders[1].path(), folders[2].path()]);
    let backups = folders[0].path().join("backups");
    let config = one.gateway.dir.join("standpipe.toml");
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let words = ["backup", "--config", &text(&config), "--out", &text(&backups)];
    let (code, _, said) = one.gateway.command(&words);
    assert_eq!(code, Some(0), "{said}");
    let backup = std::fs::read_dir(&backups).expect("backups").flatten().next().expect("one");
    let config = folders[2].path().join("gateway/standpipe.toml");
    let words = ["restore", "--from", &text(&backup.path()), "--config", &text(&config)];
    let (code, _, said) = one.gateway.command(&words);
    assert_eq!(code, Some(0), "{said}");
    let two = Site::start(folders[2].path(), &broker);
    one.says("this one stands back");
    two.gateway.wait_ready();
    let device = Client::connect(broker.port, "device");
    fires(&device, 1..=20);
    let paged = two.paged(QUIET);
    assert_eq!(paged.len(), 20, "{:?}", paged.keys());
    assert!(one.paged(Duration::ZERO).is_empty());
}

/// What another gateway might say is said by hand: one that ranks lower, and pages all the same.
#[test]
fn while_another_may_page_as_well_pages_say_so() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let broker = Broker::start(folders[0].path());
    let site = Site::start(folders[1].path(), &broker);
    site.gateway.wait_ready();
    let terminal = Station::connect(broker.port, "t-1");
    let device = Client::connect(broker.port, "device");
    let other = Client::connect(broker.port, "other");
    other.subscribe("standpipe/v1/gateway/lease");
    let lease: Value = serde_json::from_str(&other.hear().text()).expect("a lease");
    assert_eq!(lease["term"], 1);
    let twin = json!({
        "gateway": lease["gateway"], "epoch": -1, "term": 1, "holder": "x", "host": "elsewhere",
    });
    other.publish("standpipe/v1/gateway/lease", twin.to_string());
    std::thread::sleep(Duration::from_millis(300));
    fires(&device, 1..=1);
    assert_eq!(site.paged(QUIET)["S-1"], (1, true));
    terminal.wait("the station's page says so", SOON, |shown| {
        shown.body["device"]["id"] == "S-1" && shown.body["twin_suspected"] == true
    });
    std::thread::sleep(Duration::from_secs(10));
    fires(&device, 2..=2);
    assert_eq!(site.paged(QUIET)["S-2"], (1, false), "it is gone");
    wait_for("nobody is told any more", SOON, || {
        let (_, ready) = http::get(&site.gateway.at("/readyz"), "");
        (!ready["degraded"].to_string().contains("twin")).then_some(())
    });
    site.gateway.incident("its incident is closed", SOON, |incident| {
        incident["detail"].to_string().contains("runs on `elsewhere`")
            && incident["state"] == "closed"
    });
}
