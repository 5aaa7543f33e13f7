//! What people did at devices, in the file `accounts.db`: flow tests, and what was announced for a
//! device, its zone or its station. What they did about incidents is in the incidents' trails.

use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;
use standpipe_rules::flow::FlowTest;
use standpipe_rules::incidents::Announced;

use super::AccountError;
use super::book::Book;

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Water was let flow, and measured.
    FlowTest {
        /// What the gauges said.
        #[serde(flatten)]
        test: FlowTest,
        /// In words.
        note: Box<str>,
    },
    /// Work, a walk test or an exercise was announced.
    Announced {
        /// Which of them.
        announced: Announced,
        /// From then …
        from: Ms,
        /// … until then.
        until: Ms,
        /// Why.
        note: Box<str>,
    },
    /// It was ended before its time.
    Withdrawn {
        /// Which of them.
        announced: Announced,
    },
}

/// Something that was done: where, when, by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// `device`, `zone` or `station`.
    scope: Box<str>,
    /// Which one.
    name: Box<str>,
    /// When.
    pub at: Ms,
    /// By whom.
    pub who: Box<str>,
    /// What.
    pub job: Job,
}

impl Work {
    /// Something that was done to a `(kind, name)`.
    #[must_use]
    pub fn new((scope, name): (&str, &str), at: Ms, who: &str, job: Job) -> Self {
        Self { scope: scope.into(), name: name.into(), at, who: who.into(), job }
    }
}

impl Book {
    /// Writes it down.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn worked(&mut self, it: &Work) -> Result<(), AccountError> {
        let json = serde_json::to_string(&it.job)
            .map_err(|bad| rusqlite::Error::ToSqlConversionFailure(bad.into()))?;
        let sql = "INSERT INTO work (scope, name, at, who, json) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.conn.prepare_cached(sql)?.execute((&it.scope, &it.name, it.at, &it.who, json))?;
        Ok(())
    }

    /// What was done at a device, or announced for its zone or its station: newest first.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn work_of(
        &self,
        device: &str,
        (zone, station): (&str, &str),
        most: u32,
    ) -> Result<Vec<Work>, AccountError> {
        let sql = "SELECT scope, name, at, who, json FROM work
                   WHERE (scope, name) IN (VALUES ('device', ?1), ('zone', ?2), ('station', ?3))
                   ORDER BY n DESC LIMIT ?4";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map((device, zone, station, most), |row| {
            let json: String = row.get(4)?;
            let job = serde_json::from_str(&json).map_err(|bad| {
                rusqlite::Error::FromSqlConversionFailure(4, Type::Text, bad.into())
            })?;
            let (scope, name) = (row.get(0)?, row.get(1)?);
            Ok(Work { scope, name, at: row.get(2)?, who: row.get(3)?, job })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::flow::FlowTest;
    use standpipe_rules::incidents::Announced;

    use super::{Job, Work};
    use crate::accounts::book::Book;

    #[test]
    fn a_device_has_its_own_works_its_zones_and_its_stations() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = Book::open(&dir.path().join("accounts.db")).unwrap();
        let test = FlowTest { static_kpa: 420.0, residual_kpa: 300.0, flow_lps: 22.0 };
        let job = Job::FlowTest { test, note: "=HYPERLINK(1)".into() };
        let mine = Work::new(("device", "H-1"), 5, "li", job.clone());
        let zones = Work::new(
            ("zone", "z-0"),
            7,
            "wang",
            Job::Announced {
                announced: Announced::Maintenance,
                from: 8,
                until: 9,
                note: "".into(),
            },
        );
        let end = Job::Withdrawn { announced: Announced::WalkTest };
        let stations = Work::new(("station", "t-1"), 9, "wang", end);
        for it in [&mine, &zones, &stations, &Work::new(("device", "H-2"), 6, "li", job)] {
            book.worked(it).unwrap();
        }
        assert_eq!(
            book.work_of("H-1", ("z-0", "t-1"), 9).unwrap(),
            [stations, zones, mine.clone()]
        );
        assert_eq!(book.work_of("H-1", ("z-9", ""), 9).unwrap(), [mine]);
        assert_eq!(book.work_of("H-1", ("z-0", "t-1"), 1).unwrap().len(), 1);
    }
}
