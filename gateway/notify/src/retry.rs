//! When what a receiver did not take is tried again, and for how long.
//!
//! A fire's page is tried until it is taken, or until somebody has acknowledged the fire, whatever the
//! receiver answers: after 5 s, then twice as long, up to 60 s. Everything else, digests too, is tried for
//! 24 h, and given up when the receiver refuses it for good.
//!
//! Each page waits for itself alone ([`Waiting`]).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use standpipe_machine::backoff::Backoff;
use standpipe_receivers::Asked;
use standpipe_rules::{DAY_MS, Ms};
use tokio::time::Instant;
use ulid::Ulid;

/// The first wait after a failure of what is no fire.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of our own choosing.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The first wait after a failure of a fire's page.
pub const FIRST_WAIT_OF_FIRE: Duration = Duration::from_secs(5);
/// How long a receiver that is not well may put off a fire.
pub const UNWELL_MOST: Duration = Duration::from_secs(5);
/// How long a receiver that had too many messages may put off a fire.
pub const TOO_MANY_MOST: Duration = Duration::from_secs(60);
/// The longest wait a receiver may ask for.
pub const LONGEST_ASKED: Duration = Duration::from_secs(600);
/// After so long a page or a digest is given up.
pub const GIVE_UP_AFTER: Ms = DAY_MS;

/// The wait after a failure: what the receiver asked for, within bounds, or `own`.
#[must_use]
pub fn wait(asked: Option<Asked>, own: Duration) -> Duration {
    asked.map_or(own, |asked| asked.wait().min(LONGEST_ASKED).max(own))
}

/// The same of a fire's page: a receiver's wish is cut.
#[must_use]
pub fn wait_of_fire(asked: Option<Asked>, own: Duration) -> Duration {
    match asked {
        None => own,
        Some(Asked::Unwell(wait)) => wait.min(UNWELL_MOST).max(own),
        Some(Asked::TooMany(wait)) => wait.min(TOO_MANY_MOST).max(own),
    }
}

/// Pages that were refused, each with its own next attempt.
#[derive(Debug, Default)]
pub struct Waiting {
    pages: HashMap<Ulid, Refused>,
    due: BTreeSet<(Instant, Ulid)>,
}

#[derive(Debug)]
struct Refused {
    /// When its first attempt was begun.
    since: Ms,
    backoff: Backoff,
    due: Instant,
}

/// What kind of page was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Tried until somebody has acknowledged.
    Fire,
    /// Given up after 24 h, or when it is refused for good.
    Other,
}

impl Waiting {
    /// A page was refused; answers for how long it has been, ms.
    pub fn refused(
        &mut self,
        (page, kind): (Ulid, Kind),
        begun: Ms,
        (asked, now): (Option<Asked>, Instant),
        steady: Ms,
    ) -> Ms {
        let first = match kind {
            Kind::Fire => FIRST_WAIT_OF_FIRE,
            Kind::Other => FIRST_WAIT,
        };
        let refused = self.pages.entry(page).or_insert_with(|| Refused {
            since: begun,
            backoff: Backoff::named(first, LONGEST_WAIT, &page.to_string()),
            due: now,
        });
        self.due.remove(&(refused.due, page));
        let own = refused.backoff.failed();
        let wait = match kind {
            Kind::Fire => wait_of_fire(asked, own),
            Kind::Other => wait(asked, own),
        };
        refused.due = now + wait;
        self.due.insert((refused.due, page));
        steady - refused.since
    }

    /// It is owed no more.
    pub fn forget(&mut self, page: Ulid) {
        if let Some(refused) = self.pages.remove(&page) {
            self.due.remove(&(refused.due, page));
        }
    }

    /// Only these are owed still.
    pub fn forget_all_but(&mut self, owed: &HashSet<Ulid>) {
        self.pages.retain(|page, _| owed.contains(page));
        self.due.retain(|(_, page)| owed.contains(page));
    }

    /// Whether a page was refused before.
    #[must_use]
    pub fn knows(&self, page: Ulid) -> bool {
        self.pages.contains_key(&page)
    }

    /// Whether it is too soon for a page.
    #[must_use]
    pub fn is_too_soon(&self, page: Ulid, now: Instant) -> bool {
        self.pages.get(&page).is_some_and(|refused| refused.due > now)
    }

    /// When the next of them is due that is not due yet.
    #[must_use]
    pub fn next(&self, now: Instant) -> Option<Instant> {
        self.due.range((now, Ulid::from_bytes([u8::MAX; 16]))..).next().map(|(due, _)| *due)
    }

    /// Whether one is refused for so long, ms.
    #[must_use]
    pub fn any_for(&self, ms: Ms, steady: Ms) -> bool {
        self.pages.values().any(|refused| steady - refused.since >= ms)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Kind, Waiting, wait, wait_of_fire};
    use standpipe_receivers::Asked;
    use tokio::time::Instant;
    use ulid::Ulid;

    #[test]
    fn a_receiver_may_ask_for_more_patience_than_ours_but_not_for_less_or_for_ever() {
        let own = Duration::from_secs(4);
        for (asked, expected) in
            [(None, 4), (Some(1), 4), (Some(90), 90), (Some(600), 600), (Some(99_999), 600)]
        {
            let asked = asked.map(|seconds| Asked::Unwell(Duration::from_secs(seconds)));
            let waits = wait(asked, own);
            assert_eq!(waits.as_secs(), expected, "{asked:?}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_receiver_puts_off_a_fire_for_no_longer_than_it_may() {
        let seconds = Duration::from_secs;
        for (asked, own_s, expected_s) in [
            (None,                               4,  4),
            (Some(Asked::Unwell(seconds(40))),   4,  5),
            (Some(Asked::Unwell(seconds(1))),    4,  4),
            (Some(Asked::Unwell(seconds(40))),   30, 30),
            (Some(Asked::TooMany(seconds(40))),  4,  40),
            (Some(Asked::TooMany(seconds(600))), 4,  60),
        ] {
            assert_eq!(wait_of_fire(asked, seconds(own_s)), seconds(expected_s), "{asked:?}");
        }
    }

    #[test]
    fn each_page_waits_for_itself_alone_and_ever_longer() {
        let (one, other) = (Ulid::from_parts(1, 0), Ulid::from_parts(2, 0));
        let start = Instant::now();
        let mut waiting = Waiting::default();
        assert_eq!(waiting.refused((one, Kind::Fire), 1_000, (None, start), 1_100), 100);
        assert!(waiting.is_too_soon(one, start) && !waiting.is_too_soon(other, start));
        let first = waiting.next(start).expect("it is due") - start;
        assert!(first > Duration::from_secs(2) && first <= Duration::from_secs(5), "{first:?}");
        assert_eq!(waiting.next(start + first), None, "it is due already");
        let mut now = start;
        for most_s in [10, 20, 40, 60, 60, 60] {
            now = waiting.next(now).expect("it is due");
            assert_eq!(waiting.refused((one, Kind::Fire), 7_000, (None, now), 9_000), 8_000);
            let wait = waiting.next(now).expect("it is due") - now;
            let most = Duration::from_secs(most_s);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} of {most:?}");
        }
        assert!(waiting.any_for(8_000, 9_000) && !waiting.any_for(8_001, 9_000));
        waiting.refused((other, Kind::Other), 9_000, (None, now), 9_000);
        waiting.forget(one);
        assert!(!waiting.knows(one) && waiting.knows(other));
        assert!(waiting.next(now).expect("it is due") - now <= Duration::from_millis(500));
        waiting.forget_all_but(&[one].into());
        assert_eq!((waiting.len(), waiting.next(now)), (0, None));
    }
}
