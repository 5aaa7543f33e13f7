//! What is older, or more, than it is kept for: read as lines of JSON for the archive, and deleted once
//! these are written.
//!
//! Which rows these are is said here alone; that they are in the archive is said by whoever wrote it
//! ([`Archived`]), and the engine deletes them with its next commit. An incident that is open again, or
//! of which something is owed still, stays whatever was said.
//!
//! Not here: the files of the archive (`standpipe::archive`), the audit log, which is in another
//! database (`accounts::entry`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use standpipe_rules::Ms;
use standpipe_rules::incidents::IncidentId;

use super::StoreError;
use super::reader::{Reader, ulid};
use super::rows::{put, rows_of};

/// Which messages that were not understood are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptMessages {
    /// Those that arrived since.
    pub since: Ms,
    /// The newest so many of them.
    pub most: u32,
}

/// One row that is to go, and what the archive is to keep of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    pub row: T,
    /// When it was over: which file of the archive it belongs to.
    pub at: Ms,
    /// One line of JSON, without its end.
    pub line: String,
}

/// What is in the archive, so that it may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    pub incidents: Vec<IncidentId>,
    /// Messages that were not understood, by their numbers.
    pub quarantine: Vec<i64>,
}

impl Archived {
    /// Adds what others say.
    pub fn extend(&mut self, more: &Self) {
        self.incidents.extend(&more.incidents);
        self.quarantine.extend(&more.quarantine);
    }

    /// Whether there is nothing to delete.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.quarantine.is_empty()
    }
}

impl Reader {
    /// Closed incidents that are not kept any more, with their trail and pages, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn expired_incidents(
        &self,
        since: Ms,
        most: usize,
    ) -> Result<Vec<Expired<IncidentId>>, StoreError> {
        let sql = "SELECT id, closed_at, wire FROM incident i
                   WHERE open = 0 AND opened_at < ?1 AND closed_at < ?1
                     AND NOT EXISTS (SELECT 1 FROM page p WHERE p.incident = i.id
                         AND p.delivered_at IS NULL AND p.gave_up_at IS NULL
                         AND p.superseded_at IS NULL)
                     AND NOT EXISTS (SELECT 1 FROM board b WHERE b.incident = i.id AND b.owed = 1)
                   ORDER BY opened_at LIMIT ?2";
        let found = self.rows(sql, (since, rows_of(most)), |row| {
            Ok((ulid(row, 0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        found
            .into_iter()
            .map(|(id, at, wire)| {
                let line = self.incident_line(id, &wire)?;
                Ok(Expired { row: id, at, line })
            })
            .collect()
    }

    fn incident_line(&self, id: IncidentId, wire: &str) -> Result<String, StoreError> {
        let trail = self.rows(
            "SELECT at, hop, by, detail, code, parts FROM trail WHERE incident = ?1 ORDER BY n",
            [id.to_string()],
            |row| {
                let [hop, by, detail, code] = texts(row, 1)?;
                let mut line =
                    json!({"at": row.get::<_, Ms>(0)?, "hop": hop, "by": by, "detail": detail});
                if let (false, Some(line)) = (code.is_empty(), line.as_object_mut()) {
                    let parts: String = row.get(5)?;
                    line.insert("code".to_owned(), code.into());
                    line.insert(
                        "parts".to_owned(),
                        serde_json::from_str(&parts).unwrap_or_default(),
                    );
                }
                Ok(line)
            },
        )?;
        let pages = self.rows(
            "SELECT page_id, kind, receiver, coalesce(bundle, ''), step, repeat, at, delivered_at,
                    gave_up_at
             FROM page WHERE incident = ?1 ORDER BY number",
            [id.to_string()],
            |row| {
                let [page_id, kind, receiver, bundle] = texts(row, 0)?;
                let (step, repeat): (u8, u32) = (row.get(4)?, row.get(5)?);
                let times: (Ms, Option<Ms>, Option<Ms>) = (row.get(6)?, row.get(7)?, row.get(8)?);
                let (at, delivered_at, gave_up_at) = times;
                let bundle = Some(bundle).filter(|bundle| !bundle.is_empty());
                Ok(json!({
                    "page_id": page_id, "kind": kind, "receiver": receiver, "bundle": bundle,
                    "step": step, "repeat": repeat, "at": at, "delivered_at": delivered_at,
                    "gave_up_at": gave_up_at,
                }))
            },
        )?;
        // What can't be read as JSON is kept as the text that it is.
        let incident = match serde_json::from_str::<&RawValue>(wire) {
            Ok(json) => json.get().to_owned(),
            Err(_) => Value::from(wire).to_string(),
        };
        let (trail, pages) = (Value::from(trail), Value::from(pages));
        Ok(format!(r#"{{"incident":{incident},"trail":{trail},"pages":{pages}}}"#))
    }

    /// Messages that were not understood and are not kept any more, the oldest first, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn expired_messages(
        &self,
        kept: KeptMessages,
        most: usize,
    ) -> Result<Vec<Expired<i64>>, StoreError> {
        let sql = "SELECT n, at, topic, reason, detail, device, payload FROM quarantine
                   WHERE at < ?1 OR n <= (SELECT max(n) FROM quarantine) - ?2
                   ORDER BY n LIMIT ?3";
        self.rows(sql, (kept.since, kept.most, rows_of(most)), |row| {
            let (n, at): (i64, Ms) = (row.get(0)?, row.get(1)?);
            let [topic, reason, detail, device] = texts(row, 2)?;
            let payload = STANDARD.encode(row.get_ref(6)?.as_blob().unwrap_or(&[]));
            let line = json!({
                "at": at, "topic": topic, "reason": reason, "detail": detail, "device": device,
                "payload_base64": payload,
            });
            Ok(Expired { row: n, at, line: line.to_string() })
        })
    }
}

/// Deletes what is in the archive.
///
/// # Errors
/// [`StoreError`].
pub(super) fn delete(conn: &Connection, archived: &Archived) -> Result<(), StoreError> {
    for id in &archived.incidents {
        delete_incident(conn, &id.to_string())?;
    }
    for number in &archived.quarantine {
        put(conn, "DELETE FROM quarantine WHERE n = ?1", [number])?;
    }
    Ok(())
}

fn delete_incident(conn: &Connection, id: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM incident WHERE id = ?1 AND open = 0";
    if conn.prepare_cached(sql)?.execute([id])? == 0 {
        return Ok(());
    }
    let sql = "DELETE FROM message WHERE n IN (SELECT number FROM page WHERE incident = ?1)";
    put(conn, sql, [id])?;
    let sql = "SELECT DISTINCT bundle FROM page WHERE incident = ?1 AND bundle IS NOT NULL";
    let bundles: Vec<String> =
        conn.prepare_cached(sql)?.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in ["page", "trail", "board"] {
        put(conn, &format!("DELETE FROM {table} WHERE incident = ?1"), [id])?;
    }
    for bundle in bundles {
        let sql = "DELETE FROM bundle
                   WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM page WHERE bundle = ?1)";
        put(conn, sql, [bundle])?;
    }
    Ok(())
}

/// Four columns of text, from this one on.
fn texts(row: &Row<'_>, from: usize) -> rusqlite::Result<[String; 4]> {
    Ok([row.get(from)?, row.get(from + 1)?, row.get(from + 2)?, row.get(from + 3)?])
}
