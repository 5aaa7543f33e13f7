//! A device's time is a claim. A message is live and right, live with a wrong clock, or from a
//! backlog; what decides is when it arrived, its number, and what its sender claimed before.
//!
//! | the message | is |
//! |---|---|
//! | says no time, or one that cannot be | by arrival |
//! | at most one interval old | live; wrong where its number rises and its time falls, or where its time does not rise in live rhythm |
//! | older, as much as the last one with a wrong clock | live, wrong |
//! | older, just after one with a wrong clock, in live rhythm | live, wrong: the clock leaps |
//! | older; its number rises and its time falls | live, wrong |
//! | older, the second in a row in live rhythm | live, wrong |
//! | older, an alarm, and there was no silence | live, wrong |
//! | older, and its time runs at the pace of its arrivals | live, wrong |
//! | older, otherwise | from a backlog |
//!
//! *Live rhythm*: more than half an interval after the message before, and not after a silence.
//! A backlog comes in a burst, and its times run much faster than its arrivals; a slow clock's
//! never do. Messages at least `BURST_MS` apart are no burst.
//!
//! Not here: what follows from it (`judge`), and clocks that are ahead (`watch`).

use serde::{Deserialize, Serialize};

use super::admit::SeqOrder;
use crate::Ms;
use crate::shift::moment;

/// More intervals between two messages than this are a silence, after which a backlog may come.
const SILENT_INTERVALS: Ms = 2;
/// Messages closer together than this are a burst, whatever the device's interval. A node that
/// crossed a limit reports every 15 s.
const BURST_MS: Ms = 10_000;
/// By so much may a time fall behind that of a lower number: readings and alarms of one device
/// may be numbered and timed by two tasks of it, or the one carry a time and the other none.
const JITTER_MS: Ms = 10_000;
/// So many odd messages in live rhythm, with none in between that was in order, are no backlog.
const STRIKES: u8 = 2;

/// What a message claims of its time, and what is known of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeClaim {
    /// When it arrived, by the gateway's clock.
    pub at: Ms,
    /// The time it claims, not after `at`; `None`: none that could be so.
    pub ts: Option<Ms>,
    /// Its number beside those before.
    pub order: SeqOrder,
    /// Arrival of the sender's message before; 0: there was none.
    pub before: Ms,
    /// Event time of the sender's newest reading.
    pub newest: Option<Ms>,
    /// Time between the sender's readings.
    pub interval: Ms,
    /// Older than this is no live message, if the clock is right.
    pub late_after: Ms,
    /// It is an alarm that something is so: said once, and not to be lost to a doubt.
    pub shouts: bool,
}

/// What a message's time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It says none, or one that cannot be so: it counts by arrival.
    ByArrival,
    /// Live and right.
    Right,
    /// Live, and its clock is wrong: it counts by arrival.
    Wrong,
    /// Older than a live message can be, and rightly so.
    Backlog,
}

/// A message's time, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What its claim is worth.
    pub verdict: Verdict,
    /// Event time.
    pub ts: Ms,
    /// Event time by which it moves the device's state; `None`: something newer is known.
    pub moves: Option<Ms>,
}

/// What is remembered of a device's clock while its times are odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clockwork {
    /// By how much the clock was behind with the last message that proved it wrong.
    behind: Option<Ms>,
    /// Arrival and claim of the first odd message in a row.
    first: Option<(Ms, Ms)>,
    /// Those of the last one.
    last: (Ms, Ms),
    /// Odd messages in a row that came in live rhythm.
    strikes: u8,
    /// A silence ended, and the rhythm has not been live since: a backlog may come.
    woke: bool,
    /// The last message moved nothing.
    hid: bool,
    /// The one before it moved nothing.
    hid_before: bool,
}

impl TimeClaim {
    const fn gap(&self) -> Ms {
        self.at - self.before
    }

    const fn after_silence(&self) -> bool {
        self.gap() > SILENT_INTERVALS * self.interval
    }

    const fn in_rhythm(&self) -> bool {
        !self.after_silence() && 2 * self.gap() > self.interval
    }

    /// Whether something newer is known, if its time is right.
    fn hidden(&self, ts: Ms) -> bool {
        self.order != SeqOrder::Newer && self.newest.is_some_and(|newest| ts < newest)
    }

    fn older(&self) -> bool {
        matches!(self.order, SeqOrder::JustBefore | SeqOrder::Older)
    }
}

impl Clockwork {
    /// Judges a message. `known`: whether its clock was found wrong when it was first judged; then
    /// it is so again.
    pub fn judge(&mut self, claim: &TimeClaim, known: Option<bool>) -> Judged {
        let judged = self.weigh(claim, known);
        self.hid_before = std::mem::replace(&mut self.hid, judged.moves.is_none());
        judged
    }

    /// Whether the clock was behind when last seen.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Whether messages moved nothing just before the last one: then a gap in event time is not
    /// one in which nothing was measured.
    #[must_use]
    pub const fn hid_some(&self) -> bool {
        self.hid_before
    }

    /// The gateway's clock was set by so much. Claims move as arrivals do: while the clock is in
    /// doubt, what a device claims is read by the time of before.
    pub(super) const fn shift(&mut self, by: Ms) {
        let Self { behind: _, first, last, strikes: _, woke: _, hid: _, hid_before: _ } = self;
        if let Some((arrival, claim)) = first {
            moment(arrival, by);
            moment(claim, by);
        }
        let (arrival, claim) = last;
        moment(arrival, by);
        moment(claim, by);
    }

    fn weigh(&mut self, claim: &TimeClaim, known: Option<bool>) -> Judged {
        if claim.after_silence() {
            self.woke = true;
        } else if claim.in_rhythm() {
            self.woke = false;
        }
        let Some(ts) = claim.ts else {
            (self.first, self.strikes) = (None, 0);
            return Self::by_arrival(claim, Verdict::ByArrival);
        };
        let late = claim.at - ts > claim.late_after;
        let wrong =
            if late { self.late_is_wrong(claim, ts) } else { self.young_is_wrong(claim, ts) };
        if known.unwrap_or(wrong) {
            self.behind = late.then_some(claim.at - ts);
            (self.first, self.strikes) = (None, 0);
            return Self::by_arrival(claim, Verdict::Wrong);
        }
        let hidden = claim.hidden(ts);
        if !late {
            self.behind = None;
            if !hidden {
                (self.first, self.strikes) = (None, 0);
            }
        }
        let verdict = if late { Verdict::Backlog } else { Verdict::Right };
        let moves = (!hidden).then(|| ts.max(claim.newest.unwrap_or(ts)));
        Judged { verdict, ts, moves }
    }

    /// The newest is what arrived last, except where a lower number overtook a higher one: the two
    /// sessions with the broker are two ways.
    fn by_arrival(claim: &TimeClaim, verdict: Verdict) -> Judged {
        let ts = claim.at;
        let overtaken = claim.order == SeqOrder::JustBefore && !claim.in_rhythm();
        let moves = (!overtaken).then(|| ts.max(claim.newest.unwrap_or(ts)));
        Judged { verdict, ts, moves }
    }

    /// A time within an interval is right, unless it does not rise.
    fn young_is_wrong(&mut self, claim: &TimeClaim, ts: Ms) -> bool {
        let fell = claim.newest.map(|newest| newest - ts).filter(|fell| *fell >= 0);
        let lost = fell.map_or(0, |fell| fell + claim.gap());
        let by_number = claim.order == SeqOrder::Newer && lost > JITTER_MS;
        let hidden = claim.hidden(ts);
        if by_number || hidden && claim.in_rhythm() && !claim.older() {
            return true;
        }
        if hidden {
            self.odd(claim.at, ts);
            self.strikes = self.strikes.max(1);
        }
        false
    }

    fn late_is_wrong(&mut self, claim: &TimeClaim, ts: Ms) -> bool {
        let late = claim.at - ts;
        let as_before = self.behind.is_some_and(|behind| (late - behind).abs() <= claim.late_after);
        // It was wrong a moment ago, by another span: it leaps.
        let live = claim.in_rhythm() || claim.gap() >= BURST_MS && !self.woke;
        let leaps = self.behind.is_some() && live && !claim.older();
        as_before || leaps || self.falls(claim, ts) || self.no_backlog(claim, ts)
    }

    /// Whether its number rises and its time falls. What is numbered above a live message was
    /// measured after it: it can't be older than that, by a right clock or by one that is as far
    /// behind as it was.
    fn falls(&self, claim: &TimeClaim, ts: Ms) -> bool {
        if claim.order != SeqOrder::Newer {
            return false;
        }
        if self.first.is_some() {
            return ts + JITTER_MS < self.last.1;
        }
        let right = claim.newest.is_none_or(|newest| ts + JITTER_MS >= newest);
        let stored = self.behind.is_some_and(|behind| {
            (behind..=behind + claim.gap() + JITTER_MS).contains(&(claim.at - ts))
        });
        !right && !stored
    }

    /// Whether these late messages do not come as a backlog does.
    fn no_backlog(&mut self, claim: &TimeClaim, ts: Ms) -> bool {
        let (at, gap) = (claim.at, claim.gap());
        let hidden = claim.hidden(ts);
        let previous = self.first.map(|_| self.last);
        let catches_up = match previous {
            Some((then, claimed)) => 4 * (ts - claimed) > 5 * (at - then),
            None => !hidden,
        };
        let anchor = if claim.after_silence() { previous } else { self.first };
        let at_pace = !claim.older()
            && anchor.is_some_and(|(then, claimed)| {
                let (passed, claims) = (at - then, ts - claimed);
                passed >= BURST_MS && 4 * (claims - passed).abs() <= passed
            });
        if claim.after_silence() {
            (self.first, self.strikes) = (None, 0);
        } else if claim.in_rhythm() {
            self.strikes = self.strikes.saturating_add(1);
        } else if catches_up && !hidden {
            self.strikes = 0;
        } else if gap >= BURST_MS && !claim.older() && !(catches_up && self.woke) {
            self.strikes = self.strikes.saturating_add(1);
        }
        self.odd(at, ts);
        let cry = claim.shouts && hidden && !self.woke && !claim.older();
        at_pace || cry || self.strikes >= STRIKES
    }

    fn odd(&mut self, at: Ms, ts: Ms) {
        self.first.get_or_insert((at, ts));
        self.last = (at, ts);
    }
}
