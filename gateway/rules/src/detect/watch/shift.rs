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
        let set_back = doubt < 0;
        let is_ahead = |moment: Ms| moment > at + AHEAD_MS;
        let before = claimed.saturating_add(doubt);
        let nearer = before.abs_diff(at) <= claimed.abs_diff(at);
        let read = if nearer || (set_back && is_ahead(claimed)) { before } else { claimed };
        if is_ahead(read) {
            return by_arrival((!set_back).then_some(true));
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
    use super::super::{AHEAD_MS, Watch, Whole};
    use super::Claim;
    use crate::detect::Memory;
    use crate::detect::fresh::Fresh;
    use crate::detect::memory::Evidence;
    use crate::detect::time::Clockwork;
    use crate::detect::track::Track;
    use crate::registry::{Device, Registry};
    use crate::{Changes, HOUR_MS, MINUTE_MS, Ms};
    use standpipe_shared::{Condition, Kind};

    /// When the messages of these tests arrive: 2026-01-01, 12:00.
    const NOW: Ms = 1_767_268_800_000;

    /// What is made of a claim so far after arrival, when the gateway's clock was set by `doubt`:
    /// event time after arrival, whether the clock is wrong, and by how much the claim was moved.
    fn claimed(doubt: Option<Ms>, ahead: Ms) -> (Ms, Option<bool>, Ms) {
        let mut watch = Watch::new(Registry::new([]), 1);
        watch.set_doubt(doubt, &mut Changes::default());
        let Claim { ts, clock_bad, moved } = watch.claim(Some(NOW + ahead), NOW);
        (ts - NOW, clock_bad, moved)
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_claim_is_read_by_the_time_of_before_where_that_is_nearer_to_its_arrival() {
        let (right, unknown) = (Some(false), None);
        let (back, forward) = (Some(-2 * HOUR_MS), Some(2 * HOUR_MS));
        for (story, doubt, ahead, expected) in [
            ("nobody doubts the clock",           None,    -MINUTE_MS,                  (-MINUTE_MS, right, 0)),
            ("a little ahead",                    None,    AHEAD_MS,                    (0, right, 0)),
            ("too far ahead: its clock is wrong", None,    AHEAD_MS + 1,                (0, Some(true), 0)),
            // Set forward by 2 h: the device that goes by the time of before is 2 h behind.
            ("forward, live by the new time",     forward, -MINUTE_MS,                  (-MINUTE_MS, right, 0)),
            ("forward, live by the earlier time", forward, -2 * HOUR_MS - MINUTE_MS,    (-MINUTE_MS, right, 2 * HOUR_MS)),
            ("forward, ahead by either",          forward, AHEAD_MS + 1,                (0, Some(true), 0)),
            // Set back by 2 h: the device that goes by the time of before is 2 h ahead.
            ("back, live by the new time",        back,    -MINUTE_MS,                  (-MINUTE_MS, right, 0)),
            ("back, live by the earlier time",    back,    2 * HOUR_MS - MINUTE_MS,     (-MINUTE_MS, right, -2 * HOUR_MS)),
            ("back, a little ahead",              back,    MINUTE_MS,                   (0, right, 0)),
            ("back, at the limit of that",        back,    AHEAD_MS,                    (0, right, 0)),
            ("back, a backlog of before",         back,    AHEAD_MS + 1,                (AHEAD_MS + 1 - 2 * HOUR_MS, right, -2 * HOUR_MS)),
            ("back, 90 min of backlog",           back,    30 * MINUTE_MS,              (-90 * MINUTE_MS, right, -2 * HOUR_MS)),
            // It may have been away for longer than it knows.
            ("back, ahead by either",             back,    2 * HOUR_MS + AHEAD_MS + 1,  (0, unknown, 0)),
            ("back, a little ahead by before",    back,    2 * HOUR_MS + AHEAD_MS,      (0, right, -2 * HOUR_MS)),
        ] {
            assert_eq!(claimed(doubt, ahead), expected, "{story}");
        }
    }

    #[test]
    fn doubt_is_stored_when_it_changes_and_only_then() {
        let mut watch = Watch::new(Registry::new([]), 1);
        for (doubt, stored) in [
            (None, false),
            (Some(5_000), true),
            (Some(5_000), false),
            (Some(7), true),
            (None, true),
        ] {
            let mut out = Changes::default();
            watch.set_doubt(doubt, &mut out);
            assert_eq!((watch.doubt(), out.watch_meta), (doubt, stored));
        }
        let mut out = Changes { watch_meta: true, ..Changes::default() };
        watch.set_doubt(None, &mut out);
        assert!(out.watch_meta, "what was to be stored before is stored still");
    }

    #[test]
    fn a_device_of_which_any_moment_is_known_is_stored_when_the_clock_is_set() {
        let fresh = || Fresh::guessed(&Memory { newest: Some(NOW), ..Memory::default() });
        for (story, memory, stored) in [
            ("nothing is known", Memory::default(), false),
            ("when it was measured", Memory { fresh: fresh(), ..Memory::default() }, true),
            (
                "how its clock behaves",
                Memory { clockwork: Some(Box::new(Clockwork::default())), ..Memory::default() },
                true,
            ),
            ("when it spoke", Memory { spoke_at: NOW, ..Memory::default() }, true),
            ("when it was heard", Memory { heard_at: Some(NOW), ..Memory::default() }, true),
            ("its newest reading", Memory { newest: Some(NOW), ..Memory::default() }, true),
            (
                "a condition",
                Memory { tracks: vec![Track::new(Condition::Tamper)], ..Memory::default() },
                true,
            ),
        ] {
            let mut watch = Watch::new(Registry::new([]), 1);
            let ix = watch.put_device(Device::unclaimed("H", "town", Kind::Hydrant));
            watch.memories[ix.at()] = memory;
            let mut out = Changes::default();
            watch.shift(600, &mut out);
            assert_eq!(out.save.contains(&ix), stored, "{story}");
        }
    }

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
