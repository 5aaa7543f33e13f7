//! What nobody can guess: the only file that asks for it. Secrets, keys and salts are made of it.
//!
//! Not here: the jitter of retries, which only has to differ ([`crate::backoff`]), and what the
//! libraries of TLS draw for themselves.

/// The system gives nothing random.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoEntropy(String);

/// Where random bytes come from. Clones draw from the same source.
#[derive(Clone, Debug, Default)]
pub struct Entropy(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    /// The numbers of a seed: for tests, since whoever knows the seed knows them all.
    #[cfg(any(test, feature = "testing"))]
    Seed(std::sync::Arc<std::sync::Mutex<standpipe_shared::SplitMix64>>),
}

impl Entropy {
    /// The system's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same bytes for the same seed.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let numbers = std::sync::Mutex::new(standpipe_shared::SplitMix64(seed));
        Self(Source::Seed(numbers.into()))
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => {
                getrandom::fill(&mut bytes).map_err(|bad| NoEntropy(bad.to_string()))?;
            }
            #[cfg(any(test, feature = "testing"))]
            Source::Seed(numbers) => {
                let mut numbers = numbers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for piece in bytes.chunks_mut(8) {
                    let number = numbers.bits().to_le_bytes();
                    piece.iter_mut().zip(number).for_each(|(byte, drawn)| *byte = drawn);
                }
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Entropy;

    #[test]
    fn a_seed_gives_the_same_bytes_and_the_system_never_does() {
        let drawn = |entropy: &Entropy| [(); 2].map(|()| entropy.bytes::<19>().unwrap());
        let [first, second] = drawn(&Entropy::of_seed(7));
        assert_eq!(drawn(&Entropy::of_seed(7)), [first, second]);
        assert_ne!(first, second);
        assert_ne!(drawn(&Entropy::of_seed(8))[0], first);
        let shared = Entropy::of_seed(7);
        assert_eq!([shared.clone().bytes(), shared.bytes()].map(Result::unwrap), [first, second]);
        assert_ne!(drawn(&Entropy::new()), drawn(&Entropy::new()));
    }
}
