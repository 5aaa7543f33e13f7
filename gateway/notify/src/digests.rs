//! Daily digests on their way to one receiver: behind every page, one at a time, with waits of
//! their own, so that a receiver that refuses a digest still gets its pages.

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use standpipe_machine::backoff::Backoff;
use standpipe_receivers::{About, Answer, OutgoingMessage};
use standpipe_rules::Ms;
use standpipe_store::digests::{DigestKey, DigestNews, OwedDigest};
use tokio::time::Instant;
use tracing::{error, warn};

use super::retry::{self, FIRST_WAIT, GIVE_UP_AFTER, LONGEST_WAIT};

/// A digest that has come to its end.
pub type LandedDigest = (OwedDigest, Answer);

/// The digests of one receiver.
pub struct Digests {
    /// The one on its way.
    flight: Option<BoxFuture<'static, LandedDigest>>,
    backoff: Backoff,
    /// After a failure, not before then.
    resume: Option<Instant>,
    /// Reported to the engine: the store may still call them owed.
    done: HashSet<DigestKey>,
}

impl Digests {
    /// Nothing is on its way.
    pub fn new(receiver: &str) -> Self {
        let backoff = Backoff::named(FIRST_WAIT, LONGEST_WAIT, receiver);
        Self { flight: None, backoff, resume: None, done: HashSet::new() }
    }

    /// When it ends; never, while none is on its way.
    pub async fn landed(&mut self) -> LandedDigest {
        let Some(flight) = &mut self.flight else { return std::future::pending().await };
        let landed = flight.await;
        self.flight = None;
        landed
    }

    /// Whether [`Self::landed`] will come to an end.
    pub const fn is_on_its_way(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether one may be sent now.
    pub fn may(&self, now: Instant) -> bool {
        self.flight.is_none() && self.resume.is_none_or(|at| at <= now)
    }

    /// The first of these that is still to be sent.
    pub fn next(&mut self, owed: Vec<OwedDigest>) -> Option<OwedDigest> {
        self.done.retain(|done| owed.iter().any(|digest| digest.which == *done));
        owed.into_iter().find(|digest| !self.done.contains(&digest.which))
    }

    /// It is on its way.
    pub fn take_off(&mut self, flight: BoxFuture<'static, LandedDigest>) {
        self.flight = Some(flight);
    }

    /// What is to be written down of one that landed.
    pub fn settle(
        &mut self,
        (digest, answer): LandedDigest,
        now: Ms,
        instant: Instant,
    ) -> Option<DigestNews> {
        let (name, day) = (digest.which.receiver.clone(), digest.which.day.clone());
        let news = match answer {
            Answer::Taken => {
                self.backoff.reset();
                self.resume = None;
                DigestNews::Delivered(digest.which, now)
            }
            Answer::Later { wait, why, .. } if now - digest.at < GIVE_UP_AFTER => {
                let own = self.backoff.failed();
                self.resume = Some(instant + retry::wait(wait, own));
                warn!("webhook {name}: does not take the digest of {day} ({why}); trying again");
                return None;
            }
            Answer::Later { why, .. } | Answer::Never { why, .. } => {
                error!(
                    "webhook {name}: the digest of {day} is given up ({why}): read it at /digest"
                );
                DigestNews::GaveUp(digest.which, now)
            }
        };
        let (DigestNews::Delivered(which, _) | DigestNews::GaveUp(which, _)) = &news else {
            return None;
        };
        self.done.insert(which.clone());
        Some(news)
    }
}

/// As it is sent.
pub fn sent(digest: &OwedDigest) -> OutgoingMessage {
    let (page_id, at, wire) = (digest.which.key(), digest.at, digest.json.clone());
    OutgoingMessage { about: About::Digest, page_id, at, wire, earlier: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{DigestKey, Digests, GIVE_UP_AFTER, OwedDigest, sent};
    use standpipe_receivers::{Answer, Blames, WaitWish};
    use standpipe_store::digests::DigestNews;

    fn owed(day: &str) -> OwedDigest {
        let which = DigestKey { day: day.into(), receiver: "duty".into() };
        OwedDigest { which, at: 1_000, json: "{}".to_owned() }
    }

    fn later(wait: Option<WaitWish>) -> Answer {
        Answer::Later { wait, why: "status 503".to_owned(), blames: Blames::Receiver }
    }

    #[tokio::test]
    async fn it_is_tried_until_it_is_taken_or_a_day_has_passed() {
        let (mut digests, one) = (Digests::new("duty"), owed("2026-11-28"));
        let start = Instant::now();
        assert!(digests.may(start));
        digests.take_off(Box::pin(std::future::ready((one.clone(), later(None)))));
        assert!(!digests.may(start) && digests.is_on_its_way(), "one at a time");
        let landed = digests.landed().await;
        assert!(!digests.is_on_its_way());
        assert_eq!(digests.settle(landed, 2_000, start), None, "tried again");
        assert!(
            !digests.may(start) && digests.may(start + Duration::from_secs(1)),
            "after a while"
        );
        let wait = Some(WaitWish::Unwell(Duration::from_secs(90)));
        assert_eq!(digests.settle((one.clone(), later(wait)), 2_000, start), None);
        let asked = start + Duration::from_secs(90);
        assert!(!digests.may(asked - Duration::from_secs(1)) && digests.may(asked), "as it wishes");
        assert_eq!(digests.next(vec![one.clone()]), Some(one.clone()));

        let taken = DigestNews::Delivered(one.which.clone(), 3_000);
        assert_eq!(digests.settle((one.clone(), Answer::Taken), 3_000, start), Some(taken));
        assert!(digests.may(start), "and no wait is left");
        let other = owed("2026-11-29");
        assert_eq!(
            digests.next(vec![one.clone(), other.clone()]),
            Some(other),
            "not yet written down"
        );
        assert_eq!(digests.next(vec![one.clone()]), None);
        assert_eq!(digests.next(vec![]), None);
        assert_eq!(digests.next(vec![one.clone()]), Some(one), "owed again, whoever says so");
    }

    #[test]
    fn it_is_given_up_when_it_is_refused_for_good_or_a_day_old() {
        let now = Instant::now();
        let never = || Answer::Never { why: "status 404".to_owned(), blames: Blames::Receiver };
        let end = 1_000 + GIVE_UP_AFTER;
        for (answer, at, given_up) in
            [(later(None), end - 1, false), (later(None), end, true), (never(), 2_000, true)]
        {
            let (mut digests, one) = (Digests::new("duty"), owed("2026-11-28"));
            let expected = given_up.then(|| DigestNews::GaveUp(one.which.clone(), at));
            assert_eq!(digests.settle((one.clone(), answer), at, now), expected);
            assert_eq!(digests.next(vec![one.clone()]).is_none(), given_up);
        }
        assert_eq!(sent(&owed("2026-11-28")).page_id, "digest-2026-11-28-duty");
    }
}
