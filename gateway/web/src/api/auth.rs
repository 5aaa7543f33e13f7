//! Who may come in: whoever sends the administrator's token, a token that an admin made, or the
//! cookie of a session. In `standpipe demo` this machine may, without any: the server then
//! listens on loopback only, and a web page open in a browser of this machine can't borrow its
//! place (its `Host` must be a loopback name, its bodies must be JSON or carry the proof).
//!
//! What each may do is in `accounts`; signing in is in `console`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use standpipe_store::accounts::{
    AccountError, Accounts, Area, CredentialOwner, Right, Role, area, same,
};

use super::ApiState;
use super::problem::Problem;
use crate::api::who::{By, Who};

/// The cookie of a session.
pub const COOKIE: &str = "standpipe";
/// What a script of our own pages sends along with what it changes.
pub const PROOF: &str = "x-standpipe-csrf";
/// Who acts, when it is the administrator's token or this machine.
const ADMIN: &str = "admin";

/// The administrator's bearer token.
#[derive(Clone)]
pub struct AdminToken(Box<str>);

impl AdminToken {
    /// `None` for an empty one, which is as good as none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }
}

/// Who is let in at all.
#[derive(Clone)]
pub enum Access {
    /// Whoever has a session or a token.
    Accounts {
        /// The administrator's own.
        admin: Option<AdminToken>,
    },
    /// Everybody on this machine.
    ThisMachine {
        /// What forms must carry.
        csrf: Arc<str>,
    },
}

/// Lets through who may ask, and hands on who it is.
pub async fn guard(State(api): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    let who = match known(&api, request.headers()).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let sent = text(request.headers(), PROOF).unwrap_or("");
    if let By::Session { csrf } = &who.by
        && changes
        && !same(csrf, sent)
    {
        return Problem::no_proof().into_response();
    }
    request.extensions_mut().insert(who);
    next.run(request).await
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}

impl Who {
    /// Nothing, when they may do that.
    ///
    /// # Errors
    /// 403.
    pub fn needs(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) { Ok(()) } else { Err(Problem::not_allowed(self.role.as_str())) }
    }
}

/// Who asks.
///
/// # Errors
/// 401 without anything that opens the door; 403 from elsewhere where only this machine may;
/// 503 when the accounts can't be read.
pub async fn known(api: &ApiState, headers: &HeaderMap) -> Result<Who, Problem> {
    let admin = match &api.door {
        Access::ThisMachine { csrf } => return this_machine(headers, csrf),
        Access::Accounts { admin } => admin,
    };
    let now = api.clock.now();
    if let Some(sent) = text(headers, header::AUTHORIZATION.as_str()) {
        let bearer = sent.split_once(' ').filter(|parts| parts.0.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|parts| parts.1.trim()).ok_or_else(Problem::unauthorized)?;
        if admin.as_ref().is_some_and(|admin| same(&admin.0, token)) {
            return Ok(everything(By::Token));
        }
        let token = token.to_owned();
        let found = api.accounts.with(move |book| book.token(&token, now)).await?;
        return let_in(api, found, |_| By::Token).await;
    }
    let Some(cookie) = cookie(headers, COOKIE) else { return Err(Problem::unauthorized()) };
    let found = session(&api.accounts, cookie, now).await?;
    let_in(api, found, |session| By::Session { csrf: (&*session.csrf).into() }).await
}

async fn session(
    accounts: &Accounts,
    cookie: &str,
    now: standpipe_rules::Ms,
) -> Result<Option<CredentialOwner>, AccountError> {
    let cookie = cookie.to_owned();
    accounts.with(move |book| book.session(&cookie, now)).await
}

async fn let_in(
    api: &ApiState,
    found: Option<CredentialOwner>,
    by: impl FnOnce(&CredentialOwner) -> By,
) -> Result<Who, Problem> {
    let known = found.ok_or_else(Problem::unauthorized)?;
    let by = by(&known);
    let CredentialOwner { name, role, station, .. } = known;
    let of = station.clone();
    let area = api.store.read(move |db| Ok(area(db, of.as_deref())?)).await?;
    Ok(Who { name, role, station, area, by })
}

fn this_machine(headers: &HeaderMap, csrf: &Arc<str>) -> Result<Who, Problem> {
    let host = text(headers, header::HOST.as_str()).unwrap_or("");
    if !is_loopback(host) {
        return Err(Problem::forbidden(host));
    }
    Ok(everything(By::ThisMachine { csrf: Arc::clone(csrf) }))
}

fn everything(by: By) -> Who {
    Who { name: ADMIN.into(), role: Role::Admin, station: None, area: Area::All, by }
}

/// The value of a cookie.
///
/// By hand: `axum-extra` brings two more crates for these three lines, and writes the attributes of
/// `Set-Cookie` in another order.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a `Host` header (`name`, `name:port`, `[v6]:port`) names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match &error {
            AccountError::Store(_)
            | AccountError::TooNew(_)
            | AccountError::Secret(_)
            | AccountError::Busy => Self::part_down(error.to_string()),
            AccountError::Wrong
            | AccountError::Locked { .. }
            | AccountError::Password(_)
            | AccountError::Name(_)
            | AccountError::Taken(_)
            | AccountError::Unknown(_)
            | AccountError::LastAdmin(_) => Self::bad_request(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{AdminToken, COOKIE, cookie, is_loopback};

    #[test]
    fn an_empty_token_is_none() {
        assert!(AdminToken::new(" s3cret\n").is_some());
        assert!(AdminToken::new("").is_none());
        assert!(AdminToken::new(" \n").is_none());
    }

    #[test]
    #[rustfmt::skip] // a table
    fn our_cookie_is_found_among_others() {
        for (line, found) in [
            ("standpipe=abc", Some("abc")), ("a=b; standpipe=abc; c=d", Some("abc")),
            ("standpipe=", Some("")), ("xstandpipe=abc", None), ("standpipe", None), ("", None),
        ] {
            let line = HeaderValue::from_str(line).unwrap();
            let headers = HeaderMap::from_iter([(header::COOKIE, line.clone())]);
            assert_eq!(cookie(&headers, COOKIE), found, "{line:?}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn loopback_names() {
        for (host, good) in [
            ("localhost", true), ("localhost:8080", true), ("LOCALHOST:1", true),
            ("127.0.0.1:8080", true), ("127.8.8.8", true), ("[::1]:8080", true), ("[::1]", true),
            ("", false), ("evil.example", false), ("evil.example:8080", false),
            ("localhost.evil.example", false), ("127.0.0.1.evil.example", false),
            ("192.168.1.5:8080", false), ("0.0.0.0", false), ("[::]", false), ("[", false),
            ("::1", false),
        ] {
            assert_eq!(is_loopback(host), good, "{host}");
        }
    }
}
