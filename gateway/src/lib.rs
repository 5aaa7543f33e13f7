//! The gateway.

// They panic when the reader has gone: `cli` has something to write with in their place.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
pub mod ids;
pub mod ingest;
pub mod keep;
pub mod mqtt;
pub mod notify;
pub mod provision;
pub mod registry_files;
pub mod run;
pub mod selftest;

pub use standpipe_config::{self as config, trust};
pub use standpipe_engine::{self as engine, health};
pub use standpipe_machine::{backoff, clock, limits, private_file, small_file};
pub use standpipe_series as series;
pub use standpipe_store::{self as store, accounts};
pub use standpipe_web::{api, console, report};
