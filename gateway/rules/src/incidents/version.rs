//! What a person decides by: the version of an incident that a screen shows, and the floors it burns on.
//!
//! Whoever says how an incident ended says it of what was on the screen. So every button carries the
//! version that was shown with it (`seen` of an action), and [`super::Book::act`] refuses one that is
//! not the incident's any more. Measured values and water are not in it: they change all the time, and
//! nobody decides differently for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use standpipe_shared::Class;

use super::Incident;
use crate::registry::{Device, Registry};

/// Bytes of the digest that are kept: a change that makes the same ones comes once in 2⁶⁴.
const BYTES: usize = 8;

impl Incident {
    /// Changes whenever state, severity, episode, conditions, detectors or floors do. Nothing else
    /// is to be read from it.
    #[must_use]
    pub fn version(&self, registry: &Registry) -> Box<str> {
        let mut all = Sha256::new();
        let mut part = |text: &str| {
            all.update(text.as_bytes());
            all.update([0]);
        };
        part(self.state.as_str());
        part(self.severity.as_str());
        part(&self.episode.to_string());
        for condition in self.conditions() {
            part(condition.as_str());
        }
        let of: BTreeSet<_> = self.active().map(|member| &member.subject).collect();
        for subject in of {
            let device = subject.device().and_then(|ix| registry.device(ix));
            match device {
                Some(device) => part(&device.id),
                None => part(&format!("{subject:?}")),
            }
        }
        for floor in self.floors(registry) {
            part(&floor);
        }
        let digest = all.finalize();
        let mut hex = String::with_capacity(2 * BYTES);
        for byte in digest.iter().take(BYTES) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex.into()
    }

    /// The floors on which a detector is in alarm, each once; of a fire only.
    #[must_use]
    pub fn floors(&self, registry: &Registry) -> Vec<Box<str>> {
        if self.class != Class::Fire {
            return Vec::new();
        }
        let devices = self.active().filter_map(|member| registry.device(member.subject.device()?));
        let floors: BTreeSet<&Box<str>> =
            devices.map(|Device { floor, .. }| floor).filter(|floor| !floor.is_empty()).collect();
        floors.into_iter().cloned().collect()
    }
}
