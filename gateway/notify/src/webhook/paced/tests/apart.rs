//! A receiver that refuses one page and takes all others, and one that refuses everything for a while: real
//! requests to a real server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;

/// The devices of each message, and the status that it was answered with.
type Heard = Arc<Mutex<Vec<(Vec<String>, u16)>>>;

/// A receiver: what it is told, and what it says to that.
struct Robot {
    url: String,
    heard: Heard,
    /// Whoever is named here is refused with that status; `*`: everybody.
    refuses: Arc<Mutex<BTreeMap<String, u16>>>,
    /// It ends with this.
    server: JoinSet<()>,
}

impl Robot {
    async fn begin(refuses: &[(&str, u16)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let refuses = refuses.iter().map(|(who, status)| ((*who).to_owned(), *status)).collect();
        let (heard, refuses, server) =
            (Heard::default(), Arc::new(Mutex::new(refuses)), JoinSet::new());
        let mut robot = Self { url, heard, refuses, server };
        let (heard, refuses) = (robot.heard.clone(), robot.refuses.clone());
        robot.server.spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((peer, _)) = listener.accept().await {
                peers.spawn(answer(peer, heard.clone(), refuses.clone()));
            }
        });
        robot
    }

    fn refuses(&self, whom: &[(&str, u16)]) {
        let whom = whom.iter().map(|(who, status)| ((*who).to_owned(), *status)).collect();
        *self.refuses.lock().unwrap() = whom;
    }

    /// How often each device was told of in a message that was taken.
    fn took(&self) -> BTreeMap<String, usize> {
        let mut took = BTreeMap::new();
        for (devices, status) in &*self.heard.lock().unwrap() {
            for device in devices.iter().filter(|_| *status == 200) {
                *took.entry(device.clone()).or_default() += 1;
            }
        }
        took
    }

    fn messages(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

async fn answer(peer: TcpStream, heard: Heard, refuses: Arc<Mutex<BTreeMap<String, u16>>>) {
    let mut peer = BufReader::new(peer);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if peer.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        peer.read_exact(&mut body).await.unwrap();
        let said: Value = serde_json::from_slice(&body).unwrap();
        let devices: Vec<String> = match said["members"].as_array() {
            Some(members) => members.iter().map(|member| &member["device"]).collect(),
            None => vec![&said["device"]["id"]],
        }
        .into_iter()
        .map(|device| device.as_str().unwrap_or("a digest").to_owned())
        .collect();
        let status = {
            let refuses = refuses.lock().unwrap();
            let named = devices.iter().find_map(|device| refuses.get(device));
            named.or(refuses.get("*")).copied().unwrap_or(200)
        };
        heard.lock().unwrap().push((devices, status));
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        peer.write_all(head.as_bytes()).await.unwrap();
    }
}

impl Night {
    /// Sender and engine work until something is true, for a minute at most. What waits for its next try is
    /// due at once where that is asked for.
    async fn works(&mut self, retries: Retries, until: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !until(self) {
            assert!(Instant::now() < end, "{} waits", self.open());
            if retries == Retries::AtOnce {
                self.task.waiting.all_due(Instant::now());
            }
            self.task.take_off().await.unwrap();
            tokio::select! {
                Some(landed) = self.task.flights.next() => self.task.landed(landed).await.unwrap(),
                landed = self.task.digests.landed() => self.task.digest_landed(landed).await.unwrap(),
                () = sleep(Duration::from_millis(20)) => {}
            }
            self.engine_hears();
        }
    }

    /// How many pages the receiver is owed.
    fn open(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM page WHERE receiver = 'w' AND delivered_at IS NULL
                 AND gave_up_at IS NULL AND superseded_at IS NULL",
        )
    }

    fn count(&self, sql: &str) -> i64 {
        let db = rusqlite::Connection::open(self.folder.path().join("store.db")).unwrap();
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retries {
    InTheirTime,
    AtOnce,
}

#[tokio::test]
async fn one_page_that_is_refused_keeps_none_of_its_bundle_back() {
    let robot = Robot::begin(&[("T1-7", 400)]).await;
    let mut night = Night::begin_at("pace = '4/s'", &robot.url);
    night.fires(1, 0..32);
    // A new fire now and then, as in any night: what is taken beside it shows what the bundle is refused for.
    night.works(Retries::InTheirTime, |night| night.task.waiting.next().is_some()).await;
    night.fires(2, 0..1);
    night.works(Retries::InTheirTime, |night| night.open() == 1).await;
    let took = robot.took();
    assert_eq!((took.len(), took.get("T1-7")), (32, None));
    assert!(took.values().all(|times| *times == 1), "each once: {took:?}");
    let messages = robot.messages();
    assert!(messages <= 20, "{messages} messages, 3 of them singly");
    // It stands alone, is tried on, and holds nothing up.
    assert!(night.task.waiting.holds_nothing_up());
    night.fires(3, 0..1);
    night.works(Retries::InTheirTime, |_| robot.took().contains_key("T3-0")).await;
    // After a restart, too; and when the receiver changes its mind, nothing is owed.
    let mut night = night.crashed();
    robot.refuses(&[]);
    night.works(Retries::AtOnce, |night| night.open() == 0).await;
    let took = robot.took();
    assert_eq!((took.len(), took.get("T1-7")), (34, Some(&1)));
    let single = "SELECT count(*) FROM page WHERE bundle IS NULL AND alone = 1";
    assert_eq!(night.count(single), 2, "it and its neighbour, each under its own id");
}

#[tokio::test]
async fn three_of_sixty_are_refused_and_a_crash_on_the_way_tells_nothing_under_two_ids() {
    let bad = ["T1-3", "T1-4", "T2-30"];
    let robot = Robot::begin(&bad.map(|device| (device, 500))).await;
    let mut night = Night::begin_at("pace = '8/s'", &robot.url);
    night.fires(1, 0..30);
    night.fires(2, 10..40);
    let apart = "SELECT count(*) FROM bundle WHERE part_of IS NOT NULL";
    night.works(Retries::AtOnce, |night| night.count(apart) > 2).await;
    let mut night = night.crashed();
    night.works(Retries::AtOnce, |night| night.open() == 3).await;
    let took = robot.took();
    assert_eq!(took.len(), 57, "{took:?}");
    assert!(bad.iter().all(|device| !took.contains_key(*device)));
    let pages = "SELECT count(*) FROM page WHERE receiver = 'w'";
    assert_eq!(night.count(pages), 60, "no second page about one of them");
    // Whoever is acknowledged is owed to nobody any more.
    let open = "SELECT count(*) FROM bundle WHERE delivered_at IS NULL AND superseded_at IS NULL";
    assert_eq!(night.count(open), 0);
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_for_a_while_is_told_in_few_messages_afterwards() {
    for status in [400, 401, 403, 404] {
        let robot = Robot::begin(&[("*", status)]).await;
        let mut night = Night::begin_at("pace = '20/s'", &robot.url);
        night.fires(1, 0..80);
        let refused = robot.heard.clone();
        // Twenty refusals of each message, were there one.
        night.works(Retries::AtOnce, |_| refused.lock().unwrap().len() >= 40).await;
        let owed =
            "SELECT count(*) FROM bundle WHERE delivered_at IS NULL AND superseded_at IS NULL";
        let bundles = night.count(owed);
        let expected = if status == 400 { 2 } else { 1 };
        assert_eq!(bundles, expected, "{status}: one is taken apart, to see whether that helps");
        robot.refuses(&[]);
        night.works(Retries::AtOnce, |night| night.open() == 0).await;
        assert_eq!(robot.took().len(), 80, "{status}");
        let taken = robot.heard.lock().unwrap().iter().filter(|(_, status)| *status == 200).count();
        assert!(taken <= 4, "{status}: {taken} messages");
    }
}

#[tokio::test]
async fn what_was_sent_singly_before_a_crash_comes_singly_after_it_and_not_in_a_bundle() {
    let robot = Robot::begin(&[("*", 503)]).await;
    let mut night = Night::begin_at("pace = '4/s'", &robot.url);
    night.fires(1, 0..3);
    let heard = robot.heard.clone();
    night.works(Retries::InTheirTime, |_| heard.lock().unwrap().len() >= 3).await;
    // Three were sent, and perhaps seen; thirty more never were.
    let mut night = night.crashed();
    night.fires(1, 3..33);
    heard.lock().unwrap().clear();
    robot.refuses(&[]);
    night.works(Retries::InTheirTime, |night| night.open() == 0).await;
    let mut messages: Vec<_> = heard.lock().unwrap().iter().map(|(said, _)| said.clone()).collect();
    messages.sort();
    let single = |n: u32| vec![format!("T1-{n}")];
    let mut expected: Vec<_> = (0..4).map(single).collect();
    // The first new fire of a station goes alone, the rest together.
    expected.push((4..33).map(|n| format!("T1-{n}")).collect());
    expected.sort();
    assert_eq!(messages, expected);
}

#[tokio::test]
async fn a_page_that_is_refused_for_ever_keeps_no_digest_back_and_one_that_waits_does() {
    for (status, comes) in [(400, true), (404, false)] {
        let robot = Robot::begin(&[("T1-0", status)]).await;
        let mut night = Night::begin_at("pace = '20/s'", &robot.url);
        night.fires(1, 0..1);
        night.works(Retries::AtOnce, |_| robot.messages() >= 2).await;
        night.fires(2, 0..1);
        night.works(Retries::AtOnce, |night| night.open() == 1).await;
        let once_more = robot.messages() + 1;
        night.works(Retries::AtOnce, |_| robot.messages() >= once_more).await;
        let made = serde_json::json!({
            "made": {"told": {"day": "2025-11-24", "to": T0}, "owed": [["w", "{}"]]}
        });
        let made = Input::Digest(serde_json::from_value(made).unwrap());
        night.engine.take(made, night.now);
        night.later(0);
        let end = Instant::now() + Duration::from_secs(3);
        let told = || robot.took().contains_key("a digest");
        night.works(Retries::InTheirTime, |_| told() || Instant::now() > end).await;
        assert_eq!(told(), comes, "{status}");
    }
}
