//! Two languages, and a text in both.

use standpipe_rules::incidents::Text;

/// A language that the gateway writes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
}

/// The same words in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Say {
    en: &'static str,
    zh: &'static str,
}

/// A text in both languages: English first.
#[must_use]
pub const fn say(en: &'static str, zh: &'static str) -> Say {
    Say { en, zh }
}

/// The language of one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lang(Language);

impl Lang {
    /// For a visitor who has not chosen: the configured language.
    #[must_use]
    pub const fn usual(language: Language) -> Self {
        Self(language)
    }

    /// Reads a tag such as `zh-CN` or `en`.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "zh" => Some(Self(Language::Chinese)),
            "en" => Some(Self(Language::English)),
            _ => None,
        }
    }

    /// Without the visitor: for whoever writes in one language.
    #[must_use]
    pub const fn language(self) -> Language {
        self.0
    }

    /// A constant text in this language.
    #[must_use]
    pub const fn of_say(self, words: Say) -> &'static str {
        match self.0 {
            Language::Chinese => words.zh,
            Language::English => words.en,
        }
    }

    /// A text of the rules in this language.
    #[must_use]
    pub fn text(self, text: &Text) -> &str {
        match self.0 {
            Language::Chinese => &text.zh,
            Language::English => &text.en,
        }
    }

    /// The value of HTML's `lang=`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.of_say(say("en", "zh-CN"))
    }

    /// The other one: its tag, and what it calls itself.
    #[must_use]
    pub const fn other(self) -> (&'static str, &'static str) {
        match self.0 {
            Language::Chinese => ("en", "English"),
            Language::English => ("zh", "中文"),
        }
    }
}
