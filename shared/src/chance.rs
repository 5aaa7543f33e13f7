//! Numbers that look random, from a seed: SplitMix64 (Steele, Lea and Flood 2014).
//!
//! Devices and the gateway spread their retries with it, so that not all of a town comes at once, and the
//! simulator makes its towns with it. Not for secrets.

/// The same seed gives the same sequence, for ever and on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// What the state grows by: 2^64 divided by the golden ratio.
    pub const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        Self::mix(self.0)
    }

    /// Spreads whatever differs between two numbers over all of their bits.
    #[must_use]
    pub const fn mix(number: u64) -> u64 {
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn the_sequence_is_that_of_its_authors() {
        // The first numbers of `splitmix64.c` (Vigna) for the seed 1234567.
        let mut chance = SplitMix64(1_234_567);
        assert_eq!(chance.bits(), 6_457_827_717_110_365_317);
        assert_eq!(chance.bits(), 3_203_168_211_198_807_973);
        assert_eq!(chance.bits(), 9_817_491_932_198_370_423);
    }
}
