//! What the gateway knows, and the one function by which that changes: [`EngineState::apply`]. No clock,
//! no channel, no file: the same entries over the same store come to the same state.
//!
//! What an entry changes gathers until the batch is kept: `seal` chooses what is written besides,
//! `consequences` shows it to the log, `kept` and `clear` say that it is on disk.

use std::sync::Arc;

use standpipe_machine::clock::Moment;
use standpipe_rules::wire::{Arrived, Message, Parsed};
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use standpipe_store::expired::Archived;
use standpipe_store::{Committed, Extras, Loaded, Quarantined};

use crate::dirty::Dirty;
use crate::entry::{Entry, EntryOutcome, Input, SourceMessage};
use crate::log::Consequences;
use crate::presence::{Present, Way};
use crate::source::SourceIx;

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
/// The newest moment is kept with what there is to keep, at most this often …
const MOMENT_EVERY_MS: Ms = 1_000;
/// … and with nothing to keep, this often.
const MOMENT_IDLE_MS: Ms = 60_000;

/// Everything that the next entry goes by, and what the entries since the last batch changed.
#[derive(Debug)]
pub(crate) struct EngineState {
    /// Shared with the thread that writes it down, and changed in place while nobody else has it: see
    /// [`Consequences`].
    pub(crate) world: Arc<World>,
    /// What follows from the entries since the last batch.
    pub(crate) changes: Arc<Changes>,
    pub(crate) extras: Arc<Extras>,
    pub(crate) dirty: Dirty,
    /// Which sources are up, by their places. One that is not needed counts as up.
    up: Vec<bool>,
    /// Which of them are needed.
    needed: Vec<bool>,
    present: Present,
    /// Stations that were there by a page of the console alone when the gateway last ran.
    pages_before: Vec<Box<str>>,
    /// What the clock tells beside that of the boot, to be kept with what follows.
    moment: Option<Moment>,
    /// The newest of these that was kept.
    moment_kept: Option<Ms>,
    /// The newest log block.
    block: i64,
    /// When the alarms since the last batch arrived.
    pub(crate) alarms: Vec<Ms>,
    /// Keep every dirty memory with this batch.
    all: bool,
}

impl EngineState {
    /// As it was loaded; `block`: the newest log block.
    pub(crate) fn new(loaded: Loaded, block: i64) -> Self {
        let Loaded { world, changes, terminals, pages, .. } = loaded;
        Self {
            world: Arc::new(world),
            changes: Arc::new(changes),
            extras: Arc::default(),
            dirty: Dirty::default(),
            up: Vec::new(),
            needed: Vec::new(),
            present: Present::with_terminals(terminals),
            pages_before: pages,
            moment: None,
            moment_kept: None,
            block,
            alarms: Vec::new(),
            all: false,
        }
    }

    /// What an entry changes. Everything that changes state comes through here.
    pub(crate) fn apply(&mut self, entry: &Entry) -> EntryOutcome {
        let Entry { now, at, input } = entry;
        let (now, at) = (*now, *at);
        let outcome = self.step(input, at, now);
        self.mark(now, self.block + 1);
        outcome
    }

    fn step(&mut self, input: &Input, at: Ms, now: Ms) -> EntryOutcome {
        let Self { world, changes, extras, .. } = self;
        let (world, changes, extras) =
            (Arc::make_mut(world), Arc::make_mut(changes), Arc::make_mut(extras));
        match input {
            Input::Start { clock_set, needed } => self.start(*clock_set, needed, now),
            Input::Message(message) => self.message(message, at),
            Input::Source { source, up } => self.source(*source, *up, at),
            Input::Delivered { page_id } => {
                world.delivered(*page_id, at, changes);
                extras.delivered.push((*page_id, at));
            }
            Input::Bundle { receiver, pages } => world.bundle((receiver, pages), at, changes),
            Input::TakeApart { bundle } => world.take_apart(*bundle, at, changes),
            Input::GaveUp { page_id, why } => {
                world.gave_up(*page_id, at, why, changes);
                extras.gave_up.push((*page_id, at));
            }
            Input::Receiver { name, news } => world.receiver(name, news, at, changes),
            Input::Reword { page_id } => extras.reworded.push(*page_id),
            Input::BoardSent { station, incident, rev } => {
                extras.boards.push((station.clone(), *incident, *rev));
            }
            Input::BulletinSent { station, rev } => extras.bulletins.push((station.clone(), *rev)),
            Input::Digest(news) => extras.digests.push(news.clone()),
            Input::SettingsSent { device, rev } => world.settings_sent(*device, *rev, at, changes),
            Input::CommandSent { id, resends } => world.command_sent((*id, *resends), at, changes),
            Input::SeriesAt { block } => extras.series_block = Some(*block),
            Input::GiveUpLog { block, readings } => {
                extras.series_block = Some(*block);
                extras.given_up.extend(readings);
            }
            Input::RecordsAt { trail, ledger } => extras.records = Some((*trail, *ledger)),
            Input::Quarantine(row) => self.quarantine(|| (**row).clone()),
            Input::Archived(archived) => self.archived(archived),
            Input::Console { station, open } => self.presence((station, Way::Console), *open, at),
            Input::Act { actor, action } => {
                return EntryOutcome::Acted(world.act(actor, action, now, changes));
            }
            Input::PutDevice(device) => {
                return EntryOutcome::Placed(world.put_device((**device).clone(), changes));
            }
            Input::Register(rows) => {
                for station in &rows.stations {
                    world.put_station(station.clone(), changes);
                }
                for device in &rows.devices {
                    world.put_device(device.clone(), changes);
                }
            }
            Input::Retire { device } => {
                return EntryOutcome::Retired(world.retire(device, now, changes));
            }
            Input::Replace { device, by } => {
                return EntryOutcome::Replaced(world.replace(device, by, now, changes));
            }
            Input::Order(order) => {
                return EntryOutcome::Ordered(world.order((**order).clone(), now, changes));
            }
            Input::Announce(announcement) => {
                let announced = world.announce((**announcement).clone(), now, changes);
                return EntryOutcome::Announced(announced);
            }
            Input::Withdraw { id } => {
                return EntryOutcome::Withdrawn(world.withdraw(id, now, changes));
            }
            Input::GatewayCondition { condition, detail } => {
                world.gateway_condition(*condition, detail.as_deref(), now, changes);
            }
            Input::ClockSet { by } => {
                self.moment_kept = None;
                world.clock_set(*by, now, changes);
            }
            Input::ClockBelieved => world.clock_believed(now, changes),
            Input::Moment(moment) => self.moment = Some(moment.clone()),
            Input::Tick => world.tick(now, changes),
            Input::KeepAll => self.all = true,
        }
        EntryOutcome::Taken
    }

    /// The sources are down, no receiver is known to be well, and nobody is there by a page.
    fn start(&mut self, clock_set: Ms, needed: &[bool], now: Ms) {
        let (world, changes) = (Arc::make_mut(&mut self.world), Arc::make_mut(&mut self.changes));
        if clock_set != 0 {
            world.clock_set(clock_set, now, changes);
        }
        self.needed = needed.to_vec();
        self.up = needed.iter().map(|needed| !needed).collect();
        world.session(!self.up.contains(&false), now, changes);
        world.forget_receivers(now, changes);
        for station in std::mem::take(&mut self.pages_before) {
            world.step(&Message::Presence { station, online: false }, now, changes);
        }
        // What a replay moved may lie as far back as the log goes.
        self.mark(now, 0);
    }

    fn message(&mut self, message: &SourceMessage, at: Ms) {
        let SourceMessage { retained, print, topic, parsed, first_came, .. } = message;
        if first_came.is_some() {
            Arc::make_mut(&mut self.world).first_came(*first_came);
        }
        for (message, part) in parsed.messages().zip(0..) {
            // Each of several gets ids of its own, the same however often they come.
            let arrived = Arrived { at, retained: *retained, print: print.wrapping_add(part) };
            if matches!(message, Message::Alarm { .. } | Message::UnreadableAlarm { .. }) {
                self.alarms.push(at);
            }
            if let Message::Presence { station, online } = message {
                self.presence((station, Way::Terminal), *online, at);
                Arc::make_mut(&mut self.extras).terminals = Some(self.present.terminals().clone());
            } else {
                let changes = Arc::make_mut(&mut self.changes);
                Arc::make_mut(&mut self.world).step(message, arrived, changes);
            }
            if let Message::Chain { .. } = message {
                Arc::make_mut(&mut self.extras).heartbeat = self.world.heartbeat();
            }
        }
        if first_came.is_some() {
            Arc::make_mut(&mut self.world).first_came(None);
        }
        self.rejected(parsed, topic, at);
    }

    fn rejected(&mut self, parsed: &Parsed, topic: &str, at: Ms) {
        let Some(first) = parsed.rejected.first() else { return };
        let rejected = &mut Arc::make_mut(&mut self.extras).rejected;
        *rejected.entry(first.reason.as_str()).or_default() += 1;
        let device = self.sender(topic);
        for rejected in &parsed.rejected {
            self.quarantine(|| Quarantined {
                at,
                topic: topic.into(),
                device: device.clone(),
                reason: rejected.reason.as_str().into(),
                detail: rejected.detail.clone(),
                payload: rejected.payload.clone(),
            });
        }
    }

    /// The registered device that speaks on a topic, `…/{area}/{device}/{channel}`; empty: none.
    fn sender(&self, topic: &str) -> Box<str> {
        let known = |id: &&str| self.world.registry().find(id).is_some();
        topic.rsplit('/').nth(1).filter(known).map(Box::from).unwrap_or_default()
    }

    fn archived(&mut self, archived: &Archived) {
        Arc::make_mut(&mut self.world).archived(&archived.incidents);
        Arc::make_mut(&mut self.extras).archived.extend(archived);
    }

    /// A station's terminal, or the last page of the console that stands for it, came or went.
    fn presence(&mut self, (station, way): (&str, Way), here: bool, at: Ms) {
        let online = self.present.set(station, way, here);
        let presence = Message::Presence { station: station.into(), online };
        Arc::make_mut(&mut self.world).step(&presence, at, Arc::make_mut(&mut self.changes));
    }

    fn quarantine(&mut self, row: impl FnOnce() -> Quarantined) {
        if self.extras.quarantine.len() < QUARANTINE_BATCH {
            Arc::make_mut(&mut self.extras).quarantine.push(row());
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
            Arc::make_mut(&mut self.world).session(after, at, Arc::make_mut(&mut self.changes));
        }
    }

    fn mark(&mut self, now: Ms, block: i64) {
        if self.changes.dirty.is_empty() {
            return;
        }
        for ix in Arc::make_mut(&mut self.changes).dirty.drain(..) {
            self.dirty.mark(ix, now, block);
        }
    }

    /// Whether this batch keeps everything that is remembered.
    pub(crate) const fn keeps_all(&self) -> bool {
        self.all
    }

    /// Nothing is added to the batch any more: what is written with it is chosen.
    pub(crate) fn seal(&mut self, now: Ms) {
        self.choose_lazy(now);
        self.choose_moment();
    }

    /// Which memories are kept with this batch although they could wait. None while an alarm
    /// waits for it, unless so many alarms come that they would wait for ever; neither is the log
    /// cut then.
    fn choose_lazy(&mut self, now: Ms) {
        if self.all {
            Arc::make_mut(&mut self.world).close_ledger(Arc::make_mut(&mut self.changes));
        }
        let extras = Arc::make_mut(&mut self.extras);
        extras.lazy.clear();
        extras.memories_past = 0;
        let oldest = self.dirty.oldest().unwrap_or(now);
        if !self.all && !self.alarms.is_empty() && oldest > now - 2 * DIRTY_FOR_MS {
            return;
        }
        let readings = self.changes.readings.len();
        let (before, limit) = match (self.all, readings) {
            (true, _) => (Ms::MAX, usize::MAX),
            (false, 0) => (now - DIRTY_FOR_MS, LAZY_MOST),
            (false, n) => (now - DIRTY_FOR_MS, (n / LAZY_SHARE).clamp(LAZY_LEAST, LAZY_MOST)),
        };
        let Self { dirty, extras, .. } = self;
        let extras = Arc::make_mut(extras);
        extras.lazy.extend(dirty.since(before, limit));
        extras.memories_past = dirty.log_needed_after();
    }

    /// Whether the newest moment is kept with this batch.
    fn choose_moment(&mut self) {
        let every = if self.consequences().is_empty() { MOMENT_IDLE_MS } else { MOMENT_EVERY_MS };
        let kept = self.moment_kept.unwrap_or(Ms::MIN);
        let due = |moment: &Moment| moment.wall.saturating_sub(kept) >= every;
        Arc::make_mut(&mut self.extras).moment = self.moment.take().filter(due);
    }

    /// What follows from the entries since the last batch.
    pub(crate) const fn consequences(&self) -> Consequences<'_> {
        Consequences { world: &self.world, changes: &self.changes, extras: &self.extras }
    }

    /// The batch is kept.
    pub(crate) fn kept(&mut self, committed: &Committed) {
        for ix in &committed.saved {
            self.dirty.kept(*ix);
        }
        self.block = committed.block;
        self.moment_kept =
            self.extras.moment.as_ref().map(|moment| moment.wall).or(self.moment_kept);
    }

    /// Begins the next batch.
    pub(crate) fn clear(&mut self) {
        Arc::make_mut(&mut self.world).committed();
        match Arc::get_mut(&mut self.changes) {
            Some(changes) => changes.clear(),
            // A disk that does not answer has them.
            None => self.changes = Arc::default(),
        }
        self.extras = Arc::default();
        self.alarms.clear();
        self.all = false;
    }

    /// When to tick next even if nothing happens; `None`: nothing waits for its time.
    pub(crate) fn next_wake(&self) -> Option<Ms> {
        self.world.next_wake()
    }

    /// How many devices there are.
    pub(crate) fn devices(&self) -> usize {
        self.world.registry().devices().len()
    }
}
