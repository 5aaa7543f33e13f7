//! The machine's clock is set: while the engine runs, over a restart, and around a crash.

use super::*;

/// The machine has run for as long as the story: what the clock tells is told by somebody.
fn moment(wall: Ms, t: Ms) -> Moment {
    Moment { wall, up: t - T0, boot: Some("a".into()) }
}

/// A fire, a dry hydrant that is to be found at the next reading, and three that are well.
fn busy() -> Bench {
    let mut bench = Bench::new(4);
    bench.says("a/S-1/alarm", r#"{"condition":"smoke","active":true}"#, T0 + 10, 1);
    for n in 0..4 {
        bench.reads(n, 1, if n == 0 { 0.0 } else { 300.0 }, T0 + 1_000 + Ms::from(n));
    }
    bench.engine.note(moment(T0 + 2_000, T0 + 2_000));
    bench.commit(T0 + 2_000);
    bench
}

/// What became of it after three more minutes by a clock that is off by so much.
fn three_minutes_later(mut bench: Bench, off: Ms) -> (Vec<u8>, u32, i64) {
    bench.reads(0, 2, 1.0, T0 + 31_000 + off);
    bench.commit(T0 + 31_000 + off);
    for second in 32..=180 {
        bench.commit(T0 + second * 1_000 + off);
    }
    let fires = bench.reader().query(
        "SELECT step FROM page WHERE incident = (SELECT id FROM incident WHERE class = 'fire')
         AND at <= ?1 ORDER BY at, step",
        [T0 + 180_010 + off],
        |row| row.get(0),
    );
    bench.commit(T0 + 180_010 + off);
    let third = bench.count(&format!(
        "SELECT COUNT(*) FROM page WHERE step = 3 AND at = {}",
        T0 + 180_010 + off
    ));
    (fires.unwrap(), bench.engine.world().summary(DeviceIx(0)).conditions, third)
}

#[test]
fn a_step_is_kept_with_all_that_it_moves_and_a_crash_around_it_is_none() {
    let plain = three_minutes_later(busy(), 0);
    assert_eq!(plain.2, 1, "step 3 after 180 s: {plain:?}");
    type Step = fn(&mut Bench, Ms, Ms);
    for by in [3_600_000, -7_200_000] {
        let at = T0 + 20_000;
        let steps: [(&str, Step); 3] = [
            ("while it runs", |bench, by, at| {
                bench.engine.clock_set(by, at + by);
                bench.engine.note(moment(at + by, at));
                bench.commit(at + by);
            }),
            ("and the power fails before that is kept", |bench, by, at| {
                bench.engine.clock_set(by, at + by);
                *bench = bench.restarted(&moment(at + by, at));
            }),
            ("and the power fails after it", |bench, by, at| {
                bench.engine.clock_set(by, at + by);
                bench.engine.note(moment(at + by, at));
                bench.commit(at + by);
                *bench = bench.restarted(&moment(at + by, at));
            }),
        ];
        for (story, step) in steps {
            let mut bench = busy();
            step(&mut bench, by, at);
            for up in [true, true] {
                for source in [ALARM, TELEMETRY] {
                    bench.engine.take(Input::Source { source, up }.at(at), at + by);
                }
            }
            assert_eq!(bench.engine.world().clock_doubt(), Some(by), "{story}");
            assert_eq!(three_minutes_later(bench, by), plain, "{story}, by {by}");
        }
    }
}

#[test]
fn what_the_log_holds_of_before_a_step_is_not_stepped_again() {
    let mut bench = busy();
    bench.reads(1, 2, 301.0, T0 + 15_000);
    bench.commit(T0 + 15_000);
    bench.engine.clock_set(-3_600_000, T0 + 20_000 - 3_600_000);
    bench.commit(T0 + 20_000 - 3_600_000);
    let again = bench.crashed(T0 + 20_000 - 3_600_000);
    assert_eq!(again.remembered(), bench.remembered());
    let heard = again.engine.world().summary(DeviceIx(1)).heard_at;
    assert_eq!(heard, Some(T0 + 15_000 - 3_600_000));
}

#[test]
fn what_was_stamped_before_a_step_and_is_taken_after_it_is_neither_old_nor_to_come() {
    for by in [3_600_000, -3_600_000] {
        let mut bench = Bench::new(1);
        bench.engine.clock_set(by, T0 + 1_000 + by);
        bench.commit(T0 + 1_000 + by);
        let topic = format!("{ROOT}/a/H-0/telemetry");
        let parsed = parse(ROOT, topic.as_bytes(), br#"{"boot":1,"seq":1,"pressure_kpa":300}"#);
        let (source, at, topic) = (TELEMETRY, (T0 + 900).into(), "".into());
        let delivery = Delivery { source, receipt: None, arrived: at, topic, parsed };
        bench.engine.take(delivery, T0 + 1_001 + by);
        assert_eq!(bench.engine.world().summary(DeviceIx(0)).heard_at, Some(T0 + 900 + by));
    }
}

#[test]
fn a_page_that_is_owed_is_owed_for_no_longer_by_a_clock_that_is_set() {
    let mut bench = busy();
    let owed = |bench: &Bench| bench.count("SELECT MIN(at) FROM page WHERE delivered_at IS NULL");
    let before = owed(&bench);
    let day = 86_400_000;
    bench.engine.clock_set(2 * day, T0 + 3_000 + 2 * day);
    bench.commit(T0 + 3_000 + 2 * day);
    assert_eq!(owed(&bench), before + 2 * day);
}

/// Two fires: one is closed while the clock is an hour ahead, the other stays open. When it is set right,
/// each moment that is shown of them is the one at which it was.
#[test]
fn what_happened_while_the_clock_was_ahead_does_not_lie_in_the_future_when_it_is_set_right() {
    const HOUR: Ms = 3_600_000;
    let fire = r#"{"condition":"smoke","active":true}"#;
    let mut bench = Bench::new(1);
    bench.says("a/S-0/alarm", fire, T0 + 1_000, 1);
    bench.commit(T0 + 1_000);
    bench.engine.clock_set(HOUR, T0 + 2_000 + HOUR);
    bench.commit(T0 + 2_000 + HOUR);
    bench.says("a/S-1/alarm", fire, T0 + 3_000 + HOUR, 2);
    bench.says("a/S-2/alarm", fire, T0 + 4_000 + HOUR, 3);
    bench.commit(T0 + 4_000 + HOUR);
    let opened = |bench: &Bench| -> Vec<(Ms, Ms)> {
        let sql = "SELECT opened_at, json_extract(wire, '$.opened_at') FROM incident
                   WHERE class = 'fire' ORDER BY number";
        bench.reader().query(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let ahead = [1_000, 3_000, 4_000].map(|ms| (T0 + ms + HOUR, T0 + ms + HOUR));
    assert_eq!(opened(&bench), ahead, "by the clock as it is, each was opened so long ago");
    let close = |bench: &mut Bench, n: usize, at: Ms| {
        let open = bench
            .engine
            .world()
            .book
            .open()
            .filter(|incident| incident.class == standpipe_shared::Class::Fire);
        let incident = open.map(|incident| incident.id).nth(n).unwrap();
        let (kind, by, note) = (ActionKind::FalseAlarm, "".into(), "".into());
        let action = Action { incident, kind, by, note, seen: "".into() };
        let (reply, _done) = tokio::sync::oneshot::channel();
        bench
            .engine
            .take(Input::Act { actor: Actor::admin("admin").into(), action }.asked(reply), at);
        bench.commit(at);
        bench.commit(at + 30_000); // until then it can be taken back
    };
    let over = r#"{"condition":"smoke","active":false}"#;
    bench.says("a/S-1/alarm", over, T0 + 4_500 + HOUR, 4);
    close(&mut bench, 1, T0 + 5_000 + HOUR);
    let (now, before) =
        (T0 + 36_000, bench.engine.world().book.open().map(|incident| incident.rev).sum::<u32>());
    bench.engine.clock_set(-HOUR, now);
    bench.commit(now);
    let right = [1_000, 3_000, 4_000].map(|ms| (T0 + ms, T0 + ms));
    assert_eq!(opened(&bench), right);
    let closed = "SELECT closed_at FROM incident WHERE open = 0 AND class = 'fire'
                  AND closed_at = json_extract(wire, '$.closed_at')
                  AND updated_at = json_extract(wire, '$.updated_at')";
    assert_eq!(bench.count(closed), T0 + 35_000);
    let late = format!("SELECT COUNT(*) FROM trail WHERE at > {now}");
    let early = format!("SELECT COUNT(*) FROM trail WHERE at < {T0}");
    assert_eq!((bench.count(&late), bench.count(&early)), (0, 0), "each line when it was");
    let after = bench.engine.world().book.open().map(|incident| incident.rev).sum::<u32>();
    assert!(after >= before + 2, "stations are shown it: {before}, {after}");
}

#[test]
fn the_newest_moment_is_kept_once_a_second_and_once_a_minute_with_nothing_to_keep() {
    let mut bench = Bench::new(1);
    let kept = |bench: &Bench| -> Option<i64> {
        let sql = "SELECT json_extract(value, '$.wall') FROM meta WHERE key = 'clock'";
        bench.reader().query(sql, (), |row| row.get(0)).unwrap().pop()
    };
    #[rustfmt::skip] // a table
    let cases = [
        ("at the start",          100, false,     100),
        ("nothing to keep",    59_000, false,     100),
        ("… for a minute",     60_100, false,  60_100),
        ("a reading",          61_000, true,   60_100),
        ("… a second later",   61_100, true,   61_100),
    ];
    for (n, (story, at, reads, expected)) in (1..).zip(cases) {
        if reads {
            bench.reads(0, n, 300.0 + n as f32, T0 + at);
        }
        bench.engine.note(moment(T0 + at, T0 + at));
        bench.engine.commit(T0 + at).unwrap();
        assert_eq!(kept(&bench), Some(T0 + expected), "{story}");
    }
}

#[test]
fn the_thread_follows_a_clock_that_is_set() {
    let Bench { folder, engine } = Bench::new(3);
    let sources = Sources::urgent_and_bulk();
    let (handle, queues) = queues(&sources);
    let (bells, _rings) = bells();
    let health = std::sync::Arc::new(Health::of(&sources));
    let alarm_lane = &sources.all()[0].health;
    alarm_lane.fine();
    let clock = Clock::new();
    alarm_lane.failing(clock.now(), "away");
    let place = engine.store().path().to_owned().into();
    let outlets = Outlets {
        clock: clock.clone(),
        bells,
        receipts: Vec::new(),
        health,
        place,
        ballast: None,
        marks: None,
    };
    let thread = std::thread::spawn(move || run(engine, queues, outlets, || true));
    let says = |n: u32| {
        let topic = format!("{ROOT}/a/H-0/telemetry");
        let parsed = parse(
            ROOT,
            topic.as_bytes(),
            format!(r#"{{"boot":1,"seq":{n},"pressure_kpa":300}}"#).as_bytes(),
        );
        let (source, at, topic) = (TELEMETRY, clock.stamp(), "".into());
        handle
            .deliver(Delivery { source, receipt: None, arrived: at.into(), topic, parsed })
            .unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    says(1);
    runtime.block_on(handle.flush()).unwrap();
    let hour = 3_600_000;
    let before = clock.now();
    clock.set_machine(-hour);
    says(2);
    runtime.block_on(handle.flush()).unwrap();
    assert!((clock.now() - before + hour).abs() < 10_000, "it is told by everybody");
    assert!(clock.is_doubted());
    let reader = Reader::open(&folder.path().join("standpipe.db")).unwrap();
    let number = |sql: &str| reader.query(sql, (), |row| row.get::<_, i64>(0)).unwrap()[0];
    let heard = number("SELECT heard_at FROM memory WHERE ix = 0");
    assert!((before - hour - heard).abs() < 10_000, "by the clock as it is");
    assert_eq!(number("SELECT COUNT(*) FROM incident WHERE inner LIKE '%clock_fault%'"), 1);
    let PartStatus::Failing { since: Some(since), .. } = alarm_lane.status() else { panic!() };
    assert!((before - hour - since).abs() < 10_000, "it has been away for as long as before");
    clock.set_machine(0);
    says(3);
    runtime.block_on(handle.flush()).unwrap();
    says(4);
    runtime.block_on(handle.flush()).unwrap();
    assert!(!clock.is_doubted(), "it is where it was");
    drop(handle);
    thread.join().unwrap();
}
