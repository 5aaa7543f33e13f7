//! Bytes → text. A list is in one encoding; one that is in two was put together from two lists, and is
//! refused with the lines that differ: read as either, half of it would be nonsense.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_16BE, UTF_16LE};
use standpipe_rules::incidents::Text;

use crate::fault::both;

/// How much of the beginning shows UTF-16 without a byte order mark, bytes.
const LOOKED_AT: usize = 4_096;

/// Why bytes are no text, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText {
    pub line: u64,
    pub text: Text,
}

/// What the lines of a text that are not ASCII are.
#[derive(Clone, Copy, Debug, Default)]
struct LinesSeen {
    /// The first that is surely UTF-8: it has a character of three bytes.
    utf8: Option<u64>,
    /// The first that is no UTF-8.
    other: Option<u64>,
}

impl LinesSeen {
    fn of(bytes: &[u8]) -> Self {
        let mut seen = Self::default();
        for (line, number) in bytes.split(|byte| matches!(byte, b'\n')).zip(1..) {
            if line.is_ascii() {
                continue;
            }
            match std::str::from_utf8(line) {
                Err(_) => seen.other = seen.other.or(Some(number)),
                Ok(text) if text.chars().any(|letter| letter.len_utf8() > 2) => {
                    seen.utf8 = seen.utf8.or(Some(number));
                }
                Ok(_) => {}
            }
        }
        seen
    }
}

/// The encoding of a text by its beginning; `None`: UTF-8. The end of it may be cut.
#[must_use]
pub fn of_beginning(bytes: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some(encoding).filter(|encoding| *encoding != encoding_rs::UTF_8);
    }
    if let Some(utf16) = utf16(bytes) {
        return Some(utf16);
    }
    let seen = LinesSeen::of(bytes.rsplit_once_line());
    (seen.other.is_some() && seen.utf8.is_none()).then_some(GB18030)
}

/// Without its last line, which may be cut within a character.
trait WholeLines {
    fn rsplit_once_line(&self) -> &[u8];
}

impl WholeLines for [u8] {
    fn rsplit_once_line(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| *byte == b'\n');
        end.and_then(|end| self.get(..end)).unwrap_or(self)
    }
}

/// UTF-16 without a byte order mark: of Latin letters, digits and commas every other byte is zero.
fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if odd > head.len() / 8 && even == 0 {
        return Some(UTF_16LE);
    }
    (even > head.len() / 8 && odd == 0).then_some(UTF_16BE)
}

/// The text of a file.
///
/// # Errors
/// [`NotText`]: it is in no encoding that is read here, or in two.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(mark..).unwrap_or_default();
        return whole(encoding, rest);
    }
    if let Some(utf16) = utf16(bytes) {
        return whole(utf16, bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let seen = LinesSeen::of(bytes);
    if let (Some(utf8), Some(line)) = (seen.utf8, seen.other) {
        let en = format!(
            "not UTF-8, while line {utf8} is: the list was put together from two: save both parts in one \
             encoding"
        );
        let zh = format!(
            "不是 UTF-8，而第 {utf8} 行是：清单由两种编码拼成，请统一保存为一种编码（如 CSV UTF-8）"
        );
        return Err(NotText { line, text: both(en, zh) });
    }
    whole(GB18030, bytes)
}

fn whole<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Result<Cow<'a, str>, NotText> {
    // Excel's UTF-16 may end in half a character.
    let odd = bytes.len() % 2 == 1 && (encoding == UTF_16LE || encoding == UTF_16BE);
    let bytes = bytes.get(..bytes.len() - usize::from(odd)).unwrap_or(bytes);
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        return Ok(text);
    }
    let (text, _, _) = encoding.decode(bytes);
    let line = text.split('\n').position(|line| line.contains('\u{fffd}')).unwrap_or_default();
    let en = format!("neither UTF-8 nor {}: save the file as UTF-8", encoding.name());
    let zh = format!("既不是 UTF-8，也不是 {}：请将文件另存为 CSV UTF-8", encoding.name());
    Err(NotText { line: line as u64 + 1, text: both(en, zh) })
}

#[cfg(test)]
mod tests {
    use super::{decode, of_beginning};
    use encoding_rs::GB18030;

    const TEXT: &str = "编号,名称\nHY1,马王坪1号栓\nHY2,㵟溪\n";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_is_read_whatever_saved_it() {
        let (gbk, _, lost) = GB18030.encode(TEXT);
        assert!(!lost);
        let mut marked = b"\xef\xbb\xbf".to_vec();
        marked.extend(TEXT.as_bytes());
        let (little, big) = (utf16(TEXT, u16::to_le_bytes), utf16(TEXT, u16::to_be_bytes));
        let with = |mark: &[u8], text: &[u8]| [mark, text].concat();
        let half = with(&with(b"\xff\xfe", &little), b"\x0a");
        for (story, bytes) in [
            ("UTF-8", TEXT.as_bytes()),
            ("UTF-8 with its mark", &marked),
            ("GB 18030", &gbk),
            ("UTF-16 LE with its mark", &with(b"\xff\xfe", &little)),
            ("UTF-16 BE with its mark", &with(b"\xfe\xff", &big)),
            ("UTF-16 with half a character at the end", &half),
        ] {
            assert_eq!(decode(bytes).unwrap(), TEXT, "{story}");
        }
        let latin = "id,name\nHY1,One\nHY2,Two\n";
        for bytes in [utf16(latin, u16::to_le_bytes), utf16(latin, u16::to_be_bytes)] {
            assert_eq!(decode(&bytes).unwrap(), latin, "UTF-16 without a mark");
        }
        assert_eq!(of_beginning(&gbk), Some(GB18030));
        assert_eq!(of_beginning(TEXT.as_bytes()), None);
    }

    #[test]
    fn a_list_in_two_encodings_is_refused_with_both_lines() {
        let (gbk, _, _) = GB18030.encode("HY3,名\n");
        let mixed = [TEXT.as_bytes(), &gbk].concat();
        let bad = decode(&mixed).unwrap_err();
        assert_eq!(bad.line, 4);
        assert!(bad.text.en.contains("while line 1 is"), "{}", bad.text.en);
        assert!(bad.text.zh.contains("第 1 行"), "{}", bad.text.zh);
        assert_eq!(of_beginning(&mixed), None, "a stream of it is read as UTF-8, fault by fault");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        let bad = decode(b"id,name\nHY1,\xff\xff\xff\n").unwrap_err();
        assert_eq!(bad.line, 2);
        assert!(bad.text.en.starts_with("neither UTF-8 nor gb18030"), "{}", bad.text.en);
    }
}
