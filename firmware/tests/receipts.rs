//! An alarm that the broker has and the gateway has not confirmed: it stays, it is repeated, it holds up
//! nothing, and it costs the flash no byte more than before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::time::Duration;

use standpipe_firmware::outbox::{
    AWAITED, Dated, Layout, LostRecords, Outbox, Put, Receipts, Storage, WaitingRecords,
};
use standpipe_firmware::{Class, RecordId, Uptime};
use support::broker::{Broker, HABITS, PATIENT, beside, run};
use support::chip::{Chip, Cut};
use support::device::Device;
use support::{alarm, now, reading};
use tokio::time::timeout;

/// A small chip fills sooner: two pages of alarms, three of readings.
type Small = Chip<256>;
const SMALL: Layout = Layout { keep: 0..0x0200, alarms: 0x0200..0x0400, readings: 0x0400..0x0700 };

const DAY_MS: u64 = 86_400_000;

/// Started on a chip, with receipts promised.
fn promised(chip: &Chip) -> (Outbox<Chip>, u32) {
    let (mut outbox, boot) = now(Outbox::open(chip.clone(), Layout::KIB_32, 77));
    now(outbox.promise(Receipts::Promised));
    (outbox, boot)
}

fn unsent<const P: usize>(outbox: &mut Outbox<Chip<P>>) -> Vec<u32> {
    let mut seqs = Vec::new();
    now(outbox.first(Class::Alarm, |record| {
        seqs.push(record.seq());
        true
    }));
    assert_eq!(seqs.len(), outbox.waiting().alarms as usize);
    seqs
}

fn has<const P: usize>(outbox: &mut Outbox<Chip<P>>, boot: u32, seq: u32, ms: u64) {
    now(outbox.acknowledged(RecordId { boot, seq }, Dated::Yes, Uptime(ms)));
}

fn again<const P: usize>(outbox: &mut Outbox<Chip<P>>, boot: u32, seq: u32, ms: u64) {
    now(outbox.repeated(RecordId { boot, seq }, Uptime(ms)));
}

#[test]
fn an_alarm_stays_until_its_receipt_and_nothing_is_written_meanwhile() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, boot) = promised(&chip);
    now(outbox.put(&alarm(boot, 2)));
    now(outbox.put(&alarm(boot, 3)));
    let written = chip.written();
    has(&mut outbox, boot, 2, 1_000);
    has(&mut outbox, boot, 3, 2_000);
    again(&mut outbox, boot, 2, 6_000);
    again(&mut outbox, boot, 2, 16_000);
    assert_eq!(outbox.waiting(), WaitingRecords::default(), "none waits for the broker");
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);
    assert_eq!(now(outbox.repeat_at(Uptime(16_000))), Some(Uptime(7_000)), "the other one");
    let (repeated, dated) = now(outbox.to_repeat(Uptime(16_000))).unwrap();
    assert_eq!((repeated, dated), (alarm(boot, 3), Dated::Yes));
    now(outbox.promise(Receipts::Promised));
    assert_eq!(chip.written(), written, "bytes written for all that");

    // A restart: what has no receipt is as if it had never been sent, and the promise is known.
    now(outbox.receipt(RecordId { boot, seq: 9 }));
    now(outbox.receipt(RecordId { boot, seq: 2 }));
    let (mut outbox, _) = now(Outbox::open(chip.clone(), Layout::KIB_32, 77));
    assert_eq!(unsent(&mut outbox), [3]);
    has(&mut outbox, boot, 3, 0);
    assert!(now(outbox.to_repeat(Uptime(5_000))).is_some(), "the promise outlives a restart");
    now(outbox.receipt(RecordId { boot, seq: 3 }));
    let (mut outbox, _) = now(Outbox::open(chip, Layout::KIB_32, 77));
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);
}

#[test]
fn without_a_promise_the_brokers_word_is_enough() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, boot) = now(Outbox::open(chip.clone(), Layout::KIB_32, 77));
    now(outbox.put(&alarm(boot, 2)));
    has(&mut outbox, boot, 2, 100);
    assert_eq!(now(outbox.repeat_at(Uptime(0))), None);

    now(outbox.promise(Receipts::Promised));
    now(outbox.put(&alarm(boot, 3)));
    has(&mut outbox, boot, 3, 100);
    assert!(now(outbox.repeat_at(Uptime(100))).is_some());
    now(outbox.promise(Receipts::None));
    assert_eq!(now(outbox.repeat_at(Uptime(100))), None, "taken back: nothing is awaited any more");
    let (mut outbox, _) = now(Outbox::open(chip, Layout::KIB_32, 77));
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);
}

#[test]
fn after_a_day_it_is_let_go_of() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, boot) = promised(&chip);
    now(outbox.put(&alarm(boot, 2)));
    has(&mut outbox, boot, 2, 1_000);
    again(&mut outbox, boot, 2, 5_000_000);
    assert!(now(outbox.repeat_at(Uptime(999 + DAY_MS))).is_none(), "it comes with a reading");
    now(outbox.put(&reading(boot, 3)));
    assert!(now(outbox.repeat_at(Uptime(999 + DAY_MS))).is_some());
    assert!(now(outbox.repeat_at(Uptime(1_000 + DAY_MS))).is_none());
    let (mut outbox, _) = now(Outbox::open(chip, Layout::KIB_32, 77));
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);
}

#[test]
fn a_power_cut_at_any_byte_loses_no_alarm_without_a_receipt() {
    let seed = Chip::<1_024>::new();
    drop(promised(&seed));
    let (boot, seqs) = (0x4000 + 78, [2, 3, 4]);
    /// How far it came: stored, and with its receipt asked to go.
    fn lives(chip: &Chip, seqs: [u32; 3]) -> (Vec<u32>, Vec<u32>) {
        let (mut stored, mut going) = (Vec::new(), Vec::new());
        let (mut outbox, boot) = now(Outbox::open(chip.clone(), Layout::KIB_32, 77));
        for seq in seqs {
            if now(outbox.put(&alarm(boot, seq))) != Put::Kept {
                return (stored, going);
            }
            stored.push(seq);
            has(&mut outbox, boot, seq, 100);
        }
        for seq in [3, 2] {
            going.push(seq);
            now(outbox.receipt(RecordId { boot, seq }));
        }
        (stored, going)
    }
    let whole = {
        let chip = seed.copied();
        assert_eq!(lives(&chip, seqs).1, [3, 2]);
        chip.written()
    };
    let mut kept = [0; 4];
    for cut in [Cut::Clean, Cut::Garbled] {
        for left in 0..=whole {
            let chip = seed.copied();
            chip.dies_after(left, cut);
            let (stored, going) = lives(&chip, seqs);
            let (mut outbox, _) = now(Outbox::open(chip.copied(), Layout::KIB_32, 77));
            let there = unsent(&mut outbox);
            for seq in &stored {
                let lost = !there.contains(seq) && !going.contains(seq);
                assert!(!lost, "{cut:?} after {left} of {whole} B: {boot} {seq} of {stored:?}");
            }
            kept[there.len()] += 1;
        }
    }
    assert!(kept.iter().all(|times| *times > 0), "none, one, two and all of them: {kept:?}");
}

#[test]
fn those_that_the_broker_has_make_room_for_all_that_it_has_not() {
    let chip = Small::new();
    let (mut outbox, boot) = now(Outbox::open(chip, SMALL, 77));
    now(outbox.promise(Receipts::Promised));
    for seq in 2..300 {
        assert_eq!(now(outbox.put(&alarm(boot, seq))), Put::Kept);
        assert_eq!(unsent(&mut outbox), [seq], "it can be sent at once");
        has(&mut outbox, boot, seq, u64::from(seq));
        // A reading finds its place as ever.
        assert_eq!(now(outbox.put(&reading(boot, 1_000 + seq))), Put::Kept, "{seq}");
        now(outbox.sent(Class::Reading, RecordId { boot, seq: 1_000 + seq }));
    }
    assert_eq!(outbox.lost(), LostRecords::default());
    // Those that are left are the newest, as many as fit.
    let mut repeated = Vec::new();
    while let Some((record, _)) = now(outbox.to_repeat(Uptime(400_000))) {
        repeated.push(record.seq());
        again(&mut outbox, boot, record.seq(), 400_000);
    }
    assert!(repeated.len() >= 4, "{repeated:?}");
    assert_eq!(repeated, Vec::from_iter(300 - repeated.len() as u32..300));
}

#[test]
fn no_more_are_awaited_than_there_are_places_and_the_oldest_goes() {
    let (mut outbox, boot) = promised(&Chip::<1_024>::new());
    let most = AWAITED as u32;
    for seq in 1..=most + 3 {
        now(outbox.put(&alarm(boot, seq)));
        has(&mut outbox, boot, seq, 0);
    }
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);
    let mut repeated = Vec::new();
    while let Some((record, _)) = now(outbox.to_repeat(Uptime(5_000))) {
        repeated.push(record.seq());
        again(&mut outbox, boot, record.seq(), 5_000);
    }
    assert_eq!(repeated, Vec::from_iter(4..=most + 3));
}

#[test]
fn a_dead_chip_awaits_nothing_and_a_receipt_of_before_the_restart_counts() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, boot) = promised(&chip);
    now(outbox.put(&alarm(boot, 2)));
    has(&mut outbox, boot, 2, 0);
    // A restart: its receipt was on its way.
    let (mut outbox, _) = now(Outbox::open(chip.clone(), Layout::KIB_32, 77));
    now(outbox.receipt(RecordId { boot, seq: 2 }));
    assert_eq!(unsent(&mut outbox), [0_u32; 0]);

    chip.dies_after(0, Cut::Clean);
    for seq in 1..=8 {
        assert_eq!(now(outbox.put(&alarm(boot, seq))), Put::InMemory);
        has(&mut outbox, boot, seq, 0);
    }
    assert_eq!(outbox.storage(), Storage::Failed);
    assert_eq!((outbox.waiting(), outbox.lost()), Default::default(), "the places are free");
    assert!(now(outbox.to_repeat(Uptime(60_000))).is_none());
}

const SETTINGS: &str = r#"{"rev":1,"interval_s":900,"sample_s":5,"low_kpa":140,"no_water_kpa":20,"delta_kpa":15,"receipts":true}"#;

#[test]
fn over_a_real_broker_it_is_repeated_byte_by_byte_until_the_gateway_answers() {
    run(async {
        let broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let device = Device::start(&Chip::<1_024>::new(), "H-1").await;
        beside(&device, broker.port, HABITS, async {
            assert_eq!(gateway.hears().await.0, "status");
            gateway.says("banan/H-1/settings", SETTINGS).await;
            device.post.heard.receive().await;
            device.put(&alarm(device.boot, 2)).await;
            let (level, first) = gateway.hears().await;
            assert_eq!((level.as_str(), first["seq"].as_u64()), ("alarm", Some(2)));
            // A new one does not wait for it, nor do readings.
            device.put(&alarm(device.boot, 3)).await;
            device.put(&reading(device.boot, 4)).await;
            let mut next = [gateway.hears().await, gateway.hears().await];
            next.sort_by_key(|message| message.1["seq"].as_u64());
            assert_eq!(next.map(|message| message.1["seq"].as_u64()), [Some(3), Some(4)]);
            let receipt = |seq| format!(r#"{{"boot":{},"seq":{seq}}}"#, device.boot);
            gateway.says("banan/H-1/receipt", receipt(3)).await;

            let began = tokio::time::Instant::now();
            let (level, again) = gateway.hears().await;
            assert_eq!((level.as_str(), &again), ("alarm", &first), "with the same time in it");
            let waited = began.elapsed();
            assert!((4..8).contains(&waited.as_secs()), "after 5 s: {waited:?}");
            gateway.says("banan/H-1/receipt", receipt(2)).await;
            let more = timeout(Duration::from_secs(12), gateway.hears()).await;
            assert!(more.is_err(), "not after its receipt: {more:?}");
        })
        .await;
        assert!(PATIENT > Duration::from_secs(12));
    });
}
