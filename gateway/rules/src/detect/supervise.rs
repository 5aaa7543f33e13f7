//! Supervision from the first minute: a registered device that was never heard, and one of whose
//! messages nothing is understood.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use super::judge::{Judge, Sight, When, interval_ms, silent_after};
use crate::Ms;
use crate::registry::DeviceIx;

/// Devices that count as never heard within one second: a town of 100,000 whose devices are
/// mounted later is found over seven minutes, not in one commit.
const NEVER_PER_SECOND: u32 = 250;

/// When the gateway first ran, and which devices were registered by then. A device that came
/// later has a moment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervised {
    /// The first session with the broker.
    pub since: Ms,
    /// Devices whose place is below this one were registered.
    pub below: DeviceIx,
}

impl Judge<'_> {
    /// When a device that was never heard counts as offline; `None`: it does, nobody registered
    /// it, or the gateway cannot see.
    pub(super) fn never_due(&self, sight: Sight) -> Option<Ms> {
        let waits = self.memory.heard_at.is_none() && self.device.claimed && sight.up;
        if !waits || self.memory.is_true(Condition::Offline) {
            return None;
        }
        let first_start = sight.supervised.filter(|town| self.ix < town.below);
        let own = self.memory.fresh().supervised_since;
        let from = own.or(first_start.map(|town| town.since))?;
        let silent = silent_after(self.device, self.profile, self.memory);
        let interval = interval_ms(self.device, self.profile, self.memory);
        let seen = sight.grace_from.map_or(Ms::MIN, |from| from + interval);
        let turn = Ms::from(self.ix.0 / NEVER_PER_SECOND) * 1_000;
        Some((from + silent).max(seen) + turn)
    }

    /// Of a message nothing was understood. It is no sign of life.
    pub fn not_understood(&mut self, at: Ms) {
        if !self.memory.is_true(Condition::NotUnderstood) {
            let step = self.memory.track_mut(Condition::NotUnderstood).set(at, at);
            self.after(Condition::NotUnderstood, step, When { ts: at, at, late: false });
        }
    }

    /// Of a message something was understood.
    pub(super) fn understood(&mut self, at: Ms) {
        if self.memory.track(Condition::NotUnderstood).is_some() {
            let step = self.memory.track_mut(Condition::NotUnderstood).end(at);
            self.after(Condition::NotUnderstood, step, When { ts: at, at, late: false });
        }
    }
}
