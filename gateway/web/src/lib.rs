//! What people and programs see of the gateway over HTTP: the API, the console's pages, and the
//! month's report.
//!
//! | module | idea |
//! |---|---|
//! | [`serve`] | one listener for all of it, until the gateway stops |
//! | [`api`] | JSON for programs; what changes something is asked of the engine |
//! | [`console`] | the pages people look at |
//! | [`report`] | the month in figures |
//! | `listener` | how many connections there may be, and for how long |
//! | [`metrics`] | what is counted, as Prometheus reads it |
//!
//! Not here: accounts and every other database (`standpipe_store`), what is decided
//! (`standpipe_rules`), and pages that are sent (`standpipe_notify`).

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod api;
pub mod console;
mod listener;
pub mod metrics;
pub mod report;
pub mod serve;
#[cfg(test)]
mod tests;
