//! A real InfluxDB 2 with the configuration of `deploy/`, set up with one organisation and the two
//! buckets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::deployed::deploy;
use crate::http;
use crate::process::{Process, free_port, server};
use crate::wait_for;

/// Its administrator's token.
pub const TOKEN: &str = "standpipe-test-token";
/// Its organisation.
pub const ORG: &str = "standpipe";

/// A row of an answer: its columns by name.
pub type InfluxRow = std::collections::HashMap<String, String>;

/// A running InfluxDB.
#[derive(Debug)]
pub struct Influx {
    process: Process,
    port: u16,
    dir: PathBuf,
}

impl Influx {
    /// Starts one whose files are in `dir`, with buckets `standpipe` and `standpipe_1h`.
    ///
    /// # Panics
    /// When it does not start or cannot be set up.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        let influx = Self::bare(dir);
        let setup = json!({
            "username": "admin", "password": "standpipe-test", "org": ORG,
            "bucket": "standpipe", "token": TOKEN, "retentionPeriodSeconds": 0,
        });
        let (status, answer) = http::post(&influx.at("/api/v2/setup"), "", &setup);
        assert_eq!(status, 201, "{answer}");
        let org = answer["org"]["id"].clone();
        let bucket = json!({"orgID": org, "name": "standpipe_1h", "retentionRules": []});
        let (status, answer) = http::post(&influx.at("/api/v2/buckets"), &token(), &bucket);
        assert_eq!(status, 201, "{answer}");
        std::fs::write(influx.token_file(), TOKEN).expect("a file");
        influx
    }

    /// Starts one whose files are in `dir`, which nobody has set up.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn bare(dir: &Path) -> Self {
        let (port, dir) = (free_port(), dir.join("influx"));
        std::fs::create_dir_all(&dir).expect("a folder");
        Self { process: Self::run(&dir, port), port, dir }
    }

    fn run(dir: &Path, port: u16) -> Process {
        let mut command = Command::new(server("influxd"));
        // It reads `INFLUXD_*` from the environment.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INFLUXD_")) {
            command.env_remove(name);
        }
        command
            .current_dir(dir)
            .env("HOME", dir)
            .env("INFLUXD_CONFIG_PATH", deploy().join("influxdb/config.toml"))
            .arg("--bolt-path")
            .arg(dir.join("bolt"))
            .arg("--sqlite-path")
            .arg(dir.join("sqlite"))
            .arg("--engine-path")
            .arg(dir.join("engine"))
            .args(["--http-bind-address", &format!("127.0.0.1:{port}")])
            .args(["--reporting-disabled", "--log-level", "error"]);
        let process = Process::start(&mut command, &dir.join("log"));
        wait_for("InfluxDB", Duration::from_secs(60), || {
            http::try_get(&format!("http://127.0.0.1:{port}/health"), "")
                .filter(|(status, _)| *status == 200)
        });
        process
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        self.url() + path
    }

    /// A file with the token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.dir.join("token")
    }

    /// The `[influx]` section of a gateway that writes here.
    #[must_use]
    pub fn section(&self) -> String {
        format!(
            "[influx]\nurl = \"{}\"\norg = \"{ORG}\"\ntoken_file = \"{}\"\nbucket = \"standpipe\"\n",
            self.url(),
            self.token_file().display()
        )
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        self.process.signal("INT");
        let process = &mut self.process;
        wait_for("influxd to stop", Duration::from_secs(60), || process.ended());
    }

    /// Starts it again with what it had.
    pub fn start_again(&mut self) {
        self.process = Self::run(&self.dir, self.port);
    }

    /// The rows that a Flux query answers, as annotated CSV without the annotations.
    ///
    /// # Panics
    /// When the query is refused.
    #[must_use]
    pub fn query(&self, flux: &str) -> Vec<InfluxRow> {
        self.query_as(TOKEN, flux).unwrap_or_else(|bad| panic!("{flux}: {bad}"))
    }

    /// The same for whoever has a token.
    ///
    /// # Errors
    /// What InfluxDB says when it refuses.
    pub fn query_as(&self, token: &str, flux: &str) -> Result<Vec<InfluxRow>, String> {
        let body = json!({"query": flux, "type": "flux", "dialect": {"annotations": []}});
        let url = self.at(&format!("/api/v2/query?org={ORG}"));
        let (status, text) = http::post_text(&url, &format!("Token {token}"), &body);
        // What goes wrong on the way is told in the answer.
        if status != 200 || text.starts_with("error,") || text.contains("\r\nerror,") {
            return Err(format!("{status}: {text}"));
        }
        let mut rows = Vec::new();
        for table in text.split("\r\n\r\n").filter(|table| !table.trim().is_empty()) {
            let mut reader = csv::Reader::from_reader(table.as_bytes());
            rows.extend(reader.deserialize().filter_map(Result::ok));
        }
        Ok(rows)
    }

    /// How many points of one field of a measurement there are.
    #[must_use]
    pub fn count(&self, measurement: &str, field: &str) -> u64 {
        let rows = self.query(&format!(
            "from(bucket: \"standpipe\") |> range(start: 0, stop: 2100-01-01T00:00:00Z) \
             |> filter(fn: (r) => r._measurement == \"{measurement}\" and r._field == \"{field}\") \
             |> group() |> count()"
        ));
        rows.iter().filter_map(|row| row.get("_value")?.parse::<u64>().ok()).sum()
    }

    /// CPU seconds and peak MiB.
    #[must_use]
    pub fn used(&self) -> (f64, f64) {
        self.process.used()
    }
}

fn token() -> String {
    format!("Token {TOKEN}")
}
