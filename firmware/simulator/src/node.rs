//! One device of the town: the firmware's own [`Node`], on a board that is made of what the world
//! makes it feel. What it measures, shouts, reports and answers is decided in
//! `standpipe-firmware`; here are only the things a real board has: sensors, power, a radio,
//! storage that survives, and a queue of what could not be sent yet.
//!
//! The queue is a plain one in memory, not the firmware's flash, which a town of a hundred
//! thousand could not hold; alarms leave first here too, and stay until the gateway's receipt by the
//! firmware's own schedule, once it has promised receipts. The modem never sleeps. The Last Will is
//! the broker's deed: it is played here as soon as the keep-alive would have run out.

use std::collections::VecDeque;

use standpipe_firmware::clock::Stamp;
use standpipe_firmware::outbox::{Awaiting, Dated, Receipts};
use standpipe_firmware::smoke::Chamber;
use standpipe_firmware::{
    Actions, Class, Contacts, Fault, Heard, Link, Memory, Node, Pressure, Record, RecordId, Reset,
    Seen, Smoke, Start, Uptime, Wanted, settings,
};
use standpipe_shared::{Celsius, Channel, Degrees, Kilopascals, Kind, Milliamps, Settings};

use crate::Ms;
use crate::world::Felt;

/// The broker gives up a silent device after this: 1.5 × a keep-alive of 20 s.
const WILL_AFTER_MS: Ms = 30_000;
/// Messages kept while the radio is out; the oldest reading is lost first.
const OUTBOX: usize = 512;
/// A transducer of 0–1,000 kPa on 4–20 mA.
const MA_PER_KPA: f32 = 16.0 / 1_000.0;
/// What a broken wire reads, mA.
const BROKEN_MA: f32 = 0.02;
/// Every simulated chamber, as it was measured when it was made.
const CHAMBER: Chamber = Chamber::measured(1_500.0, 8_000.0);
/// The clean-air level of a chamber that is 100 % dirty, dB/m.
const DIRTIEST_DB_M: f32 = 0.3;

/// What a device publishes, without its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceMessage {
    /// The last level of the topic.
    pub channel: Channel,
    /// As JSON.
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// How a device measures.
#[derive(Clone, Copy, Debug)]
pub struct MeasuringHabits {
    /// Between two readings, and between two samples.
    pub settings: Settings,
    /// Its first reading comes this much after its start, so that a town does not speak at once.
    pub phase_ms: u64,
    /// Its start count at the first start.
    pub first_boot: u32,
}

impl MeasuringHabits {
    /// The firmware's own settings, but for these two, seconds.
    pub fn new(interval_s: u32, sample_s: u32) -> Self {
        let settings = Settings { interval_s, sample_s, ..settings::defaults() };
        Self { settings, phase_ms: 0, first_boot: 1 }
    }
}

/// A device that has power.
#[derive(Clone, Debug)]
struct Live {
    node: Node,
    since: Ms,
    /// When it wants to wake, and what it wants to ask then.
    wake_at: Uptime,
    wanted: Wanted,
    /// Contamination that its chamber was last serviced at, %.
    dirt_pct: f32,
}

/// A device of the town: the firmware's node, with the town's own queue and radio.
#[derive(Clone, Debug)]
pub struct SimulatedDevice {
    kind: Kind,
    boot: u32,
    phase_ms: u64,
    sample_ms: Ms,
    /// `None`: it has no power.
    live: Option<Box<Live>>,
    /// Kept over restarts.
    memory: Memory,
    reset: Reset,
    /// Since when the broker hears nothing.
    deaf_since: Option<Ms>,
    will_sent: bool,
    outbox: Vec<Record>,
    receipts: Receipts,
    /// Alarms that were sent, until their receipts come.
    awaited: Option<Box<AwaitedAlarms>>,
    heard: VecDeque<Heard>,
}

/// Alarms that await their receipts: what they say, and when each is repeated.
#[derive(Clone, Debug, Default)]
struct AwaitedAlarms {
    records: Vec<Record>,
    schedule: Awaiting,
}

impl SimulatedDevice {
    /// A device without power; it starts at its first step.
    pub fn new(kind: Kind, habits: &MeasuringHabits) -> Self {
        let settings = habits.settings;
        Self {
            kind,
            boot: habits.first_boot.saturating_sub(1),
            phase_ms: habits.phase_ms,
            sample_ms: Ms::from(settings.sample_s) * 1_000,
            live: None,
            memory: Memory {
                active: 0,
                settings,
                drift_db_m: Some(0.0),
                starts: Default::default(),
            },
            reset: Reset::PowerOn,
            deaf_since: None,
            will_sent: false,
            outbox: Vec::new(),
            receipts: Receipts::None,
            awaited: None,
            heard: VecDeque::new(),
        }
    }

    /// Something the gateway says to it; understood at its next step, if it has power by then.
    pub fn hear(&mut self, heard: Heard) {
        if let Heard::Receipt(id) = heard {
            self.let_go(id);
        } else {
            self.heard.push_back(heard);
        }
    }

    /// Its settings say whether the gateway answers alarms.
    pub fn promise(&mut self, receipts: Receipts) {
        self.receipts = receipts;
        if receipts == Receipts::None {
            self.awaited = None;
        }
    }

    fn let_go(&mut self, id: RecordId) {
        let Some(awaited) = &mut self.awaited else { return };
        if let Some(place) = awaited.records.iter().position(|record| record.id() == id) {
            awaited.records.remove(place);
            awaited.schedule.forget(place);
        }
        if awaited.records.is_empty() {
            self.awaited = None;
        }
    }

    /// An alarm that was sent is kept until its receipt; the oldest makes room.
    fn await_receipt(&mut self, record: &Record, dated: Dated, now: Uptime) {
        if self.receipts == Receipts::None {
            return;
        }
        let full = self.awaited.as_ref().filter(|awaited| awaited.schedule.is_full());
        if let Some(oldest) = full.and_then(|awaited| awaited.records.first().map(Record::id)) {
            self.let_go(oldest);
        }
        let awaited = self.awaited.get_or_insert_default();
        awaited.schedule.add(dated, now);
        awaited.records.push(*record);
    }

    /// Repeats what is due, and lets go of what has waited for a day.
    fn repeat(&mut self, live: &Live, now: Uptime, out: &mut Vec<DeviceMessage>) {
        while let Some(awaited) = &self.awaited
            && awaited.schedule.oldest_is_given_up(now)
            && let Some(oldest) = awaited.records.first().map(Record::id)
        {
            self.let_go(oldest);
        }
        let Some(awaited) = &mut self.awaited else { return };
        while let Some((place, dated)) = awaited.schedule.to_repeat(now) {
            awaited.schedule.repeated(place, now);
            let record = awaited.records.get(place);
            let ts =
                record.and_then(|record| match (dated, live.node.clock().stamp(record, now)) {
                    (Dated::Yes, Stamp::At(ts)) => Some(ts),
                    (Dated::No, _) | (Dated::Yes, Stamp::Arrival | Stamp::Wait) => None,
                });
            out.extend(record.map(|record| said(record, ts)));
        }
    }

    /// Lives until `at`; what the broker gets is added to `out`, in order. Answers when it wants
    /// to be stepped again.
    pub fn step(&mut self, felt: &Felt, at: Ms, out: &mut Vec<DeviceMessage>) -> Ms {
        if !felt.power {
            (self.live, self.reset) = (None, Reset::PowerOn);
            self.send_anew();
            self.connection(Link::Asleep, at, out);
            return at + self.sample_ms;
        }
        let mut live = self.live.take().unwrap_or_else(|| self.start(at));
        let link = if felt.radio { Link::Online } else { Link::Connecting };
        let seen = Seen { link, contacts: contacts(self.kind, felt), ..Seen::default() };
        let now = live.now(at);
        let mut restart = false;
        if live.node.clock().wanted(now) && felt.radio {
            self.heard.push_front(Heard::Clock(at));
        }
        while let Some(heard) = self.heard.pop_front() {
            let seen = Seen { heard: Some(heard), ..seen.clone() };
            restart |= self.act(&mut live, &seen, felt, at, out);
        }
        live.serviced(felt.dirt_pct);
        let asked = if now >= live.wake_at { live.wanted } else { Wanted::default() };
        let seen = Seen { rssi_dbm: Some(felt.rssi_dbm), ..sensed(asked, felt, seen) };
        restart |= self.act(&mut live, &seen, felt, at, out);
        self.connection_of(&live, link, at, out);
        self.send(&live, link, now, out);
        let due = self.awaited.as_ref().and_then(|awaited| awaited.schedule.due());
        let wake_at = due.filter(|_| felt.radio).map_or(live.wake_at, |due| due.min(live.wake_at));
        let wakes = live.since + wake_at.signed_ms();
        if restart {
            self.send_anew();
            self.reset = Reset::Command;
            return at + self.sample_ms;
        }
        self.live = Some(live);
        wakes.max(at + 1)
    }

    fn start(&mut self, at: Ms) -> Box<Live> {
        self.boot = self.boot.saturating_add(1);
        let start = Start {
            reset: self.reset,
            boot: self.boot,
            first_report_ms: core::mem::take(&mut self.phase_ms),
            chamber: CHAMBER,
            settings: self.memory.settings,
        };
        let node = Node::start(self.kind, Some(self.memory.clone()), start);
        // The radio is up at a start until it is found to be out.
        (self.deaf_since, self.will_sent) = (Some(at), false);
        let (wake_at, wanted) = (Uptime(0), Wanted::default());
        let mut live = Live { node, since: at, wake_at, wanted, dirt_pct: f32::NAN };
        live.plan(&Seen::default(), Uptime(0));
        Box::new(live)
    }

    /// One step of the firmware and what it asks for, a self-test among it; true: it wants to
    /// restart.
    fn act(
        &mut self,
        live: &mut Live,
        seen: &Seen,
        felt: &Felt,
        at: Ms,
        out: &mut Vec<DeviceMessage>,
    ) -> bool {
        let actions = live.plan(seen, live.now(at));
        self.perform(&actions, live, seen.link, out);
        if !actions.self_test {
            return actions.restart;
        }
        let found = if felt.wire { Ok(()) } else { Err(Fault::WireBroken) };
        let (link, contacts) = (seen.link, seen.contacts);
        let seen = Seen { self_test: Some(found), link, contacts, ..Seen::default() };
        let after = live.plan(&seen, live.now(at));
        self.perform(&after, live, link, out);
        actions.restart || after.restart
    }

    fn perform(
        &mut self,
        actions: &Actions,
        live: &Live,
        link: Link,
        out: &mut Vec<DeviceMessage>,
    ) {
        if actions.persist {
            self.memory = live.node.memory();
        }
        for record in &actions.records {
            self.keep(*record);
        }
        if link == Link::Online {
            if actions.status && self.deaf_since.is_none() {
                out.push(message(Channel::Status, &live.node.status()));
            }
            let replies = actions.answers.iter();
            out.extend(replies.map(|reply| {
                let words = reply.detail.words();
                message(Channel::Reply, &reply.reply(&words))
            }));
        }
    }

    /// After a restart what awaits its receipt is as if it had never been sent.
    fn send_anew(&mut self) {
        if let Some(awaited) = self.awaited.take() {
            awaited.records.into_iter().for_each(|record| self.keep(record));
        }
    }

    fn keep(&mut self, record: Record) {
        if let Some(awaited) = self.awaited.as_mut().filter(|_| record.class() == Class::Reading) {
            awaited.schedule.reading();
        }
        if self.outbox.len() >= OUTBOX {
            let reading = self.outbox.iter().position(|record| record.class() == Class::Reading);
            self.outbox.remove(reading.unwrap_or(0));
        }
        self.outbox.push(record);
    }

    /// Alarms first, each kind in its order.
    fn send(&mut self, live: &Live, link: Link, now: Uptime, out: &mut Vec<DeviceMessage>) {
        if link != Link::Online {
            return;
        }
        self.repeat(live, now, out);
        self.outbox.sort_by_key(Record::class);
        let clock = live.node.clock();
        let mut alarms = Vec::new();
        self.outbox.retain(|record| {
            let ts = match clock.stamp(record, now) {
                Stamp::Wait => return true,
                Stamp::At(ts) => Some(ts),
                Stamp::Arrival => None,
            };
            if record.class() == Class::Alarm {
                alarms.push((*record, if ts.is_some() { Dated::Yes } else { Dated::No }));
            }
            out.push(said(record, ts));
            false
        });
        for (record, dated) in alarms {
            self.await_receipt(&record, dated, now);
        }
    }

    fn connection_of(&mut self, live: &Live, link: Link, at: Ms, out: &mut Vec<DeviceMessage>) {
        if link == Link::Online && self.deaf_since.take().is_some() {
            out.push(message(Channel::Status, &live.node.status()));
        }
        self.connection(link, at, out);
    }

    /// What the broker does about a device it does not hear.
    fn connection(&mut self, link: Link, at: Ms, out: &mut Vec<DeviceMessage>) {
        if link == Link::Online {
            return;
        }
        let Some(since) = self.deaf_since else {
            (self.deaf_since, self.will_sent) = (Some(at), false);
            return;
        };
        if at - since >= WILL_AFTER_MS && !self.will_sent {
            self.will_sent = true;
            let payload = br#"{"online":false}"#.to_vec();
            out.push(DeviceMessage { channel: Channel::Status, payload, retain: true });
        }
    }
}

impl Live {
    fn now(&self, at: Ms) -> Uptime {
        Uptime((at - self.since).max(0).cast_unsigned())
    }

    fn plan(&mut self, seen: &Seen, now: Uptime) -> Actions {
        let actions = self.node.step(seen, now);
        (self.wake_at, self.wanted) = (actions.wake_at, actions.wanted);
        actions
    }

    /// Dust of months comes and goes in a moment here: the clean-air level is set with it, as
    /// it would have followed.
    #[expect(clippy::float_cmp, reason = "whether it is the same number as before")]
    fn serviced(&mut self, dirt_pct: f32) {
        if dirt_pct != self.dirt_pct {
            self.dirt_pct = dirt_pct;
            self.node.serviced(dirt_pct / 100.0 * DIRTIEST_DB_M);
        }
    }
}

/// A record as it is published.
fn said(record: &Record, ts: Option<i64>) -> DeviceMessage {
    let channel = match record.class() {
        Class::Alarm => Channel::Alarm,
        Class::Reading => Channel::Telemetry,
    };
    let mut buffer = [0; Record::JSON_MAX];
    // A buffer of that length holds every record.
    let len = record.json(ts, &mut buffer).unwrap_or(0);
    let payload = buffer.get(..len).unwrap_or_default().to_vec();
    DeviceMessage { channel, payload, retain: false }
}

fn contacts(kind: Kind, felt: &Felt) -> Contacts {
    let hydrant = |value| (kind == Kind::Hydrant).then_some(value);
    Contacts {
        flowing: hydrant(felt.flowing),
        cap_open: hydrant(felt.cap_open),
        case_open: Some(felt.tampered),
    }
}

/// What the sensors that were asked answer.
fn sensed(asked: Wanted, felt: &Felt, seen: Seen) -> Seen {
    Seen {
        pressure: asked.has(Wanted::PRESSURE).then(|| pressure(felt)),
        temp: asked
            .has(Wanted::TEMP)
            .then(|| Celsius::new(felt.temp_c).map_err(|_| Fault::Garbled)),
        tilt: asked
            .has(Wanted::TILT)
            .then(|| Degrees::new(felt.tilt_deg).map_err(|_| Fault::Garbled)),
        smoke: asked.has(Wanted::SMOKE).then(|| Ok(smoke(felt))),
        battery_mv: asked.has(Wanted::BATTERY).then_some(Ok(felt.battery_mv)),
        ..seen
    }
}

fn pressure(felt: &Felt) -> Pressure {
    if !felt.wire {
        return Pressure { kpa: Err(Fault::WireBroken), loop_ma: Milliamps::new(BROKEN_MA).ok() };
    }
    let kpa = Kilopascals::new(felt.kpa).map_err(|_| Fault::Garbled);
    Pressure { kpa, loop_ma: Milliamps::new(4.0 + felt.kpa * MA_PER_KPA).ok() }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a chamber")]
fn smoke(felt: &Felt) -> Smoke {
    let db_m = felt.smoke_db_m + felt.dirt_pct / 100.0 * DIRTIEST_DB_M;
    Smoke { blue: (CHAMBER.clean + CHAMBER.per_db_m * db_m) as u32, infrared: None }
}

fn message(channel: Channel, said: &impl serde::Serialize) -> DeviceMessage {
    // Numbers, flags and names: there is nothing in them that could fail to be written.
    let payload = serde_json::to_vec(said).unwrap_or_default();
    DeviceMessage { channel, payload, retain: channel == Channel::Status }
}

#[cfg(test)]
mod tests {
    use super::{DeviceMessage, MeasuringHabits, SimulatedDevice};
    use crate::Ms;
    use crate::world::Felt;
    use standpipe_firmware::outbox::Receipts;
    use standpipe_firmware::{Heard, RecordId};
    use standpipe_shared::{Channel, Kind, Reading, Reply, Settings, Status, Verb};

    const T: Ms = 1_764_000_000_000;

    fn felt() -> Felt {
        Felt {
            kpa: 300.0,
            wire: true,
            flowing: false,
            cap_open: false,
            tilt_deg: 1.0,
            temp_c: 14.0,
            smoke_db_m: 0.0,
            dirt_pct: 0.0,
            battery_mv: 3_600,
            rssi_dbm: -80,
            tampered: false,
            power: true,
            radio: true,
        }
    }

    /// Lives from `from` until `until` seconds.
    fn live(device: &mut SimulatedDevice, from: Ms, until: Ms) -> Vec<DeviceMessage> {
        let (mut out, mut at) = (Vec::new(), T + from * 1_000);
        while at < T + until * 1_000 {
            at = device.step(&felt(), at, &mut out);
        }
        out
    }

    fn command(verb: Verb) -> Heard {
        Heard::Command { id: "c-1".try_into().unwrap(), verb, seconds: None }
    }

    #[test]
    fn it_runs_new_settings_and_answers_commands() {
        let mut device = SimulatedDevice::new(Kind::Hydrant, &MeasuringHabits::new(60, 2));
        let said = live(&mut device, 0, 300);
        assert_eq!(said.iter().filter(|message| message.channel == Channel::Telemetry).count(), 5);
        let rev = |message: &DeviceMessage| {
            serde_json::from_slice::<Status<'_>>(&message.payload).unwrap().rev
        };
        assert_eq!(
            said.first().map(|message| (message.channel, rev(message))),
            Some((Channel::Status, Some(0)))
        );

        device.hear(Heard::Settings(Settings { rev: 3, ..MeasuringHabits::new(10, 2).settings }));
        device.hear(command(Verb::ReportNow));
        device.hear(command(Verb::SelfTest));
        let said = live(&mut device, 300, 360);
        let status = said.iter().find(|message| message.channel == Channel::Status).map(rev);
        assert_eq!(status, Some(Some(3)));
        assert!(said.iter().filter(|message| message.channel == Channel::Telemetry).count() >= 6);
        let replies: Vec<Reply<'_>> = said
            .iter()
            .filter(|message| message.channel == Channel::Reply)
            .map(|message| serde_json::from_slice(&message.payload).unwrap())
            .collect();
        let told: Vec<_> = replies.iter().map(|reply| (reply.id, reply.ok, reply.detail)).collect();
        assert_eq!(
            told,
            [("settings-3", true, ""), ("c-1", true, ""), ("c-1", true, "sensors answer")]
        );
    }

    #[test]
    fn an_alarm_is_repeated_until_its_receipt_once_receipts_are_promised() {
        let alarms = |said: Vec<DeviceMessage>| {
            let alarms = said.into_iter().filter(|message| message.channel == Channel::Alarm);
            alarms.map(|message| message.payload).collect::<Vec<_>>()
        };
        let tampered = Felt { tampered: true, ..felt() };
        let starts = || {
            let mut device = SimulatedDevice::new(Kind::Smoke, &MeasuringHabits::new(900, 2));
            live(&mut device, 0, 10);
            device
        };
        let cries = |device: &mut SimulatedDevice, until: Ms| {
            let (mut out, mut at) = (Vec::new(), T + 10_000);
            while at < T + until * 1_000 {
                at = device.step(&tampered, at, &mut out);
            }
            alarms(out)
        };
        assert_eq!(cries(&mut starts(), 60).len(), 1, "nobody has promised any");

        let mut device = starts();
        device.promise(Receipts::Promised);
        let said = cries(&mut device, 60);
        assert_eq!(said.len(), 4, "at once, then after 5, 16 and 36 s: {said:?}");
        assert!(said.iter().all(|payload| *payload == said[0]), "the same, byte by byte");
        let alarm: standpipe_shared::Alarm = serde_json::from_slice(&said[0]).unwrap();
        let id = |seq| RecordId { boot: alarm.reading.boot.unwrap(), seq };
        let seq = alarm.reading.seq.unwrap();
        device.hear(Heard::Receipt(id(seq + 1)));
        assert!(device.awaited.is_some(), "another one's");
        device.hear(Heard::Receipt(id(seq)));
        let (mut out, mut at) = (Vec::new(), T + 60_000);
        while at < T + 2_000_000 {
            at = device.step(&tampered, at, &mut out);
        }
        assert_eq!(alarms(out).len(), 0, "it has its receipt");

        // Its power goes before that: what is kept is sent anew.
        let mut device = starts();
        device.promise(Receipts::Promised);
        let said = cries(&mut device, 14);
        let mut out = Vec::new();
        device.step(&Felt { power: false, ..tampered }, T + 14_000, &mut out);
        let mut at = T + 20_000;
        while at < T + 24_000 {
            at = device.step(&tampered, at, &mut out);
        }
        assert!(alarms(out).contains(&said[0]));
    }

    #[test]
    fn it_restarts_when_it_is_told_and_keeps_its_settings() {
        let mut device = SimulatedDevice::new(Kind::Smoke, &MeasuringHabits::new(60, 2));
        device.hear(Heard::Settings(Settings { rev: 3, ..MeasuringHabits::new(30, 2).settings }));
        live(&mut device, 0, 10);
        device.hear(command(Verb::Restart));
        let said = live(&mut device, 10, 100);
        let birth = said.iter().find(|message| message.channel == Channel::Status).unwrap();
        let birth: Status<'_> = serde_json::from_slice(&birth.payload).unwrap();
        assert_eq!((birth.boot, birth.reset, birth.rev), (Some(2), Some("command"), Some(3)));
        let reading = said.iter().find(|message| message.channel == Channel::Telemetry).unwrap();
        let reading: Reading = serde_json::from_slice(&reading.payload).unwrap();
        assert_eq!((reading.boot, reading.seq), (Some(2), Some(1)));
    }
}
