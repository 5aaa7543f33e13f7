//! A week at one gateway, in moved time: every look at the clock is a call.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use standpipe_rules::incidents::{IdSecret, Plan};
use standpipe_store::digests::DigestNews;
use standpipe_store::{Extras, Reader, Store};

use super::{Hour, Keeper};

struct Week {
    path: PathBuf,
    keeper: Keeper,
    db: rusqlite::Connection,
    _dir: tempfile::TempDir,
}

fn ms(text: &str) -> i64 {
    format!("2026-11-{text}:00+08:00").parse::<Timestamp>().unwrap().as_millisecond()
}

impl Week {
    /// A district with two townships; the chief of one, and everybody's desk.
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        drop(Store::open(&path).unwrap());
        let db = rusqlite::Connection::open(&path).unwrap();
        for (id, level, parent) in
            [("d", "district", None), ("t1", "township", Some("d")), ("t2", "township", Some("d"))]
        {
            let station = json!({"id": id, "name": id, "level": level, "parent": parent, "lat": 0.0,
                "lon": 0.0, "phone": null});
            let sql = "INSERT INTO station (id, json) VALUES (?1, ?2)";
            db.execute(sql, (id, station.to_string())).unwrap();
        }
        let receivers = vec![
            ("desk".into(), None),
            ("district".into(), Some("d".into())),
            ("one".into(), Some("t1".into())),
            ("two".into(), Some("t2".into())),
            ("lost".into(), Some("gone".into())),
        ];
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let hour = Hour { at: time(8, 0, 0, 0), zone };
        let keeper = Keeper { hour, receivers, url: "https://town.example".into() };
        Self { path, keeper, db, _dir: dir }
    }

    fn notice(&self, n: u32, station: &str, opened: &str, closed: Option<&str>) {
        let (opened_at, closed_at) = (ms(opened), closed.map(ms));
        let id = format!("01KAV0000000000000000{n:05}");
        let state = if closed.is_some() { "closed" } else { "open" };
        let wire = json!({"id": id, "rev": 1, "station": station, "class": "upkeep",
            "severity": "notice", "state": state, "episode": 1, "conditions": ["offline"],
            "device": {"id": format!("H-{n}"), "kind": "hydrant", "name": "", "address": "",
                "lat": null, "lon": null},
            "zone": null, "title": {"en": "", "zh": ""}, "opened_at": opened_at,
            "since": opened_at, "updated_at": 1, "late_s": 0, "exercise": false, "value": {},
            "hydrants": [], "step": 0, "next_step_at": null, "page_id": null,
            "closed_at": closed_at});
        let sql = "INSERT OR REPLACE INTO incident VALUES
            (?1, ?2, 'upkeep', 'notice', ?3, ?4, ?5, 1, ?6, 1, ?7, '{}', 1, NULL)";
        let open = closed.is_none();
        let row = (&id, open, state, station, opened_at, closed_at, wire.to_string());
        self.db.execute(sql, row).unwrap();
    }

    /// One look at the clock: what is owed by it, and is written down.
    fn look(&self, at: &str) -> Vec<(String, Vec<String>)> {
        let Some(news) = self.keeper.news(&self.path, ms(at)).unwrap() else {
            return Vec::new();
        };
        let DigestNews::Made { owed, .. } = &news else { panic!("{news:?}") };
        let told = owed.iter().map(|(to, json)| (to.to_string(), devices(json))).collect();
        keep(&self.path, news);
        told
    }
}

fn devices(json: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(json).unwrap();
    let (day, url) = (body["digest"]["day"].as_str().unwrap(), body["url"].as_str().unwrap());
    assert!(url.starts_with(&format!("https://town.example/digest?day={day}")), "{url}");
    let items = body["digest"]["items"].as_array().unwrap();
    items.iter().map(|item| item["device"].as_str().unwrap().to_owned()).collect()
}

/// By a writer that has just been started.
fn keep(path: &Path, news: DigestNews) {
    let mut store = Store::open(path).unwrap();
    let empty = standpipe_rules::World::new(
        standpipe_rules::registry::Registry::new([]),
        Plan::default(),
        IdSecret::new([7; 32]),
    );
    let extras = Extras { digests: vec![news], ..Extras::default() };
    store.commit(1, &empty, &standpipe_rules::Changes::default(), &extras).unwrap();
}

fn told(receivers: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let words = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    receivers.iter().map(|(to, devices)| ((*to).to_owned(), words(devices))).collect()
}

#[test]
fn each_day_once_to_each_station_and_those_above_it() {
    let week = Week::begin();
    week.notice(1, "t1", "22T09:00", None);
    assert_eq!(week.look("23T12:00"), told(&[]), "the first day is over");
    assert_eq!(week.look("24T07:59"), told(&[]));
    let first = told(&[("desk", &["H-1"]), ("district", &["H-1"]), ("one", &["H-1"])]);
    assert_eq!(week.look("24T08:00"), first, "nothing at t2, and no digest of nothing");
    assert_eq!(week.look("24T08:01"), told(&[]), "once");
    assert_eq!(week.look("24T23:59"), told(&[]));

    week.notice(2, "t2", "24T08:30", Some("24T09:30"));
    week.notice(1, "t1", "22T09:00", Some("25T07:00"));
    // Down at eight, up at noon.
    let second = told(&[
        ("desk", &["H-2", "H-1"]),
        ("district", &["H-2", "H-1"]),
        ("one", &["H-1"]),
        ("two", &["H-2"]),
    ]);
    assert_eq!(week.look("25T12:00"), second, "what came and went, and what ended");
    week.notice(3, "t2", "25T10:00", Some("25T11:00"));
    week.notice(4, "t2", "25T13:00", Some("25T14:00"));
    let third = told(&[("desk", &["H-4"]), ("district", &["H-4"]), ("two", &["H-4"])]);
    assert_eq!(week.look("26T08:00"), third, "neither twice nor never: since noon");
    assert_eq!(week.look("27T08:00"), told(&[]), "nothing is open, nothing ended");

    // Down for all of the 28th.
    week.notice(5, "t1", "27T10:00", Some("28T10:00"));
    assert_eq!(week.look("29T07:00"), told(&[]));
    let last = told(&[("desk", &["H-5"]), ("district", &["H-5"]), ("one", &["H-5"])]);
    assert_eq!(week.look("29T08:00"), last, "a missed day is in the next one");
    let owed = Reader::open(&week.path).unwrap().owed_digests().unwrap();
    assert_eq!(owed.len(), 3 + 4 + 3 + 3, "all of them, until they are confirmed");
}

#[test]
fn a_gateway_that_was_killed_before_it_wrote_makes_it_again_and_one_that_wrote_does_not() {
    let week = Week::begin();
    week.notice(1, "t1", "22T09:00", None);
    week.look("23T12:00");
    for minute in ["24T08:00", "24T08:05"] {
        let made = week.keeper.news(&week.path, ms(minute)).unwrap();
        assert!(matches!(made, Some(DigestNews::Made { owed, .. }) if owed.len() == 3), "{minute}");
    }
    assert_eq!(week.look("24T08:10").len(), 3);
    assert_eq!(week.keeper.news(&week.path, ms("24T08:15")).unwrap(), None);
}
