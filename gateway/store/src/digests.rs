//! The daily digests: written once a receiver and day, read by their sender.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;
use standpipe_words::day::MadeDigest;

use super::rows::{self, put};
use super::{Reader, StoreError};

/// How long digests are kept, ms: 90 days.
const KEPT_MS: Ms = 90 * 86_400_000;
/// Under which name `meta` keeps what was made last.
const META: &str = "digest";

/// What there is to write down about digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestNews {
    /// Those of a day were made, all at once; empty ones are left out.
    Made {
        told: MadeDigest,
        /// By receiver: the digest for it, JSON.
        owed: Vec<(Box<str>, String)>,
    },
    /// Its receiver has it.
    Delivered(DigestKey, Ms),
    /// It was retried for too long, or refused for good.
    GaveUp(DigestKey, Ms),
}

/// Tells one digest from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DigestKey {
    pub day: Box<str>,
    /// The webhook's name.
    pub receiver: Box<str>,
}

impl DigestKey {
    /// Its id on the wire: the same for every attempt, before and after a restart.
    #[must_use]
    pub fn key(&self) -> String {
        format!("digest-{}-{}", self.day, self.receiver)
    }
}

/// A digest that waits for its webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedDigest {
    pub which: DigestKey,
    /// When it was queued.
    pub at: Ms,
    pub json: String,
}

impl DigestNews {
    /// Whether a digest now waits for a webhook.
    pub(super) const fn owes(&self) -> bool {
        match self {
            Self::Made { owed, .. } => !owed.is_empty(),
            Self::Delivered(..) | Self::GaveUp(..) => false,
        }
    }
}

/// `digest`. What is there for a receiver and day stays as it is.
pub(super) fn write(conn: &Connection, news: &DigestNews) -> Result<(), StoreError> {
    match news {
        DigestNews::Made { told, owed } => {
            let sql = "INSERT OR IGNORE INTO digest (day, receiver, at, json)
                       VALUES (?1, ?2, ?3, ?4)";
            for (receiver, json) in owed {
                put(conn, sql, (told.day.to_string(), receiver, told.to, json))?;
            }
            put(conn, "DELETE FROM digest WHERE at < ?1", [told.to - KEPT_MS])?;
            rows::meta_json(conn, META, told)
        }
        DigestNews::Delivered(which, at) => {
            let sql = "UPDATE digest SET delivered_at = ?3
                       WHERE day = ?1 AND receiver = ?2 AND delivered_at IS NULL";
            put(conn, sql, (&which.day, &which.receiver, at))
        }
        DigestNews::GaveUp(which, at) => {
            let sql = "UPDATE digest SET gave_up_at = ?3
                       WHERE day = ?1 AND receiver = ?2 AND delivered_at IS NULL";
            put(conn, sql, (&which.day, &which.receiver, at))
        }
    }
}

impl Reader {
    /// What was made last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digest_told(&self) -> Result<Option<MadeDigest>, StoreError> {
        let Some(text) = self.meta(META)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|bad| StoreError::Unreadable {
            what: "meta `digest`".to_owned(),
            why: bad.to_string(),
        })
    }

    /// Digests that nobody confirmed and nobody gave up, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_digests(&self) -> Result<Vec<OwedDigest>, StoreError> {
        self.digests("?1 IS NULL", None)
    }

    /// Those of one webhook.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn digests_owed_to(&self, receiver: &str) -> Result<Vec<OwedDigest>, StoreError> {
        self.digests("receiver = ?1", Some(receiver))
    }

    fn digests(&self, of: &str, one: Option<&str>) -> Result<Vec<OwedDigest>, StoreError> {
        let sql = format!(
            "SELECT day, receiver, at, json FROM digest
             WHERE {of} AND delivered_at IS NULL AND gave_up_at IS NULL ORDER BY day"
        );
        self.rows(&sql, [one], |row| {
            let which = DigestKey { day: row.get(0)?, receiver: row.get(1)? };
            Ok(OwedDigest { which, at: row.get(2)?, json: row.get(3)? })
        })
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::incidents::{IdSecret, Plan};

    use super::{DigestKey, DigestNews, KEPT_MS};
    use crate::{Extras, Reader, Store};
    use standpipe_words::day::{Day, MadeDigest};

    const AT: i64 = 1_764_000_000_000;

    fn told(day: &str, to: i64) -> MadeDigest {
        MadeDigest { day: Day::parse(day).unwrap(), to }
    }

    fn made(day: &str, to: i64, owed: &[(&str, &str)]) -> DigestNews {
        let owed = owed.iter().map(|(to, json)| ((*to).into(), (*json).to_owned())).collect();
        DigestNews::Made { told: told(day, to), owed }
    }

    fn which(day: &str, receiver: &str) -> DigestKey {
        DigestKey { day: day.into(), receiver: receiver.into() }
    }

    /// A store that is reopened for every step: nothing is in memory.
    fn keep(path: &std::path::Path, news: Vec<DigestNews>) -> bool {
        let mut store = Store::open(path).unwrap();
        let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
        let extras = Extras { digests: news, ..Extras::default() };
        assert!(!extras.is_empty());
        let kept = store.commit(AT, &loaded.world, &loaded.changes, &extras).unwrap();
        kept.webhooks
    }

    #[test]
    fn one_a_receiver_and_day_is_owed_until_it_is_delivered_or_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        drop(Store::open(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        let owed = |to: &str| {
            let owed = reader.digests_owed_to(to).unwrap();
            owed.into_iter()
                .map(|digest| (digest.which.day.to_string(), digest.json))
                .collect::<Vec<_>>()
        };
        assert_eq!(reader.digest_told().unwrap(), None);
        assert!(!keep(&path, vec![made("2026-11-27", AT, &[])]), "no bell for nothing");
        assert_eq!(reader.digest_told().unwrap(), Some(told("2026-11-27", AT)));

        let day = "2026-11-28";
        assert!(keep(&path, vec![made(day, AT + 1, &[("a", "1"), ("b", "2")])]));
        keep(&path, vec![made(day, AT + 2, &[("a", "other"), ("c", "3")])]);
        assert_eq!(owed("a"), [(day.to_owned(), "1".to_owned())], "made once");
        keep(&path, vec![DigestNews::Delivered(which(day, "a"), AT + 3)]);
        keep(&path, vec![DigestNews::GaveUp(which(day, "b"), AT + 3)]);
        assert_eq!((owed("a").len(), owed("b").len(), owed("c").len()), (0, 0, 1));
        keep(&path, vec![made(day, AT + 4, &[("a", "again"), ("b", "again")])]);
        assert_eq!(
            (owed("a").len(), owed("b").len()),
            (0, 0),
            "what was delivered is not sent again"
        );
        keep(&path, vec![DigestNews::GaveUp(which(day, "a"), AT + 5)]);
        keep(&path, vec![made("2026-11-29", AT + 6, &[("c", "4")])]);
        let days: Vec<_> = owed("c").into_iter().map(|digest| digest.0).collect();
        assert_eq!(days, [day, "2026-11-29"], "the oldest first");
        assert_eq!(reader.owed_digests().unwrap().len(), 2);
        let row = |sql: &str| reader.query(sql, (), |row| row.get::<_, i64>(0)).unwrap();
        let given_up = row("SELECT count(*) FROM digest WHERE gave_up_at IS NOT NULL");
        assert_eq!(given_up, [1], "what was delivered is not given up");

        keep(&path, vec![made("2027-03-01", AT + 2 + KEPT_MS, &[])]);
        assert_eq!(row("SELECT count(*) FROM digest"), [2], "of the last 90 days");
        assert_eq!(which(day, "a").key(), "digest-2026-11-28-a");
    }
}
