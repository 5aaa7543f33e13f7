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
use crate::wire::Origin;
use crate::{Changes, Ms};

/// One line of `incidents.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacktestRow {
    /// The device; empty for a zone or an area.
    pub device: Box<str>,
    /// The zone, or the station of an area.
    pub zone: Box<str>,
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
    rows: Vec<BacktestRow>,
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
        self.watch.reading(Origin { area: "", device }, reading, arrived, &mut self.changes);
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
        self.changes.clear();
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

    fn row(&self, raised: &Raised, cleared_ms: Option<Ms>) -> BacktestRow {
        let (device, zone) = match &raised.subject {
            Subject::Device(ix) => self
                .watch
                .registry
                .device(*ix)
                .map(|device| (device.id.clone(), (&*device.zone).into()))
                .unwrap_or_default(),
            Subject::Zone(zone) => (Box::default(), zone.clone()),
            Subject::Area(station) => (Box::default(), station.clone()),
            Subject::Gateway | Subject::Topic(_) | Subject::Receiver(_) => {
                (Box::default(), Box::default())
            }
        };
        let (raised_ms, condition) = (raised.since, raised.condition);
        BacktestRow { device, zone, condition, raised_ms, detected_ms: self.now, cleared_ms }
    }

    /// The file ends: deadlines up to the last arrival are judged; rows in order of detection.
    #[must_use]
    pub fn finish(mut self) -> Vec<BacktestRow> {
        self.watch.tick(self.now, &mut self.changes);
        self.note();
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use standpipe_shared::{Field, Kind, Reading};

    use super::Backtest;
    use crate::Ms;
    use crate::registry::{Device, Registry};

    const T0: Ms = 1_767_225_600_000;

    fn town(count: u32) -> Backtest {
        let mut registry = Registry::new([]);
        for n in 0..count {
            registry.put_device(Device {
                claimed: true,
                station: "T-1".into(),
                zone: "main".into(),
                interval_s: Some(60),
                ..Device::unclaimed(&format!("H-{n}"), "", Kind::Hydrant)
            });
        }
        Backtest::new(registry)
    }

    fn says(test: &mut Backtest, device: &str, (arrived_s, late_s): (Ms, Ms), kpa: f32) {
        let at = T0 + arrived_s * 1_000;
        let mut reading = Reading { ts: Some(at - late_s * 1_000), ..Reading::default() };
        reading.values.set(Field::PressureKpa, kpa).unwrap();
        test.reading(at, device, &reading);
    }

    /// device, zone, condition, raised, detected, cleared: seconds.
    fn rows(test: Backtest) -> Vec<String> {
        let s = |ms: Ms| (ms - T0) / 1_000;
        let rows = test.finish().into_iter().map(|row| {
            let cleared = row.cleared_ms.map_or_else(String::new, |at| s(at).to_string());
            let (raised, detected) = (s(row.raised_ms), s(row.detected_ms));
            let what = row.condition.as_str();
            format!("{} {} {what} {raised} {detected} {cleared}", row.device, row.zone)
        });
        rows.collect()
    }

    #[test]
    fn a_row_begins_with_the_first_low_reading_and_ends_with_the_first_good_one() {
        let mut test = town(1);
        for (at, kpa) in [(0, 300.0), (60, 100.0), (120, 100.0), (180, 300.0), (240, 300.0)] {
            says(&mut test, "H-0", (at, 0), kpa);
        }
        assert_eq!(rows(test), ["H-0 main low_pressure 60 120 180"]);
    }

    #[test]
    fn silence_is_judged_on_arrival_between_readings_and_at_the_end() {
        let mut test = town(3);
        says(&mut test, "H-0", (0, 0), 300.0);
        says(&mut test, "H-1", (10, 0), 300.0);
        says(&mut test, "H-2", (11, 0), 300.0);
        says(&mut test, "H-0", (310, 0), 300.0);
        assert_eq!(rows(test), ["H-0 main offline 300 300 310", "H-1 main offline 310 310 ",]);
    }

    #[test]
    fn a_reading_at_the_very_deadline_is_in_time() {
        let mut test = town(1);
        says(&mut test, "H-0", (0, 0), 300.0);
        says(&mut test, "H-0", (300, 0), 300.0);
        assert!(rows(test).is_empty());
    }

    #[test]
    fn a_backlog_that_is_over_is_one_row_and_a_zone_has_no_device() {
        let mut test = town(4);
        says(&mut test, "H-3", (0, 0), 300.0);
        for (n, device) in ["H-0", "H-1", "H-2"].into_iter().enumerate() {
            for at in [10, 50] {
                says(&mut test, device, (at + n as Ms, 0), 5.0);
            }
        }
        for (at, late, kpa) in
            [(200, 140, 5.0), (201, 100, 5.0), (202, 80, 300.0), (203, 10, 300.0)]
        {
            says(&mut test, "H-3", (at, late), kpa);
        }
        let rows = rows(test);
        assert!(rows.contains(&" main zone_low_pressure 10 52 ".to_owned()), "{rows:?}");
        assert!(rows.contains(&"H-3 main no_water 60 203 122".to_owned()), "{rows:?}");
        assert_eq!(rows.len(), 9, "{rows:?}");
    }

    #[test]
    fn a_device_that_is_not_registered_is_judged_all_the_same() {
        let mut test = town(0);
        says(&mut test, "X", (0, 0), 5.0);
        says(&mut test, "X", (30, 0), 5.0);
        assert_eq!(rows(test), ["X  no_water 0 30 ", "X  low_pressure 0 30 "]);
    }
}
