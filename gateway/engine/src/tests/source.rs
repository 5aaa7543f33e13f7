//! A source that is not MQTT: what the engine promises to any of them.

use std::sync::{Arc, Mutex};

use standpipe_rules::wire::Parsed;
use standpipe_rules::wire::decoder::{Decoder, Parameters, Raw};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::decoders::ChosenDecoders;
use crate::feed::{Feed, Incoming, Port, Source, SourceEvent};
use crate::source::{Facts, QueueKind, SourceNeed};

/// Messages from a channel, such as requests would come; their receipts are numbers.
struct Requests {
    requests: mpsc::Receiver<SourceEvent>,
    answers: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl Requests {
    fn note(&self, what: &'static str, receipt: Receipt) {
        self.answers.lock().unwrap().push((what, receipt.token()));
    }
}

impl Source for Requests {
    fn facts(&self) -> Facts {
        Facts::new("requests", "requests", QueueKind::Bulk, SourceNeed::Extra)
    }

    async fn next(&mut self) -> SourceEvent {
        match self.requests.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    fn acknowledge(&mut self, receipts: &[Receipt]) {
        receipts.iter().for_each(|receipt| self.note("kept", *receipt));
    }

    fn refused(&mut self, receipt: Option<Receipt>) {
        receipt.into_iter().for_each(|receipt| self.note("refused", receipt));
    }
}

fn incoming(rejected: usize) -> Incoming {
    let payload = vec![0; rejected];
    let rejected =
        Rejected { reason: RejectedReason::NotJson, detail: "".into(), payload, count: 1 };
    let parsed = Parsed { rejected: vec![rejected], ..Default::default() };
    Incoming { arrived: T0.into(), topic: "".into(), parsed }
}

#[test]
fn receipts_come_back_in_order_when_it_is_kept_and_what_finds_no_room_is_refused() {
    let (tell, requests) = mpsc::channel(8);
    let answers = Arc::default();
    let feed = Feed::of(Requests { requests, answers: Arc::clone(&answers) });
    let sources = Sources::from_iter([feed.facts().clone()]);
    let (handle, queues) = queues(&sources);
    let (outlet, inlet) = receipts();
    let (source, stop) = (SourceIx::nth(0), CancellationToken::new());
    let port = Port { source, engine: handle, receipts: inlet, stop: stop.clone() };
    let thread = feed.start(port).unwrap();
    let said = || answers.lock().unwrap().clone();
    for (n, size) in [(1, 10), (2, STAGED_BYTES), (3, 10)] {
        tell.blocking_send(SourceEvent::Message(incoming(size), Some(Receipt::new(n)))).unwrap();
    }
    tell.blocking_send(SourceEvent::Message(incoming(1), None)).unwrap();
    let mut engine = Bench::new(0);
    for _ in 0..3 {
        let message = queues.bulk.recv_timeout(Duration::from_secs(5)).unwrap();
        engine.engine.take(message, T0);
    }
    assert_eq!(said(), [("refused", 2)], "nothing is kept yet");
    // It was told to stop: what is being kept is waited for.
    stop.cancel();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!thread.is_finished());
    let mut kept = engine.commit(T0).receipts;
    assert_eq!(kept, [vec![Receipt::new(1), Receipt::new(3)]]);
    outlet.blocking_send(kept.remove(0)).unwrap();
    thread.join().unwrap();
    assert_eq!(said(), [("refused", 2), ("kept", 1), ("kept", 3)]);
}

#[test]
fn only_a_source_that_is_needed_makes_the_gateway_blind() {
    let blind = |sight: SourceNeed| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("standpipe.db")).unwrap();
        let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        let sources = Sources::from_iter([Facts::new("x", "x", QueueKind::Bulk, sight)]);
        let mut engine = Engine::new(store, loaded, &sources, T0);
        let source = SourceIx::nth(0);
        engine.take(Input::Source { source, up: false }.at(T0), T0);
        engine.tick(T0 + 600_000);
        engine.commit(T0 + 600_000).unwrap();
        engine.world().gateway_stands(Condition::GatewayBlind)
    };
    assert_eq!((blind(SourceNeed::Needed), blind(SourceNeed::Extra)), (true, false));
}

/// Another maker's detectors: a byte each, in kPa of a loop whose range is a parameter, or `F`.
struct Loops;

impl Decoder for Loops {
    fn decode(&self, raw: Raw<'_>, parameters: Parameters<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        for (byte, n) in raw.payload.iter().zip(0..) {
            let device = format!("H-{n}");
            let kpa = parameters.get(&device, "kpa").unwrap_or_default();
            let (channel, payload) = match byte {
                b'F' => ("alarm", r#"{"condition":"smoke","active":true}"#.to_owned()),
                byte => ("telemetry", format!(r#"{{"pressure_kpa":{}}}"#, f64::from(*byte) * kpa)),
            };
            let topic = format!("{ROOT}/a/{device}/{channel}");
            parsed.more.extend(parse(ROOT, topic.as_bytes(), payload.as_bytes()).message);
        }
        parsed
    }
}

#[test]
fn all_messages_of_one_payload_are_kept_before_its_one_receipt_and_its_fire_overtakes() {
    let table = |device: &str, name: &str| (device == "H-0" && name == "kpa").then_some(2.0);
    let raw = Raw { topic: b"", payload: &[100, b'F', b'F'] };
    let parsed = Loops.decode(raw, Parameters::of(&table));
    let (receipt, topic) = (Some(Receipt::new(7)), "".into());
    let delivery = Delivery { source: TELEMETRY, receipt, arrived: T0.into(), topic, parsed };
    let (handle, queues) = queues(&Sources::urgent_and_bulk());
    handle.deliver(delivery).unwrap();
    let waiting = QueueLengths { urgent: 1, ..QueueLengths::default() };
    assert_eq!(handle.waiting(), waiting, "a fire among them");
    let mut bench = Bench::new(3);
    bench.engine.take(queues.urgent.recv().unwrap(), T0);
    assert_eq!(bench.commit(T0).receipts, [vec![], vec![Receipt::new(7)]]);
    assert_eq!(bench.count("SELECT COUNT(*) FROM incident WHERE inner LIKE '%\"smoke\"%'"), 2);
    let values = bench.engine.world().summary(DeviceIx(0)).latest;
    assert_eq!(values.get(standpipe_shared::Field::PressureKpa), Some(200.0));
}

#[test]
fn sources_know_the_decoder_of_a_device_as_soon_as_its_row_says_so() {
    let row = |n: u32, decoder: &str| Device { decoder: decoder.into(), ..device(n) };
    let decoders = ChosenDecoders::of([&row(0, "loops"), &row(1, "")]);
    let named = |device: &str| decoders.get(device).map(String::from);
    assert_eq!((named("H-0").as_deref(), named("H-1")), (Some("loops"), None), "at the start");
    let mut bench = Bench::new(2);
    bench.engine.tell_decoders(decoders.clone());
    for row in [row(0, ""), row(1, "loops"), row(2, "bytes")] {
        bench.engine.take(Input::PutDevice(Box::new(row)), T0);
    }
    let now = ["H-0", "H-1", "H-2", "H-3"].map(named);
    assert_eq!(now, [None, Some("loops".to_owned()), Some("bytes".to_owned()), None]);
}
