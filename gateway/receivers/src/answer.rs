//! What a webhook's answer means: it has the page, try again, or never.

use std::time::Duration;

use standpipe_rules::plain;

/// What a receiver wishes that does not take a page now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitWish {
    /// It gets too many messages: not so soon.
    TooMany(Duration),
    /// It is not well: not so soon.
    Unwell(Duration),
}

impl WaitWish {
    /// How long it wishes to be left alone.
    #[must_use]
    pub const fn wait(self) -> Duration {
        match self {
            Self::TooMany(wait) | Self::Unwell(wait) => wait,
        }
    }
}

/// What a refusal may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blames {
    /// What this message says: another one may be taken.
    Message,
    /// The receiver, its address or the way to it: it takes nothing now.
    Receiver,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has it.
    Taken,
    /// Not now.
    Later {
        /// The receiver's own wish.
        wait: Option<WaitWish>,
        /// In words.
        why: String,
        /// What it may be about.
        blames: Blames,
    },
    /// Not ever, as it is configured.
    Never {
        /// In words.
        why: String,
        /// What it may be about.
        blames: Blames,
    },
}

impl Answer {
    /// It takes nothing now, and wishes nothing.
    #[must_use]
    pub const fn later(blames: Blames, why: String) -> Self {
        Self::Later { wait: None, why, blames }
    }
}

/// What a redirect means: neither a receipt nor a refusal. A network's sign-in page redirects whatever
/// passes, and goes away again; so it is tried until the page is given up. `to`: where it points.
#[must_use]
pub fn redirected(status: u16, to: Option<&str>) -> Answer {
    let to = to.map_or_else(String::new, |to| format!(" to {}", plain(to)));
    let why = format!(
        "status {status}, a redirect{to}: sign in to the network if it asks for that, or set `url` to where \
         it points"
    );
    Answer::later(Blames::Receiver, why)
}

/// Reads a status and the `Retry-After` beside it.
#[must_use]
pub fn read(status: u16, wait: Option<Duration>) -> Answer {
    use Blames::{Message, Receiver};
    let never = |blames, what_to_do: &str| Answer::Never {
        why: format!("status {status}: {what_to_do}"),
        blames,
    };
    let why = || format!("status {status}");
    match status {
        200..=299 => Answer::Taken,
        // Too early, too slow, too many: the request itself was fine.
        429 => Answer::Later { wait: wait.map(WaitWish::TooMany), why: why(), blames: Receiver },
        // A program that fails, without saying for how long, may fail at what it was told.
        500 | 501 if wait.is_none() => Answer::later(Message, why()),
        408 | 425 | 500..=599 => {
            Answer::Later { wait: wait.map(WaitWish::Unwell), why: why(), blames: Receiver }
        }
        300..=399 => redirected(status, None),
        401 | 403 | 407 => never(Receiver, "check `secret_file` and the receiver's access rules"),
        404 | 405 | 410 => never(Receiver, "check `url`"),
        _ => never(Message, "see the receiver's log"),
    }
}

/// What a good status means with this body, where the format has no word for it: taken, unless it is a
/// web page. No receiver answers with one; who stands between us and it does: the sign-in page of a
/// network, a proxy, the page of a wrong address.
#[must_use]
pub fn by_body(content_type: &str, body: &str) -> Answer {
    if !is_page(content_type, body) {
        return Answer::Taken;
    }
    let shown: String = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = plain(&shown).chars().take(SHOWN).collect();
    let why = format!(
        "its answer is a web page (`{shown}`): check `url`, and whether a proxy or a network's sign-in \
         stands in between"
    );
    Answer::later(Blames::Receiver, why)
}

/// How much of a page is shown, characters.
const SHOWN: usize = 80;
/// What pages and pieces of them begin with, and no receipt in XML.
#[rustfmt::skip] // a table
const TAGS: [&str; 29] = [
    "!doctype html", "html", "head", "body", "title", "meta", "script", "noscript", "style", "link", "base",
    "frameset", "iframe", "div", "span", "p", "br", "hr", "center", "form", "table", "h1", "h2", "h3", "ul",
    "img", "font", "section", "a href",
];

/// Typed as HTML it is a page as soon as there is markup in it: frameworks call a bare `ok` HTML, too.
/// Typed otherwise, or not at all, it is one when it begins as one, comments apart.
fn is_page(content_type: &str, body: &str) -> bool {
    let text = body.trim_start_matches('\u{feff}').trim_start();
    let typed = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (text, xml) = match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => (rest.trim_start(), true),
        None => (text, false),
    };
    let mut first = text;
    while let Some((_, rest)) = first.strip_prefix("<!--").and_then(|rest| rest.split_once("-->")) {
        first = rest.trim_start();
    }
    let begins = first.strip_prefix('<').map(|rest| {
        let start: String = rest.chars().take(20).collect::<String>().to_ascii_lowercase();
        start.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let begins = begins.unwrap_or_default();
    let named = |tag: &&str| {
        let rest = begins.strip_prefix(*tag);
        rest.is_some_and(|after| {
            !after.starts_with(|next: char| next.is_alphanumeric() || next == '-')
        })
    };
    let html = matches!(&*typed, "text/html" | "application/xhtml+xml");
    let marked = || html && !xml && text.contains('<') && !is_json(text);
    TAGS.iter().any(named) || marked()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Blames, WaitWish, by_body, read, redirected};
    use std::time::Duration;

    #[test]
    #[rustfmt::skip] // a table
    fn a_web_page_is_no_receipt() {
        for (content_type, body, taken) in [
            ("",                         "",                                            true),
            ("text/html; charset=utf-8", "",                                            true),
            ("text/html; charset=utf-8", "ok",                                          true),
            ("text/html",                r#"{"ok":true}"#,                              true),
            ("text/html",                r#"{"said":"<b>ok</b>"}"#,                     true),
            ("application/json",         r#"{"page":"<html>"}"#,                        true),
            ("text/plain",               "<- taken",                                    true),
            ("application/xml",          "<?xml version=\"1.0\"?><ack/>",               true),
            ("text/html",                "<?xml version=\"1.0\"?><returnsms>0</returnsms>", true),
            ("",                         "<ack>1</ack>",                                true),
            ("application/xml",          "<header>1</header>",                          true),
            ("application/xml",          "<!DOCTYPE alert><alert/>",                    true),
            ("text/html",                "<!DOCTYPE html><html><title>Log in",          false),
            ("TEXT/HTML;charset=GBK",    "\n<script>location='http://10.0.0.1'</script>", false),
            ("text/html",                "Moved <a href='/login'>here</a>",             false),
            ("text/html",                "<!-- portal --><p>Hello",                     false),
            ("",                         "<html>",                                      false),
            ("application/json",         "\u{feff}  <HTML lang=zh>",                    false),
            ("text/plain",               "<!doctype\n  HTML PUBLIC \"-//W3C//DTD\">",  false),
            ("application/octet-stream", "<script>top.location='…'</script>",           false),
            ("application/xhtml+xml",    "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC><html>", false),
            ("",                         "<meta http-equiv='refresh'>",                 false),
            ("text/plain",               "<!-- a -->\n<!-- b --><html>",                false),
            ("",                         "<?xml version=\"1.0\"?><!-- a --><html>",      false),
            ("",                         "<!-- sent --><ack>1</ack>",                   true),
            ("",                         "<p>Log in</p>",                               false),
            ("",                         "<a href='http://10.0.0.1/'>Moved</a>",        false),
            ("",                         "<style>p{}</style>",                          false),
            ("",                         "<page>1</page>",                              true),
            ("",                         "<a>1</a>",                                    true),
        ] {
            let answer = by_body(content_type, body);
            assert_eq!(answer == Answer::Taken, taken, "{content_type} {body}: {answer:?}");
        }
        let page = by_body("text/html", "<html>\n\n<title>  Log in </title>");
        let why = "its answer is a web page (`<html> <title> Log in </title>`): check `url`, and \
                   whether a proxy or a network's sign-in stands in between".to_owned();
        assert_eq!(page, Answer::later(Blames::Receiver, why));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let wait = Some(Duration::from_secs(3));
        for status in [200, 201, 202, 204] {
            assert_eq!(read(status, None), Answer::Taken, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let why = format!("status {status}");
            let asked = if status == 429 { WaitWish::TooMany } else { WaitWish::Unwell };
            let expected = Answer::Later { wait: wait.map(asked), why, blames: Blames::Receiver };
            assert_eq!(read(status, wait), expected, "{status}");
        }
        for status in [300, 301, 302, 303, 307, 308] {
            assert!(matches!(read(status, wait), Answer::Later { wait: None, .. }), "{status}");
        }
        let Answer::Later { why, .. } = redirected(302, Some("http://10.0.0.1\n")) else {
            panic!()
        };
        assert_eq!(
            why,
            "status 302, a redirect to http://10.0.0.1: sign in to the network if it asks for that, or set \
             `url` to where it points"
        );
        for status in [100, 400, 401, 403, 404, 405, 410, 422, 600] {
            assert!(matches!(read(status, wait), Answer::Never { .. }), "{status}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn an_answer_blames_the_message_only_where_another_one_may_be_taken() {
        let wait = Some(Duration::from_secs(3));
        for (statuses, wait, expected) in [
            // Whoever is set up anew, guards its door, has too many or is away says so to everything.
            (&[401, 403, 404, 405, 407, 408, 410, 425, 429, 502, 503, 504, 302][..], None, Blames::Receiver),
            (&[500, 503],                                                            wait, Blames::Receiver),
            // What is in it cannot be read, is too long, is not wanted, or makes a program fail.
            (&[400, 406, 409, 413, 415, 422, 451],                                   wait, Blames::Message),
            (&[500, 501],                                                            None, Blames::Message),
        ] {
            for status in statuses {
                match read(*status, wait) {
                    Answer::Later { blames, .. } | Answer::Never { blames, .. } => {
                        assert_eq!(blames, expected, "{status}");
                    }
                    Answer::Taken => panic!("{status}"),
                }
            }
        }
    }
}
