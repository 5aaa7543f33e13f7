//! A letter: the message as plain text, by SMTP. With `smtps://` the connection is encrypted from
//! its first byte; with `smtp://` it must become so (STARTTLS), unless the server is this machine and
//! no `ca_file` says who signed its certificate.
//!
//! The letter's id is the page's, so that a repeated one can be known.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Tls;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;
use standpipe_config::trust::Trust;
use standpipe_config::{Mail, Secret};
use standpipe_words::message::Words;

use super::TIMEOUT;
use super::answer::Answer;

/// Posts one.
pub async fn send(
    mail: &Mail,
    (url, secret, trust): (&Url, Option<&Secret>, &Trust),
    (words, page_id): (&Words, &str),
) -> Answer {
    let letter = match letter(mail, (words, page_id)) {
        Ok(letter) => letter,
        Err(why) => return Answer::Never { why },
    };
    let post = match post(url, trust) {
        Ok(post) => post.timeout(Some(TIMEOUT)),
        Err(bad) => return Answer::Never { why: format!("{bad}: check `url`") },
    };
    let post = match (&mail.username, secret) {
        (Some(name), Some(secret)) => {
            post.credentials(Credentials::new(name.to_string(), secret.expose().to_owned()))
        }
        _ => post,
    };
    match post.build::<Tokio1Executor>().send(letter).await {
        Ok(_) => Answer::Taken,
        Err(bad) => refused(&bad),
    }
}

/// A server that says "for good" may mean one letter or us: the page is given up, and said so.
fn refused(bad: &Error) -> Answer {
    let mut why = bad.to_string();
    if let Some(cause) = std::error::Error::source(bad) {
        why = format!("{why}: {cause}");
    }
    if bad.is_permanent() {
        let why = format!("{why}: check `username`, `secret_file`, `from` and `to`");
        return Answer::Never { why };
    }
    Answer::Later { wait: None, why }
}

fn post(
    url: &Url,
    trust: &Trust,
) -> Result<lettre::transport::smtp::AsyncSmtpTransportBuilder, Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let here =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
    let smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone());
    let (tls, port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(trust.smtp(host)?), 465),
        _ if here && !trust.is_own() => (Tls::None, 25),
        _ => (Tls::Required(trust.smtp(host)?), 587),
    };
    Ok(smtp.port(url.port().unwrap_or(port)).tls(tls))
}

fn letter(mail: &Mail, (words, page_id): (&Words, &str)) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|bad| format!("{text}: {bad}"));
    let from = mailbox(&mail.from)?;
    let host = Address::domain(&from.email).to_owned();
    let mut letter = Message::builder()
        .from(from)
        .message_id(Some(format!("<{page_id}@{host}>")))
        .subject(words.headline.clone());
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    let mut text = words.lines.join("\r\n");
    text.push_str("\r\n");
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text);
    letter.singlepart(text).map_err(|bad| bad.to_string())
}
