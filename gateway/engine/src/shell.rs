//! The engine's thread: what is waiting is taken, alarms first, and committed.
//!
//! An alarm is committed at once, with what little telemetry is at hand. Telemetry alone is gathered for
//! a while (`gather.rs`): many messages a commit cost less than one each. Statuses and what stations
//! say are taken a few at a time, since each may open or close an incident, and an alarm waits for the
//! commit that is being made.

mod linger;
pub mod refuge;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use metrics::{counter, gauge};
use standpipe_machine::clock::{Clock, kernel};
use standpipe_machine::disk::Ballast;
use standpipe_machine::marks::Marks;
use standpipe_rules::Ms;
use standpipe_rules::shift;
use standpipe_rules::status::brings_detector_back;
use standpipe_store::{StoreError, StorePlace};
use tokio::sync::mpsc::error::TrySendError;

use self::refuge::Refuge;
use super::actions::{Actions, FloodWatch};
use super::clock::way;
use super::gather::Gather;
use super::marked::mark;
use super::mover::Mover;
use super::statuses::{StatusRank, Statuses};
use super::{
    ACTION_QUEUE, BATCH, Bells, Delivery, Done, Engine, Inbox, Queues, Receipt, STATUS_QUEUE, span,
};
use crate::health::{DegradedPart, DegradedWatch, Health};
use crate::source::Outlet;

/// Telemetry that is committed together with an alarm at most.
const WITH_ALARM: usize = 256;
/// Statuses that are committed together at most. With every one a new incident such a commit takes
/// some 10 ms.
const STATUSES: usize = 64;
/// What stations say and is committed together at most, while nothing urgent waits. An acknowledgement
/// takes some 0.1 ms, an action that closes an incident 0.4 ms.
const ACTIONS: usize = 64;
/// So much of it is taken along however many alarms come, and one more for every four messages that
/// were urgent: alarms without end must not keep people from acknowledging, nor take longer than a
/// quarter more for it.
const ACTIONS_ALONG: usize = 8;
const URGENT_PER_ACTION: usize = 4;
/// Reports that are committed together with whatever else is: an alarm waits for no more of them, and
/// they wait for no alarms.
const REPORTS_AT_ONCE: usize = 512;
/// While it waits to try again, the engine looks this often whether it is to end.
const LONGEST_NAP: Duration = Duration::from_millis(50);
/// A failing store is logged this often.
const SHOUT_EVERY_MS: Ms = 60_000;

/// Where things go once they are kept.
#[derive(Debug)]
pub struct Outlets {
    /// What time it is.
    pub clock: Clock,
    /// Wakes whoever reads what is owed.
    pub bells: Bells,
    /// Receipts of what is on disk, by the sources' places.
    pub receipts: Vec<Outlet>,
    /// What the store's line says.
    pub health: Arc<Health>,
    /// Where others read the store: the engine says when that is elsewhere.
    pub place: StorePlace,
    /// Given up when the disk is full.
    pub ballast: Option<Ballast>,
    /// What was taken and not stored, as far as ids go by it.
    pub marks: Option<Marks>,
}

/// Runs until every handle is gone and everything they sent is kept, or until `give_up` says that
/// a store that fails is not waited for any longer. Nothing unkept was acknowledged.
pub fn run(engine: Engine, queues: Queues, outlets: Outlets, give_up: impl Fn() -> bool) {
    let mut shell = Shell::new(engine, queues, outlets, give_up);
    shell.begins_in_memory();
    shell.follow_troubles();
    while shell.turn() {}
}

struct Shell<F> {
    engine: Engine,
    mover: Mover,
    queues: Queues,
    /// Those that were taken from their queue, and wait for their turn.
    statuses: Statuses,
    actions: Actions,
    floods: FloodWatch,
    outlets: Outlets,
    /// Receipts that a source had no room for.
    waiting: Vec<Vec<Receipt>>,
    shouted: Option<Ms>,
    kernel: kernel::KernelWatch,
    troubles: DegradedWatch,
    refuge: Refuge,
    gather: Gather,
    /// When the last batch was acknowledged.
    released: Instant,
    give_up: F,
}

/// What woke the engine.
#[derive(Clone, Copy)]
enum Woken {
    Urgent,
    Statuses,
    Actions,
    Bulk,
    Time,
    /// Every handle is gone.
    Alone,
}

impl<F: Fn() -> bool> Shell<F> {
    fn new(engine: Engine, queues: Queues, outlets: Outlets, give_up: F) -> Self {
        let mover = Mover::new(engine.store().path());
        let waiting = outlets.receipts.iter().map(|_| Vec::new()).collect();
        let troubles = outlets.health.degraded.watch();
        let (gather, released) = (Gather::new(queues.gather), outlets.clock.instant());
        Self {
            engine,
            mover,
            queues,
            statuses: Statuses::default(),
            actions: Actions::default(),
            floods: FloodWatch::default(),
            outlets,
            waiting,
            shouted: None,
            kernel: kernel::KernelWatch::default(),
            troubles,
            refuge: Refuge::default(),
            gather,
            released,
            give_up,
        }
    }

    /// One batch. False when it was the last.
    fn turn(&mut self) -> bool {
        let (woken, first) = self.wait();
        if !self.follow_clock() {
            return false;
        }
        if let Some(first) = first {
            self.take_first(first, woken);
        }
        match woken {
            Woken::Urgent | Woken::Statuses | Woken::Actions => self.gather(WITH_ALARM),
            Woken::Bulk => {
                let alarm = self.linger();
                self.gather(if alarm { WITH_ALARM } else { BATCH });
            }
            Woken::Time => {}
            Woken::Alone => self.engine.keep_all(),
        }
        let now = self.outlets.clock.now();
        self.engine.tick(now);
        self.ask_kernel(now);
        self.follow_troubles();
        self.engine.note(self.outlets.clock.moment());
        let Some(done) = self.commit() else { return false };
        self.dealt_with();
        self.keep_marks();
        self.release(done);
        self.outlets.health.turned();
        self.tries_to_go_back();
        self.outlets.clock.doubt(self.engine.clock_is_doubted());
        if self.queues.urgent.is_empty() {
            self.checkpoint();
        }
        if matches!(woken, Woken::Alone) {
            self.goes_back();
            if self.engine.is_in_memory() {
                tracing::error!(
                    "stopped while nothing can be stored: what was in memory alone is lost"
                );
            }
            return false;
        }
        true
    }

    /// What woke the engine: a status and an action wait for their turn, the rest is taken.
    fn take_first(&mut self, first: Inbox, woken: Woken) {
        match (first, woken) {
            (Inbox::Delivery(status), Woken::Statuses) => self.put(status),
            (Inbox::Delivery(action), Woken::Actions) => self.actions.put(action),
            (inbox, _) => self.take(inbox),
        }
    }

    /// What the gateway has to do without is an incident as long as it is so.
    fn follow_troubles(&mut self) {
        let now = self.outlets.clock.now();
        if self.floods.is_over(now) {
            self.outlets.health.degraded.clear(DegradedPart::Actions);
        }
        for (condition, detail) in self.troubles.news().into_iter().flatten() {
            self.engine.gateway_condition(condition, detail.as_deref(), now);
        }
    }

    /// Once a person has closed the incident about a part, nobody is told of the part any more
    /// until it is found in trouble again.
    fn dealt_with(&mut self) {
        let world = self.engine.world();
        for part in self.troubles.dealt_with(|condition| world.gateway_stands(condition)) {
            if !part.ends_by_itself() {
                self.outlets.health.degraded.clear(part);
            }
        }
    }

    /// Somebody set the machine's clock: everything remembered is moved by as much, and kept so,
    /// before anything of the new time is taken. False when that can't be kept.
    fn follow_clock(&mut self) -> bool {
        let Outlets { clock, health, .. } = &self.outlets;
        let Some(by) = clock.follow() else { return true };
        tracing::warn!(
            "this machine's clock was set {} by {}: timers keep what was left of them",
            way(by),
            shift::span(by)
        );
        counter!("standpipe_clock_steps_total").increment(1);
        health.shift(by);
        self.kernel.clock_set();
        self.engine.clock_set(by, clock.now());
        self.engine.note(clock.moment());
        let Some(done) = self.commit() else { return false };
        self.release(done);
        true
    }

    /// Asks the kernel, now and then, whether the machine's clock is synchronised.
    fn ask_kernel(&mut self, now: Ms) {
        let (doubted, clock) = (self.engine.clock_is_doubted(), &self.outlets.clock);
        let answer = self.kernel.look(clock.instant(), doubted, kernel::synchronised);
        let Some(answer) = answer else { return };
        let part = &self.outlets.health.clock;
        match answer.synchronised {
            Some(false) => part.failing(now, kernel::ADVICE),
            Some(true) | None => part.fine(),
        }
        if let Some(synchronised) = answer.synchronised {
            gauge!("standpipe_clock_synchronised").set(f64::from(u8::from(synchronised)));
        }
        match answer.synchronised.filter(|_| answer.news) {
            Some(true) => tracing::info!("this machine's clock is synchronised"),
            Some(false) => tracing::warn!("{}", kernel::ADVICE),
            None if answer.news => tracing::info!(
                "the kernel does not say whether its clock is synchronised: allow `adjtimex` to see it"
            ),
            None => {}
        }
        if doubted && answer.believed {
            tracing::info!("the clock that was set is synchronised: it is believed");
            self.engine.clock_believed(now);
        }
    }

    /// Has the write-ahead log moved when it has grown. What came meanwhile is little, and is
    /// moved here: only while nobody writes does the log start over.
    fn checkpoint(&mut self) {
        if self.engine.is_in_memory() {
            return;
        }
        if let Some(moved) = self.mover.ended() {
            for outcome in [moved, self.engine.checkpoint()] {
                outcome.unwrap_or_else(|why| tracing::warn!("{why}"));
            }
        } else if self.engine.log_has_grown() {
            self.mover.begin();
        }
    }

    fn take(&mut self, inbox: Inbox) {
        if let Inbox::Delivery(delivery) = &inbox {
            // Also what nobody has taken from its queue yet.
            self.collect_statuses();
            for status in self.statuses.before(delivery) {
                self.take_delivery(status);
            }
        }
        self.take_alone(inbox);
    }

    fn take_delivery(&mut self, delivery: Box<Delivery>) {
        self.take_alone(Inbox::Delivery(delivery));
    }

    fn take_alone(&mut self, inbox: Inbox) {
        let now = self.outlets.clock.now();
        match inbox {
            Inbox::Delivery(delivery) => {
                self.queues.staged.less(&delivery);
                match self.marked_before(&delivery, now) {
                    Some(arrived) => self.engine.take_again(delivery, arrived, now),
                    None => self.engine.take(Inbox::Delivery(delivery), now),
                }
            }
            Inbox::Input(_) | Inbox::Alive(_) => self.engine.take(inbox, now),
        }
    }

    /// When an earlier life took that message, which it could not store.
    fn marked_before(&mut self, delivery: &Delivery, now: Ms) -> Option<Ms> {
        let marks = self.outlets.marks.as_mut().filter(|marks| marks.has_former())?;
        marks.take(mark(&delivery.parsed, delivery.arrived.print, now)?)
    }

    /// What goes by its arrival is marked while nothing can be stored, and no longer.
    fn keep_marks(&mut self) {
        let notes = self.engine.take_marks();
        let Some(marks) = &mut self.outlets.marks else { return };
        let done = if self.engine.is_in_memory() { marks.note(&notes) } else { marks.forget() };
        if let Err(why) = done {
            tracing::debug!("marks beside the store are not made ({why})");
            counter!("standpipe_marks_failed_total").increment(1);
        }
    }

    /// A status is to wait for its turn.
    fn put(&mut self, status: Box<Delivery>) {
        let registry = self.engine.world().registry();
        let back = status.parsed.messages().any(|said| brings_detector_back(said, registry));
        self.statuses.put(status, if back { StatusRank::First } else { StatusRank::InTurn });
    }

    /// What came into their queue, as far as there is room.
    fn collect_statuses(&mut self) {
        while self.statuses.len() < STATUS_QUEUE
            && let Ok(inbox) = self.queues.statuses.try_recv()
        {
            if let Inbox::Delivery(status) = inbox {
                self.put(status);
            } else {
                self.take(inbox);
            }
        }
    }

    /// What came into their queue, as far as there is room.
    fn collect_actions(&mut self) {
        while self.actions.len() < ACTION_QUEUE
            && let Ok(inbox) = self.queues.actions.try_recv()
        {
            if let Inbox::Delivery(action) = inbox {
                self.actions.put(action);
            } else {
                self.take(inbox);
            }
        }
    }

    fn wait(&self) -> (Woken, Option<Inbox>) {
        if !self.actions.is_empty() {
            return (Woken::Actions, None);
        }
        if !self.statuses.is_empty() {
            return (Woken::Statuses, None);
        }
        let now = self.outlets.clock.now();
        let wait = span(now, self.engine.next_wake(now));
        let (woken, inbox) = select! {
            recv(self.queues.urgent) -> first => (Woken::Urgent, first.ok()),
            recv(self.queues.statuses) -> first => (Woken::Statuses, first.ok()),
            recv(self.queues.actions) -> first => (Woken::Actions, first.ok()),
            recv(self.queues.reports) -> first => (Woken::Urgent, first.ok()),
            recv(self.queues.bulk) -> first => (Woken::Bulk, first.ok()),
            default(wait) => return (Woken::Time, None),
        };
        if inbox.is_some() { (woken, inbox) } else { self.last() }
    }

    /// One queue has no sender any more, so neither have the others: what is left in them is taken.
    fn last(&self) -> (Woken, Option<Inbox>) {
        let Queues { urgent, statuses, actions, reports, bulk, .. } = &self.queues;
        let first = |queue: &Receiver<Inbox>| queue.try_recv().ok();
        match [urgent, reports, actions, statuses, bulk].into_iter().find_map(first) {
            Some(inbox) => (Woken::Bulk, Some(inbox)),
            None => (Woken::Alone, None),
        }
    }

    /// Takes what waits: everything urgent, some reports, some of what stations say, then some
    /// statuses, and telemetry up to `bulk`, until something urgent comes.
    fn gather(&mut self, bulk: usize) {
        self.gather_some(bulk);
        if self.engine.keeps_all() {
            // Whoever wants that wants it of everything sent before.
            while let Some(waiting) = self.actions.take().or_else(|| self.statuses.take()) {
                self.take_delivery(waiting);
            }
            let Queues { urgent, statuses, actions, reports, bulk, .. } = &self.queues;
            let queues = [urgent, reports, actions, statuses, bulk].into_iter();
            let left: Vec<_> =
                queues.flat_map(|queue| queue.try_iter().take(queue.len())).collect();
            left.into_iter().for_each(|inbox| self.take(inbox));
        }
    }

    fn gather_some(&mut self, bulk: usize) {
        self.take_urgent();
        self.take_reports();
        self.take_actions();
        self.take_statuses();
        // What came meanwhile is kept by the same commit.
        self.take_urgent();
        let most = self.engine.taken().saturating_add(bulk).min(BATCH);
        while self.engine.taken() < most && self.queues.urgent.is_empty() {
            let Ok(inbox) = self.queues.bulk.try_recv() else { return };
            self.take(inbox);
        }
    }

    fn take_urgent(&mut self) {
        while self.engine.taken() < BATCH
            && let Ok(inbox) = self.queues.urgent.try_recv()
        {
            self.take(inbox);
        }
    }

    fn take_reports(&mut self) {
        for _ in 0..REPORTS_AT_ONCE {
            let Ok(inbox) = self.queues.reports.try_recv() else { break };
            self.take(inbox);
        }
    }

    /// Some of what stations say, each in its turn: a share whatever is urgent, and more until something
    /// urgent comes.
    fn take_actions(&mut self) {
        self.collect_actions();
        let along = ACTIONS_ALONG.max(self.engine.taken() / URGENT_PER_ACTION);
        let now = self.outlets.clock.now();
        for taken in 0..along.max(ACTIONS) {
            if taken >= along && !self.queues.urgent.is_empty() {
                return;
            }
            let Some(action) = self.actions.take() else { return };
            self.floods.took(&action, now, &self.outlets.health.degraded);
            self.take_delivery(action);
        }
    }

    /// A few of the statuses that wait, until something urgent comes.
    fn take_statuses(&mut self) {
        self.collect_statuses();
        for _ in 0..STATUSES {
            if self.engine.taken() >= BATCH || !self.queues.urgent.is_empty() {
                return;
            }
            let Some(status) = self.statuses.take() else { return };
            self.take_delivery(status);
        }
    }

    /// Commits, however often it takes; `None` when that was given up.
    fn commit(&mut self) -> Option<Done> {
        loop {
            let started = self.outlets.clock.instant();
            let now = self.outlets.clock.now();
            match self.engine.commit(now) {
                Ok(done) => {
                    self.engine.meters.commit.record(started.elapsed().as_secs_f64());
                    self.recovered(now);
                    return Some(done);
                }
                Err(why) if self.takes_refuge(&why, now) => continue,
                Err(why) => self.shout(&why, now),
            }
            if !self.nap(self.engine.next_wake(now)) {
                tracing::error!(
                    "stopped while nothing can be written: the broker keeps what is not acknowledged"
                );
                return None;
            }
        }
    }

    /// Sleeps until then; false when that is not wanted any more.
    fn nap(&self, until: Ms) -> bool {
        loop {
            if (self.give_up)() {
                return false;
            }
            let now = self.outlets.clock.now();
            if now >= until {
                return true;
            }
            self.outlets.clock.sleep(span(now, until).min(LONGEST_NAP));
        }
    }

    fn shout(&mut self, why: &StoreError, now: Ms) {
        self.outlets.health.store.failing(now, &why.to_string());
        self.engine.meters.failing.set(1.0);
        if self.shouted.is_none_or(|at| now - at >= SHOUT_EVERY_MS) {
            tracing::error!("nothing is acknowledged until this can be written: {why}");
            self.shouted = Some(now);
        }
    }

    fn recovered(&mut self, now: Ms) {
        if self.engine.is_in_memory() {
            self.outlets.health.store.fine();
            return;
        }
        if let Some(since) = self.shouted.take() {
            tracing::warn!(after_ms = now - since, "the store takes what is written again");
        }
        self.outlets.health.store.fine();
        self.engine.meters.failing.set(0.0);
    }

    /// Gives receipts back to their sources.
    fn give_back(&mut self, receipts: Vec<Vec<Receipt>>) {
        let mut left = 0;
        for (waiting, receipts) in self.waiting.iter_mut().zip(receipts) {
            if waiting.is_empty() {
                *waiting = receipts;
            } else {
                waiting.extend(receipts);
            }
        }
        for (waiting, to) in self.waiting.iter_mut().zip(&self.outlets.receipts) {
            if !waiting.is_empty()
                && let Err(TrySendError::Full(back)) = to.try_send(std::mem::take(waiting))
            {
                left += back.len();
                *waiting = back;
            }
        }
        self.engine.meters.acks.set(left as f64);
    }

    fn release(&mut self, mut done: Done) {
        self.give_back(std::mem::take(&mut done.receipts));
        self.released = self.outlets.clock.instant();
        if let Some(sent) = done.heartbeat {
            self.outlets.health.chain.kept(sent);
        }
        let Bells { stations, webhooks, devices, log, events, receipts } = &self.outlets.bells;
        if done.stations {
            stations.send_modify(|count| *count += 1);
        }
        if done.webhooks {
            webhooks.send_modify(|count| *count += 1);
        }
        if done.devices {
            devices.send_modify(|count| *count += 1);
        }
        receipts.send(done.alarms);
        log.send_if_modified(|block| std::mem::replace(block, done.block) != done.block);
        events.send_if_modified(|newest| {
            done.event > std::mem::replace(newest, done.event.max(*newest))
        });
        let meters = &self.engine.meters;
        meters.urgent.set(self.queues.urgent.len() as f64);
        meters.statuses.set((self.queues.statuses.len() + self.statuses.len()) as f64);
        meters.actions.set((self.queues.actions.len() + self.actions.len()) as f64);
        meters.bulk.set(self.queues.bulk.len() as f64);
    }
}
