//! Time passes: sessions come and go, deadlines are due, zones and areas are looked at.

use std::cmp::Reverse;

use standpipe_shared::Condition;

use super::{BLIND_MS, Watch};
use crate::chain::{Chain, TOO_OLD_MS, stands_still};
use crate::detect::Memory;
use crate::detect::supervise::Supervised;
use crate::detect::zone::{Neighbour, Whole};
use crate::fact::{Fact, Moments, Raised, Reason, Subject};
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, Ms};

impl Watch {
    /// The gateway's own session with the broker came up or went down.
    pub fn session(&mut self, up: bool, now: Ms, out: &mut Changes) {
        if up {
            self.down_since = None;
            // A heartbeat that is missing says what it says until one comes through.
            if self.wholes.gateway_blind && !self.wholes.chain_broken {
                self.sees_again(now, out);
            }
            if !self.sight.up {
                self.chain.up_since = Some(now);
            }
            self.sight.grace_from = self.sight.grace_from.or(Some(now));
            self.sight.up = true;
            self.supervise(now, out);
            for ix in 0..self.memories.len() {
                self.schedule(DeviceIx(ix as u32));
            }
        } else {
            self.sight.up = false;
            self.down_since = self.down_since.or(Some(now));
        }
    }

    /// The gateway is not blind any more.
    fn sees_again(&mut self, now: Ms, out: &mut Changes) {
        out.watch_meta = true;
        self.wholes.gateway_blind = false;
        self.sight.blind_until = Some(now);
        self.sight.grace_from = Some(now);
        let (subject, condition) = (Subject::Gateway, Condition::GatewayBlind);
        self.facts.push(Fact::Cleared { subject, condition, at: now });
    }

    /// The gateway's own heartbeat came through. One that is too old already ends nothing.
    pub fn heartbeat(&mut self, sent: Ms, at: Ms, out: &mut Changes) {
        self.chain.beat(sent, at);
        out.watch_meta |= !self.wholes.chain_known;
        self.wholes.chain_known = true;
        let fresh = self.chain.newest.is_some_and(|newest| !stands_still(newest, at));
        if !self.wholes.chain_broken || !fresh {
            return;
        }
        out.watch_meta = true;
        self.wholes.chain_broken = false;
        let no_broker = self.down_since.is_some_and(|since| at >= since + BLIND_MS);
        if self.wholes.gateway_blind && !no_broker {
            self.sees_again(at, out);
        }
    }

    /// What is known of the chain's heartbeat.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// From the first session on it counts whom the gateway never hears. Devices that were
    /// registered while it did not run count from now on.
    fn supervise(&mut self, now: Ms, out: &mut Changes) {
        let count = DeviceIx(self.memories.len() as u32);
        let Some(town) = self.wholes.supervised else {
            self.wholes.supervised = Some(Supervised { since: now, below: count });
            self.sight.supervised = self.wholes.supervised;
            out.watch_meta = true;
            return;
        };
        self.newcomers.extend((town.below.0..count.0).map(DeviceIx));
        self.welcome(now, out);
    }

    /// Devices that were registered just now, and that nobody has heard yet.
    fn welcome(&mut self, now: Ms, out: &mut Changes) {
        for ix in std::mem::take(&mut self.newcomers) {
            let Some(memory) = self.memories.get_mut(ix.at()) else { continue };
            let claimed = self.registry.device(ix).is_some_and(|device| device.claimed);
            let counts = memory.heard_at.is_none() && memory.fresh().supervised_since.is_none();
            if claimed && counts {
                memory.fresh_mut().supervised_since = Some(now);
                out.save.push(ix);
                self.schedule(ix);
            }
        }
    }

    /// Time passed: deadlines first, then zones and areas of which something changed.
    pub fn tick(&mut self, now: Ms, out: &mut Changes) {
        self.welcome(now, out);
        self.blindness(now, out);
        while let Some(Reverse((due, ix))) =
            self.timers.peek().copied().filter(|timer| timer.0.0 <= now)
        {
            self.timers.pop();
            let counts = self.scheduled.get_mut(ix.at()).filter(|wake| **wake == due);
            if let Some(scheduled) = counts {
                *scheduled = Ms::MAX;
                let before = self.facts.len();
                let sight = self.sight;
                self.judge(ix, |judge| judge.advance(now, sight));
                out.dirty.push(ix);
                if self.facts.len() > before {
                    out.save.push(ix);
                }
            }
        }
        if self.look_again.is_some_and(|due| due <= now) {
            self.look_at_due(now);
        }
        if self.zones_due.is_empty() && self.areas_due.is_empty() {
            return;
        }
        while let Some((zone, at)) = self.zones_due.pop_first() {
            self.zone(zone, at, now, out);
        }
        while let Some(station) = self.areas_due.pop_first() {
            self.area(station, now, out);
        }
        self.plan_look();
    }

    /// Zones and areas whose time has come are to be looked at.
    fn look_at_due(&mut self, now: Ms) {
        for (zone, whole) in &self.wholes.zones {
            if whole.wake().is_some_and(|due| due <= now) {
                self.zones_due.entry(zone.clone()).or_insert(now);
            }
        }
        for (zone, _) in self.zones_again.iter().filter(|(_, due)| **due <= now) {
            self.zones_due.entry(zone.clone()).or_insert(now);
        }
        for (station, _) in self.areas_again.iter().filter(|(_, due)| **due <= now) {
            self.areas_due.insert(station.clone());
        }
    }

    /// After zones or areas were looked at, or put back: when the next look is due.
    pub(super) fn plan_look(&mut self) {
        let zones = self.wholes.zones.values().filter_map(Whole::wake);
        let again = self.zones_again.values().chain(self.areas_again.values()).copied();
        self.look_again = zones.chain(again).min();
    }

    /// Two ways to be blind, of which the gateway has one incident: there is no broker, or there is
    /// one and the gateway's own heartbeat does not come through.
    fn blindness(&mut self, now: Ms, out: &mut Changes) {
        if let Some(since) = self.heartbeat_waited_for()
            && stands_still(since, now)
        {
            out.watch_meta = true;
            self.wholes.chain_broken = true;
            self.is_blind(since, Some(Reason::NoHeartbeat), now);
        }
        if let Some(since) = self.down_since.filter(|since| now >= since + BLIND_MS)
            && !self.wholes.gateway_blind
        {
            out.watch_meta = true;
            self.is_blind(since, None, now);
        }
    }

    fn is_blind(&mut self, since: Ms, reason: Option<Reason>, now: Ms) {
        if std::mem::replace(&mut self.wholes.gateway_blind, true) {
            return;
        }
        let (subject, condition) = (Subject::Gateway, Condition::GatewayBlind);
        let moments = Moments { since, measured_at: since, received_at: now };
        let raised = Raised { reason, ..Raised::new(subject, condition, moments) };
        self.facts.push(Fact::Raised(raised));
    }

    /// Since when a heartbeat is due; `None`: none is missed. While a lane is down, that says it; and
    /// a broker that never let one pass may refuse it, which is no reason to wake a station.
    fn heartbeat_waited_for(&self) -> Option<Ms> {
        let waits = self.sight.up && self.wholes.chain_known && !self.wholes.chain_broken;
        self.chain.counts_from().filter(|_| waits)
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
        let (fact, again) = whole.area(&station, devices, now);
        out.watch_meta |= *whole != was;
        self.facts.extend(fact);
        self.areas_again.remove(&station);
        self.areas_again.extend(again.map(|again| (station, again)));
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        let blind = self.down_since.filter(|_| !self.wholes.gateway_blind);
        let heartbeat = self.heartbeat_waited_for().map(|since| since + TOO_OLD_MS + 1);
        let timer = self.timers.peek().map(|timer| timer.0.0);
        let blind = blind.map(|since| since + BLIND_MS);
        [blind, heartbeat, self.look_again, timer].into_iter().flatten().min()
    }
}

fn neighbour<'a>(
    registry: &'a Registry,
    memories: &'a [Memory],
    ix: DeviceIx,
) -> Option<Neighbour<'a>> {
    let ((device, profile), memory) = (registry.judged(ix)?, memories.get(ix.at())?);
    Some(Neighbour { ix, device, profile, memory })
}
