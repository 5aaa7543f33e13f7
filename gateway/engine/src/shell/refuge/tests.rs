//! A disk that takes nothing under the engine's thread, turn by turn.

mod hangs;
mod lost;
mod marked;

use std::sync::Arc;

use standpipe_machine::clock::Clock;
use standpipe_machine::disk::Ballast;
use standpipe_machine::marks::Marks;
use standpipe_rules::wire::parse;
use standpipe_shared::ROOT;
use standpipe_store::boards::URGENCIES;
use standpipe_store::{Reader, StorePlace};
use tempfile::TempDir;
use tokio::sync::oneshot;
use ulid::Ulid;

use super::super::*;
use crate::health::{DegradedPart, PartStatus};
use crate::source::{Inlet, receipts};
use crate::tests::{ALARM, Bench, TELEMETRY};
use crate::{Delivery, EngineHandle, Input, Receipt, Rings, SourceIx, Sources, bells, queues};

const SMOKE: &str = r#"{"condition":"smoke","active":true}"#;

struct FullDisk {
    shell: Shell<fn() -> bool>,
    handle: EngineHandle,
    place: StorePlace,
    ballast: Ballast,
    inlets: [Inlet; 2],
    rings: Rings,
    folder: TempDir,
}

impl FullDisk {
    /// A gateway whose disk takes nothing from now on.
    fn new() -> Self {
        let disk = Self::working(tempfile::tempdir().unwrap());
        disk.shell.engine.store().limit_pages(1).unwrap();
        disk
    }

    /// A gateway on a disk that works, in that folder.
    fn working(folder: TempDir) -> Self {
        let Bench { folder, engine } = Bench::of(folder, 3);
        let sources = Sources::urgent_and_bulk();
        let (handle, queues) = queues(&sources);
        let ((alarm, alarm_in), (telemetry, telemetry_in)) = (receipts(), receipts());
        let (bells, rings) = bells();
        let (place, clock) = (StorePlace::new(engine.store().path()), Clock::new());
        let ballast = Ballast::beside(place.file());
        assert!(ballast.lay().unwrap());
        let outlets = Outlets {
            clock,
            bells,
            receipts: vec![alarm, telemetry],
            health: Arc::new(Health::of(&sources)),
            place: place.clone(),
            ballast: Some(ballast.clone()),
            marks: Some(Marks::beside(place.file(), 0)),
        };
        let give_up: fn() -> bool = || false;
        let mut shell = Shell::new(engine, queues, outlets, give_up);
        shell.turn();
        let inlets = [alarm_in, telemetry_in];
        Self { shell, handle, place, ballast, inlets, rings, folder }
    }

    fn says(&self, source: SourceIx, what: &str, json: &str, n: u64) {
        let parsed = parse(ROOT, format!("{ROOT}/{what}").as_bytes(), json.as_bytes());
        let mut arrived: crate::Came = self.shell.outlets.clock.stamp().into();
        arrived.print = n.into();
        arrived.digest = Some([u8::try_from(n % 251).unwrap(); 32]);
        let (receipt, topic) = (Some(Receipt::new(n)), "".into());
        self.handle.deliver(Delivery { source, receipt, arrived, topic, parsed }).unwrap();
    }

    fn fires(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.says(ALARM, &format!("a/S-{n}/alarm"), SMOKE, n);
        }
    }

    /// Turns until nothing waits.
    fn turns(&mut self) {
        for _ in 0..20 {
            assert!(self.shell.turn());
            if self.handle.waiting() == crate::QueueLengths::default() {
                return;
            }
        }
        panic!("{:?}", self.handle.waiting());
    }

    fn acknowledged(&mut self, source: SourceIx) -> Vec<u64> {
        let mut all = Vec::new();
        while let Ok(batch) = self.inlets[source.get()].try_recv() {
            all.extend(batch.into_iter().map(Receipt::token));
        }
        all
    }

    /// The alarms that devices were answered.
    fn answered(&self) -> usize {
        std::iter::from_fn(|| self.rings.receipts.next()).count()
    }

    /// Pages that are owed to stations, as senders read them.
    fn owed(&self) -> Vec<Ulid> {
        let reader = Reader::open(&self.place.path()).unwrap();
        let of = |urgency| reader.owed_boards((urgency, 0), 1_000).unwrap();
        (0..URGENCIES).flat_map(of).flat_map(|board| board.pages).collect()
    }

    fn there_is_room(&mut self) {
        self.shell.engine.disk().limit_pages(1_000_000).unwrap();
        self.tries_at_once();
    }

    /// Does not wait before it tries the way back.
    fn tries_at_once(&mut self) {
        self.shell.refuge.back_at = Some(self.shell.outlets.clock.instant());
    }

    fn degraded(&self) -> bool {
        self.shell.outlets.health.degraded.of(DegradedPart::Rescue).is_some()
    }
}

#[test]
fn what_a_full_disk_refuses_is_paged_from_memory_and_stored_when_there_is_room() {
    let mut disk = FullDisk::new();
    disk.fires(0..600);
    disk.turns();
    assert!(!disk.ballast.is_there(), "it is given up first");
    assert!(disk.shell.engine.is_in_memory() && disk.place.is_in_memory() && disk.degraded());
    assert_eq!(disk.shell.outlets.health.store.status(), PartStatus::Fine, "it does its work");
    let owed = disk.owed();
    assert!(owed.len() >= 600, "{}", owed.len());
    let early = disk.acknowledged(ALARM);
    assert_eq!(early, (0..600 - 256).collect::<Vec<_>>(), "the oldest, before the window is full");

    disk.shell.goes_back();
    assert!(disk.shell.engine.is_in_memory(), "still full");
    disk.there_is_room();
    disk.turns();
    assert!(!disk.shell.engine.is_in_memory() && !disk.place.is_in_memory() && !disk.degraded());
    assert_eq!(disk.acknowledged(ALARM), (600 - 256..600).collect::<Vec<_>>(), "each once");
    let stored = disk.owed();
    assert!(owed.iter().all(|page| stored.contains(page)), "no page has a second id");
    disk.fires(600..601);
    disk.turns();
    assert_eq!(disk.acknowledged(ALARM), [600]);
}

#[test]
fn the_gateway_itself_says_so_by_an_incident_that_ends_when_it_is_over() {
    let mut disk = FullDisk::new();
    disk.fires(0..50);
    disk.turns();
    disk.turns();
    let stands = |disk: &FullDisk| {
        disk.shell.engine.world().gateway_stands(standpipe_shared::Condition::Degraded)
    };
    assert!(stands(&disk));
    disk.there_is_room();
    disk.turns();
    disk.turns();
    assert!(!stands(&disk));
}

#[test]
fn an_alarm_is_acknowledged_when_its_page_is_confirmed_and_readings_when_they_are_stored() {
    let mut disk = FullDisk::new();
    disk.fires(0..40);
    disk.turns();
    assert!(disk.shell.engine.is_in_memory());
    assert_eq!(disk.acknowledged(ALARM), [0_u64; 0], "nobody has confirmed a page yet");
    disk.says(TELEMETRY, "a/H-1/telemetry", r#"{"boot":1,"seq":1,"pressure_kpa":300}"#, 500);
    disk.says(ALARM, "a/H-2/status", r#"{"online":true,"boot":1}"#, 501);
    disk.turns();
    assert_eq!(disk.acknowledged(ALARM), [501], "it says what is so now");
    assert_eq!(disk.acknowledged(TELEMETRY), [0_u64; 0], "it stays with the broker");

    // A station's terminal is there, and one of its topics has its page.
    disk.says(ALARM, "stations/district/presence", r#"{"online":true}"#, 502);
    disk.turns();
    let reader = Reader::open(&disk.place.path()).unwrap();
    let board = (0..URGENCIES)
        .flat_map(|urgency| reader.owed_boards((urgency, 0), 1_000).unwrap())
        .find(|board| &*board.station == "district" && board.wire.contains("\"S-7\""))
        .unwrap();
    for page_id in board.pages {
        disk.shell.engine.take(Input::Delivered { page_id }, disk.shell.outlets.clock.now());
    }
    disk.turns();
    assert_eq!(disk.acknowledged(ALARM), [502, 7]);
    // Delivered again, it waits for nobody: its page is confirmed. Another one does.
    disk.says(ALARM, "a/S-7/alarm", SMOKE, 7);
    disk.says(ALARM, "a/S-8/alarm", SMOKE, 8);
    disk.turns();
    assert_eq!(disk.acknowledged(ALARM), [7]);
    disk.there_is_room();
    disk.turns();
    assert_eq!(disk.acknowledged(TELEMETRY), [500]);
    assert_eq!(disk.acknowledged(ALARM).len(), 40, "39, and one that came twice");
}

#[test]
fn an_action_is_answered_from_memory() {
    let mut disk = FullDisk::new();
    disk.fires(0..40);
    disk.turns();
    let incident = disk.shell.engine.world().book.open().next().unwrap().id;
    let (reply, mut answer) = oneshot::channel();
    let (kind, by, note) =
        (standpipe_rules::incidents::ActionKind::Acknowledge, "Li".into(), "".into());
    let action = standpipe_rules::incidents::Action { incident, kind, by, note, seen: "".into() };
    let actor = standpipe_rules::incidents::Actor::admin("admin").into();
    disk.handle.try_send(Input::Act { actor, action }.asked(reply)).unwrap();
    disk.turns();
    assert_eq!(answer.try_recv(), Ok(crate::EntryOutcome::Acted(Ok(()))));
    disk.there_is_room();
    disk.turns();
    let reader = Reader::open(disk.place.file()).unwrap();
    let state = reader
        .query("SELECT state FROM incident WHERE id = ?1", [incident.to_string()], |row| {
            row.get::<_, String>(0)
        })
        .unwrap();
    assert_eq!(state, ["acknowledged"]);
}
