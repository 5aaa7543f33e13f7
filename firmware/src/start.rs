//! How a boot begins: why, which one it is, and what it has to begin with.

use standpipe_shared::Settings;

use crate::settings;
use crate::smoke::Chamber;

/// Why the device started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power came.
    PowerOn,
    /// Power sagged.
    Brownout,
    /// The watchdog was not fed: a task hung.
    Watchdog,
    /// It was told to restart.
    Command,
    /// Somebody pressed the reset pin.
    Pin,
}

/// What a chip says of its reset, and what stood in memory that only a loss of power clears.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResetFlags {
    pub watchdog: bool,
    pub software: bool,
    /// The supply rose through its limit: power came, or came back after a sag.
    pub supply: bool,
    /// A mark that the last boot left in a register which a sag does not clear.
    pub marked: bool,
}

impl Reset {
    /// Why a chip has started that says this of it.
    #[must_use]
    pub const fn of(flags: ResetFlags) -> Self {
        match flags {
            ResetFlags { watchdog: true, .. } => Self::Watchdog,
            ResetFlags { software: true, .. } => Self::Command,
            ResetFlags { supply: true, marked: true, .. } => Self::Brownout,
            ResetFlags { supply: true, marked: false, .. } => Self::PowerOn,
            ResetFlags { supply: false, .. } => Self::Pin,
        }
    }

    /// As it stands in the birth message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PowerOn => "power_on",
            Self::Brownout => "brownout",
            Self::Watchdog => "watchdog",
            Self::Command => "command",
            Self::Pin => "pin",
        }
    }
}

/// How a boot begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub reset: Reset,
    /// Which start this is. The storage counts them; after it was lost, from any number.
    pub boot: u32,
    /// The first reading comes this long after the start, so that a town whose power returns
    /// does not speak in one second.
    pub first_report_ms: u64,
    pub chamber: Chamber,
    /// What it runs when it remembers none.
    pub settings: Settings,
}

impl Default for Start {
    fn default() -> Self {
        let (reset, chamber) = (Reset::PowerOn, Chamber::TYPICAL);
        Self { reset, boot: 1, first_report_ms: 0, chamber, settings: settings::defaults() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reset, ResetFlags};

    #[test]
    #[rustfmt::skip] // a table
    fn a_supply_that_sagged_is_told_from_one_that_came() {
        let none = ResetFlags::default();
        for (flags, reset) in [
            (ResetFlags { supply: true, ..none },                               Reset::PowerOn),
            (ResetFlags { supply: true, marked: true, ..none },                 Reset::Brownout),
            (ResetFlags { watchdog: true, marked: true, ..none },               Reset::Watchdog),
            (ResetFlags { software: true, marked: true, ..none },               Reset::Command),
            (ResetFlags { marked: true, ..none },                               Reset::Pin),
            (ResetFlags { watchdog: true, software: true, supply: true, marked: true }, Reset::Watchdog),
        ] {
            assert_eq!(Reset::of(flags), reset, "{flags:?}");
        }
    }
}
