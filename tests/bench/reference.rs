//! `mosquitto_sub -q 1` on the same load: a subscriber that does nothing, so the broker's limit.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use standpipe_tests::broker::Broker;
use standpipe_tests::load::{self, Fleet, Load};
use standpipe_tests::process::{Process, server};
use standpipe_tests::{instant, wait_for};

use crate::site::Connections;

/// What it did.
#[derive(Clone, Copy, Debug)]
pub struct Idler {
    /// Messages a second.
    pub rate: f64,
    /// CPU seconds for a million messages.
    pub cpu: f64,
}

/// Lets it receive `total` messages sent at `per_second` over a broker of its own.
///
/// # Panics
/// When it does not get them all.
#[must_use]
pub fn idler(
    dir: &Path,
    (devices, connections): (u64, Connections),
    total: u64,
    per_second: f64,
) -> Idler {
    let dir = dir.join(format!("idler-{per_second:.0}"));
    std::fs::create_dir_all(&dir).expect("a folder");
    let broker = Broker::start(&dir);
    let mut command = Command::new("bash");
    // bash's `time` says what the child used, down to a millisecond.
    command
        .arg("-c")
        .arg("TIMEFORMAT='%3U %3S'; time \"$0\" -i idler -p \"$1\" -q 1 -t \"$2\" -C \"$3\" >/dev/null")
        .arg(server("mosquitto_sub"))
        .args([&broker.port.to_string(), "standpipe/v1/+/+/telemetry", &total.to_string()]);
    let log = dir.join("log");
    let mut process = Process::start(&mut command, &log);
    wait_for("mosquitto_sub to connect", Duration::from_secs(10), || {
        let said = std::fs::read_to_string(dir.join("broker/log")).unwrap_or_default();
        said.contains("as idler").then_some(())
    });
    // Its subscription comes after the welcome.
    std::thread::sleep(Duration::from_millis(300));
    let start = match connections {
        Connections::One => {
            let mut load = Load::connect(broker.port, "hydrants");
            let start = instant();
            load::readings(&mut load, devices, (1, total), per_second, |_, _| ());
            start
        }
        Connections::Each => {
            let mut load = Fleet::connect(broker.port, "hydrant", devices);
            let start = instant();
            load::readings(&mut load, devices, (1, total), per_second, |_, _| ());
            start
        }
    };
    let code = wait_for("mosquitto_sub", Duration::from_secs(120), || process.ended());
    let took = start.elapsed().as_secs_f64();
    let printed = process.printed();
    assert_eq!(code, 0, "{printed}");
    let used: f64 = printed.split_whitespace().filter_map(|it| it.parse::<f64>().ok()).sum();
    Idler { rate: total as f64 / took, cpu: used * 1e6 / total as f64 }
}
