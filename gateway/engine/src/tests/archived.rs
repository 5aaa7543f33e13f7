//! What is over leaves the store once it is in the archive; what is not, stays.

use standpipe_rules::incidents::IncidentId;
use standpipe_shared::Class;
use standpipe_store::boards::URGENCIES;
use standpipe_store::expired::{Archived, KeptMessages};

use super::*;

const YEAR: Ms = 366 * 86_400_000;

/// When the first fire was closed.
const CLOSED: Ms = T0 + 600_000;

/// A detector's fire that was put out, and one that burns.
fn over_and_open() -> (Bench, IncidentId, IncidentId) {
    let mut bench = Bench::new(2);
    bench.says("a/S-1/alarm", r#"{"condition":"smoke","active":true}"#, T0 + 10, 1);
    bench.commit(T0 + 20);
    let over = bench.engine.world().book.open().next().unwrap().id;
    bench.says("a/S-1/alarm", r#"{"condition":"smoke","active":false}"#, T0 + 30, 2);
    bench.commit(CLOSED - 40_000);
    let (kind, by, note) = (ActionKind::Resolve, "Li".into(), "".into());
    let action = Action { incident: over, kind, by, note, seen: "".into() };
    let actor = Actor::admin("admin").into();
    let said = CLOSED - 30_000; // until it closes it can be taken back
    bench.engine.take(Input::Act { actor, action }.at(said), said);
    bench.commit(CLOSED);
    bench.says("b/S-2/alarm", r#"{"condition":"smoke","active":true}"#, CLOSED + 60, 3);
    bench.commit(CLOSED + 70);
    let fires = bench.engine.world().book.open();
    let open: Vec<_> = fires.filter(|open| open.class == Class::Fire).map(|open| open.id).collect();
    assert!(open.len() == 1 && open[0] != over, "{open:?}");
    (bench, over, open[0])
}

/// Every station's topic shows what it should.
fn show(bench: &mut Bench, now: Ms) {
    let reader = bench.reader();
    let owed: Vec<_> =
        (0..URGENCIES).flat_map(|urgency| reader.owed_boards((urgency, 0), 99).unwrap()).collect();
    for board in owed {
        for page_id in board.pages {
            bench.engine.take(Input::Delivered { page_id }.at(now), now);
        }
        let (station, incident, rev) = (board.station, board.incident, board.rev);
        bench.engine.take(Input::BoardSent { station, incident, rev }.at(now), now);
    }
    bench.commit(now);
}

#[test]
fn a_closed_incident_goes_with_all_that_is_about_it_once_it_is_archived() {
    let (mut bench, over, open) = over_and_open();
    let late = T0 + YEAR;
    let expired = bench.reader().expired_incidents(late, 9).unwrap();
    assert_eq!(expired, [], "its page is owed still");
    show(&mut bench, CLOSED + 80);
    assert_eq!(bench.reader().expired_incidents(CLOSED - 20, 9).unwrap(), [], "closed since");
    let expired = bench.reader().expired_incidents(late, 9).unwrap();
    assert_eq!(expired.iter().map(|expired| expired.row).collect::<Vec<_>>(), [over]);
    let line: serde_json::Value = serde_json::from_str(&expired[0].line).unwrap();
    assert_eq!(line["incident"]["id"], over.to_string());
    assert_eq!(line["incident"]["state"], "closed");
    let pages = line["pages"].as_array().unwrap();
    assert!(pages.iter().any(|page| page["receiver"] == "district"), "{line}");
    let trail = line["trail"].as_array().unwrap();
    assert!(trail.iter().any(|entry| entry["by"].as_str().unwrap().contains("Li")), "{line}");

    // The open one was named by mistake.
    let incidents = vec![over, open];
    bench.engine.take(
        Input::Archived(Box::new(Archived { incidents, quarantine: Vec::new() })).at(late),
        late,
    );
    bench.commit(late);
    for table in ["trail", "page", "board"] {
        let left = format!("SELECT COUNT(*) FROM {table} WHERE incident = '{over}'");
        assert_eq!(bench.count(&left), 0, "{table}");
        let kept = format!("SELECT COUNT(*) FROM {table} WHERE incident = '{open}'");
        assert!(bench.count(&kept) > 0, "{table}");
    }
    assert_eq!(bench.count(&format!("SELECT COUNT(*) FROM incident WHERE id = '{over}'")), 0);
    let orphans = "SELECT COUNT(*) FROM message WHERE n NOT IN (SELECT number FROM page)";
    assert_eq!(bench.count(orphans), 0);
    assert!(bench.engine.world().book.get(open).is_some());
    assert_eq!(bench.crashed(late).remembered(), bench.remembered());
}

#[test]
fn messages_that_were_not_understood_go_by_age_and_by_number() {
    let mut bench = Bench::new(1);
    for at in 1..=5 {
        bench.says("a/H-0/telemetry", "{not json", T0 + at, 0);
        bench.commit(T0 + at);
    }
    let expired = |bench: &Bench, since, most| {
        let rows = bench.reader().expired_messages(KeptMessages { since, most }, 9).unwrap();
        rows.into_iter().map(|row| row.row).collect::<Vec<_>>()
    };
    assert_eq!(expired(&bench, T0, 5), [0; 0]);
    assert_eq!(expired(&bench, T0 + 3, 5), [1, 2]);
    assert_eq!(expired(&bench, T0, 3), [1, 2]);
    // One that came while the clock was behind takes no younger one along.
    bench.says("a/H-0/telemetry", "{not json", T0 - YEAR, 0);
    bench.commit(T0 + 6);
    assert_eq!(expired(&bench, T0, 9), [6]);
    let archived = Archived { incidents: Vec::new(), quarantine: vec![1, 2] };
    bench.engine.take(Input::Archived(Box::new(archived)).at(T0 + 9), T0 + 9);
    bench.commit(T0 + 9);
    assert_eq!(bench.count("SELECT MIN(n) FROM quarantine"), 3);
    assert_eq!(bench.count("SELECT COUNT(*) FROM quarantine"), 4);
}
