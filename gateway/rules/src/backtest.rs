//! The same rules over recorded readings, on the readings' own clock.
//!
//! Readings come in order of arrival; time is that of the arrivals. No incidents: a row is one
//! condition of one device, from the first offending reading to the first of the run that cleared
//! it. Where a person would have to close a fire, the row ends when its detector cleared.

use std::collections::HashMap;

use standpipe_shared::{Condition, Reading};

use crate::detect::Watch;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::Registry;
use crate::{Changes, Ms};

/// One line of `incidents.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The device; empty for a zone or an area.
    pub device: Box<str>,
    /// The zone, or the station of an area.
    pub zone: Box<str>,
    /// What was true.
    pub condition: Condition,
    /// Event time of the first offending reading.
    pub raised_ms: Ms,
    /// Arrival clock when a live gateway would have paged.
    pub detected_ms: Ms,
    /// Event time of the first reading of the run that cleared it; `None`: still true at the end.
    pub cleared_ms: Option<Ms>,
}

/// A run over recorded readings.
#[derive(Debug)]
pub struct Backtest {
    watch: Watch,
    now: Ms,
    open: HashMap<(Subject, Condition), usize>,
    rows: Vec<Row>,
    changes: Changes,
}

impl Backtest {
    /// Over the devices of this registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            watch: Watch::over_records(registry, Ms::MAX),
            now: Ms::MIN,
            open: HashMap::new(),
            rows: Vec::new(),
            changes: Changes::default(),
        }
    }

    /// One reading, not earlier than the one before. A device that is not registered is judged by
    /// the default profile.
    pub fn reading(&mut self, arrived: Ms, device: &str, reading: &Reading) {
        self.wait_until(arrived);
        self.watch.reading(("", device), reading, arrived, &mut self.changes);
        self.watch.tick(self.now, &mut self.changes);
        self.note();
    }

    /// Lets the clock run, deadline by deadline.
    fn wait_until(&mut self, now: Ms) {
        while let Some(due) = self.watch.next_wake().filter(|due| *due < now) {
            self.now = self.now.max(due);
            self.watch.tick(self.now, &mut self.changes);
            self.note();
        }
        self.now = self.now.max(now);
    }

    fn note(&mut self) {
        self.changes = Changes::default();
        for fact in self.watch.facts() {
            match fact {
                Fact::Raised(raised) => {
                    let row = self.row(&raised, None);
                    let key = (raised.subject, raised.condition);
                    if !self.open.contains_key(&key) {
                        self.open.insert(key, self.rows.len());
                        self.rows.push(row);
                    }
                }
                Fact::Cleared { subject, condition, at } => {
                    let open = self.open.remove(&(subject, condition));
                    if let Some(row) = open.and_then(|at| self.rows.get_mut(at)) {
                        row.cleared_ms = Some(at);
                    }
                }
                Fact::Passed { raised, cleared_at } => {
                    let row = self.row(&raised, Some(cleared_at));
                    self.rows.push(row);
                }
                Fact::TestBecameReal { .. }
                | Fact::Verified { .. }
                | Fact::Unverified { .. }
                | Fact::Hydrant { .. } => {}
            }
        }
    }

    fn row(&self, raised: &Raised, cleared_ms: Option<Ms>) -> Row {
        let (device, zone) = match &raised.subject {
            Subject::Device(ix) => self
                .watch
                .registry
                .device(*ix)
                .map(|it| (it.id.clone(), it.zone.clone()))
                .unwrap_or_default(),
            Subject::Zone(zone) => (Box::default(), zone.clone()),
            Subject::Area(station) => (Box::default(), station.clone()),
            Subject::Gateway => (Box::default(), Box::default()),
        };
        let (raised_ms, condition) = (raised.since, raised.condition);
        Row { device, zone, condition, raised_ms, detected_ms: self.now, cleared_ms }
    }

    /// The file ends: deadlines up to the last arrival are judged; rows in order of detection.
    #[must_use]
    pub fn finish(mut self) -> Vec<Row> {
        self.watch.tick(self.now, &mut self.changes);
        self.note();
        self.rows
    }
}
