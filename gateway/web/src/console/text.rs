//! The language of a visitor, and what pages write words and times with.
//!
//! Each page keeps its own words at its top, as [`Say`]; those that several need are in [`words`].

use axum::http::{HeaderMap, header};
pub use standpipe_words::moments::{clock, day, machine, moment, stamp};
pub use standpipe_words::{Lang, Say, say, terms as words};

use standpipe_config::Language;

use crate::api::auth::cookie;

/// The cookie in which somebody's choice is kept.
pub const LANGUAGE_COOKIE: &str = "language";

/// What they chose, else what their browser prefers, else what is configured.
#[must_use]
pub fn chosen(headers: &HeaderMap, usual: Language) -> Lang {
    let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Lang::named);
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|asked| asked.to_str().ok());
    chosen.or_else(|| preferred(asked?)).unwrap_or(Lang::usual(usual))
}

/// The first of our languages that the browser asks for, best first (RFC 9110 §12.5.4).
fn preferred(accept: &str) -> Option<Lang> {
    let mut asked: Vec<(u32, Lang)> = Vec::new();
    for part in accept.split(',').take(32) {
        let (tag, q) = part.split_once(";q=").unwrap_or((part, "1"));
        let thousandths =
            q.trim().parse::<f32>().map_or(0.0, |weight| weight.clamp(0.0, 1.0) * 1_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        asked.extend(Lang::named(tag).map(|lang| (thousandths as u32, lang)));
    }
    asked.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    asked.first().filter(|(q, _)| *q > 0).map(|(_, lang)| *lang)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::chosen;
    use standpipe_config::Language;

    #[test]
    #[rustfmt::skip] // a table
    fn the_choice_wins_over_the_browser_and_the_browser_over_the_configuration() {
        for (cookie, accept, tag) in [
            ("",                  "",                            "zh-CN"),
            ("",                  "en-GB,en;q=0.9,zh;q=0.8",     "en"),
            ("",                  "fr-FR,zh-TW;q=0.7,en;q=0.5",  "zh-CN"),
            ("",                  "en;q=0",                      "zh-CN"),
            ("",                  "fr",                          "zh-CN"),
            ("language=en",       "zh",                          "en"),
            ("a=b; language=zh",  "en",                          "zh-CN"),
            ("language=xx",       "en",                          "en"),
        ] {
            let value = |text| HeaderValue::from_str(text).unwrap();
            let pairs = [(header::COOKIE, value(cookie)), (header::ACCEPT_LANGUAGE, value(accept))];
            let lang = chosen(&HeaderMap::from_iter(pairs), Language::Chinese);
            assert_eq!(lang.tag(), tag, "{cookie} {accept}");
        }
    }
}
