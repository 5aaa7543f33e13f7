//! `standpipe-simulator`: a town of devices that publishes to any broker.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::Parser;
use standpipe_simulator::publish::{Voice, speak};
use standpipe_simulator::{Ms, RegistryCsv, Town, TownPlan, TownScript};

/// A town of simulated hydrants and smoke detectors that publishes over MQTT.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The broker: mqtt://[user:password@]host:port
    #[arg(long, required_unless_present = "write_registry")]
    url: Option<String>,
    /// How many devices
    #[arg(long, default_value_t = 200)]
    devices: usize,
    /// The same seed is the same town
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Root of all topics
    #[arg(long, default_value = standpipe_shared::ROOT)]
    root: String,
    /// Seconds between two readings of a device
    #[arg(long, default_value_t = 10)]
    interval: u32,
    /// Seconds between two samples of a device
    #[arg(long, default_value_t = 2)]
    sample: u32,
    /// Real seconds that a day with its thirsty hours lasts
    #[arg(long, default_value_t = 86_400)]
    day: u32,
    /// Nothing happens: readings only
    #[arg(long)]
    quiet: bool,
    /// MQTT connections
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Ends after so many seconds; without it, at Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
    /// Writes stations.csv and devices.csv there first; without --url, only that
    #[arg(long, value_name = "DIR")]
    write_registry: Option<PathBuf>,
}

/// Exit code of wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    if let Some(url) = &arguments.url
        && !url.starts_with("mqtt://")
    {
        eprintln!("--url `{url}` is no broker: use mqtt://[user:password@]host:port");
        return ExitCode::from(USAGE);
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(bad) => {
            eprintln!("{bad:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut town = Town::new(arguments.seed, plan(&arguments));
    if let Some(dir) = &arguments.write_registry {
        let RegistryCsv { stations, devices } = town.registry();
        for (name, text) in [("stations.csv", stations), ("devices.csv", devices)] {
            let path = dir.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}: check the folder", path.display()))?;
        }
    }
    let Some(url) = arguments.url else { return Ok(()) };
    let voice = Voice { url, root: arguments.root, connections: arguments.connections };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = ended(arguments.seconds);
    let confirmed = runtime.block_on(speak(&mut town, &voice, now, stop, |told| {
        println!("{}  {}", told.zh, told.en);
    }));
    println!("{} messages confirmed", confirmed.context("bad --url: use mqtt://host:port")?);
    Ok(())
}

fn plan(arguments: &Arguments) -> TownPlan {
    let start = now();
    TownPlan {
        devices: arguments.devices,
        start,
        interval_s: arguments.interval,
        sample_s: arguments.sample,
        day_s: arguments.day,
        // Grows from start to start, as a device's count in its flash does.
        first_boot: u32::try_from(start / 1_000).unwrap_or(1),
        script: if arguments.quiet { TownScript::Quiet } else { TownScript::Eventful },
    }
}

async fn ended(seconds: Option<u64>) {
    let after = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(std::time::Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = after => {}
        // Without a signal handler only the time ends it.
        done = tokio::signal::ctrl_c() => if done.is_err() { std::future::pending().await },
    }
}

/// Unix milliseconds: the one place here that asks the time.
#[expect(clippy::disallowed_methods, reason = "this program's own clock")]
fn now() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ms::try_from(since.as_millis()).unwrap_or(Ms::MAX)
}
