//! Who may ask. With `STANDPIPE_ADMIN_TOKEN` set, whoever sends it; without, this machine only:
//! the server then listens on loopback only, and a web page open in a browser of this machine
//! can't borrow its place (its `Host` must be a loopback name, its bodies must be JSON).
//!
//! Accounts, roles and session cookies come with the console.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::ApiState;
use super::problem::Problem;

/// The administrator's bearer token; only its digest is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// `None` for an empty one, which is as good as none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// Whether it is this one. Takes as long for a near miss as for a far one.
    fn is(&self, text: &str) -> bool {
        let other: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        self.0.iter().zip(other).fold(0, |unlike, (a, b)| unlike | (a ^ b)) == 0
    }
}

/// Lets through who may ask.
pub async fn guard(State(api): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    match allowed(api.token.as_ref(), &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn allowed(token: Option<&Token>, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let Some(token) = token else {
        let host = text(header::HOST).unwrap_or("");
        return if is_loopback(host) { Ok(()) } else { Err(Problem::forbidden(host)) };
    };
    let sent = text(header::AUTHORIZATION).and_then(|it| it.split_once(' '));
    let good = sent.is_some_and(|(scheme, value)| {
        scheme.eq_ignore_ascii_case("bearer") && token.is(value.trim())
    });
    if good { Ok(()) } else { Err(Problem::unauthorized()) }
}

/// Whether a `Host` header (`name`, `name:port`, `[v6]:port`) names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Token, is_loopback};

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::new(" s3cret\n").expect("a token");
        assert!(token.is("s3cret"));
        for other in ["", "s3cre", "s3cret ", "S3cret", "s3crets"] {
            assert!(!token.is(other), "{other:?}");
        }
        assert!(Token::new("").is_none());
        assert!(Token::new(" \n").is_none());
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
