//! Looks at the clock, and has the day's digests written down when their hour has come.
//!
//! What is owed is in the store alone: a gateway that was down when the hour came makes them when
//! it is up again, and one that is killed in between makes them once.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use standpipe_config::Webhook;
use standpipe_engine::{Input, Unavailable};
use standpipe_rules::Ms;
use standpipe_store::Reader;
use standpipe_store::accounts::Area;
use standpipe_store::digests::DigestNews;
use standpipe_store::notices::gather;
use standpipe_words::day::{DigestDue, Hour, MadeDigest};
use standpipe_words::digest::link;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::SenderSetup;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Whoever is told: a webhook's name, and its station.
type DigestReceiver = (Box<str>, Option<Box<str>>);

/// When digests are made, for whom, and where people read all of it.
#[derive(Clone, Debug)]
struct Keeper {
    hour: Hour,
    receivers: Vec<DigestReceiver>,
    url: Box<str>,
}

/// Runs until `setup.stop`; without receivers there is nothing to do. `url`: the console's.
///
/// # Errors
/// [`Unavailable`]: the engine has stopped.
pub async fn run(
    setup: SenderSetup,
    (hour, url): (Hour, Box<str>),
    webhooks: &[Webhook],
) -> Result<(), Unavailable> {
    let asked = webhooks.iter().filter(|webhook| webhook.wants_digest());
    let receivers: Vec<DigestReceiver> =
        asked.map(|webhook| (webhook.name.clone(), webhook.station.clone())).collect();
    if receivers.is_empty() {
        return Ok(());
    }
    let keeper = Keeper { hour, receivers, url };
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = setup.stop.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        // On a thread that may wait: pages leave from this one.
        let (store, keeper, now) = (setup.store.clone(), keeper.clone(), setup.clock.now());
        match tokio::task::spawn_blocking(move || keeper.news(&store, now)).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(news))) => setup.engine.report(Input::Digest(news)).await?,
            Ok(Err(why)) => warn!("the daily digest can't be made ({why}); trying again"),
            Err(bad) => warn!("the daily digest can't be made ({bad}); trying again"),
        }
    }
}

impl Keeper {
    /// What is to be written down now.
    fn news(&self, store: &Path, now: Ms) -> Result<Option<DigestNews>, String> {
        let reader = Reader::open(store).map_err(|why| why.to_string())?;
        let before = reader.digest_told().map_err(|why| why.to_string())?;
        match self.hour.due(now, before) {
            DigestDue::Nothing => Ok(None),
            DigestDue::Begin(told) => Ok(Some(DigestNews::Made { told, owed: Vec::new() })),
            DigestDue::Make { digest: told, from } => {
                let owed = self.owed(&reader, told, from)?;
                let (some, all) = (owed.len(), self.receivers.len());
                info!("digest of {}: owed to {some} of {all} receivers", told.day);
                Ok(Some(DigestNews::Made { told, owed }))
            }
        }
    }

    /// What each receiver is owed; whoever has no notices is owed nothing.
    fn owed(
        &self,
        reader: &Reader,
        told: MadeDigest,
        from: Ms,
    ) -> Result<Vec<(Box<str>, String)>, String> {
        let mut owed = Vec::new();
        for (name, station) in &self.receivers {
            let (db, station) = (reader.connection(), station.as_deref());
            let digest = gather(db, &Area::All, station, told.day, from..told.to);
            match digest.map_err(|why| why.to_string())? {
                Some(digest) if !digest.is_empty() => {
                    let url = link(&digest, &self.url);
                    owed.push((name.clone(), json!({"digest": digest, "url": url}).to_string()));
                }
                Some(_) => {}
                None => warn!("webhook {name} gets no digest: its station is not known"),
            }
        }
        Ok(owed)
    }
}

#[cfg(test)]
mod tests;
