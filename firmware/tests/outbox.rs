//! The outbox on a chip that loses its power at every byte, is full, broken, or holds garbage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use standpipe_firmware::outbox::{
    KeptKey, Layout, LostRecords, Outbox, Put, Storage, WaitingRecords,
};
use standpipe_firmware::{Class, Record, RecordId};
use support::chip::{Chip, Cut};
use support::{alarm, now, reading};

/// A small chip fills sooner: two pages of alarms, three of readings.
type Small = Chip<256>;
const SMALL: Layout = Layout { keep: 0..0x0200, alarms: 0x0200..0x0400, readings: 0x0400..0x0700 };

fn open(chip: &Chip) -> (Outbox<Chip>, u32) {
    now(Outbox::open(chip.clone(), Layout::KIB_32, 77))
}

fn open_small(chip: &Small) -> Outbox<Small> {
    now(Outbox::open(chip.clone(), SMALL, 77)).0
}

const fn id(boot: u32, seq: u32) -> RecordId {
    RecordId { boot, seq }
}

/// Everything that waits of a class, in order.
fn waiting<const P: usize>(outbox: &mut Outbox<Chip<P>>, class: Class) -> Vec<RecordId> {
    let mut ids = Vec::new();
    now(outbox.first(class, |record| {
        ids.push(record.id());
        true
    }));
    ids
}

fn first<const P: usize>(outbox: &mut Outbox<Chip<P>>, class: Class) -> Option<Record> {
    let mut found = None;
    now(outbox.first(class, |record| {
        found = Some(*record);
        false
    }));
    found
}

/// What a device was told before its power went.
#[derive(Clone, Debug, Default)]
struct ChipStory {
    /// Confirmed, in order.
    alarms: Vec<RecordId>,
    readings: Vec<RecordId>,
    /// Taken in when the power went: may be there or not.
    open: Vec<RecordId>,
    boot: u32,
    kept: Option<u8>,
    /// Being kept when the power went.
    keeping: Option<u8>,
}

/// Does `steps` of a life of storing, sending and keeping; stops when the chip dies.
fn live(chip: &Chip, steps: u32) -> ChipStory {
    let mut story = ChipStory::default();
    let alive = || chip.0.borrow().left != Some(0);
    let (mut outbox, boot) = open(chip);
    if !alive() {
        return story;
    }
    story.boot = boot;
    for step in 0..steps {
        let record = if step % 4 == 3 { alarm(boot, step) } else { reading(boot, step) };
        story.open = vec![record.id()];
        let put = now(outbox.put(&record));
        if put != Put::Kept {
            return story;
        }
        story.open.clear();
        match record.class() {
            Class::Alarm => story.alarms.push(record.id()),
            Class::Reading => story.readings.push(record.id()),
        }
        if step % 3 == 2 {
            let class = if step % 2 == 0 { Class::Alarm } else { Class::Reading };
            let known = if step % 2 == 0 { &mut story.alarms } else { &mut story.readings };
            if let Some(sent) = first(&mut outbox, class) {
                assert_eq!(sent.id(), known.remove(0), "in order");
                story.open = vec![sent.id()];
                now(outbox.sent(class, sent.id()));
                if !alive() {
                    return story;
                }
                story.open.clear();
            }
        }
        if step % 5 == 4 {
            let value = step as u8;
            story.keeping = Some(value);
            if !now(outbox.keep(KeptKey::Node, &[value; 100])) {
                return story;
            }
            (story.kept, story.keeping) = (story.keeping, None);
        }
    }
    story
}

/// What was confirmed is there and in order; what was open may be at its place too.
fn check(chip: &Chip, story: &ChipStory, when: &str) {
    let (mut outbox, boot) = open(chip);
    assert_eq!(outbox.lost(), LostRecords::default(), "{when}");
    if story.boot != 0 {
        assert_eq!(outbox.storage(), Storage::Kept, "{when}");
        assert!(boot == story.boot + 1, "{when}: boot {boot} after {}", story.boot);
    }
    for (class, known) in [(Class::Alarm, &story.alarms), (Class::Reading, &story.readings)] {
        let mut found = waiting(&mut outbox, class);
        found.retain(|id| known.contains(id) || !story.open.contains(id));
        assert_eq!(&found, known, "{when}: {class:?}");
    }
    let mut value = [0; 256];
    let kept = now(outbox.kept(KeptKey::Node, &mut value)).map(|len| (len, value[0], value[99]));
    let possible = [story.kept, story.keeping].map(|kept| kept.map(|seq| (100, seq, seq)));
    assert!(possible.contains(&kept), "{when}: kept {kept:?} of {possible:?}");
    // And it goes on from there.
    let next = reading(boot, 1_000_000);
    assert_eq!(now(outbox.put(&next)), Put::Kept, "{when}");
    assert_eq!(waiting(&mut outbox, Class::Reading).last(), Some(&next.id()), "{when}");
}

fn survives_cuts(seed: &Chip, steps: u32, cut: Cut) -> u64 {
    let whole = seed.copied();
    live(&whole, steps);
    let bytes = whole.written();
    for at in 0..bytes {
        let chip = seed.copied();
        chip.dies_after(at, cut);
        let story = live(&chip, steps);
        check(&chip.copied(), &story, &format!("{cut:?} cut after byte {at} of {bytes}"));
    }
    bytes
}

#[test]
fn a_power_cut_at_any_byte_loses_nothing_that_was_confirmed() {
    let bytes = survives_cuts(&Chip::<1_024>::new(), 40, Cut::Clean);
    assert!(bytes > 2_000, "only {bytes} bytes");
}

#[test]
fn nor_does_one_that_garbles_the_byte_it_interrupts() {
    survives_cuts(&Chip::<1_024>::new(), 40, Cut::Garbled);
}

/// A small chip that is full of readings, some of which are lost already: (chip, put, lost).
fn full_of_readings() -> (Small, u32, u32) {
    let chip = Small::new();
    let mut outbox = open_small(&chip);
    let mut seq = 0;
    while outbox.lost().readings == 0 {
        seq += 1;
        assert_eq!(now(outbox.put(&reading(1, seq))), Put::Kept);
    }
    let lost = outbox.lost().readings;
    assert!((4..=8).contains(&lost), "a page of them, not {lost}");
    while outbox.lost().readings == lost {
        seq += 1;
        assert_eq!(now(outbox.put(&reading(1, seq))), Put::Kept);
    }
    (chip, seq, outbox.lost().readings)
}

fn run_of(class: Class, ids: &[RecordId]) -> (u32, u32) {
    let seqs: Vec<u32> = ids.iter().map(|id| id.seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a + 1 == *b), "{class:?} not in order: {seqs:?}");
    (seqs.first().copied().unwrap_or(0), seqs.last().copied().unwrap_or(0))
}

#[test]
fn a_full_chip_gives_up_the_oldest_readings_and_counts_them() {
    let (chip, seq, lost) = full_of_readings();
    let mut outbox = open_small(&chip);
    let ids = waiting(&mut outbox, Class::Reading);
    assert_eq!(outbox.lost(), LostRecords { alarms: 0, readings: lost }, "kept over the restart");
    assert_eq!(run_of(Class::Reading, &ids), (lost + 1, seq));
    assert_eq!(outbox.waiting(), WaitingRecords { alarms: 0, readings: seq - lost });
}

#[test]
fn readings_make_room_for_alarms_and_no_alarm_is_given_up_while_one_is_kept() {
    let (chip, seq, _) = full_of_readings();
    let mut outbox = open_small(&chip);
    let mut alarms = 0;
    while outbox.waiting().readings > 0 {
        alarms += 1;
        assert_eq!(now(outbox.put(&alarm(1, alarms))), Put::Kept);
        assert!(outbox.lost().alarms == 0 || outbox.waiting().readings == 0);
        assert_eq!(outbox.waiting().readings + outbox.lost().readings, seq);
        if alarms % 5 == 0 && outbox.lost().alarms == 0 {
            let mut outbox = open_small(&chip);
            let ids = waiting(&mut outbox, Class::Alarm);
            assert_eq!(run_of(Class::Alarm, &ids), (1, alarms), "the restart changes nothing");
        }
    }
    assert!(alarms > 25, "{alarms}");
    while outbox.lost().alarms == 0 {
        alarms += 1;
        assert_eq!(now(outbox.put(&alarm(1, alarms))), Put::Kept);
    }
    assert!(alarms > 35, "{alarms} fill everything");
    assert_eq!(now(outbox.put(&reading(1, 1_000))), Put::Lost, "no reading among alarms");
    assert_eq!(
        outbox.waiting(),
        WaitingRecords { alarms: alarms - outbox.lost().alarms, readings: 0 }
    );
    assert_eq!(outbox.lost().readings, seq + 1);
    // All of them leave, in order, and then readings have their place again.
    let mut last = 0;
    while let Some(record) = first(&mut outbox, Class::Alarm) {
        assert!(record.seq() > last, "{} after {last}", record.seq());
        last = record.seq();
        now(outbox.sent(Class::Alarm, record.id()));
    }
    assert_eq!((last, outbox.waiting()), (alarms, WaitingRecords::default()));
    assert_eq!(now(outbox.put(&reading(1, 1_001))), Put::Kept);
}

#[test]
fn a_power_cut_while_alarms_drive_readings_out_loses_no_alarm_and_miscounts_by_one_at_most() {
    let (chip, seq, _) = full_of_readings();
    let seed = {
        let mut outbox = open_small(&chip);
        for seq in 1..=18 {
            assert_eq!(now(outbox.put(&alarm(1, seq))), Put::Kept);
        }
        chip
    };
    let push = |chip: &Small| {
        let mut outbox = open_small(chip);
        (19..=32).take_while(|seq| now(outbox.put(&alarm(1, *seq))) == Put::Kept).last()
    };
    let whole = seed.copied();
    assert_eq!(push(&whole), Some(32));
    let bytes = whole.written();
    for at in 0..bytes {
        let chip = seed.copied();
        chip.dies_after(at, if at % 2 == 0 { Cut::Clean } else { Cut::Garbled });
        let last = push(&chip).unwrap_or(18);
        let mut outbox = open_small(&chip.copied());
        let alarms = run_of(Class::Alarm, &waiting(&mut outbox, Class::Alarm));
        assert!(alarms == (1, last) || alarms == (1, last + 1), "byte {at}: {alarms:?}, {last}");
        let readings = waiting(&mut outbox, Class::Reading);
        let (oldest, newest) = run_of(Class::Reading, &readings);
        assert!(newest == seq, "byte {at}: the newest are kept, up to {newest}");
        let lost = outbox.lost();
        assert!((oldest - 1..=oldest).contains(&lost.readings), "byte {at}: {oldest}, {lost:?}");
        assert_eq!((lost.alarms, outbox.storage()), (0, Storage::Kept), "byte {at}");
    }
    assert!(bytes > 1_000, "only {bytes} bytes");
}

#[test]
fn a_week_without_the_broker_fits_on_32_kib() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, boot) = open(&chip);
    // Every quarter of an hour for seven days, and a few alarms a day.
    for seq in 1..=7 * 96 {
        assert_eq!(now(outbox.put(&reading(boot, 2 * seq))), Put::Kept);
        if seq % 32 == 0 {
            assert_eq!(now(outbox.put(&alarm(boot, 2 * seq + 1))), Put::Kept);
        }
    }
    assert_eq!(outbox.lost(), LostRecords::default());
    let (mut outbox, _) = open(&chip);
    assert_eq!(outbox.waiting(), WaitingRecords { alarms: 21, readings: 672 });
    assert_eq!(waiting(&mut outbox, Class::Reading).len(), 672);
    // What more fits, and what it costs to send it all.
    let mut seq = 10_000;
    while outbox.lost() == LostRecords::default() {
        seq += 1;
        now(outbox.put(&reading(boot, seq)));
    }
    let most = outbox.waiting().readings;
    println!("32 KiB hold {most} readings of a hydrant: {:.1} days", f64::from(most) / 96.0);
    let before = chip.0.borrow().read;
    for _ in 0..100 {
        let record = first(&mut outbox, Class::Reading).expect("hundreds wait");
        now(outbox.sent(Class::Reading, record.id()));
    }
    let read = (chip.0.borrow().read - before) / 100;
    println!("{read} bytes read for each that is sent");
    assert!(read < 2_000, "{read} bytes are read to send one reading");
}

#[test]
fn garbage_is_erased_and_told_and_then_everything_works() {
    let mut random = 1_u64;
    let mut byte = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (random >> 56) as u8
    };
    let mut images: Vec<Vec<u8>> =
        (0..60).map(|_| (0..Chip::<1_024>::SIZE).map(|_| byte()).collect()).collect();
    images.push(vec![0; Chip::<1_024>::SIZE]);
    // And a good one in which every 700th byte has decayed.
    let good = Chip::<1_024>::new();
    live(&good, 300);
    for _ in 0..60 {
        let mut image = good.0.borrow().bytes.clone();
        for cell in image.chunks_mut(700) {
            let at = usize::from(byte()) * 2 % cell.len();
            cell[at] = byte();
        }
        images.push(image);
    }
    for (number, image) in images.into_iter().enumerate() {
        let chip = Chip::<1_024>::holding(image);
        let (mut outbox, boot) = open(&chip);
        if number < 61 {
            assert_eq!(outbox.storage(), Storage::Corrupt, "image {number}");
        }
        assert_ne!(boot, 0);
        for seq in 1..=800 {
            let record = if seq % 16 == 0 { alarm(boot, seq) } else { reading(boot, seq) };
            assert_eq!(now(outbox.put(&record)), Put::Kept, "image {number}, {seq}");
        }
        let (mut outbox, again) = open(&chip);
        assert_eq!((outbox.storage(), again), (Storage::Kept, boot + 1), "image {number}");
        let alarms = waiting(&mut outbox, Class::Alarm);
        let ours = alarms.iter().filter(|alarm| alarm.boot == boot).count();
        assert_eq!(ours, 50, "image {number}: {alarms:?}, {:?}", outbox.lost());
        assert!(alarms.ends_with(&[id(boot, 784), id(boot, 800)]), "image {number}: {alarms:?}");
        assert!(waiting(&mut outbox, Class::Reading).ends_with(&[id(boot, 798), id(boot, 799)]));
    }
}

/// Whatever becomes of what waits while the device runs, it is sent or counted as lost, once, and waits
/// no longer.
#[test]
fn what_rots_while_it_waits_is_counted_once_and_waits_no_longer() {
    let lanes = [Layout::KIB_32.alarms, Layout::KIB_32.readings];
    let ranges = lanes.map(|range| range.start as usize..range.end as usize);
    let used = |chip: &Chip, range: &std::ops::Range<usize>| {
        let cells = chip.0.borrow();
        range.start + cells.bytes[range.clone()].iter().rposition(|byte| *byte != 0xFF).unwrap()
    };
    let rots: [fn(&mut [u8]); 4] = [
        |cells| cells[cells.len() - 1] ^= 1,
        |cells| cells.fill(0),
        |cells| cells.fill(0x5A),
        |cells| cells[8..].fill(0xFF),
    ];
    for (number, rot) in rots.into_iter().enumerate() {
        let chip = Chip::<1_024>::new();
        let (mut outbox, boot) = open(&chip);
        for seq in 1..=3 {
            now(outbox.put(&alarm(boot, seq)));
        }
        for seq in 4..=8 {
            now(outbox.put(&reading(boot, seq)));
        }
        for range in &ranges {
            let end = used(&chip, range);
            rot(&mut chip.0.borrow_mut().bytes[range.start..=end]);
        }
        let shown = [Class::Alarm, Class::Reading].map(|class| {
            let mut shown = 0;
            now(outbox.first(class, |_| {
                shown += 1;
                true
            }));
            shown
        });
        let (waits, lost) = (outbox.waiting(), outbox.lost());
        assert_eq!([waits.alarms, waits.readings], shown, "{number}: {lost:?}");
        assert_eq!([lost.alarms + shown[0], lost.readings + shown[1]], [3, 5], "{number}");
        assert!(lost.alarms > 0 && lost.readings > 0, "{number}: {lost:?}");
        let (again, _) = open(&chip);
        assert_eq!(again.lost(), lost, "{number}: the count is kept");
    }
}

/// A lane that makes no sense is erased at the start: what could still be read in it is counted, on top
/// of what was lost before.
#[test]
fn what_is_dropped_with_a_lane_is_counted_on_top_of_what_was_lost_before() {
    let chip = Chip::<1_024>::new();
    for round in 1..=3 {
        let (mut outbox, boot) = open(&chip);
        assert_eq!(outbox.lost().alarms, 3 * (round - 1));
        for seq in 1..=3 {
            now(outbox.put(&alarm(boot, seq)));
        }
        {
            // A second page that is begun and not full: no power cut leaves two.
            let bytes = &mut chip.0.borrow_mut().bytes;
            let start = Layout::KIB_32.alarms.start as usize;
            bytes[start + 2_048] = bytes[start];
        }
        let (again, _) = open(&chip);
        assert_eq!((again.lost().alarms, again.storage()), (3 * round, Storage::Corrupt));
        assert_eq!(again.waiting().alarms, 0);
    }
}

#[test]
fn starts_are_counted_until_the_broker_has_something() {
    let chip = Chip::<1_024>::new();
    for starts in 1..=4 {
        assert_eq!(open(&chip).0.starts(), starts);
    }
    let (mut outbox, _) = open(&chip);
    now(outbox.spoke());
    let written = chip.written();
    now(outbox.spoke());
    assert_eq!(chip.written(), written, "written once");
    assert_eq!(open(&chip).0.starts(), 1);
}

#[test]
fn a_dead_chip_is_told_and_memory_keeps_the_alarms() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, _) = open(&chip);
    assert_eq!(outbox.storage(), Storage::Fresh);
    assert_eq!(now(outbox.put(&alarm(1, 1))), Put::Kept);
    chip.dies_after(0, Cut::Clean);
    for seq in 2..=6 {
        assert_eq!(now(outbox.put(&reading(1, seq))), Put::InMemory);
    }
    for seq in 7..=14 {
        assert_eq!(now(outbox.put(&alarm(1, seq))), Put::InMemory);
    }
    assert_eq!(outbox.storage(), Storage::Failed);
    assert_eq!(now(outbox.put(&reading(1, 15))), Put::Lost);
    assert_eq!(outbox.lost(), LostRecords { alarms: 0, readings: 6 });
    assert_eq!(waiting(&mut outbox, Class::Alarm).len(), 8, "what is in memory can be sent");
    now(outbox.sent(Class::Alarm, id(1, 7)));
    assert!(!now(outbox.keep(KeptKey::Board, b"x")));
    // It was a loose contact.
    chip.0.borrow_mut().left = None;
    let ids = waiting(&mut outbox, Class::Alarm);
    assert_eq!(ids[..2], [id(1, 1), id(1, 8)], "the one in the chip, and those in memory");
    let (outbox, _) = now(Outbox::open(chip, Layout::KIB_32, 5));
    assert_eq!(outbox.waiting(), WaitingRecords { alarms: 1, readings: 0 });
}

#[test]
fn boots_are_counted_and_begin_anywhere_when_the_count_is_lost() {
    let chip = Chip::<1_024>::new();
    let (_, first) = now(Outbox::open(chip.clone(), Layout::KIB_32, 12_345));
    let (outbox, second) = now(Outbox::open(chip.clone(), Layout::KIB_32, 999));
    assert_eq!((second, outbox.storage()), (first + 1, Storage::Kept));
    let (_, other) = now(Outbox::open(Chip::<1_024>::new(), Layout::KIB_32, 54_321));
    assert!(first.abs_diff(other) > 1_000, "{first} {other}");
    // Without its count a chip may be anybody's: what else it holds is not believed.
    let mut outbox = open(&chip).0;
    now(outbox.put(&reading(1, 1)));
    chip.0.borrow_mut().bytes[..0x800].fill(0xFF);
    let (outbox, _) = open(&chip);
    assert_eq!((outbox.storage(), outbox.waiting().readings), (Storage::Corrupt, 0));
}

#[test]
fn what_was_given_up_meanwhile_is_not_sent_instead_of_another() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, _) = open(&chip);
    for seq in 1..=3 {
        now(outbox.put(&reading(1, seq)));
    }
    now(outbox.sent(Class::Reading, id(1, 9)));
    now(outbox.sent(Class::Alarm, id(1, 1)));
    assert_eq!(waiting(&mut outbox, Class::Reading), [id(1, 1), id(1, 2), id(1, 3)]);
    now(outbox.sent(Class::Reading, id(1, 2)));
    assert_eq!(
        waiting(&mut outbox, Class::Reading),
        [id(1, 1), id(1, 3)],
        "one waited for the clock"
    );
    assert_eq!(outbox.waiting(), WaitingRecords { alarms: 0, readings: 2 });
}
