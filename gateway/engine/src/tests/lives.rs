//! Random lives of a gateway, for the tests that compare what two of them keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::{Announcement, ReceiverNews, ReceiverRole, Route};
use standpipe_rules::orders::{CommandRequest, Of, Order, Wish};
use standpipe_shared::{Kilopascals, Settings, Verb};
use standpipe_store::boards::URGENCIES;
use standpipe_store::expired::Archived;
use standpipe_store::{GivenUp, Quarantined};

use super::*;
use crate::crash_tests::{Event, Says, any_event};
use crate::entry::{Opening, RegistryRows, SourceMessage};
use crate::log::Consequences;

const HOUR: Ms = 3_600_000;

/// What a recorder has heard: all that a gateway was told, as JSON.
pub(super) type Tape = Arc<Mutex<Vec<String>>>;

#[derive(Serialize, Deserialize)]
pub(super) enum Recorded {
    Opening(Opening),
    Batch(Batch),
}

/// The embedded log, which writes down the batches that it has taken.
#[derive(Debug)]
struct Recorder {
    log: EmbeddedLog,
    tape: Tape,
}

impl Log for Recorder {
    fn append(
        &mut self,
        batch: &mut Batch,
        follows: &Consequences<'_>,
    ) -> Result<Appended, StoreError> {
        let appended = self.log.append(batch, follows)?;
        record(&self.tape, &Recorded::Batch(batch.clone()));
        Ok(appended)
    }

    fn store(&self) -> &Store {
        self.log.store()
    }

    fn store_mut(&mut self) -> &mut Store {
        self.log.store_mut()
    }
}

fn record(tape: &Tape, recorded: &Recorded) {
    tape.lock().unwrap().push(serde_json::to_string(recorded).unwrap());
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// A device speaks, time passes, or the power fails.
    Event(Event),
    /// Something else enters: which of [`Life::inputs`], and which variety of it.
    Input(usize, u8),
}

pub(super) fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => any_event().prop_map(Deed::Event),
        5 => (0..28usize, any::<u8>()).prop_map(|(nth, variety)| Deed::Input(nth, variety)),
    ]
}

/// A gateway, and what it was told.
pub(super) struct Life {
    folder: TempDir,
    pub(super) engine: Engine,
    pub(super) tape: Tape,
    pub(super) now: Ms,
    says: Says,
}

fn opening() -> Opening {
    let stations = vec![
        station("district", Level::District, None),
        station("town", Level::Township, Some("district")),
    ];
    let (name, station, severities) = ("w".into(), None, Vec::new());
    let route =
        Route { name, station, role: ReceiverRole::Officer, severities, steps: vec![1, 2, 3] };
    let plan = Plan { webhooks: vec![route], ..Plan::default() };
    Opening { stations, devices: (0..4).map(device).collect(), plan, profiles: Vec::new() }
}

fn loaded(path: &Path, opening: Opening) -> (Store, Loaded) {
    let mut store = Store::open(path).unwrap();
    let loaded = opening.load(&mut store, IdSecret::new([7; 32])).unwrap();
    (store, loaded)
}

fn begin(path: &Path, opening: Opening, tape: &Tape, now: Ms) -> Engine {
    record(tape, &Recorded::Opening(opening.clone()));
    let (store, loaded) = loaded(path, opening);
    let recorder = Recorder { log: EmbeddedLog::new(store), tape: Arc::clone(tape) };
    Engine::over(Box::new(recorder), loaded, &Sources::urgent_and_bulk(), now)
}

/// What a gateway keeps that is told the same as the one before it.
pub(super) fn played(tape: &[String]) -> BTreeMap<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("standpipe.db");
    let mut engine: Option<Engine> = None;
    for recorded in tape {
        match serde_json::from_str(recorded).unwrap() {
            Recorded::Opening(opening) => {
                drop(engine.take());
                let (store, loaded) = loaded(&path, opening);
                let log = Box::new(EmbeddedLog::new(store));
                engine = Some(Engine::resting(log, loaded, &Sources::urgent_and_bulk()));
            }
            Recorded::Batch(batch) => drop(engine.as_mut().unwrap().play(batch).unwrap()),
        }
    }
    Reader::open(&path).unwrap().dump().unwrap()
}

impl Life {
    pub(super) fn new() -> Self {
        Self::of(tempfile::tempdir().unwrap())
    }

    /// The same, in that folder.
    pub(super) fn of(folder: TempDir) -> Self {
        let tape = Tape::default();
        let engine = begin(&folder.path().join("standpipe.db"), opening(), &tape, T0);
        let mut life = Self { folder, engine, tape, now: T0, says: Says::default() };
        life.connects();
        life
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("standpipe.db")
    }

    fn connects(&mut self) {
        for source in [ALARM, TELEMETRY] {
            self.engine.take(Input::Source { source, up: true }, self.now);
        }
        self.commits();
    }

    pub(super) fn commits(&mut self) -> Done {
        self.engine.tick(self.now);
        self.engine.commit(self.now).unwrap()
    }

    /// What it keeps, as its readers see it.
    pub(super) fn dump(&self) -> BTreeMap<String, Vec<String>> {
        self.reader().dump().unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(self.engine.store().path()).unwrap()
    }

    pub(super) fn says(&mut self, what: &str, json: &str) {
        let parsed = parse(ROOT, format!("{ROOT}/{what}").as_bytes(), json.as_bytes());
        let arrived = Stamp::after(self.now, self.engine.set).into();
        let source = if what.ends_with("/telemetry") { TELEMETRY } else { ALARM };
        let topic = format!("{ROOT}/{what}").into();
        self.engine.take(Delivery { source, receipt: None, arrived, topic, parsed }, self.now);
    }

    /// The disk takes nothing once, and then again.
    fn full(&mut self) {
        self.engine.tick(self.now);
        self.engine.store().limit_pages(1).unwrap();
        let kept = self.engine.commit(self.now).is_ok();
        self.engine.store().limit_pages(1_000_000).unwrap();
        if !kept {
            self.now += 250;
            self.engine.commit(self.now).unwrap();
        }
    }

    /// What is not kept is gone.
    fn crashes(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        let (store, loaded) = loaded(&elsewhere.path().join("x.db"), Opening::default());
        let other = Engine::new(store, loaded, &Sources::urgent_and_bulk(), self.now);
        drop(std::mem::replace(&mut self.engine, other));
        self.engine = begin(&self.path(), opening(), &self.tape, self.now);
        self.connects();
    }

    pub(super) fn does(&mut self, deed: &Deed) {
        self.now += 100;
        match deed {
            Deed::Event(event) => self.event(event),
            Deed::Input(nth, variety) => {
                let inputs = self.inputs(*variety);
                let input = inputs.into_iter().nth(*nth).expect("as many as `any_deed` says");
                if let Input::ClockSet { by } = input {
                    self.commits();
                    self.now += by;
                    self.engine.clock_set(by, self.now);
                    self.engine.commit(self.now).unwrap();
                } else {
                    self.engine.take(input, self.now);
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        if let Some(sent) = self.says.message(event, self.now) {
            return self.says(&sent.topic, &sent.json);
        }
        match event {
            Event::Wait(seconds) => self.now += Ms::from(*seconds) * 1_000,
            Event::Commit => drop(self.commits()),
            Event::Full => self.full(),
            Event::Crash => self.crashes(),
            Event::Reads { .. }
            | Event::Alarm { .. }
            | Event::Hydrant { .. }
            | Event::Status { .. } => unreachable!("{event:?} is a message"),
        }
    }

    /// One of every kind of input that may come while it runs, about what there is now.
    #[allow(clippy::too_many_lines, reason = "a list")]
    pub(super) fn inputs(&self, variety: u8) -> Vec<Input> {
        let (reader, world, at) = (self.reader(), self.engine.world(), self.now);
        let pick = |many: usize| usize::from(variety) % many.max(1);
        let even = variety.is_multiple_of(2);
        let open: Vec<_> = world.book.open().map(|incident| incident.id).collect();
        let nobody = Ulid::from_parts(1, variety.into());
        let incident = open.get(pick(open.len())).copied().unwrap_or(nobody);
        let owed =
            Urgency::ALL.map(|urgency| reader.owed_to_webhook("w", (urgency, 0), 9).unwrap());
        let pages: Vec<_> = owed.into_iter().flatten().map(|page| page.page_id).collect();
        let boards =
            (0..URGENCIES).flat_map(|urgency| reader.owed_boards((urgency, 0), 9).unwrap());
        let boards: Vec<_> =
            boards.map(|board| (board.station, board.incident, board.rev)).collect();
        let bundles = reader.owed_bundles(("w", 0), 9).unwrap();
        let bundle = bundles.get(pick(bundles.len())).map_or(nobody, |bundle| bundle.id);
        let page_id = pages.get(pick(pages.len())).copied().unwrap_or(nobody);
        let board = boards.into_iter().nth(pick(3));
        let (station, shown, rev) = board.unwrap_or_else(|| ("town".into(), incident, 1));
        let commands = "SELECT id FROM command ORDER BY number DESC LIMIT 1";
        let command: Vec<String> = reader.query(commands, (), |row| row.get(0)).unwrap();
        let command = command.first().map_or(nobody, |id| id.parse().unwrap());
        let window = world.book.windows().first().map_or("none".into(), |window| window.id.clone());
        let kinds = [
            ActionKind::Acknowledge,
            ActionKind::Dispatch,
            ActionKind::Arrive,
            ActionKind::Comment,
            ActionKind::Resolve,
            ActionKind::FalseAlarm,
            ActionKind::Shown,
            ActionKind::Undo,
            ActionKind::Reopen,
        ];
        let action = Action {
            incident,
            kind: kinds[pick(9)],
            by: "Li".into(),
            note: "on the way".into(),
            seen: "".into(),
        };
        let digest = if even {
            json!({"made": {"told": {"day": "2025-11-24", "to": at}, "owed": [["w", "{}"]]}})
        } else {
            json!({"delivered": [{"day": "2025-11-24", "receiver": "w"}, at]})
        };
        let announcement: Announcement = serde_json::from_value(json!({
            "what": if even { "maintenance" } else { "walk_test" },
            "scope": {"device": format!("H-{}", variety % 4)},
            "conditions": if even { json!(["no_water", "tamper"]) } else { json!([]) },
            "from": at, "until": at + 20_000, "by": "Wang", "note": "a new valve",
        }))
        .unwrap();
        let order = if even {
            let asked = CommandRequest::new(Verb::SelfTest, None, Some(60), "Wang").unwrap();
            Order::Command { device: "H-1".into(), asked }
        } else {
            let kpa = |kpa| Kilopascals::new(kpa).unwrap();
            let (low_kpa, no_water_kpa, delta_kpa) = (kpa(150.3), kpa(20.0), kpa(15.0));
            let (rev, sample_s, interval_s) = (0, 5, 600 + u32::from(variety));
            let settings = Settings { rev, interval_s, sample_s, low_kpa, no_water_kpa, delta_kpa };
            let (of, wish) = (Of::Device("H-2".into()), Some(Wish::new(settings).unwrap()));
            Order::Settings { of, wish, by: "Wang".into() }
        };
        let news = if even {
            ReceiverNews::Refuses { for_ms: 20_000, answer: "500: no".into() }
        } else {
            ReceiverNews::Takes
        };
        // Incidents that are owed nothing more, and so may be archived, are in tests/archived.rs.
        let archived = Archived {
            incidents: Vec::new(),
            quarantine: reader
                .query("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'", (), |row| {
                    row.get(0)
                })
                .unwrap(),
        };
        let rubbish = Quarantined {
            at,
            topic: "H-1".into(),
            device: "H-1".into(),
            reason: "history".into(),
            detail: "out of range".into(),
            payload: vec![0, 255, variety],
        };
        let unread = parse(ROOT, format!("{ROOT}/a/H-1/telemetry").as_bytes(), &[b'{', variety]);
        let message = SourceMessage {
            source: TELEMETRY,
            retained: !even,
            print: u128::MAX - u128::from(variety),
            topic: format!("{ROOT}/a/H-1/telemetry").into(),
            parsed: unread,
            first_came: None,
        };
        let mut newcomer = device(4 + u32::from(variety % 3));
        newcomer.name = format!("Hydrant {variety}").into();
        let retired: Box<str> = format!("H-{}", variety % 4).into();
        let village = Station {
            id: "village".into(),
            name: format!("Village {variety}").into(),
            level: Level::Village,
            parent: Some("town".into()),
            lat: 29.4,
            lon: 106.5,
            phone: None,
        };
        let mut of_village = device(7);
        of_village.station = "village".into();
        let rows = RegistryRows { stations: vec![village], devices: vec![of_village] };
        let (receiver, name, device_ix) = ("w".into(), "w".into(), DeviceIx(2));
        let moment = Moment { wall: at, up: at - T0, boot: Some("a".into()) };
        vec![
            Input::Message(Box::new(message)),
            Input::Source { source: TELEMETRY, up: !even },
            Input::Delivered { page_id },
            Input::Bundle { receiver, pages },
            Input::GaveUp { page_id, why: "404".into() },
            Input::Receiver { name, news },
            Input::Reword { page_id },
            Input::BoardSent { station, incident: shown, rev },
            Input::BulletinSent { station: "town".into(), rev: 1 },
            Input::Digest(serde_json::from_value(digest).unwrap()),
            Input::SettingsSent { device: device_ix, rev: 1 },
            Input::CommandSent { id: command, resends: 0 },
            Input::SeriesAt { block: self.engine.store().newest_block() },
            Input::GiveUpLog {
                block: self.engine.store().newest_block(),
                readings: vec![GivenUp {
                    device: device_ix,
                    hour: T0 - T0 % HOUR,
                    boot: 1,
                    readings: 2,
                }],
            },
            Input::RecordsAt { trail: variety.into(), ledger: T0 - T0 % HOUR },
            Input::Quarantine(rubbish.into()),
            Input::Archived(archived.into()),
            Input::Console { station: "town".into(), open: even },
            Input::Act { actor: Actor::admin("admin").into(), action },
            Input::PutDevice(Box::new(newcomer)),
            Input::Order(Box::new(order)),
            Input::Announce(Box::new(announcement)),
            Input::Withdraw { id: window },
            Input::GatewayCondition {
                condition: Condition::RegistryFault,
                detail: even.then(|| "devices.csv: line 3".into()),
            },
            Input::ClockSet { by: HOUR * (Ms::from(variety % 3) - 1) },
            Input::ClockBelieved,
            Input::Moment(moment),
            Input::Tick,
            Input::KeepAll,
            Input::TakeApart { bundle },
            Input::Register(Box::new(rows)),
            Input::Retire { device: retired.clone() },
            Input::Replace { device: retired, by: format!("H-9{variety}").into() },
        ]
    }
}
