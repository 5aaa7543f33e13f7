//! What senders, history and the API read: through connections of their own, which never write
//! and never hold up the writer. Every call is one short statement; it blocks for a disk read.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row};
use standpipe_rules::Ms;
use standpipe_rules::changes::Urgency;
use standpipe_rules::incidents::{IncidentId, State};
use ulid::Ulid;

use super::place::StorePlace;
use super::rows::{self, rows_of};
use super::{BUSY_MS, READER_CACHE_KIB, StoreError};

/// One read-only connection. Open one for each task that reads.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: Arc<Path>,
}

/// A station's topic that does not show what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedBoard {
    pub station: Box<str>,
    pub incident: IncidentId,
    /// The revision to show; named again in `Input::BoardSent`.
    pub rev: u32,
    /// The newest page owed to this station about it.
    pub page_id: Option<Ulid>,
    /// False: closed, so show it and then empty the topic.
    pub open: bool,
    /// The incident, JSON, with `page_id` null.
    pub wire: Box<str>,
    /// The station's pages about it that are not delivered: all are, once this is shown.
    pub pages: Vec<Ulid>,
    /// Its place in the queue: of two of the same urgency, the lower is shown first.
    pub number: i64,
}

/// A page owed to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedPage {
    /// Its id: the same for every attempt.
    pub page_id: Ulid,
    pub incident: IncidentId,
    /// How far it was escalated.
    pub step: u8,
    /// How often that step was repeated.
    pub repeat: u32,
    /// When it was owed.
    pub at: Ms,
    /// Its place in the queue, and within that its number.
    pub urgency: Urgency,
    /// Counts pages: of two, the lower was owed first.
    pub number: i64,
    /// The station of its incident; empty: every district station's.
    pub station: Arc<str>,
    /// Whether it is a page, or the message of several.
    pub carries: Carries,
    /// Of a bundle: it is a part of one that was refused. Of a page: such a bundle left it alone.
    pub apart: bool,
}

/// What a message to a webhook carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// One page.
    Page,
    /// Those of a bundle, whose id stands for page and incident.
    Bundle,
}

/// What a page says: the incident as JSON, with `page_id` null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageMessage {
    /// What it says for good.
    Final(Box<str>),
    /// What it said when it was owed: somebody has taken the incident in hand since. A page that no
    /// receiver can have seen is worded anew (`Input::Reword`). `None`: owed by a version that did not
    /// keep it.
    Outdated(Option<Box<str>>),
}

/// Readings as they arrived: one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBlock {
    /// They only grow.
    pub block: i64,
    pub readings: usize,
    /// For [`super::block::decode`].
    pub body: Vec<u8>,
}

/// What a block of the log takes beside its body, bytes, about.
const LOG_ROW_BYTES: usize = 16;

impl LogBlock {
    /// About how many bytes of the store it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.body.len() + LOG_ROW_BYTES) as u64
    }
}

impl Reader {
    /// Opens a store that a writer has made.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]: there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path.into())
    }

    /// Opens the store where it is read now.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]: there is none.
    pub fn at(place: &StorePlace) -> Result<Self, StoreError> {
        Self::opened(place.path())
    }

    /// Opens the store's file, also while something else is read.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]: there is none.
    pub fn of_file(place: &StorePlace) -> Result<Self, StoreError> {
        Self::opened(place.file_now())
    }

    fn opened(path: Arc<Path>) -> Result<Self, StoreError> {
        // A working copy in memory has a URI for a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(&*path, flags)?;
        conn.pragma_update(None, "busy_timeout", BUSY_MS)?;
        conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(Self { conn, path })
    }

    /// Whether it reads the store where it is now.
    #[must_use]
    pub fn is_at(&self, place: &StorePlace) -> bool {
        Arc::ptr_eq(&self.path, &place.path())
    }

    /// The connection itself, for queries that are written for any.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Any query. The statement is kept prepared.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(params, row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The queue of the stations' topics at one urgency (`boards::URGENCIES`): those that do not show what
    /// they should, or whose page nobody confirmed, at most `limit` whose number is higher than
    /// `behind`, the longest owed first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_boards(
        &self,
        (urgency, behind): (u8, i64),
        limit: usize,
    ) -> Result<Vec<OwedBoard>, StoreError> {
        self.boards(
            "SELECT b.station, b.incident, b.rev, b.page_id, i.open, i.wire, b.number
             FROM board b INDEXED BY board_queue CROSS JOIN incident i ON i.id = b.incident
             WHERE b.owed = 1 AND b.urgency = ?2 AND b.number > ?3 ORDER BY b.number LIMIT ?1",
            (rows_of(limit), urgency, behind),
        )
    }

    /// One topic, if it owes something.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_board(
        &self,
        (station, incident): (&str, IncidentId),
    ) -> Result<Option<OwedBoard>, StoreError> {
        let found = self.boards(
            "SELECT b.station, b.incident, b.rev, b.page_id, i.open, i.wire, b.number
             FROM board b CROSS JOIN incident i ON i.id = b.incident
             WHERE b.station = ?1 AND b.incident = ?2 AND b.owed = 1",
            (station, incident.to_string()),
        );
        Ok(found?.into_iter().next())
    }

    /// What station topics should show now, for a broker that has forgotten: open incidents, at most
    /// `limit` topics behind that one, in an order of their own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_boards(
        &self,
        (station, incident): (&str, Option<IncidentId>),
        limit: usize,
    ) -> Result<Vec<OwedBoard>, StoreError> {
        let incident = incident.map(|id| id.to_string()).unwrap_or_default();
        self.boards(
            "SELECT b.station, b.incident, b.rev, b.page_id, i.open, i.wire, b.number
             FROM board b CROSS JOIN incident i ON i.id = b.incident
             WHERE i.open = 1 AND (b.station, b.incident) > (?2, ?3)
             ORDER BY b.station, b.incident LIMIT ?1",
            (rows_of(limit), station, incident),
        )
    }

    fn boards(&self, sql: &str, params: impl Params) -> Result<Vec<OwedBoard>, StoreError> {
        let mut boards = self.rows(sql, params, |row| {
            Ok(OwedBoard {
                station: row.get(0)?,
                incident: ulid(row, 1)?,
                rev: row.get(2)?,
                page_id: optional_ulid(row, 3)?,
                open: row.get(4)?,
                wire: row.get(5)?,
                number: row.get(6)?,
                pages: Vec::new(),
            })
        })?;
        for board in &mut boards {
            board.pages = self.rows(
                // By its incident, not by all that its station is owed.
                "SELECT page_id FROM page
                 WHERE incident = ?1 AND +kind = 'station' AND +receiver = ?2
                   AND delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL",
                (board.incident.to_string(), &board.station),
                |row| ulid(row, 0),
            )?;
        }
        Ok(boards)
    }

    /// What is owed to one webhook at one urgency, the longest owed first: at most `limit` pages whose
    /// number is higher than `behind`. Numbers only grow, so that whoever goes on behind the last page
    /// reads each of them once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_to_webhook(
        &self,
        name: &str,
        (urgency, behind): (Urgency, i64),
        limit: usize,
    ) -> Result<Vec<OwedPage>, StoreError> {
        self.rows(
            "SELECT page_id, incident, step, repeat, at, number, station, alone
             FROM page INDEXED BY page_queue
             WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
               AND bundle IS NULL AND kind = 'webhook' AND receiver = ?1 AND urgency = ?2 AND number > ?3
             ORDER BY number LIMIT ?4",
            (name, urgency.place(), behind, rows_of(limit)),
            |row| {
                Ok(OwedPage {
                    page_id: ulid(row, 0)?,
                    incident: ulid(row, 1)?,
                    step: row.get(2)?,
                    repeat: row.get(3)?,
                    at: row.get(4)?,
                    urgency,
                    number: row.get(5)?,
                    station: row.get(6)?,
                    carries: Carries::Page,
                    apart: row.get(7)?,
                })
            },
        )
    }

    /// The highest number among the pages that are owed to a webhook; 0: none is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn newest_owed_to_webhook(&self, name: &str) -> Result<i64, StoreError> {
        let sql = "SELECT max(number) FROM page INDEXED BY page_queue
                   WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
                     AND bundle IS NULL AND kind = 'webhook' AND receiver = ?1";
        let newest = self.rows(sql, [name], |row| row.get::<_, Option<i64>>(0))?;
        Ok(newest.into_iter().flatten().next().unwrap_or(0))
    }

    /// When a webhook confirmed its newest messages, the newest first: pages and bundles since then, at most
    /// `limit` of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sent_to_webhook(
        &self,
        (name, since): (&str, Ms),
        limit: usize,
    ) -> Result<Vec<Ms>, StoreError> {
        let sql = "SELECT * FROM (SELECT delivered_at FROM page INDEXED BY page_sent
                       WHERE kind = 'webhook' AND bundle IS NULL AND delivered_at IS NOT NULL
                         AND receiver = ?1 AND delivered_at > ?2
                       ORDER BY delivered_at DESC LIMIT ?3)
                   UNION ALL SELECT * FROM (SELECT delivered_at FROM bundle INDEXED BY bundle_sent
                       WHERE delivered_at IS NOT NULL AND receiver = ?1 AND delivered_at > ?2
                       ORDER BY delivered_at DESC LIMIT ?3)
                   ORDER BY 1 DESC";
        self.rows(sql, (name, since, rows_of(limit)), |row| row.get(0))
    }

    /// What a page says. `None`: it is owed no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn message(&self, page_id: Ulid) -> Result<Option<PageMessage>, StoreError> {
        let sql = "SELECT m.wire, coalesce(m.fixed, 0), i.state FROM page p
                       LEFT JOIN message m ON m.n = p.number JOIN incident i ON i.id = p.incident
                   WHERE p.page_id = ?1 AND p.delivered_at IS NULL AND p.gave_up_at IS NULL
                     AND p.superseded_at IS NULL AND p.bundle IS NULL";
        let found = self.rows(sql, [page_id.to_string()], |row| {
            let (wire, fixed): (Option<Box<str>>, bool) = (row.get(0)?, row.get(1)?);
            let is_open = row.get_ref(2)?.as_str()? == State::Open.as_str();
            Ok(match wire {
                Some(wire) if fixed || is_open => PageMessage::Final(wire),
                wire => PageMessage::Outdated(wire),
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// Whether the store knows that a page has arrived.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_delivered(&self, page: Ulid) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM page WHERE page_id = ?1 AND delivered_at IS NOT NULL";
        Ok(!self.rows(sql, [page.to_string()], |_| Ok(()))?.is_empty())
    }

    /// Whether an incident waits for somebody to take it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_open(&self, incident: IncidentId) -> Result<bool, StoreError> {
        let sql = "SELECT state FROM incident WHERE id = ?1";
        let state = self.rows(sql, [incident.to_string()], |row| row.get::<_, String>(0))?;
        Ok(state.iter().any(|state| state == State::Open.as_str()))
    }

    /// Pages that a webhook took about one incident, each by itself, oldest first: its id, and when it
    /// was owed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn taken_by_webhook(
        &self,
        name: &str,
        incident: IncidentId,
    ) -> Result<Vec<(Ulid, Ms)>, StoreError> {
        self.rows(
            "SELECT page_id, at FROM page
             WHERE incident = ?1 AND kind = 'webhook' AND receiver = ?2
               AND delivered_at IS NOT NULL AND bundle IS NULL
             ORDER BY at, number",
            (incident.to_string(), name),
            |row| Ok((ulid(row, 0)?, row.get(1)?)),
        )
    }

    /// Pages owed to webhooks of other names: they are configured no more. Page and name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn orphaned_pages(&self, names: &[Box<str>]) -> Result<Vec<(Ulid, Box<str>)>, StoreError> {
        let owed: Vec<(Ulid, Box<str>)> = self.rows(
            "SELECT page_id, receiver FROM page
             WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
               AND kind = 'webhook'",
            [],
            |row| Ok((ulid(row, 0)?, row.get(1)?)),
        )?;
        Ok(owed.into_iter().filter(|(_, receiver)| !names.contains(receiver)).collect())
    }

    /// The log after a block: at least one block if there is one, and no further one once there
    /// are `enough` readings.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn log_after(&self, block: i64, enough: usize) -> Result<Vec<LogBlock>, StoreError> {
        let sql = "SELECT block, readings, body FROM log WHERE block > ?1 ORDER BY block";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query([block])?;
        let (mut blocks, mut readings) = (Vec::new(), 0);
        while readings < enough
            && let Some(row) = rows.next()?
        {
            let block = LogBlock { block: row.get(0)?, readings: row.get(1)?, body: row.get(2)? };
            readings += block.readings;
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// About how many bytes the log has after a block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn log_bytes_after(&self, block: i64) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(length(body) + ?2), 0) FROM log WHERE block > ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement
            .query_row((block, LOG_ROW_BYTES as i64), |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    }

    /// Up to which log block history is known to have everything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn series_block(&self) -> Result<i64, StoreError> {
        let text = self.meta("series_block")?;
        Ok(text.and_then(|digits| digits.parse().ok()).unwrap_or(0))
    }

    /// The newest log block ever written; 0: none yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn newest_block(&self) -> Result<i64, StoreError> {
        newest(&self.conn, "log")
    }

    /// One value of `meta`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        rows::meta_value(&self.conn, key)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Reader {
    /// Any query, for tests that look into the tables; everybody else reads through `views`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn query<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sql, params, row)
    }
}

/// The highest number an AUTOINCREMENT table has ever given; 0: none yet.
pub(super) fn newest(conn: &Connection, table: &str) -> Result<i64, StoreError> {
    let mut statement = conn.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    Ok(statement.query_row([table], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn ulid(row: &Row<'_>, at: usize) -> rusqlite::Result<Ulid> {
    let text = row.get_ref(at)?.as_str()?;
    Ulid::from_string(text).map_err(|bad| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(bad))
    })
}

/// An urgency by its place; of one that is none, a fire's is supposed.
pub(super) fn urgency(row: &Row<'_>, at: usize) -> rusqlite::Result<Urgency> {
    let place: u8 = row.get(at)?;
    Ok(Urgency::ALL.into_iter().find(|urgency| urgency.place() == place).unwrap_or_default())
}

pub(super) fn optional_ulid(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Ulid>> {
    if row.get_ref(at)? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    ulid(row, at).map(Some)
}
