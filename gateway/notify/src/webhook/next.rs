//! Which page a receiver is sent next, and in which words.
//!
//! A page says for good what was true when it was owed: a receiver that sees it twice, under one
//! `Idempotency-Key`, sees the same message. Only a page that nobody can have seen is worded anew, when
//! somebody took its incident in hand before it was first sent; that is on disk before it is sent.

use standpipe_receivers::EarlierMessages;
use standpipe_rules::changes::Urgency;
use standpipe_store::StoreError;
use standpipe_store::reader::{Carries, OwedPage, PageMessage};
use standpipe_words::cap::Earlier;
use tokio::time::Instant;

use super::{FlightRoom, IN_FLIGHT, LESSER_MOST, Task, kind_of};
use crate::retry::RetryKind;

/// What a page says.
pub(super) enum PageWords {
    /// This, and what it refers to.
    Known { wire: Box<str>, earlier: Vec<Earlier> },
    /// What is true now: it was never sent, and somebody has taken its incident in hand.
    New,
    /// What it refers to is not written down yet.
    NotWritten,
    /// Nothing: it has arrived, was given up, or a newer page supersedes it.
    OwedNoMore,
}

/// What became of a page that was to be sent.
#[derive(PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way, or waits where it is found again, or is owed no more.
    Settled,
    /// It waits, and so do all others: the receiver takes no more in this minute, or the store cannot
    /// be read.
    NotNow,
}

impl Task {
    /// The next page that there is room for: by urgency, and of that what was never refused first.
    pub(super) fn next_page(&mut self) -> Option<(OwedPage, FlightRoom)> {
        let in_hand = self.flights.len() + self.unwritten.len();
        if in_hand >= IN_FLIGHT {
            return None;
        }
        let now = Instant::now();
        let room_for_lesser = self.lesser + self.unwritten.len() < LESSER_MOST;
        let is_held = self.hold.is_some_and(|until| until > now);
        let mut found = None;
        for urgency in Urgency::ALL {
            if kind_of(urgency) == RetryKind::Other && is_held
                || urgency != Urgency::NewFire && !room_for_lesser
            {
                break;
            }
            found = self.paced.take(urgency, room_for_lesser);
            if found.is_none() && room_for_lesser {
                found = self.take_again(urgency, now).map(|page| (page, FlightRoom::Lesser));
            }
            if found.is_some() {
                break;
            }
        }
        found
    }

    /// The next page that was refused before, if the pace has a message for it.
    fn take_again(&mut self, urgency: Urgency, now: Instant) -> Option<OwedPage> {
        let steady = self.setup.clock.stamp().steady();
        let page = self.waiting.take(urgency, now, self.paced.last_turn(steady))?;
        if self.paced.may_try_again(steady) {
            if self.waiting.is_last(page.page_id) {
                self.paced.tries_last(steady);
            }
            return Some(page);
        }
        self.waiting.put_back(&page);
        None
    }

    /// A page that was taken and cannot be sent yet.
    pub(super) fn put_back(&mut self, page: OwedPage) {
        if self.waiting.knows(page.page_id) {
            self.waiting.put_back(&page);
        } else {
            self.paced.put_back(page);
        }
    }

    /// What a page says. Whatever a receiver may have seen of it, it sees again.
    pub(super) fn words(&mut self, page: &OwedPage) -> Result<PageWords, StoreError> {
        let Some(reader) = &self.reader else { return Ok(PageWords::NotWritten) };
        match page.carries {
            Carries::Page => {}
            Carries::Bundle => {
                let wire = reader.bundle_message(page.page_id)?;
                let known = |wire| PageWords::Known { wire, earlier: Vec::new() };
                return Ok(wire.map_or(PageWords::OwedNoMore, known));
            }
        }
        for older in self.waiting.about(page.incident).collect::<Vec<_>>() {
            if older != page.page_id && reader.message(older)?.is_none() {
                self.waiting.forget(older); // this page supersedes it
            }
        }
        let may_be_seen = self.waiting.knows(page.page_id)
            || self.older.is_some_and(|older| page.number <= older);
        let wire = match reader.message(page.page_id)? {
            None => return Ok(PageWords::OwedNoMore),
            Some(PageMessage::Final(wire)) => wire,
            Some(PageMessage::Outdated(Some(wire))) if may_be_seen => wire,
            Some(PageMessage::Outdated(_)) => return Ok(PageWords::New),
        };
        let earlier = match self.webhook.format.facts().earlier {
            EarlierMessages::NotReferredTo => Vec::new(),
            EarlierMessages::ReferredTo => {
                let taken = reader.taken_by_webhook(&self.webhook.name, page.incident)?;
                let last = self.taken.get(&page.incident);
                if last.is_some_and(|last| taken.iter().all(|(id, _)| id != last)) {
                    return Ok(PageWords::NotWritten);
                }
                taken.into_iter().map(|(id, sent)| Earlier { id: id.to_string(), sent }).collect()
            }
        };
        self.taken.remove(&page.incident);
        Ok(PageWords::Known { wire, earlier })
    }

    /// Pages that were taken, and that the store knows by now: what refers to them finds them there.
    pub(super) fn forget_what_the_store_knows(&mut self) {
        let Some(reader) = &self.reader else { return };
        self.taken.retain(|_, page| !matches!(reader.is_delivered(*page), Ok(true)));
        if self.taken.is_empty() {
            self.taken.shrink_to_fit();
        }
    }

    /// Until the store knows it, no further page about that incident can refer to it.
    pub(super) fn remember_taken(&mut self, page: &OwedPage) {
        match page.carries {
            Carries::Page => {}
            Carries::Bundle => return, // nothing refers to it
        }
        match self.webhook.format.facts().earlier {
            EarlierMessages::NotReferredTo => {}
            EarlierMessages::ReferredTo => {
                self.taken.insert(page.incident, page.page_id);
            }
        }
    }
}
