//! Actions by the thousand, through the engine's thread: what waits for them, and what does not.

use super::*;
use crate::health::DegradedPart;
use crate::source::{Facts, QueueKind};

const ACTION: SourceIx = SourceIx::nth(1);

fn sources() -> Sources {
    let alarm = Facts::new("alarm", "alarm_lane", QueueKind::Urgent, SourceNeed::Needed);
    let action = Facts::new("action", "action_lane", QueueKind::Actions, SourceNeed::Extra);
    [alarm, action].into_iter().collect()
}

fn delivery(source: SourceIx, topic: &str, json: &str, n: u32) -> Delivery {
    let parsed = parse(ROOT, format!("{ROOT}/{topic}").as_bytes(), json.as_bytes());
    assert!(parsed.rejected.is_empty(), "{parsed:?}");
    let (receipt, at) = (Some(Receipt::new(n.into())), Stamp::from(Clock::new().now()));
    Delivery { source, receipt, arrived: at.into(), topic: "".into(), parsed }
}

fn acts(source: SourceIx, station: &str, n: u32) -> Delivery {
    let json = r#"{"incident":"01M8PJDRD79ZJZJC807KK8AN81","action":"acknowledge","by":"Li"}"#;
    delivery(source, &format!("stations/{station}/actions"), json, n)
}

fn smoke(n: u32) -> Delivery {
    let json = r#"{"condition":"smoke","active":true}"#;
    delivery(ALARM, &format!("a/S-{}/alarm", n % 50), json, n)
}

/// Everything that waits is taken: the receipts of each commit, of alarms and of actions, and how the
/// gateway is afterwards.
fn committed(queues: Queues) -> ([Vec<Vec<u32>>; 2], std::sync::Arc<Health>) {
    let sources = sources();
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("standpipe.db")).unwrap();
    let stations = [
        station("district", Level::District, None),
        station("town", Level::Township, Some("district")),
    ];
    store.import(&stations, &[device(0)]).unwrap();
    let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    let now = Clock::new().now();
    let mut engine = Engine::new(store, loaded, &sources, now);
    engine.take(Input::Source { source: ALARM, up: true }.at(now), now);
    engine.commit(now).unwrap();
    let (bells, _rings) = bells();
    let ((alarm, alarm_in), (action, action_in)) = (receipts(), receipts());
    let health = std::sync::Arc::new(Health::of(&sources));
    let (clock, receipts) = (Clock::new(), vec![alarm, action]);
    let place = engine.store().path().to_owned().into();
    let health_of = health.clone();
    let outlets =
        Outlets { clock, bells, receipts, health: health_of, place, ballast: None, marks: None };
    run(engine, queues, outlets, || true);
    let all = [alarm_in, action_in].map(|mut inlet| {
        let commits = std::iter::from_fn(|| inlet.try_recv().ok());
        let tokens = |kept: Vec<Receipt>| kept.into_iter().map(|it| it.token() as u32).collect();
        commits.map(tokens).collect()
    });
    (all, health)
}

#[test]
fn a_fire_and_another_station_wait_for_no_flood_of_actions() {
    const FLOOD: u32 = 4_000;
    let (handle, queues) = queues(&sources());
    (0..FLOOD).for_each(|n| handle.deliver(acts(ACTION, "town", n)).unwrap());
    handle.deliver(acts(ACTION, "district", 90_001)).unwrap();
    handle.deliver(smoke(90_002)).unwrap();
    handle.deliver(acts(ACTION, "town", FLOOD)).unwrap();
    let waiting =
        QueueLengths { urgent: 1, actions: FLOOD as usize + 2, ..QueueLengths::default() };
    assert_eq!(handle.waiting(), waiting);
    drop(handle);
    let ([alarms, actions], health) = committed(queues);
    assert_eq!(alarms, [[90_002]]);
    let first: Vec<u32> = actions.iter().flatten().copied().take(3).collect();
    assert!(first.contains(&90_001), "the other station's turn is the second: {first:?}");
    let of_town: Vec<u32> = actions.iter().flatten().copied().filter(|n| *n != 90_001).collect();
    assert_eq!(of_town, (0..=FLOOD).collect::<Vec<_>>(), "in order, and none is lost");
    // What woke the engine, and 64: an alarm that comes meanwhile waits for no more of them.
    let most = actions.iter().map(Vec::len).max();
    assert!(most <= Some(65), "{most:?}");
    // The administrator is told who it is.
    let told = health.degraded.of(DegradedPart::Actions).unwrap();
    assert!(told.why.en.contains("`town`"), "{told:?}");
}

#[test]
fn alarms_without_end_keep_nobody_from_acknowledging() {
    const ALARMS: u32 = 4_000;
    let (handle, queues) = queues(&sources());
    (0..ALARMS).for_each(|n| handle.deliver(smoke(n)).unwrap());
    (0..900).for_each(|n| handle.deliver(acts(ACTION, "town", n)).unwrap());
    drop(handle);
    let ([alarms, actions], _health) = committed(queues);
    let first = (alarms[0].len(), actions[0].len());
    assert_eq!(first, (BATCH, BATCH / 4), "one for every four alarms, while more of them wait");
    assert_eq!(actions.iter().map(Vec::len).sum::<usize>(), 900, "none is lost");
}

#[test]
fn what_a_station_says_is_never_urgent_whatever_source_it_comes_by() {
    let (handle, _queues) = queues(&sources());
    handle.deliver(acts(ALARM, "town", 1)).unwrap();
    let here = delivery(ALARM, "stations/town/presence", r#"{"online":true}"#, 2);
    handle.deliver(here).unwrap();
    assert_eq!(handle.waiting(), QueueLengths { actions: 2, ..QueueLengths::default() });
    handle
        .deliver(delivery(ACTION, "a/H-1/alarm", r#"{"condition":"tamper","active":true}"#, 3))
        .unwrap();
    assert_eq!(handle.waiting(), QueueLengths { urgent: 1, actions: 2, ..QueueLengths::default() });
    for n in 0..ACTION_QUEUE as u32 - 2 {
        handle.deliver(acts(ACTION, "town", n)).unwrap();
    }
    assert_eq!(handle.deliver(acts(ACTION, "town", 1)), Err(Unavailable::Busy));
    assert_eq!(handle.deliver(acts(ALARM, "town", 1)), Ok(()), "as of before: nothing is lost");
    assert_eq!(
        handle.waiting(),
        QueueLengths { urgent: 2, actions: ACTION_QUEUE, ..QueueLengths::default() }
    );
}
