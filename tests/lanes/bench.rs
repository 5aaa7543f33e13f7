//! One lane over a real broker; the test is the engine, and so decides when something is on disk.

use standpipe_engine::feed::Port;
use standpipe_engine::health::PartStatus;
use standpipe_engine::source::{Facts, Outlet, SourceIx, Sources, receipts};
use standpipe_engine::{Delivery, Inbox, Input, Queues, queues};
use standpipe_machine::clock::Clock;
use standpipe_rules::wire::Message;
use standpipe_rules::wire::decoder::Ours;
use standpipe_tests::broker::Broker as Mosquitto;
use standpipe_transport::ingest::{self, Granted, Lane, LaneSetup};
use standpipe_transport::mqtt::Broker;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
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
    pub receipts: Outlet,
    pub facts: Facts,
    pub stop: CancellationToken,
    pub thread: Option<JoinHandle<()>>,
    /// What came before the word that the session is up: what the broker had kept for it.
    pub early: RefCell<VecDeque<Delivery>>,
    /// How often it said that it is down while the test waited for messages.
    pub downs: Cell<usize>,
}

impl Bench {
    pub fn start(broker: Broker, lane: Lane) -> Self {
        Self::below("standpipe/v1", broker, lane)
    }

    pub fn below(root: &str, broker: Broker, lane: Lane) -> Self {
        Self::of(&Self::setup(root, broker), lane)
    }

    /// What the lanes of one gateway are made with.
    pub fn setup(root: &str, broker: Broker) -> LaneSetup {
        let root: Box<str> = root.into();
        let (gateway, clock) = ("test".into(), Clock::new());
        let decoder = Arc::new(Ours::below(&root));
        LaneSetup { broker, root, gateway, decoder, clock, granted: Granted::default() }
    }

    pub fn of(setup: &LaneSetup, lane: Lane) -> Self {
        let feed = ingest::lane(setup, lane);
        let facts = feed.facts().clone();
        let (engine, queues) = queues(&Sources::from_iter([facts.clone()]));
        let (outlet, inlet) = receipts();
        let (source, stop) = (SourceIx::nth(0), CancellationToken::new());
        let port = Port { source, engine, receipts: inlet, stop: stop.clone() };
        let thread = Some(feed.start(port).expect("a thread"));
        Self {
            queues,
            receipts: outlet,
            facts,
            stop,
            thread,
            early: RefCell::default(),
            downs: Cell::default(),
        }
    }

    pub fn on(broker: &Mosquitto, lane: Lane) -> Self {
        let bench = Self::start(Broker::new("127.0.0.1", broker.port), lane);
        bench.is_up();
        bench
    }

    pub fn inbox(&self, within: Duration) -> Option<Inbox> {
        crossbeam_channel::select! {
            recv(self.queues.urgent) -> inbox => inbox.ok(),
            recv(self.queues.statuses) -> inbox => inbox.ok(),
            recv(self.queues.actions) -> inbox => inbox.ok(),
            recv(self.queues.bulk) -> inbox => inbox.ok(),
            default(within) => None,
        }
    }

    /// Waits for the word that the session is up: the broker has granted what it asked for.
    pub fn is_up(&self) {
        loop {
            match self.inbox(PATIENCE) {
                Some(inbox) if session(&inbox) == Some(true) => return,
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
                inbox if session(&inbox) == Some(false) => self.downs.set(self.downs.get() + 1),
                _ => continue,
            }
        }
    }

    pub fn take(&self) -> Delivery {
        self.next(PATIENCE).expect("a message")
    }

    pub fn ack(&self, delivery: &Delivery) {
        let receipt = delivery.receipt.expect("a message at QoS 1");
        self.receipts.blocking_send(vec![receipt]).expect("a lane");
    }

    /// What the lane says of itself.
    pub fn status(&self) -> PartStatus {
        self.facts.health.status()
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

/// Whether the word of a session says that it is up; `None`: it is something else.
pub fn session(inbox: &Inbox) -> Option<bool> {
    let Inbox::Input(input) = inbox else { return None };
    if let Input::Source { up, .. } = input.input { Some(up) } else { None }
}
