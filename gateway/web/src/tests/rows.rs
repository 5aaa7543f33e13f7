//! However much there is, a page of the console lists no more than its rows, and says that there is more.

use std::collections::BTreeSet;

use serde_json::json;
use standpipe_store::accounts::Role;

use super::console::{Browser, town};
use super::{NOON, open_incident_wire};

/// The ids that a page links to.
fn linked<'a>(page: &'a str, to: &str) -> BTreeSet<&'a str> {
    let start = format!("href=\"{to}");
    let ids = page.split(&start).skip(1).filter_map(|rest| rest.split(['"', '?', '/']).next());
    ids.filter(|id| !id.is_empty()).collect()
}

#[tokio::test]
async fn a_page_lists_no_more_than_its_rows() {
    let api = town().await;
    let admin = Browser::of(&api, "root", Role::Admin, None).await;
    for n in 1..=260 {
        let id = format!("{n:026}");
        api.incident(&id, NOON + n, "upkeep", "warning", "open");
        let mut wire = open_incident_wire();
        wire["id"] = json!(id);
        let sql = "UPDATE incident SET wire = ?1 WHERE id = ?2";
        api.db.execute(sql, (wire.to_string(), &id)).unwrap();
        let ix = u32::try_from(n).unwrap() + 100;
        api.device(ix, &format!("H-{ix}"), "hydrant", "School Rd", "Z1");
        let sql = "INSERT INTO quarantine (at, topic, reason, detail, payload, device)
                   VALUES (?1, ?2, 'not_json', 'not understood: send it', x'', '')";
        api.db.execute(sql, (NOON + n, format!("topic-{n}"))).unwrap();
    }
    let board = admin.text("/board").await;
    assert_eq!(linked(&board, "/incidents/").len(), 200, "{board}");
    assert!(board.contains("more, of lesser severity, are not shown"), "{board}");
    let devices = admin.text("/devices").await;
    assert_eq!(linked(&devices, "/devices/").len(), 50, "{devices}");
    let labels = admin.text("/labels").await;
    assert_eq!(labels.matches("<svg").count(), 24, "{labels}");
    let quarantine = admin.text("/quarantine").await;
    assert_eq!(quarantine.matches("topic-").count(), 50, "{quarantine}");
    let program = admin.text("/api/v1/devices").await;
    assert_eq!(program.matches("\"id\":\"H-").count(), 100, "{program}");
}
