//! A township's month in figures, last month's beside them.
//!
//! | file | idea |
//! |---|---|
//! | this one | what is counted, and how it is written as CSV |
//! | `gather` | where the figures come from: the store, read once |
//! | `story` | from an incident's hops: when a page was due, and how long it and the answer took |
//! | `watched` | which devices there were, as far as that is known |
//!
//! Tests, exercises and announced maintenance are left out. Every share comes with what it is a
//! share of. How it looks on paper is in `console::reports`.

mod gather;
mod story;
mod watched;

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

pub use gather::{ReportQuery, gather};

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Reads `2026-11`, of the years 2020 to 9998.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let first: Date = format!("{text}-01").parse().ok()?;
        (text.len() == 7 && (2020..=9998).contains(&first.year())).then_some(Self(first))
    }

    /// The month of a moment in a zone.
    #[must_use]
    pub fn of(at: Ms, zone: &TimeZone) -> Self {
        let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
        Self(at.to_zoned(zone.clone()).date().first_of_month())
    }

    /// The month before this one.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1.month()))
    }

    /// The month after this one.
    #[must_use]
    pub fn after(self) -> Self {
        Self(self.0.saturating_add(1.month()))
    }

    /// 28 to 31.
    #[must_use]
    pub fn days(self) -> usize {
        usize::from(self.0.days_in_month().unsigned_abs())
    }

    /// Its first moment in a zone; where the clocks skip midnight, the moment after.
    #[must_use]
    pub fn start(self, zone: &TimeZone) -> Ms {
        let start = self.0.to_zoned(zone.clone());
        start.as_ref().map_or(0, |start: &Zoned| start.timestamp().as_millisecond())
    }

    /// The day of a moment, from 0, if it is one of this month's: by the calendar of the zone, where a
    /// day may have 23 or 25 hours.
    #[must_use]
    pub fn day(self, at: Ms, zone: &TimeZone) -> Option<usize> {
        let at = jiff::Timestamp::from_millisecond(at).ok()?;
        let date = at.to_zoned(zone.clone()).date();
        let day = usize::from(date.day().unsigned_abs());
        (date.first_of_month() == self.0).then(|| day.saturating_sub(1))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

/// The month of a station and those below it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MonthlyReport)]
pub struct MonthlyReport {
    /// `2026-11`.
    pub month: String,
    /// The station's id; null: all stations.
    pub station: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// First moment of the month.
    pub from: Ms,
    /// First moment after it.
    pub to: Ms,
    /// When this was made; before `to`: the month is not over.
    pub made_at: Ms,
    /// The month's figures.
    pub this: Figures,
    /// The month before.
    pub last: Figures,
    /// Incidents opened on each day of the month.
    pub days: Vec<u32>,
}

/// What is counted of one month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Figures {
    /// Devices there were at the end of the month, or are now; null: that was not written down.
    pub devices: Option<u32>,
    /// Of these, hydrants.
    pub hydrants: Option<u32>,
    /// Of these, those that are heard, have no fault, are not offline and not under work; null of
    /// a month that is over.
    pub in_service: Option<u32>,
    /// Hydrants without water at the end of the month, or now.
    pub dry: u32,
    /// Devices that were offline at the end of the month, or now, or were never heard; null:
    /// that was not written down.
    pub unmonitored: Option<u32>,
    /// Incidents opened.
    pub incidents: u32,
    /// The same by class: `fire`, `water`, `upkeep`, `blind`.
    pub by_class: BTreeMap<String, u32>,
    /// The same by what was worst of them.
    pub by_condition: BTreeMap<String, u32>,
    /// Fire incidents that ended as `false_alarm`.
    pub false_alarms: u32,
    /// From the moment a fire or a critical incident was owed a page (received, or no longer muted)
    /// to its first delivered one.
    pub paged: Spread,
    /// From there to the first acknowledgement.
    pub acknowledged: Spread,
    /// Water incidents of the month that were repaired and proved.
    pub repaired: u32,
    /// Those that ended by themselves.
    pub recovered: u32,
    /// Those whose evidence is still being collected.
    pub verifying: u32,
    /// Those that failed again after they were repaired, or seemed to be.
    pub relapsed: u32,
    /// Those that are not closed.
    pub open: u32,
}

/// Some times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Spread {
    /// How many.
    pub count: u32,
    /// Of so many.
    pub of: u32,
    /// The one in the middle.
    pub median_ms: Option<Ms>,
    /// The longest.
    pub worst_ms: Option<Ms>,
}

impl Spread {
    /// Of these times, out of so many that could have had one.
    #[must_use]
    pub fn of(mut times: Vec<Ms>, of: usize) -> Self {
        times.sort_unstable();
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            count: small(times.len()),
            of: small(of),
            median_ms: times.get(times.len().saturating_sub(1) / 2).copied(),
            worst_ms: times.last().copied(),
        }
    }
}

/// One line of the table: a figure of two months.
pub struct FigureRow {
    pub name: String,
    pub unit: &'static str,
    pub this: Option<f64>,
    pub last: Option<f64>,
}

impl MonthlyReport {
    /// Every figure with its name and unit.
    #[must_use]
    pub fn rows(&self) -> Vec<FigureRow> {
        let (this, last) = (&self.this, &self.last);
        let mut rows = Vec::new();
        let mut add = |name: String, unit: &'static str, [this, last]: [Option<f64>; 2]| {
            rows.push(FigureRow { name, unit, this, last });
        };
        let mut known = |name: &str, of: fn(&Figures) -> Option<u32>| {
            add(name.to_owned(), "count", [this, last].map(|month| of(month).map(f64::from)));
        };
        known("devices", |month| month.devices);
        known("hydrants", |month| month.hydrants);
        known("hydrants_in_service", |month| month.in_service);
        known("hydrants_dry", |month| Some(month.dry));
        known("devices_unmonitored", |month| month.unmonitored);
        let mut count = |name: &str, of: fn(&Figures) -> u32| {
            add(name.to_owned(), "count", [this, last].map(|month| Some(f64::from(of(month)))));
        };
        count("incidents", |month| month.incidents);
        count("false_alarms", |month| month.false_alarms);
        count("water_repaired", |month| month.repaired);
        count("water_recovered", |month| month.recovered);
        count("water_verifying", |month| month.verifying);
        count("water_relapsed", |month| month.relapsed);
        count("open", |month| month.open);
        count("paged_count", |month| month.paged.count);
        count("paged_of", |month| month.paged.of);
        count("acknowledged_count", |month| month.acknowledged.count);
        count("acknowledged_of", |month| month.acknowledged.of);
        #[expect(clippy::cast_precision_loss, reason = "months in milliseconds fit")]
        let mut time = |name: &str, of: fn(&Figures) -> Option<Ms>| {
            let seconds = |month| of(month).map(|ms| ms as f64 / 1_000.0);
            add(name.to_owned(), "s", [this, last].map(seconds));
        };
        time("paged_median", |month| month.paged.median_ms);
        time("paged_worst", |month| month.paged.worst_ms);
        time("acknowledged_median", |month| month.acknowledged.median_ms);
        time("acknowledged_worst", |month| month.acknowledged.worst_ms);
        for (kind, of) in [("class", by_class as CountsOf), ("condition", by_condition)] {
            let names = of(this).keys().chain(of(last).keys());
            for name in names.collect::<std::collections::BTreeSet<_>>() {
                let count = |month| of(month).get(name).copied().unwrap_or(0);
                let both = [this, last].map(|month| Some(f64::from(count(month))));
                add(format!("{kind}_{name}"), "count", both);
            }
        }
        rows
    }

    /// CSV with the header `figure,unit,MONTH,MONTH BEFORE`.
    #[must_use]
    pub fn csv(&self) -> String {
        let before =
            Month::parse(&self.month).map_or(String::new(), |month| month.before().to_string());
        let mut text = format!("figure,unit,{},{before}\n", self.month);
        let cell = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
        for FigureRow { name, unit, this, last } in self.rows() {
            let _ = writeln!(text, "{name},{unit},{},{}", cell(this), cell(last)); // a String
        }
        text
    }
}

/// Takes counts by name out of a month's figures.
type CountsOf = fn(&Figures) -> &BTreeMap<String, u32>;

fn by_class(figures: &Figures) -> &BTreeMap<String, u32> {
    &figures.by_class
}

fn by_condition(figures: &Figures) -> &BTreeMap<String, u32> {
    &figures.by_condition
}

#[cfg(test)]
mod tests {
    use super::{Month, Spread};
    use jiff::tz::TimeZone;

    #[test]
    fn a_month_begins_at_midnight_in_the_town() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let month = Month::parse("2025-11").unwrap();
        assert_eq!(month.start(&zone), 1_761_926_400_000, "2025-10-31T16:00:00Z");
        assert_eq!(month.after().start(&zone) - month.start(&zone), 30 * 86_400_000);
        assert_eq!(month.days(), 30);
        assert_eq!(Month::of(1_764_000_000_000, &zone), month, "25 November there");
        assert_eq!(month.before().to_string(), "2025-10");
        assert_eq!(Month::parse("2026-01").unwrap().before().to_string(), "2025-12");
        for bad in ["2025", "2025-13", "2025-1", "25-11", "2025-11-01", "1999-01", ""] {
            assert_eq!(Month::parse(bad), None, "{bad}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn the_middle_and_the_worst() {
        for (times, median, worst) in [
            (vec![], None, None), (vec![7], Some(7), Some(7)),
            (vec![9, 1], Some(1), Some(9)), (vec![3, 1, 2], Some(2), Some(3)),
        ] {
            let count = u32::try_from(times.len()).unwrap();
            let spread = Spread::of(times, 5);
            assert_eq!((spread.count, spread.of), (count, 5));
            assert_eq!((spread.median_ms, spread.worst_ms), (median, worst));
        }
    }
}
