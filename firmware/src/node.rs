//! The device as a whole: [`Node::step`] takes what was seen and answers what is to be done.
//!
//! No clock, no I/O, no `async`: `now` is an argument, so that a million steps run in seconds.
//! What a sensor's value means is in [`crate::hydrant`] and [`crate::smoke`]; dwell and hysteresis
//! in [`crate::watch`]; when to report in [`crate::rhythm`]; orders from outside in `orders`.

use heapless::Vec;
use standpipe_shared::{Condition, Kind, Measurements, Settings, Status};

use crate::clock::Clock;
use crate::hydrant::Hydrant;
use crate::memory::Memory;
use crate::orders::{CarriedOut, Test};
use crate::rhythm::{Look, Rhythm};
use crate::smoke::{Calibration, Detector};
use crate::sounder::{SounderInput, Voice};
use crate::start::{Reset, Start};
use crate::watch::{Evidence, NodeCondition, Watch};
use crate::{Actions, Link, Radio, Record, RecordId, Seen, Shout, Sounder, Uptime, Wanted};

/// Version of this library.
pub const FIRMWARE: &str = env!("CARGO_PKG_VERSION");
/// Which build of it, as `firmware/build` has named it; none on a developer's desk.
const BUILD: Option<&str> = option_env!("STANDPIPE_BUILD");
/// `battery_low` below this and its end, mV: a 3.6 V lithium cell, as in the gateway's profiles.
const HYDRANT_MV: [i32; 2] = [3_300, 3_400];
/// The same of a detector's 3 V cell.
const SMOKE_MV: [i32; 2] = [2_700, 2_800];
/// While something is in doubt, sensors are asked this often.
const DOUBT_S: u32 = 5;
/// The same in a detector: its second sample decides.
const DOUBT_SMOKE_S: u32 = 2;
/// Temperature of a hydrant is measured this often, or for a reading.
const TEMP_EVERY_MS: u64 = 60_000;
/// The battery is measured this often, or for a reading. GB 20517 wants once a day.
const BATTERY_EVERY_MS: u64 = 3_600_000;
/// … but not at rest, when it was measured while the modem works at most this long ago: a cell near
/// its end holds its voltage until something is asked of it.
const BATTERY_LOADED_MS: u64 = 90_000_000;
/// The clean-air level is kept when it has moved by this much: 1 % of its range.
const DRIFT_KEPT_DB_M: f32 = 0.003;

/// What it is, and what it remembers of its sensors.
#[derive(Clone, Debug)]
pub(crate) enum Sense {
    Hydrant(Hydrant),
    Smoke(Detector),
}

/// What a device decides from what its sensors see; [`Self::step`] is all of it.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) sense: Sense,
    boot: u32,
    seq: u32,
    reset: Reset,
    pub(crate) settings: Settings,
    /// Settings that were refused already: they come again with every connection.
    pub(crate) refused_rev: Option<u32>,
    pub(crate) clock: Clock,
    watches: Vec<Watch, 8>,
    pub(crate) rhythm: Rhythm,
    pub(crate) voice: Voice,
    pub(crate) test: Option<Test>,
    pub(crate) carried_out: CarriedOut,
    battery_mv: Option<i32>,
    battery_asked: Option<Uptime>,
    /// When it was measured under the modem's load.
    battery_loaded: Option<Uptime>,
    online: bool,
    temp_asked: Option<Uptime>,
    rssi_dbm: Option<i32>,
    kept_drift: Option<f32>,
    /// The last self-test found the sensors unfit: no sample says otherwise.
    pub(crate) failed_test: bool,
    /// Something that [`Memory`] holds has changed.
    pub(crate) unsaved: bool,
}

impl Node {
    /// A device at its start; `memory` is what [`Self::memory`] was when it was last kept.
    #[must_use]
    pub fn start(kind: Kind, memory: Option<Memory>, start: Start) -> Self {
        let memory = memory.unwrap_or_else(|| Memory {
            active: 0,
            settings: start.settings,
            drift_db_m: None,
            starts: Vec::new(),
        });
        // What an older firmware accepted may be what this kind must not run.
        let settings = match memory.settings.fault_for(kind) {
            None => memory.settings,
            Some(_) => start.settings,
        };
        let conditions: &[NodeCondition] = match kind {
            Kind::Hydrant => &[
                NodeCondition::SensorFault,
                NodeCondition::NoWater,
                NodeCondition::LowPressure,
                NodeCondition::HydrantOpen,
                NodeCondition::Knocked,
                NodeCondition::Freezing,
                NodeCondition::BatteryLow,
                NodeCondition::Tamper,
            ],
            Kind::Smoke => &[
                NodeCondition::Smoke,
                NodeCondition::Heat,
                NodeCondition::SensorFault,
                NodeCondition::Contamination,
                NodeCondition::BatteryLow,
                NodeCondition::Tamper,
            ],
        };
        let was = |condition: &NodeCondition| {
            Watch::new(*condition, memory.active & condition.shared().bit() != 0)
        };
        let sense = match kind {
            Kind::Hydrant => Sense::Hydrant(Hydrant::default()),
            Kind::Smoke => Sense::Smoke(Detector::new(start.chamber, memory.drift_db_m)),
        };
        Self {
            sense,
            boot: start.boot,
            seq: 0,
            reset: start.reset,
            settings,
            refused_rev: None,
            clock: Clock::new(start.boot, &memory.starts),
            watches: conditions.iter().map(was).collect(),
            rhythm: Rhythm::new(start.first_report_ms),
            voice: Voice::default(),
            test: None,
            carried_out: CarriedOut::default(),
            battery_mv: None,
            battery_asked: None,
            battery_loaded: None,
            online: false,
            temp_asked: None,
            rssi_dbm: None,
            kept_drift: memory.drift_db_m,
            failed_test: false,
            unsaved: false,
        }
    }

    /// A hydrant node or a detector, for as long as it lives.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.sense {
            Sense::Hydrant(_) => Kind::Hydrant,
            Sense::Smoke(_) => Kind::Smoke,
        }
    }

    /// Its clock: dates what is sent, and says whether the gateway's is wanted.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The settings it runs.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it shouts a condition.
    #[must_use]
    pub fn shouts(&self, condition: Condition) -> bool {
        self.watches.iter().any(|watch| watch.condition().shared() == condition && watch.active())
    }

    /// The birth message: retained, at every connection and when [`Actions::status`] asks for it.
    /// What the storage has lost and what the modem says of itself are added by the uplink.
    #[must_use]
    pub fn status(&self) -> Status<'static> {
        let uncalibrated = match &self.sense {
            Sense::Smoke(smoke) => smoke.calibration() == Calibration::Typical,
            Sense::Hydrant(_) => false,
        };
        Status {
            online: true,
            boot: Some(self.boot),
            firmware: Some(FIRMWARE),
            build: BUILD,
            model: Some(match self.kind() {
                Kind::Hydrant => "SP-H1",
                Kind::Smoke => "SP-S1",
            }),
            interval_s: Some(self.settings.interval_s),
            reset: Some(self.reset.as_str()),
            rev: Some(self.settings.rev),
            uncalibrated: uncalibrated.then_some(true),
            ..Status::default()
        }
    }

    /// What must survive a restart.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let active = self.watches.iter().filter(|watch| watch.active());
        Memory {
            active: active.fold(0, |bits, watch| bits | watch.condition().shared().bit()),
            settings: self.settings,
            drift_db_m: match &self.sense {
                Sense::Hydrant(_) => None,
                Sense::Smoke(smoke) => smoke.known_drift_db_m(),
            },
            starts: Vec::from_slice(self.clock.starts()).unwrap_or_default(),
        }
    }

    /// A service has cleaned or replaced the chamber: its clean-air level, dB/m above new.
    pub fn serviced(&mut self, drift_db_m: f32) {
        if let Sense::Smoke(smoke) = &mut self.sense {
            smoke.serviced(drift_db_m);
            self.kept_drift = Some(drift_db_m);
            self.unsaved = true;
        }
    }

    /// Decides on everything seen until `now`.
    pub fn step(&mut self, seen: &Seen, now: Uptime) -> Actions {
        let mut out = Actions::default();
        self.take(seen, now);
        self.orders(seen, now, &mut out);
        self.judge(seen, now, &mut out);
        self.report(seen, now, &mut out);
        out.sounder = self.sound(now);
        self.schedule(seen, now, &mut out);
        out.persist = core::mem::take(&mut self.unsaved);
        out
    }

    fn take(&mut self, seen: &Seen, now: Uptime) {
        match &mut self.sense {
            Sense::Hydrant(hydrant) => hydrant.take(seen, now),
            Sense::Smoke(smoke) => {
                smoke.take(seen, now);
                let known = smoke.known_drift_db_m();
                let news = match (known, self.kept_drift) {
                    (Some(known), Some(kept)) => (known - kept).abs() >= DRIFT_KEPT_DB_M,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if news {
                    self.kept_drift = known;
                    self.unsaved = true;
                }
            }
        }
        if seen.temp.is_some() {
            self.temp_asked = Some(now);
        }
        if let Some(battery) = seen.battery_mv {
            self.battery_asked = Some(now);
            if seen.link == Link::Online {
                self.battery_loaded = Some(now);
            }
            self.battery_mv = battery.ok();
        }
        self.rssi_dbm = seen.rssi_dbm.or(self.rssi_dbm);
        self.online = seen.link == Link::Online;
    }

    fn judge(&mut self, seen: &Seen, now: Uptime, out: &mut Actions) {
        for at in 0..self.watches.len() {
            let Some(condition) = self.watches.get(at).map(Watch::condition) else { break };
            let says = self.evidence(condition, seen, now);
            let Some(watch) = self.watches.get_mut(at) else { break };
            if watch.judge(says, now) {
                let active = watch.active();
                let condition = condition.shared();
                self.shout(Shout { condition, active, test: false }, now, out);
                self.unsaved = true;
                self.rhythm.burst(now);
            }
        }
    }

    fn evidence(&self, condition: NodeCondition, seen: &Seen, now: Uptime) -> Evidence {
        match (condition, &self.sense) {
            (NodeCondition::Tamper, _) => Evidence::contact(seen.contacts.case_open),
            (NodeCondition::BatteryLow, _) => match seen.battery_mv {
                None => Evidence::Unasked,
                Some(Err(_)) => Evidence::Between,
                Some(Ok(mv)) => {
                    let [low, good] = match self.kind() {
                        Kind::Hydrant => HYDRANT_MV,
                        Kind::Smoke => SMOKE_MV,
                    };
                    Evidence::of(mv < low, mv >= good)
                }
            },
            (_, Sense::Hydrant(hydrant)) => hydrant.evidence(
                condition,
                &self.settings,
                |other| self.shouts(other.shared()),
                now,
            ),
            (NodeCondition::SensorFault, Sense::Smoke(_)) if self.failed_test => Evidence::True,
            (_, Sense::Smoke(smoke)) => smoke.evidence(condition),
        }
    }

    /// Says at once that its sensors are unfit: somebody has tried them.
    pub(crate) fn shout_fault(&mut self, now: Uptime, out: &mut Actions) {
        let fault =
            self.watches.iter_mut().find(|watch| watch.condition() == NodeCondition::SensorFault);
        if fault.is_some_and(Watch::raise) {
            let (condition, active, test) = (Condition::SensorFault, true, false);
            self.shout(Shout { condition, active, test }, now, out);
            self.unsaved = true;
        }
    }

    pub(crate) fn shout(&mut self, shout: Shout, now: Uptime, out: &mut Actions) {
        let record = self.record(Some(shout), now);
        // There is room for every condition, a test and a reading.
        let _ = out.records.push(record);
        out.radio = Radio::Now;
    }

    fn record(&mut self, shout: Option<Shout>, now: Uptime) -> Record {
        self.seq = self.seq.saturating_add(1);
        let (battery_mv, rssi_dbm) = (self.battery_mv, self.rssi_dbm);
        let mut values = Measurements { battery_mv, rssi_dbm, ..Measurements::default() };
        match &self.sense {
            Sense::Hydrant(hydrant) => hydrant.measure(&mut values),
            Sense::Smoke(smoke) => smoke.measure(&mut values),
        }
        Record::new(
            RecordId { boot: self.boot, seq: self.seq },
            self.clock.moment(now),
            &values,
            shout,
        )
    }

    /// Whether the sensors that make a reading were asked in this step.
    const fn sampled(&self, seen: &Seen) -> bool {
        match self.sense {
            Sense::Hydrant(_) => seen.pressure.is_some(),
            Sense::Smoke(_) => seen.smoke.is_some(),
        }
    }

    fn report(&mut self, seen: &Seen, now: Uptime, out: &mut Actions) {
        let sampled = self.sampled(seen);
        let look = match &self.sense {
            Sense::Hydrant(hydrant) => {
                Look { kpa: hydrant.kpa().filter(|_| sampled), shape: hydrant.shape(), sampled }
            }
            Sense::Smoke(_) => Look { kpa: None, shape: 0, sampled },
        };
        if !self.rhythm.due(look, &self.settings, now) {
            return;
        }
        let record = self.record(None, now);
        let _ = out.records.push(record);
        if self.clock.wanted(now) {
            out.radio = out.radio.max(Radio::Report);
        }
        self.rhythm.reported(look, &self.settings, now);
        if let Sense::Hydrant(hydrant) = &mut self.sense {
            hydrant.reported();
        }
    }

    pub(crate) fn smoke_db_m(&self) -> f32 {
        match &self.sense {
            Sense::Hydrant(_) => 0.0,
            Sense::Smoke(smoke) => smoke.smoke_db_m().unwrap_or(0.0),
        }
    }

    fn sound(&mut self, now: Uptime) -> Sounder {
        if self.kind() == Kind::Hydrant {
            return Sounder::Off;
        }
        let trouble = [Condition::SensorFault, Condition::BatteryLow, Condition::Contamination];
        let smoke = self.shouts(Condition::Smoke).then(|| self.smoke_db_m());
        let heat = self.shouts(Condition::Heat);
        let trouble = trouble.into_iter().any(|condition| self.shouts(condition));
        self.voice.say(SounderInput { smoke, heat, trouble }, now)
    }

    /// When to wake, what to ask then, and what the modem is for until then.
    fn schedule(&mut self, seen: &Seen, now: Uptime, out: &mut Actions) {
        if self.sampled(seen) {
            self.rhythm.sampled(self.sample_s(), now);
        } else if now > self.rhythm.next_sample() {
            self.rhythm.missed(now);
        }
        let next = self.rhythm.next_sample();
        let contacts = self.watches.iter().filter(|watch| {
            matches!(watch.condition(), NodeCondition::Tamper | NodeCondition::HydrantOpen)
        });
        let dues = contacts.filter_map(Watch::due).filter(|due| *due > now);
        let tests = self.test.as_ref().map(|test| test.until);
        let sounds = self.voice.next(now);
        out.wake_at = dues.chain(tests).chain(sounds).fold(next, Uptime::min).max(now);
        if out.wake_at >= next {
            out.wanted = self.wanted(next);
        }
        if self.rhythm.watched(now) {
            out.radio = Radio::Now;
        } else if seen.link == Link::Online && self.clock.wanted(now) {
            out.radio = out.radio.max(Radio::Report);
        }
    }

    fn sample_s(&self) -> u32 {
        let sensors = self.watches.iter().filter(|watch| {
            !matches!(
                watch.condition(),
                NodeCondition::Tamper
                    | NodeCondition::HydrantOpen
                    | NodeCondition::BatteryLow
                    | NodeCondition::Freezing
            )
        });
        let doubt_s = match self.sense {
            Sense::Hydrant(_) => DOUBT_S,
            Sense::Smoke(_) => DOUBT_SMOKE_S,
        };
        let every_s = self.settings.sample_s;
        if sensors.into_iter().any(Watch::in_doubt) { every_s.min(doubt_s) } else { every_s }
    }

    fn wanted(&self, next: Uptime) -> Wanted {
        let old = |asked: Option<Uptime>, ms| asked.is_none_or(|asked| next.since_ms(asked) >= ms);
        let reported = self.rhythm.next_is_reported();
        let mut wanted = match self.sense {
            Sense::Hydrant(_) => Wanted::PRESSURE.and(Wanted::TILT),
            Sense::Smoke(_) => Wanted::SMOKE.and(Wanted::TEMP),
        };
        if reported || old(self.temp_asked, TEMP_EVERY_MS) {
            wanted = wanted.and(Wanted::TEMP);
        }
        let at_rest = !self.online && !old(self.battery_loaded, BATTERY_LOADED_MS);
        if !at_rest && (reported || old(self.battery_asked, BATTERY_EVERY_MS)) {
            wanted = wanted.and(Wanted::BATTERY);
        }
        wanted
    }
}
