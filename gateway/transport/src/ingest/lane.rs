//! One lane's loop: connect, read, hand over, acknowledge; and again.

use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use standpipe_engine::health::Part;
use standpipe_engine::{Acks, Came, Delivery, Inbox, Lane, Unavailable};
use standpipe_machine::clock::Stamp;
use standpipe_machine::limits::GRACE;
use standpipe_rules::wire;
use standpipe_rules::wire::topics::{READINGS_LANE_BEFORE, Side, side};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::window::Window;
use super::{LINGER, Setup, below_root, filters, hello, limits};
use crate::mqtt::attempts::Attempts;
use crate::mqtt::{Frame, Link, LinkError, Publish};

/// One lane.
pub struct Task {
    setup: Setup,
    lane: Lane,
    acks: mpsc::Receiver<Acks>,
    window: Window,
    /// Which connection this is; the first is 1.
    epoch: u64,
    /// What the engine was told last: up or down.
    told: Option<bool>,
    attempts: Attempts,
    counts: Counts,
}

/// Why a connection's loop ended.
enum End {
    /// We were told to stop.
    Stop(Link),
    /// The connection is over.
    Lost(LinkError),
    /// The engine is gone; nothing can be done without it.
    NoEngine,
}

impl Task {
    pub fn new(setup: Setup, lane: Lane, acks: mpsc::Receiver<Acks>) -> Self {
        let client_id = hello(&setup.gateway, lane).client_id;
        Self {
            window: Window::new(limits(lane)),
            attempts: Attempts::new(&format!("{} lane", lane.as_str()), &client_id),
            counts: Counts::new(lane),
            epoch: 0,
            told: None,
            setup,
            lane,
            acks,
        }
    }

    pub fn thread_name(&self) -> String {
        format!("ingest-{}", self.lane.as_str())
    }

    /// Until told to stop.
    pub async fn run(mut self) {
        loop {
            let stop = self.setup.stop.clone();
            let connected = tokio::select! {
                () = stop.cancelled() => return,
                connected = self.connect() => connected,
            };
            let end = match connected {
                Ok(link) => self.serve(link).await,
                Err(why) => End::Lost(why),
            };
            let why = match end {
                End::Stop(link) => return self.finish(link).await,
                End::NoEngine => return,
                End::Lost(why) => why,
            };
            let Some(wait) = self.lost(&why).await else { return };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn connect(&mut self) -> Result<Link, LinkError> {
        let hello = hello(&self.setup.gateway, self.lane);
        let mut link = Link::open(&self.setup.broker, &hello).await?;
        // A new connection: what was on its way comes again, and old acknowledgements are void.
        self.epoch += 1;
        self.window.forget();
        self.counts.connects.increment(1);
        if self.epoch > 1 && !link.session_present {
            warn!(
                "{} lane: the broker forgot the session, and with it what it held for us: switch \
                 its persistence on",
                self.lane.as_str()
            );
        }
        // Even when the broker has the session: the root may be another than it was then.
        link.subscribe(&filters(&self.setup.root, self.lane))?;
        Ok(link)
    }

    async fn serve(&mut self, mut link: Link) -> End {
        let now = self.setup.clock.stamp();
        self.attempts.worked(now.steady(), &self.setup.broker);
        let stop = self.setup.stop.clone();
        loop {
            // First of all: messages may have come with the broker's very welcome.
            match self.take(&mut link) {
                Ok(Taken { granted: false, messages: 0 }) => {}
                Ok(Taken { granted: false, .. }) => self.linger(),
                Ok(Taken { granted: true, .. }) => {
                    if self.tell(true, self.setup.clock.stamp()).await.is_err() {
                        return End::NoEngine;
                    }
                }
                Err(why) => return End::Lost(why),
            }
            let open = self.window.is_open();
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stop(link),
                acks = self.acks.recv() => {
                    let Some(acks) = acks else { return End::NoEngine };
                    self.acknowledge(&mut link, acks);
                }
                turned = link.turn(open) => {
                    if let Err(why) = turned {
                        return End::Lost(why);
                    }
                }
            }
        }
    }

    /// Takes what was read, as far as there is room.
    fn take(&mut self, link: &mut Link) -> Result<Taken, LinkError> {
        let (at, mut taken) = (self.setup.clock.stamp(), Taken::default());
        loop {
            if !self.window.is_open() {
                self.counts.pauses.increment(1);
                break;
            }
            match link.next_frame()? {
                None => break,
                Some(Frame::Publish(publish)) if self.is_anothers(&publish) => {
                    self.counts.unread.increment(1);
                    if publish.pkid != 0 {
                        self.window.passed_over(publish.pkid);
                    }
                }
                Some(Frame::Publish(publish)) => {
                    self.hand_over(&publish, at)?;
                    taken.messages += 1;
                }
                Some(Frame::SubAck { refused }) => {
                    taken.granted = self.subscribed(link, &refused)?
                }
                Some(Frame::Pong | Frame::UnsubAck | Frame::PubAck { .. } | Frame::Bye(_)) => {}
            }
        }
        link.ack(&self.window.unread());
        self.counts.messages.increment(taken.messages);
        self.counts.waiting.set(self.window.len() as f64);
        Ok(taken)
    }

    /// Whether a message is not for this lane, and is acknowledged unread.
    fn is_anothers(&self, publish: &Publish<'_>) -> bool {
        match self.lane {
            Lane::Alarm => false,
            Lane::Telemetry => match side(&self.setup.root, publish.topic) {
                Side::Readings => false,
                Side::AlarmLane | Side::Gateway => true,
            },
        }
    }

    fn hand_over(&mut self, publish: &Publish<'_>, at: Stamp) -> Result<(), LinkError> {
        let parsed = wire::parse(&self.setup.root, publish.topic, publish.payload);
        let print = wire::print(publish.topic, publish.payload);
        let arrived = Came { at, retained: publish.retained, print };
        let topic = if parsed.rejected.is_empty() {
            Box::default()
        } else {
            String::from_utf8_lossy(publish.topic).into()
        };
        let pkid = publish.pkid;
        let delivery =
            Delivery { lane: self.lane, epoch: self.epoch, pkid, arrived, topic, parsed };
        let weight = delivery.weight();
        if self.setup.engine.deliver(delivery).is_ok() {
            if pkid != 0 {
                self.window.took(pkid, weight);
            }
            return Ok(());
        }
        self.counts.overflows.increment(1);
        // At QoS 0 the sender asked for no more than a try; at QoS 1 the broker keeps it for us.
        if pkid == 0 { Ok(()) } else { Err(LinkError::Overflow) }
    }

    fn acknowledge(&mut self, link: &mut Link, first: Acks) {
        let mut next = Some(first);
        while let Some(acks) = next {
            if acks.epoch == self.epoch {
                link.ack(&self.window.done(&acks.pkids));
            } else {
                self.counts.stale.increment(acks.pkids.len() as u64);
            }
            next = self.acks.try_recv().ok();
        }
    }

    /// The telemetry lane reads in bursts. Sleeping here stops this thread, on which there is
    /// nothing else: its acknowledgements go out two milliseconds later, and no wake-ups come for
    /// what arrives meanwhile.
    fn linger(&self) {
        if self.lane == Lane::Telemetry {
            std::thread::sleep(LINGER);
        }
    }

    /// How long to wait before the next attempt; none without an engine.
    async fn lost(&mut self, why: &LinkError) -> Option<Duration> {
        let now = self.setup.clock.stamp();
        let failed = self.attempts.failed(now.steady(), &self.setup.broker, why);
        self.part()
            .failing(now.told(), &format!("no session with {}: {}", self.setup.broker, failed.why));
        self.window.forget();
        if self.tell(false, now).await.is_err() {
            return None;
        }
        Some(failed.wait)
    }

    /// Tells the engine whether there is a session, where that is news.
    async fn tell(&mut self, up: bool, at: Stamp) -> Result<(), Unavailable> {
        if self.told == Some(up) {
            return Ok(());
        }
        self.told = Some(up);
        self.setup.engine.send(Inbox::Lane { lane: self.lane, up, at }).await
    }

    /// Acknowledges what is still being committed, and says good-bye. Letting go of the engine's
    /// handle first is what lets the engine end.
    async fn finish(self, mut link: Link) {
        let Self { setup, mut acks, mut window, epoch, .. } = self;
        drop(setup);
        let rest = async {
            while !window.is_empty() {
                tokio::select! {
                    batch = acks.recv() => match batch {
                        None => return,
                        Some(batch) if batch.epoch == epoch => {
                            link.ack(&window.done(&batch.pkids));
                        }
                        Some(_) => {}
                    },
                    turned = link.turn(false) => if turned.is_err() { return },
                }
            }
        };
        // Some of the time there is stays for the good-bye.
        drop(timeout(GRACE * 3 / 4, rest).await);
        link.close().await;
    }

    fn part(&self) -> &Part {
        match self.lane {
            Lane::Alarm => &self.setup.health.alarm_lane,
            Lane::Telemetry => &self.setup.health.telemetry_lane,
        }
    }

    /// The broker has answered what we asked for: whether it grants any of it. What it refuses is
    /// said, and keeps the lane from being called fine.
    fn subscribed(&self, link: &mut Link, refused: &[(usize, String)]) -> Result<bool, LinkError> {
        if refused.is_empty() {
            self.part().fine();
            if self.lane == Lane::Telemetry && link.session_present {
                // Only now, so that nothing gets through between the old filters and the new one.
                link.unsubscribe(below_root(&self.setup.root, &READINGS_LANE_BEFORE))?;
            }
            return Ok(true);
        }
        self.refused(refused);
        Ok(refused.len() < filters(&self.setup.root, self.lane).len())
    }

    fn refused(&self, refused: &[(usize, String)]) {
        let filters = filters(&self.setup.root, self.lane);
        for (place, why) in refused {
            let filter = filters.get(*place).map_or("?", String::as_str);
            let why = format!(
                "the broker refuses the subscription {filter} ({why}): allow it in the broker's \
                 access rules; nothing on it arrives until then"
            );
            error!("{why}");
            self.part().failing(self.setup.clock.now(), &why);
        }
    }
}

/// What came of what was read.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// Messages that were handed over.
    messages: u64,
    /// The broker has granted what the lane asked for, or some of it.
    granted: bool,
}

/// What a lane counts.
struct Counts {
    connects: Counter,
    messages: Counter,
    unread: Counter,
    pauses: Counter,
    overflows: Counter,
    stale: Counter,
    waiting: Gauge,
}

impl Counts {
    fn new(lane: Lane) -> Self {
        let lane = lane.as_str();
        Self {
            connects: counter!("standpipe_mqtt_connects_total", "session" => lane),
            messages: counter!("standpipe_mqtt_messages_total", "session" => lane),
            unread: counter!("standpipe_mqtt_unread_total", "session" => lane),
            pauses: counter!("standpipe_mqtt_pauses_total", "session" => lane),
            overflows: counter!("standpipe_mqtt_overflows_total", "session" => lane),
            stale: counter!("standpipe_mqtt_stale_acks_total", "session" => lane),
            waiting: gauge!("standpipe_mqtt_unacknowledged", "session" => lane),
        }
    }
}
