//! How long a name stays locked after wrong passwords.

use standpipe_rules::Ms;

/// So many wrong passwords are free. Source: OWASP authentication cheat sheet (3 to 5).
const FREE: u32 = 5;
/// The first wait, ms; each further failure doubles it.
const FIRST_MS: Ms = 60_000;
/// The longest wait, ms: whoever is on duty must get in again the same night.
pub const MOST_MS: Ms = 15 * 60_000;
/// Failures this far back are forgotten, ms.
pub const FORGOTTEN_MS: Ms = 24 * 3_600_000;

/// Until when a name stays locked after its `failed`-th wrong password in a row.
#[must_use]
pub fn locked_until(failed: u32, now: Ms) -> Ms {
    let Some(over) = failed.checked_sub(FREE) else { return now };
    now + FIRST_MS.saturating_mul(1 << over.min(16)).min(MOST_MS)
}

#[cfg(test)]
mod tests {
    use super::locked_until;

    #[test]
    #[rustfmt::skip] // a table
    fn waits_grow_and_end() {
        for (failed, wait_s) in [
            (1, 0), (4, 0), (5, 60), (6, 120), (7, 240), (8, 480), (9, 900), (1_000, 900),
        ] {
            assert_eq!(locked_until(failed, 7), 7 + wait_s * 1_000, "{failed}");
        }
    }
}
