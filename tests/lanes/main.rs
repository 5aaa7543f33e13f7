//! The MQTT sessions against a real mosquitto: nothing is acknowledged before it is told to
//! be, nothing is lost, and nothing stops the stream.
//!
//! The engine's queue is read by the test, which so decides when something "is on disk".

mod bench;
mod topics;

use standpipe_engine::health::PartStatus;
use standpipe_machine::limits::BULK_QUEUE;
use standpipe_rules::wire::Message;
use standpipe_rules::wire::topics::{ALARM_LANE, ALARM_LANE_BEFORE, READINGS_LANE_BEFORE};
use standpipe_tests::broker::Broker as Mosquitto;
use standpipe_tests::client::Client;
use standpipe_tests::{instant, wait_for};
use standpipe_transport::ingest::Lane;
use standpipe_transport::mqtt::{Broker, Frame, Hello, Link};
use std::collections::BTreeSet;

use bench::{AT_ONCE, Bench, PATIENCE, QUIET, mosquitto, reading, seen, session};

/// `hunter2`, as `mosquitto_passwd` writes it.
const HUNTER2: &str = "$7$101$DRuDLFKjvmPbMYMV$AqS1ueok5a4IL1zloB7nFqDqRM6q8vTML+0LmEQzojNjAnEADANH/UXlON/6Yo8kHIqvyNwddX9iMxBgybuvjA==";

#[test]
fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    let (_folder, broker) = mosquitto();
    let device = Client::connect(broker.port, "device");
    let bench = Bench::on(&broker, Lane::Telemetry);
    device.publish_all((1..=10).map(reading));
    let taken: Vec<_> = (0..10).map(|_| bench.take()).collect();
    assert_eq!(
        taken.iter().map(|delivery| seen(delivery).1).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    taken[..6].iter().for_each(|delivery| bench.ack(delivery));
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
        matches!(bench.status(), PartStatus::Failing { .. }).then_some(())
    });
    first.iter().for_each(|delivery| bench.ack(delivery)); // too late: of a connection that is gone
    broker.start_again();
    let second: Vec<_> = (0..5).map(|_| bench.take()).collect();
    assert_eq!(second.iter().map(|delivery| seen(delivery).1).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(second.iter().zip(&first).all(|(new, old)| new.receipt != old.receipt));
    first.iter().for_each(|delivery| bench.ack(delivery)); // the same numbers, and still void
    bench.end();
    let bench = Bench::on(&broker, Lane::Telemetry);
    let third: Vec<_> = (0..5).map(|_| bench.take()).collect();
    third.iter().for_each(|delivery| bench.ack(delivery));
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
        (bench.status() == PartStatus::Fine).then_some(())
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
                        let odd =
                            odd.map(|channel| (format!("standpipe/v1/{channel}"), b"{}".to_vec()));
                        device.publish_all(odd.into_iter().chain([reading(10)]));
                        published = true;
                    }
                    Frame::Publish(publish) => assert!(!published, "{:?}", publish.topic),
                    _ => {}
                }
            }
        }
        assert!(published);
    });
}

/// A gateway of before had statuses on its alarm lane: what the broker kept for it is taken, what
/// is said while the filter moves is, and afterwards each status comes once.
#[test]
fn no_status_is_lost_when_statuses_get_a_session_of_their_own() {
    let (_folder, broker) = mosquitto();
    before_statuses_had_a_session(broker.port);
    let device = Client::connect(broker.port, "device");
    let says = |numbers: std::ops::RangeInclusive<u32>| {
        device.publish_all(numbers.map(|n| {
            let (topic, json) = (format!("standpipe/v1/a/d-{n}/status"), r#"{"online":false}"#);
            (topic, json.into())
        }));
    };
    says(1..=50); // nobody is there
    device.publish("standpipe/v1/a/d/alarm", r#"{"condition":"smoke","active":true}"#);
    let setup = Bench::setup("standpipe/v1", Broker::new("127.0.0.1", broker.port));
    let alarms = Bench::of(&setup, Lane::Alarm);
    let kept = numbers(&alarms, QUIET);
    assert_eq!(kept, (1..=50).collect::<Vec<_>>());
    says(51..=60); // the status lane is not there yet
    assert_eq!(numbers(&alarms, QUIET), (51..=60).collect::<Vec<_>>());
    let statuses = Bench::of(&setup, Lane::Status);
    statuses.is_up();
    says(61..=70);
    for (lane, bench) in [("alarm", &alarms), ("status", &statuses)] {
        let taken = numbers(bench, QUIET);
        assert_eq!(taken, (61..=70).collect::<Vec<_>>(), "{lane}: both for a moment");
    }
    let mut said = 71;
    wait_for("the old filter is given back", PATIENCE, || {
        says(said..=said);
        said += 1;
        assert_eq!(numbers(&statuses, QUIET), [said - 1], "the status lane has all");
        numbers(&alarms, QUIET).is_empty().then_some(())
    });
    // For good: a session that lasts does not ask for it again.
    alarms.end();
    let alarms = Bench::of(&setup, Lane::Alarm);
    alarms.is_up();
    says(said..=said + 9);
    assert_eq!(numbers(&statuses, QUIET).len(), 10);
    assert_eq!(numbers(&alarms, QUIET), Vec::<u32>::new());
}

/// Nor is an action, and its filter is given back at once: a comment that comes twice stands there twice.
#[test]
fn no_action_is_lost_or_comes_twice_when_actions_get_a_session_of_their_own() {
    let (_folder, broker) = mosquitto();
    before_statuses_had_a_session(broker.port);
    let people = Client::connect(broker.port, "people");
    let says = |numbers: std::ops::RangeInclusive<u32>| {
        people.publish_all(numbers.map(|n| {
            let topic = "standpipe/v1/stations/s/actions".to_owned();
            let incident = r#""incident":"01M8PJDRD79ZJZJC807KK8AN81""#;
            (topic, format!(r#"{{{incident},"action":"comment","note":"{n}"}}"#).into_bytes())
        }));
    };
    let notes = |bench: &Bench| {
        let mut notes = Vec::new();
        while let Some(delivery) = bench.next(QUIET) {
            bench.ack(&delivery);
            if let Some(Message::Action { action, .. }) = &delivery.parsed.message {
                notes.push(action.note.parse::<u32>().expect("a number"));
            }
        }
        notes
    };
    says(1..=50); // nobody is there
    let setup = Bench::setup("standpipe/v1", Broker::new("127.0.0.1", broker.port));
    let alarms = Bench::of(&setup, Lane::Alarm);
    assert_eq!(notes(&alarms), (1..=50).collect::<Vec<_>>(), "what was kept");
    says(51..=60); // the action lane is not there yet
    assert_eq!(notes(&alarms), (51..=60).collect::<Vec<_>>());
    let actions = Bench::of(&setup, Lane::Action);
    actions.is_up();
    std::thread::sleep(QUIET);
    says(61..=90);
    assert_eq!(notes(&actions), (61..=90).collect::<Vec<_>>());
    assert_eq!(notes(&alarms), Vec::<u32>::new(), "each once");
}

/// The alarm lane's session as 0.1.0 left it.
fn before_statuses_had_a_session(port: u16) {
    let hello = Hello {
        client_id: "standpipe-alarm-test".to_owned(),
        clean_start: false,
        session_expiry_s: 3_600,
        receive_maximum: 100,
        will: None,
    };
    let filters = ALARM_LANE.iter().chain(&ALARM_LANE_BEFORE);
    let filters: Vec<_> = filters.map(|filter| format!("standpipe/v1/{filter}")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let broker = Broker::new("127.0.0.1", port);
        let mut link = Link::open(&broker, &hello).await.expect("a session");
        link.subscribe(&filters).expect("a subscription");
        link.turn(true).await.expect("an answer");
        link.close().await;
    });
}

/// The devices of the statuses that a lane takes until it is quiet, each acknowledged.
fn numbers(bench: &Bench, quiet: std::time::Duration) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(delivery) = bench.next(quiet) {
        bench.ack(&delivery);
        if let Some(Message::Status { device, .. }) = &delivery.parsed.message {
            numbers.push(device.trim_start_matches("d-").parse().expect("a number"));
        }
    }
    numbers
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
            let delivery = bench.take();
            bench.ack(&delivery);
            delivery.parsed.rejected.first().map_or("", |rejected| rejected.reason.as_str())
        })
        .collect();
    assert_eq!(reasons.len(), 4);
    assert!(reasons[..3].iter().all(|reason| !reason.is_empty()), "{reasons:?}");
    assert_eq!(reasons[3], "", "the alarm itself");
    assert_eq!(bench.status(), PartStatus::Fine);
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
        let delivery = bench.take();
        assert!(numbers.insert(seen(&delivery).1), "once");
        bench.ack(&delivery);
    }
    assert_eq!((numbers.len(), bench.next(QUIET).is_none()), (SENT, true));
    assert_eq!(bench.downs.get(), 0, "without a reconnect");
}

#[test]
fn two_gateways_with_one_store_are_told_apart_from_an_outage() {
    let (_folder, broker) = mosquitto();
    let one = Bench::on(&broker, Lane::Alarm);
    let _other = Bench::on(&broker, Lane::Alarm);
    let why =
        wait_for("the first one says why it was thrown out", PATIENCE, || match one.status() {
            PartStatus::Failing { why, .. } if why.contains("another client") => Some(why),
            PartStatus::Failing { .. } | PartStatus::Fine | PartStatus::Starting => None,
        });
    assert!(why.contains("`standpipe-alarm-test`"), "{why}");
}

#[test]
fn a_broker_that_is_not_there_yet_is_found_when_it_comes() {
    let (_folder, mut broker) = mosquitto();
    broker.stop();
    let bench = Bench::start(Broker::new("127.0.0.1", broker.port), Lane::Alarm);
    let down = bench.inbox(PATIENCE);
    assert_eq!(down.as_ref().and_then(session), Some(false), "{down:?}");
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
    let why = wait_for("a wrong password is refused", PATIENCE, || match bench.status() {
        PartStatus::Failing { why, .. } => Some(why),
        PartStatus::Fine | PartStatus::Starting => None,
    });
    assert!(why.contains("check user, password"), "{why}");
}
