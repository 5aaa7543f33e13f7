//! Which devices there were at a moment, and how many of them watched. Of now all is known. Of a
//! month that is over only what was written down then is: the date of installation, the hours in
//! the ledger, and incidents. What nobody wrote down stays unknown: `None`, shown as "–".

use jiff::civil::Date;
use jiff::tz::TimeZone;
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_shared::Condition;
use standpipe_store::LEDGER_MS;
use standpipe_store::views::report::WatchedDevice;

/// Devices at the end of a month, or now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Watched {
    pub devices: Option<u32>,
    pub hydrants: Option<u32>,
    /// Of these, hydrants that were heard, have no fault, are not offline and not under work.
    pub in_service: Option<u32>,
    pub never: Option<u32>,
    /// Devices that were heard and are offline; of a month that is over, incidents tell.
    pub offline: Option<u32>,
}

/// One device, with what is known of its past.
#[derive(Clone, Copy, Debug)]
struct DevicePast {
    hydrant: bool,
    /// The first moment of the day it was installed on, where somebody wrote that down.
    installed: Option<Ms>,
    /// Start of the first hour that is in the ledger.
    first: Option<Ms>,
    heard: bool,
    offline: bool,
    watches: bool,
}

/// The moment that is asked about, and how far back the ledger reaches.
#[derive(Clone, Copy, Debug)]
struct MonthEnd {
    end: Ms,
    kept_from: Ms,
}

impl DevicePast {
    fn of(device: &WatchedDevice, zone: &TimeZone) -> Self {
        let silent = Condition::Offline.bit() | Condition::SensorFault.bit();
        let works = device.heard && device.conditions & silent == 0;
        Self {
            hydrant: device.hydrant,
            installed: device.installed_on.as_deref().and_then(|text| day(text, zone)),
            first: device.first_hour,
            heard: device.heard,
            offline: device.conditions & Condition::Offline.bit() != 0,
            watches: works && !device.out_of_service,
        }
    }

    /// Whether it was heard before the end; `None`: nobody knows any more.
    fn was_heard(self, month: MonthEnd) -> Option<bool> {
        match self.first {
            Some(first) if first < month.end => Some(true),
            Some(_) if month.end > month.kept_from => Some(false),
            None if !self.heard => Some(false),
            Some(_) | None => None,
        }
    }

    /// Whether it was there before the end; `None`: nobody knows any more.
    fn was_there(self, month: MonthEnd) -> Option<bool> {
        match (self.installed, self.first) {
            (Some(installed), _) => Some(installed < month.end),
            (None, Some(_)) => self.was_heard(month),
            (None, None) => None, // never heard, or never numbered what it said
        }
    }
}

/// The devices there are now as they were at `end`, or are, when that is not over.
pub fn watched(devices: &[WatchedDevice], end: Ms, zone: &TimeZone, now: Ms) -> Watched {
    let rows: Vec<DevicePast> = devices.iter().map(|device| DevicePast::of(device, zone)).collect();
    let kept_from = now - LEDGER_MS + HOUR_MS;
    if now < end { today(&rows) } else { back_then(&rows, MonthEnd { end, kept_from }) }
}

fn today(rows: &[DevicePast]) -> Watched {
    let count =
        |of: fn(&DevicePast) -> bool| Some(small(rows.iter().filter(|row| of(row)).count()));
    Watched {
        devices: count(|_| true),
        hydrants: count(|row| row.hydrant),
        in_service: count(|row| row.hydrant && row.watches),
        never: count(|row| !row.heard),
        offline: count(|row| row.heard && row.offline),
    }
}

fn back_then(rows: &[DevicePast], month: MonthEnd) -> Watched {
    let there: Option<Vec<bool>> = rows.iter().map(|row| row.was_there(month)).collect();
    let Some(there) = there else { return Watched::default() };
    let rows = || rows.iter().zip(&there).filter(|(_, there)| **there).map(|(row, _)| row);
    let heard: Option<Vec<bool>> = rows().map(|row| row.was_heard(month)).collect();
    Watched {
        devices: Some(small(rows().count())),
        hydrants: Some(small(rows().filter(|row| row.hydrant).count())),
        in_service: None, // what was under work then is not kept
        never: heard.map(|heard| small(heard.into_iter().filter(|heard| !heard).count())),
        offline: None,
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The first moment of a day as people write it; what can't be read says nothing.
fn day(text: &str, zone: &TimeZone) -> Option<Ms> {
    let date: Date = text.parse().ok()?;
    date.to_zoned(zone.clone()).ok().map(|start| start.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::{DevicePast, MonthEnd, Watched, back_then, today};

    const THEN: MonthEnd = MonthEnd { end: 1_000, kept_from: 500 };
    const LONG_AGO: MonthEnd = MonthEnd { end: 1_000, kept_from: 1_000 };
    const ROW: DevicePast = DevicePast {
        hydrant: true,
        installed: None,
        first: None,
        heard: false,
        offline: false,
        watches: false,
    };

    #[test]
    #[rustfmt::skip] // a table
    fn of_a_month_that_is_over_only_what_was_written_down_is_told() {
        let heard = DevicePast { heard: true, watches: true, ..ROW };
        let first = |at| DevicePast { first: Some(at), ..heard };
        let installed = |at| DevicePast { installed: Some(at), ..ROW };
        for (story, row, month, there, was_heard) in [
            ("installed before, never heard",     installed(999),   THEN,     Some(true),  Some(false)),
            ("installed the day after",           installed(1_000), THEN,     Some(false), Some(false)),
            ("heard before",                      first(999),       THEN,     Some(true),  Some(true)),
            ("first heard after",                 first(1_000),     THEN,     Some(false), Some(false)),
            ("longer ago than the ledger is kept", first(1_000),    LONG_AGO, None,        None),
            ("and what is older is known",        first(999),       LONG_AGO, Some(true),  Some(true)),
            ("it never numbered what it said",    heard,            THEN,     None,        None),
            ("registered at no time we know",     ROW,              THEN,     None,        Some(false)),
        ] {
            assert_eq!((row.was_there(month), row.was_heard(month)), (there, was_heard), "{story}");
        }
    }

    #[test]
    fn of_now_everything_is_known() {
        let well = DevicePast { heard: true, watches: true, ..ROW };
        let away = DevicePast { watches: false, offline: true, ..well };
        let never = DevicePast { offline: true, ..ROW };
        let rows = [well, away, never, DevicePast { hydrant: false, ..well }];
        let told = today(&rows);
        assert_eq!((told.devices, told.hydrants), (Some(4), Some(3)));
        assert_eq!((told.in_service, told.never, told.offline), (Some(1), Some(1), Some(1)));
    }

    #[test]
    fn one_device_nobody_knows_of_makes_the_month_unknown() {
        let first = |at| DevicePast { first: Some(at), heard: true, ..ROW };
        let rows = [first(999), first(1_000), DevicePast { installed: Some(1), ..ROW }];
        let told = back_then(&rows, THEN);
        assert_eq!((told.devices, told.hydrants, told.never), (Some(2), Some(2), Some(1)));
        assert_eq!(told.in_service, None);
        assert_eq!(back_then(&[first(999), ROW], THEN), Watched::default());
    }
}
