//! The gateway's clock was set: what is remembered moves with it, and for as long as nobody knows
//! which time is right, devices that go on by the earlier one are not at fault.

use std::cmp::Reverse;

use super::{AHEAD_MS, EARLIEST, Watch, Wholes};
use crate::detect::Memory;
use crate::detect::judge::Sight;
use crate::detect::memory::{Evidence, Stuck, Warmth};
use crate::detect::supervise::Supervised;
use crate::detect::zone::Whole;
use crate::registry::DeviceIx;
use crate::shift::{maybe, moment};
use crate::{Changes, Ms};

/// What a device says of when it measured, as the gateway takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Event time, not after arrival.
    pub ts: Ms,
    /// Whether the device's clock is wrong; `None`: that can't be said.
    pub clock_bad: Option<bool>,
    /// By how much `ts` is the gateway's way of telling what the device told otherwise.
    pub moved: Ms,
}

impl Watch {
    /// The gateway's clock was set by so much. All memories that this moves are to be kept in one
    /// transaction: what the log holds of before is not stepped again.
    pub fn shift(&mut self, by: Ms, out: &mut Changes) {
        debug_assert!(self.facts.is_empty(), "what was found belongs to the time before");
        let Self {
            registry: _,
            memories,
            wholes,
            zones_due,
            zones_again,
            areas_due: _,
            areas_again,
            look_again: _, // planned anew below
            newcomers: _,
            timers,
            scheduled,
            recent: _, // what a message says, wherever the clock stands
            sight,
            down_since,
            chain,
            verify_ms: _,
            facts: _,
        } = self;
        for (ix, memory) in (0..).map(DeviceIx).zip(memories) {
            if memory.shift(by) {
                out.save.push(ix);
            }
        }
        shift_wholes(wholes, by);
        out.watch_meta = true;
        let again = zones_again.values_mut().chain(areas_again.values_mut());
        zones_due.values_mut().chain(again).for_each(|at| moment(at, by));
        *timers = timers.drain().map(|Reverse((at, ix))| Reverse((at + by, ix))).collect();
        scheduled.iter_mut().for_each(|at| moment(at, by));
        let Sight { up: _, grace_from, blind_until, supervised } = sight;
        shift_supervised(supervised, by);
        for at in [grace_from, blind_until, down_since] {
            maybe(at, by);
        }
        chain.shift(by);
        self.plan_look();
    }

    /// By how much the gateway's clock was set, while nobody knows which time is right.
    #[must_use]
    pub const fn doubt(&self) -> Option<Ms> {
        self.wholes.doubt
    }

    /// Says that, or that it is known now.
    pub fn set_doubt(&mut self, doubt: Option<Ms>, out: &mut Changes) {
        out.watch_meta |= self.wholes.doubt != doubt;
        self.wholes.doubt = doubt;
    }

    /// What a device claims, judged by the wall clock. In doubt about that, the device may go by
    /// the time of before: of both ways to read its claim, the one nearer to its arrival counts.
    /// A gateway that was set back calls no device's clock fast: it may have been away for longer
    /// than it knows.
    pub(super) fn claim(&self, claimed: Option<Ms>, at: Ms) -> Claim {
        let by_arrival = |clock_bad| Claim { ts: at, clock_bad, moved: 0 };
        let Some(claimed) = claimed else { return by_arrival(None) };
        if claimed < EARLIEST {
            return by_arrival(Some(true));
        }
        let doubt = self.doubt().unwrap_or(0);
        let before = claimed.saturating_add(doubt);
        let nearer = before.abs_diff(at) <= claimed.abs_diff(at);
        let set_back_and_ahead = doubt < 0 && claimed > at + AHEAD_MS;
        let read = if nearer || set_back_and_ahead { before } else { claimed };
        if read > at + AHEAD_MS {
            return by_arrival((doubt >= 0).then_some(true));
        }
        Claim { ts: read.min(at), clock_bad: Some(false), moved: read - claimed }
    }
}

fn shift_wholes(wholes: &mut Wholes, by: Ms) {
    let Wholes {
        zones,
        areas,
        gateway_blind: _,
        chain_known: _,
        chain_broken: _,
        supervised,
        doubt: _,
    } = wholes;
    shift_supervised(supervised, by);
    for Whole { raised: _, fewer_since } in zones.values_mut().chain(areas.values_mut()) {
        if let Some((measured, arrived)) = fewer_since {
            moment(measured, by);
            moment(arrived, by);
        }
    }
}

const fn shift_supervised(supervised: &mut Option<Supervised>, by: Ms) {
    if let Some(Supervised { since, below: _ }) = supervised {
        moment(since, by);
    }
}

impl Memory {
    /// The gateway's clock was set by so much; says whether anything moved.
    fn shift(&mut self, by: Ms) -> bool {
        let Self {
            door,
            tracks,
            heard_at,
            newest,
            latest: _,
            interval_s: _,
            stuck: Stuck { kpa: _, count: _, since: stuck_since },
            warmth: Warmth { at: warmth_at, temp_c: _ },
            gone: _,
            pressure_hidden: _,
            backlog,
            evidence,
            fresh,
            spoke_at,
            clockwork,
            known_alarms: _,
        } = self;
        door.shift();
        tracks.iter_mut().for_each(|track| track.shift(by));
        maybe(heard_at, by);
        maybe(newest, by);
        moment(stuck_since, by);
        warmth_at.iter_mut().for_each(|at| moment(at, by));
        if let Some((first, last)) = backlog {
            moment(first, by);
            moment(last, by);
        }
        if let Some(evidence) = evidence {
            let Evidence { covered_ms: _, last_good, alive_at } = &mut **evidence;
            maybe(last_good, by);
            moment(alive_at, by);
        }
        if let Some(fresh) = fresh {
            fresh.shift(by);
        }
        moment(spoke_at, by);
        if let Some(clockwork) = clockwork {
            clockwork.shift(by);
        }
        let spoken = fresh.is_some() || clockwork.is_some() || *spoke_at != 0;
        spoken || heard_at.is_some() || newest.is_some() || !tracks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Watch, Whole};
    use crate::Changes;
    use crate::detect::memory::Evidence;
    use crate::registry::{Device, Registry};
    use standpipe_shared::Kind;

    #[test]
    fn what_zones_and_evidence_wait_for_moves_too() {
        let mut watch = Watch::new(Registry::new([]), 1);
        let ix = watch.put_device(Device::unclaimed("H", "town", Kind::Hydrant));
        let silent = watch.put_device(Device::unclaimed("H2", "town", Kind::Hydrant));
        watch.zones_due.insert("due".into(), 1_000);
        watch.zones_again.insert("again".into(), 2_000);
        let fewer = Whole { raised: true, fewer_since: Some((3_000, 4_000)) };
        watch.wholes.zones.insert("Z".into(), fewer);
        watch.wholes.areas.insert("A".into(), Whole { raised: true, fewer_since: None });
        let memory = &mut watch.memories[ix.at()];
        memory.heard_at = Some(4_000);
        let evidence = Evidence { covered_ms: 7, last_good: Some(5_000), alive_at: 6_000 };
        memory.evidence = Some(Box::new(evidence));
        let mut out = Changes::default();
        watch.shift(600, &mut out);
        assert_eq!((watch.zones_due["due"], watch.zones_again["again"]), (1_600, 2_600));
        assert_eq!(watch.wholes.zones["Z"].fewer_since, Some((3_600, 4_600)));
        assert_eq!(watch.wholes.areas["A"].fewer_since, None);
        let moved = Evidence { covered_ms: 7, last_good: Some(5_600), alive_at: 6_600 };
        assert_eq!(watch.memory(ix).unwrap().evidence.as_deref(), Some(&moved));
        assert_eq!((out.save, out.watch_meta), (vec![ix], true), "{silent:?} was never heard");
    }

    #[test]
    fn a_zone_that_waits_is_looked_at_in_time_after_a_restart_and_after_the_clock_was_set() {
        let mut watch = Watch::new(Registry::new([]), 1);
        assert_eq!(watch.next_wake(), None);
        let mut wholes = watch.wholes().clone();
        let fewer = Whole { raised: true, fewer_since: Some((3_000, 4_000)) };
        wholes.zones.insert("Z".into(), fewer);
        watch.restore_wholes(wholes);
        let due = fewer.wake().unwrap();
        assert_eq!(watch.next_wake(), Some(due), "put back");
        let mut out = Changes::default();
        watch.shift(600, &mut out);
        assert_eq!(watch.next_wake(), Some(due + 600), "the clock was set");
        watch.tick(due + 599, &mut out);
        assert!(watch.facts().is_empty(), "not yet");
        watch.tick(due + 600, &mut out);
        assert_eq!(watch.facts().len(), 1, "nobody is low any more");
        assert_eq!(watch.next_wake(), None);
    }
}
