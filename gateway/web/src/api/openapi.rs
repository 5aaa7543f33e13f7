//! The whole interface as OpenAPI, made from the handlers' own words.
//!
//! Here: what is said of the interface as a whole, and the problems that mean the same wherever
//! they come from. Which handlers there are is said once, in [`super::routes`].

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use super::auth::{COOKIE, PROOF};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Standpipe",
        description = "From a reading to a page: hydrants and smoke detectors. Times are Unix ms, \
                       UTC. Errors are RFC 9457 problems. Not a certified fire alarm system.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Keys),
    security(("bearer" = []), ("session" = []))
)]
struct Document;

/// How to be let in.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
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
    schema.map(|schema| schema.insert("additionalProperties".to_owned(), Value::Bool(true)));
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut);
    let ours = paths.into_iter().flatten().filter(|(path, _)| path.starts_with("/api/v1/"));
    let operations = ours.filter_map(|(_, item)| item.as_object_mut()).flatten();
    for operation in operations.filter_map(|(_, operation)| operation.as_object_mut()) {
        answer_with(operation);
    }
}

fn answer_with(operation: &mut Map<String, Value>) {
    let body = operation.contains_key("requestBody");
    let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
    let Some(answers) = answers else { return };
    for (status, name, may, _) in PROBLEMS {
        let said = answers.get(status);
        let description = said.and_then(|answer| answer.get("description"));
        let own = description.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
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
    // OpenAPI 3.1 requires one.
    let answered = answers.values_mut().filter_map(Value::as_object_mut);
    for answer in answered.filter(|answer| !answer.contains_key("$ref")) {
        answer.entry("description").or_insert_with(|| Value::String(String::new()));
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
            if members.get("$ref").is_some_and(|to| to == "#/components/schemas/i64") {
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

/// The document without the handlers.
pub(super) fn head() -> OpenApi {
    Document::openapi()
}

/// Answers with the document that the handlers made; `application/json`.
#[derive(Clone)]
pub(super) struct Served(Bytes);

impl Served {
    /// Completes what the handlers say of themselves by what holds for all of them.
    pub(super) fn new(document: &OpenApi) -> Self {
        let mut document = serde_json::to_value(document).unwrap_or_default();
        with_problems(&mut document);
        with_moments(&mut document);
        Self(document.to_string().into())
    }
}

impl IntoResponse for Served {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
