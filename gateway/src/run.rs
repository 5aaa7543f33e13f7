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

mod listening;
mod opened;
mod pagers;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use standpipe_config::{Config, ConfigFaults, KeepConfig};
use standpipe_engine::decoders::ChosenDecoders;
use standpipe_engine::feed::{Feed, Port};
use standpipe_engine::health::{Health, PartStatus, Trouble};
use standpipe_engine::source::{Inlet, SourceIx, Sources, receipts};
use standpipe_engine::{
    self, Engine, EngineHandle, Outlets, QueueLengths, Queues, Rings, bells, queues,
};
use standpipe_machine::Machine;
use standpipe_machine::clock::Clock;
use standpipe_machine::disk::Ballast;
use standpipe_machine::limits::GRACE;
use standpipe_machine::marks::Marks;
use standpipe_machine::output::complain;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_rules::registry::Registry;
use standpipe_rules::wire::decoder::{MAKERS, by_device};
use standpipe_series::Series;
use standpipe_series::pump;
use standpipe_series::records::Records;
use standpipe_store::accounts::{AccountError, Accounts, NoSecret, key};
use standpipe_store::readers::Readers;
use standpipe_store::{KnownIds, StoreError, StorePlace};
use standpipe_transport::ingest::{self, Lane};
use standpipe_transport::lease::{LeaseKeeper, TwinDoubt};
use standpipe_transport::mqtt::{BadBroker, Broker};
use standpipe_web::api::ApiState;
use standpipe_web::api::auth::{Access, AdminToken};
use standpipe_web::api::town::Town;
use standpipe_web::serve::ServeError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::listening::{Listening, listen, serve};
use self::opened::{FilesRead, OpenedStore, open_despite, registry_trouble};
use self::pagers::{PagerSetup, Pagers};
use crate::archive::{self, ArchiveSetup};
use crate::degraded::{self, Start};
use crate::disk_watch::{self, DiskWatch};
use crate::registry_files::Untaken;
use crate::twins::{self, Among, Others, Told, stands_back};

/// How often a stopping gateway looks whether a thread has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Messages that a former life took and could not store come again within so long: a device repeats an alarm
/// for a day.
const MARKED_MS: Ms = 86_400_000;

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
    /// Another gateway on a copy of the store pages; the lease says when that is over.
    #[error("{}", stands_back(&.0.view()))]
    StandsBack(LeaseKeeper),
    /// The system starts no thread.
    #[error("no thread ({0}): free some memory, or raise the limit of threads")]
    Thread(#[from] io::Error),
}

/// Starts everything. Blocks while the store is loaded; needs no runtime around it.
///
/// # Errors
/// [`StartError`]; then nothing runs.
pub fn start(config: Config, machine: Machine) -> Result<Running, StartError> {
    start_despite((config, None), Among::Nobody, machine)
}

/// The same with a configuration of which something is at fault, among others. What is not needed to
/// page stops nothing: it is replaced, and told ([`degraded`]). While another gateway on a copy of the
/// store pages, nothing is started but the lease, which says when that is over.
///
/// # Errors
/// [`StartError`]; then nothing runs.
pub fn start_despite(
    (mut config, faults): (Config, Option<&ConfigFaults>),
    among: Among,
    machine: Machine,
) -> Result<Running, StartError> {
    let clock = machine.clock.clone();
    let (http, listener) = listen(&config)?;
    let broker = Broker::of(&config.mqtt)?;
    let metrics = standpipe_web::metrics::install()?;
    let OpenedStore { store, mut loaded, name, files, unknown, known_ids, lost, rescue, moved } =
        open_despite(&mut config, &machine)?;
    let (gateway, _) = &name;
    let lease = among.lease(
        (&broker, &config.mqtt.root),
        (gateway, name.1, &config.store.path),
        &machine,
    )?;
    let others = Others::new((&broker, &clock), lease).map_err(StartError::StandsBack)?;
    standpipe_engine::came_back(&mut loaded, &clock.moment());
    let start = Start { config: &config, faults, machine: &machine, now: clock.now() };
    let mut troubles = vec![
        moved.then(|| twins::moved(start.now)),
        start.keys(),
        start.receivers(&unknown),
        start.rows(&loaded.skipped),
    ];
    troubles.push((known_ids == KnownIds::Others).then(|| start.ids()));
    troubles.push(lost.map(|lost| start.store(&lost)));
    let differs = match files {
        FilesRead::Taken => None,
        FilesRead::Differ(difference) => Some((start.now, difference)),
        FilesRead::Bad(untaken) => {
            troubles.push(Some(registry_trouble(&untaken, start.now)));
            None
        }
    };
    let (accounts, door) = accounts(&start, &mut troubles)?;
    let (series, trouble) = start.history();
    troubles.push(trouble);
    troubles.push(listener.as_ref().err().map(|bad| start.http(&bad.to_string())));
    let records = Records::of(Arc::clone(&series), Registry::new(config.profiles()));
    let root = config.mqtt.root.clone();

    let decoders = ChosenDecoders::of(loaded.world.registry().devices());
    let feeds = feeds(&broker, (&root, gateway), &decoders, &clock);
    let sources: Sources = feeds.iter().map(|feed| feed.facts().clone()).collect();
    let health = Arc::new(Health::of(&sources));
    let (engine, mut queues) = queues(&sources); // to the engine: urgent and bulk
    queues.gather = config.store.gather;
    let (bells, rings) = bells(); // from the engine: something waits to be sent
    let (receipts, inlets) = feeds.iter().map(|_| receipts()).unzip(); // … and: it is on disk
    let doubt = others.doubt();
    let file = degraded::file_of(&config);
    let mut running = Running::new(http, (engine.clone(), others), (Arc::clone(&health), file));
    let place = StorePlace::new(config.store.path.clone());
    let with = With { place, engine, rings, clock, health, doubt };

    let (clock, health) = (with.clock.clone(), with.health.clone());
    let (place, ballast) = (with.place.clone(), Some(Ballast::beside(with.place.file())));
    let marks = Some(Marks::beside(place.file(), clock.now() - MARKED_MS));
    let outlets = Outlets { clock, bells, receipts, health, place, ballast, marks };
    let mut writer = match rescue {
        None => Engine::new(store, loaded, &sources, with.clock.now()),
        Some((copied, trouble)) => {
            with.place.stands_in(store.path());
            troubles.push(Some(trouble));
            let file = (with.place.file().to_owned(), copied);
            Engine::in_memory((store, loaded), file, &sources, with.clock.now())
        }
    };
    writer.tell_decoders(decoders);
    with.clock.doubt(writer.clock_is_doubted());
    with.health.degraded.report();
    troubles.into_iter().flatten().for_each(|trouble| with.health.degraded.set(trouble));
    if let Some((since, difference)) = differs {
        with.health.registry_files.set(since, difference);
    }
    with.health.chain.begin(with.clock.now());
    let stage = &mut running.engine;
    stage.threads.push(write(writer, queues, outlets, stage.stop.clone())?);

    let stage = &mut running.senders;
    let pages = with.pages(stage.stop.clone());
    running.pagers = Mutex::new(Pagers::start(PagerSetup {
        senders: pages.clone(),
        webhooks: config.webhooks.clone(),
        desk: config.http.desk(),
        hour: config.digest.hour(&config.http),
        broker: broker.clone(),
        root: root.clone(),
        gateway: gateway.clone(),
    })?);
    stage.threads.push(standpipe_notify::receipts::start(
        pages.clone(),
        broker.clone(),
        &root,
        gateway,
    )?);
    stage.threads.push(standpipe_notify::chain::start(pages, broker, &root, gateway)?);
    let archive = with.archive(config.keep, accounts.clone(), stage.stop.clone());
    stage.threads.push(archive::start(archive)?);
    let to_history = with.pump((Arc::clone(&series), records), &config.keep, stage.stop.clone())?;
    stage.threads.push(pump::start(to_history)?);

    let (place, accounts_kept) = (with.place.clone(), accounts.clone());
    let (ballast, health) = (Ballast::beside(place.file()), Arc::clone(&with.health));
    let (clock, stop) = (with.clock.clone(), stage.stop.clone());
    let watch = DiskWatch { place, ballast, accounts: accounts_kept, health, clock, stop };
    stage.threads.push(watch.start()?);

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
    let gaps = ingest::gaps::AlarmGaps::default();
    let lanes = ingest::LaneSetup { broker, root, gateway, decoder, clock, granted, gaps };
    vec![
        ingest::lane(&lanes, Lane::Alarm),     // alarms
        ingest::lane(&lanes, Lane::Status),    // Last Wills, devices that are back, replies
        ingest::lane(&lanes, Lane::Action),    // people at the stations
        ingest::lane(&lanes, Lane::Telemetry), // readings, and whatever is nobody's
    ]
}

/// What several tasks are made with.
struct With {
    place: StorePlace,
    engine: EngineHandle,
    rings: Rings,
    clock: Clock,
    health: Arc<Health>,
    doubt: TwinDoubt,
}

impl With {
    fn pages(&self, stop: CancellationToken) -> standpipe_notify::SenderSetup {
        let Self { place, engine, rings, clock, doubt, .. } = self;
        standpipe_notify::SenderSetup {
            store: place.clone(),
            noted_beside: Some(place.file().into()),
            engine: engine.clone(),
            rings: rings.clone(),
            clock: clock.clone(),
            doubt: doubt.clone(),
            stop,
        }
    }

    fn pump(
        &self,
        (series, records): (Arc<dyn Series>, Option<Records>),
        keep: &KeepConfig,
        stop: CancellationToken,
    ) -> Result<pump::PumpSetup, StoreError> {
        Ok(pump::PumpSetup {
            place: self.place.clone(),
            series,
            records,
            engine: self.engine.clone(),
            log: self.rings.log.clone(),
            log_bytes: disk_watch::log_bytes(keep, self.place.file()),
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
        let Self { place, engine, clock, health, .. } = self;
        let (place, engine, clock) = (place.clone(), engine.clone(), clock.clone());
        let health = Arc::clone(health);
        ArchiveSetup { place, keep, accounts, engine, clock, health, stop }
    }

    fn api(
        &self,
        config: &Config,
        history: Arc<dyn Series>,
        metrics: PrometheusHandle,
        accounts: Accounts,
        door: Access,
    ) -> ApiState {
        let store = Readers::new(self.place.clone());
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
    /// What takes work away: receipts of alarms, heartbeats and history …
    senders: RunStage,
    /// … and pages.
    pagers: Mutex<Pagers>,
    /// What is between them.
    engine: RunStage,
    /// Keeps the engine alive.
    handle: Option<EngineHandle>,
    health: Arc<Health>,
    others: Others,
    /// The configuration's file, as commands take it.
    config: String,
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

    /// One that ended by itself.
    fn ended_early(&self) -> Option<String> {
        let ended = self.threads.iter().find(|thread| thread.is_finished())?;
        Some(ended.thread().name().unwrap_or("a thread").to_owned())
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
    fn new(
        http: SocketAddr,
        (handle, others): (EngineHandle, Others),
        (health, config): (Arc<Health>, String),
    ) -> Self {
        let [sources, senders, engine] = [(); 3].map(|()| RunStage::default());
        let (pagers, handle) = (Mutex::default(), Some(handle));
        Self { http, sources, senders, pagers, engine, handle, health, others, config }
    }

    /// Where the API is served.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// A thread that ended by itself, which none should: the gateway is to be stopped.
    #[must_use]
    pub fn ended_early(&self) -> Option<String> {
        let stages = [&self.sources, &self.senders, &self.engine];
        let ended = stages.into_iter().find_map(RunStage::ended_early);
        ended.or_else(|| self.pagers.lock().unwrap_or_else(PoisonError::into_inner).ended_early())
    }

    /// Whether the engine takes messages within a time, or says why it can't: to begin anew helps
    /// nothing against a full disk.
    pub async fn alive(&self, within: Duration) -> bool {
        let Some(handle) = &self.handle else { return false };
        let taken = timeout(within, handle.alive()).await;
        taken.is_ok_and(|outcome| outcome.is_ok())
            || matches!(self.health.store.status(), PartStatus::Failing { .. })
    }

    /// Tells people what is news of others that want what is this gateway's, and of a store that lost its
    /// file; tells the others whether this one works; has other senders take the place of those that wait for a
    /// disk. To be called once a second.
    pub fn tell(&self, told: &mut Told) {
        self.others.tell(told, &self.health);
        let mut pagers = self.pagers.lock().unwrap_or_else(PoisonError::into_inner);
        pagers.follow(self.health.hangs());
        if let Some(lost) = self.health.lost.send_replace(None) {
            self.health.degraded.set(degraded::store_lost(&lost, &self.config, lost.since));
        }
    }

    /// Returns once another gateway on a copy of this store is to page in place of this one.
    pub async fn stands_back(&self) {
        self.others.take_over().await;
    }

    /// The lease, to go on with: without it nobody is told any more.
    #[must_use]
    pub fn take_lease(&mut self) -> Option<LeaseKeeper> {
        self.others.take_lease()
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
        let pagers = self.pagers.get_mut().unwrap_or_else(PoisonError::into_inner);
        pagers.stop();
        self.senders.stop.cancel();
        wait(&clock, deadline, || self.senders.running() || pagers.running());
        drop(handle);
        wait(&clock, deadline, || self.engine.running());
        // A store that takes nothing is not waited for any longer.
        self.engine.stop.cancel();
        wait(&clock, clock.instant() + GRACE / 8, || self.engine.running());
        let stages = [&mut self.sources, &mut self.senders, &mut self.engine];
        let all = stages.iter().all(|stage| !stage.running()) && !pagers.running();
        for thread in stages
            .into_iter()
            .flat_map(|stage| stage.threads.drain(..).chain(stage.brief.drain(..)))
            .chain(pagers.drain())
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

#[cfg(test)]
mod tests;
