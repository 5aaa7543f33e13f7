//! The one writer: what arrives is stepped, committed in one transaction, and only then
//! acknowledged.
//!
//! [`Engine`] is that, without thread, clock or channel, so that a simulator can drive it:
//! `take` what arrived, `tick`, `commit`. When a commit fails, the engine holds on to exactly what
//! it wanted to keep, acknowledges nothing and takes nothing more until the same commit succeeds.
//! The thread around it is in `shell.rs`; what reaches it, in `inbox.rs`.

mod bells;
mod clock;
#[cfg(test)]
mod crash_tests;
pub mod decoders;
mod dirty;
pub mod feed;
pub mod health;
mod inbox;
mod meters;
mod mover;
mod part;
mod presence;
mod shell;
pub mod source;
mod statuses;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use bells::{Bells, Rings, bells};
pub use clock::came_back;
use decoders::ChosenDecoders;
use dirty::Dirty;
pub use inbox::{Ask, Came, Delivery, EngineHandle, Inbox, Queues, Unavailable, Waiting, queues};
use meters::Meters;
use presence::{Present, Way};
pub use shell::{Outlets, run};
use source::Sight;
pub use source::{Receipt, SourceIx, Sources};
use standpipe_machine::clock::Moment;
pub use standpipe_machine::limits::{BATCH, BULK_QUEUE, STAGED_BYTES, STATUS_QUEUE, URGENT_QUEUE};
use standpipe_rules::changes::RefusedAction;
use standpipe_rules::incidents::{BadAnnouncement, Refused};
use standpipe_rules::orders::OrderRefused;
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::wire::{Arrived, Message};
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use standpipe_shared::Condition;
use standpipe_store::{Committed, Extras, Loaded, Quarantined, Store, StoreError};
use tokio::sync::oneshot;
use ulid::Ulid;

/// A memory may be dirty for this long before it is kept.
pub const DIRTY_FOR_MS: Ms = 2_000;
/// Memories kept lazily in one transaction at most …
const LAZY_MOST: usize = 256;
/// … and, while readings pour in, one for so many readings, but …
const LAZY_SHARE: usize = 8;
/// … never fewer than this.
const LAZY_LEAST: usize = 32;
/// Rejected messages kept from one batch at most; the rest are only counted.
const QUARANTINE_BATCH: usize = 64;
/// After a failed commit, the first retry comes after this …
const RETRY_FIRST_MS: Ms = 100;
/// … and each further one after twice as long, up to this.
const RETRY_MOST_MS: Ms = 5_000;
/// With nothing to do, the engine looks at its timers this often.
const IDLE_MS: Ms = 1_000;
/// With memories to keep, this often.
const IDLE_DIRTY_MS: Ms = 250;

/// The world, the store, and what is on its way from one to the other.
#[derive(Debug)]
pub struct Engine {
    world: World,
    store: Store,
    /// What follows from the messages taken since the last commit.
    changes: Changes,
    extras: Extras,
    due: Due,
    dirty: Dirty,
    /// Which sources are up, by their places. One that is not needed counts as up.
    up: Vec<bool>,
    /// By which decoders the sources read what devices send.
    decoders: ChosenDecoders,
    /// Which of them are needed.
    needed: Vec<bool>,
    held: Option<Held>,
    present: Present,
    /// By how much somebody has set the clock since the start: what was stamped before is read so.
    set: Ms,
    /// What the clock tells beside that of the boot, to be kept with what follows.
    moment: Option<Moment>,
    /// The newest of these that was kept.
    moment_kept: Option<Ms>,
    meters: Meters,
}

/// What is owed to those who sent the batch, once it is kept.
#[derive(Debug, Default)]
struct Due {
    messages: usize,
    /// By the sources' places; as many as the farthest of them.
    receipts: Vec<Vec<Receipt>>,
    acted: Vec<Answer<Result<(), Refused>>>,
    placed: Vec<Answer<DeviceIx>>,
    ordered: Vec<Answer<Result<Option<Ulid>, OrderRefused>>>,
    announced: Vec<Answer<Result<Ulid, Vec<BadAnnouncement>>>>,
    withdrawn: Vec<Answer<bool>>,
    flushed: Vec<Answer<()>>,
    /// When the alarms of the batch arrived.
    alarms: Vec<Ms>,
    /// Keep every dirty memory with the next commit.
    all: bool,
}

impl Due {
    fn owe(&mut self, source: SourceIx, receipt: Receipt) {
        if self.receipts.len() <= source.get() {
            self.receipts.resize_with(source.get() + 1, Vec::new);
        }
        if let Some(owed) = self.receipts.get_mut(source.get()) {
            owed.push(receipt);
        }
    }
}

/// What is told to whoever asked.
type Answer<T> = (oneshot::Sender<T>, T);

/// A commit that failed.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// How often in a row.
    times: u32,
    /// When it is tried again.
    retry_at: Ms,
}

/// What a commit lets go.
#[derive(Debug, Default)]
pub struct Done {
    /// What may be acknowledged, by the sources' places; as many as the farthest of them.
    pub receipts: Vec<Vec<Receipt>>,
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
        let Loaded { mut world, mut changes, terminals, pages, .. } = loaded;
        let needed: Vec<bool> =
            sources.all().iter().map(|facts| facts.sight == Sight::Needed).collect();
        let up: Vec<bool> = needed.iter().map(|needed| !needed).collect();
        world.session(!up.contains(&false), now, &mut changes);
        world.forget_receivers(now, &mut changes);
        for station in pages {
            world.step(&Message::Presence { station, online: false }, now, &mut changes);
        }
        let mut engine = Self {
            world,
            store,
            changes,
            extras: Extras::default(),
            due: Due::default(),
            dirty: Dirty::default(),
            up,
            decoders: ChosenDecoders::default(),
            needed,
            held: None,
            present: Present::with_terminals(terminals),
            set: 0,
            moment: None,
            moment_kept: None,
            meters: Meters::new(sources),
        };
        // What a replay moved may lie as far back as the log goes.
        engine.mark(now, 0);
        engine
    }

    /// Where sources look up the decoder of a device: told of every row that changes.
    pub fn tell_decoders(&mut self, decoders: ChosenDecoders) {
        self.decoders = decoders;
    }

    /// Something is wrong with the gateway itself, or no longer is; kept with the next commit. Not
    /// while [`Self::is_held`].
    pub fn gateway_condition(&mut self, condition: Condition, detail: Option<&str>, now: Ms) {
        debug_assert!(!self.is_held(), "a batch that waits for its commit must not grow");
        self.world.gateway_condition(condition, detail, now, &mut self.changes);
    }

    /// The world as it is.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
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
    pub fn take(&mut self, inbox: Inbox, now: Ms) {
        debug_assert!(!self.is_held(), "a batch that waits for its commit must not grow");
        self.due.messages += 1;
        match inbox {
            Inbox::Delivery(delivery) => self.deliver(*delivery),
            Inbox::Source { source, up, at } => self.source(source, up, self.read(at)),
            Inbox::Delivered { page_id, at } => {
                let at = self.read(at);
                self.world.delivered(page_id, at, &mut self.changes);
                self.extras.delivered.push((page_id, at));
            }
            Inbox::Bundle { receiver, pages, at } => {
                let at = self.read(at);
                self.world.bundle((&receiver, &pages), at, &mut self.changes);
            }
            Inbox::GaveUp { page_id, at, why } => {
                let at = self.read(at);
                self.world.gave_up(page_id, at, &why, &mut self.changes);
                self.extras.gave_up.push((page_id, at));
            }
            Inbox::Receiver { name, news, at } => {
                let at = self.read(at);
                self.world.receiver(&name, &news, at, &mut self.changes);
            }
            Inbox::Reword { page_id } => self.extras.reworded.push(page_id),
            Inbox::BoardSent { station, incident, rev } => {
                self.extras.boards.push((station, incident, rev));
            }
            Inbox::BulletinSent { station, rev } => self.extras.bulletins.push((station, rev)),
            Inbox::Digest(news) => self.extras.digests.push(news),
            Inbox::SettingsSent { device, rev, at } => {
                let at = self.read(at);
                self.world.settings_sent(device, rev, at, &mut self.changes);
            }
            Inbox::CommandSent { id, resends, at } => {
                self.world.command_sent((id, resends), self.read(at), &mut self.changes);
            }
            Inbox::SeriesAt { block } => self.extras.series_block = Some(block),
            Inbox::RecordsAt { trail, ledger } => self.extras.records = Some((trail, ledger)),
            Inbox::Quarantine(it) => self.quarantine(it),
            Inbox::Console { station, open, at } => {
                self.presence((station, Way::Console), open, self.read(at));
            }
            Inbox::Ask(ask) => self.ask(ask, now),
        }
        self.mark(now, self.store.newest_block() + 1);
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery { source, receipt, arrived, topic, parsed } = delivery;
        let Came { at, retained, print } = arrived;
        let at = self.read(at);
        // The gateway's own heartbeat is nobody's message.
        if !matches!(parsed.message, Some(Message::Chain { .. })) {
            self.meters.message(source);
        }
        self.meters.repaired.increment(u64::from(parsed.repaired));
        for (message, part) in parsed.messages().zip(0..) {
            // Each of several gets ids of its own, the same however often they come.
            let arrived = Arrived { at, retained, print: print.wrapping_add(part) };
            if matches!(message, Message::Alarm { .. } | Message::UnreadableAlarm { .. }) {
                self.due.alarms.push(at);
            }
            if let Message::Presence { station, online } = message {
                self.presence((station.clone(), Way::Terminal), *online, at);
                self.extras.terminals = Some(self.present.terminals().clone());
            } else {
                self.world.step(message, arrived, &mut self.changes);
            }
            if let Message::Chain { .. } = message {
                self.extras.heartbeat = self.world.heartbeat();
            }
        }
        let device = self.sender(&topic);
        if let Some(first) = parsed.rejected.first() {
            *self.extras.rejected.entry(first.reason.as_str()).or_default() += 1;
        }
        for it in parsed.rejected {
            let reason = it.reason.as_str();
            Meters::rejected(reason, it.count);
            let (topic, device, reason) = (topic.clone(), device.clone(), reason.into());
            let (detail, payload) = (it.detail, it.payload);
            self.quarantine(Quarantined { at, topic, device, reason, detail, payload });
        }
        if let Some(receipt) = receipt {
            self.due.owe(source, receipt);
        }
    }

    /// The registered device that speaks on a topic, `…/{area}/{device}/{channel}`; empty: none.
    fn sender(&self, topic: &str) -> Box<str> {
        let known = |id: &&str| self.world.registry().find(id).is_some();
        topic.rsplit('/').nth(1).filter(known).map(Box::from).unwrap_or_default()
    }

    /// A station's terminal, or the last page of the console that stands for it, came or went.
    fn presence(&mut self, (station, way): (Box<str>, Way), here: bool, at: Ms) {
        let online = self.present.set(&station, way, here);
        self.world.step(&Message::Presence { station, online }, at, &mut self.changes);
    }

    fn quarantine(&mut self, it: Quarantined) {
        if self.extras.quarantine.len() < QUARANTINE_BATCH {
            self.extras.quarantine.push(it);
        }
    }

    /// The gateway sees its devices only while every source that is needed is up.
    fn source(&mut self, source: SourceIx, up: bool, at: Ms) {
        if !self.needed.get(source.get()).copied().unwrap_or_default() {
            return;
        }
        let before = !self.up.contains(&false);
        if let Some(one) = self.up.get_mut(source.get()) {
            *one = up;
        }
        let after = !self.up.contains(&false);
        if before != after {
            self.world.session(after, at, &mut self.changes);
        }
    }

    fn ask(&mut self, ask: Ask, now: Ms) {
        match ask {
            Ask::Act { actor, action, reply } => {
                let done = self.world.act(&actor, &action, now, &mut self.changes);
                self.due.acted.push((reply, done));
            }
            Ask::PutDevice { device, reply } => {
                self.decoders.put(&device);
                let ix = self.world.put_device(*device, &mut self.changes);
                self.due.placed.push((reply, ix));
            }
            Ask::Order { order, reply } => {
                let done = self.world.order(*order, now, &mut self.changes);
                self.due.ordered.push((reply, done));
            }
            Ask::Announce { announcement, reply } => {
                let done = self.world.announce(*announcement, now, &mut self.changes);
                self.due.announced.push((reply, done));
            }
            Ask::Withdraw { id, reply } => {
                let done = self.world.withdraw(&id, now, &mut self.changes);
                self.due.withdrawn.push((reply, done));
            }
            // Whoever asked may have gone.
            Ask::Alive { reply } => drop(reply.send(())),
            Ask::Flush { reply } => {
                self.keep_all();
                self.due.flushed.push((reply, ()));
            }
        }
    }

    /// The next commit keeps everything that is remembered.
    pub const fn keep_all(&mut self) {
        self.due.all = true;
    }

    /// Whether somebody waits for that: what is in the queues is to be taken before.
    #[must_use]
    pub const fn keeps_all(&self) -> bool {
        self.due.all
    }

    /// Lets time pass. Not while [`Self::is_held`].
    pub fn tick(&mut self, now: Ms) {
        debug_assert!(!self.is_held(), "a batch that waits for its commit must not grow");
        self.world.tick(now, &mut self.changes);
        self.mark(now, self.store.newest_block() + 1);
    }

    fn mark(&mut self, now: Ms, block: i64) {
        for ix in self.changes.dirty.drain(..) {
            self.dirty.mark(ix, now, block);
        }
    }

    /// Keeps everything that was taken, answers those who asked, and says what may be
    /// acknowledged. Nothing happens when there is nothing to keep.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was kept and nothing is lost; call again at [`Self::next_wake`].
    pub fn commit(&mut self, now: Ms) -> Result<Done, StoreError> {
        if self.held.is_none() {
            self.choose_lazy(now);
        }
        self.choose_moment();
        let nothing = self.changes.is_empty() && self.extras.is_empty();
        let mut done = Done { block: self.store.newest_block(), ..Done::default() };
        if !nothing {
            let Self { store, world, changes, extras, .. } = self;
            let kept = match store.commit(now, world, changes, extras) {
                Ok(kept) => kept,
                Err(why) => return Err(self.hold(why, now)),
            };
            for ix in &kept.saved {
                self.dirty.kept(*ix);
            }
            self.moment_kept = self.extras.moment.as_ref().map(|it| it.wall).or(self.moment_kept);
            let Committed { block, event, stations, webhooks, devices, .. } = kept;
            let heartbeat = self.extras.heartbeat;
            done = Done { block, event, stations, webhooks, devices, heartbeat, ..done };
        }
        self.held = None;
        self.release(&mut done, now);
        Ok(done)
    }

    /// Which memories are kept with this commit although they could wait. None while an alarm
    /// waits for it, unless so many alarms come that they would wait for ever; neither is the log
    /// cut then.
    fn choose_lazy(&mut self, now: Ms) {
        if self.due.all {
            self.world.close_ledger(&mut self.changes);
        }
        self.extras.lazy.clear();
        self.extras.memories_past = 0;
        let oldest = self.dirty.oldest().unwrap_or(now);
        if !self.due.all && !self.due.alarms.is_empty() && oldest > now - 2 * DIRTY_FOR_MS {
            return;
        }
        let readings = self.changes.readings.len();
        let (before, limit) = match (self.due.all, readings) {
            (true, _) => (Ms::MAX, usize::MAX),
            (false, 0) => (now - DIRTY_FOR_MS, LAZY_MOST),
            (false, n) => (now - DIRTY_FOR_MS, (n / LAZY_SHARE).clamp(LAZY_LEAST, LAZY_MOST)),
        };
        let Self { dirty, extras, .. } = self;
        extras.lazy.extend(dirty.since(before, limit));
        extras.memories_past = dirty.log_needed_after();
    }

    fn hold(&mut self, why: StoreError, now: Ms) -> StoreError {
        let times = self.held.map_or(0, |it| it.times);
        let wait = RETRY_FIRST_MS.saturating_mul(1 << times.min(16)).min(RETRY_MOST_MS);
        self.held = Some(Held { times: times + 1, retry_at: now + wait });
        self.meters.failures.increment(1);
        why
    }

    /// Lets go of everything that waited for the commit.
    fn release(&mut self, done: &mut Done, now: Ms) {
        let due = std::mem::take(&mut self.due);
        if due.messages > 0 {
            self.meters.batch.record(due.messages as f64);
        }
        done.receipts = due.receipts;
        answer(due.acted);
        answer(due.placed);
        answer(due.ordered);
        answer(due.announced);
        answer(due.withdrawn);
        answer(due.flushed);
        for at in due.alarms {
            self.meters.alarm.record(Meters::seconds(now - at));
        }
        self.changes.pages.iter().for_each(Meters::page);
        self.meters.counts(&self.changes.counts);
        self.meters.dirty.set(self.dirty.len() as f64);
        let age = self.dirty.oldest().map_or(0, |at| now - at);
        self.meters.dirty_age.set(Meters::seconds(age));
        let behind = self.store.newest_block() - self.store.series_block();
        self.meters.behind.set(behind as f64);
        self.meters.devices.set(self.world.registry().devices().len() as f64);
        self.changes.refused.iter().for_each(log_refused);
        self.world.committed();
        self.changes.clear();
        self.extras = Extras::default();
    }

    /// Whether SQLite's write-ahead log has grown so far that it is to be moved into the file.
    #[must_use]
    pub const fn log_has_grown(&self) -> bool {
        self.store.log_has_grown()
    }

    /// Moves what is left of it: between commits.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost by it.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.store.checkpoint()
    }

    /// When to tick and commit next even if nothing arrives.
    #[must_use]
    pub fn next_wake(&self, now: Ms) -> Ms {
        if let Some(held) = self.held {
            return held.retry_at;
        }
        let idle = if self.dirty.len() > 0 { IDLE_DIRTY_MS } else { IDLE_MS };
        self.world.next_wake().map_or(Ms::MAX, |at| at.max(now)).min(now + idle)
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
        Refused::Unknown | Refused::NotNow { .. } => {
            tracing::info!(%actor, ?by, %incident, ?kind, "an action was refused: {why}");
        }
    }
}

/// Whoever asked and left is not waited for.
fn answer<T>(answers: Vec<Answer<T>>) {
    for (reply, it) in answers {
        let _ = reply.send(it);
    }
}

/// How long to wait from `now` until `then`.
fn span(now: Ms, then: Ms) -> Duration {
    Duration::from_millis(u64::try_from(then - now).unwrap_or(0))
}
