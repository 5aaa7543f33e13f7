//! History without another server: one SQLite file beside the store, `history.db`.
//!
//! Raw readings for 90 days, hourly min, mean, max and count for 5 years. The file has one
//! writer, a thread of its own, and one thread that answers questions meanwhile (WAL). It is not
//! the store: a slow question or a full disk here never holds up an alarm. What is where:
//! `raw.rs` keeps readings, `hourly.rs` rolls up and cuts off, `answer.rs` answers.

mod answer;
mod hourly;
mod raw;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use standpipe_config::Config;
use standpipe_machine::threads;
use standpipe_rules::Ms;
use standpipe_store::files;
use standpipe_store::migrate::{MigrateError, migrate};
use tokio::sync::{mpsc, oneshot};

use super::{
    HistoryError, HistoryPoint, HistoryQuery, OpenedHistory, ReadingBatch, Series, SeriesError,
    Written,
};

/// Every change of the file's layout, oldest first. Files that were released never change.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_start.sql")];
/// Batches and steps of upkeep that wait for the writer; a sender beyond waits.
const WRITER_QUEUE: usize = 4;
/// Questions that wait for the answering thread; an asker beyond waits.
const ANSWER_QUEUE: usize = 16;
/// How long one connection waits for the other, ms.
const BUSY_MS: u32 = 5_000;
/// Page cache of each connection, KiB.
const CACHE_KIB: i64 = 2_048;

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path}: {source}: check the folder's permissions and free space")]
    Sqlite { path: Box<str>, source: rusqlite::Error },
    #[error("{path} has layout {found}, {} is the newest known here: upgrade the gateway", MIGRATIONS.len())]
    TooNew { path: Box<str>, found: i64 },
    #[error("no thread for history: {0}: raise the limit of threads")]
    Thread(#[from] std::io::Error),
}

impl OpenError {
    /// Whether the file itself is at fault, and not its folder, its disk or this version.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => files::is_damaged(source),
            Self::TooNew { .. } | Self::Thread(_) => false,
        }
    }
}

/// The embedded history. Dropping it ends its threads once they have done what waits.
#[derive(Debug)]
pub struct EmbeddedHistory {
    writer: mpsc::Sender<WriterJob>,
    answers: mpsc::Sender<Question>,
}

/// What can be waiting for the writer.
enum WriterJob {
    Write { batch: Arc<ReadingBatch>, now: Ms, reply: oneshot::Sender<rusqlite::Result<Written>> },
    Upkeep { now: Ms, reply: oneshot::Sender<rusqlite::Result<bool>> },
}

/// What the answering thread can be asked.
struct Question {
    query: HistoryQuery,
    now: Ms,
    reply: oneshot::Sender<Result<Vec<HistoryPoint>, HistoryError>>,
}

impl EmbeddedHistory {
    /// Opens or makes the file and starts both threads.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let writer = open(path)?;
        let reader = connect(path).map_err(|bad| at(path, bad))?;
        Self::start(writer, reader)
    }

    fn start(conn: Connection, reader: Connection) -> Result<Self, OpenError> {
        let (writer, work) = mpsc::channel(WRITER_QUEUE);
        let (answers, questions) = mpsc::channel(ANSWER_QUEUE);
        threads::start("history-write", move || write(conn, work))?;
        threads::start("history-read", move || read(reader, questions))?;
        Ok(Self { writer, answers })
    }

    async fn work<T>(
        &self,
        work: impl FnOnce(oneshot::Sender<rusqlite::Result<T>>) -> WriterJob,
    ) -> Result<T, SeriesError> {
        let (reply, answer) = oneshot::channel();
        if self.writer.send(work(reply)).await.is_err() {
            return Err(gone());
        }
        answer.await.map_err(|_| gone())?.map_err(|bad| {
            if files::is_damaged(&bad) {
                let mend =
                    "stop the gateway, `mv history.db history.db.old` beside the store, start it";
                return SeriesError::Misconfigured(format!("history.db: {bad}: {mend}").into());
            }
            let why = format!("history.db: {bad}: check its disk").into();
            SeriesError::Retry { after: None, why }
        })
    }
}

/// The history of whoever asks for none.
pub(crate) fn opened(config: &Config) -> OpenedHistory {
    let opened = EmbeddedHistory::open(&config.store.history());
    Some(opened.map(|history| Arc::new(history) as Arc<dyn Series>).map_err(Into::into))
}

impl Series for EmbeddedHistory {
    fn write(
        &self,
        batch: Arc<ReadingBatch>,
        now: Ms,
    ) -> BoxFuture<'_, Result<Written, SeriesError>> {
        Box::pin(self.work(move |reply| WriterJob::Write { batch, now, reply }))
    }

    fn history(
        &self,
        query: HistoryQuery,
        now: Ms,
    ) -> BoxFuture<'_, Result<Vec<HistoryPoint>, HistoryError>> {
        Box::pin(async move {
            let gone = || HistoryError::Unavailable("history.db is closed: restart".into());
            let (reply, answer) = oneshot::channel();
            let question = Question { query, now, reply };
            self.answers.send(question).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn upkeep(&self, now: Ms) -> BoxFuture<'_, Result<bool, SeriesError>> {
        Box::pin(self.work(move |reply| WriterJob::Upkeep { now, reply }))
    }
}

fn gone() -> SeriesError {
    SeriesError::Retry { after: None, why: "history.db's writer has ended: restart".into() }
}

/// The writer: one thing after another until nobody can send any more. Who asked and left is
/// not waited for.
fn write(conn: Connection, mut work: mpsc::Receiver<WriterJob>) {
    let mut raw = raw::RawWriter::new(conn);
    let mut upkeep = hourly::Upkeep::default();
    while let Some(work) = work.blocking_recv() {
        match work {
            WriterJob::Write { batch, now, reply } => drop(reply.send(raw.write(&batch, now))),
            WriterJob::Upkeep { now, reply } => drop(reply.send(upkeep.step(&mut raw, now))),
        }
    }
}

fn read(conn: Connection, mut questions: mpsc::Receiver<Question>) {
    while let Some(Question { query, now, reply }) = questions.blocking_recv() {
        if !reply.is_closed() {
            drop(reply.send(answer::answer(&conn, &query, now)));
        }
    }
}

/// Opens the file for writing and brings it up to date.
fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut conn = connect(path).map_err(|bad| at(path, bad))?;
    migrate(&mut conn, &MIGRATIONS).map_err(|error| match error {
        MigrateError::TooNew { found, newest: _ } => {
            OpenError::TooNew { path: path.display().to_string().into(), found }
        }
        MigrateError::Sqlite(bad) => at(path, bad),
    })?;
    Ok(conn)
}

/// A connection. A commit is on the disk when it returns: the log is cut because of it.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_millis(BUSY_MS.into()))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(conn)
}

fn at(path: &Path, source: rusqlite::Error) -> OpenError {
    OpenError::Sqlite { path: path.display().to_string().into(), source }
}

#[cfg(test)]
mod tests;
