//! A text message by somebody's HTTP service: method, address, headers and body are configured,
//! and whatever is put into them is escaped as its place wants it.
//!
//! `{to}` the numbers, `{title}` one line, `{text}` all of it, `{url}` the link, `{page_id}`,
//! `{secret}` the content of `secret_file`.

use std::fmt::Write as _;

use standpipe_config::{Secret, Sms};
use standpipe_words::message::Words;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Where to.
    pub url: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// How a place wants what is put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Query,
    Json,
    Xml,
    Line,
}

/// Fills the templates.
pub fn fill(sms: &Sms, secret: Option<&Secret>, (words, page_id): (&Words, &str)) -> Filled {
    let values = [
        ("to", sms.to.join(",")),
        ("title", words.headline.clone()),
        ("text", words.lines.join("\n")),
        ("url", words.link.clone()),
        ("page_id", page_id.to_owned()),
        ("secret", secret.map(|it| it.expose().to_owned()).unwrap_or_default()),
    ];
    let typed = sms.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let place = match typed.map(|(_, value)| value.to_ascii_lowercase()) {
        Some(it) if it.contains("urlencoded") => Place::Query,
        Some(it) if it.contains("xml") => Place::Xml,
        Some(it) if it.contains("text/plain") => Place::Line,
        Some(_) | None => Place::Json,
    };
    let headers = sms.headers.iter();
    Filled {
        url: put(&sms.url, &values, Place::Query),
        headers: headers.map(|(k, v)| (k.to_string(), put(v, &values, Place::Line))).collect(),
        body: put(&sms.body, &values, place),
    }
}

/// One pass from left to right: what was put in is never looked at again.
fn put(template: &str, values: &[(&str, String)], place: Place) -> String {
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

fn escaped(value: &str, place: Place) -> String {
    match place {
        Place::Line => value.replace(['\r', '\n'], " "),
        Place::Xml => standpipe_words::cap::escaped(value),
        Place::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned()
        }
        Place::Query => value.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}"); // writing to a String does not fail
            }
            out
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, put};

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_put_in_never_breaks_out_of_its_place() {
        let title = "\"a\" & {to}\n<火>\\";
        let values = [("title", title.to_owned()), ("to", "13800000000".to_owned())];
        for (template, place, expected) in [
            ("{\"m\":\"{title}\",\"n\":{}}", Place::Json, r#"{"m":"\"a\" & {to}\n<火>\\","n":{}}"#),
            ("m={title}&to={to}",   Place::Query, "m=%22a%22%20%26%20%7Bto%7D%0A%3C%E7%81%AB%3E%5C&to=13800000000"),
            ("<m>{title}</m>",      Place::Xml,   "<m>&quot;a&quot; &amp; {to}\n&lt;火&gt;\\</m>"),
            ("X {title} {unknown}", Place::Line,  "X \"a\" & {to} <火>\\ {unknown}"),
        ] {
            assert_eq!(put(template, &values, place), expected);
        }
    }
}
