//! The whole interface as OpenAPI, made from the handlers' own words.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::auth::{COOKIE, PROOF};

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
        super::bundles::one,
        super::bundles::act,
        super::incidents::list,
        super::incidents::one,
        super::incidents::cap,
        super::incidents::act,
        super::maintenance::list,
        super::maintenance::announce,
        super::maintenance::withdraw,
        super::maintenance::withdraw_named,
        super::maintenance::exercise,
        super::digest::one,
        super::reports::monthly,
        super::stations::list,
        super::stations::one,
        super::fleet::one,
        super::ledger::list,
        super::quarantine::list,
        super::stream::open,
    ),
    modifiers(&Keys),
    security(("bearer" = []), ("session" = []))
)]
struct Document;

/// How to be let in.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let says =
            format!("of somebody who signed in; what changes something also sends `{PROOF}`");
        let session = ApiKeyValue::with_description(COOKIE, &says);
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// Who may answer with a problem of these.
#[derive(Clone, Copy)]
enum May {
    /// Everything that needs a key.
    All,
    /// What takes a body.
    WithBody,
    /// What says so itself.
    IfSaid,
}

/// The problems that mean the same wherever they come from: status, name, what it means.
#[rustfmt::skip] // a table
const PROBLEMS: [(&str, &str, May, &str); 8] = [
    ("400", "BadRequest", May::All, "what was sent can't be: `detail` says why and what to do"),
    ("401", "NotSignedIn", May::All, "no valid token or session"),
    ("403", "NotAllowed", May::All, "whoever asks may not do that"),
    ("404", "NotFound", May::IfSaid, "there is none, or it is nobody's business who asks"),
    ("413", "TooLarge", May::WithBody, "the body is larger than 64 KiB"),
    ("415", "NotJson", May::WithBody, "the body does not say that it is JSON"),
    ("503", "Unavailable", May::All, "a part does not work, or is busy: see `Retry-After`"),
    ("default", "Other", May::All, "any other problem, such as 405: a method that is not there"),
];
/// What problems are sent as.
const TYPE: &str = "application/problem+json";

/// Says of every path under `/api/v1` which problems it answers, and as what.
fn with_problems(document: &mut Value) {
    let shared = PROBLEMS.iter().map(|(_, name, _, says)| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        let answer = json!({"description": says, "content": {TYPE: {"schema": schema}}});
        ((*name).to_owned(), answer)
    });
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert("responses".to_owned(), Value::Object(shared.collect()));
    }
    // RFC 9457: a problem may say more than its schema.
    let schema = document.pointer_mut("/components/schemas/Problem").and_then(Value::as_object_mut);
    schema.map(|it| it.insert("additionalProperties".to_owned(), Value::Bool(true)));
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut);
    let ours = paths.into_iter().flatten().filter(|(path, _)| path.starts_with("/api/v1/"));
    let operations = ours.filter_map(|(_, item)| item.as_object_mut()).flatten();
    for operation in operations.filter_map(|(_, it)| it.as_object_mut()) {
        answer_with(operation);
    }
}

fn answer_with(operation: &mut Map<String, Value>) {
    let body = operation.contains_key("requestBody");
    let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
    let Some(answers) = answers else { return };
    for (status, name, may, _) in PROBLEMS {
        let said = answers.get(status).and_then(|it| it.get("description"));
        let own = said.and_then(Value::as_str).is_some_and(|it| !it.is_empty());
        let does = match may {
            May::All => true,
            May::WithBody => body,
            May::IfSaid => said.is_some(),
        };
        if does && !own {
            let shared = json!({"$ref": format!("#/components/responses/{name}")});
            answers.insert(status.to_owned(), shared);
        }
    }
    for (_, answer) in answers.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
        if let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut)
            && let Some(problem) = content.remove("application/json")
        {
            content.insert(TYPE.to_owned(), problem);
        }
    }
}

/// A moment is a number where it stands: what is called `Ms` here is no type of its own to others.
fn with_moments(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("$ref").is_some_and(|it| it == "#/components/schemas/i64") {
                members.remove("$ref");
                members.insert("type".to_owned(), json!("integer"));
                members.insert("format".to_owned(), json!("int64"));
            }
            members.remove("i64");
            members.values_mut().for_each(with_moments);
        }
        Value::Array(items) => items.iter_mut().for_each(with_moments),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The document, as text.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
        with_problems(&mut document);
        with_moments(&mut document);
        document.to_string()
    })
}

/// The document.
pub async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
