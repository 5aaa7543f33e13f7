//! The API as a program sees it: a real store, a real listener, a real client.

mod refusals;
mod shapes;
mod streams;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use standpipe_rules::changes::Logged;
use standpipe_rules::detect::Memory;
use standpipe_rules::registry::{DeviceIx, Registry};
use standpipe_shared::{Condition, Kilopascals, Kind, Measurements};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::auth::Token;
use super::metrics::recorder;
use super::readers::Readers;
use super::{ApiState, ServeError, serve};
use crate::clock::Clock;
use crate::engine::{Bells, EngineHandle, Queues, bells, queues};
use crate::health::Health;
use crate::series::batch::TagRow;
use crate::series::embedded::Embedded;
use crate::series::{Batch, Series, Tags};
use crate::store::Store;

/// 2025-11-24 16:00 UTC.
pub const NOON: i64 = 1_764_000_000_000;
pub const FIRE: &str = "01KAV0000000000000000000F1";
pub const ZONE: &str = "01KAV0000000000000000000Z1";
pub const CHILD: &str = "01KAV0000000000000000000C1";

/// A served API and everything it stands on.
pub struct Served {
    pub db: rusqlite::Connection,
    pub bells: Bells,
    pub health: Arc<Health>,
    pub history: Arc<Embedded>,
    pub stop: CancellationToken,
    pub serving: JoinSet<Result<(), ServeError>>,
    pub address: SocketAddr,
    /// Nobody takes what is asked of the engine, as while the disc is full.
    pub queues: Option<Queues>,
    client: Client,
    parts: Parts,
    _dir: tempfile::TempDir,
}

struct Parts {
    path: PathBuf,
    engine: EngineHandle,
    history: Arc<Embedded>,
    health: Arc<Health>,
}

impl Parts {
    fn state(&self, token: Option<&str>, events: watch::Receiver<i64>) -> ApiState {
        ApiState {
            store: Readers::new(self.path.clone()),
            engine: self.engine.clone(),
            history: Arc::clone(&self.history) as Arc<dyn Series>,
            health: Arc::clone(&self.health),
            metrics: recorder().unwrap().handle(),
            token: token.and_then(Token::new),
            events,
            profiles: Registry::new([]),
            clock: Clock::new(),
        }
    }
}

impl Served {
    pub async fn start(token: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("standpipe.db");
        drop(Store::open(&path).unwrap());
        let db = rusqlite::Connection::open(&path).unwrap();
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        let history = Arc::new(Embedded::open(&dir.path().join("history.db")).unwrap());
        let (engine, queues) = queues();
        let (bells, rings) = bells();
        let health = Arc::new(Health::default());
        let parts =
            Parts { path, engine, history: Arc::clone(&history), health: Arc::clone(&health) };
        let state = parts.state(token, rings.events);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, state, stop.clone()));
        let (client, queues) = (Client::new(), Some(queues));
        Self {
            db,
            bells,
            health,
            history,
            stop,
            serving,
            address,
            queues,
            client,
            parts,
            _dir: dir,
        }
    }

    /// A second API on the same parts, without a token.
    pub fn another(&self) -> ApiState {
        self.parts.state(None, self.bells.events.subscribe())
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

    /// Puts a small town into the store: a station, two hydrants, a detector, three incidents.
    pub fn town(&self) {
        self.row("station", &[("id", json!("S1")), ("json", station().to_string().into())]);
        let seen = NOON - 5_000;
        self.row(
            "station",
            &[
                ("id", json!("S2")),
                (
                    "json",
                    json!({"id":"S2","name":"河滨站","level":"village","parent":"S1",
                    "lat":29.5,"lon":106.5,"phone":null})
                    .to_string()
                    .into(),
                ),
                ("online", json!(1)),
                ("presence_at", json!(seen)),
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

    /// As the engine keeps it: heard just now.
    pub fn memory(&self, ix: u32, conditions: u32, kpa: f32) {
        let now = Clock::new().now();
        let latest =
            Measurements { pressure_kpa: Kilopascals::new(kpa).ok(), ..Measurements::default() };
        let mut memory = Memory { heard_at: Some(now), newest: Some(NOON), ..Memory::default() };
        memory.latest = latest;
        let sql = "INSERT INTO memory VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6)";
        let latest = serde_json::to_string(&latest).unwrap();
        self.db.execute(sql, (ix, conditions, now, NOON, latest, memory.body())).unwrap();
    }

    pub fn incident(&self, id: &str, at: i64, class: &str, severity: &str, state: &str) {
        let wire = json!({"id":id,"rev":2,"station":"S1","class":class,"severity":severity,
            "state":state,"opened_at":at,"page_id":null});
        let children = if id == ZONE { json!([CHILD]) } else { json!([]) };
        self.row(
            "incident",
            &[
                ("id", json!(id)),
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
        self.bells.events.send_replace(id);
        id
    }

    pub fn row(&self, table: &str, columns: &[(&str, Value)]) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", "));
        let values = columns.iter().map(|(_, value)| {
            let text = || value.as_str().unwrap().to_owned().into();
            value.as_i64().map_or_else(text, rusqlite::types::Value::Integer)
        });
        self.db.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
    }

    /// Three readings of `H-1`, a minute apart, from the hour before last on; says when that was.
    pub async fn measured(&self) -> i64 {
        let now = Clock::new().now();
        let start = now - now % 3_600_000 - 3_600_000;
        let row = TagRow {
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
            clock_bad: false,
            values: Measurements {
                pressure_kpa: Kilopascals::new(kpa).ok(),
                ..Measurements::default()
            },
        };
        let readings = vec![reading(0, 300.0), reading(1, 310.0), reading(2, 320.0)];
        let batch = Arc::new(Batch { readings, tags: Arc::new(Tags::new([row])) });
        self.history.write(batch, now).await.unwrap();
        start
    }
}

pub fn station() -> Value {
    json!({"id":"S1","name":"区大队","level":"district","parent":null,"lat":29.4,"lon":106.5,
        "phone":"119"})
}

pub fn device(id: &str, kind: &str, address: &str, zone: &str) -> Value {
    let profile = if kind == "hydrant" { "municipal" } else { "smoke_home" };
    json!({"id":id,"kind":kind,"name":format!("{id} name"),"station":"S1","zone":zone,
        "profile":profile,"lat":29.4,"lon":106.5,"address":address,"building":"","floor":"",
        "interval_s":null,"installed_on":"","area":"A1","claimed":true})
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
        "parent":ZONE,"reason":"unverified","closed_at":2,"outcome":"fire"})
}
