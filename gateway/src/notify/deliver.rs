//! One attempt at one receiver, whatever its format: what is sent, and what came of it.

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use super::answer::{self, Answer};
use super::message::{Desk, Incident};
use super::sign::{HEADER, signature};
use super::{CONNECT_TIMEOUT, TIMEOUT, chat, mail, sms};
use crate::backoff::retry_after;
use crate::cap::{self, Earlier};
use crate::clock::Clock;
use crate::config::{Format, Webhook};

/// The most of an answer that is read, bytes.
const ANSWER_MOST: usize = 64 * 1024;

/// What is on its way to a receiver.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The page: the same for every attempt.
    pub page_id: String,
    /// When it was owed.
    pub at: standpipe_rules::Ms,
    /// The incident, JSON, with its page.
    pub wire: String,
    /// What the receiver got about it before.
    pub earlier: Vec<Earlier>,
}

/// A client as every receiver is spoken to with.
///
/// # Errors
/// No TLS.
pub fn client() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("standpipe/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Tries once.
#[must_use]
pub fn attempt(
    client: &Client,
    webhook: &Webhook,
    sent: Sent,
    desk: &Desk,
    clock: &Clock,
) -> BoxFuture<'static, Answer> {
    let (client, webhook, desk, clock) =
        (client.clone(), webhook.clone(), desk.clone(), clock.clone());
    Box::pin(async move { try_once(&client, &webhook, &sent, &desk, &clock).await })
}

async fn try_once(
    client: &Client,
    webhook: &Webhook,
    sent: &Sent,
    desk: &Desk,
    clock: &Clock,
) -> Answer {
    let secret = webhook.secret.as_ref();
    if let Format::Json = webhook.format {
        let request = client.post(webhook.url.clone()).header(CONTENT_TYPE, "application/json");
        return spoken(signed(request, webhook, sent, sent.wire.clone()), webhook, clock).await;
    }
    let incident: Incident = match serde_json::from_str(&sent.wire) {
        Ok(incident) => incident,
        Err(bad) => return Answer::Never { why: format!("it can't be read ({bad})") },
    };
    let request = match &webhook.format {
        Format::Json | Format::Cap => {
            let message = cap::Message { id: &sent.page_id, sent: sent.at, earlier: &sent.earlier };
            let request = client.post(webhook.url.clone()).header(CONTENT_TYPE, cap::TYPE);
            signed(request, webhook, sent, cap::document(&incident, &message, desk))
        }
        Format::Robot(robot) => {
            let to = (&webhook.url, secret);
            let (url, body) = chat::post(*robot, to, (&incident, desk), clock.now());
            let request = client.post(url).header(CONTENT_TYPE, "application/json");
            request.body(body.to_string())
        }
        Format::Sms(sms) => {
            let filled = sms::fill(sms, secret, (&incident, &sent.page_id), desk);
            let request = client.request(sms.method.clone(), filled.url);
            let request = filled.headers.into_iter().fold(request, |it, (k, v)| it.header(k, v));
            request.body(filled.body)
        }
        Format::Mail(letter) => {
            let to = (&webhook.url, secret);
            return mail::send(letter, to, (&incident, &sent.page_id), desk).await;
        }
    };
    spoken(request, webhook, clock).await
}

fn signed(request: RequestBuilder, webhook: &Webhook, sent: &Sent, body: String) -> RequestBuilder {
    let request = request.header("Idempotency-Key", &sent.page_id);
    let signed = webhook.secret.iter().fold(request, |request, secret| {
        request.header(HEADER, signature(secret.expose().as_bytes(), body.as_bytes()))
    });
    signed.body(body)
}

async fn spoken(request: RequestBuilder, webhook: &Webhook, clock: &Clock) -> Answer {
    let mut response = match request.send().await {
        Ok(response) => response,
        // The address may hold a secret: it is not for the log.
        Err(why) => return Answer::Later { wait: None, why: in_words(&why.without_url()) },
    };
    let wait = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
    let wait = wait.and_then(|text| retry_after(text, clock.now()));
    let answer = answer::read(response.status().as_u16(), wait);
    let (robot, wanted) = match &webhook.format {
        Format::Robot(robot) => (Some(*robot), None),
        Format::Sms(sms) => (None, sms.taken_when.as_deref()),
        Format::Json | Format::Cap | Format::Mail(_) => (None, None),
    };
    if answer != Answer::Taken || (robot.is_none() && wanted.is_none()) {
        return answer;
    }
    let mut body = Vec::new();
    while body.len() < ANSWER_MOST {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(why) => {
                return Answer::Later { wait: None, why: in_words(&why.without_url()) };
            }
        }
    }
    let body = String::from_utf8_lossy(&body);
    match (robot, wanted) {
        (Some(robot), _) => chat::read(robot, &body),
        (None, Some(wanted)) if !body.contains(wanted) => {
            let said: String = body.chars().take(200).collect();
            Answer::Later { wait: None, why: format!("its answer lacks `taken_when`: {said}") }
        }
        (None, _) => Answer::Taken,
    }
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
