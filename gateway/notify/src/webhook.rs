//! Webhooks, robots of chats, mail and text messages: one sender each, so that a slow one delays
//! no other.
//!
//! A sender's queue is what the store says is owed to it, new fires first, and is taken from its head
//! (`queue.rs`); what it has in hand is bounded. Pages about one incident are sent one after the other, in the order they were owed. Some
//! receivers take so many messages a minute: a few of them are kept for fires. Retry state is in memory
//! alone: after a restart everything owed is simply tried again, under the same `Idempotency-Key`.
//!
//! How each format is sent is in `standpipe_receivers::formats`.

use std::collections::{HashSet, VecDeque};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use metrics::counter;
use standpipe_config::Webhook;
use standpipe_engine::{Inbox, Unavailable};
use standpipe_machine::backoff::Backoff;
use standpipe_machine::clock::Stamp;
use standpipe_receivers::{About, Answer, Caller, EarlierMessages, MinuteLimit, OutgoingMessage};
use standpipe_rules::Ms;
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::{IncidentId, with_page};
use standpipe_store::digests::News;
use standpipe_store::reader::{OwedPage, PageMessage};
use standpipe_store::{Reader, StoreError};
use standpipe_words::cap::Earlier;
use standpipe_words::day::Hour;
use standpipe_words::message::Desk;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{error, info, warn};

use super::deliver::{attempt, callers};
use super::digests::{self, Digests};
use super::queue::Queue;
use super::retry::{self, FIRST_WAIT, GIVE_UP_AFTER, LONGEST_WAIT};
use super::{NET, Setup, keeper};

/// Pages on their way to one receiver at one time.
const IN_FLIGHT: usize = 16;
/// A gateway that stops waits this long for receivers to answer.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// A receiver's limit is counted over this.
const A_MINUTE: Duration = Duration::from_secs(60);
/// A failing receiver is reported this often, ms.
const REPORT_EVERY: Ms = 60_000;

/// Starts the senders, all on one thread of their own. They end after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread, or no TLS.
pub fn start(
    setup: Setup,
    webhooks: &[Webhook],
    (desk, hour): (&Desk, Option<Hour>),
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let callers = callers(webhooks).map_err(std::io::Error::other)?;
    let one = |(webhook, caller)| Task::new(setup.clone(), caller, (webhook, desk));
    let mut tasks: Vec<_> = webhooks.iter().zip(callers).map(one).collect();
    let (all, url) = (webhooks.to_vec(), desk.url.clone());
    std::thread::Builder::new().name("notify-webhooks".to_owned()).spawn(move || {
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
async fn give_up_orphans(setup: Setup, names: Vec<Box<str>>) -> Result<(), Unavailable> {
    let owed = Reader::open(&setup.store).and_then(|reader| reader.orphaned_pages(&names));
    let owed = owed.unwrap_or_else(|why| {
        warn!("webhooks: what is owed cannot be read ({why})");
        Vec::new()
    });
    for (page_id, webhook) in owed {
        error!("page {page_id} is given up: no webhook is named `{webhook}` any more");
        let why = "the webhook is configured no more".into();
        setup.engine.send(Inbox::GaveUp { page_id, at: setup.clock.stamp(), why }).await?;
    }
    let owed = Reader::open(&setup.store).and_then(|reader| reader.owed_digests());
    for it in owed.unwrap_or_default() {
        if !names.contains(&it.which.receiver) {
            let news = News::GaveUp(it.which, setup.clock.now());
            setup.engine.send(Inbox::Digest(news)).await?;
        }
    }
    Ok(())
}

/// One receiver.
struct Task {
    setup: Setup,
    caller: Caller,
    webhook: Webhook,
    desk: Desk,
    reader: Option<Reader>,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// What they are about.
    busy: HashSet<IncidentId>,
    queue: Queue,
    backoff: Backoff,
    /// Not before.
    resume: Option<Instant>,
    failing: Option<Failing>,
    /// When a receiver with a limit was sent what it was sent in the last minute.
    spent: VecDeque<Instant>,
    digests: Digests,
}

/// A receiver that does not take what it is sent.
struct Failing {
    since: Ms,
    said_at: Ms,
    why: String,
}

/// An attempt that has come to its end.
struct Landed {
    page: OwedPage,
    said: PageMessage,
    answer: Answer,
}

impl Task {
    fn new(setup: Setup, caller: Caller, (webhook, desk): (&Webhook, &Desk)) -> Self {
        Self {
            webhook: webhook.clone(),
            desk: desk.clone(),
            reader: None,
            flights: FuturesUnordered::new(),
            busy: HashSet::new(),
            queue: Queue::default(),
            backoff: Backoff::named(FIRST_WAIT, LONGEST_WAIT, &webhook.name),
            resume: None,
            failing: None,
            spent: VecDeque::new(),
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
            let resume = self.resume;
            tokio::select! {
                () = stop.cancelled() => return self.hear_last_answers().await,
                Some(landed) = self.flights.next() => self.landed(landed).await?,
                landed = self.digests.landed() => self.digest_landed(landed).await?,
                rung = bell.changed() => {
                    rung.map_err(|_| Unavailable::Stopped)?;
                    self.queue.rung();
                }
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    self.resume = None;
                }
                _ = net.tick() => self.queue.rung(),
            }
            self.take_off().await?;
        }
    }

    /// Waits a moment for the answers to what is on its way: a page whose receipt is heard before
    /// the gateway stops is not sent a second time after it.
    async fn hear_last_answers(&mut self) -> Result<(), Unavailable> {
        let answers = async {
            while let Some(landed) = self.flights.next().await {
                self.landed(landed).await?;
            }
            Ok(())
        };
        timeout(LAST_ANSWERS, answers).await.unwrap_or(Ok(()))
    }

    /// Sends what is owed, as far as there is room and the receiver is well.
    async fn take_off(&mut self) -> Result<(), Unavailable> {
        if self.resume.is_some() || self.flights.len() >= IN_FLIGHT {
            return Ok(());
        }
        if let Err(why) = self.read() {
            warn!(
                "webhook {}: what is owed cannot be read ({why}); trying again",
                self.webhook.name
            );
            return Ok(());
        }
        let now = self.setup.clock.stamp();
        let mut waiting = Vec::new();
        while self.flights.len() < IN_FLIGHT
            && let Some(page) = self.queue.next()
        {
            if self.busy.contains(&page.incident) {
                waiting.push(page);
            } else if let Some(why) = self.too_late(&page, now.told()) {
                self.give_up(&page, &why, now).await?;
            } else if self.may_send(page.urgency) {
                self.send(page).await?;
            } else {
                waiting.push(page);
                break;
            }
        }
        self.queue.put_back(waiting);
        if self.queue.is_empty() {
            self.take_off_digest();
        }
        Ok(())
    }

    /// Sends a page, unless it is owed no more since it was read.
    async fn send(&mut self, page: OwedPage) -> Result<(), Unavailable> {
        let Some(reader) = &self.reader else { return Ok(()) };
        let message = match reader.message(page.page_id) {
            Ok(message) => message,
            Err(why) => {
                warn!("webhook {}: a page cannot be read ({why}); trying again", self.webhook.name);
                self.queue.rung();
                return Ok(());
            }
        };
        let Some(message) = message.map(|message| self.queue.worded(page.page_id, message)) else {
            return Ok(());
        };
        if !message.kept {
            self.was_tried(&page, &message).await?;
        }
        self.busy.insert(page.incident);
        let flight = self.attempt(page, message);
        self.flights.push(flight);
        Ok(())
    }

    /// What a receiver may have seen is not worded anew.
    async fn was_tried(
        &mut self,
        page: &OwedPage,
        message: &PageMessage,
    ) -> Result<(), Unavailable> {
        if message.tried {
            return Ok(());
        }
        let (page_id, wire) = (page.page_id, message.wire.clone());
        self.queue.tried(page_id, &wire);
        self.setup.engine.send(Inbox::Tried { page_id, wire }).await
    }

    /// Sends a digest, when no page is owed. A receiver with a limit takes one when it was sent nothing
    /// else for a minute.
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
        let spent = self.spent.back().is_some_and(|last| Instant::now() - *last < A_MINUTE);
        if spent || !self.may_send(Urgency::Notice) {
            return;
        }
        let sent = digests::sent(&next);
        let attempt = attempt(&self.caller, &self.webhook, sent, &self.desk, &self.setup.clock);
        self.digests.take_off(Box::pin(async move { (next, attempt.await) }));
    }

    async fn digest_landed(&mut self, landed: digests::Landed) -> Result<(), Unavailable> {
        let news = self.digests.settle(landed, self.setup.clock.now(), Instant::now());
        match news {
            Some(news) => self.setup.engine.send(Inbox::Digest(news)).await,
            None => Ok(()),
        }
    }

    /// Reads the head of its queue anew, if that may be another.
    fn read(&mut self) -> Result<(), StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.setup.store)?,
        };
        while let Some(most) = self.queue.wants(self.busy.len()) {
            let owed = reader.owed_to_webhook(&self.webhook.name, most)?;
            self.queue.read(owed, most, self.setup.clock.stamp().steady());
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Why not even to try: it is too old, and the receiver does not take anything.
    fn too_late(&self, page: &OwedPage, now: Ms) -> Option<String> {
        let failing = self.failing.as_ref()?;
        self.is_too_old(page, now).then(|| failing.why.clone())
    }

    /// Whether a page is owed for too long. None is while nobody knows what time it is.
    fn is_too_old(&self, page: &OwedPage, now: Ms) -> bool {
        now - page.at >= GIVE_UP_AFTER && !self.setup.clock.is_doubted()
    }

    /// Whether a receiver with a limit has room for one more within its minute; others always have.
    fn may_send(&mut self, urgency: Urgency) -> bool {
        let limit = self.webhook.format.facts().limit;
        let Some(MinuteLimit { messages, kept_for_fires }) = limit else { return true };
        let now = Instant::now();
        while self.spent.front().is_some_and(|first| now - *first >= A_MINUTE) {
            self.spent.pop_front();
        }
        let kept = if urgency <= Urgency::Fire { 0 } else { kept_for_fires };
        if self.spent.len() >= messages.saturating_sub(kept) {
            return false;
        }
        self.spent.push_back(now);
        true
    }

    fn attempt(&self, page: OwedPage, said: PageMessage) -> BoxFuture<'static, Landed> {
        let wire = with_page(&said.wire, page.page_id);
        let message = OutgoingMessage {
            about: About::Incident,
            page_id: page.page_id.to_string(),
            at: page.at,
            wire,
            earlier: self.earlier(&page),
        };
        let attempt = attempt(&self.caller, &self.webhook, message, &self.desk, &self.setup.clock);
        Box::pin(async move { Landed { page, said, answer: attempt.await } })
    }

    /// What it took about that incident before, where its format refers to it.
    fn earlier(&self, page: &OwedPage) -> Vec<Earlier> {
        match self.webhook.format.facts().earlier {
            EarlierMessages::NotReferredTo => return Vec::new(),
            EarlierMessages::ReferredTo => {}
        }
        let reader = self.reader.as_ref();
        let taken = reader.map(|it| it.taken_by_webhook(&self.webhook.name, page.incident));
        let taken = taken.and_then(Result::ok).unwrap_or_default();
        taken.into_iter().map(|(id, sent)| Earlier { id: id.to_string(), sent }).collect()
    }

    async fn landed(&mut self, landed: Landed) -> Result<(), Unavailable> {
        let Landed { page, said, answer } = landed;
        let now = self.setup.clock.stamp();
        self.busy.remove(&page.incident);
        match answer {
            Answer::Taken => {
                if let Some(failing) = self.failing.take() {
                    let seconds = (now.steady() - failing.since) / 1_000;
                    info!("webhook {}: takes pages again after {seconds} s", self.webhook.name);
                }
                self.backoff.reset();
                counter!("standpipe_pages_delivered_total", "kind" => "webhook").increment(1);
                self.queue.done(page.page_id, now.steady());
                self.setup.engine.send(Inbox::Delivered { page_id: page.page_id, at: now }).await
            }
            Answer::Never { why } => self.give_up(&page, &why, now).await,
            Answer::Later { wait, why } => {
                counter!("standpipe_page_failures_total", "kind" => "webhook").increment(1);
                self.was_tried(&page, &said).await?;
                self.queue.rung();
                // Those that were in hand together fail together, and count once.
                if self.resume.is_none() {
                    let own = self.backoff.failed();
                    self.resume = Some(Instant::now() + retry::wait(wait, own));
                }
                if self.is_too_old(&page, now.told()) {
                    self.give_up(&page, &why, now).await?;
                }
                self.fails(why, now.steady());
                Ok(())
            }
        }
    }

    fn fails(&mut self, why: String, now: Ms) {
        let failing = self.failing.get_or_insert(Failing {
            since: now,
            said_at: now - REPORT_EVERY,
            why: String::new(),
        });
        if now - failing.said_at >= REPORT_EVERY {
            failing.said_at = now;
            let seconds = (now - failing.since) / 1_000;
            warn!(
                "webhook {}: takes no pages for {seconds} s ({why}); trying again",
                self.webhook.name
            );
        }
        failing.why = why;
    }

    async fn give_up(&mut self, page: &OwedPage, why: &str, now: Stamp) -> Result<(), Unavailable> {
        error!(
            "webhook {}: page {} about incident {} is given up ({why}): tell the receiver by \
             other means",
            self.webhook.name, page.page_id, page.incident
        );
        counter!("standpipe_pages_given_up_total", "webhook" => self.webhook.name.to_string())
            .increment(1);
        self.queue.done(page.page_id, now.steady());
        let (page_id, why) = (page.page_id, why.into());
        self.setup.engine.send(Inbox::GaveUp { page_id, at: now, why }).await
    }
}
