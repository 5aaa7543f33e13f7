//! A device is told of its alarm when it is stored, not before, and again as often as it repeats it.

use standpipe_machine::limits::RECEIPT_QUEUE;
use standpipe_rules::wire::receipt::AlarmReceipt;
use standpipe_shared::ReceivedAlarm;

use super::*;
use crate::receipts::alarm_receipts;
use crate::working::KeepEntries;

const FIRE: &str = r#"{"boot":3,"seq":18,"condition":"smoke","active":true}"#;

fn numbered(seq: u32) -> AlarmReceipt {
    let receipt = ReceivedAlarm::Numbered { boot: 3, seq };
    AlarmReceipt { area: "a".into(), device: "S-1".into(), receipt }
}

#[test]
fn an_alarm_is_answered_with_the_commit_and_once_more_when_it_is_repeated() {
    let mut bench = Bench::new(1);
    bench.says("a/S-1/alarm", FIRE, T0 + 10, 9);
    bench.reads(0, 1, 300.0, T0 + 11);
    assert_eq!(bench.commit(T0 + 20).alarms, [numbered(18)], "and no reading is");
    for again in 1..=3 {
        bench.says("a/S-1/alarm", FIRE, T0 + 5_000 * again, 10);
        assert_eq!(bench.commit(T0 + 5_000 * again).alarms, [numbered(18)], "repeated {again}");
    }
    assert_eq!(bench.count("SELECT COUNT(*) FROM incident"), 1, "all of them are one alarm");
    assert!(bench.commit(T0 + 30_000).alarms.is_empty(), "each is answered once");
    // One without numbers is named by its payload, which the lane has hashed.
    let (topic, payload) = (format!("{ROOT}/a/S-1/alarm"), b"FIRE!!");
    let parsed = parse(ROOT, topic.as_bytes(), payload);
    let arrived = Came { digest: Some([7; 32]), ..(T0 + 40_000).into() };
    let delivery = Delivery { source: ALARM, receipt: None, arrived, topic: topic.into(), parsed };
    bench.engine.take(delivery, T0 + 40_000);
    let hashed = AlarmReceipt { receipt: ReceivedAlarm::Payload([7; 32]), ..numbered(0) };
    assert_eq!(bench.commit(T0 + 40_000).alarms, [hashed]);
}

#[test]
fn what_the_disk_did_not_take_is_not_answered() {
    let mut bench = Bench::new(1);
    bench.commit(T0 + 1_000);
    bench.engine.store().limit_pages(1).unwrap();
    let mut now = T0 + 5_000;
    // There may be a little room left in the file: fill it.
    let (mut asked, mut answered) = (0, 0);
    while !bench.engine.is_held() {
        asked += 1;
        let json = format!(r#"{{"boot":3,"seq":{asked},"condition":"smoke","active":true}}"#);
        bench.says("a/S-1/alarm", &json, now, 9);
        bench.engine.tick(now);
        answered += bench.engine.commit(now).map_or(0, |done| done.alarms.len());
        now += 1_000;
    }
    assert_eq!(answered, asked as usize - 1);
    bench.engine.store().limit_pages(1_000_000).unwrap();
    assert_eq!(bench.engine.commit(now).unwrap().alarms, [numbered(asked)]);
}

#[test]
fn what_memory_alone_has_is_answered_when_the_disk_has_it() {
    let mut bench = Bench::new(1);
    bench.engine.to_memory("answers", KeepEntries::No).unwrap();
    for seq in [18, 19] {
        let json = format!(r#"{{"boot":3,"seq":{seq},"condition":"smoke","active":true}}"#);
        bench.says("a/S-1/alarm", &json, T0 + i64::from(seq), 9);
        let done = bench.commit(T0 + 100);
        assert!(done.receipts.is_empty(), "the broker keeps it until a receiver has confirmed");
        assert!(done.alarms.is_empty(), "and the device");
    }
    let given_back = bench.engine.to_disk(T0 + 150).unwrap();
    assert_eq!(given_back, [vec![Receipt::new(9), Receipt::new(9)]]);
    assert_eq!(bench.commit(T0 + 200).alarms, [numbered(18), numbered(19)]);
    assert!(bench.commit(T0 + 300).alarms.is_empty(), "once");
}

#[test]
fn memory_holds_no_more_receipts_than_the_queue_does() {
    let mut bench = Bench::new(1);
    bench.engine.to_memory("many answers", KeepEntries::No).unwrap();
    for n in 0..RECEIPT_QUEUE + 5 {
        bench.says("a/S-1/alarm", FIRE, T0 + n as i64, 9);
        if n % 1_000 == 0 {
            bench.commit(T0 + n as i64);
        }
    }
    bench.commit(T0 + 100_000);
    bench.engine.to_disk(T0 + 100_000).unwrap();
    assert_eq!(bench.commit(T0 + 100_001).alarms.len(), RECEIPT_QUEUE);
}

#[test]
fn a_full_queue_drops_the_newest_and_never_waits() {
    let (sender, receiver) = alarm_receipts();
    sender.send((0..RECEIPT_QUEUE as u32 + 9).map(numbered).collect());
    let sent: Vec<_> = std::iter::from_fn(|| receiver.next()).map(|next| *next).collect();
    assert_eq!(sent.len(), RECEIPT_QUEUE);
    assert_eq!(
        (&sent[0], &sent[RECEIPT_QUEUE - 1]),
        (&numbered(0), &numbered(RECEIPT_QUEUE as u32 - 1))
    );
    assert!(receiver.bell.has_changed().unwrap(), "and rings");
    drop(receiver);
    sender.send(vec![numbered(1)]); // nobody sends any more, at the end of a gateway
}
