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

impl Reset {
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
        let (reset, chamber) = (Reset::PowerOn, Chamber::default());
        Self { reset, boot: 1, first_report_ms: 0, chamber, settings: settings::defaults() }
    }
}
