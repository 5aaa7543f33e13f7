//! Carries the log into the history, and never loses its place.
//!
//! Rings of the doorbell are gathered for a second, so that a batch is thousands of points and not
//! ten: a point then costs InfluxDB a fifth. Blocks are then read after the cursor and written
//! until little is left. A batch that is not taken is retried, however long that takes; meanwhile
//! nothing more is read, so that an outage of hours costs no memory, and the log keeps the backlog.
//! The cursor is the engine's to keep (`Input::SeriesAt`).
//!
//! The log has a ceiling ([`PumpSetup::log_bytes`]), so that history that is not taken never fills the
//! disk from which fires are paged: beyond it the oldest readings are given up and counted.
//!
//! The pump has a thread of its own: a slow disk or server here delays nothing but history.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use standpipe_engine::health::{DegradedPart, Health, Trouble};
use standpipe_engine::{EngineHandle, Input};
use standpipe_machine::backoff::Backoff;
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::LONGEST_PAUSE;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_rules::changes::Logged;
use standpipe_rules::incidents::Text;
use standpipe_store::block::{self, BadBlock};
use standpipe_store::reader::LogBlock;
use standpipe_store::{Quarantined, Reader, StoreError, StorePlace};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

mod ceiling;

use super::records::{Records, RecordsError};
use super::{ReadingBatch, Series, SeriesError, Tags, Written};

/// How long rings of the doorbell are gathered into one batch.
const LINGER: Duration = Duration::from_secs(1);
/// Readings of one batch, about: whole blocks are read until there are so many.
const ENOUGH: usize = 5_000;
/// With fewer than this left, the next ring is waited for.
const LITTLE: usize = ENOUGH / 2;
/// Without a ring, the log is looked at this often, and upkeep done.
const AT_LEAST: Duration = Duration::from_secs(30);
/// Steps of upkeep between two looks at the log.
const UPKEEP_STEPS: usize = 4;
/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// Refused points of one batch that are kept in the quarantine; the rest are counted.
const MOST_KEPT: usize = 100;

/// Everything that a pump owns.
pub struct PumpSetup {
    /// The store: the log, and whose the readings are. While it is read in memory, history rests: what it
    /// has not read yet is in the file.
    pub place: StorePlace,
    /// Where readings go.
    pub series: Arc<dyn Series>,
    /// What else goes there; `None` where only readings are kept.
    pub records: Option<Records>,
    /// Keeps the cursor and the quarantine.
    pub engine: EngineHandle,
    /// Rings when the log has grown.
    pub log: watch::Receiver<i64>,
    pub clock: Clock,
    /// The most that may wait for history, bytes.
    pub log_bytes: u64,
    /// Where the pump says how it is.
    pub health: Arc<Health>,
    /// Ends it: what is not written is still in the log.
    pub stop: CancellationToken,
}

/// Starts the pump on a thread of its own. It ends after `stop`, at once.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(setup: PumpSetup) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = setup.stop.clone();
    threads::start("history-pump", move || {
        runtime.block_on(stop.run_until_cancelled(Pump::new(setup).run()));
    })
}

struct Pump {
    setup: PumpSetup,
    /// The store's file, once it could be opened; for the pump alone.
    reader: Option<Reader>,
    /// The last block history has; read from the store at the start.
    cursor: Option<i64>,
    tags: Arc<Tags>,
    /// `meta.tags_rev` when they were read; those of new devices are read as they come.
    tags_of: Option<String>,
    backoff: Backoff,
    /// Whether people were told that they have to correct something.
    told: bool,
    /// When the size of the log was last looked at.
    weighed: Option<Instant>,
    /// Readings that were given up since history last took something.
    given_up: u64,
    meters: PumpMeters,
}

struct PumpMeters {
    kept: Counter,
    empty: Counter,
    expired: Counter,
    refused: Counter,
    given_up: Counter,
    failures: Counter,
    failing: Gauge,
    lag: Gauge,
    batch: Histogram,
    seconds: Histogram,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum PumpTrouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Series(#[from] SeriesError),
}

impl From<RecordsError> for PumpTrouble {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Store(bad) => Self::Store(bad),
            RecordsError::Series(bad) => Self::Series(bad),
        }
    }
}

impl Pump {
    fn new(setup: PumpSetup) -> Self {
        Self {
            setup,
            reader: None,
            cursor: None,
            tags: Arc::default(),
            tags_of: None,
            backoff: Backoff::named(FIRST_PAUSE, LONGEST_PAUSE, "history"),
            told: false,
            weighed: None,
            given_up: 0,
            meters: PumpMeters::new(),
        }
    }

    /// Runs until the engine has gone. Cancelled anywhere, it loses nothing.
    async fn run(mut self) {
        loop {
            self.setup.place.in_file().await;
            match self.round().await {
                Ok(more) => {
                    self.fine();
                    if more {
                        continue;
                    }
                }
                Err(trouble) => {
                    if let Err(bad) = self.keep_to_ceiling().await {
                        tracing::warn!("the size of the log is not known: {bad}");
                    }
                    self.pause(&trouble).await;
                    continue;
                }
            }
            if let Ok(Err(_gone)) = timeout(AT_LEAST, self.setup.log.changed()).await {
                return;
            }
            sleep(LINGER).await;
        }
    }

    /// One batch, what else there is, and a little upkeep. True when more waits.
    async fn round(&mut self) -> Result<bool, PumpTrouble> {
        self.setup.log.mark_unchanged();
        let place = &self.setup.place;
        let reader = match self.reader.take().filter(|reader| reader.is_at(place)) {
            Some(reader) => reader,
            None => Reader::of_file(place)?,
        };
        let more = self.round_of(&reader).await;
        self.reader = Some(reader);
        more
    }

    async fn round_of(&mut self, reader: &Reader) -> Result<bool, PumpTrouble> {
        let cursor = match self.cursor {
            Some(at) => at,
            None => *self.cursor.insert(reader.series_block()?),
        };
        let blocks = reader.log_after(cursor, ENOUGH)?;
        let readings = blocks.iter().map(|block| block.readings).sum::<usize>();
        if let Some(last) = blocks.last().map(|block| block.block) {
            let batch = self.batch(reader, &blocks)?;
            drop(blocks);
            self.write(batch).await?;
            self.cursor = Some(last);
            // The next report covers this one, should the engine's queue be full.
            let _ = self.setup.engine.try_send(Input::SeriesAt { block: last });
        }
        let now = self.setup.clock.now();
        if let Some(records) = &mut self.setup.records
            && let Some((trail, ledger)) = records.step(reader, now).await?
        {
            let _ = self.setup.engine.try_send(Input::RecordsAt { trail, ledger });
        }
        // Nothing is thrown away by a clock of which nobody knows whether it is right.
        for _ in 0..if self.setup.clock.is_doubted() { 0 } else { UPKEEP_STEPS } {
            if !self.setup.series.upkeep(now).await? {
                return Ok(readings >= LITTLE);
            }
        }
        Ok(true)
    }

    async fn write(&mut self, batch: ReadingBatch) -> Result<(), PumpTrouble> {
        let Some(last) = batch.readings.last().map(|reading| reading.arrived) else {
            return Ok(());
        };
        let started = self.setup.clock.instant();
        let now = self.setup.clock.now();
        let written = self.setup.series.write(Arc::new(batch), now).await?;
        self.meters.seconds.record(started.elapsed());
        self.meters.count(&written);
        self.meters.lag.set((self.setup.clock.now() - last) as f64 / 1_000.0);
        self.set_aside(written).await;
        Ok(())
    }

    /// Refused points go to the quarantine, where the API shows them.
    async fn set_aside(&self, written: Written) {
        let count = written.refused.len();
        if count == 0 {
            return;
        }
        tracing::warn!(count, "history refused points: see /api/v1/quarantine");
        for refused in written.refused.into_iter().take(MOST_KEPT) {
            let row = Quarantined {
                at: self.setup.clock.now(),
                topic: refused.device.clone(),
                device: refused.device,
                reason: "history".into(),
                detail: refused.why.into(),
                payload: refused.point.into_string().into_bytes(),
            };
            // An engine that has gone needs no quarantine: the block is written again.
            let _ = self.setup.engine.send(Input::Quarantine(Box::new(row))).await;
        }
    }

    fn batch(&mut self, reader: &Reader, blocks: &[LogBlock]) -> Result<ReadingBatch, PumpTrouble> {
        let mut readings = Vec::with_capacity(blocks.iter().map(|block| block.readings).sum());
        for block in blocks {
            readings.extend(self.decode(block)?);
        }
        // After the blocks were read: whoever they are of was registered with them.
        let of = reader.meta("tags_rev")?;
        if self.tags_of != of {
            self.tags = Arc::default();
            self.tags_of = of;
        }
        read_tags(reader, Arc::make_mut(&mut self.tags))?;
        Ok(ReadingBatch { readings, tags: Arc::clone(&self.tags) })
    }

    /// Skips a damaged block, loudly: the readings behind it must not be lost too.
    fn decode(&self, block: &LogBlock) -> Result<Vec<Logged>, StoreError> {
        match block::decode(&block.body) {
            Ok(readings) => Ok(readings),
            Err(bad @ BadBlock::Damaged(_)) => {
                tracing::error!(
                    block = block.block,
                    readings = block.readings,
                    "log block is lost to history: {bad}"
                );
                self.meters.refused.increment(block.readings as u64);
                Ok(Vec::new())
            }
            Err(bad @ BadBlock::Version(_)) => Err(StoreError::Unreadable {
                what: format!("log block {}", block.block),
                why: bad.to_string(),
            }),
        }
    }

    fn fine(&mut self) {
        if self.backoff.failures() > 0 {
            tracing::info!("history accepts writes once more");
            self.backoff.reset();
        }
        let was_given_up = std::mem::take(&mut self.given_up) > 0;
        if std::mem::take(&mut self.told) || was_given_up {
            self.setup.health.degraded.clear(DegradedPart::History);
        }
        self.meters.failing.set(0.0);
        self.setup.health.series.fine();
    }

    async fn pause(&mut self, trouble: &PumpTrouble) {
        let backoff = self.backoff.failed();
        let wait = match trouble {
            PumpTrouble::Series(SeriesError::Retry { after: Some(asked), .. }) => {
                backoff.max((*asked).min(LONGEST_ASKED))
            }
            PumpTrouble::Series(SeriesError::Misconfigured(_)) => LONGEST_PAUSE,
            PumpTrouble::Series(SeriesError::Retry { after: None, .. }) | PumpTrouble::Store(_) => {
                backoff
            }
        };
        let seconds = wait.as_secs_f32();
        if let PumpTrouble::Series(SeriesError::Misconfigured(why)) = trouble {
            tracing::error!("history retries in {seconds:.1} s: {trouble}");
            self.told = true;
            self.setup.health.degraded.set(to_be_corrected(why, self.setup.clock.now()));
        } else {
            tracing::warn!("history retries in {seconds:.1} s: {trouble}");
        }
        self.meters.failures.increment(1);
        self.meters.failing.set(1.0);
        self.setup.health.series.failing(self.setup.clock.now(), &trouble.to_string());
        sleep(wait).await;
    }
}

/// Nothing is written before a person has corrected something; it is retried meanwhile.
fn to_be_corrected(why: &str, since: Ms) -> Trouble {
    let en = format!(
        "No history is written: {why}; then restart the gateway. Readings wait in the store, and fires are \
         paged."
    );
    let zh = format!("历史数据未写入：{why}。处理后请重启网关。读数暂存于数据库，火警照常通知。");
    let detail = format!("no history is written: {why}; then restart the gateway");
    Trouble { part: DegradedPart::History, since, why: Text { en, zh }, detail }
}

/// Adds the tags of devices that were registered since.
fn read_tags(reader: &Reader, tags: &mut Tags) -> Result<(), StoreError> {
    reader.device_tags(tags.len(), |row| tags.put(&row))
}

impl PumpMeters {
    fn new() -> Self {
        let points = |what: &'static str| counter!("standpipe_series_points_total", "fate" => what);
        Self {
            kept: points("kept"),
            empty: points("empty"),
            expired: points("expired"),
            refused: points("refused"),
            given_up: points("given_up"),
            failures: counter!("standpipe_series_failures_total"),
            failing: gauge!("standpipe_series_failing"),
            lag: gauge!("standpipe_series_lag_seconds"),
            batch: histogram!("standpipe_series_batch_points"),
            seconds: histogram!("standpipe_series_write_seconds"),
        }
    }

    fn count(&self, written: &Written) {
        self.kept.increment(written.kept);
        self.empty.increment(written.empty);
        self.expired.increment(written.expired);
        self.refused.increment(written.refused.len() as u64);
        self.batch.record(written.kept as f64);
    }
}

#[cfg(test)]
mod tests;
