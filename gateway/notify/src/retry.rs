//! When what a receiver did not take is tried again, and for how long.
//!
//! A fire's page is tried until it is taken, or until somebody has acknowledged the fire, whatever the
//! receiver answers: after 5 s, then twice as long, up to 60 s. Everything else, digests too, is tried for
//! 24 h, and given up when the receiver refuses it for good.
//!
//! Each page waits for itself alone ([`RetryQueue`]).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use standpipe_machine::backoff::Backoff;
use standpipe_receivers::WaitWish;
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::IncidentId;
use standpipe_rules::{DAY_MS, Ms};
use standpipe_store::reader::OwedPage;
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
pub fn wait(asked: Option<WaitWish>, own: Duration) -> Duration {
    asked.map_or(own, |asked| asked.wait().min(LONGEST_ASKED).max(own))
}

/// The same of a fire's page: a receiver's wish is cut.
#[must_use]
pub fn wait_of_fire(asked: Option<WaitWish>, own: Duration) -> Duration {
    match asked {
        None => own,
        Some(WaitWish::Unwell(wait)) => wait.min(UNWELL_MOST).max(own),
        Some(WaitWish::TooMany(wait)) => wait.min(TOO_MANY_MOST).max(own),
    }
}

/// Pages that were refused, each with its own next attempt.
#[derive(Debug, Default)]
pub struct RetryQueue {
    pages: HashMap<Ulid, PageRetry>,
    /// The same by their incidents.
    about: BTreeSet<(IncidentId, Ulid)>,
    /// Those whose next attempt is a while away.
    due: BTreeSet<(Instant, Ulid)>,
    /// Those whose next attempt is due: as they are sent.
    ready: BTreeSet<RetryPlace>,
}

/// Where a page stands among those that are due.
type RetryPlace = (Urgency, i64, Ulid);

#[derive(Debug)]
struct PageRetry {
    page: OwedPage,
    /// When its first attempt was begun.
    since: Ms,
    backoff: Backoff,
    due: Instant,
}

/// What kind of page was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryKind {
    /// Tried until somebody has acknowledged.
    Fire,
    /// Given up after 24 h, or when it is refused for good.
    Other,
}

impl RetryQueue {
    /// A page was refused; answers for how long it has been, ms.
    pub fn refused(
        &mut self,
        (page, kind): (&OwedPage, RetryKind),
        begun: Ms,
        (asked, now): (Option<WaitWish>, Instant),
        steady: Ms,
    ) -> Ms {
        let first = match kind {
            RetryKind::Fire => FIRST_WAIT_OF_FIRE,
            RetryKind::Other => FIRST_WAIT,
        };
        let id = page.page_id;
        self.about.insert((page.incident, id));
        let refused = self.pages.entry(id).or_insert_with(|| PageRetry {
            page: page.clone(),
            since: begun,
            backoff: Backoff::named(first, LONGEST_WAIT, &id.to_string()),
            due: now,
        });
        self.due.remove(&(refused.due, id));
        self.ready.remove(&place(page));
        let own = refused.backoff.failed();
        let wait = match kind {
            RetryKind::Fire => wait_of_fire(asked, own),
            RetryKind::Other => wait(asked, own),
        };
        refused.due = now + wait;
        self.due.insert((refused.due, id));
        steady - refused.since
    }

    /// Takes the page of an urgency that is due for its next attempt, the longest owed first.
    pub fn take(&mut self, urgency: Urgency, now: Instant) -> Option<OwedPage> {
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, id));
            self.ready.extend(self.pages.get(&id).map(|refused| place(&refused.page)));
        }
        let first = (urgency, i64::MIN, Ulid::nil());
        let found = self.ready.range(first..).next().copied();
        let found = found.filter(|(of, ..)| *of == urgency)?;
        self.ready.remove(&found);
        self.pages.get(&found.2).map(|refused| refused.page.clone())
    }

    /// A page that was taken, and could not be sent, is due all the same.
    pub fn put_back(&mut self, page: &OwedPage) {
        self.ready.insert(place(page));
    }

    /// It is owed no more.
    pub fn forget(&mut self, page: Ulid) {
        if let Some(refused) = self.pages.remove(&page) {
            self.due.remove(&(refused.due, page));
            self.ready.remove(&place(&refused.page));
            self.about.remove(&(refused.page.incident, page));
        }
    }

    /// Pages about an incident, in no order that matters.
    pub fn about(&self, incident: IncidentId) -> impl Iterator<Item = Ulid> {
        let all = (incident, Ulid::nil())..=(incident, Ulid::from_bytes([u8::MAX; 16]));
        self.about.range(all).map(|(_, page)| *page)
    }

    /// Whether a page was refused before.
    #[must_use]
    pub fn knows(&self, page: Ulid) -> bool {
        self.pages.contains_key(&page)
    }

    /// When the next of them is due that is not due yet.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Whether one is refused for so long, ms.
    #[must_use]
    pub fn any_for(&self, ms: Ms, steady: Ms) -> bool {
        self.pages.values().any(|refused| steady - refused.since >= ms)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

fn place(page: &OwedPage) -> RetryPlace {
    (page.urgency, page.number, page.page_id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RetryKind, RetryQueue, wait, wait_of_fire};
    use crate::queue::tests::page;
    use standpipe_receivers::WaitWish;
    use standpipe_rules::changes::Urgency;
    use tokio::time::Instant;

    #[test]
    fn a_receiver_may_ask_for_more_patience_than_ours_but_not_for_less_or_for_ever() {
        let own = Duration::from_secs(4);
        for (asked, expected) in
            [(None, 4), (Some(1), 4), (Some(90), 90), (Some(600), 600), (Some(99_999), 600)]
        {
            let asked = asked.map(|seconds| WaitWish::Unwell(Duration::from_secs(seconds)));
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
            (Some(WaitWish::Unwell(seconds(40))),   4,  5),
            (Some(WaitWish::Unwell(seconds(1))),    4,  4),
            (Some(WaitWish::Unwell(seconds(40))),   30, 30),
            (Some(WaitWish::TooMany(seconds(40))),  4,  40),
            (Some(WaitWish::TooMany(seconds(600))), 4,  60),
        ] {
            assert_eq!(wait_of_fire(asked, seconds(own_s)), seconds(expected_s), "{asked:?}");
        }
    }

    #[test]
    fn each_page_waits_for_itself_alone_and_ever_longer() {
        let (one, other) = (page(1, Urgency::NewFire), page(2, Urgency::Warning));
        let start = Instant::now();
        let mut waiting = RetryQueue::default();
        assert_eq!(waiting.refused((&one, RetryKind::Fire), 1_000, (None, start), 1_100), 100);
        assert_eq!(waiting.take(Urgency::NewFire, start), None, "too soon");
        let first = waiting.next().expect("it is due") - start;
        assert!(first > Duration::from_secs(2) && first <= Duration::from_secs(5), "{first:?}");
        let mut now = start;
        for most_s in [10, 20, 40, 60, 60, 60] {
            now = waiting.next().expect("it is due");
            assert_eq!(waiting.take(Urgency::NewFire, now).as_ref(), Some(&one));
            assert_eq!((waiting.take(Urgency::NewFire, now), waiting.next()), (None, None));
            assert_eq!(waiting.refused((&one, RetryKind::Fire), 7_000, (None, now), 9_000), 8_000);
            let wait = waiting.next().expect("it is due") - now;
            let most = Duration::from_secs(most_s);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} of {most:?}");
        }
        assert!(waiting.any_for(8_000, 9_000) && !waiting.any_for(8_001, 9_000));
        waiting.refused((&other, RetryKind::Other), 9_000, (None, now), 9_000);
        waiting.forget(one.page_id);
        assert!(!waiting.knows(one.page_id) && waiting.knows(other.page_id));
        assert!(waiting.next().expect("it is due") - now <= Duration::from_millis(500));
        waiting.forget(other.page_id);
        assert!(waiting.is_empty() && waiting.next().is_none());
    }

    #[test]
    fn those_that_are_due_are_taken_by_urgency_and_age_and_known_by_their_incident() {
        let start = Instant::now();
        let mut waiting = RetryQueue::default();
        let pages = [(4, Urgency::Fire), (2, Urgency::Critical), (3, Urgency::Fire)];
        for (number, urgency) in pages {
            waiting.refused((&page(number, urgency), RetryKind::Other), 0, (None, start), 0);
        }
        let later = start + Duration::from_secs(60);
        assert_eq!(waiting.take(Urgency::NewFire, later), None);
        assert_eq!(waiting.take(Urgency::Fire, later), Some(page(3, Urgency::Fire)));
        assert_eq!(waiting.take(Urgency::Fire, later), Some(page(4, Urgency::Fire)));
        waiting.put_back(&page(4, Urgency::Fire));
        assert_eq!(waiting.take(Urgency::Fire, later), Some(page(4, Urgency::Fire)));
        let critical = page(2, Urgency::Critical);
        assert!(waiting.about(critical.incident).eq([critical.page_id]));
        waiting.forget(critical.page_id);
        assert_eq!(waiting.take(Urgency::Critical, later), None);
        assert_eq!(waiting.about(critical.incident).count(), 0);
    }
}
