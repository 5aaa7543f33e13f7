//! The program `standpipe`: its commands, and the gateway put together from its crates.
//!
//! | module | idea |
//! |---|---|
//! | [`run`] | the whole gateway: every queue and every thread on one page |
//! | [`archive`] | what is too old leaves the databases |
//! | [`cli`] | the commands |
//! | [`degraded`] | what a start does without, and who mends it |
//! | [`registry_files`] | the files of `[registry]`, read at the start |
//! | [`ids`] | the secret from which ids are made |
//! | [`keep`] | backups, and how they are put back |
//! | [`provision`] | credentials for everybody who speaks to the broker |
//! | [`selftest`] | whether an alarm still reaches every station |
//!
//! Everything else is in a crate of its own, each knowing only those below it; `gateway/README.md`
//! has the map.

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]
// They panic when the reader has gone: `cli` has something to write with in their place.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod archive;
pub mod cli;
pub mod degraded;
pub mod disk_watch;
pub mod ids;
pub mod keep;
pub mod provision;
pub mod registry_files;
pub mod run;
pub mod selftest;
pub mod twins;
