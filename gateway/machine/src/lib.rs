//! What the gateway asks of the machine it runs on, so that nothing else does.
//!
//! | module | idea |
//! |---|---|
//! | [`clock`] | the time, and whether somebody set it: the only file that asks |
//! | [`disk`] | how full a disk is, and a ballast that is given up when it is full |
//! | [`entropy`] | what nobody can guess: the only file that asks |
//! | [`threads`] | threads, with their names: the only file that starts one |
//! | [`marks`] | short notes that can be made on a full disk |
//! | [`private_file`] | files that are there whole or not at all, for their owner alone |
//! | [`small_file`] | files that are read whole, and what is no file |
//! | [`backoff`] | how long to wait before the next retry |
//! | [`identity`] | which machine it is |
//! | [`output`] | a line to the error output, which may be closed |
//! | [`limits`] | the limits that no user needs to change |
//!
//! [`Machine`] is made once, where a gateway starts, and handed down; a simulated one makes a test the
//! same each time. What reaches the system elsewhere is listed with its reason in
//! `tests/tidy/machine.rs`.
//!
//! Not here: what is decided (`standpipe_rules`), sockets (`standpipe_transport`,
//! `standpipe_notify`, `standpipe_web`) and databases (`standpipe_store`), whose seam is SQLite's own.

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

pub mod backoff;
pub mod clock;
pub mod disk;
pub mod entropy;
pub mod identity;
pub mod limits;
pub mod marks;
pub mod output;
pub mod private_file;
pub mod small_file;
pub mod threads;

use clock::Clock;
use entropy::Entropy;

/// What a gateway cannot reckon out for itself: the time, and what nobody can guess.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub clock: Clock,
    pub entropy: Entropy,
}

impl Machine {
    /// The one this process runs on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One whose time is that until somebody sleeps, and whose random bytes are those of a seed.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn simulated(now: standpipe_rules::Ms, seed: u64) -> Self {
        Self { clock: Clock::simulated(now), entropy: Entropy::of_seed(seed) }
    }
}
