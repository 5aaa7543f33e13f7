//! What time it is: the only file that asks. Everything that decides takes `now` as an argument.
//!
//! The wall clock, made safe to reckon with: it never runs backwards. When the machine's clock
//! is set forward, this one follows at once; when it is set back, this one runs slower until the
//! two agree, so that no timer of an open incident stalls and no reading comes from the future.
#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use standpipe_rules::Ms;

/// While the machine's clock is behind, this one loses one millisecond in so many.
const SLEW: i64 = 8;

/// One clock for the whole process; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    drift: Arc<Mutex<Drift>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that tells the machine's time from now on.
    #[must_use]
    pub fn new() -> Self {
        let drift = Drift { ran: 0, ahead: wall() };
        Self { start: Instant::now(), drift: Arc::new(Mutex::new(drift)) }
    }

    /// Unix milliseconds, UTC; never less than it said before.
    #[must_use]
    pub fn now(&self) -> Ms {
        let ran = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.drift.lock().unwrap_or_else(PoisonError::into_inner).tell(ran, wall())
    }

    /// A moment to measure spans from; unrelated to [`Self::now`].
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

fn wall() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How the told time stands to the time this process has run.
#[derive(Debug)]
struct Drift {
    /// How long the process had run when last asked, ms.
    ran: Ms,
    /// What is added to it, ms.
    ahead: Ms,
}

impl Drift {
    fn tell(&mut self, ran: Ms, wall: Ms) -> Ms {
        let ran = ran.max(self.ran);
        let lose = (ran / SLEW).saturating_sub(self.ran / SLEW);
        self.ahead = wall.saturating_sub(ran).max(self.ahead.saturating_sub(lose));
        self.ran = ran;
        ran.saturating_add(self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Drift};

    #[test]
    #[rustfmt::skip] // a table
    fn it_follows_forward_at_once_and_backward_slowly() {
        let mut drift = Drift { ran: 0, ahead: 1_000 };
        for (story, ran, wall, told) in [
            ("runs with the wall",             1_000,  2_000,  2_000),
            ("set forward by an hour",         2_000, 3_603_000, 3_603_000),
            ("and on",                         2_008, 3_603_008, 3_603_008),
            ("set back by a second: slower",   2_808, 3_602_808, 3_603_708),
            ("still slower",                   3_608, 3_603_608, 3_604_408),
            ("caught up",                     11_608, 3_611_608, 3_611_608),
            ("and level again",               12_408, 3_612_408, 3_612_408),
            ("asked out of order",            12_000, 3_612_000, 3_612_408),
        ] {
            assert_eq!(drift.tell(ran, wall), told, "{story}");
        }
    }

    #[test]
    fn the_time_is_this_century_and_shared() {
        let clock = Clock::new();
        let first = clock.now();
        let second = clock.clone().now();
        assert!(first > 1_700_000_000_000 && second >= first);
    }
}
