//! The two MQTT sessions against a real mosquitto: nothing is acknowledged before it is told to
//! be, nothing is lost, and nothing stops the stream.
//!
//! The engine's queue is read by the test, which so decides when something "is on disk".

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use standpipe_engine::health::{Health, Status};
use standpipe_engine::{Acks, Delivery, Inbox, Lane, Queues, acks, queues};
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::BULK_QUEUE;
use standpipe_rules::wire::topics::READINGS_LANE_BEFORE;
use standpipe_rules::wire::{self, Message};
use standpipe_tests::broker::Broker as Mosquitto;
use standpipe_tests::client::Client;
use standpipe_tests::{instant, wait_for};
use standpipe_transport::ingest::{self, Setup};
use standpipe_transport::mqtt::{Broker, Frame, Hello, Link};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Far less than the pause between two pings, which would also bring what was overlooked.
const AT_ONCE: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_millis(300);

/// `hunter2`, as `mosquitto_passwd` writes it.
const HUNTER2: &str = "$7$101$DRuDLFKjvmPbMYMV$AqS1ueok5a4IL1zloB7nFqDqRM6q8vTML+0LmEQzojNjAnEADANH/UXlON/6Yo8kHIqvyNwddX9iMxBgybuvjA==";

fn mosquitto() -> (TempDir, Mosquitto) {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start(folder.path());
    (folder, broker)
}

/// One lane, and the engine's ends of its queues.
struct Bench {
    queues: Queues,
    acks: mpsc::Sender<Acks>,
    health: Arc<Health>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    /// What came before the word that the session is up: what the broker had kept for it.
    early: RefCell<VecDeque<Delivery>>,
}

impl Bench {
    fn start(broker: Broker, lane: Lane) -> Self {
        Self::below("standpipe/v1", broker, lane)
    }

    fn below(root: &str, broker: Broker, lane: Lane) -> Self {
        let (engine, queues) = queues();
        let (acks, acks_in) = acks();
        let setup = Setup {
            broker,
            root: root.into(),
            gateway: "test".into(),
            engine,
            clock: Clock::new(),
            health: Arc::default(),
            stop: CancellationToken::new(),
        };
        let (health, stop) = (Arc::clone(&setup.health), setup.stop.clone());
        let thread = ingest::start(setup, lane, acks_in).expect("a thread");
        Self { queues, acks, health, stop, thread: Some(thread), early: RefCell::default() }
    }

    fn on(broker: &Mosquitto, lane: Lane) -> Self {
        let bench = Self::start(Broker::new("127.0.0.1", broker.port), lane);
        bench.is_up();
        bench
    }

    fn inbox(&self, within: Duration) -> Option<Inbox> {
        crossbeam_channel::select! {
            recv(self.queues.urgent) -> it => it.ok(),
            recv(self.queues.bulk) -> it => it.ok(),
            default(within) => None,
        }
    }

    /// Waits for the word that the session is up: the broker has granted what it asked for.
    fn is_up(&self) {
        loop {
            match self.inbox(PATIENCE) {
                Some(Inbox::Lane { up: true, .. }) => return,
                Some(Inbox::Delivery(delivery)) => self.early.borrow_mut().push_back(delivery),
                other => panic!("the session does not come up: {other:?}"),
            }
        }
    }

    /// The next message, stepping over word of the session.
    fn next(&self, within: Duration) -> Option<Delivery> {
        let early = self.early.borrow_mut().pop_front();
        if early.is_some() {
            return early;
        }
        loop {
            match self.inbox(within)? {
                Inbox::Delivery(delivery) => return Some(delivery),
                _ => continue,
            }
        }
    }

    fn take(&self) -> Delivery {
        self.next(PATIENCE).expect("a message")
    }

    fn ack(&self, delivery: &Delivery) {
        let acks = Acks { epoch: delivery.epoch, pkids: vec![delivery.pkid] };
        self.acks.blocking_send(acks).expect("a lane");
    }

    /// Stops in good order.
    fn end(mut self) {
        self.stop.cancel();
        self.thread.take().expect("a thread").join().expect("no panic");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Which device, and its reading's number.
fn seen(delivery: &Delivery) -> (String, u32) {
    match &delivery.parsed.message {
        Some(Message::Telemetry { device, readings, .. }) => {
            (device.to_string(), readings[0].seq.expect("a number"))
        }
        other => panic!("no telemetry: {other:?}"),
    }
}

fn reading(seq: u32) -> (String, Vec<u8>) {
    let payload = format!(r#"{{"boot":1,"seq":{seq},"pressure_kpa":300}}"#);
    ("standpipe/v1/banan/HYD-1/telemetry".to_owned(), payload.into())
}

#[test]
fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    let (_folder, broker) = mosquitto();
    let device = Client::connect(broker.port, "device");
    let bench = Bench::on(&broker, Lane::Telemetry);
    device.publish_all((1..=10).map(reading));
    let taken: Vec<_> = (0..10).map(|_| bench.take()).collect();
    assert_eq!(taken.iter().map(|it| seen(it).1).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    taken[..6].iter().for_each(|it| bench.ack(it));
    bench.end(); // two seconds of grace for the other four, then good-bye
    device.publish_all((11..=12).map(reading)); // while nobody is there
    let started = instant();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let again: Vec<_> = (0..6).map(|_| seen(&bench.take()).1).collect();
    assert!(started.elapsed() < AT_ONCE, "some come with the broker's very welcome");
    assert_eq!(again, [7, 8, 9, 10, 11, 12]);
    assert!(bench.next(QUIET).is_none(), "and nothing else");
}

#[test]
fn a_restarted_broker_sends_everything_again_and_old_acknowledgements_are_void() {
    let (_folder, mut broker) = mosquitto();
    let bench = Bench::on(&broker, Lane::Telemetry);
    Client::connect(broker.port, "device").publish_all((1..=5).map(reading));
    let first: Vec<_> = (0..5).map(|_| bench.take()).collect();
    broker.stop();
    wait_for("the lane says that it is down", PATIENCE, || {
        matches!(bench.health.telemetry_lane.status(), Status::Failing { .. }).then_some(())
    });
    first.iter().for_each(|it| bench.ack(it)); // too late: of a connection that is gone
    broker.start_again();
    let second: Vec<_> = (0..5).map(|_| bench.take()).collect();
    assert_eq!(second.iter().map(|it| seen(it).1).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(second.iter().all(|it| it.epoch > first[0].epoch));
    first.iter().for_each(|it| bench.ack(it)); // the same numbers, and still void
    bench.end();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let third: Vec<_> = (0..5).map(|_| bench.take()).collect();
    third.iter().for_each(|it| bench.ack(it));
    bench.end();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let again = bench.next(QUIET);
    assert!(again.is_none(), "acknowledged on their own connection: done: {again:?}");
}

#[test]
fn a_broker_that_forgot_everything_is_subscribed_to_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::with(folder.path(), "allow_anonymous true\n");
    let bench = Bench::on(&broker, Lane::Alarm);
    broker.kill(); // nothing was saved: no session, no subscription
    broker.start_again();
    wait_for("the lane is up again", PATIENCE, || {
        (bench.health.alarm_lane.status() == Status::Fine).then_some(())
    });
    let device = Client::connect(broker.port, "device");
    let topic = "standpipe/v1/banan/SMK-1/alarm";
    let heard = wait_for("an alarm arrives", PATIENCE, || {
        device.publish(topic, r#"{"condition":"smoke","active":true}"#);
        bench.next(QUIET)
    });
    assert!(matches!(heard.parsed.message, Some(Message::Alarm { .. })));
}

/// One message to each kind of topic; which lane takes it, if any.
#[test]
#[rustfmt::skip] // a table
fn each_message_is_taken_once_whatever_its_topic() {
    let (_folder, broker) = mosquitto();
    let (alarms, readings) = (Bench::on(&broker, Lane::Alarm), Bench::on(&broker, Lane::Telemetry));
    let device = Client::connect(broker.port, "device");
    let long = format!("a/{}/alarm", "x".repeat(65));
    let fire = r#"{"condition":"smoke","active":true"#;
    let topics = [
        ("a/d/telemetry",            Some(Lane::Telemetry), "telemetry"),
        ("李家沱/厨房烟感/telemetry", Some(Lane::Telemetry), "telemetry"),
        ("a/d/alarm",                Some(Lane::Alarm),     "alarm"),
        ("a/00:15:8d:00:01/alarm",   Some(Lane::Alarm),     "alarm"),
        ("a/d/alarms",               Some(Lane::Alarm),     "alarm"),
        ("a/d/Alarm",                Some(Lane::Alarm),     "alarm"),
        ("a/d/alarm/",               Some(Lane::Alarm),     "alarm"),
        (&*long,                     Some(Lane::Alarm),     "unreadable alarm"),
        ("selftest/d/alarm",         Some(Lane::Alarm),     "alarm"),
        ("a/d/aLaRmS/",              Some(Lane::Telemetry), "alarm"),
        ("a/d/AlArM",                Some(Lane::Telemetry), "alarm"),
        ("a/d/ALARM/",               Some(Lane::Telemetry), "alarm"),
        ("a/d/alarm//",              Some(Lane::Telemetry), "alarm"),
        ("a/b/d/alarm",              Some(Lane::Telemetry), "unreadable alarm"),
        ("a/alarm",                  Some(Lane::Telemetry), "unreadable alarm"),
        ("a/b/c/d/alarm",            Some(Lane::Telemetry), "unreadable alarm"),
        ("alarm",                    Some(Lane::Telemetry), "unreadable alarm"),
        ("a/d/status",               Some(Lane::Alarm),     "not understood"),
        ("a/d/reply",                Some(Lane::Alarm),     "not understood"),
        ("stations/s/actions",       Some(Lane::Alarm),     "nothing"),
        ("stations/s/presence",      Some(Lane::Alarm),     "nothing"),
        ("stations/s/alarm",         Some(Lane::Alarm),     "nothing"),
        ("a/d/ALARM",                Some(Lane::Alarm),     "alarm"),
        ("a",                        Some(Lane::Telemetry), "nothing"),
        ("a/d",                      Some(Lane::Telemetry), "nothing"),
        ("x/y/event",                Some(Lane::Telemetry), "nothing"),
        ("a/d/telemetry/deeper",     Some(Lane::Telemetry), "nothing"),
        ("a/b/c/d/e",                Some(Lane::Telemetry), "nothing"),
        ("stations/s/what",          Some(Lane::Telemetry), "nothing"),
        ("stations/s/incidents",     Some(Lane::Telemetry), "nothing"),
        ("a/d/settings",             None,                  ""),
        ("a/d/command",              None,                  ""),
        ("gateway/clock",            None,                  ""),
        ("stations/s/incidents/01J", None,                  ""),
        ("stations/s/maintenance",   None,                  ""),
    ];
    let sent: Vec<(String, String)> = topics.iter().zip(1..).map(|((topic, ..), seq)| {
        (format!("standpipe/v1/{topic}"), format!("{fire},\"seq\":{seq}}}"))
    }).collect();
    device.publish_all(sent.iter().map(|(topic, payload)| (topic.clone(), payload.clone().into_bytes())));
    let mut taken = Vec::new();
    for bench in [&alarms, &readings] {
        while let Some(delivery) = bench.next(if taken.is_empty() { PATIENCE } else { QUIET * 3 }) {
            bench.ack(&delivery);
            taken.push(delivery);
        }
    }
    for ((topic, lane, what), (full, payload)) in topics.iter().zip(&sent) {
        let print = wire::print(full.as_bytes(), payload.as_bytes());
        let found: Vec<_> = taken.iter().filter(|it| it.arrived.print == print).collect();
        assert_eq!(found.iter().map(|it| Some(it.lane)).collect::<Vec<_>>(), lane.map(Some).into_iter().collect::<Vec<_>>(), "{topic}");
        for it in found {
            let message = match it.parsed.message {
                Some(Message::Telemetry { .. }) => "telemetry",
                Some(Message::Alarm { .. }) => "alarm",
                Some(Message::UnreadableAlarm { .. }) => "unreadable alarm",
                Some(Message::NotUnderstood { .. }) => "not understood",
                Some(_) => "other",
                None => "nothing",
            };
            assert_eq!((message, it.arrived.retained), (*what, false), "{topic}");
            let told = it.parsed.rejected.len();
            assert_eq!(told == 0, matches!(message, "telemetry" | "alarm"), "{topic}");
        }
    }
    assert_eq!(taken.len(), topics.iter().filter(|it| it.1.is_some()).count());
    // What was passed over is acknowledged: none of it comes again.
    alarms.end();
    readings.end();
    for lane in [Lane::Alarm, Lane::Telemetry] {
        assert!(Bench::on(&broker, lane).next(QUIET * 3).is_none(), "{lane:?}");
    }
}

#[test]
fn an_alarm_on_an_odd_topic_does_not_wait_behind_readings() {
    let (_folder, broker) = mosquitto();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let device = Client::connect(broker.port, "device");
    device.publish_all((1..=100).map(reading));
    device.publish("standpipe/v1/t1/house/3/smoke/alarm", "ON");
    let urgent = bench.queues.urgent.recv_timeout(PATIENCE).expect("an alarm");
    assert!(matches!(&urgent, Inbox::Delivery(it) if it.lane == Lane::Telemetry), "{urgent:?}");
    assert_eq!(bench.queues.bulk.len(), 100, "nobody took a reading yet");
}

/// What the broker keeps says what was so once, on either lane; and an empty message takes it back.
#[test]
fn the_retain_flag_means_old_and_an_empty_message_takes_back() {
    let (_folder, broker) = mosquitto();
    let device = Client::connect(broker.port, "device");
    let topic = |channel: &str| format!("standpipe/v1/a/d/{channel}");
    let fire = r#"{"condition":"smoke","active":true}"#;
    let odd = ["AlArM", "ALARM/", "alarm//", "deeper/alarm"];
    device.publish_retained(&topic("alarm"), fire);
    device.publish_retained(&topic("status"), "Offline");
    device.publish_retained(&topic("telemetry"), r#"{"pressure_kpa":300}"#);
    odd.iter().for_each(|channel| device.publish_retained(&topic(channel), fire));
    let (alarms, readings) = (Bench::on(&broker, Lane::Alarm), Bench::on(&broker, Lane::Telemetry));
    for (bench, count) in [(&alarms, 2), (&readings, 1 + odd.len())] {
        let mut fires = 0;
        for _ in 0..count {
            let old = bench.take();
            assert!(old.arrived.retained, "{old:?}");
            fires += usize::from(is_alarm(&old));
            bench.ack(&old);
        }
        assert_eq!(fires, count - 1, "all but a status and a reading");
        assert!(bench.next(QUIET).is_none(), "and nothing else");
    }
    // A device that has its messages kept speaks of now all the same.
    device.publish_retained(&topic("alarm"), fire);
    device.publish_retained(&topic("AlArM"), fire);
    for bench in [&alarms, &readings] {
        let live = bench.take();
        assert!(!live.arrived.retained && is_alarm(&live), "{live:?}");
        bench.ack(&live);
    }
    // Taken back, with the flag and without.
    for (bench, channels) in
        [(&alarms, &["alarm", "status", "reply"][..]), (&readings, &["AlArM", "telemetry", "x"])]
    {
        for (n, channel) in channels.iter().enumerate() {
            device.publish_retained(&topic(channel), "");
            device.publish(&topic(channel), "");
            for _ in 0..2 {
                let it = bench.take();
                let cleared = matches!(it.parsed.message, Some(Message::Cleared { .. }));
                assert_eq!((cleared, it.parsed.message.is_some()), (n == 0, n == 0), "{it:?}");
                assert!(it.parsed.rejected.is_empty(), "{it:?}");
                bench.ack(&it);
            }
        }
    }
    for bench in [&alarms, &readings] {
        assert!(bench.next(QUIET).is_none(), "and nothing else");
    }
    // A session that lasts is not sent it again, and one that is new only what was left.
    readings.end();
    let readings = Bench::on(&broker, Lane::Telemetry);
    assert!(readings.next(QUIET).is_none(), "the broker has sent that to it");
}

fn is_alarm(delivery: &Delivery) -> bool {
    matches!(delivery.parsed.message, Some(Message::Alarm { .. } | Message::UnreadableAlarm { .. }))
}

/// The broker has kept the settings and last readings of a town, and the sessions are new.
#[test]
fn a_live_alarm_does_not_wait_behind_all_that_a_broker_kept() {
    const DEVICES: usize = 5_000;
    let (_folder, broker) = mosquitto();
    let town = Client::connect(broker.port, "town");
    town.retain_all((0..DEVICES).flat_map(|n| {
        [("settings", r#"{"rev":1}"#), ("telemetry", r#"{"pressure_kpa":300}"#)]
            .map(|(channel, payload)| (format!("standpipe/v1/a/d-{n}/{channel}"), payload.into()))
    }));
    let alarms = Bench::on(&broker, Lane::Alarm);
    let readings = Bench::on(&broker, Lane::Telemetry);
    let started = instant();
    town.publish("standpipe/v1/a/d/alarm", r#"{"condition":"smoke","active":true}"#);
    let live = alarms.take();
    assert!(is_alarm(&live) && started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    // Nor is a reading lost that comes meanwhile, and what is not for the lane is passed over.
    town.publish_all([reading(1)]);
    let mut kept = 0;
    loop {
        let it = readings.take();
        readings.ack(&it);
        if !it.arrived.retained {
            assert_eq!(seen(&it), ("HYD-1".to_owned(), 1));
            break;
        }
        kept += 1;
    }
    assert_eq!(kept, DEVICES, "each last reading");
}

/// The broker grants some of what a lane asks for, or nothing.
#[test]
fn a_lane_is_up_when_the_broker_grants_what_it_asks_for() {
    let refusing = |refused: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let thread = std::thread::spawn(move || grants(&listener, refused));
        (port, thread)
    };
    // 0x01: granted at QoS 1; 0x87: not authorized.
    for (lane, codes, up, fine) in [
        (Lane::Telemetry, &[0x01][..], true, true),
        (Lane::Telemetry, &[0x87], false, false),
        (Lane::Alarm, &[0x01; 12], true, true),
        (Lane::Alarm, &[1, 0x87, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], true, false),
        (Lane::Alarm, &[0x87; 12], false, false),
    ] {
        let (port, broker) = refusing(codes);
        let bench = Bench::start(Broker::new("127.0.0.1", port), lane);
        let told = bench.inbox(QUIET);
        assert!(told.is_none(), "not yet: the broker has not answered: {told:?}");
        let told = bench.inbox(QUIET * 4);
        assert_eq!(matches!(told, Some(Inbox::Lane { up: true, .. })), up, "{codes:?}: {told:?}");
        let part = match lane {
            Lane::Alarm => &bench.health.alarm_lane,
            Lane::Telemetry => &bench.health.telemetry_lane,
        };
        match part.status() {
            Status::Fine => assert!(fine, "{codes:?}"),
            Status::Failing { why, .. } => {
                assert!(!fine && why.contains("refuses the subscription standpipe/v1/"), "{why}");
            }
            Status::Starting => panic!("{codes:?}: it has an answer"),
        }
        bench.end();
        broker.join().expect("no panic");
    }
}

/// A broker of one connection, which takes its time to answer the subscription with these codes.
/// mosquitto grants every subscription and withholds the messages.
fn grants(listener: &std::net::TcpListener, codes: &[u8]) {
    use std::io::{Read as _, Write as _};
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut read = [0; 4_096];
    let packet = |stream: &mut std::net::TcpStream, read: &mut [u8]| stream.read(read).unwrap_or(0);
    assert!(packet(&mut stream, &mut read) > 0 && read[0] == 0x10, "a CONNECT");
    stream.write_all(&[0x20, 3, 0, 0, 0]).expect("a CONNACK");
    assert!(packet(&mut stream, &mut read) > 0 && read[0] == 0x82, "a SUBSCRIBE");
    std::thread::sleep(QUIET * 2);
    let mut answer = vec![0x90, 3 + codes.len() as u8, 0, 1, 0];
    answer.extend_from_slice(codes);
    stream.write_all(&answer).expect("a SUBACK");
    while packet(&mut stream, &mut read) > 0 {} // until it says good-bye
}

/// Every filter that an earlier build may have asked for.
#[test]
fn an_older_session_gets_no_message_twice_and_forgets_its_filters() {
    let (_folder, broker) = mosquitto();
    let hello = Hello {
        client_id: "standpipe-telemetry-test".to_owned(),
        clean_start: false,
        session_expiry_s: 3_600,
        receive_maximum: 100,
        will: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let broker = Broker::new("127.0.0.1", broker.port);
        let mut link = Link::open(&broker, &hello).await.expect("a session");
        let before = READINGS_LANE_BEFORE.map(|filter| format!("standpipe/v1/{filter}"));
        link.subscribe(&before).expect("a subscription");
        link.turn(true).await.expect("an answer");
        link.close().await;
    });
    let device = Client::connect(broker.port, "device");
    device.publish_all([reading(1)]); // under the old filter
    let bench = Bench::start(Broker::new("127.0.0.1", broker.port), Lane::Telemetry);
    assert_eq!(seen(&bench.take()).1, 1);
    std::thread::sleep(QUIET); // both filters hold for a moment, so that nothing is lost
    device.publish_all((2..=9).map(reading));
    let numbers: Vec<u32> = (0..8).map(|_| seen(&bench.take()).1).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(bench.next(QUIET).is_none(), "each once");
    // This broker sends one copy however many filters match, others one for each: the old filters
    // are gone for good, and without the new one nothing comes.
    bench.end();
    runtime.block_on(async {
        let broker = Broker::new("127.0.0.1", broker.port);
        let mut link = Link::open(&broker, &hello).await.expect("a session");
        link.unsubscribe(vec!["standpipe/v1/#".to_owned()]).expect("a packet");
        let within = tokio::time::sleep(QUIET);
        tokio::pin!(within);
        let mut published = false;
        loop {
            tokio::select! {
                turned = link.turn(true) => turned.expect("a connection"),
                () = &mut within => break,
            }
            while let Some(frame) = link.next_frame().expect("a connection") {
                match frame {
                    Frame::UnsubAck => {
                        let odd = ["a/d/Alarm", "a", "a/d", "a/b/c/d", "stations/s/what"];
                        let odd = odd.map(|it| (format!("standpipe/v1/{it}"), b"{}".to_vec()));
                        device.publish_all(odd.into_iter().chain([reading(10)]));
                        published = true;
                    }
                    Frame::Publish(it) => assert!(!published, "{:?}", it.topic),
                    _ => {}
                }
            }
        }
        assert!(published);
    });
}

#[test]
fn another_root_is_listened_to_although_the_broker_kept_the_session() {
    let (_folder, broker) = mosquitto();
    Bench::on(&broker, Lane::Telemetry).end();
    let bench = Bench::below("new/v1", Broker::new("127.0.0.1", broker.port), Lane::Telemetry);
    bench.is_up();
    let device = Client::connect(broker.port, "device");
    let heard = wait_for("a reading arrives", PATIENCE, || {
        device.publish("new/v1/banan/HYD-1/telemetry", r#"{"boot":1,"seq":1}"#);
        bench.next(QUIET)
    });
    assert_eq!(seen(&heard), ("HYD-1".to_owned(), 1));
}

#[test]
fn a_poison_message_does_not_stop_the_alarm_behind_it() {
    let (_folder, broker) = mosquitto();
    let bench = Bench::on(&broker, Lane::Alarm);
    let device = Client::connect(broker.port, "device");
    let topic = "standpipe/v1/banan/SMK-1/alarm";
    let alarm = r#"{"condition":"smoke","active":true}"#;
    device.publish(topic, vec![b'['; 1024 * 1024]);
    device.publish(topic, vec![b'x'; 3 * 1024 * 1024]); // over what we announced
    device.publish("standpipe/v1/banan/no name/alarm", "{}");
    device.publish(topic, [0xFF, 0xFE, 0x00]);
    device.publish(topic, alarm);
    let reasons: Vec<_> = (0..4)
        .map(|_| {
            let it = bench.take();
            bench.ack(&it);
            it.parsed.rejected.first().map_or("", |it| it.reason.as_str())
        })
        .collect();
    assert_eq!(reasons.len(), 4);
    assert!(reasons[..3].iter().all(|it| !it.is_empty()), "{reasons:?}");
    assert_eq!(reasons[3], "", "the alarm itself");
    assert_eq!(bench.health.alarm_lane.status(), Status::Fine);
}

#[test]
fn a_full_window_stops_reading_and_loses_nothing() {
    const SENT: usize = BULK_QUEUE + 3_000;
    let (_folder, broker) = mosquitto();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let device = Client::connect(broker.port, "device");
    device.publish_all((1..=SENT as u32).map(reading));
    wait_for("the queue is as full as it gets", PATIENCE, || {
        let before = bench.queues.bulk.len();
        std::thread::sleep(QUIET);
        (before > 0 && bench.queues.bulk.len() == before).then_some(())
    });
    assert!(bench.queues.bulk.len() <= BULK_QUEUE);
    let mut numbers = BTreeSet::new();
    for _ in 0..SENT {
        let it = bench.take();
        assert_eq!(it.epoch, 1, "without a reconnect");
        assert!(numbers.insert(seen(&it).1), "once");
        bench.ack(&it);
    }
    assert_eq!((numbers.len(), bench.next(QUIET).is_none()), (SENT, true));
}

#[test]
fn two_gateways_with_one_store_are_told_apart_from_an_outage() {
    let (_folder, broker) = mosquitto();
    let one = Bench::on(&broker, Lane::Alarm);
    let _other = Bench::on(&broker, Lane::Alarm);
    let why = wait_for("the first one says why it was thrown out", PATIENCE, || {
        match one.health.alarm_lane.status() {
            Status::Failing { why, .. } if why.contains("another client") => Some(why),
            Status::Failing { .. } | Status::Fine | Status::Starting => None,
        }
    });
    assert!(why.contains("`standpipe-alarm-test`"), "{why}");
}

#[test]
fn a_broker_that_is_not_there_yet_is_found_when_it_comes() {
    let (_folder, mut broker) = mosquitto();
    broker.stop();
    let bench = Bench::start(Broker::new("127.0.0.1", broker.port), Lane::Alarm);
    let down = bench.inbox(PATIENCE);
    assert!(matches!(down, Some(Inbox::Lane { up: false, .. })), "{down:?}");
    broker.start_again();
    bench.is_up();
}

#[test]
fn a_broker_that_wants_certificates_and_a_password_gets_both() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/tls");
    let file = |name: &str| std::fs::read(format!("{data}/{name}")).expect("a test certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let passwords = folder.path().join("passwords");
    std::fs::write(&passwords, format!("gateway:{HUNTER2}\n")).expect("a file");
    let lines = format!(
        "cafile {data}/ca.pem\ncertfile {data}/server.pem\nkeyfile {data}/server.key\n\
         require_certificate true\nallow_anonymous false\npassword_file {}",
        passwords.display()
    );
    let broker = Mosquitto::with(folder.path(), &lines);
    let (ca, client) = (file("ca.pem"), (file("client.pem"), file("client.key")));
    let at = |host, password| {
        Broker::new(host, broker.port)
            .with_login("gateway", password)
            .with_tls(Some(&ca), Some((&client.0, &client.1)))
            .expect("good files")
    };
    for host in ["localhost", "127.0.0.1"] {
        let bench = Bench::start(at(host, "hunter2"), Lane::Alarm);
        bench.is_up();
        bench.end();
    }
    let bench = Bench::start(at("localhost", "wrong"), Lane::Alarm);
    let why = wait_for("a wrong password is refused", PATIENCE, || {
        match bench.health.alarm_lane.status() {
            Status::Failing { why, .. } => Some(why),
            Status::Fine | Status::Starting => None,
        }
    });
    assert!(why.contains("check user, password"), "{why}");
}
