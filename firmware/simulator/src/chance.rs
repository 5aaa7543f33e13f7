//! Seeded chance: the same seed gives the same town for ever, on every machine.
//!
//! A generator for what happens once (layout, happenings), and a stateless noise for what is
//! sampled (sensors), so that how often the town is stepped changes nothing.

use standpipe_shared::SplitMix64;

/// What a town is made with, and what happens in it. Not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(SplitMix64);

impl Chance {
    /// The same `seed`, the same sequence.
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64(seed))
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// A whole number under `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// A number from `low` up to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * unit(self.bits())
    }
}

/// 0 to 1 from the upper 24 bits, which an `f32` holds exactly.
#[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 / 16_777_216.0
}

/// Noise from −1 to 1, in a bell's shape: a function of its arguments alone.
pub fn noise(seed: u64, whose: u64, when: i64) -> f32 {
    let whose = SplitMix64::mix(whose.wrapping_add(SplitMix64::STEP));
    let start = SplitMix64::mix(seed ^ whose ^ when.cast_unsigned());
    let mut chance = Chance::new(start);
    (chance.between(-1.0, 1.0) + chance.between(-1.0, 1.0) + chance.between(-1.0, 1.0)) / 3.0
}

#[cfg(test)]
mod tests {
    use super::{Chance, noise};

    #[test]
    fn the_same_seed_is_the_same_sequence_and_stays_in_range() {
        let (mut one, mut two) = (Chance::new(7), Chance::new(7));
        for _ in 0..1_000 {
            let picked = one.below(10);
            assert_eq!(picked, two.below(10));
            assert!(picked < 10);
            let level = one.between(2.0, 3.0);
            assert_eq!(level, two.between(2.0, 3.0));
            assert!((2.0..3.0).contains(&level));
        }
        assert_ne!(Chance::new(7).bits(), Chance::new(8).bits());
        assert_eq!(Chance::new(7).below(0), 0);
    }

    #[test]
    fn noise_belongs_to_its_arguments_and_averages_out() {
        assert_eq!(noise(1, 2, 3), noise(1, 2, 3));
        assert_ne!(noise(1, 2, 3), noise(1, 2, 4));
        assert_ne!(noise(1, 2, 3), noise(1, 3, 3));
        let values: Vec<f32> = (0..10_000).map(|at| noise(1, 2, at)).collect();
        assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
        assert!((values.iter().sum::<f32>() / 10_000.0).abs() < 0.02);
    }
}
