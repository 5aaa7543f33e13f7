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
use std::thread::JoinHandle;

use standpipe_machine::clock::Stamp;
use standpipe_machine::limits::GRACE;
use standpipe_machine::threads;
use standpipe_rules::wire::Parsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::entry::Input;
use crate::inbox::{Came, Delivery, EngineHandle, weight};
use crate::source::{Facts, Inlet, Receipt, SourceIx};

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
pub enum SourceEvent {
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
    fn next(&mut self) -> impl Future<Output = SourceEvent>;

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
    threads::start(name, move || runtime.block_on(drive(source, port)))
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
                SourceEvent::Message(Incoming { arrived, topic, parsed }, receipt) => {
                    let delivery = Delivery { source: ix, receipt, arrived, topic, parsed };
                    match engine.deliver(delivery) {
                        Ok(()) => owed += usize::from(receipt.is_some()),
                        Err(_no_room) => source.refused(receipt),
                    }
                }
                SourceEvent::Up(at) => {
                    let up = Input::Source { source: ix, up: true }.at(at);
                    if engine.send(up).await.is_err() { return }
                }
                SourceEvent::Down(at) => {
                    let down = Input::Source { source: ix, up: false }.at(at);
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
