//! Whether an alarm still reaches every station: one that says it is a test, sent as a device sends
//! it, and awaited where the station's terminal awaits it.
//!
//! Each station has a detector of its own for this, `selftest-STATION`, which the gateway knows like
//! any other. Its alarm says `"test":true`: the station is shown it under "Test:", no page is queued
//! for it, no statistics count it, and it is withdrawn as soon as it came. How one station is
//! tested is in `chain.rs`, who is told when nothing came in `page.rs`.

mod chain;
pub mod page;

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use standpipe_machine::clock::Clock;
use standpipe_rules::Ms;
use standpipe_series::{Record, RecordKind};
use standpipe_transport::mqtt::{Broker, LinkError};

/// From the detector's alarm to the station's screen. GB 50440: at most 10 s.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Stations tested at one time: enough to be done soon when none answers.
const AT_ONCE: usize = 16;

/// How one station did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelftestOutcome {
    pub station: Box<str>,
    /// How long its alarm took; `None`: it did not come in time.
    pub took: Option<Duration>,
    /// Whether its terminal says that it is there.
    pub terminal: bool,
}

impl SelftestOutcome {
    /// Whether the alarm arrived in time and the terminal is there.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.took.is_some() && self.terminal
    }

    /// As a record of history.
    #[must_use]
    pub fn record(&self, at: Ms) -> Record {
        let Self { station, took, terminal } = self;
        let flags = [("passed", self.passed()), ("terminal", *terminal)];
        let mut fields = Vec::from(flags.map(|(name, flag)| (name, i64::from(flag).into())));
        fields.extend(took.map(|took| ("seconds", took.as_secs_f64().into())));
        let tags = vec![("station", station.clone())];
        Record { kind: RecordKind::Selftest, tags, fields, at, within_ms: 0 }
    }
}

/// Sends every station its test alarm, and waits for them all.
///
/// # Errors
/// [`LinkError`]: the broker can't be asked; nothing is known of any station.
pub async fn run(
    broker: &Broker,
    root: &str,
    stations: &[Box<str>],
    clock: &Clock,
) -> Result<Vec<SelftestOutcome>, LinkError> {
    let tests = stations.iter().map(|station| chain::test(broker, root, station, clock));
    stream::iter(tests).buffered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::SelftestOutcome;
    use std::time::Duration;

    /// As InfluxDB is given it.
    fn line(outcome: &SelftestOutcome) -> String {
        let mut out = String::new();
        standpipe_series::influx::line::record(&mut out, &outcome.record(5)).unwrap();
        out
    }

    #[test]
    fn an_outcome_is_a_point() {
        let mut outcome = SelftestOutcome {
            station: "t1".into(),
            took: Some(Duration::from_millis(40)),
            terminal: true,
        };
        assert!(outcome.passed());
        assert_eq!(line(&outcome), "selftest,station=t1 passed=1i,terminal=1i,seconds=0.04 5\n");
        outcome.terminal = false;
        assert_eq!(line(&outcome), "selftest,station=t1 passed=0i,terminal=0i,seconds=0.04 5\n");
        (outcome.took, outcome.terminal) = (None, true);
        assert_eq!(line(&outcome), "selftest,station=t1 passed=0i,terminal=1i 5\n");
    }
}
