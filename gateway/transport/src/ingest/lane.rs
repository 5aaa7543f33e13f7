//! One lane: connect, read, hand over, acknowledge; and again.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, counter, gauge};
use standpipe_engine::Came;
use standpipe_engine::feed::{Incoming, Source, SourceEvent};
use standpipe_engine::source::{Facts, Receipt};
use standpipe_machine::clock::Stamp;
use standpipe_machine::limits::MAX_PACKET;
use standpipe_rules::wire::decoder::{Decoder, Parameters, Raw};
use standpipe_rules::wire::topics::{READINGS_LANE_BEFORE, Side, side};
use standpipe_rules::wire::{self, Message, Parsed};
use tokio::time::sleep_until;
use tracing::{error, warn};

use super::gaps::AlarmCopies;
use super::moved::Moved;
use super::window::ReceiveWindow;
use super::{FEW, LINGER, LONG_LINGER, Lane, LaneSetup, below_root, facts, filters, hello, limits};
use crate::mqtt::attempts::Attempts;
use crate::mqtt::{Frame, Link, LinkError, Publish};

/// The bits of a receipt that are the packet's number; those above are its connection's.
const PKID_BITS: u32 = 16;

/// That the broker forgot the session is told of this often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// One lane.
pub struct LaneSource {
    setup: LaneSetup,
    lane: Lane,
    facts: Facts,
    stage: Stage,
    window: ReceiveWindow,
    /// Which connection this is; the first is 1.
    epoch: u64,
    /// Filters of before that the session may still have, and another lane has now or will have.
    moved: Moved,
    /// What was told last: up or down.
    told: Option<bool>,
    /// What is to be told next.
    untold: Option<SourceEvent>,
    /// The messages of the present burst, and when it was read.
    burst: (u64, Option<Stamp>),
    /// Alarms that were passed over, for as long as the alarm lane may not have got them.
    copies: AlarmCopies,
    /// When the log was told last that the broker forgot the session.
    said_forgotten: Option<Instant>,
    attempts: Attempts,
    counts: LaneMeters,
}

type LinkOpening = Pin<Box<dyn Future<Output = Result<Link, LinkError>> + Send>>;

/// How far the lane is with its connection.
enum Stage {
    /// Not before then; `None`: at once.
    Away(Option<Instant>),
    Opening(LinkOpening),
    Up(Box<Link>),
}

/// What a receipt of the lanes stands for: the packet of a connection. An acknowledgement is good
/// for that connection and no other: after a reconnect the same number may be another message.
fn receipt(epoch: u64, pkid: u16) -> Receipt {
    Receipt::new((epoch << PKID_BITS) | u64::from(pkid))
}

/// The packets among these receipts that came on this connection.
fn of_connection(epoch: u64, receipts: &[Receipt]) -> Vec<u16> {
    let token = |receipt: &Receipt| receipt.token();
    let present = |token: &u64| token >> PKID_BITS == epoch;
    receipts.iter().map(token).filter(present).map(|token| token as u16).collect()
}

impl Source for LaneSource {
    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    async fn next(&mut self) -> SourceEvent {
        loop {
            let why = match self.advance().await {
                Ok(Some(event)) => return event,
                Ok(None) => continue,
                Err(why) => why,
            };
            if let Some(event) = self.lost(&why) {
                return event;
            }
        }
    }

    fn acknowledge(&mut self, receipts: &[Receipt]) {
        let pkids = of_connection(self.epoch, receipts);
        self.counts.stale.increment((receipts.len() - pkids.len()) as u64);
        if let Stage::Up(link) = &mut self.stage {
            self.window.done(&pkids);
            link.ack(&self.window.take_turn());
        }
    }

    fn refused(&mut self, receipt: Option<Receipt>) {
        self.counts.overflows.increment(1);
        // At QoS 0 the sender asked for no more than a try; at QoS 1 the broker keeps it for us, but for
        // what was passed over.
        if receipt.is_none() {
            self.copies.again(self.setup.clock.instant());
        }
        if receipt.is_some()
            && let Some(event) = self.lost(&LinkError::Overflow)
        {
            self.untold = Some(event);
        }
    }

    async fn flush(&mut self) {
        while let Stage::Up(link) = &mut self.stage {
            if link.turn(false).await.is_err() {
                return;
            }
        }
    }

    async fn close(self) {
        if let Stage::Up(link) = self.stage {
            link.close().await;
        }
    }
}

impl LaneSource {
    pub fn new(setup: LaneSetup, lane: Lane) -> Self {
        let client_id = hello(&setup.gateway, lane).client_id;
        Self {
            facts: facts(lane),
            stage: Stage::Away(None),
            window: ReceiveWindow::new(limits(lane)),
            attempts: Attempts::new(&format!("{} lane", lane.as_str()), &client_id),
            counts: LaneMeters::new(lane),
            epoch: 0,
            moved: Moved::default(),
            told: None,
            untold: None,
            burst: (0, None),
            copies: AlarmCopies::default(),
            said_forgotten: None,
            setup,
            lane,
        }
    }

    /// One step of the way from no connection to a message. May be dropped at any `.await`.
    async fn advance(&mut self) -> Result<Option<SourceEvent>, LinkError> {
        if let Some(event) = self.untold.take() {
            return Ok(Some(event));
        }
        if let Some(event) = self.overlooked() {
            return Ok(Some(event));
        }
        match &mut self.stage {
            Stage::Away(until) => {
                if let Some(until) = *until {
                    sleep_until(until.into()).await;
                }
                let hello = hello(&self.setup.gateway, self.lane);
                let broker = self.setup.broker.clone();
                let opening = async move { Link::open(&broker, &hello).await };
                self.stage = Stage::Opening(Box::pin(opening));
                Ok(None)
            }
            Stage::Opening(opening) => {
                let link = opening.as_mut().await?;
                self.connected(link)?;
                Ok(None)
            }
            Stage::Up(_) => {
                // First of all: messages may have come with the broker's very welcome.
                let event = self.read()?;
                if event.is_none() {
                    self.turn().await?;
                }
                Ok(event)
            }
        }
    }

    /// The next alarm that the alarm lane should have brought, and did not.
    fn overlooked(&mut self) -> Option<SourceEvent> {
        let now = self.setup.clock.instant();
        while let Some(copy) = self.copies.next(&self.setup.gaps, now) {
            let incoming = message(&*self.setup.decoder, &copy.publish(), copy.came);
            if is_alarm(&incoming.parsed) {
                self.counts.overlooked.increment(1);
                return Some(SourceEvent::Message(incoming, None));
            }
        }
        None
    }

    /// Moves bytes; or gives old filters back, when it is time for that. Returns, too, when a copy is to
    /// be looked at.
    async fn turn(&mut self) -> Result<(), LinkError> {
        let Stage::Up(link) = &mut self.stage else { return Ok(()) };
        let due = self.copies.due();
        let copy_is_due = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let granted = &self.setup.granted;
        let now = self.setup.clock.instant();
        while let Some(filters) = self.moved.due(granted, now, &self.window) {
            link.unsubscribe(below_root(&self.setup.root, filters))?;
        }
        tokio::select! {
            turned = link.turn(self.window.is_open()) => turned,
            () = self.moved.falls_due(granted, now) => Ok(()),
            () = copy_is_due => Ok(()),
        }
    }

    fn connected(&mut self, mut link: Link) -> Result<(), LinkError> {
        // A new connection: what was on its way comes again, and old acknowledgements are void.
        self.epoch += 1;
        self.window.forget();
        self.counts.connects.increment(1);
        let now = self.setup.clock.instant();
        let forgotten = self.epoch > 1 && !link.session_present;
        if forgotten && self.said_forgotten.is_none_or(|said| now - said >= SAY_AGAIN) {
            self.said_forgotten = Some(now);
            warn!(
                "{} lane: the broker forgot the session, and with it what it held for us: switch \
                 its persistence on",
                self.lane.as_str()
            );
        }
        if self.epoch == 1 && self.lane == Lane::Alarm && link.loses_large_packets() {
            warn!(
                target: "standpipe_transport::limit",
                "the broker takes packets of more than {MAX_PACKET} bytes, and drops them for us without \
                 a word, alarms too: have it refuse them, with mosquitto `max_packet_size {MAX_PACKET}`"
            );
        }
        // Even when the broker has the session: the root may be another than it was then.
        link.subscribe(&filters(&self.setup.root, self.lane))?;
        self.moved = if self.lane == Lane::Alarm && link.session_present {
            Moved::since(self.setup.clock.instant())
        } else {
            Moved::default()
        };
        self.attempts.worked(self.setup.clock.stamp().steady(), &self.setup.broker);
        self.stage = Stage::Up(Box::new(link));
        Ok(())
    }

    /// The next of what was read, as far as there is room; `None` when that is all.
    fn read(&mut self) -> Result<Option<SourceEvent>, LinkError> {
        let Self { stage: Stage::Up(link), setup, lane, window, counts, burst, copies, .. } = self
        else {
            return Ok(None);
        };
        loop {
            if !window.is_open() {
                counts.pauses.increment(1);
                break;
            }
            match link.next_frame()? {
                None => break,
                Some(Frame::Publish(publish)) if is_anothers(*lane, &setup.root, &publish) => {
                    counts.unread.increment(1);
                    if side(&setup.root, publish.topic) == Side::AlarmLane {
                        let came = *burst.1.get_or_insert_with(|| setup.clock.stamp());
                        copies.keep(&publish, setup.clock.instant(), came);
                    }
                    if publish.pkid != 0 {
                        window.passed_over(publish.pkid);
                    }
                }
                Some(Frame::Publish(publish)) => {
                    let at = *burst.1.get_or_insert_with(|| setup.clock.stamp());
                    burst.0 += 1;
                    if *lane == Lane::Alarm {
                        setup.gaps.brought(setup.clock.instant(), &publish);
                    }
                    let message = message(&*setup.decoder, &publish, at);
                    let pkid = publish.pkid;
                    if pkid == 0 {
                        return Ok(Some(SourceEvent::Message(message, None)));
                    }
                    window.took(pkid, message.weight());
                    return Ok(Some(SourceEvent::Message(
                        message,
                        Some(receipt(self.epoch, pkid)),
                    )));
                }
                Some(Frame::SubAck { refused }) => {
                    if self.subscribed(&refused)? && self.told.replace(true) != Some(true) {
                        return Ok(Some(SourceEvent::Up(self.setup.clock.stamp())));
                    }
                    return self.read();
                }
                Some(Frame::Pong | Frame::UnsubAck | Frame::PubAck { .. } | Frame::Bye(_)) => {}
            }
        }
        link.ack(&window.take_turn());
        let (messages, _) = std::mem::take(burst);
        counts.messages.increment(messages);
        counts.waiting.set(window.len() as f64);
        if messages > 0 {
            self.linger(messages);
        }
        Ok(None)
    }

    /// The lanes of what is not urgent read in bursts. Sleeping here stops this thread, on which there is
    /// nothing else: its acknowledgements go out some milliseconds later, and no wake-ups come for
    /// what arrives meanwhile.
    fn linger(&self, came: u64) {
        match self.lane {
            Lane::Alarm | Lane::Action => {}
            Lane::Telemetry if came < FEW => self.setup.clock.sleep(LONG_LINGER),
            Lane::Status | Lane::Telemetry => self.setup.clock.sleep(LINGER),
        }
    }

    /// The connection is over: when the next attempt is due, and what is to be told, if that is
    /// news.
    fn lost(&mut self, why: &LinkError) -> Option<SourceEvent> {
        let now = self.setup.clock.stamp();
        let failed = self.attempts.failed(now.steady(), &self.setup.broker, why);
        let said = format!("no session with {}: {}", self.setup.broker, failed.why);
        self.facts.health.failing(now.told(), &said);
        if self.lane == Lane::Alarm {
            self.setup.gaps.begin(self.setup.clock.instant());
        }
        self.window.forget();
        self.burst = (0, None);
        self.stage = Stage::Away(Some(self.setup.clock.instant() + failed.wait));
        (self.told.replace(false) != Some(false)).then_some(SourceEvent::Down(now))
    }

    /// The broker has answered what we asked for: whether it grants any of it. What it refuses is
    /// said, and keeps the lane from being called fine.
    fn subscribed(&mut self, refused: &[(usize, String)]) -> Result<bool, LinkError> {
        if refused.is_empty() {
            self.facts.health.fine();
            if self.lane == Lane::Alarm {
                self.setup.gaps.end(self.setup.clock.instant());
            }
            self.setup.granted.set(self.lane);
            if let (Lane::Telemetry, Stage::Up(link)) = (self.lane, &mut self.stage)
                && link.session_present
            {
                // Only now, so that nothing gets through between the old filters and the new one.
                link.unsubscribe(below_root(&self.setup.root, &READINGS_LANE_BEFORE))?;
            }
            return Ok(true);
        }
        self.ungranted(refused);
        Ok(refused.len() < filters(&self.setup.root, self.lane).len())
    }

    fn ungranted(&self, refused: &[(usize, String)]) {
        let filters = filters(&self.setup.root, self.lane);
        for (place, why) in refused {
            let filter = filters.get(*place).map_or("?", String::as_str);
            let why = format!(
                "the broker refuses the subscription {filter} ({why}): allow it in the broker's \
                 access rules; nothing on it arrives until then"
            );
            error!("{why}");
            self.facts.health.failing(self.setup.clock.now(), &why);
        }
    }
}

/// Whether a message is not for this lane, and is acknowledged unread.
fn is_anothers(lane: Lane, root: &str, publish: &Publish<'_>) -> bool {
    match lane {
        Lane::Alarm | Lane::Status | Lane::Action => false,
        Lane::Telemetry => match side(root, publish.topic) {
            Side::Readings => false,
            Side::AlarmLane | Side::StatusLane | Side::ActionLane | Side::Gateway => true,
        },
    }
}

/// Whether an alarm is in it: other messages of the alarm lane may be done only once.
fn is_alarm(parsed: &Parsed) -> bool {
    parsed
        .messages()
        .any(|said| matches!(said, Message::Alarm { .. } | Message::UnreadableAlarm { .. }))
}

fn message(decoder: &dyn Decoder, publish: &Publish<'_>, at: Stamp) -> Incoming {
    let raw = Raw { topic: publish.topic, payload: publish.payload };
    let parsed = decoder.decode(raw, Parameters::NONE);
    let print = wire::print(publish.topic, publish.payload);
    let digest = wire::receipt::digest(&parsed, publish.payload);
    let arrived = Came { at, retained: publish.retained, print, digest };
    let topic = if parsed.rejected.is_empty() {
        Box::default()
    } else {
        String::from_utf8_lossy(publish.topic).into()
    };
    Incoming { arrived, topic, parsed }
}

/// What a lane counts.
struct LaneMeters {
    connects: Counter,
    messages: Counter,
    unread: Counter,
    pauses: Counter,
    overflows: Counter,
    overlooked: Counter,
    stale: Counter,
    waiting: Gauge,
}

impl LaneMeters {
    fn new(lane: Lane) -> Self {
        let lane = lane.as_str();
        Self {
            connects: counter!("standpipe_mqtt_connects_total", "session" => lane),
            messages: counter!("standpipe_mqtt_messages_total", "session" => lane),
            unread: counter!("standpipe_mqtt_unread_total", "session" => lane),
            pauses: counter!("standpipe_mqtt_pauses_total", "session" => lane),
            overflows: counter!("standpipe_mqtt_overflows_total", "session" => lane),
            overlooked: counter!("standpipe_mqtt_overlooked_alarms_total", "session" => lane),
            stale: counter!("standpipe_mqtt_stale_acks_total", "session" => lane),
            waiting: gauge!("standpipe_mqtt_unacknowledged", "session" => lane),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{of_connection, receipt};

    #[test]
    fn a_receipt_is_good_for_its_own_connection_alone() {
        let receipts = [receipt(1, 5), receipt(2, 6), receipt(1, 7), receipt(2, 65_535)];
        assert_eq!(of_connection(2, &receipts), [6, 65_535]);
        assert_eq!(of_connection(1, &receipts), [5, 7]);
        assert!(of_connection(3, &receipts).is_empty());
    }
}
