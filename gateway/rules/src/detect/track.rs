//! Dwell and hysteresis of one condition of one device.
//!
//! A condition is true while readings or an alarm say so. Readings raise it after a run of bad
//! ones that is long enough in number and in event time, and clear it after a run of good ones.
//! A value between the two limits breaks either run.

use serde::{Deserialize, Serialize};
use standpipe_shared::Condition;

use crate::Ms;
use crate::shift::{maybe, moment};

/// What one reading says of one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Over the limit.
    Bad,
    /// Neither.
    Between,
    /// Past the clear limit.
    Good,
}

/// How long bad or good must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dwell {
    /// Bad readings in a row.
    pub bad_readings: u8,
    /// From the first to the last of them.
    pub bad_ms: Ms,
    /// From the first to the last good reading in a row.
    pub good_ms: Ms,
    /// Good readings in a row.
    pub good_readings: u8,
}

/// A row of like readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LikeReadings {
    count: u8,
    since: Ms,
}

impl LikeReadings {
    fn grow(&mut self, ts: Ms) {
        // Only the clock is judged by readings that are out of order.
        self.since = if self.count == 0 { ts } else { self.since.min(ts) };
        self.count = self.count.saturating_add(1);
    }

    fn lasts(self, readings: u8, for_ms: Ms, ts: Ms) -> bool {
        self.count >= readings && ts - self.since >= for_ms
    }
}

/// What is remembered of one condition while anything is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    pub condition: Condition,
    bad: LikeReadings,
    good: LikeReadings,
    /// Readings say so.
    by_reading: bool,
    /// An alarm says so.
    by_alarm: bool,
    /// Event time of the newest alarm about it.
    pub alarm_at: Ms,
    /// Event time of the first offending reading or alarm; meaningful while true.
    pub since: Ms,
    /// Event time of what made it true.
    pub measured_at: Ms,
    /// Arrival of what made it true.
    pub received_at: Ms,
    /// The incidents know of it; false while a backlog holds it back.
    pub told: bool,
    /// Arrival of the first alarm of a test that still lasts.
    pub test_since: Option<Ms>,
}

/// What a step did to a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, as seen from outside.
    Same,
    /// It became true.
    Rose,
    /// It is no longer true; the event time of the first reading of the run that cleared it.
    Fell(Ms),
}

impl Track {
    /// Nothing known.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self {
            condition,
            bad: LikeReadings::default(),
            good: LikeReadings::default(),
            by_reading: false,
            by_alarm: false,
            alarm_at: Ms::MIN,
            since: 0,
            measured_at: 0,
            received_at: 0,
            told: false,
            test_since: None,
        }
    }

    /// Whether the condition is true.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        self.by_reading || self.by_alarm
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        !self.is_true() && self.bad.count == 0 && self.alarm_at == Ms::MIN
    }

    /// One reading, measured at `ts`. `since` of a rise is the first bad one of its run.
    pub fn reading(&mut self, signal: Signal, dwell: Dwell, ts: Ms) -> Step {
        match signal {
            Signal::Bad => {
                self.good.count = 0;
                self.bad.grow(ts);
                if self.by_reading || !self.bad.lasts(dwell.bad_readings, dwell.bad_ms, ts) {
                    return Step::Same;
                }
                let rose = !self.is_true();
                self.by_reading = true;
                if rose { self.rise(self.bad.since, ts) } else { Step::Same }
            }
            Signal::Between => {
                self.forget_runs();
                Step::Same
            }
            Signal::Good => {
                self.bad.count = 0;
                if !self.by_reading {
                    return Step::Same;
                }
                self.good.grow(ts);
                if !self.good.lasts(dwell.good_readings, dwell.good_ms, ts) {
                    return Step::Same;
                }
                self.by_reading = false;
                let at = self.good.since;
                self.good.count = 0;
                if self.by_alarm { Step::Same } else { Step::Fell(at) }
            }
        }
    }

    /// Whether readings say so as well while a test lasts. Then it is no test any more: a device that
    /// tests its alarm has not said that what it measures is part of it.
    pub fn outgrows_test(&mut self) -> bool {
        self.by_reading && self.test_since.take().is_some()
    }

    /// Bad ones had begun before this was seen; if none are known yet.
    pub const fn bad_since(&mut self, since: Ms) {
        if self.bad.count == 0 {
            self.bad = LikeReadings { count: 1, since };
        }
    }

    /// An alarm, measured at `ts`. An alarm older than the newest one about this condition moves
    /// nothing, unless it is an active fire.
    pub fn alarm(&mut self, active: bool, ts: Ms) -> Step {
        let fire = self.condition.severity() == standpipe_shared::Severity::Fire;
        if ts < self.alarm_at && !(active && fire) {
            return Step::Same;
        }
        self.alarm_at = self.alarm_at.max(ts);
        let was = self.is_true();
        self.by_alarm = active;
        match (was, self.is_true()) {
            (false, true) => self.rise(ts, ts),
            (true, false) => Step::Fell(ts),
            (true, true) | (false, false) => Step::Same,
        }
    }

    /// Readings say at once that it is so; for what is not judged by runs (silence).
    pub fn set(&mut self, since: Ms, ts: Ms) -> Step {
        self.by_reading = true;
        self.rise(since, ts)
    }

    /// It is over whoever said so; for what is not judged by runs (silence).
    pub fn end(&mut self, at: Ms) -> Step {
        let was = self.is_true();
        (self.by_reading, self.by_alarm) = (false, false);
        if was { Step::Fell(at) } else { Step::Same }
    }

    /// Nothing was measured for long, or a fault hides the value: runs do not go on across it.
    pub const fn forget_runs(&mut self) {
        self.bad.count = 0;
        self.good.count = 0;
    }

    /// The gateway's clock was set by so much.
    pub fn shift(&mut self, by: Ms) {
        let Self {
            condition: _,
            bad,
            good,
            by_reading: _,
            by_alarm: _,
            alarm_at,
            since,
            measured_at,
            received_at,
            told: _,
            test_since,
        } = self;
        for LikeReadings { count: _, since } in [bad, good] {
            moment(since, by);
        }
        for at in [alarm_at, since, measured_at, received_at] {
            moment(at, by);
        }
        maybe(test_since, by);
    }

    fn rise(&mut self, since: Ms, ts: Ms) -> Step {
        self.since = since;
        self.measured_at = ts;
        Step::Rose
    }
}
