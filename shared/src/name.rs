//! Names of areas, devices and stations as they stand in topics.
//!
//! Two rules. A *plain* name is what this project gives itself: stations, profiles, our own
//! devices. With the feature `unicode` (the gateway), areas and devices of other makers may be
//! named in any script; without it (a device, whose flash has no room for the tables) they are
//! plain, too.

/// A name as it was read, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a str);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// It had to be a plain name, and is none.
    NotPlain,
    /// It is empty, or longer than [`Name::MAX`] bytes.
    Length,
    /// It has `/`, `+`, `#`, or a character that nobody sees or that turns the writing around.
    Character,
    /// Its characters are not composed (Unicode NFC): two names could look the same.
    NotComposed,
    /// It is `.` or `..`, which a path of files or addresses drops.
    Dots,
}

impl BadName {
    /// What to do about it, whatever the name is of.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotPlain => "use 1 to 48 of A-Z, a-z, 0-9, _ and -",
            Self::Length => "use 1 to 64 bytes of UTF-8",
            Self::Character => "leave out / + # and invisible characters",
            Self::NotComposed => "write it in Unicode NFC",
            Self::Dots => "use more than dots",
        }
    }
}

impl core::fmt::Display for BadName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not a name: {}", self.remedy())
    }
}

impl core::error::Error for BadName {}

impl<'a> Name<'a> {
    /// The longest name of an area or a device, bytes.
    pub const MAX: usize = 64;
    /// The longest plain name, bytes.
    pub const MAX_PLAIN: usize = 48;

    /// The name of an area or a device.
    ///
    /// # Errors
    /// [`BadName`]. With the feature `unicode`, a name is 1 to 64 bytes of UTF-8 in NFC, without
    /// `/`, `+` and `#`, without characters that [nobody sees](is_hidden), and not `.` or `..`;
    /// without it, a name is plain.
    pub fn new(text: &'a str) -> Result<Self, BadName> {
        #[cfg(feature = "unicode")]
        return Self::plain(text).or_else(|_| any_script(text).map(|()| Self(text)));
        #[cfg(not(feature = "unicode"))]
        Self::plain(text)
    }

    /// The name of something that this project names itself, such as a station.
    ///
    /// # Errors
    /// [`BadName::NotPlain`] for anything but 1 to 48 of `[A-Za-z0-9_-]`.
    pub fn plain(text: &'a str) -> Result<Self, BadName> {
        let fits = (1..=Self::MAX_PLAIN).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits && clean { Ok(Self(text)) } else { Err(BadName::NotPlain) }
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

#[cfg(feature = "unicode")]
fn any_script(text: &str) -> Result<(), BadName> {
    if !(1..=Name::MAX).contains(&text.len()) {
        return Err(BadName::Length);
    }
    if text == "." || text == ".." {
        return Err(BadName::Dots);
    }
    if text.chars().any(|letter| matches!(letter, '/' | '+' | '#') || is_hidden(letter)) {
        return Err(BadName::Character);
    }
    let normalizer = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
    if normalizer.is_normalized(text) { Ok(()) } else { Err(BadName::NotComposed) }
}

/// Whether a character is invisible, or changes how those beside it are read: control and format
/// characters (Unicode Cc and Cf, all of `Bidi_Control` among them), line and paragraph
/// separators, fillers that look like nothing, and what is no character at all.
#[cfg(feature = "unicode")]
#[must_use]
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || letter as u32 & 0xFFFE == 0xFFFE
        || matches!(letter,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}'
            | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}'
            | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{BadName, Name};
    use std::string::String;

    #[test]
    #[rustfmt::skip] // a table
    fn plain_names_are_1_to_48_plain_characters() {
        let (longest, longer) = ("a".repeat(48), "a".repeat(49));
        for (text, good) in [
            ("HYD-0001", true), ("a", true), ("_", true), (&*longest, true), (&*longer, false),
            ("", false), ("a/b", false), ("a b", false), ("a+", false), ("消", false), ("a\0", false),
        ] {
            assert_eq!(Name::plain(text).is_ok(), good, "{text:?}");
        }
        assert_eq!(Name::plain("#"), Err(BadName::NotPlain));
        assert_eq!(Name::new("x-1").map(Name::as_str), Ok("x-1"));
    }

    #[cfg(not(feature = "unicode"))]
    #[test]
    fn a_device_knows_plain_names_alone() {
        assert_eq!(Name::new("00:15"), Err(BadName::NotPlain));
    }

    #[cfg(feature = "unicode")]
    #[test]
    #[rustfmt::skip] // a table
    fn areas_and_devices_are_named_in_any_script() {
        let bytes = |count: usize| "消".repeat(count / 3) + &"x".repeat(count % 3);
        let (longest, longer, ascii) = (bytes(64), bytes(65), "a".repeat(64));
        for (text, expected) in [
            ("00:15:8d:00:01",  Ok(())), ("厨房烟感", Ok(())), ("a b", Ok(())), ("a%2Fb", Ok(())),
            ("what?&\"'<b>",    Ok(())), ("...", Ok(())), ("$SYS", Ok(())), (".a", Ok(())),
            ("é",               Ok(())), ("एक", Ok(())), ("🔥", Ok(())), (" ", Ok(())),
            (&*longest,         Ok(())), (&*ascii, Ok(())),
            (&*longer,          Err(BadName::Length)),      ("", Err(BadName::Length)),
            (".",               Err(BadName::Dots)),        ("..", Err(BadName::Dots)),
            ("a/b",             Err(BadName::Character)),   ("a+", Err(BadName::Character)),
            ("#",               Err(BadName::Character)),   ("a\nb", Err(BadName::Character)),
            ("a\0",             Err(BadName::Character)),   ("a\u{7f}", Err(BadName::Character)),
            ("a\u{85}",         Err(BadName::Character)),   ("a\u{ad}b", Err(BadName::Character)),
            ("a\u{200b}",       Err(BadName::Character)),   ("\u{feff}a", Err(BadName::Character)),
            ("a\u{202e}b",      Err(BadName::Character)),   ("\u{2066}a", Err(BadName::Character)),
            ("\u{61c}a",        Err(BadName::Character)),   ("a\u{ffff}", Err(BadName::Character)),
            ("a\u{3164}",       Err(BadName::Character)),   ("a\u{e0041}", Err(BadName::Character)),
            ("e\u{301}",        Err(BadName::NotComposed)), ("\u{212b}", Err(BadName::NotComposed)),
            ("\u{1100}\u{1161}", Err(BadName::NotComposed)),
        ] {
            assert_eq!(Name::new(text).map(|_| ()), expected, "{text:?}");
        }
        let message = Name::new("e\u{301}").err().map(|bad| std::format!("{bad}"));
        assert_eq!(message, Some(String::from("not a name: write it in Unicode NFC")));
    }
}
