//! The API as a program sees it: a real store, a real listener, a real client.

mod admins;
mod bundles;
mod chain;
mod console;
mod degraded;
mod digest;
mod fleet;
mod names;
mod openapi;
mod orders;
mod other_words;
mod pages;
mod quarantine;
mod readers;
mod refusals;
mod relapse;
mod rows;
mod scope;
mod shapes;
mod streams;
mod work;
mod writes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use standpipe_config::{BrokerAddress, Config};
use standpipe_engine::health::{Health, Part};
use standpipe_engine::{
    Bells, Delivery, Engine, EngineHandle, Outlets, Queues, Rings, SourceIx, Sources, bells,
    queues, run,
};
use standpipe_machine::clock::Clock;
use standpipe_machine::entropy::Entropy;
use standpipe_rules::changes::Logged;
use standpipe_rules::detect::Memory;
use standpipe_rules::incidents::{IdSecret, Plan};
use standpipe_rules::registry::{DeviceIx, Registry};
use standpipe_rules::wire::parse;
use standpipe_series::embedded::EmbeddedHistory;
use standpipe_series::{ReadingBatch, Series, Tags};
use standpipe_shared::{Condition, Kilopascals, Kind, Measurements, ROOT};
use standpipe_store::Store;
use standpipe_store::accounts::Accounts;
use standpipe_store::readers::Readers;
use standpipe_store::views::history::DeviceTags;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::ApiState;
use crate::api::auth::{Access, AdminToken};
use crate::api::town::Town;
use crate::metrics::recorder;
use crate::serve::{ServeError, serve};

/// 2025-11-24 16:00 UTC.
pub const NOON: i64 = 1_764_000_000_000;
pub const FIRE: &str = "01KAV0000000000000000000F1";
pub const ZONE: &str = "01KAV0000000000000000000Z1";
pub const CHILD: &str = "01KAV0000000000000000000C1";

/// A served API and everything it stands on.
pub struct Served {
    pub db: rusqlite::Connection,
    /// While no engine runs.
    pub bells: Option<Bells>,
    /// While no engine runs.
    pub queues: Option<Queues>,
    pub parts: Parts,
    pub stop: CancellationToken,
    pub serving: JoinSet<Result<(), ServeError>>,
    pub address: SocketAddr,
    client: Client,
    _dir: tempfile::TempDir,
}

pub struct Parts {
    path: PathBuf,
    pub engine: EngineHandle,
    pub history: Arc<EmbeddedHistory>,
    pub health: Arc<Health>,
    pub accounts: Accounts,
    rings: Rings,
}

impl Parts {
    fn state(&self, token: Option<&str>) -> ApiState {
        ApiState {
            store: Readers::new(self.path.clone()),
            reports: Readers::new(self.path.clone()).one_apart(),
            engine: self.engine.clone(),
            history: Arc::clone(&self.history) as Arc<dyn Series>,
            health: Arc::clone(&self.health),
            metrics: recorder().unwrap().handle(),
            door: match token {
                None => Access::ThisMachine { csrf: "proof".into() },
                Some(token) => Access::Accounts { admin: AdminToken::new(token) },
            },
            accounts: self.accounts.clone(),
            town: Town::of(&Config::new(BrokerAddress::loopback()).http),
            watch: Arc::default(),
            events: self.rings.events.clone(),
            profiles: Registry::new([]),
            config: Arc::new(Config::new(BrokerAddress::loopback())),
            clock: Clock::new(),
        }
    }
}

/// Everything works.
pub fn all_fine(health: &Health) {
    let sources = health.sources.all().iter().map(|source| &*source.health);
    [&health.store, &health.series].into_iter().chain(sources).for_each(Part::fine);
}

impl Served {
    /// Over a store without an engine: whatever is asked of one waits, as while the disc is full.
    pub async fn start(token: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("standpipe.db");
        drop(Store::open(&path).unwrap());
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        let history = Arc::new(EmbeddedHistory::open(&dir.path().join("history.db")).unwrap());
        let sources = Sources::urgent_and_bulk();
        let (engine, queues) = queues(&sources);
        let health = Arc::new(Health::of(&sources));
        let (bells, rings) = bells();
        let accounts = Accounts::open(&path, &Entropy::new()).unwrap();
        let parts = Parts { path, engine, history, health, accounts, rings };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, parts.state(token), stop.clone()));
        let (client, queues, bells) = (Client::new(), Some(queues), Some(bells));
        Self { db, bells, queues, parts, stop, serving, address, client, _dir: dir }
    }

    /// Over an engine that runs: a district, a village, a hydrant and a detector.
    pub async fn alive() -> Self {
        Self::alive_for(None).await
    }

    /// The same, for who has this token or an account.
    pub async fn alive_for(token: Option<&str>) -> Self {
        let mut api = Self::start(token).await;
        let mut store = Store::open(&api.parts.path).unwrap();
        let stations =
            [station(), village()].map(|station| serde_json::from_value(station).unwrap());
        let hydrant = device("H-1", "hydrant", "桥头", "Z1");
        let devices = [hydrant, device("SM-1", "smoke", "Kitchen", "")];
        store
            .import(&stations, &devices.map(|device| serde_json::from_value(device).unwrap()))
            .unwrap();
        let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        let clock = Clock::new();
        let engine = Engine::new(store, loaded, &api.parts.health.sources, clock.now());
        let (bells, queues) = (api.bells.take().unwrap(), api.queues.take().unwrap());
        let health = Arc::clone(&api.parts.health);
        let place = engine.store().path().to_owned().into();
        let outlets = Outlets {
            clock,
            bells,
            receipts: Vec::new(),
            health,
            place,
            ballast: None,
            marks: None,
        };
        std::thread::spawn(move || run(engine, queues, outlets, || true));
        api
    }

    /// What a device says, as it comes from the broker.
    pub fn says(&self, topic: &str, payload: &Value) {
        let source = SourceIx::nth(usize::from(topic.ends_with("/telemetry")));
        let topic = format!("{ROOT}/{topic}");
        let parsed = parse(ROOT, topic.as_bytes(), payload.to_string().as_bytes());
        let (at, topic) = (Clock::new().now(), topic.into());
        let delivery = Delivery { source, receipt: None, arrived: at.into(), topic, parsed };
        self.parts.engine.deliver(delivery).unwrap();
    }

    /// Sends JSON; the answer's status and body.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let ask = self.ask(method, path).header("content-type", "application/json");
        let answer = ask.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// A second API on the same parts, without a token.
    pub fn another(&self) -> ApiState {
        self.parts.state(None)
    }

    pub fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// The answer to a `GET`, which is JSON.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path).send().await.unwrap();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|bad| panic!("{path}: {bad} in {text}"))
    }

    /// The same, with the token of `s3cret`.
    pub async fn get_as_admin(&self, path: &str) -> Value {
        let answer = self.ask("GET", path).bearer_auth("s3cret").send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Puts a small town into the store: a station, two hydrants, a detector, three incidents.
    pub fn town(&self) {
        self.row("station", &[("id", json!("S1")), ("json", station().to_string().into())]);
        self.row(
            "station",
            &[
                ("id", json!("S2")),
                ("json", village().to_string().into()),
                ("online", json!(1)),
                ("presence_at", json!(NOON - 5_000)),
            ],
        );
        self.device(0, "H-1", "hydrant", "School Rd 100%", "Z1");
        self.device(1, "H-2", "hydrant", "桥头", "Z1");
        self.device(2, "SM-1", "smoke", "Kitchen", "");
        self.memory(0, Condition::LowPressure.bit(), 121.5);
        self.incident(FIRE, NOON + 2_000, "fire", "fire", "open");
        self.incident(ZONE, NOON + 1_000, "water", "critical", "acknowledged");
        self.incident(CHILD, NOON, "water", "warning", "closed");
    }

    pub fn device(&self, ix: u32, id: &str, kind: &str, address: &str, zone: &str) {
        let row = device(id, kind, address, zone);
        self.row(
            "device",
            &[
                ("ix", json!(ix)),
                ("id", json!(id)),
                ("kind", json!(kind)),
                ("station", json!("S1")),
                ("zone", json!(zone)),
                ("name", row["name"].clone()),
                ("claimed", json!(1)),
                ("json", row.to_string().into()),
            ],
        );
    }

    /// As the engine keeps it: heard, and measured, just now.
    pub fn memory(&self, ix: u32, conditions: u32, kpa: f32) {
        let now = Clock::new().now();
        self.remember((ix, conditions), kpa, (now, now));
    }

    /// The same, heard just now, and measured then.
    pub fn memory_at(&self, ix: u32, conditions: u32, kpa: f32, measured_at: i64) {
        self.remember((ix, conditions), kpa, (Clock::new().now(), measured_at));
    }

    fn remember(&self, (ix, conditions): (u32, u32), kpa: f32, (now, measured_at): (i64, i64)) {
        let latest =
            Measurements { pressure_kpa: Kilopascals::new(kpa).ok(), ..Measurements::default() };
        let mut memory = Memory { heard_at: Some(now), newest: Some(now), ..Memory::default() };
        memory.take_in(&latest, measured_at);
        memory.fresh_mut().see_water(kpa, measured_at);
        let sql = "INSERT INTO memory VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6)";
        let latest = serde_json::to_string(&latest).unwrap();
        self.db.execute(sql, (ix, conditions, now, measured_at, latest, memory.body())).unwrap();
    }

    pub fn incident(&self, id: &str, at: i64, class: &str, severity: &str, state: &str) {
        let wire = json!({"id":id,"rev":2,"station":"S1","class":class,"severity":severity,
            "state":state,"opened_at":at,"page_id":null});
        let children = if id == ZONE { json!([CHILD]) } else { json!([]) };
        let worse =
            ["fire", "critical", "warning", "notice"].iter().position(|name| *name == severity);
        let taken = usize::from(state != "open");
        let place = worse.map(|worse| json!(2 * worse + taken)).filter(|_| state != "closed");
        self.row(
            "incident",
            &[
                ("id", json!(id)),
                ("place", place.unwrap_or(Value::Null)),
                ("open", json!(i32::from(state != "closed"))),
                ("class", json!(class)),
                ("severity", json!(severity)),
                ("state", json!(state)),
                ("station", json!("S1")),
                ("opened_at", json!(at)),
                ("updated_at", json!(at)),
                ("rev", json!(2)),
                ("wire", wire.to_string().into()),
                ("inner", json!({ "children": children }).to_string().into()),
            ],
        );
    }

    pub fn event(&self, kind: &str, data: &Value) -> i64 {
        self.row(
            "event",
            &[("at", json!(NOON)), ("kind", json!(kind)), ("json", data.to_string().into())],
        );
        let id = self.db.last_insert_rowid();
        self.bells.as_ref().unwrap().events.send_replace(id);
        id
    }

    pub fn row(&self, table: &str, columns: &[(&str, Value)]) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", "));
        let values = columns.iter().map(|(_, value)| {
            let text = || {
                value.as_str().map_or(rusqlite::types::Value::Null, |text| text.to_owned().into())
            };
            value.as_i64().map_or_else(text, rusqlite::types::Value::Integer)
        });
        self.db.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
    }

    /// Three readings of `H-1`, a minute apart, from the hour before last on; says when that was.
    pub async fn measured(&self) -> i64 {
        let now = Clock::new().now();
        let start = now - now % 3_600_000 - 3_600_000;
        let row = DeviceTags {
            ix: DeviceIx(0),
            kind: Kind::Hydrant,
            device: "H-1",
            station: "S1",
            zone: "Z1",
        };
        let reading = |minute: i64, kpa: f32| Logged {
            device: DeviceIx(0),
            arrived: start + minute * 60_000,
            ts: start + minute * 60_000,
            series_ts: start + minute * 60_000,
            boot: None,
            seq: None,
            print: 0,
            clock_bad: Some(false),
            claimed: None,
            values: Measurements {
                pressure_kpa: Kilopascals::new(kpa).ok(),
                ..Measurements::default()
            },
        };
        let readings = vec![reading(0, 300.0), reading(1, 310.0), reading(2, 320.0)];
        let batch = Arc::new(ReadingBatch { readings, tags: Arc::new(Tags::new([row])) });
        self.parts.history.write(batch, now).await.unwrap();
        start
    }
}

pub fn station() -> Value {
    json!({"id":"S1","name":"区大队","level":"district","parent":null,"lat":29.4,"lon":106.5,
        "phone":"119"})
}

pub fn village() -> Value {
    json!({"id":"S2","name":"河滨站","level":"village","parent":"S1","lat":29.5,"lon":106.5,
        "phone":null})
}

pub fn device(id: &str, kind: &str, address: &str, zone: &str) -> Value {
    let profile = if kind == "hydrant" { "municipal" } else { "smoke_home" };
    json!({"id":id,"kind":kind,"name":format!("{id} name"),"station":"S1","zone":zone,
        "profile":profile,"lat":29.4,"lon":106.5,"address":address,"building":"","floor":"",
        "interval_s":null,"installed_on":"","area":"A1","claimed":true})
}

/// The same, that is open and is no part of another.
pub fn open_incident_wire() -> Value {
    let mut wire = incident_wire();
    for gone in ["closed_at", "outcome", "parent"] {
        wire.as_object_mut().unwrap().remove(gone);
    }
    wire["state"] = json!("open");
    wire
}

/// A fire with everything an incident can say.
pub fn incident_wire() -> Value {
    json!({"id":FIRE,"rev":2,"station":"S1","class":"fire","severity":"fire","state":"closed",
        "episode":1,"conditions":["smoke"],"device":{"id":"SM-1","kind":"smoke","name":"n",
        "address":"a","lat":1.0,"lon":2.0},"zone":"Z1","title":{"en":"Smoke","zh":"烟"},
        "opened_at":1,"since":1,"updated_at":1,"late_s":0,"exercise":false,
        "value":{"smoke_db_m":0.3},"hydrants":[{"id":"H-1","name":"n","distance_m":12,
        "bearing_deg":90,"pressure_kpa":300.0,"measured_at":1,"trust":"ok"}],
        "hydrants_note":{"en":"few","zh":"少"},"step":1,"next_step_at":null,"page_id":null,
        "parent":ZONE,"reason":"unverified","detail":"d","topic":"t","payload":"p",
        "flapping":{"condition":"smoke","times":4,"within_s":5},"closed_at":2,"outcome":"fire",
        "place":{"kind":"device","name":"n"}})
}
