//! No history: what stands in for one that can't be opened. It takes nothing, so that readings wait in
//! the store, and says why whenever it is asked.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};
use standpipe_rules::Ms;

use super::{HistoryError, HistoryPoint, HistoryQuery, ReadingBatch, Series, SeriesError, Written};

/// A history that takes nothing.
#[derive(Debug)]
pub struct NoHistory(Box<str>);

impl NoHistory {
    /// `why` there is none, and what to do.
    #[must_use]
    pub fn because(why: &str) -> Self {
        Self(why.into())
    }

    fn refusal<T: Send + 'static>(&self) -> BoxFuture<'_, Result<T, SeriesError>> {
        Box::pin(ready(Err(SeriesError::Misconfigured(self.0.clone()))))
    }
}

impl Series for NoHistory {
    fn write(&self, _: Arc<ReadingBatch>, _: Ms) -> BoxFuture<'_, Result<Written, SeriesError>> {
        self.refusal()
    }

    fn history(
        &self,
        _: HistoryQuery,
        _: Ms,
    ) -> BoxFuture<'_, Result<Vec<HistoryPoint>, HistoryError>> {
        Box::pin(ready(Err(HistoryError::Unavailable(self.0.clone()))))
    }

    fn upkeep(&self, _: Ms) -> BoxFuture<'_, Result<bool, SeriesError>> {
        self.refusal()
    }
}
