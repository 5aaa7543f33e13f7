//! One request and its answer, for the formats that speak HTTP.

use reqwest::header::{CONTENT_TYPE, LOCATION, REFRESH, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use standpipe_machine::backoff::retry_after;
use standpipe_machine::clock::Clock;

use crate::answer::{self, Answer, Blames};
use crate::attempt::Attempt;
use crate::sign::{HEADER, signature};

/// The most of an answer that is read, bytes.
const ANSWER_MOST: usize = 64 * 1024;

/// The type of JSON.
pub const JSON: &str = "application/json";

/// An answer with a good status: what it means is the format's to say.
#[derive(Debug)]
pub struct HttpReply {
    /// As the receiver says it; empty where it doesn't.
    pub content_type: String,
    /// As much of it as is read.
    pub body: String,
    /// What ended it early, in words.
    torn: Option<String>,
}

impl HttpReply {
    /// The whole body, for a format whose receivers say in it how it went.
    ///
    /// # Errors
    /// [`Answer::Later`]: it was torn off.
    pub fn whole(&self) -> Result<&str, Answer> {
        match &self.torn {
            None => Ok(&self.body),
            Some(why) => Err(Answer::later(Blames::Receiver, why.clone())),
        }
    }
}

/// A POST to the receiver's address that bears its page and, where there is a secret, our signature.
pub fn signed_post(attempt: &Attempt, content_type: &str, body: String) -> RequestBuilder {
    let request = attempt.caller.http.post(attempt.url.clone());
    let request = request.header(CONTENT_TYPE, content_type);
    let request = request.header("Idempotency-Key", &attempt.message.page_id);
    let signed = attempt.secret.iter().fold(request, |request, secret| {
        request.header(HEADER, signature(secret.expose().as_bytes(), body.as_bytes()))
    });
    signed.body(body)
}

/// Sends a request.
///
/// # Errors
/// The answer that everything but a good status is, and that no connection is.
pub async fn exchange(request: RequestBuilder, clock: &Clock) -> Result<HttpReply, Answer> {
    let mut response = match request.send().await {
        Ok(response) => response,
        // The address may hold a secret: it is not for the log.
        Err(why) => {
            return Err(Answer::later(Blames::Receiver, in_words(&why.without_url())));
        }
    };
    let wait = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
    let wait = wait.and_then(|text| retry_after(text, clock.now()));
    let status = response.status();
    // A page that shall be left at once is a redirect in other words.
    let leaves = status.is_success() && response.headers().contains_key(REFRESH);
    if leaves || status.is_redirection() {
        return Err(answer::redirected(status.as_u16(), points_to(&response).as_deref()));
    }
    let answer = answer::read(status.as_u16(), wait);
    if answer != Answer::Taken {
        return Err(answer);
    }
    let typed = response.headers().get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
    let content_type = typed.unwrap_or_default().to_owned();
    let (body, torn) = body(&mut response).await;
    let torn = torn.map(|why| in_words(&why.without_url()));
    Ok(HttpReply { content_type, body, torn })
}

/// The host to which a redirect points, and no more: the rest may hold a secret of ours.
fn points_to(response: &Response) -> Option<String> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let origin = response.url().join(location).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// As much of the body as is read, and what ended it early.
async fn body(response: &mut Response) -> (String, Option<reqwest::Error>) {
    let (mut body, mut torn) = (Vec::new(), None);
    while body.len() < ANSWER_MOST {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(why) => {
                torn = Some(why);
                break;
            }
        }
    }
    (String::from_utf8_lossy(&body).into_owned(), torn)
}

/// An error and all that caused it.
fn in_words(why: &reqwest::Error) -> String {
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
