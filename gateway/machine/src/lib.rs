//! What the gateway asks of the machine it runs on, so that nothing else does.
//!
//! | module | idea |
//! |---|---|
//! | [`clock`] | the time, and whether somebody set it: the only file that asks |
//! | [`disk`] | how full a disk is, and a ballast that is given up when it is full |
//! | [`private_file`] | files that are there whole or not at all, for their owner alone |
//! | [`small_file`] | files that are read whole, and what is no file |
//! | [`backoff`] | how long to wait before the next retry |
//! | [`output`] | a line to the error output, which may be closed |
//! | [`limits`] | the limits that no user needs to change |
//!
//! Not here: what is decided (`standpipe_rules`), sockets (`standpipe_transport`,
//! `standpipe_notify`, `standpipe_web`) and databases (`standpipe_store`).

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

pub mod backoff;
pub mod clock;
pub mod disk;
pub mod limits;
pub mod output;
pub mod private_file;
pub mod small_file;
