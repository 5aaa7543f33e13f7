//! The document is one that a generator of clients can use, and says what is really answered:
//! every answer here is held against it, member by member.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};
use standpipe_machine::clock::Clock;
use standpipe_words::day::{Day, Hour};

use super::bundles::BUNDLE;
use super::{NOON, Served};

/// The document, and the API it is about.
struct Documented<'a> {
    api: &'a Served,
    document: Value,
}

/// What may not be so, each with its place.
type Faults = Vec<String>;

impl Documented<'_> {
    /// What a `$ref` means, to its end.
    fn meant<'v>(&'v self, mut schema: &'v Value) -> &'v Value {
        while let Some(to) = schema.get("$ref").and_then(Value::as_str) {
            let found = self.document.pointer(to.trim_start_matches('#'));
            schema = found.unwrap_or_else(|| panic!("{to} leads nowhere"));
        }
        schema
    }

    /// Holds a value against a schema. What is not documented is a fault, too.
    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Faults) {
        self.check_part(schema, value, at, faults);
        let schema = self.meant(schema);
        if let (Some(known), Some(members)) = (self.members(schema), value.as_object()) {
            let strange = members.keys().filter(|name| !known.contains(name.as_str()));
            faults.extend(strange.map(|name| format!("{at}.{name} is not documented")));
        }
    }

    /// The same of what may be only a part of it.
    fn check_part(&self, schema: &Value, value: &Value, at: &str, faults: &mut Faults) {
        let schema = self.meant(schema);
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check_part(part, value, at, faults);
        }
        if let Some(choices) = schema.get("oneOf").or(schema.get("anyOf")) {
            let fits = |choice: &Value| {
                let mut faults = Faults::new();
                self.check(choice, value, at, &mut faults);
                faults.is_empty()
            };
            if !choices.as_array().expect("choices").iter().any(fits) {
                faults.push(format!("{at}: {value} is none of {choices}"));
            }
        }
        if let Some(names) = schema.get("enum").and_then(Value::as_array)
            && !names.contains(value)
        {
            faults.push(format!("{at}: {value} is none of {names:?}"));
        }
        let types = match schema.get("type") {
            Some(Value::Array(types)) => types.iter().collect(),
            Some(one) => vec![one],
            None => vec![],
        };
        if !types.is_empty() && !types.iter().any(|kind| is(value, kind.as_str().expect("a name")))
        {
            faults.push(format!("{at}: {value} is no {types:?}"));
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if value.as_object().is_some_and(|object| !object.contains_key(name)) {
                faults.push(format!("{at}: no {name}"));
            }
        }
        let members = schema.get("properties").and_then(Value::as_object);
        for (name, part) in members.into_iter().flatten() {
            if let Some(member) = value.get(name) {
                self.check(part, member, &format!("{at}.{name}"), faults);
            }
        }
        if let (Some(part), Some(items)) = (schema.get("items"), value.as_array()) {
            for (n, item) in items.iter().enumerate() {
                self.check(part, item, &format!("{at}[{n}]"), faults);
            }
        }
    }

    /// The names of its members, all of them; `None`: there may be others.
    fn members(&self, schema: &Value) -> Option<BTreeSet<String>> {
        if schema.get("additionalProperties").is_some() {
            return None;
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let parts: Option<Vec<_>> =
                parts.iter().map(|part| self.members(self.meant(part))).collect();
            return parts.map(|names| names.into_iter().flatten().collect());
        }
        let own = schema.get("properties").and_then(Value::as_object)?;
        Some(own.keys().cloned().collect())
    }

    /// The schema of what an operation answers, by status and type; panics where there is none.
    fn answer(&self, (method, path): (&str, &str), status: u16, kind: &str) -> Option<&Value> {
        let pointer = format!("/paths/{}/{method}/responses", path.replace('/', "~1"));
        let answers = self.document.pointer(&pointer).unwrap_or_else(|| panic!("no {pointer}"));
        let answer = answers.get(status.to_string());
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no {status} in {answers}"));
        let content = self.meant(answer).get("content");
        let content = content.unwrap_or_else(|| panic!("{method} {path}: {status} has no type"));
        let kinds: Vec<&String> = content.as_object().expect("types").keys().collect();
        let of = content.get(kind);
        let of = of.unwrap_or_else(|| panic!("{method} {path}: {status} is {kind}, not {kinds:?}"));
        of.get("schema")
    }

    /// Asks, and holds the answer against what the document says of `path`.
    async fn ask(
        &self,
        (method, path): (&str, &str),
        url: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut ask = self.api.ask(&method.to_uppercase(), url);
        if let Some(body) = body {
            ask = ask.header("content-type", "application/json").body(body.to_string());
        }
        let answer = ask.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().expect("a type").to_owned();
        let kind = kind.split(';').next().expect("a type").to_owned();
        let schema = self.answer((method, path), status, &kind);
        if !kind.ends_with("json") {
            return (status, Value::Null); // text, or a stream that never ends
        }
        let value: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        let mut faults = Faults::new();
        self.check(schema.expect("a schema"), &value, "", &mut faults);
        assert!(faults.is_empty(), "{method} {url}: {faults:#?} in {value:#}");
        (status, value)
    }

    /// Every operation: method, path, and what is said of it.
    fn operations(&self) -> Vec<(&str, &str, &Map<String, Value>)> {
        let paths = self.document["paths"].as_object().expect("paths");
        let mut all = Vec::new();
        for (path, item) in paths {
            for (method, operation) in item.as_object().expect("methods") {
                all.push((&**method, &**path, operation.as_object().expect("an operation")));
            }
        }
        all
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("no such type: {kind}"),
    }
}

async fn documented(api: &Served) -> Documented<'_> {
    Documented { api, document: api.get("/api/openapi.json").await }
}

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_operation_has_a_name_and_every_reference_an_end() {
    let api = Served::start(None).await;
    let of = documented(&api).await;
    let operations = of.operations();
    let names: BTreeSet<&str> = operations
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), operations.len(), "each its own: {names:?}");
    assert!(names.len() > 30, "{names:?}");
    let moment = &of.document["components"]["schemas"]["Announcement"]["properties"]["from"];
    assert_eq!((&moment["type"], &moment["format"]), (&json!("integer"), &json!("int64")));
    let mut found = Vec::new();
    references(&of.document, &mut found);
    for to in found {
        assert!(of.document.pointer(to.trim_start_matches('#')).is_some(), "{to} leads nowhere");
    }
    for (method, path, operation) in operations {
        let declared = |name: &str| {
            let parameters = operation.get("parameters").and_then(Value::as_array);
            let all = parameters.into_iter().flatten();
            all.filter(|parameter| parameter["in"] == "path")
                .any(|parameter| parameter["name"] == name)
        };
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            assert!(declared(part.trim_end_matches('}')), "{method} {path}: {part}");
        }
        let answers = operation["responses"].as_object().expect("answers");
        for (status, answer) in answers {
            let described = answer.get("description").or(answer.get("$ref")).is_some();
            assert!(described, "{method} {path}: {status} has no description");
        }
        if path.starts_with("/api/v1/") {
            for status in ["401", "403", "503", "default"] {
                assert!(answers.contains_key(status), "{method} {path}: {status}");
            }
            let body = operation.contains_key("requestBody");
            assert_eq!(answers.contains_key("415"), body, "{method} {path}");
            assert_eq!(answers.contains_key("413"), body, "{method} {path}");
        }
    }
    assert_eq!(of.document["components"]["securitySchemes"]["session"]["in"], "cookie");
}

/// A town in which something of everything happened; the incident, and the command.
async fn busy(api: &Served) -> (String, String) {
    api.db.busy_timeout(Duration::from_secs(5)).unwrap();
    let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload) VALUES (?1, 't', 'r', 'd', x'00')";
    api.db.execute(sql, [NOON]).unwrap();
    let now = Clock::new().now();
    let reading = json!({"boot":3,"seq":1,"ts":now - 1_000,"pressure_kpa":312.3,"temp_c":14.2,
        "flowing":false,"battery_mv":3580});
    api.says("a/H-1/telemetry", &reading);
    api.says(
        "a/SM-1/alarm",
        &json!({"boot":1,"seq":1,"condition":"smoke","active":true,"smoke_db_m":0.31}),
    );
    api.says("b/SM-9/alarm", &json!({"condition":"tamper","active":true}));
    api.says("a/SM-1/telemetry", &json!({"boot":1,"seq":2,"dirt_pct":85}));
    let wait = async {
        loop {
            let list = api.get("/api/v1/incidents?severity=fire").await;
            let notice = api.get("/api/v1/incidents?severity=notice").await;
            let all = list["total"] == 1 && notice["total"] == 1;
            if all && api.get("/api/v1/devices").await["total"] == 3 {
                return list["items"][0]["id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let fire = tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap();
    let commands = "/api/v1/devices/H-1/commands";
    let (_, command) = api.send("POST", commands, &json!({"command":"report_now"})).await;
    (fire, command["id"].as_str().unwrap().to_owned())
}

/// The day whose digest a notice of this moment comes into: tomorrow's once today's is made.
fn growing_digest(api: &Served) -> Day {
    let at = standpipe_config::DigestConfig::default().at.unwrap();
    let hour = Hour { at, zone: api.another().town.zone };
    let now = Clock::new().now();
    let today = hour.today(now);
    if hour.on(today) <= now { today.after() } else { today }
}

#[tokio::test]
async fn what_is_read_is_what_is_documented() {
    let api = Served::alive().await;
    let of = documented(&api).await;
    let (fire, command) = busy(&api).await;
    let work = json!({"what":"maintenance","zone":"Z1","conditions":["no_water"],
        "until":Clock::new().now() + 3_600_000});
    assert_eq!(api.send("POST", "/api/v1/maintenance", &work).await.0, 201);
    super::bundles::carries(&api, &[&fire]);
    let mut asked = 0;
    for (method, path, operation) in of.operations() {
        if method != "get" {
            continue;
        }
        let id = match path.split('/').nth(3) {
            Some("incidents") => &fire,
            Some("bundles") => BUNDLE,
            Some("stations") => "S1",
            _ => "H-1",
        };
        let url = path.replace("{id}", id).replace("{command}", &command);
        let mut url = url.replace("{name}", "municipal");
        if path == "/api/v1/digest" {
            write!(url, "?day={}", growing_digest(&api)).unwrap();
        }
        let (status, value) = of.ask((method, path), &url, None).await;
        let expected = if path == "/readyz" { 503 } else { 200 };
        assert_eq!(status, expected, "{path}");
        if let Some(items) = value.get("items").and_then(Value::as_array) {
            assert!(!items.is_empty(), "{path}: nothing to look at");
        }
        asked += 1;
        if path.contains('{') {
            let nothing = ["{id}", "{name}", "{command}"]
                .iter()
                .fold(path.to_owned(), |path, name| path.replace(name, "nothing"));
            assert_eq!(of.ask((method, path), &nothing, None).await.0, 404, "{path}");
        }
        let takes = operation.get("parameters").is_some();
        if takes && path.starts_with("/api/v1/") {
            let and = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{and}colour=red");
            assert_eq!(of.ask((method, path), &url, None).await.0, 400);
        }
    }
    assert!(asked > 15, "{asked}");
    for device in ["SM-1", "SM-9"] {
        let url = format!("/api/v1/devices/{device}");
        assert_eq!(of.ask(("get", "/api/v1/devices/{id}"), &url, None).await.0, 200);
    }
    let closed = Served::start(Some("s3cret")).await;
    let (of, list) = (documented(&closed).await, "/api/v1/devices");
    assert_eq!(of.ask(("get", list), list, None).await.0, 401);
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn what_is_answered_to_a_change_is_what_is_documented() {
    let api = Served::alive().await;
    let of = documented(&api).await;
    let (fire, _) = busy(&api).await;
    let until = Clock::new().now() + 3_600_000;
    let work = json!({"what":"maintenance","device":"H-1","conditions":["no_water"],"until":until});
    let hydrant = json!({"kind":"hydrant","name":"n","station":"S1","lat":29.4,"lon":106.5});
    let (act, device) = (format!("/api/v1/incidents/{fire}/actions"), "/api/v1/devices/{id}");
    let (settings, profile) = ("/api/v1/devices/{id}/settings", "/api/v1/profiles/{name}/settings");
    let (commands, actions) = ("/api/v1/devices/{id}/commands", "/api/v1/incidents/{id}/actions");
    let (bundles, all) =
        ("/api/v1/bundles/{id}/actions", format!("/api/v1/bundles/{BUNDLE}/actions"));
    super::bundles::carries(&api, &[&fire]);
    for (method, path, url, body, status) in [
        ("put",    device,   "/api/v1/devices/H-7",              Some(hydrant.clone()), 201),
        ("put",    device,   "/api/v1/devices/H-7",              Some(hydrant), 200),
        ("put",    device,   "/api/v1/devices/H-7",              Some(json!({"kind":"dog"})), 400),
        ("put",    settings, "/api/v1/devices/H-1/settings",     Some(json!({"interval_s":60})), 200),
        ("put",    settings, "/api/v1/devices/H-1/settings",     Some(json!({"interval_s":1})), 400),
        ("delete", settings, "/api/v1/devices/H-1/settings",     None, 200),
        ("put",    profile,  "/api/v1/profiles/municipal/settings", Some(json!({"low_kpa":150})), 200),
        ("delete", profile,  "/api/v1/profiles/municipal/settings", None, 200),
        ("post",   commands, "/api/v1/devices/H-1/commands",     Some(json!({"command":"restart"})), 202),
        ("post",   commands, "/api/v1/devices/H-9/commands",     Some(json!({"command":"restart"})), 404),
        ("post",   actions,  &act,                               Some(json!({"action":"acknowledge"})), 200),
        ("post",   actions,  &act,                               Some(json!({"action":"acknowledge"})), 409),
        ("post",   bundles,  &all,                               Some(json!({"action":"acknowledge"})), 200),
        ("post",   bundles,  &all,                               Some(json!({"action":"arrive"})), 400),
        ("post",   "/api/v1/maintenance", "/api/v1/maintenance", Some(work), 201),
        ("post",   "/api/v1/maintenance", "/api/v1/maintenance", Some(json!({"what":"walk_test","device":"H-9","until":until})), 400),
        ("post",   "/api/v1/exercises", "/api/v1/exercises",     Some(json!({"device":"H-1"})), 400),
        ("delete", "/api/v1/maintenance/{id}", "/api/v1/maintenance/x", None, 404),
        ("delete", "/api/v1/maintenance", "/api/v1/maintenance?id=x", None, 404),
        ("delete", "/api/v1/maintenance", "/api/v1/maintenance", None, 400),
    ] {
        let (answered, value) = of.ask((method, path), url, body.as_ref()).await;
        assert_eq!(answered, status, "{method} {url}: {value:#}");
    }
    let form = api.ask("POST", &act).body("action=resolve").send().await.unwrap();
    assert_eq!(form.status().as_u16(), 415);
    assert!(of.answer(("post", actions), 415, "application/problem+json").is_some());
}
