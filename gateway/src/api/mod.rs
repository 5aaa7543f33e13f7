//! HTTP: what the gateway knows, and what people do to it. Every route is in [`routes`].
//!
//! Reads go to the store through connections of their own ([`crate::store::readers`]) and never wait for the
//! engine; what changes something is asked of the engine. Not here: the pages people look at
//! ([`crate::console`]), who they are ([`crate::accounts`]), and anything that decides.

pub mod auth;
pub(crate) mod body;
mod commands;
pub(crate) mod devices;
pub(crate) mod digest;
pub(crate) mod fleet;
mod health;
mod history;
pub(crate) mod incidents;
mod ledger;
pub(crate) mod list;
mod listener;
pub(crate) mod maintenance;
pub mod metrics;
mod openapi;
pub(crate) mod params;
pub mod problem;
pub(crate) mod quarantine;
mod registration;
mod reports;
mod schema;
mod settings;
mod stations;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
pub mod who;
mod wish;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::Door;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use listener::{Bounded, CONNECTIONS, IDLE};
use metrics_exporter_prometheus::PrometheusHandle;
use problem::Problem;
use standpipe_rules::registry::Registry;
use stream::Streams;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::api::who::Who;
use crate::clock::Clock;
use crate::config::Config;
use crate::console::{self, Town};
use crate::engine::EngineHandle;
use crate::health::Health;
use crate::series::Series;
use crate::store::readers::Readers;

/// Requests under `/api/v1` served at once; more wait, within their time.
const REQUESTS_AT_ONCE: usize = 64;
/// A request is answered within this, or with 503.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The largest body, bytes.
const BODY_AT_MOST: usize = 64 * 1024;
/// How long connections have to end by themselves when the gateway stops.
const GRACE: Duration = Duration::from_secs(1);
/// How often histograms are tidied, so that they do not grow unread.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// What the API is made of.
pub struct ApiState {
    /// The store, to be read.
    pub store: Readers,
    /// The engine, to be asked.
    pub engine: EngineHandle,
    /// History.
    pub history: Arc<dyn Series>,
    /// What each part says of itself.
    pub health: Arc<Health>,
    /// What was counted.
    pub metrics: PrometheusHandle,
    /// Who is let in at all.
    pub door: Door,
    /// Who may do what.
    pub accounts: Accounts,
    /// What pages are made with: time zone, language, address.
    pub town: Town,
    /// Which stations have a page of the console open.
    pub watch: console::Watch,
    /// Rings when table `event` has grown.
    pub events: watch::Receiver<i64>,
    /// As it was started with: to show who is told when, and for nothing else.
    pub config: Arc<Config>,
    /// The profiles of the configuration; stations and devices are not looked up here.
    pub profiles: Registry,
    /// What time it is.
    pub clock: Clock,
}

impl ApiState {
    /// Writes down what somebody did. It was done: that it can't be written down undoes nothing.
    pub async fn did(&self, who: &Who, what: &str, detail: &str) {
        let (at, name) = (self.clock.now(), who.name.clone());
        let (what, detail) = (what.to_owned(), detail.to_owned());
        let kept = self.accounts.with(move |book| book.audit(at, &name, &what, &detail)).await;
        if let Err(bad) = kept {
            tracing::error!("{} did something that is not in the audit log: {bad}", who.name);
        }
    }
}

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Everybody could reach it, and nobody would have to sign in.
    #[error("a demonstration without accounts listens on {0}: listen on 127.0.0.1")]
    Open(SocketAddr),
    /// The listener does not work.
    #[error("http can't be served ({0})")]
    Io(#[from] io::Error),
}

/// Serves until `stop`, then lets requests end within a second.
///
/// # Errors
/// [`ServeError::Open`] at once, when nobody has to sign in and others could reach the listener.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if matches!(state.door, Door::ThisMachine { .. }) && !address.ip().is_loopback() {
        return Err(ServeError::Open(address));
    }
    tracing::info!(%address, "http is served");
    let cut = CancellationToken::new();
    let listener = Bounded::new(listener, CONNECTIONS, IDLE, cut.clone());
    let api = Arc::new(state);
    let app = routes(Arc::clone(&api), stop.clone());
    let serving = axum::serve(listener, app)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .into_future();
    let mut serving = std::pin::pin!(serving);
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = &mut serving => return Ok(done?),
        () = patience => cut.cancel(),
        () = upkeep(&api.metrics) => {}
        () = console::watch::keep(&api) => {}
    }
    Ok(serving.await?)
}

async fn upkeep(metrics: &PrometheusHandle) {
    let mut every = tokio::time::interval(METRICS_UPKEEP);
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}

/// Every route there is.
fn routes(api: Arc<ApiState>, stop: CancellationToken) -> Router {
    let streams = Streams::new(api.store.clone(), api.events.clone(), stop);
    let stream = Router::new().route("/stream", get(stream::open)).with_state(streams.clone());
    let v1 = Router::new()
        .route("/devices", get(devices::list))
        .route("/devices/{id}", get(devices::one).put(devices::put))
        .route("/devices/{id}/history", get(history::json))
        .route("/devices/{id}/history.csv", get(history::csv))
        .route(
            "/devices/{id}/settings",
            get(settings::of_device).put(settings::put_device).delete(settings::drop_device),
        )
        .route("/devices/{id}/commands", get(commands::list).post(commands::ask))
        .route("/devices/{id}/commands/{command}", get(commands::one))
        .route(
            "/profiles/{name}/settings",
            get(settings::of_profile).put(settings::put_profile).delete(settings::drop_profile),
        )
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/cap", get(incidents::cap))
        .route("/incidents/{id}/actions", post(incidents::act))
        .route(
            "/maintenance",
            get(maintenance::list).post(maintenance::announce).delete(maintenance::withdraw_named),
        )
        .route("/maintenance/{id}", delete(maintenance::withdraw))
        .route("/exercises", post(maintenance::exercise))
        .route("/digest", get(digest::one))
        .route("/reports/monthly", get(reports::monthly))
        .route("/stations", get(stations::list))
        .route("/stations/{id}", get(stations::one))
        .route("/fleet", get(fleet::one))
        .route("/ledger", get(ledger::list))
        .route("/quarantine", get(quarantine::list))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(REQUESTS_AT_ONCE)), within_limits))
        .merge(stream)
        .layer(from_fn_with_state(Arc::clone(&api), auth::guard));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/api/openapi.json", get(openapi::json))
        .nest("/api/v1", v1)
        .merge(console::routes(&api, streams))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_AT_MOST))
        .layer(from_fn(plain))
        .with_state(api)
}

/// Few at once, each within its time.
async fn within_limits(
    State(places): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    let served = async {
        let _place = places.acquire().await;
        next.run(request).await
    };
    tokio::time::timeout(REQUEST_TIME, served).await.unwrap_or_else(|_| {
        let seconds = REQUEST_TIME.as_secs();
        let detail = format!(
            "no answer within {seconds} s, though what was asked may still be done: look at \
             /readyz, ask for less, or try again"
        );
        Problem::busy(detail).into_response()
    })
}

/// Answers are of this moment, of the type they say, and counted.
async fn plain(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    ::metrics::counter!("standpipe_http_requests_total", "status" => status).increment(1);
    let headers = response.headers_mut();
    let (fresh, typed) =
        (HeaderValue::from_static("no-store"), HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(fresh);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, typed);
    response
}

async fn no_path(request: Request) -> Problem {
    Problem::no_path(request.uri().path())
}

async fn no_method(request: Request) -> Problem {
    Problem::no_method(request.method().as_str(), request.uri().path())
}
