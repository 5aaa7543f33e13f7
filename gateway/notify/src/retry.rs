//! When what a receiver did not take is tried again, and for how long.
//!
//! A fire's page is tried until it is taken, or until somebody has acknowledged the fire, whatever the
//! receiver answers: after 5 s, then twice as long, up to 60 s. Everything else, digests too, is tried for
//! 24 h, and given up when the receiver refuses it for good.
//!
//! Each page waits for itself alone ([`RetryQueue`]), until its receiver takes one after it took none for a
//! while: then everything is due.
//!
//! A receiver may refuse one message and take all others. What is refused while others are taken is known
//! by that ([`Suspicion`]): a bundle is taken apart then (`webhook/apart.rs`), and a page is tried behind
//! everything else, with a small part of the pace.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use standpipe_machine::backoff::Backoff;
use standpipe_receivers::{Blames, WaitWish};
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::IncidentId;
use standpipe_rules::{DAY_MS, Ms};
use standpipe_store::reader::{Carries, OwedPage};
use tokio::time::Instant;
use ulid::Ulid;

/// The first wait after a failure of what is no fire.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The first wait after a failure of a part of a bundle that was refused: which of the parts is to blame
/// is soon known.
const FIRST_WAIT_OF_PART: Duration = Duration::from_secs(1);
/// A bundle is refused so often before it is taken apart, a part of one but once.
const REFUSALS: u32 = 2;
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
    /// When the receiver took something last.
    took_at: Option<Instant>,
}

/// Where a page stands among those that are due.
type RetryPlace = (Urgency, Turn, i64, Ulid);

/// Of the pages of one urgency, which are tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The first fire of a station, once the receiver takes pages again.
    First,
    Usual,
    /// What is refused while others are taken.
    Last,
}

#[derive(Debug)]
struct PageRetry {
    page: OwedPage,
    /// When its first attempt was begun, or it was to be tried again.
    since: Ms,
    /// The same, for what is compared with it here.
    known_at: Instant,
    backoff: Backoff,
    due: Instant,
    /// How often it was refused, and how often for what it says.
    refused: (u32, u32),
    turn: Turn,
}

/// How a page was refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// What the receiver wishes.
    pub asked: Option<WaitWish>,
    pub blames: Blames,
    /// When the answer was here.
    pub at: Instant,
}

/// Whether it is what a message says that a receiver refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing speaks for that.
    None,
    /// Its answers do; whether it takes others is not known.
    Answers,
    /// It takes others meanwhile.
    TakesOthers,
}

/// Whether there is a message for what is refused while others are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastTurn {
    MayGo,
    Waits,
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
        refusal: Refusal,
        steady: Ms,
    ) -> Ms {
        let Refusal { asked, blames, at: now } = refusal;
        let id = page.page_id;
        self.about.insert((page.incident, id));
        let took_at = self.took_at;
        let fresh = || PageRetry::new(page, kind, (begun, now));
        let refused = self.pages.entry(id).or_insert_with(fresh);
        self.due.remove(&(refused.due, id));
        self.ready.remove(&refused.place());
        refused.refused.0 = refused.refused.0.saturating_add(1);
        match blames {
            Blames::Message => refused.refused.1 = refused.refused.1.saturating_add(1),
            Blames::Receiver => {}
        }
        refused.turn = match refused.suspicion(took_at) {
            Suspicion::TakesOthers => Turn::Last,
            Suspicion::None | Suspicion::Answers => Turn::Usual,
        };
        let own = refused.backoff.failed();
        let wait = match kind {
            RetryKind::Fire => wait_of_fire(asked, own),
            RetryKind::Other => wait(asked, own),
        };
        refused.due = now + wait;
        self.due.insert((refused.due, id));
        steady - refused.since
    }

    /// A page that was tried before this gateway started, or a part of a bundle that was refused, is tried
    /// like what was refused, and now.
    pub fn try_soon(&mut self, page: &OwedPage, kind: RetryKind, (steady, now): (Ms, Instant)) {
        self.about.insert((page.incident, page.page_id));
        let fresh = || PageRetry::new(page, kind, (steady, now));
        let known = self.pages.entry(page.page_id).or_insert_with(fresh);
        self.ready.insert(known.place());
    }

    /// The receiver took a page. Answers whether it has changed its mind: it refused that one while it took
    /// others. Then nothing is known of the rest, either.
    pub fn took(&mut self, page: Ulid, now: Instant) -> bool {
        let other_mind = self.pages.get(&page).is_some_and(|taken| taken.turn == Turn::Last);
        self.forget(page);
        self.took_at = Some(now);
        if !other_mind {
            return false;
        }
        for other in self.pages.values_mut().filter(|other| other.turn == Turn::Last) {
            let was_ready = self.ready.remove(&other.place());
            (other.turn, other.known_at) = (Turn::Usual, now);
            if was_ready {
                self.ready.insert(other.place());
            }
        }
        true
    }

    /// The receiver takes pages again: everything that waits is due now, the first fire of each station
    /// before its others, and its next failure counts as a first one. What it refuses while it takes
    /// others waits for its own time.
    pub fn all_due(&mut self, now: Instant) {
        let waits = |page: &PageRetry| page.turn != Turn::Last;
        let mut firsts: HashMap<Arc<str>, (i64, Ulid)> = HashMap::new();
        let fires = self.pages.values().filter(|page| page.page.urgency == Urgency::NewFire);
        for PageRetry { page, .. } in fires.filter(|page| waits(page) && is_single(&page.page)) {
            let this = (page.number, page.page_id);
            let first = firsts.entry(page.station.clone()).or_insert(this);
            *first = this.min(*first);
        }
        for (id, refused) in self.pages.iter_mut().filter(|(_, page)| waits(page)) {
            let was_due = self.due.remove(&(refused.due, *id));
            let was_ready = self.ready.remove(&refused.place());
            let page = &refused.page;
            let is_first = firsts.get(&page.station) == Some(&(page.number, *id));
            refused.turn = if is_first { Turn::First } else { Turn::Usual };
            refused.backoff.reset();
            if was_due || was_ready {
                refused.due = now;
                self.ready.insert(refused.place());
            }
        }
    }

    /// Whether a receiver refuses a page for what it says.
    #[must_use]
    pub fn suspicion(&self, page: Ulid) -> Suspicion {
        self.pages.get(&page).map_or(Suspicion::None, |refused| refused.suspicion(self.took_at))
    }

    /// Takes the page of an urgency that is due for its next attempt: the longest owed first, and last what
    /// is refused while others are taken.
    pub fn take(&mut self, urgency: Urgency, now: Instant, last: LastTurn) -> Option<OwedPage> {
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, id));
            self.ready.extend(self.pages.get(&id).map(PageRetry::place));
        }
        let first = (urgency, Turn::First, i64::MIN, Ulid::nil());
        let found = self.ready.range(first..).next().copied();
        let found = found.filter(|(of, turn, ..)| {
            *of == urgency && (*turn != Turn::Last || last == LastTurn::MayGo)
        })?;
        self.ready.remove(&found);
        self.pages.get(&found.3).map(|refused| refused.page.clone())
    }

    /// A page that was taken, and could not be sent, is due all the same.
    pub fn put_back(&mut self, page: &OwedPage) {
        self.ready.extend(self.pages.get(&page.page_id).map(PageRetry::place));
    }

    /// It is owed no more.
    pub fn forget(&mut self, page: Ulid) {
        if let Some(refused) = self.pages.remove(&page) {
            self.due.remove(&(refused.due, page));
            self.ready.remove(&refused.place());
            self.about.remove(&(refused.page.incident, page));
        }
    }

    /// Pages about an incident, in no order that matters.
    pub fn about(&self, incident: IncidentId) -> impl Iterator<Item = Ulid> {
        let all = (incident, Ulid::nil())..=(incident, Ulid::from_bytes([u8::MAX; 16]));
        self.about.range(all).map(|(_, page)| *page)
    }

    /// Whether a page is one that waits here, or was taken from here.
    #[must_use]
    pub fn knows(&self, page: Ulid) -> bool {
        self.pages.contains_key(&page)
    }

    /// Whether a page was refused since this gateway started.
    #[must_use]
    pub fn was_refused(&self, page: Ulid) -> bool {
        self.pages.get(&page).is_some_and(|refused| refused.refused.0 > 0)
    }

    /// Whether it is refused while others are taken.
    #[must_use]
    pub fn is_last(&self, page: Ulid) -> bool {
        self.pages.get(&page).is_some_and(|refused| refused.turn == Turn::Last)
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

    /// Whether there is none but what is refused while others are taken, which holds nothing up.
    #[must_use]
    pub fn holds_nothing_up(&self) -> bool {
        self.pages.values().all(|refused| refused.turn == Turn::Last)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

impl PageRetry {
    fn new(page: &OwedPage, kind: RetryKind, (since, now): (Ms, Instant)) -> Self {
        let first = match kind {
            RetryKind::Fire if page.apart => FIRST_WAIT_OF_PART,
            RetryKind::Fire => FIRST_WAIT_OF_FIRE,
            RetryKind::Other => FIRST_WAIT,
        };
        Self {
            page: page.clone(),
            since,
            known_at: now,
            backoff: Backoff::named(first, LONGEST_WAIT, &page.page_id.to_string()),
            due: now,
            refused: (0, 0),
            turn: Turn::Usual,
        }
    }

    fn place(&self) -> RetryPlace {
        (self.page.urgency, self.turn, self.page.number, self.page.page_id)
    }

    /// What was refused in company has proven something already: its first refusal counts.
    fn suspicion(&self, took_at: Option<Instant>) -> Suspicion {
        let enough = if self.page.apart { 1 } else { REFUSALS };
        if self.refused.1 < enough {
            Suspicion::None
        } else if took_at.is_some_and(|at| at > self.known_at) {
            Suspicion::TakesOthers
        } else {
            Suspicion::Answers
        }
    }
}

fn is_single(page: &OwedPage) -> bool {
    match page.carries {
        Carries::Page => true,
        Carries::Bundle => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LastTurn, Refusal, RetryKind, RetryQueue, Suspicion, wait, wait_of_fire};
    use crate::queue::tests::page;
    use standpipe_receivers::{Blames, WaitWish};
    use standpipe_rules::changes::Urgency;
    use tokio::time::Instant;

    fn not_now(at: Instant) -> Refusal {
        Refusal { asked: None, blames: Blames::Receiver, at }
    }

    fn not_this(at: Instant) -> Refusal {
        Refusal { asked: None, blames: Blames::Message, at }
    }

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
        assert_eq!(waiting.refused((&one, RetryKind::Fire), 1_000, not_now(start), 1_100), 100);
        assert_eq!(waiting.take(Urgency::NewFire, start, LastTurn::Waits), None, "too soon");
        let first = waiting.next().expect("it is due") - start;
        assert!(first > Duration::from_secs(2) && first <= Duration::from_secs(5), "{first:?}");
        let mut now = start;
        for most_s in [10, 20, 40, 60, 60, 60] {
            now = waiting.next().expect("it is due");
            assert_eq!(waiting.take(Urgency::NewFire, now, LastTurn::Waits).as_ref(), Some(&one));
            assert_eq!(
                (waiting.take(Urgency::NewFire, now, LastTurn::Waits), waiting.next()),
                (None, None)
            );
            assert_eq!(waiting.refused((&one, RetryKind::Fire), 7_000, not_now(now), 9_000), 8_000);
            let wait = waiting.next().expect("it is due") - now;
            let most = Duration::from_secs(most_s);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} of {most:?}");
        }
        assert!(waiting.any_for(8_000, 9_000) && !waiting.any_for(8_001, 9_000));
        waiting.refused((&other, RetryKind::Other), 9_000, not_now(now), 9_000);
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
            waiting.refused((&page(number, urgency), RetryKind::Other), 0, not_now(start), 0);
        }
        let later = start + Duration::from_secs(60);
        assert_eq!(waiting.take(Urgency::NewFire, later, LastTurn::Waits), None);
        assert_eq!(
            waiting.take(Urgency::Fire, later, LastTurn::Waits),
            Some(page(3, Urgency::Fire))
        );
        assert_eq!(
            waiting.take(Urgency::Fire, later, LastTurn::Waits),
            Some(page(4, Urgency::Fire))
        );
        waiting.put_back(&page(4, Urgency::Fire));
        assert_eq!(
            waiting.take(Urgency::Fire, later, LastTurn::Waits),
            Some(page(4, Urgency::Fire))
        );
        let critical = page(2, Urgency::Critical);
        assert!(waiting.about(critical.incident).eq([critical.page_id]));
        waiting.forget(critical.page_id);
        assert_eq!(waiting.take(Urgency::Critical, later, LastTurn::Waits), None);
        assert_eq!(waiting.about(critical.incident).count(), 0);
    }

    #[test]
    fn what_is_refused_while_others_are_taken_is_known_and_tried_last() {
        let (bad, good) = (page(1, Urgency::NewFire), page(2, Urgency::NewFire));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut waiting = RetryQueue::default();
        let refused = |waiting: &mut RetryQueue, what: &_, refusal| {
            waiting.refused((what, RetryKind::Fire), 0, refusal, 0);
        };
        // Refused over and over, but nothing else is taken, or not for what it says.
        for seconds in [0, 1, 2] {
            refused(&mut waiting, &bad, not_this(at(seconds)));
            refused(&mut waiting, &good, not_now(at(seconds)));
        }
        assert_eq!(waiting.suspicion(bad.page_id), Suspicion::Answers);
        assert_eq!(waiting.suspicion(good.page_id), Suspicion::None);
        assert!(!waiting.holds_nothing_up());
        assert!(!waiting.took(page(3, Urgency::Notice).page_id, at(3)), "as ever");
        assert!(!waiting.is_last(bad.page_id), "it may take it now");
        refused(&mut waiting, &bad, not_this(at(4)));
        refused(&mut waiting, &good, not_now(at(4)));
        assert_eq!(waiting.suspicion(bad.page_id), Suspicion::TakesOthers);
        assert!(waiting.is_last(bad.page_id) && !waiting.is_last(good.page_id));
        // It is tried behind the other, and only where there is a message for it.
        let later = at(600);
        let mut take = |last| waiting.take(Urgency::NewFire, later, last);
        assert_eq!(take(LastTurn::MayGo).as_ref(), Some(&good));
        assert_eq!((take(LastTurn::Waits), take(LastTurn::MayGo)), (None, Some(bad.clone())));
        waiting.forget(good.page_id);
        assert!(waiting.holds_nothing_up() && !waiting.is_empty());
        // Another like it is taken at last: whatever was wrong with them is mended.
        let other = page(4, Urgency::NewFire);
        for seconds in [5, 6] {
            refused(&mut waiting, &other, not_this(at(seconds)));
        }
        waiting.took(page(5, Urgency::Notice).page_id, at(7));
        refused(&mut waiting, &other, not_this(at(8)));
        refused(&mut waiting, &bad, not_this(at(8)));
        assert!(waiting.is_last(other.page_id) && waiting.is_last(bad.page_id));
        assert!(waiting.took(other.page_id, at(9)), "it takes what it refused");
        assert!(!waiting.is_last(bad.page_id));
        refused(&mut waiting, &bad, not_this(at(10)));
        assert!(!waiting.is_last(bad.page_id), "nothing else was taken since");
    }

    #[test]
    fn a_part_of_a_refused_bundle_is_judged_by_its_first_refusal_and_tried_soon() {
        let mut part = page(1, Urgency::NewFire);
        part.apart = true;
        let start = Instant::now();
        let mut waiting = RetryQueue::default();
        waiting.try_soon(&part, RetryKind::Fire, (0, start));
        assert!(waiting.knows(part.page_id) && !waiting.was_refused(part.page_id));
        assert_eq!(waiting.take(Urgency::NewFire, start, LastTurn::Waits).as_ref(), Some(&part));
        waiting.took(page(2, Urgency::NewFire).page_id, start + Duration::from_millis(5));
        let at = start + Duration::from_millis(10);
        waiting.refused((&part, RetryKind::Fire), 0, not_this(at), 10);
        assert_eq!(waiting.suspicion(part.page_id), Suspicion::TakesOthers);
        assert!(waiting.next().expect("it is due") - at <= Duration::from_secs(1));
    }

    #[test]
    fn when_a_receiver_takes_pages_again_all_are_due_the_first_fire_of_each_station_first() {
        let start = Instant::now();
        let mut waiting = RetryQueue::default();
        let of = |number, station: &str| {
            let mut page = page(number, Urgency::NewFire);
            page.station = station.into();
            page
        };
        let pages = [of(1, "A"), of(2, "A"), of(3, "A"), of(4, "B"), page(5, Urgency::Warning)];
        for page in &pages {
            for _ in 0..5 {
                waiting.refused((page, RetryKind::Fire), 0, not_now(start), 0);
            }
        }
        // One of them is on its way; it is not sent a second time beside that.
        let far = start + Duration::from_secs(60);
        assert_eq!(waiting.take(Urgency::NewFire, far, LastTurn::Waits).as_ref(), Some(&pages[0]));
        waiting.took(pages[0].page_id, start);
        waiting.all_due(start);
        let mut due = Vec::new();
        for urgency in Urgency::ALL {
            while let Some(page) = waiting.take(urgency, start, LastTurn::Waits) {
                due.push(page.number);
            }
        }
        assert_eq!(due, [2, 4, 3, 5]);
        waiting.refused((&pages[1], RetryKind::Fire), 0, not_now(start), 0);
        let wait = waiting.next().expect("it is due") - start;
        assert!(wait <= Duration::from_secs(5), "as after a first failure: {wait:?}");
    }
}
