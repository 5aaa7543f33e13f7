//! Alarms that the alarm lane did not get. While its session is another client's, or where the broker
//! has forgotten it, alarms are sent to nobody there; the telemetry lane hears them all the same. Not
//! every broker says so (mosquitto does since 2.0.15): any time without a connection may be such a gap.
//!
//! Of each alarm that the telemetry lane passes over it keeps a copy for a moment. Where the alarm
//! lane had a gap around it and has not brought it by then, the telemetry lane does: late, and not
//! lost. What comes by both is known by its number.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standpipe_machine::clock::Stamp;
use standpipe_rules::wire;
use tokio::sync::watch;

use crate::mqtt::Publish;

/// How long a copy waits for the alarm lane to bring the alarm itself, and how far from a gap one
/// may have been lost to it.
const KEPT: Duration = Duration::from_secs(1);
/// The copies that wait at most; of more the oldest are let go, as if nothing were wrong.
const COPIES: usize = 4_096;
/// What the alarm lane brought is remembered for this long.
const BROUGHT: Duration = Duration::from_secs(5);

/// What tells an alarm from every other: a fingerprint of its last level and bytes, and its topic.
type Key = (u128, Box<[u8]>);

/// What the alarm lane lets the telemetry lane know. The lanes of one gateway share it.
#[derive(Clone, Debug, Default)]
pub struct AlarmGaps(Arc<watch::Sender<Gaps>>);

#[derive(Debug, Default)]
struct Gaps {
    /// Since when the lane has no session.
    since: Option<Instant>,
    /// The last gap that is over: its beginning and its end.
    last: Option<(Instant, Instant)>,
    /// What the alarm lane brought lately.
    brought: VecDeque<(Instant, Key)>,
}

impl Gaps {
    /// Whether there was a gap within [`KEPT`] of a moment.
    fn is_near(&self, at: Instant) -> bool {
        let open = self.since.is_some_and(|since| since <= at + KEPT);
        let over = self.last.is_some_and(|(since, until)| since <= at + KEPT && at <= until + KEPT);
        open || over
    }
}

impl AlarmGaps {
    /// The alarm lane has lost its connection.
    pub fn begin(&self, now: Instant) {
        self.0.send_modify(|gaps| {
            // Two that take the session from each other make one gap of many.
            let before = gaps.last.take_if(|(_, until)| now.duration_since(*until) < KEPT * 2);
            gaps.since.get_or_insert(before.map_or(now, |(since, _)| since));
        });
    }

    /// The broker has granted the alarm lane what it asks for.
    pub fn end(&self, now: Instant) {
        self.0.send_modify(|gaps| {
            gaps.last = gaps.since.take().map(|since| (since, now)).or(gaps.last);
        });
    }

    /// The alarm lane brought this.
    pub fn brought(&self, now: Instant, publish: &Publish<'_>) {
        self.0.send_modify(|gaps| {
            let old = |(at, _): &(Instant, Key)| now.duration_since(*at) >= BROUGHT;
            while gaps.brought.front().is_some_and(old) || gaps.brought.len() > COPIES {
                gaps.brought.pop_front();
            }
            gaps.brought.push_back((now, key(publish.topic, publish.payload)));
        });
    }

    fn lost(&self, copy: &AlarmCopy) -> bool {
        let gaps = self.0.borrow();
        gaps.is_near(copy.at) && {
            let key = key(&copy.topic, &copy.payload);
            !gaps.brought.iter().any(|(_, brought)| *brought == key)
        }
    }
}

fn key(topic: &[u8], payload: &[u8]) -> Key {
    (wire::print(topic, payload), topic.into())
}

/// One message that the telemetry lane passed over.
#[derive(Clone, Debug)]
pub struct AlarmCopy {
    at: Instant,
    /// When it came.
    pub came: Stamp,
    topic: Box<[u8]>,
    payload: Box<[u8]>,
}

impl AlarmCopy {
    /// As the broker sent it; acknowledged since.
    #[must_use]
    pub fn publish(&self) -> Publish<'_> {
        let Self { topic, payload, .. } = self;
        Publish { topic, pkid: 0, again: false, retained: false, payload }
    }
}

/// The copies that wait, oldest first.
#[derive(Debug, Default)]
pub struct AlarmCopies {
    waiting: VecDeque<AlarmCopy>,
    /// The one that was handed over last.
    given: Option<AlarmCopy>,
}

impl AlarmCopies {
    /// Keeps a copy. What the broker had kept comes on the alarm lane's new subscription as well.
    pub fn keep(&mut self, publish: &Publish<'_>, now: Instant, came: Stamp) {
        if publish.retained {
            return;
        }
        if self.waiting.len() >= COPIES {
            self.waiting.pop_front();
        }
        let (topic, payload) = (publish.topic.into(), publish.payload.into());
        self.waiting.push_back(AlarmCopy { at: now, came, topic, payload });
    }

    /// When the next is looked at.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|copy| copy.at + KEPT)
    }

    /// The next that the alarm lane did not bring.
    pub fn next(&mut self, gaps: &AlarmGaps, now: Instant) -> Option<&AlarmCopy> {
        while self.due().is_some_and(|due| due <= now) {
            let lost = self.waiting.pop_front().filter(|copy| gaps.lost(copy));
            if lost.is_some() {
                self.given = lost;
                return self.given.as_ref();
            }
        }
        None
    }

    /// There was no room for the one handed over last: it is handed over again.
    pub fn again(&mut self, now: Instant) {
        if let Some(copy) = self.given.take() {
            self.waiting.push_front(AlarmCopy { at: now, ..copy });
        }
    }
}

#[cfg(test)]
mod tests {
    use standpipe_machine::clock::Clock;

    use super::{AlarmCopies, AlarmGaps, COPIES, KEPT, Publish};
    use std::time::{Duration, Instant};

    const fn alarm(payload: &[u8]) -> Publish<'_> {
        Publish { topic: b"r/v1/a/d/alarm", pkid: 7, again: false, retained: false, payload }
    }

    /// Whether an alarm that came on the telemetry lane at a moment, in ms, is brought by it.
    fn is_brought(at_ms: u64, tell: impl FnOnce(&AlarmGaps, &dyn Fn(u64) -> Instant)) -> bool {
        let begin = Clock::new().instant();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let (gaps, mut copies) = (AlarmGaps::default(), AlarmCopies::default());
        copies.keep(&alarm(b"1"), at(at_ms), 0.into());
        tell(&gaps, &at);
        assert!(copies.next(&gaps, at(at_ms) + KEPT - Duration::from_millis(1)).is_none(), "early");
        copies.next(&gaps, at(at_ms) + KEPT).is_some_and(|copy| copy.publish().payload == b"1")
    }

    #[test]
    fn only_what_a_gap_may_have_swallowed_and_the_alarm_lane_did_not_bring() {
        assert!(!is_brought(5_000, |_, _| {}), "no gap");
        assert!(is_brought(5_000, |gaps, at| gaps.begin(at(5_400))), "the gap began behind it");
        assert!(is_brought(5_000, |gaps, at| gaps.begin(at(1_000))), "within a gap");
        let over = |gaps: &AlarmGaps, at: &dyn Fn(u64) -> Instant, until: u64| {
            gaps.begin(at(1_000));
            gaps.end(at(until));
        };
        assert!(is_brought(5_000, |gaps, at| over(gaps, at, 4_500)), "just over");
        assert!(!is_brought(5_000, |gaps, at| over(gaps, at, 3_000)), "long over");
        assert!(
            !is_brought(5_000, |gaps, at| {
                over(gaps, at, 5_010);
                gaps.brought(at(5_020), &alarm(b"1"));
            }),
            "brought"
        );
        assert!(
            is_brought(5_000, |gaps, at| {
                over(gaps, at, 5_010);
                gaps.brought(at(5_020), &Publish { topic: b"r/v1/a/e/alarm", ..alarm(b"1") });
                gaps.brought(at(5_020), &alarm(b"2"));
            }),
            "others were"
        );
    }

    #[test]
    fn gaps_that_follow_each_other_are_one() {
        assert!(is_brought(5_000, |gaps, at| {
            for ms in [3_000, 3_500, 4_000, 4_500, 5_000, 5_500] {
                gaps.begin(at(ms));
                gaps.end(at(ms + 20));
            }
        }));
    }

    #[test]
    fn what_there_was_no_room_for_is_handed_over_again_and_copies_have_a_limit() {
        let (begin, gaps) = (Clock::new().instant(), AlarmGaps::default());
        let mut copies = AlarmCopies::default();
        gaps.begin(begin);
        for n in 0..COPIES + 1 {
            copies.keep(&alarm(n.to_string().as_bytes()), begin, 0.into());
        }
        let next = |copies: &mut AlarmCopies, at| {
            copies.next(&gaps, at).map(|copy| String::from_utf8_lossy(&copy.payload).into_owned())
        };
        assert_eq!(next(&mut copies, begin + KEPT).as_deref(), Some("1"));
        copies.again(begin + KEPT);
        assert_eq!(next(&mut copies, begin + KEPT), None, "a moment later");
        assert_eq!(next(&mut copies, begin + KEPT * 2).as_deref(), Some("1"));
        assert_eq!(next(&mut copies, begin + KEPT * 2).as_deref(), Some("2"));
    }
}
