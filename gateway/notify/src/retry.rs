//! When what a receiver did not take is tried again, and for how long: the same for pages and digests.

use std::time::Duration;

use standpipe_rules::{DAY_MS, Ms};

/// The first wait after a failure.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of our own choosing.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest wait a receiver may ask for.
pub const LONGEST_ASKED: Duration = Duration::from_secs(600);
/// After so long a page or a digest is given up.
pub const GIVE_UP_AFTER: Ms = DAY_MS;

/// The wait after a failure: what the receiver asked for, within bounds, or `own`.
#[must_use]
pub fn wait(asked: Option<Duration>, own: Duration) -> Duration {
    asked.map_or(own, |asked| asked.min(LONGEST_ASKED).max(own))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::wait;

    #[test]
    fn a_receiver_may_ask_for_more_patience_than_ours_but_not_for_less_or_for_ever() {
        let own = Duration::from_secs(4);
        for (asked, expected) in
            [(None, 4), (Some(1), 4), (Some(90), 90), (Some(600), 600), (Some(99_999), 600)]
        {
            let waits = wait(asked.map(Duration::from_secs), own);
            assert_eq!(waits.as_secs(), expected, "{asked:?}");
        }
    }
}
