//! A day of the calendar, and when its digest is made: no clock, `now` is an argument.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;

/// After a long silence a digest reaches back this far, ms: a week.
const REACH: Ms = 7 * 86_400_000;

/// A day of the calendar, in the town.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Day(Date);

impl Day {
    /// Reads `2026-11-28`, of the years 2020 to 9998.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let date: Date = text.parse().ok()?;
        (text.len() == 10 && (2020..=9998).contains(&date.year())).then_some(Self(date))
    }

    /// The day of a moment in a zone.
    #[must_use]
    pub fn of(at: Ms, zone: &TimeZone) -> Self {
        let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
        Self(at.to_zoned(zone.clone()).date())
    }

    /// Yesterday, as seen from this day.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1.day()))
    }

    /// Tomorrow, as seen from this day.
    #[must_use]
    pub fn after(self) -> Self {
        Self(self.0.saturating_add(1.day()))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// When the digest of a day is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    pub at: Time,
    /// The town's time zone.
    pub zone: TimeZone,
}

/// The newest digest that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeDigest {
    pub day: Day,
    /// The end of what it covers: the next digest begins there.
    pub to: Ms,
}

/// What there is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestDue {
    Nothing,
    /// Digests begin: remember that, and make the first one when its hour comes.
    Begin(MadeDigest),
    /// Make the digest of a day, of what happened since `from`.
    Make {
        /// What there is to remember once it is made.
        digest: MadeDigest,
        from: Ms,
    },
}

impl Hour {
    /// The moment on a day. An hour that the clocks skip comes when they have.
    #[must_use]
    pub fn on(&self, day: Day) -> Ms {
        let at = day.0.to_datetime(self.at).to_zoned(self.zone.clone());
        at.as_ref().map_or(0, |moment: &Zoned| moment.timestamp().as_millisecond())
    }

    /// The time that the digest of a day reaches over, as far as it is over; `None`: it has not
    /// begun.
    #[must_use]
    pub fn span(&self, day: Day, now: Ms) -> Option<(Ms, Ms)> {
        let from = self.on(day.before());
        (from <= now).then(|| (from, self.on(day).min(now)))
    }

    /// The day whose digest grows now, or was made last: today's, until another is asked for.
    #[must_use]
    pub fn today(&self, now: Ms) -> Day {
        Day::of(now, &self.zone)
    }

    /// What is to be done now. A digest that was missed is made later the same day; what it would
    /// have said after that is in the next one, which reaches back to the one before.
    #[must_use]
    pub fn due(&self, now: Ms, before: Option<MadeDigest>) -> DigestDue {
        let today = self.today(now);
        let come = now >= self.on(today);
        let Some(before) = before else {
            let day = if come { today } else { today.before() };
            return DigestDue::Begin(MadeDigest { day, to: now });
        };
        if before.day > today.after().after() {
            // The clock was far ahead then: nobody is to wait until it is there again.
            let day = if come { today } else { today.before() };
            return DigestDue::Begin(MadeDigest { day, to: before.to.min(now) });
        }
        if !come || before.day >= today {
            return DigestDue::Nothing;
        }
        let from = before.to.clamp(now.saturating_sub(REACH), now);
        DigestDue::Make { digest: MadeDigest { day: today, to: now }, from }
    }
}

#[cfg(test)]
mod tests {
    use super::{Day, DigestDue, Hour, MadeDigest, REACH};
    use jiff::Timestamp;
    use jiff::civil::time;
    use jiff::tz::TimeZone;
    use standpipe_rules::Ms;

    fn hour(zone: &str) -> Hour {
        Hour { at: time(8, 0, 0, 0), zone: TimeZone::get(zone).unwrap() }
    }

    fn ms(text: &str) -> Ms {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn told(day: &str, to: &str) -> MadeDigest {
        MadeDigest { day: Day::parse(day).unwrap(), to: ms(to) }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn once_a_day_when_its_hour_has_come() {
        let hour = hour("Asia/Shanghai");
        let yesterday = told("2026-11-27", "2026-11-27T00:00:05Z");
        for (story, now, expected) in [
            ("not yet",                   "2026-11-27T23:59:59.999Z", None),
            ("to the moment",             "2026-11-28T00:00:00Z", Some("2026-11-28")),
            ("a little later",            "2026-11-28T00:00:30Z", Some("2026-11-28")),
            ("down at eight, up at noon", "2026-11-28T04:00:00Z", Some("2026-11-28")),
            ("up just before midnight",   "2026-11-28T15:59:59Z", Some("2026-11-28")),
            ("up after midnight: it waits for the next hour", "2026-11-28T16:00:01Z", None),
            ("down all day",              "2026-11-29T00:00:01Z", Some("2026-11-29")),
        ] {
            let now = ms(now);
            let expected = expected.map_or(DigestDue::Nothing, |day| DigestDue::Make {
                digest: MadeDigest { day: Day::parse(day).unwrap(), to: now },
                from: yesterday.to,
            });
            assert_eq!(hour.due(now, Some(yesterday)), expected, "{story}");
        }
        let today = told("2026-11-28", "2026-11-28T00:00:00Z");
        for now in ["2026-11-28T00:00:00Z", "2026-11-28T12:00:00Z", "2026-11-28T23:59:59Z"] {
            assert_eq!(hour.due(ms(now), Some(today)), DigestDue::Nothing, "{now}: not twice");
        }
        let back = ms("2026-11-26T01:00:00Z");
        assert_eq!(hour.due(back, Some(today)), DigestDue::Nothing, "the clock was set back");
        let ahead = told("2027-11-28", "2027-11-28T00:00:00Z");
        let again = told("2026-11-26", "2026-11-26T01:00:00Z");
        assert_eq!(hour.due(back, Some(ahead)), DigestDue::Begin(again), "it was a year ahead");
    }

    #[test]
    fn the_first_day_makes_none_and_a_long_silence_is_not_told_whole() {
        let hour = hour("Asia/Shanghai");
        let (early, late) = (ms("2026-11-27T22:00:00Z"), ms("2026-11-28T02:00:00Z"));
        let begins = |day, to| DigestDue::Begin(MadeDigest { day: Day::parse(day).unwrap(), to });
        assert_eq!(hour.due(early, None), begins("2026-11-27", early), "before today's hour");
        assert_eq!(hour.due(late, None), begins("2026-11-28", late), "today's hour is over");
        let DigestDue::Begin(told) = hour.due(early, None) else { panic!() };
        let first = hour.due(ms("2026-11-28T00:00:00Z"), Some(told));
        assert!(matches!(first, DigestDue::Make { from, .. } if from == early), "{first:?}");
        let long = MadeDigest { day: Day::parse("2026-01-01").unwrap(), to: 5 };
        let due = hour.due(late, Some(long));
        assert!(matches!(due, DigestDue::Make { from, .. } if from == late - REACH), "{due:?}");
    }

    #[test]
    fn where_clocks_change_the_hour_is_still_the_towns() {
        let hour = Hour { at: time(2, 30, 0, 0), zone: TimeZone::get("Europe/Berlin").unwrap() };
        let on = |day| hour.on(Day::parse(day).unwrap());
        assert_eq!(on("2026-03-28"), ms("2026-03-28T01:30:00Z"));
        assert_eq!(on("2026-03-29"), ms("2026-03-29T01:30:00Z"), "2:30 does not exist");
        assert_eq!(on("2026-10-25"), ms("2026-10-25T00:30:00Z"), "2:30 comes twice");
        let told = told("2026-10-24", "2026-10-24T00:30:00Z");
        let first = hour.due(ms("2026-10-25T00:30:00Z"), Some(told));
        let DigestDue::Make { digest, .. } = first else { panic!("{first:?}") };
        assert_eq!(hour.due(ms("2026-10-25T01:30:00Z"), Some(digest)), DigestDue::Nothing, "once");
    }

    #[test]
    fn a_days_digest_reaches_from_hour_to_hour() {
        let hour = hour("Asia/Shanghai");
        let day = Day::parse("2026-11-28").unwrap();
        let (from, to) = (ms("2026-11-27T00:00:00Z"), ms("2026-11-28T00:00:00Z"));
        assert_eq!(hour.span(day, to + 5), Some((from, to)));
        assert_eq!(hour.span(day, to - 5), Some((from, to - 5)), "so far");
        assert_eq!(hour.span(day, from), Some((from, from)));
        assert_eq!(hour.span(day, from - 1), None);
        assert_eq!(day.after().before(), day);
        assert_eq!(hour.today(to - 1), day, "six hours and more after midnight");
        for bad in ["", "2026-11", "2026-11-31", "26-11-28", "1999-11-28", "2026-11-28T00:00:00"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}
