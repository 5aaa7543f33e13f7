//! Bytes as people may see them: what is invisible, or no text, is written out.

use std::fmt::Write as _;

use standpipe_shared::is_hidden;

/// How much of an unreadable alarm is shown, characters.
pub const MAX_SHOWN: usize = 500;

/// The beginning of some bytes: at most [`MAX_SHOWN`] characters, and `…` where there is more.
pub(super) fn shown(bytes: &[u8]) -> Box<str> {
    let mut text = String::new();
    let mut count = 0;
    let mut piece = String::new();
    for chunk in bytes.utf8_chunks() {
        let good = chunk.valid().chars().map(Ok);
        for part in good.chain(chunk.invalid().iter().map(|byte| Err(*byte))) {
            piece.clear();
            let written = match part {
                Ok('\\') => write!(piece, "\\\\"),
                Ok('\n') => write!(piece, "\\n"),
                Ok('\r') => write!(piece, "\\r"),
                Ok('\t') => write!(piece, "\\t"),
                Ok(letter) if is_hidden(letter) => write!(piece, "\\u{{{:x}}}", letter as u32),
                Ok(letter) => write!(piece, "{letter}"),
                Err(byte) => write!(piece, "\\x{byte:02x}"),
            };
            count += piece.chars().count();
            if written.is_err() || count > MAX_SHOWN {
                text.push('…');
                return text.into();
            }
            text.push_str(&piece);
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::{MAX_SHOWN, shown};

    #[test]
    fn what_nobody_could_see_is_written_out() {
        for (bytes, expected) in [
            (&b"ON"[..], "ON"),
            (b"", ""),
            ("厨房烟感 🔥 <script>".as_bytes(), "厨房烟感 🔥 <script>"),
            (b"a\\b\r\n\t\0\x7f", "a\\\\b\\r\\n\\t\\u{0}\\u{7f}"),
            ("\u{202e}evil\u{feff}".as_bytes(), "\\u{202e}evil\\u{feff}"),
            (b"\xff\xfeO\0", "\\xff\\xfeO\\u{0}"),
        ] {
            assert_eq!(&*shown(bytes), expected);
        }
        assert_eq!(shown(&[b'a'; MAX_SHOWN]).chars().count(), MAX_SHOWN);
        let cut = shown("烟".repeat(MAX_SHOWN + 1).as_bytes());
        assert_eq!((cut.chars().count(), cut.ends_with("烟…")), (MAX_SHOWN + 1, true));
        assert!(shown(&[0; 4_000]).chars().count() <= MAX_SHOWN + 1);
    }
}
