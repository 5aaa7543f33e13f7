//! What is made of samples before anybody judges them: a median against water hammer, and the
//! extremes that the next reading tells.

/// The median of the last three samples: one wild sample never shows.
///
/// A stopped column of water rings with 1 to 1.4 MPa per m/s for seconds; a single extreme sample
/// is therefore no news, two in a row are. It costs one sample of delay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Median {
    /// The oldest first.
    last: [f32; 3],
    count: u8,
}

impl Median {
    /// Takes a sample in and answers the median; of fewer than three, the newest.
    pub fn push(&mut self, sample: f32) -> f32 {
        let [_, b, c] = self.last;
        self.last = [b, c, sample];
        self.count = self.count.saturating_add(1).min(3);
        if self.count < 3 { sample } else { b.min(c).max(b.max(c).min(sample)) }
    }

    /// Forgets all: after a fault the old samples are of another time.
    pub const fn clear(&mut self) {
        self.count = 0;
    }
}

/// The lowest and the highest sample since the last reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extremes(Option<(f32, f32)>);

impl Extremes {
    /// Takes a sample in.
    pub fn push(&mut self, sample: f32) {
        let (low, high) = self.0.unwrap_or((sample, sample));
        self.0 = Some((low.min(sample), high.max(sample)));
    }

    /// Lowest and highest; `None` when there was no sample.
    #[must_use]
    pub const fn get(&self) -> Option<(f32, f32)> {
        self.0
    }

    /// Begins anew.
    pub const fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Extremes, Median};

    #[test]
    fn one_wild_sample_never_shows_and_two_do() {
        let mut median = Median::default();
        let seen = [300.0, 301.0, 299.0, 2_000.0, 300.0, 5.0, 4.0, 6.0, 5.0];
        let shown = seen.map(|value| median.push(value));
        assert_eq!(shown, [300.0, 301.0, 300.0, 301.0, 300.0, 300.0, 5.0, 5.0, 5.0]);
        median.clear();
        assert_eq!(median.push(80.0), 80.0, "after a fault the newest counts");
    }

    #[test]
    fn every_order_of_three_has_the_middle() {
        for [a, b, c] in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut median = Median::default();
            let last = [a, b, c].map(|value| median.push(f32::from(i16::from(value as u8))));
            assert_eq!(last[2], 2.0, "{a} {b} {c}");
        }
    }

    #[test]
    fn extremes_are_those_since_the_last_reading() {
        let mut extremes = Extremes::default();
        assert_eq!(extremes.get(), None);
        for value in [300.0, 280.0, 310.0] {
            extremes.push(value);
        }
        assert_eq!(extremes.get(), Some((280.0, 310.0)));
        extremes.clear();
        assert_eq!(extremes.get(), None);
    }
}
