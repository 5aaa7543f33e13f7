//! Many at once: the hydrants of a zone low together, the devices of a station silent together.
//!
//! What happens in one pipe or one radio cell happens at one time: onsets count together when they
//! lie within a window. What an empty pipe's neighbours do later keeps the condition true, and so
//! does a hydrant that fell silent while low: silence is neither good nor bad news.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use super::judge::interval_ms;
use super::memory::Memory;
use crate::Ms;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::{Device, DeviceIx, Profile};

/// Onsets this close belong together …
const WINDOW_MS: Ms = 600_000;
/// … or within this many tenths of the longest interval among them.
const WINDOW_TENTHS: Ms = 12;
/// Intervals within which a hydrant is live.
const LIVE_INTERVALS: Ms = 3;
/// `zone_low_pressure`: this many hydrants, and this share of the live ones.
const ZONE: (usize, usize) = (3, 30);
/// `zone_low_pressure` ends when fewer are low for this long.
const ZONE_CLEAR_MS: Ms = 300_000;
/// `blind_area`: this many devices, and this share of those ever heard.
const AREA: (usize, usize) = (5, 50);
/// Silence of a device counts for `blind_area` when it has lasted this long: a radio cell that
/// blinks pages nobody.
const AREA_GRACE_MS: Ms = 30_000;
/// `blind_area` ends under this share.
const AREA_CLEAR_PERCENT: usize = 25;

/// One device, as its neighbours see it.
pub struct Neighbour<'a> {
    pub ix: DeviceIx,
    pub device: &'a Device,
    pub profile: &'a Profile,
    /// What is remembered of it.
    pub memory: &'a Memory,
}

/// What is remembered of a zone or an area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The condition is true.
    pub raised: bool,
    /// Fewer than needed since then, event time and arrival.
    pub fewer_since: Option<(Ms, Ms)>,
}

/// One of those that make it true.
#[derive(Clone, Copy)]
struct Onset {
    since: Ms,
    measured_at: Ms,
    received_at: Ms,
    ix: DeviceIx,
}

/// The largest group of onsets that lie within one window; they come back in order of time.
fn together(onsets: &mut [Onset], window: Ms) -> &[Onset] {
    onsets.sort_by_key(|onset| (onset.since, onset.ix));
    let mut best = 0..0;
    let mut first = 0;
    for (last, onset) in onsets.iter().enumerate() {
        while onsets.get(first).is_some_and(|earliest| onset.since - earliest.since > window) {
            first += 1;
        }
        if last + 1 - first > best.len() {
            best = first..last + 1;
        }
    }
    onsets.get(best).unwrap_or(&[])
}

fn window(longest: Ms) -> Ms {
    WINDOW_MS.max(longest * WINDOW_TENTHS / 10)
}

/// When that many onsets of one window will have lasted for the grace; `None`: there are fewer.
fn lasting(onsets: &mut [Onset], window: Ms, wanted: usize) -> Option<Ms> {
    onsets.sort_by_key(|onset| (onset.since, onset.ix));
    let mut first = 0;
    for (last, onset) in onsets.iter().enumerate() {
        while onsets.get(first).is_some_and(|earliest| onset.since - earliest.since > window) {
            first += 1;
        }
        if last + 1 - first >= wanted {
            return Some(onset.since + AREA_GRACE_MS);
        }
    }
    None
}

/// The least count that is enough of so many.
fn least_of(of: usize, (least, percent): (usize, usize)) -> usize {
    least.max((of * percent).div_ceil(100))
}

fn enough(count: usize, of: usize, (least, percent): (usize, usize)) -> bool {
    count >= least && count * 100 >= of * percent
}

fn raised(subject: Subject, condition: Condition, group: &[Onset], all: &[Onset]) -> Option<Fact> {
    Some(Fact::Raised(Raised {
        subject,
        condition,
        since: group.iter().map(|onset| onset.since).min()?,
        measured_at: group.iter().map(|onset| onset.measured_at).max()?,
        received_at: group.iter().map(|onset| onset.received_at).max()?,
        late_s: 0,
        test: false,
        members: all.iter().map(|onset| onset.ix).collect(),
        reason: None,
    }))
}

impl Whole {
    /// Judges a zone of hydrants at `now`; `at` is the event time of what made it worth a look.
    /// Also says when it is worth another though nobody says anything: enough are low, and will be
    /// a larger share when the next hydrant is not live any more.
    pub fn zone<'a>(
        &mut self,
        zone: &str,
        hydrants: impl Iterator<Item = Neighbour<'a>>,
        at: Ms,
        now: Ms,
    ) -> (Option<Fact>, Option<Ms>) {
        let (mut live, mut hidden, mut silent, mut longest) = (0, 0, 0, 0);
        let mut live_until = Ms::MAX;
        let mut onsets = Vec::new();
        for hydrant in hydrants {
            let interval = interval_ms(hydrant.device, hydrant.profile, hydrant.memory);
            // What it says of anything but its water does not tell whether its pipe is full.
            let water = hydrant.memory.fresh().water_heard;
            let heard = water.filter(|_| !hydrant.memory.is_true(Condition::Offline));
            let until =
                heard.map(|at| at + LIVE_INTERVALS * interval).filter(|until| now <= *until);
            let is_live = until.is_some();
            live += usize::from(is_live && !hydrant.memory.pressure_hidden);
            live_until = live_until.min(until.unwrap_or(Ms::MAX));
            let low = [Condition::NoWater, Condition::LowPressure];
            let told = low.iter().filter_map(|low| hydrant.memory.told(*low));
            let Some(first) = told.min_by_key(|track| track.since) else { continue };
            if !is_live {
                silent += 1;
            } else if hydrant.memory.pressure_hidden {
                hidden += 1;
            } else {
                longest = longest.max(interval);
                let (since, ix) = (first.since, hydrant.ix);
                let (measured_at, received_at) = (first.measured_at, first.received_at);
                onsets.push(Onset { since, measured_at, received_at, ix });
            }
        }
        let subject = Subject::Zone(zone.into());
        let condition = Condition::ZoneLowPressure;
        if self.raised {
            let unseen = hidden + silent;
            let holds = enough(onsets.len() + unseen, live + unseen, ZONE);
            let ended = self.still(holds, ZONE_CLEAR_MS, (at, now));
            return (ended.map(|at| Fact::Cleared { subject, condition, at }), None);
        }
        let group = together(&mut onsets, window(longest)).to_vec();
        self.raised = enough(group.len(), live, ZONE);
        if self.raised {
            return (raised(subject, condition, &group, &onsets), None);
        }
        let (least, _) = ZONE;
        (None, (group.len() >= least).then_some(live_until.saturating_add(1)))
    }

    /// Judges the devices of a station at `now`. Devices never heard do not count, on either
    /// side. Also says when it is worth another look: enough are silent, and not for long enough.
    pub fn area<'a>(
        &mut self,
        station: &str,
        devices: impl Iterator<Item = Neighbour<'a>>,
        now: Ms,
    ) -> (Option<Fact>, Option<Ms>) {
        let (mut known, mut longest) = (0, 0);
        let mut onsets = Vec::new();
        for neighbour in devices.filter(|neighbour| neighbour.memory.heard_at.is_some()) {
            known += 1;
            if let Some(track) = neighbour.memory.told(Condition::Offline) {
                longest =
                    longest.max(interval_ms(neighbour.device, neighbour.profile, neighbour.memory));
                let (since, ix) = (track.since, neighbour.ix);
                let (measured_at, received_at) = (track.measured_at, track.received_at);
                onsets.push(Onset { since, measured_at, received_at, ix });
            }
        }
        let subject = Subject::Area(station.into());
        let condition = Condition::BlindArea;
        if self.raised {
            let holds = onsets.len() * 100 >= known * AREA_CLEAR_PERCENT;
            let ended = self.still(holds, 0, (now, now));
            return (ended.map(|at| Fact::Cleared { subject, condition, at }), None);
        }
        let window = window(longest);
        let Some(due) = lasting(&mut onsets, window, least_of(known, AREA)) else {
            return (None, None);
        };
        if now < due {
            return (None, Some(due));
        }
        let mut lasted = onsets.clone();
        lasted.retain(|onset| onset.since + AREA_GRACE_MS <= now);
        self.raised = true;
        (raised(subject, condition, together(&mut lasted, window), &onsets), None)
    }

    /// Whether it ended, and at which event time.
    fn still(&mut self, holds: bool, clear_ms: Ms, (at, now): (Ms, Ms)) -> Option<Ms> {
        if holds {
            self.fewer_since = None;
            return None;
        }
        let (since, from) = *self.fewer_since.get_or_insert((at, now));
        if now - from < clear_ms {
            return None;
        }
        *self = Self::default();
        Some(since)
    }

    /// When it has to be judged again though nothing happened.
    #[must_use]
    pub fn wake(&self) -> Option<Ms> {
        self.fewer_since.map(|(_, from)| from + ZONE_CLEAR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_enough_and_one_fewer_is_not() {
        for of in 0..300 {
            for limits in [ZONE, AREA] {
                let least = least_of(of, limits);
                assert!(enough(least, of, limits) && !enough(least - 1, of, limits), "{of}");
            }
        }
    }

    fn onset(since: &Ms) -> Onset {
        Onset { since: *since, measured_at: 0, received_at: 0, ix: DeviceIx(0) }
    }

    #[test]
    fn two_within_a_window_have_lasted_when_the_later_has() {
        for (story, onsets, later) in [
            ("the window is the last moment", &[0, 10][..], Some(10)),
            ("and not one later", &[0, 11], None),
            ("the first two", &[0, 5, 9], Some(5)),
            ("a later two", &[0, 20, 21], Some(21)),
            ("they come in any order", &[9, 0], Some(9)),
            ("one", &[0], None),
        ] {
            let mut onsets: Vec<Onset> = onsets.iter().map(onset).collect();
            let due = later.map(|later| later + AREA_GRACE_MS);
            assert_eq!(lasting(&mut onsets, 10, 2), due, "{story}");
        }
    }

    #[test]
    fn the_largest_group_within_a_window_is_the_earliest_of_its_size() {
        for (story, onsets, group) in [
            ("two windows of three", &[0, 5, 9, 12][..], &[0, 5, 9][..]),
            ("the window is the last moment", &[0, 10], &[0, 10]),
            ("and not one later", &[0, 11], &[0]),
            ("a later one is not larger", &[0, 1, 2, 20], &[0, 1, 2]),
            ("a later one is", &[0, 20, 21], &[20, 21]),
            ("they come in any order", &[9, 0, 5], &[0, 5, 9]),
            ("none", &[], &[]),
        ] {
            let mut onsets: Vec<Onset> = onsets.iter().map(onset).collect();
            let found: Vec<Ms> =
                together(&mut onsets, 10).iter().map(|onset| onset.since).collect();
            assert_eq!(found, group, "{story}");
        }
    }
}
