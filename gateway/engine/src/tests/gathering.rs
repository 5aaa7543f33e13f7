//! How readings are gathered by the engine's thread, with a broker that sends few before it waits.

use super::*;

/// What the broker sends before it waits for acknowledgements.
const WINDOW: u32 = 20;
const ROUNDS: u32 = 60;

#[test]
fn a_broker_that_waits_for_acknowledgements_is_noticed_and_not_kept_waiting() {
    let Bench { folder: _folder, engine } = Bench::new(3);
    let sources = Sources::urgent_and_bulk();
    let (handle, queues) = queues(&sources);
    let gathered_for = queues.gather * ROUNDS;
    let (bells, _rings) = bells();
    let ((alarm, _alarm_in), (telemetry, mut telemetry_in)) = (receipts(), receipts());
    let clock = Clock::new();
    let outlets = Outlets {
        clock: clock.clone(),
        bells,
        receipts: vec![alarm, telemetry],
        health: std::sync::Arc::new(Health::of(&sources)),
        place: engine.store().path().to_owned().into(),
        ballast: None,
        marks: None,
    };
    let thread = std::thread::spawn(move || run(engine, queues, outlets, || true));
    let started = clock.instant();
    for round in 0..ROUNDS {
        for n in round * WINDOW..(round + 1) * WINDOW {
            let topic = format!("{ROOT}/a/H-{}/telemetry", n % 3);
            let json = format!(r#"{{"boot":1,"seq":{n},"pressure_kpa":300}}"#);
            let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
            let (source, receipt, topic) = (TELEMETRY, Some(Receipt::new(n.into())), "".into());
            let arrived = clock.stamp().into();
            handle.deliver(Delivery { source, receipt, arrived, topic, parsed }).unwrap();
            // One after the other, as from a connection.
            clock.sleep(Duration::from_micros(100));
        }
        let mut acknowledged = 0;
        while acknowledged < WINDOW as usize {
            match telemetry_in.try_recv() {
                Ok(receipts) => acknowledged += receipts.len(),
                Err(_) => clock.sleep(Duration::from_micros(500)),
            }
        }
    }
    let took = started.elapsed();
    drop(handle);
    thread.join().unwrap();
    assert!(
        took < gathered_for / 2,
        "{took:?}, and {gathered_for:?} if each batch were waited with"
    );
}
