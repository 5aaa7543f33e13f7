//! One device: what it says of what it feels. All of the device's logic is here, so that the
//! firmware library can take its place.
//!
//! It obeys CONTRACT §1: a birth message at every start and reconnection, `seq` counting
//! readings and alarms together within a boot, a report every 15 s for 2 min after crossing a
//! limit, an outbox while the radio is out, sent in order afterwards. The Last Will is the
//! broker's deed: it is played here as soon as the keep-alive would have run out.

use std::collections::VecDeque;

use standpipe_shared::{
    Alarm, Celsius, Channel, Condition, DecibelsPerMetre, Degrees, Kilopascals, Kind, Measurements,
    Milliamps, Percent, Reading, Status,
};

use crate::Ms;
use crate::world::Felt;

/// After crossing a limit a node reports this often …
const BURST_EVERY_MS: Ms = 15_000;
/// … for this long.
const BURST_FOR_MS: Ms = 120_000;
/// The broker gives up a silent device after this: 1.5 × a keep-alive of 20 s.
const WILL_AFTER_MS: Ms = 30_000;
/// Messages kept while the radio is out; the oldest reading is lost first.
const OUTBOX: usize = 512;
/// A change of pressure that is reported at once, kPa.
const DELTA_KPA: f32 = 15.0;
/// `low_pressure` and `no_water` in the settings, kPa.
const LIMITS_KPA: [f32; 2] = [140.0, 20.0];
/// An alarm `no_water` begins under the limit for this long …
const DRY_FOR_MS: Ms = 30_000;
/// … and ends at this …
const WET_KPA: f32 = 50.0;
/// … held for this long.
const WET_FOR_MS: Ms = 60_000;
/// A detector shouts at this obscuration, and stops under half of it, dB/m.
const SMOKE_DB_M: f32 = 0.15;
/// A detector shouts at this temperature, and stops 10 under it, °C.
const HEAT_C: f32 = 57.0;
/// Samples in a row before a detector shouts or stops.
const SAMPLES: u8 = 2;
/// A transducer of 0–1,000 kPa on 4–20 mA.
const MA_PER_KPA: f32 = 16.0 / 1_000.0;
/// What a broken wire reads, mA.
const BROKEN_MA: f32 = 0.02;
/// Version of what runs here.
const FIRMWARE: &str = "0.1.0";

/// What a device publishes, without its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The last level of the topic.
    pub channel: Channel,
    /// JSON.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it.
    pub retain: bool,
}

/// How a device measures.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Between two readings.
    pub interval_ms: Ms,
    /// Its first reading comes this much after its start, so that a town does not speak at once.
    pub phase_ms: Ms,
    /// Its start count at the first start.
    pub first_boot: u32,
}

/// One device.
#[derive(Clone, Debug)]
pub struct Node {
    kind: Kind,
    habits: Habits,
    boot: u32,
    seq: u32,
    powered: bool,
    /// Since when the broker hears nothing.
    deaf_since: Option<Ms>,
    will_sent: bool,
    next_report: Ms,
    burst_until: Ms,
    band: usize,
    shape: (bool, bool, bool),
    reported_kpa: f32,
    extremes: Option<(f32, f32)>,
    alarms: [Shout; 4],
    outbox: VecDeque<Message>,
}

/// A condition the device itself judges.
#[derive(Clone, Copy, Debug)]
struct Shout {
    condition: Condition,
    active: bool,
    /// Samples in a row, and since when, that say it should change.
    against: (u8, Ms),
}

impl Shout {
    const fn new(condition: Condition) -> Self {
        Self { condition, active: false, against: (0, 0) }
    }

    /// Whether it begins or ends now. `Some(wanted)`: this sample says so; `None`: it says neither.
    fn turns(&mut self, wanted: Option<bool>, at: Ms, dwell: (Ms, Ms)) -> bool {
        if wanted.is_none_or(|it| it == self.active) {
            self.against = (0, at);
            return false;
        }
        if self.against.0 == 0 {
            self.against.1 = at;
        }
        self.against.0 = self.against.0.saturating_add(1);
        let dwell = if self.active { dwell.1 } else { dwell.0 };
        let turns = self.against.0 >= SAMPLES && at - self.against.1 >= dwell;
        if turns {
            self.active = !self.active;
            self.against = (0, at);
        }
        turns
    }
}

impl Node {
    /// A device without power; it starts at its first step.
    pub const fn new(kind: Kind, habits: Habits) -> Self {
        Self {
            kind,
            habits,
            boot: habits.first_boot.saturating_sub(1),
            seq: 0,
            powered: false,
            deaf_since: None,
            will_sent: false,
            next_report: 0,
            burst_until: 0,
            band: LIMITS_KPA.len(),
            shape: (false, false, false),
            reported_kpa: 0.0,
            extremes: None,
            alarms: [
                Shout::new(Condition::Smoke),
                Shout::new(Condition::Heat),
                Shout::new(Condition::NoWater),
                Shout::new(Condition::Tamper),
            ],
            outbox: VecDeque::new(),
        }
    }

    /// One sample at `at`; what the broker gets is added to `out`, in order.
    pub fn step(&mut self, felt: &Felt, at: Ms, out: &mut Vec<Message>) {
        if felt.power && !self.powered {
            self.start(at);
        }
        self.powered = felt.power;
        self.connection(felt.power && felt.radio, at, out);
        if !felt.power {
            return;
        }
        let (low, high) = self.extremes.unwrap_or((felt.kpa, felt.kpa));
        self.extremes = Some((low.min(felt.kpa), high.max(felt.kpa)));
        self.shout(felt, at);
        if self.due(felt, at) {
            self.report(felt, at);
        }
        if self.deaf_since.is_none() {
            out.extend(self.outbox.drain(..));
        }
    }

    fn start(&mut self, at: Ms) {
        let first = self.seq == 0;
        self.boot = self.boot.saturating_add(1);
        self.seq = 0;
        self.outbox.clear();
        self.extremes = None;
        self.next_report = at + if first { self.habits.phase_ms } else { 0 };
        self.alarms = self.alarms.map(|it| Shout::new(it.condition));
        // The radio is up at a start until it is found to be out.
        self.deaf_since = Some(at);
        self.will_sent = false;
    }

    /// The radio, and what the broker does about it.
    fn connection(&mut self, up: bool, at: Ms, out: &mut Vec<Message>) {
        match (up, self.deaf_since) {
            (true, None) => {}
            (true, Some(_)) => {
                self.deaf_since = None;
                out.push(self.birth());
            }
            (false, None) => (self.deaf_since, self.will_sent) = (Some(at), false),
            (false, Some(since)) => {
                if at - since >= WILL_AFTER_MS && !self.will_sent {
                    self.will_sent = true;
                    let payload = br#"{"online":false}"#.to_vec();
                    out.push(Message { channel: Channel::Status, payload, retain: true });
                }
            }
        }
    }

    fn birth(&self) -> Message {
        let status = Status {
            online: true,
            boot: Some(self.boot),
            firmware: Some(FIRMWARE),
            model: Some(match self.kind {
                Kind::Hydrant => "SP-H1",
                Kind::Smoke => "SP-S1",
            }),
            interval_s: u32::try_from(self.habits.interval_ms / 1_000).ok(),
            reset: Some("power_on"),
            rev: None,
            lost: None,
            storage: None,
        };
        message(Channel::Status, &status)
    }

    fn shout(&mut self, felt: &Felt, at: Ms) {
        let smoke = self.kind == Kind::Smoke;
        let between = |yes: bool, no: bool| if yes { Some(true) } else { no.then_some(false) };
        let wanted = [
            between(smoke && felt.smoke_db_m >= SMOKE_DB_M, felt.smoke_db_m < SMOKE_DB_M / 2.0),
            between(smoke && felt.temp_c >= HEAT_C, felt.temp_c < HEAT_C - 10.0),
            between(
                !smoke && felt.wire && felt.kpa < LIMITS_KPA[1],
                felt.wire && felt.kpa >= WET_KPA,
            ),
            Some(felt.tampered),
        ];
        let dwells = [(0, 0), (0, 0), (DRY_FOR_MS, WET_FOR_MS), (0, 0)];
        let mut alarms = self.alarms;
        for ((it, wanted), dwell) in alarms.iter_mut().zip(wanted).zip(dwells) {
            if it.turns(wanted, at, dwell) {
                let (condition, active) = (it.condition, it.active);
                let reading = self.reading(felt, at);
                let alarm = Alarm { reading, condition, active, test: false };
                self.keep(message(Channel::Alarm, &alarm));
                self.burst_until = at + BURST_FOR_MS;
            }
        }
        self.alarms = alarms;
    }

    /// Whether a reading goes out now: its time has come, or something has changed.
    fn due(&mut self, felt: &Felt, at: Ms) -> bool {
        let mut due = at >= self.next_report;
        if self.kind == Kind::Hydrant && self.seq > 0 {
            let band = LIMITS_KPA.iter().filter(|limit| felt.kpa >= **limit).count();
            let shape = (felt.flowing, felt.cap_open, felt.tilt_deg >= 30.0);
            if (felt.wire && band != self.band) || shape != self.shape {
                self.burst_until = at + BURST_FOR_MS;
                due = true;
            }
            due |= felt.wire && (felt.kpa - self.reported_kpa).abs() >= DELTA_KPA;
            (self.band, self.shape) = (band, shape);
        }
        due
    }

    fn report(&mut self, felt: &Felt, at: Ms) {
        let reading = self.reading(felt, at);
        self.keep(message(Channel::Telemetry, &reading));
        self.reported_kpa = felt.kpa;
        self.extremes = None;
        let every = if at < self.burst_until {
            BURST_EVERY_MS.min(self.habits.interval_ms)
        } else {
            self.habits.interval_ms
        };
        self.next_report = at + every;
    }

    fn reading(&mut self, felt: &Felt, at: Ms) -> Reading {
        self.seq = self.seq.saturating_add(1);
        let mut values = Measurements {
            temp_c: Celsius::new(rounded(felt.temp_c, 10.0)).ok(),
            battery_mv: Some(felt.battery_mv),
            rssi_dbm: Some(felt.rssi_dbm),
            ..Measurements::default()
        };
        match self.kind {
            Kind::Hydrant => self.water(felt, &mut values),
            Kind::Smoke => {
                values.smoke_db_m = DecibelsPerMetre::new(rounded(felt.smoke_db_m, 1_000.0)).ok();
                values.dirt_pct = Percent::new(rounded(felt.dirt_pct, 1.0)).ok();
            }
        }
        Reading { boot: Some(self.boot), seq: Some(self.seq), ts: Some(at), values, unknown: 0 }
    }

    fn water(&self, felt: &Felt, values: &mut Measurements) {
        let kpa = |it: f32| Kilopascals::new(rounded(it, 10.0)).ok();
        let (low, high) = self.extremes.unwrap_or((felt.kpa, felt.kpa));
        let loop_ma = if felt.wire { 4.0 + felt.kpa * MA_PER_KPA } else { BROKEN_MA };
        values.loop_ma = Milliamps::new(rounded(loop_ma, 100.0)).ok();
        if felt.wire {
            values.pressure_kpa = kpa(felt.kpa);
            values.pressure_min_kpa = kpa(low);
            values.pressure_max_kpa = kpa(high);
        }
        values.flowing = Some(felt.flowing);
        values.cap_open = Some(felt.cap_open);
        values.tilt_deg = Degrees::new(rounded(felt.tilt_deg, 10.0)).ok();
    }

    fn keep(&mut self, message: Message) {
        if self.outbox.len() >= OUTBOX {
            let reading = self.outbox.iter().position(|it| it.channel == Channel::Telemetry);
            self.outbox.remove(reading.unwrap_or(0));
        }
        self.outbox.push_back(message);
    }
}

fn rounded(value: f32, steps: f32) -> f32 {
    (value * steps).round() / steps
}

fn message(channel: Channel, said: &impl serde::Serialize) -> Message {
    // Numbers, flags and names: there is nothing in them that could fail to be written.
    let payload = serde_json::to_vec(said).unwrap_or_default();
    Message { channel, payload, retain: channel == Channel::Status }
}
