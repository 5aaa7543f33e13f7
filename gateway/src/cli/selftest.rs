//! `standpipe selftest`: whether an alarm still reaches every station.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use standpipe_config::{ClientCertificate, Config, Secret};
use standpipe_machine::clock::Clock;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;
use standpipe_rules::Ms;
use standpipe_rules::selftest::SELFTEST;
use standpipe_transport::mqtt::{Broker, LinkError};

use super::daily::Daily;
use super::gateway::{GatewayArgs, GatewayClient, word};
use super::{Failure, config};
use crate::selftest::{self, SelftestOutcome, page};

/// How often a station's detector has to be heard, s: after three days without a test its station is
/// told that it is offline.
const INTERVAL_S: u32 = 86_400;

/// Sends every station a test alarm through the whole chain, and pages the webhooks when one does
/// not arrive or a station's terminal is gone. A timer runs it every day, or `--daily` does.
#[derive(Debug, clap::Args)]
pub struct SelftestArgs {
    /// The gateway's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder `selftest` of `standpipe provision`; without it, as the gateway itself.
    #[arg(long, value_name = "FOLDER")]
    credentials: Option<PathBuf>,
    /// Write the outcome here for Prometheus' node exporter.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    daily: Daily,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Tests every station, and pages about those whose alarm did not arrive.
///
/// # Errors
/// [`Failure::Failed`] when a station can't be reached.
pub fn run(args: &SelftestArgs) -> Result<(), Failure> {
    args.daily.run(&args.config, || once(args))
}

fn once(args: &SelftestArgs) -> Result<(), Failure> {
    let mut config = config::required(&args.config)?;
    if let Some(folder) = &args.credentials {
        borrow(&mut config, folder)?;
    }
    let broker = Broker::of(&config.mqtt).map_err(|bad| Failure::Configuration(bad.to_string()))?;
    let gateway = args.gateway.gateway()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|bad| Failure::Failed(format!("no runtime ({bad})")))?;
    let clock = Clock::new();
    let tested = stations(&gateway).and_then(|stations| {
        let all = selftest::run(&broker, &config.mqtt.root, &stations, &clock);
        runtime.block_on(all).map_err(|bad: LinkError| Failure::Failed(bad.to_string()))
    });
    // The chain itself is broken: that concerns every station, and is told as of the gateway.
    let outcomes = tested.unwrap_or_else(|bad| {
        let (Failure::Failed(why) | Failure::Configuration(why)) = bad;
        tracing::error!("{why}");
        vec![SelftestOutcome { station: "gateway".into(), took: None, terminal: false }]
    });
    let now = clock.now();
    runtime.block_on(async {
        tell(&config, &outcomes, now).await;
        record(&config, &outcomes, now).await;
    });
    if let Some(file) = &args.metrics {
        let written = write(file, metrics(&outcomes).as_bytes(), ReadableBy::All);
        written.map_err(|bad| Failure::Failed(bad.to_string()))?;
    }
    for outcome in &outcomes {
        super::say(&told(outcome));
    }
    match outcomes.iter().filter(|outcome| !outcome.passed()).count() {
        0 => Ok(()),
        bad => Err(Failure::Failed(format!(
            "{bad} of {} can't be reached: see the lines above",
            outcomes.len()
        ))),
    }
}

/// Every station of a running gateway; those without a detector for the test are given one.
fn stations(gateway: &GatewayClient) -> Result<Vec<Box<str>>, Failure> {
    let stations = gateway.list(&["stations"])?;
    for station in &stations {
        let id = standpipe_rules::selftest::detector(word(station, "id"));
        let path = ["devices", &*id];
        if gateway.ask(Method::GET, &path, None).is_ok() {
            continue;
        }
        let place = |name| station.get(name).cloned().unwrap_or(Value::Null);
        let detector = json!({
            "kind": "smoke", "name": "自检 Self-test", "address": "自检 Self-test",
            "station": word(station, "id"), "profile": "smoke_site", "interval_s": INTERVAL_S,
            "lat": place("lat"), "lon": place("lon"),
        });
        gateway.ask(Method::PUT, &path, Some(&detector))?;
    }
    Ok(stations.iter().map(|station| word(station, "id").into()).collect())
}

/// Certificates that may send test alarms, which the gateway's may not.
fn borrow(config: &mut Config, folder: &Path) -> Result<(), Failure> {
    let read = |name: &str| {
        let path = folder.join(name);
        small_file::read(&path, small_file::USUAL).map_err(|bad| {
            Failure::Configuration(format!(
                "{}: {bad}: name the folder `{SELFTEST}` of standpipe provision",
                path.display()
            ))
        })
    };
    let key = String::from_utf8_lossy(&read("selftest.key")?).into_owned();
    let certificate = read("selftest.pem")?;
    config.mqtt.ca = Some(read("ca.pem")?);
    config.mqtt.client = Some(ClientCertificate { certificate, key: Secret::new(key) });
    (config.mqtt.username, config.mqtt.password) = (None, None);
    Ok(())
}

async fn tell(config: &Config, outcomes: &[SelftestOutcome], now: Ms) {
    let bad: Vec<SelftestOutcome> =
        outcomes.iter().filter(|outcome| !outcome.passed()).cloned().collect();
    for name in page::tell(&config.webhooks, &config.http.desk(), &bad, now).await {
        tracing::error!("webhook {name} was not told: tell its people by other means");
    }
}

/// The outcome as records, where history keeps them.
async fn record(config: &Config, outcomes: &[SelftestOutcome], now: Ms) {
    // The embedded history keeps none, and its file is the gateway's own.
    if config.influx.is_none() {
        return;
    }
    let records = outcomes.iter().map(|outcome| outcome.record(now)).collect();
    let written = match standpipe_series::open(config) {
        Ok(history) => match history.write_records(records, now) {
            Some(writing) => writing.await.map_err(|bad| bad.to_string()),
            None => return,
        },
        Err(bad) => Err(bad.to_string()),
    };
    match written {
        Ok(written) => written.refused.iter().for_each(|refused| {
            tracing::warn!(point = &*refused.point, "history refused: {}", refused.why);
        }),
        Err(bad) => tracing::warn!("the outcome is not in history: {bad}"),
    }
}

fn told(outcome: &SelftestOutcome) -> String {
    let took = match outcome.took {
        Some(took) => format!("{} ms", took.as_millis()),
        None => "no alarm".to_owned(),
    };
    let terminal = if outcome.terminal { "terminal there" } else { "no terminal" };
    format!("{}: {took}, {terminal}\n", outcome.station)
}

/// In Prometheus' words.
fn metrics(outcomes: &[SelftestOutcome]) -> String {
    let mut text = String::new();
    text.push_str("# TYPE standpipe_selftest_passed gauge\n");
    for outcome in outcomes {
        let (station, passed) = (&outcome.station, u8::from(outcome.passed()));
        let _ = writeln!(text, "standpipe_selftest_passed{{station=\"{station}\"}} {passed}");
    }
    text.push_str("# TYPE standpipe_selftest_seconds gauge\n");
    for (station, took) in
        outcomes.iter().filter_map(|outcome| Some((&outcome.station, outcome.took?)))
    {
        let seconds = took.as_secs_f64();
        let _ = writeln!(text, "standpipe_selftest_seconds{{station=\"{station}\"}} {seconds}");
    }
    text
}
