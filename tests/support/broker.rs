//! A real mosquitto, persistent, on a port of its own.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, free_port, server};
use crate::wait_for;

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    process: Process,
    pub port: u16,
    dir: PathBuf,
}

impl Broker {
    /// Starts one whose files are in `dir`, which lets everybody in and keeps what it is given.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        Self::with(dir, "allow_anonymous true\npersistence true\n")
    }

    /// Starts one with these lines about whom to let in and what to keep.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with(dir: &Path, lines: &str) -> Self {
        let port = free_port();
        let dir = dir.join("broker");
        std::fs::create_dir_all(&dir).expect("a folder");
        let config = format!(
            "listener {port} 127.0.0.1\nuser root\n{lines}\npersistence_location {}/\n\
             autosave_interval 1800\nautosave_on_changes false\nmax_queued_messages 0\n\
             max_queued_bytes 0\nmax_inflight_messages 1000\nset_tcp_nodelay true\n\
             message_size_limit 0\nlog_type error\nlog_type warning\nlog_type notice\n",
            dir.display()
        );
        std::fs::write(dir.join("mosquitto.conf"), config).expect("a file");
        let process = Self::run(&dir, port);
        Self { process, port, dir }
    }

    fn run(dir: &Path, port: u16) -> Process {
        let mut command = Command::new(server("mosquitto"));
        command.arg("-c").arg(dir.join("mosquitto.conf"));
        let process = Process::start(&mut command, &dir.join("log"));
        wait_for("mosquitto", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        process
    }

    /// Where it is, as the gateway's configuration says it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Stops it in good order, so that what it holds is on disk.
    pub fn stop(&mut self) {
        self.process.signal("TERM");
        let process = &mut self.process;
        wait_for("mosquitto to stop", Duration::from_secs(10), || process.ended());
    }

    /// Sends it a signal, such as `STOP`: it hangs, and nobody is told.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port with what it had on disk.
    pub fn start_again(&mut self) {
        self.process = Self::run(&self.dir, self.port);
    }

    /// CPU seconds and peak MiB.
    #[must_use]
    pub fn used(&self) -> (f64, f64) {
        self.process.used()
    }
}
