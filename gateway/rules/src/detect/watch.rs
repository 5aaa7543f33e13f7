//! The watch over all devices: finds the device a message is about, lets its judge decide, keeps
//! everybody's deadlines, and looks at zones and areas when one of theirs changed.
//!
//! Facts come out in the order in which they became true. What people are told is not decided
//! here.

mod kept;
mod passing;
mod register;
mod shift;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};
use standpipe_shared::{Alarm, Condition, Kind, Measurements, Reading, Severity};

use super::admit::{Admitted, Arrival, Recent, print};
use super::fresh::CameWith;
use super::judge::{Cry, Judge, Sight, When, interval_ms, late_after};
use super::supervise::Supervised;
use super::time::{Clockwork, Judged, TimeClaim, Verdict};
use super::zone::Whole;
use super::{HydrantNow, Memory};
use crate::chain::Chain;
use crate::changes::Logged;
use crate::fact::{Fact, Reason};
use crate::registry::{Device, DeviceIx, Profile, Registry};
use crate::wire::{Arrived, Origin};
use crate::{Changes, Ms};

/// A timestamp this far ahead of arrival is a broken clock.
const AHEAD_MS: Ms = 300_000;
/// Stands in the log for a number that came and could not be read: numbers count from 1.
const LOST_NUMBER: u32 = 0;
/// 2020-01-01: a timestamp before it is a broken clock.
const EARLIEST: Ms = 1_577_836_800_000;
/// The gateway's own session is down for this long: it is blind.
const BLIND_MS: Ms = 30_000;

/// Everything that detection remembers.
#[derive(Clone, Debug)]
pub struct Watch {
    pub registry: Registry,
    memories: Vec<Memory>,
    wholes: Wholes,
    /// Zones to be looked at, with the event time of the change.
    zones_due: BTreeMap<Box<str>, Ms>,
    /// Zones to be looked at again though nothing may be heard; not stored.
    zones_again: BTreeMap<Box<str>, Ms>,
    /// Stations whose area is to be looked at.
    areas_due: BTreeSet<Box<str>>,
    /// When an area is to be looked at again because enough of its devices will have been silent
    /// for long enough; not stored.
    areas_again: BTreeMap<Box<str>, Ms>,
    /// When the first zone or area is to be looked at though nobody says anything; `None`: none.
    look_again: Option<Ms>,
    /// Devices that were registered since the last tick.
    newcomers: Vec<DeviceIx>,
    timers: BinaryHeap<Reverse<(Ms, DeviceIx)>>,
    /// The one timer of each device that counts; `Ms::MAX`: none.
    scheduled: Vec<Ms>,
    recent: Recent,
    sight: Sight,
    down_since: Option<Ms>,
    /// Not stored: after a start it counts anew.
    chain: Chain,
    verify_ms: Ms,
    facts: Vec<Fact>,
}

/// What is remembered of zones, areas and the gateway: stored as one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wholes {
    zones: BTreeMap<Box<str>, Whole>,
    areas: BTreeMap<Box<str>, Whole>,
    gateway_blind: bool,
    /// A heartbeat of the chain has come through once: the broker lets it pass, so that one that is
    /// missing means something.
    #[serde(default)]
    chain_known: bool,
    /// The gateway is blind since no heartbeat comes through; it may have no broker besides.
    #[serde(default)]
    chain_broken: bool,
    /// `None`: the gateway never had a session.
    #[serde(default)]
    supervised: Option<Supervised>,
    /// The gateway's clock was set by so much, and nobody has said yet which time is right.
    #[serde(default)]
    doubt: Option<Ms>,
}

impl Watch {
    /// Over these devices, of which nothing is known yet. The gateway has no session yet: silence
    /// is not judged before [`Self::session`].
    #[must_use]
    pub fn new(registry: Registry, verify_ms: Ms) -> Self {
        let count = registry.devices().len();
        Self {
            registry,
            memories: vec![Memory::default(); count],
            wholes: Wholes::default(),
            zones_due: BTreeMap::new(),
            zones_again: BTreeMap::new(),
            areas_due: BTreeSet::new(),
            areas_again: BTreeMap::new(),
            look_again: None,
            newcomers: Vec::new(),
            timers: BinaryHeap::new(),
            scheduled: vec![Ms::MAX; count],
            recent: Recent::default(),
            sight: Sight { up: false, ..Sight::CLEAR },
            down_since: None,
            chain: Chain::default(),
            verify_ms,
            facts: Vec::new(),
        }
    }

    /// What became true or ended since this was last called, in order.
    pub fn facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// Whether [`Self::facts`] has nothing to tell.
    #[must_use]
    pub const fn found_nothing(&self) -> bool {
        self.facts.is_empty()
    }

    /// The same, over recorded readings: nothing is hidden from the gateway.
    #[must_use]
    pub fn over_records(registry: Registry, verify_ms: Ms) -> Self {
        Self { sight: Sight::CLEAR, ..Self::new(registry, verify_ms) }
    }

    /// What is remembered of one device.
    #[must_use]
    pub fn memory(&self, ix: DeviceIx) -> Option<&Memory> {
        self.memories.get(ix.at())
    }

    /// Puts back what was stored of a device.
    pub fn restore(&mut self, ix: DeviceIx, memory: Memory) {
        if let Some(place) = self.memories.get_mut(ix.at()) {
            *place = memory;
            if place.is_true(Condition::Offline)
                && let Some(device) = self.registry.device(ix)
            {
                self.areas_due.insert((&*device.station).into());
            }
            self.schedule(ix);
        }
    }

    /// What is remembered of zones, areas and the gateway.
    #[must_use]
    pub const fn wholes(&self) -> &Wholes {
        &self.wholes
    }

    /// Puts that back.
    pub fn restore_wholes(&mut self, wholes: Wholes) {
        self.wholes = wholes;
        self.sight.supervised = self.wholes.supervised;
        self.plan_look();
    }

    /// A message that is in the log already may be delivered again: it will be known.
    pub fn remember(&mut self, logged: &Logged) {
        let _ = self.recent.meet(logged.device, &Arrival::logged(logged));
    }

    /// Closes every row of the ledger that still grows.
    pub fn close_ledger(&mut self, out: &mut Changes) {
        for (at, memory) in self.memories.iter_mut().enumerate() {
            memory.door.close(DeviceIx(at as u32), &mut out.ledger);
        }
    }

    /// A hydrant as a crew wants to know it, maintenance aside.
    #[must_use]
    pub fn hydrant(&self, ix: DeviceIx, now: Ms) -> Option<HydrantNow> {
        let (device, profile) = self.registry.judged(ix)?;
        Some(HydrantNow::of(device, profile, self.memory(ix)?, now))
    }

    /// The device of that id, registered as `unclaimed` if nobody knows it. One that nobody has
    /// claimed yet may turn out to be a detector by what it says.
    fn find(&mut self, id: &str, area: &str, kind: Kind, out: &mut Changes) -> DeviceIx {
        if let Some(ix) = self.registry.find(id) {
            let moved = self.registry.speaks_from(ix, area);
            let known =
                self.registry.device(ix).filter(|device| !device.claimed && device.kind != kind);
            let detector = known.filter(|_| kind == Kind::Smoke).map(|device| Device {
                kind,
                profile: Profile::default_name(kind).into(),
                ..device.clone()
            });
            if moved || detector.is_some() {
                out.registered.push(ix);
            }
            if let Some(detector) = detector {
                self.put_device(detector);
            }
            return ix;
        }
        let ix = self.put_device(Device::unclaimed(id, area, kind));
        out.registered.push(ix);
        ix
    }

    /// The device of that id. One that nobody knows is registered as an `unclaimed` detector: it
    /// cries, and may be one.
    pub fn known(&mut self, Origin { area, device }: Origin, out: &mut Changes) -> DeviceIx {
        let found = self.registry.find(device);
        found.unwrap_or_else(|| self.find(device, area, Kind::Smoke, out))
    }

    /// A reading arrived.
    pub fn reading(
        &mut self,
        Origin { area, device }: Origin,
        reading: &Reading,
        at: Ms,
        out: &mut Changes,
    ) {
        let kind = kind_of(&reading.values, None);
        let ix = self.find(device, area, kind, out);
        out.counts.readings += 1;
        self.take(ix, reading, None, at, out);
    }

    /// An alarm arrived.
    pub fn alarm(
        &mut self,
        Origin { area, device }: Origin,
        alarm: &Alarm,
        arrived: Arrived,
        out: &mut Changes,
    ) {
        let kind = kind_of(&alarm.reading.values, Some(alarm.condition));
        let ix = self.find(device, area, kind, out);
        let cry = Cry { condition: alarm.condition, active: alarm.active, test: alarm.test };
        out.counts.alarms += 1;
        out.save.push(ix);
        let fire = alarm.condition.severity() == Severity::Fire;
        let before = self.memory(ix).and_then(|memory| memory.known_alarms.as_ref()?.live);
        self.take(ix, &alarm.reading, Some(cry), arrived.at, out);
        if let Some(memory) = self.memories.get_mut(ix.at()) {
            let said = (fire && arrived.print != 0).then_some(arrived.print);
            let live = if alarm.active { said } else { before };
            if let Some(live) = live {
                memory.known_alarms.get_or_insert_default().live = Some(live);
            }
        }
    }

    /// A status arrived: a birth, or the Last Will.
    pub fn status(
        &mut self,
        Origin { area, device }: Origin,
        (online, interval_s): (bool, Option<u32>),
        at: Ms,
        out: &mut Changes,
    ) {
        let ix = self.find(device, area, Kind::Hydrant, out);
        let sight = self.sight;
        self.judge_message((ix, at), |judge| {
            if online {
                judge.memory.interval_s = interval_s.or(judge.memory.interval_s);
                judge.heard(at);
            } else {
                judge.gone(at, sight);
            }
        });
        out.save.push(ix);
    }

    /// A message came of which nothing was understood.
    pub fn not_understood(&mut self, Origin { area, device }: Origin, at: Ms, out: &mut Changes) {
        let ix = self.find(device, area, Kind::Hydrant, out);
        let before = self.facts.len();
        self.judge_message((ix, at), |judge| judge.not_understood(at));
        if self.facts.len() > before {
            out.save.push(ix);
        }
    }

    /// Anything else was heard of a device.
    pub fn heard(&mut self, id: &str, at: Ms, out: &mut Changes) {
        if let Some(ix) = self.registry.find(id) {
            self.heard_of(ix, at);
            out.save.push(ix);
        }
    }

    fn heard_of(&mut self, ix: DeviceIx, at: Ms) {
        self.judge_message((ix, at), |judge| judge.heard(at));
    }

    fn take(
        &mut self,
        ix: DeviceIx,
        reading: &Reading,
        cry: Option<Cry>,
        at: Ms,
        out: &mut Changes,
    ) {
        let number = reading.boot.zip(reading.seq).filter(|_| !reading.numbers_lost);
        let claim = self.claim(reading.ts, at);
        let ts = (claim.clock_bad == Some(false)).then_some(claim.ts);
        let Some((judged, clockwork)) = self.judge_time((ix, at), (number, ts), cry, None) else {
            return;
        };
        let print = print(reading, cry.map(|cry| (cry.condition, cry.active, cry.test)));
        let late = judged.verdict == Verdict::Backlog;
        let arrival = Arrival { number, ts: judged.ts, at, print, late };
        let again = self.recent.meet(ix, &arrival);
        out.counts.unknown_fields += u64::from(reading.unknown);
        out.dirty.push(ix);
        let Some(memory) = self.memories.get_mut(ix.at()) else { return };
        let series_ts = match memory.door.admit(ix, &arrival, again, &mut out.ledger) {
            Admitted::Duplicate => {
                out.counts.duplicates += 1;
                let before = self.news();
                if cry.is_some() || reading.values != Measurements::default() {
                    self.heard_of(ix, at);
                }
                if self.news() > before {
                    out.save.push(ix);
                }
                return;
            }
            Admitted::New { series_ts, reused, leapt } => {
                out.counts.seq_reused += u64::from(reused);
                out.counts.seq_jumps += u64::from(leapt);
                series_ts
            }
        };
        let wrong = judged.verdict == Verdict::Wrong;
        let clock_bad = claim.clock_bad.map(|bad| bad || wrong);
        out.counts.late += u64::from(late);
        out.counts.bad_clocks += u64::from(clock_bad == Some(true));
        let logged = Logged {
            device: ix,
            arrived: at,
            ts: judged.ts,
            series_ts: if wrong { series_ts } else { series_ts - claim.moved },
            boot: reading.boot.filter(|_| !reading.numbers_lost),
            seq: if reading.numbers_lost { Some(LOST_NUMBER) } else { reading.seq },
            print,
            clock_bad,
            claimed: ts.filter(|_| wrong),
            values: reading.values,
        };
        out.readings.push(logged);
        let facts = self.facts.len();
        self.move_state(&logged, (judged, clockwork), cry, out);
        self.mark_old_fires(facts, ts.map_or(0, |ts| at - ts), ix);
    }

    /// A reading that the log holds already, after a restart.
    pub fn replay(&mut self, logged: &Logged, out: &mut Changes) {
        let (ix, at) = (logged.device, logged.arrived);
        let believed = (logged.clock_bad == Some(false)).then_some(logged.ts);
        let ts = logged.claimed.or(believed);
        let wrong = Some(logged.claimed.is_some());
        let number = logged.boot.zip(logged.seq);
        let Some((judged, clockwork)) = self.judge_time((ix, at), (number, ts), None, wrong) else {
            return;
        };
        let late = judged.verdict == Verdict::Backlog;
        let arrival = Arrival { late, ..Arrival::logged(logged) };
        let Some(memory) = self.memories.get_mut(ix.at()) else { return };
        out.dirty.push(ix);
        if memory.door.admit(ix, &arrival, false, &mut out.ledger) != Admitted::Duplicate {
            self.move_state(logged, (judged, clockwork), None, out);
        }
    }

    /// Judges what a message of this device, with that number, claims of its time; also how its
    /// clock is remembered if it is no duplicate.
    fn judge_time(
        &self,
        (ix, at): (DeviceIx, Ms),
        (number, ts): (Option<(u32, u32)>, Option<Ms>),
        cry: Option<Cry>,
        wrong: Option<bool>,
    ) -> Option<(Judged, Clockwork)> {
        let ((device, profile), memory) = (self.registry.judged(ix)?, self.memory(ix)?);
        let claim = TimeClaim {
            at,
            ts,
            order: memory.door.order(number),
            before: memory.spoke_at,
            newest: memory.newest,
            interval: interval_ms(device, profile, memory),
            late_after: late_after(device, profile, memory),
            shouts: cry.is_some_and(|cry| cry.active),
        };
        let mut clockwork = memory.clockwork.as_deref().copied().unwrap_or_default();
        Some((clockwork.judge(&claim, wrong), clockwork))
    }

    /// A fire is told at once however old its sender says it is; then it says so.
    fn mark_old_fires(&mut self, first: usize, old_ms: Ms, ix: DeviceIx) {
        let found = self.facts.get_mut(first..).unwrap_or_default();
        if found.is_empty() {
            return;
        }
        let known = self.registry.judged(ix).zip(self.memories.get(ix.at()));
        let live =
            known.map_or(0, |((device, profile), memory)| late_after(device, profile, memory));
        let old_s = u32::try_from(old_ms / 1_000).unwrap_or(u32::MAX);
        for fact in found {
            if let Fact::Raised(raised) = fact
                && raised.condition.severity() == Severity::Fire
                && old_ms > live
            {
                raised.late_s = raised.late_s.max(old_s);
            }
        }
    }

    fn move_state(
        &mut self,
        logged: &Logged,
        (judged, clockwork): (Judged, Clockwork),
        cry: Option<Cry>,
        out: &mut Changes,
    ) {
        let (ix, at) = (logged.device, logged.arrived);
        let late = judged.verdict == Verdict::Backlog;
        if cry.is_none() && logged.values == Measurements::default() {
            return; // nothing was measured: it is kept for its number, and is no sign of life
        }
        // What was overtaken is older than what overtook it, whatever its time.
        let newest = self.memory(ix).and_then(|memory| memory.newest).unwrap_or(Ms::MAX);
        let ts = judged.moves.unwrap_or_else(|| judged.ts.min(newest - 1));
        let when = When { ts, at, late };
        let came_with = if cry.is_some() { CameWith::Alarm } else { CameWith::Nothing };
        let before = (self.news(), self.memory(ix).map_or(0, Memory::conditions));
        self.judge_message((ix, at), |judge| {
            judge.heard(at);
            judge.memory.spoke_at = at;
            let plain = clockwork == Clockwork::default();
            judge.memory.clockwork = (!plain).then(|| Box::new(clockwork));
            // What a clock that is behind had stored does not show that it was set right.
            let says_nothing = late && clockwork.is_behind();
            judge.clock(logged.clock_bad.filter(|_| !says_nothing), when);
            if let Some(cry) = cry {
                judge.alarm(cry, when);
            }
            let newest = judge.memory.newest;
            let mut values = logged.values;
            if judged.moves.is_none() {
                values = judge.overtaken(&values, when.ts);
            }
            if judged.moves.is_some() || values != Measurements::default() {
                let values = judge.without_power_on(values, logged, came_with);
                let lost_number = logged.boot.is_none() && logged.seq == Some(LOST_NUMBER);
                if lost_number && judge.memory.repeats(&values, logged) {
                    judge.repeated(&values, when);
                } else {
                    judge.reading(&values, cry, when);
                }
            }
            judge.backlog(when, newest);
        });
        out.counts.out_of_order += u64::from(judged.moves.is_none());
        if before != (self.news(), self.memory(ix).map_or(0, Memory::conditions)) {
            out.save.push(ix);
        }
    }

    /// Facts that the log alone cannot repeat: that a hydrant's trust changed, it can.
    fn news(&self) -> usize {
        self.facts.iter().filter(|fact| !matches!(fact, Fact::Hydrant { .. })).count()
    }

    /// Puts the sender of a message that arrived at `at` before its judge. What was due until then
    /// comes first; no device has a deadline before its timer.
    fn judge_message(&mut self, (ix, at): (DeviceIx, Ms), work: impl FnOnce(&mut Judge<'_>)) {
        let sight = self.sight;
        let due = self.scheduled.get(ix.at()).is_some_and(|timer| *timer <= at);
        debug_assert!(due || self.wake_of(ix).is_none_or(|wake| wake > at), "a timer is missing");
        self.judge(ix, |judge| {
            if due {
                judge.advance_to_message(at, sight);
            }
            work(judge);
        });
    }

    /// Puts one device before its judge, then looks who else is concerned.
    fn judge(&mut self, ix: DeviceIx, work: impl FnOnce(&mut Judge<'_>)) {
        let first = self.facts.len();
        let (Some((device, profile)), Some(memory)) =
            (self.registry.judged(ix), self.memories.get_mut(ix.at()))
        else {
            return;
        };
        let verify_ms = self.verify_ms;
        let mut judge = Judge { ix, device, profile, verify_ms, memory, facts: &mut self.facts };
        work(&mut judge);
        for fact in self.facts.get(first..).unwrap_or(&[]) {
            let (condition, at) = match fact {
                Fact::Raised(raised) if raised.reason == Some(Reason::Never) => continue,
                Fact::Raised(raised) => (raised.condition, raised.since),
                Fact::Cleared { condition, at, .. } => (*condition, *at),
                Fact::Passed { .. }
                | Fact::TestBecameReal { .. }
                | Fact::Verified { .. }
                | Fact::Unverified { .. }
                | Fact::Hydrant { .. } => continue,
            };
            let of_zone = matches!(
                condition,
                Condition::NoWater
                    | Condition::LowPressure
                    | Condition::Offline
                    | Condition::SensorFault
            );
            if of_zone && !device.zone.is_empty() {
                self.zones_due.insert((&*device.zone).into(), at);
            }
            if condition == Condition::Offline && !device.station.is_empty() {
                self.areas_due.insert((&*device.station).into());
            }
        }
        self.schedule(ix);
    }

    fn schedule(&mut self, ix: DeviceIx) {
        let Some(wake) = self.wake_of(ix) else { return };
        if let Some(scheduled) = self.scheduled.get_mut(ix.at()).filter(|before| wake < **before) {
            *scheduled = wake;
            self.timers.push(Reverse((wake, ix)));
        }
    }

    fn wake_of(&mut self, ix: DeviceIx) -> Option<Ms> {
        let (device, profile) = self.registry.judged(ix)?;
        let memory = self.memories.get_mut(ix.at())?;
        let (verify_ms, facts) = (self.verify_ms, &mut Vec::new());
        Judge { ix, device, profile, verify_ms, memory, facts }.wake(self.sight)
    }

    /// Evidence of water is asked for, or no longer.
    pub fn verify(&mut self, ix: DeviceIx, wanted: bool, now: Ms, out: &mut Changes) {
        let has = self.memory(ix).is_some_and(|memory| memory.evidence.is_some());
        if has != wanted {
            self.judge(ix, |judge| judge.verify(wanted, now));
            out.save.push(ix);
        }
    }
}

/// The time a message claims, if it can be so; not after its arrival.
fn plausible(ts: Option<Ms>, at: Ms) -> Option<Ms> {
    ts.filter(|ts| (EARLIEST..=at + AHEAD_MS).contains(ts)).map(|ts| ts.min(at))
}

/// What a device that nobody registered probably is.
fn kind_of(values: &Measurements, condition: Option<Condition>) -> Kind {
    let fire = matches!(condition, Some(Condition::Smoke | Condition::Heat));
    if fire || values.smoke_db_m.is_some() || values.dirt_pct.is_some() {
        Kind::Smoke
    } else {
        Kind::Hydrant
    }
}
