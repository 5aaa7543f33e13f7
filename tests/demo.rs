//! `standpipe demo` as a newcomer meets it: the real binary, from its start to Ctrl-C.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test, all of it; it measures real time"
)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Live within this of starting.
const LIVE: Duration = Duration::from_secs(5);
/// The first incident within this of starting.
const INCIDENT: Duration = Duration::from_secs(30);
/// Ended within this of Ctrl-C.
const END: Duration = Duration::from_secs(2);

/// A running demonstration; killed when the test fails.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    started: Instant,
}

impl Demo {
    /// Started in a folder of its own: all it may write to is `home`.
    fn start(home: &Path, more: &[&str]) -> Self {
        let started = Instant::now();
        let mut child = command(home)
            .args(["--port", "0"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|bad| panic!("{}: {bad}: run `cargo build` first", binary().display()));
        let (told, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, started }
    }

    /// The next line that has `text` in it.
    fn line(&self, text: &str, within: Duration) -> String {
        let deadline = self.started + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no line with `{text}` within {within:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// `http://127.0.0.1:PORT`
    fn address(&self) -> String {
        let line = self.line("look here", LIVE);
        let from = line.find("http://").expect("an address");
        line[from..].trim_end_matches('/').to_owned()
    }

    /// Ctrl-C. How it ended, and after how long.
    fn interrupt(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, asked.elapsed());
            }
            assert!(asked.elapsed() < Duration::from_secs(10), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary built beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("standpipe").with_extension(std::env::consts::EXE_EXTENSION)
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(binary());
    let folder = |name| {
        let folder = home.join(name);
        std::fs::create_dir_all(&folder).unwrap();
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
        .flat_map(|it| if it.path().is_dir() { files(&it.path()) } else { vec![it.path()] })
        .collect()
}

fn get(address: &str, path: &str) -> Option<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = reqwest::get(format!("{address}{path}")).await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    })
}

#[test]
fn it_is_live_at_once_shows_a_fire_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(home.path(), &["--devices", "120"]);
    let address = demo.address();
    let incidents = loop {
        assert!(demo.started.elapsed() < INCIDENT, "no incident");
        let list = get(&address, "/api/v1/incidents").unwrap_or_default();
        if list["total"].as_u64() > Some(0) {
            break list;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(incidents["items"][0]["severity"], "fire", "{incidents}");
    assert_eq!(incidents["items"][0]["hydrants"].as_array().map(Vec::len), Some(3), "{incidents}");
    let told = demo.line("FIRE 火警", INCIDENT);
    assert!(told.contains("Xinhua Building") && told.contains("→ paged 已通知"), "{told}");
    assert!(demo.line("nearest water", INCIDENT).contains(" kPa"));
    assert!(demo.line("acknowledged", INCIDENT).contains("已接警"));
    let written = files(home.path());
    assert!(written.iter().all(|it| it.starts_with(home.path().join("tmp"))), "{written:?}");
    assert!(written.iter().any(|it| it.ends_with("standpipe.db")), "{written:?}");

    let (status, after) = demo.interrupt();
    assert_eq!(status.code(), Some(0));
    assert!(after < END, "{after:?}");
    assert!(demo.line(" incidents (", INCIDENT * 2).contains("fires)"));
    assert_eq!(files(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_given_folder_is_kept_and_gone_on_from() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("kept");
    let arguments = ["--devices", "20", "--data", data.to_str().unwrap()];
    for _ in 0..2 {
        let mut demo = Demo::start(home.path(), &arguments);
        let address = demo.address();
        assert_eq!(get(&address, "/api/v1/devices").unwrap_or_default()["total"], 20);
        let (status, after) = demo.interrupt();
        assert!(status.success() && after < END, "{status} {after:?}");
    }
    assert!(data.join("standpipe.db").is_file());
    assert!(files(home.path()).iter().all(|it| it.starts_with(&data)));
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
