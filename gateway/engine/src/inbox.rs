//! What reaches the engine, what it answers, and the three queues between.
//!
//! `urgent` carries the urgent sources and people's asks; `statuses` carries Last Wills and devices
//! that are back, whatever source of these they come by; `reports` carries what senders report;
//! `bulk` carries the other sources. Each is bounded: a source that finds its queue full is told so,
//! and whoever sent the message keeps it; an ask that finds it full is refused; a sender's report
//! waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use standpipe_machine::clock::Stamp;
use standpipe_machine::limits::{
    ACTION_QUEUE, BULK_QUEUE, GATHER, REPORT_QUEUE, STAGED_BYTES, STATUS_QUEUE, URGENT_QUEUE,
};
use standpipe_rules::Ms;
use standpipe_rules::incidents::{Action, Actor, Announcement, BadAnnouncement, Refused};
use standpipe_rules::orders::{Order, OrderRefused};
use standpipe_rules::registry::{Device, DeviceIx, NotReplaced};
use standpipe_rules::wire::{Message, Parsed};
use standpipe_shared::Reading;
use standpipe_store::expired::Archived;
use tokio::sync::oneshot;
use ulid::Ulid;

use crate::entry::{Entry, EntryOutcome, Input, RegistryRows, SourceMessage};
use crate::source::{QueueKind, Receipt, SourceIx, Sources};

/// With so many messages in the urgent queue, alarms of a bulk source wait with the readings: the
/// other half of the queue is the urgent sources', and must stay so.
const ODD_ALARMS: usize = URGENT_QUEUE / 4;
/// How long what must arrive naps before it tries a full queue again.
const NAP: Duration = Duration::from_millis(10);

/// How a message came, and when by the clock of whoever took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// When, to be read by the clock as it is when the engine takes it.
    pub at: Stamp,
    /// The broker had kept it.
    pub retained: bool,
    /// Fingerprint of its topic's last level and its bytes.
    pub print: u128,
    /// SHA-256 of its bytes, where a receipt names an alarm by that.
    pub digest: Option<[u8; 32]>,
}

impl<T: Into<Stamp>> From<T> for Came {
    /// Live, at that moment.
    fn from(at: T) -> Self {
        Self { at: at.into(), retained: false, print: 0, digest: None }
    }
}

/// One message from a source, parsed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which source.
    pub source: SourceIx,
    /// What the source gets back when it is on disk; `None`: nobody wants to know.
    pub receipt: Option<Receipt>,
    /// When and how it arrived.
    pub arrived: Came,
    /// The topic, where something was rejected; else empty.
    pub topic: Box<str>,
    /// What it says.
    pub parsed: Parsed,
}

impl Delivery {
    /// Whether it must not wait behind readings, whatever source it came from: over MQTT, an alarm
    /// on a topic that no filter can name. What takes one back keeps its place behind it.
    fn is_alarm(&self) -> bool {
        self.parsed.messages().any(|message| {
            matches!(
                message,
                Message::Alarm { .. } | Message::UnreadableAlarm { .. } | Message::Cleared { .. }
            )
        })
    }

    /// Whether it says no more than that a device is there or gone, or what it answers.
    fn is_status(&self) -> bool {
        let mut messages = self.parsed.messages().peekable();
        messages.peek().is_some()
            && messages
                .all(|message| matches!(message, Message::Status { .. } | Message::Reply { .. }))
    }

    /// The station that says it, if nobody else does.
    pub(crate) fn station(&self) -> Option<&str> {
        self.parsed.messages().find_map(Message::station)
    }

    /// About how much memory it takes, bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.topic, &self.parsed)
    }

    /// As an entry, by a clock that has been set by so much in all. What its source gets back is
    /// no part of it. `first_came`: to an earlier life.
    pub(crate) fn entry(self, set: Ms, first_came: Option<Ms>, now: Ms) -> Entry {
        let Self { source, arrived: Came { at, retained, print, .. }, topic, parsed, .. } = self;
        let message = SourceMessage { source, retained, print, topic, parsed, first_came };
        Entry { now, at: at.by(set), input: Input::Message(Box::new(message)) }
    }
}

/// About how much memory a message takes while it waits, bytes.
pub(crate) fn weight(topic: &str, parsed: &Parsed) -> usize {
    let said = |message: &Message| match message {
        Message::Telemetry { readings, .. } => readings.len() * size_of::<Reading>(),
        Message::UnreadableAlarm { topic, payload, .. } => topic.len() + payload.len(),
        Message::Alarm { .. }
        | Message::Status { .. }
        | Message::Cleared { .. }
        | Message::NotUnderstood { .. }
        | Message::Reply { .. }
        | Message::Action { .. }
        | Message::Presence { .. }
        | Message::Chain { .. } => 0,
    };
    let said =
        parsed.messages().map(said).sum::<usize>() + parsed.more.len() * size_of::<Message>();
    let rejected =
        parsed.rejected.iter().map(|refused| refused.payload.len() + refused.detail.len());
    size_of::<Inbox>() + size_of::<Delivery>() + topic.len() + said + rejected.sum::<usize>()
}

/// What the waiting deliveries weigh, one number for each source.
#[derive(Clone, Debug)]
pub(super) struct Staged(Arc<[AtomicUsize]>);

impl Staged {
    fn of(&self, source: SourceIx) -> Option<&AtomicUsize> {
        self.0.get(source.get())
    }

    /// False when it is too much; then nothing was added.
    fn more(&self, delivery: &Delivery) -> bool {
        let Some(staged) = self.of(delivery.source) else { return true };
        let weight = delivery.weight();
        let before = staged.fetch_add(weight, Ordering::Relaxed);
        if before == 0 || before + weight <= STAGED_BYTES {
            return true;
        }
        staged.fetch_sub(weight, Ordering::Relaxed);
        false
    }

    /// It waits no more.
    pub(super) fn less(&self, delivery: &Delivery) {
        if let Some(staged) = self.of(delivery.source) {
            staged.fetch_sub(delivery.weight(), Ordering::Relaxed);
        }
    }
}

/// Everything that can reach the engine: an input, and what only this process owes for it.
///
/// The queues reserve all their places when the gateway starts, so that a place is small: what is
/// large stands in a box, and takes memory only while it waits.
#[derive(Debug)]
pub enum Inbox {
    /// A message, and what its source gets back.
    Delivery(Box<Delivery>),
    /// Anything else.
    Input(Box<InboxInput>),
    /// Changes nothing: says that the engine still takes messages.
    Alive(oneshot::Sender<()>),
}

/// An input that is no message, and what this process owes for it.
#[derive(Debug)]
pub struct InboxInput {
    pub input: Input,
    /// When it happened; `None`: when it is taken.
    pub at: Option<Stamp>,
    /// Who waits for what comes of it, which is said when it is on disk. An asker who left is
    /// not waited for.
    pub reply: Option<oneshot::Sender<EntryOutcome>>,
}

impl From<InboxInput> for Inbox {
    fn from(input: InboxInput) -> Self {
        Self::Input(Box::new(input))
    }
}

impl From<Input> for Inbox {
    /// As of when it is taken.
    fn from(input: Input) -> Self {
        InboxInput { input, at: None, reply: None }.into()
    }
}

impl From<Delivery> for Inbox {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(Box::new(delivery))
    }
}

impl Input {
    /// It happened then.
    #[must_use]
    pub fn at(self, at: impl Into<Stamp>) -> Inbox {
        InboxInput { input: self, at: Some(at.into()), reply: None }.into()
    }

    /// Somebody waits for what comes of it.
    #[must_use]
    pub fn asked(self, reply: oneshot::Sender<EntryOutcome>) -> Inbox {
        InboxInput { input: self, at: None, reply: Some(reply) }.into()
    }
}

/// Why an ask came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The queue is full, which is so when the disk does not take what is written.
    #[error("the gateway cannot write now: look at /readyz, and try again")]
    Busy,
    /// The engine has stopped.
    #[error("the gateway is stopping: try again when it is back")]
    Stopped,
}

/// Sends to the engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    urgent: Sender<Inbox>,
    statuses: Sender<Inbox>,
    actions: Sender<Inbox>,
    reports: Sender<Inbox>,
    bulk: Sender<Inbox>,
    staged: Staged,
    sources: Sources,
}

/// The engine's ends of the queues.
#[derive(Debug)]
pub struct Queues {
    /// Urgent sources, asks.
    pub urgent: Receiver<Inbox>,
    /// Last Wills, devices that are back, and replies.
    pub statuses: Receiver<Inbox>,
    /// What stations say.
    pub actions: Receiver<Inbox>,
    /// What senders report.
    pub reports: Receiver<Inbox>,
    /// The other sources.
    pub bulk: Receiver<Inbox>,
    /// How long what is in `bulk` waits for more of it before it is committed.
    pub gather: Duration,
    pub(super) staged: Staged,
}

/// How many messages wait in each queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLengths {
    /// Urgent sources, asks.
    pub urgent: usize,
    /// Last Wills, devices that are back, and replies.
    pub statuses: usize,
    /// What stations say.
    pub actions: usize,
    /// The other sources.
    pub bulk: usize,
}

/// The queues to the engine. It ends when every handle is gone.
#[must_use]
pub fn queues(sources: &Sources) -> (EngineHandle, Queues) {
    let (urgent, urgent_in) = bounded(URGENT_QUEUE);
    let (statuses, statuses_in) = bounded(STATUS_QUEUE);
    let (actions, actions_in) = bounded(ACTION_QUEUE);
    let (reports, reports_in) = bounded(REPORT_QUEUE);
    let (bulk, bulk_in) = bounded(BULK_QUEUE);
    let staged = Staged(sources.all().iter().map(|_| AtomicUsize::new(0)).collect());
    let queues = Queues {
        urgent: urgent_in,
        statuses: statuses_in,
        actions: actions_in,
        reports: reports_in,
        bulk: bulk_in,
        gather: GATHER,
        staged: staged.clone(),
    };
    let sources = sources.clone();
    (EngineHandle { urgent, statuses, actions, reports, bulk, staged, sources }, queues)
}

impl EngineHandle {
    /// Hands over a message without waiting, on its source's queue; an alarm of a bulk source on
    /// the urgent one, as long as that has room of its own left. Neither a status nor what a station
    /// says is ever urgent.
    ///
    /// # Errors
    /// [`Unavailable`]: whoever sent the message must keep it, and send it again.
    pub fn deliver(&self, delivery: Delivery) -> Result<(), Unavailable> {
        let queue = match self.sources.queue(delivery.source) {
            QueueKind::Urgent if delivery.is_status() && !self.statuses.is_full() => &self.statuses,
            QueueKind::Urgent if delivery.station().is_some() && !self.actions.is_full() => {
                &self.actions
            }
            QueueKind::Urgent => &self.urgent,
            QueueKind::Statuses | QueueKind::Actions | QueueKind::Bulk
                if delivery.is_alarm() && self.has_room_for_odd() =>
            {
                &self.urgent
            }
            QueueKind::Statuses => &self.statuses,
            QueueKind::Actions => &self.actions,
            QueueKind::Bulk => &self.bulk,
        };
        if !self.staged.more(&delivery) {
            return Err(Unavailable::Busy);
        }
        queue.try_send(Inbox::Delivery(Box::new(delivery))).map_err(|full| {
            if let TrySendError::Full(Inbox::Delivery(back)) = &full {
                self.staged.less(back);
            }
            why(&full)
        })
    }

    fn has_room_for_odd(&self) -> bool {
        self.urgent.len() < ODD_ALARMS
    }

    /// Sends something that is not a delivery, or says at once that it cannot.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub fn try_send(&self, inbox: impl Into<Inbox>) -> Result<(), Unavailable> {
        self.urgent.try_send(inbox.into()).map_err(|full| why(&full))
    }

    /// Sends something that must arrive, however long the queue stays full.
    ///
    /// # Errors
    /// [`Unavailable::Stopped`].
    pub async fn send(&self, inbox: impl Into<Inbox>) -> Result<(), Unavailable> {
        send(&self.urgent, inbox.into()).await
    }

    /// What became of something owed, as its sender reports it: on a queue of its own, so that a storm
    /// of reports takes no alarm's place, nor alarms a report's.
    ///
    /// # Errors
    /// [`Unavailable::Stopped`].
    pub async fn report(&self, inbox: impl Into<Inbox>) -> Result<(), Unavailable> {
        send(&self.reports, inbox.into()).await
    }

    /// An action on an incident; answered when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, [`Refused`] when the answer is no.
    pub async fn act(
        &self,
        actor: Actor,
        action: Action,
    ) -> Result<Result<(), Refused>, Unavailable> {
        let asked = Input::Act { actor: Box::new(actor), action };
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Acted(it) = outcome { Some(it) } else { None },
        )
        .await
    }

    /// Registers a device, or changes it; answered when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn put_device(&self, device: Device) -> Result<DeviceIx, Unavailable> {
        let asked = Input::PutDevice(Box::new(device));
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Placed(it) = outcome { Some(it) } else { None },
        )
        .await
    }

    /// Registers rows of a list, or changes them; answered when they are on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn register(&self, rows: RegistryRows) -> Result<(), Unavailable> {
        let asked = Input::Register(Box::new(rows));
        self.ask(asked, |outcome| (outcome == EntryOutcome::Taken).then_some(())).await
    }

    /// A device is nobody's any more; answered, with whether there was one, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn retire(&self, device: &str) -> Result<bool, Unavailable> {
        let asked = Input::Retire { device: device.into() };
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Retired(was) = outcome { Some(was) } else { None },
        )
        .await
    }

    /// Another node takes the place of a device; answered when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, [`NotReplaced`] when the answer is no.
    pub async fn replace(
        &self,
        device: &str,
        by: &str,
    ) -> Result<Result<DeviceIx, NotReplaced>, Unavailable> {
        let asked = Input::Replace { device: device.into(), by: by.into() };
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Replaced(done) = outcome { Some(done) } else { None },
        )
        .await
    }

    /// Asks something of devices; answered, with the id of a command, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, [`OrderRefused`] when the answer is no.
    pub async fn order(
        &self,
        order: Order,
    ) -> Result<Result<Option<Ulid>, OrderRefused>, Unavailable> {
        let asked = Input::Order(Box::new(order));
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Ordered(it) = outcome { Some(it) } else { None },
        )
        .await
    }

    /// Announces something; answered, with its id, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, all that is wrong with it.
    pub async fn announce(
        &self,
        announcement: Announcement,
    ) -> Result<Result<Ulid, Vec<BadAnnouncement>>, Unavailable> {
        let asked = Input::Announce(Box::new(announcement));
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Announced(it) = outcome { Some(it) } else { None },
        )
        .await
    }

    /// Ends an announcement; answered, with whether there was one, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn withdraw(&self, id: Box<str>) -> Result<bool, Unavailable> {
        let asked = Input::Withdraw { id };
        self.ask(
            asked,
            |outcome| if let EntryOutcome::Withdrawn(it) = outcome { Some(it) } else { None },
        )
        .await
    }

    /// The engine takes messages: it answers as soon as it takes this one.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn alive(&self) -> Result<(), Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.try_send(Inbox::Alive(reply))?;
        answer.await.map_err(|_| Unavailable::Stopped)
    }

    /// Everything sent before this is taken, and everything remembered is kept.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn flush(&self) -> Result<(), Unavailable> {
        self.ask(Input::KeepAll, |_taken| Some(())).await
    }

    /// What is in the archive goes; answered when it is gone.
    ///
    /// # Errors
    /// [`Unavailable`]: not now.
    pub async fn archived(&self, archived: Archived) -> Result<(), Unavailable> {
        self.ask(Input::Archived(Box::new(archived)), |_taken| Some(())).await
    }

    async fn ask<T>(
        &self,
        input: Input,
        answer: impl FnOnce(EntryOutcome) -> Option<T>,
    ) -> Result<T, Unavailable> {
        let (reply, outcome) = oneshot::channel();
        self.try_send(input.asked(reply))?;
        outcome.await.ok().and_then(answer).ok_or(Unavailable::Stopped)
    }

    /// How many messages wait.
    #[must_use]
    pub fn waiting(&self) -> QueueLengths {
        let [urgent, statuses, actions, bulk] =
            [&self.urgent, &self.statuses, &self.actions, &self.bulk].map(|queue| queue.len());
        QueueLengths { urgent, statuses, actions, bulk }
    }
}

async fn send(queue: &Sender<Inbox>, mut inbox: Inbox) -> Result<(), Unavailable> {
    loop {
        match queue.try_send(inbox) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(Unavailable::Stopped),
            Err(TrySendError::Full(back)) => inbox = back,
        }
        tokio::time::sleep(NAP).await;
    }
}

fn why(full: &TrySendError<Inbox>) -> Unavailable {
    match full {
        TrySendError::Full(_) => Unavailable::Busy,
        TrySendError::Disconnected(_) => Unavailable::Stopped,
    }
}
