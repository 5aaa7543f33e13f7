//! HTTP: what the gateway knows, and what people do to it. Every route is in `routes`.
//!
//! Reads go to the store through connections of their own ([`standpipe_store::readers`]) and never wait for the
//! engine; what changes something is asked of the engine. Not here: the pages people look at
//! ([`crate::console`]), who they are ([`standpipe_store::accounts`]), and anything that decides.

pub mod auth;
pub(crate) mod body;
pub(crate) mod bundles;
mod commands;
pub(crate) mod devices;
pub(crate) mod digest;
pub(crate) mod fleet;
mod health;
mod history;
pub(crate) mod incidents;
mod ledger;
pub(crate) mod list;
pub(crate) mod maintenance;
mod openapi;
pub(crate) mod params;
pub mod problem;
pub(crate) mod quarantine;
mod registration;
mod registry;
mod reports;
mod schema;
mod settings;
mod stations;
pub(crate) mod stream;
pub mod town;
pub mod watch;
pub mod who;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use auth::Access;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use problem::Problem;
use standpipe_config::Config;
use standpipe_engine::EngineHandle;
use standpipe_engine::health::Health;
use standpipe_machine::clock::Clock;
use standpipe_rules::registry::Registry;
use standpipe_series::Series;
use standpipe_store::accounts::{AccountError, Accounts, AuditCode};
use standpipe_store::readers::Readers;
use stream::Streams;
use tokio::sync::Semaphore;
use town::Town;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use watch::OpenPages;

use crate::api::who::Who;

/// Requests under `/api/v1` served at once; more wait, within their time.
const REQUESTS_AT_ONCE: usize = 64;
/// A request is answered within this, or with 503.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// What the API is made of.
#[derive(Clone)]
pub struct ApiState {
    /// The store, to be read.
    pub store: Readers,
    /// The same for a month's figures, which are read from all its incidents and their trails: one
    /// report at a time, so that they keep neither pages nor programs waiting.
    pub reports: Readers,
    /// The engine, to be asked.
    pub engine: EngineHandle,
    /// Readings as charts and exports ask for them.
    pub history: Arc<dyn Series>,
    /// What each part says of itself.
    pub health: Arc<Health>,
    /// What was counted.
    pub metrics: PrometheusHandle,
    /// Who is let in at all.
    pub door: Access,
    /// Who may do what.
    pub accounts: Accounts,
    /// What pages are made with: time zone, language, address.
    pub town: Town,
    /// Which stations have a page of the console open.
    pub watch: Arc<OpenPages>,
    /// Rings when table `event` has grown.
    pub events: tokio::sync::watch::Receiver<i64>,
    /// As it was started with: to show who is told when, and for nothing else.
    pub config: Arc<Config>,
    /// The profiles of the configuration; stations and devices are not looked up here.
    pub profiles: Registry,
    /// What time it is.
    pub clock: Clock,
}

impl ApiState {
    /// The same for the console: it reads the store through connections of its own, so that programs
    /// that ask for much keep no page waiting, nor pages a program.
    #[must_use]
    pub fn for_pages(&self) -> Self {
        let (store, reports) = (self.store.another(), self.reports.one_apart());
        Self { store, reports, ..self.clone() }
    }

    /// Writes down what somebody did. It was done: that it can't be written down undoes nothing.
    pub async fn did(&self, who: &Who, what: &str, detail: &str) {
        let (at, name) = (self.clock.now(), who.name.clone());
        let (what, detail) = (what.to_owned(), detail.to_owned());
        is_kept(who, self.accounts.with(move |book| book.audit(at, &name, &what, &detail)).await);
    }

    /// The same, with more to say than an id.
    pub async fn did_as(&self, who: &Who, what: &str, code: AuditCode) {
        let (at, name, what) = (self.clock.now(), who.name.clone(), what.to_owned());
        is_kept(who, self.accounts.with(move |book| book.audit_as(at, &name, &what, &code)).await);
    }
}

fn is_kept(who: &Who, kept: Result<(), AccountError>) {
    if let Err(bad) = kept {
        tracing::error!("{} did something that is not in the audit log: {bad}", who.name);
    }
}

/// Every route of the API, behind its guard. A handler's path, method and document stand where the
/// handler is; `routes!` takes those of one path together.
pub(crate) fn routes(api: &Arc<ApiState>, streams: Streams) -> Router<Arc<ApiState>> {
    let stream = OpenApiRouter::new().routes(routes!(stream::open)).with_state(streams);
    let lists = OpenApiRouter::new()
        .routes(routes!(registry::import))
        .layer(DefaultBodyLimit::max(registry::IMPORT_BODY));
    let v1 = OpenApiRouter::new()
        .routes(routes!(devices::list))
        .routes(routes!(devices::one, devices::put, registry::retire))
        .routes(routes!(registry::replace))
        .routes(routes!(history::json))
        .routes(routes!(history::csv))
        .routes(routes!(settings::of_device, settings::put_device, settings::drop_device))
        .routes(routes!(commands::list, commands::ask))
        .routes(routes!(commands::one))
        .routes(routes!(settings::of_profile, settings::put_profile, settings::drop_profile))
        .routes(routes!(bundles::one))
        .routes(routes!(bundles::act))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(incidents::cap))
        .routes(routes!(incidents::act))
        .routes(routes!(maintenance::list, maintenance::announce, maintenance::withdraw_named))
        .routes(routes!(maintenance::withdraw))
        .routes(routes!(maintenance::exercise))
        .routes(routes!(digest::one))
        .routes(routes!(reports::monthly))
        .routes(routes!(stations::list))
        .routes(routes!(stations::one))
        .routes(routes!(fleet::one))
        .routes(routes!(ledger::list))
        .routes(routes!(quarantine::list))
        .merge(lists)
        .layer(from_fn_with_state(Arc::new(Semaphore::new(REQUESTS_AT_ONCE)), within_limits))
        .merge(stream)
        .layer(from_fn_with_state(Arc::clone(api), auth::guard));
    let (router, document) = OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .merge(v1)
        .split_for_parts();
    let document = openapi::Served::new(&document);
    router.route("/api/openapi.json", get(async || document))
}

/// Few at once, each within its time.
async fn within_limits(
    State(places): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    in_time(&places, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// Answers in a place of its own within the time of a request.
///
/// # Errors
/// [`Problem::busy`] when that is over, whether in the place or still waiting for one.
pub(crate) async fn in_time(
    places: &Semaphore,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let served = async {
        let _place = places.acquire().await;
        next.run(request).await
    };
    tokio::time::timeout(REQUEST_TIME, served).await.map_err(|_| {
        let seconds = REQUEST_TIME.as_secs();
        let detail = format!(
            "no answer within {seconds} s, though what was asked may still be done: look at \
             /readyz, ask for less, or try again"
        );
        Problem::busy(detail)
    })
}
