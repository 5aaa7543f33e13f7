//! Two languages, and a text in both.

use standpipe_rules::incidents::Text;

/// A language of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `zh`
    Chinese,
    /// `en`
    English,
}

/// The same words in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Say {
    en: &'static str,
    zh: &'static str,
}

/// English, Chinese.
#[must_use]
pub const fn say(en: &'static str, zh: &'static str) -> Say {
    Say { en, zh }
}

/// The language of one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lang(Language);

impl Lang {
    /// The configured one.
    #[must_use]
    pub const fn usual(language: Language) -> Self {
        Self(language)
    }

    /// `zh…` or `en…`.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "zh" => Some(Self(Language::Chinese)),
            "en" => Some(Self(Language::English)),
            _ => None,
        }
    }

    /// Which it is.
    #[must_use]
    pub const fn language(self) -> Language {
        self.0
    }

    /// The words in this language.
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

    /// For `lang=`.
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
