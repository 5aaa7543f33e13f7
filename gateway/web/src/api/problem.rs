//! What went wrong, for a program and for the person behind it: RFC 9457 `application/problem+json`.
//! `type` is a name that stays; `detail` says what is wrong, with the value, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use standpipe_shared::is_hidden;
use standpipe_store::readers::ReadError;
use utoipa::ToSchema;

use super::params::TIME;

/// A value from a request is shown up to here, characters.
const SHOWN: usize = 80;

/// Why a request was not served.
#[derive(Debug)]
pub struct Problem(Box<ProblemJson>);

/// What a refusal is, for programs: the end of its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemCode {
    /// A query parameter says something else than what is accepted.
    BadParameter,
    /// The body or a header does not say what it should.
    BadRequest,
    /// An announcement that can't be.
    BadAnnouncement,
    /// A command that can't be.
    BadCommand,
    /// Settings that can't be.
    BadSettings,
    /// No token, or another one.
    Unauthorized,
    /// A session's request that does not come from our own page.
    NoProof,
    /// Somebody who may not do that.
    NotAllowed,
    /// The demonstration serves one machine.
    LoopbackOnly,
    /// Nothing of that id.
    Unknown,
    /// No such path.
    NoPath,
    /// No such method.
    NoMethod,
    /// Not in this state.
    NotNow,
    /// Not what was shown any more.
    Changed,
    /// Too many at once.
    TooMany,
    /// A body larger than anything that is taken.
    TooLarge,
    /// A body that does not say it is JSON.
    NotJson,
    /// More than the gateway serves.
    Busy,
    /// A part does not work.
    PartDown,
}

impl ProblemCode {
    /// The name on the wire.
    const fn as_str(self) -> &'static str {
        match self {
            Self::BadParameter => "bad-parameter",
            Self::BadRequest => "bad-request",
            Self::BadAnnouncement => "bad-announcement",
            Self::BadCommand => "bad-command",
            Self::BadSettings => "bad-settings",
            Self::Unauthorized => "unauthorized",
            Self::NoProof => "no-proof",
            Self::NotAllowed => "not-allowed",
            Self::LoopbackOnly => "loopback-only",
            Self::Unknown => "unknown",
            Self::NoPath => "no-path",
            Self::NoMethod => "no-method",
            Self::NotNow => "not-now",
            Self::Changed => "changed",
            Self::TooMany => "too-many",
            Self::TooLarge => "too-large",
            Self::NotJson => "not-json",
            Self::Busy => "busy",
            Self::PartDown => "part-down",
        }
    }
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Incident,
    /// A bundle of pages.
    Bundle,
    Device,
    /// A hydrant among the devices.
    Hydrant,
    /// A pressure zone.
    Zone,
    Station,
    Account,
    Token,
    /// What somebody announced.
    Announcement,
    Profile,
    Command,
    /// A path of ours.
    Path,
}

impl Thing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Bundle => "bundle",
            Self::Device => "device",
            Self::Hydrant => "hydrant",
            Self::Zone => "zone",
            Self::Station => "station",
            Self::Account => "account",
            Self::Token => "token",
            Self::Announcement => "announcement",
            Self::Profile => "profile",
            Self::Command => "command",
            Self::Path => "path",
        }
    }
}

/// The body of every error answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemJson {
    /// A name that stays: `urn:standpipe:problem:bad-parameter`.
    r#type: String,
    /// The same for every problem of this type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, with the value, and what to do.
    detail: String,
    /// The incident as it is, where an action can't be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    incident: Option<Value>,
    /// The same as in `type`.
    #[serde(skip)]
    code: ProblemCode,
    /// What is not there, and its id as far as it is shown.
    #[serde(skip)]
    missing: Option<(Thing, String)>,
    /// What is wrong with each member of the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Fault>,
    /// The same incident's own members, so that this answer reads like the one of an action that
    /// was done; all but its `title`, whose place is taken.
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

/// What is wrong with one member of a body.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// The member.
    pub field: &'static str,
    /// What is wrong, with the value, and what to do.
    pub detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: ProblemCode, title: &'static str, detail: String) -> Self {
        Self(Box::new(ProblemJson {
            r#type: format!("urn:standpipe:problem:{}", code.as_str()),
            code,
            missing: None,
            title,
            status: status.as_u16(),
            detail,
            incident: None,
            errors: Vec::new(),
            members: Map::new(),
        }))
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// What it is.
    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    /// What is not there, and its id, where it is that.
    pub fn missing(&self) -> Option<(Thing, &str)> {
        self.0.missing.as_ref().map(|(what, id)| (*what, id.as_str()))
    }

    /// The same in other words.
    #[cfg(test)]
    pub fn reworded(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.0.detail);
        self
    }

    /// What is wrong, with the value, and what to do.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// 400: a query parameter says something else than what is accepted.
    pub fn bad_parameter(name: &str, value: &str, accepted: &str) -> Self {
        let detail = format!("parameter `{name}` is `{}`: use {accepted}", shown(value));
        Self::new(StatusCode::BAD_REQUEST, ProblemCode::BadParameter, "Bad query parameter", detail)
    }

    /// 400: the body or a header does not say what it should.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemCode::BadRequest, "Bad request", detail.into())
    }

    /// 400: a member of the body that is no moment.
    pub fn bad_moment(field: &'static str, value: &str) -> Self {
        let detail = format!("{field} is `{}`: use {TIME}", shown(value));
        Self::bad_members(ProblemCode::BadRequest, "Bad request", &[Fault { field, detail }])
    }

    /// 400: members of the body that say what can't be, each with what to do.
    pub fn bad_members(code: ProblemCode, title: &'static str, faults: &[Fault]) -> Self {
        let details: Vec<&str> = faults.iter().map(|fault| fault.detail.as_str()).collect();
        let mut problem = Self::new(StatusCode::BAD_REQUEST, code, title, details.join("; "));
        problem.0.errors = faults.to_vec();
        problem
    }

    /// 401: no token, or another one.
    pub fn unauthorized() -> Self {
        let detail = "no valid token or session: send `Authorization: Bearer …` with a token of \
                      an admin or the value of STANDPIPE_ADMIN_TOKEN, or sign in at /login";
        Self::new(
            StatusCode::UNAUTHORIZED,
            ProblemCode::Unauthorized,
            "Not signed in",
            detail.into(),
        )
    }

    /// 403: a session's request that does not prove that it comes from our own page.
    pub fn no_proof() -> Self {
        let detail = "the request does not prove that it comes from a page of the console: \
                      reload the page and try again";
        Self::new(StatusCode::FORBIDDEN, ProblemCode::NoProof, "Not from our page", detail.into())
    }

    /// 403: somebody who may not do that.
    pub fn not_allowed(role: &str) -> Self {
        let detail = format!("a {role} may not do that: ask somebody who may, or an admin");
        Self::new(StatusCode::FORBIDDEN, ProblemCode::NotAllowed, "Not allowed", detail)
    }

    /// 403: what belongs to no station, asked by somebody of some stations.
    pub fn not_theirs(what: &str) -> Self {
        let detail = format!(
            "{what} belongs to no station, and your account is of one: ask an admin of a district \
             or of all stations"
        );
        Self::new(StatusCode::FORBIDDEN, ProblemCode::NotAllowed, "Not allowed", detail)
    }

    /// 403: the demonstration serves this machine only.
    pub fn forbidden(from: &str) -> Self {
        let detail = format!(
            "this is a demonstration without accounts and the request is for `{}`: ask by \
             localhost, 127.0.0.1 or [::1] from the same machine",
            shown(from)
        );
        Self::new(StatusCode::FORBIDDEN, ProblemCode::LoopbackOnly, "Only this machine", detail)
    }

    /// 400: somebody shall be of a station that is not there.
    pub fn no_station(id: &str) -> Self {
        let detail = format!(
            "no station `{}`: import it first, or use one of GET /api/v1/stations",
            shown(id)
        );
        Self::new(StatusCode::BAD_REQUEST, ProblemCode::BadRequest, "Bad request", detail)
    }

    /// 404: nothing of that id.
    pub fn unknown(what: Thing, id: &str) -> Self {
        let (id, name) = (shown(id), what.as_str());
        let detail = format!("no {name} `{id}`: see GET /api/v1/{name}s");
        Self::not_found(ProblemCode::Unknown, (what, id), detail)
    }

    /// 404: no bundle of that id.
    pub fn unknown_bundle(id: &str) -> Self {
        let id = shown(id);
        let detail = format!("no bundle `{id}`: use `page_id` of a message with `bundle`");
        Self::not_found(ProblemCode::Unknown, (Thing::Bundle, id), detail)
    }

    fn not_found(code: ProblemCode, missing: (Thing, String), detail: String) -> Self {
        let mut problem = Self::new(StatusCode::NOT_FOUND, code, "Not found", detail);
        problem.0.missing = Some(missing);
        problem
    }

    /// 404: no profile of that name.
    pub fn unknown_profile(name: &str) -> Self {
        let name = shown(name);
        let detail = format!("no profile `{name}`: use a built-in one, or one of `[profile.NAME]`");
        Self::not_found(ProblemCode::Unknown, (Thing::Profile, name), detail)
    }

    /// 404: no command of that id.
    pub fn unknown_command(id: &str) -> Self {
        let id = shown(id);
        let detail = format!("no command `{id}` of this device: see the list of them");
        Self::not_found(ProblemCode::Unknown, (Thing::Command, id), detail)
    }

    /// 404: no announcement of that id.
    pub fn unknown_announcement(id: &str) -> Self {
        let id = shown(id);
        let detail = format!("no announcement `{id}`, or it is over: see GET /api/v1/maintenance");
        Self::not_found(ProblemCode::Unknown, (Thing::Announcement, id), detail)
    }

    /// 404: no such path.
    pub fn no_path(path: &str) -> Self {
        let path = shown(path);
        let detail = format!("no path `{path}`: see /api/openapi.json for those there are");
        Self::not_found(ProblemCode::NoPath, (Thing::Path, path), detail)
    }

    /// 405: the path is there, the method is not.
    pub fn no_method(method: &str, path: &str) -> Self {
        let detail = format!(
            "`{}` is not done on `{}`: use a method of the `Allow` header",
            shown(method),
            shown(path)
        );
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::NoMethod,
            "Method not allowed",
            detail,
        )
    }

    /// 409: not in this state; the incident comes with it.
    pub fn not_now(action: &str, incident: Value) -> Self {
        let state = incident.get("state").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let detail = format!("`{action}` can't be done while the incident is `{state}`: reload it");
        Self::new(StatusCode::CONFLICT, ProblemCode::NotNow, "Not possible now", detail)
            .with_incident(incident)
    }

    /// 409: it is not what was shown any more; the incident comes with it.
    pub fn changed(action: &str, incident: Value) -> Self {
        let detail = format!(
            "the incident changed since `seen`: look at it, then send `{action}` with its `version`"
        );
        Self::new(StatusCode::CONFLICT, ProblemCode::Changed, "Changed since it was shown", detail)
            .with_incident(incident)
    }

    fn with_incident(self, incident: Value) -> Self {
        let mut problem = self;
        problem.0.members = incident.as_object().cloned().unwrap_or_default();
        problem.0.members.remove("title");
        problem.0.incident = Some(incident);
        problem
    }

    /// 409: the device has not done yet what it was told before.
    pub fn too_many(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, ProblemCode::TooMany, "Too many at once", detail)
    }

    /// 413: a body larger than anything this API takes.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes: send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ProblemCode::TooLarge, "Body too large", detail)
    }

    /// 415: a body that does not say it is JSON.
    pub fn not_json() -> Self {
        let detail = "the body is not JSON by its header: send `Content-Type: application/json`";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, ProblemCode::NotJson, "Not JSON", detail.into())
    }

    /// 503: more at once than the gateway serves, or slower than it waits.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Busy, "Busy", detail.into())
    }

    /// 503: a part the request needs does not work now.
    pub fn part_down(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, ProblemCode::PartDown, "A part does not work", detail.into())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::part_down(format!("{error}: see /readyz and the gateway's log"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"standpipe\"");
            headers.insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}

/// A value as far as it is shown, without anything that could steer a terminal.
fn shown(value: &str) -> String {
    let mut text: String = value
        .chars()
        .take(SHOWN)
        .map(|letter| if is_hidden(letter) { '�' } else { letter })
        .collect();
    if value.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_value_is_shown_short_and_harmless() {
        assert_eq!(shown("fog"), "fog");
        assert_eq!(shown("\u{1b}[31m\n"), "�[31m�");
        assert_eq!(shown("\u{202e}on"), "�on");
        let long = "火".repeat(81);
        assert_eq!(shown(&long), format!("{}…", "火".repeat(80)));
        assert_eq!(shown(&"x".repeat(80)), "x".repeat(80));
    }
}
