//! The gateway's own binary with a configuration of its own.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Process, free_port};
use crate::small_disk::SmallDisk;
use crate::{http, wait_for};

/// The administrator's token of every gateway in the tests.
pub const TOKEN: &str = "test-admin-token";

/// The program: `STANDPIPE` in the environment, else beside the tests' own folder.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("STANDPIPE") {
        return path.into();
    }
    // A test stands in target/PROFILE/deps, a program in target/PROFILE.
    let me = std::env::current_exe().expect("a path");
    let built = me.ancestors().skip(1).take(2).map(|dir| dir.join("standpipe"));
    built
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no standpipe beside {}: cargo build -p standpipe", me.display()))
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    port: u16,
    /// Where its files are.
    pub dir: PathBuf,
    /// What it is started with besides.
    env: Vec<(&'static str, PathBuf)>,
    /// What its store is on, where the test is one in rescue.
    disk: Option<SmallDisk>,
}

/// Whether this is a test program that runs the drills of another one on a disk that takes nothing.
///
/// # Panics
/// Without a path to itself.
#[must_use]
pub fn in_rescue() -> bool {
    let me = std::env::current_exe().expect("a path");
    me.file_name().is_some_and(|name| name.to_string_lossy().contains("in_rescue"))
}

impl Gateway {
    /// Starts one in `dir` on this broker, with these files imported and more configuration.
    ///
    /// # Panics
    /// When it does not get ready within 30 s.
    #[must_use]
    pub fn start(dir: &Path, broker: &str, (stations, devices): (&str, &str), more: &str) -> Self {
        let gateway = Self::start_unready(dir, broker, (stations, devices), more);
        gateway.wait_ready();
        gateway.is_in_rescue_if_it_is_to_be();
        gateway
    }

    /// Fills its disk, in a test that runs drills in rescue ([`in_rescue`]); in any other it does nothing.
    ///
    /// # Panics
    /// When it does not work in memory then.
    pub fn is_in_rescue_if_it_is_to_be(&self) {
        let Some(disk) = &self.disk else { return };
        disk.fill_with_ballast("store.ballast");
        wait_for("rescue", Duration::from_secs(30), || {
            let (_, ready) = http::try_get(&self.at("/readyz"), "")?;
            ready.contains("\"rescue\"").then_some(())
        });
    }

    /// The same, without waiting until it is ready.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn start_unready(dir: &Path, broker: &str, files: (&str, &str), more: &str) -> Self {
        Self::start_with(dir, &format!("url = \"{broker}\""), files, more)
    }

    /// The same, with these lines of `[mqtt]`.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn start_with(dir: &Path, mqtt: &str, files: (&str, &str), more: &str) -> Self {
        Self::start_among(dir, mqtt, files, more, Vec::new())
    }

    /// The same, with these variables in its environment.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn start_among(
        dir: &Path,
        mqtt: &str,
        (stations, devices): (&str, &str),
        more: &str,
        env: Vec<(&'static str, PathBuf)>,
    ) -> Self {
        let (port, dir) = (free_port(), dir.join("gateway"));
        std::fs::create_dir_all(&dir).expect("a folder");
        std::fs::write(dir.join("stations.csv"), stations).expect("a file");
        std::fs::write(dir.join("devices.csv"), devices).expect("a file");
        let disk = in_rescue().then(|| SmallDisk::mount(&dir.join("disk"), 24));
        let store = if disk.is_some() { "disk/store.db" } else { "store.db" };
        let mut config = String::new();
        let _ = write!(
            config,
            "[mqtt]\n{mqtt}\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
             [store]\npath = \"{store}\"\n\
             [registry]\nstations = \"stations.csv\"\ndevices = \"devices.csv\"\n{more}\n"
        );
        std::fs::write(dir.join("standpipe.toml"), config).expect("a file");
        Self { process: Self::run(&dir, &env), port, dir, env, disk }
    }

    /// With the variables of its file `environment`, `NAME=VALUE` a line, if it has one.
    fn run(dir: &Path, env: &[(&'static str, PathBuf)]) -> Process {
        let mut command = Command::new(program());
        let more = std::fs::read_to_string(dir.join("environment")).unwrap_or_default();
        command.envs(more.lines().filter_map(|line| line.split_once('=')));
        command
            .current_dir(dir)
            .args(["run", "--config", "standpipe.toml"])
            .envs(env.iter().cloned())
            .env("STANDPIPE_ADMIN_TOKEN", TOKEN);
        Process::start(&mut command, &dir.join("log"))
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Panics
    /// When it does not within 30 s.
    pub fn wait_ready(&self) {
        wait_for("the gateway to be ready", Duration::from_secs(30), || {
            http::try_get(&self.at("/readyz"), "").filter(|(status, _)| *status == 200)
        });
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the same files.
    pub fn start_again(&mut self) {
        self.process = Self::run(&self.dir, &self.env);
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Its exit code once it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.ended()
    }

    /// Its log so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.process.printed()
    }

    /// The password of the first admin, which was printed at the first start.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    pub fn password(&self) -> String {
        let printed = self.printed();
        let line = printed.lines().find(|line| line.contains("name 用户名: admin"));
        let line = line.expect("the first account is told");
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// CPU seconds and peak MiB.
    #[must_use]
    pub fn used(&self) -> (f64, f64) {
        self.process.used()
    }

    /// The address of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `GET` below `/api/v1`.
    ///
    /// # Panics
    /// When nobody answers, or not with 200.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(path);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// `GET` below `/api/v1` with its status.
    #[must_use]
    pub fn ask(&self, path: &str) -> (u16, Value) {
        http::get(&self.at(&format!("/api/v1/{path}")), &format!("Bearer {TOKEN}"))
    }

    /// `POST` below `/api/v1`.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        http::post(&self.at(&format!("/api/v1/{path}")), &format!("Bearer {TOKEN}"), body)
    }

    /// `PUT` below `/api/v1`.
    #[must_use]
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        http::put(&self.at(&format!("/api/v1/{path}")), &format!("Bearer {TOKEN}"), body)
    }

    /// `DELETE` below `/api/v1`.
    #[must_use]
    pub fn delete(&self, path: &str) -> (u16, Value) {
        http::delete(&self.at(&format!("/api/v1/{path}")), &format!("Bearer {TOKEN}"))
    }

    /// Runs a command of the program against it; its exit code, output and complaints.
    ///
    /// # Panics
    /// When the program cannot be run.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(program());
        command.args(words).env("STANDPIPE_ADMIN_TOKEN", TOKEN).env("STANDPIPE_URL", self.at(""));
        let out = command.output().expect("the program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    /// Every item of a paged list.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let join = if path.contains('?') { '&' } else { '?' };
        for page in 1.. {
            let answer = self.get(&format!("{path}{join}page={page}&per_page=1000"));
            items.extend(answer["items"].as_array().cloned().unwrap_or_default());
            if page >= answer["pages"].as_i64().unwrap_or(1) {
                break;
            }
        }
        items
    }

    /// Waits for an incident that pleases `wanted`.
    pub fn incident(&self, what: &str, within: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, within, || self.list("incidents").into_iter().find(&wanted))
    }

    /// The ledger's sums over all devices: expected, received, duplicate, late, missing.
    #[must_use]
    pub fn ledger(&self) -> [i64; 5] {
        let mut sums = [0; 5];
        for row in self.list("ledger") {
            let names = ["expected", "received", "duplicate", "late", "missing"];
            for (sum, name) in sums.iter_mut().zip(names) {
                *sum += row[name].as_i64().unwrap_or(0);
            }
        }
        sums
    }
}
