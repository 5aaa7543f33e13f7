//! What is owed, as its senders read it: in which order, in which words, and at what cost.

mod bundles;

use std::collections::BTreeSet;

use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::{IncidentId, ReceiverRole, Route};
use standpipe_store::boards::URGENCIES;
use standpipe_store::reader::{OwedBoard, OwedPage, PageMessage};

use super::*;

const SMOKE: &str = r#"{"condition":"smoke","active":true}"#;

/// A town whose officer has a webhook.
fn town() -> Bench {
    town_with(&[])
}

/// The same, where detectors are registered: their numbers, and their stations.
fn town_with(detectors: &[(u32, &str)]) -> Bench {
    let mut plan = Plan::default();
    plan.webhooks.push(Route {
        name: "w".into(),
        station: None,
        role: ReceiverRole::Officer,
        severities: Vec::new(),
        steps: vec![1, 2, 3],
    });
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("standpipe.db")).unwrap();
    let mut stations = vec![
        station("district", Level::District, None),
        station("town", Level::Township, Some("district")),
    ];
    let others: BTreeSet<&str> =
        detectors.iter().map(|(_, of)| *of).filter(|of| *of != "town").collect();
    stations.extend(others.into_iter().map(|id| station(id, Level::Township, Some("district"))));
    let detectors = detectors.iter().map(|(n, of)| Device {
        id: format!("SD-{n}").into(),
        kind: Kind::Smoke,
        station: (*of).into(),
        profile: "smoke_home".into(),
        ..device(*n)
    });
    store.import(&stations, &detectors.collect::<Vec<_>>()).unwrap();
    let loaded = store.load(plan, [], IdSecret::new([7; 32])).unwrap();
    let mut engine = Engine::new(store, loaded, &Sources::urgent_and_bulk(), T0);
    for source in [ALARM, TELEMETRY] {
        engine.take(Input::Source { source, up: true }.at(T0), T0);
    }
    Bench { folder, engine }
}

impl Bench {
    fn owed(&self) -> Vec<OwedPage> {
        let reader = self.reader();
        let all = Urgency::ALL.map(|urgency| reader.owed_to_webhook("w", (urgency, 0), 1_000));
        all.into_iter().flat_map(Result::unwrap).collect()
    }

    fn boards(&self) -> Vec<OwedBoard> {
        let reader = self.reader();
        let of = |urgency| reader.owed_boards((urgency, 0), 100).unwrap();
        (0..URGENCIES).flat_map(of).collect()
    }

    fn fires(&mut self, numbers: std::ops::Range<u32>, at: Ms) {
        for n in numbers {
            self.says(&format!("town/SD-{n}/alarm"), SMOKE, at, 1);
        }
        self.until_done(at);
    }

    /// Commits slice by slice until nothing is due at that time.
    fn until_done(&mut self, at: Ms) {
        self.commit(at);
        while self.engine.world().next_wake().is_some_and(|wake| wake <= at) {
            self.commit(at);
        }
    }

    fn acknowledge(&mut self, incident: IncidentId, at: Ms) {
        self.acts(incident, ActionKind::Acknowledge, "", at);
    }

    fn acts(&mut self, incident: IncidentId, kind: ActionKind, note: &str, at: Ms) {
        let action = Action { incident, kind, by: "Li".into(), note: note.into(), seen: "".into() };
        let (reply, mut answer) = oneshot::channel();
        let actor = Actor::admin("admin");
        self.engine.take(Input::Act { actor: actor.into(), action }.asked(reply), at);
        self.commit(at);
        assert_eq!(answer.try_recv(), Ok(EntryOutcome::Acted(Ok(()))));
    }

    fn plan_of(&self, sql: &str) -> String {
        let rows: Result<Vec<String>, _> =
            self.reader().query(&format!("EXPLAIN QUERY PLAN {sql}"), (), |row| row.get(3));
        rows.unwrap().join("; ")
    }
}

#[test]
fn a_receiver_that_was_away_owes_each_fire_once_and_a_new_one_comes_first() {
    let mut bench = town();
    bench.fires(0..3, T0 + 1_000);
    for minute in 1..=70 {
        bench.until_done(T0 + 1_000 + minute * 300_000);
    }
    let owed = bench.owed();
    assert_eq!(owed.len(), 3, "the newest of each stands for 14 repetitions and more");
    assert!(owed.iter().all(|page| page.repeat > 60), "{owed:?}");
    bench.fires(3..4, T0 + 22_000_000);
    let owed = bench.owed();
    assert_eq!(owed[0].urgency, Urgency::NewFire);
    assert_eq!(bench.boards()[0].incident, owed[0].incident);
    let superseded =
        bench.count("SELECT count(*) FROM trail WHERE hop = 'superseded' AND by = 'webhook w'");
    let paged = bench.count("SELECT count(*) FROM page WHERE receiver = 'w'");
    assert_eq!(superseded, paged - 4, "neither lost nor owed");
    assert_eq!(bench.count("SELECT count(*) FROM message"), 4, "what nobody is owed is not kept");
    let again = bench.crashed(T0 + 22_000_001);
    assert_eq!(again.owed(), owed);
}

#[test]
fn the_first_fire_of_a_station_waits_behind_no_other_station() {
    let mut bench = town_with(&[
        (0, "town"),
        (1, "town"),
        (2, "town"),
        (3, "town"),
        (4, "town"),
        (8, "river"),
        (9, "river"),
    ]);
    // Nobody is there: each fire goes to its own station, to the other one, and to the district.
    bench.fires(0..5, T0 + 1_000);
    bench.says("river/SD-9/alarm", SMOKE, T0 + 2_000, 1);
    bench.says("river/SD-8/alarm", SMOKE, T0 + 2_000, 1);
    bench.until_done(T0 + 2_000);
    let device = |board: &OwedBoard| {
        let incident: serde_json::Value = serde_json::from_str(&board.wire).unwrap();
        incident["device"]["id"].as_str().unwrap().to_owned()
    };
    let own = |board: &OwedBoard| format!("{} {}", board.station, device(board));
    let order: Vec<String> = bench.boards().iter().map(own).collect();
    let first = ["town SD-0", "river SD-9"];
    let own_fires = ["town SD-1", "town SD-2", "town SD-3", "town SD-4", "river SD-8"];
    assert_eq!(order[..2], first, "{order:?}");
    assert_eq!(order[2..7], own_fires, "its own before what others are told too: {order:?}");
    assert!(order[7..].contains(&"river SD-0".to_owned()), "{order:?}");

    // What is shown is owed no more: the next one is a first fire again once all its own are shown.
    let again = bench.crashed(T0 + 2_001);
    assert_eq!(again.boards().iter().map(own).collect::<Vec<_>>(), order);
}

#[test]
fn what_a_page_says_is_fixed_when_it_is_owed_and_worded_anew_once_at_most() {
    let mut bench = town();
    bench.fires(0..1, T0 + 1_000);
    let page = bench.owed().remove(0);
    let says = |bench: &Bench| bench.reader().message(page.page_id).unwrap();
    let Some(PageMessage::Final(at_first)) = says(&bench) else { panic!("it is fixed") };
    // A second condition of the same detector: news, and no page.
    bench.says("town/SD-0/alarm", r#"{"condition":"heat","active":true}"#, T0 + 2_000, 2);
    bench.commit(T0 + 2_000);
    let shown: String =
        bench.reader().query("SELECT wire FROM incident", (), |row| row.get(0)).unwrap().remove(0);
    assert_ne!(*shown, *at_first, "the incident moved on");
    assert_eq!(says(&bench), Some(PageMessage::Final(at_first.clone())));

    bench.acknowledge(page.incident, T0 + 4_000);
    assert_eq!(says(&bench), Some(PageMessage::Outdated(Some(at_first.clone()))), "as it was sent");
    let mut bench = bench.crashed(T0 + 5_000);
    assert_eq!(says(&bench), Some(PageMessage::Outdated(Some(at_first.clone()))));

    let page_id = page.page_id;
    bench.engine.take(Input::Reword { page_id }, T0 + 5_000);
    bench.commit(T0 + 5_000);
    let Some(PageMessage::Final(anew)) = says(&bench) else { panic!("it is fixed") };
    assert!(anew.contains(r#""state":"acknowledged""#), "{anew}");
    let (kind, note) = (ActionKind::Dispatch, "");
    bench.acts(page.incident, kind, note, T0 + 6_000);
    bench.engine.take(Input::Reword { page_id }, T0 + 6_000);
    bench.commit(T0 + 6_000);
    assert_eq!(says(&bench), Some(PageMessage::Final(anew)), "once, and for good");

    bench.engine.take(Input::Delivered { page_id }.at(T0 + 7_000), T0 + 7_000);
    bench.commit(T0 + 7_000);
    assert_eq!(says(&bench), None, "owed no more");
    assert_eq!(bench.count("SELECT count(*) FROM message"), 0);
}

#[test]
fn a_board_leaves_its_queue_when_it_is_shown_and_its_page_has_arrived() {
    let mut bench = town();
    bench.fires(0..2, T0 + 1_000);
    let mut left = BTreeSet::new();
    for board in bench.boards() {
        for page_id in board.pages {
            bench.engine.take(Input::Delivered { page_id }.at(T0 + 2_000), T0 + 2_000);
        }
        left.insert((board.station.clone(), board.incident));
        bench.commit(T0 + 2_000);
        let owed = bench.boards();
        assert!(
            owed.iter().any(|left| left.incident == board.incident),
            "it does not show that yet"
        );
        let Bench { engine, .. } = &mut bench;
        let (station, incident, rev) = (board.station, board.incident, board.rev);
        engine.take(Input::BoardSent { station, incident, rev }, T0 + 2_000);
        bench.commit(T0 + 2_000);
    }
    assert!(left.len() >= 2);
    assert_eq!(bench.boards(), []);
    bench.says("town/SD-0/alarm", r#"{"condition":"heat","active":true}"#, T0 + 3_000, 2);
    bench.fires(2..3, T0 + 3_000);
    let owed = bench.boards();
    let paged: Vec<bool> = owed.iter().map(|board| !board.pages.is_empty()).collect();
    assert!(
        paged[0] && paged.is_sorted_by(|a, b| a >= b),
        "news without a page is last: {paged:?}"
    );
    assert!(!paged[paged.len() - 1]);
}

#[test]
fn queues_and_lists_are_read_from_indexes_whatever_is_open() {
    let bench = town();
    for sql in [
        "SELECT page_id FROM page INDEXED BY page_queue
         WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
             AND bundle IS NULL
             AND kind = 'webhook' AND receiver = 'w' AND urgency = 1 AND number > 7
         ORDER BY number LIMIT 64",
        "SELECT id FROM bundle INDEXED BY bundle_queue
         WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
             AND receiver = 'w' AND n > 7 ORDER BY n LIMIT 64",
        "SELECT b.station FROM board b INDEXED BY board_queue
         CROSS JOIN incident i ON i.id = b.incident
         WHERE b.owed = 1 AND b.urgency = 1 AND b.number > 7 ORDER BY b.number LIMIT 64",
        "SELECT 1 FROM board INDEXED BY board_new_fires
         WHERE station = 's' AND owed = 1 AND urgency <= 1",
        "SELECT page_id FROM page WHERE incident = 'i' AND +kind = 'station' AND +receiver = 's'
             AND delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL",
        "SELECT wire FROM incident i WHERE open = 1
             AND state IN (SELECT value FROM json_each('[\"open\"]'))
         ORDER BY opened_at DESC, number DESC LIMIT 100",
        "SELECT i.id FROM incident i WHERE i.place IS NOT NULL
         ORDER BY i.place, i.opened_at DESC, i.number DESC LIMIT 200",
    ] {
        let plan = bench.plan_of(sql);
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        assert!(plan.contains("INDEX"), "{sql}: {plan}");
        let of_an_incident = sql.contains("incident = 'i'");
        assert_eq!(plan.contains("(incident=?)"), of_an_incident, "{sql}: {plan}");
    }
}

#[test]
fn a_topic_that_owes_more_than_was_sent_is_at_the_end_of_the_queue_again() {
    let mut bench = town();
    bench.fires(0..2, T0 + 1_000);
    let first = bench.boards().remove(0);
    let behind = bench.boards().iter().map(|board| board.number).max().unwrap();
    // News while its sender has it in hand.
    bench.acknowledge(first.incident, T0 + 2_000);
    let now = bench.boards();
    let kept = now.iter().find(|board| board.number == first.number).unwrap();
    assert_eq!((&kept.station, kept.incident), (&first.station, first.incident), "in its place");
    assert!(kept.rev > first.rev);
    for page_id in first.pages {
        bench.engine.take(Input::Delivered { page_id }.at(T0 + 3_000), T0 + 3_000);
    }
    let (station, incident, rev) = (first.station.clone(), first.incident, first.rev);
    bench.engine.take(Input::BoardSent { station, incident, rev }, T0 + 3_000);
    bench.commit(T0 + 3_000);
    let now = bench.boards();
    let again = now
        .iter()
        .find(|board| (&board.station, board.incident) == (&first.station, first.incident));
    let again = again.expect("its news are owed");
    assert!(again.number > behind, "whoever reads on finds it");
    let all: BTreeSet<_> = now.iter().map(|board| board.number).collect();
    assert_eq!(all.len(), now.len(), "no number is given twice");
}
