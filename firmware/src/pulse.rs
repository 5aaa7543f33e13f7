//! Whether every task makes progress: what a board feeds its watchdog by.
//!
//! A task says before it waits how long it will be quiet at most. The board's watchdog is fed
//! only while all these promises hold: a task that hangs, or waits for ever for something that
//! never comes, lets the watchdog bite, whatever the other tasks do.
//!
//! The watchdog itself, and how its bite is told from other starts, is the board's.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::Uptime;

/// Who must make progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Sensors, decisions, storage.
    Node,
    /// Modem and broker.
    Uplink,
}

/// The promises of all parts.
#[derive(Debug)]
pub struct Pulse {
    /// Uptime in seconds, after which the part is hung.
    node: AtomicU32,
    /// The same.
    uplink: AtomicU32,
}

impl Pulse {
    /// At the start every part has this long to make its first promise.
    #[must_use]
    pub const fn new(first_s: u32) -> Self {
        Self { node: AtomicU32::new(first_s), uplink: AtomicU32::new(first_s) }
    }

    const fn of(&self, part: Part) -> &AtomicU32 {
        match part {
            Part::Node => &self.node,
            Part::Uplink => &self.uplink,
        }
    }

    /// `part` will promise again within so many seconds from `now`.
    pub fn promise(&self, part: Part, now: Uptime, within_s: u32) {
        self.of(part).store(seconds(now).saturating_add(within_s), Ordering::Relaxed);
    }

    /// The part whose promise is broken, if any.
    #[must_use]
    pub fn hung(&self, now: Uptime) -> Option<Part> {
        let broken = |part: &Part| seconds(now) > self.of(*part).load(Ordering::Relaxed);
        [Part::Node, Part::Uplink].into_iter().find(broken)
    }
}

/// 136 years fit.
fn seconds(now: Uptime) -> u32 {
    u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Part, Pulse};
    use crate::Uptime;

    #[test]
    #[rustfmt::skip] // a table
    fn one_part_s_silence_is_not_covered_by_the_other_s_zeal() {
        let pulse = Pulse::new(30);
        assert_eq!(pulse.hung(Uptime(30_999)), None, "the first promise may take a while");
        assert_eq!(pulse.hung(Uptime(31_000)), Some(Part::Node));
        pulse.promise(Part::Node, Uptime(31_000), 600);
        assert_eq!(pulse.hung(Uptime(31_000)), Some(Part::Uplink));
        pulse.promise(Part::Uplink, Uptime(31_000), 60);
        for (now_s, hung) in [(91, None), (92, Some(Part::Uplink)), (631, Some(Part::Uplink))] {
            pulse.promise(Part::Node, Uptime(now_s * 1_000), 600);
            assert_eq!(pulse.hung(Uptime(now_s * 1_000)), hung, "{now_s} s");
        }
        pulse.promise(Part::Uplink, Uptime(700_000), u32::MAX);
        pulse.promise(Part::Node, Uptime(700_000), u32::MAX);
        assert_eq!(pulse.hung(Uptime(u64::MAX)), None, "no sum overflows");
    }
}
