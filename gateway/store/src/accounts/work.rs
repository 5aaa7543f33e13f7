//! What people did at devices, in the file `accounts.db`: flow tests, and what was announced for a
//! device, its zone or its station. What they did about incidents is in the incidents' trails.

use rusqlite::Connection;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use standpipe_rules::Ms;
use standpipe_rules::flow::FlowTest;
use standpipe_rules::incidents::{Announced, Scope};

use super::AccountError;
use super::book::AccountBook;
use super::entry::AccountEntry;

/// A kind of work, and what there is to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// A flow test: water was let flow, and measured.
    FlowTest {
        #[serde(flatten)]
        test: FlowTest,
        note: Box<str>,
    },
    /// Work, a walk test or an exercise was announced.
    Announced {
        /// Work, a walk test or an exercise.
        announced: Announced,
        from: Ms,
        /// The end, excluded.
        until: Ms,
        note: Box<str>,
    },
    Withdrawn {
        announced: Announced,
    },
}

/// Something that was done: where, when, by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// `device`, `zone` or `station`.
    scope: Box<str>,
    name: Box<str>,
    pub at: Ms,
    pub who: Box<str>,
    pub job: Job,
}

impl Work {
    /// Something that was done just now.
    #[must_use]
    pub fn new(scope: &Scope, at: Ms, who: &str, job: Job) -> Self {
        let (scope, name) = scope.parts();
        Self { scope: scope.into(), name: name.into(), at, who: who.into(), job }
    }

    pub(super) fn write(&self, tx: &Connection) -> rusqlite::Result<()> {
        let json = serde_json::to_string(&self.job)
            .map_err(|bad| rusqlite::Error::ToSqlConversionFailure(bad.into()))?;
        let sql = "INSERT INTO work (scope, name, at, who, json) VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = (&self.scope, &self.name, self.at, &self.who, json);
        tx.prepare_cached(sql)?.execute(row).map(|_| ())
    }
}

/// A device, and what it belongs to: work may be announced for any of them.
#[derive(Clone, Copy, Debug)]
pub struct WorkPlaces<'a> {
    pub device: &'a str,
    pub zone: &'a str,
    pub station: &'a str,
}

impl AccountBook {
    /// Adds one piece of work to the history.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn worked(&mut self, work: &Work) -> Result<(), AccountError> {
        self.append(AccountEntry::Worked(work.clone())).map(drop)
    }

    /// What was done at a device, or announced for its zone or its station: newest first.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn work_of(&self, places: WorkPlaces<'_>, most: u32) -> Result<Vec<Work>, AccountError> {
        let sql = "SELECT scope, name, at, who, json FROM work
                   WHERE (scope, name) IN (VALUES ('device', ?1), ('zone', ?2), ('station', ?3))
                   ORDER BY n DESC LIMIT ?4";
        let mut statement = self.conn.prepare_cached(sql)?;
        let WorkPlaces { device, zone, station } = places;
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
    use standpipe_machine::entropy::Entropy;
    use standpipe_rules::flow::FlowTest;
    use standpipe_rules::incidents::{Announced, Scope};

    use super::{Job, Work, WorkPlaces};
    use crate::accounts::book::AccountBook;

    #[test]
    fn a_device_has_its_own_works_its_zones_and_its_stations() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = AccountBook::open(&dir.path().join("accounts.db"), &Entropy::new()).unwrap();
        let test = FlowTest { static_kpa: 420.0, residual_kpa: 300.0, flow_lps: 22.0 };
        let job = Job::FlowTest { test, note: "=HYPERLINK(1)".into() };
        let mine = Work::new(&Scope::Device("H-1".into()), 5, "li", job.clone());
        let zones = Work::new(
            &Scope::Zone("z-0".into()),
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
        let stations = Work::new(&Scope::Station("t-1".into()), 9, "wang", end);
        let others = Work::new(&Scope::Device("H-2".into()), 6, "li", job);
        for work in [&mine, &zones, &stations, &others] {
            book.worked(work).unwrap();
        }
        let places = WorkPlaces { device: "H-1", zone: "z-0", station: "t-1" };
        assert_eq!(book.work_of(places, 9).unwrap(), [stations, zones, mine.clone()]);
        assert_eq!(book.work_of(places, 1).unwrap().len(), 1);
        let elsewhere = WorkPlaces { zone: "z-9", station: "", ..places };
        assert_eq!(book.work_of(elsewhere, 9).unwrap(), [mine]);
    }
}
