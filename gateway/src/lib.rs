//! The gateway.

// They panic when the reader has gone: `cli` has something to write with in their place.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod accounts;
pub mod api;
pub mod backoff;
pub mod cap;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod demo;
pub mod digest;
pub mod engine;
pub mod health;
pub mod ids;
pub mod ingest;
pub mod keep;
pub mod limits;
pub mod mqtt;
pub mod notify;
pub mod private_file;
pub mod provision;
pub mod registry_files;
pub mod report;
pub mod run;
pub mod selftest;
pub mod series;
pub mod small_file;
pub mod store;
pub mod trust;

// The stories of `series/stories.rs` are told here and in `tests/series.rs`, under one name.
#[cfg(test)]
extern crate self as standpipe;
