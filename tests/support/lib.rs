//! Real parts for the tests: a mosquitto, an InfluxDB 2, the gateway's own binary, and clients
//! that speak to them as devices and stations do.
//!
//! Every server listens on a loopback port that was free a moment before, keeps its files in a
//! temporary folder, and is ended by its process id when its handle is dropped.

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

pub mod board_town;
pub mod broker;
pub mod browser;
pub mod client;
pub mod dashboards;
pub mod deployed;
pub mod gateway;
pub mod grafana;
pub mod http;
pub mod influx;
pub mod load;
pub mod modbus;
pub mod modem;
pub mod night;
pub mod process;
pub mod provisioning;
pub mod qemu;
pub mod receiver;
pub mod secure;
pub mod shape;
pub mod small_disk;
pub mod station;
pub mod town;
pub mod wall_clock;

use std::time::{Duration, Instant, SystemTime};

/// Unix milliseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests live in real time")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A stop-watch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests live in real time")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Within this an incident is closed that a person ended: for 30 s they can take it back.
pub const CLOSES: Duration = Duration::from_secs(45);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none in time: `what` says what was waited for.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = instant();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "waited {within:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
