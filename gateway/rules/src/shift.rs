//! The gateway's clock was set: every moment that is remembered to reckon with moves by as much,
//! so that each timer keeps what is left of it.
//!
//! Each module moves its own state (`shift.rs` below it), and takes each of its structs apart
//! without `..`, so that a new field does not compile before somebody has decided about it. What
//! people were shown, and times that people set themselves, stay.

use crate::Ms;

/// Moves a moment; 0 and the ends of time mean that there is none.
pub const fn moment(at: &mut Ms, by: Ms) {
    if *at != 0 && *at != Ms::MIN && *at != Ms::MAX {
        *at = at.saturating_add(by);
    }
}

/// Moves a moment, if there is one.
pub const fn maybe(at: &mut Option<Ms>, by: Ms) {
    if let Some(at) = at {
        moment(at, by);
    }
}

/// A span in words, as a person tells it: the two largest units that matter.
#[must_use]
pub fn span(ms: Ms) -> String {
    let s = ms.abs().saturating_add(500) / 1_000;
    let (days, h, min) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{min} min {} s", s % 60),
        3_600..86_400 => format!("{h} h {min} min"),
        _ => format!("{days} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{maybe, moment, span};
    use crate::Ms;

    #[test]
    fn a_moment_moves_and_none_stays_none() {
        for (at, moved) in [(1_000, 400), (0, 0), (Ms::MIN, Ms::MIN), (Ms::MAX, Ms::MAX)] {
            let (mut one, mut other) = (at, Some(at));
            moment(&mut one, -600);
            maybe(&mut other, -600);
            assert_eq!((one, other), (moved, Some(moved)));
        }
        let mut none = None;
        maybe(&mut none, 5);
        assert_eq!(none, None);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_span_is_told_in_two_units() {
        for (ms, words) in [
            (1_499, "1 s"), (-59_000, "59 s"), (59_500, "1 min 0 s"), (3_599_000, "59 min 59 s"),
            (3_600_000, "1 h 0 min"), (-7_260_000, "2 h 1 min"), (86_399_000, "23 h 59 min"),
            (86_400_000, "1 d 0 h"), (1_764_000_000_000, "20416 d 16 h"),
        ] {
            assert_eq!(span(ms), words, "{ms}");
        }
    }
}
