//! The one writer: what arrives is stepped, committed in one transaction, and only then
//! acknowledged.
//!
//! [`Engine`] is that, without thread, clock or channel, so that a simulator can drive it:
//! `take` what arrived, `tick`, `commit`. Whatever it takes becomes an [`entry::Entry`]; `state.rs`
//! says what that changes, and a [`log::Log`] keeps the batch. When that fails, the engine holds on
//! to exactly what it wanted to keep, acknowledges nothing and takes nothing more until the same
//! batch is kept. The thread around it is in `shell.rs`; what reaches it, in `inbox.rs`.

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

mod actions;
mod bells;
mod clock;
#[cfg(test)]
mod crash_tests;
pub mod decoders;
mod dirty;
mod disk;
pub mod entry;
pub mod feed;
mod gather;
pub mod health;
mod inbox;
pub mod log;
mod marked;
mod meters;
mod mover;
mod part;
mod presence;
pub mod receipts;
mod rescue;
mod resting;
mod shell;
pub mod source;
mod state;
mod statuses;
#[cfg(test)]
mod tests;
pub mod working;

use std::path::PathBuf;
use std::time::Duration;

pub use bells::{Bells, Rings, bells};
pub use clock::came_back;
use decoders::ChosenDecoders;
pub use disk::PATIENCE_S;
use entry::{Batch, Entry};
pub use entry::{EntryOutcome, Input};
pub use inbox::{
    Came, Delivery, EngineHandle, Inbox, InboxInput, QueueLengths, Queues, Unavailable, queues,
};
use log::{Appended, EmbeddedLog, Log, Position};
use meters::Meters;
use rescue::{HeldReceipts, OwedReceipt, Until};
use resting::Resting;
pub use shell::refuge::{copy_name, trouble as rescue_trouble};
pub use shell::{Outlets, run};
use source::SourceNeed;
pub use source::{Receipt, SourceIx, Sources};
use standpipe_machine::limits::RECEIPT_QUEUE;
pub use standpipe_machine::limits::{
    ACTION_QUEUE, BATCH, BULK_QUEUE, STAGED_BYTES, STATUS_QUEUE, URGENT_QUEUE,
};
use standpipe_machine::marks::Note;
use standpipe_rules::Ms;
use standpipe_rules::changes::RefusedAction;
use standpipe_rules::fact::Subject;
use standpipe_rules::incidents::{IncidentId, Refused};
use standpipe_rules::wire::receipt::{self, AlarmReceipt};
use standpipe_rules::world::World;
use standpipe_shared::Condition;
use standpipe_store::lost::LostStore;
use standpipe_store::{Committed, CopiedFile, Loaded, Store, StoreError};
pub use state::DIRTY_FOR_MS;
use state::EngineState;
use tokio::sync::oneshot;
use working::WorkingLog;

/// After a failed commit, the first retry comes after this …
const RETRY_FIRST_MS: Ms = 100;
/// … and each further one after twice as long, up to this.
const RETRY_MOST_MS: Ms = 5_000;
/// With nothing to do, the engine looks at its timers this often.
const IDLE_MS: Ms = 1_000;
/// With memories to keep, this often.
const IDLE_DIRTY_MS: Ms = 250;

/// The state, the log, and what is on its way from one to the other.
#[derive(Debug)]
pub struct Engine {
    state: EngineState,
    log: Box<dyn Log>,
    /// What was applied since the log last took a batch.
    batch: Batch,
    due: OwedAnswers,
    /// By which decoders the sources read what devices send.
    decoders: ChosenDecoders,
    held: Option<FailedCommit>,
    /// What is on disk, while a log in memory works in its place.
    resting: Option<Resting>,
    /// What is not acknowledged before it is stored.
    held_receipts: HeldReceipts,
    /// By how much somebody has set the clock since the start: what was stamped before is read so.
    set: Ms,
    meters: Meters,
    /// Receipts of alarms that are kept in memory alone; they wait for the disk.
    unstored: Vec<AlarmReceipt>,
    /// What became of the store's file, until somebody is told.
    lost: Option<LostStore>,
    /// What this batch's messages opened that say no time.
    marks: Vec<Note>,
}

/// What is owed to those who sent the batch, once it is kept.
#[derive(Debug, Default)]
struct OwedAnswers {
    messages: usize,
    receipts: Vec<OwedReceipt>,
    answers: Vec<(oneshot::Sender<EntryOutcome>, EntryOutcome)>,
    /// What devices are told of their alarms.
    alarms: Vec<AlarmReceipt>,
}

/// By the sources' places; as many as the farthest of them.
fn by_source(owed: Vec<OwedReceipt>) -> Vec<Vec<Receipt>> {
    let mut all: Vec<Vec<Receipt>> = Vec::new();
    for OwedReceipt { source, receipt, .. } in owed {
        if all.len() <= source.get() {
            all.resize_with(source.get() + 1, Vec::new);
        }
        if let Some(of_source) = all.get_mut(source.get()) {
            of_source.push(receipt);
        }
    }
    all
}

/// A commit that failed.
#[derive(Clone, Copy, Debug)]
struct FailedCommit {
    /// How often in a row.
    times: u32,
    /// When it is tried again.
    retry_at: Ms,
}

/// What a commit lets go.
#[derive(Debug, Default)]
pub struct Done {
    /// How far the log is.
    pub position: Position,
    /// What may be acknowledged, by the sources' places; as many as the farthest of them.
    pub receipts: Vec<Vec<Receipt>>,
    /// What devices may be told of their alarms: these are stored.
    pub alarms: Vec<AlarmReceipt>,
    /// The newest log block.
    pub block: i64,
    /// The newest event of the stream.
    pub event: i64,
    /// Something is owed to a station's topic.
    pub stations: bool,
    /// Something is owed to a webhook.
    pub webhooks: bool,
    /// Something may be owed to a device.
    pub devices: bool,
    /// When the newest heartbeat of the chain in it was sent.
    pub heartbeat: Option<Ms>,
}

impl Engine {
    /// An engine over what the store gave back. Its sources are down.
    #[must_use]
    pub fn new(store: Store, loaded: Loaded, sources: &Sources, now: Ms) -> Self {
        Self::over(Box::new(EmbeddedLog::new(store)), loaded, sources, now)
    }

    /// The same over any log.
    #[must_use]
    pub fn over(log: Box<dyn Log>, loaded: Loaded, sources: &Sources, now: Ms) -> Self {
        let needed = sources.all().iter().map(|facts| facts.sight == SourceNeed::Needed).collect();
        let start = Input::Start { clock_set: loaded.clock_set, needed };
        let mut engine = Self::resting(log, loaded, sources);
        engine.happens(start, now);
        engine
    }

    /// An engine that works in memory from its start, over a copy of the file ([`Store::rescued`]) that could
    /// not be opened to be written.
    #[must_use]
    pub fn in_memory(
        (copy, loaded): (Store, Loaded),
        (file, copied): (PathBuf, CopiedFile),
        sources: &Sources,
        now: Ms,
    ) -> Self {
        let mut engine = Self::over(Box::new(WorkingLog::of(copy)), loaded, sources, now);
        engine.resting = Some(match copied {
            CopiedFile::Whole => Resting::File(file),
            CopiedFile::Nothing => Resting::Nothing,
        });
        engine
    }

    /// An engine that has not started: its first entry is to be [`Input::Start`].
    #[must_use]
    pub fn resting(log: Box<dyn Log>, loaded: Loaded, sources: &Sources) -> Self {
        let state = EngineState::new(loaded, log.store().newest_block());
        let (batch, due, meters) = (Batch::default(), OwedAnswers::default(), Meters::new(sources));
        let decoders = ChosenDecoders::default();
        let (held, resting, set, unstored, lost) = (None, None, 0, Vec::new(), None);
        let held_receipts = HeldReceipts::default();
        Self {
            state,
            log,
            batch,
            due,
            decoders,
            held,
            resting,
            held_receipts,
            set,
            meters,
            unstored,
            lost,
            marks: Vec::new(),
        }
    }

    /// The one way in: what an entry changes is kept with the next commit. Not while
    /// [`Self::is_held`].
    fn enter(&mut self, entry: Entry) -> EntryOutcome {
        debug_assert!(!self.is_held(), "a batch that waits for its commit must not grow");
        let first = self.state.changes.registered.len();
        let outcome = self.state.apply(&entry);
        for ix in self.state.changes.registered.get(first..).unwrap_or_default() {
            if let Some(device) = self.state.world.registry().device(*ix) {
                self.decoders.put(device);
            }
        }
        self.batch.entries.push(entry);
        outcome
    }

    /// Something happens now.
    fn happens(&mut self, input: Input, now: Ms) {
        self.enter(Entry { now, at: now, input });
    }

    /// Where sources look up the decoder of a device: told of every row that changes.
    pub fn tell_decoders(&mut self, decoders: ChosenDecoders) {
        self.decoders = decoders;
    }

    /// Something is wrong with the gateway itself, or no longer is; kept with the next commit. Not
    /// while [`Self::is_held`].
    pub fn gateway_condition(&mut self, condition: Condition, detail: Option<&str>, now: Ms) {
        self.happens(Input::GatewayCondition { condition, detail: detail.map(Box::from) }, now);
    }

    /// The world as it is.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.state.world
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.log.store()
    }

    /// Whether a commit failed: nothing is to be taken until it succeeds.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Messages taken since the last commit.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.due.messages
    }

    /// Takes one message. Not while [`Self::is_held`].
    pub fn take(&mut self, inbox: impl Into<Inbox>, now: Ms) {
        self.due.messages += 1;
        match inbox.into() {
            Inbox::Delivery(delivery) => {
                self.take_delivery(delivery, None, now);
            }
            Inbox::Input(asked) => {
                let InboxInput { input, at, reply } = *asked;
                let at = at.map_or(now, |stamp| self.read(stamp));
                let outcome = self.enter(Entry { now, at, input });
                self.due.answers.extend(reply.map(|reply| (reply, outcome)));
            }
            // Whoever asked may have gone.
            Inbox::Alive(reply) => drop(reply.send(())),
        }
    }

    /// Takes a message that an earlier life took as well, and could not store. Not while [`Self::is_held`].
    pub fn take_again(&mut self, delivery: Box<Delivery>, first_came: Ms, now: Ms) {
        self.due.messages += 1;
        self.take_delivery(delivery, Some(first_came), now);
    }

    /// What the messages of this batch opened that say no time, and when they arrived.
    pub(crate) fn take_marks(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.marks)
    }

    fn take_delivery(&mut self, delivery: Box<Delivery>, first_came: Option<Ms>, now: Ms) {
        let at = delivery.arrived.at.by(self.set);
        let (source, receipt) = (delivery.source, delivery.receipt);
        self.meters.delivery(&delivery);
        let digest = delivery.arrived.digest;
        self.due.alarms.extend(receipt::receipts(&delivery.parsed, digest));
        let before = self.state.changes.incidents.len();
        let until = self.enter_message(delivery.entry(self.set, first_came, now));
        if first_came.is_none() && self.state.changes.incidents.len() > before {
            self.mark_newest(at);
        }
        self.due.receipts.extend(receipt.map(|receipt| OwedReceipt { source, receipt, until }));
    }

    /// Notes the message that was entered last, if its ids go by its arrival.
    fn mark_newest(&mut self, at: Ms) {
        let newest = self.batch.entries.last().map(|entry| &entry.input);
        if let Some(Input::Message(message)) = newest {
            let mark = marked::mark(&message.parsed, message.print, at);
            self.marks.extend(mark.map(|mark| (mark, at)));
        }
    }

    /// What must have happened before the message's sender may be told that all is well, where nothing
    /// can be stored.
    fn enter_message(&mut self, entry: Entry) -> Until {
        let Input::Message(message) = &entry.input else { return Until::Kept };
        let (until, before) = (Until::of(&message.parsed), self.state.changes.incidents.len());
        match until {
            Until::Kept | Until::Stored { .. } => {
                self.enter(entry);
                until
            }
            Until::Confirmed(_) => {
                let named = message.parsed.messages().filter_map(|said| said.device());
                let devices: Vec<Box<str>> = named.map(Box::from).collect();
                self.enter(entry);
                let news = self.state.changes.incidents.iter().skip(before).copied();
                let incidents = news.chain(devices.iter().flat_map(|id| self.incidents_of(id)));
                Until::Confirmed(incidents.collect())
            }
        }
    }

    /// The open incidents of a device: an alarm that is delivered again makes no news.
    fn incidents_of(&self, device: &str) -> Vec<IncidentId> {
        let world = self.world();
        let Some(ix) = world.registry().find(device) else { return Vec::new() };
        let home = |condition| world.book.home_of(&Subject::Device(ix), condition);
        Condition::ALL.into_iter().filter_map(home).collect()
    }

    /// The next commit keeps everything that is remembered.
    pub fn keep_all(&mut self) {
        let now = self.batch.entries.last().map_or(0, |last| last.now);
        self.happens(Input::KeepAll, now);
    }

    /// Whether somebody waits for that: what is in the queues is to be taken before.
    #[must_use]
    pub const fn keeps_all(&self) -> bool {
        self.state.keeps_all()
    }

    /// Lets time pass. Not while [`Self::is_held`].
    pub fn tick(&mut self, now: Ms) {
        if let Some(source) = self.held_receipts.newly_stopped() {
            self.happens(Input::Source { source, up: false }, now);
        }
        self.happens(Input::Tick, now);
    }

    /// Keeps everything that was taken, answers those who asked, and says what may be
    /// acknowledged. Nothing happens when there is nothing to keep.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was kept and nothing is lost; call again at [`Self::next_wake`].
    pub fn commit(&mut self, now: Ms) -> Result<Done, StoreError> {
        if self.held.is_none() {
            self.batch.sealed_at = now;
            self.state.seal(now);
        }
        self.append(now)
    }

    fn append(&mut self, now: Ms) -> Result<Done, StoreError> {
        self.batch.kept_at = now;
        let Self { state, log, batch, .. } = self;
        let Appended { position, committed } = match log.append(batch, &state.consequences()) {
            Ok(appended) => appended,
            Err(why) => return Err(self.hold(why, now)),
        };
        self.state.kept(&committed);
        let heartbeat = self.state.extras.heartbeat;
        let Committed { block, event, stations, webhooks, devices, .. } = committed;
        let mut done = Done {
            position,
            block,
            event,
            stations,
            webhooks,
            devices,
            heartbeat,
            ..Done::default()
        };
        self.held = None;
        self.release(&mut done, now);
        Ok(done)
    }

    /// Keeps a batch that another log has kept, as it was kept there.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was kept, and the engine is of no use any more.
    pub fn play(&mut self, batch: Batch) -> Result<Done, StoreError> {
        let Batch { entries, sealed_at, kept_at } = batch;
        for entry in entries {
            self.enter(entry);
        }
        self.batch.sealed_at = sealed_at;
        self.state.seal(sealed_at);
        self.append(kept_at)
    }

    /// The batches whose entries the log keeps: those since [`Self::to_memory`].
    #[must_use]
    pub fn batches(&self) -> &[Batch] {
        self.log.batches()
    }

    fn hold(&mut self, why: StoreError, now: Ms) -> StoreError {
        let times = self.held.map_or(0, |held| held.times);
        let wait = RETRY_FIRST_MS.saturating_mul(1 << times.min(16)).min(RETRY_MOST_MS);
        self.held = Some(FailedCommit { times: times + 1, retry_at: now + wait });
        self.meters.failures.increment(1);
        why
    }

    /// The receipts that devices may have now: those of alarms that are stored. A receipt is a
    /// promise for good, so that what only memory has is not answered, although the broker is; it
    /// waits for [`Self::to_disk`]. What finds no room here is dropped, since the device asks again.
    fn answerable(&mut self, new: Vec<AlarmReceipt>) -> Vec<AlarmReceipt> {
        if self.resting.is_none() {
            let mut stored = std::mem::take(&mut self.unstored);
            stored.extend(new);
            return stored;
        }
        let room = RECEIPT_QUEUE - self.unstored.len();
        if new.len() > room {
            receipts::dropped_counter().increment((new.len() - room) as u64);
        }
        self.unstored.extend(new.into_iter().take(room));
        Vec::new()
    }

    /// Lets go of everything that waited for the commit.
    fn release(&mut self, done: &mut Done, now: Ms) {
        let OwedAnswers { messages, receipts, answers, alarms } = std::mem::take(&mut self.due);
        if messages > 0 {
            self.meters.batch.record(messages as f64);
        }
        done.receipts = by_source(match self.resting {
            None => receipts,
            Some(_) => self.held_receipts.ripe(receipts, &self.state.world.book),
        });
        done.alarms = self.answerable(alarms);
        for (reply, outcome) in answers {
            // Whoever asked and left is not waited for.
            let _ = reply.send(outcome);
        }
        let Self { state, log, meters, batch, .. } = self;
        for at in &state.alarms {
            meters.alarm.record(Meters::seconds(now - at));
        }
        state.changes.pages.iter().for_each(Meters::page);
        meters.counts(&state.changes.counts);
        meters.dirty.set(state.dirty.len() as f64);
        let age = state.dirty.oldest().map_or(0, |at| now - at);
        meters.dirty_age.set(Meters::seconds(age));
        let behind = log.store().newest_block() - log.store().series_block();
        meters.behind.set(behind as f64);
        meters.devices.set(state.devices() as f64);
        state.changes.refused.iter().for_each(log_refused);
        state.clear();
        batch.clear();
    }

    /// Whether SQLite's write-ahead log has grown so far that it is to be moved into the file.
    #[must_use]
    pub fn log_has_grown(&self) -> bool {
        self.log.store().log_has_grown()
    }

    /// Moves what is left of it: between commits.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost by it.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.log.checkpoint()
    }

    /// When to tick and commit next even if nothing arrives.
    #[must_use]
    pub fn next_wake(&self, now: Ms) -> Ms {
        if let Some(held) = self.held {
            return held.retry_at;
        }
        let idle = if self.state.dirty.len() > 0 { IDLE_DIRTY_MS } else { IDLE_MS };
        self.state.next_wake().map_or(Ms::MAX, |at| at.max(now)).min(now + idle)
    }
}

/// Says who tried what, and why it was refused.
fn log_refused(it: &RefusedAction) {
    let RefusedAction { actor, action, why } = it;
    let (incident, by, kind) = (action.incident, &action.by, action.kind);
    match why {
        Refused::Unregistered | Refused::NotTold | Refused::NotAllowed => {
            tracing::warn!(%actor, ?by, %incident, ?kind, "an action was refused: {why}");
        }
        Refused::Unknown | Refused::Changed | Refused::NotNow { .. } => {
            tracing::info!(%actor, ?by, %incident, ?kind, "an action was refused: {why}");
        }
    }
}

/// How long to wait from `now` until `then`.
fn span(now: Ms, then: Ms) -> Duration {
    Duration::from_millis(u64::try_from(then - now).unwrap_or(0))
}
