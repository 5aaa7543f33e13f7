//! What one receiver is owed, and what of it is sent now: at its pace, one by one or in bundles.
//!
//! Its queue is taken from into a backlog, of which `standpipe_rules::pace` says what goes now. Single
//! pages are sent as soon as there is room among the flights. A bundle is asked of the engine, which
//! writes it down with its bytes; only what is on disk is sent, so that whatever a crash interrupts is
//! the same bundle after it. What is planned has its place in the pace from then on; what is tried
//! again, or was owed before this gateway started, takes one when it is sent. Parts of bundles that were
//! refused are planned no more (`webhook/apart.rs`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use standpipe_engine::{Input, Unavailable};
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::changes::Urgency;
use standpipe_rules::pace::{Dispatch, Due, Pace, Pacer};
use standpipe_store::reader::{Carries, OwedPage};
use standpipe_store::{Reader, StoreError};
use tokio::time::Instant;
use ulid::Ulid;

use super::{FlightRoom, REFUSED_MOST, Task, URGENCIES, kind};
use crate::queue::Queue;
use crate::retry::LastTurn;

/// Pages of one receiver that are in memory at one time; more wait in the store.
const BACKLOG: usize = 32_768;
/// With more owed than the pace carries, it is looked over this often at most, ms.
const LOOK_EVERY: Ms = 50;
/// The same while the receiver takes nothing, ms: each bundle is tried again by itself.
const LOOK_EVERY_WHILE_FAILING: Ms = 5_000;
/// A receiver that takes no more now is asked again after this.
const NO_MORE_NOW: Duration = Duration::from_millis(500);
/// Bundles that are read from the store at one time.
const BUNDLES_AT_ONCE: usize = 64;
/// A bundle that was asked for and has not come by then will not come, ms: what it was to carry is
/// owed no more.
const BUNDLE_COMES: Ms = 10_000;

/// What one receiver is owed.
pub(super) struct Paced {
    pacer: Pacer,
    queue: Queue<OwedPage>,
    /// Taken from the queue, and not planned yet.
    backlog: Vec<OwedPage>,
    /// The names of stations, each once.
    stations: HashSet<Arc<str>>,
    /// Planned, by urgency, and not on its way yet.
    ready: [VecDeque<OwedPage>; Urgency::ALL.len()],
    /// The newest bundle that was read, and whether there may be more.
    bundles: (i64, bool),
    /// Bundles that were asked for, which have their places in the pace, and when the last was.
    asked: (usize, Ms),
    /// Read, and to be tried like what was refused: parts of refused bundles, and what was tried before
    /// this gateway started.
    again: Vec<OwedPage>,
    looked_at: Option<Ms>,
    again_at: Option<Instant>,
}

impl Paced {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pacer: Pacer::new(pace),
            queue: Queue::new(URGENCIES),
            backlog: Vec::new(),
            stations: HashSet::new(),
            ready: Default::default(),
            bundles: (0, true),
            asked: (0, 0),
            again: Vec::new(),
            looked_at: None,
            again_at: None,
        }
    }

    /// What its receiver was sent before this gateway started takes its place in the pace: else each
    /// restart would give a robot its whole minute again, and it would shut the gateway out.
    fn remember(&mut self, reader: &Reader, name: &str, now: Stamp) -> Result<(), StoreError> {
        let Pace { messages, within_ms, .. } = self.pacer.pace();
        let sent = reader.sent_to_webhook((name, now.told() - within_ms), messages)?;
        self.pacer.was_sent(sent.into_iter().map(|at| now.told() - at), now.steady());
        Ok(())
    }

    /// More may be owed now.
    pub(super) fn rung(&mut self) {
        self.queue.rung();
        self.bundles.1 = true;
    }

    /// When to look again though nothing new is owed.
    pub(super) const fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// Whether nothing is owed that was not on its way yet.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
            && self.backlog.is_empty()
            && self.ready.iter().all(VecDeque::is_empty)
    }

    /// The next of an urgency: a new fire may take any room, all else leaves some.
    pub(super) fn take(
        &mut self,
        urgency: Urgency,
        has_lesser: bool,
    ) -> Option<(OwedPage, FlightRoom)> {
        let ready = self.ready.get_mut(usize::from(urgency.place()))?;
        let room = |page: &OwedPage| match (page.carries, urgency) {
            (Carries::Page, Urgency::NewFire) => FlightRoom::NewFire,
            _ => FlightRoom::Lesser,
        };
        let fits = |page: &OwedPage| has_lesser || room(page) == FlightRoom::NewFire;
        let at = ready.iter().position(fits)?;
        let page = ready.remove(at)?;
        let room = room(&page);
        Some((page, room))
    }

    /// A page that was planned and cannot be sent yet is the next one again.
    pub(super) fn put_back(&mut self, page: OwedPage) {
        if let Some(ready) = self.ready.get_mut(usize::from(page.urgency.place())) {
            ready.push_front(page);
        }
    }

    /// Whether the pace has a message more for what was not planned; then it is taken.
    pub(super) fn may_send_more(&mut self, now: Ms) -> bool {
        let may = self.pacer.free(now) > 0;
        if may {
            self.pacer.sent(now);
        } else {
            self.look_again_soon();
        }
        may
    }

    /// Whether the pace has a message for what was refused before, of which it leaves some to the rest.
    pub(super) fn may_try_again(&mut self, now: Ms) -> bool {
        let may = self.pacer.may_try_again(now);
        if !may {
            self.look_again_soon();
        }
        may
    }

    /// Whether there is a message for what is refused while others are taken.
    pub(super) fn last_turn(&mut self, now: Ms) -> LastTurn {
        if self.pacer.may_try_last(now) {
            return LastTurn::MayGo;
        }
        self.look_again_soon();
        LastTurn::Waits
    }

    /// What is refused while others are taken is tried.
    pub(super) fn tries_last(&mut self, now: Ms) {
        self.pacer.tried_last(now);
    }

    fn look_again_soon(&mut self) {
        let soon = Instant::now() + NO_MORE_NOW;
        self.again_at = Some(self.again_at.map_or(soon, |at| at.min(soon)));
    }

    /// The same of what is sent only when nothing else was within the span of the pace.
    pub(super) fn may_send_first(&mut self, now: Ms) -> bool {
        self.pacer.is_idle(now) && self.may_send_more(now)
    }

    /// The same while something is refused for ever, which is sent within each such span.
    pub(super) fn may_send_beside_refused(&mut self, now: Ms) -> bool {
        self.pacer.may_try_again(now) && self.may_send_more(now)
    }

    /// Takes what is owed from the store. `was_tried`: before this gateway started.
    fn fill(
        &mut self,
        reader: &Reader,
        name: &str,
        was_tried: impl Fn(Ulid) -> bool,
    ) -> Result<(), StoreError> {
        for urgency in Urgency::ALL {
            while self.backlog.len() < BACKLOG {
                let read = |behind, most| reader.owed_to_webhook(name, (urgency, behind), most);
                let Some(mut page) = self.queue.take(urgency.place(), read)? else { break };
                if page.apart || was_tried(page.page_id) {
                    self.again.push(page);
                    continue;
                }
                match self.stations.get(&page.station) {
                    Some(station) => page.station = station.clone(),
                    None => _ = self.stations.insert(page.station.clone()),
                }
                self.backlog.push(page);
            }
        }
        while self.bundles.1 {
            let owed = reader.owed_bundles((name, self.bundles.0), BUNDLES_AT_ONCE)?;
            self.bundles.1 = owed.len() >= BUNDLES_AT_ONCE;
            for bundle in owed {
                self.bundles.0 = bundle.n;
                let message = OwedPage {
                    page_id: bundle.id,
                    incident: bundle.id,
                    step: 0,
                    repeat: 0,
                    at: bundle.at,
                    urgency: bundle.urgency,
                    number: 0,
                    station: Arc::default(),
                    carries: Carries::Bundle,
                    apart: bundle.is_part,
                };
                if bundle.is_part {
                    self.again.push(message);
                } else if let Some(ready) = self.ready.get_mut(usize::from(bundle.urgency.place()))
                {
                    ready.push_back(message);
                }
            }
        }
        Ok(())
    }

    /// Whether it is time to look over what is owed.
    fn is_time(&mut self, now: Ms, every: Ms) -> bool {
        let few = self.backlog.len() <= self.pacer.carries(now);
        let next = self.looked_at.map(|at| at + every).filter(|next| *next > now && !few);
        if let Some(next) = next {
            self.wake(next - now);
            return false;
        }
        self.looked_at = Some(now);
        true
    }

    fn wake(&mut self, after: Ms) {
        let after = Duration::from_millis(u64::try_from(after).unwrap_or(0));
        self.again_at = Some(Instant::now() + after);
    }

    /// What goes now of the backlog: single pages are ready then; bundles are given back.
    fn plan(&mut self, now: Ms) -> Vec<Vec<Ulid>> {
        let due = self.backlog.iter().map(|page| Due {
            page_id: page.page_id,
            station: page.station.clone(),
            urgency: page.urgency,
            number: page.number.cast_unsigned(),
        });
        let sendings = self.pacer.send(due.collect(), now);
        self.again_at = None;
        if let Some(at) = sendings.again_at {
            self.wake(at - now);
        }
        let mut singles: HashMap<Ulid, usize> = HashMap::new();
        let mut bundles = Vec::new();
        for (message, at) in sendings.now.into_iter().zip(0..) {
            match message {
                Dispatch::Single(id) => _ = singles.insert(id, at),
                Dispatch::Bundle(pages) => bundles.push(pages),
            }
        }
        if !bundles.is_empty() {
            self.asked = (self.asked.0 + bundles.len(), now);
        }
        let mut bundled: Vec<Ulid> = bundles.iter().flatten().copied().collect();
        bundled.sort_unstable();
        let sent = |page: &mut OwedPage| {
            singles.contains_key(&page.page_id) || bundled.binary_search(&page.page_id).is_ok()
        };
        let mut sent: Vec<OwedPage> = self.backlog.extract_if(.., sent).collect();
        sent.retain(|page| singles.contains_key(&page.page_id));
        sent.sort_by_key(|page| singles.get(&page.page_id).copied());
        for page in sent {
            if let Some(ready) = self.ready.get_mut(usize::from(page.urgency.place())) {
                ready.push_back(page);
            }
        }
        if self.backlog.is_empty() {
            self.backlog.shrink_to(BUNDLES_AT_ONCE);
        }
        bundles
    }

    /// Whether a bundle was asked for here, and so has its place in the pace.
    fn was_asked(&mut self, now: Ms) -> bool {
        if now - self.asked.1 > BUNDLE_COMES {
            self.asked.0 = 0;
        }
        let asked = self.asked.0 > 0;
        self.asked.0 = self.asked.0.saturating_sub(1);
        asked
    }
}

impl Task {
    /// Plans what is sent now of what was read. Bundles are asked of the engine.
    pub(super) async fn plan(&mut self, at: Stamp) -> Result<(), Unavailable> {
        let now = at.steady();
        let every = match &self.failing {
            Some(failing) if now - failing.since >= REFUSED_MOST => LOOK_EVERY_WHILE_FAILING,
            Some(_) | None => LOOK_EVERY,
        };
        if self.paced.is_time(now, every) {
            for pages in self.paced.plan(now) {
                let receiver = self.webhook.name.clone();
                self.setup.engine.report(Input::Bundle { receiver, pages }.at(at)).await?;
            }
        }
        Ok(())
    }

    /// Reads what is owed.
    pub(super) fn read(&mut self, now: Stamp) -> Result<(), StoreError> {
        let place = &self.setup.store;
        let reader = match self.reader.take().filter(|reader| reader.is_at(place)) {
            Some(reader) => reader,
            None => Reader::at(place)?,
        };
        let name = &self.webhook.name;
        if self.older.is_none() {
            self.paced.remember(&reader, name, now)?;
            self.older = Some(reader.newest_owed_to_webhook(name)?);
        }
        self.paced.fill(&reader, name, |page| self.tried.knows(page))?;
        for page in std::mem::take(&mut self.paced.again) {
            // Not known any more at the next start else: it may wait for long here.
            self.tried.note(page.page_id);
            self.waiting.try_soon(&page, kind(&page), (now.steady(), Instant::now()));
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Whether it is a bundle of before this gateway started.
    pub(super) fn was_owed_before(&mut self, page: &OwedPage) -> bool {
        match page.carries {
            Carries::Page => false,
            Carries::Bundle => !self.paced.was_asked(self.setup.clock.stamp().steady()),
        }
    }
}

#[cfg(test)]
mod tests;
