//! Serving it all: one listener, the API and the console's pages, until the gateway stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::auth::Access;
use crate::api::body::BODY_AT_MOST;
use crate::api::problem::Problem;
use crate::api::stream::Streams;
use crate::api::{self, ApiState};
use crate::console;
use crate::listener::{Bounded, CONNECTIONS, IDLE};

/// How long connections have to end by themselves when the gateway stops.
const GRACE: Duration = Duration::from_secs(1);
/// What a client is asked to wait that is refused for now, seconds.
const RETRY_AFTER_S: u16 = 2;
/// How often histograms are tidied, so that they do not grow unread.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Why the web server does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Everybody could reach it, and nobody would have to sign in.
    #[error("a demonstration without accounts listens on {0}: listen on 127.0.0.1")]
    Open(SocketAddr),
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
    if matches!(state.door, Access::ThisMachine { .. }) && !address.ip().is_loopback() {
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
        () = api::watch::keep(&api) => {}
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

/// The routes of the API and the console, and what wraps them.
fn routes(api: Arc<ApiState>, stop: CancellationToken) -> Router {
    let streams = Streams::new(&api, stop);
    let pages = Arc::new(api.for_pages());
    let console = console::routes(&pages, streams.clone()).with_state(pages);
    api::routes(&api, streams)
        .with_state(api)
        .merge(console)
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_AT_MOST))
        .layer(from_fn(plain))
}

/// Answers are of this moment, of the type they say, and counted; one that says "not now" says when to
/// try again.
async fn plain(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    ::metrics::counter!("standpipe_http_requests_total", "status" => status.as_u16().to_string())
        .increment(1);
    let headers = response.headers_mut();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    }
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
