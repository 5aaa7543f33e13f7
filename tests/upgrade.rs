//! A store of every older layout, opened by this version: its incidents go on, and its queued pages
//! are sent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::station::Station;
use standpipe_tests::wait_for;

/// The registry of these stores.
const STATIONS: &str = "id,name,level,parent,lat,lon\n\
    d,支队,district,,29.38,106.54\n\
    t1,鱼洞站,township,d,29.38,106.55\n\
    t2,李家沱站,township,d,29.48,106.55\n";
const DEVICES: &str = "id,kind,name,station,zone,profile,lat,lon,address,building\n\
    H1,hydrant,消火栓 1,t1,,,29.381,106.551,滨江路,\n\
    H2,hydrant,消火栓 2,t2,,,29.481,106.551,马王坪,\n\
    D1,smoke,感烟 1,t1,,smoke_home,29.381,106.561,新市街 3 号,A\n";
const SOON: Duration = Duration::from_secs(20);

/// The dumps, oldest first.
fn stores() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stores");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "sql")).collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

/// The first column of each row.
fn column(store: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map((), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

const OPEN: &str = "SELECT id FROM incident WHERE open = 1";
const QUEUED: &str = "SELECT page_id FROM page WHERE delivered_at IS NULL AND gave_up_at IS NULL";
const LAYOUT: &str = "SELECT CAST(user_version AS TEXT) FROM pragma_user_version";

fn opened(dump: &Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("gateway/store.db");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    let store = Connection::open(&place).unwrap();
    store.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    let (open, queued) = (column(&store, OPEN), column(&store, QUEUED));
    assert_eq!((open.len(), queued.len()), (2, 2), "{}: not what it was", dump.display());
    let number = dump.file_stem().unwrap().to_string_lossy().trim_start_matches('0').to_owned();
    assert_eq!(column(&store, LAYOUT), BTreeSet::from([number]), "{}", dump.display());

    let broker = Broker::start(dir.path());
    let station = Station::connect(broker.port, "t1");
    let duty = WebhookEnd::start(|_| "200 OK".to_owned());
    let more = format!("[[webhook]]\nname = \"duty\"\nurl = \"{}\"\n", duty.url);
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let gateway = Gateway::start(dir.path(), &url, (STATIONS, DEVICES), &more);

    // A page that was queued arrives, or a newer one about its incident, which supersedes it.
    let mut told = BTreeSet::new();
    while !open.is_subset(&told) {
        let posted = duty.next(SOON).expect("a page about each incident with a queued one");
        let incident: serde_json::Value = serde_json::from_slice(&posted.body).unwrap();
        told.insert(incident["id"].as_str().unwrap().to_owned());
    }
    wait_for("the old queue to be empty", SOON, || {
        let left = column(&store, &format!("{QUEUED} AND superseded_at IS NULL"));
        left.is_disjoint(&queued).then_some(())
    });
    for id in &open {
        let incident = gateway.get(&format!("incidents/{id}"));
        let trail = incident["trail"].as_array().map_or(0, Vec::len);
        assert!(trail >= 3, "its history is kept: {incident}");
        let action = json!({"action": "acknowledge", "by": "duty"});
        let (status, answer) = gateway.post(&format!("incidents/{id}/actions"), &action);
        assert!(status == 200 || status == 409, "{answer}");
        assert_eq!(answer["state"], "acknowledged", "{answer}");
        station.wait("the incident on the station's topic", SOON, |shown| shown.incident == *id);
    }
    let hydrant = gateway.get("devices/H2");
    assert!(hydrant.to_string().contains("312.5"), "what it measured is kept: {hydrant}");
    column(&store, LAYOUT).pop_first().unwrap()
}

#[test]
fn an_older_store_goes_on_with_its_incidents_and_sends_its_queued_pages() {
    let layouts: BTreeSet<String> = stores().iter().map(|dump| opened(dump)).collect();
    assert_eq!(layouts.len(), 1, "all come to the newest layout: {layouts:?}");
}
