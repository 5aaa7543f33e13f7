//! Whether the kernel calls the machine's clock synchronised: asked at the start and every minute,
//! said when it is not, and waited for by nobody.

use std::time::{Duration, Instant};

/// How often the kernel is asked …
const ASK_EVERY: Duration = Duration::from_secs(60);
/// … and while the clock is in doubt.
const ASK_SOON: Duration = Duration::from_secs(5);
/// A clock that was set is believed when the kernel has called it synchronised for so long.
const BELIEVED_AFTER: Duration = Duration::from_secs(60);
/// The kernel's own limit: with a larger error it calls the clock unsynchronised. The flag itself
/// is not asked: chrony leaves it as it is where it does not set the clock of the board. Source:
/// systemd `ntp_synced()`, commit bca5a0eacc.
#[cfg(target_os = "linux")]
const MAX_ERROR_US: std::ffi::c_long = 16_000_000;

/// What is done about a clock that nobody synchronises.
pub const ADVICE: &str = "this machine's clock is not synchronised: start chrony or systemd-timesyncd, and let it reach a time server";

/// What the kernel says; `None`: it can't be asked.
#[cfg(target_os = "linux")]
#[must_use]
pub fn synchronised() -> Option<bool> {
    let mut says = rtime_clock::adjtime::Timex::new(); // it asks, and sets nothing
    rtime_clock::adjtime::adjtimex(&mut says).ok()?;
    #[expect(clippy::useless_conversion, reason = "32 bits wide on some machines")]
    let error_us = i64::from(says.0.maxerror);
    Some(error_us < MAX_ERROR_US)
}

/// What the kernel says; `None`: it can't be asked.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub const fn synchronised() -> Option<bool> {
    None
}

/// What the kernel has said of late.
#[derive(Debug, Default)]
pub struct KernelWatch {
    asked_at: Option<Instant>,
    said: Option<bool>,
    /// Since when it has said that the clock is synchronised.
    since: Option<Instant>,
}

/// What follows from an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelAnswer {
    /// As it was said; `None`: it can't be asked.
    pub synchronised: Option<bool>,
    /// It was said otherwise before, or never.
    pub news: bool,
    /// It has been synchronised for long enough to believe a clock that was set.
    pub believed: bool,
}

impl KernelWatch {
    /// Asks the kernel, when it is time to.
    pub fn look(
        &mut self,
        now: Instant,
        doubted: bool,
        ask: impl FnOnce() -> Option<bool>,
    ) -> Option<KernelAnswer> {
        let every = if doubted { ASK_SOON } else { ASK_EVERY };
        if self.asked_at.is_some_and(|at| now.duration_since(at) < every) {
            return None;
        }
        let first = self.asked_at.replace(now).is_none();
        let synchronised = ask();
        let news = std::mem::replace(&mut self.said, synchronised) != synchronised || first;
        self.since = self.since.or(Some(now)).filter(|_| synchronised == Some(true));
        let believed = self.since.is_some_and(|at| now.duration_since(at) >= BELIEVED_AFTER);
        Some(KernelAnswer { synchronised, news, believed })
    }

    /// Somebody set the clock: what was said before was said of another time.
    pub const fn clock_set(&mut self) {
        self.asked_at = None;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelAnswer, KernelWatch};
    use crate::clock::Clock;
    use std::time::Duration;

    #[test]
    #[rustfmt::skip] // a table
    fn the_kernel_is_asked_every_minute_and_believed_after_one() {
        let (start, mut watch) = (Clock::new().instant(), KernelWatch::default());
        let answer = |synchronised, news, believed| Some(KernelAnswer { synchronised, news, believed });
        for (story, s, doubted, says, expected) in [
            ("at the start",           0, false, Some(false), answer(Some(false), true, false)),
            ("not yet again",         59, false, Some(true),  None),
            ("a minute later",        60, false, Some(false), answer(Some(false), false, false)),
            ("it is synchronised",   120, false, Some(true),  answer(Some(true), true, false)),
            ("for a minute",         180, false, Some(true),  answer(Some(true), false, true)),
            ("no longer",            240, false, None,        answer(None, true, false)),
            ("in doubt: sooner",     245, true,  Some(true),  answer(Some(true), true, false)),
            ("… not for a minute",   304, true,  Some(true),  answer(Some(true), false, false)),
            ("… for a minute",       309, true,  Some(true),  answer(Some(true), false, true)),
        ] {
            let found = watch.look(start + Duration::from_secs(s), doubted, || says);
            assert_eq!(found, expected, "{story}");
        }
        watch.clock_set();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(watch.look(at(310), true, || Some(true)), answer(Some(true), true, false), "anew");
        assert_eq!(watch.look(at(370), true, || Some(true)), answer(Some(true), false, true));
    }
}
