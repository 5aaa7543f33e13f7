//! The watch over all devices: finds the device a message is about, lets its judge decide, keeps
//! everybody's deadlines, and looks at zones and areas when one of theirs changed.
//!
//! Facts come out in the order in which they became true. What people are told is not decided
//! here.

mod shift;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};
use standpipe_shared::{Alarm, Condition, Kind, Measurements, Reading};

use super::admit::{Admitted, Arrival, Recent, print};
use super::judge::{Cry, Judge, Sight, When, late_after};
use super::zone::{Neighbour, Whole};
use super::{HydrantNow, Memory};
use crate::changes::Logged;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::{Device, DeviceIx, Profile, Registry};
use crate::{Changes, Ms};
use shift::Claim;

/// A timestamp this far ahead of arrival is a broken clock.
const AHEAD_MS: Ms = 300_000;
/// 2020-01-01: a timestamp before it is a broken clock.
const EARLIEST: Ms = 1_577_836_800_000;
/// The gateway's own session is down for this long: it is blind.
const BLIND_MS: Ms = 30_000;

/// Everything that detection remembers.
#[derive(Debug)]
pub struct Watch {
    /// Who is where.
    pub registry: Registry,
    memories: Vec<Memory>,
    wholes: Wholes,
    /// Zones to be looked at, with the event time of the change.
    zones_due: BTreeMap<Box<str>, Ms>,
    /// Zones to be looked at again though nothing may be heard; not stored.
    zones_again: BTreeMap<Box<str>, Ms>,
    /// Stations whose area is to be looked at.
    areas_due: BTreeSet<Box<str>>,
    timers: BinaryHeap<Reverse<(Ms, DeviceIx)>>,
    /// The one timer of each device that counts; `Ms::MAX`: none.
    scheduled: Vec<Ms>,
    recent: Recent,
    sight: Sight,
    down_since: Option<Ms>,
    verify_ms: Ms,
    facts: Vec<Fact>,
}

/// What is remembered of zones, areas and the gateway: stored as one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wholes {
    zones: BTreeMap<Box<str>, Whole>,
    areas: BTreeMap<Box<str>, Whole>,
    gateway_blind: bool,
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
            timers: BinaryHeap::new(),
            scheduled: vec![Ms::MAX; count],
            recent: Recent::default(),
            sight: Sight { up: false, grace_from: None, blind_until: None },
            down_since: None,
            verify_ms,
            facts: Vec::new(),
        }
    }

    /// What became true or ended since this was last called, in order.
    pub fn facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
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
    }

    /// Adds a device, or changes its row; its memory stays.
    pub fn put_device(&mut self, device: Device) -> DeviceIx {
        let ix = self.registry.put_device(device);
        if self.memories.len() <= ix.at() {
            self.memories.resize(ix.at() + 1, Memory::default());
            self.scheduled.resize(ix.at() + 1, Ms::MAX);
        }
        ix
    }

    /// A message that is in the log already may be delivered again: it will be known.
    pub fn remember(&mut self, logged: &Logged) {
        let _ = self.recent.meet(logged.device, &Arrival::logged(logged, Ms::MAX));
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
        let device = self.registry.device(ix)?;
        Some(HydrantNow::of(device, self.registry.profile_of(device), self.memory(ix)?, now))
    }

    /// The device of that id, registered as `unclaimed` if nobody knows it. One that nobody has
    /// claimed yet may turn out to be a detector by what it says.
    fn find(&mut self, id: &str, area: &str, kind: Kind, out: &mut Changes) -> DeviceIx {
        if let Some(ix) = self.registry.find(id) {
            let moved = self.registry.speaks_from(ix, area);
            let known = self.registry.device(ix).filter(|it| !it.claimed && it.kind != kind);
            let detector = known.filter(|_| kind == Kind::Smoke).map(|it| Device {
                kind,
                profile: Profile::default_name(kind).into(),
                ..it.clone()
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

    /// A reading arrived.
    pub fn reading(
        &mut self,
        (area, device): (&str, &str),
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
        (area, device): (&str, &str),
        alarm: &Alarm,
        at: Ms,
        out: &mut Changes,
    ) {
        let kind = kind_of(&alarm.reading.values, Some(alarm.condition));
        let ix = self.find(device, area, kind, out);
        let cry = Cry { condition: alarm.condition, active: alarm.active, test: alarm.test };
        out.counts.alarms += 1;
        out.save.push(ix);
        self.take(ix, &alarm.reading, Some(cry), at, out);
    }

    /// A status arrived: a birth, or the Last Will.
    pub fn status(
        &mut self,
        (area, device): (&str, &str),
        (online, interval_s): (bool, Option<u32>),
        at: Ms,
        out: &mut Changes,
    ) {
        let ix = self.find(device, area, Kind::Hydrant, out);
        let sight = self.sight;
        self.judge(ix, |judge| {
            if online {
                judge.memory.interval_s = interval_s.or(judge.memory.interval_s);
                judge.heard(at);
            } else {
                judge.gone(at, sight);
            }
        });
        out.save.push(ix);
    }

    /// Anything else was heard of a device.
    pub fn heard(&mut self, id: &str, at: Ms, out: &mut Changes) {
        if let Some(ix) = self.registry.find(id) {
            self.judge(ix, |judge| judge.heard(at));
            out.save.push(ix);
        }
    }

    fn take(
        &mut self,
        ix: DeviceIx,
        reading: &Reading,
        cry: Option<Cry>,
        at: Ms,
        out: &mut Changes,
    ) {
        let Some(late_after) = self.late_after(ix) else { return };
        let claim = self.claim(reading.ts, at);
        let Claim { ts, clock_bad, moved } = claim;
        let print = print(reading, cry.map(|it| (it.condition, it.active, it.test)));
        let number = reading.boot.zip(reading.seq);
        let arrival = Arrival { number, ts, at, print, late: at - ts > late_after };
        let again = self.recent.meet(ix, &arrival);
        out.counts.unknown_fields += u64::from(reading.unknown);
        out.dirty.push(ix);
        let Some(memory) = self.memories.get_mut(ix.at()) else { return };
        let series_ts = match memory.door.admit(ix, &arrival, again, &mut out.ledger) {
            Admitted::Duplicate => {
                out.counts.duplicates += 1;
                return self.judge(ix, |judge| judge.heard(at));
            }
            Admitted::New { series_ts, reused } => {
                out.counts.seq_reused += u64::from(reused);
                series_ts
            }
        };
        out.counts.late += u64::from(arrival.late);
        out.counts.bad_clocks += u64::from(clock_bad == Some(true));
        let logged = Logged {
            device: ix,
            arrived: at,
            ts,
            series_ts: series_ts - moved,
            boot: reading.boot,
            seq: reading.seq,
            print,
            clock_bad,
            values: reading.values,
        };
        out.readings.push(logged);
        self.move_state(&logged, arrival.late, cry, out);
    }

    /// A reading that the log holds already, after a restart.
    pub fn replay(&mut self, logged: &Logged, out: &mut Changes) {
        let Some(late_after) = self.late_after(logged.device) else { return };
        let arrival = Arrival::logged(logged, late_after);
        let Some(memory) = self.memories.get_mut(logged.device.at()) else { return };
        out.dirty.push(logged.device);
        if memory.door.admit(logged.device, &arrival, false, &mut out.ledger) != Admitted::Duplicate
        {
            self.move_state(logged, arrival.late, None, out);
        }
    }

    fn late_after(&self, ix: DeviceIx) -> Option<Ms> {
        let device = self.registry.device(ix)?;
        Some(late_after(device, self.registry.profile_of(device), self.memory(ix)?))
    }

    fn move_state(&mut self, logged: &Logged, late: bool, cry: Option<Cry>, out: &mut Changes) {
        let (ix, at) = (logged.device, logged.arrived);
        let when = When { ts: logged.ts, at, late };
        let before = (self.facts.len(), self.memory(ix).map_or(0, Memory::conditions));
        let mut in_order = true;
        self.judge(ix, |judge| {
            judge.heard(at);
            judge.clock(logged.clock_bad, when);
            if let Some(cry) = cry {
                judge.alarm(cry, when);
            }
            let newest = judge.memory.newest;
            in_order = newest.is_none_or(|newest| when.ts >= newest);
            if in_order {
                judge.reading(&logged.values, when);
            }
            judge.backlog(when, newest);
        });
        out.counts.out_of_order += u64::from(!in_order);
        if before != (self.facts.len(), self.memory(ix).map_or(0, Memory::conditions)) {
            out.save.push(ix);
        }
    }

    /// Puts one device before its judge, then looks who else is concerned.
    fn judge(&mut self, ix: DeviceIx, work: impl FnOnce(&mut Judge<'_>)) {
        let first = self.facts.len();
        let (Some(device), Some(memory)) =
            (self.registry.device(ix), self.memories.get_mut(ix.at()))
        else {
            return;
        };
        let profile = self.registry.profile_of(device);
        let verify_ms = self.verify_ms;
        let mut judge = Judge { ix, device, profile, verify_ms, memory, facts: &mut self.facts };
        work(&mut judge);
        for fact in self.facts.get(first..).unwrap_or(&[]) {
            let (condition, at) = match fact {
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
        if let Some(scheduled) = self.scheduled.get_mut(ix.at()).filter(|it| wake < **it) {
            *scheduled = wake;
            self.timers.push(Reverse((wake, ix)));
        }
    }

    fn wake_of(&mut self, ix: DeviceIx) -> Option<Ms> {
        let (device, memory) = (self.registry.device(ix)?, self.memories.get_mut(ix.at())?);
        let profile = self.registry.profile_of(device);
        let (verify_ms, facts) = (self.verify_ms, &mut Vec::new());
        Judge { ix, device, profile, verify_ms, memory, facts }.wake(self.sight)
    }

    /// Evidence of water is asked for, or no longer.
    pub fn verify(&mut self, ix: DeviceIx, wanted: bool, now: Ms, out: &mut Changes) {
        let has = self.memory(ix).is_some_and(|it| it.evidence.is_some());
        if has != wanted {
            self.judge(ix, |judge| judge.verify(wanted, now));
            out.save.push(ix);
        }
    }

    /// The gateway's own session with the broker came up or went down.
    pub fn session(&mut self, up: bool, now: Ms, out: &mut Changes) {
        if up {
            self.down_since = None;
            if self.wholes.gateway_blind {
                out.watch_meta = true;
                self.wholes.gateway_blind = false;
                self.sight.blind_until = Some(now);
                self.sight.grace_from = Some(now);
                let (subject, condition) = (Subject::Gateway, Condition::GatewayBlind);
                self.facts.push(Fact::Cleared { subject, condition, at: now });
            }
            self.sight.grace_from = self.sight.grace_from.or(Some(now));
            self.sight.up = true;
            for ix in 0..self.memories.len() {
                self.schedule(DeviceIx(ix as u32));
            }
        } else {
            self.sight.up = false;
            self.down_since = self.down_since.or(Some(now));
        }
    }

    /// Time passed: deadlines first, then zones and areas of which something changed.
    pub fn tick(&mut self, now: Ms, out: &mut Changes) {
        self.blindness(now, out);
        while let Some(Reverse((due, ix))) = self.timers.peek().copied().filter(|it| it.0.0 <= now)
        {
            self.timers.pop();
            let counts = self.scheduled.get_mut(ix.at()).filter(|it| **it == due);
            if let Some(scheduled) = counts {
                *scheduled = Ms::MAX;
                let before = self.facts.len();
                let sight = self.sight;
                self.judge(ix, |judge| judge.tick(now, sight));
                out.dirty.push(ix);
                if self.facts.len() > before {
                    out.save.push(ix);
                }
            }
        }
        for (zone, whole) in &self.wholes.zones {
            if whole.wake().is_some_and(|due| due <= now) {
                self.zones_due.entry(zone.clone()).or_insert(now);
            }
        }
        for (zone, _) in self.zones_again.iter().filter(|(_, due)| **due <= now) {
            self.zones_due.entry(zone.clone()).or_insert(now);
        }
        for (zone, at) in std::mem::take(&mut self.zones_due) {
            self.zone(zone, at, now, out);
        }
        for station in std::mem::take(&mut self.areas_due) {
            self.area(station, now, out);
        }
    }

    fn blindness(&mut self, now: Ms, out: &mut Changes) {
        let since = self.down_since.filter(|since| now >= since + BLIND_MS);
        let Some(since) = since.filter(|_| !self.wholes.gateway_blind) else { return };
        self.wholes.gateway_blind = true;
        out.watch_meta = true;
        self.facts.push(Fact::Raised(Raised {
            subject: Subject::Gateway,
            condition: Condition::GatewayBlind,
            since,
            measured_at: since,
            received_at: now,
            late_s: 0,
            test: false,
            members: Vec::new(),
            reason: None,
        }));
    }

    fn zone(&mut self, zone: Box<str>, at: Ms, now: Ms, out: &mut Changes) {
        let (registry, memories) = (&self.registry, &self.memories);
        let hydrants =
            registry.zone(&zone).iter().filter_map(|ix| neighbour(registry, memories, *ix));
        let whole = self.wholes.zones.entry(zone.clone()).or_default();
        let was = *whole;
        let (fact, again) = whole.zone(&zone, hydrants, at, now);
        out.watch_meta |= *whole != was;
        self.facts.extend(fact);
        self.zones_again.remove(&zone);
        self.zones_again.extend(again.map(|again| (zone, again)));
    }

    fn area(&mut self, station: Box<str>, now: Ms, out: &mut Changes) {
        let (registry, memories) = (&self.registry, &self.memories);
        let devices = registry
            .of_station(&station)
            .iter()
            .filter_map(|ix| neighbour(registry, memories, *ix));
        let whole = self.wholes.areas.entry(station.clone()).or_default();
        let was = *whole;
        self.facts.extend(whole.area(&station, devices, now));
        out.watch_meta |= *whole != was;
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        let blind = self.down_since.filter(|_| !self.wholes.gateway_blind);
        let zones = self.wholes.zones.values().filter_map(Whole::wake).min();
        let again = self.zones_again.values().copied().min();
        let timer = self.timers.peek().map(|it| it.0.0);
        [blind.map(|since| since + BLIND_MS), zones, again, timer].into_iter().flatten().min()
    }
}

fn neighbour<'a>(
    registry: &'a Registry,
    memories: &'a [Memory],
    ix: DeviceIx,
) -> Option<Neighbour<'a>> {
    let (device, memory) = (registry.device(ix)?, memories.get(ix.at())?);
    let profile: &Profile = registry.profile_of(device);
    Some(Neighbour { ix, device, profile, memory })
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
