//! Every sentence that the gateway keeps is changed into another one, and nothing else: pages, the
//! API, CAP, the digest, the report and the audit log say the same, in those other words, with the
//! same links, classes and decisions.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use standpipe_machine::clock::Clock;
use standpipe_rules::changes::{Hop, Receiver, TrailEntry};
use standpipe_rules::incidents::{IncidentId, Outcome};
use standpipe_rules::trail::TrailCode;
use standpipe_shared::Condition;
use standpipe_store::accounts::{AuditCode, Role};
use standpipe_store::files::Database;

use super::Served;
use super::console::Browser;

/// Sentences, and what each was changed into.
type Words = BTreeMap<String, String>;

/// What was changed.
#[derive(Debug, Default)]
struct Changed {
    /// Titles and notes of incidents, which pages show as they are.
    titles: Words,
    /// Details of the trail and the audit log, which are for people who read these.
    details: Words,
}

/// Lines of every code, as the rules write them.
fn lines(incident: IncidentId) -> Vec<TrailEntry> {
    let condition = Condition::Tamper;
    let to = || Receiver::Station("S1".into());
    let page = |why: &str| TrailCode::Page { step: 2, repeat: 1, to: to(), why: why.into() };
    let lines = [
        (Hop::Raised, "gateway", TrailCode::Condition { condition }),
        (Hop::Raised, "gateway", TrailCode::Flapping { condition, times: 17, within_s: 300 }),
        (Hop::Raised, "gateway", TrailCode::Fault { condition, detail: "line 3".into() }),
        (Hop::Paged, "gateway", page("")),
        (Hop::Delivered, "station S1", page("")),
        (Hop::GivenUp, "station S1", page("HTTP 404")),
        (Hop::Attached, "gateway", TrailCode::PartOf { incident }),
        (Hop::Attached, "gateway", TrailCode::StandsAlone),
        (Hop::Commented, "li", TrailCode::Exercise { note: "autumn".into() }),
        (Hop::Forgotten, "gateway", TrailCode::Forgotten),
        (Hop::Unconfirmed, "gateway", TrailCode::Unconfirmed { within_s: 10 }),
        (Hop::Verifying, "gateway", TrailCode::Text),
        (Hop::Reopened, "gateway", TrailCode::Unverified),
        (Hop::Reopened, "gateway", TrailCode::NoLongerMuted),
        (Hop::Reopened, "gateway", TrailCode::RaisedAgain),
        (Hop::Reopened, "gateway", TrailCode::TestGoesOn),
        (Hop::Reopened, "gateway", TrailCode::OpenAfterFire),
        (Hop::Reopened, "gateway", TrailCode::OutlastsParent),
        (Hop::Closed, "gateway", TrailCode::Outcome { outcome: Outcome::FalseAlarm }),
    ];
    let at = Clock::new().now();
    lines.map(|(hop, by, code)| TrailEntry::new(incident, (at, hop), by, code)).into()
}

fn keep(api: &Served, line: &TrailEntry) {
    let (code, parts) = line.code.columns().unwrap();
    let sql = "INSERT INTO trail (incident, at, hop, by, detail, actor, code, parts)
               VALUES (?1, ?2, ?3, ?4, ?5, '', ?6, ?7)";
    let (id, hop) = (line.incident.to_string(), line.hop.as_str());
    api.db.execute(sql, (id, line.at, hop, &line.by, &line.detail, code, parts)).unwrap();
}

/// A fire, notices, an alarm that can't be read; lines of every code; an audit log.
async fn busy(api: &Served) -> Vec<String> {
    api.db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let smoke = json!({"boot":1,"seq":1,"condition":"smoke","active":true,"smoke_db_m":0.31});
    api.says("a/SM-1/alarm", &smoke);
    api.says("b/SM-9/alarm", &json!({"condition":"tamper","active":true}));
    api.says("a/SM-1/telemetry", &json!({"boot":1,"seq":2,"dirt_pct":85}));
    api.says("a/H-1/alarm", &json!("ON"));
    let wait = async {
        loop {
            let list = api.get_as_admin("/api/v1/incidents").await;
            if list["total"] == 4 {
                let items = list["items"].as_array().unwrap();
                return items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let wait = tokio::time::timeout(std::time::Duration::from_secs(10), wait);
    let ids: Vec<String> = wait.await.unwrap();
    for line in lines(ids[0].parse().unwrap()) {
        keep(api, &line);
    }
    // Silence broke the evidence: no relapse, however it is worded.
    let (id, at) = (ids[1].parse().unwrap(), Clock::new().now());
    keep(api, &TrailEntry::new(id, (at, Hop::Verifying), "gateway", TrailCode::Text));
    keep(api, &TrailEntry::new(id, (at, Hop::Reopened), "gateway", TrailCode::Unverified));
    let [name, id, role, station] = ["wu", "", "officer", "S1"].map(Box::from);
    let account = AuditCode::Account { name, id, role, station };
    for (what, code) in [
        ("sign_in_failed", AuditCode::InARow { times: 3 }),
        ("password_changed", AuditCode::Own),
        ("account_added", AuditCode::FirstAdmin),
        ("account_add", account),
    ] {
        let kept = api.parts.accounts.with(move |book| book.audit_as(at, "li", what, &code));
        kept.await.unwrap();
    }
    ids
}

fn other(sentence: &str, words: &mut Words) -> String {
    let number = words.len();
    words.entry(sentence.to_owned()).or_insert_with(|| format!("⟦no prove {number}⟧")).clone()
}

/// Changes the sentences within an incident.
fn reword(wire: &mut Value, words: &mut Words) {
    for path in ["/title/en", "/title/zh", "/hydrants_note/en", "/hydrants_note/zh", "/detail"] {
        if let Some(Value::String(text)) = wire.pointer_mut(path) {
            *text = other(text, words);
        }
    }
}

/// Changes every sentence in the store and in the audit log.
fn change_all(api: &Served) -> Changed {
    let mut changed = Changed::default();
    let mut all = api.db.prepare("SELECT id, wire FROM incident").unwrap();
    let rows = all.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    for (id, wire) in rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap() {
        let mut wire: Value = serde_json::from_str(&wire).unwrap();
        reword(&mut wire, &mut changed.titles);
        let sql = "UPDATE incident SET wire = ?2 WHERE id = ?1";
        api.db.execute(sql, (id, wire.to_string())).unwrap();
    }
    let accounts = Database::Accounts.place(&api.parts.path);
    let accounts = rusqlite::Connection::open(accounts).unwrap();
    accounts.execute_batch("DROP TRIGGER audit_stays_as_it_is").unwrap();
    for (db, table, key) in [(&api.db, "trail", "n"), (&accounts, "audit", "n")] {
        // What somebody wrote is no sentence of ours.
        let sql = format!("SELECT {key}, detail FROM {table} WHERE code NOT IN ('', 'text')");
        let mut all = db.prepare(&sql).unwrap();
        let rows = all.query_map((), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
        for (n, detail) in rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap() {
            let sql = format!("UPDATE {table} SET detail = ?2 WHERE {key} = ?1");
            db.execute(&sql, (n, other(&detail, &mut changed.details))).unwrap();
        }
    }
    changed
}

/// A text without its moments, which go on.
fn timeless(text: &str) -> String {
    let mut parts = text.split("<time");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once("</time>").map_or(part, |(_, rest)| rest));
    }
    let Some((head, rest)) = out.split_once("data-now=\"") else { return out };
    format!("{head}{}", rest.split_once('"').map_or(rest, |(_, rest)| rest))
}

/// An answer as it has to be in the other words.
fn reworded(text: &str, changed: &Changed) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        let words = changed.titles.iter();
        return timeless(&words.fold(text.to_owned(), |text, (from, to)| text.replace(from, to)));
    };
    walk(&mut value, changed);
    value.to_string()
}

fn walk(value: &mut Value, changed: &Changed) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|item| walk(item, changed)),
        Value::Object(members) => {
            members.remove("made_at");
            members.remove("to"); // of a digest whose day is not over: now
            for (key, value) in members {
                let words = match &**key {
                    "en" | "zh" => &changed.titles,
                    "detail" => &changed.details,
                    _ => {
                        walk(value, changed);
                        continue;
                    }
                };
                if let Some(other) = value.as_str().and_then(|text| words.get(text)) {
                    *value = other.as_str().into();
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_sentence_may_be_another_one_and_nothing_else_changes() {
    let api = Served::alive_for(Some("s3cret")).await;
    let ids = busy(&api).await;
    let admin = Browser::of(&api, "li", Role::Admin, None).await;
    let mut paths: Vec<String> = [
        "/",
        "/board",
        "/takeover",
        "/devices/SM-1/now",
        "/devices/H-1/now",
        "/digest",
        "/audit",
        "/api/v1/incidents",
        "/api/v1/digest",
        "/api/v1/reports/monthly",
    ]
    .map(str::to_owned)
    .into();
    for id in &ids {
        paths.extend(["", "/now", "/cap"].map(|part| format!("/incidents/{id}{part}")));
        paths.push(format!("/api/v1/incidents/{id}"));
    }
    let mut before = BTreeMap::new();
    for (path, language) in paths.iter().flat_map(|path| [(path, "en"), (path, "zh")]) {
        let answer = admin.get_in(language, path).await;
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        before.insert((path, language), answer.text().await.unwrap());
    }
    let changed = change_all(&api);
    assert!(changed.titles.len() > 8 && changed.details.len() > 20, "{changed:?}");
    let mut shown = 0;
    for ((path, language), before) in &before {
        let after = admin.get_in(language, path).await.text().await.unwrap();
        let expected = reworded(before, &changed);
        let found = reworded(&after, &Changed::default());
        assert!(expected == found, "{path} in {language}:\n{expected}\n---\n{found}");
        shown += usize::from(after.contains('⟦'));
    }
    assert!(shown > 20, "the other words are what is shown: {shown}");
    // What can be done, and what can't.
    let act = format!("/incidents/{}/act", ids[1]);
    assert_eq!(admin.sends(&act, "action=acknowledge").await, 303);
    assert_ne!(admin.sends(&act, "action=acknowledge").await, 303, "it is taken");
}
