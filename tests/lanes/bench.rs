//! One lane over a real broker; the test is the engine, and so decides when something is on disk.

use standpipe_engine::health::Health;
use standpipe_engine::{Acks, Delivery, Inbox, Lane, Queues, acks, queues};
use standpipe_machine::clock::Clock;
use standpipe_rules::wire::Message;
use standpipe_tests::broker::Broker as Mosquitto;
use standpipe_transport::ingest::{self, Setup};
use standpipe_transport::mqtt::Broker;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Far less than the pause between two pings, which would also bring what was overlooked.
pub const AT_ONCE: Duration = Duration::from_secs(3);
pub const QUIET: Duration = Duration::from_millis(300);

pub fn mosquitto() -> (TempDir, Mosquitto) {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start(folder.path());
    (folder, broker)
}

/// One lane, and the engine's ends of its queues.
pub struct Bench {
    pub queues: Queues,
    pub acks: mpsc::Sender<Acks>,
    pub health: Arc<Health>,
    pub stop: CancellationToken,
    pub thread: Option<JoinHandle<()>>,
    /// What came before the word that the session is up: what the broker had kept for it.
    pub early: RefCell<VecDeque<Delivery>>,
}

impl Bench {
    pub fn start(broker: Broker, lane: Lane) -> Self {
        Self::below("standpipe/v1", broker, lane)
    }

    pub fn below(root: &str, broker: Broker, lane: Lane) -> Self {
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

    pub fn on(broker: &Mosquitto, lane: Lane) -> Self {
        let bench = Self::start(Broker::new("127.0.0.1", broker.port), lane);
        bench.is_up();
        bench
    }

    pub fn inbox(&self, within: Duration) -> Option<Inbox> {
        crossbeam_channel::select! {
            recv(self.queues.urgent) -> it => it.ok(),
            recv(self.queues.bulk) -> it => it.ok(),
            default(within) => None,
        }
    }

    /// Waits for the word that the session is up: the broker has granted what it asked for.
    pub fn is_up(&self) {
        loop {
            match self.inbox(PATIENCE) {
                Some(Inbox::Lane { up: true, .. }) => return,
                Some(Inbox::Delivery(delivery)) => self.early.borrow_mut().push_back(*delivery),
                other => panic!("the session does not come up: {other:?}"),
            }
        }
    }

    /// The next message, stepping over word of the session.
    pub fn next(&self, within: Duration) -> Option<Delivery> {
        let early = self.early.borrow_mut().pop_front();
        if early.is_some() {
            return early;
        }
        loop {
            match self.inbox(within)? {
                Inbox::Delivery(delivery) => return Some(*delivery),
                _ => continue,
            }
        }
    }

    pub fn take(&self) -> Delivery {
        self.next(PATIENCE).expect("a message")
    }

    pub fn ack(&self, delivery: &Delivery) {
        let acks = Acks { epoch: delivery.epoch, pkids: vec![delivery.pkid] };
        self.acks.blocking_send(acks).expect("a lane");
    }

    /// Stops in good order.
    pub fn end(mut self) {
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
pub fn seen(delivery: &Delivery) -> (String, u32) {
    match &delivery.parsed.message {
        Some(Message::Telemetry { device, readings, .. }) => {
            (device.to_string(), readings[0].seq.expect("a number"))
        }
        other => panic!("no telemetry: {other:?}"),
    }
}

pub fn reading(seq: u32) -> (String, Vec<u8>) {
    let payload = format!(r#"{{"boot":1,"seq":{seq},"pressure_kpa":300}}"#);
    ("standpipe/v1/banan/HYD-1/telemetry".to_owned(), payload.into())
}
