//! `sms`: a text message by somebody's HTTP service. Method, address, headers and body are configured,
//! and whatever is put into them is escaped as its place wants it.
//!
//! `{to}` the numbers, `{title}` one line, `{text}` all of it, `{url}` the link, `{page_id}`,
//! `{secret}` the content of `secret_file`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::HeaderName;
use standpipe_rules::plain;
use standpipe_trust::Secret;
use standpipe_words::digest::Room;
use standpipe_words::message::MessageText;

use crate::answer::{self, Answer, Blames};
use crate::attempt::Attempt;
use crate::facts::{FormatFacts, ReceiverFormat, TEXTS};
use crate::http;
use crate::keys::{KeyShape, OwnKey, OwnKeys};

/// A text message is paid for by its length.
const ROOM: Room = Room::Line;

const TO: OwnKey = OwnKey {
    name: "to",
    shape: KeyShape::List { wanted: "[\"…\", …]", is_good: |_| true },
    default: Some("[]"),
    says: "numbers; joined by commas they are `{to}`.",
};
const METHOD: OwnKey = OwnKey {
    name: "method",
    shape: KeyShape::Text,
    default: Some("\"POST\""),
    says: "of the request.",
};
const HEADERS: OwnKey = OwnKey {
    name: "headers",
    shape: KeyShape::List {
        wanted: "[\"Name: value\", …]",
        is_good: |text| header(text).is_some(),
    },
    default: Some("[]"),
    says: "`Name: value`. `Content-Type` says how what is put into the body is escaped: as JSON, unless it names urlencoded, XML or plain text.",
};
const BODY: OwnKey = OwnKey {
    name: "body",
    shape: KeyShape::Text,
    default: None,
    says: "in it, in the headers and in `url`, `{to}`, `{title}` (one line), `{text}` (all), `{url}` (the link), `{page_id}` and `{secret}` are put in.",
};
const TAKEN_WHEN: OwnKey = OwnKey {
    name: "taken_when",
    shape: KeyShape::Text,
    default: None,
    says: "what the answer must contain; else it is tried again. A web page is no answer, unless this text has a `<` in it. Without it, the status decides.",
};

/// `sms`: the request that the service wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    method: Method,
    /// `url`, in which braces stand for something.
    url: Box<str>,
    headers: Vec<(Box<str>, Box<str>)>,
    body: Box<str>,
    to: Vec<Box<str>>,
    /// What the answer must contain.
    taken_when: Option<Box<str>>,
}

impl ReceiverFormat for Sms {
    const FACTS: FormatFacts = FormatFacts {
        keys: &[TO, METHOD, HEADERS, BODY, TAKEN_WHEN],
        secret_says: "`{secret}`.",
        pace: TEXTS,
        ..FormatFacts::over_http("sms", "a request of your own.")
    };

    fn parse(own: &mut OwnKeys<'_>) -> Option<Self> {
        let method = own.text(&METHOD).unwrap_or("POST");
        let Ok(method) = Method::from_bytes(method.as_bytes()) else {
            own.fault(&METHOD, "no method of HTTP: write \"POST\" or \"GET\"");
            return None;
        };
        Some(Self {
            method,
            url: own.address().into(),
            headers: own.list(&HEADERS).iter().filter_map(|text| header(text)).collect(),
            body: own.text(&BODY).map_or_else(Box::default, Box::from),
            to: own.list(&TO).to_vec(),
            taken_when: own.text(&TAKEN_WHEN).map(Box::from),
        })
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let words = attempt.words(ROOM)?;
        let filled = fill(self, attempt.secret, (&words, &attempt.message.page_id));
        let request = attempt.caller.http.request(self.method.clone(), filled.url);
        let headers = filled.headers.into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let reply = http::exchange(request.body(filled.body), attempt.clock).await?;
        match &self.taken_when {
            Some(wanted) => Ok(judge(reply.whole()?, wanted)),
            // Services of text messages call anything HTML.
            None => Ok(answer::by_body("", &reply.body)),
        }
    }
}

/// `Name: value`
fn header(text: &str) -> Option<(Box<str>, Box<str>)> {
    let (name, value) = text.split_once(':')?;
    HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    Some((name.trim().into(), value.trim().into()))
}

fn judge(body: &str, wanted: &str) -> Answer {
    if body.contains(wanted) {
        // The page of a network's sign-in contains a `0` or an `OK` somewhere.
        return if wanted.contains('<') { Answer::Taken } else { answer::by_body("", body) };
    }
    let said: String = plain(body).chars().take(200).collect();
    Answer::later(Blames::Message, format!("its answer lacks `taken_when`: {said}"))
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filled {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// How a place wants what is put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaping {
    Query,
    Json,
    Xml,
    Line,
}

/// Fills the templates.
fn fill(sms: &Sms, secret: Option<&Secret>, (words, page_id): (&MessageText, &str)) -> Filled {
    let values = [
        ("to", sms.to.join(",")),
        ("title", words.headline.clone()),
        ("text", words.lines.join("\n")),
        ("url", words.link.clone()),
        ("page_id", page_id.to_owned()),
        ("secret", secret.map(|secret| secret.expose().to_owned()).unwrap_or_default()),
    ];
    let typed = sms.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let place = match typed.map(|(_, value)| value.to_ascii_lowercase()) {
        Some(typed) if typed.contains("urlencoded") => Escaping::Query,
        Some(typed) if typed.contains("xml") => Escaping::Xml,
        Some(typed) if typed.contains("text/plain") => Escaping::Line,
        Some(_) | None => Escaping::Json,
    };
    let headers = sms.headers.iter();
    Filled {
        url: put(&sms.url, &values, Escaping::Query),
        headers: headers
            .map(|(name, value)| (name.to_string(), put(value, &values, Escaping::Line)))
            .collect(),
        body: put(&sms.body, &values, place),
    }
}

/// One pass from left to right: what was put in is never looked at again.
fn put(template: &str, values: &[(&str, String)], place: Escaping) -> String {
    let (mut out, mut rest) = (String::new(), template);
    while let Some((before, from)) = rest.split_once('{') {
        out.push_str(before);
        let named = values
            .iter()
            .find_map(|(name, value)| Some((from.strip_prefix(name)?.strip_prefix('}')?, value)));
        if let Some((after, value)) = named {
            out.push_str(&escaped(value, place));
            rest = after;
        } else {
            out.push('{');
            rest = from;
        }
    }
    out + rest
}

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn escaped(value: &str, place: Escaping) -> String {
    match place {
        Escaping::Line => value.replace(['\r', '\n'], " "),
        Escaping::Xml => standpipe_words::cap::escaped(value),
        Escaping::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned()
        }
        Escaping::Query => utf8_percent_encode(value, RESERVED).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Escaping, put};

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_put_in_never_breaks_out_of_its_place() {
        let title = "\"a\" & {to}\n<火>\\";
        let values = [("title", title.to_owned()), ("to", "13800000000".to_owned())];
        for (template, place, expected) in [
            ("{\"m\":\"{title}\",\"n\":{}}", Escaping::Json, r#"{"m":"\"a\" & {to}\n<火>\\","n":{}}"#),
            ("m={title}&to={to}",   Escaping::Query, "m=%22a%22%20%26%20%7Bto%7D%0A%3C%E7%81%AB%3E%5C&to=13800000000"),
            ("<m>{title}</m>",      Escaping::Xml,   "<m>&quot;a&quot; &amp; {to}\n&lt;火&gt;\\</m>"),
            ("X {title} {unknown}", Escaping::Line,  "X \"a\" & {to} <火>\\ {unknown}"),
        ] {
            assert_eq!(put(template, &values, place), expected);
        }
    }
}
