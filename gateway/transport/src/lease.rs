//! The lease on the broker: this gateway says that it is there, and hears of others on copies of its
//! store. It has a session of its own under a name of this life, so that no twin can take it.
//!
//! What follows from what is heard is decided in [`standpipe_rules::lease`]; not here either: what a
//! gateway does when it stands back (`standpipe::run`).

use std::convert::Infallible;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use standpipe_machine::clock::Clock;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_rules::lease::{
    EVERY_MS, EXPIRY_S, EngineWord, Lease, LeaseEvent, LeaseStanding, Twins,
};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::mqtt::attempts::Attempts;
use crate::mqtt::rivals::Rivals;
use crate::mqtt::{Broker, Frame, Hello, Link, LinkError, Outgoing, PublishReceipt};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a refusal is reported, ms.
const REPORT_EVERY: Ms = 60_000;

/// How this gateway stands to others on its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinView {
    /// Whether it pages, or lets another.
    pub standing: LeaseStanding,
    /// Another may page as well.
    pub in_doubt: bool,
    /// The others that are alive: the name of each one's machine, and whether it pages.
    pub others: Vec<(Box<str>, bool)>,
}

impl TwinView {
    fn of(twins: &Twins, now: Ms) -> Self {
        let others = twins.alive(now).map(|lease| (lease.host.clone(), lease.holds())).collect();
        Self { standing: twins.standing(), in_doubt: twins.is_in_doubt(now), others }
    }

    /// Whether this gateway pages.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self.standing, LeaseStanding::Holds { .. })
    }
}

/// Whether another gateway may page as well, as senders see it: one that says so, or whoever took one of
/// our sessions.
#[derive(Clone, Debug, Default)]
pub struct TwinDoubt {
    view: Option<watch::Receiver<TwinView>>,
    rivals: Rivals,
}

impl TwinDoubt {
    /// As far as these rivals give reason for it.
    #[must_use]
    pub const fn of(rivals: Rivals) -> Self {
        Self { view: None, rivals }
    }

    /// As far as this lease does, too.
    #[must_use]
    pub fn among(self, lease: &LeaseKeeper) -> Self {
        Self { view: Some(lease.view.clone()), ..self }
    }

    /// `now`: on a clock that nobody sets.
    #[must_use]
    pub fn is_suspected(&self, now: Ms) -> bool {
        let twin = self.view.as_ref().is_some_and(|view| view.borrow().in_doubt);
        twin || !self.rivals.at(now).is_empty()
    }
}

/// The lease of this gateway, on a thread of its own. Dropped, it is taken back.
#[derive(Debug)]
pub struct LeaseKeeper {
    view: watch::Receiver<TwinView>,
    engine: watch::Sender<EngineWord>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl LeaseKeeper {
    /// Starts to listen, and to say who we are.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn start(broker: Broker, root: &str, own: Lease, clock: Clock) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let now = clock.stamp().steady();
        let client_id = format!("standpipe-lease-{}-{}", own.gateway, own.holder);
        let twins = Twins::new(own, now);
        let (tell, view) = watch::channel(TwinView::of(&twins, now));
        let (engine, works) = watch::channel(EngineWord::Turns);
        let stop = CancellationToken::new();
        let task = LeaseTask {
            works,
            attempts: Attempts::new("lease", &client_id),
            topic: format!("{root}/gateway/lease"),
            broker,
            client_id,
            clock,
            twins,
            tell,
            said: None,
            pkid: 0,
            refusal_said_at: None,
        };
        let ended = stop.clone();
        let thread = threads::start("lease", move || runtime.block_on(task.run(ended)))?;
        Ok(Self { view, engine, stop, thread: Some(thread) })
    }

    /// Whether this gateway's engine works: others are told.
    pub fn engine(&self, word: EngineWord) {
        self.engine.send_if_modified(|said| std::mem::replace(said, word) != word);
    }

    /// How this gateway stands to others. Where nobody looks after that any more, it pages.
    #[must_use]
    pub fn view(&self) -> TwinView {
        let view = self.view.borrow().clone();
        match self.view.has_changed() {
            Ok(_) => view,
            Err(_) => {
                TwinView { standing: LeaseStanding::Holds { since: 0 }, in_doubt: true, ..view }
            }
        }
    }

    /// Returns once this gateway stands so.
    pub async fn wait_until(&self, stands: impl Fn(&TwinView) -> bool) {
        let mut view = self.view.clone();
        if view.wait_for(|view| stands(view)).await.is_ok() {
            return;
        }
        error!("the lease is not looked after any more: report this as a fault of standpipe");
        if !stands(&self.view()) {
            std::future::pending().await
        }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct LeaseTask {
    broker: Broker,
    client_id: String,
    topic: String,
    clock: Clock,
    twins: Twins,
    tell: watch::Sender<TwinView>,
    works: watch::Receiver<EngineWord>,
    attempts: Attempts,
    /// What was said last on this connection, and when.
    said: Option<(Lease, Ms)>,
    pkid: u16,
    refusal_said_at: Option<Ms>,
}

impl LeaseTask {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let hello = Hello {
                client_id: self.client_id.clone(),
                clean_start: true,
                session_expiry_s: 0,
                receive_maximum: 100,
                will: None,
            };
            let opened = {
                let broker = self.broker.clone();
                let opening = Link::open(&broker, &hello);
                tokio::select! {
                    () = stop.cancelled() => return,
                    opened = opening => opened,
                    never = self.pass_time() => match never {},
                }
            };
            let why = match opened {
                Ok(mut link) => tokio::select! {
                    () = stop.cancelled() => return self.take_back(link).await,
                    ended = self.talk(&mut link) => match ended { Err(why) => why, Ok(never) => match never {} },
                },
                Err(why) => why,
            };
            self.said = None;
            let wait = self.attempts.failed(self.now(), &self.broker, &why).wait;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
                never = self.pass_time() => match never {},
            }
        }
    }

    fn now(&self) -> Ms {
        self.clock.stamp().steady()
    }

    /// Time passes while there is no connection, too.
    async fn pass_time(&mut self) -> Infallible {
        loop {
            sleep(LOOK_EVERY).await;
            self.step(LeaseEvent::Tick);
        }
    }

    async fn talk(&mut self, link: &mut Link) -> Result<Infallible, LinkError> {
        self.attempts.worked(self.now(), &self.broker);
        link.subscribe(std::slice::from_ref(&self.topic))?;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.say(link)?;
            tokio::select! {
                turned = link.turn(true) => {
                    turned?;
                    self.hear(link)?;
                }
                _ = look.tick() => self.step(LeaseEvent::Tick),
            }
        }
    }

    fn hear(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let mut heard = Vec::new();
        while let Some(frame) = link.next_frame()? {
            match frame {
                Frame::Publish(publish) => {
                    heard.push(publish.pkid);
                    let Some(lease) = Lease::read(publish.payload) else { continue };
                    self.step(match publish.retained {
                        true => LeaseEvent::Kept(lease),
                        false => LeaseEvent::Heard(lease),
                    });
                }
                Frame::SubAck { refused } => {
                    refused.iter().for_each(|(_, why)| self.refused(why));
                    self.step(LeaseEvent::Granted);
                }
                Frame::PubAck { receipt: PublishReceipt::Refused(why), .. } => {
                    self.refused(&format!("{why:?}"));
                }
                Frame::PubAck { .. } | Frame::UnsubAck | Frame::Pong | Frame::Bye(_) => {}
            }
        }
        heard.retain(|pkid| *pkid != 0);
        link.ack(&heard);
        Ok(())
    }

    fn refused(&mut self, why: &str) {
        let now = self.now();
        if self.refusal_said_at.is_none_or(|said| now - said >= REPORT_EVERY) {
            self.refusal_said_at = Some(now);
            warn!(
                "the broker refuses {} ({why}): a second gateway on a copy of this store would not be \
                 noticed; run `standpipe provision` once more and give the broker its `acl`",
                self.topic
            );
        }
    }

    fn step(&mut self, event: LeaseEvent) {
        let (now, word) = (self.now(), *self.works.borrow());
        self.twins.step(LeaseEvent::Engine(word), now);
        self.twins.step(event, now);
        let view = TwinView::of(&self.twins, now);
        self.tell.send_if_modified(|told| {
            let news = *told != view;
            *told = view;
            news
        });
    }

    /// Says who we are when that is news, and every two seconds. The broker keeps the word of who pages.
    fn say(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let (now, own) = (self.now(), self.twins.own());
        if self.said.as_ref().is_some_and(|(said, at)| *said == own && now - at < EVERY_MS) {
            return Ok(());
        }
        let payload = own.write();
        let retain = own.holds();
        self.said = Some((own, now));
        self.publish(link, payload.as_bytes(), retain)
    }

    fn publish(&mut self, link: &mut Link, payload: &[u8], retain: bool) -> Result<(), LinkError> {
        self.pkid = self.pkid.checked_add(1).unwrap_or(1);
        let (topic, pkid) = (&*self.topic, self.pkid);
        link.publish(&Outgoing { topic, payload, pkid, retain, expiry_s: EXPIRY_S })
    }

    /// A gateway that ends leaves nothing behind that the next start would have to listen for.
    async fn take_back(mut self, mut link: Link) {
        if self.twins.own().holds()
            && let Err(why) = self.publish(&mut link, b"", true)
        {
            warn!("the lease is not taken back: {why}");
        }
        link.close().await;
    }
}
