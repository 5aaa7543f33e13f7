//! Whatever happens, and wherever the power fails in it: the gateway that was restarted and the
//! one that never stopped have the same memories, incidents, pages, trail, ledger and log.
//!
//! Nothing is silent for long enough here to be `offline`: a gateway that was away waits for one
//! more interval before it says so, as it should.

use proptest::prelude::*;
use standpipe_rules::Ms;
use standpipe_rules::detect::Memory;
use tempfile::TempDir;

use super::tests::{ALARM, Bench, T0, TELEMETRY};
use super::{Input, StoreError};

/// What a message says of its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    Now,
    /// So many seconds ago.
    Late(u16),
    /// A clock that is eight hours behind.
    Behind,
    Nothing,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A hydrant reads.
    Reads { device: u32, kpa: f32, time: Time, numbered: bool },
    /// A detector of the same number shouts, or stops shouting.
    Alarm { device: u32, active: bool },
    /// A hydrant does.
    Hydrant { device: u32, condition: &'static str, active: bool, time: Time },
    /// A hydrant's birth, or its Last Will.
    Status { device: u32, online: bool },
    /// Seconds pass.
    Wait(u16),
    /// What was taken is kept.
    Commit,
    /// The disk is full for one attempt to keep what was taken.
    Full,
    /// The power fails. What was not acknowledged is delivered again.
    Crash,
}

fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![
        6 => Just(Time::Now),
        3 => (1u16..3_000).prop_map(Time::Late),
        2 => Just(Time::Behind),
        1 => Just(Time::Nothing),
    ]
}

pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let kpa = prop_oneof![Just(300.0f32), Just(100.0), Just(0.0), 0.0f32..400.0];
    let reads = (0..4u32, kpa, any_time(), prop::bool::weighted(0.8));
    let condition = prop_oneof![Just("tamper"), Just("no_water")];
    let hydrant = (0..4u32, condition, any::<bool>(), any_time());
    prop_oneof![
        10 => reads.prop_map(|(device, kpa, time, numbered)| {
            Event::Reads { device, kpa, time, numbered }
        }),
        2 => (0..4u32, any::<bool>()).prop_map(|(device, active)| Event::Alarm { device, active }),
        2 => hydrant.prop_map(|(device, condition, active, time)| {
            Event::Hydrant { device, condition, active, time }
        }),
        1 => (0..4u32, any::<bool>()).prop_map(|(device, online)| Event::Status { device, online }),
        4 => (1u16..30).prop_map(Event::Wait),
        3 => Just(Event::Commit),
        1 => Just(Event::Full),
        2 => Just(Event::Crash),
    ]
}

/// A message as the broker delivers it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) topic: String,
    pub(super) json: String,
    at: Ms,
}

impl Sent {
    pub(super) fn at(at: Ms, topic: &str, json: &str) -> Self {
        Self { topic: topic.to_owned(), json: json.to_owned(), at }
    }
}

/// A gateway and what the broker has not seen acknowledged.
pub(super) struct Town {
    bench: Bench,
    unacknowledged: Vec<Sent>,
}

impl Town {
    pub(super) fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    /// The same, in that folder.
    pub(super) fn of(folder: TempDir) -> Self {
        Self { bench: Bench::of(folder, 4), unacknowledged: Vec::new() }
    }

    pub(super) fn says(&mut self, it: &Sent) {
        self.bench.says(&it.topic, &it.json, it.at, 1);
        self.unacknowledged.push(it.clone());
    }

    pub(super) fn commit(&mut self, now: Ms) {
        self.bench.commit(now);
        self.unacknowledged.clear();
    }

    /// One attempt to keep what was taken.
    pub(super) fn attempts(&mut self, now: Ms) -> Result<(), StoreError> {
        if !self.bench.engine.is_held() {
            self.bench.engine.tick(now);
        }
        self.bench.engine.commit(now).map(drop)
    }

    /// What was sent is acknowledged.
    pub(super) fn forgets_what_it_sent(&mut self) {
        self.unacknowledged.clear();
    }

    fn full(&mut self, now: Ms) {
        let store = self.bench.engine.store();
        store.limit_pages(1).unwrap();
        self.bench.engine.tick(now);
        let kept = self.bench.engine.commit(now).is_ok();
        self.bench.engine.store().limit_pages(1_000_000).unwrap();
        if !kept {
            self.bench.engine.commit(now).unwrap();
        }
        self.unacknowledged.clear();
    }

    /// The sessions of both gateways break, as that of the one that crashed does.
    pub(super) fn reconnects(&mut self, now: Ms) {
        for up in [false, true] {
            for source in [ALARM, TELEMETRY] {
                self.bench.engine.take(Input::Source { source, up }.at(now), now);
            }
        }
    }

    pub(super) fn crash(&mut self, now: Ms) {
        self.bench = self.bench.crashed(now);
        self.reconnects(now);
        for it in std::mem::take(&mut self.unacknowledged) {
            self.says(&it);
        }
    }

    pub(super) fn kept(&mut self, now: Ms) -> Vec<String> {
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
            all.push(rows.map_or_else(|_| format!("{:?}", sums().unwrap()), |rows| rows.join("\n")));
        }
        all
    }
}

/// The messages of a device, numbered together within its boot.
#[derive(Default)]
pub(super) struct Says {
    seq: u32,
}

impl Says {
    /// What an event is on the wire, if it is a message.
    pub(super) fn message(&mut self, event: &Event, now: Ms) -> Option<Sent> {
        let (topic, json) = match event {
            Event::Reads { device, kpa, time, numbered } => {
                let head = self.head(*time, *numbered, now);
                (format!("a/H-{device}/telemetry"), format!(r#"{{{head}"pressure_kpa":{kpa}}}"#))
            }
            Event::Alarm { device, active } => {
                let head = self.head(Time::Now, true, now);
                let json = format!(r#"{{{head}"condition":"smoke","active":{active}}}"#);
                (format!("a/S-{device}/alarm"), json)
            }
            Event::Hydrant { device, condition, active, time } => {
                let head = self.head(*time, true, now);
                let json = format!(r#"{{{head}"condition":"{condition}","active":{active}}}"#);
                (format!("a/H-{device}/alarm"), json)
            }
            Event::Status { device, online } => {
                (format!("a/H-{device}/status"), format!(r#"{{"online":{online}}}"#))
            }
            Event::Wait(_) | Event::Commit | Event::Full | Event::Crash => return None,
        };
        Some(Sent { topic, json, at: now })
    }

    fn head(&mut self, time: Time, numbered: bool, now: Ms) -> String {
        self.seq += 1;
        let ts = match time {
            Time::Now => Some(now),
            Time::Late(seconds) => Some(now - Ms::from(seconds) * 1_000),
            Time::Behind => Some(now - 28_800_000),
            Time::Nothing => None,
        };
        let ts = ts.map_or_else(String::new, |ts| format!(r#""ts":{ts},"#));
        let number = if numbered { format!(r#""boot":1,"seq":{},"#, self.seq) } else { "".into() };
        number + &ts
    }
}

/// Plays the events to a gateway that crashes and to one that does not.
fn play(events: &[Event]) {
    let (mut steady, mut shaken) = (Town::new(), Town::new());
    let (mut now, mut says) = (T0, Says::default());
    for event in events {
        now += 100;
        if let Some(sent) = says.message(event, now) {
            steady.says(&sent);
            shaken.says(&sent);
            continue;
        }
        match event {
            Event::Wait(seconds) => now += Ms::from(*seconds) * 1_000,
            Event::Full => {
                steady.commit(now);
                shaken.full(now);
            }
            Event::Crash => {
                steady.reconnects(now);
                shaken.crash(now);
            }
            Event::Commit => {
                steady.commit(now);
                shaken.commit(now);
            }
            Event::Reads { .. }
            | Event::Alarm { .. }
            | Event::Hydrant { .. }
            | Event::Status { .. } => {
                unreachable!("{event:?} is a message")
            }
        }
    }
    now += 1_000;
    for (steady, shaken) in steady.kept(now).iter().zip(&shaken.kept(now)) {
        assert_eq!(shaken, steady);
    }
}

/// So many cases, or what `PROPTEST_CASES` says.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}

proptest! {
    #![proptest_config(cases(1_000))]
    #[test]
    fn a_gateway_that_crashes_is_the_one_that_never_did(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        play(&events);
    }
}

/// Found by the property above on another machine, before clocks and alarms of hydrants were in
/// it: a backlog of one device had ended a while before the next late reading, and only a gateway
/// that was looked at in between knew of it.
#[test]
fn a_backlog_ends_when_it_ends_whether_or_not_somebody_looks() {
    let reads = |device, kpa, late| {
        let time = if late == 0 { Time::Now } else { Time::Late(late) };
        Event::Reads { device, kpa, time, numbered: true }
    };
    let shouts = |device, active| Event::Alarm { device, active };
    let mut events = vec![reads(0, 100.0, 920), shouts(0, false)];
    events.extend((0..5).map(|_| reads(1, 300.0, 0)));
    events.extend([Event::Wait(6), shouts(0, false), Event::Wait(13)]);
    events.extend([reads(1, 300.0, 0), reads(1, 300.0, 0), shouts(0, false), Event::Commit]);
    events.extend([Event::Wait(17), Event::Wait(23), shouts(3, true), Event::Wait(4)]);
    events.extend([Event::Full, Event::Wait(20), reads(0, 100.0, 975), Event::Crash]);
    play(&events);
}
