//! The chain's heartbeat: the gateway sends itself a message the way of an alarm, through the
//! broker, the alarm lane, the engine and the disk. Its age is how long ago the newest one that came
//! through was sent; while that is too old, an alarm may not come through either.
//!
//! What follows from it for people is in `detect::watch`: it is one condition with a broker that is
//! away. Not here: who sends it, and what the pages show.

use crate::Ms;

/// How often one is sent, ms.
pub const EVERY_MS: Ms = 5_000;
/// Older than this is too old: two were lost, and the third is late.
pub const TOO_OLD_MS: Ms = 15_000;
/// After so many seconds the broker hands it to nobody any more.
pub const EXPIRY_S: u32 = 30;

/// Whether the chain stands still: nothing sent after `newest` has come through until now.
#[must_use]
pub const fn stands_still(newest: Ms, now: Ms) -> bool {
    now - newest > TOO_OLD_MS
}

/// What the watch knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// When the newest heartbeat that came through was sent.
    pub newest: Option<Ms>,
    /// Since when the gateway sees its devices: before that none is missed.
    pub up_since: Option<Ms>,
}

impl Chain {
    /// From when on the age counts while all lanes are up; `None`: they never were.
    #[must_use]
    pub fn counts_from(&self) -> Option<Ms> {
        self.up_since.max(self.newest)
    }

    /// One came through. Its time is not after its arrival, whoever sent it.
    pub fn beat(&mut self, sent: Ms, arrived: Ms) {
        self.newest = self.newest.max(Some(sent.min(arrived)));
    }

    /// The clock was set by so much.
    pub fn shift(&mut self, by: Ms) {
        let Self { newest, up_since } = self;
        crate::shift::maybe(newest, by);
        crate::shift::maybe(up_since, by);
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, stands_still};

    #[test]
    fn a_heartbeat_is_as_old_as_it_says_and_never_from_the_future() {
        let mut chain = Chain::default();
        assert_eq!(chain.counts_from(), None);
        chain.beat(5_000, 5_020);
        chain.beat(99_000, 10_000);
        assert_eq!(chain.newest, Some(10_000));
        chain.beat(6_000, 11_000);
        assert_eq!(chain.newest, Some(10_000), "an older one that was late");
        chain.up_since = Some(12_000);
        assert_eq!(chain.counts_from(), Some(12_000));
        chain.shift(-1_000);
        assert_eq!(chain, Chain { newest: Some(9_000), up_since: Some(11_000) });
        assert!(!stands_still(9_000, 24_000) && stands_still(9_000, 24_001));
    }
}
