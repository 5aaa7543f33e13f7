//! Trying again, and saying so without filling the log: the first failure at once, then one line
//! a minute, and one when it works again.

use std::time::Duration;

use standpipe_machine::backoff::Backoff;
use standpipe_rules::Ms;
use tracing::{error, info, warn};

use super::{Broker, LinkError};

/// The first wait after a failure; halved at most by jitter.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const MOST: Duration = Duration::from_secs(10);
/// A failing connection is reported this often, ms.
const REPORT_EVERY: Ms = 60_000;
/// A connection that held this long was a good one: the next failure starts over, ms.
const HELD: Ms = 5_000;

/// So many connections in a row that were taken and then closed are no accident.
const THROWN_OUT: u32 = 3;

/// What follows from a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    /// How long to wait before the next attempt.
    pub wait: Duration,
    /// What is wrong, in words.
    pub why: String,
}

/// The attempts of one session at being connected.
#[derive(Debug)]
pub struct Attempts {
    /// Whose, in the log.
    name: Box<str>,
    client_id: Box<str>,
    backoff: Backoff,
    /// Connections in a row that the broker took and soon closed.
    thrown_out: u32,
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
            client_id: client_id.into(),
            thrown_out: 0,
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

    /// It is not, or no longer.
    pub fn failed(&mut self, now: Ms, broker: &Broker, why: &LinkError) -> Failed {
        let held = self.up_since.take().map(|since| now - since);
        if held.is_some_and(|ms| ms >= HELD) {
            self.backoff.reset();
        }
        // Not every broker says that it gave the session to somebody else.
        let closed = matches!(why, LinkError::Closed | LinkError::Io(_));
        let thrown_out = closed && held.is_some_and(|ms| ms < REPORT_EVERY);
        self.thrown_out = if thrown_out { self.thrown_out + 1 } else { 0 };
        let rivalry = matches!(why, LinkError::TakenOver) || self.thrown_out >= THROWN_OUT;
        let why = if rivalry {
            format!(
                "another client takes the session over: stop it if it is a second gateway on a \
                 copy of this store, else give it a client id other than `{}`",
                self.client_id
            )
        } else {
            why.to_string()
        };
        let since = *self.down_since.get_or_insert(now);
        let news = self.said_at.is_none_or(|said| now - said >= REPORT_EVERY);
        if news || self.thrown_out == THROWN_OUT {
            self.said_at = Some(now);
            let (name, seconds) = (&self.name, (now - since) / 1_000);
            match (rivalry, seconds) {
                (true, _) => error!("{name}: {why}"),
                (false, 0) => warn!("{name}: no connection to {broker}: {why}; trying on"),
                (false, _) => warn!("{name}: no connection to {broker} for {seconds} s: {why}"),
            }
        }
        let wait = self.backoff.failed();
        Failed { wait: if rivalry { MOST } else { wait }, why }
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
            now += attempts.failed(now, &broker, &LinkError::Silent).wait.as_millis() as i64;
        }
        assert!(attempts.failed(now, &broker, &LinkError::Silent).wait >= MOST / 2);
        attempts.worked(now, &broker);
        let first = attempts.failed(now + HELD, &broker, &LinkError::Silent).wait;
        assert!(first.as_millis() <= 100, "a good connection lost is tried again at once");
    }

    #[test]
    fn a_session_given_to_somebody_else_is_named_and_not_fought_over() {
        let broker = Broker::new("b", 1883);
        let mut attempts = Attempts::new("alarm", "standpipe-alarm-1");
        let mut lost = |up: bool, why: &LinkError| {
            if up {
                attempts.worked(0, &broker);
            }
            let failed = attempts.failed(1_000, &broker, why);
            let named = failed.why.contains("`standpipe-alarm-1`");
            assert_eq!(named, failed.why.contains("another client"), "{}", failed.why);
            assert!(!named || failed.wait == MOST, "two gateways do not fight");
            named
        };
        assert!(lost(true, &LinkError::TakenOver), "a broker that says so");
        let closed = [true, true, false, true, true].map(|up| lost(up, &LinkError::Closed));
        assert_eq!(closed, [false; 5], "a broker that is restarted does not answer in between");
        assert!(lost(true, &LinkError::Closed), "three in a row");
        assert!(lost(true, &LinkError::Closed));
        assert!(!lost(true, &LinkError::Silent));
    }
}
