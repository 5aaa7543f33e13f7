//! Which messages a lane is sent, each once: by their topics, by what the broker kept, and from the
//! moment when the broker grants what was asked for.

use standpipe_engine::{Delivery, Inbox};
use standpipe_engine::health::PartStatus;
use standpipe_rules::wire::{self, Message};
use standpipe_tests::client::Client;
use standpipe_tests::instant;
use standpipe_transport::ingest::Lane;
use standpipe_transport::mqtt::Broker;

use super::bench::{AT_ONCE, Bench, PATIENCE, QUIET, mosquitto, reading, seen, session};

#[test]
#[rustfmt::skip] // a table
fn each_message_is_taken_once_whatever_its_topic() {
    let (_folder, broker) = mosquitto();
    let (alarms, readings) = (Bench::on(&broker, Lane::Alarm), Bench::on(&broker, Lane::Telemetry));
    let (statuses, actions) = (Bench::on(&broker, Lane::Status), Bench::on(&broker, Lane::Action));
    let device = Client::connect(broker.port, "device");
    let long = format!("a/{}/alarm", "x".repeat(65));
    let (fire, pressure) = (r#"{"condition":"smoke","active":true"#, r#"{"pressure_kpa":300"#);
    // A fire is one on whatever topic it comes, so that the other topics get something else.
    let other = r#"{"x":1"#;
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
        ("a/d/status",               Some(Lane::Status),    "not understood"),
        ("a/d/Status",               Some(Lane::Telemetry), "nothing"),
        ("stations/s/status",        Some(Lane::Status),    "nothing"),
        ("a/d/reply",                Some(Lane::Status),    "not understood"),
        ("stations/s/actions",       Some(Lane::Action),    "nothing"),
        ("stations/s/presence",      Some(Lane::Action),    "nothing"),
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
        ("gateway/chain",            Some(Lane::Alarm),     "nothing"), // it is no object of ours
        ("stations/s/incidents/01J", None,                  ""),
        ("stations/s/maintenance",   None,                  ""),
    ];
    let sent: Vec<(String, String)> = topics.iter().zip(1..).map(|((topic, _, what), seq)| {
        let says = match *what {
            "telemetry" => pressure,
            "alarm" | "unreadable alarm" => fire,
            _ => other,
        };
        (format!("standpipe/v1/{topic}"), format!("{says},\"seq\":{seq}}}"))
    }).collect();
    device.publish_all(sent.iter().map(|(topic, payload)| (topic.clone(), payload.clone().into_bytes())));
    let mut taken = Vec::new();
    let lanes = [
        (Lane::Alarm, &alarms),
        (Lane::Status, &statuses),
        (Lane::Action, &actions),
        (Lane::Telemetry, &readings),
    ];
    for (lane, bench) in lanes {
        while let Some(delivery) = bench.next(if taken.is_empty() { PATIENCE } else { QUIET * 3 }) {
            bench.ack(&delivery);
            taken.push((lane, delivery));
        }
    }
    for ((topic, lane, what), (full, payload)) in topics.iter().zip(&sent) {
        let print = wire::print(full.as_bytes(), payload.as_bytes());
        let found: Vec<_> = taken.iter().filter(|(_, delivery)| delivery.arrived.print == print).collect();
        assert_eq!(found.iter().map(|(by, _)| Some(*by)).collect::<Vec<_>>(), lane.map(Some).into_iter().collect::<Vec<_>>(), "{topic}");
        for (_, delivery) in found {
            let message = match delivery.parsed.message {
                Some(Message::Telemetry { .. }) => "telemetry",
                Some(Message::Alarm { .. }) => "alarm",
                Some(Message::UnreadableAlarm { .. }) => "unreadable alarm",
                Some(Message::NotUnderstood { .. }) => "not understood",
                Some(_) => "other",
                None => "nothing",
            };
            assert_eq!((message, delivery.arrived.retained), (*what, false), "{topic}");
            let told = delivery.parsed.rejected.len();
            assert_eq!(told == 0, matches!(message, "telemetry" | "alarm"), "{topic}");
        }
    }
    assert_eq!(taken.len(), topics.iter().filter(|topic| topic.1.is_some()).count());
    // What was passed over is acknowledged: none of it comes again.
    alarms.end();
    statuses.end();
    actions.end();
    readings.end();
    for lane in [Lane::Alarm, Lane::Status, Lane::Action, Lane::Telemetry] {
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
    assert!(matches!(&urgent, Inbox::Delivery(_)), "{urgent:?}");
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
    let statuses = Bench::on(&broker, Lane::Status);
    for (bench, count, others) in
        [(&alarms, 1, 0), (&statuses, 1, 1), (&readings, 1 + odd.len(), 1)]
    {
        let mut fires = 0;
        for _ in 0..count {
            let old = bench.take();
            assert!(old.arrived.retained, "{old:?}");
            fires += usize::from(is_alarm(&old));
            bench.ack(&old);
        }
        assert_eq!(fires, count - others, "all but a status and a reading");
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
    for (bench, channels) in [
        (&alarms, &["alarm"][..]),
        (&statuses, &["status", "reply"]),
        (&readings, &["AlArM", "telemetry", "x"]),
    ] {
        for (n, channel) in channels.iter().enumerate() {
            device.publish_retained(&topic(channel), "");
            device.publish(&topic(channel), "");
            for _ in 0..2 {
                let delivery = bench.take();
                let cleared = matches!(delivery.parsed.message, Some(Message::Cleared { .. }));
                let takes_back = n == 0 && *channel != "status";
                assert_eq!(
                    (cleared, delivery.parsed.message.is_some()),
                    (takes_back, takes_back),
                    "{delivery:?}"
                );
                assert!(delivery.parsed.rejected.is_empty(), "{delivery:?}");
                bench.ack(&delivery);
            }
        }
    }
    for bench in [&alarms, &statuses, &readings] {
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
        let delivery = readings.take();
        readings.ack(&delivery);
        if !delivery.arrived.retained {
            assert_eq!(seen(&delivery), ("HYD-1".to_owned(), 1));
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
        (Lane::Alarm, &[0x01; 9], true, true),
        (Lane::Alarm, &[1, 0x87, 1, 1, 1, 1, 1, 1, 1], true, false),
        (Lane::Alarm, &[0x87; 9], false, false),
    ] {
        let (port, broker) = refusing(codes);
        let bench = Bench::start(Broker::new("127.0.0.1", port), lane);
        let told = bench.inbox(QUIET);
        assert!(told.is_none(), "not yet: the broker has not answered: {told:?}");
        let told = bench.inbox(QUIET * 4);
        assert_eq!(told.as_ref().and_then(session) == Some(true), up, "{codes:?}: {told:?}");
        match bench.status() {
            PartStatus::Fine => assert!(fine, "{codes:?}"),
            PartStatus::Failing { why, .. } => {
                assert!(!fine && why.contains("refuses the subscription standpipe/v1/"), "{why}");
            }
            PartStatus::Starting => panic!("{codes:?}: it has an answer"),
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
