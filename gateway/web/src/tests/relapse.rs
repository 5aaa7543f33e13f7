//! What a report and a device's page call a relapse, and what they don't.

use serde_json::{Value, json};
use standpipe_machine::clock::Clock;
use standpipe_store::accounts::Role;

use super::console::{Browser, town};
use super::{Served, incident_wire};

const WATER: &str = "01KAV0000000000000000000W1";

/// Water that is missing now, in its second episode.
fn missing(api: &Served) {
    let now = Clock::new().now();
    api.incident(WATER, now, "water", "critical", "open");
    let mut wire = incident_wire();
    for gone in ["closed_at", "outcome", "parent", "reason"] {
        wire.as_object_mut().unwrap().remove(gone);
    }
    let device = json!({"id":"H-1","kind":"hydrant","name":"n","address":"a","lat":1.0,"lon":2.0});
    for (key, value) in [
        ("id", json!(WATER)),
        ("state", json!("open")),
        ("class", json!("water")),
        ("severity", json!("critical")),
        ("conditions", json!(["no_water"])),
        ("episode", json!(2)),
        ("opened_at", json!(now)),
        ("device", device),
    ] {
        wire[key] = value;
    }
    let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
    api.db.execute(sql, (wire.to_string(), WATER)).unwrap();
}

#[tokio::test]
#[rustfmt::skip] // a table
async fn a_relapse_is_what_failed_again_after_a_repair() {
    // As 0.1.0 wrote it, and by its code, whatever its words are.
    for (sql, code) in [
        ("INSERT INTO trail (incident, at, hop, by, detail) VALUES (?1, 1, ?2, '', ?3)", false),
        ("INSERT INTO trail (incident, at, hop, by, code, detail) VALUES (?1, 1, ?2, '', ?3, '⟦⟧')", true),
        ("INSERT INTO trail (incident, at, hop, by, code, detail) VALUES (?1, 1, ?2, '', ?3, 'unverified')", true),
    ] {
    for (story, hops, relapsed) in [
        ("first low, then dry",              &[("raised", "low"), ("reopened", "no_water")][..],                false),
        ("work took longer",                 &[("reopened", "no longer muted")],                               false),
        ("silence broke the evidence",       &[("verifying", ""), ("reopened", "unverified")],                 false),
        ("it came back by itself, and went", &[("verifying", ""), ("reopened", "no_water")],                   true),
        ("said to be repaired",              &[("resolved", "done"), ("reopened", "raised again")],            true),
        ("first worse, then repaired",       &[("reopened", "no_water"), ("verifying", "")],                   false),
        ("and then again",                   &[("reopened", "no_water"), ("verifying", ""), ("reopened", "no_water")], true),
    ] {
        let api = town().await;
        missing(&api);
        for (hop, detail) in hops {
            let says = match *detail {
                "unverified" if code => "unverified",
                _ if code => "condition",
                words => words,
            };
            api.db.execute(sql, (WATER, hop, says)).unwrap();
        }
        let admin = Browser::of(&api, "root", Role::Admin, None).await;
        let page = admin.text("/devices/H-1").await;
        assert_eq!(page.contains("Relapsed"), relapsed, "{story}");
        assert_eq!(page.contains("Not repaired"), !relapsed, "{story}");
        let report: Value =
            serde_json::from_str(&admin.text("/api/v1/reports/monthly").await).unwrap();
        assert_eq!(report["this"]["relapsed"], u32::from(relapsed), "{story}: {report}");
    }
    }
}
