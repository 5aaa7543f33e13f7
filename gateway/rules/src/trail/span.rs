//! A span of time in one round number, as people say it.

use crate::Ms;

/// A unit of time that people reckon in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

/// A span of time as one round number of the unit that fits.
#[must_use]
pub fn rounded(ms: Ms) -> (Ms, Unit) {
    let seconds = (ms / 1_000).max(1);
    match seconds {
        0..120 => (seconds, Unit::Seconds),
        120..7_200 => (seconds / 60, Unit::Minutes),
        7_200..172_800 => (seconds / 3_600, Unit::Hours),
        _ => (seconds / 86_400, Unit::Days),
    }
}

/// The same in both languages.
pub(crate) fn span(ms: Ms) -> (String, String) {
    let (number, unit) = rounded(ms);
    let (en, zh) = match unit {
        Unit::Seconds => ("s", "秒"),
        Unit::Minutes => ("min", "分钟"),
        Unit::Hours => ("h", "小时"),
        Unit::Days => ("days", "天"),
    };
    (format!("{number} {en}"), format!("{number}{zh}"))
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    #[rustfmt::skip] // a table
    fn spans_are_round() {
        for (ms, en, zh) in [
            (0, "1 s", "1秒"), (5_400, "5 s", "5秒"), (119_999, "119 s", "119秒"),
            (300_000, "5 min", "5分钟"), (7_199_000, "119 min", "119分钟"),
            (29_000_000, "8 h", "8小时"), (172_800_000, "2 days", "2天"),
        ] {
            assert_eq!(span(ms), (en.to_owned(), zh.to_owned()), "{ms}");
        }
    }
}
