//! What a claimed time is worth, message by message: the limits of the table in `time`.

use super::at;
use crate::Ms;
use crate::detect::admit::SeqOrder::{self, JustBefore, Newer, Older, Unclear};
use crate::detect::time::Verdict::{self, Backlog, Right, Wrong};
use crate::detect::time::{Clockwork, TimeClaim};

/// When a message arrives, the time it claims, how its number stands, and what its time is worth.
type Said = (&'static str, &'static str, SeqOrder, Verdict);

/// What the messages of one device are worth, one after another. The gateway's clock is set by
/// `by` before the message number `set`, and from then on everybody goes by the new time.
fn verdicts(every_s: Ms, messages: &[Said], (set, by): (usize, Ms)) -> Vec<Verdict> {
    let (mut clockwork, mut newest, mut before) = (Clockwork::default(), None, 0);
    let mut verdicts = Vec::new();
    for (n, (arrives, claims, order, _)) in messages.iter().enumerate() {
        if n == set {
            clockwork.shift(by);
            newest = newest.map(|newest| newest + by);
            before += by;
        }
        let moved = if n >= set { by } else { 0 };
        let claim = TimeClaim {
            at: at(arrives) + moved,
            ts: Some(at(claims) + moved),
            order: *order,
            before,
            newest,
            interval: every_s * 1_000,
            late_after: every_s * 1_000,
            shouts: false,
        };
        let judged = clockwork.judge(&claim, None);
        (newest, before) = (newest.max(judged.moves), claim.at);
        verdicts.push(judged.verdict);
    }
    verdicts
}

/// A device that reports every so many seconds.
#[track_caller]
fn are_worth(every_s: Ms, stories: &[(&str, &[Said])]) {
    for (story, messages) in stories {
        let expected: Vec<Verdict> = messages.iter().map(|(.., verdict)| *verdict).collect();
        assert_eq!(verdicts(every_s, messages, (0, 0)), expected, "{story}");
        for set in 1..messages.len() {
            for by in [-3_600_000, 3_600_000] {
                let found = verdicts(every_s, messages, (set, by));
                assert_eq!(found, expected, "{story}: the clock was set by {by} before {set}");
            }
        }
    }
}

const LIVE: Said = ("10:00:00", "10:00:00", Unclear, Right);

#[test]
#[rustfmt::skip] // a table
fn two_intervals_are_no_silence_yet() {
    let odd = ("10:01:00", "09:00:00", Unclear, Backlog);
    are_worth(60, &[
        ("two in a row are no backlog",        &[LIVE, odd, ("10:03:00",     "03:00:00", Unclear, Wrong)]),
        ("what was stored comes in a silence", &[LIVE, odd, ("10:03:00.001", "03:00:00", Unclear, Backlog)]),
    ]);
}

#[test]
#[rustfmt::skip] // a table
fn a_time_of_the_last_interval_that_falls_is_wrong_unless_the_number_falls_too() {
    are_worth(60, &[
        ("nobody knows the order",    &[LIVE, ("10:00:40",     "09:59:50", Unclear,    Wrong)]),
        ("out of order by both",      &[LIVE, ("10:00:40",     "09:59:50", JustBefore, Right)]),
        ("of an earlier boot",        &[LIVE, ("10:00:40",     "09:59:50", Older,      Right)]),
        ("two tasks, ten seconds",    &[LIVE, ("10:00:06",     "09:59:56", Newer,      Right)]),
        ("a moment more than that",   &[LIVE, ("10:00:06.001", "09:59:56", Newer,      Wrong)]),
        ("that much by itself",       &[LIVE, ("10:00:05",     "09:59:54", Newer,      Wrong)]),
        ("it stood still meanwhile",  &[LIVE, ("10:00:11",     "10:00:00", Newer,      Wrong)]),
        ("it rises",                  &[LIVE, ("10:00:11",     "10:00:01", Newer,      Right)]),
    ]);
}

#[test]
#[rustfmt::skip] // a table
fn a_clock_that_was_wrong_a_moment_ago_leaps() {
    let an_hour = [LIVE, ("10:01:00", "09:00:00", Unclear, Backlog), ("10:02:00", "09:01:00", Unclear, Wrong)];
    let [a, b, c] = an_hour;
    are_worth(60, &[
        ("a node that reports every 15 s", &[a, b, c, ("10:02:15",     "05:00:00", Unclear, Wrong)]),
        ("ten seconds are no burst",       &[a, b, c, ("10:02:10",     "05:00:00", Unclear, Wrong)]),
        ("less are one",                   &[a, b, c, ("10:02:09.999", "05:00:00", Unclear, Backlog)]),
        ("its number says it was stored",  &[a, b, c, ("10:02:15",     "05:00:00", Older,   Backlog)]),
        ("after a silence",                &[a, b, c, ("10:06:00",     "05:00:00", Unclear, Backlog)]),
    ]);
    let [a, b, c] = [LIVE, ("10:00:12", "09:00:00", Unclear, Backlog), ("10:00:24", "09:01:00", Unclear, Wrong)];
    are_worth(12, &[
        ("whose rhythm is as fast as a burst", &[a, b, c, ("10:00:31", "05:00:00", Unclear, Wrong)]),
        ("and faster",                         &[a, b, c, ("10:00:30", "05:00:00", Unclear, Backlog)]),
    ]);
}

#[test]
#[rustfmt::skip] // a table
fn what_is_numbered_above_another_was_not_measured_long_before_it() {
    let stored = ("12:00:00", "10:01:00", Newer, Backlog);
    are_worth(60, &[
        ("ten seconds before the live one",    &[LIVE, ("12:00:00", "09:59:50",     Newer, Backlog)]),
        ("a moment more",                      &[LIVE, ("12:00:00", "09:59:49.999", Newer, Wrong)]),
        ("ten seconds before a stored one",    &[LIVE, stored, ("12:00:01", "10:00:50",     Newer, Backlog)]),
        ("a moment more than that",            &[LIVE, stored, ("12:00:01", "10:00:49.999", Newer, Wrong)]),
        ("a lower number may be older",        &[LIVE, stored, ("12:00:01", "10:00:40",     Older, Backlog)]),
    ]);
    let [a, b] = [("10:00:00", "09:00:00", Unclear, Backlog), ("10:01:00", "09:01:00", Newer, Wrong)];
    are_worth(60, &[
        ("stored for two hours by a clock that is an hour behind", &[a, b, ("12:01:00", "09:00:50", Newer, Backlog)]),
        ("a moment longer than it was silent",                     &[a, b, ("12:01:00", "09:00:49.999", Newer, Wrong)]),
    ]);
}

#[test]
#[rustfmt::skip] // a table
fn the_times_of_a_backlog_run_faster_than_its_arrivals_by_more_than_a_quarter() {
    let odd = ("10:16:40", "10:00:00", Unclear, Backlog);
    let catches_up = ("10:16:50", "10:01:00", Unclear, Backlog);
    are_worth(900, &[
        ("by a quarter, and again", &[
            LIVE, odd, catches_up,
            ("10:17:02", "10:01:15", Unclear, Backlog),
            ("10:17:14", "10:01:30", Unclear, Wrong),
        ]),
        ("by a moment more than a quarter", &[
            LIVE, odd, catches_up,
            ("10:17:02", "10:01:15.001", Unclear, Backlog),
            ("10:17:14", "10:01:30.002", Unclear, Backlog),
        ]),
        ("one that catches up in a burst clears the one before of doubt", &[
            LIVE, odd,
            ("10:16:49", "10:01:00", Unclear, Backlog),
            ("10:17:01", "10:01:15", Unclear, Backlog),
            ("10:17:13", "10:01:30", Unclear, Wrong),
        ]),
    ]);
}

#[test]
#[rustfmt::skip] // a table
fn without_a_silence_nothing_was_stored_except_in_a_burst_or_by_its_number() {
    let odd = ("10:01:00", "09:00:00", Unclear, Backlog);
    are_worth(60, &[
        ("it catches up, with what is known already", &[LIVE, odd, ("10:01:15", "09:10:00", Unclear, Wrong)]),
        ("a burst",                                   &[LIVE, odd, ("10:01:01", "09:00:01", Unclear, Backlog)]),
        ("a lower number",                            &[LIVE, odd, ("10:01:15", "09:00:10", Older,   Backlog)]),
        ("no lower number",                           &[LIVE, odd, ("10:01:15", "09:00:00", Unclear, Wrong)]),
    ]);
    let stored = ("12:00:00", "10:01:00", Unclear, Backlog);
    are_worth(60, &[
        ("after one it was, however slowly it comes", &[
            LIVE, ("12:00:00", "12:00:00", Unclear, Right),
            ("12:00:15", "10:01:00", Unclear, Backlog),
            ("12:00:30", "10:02:00", Unclear, Backlog),
            ("12:00:45", "10:03:00", Unclear, Backlog),
        ]),
        ("oldest first", &[LIVE, stored, ("12:00:15", "10:02:00", Unclear, Backlog), ("12:00:30", "10:03:00", Unclear, Backlog)]),
    ]);
}
