//! The newest heartbeat of the chain that is on disk. The engine writes it after the commit, so that
//! an engine that is stuck and a disk that is full show as well as a broker or a lane.

use metrics::gauge;
use standpipe_rules::Ms;
use tokio::sync::watch;

/// When it was sent; `None`: nobody waits for one yet. Before the first has come through it is the
/// start of the gateway.
#[derive(Debug, Default)]
pub struct ChainPulse(watch::Sender<Option<Ms>>);

impl ChainPulse {
    /// The gateway starts, and has heartbeats sent from now on.
    pub fn begin(&self, now: Ms) {
        self.0.send_replace(Some(now));
    }

    /// One that was sent then is on disk.
    pub(crate) fn kept(&self, sent: Ms) {
        self.0.send_if_modified(|newest| {
            let newer = newest.is_none_or(|before| sent > before);
            if newer {
                *newest = Some(sent);
            }
            newer
        });
    }

    /// The clock was set by so much: it is as old as before.
    pub(crate) fn shift(&self, by: Ms) {
        self.0.send_if_modified(|newest| {
            standpipe_rules::shift::maybe(newest, by);
            false
        });
    }

    /// How old it is; `None`: nobody waits for one.
    #[must_use]
    pub fn age(&self, now: Ms) -> Option<Ms> {
        self.0.borrow().map(|sent| (now - sent).max(0))
    }

    /// Tells whenever another one is on disk.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Option<Ms>> {
        self.0.subscribe()
    }

    /// Puts its age into the metrics.
    pub fn measure(&self, now: Ms) {
        if let Some(age) = self.age(now) {
            gauge!("standpipe_chain_age_seconds").set(age as f64 / 1_000.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ChainPulse;

    #[test]
    fn its_age_counts_from_the_start_and_then_from_the_newest() {
        let chain = ChainPulse::default();
        assert_eq!(chain.age(9_000), None);
        chain.begin(1_000);
        let mut follow = chain.follow();
        assert_eq!(chain.age(9_000), Some(8_000));
        chain.kept(8_000);
        chain.kept(7_000);
        assert_eq!(chain.age(9_000), Some(1_000), "an older one that was late");
        assert!(follow.has_changed().unwrap_or_default());
        follow.mark_unchanged();
        chain.shift(-3_600_000);
        assert_eq!(chain.age(-3_591_000), Some(1_000), "the clock was set");
        assert_eq!(chain.age(-3_595_500), Some(0), "never negative");
    }
}
