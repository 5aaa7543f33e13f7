//! `standpipe run`: the gateway, until somebody ends it.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;
use standpipe_machine::Machine;
use standpipe_store::lost::Choice;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, config};
use crate::run::{self, Running, StartError};

/// How often a running gateway is asked whether part of it has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs the gateway until Ctrl-C or SIGTERM.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Go on with the store as it is, where another one was that is lost.
    #[arg(long)]
    new_store: bool,
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// [`Failure`] when it does not start, or ends by itself.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let (mut config, faults) = config::to_start_with(&args.config)?;
    if args.new_store {
        config.store.choice = Choice::NewStore;
    }
    let broker = config.mqtt.broker.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|bad| Failure::Failed(format!("no runtime ({bad})")))?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(|bad| Failure::Failed(format!("no signals ({bad})")))?
    };
    let running = run::start_despite(config, faults.as_ref(), Machine::new());
    let running = running.map_err(|bad| not_started(&bad))?;
    let (http, scheme) = (running.http(), if broker.tls { "mqtts" } else { "mqtt" });
    tracing::info!("running: http://{http}, {scheme}://{}:{}", broker.host, broker.port);
    manager(NotifyState::Ready);
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = end(&running, signals) => ended,
            never = pulse(&running) => match never {},
        }
    });
    manager(NotifyState::Stopping);
    let stopped = running.stop();
    match (ended, stopped) {
        (Err(why), _) => Err(Failure::Failed(why)),
        (Ok(()), true) => Ok(()),
        (Ok(()), false) => Err(Failure::Failed(
            "not everything ended in time: what was not confirmed is retried at the next start"
                .into(),
        )),
    }
}

/// Tells what a person can correct in the configuration from what failed otherwise.
pub(super) fn not_started(bad: &StartError) -> Failure {
    match bad {
        StartError::Open(_) | StartError::Broker(_) | StartError::Registry(_) => {
            Failure::Configuration(bad.to_string())
        }
        StartError::Store(_)
        | StartError::Accounts(_)
        | StartError::Secret(_)
        | StartError::Metrics(_)
        | StartError::Thread(_) => Failure::Failed(bad.to_string()),
    }
}

/// Ctrl-C and SIGTERM, heard from the moment this is made.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Within a runtime.
    fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }
}

/// Tells the service manager, if one started us.
fn manager(state: NotifyState) {
    if let Err(bad) = sd_notify::notify(&[state]) {
        tracing::warn!("the service manager was not told ({bad})");
    }
}

/// Tells the service manager that the gateway lives, as long as it does; one that waits for that
/// starts it anew otherwise.
async fn pulse(running: &Running) -> Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else { return pending().await };
    loop {
        tokio::time::sleep(patience / 4).await;
        if running.alive(patience / 4).await {
            manager(NotifyState::Watchdog);
        }
    }
}

/// Waits until somebody asks for the end, or a part ended by itself.
async fn end(running: &Running, mut signals: Signals) -> Result<(), String> {
    loop {
        tokio::select! {
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.terminate.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(part) = running.ended_early() {
                    return Err(format!("{part} ended by itself: see the lines above"));
                }
            }
        }
    }
}
