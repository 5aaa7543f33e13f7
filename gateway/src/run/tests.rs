//! The whole gateway, started and stopped, with nobody to talk to.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use standpipe_config::{BrokerAddress, Config, HttpDoor};
use standpipe_engine::health::DegradedPart;
use standpipe_machine::Machine;
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::GRACE;
use standpipe_rules::Ms;
use standpipe_store::StoreError;
use standpipe_store::files::{Database, MADE};

use super::{StartError, start};
use crate::keep::{self, BackupParts};

fn config(folder: &std::path::Path) -> Config {
    // Nobody listens there: the port was free just now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = Config::new(BrokerAddress { host: "127.0.0.1".into(), port, tls: false });
    config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.store.path = folder.join("standpipe.db");
    config
}

fn machine(clock: &Clock) -> Machine {
    Machine { clock: clock.clone(), ..Machine::new() }
}

fn get(http: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What a first start makes up: the gateway's name, the secret of its ids, its admin's password.
#[test]
fn a_first_start_on_a_simulated_machine_is_the_same_each_time() {
    const BEGUN: Ms = 1_764_000_000_000;
    let made = [7, 7, 8].map(|seed| {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::simulated(BEGUN, seed);
        let running = start(config(folder.path()), machine).unwrap();
        let at = |name: &str| folder.path().join(name);
        let secret = std::fs::read_to_string(at("ids.secret")).unwrap();
        let row = |file: &str, sql: &str| -> String {
            let db = rusqlite::Connection::open(at(file)).unwrap();
            db.query_row(sql, (), |row| row.get(0)).unwrap()
        };
        let name = row("standpipe.db", "SELECT value FROM meta WHERE key = 'gateway'");
        let admin = row("accounts.db", "SELECT hash || ' ' || created_at FROM account");
        drop(running);
        [secret, name, admin]
    });
    assert_eq!(made[0], made[1], "the same machine");
    for (same, other) in made[0].iter().zip(&made[2]) {
        assert_ne!(same, other, "another seed");
    }
    assert!(made[0][2].ends_with(&format!(" {BEGUN}")), "{}: by its clock", made[0][2]);
}

#[test]
fn without_a_broker_it_serves_what_it_can_and_stops_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    for _ in 0..2 {
        let running = start(config(folder.path()), machine(&clock)).unwrap();
        assert!(get(running.http(), "/healthz").starts_with("HTTP/1.1 200"));
        assert!(get(running.http(), "/readyz").contains("\"ready\""));
        assert_eq!(running.ended_early(), None);
        let again = start(config(folder.path()), machine(&clock));
        assert!(matches!(again, Err(StartError::Store(StoreError::InUse(_)))), "{again:?}");
        let stopping = clock.instant();
        assert!(running.stop(), "everything ended");
        assert!(stopping.elapsed() < GRACE + Duration::from_millis(200));
    }
}

#[test]
fn what_cannot_be_started_says_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    let mut open = config(folder.path());
    open.http.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    open.http.door = HttpDoor::ThisMachine;
    let mut missing = config(folder.path());
    missing.registry.stations = Some(folder.path().join("none.csv"));
    let mut bad = config(folder.path());
    bad.registry.stations = Some(folder.path().join("bad.csv"));
    std::fs::write(folder.path().join("bad.csv"), "id,name\nx,y\n").unwrap();
    for (config, says) in
        [(open, "listen on 127.0.0.1"), (missing, "correct `[registry]`"), (bad, "bad.csv:1")]
    {
        let why = start(config, machine(&clock)).unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn an_address_that_is_taken_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = config(folder.path());
    busy.http.listen = taken.local_addr().unwrap();
    let address = busy.http.listen;
    let running = start(busy, Machine::new()).unwrap();
    let degraded = &running.health.degraded;
    assert_eq!(degraded.list()[0].part, DegradedPart::Http);
    drop(taken);
    let clock = Clock::new();
    let since = clock.instant();
    while !degraded.list().is_empty() {
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", degraded.list());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(running.stop());
}

const STATIONS: &str = "id,name,level,parent,lat,lon\nd,支队,district,,29.38,106.54\nt1,鱼洞站,township,d,29.38,106.55\n";
const DEVICES: &str = "id,kind,name,station,zone,profile,lat,lon,address\n\
    H1,hydrant,一号,t1,z,municipal,29.38,106.55,滨江路\n";

/// Nothing is of this kind.
const BAD_ROW: &str = "H2,hydrants,n,t1,z,municipal,29.38,106.55,a\n";

/// A folder with a registry, and a gateway that has taken it in once.
struct RunTown {
    folder: tempfile::TempDir,
    clock: Clock,
}

impl RunTown {
    fn begin() -> Self {
        let town = Self { folder: tempfile::tempdir().unwrap(), clock: Clock::new() };
        town.write("stations.csv", STATIONS.as_bytes());
        town.write("devices.csv", DEVICES.as_bytes());
        town.start().unwrap().stop();
        town
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn start(&self) -> Result<super::Running, StartError> {
        let mut config = config(self.folder.path());
        config.registry.stations = Some(self.folder.path().join("stations.csv"));
        config.registry.devices = Some(self.folder.path().join("devices.csv"));
        start(config, machine(&self.clock))
    }

    /// Starts it, and says which parts are in trouble and with which words, and which registry
    /// incidents there are: how many pages each has, and its state.
    fn start_and_tell(&self) -> (Vec<String>, Vec<(String, i64)>) {
        let running = self.start().unwrap_or_else(|bad| panic!("{bad}"));
        let troubles = running.health.degraded.list();
        assert!(running.stop(), "everything ended");
        let text = |trouble: &standpipe_engine::health::Trouble| {
            format!("{} {} {}", trouble.part.as_str(), trouble.why.zh, trouble.why.en)
        };
        (troubles.iter().map(text).collect(), self.incidents())
    }

    fn incidents(&self) -> Vec<(String, i64)> {
        self.rows(
            "SELECT i.state, (SELECT count(*) FROM page p WHERE p.incident = i.id)
             FROM incident i WHERE i.wire LIKE '%registry_fault%' ORDER BY i.id",
        )
    }

    fn rows(&self, sql: &str) -> Vec<(String, i64)> {
        let db = rusqlite::Connection::open(self.folder.path().join("standpipe.db")).unwrap();
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

#[test]
fn whatever_is_wrong_with_a_registry_file_a_gateway_that_has_one_starts() {
    let town = RunTown::begin();
    let folder = town.folder.path();
    let header = DEVICES.lines().next().unwrap();
    let row = |address: &str| {
        format!("{DEVICES}H2,hydrant,n,t1,z,municipal,29.38,106.55,{address}\n").into_bytes()
    };
    let only = format!("{header}\n").into_bytes();
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (
            "an empty sheet",
            only,
            "devices.csv:1: only a header, while 1 are registered, which all stay",
        ),
        (
            "a header and blank lines",
            format!("{header}\r\n\r\n").into_bytes(),
            "devices.csv:1: only a header",
        ),
        ("201 letters", row(&"路".repeat(201)), "devices.csv:3: address = `"),
        ("no bytes", Vec::new(), "devices.csv:1: empty file"),
        ("zeros, as a power cut leaves them", vec![0; 4_096], "devices.csv:1: "),
        ("half a row", DEVICES.as_bytes()[..DEVICES.len() - 30].to_vec(), "devices.csv:2: "),
        ("a table of Excel's", b"PK\x03\x04\x14\x00\xff\xfe".to_vec(), "devices.csv:1: "),
        ("unknown stations", DEVICES.replace(",t1,", ",t9,").into_bytes(), "station = `t9`"),
        ("a good row beside a bad one", [row("a"), row("b")].concat(), "devices.csv:4: "),
    ];
    let devices = "SELECT id, json_array_length(json_array(station)) FROM device ORDER BY id";
    let before = town.rows(devices);
    for (story, bytes, place) in cases {
        town.write("devices.csv", &bytes);
        let (troubles, incidents) = town.start_and_tell();
        assert!(troubles.len() == 1 && troubles[0].contains(place), "{story}: {troubles:?}");
        assert_eq!(incidents, [("open".to_owned(), incidents[0].1)], "{story}: one incident");
        assert_eq!(town.rows(devices), before, "{story}: nothing of it is taken");
    }
    // What is no readable file at all.
    let file = folder.join("devices.csv");
    std::fs::remove_file(&file).unwrap();
    let (troubles, _) = town.start_and_tell();
    assert!(troubles[0].contains("devices.csv: cannot be read"), "missing: {troubles:?}");
    std::fs::create_dir(&file).unwrap();
    let (troubles, _) = town.start_and_tell();
    assert!(
        troubles[0].contains("devices.csv: cannot be read (it is a folder, not a file)"),
        "a folder: {troubles:?}"
    );
    std::fs::remove_dir(&file).unwrap();
    let huge = std::fs::File::create(&file).unwrap();
    huge.set_len(2 * 1024 * 1024 * 1024).unwrap();
    let (troubles, incidents) = town.start_and_tell();
    assert!(troubles[0].contains("at most 32 MiB"), "2 GB: {troubles:?}");
    assert_eq!(incidents.len(), 1, "one incident for all of it: {incidents:?}");
}

#[test]
fn a_start_waits_for_no_pipe() {
    let town = RunTown::begin();
    let pipe = |name: &str| {
        let path = town.folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    pipe("devices.csv");
    pipe("ids.secret");
    let (troubles, _) = town.start_and_tell();
    let told = "devices.csv: cannot be read (it is a named pipe, not a file)";
    assert!(troubles[0].contains(told), "{troubles:?}");
    // The store can't be opened: it works in memory, and says why.
    for name in ["standpipe.db.lock", "standpipe.db"] {
        pipe(name);
        let running = town.start().unwrap();
        let troubles = running.health.degraded.list();
        assert!(running.stop(), "everything ended");
        let told = format!("{name}` can't be opened (it is a named pipe, not a file)");
        assert!(troubles.iter().any(|trouble| trouble.why.en.contains(&told)), "{troubles:?}");
        std::fs::remove_file(town.folder.path().join(name)).unwrap();
    }
}

#[test]
fn a_good_file_beside_a_bad_one_is_not_taken_either() {
    let town = RunTown::begin();
    town.write("stations.csv", format!("{STATIONS}t2,李家沱站,township,d,29.4,106.6\n").as_bytes());
    town.write("devices.csv", format!("{DEVICES}{BAD_ROW}").as_bytes());
    town.start_and_tell();
    let stations = "SELECT id, 1 FROM station WHERE id = 't2'";
    assert_eq!(town.rows(stations), []);
    town.write("devices.csv", DEVICES.as_bytes());
    town.start_and_tell();
    assert_eq!(town.rows(stations), [], "where there is a registry, a file is a proposal");
}

#[test]
fn the_incident_pages_once_and_ends_when_the_file_is_mended() {
    let town = RunTown::begin();
    assert_eq!(town.start_and_tell(), (vec![], vec![]));
    town.write("devices.csv", format!("{DEVICES}{BAD_ROW}").as_bytes());
    let (_, first) = town.start_and_tell();
    assert!(first[0].0 == "open" && first[0].1 > 0, "the district is paged: {first:?}");
    let (troubles, again) = town.start_and_tell();
    assert_eq!((troubles.len(), &again), (1, &first), "told again, and nobody is paged again");
    town.write("devices.csv", DEVICES.as_bytes());
    let (troubles, mended) = town.start_and_tell();
    assert_eq!((troubles, mended), (vec![], vec![("closed".to_owned(), first[0].1)]));
    town.write("devices.csv", b"");
    let (_, relapse) = town.start_and_tell();
    assert_eq!(relapse.len(), 2, "another time is another incident: {relapse:?}");
    // Neither is a file that is named no more a bad one.
    let running = start(config(town.folder.path()), machine(&town.clock)).unwrap();
    assert_eq!(running.health.degraded.list(), []);
    running.stop();
    assert_eq!(town.incidents().iter().filter(|incident| incident.0 == "open").count(), 0);
}

#[test]
fn a_store_without_a_registry_does_not_start_with_a_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let town = RunTown { folder, clock: Clock::new() };
    town.write("stations.csv", STATIONS.as_bytes());
    town.write("devices.csv", format!("{DEVICES}{BAD_ROW}").as_bytes());
    for _ in 0..2 {
        let why = town.start().unwrap_err();
        assert!(matches!(why, StartError::Registry(_)), "{why}");
        assert!(why.to_string().contains("devices.csv:3: kind = `hydrants`"), "{why}");
    }
    town.write("devices.csv", DEVICES.as_bytes());
    town.start().unwrap().stop();
}

#[test]
fn a_first_start_needs_no_device() {
    let town = RunTown { folder: tempfile::tempdir().unwrap(), clock: Clock::new() };
    town.write("stations.csv", STATIONS.as_bytes());
    let header = DEVICES.lines().next().unwrap();
    town.write("devices.csv", header.as_bytes());
    for _ in 0..2 {
        assert_eq!(town.start_and_tell(), (vec![], vec![]));
    }
    assert_eq!(
        town.rows("SELECT 'stations', count(*) FROM station")[0].1,
        STATIONS.lines().count() as i64 - 1
    );
    // The other sheet, now that there are stations.
    town.write("stations.csv", STATIONS.lines().next().unwrap().as_bytes());
    let (troubles, incidents) = town.start_and_tell();
    assert!(troubles[0].contains("stations.csv:1: only a header, while "), "{troubles:?}");
    assert_eq!(incidents.len(), 1, "{incidents:?}");
}

/// Every file of a folder, without what SQLite keeps beside its databases while they are open.
fn files(folder: &std::path::Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect()
}

#[test]
fn a_backup_has_every_database_that_a_gateway_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("standpipe.toml"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&file, "[mqtt]\nurl = \"mqtt://127.0.0.1\"\n").unwrap();
    let config = config(&data);
    let store = config.store.path.clone();
    let running = start(config, Machine::new()).unwrap();
    let all: BTreeSet<String> = Database::ALL.map(|database| database.name().to_owned()).into();
    let opened = files(&data);
    let made = MADE
        .into_iter()
        .chain([
            "standpipe.db.lock",
            "standpipe.marker",
            "standpipe.tried",
            "standpipe.ballast",
            "standpipe.marks",
        ])
        .map(str::to_owned);
    let known = all.iter().cloned().chain(made).collect();
    let unknown: Vec<&String> = opened.difference(&known).collect();
    assert!(unknown.is_empty(), "a backup lacks these: add them to `keep::files`: {unknown:?}");
    assert!(all.is_subset(&opened), "it opens all of them: {opened:?}");
    let parts = BackupParts { config: &file, store: &store };
    let kept = keep::back_up(&parts, &folder.path().join("out"), 0).unwrap();
    assert!(running.stop());
    let copied: BTreeSet<String> = files(&kept.folder);
    assert!(all.is_subset(&copied), "{copied:?}");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    assert_eq!(keep::restore(&kept.folder, &store, 0).unwrap(), Database::ALL);
    assert!(all.is_subset(&files(&data)), "put back");
}
