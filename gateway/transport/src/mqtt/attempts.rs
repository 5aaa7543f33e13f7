//! Trying again, and saying so without filling the log: the first failure at once, then one line
//! a minute, and one when it works again. A session that ends within seconds, over and over, is
//! told of once a minute as well.

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
/// A session that held this long was a good one, and its end is news, ms.
const HELD: Ms = 5_000;
/// How often a session may begin, ms: as often as a rival may take it, and no oftener. One that was
/// there for longer is wanted back at once.
const RHYTHM: Ms = 500;
/// So many sessions that end soon are worth a line of their own.
const MANY: u32 = 3;

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
    /// Counts failures to connect; a session that ends soon is none.
    backoff: Backoff,
    up_since: Option<Ms>,
    down_since: Option<Ms>,
    /// When the log was last told that something is wrong.
    said_at: Option<Ms>,
    /// Sessions since then that others ended within [`HELD`].
    short: u32,
    /// It was told so, and not yet that it is right again.
    owes_good_news: bool,
}

impl Attempts {
    /// `name` stands in the log; `client_id` spreads the waits.
    #[must_use]
    pub fn new(name: &str, client_id: &str) -> Self {
        Self {
            name: name.into(),
            client_id: client_id.into(),
            backoff: Backoff::named(FIRST, MOST, client_id),
            up_since: None,
            down_since: None,
            said_at: None,
            short: 0,
            owes_good_news: true,
        }
    }

    /// It is connected.
    pub fn worked(&mut self, now: Ms, broker: &Broker) {
        let down_since = self.down_since.take();
        if std::mem::take(&mut self.owes_good_news) {
            match down_since.filter(|_| self.said_at.is_some()) {
                Some(since) => info!(
                    "{}: connected to {broker} again after {} s",
                    self.name,
                    (now - since) / 1_000
                ),
                None => info!("{}: connected to {broker}", self.name),
            }
        }
        self.up_since = Some(now);
    }

    /// It is not, or no longer. A session that was had is wanted back at once, whatever ended it, but
    /// begins no oftener than each [`RHYTHM`]; only a connection that cannot be had is tried ever more slowly.
    pub fn failed(&mut self, now: Ms, broker: &Broker, why: &LinkError) -> Failed {
        let held = self.up_since.take().map(|since| now - since);
        let wait = match held {
            Some(held) => {
                self.backoff.reset();
                Duration::from_millis(u64::try_from(RHYTHM - held).unwrap_or(0))
            }
            None => self.backoff.failed(),
        };
        let rivalry = matches!(why, LinkError::TakenOver);
        if rivalry {
            broker.rivals.took(&self.client_id, now);
        }
        match held {
            Some(held) if held >= HELD => self.said_at = None,
            Some(_) => self.short += 1,
            None => {}
        }
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
        if self.said_at.is_none_or(|said| now - said >= REPORT_EVERY) {
            self.said_at = Some(now);
            self.owes_good_news = true;
            let short = std::mem::take(&mut self.short);
            let (name, seconds) = (&self.name, (now - since) / 1_000);
            match (rivalry, seconds) {
                (true, _) => error!("{name}: {why}"),
                (false, _) if short >= MANY => warn!(
                    "{name}: {short} sessions with {broker} ended within seconds ({why}): the link \
                     breaks, or somebody else uses the client id `{}`; a broker says so if it is \
                     mosquitto 2.0.15 or newer",
                    self.client_id
                ),
                (false, 0) => warn!("{name}: no connection to {broker}: {why}; trying on"),
                (false, _) => warn!("{name}: no connection to {broker} for {seconds} s: {why}"),
            }
        }
        Failed { wait, why }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attempts, FIRST, HELD, MOST, RHYTHM};
    use crate::mqtt::{Broker, LinkError};

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn a_session_that_was_had_is_wanted_back_at_once_and_no_oftener_than_the_rhythm() {
        let broker = Broker::new("b", 1883);
        let mut attempts = Attempts::new("alarm", "standpipe-alarm-1");
        let mut after = |held: i64, why: &LinkError| {
            attempts.worked(0, &broker);
            attempts.failed(held, &broker, why).wait
        };
        for why in [LinkError::Closed, LinkError::Silent, LinkError::TakenOver] {
            for n in 0..10 {
                assert_eq!(after(HELD, &why), AT_ONCE, "{why}, cut {n}");
                assert_eq!(after(RHYTHM, &why), AT_ONCE, "{why}, cut {n}");
                assert_eq!(after(10, &why), Duration::from_millis(490), "{why}, cut {n}");
            }
        }
    }

    #[test]
    fn a_connection_that_cannot_be_had_is_tried_ever_more_slowly() {
        let broker = Broker::new("b", 1883);
        let mut attempts = Attempts::new("alarm", "standpipe-alarm-1");
        let waits: Vec<_> =
            (0..10).map(|now| attempts.failed(now, &broker, &LinkError::Timeout).wait).collect();
        assert!(waits[0] <= FIRST && waits[9] >= MOST / 2, "{waits:?}");
        attempts.worked(20, &broker);
        attempts.failed(20 + RHYTHM, &broker, &LinkError::Closed);
        let first = attempts.failed(21 + RHYTHM, &broker, &LinkError::Timeout).wait;
        assert!(first <= FIRST, "{first:?}: the count starts over with a session");
    }

    #[test]
    fn a_rival_is_one_only_when_the_broker_says_so() {
        let broker = Broker::new("b", 1883);
        let mut attempts = Attempts::new("alarm", "standpipe-alarm-1");
        let mut lost = |now: i64, why: &LinkError| {
            attempts.worked(now, &broker);
            let named = attempts.failed(now + 1_000, &broker, why).why.contains("another client");
            (named, broker.rivals.at(now + 1_000).len())
        };
        for n in 0..5 {
            assert_eq!(lost(n, &LinkError::Closed), (false, 0), "cut {n}: a link that flaps");
        }
        assert_eq!(lost(5, &LinkError::TakenOver), (true, 1));
        assert_eq!(lost(70_000, &LinkError::Closed), (false, 0));
    }
}
