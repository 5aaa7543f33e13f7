//! What each part of the gateway says of itself. Every part reports on its own line; `/readyz`
//! reads them all. What is ready and what is not is decided in `api/health.rs`. What people must
//! know although the work goes on is in `degraded`.

mod chain;
mod degraded;
mod registry_files;

use std::sync::atomic::{AtomicU64, Ordering};

use standpipe_rules::Ms;
use standpipe_store::lost::LostStore;
use tokio::sync::watch;

use crate::source::{Facts, Sources};

pub use crate::part::{Part, PartStatus};
pub use chain::ChainPulse;
pub use degraded::{Degraded, DegradedPart, DegradedWatch, Trouble};
pub use registry_files::DifferingFiles;

/// All parts. Shared as `Arc<Health>`.
#[derive(Debug)]
pub struct Health {
    /// The store: failing while a commit is being retried. Written by the engine.
    pub store: Part,
    /// What brings messages: failing while it can't. Each source writes its own.
    pub sources: Sources,
    /// History: failing while it does not take what it is given. Written by the series pump.
    pub series: Part,
    /// The machine's clock: failing while the kernel says that nobody synchronises it. Written by
    /// the engine.
    pub clock: Part,
    /// The newest heartbeat of the chain. Written by the engine.
    pub chain: ChainPulse,
    /// What became of a store that lost its file while the gateway ran; `None`: none did. Written by the engine.
    pub lost: watch::Sender<Option<LostStore>>,
    /// How often the engine has turned. Written by the engine.
    turns: AtomicU64,
    /// How often the store's disk did not answer. Written by the engine.
    hangs: AtomicU64,
    /// What is not as it should be while fires are paged.
    pub degraded: Degraded,
    /// How the files of `[registry]` differ from the registry. Written at the start.
    pub registry_files: DifferingFiles,
}

impl Health {
    /// Nothing has worked yet, but for what these sources say of themselves.
    #[must_use]
    pub fn of(sources: &Sources) -> Self {
        let [store, series, clock] = [(); 3].map(|()| Part::default());
        let (chain, degraded, registry_files) = Default::default();
        let lost = watch::Sender::new(None);
        Self {
            store,
            sources: sources.clone(),
            series,
            clock,
            chain,
            lost,
            turns: AtomicU64::new(0),
            hangs: AtomicU64::new(0),
            degraded,
            registry_files,
        }
    }

    /// The engine has turned once more: it took what waited, and kept it.
    pub(crate) fn turned(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the engine has turned: once a second at least, unless it stands.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// The store's disk does not answer, and a copy is read from now on.
    pub(crate) fn hangs_once_more(&self) {
        self.hangs.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the store's disk did not answer: whoever was reading the file then may wait for it for ever.
    #[must_use]
    pub fn hangs(&self) -> u64 {
        self.hangs.load(Ordering::Relaxed)
    }

    /// The clock was set by so much.
    pub fn shift(&self, by: Ms) {
        let Self {
            store,
            sources,
            series,
            clock,
            chain,
            lost: _,
            turns: _,
            hangs: _,
            degraded,
            registry_files: _,
        } = self;
        degraded.shift(by);
        chain.shift(by);
        let sources = sources.all().iter().map(|Facts { health, .. }| &**health);
        for part in [store, series, clock].into_iter().chain(sources) {
            part.shift(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, PartStatus};

    #[test]
    fn a_part_fails_since_it_last_worked_and_for_the_newest_reason() {
        let part = Part::default();
        assert_eq!(part.status(), PartStatus::Starting);
        part.failing(1_000, "disc full");
        part.failing(2_000, "still full");
        assert_eq!(part.status(), PartStatus::Failing { since: None, why: "still full".into() });
        part.fine();
        part.fine();
        assert_eq!(part.status(), PartStatus::Fine);
        part.failing(9_000, "again");
        part.failing(9_500, "still");
        part.shift(-1_000);
        assert_eq!(part.status(), PartStatus::Failing { since: Some(8_000), why: "still".into() });
        part.shift(1_000);
        assert_eq!(part.status(), PartStatus::Failing { since: Some(9_000), why: "still".into() });
    }
}
