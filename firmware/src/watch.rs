//! One condition that the device judges itself: dwell and hysteresis between what a sample says
//! and what is shouted. The numbers are those of the contract, §2, where it has one.

use standpipe_shared::Condition;

use crate::Uptime;

/// A condition that a device judges itself. The others of [`Condition`] are found by the gateway
/// alone, and no business of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeCondition {
    Smoke,
    Heat,
    NoWater,
    LowPressure,
    HydrantOpen,
    Knocked,
    Freezing,
    SensorFault,
    BatteryLow,
    Contamination,
    Tamper,
}

impl NodeCondition {
    /// As it is said on the wire, and kept in the memory.
    #[must_use]
    pub const fn shared(self) -> Condition {
        match self {
            Self::Smoke => Condition::Smoke,
            Self::Heat => Condition::Heat,
            Self::NoWater => Condition::NoWater,
            Self::LowPressure => Condition::LowPressure,
            Self::HydrantOpen => Condition::HydrantOpen,
            Self::Knocked => Condition::Knocked,
            Self::Freezing => Condition::Freezing,
            Self::SensorFault => Condition::SensorFault,
            Self::BatteryLow => Condition::BatteryLow,
            Self::Contamination => Condition::Contamination,
            Self::Tamper => Condition::Tamper,
        }
    }
}

/// What one step says of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    True,
    False,
    /// Measured, but between the limits; or the sensor is at fault. Ends a run, changes nothing.
    Between,
    /// Not measured in this step.
    Unasked,
}

impl Evidence {
    /// True at or beyond one limit, false at or beyond the other, nothing in between.
    #[must_use]
    pub const fn of(beyond: bool, back: bool) -> Self {
        match (beyond, back) {
            (true, _) => Self::True,
            (false, true) => Self::False,
            (false, false) => Self::Between,
        }
    }

    /// A contact: always one or the other. `None`: this device has no such contact.
    #[must_use]
    pub const fn contact(closed: Option<bool>) -> Self {
        match closed {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Unasked,
        }
    }
}

/// How long it must be so, and how often in a row, before it is believed.
#[derive(Clone, Copy, Debug)]
struct Hold {
    samples: u8,
    ms: u32,
}

const fn hold(samples: u8, ms: u32) -> Hold {
    Hold { samples, ms }
}

/// To raise, and to clear. Two samples where the contract names none: one is never an alarm.
const fn holds(condition: NodeCondition) -> [Hold; 2] {
    match condition {
        NodeCondition::LowPressure | NodeCondition::NoWater => [hold(2, 30_000), hold(2, 60_000)],
        NodeCondition::HydrantOpen => [hold(2, 10_000), hold(2, 60_000)],
        NodeCondition::Knocked => [hold(2, 10_000), hold(2, 0)],
        NodeCondition::Freezing => [hold(2, 600_000), hold(2, 0)],
        NodeCondition::SensorFault => [hold(3, 0), hold(2, 300_000)],
        NodeCondition::BatteryLow => [hold(3, 0), hold(3, 0)],
        // A screw driver's slip is no opening.
        NodeCondition::Tamper => [hold(2, 1_000), hold(2, 1_000)],
        NodeCondition::Smoke | NodeCondition::Heat | NodeCondition::Contamination => {
            [hold(2, 0), hold(2, 0)]
        }
    }
}

/// One condition and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    condition: NodeCondition,
    active: bool,
    /// Steps in a row that say it should change, and since when.
    run: Option<(u8, Uptime)>,
}

impl Watch {
    /// As it stood when the device went down: what was shouted then is still believed.
    #[must_use]
    pub const fn new(condition: NodeCondition, active: bool) -> Self {
        Self { condition, active, run: None }
    }

    /// What it watches.
    #[must_use]
    pub const fn condition(&self) -> NodeCondition {
        self.condition
    }

    /// Whether it is shouted.
    #[must_use]
    pub const fn active(&self) -> bool {
        self.active
    }

    /// Whether something speaks for a change that is not believed yet.
    #[must_use]
    pub const fn in_doubt(&self) -> bool {
        self.run.is_some()
    }

    /// When a change can be believed at the earliest.
    #[must_use]
    pub fn due(&self) -> Option<Uptime> {
        let (_, since) = self.run?;
        Some(since.after_ms(u64::from(self.hold().ms)))
    }

    fn hold(&self) -> Hold {
        let [raise, clear] = holds(self.condition);
        if self.active { clear } else { raise }
    }

    /// It is so, whatever the samples say: somebody has tried. Whether that is news.
    pub const fn raise(&mut self) -> bool {
        self.run = None;
        !core::mem::replace(&mut self.active, true)
    }

    /// Takes in what a step says; true when it begins or ends now.
    pub fn judge(&mut self, says: Evidence, now: Uptime) -> bool {
        let against = match says {
            Evidence::Unasked => return false,
            Evidence::Between => false,
            Evidence::True => !self.active,
            Evidence::False => self.active,
        };
        if !against {
            self.run = None;
            return false;
        }
        let (count, since) = self.run.unwrap_or((0, now));
        let count = count.saturating_add(1);
        let Hold { samples, ms } = self.hold();
        let turns = count >= samples && now.since_ms(since) >= u64::from(ms);
        self.active ^= turns;
        self.run = if turns { None } else { Some((count, since)) };
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::Evidence::{self, Between, False, True, Unasked};
    use super::{NodeCondition, Watch};
    use crate::Uptime;

    /// At these seconds it turns, when these are the samples, one every `every` seconds.
    fn turns(
        condition: NodeCondition,
        every: u64,
        said: &[(usize, Evidence)],
    ) -> heapless::Vec<u64, 8> {
        let mut watch = Watch::new(condition, false);
        let steps = said.iter().flat_map(|(times, says)| core::iter::repeat_n(*says, *times));
        let at = (0..).map(|index| index * every);
        at.zip(steps)
            .filter_map(|(at, says)| watch.judge(says, Uptime(at * 1_000)).then_some(at))
            .collect()
    }

    #[test]
    #[rustfmt::skip] // a table
    fn dwell_and_samples_are_those_of_the_contract() {
        for (condition, every, said, at) in [
            (NodeCondition::NoWater,     5,   &[(20, True)][..],                        &[30][..]),
            (NodeCondition::NoWater,     60,  &[(5, True)],                             &[60]),
            (NodeCondition::NoWater,     5,   &[(6, True), (1, Between), (6, True)],    &[]),
            (NodeCondition::NoWater,     5,   &[(6, True), (1, False), (20, True)],     &[65]),
            (NodeCondition::NoWater,     5,   &[(3, True), (3, Unasked), (3, True)],    &[30]),
            (NodeCondition::NoWater,     5,   &[(7, True), (13, False)],                &[30, 95]),
            (NodeCondition::NoWater,     5,   &[(7, True), (12, False), (1, Between), (9, False)], &[30]),
            (NodeCondition::LowPressure, 5,   &[(7, True), (13, False)],                &[30, 95]),
            (NodeCondition::HydrantOpen, 5,   &[(4, True), (13, False)],                &[10, 80]),
            (NodeCondition::Knocked,     5,   &[(3, True), (2, False)],                 &[10, 20]),
            (NodeCondition::Freezing,    60,  &[(11, True), (2, False)],                &[600, 720]),
            (NodeCondition::SensorFault, 5,   &[(3, True), (70, False)],                &[10, 315]),
            (NodeCondition::BatteryLow,  900, &[(2, True), (1, Between), (3, True)],    &[4_500]),
            (NodeCondition::Tamper,      1,   &[(2, True), (2, False)],                 &[1, 3]),
            (NodeCondition::Smoke,       2,   &[(1, True), (1, Between), (2, True)],    &[6]),
        ] {
            assert_eq!(turns(condition, every, said), at, "{condition:?} {said:?}");
        }
    }

    #[test]
    fn it_says_when_it_can_be_believed_and_stands_as_it_stood_before_a_restart() {
        let mut watch = Watch::new(NodeCondition::HydrantOpen, false);
        assert_eq!((watch.due(), watch.in_doubt()), (None, false));
        assert!(!watch.judge(True, Uptime(500)));
        assert_eq!((watch.due(), watch.in_doubt()), (Some(Uptime(10_500)), true));
        let mut watch = Watch::new(NodeCondition::Smoke, true);
        assert!(!watch.judge(True, Uptime(0)), "known already");
        assert!(!watch.judge(False, Uptime(2_000)));
        assert!(watch.judge(False, Uptime(4_000)) && !watch.active());
    }

    #[test]
    fn limits_with_hysteresis() {
        assert_eq!(Evidence::of(true, false), True);
        assert_eq!(Evidence::of(false, true), False);
        assert_eq!(Evidence::of(false, false), Between);
        assert_eq!(Evidence::contact(None), Unasked);
    }
}
