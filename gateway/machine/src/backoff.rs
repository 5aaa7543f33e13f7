//! How long to wait before a retry: doubling, with jitter, so that many who lost the same
//! server do not come back at one moment.

use std::time::Duration;

use standpipe_rules::Ms;
use standpipe_shared::SplitMix64;

/// The waits of one retrying thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
    chance: SplitMix64,
}

impl Backoff {
    /// Waits about `first`, then twice that, and so on up to `most`. `seed` makes the jitter
    /// repeatable, and different between things with different seeds.
    #[must_use]
    pub const fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, failures: 0, chance: SplitMix64(seed) }
    }

    /// The same, with the jitter of a name.
    #[must_use]
    pub fn named(first: Duration, most: Duration, name: &str) -> Self {
        // FNV-1a.
        let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self::new(first, most, seed)
    }

    /// It worked: the next failure starts over.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// How often it has failed since it last worked.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// It failed: how long to wait now. Between half and the whole of the doubled time.
    pub fn failed(&mut self) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let whole = doubled.min(self.most);
        self.failures = self.failures.saturating_add(1);
        // Any spread will do, as long as it differs between peers.
        let share = (self.chance.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        whole.mul_f64(0.5 + share / 2.0)
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
#[must_use]
pub fn retry_after(text: &str, now: Ms) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::from_millis(u64::try_from(until.as_millisecond() - now).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::{Backoff, retry_after};
    use std::time::Duration;

    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(10);

    #[test]
    fn waits_double_up_to_the_most_and_start_over_after_success() {
        let mut backoff = Backoff::new(FIRST, MOST, 7);
        for whole_ms in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let (wait, whole) = (backoff.failed(), Duration::from_millis(whole_ms));
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        assert_eq!(backoff.failures(), 9);
        backoff.reset();
        assert!(backoff.failed() <= FIRST);
    }

    #[test]
    fn a_thousand_failures_later_it_still_waits_no_longer_than_the_most() {
        let mut backoff = Backoff::new(FIRST, MOST, 1);
        assert!((0..1_000).all(|_| backoff.failed() <= MOST));
    }

    #[test]
    fn peers_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::new(FIRST, MOST, seed).failed()).collect();
        assert!(waits.len() > 95, "{}", waits.len());
    }

    #[test]
    #[rustfmt::skip] // a table
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_764_000_000_000; // Mon, 24 Nov 2025 16:00:00 GMT
        for (text, expected_s) in [
            ("120",                           Some(120)),
            (" 0 ",                           Some(0)),
            ("Mon, 24 Nov 2025 16:00:30 GMT", Some(30)),
            ("Mon, 24 Nov 2025 15:00:00 GMT", Some(0)),
            ("-1",                            None),
            ("soon",                          None),
            ("",                              None),
        ] {
            assert_eq!(retry_after(text, now), expected_s.map(Duration::from_secs), "{text}");
        }
    }
}
