//! What each part of the gateway says of itself. Every part reports on its own line; `/readyz`
//! reads them all. What is ready and what is not is decided in `api/health.rs`. What people must
//! know although the work goes on is in `degraded`.

mod chain;
mod degraded;
mod registry_files;

use standpipe_rules::Ms;

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
        Self { store, sources: sources.clone(), series, clock, chain, degraded, registry_files }
    }

    /// The clock was set by so much.
    pub fn shift(&self, by: Ms) {
        let Self { store, sources, series, clock, chain, degraded, registry_files: _ } = self;
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
