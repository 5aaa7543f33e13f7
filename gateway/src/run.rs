//! Every queue and every task of the gateway on one screen ([`start`]), and how they end
//! ([`Running::stop`]).
//!
//! ```text
//! urgent sources ─── urgent ─▶ ┌────────┐ ─ receipts ▶ each source
//! bulk sources ────── bulk ──▶ │ engine │ ══ SQLite
//! API, senders, pump  urgent ▶ └────────┘ ── bells ─▶ senders, pump, stream
//! ```
//!
//! Each task has a thread of its own, so that none waits for another's work. Not here: what runs
//! where there is no gateway to run (`cli`), the town that speaks to it (`demo`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use standpipe_config::{Config, ConfigFaults, KeepConfig, StoreConfig};
use standpipe_engine::decoders::ChosenDecoders;
use standpipe_engine::entry::Opening;
use standpipe_engine::feed::{Feed, Port};
use standpipe_engine::health::{DegradedPart, Health, PartStatus, Trouble};
use standpipe_engine::source::{Inlet, SourceIx, Sources, receipts};
use standpipe_engine::{
    self, Engine, EngineHandle, Outlets, QueueLengths, Queues, Rings, bells, queues,
};
use standpipe_machine::Machine;
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::GRACE;
use standpipe_machine::output::complain;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_rules::registry::Registry;
use standpipe_rules::wire::decoder::{MAKERS, by_device};
use standpipe_series::Series;
use standpipe_series::pump;
use standpipe_series::records::Records;
use standpipe_store::accounts::{AccountError, Accounts, NoSecret, key};
use standpipe_store::lost::LostStore;
use standpipe_store::readers::Readers;
use standpipe_store::{KnownIds, Loaded, Reader, Store, StoreError};
use standpipe_transport::ingest::{self, Lane};
use standpipe_transport::mqtt::{BadBroker, Broker};
use standpipe_web::api::ApiState;
use standpipe_web::api::auth::{Access, AdminToken};
use standpipe_web::api::town::Town;
use standpipe_web::serve::{self, ServeError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::archive::{self, ArchiveSetup};
use crate::degraded::{self, Start, UnknownStation};
use crate::ids;
use crate::keep::stamp;
use crate::registry_files::{self, Untaken};

/// How often a stopping gateway looks whether a thread has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often an address that was taken is tried again.
const LISTEN_EVERY: Duration = Duration::from_secs(2);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody could reach a demonstration there.
    #[error(transparent)]
    Open(ServeError),
    /// The accounts cannot be kept.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// The system has no randomness to make a secret of.
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// `[mqtt]` cannot be used.
    #[error(transparent)]
    Broker(#[from] BadBroker),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files of `[registry]` can't be taken in, and nothing is stored that would do without.
    #[error("{0}")]
    Registry(Untaken),
    /// The metrics cannot be set up.
    #[error("metrics can't be kept ({0}): report this as a fault of standpipe")]
    Metrics(#[from] BuildError),
    /// The system starts no thread.
    #[error("no thread ({0}): free some memory, or raise the limit of threads")]
    Thread(#[from] io::Error),
}

/// Starts everything. Blocks while the store is loaded; needs no runtime around it.
///
/// # Errors
/// [`StartError`]; then nothing runs.
pub fn start(config: Config, machine: Machine) -> Result<Running, StartError> {
    start_despite(config, None, machine)
}

/// The same with a configuration of which something is at fault. What is not needed to page stops
/// nothing: it is replaced, and told ([`degraded`]).
///
/// # Errors
/// [`StartError`]; then nothing runs.
pub fn start_despite(
    mut config: Config,
    faults: Option<&ConfigFaults>,
    machine: Machine,
) -> Result<Running, StartError> {
    let clock = machine.clock.clone();
    let (http, listener) = listen(&config)?;
    let broker = Broker::of(&config.mqtt)?;
    let metrics = standpipe_web::metrics::install()?;
    let OpenedStore { store, mut loaded, gateway, untaken, unknown, known_ids, lost } =
        open(&mut config, &machine)?;
    standpipe_engine::came_back(&mut loaded, &clock.moment());
    let start = Start { config: &config, faults, machine: &machine, now: clock.now() };
    let mut troubles = vec![start.keys(), start.receivers(&unknown), start.rows(&loaded.skipped)];
    troubles.push((known_ids == KnownIds::Others).then(|| start.ids()));
    troubles.push(lost.map(|lost| start.store(&lost)));
    troubles.extend(untaken.map(|untaken| Some(registry_trouble(&untaken, start.now))));
    let (accounts, door) = accounts(&start, &mut troubles)?;
    let (series, trouble) = start.history();
    troubles.push(trouble);
    troubles.push(listener.as_ref().err().map(|bad| start.http(&bad.to_string())));
    let records = Records::of(Arc::clone(&series), Registry::new(config.profiles()));
    let root = config.mqtt.root.clone();

    let decoders = ChosenDecoders::of(loaded.world.registry().devices());
    let feeds = feeds(&broker, (&root, &gateway), &decoders, &clock);
    let sources: Sources = feeds.iter().map(|feed| feed.facts().clone()).collect();
    let health = Arc::new(Health::of(&sources));
    let (engine, queues) = queues(&sources); // to the engine: urgent and bulk
    let (bells, rings) = bells(); // from the engine: something waits to be sent
    let (receipts, inlets) = feeds.iter().map(|_| receipts()).unzip(); // … and: it is on disk
    let mut running = Running::new(http, engine.clone(), Arc::clone(&health));
    let with = With { path: config.store.path.clone(), engine, rings, clock, health };

    let (clock, health) = (with.clock.clone(), with.health.clone());
    let outlets = Outlets { clock, bells, receipts, health };
    let mut writer = Engine::new(store, loaded, &sources, with.clock.now());
    writer.tell_decoders(decoders);
    with.clock.doubt(writer.clock_is_doubted());
    with.health.degraded.report();
    troubles.into_iter().flatten().for_each(|trouble| with.health.degraded.set(trouble));
    with.health.chain.begin(with.clock.now());
    let stage = &mut running.engine;
    stage.threads.push(write(writer, queues, outlets, stage.stop.clone())?);

    let stage = &mut running.senders;
    let pages = with.pages(stage.stop.clone());
    let with_words = (&config.http.desk(), config.digest.hour(&config.http));
    let webhooks = standpipe_notify::webhook::start(pages.clone(), &config.webhooks, with_words)?;
    // Without webhooks it only empties the queues of earlier ones.
    let may_end = config.webhooks.is_empty();
    if may_end { &mut stage.brief } else { &mut stage.threads }.push(webhooks);
    stage.threads.push(standpipe_notify::device::start(
        pages.clone(),
        broker.clone(),
        &root,
        &gateway,
    )?);
    stage.threads.push(standpipe_notify::chain::start(
        pages.clone(),
        broker.clone(),
        &root,
        &gateway,
    )?);
    stage.threads.push(standpipe_notify::station::start(pages, broker, &root, &gateway)?);
    let archive = with.archive(config.keep, accounts.clone(), stage.stop.clone());
    stage.threads.push(archive::start(archive, &with.path)?);
    let to_history = with.pump(Arc::clone(&series), records, stage.stop.clone())?;
    stage.threads.push(pump::start(to_history)?);

    let stage = &mut running.sources;
    let state = with.api(&config, series, metrics, accounts, door);
    let listening = Listening { address: config.http.listen, listener: listener.ok() };
    stage.threads.push(serve(listening, state, stage.stop.clone())?);
    stage.listen(feeds, inlets, &with.engine)?;
    Ok(running)
}

/// Everything that brings messages: one line each.
fn feeds(
    broker: &Broker,
    (root, gateway): (&str, &str),
    decoders: &ChosenDecoders,
    clock: &Clock,
) -> Vec<Feed> {
    let (broker, clock) = (broker.clone(), clock.clone());
    let decoders = decoders.clone();
    let decoder = by_device(root, MAKERS, move |device| decoders.get(device));
    let root = root.into();
    let (gateway, granted) = (gateway.into(), ingest::Granted::default());
    let lanes = ingest::LaneSetup { broker, root, gateway, decoder, clock, granted };
    vec![
        ingest::lane(&lanes, Lane::Alarm),     // alarms
        ingest::lane(&lanes, Lane::Status),    // Last Wills, devices that are back, replies
        ingest::lane(&lanes, Lane::Action),    // people at the stations
        ingest::lane(&lanes, Lane::Telemetry), // readings, and whatever is nobody's
    ]
}

/// What several tasks are made with.
struct With {
    path: PathBuf,
    engine: EngineHandle,
    rings: Rings,
    clock: Clock,
    health: Arc<Health>,
}

impl With {
    fn pages(&self, stop: CancellationToken) -> standpipe_notify::SenderSetup {
        let Self { path, engine, rings, clock, .. } = self;
        standpipe_notify::SenderSetup {
            store: path.clone(),
            engine: engine.clone(),
            rings: rings.clone(),
            clock: clock.clone(),
            stop,
        }
    }

    fn pump(
        &self,
        series: Arc<dyn Series>,
        records: Option<Records>,
        stop: CancellationToken,
    ) -> Result<pump::PumpSetup, StoreError> {
        Ok(pump::PumpSetup {
            reader: Reader::open(&self.path)?,
            series,
            records,
            engine: self.engine.clone(),
            log: self.rings.log.clone(),
            clock: self.clock.clone(),
            health: Arc::clone(&self.health),
            stop,
        })
    }

    fn archive(
        &self,
        keep: KeepConfig,
        accounts: Accounts,
        stop: CancellationToken,
    ) -> ArchiveSetup {
        let Self { engine, clock, health, .. } = self;
        let (engine, clock, health) = (engine.clone(), clock.clone(), Arc::clone(health));
        ArchiveSetup { keep, accounts, engine, clock, health, stop }
    }

    fn api(
        &self,
        config: &Config,
        history: Arc<dyn Series>,
        metrics: PrometheusHandle,
        accounts: Accounts,
        door: Access,
    ) -> ApiState {
        let store = Readers::new(self.path.clone());
        ApiState {
            reports: store.one_apart(),
            store,
            engine: self.engine.clone(),
            history,
            health: Arc::clone(&self.health),
            metrics,
            door,
            accounts,
            town: Town::of(&config.http),
            watch: Arc::default(),
            events: self.rings.events.clone(),
            profiles: Registry::new(config.profiles()),
            config: Arc::new(config.clone()),
            clock: self.clock.clone(),
        }
    }
}

/// A gateway that runs; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    http: SocketAddr,
    /// What brings work: every source, and the API.
    sources: RunStage,
    /// What takes work away: pages and history.
    senders: RunStage,
    /// What is between them.
    engine: RunStage,
    /// Keeps the engine alive.
    handle: Option<EngineHandle>,
    health: Arc<Health>,
}

/// Threads that end together.
#[derive(Debug, Default)]
struct RunStage {
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
    /// Those that may end before they are told to.
    brief: Vec<JoinHandle<()>>,
}

impl RunStage {
    /// Starts what brings messages.
    fn listen(
        &mut self,
        feeds: Vec<Feed>,
        inlets: Vec<Inlet>,
        engine: &EngineHandle,
    ) -> io::Result<()> {
        for (n, (feed, receipts)) in feeds.into_iter().zip(inlets).enumerate() {
            let (source, stop) = (SourceIx::nth(n), self.stop.clone());
            let port = Port { source, engine: engine.clone(), receipts, stop };
            self.threads.push(feed.start(port)?);
        }
        Ok(())
    }

    fn running(&self) -> bool {
        self.threads.iter().chain(&self.brief).any(|thread| !thread.is_finished())
    }
}

#[cfg(feature = "demo")]
impl standpipe_demo::StartedGateway for Running {
    fn http(&self) -> SocketAddr {
        self.http()
    }

    fn stop(self) -> bool {
        self.stop()
    }
}

impl Running {
    fn new(http: SocketAddr, handle: EngineHandle, health: Arc<Health>) -> Self {
        let [sources, senders, engine] = [(); 3].map(|()| RunStage::default());
        Self { http, sources, senders, engine, handle: Some(handle), health }
    }

    /// Where the API is served.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// A thread that ended by itself, which none should: the gateway is to be stopped.
    #[must_use]
    pub fn ended_early(&self) -> Option<String> {
        [&self.sources, &self.senders, &self.engine]
            .into_iter()
            .flat_map(|stage| &stage.threads)
            .find(|thread| thread.is_finished())
            .map(|thread| thread.thread().name().unwrap_or("a thread").to_owned())
    }

    /// Whether the engine takes messages within a time, or says why it can't: to begin anew helps
    /// nothing against a full disk.
    pub async fn alive(&self, within: Duration) -> bool {
        let Some(handle) = &self.handle else { return false };
        let taken = timeout(within, handle.alive()).await;
        taken.is_ok_and(|outcome| outcome.is_ok())
            || matches!(self.health.store.status(), PartStatus::Failing { .. })
    }

    /// Stops: first what brings work, then what takes it away, and the engine last, when it has
    /// kept everything. False when that took longer than [`GRACE`]; what was not acknowledged
    /// until then stays with the broker.
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        let Some(handle) = self.handle.take() else { return true };
        let clock = Clock::new();
        let deadline = clock.instant() + GRACE;
        self.sources.stop.cancel();
        wait(&clock, deadline, || {
            self.sources.running() || handle.waiting() != QueueLengths::default()
        });
        self.senders.stop.cancel();
        wait(&clock, deadline, || self.senders.running());
        drop(handle);
        wait(&clock, deadline, || self.engine.running());
        // A store that takes nothing is not waited for any longer.
        self.engine.stop.cancel();
        wait(&clock, clock.instant() + GRACE / 8, || self.engine.running());
        let stages = [&mut self.sources, &mut self.senders, &mut self.engine];
        let all = stages.iter().all(|stage| !stage.running());
        for thread in stages
            .into_iter()
            .flat_map(|stage| stage.threads.drain(..).chain(stage.brief.drain(..)))
        {
            let name = thread.thread().name().unwrap_or("a thread").to_owned();
            match thread.is_finished().then(|| thread.join()) {
                Some(Ok(())) => {}
                Some(Err(_)) => {
                    tracing::error!("{name} failed: report this as a fault of standpipe")
                }
                None => tracing::warn!("{name} did not end in time: left behind"),
            }
        }
        all
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits as long as `busy`, and no longer than `deadline`.
fn wait(clock: &Clock, deadline: Instant, busy: impl Fn() -> bool) {
    while busy() && clock.instant() < deadline {
        clock.sleep(LOOK_EVERY);
    }
}

/// Where people are served, and with what; the address may be taken, or not ours.
fn listen(config: &Config) -> Result<(SocketAddr, io::Result<TcpListener>), StartError> {
    let address = config.http.listen;
    if config.http.door == standpipe_config::HttpDoor::ThisMachine && !address.ip().is_loopback() {
        return Err(StartError::Open(ServeError::Open(address)));
    }
    let listener = bind(address);
    let bound = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    Ok((bound.unwrap_or(address), listener))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The accounts, and who is let in. The first start makes an admin; one that lost its accounts does not.
fn accounts(
    start: &Start<'_>,
    troubles: &mut Vec<Option<Trouble>>,
) -> Result<(Accounts, Access), StartError> {
    let (accounts, lost) = start.accounts()?;
    let is_first = lost.is_none();
    troubles.push(lost);
    let http = &start.config.http;
    if http.door == standpipe_config::HttpDoor::ThisMachine {
        return Ok((accounts, Access::ThisMachine { csrf: key(&start.machine.entropy)?.into() }));
    }
    let first = if is_first { accounts.first_admin(start.now) } else { Ok(None) };
    let (accounts, first) = match first {
        Ok(first) => (accounts, first),
        Err(bad) => {
            let (none, trouble) = start.no_accounts(&bad.to_string())?;
            troubles.push(trouble);
            (none, None)
        }
    };
    if let Some(password) = first {
        // To a person, not to the log, which others read and keep.
        complain(format_args!(
            "\n  the first account 首个账户   name 用户名: admin   password 密码: {password}\n  \
             sign in at 登录 {}/login — this is shown once 只显示这一次\n",
            http.url
        ));
    }
    let admin = http.admin_token.as_ref().and_then(|secret| AdminToken::new(secret.expose()));
    Ok((accounts, Access::Accounts { admin }))
}

/// The engine, on a thread of its own.
fn write(
    engine: Engine,
    queues: Queues,
    outlets: Outlets,
    give_up: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let run = move || standpipe_engine::run(engine, queues, outlets, || give_up.is_cancelled());
    threads::start("engine", run)
}

/// Where people are to be served.
struct Listening {
    address: SocketAddr,
    /// `None`: the address was taken at the start.
    listener: Option<TcpListener>,
}

impl Listening {
    /// The listener, tried again until it is had; `None`: the gateway stops before.
    async fn listener(self, state: &ApiState, stop: &CancellationToken) -> Option<TcpListener> {
        if let Some(listener) = self.listener {
            return Some(listener);
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(LISTEN_EVERY) => {}
            }
            // What was counted must not grow unread.
            state.metrics.run_upkeep();
            if let Ok(listener) = bind(self.address) {
                state.health.degraded.clear(DegradedPart::Http);
                return Some(listener);
            }
        }
    }
}

/// The API, on a thread of its own.
fn serve(
    listening: Listening,
    state: ApiState,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    threads::start("api", move || {
        let served = runtime.block_on(async {
            let Some(listener) = listening.listener(&state, &stop).await else { return Ok(()) };
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serve::serve(listener, state, stop).await
        });
        if let Err(bad) = served {
            tracing::error!("{bad}");
        }
    })
}

/// What a gateway finds at its start.
struct OpenedStore {
    store: Store,
    /// The world that was in it.
    loaded: Loaded,
    /// This gateway's own name.
    gateway: Box<str>,
    /// Why the files of `[registry]` were not taken in.
    untaken: Option<Untaken>,
    /// Webhooks of stations that are not registered.
    unknown: Vec<UnknownStation>,
    /// Whether ids are made with the secret that they were made with before.
    known_ids: KnownIds,
    /// What became of the store that was here.
    lost: Option<LostStore>,
}

fn open(config: &mut Config, machine: &Machine) -> Result<OpenedStore, StartError> {
    let now = machine.clock.now();
    let StoreConfig { path, choice } = &config.store;
    let (mut store, lost) = Store::open_or_recover(path, (&stamp(now), now), *choice)?;
    let (mut opening, untaken) = opening(&store, config, lost.as_ref())?;
    let mut stations = store.station_ids()?;
    stations.extend(opening.stations.iter().map(|station| station.id.clone()));
    let unknown = degraded::widen_unknown(config, &stations, lost.as_ref());
    opening.plan = config.plan();
    // Where nothing is random, the time tells it from most others.
    let name = machine.entropy.bytes().map_or(now.unsigned_abs(), u64::from_le_bytes);
    let gateway = store.identity(name)?;
    let secret = ids::secret(config.folder.as_deref(), &config.store.path, &machine.entropy);
    let known_ids = store.know_ids(&secret)?;
    let loaded = opening.load(&mut store, secret)?;
    store.mark();
    let (devices, replayed) = (loaded.world.registry().devices().len(), loaded.replayed);
    tracing::info!(devices, replayed, store = %store.path().display(), "the store is loaded");
    Ok(OpenedStore { store, loaded, gateway, untaken, unknown, known_ids, lost })
}

/// What this life begins with: the configuration that the rules see, and the files of `[registry]`. A
/// gateway whose store has stations or devices does without those, and says why: a fire is worth
/// more than the newest row. One that lost its store takes what of them can be read.
fn opening(
    store: &Store,
    config: &Config,
    lost: Option<&LostStore>,
) -> Result<(Opening, Option<Untaken>), StartError> {
    let (plan, profiles) = (config.plan(), config.profiles().collect());
    let opening = Opening { plan, profiles, ..Opening::default() };
    let files = &config.registry;
    if files.stations.is_none() && files.devices.is_none() {
        return Ok((opening, None));
    }
    let known = store.registry(config.profiles())?;
    let stored = !known.stations().is_empty() || !known.devices().is_empty();
    let (import, untaken) = registry_files::read(files, &known);
    for note in &import.notes {
        tracing::warn!("{note}");
    }
    match untaken {
        Some(untaken) if !stored && lost.is_none() => Err(StartError::Registry(untaken)),
        Some(untaken) if stored => Ok((opening, Some(untaken))),
        untaken => {
            let (stations, devices) = (import.stations, import.devices);
            Ok((Opening { stations, devices, ..opening }, untaken))
        }
    }
}

/// The files of `[registry]` were not taken in. What is told at every start is one incident until a
/// person closes it.
fn registry_trouble(untaken: &Untaken, since: Ms) -> Trouble {
    untaken.log();
    let (part, why, detail) = (DegradedPart::Registry, untaken.why(), untaken.detail());
    Trouble { part, since, why, detail }
}

#[cfg(test)]
mod tests;
