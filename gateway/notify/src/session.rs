//! An MQTT session of one sender: connect, read what is owed, send it, hear what arrived, again.
//!
//! Each sender has a session of its own on a thread of its own, so that none waits for another,
//! nor for a lane. Nothing is kept between connections: what the broker has not confirmed is read
//! again as owed. What is owed is the sender's ([`Owed`]).

use std::convert::Infallible;
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::counter;
use standpipe_engine::{Inbox, Unavailable};
use standpipe_machine::clock::Stamp;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_store::{Reader, StoreError, StorePlace};
use standpipe_transport::mqtt::PubAckReason;
use standpipe_transport::mqtt::attempts::Attempts;
use standpipe_transport::mqtt::{Broker, Frame, Hello, Link, LinkError, Outgoing, PublishReceipt};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, warn};

use super::{NET, SenderSetup};

/// Messages on their way to the broker at one time, if it takes that many.
const IN_FLIGHT: usize = 64;
/// How often [`Owed::each_minute`] is asked.
const MINUTE: Duration = Duration::from_secs(60);
/// How often a refusal is reported, ms.
const REPORT_EVERY: Ms = 60_000;

/// One message to send.
#[derive(Debug, PartialEq, Eq)]
pub struct MqttMessage {
    pub topic: String,
    pub payload: String,
    /// The id of its receipt; 0: without one, at QoS 0.
    pub pkid: u16,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
    /// After how many seconds nobody shall get it any more; 0: always.
    pub expiry_s: u32,
}

/// What a receipt came to.
#[derive(Debug, Default)]
pub struct Landed {
    /// What is to be written down.
    pub reports: Vec<Inbox>,
    /// The topic that the gateway may not publish on.
    pub refused: Option<String>,
}

/// What a sender owes.
pub trait Owed: Send + 'static {
    /// Its name in logs.
    const NAME: &'static str;

    /// A connection is up: the broker may have forgotten what it kept.
    fn connected(&mut self, now: Stamp);
    /// The bell rang, or some time passed: plans what the store says is owed.
    fn read(&mut self, now: Stamp);
    /// Whether it is time to read again, because more was owed than was read.
    fn wants_more(&mut self) -> bool;
    /// The next message. Never more than `window` are on their way.
    fn next(&mut self, window: usize, now: Stamp) -> Option<MqttMessage>;
    /// The broker answers for a message.
    fn landed(&mut self, pkid: u16, receipt: &PublishReceipt, now: Stamp) -> Landed;
    /// The connection is gone, and nobody knows what of it arrived.
    fn lost(&mut self);
    /// Said once a minute, unconfirmed, from the connection on; by most nothing.
    fn each_minute(&self, _now: Ms) -> Option<MqttMessage> {
        None
    }
}

/// Starts a sender on its own thread. It ends after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start<O: Owed>(
    owed: O,
    setup: SenderSetup,
    (broker, client_id): (Broker, String),
    bell: watch::Receiver<u64>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hello =
        Hello { client_id, clean_start: true, session_expiry_s: 0, receive_maximum: 1, will: None };
    let attempts = Attempts::new(O::NAME, &hello.client_id);
    let task = Session { owed, setup, broker, hello, attempts, bell, refusal_said_at: None };
    let name = O::NAME.replace(' ', "-");
    threads::start(name, move || runtime.block_on(task.run()))
}

struct Session<O> {
    owed: O,
    setup: SenderSetup,
    broker: Broker,
    hello: Hello,
    attempts: Attempts,
    bell: watch::Receiver<u64>,
    refusal_said_at: Option<Ms>,
}

/// Why a connection's loop ended.
enum SessionEnd {
    Stop,
    Lost(LinkError),
}

impl From<LinkError> for SessionEnd {
    fn from(why: LinkError) -> Self {
        Self::Lost(why)
    }
}

impl From<Unavailable> for SessionEnd {
    fn from(_: Unavailable) -> Self {
        Self::Stop
    }
}

impl<O: Owed> Session<O> {
    async fn run(mut self) {
        let stop = self.setup.stop.clone();
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = Link::open(&self.broker, &self.hello) => opened,
            };
            let end = match opened {
                Ok(link) => self.serve(link).await,
                Err(why) => SessionEnd::Lost(why),
            };
            let SessionEnd::Lost(why) = end else { return };
            self.owed.lost();
            counter!("standpipe_sender_connections_lost_total", "sender" => O::NAME).increment(1);
            let wait =
                self.attempts.failed(self.setup.clock.stamp().steady(), &self.broker, &why).wait;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn serve(&mut self, mut link: Link) -> SessionEnd {
        self.attempts.worked(self.setup.clock.stamp().steady(), &self.broker);
        let Err(end) = self.talk(&mut link).await;
        if matches!(end, SessionEnd::Stop) {
            link.close().await;
        }
        end
    }

    async fn talk(&mut self, link: &mut Link) -> Result<Infallible, SessionEnd> {
        let stop = self.setup.stop.clone();
        let mut bell = self.bell.clone();
        let mut net = interval(NET);
        net.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut minute = interval(MINUTE);
        self.read();
        self.owed.connected(self.setup.clock.stamp());
        loop {
            self.send(link)?;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(SessionEnd::Stop),
                turned = link.turn(true) => {
                    turned?;
                    self.hear(link).await?;
                }
                rung = bell.changed() => {
                    if rung.is_err() {
                        return Err(SessionEnd::Stop);
                    }
                    self.read();
                }
                _ = net.tick() => self.read(),
                _ = minute.tick() => self.each_minute(link)?,
            }
            if self.owed.wants_more() {
                self.read();
            }
        }
    }

    fn read(&mut self) {
        self.owed.read(self.setup.clock.stamp());
    }

    /// Sends what is planned, as far as the broker takes it.
    fn send(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let window = IN_FLIGHT.min(usize::from(link.send_maximum));
        while let Some(message) = self.owed.next(window, self.setup.clock.stamp()) {
            publish(link, &message)?;
        }
        Ok(())
    }

    fn each_minute(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let clock = &self.setup.clock;
        // While nobody knows which time is right, nobody is told any.
        let message = (!clock.is_doubted()).then(|| self.owed.each_minute(clock.now())).flatten();
        message.map_or(Ok(()), |message| publish(link, &message))
    }

    async fn hear(&mut self, link: &mut Link) -> Result<(), SessionEnd> {
        while let Some(frame) = link.next_frame()? {
            let (pkid, receipt) = match frame {
                Frame::PubAck { pkid, receipt } => (pkid, receipt),
                Frame::Publish(_)
                | Frame::SubAck { .. }
                | Frame::UnsubAck
                | Frame::Pong
                | Frame::Bye(_) => continue,
            };
            let landed = self.owed.landed(pkid, &receipt, self.setup.clock.stamp());
            for report in landed.reports {
                self.setup.engine.report(report).await?;
            }
            if let (Some(topic), PublishReceipt::Refused(why)) = (landed.refused, receipt) {
                self.refused(&topic, why);
            }
        }
        Ok(())
    }

    fn refused(&mut self, topic: &str, why: PubAckReason) {
        let now = self.setup.clock.stamp().steady();
        if self.refusal_said_at.is_none_or(|said| now - said >= REPORT_EVERY) {
            self.refusal_said_at = Some(now);
            error!(
                "{}: the broker refuses {topic} ({why:?}): allow this gateway to publish there",
                O::NAME
            );
        }
    }
}

fn publish(link: &mut Link, message: &MqttMessage) -> Result<(), LinkError> {
    link.publish(&Outgoing {
        topic: &message.topic,
        payload: message.payload.as_bytes(),
        pkid: message.pkid,
        retain: message.retain,
        expiry_s: message.expiry_s,
    })
}

/// The store as a sender reads it: opened when it is first read, when it is read elsewhere, and again
/// after a failure.
#[derive(Debug)]
pub struct Shelf {
    name: &'static str,
    place: StorePlace,
    reader: Option<Reader>,
}

impl Shelf {
    /// Nothing is opened yet. `name` is said when that fails.
    #[must_use]
    pub const fn new(name: &'static str, place: StorePlace) -> Self {
        Self { name, place, reader: None }
    }

    /// Whether what is read is in memory alone.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.place.is_in_memory()
    }

    /// Reads; `None` when it can't be, which is logged.
    pub fn read<T>(&mut self, what: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Option<T> {
        let reader = match self.reader.take().filter(|reader| reader.is_at(&self.place)) {
            Some(reader) => Ok(reader),
            None => Reader::at(&self.place),
        };
        match reader.and_then(|reader| what(&reader).map(|owed| (reader, owed))) {
            Ok((reader, owed)) => {
                self.reader = Some(reader);
                Some(owed)
            }
            Err(why) => {
                warn!("{}: what is owed cannot be read ({why}); trying again", self.name);
                None
            }
        }
    }
}
