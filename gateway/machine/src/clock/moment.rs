//! The newest moment that a gateway knew, kept in its store: by it the next start knows by how
//! much the clock was set while nobody looked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;

use super::STEP_MS;

/// What the clock told, beside what nobody can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Wall-clock time as it is told, Unix ms.
    pub wall: Ms,
    /// How long the machine had run, ms.
    pub up: Ms,
    /// Since which start of the machine; `None`: nobody says.
    pub boot: Option<Arc<str>>,
}

impl Moment {
    /// By how much the clock was set since that earlier moment, as far as it can be known; 0: not,
    /// or by so little that it doesn't matter.
    ///
    /// Within one boot that is known exactly. Between two nobody knows how long the machine was
    /// off: a clock that is ahead has gone on meanwhile, and one that is behind was set back at
    /// least by so much.
    #[must_use]
    pub fn set_since(&self, before: &Self) -> Ms {
        let passed = self.wall.saturating_sub(before.wall);
        let same_boot = self.boot.is_some() && self.boot == before.boot;
        let by = if same_boot { passed - (self.up - before.up) } else { passed.min(0) };
        if by.abs() < STEP_MS { 0 } else { by }
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    #[rustfmt::skip] // a table
    fn what_the_clock_was_set_by_is_known_as_far_as_it_can_be() {
        let at = |wall, up, boot: &str| {
            Moment { wall, up, boot: Some(boot).filter(|boot| !boot.is_empty()).map(Into::into) }
        };
        let before = at(100_000_000, 50_000, "a");
        for (story, now, by) in [
            ("a restart of the service",           at(100_060_000, 110_000, "a"),           0),
            ("… a day later",                      at(186_400_000, 86_450_000, "a"),        0),
            ("… a little off",                     at(100_060_999, 110_000, "a"),           0),
            ("… an hour forward meanwhile",        at(103_660_000, 110_000, "a"),   3_600_000),
            ("… two hours back meanwhile",         at(92_860_000, 110_000, "a"),   -7_200_000),
            ("another boot: away for an hour",     at(103_600_000, 10_000, "b"),            0),
            ("… and the clock is behind",          at(92_800_000, 10_000, "b"),    -7_200_000),
            ("… at the beginning of time",         at(5_000, 10_000, "b"),        -99_995_000),
            ("nobody names the boot: as another",  at(103_660_000, 110_000, ""),            0),
            ("… and behind",                       at(92_800_000, 110_000, ""),    -7_200_000),
        ] {
            assert_eq!(now.set_since(&before), by, "{story}");
        }
        let (nameless, later) = (at(0, 0, ""), at(3_600_000, 1_000, ""));
        assert_eq!(later.set_since(&nameless), 0, "two that nobody names are not one");
    }
}
