//! Names of areas, devices and stations as they stand in topics.

/// 1 to 48 characters of `[A-Za-z0-9_-]`, borrowed from wherever they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a str);

/// A name that is empty, too long or has a character outside `[A-Za-z0-9_-]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl core::fmt::Display for BadName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a name: use 1 to 48 of A-Z, a-z, 0-9, _ and -")
    }
}

impl core::error::Error for BadName {}

impl<'a> Name<'a> {
    /// The longest name, bytes.
    pub const MAX: usize = 48;

    /// # Errors
    /// [`BadName`] for anything but 1 to 48 of `[A-Za-z0-9_-]`.
    pub fn new(text: &'a str) -> Result<Self, BadName> {
        let fits = (1..=Self::MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits && clean { Ok(Self(text)) } else { Err(BadName) }
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{BadName, Name};

    #[test]
    #[rustfmt::skip] // a table
    fn names_are_1_to_48_plain_characters() {
        let longest = [b'a'; 48];
        let longer = [b'a'; 49];
        for (text, good) in [
            ("HYD-0001", true), ("a", true), ("_", true),
            (core::str::from_utf8(&longest).unwrap_or(""), true),
            (core::str::from_utf8(&longer).unwrap_or(""), false),
            ("", false), ("a/b", false), ("a b", false), ("a+", false), ("消", false), ("a\0", false),
        ] {
            assert_eq!(Name::new(text).is_ok(), good, "{text:?}");
        }
        assert_eq!(Name::new("#"), Err(BadName));
        assert_eq!(Name::new("x-1").map(Name::as_str), Ok("x-1"));
    }
}
