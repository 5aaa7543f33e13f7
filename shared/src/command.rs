//! What the gateway tells a device to do, and its answer.

use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Send a reading now.
    ReportNow,
    /// Test yourself and answer.
    SelfTest,
    /// Stop the sounder for `seconds`.
    Silence,
    /// Start again.
    Restart,
}

impl Verb {
    /// Every command there is.
    pub const ALL: [Self; 4] = [Self::ReportNow, Self::SelfTest, Self::Silence, Self::Restart];

    /// The name in a command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReportNow => "report_now",
            Self::SelfTest => "self_test",
            Self::Silence => "silence",
            Self::Restart => "restart",
        }
    }

    /// For how long it may be asked for, seconds; `None`: it is over when it is done. Both may be
    /// left out: one report, and what the device holds right for a silence.
    #[must_use]
    pub const fn seconds(self) -> Option<RangeInclusive<u32>> {
        match self {
            // A crew beside the hydrant watches every second.
            Self::ReportNow => Some(1..=3_600),
            // A quarter of an hour, after which a detector that still smells smoke sounds again.
            // UL 217 and EN 14604, from memory, unverified.
            Self::Silence => Some(1..=900),
            Self::SelfTest | Self::Restart => None,
        }
    }
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command<'a> {
    /// Repeated in the reply.
    pub id: &'a str,
    pub command: Verb,
    /// How long it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// The answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// That of the command.
    pub id: &'a str,
    pub ok: bool,
    /// Why not, or what came of it.
    #[serde(default)]
    pub detail: &'a str,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Verb;

    #[test]
    fn a_command_is_named_as_it_is_written() {
        for verb in Verb::ALL {
            let text = serde_json::to_string(&verb).unwrap_or_default();
            assert_eq!(text.trim_matches('"'), verb.as_str());
        }
    }
}
