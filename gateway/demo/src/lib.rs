//! `standpipe demo`: everything in one process, on embedded parts. A broker, a simulated town,
//! the whole gateway as `standpipe run` starts it, and duty officers who answer.
//!
//! ```text
//! town (simulator) ─▶ broker (rumqttd, loopback TCP) ◀─▶ gateway ─▶ its store, history and API
//!                           ▲ │ stations' topics
//!                     desk ─┘ ▼  words (told to people), officers (who answer)
//! ```
//!
//! All files are in one folder, which is removed at the end unless it was given. Not here: a
//! broker, a history or a town for production.

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

mod broker;
mod desk;
mod folder;
mod officer;
mod words;

use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use desk::TerminalDesk;
use folder::Folder;
use jiff::tz::TimeZone;
use standpipe_config::{self as config, Config, HttpDoor};
use standpipe_machine::Machine;
use standpipe_machine::clock::Clock;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_simulator::publish::{Voice, speak};
use standpipe_simulator::{Town, TownPlan};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use words::{Colour, DemoSummary, LineStyle, Teller};

/// What is logged without `RUST_LOG`: the demonstration tells its own story, and its broker calls
/// every goodbye an error.
pub const LOG: &str = "warn,rumqttd=off,standpipe_transport::limit=off";
/// Tried first when no port is asked for.
const USUAL_PORT: u16 = 8080;
/// MQTT connections of the town.
const CONNECTIONS: usize = 4;
/// The gateway has this long to stop after Ctrl-C, with the town's farewell within two seconds.
const GRACE: Duration = Duration::from_millis(1_400);

/// What can be said on the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArguments {
    /// How many simulated devices
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub devices: u16,
    /// Port of the API on 127.0.0.1; without it, 8080 or any free one
    #[arg(long)]
    pub port: Option<u16>,
    /// Keeps all files in this folder, and goes on from them next time
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The same seed is the same town with the same fires
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Another program listens there.
    #[error("port {port} of 127.0.0.1 is taken ({bad}): give another one with --port, or none")]
    Port { port: u16, bad: std::io::Error },
    /// Its files cannot be written.
    #[error("cannot write to {} ({bad}): give another folder with --data", folder.display())]
    Folder { folder: PathBuf, bad: std::io::Error },
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] broker::BrokerError),
    /// The files it wrote itself were not understood: only a `--data` folder can do that.
    #[error("{0}")]
    Config(#[from] config::ConfigFaults),
    /// The gateway did not start.
    #[error(transparent)]
    Gateway(Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no thread, signal or socket.
    #[error("cannot start ({0}): free some memory or threads")]
    Io(#[from] std::io::Error),
    /// The town has no broker to speak to.
    #[error("the town cannot speak ({0}): report this as a fault of standpipe")]
    Town(#[from] rumqttc::v5::OptionError),
}

impl DemoError {
    /// 2: wrong usage; 1: it failed.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Port { .. } | Self::Folder { .. } | Self::Config(_) => 2,
            Self::Broker(_) | Self::Gateway(_) | Self::Io(_) | Self::Town(_) => 1,
        }
    }
}

/// A gateway that runs, however it was started.
pub trait StartedGateway: Send + 'static {
    /// Where its console is.
    fn http(&self) -> SocketAddr;
    /// Stops it; whether it ended in time.
    fn stop(self) -> bool;
}

/// Runs until Ctrl-C or SIGTERM. `start` starts the gateway as it runs for a station.
///
/// # Errors
/// [`DemoError`]: it could not start.
pub fn run<G: StartedGateway, E>(
    arguments: &DemoArguments,
    start: impl FnOnce(Config, Machine) -> Result<G, E>,
) -> Result<(), DemoError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let machine = Machine::new();
    let clock = machine.clock.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before there is anything to be left behind.
    let asked_to_end = {
        let _inside = runtime.enter();
        asked_to_end()?
    };
    let port = free_port(arguments.port)?;
    let folder = Folder::open(arguments.data.as_deref())?;
    let broker = broker::start()?;
    let begun = clock.now();
    let mut town = Town::new(arguments.seed, plan(arguments, begun));
    let config = folder.write(&town.registry(), broker, port)?;
    let mut config = Config::load(&config, None)?;
    config.http.door = HttpDoor::ThisMachine;
    let root = config.mqtt.root.clone();
    let gateway = start(config, machine).map_err(|bad| DemoError::Gateway(bad.into()))?;
    let scene = DemoScene { broker, http: gateway.http(), root, clock };
    say(&[scene.welcome(arguments, &folder)]);
    let counted = runtime.block_on(scene.play(&mut town, asked_to_end));
    let ended = end(gateway);
    let (sent, summary) = counted?;
    say(&[scene.farewell(begun, sent, &summary, ended)]);
    drop(runtime);
    folder.close();
    Ok(())
}

fn plan(arguments: &DemoArguments, start: Ms) -> TownPlan {
    // A town kept in --data starts again with a higher boot, as devices do.
    let first_boot = u32::try_from(start / 1_000).unwrap_or(1);
    TownPlan { devices: arguments.devices.into(), start, first_boot, ..TownPlan::default() }
}

/// The port asked for, or the usual one, or any. Free now, which is all that can be known.
fn free_port(wanted: Option<u16>) -> Result<u16, DemoError> {
    let free = |port| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.local_addr().map(|address| address.port())
    };
    match wanted {
        Some(port) => free(port).map_err(|bad| DemoError::Port { port, bad }),
        None => Ok(free(USUAL_PORT).or_else(|_| free(0))?),
    }
}

/// Stops the gateway; whether it did in time.
fn end(gateway: impl StartedGateway) -> bool {
    let (done, waits) = std::sync::mpsc::sync_channel(1);
    let stopping = threads::start("demo-end", move || {
        let in_time = gateway.stop();
        let _ = done.send(in_time); // nobody waits any more: then nobody needs to know
    });
    stopping.is_ok() && waits.recv_timeout(GRACE).unwrap_or(false)
}

/// Prints lines; a reader that has gone is no reason to stop.
fn say(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

/// What is played, and where.
struct DemoScene {
    broker: SocketAddr,
    http: SocketAddr,
    root: Box<str>,
    clock: Clock,
}

impl DemoScene {
    /// The town, its terminals and its officers, until somebody ends it.
    async fn play(
        &self,
        town: &mut Town,
        asked_to_end: impl Future<Output = ()>,
    ) -> Result<(u64, DemoSummary), DemoError> {
        let names = town.stations().map(|(id, name)| (id.into(), name.into())).collect();
        let stations: Vec<_> = town.stations().map(|(id, _)| id).collect();
        let colour = if std::io::stdout().is_terminal() { Colour::On } else { Colour::Off };
        let mut teller = Teller::new(names, TimeZone::system(), colour);
        let page = LineStyle { zone: TimeZone::system(), colour };
        let (connection, mut terminals) =
            TerminalDesk::new(self.broker, &self.root, self.clock.clone()).split();
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        terminals.switch_on(&stations).await;
        let voice = Voice {
            url: format!("mqtt://{}", self.broker),
            root: self.root.to_string(),
            connections: CONNECTIONS,
        };
        let stop = CancellationToken::new();
        let clock = || self.clock.now();
        let stopped = stop.clone().cancelled_owned();
        let speaking = speak(town, &voice, clock, stopped, |told| say(&[page.world(told)]));
        let serving = terminals.serve(&mut teller, |lines| say(&lines));
        let ending = async {
            asked_to_end.await;
            stop.cancel();
        };
        // The terminals listen as long as the town speaks; the town speaks until it is stopped.
        let (sent, ()) = tokio::select! {
            both = async { tokio::join!(speaking, ending) } => both,
            () = serving => (Ok(0), ()),
        };
        Ok((sent?, teller.summary))
    }

    fn welcome(&self, arguments: &DemoArguments, folder: &Folder) -> String {
        let (devices, http, broker) = (arguments.devices, self.http, self.broker);
        let kept = match folder {
            Folder::Temporary(_) => "removed at the end 结束时删除",
            Folder::Kept(_) => "kept 保留",
        };
        format!(
            "Standpipe demo 演示 · {devices} simulated devices in Banan 巴南模拟设备 {devices} 台 · \
             not a certified alarm system 非认证报警系统\n\
             \n  look here 请看   http://{http}/\n\
             \n    curl http://{http}/api/v1/incidents\n    \
             curl http://{http}/api/v1/devices/H-0002\n    \
             curl 'http://{http}/api/v1/devices/H-0002/history?field=pressure_kpa&step=0'\n    \
             curl -N http://{http}/api/v1/stream\n    \
             curl http://{http}/metrics\n\
             \n  broker 消息代理  mqtt://{broker}  (topics 主题 {root}/#)\n  \
             files 文件       {}  ({kept})\n  \
             Ctrl-C ends it 按 Ctrl-C 结束\n",
            folder.path().display(),
            root = self.root,
        )
    }

    fn farewell(&self, start: Ms, sent: u64, summary: &DemoSummary, in_time: bool) -> String {
        let DemoSummary { incidents, fires, pages, acknowledged, closed } = summary;
        let seconds = (self.clock.now() - start) / 1_000;
        let late =
            if in_time { "" } else { "\nthe gateway did not stop in time 网关未及时停止" };
        format!(
            "\nin {seconds} s: {sent} messages, {incidents} incidents ({fires} fires), {pages} pages, \
             {acknowledged} acknowledged, {closed} closed\n\
             {seconds} 秒内：消息 {sent} 条，事件 {incidents} 起（火警 {fires} 起），通知 {pages} 次，\
             接警 {acknowledged} 次，结案 {closed} 起{late}"
        )
    }
}

/// Listens for Ctrl-C, and SIGTERM where there is such a thing, from now on; inside a runtime.
fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c()?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}
