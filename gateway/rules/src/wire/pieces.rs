//! Cuts the inside of an array or object at its commas, without judging what lies between them.
//!
//! Strings and nesting are followed, so that one bad element (`NaN`, a misspelt word, a number
//! in another shape) leaves its neighbours whole. An element whose own quotes or brackets do not
//! match takes along what follows it: nobody can say where it was meant to end.

/// What ended a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A comma: another piece follows.
    Comma,
    /// The closing bracket.
    Close,
    /// The text ended first.
    Missing,
}

/// The pieces of an array (`close` is `]`) or object (`}`).
pub(super) struct Pieces<'a> {
    text: &'a [u8],
    close: u8,
    first: bool,
    done: bool,
}

impl<'a> Pieces<'a> {
    /// `text` is what follows the opening bracket.
    pub(super) const fn new(text: &'a [u8], close: u8) -> Self {
        Self { text, close, first: true, done: false }
    }

    /// What has not been cut: after the last piece, what follows the closing bracket.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.text
    }
}

impl<'a> Iterator for Pieces<'a> {
    /// The piece, trimmed, and what ended it.
    type Item = (&'a [u8], End);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let (piece, end, rest) = cut(self.text, self.close);
        let piece = piece.trim_ascii();
        let nothing = self.first && piece.is_empty() && end == End::Close;
        *self = Self { text: rest, close: self.close, first: false, done: end != End::Comma };
        (!nothing).then_some((piece, end))
    }
}

/// The first piece of `text`, what ended it, and what follows.
fn cut(text: &[u8], close: u8) -> (&[u8], End, &[u8]) {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.iter().copied().enumerate() {
        let end = match byte {
            _ if escaped => {
                escaped = false;
                continue;
            }
            b'\\' if quoted => {
                escaped = true;
                continue;
            }
            b'"' => {
                quoted = !quoted;
                continue;
            }
            _ if quoted => continue,
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                continue;
            }
            b']' | b'}' if depth > 0 => {
                depth -= 1;
                continue;
            }
            b',' if depth == 0 => End::Comma,
            _ if depth == 0 && byte == close => End::Close,
            _ => continue,
        };
        let after = text.get(at + 1..).unwrap_or_default();
        return (text.get(..at).unwrap_or_default(), end, after);
    }
    (text, End::Missing, &[])
}
