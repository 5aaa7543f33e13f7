//! `[digest]`: when notices are told of.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use standpipe_words::day::Hour;

use super::HttpConfig;
use super::section::{Notes, Section};

/// `[digest]`: when the notices of a day are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestConfig {
    /// `at`: the time of day in the town; `None`: never.
    pub at: Option<Time>,
}

impl Default for DigestConfig {
    fn default() -> Self {
        Self { at: Some(Time::constant(8, 0, 0, 0)) }
    }
}

impl DigestConfig {
    /// When the digest of a day is made.
    #[must_use]
    pub fn hour(self, http: &HttpConfig) -> Option<Hour> {
        let zone = TimeZone::get(&http.timezone).unwrap_or(TimeZone::UTC);
        self.at.map(|at| Hour { at, zone })
    }
}

/// The section, or the usual hour.
pub(super) fn read(mut section: Section, notes: &mut Notes) -> DigestConfig {
    const WANTED: &str = "write hours and minutes, such as \"08:00\", or \"off\"";
    let Some(value) = section.get("at", notes) else {
        section.end(notes);
        return DigestConfig::default();
    };
    let text = value.get_ref().as_str().map(str::trim);
    let at = match text {
        Some("" | "off") => None,
        Some(text) => {
            let at = (text.len() == 5).then(|| text.parse().ok()).flatten();
            if at.is_none() {
                section.fault("at", format!("not a time of day: {WANTED}"), notes);
            }
            at
        }
        None => {
            section.fault("at", format!("not a text: {WANTED}"), notes);
            None
        }
    };
    section.end(notes);
    DigestConfig { at }
}
