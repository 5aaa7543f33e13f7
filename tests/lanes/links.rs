//! Links that break and clients that take sessions over: the lane is back at once, and no alarm is
//! lost by it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use standpipe_engine::Delivery;
use standpipe_engine::health::PartStatus;
use standpipe_rules::wire::Message;
use standpipe_tests::client::Client;
use standpipe_tests::{instant, wait_for};
use standpipe_transport::ingest::Lane;
use standpipe_transport::mqtt::Broker;

use crate::bench::{Bench, PATIENCE, QUIET, mosquitto};

/// A proxy in front of a broker whose connections can be cut.
struct Link {
    port: u16,
    connections: Receiver<[TcpStream; 2]>,
}

impl Link {
    fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (tell, connections) = channel();
        std::thread::spawn(move || serve(&listener, broker, &tell));
        Self { port, connections }
    }

    fn cut(&self) {
        let cut = self.connections.try_iter().flatten().map(|end| end.shutdown(Shutdown::Both));
        assert!(cut.count() > 0, "there was a connection to cut");
    }
}

fn serve(listener: &TcpListener, broker: u16, tell: &Sender<[TcpStream; 2]>) {
    for near in listener.incoming() {
        let near = near.expect("a connection");
        let far = TcpStream::connect(("127.0.0.1", broker)).expect("the broker");
        let copies = [&near, &far].map(|end| end.try_clone().expect("a socket"));
        for (mut from, mut to) in [(&near, &far), (&far, &near)]
            .map(|(from, to)| (from.try_clone().expect("one"), to.try_clone().expect("one")))
        {
            std::thread::spawn(move || {
                let mut some = [0; 4_096];
                while let Ok(read @ 1..) = from.read(&mut some)
                    && to.write_all(&some[..read]).is_ok()
                {}
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        if tell.send(copies).is_err() {
            return;
        }
    }
}

fn fire(seq: u32) -> (String, Vec<u8>) {
    let payload = format!(r#"{{"boot":1,"seq":{seq},"condition":"smoke","active":true}}"#);
    (format!("standpipe/v1/banan/SMK-{seq}/alarm"), payload.into())
}

/// The number of an alarm, which is acknowledged, where that is wanted.
fn number(bench: &Bench, delivery: &Delivery) -> Option<u32> {
    if delivery.receipt.is_some() {
        bench.ack(delivery);
    }
    match &delivery.parsed.message {
        Some(Message::Alarm { device, .. }) => device.trim_start_matches("SMK-").parse().ok(),
        _ => None,
    }
}

#[test]
fn a_link_that_is_cut_over_and_over_is_back_at_once_each_time() {
    let (_folder, broker) = mosquitto();
    let link = Link::to(broker.port);
    let to = Broker::new("127.0.0.1", link.port);
    let rivals = to.rivals.clone();
    let bench = Bench::start(to, Lane::Alarm);
    bench.is_up();
    let device = Client::connect(broker.port, "device");
    for cut in 1..=6 {
        std::thread::sleep(Duration::from_millis(600));
        link.cut();
        let at = instant();
        device.publish_all([fire(cut)]);
        let alarm = bench.take();
        assert_eq!(number(&bench, &alarm), Some(cut));
        let waited = at.elapsed();
        assert!(waited < Duration::from_secs(1), "cut {cut}: the alarm waited {waited:?}");
    }
    assert!(rivals.at(0).is_empty(), "a cut link is no rival");
}

/// A client that begins a clean session under the alarm lane's id, again and again: what the broker
/// would have kept for the lane meanwhile is gone.
fn take_the_session(port: u16, times: u32) {
    for _ in 0..times {
        std::thread::sleep(Duration::from_millis(500));
        drop(Client::connect(port, "standpipe-alarm-test"));
    }
}

#[test]
fn a_client_that_takes_the_alarm_session_twice_a_second_costs_no_alarm() {
    const FIRES: u32 = 60;
    let (_folder, broker) = mosquitto();
    let setup = Bench::setup("standpipe/v1", Broker::new("127.0.0.1", broker.port));
    let [alarms, all] = [Lane::Alarm, Lane::Telemetry].map(|lane| {
        let bench = Bench::of(&setup, lane);
        bench.is_up();
        bench
    });
    let port = broker.port;
    let rival = std::thread::spawn(move || take_the_session(port, 12));
    let device = Client::connect(broker.port, "device");
    let mut heard = BTreeSet::new();
    let hear = |heard: &mut BTreeSet<u32>, within: Duration| {
        for bench in [&alarms, &all] {
            while let Some(delivery) = bench.next(within) {
                heard.extend(number(bench, &delivery));
            }
        }
    };
    for seq in 1..=FIRES {
        device.publish_all([fire(seq)]);
        hear(&mut heard, Duration::from_millis(50));
    }
    rival.join().expect("no panic");
    wait_for("every fire is heard", PATIENCE, || {
        hear(&mut heard, QUIET);
        (heard.len() == FIRES as usize).then_some(())
    });
    wait_for("the lane has its session", PATIENCE, || {
        (alarms.status() == PartStatus::Fine).then_some(())
    });
}

#[test]
fn of_two_that_take_the_session_from_each_other_one_has_every_alarm() {
    const FIRES: u32 = 40;
    let (_folder, broker) = mosquitto();
    let both = [(); 2].map(|()| Bench::start(Broker::new("127.0.0.1", broker.port), Lane::Alarm));
    let device = Client::connect(broker.port, "device");
    let mut heard = BTreeSet::new();
    for seq in 1..=FIRES {
        device.publish_all([fire(seq)]);
        for bench in &both {
            while let Some(delivery) = bench.next(Duration::from_millis(50)) {
                heard.extend(number(bench, &delivery));
            }
        }
    }
    wait_for("every fire is heard", PATIENCE, || {
        for bench in &both {
            while let Some(delivery) = bench.next(QUIET) {
                heard.extend(number(bench, &delivery));
            }
        }
        (heard.len() == FIRES as usize).then_some(())
    });
    let downs = both.iter().map(|bench| bench.downs.get()).sum::<usize>();
    assert!(downs < 40, "{downs} times in some seconds: a fight, not a storm");
}

/// mosquitto says so since 2.0.15, which not every machine has: here a broker of a few bytes does.
#[test]
fn a_rival_is_named_when_the_broker_says_so_and_the_session_is_taken_back() {
    const TAKEN_OVER: [u8; 3] = [0xE0, 1, 0x8E];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, came) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut near = connection.expect("a connection");
            let mut read = [0; 4_096];
            tell.send(instant()).expect("somebody listens");
            assert!(near.read(&mut read).is_ok_and(|length| length > 0), "a CONNECT");
            near.write_all(&[0x20, 3, 0, 0, 0]).expect("a CONNACK");
            assert!(near.read(&mut read).is_ok_and(|length| length > 0), "a SUBSCRIBE");
            near.write_all(&TAKEN_OVER).expect("a DISCONNECT");
        }
    });
    let broker = Broker::new("127.0.0.1", port);
    let setup = Bench::setup("standpipe/v1", broker);
    let bench = Bench::of(&setup, Lane::Alarm);
    let at: Vec<_> = (0..4).map(|_| came.recv_timeout(PATIENCE).expect("it comes")).collect();
    for pair in at.windows(2) {
        let pause = pair[1].duration_since(pair[0]);
        let rhythm = Duration::from_millis(450)..Duration::from_secs(2);
        assert!(rhythm.contains(&pause), "{pause:?}: twice a second, and no oftener");
    }
    let why = wait_for("it says why", PATIENCE, || match bench.status() {
        PartStatus::Failing { why, .. } => Some(why),
        PartStatus::Fine | PartStatus::Starting => None,
    });
    assert!(why.contains("another client") && why.contains("`standpipe-alarm-test`"), "{why}");
    let rivals = setup.broker.rivals.at(setup.clock.stamp().steady());
    assert_eq!(rivals, ["standpipe-alarm-test".into()]);
}
