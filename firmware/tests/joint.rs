//! A million steps of nonsense with a small storage behind them and a broker that comes and goes:
//! what a device says is sent, waits, or is counted as lost; no alarm is lost while a reading is
//! kept; nothing is said twice. Seeded: a failure names its seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

#[path = "rig/nonsense.rs"]
mod nonsense;
mod support;

use std::collections::{BTreeMap, VecDeque};

use nonsense::{Chance, seen};
use standpipe_firmware::outbox::{KeptKey, Layout, LostRecords, Outbox, Put, Storage};
use standpipe_firmware::{Class, Memory, Node, Record, RecordId, Start, Uptime};
use standpipe_shared::{Kind, SplitMix64};
use support::chip::Chip;
use support::now;

const STEPS: u32 = 1_000_000;
/// So small that it is full of readings within an outage, and of alarms in a long one.
const LAYOUT: Layout = Layout { keep: 0..0x0800, alarms: 0x0800..0x0A00, readings: 0x0A00..0x1000 };

/// What should be in the storage, and what the gateway has.
#[derive(Default)]
struct StorageBook {
    alarms: VecDeque<RecordId>,
    readings: VecDeque<RecordId>,
    lost: LostRecords,
    said: u64,
    sent: u64,
    /// The newest number of each boot and class that arrived.
    arrived: BTreeMap<(Class, u32), u32>,
    full_of_alarms: u32,
}

struct StoringDevice {
    outbox: Outbox<Chip<256>>,
    ledger: StorageBook,
    seed: u64,
}

fn waiting(outbox: &mut Outbox<Chip<256>>, class: Class) -> VecDeque<RecordId> {
    let mut ids = VecDeque::new();
    now(outbox.first(class, |record| {
        ids.push_back(record.id());
        true
    }));
    ids
}

impl StoringDevice {
    fn put(&mut self, record: &Record) {
        let put = now(self.outbox.put(record));
        let (book, seed, id) = (&mut self.ledger, self.seed, record.id());
        book.said += 1;
        let lost = self.outbox.lost();
        let readings = (lost.readings - book.lost.readings) as usize;
        let alarms = (lost.alarms - book.lost.alarms) as usize;
        book.lost = lost;
        match (record.class(), put) {
            (Class::Alarm, Put::Kept) => {
                book.alarms.push_back(id);
                book.readings.drain(..readings);
            }
            (Class::Reading, Put::Kept) => {
                book.readings.drain(..readings);
                book.readings.push_back(id);
                assert_eq!(alarms, 0, "seed {seed}: an alarm was lost for a reading");
            }
            (Class::Reading, Put::Lost) => {
                assert_eq!((alarms, readings), (0, 1), "seed {seed}: itself");
                assert!(!book.alarms.is_empty(), "seed {seed}: refused without a reason");
            }
            (class, put) => panic!("seed {seed}: {class:?} {put:?}"),
        }
        if alarms > 0 {
            assert!(book.readings.is_empty(), "seed {seed}: an alarm is lost, readings are kept");
            book.full_of_alarms += 1;
            let kept = waiting(&mut self.outbox, Class::Alarm);
            let before = book.alarms.len();
            book.alarms.retain(|alarm| kept.contains(alarm));
            assert_eq!((&book.alarms, before - alarms), (&kept, kept.len()), "seed {seed}");
        }
        let waits = self.outbox.waiting();
        let known = (book.alarms.len() as u32, book.readings.len() as u32);
        assert_eq!((waits.alarms, waits.readings), known, "seed {seed}");
        let all = u64::from(waits.alarms + waits.readings + lost.total());
        assert_eq!(book.said, book.sent + all, "seed {seed}: said = sent + waiting + lost");
    }

    /// The broker takes what comes first.
    fn send(&mut self) {
        let class = if self.ledger.alarms.is_empty() { Class::Reading } else { Class::Alarm };
        let mut first = None;
        now(self.outbox.first(class, |record| {
            first = Some(*record);
            false
        }));
        let (book, seed) = (&mut self.ledger, self.seed);
        let known = match class {
            Class::Alarm => book.alarms.pop_front(),
            Class::Reading => book.readings.pop_front(),
        };
        let id = first.map(|record| record.id());
        assert_eq!(id, known, "seed {seed}: not the oldest");
        let Some(RecordId { boot, seq }) = id else { return };
        let last = book.arrived.insert((class, boot), seq);
        assert!(last.is_none_or(|last| last < seq), "seed {seed}: {seq} after {last:?}");
        book.sent += 1;
        now(self.outbox.sent(class, RecordId { boot, seq }));
    }
}

fn live(kind: Kind, seed: u64) {
    let mut chance = Chance(SplitMix64(seed));
    let chip = Chip::<256>::new();
    let (outbox, mut boot) = now(Outbox::open(chip.clone(), LAYOUT, 77));
    let mut device = StoringDevice { outbox, ledger: StorageBook::default(), seed };
    let mut node = Node::start(kind, None, Start { boot, ..Start::default() });
    let (mut at, mut mood, mut online) = (Uptime(0), 300.0, false);
    for _ in 0..STEPS / 2 {
        let out = node.step(&seen(&mut chance, mood), at);
        if out.persist {
            assert!(
                now(device.outbox.keep(KeptKey::Node, &node.memory().to_bytes())),
                "seed {seed}"
            );
        }
        out.records.iter().for_each(|record| device.put(record));
        if online {
            (0..3).for_each(|_| device.send());
        }
        if out.restart || chance.one_in(5_000) {
            let (outbox, next) = now(Outbox::open(chip.clone(), LAYOUT, 77));
            assert_eq!((outbox.storage(), next), (Storage::Kept, boot + 1), "seed {seed}");
            assert_eq!(outbox.lost(), device.ledger.lost, "seed {seed}");
            (device.outbox, boot, at) = (outbox, next, Uptime(0));
            let mut kept = [0; Memory::MAX];
            let len = now(device.outbox.kept(KeptKey::Node, &mut kept)).unwrap_or(0);
            let memory = Memory::from_bytes(&kept[..len]);
            node = Node::start(kind, memory, Start { boot, ..Start::default() });
        } else {
            at = out.wake_at;
        }
        if chance.one_in(if online { 2_000 } else { 400 }) {
            online = !online;
        }
        if chance.one_in(200) {
            mood = [300.0, 150.0, 60.0, 0.0][chance.below(4) as usize];
        }
    }
    let book = &device.ledger;
    let (said, sent, lost) = (book.said, book.sent, book.lost);
    println!("{kind:?}: {said} said, {sent} sent, {lost:?}, {} times full", book.full_of_alarms);
    assert!(said > 10_000 && sent > 5_000 && lost.readings > 100, "seed {seed}: {lost:?}");
}

#[test]
fn half_a_million_steps_of_a_hydrant_lose_nothing_uncounted() {
    live(Kind::Hydrant, 11);
}

#[test]
fn half_a_million_steps_of_a_detector_lose_nothing_uncounted() {
    live(Kind::Smoke, 12);
}
