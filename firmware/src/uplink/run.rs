//! The uplink's task: does what [`super::retry`] and [`super::talk`] decide.

use embassy_futures::select::{Either3, select, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Instant, Timer};
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use rust_mqtt::types::PacketIdentifier;
use standpipe_shared::{Channel, Status, Topic};

use super::mailbox::{Mailbox, Slots};
use super::session::{BrokerSaid, Retain, SUBSCRIPTIONS, Session};
use super::talk::{ClockPatience, SessionState};
use super::words;
use super::{
    Account, Away, ClockHeard, DialFault, Ended, Habits, Modem, Post, Retry, Stay, Talk, Turn,
    UplinkBacklog, UplinkEvent, UplinkMessage,
};
use crate::clock::Stamp;
use crate::heard::Malformed;
use crate::outbox::Dated;
use crate::pulse::{PromisingTask, Pulse};
use crate::{Class, Heard, Link, Record, RecordId, Uptime, heard};

/// The longest payload, bytes: two readings with everything in them, or four ordinary ones. The
/// smallest board has no room to spare.
pub(super) const PAYLOAD: usize = 2 * Record::JSON_MAX + 4;
/// The most readings of one message.
const BATCH: usize = 8;

fn now() -> Uptime {
    Uptime(Instant::now().as_millis())
}

fn timer(at: Uptime) -> Timer {
    Timer::at(Instant::from_millis(at.0))
}

/// How long one turn may take when nothing is wrong, or a time-out says that something is.
const TURN_S: u32 = 120;
/// How long a modem may take to find a network, dial and hang up again.
const DIAL_S: u32 = 1_200;

/// The uplink of a device.
pub struct Uplink<'u, M: RawMutex, F> {
    /// What is said, and where what is heard goes.
    pub post: &'u Post<M, F>,
    /// Told before every wait how long it may last.
    pub pulse: &'u Pulse,
    pub account: Account<'u>,
    /// How it uses its connection.
    pub habits: Habits,
    /// Differs from device to device.
    pub seed: u64,
}

impl<M: RawMutex, F: MultiwriteNorFlash> Uplink<'_, M, F> {
    /// Talks to the broker for ever.
    pub async fn run<D: Modem>(&self, modem: &mut D) -> ! {
        let starts = self.post.outbox.lock().await.starts();
        let mut retry = Retry::new(self.seed, &self.habits).after_resets(starts);
        let mut subscribed = false;
        loop {
            let desk = self.post.desk(now()).await;
            match retry.next(&desk, now()) {
                Away::Rest(Some(until)) => {
                    self.promise(until);
                    select(self.post.changed.wait(), timer(until)).await;
                }
                Away::Rest(None) => {
                    self.pulse.promise(PromisingTask::Uplink, now(), u32::MAX);
                    self.post.changed.wait().await;
                }
                Away::Dial => {
                    self.pulse.promise(PromisingTask::Uplink, now(), DIAL_S);
                    self.post.set_link(Link::Connecting);
                    if let Some(recovery) = retry.recovery() {
                        modem.recover(recovery).await;
                    }
                    retry.dialling(now());
                    let ended = self.call(modem, &mut retry, &mut subscribed, &desk).await;
                    self.post.set_link(Link::Connecting);
                    self.pulse.promise(PromisingTask::Uplink, now(), DIAL_S);
                    modem.hang_up().await;
                    // Also after a failure: the next attempt of a battery may be far away.
                    if self.habits.stay == Stay::Briefly {
                        modem.sleep().await;
                    }
                    retry.ended(ended, now());
                    self.post.set_modem_mah(retry.spent_mah());
                    if ended == Ended::Left {
                        self.post.set_link(Link::Asleep);
                    }
                }
            }
        }
    }

    /// It will be heard of again soon after `until`.
    fn promise(&self, until: Uptime) {
        let wait_s = u32::try_from(until.since_ms(now()) / 1_000).unwrap_or(u32::MAX);
        self.pulse.promise(PromisingTask::Uplink, now(), wait_s.saturating_add(TURN_S));
    }

    /// One call for what is on `desk`: from dialling until there is a reason to hang up.
    async fn call<D: Modem>(
        &self,
        modem: &mut D,
        retry: &mut Retry,
        subscribed: &mut bool,
        desk: &UplinkBacklog,
    ) -> Ended {
        let dialled = modem.dial().await;
        self.post.set_rssi_dbm(modem.rssi_dbm());
        self.post.dialled(dialled.err(), modem.facts());
        match dialled {
            Ok(()) => {}
            Err(DialFault::NoNetwork | DialFault::Denied) => return Ended::NoNetwork,
            Err(
                DialFault::Silent | DialFault::NoSim | DialFault::NoAnswer | DialFault::Insecure,
            ) => return Ended::NotReached,
        }
        let mailbox = Mailbox::new();
        let mut slots = Slots(&mailbox);
        let connected =
            Session::connect(modem.stream(), &mut slots, &self.account, &self.habits).await;
        let (session, known) = match connected {
            Ok(connected) => connected,
            Err(ended) => return ended,
        };
        // What an older firmware subscribed to may not be what this one listens to.
        let resume = if known && *subscribed { SessionState::Resumed } else { SessionState::New };
        self.post.status_unsaid();
        self.post.set_link(Link::Online);
        self.post.under_load.signal(());
        let began = now();
        let patience =
            if retry.clock_is_due(began) { ClockPatience::Waits } else { ClockPatience::Leaves };
        let clock_wanted = self.post.clock().wanted(began);
        let talk = Talk::new(self.habits, resume, began).with_clock(patience);
        let mut line = UplinkConnection {
            session,
            talk,
            post: self.post,
            urgent: None,
            bulk: None,
            subscriptions: 0,
            clock: ClockHeard::No,
        };
        let ended = self.converse(&mut line, retry, subscribed, desk).await;
        match line.clock {
            ClockHeard::Yes if clock_wanted => {
                retry.progressed();
                retry.listened_for_clock(ClockHeard::Yes, now());
            }
            ClockHeard::No if clock_wanted && patience == ClockPatience::Waits => {
                retry.listened_for_clock(ClockHeard::No, now());
            }
            ClockHeard::Yes | ClockHeard::No => {}
        }
        if ended == Ended::Left {
            line.session.leave().await;
        }
        ended
    }

    /// Takes turns until there is a reason to hang up.
    async fn converse<S: Read + Write>(
        &self,
        line: &mut UplinkConnection<'_, S, M, F>,
        retry: &mut Retry,
        subscribed: &mut bool,
        before: &UplinkBacklog,
    ) -> Ended {
        loop {
            let turn = line.talk.next(&self.post.desk(now()).await, now());
            self.promise(if let Turn::Listen(until) = turn { until } else { now() });
            let went = match turn {
                Turn::Say(what) => line.say(what).await,
                Turn::Listen(until) => line.listen(until).await,
                Turn::Leave => return Ended::Left,
                Turn::GiveUp => Err(Ended::Broken),
            };
            match went {
                Ok(None) => {}
                Ok(Some(news)) => {
                    line.talk.happened(news, now());
                    if let UplinkEvent::Acknowledged(what) = news {
                        *subscribed |= what == UplinkMessage::Subscribe;
                        if self.is_progress(what, before) {
                            retry.progressed();
                            self.post.outbox.lock().await.spoke().await;
                        }
                    }
                }
                Err(ended) => return ended,
            }
        }
    }

    /// Whether something is off the desk that the broker has acknowledged. What every call begins
    /// with is no progress, and neither is what it repeats.
    fn is_progress(&self, what: UplinkMessage, before: &UplinkBacklog) -> bool {
        match what {
            UplinkMessage::Alarm | UplinkMessage::Readings | UplinkMessage::Answer => true,
            UplinkMessage::Status => before.status,
            // A connection on mains that holds is what it is for.
            UplinkMessage::Ping => self.habits.stay == Stay::Always,
            UplinkMessage::Subscribe | UplinkMessage::Repeat => false,
        }
    }
}

/// What is on its way besides readings.
struct Urgent {
    number: PacketIdentifier,
    what: UplinkMessage,
    /// The record it is about, and whether it was sent with its time; only an alarm has one.
    alarm: Option<(RecordId, Dated)>,
}

/// One connection.
struct UplinkConnection<'l, S: Read + Write, M: RawMutex, F> {
    session: Session<'l, S>,
    talk: Talk,
    post: &'l Post<M, F>,
    urgent: Option<Urgent>,
    bulk: Option<(PacketIdentifier, Vec<RecordId, BATCH>)>,
    /// How many the broker has not answered yet.
    subscriptions: usize,
    clock: ClockHeard,
}

impl<S: Read + Write, M: RawMutex, F: MultiwriteNorFlash> UplinkConnection<'_, S, M, F> {
    async fn say(&mut self, what: UplinkMessage) -> Result<Option<UplinkEvent>, Ended> {
        let said = match what {
            UplinkMessage::Alarm => self.say_records(Class::Alarm).await?,
            UplinkMessage::Readings => self.say_records(Class::Reading).await?,
            UplinkMessage::Repeat => self.repeat_alarm().await?,
            UplinkMessage::Status => self.say_status().await?,
            UplinkMessage::Answer => self.say_answer().await?,
            UplinkMessage::Subscribe => {
                self.session.subscribe().await?;
                self.subscriptions = SUBSCRIPTIONS;
                true
            }
            UplinkMessage::Ping => {
                self.session.ping().await?;
                true
            }
        };
        Ok(Some(if said { UplinkEvent::Said(what) } else { UplinkEvent::Held(what) }))
    }

    async fn say_status(&mut self) -> Result<bool, Ended> {
        let Some(status) = self.post.take_status() else { return Ok(false) };
        let (lost, storage) = {
            let outbox = self.post.outbox.lock().await;
            (outbox.lost().total(), outbox.storage().word())
        };
        let status = Status { lost: (lost > 0).then_some(lost), storage, ..status };
        let modem = self.post.modem_status();
        let status = modem.onto(status);
        let mut payload = [0; PAYLOAD];
        let length = words::status(&status, &mut payload).unwrap_or(0);
        self.say_urgent(UplinkMessage::Status, Channel::Status, &payload, length).await
    }

    async fn say_answer(&mut self) -> Result<bool, Ended> {
        let Some(answer) = self.post.take_answer() else { return Ok(false) };
        let detail = answer.detail.words();
        let mut payload = [0; PAYLOAD];
        let length = words::reply(&answer.reply(&detail), &mut payload).unwrap_or(0);
        self.say_urgent(UplinkMessage::Answer, Channel::Reply, &payload, length).await
    }

    async fn say_urgent(
        &mut self,
        what: UplinkMessage,
        channel: Channel,
        payload: &[u8],
        length: usize,
    ) -> Result<bool, Ended> {
        let retain = if what == UplinkMessage::Status { Retain::Yes } else { Retain::No };
        let payload = payload.get(..length).unwrap_or_default();
        let number = self.session.publish(channel, payload, retain).await?;
        self.urgent = Some(Urgent { number, what, alarm: None });
        Ok(true)
    }

    /// One alarm, or as many readings as fit; `false` if all of them wait for the clock.
    async fn say_records(&mut self, class: Class) -> Result<bool, Ended> {
        let mut parcel = Parcel::new();
        let mut dated = Dated::Yes;
        let (clock, now) = (self.post.clock(), now());
        self.post
            .outbox
            .lock()
            .await
            .first(class, |record| {
                let ts = match clock.stamp(record, now) {
                    Stamp::At(ms) => Some(ms),
                    Stamp::Arrival => None,
                    Stamp::Wait => return true,
                };
                dated = if ts.is_some() { Dated::Yes } else { Dated::No };
                parcel.add(record.id(), |into| record.json(ts, into).ok())
                    && class == Class::Reading
            })
            .await;
        let Some(first) = parcel.ids.first().copied() else { return Ok(false) };
        match class {
            Class::Alarm => {
                let number = self.session.publish(Channel::Alarm, parcel.one(), Retain::No).await?;
                let (what, alarm) = (UplinkMessage::Alarm, Some((first, dated)));
                self.urgent = Some(Urgent { number, what, alarm });
            }
            Class::Reading => {
                let payload = parcel.all();
                let number = self.session.publish(Channel::Telemetry, payload, Retain::No).await?;
                self.bulk = Some((number, parcel.ids));
            }
        }
        Ok(true)
    }

    /// An alarm whose receipt has not come, as it was sent before; `false` if there is none.
    async fn repeat_alarm(&mut self) -> Result<bool, Ended> {
        let (clock, now) = (self.post.clock(), now());
        let found = self.post.outbox.lock().await.to_repeat(now).await;
        let Some((record, dated)) = found else { return Ok(false) };
        let ts = match (dated, clock.stamp(&record, now)) {
            (Dated::Yes, Stamp::At(ms)) => Some(ms),
            (Dated::No, _) | (Dated::Yes, Stamp::Arrival | Stamp::Wait) => None,
        };
        let mut payload = [0; Record::JSON_MAX];
        // A buffer of that length holds every record.
        let len = record.json(ts, &mut payload).unwrap_or(0);
        let payload = payload.get(..len).unwrap_or_default();
        let number = self.session.publish(Channel::Alarm, payload, Retain::No).await?;
        let (what, alarm) = (UplinkMessage::Repeat, Some((record.id(), dated)));
        self.urgent = Some(Urgent { number, what, alarm });
        Ok(true)
    }

    /// The message that came last: most of it is the node's, receipts are the outbox's.
    async fn hear(&mut self) -> UplinkEvent {
        let receipts = self.session.message(|topic, payload| match topic {
            Some(Topic::Device { channel: Channel::Settings, .. }) => heard::receipts(payload),
            Some(_) | None => None,
        });
        if let Some(receipts) = receipts {
            self.post.outbox.lock().await.promise(receipts).await;
        }
        let heard = self.session.message(|topic, payload| match topic {
            Some(Topic::Device { channel, .. }) => Heard::from_device_topic(channel, payload)
                .map_err(|why| (channel, why, heard::id_of(channel, payload))),
            Some(Topic::Clock) => {
                Heard::from_clock(payload).map_err(|why| (Channel::Settings, why, None))
            }
            Some(Topic::Station { .. } | Topic::Chain) | None => {
                Err((Channel::Telemetry, Malformed::Channel, None))
            }
        });
        match heard {
            Ok(Heard::Receipt(id)) => self.post.outbox.lock().await.receipt(id).await,
            Ok(heard @ Heard::Clock(_)) => {
                self.clock = ClockHeard::Yes;
                self.post.heard.send(heard).await;
                return UplinkEvent::HeardClock;
            }
            Ok(heard) => self.post.heard.send(heard).await,
            Err((Channel::Settings | Channel::Command, why, id)) => self.post.refuse(why, id),
            // A receipt for an alarm without numbers is none of ours.
            Err((
                Channel::Receipt
                | Channel::Telemetry
                | Channel::Alarm
                | Channel::Status
                | Channel::Reply,
                ..,
            )) => {}
        }
        UplinkEvent::Heard
    }

    async fn listen(&mut self, until: Uptime) -> Result<Option<UplinkEvent>, Ended> {
        let header =
            match select3(self.session.header(), self.post.changed.wait(), timer(until)).await {
                Either3::First(header) => header?,
                Either3::Second(()) | Either3::Third(()) => return Ok(None),
            };
        Ok(Some(match self.session.body(header).await? {
            BrokerSaid::Has(number) => return Ok(self.acknowledged(number).await),
            BrokerSaid::Pong => UplinkEvent::Acknowledged(UplinkMessage::Ping),
            BrokerSaid::Subscribed => {
                self.subscriptions = self.subscriptions.saturating_sub(1);
                if self.subscriptions > 0 {
                    return Ok(None);
                }
                UplinkEvent::Acknowledged(UplinkMessage::Subscribe)
            }
            BrokerSaid::Message => self.hear().await,
            BrokerSaid::Other => UplinkEvent::Heard,
        }))
    }

    /// Lets go of what the broker has.
    async fn acknowledged(&mut self, number: PacketIdentifier) -> Option<UplinkEvent> {
        if let Some(urgent) = self.urgent.take_if(|urgent| urgent.number == number) {
            match (urgent.what, urgent.alarm) {
                (UplinkMessage::Alarm, Some((id, dated))) => {
                    self.post.outbox.lock().await.acknowledged(id, dated, now()).await;
                }
                (UplinkMessage::Repeat, Some((id, _))) => {
                    self.post.outbox.lock().await.repeated(id, now()).await;
                }
                (UplinkMessage::Answer, _) => self.post.answered(),
                _ => {}
            }
            return Some(UplinkEvent::Acknowledged(urgent.what));
        }
        let (_, ids) = self.bulk.take_if(|(sent, _)| *sent == number)?;
        for id in ids {
            self.post.outbox.lock().await.sent(Class::Reading, id).await;
        }
        Some(UplinkEvent::Acknowledged(UplinkMessage::Readings))
    }
}

/// Records as one payload.
struct Parcel {
    /// `[`, then the records with commas between; the `]` comes last.
    bytes: [u8; PAYLOAD],
    len: usize,
    ids: Vec<RecordId, BATCH>,
}

impl Parcel {
    const fn new() -> Self {
        Self { bytes: [b'['; PAYLOAD], len: 0, ids: Vec::new() }
    }

    /// Adds what `write` writes, if it fits; whether another one may.
    fn add(&mut self, id: RecordId, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        // A bracket or a comma before it, a bracket after it.
        let Some(room) = self.bytes.get_mut(self.len + 1..PAYLOAD - 1) else { return false };
        let Some(written) = write(room) else { return false };
        if let Some(comma) = self.bytes.get_mut(self.len).filter(|_| self.len > 0) {
            *comma = b',';
        }
        self.len += 1 + written;
        // A full parcel was not offered another one.
        self.ids.push(id).is_ok() && !self.ids.is_full()
    }

    /// The first record, alone.
    fn one(&self) -> &[u8] {
        self.bytes.get(1..self.len).unwrap_or_default()
    }

    /// All of them: one as it is, more as an array.
    fn all(&mut self) -> &[u8] {
        if self.ids.len() < 2 {
            return self.one();
        }
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = b']';
        }
        self.bytes.get(..=self.len).unwrap_or_default()
    }
}
