//! Reading the store beside its one writer: a few read-only connections, each query on a thread
//! that may wait, and stopped when nobody waits for it any more.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::Semaphore;

use crate::place::StorePlace;

/// Connections, and so queries at once.
const READERS: usize = 4;
/// How long a reader waits for a lock (only a checkpoint or a migration holds one).
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Page cache of one connection, KiB.
const CACHE_KIB: i64 = 512;
/// Prepared statements kept a connection.
const STATEMENTS: usize = 32;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the store can't be read ({0})")]
    Store(#[from] rusqlite::Error),
    /// A row holds what this version can't read.
    #[error("the store has a row that can't be read ({0})")]
    Row(#[from] serde_json::Error),
    #[error("the gateway is stopping")]
    Stopping,
}

/// The read-only connections to one store. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    place: StorePlace,
    idle: Arc<Mutex<Vec<IdleReader>>>,
    permits: Arc<Semaphore>,
}

/// A connection that nobody uses, and what it reads.
type IdleReader = (Arc<Path>, Connection);

/// The running query of one request; dropped before its end, it stops the query.
#[derive(Clone, Default)]
struct RunningQuery(Arc<Mutex<QueryState>>);

#[derive(Default)]
enum QueryState {
    #[default]
    Waiting,
    Reading(InterruptHandle),
    Over,
}

struct StopOnDrop(RunningQuery);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let QueryState::Reading(query) = self.0.become_(QueryState::Over) {
            query.interrupt();
        }
    }
}

impl RunningQuery {
    /// Sets the state and says what it was; once over, it stays over.
    fn become_(&self, next: QueryState) -> QueryState {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, QueryState::Over) {
            return QueryState::Over;
        }
        std::mem::replace(&mut *state, next)
    }
}

impl Readers {
    /// Readers of the store at that place; nothing is opened yet.
    #[must_use]
    pub fn new(place: impl Into<StorePlace>) -> Self {
        Self::at_once(place.into(), READERS)
    }

    fn at_once(place: StorePlace, readers: usize) -> Self {
        Self { place, idle: Arc::default(), permits: Arc::new(Semaphore::new(readers)) }
    }

    /// As many connections to the same store, which these never wait for.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::at_once(self.place.clone(), READERS)
    }

    /// A single connection to the same store, for what reads a great many rows: it waits for its like
    /// alone, and keeps none of these.
    #[must_use]
    pub fn one_apart(&self) -> Self {
        Self::at_once(self.place.clone(), 1)
    }

    /// Runs `query` on one connection, inside one read transaction: all it reads is of one moment.
    ///
    /// # Errors
    /// [`ReadError`] when the store can't be read.
    pub async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Stopping)?;
        let running = RunningQuery::default();
        let stop = StopOnDrop(running.clone());
        let pool = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            pool.run(&running, query)
        });
        let answer = done.await.map_err(|_| ReadError::Stopping)?;
        drop(stop);
        answer
    }

    fn run<T>(
        &self,
        running: &RunningQuery,
        query: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let path = self.place.path();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(of, _)| Arc::ptr_eq(of, &path));
        let taken = idle.pop().map(|(_, connection)| connection);
        drop(idle);
        let connection = taken.map_or_else(|| Self::open(&path), Ok)?;
        if matches!(
            running.become_(QueryState::Reading(connection.get_interrupt_handle())),
            QueryState::Over
        ) {
            return Err(ReadError::Stopping);
        }
        let transaction = connection.unchecked_transaction()?;
        let answer = query(&transaction);
        drop(transaction);
        // Nobody can interrupt this connection from here on, so that it may serve another.
        let ours = !matches!(running.become_(QueryState::Over), QueryState::Over);
        if ours && answer.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((path, connection));
        }
        answer
    }

    fn open(path: &Path) -> Result<Connection, ReadError> {
        // A working copy in memory has a URI for a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(LOCK_WAIT)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{READERS, ReadError, Readers};

    fn store() -> (tempfile::TempDir, Readers) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("store.db");
        let db = rusqlite::Connection::open(&path).expect("a store");
        db.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (n); INSERT INTO t VALUES (7);")
            .expect("a table");
        (dir, Readers::new(path))
    }

    fn seven(db: &rusqlite::Connection) -> Result<i64, ReadError> {
        Ok(db.query_row("SELECT n FROM t", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn many_read_at_once_on_few_connections_and_nobody_writes() {
        let (_dir, readers) = store();
        let reads = (0..50).map(|_| readers.read(seven));
        for read in futures_util::future::join_all(reads).await {
            assert_eq!(read.expect("a number"), 7);
        }
        assert!(readers.idle.lock().expect("not poisoned").len() <= READERS);
        let write = readers.read(|db| Ok(db.execute("DELETE FROM t", [])?)).await;
        assert!(write.expect_err("read-only").to_string().contains("readonly"));
        assert_eq!(readers.read(seven).await.expect("a number"), 7);
    }

    #[tokio::test]
    async fn a_query_nobody_waits_for_is_stopped() {
        let (_dir, readers) = store();
        let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) \
                       SELECT count(*) FROM c";
        for _ in 0..READERS {
            let query =
                readers.read(move |db| Ok(db.query_row(endless, [], |row| row.get::<_, i64>(0))?));
            assert!(tokio::time::timeout(Duration::from_millis(50), query).await.is_err());
        }
        let next = tokio::time::timeout(Duration::from_secs(10), readers.read(seven)).await;
        assert_eq!(next.expect("every reader is free again").expect("a number"), 7);
    }

    #[tokio::test]
    async fn others_of_the_same_store_wait_for_none_of_these() {
        let (_dir, readers) = store();
        let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) \
                       SELECT count(*) FROM c";
        let stuck = (0..READERS).map(|_| {
            readers.read(move |db| Ok(db.query_row(endless, [], |row| row.get::<_, i64>(0))?))
        });
        let mut stuck = std::pin::pin!(futures_util::future::join_all(stuck));
        let soon = |after: u64| tokio::time::sleep(Duration::from_millis(after));
        tokio::select! {
            _ = &mut stuck => panic!("it has no end"),
            () = soon(50) => {}
        }
        let others = readers.another();
        tokio::select! {
            _ = &mut stuck => panic!("it has no end"),
            read = others.read(seven) => assert_eq!(read.expect("a number"), 7),
            () = soon(10_000) => panic!("it waits for the others"),
        }
        tokio::select! {
            _ = &mut stuck => panic!("it has no end"),
            read = readers.read(seven) => panic!("{read:?}: every reader is busy"),
            () = soon(50) => {}
        }
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_is_an_error_that_names_it() {
        let readers = Readers::new(std::path::PathBuf::from("/nowhere/store.db"));
        let error = readers.read(seven).await.expect_err("no store").to_string();
        assert!(error.contains("/nowhere/store.db"), "{error}");
    }
}
