//! What senders report waits in a queue of its own: a storm of reports takes no alarm's place, alarms
//! take none of theirs, and no commit carries so many of them that an alarm waits for it.

use std::sync::Arc;

use standpipe_machine::limits::REPORT_QUEUE;
use standpipe_rules::incidents::ReceiverNews;
use tokio::time::timeout;

use super::*;

/// A moment in which what has to wait is seen to wait.
const MOMENT: Duration = Duration::from_millis(50);

fn report() -> Inbox {
    Input::Delivered { page_id: Ulid::from_parts(1, 1) }.at(T0)
}

fn alarm() -> Delivery {
    let (topic, json) = (format!("{ROOT}/a/S-1/alarm"), br#"{"condition":"smoke","active":true}"#);
    let parsed = parse(ROOT, topic.as_bytes(), json);
    Delivery { source: ALARM, receipt: None, arrived: T0.into(), topic: "".into(), parsed }
}

#[tokio::test]
async fn reports_take_no_place_of_an_alarm_and_alarms_none_of_a_report() {
    let (handle, queues) = queues(&Sources::urgent_and_bulk());
    for _ in 0..REPORT_QUEUE {
        handle.report(report()).await.unwrap();
    }
    assert_eq!((queues.reports.len(), queues.urgent.len()), (REPORT_QUEUE, 0));
    let one_more = timeout(MOMENT, handle.report(report())).await;
    assert!(one_more.is_err(), "a report that finds no place waits for one: {one_more:?}");

    for n in 0..URGENT_QUEUE {
        assert_eq!(handle.deliver(alarm()), Ok(()), "alarm {n}, though reports have filled theirs");
    }
    assert_eq!(handle.deliver(alarm()), Err(Unavailable::Busy));
    queues.reports.try_recv().unwrap();
    let next = timeout(Duration::from_secs(5), handle.report(report())).await;
    assert_eq!(next, Ok(Ok(())), "though alarms have filled theirs");
}

#[tokio::test]
async fn an_alarm_waits_for_no_more_than_512_reports() {
    const REPORTS: usize = 1_100;
    let Bench { folder, engine } = Bench::new(0);
    let sources = Sources::urgent_and_bulk();
    let (handle, queues) = queues(&sources);
    let ((bells, rings), clock) = (bells(), Clock::new());
    // Each opens an incident, so that every commit that has one rings.
    for n in 0..REPORTS {
        let news = ReceiverNews::RefusesForGood { answer: "status 404".into() };
        let name = format!("receiver-{n}").into();
        handle.report(Input::Receiver { name, news }.at(clock.stamp())).await.unwrap();
    }
    drop(handle);
    let health = Arc::new(Health::of(&sources));
    let place = engine.store().path().to_owned().into();
    let outlets =
        Outlets { clock, bells, receipts: Vec::new(), health, place, ballast: None, marks: None };
    run(engine, queues, outlets, || true);

    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    let sql = "SELECT count(*) FROM incident WHERE open = 1";
    let open = reader.query(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(open, [1_100], "none is lost");
    // What woke the engine, and 512 more; twice, and what is left.
    assert_eq!(*rings.stations.borrow(), 3, "commits");
}
