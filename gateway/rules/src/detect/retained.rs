//! What the broker had kept for whoever comes: it was so once, and nobody knows when.
//!
//! It moves a device's state only where nothing newer is known, is no sign of life, and counts for
//! no run and no number. A retained fire is a fire all the same, with [`Reason::SinceUnknown`]: its
//! fingerprint is remembered until anything is heard of the device, so that the broker may repeat
//! it and a closed fire stays closed. So is that of a live fire alarm, until anything but its end is
//! heard: a device may have had the broker keep it.

use standpipe_shared::{Condition, Field, Measurements, Severity};

use super::judge::{Cry, Judge, When};
use super::memory::KnownAlarms;
use super::signals;
use super::track::Signal;
use crate::Ms;
use crate::fact::{Fact, Reason};

/// A retained alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptAlarm {
    /// What it says.
    pub cry: Cry,
    /// The time it claims, not after its arrival; `None`: none that could be so.
    pub ts: Option<Ms>,
    /// When it arrived, by the gateway's clock.
    pub at: Ms,
    /// Fingerprint of its topic and bytes.
    pub print: u128,
    /// Its number is above all that are known: it was published while nobody listened.
    pub unseen: bool,
}

impl Judge<'_> {
    /// Whether nothing was ever heard of the device.
    const fn is_stranger(&self) -> bool {
        self.memory.is_strangers()
    }

    /// An alarm that the broker had kept. Not called for one that is known by its number.
    pub(super) fn retained_alarm(&mut self, alarm: KeptAlarm) {
        let KeptAlarm { cry, ts, at, print, unseen } = alarm;
        let KnownAlarms { retained: acted_on, live } =
            self.memory.known_alarms.as_deref().copied().unwrap_or_default();
        let is_true = self.memory.is_true(cry.condition);
        let acts = if !cry.active {
            // It took the place of the one that was acted on; a live one says so itself.
            acted_on.is_some()
        } else if acted_on == Some(print) || live == Some(print) {
            false
        } else if cry.condition.severity() == Severity::Fire {
            !is_true || unseen
        } else {
            !is_true && self.is_stranger()
        };
        if !acts {
            return;
        }
        let retained = cry.active.then_some(print);
        self.memory.known_alarms =
            retained.or(live).map(|_| Box::new(KnownAlarms { retained, live }));
        let newest_alarm = self.memory.track(cry.condition).map_or(Ms::MIN, |track| track.alarm_at);
        let water_heard = self.memory.fresh().water_heard;
        let first = self.facts.len();
        self.alarm(cry, When { ts: ts.unwrap_or(at), at, late: false });
        self.since_unknown(first);
        // A live alarm is newer than this one, whatever time either has.
        self.memory.track_mut(cry.condition).alarm_at = newest_alarm.max(ts.unwrap_or(Ms::MIN));
        if let Some(fresh) = &mut self.memory.fresh {
            fresh.water_heard = water_heard;
        }
    }

    /// A reading that the broker had kept.
    pub(super) fn retained_reading(&mut self, values: &Measurements, when: When) {
        if !self.is_stranger() {
            return;
        }
        for field in Field::ALL {
            if let Some(value) = values.get(field) {
                // Shown, and of no time. A value that was read is finite.
                let _ = self.memory.latest.set(field, value);
            }
        }
        // One reading is enough for heat, as it is live. Anything else wants more than one.
        let cold = !self.memory.is_true(Condition::Heat);
        let hot = values.temp_c.filter(|temp| temp.plausible() && self.detects_heat() && cold);
        if hot.is_some_and(|temp| signals::heat(temp, self.profile) == Signal::Bad) {
            let first = self.facts.len();
            self.signal(Condition::Heat, Signal::Bad, when);
            self.since_unknown(first);
        }
    }

    /// A birth that the broker had kept: the interval it says, if none is known.
    pub(super) fn retained_birth(&mut self, interval_s: Option<u32>) {
        if self.memory.heard_at.is_none() || self.memory.interval_s.is_none() {
            self.memory.interval_s = interval_s.or(self.memory.interval_s);
        }
    }

    fn since_unknown(&mut self, first: usize) {
        for fact in self.facts.get_mut(first..).unwrap_or_default() {
            if let Fact::Raised(raised) = fact {
                raised.reason = Some(Reason::SinceUnknown);
            }
        }
    }
}
