//! What a webhook's answer means: it has the page, try again, or never.

use std::time::Duration;

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has it.
    Taken,
    /// Not now.
    Later {
        /// The receiver's own wish.
        wait: Option<Duration>,
        /// In words.
        why: String,
    },
    /// Not ever, as it is configured.
    Never {
        /// In words.
        why: String,
    },
}

/// Reads a status and the `Retry-After` beside it.
#[must_use]
pub fn read(status: u16, wait: Option<Duration>) -> Answer {
    match status {
        200..=299 => Answer::Taken,
        // Too early, too slow, too many: the request itself was fine.
        408 | 425 | 429 | 500..=599 => Answer::Later { wait, why: format!("status {status}") },
        300..=399 => Answer::Never {
            why: format!("status {status}: it redirects, set `url` to where it points"),
        },
        401 | 403 => Answer::Never {
            why: format!("status {status}: check `secret_file` and the receiver's access rules"),
        },
        404 | 410 => Answer::Never { why: format!("status {status}: check `url`") },
        _ => Answer::Never { why: format!("status {status}: see the receiver's log") },
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, read};
    use std::time::Duration;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let wait = Some(Duration::from_secs(3));
        for status in [200, 201, 202, 204] {
            assert_eq!(read(status, None), Answer::Taken, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let why = format!("status {status}");
            assert_eq!(read(status, wait), Answer::Later { wait, why }, "{status}");
        }
        for status in [100, 301, 308, 400, 401, 403, 404, 405, 410, 422, 600] {
            assert!(matches!(read(status, wait), Answer::Never { .. }), "{status}");
        }
    }
}
