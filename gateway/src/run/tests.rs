//! The whole gateway, started and stopped, with nobody to talk to.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{StartError, start};
use crate::clock::Clock;
use crate::config::{Broker, Config, Door};
use crate::keep::files::{Database, MADE};
use crate::keep::{self, Parts};
use crate::limits::GRACE;
use crate::store::StoreError;

fn config(folder: &std::path::Path) -> Config {
    // Nobody listens there: the port was free just now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = Config::new(Broker { host: "127.0.0.1".into(), port, tls: false });
    config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.store.path = folder.join("standpipe.db");
    config
}

fn get(http: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn without_a_broker_it_serves_what_it_can_and_stops_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    for _ in 0..2 {
        let running = start(config(folder.path()), clock.clone()).unwrap();
        assert!(get(running.http(), "/healthz").starts_with("HTTP/1.1 200"));
        assert!(get(running.http(), "/readyz").contains("\"ready\""));
        assert_eq!(running.ended_early(), None);
        let again = start(config(folder.path()), clock.clone());
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
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = config(folder.path());
    busy.http.listen = taken.local_addr().unwrap();
    let mut open = config(folder.path());
    open.http.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    open.http.door = Door::ThisMachine;
    let mut missing = config(folder.path());
    missing.registry.stations = Some(folder.path().join("none.csv"));
    let mut bad = config(folder.path());
    bad.registry.stations = Some(folder.path().join("bad.csv"));
    std::fs::write(folder.path().join("bad.csv"), "id,name\nx,y\n").unwrap();
    for (config, says) in [
        (busy, "change `http.listen`"),
        (open, "listen on 127.0.0.1"),
        (missing, "correct `[registry]`"),
        (bad, "bad.csv:1"),
    ] {
        let why = start(config, clock.clone()).unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
}

/// Every file of a folder, without what SQLite keeps beside its databases while they are open.
fn files(folder: &std::path::Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|it| !it.ends_with("-wal") && !it.ends_with("-shm")).collect()
}

#[test]
fn a_backup_has_every_database_that_a_gateway_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("standpipe.toml"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&file, "[mqtt]\nurl = \"mqtt://127.0.0.1\"\n").unwrap();
    let config = config(&data);
    let store = config.store.path.clone();
    let running = start(config, Clock::new()).unwrap();
    let all: BTreeSet<String> = Database::ALL.map(|it| it.name().to_owned()).into();
    let opened = files(&data);
    let made = MADE.into_iter().chain(["standpipe.db.lock"]).map(str::to_owned);
    let known = all.iter().cloned().chain(made).collect();
    let unknown: Vec<&String> = opened.difference(&known).collect();
    assert!(unknown.is_empty(), "a backup lacks these: add them to `keep::files`: {unknown:?}");
    assert!(all.is_subset(&opened), "it opens all of them: {opened:?}");
    let parts = Parts { config: &file, store: &store };
    let kept = keep::back_up(&parts, &folder.path().join("out"), 0).unwrap();
    assert!(running.stop());
    let copied: BTreeSet<String> = files(&kept.folder);
    assert!(all.is_subset(&copied), "{copied:?}");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    assert_eq!(keep::restore(&kept.folder, &store, 0).unwrap(), Database::ALL);
    assert!(all.is_subset(&files(&data)), "put back");
}
