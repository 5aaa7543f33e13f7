//! History: every reading in a time series, exactly once, and answers to questions about it.
//!
//! ```text
//! log (SQLite) ── pump ──▶ Series::write ──┬─▶ influx    InfluxDB 2: raw, and hourly by a task
//!                  │                       └─▶ embedded  history.db: raw 90 days, hourly 5 years
//! store ─ records ─┤─────▶ Series::write_records ─▶ influx
//!                  └─▶ "history has block N" ──▶ engine cuts the log
//! api, export ────▶ Series::history
//! ```
//!
//! A point's place is (device, `series_ts`), which the rules assign: writing a batch again after
//! a crash writes the same points over themselves. Not here: the must-not-lose log itself
//! (`standpipe_store`), and what a reading means (`standpipe_rules`).

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod batch;
pub mod embedded;
pub mod fold;
pub mod influx;
mod number;
pub mod off;
mod places;
pub mod pump;
pub mod question;
pub mod record;
pub mod records;

use std::sync::Arc;
use std::time::Duration;

use embedded::OpenError;
use futures_util::future::BoxFuture;
use standpipe_config::Config;
use standpipe_rules::Ms;

pub use batch::{ReadingBatch, Tags};
pub use question::{HistoryError, HistoryPoint, HistoryQuery};
pub use record::{Record, RecordKind, RecordValue};

/// Raw points are kept this long.
pub const RAW_DAYS: i64 = 90;
/// Hourly points are kept this long: 5 years.
pub const HOURLY_DAYS: i64 = 5 * 365;

/// Every history: opens itself where the configuration is about it. The first that does is the one;
/// the last does always.
const HISTORIES: &[fn(&Config) -> OpenedHistory] = &[influx::opened, embedded::opened];

/// A history that was opened, or why not; `None`: the configuration is not about this one.
type OpenedHistory = Option<Result<Arc<dyn Series>, NotOpened>>;

/// Where readings go, and where they are asked for.
///
/// # Errors
/// [`NotOpened`].
pub fn open(config: &Config) -> Result<Arc<dyn Series>, NotOpened> {
    let opened = HISTORIES.iter().find_map(|opened| opened(config));
    opened.unwrap_or_else(|| Err(NotOpened::Settings("no history is configured".into())))
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The embedded one can't be opened.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// Another one can't be used as it is configured.
    #[error("{0}")]
    Settings(Box<str>),
}

/// A history that is written by one and asked by many. Held as `Arc<dyn Series>`.
pub trait Series: Send + Sync {
    /// Keeps a batch, durably. Writing the same batch again changes nothing.
    ///
    /// # Errors
    /// [`SeriesError`]: nothing is known to be kept; write the same batch again.
    fn write(
        &self,
        batch: Arc<ReadingBatch>,
        now: Ms,
    ) -> BoxFuture<'_, Result<Written, SeriesError>>;

    /// The points of one field of one device, one a step, oldest first; empty steps left out.
    ///
    /// # Errors
    /// [`HistoryError`]: the question is wrong, or there is no answer now.
    fn history(
        &self,
        query: HistoryQuery,
        now: Ms,
    ) -> BoxFuture<'_, Result<Vec<HistoryPoint>, HistoryError>>;

    /// Keeps records, durably. Writing the same records again changes nothing. `None`, as
    /// without a method of its own: this history keeps readings only, and is given no records.
    ///
    /// # Errors
    /// [`SeriesError`]: nothing is known to be kept; write the same records again.
    fn write_records(
        &self,
        records: Vec<Record>,
        now: Ms,
    ) -> Option<BoxFuture<'_, Result<Written, SeriesError>>> {
        let _ = (records, now);
        None
    }

    /// One small step of roll-up or retention; true when more is waiting.
    ///
    /// # Errors
    /// [`SeriesError`]: nothing was lost; ask again later.
    fn upkeep(&self, now: Ms) -> BoxFuture<'_, Result<bool, SeriesError>>;
}

/// What became of a batch that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub kept: u64,
    /// Readings that measured nothing: there is no point to keep.
    pub empty: u64,
    /// Points older than the series keeps.
    pub expired: u64,
    /// Points the series will never take: for the quarantine.
    pub refused: Vec<RefusedPoint>,
}

impl Written {
    /// Sums up with another part of the same batch.
    pub fn add(&mut self, part: Self) {
        let Self { kept, empty, expired, refused } = part;
        self.kept += kept;
        self.empty += empty;
        self.expired += expired;
        self.refused.extend(refused);
    }
}

/// A point the series will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPoint {
    /// Whose; empty when it is not known.
    pub device: Box<str>,
    pub why: Box<str>,
    /// The point as the series would have written it, or as it was given.
    pub point: Box<str>,
}

/// Why a batch was not written. In every case all of it is to be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The series is away, busy or broken for now.
    #[error("{why}")]
    Retry {
        /// How long the series asks us to wait before the retry, if it said so.
        after: Option<Duration>,
        why: Box<str>,
    },
    /// A person has to correct something first.
    #[error("{0}")]
    Misconfigured(Box<str>),
}

/// The beginning of a text, at most so many bytes.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

// The stories of `stories.rs` are told here and in `tests/series.rs`, under one name.
#[cfg(test)]
extern crate self as standpipe_series;
