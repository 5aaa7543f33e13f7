//! The contract in `shared/` says what is so: its page, its schemas, its AsyncAPI document and the
//! program hold to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use boon::{Compiler, SchemaIndex};
use serde_json::{Value, json};
use standpipe_rules::detect::Trust;
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::wire::{self, Message};
use standpipe_shared::{
    Channel, Condition, Name, ROOT, ReceivedAlarm, Settings, StationChannel, Topic,
};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::process::server;
use standpipe_tests::station::Station;
use standpipe_tests::{now, town};

const SOON: Duration = Duration::from_secs(5);

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")
}

fn page() -> String {
    std::fs::read_to_string(shared().join("README.md")).expect("the contract")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|bad| panic!("{path:?}: {bad}"));
    serde_json::from_str(&text).unwrap_or_else(|bad| panic!("{path:?}: {bad}"))
}

/// The schemas of `shared/schemas`, by the name of their file.
struct Schemas {
    documents: BTreeMap<String, Value>,
    compiled: boon::Schemas,
    indexes: BTreeMap<String, SchemaIndex>,
}

impl Schemas {
    fn read() -> Self {
        let folder = std::fs::read_dir(shared().join("schemas")).expect("the schemas");
        let files = folder.map(|entry| entry.expect("a file").path());
        let documents: BTreeMap<String, Value> = files
            .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path)))
            .collect();
        let id = |schema: &Value| schema["$id"].as_str().expect("an $id").to_owned();
        let (mut compiler, mut compiled) = (Compiler::new(), boon::Schemas::new());
        for schema in documents.values() {
            compiler.add_resource(&id(schema), schema.clone()).expect("a schema of its own id");
        }
        let indexes = documents
            .iter()
            .map(|(name, schema)| {
                let index = compiler.compile(&id(schema), &mut compiled);
                (name.clone(), index.unwrap_or_else(|bad| panic!("{name}: {bad:#}")))
            })
            .collect();
        Self { documents, compiled, indexes }
    }

    /// What is wrong with a message by that schema.
    fn fault(&self, name: &str, message: &Value) -> Option<String> {
        let index = *self.indexes.get(name).unwrap_or_else(|| panic!("no schema {name}"));
        self.compiled.validate(message, index).err().map(|bad| bad.to_string())
    }

    /// Fails unless the message is one of that schema, and names no member that it lacks.
    fn hold(&self, name: &str, message: &Value) {
        if let Some(fault) = self.fault(name, message) {
            panic!("{name}: {message}\n{fault}");
        }
        if let (Some(members), Some(known)) =
            (message.as_object(), self.documents[name]["properties"].as_object())
        {
            let strange: Vec<_> = members.keys().filter(|key| !known.contains_key(*key)).collect();
            assert!(strange.is_empty(), "{name}: {strange:?} are in no schema: {message}");
        }
    }
}

/// The examples of the page: the name of the schema after `json`, and the text.
fn examples() -> Vec<(String, String)> {
    let page = page();
    let blocks = page.split("```json ").skip(1);
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').expect("a name");
            let (text, _) = rest.split_once("\n```").expect("an end");
            (name.trim().to_owned(), text.to_owned())
        })
        .collect()
}

/// The rows of the table under a heading, cells without their markup.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = page();
    let (_, after) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rows = after.lines().skip_while(|line| !line.starts_with('|'));
    rows.take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace(['`', '*'], "")).collect()
        })
        .collect()
}

#[test]
fn every_example_is_valid_and_the_gateway_reads_it() {
    let schemas = Schemas::read();
    let mut seen = BTreeSet::new();
    for (name, text) in examples() {
        let message: Value =
            serde_json::from_str(&text).unwrap_or_else(|bad| panic!("{name}: {bad}\n{text}"));
        schemas.hold(&name, &message);
        let topic = match &*name {
            "reading" | "telemetry" => "T03/HY-0042/telemetry",
            "alarm" => "T03/SD-0007/alarm",
            "status" => "T03/HY-0042/status",
            "reply" => "T03/HY-0042/reply",
            "action" => "stations/T03/actions",
            "presence" => "stations/T03/presence",
            _ => "",
        };
        if !topic.is_empty() {
            let topic = format!("{ROOT}/{topic}");
            let parsed = wire::parse(ROOT, topic.as_bytes(), text.as_bytes());
            assert!(parsed.rejected.is_empty(), "{text}: {:?}", parsed.rejected);
            let understood = !matches!(
                parsed.message,
                None | Some(Message::UnreadableAlarm { .. } | Message::NotUnderstood { .. })
            );
            assert!(understood, "{text}");
        }
        match &*name {
            "settings" => {
                let settings: Settings = serde_json::from_str(&text).expect("settings");
                assert_eq!(settings.faults().count(), 0, "{text}");
            }
            "command" => {
                let read: standpipe_shared::Command =
                    serde_json::from_str(&text).expect("a command");
                assert!(read.command.seconds().is_none_or(|most| {
                    read.seconds.is_none_or(|seconds| most.contains(&seconds))
                }));
            }
            "receipt" => {
                let (boot, seq) = (message["boot"].as_u64(), message["seq"].as_u64());
                let hash = message["sha256"].as_str().unwrap_or_default();
                let bytes: Vec<u8> = (0..hash.len() / 2)
                    .map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).expect("hex"))
                    .collect();
                let receipt = match boot.zip(seq) {
                    Some((boot, seq)) => {
                        ReceivedAlarm::Numbered { boot: boot as u32, seq: seq as u32 }
                    }
                    None => ReceivedAlarm::Payload(bytes.try_into().expect("32 bytes")),
                };
                assert_eq!(json!(receipt), message, "as the gateway writes it");
            }
            "incident" => drop(serde_json::from_str::<WireIncident>(&text).expect("an incident")),
            _ => {}
        }
        seen.insert(name);
    }
    let all: BTreeSet<String> = schemas.documents.keys().cloned().collect();
    assert_eq!(seen, all, "every schema has an example, and every example a schema");
}

#[test]
fn a_message_that_breaks_a_schema_is_found() {
    let schemas = Schemas::read();
    for (name, message) in [
        ("reading", json!({"pressure_kpa": "300"})),
        ("reading", json!({"boot": -1})),
        ("alarm", json!({"condition": "smoke"})),
        ("alarm", json!({"condition": "blind_area", "active": true})),
        ("status", json!({"online": 0})),
        ("telemetry", json!([{"seq": 1.5}])),
        ("receipt", json!({"boot": 3})),
        ("receipt", json!({"boot": 3, "seq": 4, "sha256": "0".repeat(64)})),
        ("receipt", json!({"sha256": "00"})),
        ("settings", json!({"rev": 4, "receipts": "yes"})),
        ("action", json!({"incident": "x", "action": "acknowledge"})),
        ("incident", json!({"id": "01KAZ2M8M0Q5V4J3T9C7R1XHDE"})),
    ] {
        assert!(schemas.fault(name, &message).is_some(), "{name}: {message}");
    }
}

#[test]
fn the_table_of_topics_is_the_asyncapi_document_and_the_program() {
    let document = read(&shared().join("asyncapi.json"));
    let (mut compiler, mut makers) = (Compiler::new(), boon::Schemas::new());
    let place = "https://asyncapi.example/3.0.0.json";
    compiler.add_resource(place, read(&server("asyncapi_schema"))).expect("their schema");
    let index = compiler.compile(place, &mut makers).unwrap_or_else(|bad| panic!("{bad:#}"));
    let fault = makers.validate(&document, index).err().map(|bad| bad.to_string());
    assert_eq!(fault, None);
    let refused = makers.validate(&json!({"asyncapi": "3.0.0"}), index).is_err();
    assert!(refused, "it refuses something");

    let schemas = Schemas::read();
    let channels = document["channels"].as_object().expect("channels");
    let mut documented = BTreeSet::new();
    for (key, channel) in channels {
        let operation = &document["operations"][key];
        let mqtt = &operation["bindings"]["mqtt"];
        let address = channel["address"].as_str().expect("an address");
        let below = address.strip_prefix(ROOT).expect("the root").trim_start_matches('/');
        let from = operation["action"] == "send";
        let retained = mqtt["retain"] == json!(true);
        documented.insert((below.to_owned(), from, mqtt["qos"].to_string(), retained));
        let (message, _) = channel["messages"].as_object().unwrap().iter().next().unwrap();
        let schema = &document["components"]["messages"][message]["payload"]["schema"]["$ref"];
        assert_eq!(schema, &json!(format!("schemas/{message}.json")));
        assert!(schemas.documents.contains_key(message), "{message}");
        let names = below.split('/').filter(|level| level.starts_with('{'));
        let parameters: BTreeSet<_> = names.map(|name| name.trim_matches(['{', '}'])).collect();
        let declared = channel["parameters"].as_object();
        let declared: BTreeSet<_> = declared.into_iter().flatten().map(|(key, _)| &**key).collect();
        assert_eq!(parameters, declared, "{key}");
    }
    let written: BTreeSet<_> = table("## Topics")
        .into_iter()
        .map(|row| {
            let [topic, from, qos, retained, _] = &row[..] else { panic!("{row:?}") };
            (topic.clone(), from.starts_with("gateway"), qos.clone(), retained.starts_with("yes"))
        })
        .collect();
    assert_eq!(written, documented);

    let name = |text| Name::new(text).expect("a name");
    let devices = Channel::ALL.map(|channel| Topic::Device {
        area: name("area"),
        device: name("device"),
        channel,
    });
    let stations =
        [StationChannel::Incident("incident"), StationChannel::Actions, StationChannel::Presence]
            .map(|channel| Topic::Station { station: name("station"), channel });
    for topic in devices.into_iter().chain(stations).chain([Topic::Clock, Topic::Chain]) {
        let mut text = String::new();
        topic.write("", &mut text).expect("room");
        let levels = text.trim_start_matches('/').split('/').enumerate().map(|(place, level)| {
            let named = ["area", "device", "station", "incident"].contains(&level) && place < 4;
            if named { format!("{{{level}}}") } else { level.to_owned() }
        });
        let written_so = levels.collect::<Vec<_>>().join("/");
        assert!(written.iter().any(|row| row.0 == written_so), "{written_so} is not documented");
    }
}

#[test]
fn the_tables_of_conditions_and_trust_are_the_programs() {
    let rows = table("## Conditions");
    let names: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(names, Condition::ALL.map(Condition::as_str), "in their order");
    for row in &rows {
        let condition: Condition = row[0].parse().expect("a condition");
        assert_eq!(row[3], condition.severity().as_str(), "{condition:?}");
        assert_eq!(row[4], condition.class().as_str(), "{condition:?}");
        let alarm = json!({"condition": row[0], "active": true}).to_string();
        let topic = format!("{ROOT}/a/d/alarm");
        let parsed = wire::parse(ROOT, topic.as_bytes(), alarm.as_bytes());
        let raises = matches!(parsed.message, Some(Message::Alarm { .. }));
        assert_eq!(if raises { "yes" } else { "no" }, row[5], "{condition:?}");
        let schemas = Schemas::read();
        let alarm = json!({"condition": row[0], "active": true});
        assert_eq!(schemas.fault("alarm", &alarm).is_none(), raises);
    }
    let trust: Vec<String> = table("### Trust").into_iter().map(|row| row[0].clone()).collect();
    let known = [
        Trust::OutOfService,
        Trust::NoWater,
        Trust::Stale,
        Trust::Low,
        Trust::Unconfirmed,
        Trust::Suspect,
        Trust::InUse,
        Trust::Ok,
    ];
    assert!(known.is_sorted(), "worst first");
    let known = known.map(|trust| serde_json::to_value(trust).expect("a name"));
    assert_eq!(json!(trust), json!(known));
}

#[test]
fn what_a_running_gateway_publishes_is_as_documented() {
    let schemas = Schemas::read();
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(4), town::devices(20, 20, 900));
    let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let terminal = Station::connect(broker.port, "+");
    terminal.present("t-1");
    let says = |device: &str, channel: &str, body: Value| {
        terminal.publish(&format!("{ROOT}/t-1/{device}/{channel}"), false, &body);
    };
    says("H-5", "telemetry", json!({"ts": now(), "pressure_kpa": 305.0}));
    says(
        "S-5",
        "alarm",
        json!({"ts": now(), "condition": "smoke", "active": true, "boot": 1, "seq": 1}),
    );
    says("H-6", "alarm", json!({"ts": now(), "condition": "tamper", "active": true}));
    let fire = terminal.wait("the fire", SOON, |shown| shown.body["class"] == "fire");
    terminal.wait("the upkeep", SOON, |shown| shown.body["class"] == "upkeep");
    terminal.act("t-1", &fire.incident, "acknowledge");
    terminal.wait("acknowledged", SOON, |shown| shown.body["state"] == "acknowledged");
    let shown = terminal.seen();
    assert!(shown.len() >= 3);
    for message in shown.iter().filter(|shown| !shown.body.is_null()) {
        schemas.hold("incident", &message.body);
    }
    let listed = gateway.get("incidents");
    for incident in listed["items"].as_array().expect("a list") {
        schemas.hold("incident", incident);
    }
}
