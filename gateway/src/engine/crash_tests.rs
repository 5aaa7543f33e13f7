//! Whatever happens, and wherever the power fails in it: the gateway that was restarted and the
//! one that never stopped have the same memories, incidents, pages, trail, ledger and log.
//!
//! Nothing is silent for long enough here to be `offline`: a gateway that was away waits for one
//! more interval before it says so, as it should.

use proptest::prelude::*;
use standpipe_rules::Ms;
use standpipe_rules::detect::Memory;

use super::Inbox;
use super::Lane;
use super::tests::{Bench, T0};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// A hydrant reads; `late`: what it read so many seconds ago.
    Reads { device: u32, kpa: f32, late: u16 },
    /// A detector of the same number shouts, or stops shouting.
    Alarm { device: u32, active: bool },
    /// Seconds pass.
    Wait(u16),
    /// What was taken is kept.
    Commit,
    /// The disk is full for one attempt to keep what was taken.
    Full,
    /// The power fails. What was not acknowledged is delivered again.
    Crash,
}

fn any_event() -> impl Strategy<Value = Event> {
    let kpa = prop_oneof![Just(300.0f32), Just(100.0), Just(0.0), 0.0f32..400.0];
    let late = prop_oneof![4 => Just(0u16), 1 => 1u16..3_000];
    prop_oneof![
        8 => (0..4u32, kpa, late).prop_map(|(device, kpa, late)| Event::Reads { device, kpa, late }),
        2 => (0..4u32, any::<bool>()).prop_map(|(device, active)| Event::Alarm { device, active }),
        4 => (1u16..30).prop_map(Event::Wait),
        3 => Just(Event::Commit),
        1 => Just(Event::Full),
        2 => Just(Event::Crash),
    ]
}

/// A message as the broker delivers it.
#[derive(Clone, Debug)]
struct Sent {
    topic: String,
    json: String,
    at: Ms,
}

/// A gateway and what the broker has not seen acknowledged.
struct Town {
    bench: Bench,
    unacknowledged: Vec<Sent>,
}

impl Town {
    fn new() -> Self {
        Self { bench: Bench::new(4), unacknowledged: Vec::new() }
    }

    fn says(&mut self, it: &Sent) {
        self.bench.says(&it.topic, &it.json, it.at, 1);
        self.unacknowledged.push(it.clone());
    }

    fn commit(&mut self, now: Ms) {
        self.bench.commit(now);
        self.unacknowledged.clear();
    }

    fn full(&mut self, now: Ms) {
        let store = self.bench.engine.store();
        store.limit_pages(1);
        self.bench.engine.tick(now);
        let kept = self.bench.engine.commit(now).is_ok();
        self.bench.engine.store().limit_pages(1_000_000);
        if !kept {
            self.bench.engine.commit(now).unwrap();
        }
        self.unacknowledged.clear();
    }

    /// The sessions of both gateways break, as that of the one that crashed does.
    fn reconnects(&mut self, now: Ms) {
        for up in [false, true] {
            for lane in [Lane::Alarm, Lane::Telemetry] {
                self.bench.engine.take(Inbox::Lane { lane, up, at: now.into() }, now);
            }
        }
    }

    fn crash(&mut self, now: Ms) {
        self.bench = self.bench.crashed(now);
        self.reconnects(now);
        for it in std::mem::take(&mut self.unacknowledged) {
            self.says(&it);
        }
    }

    fn kept(&mut self, now: Ms) -> Vec<String> {
        self.bench.engine.keep_all();
        self.commit(now);
        let memories = self.bench.remembered();
        let read = |body: &Vec<u8>| format!("{:?}", Memory::from_body(body).unwrap());
        let mut all: Vec<_> = memories.iter().map(read).collect();
        for sql in [
            "SELECT inner FROM incident ORDER BY id",
            "SELECT wire FROM incident ORDER BY id",
            "SELECT incident || at || hop || by || detail FROM trail ORDER BY n",
            "SELECT page_id || episode || step || repeat || kind || receiver || at FROM page",
            "SELECT station || incident || rev || COALESCE(page_id, '') FROM board",
            "SELECT ix || ' ' || hour || ' ' || expected || ' ' || received || ' ' || late || ' ' ||
                 seq_reused FROM ledger",
            "SELECT SUM(readings) FROM log",
        ] {
            let rows = self.bench.reader().query(sql, (), |row| row.get::<_, String>(0));
            let sums = || self.bench.reader().query(sql, (), |row| row.get::<_, Option<i64>>(0));
            all.push(rows.map_or_else(|_| format!("{:?}", sums().unwrap()), |it| it.join("\n")));
        }
        all
    }
}

/// Plays the events to a gateway that crashes and to one that does not.
fn play(events: &[Event]) {
    let (mut steady, mut shaken) = (Town::new(), Town::new());
    let (mut now, mut seq) = (T0, 0);
    for event in events {
        now += 100;
        let mut sent = None;
        match event {
            Event::Reads { device, kpa, late } => {
                seq += 1;
                let ts = now - Ms::from(*late) * 1_000;
                let json = format!(r#"{{"boot":1,"seq":{seq},"ts":{ts},"pressure_kpa":{kpa}}}"#);
                sent = Some(Sent { topic: format!("a/H-{device}/telemetry"), json, at: now });
            }
            Event::Alarm { device, active } => {
                seq += 1;
                let json = format!(
                    r#"{{"boot":1,"seq":{seq},"ts":{now},"condition":"smoke","active":{active}}}"#
                );
                sent = Some(Sent { topic: format!("a/S-{device}/alarm"), json, at: now });
            }
            Event::Wait(seconds) => now += Ms::from(*seconds) * 1_000,
            Event::Commit => {
                steady.commit(now);
                shaken.commit(now);
            }
            Event::Full => {
                steady.commit(now);
                shaken.full(now);
            }
            Event::Crash => {
                steady.reconnects(now);
                shaken.crash(now);
            }
        }
        if let Some(sent) = sent {
            steady.says(&sent);
            shaken.says(&sent);
        }
    }
    now += 1_000;
    for (steady, shaken) in steady.kept(now).iter().zip(&shaken.kept(now)) {
        assert_eq!(shaken, steady);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_gateway_that_crashes_is_the_one_that_never_did(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        play(&events);
    }
}
