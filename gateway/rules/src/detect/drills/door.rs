//! Duplicates, numbers used again, the ledger, the free millisecond.

use standpipe_shared::{Condition, Field, Measurements, Reading};

use super::{Drill, at, in_town};
use crate::changes::LedgerCounts;
use crate::detect::admit::{self, Arrival, Door, Recent, SeqOrder};
use crate::registry::DeviceIx;
use crate::wire::Origin;
use crate::{Changes, Ms};

fn ledger(drill: &mut Drill) -> Vec<(u32, [u32; 5])> {
    let mut out = std::mem::take(&mut drill.out);
    drill.watch.close_ledger(&mut out);
    let rows = out.ledger.iter().map(|row| {
        let LedgerCounts { expected, received, duplicate, late, seq_reused } = row.counts;
        (row.boot, [expected, received, duplicate, late, seq_reused])
    });
    rows.collect()
}

#[test]
#[rustfmt::skip] // a table: expected, received, duplicate, late, seq_reused
fn the_ledger_counts_a_boot() {
    let message = |script: &str| {
        let mut drill = Drill::hydrant();
        drill.run(script);
        let kept = drill.out.readings.len();
        (ledger(&mut drill), kept)
    };
    for (story, script, rows, kept) in [
        ("in order",       "00:00:01 #1/1 temp_c=1\n00:00:02 #1/2 temp_c=1",                          vec![(1, [2, 2, 0, 0, 0])], 2),
        ("one is missing", "00:00:01 #1/1 temp_c=1\n00:00:03 #1/3 temp_c=1",                          vec![(1, [3, 2, 0, 0, 0])], 2),
        ("it comes later", "00:00:01 #1/1 temp_c=1\n00:00:03 #1/3 temp_c=1\n00:00:04 @00:00:02 #1/2 temp_c=1", vec![(1, [3, 3, 0, 0, 0])], 3),
        ("from 1",         "00:00:01 #1/5 temp_c=1",                                                  vec![(1, [5, 1, 0, 0, 0])], 1),
        ("twice the same", "00:00:01 #1/1 temp_c=1\n00:00:02 @00:00:01 #1/1 temp_c=1",                vec![(1, [1, 1, 1, 0, 0])], 1),
        ("same number, other value", "00:00:01 #1/1 temp_c=1\n00:00:02 @00:00:01 #1/1 temp_c=2",      vec![(1, [1, 1, 0, 0, 1])], 2),
        ("same number, other time",  "00:00:01 #1/1 temp_c=1\n00:00:02 #1/1 temp_c=1",                vec![(1, [1, 1, 0, 0, 1])], 2),
        ("an alarm is no reading",   "00:00:01 #1/1 temp_c=1\n00:00:02 @00:00:01 #1/1 alarm tamper on temp_c=1", vec![(1, [1, 1, 0, 0, 1])], 2),
        ("late",           "00:30:00 @00:00:01 #1/1 temp_c=1\n00:30:01 @00:29:02 #1/2 temp_c=1",      vec![(1, [2, 2, 0, 1, 0])], 2),
        ("a new boot",     "00:00:01 #1/1 temp_c=1\n00:00:02 #2/1 temp_c=1\n00:00:03 #2/2 temp_c=1",  vec![(2, [2, 2, 0, 0, 0]), (1, [1, 1, 0, 0, 0])], 3),
        ("an earlier boot's rest beside it", "00:00:01 #1/1 temp_c=1\n00:00:02 #2/1 temp_c=1\n00:00:03 #1/2 temp_c=1\n00:00:04 #2/2 temp_c=1",
         vec![(2, [2, 2, 0, 0, 0]), (1, [2, 2, 0, 0, 0])], 4),
        ("of a boot long gone only what comes", "00:00:01 #5/1 temp_c=1\n00:00:02 #6/1 temp_c=1\n00:00:03 #4/70 temp_c=1\n00:00:04 #4/71 temp_c=1",
         vec![(5, [1, 1, 0, 0, 0]), (4, [2, 2, 0, 0, 0]), (6, [1, 1, 0, 0, 0])], 4),
        ("no numbers, no duplicates", "00:00:01 temp_c=1\n00:00:02 @00:00:01 temp_c=1",               vec![], 2),
        ("a new boot that does not begin at 1", "00:00:01 #1/1 temp_c=1\n00:00:02 #2/3 temp_c=1", vec![(2, [3, 1, 0, 0, 0]), (1, [1, 1, 0, 0, 0])], 2),
        ("boot 0 is an earlier boot",    "00:00:01 #5/1 temp_c=1\n00:00:02 #0/70 temp_c=1", vec![(0, [1, 1, 0, 0, 0]), (5, [1, 1, 0, 0, 0])], 2),
        ("64 back is known: used again", "00:00:01 #1/64 temp_c=1\n00:00:02 #1/1 temp_c=1\n00:00:03 #1/1 temp_c=2", vec![(1, [64, 2, 0, 0, 1])], 3),
        ("65 back is not: it was missing", "00:00:01 #1/65 temp_c=1\n00:00:02 #1/1 temp_c=1\n00:00:03 #1/1 temp_c=2", vec![(1, [65, 3, 0, 0, 0])], 3),
        ("a long leap forgets what was below", "00:00:01 #1/1 temp_c=1\n00:00:02 #1/200 temp_c=1\n00:00:03 #1/137 temp_c=1", vec![(1, [200, 3, 0, 0, 0])], 3),
        ("a leap of 63 forgets nothing", "00:00:01 #1/1 temp_c=1\n00:00:02 #1/64 temp_c=1\n00:00:03 #1/1 temp_c=2", vec![(1, [64, 2, 0, 0, 1])], 3),
        ("one wild number is one message",   "00:00:01 #1/1 temp_c=1\n00:00:02 #1/4294967295 temp_c=1\n00:00:03 #1/2 temp_c=1", vec![(1, [3, 3, 0, 0, 0])], 3),
        ("a leap of 10,000 is believed",     "00:00:01 #1/1 temp_c=1\n00:00:02 #1/10001 temp_c=1",   vec![(1, [10_001, 2, 0, 0, 0])], 2),
        ("one more is another run",          "00:00:01 #1/1 temp_c=1\n00:00:02 #1/10002 temp_c=1",   vec![(1, [2, 2, 0, 0, 0])], 2),
        ("which its second number confirms", "00:00:01 #1/1 temp_c=1\n00:00:02 #1/90000 temp_c=1\n00:00:03 #1/90003 temp_c=1\n00:00:04 #1/90004 temp_c=1", vec![(1, [6, 4, 0, 0, 0])], 4),
        ("it counts anew within a boot",     "00:00:01 #1/50000 temp_c=1\n00:00:02 #1/1 temp_c=1\n00:00:03 #1/2 temp_c=1\n00:00:04 #1/4 temp_c=1", vec![(1, [5, 4, 0, 0, 0])], 4),
        ("what is late may be far back",     "02:00:01 #1/50000 temp_c=1\n02:00:02 @00:00:02 #1/1 temp_c=1\n02:00:03 @00:00:03 #1/2 temp_c=1", vec![(1, [1, 3, 0, 2, 0])], 3),
        ("a boot that begins far up begins there", "00:00:01 #1/50000 temp_c=1\n00:00:02 #1/50001 temp_c=1", vec![(1, [2, 2, 0, 0, 0])], 2),
    ] {
        assert_eq!(message(script), (rows, kept), "{story}");
    }
}

#[test]
fn numbers_that_leap_are_counted() {
    let mut drill = Drill::hydrant();
    drill.run("00:00:01 #1/1 temp_c=1\n00:00:02 #1/90000 temp_c=1\n00:00:03 #1/90001 temp_c=1\n00:00:04 #1/2 temp_c=1\n00:00:05 #1/3 temp_c=1");
    assert_eq!(drill.out.counts.seq_jumps, 2, "once for each run");
    let mut drill = Drill::hydrant();
    drill.run("00:00:01 #0/30000 temp_c=1\n00:00:02 #0/5 temp_c=1\n00:00:03 #0/30001 temp_c=1");
    assert_eq!(ledger(&mut drill), [(0, [3, 3, 0, 0, 0])], "a single number begins no run");
    let mut drill = Drill::hydrant();
    drill.run("00:00:01 #1/1 temp_c=1\n00:00:02 #1/90000 temp_c=1\n00:00:03 #2/1 temp_c=1\n00:00:04 #2/90001 temp_c=1");
    assert_eq!(drill.out.counts.seq_jumps, 2, "a run begins and goes on in one boot");
}

#[test]
fn a_row_of_the_ledger_is_an_hour() {
    let mut drill = Drill::hydrant();
    drill.run("00:59:59 #1/1 temp_c=1\n01:00:00 #1/2 temp_c=1\n01:59:59.999 #1/3 temp_c=1");
    let closed: Vec<_> =
        drill.out.ledger.iter().map(|entry| (entry.hour, entry.counts.received)).collect();
    assert_eq!(closed, [(at("00:00:00"), 1)]);
    let mut out = Changes::default();
    drill.watch.close_ledger(&mut out);
    let closed: Vec<_> =
        out.ledger.iter().map(|entry| (entry.hour, entry.counts.received)).collect();
    assert_eq!(closed, [(at("01:00:00"), 2)]);
    let mut again = Changes::default();
    drill.watch.close_ledger(&mut again);
    assert!(again.ledger.is_empty(), "closed rows are counted once");
    drill.run("02:00:00 #1/4 temp_c=1");
    assert!(drill.out.ledger.len() == 1, "an hour in which nothing came has no row");
}

#[test]
fn a_device_that_repeats_one_message_for_ever_does_nothing() {
    let mut drill = Drill::hydrant();
    drill.run("00:00:00 #1/1 pressure_kpa=0");
    for second in 1..200 {
        drill.run(&format!(
            "{} @00:00:00 #1/1 pressure_kpa=0",
            super::clock(super::T0 + second * 1_000)
        ));
    }
    assert_eq!(drill.out.counts.duplicates, 199);
    assert_eq!(drill.out.readings.len(), 1);
    let ix = drill.watch.registry.find("D").unwrap();
    assert_eq!(drill.watch.memory(ix).unwrap().heard_at, Some(at("00:03:19")), "but it is heard");
}

#[test]
fn a_duplicate_far_back_is_known_as_long_as_it_is_recent() {
    let mut drill = Drill::hydrant();
    for seq in 1..=500 {
        drill.run(&format!("{} #1/{seq} temp_c=1", super::clock(super::T0 + seq * 1_000)));
    }
    for seq in 1..=500 {
        let ts = super::clock(super::T0 + seq * 1_000);
        drill.run(&format!("01:00:00 @{ts} #1/{seq} temp_c=1"));
    }
    assert_eq!((drill.out.counts.duplicates, drill.out.readings.len()), (500, 500));
    let ix = drill.watch.registry.find("D").unwrap();
    let mut forgetful = Drill::hydrant();
    let body = drill.watch.memory(ix).unwrap().body();
    forgetful.watch.restore(ix, crate::detect::Memory::from_body(&body).unwrap());
    for seq in 469..=500 {
        let ts = super::clock(super::T0 + seq * 1_000);
        forgetful.run(&format!("01:00:00 @{ts} #1/{seq} temp_c=1"));
    }
    assert_eq!(forgetful.out.counts.duplicates, 32, "the device's own memory knows the last 32");
    let mut restarted = Drill::hydrant();
    let ix = restarted.watch.registry.find("D").unwrap();
    let body = drill.watch.memory(ix).unwrap().body();
    restarted.watch.restore(ix, crate::detect::Memory::from_body(&body).unwrap());
    for logged in &drill.out.readings {
        restarted.watch.remember(logged);
    }
    for seq in 1..=500 {
        let ts = super::clock(super::T0 + seq * 1_000);
        restarted.run(&format!("01:00:00 @{ts} #1/{seq} temp_c=1"));
    }
    assert_eq!(restarted.out.counts.duplicates, 500, "also after a restart");
}

fn numbered(number: (u32, u32)) -> Arrival {
    Arrival { number: Some(number), ts: 0, at: 0, print: 7, late: false }
}

fn door(came: &[(u32, u32)]) -> Door {
    let mut door = Door::default();
    for number in came {
        door.admit(DeviceIx(0), &numbered(*number), false, &mut vec![]);
    }
    door
}

#[test]
fn a_number_stands_before_or_after_those_that_came() {
    let came = door(&[(1, 100)]);
    for (number, order) in [
        (Some((1, 101)), SeqOrder::Newer),
        (Some((1, 10_100)), SeqOrder::Newer),
        (Some((1, 10_101)), SeqOrder::Unclear),
        (Some((1, 100)), SeqOrder::Unclear),
        (Some((1, 99)), SeqOrder::JustBefore),
        (Some((1, 37)), SeqOrder::JustBefore),
        (Some((1, 36)), SeqOrder::Older),
        (Some((2, 1)), SeqOrder::Newer),
        (Some((0, 200)), SeqOrder::Older),
        (None, SeqOrder::Unclear),
    ] {
        assert_eq!(came.order(number), order, "{number:?}");
    }
    assert_eq!(door(&[]).order(Some((1, 1))), SeqOrder::Unclear, "the first one");
    assert_eq!(door(&[(1, 98), (1, 100)]).order(Some((1, 98))), SeqOrder::Unclear, "it came");
}

#[test]
fn a_message_is_known_by_its_number_and_its_content() {
    let came = door(&[(1, 40), (1, 41)]);
    assert!(came.knows(&numbered((1, 40))) && came.knows(&numbered((1, 41))));
    assert!(!came.knows(&numbered((1, 42))));
    assert!(!came.knows(&Arrival { print: 8, ..numbered((1, 40)) }), "other content");
    assert!(!came.knows(&Arrival { number: None, ..numbered((1, 40)) }));
}

#[test]
fn recent_forgets_the_oldest() {
    let mut recent = Recent::default();
    let arrival =
        |seq| admit::Arrival { number: Some((1, seq)), ts: 0, at: 0, print: 7, late: false };
    let device = crate::registry::DeviceIx(0);
    for seq in 0..Recent::MAX as u32 {
        assert!(!recent.meet(device, &arrival(seq)));
    }
    assert!(recent.meet(device, &arrival(0)), "the oldest is still known");
    assert!(!recent.meet(device, &arrival(u32::MAX)), "one more");
    assert!(!recent.meet(device, &arrival(0)), "now it is not");
    assert!(recent.meet(device, &arrival(2)));
    let none = admit::Arrival { number: None, ..arrival(2) };
    assert!(!recent.meet(device, &none) && !recent.meet(device, &none));
}

#[test]
fn recent_knows_the_newest_and_no_others_however_many_came() {
    let mut recent = Recent::default();
    let arrival =
        |seq| admit::Arrival { number: Some((1, seq)), ts: 0, at: 0, print: 7, late: false };
    let device = crate::registry::DeviceIx(0);
    let (most, last) = (Recent::MAX as u32, Recent::MAX as u32 * 5 / 2);
    for seq in 0..last {
        assert!(!recent.meet(device, &arrival(seq)), "{seq}");
        assert!(recent.meet(device, &arrival(seq)), "{seq} at once again");
    }
    for seq in 0..last {
        assert_eq!(recent.knows(device, &arrival(seq)), seq >= last - most, "{seq}");
    }
}

#[test]
fn late_is_more_than_it_may_be_also_when_the_log_is_read_again() {
    for (script, late) in
        [("00:10:00 @00:09:00 #1/1 temp_c=1", 0), ("00:10:00 @00:08:59.999 #1/1 temp_c=1", 1)]
    {
        let mut drill = Drill::hydrant();
        drill.run(script);
        let mut again = Drill::hydrant();
        again.watch.replay(&drill.out.readings[0], &mut again.out);
        assert_eq!(ledger(&mut drill), [(1, [1, 1, 0, late, 0])], "{script}");
        assert_eq!(ledger(&mut again), [(1, [1, 1, 0, late, 0])], "{script}: again");
    }
}

#[test]
fn two_readings_at_one_millisecond_get_one_each() {
    let stamps = |script: &str| {
        let mut drill = Drill::hydrant();
        drill.run(script);
        let base: Ms = at("00:00:01");
        drill.out.readings.iter().map(|reading| reading.series_ts - base).collect::<Vec<_>>()
    };
    assert_eq!(stamps("00:00:01 temp_c=1\n00:00:01 temp_c=2\n00:00:01 temp_c=3"), [0, 1, 2]);
    assert_eq!(
        stamps(
            "00:00:01 temp_c=1\n00:00:02 temp_c=2\n00:00:03 @00:00:01 temp_c=3\n00:00:04 @00:00:01.001 temp_c=4\n00:00:05 @00:00:01 temp_c=5"
        ),
        [0, 1_000, 1, 2, 3]
    );
    let mut many = String::new();
    for _ in 0..100 {
        many += "00:00:01 temp_c=1\n";
    }
    assert_eq!(stamps(&many), (0..100).collect::<Vec<Ms>>());
    for n in 0..100 {
        many += &format!("00:00:01.{:03} temp_c=1\n", 1 + n / 10);
    }
    assert_eq!(stamps(&many), (0..200).collect::<Vec<Ms>>(), "a flood keeps its order");
    let mut far = "00:00:01 temp_c=1\n".to_owned();
    for n in 0..11 {
        far += &format!("00:00:{:02} temp_c=1\n", n + 2);
    }
    let far = far + "00:00:30 @00:00:01 temp_c=9";
    assert_eq!(stamps(&far).last(), Some(&1), "12 back is still known");
}

#[test]
fn every_word_of_a_message_makes_it_another() {
    let mut prints = std::collections::HashSet::new();
    let mut put = |reading: Reading, alarm| assert!(prints.insert(admit::print(&reading, alarm)));
    let base = Reading::default();
    put(base, None);
    put(Reading { boot: Some(9), ..base }, None);
    put(Reading { seq: Some(9), ..base }, None);
    put(Reading { ts: Some(0), ..base }, None);
    for field in Field::ALL {
        let mut values = Measurements::default();
        values.set(field, 0.0).unwrap();
        put(Reading { values, ..base }, None);
    }
    for condition in Condition::ALL {
        put(base, Some((condition, false, false)));
    }
    put(base, Some((Condition::Smoke, true, false)));
    put(base, Some((Condition::Smoke, false, true)));
    let unknown = Reading { unknown: 7, ..base };
    assert_eq!(admit::print(&unknown, None), admit::print(&base, None));
}

#[test]
fn counts_tell_what_came() {
    let mut drill = Drill::hydrant();
    drill.run(
        "00:00:01 #1/1 temp_c=1\n00:00:02 #1/2 alarm tamper on\n00:00:03 @1+00:00:00 #1/3 temp_c=1\n00:30:00 @00:01:00 #1/4 temp_c=1\n00:30:01 #1/1 temp_c=5",
    );
    let counts = drill.out.counts;
    assert_eq!(
        (counts.readings, counts.alarms, counts.bad_clocks, counts.late, counts.seq_reused),
        (4, 1, 1, 1, 1)
    );
    let reading = Reading { unknown: 3, ..Reading::default() };
    drill.watch.reading(in_town("D"), &reading, drill.now, &mut drill.out);
    assert_eq!(drill.out.counts.unknown_fields, 3);
}

#[test]
fn what_must_be_kept_is_named() {
    let mut drill = Drill::hydrant();
    let ix = drill.watch.registry.find("D").unwrap();
    drill.run("00:00:00 pressure_kpa=100");
    assert!(drill.out.save.is_empty(), "the log can repeat it");
    assert_eq!(drill.out.dirty, [ix]);
    drill.run("00:00:30 pressure_kpa=100");
    assert_eq!(drill.out.save, [ix], "a condition changed");
    drill.out = Changes::default();
    drill.run("00:00:40 alarm tamper on");
    assert!(drill.out.save.contains(&ix), "the log cannot repeat an alarm");
    drill.out = Changes::default();
    drill.run("00:00:50 gone");
    assert!(drill.out.save.contains(&ix), "nor a status");
    drill.out = Changes::default();
    drill.run("00:20:00 @00:10:00 pressure_kpa=0\n00:20:01 @00:11:00 pressure_kpa=0");
    assert!(drill.out.save.contains(&ix), "held back, but true");
    drill.out = Changes::default();
    drill.watch.heard("D", drill.now, &mut drill.out);
    drill.watch.heard("nobody", drill.now, &mut drill.out);
    assert_eq!(drill.out.save, [ix]);
    assert!(drill.out.registered.is_empty());
    drill.out = Changes::default();
    drill.run("00:30:00");
    assert!(drill.out.save.contains(&ix), "a deadline found something");
}

#[test]
fn a_duplicate_is_kept_where_it_ends_a_silence() {
    let mut drill = Drill::watched();
    let ix = drill.watch.registry.find("D").unwrap();
    drill.run("00:00:00 #1/1 pressure_kpa=300\n00:06:00");
    for (clock, found, kept) in [
        ("00:10:00", &["00:10:00 D offline ended 00:10:00"][..], &[ix][..]),
        ("00:10:10", &[], &[]),
    ] {
        drill.out.clear();
        drill.finds("again", &format!("{clock} @00:00:00 #1/1 pressure_kpa=300"), found);
        assert_eq!((drill.out.counts.duplicates, &*drill.out.save), (1, kept), "{clock}");
    }
}

#[test]
fn history_has_a_reading_at_the_time_its_device_tells_while_that_is_in_doubt() {
    let mut drill = Drill::hydrant();
    drill.watch.set_doubt(Some(600_000), &mut drill.out);
    drill.run("00:30:00 @00:20:00 pressure_kpa=300\n00:31:00 @00:31:00 pressure_kpa=301");
    let times = |logged: &crate::changes::Logged| (logged.ts, logged.series_ts);
    let kept: Vec<(Ms, Ms)> = drill.out.readings.iter().map(times).collect();
    let (told, read) = (at("00:20:00"), at("00:30:00"));
    assert_eq!(kept, [(read, told), (at("00:31:00"), at("00:31:00"))]);
}

#[test]
fn a_device_that_moved_to_another_area_is_noted() {
    let mut drill = Drill::hydrant();
    let ix = drill.watch.registry.find("D").unwrap();
    let reading = Reading::default();
    drill.watch.reading(
        Origin { area: "elsewhere", device: "D" },
        &reading,
        drill.now,
        &mut drill.out,
    );
    assert_eq!(drill.out.registered, [ix]);
    let device = drill.watch.registry.device(ix).unwrap();
    assert_eq!((&*device.area, device.claimed), ("elsewhere", true));
    drill.watch.reading(
        Origin { area: "elsewhere", device: "D" },
        &reading,
        drill.now,
        &mut drill.out,
    );
    assert_eq!(drill.out.registered, [ix]);
}

#[test]
fn a_duplicate_moves_nothing_that_a_replay_would_not() {
    let mut live = Drill::hydrant();
    live.run("00:00:01 #2/1 temp_c=1\n00:00:02 #1/9 temp_c=2\n00:00:03 @00:00:01 #2/1 temp_c=1");
    assert_eq!(live.out.counts.duplicates, 1);
    let mut again = Drill::hydrant();
    for logged in &live.out.readings {
        again.watch.replay(logged, &mut again.out);
    }
    let ix = live.watch.registry.find("D").unwrap();
    let [mut one, mut two] =
        [&live, &again].map(|drill| drill.watch.memory(ix).unwrap().door.clone());
    one.close(ix, &mut Vec::new());
    two.close(ix, &mut Vec::new());
    assert_eq!(one, two);
}
