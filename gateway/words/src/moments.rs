//! How moments and spans of time are written for people.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use standpipe_rules::Ms;

use crate::language::{Lang, Language, say};

/// `2026-11-23 21:14:03` in a zone.
#[must_use]
pub fn stamp(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%Y-%m-%d %H:%M:%S")
}

/// `21:14:03` in a zone.
#[must_use]
pub fn clock(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%H:%M:%S")
}

/// A moment in a zone, in a format of `strftime`.
#[must_use]
pub fn moment(at: Ms, zone: &TimeZone, format: &str) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A moment for `datetime=`: RFC 3339.
#[must_use]
pub fn machine(at: Ms) -> String {
    Timestamp::from_millisecond(at).unwrap_or_default().to_string()
}

/// Below it seconds are told beside minutes, min.
const SECONDS_BELOW_MIN: i64 = 10;

impl Lang {
    /// How long, with its units, so that nobody takes it for a time of day: `42 s`, `3 min 52 s`,
    /// `24 min`, `4 h 11 min`, `2 d 3 h`. `live.js` says it the same way.
    #[must_use]
    pub fn long(self, ms: Ms) -> String {
        let s = ms.max(0) / 1_000;
        let (d, h, m) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
        let [days, hours, minutes, seconds] = match self.language() {
            Language::Chinese => ["天", "小时", "分", "秒"],
            Language::English => ["d", "h", "min", "s"],
        };
        match (d, h, m) {
            (0, 0, 0) => format!("{s} {seconds}"),
            (0, 0, SECONDS_BELOW_MIN..) => format!("{m} {}", self.alone(minutes)),
            (0, 0, _) => format!("{m} {minutes} {} {seconds}", s % 60),
            (0, _, _) => format!("{h} {hours} {m} {minutes}"),
            _ => format!("{d} {days} {h} {hours}"),
        }
    }

    /// Minutes without seconds: `24 分` could be 24 marks, or minutes past the hour.
    fn alone(self, minutes: &'static str) -> &'static str {
        match self.language() {
            Language::Chinese => "分钟",
            Language::English => minutes,
        }
    }

    /// How long ago: `3 min 52 s ago`, `3 分 52 秒前`.
    #[must_use]
    pub fn ago(self, ms: Ms) -> String {
        format!("{}{}", self.long(ms), self.of_say(say(" ago", "前")))
    }
}

/// `2026-11-23` in a zone.
#[must_use]
pub fn day(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%Y-%m-%d")
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::stamp;
    use crate::{Lang, Language};

    #[test]
    #[rustfmt::skip] // a table
    fn how_long_has_its_units_and_is_no_time_of_day() {
        let (en, zh) = (Lang::usual(Language::English), Lang::usual(Language::Chinese));
        for (ms, english, chinese) in [
            (-5,            "0 s ago",         "0 秒前"),
            (59_999,        "59 s ago",        "59 秒前"),
            (60_000,        "1 min 0 s ago",   "1 分 0 秒前"),
            (232_000,       "3 min 52 s ago",  "3 分 52 秒前"),
            (599_999,       "9 min 59 s ago",  "9 分 59 秒前"),
            (600_000,       "10 min ago",      "10 分钟前"),
            (1_464_000,     "24 min ago",      "24 分钟前"),
            (3_600_000,     "1 h 0 min ago",   "1 小时 0 分前"),
            (15_060_000,    "4 h 11 min ago",  "4 小时 11 分前"),
            (86_400_000,    "1 d 0 h ago",     "1 天 0 小时前"),
            (183_840_000,   "2 d 3 h ago",     "2 天 3 小时前"),
        ] {
            assert_eq!((&*en.ago(ms), &*zh.ago(ms)), (english, chinese));
        }
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(stamp(1_764_000_000_000, &zone), "2025-11-25 00:00:00");
    }
}
