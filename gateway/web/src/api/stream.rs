//! Events as they happen (server-sent events, WHATWG HTML §9.2), from table `event`.
//!
//! A client that comes back says what it had last (`Last-Event-ID`) and gets what followed. Is
//! that no longer kept, it is told so with an event `reset` (load everything anew) and gets the
//! oldest kept. Each client is read for on its own: a slow one delays only itself, and nothing
//! waits for it but one page of events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::{Stream, unfold};
use standpipe_store::accounts::Area;
use standpipe_store::readers::Readers;
use standpipe_store::views::events::{self, EventsAfter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::problem::Problem;
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
/// A page hears something at least this often; it complains after twice that.
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
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Streams {
    /// Streams that end at `stop`; `events` rings when there is more to read.
    pub fn new(store: Readers, events: watch::Receiver<i64>, stop: CancellationToken) -> Self {
        Self { store, events, places: Arc::new(Semaphore::new(CLIENTS)), stop }
    }
}

/// Events named `incident`, `device`, `page`, `presence`, and `reset`; each with an `id`.
#[utoipa::path(get, path = "/api/v1/stream", tag = "stream",
    operation_id = "open_stream",
    params(("Last-Event-ID" = Option<i64>, Header, description = "what the client had last")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 400, body = super::problem::Body), (status = 503, body = super::problem::Body)))]
pub async fn open(
    State(streams): State<Streams>,
    who: Who,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let asked = last_event_id(&headers)?;
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(streams.follow(&who, asked).await?.keep_alive(alive).into_response())
}

/// The same for a page: it says `beat` when nothing happens, so that a page knows within seconds
/// that nobody speaks to it any more.
pub async fn page(
    State(streams): State<Streams>,
    who: Who,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let after = Params::read(&uri, &["after"])?.number("after", 0, i64::MAX)?;
    let asked = last_event_id(&headers)?.or(after);
    // A browser keeps an event without data to itself.
    let beat = Event::default().event("beat").data("here");
    let alive = KeepAlive::new().interval(BEAT).event(beat);
    Ok(streams.follow(&who, asked).await?.keep_alive(alive).into_response())
}

impl Streams {
    async fn follow(
        &self,
        who: &Who,
        asked: Option<i64>,
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
            _place: place,
        };
        let events = unfold(follower, |mut it| async move { it.next().await.map(|e| (Ok(e), it)) });
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
    let number = text.parse().ok().filter(|it| *it >= 0);
    let accepted = "the id of an event, a whole number from 0, or nothing";
    number.map(Some).ok_or_else(|| Problem::bad_parameter("Last-Event-ID", text, accepted))
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
