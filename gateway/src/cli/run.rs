//! `standpipe run`: the gateway, until somebody ends it.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;
use standpipe_machine::Machine;
use standpipe_store::lost::Choice;
use standpipe_transport::lease::{LeaseKeeper, TwinView};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, config};
use crate::run::{self, Running, StartError};
use crate::twins::{Among, Told, stands_back};

/// How often a running gateway is asked whether part of it has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const NOT_IN_TIME: &str =
    "not everything ended in time: what was not confirmed is retried at the next start";

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
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(|bad| Failure::Failed(format!("no signals ({bad})")))?
    };
    let mut lease = None;
    loop {
        let among = Among::Twins(lease.take());
        let started = run::start_despite((config.clone(), faults.as_ref()), among, Machine::new());
        let mut running = match started {
            Ok(running) => running,
            Err(StartError::StandsBack(keeper)) => {
                tracing::error!("{}", stands_back(&keeper.view()));
                manager(NotifyState::Ready);
                match runtime.block_on(stand_back(&keeper, &mut signals)) {
                    Back::Ended => return Ok(()),
                    Back::TakesOver => lease = Some(keeper),
                }
                tracing::warn!("the other gateway is not heard any more: this one takes over");
                continue;
            }
            Err(bad) => return Err(not_started(&bad)),
        };
        let (http, scheme) = (running.http(), if broker.tls { "mqtts" } else { "mqtt" });
        tracing::info!("running: http://{http}, {scheme}://{}:{}", broker.host, broker.port);
        manager(NotifyState::Ready);
        let ended = runtime.block_on(async {
            tokio::select! {
                ended = end(&running, &mut signals) => ended,
                never = pulse(&running) => match never {},
            }
        });
        match ended {
            End::StoodBack => lease = running.take_lease(),
            End::Asked | End::ByItself(_) => manager(NotifyState::Stopping),
        }
        let stopped = running.stop();
        match (ended, stopped) {
            (End::StoodBack, _) => {}
            (End::ByItself(why), _) => return Err(Failure::Failed(why)),
            (End::Asked, true) => return Ok(()),
            (End::Asked, false) => return Err(Failure::Failed(NOT_IN_TIME.into())),
        }
    }
}

/// Why a gateway does not run any more.
enum End {
    /// Somebody asked for it.
    Asked,
    /// A part of it ended by itself.
    ByItself(String),
    /// Another gateway on a copy of its store pages.
    StoodBack,
}

/// What ends the standing back.
enum Back {
    Ended,
    TakesOver,
}

/// Waits until this gateway is to page, or somebody asks for the end.
async fn stand_back(lease: &LeaseKeeper, signals: &mut Signals) -> Back {
    let alive = async {
        let Some(patience) = sd_notify::watchdog_enabled() else { return pending().await };
        loop {
            tokio::time::sleep(patience / 4).await;
            manager(NotifyState::Watchdog);
        }
    };
    tokio::select! {
        () = signals.come() => Back::Ended,
        () = lease.wait_until(TwinView::holds) => Back::TakesOver,
        () = alive => Back::Ended,
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
        | StartError::StandsBack(_)
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

    /// Returns when one of them has come.
    async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
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

/// Waits until somebody asks for the end, a part ended by itself, or another gateway is to page.
async fn end(running: &Running, signals: &mut Signals) -> End {
    let mut told = Told::default();
    loop {
        tokio::select! {
            () = signals.come() => return End::Asked,
            () = running.stands_back() => return End::StoodBack,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(part) = running.ended_early() {
                    return End::ByItself(format!("{part} ended by itself: see the lines above"));
                }
            }
        }
        running.tell(&mut told);
    }
}
