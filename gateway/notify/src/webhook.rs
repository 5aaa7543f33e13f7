//! Webhooks, robots of chats, mail and text messages: one sender each, so that a slow one delays
//! no other.
//!
//! A sender's queue is what the store says is owed to it, new fires first, and is taken from its head
//! (`queue.rs`); what it has in hand is bounded. Pages about one incident are sent one after the other,
//! in the order they were owed. A page that is refused waits for its own next attempt and keeps no other
//! back (`retry.rs`); what a receiver wishes to be left alone for, holds for everything but fires. Each
//! receiver has a pace: what is owed beyond it is bundled. Retry state is in memory
//! alone: after a restart everything owed is simply tried again, under the same `Idempotency-Key` and
//! in the same words.
//!
//! What is refused for what it says is in `webhook/apart.rs`. What is sent at its pace, one by one or in bundles, is in `webhook/paced.rs`, which of that is next
//! and what it says in `webhook/next.rs`; how each format is sent, in `standpipe_receivers::formats`.

mod apart;
mod news;
mod next;
mod paced;
mod tried;

use std::collections::{HashMap, HashSet};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use metrics::counter;
use standpipe_config::Webhook;
use standpipe_engine::{Input, Unavailable};
use standpipe_machine::clock::Stamp;
use standpipe_machine::threads;
use standpipe_receivers::{About, Answer, Blames, Caller, OutgoingMessage, WaitWish};
use standpipe_rules::Ms;
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::{IncidentId, ReceiverNews, with_page, with_suspicion};
use standpipe_store::Reader;
use standpipe_store::digests::DigestNews;
use standpipe_store::reader::{Carries, OwedPage};
use standpipe_words::cap::Earlier;
use standpipe_words::day::Hour;
use standpipe_words::message::Desk;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{error, info, warn};
use ulid::Ulid;

use self::apart::Probes;
use self::news::{Failing, LastNews};
use self::next::{PageWords, Sent};
use self::paced::Paced;
use self::tried::TriedPages;
use super::deliver::{attempt, callers};
use super::digests::{self, Digests};
use super::retry::{GIVE_UP_AFTER, LONGEST_ASKED, Refusal, RetryKind, RetryQueue};
use super::{NET, SenderSetup, keeper};

/// Pages on their way to one receiver at one time.
const IN_FLIGHT: usize = 24;
/// Those of them at most that are no new fires: what hangs in a receiver must not keep a new fire out.
const LESSER_MOST: usize = 12;
/// Urgencies of its queue.
const URGENCIES: u8 = Urgency::ALL.len() as u8;
/// A page that waits for something to be written down is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A gateway that stops waits this long for receivers to answer.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// A receiver that has refused a page for so long is not well, whatever else it takes, ms.
const REFUSED_MOST: Ms = 10_000;

/// Starts the senders, all on one thread of their own. They end after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread, or no TLS.
pub fn start(
    setup: SenderSetup,
    webhooks: &[Webhook],
    (desk, hour): (&Desk, Option<Hour>),
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let callers = callers(webhooks).map_err(std::io::Error::other)?;
    let tried = tried::open(setup.noted_beside.as_deref(), webhooks.len());
    let one =
        |((webhook, caller), tried)| Task::new(setup.clone(), (caller, tried), (webhook, desk));
    let mut tasks: Vec<_> = webhooks.iter().zip(callers).zip(tried).map(one).collect();
    let (all, url) = (webhooks.to_vec(), desk.url.clone());
    threads::start("notify-webhooks", move || {
        runtime.block_on(async {
            let mut senders = JoinSet::new();
            let names = tasks.iter().map(|task| task.webhook.name.clone()).collect();
            if let Some(hour) = hour {
                let setup = setup.clone();
                senders.spawn(async move { keeper::run(setup, (hour, url), &all).await });
            }
            senders.spawn(async move { give_up_orphans(setup, names).await });
            for task in tasks.drain(..) {
                senders.spawn(async move { task.run().await });
            }
            while senders.join_next().await.is_some() {}
        });
    })
}

/// Pages to webhooks that are configured no more can never be sent: given up at start.
async fn give_up_orphans(setup: SenderSetup, names: Vec<Box<str>>) -> Result<(), Unavailable> {
    let owed = Reader::open(&setup.store.path()).and_then(|reader| reader.orphaned_pages(&names));
    let owed = owed.unwrap_or_else(|why| {
        warn!("webhooks: what is owed cannot be read ({why})");
        Vec::new()
    });
    for (page_id, webhook) in owed {
        error!("page {page_id} is given up: no webhook is named `{webhook}` any more");
        let why = "the webhook is configured no more".into();
        setup.engine.report(Input::GaveUp { page_id, why }.at(setup.clock.stamp())).await?;
    }
    let owed = Reader::open(&setup.store.path()).and_then(|reader| reader.owed_digests());
    for digest in owed.unwrap_or_default() {
        if !names.contains(&digest.which.receiver) {
            let news = DigestNews::GaveUp(digest.which, setup.clock.now());
            setup.engine.report(Input::Digest(news)).await?;
        }
    }
    Ok(())
}

/// Sends one webhook what it is owed, until it is told to stop.
struct Task {
    setup: SenderSetup,
    caller: Caller,
    webhook: Webhook,
    desk: Desk,
    reader: Option<Reader>,
    flights: FuturesUnordered<BoxFuture<'static, LandedPage>>,
    /// What they are about, and further pages about that.
    busy: HashMap<IncidentId, Vec<OwedPage>>,
    /// What is owed, and what of it is sent now.
    paced: Paced,
    /// Pages up to this number were owed before this gateway started: one may have been sent already.
    older: Option<i64>,
    /// Pages that wait for something to be written down.
    unwritten: Vec<OwedPage>,
    /// Those of them whose words are asked for.
    reworded: HashSet<Ulid>,
    /// Pages that were sent singly, now or before this gateway started.
    tried: TriedPages,
    /// The last page that was taken about an incident, until the store knows.
    taken: HashMap<IncidentId, Ulid>,
    /// What was refused, and is tried again.
    waiting: RetryQueue,
    /// Bundles that are taken apart while nothing else is taken.
    probes: Probes,
    /// What is no fire is not sent before: the receiver wishes so.
    hold: Option<Instant>,
    /// Those of [`Self::flights`] that are no new fires.
    lesser: usize,
    /// What the engine was told last of the receiver; `None`: nothing yet.
    told: Option<LastNews>,
    failing: Option<Failing>,
    digests: Digests,
}

/// An attempt that has come to its end.
struct LandedPage {
    page: OwedPage,
    answer: Answer,
    room: FlightRoom,
    begun: Ms,
}

/// Whose place among the flights one takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FlightRoom {
    /// A fire that is tried for the first time may take any.
    NewFire,
    /// Everything else leaves some of them free.
    Lesser,
}

impl Task {
    fn new(
        setup: SenderSetup,
        (caller, tried): (Caller, TriedPages),
        (webhook, desk): (&Webhook, &Desk),
    ) -> Self {
        Self {
            webhook: webhook.clone(),
            desk: desk.clone(),
            reader: None,
            flights: FuturesUnordered::new(),
            busy: HashMap::new(),
            paced: Paced::new(webhook.pace),
            older: None,
            unwritten: Vec::new(),
            reworded: HashSet::new(),
            tried,
            taken: HashMap::new(),
            waiting: RetryQueue::default(),
            probes: Probes::new(&webhook.name),
            hold: None,
            lesser: 0,
            told: None,
            failing: None,
            digests: Digests::new(&webhook.name),
            setup,
            caller,
        }
    }

    async fn run(mut self) -> Result<(), Unavailable> {
        let stop = self.setup.stop.clone();
        let mut bell = self.setup.rings.webhooks.clone();
        let mut net = interval(NET);
        net.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.next_due();
            tokio::select! {
                () = stop.cancelled() => return self.hear_last_answers().await,
                Some(landed) = self.flights.next() => self.landed(landed).await?,
                landed = self.digests.landed() => self.digest_landed(landed).await?,
                rung = bell.changed() => {
                    rung.map_err(|_| Unavailable::Stopped)?;
                    self.paced.rung();
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = net.tick() => {
                    self.paced.rung();
                    self.forget_what_the_store_knows();
                    self.tell_that_it_still_refuses().await?;
                }
            }
            self.take_off().await?;
        }
    }

    /// Waits a moment for the answers to what is on its way: a page or a digest whose receipt is heard
    /// before the gateway stops is not sent a second time after it.
    async fn hear_last_answers(&mut self) -> Result<(), Unavailable> {
        let answers = async {
            while !self.flights.is_empty() || self.digests.is_on_its_way() {
                tokio::select! {
                    Some(landed) = self.flights.next() => self.landed(landed).await?,
                    landed = self.digests.landed() => self.digest_landed(landed).await?,
                }
            }
            Ok(())
        };
        timeout(LAST_ANSWERS, answers).await.unwrap_or(Ok(()))
    }

    /// When there is something to do that no bell tells of.
    fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let hold = self.hold.filter(|until| *until > now);
        let again = (!self.unwritten.is_empty()).then(|| now + LOOK_AGAIN);
        let more = [self.waiting.next(), self.paced.again_at()];
        more.into_iter().flatten().chain(hold).chain(again).min()
    }

    /// Sends what is owed, as far as there is room.
    async fn take_off(&mut self) -> Result<(), Unavailable> {
        for page in std::mem::take(&mut self.unwritten) {
            self.put_back(page);
        }
        let now = self.setup.clock.stamp();
        if let Err(why) = self.read(now) {
            let name = &self.webhook.name;
            warn!("webhook {name}: what is owed cannot be read ({why}); trying again");
            return Ok(());
        }
        self.plan(now).await?;
        while let Some((page, room)) = self.next_page() {
            if self.consider(page, room).await? == Sent::NotNow {
                return Ok(());
            }
        }
        if self.paced.is_empty() && self.waiting.holds_nothing_up() && self.unwritten.is_empty() {
            self.take_off_digest();
        }
        Ok(())
    }

    /// Sends a page, if it may be sent now.
    async fn consider(&mut self, page: OwedPage, room: FlightRoom) -> Result<Sent, Unavailable> {
        if let Some(behind) = self.busy.get_mut(&page.incident) {
            behind.push(page);
            return Ok(Sent::Settled);
        }
        let now = self.setup.clock.stamp();
        if let Some(why) = self.too_late(&page, now.told()) {
            self.give_up(&page, &why, now).await?;
            return Ok(Sent::Settled);
        }
        let again = self.waiting.knows(page.page_id);
        let refused = page.apart || self.waiting.was_refused(page.page_id);
        if refused && kind(&page) == RetryKind::Fire && self.is_taken_by_somebody(&page) {
            self.is_not_needed(&page, now).await?;
            return Ok(Sent::Settled);
        }
        let (wire, earlier) = match self.words(&page) {
            Ok(PageWords::Known { wire, earlier }) => (wire, earlier),
            Ok(PageWords::NotWritten) => {
                self.unwritten.push(page);
                return Ok(Sent::Settled);
            }
            Ok(PageWords::New) => {
                let page_id = page.page_id;
                self.unwritten.push(page);
                if self.reworded.insert(page_id) {
                    self.setup.engine.report(Input::Reword { page_id }).await?;
                }
                return Ok(Sent::Settled);
            }
            Ok(PageWords::OwedNoMore) => {
                self.waiting.forget(page.page_id);
                self.reworded.remove(&page.page_id);
                return Ok(Sent::Settled);
            }
            Err(why) => {
                let name = &self.webhook.name;
                warn!("webhook {name}: a page cannot be read ({why}); trying again");
                self.reader = None;
                self.put_back(page);
                return Ok(Sent::NotNow);
            }
        };
        // What was planned has its place in the pace already.
        if (again || self.was_owed_before(&page)) && !self.paced.may_send_more(now.steady()) {
            self.put_back(page);
            return Ok(Sent::NotNow);
        }
        self.reworded.remove(&page.page_id);
        match page.carries {
            Carries::Page => self.tried.note(page.page_id),
            Carries::Bundle => {}
        }
        self.busy.insert(page.incident, Vec::new());
        self.lesser += usize::from(room == FlightRoom::Lesser);
        let flight = self.attempt(page, room, (wire, earlier));
        self.flights.push(flight);
        Ok(Sent::Settled)
    }

    /// Whether somebody has acknowledged an incident. When in doubt, nobody has.
    fn is_taken_by_somebody(&self, page: &OwedPage) -> bool {
        let open = self.reader.as_ref().map(|reader| match page.carries {
            Carries::Page => reader.is_open(page.incident),
            Carries::Bundle => reader.bundle_is_open(page.page_id),
        });
        matches!(open, Some(Ok(false)))
    }

    /// Sends a digest, when no page is owed, and the receiver was sent nothing within the span of its
    /// pace.
    fn take_off_digest(&mut self) {
        if !self.flights.is_empty() || !self.digests.may(Instant::now()) {
            return;
        }
        let Some(reader) = &self.reader else { return };
        let owed = reader.digests_owed_to(&self.webhook.name).unwrap_or_else(|why| {
            warn!("webhook {}: digests cannot be read ({why}); trying again", self.webhook.name);
            Vec::new()
        });
        let Some(next) = self.digests.next(owed) else { return };
        let steady = self.setup.clock.stamp().steady();
        let may = if self.waiting.is_empty() {
            self.paced.may_send_first(steady)
        } else {
            self.paced.may_send_beside_refused(steady)
        };
        if !may {
            return;
        }
        let sent = digests::sent(&next);
        let attempt = attempt(&self.caller, &self.webhook, sent, &self.desk, &self.setup.clock);
        self.digests.take_off(Box::pin(async move { (next, attempt.await) }));
    }

    async fn digest_landed(&mut self, landed: digests::LandedDigest) -> Result<(), Unavailable> {
        let news = self.digests.settle(landed, self.setup.clock.now(), Instant::now());
        match news {
            Some(news) => self.setup.engine.report(Input::Digest(news)).await,
            None => Ok(()),
        }
    }

    /// Why not even to try: it is too old, and the receiver does not take anything.
    fn too_late(&self, page: &OwedPage, now: Ms) -> Option<String> {
        let failing = self.failing.as_ref()?;
        if kind(page) == RetryKind::Fire {
            return None;
        }
        self.is_too_old(page, now).then(|| failing.why.clone())
    }

    /// Whether a page is owed for too long. None is while nobody knows what time it is.
    fn is_too_old(&self, page: &OwedPage, now: Ms) -> bool {
        now - page.at >= GIVE_UP_AFTER && !self.setup.clock.is_doubted()
    }

    fn attempt(
        &self,
        page: OwedPage,
        room: FlightRoom,
        (wire, earlier): (Box<str>, Vec<Earlier>),
    ) -> BoxFuture<'static, LandedPage> {
        let (about, wire) = match page.carries {
            Carries::Page => (About::Incident, with_page(&wire, page.page_id)),
            Carries::Bundle => (About::Bundle, wire.into()),
        };
        let (page_id, at) = (page.page_id.to_string(), page.at);
        let suspected = self.setup.doubt.is_suspected(self.setup.clock.stamp().steady());
        let wire = if suspected { with_suspicion(&wire) } else { wire };
        let message = OutgoingMessage { about, page_id, at, wire, earlier };
        let attempt = attempt(&self.caller, &self.webhook, message, &self.desk, &self.setup.clock);
        let begun = self.setup.clock.stamp().steady();
        Box::pin(async move { LandedPage { page, answer: attempt.await, room, begun } })
    }

    async fn landed(&mut self, landed: LandedPage) -> Result<(), Unavailable> {
        let LandedPage { page, answer, room, begun } = landed;
        let now = self.setup.clock.stamp();
        for behind in self.busy.remove(&page.incident).into_iter().flatten().rev() {
            self.put_back(behind);
        }
        self.lesser -= usize::from(room == FlightRoom::Lesser);
        match answer {
            Answer::Taken => {
                self.takes_again(page.page_id, now.steady());
                counter!("standpipe_pages_delivered_total", "kind" => "webhook").increment(1);
                self.remember_taken(&page);
                let delivered = Input::Delivered { page_id: page.page_id }.at(now);
                self.setup.engine.report(delivered).await?;
                self.tell_that_it_takes(now).await
            }
            Answer::Never { why, blames }
                if kind(&page) == RetryKind::Other && !apart::may_be(&page, blames) =>
            {
                let news = ReceiverNews::RefusesForGood { answer: why.as_str().into() };
                self.give_up(&page, &why, now).await?;
                self.tell(news, now).await
            }
            Answer::Never { why, blames } => {
                self.refused((&page, begun), (None, blames, why), now).await
            }
            Answer::Later { wait, why, blames } => {
                self.refused((&page, begun), (wait, blames, why), now).await
            }
        }
    }

    /// It took a page. What waits because it took none for a while waits no more.
    fn takes_again(&mut self, page: Ulid, now: Ms) {
        let instant = Instant::now();
        self.probes.reset();
        let mut all_due = self.waiting.took(page, instant);
        if let Some(failing) = self.failing.take() {
            let for_ms = now - failing.since;
            let (name, seconds) = (&self.webhook.name, for_ms / 1_000);
            info!("webhook {name}: takes pages again after {seconds} s");
            all_due |= for_ms >= REFUSED_MOST;
        }
        if all_due {
            self.waiting.all_due(instant);
        }
    }

    /// A page was not taken, and is tried again.
    async fn refused(
        &mut self,
        (page, begun): (&OwedPage, Ms),
        (asked, blames, why): (Option<WaitWish>, Blames, String),
        now: Stamp,
    ) -> Result<(), Unavailable> {
        counter!("standpipe_page_failures_total", "kind" => "webhook").increment(1);
        let instant = Instant::now();
        if let Some(asked) = asked {
            let until = instant + asked.wait().min(LONGEST_ASKED);
            self.hold = self.hold.max(Some(until));
        }
        let of = (page, kind(page));
        let refusal = Refusal { asked, blames, at: instant };
        let for_ms = self.waiting.refused(of, begun, refusal, now.steady());
        let for_ms = self
            .failing
            .as_ref()
            .map_or(for_ms, |failing| for_ms.max(now.steady() - failing.since));
        if kind(page) == RetryKind::Other && self.is_too_old(page, now.told()) {
            self.give_up(page, &why, now).await?;
        }
        let news = ReceiverNews::Refuses { for_ms, answer: why.as_str().into() };
        // One that takes others does not fail, and what it is owed is planned as ever.
        if !self.waiting.is_last(page.page_id) {
            self.fails(why, begun, now.steady());
        }
        self.tell(news, now).await?;
        self.take_apart(page, now).await
    }

    /// A fire's page that was refused, and whose fire somebody has acknowledged meanwhile.
    async fn is_not_needed(&mut self, page: &OwedPage, now: Stamp) -> Result<(), Unavailable> {
        let last = self.failing.as_ref().map_or("", |failing| failing.why.as_str());
        let why = format!("somebody has acknowledged meanwhile; it was refused: {last}");
        info!(
            "webhook {}: page {} about incident {} is not tried any more: {why}",
            self.webhook.name, page.page_id, page.incident
        );
        self.owes_no_more(page, &why, now).await
    }

    async fn give_up(&mut self, page: &OwedPage, why: &str, now: Stamp) -> Result<(), Unavailable> {
        error!(
            "webhook {}: page {} about incident {} is given up ({why}): tell the receiver by \
             other means",
            self.webhook.name, page.page_id, page.incident
        );
        counter!("standpipe_pages_given_up_total", "webhook" => self.webhook.name.to_string())
            .increment(1);
        self.owes_no_more(page, why, now).await
    }

    async fn owes_no_more(
        &mut self,
        page: &OwedPage,
        why: &str,
        now: Stamp,
    ) -> Result<(), Unavailable> {
        self.waiting.forget(page.page_id);
        let (page_id, why) = (page.page_id, why.into());
        self.setup.engine.report(Input::GaveUp { page_id, why }.at(now)).await
    }
}

/// What becomes of a page that is refused.
fn kind(page: &OwedPage) -> RetryKind {
    kind_of(page.urgency)
}

fn kind_of(urgency: Urgency) -> RetryKind {
    match urgency {
        Urgency::NewFire | Urgency::Fire => RetryKind::Fire,
        Urgency::Critical | Urgency::Warning | Urgency::Notice => RetryKind::Other,
    }
}
