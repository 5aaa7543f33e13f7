//! The whole interface as OpenAPI, made from the handlers' own words.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Standpipe",
        description = "From a reading to a page: hydrants and smoke detectors. Times are Unix ms, \
                       UTC. Errors are RFC 9457 problems. Not a certified fire alarm system.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        super::health::alive,
        super::health::ready,
        super::health::metrics,
        super::devices::list,
        super::devices::one,
        super::devices::put,
        super::settings::of_device,
        super::settings::put_device,
        super::settings::drop_device,
        super::settings::of_profile,
        super::settings::put_profile,
        super::settings::drop_profile,
        super::commands::list,
        super::commands::one,
        super::commands::ask,
        super::history::json,
        super::history::csv,
        super::incidents::list,
        super::incidents::one,
        super::incidents::cap,
        super::incidents::act,
        super::maintenance::list,
        super::maintenance::announce,
        super::maintenance::withdraw,
        super::maintenance::exercise,
        super::reports::monthly,
        super::stations::list,
        super::stations::one,
        super::ledger::list,
        super::quarantine::list,
        super::stream::open,
    ),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

/// The document, as text.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        Document::openapi().to_json().unwrap_or_else(|bad| format!("{{\"error\":\"{bad}\"}}"))
    })
}

/// The document.
pub async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
