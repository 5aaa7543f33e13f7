//! What a request carries besides its query: the id in its path, the JSON in its body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use standpipe_rules::{Ms, plain};
use ulid::Ulid;
use utoipa::ToSchema;

use super::params::moment;
use super::problem::Problem;
use crate::api::who::{By, Who};

/// The largest body, bytes.
pub const BODY_AT_MOST: usize = 64 * 1024;
/// The longest text of a person, characters: as long as MQTT's.
const TEXT_AT_MOST: usize = standpipe_rules::wire::MAX_TEXT;

/// The header that makes a browser keep an answer as a file of this name. A name in another script
/// stands there a second time, percent-encoded (RFC 6266): browsers take that one.
#[must_use]
pub fn attachment(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' }
    };
    let ascii: String = name.chars().map(plain).collect();
    let all = escaped(name);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{all}")
}

/// A text of a person, on one line and without what nobody sees (`standpipe_rules::plain`).
///
/// # Errors
/// 400 when it is too long.
pub fn text(key: &str, text: &str) -> Result<Box<str>, Problem> {
    let length = text.chars().count();
    if length > TEXT_AT_MOST {
        let detail = format!("{key} has {length} characters: use {TEXT_AT_MOST} at most");
        return Err(Problem::bad_request(detail));
    }
    Ok(plain(text).into())
}

/// Who acts: a program speaks for people, as it says; a person speaks for nobody else.
///
/// # Errors
/// 400 when that is too long.
pub fn signed(by: &str, who: &Who) -> Result<Box<str>, Problem> {
    let by = text("by", by)?;
    let own = matches!(who.by, By::Session { .. }) || by.is_empty();
    Ok(if own { who.name.clone() } else { by })
}

/// A moment as a body has it: Unix ms, or as in a query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "not a moment: use Unix milliseconds or a time such as \
                               2026-11-23T08:00:00Z or 2026-11-23 (UTC)"
)]
pub enum MomentBody {
    /// Unix ms.
    Ms(Ms),
    /// ISO 8601, such as `2026-11-23T08:00:00Z` or `2026-11-23` (UTC).
    Text(String),
}

impl MomentBody {
    /// The moment; `field`: the member that says it.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn ms(&self, field: &'static str) -> Result<Ms, Problem> {
        match self {
            Self::Ms(ms) => Ok(*ms),
            Self::Text(text) => moment(text).ok_or_else(|| Problem::bad_moment(field, text)),
        }
    }
}

/// The `{id}` of a path, not yet looked at.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|bad| {
            Problem::bad_request(format!("the path can't be read ({bad}): send it as UTF-8"))
        })?;
        Ok(Self(id))
    }
}

/// The `{id}` of a path that is a ULID, which is one in either case, as we write it. What is none is as it
/// was sent: nothing has that id.
pub struct UlidId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for UlidId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Id::from_request_parts(parts, state).await.map(|Id(id)| Self(canonical(id)))
    }
}

/// A ULID as we write it, in capitals; anything else as it is.
#[must_use]
pub fn canonical(id: String) -> String {
    Ulid::from_string(&id).map_or(id, |ulid| ulid.to_string())
}

/// A JSON body. It must say that it is one: a form of a foreign web page can't.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or("").split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::not_json());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|bad| {
            if bad.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::too_large(BODY_AT_MOST)
            } else {
                Problem::bad_request("the body broke off: send it again")
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|bad| {
            let detail = format!("the body can't be read ({bad}): see /api/openapi.json");
            Problem::bad_request(detail)
        })
    }
}

/// All but what RFC 3986 calls unreserved, and `/`.
const NOT_IN_QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A text as the value of a query parameter.
#[must_use]
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_QUERY).to_string()
}
