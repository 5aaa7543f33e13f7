//! Which stations have a page open. A page says so every few seconds; when none has for
//! `GONE_MS`, the station has no page any more. Whether the station is there then is for the
//! engine to say, which also hears its terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use standpipe_engine::Input;
use standpipe_rules::Ms;

use crate::api::ApiState;

/// A page that said nothing for so long is gone, ms. Pages speak every 12 s or so, and a browser
/// lets a hidden one speak once a minute at worst.
const GONE_MS: Ms = 75_000;
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When a page of each station last spoke, and whether the engine knows. Written by requests,
/// read once a second by [`keep`]; nobody holds it for longer than a look.
#[derive(Debug, Default)]
pub struct OpenPages(Mutex<BTreeMap<Box<str>, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Ms,
    told: bool,
}

/// What the engine is to be told.
#[derive(Debug, PartialEq, Eq)]
struct News {
    station: Box<str>,
    open: bool,
}

impl OpenPages {
    /// A page of that station is open.
    pub fn here(&self, station: &str, now: Ms) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(station.into()).or_insert(Seen { at: now, told: false }).at = now;
    }

    /// What has changed since it was last asked; a station that is gone is forgotten.
    fn news(&self, now: Ms) -> Vec<News> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        all.retain(|station, seen| {
            let open = now - seen.at < GONE_MS;
            if open != seen.told {
                news.push(News { station: station.clone(), open });
                seen.told = open;
            }
            open
        });
        news
    }
}

/// Tells the engine, for as long as the API is served.
pub async fn keep(api: &ApiState) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        let at = api.clock.stamp();
        for News { station, open } in api.watch.news(at.steady()) {
            if api.engine.send(Input::Console { station, open }.at(at)).await.is_err() {
                return std::future::pending().await; // the gateway is stopping
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GONE_MS, News, OpenPages};

    #[test]
    fn a_station_is_told_of_once_when_it_comes_and_once_when_its_last_page_has_gone() {
        let watch = OpenPages::default();
        let news = |open| vec![News { station: "t-1".into(), open }];
        assert_eq!(watch.news(0), []);
        watch.here("t-1", 1_000);
        assert_eq!(watch.news(1_500), news(true));
        assert_eq!(watch.news(2_000), []);
        watch.here("t-1", 60_000);
        assert_eq!(watch.news(60_000 + GONE_MS - 1), []);
        assert_eq!(watch.news(60_000 + GONE_MS), news(false));
        assert_eq!(watch.news(60_000 + GONE_MS + 1), []);
        watch.here("t-1", 900_000);
        assert_eq!(watch.news(900_001), news(true), "back again");
    }
}
