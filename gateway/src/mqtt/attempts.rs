//! Trying again, and saying so without filling the log: the first failure at once, then one line
//! a minute, and one when it works again.

use std::time::Duration;

use standpipe_rules::Ms;
use tracing::{error, info, warn};

use super::{Broker, LinkError};
use crate::backoff::Backoff;

/// The first wait after a failure; halved at most by jitter.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const MOST: Duration = Duration::from_secs(10);
/// A failing connection is reported this often, ms.
const REPORT_EVERY: Ms = 60_000;
/// A connection that held this long was a good one: the next failure starts over, ms.
const HELD: Ms = 5_000;

/// The attempts of one session at being connected.
#[derive(Debug)]
pub struct Attempts {
    /// Whose, in the log.
    name: Box<str>,
    backoff: Backoff,
    up_since: Option<Ms>,
    down_since: Option<Ms>,
    said_at: Option<Ms>,
}

impl Attempts {
    /// `name` stands in the log; `client_id` spreads the waits.
    #[must_use]
    pub fn new(name: &str, client_id: &str) -> Self {
        Self {
            name: name.into(),
            backoff: Backoff::named(FIRST, MOST, client_id),
            up_since: None,
            down_since: None,
            said_at: None,
        }
    }

    /// It is connected.
    pub fn worked(&mut self, now: Ms, broker: &Broker) {
        match self.down_since.take() {
            Some(since) if self.said_at.is_some() => {
                info!(
                    "{}: connected to {broker} again after {} s",
                    self.name,
                    (now - since) / 1_000
                );
            }
            Some(_) | None => info!("{}: connected to {broker}", self.name),
        }
        self.up_since = Some(now);
        self.said_at = None;
    }

    /// It is not, or no longer: how long to wait before the next attempt.
    pub fn failed(&mut self, now: Ms, broker: &Broker, why: &LinkError) -> Duration {
        if self.up_since.take().is_some_and(|since| now - since >= HELD) {
            self.backoff.reset();
        }
        let since = *self.down_since.get_or_insert(now);
        if self.said_at.is_none_or(|said| now - said >= REPORT_EVERY) {
            self.said_at = Some(now);
            let (name, seconds) = (&self.name, (now - since) / 1_000);
            if matches!(why, LinkError::TakenOver) {
                error!("{name}: {why}");
            } else if seconds == 0 {
                warn!("{name}: no connection to {broker}: {why}; trying again until there is one");
            } else {
                warn!("{name}: no connection to {broker} for {seconds} s: {why}");
            }
        }
        if matches!(why, LinkError::TakenOver) { MOST } else { self.backoff.failed() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, HELD, MOST};
    use crate::mqtt::{Broker, LinkError};

    #[test]
    fn a_connection_that_does_not_hold_is_not_tried_faster_and_faster() {
        let broker = Broker::new("b", 1883);
        let mut attempts = Attempts::new("alarm", "standpipe-alarm-1");
        let mut now = 0;
        for _ in 0..10 {
            attempts.worked(now, &broker);
            now += 10;
            now += attempts.failed(now, &broker, &LinkError::Closed).as_millis() as i64;
        }
        assert!(attempts.failed(now, &broker, &LinkError::Closed) >= MOST / 2);
        attempts.worked(now, &broker);
        let first = attempts.failed(now + HELD, &broker, &LinkError::Closed);
        assert!(first.as_millis() <= 100, "a good connection lost is tried again at once");
        let taken = attempts.failed(now + HELD, &broker, &LinkError::TakenOver);
        assert_eq!(taken, MOST, "two gateways with one name do not throw each other out in turns");
    }
}
