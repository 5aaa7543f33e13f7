//! Who is told when, as configured: `[escalation.*]`, `[verify]` and `[[webhook]]`.
//!
//! Who that is for one incident and one step is in [`super::route`].

use serde::{Deserialize, Serialize};
use standpipe_shared::Severity;

/// Everything of the configuration that incidents go by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Times of a fire.
    pub fire: Steps,
    /// Times of what is critical. `repeat_s` is also how often one receiver is reminded of all
    /// critical water at most.
    pub critical: Steps,
    /// Times of a warning.
    pub warning: Steps,
    /// A terminal that is gone for this long is absent, s.
    pub absent_s: u32,
    /// When no receiver of a page that escalates has confirmed it for so long, the next step comes at
    /// once, s; 0: it never does.
    pub confirm_s: u32,
    /// For so long a person's word that it is over can be taken back, and nothing is closed, s.
    #[serde(default = "undo_s")]
    pub undo_s: u32,
    /// Somebody who was sent, or is there, is left in peace for this long, s.
    pub worked_s: u32,
    /// Covered time that proves a hydrant good again, h.
    pub verify_hours: u32,
    /// Everyone who is told by webhook.
    pub webhooks: Vec<Route>,
}

/// Longer than a slip takes to be noticed, and short beside the way to a fire.
const fn undo_s() -> u32 {
    30
}

/// Times of one severity, s; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// From the page to step 2.
    pub step2_s: u32,
    /// From the page to step 3.
    pub step3_s: u32,
    /// From the last step to its repetition, and from that to the next.
    pub repeat_s: u32,
    /// From a person's last act to step 1 again.
    pub forgotten_s: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            fire: Steps { step2_s: 60, step3_s: 180, repeat_s: 300, forgotten_s: 1_800 },
            critical: Steps { step2_s: 60, step3_s: 180, repeat_s: 900, forgotten_s: 1_800 },
            warning: Steps::default(),
            absent_s: 90,
            confirm_s: 10,
            undo_s: undo_s(),
            worked_s: 4 * 3_600,
            verify_hours: 24,
            webhooks: Vec::new(),
        }
    }
}

impl Plan {
    /// The times of a severity; a notice has none.
    #[must_use]
    pub fn steps(&self, severity: Severity) -> Steps {
        match severity {
            Severity::Notice => Steps::default(),
            Severity::Warning => self.warning,
            Severity::Critical => self.critical,
            Severity::Fire => self.fire,
        }
    }
}

/// For whom a webhook stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverRole {
    /// Whoever is on duty: told whenever the station is.
    #[default]
    Officer,
    /// The station's chief: step 2.
    Chief,
    /// Who keeps the gateway running: told what is wrong with the gateway itself.
    Admin,
}

/// One webhook as far as deciding goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// Whose it is; `None`: told with every station, at step 1 unless `steps` says otherwise.
    pub station: Option<Box<str>>,
    /// For whom it stands.
    pub role: ReceiverRole,
    /// Only these; empty: all.
    pub severities: Vec<Severity>,
    /// Only at these; empty: all that fit the role.
    pub steps: Vec<u8>,
}
