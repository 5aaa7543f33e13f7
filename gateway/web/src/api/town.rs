//! The town as people see it: its time, its language, its map.

use std::sync::Arc;

use jiff::tz::TimeZone;
use standpipe_config::{HttpConfig, Language, map_layer};

/// What pages are made with.
#[derive(Clone, Debug)]
pub struct Town {
    /// The district's time zone.
    pub zone: TimeZone,
    /// The language of whoever prefers none of ours.
    pub language: Language,
    /// How people reach the console; on labels and in messages.
    pub url: Box<str>,
    /// Lines beneath the map.
    pub layer: Option<Arc<[map_layer::MapLine]>>,
}

impl Town {
    /// As configured; the zone was looked at when the configuration was read.
    #[must_use]
    pub fn of(http: &HttpConfig) -> Self {
        let zone = TimeZone::get(&http.timezone).unwrap_or(TimeZone::UTC);
        let layer =
            http.map_file.as_deref().and_then(|path| map_layer::layer(path).ok()).map(Into::into);
        Self { zone, language: http.language, url: http.url.clone(), layer }
    }
}
