//! A text that a person or a machine sent, as it may stand in a trail, a list and a page: on one line,
//! and with nothing in it that nobody sees.
//!
//! It is applied where a text comes in. Bytes that people shall see exactly are written out instead
//! (`wire::shown`).

use standpipe_shared::is_hidden;

/// The text on one line: line breaks and control characters between words become one space, all else
/// that is hidden ([`is_hidden`]: what turns the direction of the text beside it, what has no width)
/// is left out, and so is white space at both ends. Of clean text it is the same text.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parted = false;
    for letter in text.chars() {
        if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') {
            parted = true;
        } else if !(is_hidden(letter) || parted && letter == ' ') {
            if parted && !out.ends_with(' ') {
                out.push(' ');
            }
            parted = false;
            out.push(letter);
        }
    }
    let trimmed = out.trim();
    if trimmed.len() == out.len() { out } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use proptest::prelude::{any, proptest};

    #[test]
    #[rustfmt::skip] // a table
    fn a_text_stays_on_its_line_and_turns_nothing_beside_it() {
        for (story, text, expected) in [
            ("clean",                    "李雷, 鱼洞站 🚒  (2)",            "李雷, 鱼洞站 🚒  (2)"),
            ("nothing",                  "",                             ""),
            ("a forged line of a trail", "chief\r\n09:00 closed by T20", "chief 09:00 closed by T20"),
            ("a line break and a space", "a\n b \n c\td",                "a b c d"),
            ("right to left override",   "chief\u{202e}02T fo",          "chief02T fo"),
            ("isolates and marks",       "\u{2066}a\u{2069}\u{200f}b",   "ab"),
            ("no width",                 "ad\u{200b}min\u{feff}",        "admin"),
            ("a terminal's commands",    "\u{1b}[31mred\u{7}",           "[31mred"),
            ("paragraphs",               "a\u{2029}b\u{85}c",            "a b c"),
            ("nothing to be seen",       "\u{202e}\n\u{0}",              ""),
            ("the Arabic that is meant", "محطة",                         "محطة"),
        ] {
            assert_eq!(plain(text), expected, "{story}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases::cases(1_000))]

        #[test]
        fn what_is_plain_stays_as_it_is(text in any::<String>()) {
            let once = plain(&text);
            assert!(!once.chars().any(standpipe_shared::is_hidden), "{once:?}");
            assert_eq!(plain(&once), once);
        }
    }
}
