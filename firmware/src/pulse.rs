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
pub enum PromisingTask {
    /// Sensors, decisions, storage.
    Node,
    /// Modem and broker.
    Uplink,
}

/// The promises of all tasks.
#[derive(Debug)]
pub struct Pulse {
    /// Uptime in seconds, after which the task is hung.
    node: AtomicU32,
    /// As `node`.
    uplink: AtomicU32,
}

impl Pulse {
    /// At the start every task has this long to make its first promise.
    #[must_use]
    pub const fn new(first_s: u32) -> Self {
        Self { node: AtomicU32::new(first_s), uplink: AtomicU32::new(first_s) }
    }

    const fn of(&self, task: PromisingTask) -> &AtomicU32 {
        match task {
            PromisingTask::Node => &self.node,
            PromisingTask::Uplink => &self.uplink,
        }
    }

    /// `task` will promise again within so many seconds from `now`.
    pub fn promise(&self, task: PromisingTask, now: Uptime, within_s: u32) {
        self.of(task).store(seconds(now).saturating_add(within_s), Ordering::Relaxed);
    }

    /// The task whose promise is broken, if any.
    #[must_use]
    pub fn hung(&self, now: Uptime) -> Option<PromisingTask> {
        let broken = |task: &PromisingTask| seconds(now) > self.of(*task).load(Ordering::Relaxed);
        [PromisingTask::Node, PromisingTask::Uplink].into_iter().find(broken)
    }
}

/// 136 years fit.
fn seconds(now: Uptime) -> u32 {
    u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{PromisingTask, Pulse};
    use crate::Uptime;

    #[test]
    #[rustfmt::skip] // a table
    fn one_part_s_silence_is_not_covered_by_the_other_s_zeal() {
        let pulse = Pulse::new(30);
        assert_eq!(pulse.hung(Uptime(30_999)), None, "the first promise may take a while");
        assert_eq!(pulse.hung(Uptime(31_000)), Some(PromisingTask::Node));
        pulse.promise(PromisingTask::Node, Uptime(31_000), 600);
        assert_eq!(pulse.hung(Uptime(31_000)), Some(PromisingTask::Uplink));
        pulse.promise(PromisingTask::Uplink, Uptime(31_000), 60);
        for (now_s, hung) in [(91, None), (92, Some(PromisingTask::Uplink)), (631, Some(PromisingTask::Uplink))] {
            pulse.promise(PromisingTask::Node, Uptime(now_s * 1_000), 600);
            assert_eq!(pulse.hung(Uptime(now_s * 1_000)), hung, "{now_s} s");
        }
        pulse.promise(PromisingTask::Uplink, Uptime(700_000), u32::MAX);
        pulse.promise(PromisingTask::Node, Uptime(700_000), u32::MAX);
        assert_eq!(pulse.hung(Uptime(u64::MAX)), None, "no sum overflows");
    }
}
