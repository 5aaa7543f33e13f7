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
    BULK_QUEUE, REPORT_QUEUE, STAGED_BYTES, STATUS_QUEUE, URGENT_QUEUE,
};
use standpipe_rules::incidents::{
    Action, Actor, Announcement, BadAnnouncement, IncidentId, ReceiverNews, Refused,
};
use standpipe_rules::orders::{Order, OrderRefused};
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_rules::wire::{Message, Parsed};
use standpipe_shared::Reading;
use standpipe_store::Quarantined;
use standpipe_store::digests::DigestNews;
use tokio::sync::oneshot;
use ulid::Ulid;

use crate::source::{Queue, Receipt, SourceIx, Sources};

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
}

impl<T: Into<Stamp>> From<T> for Came {
    /// Live, at that moment.
    fn from(at: T) -> Self {
        Self { at: at.into(), retained: false, print: 0 }
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

    /// Whether it says no more than that a device is there, or is gone.
    fn is_status(&self) -> bool {
        let mut messages = self.parsed.messages().peekable();
        messages.peek().is_some() && messages.all(|it| matches!(it, Message::Status { .. }))
    }

    /// About how much memory it takes, bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.topic, &self.parsed)
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
    let rejected = parsed.rejected.iter().map(|it| it.payload.len() + it.detail.len());
    size_of::<Inbox>() + topic.len() + said + rejected.sum::<usize>()
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

/// Everything that can reach the engine.
///
/// The queues reserve all their places when the gateway starts, so that a place is small: what is
/// large stands in a box, and takes memory only while it waits.
#[derive(Debug)]
pub enum Inbox {
    /// A message.
    Delivery(Box<Delivery>),
    /// A source came up or went down.
    Source {
        /// Which.
        source: SourceIx,
        /// Whether it is up.
        up: bool,
        /// Since when.
        at: Stamp,
    },
    /// The receiver has a page, or a bundle.
    Delivered {
        /// Which.
        page_id: Ulid,
        /// Since when.
        at: Stamp,
    },
    /// One message is to carry several pages to a webhook. It is made as far as they are owed still,
    /// and sent when it is on disk.
    Bundle {
        /// The webhook's name in the configuration.
        receiver: Box<str>,
        /// Which.
        pages: Vec<Ulid>,
        /// When it was decided.
        at: Stamp,
    },
    /// A page was tried for too long, or a bundle.
    GaveUp {
        /// Which.
        page_id: Ulid,
        /// Since when.
        at: Stamp,
        /// The last failure.
        why: Box<str>,
    },
    /// A sender says how its receiver does.
    Receiver {
        /// The receiver's name in the configuration.
        name: Box<str>,
        /// What it does with pages.
        news: ReceiverNews,
        /// When it was said.
        at: Stamp,
    },
    /// Somebody took the incident in hand before this page was first sent: it is to say what is true now.
    Reword {
        /// Which.
        page_id: Ulid,
    },
    /// A station's topic shows an incident.
    BoardSent {
        /// Whose topic.
        station: Box<str>,
        /// Which incident.
        incident: IncidentId,
        /// As of which revision.
        rev: u32,
    },
    /// A station's topic shows what work is announced.
    BulletinSent {
        /// Whose topic.
        station: Box<str>,
        /// As of which revision.
        rev: u32,
    },
    /// Something became of daily digests.
    Digest(DigestNews),
    /// The broker keeps a device's settings.
    SettingsSent {
        /// Whose.
        device: DeviceIx,
        /// Under which number.
        rev: u32,
        /// Since when.
        at: Stamp,
    },
    /// The broker has a command, and keeps it for the device, if that has a session there.
    CommandSent {
        /// Which.
        id: Ulid,
        /// How often it was sent again before.
        resends: u32,
        /// Since when.
        at: Stamp,
    },
    /// History has everything up to this log block.
    SeriesAt {
        /// The block.
        block: i64,
    },
    /// History has the trail up to this entry and the ledger up to this hour.
    RecordsAt {
        /// The entry's number.
        trail: i64,
        /// Start of the hour.
        ledger: standpipe_rules::Ms,
    },
    /// Something that history will never take.
    Quarantine(Quarantined),
    /// Somebody opened, or closed, the last page of the console that stands for a station.
    Console {
        /// Which.
        station: Box<str>,
        /// Whether one is open.
        open: bool,
        /// Since when.
        at: Stamp,
    },
    /// Somebody wants something done, and an answer.
    Ask(Ask),
}

/// What can be asked; answered when it is on disk. An asker who left is not waited for.
#[derive(Debug)]
pub enum Ask {
    /// An action on an incident.
    Act {
        /// Who acts.
        actor: Actor,
        /// What is done.
        action: Action,
        /// Done, or why not.
        reply: oneshot::Sender<Result<(), Refused>>,
    },
    /// Register a device, or change it.
    PutDevice {
        /// As it shall be.
        device: Box<Device>,
        /// Its place.
        reply: oneshot::Sender<DeviceIx>,
    },
    /// Ask something of devices.
    Order {
        /// What.
        order: Box<Order>,
        /// The id of a command, or why not.
        reply: oneshot::Sender<Result<Option<Ulid>, OrderRefused>>,
    },
    /// Announce work, a walk test or an exercise.
    Announce {
        /// What.
        announcement: Box<Announcement>,
        /// Its id, or everything that is wrong with it.
        reply: oneshot::Sender<Result<Ulid, Vec<BadAnnouncement>>>,
    },
    /// End an announcement.
    Withdraw {
        /// Which.
        id: Box<str>,
        /// Whether there was one.
        reply: oneshot::Sender<bool>,
    },
    /// Say that the engine still takes messages.
    Alive {
        /// It does.
        reply: oneshot::Sender<()>,
    },
    /// Take everything that waits, and keep everything that is remembered.
    Flush {
        /// Done.
        reply: oneshot::Sender<()>,
    },
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
    /// Last Wills, and devices that are back.
    pub statuses: Receiver<Inbox>,
    /// What senders report.
    pub reports: Receiver<Inbox>,
    /// The other sources.
    pub bulk: Receiver<Inbox>,
    pub(super) staged: Staged,
}

/// How many messages wait in each queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Urgent sources, asks.
    pub urgent: usize,
    /// Last Wills, and devices that are back.
    pub statuses: usize,
    /// The other sources.
    pub bulk: usize,
}

/// The queues to the engine. It ends when every handle is gone.
#[must_use]
pub fn queues(sources: &Sources) -> (EngineHandle, Queues) {
    let (urgent, urgent_in) = bounded(URGENT_QUEUE);
    let (statuses, statuses_in) = bounded(STATUS_QUEUE);
    let (reports, reports_in) = bounded(REPORT_QUEUE);
    let (bulk, bulk_in) = bounded(BULK_QUEUE);
    let staged = Staged(sources.all().iter().map(|_| AtomicUsize::new(0)).collect());
    let queues = Queues {
        urgent: urgent_in,
        statuses: statuses_in,
        reports: reports_in,
        bulk: bulk_in,
        staged: staged.clone(),
    };
    (EngineHandle { urgent, statuses, reports, bulk, staged, sources: sources.clone() }, queues)
}

impl EngineHandle {
    /// Hands over a message without waiting, on its source's queue; an alarm of a bulk source on
    /// the urgent one, as long as that has room of its own left. A status is never urgent.
    ///
    /// # Errors
    /// [`Unavailable`]: whoever sent the message must keep it, and send it again.
    pub fn deliver(&self, delivery: Delivery) -> Result<(), Unavailable> {
        let queue = match self.sources.queue(delivery.source) {
            Queue::Urgent if delivery.is_status() && !self.statuses.is_full() => &self.statuses,
            Queue::Urgent => &self.urgent,
            Queue::Statuses | Queue::Bulk if delivery.is_alarm() && self.has_room_for_odd() => {
                &self.urgent
            }
            Queue::Statuses => &self.statuses,
            Queue::Bulk => &self.bulk,
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
    pub fn try_send(&self, inbox: Inbox) -> Result<(), Unavailable> {
        self.urgent.try_send(inbox).map_err(|full| why(&full))
    }

    /// Sends something that must arrive, however long the queue stays full.
    ///
    /// # Errors
    /// [`Unavailable::Stopped`].
    pub async fn send(&self, inbox: Inbox) -> Result<(), Unavailable> {
        send(&self.urgent, inbox).await
    }

    /// What became of something owed, as its sender reports it: on a queue of its own, so that a storm
    /// of reports takes no alarm's place, nor alarms a report's.
    ///
    /// # Errors
    /// [`Unavailable::Stopped`].
    pub async fn report(&self, inbox: Inbox) -> Result<(), Unavailable> {
        send(&self.reports, inbox).await
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
        self.ask(|reply| Ask::Act { actor, action, reply }).await
    }

    /// Registers a device, or changes it; answered when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn put_device(&self, device: Device) -> Result<DeviceIx, Unavailable> {
        self.ask(|reply| Ask::PutDevice { device: Box::new(device), reply }).await
    }

    /// Asks something of devices; answered, with the id of a command, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, [`OrderRefused`] when the answer is no.
    pub async fn order(
        &self,
        order: Order,
    ) -> Result<Result<Option<Ulid>, OrderRefused>, Unavailable> {
        self.ask(|reply| Ask::Order { order: Box::new(order), reply }).await
    }

    /// Announces something; answered, with its id, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody could be asked; inside, all that is wrong with it.
    pub async fn announce(
        &self,
        announcement: Announcement,
    ) -> Result<Result<Ulid, Vec<BadAnnouncement>>, Unavailable> {
        self.ask(|reply| Ask::Announce { announcement: Box::new(announcement), reply }).await
    }

    /// Ends an announcement; answered, with whether there was one, when it is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn withdraw(&self, id: Box<str>) -> Result<bool, Unavailable> {
        self.ask(|reply| Ask::Withdraw { id, reply }).await
    }

    /// The engine takes messages: it answers as soon as it takes this one.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn alive(&self) -> Result<(), Unavailable> {
        self.ask(|reply| Ask::Alive { reply }).await
    }

    /// Everything sent before this is taken, and everything remembered is kept.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn flush(&self) -> Result<(), Unavailable> {
        self.ask(|reply| Ask::Flush { reply }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.try_send(Inbox::Ask(ask(reply)))?;
        answer.await.map_err(|_| Unavailable::Stopped)
    }

    /// How many messages wait.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let [urgent, statuses, bulk] =
            [&self.urgent, &self.statuses, &self.bulk].map(|queue| queue.len());
        Waiting { urgent, statuses, bulk }
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
