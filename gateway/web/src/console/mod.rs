//! The console: the pages people look at. Every route is in [`routes`].
//!
//! | file | idea |
//! |---|---|
//! | `view` | one request: who, in which language, where from, when |
//! | `layout` | the frame around every page |
//! | `refused` | why something was not done, in words |
//! | `text` | words in both languages, times |
//! | `assets` | style and scripts, inside the program |
//! | `screen` | what fills every page while something loud waits; `alarm.js` is its other half |
//! | `login`, `board`, `incident`, `accounts` … | one page, one file |
//!
//! A page is rendered here, whole, and works without a script. Where it is live, an element says
//! in `data-from` where its content comes from; `live.js` fetches it again whenever the stream
//! says that something happened. Nothing is ever loaded from another address.
//!
//! Not here: programs' answers (`api`), who may do what (`accounts`), anything that decides.

mod accounts;
mod assets;
mod audit;
mod board;
mod bundle;
mod device;
mod devices;
mod digest;
mod fleet;
mod incident;
mod layout;
mod login;
mod maintenance;
pub(crate) mod map;
mod quarantine;
mod refused;
mod reports;
mod routing;
mod screen;
mod text;
mod told;
mod view;
mod wall;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use standpipe_store::accounts::Right;
use text::{Say, say};
use tokio::sync::Semaphore;

use crate::api::ApiState;
use crate::api::auth;
use crate::api::stream::{self, Streams};
use crate::api::town::Town;
use crate::api::who::Who;
use crate::report::MonthlyReport;

/// Pages, and parts of pages, made at once; more wait, within their time. The API has places of its own.
const PAGES_AT_ONCE: usize = 32;

/// What a page may load: what this program serves, and nothing else.
const ONLY_OURS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                         img-src 'self' data:; manifest-src 'self'; connect-src 'self'; form-action 'self'; \
                         frame-ancestors 'none'; base-uri 'none'";

/// The report of a month as a document of its own, in the configured language.
#[must_use]
pub fn report_document(town: &Town, report: &MonthlyReport) -> String {
    reports::document(text::Lang::usual(town.language), &town.zone, report)
}

/// Whether the navigation shows a page to somebody.
type OpenTo = fn(&Who) -> bool;

/// Where the head of every page leads, in order, and who sees it there.
const PAGES: [(&str, Say, OpenTo); 9] = [
    ("/", say("Board", "值班台"), everybody),
    ("/map", say("Map", "地图"), everybody),
    ("/devices", say("Devices", "设备"), everybody),
    ("/maintenance", say("Work", "维护"), everybody),
    ("/reports", say("Reports", "报告"), everybody),
    ("/quarantine", say("Not understood", "无法识别"), crate::api::quarantine::may),
    ("/accounts", say("Accounts", "账户"), administers),
    ("/audit", say("Audit", "审计"), administers),
    ("/routing", say("Who is told", "通知预演"), administers),
];

const fn everybody(_: &Who) -> bool {
    true
}

const fn administers(who: &Who) -> bool {
    who.may(Right::Accounts)
}

/// The route of every page.
pub fn routes(api: &Arc<ApiState>, streams: Streams) -> Router<Arc<ApiState>> {
    let live = Router::new().route("/live", get(stream::page)).with_state(streams);
    let inside = Router::new()
        .route("/", get(board::page))
        .route("/board", get(board::part))
        .route("/takeover", get(screen::part))
        .route("/wall", get(wall::page))
        .route("/wall/now", get(wall::part))
        .route("/degraded", get(layout::degraded_part))
        .route("/here", post(board::here))
        .route("/incidents/{id}", get(incident::page))
        .route("/incidents/{id}/cap", get(crate::api::incidents::cap))
        .route("/incidents/{id}/now", get(incident::part))
        .route("/incidents/{id}/act", post(incident::act))
        .route("/bundles/{id}", get(bundle::page).post(bundle::act))
        .route("/devices", get(devices::page))
        .route("/devices/rows", get(devices::part))
        .route("/devices/{id}", get(device::page))
        .route("/devices/{id}/now", get(device::part))
        .route("/devices/{id}/flow", post(work::tested))
        .route("/devices/{id}/work.csv", get(work::csv))
        .route("/labels", get(devices::labels))
        .route("/map", get(map::page))
        .route("/map/points", get(map::points))
        .route("/maintenance", get(maintenance::page).post(maintenance::change))
        .route("/maintenance/now", get(maintenance::part))
        .route("/digest", get(digest::page))
        .route("/fleet", get(fleet::page))
        .route("/quarantine", get(quarantine::page))
        .route("/reports", get(reports::page))
        .route("/reports.csv", get(reports::csv))
        .route("/accounts", get(accounts::page).post(accounts::change))
        .route("/audit", get(audit::page))
        .route("/routing", get(routing::page).post(routing::rehearse))
        .route("/password", get(login::password_page).post(login::password))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(PAGES_AT_ONCE)), within_limits))
        .merge(live)
        .layer(from_fn_with_state(Arc::clone(api), guard));
    Router::new()
        .route("/login", get(login::page).post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .route("/language", get(login::language))
        .route("/assets/{name}", get(assets::one))
        .merge(inside)
        .layer(from_fn_with_state(Arc::clone(api), view::spoken))
        .layer(from_fn(only_ours))
}

/// Lets through who is signed in; sends anybody else to sign in, and back then.
async fn guard(State(api): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    match auth::known(&api, request.headers()).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            // A script gets a plain status, so that it can say so on its page.
            if request.headers().contains_key(view::LIVE) || request.uri().path() == "/live" {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            Redirect::to(&format!("/login?next={}", view::escaped(path))).into_response()
        }
        Err(problem) => view::Oops::from(problem).into_response(),
    }
}

/// Few at once, each within its time.
async fn within_limits(
    State(places): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    let served = crate::api::in_time(&places, request, next).await;
    served.unwrap_or_else(|problem| view::Oops::from(problem).into_response())
}

async fn only_ours(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(ONLY_OURS));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
