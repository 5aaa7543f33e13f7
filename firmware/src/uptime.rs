//! Time on a device that does not know the hour.

/// Milliseconds since this boot. Grows during sleep too; never jumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(pub u64);

impl Uptime {
    /// Milliseconds since `earlier`; 0 when that is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This much later.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This much later.
    #[must_use]
    pub const fn after_s(self, s: u32) -> Self {
        self.after_ms(s as u64 * 1_000)
    }

    /// As a signed number, for sums with Unix milliseconds.
    #[must_use]
    pub const fn signed_ms(self) -> i64 {
        self.0.cast_signed()
    }
}
