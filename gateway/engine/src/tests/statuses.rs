//! Last Wills by the thousand, through the engine's thread: what waits for them, and what does not.

use standpipe_rules::incidents::IncidentId;

use super::*;
use crate::source::{Facts, QueueKind};

const STATUS: SourceIx = SourceIx::nth(1);
const WILLS: u32 = 3_000;

fn sources() -> Sources {
    let alarm = Facts::new("alarm", "alarm_lane", QueueKind::Urgent, SourceNeed::Needed);
    let status = Facts::new("status", "status_lane", QueueKind::Statuses, SourceNeed::Needed);
    [alarm, status].into_iter().collect()
}

fn delivery(source: SourceIx, topic: &str, json: &str, n: u32) -> Delivery {
    let parsed = parse(ROOT, format!("{ROOT}/{topic}").as_bytes(), json.as_bytes());
    assert!(parsed.rejected.is_empty(), "{parsed:?}");
    let (receipt, at) = (Some(Receipt::new(n.into())), Stamp::from(Clock::new().now()));
    Delivery { source, receipt, arrived: at.into(), topic: "".into(), parsed }
}

/// An engine of so many hydrants and a detector, all of which were heard.
fn heard(hydrants: u32) -> (TempDir, Engine, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("standpipe.db")).unwrap();
    let stations = [
        station("district", Level::District, None),
        station("town", Level::Township, Some("district")),
    ];
    let detector =
        Device { id: "S-1".into(), kind: Kind::Smoke, profile: "smoke_home".into(), ..device(0) };
    let devices: Vec<_> = (0..hydrants).map(device).chain([detector]).collect();
    store.import(&stations, &devices).unwrap();
    let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    let (sources, now) = (sources(), Clock::new().now());
    let mut engine = Engine::new(store, loaded, &sources, now);
    for source in [ALARM, STATUS] {
        engine.take(Input::Source { source, up: true }.at(now), now);
    }
    let born = r#"{"online":true,"interval_s":900}"#;
    for id in (0..hydrants).map(|n| format!("H-{n}")).chain(["S-1".to_owned()]) {
        let born = delivery(STATUS, &format!("a/{id}/status"), born, 0);
        engine.take(born, now);
    }
    engine.commit(now).unwrap();
    (folder, engine, sources)
}

#[test]
fn an_alarm_and_a_detector_that_is_back_wait_for_no_wills() {
    let (folder, engine, sources) = heard(WILLS);
    let (handle, queues) = queues(&sources);
    let wills = |n: u32| delivery(STATUS, &format!("a/H-{n}/status"), r#"{"online":false}"#, n);
    let detector = |online: bool, n: u32| {
        delivery(STATUS, "a/S-1/status", &format!("{{\"online\":{online}}}"), n)
    };
    handle.deliver(detector(false, 90_001)).unwrap();
    (0..WILLS).for_each(|n| handle.deliver(wills(n)).unwrap());
    handle.deliver(detector(true, 90_002)).unwrap();
    let fire = r#"{"condition":"smoke","active":true}"#;
    handle.deliver(delivery(ALARM, "a/S-2/alarm", fire, 90_003)).unwrap();
    let waiting = QueueLengths { urgent: 1, statuses: WILLS as usize + 2, actions: 0, bulk: 0 };
    assert_eq!(handle.waiting(), waiting);

    let (bells, _rings) = bells();
    let ((alarm, mut alarm_in), (status, mut status_in)) = (receipts(), receipts());
    let health = std::sync::Arc::new(Health::of(&sources));
    let place = engine.store().path().to_owned().into();
    let outlets = Outlets {
        clock: Clock::new(),
        bells,
        receipts: vec![alarm, status],
        health,
        place,
        ballast: None,
        marks: None,
    };
    drop(handle);
    run(engine, queues, outlets, || true);

    assert_eq!(alarm_in.try_recv(), Ok(vec![Receipt::new(90_003)]));
    let mut kept = Vec::new();
    while let Ok(receipts) = status_in.try_recv() {
        kept.extend(receipts.into_iter().map(Receipt::token));
    }
    assert_eq!(kept[..2], [90_001, 90_002], "its will, and that it is back: before all others");
    assert_eq!(kept[2..], (0..u64::from(WILLS)).collect::<Vec<_>>(), "in order, and none is lost");
    // The commit that has the alarm has hardly any will.
    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    let ids = reader
        .query("SELECT DISTINCT incident FROM trail ORDER BY n", (), |row| row.get::<_, String>(0));
    let ids = ids.unwrap();
    let fire = reader
        .query("SELECT id FROM incident WHERE class = 'fire'", (), |row| row.get::<_, String>(0))
        .unwrap();
    let place = ids.iter().position(|id| *id == fire[0]).unwrap();
    assert!(place < 3, "{place} incidents were opened before the fire's");
    assert!(fire[0].parse::<IncidentId>().is_ok());
}

#[test]
fn a_status_is_never_urgent_and_an_alarm_always_is_whatever_source_they_come_by() {
    let (handle, _queues) = queues(&sources());
    let gone = r#"{"online":false}"#;
    handle.deliver(delivery(ALARM, "a/H-1/status", gone, 1)).unwrap();
    handle.deliver(delivery(STATUS, "a/H-1/status", gone, 2)).unwrap();
    // Nor is what a device answers: new settings for all of them bring tens of thousands.
    let answer = r#"{"id":"01M8PJDRD79ZJZJC807KK8AN81","ok":true}"#;
    handle.deliver(delivery(ALARM, "a/H-1/reply", answer, 3)).unwrap();
    assert_eq!(handle.waiting(), QueueLengths { statuses: 3, ..QueueLengths::default() });
    let tamper = r#"{"condition":"tamper","active":true}"#;
    handle.deliver(delivery(STATUS, "a/H-1/alarm", tamper, 3)).unwrap();
    assert_eq!(handle.waiting(), QueueLengths { urgent: 1, statuses: 3, actions: 0, bulk: 0 });
    // With no place left, a status of the alarm lane waits with the urgent; of the other it stays
    // with the broker.
    for n in 0..STATUS_QUEUE as u32 - 3 {
        handle.deliver(delivery(STATUS, "a/H-1/status", gone, n)).unwrap();
    }
    assert_eq!(handle.deliver(delivery(STATUS, "a/H-1/status", gone, 1)), Err(Unavailable::Busy));
    assert_eq!(handle.deliver(delivery(ALARM, "a/H-1/status", gone, 1)), Ok(()));
    assert_eq!(
        handle.waiting(),
        QueueLengths { urgent: 2, statuses: STATUS_QUEUE, actions: 0, bulk: 0 }
    );
}

#[test]
fn an_alarm_waits_for_the_commit_of_no_more_than_64_wills() {
    const GONE: u32 = 200;
    let (_folder, engine, sources) = heard(GONE);
    let (handle, queues) = queues(&sources);
    for n in 0..GONE {
        let topic = format!("a/H-{n}/status");
        handle.deliver(delivery(STATUS, &topic, r#"{"online":false}"#, n)).unwrap();
    }
    let ((bells, _rings), (status, mut status_in)) = (bells(), receipts());
    let health = std::sync::Arc::new(Health::of(&sources));
    let receipts = vec![receipts().0, status];
    let place = engine.store().path().to_owned().into();
    let outlets =
        Outlets { clock: Clock::new(), bells, receipts, health, place, ballast: None, marks: None };
    drop(handle);
    run(engine, queues, outlets, || true);
    // Each commit gives back the receipts of what it has kept: at most what woke the engine, and 64.
    let commits = std::iter::from_fn(|| status_in.try_recv().ok().map(|kept| kept.len()));
    let commits: Vec<_> = commits.collect();
    assert!(commits.iter().all(|wills| *wills <= 65), "{commits:?}");
    assert_eq!(commits.iter().sum::<usize>(), GONE as usize, "none is lost");
}

#[test]
fn an_alarm_is_taken_behind_what_its_device_said_before_it_and_nothing_else() {
    const GONE: u32 = 100;
    for (story, will_ms, is_offline) in
        [("it came back since", -20, false), ("it is gone since", -1, true)]
    {
        let (folder, engine, sources) = heard(GONE);
        std::thread::sleep(Duration::from_millis(50));
        let now = Clock::new().now();
        let (handle, queues) = queues(&sources);
        let says = |source, topic: &str, json: &str, after: Ms| {
            let arrived = Stamp::from(now + after).into();
            handle.deliver(Delivery { arrived, ..delivery(source, topic, json, 1) }).unwrap();
        };
        let gone = r#"{"online":false}"#;
        (0..GONE).for_each(|n| says(STATUS, &format!("a/H-{n}/status"), gone, -40));
        says(STATUS, "a/S-1/status", gone, will_ms);
        says(ALARM, "a/S-1/alarm", r#"{"condition":"smoke","active":true}"#, -10);
        let (bells, _rings) = bells();
        let health = std::sync::Arc::new(Health::of(&sources));
        let receipts = vec![receipts().0, receipts().0];
        drop(handle);
        let (clock, place) = (Clock::new(), engine.store().path().to_owned().into());
        let outlets = Outlets { clock, bells, receipts, health, place, ballast: None, marks: None };
        run(engine, queues, outlets, || true);
        let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
        let sql =
            "SELECT m.conditions FROM memory m JOIN device d ON d.ix = m.ix WHERE d.id = 'S-1'";
        let conditions = reader.query(sql, (), |row| row.get::<_, u32>(0)).unwrap()[0];
        let offline = standpipe_shared::Condition::Offline.bit();
        assert_eq!(conditions & offline != 0, is_offline, "{story}");
    }
}
