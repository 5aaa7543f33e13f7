//! Webhooks: one sender each, so that a slow one delays no other.
//!
//! A sender's queue is what the store says is owed to it; what it has in hand is bounded. Pages
//! about one incident are sent one after the other, in the order they were owed. Retry state is
//! in memory alone: after a restart everything owed is simply tried again, under the same
//! `Idempotency-Key`.

use std::collections::HashSet;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use metrics::counter;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use standpipe_rules::Ms;
use standpipe_rules::incidents::IncidentId;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{error, info, warn};
use ulid::Ulid;

use super::answer::{self, Answer};
use super::sign::{HEADER, signature};
use super::{NET, Setup, with_page};
use crate::backoff::{Backoff, retry_after};
use crate::config::{Secret, Webhook};
use crate::engine::{Inbox, Unavailable};
use crate::store::reader::OwedPage;
use crate::store::{Reader, StoreError};

/// Pages on their way to one receiver at one time.
const IN_FLIGHT: usize = 4;
/// Pages read from the store at one time, for one receiver.
const AT_ONCE: usize = 64;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first wait after a failure.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait of our own choosing.
const MOST: Duration = Duration::from_secs(60);
/// The longest wait a receiver may ask for.
const MOST_ASKED: Duration = Duration::from_secs(600);
/// After so long a page is given up, ms: 24 hours.
pub const GIVE_UP_AFTER: Ms = 24 * 3_600_000;
/// A failing receiver is reported this often, ms.
const REPORT_EVERY: Ms = 60_000;

/// Starts the senders, all on one thread of their own. They end after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread, or no TLS.
pub fn start(setup: Setup, webhooks: &[Webhook]) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("standpipe/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(std::io::Error::other)?;
    let mut tasks: Vec<_> =
        webhooks.iter().map(|it| Task::new(setup.clone(), client.clone(), it)).collect();
    std::thread::Builder::new().name("notify-webhooks".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut senders = JoinSet::new();
            let names = tasks.iter().map(|task| task.name.clone()).collect();
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
        setup.engine.send(Inbox::GaveUp { page_id, at: setup.clock.now(), why }).await?;
    }
    Ok(())
}

/// One receiver.
struct Task {
    setup: Setup,
    client: Client,
    name: Box<str>,
    url: Url,
    secret: Option<Secret>,
    reader: Option<Reader>,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// What they are about.
    busy: HashSet<IncidentId>,
    /// Reported to the engine: the store may still call them owed.
    done: HashSet<Ulid>,
    backoff: Backoff,
    /// Not before.
    resume: Option<Instant>,
    failing: Option<Failing>,
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
    answer: Answer,
}

impl Task {
    fn new(setup: Setup, client: Client, webhook: &Webhook) -> Self {
        Self {
            name: webhook.name.clone(),
            url: webhook.url.clone(),
            secret: webhook.secret.clone(),
            reader: None,
            flights: FuturesUnordered::new(),
            busy: HashSet::new(),
            done: HashSet::new(),
            backoff: Backoff::named(FIRST, MOST, &webhook.name),
            resume: None,
            failing: None,
            setup,
            client,
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
                () = stop.cancelled() => return Ok(()),
                Some(landed) = self.flights.next() => self.landed(landed).await?,
                rung = bell.changed() => rung.map_err(|_| Unavailable::Stopped)?,
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    self.resume = None;
                }
                _ = net.tick() => {}
            }
            self.take_off().await?;
        }
    }

    /// Sends what is owed, as far as there is room and the receiver is well.
    async fn take_off(&mut self) -> Result<(), Unavailable> {
        if self.resume.is_some() || self.flights.len() >= IN_FLIGHT {
            return Ok(());
        }
        let owed = match self.read() {
            Ok(owed) => owed,
            Err(why) => {
                warn!("webhook {}: what is owed cannot be read ({why}); trying again", self.name);
                return Ok(());
            }
        };
        if owed.len() < AT_ONCE {
            self.done.retain(|done| owed.iter().any(|page| page.page_id == *done));
        }
        let now = self.setup.clock.now();
        for page in owed {
            if self.done.contains(&page.page_id) || self.busy.contains(&page.incident) {
                continue;
            }
            if let Some(why) = self.too_late(&page, now) {
                self.give_up(&page, &why, now).await?;
            } else if self.flights.len() < IN_FLIGHT {
                self.busy.insert(page.incident);
                self.flights.push(self.attempt(page));
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Vec<OwedPage>, StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.setup.store)?,
        };
        let owed = reader.owed_to_webhook(&self.name, AT_ONCE + self.done.len())?;
        self.reader = Some(reader);
        Ok(owed)
    }

    /// Why not even to try: it is too old, and the receiver does not take anything.
    fn too_late(&self, page: &OwedPage, now: Ms) -> Option<String> {
        let failing = self.failing.as_ref()?;
        (now - page.at >= GIVE_UP_AFTER).then(|| failing.why.clone())
    }

    fn attempt(&self, page: OwedPage) -> BoxFuture<'static, Landed> {
        let body = with_page(&page.wire, Some(page.page_id));
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", page.page_id.to_string());
        if let Some(secret) = &self.secret {
            request =
                request.header(HEADER, signature(secret.expose().as_bytes(), body.as_bytes()));
        }
        let request = request.body(body).send();
        let clock = self.setup.clock.clone();
        Box::pin(async move {
            let answer = match request.await {
                Ok(answer) => {
                    let wait = answer.headers().get(RETRY_AFTER);
                    let wait = wait.and_then(|text| text.to_str().ok());
                    let wait = wait.and_then(|text| retry_after(text, clock.now()));
                    answer::read(answer.status().as_u16(), wait)
                }
                // The address may hold a secret: it is not for the log.
                Err(why) => Answer::Later { wait: None, why: in_words(&why.without_url()) },
            };
            Landed { page, answer }
        })
    }

    async fn landed(&mut self, landed: Landed) -> Result<(), Unavailable> {
        let Landed { page, answer } = landed;
        let now = self.setup.clock.now();
        self.busy.remove(&page.incident);
        match answer {
            Answer::Taken => {
                if let Some(failing) = self.failing.take() {
                    let seconds = (now - failing.since) / 1_000;
                    info!("webhook {}: takes pages again after {seconds} s", self.name);
                }
                self.backoff.reset();
                counter!("standpipe_pages_delivered_total", "kind" => "webhook").increment(1);
                self.done.insert(page.page_id);
                self.setup.engine.send(Inbox::Delivered { page_id: page.page_id, at: now }).await
            }
            Answer::Never { why } => self.give_up(&page, &why, now).await,
            Answer::Later { wait, why } => {
                counter!("standpipe_page_failures_total", "kind" => "webhook").increment(1);
                // Those that were in hand together fail together, and count once.
                if self.resume.is_none() {
                    let own = self.backoff.failed();
                    let wait = wait.map_or(own, |asked| asked.min(MOST_ASKED).max(own));
                    self.resume = Some(Instant::now() + wait);
                }
                if now - page.at >= GIVE_UP_AFTER {
                    self.give_up(&page, &why, now).await?;
                }
                self.fails(why, now);
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
            warn!("webhook {}: takes no pages for {seconds} s ({why}); trying again", self.name);
        }
        failing.why = why;
    }

    async fn give_up(&mut self, page: &OwedPage, why: &str, now: Ms) -> Result<(), Unavailable> {
        error!(
            "webhook {}: page {} about incident {} is given up ({why}): tell the receiver by \
             other means",
            self.name, page.page_id, page.incident
        );
        counter!("standpipe_pages_given_up_total", "webhook" => self.name.to_string()).increment(1);
        self.done.insert(page.page_id);
        let (page_id, why) = (page.page_id, why.into());
        self.setup.engine.send(Inbox::GaveUp { page_id, at: now, why }).await
    }
}

/// An error and all that caused it.
fn in_words(why: &reqwest::Error) -> String {
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
