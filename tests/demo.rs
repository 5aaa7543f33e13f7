//! `standpipe demo` as a newcomer meets it: the real binary, from its start to Ctrl-C.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use standpipe_tests::gateway::program;
use standpipe_tests::process::Process;
use standpipe_tests::{http, instant, wait_for};

/// Live within this of starting.
const LIVE: Duration = Duration::from_secs(5);
/// The first incident within this of starting.
const INCIDENT: Duration = Duration::from_secs(30);
/// Ended within this of Ctrl-C.
const END: Duration = Duration::from_secs(2);

/// A running demonstration.
struct Demo {
    process: Process,
    started: Instant,
}

impl Demo {
    /// All it may write to is below `home`; what it prints goes elsewhere.
    fn start(home: &Path, log: &Path, more: &[&str]) -> Self {
        let started = instant();
        let mut command = command(home);
        command.args(["--port", "0"]).args(more);
        Self { process: Process::start(&mut command, log), started }
    }

    /// The first line that has `text` in it, so long after the start at most.
    fn line(&self, text: &str, within: Duration) -> String {
        wait_for(text, within.saturating_sub(self.started.elapsed()), || {
            let printed = self.process.printed();
            printed.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// `http://127.0.0.1:PORT`, once the API answers.
    fn address(&self) -> String {
        let line = self.line("look here", LIVE);
        let from = line.find("http://").expect("an address");
        let address = line[from..].trim_end_matches('/').to_owned();
        let (status, _) = http::get(&format!("{address}/healthz"), "");
        assert_eq!(status, 200);
        assert!(self.started.elapsed() < LIVE, "{:?}", self.started.elapsed());
        address
    }

    /// What it logged as an error, and each connection that its broker refused or closed.
    fn trouble(&self) -> Vec<String> {
        let printed = self.process.printed();
        let is_trouble = |line: &&str| line.contains(" ERROR ") || line.contains("no connection");
        printed.lines().filter(is_trouble).map(str::to_owned).collect()
    }

    /// Ctrl-C: its exit code, and how long it took.
    fn interrupt(&mut self) -> (i32, Duration) {
        let asked = instant();
        self.process.signal("INT");
        let code = wait_for("the end", Duration::from_secs(10), || self.process.ended());
        (code, asked.elapsed())
    }
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(program());
    let folder = |name| {
        let folder = home.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    };
    command
        .arg("demo")
        .current_dir(folder("work"))
        .env("HOME", folder("home"))
        .env("TMPDIR", folder("tmp"))
        .env_remove("RUST_LOG");
    command
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .flat_map(
            |entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] },
        )
        .collect()
}

fn list(address: &str, what: &str) -> Value {
    http::get(&format!("{address}/api/v1/{what}"), "").1
}

#[test]
fn it_is_live_at_once_shows_a_fire_and_leaves_nothing_behind() {
    let (home, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = logs.path().join("log");
    let mut demo = Demo::start(home.path(), &log, &["--devices", "120"]);
    let address = demo.address();
    let left = INCIDENT.saturating_sub(demo.started.elapsed());
    let incidents = wait_for("an incident", left, || {
        Some(list(&address, "incidents")).filter(|incidents| incidents["total"].as_u64() > Some(0))
    });
    assert_eq!(incidents["items"][0]["severity"], "fire", "{incidents}");
    assert_eq!(incidents["items"][0]["hydrants"].as_array().map(Vec::len), Some(3), "{incidents}");
    let told = demo.line("FIRE 火警", INCIDENT);
    assert!(told.contains("Xinhua Building") && told.contains("→ paged 已通知"), "{told}");
    assert!(demo.line("nearest water", INCIDENT).contains(" kPa"));
    assert!(demo.line("acknowledged", INCIDENT).contains("已接警"));
    let written = files(home.path());
    assert!(written.iter().all(|path| path.starts_with(home.path().join("tmp"))), "{written:?}");
    assert!(written.iter().any(|path| path.ends_with("standpipe.db")), "{written:?}");

    assert_eq!(demo.trouble(), Vec::<String>::new());

    let (code, after) = demo.interrupt();
    assert_eq!(code, 0);
    assert!(after < END, "{after:?}");
    assert!(demo.line(" incidents (", INCIDENT * 2).contains("fires)"));
    assert_eq!(files(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_given_folder_is_kept_and_gone_on_from() {
    let (home, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = home.path().join("kept");
    let arguments = ["--devices", "20", "--data", data.to_str().unwrap()];
    for log in ["first", "second"] {
        let mut demo = Demo::start(home.path(), &logs.path().join(log), &arguments);
        let address = demo.address();
        assert_eq!(list(&address, "devices")["total"], 20);
        let (code, after) = demo.interrupt();
        assert!(code == 0 && after < END, "{code} {after:?}");
    }
    assert!(data.join("standpipe.db").is_file());
    assert!(files(home.path()).iter().all(|path| path.starts_with(&data)));
}

#[test]
fn a_taken_port_is_said_and_is_wrong_usage() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = command(home.path()).args(["--port", &port]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.starts_with(&format!("port {port} of 127.0.0.1 is taken")), "{said}");
    assert!(said.contains("--port") && files(home.path()).is_empty(), "{said}");
}
