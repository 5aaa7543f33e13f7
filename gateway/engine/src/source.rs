//! Where messages come from. A source is asked for its next message, and is told which messages
//! are on disk by giving it back their receipts; what a receipt stands for is the source's own
//! affair. It knows nothing of queues and batches, and the engine nothing of protocols.
//!
//! ```text
//! Source::next ─▶ drive ─▶ EngineHandle::deliver ─▶ engine ══ commit
//! Source::acknowledge ◀─ drive ◀──── receipts of the batch ◀────┘
//! ```
//!
//! Each source runs on a thread of its own ([`Feed::start`]), so that none waits for another.
//! Not here: the sources themselves. The MQTT lanes are in `standpipe_transport::ingest`.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use standpipe_machine::clock::Stamp;
use standpipe_machine::limits::GRACE;
use standpipe_rules::wire::Parsed;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::health::Part;
use crate::inbox::{Came, Delivery, EngineHandle, Inbox, weight};

/// Batches of receipts on their way back to a source; what comes while so many wait is merged.
const RECEIPT_BATCHES: usize = 64;

/// What a source wants to get back when its message is on disk. Only the source that made it can
/// read it; to the engine it is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt(u64);

impl Receipt {
    /// A receipt that stands for `token`.
    #[must_use]
    pub const fn new(token: u64) -> Self {
        Self(token)
    }

    /// For the source that made it.
    #[must_use]
    pub const fn token(self) -> u64 {
        self.0
    }
}

/// One message as a source hands it over.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// When and how it arrived.
    pub arrived: Came,
    /// The topic, where something was rejected; else empty.
    pub topic: Box<str>,
    /// What it says.
    pub parsed: Parsed,
}

impl Incoming {
    /// About how much memory it takes while it waits, bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.topic, &self.parsed)
    }
}

/// What a source has to tell.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are messages, and none is stored")]
pub enum Event {
    /// A message, and what to give back once it is on disk; `None`: its sender wants no
    /// acknowledgement.
    Message(Incoming, Option<Receipt>),
    /// The source sees its devices from now on.
    Up(Stamp),
    /// It does not see them any more.
    Down(Stamp),
}

/// Something that brings messages.
pub trait Source: Send + 'static {
    /// What the engine must know of it, the same at every call.
    fn facts(&self) -> Facts;

    /// Waits for the next event, and connects again as often as needed. It may be dropped at any
    /// `.await` and called anew without losing anything.
    fn next(&mut self) -> impl Future<Output = Event>;

    /// The messages of these receipts are on disk: their senders may be told. In order of their
    /// arrival, save that alarms may overtake. Receipts may be older than the present connection.
    fn acknowledge(&mut self, receipts: &[Receipt]);

    /// The engine had no room for the last message: whoever keeps it must send it again later.
    fn refused(&mut self, receipt: Option<Receipt>);

    /// Sends what [`Self::acknowledge`] left to be sent, without taking messages. Returns when
    /// nothing can be sent any more; dropped when nothing is left to acknowledge.
    fn flush(&mut self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    /// Says good-bye.
    fn close(self) -> impl Future<Output = ()>
    where
        Self: Sized,
    {
        std::future::ready(())
    }
}

/// Whether what a source brings may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Nothing it brings waits behind readings.
    Urgent,
    /// Its alarms overtake, the rest waits its turn.
    Bulk,
}

/// What it means when a source is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The gateway is blind: silence says nothing of any device.
    Needed,
    /// Its own devices fall silent; the others are supervised as ever.
    Extra,
}

/// What the engine, `/metrics` and `/readyz` must know of a source.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its label in metrics.
    pub name: Box<str>,
    /// Its name in `/readyz`.
    pub part: Box<str>,
    /// Which queue its messages wait in.
    pub queue: Queue,
    /// What it means when it is down.
    pub sight: Sight,
    /// How it is. Written by the source alone.
    pub health: Arc<Part>,
}

impl Facts {
    /// A source that has not worked yet.
    #[must_use]
    pub fn new(name: &str, part: &str, queue: Queue, sight: Sight) -> Self {
        Self { name: name.into(), part: part.into(), queue, sight, health: Arc::default() }
    }
}

/// A source's place among [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceIx(usize);

impl SourceIx {
    /// The source that stands after `n` others.
    #[must_use]
    pub const fn nth(n: usize) -> Self {
        Self(n)
    }

    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

/// Every source of this gateway, in the order of its places.
#[derive(Clone, Debug)]
pub struct Sources(Arc<[Facts]>);

impl Sources {
    /// An urgent source and a bulk source, both needed: what the tests of several crates run an
    /// engine with. Their places are 0 and 1.
    #[must_use]
    pub fn urgent_and_bulk() -> Self {
        let alarm = Facts::new("alarm", "alarm_lane", Queue::Urgent, Sight::Needed);
        let telemetry = Facts::new("telemetry", "telemetry_lane", Queue::Bulk, Sight::Needed);
        [alarm, telemetry].into_iter().collect()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Facts] {
        &self.0
    }

    /// What one's messages wait in.
    pub(crate) fn queue(&self, source: SourceIx) -> Queue {
        self.0.get(source.0).map_or(Queue::Bulk, |facts| facts.queue)
    }
}

impl FromIterator<Facts> for Sources {
    fn from_iter<I: IntoIterator<Item = Facts>>(facts: I) -> Self {
        Self(facts.into_iter().collect())
    }
}

/// Where the engine puts the receipts of what is on disk: one for each source, in order.
pub type Outlet = mpsc::Sender<Vec<Receipt>>;
/// Where a source's receipts come out.
pub type Inlet = mpsc::Receiver<Vec<Receipt>>;

/// The way back from the engine to one source.
#[must_use]
pub fn receipts() -> (Outlet, Inlet) {
    mpsc::channel(RECEIPT_BATCHES)
}

/// What connects a source to the engine.
#[derive(Debug)]
pub struct Port {
    /// Which source it is.
    pub source: SourceIx,
    /// Where its messages go.
    pub engine: EngineHandle,
    /// What comes back.
    pub receipts: Inlet,
    /// Ends it: what was taken is still acknowledged.
    pub stop: CancellationToken,
}

/// A source that was not started yet, whatever it is.
pub struct Feed {
    facts: Facts,
    start: Box<dyn FnOnce(Port, String) -> io::Result<JoinHandle<()>> + Send>,
}

impl Feed {
    /// Of this source.
    pub fn of(source: impl Source) -> Self {
        let facts = source.facts();
        Self { facts, start: Box::new(move |port, name| start(source, port, name)) }
    }

    /// What the engine must know of it.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Starts it on a thread of its own. It ends after `stop`, when what it took is acknowledged,
    /// or shortly before [`GRACE`] is over.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn start(self, port: Port) -> io::Result<JoinHandle<()>> {
        let name = format!("ingest-{}", self.facts.name);
        (self.start)(port, name)
    }
}

fn start(source: impl Source, port: Port, name: String) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name).spawn(move || runtime.block_on(drive(source, port)))
}

/// Hands over what a source brings, and gives receipts back, until told to stop or until there is
/// no engine any more.
async fn drive(mut source: impl Source, port: Port) {
    let Port { source: ix, engine, mut receipts, stop } = port;
    let mut stopped = std::pin::pin!(stop.cancelled());
    // How many receipts have not come back.
    let mut owed: usize = 0;
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            batch = receipts.recv() => {
                let Some(batch) = batch else { return };
                owed = owed.saturating_sub(batch.len());
                source.acknowledge(&batch);
            }
            event = source.next() => match event {
                Event::Message(Incoming { arrived, topic, parsed }, receipt) => {
                    let delivery = Delivery { source: ix, receipt, arrived, topic, parsed };
                    match engine.deliver(delivery) {
                        Ok(()) => owed += usize::from(receipt.is_some()),
                        Err(_no_room) => source.refused(receipt),
                    }
                }
                Event::Up(at) => {
                    let up = Inbox::Source { source: ix, up: true, at };
                    if engine.send(up).await.is_err() { return }
                }
                Event::Down(at) => {
                    let down = Inbox::Source { source: ix, up: false, at };
                    if engine.send(down).await.is_err() { return }
                }
            }
        }
    }
    // Letting go of the engine's handle first is what lets the engine end.
    drop(engine);
    let rest = async {
        while owed > 0 {
            tokio::select! {
                batch = receipts.recv() => {
                    let Some(batch) = batch else { return };
                    owed = owed.saturating_sub(batch.len());
                    source.acknowledge(&batch);
                }
                () = source.flush() => return,
            }
        }
    };
    // Some of the time there is stays for the good-bye.
    drop(timeout(GRACE * 3 / 4, rest).await);
    source.close().await;
}
