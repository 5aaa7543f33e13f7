//! Events as they happen (server-sent events, WHATWG HTML §9.2), from table `event`.
//!
//! A client that comes back says what it had last (`Last-Event-ID`) and gets what followed. Is
//! that no longer kept, it is told so with an event `reset` (load everything anew) and gets the
//! oldest kept. Beside these it hears how old the chain's heartbeat is. Each client is read for on its own: a slow one delays only itself, and nothing
//! waits for it but one page of events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use standpipe_machine::clock::Clock;
use standpipe_rules::Ms;
use standpipe_store::accounts::Area;
use standpipe_store::readers::Readers;
use standpipe_store::views::events::{self, EventsAfter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::problem::Problem;
use crate::api::ApiState;
use crate::api::who::{By, Who};

/// Clients at once.
const CLIENTS: usize = 400;
/// Events read at once for one client: what a slow one keeps in memory.
const PAGE: usize = 64;
/// After a page that was not full, a client is not read for again before this: at most 20 reads
/// a second each.
const PAUSE: Duration = Duration::from_millis(50);
/// A comment is sent when nothing else was.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A page hears this often how old the chain's heartbeat is; it complains when it has heard nothing for
/// twice that.
const BEAT: Duration = Duration::from_secs(4);
/// A session's stream ends after this and is opened again, so that one that was ended is noticed.
const SESSION_LASTS: Duration = Duration::from_secs(15 * 60);
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// When to come back after the connection broke.
const RETRY: Duration = Duration::from_secs(2);

/// What streams are made of.
#[derive(Clone)]
pub struct Streams {
    store: Readers,
    events: watch::Receiver<i64>,
    chain: watch::Receiver<Option<Ms>>,
    clock: Clock,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Streams {
    /// Streams that end at `stop`. They read the store through connections of their own.
    pub fn new(api: &ApiState, stop: CancellationToken) -> Self {
        let (store, events, chain) =
            (api.store.another(), api.events.clone(), api.health.chain.follow());
        let (clock, places) = (api.clock.clone(), Arc::new(Semaphore::new(CLIENTS)));
        Self { store, events, chain, clock, places, stop }
    }

    /// How old the chain's heartbeat is; `None`: nobody waits for one.
    fn chain_age(&self) -> Option<Ms> {
        self.chain.borrow().map(|sent| (self.clock.now() - sent).max(0))
    }
}

/// Events named `incident`, `device`, `page`, `presence`, and `reset`; each with an `id`. Without one:
/// `chain` with `ts` and `age_ms`, whenever a heartbeat of the chain has come through.
#[utoipa::path(get, path = "/api/v1/stream", tag = "stream",
    operation_id = "open_stream",
    params(("Last-Event-ID" = Option<i64>, Header, description = "what the client had last")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 400, body = super::problem::ProblemJson), (status = 503, body = super::problem::ProblemJson)))]
pub async fn open(
    State(streams): State<Streams>,
    who: Who,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let asked = last_event_id(&headers)?;
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    let pulse = Pulse::Heartbeats(streams.chain.clone());
    Ok(streams.follow(&who, asked, pulse).await?.keep_alive(alive).into_response())
}

/// The same for a page: it says `beat` every few seconds with the age of the chain's heartbeat and the
/// gateway's time, so
/// that a page knows soon that nobody speaks to it any more, or that an alarm may not come through.
pub async fn page(
    State(streams): State<Streams>,
    who: Who,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let after = Params::read(&uri, &["after"])?.number("after", 0, i64::MAX)?;
    let asked = last_event_id(&headers)?.or(after);
    let pulse = Pulse::Every { next: streams.clock.instant() + BEAT };
    Ok(streams.follow(&who, asked, pulse).await?.into_response())
}

impl Streams {
    async fn follow(
        &self,
        who: &Who,
        asked: Option<i64>,
        pulse: Pulse,
    ) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Problem> {
        let streams = self.clone();
        let place = Arc::clone(&streams.places).try_acquire_owned().map_err(|_| {
            Problem::busy(format!("{CLIENTS} clients stream already: try again later"))
        })?;
        let after = match asked {
            Some(id) => id,
            None => streams.store.read(events::kept).await?.newest,
        };
        // Says where the client is before anything happened, so that it can come back to there.
        let hello = Event::default().id(after.to_string()).retry(RETRY).comment("standpipe");
        ::metrics::gauge!("standpipe_http_streams").increment(1.0);
        let follower = Follower {
            streams,
            area: who.area.clone(),
            after,
            waiting: VecDeque::from([hello]),
            pause: false,
            pulse,
            _place: place,
        };
        let events = unfold(follower, |mut follower| async move {
            follower.next().await.map(|e| (Ok(e), follower))
        });
        let end = tokio::time::sleep(match who.by {
            By::Session { .. } => SESSION_LASTS,
            By::Token | By::ThisMachine { .. } => FOR_EVER,
        });
        Ok(Sse::new(events.take_until(end)))
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("�").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| *number >= 0);
    let accepted = "the id of an event, a whole number from 0, or nothing";
    number.map(Some).ok_or_else(|| Problem::bad_parameter("Last-Event-ID", text, accepted))
}

/// When a client is told how old the chain's heartbeat is.
enum Pulse {
    /// Whenever another one has come through.
    Heartbeats(watch::Receiver<Option<Ms>>),
    /// Every few seconds, whatever comes through.
    Every {
        /// When it is due.
        next: Instant,
    },
}

impl Pulse {
    async fn due(&mut self) {
        match self {
            // Without anybody to say it, it is never due.
            Self::Heartbeats(chain) => {
                if chain.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Self::Every { next } => tokio::time::sleep_until((*next).into()).await,
        }
    }

    /// What is told, and when the next is due.
    fn event(&mut self, streams: &Streams) -> Event {
        let age = streams.chain_age();
        match self {
            Self::Heartbeats(chain) => {
                let data = json!({"ts": *chain.borrow_and_update(), "age_ms": age});
                Event::default().event("chain").data(data.to_string())
            }
            Self::Every { next } => {
                *next = streams.clock.instant() + BEAT;
                // A browser keeps an event without data to itself.
                let data = json!({"chain_age_ms": age, "now_ms": streams.clock.now()});
                Event::default().event("beat").data(data.to_string())
            }
        }
    }
}

/// One client.
struct Follower {
    streams: Streams,
    /// What they may see.
    area: Area,
    /// The last event read.
    after: i64,
    waiting: VecDeque<Event>,
    pause: bool,
    pulse: Pulse,
    _place: OwnedSemaphorePermit,
}

impl Drop for Follower {
    fn drop(&mut self) {
        ::metrics::gauge!("standpipe_http_streams").decrement(1.0);
    }
}

impl Follower {
    /// The next event; `None` when the gateway stops or the store can't be read: the client
    /// comes back and goes on where it was.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.pulse.due().now_or_never().is_some() {
                return Some(self.pulse.event(&self.streams));
            }
            if std::mem::take(&mut self.pause) {
                let stop = self.streams.stop.cancelled();
                tokio::time::timeout(PAUSE, stop).await.err()?;
            }
            self.streams.events.borrow_and_update();
            let (after, area) = (self.after, self.area.clone());
            match self.streams.store.read(move |db| events::after(db, &area, after, PAGE)).await {
                Ok(followed) => {
                    self.pause = !followed.full;
                    self.after = followed.last;
                    self.waiting.extend(told(after, followed));
                }
                Err(error) => {
                    tracing::warn!(%error, "a stream ends: its events can't be read");
                    return None;
                }
            }
            if self.waiting.is_empty() && self.after == after {
                self.pause = false;
                tokio::select! {
                    () = self.streams.stop.cancelled() => return None,
                    rung = self.streams.events.changed() => rung.ok()?,
                    () = self.pulse.due() => return Some(self.pulse.event(&self.streams)),
                }
            }
        }
    }
}

/// What a client that had event `after` is told next.
fn told(after: i64, followed: EventsAfter) -> impl Iterator<Item = Event> {
    let reset = followed.lost_before.map(|oldest| {
        let data = format!("{{\"asked\":{after},\"oldest\":{oldest}}}");
        Event::default().id((oldest - 1).to_string()).event("reset").data(data)
    });
    let events = followed.events.into_iter();
    let events =
        events.map(|row| Event::default().id(row.id.to_string()).event(row.kind).data(row.json));
    reset.into_iter().chain(events)
}
