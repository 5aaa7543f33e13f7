//! What somebody does with the button, from its level alone: short or long.
//!
//! A board looks when an edge wakes it, at [`Press::due`], and whenever it comes back from
//! something else, so that a press which began while it measured is none the less one.

use crate::{Hand, Uptime};

/// A button or a magnet that stays so long is meant so.
const HOLD_MS: u64 = 2_000;

/// One button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Press {
    /// Nobody touches it.
    #[default]
    Up,
    /// It is down since then.
    Down(Uptime),
    /// It was long, and that was told; it is still down.
    Told,
}

/// Where the button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Up,
    Down,
}

impl Press {
    /// Looks at it at `now`; what has been done with it, once.
    pub fn look(&mut self, level: Level, now: Uptime) -> Option<Hand> {
        let long = |since| now.since_ms(since) >= HOLD_MS;
        let (next, hand) = match (*self, level) {
            (Self::Up | Self::Told, Level::Up) => (Self::Up, None),
            (Self::Up, Level::Down) => (Self::Down(now), None),
            (Self::Down(since), Level::Up) if long(since) => (Self::Up, Some(Hand::Hold)),
            (Self::Down(_), Level::Up) => (Self::Up, Some(Hand::Press)),
            (Self::Down(since), Level::Down) if long(since) => (Self::Told, Some(Hand::Hold)),
            (held @ (Self::Down(_) | Self::Told), Level::Down) => (held, None),
        };
        *self = next;
        hand
    }

    /// When to look again though nothing moves.
    #[must_use]
    pub fn due(&self) -> Option<Uptime> {
        match self {
            Self::Down(since) => Some(since.after_ms(HOLD_MS)),
            Self::Up | Self::Told => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Level::{Down, Up};
    use super::Press;
    use crate::{Hand, Uptime};

    #[test]
    #[rustfmt::skip] // a table
    fn a_press_is_short_or_long_whenever_it_is_looked_at() {
        for (story, looks, told) in [
            ("short",                       &[(0, Down), (300, Up), (400, Up)][..],                  &[(300, Hand::Press)][..]),
            ("long, told while it is down", &[(0, Down), (2_000, Down), (2_500, Down), (3_000, Up)], &[(2_000, Hand::Hold)]),
            ("not long yet",                &[(0, Down), (1_999, Down), (1_999, Up)],                &[(1_999, Hand::Press)]),
            ("a sample between",            &[(0, Down), (700, Down), (1_300, Down), (2_000, Down)], &[(2_000, Hand::Hold)]),
            ("let go while it measured",    &[(0, Down), (2_600, Up)],                               &[(2_600, Hand::Hold)]),
            ("twice",                       &[(0, Down), (2_000, Down), (2_100, Up), (2_200, Down), (2_300, Up)],
                                            &[(2_000, Hand::Hold), (2_300, Hand::Press)]),
            ("nobody",                      &[(0, Up), (9_000, Up)],                                 &[]),
        ] {
            let mut press = Press::default();
            let all = looks.iter().filter_map(|(at, level)| {
                press.look(*level, Uptime(*at)).map(|hand| (*at, hand))
            });
            assert!(all.eq(told.iter().copied()), "{story}");
        }
    }

    #[test]
    fn it_says_when_to_look_again() {
        let mut press = Press::default();
        assert_eq!(press.due(), None);
        press.look(Down, Uptime(500));
        assert_eq!(press.due(), Some(Uptime(2_500)));
        press.look(Down, Uptime(2_500));
        assert_eq!(press.due(), None, "told once");
    }
}
