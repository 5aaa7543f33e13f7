//! One attempt at one receiver, whatever its format: what is sent, and what came of it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use standpipe_rules::digest::Digest;
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::plain;
use standpipe_words::cap::{self, Earlier};
use standpipe_words::digest::Room;
use standpipe_words::message::{self, Desk, Words};

use super::answer::{self, Answer};
use super::sign::{HEADER, signature};
use super::{CONNECT_TIMEOUT, TIMEOUT, chat, mail, sms};
use crate::backoff::retry_after;
use crate::clock::Clock;
use crate::config::{Format, Robot, Webhook};
use crate::trust::Trust;

/// The most of an answer that is read, bytes.
const ANSWER_MOST: usize = 64 * 1024;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// An incident.
    Incident,
    /// The notices of a day.
    Digest,
}

/// What is on its way to a receiver.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What it is about.
    pub about: About,
    /// The page, or the digest: the same for every attempt.
    pub page_id: String,
    /// When it was owed.
    pub at: standpipe_rules::Ms,
    /// The incident with its page, or the digest: JSON.
    pub wire: String,
    /// What the receiver got about it before.
    pub earlier: Vec<Earlier>,
}

/// What a receiver is spoken to with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    http: Client,
    trust: Arc<Trust>,
}

impl Caller {
    fn new(trust: Trust) -> reqwest::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("standpipe/", env!("CARGO_PKG_VERSION")));
        Ok(Self { http: trust.client(client).build()?, trust: Arc::new(trust) })
    }
}

/// One for each of these receivers, in their order: those without a `ca_file` share one.
///
/// # Errors
/// No TLS.
pub fn callers(webhooks: &[Webhook]) -> reqwest::Result<Vec<Caller>> {
    let usual = Caller::new(Trust::system())?;
    let own = |webhook: &Webhook| match &webhook.trust {
        Some(trust) => Caller::new(trust.clone()),
        None => Ok(usual.clone()),
    };
    webhooks.iter().map(own).collect()
}

/// Tries once.
#[must_use]
pub fn attempt(
    caller: &Caller,
    webhook: &Webhook,
    sent: Sent,
    desk: &Desk,
    clock: &Clock,
) -> BoxFuture<'static, Answer> {
    let (caller, webhook, desk, clock) =
        (caller.clone(), webhook.clone(), desk.clone(), clock.clone());
    Box::pin(async move { try_once(&caller, &webhook, &sent, &desk, &clock).await })
}

async fn try_once(
    Caller { http: client, trust }: &Caller,
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
    let words = match said(&webhook.format, sent, desk) {
        Ok(Said::Words(words)) => words,
        Ok(Said::Cap(document)) => {
            let request = client.post(webhook.url.clone()).header(CONTENT_TYPE, cap::TYPE);
            return spoken(signed(request, webhook, sent, document), webhook, clock).await;
        }
        Err(why) => return Answer::Never { why },
    };
    let request = match &webhook.format {
        // These are not said in words.
        Format::Json | Format::Cap => client.post(webhook.url.clone()),
        Format::Robot(robot) => {
            let to = (&webhook.url, secret);
            let (url, body) = chat::post(*robot, to, &words, clock.now());
            let request = client.post(url).header(CONTENT_TYPE, "application/json");
            request.body(body.to_string())
        }
        Format::Sms(sms) => {
            let filled = sms::fill(sms, secret, (&words, &sent.page_id));
            let request = client.request(sms.method.clone(), filled.url);
            let request = filled.headers.into_iter().fold(request, |it, (k, v)| it.header(k, v));
            request.body(filled.body)
        }
        Format::Mail(letter) => {
            let to = (&webhook.url, secret, &**trust);
            return mail::send(letter, to, (&words, &sent.page_id)).await;
        }
    };
    spoken(request, webhook, clock).await
}

/// How a message is said.
enum Said {
    /// To people.
    Words(Words),
    /// To another alarm centre.
    Cap(String),
}

fn said(format: &Format, sent: &Sent, desk: &Desk) -> Result<Said, String> {
    let unread = |bad: serde_json::Error| format!("it can't be read ({bad})");
    match (sent.about, format) {
        (About::Digest, Format::Cap) => Err("a digest is no alert: CAP has none".to_owned()),
        (About::Digest, _) => {
            let it: Wrapped = serde_json::from_str(&sent.wire).map_err(unread)?;
            Ok(Said::Words(standpipe_words::digest::words(&it.digest, desk, room(format))))
        }
        (About::Incident, format) => {
            let it = WireIncident::read(&sent.wire).map_err(unread)?;
            let Format::Cap = format else { return Ok(Said::Words(message::words(&it, desk))) };
            let message = cap::Message { id: &sent.page_id, sent: sent.at, earlier: &sent.earlier };
            Ok(Said::Cap(cap::document(&it, &message, desk)))
        }
    }
}

/// A digest as it is kept and sent.
#[derive(Deserialize)]
struct Wrapped {
    digest: Digest,
}

/// How much of a digest a receiver takes: robots refuse longer texts.
const fn room(format: &Format) -> Room {
    match format {
        Format::Sms(_) => Room::Line,
        // "消息内容，最长不超过2048个字节". Source: WeCom, group robots, text.
        Format::Robot(Robot::WeCom) => Room::Bytes(2_048),
        // Both take 20,000 bytes of request; JSON and its escapes want some.
        Format::Robot(Robot::DingTalk | Robot::Feishu) => Room::Bytes(12_000),
        Format::Json | Format::Cap | Format::Mail(_) => Room::Bytes(64_000),
    }
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
    let status = response.status();
    if status.is_redirection() {
        return answer::redirected(status.as_u16(), points_to(&response).as_deref());
    }
    let answer = answer::read(status.as_u16(), wait);
    if answer != Answer::Taken {
        return answer;
    }
    let typed = response.headers().get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
    let typed = typed.unwrap_or_default().to_owned();
    let (body, torn) = body(&mut response).await;
    let wanted = match &webhook.format {
        Format::Robot(_) => None,
        Format::Sms(sms) => sms.taken_when.as_deref(),
        Format::Json | Format::Cap | Format::Mail(_) => None,
    };
    match (&webhook.format, wanted, torn) {
        // These say in their body how it went.
        (Format::Robot(_), _, Some(why)) | (_, Some(_), Some(why)) => {
            Answer::Later { wait: None, why: in_words(&why.without_url()) }
        }
        (Format::Robot(robot), _, None) => chat::read(*robot, &body),
        (_, Some(wanted), None) if body.contains(wanted) => Answer::Taken,
        (_, Some(_), None) => {
            let said: String = plain(&body).chars().take(200).collect();
            Answer::Later { wait: None, why: format!("its answer lacks `taken_when`: {said}") }
        }
        // The others, by their status; whatever of the body came shows whether it was they who spoke.
        // (Services of text messages call anything HTML.)
        (Format::Sms(_), None, _) => answer::by_body("", &body),
        (_, None, _) => answer::by_body(&typed, &body),
    }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{About, Answer, Sent, attempt, callers};
    use crate::clock::Clock;
    use crate::config::{Config, Language};
    use standpipe_words::message::Desk;

    /// What a receiver that answers so is taken to have said.
    async fn answered(head: &str) -> Answer {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let once = async {
            let (mut peer, _) = server.accept().await.unwrap();
            let mut asked = vec![0; 4_096];
            let _ = peer.read(&mut asked).await.unwrap();
            peer.write_all(head.as_bytes()).await.unwrap();
        };
        let text = format!(
            "[mqtt]\nurl = 'mqtt://a'\n[[webhook]]\nname = 'w'\nurl = 'http://127.0.0.1:{port}/hook'"
        );
        let config = Config::parse(&text, "standpipe.toml".as_ref(), None).unwrap();
        let (page_id, wire) = ("page".to_owned(), "{}".to_owned());
        let sent = Sent { about: About::Incident, page_id, at: 0, wire, earlier: Vec::new() };
        let zone = jiff::tz::TimeZone::UTC;
        let desk = Desk { url: "http://gateway".into(), zone, language: Language::English };
        let caller = &callers(&config.webhooks).unwrap()[0];
        let attempt = attempt(caller, &config.webhooks[0], sent, &desk, &Clock::new());
        tokio::join!(attempt, once).0
    }

    #[tokio::test]
    async fn a_sign_in_page_that_redirects_is_no_receipt_and_no_refusal() {
        for (status, location, shown) in [
            (
                302,
                "location: http://10.0.0.1:8000/login?token=hunter2\r\n",
                " to http://10.0.0.1:8000",
            ),
            (
                307,
                "location: https://portal.example/\r\nretry-after: 99999\r\n",
                " to https://portal.example",
            ),
            (303, "location: data:text/html,hunter2\r\n", ""),
            (308, "", ""),
        ] {
            let answer = answered(&format!("{status} Elsewhere\r\n{location}x: y")).await;
            let Answer::Later { wait: None, why } = answer else { panic!("{status}: {answer:?}") };
            assert!(
                why.starts_with(&format!("status {status}, a redirect{shown}: sign in")),
                "{why}"
            );
        }
        assert_eq!(answered("204 No Content").await, Answer::Taken);
    }
}
