//! `mail`: a letter, the message as plain text, by SMTP. With `smtps://` the connection is encrypted from
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
use standpipe_trust::Authorities;
use standpipe_words::digest::Room;
use standpipe_words::message::MessageText;

use crate::answer::{Answer, Blames};
use crate::attempt::{ATTEMPT_TIMEOUT, Attempt};
use crate::facts::{Carrier, FormatFacts, PEOPLE, ReceiverFormat};
use crate::keys::{KeyShape, OwnKey, OwnKeys};

/// A letter is as long as it has to be; this only keeps it from having no end.
const ROOM: Room = Room::Bytes(64_000);

const TO: OwnKey = OwnKey {
    name: "to",
    shape: KeyShape::List { wanted: "[\"…\", …]", is_good: |_| true },
    default: Some("[]"),
    says: "addresses, at least one.",
};
const FROM: OwnKey =
    OwnKey { name: "from", shape: KeyShape::Text, default: None, says: "the sender's address." };
const USERNAME: OwnKey = OwnKey {
    name: "username",
    shape: KeyShape::Text,
    default: None,
    says: "the name that goes with the password.",
};

/// `mail`: who writes to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFormat {
    from: Box<str>,
    to: Vec<Box<str>>,
    username: Option<Box<str>>,
}

impl ReceiverFormat for MailFormat {
    const FACTS: FormatFacts = FormatFacts {
        carrier: Carrier::Smtp,
        pace: PEOPLE,
        keys: &[TO, FROM, USERNAME],
        secret_says: "the password.",
        ..FormatFacts::over_http("mail", "a letter.")
    };

    fn parse(own: &mut OwnKeys<'_>) -> Option<Self> {
        let (from, to) = (own.text(&FROM).unwrap_or_default(), own.list(&TO).to_vec());
        let addresses = std::iter::once((&FROM, from)).chain(to.iter().map(|to| (&TO, &**to)));
        for (key, address) in addresses {
            if address.parse::<Mailbox>().is_err() {
                own.fault(key, "no address of mail: write name@host");
            }
        }
        if to.is_empty() {
            own.fault(&TO, "nobody: write [\"name@host\", …]");
        }
        let username = own.text(&USERNAME).map(Box::from);
        Some(Self { from: from.into(), to, username })
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let (words, page_id) = (attempt.words(ROOM)?, &attempt.message.page_id);
        let letter = letter(self, (&words, page_id))
            .map_err(|why| Answer::Never { why, blames: Blames::Message })?;
        let post = post(attempt.url, &attempt.caller.trust)
            .map_err(|bad| Answer::Never {
                why: format!("{bad}: check `url`"),
                blames: Blames::Receiver,
            })?
            .timeout(Some(ATTEMPT_TIMEOUT));
        let post = match (&self.username, attempt.secret) {
            (Some(name), Some(secret)) => {
                post.credentials(Credentials::new(name.to_string(), secret.expose().to_owned()))
            }
            _ => post,
        };
        match post.build::<Tokio1Executor>().send(letter).await {
            Ok(_) => Ok(Answer::Taken),
            Err(bad) => Err(refused(&bad)),
        }
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
        return Answer::Never { why, blames: Blames::Message };
    }
    Answer::later(Blames::Receiver, why)
}

fn post(
    url: &Url,
    trust: &Authorities,
) -> Result<lettre::transport::smtp::AsyncSmtpTransportBuilder, Error> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone());
    let (tls, port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(trust.smtp(host)?), 465),
        _ if here && !trust.is_own() => (Tls::None, 25),
        _ => (Tls::Required(trust.smtp(host)?), 587),
    };
    Ok(smtp.port(url.port().unwrap_or(port)).tls(tls))
}

fn letter(mail: &MailFormat, (words, page_id): (&MessageText, &str)) -> Result<Message, String> {
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
