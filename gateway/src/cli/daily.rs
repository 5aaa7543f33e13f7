//! Work that is repeated every day where no timer of the system starts it: in a container.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use standpipe_machine::clock::Clock;
use standpipe_rules::Ms;

use super::{Failure, config};

/// How often the clock is looked at: it may be set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Whether the work is done once, or every day.
#[derive(Debug, clap::Args)]
pub struct Daily {
    /// Stay, and do it every day at this time of the town (`http.timezone`), such as 03:20; one that
    /// fails is told in the log. Without it: once, now.
    #[arg(long, value_name = "HH:MM")]
    daily: Option<Time>,
}

impl Daily {
    /// Does the work, once or every day.
    ///
    /// # Errors
    /// [`Failure`] of work that is done once, or of the configuration.
    pub fn run(
        &self,
        config: &Path,
        mut work: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(at) = self.daily else { return work() };
        let zone = TimeZone::get(&config::required(config)?.http.timezone);
        let zone = zone.map_err(|bad| Failure::Configuration(bad.to_string()))?;
        // A new clock each time tells what this machine's clock was set to meanwhile.
        let now = || Clock::new().now();
        loop {
            let due = next(at, &zone, now()).map_err(|bad| Failure::Failed(bad.to_string()))?;
            tracing::info!("next at {due}");
            while now() < due.as_millisecond() {
                std::thread::sleep(LOOK_EVERY);
            }
            if let Err(Failure::Failed(why) | Failure::Configuration(why)) = work() {
                tracing::error!("{why}");
            }
        }
    }
}

/// The first time after `now` that it is so late in the town. A time that the town's clocks leave out
/// comes as much later.
fn next(at: Time, zone: &TimeZone, now: Ms) -> Result<Timestamp, jiff::Error> {
    let now = Timestamp::from_millisecond(now)?;
    let today = now.to_zoned(zone.clone()).date();
    let on = |date: jiff::civil::Date| zone.to_timestamp(date.to_datetime(at));
    let due = on(today)?;
    if due > now { Ok(due) } else { on(today.tomorrow()?) }
}

#[cfg(test)]
mod tests {
    use super::next;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    #[rustfmt::skip] // a table
    fn it_is_due_today_or_tomorrow_by_the_towns_clock() {
        for (story, zone, at, now, due) in [
            ("later today",        "Asia/Shanghai", "03:20", "2026-11-23T19:19:59Z", "2026-11-23T19:20:00Z"),
            ("now: tomorrow",      "Asia/Shanghai", "03:20", "2026-11-23T19:20:00Z", "2026-11-24T19:20:00Z"),
            ("over for today",     "Asia/Shanghai", "09:30", "2026-11-23T12:00:00Z", "2026-11-24T01:30:00Z"),
            ("the town's morning", "Asia/Shanghai", "09:30", "2026-11-23T22:00:00Z", "2026-11-24T01:30:00Z"),
            ("an hour left out",   "Europe/Berlin", "02:30", "2026-03-28T22:00:00Z", "2026-03-29T01:30:00Z"),
            ("a day of 25 hours",  "Europe/Berlin", "12:00", "2026-10-24T10:00:00Z", "2026-10-25T11:00:00Z"),
        ] {
            let now: Timestamp = now.parse().unwrap();
            let zone = TimeZone::get(zone).unwrap();
            let found = next(at.parse().unwrap(), &zone, now.as_millisecond()).unwrap();
            assert_eq!(found.to_string(), due, "{story}");
        }
    }
}
