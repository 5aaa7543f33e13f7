//! What a receiver is sent now of what it is owed: pages one by one as long as its pace carries them,
//! and beyond that bundles.
//!
//! | while … | it is sent |
//! |---|---|
//! | what it is owed is no more than its pace carries | single pages |
//! | more is owed | the first fire of each station alone, at once; the rest in a bundle for each station, where its pace allows so many, else in one bundle of everything |
//! | there are more such first fires than messages left | one bundle of everything, at once |
//!
//! A bundle has no more members than its receiver reads (`Pace::members`): what is more waits for the next.
//!
//! Bundles leave some messages to first fires, which so wait for nothing but a pace that first fires used up.
//! New fires go before other fires, then what is worse, then what is older. In a storm a receiver that
//! takes few messages is told evenly: what is left of its minute is spread over the minute, so that it
//! never falls silent for long.
//!
//! Nothing here knows how a message travels. What is given back counts as sent; what is not, is owed
//! still, and is given again with what came meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ulid::Ulid;

use crate::Ms;
use crate::changes::Urgency;

/// Bundles for one receiver are this far apart at least, ms: what comes meanwhile is told together.
pub const ROUND_MS: Ms = 250;
/// What the pace carries within this is not bundled, ms.
const PATIENCE_MS: Ms = 5_000;
/// A station of which nothing new was told for so long has a first fire again, ms.
const QUIET_MS: Ms = 600_000;
/// One in so many messages is left to those that tell of a fire, and to bundles when single pages or
/// what is tried again take the others.
const LEFT: usize = 4;
/// One in so many is left to the first fires of stations: bundles, of fires too, take none of these …
const LEFT_TO_FIRSTS: usize = 8;
/// … until the receiver was sent nothing for so long, ms.
const SILENCE_MS: Ms = 10_000;
/// What is no fire goes singly up to one in so many: a burst of it leaves fires the other half.
const UPKEEP_SINGLY: usize = 2;
/// What is refused over and over while others are taken has one in so many.
const LAST: Ms = 8;

/// How much a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many messages …
    pub messages: usize,
    /// … within any span of so many ms.
    pub within_ms: Ms,
    /// No more single pages than these are planned at once: what a receiver is sent side by side a
    /// few times over.
    pub singly: usize,
    /// Members of one bundle at most: a program has to find each of them in it.
    pub members: usize,
}

impl Pace {
    /// Messages that are left to fires and to bundles.
    const fn left(self) -> usize {
        self.messages / LEFT
    }
}

/// A page that a receiver is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub page_id: Ulid,
    /// The station of its incident; empty: every district station's.
    pub station: Arc<str>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Of two pages of one urgency, the lower goes first.
    pub number: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatch {
    Single(Ulid),
    /// Several pages, the most urgent first.
    Bundle(Vec<Ulid>),
}

/// What is to be sent now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sendings {
    /// In this order.
    pub now: Vec<Dispatch>,
    /// When to ask again though nothing new is owed; `None`: all of it is sent.
    pub again_at: Option<Ms>,
}

/// What one receiver was sent of late.
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: Pace,
    /// When it was sent what it was sent within its span, the oldest first.
    spent: VecDeque<Ms>,
    /// Stations whose new fires it was told of of late, and when last.
    told: BTreeMap<Arc<str>, Ms>,
    bundled_at: Option<Ms>,
    /// When it was last sent what has to wait for its time: a bundle, or few pages in place of one.
    spoke_at: Option<Ms>,
    /// The same of what told of a fire.
    fires_at: Option<Ms>,
    /// When it was last tried with what it refuses while it takes others.
    last_tried_at: Option<Ms>,
}

impl Pacer {
    /// Of a receiver that was sent nothing yet.
    #[must_use]
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            spent: VecDeque::new(),
            told: BTreeMap::new(),
            bundled_at: None,
            spoke_at: None,
            fires_at: None,
            last_tried_at: None,
        }
    }

    /// How much its receiver takes.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// It was sent messages so many ms ago, before this gateway started: they take their places in the
    /// pace. Of what seems to be sent in the time to come nothing is known: a clock was set, and no fire
    /// waits for that.
    pub fn was_sent(&mut self, ago: impl IntoIterator<Item = Ms>, now: Ms) {
        let known = ago.into_iter().filter(|ago| *ago >= 0);
        self.spent.extend(known.map(|ago| now - ago));
        self.spent.make_contiguous().sort_unstable();
    }

    /// How many messages it takes now.
    pub fn free(&mut self, now: Ms) -> usize {
        while self.spent.front().is_some_and(|at| now - *at >= self.pace.within_ms) {
            self.spent.pop_front();
        }
        self.pace.messages.saturating_sub(self.spent.len())
    }

    /// Whether it was sent nothing within its span.
    pub fn is_idle(&mut self, now: Ms) -> bool {
        self.free(now) == self.pace.messages
    }

    /// Whether it takes a message now that it refused before. What is refused over and over leaves some
    /// of the pace to what it was never sent: a new fire waits behind no old one.
    pub fn may_try_again(&mut self, now: Ms) -> bool {
        self.free(now) > self.pace.left()
    }

    /// Whether it is time for what it refuses while it takes others: that has a small part of the pace.
    pub fn may_try_last(&self, now: Ms) -> bool {
        self.last_tried_at.is_none_or(|at| now - at >= self.slot() * LAST)
    }

    /// What it refuses while it takes others is tried.
    pub const fn tried_last(&mut self, now: Ms) {
        self.last_tried_at = Some(now);
    }

    /// A message that is no page, or one that is sent again, takes its place in the pace.
    pub fn sent(&mut self, now: Ms) {
        self.spent.push_back(now);
    }

    /// How many pages may be sent singly now at most: with more than these, all that is owed is to be
    /// known.
    pub fn carries(&mut self, now: Ms) -> usize {
        self.at_once(now).max(self.soon()).min(self.pace.singly).max(1)
    }

    /// How many messages are left to single pages. None are while there were bundles of late: what came
    /// since would take those of the next ones.
    fn at_once(&mut self, now: Ms) -> usize {
        let storm = self.bundled_at.is_some_and(|at| now - at < self.pace.within_ms);
        if storm { 0 } else { self.free(now).saturating_sub(self.pace.left()) }
    }

    /// So few pages that their time comes soon, one by one.
    fn soon(&self) -> usize {
        usize::try_from(PATIENCE_MS / self.slot().max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// What to send of what is owed: its order does not matter. `now` never goes back.
    pub fn send(&mut self, mut due: Vec<Due>, now: Ms) -> Sendings {
        self.told.retain(|_, at| now - *at < QUIET_MS);
        if due.is_empty() {
            return Sendings::default();
        }
        let (owed, free) = (due.len(), self.free(now));
        if free == 0 {
            return Sendings { now: Vec::new(), again_at: self.free_at(now) };
        }
        due.sort_by_key(|page| (page.urgency, page.number));
        let firsts = self.firsts(&due);
        let mut out = Out::default();
        let reserved = self.reserved(now);
        let few = owed <= self.pace.singly && firsts.len() <= free;
        if few && owed <= self.at_once(now) {
            self.at_once_singly(due, (firsts, free), now, &mut out);
        } else if few && owed <= self.soon() && self.any_in_turn(&due, free, now) {
            self.singly(self.in_turn(due, free, now), (firsts, free), &mut out);
            self.spoke(&out, 0, now);
        } else if firsts.len() + reserved < free {
            let left = free - firsts.len() - reserved;
            let rest = Self::alone(due, &firsts, &mut out);
            let fires = out.fires;
            self.bundle(self.in_turn(rest, left, now), (left, reserved), &mut out);
            if out.messages.len() > firsts.len() {
                self.spoke(&out, fires, now);
            }
        } else if firsts.len() <= reserved && firsts.len() < free {
            Self::alone(due, &firsts, &mut out);
        } else {
            self.everything(due, &firsts, free, &mut out);
            self.spoke(&out, 0, now);
        }
        if out.messages.iter().any(|message| matches!(message, Dispatch::Bundle(_))) {
            self.bundled_at = Some(now);
        }
        self.told.extend(out.told.into_iter().map(|station| (station, now)));
        self.spent.extend(out.messages.iter().map(|_| now));
        let again_at = if out.pages < owed { self.again_at(now) } else { None };
        Sendings { now: out.messages, again_at }
    }

    /// Messages that are left to the first fires of stations now.
    fn reserved(&self, now: Ms) -> usize {
        let silent = self.spent.back().is_none_or(|at| now - at >= SILENCE_MS);
        if silent { 0 } else { self.pace.messages / LEFT_TO_FIRSTS }
    }

    /// How far apart messages are, ms, when they come evenly.
    fn slot(&self) -> Ms {
        self.pace.within_ms / Ms::try_from(self.pace.messages.max(1)).unwrap_or(Ms::MAX)
    }

    /// The first new fire of each station that this receiver was told of none yet.
    fn firsts(&self, due: &[Due]) -> BTreeSet<Ulid> {
        let mut stations = BTreeSet::new();
        let new = due.iter().filter(|page| page.urgency == Urgency::NewFire);
        let first = new.filter(|page| !self.told.contains_key(&page.station));
        first.filter(|page| stations.insert(&page.station)).map(|page| page.page_id).collect()
    }

    /// One by one, as many as there are messages for: first fires, then in their order.
    fn singly(&self, due: Vec<Due>, (firsts, free): (BTreeSet<Ulid>, usize), out: &mut Out) {
        let rest = Self::alone(due, &firsts, out);
        for page in rest {
            let left = free - out.messages.len();
            let kept = if is_fire(&page) { 0 } else { self.pace.left() };
            if left > kept {
                out.single(&page);
            }
        }
    }

    /// The same when there is a message for each; but a burst of upkeep is told together, and so leaves some
    /// messages to the fires of this span.
    fn at_once_singly(
        &mut self,
        due: Vec<Due>,
        (firsts, free): (BTreeSet<Ulid>, usize),
        now: Ms,
        out: &mut Out,
    ) {
        let upkeep = due.iter().filter(|page| !is_fire(page)).count();
        let left = free - (due.len() - upkeep);
        if upkeep <= left.saturating_sub(self.pace.messages / UPKEEP_SINGLY) {
            return self.singly(due, (firsts, free), out);
        }
        let (fires, upkeep) = due.into_iter().partition(is_fire);
        self.singly(fires, (firsts, free), out);
        let (alone, reserved) = (out.messages.len(), self.reserved(now));
        let left = left.saturating_sub(reserved);
        self.bundle(self.in_turn(upkeep, left, now), (left, reserved), out);
        if out.messages.len() > alone {
            self.spoke_at = Some(now);
        }
    }

    /// First fires, each alone; gives back the others.
    fn alone(due: Vec<Due>, firsts: &BTreeSet<Ulid>, out: &mut Out) -> Vec<Due> {
        let (first, rest): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|page| firsts.contains(&page.page_id));
        for page in first {
            out.single(&page);
        }
        rest
    }

    /// Everything at once, in as few messages as carry it: no first fire waits for one of its own.
    fn everything(&self, due: Vec<Due>, firsts: &BTreeSet<Ulid>, free: usize, out: &mut Out) {
        let (mut all, rest): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|page| firsts.contains(&page.page_id));
        all.extend(rest);
        for mut pages in self.in_parts(all).into_iter().take(free) {
            pages.sort_by_key(|page| (page.urgency, page.number));
            out.all(pages);
        }
    }

    /// What is not sent at once and whose time has come: all of it, or what tells of fires. What is left of a
    /// span is spread over it, for fires as if there were nothing else: they wait for no upkeep.
    fn in_turn(&self, mut due: Vec<Due>, left: usize, now: Ms) -> Vec<Due> {
        due.retain(|page| self.is_in_turn(page, left, now));
        due
    }

    fn any_in_turn(&self, due: &[Due], left: usize, now: Ms) -> bool {
        due.iter().any(|page| self.is_in_turn(page, left, now))
    }

    fn is_in_turn(&self, page: &Due, left: usize, now: Ms) -> bool {
        let gap = self.gap(left, now);
        let over = |at: Option<Ms>| at.is_none_or(|at| now - at >= gap);
        over(self.spoke_at) || is_fire(page) && over(self.fires_at)
    }

    /// What had to wait for its time is sent. So many fires had not.
    fn spoke(&mut self, out: &Out, fires: usize, now: Ms) {
        self.spoke_at = Some(now);
        if out.fires > fires {
            self.fires_at = Some(now);
        }
    }

    fn gap(&self, left: usize, now: Ms) -> Ms {
        let over = self.spent.front().map_or(0, |first| first + self.pace.within_ms - now);
        let even = over / Ms::try_from(left.max(1)).unwrap_or(Ms::MAX);
        even.max(self.round())
    }

    fn round(&self) -> Ms {
        self.slot().max(ROUND_MS)
    }

    /// All of it in bundles: for each station, where so many are within the pace, else in one.
    fn bundle(&self, rest: Vec<Due>, (left, reserved): (usize, usize), out: &mut Out) {
        let round = usize::try_from(self.round()).unwrap_or(usize::MAX);
        let within = usize::try_from(self.pace.within_ms.max(1)).unwrap_or(usize::MAX);
        let carried = (self.pace.messages.saturating_mul(round) / within).min(left);
        let mut stations: BTreeMap<Arc<str>, Vec<Due>> = BTreeMap::new();
        for page in rest {
            stations.entry(page.station.clone()).or_default().push(page);
        }
        let parts = |pages: &Vec<Due>| pages.len().div_ceil(self.pace.members.max(1));
        let groups: Vec<Vec<Due>> = if stations.values().map(parts).sum::<usize>() <= carried {
            stations.into_values().flat_map(|pages| self.in_parts(pages)).collect()
        } else {
            let mut all: Vec<_> = stations.into_values().flatten().collect();
            all.sort_by_key(|page| (page.urgency, page.number));
            // What does not fit into so many waits for the next ones: nothing is left out of a bundle.
            self.in_parts(all).into_iter().take(carried.max(1)).collect()
        };
        let mut groups: Vec<_> = groups.into_iter().filter(|pages| !pages.is_empty()).collect();
        groups.sort_by_key(|pages| pages.first().map(|worst| (worst.urgency, worst.number)));
        let mut left = left;
        let kept = self.pace.left().saturating_sub(reserved);
        for pages in groups {
            let fire = pages.first().is_some_and(is_fire);
            if left > if fire { 0 } else { kept } {
                left -= 1;
                out.all(pages);
            }
        }
    }

    fn in_parts(&self, pages: Vec<Due>) -> Vec<Vec<Due>> {
        pages.chunks(self.pace.members.max(1)).map(<[Due]>::to_vec).collect()
    }

    /// When it takes a message more than now.
    fn free_at(&self, now: Ms) -> Option<Ms> {
        let at = self.spent.front().map(|first| first + self.pace.within_ms);
        Some(at.unwrap_or(now).max(now + 1))
    }

    /// When more of what is owed may be sent.
    fn again_at(&mut self, now: Ms) -> Option<Ms> {
        let reserved = self.reserved(now);
        let left = self.free(now).saturating_sub(reserved);
        let told = [self.spoke_at, self.fires_at].into_iter().flatten();
        let gap = self.gap(left, now);
        let bundles = told.map(|at| at + gap).filter(|_| left > 0);
        let silent = self.spent.back().map(|at| at + SILENCE_MS).filter(|_| reserved > 0);
        let soon = bundles.chain(silent).filter(|at| *at > now);
        soon.chain(self.free_at(now)).min()
    }
}

/// Whether it tells of a fire.
fn is_fire(page: &Due) -> bool {
    page.urgency <= Urgency::Fire
}

#[derive(Default)]
struct Out {
    messages: Vec<Dispatch>,
    /// How many pages about fires they are.
    fires: usize,
    /// How many pages they are.
    pages: usize,
    /// Stations of which they tell a new fire.
    told: BTreeSet<Arc<str>>,
}

impl Out {
    fn single(&mut self, page: &Due) {
        self.tells(page);
        self.messages.push(Dispatch::Single(page.page_id));
    }

    fn tells(&mut self, page: &Due) {
        self.pages += 1;
        self.fires += usize::from(is_fire(page));
        if page.urgency == Urgency::NewFire {
            self.told.insert(page.station.clone());
        }
    }

    /// A bundle of one is a page.
    fn all(&mut self, pages: Vec<Due>) {
        if let [page] = &*pages {
            return self.single(page);
        }
        pages.iter().for_each(|page| self.tells(page));
        self.messages.push(Dispatch::Bundle(pages.into_iter().map(|page| page.page_id).collect()));
    }
}

#[cfg(test)]
mod tests;
